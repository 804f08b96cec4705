/* The processes and threads that are held: two tables by number. Private to the interceptor. */
#ifndef SANDTAPE_TAPE_INTERCEPT_TASKS_H
#define SANDTAPE_TAPE_INTERCEPT_TASKS_H

#include "tape/intercept/intercept.h"

enum task_watch {
	WATCH_NONE = 0,
	WATCH_EXEC, /* at the exit of this call, the exec has failed */
	WATCH_IO,   /* at the exit of this call, bytes were moved */
	WATCH_KILL  /* at the exit of this call, the subject was sent a signal */
};

struct injection;
struct repeated;

struct task {
	pid_t tid;
	struct process *process; /* NULL: seen before its parent told of it */
	bool stopped_early;	 /* it waits for its parent to tell of it */
	enum task_watch watch;
	bool confined;	      /* what restricts it is to see the exit of its call */
	uint64_t call_number; /* of the watched call */
	uint64_t call_args[6];
	uint64_t io_began_ns;	     /* of the client, for io_done */
	bool io_waits;		     /* its call is to be alone, and another is under way */
	struct injection *injection; /* owned */
	struct repeated *repeated;   /* owned: the rest of its call is made (repeat_linux.c) */
	uint64_t kill_since_ns;	     /* its kill is held since then (kill_linux.c), or 0 */
	uint64_t quiet_since_ns;     /* and those that it would hit sleep since then, or 0 */
	/* idle_linux.c: its files of /proc, kept open, or -1, what the last one says, and what it
	 * said when the thread was last known to sleep. */
	int stat_fd;
	int syscall_fd;
	int schedstat_fd;
	struct task_ran {
		uint64_t ran_ns;
		uint64_t times; /* that it got a processor; 0: not known */
	} ran, slept;
	struct task *next;
};

#define TASK_BUCKETS 1024

struct tasks {
	struct task *bucket[TASK_BUCKETS];
	struct process *process_bucket[TASK_BUCKETS];
	size_t count; /* tasks */
	size_t process_count;
	size_t kept_files; /* of /proc, open */
	struct task *busy; /* whom the last look found at work, or NULL */
};

struct task *tasks_find(struct tasks *t, pid_t tid);
struct task *tasks_add(struct tasks *t, pid_t tid); /* NULL when out of memory */
void tasks_remove(struct tasks *t, struct task *task);

struct process *tasks_find_process(struct tasks *t, pid_t pid);
struct process *tasks_add_process(struct tasks *t, pid_t pid);
void tasks_remove_process(struct tasks *t, struct process *p);

/* Calls `visit` for every task; it may remove the task that it is given. */
void tasks_each(struct tasks *t, void (*visit)(void *ctx, struct task *task), void *ctx);

void tasks_clear(struct tasks *t);

#endif
