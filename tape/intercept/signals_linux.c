/* Signals that the subject sends, and those that are delivered. */
#include "tape/intercept/tracer.h"

#include "base/cleanup.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_stop(int signal)
{
	return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

/* Sent */

/* "Pid:\t<n>" in /proc/<pid>/fdinfo/<fd> of a pidfd (proc(5)); 0 when it is none. */
static pid_t pid_of_pidfd(pid_t owner, int fd)
{
	char path[64];
	char line[128];
	cleanup_fclose FILE *f = NULL;
	pid_t pid = 0;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)owner, fd);
	f = fopen(path, "re");
	while (f && pid == 0 && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "Pid:", 4) == 0)
			pid = (pid_t)strtol(line + 4, NULL, 10);
	}
	return pid;
}

struct signal_search {
	struct interceptor *t;
	pid_t group; /* as tracer_target_group() has it */
	int signal;
	struct error *err;
	int result;
};

/* To one that is exiting already a signal does nothing: its parent has seen the end of its output,
 * and a replay that waited for the signal before that end would wait for ever. */
static bool is_hit(const struct process *p)
{
	return intercept_unit_of(p) && !tracer_is_exiting(p);
}

/* proc(5), /proc/pid/status: the signals of a process, a bit each. */
struct signal_sets {
	unsigned long long blocked, caught, ignored;
	unsigned threads;
};

static bool read_sets(pid_t pid, struct signal_sets *ret)
{
	char path[32];
	char line[128];
	cleanup_fclose FILE *f = NULL;

	*ret = (struct signal_sets){.threads = 1};
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		sscanf(line, "Threads: %u", &ret->threads);
		sscanf(line, "SigBlk: %llx", &ret->blocked);
		sscanf(line, "SigIgn: %llx", &ret->ignored);
		sscanf(line, "SigCgt: %llx", &ret->caught);
	}
	return f != NULL;
}

static bool has_signal(unsigned long long set, int signal)
{
	return set >> (signal - 1) & 1;
}

/* Whether the process catches the signal, or may take it by sigwait(3) or signalfd(2); and how many
 * threads it has. */
static bool is_noticed_by(pid_t pid, int signal, unsigned *ret_threads)
{
	struct signal_sets sets;
	bool known = read_sets(pid, &sets);

	*ret_threads = sets.threads;
	return !known || has_signal(sets.blocked | sets.caught, signal);
}

static bool is_noticed(pid_t pid, int signal)
{
	unsigned threads;

	return is_noticed_by(pid, signal, &threads);
}

bool tracer_drops(pid_t tid, int signal)
{
	bool by_default = signal == SIGCHLD || signal == SIGURG || signal == SIGWINCH;
	struct signal_sets sets;

	return read_sets(tid, &sets) && (has_signal(sets.ignored, signal) ||
					 (by_default && !has_signal(sets.caught, signal)));
}

bool intercept_reaps_any(pid_t pid)
{
	unsigned threads;
	bool notices = is_noticed_by(pid, SIGCHLD, &threads);

	return notices || threads == 1;
}

/* What by default does nothing (signal(7)) did nothing: a shell makes a job go on that runs, or
 * does not, as time has it. A replay must not wait for that. */
static bool is_lost(const struct process *p, int signal)
{
	switch (signal) {
	case SIGCONT:
		return !p->may_be_stopped && !is_noticed(p->pid, signal);
	case SIGCHLD:
	case SIGURG:
	case SIGWINCH:
		return !is_noticed(p->pid, signal);
	default:
		return false;
	}
}

static int tell_stop(struct interceptor *t, struct process *p, int signal, struct error *err)
{
	p->own_stop = 0;
	return t->ops.stopped ? t->ops.stopped(t->ctx, p, signal, err) : 0;
}

/* Its parent may have seen it stop, and send SIGCONT, before the tracer has heard of it. */
static int tell_signal(struct interceptor *t, struct process *p, int signal, struct error *err)
{
	const struct task *task = p->own_stop ? tasks_find(&t->tasks, p->pid) : NULL;
	int r = 0;

	if (is_lost(p, signal))
		return 0;
	p->may_be_stopped = is_stop(signal) || (p->may_be_stopped && signal != SIGCONT);
	if (task && tracer_state_of(task) == 't')
		r = tell_stop(t, p, p->own_stop, err);
	return r < 0 ? r : t->ops.signalled(t->ctx, p, signal, err);
}

static void tell_member(void *ctx, struct task *task)
{
	struct signal_search *s = ctx;
	struct process *p = task->process;

	if (s->result == 0 && p && task->tid == p->pid && is_hit(p) &&
	    (s->group == 0 || getpgid(p->pid) == s->group))
		s->result = tell_signal(s->t, p, s->signal, s->err);
}

/* Whoever sees what the process is about to do has what its unit has written before. */
static int flush(struct interceptor *t, struct process *p, struct error *err)
{
	return p->role == ROLE_UNIT && t->ops.flush ? t->ops.flush(t->ctx, p, err) : 0;
}

static bool hits_parent(const struct task *task, pid_t target)
{
	pid_t parent = task->process->unit ? task->process->unit->parent : 0;
	pid_t group;

	if (parent == 0 || target > 0)
		return parent != 0 && target == parent;
	group = tracer_target_group(task, target);
	return group == 0 || getpgid(parent) == group;
}

/* Whether it is allowed to is known at the exit of the call, if it comes to that. */
static int on_kill_of_unit(struct interceptor *t, struct task *task, pid_t target,
			   const uint64_t *args, struct error *err)
{
	const bool watched = task->process->role == ROLE_UNIT && args[1] != 0 && t->ops.sent &&
			     hits_parent(task, target);
	int r = flush(t, task->process, err);

	if (r == 0 && watched)
		r = t->ops.sent(t->ctx, task->process, (int)args[1], err);
	if (r < 0)
		return r;
	if (!watched)
		return tracer_resume(task, PTRACE_CONT, 0, err);
	task->call_args[1] = args[1];
	task->watch = WATCH_KILL;
	return tracer_resume(task, PTRACE_SYSCALL, 0, err);
}

/* A signal is sent: units that one of the subject's hits are told to the client. */
int tracer_on_kill(struct interceptor *t, struct task *task, const struct arch_call *call,
		   const uint64_t *args, struct error *err)
{
	struct signal_search s = {t, 0, (int)args[1], err, 0};
	pid_t target = (pid_t)args[0];
	struct process *p;

	if (call->kind == CALL_PIDFD_KILL) {
		target = pid_of_pidfd(task->process->pid, (int)args[0]);
		if (target <= 0) /* no pidfd: the kernel will say so */
			return tracer_resume(task, PTRACE_CONT, 0, err);
	}
	if (tracer_hold_kill(t, task, target))
		return 0;
	if (task->process->role != ROLE_SUBJECT)
		return on_kill_of_unit(t, task, target, args, err);
	p = target > 0 ? tasks_find_process(&t->tasks, target) : NULL;
	if (p && is_hit(p))
		s.result = tell_signal(t, p, s.signal, err);
	if (target <= 0) {
		s.group = tracer_target_group(task, target);
		tasks_each(&t->tasks, tell_member, &s);
	}
	return s.result < 0 ? s.result : tracer_resume(task, PTRACE_CONT, 0, err);
}

/* Delivered */

/* What a terminal sends (tty_ioctl(4), termios(3)), the kernel sends. */
static bool is_of_terminal(const struct task *task, int signal)
{
	siginfo_t info;

	switch (signal) {
	case SIGINT:
	case SIGQUIT:
	case SIGTSTP:
	case SIGHUP:
	case SIGWINCH:
		return ptrace(PTRACE_GETSIGINFO, task->tid, 0, &info) == 0 &&
		       info.si_code == SI_KERNEL;
	default:
		return false;
	}
}

/* By kill(2) and its kin. Who is over is taken for one of them: kill(1) ends at once. */
static bool is_of_own_unit(struct interceptor *t, const struct task *task)
{
	const struct process *sender;
	siginfo_t info;

	if (ptrace(PTRACE_GETSIGINFO, task->tid, 0, &info) < 0 || info.si_code > 0)
		return false;
	sender = tasks_find_process(&t->tasks, info.si_pid);
	return sender ? sender->unit == task->process->unit : tracer_is_over(info.si_pid);
}

/* What stops the first process of a unit, or makes it go on, and does not come from the subject.
 * That it stops is seen when it does: the signal may be handled. */
static int on_job_signal(struct interceptor *t, const struct task *task, int signal,
			 struct error *err)
{
	struct process *p = task->process;

	if (signal == SIGCONT)
		return is_of_own_unit(t, task) ? tell_stop(t, p, signal, err) : 0;
	if (is_stop(signal))
		p->own_stop = is_of_own_unit(t, task) ? signal : 0;
	return 0;
}

/*
 * The kernel sends the signal of a key before it echoes the key (drivers/tty/n_tty.c). A stub dies
 * of it at once, and its terminal may be gone by then; the command took longer. So the subject, who
 * mostly has written the key, gets to the end of its write.
 */
#define ECHO_LOOKS   100
#define ECHO_LOOK_US 200

static void let_terminal_echo(struct interceptor *t)
{
	for (int i = 0; i < ECHO_LOOKS && tracer_rest(t, 0) == SUBJECT_WORKS; i++)
		usleep(ECHO_LOOK_US);
}

/* A signal is about to be delivered. */
int tracer_on_signal(struct interceptor *t, struct task *task, int signal, struct error *err)
{
	struct process *p = task->process;
	int r = 0;

	p->may_be_stopped |= is_stop(signal);
	r = tracer_on_confined_signal(t, task, signal, err);
	if (r == 0 && is_stop(signal))
		r = flush(t, p, err);
	if (r == 0 && p->role == ROLE_UNIT && p->main)
		r = on_job_signal(t, task, signal, err);
	if (r < 0)
		return r;
	if (p->role == ROLE_UNIT && p->main && t->ops.terminal_signalled &&
	    is_of_terminal(task, signal))
		r = t->ops.terminal_signalled(t->ctx, p, signal, err);
	if (p->role == ROLE_STUB && is_of_terminal(task, signal))
		let_terminal_echo(t);
	if (r == 0)
		r = tracer_repeat_call(task, signal, err);
	return r < 0 ? r : tracer_resume(task, PTRACE_CONT, signal, err);
}

/* A group stop (SIGSTOP, SIGTSTP, …) stays a stop; a newborn goes on. */
int tracer_on_event_stop(struct interceptor *t, const struct task *task, int signal,
			 struct error *err)
{
	int r = 0;

	if (!is_stop(signal))
		return tracer_resume(task, PTRACE_CONT, 0, err);
	if (signal == task->process->own_stop)
		r = tell_stop(t, task->process, signal, err);
	return r < 0 ? r : tracer_resume(task, PTRACE_LISTEN, 0, err);
}
