#include "tape/running.h"

#include "base/cleanup.h"
#include "base/monotonic.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FIRST_FREE_FD 3 /* below are the places of a program's streams */
#define READ_STEP     65536
#define DRAIN_STEPS   16		/* as much as the largest pipe of an ordinary user holds */
#define LOOK_NS	      UINT64_C(2000000) /* between two looks at a process without a pidfd */
#define NS_PER_S      UINT64_C(1000000000)

extern char **environ;

void running_init(struct running *r)
{
	*r = (struct running){.pidfd = -1, .in = -1, .out = -1, .err = -1};
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(steal_fd(fd));
}

/* A program that was started without some of its streams gets its pipes there. */
static int move_up(int *fd)
{
	int moved;

	if (*fd >= FIRST_FREE_FD)
		return 0;
	moved = fcntl(*fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
	if (moved < 0)
		return -1;
	close(*fd);
	*fd = moved;
	return 0;
}

/* *ret_ours does not block. */
static int make_pipe(bool ours_writes, int *ret_ours, int *ret_theirs, struct error *err)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_sys(err, errno, "cannot make a pipe for a command");
	*ret_ours = ends[ours_writes];
	*ret_theirs = ends[!ours_writes];
	if (move_up(ret_ours) < 0 || move_up(ret_theirs) < 0 ||
	    fcntl(*ret_ours, F_SETFL, O_NONBLOCK) < 0)
		return error_sys(err, errno, "cannot set up a pipe for a command");
	return 0;
}

static int open_null(int *ret, struct error *err)
{
	*ret = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (*ret < 0 || move_up(ret) < 0)
		return error_sys(err, errno, "cannot open /dev/null");
	return 0;
}

static int make_streams(struct running *r, const struct tape_command *command, int stdio[3],
			struct error *err)
{
	int rc = command->input ? make_pipe(true, &r->in, &stdio[0], err)
				: open_null(&stdio[0], err);

	if (rc == 0)
		rc = make_pipe(false, &r->out, &stdio[1], err);
	if (rc == 0 && !command->merge)
		rc = make_pipe(false, &r->err, &stdio[2], err);
	if (rc == 0 && buf_add(&r->input, command->input, command->input_len) < 0)
		rc = error_no_memory(err);
	return rc;
}

static int not_ours(pid_t pid, int number, struct error *err)
{
	return error_sys(err, number,
			 "process %ld of a command was waited for by somebody else, or SIGCHLD is "
			 "ignored",
			 (long)pid);
}

/* -1 with ENOSYS where there are none: valgrind 3.19 does not know them, and says so each time. */
static int open_pidfd(pid_t pid)
{
	static atomic_bool unknown;
	int fd = -1;

	errno = ENOSYS;
	if (!unknown)
		fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0 && errno == ENOSYS)
		unknown = true;
	return fd;
}

/* A launcher has started `pid`: it is ours to reap, whatever happens. */
static int adopt(struct running *r, pid_t pid, struct error *err)
{
	r->pidfd = open_pidfd(pid);
	if (r->pidfd < 0 && errno == ESRCH)
		return not_ours(pid, ESRCH, err);
	r->pid = pid;
	return r->pidfd < 0 && errno != ENOSYS
		       ? error_sys(err, errno, "cannot watch process %ld of a command", (long)pid)
		       : 0;
}

static int launch_it(struct running *r, const struct tape_command *command, const char *cwd,
		     const int stdio[3], tape_launcher launch, void *launch_ctx, int *ret_errno,
		     struct error *err)
{
	const char *const *env = command->env ? command->env : (const char *const *)environ;
	struct tape_start start = {command->argv, env, cwd, {stdio[0], stdio[1], stdio[2]}};
	pid_t pid = 0;
	int rc;

	if (command->merge)
		start.stdio[2] = stdio[1];
	rc = launch(launch_ctx, &start, &pid, err);
	if (rc < 0)
		return rc;
	*ret_errno = rc;
	if (rc > 0)
		return 0;
	return pid > 0 ? adopt(r, pid, err)
		       : error_set(err, ERR_INVALID, "the launcher gave no process");
}

int running_start(struct running *r, const struct tape_command *command, const char *cwd,
		  tape_launcher launch, void *launch_ctx, int *ret_errno, struct error *err)
{
	int stdio[3] = {-1, -1, -1};
	uint64_t began_ns = monotonic_ns();
	int rc = make_streams(r, command, stdio, err);

	*ret_errno = 0;
	if (rc == 0)
		rc = launch_it(r, command, cwd, stdio, launch, launch_ctx, ret_errno, err);
	for (int i = 0; i < 3; i++)
		close_fd(&stdio[i]);
	if (rc < 0 || *ret_errno)
		running_clear(r);
	else if (command->timeout_ns)
		r->deadline_ns = command->timeout_ns < UINT64_MAX - began_ns
					 ? began_ns + command->timeout_ns
					 : 0;
	return rc;
}

/* Its whole group, when it leads one: a shell's children hold its pipes. As long as a signal can be
 * sent by the pidfd, it is not reaped, and the number its own. */
static void kill_it(const struct running *r)
{
	if (r->pidfd >= 0 && syscall(SYS_pidfd_send_signal, r->pidfd, SIGKILL, NULL, 0) < 0)
		return;
	if (getpgid(r->pid) == r->pid)
		kill(-r->pid, SIGKILL);
	else
		kill(r->pid, SIGKILL);
}

/* Without SIGPIPE, and without touching what the process does about that. */
static ssize_t write_quietly(int fd, const void *bytes, size_t len)
{
	const struct timespec at_once = {0, 0};
	sigset_t sigpipe, before, pending;
	ssize_t n;
	int failed;

	sigemptyset(&sigpipe);
	sigaddset(&sigpipe, SIGPIPE);
	sigemptyset(&pending);
	sigpending(&pending);
	pthread_sigmask(SIG_BLOCK, &sigpipe, &before);
	n = write(fd, bytes, len);
	failed = errno;
	if (n < 0 && failed == EPIPE && !sigismember(&pending, SIGPIPE)) {
		while (sigtimedwait(&sigpipe, NULL, &at_once) < 0 && errno == EINTR)
			;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = failed;
	return n;
}

/* One that does not read all of its input is no error of ours. */
static int feed(struct running *r, struct error *err)
{
	size_t left = r->input.len - r->written;
	ssize_t n = left ? write_quietly(r->in, r->input.data + r->written, left) : 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0 && errno != EPIPE)
		return error_sys(err, errno, "cannot write to the stdin of a command");
	r->written += n > 0 ? (size_t)n : 0;
	if (n < 0 || r->written == r->input.len)
		close_fd(&r->in);
	return 0;
}

/* What is there, but not more than READ_STEP. *ret_more: there may be more. */
static int take(int *fd, struct buf *output, bool *ret_more, struct error *err)
{
	ssize_t n;

	*ret_more = false;
	if (*fd < 0)
		return 0;
	if (buf_reserve(output, READ_STEP) < 0)
		return error_no_memory(err);
	n = read(*fd, output->data + output->len, READ_STEP);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0)
		return error_sys(err, errno, "cannot read the output of a command");
	output->len += (size_t)n;
	output->data[output->len] = '\0';
	*ret_more = n > 0;
	if (n == 0)
		close_fd(fd);
	return 0;
}

static int take_both(struct running *r, bool *ret_more, struct error *err)
{
	bool more_out = false, more_err = false;
	int rc = take(&r->out, &r->output[0], &more_out, err);

	if (rc == 0)
		rc = take(&r->err, &r->output[1], &more_err, err);
	*ret_more = more_out || more_err;
	return rc;
}

static bool is_overdue(const struct running *r)
{
	return r->deadline_ns && !r->killed && monotonic_ns() >= r->deadline_ns;
}

/* How long to wait: NULL for ever. */
static const struct timespec *patience(const struct running *r, bool ended, struct timespec *room)
{
	uint64_t now = monotonic_ns();
	uint64_t left = UINT64_MAX;

	if (r->deadline_ns && !r->killed)
		left = r->deadline_ns > now ? r->deadline_ns - now : 0;
	if (r->pidfd < 0 && !ended && left > LOOK_NS)
		left = LOOK_NS;
	if (left == UINT64_MAX)
		return NULL;
	*room = (struct timespec){(time_t)(left / NS_PER_S), (long)(left % NS_PER_S)};
	return room;
}

/* Without a pidfd, it has to be looked for; whether it is ours, the reaping will tell. */
static bool has_ended(const struct running *r)
{
	siginfo_t info = {0};

	return waitid(P_PID, (id_t)r->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
	       info.si_pid != 0;
}

/* *ret_ended: the process has; it is only looked for while that is false. */
static int wait_for_it(struct running *r, bool *ret_ended, struct error *err)
{
	struct pollfd watched[] = {
		{.fd = r->in, .events = POLLOUT},
		{.fd = r->out, .events = POLLIN},
		{.fd = r->err, .events = POLLIN},
		{.fd = *ret_ended ? -1 : r->pidfd, .events = POLLIN},
	};
	struct timespec room;
	int n = ppoll(watched, 4, patience(r, *ret_ended, &room), NULL);

	if (n < 0 && errno != EINTR)
		return error_sys(err, errno, "cannot wait for a command");
	if (is_overdue(r)) {
		kill_it(r);
		r->killed = true;
	}
	if (!*ret_ended)
		*ret_ended = r->pidfd < 0 ? has_ended(r) : n > 0 && watched[3].revents;
	return n > 0 && watched[0].revents ? feed(r, err) : 0;
}

/* Until it has ended and nobody can write any more; of one that was killed for its time, whose
 * descendants may have left the group, what is there at its end. */
static int pump(struct running *r, struct error *err)
{
	bool ended = false, more = false;
	int rc = 0;

	while (rc == 0 && (!ended || (!r->killed && (r->out >= 0 || r->err >= 0)))) {
		rc = wait_for_it(r, &ended, err);
		if (rc == 0)
			rc = take_both(r, &more, err);
	}
	for (int step = 0; rc == 0 && more && step < DRAIN_STEPS; step++)
		rc = take_both(r, &more, err);
	return rc;
}

static int reap(struct running *r, siginfo_t *ret, struct error *err)
{
	int rc;

	do
		rc = waitid(P_PID, (id_t)r->pid, ret, WEXITED);
	while (rc < 0 && errno == EINTR);
	if (rc < 0 && errno == ECHILD)
		return not_ours(r->pid, ECHILD, err);
	return rc < 0 ? error_sys(err, errno, "cannot wait for process %ld", (long)r->pid) : 0;
}

int running_finish(struct running *r, struct unit_end *ret, struct error *err)
{
	siginfo_t info = {0};
	int rc = pump(r, err);

	if (rc == 0)
		rc = reap(r, &info, err);
	if (rc < 0)
		return rc;
	r->pid = 0;
	if (info.si_code == CLD_EXITED)
		*ret = (struct unit_end){.how = END_EXITED, .code = info.si_status};
	else
		*ret = (struct unit_end){.how = END_SIGNALED,
					 .signal = info.si_status,
					 .core = info.si_code == CLD_DUMPED};
	ret->timeout = r->killed;
	return 0;
}

void running_clear(struct running *r)
{
	if (r->pid) {
		kill_it(r);
		while (waitpid(r->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	close_fd(&r->pidfd);
	close_fd(&r->in);
	close_fd(&r->out);
	close_fd(&r->err);
	buf_free(&r->input);
	buf_free(&r->output[0]);
	buf_free(&r->output[1]);
	running_init(r);
}

/* What the host could not do; all else is what the program is. */
static bool is_shortage(int number)
{
	return number == EAGAIN || number == ENOMEM || number == EMFILE || number == ENFILE;
}

static int set_actions(posix_spawn_file_actions_t *actions, const struct tape_start *start)
{
	int failed = 0;

	for (int i = 0; i < 3 && !failed; i++)
		failed = posix_spawn_file_actions_adddup2(actions, start->stdio[i], i);
	if (!failed && start->cwd)
		failed = posix_spawn_file_actions_addchdir_np(actions, start->cwd);
	return failed;
}

static int spawn_it(const struct tape_start *start, const posix_spawnattr_t *attributes, pid_t *ret)
{
	posix_spawn_file_actions_t actions;
	int failed = posix_spawn_file_actions_init(&actions);

	if (failed)
		return failed;
	failed = set_actions(&actions, start);
	/* The strings are not written to: the prototype is older than const. */
	if (!failed)
		failed = posix_spawnp(ret, start->argv[0], &actions, attributes,
				      (char *const *)start->argv, (char *const *)start->env);
	posix_spawn_file_actions_destroy(&actions);
	return failed;
}

int tape_launch(void *ctx, const struct tape_start *start, pid_t *ret_pid, struct error *err)
{
	posix_spawnattr_t attributes;
	int failed;

	(void)ctx;
	if (!start || !ret_pid || !start->argv || !start->argv[0] || !start->env)
		return error_set(err, ERR_INVALID, "a launcher needs a program and its place");
	failed = posix_spawnattr_init(&attributes);
	if (failed)
		return error_sys(err, failed, "cannot start %s", start->argv[0]);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
	failed = spawn_it(start, &attributes, ret_pid);
	posix_spawnattr_destroy(&attributes);
	if (failed == ENOMEM)
		return error_no_memory(err);
	return failed && is_shortage(failed)
		       ? error_sys(err, failed, "cannot start %s", start->argv[0])
		       : failed;
}
