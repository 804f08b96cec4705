#include "sandbox/tree_test.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include "sandbox/paths.h"
#include "tools/tests.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void enter_compiled(void)
{
	tree_enter();
	tree_add(SANDBOX_ROOT_WORKSPACE, "@/root");
	tree_add(SANDBOX_ROOT_READ_ONLY, "@/root/ref");
	tree_add(SANDBOX_ROOT_WRITE, "@/root/ref/out");
	tree_add(SANDBOX_ROOT_DENY, "@/root/secret");
	tree_add(SANDBOX_ROOT_DENY, "@/root/nested/deep/secret");
	tree_add(SANDBOX_ROOT_READ, "@/readable");
	tree_add(SANDBOX_ROOT_EXEC, "@/tools");
	ck_assert_int_eq(sandbox_policy_add_root(tree_policy, SANDBOX_ROOT_DENY,
						 tree_at("@/root/later"), true, &tree_err),
			 0);
	tree_compile();
}

static const struct {
	enum sandbox_access access;
	const char *cwd;
	const char *path;
	const char *resolved;
	bool allowed;
} rows[] = {
	/* What is there. */
	{READ, "@/root", "file", "@/root/file", true},
	{WRITE, "@/root", "file", "@/root/file", true},
	{READ, "/", "@/root/file", "@/root/file", true},
	{LIST, "@", "root", "@/root", true},
	{EXEC, "@/root", "bin/tool", "@/root/bin/tool", true},
	{READ, "@", "outside/file", "@/outside/file", false},
	{EXISTS, "@", "outside/file", "@/outside/file", false},
	{LIST, "@", ".", "@", false},
	{READ, "@", "/", "/", false},
	/* What is not there is where its nearest parent is. */
	{WRITE, "@/root", "fresh", "@/root/fresh", true},
	{WRITE, "@/root", "a/b/c/fresh", "@/root/a/b/c/fresh", true},
	{WRITE, "@/root", "in/fresh", "@/root/dir/fresh", true},
	{WRITE, "@/root", "out/fresh", "@/outside/fresh", false},
	{WRITE, "@/root", "new", "@/outside/new", false},
	{WRITE, "@/root", "new/x", "@/outside/new/x", false},
	{WRITE, "@", "fresh", "@/fresh", false},
	{WRITE, "@/root", "file/x", "@/root/file/x", true},
	/* ".." */
	{READ, "@/root", "dir/../file", "@/root/file", true},
	{READ, "@/root", "../outside/file", "@/outside/file", false},
	{READ, "@/root", "../root/file", "@/root/file", true},
	{READ, "@/root/dir", "../../root-other/file", "@/root-other/file", false},
	{READ, "@/root", "in/../file", "@/root/file", true},
	{READ, "@/root", "out/../root/file", "@/root/file", true},
	{READ, "@/root", "out/../outside/file", "@/outside/file", false},
	{WRITE, "@/root", "nothing/../fresh", "@/root/fresh", true},
	{WRITE, "@/root", "nothing/../../outside/x", "@/outside/x", false},
	{WRITE, "@/root", "nothing/../out/x", "@/outside/x", false},
	{READ, "@/root", "../../../../../../../../../../../../etc/passwd", "/etc/passwd", false},
	{READ, "@/root", "up/outside/file", "@/outside/file", false},
	{READ, "@/root", "up/root/file", "@/root/file", true},
	/* Slashes and dots. */
	{READ, "@/root", "dir/", "@/root/dir", true},
	{READ, "@/root", "dir//./file", "@/root/dir/file", true},
	{READ, "@/root", "./file", "@/root/file", true},
	{LIST, "@/root", ".", "@/root", true},
	{LIST, "@/root/", "./", "@/root", true},
	{WRITE, "@/root", "fresh/", "@/root/fresh", true},
	{READ, "@/root", "//etc/passwd", "/etc/passwd", false},
	/* Names that only begin alike. */
	{READ, "@", "root-other/file", "@/root-other/file", false},
	{READ, "@", "root-other", "@/root-other", false},
	{WRITE, "@", "root.bak", "@/root.bak", false},
	{READ, "@", "readable/file", "@/readable/file", true},
	{READ, "@", "readabl", "@/readabl", false},
	{WRITE, "@/root", "secrets", "@/root/secrets", true},
	/* Links. */
	{READ, "@/root", "in/file", "@/root/dir/file", true},
	{READ, "@/root", "file-out", "@/outside/file", false},
	{WRITE, "@/root", "file-out", "@/outside/file", false},
	{READ, "@", "root-link/file", "@/root/file", true},
	{LIST, "@/root", "out", "@/outside", false},
	{LIST, "@/root", "out/", "@/outside", false},
	{READ, "@/root-link", "file", "@/root/file", true},
	/* Kinds of roots. */
	{READ, "@", "readable/file", "@/readable/file", true},
	{WRITE, "@", "readable/file", "@/readable/file", false},
	{EXEC, "@", "readable/file", "@/readable/file", false},
	{EXEC, "@", "tools/tool", "@/tools/tool", true},
	{WRITE, "@", "tools/tool", "@/tools/tool", false},
	{READ, "@/root", "ref/file", "@/root/ref/file", true},
	{WRITE, "@/root", "ref/file", "@/root/ref/file", false},
	{WRITE, "@/root", "ref/fresh", "@/root/ref/fresh", false},
	{EXEC, "@/root", "ref/file", "@/root/ref/file", false},
	{WRITE, "@/root", "ref/out/fresh", "@/root/ref/out/fresh", true},
	{READ, "@/root", "secret/key", "@/root/secret/key", false},
	{EXISTS, "@/root", "secret", "@/root/secret", false},
	{WRITE, "@/root", "secret/fresh", "@/root/secret/fresh", false},
	{READ, "@/root", "dir/../secret/key", "@/root/secret/key", false},
	{WRITE, "@/root", "later", "@/root/later", false},
	{WRITE, "@/root", "later/x", "@/root/later/x", false},
	/* Removing: a name from its directory, with all that is below. */
	{DELETE, "@/root", "file", "@/root/file", true},
	{DELETE, "@/root", "dir", "@/root/dir", true},
	{DELETE, "@/root", "out", "@/root/out", true},
	{DELETE, "@/root", "file-out", "@/root/file-out", true},
	{DELETE, "@/root", "loop", "@/root/loop", true},
	{DELETE, "@/root", "out/", "@/outside", false},
	{DELETE, "@/root", "out/.", "@/outside", false},
	{DELETE, "@/root", "out/file", "@/outside/file", false},
	{DELETE, "@", "root", "@/root", false},
	{DELETE, "@/root", ".", "@/root", false},
	{DELETE, "@/root", "dir/..", "@/root", false},
	{DELETE, "@/root", "ref", "@/root/ref", false},
	{DELETE, "@/root", "ref/file", "@/root/ref/file", false},
	{DELETE, "@/root", "ref/out", "@/root/ref/out", false},
	{DELETE, "@/root", "ref/out/x", "@/root/ref/out/x", true},
	{DELETE, "@/root", "secret", "@/root/secret", false},
	{DELETE, "@/root", "nested", "@/root/nested", false},
	{DELETE, "@/root", "nested/deep", "@/root/nested/deep", false},
	{DELETE, "@", "readable/file", "@/readable/file", false},
	{DELETE, "@/root", "/", "/", false},
	/* Working directories are there. */
	{CWD, "@/root", "dir", "@/root/dir", true},
	{CWD, "@", "root", "@/root", true},
	{CWD, "@", "readable/", "@/readable", true},
	{CWD, "@/root", "in", "@/root/dir", true},
	{CWD, "@/root", "file", "@/root/file", false},
	{CWD, "@/root", "nothing", "@/root/nothing", false},
	{CWD, "@/root", "..", "@", false},
	{CWD, "@/root", "out", "@/outside", false},
	{CWD, "@/root", "secret", "@/root/secret", false},
};

START_TEST(a_path_is_judged_where_it_leads)
{
	struct sandbox_path got;
	int rc = sandbox_paths_check(tree_paths, rows[_i].access, tree_at(rows[_i].cwd),
				     tree_at(rows[_i].path), &got, &tree_err);

	ck_assert_msg(rc == 0, "%s: %s", rows[_i].path, tree_err.text);
	ck_assert_str_eq(got.path, tree_at(rows[_i].resolved));
	ck_assert_msg(got.allowed == rows[_i].allowed, "%s: %s", rows[_i].path, got.why);
	ck_assert_str_ne(got.why, "");
	ck_assert(!got.allowed || got.root);
}
END_TEST

START_TEST(a_refusal_says_why_and_by_which_root)
{
	struct sandbox_path got;

	tree_check(READ, "root/secret/key", &got);
	ck_assert_str_eq(got.root, tree_at("@/root/secret"));
	ck_assert_str_eq(got.why, "it is denied");
	tree_check(WRITE, "root/ref/file", &got);
	ck_assert_str_eq(got.root, tree_at("@/root/ref"));
	ck_assert_str_eq(got.why, "write_text is not granted there");
	tree_check(READ, "outside/file", &got);
	ck_assert_ptr_null(got.root);
	ck_assert_str_eq(got.why, "no root of the policy holds it");
	tree_check(DELETE, "root/nested", &got);
	ck_assert_str_eq(got.root, tree_at("@/root/nested/deep/secret"));
	tree_check(READ, "root/file", &got);
	ck_assert_str_eq(got.root, tree_at("@/root"));
}
END_TEST

static const struct {
	const char *cwd;
	const char *path;
	int code;
	int sys;
} failures[] = {
	{"@", "", ERR_INVALID, 0},
	{"root", "file", ERR_INVALID, 0},
	{"@/root", "loop", ERR_SYSTEM, ELOOP},
	{"@/root", "loop/x", ERR_SYSTEM, ELOOP},
	/* Their text is no name of what they lead to. */
	{"/", "/proc/self/cwd/root/file", ERR_UNSUPPORTED, 0},
	{"/", "/proc/self/root/etc/passwd", ERR_UNSUPPORTED, 0},
	{"/", "/proc/thread-self/exe", ERR_UNSUPPORTED, 0},
};

START_TEST(what_cannot_be_resolved_is_an_error)
{
	struct sandbox_path got = {.allowed = false, .why = "untouched"};
	int rc = sandbox_paths_check(tree_paths, READ, tree_at(failures[_i].cwd),
				     tree_at(failures[_i].path), &got, &tree_err);

	ck_assert_int_eq(rc, failures[_i].code);
	ck_assert_int_eq(tree_err.sys, failures[_i].sys);
	ck_assert_str_eq(got.why, "untouched");
}
END_TEST

START_TEST(links_of_proc_that_are_text_are_followed)
{
	struct sandbox_path got;
	char wanted[64];

	tree_check(READ, "/proc/self/status", &got);
	snprintf(wanted, sizeof(wanted), "/proc/%d/status", (int)getpid());
	ck_assert_str_eq(got.path, wanted);
}
END_TEST

START_TEST(a_path_may_be_as_long_as_a_path_can_be)
{
	char path[3 * PATH_MAX];
	struct sandbox_path got;
	size_t len = strlen(tree_at("@/root"));

	memcpy(path, tree_at("@/root"), len);
	path[len++] = '/';
	while (len < PATH_MAX - 1) {
		path[len] = len % 64 ? 'a' : '/';
		len++;
	}
	path[len - 1] = 'a';
	path[len] = '\0';
	tree_check(WRITE, path, &got);
	ck_assert(got.allowed);
	ck_assert_str_eq(got.path, path);
	path[len++] = 'a';
	path[len] = '\0';
	ck_assert_int_eq(sandbox_paths_check(tree_paths, WRITE, NULL, path, &got, &tree_err),
			 ERR_SYSTEM);
	ck_assert_int_eq(tree_err.sys, ENAMETOOLONG);
	memset(path, '/', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	tree_check(WRITE, path, &got);
	ck_assert_str_eq(got.path, "/");
}
END_TEST

START_TEST(odd_names_are_names)
{
	static const char *const names[] = {"a\nb", "\xff\xfe", " ",	 "...",
					    "..a",  "-",	"$HOME", "~"};
	struct sandbox_path got;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[32];

		snprintf(path, sizeof(path), "root/%s", names[i]);
		tree_check(WRITE, path, &got);
		ck_assert_msg(got.allowed, "%s", got.path);
	}
}
END_TEST

/* As uid 0 everything can be searched: there the same path is resolved and judged. */
START_TEST(a_directory_that_cannot_be_searched_is_an_error)
{
	struct sandbox_path got;
	int rc;

	ck_assert_int_eq(chmod(tree_at("@/root/dir"), 0), 0);
	rc = sandbox_paths_check(tree_paths, READ, tree_base, "root/dir/file", &got, &tree_err);
	ck_assert_int_eq(chmod(tree_at("@/root/dir"), 0755), 0);
	ck_assert_int_eq(rc, geteuid() == 0 ? 0 : ERR_SYSTEM);
	if (geteuid() == 0)
		ck_assert(got.allowed);
	else
		ck_assert_int_eq(tree_err.sys, EACCES);
}
END_TEST

START_TEST(the_working_directory_is_the_default)
{
	cleanup_close int before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct sandbox_path got;

	ck_assert_int_eq(chdir(tree_at("@/root")), 0);
	ck_assert_int_eq(sandbox_paths_check(tree_paths, READ, NULL, "file", &got, &tree_err), 0);
	ck_assert_int_eq(fchdir(before), 0);
	ck_assert(got.allowed);
	ck_assert_str_eq(got.path, tree_at("@/root/file"));
}
END_TEST

static unsigned next_random(unsigned *state)
{
	*state = *state * 1103515245U + 12345U; /* a fixed seed: failures must repeat */
	return *state >> 16;
}

/* Some components of the tree and of no tree, with as many slashes as may be. */
static void random_path(unsigned *state, char *ret, size_t size)
{
	static const char *const parts[] = {"root",	  "dir",     "file",	  "in",	     "out",
					    "up",	  "ref",     "secret",	  "..",	     "..",
					    ".",	  "new",     "none",	  "loop",    "bin",
					    "root-other", "outside", "root-link", "file-out"};
	unsigned count = 1 + next_random(state) % 6;
	size_t len = (size_t)snprintf(ret, size, "%s", tree_base);

	for (unsigned i = 0; i < count; i++)
		len += (size_t)snprintf(
			ret + len, size - len, "%s%s", next_random(state) % 8 ? "/" : "//",
			parts[next_random(state) % (sizeof(parts) / sizeof(parts[0]))]);
	if (next_random(state) % 8 == 0)
		snprintf(ret + len, size - len, "/");
}

/* Where the kernel says that the path leads; false when that is nowhere. */
static bool ask_kernel(const char *path, int flags, char *ret, size_t size)
{
	cleanup_close int fd = open(path, O_PATH | O_CLOEXEC | flags);
	char link[64];
	ssize_t n;

	if (fd < 0)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, ret, size - 1);
	ck_assert_int_gt((int)n, 0);
	ret[n] = '\0';
	return true;
}

/* The kernel is asked the same: of what is there, both have one answer. */
START_TEST(what_is_there_is_where_the_kernel_says)
{
	unsigned state = 1, there = 0;

	for (int i = 0; i < 4000; i++) {
		bool of_link = i % 2;
		char path[2 * PATH_MAX], kernel[PATH_MAX];
		struct sandbox_path got;

		random_path(&state, path, sizeof(path));
		if (!ask_kernel(path, of_link ? O_NOFOLLOW : 0, kernel, sizeof(kernel)))
			continue;
		tree_check(of_link ? DELETE : READ, path, &got);
		ck_assert_msg(strcmp(got.path, kernel) == 0, "%s: %s, not %s", path, kernel,
			      got.path);
		there++;
	}
	ck_assert_uint_gt(there, 250);
}
END_TEST

static TCase *checks(void)
{
	TCase *tc = tcase_create("checks");

	tcase_add_checked_fixture(tc, enter_compiled, tree_leave);
	tcase_add_loop_test(tc, a_path_is_judged_where_it_leads, 0, sizeof(rows) / sizeof(rows[0]));
	tcase_add_loop_test(tc, what_cannot_be_resolved_is_an_error, 0,
			    sizeof(failures) / sizeof(failures[0]));
	tcase_add_test(tc, a_refusal_says_why_and_by_which_root);
	tcase_add_test(tc, links_of_proc_that_are_text_are_followed);
	tcase_add_test(tc, what_is_there_is_where_the_kernel_says);
	tcase_add_test(tc, a_path_may_be_as_long_as_a_path_can_be);
	tcase_add_test(tc, odd_names_are_names);
	tcase_add_test(tc, a_directory_that_cannot_be_searched_is_an_error);
	tcase_add_test(tc, the_working_directory_is_the_default);
	return tc;
}

/* --- the order of roots ------------------------------------------------------------------------
 */

/* "-" and "." are sorted before "/", so that names beside a directory come before what is in it. */
static const char *const nests[] = {
	"@/n",	     "@/n-",	    "@/n-/a",	 "@/n.b",   "@/n.b/c",
	"@/n/a",     "@/n/a-b",	    "@/n/a-b/c", "@/n/a/b", "@/n/a/b-",
	"@/n/a/b/c", "@/n/a/b/c/d", "@/n/ab",	 "@/na",    "@/na/b",
};

enum { NESTS = sizeof(nests) / sizeof(nests[0]) };

/* What is granted at the path, by comparing it with each root. */
static unsigned slow_level(const char *path, size_t len, bool *ret_cuts)
{
	unsigned operations = 0;
	bool denies = false, read_only = false;

	*ret_cuts = false;
	for (size_t i = 0; i < tree_paths->count; i++) {
		const struct root *root = &tree_paths->item[i];

		if (root->len != len || memcmp(root->path, path, len) != 0)
			continue;
		operations |= root->operations;
		denies |= root->denies;
		read_only |= root->read_only;
		*ret_cuts |= root->cuts;
	}
	if (read_only)
		operations &= POLICY_OPS_READ | SANDBOX_OP_EXEC;
	return denies ? 0 : operations;
}

static unsigned slow_operations(const char *path)
{
	size_t len = strlen(path);
	unsigned operations = 0;
	bool cuts = false;

	while (!cuts && len > 0) {
		operations |= slow_level(path, len, &cuts);
		while (--len > 0 && path[len] != '/')
			;
	}
	return operations;
}

static unsigned slow_whole(const char *path)
{
	unsigned operations = 0;

	for (size_t i = 0; i < tree_paths->count; i++)
		if (policy_path_is_in(path, tree_paths->item[i].path, tree_paths->item[i].len))
			operations |= tree_paths->item[i].operations;
	return operations;
}

static void check_nest(const char *path)
{
	size_t len = strlen(path);
	unsigned operations = ~0U, want;
	bool cuts;

	ck_assert_uint_eq(paths_operations(tree_paths, path, len), slow_operations(path));
	ck_assert_uint_eq(paths_whole(tree_paths, path, len), slow_whole(path));
	want = slow_level(path, len, &cuts);
	ck_assert_int_eq(paths_level(tree_paths, path, len, &operations), cuts);
	ck_assert_uint_eq(operations, want);
}

START_TEST(roots_are_found_by_their_order_as_by_comparing_all)
{
	unsigned random = 1 + (unsigned)_i;

	for (int i = 0; i < NESTS; i++) {
		ck_assert_int_eq(fs_mkdir_all(tree_at(nests[i]), NULL), 0);
		random = random * 1103515245 + 12345;
		if (random >> 16 & 3)
			tree_add((enum sandbox_root)((random >> 18) % SANDBOX_ROOTS), nests[i]);
		if (!(random >> 22 & 7) && (random >> 18) % SANDBOX_ROOTS != SANDBOX_ROOT_DENY)
			tree_add(SANDBOX_ROOT_EXEC, nests[i]);
	}
	tree_compile();
	for (int i = 0; i < NESTS; i++) {
		char below[PATH_MAX];

		check_nest(tree_at(nests[i]));
		snprintf(below, sizeof(below), "%s/zz/y", tree_at(nests[i]));
		check_nest(below);
		snprintf(below, sizeof(below), "%s-", tree_at(nests[i]));
		check_nest(below);
	}
	for (size_t i = 0; i < tree_paths->count; i++) {
		const struct root *root = &tree_paths->item[i];

		ck_assert_uint_eq(root->granted, slow_operations(root->path));
		ck_assert_uint_eq(root->whole, slow_whole(root->path));
	}
}
END_TEST

Suite *sandbox_paths_suite(void)
{
	Suite *s = suite_create("sandbox_paths");

	TCase *order = tcase_create("order");

	suite_add_tcase(s, checks());
	tcase_add_checked_fixture(order, tree_enter, tree_leave);
	tcase_add_loop_test(order, roots_are_found_by_their_order_as_by_comparing_all, 0, 50);
	suite_add_tcase(s, order);
	return s;
}
