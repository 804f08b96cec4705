/*
 * A signal to a forked child of the subject that has not executed its program yet. Which of the two
 * comes first is chance: natively the child may die without having run anything, and a recording
 * that saw it so has no record of what a replay may then be asked for. So the sender is held in its
 * stop until the program has been executed: in a recording and in a replay alike, the exec wins.
 *
 * A child that does not mean to execute anything, or waits for somebody, is not waited for: it
 * sleeps, or it has computed for longer than the way to an exec takes.
 */
#include "tape/intercept/tracer.h"

#include "base/monotonic.h"
#include <time.h>
#include <unistd.h>

#define WAY_TO_EXEC_NS UINT64_C(30000000)   /* of its own processor time, from its fork */
#define QUIET_NS       UINT64_C(1000000)    /* asleep for so long: it waits for something */
#define HOLD_NS	       UINT64_C(2000000000) /* in any case */

pid_t tracer_target_group(const struct task *sender, pid_t target)
{
	if (target == -1)
		return 0;
	return target == 0 ? getpgid(sender->process->pid) : -target;
}

uint64_t intercept_cpu_ns(pid_t pid)
{
	struct timespec used;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) < 0)
		return UINT64_MAX;
	return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

struct hit_search {
	const struct task *sender;
	pid_t target;
	pid_t group;
	bool any;  /* a child that may be on its way to an exec */
	bool busy; /* and does not sleep */
};

static bool is_hit(const struct hit_search *s, const struct process *p)
{
	if (s->target > 0)
		return p->pid == s->target;
	return s->group == 0 || getpgid(p->pid) == s->group;
}

static void look(void *ctx, struct task *task)
{
	struct hit_search *s = ctx;
	const struct process *p = task->process;
	char state;

	if (!p || task->tid != p->pid || p == s->sender->process || p->role != ROLE_SUBJECT ||
	    p->in_place || p->ended || task->kill_since_ns || !is_hit(s, p))
		return;
	if (intercept_cpu_ns(p->pid) >= WAY_TO_EXEC_NS)
		return;
	state = tracer_state_of(task);
	s->any |= state != 'Z' && state != 'X' && state != 'T';
	s->busy |= state == 'R' || state == 'D' || state == 't';
}

bool tracer_hold_kill(struct interceptor *t, struct task *sender, pid_t target)
{
	struct hit_search s = {.sender = sender, .target = target};
	uint64_t now = monotonic_ns();
	bool hold;

	if (target <= 0)
		s.group = tracer_target_group(sender, target);
	tasks_each(&t->tasks, look, &s);
	if (s.busy)
		sender->quiet_since_ns = 0;
	else if (sender->quiet_since_ns == 0)
		sender->quiet_since_ns = now;
	if (sender->kill_since_ns == 0)
		sender->kill_since_ns = now;
	hold = s.any && (s.busy || now - sender->quiet_since_ns < QUIET_NS) &&
	       now - sender->kill_since_ns < HOLD_NS;
	if (!hold)
		sender->kill_since_ns = sender->quiet_since_ns = 0;
	tracer_of(t)->kill_waits |= hold;
	return hold;
}

struct retry {
	struct interceptor *t;
	struct error *err;
	int result;
};

static void retry_one(void *ctx, struct task *task)
{
	struct retry *retry = ctx;

	if (retry->result == 0 && task->kill_since_ns)
		retry->result = tracer_on_seccomp(retry->t, task, retry->err);
}

int tracer_retry_kills(struct interceptor *t, struct error *err)
{
	struct retry retry = {t, err, 0};

	if (!tracer_of(t)->kill_waits)
		return 0;
	tracer_of(t)->kill_waits = false;
	tasks_each(&t->tasks, retry_one, &retry);
	return retry.result;
}
