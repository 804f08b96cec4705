/* An exec: what is told of it, how it fails, what the client decides. */
#include "tape/intercept/client_test.h"
#include "tape/intercept/subjects_test.h"
#include "tools/tests.h"
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- The subjects ----------------------------------------------------------------------------- */

/* The errno of an exec in a child. */
static int errno_of_exec(const char *path)
{
	return exit_code_of(fork_program(path, (char *const[]){"x", NULL}));
}

static int missing_in_path(void)
{
	pid_t pid;

	setenv("PATH", "/nowhere/a:/nowhere/b:/nowhere/c", 1);
	pid = fork();
	if (pid == 0) {
		execlp("missing", "missing", (char *)NULL);
		_exit(errno);
	}
	return exit_code_of(pid);
}

static int missing_here(void)
{
	return errno_of_exec("missing");
}

static int not_executable(void)
{
	return errno_of_exec("./data");
}

static int no_program(void)
{
	return errno_of_exec("./garbage");
}

static int no_interpreter(void)
{
	return errno_of_exec("./script");
}

static int below_a_file(void)
{
	return errno_of_exec("./data/x");
}

static int bad_path(void)
{
	return errno_of_exec((const char *)8);
}

static int bad_argv(void)
{
	return exit_code_of(fork_program("/bin/sh", (char *const *)8));
}

static int long_path(void)
{
	static char path[2 * PATH_MAX];

	memset(path, 'x', sizeof(path) - 1);
	return errno_of_exec(path);
}

/* After an exec that failed, another one; and after that its own end. */
static int second_try(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl("./missing", "x", (char *)NULL);
		execv("/bin/sh", sh_exit_3);
		_exit(BROKEN);
	}
	return exit_code_of(pid);
}

static int failing_posix_spawn(void)
{
	pid_t pid;

	return posix_spawn(&pid, "/bin/sh", NULL, NULL, sh_exit_3, environ);
}

static int odd_request(void)
{
	pid_t pid;

	if (chdir("/") < 0)
		return BROKEN;
	pid = fork();
	if (pid == 0) {
		execve("/bin/../bin/true", (char *const[]){"odd name", "", "\xff\n", NULL},
		       (char *const[]){"A=1", "B", "A=2", NULL});
		_exit(BROKEN);
	}
	return exit_code_of(pid);
}

static int in_a_lost_directory(void)
{
	if (mkdir("lost", 0777) < 0 || chdir("lost") < 0 || rmdir("../lost") < 0)
		return BROKEN;
	return by_fork();
}

static int empty_request(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		syscall(SYS_execve, "/bin/true", NULL, NULL);
		_exit(BROKEN);
	}
	return exit_code_of(pid);
}

const struct subject exec_subjects[] = {
	SUBJECT(missing_in_path),
	SUBJECT(missing_here),
	SUBJECT(not_executable),
	SUBJECT(no_program),
	SUBJECT(no_interpreter),
	SUBJECT(below_a_file),
	SUBJECT(bad_path),
	SUBJECT(bad_argv),
	SUBJECT(long_path),
	SUBJECT(second_try),
	SUBJECT(failing_posix_spawn),
	SUBJECT(odd_request),
	SUBJECT(in_a_lost_directory),
	SUBJECT(empty_request),
	{NULL, NULL},
};

/* --- The tests -------------------------------------------------------------------------------- */

static const struct {
	const char *subject;
	int sys_errno;
	const char *log;
} failing_execs[] = {
	{"missing_in_path", ENOENT,
	 "exec:missing failed:ENOENT exec:missing failed:ENOENT exec:missing failed:ENOENT"},
	{"missing_here", ENOENT, "exec:missing failed:ENOENT"},
	{"not_executable", EACCES, "exec:data failed:EACCES"},
	{"no_program", ENOEXEC, "exec:garbage failed:ENOEXEC"},
	{"no_interpreter", ENOENT, "exec:script failed:ENOENT"},
	{"below_a_file", ENOTDIR, "exec:x failed:ENOTDIR"},
	/* There is nothing to tell of these. */
	{"bad_path", EFAULT, ""},
	{"bad_argv", EFAULT, ""},
	{"long_path", ENAMETOOLONG, ""},
};

START_TEST(an_exec_that_fails_is_told)
{
	ck_assert_int_eq(run_subject(failing_execs[_i].subject), failing_execs[_i].sys_errno);
	assert_log(failing_execs[_i].log);
}
END_TEST

START_TEST(an_exec_after_one_that_failed_is_told)
{
	ck_assert_int_eq(run_subject("second_try"), 3);
	assert_log("exec:missing failed:ENOENT exec:sh started:sh ended:sh:3 gone:sh");
}
END_TEST

START_TEST(an_exec_fails_as_the_client_decides)
{
	static const int errors[] = {ENOENT, EACCES, EPERM, 96};

	client.action = EXEC_FAIL;
	client.error = errors[_i];
	ck_assert_int_eq(run_subject("by_fork"), errors[_i]);
	assert_log("exec:sh");
}
END_TEST

START_TEST(a_failure_by_decision_reaches_posix_spawn)
{
	client.action = EXEC_FAIL;
	client.error = EACCES;
	ck_assert_int_eq(run_subject("failing_posix_spawn"), EACCES);
	assert_log("exec:sh");
}
END_TEST

START_TEST(a_real_program_is_let_be)
{
	char *const argv[] = {"/bin/sh", "-c", "/bin/sh -c '/bin/true; exit 6'; exit $?", NULL};

	client.action = EXEC_REAL;
	ck_assert_int_eq(WEXITSTATUS(run_argv(argv)), 6);
	assert_log("stays:sh exec:sh");
}
END_TEST

START_TEST(signals_to_a_real_program_are_not_told)
{
	client.action = EXEC_REAL;
	ck_assert_int_eq(run_subject("kill_it"), SIGTERM);
	assert_log("exec:sh");
}
END_TEST

static void assert_bytes(struct bytes got, const char *wanted)
{
	ck_assert_uint_eq(got.len, strlen(wanted));
	ck_assert(memcmp(got.data, wanted, got.len) == 0);
}

static void check_odd_request(const struct exec_request *r)
{
	assert_bytes(r->path, "/bin/../bin/true");
	ck_assert_uint_eq(r->argc, 3);
	assert_bytes(r->argv[0], "odd name");
	assert_bytes(r->argv[1], "");
	assert_bytes(r->argv[2], "\xff\n");
	ck_assert_uint_eq(r->env_count, 3);
	assert_bytes(r->env[0], "A=1");
	assert_bytes(r->env[1], "B");
	assert_bytes(r->env[2], "A=2");
	assert_bytes(r->cwd, "/");
}

START_TEST(a_request_is_as_the_program_made_it)
{
	client.on_request = check_odd_request;
	ck_assert_int_eq(run_subject("odd_request"), 0);
	ck_assert_uint_eq(client.starts, 1);
}
END_TEST

static void check_no_cwd(const struct exec_request *r)
{
	ck_assert_uint_eq(r->cwd.len, 0);
}

START_TEST(a_directory_that_is_gone_is_empty)
{
	client.on_request = check_no_cwd;
	ck_assert_int_eq(run_subject("in_a_lost_directory"), 3);
	ck_assert_uint_eq(client.starts, 1);
}
END_TEST

static void check_cwd(const struct exec_request *r)
{
	char cwd[PATH_MAX];

	assert_bytes(r->cwd, getcwd(cwd, sizeof(cwd)));
}

START_TEST(a_directory_may_have_any_name)
{
	static const char *const names[] = {"a b", "x (deleted)", "\xff\n"};

	ck_assert_int_eq(mkdir(names[_i], 0777) | chdir(names[_i]), 0);
	client.on_request = check_cwd;
	ck_assert_int_eq(run_subject("by_fork"), 3);
	ck_assert_uint_eq(client.starts, 1);
}
END_TEST

static void check_empty_request(const struct exec_request *r)
{
	char cwd[PATH_MAX];

	assert_bytes(r->path, "/bin/true");
	ck_assert_uint_eq(r->argc, 0);
	ck_assert_uint_eq(r->env_count, 0);
	assert_bytes(r->cwd, getcwd(cwd, sizeof(cwd)));
}

START_TEST(a_request_may_have_no_argv_and_no_env)
{
	client.on_request = check_empty_request;
	ck_assert_int_eq(run_subject("empty_request"), 0);
	ck_assert_uint_eq(client.starts, 1);
}
END_TEST

START_TEST(calls_are_made_before_the_program_starts)
{
	char *const argv[] = {"/bin/sh", "-c", "/bin/sh -c 'test \"$(pwd -P)\" = /'", NULL};

	client.inject = true;
	ck_assert_int_eq(run_argv(argv), 0);
	assert_log("stays:sh exec:sh started:sh injected:0 injected:1 ended:sh:0 gone:sh");
}
END_TEST

Suite *intercept_exec_suite(void)
{
	Suite *suite = suite_create("tape/intercept/exec");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, client_enter, client_leave);
	tcase_set_timeout(all, 30);
	tcase_add_loop_test(all, an_exec_that_fails_is_told, 0, COUNT(failing_execs));
	tcase_add_test(all, an_exec_after_one_that_failed_is_told);
	tcase_add_loop_test(all, an_exec_fails_as_the_client_decides, 0, 4);
	tcase_add_test(all, a_failure_by_decision_reaches_posix_spawn);
	tcase_add_test(all, a_real_program_is_let_be);
	tcase_add_test(all, signals_to_a_real_program_are_not_told);
	tcase_add_test(all, a_request_is_as_the_program_made_it);
	tcase_add_test(all, a_directory_that_is_gone_is_empty);
	tcase_add_loop_test(all, a_directory_may_have_any_name, 0, 3);
	tcase_add_test(all, a_request_may_have_no_argv_and_no_env);
	tcase_add_test(all, calls_are_made_before_the_program_starts);
	suite_add_tcase(suite, all);
	return suite;
}
