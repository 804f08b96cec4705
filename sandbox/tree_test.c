#include "sandbox/tree_test.h"

#include "base/fs.h"
#include "tools/tests.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

char tree_base[PATH_MAX];
struct sandbox_policy *tree_policy;
struct sandbox_paths *tree_paths;
struct error tree_err;

const char *tree_at(const char *name)
{
	static char path[4][2 * PATH_MAX];
	static int turn;

	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof(path[turn]), "%s%s", name[0] == '@' ? tree_base : "",
		 name[0] == '@' ? name + 1 : name);
	return path[turn];
}

void tree_put_file(const char *name)
{
	int fd = open(tree_at(name), O_CREAT | O_WRONLY | O_CLOEXEC, 0755);

	ck_assert_int_ge(fd, 0);
	close(fd);
}

static void put_link(const char *name, const char *target)
{
	ck_assert_int_eq(symlink(tree_at(target), tree_at(name)), 0);
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
	ck_assert_ptr_nonnull(realpath(name, tree_base));
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		ck_assert_int_eq(fs_mkdir_all(tree_at(dirs[i]), &tree_err), 0);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		tree_put_file(files[i]);
	put_link("@/root/in", "dir");
	put_link("@/root/out", "../outside");
	put_link("@/root/file-out", "@/outside/file");
	put_link("@/root/new", "../outside/new");
	put_link("@/root/loop", "loop");
	put_link("@/root/up", "..");
	put_link("@/root-link", "root");
}

void tree_add(enum sandbox_root kind, const char *path)
{
	ck_assert_msg(sandbox_policy_add_root(tree_policy, kind, tree_at(path), false, &tree_err) ==
			      0,
		      "%s", tree_err.text);
}

void tree_compile(void)
{
	ck_assert_msg(sandbox_paths_new(tree_policy, NULL, NULL, &tree_paths, &tree_err) == 0, "%s",
		      tree_err.text);
}

void tree_enter(void)
{
	tree_err = (struct error){0};
	make_tree();
	ck_assert_int_eq(
		sandbox_policy_new(SANDBOX_LEVEL_PROCESS_EXEC,
				   &(struct sandbox_places){tree_base, tree_base, tree_base},
				   &tree_policy, &tree_err),
		0);
}

void tree_leave(void)
{
	sandbox_paths_free(tree_paths);
	sandbox_policy_free(tree_policy);
	tree_paths = NULL;
	tree_policy = NULL;
	ck_assert_msg(fs_remove_all(tree_base, &tree_err) == 0, "%s", tree_err.text);
}

void tree_check(enum sandbox_access access, const char *path, struct sandbox_path *ret)
{
	ck_assert_msg(sandbox_paths_check(tree_paths, access, tree_base, tree_at(path), ret,
					  &tree_err) == 0,
		      "%s", tree_err.text);
}
