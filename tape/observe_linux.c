/* Streams that stay in place and are told by the calls of the unit: what it reads, terminals, and
 * what others write to as well. */
#include "tape/capture_parts.h"

#include "tape/intercept/filter.h"
#include <linux/kcmp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

bool capture_has_terminal(const struct capture *c)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (c->stream[fd].method == METHOD_TERMINAL)
			return !c->own_terminal;
	}
	return false;
}

/* At a terminal of the subject's making it may open /dev/tty to ask for a password: all that it
 * reads and writes is looked at. At sandtape's own, its output only. */
unsigned capture_observed(const struct capture *c)
{
	unsigned what = c->stream[0].method == METHOD_READS ? FILTER_STDIN : 0;

	if (what && c->stream[0].kind == STREAM_SOCKET)
		what |= FILTER_STDIN_WRITES;
	if (c->stdin_anywhere)
		what |= FILTER_READS;
	for (unsigned i = 1; i < c->count; i++) {
		if (c->stream[i].method == METHOD_READS)
			what |= FILTER_READS;
		else if (c->stream[i].method == METHOD_WRITES)
			what |= FILTER_WRITES;
	}
	if (capture_has_terminal(c))
		return what | FILTER_TERMINAL;
	if (c->own_terminal)
		what |= FILTER_TERMINAL_OUTPUT;
	return what;
}

/* "/dev/tty" stands for whatever the controlling terminal is. */
static bool is_terminal(const struct stream_capture *s, const struct stat *st)
{
	return s->method == METHOD_TERMINAL && S_ISCHR(st->st_mode) &&
	       (st->st_rdev == s->terminal || st->st_rdev == makedev(5, 0));
}

/* A pipe or an end of a socket pair is one, whatever its number. A file may be open more than once:
 * then it is the same when it is the same open file, or when all append to it. */
static bool is_same_file(const struct stream_capture *s, pid_t pid, int fd, const struct stat *st)
{
	if (st->st_dev != s->device || st->st_ino != s->inode)
		return false;
	if (s->kind != STREAM_FILE || stream_appends(s->original))
		return true;
	return syscall(SYS_kcmp, getpid(), pid, KCMP_FILE, s->original, fd) == 0;
}

static struct stream_capture *find_told(struct capture *c, enum method method, pid_t pid, int fd,
					const struct stat *st)
{
	for (unsigned i = 0; i < c->count; i++) {
		struct stream_capture *s = &c->stream[i];

		if (s->method == method && is_same_file(s, pid, fd, st))
			return s;
	}
	return NULL;
}

static struct stream_capture *find_terminal(struct capture *c, const struct io *io,
					    const struct stat *st)
{
	struct stream_capture *in = &c->stream[0];
	struct stream_capture *out = &c->stream[io->fd == 2 ? 2 : 1];

	if (io->kind == IO_READ)
		return is_terminal(in, st) ? in : NULL;
	if (io->kind == IO_MODE && is_terminal(in, st))
		return in;
	if (!is_terminal(out, st))
		out = &c->stream[io->fd == 2 ? 1 : 2];
	return is_terminal(out, st) ? out : NULL;
}

/* The unit's stream that the call is about, or NULL. */
static struct stream_capture *find_stream(struct capture *c, pid_t pid, const struct io *io)
{
	struct stream_capture *s = NULL;
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, io->fd);
	if (stat(path, &st) < 0)
		return NULL;
	if (io->kind == IO_READ)
		s = find_told(c, METHOD_READS, pid, io->fd, &st);
	else if (io->kind == IO_WRITE)
		s = find_told(c, METHOD_WRITES, pid, io->fd, &st);
	return s ? s : find_terminal(c, io, &st);
}

/* Once for a unit. Where its stdout is the same socket, the bytes are its stdout's. */
static void tell_of_stdin(struct capture *c, pid_t pid, const struct io *io)
{
	const struct stream_capture *in = &c->stream[0];
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/fd/0", (int)pid);
	if (io->kind != IO_WRITE || io->fd != 0 || c->told_of_stdin || c->finished ||
	    in->kind != STREAM_SOCKET || stat(path, &st) < 0 || !is_same_file(in, pid, 0, &st))
		return;
	c->told_of_stdin = true;
	session_say(c->host->session, TAPE_WARNING,
		    "warning: a command writes to the socket that is its stdin and not its stdout: "
		    "that is not on the tape, and a replay cannot write it (--real runs such a "
		    "command)");
}

/* A write may be seen, and answered by other events, before it has been told. */
int capture_io_begins(struct capture *c, pid_t pid, struct io *io, bool *ret_wanted,
		      struct error *err)
{
	const struct stream_capture *s = find_stream(c, pid, io);
	bool delivered;

	if (!s)
		tell_of_stdin(c, pid, io);
	if (!s || (c->finished && io->kind != IO_WRITE))
		return 0;
	*ret_wanted = true;
	io->began_ns = session_now(c->host->session);
	/* The order in which they reach the file is the order in which they are told. */
	io->alone = s->method == METHOD_WRITES && s->kind == STREAM_FILE;
	/* What it has written comes before what it reads now. */
	return io->kind == IO_READ && !c->finished ? capture_drain(c, &delivered, err) : 0;
}

static int add_input(struct stream_capture *s, const struct io *io, struct error *err)
{
	struct stream *stream = capture_stream_of(s);
	uint64_t now_ns = session_now(s->owner->host->session);

	if (!stream)
		return error_no_memory(err);
	if (io->len > 0)
		stream->eof = false;
	if (io->len > 0)
		return capture_note(s, io->data, io->len, now_ns, err);
	if (stream->eof)
		return 0;
	stream->eof = true;
	return capture_add_chunk(s->owner, s->fd, 0, now_ns, err);
}

/* Once for a unit: what goes with its bytes is not on the tape. */
static void tell_of_fds(struct capture *c, int fd)
{
	if (c->told_of_fds)
		return;
	c->told_of_fds = true;
	session_say(c->host->session, TAPE_WARNING,
		    "warning: a command passes descriptors over its descriptor %d (SCM_RIGHTS): "
		    "they are not on the tape, and a replay cannot pass them",
		    fd);
}

static int add_mode(struct capture *c, struct process *p, const struct io *io, struct error *err)
{
	char termios[64];
	enum mode_when when;
	size_t size;
	int r;

	if (!terminal_mode_of(io->request, &when, &size) || size > sizeof(termios))
		return 0;
	r = intercept_read(c->host->interceptor, p, io->address, termios, size, err);
	if (r < 0)
		return r;
	if (unit_add_mode(c->unit, when, (struct bytes){termios, size}) < 0)
		return error_no_memory(err);
	return capture_add_chunk(c, CHUNK_MODE, c->unit->mode_count - 1,
				 session_now(c->host->session), err);
}

int capture_io(struct capture *c, struct process *p, const struct io *io, struct error *err)
{
	struct stream_capture *s = find_stream(c, p->pid, io);

	/* The end may have come while it waited. */
	if (!s || !s->spool || (c->finished && io->kind != IO_WRITE))
		return 0;
	if (io->passes_fds)
		tell_of_fds(c, io->fd);
	switch (io->kind) {
	case IO_READ:
		return add_input(s, io, err);
	case IO_WRITE:
		return io->len > 0 ? capture_note(s, io->data, io->len, io->began_ns, err) : 0;
	default:
		return add_mode(c, p, io, err);
	}
}
