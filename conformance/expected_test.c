/* The words that a case can expect besides errnos and signals. */
#include "conformance/conformance.h"

#include "tools/tests.h"
#include <errno.h>
#include <signal.h>

/* Without an effect, and with one that can be seen. */
static struct conf_case plain = {.id = "plain", .act = ACT_list_dir};
static struct conf_case seen_outside = {.id = "seen", .act = ACT_make_file};

static const struct conf_seen done = {
	.ran = true, .nonce = true, .state = PROBE_DONE, .effect = true};
static const struct conf_seen silent = {.ran = true, .nonce = true, .state = PROBE_DONE};
static const struct conf_seen denied = {
	.ran = true, .nonce = true, .state = PROBE_DONE, .error = EACCES};

static enum conf_verdict judge_in(enum conf_layer layer, struct conf_case *c, const char *expected,
				  const struct conf_seen *last)
{
	const struct conf_seen seen[CONF_RUNS] = {
		[CONF_CONTROL] = done, [CONF_ALLOWED] = done, [CONF_DENIED] = *last};
	char why[CONF_WHY_SIZE];

	c->raw.expected = c->policy.expected = expected;
	c->why = "it escapes";
	return conf_judge(c, layer, 7, seen, why);
}

static enum conf_verdict judge(struct conf_case *c, const char *expected,
			       const struct conf_seen *last)
{
	return judge_in(CONF_RAW, c, expected, last);
}

START_TEST(a_word_is_neither_an_errno_nor_a_signal)
{
	ck_assert(conf_expects_word("EACCES|done", "done"));
	ck_assert(conf_expects_word("ESRCH|silent", "silent"));
	ck_assert(!conf_expects_word("EACCES|SIGSYS", "done"));
	ck_assert(!conf_expects_word("EACCES|SIGSYS", "silent"));
	ck_assert(!conf_expects("done|silent", EACCES, 0));
	ck_assert(!conf_expects("done|silent", 0, SIGSYS));
	ck_assert(conf_expects("EACCES|SIGSYS", EACCES, 0));
	ck_assert(conf_expects("EACCES|SIGSYS", 0, SIGSYS));
	ck_assert(!conf_expects("EACCES|SIGSYS", EPERM, 0));
	ck_assert(!conf_expects("EACCES|done", 0, 0));
	ck_assert(!conf_expects_word("EACCES|undone", "done"));
}
END_TEST

START_TEST(what_is_not_to_be_denied_conforms_when_it_is_done)
{
	ck_assert_int_eq(judge(&plain, "done", &done), CONF_CONFORMS);
	ck_assert_int_eq(judge(&seen_outside, "done", &done), CONF_CONFORMS);
	ck_assert_int_eq(judge(&plain, "done", &denied), CONF_OVERREFUSED);
	ck_assert_int_eq(judge(&plain, "EACCES", &done), CONF_ESCAPED);
	ck_assert_int_eq(judge(&plain, "EACCES", &denied), CONF_CONFORMS);
	ck_assert_int_eq(judge(&plain, "EPERM", &denied), CONF_MISCLASSIFIED);
}
END_TEST

START_TEST(what_is_denied_silently_conforms_when_nothing_is_left_of_it)
{
	ck_assert_int_eq(judge(&seen_outside, "silent", &silent), CONF_CONFORMS);
	ck_assert_int_eq(judge(&seen_outside, "silent", &done), CONF_ESCAPED);
	ck_assert_int_eq(judge(&seen_outside, "EACCES", &silent), CONF_CONTRADICTION);
	ck_assert_int_eq(judge(&seen_outside, "done", &silent), CONF_CONTRADICTION);
	/* Of what leaves nothing behind anyway, silence says nothing. */
	ck_assert_int_eq(judge(&plain, "silent", &silent), CONF_ESCAPED);
}
END_TEST

START_TEST(what_a_foreign_sandbox_keeps_inside_conforms)
{
	ck_assert_int_eq(judge_in(CONF_LAUNCHER, &seen_outside, "EACCES", &silent), CONF_CONFORMS);
	ck_assert_int_eq(judge_in(CONF_LAUNCHER, &seen_outside, "EACCES", &done), CONF_ESCAPED);
	ck_assert_int_eq(judge_in(CONF_LAUNCHER, &plain, "EACCES", &silent), CONF_ESCAPED);
	ck_assert_int_eq(judge_in(CONF_POLICY, &seen_outside, "EACCES", &silent),
			 CONF_CONTRADICTION);
}
END_TEST

Suite *conformance_expected_suite(void)
{
	Suite *s = suite_create("conformance_expected");
	TCase *tc = tcase_create("all");

	tcase_add_test(tc, a_word_is_neither_an_errno_nor_a_signal);
	tcase_add_test(tc, what_is_not_to_be_denied_conforms_when_it_is_done);
	tcase_add_test(tc, what_is_denied_silently_conforms_when_nothing_is_left_of_it);
	tcase_add_test(tc, what_a_foreign_sandbox_keeps_inside_conforms);
	suite_add_tcase(s, tc);
	return s;
}
