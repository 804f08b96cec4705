/* Trying a policy on this host: a plan, and a program that is started under it. */
#include "tools/run.h"

#include <limits.h>
#include <unistd.h>

/* This very program, which any host has. */
static int find_self(char *exe, size_t size, struct error *err)
{
	ssize_t n = readlink("/proc/self/exe", exe, size - 1);

	if (n < 0)
		return error_set(err, ERR_SYSTEM,
				 "cannot find this program's own file (/proc/self/exe)");
	exe[n] = '\0';
	return 0;
}

static int start_self(struct sandbox_plan *plan, const char *exe, struct sandbox_layers *ret,
		      struct error *err)
{
	const char *const argv[] = {exe, "--version", NULL};
	const struct sandbox_start start = {
		.argv = argv,
		.cwd = "/",
		.stdin_fd = -1,
		.out = {.kind = SANDBOX_OUTPUT_BUFFER},
		.err = {.kind = SANDBOX_OUTPUT_BUFFER},
		.dedicated = true,
	};
	struct sandbox_result result;
	struct sandbox_child *child;
	int rc = sandbox_start(plan, &start, &child, err);

	if (rc < 0)
		return rc;
	rc = sandbox_wait(child, &result, err);
	if (rc == 0 && (result.end != SANDBOX_END_EXIT || result.status != 0))
		rc = error_set(err, ERR_SYSTEM, "a program that was started ended with %d",
			       result.status);
	if (rc == 0)
		sandbox_child_layers(child, ret);
	sandbox_child_free(child);
	return rc;
}

int sandbox_try(struct sandbox_policy *policy, struct sandbox_layers *ret, sandbox_keeper call,
		void *ctx, struct error *err)
{
	struct sandbox_plan *plan = NULL;
	char exe[PATH_MAX];
	int rc = find_self(exe, sizeof(exe), err);

	if (rc == 0)
		rc = sandbox_policy_add_root(policy, SANDBOX_ROOT_EXEC, exe, false, err);
	for (int i = 0; rc == 0 && i < SANDBOX_MECHS; i++)
		rc = sandbox_policy_relax(policy, i, err);
	if (rc == 0)
		rc = sandbox_plan_new(policy, SANDBOX_PLAN_START, NULL, NULL, &plan, err);
	if (rc == 0)
		rc = start_self(plan, exe, ret, err);
	if (rc == 0 && call)
		sandbox_plan_keepers(plan, call, ctx);
	sandbox_plan_free(plan);
	return rc;
}
