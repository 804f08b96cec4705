/*
 * What the kernel does under a filter. The filter's errno is one that no call here has of its own,
 * and the same call without the filter is the control: it must answer in another way.
 */
#include "sandbox/calls.h"
#include "sandbox/filter_run_test.h"
#include "tools/tests.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define GARBAGE 0xffffffff00000000UL

/* --- every group ------------------------------------------------------------------------------ */

/* Calls that would do something in the control, whatever their arguments are. */
static bool acts_blindly(long number)
{
	return number == SYS_fork || number == SYS_vfork || number == SYS_vhangup ||
	       number == SYS_msgget;
}

static bool is_whole(const struct call_rule *rule)
{
	return rule->group != CALL_RULE && rule->tests[0].match == CALL_MATCH_NONE;
}

#define ALL_BITS                                                                                   \
	{                                                                                          \
		-1UL, -1UL, -1UL, -1UL, -1UL, -1UL                                                 \
	}

#define WHOLE_MAX 160

/* With arguments that no call takes: what is refused by the filter is not even looked at. */
static size_t list_whole(bool is_control, struct filter_call calls[WHOLE_MAX],
			 long refusals[WHOLE_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < call_rule_count; i++) {
		const struct call_rule *rule = &call_rules[i];

		if (!is_whole(rule) || (is_control && acts_blindly(rule->number)))
			continue;
		ck_assert_uint_lt(count, WHOLE_MAX);
		refusals[count] = -(rule->refusal ? rule->refusal : RARE);
		calls[count++] = (struct filter_call){rule->number, ALL_BITS};
	}
	ck_assert_uint_gt(count, 60);
	return count;
}

START_TEST(calls_of_groups_are_refused)
{
	struct filter_call calls[WHOLE_MAX];
	long refusals[WHOLE_MAX], *got;
	struct filter_fixture f;
	size_t count = list_whole(false, calls, refusals);

	filter_setup_rare(&f);
	got = filter_results(&f.filter, filter_users[_i], calls, count);
	for (size_t i = 0; i < count; i++)
		ck_assert_msg(got[i] == refusals[i], "call %ld: %ld", calls[i].number, got[i]);
	free(got);
	count = list_whole(true, calls, refusals);
	got = filter_results(NULL, filter_users[_i], calls, count);
	for (size_t i = 0; i < count; i++)
		ck_assert_msg(got[i] != refusals[i], "control of call %ld: %ld", calls[i].number,
			      got[i]);
	free(got);
	filter_teardown(&f);
}
END_TEST

#define THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)

/* Each has another answer without the filter. */
static const struct filter_call refused[] = {
	{SYS_ioctl, {-1UL, TIOCSTI, 0}},
	{SYS_ioctl, {-1UL, TIOCLINUX, 0}},
	{SYS_ioctl, {-1UL, GARBAGE | TIOCSTI, 0}},
	{SYS_ioctl, {-1UL, GARBAGE | TIOCLINUX, 0}},
	{SYS_personality, {ADDR_NO_RANDOMIZE}},
	{SYS_personality, {READ_IMPLIES_EXEC}},
	{SYS_personality, {GARBAGE | ADDR_NO_RANDOMIZE}},
	{SYS_chmod, {0, S_ISUID | 0755}},
	{SYS_fchmod, {-1UL, GARBAGE | S_ISUID}},
	{SYS_fchmodat, {-1UL, 0, S_ISUID}},
	{SYS_openat, {-1UL, 0, O_CREAT, S_ISUID}},
	{SYS_openat, {-1UL, 0, O_TMPFILE | O_RDWR, S_ISGID}},
	{SYS_mknodat, {-1UL, 0, S_IFREG | S_ISUID}},
	{SYS_prlimit64, {-1UL, RLIMIT_CPU, 1}},
	{SYS_prlimit64, {-1UL, RLIMIT_CPU, GARBAGE}},
	{SYS_unshare, {CLONE_NEWUSER}},
	{SYS_unshare, {CLONE_NEWNS | CLONE_FS}},
	/* The kernel does not look at the other half, and would refuse these for their own sake. */
	{SYS_clone, {GARBAGE | CLONE_NEWUSER | CLONE_VM | CLONE_THREAD}},
	{SYS_clone, {CLONE_NEWNET | CLONE_THREAD}},
	{SYS_clone, {CLONE_SIGHAND}},
	{SYS_socket, {AF_INET, SOCK_STREAM, 262}},
	{SYS_socket, {AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 262}},
	{SYS_socket, {GARBAGE | AF_INET, GARBAGE | SOCK_STREAM, GARBAGE | 262}},
	{SYS_socket, {AF_INET, SOCK_STREAM, IPPROTO_SCTP}},
	{SYS_socket, {AF_INET, SOCK_DGRAM, IPPROTO_ICMP}},
	{SYS_socket, {AF_INET, SOCK_RAW, IPPROTO_TCP}},
	{SYS_socket, {AF_INET, SOCK_PACKET, 0}},
	{SYS_socket, {AF_PACKET, SOCK_RAW, 0}},
	{SYS_socket, {AF_ALG, SOCK_SEQPACKET, 0}},
	{SYS_socket, {AF_VSOCK, SOCK_STREAM, 0}},
	{SYS_socket, {AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT}},
	{SYS_socketpair, {AF_TIPC, SOCK_STREAM, 0, 0}},
};

START_TEST(arguments_are_looked_at)
{
	struct filter_fixture f;

	filter_setup_rare(&f);
	for (size_t i = 0; i < COUNT(refused); i++) {
		long got =
			filter_result(&f.filter, filter_users[_i], filter_make_call, &refused[i]);

		ck_assert_msg(got == -RARE, "row %zu: %ld", i, got);
		got = filter_result(NULL, filter_users[_i], filter_make_call, &refused[i]);
		ck_assert_msg(got != -RARE, "row %zu, control: %ld", i, got);
	}
	filter_teardown(&f);
}
END_TEST

/* What stands near to what is refused. */
static const struct filter_call granted[] = {
	{SYS_personality, {UINT32_MAX}},
	{SYS_personality, {PER_LINUX}},
	{SYS_prlimit64, {GARBAGE, RLIMIT_CPU, 0}},
	{SYS_unshare, {CLONE_FS | CLONE_FILES}},
	{SYS_socket, {AF_UNIX, SOCK_STREAM, 0}},
	{SYS_socket, {AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP}},
	{SYS_socket, {AF_INET, SOCK_DGRAM, 0}},
	{SYS_socket, {AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE}},
	{SYS_getppid, {0}},
	{SYS_prctl, {PR_GET_NO_NEW_PRIVS}},
};

START_TEST(what_is_near_is_allowed)
{
	struct filter_fixture f;

	filter_setup_rare(&f);
	for (size_t i = 0; i < COUNT(granted); i++) {
		long got =
			filter_result(&f.filter, filter_users[_i], filter_make_call, &granted[i]);

		ck_assert_msg(got >= 0, "row %zu: %ld", i, got);
	}
	filter_teardown(&f);
}
END_TEST

static pid_t start_idle(uid_t uid)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		filter_become(uid);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return pid;
}

/* Root may not, either, without a capability. */
static long limit_of(const void *arg)
{
	struct rlimit got;

	return prlimit(*(const pid_t *)arg, RLIMIT_NOFILE, NULL, &got) < 0 ? -errno
									   : (long)got.rlim_cur;
}

static void await_user(pid_t pid, uid_t uid)
{
	for (int i = 0; i < 1000 && filter_result(NULL, uid, limit_of, &pid) < 0; i++)
		usleep(1000);
}

START_TEST(limits_of_others_are_left_alone)
{
	uid_t uid = filter_users[_i];
	pid_t pid = start_idle(uid);
	const struct rlimit none = {0, 0};
	struct filter_call call = {SYS_prlimit64,
				   {(unsigned long)pid, RLIMIT_NOFILE, (unsigned long)&none, 0}};
	struct filter_fixture f;

	filter_setup_rare(&f);
	await_user(pid, uid);
	ck_assert_int_eq(filter_result(&f.filter, uid, filter_make_call, &call), -RARE);
	ck_assert_int_gt(filter_result(&f.filter, uid, limit_of, &pid), 0);
	call.args[0] = 0;
	ck_assert_int_eq(filter_result(&f.filter, uid, filter_make_call, &call), 0);
	/* The control. */
	call.args[0] = (unsigned long)pid;
	ck_assert_int_eq(filter_result(NULL, uid, filter_make_call, &call), 0);
	ck_assert_int_eq(filter_result(NULL, uid, limit_of, &pid), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	filter_teardown(&f);
}
END_TEST

/* --- other ABIs ------------------------------------------------------------------------------- */

/* getpid of 32-bit programs. */
static long call_by_int80(const void *arg)
{
	long got;

	(void)arg;
	__asm__ volatile("int $0x80" : "=a"(got) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
	return (int)got;
}

START_TEST(other_abis_are_refused)
{
	static const struct filter_call x32 = {0x40000000 | SYS_getpid, {0}};
	struct filter_outcome control =
		filter_in_child(NULL, filter_users[_i], call_by_int80, NULL);
	struct filter_fixture f;

	filter_setup_rare(&f);
	ck_assert_int_eq(filter_result(&f.filter, filter_users[_i], filter_make_call, &x32), -RARE);
	ck_assert_int_ne(filter_result(NULL, filter_users[_i], filter_make_call, &x32), -RARE);
	/* A kernel without these calls ends the control. */
	if (control.done) {
		ck_assert_int_eq(filter_result(&f.filter, filter_users[_i], call_by_int80, NULL),
				 -RARE);
		ck_assert_int_ne(control.result, -RARE);
	}
	filter_teardown(&f);
}
END_TEST

START_TEST(the_number_of_a_skipped_call_is_left_alone)
{
	static const struct filter_call skipped = {-1, {0}};
	struct filter_fixture f;

	filter_setup_rare(&f);
	ck_assert_int_eq(filter_result(&f.filter, filter_users[_i], filter_make_call, &skipped),
			 -ENOSYS);
	filter_teardown(&f);
}
END_TEST

/* --- processes and threads -------------------------------------------------------------------- */

static void *thread_main(void *arg)
{
	*(int *)arg = 7;
	return NULL;
}

static long make_thread(const void *arg)
{
	pthread_t thread;
	int value = 0, e = pthread_create(&thread, NULL, thread_main, &value);

	(void)arg;
	if (e)
		return -e;
	pthread_join(thread, NULL);
	return value;
}

static long make_process(const void *arg)
{
	int status = -1;
	pid_t pid = fork();

	(void)arg;
	if (pid == 0)
		_exit(7);
	if (pid < 0)
		return -errno;
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static long run_shell(const void *arg)
{
	int status = system(arg);

	return status < 0 ? -errno : WEXITSTATUS(status);
}

/* The C library asks for clone3 first. */
START_TEST(threads_and_processes_work_by_default)
{
	struct filter_fixture f;

	filter_setup(&f, SANDBOX_LEVEL_PROCESS_EXEC);
	filter_prepare_well(&f);
	ck_assert_int_eq(filter_result(&f.filter, filter_users[_i], make_thread, NULL), 7);
	ck_assert_int_eq(filter_result(&f.filter, filter_users[_i], make_process, NULL), 7);
	ck_assert_int_eq(filter_result(&f.filter, filter_users[_i], run_shell,
				       "ls / | wc -l >/dev/null; exit 7"),
			 7);
	filter_teardown(&f);
}
END_TEST

START_TEST(without_processes_threads_work)
{
	static const struct filter_call forks[] = {{SYS_fork, {0}}, {SYS_clone, {SIGCHLD}}};
	struct filter_fixture f;

	filter_setup(&f, SANDBOX_LEVEL_WORKSPACE_WRITE);
	filter_prepare_well(&f);
	ck_assert_int_eq(filter_result(&f.filter, filter_users[_i], make_thread, NULL), 7);
	ck_assert_int_eq(filter_result(&f.filter, filter_users[_i], make_process, NULL), -EPERM);
	ck_assert_int_eq(filter_result(&f.filter, filter_users[_i], run_shell, "exit 7"), 127);
	for (size_t i = 0; i < COUNT(forks); i++)
		ck_assert_int_eq(
			filter_result(&f.filter, filter_users[_i], filter_make_call, &forks[i]),
			-EPERM);
	filter_teardown(&f);
}
END_TEST

Suite *sandbox_filter_kernel_suite(void)
{
	Suite *suite = suite_create("sandbox_filter_kernel");
	TCase *tc = tcase_create("kernel");

	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, calls_of_groups_are_refused, 0, FILTER_USERS);
	tcase_add_loop_test(tc, arguments_are_looked_at, 0, FILTER_USERS);
	tcase_add_loop_test(tc, what_is_near_is_allowed, 0, FILTER_USERS);
	tcase_add_loop_test(tc, limits_of_others_are_left_alone, 0, FILTER_USERS);
	tcase_add_loop_test(tc, other_abis_are_refused, 0, FILTER_USERS);
	tcase_add_loop_test(tc, the_number_of_a_skipped_call_is_left_alone, 0, FILTER_USERS);
	tcase_add_loop_test(tc, threads_and_processes_work_by_default, 0, FILTER_USERS);
	tcase_add_loop_test(tc, without_processes_threads_work, 0, FILTER_USERS);
	suite_add_tcase(suite, tc);
	return suite;
}
