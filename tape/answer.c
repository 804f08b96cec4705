#include "tape/answer.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* A stretch of a stream's bytes that is to be written. */
struct piece {
	int fd;
	const char *data;
	size_t len;
};

struct answer {
	const struct unit *record;
	struct payload_view *views; /* of the streams, then of their tails */
	size_t view_count;
	struct piece *piece;
	size_t piece_count;
	size_t head_count; /* pieces before the end; the rest are tails */
	size_t next;
	bool started;
	bool signals_given;
	bool left; /* the tail has begun */
};

static int add_piece(struct answer *a, int fd, const char *data, size_t len)
{
	struct piece *grown;

	if (len == 0)
		return 0;
	grown = realloc(a->piece, (a->piece_count + 1) * sizeof(*grown));
	if (!grown)
		return ERR_NOMEM;
	a->piece = grown;
	a->piece[a->piece_count++] = (struct piece){fd, data, len};
	return 0;
}

/* How much of a stream the chunks have named so far. */
struct progress {
	size_t at[3];
};

static const struct payload_view *view_of(const struct answer *a, int fd, bool tail)
{
	for (size_t i = 0; i < a->record->stream_count; i++) {
		if (a->record->streams[i].fd == fd)
			return &a->views[tail ? a->record->stream_count + i : i];
	}
	return NULL;
}

/* In the order of the chunks, which are in timing.jsonl; what they do not name comes after. */
static int add_head(struct answer *a)
{
	const struct unit_time *time = &a->record->time;
	struct progress progress = {{0}};
	int r = 0;

	for (size_t i = 0; r == 0 && i < time->chunk_count; i++) {
		const struct chunk *chunk = &time->chunks[i];
		const struct payload_view *view = view_of(a, chunk->fd, false);
		size_t *at = chunk->fd >= 1 && chunk->fd <= 2 ? &progress.at[chunk->fd] : NULL;
		size_t len;

		if (!view || !at)
			continue;
		len = view->len - *at < chunk->len ? view->len - *at : chunk->len;
		r = add_piece(a, chunk->fd, view->data + *at, len);
		*at += len;
	}
	for (int fd = 1; r == 0 && fd <= 2; fd++) {
		const struct payload_view *view = view_of(a, fd, false);

		if (view)
			r = add_piece(a, fd, view->data + progress.at[fd],
				      view->len - progress.at[fd]);
	}
	a->head_count = a->piece_count;
	return r;
}

static int add_tails(struct answer *a)
{
	int r = 0;

	for (int fd = 1; r == 0 && fd <= 2; fd++) {
		const struct payload_view *view = view_of(a, fd, true);

		if (view)
			r = add_piece(a, fd, view->data, view->len);
	}
	return r;
}

static int load(struct answer *a, const struct tape_reader *reader, const struct roots *roots,
		struct error *err)
{
	const struct unit *u = a->record;
	int r = 0;

	for (size_t i = 0; r == 0 && i < u->stream_count; i++) {
		if (u->streams[i].fd == 0)
			continue; /* what it read is not needed to answer */
		r = tape_reader_payload(reader, &u->streams[i].data, roots, &a->views[i], err);
		if (r == 0)
			r = tape_reader_payload(reader, &u->streams[i].tail, roots,
						&a->views[u->stream_count + i], err);
	}
	return r;
}

int answer_new(const struct tape_reader *reader, const struct roots *roots,
	       const struct unit *record, struct answer **ret, struct error *err)
{
	struct answer *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return error_set(err, ERR_NOMEM, "out of memory");
	a->record = record;
	a->view_count = 2 * record->stream_count;
	a->views = calloc(a->view_count ? a->view_count : 1, sizeof(*a->views));
	if (!a->views) {
		answer_free(a);
		return error_set(err, ERR_NOMEM, "out of memory");
	}
	r = load(a, reader, roots, err);
	if (r == 0 && (add_head(a) < 0 || add_tails(a) < 0))
		r = error_set(err, ERR_NOMEM, "out of memory");
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
	free(a->piece);
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

/* As much of the piece as fits. Whether all of it did. */
static bool add_write(struct batch *b, struct piece *piece)
{
	size_t room = STUB_DATA_MAX - b->used;
	size_t len = piece->len < room ? piece->len : room;

	if (len == 0 || !add_op(b, STUB_WRITE, piece->fd, len))
		return false;
	memcpy(b->out->data + b->used, piece->data, len);
	b->used += len;
	piece->data += len;
	piece->len -= len;
	return piece->len == 0;
}

static bool add_writes(struct answer *a, struct batch *b, size_t until)
{
	while (a->next < until) {
		if (!add_write(b, &a->piece[a->next]))
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
		return end->how != END_SIGNALED || end->signal != signal;
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

static bool add_signals(struct answer *a, struct batch *b)
{
	const struct unit *u = a->record;

	for (size_t i = 0; !a->signals_given && i < u->signal_count; i++) {
		if (is_awaited(&u->end, u->signals[i]) &&
		    !add_op(b, STUB_WAIT_SIGNAL, u->signals[i], 0))
			return false;
	}
	a->signals_given = true;
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

static void set_stdin(const struct unit *u, struct stub_answer *out)
{
	const struct stream *stream = unit_stream_const(u, 0);

	if (stream && stream->eof)
		out->stdin_want = STUB_STDIN_ALL;
	else if (stream)
		out->stdin_want = stream->data.size;
}

void answer_next(struct answer *a, struct stub_answer *ret, size_t *ret_len)
{
	struct batch b = {ret, 0};
	bool whole;

	memset(ret, 0, offsetof(struct stub_answer, data));
	set_end(a->record, ret);
	if (!a->started)
		set_stdin(a->record, ret);
	a->started = true;
	whole = add_writes(a, &b, a->head_count) && add_signals(a, &b);
	if (whole && a->next < a->piece_count && !a->left)
		whole = a->left = add_op(&b, STUB_LEAVE, 0, 0);
	if (whole)
		whole = add_writes(a, &b, a->piece_count);
	if (!whole)
		ret->op[ret->op_count++] = (struct stub_op){STUB_MORE, 0, 0, 0};
	*ret_len = offsetof(struct stub_answer, data) + b.used;
}

bool answer_is_complete(const struct stub_answer *answer)
{
	for (unsigned i = 0; i < answer->op_count; i++) {
		if (answer->op[i].kind != STUB_WRITE)
			return false;
	}
	return answer->end_kind != STUB_KILLED;
}
