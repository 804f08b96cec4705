/* What Landlock refuses and what it lets pass, tried for real in children. */
#include "sandbox/landlock.h"

#include "base/cleanup.h"
#include "sandbox/kernel_linux.h"
#include "sandbox/landlock_test.h"
#include "sandbox/tree_test.h"
#include "tools/tests.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

/* --- acts: 0 or an errno ------------------------------------------------------------------------
 */

struct names {
	const char *path, *other;
};

static int failed(bool failure)
{
	return failure ? errno : 0;
}

static int open_with(const struct names *n, int flags)
{
	cleanup_close int fd = open(n->path, flags | O_CLOEXEC, 0644);

	return failed(fd < 0);
}

static int act_read(const struct names *n)
{
	return open_with(n, O_RDONLY);
}

static int act_write(const struct names *n)
{
	return open_with(n, O_WRONLY);
}

static int act_append(const struct names *n)
{
	return open_with(n, O_RDWR | O_APPEND);
}

static int act_truncate(const struct names *n)
{
	return failed(truncate(n->path, 0) < 0);
}

static int act_open_truncate(const struct names *n)
{
	return open_with(n, O_RDONLY | O_TRUNC);
}

static int act_make(const struct names *n)
{
	return open_with(n, O_WRONLY | O_CREAT | O_EXCL);
}

static int act_list(const struct names *n)
{
	cleanup_closedir DIR *dir = opendir(n->path);

	return failed(!dir);
}

static int act_mkdir(const struct names *n)
{
	return failed(mkdir(n->path, 0755) < 0);
}

static int act_symlink(const struct names *n)
{
	return failed(symlink("x", n->path) < 0);
}

static int act_fifo(const struct names *n)
{
	return failed(mkfifo(n->path, 0644) < 0);
}

static int act_socket(const struct names *n)
{
	cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", n->path);
	return failed(bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0);
}

/* /dev/null; an ordinary user cannot, and for 0:0, which everybody can, nothing is asked. */
static int act_device(const struct names *n)
{
	return failed(mknod(n->path, S_IFCHR | 0644, makedev(1, 3)) < 0);
}

static int act_unlink(const struct names *n)
{
	return failed(unlink(n->path) < 0);
}

static int act_rmdir(const struct names *n)
{
	return failed(rmdir(n->path) < 0);
}

static int act_rename(const struct names *n)
{
	return failed(rename(n->path, n->other) < 0);
}

static int act_exchange(const struct names *n)
{
	return failed(renameat2(AT_FDCWD, n->path, AT_FDCWD, n->other, RENAME_EXCHANGE) < 0);
}

static int act_link(const struct names *n)
{
	return failed(link(n->path, n->other) < 0);
}

/* The tools are empty: a kernel that lets them be executed finds no format in them. */
static int act_exec(const struct names *n)
{
	static char *const none[] = {NULL};

	execve(n->path, none, none);
	return errno == ENOEXEC ? 0 : errno;
}

static int act_stat(const struct names *n)
{
	struct stat st;

	return failed(stat(n->path, &st) < 0);
}

static int act_chdir(const struct names *n)
{
	return failed(chdir(n->path) < 0);
}

/* --- policies -----------------------------------------------------------------------------------
 */

static void add_optional(enum sandbox_root kind, const char *path)
{
	ck_assert_int_eq(sandbox_policy_add_root(tree_policy, kind, tree_at(path), true, NULL), 0);
}

static void use_plain(void)
{
	tree_add(SANDBOX_ROOT_WORKSPACE, "@/root");
	tree_add(SANDBOX_ROOT_READ, "@/readable");
	tree_add(SANDBOX_ROOT_EXEC, "@/tools");
}

static void use_nested(void)
{
	use_plain();
	tree_add(SANDBOX_ROOT_READ_ONLY, "@/root/ref");
	tree_add(SANDBOX_ROOT_WRITE, "@/root/ref/out");
	tree_add(SANDBOX_ROOT_DENY, "@/root/secret");
	tree_add(SANDBOX_ROOT_DENY, "@/root/nested/deep/secret");
	add_optional(SANDBOX_ROOT_DENY, "@/root/later");
}

/* Only names may be read in the workspace, and one file cannot be. */
static void use_file_denied(void)
{
	use_plain();
	tree_add(SANDBOX_ROOT_DENY, "@/root/dir/file");
}

static void use_operations(unsigned operations)
{
	ck_assert_int_eq(sandbox_policy_set_operations(tree_policy, operations, NULL), 0);
	use_plain();
}

static void use_reader(void)
{
	use_operations(SANDBOX_OP_READ_TEXT);
}

static void use_lister(void)
{
	use_operations(SANDBOX_OP_LIST | SANDBOX_OP_EXISTS);
}

static void use_writer(void)
{
	use_operations(SANDBOX_OP_WRITE_TEXT);
}

static void use_remover(void)
{
	use_operations(SANDBOX_OP_DELETE);
}

static void use_executer(void)
{
	use_operations(SANDBOX_OP_EXEC);
}

static const struct {
	void (*use)(void);
	int (*act)(const struct names *names);
	const char *path, *other;
	int error;
} rows[] = {
	/* A workspace with all operations. */
	{use_plain, act_read, "@/root/file", NULL, 0},
	{use_plain, act_read, "@/outside/file", NULL, EACCES},
	{use_plain, act_read, "@/root-other/file", NULL, EACCES},
	{use_plain, act_read, "@/root/file-out", NULL, EACCES},
	{use_plain, act_read, "@/root-link/file", NULL, 0},
	{use_plain, act_read, "@/root/out/../root/file", NULL, 0},
	{use_plain, act_list, "@/root", NULL, 0},
	{use_plain, act_list, "@/root/dir", NULL, 0},
	{use_plain, act_list, "@/outside", NULL, EACCES},
	{use_plain, act_list, "@", NULL, EACCES},
	{use_plain, act_write, "@/root/file", NULL, 0},
	{use_plain, act_write, "@/outside/file", NULL, EACCES},
	{use_plain, act_write, "@/readable/file", NULL, EACCES},
	{use_plain, act_append, "@/root/file", NULL, 0},
	{use_plain, act_append, "@/readable/file", NULL, EACCES},
	{use_plain, act_truncate, "@/root/file", NULL, 0},
	{use_plain, act_truncate, "@/readable/file", NULL, EACCES},
	{use_plain, act_truncate, "@/outside/file", NULL, EACCES},
	{use_plain, act_open_truncate, "@/root/file", NULL, 0},
	{use_plain, act_open_truncate, "@/readable/file", NULL, EACCES},
	{use_plain, act_make, "@/root/fresh", NULL, 0},
	{use_plain, act_make, "@/root/dir/fresh", NULL, 0},
	{use_plain, act_make, "@/outside/fresh", NULL, EACCES},
	{use_plain, act_make, "@/readable/fresh", NULL, EACCES},
	{use_plain, act_mkdir, "@/root/fresh", NULL, 0},
	{use_plain, act_mkdir, "@/outside/fresh", NULL, EACCES},
	{use_plain, act_symlink, "@/root/fresh", NULL, 0},
	{use_plain, act_symlink, "@/outside/fresh", NULL, EACCES},
	{use_plain, act_fifo, "@/root/fresh", NULL, 0},
	{use_plain, act_fifo, "@/outside/fresh", NULL, EACCES},
	{use_plain, act_socket, "@/root/fresh", NULL, 0},
	{use_plain, act_socket, "@/outside/fresh", NULL, EACCES},
	{use_plain, act_device, "@/root/fresh", NULL, EACCES},
	{use_plain, act_unlink, "@/root/file", NULL, 0},
	{use_plain, act_unlink, "@/outside/file", NULL, EACCES},
	{use_plain, act_unlink, "@/readable/file", NULL, EACCES},
	{use_plain, act_rmdir, "@/root/ref/out", NULL, 0},
	{use_plain, act_rename, "@/root/file", "@/root/fresh", 0},
	{use_plain, act_rename, "@/root/file", "@/root/dir/fresh", 0},
	{use_plain, act_rename, "@/root/dir", "@/root/ref/fresh", 0},
	{use_plain, act_rename, "@/root/file", "@/outside/fresh", EACCES},
	{use_plain, act_rename, "@/outside/file", "@/root/fresh", EACCES},
	{use_plain, act_rename, "@/readable/file", "@/root/fresh", EACCES},
	{use_plain, act_rename, "@/outside/file", "@/outside/fresh", EACCES},
	{use_plain, act_exchange, "@/root/file", "@/root/dir/file", 0},
	{use_plain, act_exchange, "@/root/file", "@/readable/file", EACCES},
	{use_plain, act_link, "@/root/file", "@/root/dir/fresh", 0},
	{use_plain, act_link, "@/root/file", "@/root/fresh", 0},
	{use_plain, act_link, "@/outside/file", "@/root/fresh", EXDEV},
	{use_plain, act_link, "@/readable/file", "@/root/fresh", EXDEV},
	{use_plain, act_link, "@/root/file", "@/outside/fresh", EACCES},
	{use_plain, act_exec, "@/root/bin/tool", NULL, 0},
	{use_plain, act_exec, "@/tools/tool", NULL, 0},
	{use_plain, act_exec, "@/readable/file", NULL, EACCES},
	{use_plain, act_exec, "@/outside/file", NULL, EACCES},
	{use_plain, act_read, "@/readable/file", NULL, 0},
	{use_plain, act_list, "@/readable", NULL, 0},
	{use_plain, act_read, "@/tools/tool", NULL, 0},
	{use_plain, act_write, "@/tools/tool", NULL, EACCES},
	/* What Landlock does not refuse. */
	{use_plain, act_stat, "@/outside/file", NULL, 0},
	{use_plain, act_chdir, "@/outside", NULL, 0},
	/* One operation each. */
	{use_reader, act_read, "@/root/file", NULL, 0},
	{use_reader, act_list, "@/root", NULL, EACCES},
	{use_reader, act_write, "@/root/file", NULL, EACCES},
	{use_reader, act_exec, "@/root/bin/tool", NULL, EACCES},
	{use_reader, act_rmdir, "@/root/ref/out", NULL, EACCES},
	{use_lister, act_list, "@/root/dir", NULL, 0},
	{use_lister, act_read, "@/root/file", NULL, EACCES},
	{use_writer, act_write, "@/root/file", NULL, 0},
	{use_writer, act_make, "@/root/fresh", NULL, 0},
	{use_writer, act_truncate, "@/root/file", NULL, 0},
	{use_writer, act_link, "@/root/file", "@/root/dir/fresh", 0},
	{use_writer, act_read, "@/root/file", NULL, EACCES},
	{use_writer, act_unlink, "@/root/file", NULL, EACCES},
	{use_writer, act_rename, "@/root/file", "@/root/fresh", EACCES},
	{use_remover, act_unlink, "@/root/file", NULL, 0},
	{use_remover, act_rmdir, "@/root/ref/out", NULL, 0},
	{use_remover, act_make, "@/root/fresh", NULL, EACCES},
	{use_remover, act_truncate, "@/root/file", NULL, EACCES},
	{use_remover, act_rename, "@/root/file", "@/root/fresh", EACCES},
	/* To execute is to read, too. */
	{use_executer, act_exec, "@/root/bin/tool", NULL, EACCES},
	{use_executer, act_read, "@/root/bin/tool", NULL, EACCES},
	/* Cuts inside of a root. */
	{use_nested, act_read, "@/root/file", NULL, 0},
	{use_nested, act_write, "@/root/file", NULL, 0},
	{use_nested, act_truncate, "@/root/file", NULL, 0},
	{use_nested, act_exec, "@/root/bin/tool", NULL, 0},
	{use_nested, act_make, "@/root/dir/fresh", NULL, 0},
	{use_nested, act_rename, "@/root/dir/file", "@/root/bin/fresh", 0},
	{use_nested, act_read, "@/root/secret/key", NULL, EACCES},
	{use_nested, act_write, "@/root/secret/key", NULL, EACCES},
	{use_nested, act_truncate, "@/root/secret/key", NULL, EACCES},
	{use_nested, act_exec, "@/root/secret/key", NULL, EACCES},
	{use_nested, act_list, "@/root/secret", NULL, EACCES},
	{use_nested, act_list, "@/root/nested/deep/secret", NULL, EACCES},
	{use_nested, act_make, "@/root/secret/fresh", NULL, EACCES},
	{use_nested, act_unlink, "@/root/secret/key", NULL, EACCES},
	{use_nested, act_rename, "@/root/secret/key", "@/root/dir/fresh", EACCES},
	{use_nested, act_rename, "@/root/secret", "@/root/dir/fresh", EACCES},
	{use_nested, act_rename, "@/root/nested", "@/root/dir/fresh", EACCES},
	{use_nested, act_link, "@/root/secret/key", "@/root/dir/fresh", EXDEV},
	{use_nested, act_read, "@/root/ref/file", NULL, 0},
	{use_nested, act_list, "@/root/ref", NULL, 0},
	{use_nested, act_write, "@/root/ref/file", NULL, EACCES},
	{use_nested, act_exec, "@/root/ref/file", NULL, EACCES},
	{use_nested, act_make, "@/root/ref/fresh", NULL, EACCES},
	{use_nested, act_unlink, "@/root/ref/file", NULL, EACCES},
	{use_nested, act_rename, "@/root/ref/file", "@/root/dir/fresh", EACCES},
	{use_nested, act_rename, "@/root/file", "@/root/ref/fresh", EACCES},
	{use_nested, act_link, "@/root/ref/file", "@/root/dir/fresh", EXDEV},
	{use_nested, act_make, "@/root/ref/out/fresh", NULL, 0},
	{use_nested, act_rename, "@/root/dir/file", "@/root/ref/out/fresh", 0},
	{use_nested, act_mkdir, "@/root/later", NULL, EACCES},
	/* The price of carving: where something is cut out, nothing is made beside it. */
	{use_nested, act_make, "@/root/fresh", NULL, EACCES},
	{use_nested, act_list, "@/root", NULL, EACCES},
	{use_nested, act_unlink, "@/root/file", NULL, EACCES},
	{use_file_denied, act_read, "@/root/dir/file", NULL, EACCES},
	{use_file_denied, act_list, "@/root/dir", NULL, 0},
	{use_file_denied, act_list, "@/root", NULL, 0},
	{use_file_denied, act_write, "@/root/file", NULL, 0},
	{use_file_denied, act_unlink, "@/root/dir/file", NULL, EACCES},
};

struct row_run {
	int (*act)(const struct names *names);
	struct names names;
	const struct landlock *l;
};

static int run_row(void *ctx)
{
	const struct row_run *run = ctx;
	int rc = run->l ? landlock_enter(run->l, NULL, 0) : 0;

	return rc ? rc : run->act(&run->names);
}

START_TEST(an_act_is_refused_or_not)
{
	struct row_run run = {rows[_i].act, {NULL, NULL}, NULL};
	struct landlock l = LANDLOCK_INIT;
	char path[PATH_MAX], other[PATH_MAX];
	int got;

	if (rows[_i].act == act_device && geteuid() != 0)
		return;
	rows[_i].use();
	landlock_compile(&l, false, landlock_abi());
	snprintf(path, sizeof(path), "%s", tree_at(rows[_i].path));
	snprintf(other, sizeof(other), "%s", tree_at(rows[_i].other ? rows[_i].other : ""));
	run.names = (struct names){path, other};
	run.l = &l;
	for (int drop = geteuid() == 0; drop >= 0; drop--) {
		got = landlock_child(run_row, &run, drop);
		ck_assert_msg(got == rows[_i].error, "%s: %s", path, strerror(got));
		if (!rows[_i].error)
			break; /* it has been done */
	}
	run.l = NULL;
	if (rows[_i].error)
		ck_assert_msg(landlock_child(run_row, &run, false) == 0, "%s: not without, too",
			      path);
	landlock_free(&l);
}
END_TEST

Suite *sandbox_landlock_linux_suite(void)
{
	Suite *suite = suite_create("sandbox_landlock_linux");
	TCase *tc = tcase_create("acts");

	tcase_add_checked_fixture(tc, tree_enter, tree_leave);
	tcase_add_loop_test(tc, an_act_is_refused_or_not, 0, sizeof(rows) / sizeof(rows[0]));
	suite_add_tcase(suite, tc);
	return suite;
}
