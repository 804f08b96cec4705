/* Misuse of a tape and its commands: an error, and nothing worse. */
#include "base/cleanup.h"
#include "tape/scratch_test.h"
#include "tape/taped_test.h"
#include "tools/tests.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

START_TEST(misuse_is_an_error)
{
	struct tape_config config = {.tape = TAPE, .mode = TAPE_RECORD};
	struct tape_command command = {.argv = ARGV("true")};
	struct tape_command no_program = {.argv = ARGV(NULL)};
	struct tape_command no_argv = {.argv = NULL};
	struct tape_command no_input = {.argv = ARGV("true"), .input_len = 1};
	struct tape_child *child = NULL;
	struct tape_result got;
	struct tape *t = NULL;
	char *text = NULL;

	ck_assert_int_eq(tape_open(NULL, &t, NULL), ERR_INVALID);
	ck_assert_int_eq(tape_open(&config, NULL, NULL), ERR_INVALID);
	ck_assert_int_eq(tape_open(&(struct tape_config){.tape = NULL}, &t, NULL), ERR_INVALID);
	ck_assert_int_eq(tape_open(&(struct tape_config){.tape = ""}, &t, NULL), ERR_INVALID);
	ck_assert_ptr_null(t);
	t = open_with(&config);
	ck_assert_int_eq(tape_spawn(NULL, &command, &child, NULL), ERR_INVALID);
	ck_assert_int_eq(tape_spawn(t, NULL, &child, NULL), ERR_INVALID);
	ck_assert_int_eq(tape_spawn(t, &command, NULL, NULL), ERR_INVALID);
	ck_assert_int_eq(tape_spawn(t, &no_program, &child, NULL), ERR_INVALID);
	ck_assert_int_eq(tape_spawn(t, &no_argv, &child, NULL), ERR_INVALID);
	ck_assert_int_eq(tape_spawn(t, &no_input, &child, NULL), ERR_INVALID);
	ck_assert_int_eq(tape_run(t, &command, NULL, NULL), ERR_INVALID);
	ck_assert_int_eq(tape_run(NULL, &command, &got, NULL), ERR_INVALID);
	ck_assert_ptr_null(child);
	ck_assert_int_eq(tape_collect(NULL, &got, NULL), ERR_INVALID);
	ck_assert_int_eq(tape_close(NULL, NULL), ERR_INVALID);
	ck_assert_int_eq(tape_unused_text(NULL, 0, &text, NULL), ERR_INVALID);
	ck_assert_int_eq(tape_unused_text(t, 0, NULL, NULL), ERR_INVALID);
	ck_assert_int_eq(tape_unused_text(t, 0, &text, NULL), ERR_NOTFOUND);
	ck_assert_int_eq(tape_launch(NULL, NULL, NULL, NULL), ERR_INVALID);
	ck_assert_uint_eq(tape_unused(NULL), 0);
	ck_assert_uint_eq(tape_divergence_count(NULL), 0);
	ck_assert_ptr_null(tape_divergence_at(NULL, 0));
	ck_assert_ptr_null(tape_last_divergence(NULL));
	ck_assert_str_eq(tape_divergence_text(NULL), "");
	ck_assert_ptr_null(tape_divergence_nearest(NULL));
	ck_assert(!tape_is_recording(NULL));
	tape_child_free(NULL);
	tape_result_clear(NULL);
	tape_free(NULL);
	close_it(t);
}
END_TEST

START_TEST(bad_options_are_errors)
{
	const char *const path[] = {"PATH", NULL};
	const char *const no_root[] = {"nothing", NULL};
	const struct tape_config rows[] = {
		{.tape = TAPE, .mode = (enum tape_mode)9},
		{.tape = TAPE, .mode = TAPE_RECORD, .order = (enum tape_order)3},
		{.tape = TAPE, .mode = TAPE_NEW_EPISODES, .order = TAPE_ORDER_STRICT},
		{.tape = TAPE, .mode = TAPE_RECORD, .env = path},
		{.tape = TAPE, .mode = TAPE_RECORD, .roots = no_root},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct tape *t = NULL;
		struct error err = {0};

		ck_assert_int_eq(tape_open(&rows[i], &t, &err), ERR_INVALID);
		ck_assert_int_eq(err.code, ERR_INVALID);
		ck_assert_ptr_null(t);
	}
	ck_assert(!is_file(TAPE));
}
END_TEST

START_TEST(after_its_end_a_tape_takes_nothing)
{
	struct tape *t = open_as(TAPE_RECORD);
	struct tape_command command = {.argv = ARGV("true")};
	struct tape_child *child = NULL;
	struct error err = {0};

	ck_assert_int_eq(tape_close(t, NULL), 0);
	ck_assert_int_eq(tape_spawn(t, &command, &child, &err), ERR_INVALID);
	ck_assert_str_eq(err.text, "the tape t.tape is closed");
	ck_assert_int_eq(tape_close(t, &err), ERR_INVALID);
	ck_assert_uint_eq(tape_unused(t), 0);
	tape_free(t);
}
END_TEST

START_TEST(a_tape_is_not_closed_over_its_commands)
{
	for (int replay = 0; replay < 2; replay++) {
		struct tape *t = open_as(replay ? TAPE_REPLAY : TAPE_RECORD);
		struct tape_child *child = spawn(t, &(struct tape_command){.argv = SH("echo a")});
		struct tape_result got;
		struct error err = {0};

		ck_assert_int_eq(tape_close(t, &err), ERR_BUSY);
		ck_assert_int_eq(tape_collect(child, &got, NULL), 0);
		tape_result_clear(&got);
		ck_assert_int_eq(tape_collect(child, &got, &err), ERR_INVALID);
		ck_assert_str_eq(err.text, "a command can be collected once");
		ck_assert_int_eq(tape_close(t, NULL), 0);
		tape_free(t);
		ck_assert_int_eq(tape_collect(child, &got, NULL), ERR_INVALID);
		tape_child_free(child);
	}
}
END_TEST

/* One that nobody wants is ended, and its record says that it did not end by itself. */
START_TEST(a_command_that_is_not_collected_is_killed)
{
	struct tape *t = open_as(TAPE_RECORD);
	struct tape_command command = {.argv = SH("echo $$ >pid; sleep 60 & sleep 60")};
	struct tape_child *child = spawn(t, &command);
	cleanup_buf struct buf pid = BUF_INIT;

	while (!is_file("pid") || pid.len == 0) {
		usleep(1000);
		buf_clear(&pid);
		if (is_file("pid"))
			get_file("pid", &pid);
	}
	tape_child_free(child);
	ck_assert_int_lt(kill((pid_t)atol(pid.data), 0), 0);
	close_it(t);
	t = open_as(TAPE_REPLAY);
	expect_divergence(t, &command, TAPE_UNFINISHED);
	close_it(t);
}
END_TEST

START_TEST(a_tape_that_is_freed_first_gives_up_its_recording)
{
	struct tape *t = open_as(TAPE_RECORD);
	struct tape_child *child = spawn(t, &(struct tape_command){.argv = SH("sleep 60")});
	struct tape_result got;

	tape_free(t);
	ck_assert_int_eq(tape_collect(child, &got, NULL), ERR_INVALID);
	tape_child_free(child);
	ck_assert(!is_file(TAPE "/tape.jsonl"));
	ck_assert(is_file(TAPE "/journal.jsonl"));
}
END_TEST

START_TEST(a_tape_that_is_being_recorded_is_busy)
{
	struct tape *t = open_as(TAPE_RECORD);
	struct tape *second = NULL;
	struct error err = {0};
	char pid[32];

	snprintf(pid, sizeof(pid), "process %ld", (long)getpid());
	ck_assert_int_eq(
		tape_open(&(struct tape_config){.tape = TAPE, .mode = TAPE_RECORD}, &second, &err),
		ERR_BUSY);
	ck_assert_ptr_nonnull(strstr(err.text, pid));
	/* Reading is not recording: what there is so far. */
	second = open_as(TAPE_REPLAY);
	expect_out(t, "echo a", "a\n");
	close_it(second);
	second = open_as(TAPE_REPLAY);
	expect_out(second, "echo a", "a\n");
	close_it(second);
	close_it(t);
}
END_TEST

Suite *tape_command_misuse_suite(void)
{
	Suite *s = suite_create("tape/command_misuse");
	TCase *all = tcase_create("all");

	tcase_set_timeout(all, 20);
	tcase_add_checked_fixture(all, scratch_enter, scratch_leave);
	tcase_add_test(all, misuse_is_an_error);
	tcase_add_test(all, bad_options_are_errors);
	tcase_add_test(all, after_its_end_a_tape_takes_nothing);
	tcase_add_test(all, a_tape_is_not_closed_over_its_commands);
	tcase_add_test(all, a_command_that_is_not_collected_is_killed);
	tcase_add_test(all, a_tape_that_is_freed_first_gives_up_its_recording);
	tcase_add_test(all, a_tape_that_is_being_recorded_is_busy);
	suite_add_tcase(s, all);
	return s;
}
