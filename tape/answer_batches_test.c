/* Answers that have no room in one batch of operations; payloads from blobs. */
#include "base/cleanup.h"
#include "tape/batch_test.h"
#include "tape/scratch_test.h"
#include "tools/tests.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static char *pattern(size_t len, uint64_t seed)
{
	struct random random = {.state = seed};
	char *bytes = malloc(len ? len : 1);

	ck_assert_ptr_nonnull(bytes);
	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)random_next(&random);
	return bytes;
}

/* What the stub would do with all batches, one after the other. */
struct played {
	struct buf written[3]; /* by fd */
	struct buf tails[3];
	struct buf order; /* of the fds written to */
	unsigned batches;
	unsigned leaves;
	unsigned waits;
};

static void play_op(struct played *played, const struct stub_op *op, size_t data_len)
{
	struct buf *to = played->leaves ? played->tails : played->written;

	switch (op->kind) {
	case STUB_WRITE:
		ck_assert(op->arg == 1 || op->arg == 2);
		ck_assert_uint_gt(op->len, 0);
		ck_assert_uint_le(op->offset, data_len);
		ck_assert_uint_le(op->len, data_len - op->offset);
		buf_add(&to[op->arg], batch.data + op->offset, op->len);
		buf_add_char(&played->order, (char)('0' + op->arg));
		break;
	case STUB_LEAVE:
		played->leaves++;
		break;
	case STUB_WAIT_SIGNAL:
		played->waits++;
		break;
	default:
		ck_assert_uint_eq(op->kind, STUB_MORE);
		break;
	}
}

#define BATCHES_MAX 64

static void play_all(struct answer *a, struct played *played)
{
	bool more = true;

	while (more) {
		size_t data_len;

		ck_assert_uint_lt(played->batches, BATCHES_MAX);
		next_batch(a, &data_len);
		more = false;
		for (unsigned i = 0; i < batch.op_count; i++) {
			ck_assert(!more);
			play_op(played, &batch.op[i], data_len);
			more = batch.op[i].kind == STUB_MORE;
		}
		if (more)
			ck_assert(!answer_is_complete(&batch));
		played->batches++;
	}
}

static void played_clear(struct played *played)
{
	for (int fd = 0; fd < 3; fd++) {
		buf_free(&played->written[fd]);
		buf_free(&played->tails[fd]);
	}
	buf_free(&played->order);
}

static const struct {
	size_t out;
	size_t err;
	size_t tail;
	unsigned batches;
} large_rows[] = {
	{STUB_DATA_MAX - 1, 0, 0, 1},
	{STUB_DATA_MAX, 0, 0, 1},
	{STUB_DATA_MAX + 1, 0, 0, 2},
	{STUB_DATA_MAX, 1, 0, 2},
	{STUB_DATA_MAX, 0, 1, 2},
	{1, STUB_DATA_MAX - 1, 0, 1},
	{1, STUB_DATA_MAX, 0, 2},
	{3 * STUB_DATA_MAX, 0, 0, 3},
	{5 * STUB_DATA_MAX + 123, 2 * STUB_DATA_MAX + 7, STUB_DATA_MAX * 2, 10},
	{0, 0, STUB_DATA_MAX + 1, 2},
};

START_TEST(more_than_a_batch_holds_comes_in_several)
{
	cleanup_free char *out = pattern(large_rows[_i].out, 1);
	cleanup_free char *err = pattern(large_rows[_i].err, 2);
	cleanup_free char *tail = pattern(large_rows[_i].tail, 3);
	struct unit u = {.end = {.how = END_EXITED, .code = 9}};
	struct played played = {.batches = 0};
	struct answer *a;

	set_payload(&add_stream(&u, 1, out, large_rows[_i].out)->tail, tail, large_rows[_i].tail);
	add_stream(&u, 2, err, large_rows[_i].err);
	a = answer_of(&u);
	play_all(a, &played);
	assert_same_bytes(played.written[1].data, played.written[1].len, out, large_rows[_i].out);
	assert_same_bytes(played.written[2].data, played.written[2].len, err, large_rows[_i].err);
	assert_same_bytes(played.tails[1].data, played.tails[1].len, tail, large_rows[_i].tail);
	ck_assert_uint_eq(played.leaves, large_rows[_i].tail > 0);
	ck_assert_uint_eq(played.batches, large_rows[_i].batches);
	ck_assert_uint_eq(batch.end_kind, STUB_EXIT);
	ck_assert_int_eq(batch.end_arg, 9);
	played_clear(&played);
	answer_free(a);
	unit_clear(&u);
}
END_TEST

/* Of every batch, for the stub may end in any of them. */
START_TEST(every_batch_knows_the_end_and_only_the_first_wants_stdin)
{
	cleanup_free char *out = pattern(STUB_DATA_MAX + 1, 1);
	struct unit u = {.end = {.how = END_EXITED, .code = 9}};
	struct answer *a;
	size_t len;

	add_stream(&u, 0, "four", 4);
	add_stream(&u, 1, out, STUB_DATA_MAX + 1);
	a = answer_of(&u);
	next_batch(a, &len);
	ck_assert_int_eq(batch.end_arg, 9);
	ck_assert_uint_eq(batch.stdin_want, 4);
	next_batch(a, &len);
	ck_assert_int_eq(batch.end_arg, 9);
	ck_assert_uint_eq(len, 1);
	answer_free(a);
	unit_clear(&u);
}
END_TEST

#define CHUNKS_MAX 300

static const unsigned chunk_rows[] = {
	STUB_OPS_MAX - 2, STUB_OPS_MAX - 1, STUB_OPS_MAX, STUB_OPS_MAX + 1, CHUNKS_MAX,
};

/* One byte a chunk, now to stdout and now to stderr, then a signal, then a tail. */
START_TEST(more_chunks_than_operations_keep_their_order)
{
	unsigned count = chunk_rows[_i];
	struct unit u = {.end = {.how = END_EXITED}};
	cleanup_buf struct buf wanted = BUF_INIT;
	struct played played = {.batches = 0};
	char bytes[CHUNKS_MAX];
	struct answer *a;

	memset(bytes, 'x', sizeof(bytes));
	set_payload(&add_stream(&u, 1, bytes, (count + 1) / 2)->tail, "tail", 4);
	add_stream(&u, 2, bytes, count / 2);
	for (unsigned i = 0; i < count; i++) {
		ck_assert_int_eq(unit_add_chunk(&u, i % 2 ? 2 : 1, 1, i), 0);
		buf_add_char(&wanted, i % 2 ? '2' : '1');
	}
	buf_add_char(&wanted, '1');
	unit_add_signal(&u, SIGTERM);
	a = answer_of(&u);
	play_all(a, &played);
	ck_assert_str_eq(played.order.data, wanted.data);
	ck_assert_uint_eq(played.written[1].len, (count + 1) / 2);
	ck_assert_uint_eq(played.tails[1].len, 4);
	ck_assert_uint_eq(played.waits, 1);
	ck_assert_uint_eq(played.leaves, 1);
	played_clear(&played);
	answer_free(a);
	unit_clear(&u);
}
END_TEST

static const struct {
	unsigned chunks;
	unsigned signals;
} signal_rows[] = {
	{0, STUB_OPS_MAX - 1},
	{0, STUB_OPS_MAX},
	{0, 3 * STUB_OPS_MAX},
	{STUB_OPS_MAX - 3, 5},
};

START_TEST(each_signal_is_awaited_once_in_whichever_batch)
{
	struct unit u = {.end = {.how = END_EXITED}};
	struct played played = {.batches = 0};
	char bytes[STUB_OPS_MAX];
	struct answer *a;
	unsigned i;

	memset(bytes, 'x', sizeof(bytes));
	add_stream(&u, 1, bytes, signal_rows[_i].chunks);
	for (i = 0; i < signal_rows[_i].chunks; i++) {
		unit_add_chunk(&u, 1, 1, i);
		unit_add_chunk(&u, 0, 1, i); /* so that neighbours do not become one */
	}
	for (i = 0; i < signal_rows[_i].signals; i++)
		unit_add_signal(&u, i % 2 ? SIGUSR1 : SIGUSR2);
	a = answer_of(&u);
	play_all(a, &played);
	ck_assert_uint_eq(played.waits, signal_rows[_i].signals);
	ck_assert_uint_eq(played.written[1].len, signal_rows[_i].chunks);
	played_clear(&played);
	answer_free(a);
	unit_clear(&u);
}
END_TEST

/* A packet that the room has no place for any more comes with the next. */
START_TEST(a_packet_is_not_divided)
{
	size_t size = STUB_DATA_MAX / 2 + 1;
	cleanup_free char *out = pattern(2 * size, 1);
	struct unit u = {.end = {.how = END_EXITED}};
	struct answer *a;
	size_t len;

	add_stream(&u, 1, out, 2 * size)->packets = true;
	unit_add_chunk_apart(&u, 1, size, 0);
	unit_add_chunk_apart(&u, 1, size, 0);
	a = answer_of(&u);
	for (int i = 0; i < 2; i++) {
		next_batch(a, &len);
		ck_assert_uint_eq(len, size);
		ck_assert_uint_eq(batch.op[0].kind, STUB_SEND);
		ck_assert_uint_eq(batch.op[0].len, size);
		ck_assert_mem_eq(batch.data, out + i * size, size);
	}
	answer_free(a);
	unit_clear(&u);
}
END_TEST

START_TEST(output_in_a_blob_is_written)
{
	size_t size = STUB_DATA_MAX + 4321;
	cleanup_free char *out = pattern(size, 4);
	struct unit u = {.end = {.how = END_EXITED}};
	struct played played = {.batches = 0};
	struct answer *a;

	add_stream(&u, 1, "", 0);
	set_spooled(&unit_stream(&u, 1)->data, BATCH_TAPE, out, size, NULL);
	ck_assert_int_eq(unit_stream(&u, 1)->data.form, PAYLOAD_BLOB);
	a = answer_of(&u);
	play_all(a, &played);
	assert_same_bytes(played.written[1].data, played.written[1].len, out, size);
	played_clear(&played);
	answer_free(a);
	unit_clear(&u);
}
END_TEST

START_TEST(a_missing_blob_is_an_error)
{
	struct unit u = {.end = {.how = END_EXITED}};
	struct payload *p = &add_stream(&u, 1, "", 0)->data;
	struct answer *a = NULL;
	struct error err = {0};

	p->form = PAYLOAD_BLOB;
	p->size = 5000;
	memset(p->sha256, 'a', 64);
	ck_assert_int_eq(answer_new(batch_reader, batch_roots, &u, 0, &a, &err), ERR_NOTFOUND);
	ck_assert_ptr_null(a);
	ck_assert_ptr_nonnull(strstr(err.text, "aaaa"));
	unit_clear(&u);
}
END_TEST

Suite *tape_answer_batches_suite(void)
{
	Suite *suite = suite_create("tape/answer_batches");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, batch_enter, batch_leave);
	tcase_add_loop_test(all, more_than_a_batch_holds_comes_in_several, 0, COUNT(large_rows));
	tcase_add_test(all, every_batch_knows_the_end_and_only_the_first_wants_stdin);
	tcase_add_loop_test(all, more_chunks_than_operations_keep_their_order, 0,
			    COUNT(chunk_rows));
	tcase_add_loop_test(all, each_signal_is_awaited_once_in_whichever_batch, 0,
			    COUNT(signal_rows));
	tcase_add_test(all, a_packet_is_not_divided);
	tcase_add_test(all, output_in_a_blob_is_written);
	tcase_add_test(all, a_missing_blob_is_an_error);
	suite_add_tcase(suite, all);
	return suite;
}
