#include "tape/command.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include "tape/scratch_test.h"
#include "tape/taped_test.h"
#include "tools/tests.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Records these commands of sh. */
static void record_scripts(const char *const *scripts)
{
	struct tape *t = open_as(TAPE_RECORD);

	for (; *scripts; scripts++) {
		struct tape_result result = run(t, &(struct tape_command){.argv = SH(*scripts)});

		tape_result_clear(&result);
	}
	close_it(t);
}

/* --- What a command is and does ------------------------------------------------------------- */

/* The same command recorded and replayed must come to the same. */
static const struct kind_row {
	const char *script;
	struct tape_command command; /* but for its argv */
	struct tape_result result;
	const char *out;
	const char *err;
} kind_rows[] = {
	{"echo hi", .out = "hi\n", .err = ""},
	{"echo out; echo err >&2; exit 3", .result = {.code = 3}, .out = "out\n", .err = "err\n"},
	{"echo one; echo two >&2; echo three", .command = {.merge = true},
	 .out = "one\ntwo\nthree\n", .err = ""},
	{"kill -TERM $$", .result = {.code = -1, .signal = SIGTERM}, .out = "", .err = ""},
	{"cat", .command = {.input = "fig\n", .input_len = 4}, .out = "fig\n", .err = ""},
	{"cat; echo end", .command = {.input = "", .input_len = 0}, .out = "end\n", .err = ""},
	{"cat; echo end", .out = "end\n", .err = ""},
	{"pwd", .command = {.cwd = "/"}, .out = "/\n", .err = ""},
	{"pwd | sed s,.*/,,", .command = {.cwd = "sub/./"}, .out = "sub\n", .err = ""},
	{"echo $FRUIT", .command = {.env = (const char *const[]){"FRUIT=fig", NULL}},
	 .out = "fig\n", .err = ""},
	{"echo a; sleep 60", .command = {.timeout_ns = 300000000},
	 .result = {.code = -1, .signal = SIGKILL, .timed_out = true}, .out = "a\n", .err = ""},
	/* What left the group and lives on must not be waited for. */
	{"echo a; setsid sleep 3 & sleep 60", .command = {.timeout_ns = 300000000},
	 .result = {.code = -1, .signal = SIGKILL, .timed_out = true}, .out = "a\n", .err = ""},
	/* A descendant has the streams still: what it writes belongs to the command. */
	{"(sleep 0.1; echo late) & echo early", .out = "early\nlate\n", .err = ""},
	/* It does not read what it is given: no SIGPIPE, no error. */
	{"exec <&-; sleep 0.1; echo ok", .command = {.input = "never read", .input_len = 10},
	 .out = "ok\n", .err = ""},
};

static void check_kind(struct tape *t, const struct kind_row *row)
{
	struct tape_command command = row->command;
	const struct tape_result *wanted = &row->result;
	struct tape_result got;

	command.argv = SH(row->script);
	got = run(t, &command);
	ck_assert_int_eq(got.code, wanted->code);
	ck_assert_int_eq(got.signal, wanted->signal);
	ck_assert_int_eq(got.exec_errno, 0);
	ck_assert_int_eq(got.timed_out, wanted->timed_out);
	ck_assert_str_eq(got.out, row->out);
	ck_assert_str_eq(got.err, row->err);
	ck_assert_uint_eq(got.out_len, strlen(row->out));
	ck_assert_uint_eq(got.err_len, strlen(row->err));
	tape_result_clear(&got);
	ck_assert_ptr_null(got.out);
}

START_TEST(a_command_is_recorded_and_answered)
{
	struct tape *t = open_as(TAPE_RECORD);

	ck_assert_int_eq(mkdir("sub", 0777), 0);
	check_kind(t, &kind_rows[_i]);
	close_it(t);
	ck_assert_int_eq(rmdir("sub"), 0);
	t = open_as(TAPE_REPLAY);
	ck_assert(!tape_is_recording(t));
	ck_assert_uint_eq(tape_unused(t), 1);
	check_kind(t, &kind_rows[_i]);
	ck_assert_uint_eq(tape_unused(t), 0);
	close_it(t);
}
END_TEST

/* More than a pipe holds, in both directions at once, and any bytes. */
START_TEST(much_goes_through)
{
	static char bytes[3 * 1024 * 1024];
	struct random random = {7};

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)random_next(&random);
	for (int replay = 0; replay < 2; replay++) {
		struct tape *t = open_as(replay ? TAPE_REPLAY : TAPE_RECORD);
		struct tape_command command = {
			.argv = SH("tee /dev/stderr"), .input = bytes, .input_len = sizeof(bytes)};
		struct tape_result got = run(t, &command);

		assert_same_bytes(got.out, got.out_len, bytes, sizeof(bytes));
		assert_same_bytes(got.err, got.err_len, bytes, sizeof(bytes));
		tape_result_clear(&got);
		close_it(t);
	}
}
END_TEST

START_TEST(several_run_at_once)
{
	for (int replay = 0; replay < 2; replay++) {
		struct tape *t = open_as(replay ? TAPE_REPLAY : TAPE_RECORD);
		struct tape_child *a = spawn(t, &(struct tape_command){.argv = SH("echo a")});
		struct tape_child *b = spawn(t, &(struct tape_command){.argv = SH("echo b")});
		struct tape_result got;

		ck_assert_int_eq(tape_collect(b, &got, NULL), 0);
		ck_assert_str_eq(got.out, "b\n");
		tape_result_clear(&got);
		ck_assert_int_eq(tape_collect(a, &got, NULL), 0);
		ck_assert_str_eq(got.out, "a\n");
		tape_result_clear(&got);
		tape_child_free(a);
		tape_child_free(b);
		close_it(t);
	}
}
END_TEST

static int refuse(void *ctx, const struct tape_start *start, pid_t *ret_pid, struct error *err)
{
	int *calls = ctx;

	(void)ret_pid;
	++*calls;
	ck_assert_str_eq(start->argv[0], "anything");
	for (int i = 0; i < 3; i++) {
		ck_assert_int_gt(start->stdio[i], 2);
		ck_assert_int_ge(fcntl(start->stdio[i], F_GETFD), 0);
	}
	return *calls == 1 ? ENOEXEC : error_set(err, ERR_UNSUPPORTED, "not on a Wednesday");
}

START_TEST(a_launcher_of_the_callers_starts_the_programs)
{
	int calls = 0;
	struct tape *t = open_with(&(struct tape_config){
		.tape = TAPE, .mode = TAPE_RECORD, .launch = refuse, .launch_ctx = &calls});
	struct tape_command command = {.argv = ARGV("anything")};
	struct tape_child *child = NULL;
	struct error err = {0};
	struct tape_result got = run(t, &command);

	ck_assert_int_eq(got.exec_errno, ENOEXEC);
	tape_result_clear(&got);
	ck_assert_int_eq(tape_spawn(t, &command, &child, &err), ERR_UNSUPPORTED);
	ck_assert_str_eq(err.text, "not on a Wednesday");
	ck_assert_int_eq(calls, 2);
	close_it(t);
	/* What was not started is not on the tape; the launcher is not asked in a replay. */
	t = open_with(&(struct tape_config){.tape = TAPE, .launch = refuse, .launch_ctx = &calls});
	got = run(t, &command);
	ck_assert_int_eq(got.exec_errno, ENOEXEC);
	tape_result_clear(&got);
	ck_assert_uint_eq(tape_unused(t), 0);
	ck_assert_int_eq(calls, 2);
	close_it(t);
}
END_TEST

/* Only chosen variables count, and those of the tape count again. */
START_TEST(the_variables_that_count_tell_commands_apart)
{
	const char *const names[] = {"MODE", NULL};
	struct tape_command debug = {.argv = SH("echo $MODE"), .env = ARGV("MODE=debug", "X=1")};
	struct tape_command release = {.argv = SH("echo $MODE"), .env = ARGV("MODE=release")};
	struct tape *t =
		open_with(&(struct tape_config){.tape = TAPE, .mode = TAPE_RECORD, .env = names});
	struct tape_result got = run(t, &debug);

	tape_result_clear(&got);
	got = run(t, &release);
	tape_result_clear(&got);
	close_it(t);
	t = open_with(&(struct tape_config){.tape = TAPE, .order = TAPE_ORDER_ANY});
	got = run(t, &release);
	ck_assert_str_eq(got.out, "release\n");
	tape_result_clear(&got);
	debug.env = ARGV("X=2", "MODE=debug");
	got = run(t, &debug);
	ck_assert_str_eq(got.out, "debug\n");
	tape_result_clear(&got);
	close_it(t);
}
END_TEST

/* --- Tapes ---------------------------------------------------------------------------------- */

START_TEST(a_hand_written_record_matches_in_any_directory)
{
	struct tape *t = open_with(&(struct tape_config){.tape = "fixtures/tapes/good/by-hand.tape",
							 .order = TAPE_ORDER_STRICT});
	struct tape_result got =
		run(t, &(struct tape_command){.argv = ARGV("ls", "-l"), .cwd = "/nowhere"});

	ck_assert_str_eq(got.out, "total 0\n");
	ck_assert_uint_eq(got.duration_ns, 0);
	tape_result_clear(&got);
	got = run(t, &(struct tape_command){.argv = ARGV("false"), .input = "x", .input_len = 1});
	ck_assert_int_eq(got.code, 1);
	tape_result_clear(&got);
	close_it(t);
}
END_TEST

#define BAD_TAPES "fixtures/tapes/bad"

/* Each has one fault, which is seen when it is opened or when its command is asked for; and nothing
 * is run or written in any mode that answers. */
static void check_bad_tape(const char *path, enum tape_mode mode)
{
	struct tape_command command = {.argv = ARGV("ls", "-l")};
	struct tape_result got = {0};
	struct tape *t = NULL;
	struct error err = {0};
	int rc = tape_open(&(struct tape_config){.tape = path, .mode = mode}, &t, &err);

	if (rc == 0)
		rc = tape_run(t, &command, &got, &err);
	ck_assert_msg(rc == ERR_FORMAT || rc == ERR_VERSION || rc == ERR_NOTFOUND, "%s: %d %s",
		      path, rc, err.text);
	ck_assert_msg(strstr(err.text, path) != NULL, "%s: %s", path, err.text);
	tape_free(t);
}

START_TEST(bad_tapes_are_errors)
{
	cleanup_closedir DIR *d = opendir(BAD_TAPES);
	struct dirent *entry;
	size_t count = 0;

	ck_assert_ptr_nonnull(d);
	while ((entry = readdir(d))) {
		cleanup_free char *path = NULL;

		if (entry->d_name[0] == '.')
			continue;
		path = fs_join(BAD_TAPES, entry->d_name);
		check_bad_tape(path, TAPE_REPLAY);
		check_bad_tape(path, TAPE_ONCE);
		check_bad_tape(path, TAPE_NEW_EPISODES);
		count++;
	}
	ck_assert_uint_ge(count, 18);
}
END_TEST

/* Of a child that is killed; kept (volatile: really) so that it is not a leak. */
static struct tape *volatile abandoned;

/* What a killed recorder had collected can be asked for. */
START_TEST(a_kill_leaves_what_was_collected)
{
	struct tape *t;
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		abandoned = open_as(TAPE_RECORD);
		expect_out(abandoned, "echo a", "a\n");
		expect_out(abandoned, "echo b", "b\n");
		kill(getpid(), SIGKILL);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	t = open_as(TAPE_REPLAY);
	expect_out(t, "echo a", "a\n");
	expect_out(t, "echo b", "b\n");
	close_it(t);
}
END_TEST

START_TEST(a_miss_names_the_nearest_record)
{
	const struct tape_divergence *d;
	struct tape *t;

	record_scripts(ARGV("echo fig"));
	t = open_as(TAPE_REPLAY);
	expect_divergence(t, &(struct tape_command){.argv = SH("echo pear")}, TAPE_NO_RECORD);
	d = tape_last_divergence(t);
	ck_assert_str_eq(tape_divergence_command(d), "sh -c 'echo pear'   (in $WORK)");
	ck_assert_uint_eq(strlen(tape_divergence_nearest(d)), 18);
	ck_assert_ptr_nonnull(strstr(tape_divergence_text(d), tape_divergence_nearest(d)));
	ck_assert_ptr_nonnull(strstr(tape_divergence_text(d), "argv[2]  recorded 'echo fig'"));
	expect_out(t, "echo fig", "fig\n");
	expect_divergence(t, &(struct tape_command){.argv = SH("echo fig")}, TAPE_NO_RECORD);
	ck_assert_ptr_null(tape_divergence_nearest(tape_last_divergence(t)));
	ck_assert_ptr_null(tape_divergence_at(t, 2));
	close_it(t);
}
END_TEST

START_TEST(another_stdin_is_a_divergence)
{
	struct tape_command command = {.argv = SH("cat"), .input = "one two", .input_len = 7};
	struct tape *t = open_as(TAPE_RECORD);
	struct tape_result got = run(t, &command);

	tape_result_clear(&got);
	close_it(t);
	t = open_as(TAPE_REPLAY);
	command.input = "one tub";
	expect_divergence(t, &command, TAPE_OTHER_INPUT);
	ck_assert_ptr_nonnull(strstr(tape_divergence_text(tape_last_divergence(t)),
				     "stdin, byte 5\n             recorded wo\n"
				     "             now      ub"));
	command.input_len = 3; /* a part is another, too */
	expect_divergence(t, &command, TAPE_OTHER_INPUT);
	command.input = NULL;
	command.input_len = 0;
	expect_divergence(t, &command, TAPE_OTHER_INPUT);
	command.input = "one two";
	command.input_len = 7;
	got = run(t, &command);
	ck_assert_str_eq(got.out, "one two");
	tape_result_clear(&got);
	close_it(t);
}
END_TEST

START_TEST(equal_commands_are_told_apart_by_stdin)
{
	static const char *const inputs[] = {"a", "b", "", "b", "c"};
	static const size_t order[] = {4, 1, 2, 3, 0};

	for (int replay = 0; replay < 2; replay++) {
		struct tape *t =
			open_with(&(struct tape_config){.tape = TAPE,
							.mode = replay ? TAPE_REPLAY : TAPE_RECORD,
							.order = TAPE_ORDER_ANY});

		for (size_t i = 0; i < COUNT(inputs); i++) {
			const char *input = inputs[replay ? order[i] : i];
			struct tape_result got =
				run(t, &(struct tape_command){.argv = SH("cat"),
							      .input = input,
							      .input_len = strlen(input)});

			ck_assert_str_eq(got.out, input);
			tape_result_clear(&got);
		}
		close_it(t);
	}
}
END_TEST

START_TEST(what_was_not_asked_for_is_told)
{
	struct tape *t;
	char *text = NULL;
	struct error err = {0};

	record_scripts(ARGV("echo a", "echo b", "echo c"));
	t = open_with(&(struct tape_config){.tape = TAPE, .order = TAPE_ORDER_ANY});
	expect_out(t, "echo b", "b\n");
	ck_assert_uint_eq(tape_unused(t), 2);
	ck_assert_int_eq(tape_unused_text(t, 1, &text, NULL), 0);
	ck_assert_str_eq(text + 18, ": sh -c 'echo c'   (in $WORK)");
	free(text);
	/* Back, and on after one of them was used. */
	ck_assert_int_eq(tape_unused_text(t, 0, &text, NULL), 0);
	ck_assert_str_eq(text + 18, ": sh -c 'echo a'   (in $WORK)");
	free(text);
	expect_out(t, "echo a", "a\n");
	ck_assert_int_eq(tape_unused_text(t, 0, &text, NULL), 0);
	ck_assert_str_eq(text + 18, ": sh -c 'echo c'   (in $WORK)");
	free(text);
	ck_assert_int_eq(tape_unused_text(t, 1, &text, &err), ERR_NOTFOUND);
	close_it(t);
}
END_TEST

Suite *tape_command_suite(void)
{
	Suite *s = suite_create("tape/command");
	TCase *all = tcase_create("all");
	TCase *samples = tcase_create("samples"); /* in the directory of the sources */

	tcase_set_timeout(all, 20);
	tcase_add_checked_fixture(all, scratch_enter, scratch_leave);
	tcase_add_loop_test(all, a_command_is_recorded_and_answered, 0, COUNT(kind_rows));
	tcase_add_test(all, much_goes_through);
	tcase_add_test(all, several_run_at_once);
	tcase_add_test(all, a_launcher_of_the_callers_starts_the_programs);
	tcase_add_test(all, the_variables_that_count_tell_commands_apart);
	tcase_add_test(all, a_kill_leaves_what_was_collected);
	tcase_add_test(all, a_miss_names_the_nearest_record);
	tcase_add_test(all, another_stdin_is_a_divergence);
	tcase_add_test(all, equal_commands_are_told_apart_by_stdin);
	tcase_add_test(all, what_was_not_asked_for_is_told);
	suite_add_tcase(s, all);
	tcase_add_test(samples, a_hand_written_record_matches_in_any_directory);
	tcase_add_test(samples, bad_tapes_are_errors);
	suite_add_tcase(s, samples);
	return s;
}
