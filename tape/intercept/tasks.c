#include "tape/intercept/tasks.h"

#include <stdlib.h>
#include <unistd.h>

static unsigned bucket_of(pid_t number)
{
	return (unsigned)number % TASK_BUCKETS;
}

struct task *tasks_find(struct tasks *t, pid_t tid)
{
	struct task *task = t->bucket[bucket_of(tid)];

	while (task && task->tid != tid)
		task = task->next;
	return task;
}

struct task *tasks_add(struct tasks *t, pid_t tid)
{
	struct task **head = &t->bucket[bucket_of(tid)];
	struct task *task = calloc(1, sizeof(*task));

	if (!task)
		return NULL;
	task->tid = tid;
	task->stat_fd = -1;
	task->syscall_fd = -1;
	task->schedstat_fd = -1;
	task->next = *head;
	*head = task;
	t->count++;
	return task;
}

static void forget_file(struct tasks *t, int fd)
{
	if (fd < 0)
		return;
	close(fd);
	t->kept_files--;
}

void tasks_remove(struct tasks *t, struct task *task)
{
	struct task **at = &t->bucket[bucket_of(task->tid)];

	while (*at != task)
		at = &(*at)->next;
	*at = task->next;
	t->count--;
	if (t->busy == task)
		t->busy = NULL;
	forget_file(t, task->stat_fd);
	forget_file(t, task->syscall_fd);
	forget_file(t, task->schedstat_fd);
	free(task->injection);
	free(task->repeated);
	free(task);
}

struct process *tasks_find_process(struct tasks *t, pid_t pid)
{
	struct process *p = t->process_bucket[bucket_of(pid)];

	while (p && p->pid != pid)
		p = p->next;
	return p;
}

struct process *tasks_add_process(struct tasks *t, pid_t pid)
{
	struct process **head = &t->process_bucket[bucket_of(pid)];
	struct process *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->pid = pid;
	p->next = *head;
	*head = p;
	t->process_count++;
	return p;
}

void tasks_remove_process(struct tasks *t, struct process *p)
{
	struct process **at = &t->process_bucket[bucket_of(p->pid)];

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	t->process_count--;
	free(p);
}

void tasks_each(struct tasks *t, void (*visit)(void *ctx, struct task *task), void *ctx)
{
	for (unsigned i = 0; i < TASK_BUCKETS; i++) {
		struct task *task = t->bucket[i];

		while (task) {
			struct task *next = task->next;

			visit(ctx, task);
			task = next;
		}
	}
}

void tasks_clear(struct tasks *t)
{
	for (unsigned i = 0; i < TASK_BUCKETS; i++) {
		while (t->bucket[i])
			tasks_remove(t, t->bucket[i]);
		while (t->process_bucket[i])
			tasks_remove_process(t, t->process_bucket[i]);
	}
}
