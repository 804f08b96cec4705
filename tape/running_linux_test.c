/*
 * What the processes of commands are to the process that runs them. Natively: below valgrind,
 * posix_spawn() does not tell why a program cannot be executed.
 */
#include "tape/command.h"
#include "tape/scratch_test.h"
#include "tools/tests.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define TAPE "t.tape"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define ARGV(...)   ((const char *const[]){__VA_ARGS__, NULL})
#define SH(script)  ARGV("sh", "-c", script)

static struct tape *open_with(const struct tape_config *config)
{
	struct tape *t = NULL;
	struct error err = {0};

	ck_assert_msg(tape_open(config, &t, &err) == 0, "%s", err.text);
	return t;
}

static struct tape *open_as(enum tape_mode mode)
{
	return open_with(&(struct tape_config){.tape = TAPE, .mode = mode});
}

static void close_it(struct tape *t)
{
	struct error err = {0};

	ck_assert_msg(tape_close(t, &err) == 0, "%s", err.text);
	tape_free(t);
}

static struct tape_result run(struct tape *t, const struct tape_command *command)
{
	struct tape_result result;
	struct error err = {0};

	ck_assert_msg(tape_run(t, command, &result, &err) == 0, "%s", err.text);
	return result;
}

START_TEST(what_cannot_be_executed_is_a_result)
{
	static const struct {
		const char *program;
		const char *cwd;
		int error;
	} rows[] = {
		{"no-such-program-here", NULL, ENOENT},
		{"/etc/passwd", NULL, EACCES},
		{"true", "/no/such/directory", ENOENT},
	};

	for (size_t i = 0; i < 2 * COUNT(rows); i++) {
		bool replay = i >= COUNT(rows);
		size_t row = i % COUNT(rows);
		struct tape *t = open_with(
			&(struct tape_config){.tape = rows[row].program[0] == '/' ? "a.tape"
						      : rows[row].cwd		  ? "b.tape"
										  : "c.tape",
					      .mode = replay ? TAPE_REPLAY : TAPE_RECORD});
		struct tape_command command = {.argv = ARGV(rows[row].program),
					       .cwd = rows[row].cwd};
		struct tape_result got = run(t, &command);

		ck_assert_int_eq(got.exec_errno, rows[row].error);
		ck_assert_int_eq(got.code, -1);
		ck_assert_int_eq(got.signal, 0);
		ck_assert_str_eq(got.out, "");
		ck_assert_str_eq(got.err, "");
		tape_result_clear(&got);
		close_it(t);
	}
}
END_TEST

/* There is always something to read, and its time comes all the same. */
START_TEST(one_that_never_stops_to_write_is_killed)
{
	struct tape *t = open_as(TAPE_RECORD);
	struct tape_command command = {.argv = SH("while :; do echo y; done"),
				       .timeout_ns = 100000000};
	struct tape_result got = run(t, &command);

	ck_assert(got.timed_out);
	ck_assert_int_eq(got.signal, SIGKILL);
	ck_assert_uint_gt(got.out_len, 0);
	tape_result_clear(&got);
	close_it(t);
}
END_TEST

/* A program that was started without its streams has pipes in their places. */
START_TEST(the_streams_of_the_process_may_be_closed)
{
	int saved[3];
	struct tape *t = open_as(TAPE_RECORD);
	struct tape_result got;

	for (int i = 0; i < 3; i++) {
		saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
		close(i);
	}
	got = run(t, &(struct tape_command){
			     .argv = SH("cat; echo err >&2"), .input = "in\n", .input_len = 3});
	for (int i = 0; i < 3; i++) {
		dup2(saved[i], i);
		close(saved[i]);
	}
	ck_assert_str_eq(got.out, "in\n");
	ck_assert_str_eq(got.err, "err\n");
	tape_result_clear(&got);
	close_it(t);
}
END_TEST

static volatile sig_atomic_t broken_pipes;

static void count_broken_pipe(int number)
{
	(void)number;
	broken_pipes++;
}

START_TEST(sigpipe_is_as_it_was)
{
	struct sigaction action = {.sa_handler = count_broken_pipe}, before, after;
	struct tape *t = open_as(TAPE_RECORD);
	static const char bytes[200000];
	struct tape_result got;
	sigset_t mask;

	sigaction(SIGPIPE, &action, &before);
	got = run(t, &(struct tape_command){
			     .argv = SH("exit 0"), .input = bytes, .input_len = sizeof(bytes)});
	ck_assert_int_eq(got.code, 0);
	tape_result_clear(&got);
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	ck_assert(!sigismember(&mask, SIGPIPE));
	ck_assert_int_eq(broken_pipes, 0);
	sigaction(SIGPIPE, &before, &after);
	ck_assert_ptr_eq(after.sa_handler, count_broken_pipe);
	close_it(t);
}
END_TEST

START_TEST(somebody_elses_wait_is_an_error)
{
	struct tape *t = open_as(TAPE_RECORD);
	struct tape_command command = {.argv = SH("exit 0")};
	struct tape_result got;
	struct error err = {0};

	signal(SIGCHLD, SIG_IGN);
	ck_assert_int_eq(tape_run(t, &command, &got, &err), ERR_SYSTEM);
	signal(SIGCHLD, SIG_DFL);
	ck_assert_ptr_nonnull(strstr(err.text, "SIGCHLD is ignored"));
	close_it(t);
}
END_TEST

Suite *tape_running_suite(void)
{
	Suite *s = suite_create("tape/running");
	TCase *all = tcase_create("all");

	tcase_set_timeout(all, 20);
	tcase_add_checked_fixture(all, scratch_enter, scratch_leave);
	tcase_add_test(all, what_cannot_be_executed_is_a_result);
	tcase_add_test(all, one_that_never_stops_to_write_is_killed);
	tcase_add_test(all, the_streams_of_the_process_may_be_closed);
	tcase_add_test(all, sigpipe_is_as_it_was);
	tcase_add_test(all, somebody_elses_wait_is_an_error);
	suite_add_tcase(s, all);
	return s;
}
