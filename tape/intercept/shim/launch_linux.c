#include "tape/intercept/shim/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static int put_in_place(const struct wire_reply *reply, const int *fds)
{
	size_t next = 0;

	for (uint32_t i = 0; i < reply->place_count; i++) {
		const struct wire_place *place = &reply->place[i];
		int from = place->same_as >= 0 ? place->same_as : fds[next++];

		if (dup2(from, place->fd) < 0)
			return errno;
	}
	return 0;
}

static void close_places(const struct wire_reply *reply, const int *fds)
{
	size_t next = 0;

	for (uint32_t i = 0; i < reply->place_count; i++) {
		if (reply->place[i].same_as < 0)
			close(fds[next++]);
	}
}

/* What an exec keeps, and a fork does not. */
static const int timer_kinds[] = {ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF};
#define TIMERS (sizeof(timer_kinds) / sizeof(timer_kinds[0]))

struct timers {
	struct itimerval timer[TIMERS];
};

static void get_timers(struct timers *ret)
{
	for (size_t i = 0; i < TIMERS; i++)
		getitimer(timer_kinds[i], &ret->timer[i]);
}

static bool is_set(const struct itimerval *timer)
{
	return timer->it_value.tv_sec != 0 || timer->it_value.tv_usec != 0;
}

/* In the child as they were; in the parent they end. */
static void set_timers(const struct timers *timers, bool on)
{
	const struct itimerval off = {{0, 0}, {0, 0}};

	for (size_t i = 0; i < TIMERS; i++) {
		if (is_set(&timers->timer[i]))
			setitimer(timer_kinds[i], on ? &timers->timer[i] : &off, NULL);
	}
}

struct launch {
	const struct wire_program *program;
	const struct wire_reply *reply;
	const int *fds;
	const struct wire_aside *aside;
	struct timers timers;
	struct sigaction chld;
	pid_t self;
	int report;
};

_Noreturn static void become_unit(const struct launch *l)
{
	int r;

	/* When its shim is killed, it is killed. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != l->self)
		_exit(127);
	r = put_in_place(l->reply, l->fds);
	sigaction(SIGCHLD, &l->chld, NULL);
	set_timers(&l->timers, true);
	wire_put_back(l->aside);
	if (r == 0)
		r = wire_execute(l->program);
	(void)!write(l->report, &r, sizeof(r));
	_exit(127);
}

/* 0 when the pipe has ended without a word: close-on-exec has closed it. */
static int await_report(int report)
{
	ssize_t n;
	int r;

	do {
		n = read(report, &r, sizeof(r));
	} while (n < 0 && errno == EINTR);
	return n == sizeof(r) ? r : 0;
}

/* A plain fork, by the system call: fork(3) may take locks. Until its exec, its end sends no
 * SIGCHLD: where the exec fails there has been no child for the program to see. */
static pid_t fork_quietly(void)
{
	return (pid_t)syscall(SYS_clone, 0, NULL, NULL, NULL, 0);
}

static int run(struct launch *l, int report, pid_t *ret_pid)
{
	struct sigaction plain = {.sa_handler = SIG_DFL};
	pid_t pid;
	int r;

	get_timers(&l->timers);
	/* Ignored, the kernel would keep its status from us. */
	sigaction(SIGCHLD, &plain, &l->chld);
	pid = fork_quietly();
	if (pid == 0)
		become_unit(l);
	r = pid < 0 ? errno : 0;
	close(l->report);
	if (r == 0)
		r = await_report(report);
	if (r == 0) {
		set_timers(&l->timers, false);
		*ret_pid = pid;
		return 0;
	}
	if (pid > 0)
		waitpid(pid, NULL, __WALL);
	sigaction(SIGCHLD, &l->chld, NULL);
	return r;
}

int launch_unit(const struct wire_program *program, const struct wire_reply *reply, const int *fds,
		const struct wire_aside *aside, pid_t *ret_pid)
{
	struct launch l = {.program = program, .reply = reply, .fds = fds, .aside = aside};
	int report[2];
	int r;

	if (pipe2(report, O_CLOEXEC) < 0) {
		r = errno;
		close_places(reply, fds);
		return r;
	}
	report[0] = wire_high_fd(report[0]);
	report[1] = wire_high_fd(report[1]);
	l.report = report[1];
	l.self = getpid();
	r = run(&l, report[0], ret_pid);
	close(report[0]);
	close_places(reply, fds);
	return r;
}

/* What this finds saves a fork; all else is found by trying. */
int launch_probe(const struct wire_program *program)
{
	struct stat st;

	if (program->dirfd != AT_FDCWD || program->flags != 0)
		return 0;
	if (stat(program->path, &st) < 0)
		return errno;
	if (!S_ISREG(st.st_mode))
		return EACCES;
	return faccessat(AT_FDCWD, program->path, X_OK, AT_EACCESS) < 0 ? errno : 0;
}
