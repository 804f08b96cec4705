#include "tape/answer.h"

#include "base/cleanup.h"
#include "tape/batch_test.h"
#include "tape/scratch_test.h"
#include "tools/tests.h"
#include <signal.h>
#include <stddef.h>
#include <string.h>

static const struct {
	const char *out;
	const char *err;
	const char *chunks;
	const char *ops;
} output_rows[] = {
	{"", "", "", ""},
	{"out", "", "", "1:out"},
	{"", "err", "", "2:err"},
	/* Without times: first all of stdout. */
	{"out", "err", "", "1:out 2:err"},
	/* As it came. */
	{"out", "err", "2:3 1:3", "2:err 1:out"},
	{"abcd", "xyz", "1:1 2:2 1:3 2:1", "1:a 2:xy 1:bcd 2:z"},
	/* What the chunks do not name comes after. */
	{"abcd", "xyz", "2:1 1:2", "2:x 1:ab 1:cd 2:yz"},
	{"abcd", "xyz", "2:3", "2:xyz 1:abcd"},
	/* What they name too much is not there. */
	{"abcd", "xy", "1:99 2:99 1:99", "1:abcd 2:xy"},
	{"abcd", "xy", "1:2 2:5 1:2", "1:ab 2:xy 1:cd"},
	/* Chunks of other streams. */
	{"abcd", "", "0:3 1:2 7:1 2:1 -1:1 3:1", "1:ab 1:cd"},
};

START_TEST(output_comes_in_the_recorded_order)
{
	struct unit u = {.end = {.how = END_EXITED}};
	cleanup_buf struct buf ops = BUF_INIT;
	struct answer *a;
	size_t len;

	add_stream(&u, 1, output_rows[_i].out, strlen(output_rows[_i].out));
	add_stream(&u, 2, output_rows[_i].err, strlen(output_rows[_i].err));
	add_chunks(&u, output_rows[_i].chunks);
	a = answer_of(&u);
	next_batch(a, &len);
	add_ops(&ops, len);
	ck_assert_str_eq(ops.data ? ops.data : "", output_rows[_i].ops);
	ck_assert(answer_is_complete(&batch));
	answer_free(a);
	unit_clear(&u);
}
END_TEST

static const struct {
	const char *order; /* -1: a signal, -2: a mode, -3: a stop, -4: one that it sends */
	const char *ops;
} conversation_rows[] = {
	{"1:2 -1:10 1:2", "read3 1:ab wait10 1:cd"},
	{"-1:10 1:4", "read3 wait10 1:abcd"},
	{"1:4 -1:10", "read3 1:abcd wait10"},
	{"1:2 -2:0 0:3 -2:1 1:2", "1:ab mode5404/36 read3 mode402c542b/44 1:cd wait10"},
	{"1:2 0:1 1:1 0:2 1:1", "1:ab read1 1:c read3 1:d wait10"},
	/* There is no third mode. */
	{"1:2 -2:2 0:3 1:2", "1:ab read3 1:cd wait10"},
	{"1:2 -3:0 -1:10 1:2", "read3 1:ab stop19 wait10 1:cd"},
	{"1:2 -4:0 1:2 -1:10 -4:1", "read3 1:ab tell12 1:cd wait10 tell1"},
	/* There is no third one. */
	{"1:2 -4:2 1:2", "read3 1:ab 1:cd tell12 tell1 wait10"},
};

/* Whether the order is in the timing or, without that, in the record itself. */
static void check_conversation(const char *order, const char *wanted, bool timed)
{
	struct unit u = {.end = {.how = END_EXITED}};
	cleanup_buf struct buf ops = BUF_INIT;
	struct answer *a;
	char termios[44];
	size_t len;

	memset(termios, 7, sizeof(termios));
	add_stream(&u, 0, "xyz", 3);
	add_stream(&u, 1, "abcd", 4);
	unit_add_signal(&u, SIGUSR1);
	if (strstr(order, "-3:"))
		unit_add_stop(&u, SIGSTOP);
	if (strstr(order, "-4:")) {
		unit_add_sent(&u, SIGUSR2);
		unit_add_sent(&u, SIGHUP);
	}
	ck_assert_int_eq(unit_add_mode(&u, MODE_FLUSH, (struct bytes){termios, 36}), 0);
	ck_assert_int_eq(unit_add_mode(&u, MODE_NOW, (struct bytes){termios, 44}), 0);
	add_chunks(&u, order);
	for (size_t i = 0; !timed && i < u.time.chunk_count; i++)
		ck_assert_int_eq(unit_add_order(&u, &u.time.chunks[i]), 0);
	if (!timed)
		unit_time_clear(&u.time);
	a = answer_of(&u);
	next_batch(a, &len);
	add_ops(&ops, len);
	ck_assert_str_eq(ops.data, wanted);
	ck_assert_uint_eq(batch.signal_mask, UINT64_C(1) << (SIGUSR1 - 1));
	answer_free(a);
	unit_clear(&u);
}

START_TEST(input_output_signals_and_modes_come_in_their_order)
{
	check_conversation(conversation_rows[_i].order, conversation_rows[_i].ops, true);
	check_conversation(conversation_rows[_i].order, conversation_rows[_i].ops, false);
}
END_TEST

/* Not even that it is to be waited for: that is asked for again and again. */
START_TEST(what_the_recording_broke_off_in_is_held)
{
	struct unit u = {.end = {.how = END_UNFINISHED}};
	cleanup_buf struct buf ops = BUF_INIT;
	struct answer *a = answer_of(&u);
	size_t len;

	ck_assert_int_eq(answer_hold(a, 50), 0);
	next_batch(a, &len);
	add_ops(&ops, len);
	ck_assert_str_eq(ops.data, "hold50");
	ck_assert(!answer_is_complete(&batch));
	answer_free(a);
	unit_clear(&u);
}
END_TEST

START_TEST(what_never_ended_closes_what_it_had_closed)
{
	struct unit u = {.end = {.how = _i ? END_UNFINISHED : END_EXITED}};
	cleanup_buf struct buf ops = BUF_INIT;
	struct answer *a;
	size_t len;

	add_stream(&u, 0, "in", 2)->eof = true;
	add_stream(&u, 1, "out", 3)->eof = true;
	add_stream(&u, 2, "", 0)->kind = STREAM_SAME;
	unit_stream(&u, 2)->same_as = 1;
	add_stream(&u, 3, "more", 4);
	a = answer_of(&u);
	next_batch(a, &len);
	add_ops(&ops, len);
	ck_assert_str_eq(ops.data,
			 _i ? "readall 1:out 3:more close1 close2" : "readall 1:out 3:more");
	answer_free(a);
	unit_clear(&u);
}
END_TEST

START_TEST(a_unit_without_streams_writes_nothing)
{
	struct unit u = {.end = {.how = END_EXITED, .code = 7}};
	struct answer *a = answer_of(&u);
	size_t len;

	next_batch(a, &len);
	ck_assert_uint_eq(batch.op_count, 0);
	ck_assert_uint_eq(batch.end_kind, STUB_EXIT);
	ck_assert_int_eq(batch.end_arg, 7);
	ck_assert_uint_eq(batch.stdin_want, 0);
	ck_assert_uint_eq(len, 0);
	answer_free(a);
}
END_TEST

#define SIGNALS_MAX 4
#define CORE	    true

static const struct {
	struct unit_end end;
	int signals[SIGNALS_MAX];
	const char *tail;
	const char *ops;
	uint32_t end_kind;
	int end_arg;
	bool keep_core;
	bool complete;
} end_rows[] = {
	{{END_EXITED, .code = 0}, {0}, "", "1:o", STUB_EXIT, 0, false, true},
	{{END_EXITED, .code = 255}, {0}, "", "1:o", STUB_EXIT, 255, false, true},
	/* By a signal of its own, or of the parent. */
	{{END_SIGNALED, .signal = SIGSEGV, .core = CORE},
	 {0},
	 "",
	 "1:o",
	 STUB_KILL,
	 SIGSEGV,
	 CORE,
	 true},
	{{END_SIGNALED, .signal = SIGABRT}, {0}, "", "1:o", STUB_KILL, SIGABRT, false, true},
	{{END_SIGNALED, .signal = SIGKILL}, {0}, "", "1:o", STUB_KILL, SIGKILL, false, true},
	{{END_SIGNALED, .signal = SIGTERM},
	 {SIGTERM},
	 "",
	 "1:o",
	 STUB_KILLED,
	 SIGTERM,
	 false,
	 false},
	{{END_SIGNALED, .signal = SIGKILL},
	 {SIGKILL},
	 "",
	 "1:o",
	 STUB_KILLED,
	 SIGKILL,
	 false,
	 false},
	{{END_SIGNALED, .signal = SIGQUIT, .core = CORE},
	 {SIGQUIT},
	 "",
	 "1:o",
	 STUB_KILLED,
	 SIGQUIT,
	 CORE,
	 false},
	/* Terminated at last, after it had been asked. */
	{{END_SIGNALED, .signal = SIGKILL},
	 {SIGTERM, SIGINT, SIGKILL},
	 "",
	 "1:o wait15 wait2",
	 STUB_KILLED,
	 SIGKILL,
	 false,
	 false},
	{{END_SIGNALED, .signal = SIGSEGV},
	 {SIGUSR1},
	 "",
	 "1:o wait10",
	 STUB_KILL,
	 SIGSEGV,
	 false,
	 false},
	/* It ended by itself, after it had been asked. */
	{{END_EXITED, .code = 3}, {SIGTERM}, "", "1:o wait15", STUB_EXIT, 3, false, false},
	{{END_EXITED, .code = 3},
	 {SIGHUP, SIGUSR1, SIGTERM},
	 "",
	 "1:o wait1 wait10 wait15",
	 STUB_EXIT,
	 3,
	 false,
	 false},
	/* They do nothing by default, but the end came after them. */
	{{END_EXITED, .code = 3},
	 {SIGCHLD, SIGCONT, SIGURG, SIGWINCH},
	 "",
	 "1:o wait17 wait18 wait23 wait28",
	 STUB_EXIT,
	 3,
	 false,
	 false},
	/* Equal ones that come together are one. */
	{{END_EXITED, .code = 3},
	 {SIGUSR1, SIGUSR1, SIGUSR2, SIGUSR1},
	 "",
	 "1:o wait10 wait12 wait10",
	 STUB_EXIT,
	 3,
	 false,
	 false},
	/* It lived through the first, and the second ended it. */
	{{END_SIGNALED, .signal = SIGTERM},
	 {SIGTERM, SIGUSR1, SIGTERM},
	 "",
	 "1:o wait15 wait10",
	 STUB_KILLED,
	 SIGTERM,
	 false,
	 false},
	/* The kernel does these to the stub. */
	{{END_EXITED, .code = 3},
	 {SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU},
	 "",
	 "1:o",
	 STUB_EXIT,
	 3,
	 false,
	 true},
	{{END_EXITED, .code = 3},
	 {SIGSTOP, SIGTERM, SIGCONT},
	 "",
	 "1:o wait15 wait18",
	 STUB_EXIT,
	 3,
	 false,
	 false},
	/* It ran to the end of the subject. */
	{{.how = END_UNFINISHED}, {0}, "", "1:o", STUB_KILLED, SIGKILL, false, false},
	{{.how = END_UNFINISHED}, {SIGUSR1}, "", "1:o", STUB_KILLED, SIGKILL, false, false},
	/* It left descendants behind. */
	{{END_EXITED, .code = 4}, {0}, "tail", "1:o leave 1:tail", STUB_EXIT, 4, false, false},
	{{END_EXITED, .code = 4},
	 {SIGTERM},
	 "tail",
	 "1:o wait15 leave 1:tail",
	 STUB_EXIT,
	 4,
	 false,
	 false},
	{{END_SIGNALED, .signal = SIGTERM},
	 {SIGTERM},
	 "tail",
	 "1:o leave 1:tail",
	 STUB_KILLED,
	 SIGTERM,
	 false,
	 false},
};

START_TEST(the_end_comes_after_output_and_signals)
{
	struct unit u = {.end = end_rows[_i].end};
	cleanup_buf struct buf ops = BUF_INIT;
	struct stream *s = add_stream(&u, 1, "o", 1);
	struct answer *a;
	size_t len;

	set_payload(&s->tail, end_rows[_i].tail, strlen(end_rows[_i].tail));
	for (int i = 0; i < SIGNALS_MAX && end_rows[_i].signals[i]; i++)
		ck_assert_int_eq(unit_add_signal(&u, end_rows[_i].signals[i]), 0);
	a = answer_of(&u);
	next_batch(a, &len);
	add_ops(&ops, len);
	ck_assert_str_eq(ops.data, end_rows[_i].ops);
	ck_assert_uint_eq(batch.end_kind, end_rows[_i].end_kind);
	ck_assert_int_eq(batch.end_arg, end_rows[_i].end_arg);
	ck_assert_int_eq(batch.keep_core != 0, end_rows[_i].keep_core);
	ck_assert_int_eq(answer_is_complete(&batch), end_rows[_i].complete);
	answer_free(a);
	unit_clear(&u);
}
END_TEST

START_TEST(tails_come_after_the_process_has_left)
{
	struct unit u = {.end = {.how = END_EXITED}};
	cleanup_buf struct buf ops = BUF_INIT;
	struct answer *a;
	size_t len;

	set_payload(&add_stream(&u, 1, "out", 3)->tail, "late", 4);
	set_payload(&add_stream(&u, 2, "err", 3)->tail, "later", 5);
	add_chunks(&u, "2:3 1:3");
	a = answer_of(&u);
	next_batch(a, &len);
	add_ops(&ops, len);
	ck_assert_str_eq(ops.data, "2:err 1:out leave 1:late 2:later");
	answer_free(a);
	unit_clear(&u);
}
END_TEST

START_TEST(the_roots_of_this_session_are_put_in)
{
	struct unit u = {.end = {.how = END_EXITED}};
	cleanup_buf struct buf ops = BUF_INIT;
	struct answer *a;
	size_t len;

	add_stream(&u, 1, "$WORK/a $$HOME", 14)->data.rooted = true;
	add_stream(&u, 2, "$WORK", 5)->data.rooted = false;
	a = answer_of(&u);
	next_batch(a, &len);
	add_ops(&ops, len);
	ck_assert_str_eq(ops.data, "1:/work/app/a $HOME 2:$WORK");
	answer_free(a);
	unit_clear(&u);
}
END_TEST

/* What happens until a time of the recording, and when the next thing does. */
START_TEST(events_wait_for_their_time)
{
	struct unit u = {.end = {.how = END_EXITED}};
	cleanup_buf struct buf ops = BUF_INIT;
	struct answer *a;
	size_t len;

	add_stream(&u, 1, "abc", 3);
	u.time.known = true;
	u.time.start_ns = 100;
	u.time.duration_ns = 50;
	unit_add_chunk_apart(&u, 1, 1, 10);
	unit_add_chunk_apart(&u, 1, 2, 20);
	a = answer_of(&u);
	ck_assert_uint_eq(answer_time(a), 110);
	answer_next(a, 109, &batch, &len);
	add_ops(&ops, len - offsetof(struct stub_answer, data));
	ck_assert_str_eq(ops.data, "more");
	answer_next(a, 110, &batch, &len);
	add_ops(&ops, len - offsetof(struct stub_answer, data));
	ck_assert_str_eq(ops.data, "more 1:a more");
	ck_assert_uint_eq(answer_time(a), 120);
	answer_next(a, 149, &batch, &len);
	add_ops(&ops, len - offsetof(struct stub_answer, data));
	ck_assert_str_eq(ops.data, "more 1:a more 1:bc more");
	ck_assert_uint_eq(answer_time(a), 150);
	answer_next(a, 150, &batch, &len);
	ck_assert_uint_eq(batch.op_count, 0);
	answer_free(a);
	unit_clear(&u);
}
END_TEST

/* Neither output nor the end comes together with what the subject had time to see before. */
START_TEST(what_came_later_comes_by_itself)
{
	struct unit u = {.end = {.how = END_EXITED}};
	cleanup_buf struct buf ops = BUF_INIT;
	struct answer *a;
	size_t len;

	add_stream(&u, 1, "ad", 2);
	add_stream(&u, 2, "be", 2);
	u.time.known = true;
	u.time.duration_ns = 9000000;
	unit_add_chunk(&u, 1, 1, 1000000);
	unit_add_chunk(&u, 2, 1, 1999999);
	unit_add_chunk(&u, 1, 1, 4000000);
	unit_add_chunk(&u, 2, 1, 4000001);
	a = answer_of(&u);
	for (int i = 0; i < 3; i++) {
		answer_next(a, UINT64_MAX - 1, &batch, &len);
		add_ops(&ops, len - offsetof(struct stub_answer, data));
	}
	ck_assert_str_eq(ops.data, "1:a 2:b more 1:d 2:e more");
	ck_assert_uint_eq(batch.op_count, 0);
	answer_free(a);
	/* Who has no turns does it all at once. */
	buf_clear(&ops);
	a = answer_of(&u);
	next_batch(a, &len);
	add_ops(&ops, len);
	ck_assert_str_eq(ops.data, "1:a 2:b 1:d 2:e");
	answer_free(a);
	unit_clear(&u);
}
END_TEST

static const struct {
	unsigned op_count;
	uint32_t kinds[3];
	uint32_t end_kind;
	bool complete;
} complete_rows[] = {
	{0, {0}, STUB_EXIT, true},
	{0, {0}, STUB_KILL, true},
	{0, {0}, STUB_KILLED, false},
	{1, {STUB_WRITE}, STUB_EXIT, true},
	{3, {STUB_WRITE, STUB_WRITE, STUB_WRITE}, STUB_EXIT, true},
	{2, {STUB_WRITE, STUB_MORE}, STUB_EXIT, false},
	{2, {STUB_WRITE, STUB_LEAVE}, STUB_EXIT, false},
	{3, {STUB_WRITE, STUB_WAIT_SIGNAL, STUB_WRITE}, STUB_EXIT, false},
	/* What is behind the count is not there. */
	{1, {STUB_WRITE, STUB_MORE}, STUB_EXIT, true},
};

START_TEST(a_complete_answer_needs_nobody)
{
	memset(&batch, 0, sizeof(batch));
	batch.op_count = complete_rows[_i].op_count;
	batch.end_kind = complete_rows[_i].end_kind;
	for (unsigned i = 0; i < COUNT(complete_rows[_i].kinds); i++)
		batch.op[i].kind = complete_rows[_i].kinds[i];
	ck_assert_int_eq(answer_is_complete(&batch), complete_rows[_i].complete);
}
END_TEST

static const struct {
	uint64_t start_ns;
	uint64_t after_ns;
	uint64_t patience_ms;
} patience_rows[] = {
	{0, 0, 100},
	{7000000000, 0, 100},
	{7000000000, 999999, 100},
	{7000000000, 150000000, 400},
	{0, 3000000000, 6100},
	/* A time that no recording has. */
	{UINT64_MAX, 5000000, 100},
};

START_TEST(a_signal_is_waited_for_as_long_as_it_took)
{
	struct unit u = {.end = {.how = END_EXITED}, .time.start_ns = patience_rows[_i].start_ns};
	struct answer *a;
	size_t len;

	unit_add_signal(&u, SIGUSR1);
	add_chunks(&u, "-1:1");
	u.time.chunks[0].time_ns = patience_rows[_i].after_ns;
	a = answer_of(&u);
	next_batch(a, &len);
	ck_assert_uint_eq(batch.op_count, 1);
	ck_assert_uint_eq(batch.op[0].kind, STUB_WAIT_SIGNAL);
	ck_assert_uint_eq(batch.op[0].len, patience_rows[_i].patience_ms);
	answer_free(a);
	unit_clear(&u);
}
END_TEST

START_TEST(no_answer_is_freed)
{
	answer_free(NULL);
}
END_TEST

Suite *tape_answer_suite(void)
{
	Suite *suite = suite_create("tape/answer");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, batch_enter, batch_leave);
	tcase_add_loop_test(all, output_comes_in_the_recorded_order, 0, COUNT(output_rows));
	tcase_add_loop_test(all, input_output_signals_and_modes_come_in_their_order, 0,
			    COUNT(conversation_rows));
	tcase_add_loop_test(all, what_never_ended_closes_what_it_had_closed, 0, 2);
	tcase_add_test(all, what_the_recording_broke_off_in_is_held);
	tcase_add_test(all, a_unit_without_streams_writes_nothing);
	tcase_add_loop_test(all, the_end_comes_after_output_and_signals, 0, COUNT(end_rows));
	tcase_add_test(all, tails_come_after_the_process_has_left);
	tcase_add_test(all, the_roots_of_this_session_are_put_in);
	tcase_add_test(all, events_wait_for_their_time);
	tcase_add_test(all, what_came_later_comes_by_itself);
	tcase_add_loop_test(all, a_complete_answer_needs_nobody, 0, COUNT(complete_rows));
	tcase_add_loop_test(all, a_signal_is_waited_for_as_long_as_it_took, 0,
			    COUNT(patience_rows));
	tcase_add_test(all, no_answer_is_freed);
	suite_add_tcase(suite, all);
	return suite;
}
