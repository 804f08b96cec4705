/* A program in a sandbox: its signals, its streams, its end. */
#include "tools/run.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

/* What it passes on to the program. */
static const int forwarded[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2};
#define FORWARDED (sizeof(forwarded) / sizeof(forwarded[0]))

static volatile sig_atomic_t running; /* the process that they go to, or 0 */
static volatile sig_atomic_t early;   /* what came before it was there */
static bool leaves_terminal;
static pid_t only_from; /* the process that passes them on to us, or 0 */

/* A signal that the terminal sends reaches the program without us, unless it has left it. */
static void forward(int sig, siginfo_t *info, void *context)
{
	int before = errno;

	(void)context;
	if (info->si_code > 0 && !leaves_terminal)
		return;
	if (info->si_code <= 0 && only_from && info->si_pid != only_from)
		return; /* it was for the whole group, and comes by that process once more */
	if (running > 0)
		kill((pid_t)running, sig);
	else
		early = sig;
	errno = before;
}

void run_signals_to(pid_t pid)
{
	running = (sig_atomic_t)pid;
	if (early && pid > 0)
		kill(pid, (int)early);
	early = 0;
}

/* What is ignored stays so: nohup. */
void run_catch_signals(bool from_terminal)
{
	struct sigaction action = {.sa_sigaction = forward, .sa_flags = SA_SIGINFO | SA_RESTART};
	struct sigaction before;

	leaves_terminal = from_terminal;
	for (size_t i = 0; i < FORWARDED; i++)
		if (sigaction(forwarded[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
			sigaction(forwarded[i], &action, NULL);
}

void run_signals_from(pid_t pid, bool from_terminal)
{
	only_from = pid;
	leaves_terminal = from_terminal;
}

static void ignore(int sig)
{
	(void)sig;
}

struct through {
	int fd;
	const struct sandbox_child *const *child;
};

/* Where the program would wait for who reads its output, we do, as long as it has time. */
static bool wait_for_reader(const struct through *to)
{
	struct pollfd out = {.fd = to->fd, .events = POLLOUT};

	return poll(&out, 1, sandbox_child_left_ms(*to->child)) != 0;
}

/* Who reads our output may have gone: then the program is the one to be told. */
static bool write_through(void *ctx, const void *bytes, size_t len)
{
	const struct through *to = ctx;
	const char *at = bytes;

	while (len > 0) {
		ssize_t n;

		if (!wait_for_reader(to))
			return true; /* its time is over */
		/* As much as a pipe that has room takes at once. */
		n = write(to->fd, at, len < PIPE_BUF ? len : PIPE_BUF);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

/* Ours only: a handler is not inherited, and who was started with the signal ignored has it so. */
void run_outlive_readers(void)
{
	struct sigaction action = {.sa_handler = ignore, .sa_flags = SA_RESTART}, before;

	if (sigaction(SIGPIPE, NULL, &before) == 0 && before.sa_handler == SIG_DFL)
		sigaction(SIGPIPE, &action, NULL);
}

static void wait_for(struct sandbox_child *child, struct run_outcome *ret)
{
	ret->started = true;
	ret->pid = sandbox_child_pid(child);
	run_signals_to(ret->pid);
	if (sandbox_wait(child, &ret->result, &ret->failure) == 0)
		ret->failure.code = 0;
	running = 0;
	ret->result.out = ret->result.err = NULL;
	ret->result.out_len = ret->result.err_len = 0;
	sandbox_child_layers(child, &ret->layers);
	sandbox_child_free(child);
}

void run_program(struct sandbox_plan *plan, const char *const *argv, int observer,
		 struct run_outcome *ret)
{
	struct sandbox_child *child = NULL;
	const struct through streams[] = {
		{STDOUT_FILENO, (const struct sandbox_child *const *)&child},
		{STDERR_FILENO, (const struct sandbox_child *const *)&child}};
	struct sandbox_start start = {.argv = argv, .dedicated = true, .observer = observer};

	*ret = (struct run_outcome){.started = false};
	if (sandbox_plan_limits_output(plan)) {
		run_outlive_readers();
		start.out = (struct sandbox_sink){SANDBOX_OUTPUT_CALL, -1, write_through,
						  (void *)&streams[0]};
		start.err = (struct sandbox_sink){SANDBOX_OUTPUT_CALL, -1, write_through,
						  (void *)&streams[1]};
	}
	if (sandbox_start(plan, &start, &child, &ret->failure) == 0)
		wait_for(child, ret);
}
