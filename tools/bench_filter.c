/*
 * bench_filter: what the filter of the default policy costs. Prints nanoseconds: to prepare it, to
 * install it, to install one that allows everything with one instruction; and a getppid without a
 * filter, under that least one, and under that of the policy. Each is a median.
 */
#include "sandbox/filter.h"
#include "tools/bench.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT 200
#define CALLS 2000

typedef uint64_t (*measure_fn)(const struct filter *filter);

static void check(int rc, const char *text)
{
	if (rc == 0)
		return;
	fprintf(stderr, "bench_filter: %s\n", text);
	exit(1);
}

/* Leaves the last one in *ret. */
static uint64_t measure_prepare(const struct sandbox_policy *policy, struct filter *ret)
{
	uint64_t took[COUNT];

	for (int i = 0; i < COUNT; i++) {
		struct sandbox_layers layers = {0};
		struct error err = {0};
		struct judge judge = {policy, &layers, NULL, NULL, &err};
		uint64_t began = monotonic_ns();

		filter_free(ret);
		check(filter_prepare(&judge, &(struct filter_needs){0}, ret), err.text);
		took[i] = monotonic_ns() - began;
	}
	return bench_median(took, COUNT);
}

static uint64_t install(const struct filter *filter)
{
	uint64_t began = monotonic_ns();
	int rc = filter_apply(filter);
	uint64_t took = monotonic_ns() - began;

	check(rc, "the filter cannot be installed");
	return took;
}

static uint64_t call(const struct filter *filter)
{
	uint64_t took[COUNT];

	check(filter_apply(filter), "the filter cannot be installed");
	for (int i = 0; i < COUNT; i++) {
		uint64_t began = monotonic_ns();

		for (int j = 0; j < CALLS; j++)
			syscall(SYS_getppid);
		took[i] = (monotonic_ns() - began) / CALLS;
	}
	return bench_median(took, COUNT);
}

/* A filter stays with its process, so each measurement has one of its own. */
static uint64_t in_child(measure_fn measure, const struct filter *filter)
{
	uint64_t took = 0;
	int fds[2];
	pid_t pid;

	check(pipe(fds), "pipe");
	pid = fork();
	if (pid == 0) {
		check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
		took = measure(filter);
		check(write(fds[1], &took, sizeof(took)) != sizeof(took), "write");
		_exit(0);
	}
	close(fds[1]);
	check(pid < 0 || read(fds[0], &took, sizeof(took)) != sizeof(took), "a child failed");
	close(fds[0]);
	check(waitpid(pid, NULL, 0) != pid, "waitpid");
	return took;
}

int main(void)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	const struct filter none = {NULL, 0}, least = {&allow, 1};
	struct filter filter = {NULL, 0};
	struct sandbox_policy *policy;
	uint64_t prepared, installed[2][COUNT];
	struct error err = {0};

	check(sandbox_policy_new(SANDBOX_LEVEL_PROCESS_EXEC, NULL, &policy, &err), err.text);
	prepared = measure_prepare(policy, &filter);
	for (int i = 0; i < COUNT; i++) {
		installed[0][i] = in_child(install, &filter);
		installed[1][i] = in_child(install, &least);
	}
	printf("%llu %llu %llu", (unsigned long long)prepared,
	       (unsigned long long)bench_median(installed[0], COUNT),
	       (unsigned long long)bench_median(installed[1], COUNT));
	printf(" %llu", (unsigned long long)in_child(call, &none));
	printf(" %llu", (unsigned long long)in_child(call, &least));
	printf(" %llu\n", (unsigned long long)in_child(call, &filter));
	filter_free(&filter);
	sandbox_policy_free(policy);
	return 0;
}
