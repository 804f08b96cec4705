#include "sandbox/policy.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include "tools/tests.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * In the scratch directory, which is "@" in the tables below:
 *
 *	root/		workspace
 *	  file dir/file bin/tool
 *	  secret/key	denied; so are nested/deep/secret and later, which is not there
 *	  ref/file	read-only; ref/out/ in it can be written
 *	  in -> dir, out -> ../outside, file-out -> @/outside/file, new -> ../outside/new,
 *	  loop -> loop, up -> ..
 *	root-other/file
 *	outside/file
 *	readable/file	read
 *	tools/tool	exec
 *	root-link -> root
 */
static char base[PATH_MAX];
static struct sandbox_policy *policy;
static struct sandbox_paths *paths;
static struct error err;

static const char *at(const char *name)
{
	static char path[4][2 * PATH_MAX];
	static int turn;

	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof(path[turn]), "%s%s", name[0] == '@' ? base : "",
		 name[0] == '@' ? name + 1 : name);
	return path[turn];
}

static void put_file(const char *name)
{
	int fd = open(at(name), O_CREAT | O_WRONLY | O_CLOEXEC, 0755);

	ck_assert_int_ge(fd, 0);
	close(fd);
}

static void put_link(const char *name, const char *target)
{
	ck_assert_int_eq(symlink(at(target), at(name)), 0);
}

static void make_tree(void)
{
	static const char *const dirs[] = {
		"@/root/dir",	  "@/root/bin",	  "@/root/secret",
		"@/root/ref/out", "@/root-other", "@/root/nested/deep/secret",
		"@/outside",	  "@/readable",	  "@/tools"};
	static const char *const files[] = {
		"@/root/file",	     "@/root/dir/file", "@/root/bin/tool",
		"@/root/secret/key", "@/root/ref/file", "@/root-other/file",
		"@/outside/file",    "@/readable/file", "@/tools/tool"};
	char name[] = "/tmp/sandtape-paths-test.XXXXXX";

	ck_assert_ptr_nonnull(mkdtemp(name));
	ck_assert_ptr_nonnull(realpath(name, base));
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		ck_assert_int_eq(fs_mkdir_all(at(dirs[i]), &err), 0);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		put_file(files[i]);
	put_link("@/root/in", "dir");
	put_link("@/root/out", "../outside");
	put_link("@/root/file-out", "@/outside/file");
	put_link("@/root/new", "../outside/new");
	put_link("@/root/loop", "loop");
	put_link("@/root/up", "..");
	put_link("@/root-link", "root");
}

static void add(enum sandbox_root kind, const char *path)
{
	ck_assert_msg(sandbox_policy_add_root(policy, kind, at(path), false, &err) == 0, "%s",
		      err.text);
}

static void compile(void)
{
	ck_assert_msg(sandbox_paths_new(policy, NULL, NULL, &paths, &err) == 0, "%s", err.text);
}

static void enter(void)
{
	err = (struct error){0};
	make_tree();
	ck_assert_int_eq(sandbox_policy_new(SANDBOX_LEVEL_PROCESS_EXEC,
					    &(struct sandbox_places){base, base, base}, &policy,
					    &err),
			 0);
}

static void enter_compiled(void)
{
	enter();
	add(SANDBOX_ROOT_WORKSPACE, "@/root");
	add(SANDBOX_ROOT_READ_ONLY, "@/root/ref");
	add(SANDBOX_ROOT_WRITE, "@/root/ref/out");
	add(SANDBOX_ROOT_DENY, "@/root/secret");
	add(SANDBOX_ROOT_DENY, "@/root/nested/deep/secret");
	add(SANDBOX_ROOT_READ, "@/readable");
	add(SANDBOX_ROOT_EXEC, "@/tools");
	ck_assert_int_eq(
		sandbox_policy_add_root(policy, SANDBOX_ROOT_DENY, at("@/root/later"), true, &err),
		0);
	compile();
}

static void leave(void)
{
	sandbox_paths_free(paths);
	sandbox_policy_free(policy);
	paths = NULL;
	policy = NULL;
	ck_assert_msg(fs_remove_all(base, &err) == 0, "%s", err.text);
}

#define READ   SANDBOX_ACCESS_READ
#define LIST   SANDBOX_ACCESS_LIST
#define EXISTS SANDBOX_ACCESS_EXISTS
#define WRITE  SANDBOX_ACCESS_WRITE
#define DELETE SANDBOX_ACCESS_DELETE
#define EXEC   SANDBOX_ACCESS_EXEC
#define CWD    SANDBOX_ACCESS_CWD

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
	int rc = sandbox_paths_check(paths, rows[_i].access, at(rows[_i].cwd), at(rows[_i].path),
				     &got, &err);

	ck_assert_msg(rc == 0, "%s: %s", rows[_i].path, err.text);
	ck_assert_str_eq(got.path, at(rows[_i].resolved));
	ck_assert_msg(got.allowed == rows[_i].allowed, "%s: %s", rows[_i].path, got.why);
	ck_assert_str_ne(got.why, "");
	ck_assert(!got.allowed || got.root);
}
END_TEST

static void check(enum sandbox_access access, const char *path, struct sandbox_path *ret)
{
	ck_assert_msg(sandbox_paths_check(paths, access, base, at(path), ret, &err) == 0, "%s",
		      err.text);
}

START_TEST(a_refusal_says_why_and_by_which_root)
{
	struct sandbox_path got;

	check(READ, "root/secret/key", &got);
	ck_assert_str_eq(got.root, at("@/root/secret"));
	ck_assert_str_eq(got.why, "it is denied");
	check(WRITE, "root/ref/file", &got);
	ck_assert_str_eq(got.root, at("@/root/ref"));
	ck_assert_str_eq(got.why, "write_text is not granted there");
	check(READ, "outside/file", &got);
	ck_assert_ptr_null(got.root);
	ck_assert_str_eq(got.why, "no root of the policy holds it");
	check(DELETE, "root/nested", &got);
	ck_assert_str_eq(got.root, at("@/root/nested/deep/secret"));
	check(READ, "root/file", &got);
	ck_assert_str_eq(got.root, at("@/root"));
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
	int rc = sandbox_paths_check(paths, READ, at(failures[_i].cwd), at(failures[_i].path), &got,
				     &err);

	ck_assert_int_eq(rc, failures[_i].code);
	ck_assert_int_eq(err.sys, failures[_i].sys);
	ck_assert_str_eq(got.why, "untouched");
}
END_TEST

START_TEST(links_of_proc_that_are_text_are_followed)
{
	struct sandbox_path got;
	char wanted[64];

	check(READ, "/proc/self/status", &got);
	snprintf(wanted, sizeof(wanted), "/proc/%d/status", (int)getpid());
	ck_assert_str_eq(got.path, wanted);
}
END_TEST

START_TEST(a_path_may_be_as_long_as_a_path_can_be)
{
	char path[3 * PATH_MAX];
	struct sandbox_path got;
	size_t len = strlen(at("@/root"));

	memcpy(path, at("@/root"), len);
	path[len++] = '/';
	while (len < PATH_MAX - 1) {
		path[len] = len % 64 ? 'a' : '/';
		len++;
	}
	path[len - 1] = 'a';
	path[len] = '\0';
	check(WRITE, path, &got);
	ck_assert(got.allowed);
	ck_assert_str_eq(got.path, path);
	path[len++] = 'a';
	path[len] = '\0';
	ck_assert_int_eq(sandbox_paths_check(paths, WRITE, NULL, path, &got, &err), ERR_SYSTEM);
	ck_assert_int_eq(err.sys, ENAMETOOLONG);
	memset(path, '/', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	check(WRITE, path, &got);
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
		check(WRITE, path, &got);
		ck_assert_msg(got.allowed, "%s", got.path);
	}
}
END_TEST

/* As uid 0 everything can be searched: there the same path is resolved and judged. */
START_TEST(a_directory_that_cannot_be_searched_is_an_error)
{
	struct sandbox_path got;
	int rc;

	ck_assert_int_eq(chmod(at("@/root/dir"), 0), 0);
	rc = sandbox_paths_check(paths, READ, base, "root/dir/file", &got, &err);
	ck_assert_int_eq(chmod(at("@/root/dir"), 0755), 0);
	ck_assert_int_eq(rc, geteuid() == 0 ? 0 : ERR_SYSTEM);
	if (geteuid() == 0)
		ck_assert(got.allowed);
	else
		ck_assert_int_eq(err.sys, EACCES);
}
END_TEST

START_TEST(the_working_directory_is_the_default)
{
	cleanup_close int before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct sandbox_path got;

	ck_assert_int_eq(chdir(at("@/root")), 0);
	ck_assert_int_eq(sandbox_paths_check(paths, READ, NULL, "file", &got, &err), 0);
	ck_assert_int_eq(fchdir(before), 0);
	ck_assert(got.allowed);
	ck_assert_str_eq(got.path, at("@/root/file"));
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
	size_t len = (size_t)snprintf(ret, size, "%s", base);

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
		check(of_link ? DELETE : READ, path, &got);
		ck_assert_msg(strcmp(got.path, kernel) == 0, "%s: %s, not %s", path, kernel,
			      got.path);
		there++;
	}
	ck_assert_uint_gt(there, 250);
}
END_TEST

/* --- the roots on this host --------------------------------------------------------------------
 */

static void count(void *ctx, const char *text)
{
	int *told = ctx;

	ck_assert_str_ne(text, "");
	(*told)++;
}

START_TEST(a_root_that_is_missing_is_an_error_or_told)
{
	int told = 0;

	add(SANDBOX_ROOT_READ, "@/nothing");
	ck_assert_int_eq(sandbox_paths_new(policy, count, &told, &paths, &err), ERR_NOTFOUND);
	ck_assert_ptr_nonnull(strstr(err.text, "/nothing"));
	ck_assert_int_eq(told, 0);
	sandbox_policy_set_strictness(policy, SANDBOX_MECH_LANDLOCK_FS, SANDBOX_STRICT_WARN, &err);
	ck_assert_int_eq(sandbox_paths_new(policy, count, &told, &paths, &err), 0);
	ck_assert_int_eq(told, 1);
}
END_TEST

START_TEST(an_optional_root_may_be_missing)
{
	struct sandbox_path got;
	int told = 0;

	sandbox_policy_add_root(policy, SANDBOX_ROOT_WRITE, at("@/nothing"), true, &err);
	ck_assert_int_eq(sandbox_paths_new(policy, count, &told, &paths, &err), 0);
	ck_assert_int_eq(told, 0);
	check(WRITE, "@/nothing", &got);
	ck_assert(!got.allowed);
}
END_TEST

START_TEST(what_is_denied_need_not_be_there)
{
	struct sandbox_path got;
	int told = 0;

	add(SANDBOX_ROOT_WRITE, "@/root");
	add(SANDBOX_ROOT_DENY, "@/root/.env");
	ck_assert_int_eq(sandbox_paths_new(policy, count, &told, &paths, &err), 0);
	ck_assert_int_eq(told, 0);
	check(WRITE, "@/root/.env", &got);
	ck_assert(!got.allowed);
	/* What is read-only is there to be read. */
	sandbox_paths_free(paths);
	paths = NULL;
	add(SANDBOX_ROOT_READ_ONLY, "@/root/none");
	ck_assert_int_eq(sandbox_paths_new(policy, count, &told, &paths, &err), ERR_NOTFOUND);
}
END_TEST

START_TEST(a_root_may_be_a_link)
{
	struct sandbox_path got;

	add(SANDBOX_ROOT_WRITE, "@/root-link");
	compile();
	check(WRITE, "@/root/file", &got);
	ck_assert(got.allowed);
	check(WRITE, "@/root-link/file", &got);
	ck_assert(got.allowed);
	/* But not be another one tomorrow. */
	check(DELETE, "@/root-link", &got);
	ck_assert(!got.allowed);
}
END_TEST

START_TEST(a_root_by_a_link_that_programs_can_change_is_refused)
{
	struct sandbox_path got;
	int told = 0;

	add(SANDBOX_ROOT_WORKSPACE, "@/root");
	add(SANDBOX_ROOT_READ, "@/root/out");
	ck_assert_int_eq(sandbox_paths_new(policy, count, &told, &paths, &err), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(err.text, "/root/out"));
	sandbox_policy_set_strictness(policy, SANDBOX_MECH_LANDLOCK_FS, SANDBOX_STRICT_WARN, &err);
	ck_assert_int_eq(sandbox_paths_new(policy, count, &told, &paths, &err), 0);
	ck_assert_int_eq(told, 1);
	check(READ, "@/outside/file", &got);
	ck_assert(!got.allowed);
	check(READ, "@/root/file", &got);
	ck_assert(got.allowed);
}
END_TEST

START_TEST(an_optional_root_by_such_a_link_grants_nothing)
{
	struct sandbox_path got;
	int told = 0;

	add(SANDBOX_ROOT_WORKSPACE, "@/root");
	sandbox_policy_add_root(policy, SANDBOX_ROOT_WRITE, at("@/root/out"), true, &err);
	ck_assert_int_eq(sandbox_paths_new(policy, count, &told, &paths, &err), 0);
	ck_assert_int_eq(told, 1);
	check(WRITE, "@/outside/file", &got);
	ck_assert(!got.allowed);
}
END_TEST

/* The name and what it leads to, whether that is there or not. */
START_TEST(a_link_that_is_denied_denies_both)
{
	struct sandbox_path got;

	add(SANDBOX_ROOT_WRITE, "@/root");
	add(SANDBOX_ROOT_WRITE, "@/outside");
	sandbox_policy_add_root(policy, SANDBOX_ROOT_DENY, at("@/root/file-out"), true, &err);
	sandbox_policy_add_root(policy, SANDBOX_ROOT_DENY, at("@/root/out/missing"), true, &err);
	compile();
	check(READ, "@/root/file-out", &got);
	ck_assert(!got.allowed);
	check(READ, "@/outside/file", &got);
	ck_assert(!got.allowed);
	check(DELETE, "@/root/file-out", &got);
	ck_assert(!got.allowed);
	check(WRITE, "@/outside/missing", &got);
	ck_assert(!got.allowed);
	check(WRITE, "@/outside/other", &got);
	ck_assert(got.allowed);
}
END_TEST

START_TEST(the_root_directory_can_be_a_root)
{
	struct sandbox_path got;

	add(SANDBOX_ROOT_READ, "/");
	add(SANDBOX_ROOT_DENY, "@/root/secret");
	compile();
	check(READ, "/etc/passwd", &got);
	ck_assert(got.allowed);
	check(LIST, "/", &got);
	ck_assert(got.allowed);
	check(WRITE, "/etc/passwd", &got);
	ck_assert(!got.allowed);
	check(READ, "@/root/secret/key", &got);
	ck_assert(!got.allowed);
}
END_TEST

START_TEST(a_shared_tmp_is_granted)
{
	struct sandbox_path got;

	sandbox_policy_set_tmp(policy, SANDBOX_TMP_NONE, &err);
	compile();
	check(WRITE, "/tmp/x", &got);
	ck_assert(!got.allowed);
	sandbox_paths_free(paths);
	sandbox_policy_set_tmp(policy, SANDBOX_TMP_SHARED, &err);
	compile();
	check(WRITE, "/tmp/x", &got);
	ck_assert(got.allowed);
}
END_TEST

START_TEST(operations_of_the_workspace_are_those_of_the_policy)
{
	struct sandbox_path got;

	add(SANDBOX_ROOT_WORKSPACE, "@/root");
	sandbox_policy_set_operations(policy, SANDBOX_OP_EXISTS | SANDBOX_OP_LIST, &err);
	compile();
	check(EXISTS, "@/root/file", &got);
	ck_assert(got.allowed);
	check(LIST, "@/root/dir", &got);
	ck_assert(got.allowed);
	check(READ, "@/root/file", &got);
	ck_assert(!got.allowed);
	check(DELETE, "@/root/file", &got);
	ck_assert(!got.allowed);
}
END_TEST

START_TEST(a_thousand_roots_are_resolved)
{
	struct sandbox_path got;
	char name[64];

	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "@/readable/%d", i);
		put_file(name);
		add(SANDBOX_ROOT_WRITE, name);
	}
	compile();
	check(WRITE, "@/readable/0", &got);
	ck_assert(got.allowed);
	check(WRITE, "@/readable/999", &got);
	ck_assert(got.allowed);
	check(WRITE, "@/readable/1000", &got);
	ck_assert(!got.allowed);
}
END_TEST

/* The default policy of a workspace works here, whoever runs this. */
START_TEST(the_default_policy_grants_the_system_and_no_keys)
{
	static const char text[] = "{\"version\": 1, \"fs\": {\"workspace\": [\"$WORK/root\"]}}";
	const struct sandbox_places here = {base, base, base};
	struct sandbox_policy *p = NULL;
	struct sandbox_path got;

	ck_assert_msg(sandbox_policy_parse(text, strlen(text), "text", &here, &p, &err) == 0, "%s",
		      err.text);
	ck_assert_msg(sandbox_paths_new(p, NULL, NULL, &paths, &err) == 0, "%s", err.text);
	sandbox_policy_free(p);
	check(EXEC, "/bin/sh", &got);
	ck_assert(got.allowed);
	check(READ, "/etc/passwd", &got);
	ck_assert(got.allowed);
	check(WRITE, "/etc/passwd", &got);
	ck_assert(!got.allowed);
	check(READ, "/etc/shadow", &got);
	ck_assert(!got.allowed);
	check(WRITE, "/dev/null", &got);
	ck_assert(got.allowed);
	check(WRITE, "@/.ssh/authorized_keys", &got);
	ck_assert(!got.allowed);
	check(WRITE, "@/root/x", &got);
	ck_assert(got.allowed);
}
END_TEST

static TCase *checks(void)
{
	TCase *tc = tcase_create("checks");

	tcase_add_checked_fixture(tc, enter_compiled, leave);
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

static TCase *roots(void)
{
	TCase *tc = tcase_create("roots");

	tcase_add_checked_fixture(tc, enter, leave);
	tcase_add_test(tc, a_root_that_is_missing_is_an_error_or_told);
	tcase_add_test(tc, an_optional_root_may_be_missing);
	tcase_add_test(tc, what_is_denied_need_not_be_there);
	tcase_add_test(tc, a_root_may_be_a_link);
	tcase_add_test(tc, a_root_by_a_link_that_programs_can_change_is_refused);
	tcase_add_test(tc, an_optional_root_by_such_a_link_grants_nothing);
	tcase_add_test(tc, a_link_that_is_denied_denies_both);
	tcase_add_test(tc, the_root_directory_can_be_a_root);
	tcase_add_test(tc, a_shared_tmp_is_granted);
	tcase_add_test(tc, operations_of_the_workspace_are_those_of_the_policy);
	tcase_add_test(tc, a_thousand_roots_are_resolved);
	tcase_add_test(tc, the_default_policy_grants_the_system_and_no_keys);
	return tc;
}

Suite *sandbox_paths_suite(void)
{
	Suite *s = suite_create("sandbox_paths");

	suite_add_tcase(s, checks());
	suite_add_tcase(s, roots());
	return s;
}
