/* What each stop and each end means (ptrace(2), "Stopped states"). */
#include "tape/intercept/tracer.h"

#include "base/cleanup.h"
#include "tape/intercept/filter.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int tracer_ptrace_error(int negative_errno, const char *what, struct error *err)
{
	if (negative_errno == -ESRCH)
		return 0;
	return error_sys(err, -negative_errno, "cannot %s a traced process", what);
}

int tracer_resume(const struct task *task, int request, int signal, struct error *err)
{
	if (request == PTRACE_CONT && (task->confined || task->repeated))
		request = PTRACE_SYSCALL;
	if (ptrace(request, task->tid, 0, signal) < 0)
		return tracer_ptrace_error(-errno, "resume", err);
	return 0;
}

static int go_on(const struct task *task, struct error *err)
{
	return tracer_resume(task, PTRACE_CONT, 0, err);
}

int tracer_add_root(struct interceptor *t, pid_t pid, struct error *err)
{
	struct process *p = tasks_add_process(&t->tasks, pid);
	struct task *task = tasks_add(&t->tasks, pid);

	if (!p || !task)
		return error_no_memory(err);
	p->role = ROLE_SUBJECT;
	p->in_place = true;
	p->threads = 1;
	task->process = p;
	t->root = p;
	return 0;
}

/* A new process starts as what its parent is. */
static struct process *inherit(struct interceptor *t, const struct process *parent, pid_t pid)
{
	struct process *p = tasks_add_process(&t->tasks, pid);

	if (!p)
		return NULL;
	p->parent = parent->pid;
	p->role = parent->role;
	p->subject_id = parent->subject_id;
	p->spreads = parent->spreads;
	p->planted = parent->planted;
	p->unit = parent->unit;
	if (p->unit)
		p->unit->processes++;
	return p;
}

/* fork, vfork or clone: the parent tells of its child. */
static int on_child(struct interceptor *t, struct task *parent, int event, struct error *err)
{
	struct process *process = parent->process;
	unsigned long child_tid;
	struct task *child;

	if (ptrace(PTRACE_GETEVENTMSG, parent->tid, 0, &child_tid) < 0)
		return tracer_ptrace_error(-errno, "ask", err);
	child = tasks_find(&t->tasks, (pid_t)child_tid);
	if (!child)
		child = tasks_add(&t->tasks, (pid_t)child_tid);
	if (!child)
		return error_no_memory(err);
	/* Only a thread answers as a member of its parent's thread group. */
	if (event != PTRACE_EVENT_CLONE ||
	    syscall(SYS_tgkill, process->pid, (pid_t)child_tid, 0) != 0)
		process = inherit(t, parent->process, (pid_t)child_tid);
	if (!process)
		return error_no_memory(err);
	process->threads++;
	child->process = process;
	parent->confined = false; /* its call has succeeded */
	if (child->stopped_early) {
		child->stopped_early = false;
		if (go_on(child, err) < 0)
			return ERR_SYSTEM;
	}
	return go_on(parent, err);
}

static const struct arch_call *find_call(const struct __ptrace_syscall_info *info)
{
	for (size_t i = 0; i < arch_call_count; i++) {
		if (arch_calls[i].audit_arch == info->arch &&
		    arch_calls[i].number == (uint32_t)info->seccomp.nr)
			return &arch_calls[i];
	}
	return NULL;
}

static int reply(const struct task *task, long result, struct error *err)
{
	struct arch_regs regs;
	int r = arch_get_regs(task->tid, &regs);

	if (r == 0) {
		arch_skip_call(&regs, result);
		r = arch_set_regs(task->tid, &regs);
	}
	return r < 0 ? tracer_ptrace_error(r, "answer", err) : go_on(task, err);
}

int tracer_reply(struct interceptor *t, struct process *p, long result, struct error *err)
{
	const struct task *task = tasks_find(&t->tasks, p->pid);

	return task ? reply(task, result, err) : 0;
}

int tracer_block_signals(struct interceptor *t, struct process *p, uint64_t mask, struct error *err)
{
	(void)t;
	if (ptrace(PTRACE_SETSIGMASK, p->pid, sizeof(mask), &mask) < 0)
		return tracer_ptrace_error(-errno, "block the signals of", err);
	return 0;
}

static int on_hypercall(struct interceptor *t, struct task *task, const uint64_t *args,
			struct error *err)
{
	long result = 0;
	bool later = false;
	int r;

	if (task->injection)
		return tracer_on_injected(t, task, err);
	if (task->process->role != ROLE_STUB)
		return go_on(task, err); /* ENOSYS, as without us */
	r = t->ops.hypercall(t->ctx, task->process, args, &result, &later, err);
	return r < 0 || later ? r : reply(task, result, err);
}

static int on_call(struct interceptor *t, struct task *task,
		   const struct __ptrace_syscall_info *info, struct error *err)
{
	const struct arch_call *call = find_call(info);
	uint64_t args[6];
	int r;

	for (int i = 0; i < 6; i++)
		args[i] = info->seccomp.args[i];
	switch (call ? call->kind : CALL_NONE) {
	case CALL_EXECVE:
	case CALL_EXECVEAT:
		memcpy(task->call_args, args, sizeof(args));
		return tracer_on_exec_call(t, task, call, err);
	case CALL_KILL:
	case CALL_PIDFD_KILL:
		return tracer_on_kill(t, task, call, args, err);
	case CALL_PTRACE:
		r = tracer_on_ptrace_call(t, task, args[0], err);
		return r < 0 ? r : go_on(task, err);
	case CALL_HYPER:
		return on_hypercall(t, task, args, err);
	default:
		return go_on(task, err);
	}
}

static int on_untraced_clone(struct interceptor *t, const struct task *task, struct error *err)
{
	int r = tracer_tell_limit(t, task->tid, LIMIT_TRACES, err);

	return r < 0 ? r : go_on(task, err);
}

/* Of two filters that want a stop the newest has its number told, so what is behind one of a
 * restriction is told by the call. To ask whether a process is there (kill(pid, 0)) is nothing. */
static int on_other_filter(struct interceptor *t, struct task *task,
			   const struct __ptrace_syscall_info *info, struct error *err)
{
	const struct arch_call *call = find_call(info);
	const bool asks = call && (call->kind == CALL_KILL || call->kind == CALL_PIDFD_KILL) &&
			  info->seccomp.args[1] == 0;

	if (call && !asks)
		return on_call(t, task, info, err);
	if (!call && task->confined)
		return tracer_on_io_call(t, task, info, err);
	return go_on(task, err);
}

static int on_stopped_call(struct interceptor *t, struct task *task,
			   const struct __ptrace_syscall_info *info, struct error *err)
{
	switch (info->seccomp.ret_data) {
	case COOKIE_CALL:
		return on_call(t, task, info, err);
	case COOKIE_UNTRACED:
		return on_untraced_clone(t, task, err);
	case COOKIE_IO:
		return tracer_on_io_call(t, task, info, err);
	default: /* perhaps a filter of the program itself asked for a tracer: as without one */
		return task->confined ? on_other_filter(t, task, info, err) : go_on(task, err);
	}
}

int tracer_on_seccomp(struct interceptor *t, struct task *task, struct error *err)
{
	struct __ptrace_syscall_info info;
	long n = ptrace(PTRACE_GET_SYSCALL_INFO, task->tid, sizeof(info), &info);
	bool refused = false;
	int r;

	if (n < 0)
		return tracer_ptrace_error(-errno, "ask", err);
	if (info.op != PTRACE_SYSCALL_INFO_SECCOMP)
		return go_on(task, err);
	r = tracer_on_confined_call(t, task, &info, &refused, err);
	if (r < 0 || refused)
		return r < 0 ? r : go_on(task, err);
	return on_stopped_call(t, task, &info, err);
}

static int on_call_exit(struct interceptor *t, struct task *task, struct error *err)
{
	enum task_watch watch = task->watch;
	struct __ptrace_syscall_info info;
	int64_t result;
	int r;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, task->tid, sizeof(info), &info) < 0)
		return tracer_ptrace_error(-errno, "ask", err);
	if (task->repeated && info.op == PTRACE_SYSCALL_INFO_ENTRY)
		return go_on(task, err);
	task->watch = WATCH_NONE;
	r = tracer_on_confined_call_end(t, task, &info, err);
	if (r < 0)
		return r;
	result = info.exit.rval;
	if (watch == WATCH_EXEC && result < 0)
		r = tracer_on_exec_failed(t, task, (int)-result, err);
	else if (watch == WATCH_IO && result >= 0)
		r = tracer_on_io_done(t, task, (uint64_t)result, err);
	else if (watch == WATCH_KILL && result < 0 && t->ops.not_sent)
		r = t->ops.not_sent(t->ctx, task->process, (int)task->call_args[1], err);
	if (r == 0 && watch == WATCH_IO)
		r = tracer_end_writer(t, task->tid, err);
	if (r == 0 && task->repeated)
		r = tracer_on_repeated(task, result, err);
	return r < 0 ? r : go_on(task, err);
}

int tracer_on_stop(struct interceptor *t, pid_t tid, int status, struct error *err)
{
	struct task *task = tasks_find(&t->tasks, tid);
	int signal = WSTOPSIG(status);
	int event = status >> 16;

	if (!task) {
		task = tasks_add(&t->tasks, tid);
		if (!task)
			return error_no_memory(err);
	}
	if (!task->process) {
		task->stopped_early = true;
		return 0;
	}
	switch (event) {
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
	case PTRACE_EVENT_CLONE:
		return on_child(t, task, event, err);
	case PTRACE_EVENT_EXEC:
		return tracer_on_exec_done(t, task, err);
	case PTRACE_EVENT_SECCOMP:
		return tracer_on_seccomp(t, task, err);
	case PTRACE_EVENT_EXIT:
		return tracer_on_exit(t, task, err);
	case PTRACE_EVENT_STOP:
		return tracer_on_event_stop(t, task, signal, err);
	default:
		if (signal == (SIGTRAP | 0x80))
			return on_call_exit(t, task, err);
		return tracer_on_signal(t, task, signal, err);
	}
}

struct leftover_search {
	struct interceptor *t;
	const struct process *process;
};

static void remove_leftover(void *ctx, struct task *task)
{
	struct leftover_search *s = ctx;

	if (task->process == s->process)
		tasks_remove(&s->t->tasks, task);
}

static int forget(struct interceptor *t, struct process *p, struct error *err)
{
	struct leftover_search leftover = {t, p};
	struct traced_unit *unit = p->unit;

	struct task *leader = tasks_find(&t->tasks, p->pid);

	if (p->put_off)
		t->put_off--;
	if (leader)
		tasks_remove(&t->tasks, leader);
	if (p->threads > 1)
		tasks_each(&t->tasks, remove_leftover, &leftover);
	tasks_remove_process(&t->tasks, p);
	if (unit && --unit->processes == 0)
		return t->ops.unit_gone(t->ctx, unit, err);
	return 0;
}

int tracer_let_go(struct interceptor *t, struct task *task, struct error *err)
{
	if (ptrace(PTRACE_DETACH, task->tid, 0, 0) < 0)
		return tracer_ptrace_error(-errno, "let go of", err);
	return forget(t, task->process, err);
}

/* Reaps the process, which tells its parent, and forgets it. */
static int bury(struct interceptor *t, struct process *p, struct error *err)
{
	int status;

	if (waitpid(p->pid, &status, __WALL) == p->pid && p == t->root) {
		t->root_ended = true;
		t->root_status = status;
		t->root = NULL;
	}
	return forget(t, p, err);
}

int tracer_on_end(struct interceptor *t, pid_t tid, int wait_status, struct error *err)
{
	struct task *task = tasks_find(&t->tasks, tid);
	struct process *p = task ? task->process : NULL;
	bool hold = false;
	int r = tracer_end_writer(t, tid, err);

	if (r < 0)
		return r;
	if (!p || tid != p->pid) { /* a thread, or one that died before its parent told of it */
		waitpid(tid, NULL, __WALL);
		if (p)
			p->threads--;
		if (task)
			tasks_remove(&t->tasks, task);
		return 0;
	}
	if (!p->ended) {
		p->ended = true;
		r = tracer_on_confined_end(t, task, wait_status, err);
		if (r < 0)
			return r;
		r = t->ops.ended(t->ctx, p, wait_status, &hold, err);
	}
	if (r == 0 && hold) {
		p->held = true;
		tracer_of(t)->held_count++;
		return 0;
	}
	return r < 0 ? r : bury(t, p, err);
}

int tracer_release(struct interceptor *t, struct process *p, struct error *err)
{
	p->held = false;
	tracer_of(t)->held_count--;
	return bury(t, p, err);
}
