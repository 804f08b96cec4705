/* The roots of a policy as they are on a host. */
#include "sandbox/tree_test.h"

#include "sandbox/planned_test.h"
#include "tools/tests.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

START_TEST(a_root_that_cannot_be_resolved_is_an_error)
{
	tree_add(SANDBOX_ROOT_READ, "@/root/loop");
	ck_assert_int_eq(sandbox_paths_new(tree_policy, NULL, NULL, &tree_paths, &tree_err),
			 ERR_SYSTEM);
	ck_assert_int_eq(tree_err.sys, ELOOP);
	sandbox_policy_free(tree_policy);
	ck_assert_int_eq(sandbox_policy_new(SANDBOX_LEVEL_NONE, NULL, &tree_policy, &tree_err), 0);
	tree_add(SANDBOX_ROOT_READ, "/proc/self/cwd");
	ck_assert_int_eq(sandbox_paths_new(tree_policy, NULL, NULL, &tree_paths, &tree_err),
			 ERR_UNSUPPORTED);
	ck_assert_ptr_null(tree_paths);
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

/* It would grant again what is taken away there, as a preset's /bin would in a denied /usr. */
START_TEST(a_link_into_what_is_denied_or_read_only_grants_nothing)
{
	struct sandbox_path got;
	int told = 0;

	tree_add(_i == 0 ? SANDBOX_ROOT_DENY : SANDBOX_ROOT_READ_ONLY, "@/root");
	sandbox_policy_add_root(tree_policy, SANDBOX_ROOT_WRITE, tree_at("@/root-link/bin"), true,
				&tree_err);
	sandbox_policy_add_root(tree_policy, SANDBOX_ROOT_WRITE, tree_at("@/root/dir"), true,
				&tree_err);
	ck_assert_int_eq(sandbox_paths_new(tree_policy, count, &told, &tree_paths, &tree_err), 0);
	ck_assert_int_eq(told, 1);
	tree_check(WRITE, "@/root/bin/tool", &got);
	ck_assert(!got.allowed);
	tree_check(WRITE, "@/root/dir/file", &got);
	ck_assert(got.allowed);
	sandbox_paths_free(tree_paths);
	tree_paths = NULL;
	tree_add(SANDBOX_ROOT_WRITE, "@/root-link/bin");
	ck_assert_int_eq(sandbox_paths_new(tree_policy, NULL, NULL, &tree_paths, &tree_err),
			 ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(tree_err.text, "/root/bin"));
}
END_TEST

/* By the same way to both: what is inside is meant to be. */
START_TEST(a_root_inside_what_a_link_makes_read_only_is_granted)
{
	struct sandbox_path got;

	tree_add(SANDBOX_ROOT_READ_ONLY, "@/root-link");
	tree_add(SANDBOX_ROOT_WRITE, "@/root-link/dir");
	tree_compile();
	tree_check(WRITE, "@/root/dir/file", &got);
	ck_assert(got.allowed);
	tree_check(WRITE, "@/root/file", &got);
	ck_assert(!got.allowed);
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

static void put_link(const char *name, const char *target)
{
	ck_assert_int_eq(symlink(target, tree_at(name)), 0);
}

/* What makes the directory of a denied name, makes it as a link, perhaps. */
START_TEST(a_denied_name_cannot_be_led_around)
{
	struct sandbox_path got;

	tree_add(SANDBOX_ROOT_WORKSPACE, "@/root");
	tree_add(SANDBOX_ROOT_DENY, "@/root/later/on/key");
	tree_compile();
	tree_check(WRITE, "@/root/later", &got);
	ck_assert(got.allowed);
	put_link("@/root/later", "there");
	put_link("@/root/there", "nested");
	put_link("@/root/nested/on", "../dir");
	tree_check(READ, "@/root/later/on/key/x", &got);
	ck_assert(!got.allowed);
	for (enum sandbox_access access = READ; access < CWD; access++) {
		tree_check(access, "@/root/dir/key", &got);
		ck_assert(!got.allowed);
		ck_assert_str_eq(got.root, tree_at("@/root/later/on/key"));
		ck_assert_str_ne(got.why, "");
	}
	tree_check(DELETE, "@/root/dir", &got);
	ck_assert(!got.allowed);
	tree_check(WRITE, "@/root/dir/file", &got);
	ck_assert(got.allowed);
	tree_check(WRITE, "@/root/dir/keys", &got);
	ck_assert(got.allowed);
}
END_TEST

/* What is read-only can be read, wherever it is. */
START_TEST(a_read_only_name_cannot_be_led_around)
{
	struct sandbox_path got;

	tree_add(SANDBOX_ROOT_WORKSPACE, "@/root");
	sandbox_policy_add_root(tree_policy, SANDBOX_ROOT_READ_ONLY, tree_at("@/root/later/key"),
				true, &tree_err);
	tree_compile();
	put_link("@/root/later", "dir");
	tree_check(WRITE, "@/root/dir/key", &got);
	ck_assert(!got.allowed);
	tree_check(READ, "@/root/dir/key", &got);
	ck_assert(got.allowed);
	tree_check(DELETE, "@/root/dir", &got);
	ck_assert(!got.allowed);
}
END_TEST

/* A link in its way is known to be one that programs can change. */
START_TEST(a_denied_name_by_a_link_cannot_be_led_around)
{
	struct sandbox_path got;

	put_link("@/root/here", "bin");
	tree_add(SANDBOX_ROOT_WORKSPACE, "@/root");
	put_link("@/readable/way", tree_at("@/root/here"));
	sandbox_policy_add_root(tree_policy, SANDBOX_ROOT_DENY, tree_at("@/readable/way/tool"),
				true, &tree_err);
	tree_compile();
	tree_check(READ, "@/root/bin/tool", &got);
	ck_assert(!got.allowed);
	tree_check(READ, "@/root/dir/tool", &got);
	ck_assert(got.allowed);
	ck_assert_int_eq(unlink(tree_at("@/root/here")), 0);
	put_link("@/root/here", "dir");
	tree_check(READ, "@/root/bin/tool", &got);
	ck_assert(!got.allowed);
	tree_check(READ, "@/root/dir/tool", &got);
	ck_assert(!got.allowed);
}
END_TEST

/* Nobody comes anywhere by a loop; but where a link of /proc leads is not known. */
START_TEST(a_denied_name_that_cannot_be_resolved_is_an_error_or_leads_nowhere)
{
	struct sandbox_path got;

	tree_add(SANDBOX_ROOT_WORKSPACE, "@/root");
	tree_add(SANDBOX_ROOT_DENY, "@/root/later/key");
	tree_compile();
	put_link("@/root/later", "loop");
	tree_check(WRITE, "@/root/file", &got);
	ck_assert(got.allowed);
	ck_assert_int_eq(unlink(tree_at("@/root/later")), 0);
	put_link("@/root/later", "/proc/self/cwd");
	ck_assert_int_eq(
		sandbox_paths_check(tree_paths, WRITE, tree_base, "root/file", &got, &tree_err),
		ERR_UNSUPPORTED);
	ck_assert_ptr_nonnull(strstr(tree_err.text, "/root/later/key"));
}
END_TEST

static const struct {
	enum sandbox_root kind;
	bool optional;
	const char *path;
	int told;
} odd_cuts[] = {
	{SANDBOX_ROOT_DENY, false, "@/readable/loop", 1},
	{SANDBOX_ROOT_DENY, true, "@/readable/loop", 1},
	{SANDBOX_ROOT_READ_ONLY, true, "@/readable/loop", 1},
	{SANDBOX_ROOT_DENY, true, "/proc/self/cwd/x", 1},
	{SANDBOX_ROOT_READ_ONLY, true, "/proc/self/cwd/x", 1},
	{SANDBOX_ROOT_DENY, true, "@/root/file-out", 1},
	{SANDBOX_ROOT_READ_ONLY, true, "@/root/file-out", 1},
	/* These need not be there. */
	{SANDBOX_ROOT_DENY, false, "@/readable/none", 0},
	{SANDBOX_ROOT_DENY, true, "@/readable/none", 0},
	{SANDBOX_ROOT_READ_ONLY, true, "@/readable/none", 0},
	{SANDBOX_ROOT_DENY, true, "@/readable/file/none", 0},
};

START_TEST(a_root_that_takes_away_and_cannot_be_found_is_told)
{
	struct sandbox_path got;
	int told = 0;

	put_link("@/readable/loop", "loop");
	tree_add(SANDBOX_ROOT_WORKSPACE, "@/root");
	sandbox_policy_add_root(tree_policy, odd_cuts[_i].kind, tree_at(odd_cuts[_i].path),
				odd_cuts[_i].optional, &tree_err);
	ck_assert_msg(sandbox_paths_new(tree_policy, count, &told, &tree_paths, &tree_err) == 0,
		      "%s", tree_err.text);
	ck_assert_int_eq(told, odd_cuts[_i].told);
	tree_check(WRITE, "@/root/file", &got);
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

/* What is granted around a workspace is not granted in it: its operations say what is. */
START_TEST(a_workspace_inside_another_root_has_its_own_operations)
{
	static const unsigned operations[] = {0, SANDBOX_OP_EXISTS | SANDBOX_OP_LIST, 7, 31, 63};
	static const unsigned bits[] = {
		[READ] = 1, [LIST] = 2, [EXISTS] = 4, [WRITE] = 8, [DELETE] = 16, [EXEC] = 32};
	struct sandbox_path got;

	tree_add(SANDBOX_ROOT_EXEC, "@");
	tree_add(SANDBOX_ROOT_WRITE, "@/outside");
	tree_add(SANDBOX_ROOT_WORKSPACE, "@/root");
	tree_add(SANDBOX_ROOT_WORKSPACE, "@/outside");
	tree_add(SANDBOX_ROOT_WRITE, "@/root/dir");
	sandbox_policy_set_operations(tree_policy, operations[_i], &tree_err);
	tree_compile();
	for (enum sandbox_access access = READ; access < CWD; access++) {
		tree_check(access, "@/root/bin/tool", &got);
		ck_assert_int_eq(got.allowed, (operations[_i] & bits[access]) != 0);
		ck_assert_str_eq(got.root, tree_at("@/root"));
		/* What is named inside it, or at the same place, is granted besides. */
		tree_check(access, "@/root/dir/file", &got);
		ck_assert(got.allowed);
		tree_check(access, "@/outside/file", &got);
		ck_assert(got.allowed);
	}
	tree_check(EXEC, "@/tools/tool", &got);
	ck_assert(got.allowed);
}
END_TEST

/* Who may remove what is around it shall not remove it with that. */
START_TEST(a_workspace_is_not_removed_with_what_holds_it)
{
	struct sandbox_path got;

	tree_add(SANDBOX_ROOT_WRITE, "@");
	tree_add(SANDBOX_ROOT_WORKSPACE, "@/root/dir");
	tree_compile();
	tree_check(DELETE, "@/root", &got);
	ck_assert(got.allowed);
	sandbox_paths_free(tree_paths);
	sandbox_policy_set_operations(tree_policy, 0, &tree_err);
	tree_compile();
	tree_check(DELETE, "@/root", &got);
	ck_assert(!got.allowed);
	ck_assert_str_eq(got.root, tree_at("@/root/dir"));
	tree_check(DELETE, "@/root/file", &got);
	ck_assert(got.allowed);
}
END_TEST

/* By the name of a link, too: what becomes of the link is no way in. */
START_TEST(a_workspace_that_is_a_link_has_its_own_operations_at_both)
{
	struct sandbox_path got;

	tree_add(SANDBOX_ROOT_READ, "@");
	tree_add(SANDBOX_ROOT_WORKSPACE, "@/root-link");
	sandbox_policy_set_operations(tree_policy, SANDBOX_OP_EXISTS, &tree_err);
	tree_compile();
	tree_check(EXISTS, "@/root-link/file", &got);
	ck_assert(got.allowed);
	tree_check(READ, "@/root-link/file", &got);
	ck_assert(!got.allowed);
	ck_assert_int_eq(unlink(tree_at("@/root-link")), 0);
	tree_put_file("@/root-link");
	tree_check(READ, "@/root-link", &got);
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
	struct sandbox_policy *p = planned_policy(text, &here);
	struct sandbox_path got;

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
	tcase_add_test(tc, a_root_that_cannot_be_resolved_is_an_error);
	tcase_add_test(tc, an_optional_root_may_be_missing);
	tcase_add_test(tc, what_is_denied_need_not_be_there);
	tcase_add_test(tc, a_root_may_be_a_link);
	tcase_add_test(tc, a_root_by_a_link_that_programs_can_change_is_refused);
	tcase_add_loop_test(tc, an_optional_root_by_such_a_link_grants_nothing, 0,
			    sizeof(by_link) / sizeof(by_link[0]));
	tcase_add_loop_test(tc, a_link_into_what_is_denied_or_read_only_grants_nothing, 0, 2);
	tcase_add_test(tc, a_root_inside_what_a_link_makes_read_only_is_granted);
	tcase_add_test(tc, a_link_that_is_denied_denies_both);
	tcase_add_test(tc, a_denied_name_cannot_be_led_around);
	tcase_add_test(tc, a_read_only_name_cannot_be_led_around);
	tcase_add_test(tc, a_denied_name_by_a_link_cannot_be_led_around);
	tcase_add_test(tc, a_denied_name_that_cannot_be_resolved_is_an_error_or_leads_nowhere);
	tcase_add_loop_test(tc, a_root_that_takes_away_and_cannot_be_found_is_told, 0,
			    sizeof(odd_cuts) / sizeof(odd_cuts[0]));
	tcase_add_test(tc, the_root_directory_can_be_a_root);
	tcase_add_test(tc, a_shared_tmp_is_granted);
	tcase_add_test(tc, operations_of_the_workspace_are_those_of_the_policy);
	tcase_add_loop_test(tc, a_workspace_inside_another_root_has_its_own_operations, 0, 5);
	tcase_add_test(tc, a_workspace_is_not_removed_with_what_holds_it);
	tcase_add_test(tc, a_workspace_that_is_a_link_has_its_own_operations_at_both);
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
