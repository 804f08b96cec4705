/* Reports as JSON: written, read back, and refused. */
#include "conformance/report_test.h"

#include "base/cleanup.h"
#include "sandbox/plan.h"
#include "tools/tests.h"
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- for other tests, too ----------------------------------------------------------------------
 */

static enum sandbox_mechanism mechanism_of(const char *id)
{
	for (int i = 0; i < SANDBOX_MECHS; i++) {
		const char *name = sandbox_mechanism_name(i);

		if (strncmp(id, name, strlen(name)) == 0 && id[strlen(name)] == '.')
			return i;
	}
	ck_abort_msg("%s", id);
}

static void add_row(const struct report_row *row, bool is_first, struct buf *text)
{
	enum sandbox_mechanism mechanism = mechanism_of(row->id);
	const char *name = sandbox_mechanism_name(mechanism);

	ck_assert_int_eq(
		buf_addf(text,
			 "%s\n {\"id\": \"%s\", \"mechanism\": \"%s\", \"layer\": \"%s\", "
			 "\"user\": \"%s\", \"verdict\": \"%s\", \"expected\": \"EACCES|EPERM\", "
			 "\"observed\": {\"control\": \"done\", \"denied\": \"EACCES\"}, "
			 "\"held_by\": [\"%s\"], \"fix\": \"abc\", \"refs\": \"Linux 5.13\", "
			 "\"why\": \"it is wrong\", \"reason\": %s}",
			 is_first ? "" : ",", row->id, name, conf_layer_name(row->layer),
			 conf_user_name(row->root), conf_verdict_name(row->verdict), name,
			 row->verdict == CONF_CONFORMS ? "null" : "\"because\""),
		0);
}

void report_make_rows(const struct report_row *rows, struct conf_report *ret)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct error err = {0};

	ck_assert_int_eq(buf_add_str(&text, "{\"schema\": 1, \"host\": {\"kernel\": \"6.1\", "
					    "\"arch\": \"x86_64\", \"landlock_abi\": 2, "
					    "\"errata\": null, \"lsm\": \"landlock,yama\", "
					    "\"sysctls\": {\"a/b\": \"1\"}},\n"
					    "\"summary\": {\"duration_s\": 1.5},\n\"cases\": ["),
			 0);
	for (size_t i = 0; rows[i].id; i++)
		add_row(&rows[i], i == 0, &text);
	ck_assert_int_eq(buf_add_str(&text, "]}\n"), 0);
	ck_assert_msg(conf_report_parse((struct bytes){text.data, text.len}, "rows", ret, &err) ==
			      0,
		      "%s", err.text);
}

void report_text(const struct conf_report *report, struct buf *ret)
{
	ck_assert_int_eq(conf_report_json(report, CONF_JSON_FILE, ret, NULL), 0);
}

static const struct report_row two_rows[] = {
	{"landlock-fs.one", CONF_RAW, true, CONF_CONFORMS},
	{"seccomp.two", CONF_POLICY, false, CONF_ESCAPED},
	{NULL, CONF_RAW, false, CONF_CONFORMS},
};

/* --- from a suite ------------------------------------------------------------------------------
 */

#define SEEN(...)                                                                                  \
	{                                                                                          \
		.ran = true, .nonce = true, .state = PROBE_DONE, __VA_ARGS__                       \
	}

static const struct conf_case odd_case = {
	.id = "landlock-fs.odd",
	.mechanism = SANDBOX_MECH_LANDLOCK_FS,
	.raw = {.expected = "EACCES"},
	.policy = {.expected = "EPERM",
		   .held = 1U << SANDBOX_MECH_SECCOMP | 1U << SANDBOX_MECH_LANDLOCK_FS},
	.why = "it is odd",
};

static struct conf_result odd_results[] = {
	{.c = &odd_case,
	 .layer = CONF_RAW,
	 .root = true,
	 .verdict = CONF_ESCAPED,
	 .seen = {SEEN(.error = 0), SEEN(.error = 0), SEEN(.error = 0)},
	 .why = "it is odd"},
	{.c = &odd_case,
	 .layer = CONF_POLICY,
	 .verdict = CONF_CONFORMS,
	 .seen = {SEEN(.error = 0), SEEN(.error = 0), SEEN(.signal = SIGSYS), SEEN(.error = 0)}},
	{.c = &odd_case,
	 .layer = CONF_LAUNCHER,
	 .verdict = CONF_PROBE_BROKEN,
	 .why = "a\nb\t\x1b[1m \xc2\x85 \xef\xbf\xbf <b> \xe2\x82\xac"},
	{.c = &odd_case, .layer = CONF_LAUNCHER, .root = true, .why = "\xff"},
};

static void make_odd(struct conf_report *ret)
{
	const struct conf_suite suite = {
		.host = {.kernel = "6.1-<test>",
			 .arch = "x86_64",
			 .landlock_abi = 7,
			 .errata = 3,
			 .sysctl = {{"kernel/a", "0"}, {"kernel/b", "1"}},
			 .sysctls = 2},
		.result = odd_results,
		.count = sizeof(odd_results) / sizeof(odd_results[0]),
		.duration_ns = UINT64_C(1234567890),
	};

	ck_assert_int_eq(conf_report_make(&suite, ret, NULL), 0);
}

START_TEST(a_suite_becomes_a_report)
{
	struct conf_report report;
	char text[64];

	make_odd(&report);
	ck_assert_uint_eq(report.count, 4);
	ck_assert_str_eq(report.entry[0].id, "landlock-fs.odd");
	ck_assert_str_eq(report.entry[0].expected, "EACCES");
	ck_assert_str_eq(report.entry[0].observed[CONF_DENIED], "done");
	ck_assert_ptr_null(report.entry[0].observed[CONF_ABLATED]);
	ck_assert_str_eq(report.entry[0].fix, "");
	ck_assert_str_eq(report.entry[0].reason, "it is odd");
	ck_assert_str_eq(report.entry[1].observed[CONF_DENIED], "SIGSYS");
	ck_assert_str_eq(report.entry[1].observed[CONF_ABLATED], "done");
	ck_assert_str_eq(conf_mechanisms_text(report.entry[1].held, text, sizeof(text)),
			 "seccomp, landlock-fs");
	ck_assert_str_eq(conf_mechanisms_text(report.entry[1].held, text, 10), "seccomp, ");
	/* What a foreign sandbox does is not foreseen. */
	ck_assert_str_eq(report.entry[2].expected, "");
	ck_assert_uint_eq(report.entry[2].held, 0);
	ck_assert_ptr_null(report.entry[2].observed[CONF_CONTROL]);
	conf_report_free(&report);
}
END_TEST

START_TEST(texts_are_made_plain)
{
	struct conf_report report;

	make_odd(&report);
	ck_assert_str_eq(report.entry[2].reason, "a?b??[1m ? ? <b> \xe2\x82\xac");
	ck_assert_str_eq(report.entry[3].reason, "$'\\xff'");
	ck_assert(conf_report_is_plain("\xc3\xa9 \xc2\xa0 \xef\xbf\xbd"));
	ck_assert(!conf_report_is_plain("a\x7f"));
	ck_assert(!conf_report_is_plain("a\xc2\x9b"));
	conf_report_free(&report);
}
END_TEST

/* --- there and back ----------------------------------------------------------------------------
 */

static void check_reads_back(const struct conf_report *report)
{
	cleanup_buf struct buf first = BUF_INIT, again = BUF_INIT;
	struct conf_report back;
	struct error err = {0};

	report_text(report, &first);
	ck_assert_msg(
		conf_report_parse((struct bytes){first.data, first.len}, "first", &back, &err) == 0,
		"%s", err.text);
	report_text(&back, &again);
	ck_assert_str_eq(first.data, again.data);
	ck_assert_uint_eq(back.count, report->count);
	ck_assert_uint_eq(back.duration_ns, report->duration_ns);
	ck_assert_int_eq(back.host.errata, report->host.errata);
	for (size_t i = 0; i < back.count; i++) {
		ck_assert_int_eq(conf_entry_compare(&back.entry[i], &report->entry[i]), 0);
		ck_assert_uint_eq(back.entry[i].held, report->entry[i].held);
		ck_assert_uint_eq(back.entry[i].was, CONF_VERDICTS);
	}
	conf_report_free(&back);
}

START_TEST(a_report_reads_back_to_the_same)
{
	struct conf_report report;

	make_odd(&report);
	report.duration_ns = UINT64_C(1234500000); /* six digits are written */
	check_reads_back(&report);
	conf_report_free(&report);
	report_make_rows(two_rows, &report);
	ck_assert_int_eq(report.host.errata, -1);
	check_reads_back(&report);
	conf_report_free(&report);
	report_make_rows(&two_rows[2], &report);
	check_reads_back(&report);
	conf_report_free(&report);
}
END_TEST

START_TEST(in_a_page_no_tag_can_begin)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct conf_report report, back;

	make_odd(&report);
	ck_assert_int_eq(conf_report_json(&report, CONF_JSON_IN_HTML, &text, NULL), 0);
	ck_assert_ptr_null(memchr(text.data, '<', text.len));
	ck_assert_ptr_null(memchr(text.data, '\n', text.len));
	ck_assert_int_eq(
		conf_report_parse((struct bytes){text.data, text.len}, "page", &back, NULL), 0);
	ck_assert_str_eq(back.host.kernel, "6.1-<test>");
	conf_report_free(&report);
	conf_report_free(&back);
}
END_TEST

/* --- what is refused ---------------------------------------------------------------------------
 */

static const struct {
	const char *what, *with; /* in the text of two_rows, once */
	const char *told;
} bad[] = {
	{"\"schema\": 1", "\"schema\": 2",
	 "f:2: schema: the report is of schema 2, and this program reads 1"},
	{"\"schema\": 1", "\"schema\": \"1\"", "f:2: schema: it must be a whole number"},
	{"\"schema\": 1,", "", "f:1: \"schema\" is missing"},
	{"\"x86_64\"", "7", "f:5: host.arch: it must be a string in one line"},
	{"\"x86_64\"", "\"\\u0000\"", "f:5: host.arch: it must be a string in one line"},
	{"\"6.1\"", "\"6\\n1\"", "f:4: host.kernel: it must be a string in one line"},
	{"\"landlock_abi\": 2", "\"landlock_abi\": -2",
	 "f:6: host.landlock_abi: it must be a whole number"},
	{"\"errata\": null", "\"errata\": 1.5", "f:7: host.errata: it must be a whole number"},
	{"\"a/b\": \"1\"", "\"a/b\": 1", "f:10: host.sysctls.a/b: it must be a string in one line"},
	{"\"a/b\": \"1\"", "\"a/b\": \"12345678901234567890123456789012\"",
	 "f:10: host.sysctls.a/b: it is too long"},
	{"\"duration_s\": 1.5", "\"duration_s\": -1",
	 "f:16: summary.duration_s: it must be a number of seconds"},
	{"\"id\": \"seccomp.two\"", "\"id\": \"\"", "f:50: cases[1].id: it is empty"},
	{"\"layer\": \"policy\"", "\"layer\": \"both\"",
	 "f:52: cases[1].layer: there is no such layer"},
	{"\"user\": \"ordinary\"", "\"user\": \"me\"",
	 "f:53: cases[1].user: there is no such user"},
	{"\"verdict\": \"escaped\"", "\"verdict\": \"passed\"",
	 "f:54: cases[1].verdict: there is no such verdict"},
	{"\"verdict\": \"escaped\"", "\"verdict\": null",
	 "f:54: cases[1].verdict: there is no such verdict"},
	{"\"seccomp\"\n", "\"selinux\"\n", "f:61: cases[1].held_by[0]: there is no such mechanism"},
	{"\"reason\": \"because\"", "\"reasons\": \"because\"",
	 "f:49: cases[1]: \"reason\" is missing"},
	{"\"cases\": [", "\"cases\": [7,", "f:29: cases[0]: it must be an object"},
	{"\"cases\": [", "\"cases\": {}, \"more\": [", "f:29: cases: it must be an array"},
	{"{\n  \"schema\"", "[{\n  \"schema\"",
	 "f:70: this is no whole JSON: ']' expected near "
	 "end of file"},
};

static void change(struct buf *text, const char *what, const char *with)
{
	cleanup_buf struct buf out = BUF_INIT;
	char *found = strstr(text->data, what);

	ck_assert_msg(found != NULL, "%s in %s", what, text->data);
	ck_assert_int_eq(buf_add(&out, text->data, (size_t)(found - text->data)), 0);
	ck_assert_int_eq(buf_add_str(&out, with), 0);
	ck_assert_int_eq(buf_add_str(&out, found + strlen(what)), 0);
	buf_free(text);
	*text = out;
	out = (struct buf)BUF_INIT;
}

START_TEST(an_error_names_file_line_and_key)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct conf_report report;
	struct error err = {0};

	report_make_rows(two_rows, &report);
	report_text(&report, &text);
	conf_report_free(&report);
	change(&text, bad[_i].what, bad[_i].with);
	ck_assert_int_eq(conf_report_parse((struct bytes){text.data, text.len}, "f", &report, &err),
			 strstr(bad[_i].told, "is of schema") ? ERR_VERSION : ERR_FORMAT);
	ck_assert_str_eq(err.text, bad[_i].told);
	ck_assert_ptr_null(report.entry);
}
END_TEST

START_TEST(a_result_is_there_once)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct conf_report report;
	struct error err = {0};

	report_make_rows(two_rows, &report);
	report.entry[1].id = report.entry[0].id;
	report.entry[1].layer = report.entry[0].layer;
	report_text(&report, &text);
	conf_report_free(&report);
	ck_assert_int_eq(conf_report_parse((struct bytes){text.data, text.len}, "f", &report, &err),
			 0);
	conf_report_free(&report);
	change(&text, "ordinary", "root");
	ck_assert_int_eq(conf_report_parse((struct bytes){text.data, text.len}, "f", &report, &err),
			 ERR_FORMAT);
	ck_assert_str_eq(err.text, "f:49: cases[1]: landlock-fs.one is there twice as root in the "
				   "layer raw");
}
END_TEST

START_TEST(a_truncated_report_is_refused)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct conf_report report;

	report_make_rows(two_rows, &report);
	report_text(&report, &text);
	conf_report_free(&report);
	/* Without its newline it is whole. */
	for (size_t len = 0; len + 1 < text.len; len++) {
		struct error err = {0};

		ck_assert_int_eq(
			conf_report_parse((struct bytes){text.data, len}, "f", &report, &err),
			ERR_FORMAT);
		ck_assert_msg(strstr(err.text, "this is no whole JSON") != NULL, "%zu: %s", len,
			      err.text);
	}
}
END_TEST

START_TEST(a_file_that_is_not_there_is_named)
{
	struct conf_report report;
	struct error err = {0};

	ck_assert_int_lt(conf_report_read("/none/report.json", &report, &err), 0);
	ck_assert_msg(strstr(err.text, "/none/report.json") != NULL, "%s", err.text);
	ck_assert_int_lt(conf_report_read("/", &report, &err), 0);
}
END_TEST

/* --- orders and sums ---------------------------------------------------------------------------
 */

START_TEST(results_are_counted_and_sorted)
{
	const struct report_row rows[] = {
		{"seccomp.b", CONF_RAW, false, CONF_ESCAPED},
		{"seccomp.a", CONF_POLICY, false, CONF_CONFORMS},
		{"seccomp.a", CONF_RAW, false, CONF_CONFORMS},
		{conf_cases()[1].id, CONF_RAW, false, CONF_CONFORMS},
		{conf_cases()[0].id, CONF_RAW, false, CONF_CONFORMS},
		{"seccomp.b", CONF_RAW, true, CONF_NOT_MEASURED},
		{NULL, CONF_RAW, false, CONF_CONFORMS},
	};
	const size_t order[] = {5, 4, 3, 2, 1, 0};
	struct conf_report report;
	struct conf_counts counts;

	report_make_rows(rows, &report);
	conf_report_count(&report, &counts);
	ck_assert_uint_eq(counts.cases, 4);
	ck_assert_uint_eq(counts.results, 6);
	ck_assert_uint_eq(counts.verdict[CONF_CONFORMS], 4);
	ck_assert_uint_eq(counts.verdict[CONF_ESCAPED], 1);
	conf_report_sort(&report);
	for (size_t i = 0; i < report.count; i++) {
		ck_assert_str_eq(report.entry[i].id, rows[order[i]].id);
		ck_assert_int_eq(report.entry[i].layer, rows[order[i]].layer);
		ck_assert_int_eq(report.entry[i].root, rows[order[i]].root);
	}
	conf_report_free(&report);
}
END_TEST

/* --- the schema --------------------------------------------------------------------------------
 */

static void check_names(const json_t *schema, const char *which, const char *(*name_of)(int),
			int count)
{
	const json_t *names =
		json_object_get(json_object_get(json_object_get(schema, "$defs"), which), "enum");

	ck_assert_int_eq((int)json_array_size(names), count);
	for (int i = 0; i < count; i++)
		ck_assert_str_eq(json_string_value(json_array_get(names, (size_t)i)), name_of(i));
}

static const char *mechanism_name(int i)
{
	return sandbox_mechanism_name(i);
}

static const char *verdict_name(int i)
{
	return conf_verdict_name(i);
}

START_TEST(the_schema_has_the_names_of_the_program)
{
	json_t *schema =
		json_load_file("conformance/report.schema.json", JSON_REJECT_DUPLICATES, NULL);

	ck_assert_ptr_nonnull(schema);
	check_names(schema, "mechanism", mechanism_name, SANDBOX_MECHS);
	check_names(schema, "verdict", verdict_name, CONF_VERDICTS);
	json_decref(schema);
}
END_TEST

Suite *conformance_report_suite(void)
{
	Suite *s = suite_create("conformance_report");
	TCase *tc = tcase_create("report");

	tcase_add_test(tc, a_suite_becomes_a_report);
	tcase_add_test(tc, texts_are_made_plain);
	tcase_add_test(tc, a_report_reads_back_to_the_same);
	tcase_add_test(tc, in_a_page_no_tag_can_begin);
	tcase_add_loop_test(tc, an_error_names_file_line_and_key, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(tc, a_result_is_there_once);
	tcase_add_test(tc, a_truncated_report_is_refused);
	tcase_add_test(tc, a_file_that_is_not_there_is_named);
	tcase_add_test(tc, results_are_counted_and_sorted);
	tcase_add_test(tc, the_schema_has_the_names_of_the_program);
	suite_add_tcase(s, tc);
	return s;
}
