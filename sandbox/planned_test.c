#include "sandbox/planned_test.h"

#include "tools/tests.h"
#include <stdio.h>
#include <string.h>

struct sandbox_policy *planned_policy(const char *text, const struct sandbox_places *places)
{
	struct sandbox_policy *policy = NULL;
	struct error err = {0};

	ck_assert_msg(sandbox_policy_parse(text, strlen(text), "policy", places, &policy, &err) ==
			      0,
		      "%s: %s", text, err.text);
	return policy;
}

int planned_try(const struct planned *where, const char *rest, struct sandbox_plan **ret,
		struct error *err)
{
	const struct sandbox_places places = {.work = where->work, .home = "/no/home"};
	struct sandbox_policy *policy;
	char text[512];
	int rc;

	snprintf(text, sizeof(text), "{\"version\": 1%s}", rest);
	policy = planned_policy(text, &places);
	rc = sandbox_plan_new(policy, where->use, where->say, where->say_ctx, ret, err);
	sandbox_policy_free(policy);
	return rc;
}

struct sandbox_plan *planned(const struct planned *where, const char *rest)
{
	struct sandbox_plan *plan = NULL;
	struct error err = {0};

	ck_assert_msg(planned_try(where, rest, &plan, &err) == 0, "%s", err.text);
	return plan;
}
