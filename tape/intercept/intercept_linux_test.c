/* A session of the interceptor: how it begins, what is held, watched and passed on, how it ends. */
#include "tape/intercept/intercept.h"

#include "base/cleanup.h"
#include "tape/intercept/client_test.h"
#include "tape/intercept/subjects_test.h"
#include "tools/tests.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- The subjects ----------------------------------------------------------------------------- */

/* The first unit leaves a process behind, whose end this one sees after a second unit. */
static int outlived(void)
{
	int block[2], status;
	pid_t unit, left;

	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	if (pipe(block) < 0)
		return BROKEN;
	dup2(block[0], 0);
	fcntl(block[1], F_SETFD, FD_CLOEXEC);
	/* Fd 3: a shell gives /dev/null to what it runs in the background. */
	dup2(block[0], 3);
	unit = fork_sh("(read x <&3; exit 5) & exit 3");
	if (exit_code_of(unit) != 3 ||
	    exit_code_of(fork_program("/bin/true", (char *const[]){"true", NULL})) != 0)
		return 1;
	close(block[1]);
	left = waitpid(-1, &status, 0);
	return left > 0 && left != unit && WEXITSTATUS(status) == 5 ? 0 : 2;
}

/* The first unit's end is held until the second one runs. */
static int held(void)
{
	int end[2];
	pid_t unit;
	char byte;

	if (pipe(end) < 0)
		return BROKEN;
	unit = fork_program("/bin/sh", sh_exit_3);
	close(end[1]);
	if (read(end[0], &byte, 1) != 0) /* the unit is gone, and its end of the pipe with it */
		return BROKEN;
	if (waitpid(unit, NULL, WNOHANG) != 0 || kill(unit, 0) != 0)
		return 1;
	if (exit_code_of(fork_program("/bin/true", (char *const[]){"true", NULL})) != 0)
		return 2;
	return exit_code_of(unit) == 3 ? 0 : 3;
}

static int leaves_sleepers(void)
{
	start_sleep(false);
	start_sleep(true);
	return 0;
}

/* Inherited pipes; the low numbers belong to libcheck. */
#define TO_CLIENT   60
#define FROM_CLIENT 61

static int asks_the_client(void)
{
	char byte = 'q';

	return write(TO_CLIENT, &byte, 1) == 1 && read(FROM_CLIENT, &byte, 1) == 1 && byte == 'a'
		       ? 0
		       : 1;
}

static int waits_for_sigusr1(void)
{
	sigset_t set;
	int signal;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (write(TO_CLIENT, "q", 1) != 1)
		return BROKEN;
	return sigwait(&set, &signal) == 0 && signal == SIGUSR1 ? 0 : 1;
}

/* As it was before the test set it: see what_the_subject_gets_is_as_it_was. */
static int checks_itself(void)
{
	struct sigaction pipe_action;
	struct rlimit nofile;
	sigset_t mask;

	sigaction(SIGPIPE, NULL, &pipe_action);
	sigprocmask(SIG_SETMASK, NULL, &mask);
	getrlimit(RLIMIT_NOFILE, &nofile);
	if (pipe_action.sa_handler != SIG_DFL)
		return 1;
	if (sigismember(&mask, SIGCHLD) || !sigismember(&mask, SIGWINCH))
		return 2;
	return nofile.rlim_cur == 200 ? 0 : 3;
}

const struct subject session_subjects[] = {
	SUBJECT(outlived),
	SUBJECT(held),
	SUBJECT(leaves_sleepers),
	SUBJECT(asks_the_client),
	SUBJECT(waits_for_sigusr1),
	SUBJECT(checks_itself),
	{NULL, NULL},
};

/* --- The tests -------------------------------------------------------------------------------- */

START_TEST(a_unit_is_gone_with_its_last_process)
{
	ck_assert_int_eq(run_subject("outlived"), 0);
	assert_log("exec:sh started:sh ended:sh:3 exec:true started:true ended:true:0 gone:true "
		   "gone:sh");
}
END_TEST

START_TEST(a_held_end_is_seen_after_its_release)
{
	client.hold = "sh";
	client.release_at = "true";
	ck_assert_int_eq(run_subject("held"), 0);
	/* Where the end comes among the events of the second unit is chance. */
	ck_assert_ptr_nonnull(strstr(client.log.data, "ended:sh:3"));
	if (strstr(client.log.data, "release"))
		ck_assert_ptr_nonnull(strstr(client.log.data, "started:true release gone:sh"));
	ck_assert_ptr_nonnull(strstr(client.log.data, "gone:sh"));
	ck_assert_ptr_nonnull(strstr(client.log.data, "ended:true:0 gone:true"));
}
END_TEST

static const struct {
	const char *program;
	int code;
} no_subjects[] = {
	{"./missing", 127}, {"no-such-program-anywhere", 127}, {"/nowhere/x", 127}, {"./data", 126},
	{"/", 126},	    {"./garbage-in-a-file/x", 127},
};

START_TEST(a_subject_that_cannot_run_is_a_status_and_a_sentence)
{
	char *const argv[] = {(char *)no_subjects[_i].program, NULL};
	struct error err = {0};
	int status = -1;

	open_interceptor(argv);
	ck_assert_int_eq(intercept_run(client.t, &status, &err), 0);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), no_subjects[_i].code);
	ck_assert_msg(strstr(err.text, no_subjects[_i].program) != NULL, "%s", err.text);
	intercept_free(client.t);
}
END_TEST

START_TEST(the_status_of_the_subject_comes_back)
{
	ck_assert_int_eq(run_argv((char *const[]){"/bin/sh", "-c", "exit 42", NULL}), 42 << 8);
	ck_assert_int_eq(run_argv((char *const[]){"/bin/sh", "-c", "kill -9 $$", NULL}), SIGKILL);
}
END_TEST

START_TEST(the_subject_is_looked_up_in_path)
{
	setenv("PATH", "/nowhere:/bin:/usr/bin", 1);
	ck_assert_int_eq(run_argv((char *const[]){"true", NULL}), 0);
}
END_TEST

START_TEST(a_directory_is_put_at_the_end_of_path)
{
	char *const argv[] = {"/bin/sh", "-c", "test \"$PATH\" = /bin:/usr/bin:/appended", NULL};
	struct intercept_options options = {.argv = argv, .path_append = "/appended"};
	struct error err = {0};
	int status = -1;

	setenv("PATH", "/bin:/usr/bin", 1);
	ck_assert_int_eq(intercept_new(&options, &client_ops, &client, &client.t, &err), 0);
	ck_assert_msg(intercept_run(client.t, &status, &err) == 0, "%s", err.text);
	ck_assert_int_eq(status, 0);
	intercept_free(client.t);
	ck_assert_str_eq(getenv("PATH"), "/bin:/usr/bin");
}
END_TEST

/* Whether it runs; a zombie that its parent has not taken yet does not. */
static bool is_running(pid_t pid)
{
	char path[64], state = 'X';
	cleanup_fclose FILE *f = NULL;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (f && fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
		state = 'X';
	return state != 'X' && state != 'Z';
}

START_TEST(what_is_left_ends_with_the_interceptor)
{
	open_interceptor(subject_argv("leaves_sleepers"));
	ck_assert_int_eq(run_to_end(), 0);
	ck_assert_uint_eq(client.starts, 2);
	ck_assert(is_running(client.pids[0]) && is_running(client.pids[1]));
	ck_assert_uint_eq(intercept_left(client.t), 2);
	intercept_free(client.t);
	ck_assert(!is_running(client.pids[0]) && !is_running(client.pids[1]));
}
END_TEST

START_TEST(an_interceptor_that_never_ran_is_freed)
{
	open_interceptor((char *const[]){"/bin/true", NULL});
	intercept_free(client.t);
	intercept_free(NULL);
}
END_TEST

static int fail_exec(void *ctx, struct process *p, const struct exec_request *request,
		     struct exec_decision *ret, struct error *err)
{
	(void)ctx;
	(void)request;
	if (!p->in_place)
		return error_set(err, ERR_LIMIT, "no more of these");
	*ret = (struct exec_decision){.action = EXEC_SUBJECT};
	return 0;
}

START_TEST(an_error_of_the_client_ends_the_session)
{
	struct intercept_options options = {.argv = subject_argv("by_fork")};
	struct intercept_ops failing = client_ops;
	struct error err = {0};
	int status;

	failing.exec = fail_exec;
	ck_assert_int_eq(intercept_new(&options, &failing, &client, &client.t, &err), 0);
	ck_assert_int_eq(intercept_run(client.t, &status, &err), ERR_LIMIT);
	ck_assert_str_eq(err.text, "no more of these");
	intercept_free(client.t);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
}
END_TEST

START_TEST(what_the_subject_gets_is_as_it_was)
{
	struct rlimit nofile, after;
	struct sigaction pipe_action;
	sigset_t mask;

	getrlimit(RLIMIT_NOFILE, &nofile);
	nofile.rlim_cur = 200;
	setrlimit(RLIMIT_NOFILE, &nofile);
	sigemptyset(&mask);
	sigaddset(&mask, SIGWINCH);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	ck_assert_int_eq(run_subject("checks_itself"), 0);
	/* And ours are as they were. */
	getrlimit(RLIMIT_NOFILE, &after);
	sigaction(SIGPIPE, NULL, &pipe_action);
	sigprocmask(SIG_SETMASK, NULL, &mask);
	ck_assert_uint_eq(after.rlim_cur, 200);
	ck_assert(pipe_action.sa_handler == SIG_DFL);
	ck_assert(!sigismember(&mask, SIGCHLD) && sigismember(&mask, SIGWINCH));
}
END_TEST

/* As a parent of ours may have left it to us. */
START_TEST(what_is_set_for_sigchld_does_not_matter)
{
	static const struct sigaction actions[] = {

		{.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDSTOP},
		{.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT},
		{.sa_handler = SIG_DFL},
	};

	sigaction(SIGCHLD, &actions[_i], NULL);
	client.hold = "sh"; /* so that it waits with epoll, too */
	client.release_at = "true";
	ck_assert_int_eq(run_subject("held"), 0);
}
END_TEST

/* Our ends of the pipes to and from the subject. */
struct talk {
	int question;
	int answer;
	void *watch;
	uint32_t events;
	unsigned count;
	bool by_signal;
};

static int answer_question(void *ctx, uint32_t events, struct error *err)
{
	struct talk *talk = ctx;
	char byte;

	(void)err;
	talk->count++;
	talk->events |= events;
	ck_assert_int_eq(read(talk->question, &byte, 1), 1);
	if (talk->by_signal)
		ck_assert_int_eq(kill(getpid(), SIGUSR1), 0);
	else
		ck_assert_int_eq(write(talk->answer, "a", 1), 1);
	intercept_unwatch(client.t, talk->watch);
	return 0;
}

static void talk_with(const char *subject, struct talk *talk)
{
	int question[2], answer[2];
	struct error err = {0};

	ck_assert_int_eq(pipe2(question, O_CLOEXEC) | pipe2(answer, O_CLOEXEC), 0);
	talk->question = question[0];
	talk->answer = answer[1];
	ck_assert_int_eq(dup2(question[1], TO_CLIENT), TO_CLIENT);
	ck_assert_int_eq(dup2(answer[0], FROM_CLIENT), FROM_CLIENT);
	open_interceptor(subject_argv(subject));
	ck_assert_int_eq(intercept_watch(client.t, talk->question, EPOLLIN, answer_question, talk,
					 &talk->watch, &err),
			 0);
	ck_assert_int_eq(run_to_end(), 0);
	intercept_free(client.t);
	ck_assert_uint_eq(talk->count, 1);
	ck_assert_uint_eq(talk->events, EPOLLIN);
}

START_TEST(a_watched_descriptor_is_served)
{
	struct talk talk = {.by_signal = false};

	talk_with("asks_the_client", &talk);
}
END_TEST

START_TEST(a_signal_to_us_goes_to_the_subject)
{
	struct talk talk = {.by_signal = true};

	talk_with("waits_for_sigusr1", &talk);
}
END_TEST

Suite *intercept_run_suite(void)
{
	Suite *suite = suite_create("tape/intercept");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, client_enter, client_leave);
	tcase_set_timeout(all, 30);
	tcase_add_test(all, a_unit_is_gone_with_its_last_process);
	tcase_add_test(all, a_held_end_is_seen_after_its_release);
	tcase_add_loop_test(all, a_subject_that_cannot_run_is_a_status_and_a_sentence, 0,
			    COUNT(no_subjects));
	tcase_add_test(all, the_status_of_the_subject_comes_back);
	tcase_add_test(all, the_subject_is_looked_up_in_path);
	tcase_add_test(all, a_directory_is_put_at_the_end_of_path);
	tcase_add_test(all, what_is_left_ends_with_the_interceptor);
	tcase_add_test(all, an_interceptor_that_never_ran_is_freed);
	tcase_add_test(all, an_error_of_the_client_ends_the_session);
	tcase_add_test(all, what_the_subject_gets_is_as_it_was);
	tcase_add_loop_test(all, what_is_set_for_sigchld_does_not_matter, 0, 3);
	tcase_add_test(all, a_watched_descriptor_is_served);
	tcase_add_test(all, a_signal_to_us_goes_to_the_subject);
	suite_add_tcase(suite, all);
	return suite;
}
