/* Children made by clone3 (_i is 0), and by clone where that is not there. */
#include "sandbox/inside_test.h"
#include "sandbox/policy.h"
#include "sandbox/started_test.h"

#include "tools/tests.h"
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* As other sandboxes and older profiles of containers do. */
static bool lose_clone3(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 &&
	       syscall(SYS_clone3, NULL, 0) < 0 && errno == ENOSYS;
}

static volatile int handled, seen;

static void handle(int sig)
{
	handled = sig;
}

static bool is(int sig, void (*handler)(int))
{
	struct sigaction now;

	return sigaction(sig, NULL, &now) == 0 && now.sa_handler == handler;
}

/* In the child, with signals blocked as in a start. */
static void look(void *birth)
{
	const struct birth *b = birth;

	seen = (is(SIGUSR1, SIG_DFL) ? 1 : 0) | (is(SIGUSR2, SIG_IGN) ? 2 : 0) |
	       (is(SIGRTMAX, SIG_DFL) ? 4 : 0) | (b->in_cgroup ? 8 : 0);
	_exit(seen);
}

static char stack[CHILD_STACK_SIZE] __attribute__((aligned(16)));

static long make(uint64_t flags, int *pidfd, struct birth *b)
{
	struct clone_args args = {
		.flags = flags | CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
		.pidfd = (uintptr_t)pidfd,
		.exit_signal = SIGCHLD,
		.stack = (uintptr_t)stack,
		.stack_size = sizeof(stack),
		.cgroup = 1000000, /* no descriptor */
	};

	signal(SIGUSR1, handle);
	signal(SIGRTMAX, handle);
	signal(SIGUSR2, SIG_IGN);
	return child_clone(&args, look, b);
}

struct how {
	bool without; /* clone3 */
	uint64_t flags;
};

/* What the child has seen; 100 and more: what was not as it should be. */
static int make_child(void *arg)
{
	const struct how *how = arg;
	struct birth birth = {.in_cgroup = true};
	siginfo_t info = {0};
	int pidfd = -1;
	long pid;

	if (how->without && !lose_clone3())
		return 100;
	pid = make(how->flags, &pidfd, &birth);
	if (pid < 0)
		return pid == -EBADF ? 101 : 102;
	if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0 || info.si_pid != pid ||
	    info.si_code != CLD_EXITED)
		return 103;
	if (seen != (how->flags & CLONE_VM ? info.si_status : 0))
		return 104;
	raise(SIGUSR1);
	return handled == SIGUSR1 && is(SIGUSR2, SIG_IGN) ? info.si_status : 105;
}

START_TEST(a_child_has_no_handlers_and_what_is_ignored_stays_so)
{
	struct how shared = {_i, CLONE_VM | CLONE_VFORK}, own = {_i, 0};

	ck_assert_int_eq(inside_run(make_child, &shared), 1 | 2 | 4);
	ck_assert_int_eq(inside_run(make_child, &own), 1 | 2 | 4);
	ck_assert_int_eq(inside_run_as_user(make_child, &shared), 1 | 2 | 4);
}
END_TEST

START_TEST(a_child_that_is_not_born_in_its_group_knows)
{
	struct how how = {_i, CLONE_VM | CLONE_VFORK | CLONE_INTO_CGROUP};

	ck_assert_int_eq(inside_run(make_child, &how), _i ? 1 | 2 | 4 : 101);
}
END_TEST

/* --- starts ------------------------------------------------------------------------------------
 */

static int state_of(struct sandbox_plan *plan, const char *script, enum sandbox_mechanism which)
{
	struct sandbox_child *child;
	struct sandbox_result result;
	struct sandbox_layers layers;
	struct error err = {0};

	if (started_shell(plan, script, &child, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 100;
	}
	if (sandbox_wait(child, &result, &err) < 0 || result.end != SANDBOX_END_EXIT ||
	    result.status != 7)
		return 101;
	sandbox_child_layers(child, &layers);
	sandbox_child_free(child);
	return (int)layers.layer[which].state;
}

static int start_with_namespaces(void *arg)
{
	if (*(const bool *)arg && !lose_clone3())
		return 102;
	return state_of(started_plan(SANDBOX_PLAN_START), "exit 7", SANDBOX_MECH_NAMESPACES);
}

/* clone has the flags of namespaces, too. */
START_TEST(namespaces_do_not_need_clone3)
{
	bool with = false, without = true;
	int state = inside_run(start_with_namespaces, &with);

	ck_assert_int_lt(state, SANDBOX_STATES);
	ck_assert_int_eq(inside_run(start_with_namespaces, &without), state);
}
END_TEST

static int start_inside(void *arg)
{
	struct sandbox_plan *outer, *inner;
	struct sandbox_failure failure;
	struct error err = {0};

	(void)arg;
	/* The sanitizer's memory is more than the default. */
	sandbox_policy_set_limit(started_policy, SANDBOX_LIMIT_MEMORY_MB, SANDBOX_NO_LIMIT, NULL);
	outer = started_plan(SANDBOX_PLAN_APPLY);
	started_policy->places[POLICY_TMP] = started_scratch;
	if (sandbox_plan_apply(outer, &failure) < 0)
		return 110;
	if (sandbox_plan_new(started_policy, SANDBOX_PLAN_START, NULL, NULL, &inner, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 111;
	}
	return state_of(inner, "read x </etc/passwd && echo x >$TMPDIR/f && (exit 7)",
			SANDBOX_MECH_NAMESPACES);
}

START_TEST(a_sandbox_in_a_sandbox_has_no_namespaces_and_says_so)
{
	ck_assert_int_eq(inside_run(start_inside, NULL), SANDBOX_STATE_PARTIAL);
}
END_TEST

Suite *sandbox_clone_suite(void)
{
	Suite *suite = suite_create("sandbox_clone");
	TCase *children = tcase_create("children"), *starts = tcase_create("starts");

	tcase_add_loop_test(children, a_child_has_no_handlers_and_what_is_ignored_stays_so, 0, 2);
	tcase_add_loop_test(children, a_child_that_is_not_born_in_its_group_knows, 0, 2);
	suite_add_tcase(suite, children);
	tcase_add_checked_fixture(starts, started_setup, started_teardown);
	tcase_add_test(starts, namespaces_do_not_need_clone3);
	tcase_add_test(starts, a_sandbox_in_a_sandbox_has_no_namespaces_and_says_so);
	suite_add_tcase(suite, starts);
	return suite;
}
