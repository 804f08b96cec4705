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

static enum method output_method(const struct stat *st, enum stream_kind kind)
{
	if (kind == STREAM_TTY)
		return METHOD_TERMINAL;
	if (kind == STREAM_PIPE || kind == STREAM_SOCKET || stream_is_our_output(st))
		return METHOD_PUMP;
	return kind == STREAM_FILE ? METHOD_RANGE : METHOD_NONE;
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

/* A range holds what everybody writes to the file meanwhile, the subject not least. */
static int begin_range(struct stream_capture *s, struct error *err)
{
	s->start = stream_position(s->original, s->fd == 0);
	if (s->fd == 0 || !stream_is_its_parents(s->original, s->owner->process->pid))
		return 0;
	s->writes = spool_new(s->owner->host->tape_dir);
	return s->writes ? 0 : error_no_memory(err);
}

static int begin(struct stream_capture *s, const struct stat *st, enum method method,
		 struct error *err)
{
	int r = 0;

	s->method = method;
	s->device = st->st_dev;
	s->inode = st->st_ino;
	if (method == METHOD_RANGE)
		r = begin_range(s, err);
	return r < 0 || method == METHOD_NONE ? r : capture_new_spool(s, err);
}

static int look_at(struct capture *c, int fd, struct error *err)
{
	struct stream_capture *s = &c->stream[fd];
	struct stream *stream = unit_add_stream(c->unit, fd);
	struct stat st;
	int copy;

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
	return begin(s, &st, fd == 0 ? input_method(&st, s->kind) : output_method(&st, s->kind),
		     err);
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

/* Whether the unit can read from the pipe as well: it is a job server's, say, whose tokens come
 * back by the way that they went. */
static bool has_reader(const struct inherited *list, unsigned count, const struct inherited *pipe)
{
	for (unsigned i = 0; i < count; i++) {
		if ((list[i].flags & O_ACCMODE) != O_WRONLY &&
		    list[i].st.st_ino == pipe->st.st_ino && list[i].st.st_dev == pipe->st.st_dev)
			return true;
	}
	return false;
}

/* What only goes one way can be told: what a socket carries in the other is not known. And the
 * range of a file belongs to one writer: such a descriptor is mostly one that others write to, too.
 */
static enum method inherited_method(const struct inherited *list, unsigned count,
				    const struct inherited *one)
{
	enum stream_kind kind = stream_kind_of(&one->st);

	if ((one->flags & O_ACCMODE) != O_WRONLY)
		return METHOD_NONE;
	if (kind == STREAM_PIPE && !has_reader(list, count, one))
		return METHOD_PUMP;
	return kind == STREAM_FILE && stream_is_our_output(&one->st) ? METHOD_PUMP : METHOD_NONE;
}

static int look_at_inherited(struct capture *c, struct error *err)
{
	struct inherited list[INHERITED_MAX];
	unsigned count = list_inherited(c, list);
	int r = 0;

	for (unsigned i = 0; i < count; i++) {
		enum method method = inherited_method(list, count, &list[i]);
		struct stream_capture *s = &c->stream[c->count];

		if (r < 0 || c->count == STREAMS_MAX) {
			close(list[i].copy);
			continue;
		}
		capture_stream_init(c, s, list[i].fd);
		s->original = list[i].copy;
		s->kind = stream_kind_of(&list[i].st);
		c->count++;
		if (find_same(c, s, c->count - 1))
			continue;
		if (method == METHOD_NONE) { /* its place is free again */
			c->count--;
			close(steal_fd(&s->original));
		} else {
			r = begin(s, &list[i].st, method, err);
		}
	}
	return r;
}

/* A copy that is not needed must not keep a pipe alive: its writer waits for EPIPE. */
static void drop_unneeded(struct capture *c)
{
	for (unsigned i = 0; i < c->count; i++) {
		struct stream_capture *s = &c->stream[i];

		if (s->method != METHOD_PUMP && s->method != METHOD_RANGE && s->original >= 0)
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
