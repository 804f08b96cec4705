/*
 * The event loop: waits for stops and ends of everything that is held, and for the client's file
 * descriptors, and hands them on.
 *
 * Ends are peeked at (WNOWAIT) before they are reaped: the parent learns of an end when the tracer
 * reaps it, and the client may first have to deliver the last output.
 */
#include "tape/intercept/tracer.h"

#include "base/cleanup.h"
#include "tape/intercept/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct watch {
	int fd;
	intercept_ready ready;
	void *ctx;
	struct watch *next_dead;
	bool dead;
};

/* Signals to sandtape itself: a handler, because it must act while the loop sleeps in waitid. */
static volatile sig_atomic_t forward_to;

static void forward(int sig, siginfo_t *info, void *context)
{
	int saved = errno;

	(void)context;
	/* The terminal signals the whole foreground group: the subject has it already. */
	if (info->si_code != SI_KERNEL && forward_to > 0)
		kill((pid_t)forward_to, sig);
	errno = saved;
}

static const int forwarded[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
#define FORWARDED (sizeof(forwarded) / sizeof(forwarded[0]))

/* Each unit that runs takes some of our descriptors, and hundreds may run at once. */
static void raise_nofile(struct interceptor *t)
{
	struct rlimit raised;

	getrlimit(RLIMIT_NOFILE, &t->old_nofile);
	raised = t->old_nofile;
	raised.rlim_cur = raised.rlim_max;
	setrlimit(RLIMIT_NOFILE, &raised); /* without it, the limit is met later, and told */
}

static int open_loop(struct interceptor *t, struct error *err)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	struct sigaction plain = {.sa_handler = SIG_DFL};
	sigset_t chld;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, &t->old_mask);
	/* Ignored, as we may have inherited it, nothing would wake us, and ends would be lost. */
	sigaction(SIGCHLD, &plain, &t->old_sigchld);
	/* A reader that has gone is told by EPIPE. */
	sigaction(SIGPIPE, &ignore, &t->old_sigpipe);
	raise_nofile(t);
	t->signal_fd = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
	t->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (t->signal_fd < 0 || t->epoll_fd < 0 ||
	    epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, t->signal_fd, &event) < 0)
		return error_sys(err, errno, "cannot set up the event loop");
	return 0;
}

static void forward_signals(struct interceptor *t, pid_t to)
{
	struct sigaction action = {.sa_sigaction = forward, .sa_flags = SA_SIGINFO};

	forward_to = to;
	for (size_t i = 0; i < FORWARDED; i++)
		sigaction(forwarded[i], &action, &t->old_action[i]);
}

static void stop_forwarding(struct interceptor *t)
{
	for (size_t i = 0; i < FORWARDED; i++)
		sigaction(forwarded[i], &t->old_action[i], NULL);
	forward_to = 0;
}

int intercept_new(const struct intercept_options *options, const struct intercept_ops *ops,
		  void *ctx, struct interceptor **ret, struct error *err)
{
	struct interceptor *t = calloc(1, sizeof(*t));
	cpu_set_t cpus;
	int r;

	if (!t)
		return error_no_memory(err);
	_Static_assert(FORWARDED <= sizeof(t->old_action) / sizeof(t->old_action[0]),
		       "room for every forwarded signal");
	t->options = *options;
	t->ops = *ops;
	t->ctx = ctx;
	t->signal_fd = -1;
	t->epoll_fd = -1;
	t->started.report = -1;
	t->has_spare_cpu = options->eager && sched_getaffinity(0, sizeof(cpus), &cpus) == 0 &&
			   CPU_COUNT(&cpus) > 1;
	r = open_loop(t, err);
	if (r < 0) {
		intercept_free(t);
		return r;
	}
	*ret = t;
	return 0;
}

static void bury_watches(struct interceptor *t)
{
	while (t->dead_watches) {
		struct watch *w = t->dead_watches;

		t->dead_watches = w->next_dead;
		free(w);
	}
}

static void kill_task(void *ctx, struct task *task)
{
	(void)ctx;
	kill(task->tid, SIGKILL);
}

/* PTRACE_O_EXITKILL would end them when we exit; a library must not wait for that. */
static void end_all(struct interceptor *t)
{
	pid_t tid;
	int status;

	if (t->tasks.count == 0)
		return;
	tasks_each(&t->tasks, kill_task, NULL);
	/* A newborn whose parent had not told of it yet shows up with its first stop. */
	while ((tid = waitpid(-1, &status, __WALL)) > 0) {
		if (WIFSTOPPED(status))
			kill(tid, SIGKILL);
	}
}

void intercept_free(struct interceptor *t)
{
	if (!t)
		return;
	end_all(t);
	tasks_clear(&t->tasks);
	bury_watches(t);
	if (t->signal_fd >= 0) {
		close(t->signal_fd);
		sigaction(SIGPIPE, &t->old_sigpipe, NULL);
		sigaction(SIGCHLD, &t->old_sigchld, NULL);
		setrlimit(RLIMIT_NOFILE, &t->old_nofile);
		sigprocmask(SIG_SETMASK, &t->old_mask, NULL);
	}
	if (t->epoll_fd >= 0)
		close(t->epoll_fd);
	if (t->started.report >= 0)
		close(t->started.report);
	free(t);
}

int intercept_watch(struct interceptor *t, int fd, uint32_t events, intercept_ready ready,
		    void *ctx, void **ret_watch, struct error *err)
{
	struct watch *w = calloc(1, sizeof(*w));
	struct epoll_event event = {.events = events, .data.ptr = w};

	if (!w)
		return error_no_memory(err);
	*w = (struct watch){.fd = fd, .ready = ready, .ctx = ctx};
	if (epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		int saved = errno;

		free(w);
		return error_sys(err, saved, "cannot watch a stream");
	}
	t->watch_count++;
	*ret_watch = w;
	return 0;
}

int intercept_watch_change(struct interceptor *t, void *watch, uint32_t events, struct error *err)
{
	struct watch *w = watch;
	struct epoll_event event = {.events = events, .data.ptr = w};

	if (epoll_ctl(t->epoll_fd, EPOLL_CTL_MOD, w->fd, &event) < 0)
		return error_sys(err, errno, "cannot watch a stream");
	return 0;
}

/* The batch of events in hand may still name the watch: it is freed after the batch. */
void intercept_unwatch(struct interceptor *t, void *watch)
{
	struct watch *w = watch;

	epoll_ctl(t->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
	w->dead = true;
	w->next_dead = t->dead_watches;
	t->dead_watches = w;
	t->watch_count--;
}

#define EVENTS_AT_ONCE 32

#define PEEK (WEXITED | WSTOPPED | WNOWAIT | __WALL)

struct peek {
	siginfo_t info;
	bool found;
};

static void peek_task(void *ctx, struct task *task)
{
	struct peek *peek = ctx;
	siginfo_t info = {0};

	if (peek->found ||
	    (task->process && task->process->held && task->process->pid == task->tid))
		return;
	if (waitid(P_PID, (id_t)task->tid, &info, PEEK | WNOHANG) == 0 && info.si_pid != 0) {
		peek->info = info;
		peek->found = true;
	}
}

/*
 * How long to look before sleeping: the next stop mostly comes within this time, and waking up
 * costs more than the stop itself on a machine whose idle processors sleep deeply (a virtual one).
 * When looking has been in vain for a while, as with a subject that computes, it is tried less
 * often.
 */
#define SPIN_NS	   100000u
#define SPIN_TRUST 8

uint64_t tracer_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static bool has_event(struct interceptor *t, struct epoll_event *events, int *ret_count)
{
	siginfo_t info = {0};

	if (t->watch_count == 0 && t->held_count == 0)
		return waitid(P_ALL, 0, &info, PEEK | WNOHANG) == 0 && info.si_pid != 0;
	*ret_count = epoll_wait(t->epoll_fd, events, EVENTS_AT_ONCE, 0);
	return *ret_count > 0;
}

/* Not with sched_yield: on a busy machine that gives away milliseconds. */
static bool spin(struct interceptor *t, struct epoll_event *events, int *ret_count)
{
	uint64_t until = tracer_now() + SPIN_NS;
	bool found;

	*ret_count = 0;
	if (!t->has_spare_cpu || (t->spin_trust <= 0 && ++t->spin_skipped % SPIN_TRUST != 0))
		return false;
	do {
		found = has_event(t, events, ret_count);
	} while (!found && tracer_now() < until);
	if (found && t->spin_trust < SPIN_TRUST)
		t->spin_trust++;
	else if (!found && t->spin_trust > 0)
		t->spin_trust--;
	return found;
}

/*
 * Finds one event without consuming it. A held end would be found again and again by P_ALL, so
 * while there is one (a pipe is full, mostly never) the tasks are asked one by one; every task is
 * known but the newborn, whose parent has an event of its own.
 */
static int peek_event(struct interceptor *t, bool block, struct peek *peek, struct error *err)
{
	peek->found = false;
	if (t->held_count > 0) {
		tasks_each(&t->tasks, peek_task, peek);
		return 0;
	}
	memset(&peek->info, 0, sizeof(peek->info));
	if (waitid(P_ALL, 0, &peek->info, PEEK | (block ? 0 : WNOHANG)) < 0) {
		if (errno == EINTR || (errno == ECHILD && t->root_ended))
			return 0;
		return error_sys(err, errno, "cannot wait for the subject");
	}
	peek->found = peek->info.si_pid != 0;
	return 0;
}

static int wait_status_of(const siginfo_t *info)
{
	switch (info->si_code) {
	case CLD_EXITED:
		return (info->si_status & 0xff) << 8;
	case CLD_DUMPED:
		return info->si_status | 0x80;
	default:
		return info->si_status;
	}
}

static int serve_event(struct interceptor *t, const siginfo_t *info, struct error *err)
{
	pid_t tid = info->si_pid;
	int status;

	if (info->si_code == CLD_EXITED || info->si_code == CLD_KILLED ||
	    info->si_code == CLD_DUMPED)
		return tracer_on_end(t, tid, wait_status_of(info), err);
	if (waitpid(tid, &status, __WALL | WNOHANG) != tid)
		return 0; /* it was killed meanwhile; its end comes next */
	if (!WIFSTOPPED(status))
		return error_set(err, ERR_SYSTEM, "process %d ended out of order", (int)tid);
	return tracer_on_stop(t, tid, status, err);
}

static int serve_fds(struct interceptor *t, const struct epoll_event *events, int count,
		     struct error *err)
{
	int r = 0;

	for (int i = 0; r == 0 && i < count; i++) {
		struct watch *w = events[i].data.ptr;
		struct signalfd_siginfo info[8];

		if (w && !w->dead)
			r = w->ready(w->ctx, events[i].events, err);
		else if (!w) /* SIGCHLD: only its arrival matters */
			while (read(t->signal_fd, info, sizeof(info)) > 0)
				;
	}
	bury_watches(t);
	return r;
}

/* All that there is to serve of the traced processes, without sleeping. */
static int serve_events(struct interceptor *t, bool block, struct error *err)
{
	struct peek peek;
	int r;

	do {
		r = peek_event(t, block, &peek, err);
		if (r == 0 && peek.found)
			r = serve_event(t, &peek.info, err);
		block = false;
	} while (r == 0 && peek.found);
	return r;
}

/*
 * A command that the subject started as its last act may not have been executed yet: whether it
 * belongs to the run must not be chance. So forks of the subject get a moment to execute something
 * or to end.
 */
#define LINGER_MS 200

static void look_for_fork(void *ctx, struct task *task)
{
	bool *found = ctx;

	*found |= task->process && task->process->role == ROLE_SUBJECT && !task->process->in_place;
}

static bool is_over(struct interceptor *t)
{
	bool any_fork = false;

	if (!t->root_ended || t->keeping)
		return false;
	if (t->linger_until_ns == 0)
		t->linger_until_ns = tracer_now() + LINGER_MS * UINT64_C(1000000);
	tasks_each(&t->tasks, look_for_fork, &any_fork);
	return !any_fork || tracer_now() >= t->linger_until_ns;
}

static int look_soon(struct interceptor *t, struct epoll_event *events, int *ret_count,
		     struct error *err)
{
	*ret_count = epoll_wait(t->epoll_fd, events, EVENTS_AT_ONCE, 1);
	return *ret_count < 0 && errno != EINTR ? error_sys(err, errno, "cannot wait for events")
						: 0;
}

static int sleep_until_event(struct interceptor *t, struct epoll_event *events, int *ret_count,
			     struct error *err)
{
	int patience = t->ops.patience_ms ? t->ops.patience_ms(t->ctx) : -1;

	if (t->root_ended && !t->keeping && (patience < 0 || patience > LINGER_MS))
		patience = LINGER_MS;
	if (t->kill_waits) /* nothing tells that a process has fallen asleep */
		return look_soon(t, events, ret_count, err);

	/* Without streams to watch, waitid alone is the quicker sleep. */
	if (patience < 0 && t->watch_count == 0 && t->held_count == 0)
		return serve_events(t, true, err);
	*ret_count = epoll_wait(t->epoll_fd, events, EVENTS_AT_ONCE, patience);
	if (*ret_count < 0 && errno != EINTR)
		return error_sys(err, errno, "cannot wait for events");
	return *ret_count == 0 && patience >= 0 && t->ops.timeout ? t->ops.timeout(t->ctx, err) : 0;
}

static int serve(struct interceptor *t, struct error *err)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int count = 0;
	int r = serve_events(t, false, err);

	if (r == 0)
		r = tracer_retry_kills(t, err);
	if (r < 0 || is_over(t))
		return r;
	if (t->ops.idle)
		r = t->ops.idle(t->ctx, err);
	if (r == 0 && !spin(t, events, &count))
		r = sleep_until_event(t, events, &count, err);
	return r < 0 ? r : serve_fds(t, events, count, err);
}

/* As a shell finds it: 127 is for what is not there. */
static bool is_in_path(const char *name)
{
	const char *path = getenv("PATH");
	char file[PATH_MAX];

	if (strchr(name, '/') || !path)
		return true;
	for (size_t len; *path; path += len + (path[len] == ':')) {
		len = strcspn(path, ":");
		snprintf(file, sizeof(file), "%.*s/%s", (int)len, path, name);
		if (access(file, F_OK) == 0)
			return true;
	}
	return false;
}

/* After the first exec, or its failure. */
static int check_start(struct interceptor *t, int *ret_status, struct error *err)
{
	int exec_errno;
	int r = start_report(&t->started, &exec_errno, err);

	close(steal_fd(&t->started.report));
	/* execvp(3) answers EACCES for a directory of PATH that it may not look into. */
	if (exec_errno == EACCES && !is_in_path(t->options.argv[0]))
		exec_errno = ENOENT;
	if (r == 0 && exec_errno != 0) {
		*ret_status = (exec_errno == ENOENT ? 127 : 126) << 8;
		error_sys(err, exec_errno, "cannot execute %s", t->options.argv[0]);
	}
	return r;
}

#define TRACE_OPTIONS                                                                              \
	(PTRACE_O_EXITKILL | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEFORK |     \
	 PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACESYSGOOD)

int intercept_run(struct interceptor *t, int *ret_status, struct error *err)
{
	struct start_options options = {
		.argv = t->options.argv,
		.path_append = t->options.path_append,
		.ptrace_options = TRACE_OPTIONS,
		.mask = &t->old_mask,
		.sigpipe = &t->old_sigpipe,
		.sigchld = &t->old_sigchld,
		.nofile = &t->old_nofile,
	};
	int r = tracer_find_room(t, err);

	if (r == 0)
		r = start_subject(&options, &t->started, err);
	if (r == 0)
		r = tracer_add_root(t, t->started.pid, err);
	if (r == 0 && t->options.apart && setsid() < 0)
		r = error_sys(err, errno, "cannot leave the session of the subject");
	if (r < 0)
		return r;
	forward_signals(t, t->started.pid);
	while (r == 0 && !is_over(t))
		r = serve(t, err);
	stop_forwarding(t);
	*ret_status = t->root_status;
	return r < 0 ? r : check_start(t, ret_status, err);
}

struct held_search {
	struct interceptor *t;
	struct error *err;
	int result;
};

static void release_held(void *ctx, struct task *task)
{
	struct held_search *s = ctx;
	struct process *p = task->process;

	if (s->result == 0 && p && p->held && task->tid == p->pid)
		s->result = intercept_release(s->t, p, s->err);
}

int intercept_keep(struct interceptor *t, const struct intercept_ops *ops, struct error *err)
{
	struct held_search held = {t, err, 0};
	int r;

	t->ops = *ops;
	t->keeping = true;
	t->has_spare_cpu = false; /* nobody waits for us to be quick */
	tasks_each(&t->tasks, release_held, &held);
	r = held.result;
	while (r == 0 && (t->tasks.count > 0 || t->watch_count > 0))
		r = serve(t, err);
	return r;
}

int intercept_read(struct interceptor *t, struct process *p, unsigned long address, void *into,
		   size_t len, struct error *err)
{
	int r = memory_read(p->pid, address, into, len);

	(void)t;
	return r < 0 ? tracer_ptrace_error(r, "read", err) : 0;
}

int intercept_write(struct interceptor *t, struct process *p, unsigned long address,
		    const void *from, size_t len, struct error *err)
{
	int r = memory_write(p->pid, address, from, len);

	(void)t;
	return r < 0 ? tracer_ptrace_error(r, "write to", err) : 0;
}

size_t intercept_left(const struct interceptor *t)
{
	return t->tasks.process_count;
}
