#include "sandbox/inside_test.h"
#include "sandbox/rlimits.h"

#include "tools/tests.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static struct inside inside;
static struct rlimits rlimits;
static const struct rlimits_needs alone = {.memory = true, .processes = true};

static void setup(void)
{
	inside_setup(&inside);
}

static void teardown(void)
{
	inside_teardown(&inside);
}

static void prepare(const struct rlimits_needs *needs)
{
	ck_assert_int_eq(rlimits_prepare(&inside.judge, needs, &rlimits), 0);
}

static void prepare_rest(void)
{
	prepare(&(struct rlimits_needs){0});
}

/* Without limits, `act` returns `control`; under them, `denied`. */
static void compare(inside_act *act, void *arg, int control, int denied)
{
	struct rlimits all = rlimits;

	rlimits.count = 0;
	ck_assert_int_eq(inside_run(act, arg), control);
	rlimits = all;
	ck_assert_int_eq(inside_run(act, arg), denied);
}

static bool apply(void)
{
	errno = 77;
	return rlimits_apply(&rlimits) == 0 && errno == 77;
}

/* --- each process --------------------------------------------------------------------------------
 */

static int open_many(void *arg)
{
	(void)arg;
	if (!apply())
		return 254;
	for (int i = 0; i < 30; i++) {
		if (dup(0) < 0)
			return errno;
	}
	return 0;
}

START_TEST(a_process_opens_no_more_files)
{
	inside_limit(&inside, SANDBOX_LIMIT_FILES, 20);
	prepare_rest();
	compare(open_many, NULL, 0, EMFILE);
	inside_limit(&inside, SANDBOX_LIMIT_FILES, 60);
	prepare_rest();
	compare(open_many, NULL, 0, 0);
	ck_assert_int_eq(inside_state(&inside, SANDBOX_MECH_RLIMITS), SANDBOX_STATE_ENFORCED);
}
END_TEST

/* 0, or an errno; 200 when less was written than it should be. */
static int write_2_mb(void *arg)
{
	FILE *file = tmpfile();
	static char block[1 << 20];

	(void)arg;
	if (!file || !apply())
		return 254;
	signal(SIGXFSZ, SIG_IGN);
	for (int i = 0; i < 2; i++) {
		ssize_t len = write(fileno(file), block, sizeof(block));

		if (len < 0)
			return errno;
		if (len != sizeof(block))
			return 200;
	}
	return 0;
}

START_TEST(a_file_grows_no_larger)
{
	inside_limit(&inside, SANDBOX_LIMIT_FILE_MB, 1);
	prepare_rest();
	compare(write_2_mb, NULL, 0, EFBIG);
	inside_limit(&inside, SANDBOX_LIMIT_FILE_MB, 2);
	prepare_rest();
	compare(write_2_mb, NULL, 0, 0);
}
END_TEST

static int compute(void *arg)
{
	struct rusage usage;

	if (arg)
		signal(SIGXCPU, SIG_IGN);
	if (!apply())
		return 254;
	do
		getrusage(RUSAGE_SELF, &usage);
	while (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec < (arg ? 8 : 3));
	return 0;
}

START_TEST(a_process_computes_no_longer)
{
	inside_limit(&inside, SANDBOX_LIMIT_CPU_S, 1);
	prepare_rest();
	compare(compute, NULL, 0, INSIDE_SIGNAL + SIGXCPU);
	ck_assert_int_eq(inside_run(compute, "ignores the signal"), INSIDE_SIGNAL + SIGKILL);
}
END_TEST

static int read_core_limit(void *arg)
{
	struct rlimit own;

	(void)arg;
	if (!apply() || getrlimit(RLIMIT_CORE, &own) < 0)
		return 254;
	return own.rlim_cur == 1 && own.rlim_max == 1 ? 1 : 0;
}

START_TEST(there_are_no_cores)
{
	struct rlimit own;

	ck_assert_int_eq(getrlimit(RLIMIT_CORE, &own), 0);
	prepare_rest();
	if (own.rlim_max > 0)
		ck_assert_int_eq(inside_run(read_core_limit, NULL), 1);
	inside_limit(&inside, SANDBOX_LIMIT_CORE_MB, SANDBOX_NO_LIMIT);
	prepare_rest();
	for (size_t i = 0; i < rlimits.count; i++)
		ck_assert_int_ne(rlimits.item[i].resource, RLIMIT_CORE);
}
END_TEST

static int take_64_mb(void *arg)
{
	void *area =
		mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)arg;
	if (area == MAP_FAILED || munmap(area, 64 << 20) < 0 || !apply())
		return 254;
	/* Addresses alone are free: much software reserves more than there is memory. */
	if (mmap(NULL, 1L << 36, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) ==
	    MAP_FAILED)
		return 253;
	area = mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return area == MAP_FAILED ? errno : 0;
}

/* What this process has already: with AddressSanitizer, terabytes. */
static uint64_t own_data_mb(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	unsigned long kb = 0;
	char line[256];

	ck_assert_ptr_nonnull(status);
	while (fgets(line, sizeof(line), status) && sscanf(line, "VmData: %lu kB", &kb) != 1)
		;
	fclose(status);
	return kb >> 10;
}

START_TEST(a_process_takes_no_more_memory)
{
	const uint64_t own = own_data_mb();

	inside_limit(&inside, SANDBOX_LIMIT_MEMORY_MB, own + 48);
	prepare(&(struct rlimits_needs){.memory = true});
	compare(take_64_mb, NULL, 0, ENOMEM);
	ck_assert_int_eq(inside_state(&inside, SANDBOX_MECH_RLIMITS), SANDBOX_STATE_PARTIAL);
	inside_limit(&inside, SANDBOX_LIMIT_MEMORY_MB, own + 256);
	prepare(&(struct rlimits_needs){.memory = true});
	compare(take_64_mb, NULL, 0, 0);
	inside_limit(&inside, SANDBOX_LIMIT_MEMORY_MB, own + 48);
	prepare_rest(); /* a cgroup keeps it */
	compare(take_64_mb, NULL, 0, 0);
}
END_TEST

/* --- all processes -------------------------------------------------------------------------------
 */

static int fork_many_in_namespace(void *arg)
{
	(void)arg;
	if (!inside_enter_user_namespace())
		return 253;
	return apply() ? inside_fork_many(200) : 254;
}

static int fork_many_here(void *arg)
{
	(void)arg;
	return apply() ? inside_fork_many(200) : 254;
}

static int fork_few_here(void *arg)
{
	(void)arg;
	return apply() ? inside_fork_many(10) : 254;
}

/* Processes that do nothing. */
static void start_others(pid_t *ret, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		ret[i] = fork();
		if (ret[i] == 0) {
			pause();
			_exit(0);
		}
	}
}

static void end_others(const pid_t *others, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		kill(others[i], SIGKILL);
		waitpid(others[i], NULL, 0);
	}
}

/* As an ordinary user, prepares, with the processes that the user has then. */
static int prepare_and_fork(void *arg)
{
	pid_t others[10];
	int count;

	start_others(others, 10);
	if (rlimits_prepare(&inside.judge, arg, &rlimits) < 0)
		return 252;
	count = fork_many_here(NULL);
	end_others(others, 10);
	return count;
}

/* So many more of the user's run than when it was prepared, and then some of the program's own. */
static int prepare_and_find_others(void *arg)
{
	pid_t others[100];
	int count;

	if (rlimits_prepare(&inside.judge, arg, &rlimits) < 0)
		return 252;
	start_others(others, 100);
	count = inside_run(fork_few_here, NULL);
	end_others(others, 100);
	return count;
}

static int prepare_and_fork_in_namespace(void *arg)
{
	return rlimits_prepare(&inside.judge, arg, &rlimits) < 0 ? 252
								 : fork_many_in_namespace(NULL);
}

START_TEST(an_ordinary_user_starts_no_more_processes)
{
	static struct rlimits_needs needs = {.processes = true, .own_user_namespace = true};
	int count;

	rlimits.count = 0;
	ck_assert_int_eq(inside_run_as_user(fork_many_here, NULL), 200);
	inside_limit(&inside, SANDBOX_LIMIT_PROCESSES, 20);
	count = inside_run_as_user(prepare_and_fork_in_namespace, &needs);
	if (count != 253) /* else there are no user namespaces here */
		ck_assert_int_eq(count, 19);
	needs.own_user_namespace = false;
	/* This process itself is one of those that were counted. */
	count = inside_run_as_user(prepare_and_fork, &needs);
	if (getuid() == 0)
		ck_assert_int_eq(count, 20);
	else /* Others of the same user may come and go meanwhile. */
		ck_assert_int_le(count, 150);
}
END_TEST

/* A machine where the user does something else, too. */
START_TEST(a_limit_that_nobody_asked_for_leaves_room_for_others)
{
	static struct rlimits_needs needs = {.processes = true};

	ck_assert_int_eq(inside_run_as_user(prepare_and_find_others, &needs), 10);
	if (getuid() != 0)
		return; /* others of the same user may have ended meanwhile */
	inside_limit(&inside, SANDBOX_LIMIT_PROCESSES, 64);
	ck_assert_int_eq(inside_run_as_user(prepare_and_find_others, &needs), 0);
}
END_TEST

static int count_here(void)
{
	uint64_t count = 0;

	return rlimits_count_threads(getuid(), &count, NULL) == 0 ? (int)count : -1000;
}

static void *wait_for_ever(void *arg)
{
	pause();
	return arg;
}

static int count_more(void *arg)
{
	pthread_t thread;
	int before = count_here();

	(void)arg;
	for (int i = 0; i < 100; i++) {
		if (pthread_create(&thread, NULL, wait_for_ever, NULL) != 0)
			return 254;
	}
	return count_here() - before;
}

START_TEST(threads_are_counted)
{
	int more = inside_run_as_user(count_more, NULL);

	if (getuid() == 0)
		ck_assert_int_eq(more, 100);
	else
		ck_assert_int_ge(more, 50); /* others may end */
}
END_TEST

START_TEST(root_is_exempt_and_that_is_said)
{
	if (getuid() != 0)
		return;
	prepare(&alone);
	ck_assert_int_eq(inside_state(&inside, SANDBOX_MECH_RLIMITS), SANDBOX_STATE_PARTIAL);
	ck_assert_ptr_nonnull(
		strstr(inside.layers.layer[SANDBOX_MECH_RLIMITS].why, "root is exempt"));
	for (uint64_t asked = 20; asked <= 64; asked += 44) { /* 64 is the default */
		inside_limit(&inside, SANDBOX_LIMIT_PROCESSES, asked);
		ck_assert_int_eq(rlimits_prepare(&inside.judge, &alone, &rlimits), ERR_UNSUPPORTED);
		ck_assert_ptr_nonnull(strstr(inside.err.text, "root is exempt"));
	}
	ck_assert_int_eq(inside_run(fork_many_here, NULL), 200);
}
END_TEST

/* --- the caller's own ----------------------------------------------------------------------------
 */

static int keeps_the_lower_limit(void *arg)
{
	struct rlimit own = {30, 40};

	if (setrlimit(RLIMIT_NOFILE, &own) < 0)
		return 254;
	if (arg)
		prepare_rest();
	if (!apply() || getrlimit(RLIMIT_NOFILE, &own) < 0)
		return 253;
	return (int)own.rlim_max;
}

/* Raising it asks for CAP_SYS_RESOURCE, which root may have: so only when it was known. */
START_TEST(a_hard_limit_is_never_raised)
{
	inside_limit(&inside, SANDBOX_LIMIT_FILES, 100);
	prepare_rest();
	ck_assert_int_eq(inside_run(keeps_the_lower_limit, "prepares"), 40);
	ck_assert_int_eq(inside_run_as_user(keeps_the_lower_limit, NULL), 40);
}
END_TEST

START_TEST(it_can_be_switched_off)
{
	ck_assert_int_eq(sandbox_policy_set_strictness(inside.policy, SANDBOX_MECH_RLIMITS,
						       SANDBOX_STRICT_OFF, NULL),
			 0);
	inside_limit(&inside, SANDBOX_LIMIT_FILES, 20);
	prepare(&alone);
	ck_assert_int_eq(inside_run(open_many, NULL), 0);
	ck_assert_int_eq(inside_state(&inside, SANDBOX_MECH_RLIMITS), SANDBOX_STATE_OFF);
}
END_TEST

Suite *sandbox_rlimits_suite(void)
{
	Suite *suite = suite_create("sandbox_rlimits");
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, a_process_opens_no_more_files);
	tcase_add_test(tcase, a_file_grows_no_larger);
	tcase_add_test(tcase, a_process_computes_no_longer);
	tcase_add_test(tcase, there_are_no_cores);
	tcase_add_test(tcase, a_process_takes_no_more_memory);
	tcase_add_test(tcase, an_ordinary_user_starts_no_more_processes);
	tcase_add_test(tcase, a_limit_that_nobody_asked_for_leaves_room_for_others);
	tcase_add_test(tcase, threads_are_counted);
	tcase_add_test(tcase, root_is_exempt_and_that_is_said);
	tcase_add_test(tcase, a_hard_limit_is_never_raised);
	tcase_add_test(tcase, it_can_be_switched_off);
	suite_add_tcase(suite, tcase);
	return suite;
}
