#include "tape/answer_parts.h"

#include "base/array.h"
#include "tape/streams.h"
#include <signal.h>

static int add_event(struct answer *a, const struct event *event)
{
	struct event *grown = array_grow(a->event, a->event_count, sizeof(*grown));

	if (!grown)
		return ERR_NOMEM;
	a->event = grown;
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

#define MISSED_MS    100
#define MISSED_TIMES 2
#define NS_PER_MS    1000000

/* How long it may take until it comes: it was on its way for so long in the recording. */
static size_t patience_ms(const struct answer *a, uint64_t time_ns)
{
	uint64_t start_ns = a->record->time.start_ns;
	uint64_t after_ns = time_ns > start_ns ? time_ns - start_ns : 0;

	return after_ns / NS_PER_MS * MISSED_TIMES + MISSED_MS;
}

/* Equal signals that come together are one to a process (signal(7)): it waits for one. */
static int add_signal(struct answer *a, uint64_t time_ns)
{
	const struct unit *u = a->record;
	size_t index = a->signals_named;
	const struct event *last = a->event_count ? &a->event[a->event_count - 1] : NULL;
	struct event event = {
		.kind = EVENT_SIGNAL, .len = patience_ms(a, time_ns), .time_ns = time_ns};

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

static int add_sent(struct answer *a, uint64_t index, uint64_t time_ns)
{
	struct event event = {.kind = EVENT_SENT, .time_ns = time_ns};

	if (index >= a->record->sent_count)
		return 0;
	event.arg = a->record->sent[index];
	a->sent_named = index + 1;
	return add_event(a, &event);
}

static int add_part(struct answer *a, const struct chunk *chunk, uint64_t time_ns)
{
	size_t i = answer_index_of(a->record, chunk->fd);
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
	case CHUNK_SENT:
		return add_sent(a, chunk->len, time_ns);
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
	while (r == 0 && a->sent_named < u->sent_count)
		r = add_sent(a, a->sent_named, a->end_ns);
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

int answer_hold(struct answer *a, size_t ask_ms)
{
	struct event event = {.kind = EVENT_HOLD, .len = ask_ms, .time_ns = a->end_ns};
	int r = add_event(a, &event);

	a->head_count = a->event_count;
	return r;
}

int answer_list_events(struct answer *a)
{
	int r = add_head(a);

	return r < 0 ? r : add_tails(a);
}
