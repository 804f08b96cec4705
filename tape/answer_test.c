#include "base/cleanup.h"
#include "tape/answer.h"
#include "tape/scratch_test.h"
#include "tape/spool.h"
#include "tools/tests.h"
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

#define TAPE "t.tape"

static struct tape_reader *reader;
static struct roots *roots;
static struct stub_answer batch;

static void enter(void)
{
	scratch_enter();
	record(TAPE, "");
	reader = reader_at(TAPE);
	roots = roots_new();
	ck_assert_int_eq(roots_add(roots, "WORK", "/work/app", NULL), 0);
	ck_assert_int_eq(roots_add(roots, "HOME", "/home/me", NULL), 0);
}

static void leave(void)
{
	roots_free(roots);
	tape_reader_free(reader);
	scratch_leave();
}

static struct stream *add_stream(struct unit *u, int fd, const void *bytes, size_t len)
{
	struct stream *s = unit_add_stream(u, fd);

	ck_assert_ptr_nonnull(s);
	s->kind = STREAM_PIPE;
	set_payload(&s->data, bytes, len);
	return s;
}

static struct answer *answer_of(const struct unit *u)
{
	struct answer *a = NULL;
	struct error err = {0};

	ck_assert_msg(answer_new(reader, roots, u, 0, &a, &err) == 0, "%s", err.text);
	return a;
}

/* The next operations, of which nothing is left of the ones before. */
static void next_batch(struct answer *a, size_t *ret_data_len)
{
	size_t len = 0;

	memset(&batch, 0x55, sizeof(batch));
	answer_next(a, UINT64_MAX, &batch, &len);
	ck_assert_uint_le(len, sizeof(batch));
	ck_assert_uint_ge(len, offsetof(struct stub_answer, data));
	ck_assert_uint_le(batch.op_count, STUB_OPS_MAX);
	*ret_data_len = len - offsetof(struct stub_answer, data);
}

/* The operations as words: "1:out 2:err wait15 leave more". */
static void add_ops(struct buf *out, size_t data_len)
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
		case STUB_CLOSE:
			buf_addf(out, "close%d", op->arg);
			break;
		case STUB_MODE:
			ck_assert_uint_le(op->offset + op->len, data_len);
			buf_addf(out, "mode%x/%llu", (unsigned)op->arg,
				 (unsigned long long)op->len);
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

/* "1:3 2:2": three bytes of stdout, then two of stderr. */
static void add_chunks(struct unit *u, const char *chunks)
{
	int fd, used;
	unsigned long len;

	for (; sscanf(chunks, "%d:%lu %n", &fd, &len, &used) == 2; chunks += used) {
		ck_assert_int_eq(unit_add_chunk_apart(u, fd, len, 0), 0);
		u->time.known = true;
	}
	ck_assert_str_eq(chunks, "");
}

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
	const char *order; /* -1: a signal, -2: a mode, -3: a stop */
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
	struct spool *spool = spool_new(TAPE);
	struct answer *a;

	ck_assert_int_eq(spool_add(spool, out, size, NULL), 0);
	add_stream(&u, 1, "", 0);
	payload_clear(&unit_stream(&u, 1)->data);
	ck_assert_int_eq(spool_finish(spool, NULL, &unit_stream(&u, 1)->data, NULL), 0);
	spool_free(spool);
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
	ck_assert_int_eq(answer_new(reader, roots, &u, 0, &a, &err), ERR_NOTFOUND);
	ck_assert_ptr_null(a);
	ck_assert_ptr_nonnull(strstr(err.text, "aaaa"));
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

START_TEST(no_answer_is_freed)
{
	answer_free(NULL);
}
END_TEST

Suite *tape_answer_suite(void)
{
	Suite *suite = suite_create("tape/answer");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, enter, leave);
	tcase_add_loop_test(all, output_comes_in_the_recorded_order, 0, COUNT(output_rows));
	tcase_add_loop_test(all, input_output_signals_and_modes_come_in_their_order, 0,
			    COUNT(conversation_rows));
	tcase_add_test(all, a_unit_without_streams_writes_nothing);
	tcase_add_loop_test(all, a_channel_is_taken_from_and_written_to_in_its_order, 0,
			    COUNT(channel_rows));
	tcase_add_loop_test(all, what_never_ended_closes_what_it_had_closed, 0, 2);
	tcase_add_test(all, what_is_taken_from_a_channel_is_compared);
	tcase_add_test(all, a_packet_is_not_divided);
	tcase_add_test(all, who_has_turns_asks_before_it_reads_on);
	tcase_add_loop_test(all, the_end_comes_after_output_and_signals, 0, COUNT(end_rows));
	tcase_add_test(all, tails_come_after_the_process_has_left);
	tcase_add_loop_test(all, the_stub_takes_as_much_stdin_as_was_taken, 0, COUNT(stdin_rows));
	tcase_add_test(all, the_stub_takes_stdin_with_its_roots_put_in);
	tcase_add_test(all, the_roots_of_this_session_are_put_in);
	tcase_add_loop_test(all, more_than_a_batch_holds_comes_in_several, 0, COUNT(large_rows));
	tcase_add_test(all, every_batch_knows_the_end_and_only_the_first_wants_stdin);
	tcase_add_loop_test(all, more_chunks_than_operations_keep_their_order, 0,
			    COUNT(chunk_rows));
	tcase_add_loop_test(all, each_signal_is_awaited_once_in_whichever_batch, 0,
			    COUNT(signal_rows));
	tcase_add_test(all, output_in_a_blob_is_written);
	tcase_add_test(all, a_missing_blob_is_an_error);
	tcase_add_test(all, stdin_is_compared_with_what_was_read);
	tcase_add_test(all, events_wait_for_their_time);
	tcase_add_loop_test(all, a_complete_answer_needs_nobody, 0, COUNT(complete_rows));
	tcase_add_test(all, no_answer_is_freed);
	suite_add_tcase(suite, all);
	return suite;
}
