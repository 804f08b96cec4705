/* Which holes come of which policies. */
#include "sandbox/holes.h"

#include "sandbox/tree_test.h"
#include "tools/tests.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct holes holes;
static struct sandbox_layers layers;

static void setup(void)
{
	tree_enter();
	ck_assert_int_eq(sandbox_policy_set_tmp(tree_policy, SANDBOX_TMP_NONE, NULL), 0);
}

static void teardown(void)
{
	holes_free(&holes);
	tree_leave();
}

static int find(bool made)
{
	struct judge judge = {tree_policy, &layers, NULL, NULL, &tree_err};

	memset(&layers, 0, sizeof(layers));
	sandbox_paths_free(tree_paths);
	tree_paths = NULL;
	tree_compile();
	return holes_find(&judge, tree_paths, made, &holes);
}

/* "pin @/a, dir @/a/b wx 1": in their order, those of the tree only. */
static void expect_holes(const char *want)
{
	static const char *const names[] = {
		[HOLE_PIN] = "pin",	  [HOLE_TMP] = "tmp", [HOLE_PTS] = "pts",
		[HOLE_EMPTY] = "empty",	  [HOLE_DIR] = "dir", [HOLE_FILE] = "file",
		[HOLE_LESSENED] = "less",
	};
	char got[2048] = "", *end = got;
	size_t len = strlen(tree_base);

	ck_assert_msg(find(true) == 0, "%s", tree_err.text);
	for (size_t i = 0; i < holes.count; i++) {
		const struct hole *hole = &holes.item[i];
		size_t left = sizeof(got) - (size_t)(end - got);

		if (strncmp(hole->path, tree_base, len) != 0)
			continue;
		end += snprintf(end, left, "%s%s @%s%s%s", end == got ? "" : ", ",
				names[hole->kind], hole->path + len,
				hole->kind == HOLE_LESSENED && hole->no_write ? " w" : "",
				hole->kind == HOLE_LESSENED && hole->no_exec ? " x" : "");
		if (hole->keeps)
			end += snprintf(end, 16, " keeps %zu", hole->keeps);
	}
	ck_assert_str_eq(got, want);
}

struct named {
	enum sandbox_root kind;
	const char *path;
};

/* Without a private /tmp, where the tree is. */
START_TEST(holes_are_where_a_policy_takes_away)
{
	static const struct {
		struct named root[3];
		const char *want;
	} rows[] = {
		{{{SANDBOX_ROOT_WORKSPACE, "@/root"}}, ""},
		{{{SANDBOX_ROOT_DENY, "@/root"}}, ""},
		{{{SANDBOX_ROOT_WORKSPACE, "@/root"}, {SANDBOX_ROOT_DENY, "@/root/secret"}},
		 "dir @/root/secret"},
		{{{SANDBOX_ROOT_WORKSPACE, "@/root"}, {SANDBOX_ROOT_DENY, "@/root/later"}}, ""},
		{{{SANDBOX_ROOT_WORKSPACE, "@/root"}, {SANDBOX_ROOT_READ_ONLY, "@/root/file"}},
		 "less @/root/file w x"},
		{{{SANDBOX_ROOT_WORKSPACE, "@/root"}, {SANDBOX_ROOT_DENY, "@/root/dir/file"}},
		 "pin @/root/dir, file @/root/dir/file"},
		{{{SANDBOX_ROOT_WORKSPACE, "@/root"},
		  {SANDBOX_ROOT_DENY, "@/root/nested/deep/secret"}},
		 "pin @/root/nested, pin @/root/nested/deep, dir @/root/nested/deep/secret"},
		{{{SANDBOX_ROOT_EXEC, "@/root"}, {SANDBOX_ROOT_DENY, "@/root/nested/deep/secret"}},
		 "dir @/root/nested/deep/secret"},
		{{{SANDBOX_ROOT_WORKSPACE, "@/root"},
		  {SANDBOX_ROOT_READ_ONLY, "@/root/ref"},
		  {SANDBOX_ROOT_WRITE, "@/root/ref/out"}},
		 "less @/root/ref w x keeps 1"},
		{{{SANDBOX_ROOT_WRITE, "@"}, {SANDBOX_ROOT_DENY, "@/root/secret"}},
		 "pin @/root, dir @/root/secret"},
	};

	for (int i = 0; i < 3 && rows[_i].root[i].path; i++)
		tree_add(rows[_i].root[i].kind, rows[_i].root[i].path);
	expect_holes(rows[_i].want);
}
END_TEST

/* The tree is in /tmp, of which only roots are kept, with their own rights. */
START_TEST(roots_in_a_private_tmp_are_lessened)
{
	static const struct {
		struct named root[2];
		const char *want;
	} rows[] = {
		{{{SANDBOX_ROOT_WORKSPACE, "@/root"}}, ""},
		{{{SANDBOX_ROOT_READ, "@/readable"}}, "less @/readable w x"},
		{{{SANDBOX_ROOT_READ_ONLY, "@/readable/file"}}, "less @/readable/file w x"},
		{{{SANDBOX_ROOT_EXEC, "@/tools"}}, "less @/tools w"},
		{{{SANDBOX_ROOT_DENY, "@/outside"}}, ""},
		{{{SANDBOX_ROOT_READ, "@/root"}, {SANDBOX_ROOT_DENY, "@/root/secret"}},
		 "dir @/root/secret, less @/root w x"},
	};

	ck_assert_int_eq(sandbox_policy_set_tmp(tree_policy, SANDBOX_TMP_PRIVATE, NULL), 0);
	for (int i = 0; i < 2 && rows[_i].root[i].path; i++)
		tree_add(rows[_i].root[i].kind, rows[_i].root[i].path);
	expect_holes(rows[_i].want);
}
END_TEST

START_TEST(nobody_is_told_of_holes_that_are_not_made)
{
	tree_add(SANDBOX_ROOT_WORKSPACE, "@/root");
	tree_add(SANDBOX_ROOT_DENY, "@/root/later");
	ck_assert_int_eq(find(false), 0);
	ck_assert_str_eq(layers.layer[SANDBOX_MECH_NAMESPACES].why, "");
	holes_free(&holes);
	ck_assert_int_eq(find(true), 0);
	ck_assert_ptr_nonnull(strstr(layers.layer[SANDBOX_MECH_NAMESPACES].why, "is not there"));
}
END_TEST

START_TEST(files_that_may_be_replaced_outside_are_told_of)
{
	static const struct {
		const char *path;
		bool told;
	} rows[] = {{"@/root/file", true}, {"@/root/secret", false}};

	tree_add(SANDBOX_ROOT_WORKSPACE, "@/root");
	tree_add(SANDBOX_ROOT_DENY, rows[_i].path);
	ck_assert_int_eq(find(true), 0);
	ck_assert_int_eq(strstr(layers.layer[SANDBOX_MECH_NAMESPACES].why,
				"no longer kept when it is replaced outside") != NULL,
			 rows[_i].told);
	ck_assert_int_eq(layers.layer[SANDBOX_MECH_NAMESPACES].state,
			 rows[_i].told ? SANDBOX_STATE_PARTIAL : SANDBOX_STATE_UNUSED);
}
END_TEST

Suite *sandbox_holes_suite(void)
{
	Suite *s = suite_create("sandbox_holes");
	TCase *tc = tcase_create("holes");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, holes_are_where_a_policy_takes_away, 0, 10);
	tcase_add_loop_test(tc, roots_in_a_private_tmp_are_lessened, 0, 6);
	tcase_add_test(tc, nobody_is_told_of_holes_that_are_not_made);
	tcase_add_loop_test(tc, files_that_may_be_replaced_outside_are_told_of, 0, 2);
	suite_add_tcase(s, tc);
	return s;
}
