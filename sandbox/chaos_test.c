/* Memory that runs out at every place there is: a policy is read in full, or that is said. */
#include "base/chaos_test.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "sandbox/cgroup.h"
#include "sandbox/environment.h"
#include "sandbox/fds.h"
#include "sandbox/rlimits.h"
#include "tools/tests.h"
#include <stdlib.h>
#include <string.h>

static const struct sandbox_places places = {"/usr", "/home/me", "/tmp"};

/* What the policy says when there is memory. */
static char *wanted;

static void only_memory(int rc, const struct error *err)
{
	ck_assert_msg(rc == 0 || rc == ERR_NOMEM, "%d: %s", rc, err->text);
	ck_assert_msg(rc == 0 || chaos_met(), "there was memory");
	ck_assert_int_eq(rc, err->code);
}

static void try_paths(const struct sandbox_policy *policy)
{
	struct sandbox_paths *paths = NULL;
	struct error err = {0};
	struct sandbox_path got;
	int rc = sandbox_paths_new(policy, NULL, NULL, &paths, &err);

	if (rc == 0) {
		rc = sandbox_paths_check(paths, SANDBOX_ACCESS_WRITE, "/usr", "../etc/shadow", &got,
					 &err);
		chaos_disarm();
		ck_assert(rc < 0 || !got.allowed);
		chaos_rearm();
	}
	chaos_disarm();
	only_memory(rc, &err);
	chaos_rearm();
	sandbox_paths_free(paths);
}

/* Whatever is read is all of it: a policy that has lost a rule or a byte would be another one. */
static void try_policy(struct bytes text)
{
	struct sandbox_policy *policy = NULL;
	struct error err = {0};
	char *got = NULL;
	int rc = sandbox_policy_parse(text.data, text.len, "text", &places, &policy, &err);

	chaos_disarm();
	only_memory(rc, &err);
	ck_assert_int_eq(rc == 0, policy != NULL);
	chaos_rearm();
	if (rc < 0)
		return;
	rc = sandbox_policy_json(policy, &got, &err);
	chaos_disarm();
	only_memory(rc, &err);
	ck_assert(rc < 0 || !strcmp(got, wanted));
	free(got);
	got = NULL;
	/* With memory again, so that what was read is known whether or not it could be written. */
	ck_assert_int_eq(sandbox_policy_json(policy, &got, &err), 0);
	ck_assert_str_eq(got, wanted);
	free(got);
	chaos_rearm();
	try_paths(policy);
	sandbox_policy_free(policy);
}

static void read_wanted(struct bytes text)
{
	struct sandbox_policy *policy = NULL;
	struct error err = {0};

	ck_assert_msg(sandbox_policy_parse(text.data, text.len, "text", &places, &policy, &err) ==
			      0,
		      "%s", err.text);
	ck_assert_int_eq(sandbox_policy_json(policy, &wanted, &err), 0);
	sandbox_policy_free(policy);
}

static const struct {
	const char *file;
	enum chaos_kind kind;
} rows[] = {
	{"fixtures/policies/good/everything.json", CHAOS_ONCE},
	{"fixtures/policies/good/everything.json", CHAOS_FOR_GOOD},
	{"fixtures/policies/good/least.json", CHAOS_ONCE},
	{"fixtures/policies/good/odd_paths.json", CHAOS_ONCE},
	{"fixtures/policies/good/denied_later.json", CHAOS_ONCE},
};

START_TEST(memory_may_run_out_anywhere)
{
	cleanup_buf struct buf text = BUF_INIT;
	long call = 0;

	chaos_prepare();
	ck_assert_int_eq(fs_read_file(rows[_i].file, 1 << 20, &text, NULL), 0);
	/* Missing roots are told, and no error. */
	read_wanted((struct bytes){text.data, text.len});
	do {
		chaos_arm(rows[_i].kind, call);
		try_policy((struct bytes){text.data, text.len});
		chaos_disarm();
		call++;
	} while (chaos_met() && call < CHAOS_CALLS_MAX);
	free(wanted);
	ck_assert_int_gt(call, 200);
	ck_assert_int_lt(call, CHAOS_CALLS_MAX);
}
END_TEST

/* --- layers --------------------------------------------------------------------------------------
 */

/* The one that fails is the last. */
static int prepare_layers(const struct judge *judge)
{
	static const char *const envp[] = {"PATH=/bin", "HOME=/", NULL};
	const struct rlimits_needs needs = {.memory = true, .processes = true};
	struct environment *environment = NULL;
	struct cgroup *cgroup = NULL;
	const char **entries = NULL;
	struct rlimits rlimits;
	struct fds fds = {0};
	struct sandbox_paths *paths = NULL;
	int rc = sandbox_paths_new(judge->policy, NULL, NULL, &paths, judge->err);

	if (rc == 0)
		rc = environment_prepare(judge, paths, &environment);
	sandbox_paths_free(paths);
	if (rc == 0)
		rc = environment_build(environment, envp, NULL, "npm_config_cache=/c", &entries,
				       judge->err);
	if (rc == 0)
		rc = fds_prepare(judge, &fds);
	if (rc == 0)
		rc = cgroup_prepare(judge, true, &cgroup);
	if (rc == 0)
		rc = rlimits_prepare(judge, &needs, &rlimits);
	free(entries);
	environment_free(environment);
	fds_free(&fds);
	cgroup_free(cgroup);
	return rc;
}

START_TEST(a_layer_is_prepared_in_full_or_that_is_said)
{
	struct sandbox_policy *policy = NULL;
	long call = 0;
	int rc;

	chaos_prepare();
	ck_assert_int_eq(sandbox_policy_new(SANDBOX_LEVEL_PROCESS_EXEC, &places, &policy, NULL), 0);
	ck_assert_int_eq(sandbox_policy_add_fd(policy, 9, NULL), 0);
	ck_assert_int_eq(sandbox_policy_set_env(policy, "A", "1", NULL), 0);
	do {
		struct error err = {0};
		struct sandbox_layers layers = {0};
		struct judge judge = {.policy = policy, .layers = &layers, .err = &err};

		chaos_arm(CHAOS_ONCE, call++);
		rc = prepare_layers(&judge);
		chaos_disarm();
		only_memory(rc, &err);
	} while (chaos_met() && call < CHAOS_CALLS_MAX);
	ck_assert_int_eq(rc, 0);
	ck_assert_int_gt(call, 10);
	sandbox_policy_free(policy);
}
END_TEST

/* An error that names line and key needs memory itself. */
START_TEST(an_error_without_memory_is_an_error)
{
	static const char text[] = "{\"version\": 1, \"fs\": {\"wr\\u0069ten\": []}}";
	struct sandbox_policy *policy = NULL;
	struct error err = {0};
	long call = 0;
	int rc;

	chaos_prepare();
	do {
		chaos_arm(CHAOS_ONCE, call++);
		rc = sandbox_policy_parse(text, strlen(text), "text", &places, &policy, &err);
		chaos_disarm();
		ck_assert(rc == ERR_NOMEM || rc == ERR_FORMAT);
		ck_assert_ptr_null(policy);
	} while (chaos_met() && call < CHAOS_CALLS_MAX);
	ck_assert_int_gt(call, 20);
	ck_assert_str_eq(err.text,
			 "text:1: fs.writen: there is no such key; did you mean \"write\"?");
}
END_TEST

Suite *sandbox_chaos_suite(void)
{
	Suite *s = suite_create("sandbox_chaos");
	TCase *tc = tcase_create("chaos");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, memory_may_run_out_anywhere, 0, sizeof(rows) / sizeof(rows[0]));
	tcase_add_test(tc, a_layer_is_prepared_in_full_or_that_is_said);
	tcase_add_test(tc, an_error_without_memory_is_an_error);
	suite_add_tcase(s, tc);
	return s;
}
