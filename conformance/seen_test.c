/* What is read from the probe's lines and from its file. */
#include "conformance/trial.h"
#include "tools/tests.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define NONCE "0123456789abcdef0123456789abcdef"
#define BEGAN "sandtape-probe " NONCE " began\n"
#define ENDED "sandtape-probe " NONCE " ended "

static char text[PROBE_TEXT_SIZE];

static struct conf_seen read_as(const char *output, const struct probe_report *report)
{
	static const struct probe_report none;
	struct conf_seen seen = {.ran = true};

	trial_read(output, NONCE, report ? report : &none, &seen, text);
	return seen;
}

START_TEST(a_result_is_read_from_the_last_line)
{
	struct conf_seen seen = read_as(BEGAN ENDED "4 0 -13 0 0 0 0 0 0 landlock_fs -\n", NULL);

	ck_assert(seen.nonce);
	ck_assert_int_eq(seen.state, PROBE_DONE);
	ck_assert_int_eq(seen.error, EACCES);
	ck_assert_int_eq(seen.signal, 0);
	ck_assert_str_eq(seen.stage, "landlock_fs");
}
END_TEST

START_TEST(a_signal_is_read_with_what_the_handler_saw)
{
	struct conf_seen seen = read_as(
		"noise\n" BEGAN "more\n" ENDED "4 0 0 31 1 1 7 321 3221225534 trap abc\n", NULL);

	ck_assert_int_eq(seen.signal, SIGSYS);
	ck_assert_int_eq(seen.code, 1);
	ck_assert_int_eq(seen.data, 7);
	ck_assert_int_eq(seen.call, 321);
	ck_assert_str_eq(text, "abc");
}
END_TEST

START_TEST(a_stage_that_failed_is_no_result)
{
	struct conf_seen seen = read_as(BEGAN ENDED "2 1 0 0 0 0 0 0 0 unshare -\n", NULL);

	ck_assert_int_eq(seen.state, PROBE_SET_UP_FAILED);
	ck_assert_int_eq(seen.error, EPERM);
	ck_assert_str_eq(seen.stage, "unshare");
}
END_TEST

/* The supervisor was killed, too. */
START_TEST(without_a_last_line_the_file_counts)
{
	const struct probe_report report = {
		.nonce = NONCE, .state = PROBE_ACTING, .signal = SIGKILL, .stage = "seccomp_kill"};
	struct conf_seen seen = read_as("", &report);

	ck_assert(seen.nonce);
	ck_assert_int_eq(seen.state, PROBE_ACTING);
	ck_assert_int_eq(seen.signal, SIGKILL);
}
END_TEST

/* A launcher can change what goes through it, and start the probe again. */
START_TEST(a_line_that_the_file_does_not_bear_out_is_told)
{
	struct probe_report report = {.nonce = NONCE, .state = PROBE_DONE};
	const char *const changed[] = {"4 0 -13 0", "4 13 0 0", "4 0 0 31", "3 0 0 0"};
	char output[256];

	ck_assert(!read_as(BEGAN ENDED "4 0 0 0 0 0 0 0 0 - -\n", &report).disagrees);
	for (size_t i = 0; i < sizeof(changed) / sizeof(changed[0]); i++) {
		snprintf(output, sizeof(output), BEGAN ENDED "%s 0 0 0 0 0 - -\n", changed[i]);
		ck_assert_msg(read_as(output, &report).disagrees, "%s", changed[i]);
		ck_assert(!read_as(output, NULL).disagrees);
	}
}
END_TEST

START_TEST(what_is_not_the_probe_is_never_taken_for_it)
{
	const struct probe_report of_another = {.nonce = "another", .state = PROBE_DONE};
	static const char *const outputs[] = {
		"",
		"sandtape-probe\n",
		"sandtape-probe another began\nsandtape-probe another ended 4 0 0 0 0 0 0 0 0 - "
		"-\n",
		"nonce=" NONCE " act=nothing\n", /* it has echoed its arguments */
		"sandtape-probe nonce=" NONCE " began\n",
		ENDED "4 0 0 0 0 0 0 0 0 - -\n", /* it has ended, and never begun */
	};

	for (size_t i = 0; i < sizeof(outputs) / sizeof(outputs[0]); i++) {
		struct conf_seen seen = read_as(outputs[i], &of_another);

		ck_assert_msg(!seen.nonce, "%s", outputs[i]);
		ck_assert_int_eq(seen.state, PROBE_ABSENT);
	}
}
END_TEST

START_TEST(a_torn_line_is_no_result)
{
	struct conf_seen seen = read_as(BEGAN ENDED "4 0 -13 0", NULL);

	ck_assert(seen.nonce);
	ck_assert_int_eq(seen.state, PROBE_ABSENT);
}
END_TEST

/* A program under test can write what it likes into the file. */
START_TEST(a_file_of_garbage_is_bounded)
{
	struct probe_report report;
	struct conf_seen seen;

	memset(&report, 'x', sizeof(report));
	memcpy(report.nonce, NONCE, sizeof(report.nonce));
	seen = read_as("", &report);
	ck_assert_int_eq(seen.state, PROBE_ABSENT);
	ck_assert_uint_eq(strlen(seen.stage), sizeof(seen.stage) - 1);
	ck_assert_uint_eq(strlen(text), PROBE_TEXT_SIZE - 1);
	report.state = -1;
	ck_assert_int_eq(read_as("", &report).state, PROBE_ABSENT);
}
END_TEST

START_TEST(a_probe_that_was_ended_as_a_whole_has_acted)
{
	struct probe_report report = {.nonce = NONCE, .state = PROBE_ACTING};
	struct conf_seen killed = read_as(BEGAN, &report), told, began;

	trial_read_end(0, &killed);
	ck_assert_int_eq(killed.signal, 0);
	trial_read_end(SIGKILL, &killed);
	ck_assert_int_eq(killed.signal, SIGKILL);
	/* What its supervisor has told counts; and what came before the act is none of it. */
	told = read_as(BEGAN ENDED "3 0 0 25 0 0 0 0 0 - -\n", NULL);
	trial_read_end(SIGKILL, &told);
	ck_assert_int_eq(told.signal, SIGXFSZ);
	report.state = PROBE_BEGAN;
	began = read_as(BEGAN, &report);
	trial_read_end(SIGKILL, &began);
	ck_assert_int_eq(began.signal, 0);
}
END_TEST

Suite *conformance_seen_suite(void)
{
	Suite *suite = suite_create("conformance_seen");
	TCase *tc = tcase_create("seen");

	tcase_add_test(tc, a_result_is_read_from_the_last_line);
	tcase_add_test(tc, a_signal_is_read_with_what_the_handler_saw);
	tcase_add_test(tc, a_stage_that_failed_is_no_result);
	tcase_add_test(tc, without_a_last_line_the_file_counts);
	tcase_add_test(tc, a_line_that_the_file_does_not_bear_out_is_told);
	tcase_add_test(tc, what_is_not_the_probe_is_never_taken_for_it);
	tcase_add_test(tc, a_torn_line_is_no_result);
	tcase_add_test(tc, a_file_of_garbage_is_bounded);
	tcase_add_test(tc, a_probe_that_was_ended_as_a_whole_has_acted);
	suite_add_tcase(suite, tc);
	return suite;
}
