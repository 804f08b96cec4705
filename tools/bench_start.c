/*
 * bench_start COUNT PROGRAM: starts the program COUNT times in each of several ways within this
 * process, one way after the other, since what namespaces leave to be done is done during the next
 * start; and prints the median nanoseconds of each, from the start to the end that has been waited
 * for: posix_spawn; sandbox_start under a plan without namespaces, with mounts, with all.
 */
#include "sandbox/plan.h"

#include "tools/bench.h"
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

static _Noreturn void fail(const char *what, const char *why)
{
	fprintf(stderr, "bench_start: %s: %s\n", what, why);
	exit(1);
}

static void spawn(const char *program)
{
	char *const argv[] = {(char *)program, NULL};
	pid_t pid;
	int status, r = posix_spawn(&pid, program, NULL, NULL, argv, environ);

	if (r != 0)
		fail(program, strerror(r));
	if (waitpid(pid, &status, 0) < 0 || status != 0)
		fail(program, "it failed");
}

static void start(struct sandbox_plan *plan, const char *program)
{
	const char *const argv[] = {program, NULL};
	const struct sandbox_start start = {.argv = argv, .cwd = "/usr", .dedicated = true};
	struct sandbox_result result;
	struct sandbox_child *child;
	struct error err;

	if (sandbox_start(plan, &start, &child, &err) < 0 || sandbox_wait(child, &result, &err) < 0)
		fail(program, err.text);
	if (result.end != SANDBOX_END_EXIT || result.status != 0)
		fail(program, "it failed");
	sandbox_child_free(child);
}

static const char *const policies[] = {
	"{\"version\": 1, \"namespaces\": {\"mount\": \"off\"}, \"fs\": {\"tmp\": \"shared\"}}",
	"{\"version\": 1, \"namespaces\": {\"pid\": \"off\"}}",
	"{\"version\": 1}",
};
#define POLICIES (sizeof(policies) / sizeof(policies[0]))

static struct sandbox_plan *make_plan(const char *text, const char *program)
{
	struct sandbox_policy *policy;
	struct sandbox_plan *plan;
	struct error err;

	if (sandbox_policy_parse(text, strlen(text), "policy", NULL, &policy, &err) < 0 ||
	    sandbox_policy_add_root(policy, SANDBOX_ROOT_EXEC, program, false, &err) < 0 ||
	    sandbox_plan_new(policy, SANDBOX_PLAN_START, NULL, NULL, &plan, &err) < 0)
		fail("a plan", err.text);
	sandbox_policy_free(policy);
	return plan;
}

int main(int argc, char **argv)
{
	long count = argc == 3 ? strtol(argv[1], NULL, 10) : 0;
	struct sandbox_plan *plan[POLICIES];
	uint64_t *took[POLICIES + 1];

	if (count <= 0) {
		fprintf(stderr, "usage: bench_start COUNT PROGRAM\n");
		return 2;
	}
	for (size_t i = 0; i < POLICIES; i++)
		plan[i] = make_plan(policies[i], argv[2]);
	for (size_t i = 0; i <= POLICIES; i++)
		if (!(took[i] = calloc((size_t)count, sizeof(uint64_t))))
			fail("memory", strerror(ENOMEM));
	for (size_t i = 0; i <= POLICIES; i++) {
		for (long n = 0; n < count; n++) {
			uint64_t begun = monotonic_ns();

			if (i == 0)
				spawn(argv[2]);
			else
				start(plan[i - 1], argv[2]);
			took[i][n] = monotonic_ns() - begun;
		}
	}
	for (size_t i = 0; i <= POLICIES; i++) {
		printf("%llu\n", (unsigned long long)bench_median(took[i], (size_t)count));
		free(took[i]);
	}
	for (size_t i = 0; i < POLICIES; i++)
		sandbox_plan_free(plan[i]);
	return 0;
}
