/* Signals that the subject sends to units: which are told. */
#include "tape/intercept/client_test.h"
#include "tape/intercept/subjects_test.h"
#include "tools/tests.h"
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- The subjects ----------------------------------------------------------------------------- */

static int kill_it(void)
{
	pid_t pid = start_sleep(false);

	kill(pid, 0);
	kill(pid, SIGTERM);
	return signal_of(pid);
}

/* It has executed its program, and perhaps the tracer does not know yet. */
static int kill_at_once(void)
{
	char *const argv[] = {"sleep", "1000", NULL};
	pid_t pid;

	if (posix_spawn(&pid, "/bin/sleep", NULL, NULL, argv, environ) != 0)
		return BROKEN;
	kill(pid, SIGTERM);
	return signal_of(pid);
}

#define KILLS 40

/* Each child still has its exec before it when the signal is sent. */
static int kill_before_exec(void)
{
	char *const argv[] = {"sleep", "1000", NULL};

	for (int i = 0; i < KILLS; i++) {
		int sig = i % 2 ? SIGTERM : SIGKILL;
		pid_t pid = fork_program("/bin/sleep", argv);

		kill(pid, sig);
		if (signal_of(pid) != sig)
			return 1;
	}
	return 0;
}

static int kill_group_before_exec(void)
{
	char *const argv[] = {"sleep", "1000", NULL};

	setpgid(0, 0);
	for (int i = 0; i < KILLS; i++) {
		pid_t pid;

		signal(SIGTERM, SIG_DFL); /* in the child */
		pid = fork_program("/bin/sleep", argv);
		signal(SIGTERM, SIG_IGN);
		kill(0, SIGTERM);
		if (signal_of(pid) != SIGTERM)
			return 1;
	}
	return 0;
}

/* It is no command, and is not waited for: neither while it sleeps nor while it computes. */
static int kill_what_does_not_exec(void)
{
	for (int sleeps = 0; sleeps <= 1; sleeps++) {
		volatile bool runs = true; /* until it is killed */
		pid_t pid = fork();

		while (pid == 0 && runs) {
			if (sleeps)
				pause();
		}
		kill(pid, SIGTERM);
		if (signal_of(pid) != SIGTERM)
			return 1;
	}
	return 0;
}

static int kill_by_pidfd(void)
{
	pid_t pid = start_sleep(false);
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0);
	return signal_of(pid);
}

static int kill_by_queue(void)
{
	pid_t pid = start_sleep(false);

	sigqueue(pid, SIGTERM, (union sigval){.sival_int = 1});
	return signal_of(pid);
}

static int kill_its_group(void)
{
	pid_t pid = start_sleep(true);

	kill(-pid, SIGTERM);
	return signal_of(pid);
}

static int kill_own_group(void)
{
	pid_t pid;

	setpgid(0, 0);
	signal(SIGTERM, SIG_IGN);
	pid = start_sleep(false);
	kill(0, SIGTERM);
	return signal_of(pid);
}

static int kill_another_group(void)
{
	pid_t pid = start_sleep(true);
	pid_t other = fork();

	if (other == 0) {
		setpgid(0, 0);
		kill(0, SIGTERM);
		_exit(BROKEN);
	}
	if (signal_of(other) != SIGTERM)
		return BROKEN;
	kill(pid, SIGKILL);
	return signal_of(pid);
}

static int kill_by_itself(void)
{
	return signal_of(fork_sh("kill -TERM $$"));
}

static int stop_and_go_on(void)
{
	pid_t pid = start_sleep(false);
	int status;

	kill(pid, SIGSTOP);
	if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status))
		return 1;
	kill(pid, SIGCONT);
	if (waitpid(pid, &status, WCONTINUED) != pid || !WIFCONTINUED(status))
		return 2;
	kill(pid, SIGTERM);
	return signal_of(pid);
}

static int send_what_does_nothing(void)
{
	char *const argv[] = {"sleep", "1000", NULL};
	pid_t pid;
	int status;

	if (posix_spawn(&pid, "/bin/sleep", NULL, NULL, argv, environ) != 0)
		return BROKEN;
	kill(pid, SIGCHLD);
	kill(pid, SIGCONT);
	kill(pid, SIGURG);
	kill(pid, SIGWINCH);
	kill(pid, SIGSTOP);
	if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status))
		return BROKEN;
	kill(pid, SIGCONT);
	if (waitpid(pid, &status, WCONTINUED) != pid || !WIFCONTINUED(status))
		return BROKEN;
	kill(pid, SIGCONT);
	kill(pid, SIGTERM);
	return signal_of(pid);
}

static int send_what_is_blocked_or_caught(void)
{
	sigset_t blocked;
	pid_t pid;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGURG);
	pid = fork();
	if (pid == 0) {
		sigprocmask(SIG_BLOCK, &blocked, NULL);
		execl("/bin/sleep", "sleep", "1000", (char *)NULL);
		_exit(BROKEN);
	}
	kill(pid, SIGURG);
	kill(pid, SIGKILL);
	if (signal_of(pid) != SIGKILL)
		return BROKEN;
	pid = start_sh("trap 'exit 3' WINCH; echo >&9; while :; do :; done", false);
	kill(pid, SIGWINCH);
	return exit_code_of(pid);
}

const struct subject signal_subjects[] = {
	SUBJECT(kill_it),
	SUBJECT(kill_at_once),
	SUBJECT(kill_by_pidfd),
	SUBJECT(kill_before_exec),
	SUBJECT(kill_group_before_exec),
	SUBJECT(kill_what_does_not_exec),
	SUBJECT(kill_by_queue),
	SUBJECT(kill_its_group),
	SUBJECT(kill_own_group),
	SUBJECT(kill_another_group),
	SUBJECT(kill_by_itself),
	SUBJECT(stop_and_go_on),
	SUBJECT(send_what_does_nothing),
	SUBJECT(send_what_is_blocked_or_caught),
	{NULL, NULL},
};

/* --- The tests -------------------------------------------------------------------------------- */

static const struct {
	const char *subject;
	int signal;
	const char *log;
} signal_rows[] = {
	{"kill_it", SIGTERM, "signal:sh:15 ended:sh:signal15"},
	{"kill_by_pidfd", SIGTERM, "signal:sh:15 ended:sh:signal15"},
	{"kill_by_queue", SIGTERM, "signal:sh:15 ended:sh:signal15"},
	{"kill_its_group", SIGTERM, "signal:sh:15 ended:sh:signal15"},
	{"kill_own_group", SIGTERM, "signal:sh:15 ended:sh:signal15"},
	{"kill_another_group", SIGKILL, "signal:sh:9 ended:sh:signal9"},
	{"stop_and_go_on", SIGTERM, "signal:sh:19 signal:sh:18 signal:sh:15 ended:sh:signal15"},
};

START_TEST(a_signal_that_the_subject_sends_is_told)
{
	char wanted[256];

	ck_assert_int_eq(run_subject(signal_rows[_i].subject), signal_rows[_i].signal);
	snprintf(wanted, sizeof(wanted), "exec:sh started:sh %s gone:sh", signal_rows[_i].log);
	assert_log(wanted);
}
END_TEST

START_TEST(a_signal_that_does_nothing_is_not_told)
{
	ck_assert_int_eq(run_subject("send_what_does_nothing"), SIGTERM);
	ck_assert_uint_eq(client.signals, 3);
	ck_assert_ptr_nonnull(strstr(client.log.data, "signal:sleep:19 signal:sleep:18 "
						      "signal:sleep:15 ended:sleep:signal15"));
}
END_TEST

START_TEST(a_signal_that_is_blocked_or_caught_is_told)
{
	ck_assert_int_eq(run_subject("send_what_is_blocked_or_caught"), 3);
	ck_assert_uint_eq(client.signals, 3);
	ck_assert_ptr_nonnull(strstr(client.log.data, "signal:sleep:23"));
	ck_assert_ptr_nonnull(strstr(client.log.data, "signal:sh:28"));
}
END_TEST

START_TEST(a_signal_right_after_the_spawn_is_told)
{
	ck_assert_int_eq(run_subject("kill_at_once"), SIGTERM);
	/* Before or after the start, but told. */
	ck_assert_ptr_nonnull(strstr(client.log.data, "signal:sleep:15"));
	ck_assert_ptr_nonnull(strstr(client.log.data, "ended:sleep:signal15 gone:sleep"));
}
END_TEST

static const char *const early_kills[] = {"kill_before_exec", "kill_group_before_exec"};

START_TEST(an_exec_comes_before_the_signal_that_meets_it)
{
	client.keep_log = false;
	ck_assert_int_eq(run_subject(early_kills[_i]), 0);
	ck_assert_uint_eq(client.starts, KILLS);
	ck_assert_uint_eq(client.signals, KILLS);
}
END_TEST

START_TEST(a_child_that_does_not_execute_is_killed_as_ever)
{
	ck_assert_int_eq(run_subject("kill_what_does_not_exec"), 0);
	assert_log("");
}
END_TEST

START_TEST(a_signal_that_a_unit_sends_is_not_told)
{
	ck_assert_int_eq(run_subject("kill_by_itself"), SIGTERM);
	assert_log("exec:sh started:sh ended:sh:signal15 gone:sh");
}
END_TEST

Suite *intercept_signals_suite(void)
{
	Suite *suite = suite_create("tape/intercept/signals");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, client_enter, client_leave);
	tcase_set_timeout(all, 30);
	tcase_add_loop_test(all, a_signal_that_the_subject_sends_is_told, 0, COUNT(signal_rows));
	tcase_add_test(all, a_signal_that_does_nothing_is_not_told);
	tcase_add_test(all, a_signal_that_is_blocked_or_caught_is_told);
	tcase_add_loop_test(all, a_signal_right_after_the_spawn_is_told, 0, 20);
	tcase_add_loop_test(all, an_exec_comes_before_the_signal_that_meets_it, 0,
			    COUNT(early_kills));
	tcase_add_test(all, a_child_that_does_not_execute_is_killed_as_ever);
	tcase_add_test(all, a_signal_that_a_unit_sends_is_not_told);
	suite_add_tcase(suite, all);
	return suite;
}
