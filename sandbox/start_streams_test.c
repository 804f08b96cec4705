/* What programs that are started read and write. */
#include "sandbox/started_test.h"

#include "base/fs.h"
#include "tools/tests.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- what goes in and out --------------------------------------------------------------------- */

#define MUCH ((size_t)3 << 20)

static bool count(void *ctx, const void *bytes, size_t len)
{
	size_t *sum = ctx;

	(void)bytes;
	*sum += len;
	return true;
}

static bool refuse(void *ctx, const void *bytes, size_t len)
{
	(void)ctx;
	(void)bytes;
	(void)len;
	return false;
}

START_TEST(who_writes_what_nobody_wants_gets_sigpipe)
{
	const char *const argv[] = {"yes", NULL};
	struct sandbox_plan *plan = started_plan(SANDBOX_PLAN_START);
	const struct sandbox_start start = {
		.argv = argv,
		.cwd = started_scratch,
		.out = {.kind = SANDBOX_OUTPUT_CALL, .call = refuse},
	};
	struct sandbox_result result;
	struct sandbox_child *child;

	ck_assert_int_eq(sandbox_start(plan, &start, &child, NULL), 0);
	ck_assert_int_eq(sandbox_wait(child, &result, NULL), 0);
	ck_assert_int_eq(result.end, SANDBOX_END_SIGNAL);
	ck_assert_int_eq(result.status, SIGPIPE);
	sandbox_child_free(child);
	sandbox_plan_free(plan);
}
END_TEST

START_TEST(a_directory_is_no_stream)
{
	const char *const argv[] = {"true", NULL};
	struct sandbox_plan *plan = started_plan(SANDBOX_PLAN_START);
	struct sandbox_start start = {.argv = argv, .cwd = started_scratch};
	struct sandbox_child *child;
	struct error err = {0};

	start.stdin_fd = open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_eq(sandbox_start(plan, &start, &child, &err), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(err.text, "is a directory"));
	close(start.stdin_fd);
	sandbox_plan_free(plan);
}
END_TEST

START_TEST(a_kept_descriptor_is_open_before_there_is_a_plan)
{
	struct sandbox_plan *plan = NULL;
	struct error err = {0};

	for (int fd = 3; fd < 40; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			ck_assert_int_eq(sandbox_policy_add_fd(started_policy, fd, NULL), 0);
	ck_assert_int_eq(
		sandbox_plan_new(started_policy, SANDBOX_PLAN_START, NULL, NULL, &plan, &err),
		ERR_INVALID);
}
END_TEST

START_TEST(bytes_for_stdin_and_a_call_for_output)
{
	const char *const argv[] = {"cat", NULL};
	struct sandbox_plan *plan = started_plan(SANDBOX_PLAN_START);
	struct sandbox_result result;
	struct sandbox_child *child = NULL;
	char *bytes = malloc(MUCH);
	size_t sum = 0;
	struct sandbox_start start = {
		.argv = argv,
		.cwd = started_scratch,
		.stdin_bytes = bytes,
		.stdin_len = MUCH,
		.out = {.kind = SANDBOX_OUTPUT_CALL, .call = count, .ctx = &sum},
		.dedicated = true,
	};

	memset(bytes, 'x', MUCH);
	ck_assert_int_eq(sandbox_start(plan, &start, &child, NULL), 0);
	free(bytes);
	ck_assert_int_eq(sandbox_wait(child, &result, NULL), 0);
	ck_assert_int_eq(result.status, 0);
	ck_assert_uint_eq(sum, MUCH);
	sandbox_child_free(child);
	sandbox_plan_free(plan);
}
END_TEST

START_TEST(input_that_nobody_reads_is_no_error)
{
	const char *const argv[] = {"true", NULL};
	struct sandbox_plan *plan = started_plan(SANDBOX_PLAN_START);
	struct sandbox_result result;
	struct sandbox_child *child = NULL;
	char *bytes = calloc(1, MUCH);
	struct sandbox_start start = {
		.argv = argv,
		.cwd = started_scratch,
		.stdin_bytes = bytes,
		.stdin_len = MUCH,
		.dedicated = true,
	};

	ck_assert_int_eq(sandbox_start(plan, &start, &child, NULL), 0);
	ck_assert_int_eq(sandbox_wait(child, &result, NULL), 0);
	ck_assert_int_eq(result.end, SANDBOX_END_EXIT);
	ck_assert_int_eq(result.status, 0);
	sandbox_child_free(child);
	sandbox_plan_free(plan);
	free(bytes);
}
END_TEST

static int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

START_TEST(nothing_stays_open_and_nothing_leaks_in)
{
	struct sandbox_plan *plan = started_plan(SANDBOX_PLAN_START);
	int before = count_fds();
	struct run run;

	ck_assert_int_eq(dup2(0, 77), 77);
	started_run(plan, "ls /proc/self/fd | tr '\\n' ' '", &run);
	ck_assert_str_eq(run.out, "0 1 2 3 "); /* 3 is that of ls */
	close(77);
	for (int i = 0; i < 20; i++)
		started_run(plan, "exit 0", &run);
	ck_assert_int_eq(count_fds(), before);
	sandbox_plan_free(plan);
}
END_TEST

/* 0: programs start with each set of streams closed. */
static int start_without(struct sandbox_plan *plan, int closed)
{
	const char *const argv[] = {"true", NULL};
	const struct sandbox_start start = {
		.argv = argv, .cwd = started_scratch, .dedicated = true};
	struct sandbox_result result;
	struct sandbox_child *child;

	for (int fd = 0; fd < 3; fd++)
		if (closed >> fd & 1)
			close(fd);
	if (sandbox_start(plan, &start, &child, NULL) < 0)
		return 1;
	if (sandbox_wait(child, &result, NULL) < 0)
		return 2;
	sandbox_child_free(child);
	for (int fd = 0; fd < 3; fd++)
		if ((closed >> fd & 1) && fcntl(fd, F_GETFD) >= 0)
			return 3;
	return result.status;
}

START_TEST(a_caller_without_streams_starts_programs)
{
	struct sandbox_plan *plan = started_plan(SANDBOX_PLAN_START);
	pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(start_without(plan, _i));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	sandbox_plan_free(plan);
}
END_TEST

START_TEST(streams_can_be_opened_again)
{
	char file[128];
	const char *const argv[] = {"sh", "-c", "echo one; echo two > /dev/stdout", NULL};
	struct sandbox_plan *plan = started_plan(SANDBOX_PLAN_START);
	struct sandbox_start start = {.argv = argv, .cwd = started_scratch, .stdin_fd = -1};
	struct sandbox_result result;
	struct sandbox_child *child;
	struct stat st;
	int fd;

	snprintf(file, sizeof(file), "%s.log", started_scratch); /* outside */
	fd = open(file, O_CREAT | O_EXCL | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	start.out = (struct sandbox_sink){.kind = SANDBOX_OUTPUT_FD, .fd = fd};
	ck_assert_int_eq(sandbox_start(plan, &start, &child, NULL), 0);
	ck_assert_int_eq(sandbox_wait(child, &result, NULL), 0);
	ck_assert_int_eq(result.status, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_ge(st.st_size, 4);
	unlink(file);
	close(fd);
	sandbox_child_free(child);
	sandbox_plan_free(plan);
}
END_TEST

/* A file outside of what is granted. */
static int make_log(int which, char path[128])
{
	int fd;

	snprintf(path, 128, "/var/tmp/%s-%d.log", strrchr(started_scratch, '/') + 1, which);
	fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_APPEND | O_CLOEXEC, 0666);
	ck_assert_int_ge(fd, 0);
	return fd;
}

/* Its status when it opens its stream again, and the file of others, at the path. */
static int start_with(struct sandbox_plan *plan, int fd, const char *other)
{
	const char *const argv[] = {
		"sh", "-c", "echo > /dev/stdout || exit 41; if cat \"$0\"; then exit 42; fi", other,
		NULL};
	const struct sandbox_start start = {
		.argv = argv,
		.cwd = started_scratch,
		.stdin_fd = -1,
		.out = {.kind = SANDBOX_OUTPUT_FD, .fd = fd},
		.err = {.kind = SANDBOX_OUTPUT_NULL},
	};
	struct sandbox_result result;
	struct sandbox_child *child = NULL;
	struct error err = {0};

	ck_assert_msg(sandbox_start(plan, &start, &child, &err) == 0, "%s", err.text);
	ck_assert_int_eq(sandbox_wait(child, &result, NULL), 0);
	sandbox_child_free(child);
	return result.status;
}

/* The first program's streams have a ruleset that stays; it is for the same streams only. */
START_TEST(each_program_has_its_own_streams_only)
{
	char path[2][128];
	const int log[2] = {make_log(0, path[0]), make_log(1, path[1])};
	struct sandbox_plan *plan;

	sandbox_policy_set_namespace(started_policy, SANDBOX_NS_MOUNT, SANDBOX_USE_OFF, NULL);
	sandbox_policy_set_tmp(started_policy, SANDBOX_TMP_SHARED, NULL);
	plan = started_plan(SANDBOX_PLAN_START);
	for (int i = 0; i < 6; i++) {
		int own = i == 2 || i == 3;

		ck_assert_int_eq(start_with(plan, log[own], path[!own]), 0);
		if (i == 1)
			ck_assert_int_ge(plan->streams.ruleset, 0);
	}
	for (int i = 0; i < 2; i++) {
		unlink(path[i]);
		close(log[i]);
	}
	sandbox_plan_free(plan);
}
END_TEST

/* --- the suite -------------------------------------------------------------------------------- */

Suite *sandbox_start_streams_suite(void)
{
	Suite *s = suite_create("sandbox_start_streams");
	TCase *tc = tcase_create("streams");

	tcase_add_checked_fixture(tc, started_setup, started_teardown);
	tcase_add_test(tc, who_writes_what_nobody_wants_gets_sigpipe);
	tcase_add_test(tc, a_directory_is_no_stream);
	tcase_add_test(tc, a_kept_descriptor_is_open_before_there_is_a_plan);
	tcase_add_test(tc, bytes_for_stdin_and_a_call_for_output);
	tcase_add_test(tc, input_that_nobody_reads_is_no_error);
	tcase_add_test(tc, nothing_stays_open_and_nothing_leaks_in);
	tcase_add_loop_test(tc, a_caller_without_streams_starts_programs, 0, 8);
	tcase_add_test(tc, streams_can_be_opened_again);
	tcase_add_test(tc, each_program_has_its_own_streams_only);
	suite_add_tcase(s, tc);
	return s;
}
