#include "tape/capture_parts.h"

#include "base/cleanup.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is told */

int capture_add_chunk(struct capture *c, int fd, uint64_t len, uint64_t now_ns, struct error *err)
{
	uint64_t time_ns = now_ns - c->unit->time.start_ns;
	const struct stream *stream = fd < 0 ? NULL : unit_stream_const(c->unit, fd);
	bool apart = len == 0 || fd < 0 || c->host->last_event != c || (stream && stream->packets);
	int r = apart ? unit_add_chunk_apart(c->unit, fd, len, time_ns)
		      : unit_add_chunk(c->unit, fd, len, time_ns);

	c->host->last_event = c;
	return r < 0 ? error_no_memory(err) : 0;
}

struct stream *capture_stream_of(struct stream_capture *s)
{
	struct unit *u = s->owner->unit;
	struct stream *stream = unit_stream(u, s->fd);

	if (!stream) {
		stream = unit_add_stream(u, s->fd);
		if (stream) {
			stream->kind = s->kind;
			stream->packets = s->packets;
		}
	}
	return stream;
}

/* On the tape is what the reader could read. What a unit had written beyond, into our pipe, it
 * could not have written into its own. */
int capture_note(struct stream_capture *s, const char *bytes, size_t len, uint64_t now_ns,
		 struct error *err)
{
	struct capture *c = s->owner;
	int r = s->spool ? spool_add(s->spool, bytes, len, err) : 0;

	if (r < 0 || c->finished)
		return r;
	if (len > 0 && !capture_stream_of(s))
		return error_no_memory(err);
	return capture_add_chunk(c, s->fd, len, now_ns, err);
}

/* Replacing */

/* The writes to a file are in the file. */
static void stop_observing(struct capture *c)
{
	for (unsigned i = 0; i < c->count; i++) {
		struct stream_capture *s = &c->stream[i];
		struct stream *stream = s->fd == 0 ? unit_stream(c->unit, 0) : NULL;

		if (s->method == METHOD_WRITES && s->kind == STREAM_FILE) {
			s->method = METHOD_RANGE;
		} else if (s->method == METHOD_READS || s->method == METHOD_WRITES ||
			   s->method == METHOD_TERMINAL) {
			s->method = METHOD_NONE;
			if (stream)
				stream->unseen = true;
		}
	}
}

static struct stream_capture *stream_with(struct capture *c, int fd)
{
	struct stream_capture *s = c->stream;

	while (s->fd != fd)
		s++;
	return s;
}

void capture_stdin_ended(struct capture *c)
{
	struct stream *stream = unit_stream(c->unit, 0);

	if (stream && stream->unseen)
		stream->eof = true;
}

static int swapped(void *ctx, struct error *err)
{
	struct capture *c = ctx;
	int r = 0;

	if (!c->swaps.observe)
		stop_observing(c);
	for (unsigned i = 0; i < c->swaps.count; i++) {
		const struct stream_swap *swap = &c->swaps.swap[i];
		struct stream_capture *s = stream_with(c, swap->fd);

		if (swap->ours < 0)
			continue;
		s->source = swap->ours;
		if (r == 0)
			r = capture_watch_source(s, err);
	}
	return r;
}

static void list_swaps(struct capture *c)
{
	c->swaps = (struct stream_swaps){
		.observe = capture_observed(c), .done = swapped, .ctx = c, .count = 0};
	for (unsigned i = 1; i < c->count; i++) {
		const struct stream_capture *s = &c->stream[i];
		bool same = s->same_as && s->same_as->method == METHOD_PUMP;

		if (!same && s->method != METHOD_PUMP)
			continue;
		c->swaps.swap[c->swaps.count++] = (struct stream_swap){
			.fd = s->fd,
			.same_as = same ? s->same_as->fd : -1,
			.is_socket = s->kind == STREAM_SOCKET,
			.ours = -1,
		};
	}
}

void capture_stream_init(struct capture *c, struct stream_capture *s, int fd)
{
	*s = (struct stream_capture){.owner = c, .fd = fd, .original = -1, .source = -1};
}

int capture_new_spool(struct stream_capture *s, struct error *err)
{
	s->spool = spool_new(s->owner->host->tape_dir);
	return s->spool ? 0 : error_no_memory(err);
}

/* A unit whose streams cannot be replaced (a 32-bit program) runs all the same. */
static void leave_in_place(struct capture *c, const struct error *reason)
{
	session_say(c->host->session, TAPE_PROBLEM, "%s", reason->text);
	for (unsigned i = 0; i < c->count; i++) {
		struct stream_capture *s = &c->stream[i];

		if (s->kind == STREAM_FILE &&
		    (s->method == METHOD_WRITES || s->method == METHOD_RANGE)) {
			s->method = METHOD_RANGE;
			continue;
		}
		s->method = METHOD_NONE;
		if (s->original >= 0)
			close(steal_fd(&s->original));
	}
}

int capture_begin(struct capture_host *host, struct process *p, struct task *task, struct unit *u,
		  void *unit, struct capture **ret, struct error *err)
{
	struct capture *c = calloc(1, sizeof(*c));
	struct error reason = {0};
	int r;

	if (!c)
		return error_no_memory(err);
	c->host = host;
	c->process = p;
	c->unit = u;
	c->unit_ctx = unit;
	for (c->count = 0; c->count <= 2; c->count++)
		capture_stream_init(c, &c->stream[c->count], (int)c->count);
	r = capture_look(c, err);
	if (r < 0) {
		capture_free(c);
		return r;
	}
	*ret = c;
	list_swaps(c);
	r = intercept_swap_streams(host->interceptor, p, task, &c->swaps, &reason);
	if (r == ERR_UNSUPPORTED)
		leave_in_place(c, &reason);
	else if (r < 0 && err)
		*err = reason;
	return r == ERR_UNSUPPORTED ? 0 : r;
}

#define READ_SIZE 65536

/* What the unit wrote to (or read from) a regular file, read through an opening of our own. */
static int take_range(struct stream_capture *s, struct error *err)
{
	static char bytes[READ_SIZE];
	char path[64];
	cleanup_close int file = -1;
	off_t end = stream_position(s->original, s->fd == 0);
	off_t at = s->start;
	int r = 0;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", s->original);
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0 && end > at)
		return error_sys(err, errno,
				 "cannot read back what a unit wrote to the file that is its "
				 "stream %d",
				 s->fd);
	while (r == 0 && at < end) {
		size_t want = end - at < READ_SIZE ? (size_t)(end - at) : READ_SIZE;
		ssize_t n = pread(file, bytes, want, at);

		if (n < 0 && errno != EINTR)
			return error_sys(err, errno, "cannot read back stream %d of a unit", s->fd);
		if (n == 0)
			break; /* truncated meanwhile */
		if (n > 0) {
			r = spool_add(s->spool, bytes, (size_t)n, err);
			at += n;
		}
	}
	return r;
}

static int keep_payload(struct stream_capture *s, bool is_tail, struct error *err)
{
	struct stream *stream =
		s->fd <= 2 || spool_size(s->spool) > 0 ? capture_stream_of(s) : NULL;

	if (!stream)
		return s->fd <= 2 || spool_size(s->spool) > 0 ? error_no_memory(err) : 0;
	return spool_finish(s->spool, s->owner->host->session->roots,
			    is_tail ? &stream->tail : &stream->data, err);
}

/* An output that is told by the calls of whatever process of the unit. */
static bool is_written(const struct stream_capture *s)
{
	return s->method == METHOD_WRITES || (s->method == METHOD_TERMINAL && s->fd > 0);
}

/* Whether it was seen to write more than it went ahead: it went back in the file in between. */
static bool wrote_over_its_own(const struct stream_capture *s)
{
	return s->method == METHOD_WRITES && s->kind == STREAM_FILE &&
	       !stream_appends(s->original) &&
	       stream_position(s->original, false) - s->start < (off_t)spool_size(s->spool);
}

static int take_range_instead(struct stream_capture *s, struct error *err)
{
	int r;

	unit_forget_chunks(s->owner->unit, s->fd);
	spool_free(s->spool);
	s->spool = NULL;
	r = capture_new_spool(s, err);
	return r < 0 ? r : take_range(s, err);
}

/* Whether it read a file up to its end: another file that only begins alike is another stdin. */
static void note_end_of_file(const struct stream_capture *s)
{
	struct stream *stream = unit_stream(s->owner->unit, 0);
	struct stat st;
	off_t end = stream_position(s->original, true);

	if (stream && end > s->start && fstat(s->original, &st) == 0)
		stream->eof = end >= st.st_size;
}

/* Who reads it has met the end, though the unit, or what is left of it, still runs. */
static int note_closed(struct stream_capture *s, struct error *err)
{
	struct unit *u = s->owner->unit;
	struct stream *stream = unit_stream(u, s->fd);

	if (!stream || u->end.how != END_UNFINISHED || s->closed_ns == 0)
		return 0;
	stream->eof = true;
	return capture_add_chunk(s->owner, s->fd, 0, s->closed_ns, err);
}

static int finish_stream(struct stream_capture *s, struct error *err)
{
	int r = 0;

	if (!s->spool)
		return 0;
	if (s->method == METHOD_RANGE)
		r = take_range(s, err);
	else if (wrote_over_its_own(s))
		r = take_range_instead(s, err);
	if (s->method == METHOD_RANGE && s->fd == 0)
		note_end_of_file(s);
	if (r == 0)
		r = keep_payload(s, false, err);
	if (r == 0)
		r = note_closed(s, err);
	spool_free(s->spool);
	s->spool = NULL;
	if (r == 0 && (s->source >= 0 || is_written(s)))
		r = capture_new_spool(s, err);
	return r;
}

/* What goes both ways by one socket is a conversation. */
static bool speaks_by_socket(const struct capture *c)
{
	for (unsigned i = 3; i < c->count; i++) {
		const struct stream_capture *s = &c->stream[i];

		if (s->kind == STREAM_SOCKET && stream_is_input(s->fd) &&
		    unit_stream(c->unit, s->fd))
			return true;
	}
	return false;
}

static bool has_packets(const struct capture *c)
{
	for (unsigned i = 1; i < c->count; i++) {
		if (c->stream[i].packets)
			return true;
	}
	return false;
}

/* A conversation has an order that means something, unlike the times of output; so have stops and
 * signals that it sends, and what comes before and after them, and where one packet ends. */
static bool has_order(const struct capture *c)
{
	return capture_has_terminal(c) || speaks_by_socket(c) || has_packets(c) ||
	       c->unit->stop_count > 0 || c->unit->sent_count > 0;
}

static int keep_order(struct unit *u, struct error *err)
{
	for (size_t i = 0; i < u->time.chunk_count; i++) {
		if (unit_add_order(u, &u->time.chunks[i]) < 0)
			return error_no_memory(err);
	}
	return 0;
}

int capture_finish(struct capture *c, struct error *err)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < c->count; i++)
		r = finish_stream(&c->stream[i], err);
	c->finished = true;
	return r < 0 || !has_order(c) ? r : keep_order(c->unit, err);
}

void capture_unit_gone(struct capture *c)
{
	c->gone = true;
}

bool capture_ended(const struct capture *c)
{
	for (unsigned i = 1; i < c->count; i++) {
		const struct stream_capture *s = &c->stream[i];

		if (s->source >= 0 || (is_written(s) && !c->gone))
			return false;
	}
	return true;
}

int capture_finish_tails(struct capture *c, bool *ret_any, struct error *err)
{
	int r = 0;

	*ret_any = false;
	for (unsigned i = 1; r == 0 && i < c->count; i++) {
		struct stream_capture *s = &c->stream[i];

		if (!s->spool || spool_size(s->spool) == 0)
			continue;
		*ret_any = true;
		r = keep_payload(s, true, err);
	}
	return r;
}

void capture_stop(struct capture *c)
{
	c->finished = true;
	for (unsigned i = 0; i < c->count; i++) {
		spool_free(c->stream[i].spool);
		c->stream[i].spool = NULL;
	}
}

void capture_free(struct capture *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < c->count; i++) {
		struct stream_capture *s = &c->stream[i];

		capture_close_source(s);
		spool_free(s->spool);
		buf_free(&s->pending);
	}
	free(c);
}
