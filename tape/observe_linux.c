/* Streams that stay in place and are told by the calls of the unit: stdin, and terminals. */
#include "tape/capture_parts.h"

#include "tape/intercept/filter.h"
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

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

	if (capture_has_terminal(c))
		return what | FILTER_TERMINAL;
	if (c->own_terminal || c->stream[1].writes || c->stream[2].writes)
		what |= FILTER_OUTPUT;
	return what;
}

/* "/dev/tty" stands for whatever the controlling terminal is. */
static bool is_terminal(const struct stream_capture *s, const struct stat *st)
{
	return s->method == METHOD_TERMINAL && S_ISCHR(st->st_mode) &&
	       (st->st_rdev == s->terminal || st->st_rdev == makedev(5, 0));
}

/* The file that is written to by a call on descriptor 1 or 2, when writes to it are looked at. */
static struct stream_capture *file_of(struct capture *c, const struct io *io, const struct stat *st)
{
	for (int i = 0; i < 2 && io->fd >= 1 && io->fd <= 2; i++) {
		struct stream_capture *s = &c->stream[i == 0 ? io->fd : 3 - io->fd];

		if (s->writes && s->device == st->st_dev && s->inode == st->st_ino)
			return s;
	}
	return NULL;
}

/* The unit's stream that the call is about, or NULL. */
static struct stream_capture *stream_of(struct capture *c, const struct io *io,
					const struct stat *st)
{
	struct stream_capture *in = &c->stream[0];
	struct stream_capture *out = &c->stream[io->fd == 2 ? 2 : 1];

	if (io->kind == IO_WRITE && S_ISREG(st->st_mode))
		return file_of(c, io, st);
	if (io->kind == IO_READ && in->method == METHOD_READS)
		return io->fd == 0 && st->st_dev == in->device && st->st_ino == in->inode ? in
											  : NULL;
	if (io->kind == IO_READ)
		return is_terminal(in, st) ? in : NULL;
	if (io->kind == IO_MODE && is_terminal(in, st))
		return in;
	if (!is_terminal(out, st))
		out = &c->stream[io->fd == 2 ? 1 : 2];
	return is_terminal(out, st) ? out : NULL;
}

static struct stream_capture *find_stream(struct capture *c, pid_t pid, const struct io *io)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, io->fd);
	return stat(path, &st) == 0 ? stream_of(c, io, &st) : NULL;
}

int capture_io_begins(struct capture *c, pid_t pid, const struct io *io, bool *ret_wanted,
		      struct error *err)
{
	const struct stream_capture *s = find_stream(c, pid, io);
	bool delivered;

	if (!s || (c->finished && io->kind != IO_WRITE))
		return 0;
	*ret_wanted = true;
	/* What it has written comes before what it reads now. */
	return io->kind == IO_READ && !c->finished ? capture_drain(c, &delivered, err) : 0;
}

static int add_input(struct stream_capture *s, const struct io *io, struct error *err)
{
	struct stream *stream = unit_stream(s->owner->unit, 0);

	if (io->len > 0 && stream)
		stream->eof = false;
	if (io->len > 0)
		return capture_note(s, io->data, io->len, err);
	if (!stream || stream->eof)
		return 0;
	stream->eof = true;
	return capture_add_chunk(s->owner, 0, 0, err);
}

/* What is written there after the end of the unit is not kept, as with other files. */
static int add_output(struct stream_capture *s, const struct io *io, struct error *err)
{
	int r;

	if (io->len == 0 || (s->writes && s->owner->finished))
		return 0;
	if (!s->writes)
		return capture_note(s, io->data, io->len, err);
	r = spool_add(s->writes, io->data, io->len, err);
	return r < 0 ? r : capture_add_chunk(s->owner, s->fd, io->len, err);
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
	return capture_add_chunk(c, CHUNK_MODE, c->unit->mode_count - 1, err);
}

int capture_io(struct capture *c, struct process *p, const struct io *io, struct error *err)
{
	struct stream_capture *s = find_stream(c, p->pid, io);

	/* The end may have come while it waited. */
	if (!s || !s->spool || (c->finished && io->kind != IO_WRITE))
		return 0;
	switch (io->kind) {
	case IO_READ:
		return add_input(s, io, err);
	case IO_WRITE:
		return add_output(s, io, err);
	default:
		return add_mode(c, p, io, err);
	}
}
