/* Layers that are applied in a child that shares the memory of its parent, as vfork() has it. */
#include "sandbox/cgroup.h"
#include "sandbox/fds.h"
#include "sandbox/inside_test.h"
#include "sandbox/privileges.h"
#include "sandbox/rlimits.h"

#include "tools/tests.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK_SIZE (64 << 10)

struct layers {
	struct inside inside;
	struct cgroup_child group;
	struct fds fds;
	struct rlimits rlimits;
	struct privileges privileges;
	int failed; /* written by the child, in this memory */
};

/* Executes what says by its status which of the layers it does not find. */
static int apply_and_execute(void *arg)
{
	static const char script[] =
		"n=0; [ -e /proc/$$/fd/9 ] && n=$((n + 1)); [ $(ulimit -n) = 20 ] || n=$((n + 2))\n"
		"grep -q '^NoNewPrivs:.1' /proc/$$/status || n=$((n + 4))\n"
		"grep -q '^CapEff:.0000000000000000' /proc/$$/status || n=$((n + 8)); exit $n";
	static char *const argv[] = {"sh", "-c", (char *)script, NULL};
	struct layers *layers = arg;

	layers->failed = cgroup_enter(&layers->group, false);
	if (layers->failed == 0)
		layers->failed = fds_apply(&layers->fds);
	if (layers->failed == 0)
		layers->failed = rlimits_apply(&layers->rlimits);
	if (layers->failed == 0)
		layers->failed = privileges_apply(&layers->privileges);
	if (layers->failed == 0)
		syscall(SYS_execve, "/bin/sh", argv, environ);
	_exit(99);
}

/* What the parent has of all that, as one number that must not change. */
static uint64_t own_state(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};
	struct rlimit files;

	ck_assert_int_eq(syscall(SYS_capget, &head, data), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
	return data[0].effective + 3 * (uint64_t)files.rlim_max + 5 * (uint64_t)files.rlim_cur +
	       7 * (uint64_t)fcntl(9, F_GETFD) +
	       11 * (uint64_t)prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
}

static void prepare(struct layers *layers)
{
	const struct judge *judge = &layers->inside.judge;

	inside_setup(&layers->inside);
	ck_assert_int_eq(
		sandbox_policy_set_limit(layers->inside.policy, SANDBOX_LIMIT_FILES, 20, NULL), 0);
	ck_assert_int_eq(fds_prepare(judge, &layers->fds), 0);
	ck_assert_int_eq(
		rlimits_prepare(judge, &(struct rlimits_needs){.memory = true}, &layers->rlimits),
		0);
	ck_assert_int_eq(privileges_prepare(judge, &layers->privileges), 0);
}

static int start(struct layers *layers)
{
	char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	int status;
	pid_t pid;

	ck_assert_ptr_ne(stack, MAP_FAILED);
	errno = 77;
	pid = clone(apply_and_execute, stack + STACK_SIZE, CLONE_VM | CLONE_VFORK | SIGCHLD,
		    layers);
	ck_assert_int_eq(errno, 77);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(munmap(stack, STACK_SIZE), 0);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

START_TEST(the_parent_stays_as_it_is)
{
	static struct layers layers;
	uint64_t before;

	ck_assert_int_eq(dup2(0, 9), 9);
	prepare(&layers);
	before = own_state();
	ck_assert_int_eq(start(&layers), 0);
	ck_assert_int_eq(layers.failed, 0);
	ck_assert_uint_eq(own_state(), before);
	close(9);
	fds_free(&layers.fds);
	inside_teardown(&layers.inside);
}
END_TEST

/* The same program finds all that is missing when nothing is applied. */
START_TEST(without_the_layers_that_is_seen)
{
	static struct layers layers;
	const int expected = getuid() == 0 ? 1 + 2 + 4 + 8 : 1 + 2 + 4;

	ck_assert_int_eq(dup2(0, 9), 9);
	layers.fds.off = true;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0)
		ck_assert_int_eq(start(&layers), expected);
	close(9);
}
END_TEST

START_TEST(a_failure_stands_in_the_parents_memory)
{
	static struct layers layers;

	close(9);
	prepare(&layers);
	fds_free(&layers.fds);
	ck_assert_int_eq(sandbox_policy_add_fd(layers.inside.policy, 9, NULL), 0);
	ck_assert_int_eq(fds_prepare(&layers.inside.judge, &layers.fds), 0);
	ck_assert_int_eq(start(&layers), 99);
	ck_assert_int_eq(layers.failed, -EBADF);
	fds_free(&layers.fds);
	inside_teardown(&layers.inside);
}
END_TEST

Suite *sandbox_apply_suite(void)
{
	Suite *suite = suite_create("sandbox_apply");
	TCase *tcase = tcase_create("all");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, the_parent_stays_as_it_is);
	tcase_add_test(tcase, without_the_layers_that_is_seen);
	tcase_add_test(tcase, a_failure_stands_in_the_parents_memory);
	suite_add_tcase(suite, tcase);
	return suite;
}
