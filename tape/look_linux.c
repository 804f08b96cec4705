/* Which streams a unit was given, and what is to be done with each. */
#include "tape/capture_parts.h"

#include "base/cleanup.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* The range of a file belongs to one writer: where there may be others, the unit's writes tell. */
static enum method file_method(struct stream_capture *s, const struct stat *st)
{
	const struct capture *c = s->owner;

	if (stream_appends(s->original) ||
	    intercept_file_is_shared(c->host->interceptor, c->process, st))
		return METHOD_WRITES;
	return METHOD_RANGE;
}

/* A socket that is stdin as well (inetd(8)) may be written to by either number. */
static bool is_stdin(const struct stream_capture *s, const struct stat *st)
{
	const struct stream_capture *in = &s->owner->stream[0];

	return in->method == METHOD_READS && in->device == st->st_dev && in->inode == st->st_ino;
}

/* Packets are told by the calls, which keep their bounds. */
static enum method output_method(struct stream_capture *s, const struct stat *st)
{
	enum stream_kind kind = s->kind;

	if (kind == STREAM_TTY)
		return METHOD_TERMINAL;
	s->packets = kind == STREAM_SOCKET && stream_has_packets(s->original);
	if (s->packets)
		return METHOD_WRITES;
	if (kind == STREAM_SOCKET && is_stdin(s, st) &&
	    intercept_observes(s->owner->host->interceptor))
		return METHOD_WRITES;
	if (kind == STREAM_PIPE || kind == STREAM_SOCKET || stream_is_our_output(st))
		return METHOD_PUMP;
	return kind == STREAM_FILE ? file_method(s, st) : METHOD_NONE;
}

static enum method input_method(const struct stat *st, enum stream_kind kind)
{
	/* What a person types at sandtape's own terminal is no part of the recording. */
	if (kind == STREAM_TTY && !stream_is_our_terminal(st))
		return METHOD_TERMINAL;
	if (kind == STREAM_PIPE || kind == STREAM_SOCKET)
		return METHOD_READS;
	return kind == STREAM_FILE ? METHOD_RANGE : METHOD_NONE;
}

static void look_at_terminal(struct stream_capture *s, const struct stat *st, struct stream *stream)
{
	struct winsize size;

	s->terminal = st->st_rdev;
	if (stream_is_our_terminal(st)) {
		s->owner->own_terminal = true;
	} else if (ioctl(s->original, TIOCGWINSZ, &size) == 0) {
		stream->rows = size.ws_row;
		stream->columns = size.ws_col;
	}
}

/* Where another stream is the same open file, that one has its bytes. */
static bool find_same(struct capture *c, struct stream_capture *s, unsigned before)
{
	for (unsigned i = 1; i < before; i++) {
		struct stream_capture *other = &c->stream[i];

		if (other->original >= 0 && !other->same_as &&
		    stream_same_file(other->original, s->original)) {
			s->same_as = other;
			return true;
		}
	}
	return false;
}

static int begin(struct stream_capture *s, const struct stat *st, enum method method,
		 struct error *err)
{
	s->method = method;
	if (s->kind == STREAM_FILE)
		s->start = stream_position(s->original, s->fd == 0);
	s->device = st->st_dev;
	s->inode = st->st_ino;
	return method == METHOD_NONE ? 0 : capture_new_spool(s, err);
}

static int look_at(struct capture *c, int fd, struct error *err)
{
	struct stream_capture *s = &c->stream[fd];
	struct stream *stream = unit_add_stream(c->unit, fd);
	struct stat st;
	int copy;
	int r;

	if (!stream)
		return error_no_memory(err);
	copy = intercept_unit_fd(c->host->interceptor, c->process, fd);
	if (copy == -EBADF || copy == -ESRCH)
		return 0; /* closed; or it has been killed */
	if (copy < 0)
		return error_sys(err, -copy, "cannot see stream %d of a unit", fd);
	s->original = copy;
	if (fstat(s->original, &st) < 0)
		return error_sys(err, errno, "cannot see stream %d of a unit", fd);
	s->kind = stream_kind_of(&st);
	stream->kind = s->kind;
	if (s->kind == STREAM_TTY) {
		look_at_terminal(s, &st, stream);
	} else if (fd == 2 && find_same(c, s, 2)) {
		stream->kind = STREAM_SAME;
		stream->same_as = s->same_as->fd;
		return 0;
	}
	r = begin(s, &st, fd == 0 ? input_method(&st, s->kind) : output_method(s, &st), err);
	stream->packets = s->packets;
	return r;
}

/* Descriptors above 2 */

#define INHERITED_MAX 64

struct inherited {
	int fd;	  /* in the unit */
	int copy; /* ours */
	int flags;
	struct stat st;
};

static unsigned list_inherited(const struct capture *c, struct inherited *list)
{
	char path[64];
	unsigned count = 0;
	const struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)c->process->pid);
	dir = opendir(path);
	while (dir && count < INHERITED_MAX && (entry = readdir(dir))) {
		struct inherited *one = &list[count];

		one->fd = (int)strtol(entry->d_name, NULL, 10);
		if (one->fd <= 2)
			continue;
		one->copy = intercept_unit_fd(c->host->interceptor, c->process, one->fd);
		if (one->copy < 0)
			continue;
		one->flags = fcntl(one->copy, F_GETFL);
		if (fstat(one->copy, &one->st) == 0)
			count++;
		else
			close(one->copy);
	}
	if (dir)
		closedir(dir);
	return count;
}

/* Whether the unit has both ends of the pipe: it is a job server's, say, whose tokens come back by
 * the way that they went. */
static bool has_other_end(const struct inherited *list, unsigned count,
			  const struct inherited *pipe)
{
	int end = pipe->flags & O_ACCMODE;

	for (unsigned i = 0; i < count; i++) {
		if ((list[i].flags & O_ACCMODE) != end && list[i].st.st_ino == pipe->st.st_ino &&
		    list[i].st.st_dev == pipe->st.st_dev)
			return true;
	}
	return end == O_RDWR;
}

/* What it writes there. */
static enum method inherited_output(struct stream_capture *s, const struct inherited *list,
				    unsigned count, const struct inherited *one)
{
	if ((one->flags & O_ACCMODE) == O_RDONLY)
		return METHOD_NONE;
	switch (s->kind) {
	case STREAM_PIPE:
		return has_other_end(list, count, one) ? METHOD_NONE : METHOD_PUMP;
	case STREAM_SOCKET:
		s->packets = stream_has_packets(one->copy);
		return stream_is_connected(one->copy) ? METHOD_WRITES : METHOD_NONE;
	case STREAM_FILE:
		if (stream_is_our_output(&one->st))
			return METHOD_PUMP;
		/* What it reads there moves the offset, too. */
		return (one->flags & O_ACCMODE) == O_RDWR ? METHOD_WRITES
							  : file_method(s, &one->st);
	default:
		return METHOD_NONE;
	}
}

/* What it reads there. The offset of a file may be moved by others meanwhile, whose reads are not
 * told. */
static enum method inherited_input(const struct stream_capture *s, const struct inherited *list,
				   unsigned count, const struct inherited *one)
{
	if ((one->flags & O_ACCMODE) == O_WRONLY)
		return METHOD_NONE;
	if (s->kind == STREAM_SOCKET)
		return stream_is_connected(one->copy) ? METHOD_READS : METHOD_NONE;
	return s->kind == STREAM_PIPE && !has_other_end(list, count, one) ? METHOD_READS
									  : METHOD_NONE;
}

static struct stream_capture *next_place(struct capture *c, int fd, const struct inherited *one)
{
	struct stream_capture *s = &c->stream[c->count];

	if (c->count == STREAMS_MAX)
		return NULL;
	capture_stream_init(c, s, fd);
	s->kind = stream_kind_of(&one->st);
	return s;
}

/* Its stdin under another number, or an input of its own. */
static int add_inherited_input(struct capture *c, const struct inherited *list, unsigned count,
			       const struct inherited *one, struct error *err)
{
	const struct stream_capture *in = &c->stream[0];
	struct stream_capture *s = next_place(c, one->fd | STREAM_INPUT, one);

	if (!s || inherited_input(s, list, count, one) == METHOD_NONE)
		return 0;
	for (unsigned i = 0; i < c->count; i++) {
		if (c->stream[i].method == METHOD_READS && c->stream[i].device == one->st.st_dev &&
		    c->stream[i].inode == one->st.st_ino) {
			c->stdin_anywhere |= &c->stream[i] == in;
			return 0;
		}
	}
	c->count++;
	return begin(s, &one->st, METHOD_READS, err);
}

#define PUMPS_MAX (STREAM_SWAPS_MAX - 2) /* and stdout, stderr */

static unsigned count_pumps(const struct capture *c)
{
	unsigned pumps = 0;

	for (unsigned i = 3; i < c->count; i++)
		pumps += c->stream[i].method == METHOD_PUMP || c->stream[i].same_as != NULL;
	return pumps;
}

/* Takes over the copy. */
static int add_inherited_output(struct capture *c, const struct inherited *list, unsigned count,
				const struct inherited *one, struct error *err)
{
	struct stream_capture *s = next_place(c, one->fd, one);
	enum method method;

	if (!s || count_pumps(c) == PUMPS_MAX) {
		close(one->copy);
		return 0;
	}
	s->original = one->copy;
	c->count++;
	if (find_same(c, s, c->count - 1))
		return 0;
	method = inherited_output(s, list, count, one);
	if (method != METHOD_NONE)
		return begin(s, &one->st, method, err);
	c->count--; /* its place is free again */
	close(steal_fd(&s->original));
	return 0;
}

static int look_at_inherited(struct capture *c, struct error *err)
{
	struct inherited list[INHERITED_MAX];
	unsigned count = list_inherited(c, list);
	int r = 0;

	for (unsigned i = 0; r == 0 && i < count; i++)
		r = add_inherited_input(c, list, count, &list[i], err);
	for (unsigned i = 0; i < count; i++) {
		if (r == 0)
			r = add_inherited_output(c, list, count, &list[i], err);
		else
			close(list[i].copy);
	}
	return r;
}

/* A copy that is not needed must not keep a pipe alive: its writer waits for EPIPE. */
static void drop_unneeded(struct capture *c)
{
	for (unsigned i = 0; i < c->count; i++) {
		struct stream_capture *s = &c->stream[i];

		if (s->method != METHOD_PUMP && s->kind != STREAM_FILE && s->original >= 0)
			close(steal_fd(&s->original));
	}
}

int capture_look(struct capture *c, struct error *err)
{
	int r = 0;

	for (int fd = 0; r == 0 && fd <= 2; fd++)
		r = look_at(c, fd, err);
	if (r == 0)
		r = look_at_inherited(c, err);
	drop_unneeded(c);
	return r;
}
