/* Waiting for a program that has been started. */
#include "sandbox/child.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/monotonic.h"
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* What still holds a pipe when the whole tree is dead is none of it: it is not waited for longer.
 */
#define DRAIN_NS UINT64_C(1000000000)
#define CHUNK	 ((size_t)64 << 10)

struct waiter {
	struct sandbox_child *child;
	struct sandbox_result *result;
	uint64_t deadline_ns; /* UINT64_MAX: none */
	enum sandbox_end why; /* it was killed; SANDBOX_END_EXIT: it was not */
	bool ended;
	int failed; /* after the end: told when the output has been read */
	struct error *err;
};

/* --- streams ---------------------------------------------------------------------------------- */

static void close_stream(struct child_stream *stream)
{
	if (stream->fd >= 0)
		close(stream->fd);
	stream->fd = -1;
}

/* write(2), but a pipe that nobody reads is no death of the caller, whatever it has made of
 * SIGPIPE: the signal of this thread is taken back. */
static ssize_t write_quietly(int fd, const void *bytes, size_t len)
{
	const struct timespec now = {0};
	sigset_t pipe_only, before, pending;
	ssize_t n;
	int error;

	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	sigpending(&pending);
	pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
	n = write(fd, bytes, len);
	error = errno;
	if (n < 0 && error == EPIPE && !sigismember(&pending, SIGPIPE))
		while (sigtimedwait(&pipe_only, NULL, &now) < 0 && errno == EINTR)
			;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = error;
	return n;
}

/* Who does not read its input loses nothing by it. */
static int feed(struct sandbox_child *child)
{
	struct child_stream *in = &child->stream[CHILD_IN];
	ssize_t n = write_quietly(in->fd, child->input.data + child->written,
				  child->input.len - child->written);

	if (n > 0)
		child->written += (size_t)n;
	if (child->written == child->input.len || (n < 0 && errno == EPIPE))
		close_stream(in);
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		return -1;
	return 0;
}

static int kill_for(struct waiter *w, enum sandbox_end why)
{
	if (w->why == SANDBOX_END_EXIT)
		w->why = why;
	return tree_kill(w->child, w->err);
}

static int take(struct waiter *w, struct child_stream *stream, const char *bytes, size_t len)
{
	uint64_t room = w->child->output_bytes - stream->bytes;
	bool over = w->child->output_bytes != SANDBOX_NO_LIMIT && len > room;
	int rc;

	if (over)
		len = (size_t)room;
	stream->bytes += len;
	if (stream->sink.kind == SANDBOX_OUTPUT_CALL && len > 0) {
		if (!stream->sink.call(stream->sink.ctx, bytes, len))
			close_stream(stream);
	} else if (stream->sink.kind == SANDBOX_OUTPUT_BUFFER &&
		   buf_add(&stream->kept, bytes, len) < 0) {
		return error_no_memory(w->err);
	}
	if (!over)
		return 0;
	/* Not closed before: the program would be told, and could end by itself. */
	rc = kill_for(w, SANDBOX_END_OUTPUT);
	close_stream(stream);
	return rc;
}

static int drain(struct waiter *w, struct child_stream *stream)
{
	char bytes[CHUNK];
	ssize_t n = read(stream->fd, bytes, sizeof(bytes));

	if (n > 0)
		return take(w, stream, bytes, (size_t)n);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0)
		return error_sys(w->err, errno, "cannot read what the program writes");
	close_stream(stream);
	return 0;
}

static int serve(struct waiter *w, int which)
{
	if (which != CHILD_IN)
		return drain(w, &w->child->stream[which]);
	return feed(w->child) < 0 ? error_sys(w->err, errno, "cannot write what the program reads")
				  : 0;
}

/* --- the end ---------------------------------------------------------------------------------- */

/* The first process of a pid namespace ends as it likes; how the program did, it has told. */
static void describe_end(struct waiter *w, const siginfo_t *info)
{
	const struct birth_end *first = w->child->end;
	bool told = first && first->ended;
	struct sandbox_result *r = w->result;

	r->killed = first ? first->killed : 0;
	r->duration_ns = monotonic_ns() - w->child->started_ns;
	r->status = told ? first->status : info->si_status;
	r->end = (told ? first->code : info->si_code) == CLD_EXITED ? SANDBOX_END_EXIT
								    : SANDBOX_END_SIGNAL;
	if (r->end == SANDBOX_END_SIGNAL && w->why != SANDBOX_END_EXIT)
		r->end = w->why;
}

/* The number of the process stays its own until the group has been killed. */
static int reap(struct waiter *w)
{
	struct sandbox_child *child = w->child;
	siginfo_t info = {0};
	uint64_t oom_kills = 0;
	int rc;

	if (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOWAIT) < 0)
		return error_sys(w->err, errno, "cannot wait for process %d", (int)child->pid);
	describe_end(w, &info);
	if (!child->dedicated)
		kill(-child->pid, SIGKILL);
	if (syscall(SYS_waitid, P_PID, child->pid, &info, WEXITED, &w->result->usage) < 0)
		return error_sys(w->err, errno, "cannot wait for process %d", (int)child->pid);
	child->reaped = true;
	w->ended = true;
	rc = tree_end(child, &w->result->killed, w->err);
	if (rc == 0 && child->cgroup.used)
		rc = cgroup_oom_kills(&child->cgroup, &oom_kills, w->err);
	if (rc < 0) {
		w->failed = rc;
		w->err = NULL;
	}
	if (oom_kills > 0 && w->result->end == SANDBOX_END_SIGNAL && w->result->status == SIGKILL)
		w->result->end = SANDBOX_END_MEMORY;
	w->deadline_ns = monotonic_ns() + DRAIN_NS;
	return 0;
}

/* How a program ended is to be told, whatever could not be done for it. */
static void end_now(struct waiter *w)
{
	w->err = NULL;
	for (int i = 0; i < CHILD_STREAMS; i++)
		close_stream(&w->child->stream[i]);
	if (!w->ended && tree_kill(w->child, NULL) == 0)
		reap(w);
}

static uint64_t deadline_of(const struct sandbox_child *child)
{
	const uint64_t most = (UINT64_MAX - child->started_ns) / 1000000;

	return child->wall_ms >= most ? UINT64_MAX : child->started_ns + child->wall_ms * 1000000;
}

/* --- waiting ---------------------------------------------------------------------------------- */

struct polled {
	struct pollfd fd[CHILD_STREAMS + 1];
	int which[CHILD_STREAMS + 1]; /* CHILD_STREAMS: the process */
	nfds_t count;
};

static void add_polled(struct polled *p, int which, int fd, short events)
{
	p->fd[p->count] = (struct pollfd){.fd = fd, .events = events};
	p->which[p->count++] = which;
}

static struct polled what_to_poll(const struct waiter *w)
{
	struct polled p = {.count = 0};

	for (int i = 0; i < CHILD_STREAMS; i++)
		if (w->child->stream[i].fd >= 0)
			add_polled(&p, i, w->child->stream[i].fd, i == CHILD_IN ? POLLOUT : POLLIN);
	if (!w->ended)
		add_polled(&p, CHILD_STREAMS, w->child->pidfd, POLLIN);
	return p;
}

/* Rounded up, so that it is not polled for nothing at the end. */
static int timeout_ms(const struct waiter *w)
{
	uint64_t now = monotonic_ns(), left;

	if (w->deadline_ns == UINT64_MAX)
		return -1;
	if (w->deadline_ns <= now)
		return 0;
	left = (w->deadline_ns - now + 999999) / 1000000;
	return left > INT_MAX ? INT_MAX : (int)left;
}

int sandbox_child_left_ms(const struct sandbox_child *child)
{
	uint64_t deadline = deadline_of(child), now = monotonic_ns();

	if (deadline == UINT64_MAX)
		return -1;
	if (deadline <= now)
		return 0;
	return deadline - now > (uint64_t)INT_MAX * 1000000 ? INT_MAX
							    : (int)((deadline - now) / 1000000);
}

static int time_is_over(struct waiter *w)
{
	if (w->ended) {
		for (int i = 0; i < CHILD_STREAMS; i++)
			close_stream(&w->child->stream[i]);
		return 0;
	}
	w->deadline_ns = UINT64_MAX;
	return kill_for(w, SANDBOX_END_TIMEOUT);
}

static int wait_once(struct waiter *w, struct polled *p)
{
	int ready = poll(p->fd, p->count, timeout_ms(w)), rc = 0;

	if (ready < 0)
		return errno == EINTR ? 0 : error_sys(w->err, errno, "cannot wait");
	if (timeout_ms(w) == 0) /* however much there is to read */
		return time_is_over(w);
	for (nfds_t i = 0; rc == 0 && i < p->count; i++) {
		if (!p->fd[i].revents)
			continue;
		if (p->which[i] == CHILD_STREAMS)
			rc = reap(w);
		else if (w->child->stream[p->which[i]].fd >= 0)
			rc = serve(w, p->which[i]);
	}
	return rc;
}

static int remove_traces(struct sandbox_child *child, struct error *err)
{
	int rc = child->cgroup.used ? cgroup_close(&child->cgroup, err) : 0;

	if (child->tmp) {
		int removed = fs_remove_all(child->tmp, rc == 0 ? err : NULL);

		rc = rc == 0 ? removed : rc;
		free(child->tmp);
		child->tmp = NULL;
		close(child->tmp_fd);
	}
	return rc;
}

int sandbox_wait(struct sandbox_child *child, struct sandbox_result *ret, struct error *err)
{
	struct waiter w = {
		.child = child, .result = ret, .deadline_ns = deadline_of(child), .err = err};
	int rc = 0, removed;

	*ret = (struct sandbox_result){.end = SANDBOX_END_UNKNOWN};
	for (;;) {
		struct polled p = what_to_poll(&w);

		if (p.count == 0 || rc < 0)
			break;
		rc = wait_once(&w, &p);
	}
	if (rc < 0)
		end_now(&w);
	else
		rc = w.failed;
	ret->out = child->stream[CHILD_OUT].kept.data;
	ret->out_len = child->stream[CHILD_OUT].kept.len;
	ret->err = child->stream[CHILD_ERR].kept.data;
	ret->err_len = child->stream[CHILD_ERR].kept.len;
	removed = w.ended ? remove_traces(child, rc == 0 ? err : NULL) : 0;
	return rc < 0 ? rc : removed;
}

int sandbox_kill(struct sandbox_child *child, struct error *err)
{
	return tree_kill(child, err);
}

int sandbox_child_pidfd(const struct sandbox_child *child)
{
	return child->pidfd;
}

pid_t sandbox_child_pid(const struct sandbox_child *child)
{
	return child->pid;
}

void sandbox_child_layers(const struct sandbox_child *child, struct sandbox_layers *ret)
{
	*ret = child->layers;
}

/* One that was not waited for is killed and reaped. */
static void abandon(struct sandbox_child *child)
{
	unsigned killed = 0;

	tree_kill(child, NULL);
	while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
		;
	child->reaped = true;
	tree_end(child, &killed, NULL);
}

void sandbox_child_free(struct sandbox_child *child)
{
	if (!child)
		return;
	if (child->pid > 0 && !child->reaped)
		abandon(child);
	for (int i = 0; i < CHILD_STREAMS; i++) {
		close_stream(&child->stream[i]);
		buf_free(&child->stream[i].kept);
	}
	if (child->pidfd >= 0)
		close(child->pidfd);
	remove_traces(child, NULL);
	if (child->end)
		munmap(child->end, sizeof(*child->end));
	buf_free(&child->input);
	free(child);
}
