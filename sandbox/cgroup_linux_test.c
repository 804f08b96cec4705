#include "sandbox/cgroup_parts.h"
#include "sandbox/inside_test.h"

#include "tools/tests.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * What can be tried depends on the host: which groups can be made, and by whom. Each test asks for
 * the group first; where there is none, that this is said is all that can be checked.
 */
static struct inside inside;
static struct cgroup *cgroup;
static struct cgroup_child child;

static void setup(void)
{
	inside_setup(&inside);
	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	cgroup = NULL;
	child = (struct cgroup_child){0};
}

static void teardown(void)
{
	ck_assert_int_eq(cgroup_close(&child, &inside.err), 0);
	cgroup_free(cgroup);
	inside_teardown(&inside);
}

static bool prepare(bool tree)
{
	ck_assert_int_eq(cgroup_prepare(&inside.judge, tree, &cgroup), 0);
	return cgroup != NULL;
}

/* Whether this process's group of v1 is a directory that it can write to, found another way. */
static bool has_v1(void)
{
	FILE *pipe = popen("p=/sys/fs/cgroup/pids$(sed -n 's/^[0-9]*:pids://p' /proc/self/cgroup); "
			   "[ -w \"$p/cgroup.procs\" ] && [ -w \"$p\" ] && echo yes",
			   "r");
	char answer[8] = "";

	ck_assert_ptr_nonnull(pipe);
	if (!fgets(answer, sizeof(answer), pipe))
		answer[0] = '\0';
	pclose(pipe);
	return strcmp(answer, "yes\n") == 0;
}

static bool open_group(bool tree)
{
	if (!prepare(tree)) {
		ck_assert_msg(!has_v1(), "a group can be made, and was not found");
		ck_assert_int_eq(inside_state(&inside, SANDBOX_MECH_CGROUP),
				 SANDBOX_STATE_UNAVAILABLE);
		return false;
	}
	ck_assert_int_eq(cgroup_open(cgroup, &child, &inside.err), 0);
	return true;
}

/* Paths of the groups of the child, by their descriptors. */
static bool group_path(int place, char ret[PATH_MAX])
{
	char link[64];
	ssize_t len;

	if (child.dir[place] < 0)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", child.dir[place]);
	len = readlink(link, ret, PATH_MAX - 1);
	ck_assert_int_gt(len, 0);
	ret[len] = '\0';
	return true;
}

/* --- limits --------------------------------------------------------------------------------------
 */

static int fork_many(void *arg)
{
	if (arg && cgroup_enter(arg, false) < 0)
		return 254;
	return inside_fork_many(60);
}

START_TEST(a_group_has_no_more_processes)
{
	inside_limit(&inside, SANDBOX_LIMIT_PROCESSES, 20);
	if (!open_group(false) || !cgroup_keeps(cgroup, SANDBOX_LIMIT_PROCESSES))
		return;
	if (inside_run(fork_many, NULL) < 60)
		return; /* there is a limit around this one already */
	ck_assert_int_eq(inside_run(fork_many, &child), 19);
	ck_assert_int_eq(cgroup_close(&child, &inside.err), 0);
	cgroup_free(cgroup);
	inside_limit(&inside, SANDBOX_LIMIT_PROCESSES, 62);
	ck_assert(open_group(false));
	ck_assert_int_eq(inside_run(fork_many, &child), 60);
}
END_TEST

#define TAKEN ((size_t)96 << 20)

/* In two processes, neither of which takes it all. */
static int take_memory(void *arg)
{
	char *area;
	int status;
	pid_t pid;

	if (arg && cgroup_enter(arg, false) < 0)
		return 254;
	area = mmap(NULL, TAKEN / 2, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		return 253;
	memset(area, 1, TAKEN / 2);
	pid = fork();
	if (pid == 0) {
		area = mmap(NULL, TAKEN / 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
		if (area == MAP_FAILED)
			_exit(1);
		memset(area, 1, TAKEN / 2);
		_exit(0);
	}
	return waitpid(pid, &status, 0) == pid && status == 0 ? 0 : 200;
}

START_TEST(a_group_takes_no_more_memory)
{
	uint64_t kills = 77;
	int rc;

	inside_limit(&inside, SANDBOX_LIMIT_MEMORY_MB, 64);
	if (!open_group(false) || !cgroup_keeps(cgroup, SANDBOX_LIMIT_MEMORY_MB))
		return;
	ck_assert_int_eq(inside_run(take_memory, NULL), 0);
	ck_assert_int_eq(cgroup_oom_kills(&child, &kills, &inside.err), 0);
	ck_assert_uint_eq(kills, 0);
	rc = inside_run(take_memory, &child);
	ck_assert(rc == 200 || rc == INSIDE_SIGNAL + SIGKILL);
	ck_assert_int_eq(cgroup_oom_kills(&child, &kills, &inside.err), 0);
	ck_assert_uint_ge(kills, 1);
	ck_assert_int_eq(cgroup_close(&child, &inside.err), 0);
	cgroup_free(cgroup);
	inside_limit(&inside, SANDBOX_LIMIT_MEMORY_MB, 256);
	ck_assert(open_group(false));
	ck_assert_int_eq(inside_run(take_memory, &child), 0);
}
END_TEST

/* --- entered, killed, removed --------------------------------------------------------------------
 */

static pid_t clone_into(int fd)
{
	struct clone_args args = {.exit_signal = SIGCHLD};

	if (fd >= 0) {
		args.flags = CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)fd;
	}
	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

/* A process that leaves its parent and starts three of its own. They hold the end of the pipe. */
static void scatter(void)
{
	for (int i = 0; i < 3; i++) {
		if (fork() == 0) {
			setsid();
			for (;;)
				pause();
		}
	}
	for (;;)
		pause();
}

static pid_t start_scattered(bool born_inside, int *ret_pipe)
{
	int ends[2];
	pid_t pid;

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	pid = born_inside ? clone_into(cgroup_clone_fd(&child)) : fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		close(ends[0]);
		if (cgroup_enter(&child, born_inside) < 0)
			_exit(1);
		if (write(ends[1], "x", 1) != 1)
			_exit(1);
		scatter();
	}
	close(ends[1]);
	*ret_pipe = ends[0];
	return pid;
}

/* The children of what was killed have become children of this process. */
static void reap(void)
{
	while (waitpid(-1, NULL, 0) > 0)
		;
	ck_assert_int_eq(errno, ECHILD);
}

static int kill_all(void)
{
	return cgroup_kill(&child, &inside.err);
}

/* As before Linux 5.14. */
static int kill_by_list(void)
{
	return cgroup_kill_listed(child.dir[CGROUP_V2], true);
}

static void kill_scattered(bool born_inside, int (*kill_them)(void))
{
	char byte;
	int end, status;
	pid_t pid = start_scattered(born_inside, &end);

	ck_assert_int_eq(read(end, &byte, 1), 1);
	usleep(20000); /* most have been started; the others are killed on their way */
	ck_assert_int_eq(kill_them(), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	/* The end of the pipe: all that had it are dead. */
	ck_assert_int_eq(read(end, &byte, 1), 0);
	close(end);
	reap();
}

static void kill_and_close(bool born_inside, int (*kill_them)(void))
{
	char path[CGROUP_PLACES][PATH_MAX];
	bool there[CGROUP_PLACES];

	ck_assert_int_eq(cgroup_open(cgroup, &child, &inside.err), 0);
	for (int i = 0; i < CGROUP_PLACES; i++)
		there[i] = group_path(i, path[i]);
	kill_scattered(born_inside, kill_them);
	ck_assert_int_eq(cgroup_close(&child, &inside.err), 0);
	for (int i = 0; i < CGROUP_PLACES; i++)
		ck_assert(!there[i] || access(path[i], F_OK) < 0);
}

START_TEST(all_processes_of_a_group_are_killed)
{
	inside_limit(&inside, SANDBOX_LIMIT_PROCESSES, 20);
	if (!prepare(true))
		return;
	kill_and_close(false, kill_all);
	if (!cgroup_kills(cgroup))
		return;
	kill_and_close(true, kill_all);
	kill_and_close(true, kill_by_list);
}
END_TEST

START_TEST(a_group_with_processes_is_not_removed_in_silence)
{
	char byte, path[PATH_MAX];
	int end;
	pid_t pid;
	struct cgroup_child copy;

	inside_limit(&inside, SANDBOX_LIMIT_PROCESSES, 20);
	if (!open_group(true))
		return;
	pid = start_scattered(false, &end);
	ck_assert_int_eq(read(end, &byte, 1), 1);
	copy = child;
	for (int i = 0; i < CGROUP_PLACES; i++) {
		if (child.dir[i] >= 0)
			copy.dir[i] = fcntl(child.dir[i], F_DUPFD_CLOEXEC, 0);
	}
	ck_assert_int_eq(cgroup_close(&child, &inside.err), ERR_BUSY);
	ck_assert_ptr_nonnull(strstr(inside.err.text, "is left: it still has processes"));
	child = copy;
	for (int i = 0; i < CGROUP_PLACES; i++) {
		child.procs[i] = -1;
		if (group_path(i, path))
			ck_assert_int_eq(access(path, F_OK), 0);
	}
	ck_assert_int_eq(cgroup_kill(&child, &inside.err), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	close(end);
	reap();
}
END_TEST

/* What a killed maker left goes; what a living one has, stays. */
START_TEST(what_is_left_is_swept)
{
	struct cgroup *other = NULL;
	char path[PATH_MAX], left[PATH_MAX + 32];

	inside_limit(&inside, SANDBOX_LIMIT_PROCESSES, 20);
	if (!open_group(true))
		return;
	for (int i = 0; i < CGROUP_PLACES; i++) {
		if (!group_path(i, path))
			continue;
		snprintf(left, sizeof(left), "%s/../sandtape-0-left", path);
		ck_assert_int_eq(mkdir(left, 0755), 0);
		ck_assert_int_eq(cgroup_prepare(&inside.judge, true, &other), 0);
		cgroup_free(other);
		ck_assert(access(left, F_OK) < 0);
		ck_assert_int_eq(access(path, F_OK), 0);
	}
}
END_TEST

/* --- what is said --------------------------------------------------------------------------------
 */

START_TEST(the_default_limits_do_not_use_v1)
{
	prepare(false);
	ck_assert(!cgroup || cgroup_kills(cgroup));
	if (cgroup)
		return;
	ck_assert_int_eq(inside_state(&inside, SANDBOX_MECH_CGROUP), SANDBOX_STATE_UNAVAILABLE);
	ck_assert_int_eq(!strstr(inside.layers.layer[SANDBOX_MECH_CGROUP].why, "no group can be"),
			 has_v1());
}
END_TEST

/* It is kept like any other. */
START_TEST(the_number_of_the_default_can_be_asked_for)
{
	inside_limit(&inside, SANDBOX_LIMIT_PROCESSES, 64);
	ck_assert_int_eq(open_group(false), cgroup_keeps(cgroup, SANDBOX_LIMIT_PROCESSES));
}
END_TEST

START_TEST(what_is_not_asked_for_is_not_used)
{
	inside_limit(&inside, SANDBOX_LIMIT_PROCESSES, SANDBOX_NO_LIMIT);
	inside_limit(&inside, SANDBOX_LIMIT_MEMORY_MB, SANDBOX_NO_LIMIT);
	ck_assert(!prepare(false));
	ck_assert_int_eq(inside_state(&inside, SANDBOX_MECH_CGROUP), SANDBOX_STATE_UNUSED);
	ck_assert(!cgroup_keeps(cgroup, SANDBOX_LIMIT_MEMORY_MB));
	ck_assert(!cgroup_kills(cgroup));
	ck_assert_int_eq(cgroup_open(cgroup, &child, NULL), 0);
	ck_assert_int_eq(cgroup_clone_fd(&child), -1);
	ck_assert_int_eq(cgroup_enter(&child, false), 0);
	ck_assert_int_eq(cgroup_kill(&child, NULL), 0);
}
END_TEST

START_TEST(it_can_be_switched_off)
{
	inside_limit(&inside, SANDBOX_LIMIT_PROCESSES, 20);
	ck_assert_int_eq(sandbox_policy_set_strictness(inside.policy, SANDBOX_MECH_CGROUP,
						       SANDBOX_STRICT_OFF, NULL),
			 0);
	ck_assert(!prepare(true));
	ck_assert_int_eq(inside_state(&inside, SANDBOX_MECH_CGROUP), SANDBOX_STATE_OFF);
}
END_TEST

START_TEST(the_layer_says_what_keeps_which_limit)
{
	const char *why = inside.layers.layer[SANDBOX_MECH_CGROUP].why;

	inside_limit(&inside, SANDBOX_LIMIT_PROCESSES,
		     20); /* that of memory is the default, and comes with it */
	prepare(false);
	if (cgroup && !cgroup_kills(cgroup))
		ck_assert(cgroup_keeps(cgroup, SANDBOX_LIMIT_MEMORY_MB) ||
			  access("/sys/fs/cgroup/memory", W_OK) < 0);
	ck_assert_int_eq(!strstr(why, "memory by cgroup v"),
			 !cgroup_keeps(cgroup, SANDBOX_LIMIT_MEMORY_MB));
	ck_assert_int_eq(!strstr(why, "processes by cgroup v"),
			 !cgroup_keeps(cgroup, SANDBOX_LIMIT_PROCESSES));
}
END_TEST

Suite *sandbox_cgroup_suite(void)
{
	Suite *suite = suite_create("sandbox_cgroup");
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, a_group_has_no_more_processes);
	tcase_add_test(tcase, a_group_takes_no_more_memory);
	tcase_add_test(tcase, all_processes_of_a_group_are_killed);
	tcase_add_test(tcase, a_group_with_processes_is_not_removed_in_silence);
	tcase_add_test(tcase, what_is_left_is_swept);
	tcase_add_test(tcase, the_default_limits_do_not_use_v1);
	tcase_add_test(tcase, the_number_of_the_default_can_be_asked_for);
	tcase_add_test(tcase, what_is_not_asked_for_is_not_used);
	tcase_add_test(tcase, it_can_be_switched_off);
	tcase_add_test(tcase, the_layer_says_what_keeps_which_limit);
	suite_add_tcase(suite, tcase);
	return suite;
}
