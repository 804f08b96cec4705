/* What is a unit, however it is spawned; and who stays subject. */
#include "tape/intercept/client_test.h"
#include "tape/intercept/subjects_test.h"
#include "tools/tests.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- The subjects ----------------------------------------------------------------------------- */

static int by_vfork(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		execv("/bin/sh", sh_exit_3);
		_exit(BROKEN);
	}
	return exit_code_of(pid);
}

static int by_posix_spawn(void)
{
	pid_t pid;

	if (posix_spawn(&pid, "/bin/sh", NULL, NULL, sh_exit_3, environ) != 0)
		return BROKEN;
	return exit_code_of(pid);
}

static int by_grandchild(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(by_fork());
	return exit_code_of(pid);
}

static int by_execveat(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		int dir = open("/bin", O_PATH | O_DIRECTORY);

		syscall(SYS_execveat, dir, "sh", sh_exit_3, environ, 0);
		_exit(BROKEN);
	}
	return exit_code_of(pid);
}

static int by_fexecve(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		fexecve(open("/bin/sh", O_RDONLY), sh_exit_3, environ);
		_exit(BROKEN);
	}
	return exit_code_of(pid);
}

static int by_clone(void)
{
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0);

	if (pid == 0) {
		execv("/bin/sh", sh_exit_3);
		_exit(BROKEN);
	}
	return exit_code_of(pid);
}

static void *wait_for_ever(void *unused)
{
	(void)unused;
	for (;;)
		pause();
	return NULL;
}

static void *execute_sh(void *unused)
{
	(void)unused;
	execv("/bin/sh", sh_exit_3);
	_exit(BROKEN);
}

/* Of three threads, one that is not the first executes. */
static int in_a_thread(void)
{
	pthread_t idle, active;

	if (pthread_create(&idle, NULL, wait_for_ever, NULL) != 0 ||
	    pthread_create(&active, NULL, execute_sh, NULL) != 0)
		return BROKEN;
	pthread_join(active, NULL);
	return BROKEN;
}

static int by_thread_of_child(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(in_a_thread());
	return exit_code_of(pid);
}

static void *fork_in_thread(void *ret_code)
{
	*(int *)ret_code = by_fork();
	return NULL;
}

static int by_fork_of_thread(void)
{
	pthread_t thread;
	int code = BROKEN;

	if (pthread_create(&thread, NULL, fork_in_thread, &code) != 0)
		return BROKEN;
	pthread_join(thread, NULL);
	return code;
}

#define THREADS		4
#define SPAWNS_A_THREAD 25

static void *spawn_often(void *ret_bad)
{
	for (int i = 0; i < SPAWNS_A_THREAD; i++)
		*(int *)ret_bad += (i % 2 ? by_posix_spawn() : by_fork()) != 3;
	return NULL;
}

static int many_threads(void)
{
	pthread_t thread[THREADS];
	int bad[THREADS] = {0};
	int all_bad = 0;

	for (int i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, spawn_often, &bad[i]);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		all_bad += bad[i];
	}
	return all_bad;
}

const struct subject spawn_subjects[] = {
	SUBJECT(by_fork),	SUBJECT(by_vfork),	     SUBJECT(by_posix_spawn),
	SUBJECT(by_grandchild), SUBJECT(by_execveat),	     SUBJECT(by_fexecve),
	SUBJECT(by_clone),	SUBJECT(by_thread_of_child), SUBJECT(by_fork_of_thread),
	SUBJECT(in_a_thread),	SUBJECT(many_threads),	     {NULL, NULL},
};

/* --- The tests -------------------------------------------------------------------------------- */

static const char *const ways_to_spawn[] = {
	"by_fork",    "by_vfork", "by_posix_spawn",	"by_grandchild",     "by_execveat",
	"by_fexecve", "by_clone", "by_thread_of_child", "by_fork_of_thread",
};

START_TEST(a_unit_is_told_however_it_is_spawned)
{
	bool by_fd = strcmp(ways_to_spawn[_i], "by_fexecve") == 0;

	ck_assert_int_eq(run_subject(ways_to_spawn[_i]), 3);
	if (by_fd) { /* whatever /bin/sh is a link to */
		ck_assert_uint_eq(client.starts, 1);
		ck_assert_uint_eq(client.gones, 1);
		return;
	}
	assert_log("exec:sh started:sh ended:sh:3 gone:sh");
}
END_TEST

START_TEST(many_units_at_once_are_told)
{
	client.keep_log = false;
	ck_assert_int_eq(run_subject("many_threads"), 0);
	ck_assert_uint_eq(client.starts, THREADS * SPAWNS_A_THREAD);
	ck_assert_uint_eq(client.ends, THREADS * SPAWNS_A_THREAD);
	ck_assert_uint_eq(client.gones, THREADS * SPAWNS_A_THREAD);
}
END_TEST

START_TEST(the_root_stays_subject_through_its_own_execs)
{
	char *const argv[] = {"/bin/sh", "-c", "exec /bin/sh -c 'exec /bin/true'", NULL};

	ck_assert_int_eq(run_argv(argv), 0);
	assert_log("stays:sh stays:sh stays:true");
}
END_TEST

START_TEST(the_root_stays_subject_when_a_thread_of_it_executes)
{
	ck_assert_int_eq(run_subject("in_a_thread"), 3);
	assert_log("stays:sh");
}
END_TEST

START_TEST(what_a_unit_executes_is_not_told)
{
	char *const argv[] = {
		"/bin/sh", "-c",
		"/bin/sh -c '/bin/true; (exec /bin/true); exec /bin/sh -c \"exit 4\"'; "
		"exit $?",
		NULL};

	ck_assert_int_eq(WEXITSTATUS(run_argv(argv)), 4);
	assert_log("stays:sh exec:sh started:sh ended:sh:4 gone:sh");
}
END_TEST

/* What a launcher's child executes is told as its own. */
START_TEST(a_child_may_stay_subject)
{
	client.action = EXEC_SUBJECT;
	ck_assert_int_eq(
		WEXITSTATUS(run_argv((char *const[]){
			"/bin/sh", "-c",
			"/bin/sh -c '/bin/true; exec /bin/sh -c \"exit 6\"'; exit $?", NULL})),
		6);
	assert_log("stays:sh exec:sh exec:true stays:sh");
}
END_TEST

Suite *intercept_spawns_suite(void)
{
	Suite *suite = suite_create("tape/intercept/spawns");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, client_enter, client_leave);
	tcase_set_timeout(all, 30);
	tcase_add_loop_test(all, a_unit_is_told_however_it_is_spawned, 0, COUNT(ways_to_spawn));
	tcase_add_test(all, many_units_at_once_are_told);
	tcase_add_test(all, the_root_stays_subject_through_its_own_execs);
	tcase_add_test(all, the_root_stays_subject_when_a_thread_of_it_executes);
	tcase_add_test(all, what_a_unit_executes_is_not_told);
	tcase_add_test(all, a_child_may_stay_subject);
	suite_add_tcase(suite, all);
	return suite;
}
