#include "sandbox/started_test.h"

#include "base/fs.h"
#include "sandbox/planned_test.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

/* A started_scratch directory that others may enter, which is the workspace. */
char started_scratch[64];
struct sandbox_policy *started_policy;

void started_setup(void)
{
	struct sandbox_places places = {.work = started_scratch, .home = "/no/home", .tmp = "/tmp"};

	setenv("PATH", "/usr/bin:/bin", 1); /* nothing that cannot be searched */
	strcpy(started_scratch, "/tmp/sandtape-start-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(started_scratch));
	started_policy = planned_policy("{\"version\": 1}", &places);
}

void started_teardown(void)
{
	sandbox_policy_free(started_policy);
	fs_remove_all(started_scratch, NULL);
}

struct sandbox_plan *started_plan(enum sandbox_plan_use use)
{
	struct sandbox_plan *plan = NULL;
	struct error err = {0};

	ck_assert_msg(sandbox_plan_new(started_policy, use, NULL, NULL, &plan, &err) == 0, "%s",
		      err.text);
	return plan;
}

static void keep(char *to, size_t size, const void *bytes, size_t len)
{
	len = len < size ? len : size - 1;
	if (len)
		memcpy(to, bytes, len);
	to[len] = '\0';
}

int started_shell(struct sandbox_plan *plan, const char *script, struct sandbox_child **ret,
		  struct error *err)
{
	const char *const argv[] = {"sh", "-c", script, NULL};
	const struct sandbox_start start = {
		.argv = argv,
		.cwd = started_scratch,
		.stdin_fd = -1,
		.out = {.kind = SANDBOX_OUTPUT_BUFFER},
		.err = {.kind = SANDBOX_OUTPUT_BUFFER},
		.dedicated = true,
	};

	return sandbox_start(plan, &start, ret, err);
}

void started_run(struct sandbox_plan *plan, const char *script, struct run *run)
{
	struct sandbox_child *child = NULL;
	struct error err = {0};

	ck_assert_msg(started_shell(plan, script, &child, &err) == 0, "%s", err.text);
	ck_assert_msg(sandbox_wait(child, &run->result, &err) == 0, "%s", err.text);
	keep(run->out, sizeof(run->out), run->result.out, run->result.out_len);
	keep(run->err, sizeof(run->err), run->result.err, run->result.err_len);
	sandbox_child_free(child);
}

void started_default(const char *script, struct run *run)
{
	struct sandbox_plan *plan = started_plan(SANDBOX_PLAN_START);

	started_run(plan, script, run);
	sandbox_plan_free(plan);
}
