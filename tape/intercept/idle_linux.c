/* Whether the subject has nothing to do, by the state of its threads (proc(5), /proc/pid/stat). */
#include "tape/intercept/tracer.h"

#include "base/cleanup.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_file(pid_t pid, pid_t tid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", (int)pid, (int)tid, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* What comes behind the name in a thread's stat: "S 1 1 1 0 -1 4194304 …"; "" when it is empty. */
static const char *behind_name(const char *stat)
{
	const char *paren = strrchr(stat, ')'); /* the name before it may hold anything */

	return paren && paren[1] == ' ' ? paren + 2 : "";
}

/* The same of a thread; "" when it is gone. */
static const char *read_stat(pid_t pid, pid_t tid, char *stat, size_t size)
{
	cleanup_close int fd = open_file(pid, tid, "stat");
	ssize_t n = fd < 0 ? -1 : read(fd, stat, size - 1);

	stat[n > 0 ? n : 0] = '\0';
	return behind_name(stat);
}

char tracer_state_of(const struct task *task)
{
	char stat[512];
	const char *state = read_stat(task->process->pid, task->tid, stat, sizeof(stat));

	return *state ? *state : 'X';
}

bool intercept_runs(pid_t pid)
{
	char stat[512];
	const char *state = read_stat(pid, pid, stat, sizeof(stat));

	return *state == 'R' || *state == 'D';
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

/*
 * The state 'S' alone does not tell that a thread sleeps: it has it already while it looks whether
 * it must (wait4(2) does all its work so), and may be taken from its processor then. The file
 * "syscall" names a call only for a thread that is off the processors.
 *
 * And threads are looked at one after the other. That each was found asleep does not mean that all
 * slept: one may have woken another that had been looked at before. So what the scheduler counts of
 * each is read before and after: who has not run in between cannot have woken anybody.
 *
 * A replay looks after each of its events, so looks are cheap: whoever was at work is looked at
 * first, and who has not run since he was seen asleep, and still is in that state, sleeps.
 */
struct look {
	struct tasks *tasks;
	pid_t of; /* the one process that is looked at; 0: all of the subject */
	bool idle;
	bool any_put_off;
	bool known; /* all of that could be read */
};

/* Of more threads the files are opened each time. */
#define KEPT_FILES_MAX 256

/* *fd is where it is kept open from now on, if it may be. */
static void keep_or_close(struct tasks *tasks, int file, int *fd)
{
	if (tasks->kept_files >= KEPT_FILES_MAX) {
		close(file);
		return;
	}
	tasks->kept_files++;
	*fd = file;
}

/* Reads a small file of a thread's directory. -1 when it is gone. */
static ssize_t read_file(struct tasks *tasks, const struct task *task, const char *name, int *fd,
			 char *text, size_t size)
{
	bool is_kept = *fd >= 0;
	int file = is_kept ? *fd : open_file(task->process->pid, task->tid, name);
	ssize_t n = file < 0 ? -1 : pread(file, text, size - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	if (!is_kept && file >= 0)
		keep_or_close(tasks, file, fd);
	return n;
}

/* {0, 0} when this kernel does not count (CONFIG_SCHED_INFO) or the thread is gone. */
static struct task_ran count_runs(struct tasks *tasks, struct task *task)
{
	struct task_ran ran = {0, 0};
	char text[96];
	char *at = text;

	if (read_file(tasks, task, "schedstat", &task->schedstat_fd, text, sizeof(text)) <= 0)
		return ran;
	ran.ran_ns = strtoull(at, &at, 10);
	strtoull(at, &at, 10); /* how long it waited for a processor */
	ran.times = strtoull(at, &at, 10);
	return ran;
}

static bool has_run(const struct task_ran *now, const struct task_ran *then)
{
	return now->times == 0 || now->times != then->times || now->ran_ns != then->ran_ns;
}

/* Who waits in an exec that was put off has nothing to do. */
static bool is_asked(const struct task *task)
{
	return task->process && task->process->role == ROLE_SUBJECT &&
	       task->process->put_off != task->tid;
}

static bool is_meant(const struct look *look, const struct task *task)
{
	return is_asked(task) && (look->of == 0 || task->process->pid == look->of);
}

static char state_of(struct tasks *tasks, struct task *task)
{
	char text[512];
	const char *state;

	read_file(tasks, task, "stat", &task->stat_fd, text, sizeof(text));
	state = behind_name(text);
	return *state ? *state : 'X';
}

/* *ret_known becomes false where the kernel does not tell (it asks for the rights of a tracer). */
static bool is_off_processors(struct tasks *tasks, struct task *task, bool *ret_known)
{
	char text[32];

	if (read_file(tasks, task, "syscall", &task->syscall_fd, text, sizeof(text)) <= 0) {
		*ret_known = false;
		return true;
	}
	return strncmp(text, "running", strlen("running")) != 0;
}

static void found_busy(struct look *look, struct task *task)
{
	look->idle = false;
	look->tasks->busy = task;
}

/* The parent of one that was put off after a vfork is in state 'D'. */
static bool is_asleep(struct look *look, struct task *task)
{
	char state = state_of(look->tasks, task);

	if (state != 'S' && (state != 'D' || !look->any_put_off))
		return false;
	/* Who has not run since is not about to sleep, and 'S' is not one that was woken. */
	return !has_run(&task->ran, &task->slept) ||
	       is_off_processors(look->tasks, task, &look->known);
}

static void look_before(void *ctx, struct task *task)
{
	struct look *look = ctx;

	if (is_meant(look, task))
		task->ran = count_runs(look->tasks, task);
}

static void look_between(void *ctx, struct task *task)
{
	struct look *look = ctx;

	if (look->idle && is_meant(look, task) && !is_asleep(look, task))
		found_busy(look, task);
}

static void look_after(void *ctx, struct task *task)
{
	struct look *look = ctx;
	struct task_ran ran;

	if (!look->idle || !is_meant(look, task))
		return;
	ran = count_runs(look->tasks, task);
	look->known = look->known && ran.times > 0;
	if (ran.times > 0 && has_run(&ran, &task->ran))
		found_busy(look, task);
	else if (look->known && !look->any_put_off)
		task->slept = ran;
}

/* Who works mostly is at work for a while. */
static bool is_still_busy(const struct look *look)
{
	struct tasks *tasks = look->tasks;
	bool known = true;

	return tasks->busy && is_meant(look, tasks->busy) &&
	       !is_off_processors(tasks, tasks->busy, &known);
}

enum subject_rest tracer_rest(struct interceptor *t, pid_t of)
{
	struct look all = {&t->tasks, of, true, t->put_off > 0, true};

	if (is_still_busy(&all))
		return SUBJECT_WORKS;
	t->tasks.busy = NULL;
	tasks_each(&t->tasks, look_before, &all);
	tasks_each(&t->tasks, look_between, &all);
	tasks_each(&t->tasks, look_after, &all);
	if (!all.idle)
		return SUBJECT_WORKS;
	return all.known ? SUBJECT_RESTS : SUBJECT_SEEMS_TO_REST;
}

struct sleep_search {
	struct tasks *tasks;
	bool found;
};

/* The number of the call that a thread is in stands first in its file (proc(5)). */
static void look_for_sleep(void *ctx, struct task *task)
{
	struct sleep_search *search = ctx;
	char text[32];
	long call;

	if (search->found || !task->process || task->process->role != ROLE_SUBJECT)
		return;
	read_file(search->tasks, task, "syscall", &task->syscall_fd, text, sizeof(text));
	search->found = sscanf(text, "%ld", &call) == 1 &&
			(call == SYS_nanosleep || call == SYS_clock_nanosleep);
}

bool intercept_subject_sleeps(struct interceptor *t)
{
	struct sleep_search search = {&t->tasks, false};

	tasks_each(&t->tasks, look_for_sleep, &search);
	return search.found;
}
