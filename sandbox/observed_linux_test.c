/* Which calls stop for an observer; what a path means to a task, and whether it is let outside. */
#include "sandbox/observe.h"

#include "base/fs.h"
#include "sandbox/filter_run_test.h"
#include "sandbox/kernel_calls_linux.h"
#include "tools/tests.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define STOPS (SECCOMP_RET_TRACE | OBSERVED_COOKIE)

static uint32_t answer_of(const struct filter *f, const struct seccomp_data *call)
{
	unsigned steps;

	return filter_run(f, call, &steps);
}

/* --- filters -----------------------------------------------------------------------------------
 */

static const struct {
	uint32_t number;
	uint64_t args[6];
	uint32_t answer;
} looked_at[] = {
	{SYS_openat, {0}, STOPS},
	{SYS_execve, {0}, STOPS},
	{SYS_clone, {SIGCHLD}, STOPS},
	{SYS_kill, {1}, STOPS},
	{SYS_read, {0}, ALLOWED},
	{SYS_write, {0}, ALLOWED},
	{SYS_close, {0}, ALLOWED},
	{SYS_stat, {0}, ALLOWED},
	{SYS_ioctl, {0}, ALLOWED},
	{SYS_sendto, {0}, ALLOWED},
	{SYS_sendto, {[4] = 0x1000}, STOPS},
	{SYS_sendto, {[4] = 1UL << 40}, STOPS},
	{SYS_mmap, {[1] = 4096, [3] = MAP_ANONYMOUS}, ALLOWED},
	{SYS_mmap, {[1] = 128 << 10, [3] = MAP_ANONYMOUS}, STOPS},
	{SYS_mmap, {[1] = 1UL << 32, [3] = MAP_ANONYMOUS}, STOPS},
	{SYS_mmap, {[1] = 1UL << 32}, ALLOWED},
	{SYS_prlimit64, {0}, ALLOWED},
	{SYS_prlimit64, {[2] = 1UL << 40}, STOPS},
	{SYS_clone3, {0}, FAILS(ENOSYS)},
	{SYS_seccomp, {SECCOMP_SET_MODE_FILTER}, ALLOWED},
	{SYS_seccomp, {SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER}, FAILS(EBUSY)},
	{KERNEL_CALLS_END, {0}, ALLOWED},
	{UINT32_MAX, {0}, ALLOWED},
};

START_TEST(calls_stop_that_could_be_denied)
{
	struct filter f = {0};

	ck_assert_int_eq(observed_filter_new(&f, NULL), 0);
	filter_assert_is_sound(&f);
	for (size_t i = 0; i < COUNT(looked_at); i++) {
		struct seccomp_data call = {.nr = (int)looked_at[i].number,
					    .arch = call_audit_arch};

		memcpy(call.args, looked_at[i].args, sizeof(call.args));
		ck_assert_msg(answer_of(&f, &call) == looked_at[i].answer, "row %zu: %x", i,
			      answer_of(&f, &call));
		call.arch++;
		ck_assert_uint_eq(answer_of(&f, &call), ALLOWED);
	}
	filter_free(&f);
}
END_TEST

START_TEST(all_refusals_of_a_policy_are_handed_over)
{
	struct filter_fixture f;
	unsigned count = 0;

	filter_setup(&f, SANDBOX_LEVEL_READ_ONLY);
	filter_prepare_well(&f);
	for (uint32_t i = 0; i < 2 * KERNEL_CALLS_END; i++) {
		struct seccomp_data call = {.nr = (int)(i / 2), .arch = call_audit_arch};
		struct filter copy = {malloc(f.filter.len * sizeof(*f.filter.code)), f.filter.len};
		uint32_t before, after;

		memset(call.args, i & 1 ? 0xff : 0, sizeof(call.args));
		memcpy(copy.code, f.filter.code, f.filter.len * sizeof(*copy.code));
		observed_hand_over(&copy);
		before = answer_of(&f.filter, &call);
		after = answer_of(&copy, &call);
		ck_assert_uint_eq(observed_run(&copy, &call), after);
		if ((before & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO) {
			ck_assert_uint_eq(after, STOPS | (before & SECCOMP_RET_DATA));
			count++;
		} else {
			ck_assert_uint_eq(after, before);
		}
		free(copy.code);
	}
	ck_assert_uint_gt(count, 50);
	filter_teardown(&f);
}
END_TEST

/* --- paths -------------------------------------------------------------------------------------
 */

static char scratch[64];

static void make_file(const char *name, mode_t mode)
{
	int fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, mode);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
}

static void setup(void)
{
	strcpy(scratch, "/tmp/sandtape-observed-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(scratch));
	ck_assert_int_eq(chmod(scratch, 0777), 0);
	ck_assert_int_eq(chdir(scratch), 0);
	ck_assert_int_eq(mkdir("dir", 0755), 0);
	ck_assert_int_eq(mkdir("dir/deep", 0755), 0);
	ck_assert_int_eq(symlink("dir/deep", "link"), 0);
	ck_assert_int_eq(symlink("loop", "loop"), 0);
	ck_assert_int_eq(symlink("/no/such/place", "broken"), 0);
	ck_assert_int_eq(symlink("/proc/self/fd", "fds"), 0);
	make_file("readable", 0444);
	make_file("secret", 0);
	make_file("program", 0755);
	ck_assert_int_eq(mkdir("sticky", 0777), 0);
	ck_assert_int_eq(chmod("sticky", 01777), 0);
	make_file("sticky/others", 0666);
}

static void teardown(void)
{
	ck_assert_int_eq(chdir("/"), 0);
	fs_remove_all(scratch, NULL);
}

/* "@" is the scratch directory; NULL: nobody knows. */
static const struct {
	const char *path;
	bool keep_last;
	const char *meant;
} meant[] = {
	{"readable", false, "@/readable"},
	{"link", false, "@/dir/deep"},
	{"link", true, "@/link"},
	{"link/", true, "@/dir/deep"},
	{"link/..", false, "@/dir"},
	{"link/../../readable", false, "@/readable"},
	{"./link//./x", false, "@/dir/deep/x"},
	{"no/such/../thing", false, "@/no/thing"},
	{"broken", false, "/no/such/place"},
	{"broken/x", true, "/no/such/place/x"},
	{"loop", false, NULL},
	{"/", false, "/"},
	{"/../..", false, "/"},
	{"/proc/self", false, "/proc/self"},
	{"/proc/self/cwd/link", false, "@/dir/deep"},
	{"fds/9", false, "@/readable"},
	{"/proc/thread-self/cwd", false, "@"},
};

static bool is_meant(const char *got, const char *wanted)
{
	char full[256];

	snprintf(full, sizeof(full), "%s%s", *wanted == '@' ? scratch : "",
		 *wanted == '@' ? wanted + 1 : wanted);
	return strcmp(got, full) == 0;
}

START_TEST(paths_are_those_of_the_task)
{
	struct buf out = BUF_INIT;
	int fd = open("readable", O_RDONLY | O_CLOEXEC);

	ck_assert_int_eq(dup2(fd, 9), 9);
	for (size_t i = 0; i < COUNT(meant); i++) {
		bool known = observe_resolve(getpid(), AT_FDCWD, meant[i].path, meant[i].keep_last,
					     &out);

		ck_assert_msg(known == (meant[i].meant != NULL), "%s", meant[i].path);
		ck_assert_msg(!known || is_meant(out.data, meant[i].meant), "%s: %s", meant[i].path,
			      out.data);
	}
	close(9);
	close(fd);
	buf_free(&out);
}
END_TEST

START_TEST(paths_are_read_from_memory)
{
	const struct observe_named named = {.dir = AT_FDCWD, .address = (uintptr_t) "link/x"};
	const struct observe_named empty = {.dir = AT_FDCWD, .address = (uintptr_t) ""};
	struct observe_named dir = {.address = (uintptr_t) "", .or_dir = true};
	const struct observe_named nowhere = {.dir = AT_FDCWD, .address = 8};
	struct buf out = BUF_INIT;
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert(observe_path(getpid(), &named, &out));
	ck_assert(is_meant(out.data, "@/dir/deep/x"));
	ck_assert(!observe_path(getpid(), &empty, &out));
	ck_assert(!observe_path(getpid(), &nowhere, &out));
	dir.dir = open("dir", O_PATH | O_CLOEXEC);
	ck_assert(observe_path(getpid(), &dir, &out));
	ck_assert(is_meant(out.data, "@/dir"));
	/* At the end of what there is. */
	ck_assert_int_eq(munmap(page + 4096, 4096), 0);
	memcpy(page + 4096 - 5, "link", 5);
	dir = (struct observe_named){.dir = AT_FDCWD, .address = (uintptr_t)page + 4096 - 5};
	ck_assert(observe_path(getpid(), &dir, &out));
	ck_assert(is_meant(out.data, "@/dir/deep"));
	buf_free(&out);
}
END_TEST

/* --- outside -----------------------------------------------------------------------------------
 */

/* As an ordinary user, whom only the scratch directory and "sticky" let write. */
static const struct {
	enum observed_need need;
	unsigned flags;
	const char *path, *path2;
	enum sandbox_outside outside;
} outside[] = {
	{OBSERVED_OPEN, O_RDONLY, "readable", NULL, SANDBOX_OUTSIDE_YES},
	{OBSERVED_OPEN, O_RDONLY, "secret", NULL, SANDBOX_OUTSIDE_NO},
	{OBSERVED_OPEN, O_PATH, "secret", NULL, SANDBOX_OUTSIDE_YES},
	{OBSERVED_OPEN, O_WRONLY, "readable", NULL, SANDBOX_OUTSIDE_NO},
	{OBSERVED_OPEN, O_RDONLY | O_TRUNC, "readable", NULL, SANDBOX_OUTSIDE_NO},
	{OBSERVED_OPEN, O_RDONLY | O_CREAT, "readable", NULL, SANDBOX_OUTSIDE_YES},
	{OBSERVED_OPEN, O_RDONLY | O_CREAT | O_EXCL, "readable", NULL, SANDBOX_OUTSIDE_NO},
	{OBSERVED_OPEN, O_WRONLY | O_CREAT, "new", NULL, SANDBOX_OUTSIDE_YES},
	{OBSERVED_OPEN, O_WRONLY | O_CREAT, "dir/new", NULL, SANDBOX_OUTSIDE_NO},
	{OBSERVED_OPEN, O_WRONLY, "new", NULL, SANDBOX_OUTSIDE_NO},
	{OBSERVED_OPEN, O_RDONLY | O_DIRECTORY, "dir", NULL, SANDBOX_OUTSIDE_YES},
	{OBSERVED_OPEN, O_RDONLY | O_DIRECTORY, "readable", NULL, SANDBOX_OUTSIDE_NO},
	{OBSERVED_OPEN, O_WRONLY, "sticky", NULL, SANDBOX_OUTSIDE_NO},
	{OBSERVED_OPEN, O_WRONLY | O_TMPFILE, "sticky", NULL, SANDBOX_OUTSIDE_YES},
	{OBSERVED_OPEN, O_RDONLY | O_NOFOLLOW, "link", NULL, SANDBOX_OUTSIDE_NO},
	{OBSERVED_OPEN, O_RDONLY, "broken", NULL, SANDBOX_OUTSIDE_NO},
	{OBSERVED_EXECUTE, 0, "program", NULL, SANDBOX_OUTSIDE_YES},
	{OBSERVED_EXECUTE, 0, "readable", NULL, SANDBOX_OUTSIDE_NO},
	{OBSERVED_EXECUTE, 0, "dir", NULL, SANDBOX_OUTSIDE_NO},
	{OBSERVED_MAKE, 0, "new", NULL, SANDBOX_OUTSIDE_YES},
	{OBSERVED_MAKE, 0, "dir/new", NULL, SANDBOX_OUTSIDE_NO},
	{OBSERVED_MAKE, 0, "dir", NULL, SANDBOX_OUTSIDE_NO},
	{OBSERVED_REMOVE, 0, "secret", NULL, SANDBOX_OUTSIDE_YES},
	{OBSERVED_REMOVE, 0, "dir/deep", NULL, SANDBOX_OUTSIDE_NO},
	{OBSERVED_REMOVE, 0, "sticky/others", NULL, SANDBOX_OUTSIDE_NO},
	{OBSERVED_REMOVE, 0, "new", NULL, SANDBOX_OUTSIDE_NO},
	{OBSERVED_RENAME, 0, "readable", "new", SANDBOX_OUTSIDE_YES},
	{OBSERVED_RENAME, 0, "readable", "secret", SANDBOX_OUTSIDE_YES},
	{OBSERVED_RENAME, 0, "readable", "dir/new", SANDBOX_OUTSIDE_NO},
	{OBSERVED_RENAME, 0, "new", "new2", SANDBOX_OUTSIDE_NO},
	{OBSERVED_RENAME, 0, "readable", "sticky/others", SANDBOX_OUTSIDE_NO},
	{OBSERVED_LINK, 0, "readable", "new", SANDBOX_OUTSIDE_YES},
	{OBSERVED_LINK, 0, "new", "new2", SANDBOX_OUTSIDE_NO},
	{OBSERVED_LINK, 0, "readable", "secret", SANDBOX_OUTSIDE_NO},
	{OBSERVED_WRITE, 0, "sticky/others", NULL, SANDBOX_OUTSIDE_YES},
	{OBSERVED_WRITE, 0, "readable", NULL, SANDBOX_OUTSIDE_NO},
	{OBSERVED_ENTER, 0, "dir", NULL, SANDBOX_OUTSIDE_YES},
	{OBSERVED_ENTER, 0, "nothing", NULL, SANDBOX_OUTSIDE_NO},
	{OBSERVED_NOTHING, 0, "readable", NULL, SANDBOX_OUTSIDE_UNKNOWN},
};

START_TEST(what_is_let_outside_is_known)
{
	if (geteuid() != 0)
		return; /* files that are another user's take two users */
	ck_assert_int_eq(chmod("readable", 0444), 0);
	filter_become(65534);
	for (size_t i = 0; i < COUNT(outside); i++) {
		char path[256], path2[256];

		snprintf(path, sizeof(path), "%s/%s", scratch, outside[i].path);
		snprintf(path2, sizeof(path2), "%s/%s", scratch,
			 outside[i].path2 ? outside[i].path2 : "");
		ck_assert_msg(observe_outside(outside[i].need, outside[i].flags, path,
					      outside[i].path2 ? path2 : NULL) ==
				      outside[i].outside,
			      "row %zu: %s", i, outside[i].path);
	}
}
END_TEST

START_TEST(the_root_directory_has_no_parent)
{
	ck_assert_int_eq(observe_outside(OBSERVED_MAKE, 0, "/", NULL), SANDBOX_OUTSIDE_NO);
	ck_assert_int_eq(observe_outside(OBSERVED_REMOVE, 0, "/", NULL), SANDBOX_OUTSIDE_NO);
	ck_assert_int_eq(observe_outside(OBSERVED_OPEN, O_RDONLY, "/", NULL), SANDBOX_OUTSIDE_YES);
}
END_TEST

Suite *sandbox_observed_suite(void)
{
	Suite *suite = suite_create("sandbox_observed");
	TCase *filters = tcase_create("filters"), *files = tcase_create("files");

	tcase_add_test(filters, calls_stop_that_could_be_denied);
	tcase_add_test(filters, all_refusals_of_a_policy_are_handed_over);
	suite_add_tcase(suite, filters);
	tcase_add_checked_fixture(files, setup, teardown);
	tcase_add_test(files, paths_are_those_of_the_task);
	tcase_add_test(files, paths_are_read_from_memory);
	tcase_add_test(files, what_is_let_outside_is_known);
	tcase_add_test(files, the_root_directory_has_no_parent);
	suite_add_tcase(suite, files);
	return suite;
}
