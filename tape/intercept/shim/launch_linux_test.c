/* Starting a unit's program below its shim, which is this process. */
#include "tape/intercept/shim/launch.h"

#include "tape/scratch_test.h"
#include "tools/tests.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static const struct wire_reply no_places = {.kind = WIRE_DO_UNIT};

static int launch(const char *path, char *const *argv, const struct wire_reply *reply,
		  const int *fds, pid_t *ret_pid)
{
	const struct wire_program program = {AT_FDCWD, 0, path, path, argv, environ};
	struct wire_aside aside;
	int r;

	wire_set_aside(&aside);
	r = launch_unit(&program, reply, fds, &aside, ret_pid);
	wire_put_back(&aside);
	return r;
}

static int launch_sh(const char *script, const struct wire_reply *reply, const int *fds,
		     pid_t *ret_pid)
{
	char *const argv[] = {(char *)"sh", (char *)"-c", (char *)script, NULL};

	return launch("/bin/sh", argv, reply, fds, ret_pid);
}

static int status_of(pid_t pid)
{
	int status = -1;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static const struct {
	const char *path;
	const char *text; /* of the file, or NULL */
	mode_t mode;
	int wanted; /* what launch_unit returns */
	int probed; /* and what a look tells */
} failing[] = {
	{"./none", NULL, 0, -ENOENT, ENOENT},	 {"./f", "", 0644, -EACCES, EACCES},
	{".", NULL, 0, -EACCES, EACCES},	 {"./f/x", "", 0755, -ENOTDIR, ENOTDIR},
	{"./f", "no format", 0755, -ENOEXEC, 0}, {"./f", "#!./none\n", 0755, -ENOENT, 0},
};

START_TEST(a_program_that_cannot_be_executed_is_its_errno)
{
	const char *path = failing[_i].path;
	char *const argv[] = {(char *)path, NULL};
	const struct wire_program program = {AT_FDCWD, 0, path, path, argv, environ};
	pid_t pid = 77;

	if (failing[_i].text) {
		put_file("f", failing[_i].text, strlen(failing[_i].text));
		chmod("f", failing[_i].mode);
	}
	ck_assert_int_eq(launch_probe(&program), failing[_i].probed);
	ck_assert_int_eq(launch(path, argv, &no_places, NULL, &pid), failing[_i].wanted);
	ck_assert_int_eq(pid, 77);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG | __WALL), -1);
}
END_TEST

START_TEST(a_program_runs_with_what_was_set_aside)
{
	char *const argv[] = {(char *)"grep", (char *)"-q", (char *)"^SigBlk:.*8000000000000200",
			      (char *)"/proc/self/status", NULL};
	pid_t pid;
	sigset_t mask, old;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigaddset(&mask, SIGRTMAX);
	sigprocmask(SIG_BLOCK, &mask, &old);
	/* Not by a shell, which may unblock them. */
	ck_assert_int_eq(launch("/bin/grep", argv, &no_places, NULL, &pid), 0);
	sigprocmask(SIG_SETMASK, &old, NULL);
	ck_assert_int_eq(status_of(pid), 0);
}
END_TEST

START_TEST(streams_come_to_their_places)
{
	const struct wire_reply reply = {
		.kind = WIRE_DO_UNIT, .place_count = 2, .place = {{1, -1}, {2, 1}}};
	char got[16] = "";
	int pipe_fds[2];
	pid_t pid;

	ck_assert_int_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
	ck_assert_int_eq(launch_sh("echo a; echo b >&2", &reply, &pipe_fds[1], &pid), 0);
	ck_assert_int_eq(fcntl(pipe_fds[1], F_GETFD), -1); /* it is closed here */
	ck_assert_int_eq(status_of(pid), 0);
	ck_assert_int_eq(read(pipe_fds[0], got, sizeof(got) - 1), 4);
	ck_assert_str_eq(got, "a\nb\n");
	ck_assert_int_eq(read(pipe_fds[0], got, 1), 0);
	close(pipe_fds[0]);
}
END_TEST

/* It is ours that fails then, and no exec. */
START_TEST(a_stream_that_cannot_be_placed_is_no_error_of_the_exec)
{
	const struct wire_reply reply = {
		.kind = WIRE_DO_UNIT, .place_count = 1, .place = {{1, -1}}};
	const int bad = 4000;
	pid_t pid;

	ck_assert_int_eq(launch_sh("exit 3", &reply, &bad, &pid), EBADF);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG | __WALL), -1);
}
END_TEST

START_TEST(without_descriptors_it_cannot_be_tried)
{
	const struct wire_program program = {AT_FDCWD, 0, "/bin/true", "true", NULL, environ};
	struct wire_aside aside = {.nofile = {0, 0}};
	struct rlimit was;
	pid_t pid;
	int r;

	getrlimit(RLIMIT_NOFILE, &was);
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){3, was.rlim_max});
	r = launch_unit(&program, &no_places, NULL, &aside, &pid);
	setrlimit(RLIMIT_NOFILE, &was);
	ck_assert_int_eq(r, EMFILE);
}
END_TEST

START_TEST(its_status_comes_even_where_sigchld_is_ignored)
{
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	struct sigaction was, now;
	pid_t pid;

	sigaction(SIGCHLD, &ignore, &was);
	ck_assert_int_eq(launch("./none", (char *[]){(char *)"none", NULL}, &no_places, NULL, &pid),
			 -ENOENT);
	sigaction(SIGCHLD, NULL, &now);
	ck_assert(now.sa_handler == SIG_IGN); /* nothing has happened */
	ck_assert_int_eq(launch_sh("exit 3", &no_places, NULL, &pid), 0);
	ck_assert_int_eq(WEXITSTATUS(status_of(pid)), 3);
	sigaction(SIGCHLD, &was, NULL);
}
END_TEST

/* As an exec would have kept them. It must not be over before the program has started. */
START_TEST(interval_timers_go_with_the_program)
{
	const struct itimerval soon = {{0, 0}, {1, 0}};
	struct itimerval left;
	int status;
	pid_t pid;

	ck_assert_int_eq(setitimer(ITIMER_REAL, &soon, NULL), 0);
	ck_assert_int_eq(launch_sh("exec sleep 20", &no_places, NULL, &pid), 0);
	getitimer(ITIMER_REAL, &left);
	ck_assert_int_eq(left.it_value.tv_sec + left.it_value.tv_usec, 0);
	status = status_of(pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM);
}
END_TEST

START_TEST(a_timer_stays_where_nothing_was_started)
{
	const struct itimerval late = {{0, 0}, {1000, 0}};
	const struct itimerval off = {{0, 0}, {0, 0}};
	struct itimerval left;
	pid_t pid;

	ck_assert_int_eq(setitimer(ITIMER_REAL, &late, NULL), 0);
	ck_assert_int_eq(launch("./none", (char *[]){(char *)"none", NULL}, &no_places, NULL, &pid),
			 -ENOENT);
	getitimer(ITIMER_REAL, &left);
	ck_assert_int_gt(left.it_value.tv_sec, 0);
	setitimer(ITIMER_REAL, &off, NULL);
}
END_TEST

Suite *intercept_launch_suite(void)
{
	Suite *s = suite_create("intercept_launch");
	TCase *c = tcase_create("all");

	tcase_add_checked_fixture(c, scratch_enter, scratch_leave);
	tcase_add_loop_test(c, a_program_that_cannot_be_executed_is_its_errno, 0, COUNT(failing));
	tcase_add_test(c, a_program_runs_with_what_was_set_aside);
	tcase_add_test(c, streams_come_to_their_places);
	tcase_add_test(c, a_stream_that_cannot_be_placed_is_no_error_of_the_exec);
	tcase_add_test(c, without_descriptors_it_cannot_be_tried);
	tcase_add_test(c, its_status_comes_even_where_sigchld_is_ignored);
	tcase_add_test(c, interval_timers_go_with_the_program);
	tcase_add_test(c, a_timer_stays_where_nothing_was_started);
	suite_add_tcase(s, c);
	return s;
}
