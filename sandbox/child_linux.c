/*
 * Between the fork and the program. The child is made by clone with CLONE_VM and CLONE_VFORK, as
 * posix_spawn makes it: it runs in the memory of its parent, on a stack of its own, with all
 * signals blocked, while the parent's thread waits. So it takes no memory and no locks, and what it
 * writes is in its struct birth.
 *
 * In a pid namespace there is a process more: the first one there, which has a copy of the memory,
 * starts the program in the way above, passes on signals, and ends with it. All others there then
 * end, too.
 */
#include "sandbox/child.h"

#include "base/monotonic.h"
#include "sandbox/observed.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int set_streams(const struct birth *b)
{
	for (int i = 0; i < 3; i++)
		if (dup2(b->fd[i], i) < 0)
			return -errno;
	return 0;
}

/* The parent may be gone before the kernel knows that the child is to follow it. */
static int follow_parent(const struct birth *b)
{
	if (!b->dies_with)
		return 0;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	return b->alive >= 0 || getppid() == b->dies_with ? 0 : -ESRCH;
}

static int leave_group(const struct birth *b)
{
	return b->dies_with || setpgid(0, 0) == 0 ? 0 : -errno;
}

static int join_cgroup(const struct birth *b)
{
	return cgroup_enter(b->cgroup, b->in_cgroup);
}

static int go_inside(struct birth *b)
{
	int rc = namespaces_apply(&b->variant->namespaces, &b->run);

	if (rc < 0)
		b->end->stage = b->run.stage;
	b->end->refused = rc < 0 && b->run.refused;
	return rc;
}

static int go_to_work(const struct birth *b)
{
	if (chdir(b->cwd) == 0)
		return 0;
	if (b->cwd_matters || (errno != ENOENT && errno != EACCES && errno != ENOTDIR))
		return -errno;
	b->end->elsewhere = true;
	return chdir("/") == 0 ? 0 : -errno;
}

/* The memory is that of the first process, which hides it, in a pid namespace. */
static int meet_observer(const struct birth *b)
{
	return b->observer < 0 ? 0 : observed_meet(b->observer, &b->variant->filter, b->alive >= 0);
}

struct extras {
	struct landlock_rule rule[MOUNTS_TMPS + 2 + STREAMS];
	size_t count;
};

static void add_extra(struct extras *extras, int fd, uint64_t access)
{
	if (fd >= 0 && access)
		extras->rule[extras->count++] = (struct landlock_rule){fd, access};
}

/* The rules of the streams, which are in place now, come last. */
static int restrict_it(struct birth *b)
{
	static const int in_place[STREAMS] = {0, 1, 2};
	const int abi = b->variant->landlock.abi;
	const uint64_t all = landlock_access(POLICY_OPS_ALL, true, abi);
	struct extras extras = {.count = 0};
	struct streams streams;

	if (b->ruleset >= 0)
		return plan_restrict(b->plan, b->variant, b->ruleset, NULL, 0, &b->end->stage);
	for (size_t i = 0; i < b->run.tmps; i++)
		add_extra(&extras, b->run.tmp[i], all);
	add_extra(&extras, b->tmp, all);
	add_extra(&extras, b->run.proc, landlock_access(POLICY_OPS_READ, true, abi));
	streams_find(in_place, abi, &streams);
	for (size_t i = 0; i < streams.rules; i++)
		add_extra(&extras, streams.rule[i].fd, streams.rule[i].access);
	return plan_restrict(b->plan, b->variant, -1, extras.rule, extras.count, &b->end->stage);
}

/* The next stage, when all went well before it. */
static int go_on(struct birth *b, int rc, const char *stage, int (*act)(const struct birth *b))
{
	if (rc < 0)
		return rc;
	b->end->stage = stage;
	return act(b);
}

/* What is done by the first process of a pid namespace, too. The streams come first: nothing that
 * is opened from then on is in their place. */
static int get_ready(struct birth *b)
{
	int rc = go_on(b, 0, "standard streams", set_streams);

	rc = go_on(b, rc, "death with the parent", follow_parent);
	rc = go_on(b, rc, "cgroup", join_cgroup);
	return rc < 0 ? rc : go_inside(b);
}

static int become_program(struct birth *b)
{
	int rc = go_on(b, 0, "process group", leave_group);

	rc = go_on(b, rc, "working directory", go_to_work);
	rc = go_on(b, rc, "observer", meet_observer);
	if (rc == 0)
		rc = restrict_it(b);
	if (rc < 0)
		return rc;
	b->end->stage = NULL;
	sigprocmask(SIG_SETMASK, &b->mask, NULL);
	return program_execute(b->program, (const char *const *)b->env);
}

void child_be_born(void *birth)
{
	struct birth *b = birth;
	int rc = b->alive >= 0 ? 0 : get_ready(b);

	b->end->error = rc < 0 ? -rc : -become_program(b);
	_exit(127);
}

/* --- the first process of a pid namespace ------------------------------------------------------
 */

/* Its parent may have ended before it could follow: then nobody reads the pipe. */
static bool is_alone(const struct birth *b)
{
	struct pollfd parent = {.fd = b->alive};

	return poll(&parent, 1, 0) > 0 && (parent.revents & POLLERR);
}

static long start_program(struct birth *b)
{
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_VFORK | CLONE_CLEAR_SIGHAND,
		.exit_signal = SIGCHLD,
		.stack = (uintptr_t)b->stack,
		.stack_size = CHILD_STACK_SIZE,
	};

	b->end->stage = "process of the program";
	return child_clone(&args, child_be_born, b);
}

/* Whether the program is among those that have ended. */
static bool reap_all(struct birth *b, pid_t program)
{
	siginfo_t info;

	for (;;) {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
			return false;
		if (info.si_pid != program)
			continue;
		b->end->code = info.si_code;
		b->end->status = info.si_status;
		b->end->ended = true;
		return true;
	}
}

/* All signals are blocked, so that none is lost between two looks. What a terminal sends to its
 * group reaches the program without us, or sandtape passes it on when the program has left the
 * group. */
static void attend(struct birth *b, pid_t program)
{
	sigset_t all;
	siginfo_t info;

	sigfillset(&all);
	while (!reap_all(b, program)) {
		int sig = sigwaitinfo(&all, &info);

		if (sig > 0 && sig != SIGCHLD && info.si_code <= 0)
			kill(program, sig);
	}
}

/* What is left has a moment to end by itself; then it is killed. All who lose their parent are our
 * children. */
static void end_the_rest(struct birth *b)
{
	const uint64_t until = monotonic_ns() + CHILD_GRACE_NS;
	const struct timespec moment = {.tv_nsec = 200000};
	siginfo_t info = {0};

	for (;;) {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | __WALL) < 0)
			return;
		if (info.si_pid != 0) {
			b->end->killed += info.si_code == CLD_KILLED && info.si_status == SIGKILL;
			continue;
		}
		if (monotonic_ns() >= until)
			kill(-1, SIGKILL);
		nanosleep(&moment, NULL);
	}
}

void child_be_first(void *birth)
{
	struct birth *b = birth;
	int rc = get_ready(b);
	long program;

	if (rc < 0 || is_alone(b)) {
		b->end->error = rc < 0 ? -rc : ESRCH;
		_exit(127);
	}
	prctl(PR_SET_DUMPABLE, 0);
	program = start_program(b);
	if (program < 0)
		b->end->error = (int)-program;
	if (b->end->error)
		_exit(127);
	close_range(0, ~0U, 0);
	attend(b, (pid_t)program);
	end_the_rest(b);
	_exit(0);
}
