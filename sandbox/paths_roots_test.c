/* The roots of a policy as they are on a host. */
#include "sandbox/tree_test.h"

#include "tools/tests.h"
#include <stdio.h>
#include <string.h>

static void count(void *ctx, const char *text)
{
	int *told = ctx;

	ck_assert_str_ne(text, "");
	(*told)++;
}

START_TEST(a_root_that_is_missing_is_an_error_or_told)
{
	int told = 0;

	tree_add(SANDBOX_ROOT_READ, "@/nothing");
	ck_assert_int_eq(sandbox_paths_new(tree_policy, count, &told, &tree_paths, &tree_err),
			 ERR_NOTFOUND);
	ck_assert_ptr_nonnull(strstr(tree_err.text, "/nothing"));
	ck_assert_int_eq(told, 0);
	sandbox_policy_set_strictness(tree_policy, SANDBOX_MECH_LANDLOCK_FS, SANDBOX_STRICT_WARN,
				      &tree_err);
	ck_assert_int_eq(sandbox_paths_new(tree_policy, count, &told, &tree_paths, &tree_err), 0);
	ck_assert_int_eq(told, 1);
}
END_TEST

START_TEST(an_optional_root_may_be_missing)
{
	struct sandbox_path got;
	int told = 0;

	sandbox_policy_add_root(tree_policy, SANDBOX_ROOT_WRITE, tree_at("@/nothing"), true,
				&tree_err);
	ck_assert_int_eq(sandbox_paths_new(tree_policy, count, &told, &tree_paths, &tree_err), 0);
	ck_assert_int_eq(told, 0);
	tree_check(WRITE, "@/nothing", &got);
	ck_assert(!got.allowed);
}
END_TEST

START_TEST(what_is_denied_need_not_be_there)
{
	struct sandbox_path got;
	int told = 0;

	tree_add(SANDBOX_ROOT_WRITE, "@/root");
	tree_add(SANDBOX_ROOT_DENY, "@/root/.env");
	ck_assert_int_eq(sandbox_paths_new(tree_policy, count, &told, &tree_paths, &tree_err), 0);
	ck_assert_int_eq(told, 0);
	tree_check(WRITE, "@/root/.env", &got);
	ck_assert(!got.allowed);
	/* What is read-only is there to be read. */
	sandbox_paths_free(tree_paths);
	tree_paths = NULL;
	tree_add(SANDBOX_ROOT_READ_ONLY, "@/root/none");
	ck_assert_int_eq(sandbox_paths_new(tree_policy, count, &told, &tree_paths, &tree_err),
			 ERR_NOTFOUND);
}
END_TEST

START_TEST(a_root_may_be_a_link)
{
	struct sandbox_path got;

	tree_add(SANDBOX_ROOT_WRITE, "@/root-link");
	tree_compile();
	tree_check(WRITE, "@/root/file", &got);
	ck_assert(got.allowed);
	tree_check(WRITE, "@/root-link/file", &got);
	ck_assert(got.allowed);
	/* But not be another one tomorrow. */
	tree_check(DELETE, "@/root-link", &got);
	ck_assert(!got.allowed);
}
END_TEST

START_TEST(a_root_by_a_link_that_programs_can_change_is_refused)
{
	struct sandbox_path got;
	int told = 0;

	tree_add(SANDBOX_ROOT_WORKSPACE, "@/root");
	tree_add(SANDBOX_ROOT_READ, "@/root/out");
	ck_assert_int_eq(sandbox_paths_new(tree_policy, count, &told, &tree_paths, &tree_err),
			 ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(tree_err.text, "/root/out"));
	sandbox_policy_set_strictness(tree_policy, SANDBOX_MECH_LANDLOCK_FS, SANDBOX_STRICT_WARN,
				      &tree_err);
	ck_assert_int_eq(sandbox_paths_new(tree_policy, count, &told, &tree_paths, &tree_err), 0);
	ck_assert_int_eq(told, 1);
	tree_check(READ, "@/outside/file", &got);
	ck_assert(!got.allowed);
	tree_check(READ, "@/root/file", &got);
	ck_assert(got.allowed);
}
END_TEST

/* One that takes away, too, grants as little as one that only grants. */
static const enum sandbox_root by_link[] = {SANDBOX_ROOT_WRITE, SANDBOX_ROOT_READ_ONLY};

START_TEST(an_optional_root_by_such_a_link_grants_nothing)
{
	struct sandbox_path got;
	int told = 0;

	tree_add(SANDBOX_ROOT_WORKSPACE, "@/root");
	sandbox_policy_add_root(tree_policy, by_link[_i], tree_at("@/root/out"), true, &tree_err);
	ck_assert_int_eq(sandbox_paths_new(tree_policy, count, &told, &tree_paths, &tree_err), 0);
	ck_assert_int_eq(told, 1);
	tree_check(WRITE, "@/outside/file", &got);
	ck_assert(!got.allowed);
	tree_check(READ, "@/outside/file", &got);
	ck_assert(!got.allowed);
	tree_check(READ, "@/root/file", &got);
	ck_assert(got.allowed);
}
END_TEST

/* The name and what it leads to, whether that is there or not. */
START_TEST(a_link_that_is_denied_denies_both)
{
	struct sandbox_path got;

	tree_add(SANDBOX_ROOT_WRITE, "@/root");
	tree_add(SANDBOX_ROOT_WRITE, "@/outside");
	sandbox_policy_add_root(tree_policy, SANDBOX_ROOT_DENY, tree_at("@/root/file-out"), true,
				&tree_err);
	sandbox_policy_add_root(tree_policy, SANDBOX_ROOT_DENY, tree_at("@/root/out/missing"), true,
				&tree_err);
	tree_compile();
	tree_check(READ, "@/root/file-out", &got);
	ck_assert(!got.allowed);
	tree_check(READ, "@/outside/file", &got);
	ck_assert(!got.allowed);
	tree_check(DELETE, "@/root/file-out", &got);
	ck_assert(!got.allowed);
	tree_check(WRITE, "@/outside/missing", &got);
	ck_assert(!got.allowed);
	tree_check(WRITE, "@/outside/other", &got);
	ck_assert(got.allowed);
}
END_TEST

START_TEST(the_root_directory_can_be_a_root)
{
	struct sandbox_path got;

	tree_add(SANDBOX_ROOT_READ, "/");
	tree_add(SANDBOX_ROOT_DENY, "@/root/secret");
	tree_compile();
	tree_check(READ, "/etc/passwd", &got);
	ck_assert(got.allowed);
	tree_check(LIST, "/", &got);
	ck_assert(got.allowed);
	tree_check(WRITE, "/etc/passwd", &got);
	ck_assert(!got.allowed);
	tree_check(READ, "@/root/secret/key", &got);
	ck_assert(!got.allowed);
}
END_TEST

START_TEST(a_shared_tmp_is_granted)
{
	struct sandbox_path got;

	sandbox_policy_set_tmp(tree_policy, SANDBOX_TMP_NONE, &tree_err);
	tree_compile();
	tree_check(WRITE, "/tmp/x", &got);
	ck_assert(!got.allowed);
	sandbox_paths_free(tree_paths);
	sandbox_policy_set_tmp(tree_policy, SANDBOX_TMP_SHARED, &tree_err);
	tree_compile();
	tree_check(WRITE, "/tmp/x", &got);
	ck_assert(got.allowed);
}
END_TEST

START_TEST(operations_of_the_workspace_are_those_of_the_policy)
{
	struct sandbox_path got;

	tree_add(SANDBOX_ROOT_WORKSPACE, "@/root");
	sandbox_policy_set_operations(tree_policy, SANDBOX_OP_EXISTS | SANDBOX_OP_LIST, &tree_err);
	tree_compile();
	tree_check(EXISTS, "@/root/file", &got);
	ck_assert(got.allowed);
	tree_check(LIST, "@/root/dir", &got);
	ck_assert(got.allowed);
	tree_check(READ, "@/root/file", &got);
	ck_assert(!got.allowed);
	tree_check(DELETE, "@/root/file", &got);
	ck_assert(!got.allowed);
}
END_TEST

START_TEST(a_thousand_roots_are_resolved)
{
	struct sandbox_path got;
	char name[64];

	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "@/readable/%d", i);
		tree_put_file(name);
		tree_add(SANDBOX_ROOT_WRITE, name);
	}
	tree_compile();
	tree_check(WRITE, "@/readable/0", &got);
	ck_assert(got.allowed);
	tree_check(WRITE, "@/readable/999", &got);
	ck_assert(got.allowed);
	tree_check(WRITE, "@/readable/1000", &got);
	ck_assert(!got.allowed);
}
END_TEST

/* The default policy of a workspace works here, whoever runs this. */
START_TEST(the_default_policy_grants_the_system_and_no_keys)
{
	static const char text[] = "{\"version\": 1, \"fs\": {\"workspace\": [\"$WORK/root\"]}}";
	const struct sandbox_places here = {tree_base, tree_base, tree_base};
	struct sandbox_policy *p = NULL;
	struct sandbox_path got;

	ck_assert_msg(sandbox_policy_parse(text, strlen(text), "text", &here, &p, &tree_err) == 0,
		      "%s", tree_err.text);
	ck_assert_msg(sandbox_paths_new(p, NULL, NULL, &tree_paths, &tree_err) == 0, "%s",
		      tree_err.text);
	sandbox_policy_free(p);
	tree_check(EXEC, "/bin/sh", &got);
	ck_assert(got.allowed);
	tree_check(READ, "/etc/passwd", &got);
	ck_assert(got.allowed);
	tree_check(WRITE, "/etc/passwd", &got);
	ck_assert(!got.allowed);
	tree_check(READ, "/etc/shadow", &got);
	ck_assert(!got.allowed);
	tree_check(WRITE, "/dev/null", &got);
	ck_assert(got.allowed);
	tree_check(WRITE, "@/.ssh/authorized_keys", &got);
	ck_assert(!got.allowed);
	tree_check(WRITE, "@/root/x", &got);
	ck_assert(got.allowed);
}
END_TEST

static TCase *roots(void)
{
	TCase *tc = tcase_create("roots");

	tcase_add_checked_fixture(tc, tree_enter, tree_leave);
	tcase_add_test(tc, a_root_that_is_missing_is_an_error_or_told);
	tcase_add_test(tc, an_optional_root_may_be_missing);
	tcase_add_test(tc, what_is_denied_need_not_be_there);
	tcase_add_test(tc, a_root_may_be_a_link);
	tcase_add_test(tc, a_root_by_a_link_that_programs_can_change_is_refused);
	tcase_add_loop_test(tc, an_optional_root_by_such_a_link_grants_nothing, 0,
			    sizeof(by_link) / sizeof(by_link[0]));
	tcase_add_test(tc, a_link_that_is_denied_denies_both);
	tcase_add_test(tc, the_root_directory_can_be_a_root);
	tcase_add_test(tc, a_shared_tmp_is_granted);
	tcase_add_test(tc, operations_of_the_workspace_are_those_of_the_policy);
	tcase_add_test(tc, a_thousand_roots_are_resolved);
	tcase_add_test(tc, the_default_policy_grants_the_system_and_no_keys);
	return tc;
}

Suite *sandbox_paths_roots_suite(void)
{
	Suite *s = suite_create("sandbox_paths_roots");

	suite_add_tcase(s, roots());
	return s;
}
