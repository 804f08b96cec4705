/* Programs in a ruleset of Landlock: the default roots, loaders, devices. */
#include "sandbox/landlock.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include "sandbox/landlock_test.h"
#include "sandbox/tree_test.h"
#include "tools/tests.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

struct run {
	const struct landlock *l;
	const char *path, *program;
};

static int enter(const struct run *run)
{
	return run->l ? landlock_enter(run->l, NULL, 0) : 0;
}

static int run_program(void *ctx)
{
	const struct run *run = ctx;
	cleanup_close int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int rc = enter(run);

	if (rc)
		return rc;
	dup2(null, 2); /* what they complain of */
	execl("/bin/sh", "sh", "-c", run->program, "sh", run->path, (char *)NULL);
	return 202;
}

static const struct {
	const char *program;
	int status;
} programs[] = {
	{"true", 0},
	{"/bin/cat /etc/passwd >/dev/null", 0},
	{"cd \"$1\" && /bin/ls >list && /bin/cp list copy && /bin/mv copy dir/ && /bin/rm list", 0},
	{"/bin/cat /proc/self/status >/dev/null && /bin/ls /proc >/dev/null", 0},
	{"read x </proc/sys/kernel/ostype && read y </sys/kernel/uevent_seqnum", 0},
	{"echo x >\"$1/../outside/file\"", 2},
	{"/bin/cat /etc/shadow || exit 7", 7},
	{"/bin/ls /sys/firmware || exit 7", 7},
	{"echo x >/dev/null; : </dev/urandom; : </dev/zero", 0},
	{"x=$(echo a | /bin/cat /dev/stdin) && test $x = a", 0},
};

/* Also without the capabilities of root, as programs get it; whose modes leave less. */
START_TEST(programs_run_in_the_default_roots)
{
	struct landlock l = LANDLOCK_INIT;
	struct run run = {.l = &l, .program = programs[_i].program, .path = tree_at("@/root")};

	for (int preset = 0; preset < SANDBOX_PRESETS; preset++)
		ck_assert_int_eq(sandbox_policy_add_preset(tree_policy, preset, NULL), 0);
	tree_add(SANDBOX_ROOT_WORKSPACE, "@/root");
	landlock_compile(&l, false, landlock_abi());
	ck_assert_int_eq(landlock_child(run_program, &run, false), programs[_i].status);
	ck_assert_int_eq(landlock_child(run_program, &run, true), programs[_i].status);
	landlock_free(&l);
}
END_TEST

static void copy_program(const char *from, const char *to)
{
	cleanup_buf struct buf bytes = BUF_INIT;
	cleanup_close int fd = open(tree_at(to), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0755);

	ck_assert_int_eq(fs_read_file(from, 64 << 20, &bytes, NULL), 0);
	ck_assert_int_eq(write(fd, bytes.data, bytes.len), bytes.len);
	ck_assert_int_eq(fchmod(fd, 0755), 0);
}

/* A loader reads what it starts: exec alone does not keep what can be read from being run. */
START_TEST(a_loader_needs_to_read_the_program)
{
	struct landlock l = LANDLOCK_INIT;
	struct run run = {.l = &l};
	char path[PATH_MAX];

	copy_program("/bin/true", "@/readable/true");
	copy_program("/bin/true", "@/outside/true");
	ck_assert_int_eq(sandbox_policy_add_preset(tree_policy, SANDBOX_PRESET_SYSTEM, NULL), 0);
	tree_add(SANDBOX_ROOT_READ, "@/readable");
	landlock_compile(&l, false, landlock_abi());
	run.path = path;
	run.program = "\"$1\"";
	snprintf(path, sizeof(path), "%s", tree_at("@/outside/true"));
	ck_assert_int_eq(landlock_child(run_program, &run, false), 126);
	snprintf(path, sizeof(path), "%s", tree_at("@/readable/true"));
	ck_assert_int_eq(landlock_child(run_program, &run, false), 126);
	run.program = "for l in /lib64/ld-linux*.so.? /lib/ld-linux*.so.?; do "
		      "test -x $l && exec $l \"$1\"; done; exit 9";
	ck_assert_int_eq(landlock_child(run_program, &run, false), 0);
	snprintf(path, sizeof(path), "%s", tree_at("@/outside/true"));
	ck_assert_int_eq(landlock_child(run_program, &run, false), 127);
	run.l = NULL;
	ck_assert_int_eq(landlock_child(run_program, &run, false), 0);
	landlock_free(&l);
}
END_TEST

static int ask_device(void *ctx)
{
	const struct run *run = ctx;
	int rc = enter(run), count;
	cleanup_close int fd = open(run->path, O_RDONLY | O_CLOEXEC);

	if (rc || fd < 0)
		return rc ? rc : 100;
	return ioctl(fd, _IOR('R', 0, int), &count) < 0 ? errno : 0; /* RNDGETENTCNT */
}

START_TEST(a_device_that_can_only_be_read_takes_no_ioctl)
{
	struct landlock l = LANDLOCK_INIT, writes = LANDLOCK_INIT;
	struct run run = {.path = "/dev/random"};

	if (landlock_abi() < 5)
		return;
	tree_add(SANDBOX_ROOT_READ, "/dev/random");
	landlock_compile(&l, false, landlock_abi());
	tree_add(SANDBOX_ROOT_WRITE, "/dev/random");
	landlock_compile(&writes, false, landlock_abi());
	ck_assert_int_eq(landlock_child(ask_device, &run, false), 0);
	run.l = &l;
	ck_assert_int_eq(landlock_child(ask_device, &run, false), EACCES);
	run.l = &writes;
	ck_assert_int_eq(landlock_child(ask_device, &run, false), 0);
	landlock_free(&l);
	landlock_free(&writes);
}
END_TEST

Suite *sandbox_landlock_programs_linux_suite(void)
{
	Suite *suite = suite_create("sandbox_landlock_programs_linux");
	TCase *tc = tcase_create("programs");

	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, tree_enter, tree_leave);
	tcase_add_loop_test(tc, programs_run_in_the_default_roots, 0,
			    sizeof(programs) / sizeof(programs[0]));
	tcase_add_test(tc, a_loader_needs_to_read_the_program);
	tcase_add_test(tc, a_device_that_can_only_be_read_takes_no_ioctl);
	suite_add_tcase(suite, tc);
	return suite;
}
