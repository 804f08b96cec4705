/* Verdicts over recorded observations: no kernel is asked. */
#include "conformance/conformance.h"
#include "sandbox/plan.h"
#include "tools/tests.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* How a run went, in one letter or two. */
enum {
	NOT_RUN,
	DONE,	    /* the act succeeded, and its effect was found */
	DONE_ONLY,  /* it says that it has, and left nothing behind */
	DENIED,	    /* EACCES */
	DENIED_BUT, /* EACCES, and yet the effect is there */
	OTHER,	    /* ENOENT */
	READ_ONLY,  /* EROFS */
	KILLED,	    /* SIGSYS in the act */
	CAUGHT,	    /* the act has caught SIGSYS, and came to its end */
	HUNG,	    /* in the act */
	UNPREPARED, /* a stage of the set-up failed with EPERM */
	NO_SANDBOX, /* the host cannot */
	NO_NONCE,   /* something ran, and it was not the probe */
	CHANGED,    /* somebody has changed what the probe said */
	BEGAN	    /* the probe began, and was never heard of again */
};

static const struct conf_seen seen_as[] = {
	[NOT_RUN] = {.ran = false},
	[DONE] = {.ran = true, .nonce = true, .state = PROBE_DONE, .effect = true},
	[DONE_ONLY] = {.ran = true, .nonce = true, .state = PROBE_DONE},
	[DENIED] = {.ran = true, .nonce = true, .state = PROBE_DONE, .error = EACCES},
	[DENIED_BUT] =
		{.ran = true, .nonce = true, .state = PROBE_DONE, .error = EACCES, .effect = true},
	[OTHER] = {.ran = true, .nonce = true, .state = PROBE_DONE, .error = ENOENT},
	[READ_ONLY] = {.ran = true, .nonce = true, .state = PROBE_DONE, .error = EROFS},
	[KILLED] = {.ran = true, .nonce = true, .state = PROBE_ACTING, .signal = SIGSYS},
	[CAUGHT] = {.ran = true, .nonce = true, .state = PROBE_DONE, .signal = SIGSYS},
	[HUNG] = {.ran = true, .nonce = true, .state = PROBE_ACTING, .timed_out = true},
	[UNPREPARED] = {.ran = true,
			.nonce = true,
			.state = PROBE_SET_UP_FAILED,
			.error = EPERM,
			.stage = "restrict_self"},
	[NO_SANDBOX] = {.ran = true, .refused = true, .why = "landlock is off"},
	[NO_NONCE] = {.ran = true},
	[CHANGED] = {.ran = true,
		     .nonce = true,
		     .disagrees = true,
		     .state = PROBE_DONE,
		     .error = EACCES},
	[BEGAN] = {.ran = true, .nonce = true, .state = PROBE_BEGAN},
};

/* An act with an effect, and one without. */
static const struct conf_case with_effect = {
	.id = "a.b",
	.act = ACT_write_file,
	.raw = {.expected = "EACCES|SIGSYS"},
	.policy = {.expected = "EACCES|SIGSYS"},
	.why = "it can be written",
};
static const struct conf_case without = {
	.id = "a.c",
	.act = ACT_nothing,
	.raw = {.expected = "EACCES"},
	.policy = {.expected = "EACCES"},
	.why = "it can be called",
};

static const struct row {
	const struct conf_case *c;
	enum conf_layer layer;
	int control, allowed, denied, ablated;
	enum conf_verdict verdict;
	const char *why; /* a part of it */
} rows[] = {
	{&with_effect, CONF_RAW, DONE, DONE, DENIED, NOT_RUN, CONF_CONFORMS, ""},
	{&with_effect, CONF_RAW, DONE, DONE, KILLED, NOT_RUN, CONF_CONFORMS, ""},
	{&with_effect, CONF_RAW, DONE, DONE, CAUGHT, NOT_RUN, CONF_CONFORMS, ""},
	{&with_effect, CONF_RAW, DONE, DONE, DONE, NOT_RUN, CONF_ESCAPED, "it can be written"},
	{&without, CONF_RAW, DONE, DONE, DONE_ONLY, NOT_RUN, CONF_ESCAPED, "it can be called"},
	{&with_effect, CONF_RAW, DONE, DONE, OTHER, NOT_RUN, CONF_MISCLASSIFIED,
	 "ENOENT instead of EACCES|SIGSYS"},
	{&without, CONF_RAW, DONE, DONE, KILLED, NOT_RUN, CONF_MISCLASSIFIED,
	 "SIGSYS instead of EACCES"},
	{&with_effect, CONF_RAW, DONE, DENIED, DENIED, NOT_RUN, CONF_OVERREFUSED, "EACCES"},
	{&with_effect, CONF_RAW, DONE, KILLED, DENIED, NOT_RUN, CONF_OVERREFUSED, "SIGSYS"},

	/* What was said and what is there are at odds. */
	{&with_effect, CONF_RAW, DONE, DONE, DENIED_BUT, NOT_RUN, CONF_CONTRADICTION,
	 "told EACCES, and yet"},
	{&with_effect, CONF_RAW, DONE, DONE, DONE_ONLY, NOT_RUN, CONF_CONTRADICTION,
	 "left nothing behind"},
	{&with_effect, CONF_RAW, DONE, DONE_ONLY, DENIED, NOT_RUN, CONF_CONTRADICTION,
	 "leaves nothing behind"},

	/* Without a control there is no verdict, whatever the rest says. */
	{&with_effect, CONF_RAW, DENIED, DONE, DENIED, NOT_RUN, CONF_NOT_MEASURED, "EACCES"},
	{&with_effect, CONF_RAW, UNPREPARED, DONE, DENIED, NOT_RUN, CONF_NOT_MEASURED,
	 "restrict_self: EPERM"},
	{&with_effect, CONF_RAW, DONE_ONLY, DONE, DENIED, NOT_RUN, CONF_NOT_MEASURED,
	 "leaves nothing behind"},
	{&with_effect, CONF_RAW, DONE, NOT_RUN, UNPREPARED, NOT_RUN, CONF_NOT_ENFORCED,
	 "restrict_self: EPERM"},
	{&with_effect, CONF_POLICY, DONE, DONE, UNPREPARED, NOT_RUN, CONF_NOT_MEASURED,
	 "restrict_self: EPERM"},
	{&with_effect, CONF_POLICY, DONE, DONE, NO_SANDBOX, NOT_RUN, CONF_NOT_ENFORCED,
	 "landlock is off"},
	{&with_effect, CONF_POLICY, DONE, NO_SANDBOX, DENIED, NOT_RUN, CONF_NOT_ENFORCED,
	 "landlock is off"},

	/* A probe that is not heard of is never a denial. */
	{&with_effect, CONF_RAW, NO_NONCE, DONE, DENIED, NOT_RUN, CONF_PROBE_BROKEN, "no probe"},
	{&with_effect, CONF_RAW, DONE, NO_NONCE, DENIED, NOT_RUN, CONF_PROBE_BROKEN, "no probe"},
	{&with_effect, CONF_RAW, DONE, DONE, NO_NONCE, NOT_RUN, CONF_PROBE_BROKEN, "no probe"},
	{&with_effect, CONF_RAW, DONE, DONE, BEGAN, NOT_RUN, CONF_PROBE_BROKEN, "hung"},
	{&with_effect, CONF_RAW, DONE, DONE, HUNG, NOT_RUN, CONF_PROBE_BROKEN, "hung"},
	{&with_effect, CONF_RAW, HUNG, DONE, DENIED, NOT_RUN, CONF_PROBE_BROKEN, "hung"},
	{&with_effect, CONF_RAW, DONE, DONE, CHANGED, NOT_RUN, CONF_PROBE_BROKEN, "than its file"},
	{&without, CONF_LAUNCHER, DONE_ONLY, NOT_RUN, CHANGED, NOT_RUN, CONF_PROBE_BROKEN,
	 "than its file"},

	/* A foreign sandbox denies as it likes, and grants nothing. */
	{&with_effect, CONF_LAUNCHER, DONE, NOT_RUN, OTHER, NOT_RUN, CONF_CONFORMS, ""},
	{&with_effect, CONF_LAUNCHER, DONE, NOT_RUN, DONE, NOT_RUN, CONF_ESCAPED, "written"},
	{&with_effect, CONF_LAUNCHER, DONE, NOT_RUN, NO_NONCE, NOT_RUN, CONF_PROBE_BROKEN, ""},
	{&with_effect, CONF_LAUNCHER, DENIED, NOT_RUN, DENIED, NOT_RUN, CONF_NOT_MEASURED, ""},

	/* Without its mechanism the denial must be gone. */
	{&with_effect, CONF_POLICY, DONE, DONE, DENIED, DONE, CONF_CONFORMS, ""},
	{&with_effect, CONF_POLICY, DONE, DONE, DENIED, OTHER, CONF_MISCLASSIFIED,
	 "without its mechanism"},
	{&with_effect, CONF_POLICY, DONE, DONE, DENIED, NO_SANDBOX, CONF_NOT_MEASURED,
	 "without its mechanism there is no sandbox"},
};

static void check_row(const struct row *row, int abi, int number)
{
	const struct conf_seen seen[CONF_RUNS] = {
		[CONF_CONTROL] = seen_as[row->control],
		[CONF_ALLOWED] = seen_as[row->allowed],
		[CONF_DENIED] = seen_as[row->denied],
		[CONF_ABLATED] = seen_as[row->ablated],
	};
	char why[CONF_WHY_SIZE];
	enum conf_verdict verdict = conf_judge(row->c, row->layer, abi, seen, why);

	ck_assert_msg(verdict == row->verdict, "row %d: %s (%s), not %s", number,
		      conf_verdict_name(verdict), why, conf_verdict_name(row->verdict));
	ck_assert_msg(strstr(why, row->why), "row %d: %s", number, why);
}

START_TEST(verdicts_follow_from_what_was_seen)
{
	check_row(&rows[_i], 7, _i);
}
END_TEST

static const struct {
	int abi;
	struct row row;
} mount_rows[] = {
	{2, {&with_effect, CONF_POLICY, DONE, DONE, READ_ONLY, NOT_RUN, CONF_CONFORMS, ""}},
	{3,
	 {&with_effect, CONF_POLICY, DONE, DONE, READ_ONLY, NOT_RUN, CONF_MISCLASSIFIED, "EROFS"}},
	{2, {&with_effect, CONF_RAW, DONE, DONE, READ_ONLY, NOT_RUN, CONF_MISCLASSIFIED, "EROFS"}},
	{2, {&with_effect, CONF_POLICY, DONE, DONE, DONE, NOT_RUN, CONF_ESCAPED, ""}},
	{2,
	 {&with_effect, CONF_POLICY, DONE, READ_ONLY, DENIED, NOT_RUN, CONF_NOT_MEASURED, "EROFS"}},
	{3,
	 {&with_effect, CONF_POLICY, DONE, READ_ONLY, DENIED, NOT_RUN, CONF_OVERREFUSED, "EROFS"}},
};

START_TEST(before_the_third_abi_mounts_keep_files_too)
{
	check_row(&mount_rows[_i].row, mount_rows[_i].abi, _i);
}
END_TEST

START_TEST(only_what_failed_fails_the_suite)
{
	static const int statuses[CONF_VERDICTS] = {
		[CONF_ESCAPED] = 1,	  [CONF_MISCLASSIFIED] = 1, [CONF_OVERREFUSED] = 1,
		[CONF_CONTRADICTION] = 1, [CONF_PROBE_BROKEN] = 2,
	};

	for (int i = 0; i < CONF_VERDICTS; i++) {
		ck_assert_int_eq(conf_verdict_status(i), statuses[i]);
		ck_assert_int_eq(conf_verdict_number(conf_verdict_name(i)), i);
	}
	ck_assert_int_eq(conf_verdict_number("passed"), CONF_VERDICTS);
}
END_TEST

START_TEST(errnos_and_signals_are_expected_by_their_names)
{
	ck_assert(conf_expects("EACCES", EACCES, 0));
	ck_assert(conf_expects("EPERM|EACCES", EACCES, 0));
	ck_assert(conf_expects("EPERM|SIGSYS|EACCES", 0, SIGSYS));
	ck_assert(!conf_expects("EPERM", EACCES, 0));
	ck_assert(!conf_expects("EACCESS", EACCES, 0));
	ck_assert(!conf_expects("EACCE", EACCES, 0));
	ck_assert(!conf_expects("SIGSYS", 0, SIGSEGV));
	ck_assert(!conf_expects("SYS", 0, SIGSYS));
	ck_assert(!conf_expects("EPERM|SIGSYS", 0, 0));
	ck_assert(!conf_expects("", EPERM, 0));
}
END_TEST

/* Every name in the table is one that the kernel can answer with: a slip would never match. */
START_TEST(cases_expect_what_there_is)
{
	for (size_t i = 0; i < conf_case_count; i++)
		for (int layer = CONF_RAW; layer <= CONF_POLICY; layer++) {
			const char *at = conf_case_expected(&conf_cases()[i], layer);
			char name[32];

			for (int n = 0; at && sscanf(at, "%31[^|]%n", name, &n) == 1;
			     at += n + (at[n] == '|')) {
				bool known = error_errno_number(name) != 0 ||
					     strcmp(name, "done") == 0 ||
					     strcmp(name, "silent") == 0;

				for (int s = 1; s < 32 && !known; s++)
					known = conf_expects(name, 0, s);
				ck_assert_msg(known, "%s expects %s", conf_cases()[i].id, name);
			}
		}
}
END_TEST

START_TEST(cases_have_names_of_their_own_and_say_why)
{
	for (size_t i = 0; i < conf_case_count; i++) {
		const struct conf_case *c = &conf_cases()[i];
		const char *mechanism = sandbox_mechanism_name(c->mechanism);
		size_t len = strlen(mechanism);

		ck_assert_msg(strncmp(c->id, mechanism, len) == 0 && c->id[len] == '.',
			      "%s is of %s", c->id, mechanism);
		ck_assert_msg(strspn(c->id, "abcdefghijklmnopqrstuvwxyz0123456789-.") ==
				      strlen(c->id),
			      "%s", c->id);
		ck_assert_msg(conf_case_has(c, CONF_RAW) || conf_case_has(c, CONF_POLICY),
			      "%s is tried in no layer", c->id);
		ck_assert_msg(c->refs && c->refs[0] && c->why && c->why[0], "%s", c->id);
		for (size_t k = 0; k < i; k++)
			ck_assert_msg(strcmp(c->id, conf_cases()[k].id) != 0, "%s twice", c->id);
	}
}
END_TEST

START_TEST(what_was_seen_is_told_in_a_word)
{
	static const struct {
		int seen;
		const char *text;
	} texts[] = {
		{NOT_RUN, "not run"},
		{DONE, "done"},
		{DENIED, "EACCES"},
		{KILLED, "SIGSYS"},
		{CAUGHT, "SIGSYS"},
		{HUNG, "hung"},
		{NO_NONCE, "no probe"},
		{NO_SANDBOX, "no sandbox"},
		{UNPREPARED, "restrict_self: EPERM"},
		{BEGAN, "hung"},
	};
	char text[64];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_str_eq(conf_seen_text(&seen_as[texts[i].seen], text, sizeof(text)),
				 texts[i].text);
}
END_TEST

Suite *conformance_judge_suite(void)
{
	Suite *suite = suite_create("conformance_judge");
	TCase *tc = tcase_create("judge");

	tcase_add_loop_test(tc, verdicts_follow_from_what_was_seen, 0,
			    sizeof(rows) / sizeof(rows[0]));
	tcase_add_loop_test(tc, before_the_third_abi_mounts_keep_files_too, 0,
			    sizeof(mount_rows) / sizeof(mount_rows[0]));
	tcase_add_test(tc, only_what_failed_fails_the_suite);
	tcase_add_test(tc, errnos_and_signals_are_expected_by_their_names);
	tcase_add_test(tc, cases_expect_what_there_is);
	tcase_add_test(tc, cases_have_names_of_their_own_and_say_why);
	tcase_add_test(tc, what_was_seen_is_told_in_a_word);
	suite_add_tcase(suite, tc);
	return suite;
}
