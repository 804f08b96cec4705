/* The forms of a report, of made-up results. */
#include "conformance/show.h"

#include "base/cleanup.h"
#include "conformance/gate.h"
#include "conformance/report_test.h"
#include "tools/tests.h"
#include <string.h>

static const struct report_row rows[] = {
	{"landlock-fs.a", CONF_RAW, true, CONF_CONFORMS},
	{"landlock-fs.b", CONF_RAW, true, CONF_ESCAPED},
	{"seccomp.c", CONF_POLICY, true, CONF_NOT_MEASURED},
	{"seccomp.d", CONF_POLICY, true, CONF_NOT_APPLICABLE},
	{"landlock-fs.b", CONF_RAW, false, CONF_ESCAPED},
	{"seccomp.e", CONF_RAW, false, CONF_PROBE_BROKEN},
	{NULL, CONF_RAW, false, CONF_CONFORMS},
};

static void make(struct conf_report *report, struct conf_report *baseline, bool compared)
{
	report_make_rows(rows, report);
	report_make_rows(rows, baseline);
	if (compared)
		ck_assert_int_eq(conf_gate_compare(report, baseline, CONF_WHOLE, NULL), 0);
}

static void check(const struct conf_report *report, enum conf_format format,
		  const struct conf_look *look, const char *wanted)
{
	cleanup_buf struct buf text = BUF_INIT;

	ck_assert_int_eq(conf_show(report, format, look, &text, NULL), 0);
	ck_assert_str_eq(text.data, wanted);
}

#define HEAD "Linux 6.1 on x86_64, ABI 2 of Landlock\n"

static const char plain_table[] = HEAD
	"seccomp          1 not_measured, 1 not_applicable, 1 probe_broken\n"
	"  not_measured seccomp.c (policy, root): because\n"
	"  probe_broken seccomp.e (raw, ordinary): because\n"
	"landlock-fs      1 conforms, 2 escaped\n"
	"  escaped landlock-fs.b (raw, root and ordinary): because; expected EACCES|EPERM; fix: "
	"abc\n"
	"6 results of 5 cases in 1.5 s: 1 conforms, 2 escaped, 1 not_measured, 1 not_applicable, "
	"1 probe_broken\n";

static const char narrow_table[] =
	HEAD "seccomp          1 not_measured, 1\n"
	     "                 not_applicable, 1\n"
	     "                 probe_broken\n"
	     "  \x1b[33mnot_measured\x1b[0m seccomp.c (policy, root):\n"
	     "    because\n"
	     "  \x1b[1;31mprobe_broken\x1b[0m seccomp.e (raw, ordinary)\n"
	     "    [known]: because\n"
	     "landlock-fs      1 conforms, 2 escaped\n"
	     "  \x1b[33mescaped\x1b[0m landlock-fs.b (raw, root and\n"
	     "    ordinary) [known]: because; expected\n"
	     "    EACCES|EPERM; fix: abc\n"
	     "6 results of 5 cases in 1.5 s: 1\n"
	     "  conforms, 2 escaped, 1 not_measured, 1\n"
	     "  not_applicable, 1 probe_broken;\n"
	     "  against the baseline 3 known\n";

START_TEST(a_table_is_as_wide_as_the_terminal)
{
	struct conf_report report, baseline;

	make(&report, &baseline, _i == 1);
	check(&report, CONF_TABLE,
	      &(struct conf_look){.width = _i == 1 ? 40 : 0, .colour = _i == 1},
	      _i == 1 ? narrow_table : plain_table);
	conf_report_free(&report);
	conf_report_free(&baseline);
}
END_TEST

#define BLOCK(verdict)                                                                             \
	"  ---\n  verdict: \"" verdict "\"\n  reason: \"because\"\n  expected: \"EACCES|EPERM\"\n" \
	"  control: \"done\"\n  denied: \"EACCES\"\n"
#define BLOCK_END "  fix: \"abc\"\n  refs: \"Linux 5.13\"\n  ...\n"

static const char tap[] =
	"TAP version 14\n1..6\n# Linux 6.1 on x86_64, ABI 2 of Landlock\n"
	"ok 1 - landlock-fs.a (raw, root)\n"
	"not ok 2 - landlock-fs.b (raw, root) # TODO known; fix: abc\n" BLOCK(
		"escaped") "  held_by: \"landlock-fs\"\n" BLOCK_END
			   "ok 3 - seccomp.c (policy, root) # SKIP not_measured: because\n"
			   "ok 4 - seccomp.d (policy, root) # SKIP not_applicable: because\n"
			   "not ok 5 - landlock-fs.b (raw, ordinary) # TODO known; fix: "
			   "abc\n" BLOCK(
				   "escaped") "  held_by: \"landlock-fs\"\n" BLOCK_END
					      "not ok 6 - seccomp.e (raw, ordinary)\n" BLOCK(
						      "probe_broken") "  held_by: "
								      "\"seccomp\"\n" BLOCK_END;

/* What is broken is never known. */
START_TEST(tap_has_what_is_known_as_todo)
{
	struct conf_report report, baseline;

	make(&report, &baseline, true);
	check(&report, CONF_TAP, NULL, tap);
	conf_report_free(&report);
	conf_report_free(&baseline);
}
END_TEST

START_TEST(junit_counts_what_it_has)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct conf_report report, baseline;

	make(&report, &baseline, _i == 1);
	ck_assert_int_eq(conf_show(&report, CONF_JUNIT, NULL, &text, NULL), 0);
	ck_assert_ptr_nonnull(strstr(text.data, _i == 1 ? "tests=\"6\" failures=\"0\" errors=\"1\" "
							  "skipped=\"4\" time=\"1.500\""
							: "tests=\"6\" failures=\"2\" errors=\"1\" "
							  "skipped=\"2\" time=\"1.500\""));
	ck_assert_ptr_nonnull(strstr(text.data, "<error type=\"probe_broken\""));
	ck_assert_ptr_nonnull(strstr(text.data, "message=\"not_measured: because\""));
	conf_report_free(&report);
	conf_report_free(&baseline);
}
END_TEST

START_TEST(a_page_holds_the_report)
{
	cleanup_buf struct buf text = BUF_INIT, json = BUF_INIT;
	struct conf_report report, baseline;

	make(&report, &baseline, true);
	ck_assert_int_eq(conf_show(&report, CONF_HTML, NULL, &text, NULL), 0);
	ck_assert_int_eq(conf_report_json(&report, CONF_JSON_IN_HTML, &json, NULL), 0);
	ck_assert_ptr_nonnull(memmem(text.data, text.len, json.data, json.len));
	ck_assert_ptr_null(strstr(text.data, "@REPORT@"));
	ck_assert_ptr_nonnull(strstr(text.data, "</html>"));
	conf_report_free(&report);
	conf_report_free(&baseline);
}
END_TEST

START_TEST(formats_have_names)
{
	ck_assert_int_eq(conf_format_number("table"), CONF_TABLE);
	ck_assert_int_eq(conf_format_number("html"), CONF_HTML);
	ck_assert_int_eq(conf_format_number("HTML"), CONF_FORMATS);
}
END_TEST

Suite *conformance_show_suite(void)
{
	Suite *s = suite_create("conformance_show");
	TCase *tc = tcase_create("show");

	tcase_add_loop_test(tc, a_table_is_as_wide_as_the_terminal, 0, 2);
	tcase_add_test(tc, tap_has_what_is_known_as_todo);
	tcase_add_loop_test(tc, junit_counts_what_it_has, 0, 2);
	tcase_add_test(tc, a_page_holds_the_report);
	tcase_add_test(tc, formats_have_names);
	suite_add_tcase(s, tc);
	return s;
}
