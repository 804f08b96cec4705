/*
 * The event loop: waits for stops and ends of everything that is held, and for the client's file
 * descriptors, and hands them on.
 *
 * Ends are peeked at (WNOWAIT) before they are reaped: the parent learns of an end when the tracer
 * reaps it, and the client may first have to deliver the last output.
 */
#include "tape/intercept/tracer.h"

#include "base/monotonic.h"
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
#include <unistd.h>

static void kill_task(void *ctx, struct task *task)
{
	(void)ctx;
	kill(task->tid, SIGKILL);
}

/* PTRACE_O_EXITKILL would end them when we exit; a library must not wait for that. */
static void tracer_end_all(struct interceptor *t)
{
	pid_t tid;
	int status;

	if (t->tasks.count == 0)
		return;
	tasks_each(&t->tasks, kill_task, NULL);
	/* A newborn whose parent had not told of it yet shows up with its first stop. */
	while ((tid = waitpid(-1, &status, __WALL)) > 0) {
		if (!WIFSTOPPED(status))
			continue;
		kill(tid, SIGKILL);
		/* One that has been killed may stop at its exit. */
		ptrace(PTRACE_CONT, tid, 0, 0);
	}
}

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

static bool has_event(struct tracer *tracer, struct epoll_event *events, int *ret_count)
{
	siginfo_t info = {0};

	if (tracer->common.loop.watch_count == 0 && tracer->held_count == 0)
		return waitid(P_ALL, 0, &info, PEEK | WNOHANG) == 0 && info.si_pid != 0;
	return loop_wait(&tracer->common.loop, 0, events, ret_count, NULL) == 0 && *ret_count > 0;
}

/* Not with sched_yield: on a busy machine that gives away milliseconds. Who waits for the subject
 * to come to rest (idle()) looks for that all the while. */
static int spin(struct interceptor *t, bool *ret_found, struct epoll_event *events, int *ret_count,
		struct error *err)
{
	struct tracer *tracer = tracer_of(t);
	uint64_t until = monotonic_ns() + SPIN_NS;
	int r = 0;

	*ret_count = 0;
	*ret_found = false;
	if (!tracer->has_spare_cpu ||
	    (tracer->spin_trust <= 0 && ++tracer->spin_skipped % SPIN_TRUST != 0))
		return 0;
	do {
		*ret_found = has_event(tracer, events, ret_count);
		if (!*ret_found && t->ops.idle)
			r = t->ops.idle(t->ctx, err);
	} while (r == 0 && !*ret_found && monotonic_ns() < until);
	if (*ret_found && tracer->spin_trust < SPIN_TRUST)
		tracer->spin_trust++;
	else if (!*ret_found && tracer->spin_trust > 0)
		tracer->spin_trust--;
	return r;
}

/*
 * Finds one event without consuming it. A held end would be found again and again by P_ALL, so
 * while there is one (a pipe is full, mostly never) the tasks are asked one by one; every task is
 * known but the newborn, whose parent has an event of its own.
 */
static int peek_event(struct interceptor *t, bool block, struct peek *peek, struct error *err)
{
	peek->found = false;
	if (tracer_of(t)->held_count > 0) {
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

static void look_for_fork(void *ctx, struct task *task)
{
	bool *found = ctx;

	*found |= task->process && task->process->role == ROLE_SUBJECT && !task->process->in_place;
}

static bool tracer_any_fork(struct interceptor *t)
{
	bool found = false;

	tasks_each(&t->tasks, look_for_fork, &found);
	return found;
}

static int sleep_until_event(struct interceptor *t, struct epoll_event *events, int *ret_count,
			     struct error *err)
{
	const struct tracer *tracer = tracer_of(t);
	int patience = interceptor_patience_us(t);
	int r;

	if (tracer->kill_waits) /* nothing tells that a process has fallen asleep */
		return loop_wait(&t->loop, 1000, events, ret_count, err);
	/* Without streams to watch, waitid alone is the quicker sleep. */
	if (patience < 0 && t->loop.watch_count == 0 && tracer->held_count == 0)
		return serve_events(t, true, err);
	r = loop_wait(&t->loop, patience, events, ret_count, err);
	if (r == 0 && *ret_count == 0 && patience >= 0 && t->ops.timeout)
		r = t->ops.timeout(t->ctx, err);
	return r;
}

static int tracer_serve(struct interceptor *t, struct error *err)
{
	struct epoll_event events[LOOP_EVENTS];
	bool found = false;
	int count = 0;
	int r = serve_events(t, false, err);

	if (r == 0)
		r = tracer_retry_kills(t, err);
	if (r < 0 || interceptor_is_over(t))
		return r;
	if (t->ops.idle)
		r = t->ops.idle(t->ctx, err);
	if (r == 0)
		r = spin(t, &found, events, &count, err);
	if (r == 0 && !found)
		r = sleep_until_event(t, events, &count, err);
	return r < 0 ? r : loop_serve(&t->loop, events, count, err);
}

#define TRACE_OPTIONS                                                                              \
	(PTRACE_O_EXITKILL | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEFORK |     \
	 PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACESYSGOOD)

static int tracer_prepare(struct interceptor *t, struct error *err)
{
	cpu_set_t cpus;

	tracer_of(t)->has_spare_cpu = t->options.eager &&
				      sched_getaffinity(0, sizeof(cpus), &cpus) == 0 &&
				      CPU_COUNT(&cpus) > 1;
	return tracer_find_room(t, err);
}

static int tracer_start(struct interceptor *t, struct error *err)
{
	struct start_options options = {
		.argv = t->options.argv,
		.path_append = t->options.path_append,
		.is_traced = true,
		.ptrace_options = TRACE_OPTIONS,
		.mask = &t->loop.old_mask,
		.sigpipe = &t->loop.old_sigpipe,
		.sigchld = &t->loop.old_sigchld,
		.nofile = &t->loop.old_nofile,
	};
	int r = start_subject(&options, &t->started, err);

	return r < 0 ? r : tracer_add_root(t, t->started.pid, err);
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
		s->result = tracer_release(s->t, p, s->err);
}

static int tracer_keep(struct interceptor *t, struct error *err)
{
	struct held_search held = {t, err, 0};

	tracer_of(t)->has_spare_cpu = false; /* nobody waits for us to be quick */
	tasks_each(&t->tasks, release_held, &held);
	return held.result;
}

static bool tracer_is_kept(const struct interceptor *t)
{
	return t->tasks.count > 0 || t->loop.watch_count > 0;
}

static int tracer_read(struct interceptor *t, struct process *p, unsigned long address, void *into,
		       size_t len, struct error *err)
{
	int r = memory_read(p->pid, address, into, len);

	(void)t;
	return r < 0 ? tracer_ptrace_error(r, "read", err) : 0;
}

static int tracer_write(struct interceptor *t, struct process *p, unsigned long address,
			const void *from, size_t len, struct error *err)
{
	int r = memory_write(p->pid, address, from, len);

	(void)t;
	return r < 0 ? tracer_ptrace_error(r, "write to", err) : 0;
}

static size_t tracer_left(const struct interceptor *t)
{
	return t->tasks.process_count;
}

const struct intercept_backend intercept_ptrace = {
	.size = sizeof(struct tracer),
	.prepare = tracer_prepare,
	.start = tracer_start,
	.serve = tracer_serve,
	.any_fork = tracer_any_fork,
	.end_all = tracer_end_all,
	.left = tracer_left,
	.rest = tracer_rest,
	.release = tracer_release,
	.reply = tracer_reply,
	.read = tracer_read,
	.write = tracer_write,
	.block_signals = tracer_block_signals,
	.keep = tracer_keep,
	.is_kept = tracer_is_kept,
	.unit_fd = tracer_unit_fd,
	.swap = tracer_swap,
};
