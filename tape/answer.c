#include "tape/answer_parts.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* How an event shows to others: what it reads and waits for, nobody sees. */
static bool is_visible(const struct event *event)
{
	return event->kind != EVENT_READ && event->kind != EVENT_TAKE &&
	       event->kind != EVENT_SIGNAL && event->kind != EVENT_HOLD;
}

size_t answer_index_of(const struct unit *u, int fd)
{
	size_t i = 0;

	while (i < u->stream_count && u->streams[i].fd != fd)
		i++;
	return i;
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
		a->stdin_want = a->views[answer_index_of(a->record, 0)].len;
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
	a->seen[answer_index_of(record, 0)] = stdin_taken;
	r = load(a, reader, roots, err);
	set_stdin_want(a);
	if (r == 0 && answer_list_events(a) < 0)
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
	size_t used;	   /* of out->data */
	bool shows;	   /* something in it is seen by others, */
	uint64_t shown_ns; /* and was so last at this time of the recording */
};

/* Who had so much time between two things that it could see has seen the first by itself: of what
 * was written to two pipes in turns, and of what came in pieces. */
#define NOTICE_NS UINT64_C(1000000)

static bool is_noticed_first(const struct batch *b, uint64_t next_ns)
{
	return b->shows && next_ns >= b->shown_ns + NOTICE_NS;
}

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
		return add_op(b, STUB_WAIT_SIGNAL, event->arg, event->len);
	case EVENT_MODE:
		return give_mode(b, event);
	case EVENT_STOP:
		return add_op(b, STUB_STOP, event->arg, 0);
	case EVENT_SENT:
		return add_op(b, STUB_TELL, event->arg, 0);
	case EVENT_HOLD:
		return add_op(b, STUB_HOLD, 0, event->len);
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
	const bool has_turns = limit_ns != UINT64_MAX;

	while (a->next < until) {
		struct event *event = &a->event[a->next];
		bool visible = is_visible(event);

		if (visible && event->time_ns > limit_ns)
			return false;
		if (has_turns && (visible ? is_noticed_first(b, event->time_ns) : b->shows))
			return false;
		if (visible)
			b->shown_ns = event->time_ns;
		b->shows |= visible;
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
	struct batch b = {.out = ret};
	bool whole;

	memset(ret, 0, offsetof(struct stub_answer, data));
	set_end(a->record, ret);
	ret->stdin_want = a->stdin_want;
	ret->report_blocked = limit_ns != UINT64_MAX;
	ret->signal_mask = a->signal_mask;
	whole = give_events(a, &b, a->head_count, limit_ns) && a->end_ns <= limit_ns &&
		(limit_ns == UINT64_MAX || !is_noticed_first(&b, a->end_ns));
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
	size_t i = answer_index_of(a->record, fd ? fd | STREAM_INPUT : 0);
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
	size_t i = answer_index_of(a->record, fd);

	return i == a->record->stream_count ? 0 : a->seen[i];
}
