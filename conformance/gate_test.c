/* Baselines, exit statuses, shards. */
#include "conformance/gate.h"
#include "conformance/report_test.h"

#include "base/cleanup.h"
#include "tools/tests.h"
#include <stdio.h>
#include <string.h>

#define END                                                                                        \
	{                                                                                          \
		NULL, CONF_RAW, false, CONF_CONFORMS                                               \
	}

static void remember(void *ctx, const char *text)
{
	struct buf *told = ctx;

	ck_assert_int_eq(buf_addf(told, "%s\n", text), 0);
}

/* One result of a verdict, against one of another; CONF_VERDICTS: it is not in the baseline. */
static const struct {
	enum conf_verdict was, is;
	enum conf_change change;
	int status, alone; /* with the baseline, and without one */
} changes[] = {
	{CONF_CONFORMS, CONF_CONFORMS, CONF_SAME, 0, 0},
	{CONF_CONFORMS, CONF_ESCAPED, CONF_BROKEN, 1, 1},
	{CONF_CONFORMS, CONF_MISCLASSIFIED, CONF_BROKEN, 1, 1},
	{CONF_CONFORMS, CONF_NOT_MEASURED, CONF_BROKEN, 1, 1},
	{CONF_CONFORMS, CONF_NOT_ENFORCED, CONF_BROKEN, 1, 1},
	{CONF_CONFORMS, CONF_NOT_APPLICABLE, CONF_BROKEN, 1, 1},
	{CONF_CONFORMS, CONF_PROBE_BROKEN, CONF_BROKEN, 2, 2},
	{CONF_ESCAPED, CONF_ESCAPED, CONF_KNOWN, 0, 1},
	{CONF_ESCAPED, CONF_CONFORMS, CONF_FIXED, 0, 0},
	{CONF_ESCAPED, CONF_MISCLASSIFIED, CONF_BROKEN, 1, 1},
	{CONF_OVERREFUSED, CONF_OVERREFUSED, CONF_KNOWN, 0, 1},
	{CONF_CONTRADICTION, CONF_CONTRADICTION, CONF_KNOWN, 0, 1},
	{CONF_PROBE_BROKEN, CONF_PROBE_BROKEN, CONF_KNOWN, 2, 2},
	{CONF_PROBE_BROKEN, CONF_CONFORMS, CONF_FIXED, 0, 0},
	{CONF_NOT_MEASURED, CONF_CONFORMS, CONF_CHANGED, 0, 0},
	{CONF_NOT_MEASURED, CONF_ESCAPED, CONF_BROKEN, 1, 1},
	{CONF_NOT_APPLICABLE, CONF_OVERREFUSED, CONF_BROKEN, 1, 1},
	{CONF_VERDICTS, CONF_CONFORMS, CONF_NEW, 0, 0},
	{CONF_VERDICTS, CONF_ESCAPED, CONF_NEW, 1, 1},
	{CONF_VERDICTS, CONF_PROBE_BROKEN, CONF_NEW, 2, 2},
};

START_TEST(a_result_is_held_against_the_baseline)
{
	const struct report_row was[] = {{"seccomp.x", CONF_RAW, true, changes[_i].was}, END};
	const struct report_row is[] = {{"seccomp.x", CONF_RAW, true, changes[_i].is}, END};
	const struct report_row none[] = {END};
	const struct conf_gate gate = {.required = 0};
	struct conf_report report, baseline;

	report_make_rows(is, &report);
	report_make_rows(changes[_i].was == CONF_VERDICTS ? none : was, &baseline);
	ck_assert_int_eq(conf_gate_status(&report, &gate), changes[_i].alone);
	ck_assert_int_eq(conf_gate_compare(&report, &baseline, CONF_WHOLE, NULL), 0);
	ck_assert_int_eq(report.entry[0].change, changes[_i].change);
	ck_assert_int_eq(report.entry[0].was, changes[_i].was);
	ck_assert_uint_eq(report.gone_count, 0);
	ck_assert_int_eq(conf_gate_status(&report, &gate), changes[_i].status);
	conf_report_free(&report);
	conf_report_free(&baseline);
}
END_TEST

START_TEST(user_and_layer_are_results_of_their_own)
{
	const struct report_row was[] = {{"seccomp.x", CONF_RAW, true, CONF_ESCAPED}, END};
	const struct report_row is[] = {{"seccomp.x", CONF_RAW, false, CONF_ESCAPED},
					{"seccomp.x", CONF_POLICY, true, CONF_CONFORMS},
					END};
	struct conf_report report, baseline;

	report_make_rows(is, &report);
	report_make_rows(was, &baseline);
	ck_assert_int_eq(conf_gate_compare(&report, &baseline, CONF_WHOLE, NULL), 0);
	ck_assert_int_eq(report.entry[0].change, CONF_NEW);
	ck_assert_int_eq(report.entry[1].change, CONF_NEW);
	ck_assert_uint_eq(report.gone_count, 1);
	ck_assert_ptr_eq(report.gone[0], &baseline.entry[0]);
	conf_report_free(&report);
	conf_report_free(&baseline);
}
END_TEST

START_TEST(of_a_part_only_what_the_suite_lacks_is_gone)
{
	const struct report_row was[] = {{conf_cases()[0].id, CONF_RAW, true, CONF_CONFORMS},
					 {"seccomp.no-more", CONF_RAW, true, CONF_CONFORMS},
					 {conf_cases()[0].id, CONF_LAUNCHER, true, CONF_CONFORMS},
					 END};
	const struct report_row is[] = {{"seccomp.x", CONF_RAW, true, CONF_CONFORMS}, END};
	struct conf_report report, baseline;

	report_make_rows(was, &baseline);
	for (int extent = CONF_WHOLE; extent <= CONF_PART; extent++) {
		report_make_rows(is, &report);
		ck_assert_int_eq(conf_gate_compare(&report, &baseline, extent, NULL), 0);
		ck_assert_uint_eq(report.gone_count, extent == CONF_WHOLE ? 3 : 1);
		ck_assert_str_eq(report.gone[extent == CONF_WHOLE]->id, "seccomp.no-more");
		conf_report_free(&report);
	}
	conf_report_free(&baseline);
}
END_TEST

START_TEST(another_architecture_is_no_baseline)
{
	const struct report_row rows[] = {{"seccomp.x", CONF_RAW, true, CONF_CONFORMS}, END};
	struct conf_report report, baseline;
	struct error err = {0};

	report_make_rows(rows, &report);
	report_make_rows(rows, &baseline);
	strcpy(baseline.host.arch, "riscv64");
	ck_assert_int_eq(conf_gate_compare(&report, &baseline, CONF_WHOLE, &err), ERR_INVALID);
	ck_assert_str_eq(err.text, "the baseline is of another architecture: riscv64, and this is "
				   "x86_64");
	conf_report_free(&report);
	conf_report_free(&baseline);
}
END_TEST

/* --- the status --------------------------------------------------------------------------------
 */

#define SECCOMP (1U << SANDBOX_MECH_SECCOMP)
#define ENV	(1U << SANDBOX_MECH_ENV)

static const struct {
	struct report_row rows[4];
	unsigned required;
	bool is_shard;
	int status;
	const char *told;
} statuses[] = {
	{{{"seccomp.x", CONF_RAW, true, CONF_CONFORMS}}, 0, false, 0, ""},
	{{END}, 0, false, 1, "nothing was measured: no result conforms or fails\n"},
	{{{"seccomp.x", CONF_RAW, true, CONF_NOT_MEASURED},
	  {"seccomp.y", CONF_RAW, true, CONF_NOT_APPLICABLE}},
	 0,
	 false,
	 1,
	 "nothing was measured: no result conforms or fails\n"},
	{{{"seccomp.x", CONF_RAW, true, CONF_ESCAPED}},
	 0,
	 false,
	 1,
	 "1 result fails: seccomp.x (raw, root) escaped: because\n"},
	{{{"seccomp.x", CONF_RAW, true, CONF_CONFORMS},
	  {"seccomp.y", CONF_POLICY, false, CONF_OVERREFUSED},
	  {"seccomp.z", CONF_POLICY, false, CONF_PROBE_BROKEN}},
	 0,
	 false,
	 2,
	 "2 results fail: first seccomp.y (policy, ordinary) overrefused: because\n"
	 "1 result says nothing: seccomp.z (policy, ordinary) probe_broken: because\n"},
	{{{"seccomp.x", CONF_RAW, true, CONF_CONFORMS},
	  {"env.x", CONF_RAW, true, CONF_NOT_MEASURED}},
	 SECCOMP,
	 false,
	 0,
	 ""},
	{{{"seccomp.x", CONF_RAW, true, CONF_CONFORMS},
	  {"env.x", CONF_RAW, true, CONF_NOT_MEASURED}},
	 SECCOMP | ENV,
	 false,
	 1,
	 "env is required, and env.x (raw, root) is not_measured: because\n"},
	{{{"seccomp.x", CONF_RAW, true, CONF_CONFORMS},
	  {"env.x", CONF_RAW, true, CONF_NOT_ENFORCED}},
	 ENV,
	 false,
	 1,
	 "env is required, and env.x (raw, root) is not_enforced: because\n"},
	{{{"env.x", CONF_RAW, false, CONF_CONFORMS},
	  {"env.x", CONF_RAW, true, CONF_NOT_APPLICABLE},
	  {"env.y", CONF_POLICY, true, CONF_NOT_APPLICABLE}},
	 ENV,
	 false,
	 0,
	 ""},
	/* Nothing of it is applicable where the kernel does not have it. */
	{{{"seccomp.x", CONF_RAW, true, CONF_CONFORMS},
	  {"env.x", CONF_RAW, true, CONF_NOT_APPLICABLE}},
	 SECCOMP | ENV,
	 false,
	 1,
	 "env is required, and nothing of it was measured: first env.x (raw, root) is "
	 "not_applicable: because\n"},
	{{{"env.w", CONF_POLICY, true, CONF_CONFORMS},
	  {"env.x", CONF_RAW, true, CONF_NOT_APPLICABLE}},
	 ENV,
	 false,
	 1,
	 "env is required, and nothing of it was measured: first env.x (raw, root) is "
	 "not_applicable: because\n"},
	{{{"env.w", CONF_POLICY, true, CONF_CONFORMS}}, ENV, false, 0, ""},
	{{{"seccomp.x", CONF_RAW, true, CONF_CONFORMS},
	  {"env.x", CONF_RAW, true, CONF_NOT_APPLICABLE}},
	 ENV,
	 true,
	 0,
	 ""},
	{{{"seccomp.x", CONF_RAW, true, CONF_CONFORMS}},
	 ENV,
	 false,
	 1,
	 "env is required, and has no result\n"},
	{{{"seccomp.x", CONF_RAW, true, CONF_CONFORMS}}, ENV, true, 0, ""},
};

START_TEST(a_report_has_a_status)
{
	cleanup_buf struct buf told = BUF_INIT;
	const struct conf_gate gate = {.required = statuses[_i].required,
				       .is_shard = statuses[_i].is_shard,
				       .say = remember,
				       .ctx = &told};
	struct conf_report report;

	report_make_rows(statuses[_i].rows, &report);
	ck_assert_int_eq(conf_gate_status(&report, &gate), statuses[_i].status);
	ck_assert_str_eq(told.data ? told.data : "", statuses[_i].told);
	conf_report_free(&report);
}
END_TEST

/* What is known still fails where its mechanism is required. */
START_TEST(what_is_required_is_not_excused)
{
	const struct report_row rows[] = {{"seccomp.x", CONF_RAW, true, CONF_ESCAPED}, END};
	const struct conf_gate gate = {.required = SECCOMP};
	struct conf_report report, baseline;

	report_make_rows(rows, &report);
	report_make_rows(rows, &baseline);
	ck_assert_int_eq(conf_gate_compare(&report, &baseline, CONF_WHOLE, NULL), 0);
	ck_assert_int_eq(conf_gate_status(&report, &gate), 1);
	conf_report_free(&report);
	conf_report_free(&baseline);
}
END_TEST

/* --- shards ------------------------------------------------------------------------------------
 */

START_TEST(shards_are_read)
{
	const char *const bad_ones[] = {"",	"1",	"0/2",	"3/2",	       "1/0", "1/2/3",
					"1/2 ", "-1/2", "+1/2", "1/1001",      "a/b", "1/",
					"/2",	" 1/2", "1//2", "1/4294967298"};
	struct conf_shard shard = {0, 0};

	ck_assert_int_eq(conf_shard_parse("2/5", &shard, NULL), 0);
	ck_assert_uint_eq(shard.number, 2);
	ck_assert_uint_eq(shard.of, 5);
	for (size_t i = 0; i < sizeof(bad_ones) / sizeof(bad_ones[0]); i++)
		ck_assert_msg(conf_shard_parse(bad_ones[i], &shard, NULL) == ERR_INVALID, "%s",
			      bad_ones[i]);
	ck_assert_uint_eq(shard.of, 5);
}
END_TEST

START_TEST(each_case_is_in_one_shard)
{
	const struct conf_shard all = {0, 0};

	for (size_t i = 0; i < conf_case_count; i++) {
		unsigned count = 0;

		ck_assert(conf_shard_has(&all, conf_cases()[i].id));
		for (unsigned number = 1; number <= 7; number++)
			count +=
				conf_shard_has(&(struct conf_shard){number, 7}, conf_cases()[i].id);
		ck_assert_uint_eq(count, 1);
	}
	/* Not otherwise in another version. */
	ck_assert(conf_shard_has(&(struct conf_shard){1, 2}, "seccomp.errno") !=
		  conf_shard_has(&(struct conf_shard){2, 2}, "seccomp.errno"));
}
END_TEST

static const char *const names[] = {"a.json", "b.json"};

START_TEST(parts_become_one_report)
{
	const struct report_row first[] = {{"seccomp.b", CONF_RAW, true, CONF_CONFORMS},
					   {"seccomp.c", CONF_RAW, false, CONF_CONFORMS},
					   END};
	const struct report_row second[] = {{"seccomp.a", CONF_RAW, true, CONF_ESCAPED},
					    {"seccomp.c", CONF_RAW, false, CONF_CONFORMS},
					    END};
	const struct report_row both[] = {{"seccomp.a", CONF_RAW, true, CONF_ESCAPED},
					  {"seccomp.b", CONF_RAW, true, CONF_CONFORMS},
					  {"seccomp.c", CONF_RAW, false, CONF_CONFORMS},
					  END};
	cleanup_buf struct buf merged_text = BUF_INIT, whole_text = BUF_INIT;
	struct conf_report parts[2], merged, whole;
	struct error err = {0};

	report_make_rows(first, &parts[0]);
	report_make_rows(second, &parts[1]);
	report_make_rows(both, &whole);
	ck_assert_msg(conf_merge(parts, names, 2, &merged, &err) == 0, "%s", err.text);
	ck_assert_uint_eq(merged.duration_ns, UINT64_C(3000000000));
	merged.duration_ns = whole.duration_ns;
	report_text(&merged, &merged_text);
	report_text(&whole, &whole_text);
	ck_assert_str_eq(merged_text.data, whole_text.data);
	conf_report_free(&merged);
	conf_report_free(&whole);
	conf_report_free(&parts[0]);
	conf_report_free(&parts[1]);
}
END_TEST

START_TEST(parts_without_a_shard_are_refused)
{
	const struct report_row rows[] = {{"seccomp.b", CONF_RAW, true, CONF_CONFORMS}, END};
	struct conf_report parts[2], merged;
	struct error err = {0};

	report_make_rows(rows, &parts[0]);
	report_make_rows(rows, &parts[1]);
	parts[0].shard = (struct conf_shard){2, 3};
	parts[1].shard = (struct conf_shard){1, 3};
	ck_assert_int_eq(conf_merge(parts, names, 2, &merged, &err), ERR_INVALID);
	ck_assert_str_eq(err.text, "a.json is of the shard 2/3, and no report is of the shard 3/3: "
				   "all shards make one report");
	parts[1].shard = (struct conf_shard){1, 2};
	ck_assert_int_eq(conf_merge(parts, names, 2, &merged, &err), ERR_INVALID);
	parts[0].shard = (struct conf_shard){2, 2};
	ck_assert_int_eq(conf_merge(parts, names, 2, &merged, &err), 0);
	ck_assert_uint_eq(merged.shard.of, 0);
	conf_report_free(&merged);
	conf_report_free(&parts[0]);
	conf_report_free(&parts[1]);
}
END_TEST

START_TEST(parts_that_disagree_are_refused)
{
	const struct report_row first[] = {{"seccomp.b", CONF_RAW, true, CONF_CONFORMS}, END};
	const struct report_row second[] = {{"seccomp.b", CONF_RAW, true, CONF_ESCAPED}, END};
	struct conf_report parts[2], merged;
	struct error err = {0};

	report_make_rows(first, &parts[0]);
	report_make_rows(second, &parts[1]);
	ck_assert_int_eq(conf_merge(parts, names, 2, &merged, &err), ERR_INVALID);
	ck_assert_str_eq(err.text,
			 "b.json: seccomp.b (raw, root) is escaped there, and conforms in "
			 "a report before it");
	strcpy(parts[1].host.kernel, "6.2");
	ck_assert_int_eq(conf_merge(parts, names, 2, &merged, &err), ERR_INVALID);
	ck_assert_str_eq(err.text,
			 "a.json is of Linux 6.1 on x86_64 with ABI 2 of Landlock, and "
			 "b.json of 6.2 on x86_64 with 2: they are no parts of one report");
	conf_report_free(&parts[0]);
	conf_report_free(&parts[1]);
}
END_TEST

Suite *conformance_gate_suite(void)
{
	Suite *s = suite_create("conformance_gate");
	TCase *tc = tcase_create("gate");

	tcase_add_loop_test(tc, a_result_is_held_against_the_baseline, 0,
			    sizeof(changes) / sizeof(changes[0]));
	tcase_add_test(tc, user_and_layer_are_results_of_their_own);
	tcase_add_test(tc, of_a_part_only_what_the_suite_lacks_is_gone);
	tcase_add_test(tc, another_architecture_is_no_baseline);
	tcase_add_loop_test(tc, a_report_has_a_status, 0, sizeof(statuses) / sizeof(statuses[0]));
	tcase_add_test(tc, what_is_required_is_not_excused);
	tcase_add_test(tc, shards_are_read);
	tcase_add_test(tc, each_case_is_in_one_shard);
	tcase_add_test(tc, parts_become_one_report);
	tcase_add_test(tc, parts_without_a_shard_are_refused);
	tcase_add_test(tc, parts_that_disagree_are_refused);
	suite_add_tcase(s, tc);
	return s;
}
