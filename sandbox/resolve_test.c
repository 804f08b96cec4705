/* What looks at one path after the other tell, and what modes keep from users. */
#include "sandbox/resolve.h"

#include "sandbox/kept_linux.h"
#include "sandbox/tree_test.h"
#include "tools/tests.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
	const char *path;
	enum resolve_plain plain;
	mode_t type; /* of what is there */
} looks[] = {
	{"@", RESOLVE_THERE, S_IFDIR},
	{"@/root", RESOLVE_THERE, S_IFDIR},
	{"@/root/file", RESOLVE_THERE, S_IFREG},
	{"@/root/file/in", RESOLVE_WALK, 0},
	{"@/root/dir/file", RESOLVE_THERE, S_IFREG},
	{"@/root/dir", RESOLVE_THERE, S_IFDIR},
	{"@/root/di", RESOLVE_ABSENT, 0},
	{"@/root/dir/no", RESOLVE_ABSENT, 0},
	{"@/root/no", RESOLVE_ABSENT, 0},
	{"@/root/no/deep/er", RESOLVE_ABSENT, 0},
	{"@/root/no/deep", RESOLVE_ABSENT, 0},
	{"@/root/nor", RESOLVE_ABSENT, 0},
	{"@/root/nested/deep/secret", RESOLVE_THERE, S_IFDIR},
	{"@/root/nested", RESOLVE_THERE, S_IFDIR},
	{"@/root/in", RESOLVE_WALK, 0},
	{"@/root/in/file", RESOLVE_WALK, 0},
	{"@/root-link/file", RESOLVE_WALK, 0},
	{"@/root-other/file", RESOLVE_THERE, S_IFREG},
	{"/", RESOLVE_THERE, S_IFDIR},
	{"/proc/self", RESOLVE_WALK, 0},
};

enum { LOOKS = sizeof(looks) / sizeof(looks[0]) };

static void look(struct resolve_trail *trail, int i)
{
	const char *path = tree_at(looks[i].path);
	struct look got = {.known = false};
	struct stat st;

	ck_assert_msg(resolve_plainly(trail, path, strlen(path), &got) == looks[i].plain, "%s",
		      path);
	if (looks[i].plain == RESOLVE_ABSENT)
		ck_assert_int_eq(got.error, ENOENT);
	if (looks[i].plain != RESOLVE_THERE)
		return;
	ck_assert(got.known && got.error == 0);
	ck_assert_uint_eq(got.mode & S_IFMT, looks[i].type);
	ck_assert_int_eq(lstat(path, &st), 0);
	ck_assert(got.ino == st.st_ino && got.dev == st.st_dev && got.uid == st.st_uid);
}

/* Each after each other one. */
START_TEST(what_was_looked_at_before_changes_nothing)
{
	for (int i = 0; i < LOOKS; i++) {
		struct resolve_trail trail = {.dirs = 0};

		look(&trail, _i);
		look(&trail, i);
		look(&trail, _i);
	}
}
END_TEST

START_TEST(a_walk_tells_what_is_at_its_end)
{
	static const struct {
		const char *path;
		bool known;
		int error;
	} rows[] = {
		{"@/root/in", true, 0},	      {"@/root/file", true, 0},
		{"@/root/no", true, ENOENT},  {"@/root/no/no", true, ENOENT},
		{"@/root/up", false, 0},      {"@/root/dir/..", false, 0},
		{"@/root/in/..", false, 0},   {"@/root/file/x", true, ENOTDIR},
		{"@/root-link/dir", true, 0},
	};
	struct look got = {.known = false};
	const struct resolve_options options = {.ret_look = &got};
	struct buf path = BUF_INIT;
	struct stat st;

	ck_assert_int_eq(resolve_path(tree_at(rows[_i].path), &options, &path, &tree_err), 0);
	ck_assert_int_eq(got.known, rows[_i].known);
	if (got.known) {
		ck_assert_int_eq(got.error, rows[_i].error);
		ck_assert_int_eq(lstat(path.data, &st) == 0, got.error == 0);
		ck_assert(got.error || st.st_ino == got.ino);
	}
	buf_free(&path);
}
END_TEST

/* --- modes -------------------------------------------------------------------------------------
 */

/* Of a file of root's with these modes, for processes with such user ids. */
static const struct {
	uid_t real, effective, saved, owner;
	mode_t mode;
	bool refused;
} modes[] = {
	{65534, 65534, 65534, 0, 0600, true},
	{65534, 65534, 65534, 0, 0604, false},
	{65534, 65534, 65534, 0, 0602, false},
	{65534, 65534, 65534, 0, 0601, false},
	{65534, 65534, 65534, 65534, 0000, false},
	{65533, 65534, 65534, 65533, 0000, false},
	{65534, 65534, 65533, 65533, 0000, false},
	{65534, 65534, 0, 65533, 0000, false},
	{0, 0, 0, 65533, 0000, false},
};

static bool is_refused(void)
{
	const char *path = tree_at("@/outside/file");
	struct kept kept;
	struct look look;

	kept_find(&kept, tree_policy);
	look_at(path, &look);
	return kept_by_modes(&kept, path, &look) && kept_refuses(&kept, path);
}

START_TEST(only_what_modes_keep_from_all_user_ids_is_refused)
{
	const char *path = tree_at("@/outside/file");
	int status;
	pid_t pid;

	if (geteuid() != 0) { /* our own */
		ck_assert_int_eq(chmod(path, 0), 0);
		ck_assert(!is_refused());
		return;
	}
	ck_assert_int_eq(chmod(tree_base, 0755), 0);
	ck_assert_int_eq(chown(path, modes[_i].owner, 65533), 0);
	ck_assert_int_eq(chmod(path, modes[_i].mode), 0);
	pid = fork();
	if (pid == 0)
		_exit(setresuid(modes[_i].real, modes[_i].effective, modes[_i].saved) < 0
			      ? 2
			      : is_refused());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), modes[_i].refused);
}
END_TEST

Suite *sandbox_resolve_suite(void)
{
	Suite *s = suite_create("sandbox_resolve");
	TCase *tc = tcase_create("resolve");

	tcase_add_checked_fixture(tc, tree_enter, tree_leave);
	tcase_add_loop_test(tc, what_was_looked_at_before_changes_nothing, 0, LOOKS);
	tcase_add_loop_test(tc, a_walk_tells_what_is_at_its_end, 0, 9);
	tcase_add_loop_test(tc, only_what_modes_keep_from_all_user_ids_is_refused, 0,
			    sizeof(modes) / sizeof(modes[0]));
	suite_add_tcase(s, tc);
	return s;
}
