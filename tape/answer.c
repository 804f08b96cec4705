#include "tape/answer.h"

#include "tape/streams.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum event_kind {
	EVENT_WRITE,
	EVENT_READ, /* of stdin */
	EVENT_TAKE, /* of an input above 2 */
	EVENT_SIGNAL,
	EVENT_MODE,
	EVENT_STOP,
	EVENT_CLOSE
};

/* Something that the unit did, or that was done to it. */
struct event {
	enum event_kind kind;
	int arg; /* writes, takes, closes: the descriptor; signals and stops; modes: the request */
	bool whole;	  /* writes: a packet */
	const char *data; /* writes, modes */
	size_t len;	  /* what is left of it; takes: how much, or STUB_STDIN_ALL */
	uint64_t until;	  /* reads: so much of stdin in all */
	uint64_t time_ns; /* of the recording */
};

struct answer {
	const struct unit *record;
	struct payload_view *views; /* of the streams, then of their tails */
	uint64_t *named;	    /* how much of each stream the chunks have named so far */
	uint64_t *seen;		    /* how much of each input the stub has taken, all as recorded */
	struct event *event;
	size_t event_count;
	size_t head_count; /* events before the end; the rest are tails */
	size_t next;
	size_t signals_named;
	size_t stops_named;
	uint64_t end_ns;
	uint64_t stdin_want;
	uint64_t signal_mask; /* bit n - 1: it waits for the signal n */
	bool left;	      /* the tail has begun */
};

/* How an event shows to others: what it reads and waits for, nobody sees. */
static bool is_visible(const struct event *event)
{
	return event->kind != EVENT_READ && event->kind != EVENT_TAKE &&
	       event->kind != EVENT_SIGNAL;
}

static int add_event(struct answer *a, const struct event *event)
{
	size_t count = a->event_count;

	/* Grows by doubling: every power of two is the moment for it. */
	if (!a->event || (count & (count - 1)) == 0) {
		struct event *grown = reallocarray(a->event, count ? 2 * count : 1, sizeof(*grown));

		if (!grown)
			return ERR_NOMEM;
		a->event = grown;
	}
	a->event[a->event_count++] = *event;
	return 0;
}

static int add_write(struct answer *a, int fd, const char *data, size_t len, uint64_t time_ns)
{
	const struct stream *stream = unit_stream_const(a->record, fd);
	struct event event = {.kind = EVENT_WRITE,
			      .arg = fd,
			      .whole = stream && stream->packets,
			      .data = data,
			      .len = len,
			      .time_ns = time_ns};

	return len > 0 ? add_event(a, &event) : 0;
}

static int add_read(struct answer *a, uint64_t until, uint64_t time_ns)
{
	struct event event = {.kind = EVENT_READ, .until = until, .time_ns = time_ns};

	return until > 0 ? add_event(a, &event) : 0;
}

static int add_take(struct answer *a, int fd, uint64_t len, uint64_t time_ns)
{
	struct event event = {
		.kind = EVENT_TAKE, .arg = fd & ~STREAM_INPUT, .len = len, .time_ns = time_ns};

	return len > 0 ? add_event(a, &event) : 0;
}

/* By default it stops the process, or cannot be waited for: the kernel does to the stub what it did
 * to the unit, and there is nothing to wait for. */
static bool cannot_be_awaited(int signal)
{
	return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU ||
	       signal == SIGKILL || signal < 1 || signal > 64;
}

/* Whether the unit ended by this signal of its list, or never ended: the end waits for it then. */
static bool is_last(const struct unit *u, size_t index)
{
	if (u->end.how == END_UNFINISHED)
		return true;
	if (u->end.how != END_SIGNALED || u->signals[index] != u->end.signal)
		return false;
	for (size_t i = index + 1; i < u->signal_count; i++) {
		if (u->signals[i] == u->end.signal)
			return false;
	}
	return true;
}

/* Equal signals that come together are one to a process (signal(7)): it waits for one. */
static int add_signal(struct answer *a, uint64_t time_ns)
{
	const struct unit *u = a->record;
	size_t index = a->signals_named;
	const struct event *last = a->event_count ? &a->event[a->event_count - 1] : NULL;
	struct event event = {.kind = EVENT_SIGNAL, .time_ns = time_ns};

	if (index >= u->signal_count)
		return 0;
	a->signals_named++;
	event.arg = u->signals[index];
	if (cannot_be_awaited(event.arg) || is_last(u, index) ||
	    (last && last->kind == EVENT_SIGNAL && last->arg == event.arg))
		return 0;
	a->signal_mask |= UINT64_C(1) << (event.arg - 1);
	return add_event(a, &event);
}

static int add_mode(struct answer *a, uint64_t index, uint64_t time_ns)
{
	const struct mode *mode = index < a->record->mode_count ? &a->record->modes[index] : NULL;
	struct event event = {.kind = EVENT_MODE, .time_ns = time_ns};

	if (!mode || !terminal_request(mode, &event.arg))
		return 0;
	event.data = mode->termios.data;
	event.len = mode->termios.len;
	return add_event(a, &event);
}

static int add_stop(struct answer *a, uint64_t index, uint64_t time_ns)
{
	struct event event = {.kind = EVENT_STOP, .time_ns = time_ns};

	if (index >= a->record->stop_count)
		return 0;
	event.arg = a->record->stops[index];
	a->stops_named = index + 1;
	return add_event(a, &event);
}

/* The index of the stream in the record, or stream_count. */
static size_t index_of(const struct unit *u, int fd)
{
	size_t i = 0;

	while (i < u->stream_count && u->streams[i].fd != fd)
		i++;
	return i;
}

static int add_part(struct answer *a, const struct chunk *chunk, uint64_t time_ns)
{
	size_t i = index_of(a->record, chunk->fd);
	uint64_t at;
	uint64_t len;

	if (i == a->record->stream_count)
		return 0;
	if (chunk->fd == 0 && chunk->len == 0)
		return add_read(a, STUB_STDIN_ALL, time_ns);
	if (stream_is_input(chunk->fd) && chunk->len == 0)
		return add_take(a, chunk->fd, STUB_STDIN_ALL, time_ns);
	at = a->named[i];
	len = a->views[i].len - at < chunk->len ? a->views[i].len - at : chunk->len;
	a->named[i] += len;
	if (chunk->fd == 0)
		return add_read(a, a->named[i], time_ns);
	if (stream_is_input(chunk->fd))
		return add_take(a, chunk->fd, len, time_ns);
	return add_write(a, chunk->fd, a->views[i].data + at, len, time_ns);
}

static int add_chunk(struct answer *a, const struct chunk *chunk)
{
	uint64_t time_ns = a->record->time.start_ns + chunk->time_ns;

	switch (chunk->fd) {
	case CHUNK_SIGNAL:
		return add_signal(a, time_ns);
	case CHUNK_MODE:
		return add_mode(a, chunk->len, time_ns);
	case CHUNK_STOP:
		return add_stop(a, chunk->len, time_ns);
	default:
		return add_part(a, chunk, time_ns);
	}
}

/* What the chunks do not name (a file's bytes; a tape without timing) comes at the end. */
static int add_rest(struct answer *a)
{
	const struct unit *u = a->record;
	int r = 0;

	for (size_t i = 0; r == 0 && i < u->stream_count; i++) {
		if (!stream_is_input(u->streams[i].fd))
			r = add_write(a, u->streams[i].fd, a->views[i].data + a->named[i],
				      a->views[i].len - a->named[i], a->end_ns);
	}
	while (r == 0 && a->stops_named < u->stop_count)
		r = add_stop(a, a->stops_named, a->end_ns);
	while (r == 0 && a->signals_named < u->signal_count)
		r = add_signal(a, a->end_ns);
	return r;
}

static uint64_t named_in_all(const struct chunk *chunks, size_t count, int fd)
{
	uint64_t named = 0;

	for (size_t i = 0; i < count; i++) {
		if (chunks[i].fd == fd)
			named += chunks[i].len;
	}
	return named;
}

static bool reads_to_end(const struct chunk *chunks, size_t count, int fd)
{
	for (size_t i = 0; i < count; i++) {
		if (chunks[i].fd == fd && chunks[i].len == 0)
			return true;
	}
	return false;
}

static bool reads_all(const struct answer *a)
{
	for (size_t i = 0; i < a->event_count; i++) {
		if (a->event[i].kind == EVENT_READ && a->event[i].until == STUB_STDIN_ALL)
			return true;
	}
	return false;
}

/* Without its order, an input is taken before anything is written. */
static int add_unordered_inputs(struct answer *a, const struct chunk *chunks, size_t count)
{
	const struct unit *u = a->record;
	int r = 0;

	for (size_t i = 0; r == 0 && i < u->stream_count; i++) {
		int fd = u->streams[i].fd;

		if (!stream_is_input(fd) || named_in_all(chunks, count, fd) >= a->views[i].len)
			continue;
		a->named[i] = a->views[i].len;
		if (fd == 0)
			r = add_read(a, a->stdin_want, u->time.start_ns);
		else
			r = add_take(a, fd, a->views[i].len, u->time.start_ns);
	}
	return r;
}

/* The end of an input may not be among the chunks. */
static int add_input_ends(struct answer *a, const struct chunk *chunks, size_t count)
{
	const struct unit *u = a->record;
	int r = 0;

	if (a->stdin_want == STUB_STDIN_ALL && !reads_all(a))
		r = add_read(a, STUB_STDIN_ALL, a->end_ns);
	for (size_t i = 0; r == 0 && i < u->stream_count; i++) {
		const struct stream *s = &u->streams[i];

		if (s->fd != 0 && stream_is_input(s->fd) && s->eof &&
		    !reads_to_end(chunks, count, s->fd))
			r = add_take(a, s->fd, STUB_STDIN_ALL, a->end_ns);
	}
	return r;
}

static uint64_t closing_time(const struct answer *a, int fd)
{
	const struct unit_time *time = &a->record->time;

	for (size_t i = time->chunk_count; i > 0; i--) {
		if (time->chunks[i - 1].fd == fd && time->chunks[i - 1].len == 0)
			return time->start_ns + time->chunks[i - 1].time_ns;
	}
	return a->end_ns;
}

/* What a unit closed that never ended. */
static int add_closes(struct answer *a)
{
	const struct unit *u = a->record;
	int r = 0;

	for (size_t i = 0; r == 0 && i < u->stream_count; i++) {
		const struct stream *s = &u->streams[i];
		const struct stream *bytes =
			s->kind == STREAM_SAME ? unit_stream_const(u, s->same_as) : s;
		struct event event = {.kind = EVENT_CLOSE, .arg = s->fd};

		if (stream_is_input(s->fd) || !bytes || stream_is_input(bytes->fd) || !bytes->eof)
			continue;
		event.time_ns = closing_time(a, bytes->fd);
		r = add_event(a, &event);
	}
	return r;
}

static int add_head(struct answer *a)
{
	const struct unit *u = a->record;
	const struct unit_time *time = &u->time;
	const struct chunk *chunks = time->chunk_count ? time->chunks : u->order;
	size_t count = time->chunk_count ? time->chunk_count : u->order_count;
	int r = add_unordered_inputs(a, chunks, count);

	for (size_t i = 0; r == 0 && i < count; i++)
		r = add_chunk(a, &chunks[i]);
	if (r == 0)
		r = add_rest(a);
	if (r == 0)
		r = add_input_ends(a, chunks, count);
	if (r == 0 && u->end.how == END_UNFINISHED)
		r = add_closes(a);
	a->head_count = a->event_count;
	return r;
}

static int add_tails(struct answer *a)
{
	const struct unit *u = a->record;
	int r = 0;

	for (size_t i = 0; r == 0 && i < u->stream_count; i++) {
		const struct payload_view *tail = &a->views[u->stream_count + i];

		r = add_write(a, u->streams[i].fd, tail->data, tail->len, a->end_ns);
	}
	return r;
}

static int load(struct answer *a, const struct tape_reader *reader, const struct roots *roots,
		struct error *err)
{
	const struct unit *u = a->record;
	int r = 0;

	for (size_t i = 0; r == 0 && i < u->stream_count; i++) {
		r = tape_reader_payload(reader, &u->streams[i].data, roots, &a->views[i], err);
		if (r == 0)
			r = tape_reader_payload(reader, &u->streams[i].tail, roots,
						&a->views[u->stream_count + i], err);
	}
	return r;
}

static void set_stdin_want(struct answer *a)
{
	const struct stream *stream = unit_stream_const(a->record, 0);

	/* A file may have grown since: there the end says which record is meant, and no more. */
	if (stream && stream->eof && stream->kind != STREAM_FILE)
		a->stdin_want = STUB_STDIN_ALL;
	else if (stream)
		a->stdin_want = a->views[index_of(a->record, 0)].len;
}

int answer_new(const struct tape_reader *reader, const struct roots *roots,
	       const struct unit *record, uint64_t stdin_taken, struct answer **ret,
	       struct error *err)
{
	struct answer *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return error_no_memory(err);
	a->record = record;
	a->end_ns = record->time.start_ns + record->time.duration_ns;
	a->views = calloc(2 * record->stream_count + 1, sizeof(*a->views));
	a->named = calloc(record->stream_count + 1, sizeof(*a->named));
	a->seen = calloc(record->stream_count + 1, sizeof(*a->seen));
	if (!a->views || !a->named || !a->seen) {
		answer_free(a);
		return error_no_memory(err);
	}
	a->seen[index_of(record, 0)] = stdin_taken;
	r = load(a, reader, roots, err);
	set_stdin_want(a);
	if (r == 0 && (add_head(a) < 0 || add_tails(a) < 0))
		r = error_no_memory(err);
	if (r < 0) {
		answer_free(a);
		return r;
	}
	*ret = a;
	return 0;
}

void answer_free(struct answer *a)
{
	if (!a)
		return;
	for (size_t i = 0; a->views && i < 2 * a->record->stream_count; i++)
		payload_view_clear(&a->views[i]);
	free(a->views);
	free(a->named);
	free(a->seen);
	free(a->event);
	free(a);
}

/* Room in one batch of operations. */
struct batch {
	struct stub_answer *out;
	size_t used; /* of out->data */
};

static bool add_op(struct batch *b, uint32_t kind, int32_t arg, uint64_t len)
{
	/* One slot stays free for STUB_MORE. */
	if (b->out->op_count + 1 >= STUB_OPS_MAX)
		return false;
	b->out->op[b->out->op_count++] = (struct stub_op){kind, arg, b->used, len};
	return true;
}

/* As much of the bytes as fits. Whether all of it did. */
static bool give_bytes(struct batch *b, struct event *event)
{
	size_t room = STUB_DATA_MAX - b->used;
	size_t len = event->len < room ? event->len : room;
	enum stub_op_kind kind = event->whole ? STUB_SEND : STUB_WRITE;

	/* What no room can hold is no packet of ours. */
	if (event->whole && len < event->len && b->used > 0)
		return false;
	if (len == 0 || !add_op(b, kind, event->arg, len))
		return false;
	memcpy(b->out->data + b->used, event->data, len);
	b->used += len;
	event->data += len;
	event->len -= len;
	return event->len == 0;
}

static bool give_mode(struct batch *b, const struct event *event)
{
	if (event->len > STUB_DATA_MAX - b->used || !add_op(b, STUB_MODE, event->arg, event->len))
		return false;
	memcpy(b->out->data + b->used, event->data, event->len);
	b->used += event->len;
	return true;
}

/* Whether all of it did fit. */
static bool give_event(struct batch *b, struct event *event)
{
	switch (event->kind) {
	case EVENT_READ:
		return add_op(b, STUB_READ, 0, event->until);
	case EVENT_TAKE:
		return add_op(b, STUB_TAKE, event->arg, event->len);
	case EVENT_SIGNAL:
		return add_op(b, STUB_WAIT_SIGNAL, event->arg, 0);
	case EVENT_MODE:
		return give_mode(b, event);
	case EVENT_STOP:
		return add_op(b, STUB_STOP, event->arg, 0);
	case EVENT_CLOSE:
		return add_op(b, STUB_CLOSE, event->arg, 0);
	default:
		return give_bytes(b, event);
	}
}

/* Who has turns says when it is done with what others see, before it reads or waits: that may take
 * its time, and the others need not wait for it. */
static bool give_events(struct answer *a, struct batch *b, size_t until, uint64_t limit_ns)
{
	bool any_visible = false;

	while (a->next < until) {
		struct event *event = &a->event[a->next];

		if (is_visible(event) && event->time_ns > limit_ns)
			return false;
		if (!is_visible(event) && any_visible && limit_ns != UINT64_MAX)
			return false;
		any_visible |= is_visible(event);
		if (!give_event(b, event))
			return false;
		a->next++;
	}
	return true;
}

static bool was_sent(const struct unit *u, int signal)
{
	for (size_t i = 0; i < u->signal_count; i++) {
		if (u->signals[i] == signal)
			return true;
	}
	return false;
}

static void set_end(const struct unit *u, struct stub_answer *out)
{
	switch (u->end.how) {
	case END_EXITED:
		out->end_kind = STUB_EXIT;
		out->end_arg = u->end.code;
		break;
	case END_SIGNALED:
		out->end_kind = was_sent(u, u->end.signal) ? STUB_KILLED : STUB_KILL;
		out->end_arg = u->end.signal;
		out->keep_core = u->end.core;
		break;
	default: /* unfinished: it never ended while the subject lived */
		out->end_kind = STUB_KILLED;
		out->end_arg = SIGKILL;
		break;
	}
}

void answer_next(struct answer *a, uint64_t limit_ns, struct stub_answer *ret, size_t *ret_len)
{
	struct batch b = {ret, 0};
	bool whole;

	memset(ret, 0, offsetof(struct stub_answer, data));
	set_end(a->record, ret);
	ret->stdin_want = a->stdin_want;
	ret->report_blocked = limit_ns != UINT64_MAX;
	ret->signal_mask = a->signal_mask;
	whole = give_events(a, &b, a->head_count, limit_ns) && a->end_ns <= limit_ns;
	if (whole && a->next < a->event_count && !a->left)
		whole = a->left = add_op(&b, STUB_LEAVE, 0, 0);
	if (whole)
		whole = give_events(a, &b, a->event_count, UINT64_MAX);
	if (!whole)
		ret->op[ret->op_count++] = (struct stub_op){STUB_MORE, 0, 0, 0};
	*ret_len = offsetof(struct stub_answer, data) + b.used;
}

uint64_t answer_signals(const struct answer *a)
{
	return a->signal_mask;
}

uint64_t answer_time(const struct answer *a)
{
	for (size_t i = a->next; i < a->head_count; i++) {
		if (is_visible(&a->event[i]))
			return a->event[i].time_ns;
	}
	return a->end_ns;
}

bool answer_is_hidden(const struct answer *a)
{
	return a->next < a->head_count && !is_visible(&a->event[a->next]);
}

bool answer_is_complete(const struct stub_answer *ops)
{
	for (unsigned i = 0; i < ops->op_count; i++) {
		if (ops->op[i].kind != STUB_WRITE && ops->op[i].kind != STUB_SEND)
			return false;
	}
	return ops->end_kind != STUB_KILLED;
}

bool answer_check_input(struct answer *a, int fd, const char *data, size_t len)
{
	size_t i = index_of(a->record, fd ? fd | STREAM_INPUT : 0);
	const struct payload_view *view = &a->views[i];
	bool same;

	if (i == a->record->stream_count)
		return len == 0;
	if (a->record->streams[i].unseen)
		return true;
	if (len == 0)
		return a->seen[i] == view->len;
	same = a->seen[i] + len <= view->len && memcmp(view->data + a->seen[i], data, len) == 0;
	if (same)
		a->seen[i] += len;
	return same;
}

uint64_t answer_input_agreed(const struct answer *a, int fd)
{
	size_t i = index_of(a->record, fd);

	return i == a->record->stream_count ? 0 : a->seen[i];
}
