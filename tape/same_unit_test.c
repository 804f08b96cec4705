#include "tape/same_unit_test.h"

#include "tape/scratch_test.h"
#include "tools/tests.h"

void assert_same_buf(const struct buf *a, const struct buf *b)
{
	assert_same_bytes(a->data, a->len, b->data, b->len);
}

static void assert_same_payload(const struct payload *a, const struct payload *b)
{
	ck_assert_int_eq(a->form, b->form);
	ck_assert_int_eq(a->rooted, b->rooted);
	ck_assert_uint_eq(a->size, b->size);
	ck_assert_str_eq(a->sha256, b->sha256);
	assert_same_buf(&a->bytes, &b->bytes);
}

static void assert_same_stream(const struct stream *a, const struct stream *b)
{
	ck_assert_int_eq(a->fd, b->fd);
	ck_assert_int_eq(a->kind, b->kind);
	ck_assert_int_eq(a->same_as, b->same_as);
	ck_assert_int_eq(a->eof, b->eof);
	ck_assert_int_eq(a->packets, b->packets);
	ck_assert_int_eq(a->rows, b->rows);
	ck_assert_int_eq(a->columns, b->columns);
	assert_same_payload(&a->data, &b->data);
	assert_same_payload(&a->tail, &b->tail);
}

static void assert_same_chunks(const struct chunk *a, size_t a_count, const struct chunk *b,
			       size_t b_count)
{
	ck_assert_uint_eq(a_count, b_count);
	for (size_t i = 0; i < a_count; i++) {
		ck_assert_int_eq(a[i].fd, b[i].fd);
		ck_assert_uint_eq(a[i].len, b[i].len);
		ck_assert_uint_eq(a[i].time_ns, b[i].time_ns);
	}
}

static void assert_same_time(const struct unit_time *a, const struct unit_time *b)
{
	ck_assert_int_eq(a->pid, b->pid);
	ck_assert_uint_eq(a->start_ns, b->start_ns);
	ck_assert_uint_eq(a->duration_ns, b->duration_ns);
	ck_assert_uint_eq(a->episode, b->episode);
	assert_same_buf(&a->program, &b->program);
	assert_same_chunks(a->chunks, a->chunk_count, b->chunks, b->chunk_count);
	ck_assert_uint_eq(a->denied_count, b->denied_count);
	for (size_t i = 0; i < a->denied_count; i++) {
		ck_assert_int_eq(a->denied[i].pid, b->denied[i].pid);
		ck_assert_uint_eq(a->denied[i].count, b->denied[i].count);
	}
	ck_assert_uint_eq(a->denied_more, b->denied_more);
}

static void assert_same_denial(const struct unit_denial *a, const struct unit_denial *b)
{
	for (int text = 0; text < DENIED_TEXTS; text++)
		assert_same_buf(&a->text[text], &b->text[text]);
	ck_assert_int_eq(a->error, b->error);
	ck_assert_int_eq(a->signal, b->signal);
}

static void assert_same_denials(const struct unit *a, const struct unit *b)
{
	ck_assert_int_eq(a->explained, b->explained);
	ck_assert_uint_eq(a->denied_count, b->denied_count);
	for (size_t i = 0; i < a->denied_count; i++)
		assert_same_denial(&a->denied[i], &b->denied[i]);
	ck_assert_uint_eq(a->late_count, b->late_count);
	for (size_t i = 0; i < a->late_count; i++)
		assert_same_denial(&a->late[i], &b->late[i]);
	ck_assert_int_eq(a->late_more, b->late_more);
}

void assert_same_unit(const struct unit *a, const struct unit *b)
{
	size_t i;

	ck_assert_uint_eq(a->id.key, b->id.key);
	ck_assert_uint_eq(a->id.ordinal, b->id.ordinal);
	ck_assert(unit_same_command(a, b));
	assert_same_buf(&a->parent, &b->parent);
	for (i = 0; i < a->argc; i++)
		assert_same_buf(&a->argv[i], &b->argv[i]);
	ck_assert_int_eq(a->end.how, b->end.how);
	ck_assert_int_eq(a->end.code, b->end.code);
	ck_assert_int_eq(a->end.signal, b->end.signal);
	ck_assert_int_eq(a->end.core, b->end.core);
	ck_assert_int_eq(a->end.exec_errno, b->end.exec_errno);
	ck_assert_int_eq(a->end.timeout, b->end.timeout);
	ck_assert_uint_eq(a->stream_count, b->stream_count);
	for (i = 0; i < a->stream_count; i++)
		assert_same_stream(&a->streams[i], &b->streams[i]);
	ck_assert_uint_eq(a->signal_count, b->signal_count);
	for (i = 0; i < a->signal_count; i++)
		ck_assert_int_eq(a->signals[i], b->signals[i]);
	ck_assert_uint_eq(a->stop_count, b->stop_count);
	for (i = 0; i < a->stop_count; i++)
		ck_assert_int_eq(a->stops[i], b->stops[i]);
	ck_assert_uint_eq(a->sent_count, b->sent_count);
	for (i = 0; i < a->sent_count; i++)
		ck_assert_int_eq(a->sent[i], b->sent[i]);
	ck_assert_uint_eq(a->mode_count, b->mode_count);
	for (i = 0; i < a->mode_count; i++) {
		ck_assert_int_eq(a->modes[i].when, b->modes[i].when);
		assert_same_buf(&a->modes[i].termios, &b->modes[i].termios);
	}
	assert_same_chunks(a->order, a->order_count, b->order, b->order_count);
	assert_same_denials(a, b);
	assert_same_time(&a->time, &b->time);
}
