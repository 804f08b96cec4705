/*
 * sandtape run --explain, and what else observes a program. Two processes: the one that was started
 * becomes the tracer of the program and of all that it starts, and so cannot be its parent; the
 * runner, its child, starts the program and does what run does without being observed.
 */
#include "tools/run.h"

#include "base/cleanup.h"
#include "tools/denials.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Memory of both. */
struct told {
	bool all; /* the runner has come to its end */
	struct run_outcome outcome;
};

struct explained {
	const struct run_observer *observer;
	struct sandbox_plan *plan;
	const char *const *argv;
	int sockets[2]; /* ours, the runner's */
	struct told *told;
	struct error *err;
};

void run_see_end(const struct run_outcome *outcome, struct denials *denials)
{
	const struct sandbox_observation end = {
		.what = SANDBOX_SEEN_END, .pid = outcome->pid, .result = &outcome->result};

	if (outcome->result.end != SANDBOX_END_EXIT) /* else nobody has ended it */
		denials_see(denials, &end);
}

static void be_runner(struct explained *x, pid_t first, const sigset_t *mask)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != first) /* it was killed before that */
		_exit(EXIT_SANDTAPE);
	close(x->sockets[0]);
	run_signals_to(0); /* what has come already is for the first process to pass on */
	run_signals_from(first, sandbox_plan_leaves_terminal(x->plan));
	sigprocmask(SIG_SETMASK, mask, NULL);
	run_program(x->plan, x->argv, x->sockets[1], &x->told->outcome);
	x->told->all = true;
	_exit(EXIT_OK);
}

/* It may be gone and waited for. */
static void end_runner(pid_t runner)
{
	if (waitpid(runner, NULL, WNOHANG) != 0)
		return;
	kill(runner, SIGKILL);
	while (waitpid(runner, NULL, 0) < 0 && errno == EINTR)
		;
}

static int check_runner(const struct explained *x, pid_t runner, int wait_status)
{
	if (x->told->all)
		return 0;
	return error_set(x->err, ERR_SYSTEM,
			 "process %d, which ran the program, was killed (%s), and with it the "
			 "program",
			 (int)runner,
			 WIFSIGNALED(wait_status) ? strsignal(WTERMSIG(wait_status))
						  : "it did not say why");
}

static int observe(struct explained *x, pid_t runner, const sigset_t *mask)
{
	int wait_status = 0, rc;

	close(x->sockets[1]);
	run_outlive_readers(); /* there is much to be told in the end */
	run_signals_to(runner);
	sigprocmask(SIG_SETMASK, mask, NULL);
	rc = x->observer->observe(x->observer->ctx, x->sockets[0], runner, &wait_status, x->err);
	run_signals_to(0);
	close(x->sockets[0]);
	if (rc < 0)
		end_runner(runner);
	if (rc == ERR_UNSUPPORTED)
		return x->observer->without ? error_advise(x->err, rc, x->observer->without) : rc;
	return rc < 0 ? rc : check_runner(x, runner, wait_status);
}

static int split(struct explained *x)
{
	pid_t first = getpid(), runner;
	sigset_t all, mask;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, x->sockets) < 0)
		return error_sys(x->err, errno, "cannot make a pair of sockets");
	fflush(NULL);
	run_catch_signals(false);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &mask); /* none gets lost before it can be passed on */
	runner = fork();
	if (runner == 0)
		be_runner(x, first, &mask);
	if (runner > 0)
		return observe(x, runner, &mask);
	error_sys(x->err, errno, "cannot fork");
	sigprocmask(SIG_SETMASK, &mask, NULL);
	close(x->sockets[0]);
	close(x->sockets[1]);
	return ERR_SYSTEM;
}

int run_observed(struct sandbox_plan *plan, const char *const *argv,
		 const struct run_observer *observer, struct run_outcome *ret, struct error *err)
{
	struct explained x = {.observer = observer, .plan = plan, .argv = argv, .err = err};
	int rc;

	x.told = mmap(NULL, sizeof(*x.told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (x.told == MAP_FAILED)
		return error_no_memory(err);
	rc = split(&x);
	if (rc == 0)
		*ret = x.told->outcome;
	munmap(x.told, sizeof(*x.told));
	return rc;
}

static int observe_denials(void *ctx, int socket, pid_t runner, int *ret_status, struct error *err)
{
	return sandbox_observe(socket, runner, denials_see, ctx, ret_status, err);
}

int run_explained(struct sandbox_plan *plan, const char *const *argv, struct denials *denials,
		  struct run_outcome *ret, struct error *err)
{
	const struct run_observer observer = {observe_denials, denials, "run it without --explain"};
	int rc = run_observed(plan, argv, &observer, ret, err);

	if (rc < 0)
		return rc;
	denials_set_known(denials);
	if (ret->started)
		run_see_end(ret, denials);
	return 0;
}
