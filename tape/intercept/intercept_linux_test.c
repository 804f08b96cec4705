/*
 * The interceptor with a client that keeps a log of what it was told. Subjects that a shell cannot
 * be are this test program once more, run as `sandtape-tests --as-subject NAME`.
 */
#include "tape/intercept/tracer.h"

#include "base/cleanup.h"
#include "tape/scratch_test.h"
#include "tools/tests.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* --- The subjects ------------------------------------------------------------------------------
 * Each returns its exit code; 0 mostly means that it saw what it should have. 100 and more are
 * for what can only go wrong in a broken test. */

#define BROKEN 100

static int exit_code_of(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return BROKEN;
	return WIFEXITED(status) ? WEXITSTATUS(status) : BROKEN + 1;
}

static char *const sh_exit_3[] = {"sh", "-c", "exit 3", NULL};

static pid_t fork_program(const char *path, char *const *argv)
{
	pid_t pid = fork();

	if (pid == 0) {
		execv(path, argv);
		_exit(errno);
	}
	return pid;
}

static pid_t fork_sh(char *script)
{
	return fork_program("/bin/sh", (char *const[]){"sh", "-c", script, NULL});
}

static int by_fork(void)
{
	return exit_code_of(fork_program("/bin/sh", sh_exit_3));
}

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

/* Returns when the child is a unit that runs, and has written to descriptor 9. */
static pid_t start_sh(const char *script, bool own_group)
{
	int started[2];
	char byte;
	pid_t pid;

	if (pipe(started) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		signal(SIGTERM, SIG_DFL);
		if (own_group)
			setpgid(0, 0);
		dup2(started[1], 9);
		execl("/bin/sh", "sh", "-c", script, (char *)NULL);
		_exit(BROKEN);
	}
	(void)!read(started[0], &byte, 1);
	close(started[0]);
	close(started[1]);
	return pid;
}

static pid_t start_sleep(bool own_group)
{
	return start_sh("echo >&9; exec sleep 1000", own_group);
}

static int signal_of(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return BROKEN;
	return WIFSIGNALED(status) ? WTERMSIG(status) : BROKEN + 1;
}

static int kill_it(void)
{
	pid_t pid = start_sleep(false);

	kill(pid, 0);
	kill(pid, SIGTERM);
	return signal_of(pid);
}

/* It has executed its program, and perhaps the tracer does not know yet. */
static int kill_at_once(void)
{
	char *const argv[] = {"sleep", "1000", NULL};
	pid_t pid;

	if (posix_spawn(&pid, "/bin/sleep", NULL, NULL, argv, environ) != 0)
		return BROKEN;
	kill(pid, SIGTERM);
	return signal_of(pid);
}

#define KILLS 40

/* Each child still has its exec before it when the signal is sent. */
static int kill_before_exec(void)
{
	char *const argv[] = {"sleep", "1000", NULL};

	for (int i = 0; i < KILLS; i++) {
		int sig = i % 2 ? SIGTERM : SIGKILL;
		pid_t pid = fork_program("/bin/sleep", argv);

		kill(pid, sig);
		if (signal_of(pid) != sig)
			return 1;
	}
	return 0;
}

static int kill_group_before_exec(void)
{
	char *const argv[] = {"sleep", "1000", NULL};

	setpgid(0, 0);
	for (int i = 0; i < KILLS; i++) {
		pid_t pid;

		signal(SIGTERM, SIG_DFL); /* in the child */
		pid = fork_program("/bin/sleep", argv);
		signal(SIGTERM, SIG_IGN);
		kill(0, SIGTERM);
		if (signal_of(pid) != SIGTERM)
			return 1;
	}
	return 0;
}

/* It is no command, and is not waited for: neither while it sleeps nor while it computes. */
static int kill_what_does_not_exec(void)
{
	for (int sleeps = 0; sleeps <= 1; sleeps++) {
		volatile bool runs = true; /* until it is killed */
		pid_t pid = fork();

		while (pid == 0 && runs) {
			if (sleeps)
				pause();
		}
		kill(pid, SIGTERM);
		if (signal_of(pid) != SIGTERM)
			return 1;
	}
	return 0;
}

static int kill_by_pidfd(void)
{
	pid_t pid = start_sleep(false);
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0);
	return signal_of(pid);
}

static int kill_by_queue(void)
{
	pid_t pid = start_sleep(false);

	sigqueue(pid, SIGTERM, (union sigval){.sival_int = 1});
	return signal_of(pid);
}

static int kill_its_group(void)
{
	pid_t pid = start_sleep(true);

	kill(-pid, SIGTERM);
	return signal_of(pid);
}

static int kill_own_group(void)
{
	pid_t pid;

	setpgid(0, 0);
	signal(SIGTERM, SIG_IGN);
	pid = start_sleep(false);
	kill(0, SIGTERM);
	return signal_of(pid);
}

static int kill_another_group(void)
{
	pid_t pid = start_sleep(true);
	pid_t other = fork();

	if (other == 0) {
		setpgid(0, 0);
		kill(0, SIGTERM);
		_exit(BROKEN);
	}
	if (signal_of(other) != SIGTERM)
		return BROKEN;
	kill(pid, SIGKILL);
	return signal_of(pid);
}

static int kill_by_itself(void)
{
	return signal_of(fork_sh("kill -TERM $$"));
}

static int stop_and_go_on(void)
{
	pid_t pid = start_sleep(false);
	int status;

	kill(pid, SIGSTOP);
	if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status))
		return 1;
	kill(pid, SIGCONT);
	if (waitpid(pid, &status, WCONTINUED) != pid || !WIFCONTINUED(status))
		return 2;
	kill(pid, SIGTERM);
	return signal_of(pid);
}

static int send_what_does_nothing(void)
{
	char *const argv[] = {"sleep", "1000", NULL};
	pid_t pid;
	int status;

	if (posix_spawn(&pid, "/bin/sleep", NULL, NULL, argv, environ) != 0)
		return BROKEN;
	kill(pid, SIGCHLD);
	kill(pid, SIGCONT);
	kill(pid, SIGURG);
	kill(pid, SIGWINCH);
	kill(pid, SIGSTOP);
	if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status))
		return BROKEN;
	kill(pid, SIGCONT);
	if (waitpid(pid, &status, WCONTINUED) != pid || !WIFCONTINUED(status))
		return BROKEN;
	kill(pid, SIGCONT);
	kill(pid, SIGTERM);
	return signal_of(pid);
}

static int send_what_is_blocked_or_caught(void)
{
	sigset_t blocked;
	pid_t pid;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGURG);
	pid = fork();
	if (pid == 0) {
		sigprocmask(SIG_BLOCK, &blocked, NULL);
		execl("/bin/sleep", "sleep", "1000", (char *)NULL);
		_exit(BROKEN);
	}
	kill(pid, SIGURG);
	kill(pid, SIGKILL);
	if (signal_of(pid) != SIGKILL)
		return BROKEN;
	pid = start_sh("trap 'exit 3' WINCH; echo >&9; while :; do :; done", false);
	kill(pid, SIGWINCH);
	return exit_code_of(pid);
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

static const struct subject {
	const char *name;
	int (*run)(void);
} subjects[] = {
#define SUBJECT(name)                                                                              \
	{                                                                                          \
#name, name                                                                        \
	}
	SUBJECT(by_fork),
	SUBJECT(by_vfork),
	SUBJECT(kill_at_once),
	SUBJECT(in_a_lost_directory),
	SUBJECT(by_posix_spawn),
	SUBJECT(by_grandchild),
	SUBJECT(by_execveat),
	SUBJECT(by_fexecve),
	SUBJECT(by_clone),
	SUBJECT(by_thread_of_child),
	SUBJECT(by_fork_of_thread),
	SUBJECT(in_a_thread),
	SUBJECT(many_threads),
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
	SUBJECT(outlived),
	SUBJECT(held),
	SUBJECT(kill_it),
	SUBJECT(kill_by_pidfd),
	SUBJECT(kill_before_exec),
	SUBJECT(kill_group_before_exec),
	SUBJECT(kill_what_does_not_exec),
	SUBJECT(kill_by_queue),
	SUBJECT(kill_its_group),
	SUBJECT(kill_own_group),
	SUBJECT(kill_another_group),
	SUBJECT(kill_by_itself),
	SUBJECT(stop_and_go_on),
	SUBJECT(send_what_does_nothing),
	SUBJECT(send_what_is_blocked_or_caught),
	SUBJECT(odd_request),
	SUBJECT(empty_request),
	SUBJECT(leaves_sleepers),
	SUBJECT(asks_the_client),
	SUBJECT(waits_for_sigusr1),
	SUBJECT(checks_itself),
#undef SUBJECT
};

/* Before main: the test program is a subject then, and nothing else. */
__attribute__((constructor)) static void become_subject(int argc, char **argv)
{
	if (argc != 3 || strcmp(argv[1], "--as-subject") != 0)
		return;
	for (size_t i = 0; i < COUNT(subjects); i++) {
		if (strcmp(subjects[i].name, argv[2]) == 0)
			_exit(subjects[i].run());
	}
	_exit(BROKEN);
}

/* --- The client ------------------------------------------------------------------------------ */

struct fake_unit {
	struct traced_unit traced;
	char name[32];
	struct fake_unit *next; /* of all that are not gone */
};

#define UNITS_MAX 8

/* What the client does, set by the test; and what it was told. */
static struct client {
	struct interceptor *t;
	enum exec_action action; /* for execs of forked children */
	int error;
	bool keep_log; /* off where the order of events is left to chance */
	const char *hold;
	const char *release_at;
	bool inject;
	void (*on_request)(const struct exec_request *request);

	struct buf log;
	struct process *held;
	struct fake_unit *units;
	unsigned starts, ends, gones, signals;
	pid_t pids[UNITS_MAX]; /* of the first units */
} client;

__attribute__((format(printf, 1, 2))) static void tell(const char *format, ...)
{
	char word[128];
	va_list args;

	if (!client.keep_log)
		return;
	va_start(args, format);
	vsnprintf(word, sizeof(word), format, args);
	va_end(args);
	buf_add_str(&client.log, client.log.len ? " " : "");
	buf_add_str(&client.log, word);
}

static const char *last_component(struct bytes path)
{
	const char *slash = path.len ? memrchr(path.data, '/', path.len) : NULL;

	return slash ? slash + 1 : path.data;
}

static int on_exec(void *ctx, struct process *p, const struct exec_request *request,
		   struct exec_decision *ret, struct error *err)
{
	const char *name = last_component(request->path);
	struct fake_unit *u;

	(void)err;
	ck_assert_ptr_eq(ctx, &client);
	ck_assert_int_eq(p->role, ROLE_SUBJECT);
	if (p->in_place) {
		tell("stays:%s", name);
		*ret = (struct exec_decision){.action = EXEC_SUBJECT};
		return 0;
	}
	tell("exec:%s", name);
	if (client.on_request)
		client.on_request(request);
	*ret = (struct exec_decision){.action = client.action, .error = client.error};
	if (client.action != EXEC_UNIT)
		return 0;
	free(p->attempt);
	u = calloc(1, sizeof(*u));
	snprintf(u->name, sizeof(u->name), "%s", name);
	ret->unit = &u->traced;
	p->attempt = u;
	return 0;
}

static const char *name_of(const struct process *p)
{
	return ((const struct fake_unit *)p->unit)->name;
}

/* Two lists: the second knows that the first one worked. */
static int injected(void *ctx, struct process *p, struct inject_list *list,
		    enum inject_next *ret_next, struct error *err)
{
	int *round = ctx;

	(void)err;
	tell("injected:%d", (*round)++);
	ck_assert_int_eq((int64_t)list->call[0].result, *round == 1 ? p->pid : -EBADF);
	if (*round == 1) {
		ck_assert_int_eq((int64_t)list->call[1].result, 0);
		list->count = 0;
		list->call[list->count++] =
			(struct runner_call){SYS_close, {9999, 0, 0, 0, 0, 0}, 0};
		*ret_next = INJECT_AGAIN;
		return 0;
	}
	strcpy(list->data, "/");
	list->data_len = 2;
	list->count = 1;
	list->call[0] = (struct runner_call){SYS_chdir, {INJECT_DATA(0), 0, 0, 0, 0, 0}, 0};
	*ret_next = INJECT_LAST;
	return 0;
}

static int inject(struct task *task, struct error *err)
{
	static int round;
	struct inject_list list = {.count = 2};

	list.call[0] = (struct runner_call){SYS_getpid, {0, 0, 0, 0, 0, 0}, 0};
	list.call[1] = (struct runner_call){SYS_uname, {INJECT_DATA(16), 0, 0, 0, 0, 0}, 0};
	list.data_len = 512;
	return tracer_inject(client.t, task, &list, injected, &round, err);
}

static int on_streams(void *ctx, struct process *p, struct task *task, struct error *err)
{
	(void)ctx;
	(void)p;
	return client.inject ? inject(task, err) : 0;
}

static int on_started(void *ctx, struct process *p, bool *ret_detach, struct error *err)
{
	struct fake_unit *u = (struct fake_unit *)p->unit;
	struct process *to_release = client.held;

	(void)ctx;
	(void)ret_detach;
	ck_assert_ptr_eq(p->attempt, u);
	ck_assert(p->main);
	ck_assert_uint_ge(u->traced.processes, 1);
	p->attempt = NULL;
	u->next = client.units;
	client.units = u;
	if (client.starts < UNITS_MAX)
		client.pids[client.starts] = p->pid;
	client.starts++;
	tell("started:%s", u->name);
	if (!to_release || strcmp(u->name, client.release_at) != 0)
		return 0;
	tell("release");
	client.held = NULL;
	return intercept_release(client.t, to_release, err);
}

static int on_exec_failed(void *ctx, struct process *p, int sys_errno, struct error *err)
{
	(void)ctx;
	(void)err;
	ck_assert_ptr_nonnull(p->attempt);
	tell("failed:%s", error_errno_name(sys_errno));
	return 0;
}

static int on_ended(void *ctx, struct process *p, int wait_status, bool *ret_hold,
		    struct error *err)
{
	(void)ctx;
	(void)err;
	free(p->attempt);
	p->attempt = NULL;
	if (!p->main)
		return 0;
	client.ends++;
	if (WIFSIGNALED(wait_status))
		tell("ended:%s:signal%d", name_of(p), WTERMSIG(wait_status));
	else
		tell("ended:%s:%d", name_of(p), WEXITSTATUS(wait_status));
	/* On a busy machine the second unit may have started already. */
	if (client.hold && strcmp(client.hold, name_of(p)) == 0 && client.starts == 1) {
		client.held = p;
		*ret_hold = true;
	}
	return 0;
}

static void unit_free(struct fake_unit *u)
{
	struct fake_unit **at = &client.units;

	while (*at != u)
		at = &(*at)->next;
	*at = u->next;
	free(u);
}

static int on_unit_gone(void *ctx, struct traced_unit *unit, struct error *err)
{
	(void)ctx;
	(void)err;
	ck_assert_uint_eq(unit->processes, 0);
	client.gones++;
	tell("gone:%s", ((struct fake_unit *)unit)->name);
	unit_free((struct fake_unit *)unit);
	return 0;
}

static int on_signalled(void *ctx, struct process *target, int signal, struct error *err)
{
	(void)ctx;
	(void)err;
	client.signals++;
	tell("signal:%s:%d", ((const struct fake_unit *)intercept_unit_of(target))->name, signal);
	return 0;
}

static const struct intercept_ops ops = {
	.exec = on_exec,
	.streams = on_streams,
	.started = on_started,
	.exec_failed = on_exec_failed,
	.ended = on_ended,
	.unit_gone = on_unit_gone,
	.signalled = on_signalled,
};

static void enter(void)
{
	scratch_enter();
	memset(&client, 0, sizeof(client));
	client.action = EXEC_UNIT;
	client.keep_log = true;
	put_file("data", "x", 1);
	put_file("garbage", "\x01\x02", 2);
	put_file("script", "#!/nowhere/interpreter\n", 23);
	ck_assert_int_eq(chmod("garbage", 0755) | chmod("script", 0755), 0);
}

static void leave(void)
{
	while (client.units)
		unit_free(client.units);
	buf_free(&client.log);
	scratch_leave();
}

static void open_interceptor(char *const *argv)
{
	struct intercept_options options = {.argv = argv, .want_env = true};
	struct error err = {0};

	ck_assert_msg(intercept_new(&options, &ops, &client, &client.t, &err) == 0, "%s", err.text);
}

/* The wait status. */
static int run_to_end(void)
{
	struct error err = {0};
	int status = -1;

	ck_assert_msg(intercept_run(client.t, &status, &err) == 0, "%s", err.text);
	ck_assert_str_eq(err.text, "");
	return status;
}

static int run_argv(char *const *argv)
{
	int status;

	open_interceptor(argv);
	status = run_to_end();
	intercept_free(client.t);
	return status;
}

static char *const *subject_argv(const char *name)
{
	static char *argv[] = {"/proc/self/exe", "--as-subject", NULL, NULL};

	argv[2] = (char *)name;
	return argv;
}

/* Its exit code, and what was told besides its own exec. */
static int run_subject(const char *name)
{
	int status = run_argv(subject_argv(name));

	ck_assert_msg(WIFEXITED(status), "wait status %#x", (unsigned)status);
	return WEXITSTATUS(status);
}

static void assert_log(const char *wanted)
{
	const char *own = "stays:exe";
	const char *log = client.log.data ? client.log.data : "";

	if (strncmp(log, own, strlen(own)) == 0)
		log += strlen(own) + (log[strlen(own)] == ' ');
	ck_assert_str_eq(log, wanted);
}

/* --- The tests ------------------------------------------------------------------------------- */

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

static const struct {
	const char *subject;
	int signal;
	const char *log;
} signal_rows[] = {
	{"kill_it", SIGTERM, "signal:sh:15 ended:sh:signal15"},
	{"kill_by_pidfd", SIGTERM, "signal:sh:15 ended:sh:signal15"},
	{"kill_by_queue", SIGTERM, "signal:sh:15 ended:sh:signal15"},
	{"kill_its_group", SIGTERM, "signal:sh:15 ended:sh:signal15"},
	{"kill_own_group", SIGTERM, "signal:sh:15 ended:sh:signal15"},
	{"kill_another_group", SIGKILL, "signal:sh:9 ended:sh:signal9"},
	{"stop_and_go_on", SIGTERM, "signal:sh:19 signal:sh:18 signal:sh:15 ended:sh:signal15"},
};

START_TEST(a_signal_that_the_subject_sends_is_told)
{
	char wanted[256];

	ck_assert_int_eq(run_subject(signal_rows[_i].subject), signal_rows[_i].signal);
	snprintf(wanted, sizeof(wanted), "exec:sh started:sh %s gone:sh", signal_rows[_i].log);
	assert_log(wanted);
}
END_TEST

START_TEST(a_signal_that_does_nothing_is_not_told)
{
	ck_assert_int_eq(run_subject("send_what_does_nothing"), SIGTERM);
	ck_assert_uint_eq(client.signals, 3);
	ck_assert_ptr_nonnull(strstr(client.log.data, "signal:sleep:19 signal:sleep:18 "
						      "signal:sleep:15 ended:sleep:signal15"));
}
END_TEST

START_TEST(a_signal_that_is_blocked_or_caught_is_told)
{
	ck_assert_int_eq(run_subject("send_what_is_blocked_or_caught"), 3);
	ck_assert_uint_eq(client.signals, 3);
	ck_assert_ptr_nonnull(strstr(client.log.data, "signal:sleep:23"));
	ck_assert_ptr_nonnull(strstr(client.log.data, "signal:sh:28"));
}
END_TEST

START_TEST(a_signal_right_after_the_spawn_is_told)
{
	ck_assert_int_eq(run_subject("kill_at_once"), SIGTERM);
	/* Before or after the start, but told. */
	ck_assert_ptr_nonnull(strstr(client.log.data, "signal:sleep:15"));
	ck_assert_ptr_nonnull(strstr(client.log.data, "ended:sleep:signal15 gone:sleep"));
}
END_TEST

static const char *const early_kills[] = {"kill_before_exec", "kill_group_before_exec"};

START_TEST(an_exec_comes_before_the_signal_that_meets_it)
{
	client.keep_log = false;
	ck_assert_int_eq(run_subject(early_kills[_i]), 0);
	ck_assert_uint_eq(client.starts, KILLS);
	ck_assert_uint_eq(client.signals, KILLS);
}
END_TEST

START_TEST(a_child_that_does_not_execute_is_killed_as_ever)
{
	ck_assert_int_eq(run_subject("kill_what_does_not_exec"), 0);
	assert_log("");
}
END_TEST

START_TEST(a_signal_that_a_unit_sends_is_not_told)
{
	ck_assert_int_eq(run_subject("kill_by_itself"), SIGTERM);
	assert_log("exec:sh started:sh ended:sh:signal15 gone:sh");
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
	ck_assert_int_eq(intercept_new(&options, &ops, &client, &client.t, &err), 0);
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
	struct intercept_ops failing = ops;
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

START_TEST(calls_are_made_before_the_program_starts)
{
	char *const argv[] = {"/bin/sh", "-c", "/bin/sh -c 'test \"$(pwd -P)\" = /'", NULL};

	client.inject = true;
	ck_assert_int_eq(run_argv(argv), 0);
	assert_log("stays:sh exec:sh started:sh injected:0 injected:1 ended:sh:0 gone:sh");
}
END_TEST

static TCase *exec_tests(void)
{
	TCase *c = tcase_create("execs");

	tcase_add_checked_fixture(c, enter, leave);
	tcase_set_timeout(c, 30);
	tcase_add_loop_test(c, a_unit_is_told_however_it_is_spawned, 0, COUNT(ways_to_spawn));
	tcase_add_test(c, many_units_at_once_are_told);
	tcase_add_test(c, the_root_stays_subject_through_its_own_execs);
	tcase_add_test(c, the_root_stays_subject_when_a_thread_of_it_executes);
	tcase_add_test(c, what_a_unit_executes_is_not_told);
	tcase_add_loop_test(c, an_exec_that_fails_is_told, 0, COUNT(failing_execs));
	tcase_add_test(c, an_exec_after_one_that_failed_is_told);
	tcase_add_loop_test(c, an_exec_fails_as_the_client_decides, 0, 4);
	tcase_add_test(c, a_failure_by_decision_reaches_posix_spawn);
	tcase_add_test(c, a_real_program_is_let_be);
	tcase_add_test(c, signals_to_a_real_program_are_not_told);
	tcase_add_test(c, a_child_may_stay_subject);
	tcase_add_test(c, a_request_is_as_the_program_made_it);
	tcase_add_test(c, a_directory_that_is_gone_is_empty);
	tcase_add_loop_test(c, a_directory_may_have_any_name, 0, 3);
	tcase_add_test(c, a_request_may_have_no_argv_and_no_env);
	tcase_add_test(c, calls_are_made_before_the_program_starts);
	return c;
}

Suite *intercept_run_suite(void)
{
	Suite *suite = suite_create("tape/intercept");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, enter, leave);
	tcase_set_timeout(all, 30);
	tcase_add_test(all, a_unit_is_gone_with_its_last_process);
	tcase_add_test(all, a_held_end_is_seen_after_its_release);
	tcase_add_loop_test(all, a_signal_that_the_subject_sends_is_told, 0, COUNT(signal_rows));
	tcase_add_loop_test(all, a_signal_right_after_the_spawn_is_told, 0, 20);
	tcase_add_test(all, a_signal_that_does_nothing_is_not_told);
	tcase_add_test(all, a_signal_that_is_blocked_or_caught_is_told);
	tcase_add_loop_test(all, an_exec_comes_before_the_signal_that_meets_it, 0,
			    COUNT(early_kills));
	tcase_add_test(all, a_child_that_does_not_execute_is_killed_as_ever);
	tcase_add_test(all, a_signal_that_a_unit_sends_is_not_told);
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
	suite_add_tcase(suite, exec_tests());
	suite_add_tcase(suite, all);
	return suite;
}
