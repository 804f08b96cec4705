/* What the stub takes of inputs for an answer, and when it agrees with what the unit read. */
#include "base/cleanup.h"
#include "tape/batch_test.h"
#include "tools/tests.h"
#include <stddef.h>
#include <string.h>

#define IN3 "1073741827" /* STREAM_INPUT | 3 */

static const struct {
	const char *chunks;
	bool eof;
	bool packets;
	const char *ops;
} channel_rows[] = {
	/* Without its order, what it reads comes first. */
	{"", false, false, "take3:6 3:answer"},
	{"", true, false, "take3:6 3:answer take3:all"},
	{"", false, true, "take3:6 3!answer"},
	{IN3 ":6 3:6", false, false, "take3:6 3:answer"},
	{"3:2 " IN3 ":1 3:4 " IN3 ":5 " IN3 ":0", true, false,
	 "3:an take3:1 3:swer take3:5 take3:all"},
	{"3:2 3:1 " IN3 ":6 3:3", false, true, "3!an 3!s take3:6 3!wer"},
	/* More than there is. */
	{IN3 ":4 " IN3 ":99 3:99", false, false, "take3:4 take3:2 3:answer"},
};

static void check_channel(const char *chunks, bool eof, bool packets, const char *wanted)
{
	struct unit u = {.end = {.how = END_EXITED}};
	cleanup_buf struct buf ops = BUF_INIT;
	struct answer *a;
	size_t len;

	add_stream(&u, 3 | STREAM_INPUT, "asking", 6)->eof = eof;
	add_stream(&u, 3, "answer", 6)->packets = packets;
	add_chunks(&u, chunks);
	a = answer_of(&u);
	next_batch(a, &len);
	add_ops(&ops, len);
	ck_assert_str_eq(ops.data, wanted);
	ck_assert(!answer_is_complete(&batch));
	answer_free(a);
	unit_clear(&u);
}

START_TEST(a_channel_is_taken_from_and_written_to_in_its_order)
{
	check_channel(channel_rows[_i].chunks, channel_rows[_i].eof, channel_rows[_i].packets,
		      channel_rows[_i].ops);
}
END_TEST

START_TEST(what_is_taken_from_a_channel_is_compared)
{
	struct unit u = {.end = {.how = END_EXITED}};
	struct answer *a;

	add_stream(&u, 0, "stdin", 5);
	add_stream(&u, 3 | STREAM_INPUT, "asking", 6);
	a = answer_of(&u);
	ck_assert(answer_check_input(a, 3, "ask", 3));
	ck_assert(!answer_check_input(a, 3, "", 0));
	ck_assert(answer_check_input(a, 0, "stdin", 5));
	ck_assert(answer_check_input(a, 3, "ing", 3));
	ck_assert(answer_check_input(a, 3, "", 0));
	ck_assert(!answer_check_input(a, 3, "!", 1));
	ck_assert(!answer_check_input(a, 4, "!", 1));
	answer_free(a);
	unit_clear(&u);
}
END_TEST

/* Others need not wait until it has read on. */
START_TEST(who_has_turns_asks_before_it_reads_on)
{
	struct unit u = {.end = {.how = END_EXITED}};
	const char *wanted[] = {"read2 1:ab more", "read5 1:cd"};
	struct answer *a;
	size_t len;

	add_stream(&u, 0, "input", 5);
	add_stream(&u, 1, "abcd", 4);
	add_chunks(&u, "0:2 1:2 0:3 1:2");
	a = answer_of(&u);
	for (int i = 0; i < 2; i++) {
		cleanup_buf struct buf ops = BUF_INIT;

		answer_next(a, UINT64_MAX - 1, &batch, &len);
		add_ops(&ops, len - offsetof(struct stub_answer, data));
		ck_assert_str_eq(ops.data, wanted[i]);
		ck_assert_int_eq(answer_is_hidden(a), i == 0);
	}
	answer_free(a);
	unit_clear(&u);
}
END_TEST

static const struct {
	const char *input; /* NULL: no stdin */
	bool eof;
	const char *chunks;
	uint64_t want;
	const char *ops;
} stdin_rows[] = {
	{NULL, false, "", 0, "1:out"},
	{"", false, "", 0, "1:out"},
	/* Without its order, stdin comes first. */
	{"four", false, "", 4, "read4 1:out"},
	{"", true, "", STUB_STDIN_ALL, "1:out readall"},
	{"four", true, "", STUB_STDIN_ALL, "readall 1:out"},
	{"four", false, "1:3 0:4", 4, "1:out read4"},
	{"four", false, "0:1 1:1 0:3 1:2", 4, "read1 1:o read4 1:ut"},
	{"four", true, "0:4 0:0 1:3", STUB_STDIN_ALL, "read4 readall 1:out"},
	{"four", true, "0:4 1:3", STUB_STDIN_ALL, "read4 1:out readall"},
};

START_TEST(the_stub_takes_as_much_stdin_as_was_taken)
{
	struct unit u = {.end = {.how = END_EXITED}};
	cleanup_buf struct buf ops = BUF_INIT;
	struct answer *a;
	size_t len;

	if (stdin_rows[_i].input)
		add_stream(&u, 0, stdin_rows[_i].input, strlen(stdin_rows[_i].input))->eof =
			stdin_rows[_i].eof;
	add_stream(&u, 1, "out", 3);
	add_chunks(&u, stdin_rows[_i].chunks);
	a = answer_of(&u);
	next_batch(a, &len);
	add_ops(&ops, len);
	ck_assert_uint_eq(batch.stdin_want, stdin_rows[_i].want);
	ck_assert_str_eq(ops.data, stdin_rows[_i].ops);
	answer_free(a);
	unit_clear(&u);
}
END_TEST

/* As many bytes as it had read, not as the placeholders for them are long. */
START_TEST(the_stub_takes_stdin_with_its_roots_put_in)
{
	struct unit u = {.end = {.how = END_EXITED}};
	struct answer *a;
	size_t len;

	add_stream(&u, 0, "$WORK/a\n", 8)->data.rooted = true;
	a = answer_of(&u);
	next_batch(a, &len);
	ck_assert_uint_eq(batch.stdin_want, strlen("/work/app/a\n"));
	answer_free(a);
	unit_clear(&u);
}
END_TEST

START_TEST(stdin_is_compared_with_what_was_read)
{
	struct unit u = {.end = {.how = END_EXITED}};
	struct answer *a;

	add_stream(&u, 0, "four", 4)->eof = true;
	a = answer_of(&u);
	ck_assert(answer_check_input(a, 0, "fo", 2));
	ck_assert(answer_check_input(a, 0, "ur", 2));
	ck_assert(answer_check_input(a, 0, "", 0));
	answer_free(a);
	a = answer_of(&u);
	ck_assert(!answer_check_input(a, 0, "fox", 3));
	answer_free(a);
	a = answer_of(&u);
	ck_assert(answer_check_input(a, 0, "fo", 2));
	ck_assert(!answer_check_input(a, 0, "", 0));
	answer_free(a);
	a = answer_of(&u);
	ck_assert(!answer_check_input(a, 0, "fours", 5));
	answer_free(a);
	unit_clear(&u);
}
END_TEST

Suite *tape_answer_input_suite(void)
{
	Suite *suite = suite_create("tape/answer_input");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, batch_enter, batch_leave);
	tcase_add_loop_test(all, a_channel_is_taken_from_and_written_to_in_its_order, 0,
			    COUNT(channel_rows));
	tcase_add_test(all, what_is_taken_from_a_channel_is_compared);
	tcase_add_test(all, who_has_turns_asks_before_it_reads_on);
	tcase_add_loop_test(all, the_stub_takes_as_much_stdin_as_was_taken, 0, COUNT(stdin_rows));
	tcase_add_test(all, the_stub_takes_stdin_with_its_roots_put_in);
	tcase_add_test(all, stdin_is_compared_with_what_was_read);
	suite_add_tcase(suite, all);
	return suite;
}
