/* Whether the subject has nothing to do, by the state of its threads (proc(5), /proc/pid/stat). */
#include "tape/intercept/tracer.h"

#include "base/cleanup.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

char tracer_state_of(const struct task *task)
{
	char path[64];
	char stat[512];
	cleanup_close int fd = -1;
	const char *paren;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", (int)task->process->pid,
		 (int)task->tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, stat, sizeof(stat) - 1);
	if (n < 0)
		return 'X'; /* it is gone */
	stat[n] = '\0';
	paren = strrchr(stat, ')'); /* the name before it may hold anything */
	return paren && paren[1] == ' ' ? paren[2] : 'X';
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
