/* Programs that are started under a plan, on the kernel that the tests run on. */
#include "sandbox/started_test.h"

#include "base/fs.h"
#include "sandbox/planned_test.h"
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

/* --- ends ------------------------------------------------------------------------------------- */

START_TEST(output_and_status_are_those_of_the_program)
{
	struct run run;

	started_default("echo out; echo err >&2; exit 7", &run);
	ck_assert_str_eq(run.out, "out\n");
	ck_assert_str_eq(run.err, "err\n");
	ck_assert_int_eq(run.result.end, SANDBOX_END_EXIT);
	ck_assert_int_eq(run.result.status, 7);
	ck_assert_uint_gt(run.result.duration_ns, 0);
	ck_assert_int_gt(run.result.usage.ru_maxrss, 0);
	ck_assert_uint_eq(run.result.killed, 0);
}
END_TEST

START_TEST(a_signal_is_an_end_of_its_own)
{
	struct run run;

	started_default("kill -TERM $$", &run);
	ck_assert_int_eq(run.result.end, SANDBOX_END_SIGNAL);
	ck_assert_int_eq(run.result.status, SIGTERM);
}
END_TEST

/* With a pid namespace and without. */
START_TEST(what_the_program_leaves_behind_is_killed)
{
	struct run run;

	if (_i == 0)
		sandbox_policy_set_namespace(started_policy, SANDBOX_NS_PID, SANDBOX_USE_OFF, NULL);
	started_default("setsid sleep 1000 & (setsid setsid sleep 1000 &) ; exit 0", &run);
	ck_assert_int_eq(run.result.end, SANDBOX_END_EXIT);
	ck_assert_uint_ge(run.result.killed, 2);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
}
END_TEST

static void count(void *ctx, const char *text)
{
	*(int *)ctx += strstr(text, "begins in /") != NULL;
}

/* Below /tmp, which is another one inside; or, without namespaces, is to be seen. */
START_TEST(where_there_is_no_workspace_the_directory_is_slash_and_that_is_told_once)
{
	const char *const argv[] = {"/bin/pwd", NULL};
	const struct sandbox_start start = {
		.argv = argv, .stdin_fd = -1, .out = {.kind = SANDBOX_OUTPUT_BUFFER}};
	struct sandbox_plan *plan;
	struct sandbox_child *child;
	struct sandbox_result result;
	struct error err = {0};
	int told = 0;

	sandbox_policy_free(started_policy);
	started_policy = planned_policy("{\"version\": 1, \"level\": \"none\"}", NULL);
	ck_assert_int_eq(chdir(started_scratch), 0);
	ck_assert_int_eq(
		sandbox_plan_new(started_policy, SANDBOX_PLAN_START, count, &told, &plan, NULL), 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_msg(sandbox_start(plan, &start, &child, &err) == 0, "%s", err.text);
		ck_assert_int_eq(sandbox_wait(child, &result, NULL), 0);
		ck_assert_int_eq(result.status, 0);
		ck_assert_int_eq(told, plan_likely(plan)->private_tmp ? 0 : 1);
		ck_assert_int_eq(result.out_len == 2, told);
		sandbox_child_free(child);
	}
	sandbox_plan_free(plan);
	ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

START_TEST(time_that_is_over_ends_the_whole_tree)
{
	struct run run;

	sandbox_policy_set_limit(started_policy, SANDBOX_LIMIT_WALL_MS, 200, NULL);
	started_default("trap '' TERM; echo begun; setsid sleep 1000 & sleep 1000", &run);
	ck_assert_int_eq(run.result.end, SANDBOX_END_TIMEOUT);
	ck_assert_int_eq(run.result.status, SIGKILL);
	ck_assert_str_eq(run.out, "begun\n");
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

START_TEST(more_output_than_allowed_ends_it)
{
	struct run run;

	sandbox_policy_set_limit(started_policy, SANDBOX_LIMIT_OUTPUT_BYTES, 1000, NULL);
	started_default("yes", &run);
	ck_assert_int_eq(run.result.end, SANDBOX_END_OUTPUT);
	ck_assert_uint_eq(run.result.out_len, 1000);
	started_default("head -c 1000 /dev/zero", &run);
	ck_assert_int_eq(run.result.end, SANDBOX_END_EXIT);
	ck_assert_uint_eq(run.result.out_len, 1000);
	/* Who would end by itself when nobody reads is killed before it sees that. */
	for (int i = 0; i < 20; i++) {
		started_default("trap '' PIPE; while echo 123456789; do :; done; exit 0", &run);
		ck_assert_int_eq(run.result.end, SANDBOX_END_OUTPUT);
	}
}
END_TEST

START_TEST(a_limit_of_output_needs_output_that_can_be_counted)
{
	const char *const argv[] = {"true", NULL};
	const struct sandbox_start start = {.argv = argv, .cwd = started_scratch};
	struct sandbox_child *child = NULL;
	struct sandbox_plan *plan;
	struct error err = {0};

	sandbox_policy_set_limit(started_policy, SANDBOX_LIMIT_OUTPUT_BYTES, 1000, NULL);
	plan = started_plan(SANDBOX_PLAN_START);
	ck_assert_int_eq(sandbox_start(plan, &start, &child, &err), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(err.text, "output_bytes"));
	sandbox_plan_free(plan);
}
END_TEST

START_TEST(a_program_that_is_freed_is_killed)
{
	struct sandbox_plan *plan = started_plan(SANDBOX_PLAN_START);
	struct sandbox_child *child = NULL;

	ck_assert_int_eq(started_shell(plan, "setsid sleep 1000 & sleep 1000", &child, NULL), 0);
	ck_assert_int_gt(sandbox_child_pid(child), 0);
	ck_assert_int_ge(sandbox_child_pidfd(child), 0);
	sandbox_child_free(child);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	sandbox_plan_free(plan);
}
END_TEST

static void *kill_it(void *child)
{
	usleep(50000);
	sandbox_kill(child, NULL);
	return NULL;
}

START_TEST(a_program_can_be_killed_from_another_thread)
{
	struct sandbox_plan *plan = started_plan(SANDBOX_PLAN_START);
	struct sandbox_child *child = NULL;
	struct sandbox_result result;
	pthread_t thread;

	ck_assert_int_eq(started_shell(plan, "sleep 1000", &child, NULL), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, kill_it, child), 0);
	ck_assert_int_eq(sandbox_wait(child, &result, NULL), 0);
	pthread_join(thread, NULL);
	ck_assert_int_eq(result.end, SANDBOX_END_SIGNAL);
	ck_assert_int_eq(result.status, SIGKILL);
	sandbox_child_free(child);
	sandbox_plan_free(plan);
}
END_TEST

/* --- failures --------------------------------------------------------------------------------- */

static int start_one(const char *program, const char *cwd, struct error *err)
{
	const char *const argv[] = {program, NULL};
	const struct sandbox_start start = {
		.argv = argv, .cwd = cwd, .stdin_fd = -1, .dedicated = true};
	struct sandbox_plan *plan = started_plan(SANDBOX_PLAN_START);
	struct sandbox_child *child = NULL;
	struct sandbox_result result;
	int rc = sandbox_start(plan, &start, &child, err);

	if (rc == 0) {
		ck_assert_int_eq(sandbox_wait(child, &result, err), 0);
		rc = result.status;
	}
	sandbox_child_free(child);
	sandbox_plan_free(plan);
	return rc;
}

static void write_script(const char *name, const char *text, mode_t mode)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", started_scratch, name);
	ck_assert_int_eq(fs_write_atomic(path, text, strlen(text), false, NULL), 0);
	ck_assert_int_eq(chmod(path, mode), 0);
}

START_TEST(a_program_that_cannot_be_executed_is_an_error_that_says_why)
{
	struct error err = {0};

	ck_assert_int_eq(start_one("no-such-program", started_scratch, &err), ERR_NOTFOUND);
	ck_assert_int_eq(err.sys, ENOENT);
	write_script("plain", "exit 3\n", 0644);
	ck_assert_int_eq(start_one("./plain", started_scratch, &err), ERR_SYSTEM);
	ck_assert_int_eq(err.sys, EACCES);
	write_script("damaged",
		     "\x7f"
		     "ELF, but not quite",
		     0755);
	ck_assert_int_ne(start_one("./damaged", started_scratch, &err), 0);
	ck_assert_int_eq(start_one("", started_scratch, &err), ERR_INVALID);
}
END_TEST

START_TEST(a_script_without_a_first_line_is_run_by_the_shell)
{
	write_script("script", "exit 3\n", 0755);
	ck_assert_int_eq(start_one("./script", started_scratch, NULL), 3);
}
END_TEST

START_TEST(what_the_policy_does_not_let_be_executed_is_named)
{
	char outside[] = "/tmp/sandtape-outside-XXXXXX", program[64], first[128];
	struct error err = {0};

	ck_assert_ptr_nonnull(mkdtemp(outside));
	snprintf(program, sizeof(program), "%s/program", outside);
	ck_assert_int_eq(fs_write_atomic(program, "#!/bin/sh\n", 10, false, NULL), 0);
	ck_assert_int_eq(chmod(program, 0755), 0);
	ck_assert_int_lt(start_one(program, started_scratch, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "the policy does not let it"));
	/* Nor is what interprets a script, or the script that does. */
	snprintf(first, sizeof(first), "#!%s\n", program);
	write_script("script", first, 0755);
	snprintf(first, sizeof(first), "#!%s/script\n", started_scratch);
	write_script("second", first, 0755);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_lt(start_one(i ? "./second" : "./script", started_scratch, &err), 0);
		ck_assert_msg(strstr(err.text, "the policy does not let it") &&
				      strstr(err.text, program),
			      "%s", err.text);
	}
	fs_remove_all(outside, NULL);
}
END_TEST

START_TEST(what_nobody_could_execute_is_not_the_policys_doing)
{
	const char *const none[] = {"/etc/passwd", "/etc"};
	struct error err = {0};

	ck_assert_int_lt(start_one(none[_i], started_scratch, &err), 0);
	ck_assert_msg(strstr(err.text, ": Permission denied") != NULL, "%s", err.text);
}
END_TEST

START_TEST(a_stage_that_fails_is_named)
{
	struct error err = {0};

	ck_assert_int_eq(start_one("true", "/no/such/place", &err), ERR_SYSTEM);
	ck_assert_int_eq(err.sys, ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "/no/such/place"));
}
END_TEST

/* --- many, and in place ----------------------------------------------------------------------- */

static void *start_ten(void *plan)
{
	const char *const argv[] = {"true", NULL};
	const struct sandbox_start start = {.argv = argv, .cwd = started_scratch, .stdin_fd = -1};
	struct sandbox_child *child;
	struct sandbox_result result;
	size_t good = 0;

	for (int i = 0; i < 10; i++) {
		if (sandbox_start(plan, &start, &child, NULL) < 0)
			break;
		good += sandbox_wait(child, &result, NULL) == 0 && result.status == 0 &&
			result.end == SANDBOX_END_EXIT;
		sandbox_child_free(child);
	}
	return (void *)good;
}

START_TEST(a_plan_outlives_its_policy_and_serves_many_threads)
{
	struct sandbox_plan *plan = started_plan(SANDBOX_PLAN_START);
	pthread_t thread[4];
	void *good;

	sandbox_policy_free(started_policy);
	started_policy = NULL;
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, start_ten, plan), 0);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(pthread_join(thread[i], &good), 0);
		ck_assert_uint_eq((size_t)good, 10);
	}
	sandbox_plan_free(plan);
}
END_TEST

/* 0: all is as it should be; else what is not. */
static int look_around(const struct sandbox_plan *plan)
{
	struct sandbox_failure failure;
	char path[128];

	if (open("/etc/passwd", O_RDWR) >= 0 && geteuid() != 0)
		return 1;
	if (sandbox_plan_apply(plan, &failure) < 0)
		return 2;
	if (open("/etc/passwd", O_RDONLY) < 0)
		return 3;
	if (open("/etc/passwd", O_RDWR) >= 0 || errno != EACCES)
		return 4;
	if (open("/etc/shadow", O_RDONLY) >= 0 || errno != EACCES)
		return 5;
	snprintf(path, sizeof(path), "%s/made", started_scratch);
	if (open(path, O_WRONLY | O_CREAT, 0644) < 0)
		return 6;
	return socket(AF_INET, SOCK_STREAM, 0) >= 0 || errno != EACCES ? 7 : 0;
}

START_TEST(a_process_restricts_itself_in_place)
{
	struct sandbox_plan *plan = started_plan(SANDBOX_PLAN_APPLY);
	pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(look_around(plan));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	sandbox_plan_free(plan);
}
END_TEST

/* Where a group could be made for it, too: nobody enters that in place. */
static int find_memory_limit(const struct sandbox_plan *plan)
{
	struct sandbox_failure failure = {0};
	struct rlimit limit;

	if (sandbox_plan_apply(plan, &failure) < 0)
		return 1;
	return getrlimit(RLIMIT_DATA, &limit) < 0 || limit.rlim_cur != 300 << 20 ? 2 : 0;
}

START_TEST(limits_hold_in_place)
{
	struct sandbox_layers layers;
	struct sandbox_plan *plan;
	int status;
	pid_t pid;

	sandbox_policy_set_limit(started_policy, SANDBOX_LIMIT_MEMORY_MB, 300, NULL);
	plan = started_plan(SANDBOX_PLAN_APPLY);
	sandbox_plan_layers(plan, &layers);
	ck_assert_int_eq(layers.layer[SANDBOX_MECH_CGROUP].state, SANDBOX_STATE_PARTIAL);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(find_memory_limit(plan));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	sandbox_plan_free(plan);
}
END_TEST

START_TEST(a_plan_for_starts_is_not_applied_in_place)
{
	struct sandbox_plan *plan = started_plan(SANDBOX_PLAN_START);
	struct sandbox_failure failure = {0};

	ck_assert_int_eq(sandbox_plan_apply(plan, &failure), -1);
	ck_assert_int_eq(failure.error, EINVAL);
	ck_assert_ptr_nonnull(failure.stage);
	sandbox_plan_free(plan);
}
END_TEST

/* --- namespaces ------------------------------------------------------------------------------- */

START_TEST(tmp_is_private)
{
	char there[] = "/tmp/sandtape-there-XXXXXX", script[256];
	struct sandbox_plan *plan = started_plan(SANDBOX_PLAN_START);
	struct run run;

	ck_assert_ptr_nonnull(mkdtemp(there));
	snprintf(script, sizeof(script),
		 "test ! -e %s && touch $TMPDIR/mine && test -d %s && echo $TMPDIR", there,
		 started_scratch);
	started_run(plan, script, &run);
	ck_assert_str_eq(run.err, "");
	ck_assert_int_eq(run.result.status, 0);
	ck_assert_int_ne(access("/tmp/mine", F_OK), 0);
	rmdir(there);
	sandbox_plan_free(plan);
}
END_TEST

START_TEST(without_mounts_tmp_is_a_directory_of_its_own)
{
	struct sandbox_plan *plan;
	struct run run;

	sandbox_policy_set_namespace(started_policy, SANDBOX_NS_MOUNT, SANDBOX_USE_OFF, NULL);
	plan = started_plan(SANDBOX_PLAN_START);
	started_run(plan,
		    "cd $TMPDIR && touch mine && mkdir -p a/b && chmod 0 a && echo -n $TMPDIR",
		    &run);
	ck_assert_str_eq(run.err, "");
	ck_assert_int_eq(run.result.status, 0);
	ck_assert_int_eq(strncmp(run.out, "/tmp/sandtape-", 14), 0);
	ck_assert_int_ne(access(run.out, F_OK), 0);
	started_run(plan, "echo x > /tmp/sandtape-not-mine", &run);
	ck_assert_int_ne(run.result.status, 0);
	sandbox_plan_free(plan);
}
END_TEST

START_TEST(a_pid_namespace_shows_its_own_processes_only)
{
	struct sandbox_layers layers;
	struct sandbox_plan *plan;
	struct run run;

	sandbox_policy_set_namespace(started_policy, SANDBOX_NS_PID, SANDBOX_USE_ON, NULL);
	plan = started_plan(SANDBOX_PLAN_START);
	sandbox_plan_layers(plan, &layers);
	started_run(plan,
		    "test $$ -gt 1 && cd /proc && ls -d [0-9]* | wc -l; setsid sleep 1000 & "
		    "exit 5",
		    &run);
	ck_assert_int_eq(run.result.end, SANDBOX_END_EXIT);
	ck_assert_int_eq(run.result.status, 5);
	ck_assert_int_le(atoi(run.out), 5);
	started_run(plan, "kill -KILL $$", &run);
	ck_assert_int_eq(run.result.end, SANDBOX_END_SIGNAL);
	ck_assert_int_eq(run.result.status, SIGKILL);
	sandbox_plan_free(plan);
}
END_TEST

/* --- the suite -------------------------------------------------------------------------------- */

static TCase *ends(void)
{
	TCase *tc = tcase_create("ends");

	tcase_add_checked_fixture(tc, started_setup, started_teardown);
	tcase_add_test(tc, output_and_status_are_those_of_the_program);
	tcase_add_test(tc, a_signal_is_an_end_of_its_own);
	tcase_add_loop_test(tc, what_the_program_leaves_behind_is_killed, 0, 2);
	tcase_add_test(tc,
		       where_there_is_no_workspace_the_directory_is_slash_and_that_is_told_once);
	tcase_add_test(tc, time_that_is_over_ends_the_whole_tree);
	tcase_add_test(tc, more_output_than_allowed_ends_it);
	tcase_add_test(tc, a_limit_of_output_needs_output_that_can_be_counted);
	tcase_add_test(tc, a_program_that_is_freed_is_killed);
	tcase_add_test(tc, a_program_can_be_killed_from_another_thread);
	return tc;
}

static TCase *starts(void)
{
	TCase *tc = tcase_create("starts");

	tcase_add_checked_fixture(tc, started_setup, started_teardown);
	tcase_add_test(tc, a_program_that_cannot_be_executed_is_an_error_that_says_why);
	tcase_add_test(tc, a_script_without_a_first_line_is_run_by_the_shell);
	tcase_add_test(tc, what_the_policy_does_not_let_be_executed_is_named);
	tcase_add_loop_test(tc, what_nobody_could_execute_is_not_the_policys_doing, 0, 2);
	tcase_add_test(tc, a_stage_that_fails_is_named);
	tcase_add_test(tc, a_plan_outlives_its_policy_and_serves_many_threads);
	tcase_add_test(tc, a_process_restricts_itself_in_place);
	tcase_add_test(tc, limits_hold_in_place);
	tcase_add_test(tc, a_plan_for_starts_is_not_applied_in_place);
	tcase_add_test(tc, tmp_is_private);
	tcase_add_test(tc, without_mounts_tmp_is_a_directory_of_its_own);
	tcase_add_test(tc, a_pid_namespace_shows_its_own_processes_only);
	return tc;
}

Suite *sandbox_start_suite(void)
{
	Suite *s = suite_create("sandbox_start");

	suite_add_tcase(s, ends());
	suite_add_tcase(s, starts());
	return s;
}
