/* Roots of all kinds as rules of Landlock: presets, many, carved, extended, changed meanwhile. */
#include "sandbox/landlock.h"

#include "base/chaos_test.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "sandbox/kept_linux.h"
#include "sandbox/kernel_linux.h"
#include "sandbox/landlock_test.h"
#include "sandbox/tree_test.h"
#include "tools/tests.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct run {
	const struct landlock *l;
	const struct landlock_rule *extra;
	size_t extras;
	const char *path;
	int fd;
};

static int opens(const char *path, int flags)
{
	cleanup_close int fd = open(path, flags | O_CLOEXEC, 0644);

	return fd < 0 ? errno : 0;
}

static int enter(const struct run *run)
{
	return run->l ? landlock_enter(run->l, run->extra, run->extras) : 0;
}

static int read_path(void *ctx)
{
	const struct run *run = ctx;
	int rc = enter(run);

	return rc ? rc : opens(run->path, O_RDONLY);
}

static int try_read(const struct landlock *l, const char *path)
{
	struct run run = {.l = l, .path = tree_at(path)};

	return landlock_child(read_path, &run, false);
}

static int make_path(void *ctx)
{
	const struct run *run = ctx;
	int rc = enter(run);

	return rc ? rc : opens(run->path, O_WRONLY | O_CREAT | O_EXCL);
}

static const struct sandbox_layer *files_layer(void)
{
	return landlock_layer(SANDBOX_MECH_LANDLOCK_FS);
}

/* --- what a ruleset does not touch --------------------------------------------------------------
 */

static int use_open_file(void *ctx)
{
	const struct run *run = ctx;
	char byte;
	int rc = enter(run);

	if (rc)
		return rc;
	if (pwrite(run->fd, "x", 1, 0) != 1 || pread(run->fd, &byte, 1, 0) != 1 ||
	    ftruncate(run->fd, 0) < 0)
		return errno;
	return 0;
}

START_TEST(what_is_open_stays_open)
{
	struct landlock l = LANDLOCK_INIT;
	cleanup_close int fd = open(tree_at("@/outside/file"), O_RDWR | O_CLOEXEC);
	struct run run = {.l = &l, .fd = fd};

	tree_add(SANDBOX_ROOT_READ, "@/readable");
	landlock_compile(&l, false, landlock_abi());
	ck_assert_int_eq(try_read(&l, "@/outside/file"), EACCES);
	ck_assert_int_eq(landlock_child(use_open_file, &run, false), 0);
	landlock_free(&l);
}
END_TEST

/* Memory files, and pipes by their names in /proc. */
static int use_anonymous(void *ctx)
{
	char path[64];
	int ends[2], fd, rc = enter(ctx);

	if (rc)
		return rc;
	fd = memfd_create("memory", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 100) < 0 || pipe2(ends, O_CLOEXEC) < 0)
		return errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	rc = opens(path, O_RDWR | O_TRUNC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[1]);
	return rc ? rc : opens(path, O_WRONLY);
}

START_TEST(memory_and_pipes_have_no_root)
{
	struct landlock l = LANDLOCK_INIT;
	struct run run = {.l = &l};

	tree_add(SANDBOX_ROOT_READ, "@/readable");
	landlock_compile(&l, false, landlock_abi());
	ck_assert_int_eq(landlock_child(use_anonymous, &run, false), 0);
	landlock_free(&l);
}
END_TEST

static int mount_tmpfs(void *ctx)
{
	int rc = enter(ctx);

	if (rc)
		return rc;
	return mount("none", tree_at("@/root/dir"), "tmpfs", 0, NULL) < 0 ? errno : 0;
}

START_TEST(nothing_is_mounted)
{
	struct landlock l = LANDLOCK_INIT;
	struct run run = {.l = &l};

	tree_add(SANDBOX_ROOT_WORKSPACE, "@/root");
	landlock_compile(&l, false, landlock_abi());
	ck_assert_int_eq(landlock_child(mount_tmpfs, &run, false), EPERM);
	landlock_free(&l);
}
END_TEST

static int keep_errno(void *ctx)
{
	const struct run *run = ctx;
	const struct landlock_rule wrong = {-1, LL_FS_READ_FILE};
	int rc;

	errno = E2BIG;
	rc = landlock_apply(run->l, NULL, 0); /* without no_new_privs: as root it is allowed */
	if (errno != E2BIG || (rc != 0 && rc != -EPERM))
		return 1;
	rc = landlock_apply(run->l, &wrong, 1);
	return errno != E2BIG || rc != -EBADF;
}

START_TEST(applying_leaves_errno_alone)
{
	struct landlock l = LANDLOCK_INIT;
	struct run run = {.l = &l};

	tree_add(SANDBOX_ROOT_READ, "@/readable");
	landlock_compile(&l, true, landlock_abi());
	ck_assert_int_eq(landlock_child(keep_errno, &run, false), 0);
	landlock_free(&l);
}
END_TEST

/* --- masks and extra rules ----------------------------------------------------------------------
 */

START_TEST(what_mounts_mask_is_granted_whole)
{
	struct landlock l = LANDLOCK_INIT;
	struct run run = {.l = &l, .path = NULL};
	char fresh[PATH_MAX];

	tree_add(SANDBOX_ROOT_WORKSPACE, "@/root");
	tree_add(SANDBOX_ROOT_DENY, "@/root/secret");
	tree_add(SANDBOX_ROOT_READ_ONLY, "@/root/ref");
	landlock_compile(&l, true, landlock_abi());
	/* and the read-only one with it */
	ck_assert_uint_eq(l.rules, 1);
	ck_assert_uint_eq(l.named_count, 1);
	ck_assert_int_eq(try_read(&l, "@/root/secret/key"), 0);
	snprintf(fresh, sizeof(fresh), "%s", tree_at("@/root/fresh"));
	run.path = fresh;
	ck_assert_int_eq(landlock_child(make_path, &run, false), 0);
	ck_assert_ptr_null(strstr(files_layer()->why, "stat"));
	landlock_free(&l);
}
END_TEST

START_TEST(extra_rules_are_for_one_child_only)
{
	struct landlock l = LANDLOCK_INIT;
	cleanup_close int fd = open(tree_at("@/outside"), O_PATH | O_CLOEXEC);
	struct landlock_rule extra = {fd, landlock_access(POLICY_OPS_ALL, true, LL_ABI_LAST) |
						  LL_FS_RESOLVE_UNIX};
	struct run run = {.l = &l, .extra = &extra, .extras = 1};
	char path[PATH_MAX];

	tree_add(SANDBOX_ROOT_WORKSPACE, "@/root");
	landlock_compile(&l, true, landlock_abi());
	snprintf(path, sizeof(path), "%s", tree_at("@/outside/file"));
	run.path = path;
	ck_assert_int_eq(landlock_child(read_path, &run, false), 0);
	run.extras = 0;
	ck_assert_int_eq(landlock_child(read_path, &run, false), EACCES);
	run.extras = 1;
	/* The roots are there as well, and nothing else is. */
	snprintf(path, sizeof(path), "%s", tree_at("@/root/file"));
	ck_assert_int_eq(landlock_child(read_path, &run, false), 0);
	snprintf(path, sizeof(path), "%s", tree_at("@/readable/file"));
	ck_assert_int_eq(landlock_child(read_path, &run, false), EACCES);
	landlock_free(&l);
}
END_TEST

START_TEST(what_is_carved_can_be_extended)
{
	struct landlock l = LANDLOCK_INIT;
	cleanup_close int fd = open(tree_at("@/outside"), O_PATH | O_CLOEXEC);
	const struct landlock_rule extra = {fd, LL_FS_READ_FILE};
	struct run run = {.l = &l, .extra = &extra, .extras = 1};
	char path[PATH_MAX];

	tree_add(SANDBOX_ROOT_WORKSPACE, "@/root");
	tree_add(SANDBOX_ROOT_DENY, "@/root/secret");
	landlock_compile(&l, false, landlock_abi());
	snprintf(path, sizeof(path), "%s", tree_at("@/outside/file"));
	run.path = path;
	ck_assert_int_eq(landlock_child(read_path, &run, false), 0);
	snprintf(path, sizeof(path), "%s", tree_at("@/root/secret/key"));
	ck_assert_int_eq(landlock_child(read_path, &run, false), EACCES);
	snprintf(path, sizeof(path), "%s", tree_at("@/root/file"));
	ck_assert_int_eq(landlock_child(read_path, &run, false), 0);
	landlock_free(&l);
}
END_TEST

START_TEST(a_denied_name_that_is_not_there_costs_nothing)
{
	struct landlock l = LANDLOCK_INIT;
	struct run run = {.l = &l};
	char path[PATH_MAX];

	tree_add(SANDBOX_ROOT_WORKSPACE, "@/root");
	tree_add(SANDBOX_ROOT_DENY, "@/root/none/there");
	landlock_compile(&l, false, landlock_abi());
	ck_assert_uint_eq(l.rules, 1);
	ck_assert_int_eq(files_layer()->state, SANDBOX_STATE_PARTIAL);
	ck_assert_ptr_nonnull(strstr(files_layer()->why, "the program can make them"));
	snprintf(path, sizeof(path), "%s", tree_at("@/root/fresh"));
	run.path = path;
	ck_assert_int_eq(landlock_child(make_path, &run, false), 0);
	landlock_free(&l);
}
END_TEST

/* In a program that was started without stdio. */
static int prepare_without_stdio(void *ctx)
{
	struct landlock l = LANDLOCK_INIT;
	int rc;

	(void)ctx;
	close(0);
	close(1);
	close(2);
	rc = landlock_try(&l, false, landlock_abi());
	rc = rc || l.ruleset < 3 || l.named_count != 2;
	for (int fd = 0; fd < 3; fd++)
		rc = rc || fcntl(fd, F_GETFD) >= 0;
	landlock_free(&l);
	return rc;
}

START_TEST(no_descriptor_is_in_the_place_of_stdio)
{
	tree_add(SANDBOX_ROOT_WORKSPACE, "@/root");
	tree_add(SANDBOX_ROOT_READ, "@/readable");
	ck_assert_int_eq(landlock_child(prepare_without_stdio, NULL, false), 0);
}
END_TEST

/* --- carving ------------------------------------------------------------------------------------
 */

START_TEST(the_layer_tells_what_carving_costs)
{
	struct landlock l = LANDLOCK_INIT;

	tree_add(SANDBOX_ROOT_WORKSPACE, "@/root");
	tree_add(SANDBOX_ROOT_DENY, "@/root/nested/deep/secret");
	tree_add(SANDBOX_ROOT_DENY, "@/root/dir/file");
	landlock_compile(&l, false, landlock_abi());
	ck_assert_int_eq(files_layer()->state, SANDBOX_STATE_PARTIAL);
	/* root, nested and deep for the directory; dir for the file. */
	ck_assert_msg(strstr(files_layer()->why, "4 directories around denials take nothing new") &&
			      strstr(files_layer()->why, ", 3 are not listed"),
		      "%s", files_layer()->why);
	ck_assert_int_lt(strlen(files_layer()->why), sizeof(files_layer()->why) - 1);
	landlock_free(&l);
}
END_TEST

/* What only restates what is around it costs nothing. */
START_TEST(what_takes_nothing_away_is_not_carved)
{
	struct landlock l = LANDLOCK_INIT;

	tree_add(SANDBOX_ROOT_READ, "@/root");
	tree_add(SANDBOX_ROOT_READ_ONLY, "@/root/ref");
	tree_add(SANDBOX_ROOT_DENY, "@/outside");
	landlock_compile(&l, false, landlock_abi());
	ck_assert_uint_eq(l.rules, 2);
	ck_assert_ptr_null(strstr(files_layer()->why, "take nothing new"));
	landlock_free(&l);
}
END_TEST

START_TEST(too_much_around_a_cut_is_refused)
{
	struct landlock l = LANDLOCK_INIT;

	for (int i = 0; i < 10001; i++) {
		char name[PATH_MAX];

		snprintf(name, sizeof(name), "%s/%d", tree_at("@/root/dir"), i);
		ck_assert_int_eq(link(tree_at("@/root/file"), name), 0);
	}
	tree_add(SANDBOX_ROOT_WORKSPACE, "@/root");
	landlock_compile(&l, false, landlock_abi());
	landlock_free(&l);
	tree_add(SANDBOX_ROOT_DENY, "@/root/dir/file");
	ck_assert_int_eq(landlock_try(&l, false, landlock_abi()), ERR_LIMIT);
	ck_assert_msg(strstr(tree_err.text, "more than 10000 entries"), "%s", tree_err.text);
	landlock_compile(&l, true, landlock_abi());
	landlock_free(&l);
}
END_TEST

/* Modes that the user could change keep nothing. */
static int open_up_and_read(void *ctx)
{
	const struct run *run = ctx;
	int rc = enter(run);

	if (rc)
		return rc;
	return chmod(run->path, 0600) < 0 ? errno : opens(run->path, O_RDONLY);
}

START_TEST(what_the_user_owns_is_carved_whatever_its_mode)
{
	struct landlock l = LANDLOCK_INIT;
	struct run run = {.l = &l, .path = tree_at("@/readable/file")};

	ck_assert_int_eq(chmod(tree_at("@/readable/file"), 0), 0);
	tree_add(SANDBOX_ROOT_READ, "@/readable");
	tree_add(SANDBOX_ROOT_DENY, "@/readable/file");
	landlock_compile(&l, false, landlock_abi());
	ck_assert_int_eq(landlock_child(open_up_and_read, &run, false), EACCES);
	run.l = NULL;
	ck_assert_int_eq(landlock_child(open_up_and_read, &run, false), 0);
	landlock_free(&l);
}
END_TEST

/* A file that others own, as an ordinary user, which is left to its mode; and as root, carved. */
static int look_at_shadow(void *ctx)
{
	struct landlock l = LANDLOCK_INIT;
	bool carved;
	int rc;

	if (ctx && setresuid(65534, 65534, 65534) < 0)
		return 1;
	if (landlock_try(&l, false, landlock_abi()) < 0)
		return 2;
	carved = l.rules > 1;
	rc = landlock_enter(&l, NULL, 0);
	if (carved != (geteuid() == 0) ||
	    carved == !strstr(files_layer()->why, "take nothing new") ||
	    carved == !!strstr(files_layer()->why, "file modes keep 1 denied paths"))
		return 3;
	return rc || opens("/etc/passwd", O_RDONLY) || opens("/etc/shadow", O_RDONLY) != EACCES;
}

START_TEST(what_modes_keep_from_the_user_is_left_to_them)
{
	bool root = geteuid() == 0;

	if (access("/etc/shadow", F_OK) < 0)
		return;
	tree_add(SANDBOX_ROOT_READ, "/etc");
	tree_add(SANDBOX_ROOT_DENY, "/etc/shadow");
	ck_assert_int_eq(sandbox_policy_add_root(tree_policy, SANDBOX_ROOT_DENY, "/etc/not/there",
						 true, NULL),
			 0);
	ck_assert_int_eq(landlock_child(look_at_shadow, NULL, false), 0);
	if (root)
		ck_assert_int_eq(landlock_child(look_at_shadow, &root, false), 0);
}
END_TEST

START_TEST(what_the_kernel_guards_by_capabilities_is_left_to_it)
{
	struct kept kept;

	kept_find(&kept, tree_policy);
	ck_assert(kept_refuses(&kept, "/proc/sysrq-trigger"));
	ck_assert(kept_refuses(&kept, "/proc/kcore"));
	ck_assert_int_eq(sandbox_policy_add_capability(tree_policy, 17 /* SYS_RAWIO */, NULL), 0);
	kept_find(&kept, tree_policy);
	ck_assert_int_eq(kept_refuses(&kept, "/proc/kcore"), geteuid() != 0);
	ck_assert(!kept_refuses(&kept, "/proc/version"));
}
END_TEST

/* --- many, and few descriptors ------------------------------------------------------------------
 */

static void add_thousand(void)
{
	for (int i = 0; i < 1000; i++) {
		char name[64];

		snprintf(name, sizeof(name), "@/many/%d", i);
		ck_assert_int_eq(fs_mkdir_all(tree_at(name), NULL), 0);
		tree_add(i % 2 ? SANDBOX_ROOT_READ : SANDBOX_ROOT_WRITE, name);
	}
	tree_put_file("@/many/999/file");
	tree_put_file("@/many/file");
}

static void set_files(rlim_t soft)
{
	struct rlimit limit;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = soft;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

START_TEST(a_thousand_roots_need_one_descriptor)
{
	struct landlock l = LANDLOCK_INIT;

	add_thousand();
	set_files(64);
	landlock_compile(&l, false, landlock_abi());
	ck_assert_uint_eq(l.rules, 1000);
	ck_assert_int_eq(try_read(&l, "@/many/999/file"), 0);
	ck_assert_int_eq(try_read(&l, "@/many/file"), EACCES);
	landlock_free(&l);
}
END_TEST

START_TEST(and_no_more_when_they_are_extended)
{
	struct landlock l = LANDLOCK_INIT;
	cleanup_close int fd = open(tree_at("@/outside"), O_PATH | O_CLOEXEC);
	const struct landlock_rule extra = {fd, LL_FS_READ_FILE};
	struct run run = {.l = &l, .extra = &extra, .extras = 1};

	add_thousand();
	set_files(64);
	landlock_compile(&l, true, landlock_abi());
	run.path = tree_at("@/outside/file");
	ck_assert_int_eq(landlock_child(read_path, &run, false), 0);
	run.path = tree_at("@/many/999/file");
	ck_assert_int_eq(landlock_child(read_path, &run, false), 0);
	run.path = tree_at("@/many/file");
	ck_assert_int_eq(landlock_child(read_path, &run, false), EACCES);
	landlock_free(&l);
}
END_TEST

/* --- changed meanwhile --------------------------------------------------------------------------
 */

START_TEST(a_root_that_became_a_link_is_refused)
{
	const struct judge judge = {tree_policy, &landlock_layers, NULL, NULL, &tree_err};
	const struct landlock_around around = {.abi = landlock_abi()};
	struct landlock l = LANDLOCK_INIT;

	tree_add(SANDBOX_ROOT_READ, "@/root/dir/file");
	tree_compile();
	ck_assert_int_eq(rename(tree_at("@/root/dir"), tree_at("@/root/was")), 0);
	ck_assert_int_eq(symlink("../outside", tree_at("@/root/dir")), 0);
	ck_assert_int_eq(landlock_prepare(&judge, tree_paths, &around, &l), ERR_SYSTEM);
	ck_assert_int_eq(tree_err.sys, ELOOP);
	ck_assert_msg(strstr(tree_err.text, tree_at("@/root/dir/file")), "%s", tree_err.text);
	ck_assert_int_eq(unlink(tree_at("@/root/dir")), 0);
	ck_assert_int_eq(landlock_prepare(&judge, tree_paths, &around, &l), ERR_SYSTEM);
	ck_assert_int_eq(tree_err.sys, ENOENT);
}
END_TEST

static int next_descriptor(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	close(fd);
	return fd;
}

/* Carved, or granted whole. */
START_TEST(memory_may_run_out_anywhere)
{
	const struct judge judge = {tree_policy, &landlock_layers, NULL, NULL, &tree_err};
	const struct landlock_around around = {.abi = landlock_abi(), .masked = _i};
	struct landlock l = LANDLOCK_INIT;
	int before = next_descriptor(), rc;
	long call = 0;

	tree_add(SANDBOX_ROOT_WORKSPACE, "@/root");
	tree_add(SANDBOX_ROOT_READ, "@/readable");
	tree_add(SANDBOX_ROOT_DENY, "@/root/nested/deep/secret");
	ck_assert_int_eq(sandbox_policy_set_net(tree_policy, SANDBOX_NET_TCP, NULL), 0);
	ck_assert_int_eq(sandbox_policy_add_port(tree_policy, SANDBOX_PORT_BIND, 1, NULL), 0);
	ck_assert_int_eq(sandbox_policy_add_port(tree_policy, SANDBOX_PORT_CONNECT, 1, NULL), 0);
	tree_compile();
	chaos_prepare();
	do {
		memset(&landlock_layers, 0, sizeof(landlock_layers));
		chaos_arm(CHAOS_ONCE, call++);
		rc = landlock_prepare(&judge, tree_paths, &around, &l);
		chaos_disarm();
		ck_assert_msg(rc == (chaos_met() ? ERR_NOMEM : 0), "%s", tree_err.text);
		ck_assert_int_eq(l.ruleset >= 0, rc == 0 && !_i);
		landlock_free(&l);
		ck_assert_int_eq(next_descriptor(), before);
	} while (chaos_met() && call < CHAOS_CALLS_MAX);
	ck_assert_int_ge(call, 5);
}
END_TEST

Suite *sandbox_landlock_roots_linux_suite(void)
{
	Suite *suite = suite_create("sandbox_landlock_roots_linux");
	TCase *tc = tcase_create("roots");

	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, tree_enter, tree_leave);
	tcase_add_test(tc, what_is_open_stays_open);
	tcase_add_test(tc, memory_and_pipes_have_no_root);
	tcase_add_test(tc, nothing_is_mounted);
	tcase_add_test(tc, applying_leaves_errno_alone);
	tcase_add_test(tc, what_mounts_mask_is_granted_whole);
	tcase_add_test(tc, extra_rules_are_for_one_child_only);
	tcase_add_test(tc, what_is_carved_can_be_extended);
	tcase_add_test(tc, a_denied_name_that_is_not_there_costs_nothing);
	tcase_add_test(tc, no_descriptor_is_in_the_place_of_stdio);
	tcase_add_test(tc, the_layer_tells_what_carving_costs);
	tcase_add_test(tc, what_takes_nothing_away_is_not_carved);
	tcase_add_test(tc, too_much_around_a_cut_is_refused);
	tcase_add_test(tc, what_the_user_owns_is_carved_whatever_its_mode);
	tcase_add_test(tc, what_modes_keep_from_the_user_is_left_to_them);
	tcase_add_test(tc, what_the_kernel_guards_by_capabilities_is_left_to_it);
	tcase_add_test(tc, a_thousand_roots_need_one_descriptor);
	tcase_add_test(tc, and_no_more_when_they_are_extended);
	tcase_add_test(tc, a_root_that_became_a_link_is_refused);
	tcase_add_loop_test(tc, memory_may_run_out_anywhere, 0, 2);
	suite_add_tcase(suite, tc);
	return suite;
}
