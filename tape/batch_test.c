#include "tape/batch_test.h"

#include "tape/scratch_test.h"
#include "tools/tests.h"
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct tape_reader *batch_reader;
struct roots *batch_roots;
struct stub_answer batch;

void batch_enter(void)
{
	scratch_enter();
	record(BATCH_TAPE, "");
	batch_reader = reader_at(BATCH_TAPE);
	batch_roots = roots_new();
	ck_assert_int_eq(roots_add(batch_roots, "WORK", "/work/app", NULL), 0);
	ck_assert_int_eq(roots_add(batch_roots, "HOME", "/home/me", NULL), 0);
}

void batch_leave(void)
{
	roots_free(batch_roots);
	tape_reader_free(batch_reader);
	scratch_leave();
}

struct stream *add_stream(struct unit *u, int fd, const void *bytes, size_t len)
{
	struct stream *s = unit_add_stream(u, fd);

	ck_assert_ptr_nonnull(s);
	s->kind = STREAM_PIPE;
	set_payload(&s->data, bytes, len);
	return s;
}

struct answer *answer_of(const struct unit *u)
{
	struct answer *a = NULL;
	struct error err = {0};

	ck_assert_msg(answer_new(batch_reader, batch_roots, u, 0, &a, &err) == 0, "%s", err.text);
	return a;
}

void next_batch(struct answer *a, size_t *ret_data_len)
{
	size_t len = 0;

	memset(&batch, 0x55, sizeof(batch));
	answer_next(a, UINT64_MAX, &batch, &len);
	ck_assert_uint_le(len, sizeof(batch));
	ck_assert_uint_ge(len, offsetof(struct stub_answer, data));
	ck_assert_uint_le(batch.op_count, STUB_OPS_MAX);
	*ret_data_len = len - offsetof(struct stub_answer, data);
}

void add_ops(struct buf *out, size_t data_len)
{
	for (unsigned i = 0; i < batch.op_count; i++) {
		const struct stub_op *op = &batch.op[i];

		buf_add_str(out, out->len ? " " : "");
		switch (op->kind) {
		case STUB_WRITE:
			ck_assert_uint_le(op->offset + op->len, data_len);
			buf_addf(out, "%d:", op->arg);
			buf_add(out, batch.data + op->offset, op->len);
			break;
		case STUB_READ:
			buf_addf(out, op->len == STUB_STDIN_ALL ? "readall" : "read%llu",
				 (unsigned long long)op->len);
			break;
		case STUB_SEND:
			ck_assert_uint_le(op->offset + op->len, data_len);
			buf_addf(out, "%d!", op->arg);
			buf_add(out, batch.data + op->offset, op->len);
			break;
		case STUB_TAKE:
			buf_addf(out, op->len == STUB_STDIN_ALL ? "take%d:all" : "take%d:%llu",
				 op->arg, (unsigned long long)op->len);
			break;
		case STUB_WAIT_SIGNAL:
			buf_addf(out, "wait%d", op->arg);
			break;
		case STUB_STOP:
			buf_addf(out, "stop%d", op->arg);
			break;
		case STUB_TELL:
			buf_addf(out, "tell%d", op->arg);
			break;
		case STUB_CLOSE:
			buf_addf(out, "close%d", op->arg);
			break;
		case STUB_MODE:
			ck_assert_uint_le(op->offset + op->len, data_len);
			buf_addf(out, "mode%x/%llu", (unsigned)op->arg,
				 (unsigned long long)op->len);
			break;
		case STUB_HOLD:
			buf_addf(out, "hold%llu", (unsigned long long)op->len);
			break;
		case STUB_LEAVE:
			buf_add_str(out, "leave");
			break;
		case STUB_MORE:
			ck_assert_uint_eq(i, batch.op_count - 1);
			buf_add_str(out, "more");
			break;
		default:
			ck_abort_msg("operation %u is of kind %u", i, op->kind);
		}
	}
}

void add_chunks(struct unit *u, const char *chunks)
{
	int fd, used;
	unsigned long len;

	for (; sscanf(chunks, "%d:%lu %n", &fd, &len, &used) == 2; chunks += used) {
		ck_assert_int_eq(unit_add_chunk_apart(u, fd, len, 0), 0);
		u->time.known = true;
	}
	ck_assert_str_eq(chunks, "");
}
