/* Whether the subject has nothing to do, by the state of its threads (proc(5), /proc/pid/stat). */
#include "tape/intercept/tracer.h"

#include "base/cleanup.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
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

static void look(void *ctx, struct task *task)
{
	bool *idle = ctx;

	if (!*idle || !task->process || task->process->role != ROLE_SUBJECT)
		return;
	*idle = tracer_state_of(task) == 'S';
}

bool tracer_subject_is_idle(struct interceptor *t)
{
	bool idle = true;

	tasks_each(&t->tasks, look, &idle);
	return idle;
}
