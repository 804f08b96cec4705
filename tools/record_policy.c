/* The policy of a recording: what of it holds for units, which are restricted in place. */
#include "tools/run.h"

#include "tools/session_options.h"

#include <stdio.h>

static void say(void *ctx, const char *text)
{
	const bool *quiet = ctx;

	if (!*quiet)
		fprintf(stderr, "sandtape: %s\n", text);
}

static void find_holding(const struct sandbox_plan *plan, const char **names)
{
	struct sandbox_layers layers;

	sandbox_plan_layers(plan, &layers);
	for (int i = 0; i < SANDBOX_MECHS; i++) {
		enum sandbox_state state = layers.layer[i].state;

		/* What is partial of namespaces is what stands in for them. */
		if (i != SANDBOX_MECH_NAMESPACES &&
		    (state == SANDBOX_STATE_ENFORCED || state == SANDBOX_STATE_PARTIAL))
			*names++ = sandbox_mechanism_name(i);
	}
	*names = NULL;
}

static void tell(const char *file, const char *const *names)
{
	fprintf(stderr, "sandtape: %s restricts each command, and not the program itself: %s", file,
		*names ? *names : "by nothing");
	for (names += *names != NULL; *names; names++)
		fprintf(stderr, ", %s", *names);
	fprintf(stderr,
		"\nsandtape: it does not for commands: namespaces, a /tmp of their own, the "
		"environment, control groups, limits of time and output\n");
}

int record_policy_load(struct session_options *o, struct record_policy *ret,
		       struct tape_options *tape, struct error *err)
{
	const struct sandbox_options options = {.policy = o->policy};
	struct sandbox_policy *policy = NULL;
	int rc;

	if (!o->policy)
		return 0;
	rc = sandbox_options_policy(&options, say, &o->quiet, &policy, err);
	if (rc == 0)
		rc = sandbox_plan_new(policy,
				      o->explain ? SANDBOX_PLAN_UNITS_OBSERVED : SANDBOX_PLAN_UNITS,
				      say, &o->quiet, &ret->plan, err);
	sandbox_policy_free(policy);
	if (rc == ERR_UNSUPPORTED)
		return error_wrap(err, rc, "commands are restricted in place");
	if (rc < 0)
		return rc;
	find_holding(ret->plan, ret->restricted);
	tape->confiner = sandbox_plan_confiner(ret->plan);
	tape->restricted = ret->restricted;
	if (!o->quiet)
		tell(o->policy, ret->restricted);
	return 0;
}
