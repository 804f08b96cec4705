/* Whether the subject has nothing to do, by the state of its threads (proc(5), /proc/pid/stat). */
#include "tape/intercept/tracer.h"

#include "base/cleanup.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What comes behind the name in a thread's stat: "S 1 1 1 0 -1 4194304 …"; "" when it is gone. */
static const char *read_stat(pid_t pid, pid_t tid, char *stat, size_t size)
{
	char path[64];
	cleanup_close int fd = -1;
	const char *paren;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", (int)pid, (int)tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, stat, size - 1);
	if (n < 0)
		return "";
	stat[n] = '\0';
	paren = strrchr(stat, ')'); /* the name before it may hold anything */
	return paren && paren[1] == ' ' ? paren + 2 : "";
}

char tracer_state_of(const struct task *task)
{
	char stat[512];
	const char *state = read_stat(task->process->pid, task->tid, stat, sizeof(stat));

	return *state ? *state : 'X';
}

bool tracer_is_over(pid_t pid)
{
	char stat[512];
	const char *state = read_stat(pid, pid, stat, sizeof(stat));

	return *state == '\0' || *state == 'Z' || *state == 'X';
}

/* PF_EXITING of the kernel's include/linux/sched.h, in proc(5)'s field "flags". */
#define FLAG_EXITING 0x4u

bool tracer_is_exiting(const struct process *p)
{
	char stat[512];
	const char *state = read_stat(p->pid, p->pid, stat, sizeof(stat));
	unsigned flags;

	return sscanf(state, "%*c %*d %*d %*d %*d %*d %u", &flags) == 1 && (flags & FLAG_EXITING);
}

struct look {
	bool idle;
	bool any_put_off;
};

/* Who waits in an exec that was put off has nothing to do, nor has its parent after a vfork: 'D'.
 */
static void look(void *ctx, struct task *task)
{
	struct look *look = ctx;
	char state;

	if (!look->idle || !task->process || task->process->role != ROLE_SUBJECT ||
	    task->process->put_off == task->tid)
		return;
	state = tracer_state_of(task);
	look->idle = state == 'S' || (state == 'D' && look->any_put_off);
}

bool tracer_subject_is_idle(struct interceptor *t)
{
	struct look all = {true, t->put_off > 0};

	tasks_each(&t->tasks, look, &all);
	return all.idle;
}

/* The number of the call that a thread is in stands first in its file (proc(5)). */
static void look_for_sleep(void *ctx, struct task *task)
{
	bool *sleeps = ctx;
	char path[64];
	char text[32];
	cleanup_close int fd = -1;
	ssize_t n;
	long call;

	if (*sleeps || !task->process || task->process->role != ROLE_SUBJECT)
		return;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", (int)task->process->pid,
		 (int)task->tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	*sleeps = sscanf(text, "%ld", &call) == 1 &&
		  (call == SYS_nanosleep || call == SYS_clock_nanosleep);
}

bool intercept_subject_sleeps(struct interceptor *t)
{
	bool sleeps = false;

	tasks_each(&t->tasks, look_for_sleep, &sleeps);
	return sleeps;
}
