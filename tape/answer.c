#include "tape/answer.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* Something that the unit did. */
struct event {
	int fd;		  /* 0: it read */
	const char *data; /* writes */
	size_t len;	  /* writes: what is left of it */
	uint64_t until;	  /* reads: so much of stdin in all */
	uint64_t time_ns; /* of the recording */
};

struct answer {
	const struct unit *record;
	struct payload_view *views; /* of the streams, then of their tails */
	size_t view_count;
	struct event *event;
	size_t event_count;
	size_t head_count; /* events before the end; the rest are tails */
	size_t next;
	uint64_t end_ns;
	uint64_t stdin_want;
	uint64_t stdin_seen; /* and found to be the same */
	size_t next_signal;
	bool left; /* the tail has begun */
};

static int add_event(struct answer *a, const struct event *event)
{
	struct event *grown = realloc(a->event, (a->event_count + 1) * sizeof(*grown));

	if (!grown)
		return ERR_NOMEM;
	a->event = grown;
	a->event[a->event_count++] = *event;
	return 0;
}

static int add_write(struct answer *a, int fd, const char *data, size_t len, uint64_t time_ns)
{
	struct event event = {.fd = fd, .data = data, .len = len, .time_ns = time_ns};

	return len > 0 ? add_event(a, &event) : 0;
}

static int add_read(struct answer *a, uint64_t until, uint64_t time_ns)
{
	struct event event = {.until = until, .time_ns = time_ns};

	return until > 0 ? add_event(a, &event) : 0;
}

static const struct payload_view *view_of(const struct answer *a, int fd, bool tail)
{
	for (size_t i = 0; i < a->record->stream_count; i++) {
		if (a->record->streams[i].fd == fd)
			return &a->views[tail ? a->record->stream_count + i : i];
	}
	return NULL;
}

/* How much of each stream the chunks have named so far. */
struct progress {
	uint64_t at[3];
};

static int add_chunk(struct answer *a, const struct chunk *chunk, struct progress *progress)
{
	const struct payload_view *view =
		chunk->fd >= 0 && chunk->fd <= 2 ? view_of(a, chunk->fd, false) : NULL;
	uint64_t time_ns = a->record->time.start_ns + chunk->time_ns;
	uint64_t *at;
	uint64_t len;

	if (!view)
		return 0;
	at = &progress->at[chunk->fd];
	if (chunk->fd == 0 && chunk->len == 0)
		return add_read(a, STUB_STDIN_ALL, time_ns);
	len = view->len - *at < chunk->len ? view->len - *at : chunk->len;
	*at += len;
	if (chunk->fd == 0)
		return add_read(a, *at, time_ns);
	return add_write(a, chunk->fd, view->data + *at - len, len, time_ns);
}

/* What the chunks do not name (a file's bytes; a tape without timing): stdin first, output last. */
static int add_rest(struct answer *a, const struct progress *progress)
{
	int r = 0;

	for (int fd = 1; r == 0 && fd <= 2; fd++) {
		const struct payload_view *view = view_of(a, fd, false);

		if (view)
			r = add_write(a, fd, view->data + progress->at[fd],
				      view->len - progress->at[fd], a->end_ns);
	}
	return r;
}

static uint64_t named_stdin(const struct unit *u)
{
	uint64_t named = 0;

	for (size_t i = 0; i < u->time.chunk_count; i++) {
		if (u->time.chunks[i].fd == 0)
			named += u->time.chunks[i].len;
	}
	return named;
}

static bool reads_all(const struct answer *a)
{
	for (size_t i = 0; i < a->event_count; i++) {
		if (a->event[i].fd == 0 && a->event[i].until == STUB_STDIN_ALL)
			return true;
	}
	return false;
}

static int add_head(struct answer *a)
{
	const struct unit_time *time = &a->record->time;
	const struct payload_view *input = view_of(a, 0, false);
	struct progress progress = {{0}};
	int r = 0;

	/* Without its order, stdin is taken before anything is written. */
	if (input && named_stdin(a->record) < input->len) {
		r = add_read(a, a->stdin_want, time->start_ns);
		progress.at[0] = input->len;
	}
	for (size_t i = 0; r == 0 && i < time->chunk_count; i++)
		r = add_chunk(a, &time->chunks[i], &progress);
	if (r == 0)
		r = add_rest(a, &progress);
	/* Its end may not be among the chunks. */
	if (r == 0 && a->stdin_want == STUB_STDIN_ALL && !reads_all(a))
		r = add_read(a, STUB_STDIN_ALL, a->end_ns);
	a->head_count = a->event_count;
	return r;
}

static int add_tails(struct answer *a)
{
	int r = 0;

	for (int fd = 1; r == 0 && fd <= 2; fd++) {
		const struct payload_view *view = view_of(a, fd, true);

		if (view)
			r = add_write(a, fd, view->data, view->len, a->end_ns);
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
	const struct payload_view *view = view_of(a, 0, false);

	if (stream && stream->eof)
		a->stdin_want = STUB_STDIN_ALL;
	else if (view)
		a->stdin_want = view->len;
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
	a->stdin_seen = stdin_taken;
	a->end_ns = record->time.start_ns + record->time.duration_ns;
	a->view_count = 2 * record->stream_count;
	a->views = calloc(a->view_count ? a->view_count : 1, sizeof(*a->views));
	if (!a->views) {
		answer_free(a);
		return error_no_memory(err);
	}
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
	for (size_t i = 0; a->views && i < a->view_count; i++)
		payload_view_clear(&a->views[i]);
	free(a->views);
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

/* As much of the event as fits. Whether all of it did. */
static bool give_event(struct batch *b, struct event *event)
{
	size_t room = STUB_DATA_MAX - b->used;
	size_t len = event->len < room ? event->len : room;

	if (event->fd == 0)
		return add_op(b, STUB_READ, 0, event->until);
	if (len == 0 || !add_op(b, STUB_WRITE, event->fd, len))
		return false;
	memcpy(b->out->data + b->used, event->data, len);
	b->used += len;
	event->data += len;
	event->len -= len;
	return event->len == 0;
}

static bool give_events(struct answer *a, struct batch *b, size_t until, uint64_t limit_ns)
{
	while (a->next < until) {
		struct event *event = &a->event[a->next];

		/* What it reads, nobody sees. */
		if (event->fd != 0 && event->time_ns > limit_ns)
			return false;
		if (!give_event(b, event))
			return false;
		a->next++;
	}
	return true;
}

/* Signals that do nothing to a process by default, or only stop it, leave nothing to wait for. */
static bool is_awaited(const struct unit_end *end, int signal)
{
	switch (signal) {
	case SIGCHLD:
	case SIGCONT:
	case SIGURG:
	case SIGWINCH:
	case SIGSTOP:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
	case SIGKILL:
		return false;
	default:
		return end->how != END_UNFINISHED &&
		       (end->how != END_SIGNALED || end->signal != signal);
	}
}

static bool was_sent(const struct unit *u, int signal)
{
	for (size_t i = 0; i < u->signal_count; i++) {
		if (u->signals[i] == signal)
			return true;
	}
	return false;
}

static bool give_signals(struct answer *a, struct batch *b)
{
	const struct unit *u = a->record;

	for (; a->next_signal < u->signal_count; a->next_signal++) {
		int signal = u->signals[a->next_signal];

		if (is_awaited(&u->end, signal) && !add_op(b, STUB_WAIT_SIGNAL, signal, 0))
			return false;
	}
	return true;
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
	whole = give_events(a, &b, a->head_count, limit_ns) && a->end_ns <= limit_ns &&
		give_signals(a, &b);
	if (whole && a->next < a->event_count && !a->left)
		whole = a->left = add_op(&b, STUB_LEAVE, 0, 0);
	if (whole)
		whole = give_events(a, &b, a->event_count, UINT64_MAX);
	if (!whole)
		ret->op[ret->op_count++] = (struct stub_op){STUB_MORE, 0, 0, 0};
	*ret_len = offsetof(struct stub_answer, data) + b.used;
}

uint64_t answer_time(const struct answer *a)
{
	for (size_t i = a->next; i < a->head_count; i++) {
		if (a->event[i].fd != 0)
			return a->event[i].time_ns;
	}
	return a->end_ns;
}

bool answer_is_complete(const struct stub_answer *ops)
{
	for (unsigned i = 0; i < ops->op_count; i++) {
		if (ops->op[i].kind != STUB_WRITE)
			return false;
	}
	return ops->end_kind != STUB_KILLED;
}

bool answer_check_stdin(struct answer *a, const char *data, size_t len)
{
	const struct payload_view *view = view_of(a, 0, false);
	bool same;

	if (!view)
		return len == 0;
	if (len == 0)
		return a->stdin_seen == view->len;
	same = a->stdin_seen + len <= view->len &&
	       memcmp(view->data + a->stdin_seen, data, len) == 0;
	a->stdin_seen += len;
	return same;
}
