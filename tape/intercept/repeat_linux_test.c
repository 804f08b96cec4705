/* Signals of which nothing comes, and the calls that they find a process in. */
#include "tape/intercept/client_test.h"
#include "tape/intercept/subjects_test.h"
#include "tools/tests.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- The subjects ----------------------------------------------------------------------------- */

#define SOON_MS	 30
#define LATER_MS 150
#define MUCH	 1000000

static char much[MUCH];

/* A fork that does nothing, or sends a signal to its parent. Its own end would be one more signal,
 * so it stays until it is killed if it sends one. */
static pid_t later(int ms, int signal)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	poll(NULL, 0, ms);
	if (signal == 0)
		_exit(0);
	kill(getppid(), signal);
	for (;;)
		pause();
}

/* A fork that reads all of `fd` when it may. */
static pid_t reader(int fd, int ms, int other)
{
	pid_t pid = fork();
	ssize_t n;

	if (pid != 0)
		return pid;
	close(other);
	poll(NULL, 0, ms);
	do {
		n = read(fd, much, sizeof(much));
	} while (n > 0);
	_exit(n == 0 ? 0 : BROKEN);
}

static void caught(int signal)
{
	(void)signal;
}

static void catch_signal(int signal)
{
	struct sigaction action = {.sa_handler = caught, .sa_flags = SA_RESTART};

	sigaction(signal, &action, NULL);
}

static int write_through(int to[2])
{
	pid_t pid = reader(to[0], LATER_MS, to[1]);
	ssize_t n;

	close(to[0]);
	later(SOON_MS, 0);
	n = write(to[1], much, sizeof(much));
	close(to[1]);
	return n == MUCH ? exit_code_of(pid) : 1;
}

static int write_all_to_a_pipe(void)
{
	int to[2];

	return pipe(to) < 0 ? BROKEN : write_through(to);
}

static int write_all_to_a_socket(void)
{
	int to[2];

	return socketpair(AF_UNIX, SOCK_STREAM, 0, to) < 0 ? BROKEN : write_through(to);
}

static int send_all(void)
{
	int to[2];
	pid_t pid;
	ssize_t n;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, to) < 0)
		return BROKEN;
	pid = reader(to[0], LATER_MS, to[1]);
	close(to[0]);
	later(SOON_MS, 0);
	n = send(to[1], much, sizeof(much), 0);
	close(to[1]);
	return n == MUCH ? exit_code_of(pid) : 1;
}

/* After an ignored signal as after one that does nothing by default. */
static int write_all_with_ignored_signals(void)
{
	int to[2];
	pid_t pid, others[3];
	ssize_t n;

	signal(SIGUSR1, SIG_IGN);
	if (pipe(to) < 0)
		return BROKEN;
	pid = reader(to[0], LATER_MS, to[1]);
	close(to[0]);
	others[0] = later(SOON_MS, SIGUSR1);
	others[1] = later(2 * SOON_MS, SIGWINCH);
	others[2] = later(3 * SOON_MS, SIGUSR1);
	n = write(to[1], much, sizeof(much));
	for (int i = 0; i < 3; i++)
		kill(others[i], SIGKILL);
	close(to[1]);
	return n == MUCH ? exit_code_of(pid) : 1;
}

/* The part that there was room for, which is what a caught signal leaves of a write. */
static int write_a_part(int signal)
{
	int to[2];
	pid_t other;
	ssize_t n;

	if (pipe(to) < 0)
		return BROKEN;
	other = later(LATER_MS, signal);
	n = write(to[1], much, sizeof(much));
	if (signal)
		kill(other, SIGKILL);
	return n == fcntl(to[1], F_GETPIPE_SZ) ? 0 : 1;
}

static int write_until_a_signal_is_caught(void)
{
	catch_signal(SIGUSR1);
	later(SOON_MS, 0);
	return write_a_part(SIGUSR1);
}

static int write_until_an_end_is_caught(void)
{
	catch_signal(SIGCHLD);
	return write_a_part(0);
}

static int write_until_nobody_reads(void)
{
	int to[2];
	pid_t pid;
	ssize_t n;

	signal(SIGPIPE, SIG_DFL);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, to) < 0)
		return BROKEN;
	pid = fork();
	if (pid == 0) {
		close(to[1]);
		poll(NULL, 0, SOON_MS);
		_exit(0); /* the end of the process is that of the socket */
	}
	close(to[0]);
	n = write(to[1], much, sizeof(much));
	return n > 0 && n < MUCH ? exit_code_of(pid) : 1;
}

static int receive_all(void)
{
	int from[2];
	char text[8] = "";
	pid_t pid;
	ssize_t n;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, from) < 0)
		return BROKEN;
	pid = fork();
	if (pid == 0) {
		if (write(from[1], "abc", 3) != 3)
			_exit(BROKEN);
		poll(NULL, 0, LATER_MS);
		_exit(write(from[1], "defg", 4) == 4 ? 0 : BROKEN);
	}
	close(from[1]);
	later(SOON_MS, 0);
	n = recv(from[0], text, sizeof(text), MSG_WAITALL);
	return n == 7 && memcmp(text, "abcdefg", 7) == 0 ? exit_code_of(pid) : 1;
}

static int wait_for_an_event(void)
{
	struct epoll_event event = {.events = EPOLLIN};
	int epoll = epoll_create1(0);
	int from[2];
	pid_t pid;

	if (pipe(from) < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, from[0], &event) < 0)
		return BROKEN;
	pid = fork();
	if (pid == 0) {
		poll(NULL, 0, LATER_MS);
		_exit(write(from[1], "x", 1) == 1 ? 0 : BROKEN);
	}
	later(SOON_MS, 0);
	return epoll_wait(epoll, &event, 1, -1) == 1 ? exit_code_of(pid) : 1;
}

static int wait_until_a_signal_is_caught(void)
{
	struct epoll_event event;
	int epoll = epoll_create1(0);
	pid_t other;
	int n;

	catch_signal(SIGUSR1);
	later(SOON_MS, 0);
	other = later(LATER_MS, SIGUSR1);
	n = epoll_wait(epoll, &event, 1, -1);
	kill(other, SIGKILL);
	return n == -1 && errno == EINTR ? 0 : 1;
}

static int wait_for_a_semaphore(void)
{
	struct sembuf take = {0, -1, 0}, give = {0, 1, 0};
	int id = semget(IPC_PRIVATE, 1, 0600);
	pid_t pid;
	int r;

	if (id < 0)
		return BROKEN;
	pid = fork();
	if (pid == 0) {
		poll(NULL, 0, LATER_MS);
		_exit(semop(id, &give, 1) == 0 ? 0 : BROKEN);
	}
	later(SOON_MS, 0);
	r = semop(id, &take, 1);
	semctl(id, 0, IPC_RMID);
	return r == 0 ? exit_code_of(pid) : 1;
}

static int wait_for_a_signal(void)
{
	sigset_t set;
	pid_t other;
	int signal;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	later(SOON_MS, 0);
	other = later(LATER_MS, SIGUSR2);
	signal = sigwaitinfo(&set, NULL);
	kill(other, SIGKILL);
	return signal == SIGUSR2 ? 0 : 1;
}

const struct subject repeat_subjects[] = {
	SUBJECT(write_all_to_a_pipe),
	SUBJECT(write_all_to_a_socket),
	SUBJECT(send_all),
	SUBJECT(write_all_with_ignored_signals),
	SUBJECT(write_until_a_signal_is_caught),
	SUBJECT(write_until_an_end_is_caught),
	SUBJECT(write_until_nobody_reads),
	SUBJECT(receive_all),
	SUBJECT(wait_for_an_event),
	SUBJECT(wait_until_a_signal_is_caught),
	SUBJECT(wait_for_a_semaphore),
	SUBJECT(wait_for_a_signal),
	SUBJECT(registers_stay),
	{NULL, NULL},
};

/* --- The tests -------------------------------------------------------------------------------- */

START_TEST(a_traced_process_is_not_interrupted)
{
	client.keep_log = false;
	ck_assert_int_eq(run_subject(repeat_subjects[_i].name), 0);
}
END_TEST

START_TEST(nor_is_one_that_nobody_traces)
{
	char *const *argv = subject_argv(repeat_subjects[_i].name);

	ck_assert_int_eq(exit_code_of(fork_program(argv[0], argv)), 0);
}
END_TEST

Suite *intercept_repeat_suite(void)
{
	Suite *s = suite_create("intercept_repeat");
	TCase *c = tcase_create("all");

	tcase_add_checked_fixture(c, client_enter, client_leave);
	tcase_set_timeout(c, 20);
	tcase_add_loop_test(c, a_traced_process_is_not_interrupted, 0, COUNT(repeat_subjects) - 1);
	tcase_add_loop_test(c, nor_is_one_that_nobody_traces, 0, COUNT(repeat_subjects) - 1);
	suite_add_tcase(s, c);
	return s;
}
