#include "base/cleanup.h"
#include "base/hash.h"
#include "tape/codec.h"
#include "tape/names.h"
#include "tape/scratch_test.h"
#include "tools/tests.h"
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* Every byte there is, and not UTF-8. */
static void all_bytes(char *ret, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		ret[i] = (char)(255 - i % 256);
}

static void assert_same_buf(const struct buf *a, const struct buf *b)
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
}

static void assert_same_unit(const struct unit *a, const struct unit *b)
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
	ck_assert_uint_eq(a->mode_count, b->mode_count);
	for (i = 0; i < a->mode_count; i++) {
		ck_assert_int_eq(a->modes[i].when, b->modes[i].when);
		assert_same_buf(&a->modes[i].termios, &b->modes[i].termios);
	}
	assert_same_chunks(a->order, a->order_count, b->order, b->order_count);
	assert_same_time(&a->time, &b->time);
}

typedef int write_fn(struct buf *out, const struct unit *u, struct error *err);
typedef int read_fn(const struct line *line, struct unit *u, struct error *err);

/* 0, or the first failure of writing a record and reading it into `to`. */
static int pass_record(write_fn *write, read_fn *read, const struct unit *from, struct unit *to,
		       struct error *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct line line;
	int rc = write(&text, from, err);

	if (rc < 0)
		return rc;
	ck_assert_int_eq(text.data[text.len - 1], '\n');
	ck_assert_ptr_null(memchr(text.data, '\n', text.len - 1));
	ck_assert_int_eq(line_parse(text.data, text.len - 1, &line), LINE_OK);
	return read(&line, to, err);
}

static int pass_unit(const struct unit *from, struct unit *to, struct error *err)
{
	int rc = pass_record(codec_write_spawn, codec_read_spawn, from, to, err);

	if (rc == 0)
		rc = pass_record(codec_write_exit, codec_read_exit, from, to, err);
	if (rc == 0)
		rc = pass_record(codec_write_tail, codec_read_tail, from, to, err);
	if (rc == 0)
		rc = pass_record(codec_write_time, codec_read_time, from, to, err);
	return rc;
}

static void assert_round_trip(const struct unit *u)
{
	struct unit back = {0};
	struct error err = {0};

	ck_assert_msg(pass_unit(u, &back, &err) == 0, "%s", err.text);
	assert_same_unit(u, &back);
	unit_clear(&back);
}

static struct stream *add_stream(struct unit *u, int fd, enum stream_kind kind)
{
	struct stream *s = unit_add_stream(u, fd);

	ck_assert_ptr_nonnull(s);
	s->kind = kind;
	return s;
}

static void add_blob(struct payload *p)
{
	p->form = PAYLOAD_BLOB;
	p->size = UINT64_C(5000000000);
	p->rooted = true;
	memset(p->sha256, 'a', HASH_SHA256_HEX);
}

static const struct chunk rich_order[] = {
	{1, 4, 0},
	{CHUNK_MODE, 0, 0},
	{0, 600, 0},
	{0, 0, 0},
	{9, 4, 0},
	{9, 4, 0},
	{9 | STREAM_INPUT, 4, 0},
	{9 | STREAM_INPUT, 0, 0},
	{CHUNK_STOP, 1, 0},
	{CHUNK_STOP, 0, 0},
	{CHUNK_MODE, 1, 0},
	{CHUNK_SIGNAL, SIGTERM, 0},
};

/* Something in every field. */
static void make_rich_unit(struct unit *u)
{
	char bytes[600];
	struct stream *s;

	all_bytes(bytes, sizeof(bytes));
	make_unit(u, "/bin/\xff\xfe", "");
	u->id = (struct unit_id){UINT64_C(0xfedcba9876543210), 7};
	unit_add_arg(u, "", 0);
	unit_add_arg(u, bytes, sizeof(bytes));
	unit_add_arg(u, "nul\0\"\\\n\x7f\xc3\xa4\xe2\x80\xa8", 14);
	buf_clear(&u->cwd);
	buf_add(&u->cwd, bytes, sizeof(bytes));
	unit_add_env(u, bytes_of_str("LANG"), bytes_of_str("C"));
	unit_add_env(u, bytes_of_str("B\xc3\xa4"), (struct bytes){bytes, sizeof(bytes)});
	s = add_stream(u, 0, STREAM_FILE);
	set_payload(&s->data, bytes, sizeof(bytes));
	s->eof = true;
	s->rows = 24;
	s->columns = UINT16_MAX;
	set_payload(&unit_stream(u, 1)->data, "text\0\r\n", 7);
	set_payload(&unit_stream(u, 1)->tail, "late", 4);
	s = add_stream(u, 2, STREAM_SAME);
	s->same_as = 1;
	s = add_stream(u, 9, STREAM_SOCKET);
	s->packets = true;
	add_blob(&s->data);
	add_blob(&s->tail);
	s = add_stream(u, 9 | STREAM_INPUT, STREAM_SOCKET);
	set_payload(&s->data, "read", 4);
	s->eof = true;
	unit_add_signal(u, SIGTERM);
	unit_add_signal(u, SIGRTMIN + 3);
	unit_add_stop(u, SIGSTOP);
	unit_add_stop(u, SIGTSTP);
	unit_add_mode(u, MODE_NOW, (struct bytes){bytes, 36});
	unit_add_mode(u, MODE_FLUSH, (struct bytes){bytes, 44});
	for (size_t i = 0; i < sizeof(rich_order) / sizeof(rich_order[0]); i++)
		unit_add_order(u, &rich_order[i]);
	u->time = (struct unit_time){.pid = 4711, .start_ns = 1, .duration_ns = INT64_MAX};
	u->time.known = true;
	u->time.episode = 7;
	buf_add(&u->time.program, bytes, sizeof(bytes));
	unit_add_chunk(u, 1, 4, 10);
	unit_add_chunk_apart(u, CHUNK_SIGNAL, SIGRTMIN + 3, 15);
	unit_add_chunk_apart(u, CHUNK_MODE, 1, 15);
	unit_add_chunk(u, 9, UINT64_C(5000000000), 20);
}

START_TEST(any_bytes_in_any_field_come_back)
{
	struct unit u;

	make_rich_unit(&u);
	assert_round_trip(&u);
	unit_clear(&u);
}
END_TEST

START_TEST(every_kind_of_stream_comes_back)
{
	struct unit u;
	int kind;

	make_unit(&u, "a", "out");
	for (kind = STREAM_CLOSED; kind <= STREAM_OTHER; kind++)
		add_stream(&u, 10 + kind, (enum stream_kind)kind);
	set_payload(&unit_stream(&u, 1)->tail, "\xff", 1);
	assert_round_trip(&u);
	unit_clear(&u);
}
END_TEST

START_TEST(every_end_comes_back)
{
	static const struct unit_end ends[] = {
		{.how = END_EXITED, .code = 0},
		{.how = END_EXITED, .code = 255},
		{.how = END_SIGNALED, .signal = SIGKILL},
		{.how = END_SIGNALED, .signal = SIGKILL, .timeout = true},
		{.how = END_EXITED, .code = 3, .timeout = true},
		{.how = END_SIGNALED, .signal = SIGSEGV, .core = true},
		{.how = END_SIGNALED, .signal = 33},
		{.how = END_EXEC_FAILED, .exec_errno = ENOENT},
		{.how = END_EXEC_FAILED, .exec_errno = 4000},
	};
	struct unit u;

	make_unit(&u, "a", "");
	u.end = ends[_i];
	assert_round_trip(&u);
	unit_clear(&u);
}
END_TEST

START_TEST(what_an_unfinished_unit_wrote_comes_back)
{
	struct unit u;

	make_unit(&u, "a", "heard\n");
	u.end = (struct unit_end){.how = END_UNFINISHED};
	assert_round_trip(&u);
	unit_clear(&u);
}
END_TEST

START_TEST(a_unit_for_any_cwd_comes_back)
{
	struct unit u;

	make_unit(&u, "a", "");
	buf_clear(&u.cwd);
	u.cwd_any = true;
	assert_round_trip(&u);
	unit_clear(&u);
}
END_TEST

START_TEST(the_lines_are_those_of_the_standard)
{
	cleanup_buf struct buf out = BUF_INIT;
	struct unit u;

	make_unit(&u, "git", "hi\n");
	u.id = (struct unit_id){0xab, 1};
	codec_write_spawn(&out, &u, NULL);
	codec_write_exit(&out, &u, NULL);
	ck_assert_str_eq(out.data,
			 "{\"k\":\"00000000000000ab\",\"n\":1,\"t\":\"spawn\",\"parent\":\"0\","
			 "\"argv\":[\"git\"],\"cwd\":\"$WORK\",\"c\":\"2bdd848835b21882\"}\n"
			 "{\"k\":\"00000000000000ab\",\"n\":1,\"t\":\"exit\",\"code\":0,"
			 "\"out\":{\"1\":{\"kind\":\"pipe\",\"text\":\"hi\\n\"}},"
			 "\"c\":\"4158bc7158f97251\"}\n");
	unit_clear(&u);
}
END_TEST

START_TEST(an_env_name_that_json_cannot_hold_is_refused)
{
	static const struct bytes names[] = {{"", 0}, {"A\0B", 3}, {"\xff", 1}};
	cleanup_buf struct buf out = BUF_INIT;
	struct unit u;

	make_unit(&u, "a", "");
	unit_add_env(&u, names[_i], bytes_of_str(""));
	ck_assert_int_eq(codec_write_spawn(&out, &u, NULL), ERR_INVALID);
	ck_assert_uint_eq(out.len, 0);
	unit_clear(&u);
}
END_TEST

START_TEST(a_line_beyond_the_limit_is_refused)
{
	cleanup_buf struct buf out = BUF_INIT;
	cleanup_free char *big = malloc(TAPE_LINE_MAX);
	struct unit u;

	memset(big, 'x', TAPE_LINE_MAX);
	make_unit(&u, "a", "");
	unit_add_arg(&u, big, TAPE_LINE_MAX);
	ck_assert_int_eq(codec_write_spawn(&out, &u, NULL), ERR_LIMIT);
	ck_assert_uint_eq(out.len, 0);
	buf_clear(&u.argv[1]);
	buf_add(&u.argv[1], big, TAPE_LINE_MAX - 1000);
	ck_assert_int_eq(codec_write_spawn(&out, &u, NULL), 0);
	unit_clear(&u);
}
END_TEST

START_TEST(a_million_arguments_come_back)
{
	const size_t count = 1000000;
	struct unit u, back = {0};
	struct error err = {0};
	size_t i;

	make_unit(&u, "a", "");
	for (i = 1; i < count; i++)
		ck_assert_int_eq(unit_add_arg(&u, "x", i % 2), 0);
	ck_assert_int_eq(pass_record(codec_write_spawn, codec_read_spawn, &u, &back, &err), 0);
	ck_assert_uint_eq(back.argc, count);
	assert_same_buf(&back.argv[count - 1], &u.argv[count - 1]);
	unit_clear(&back);
	unit_clear(&u);
}
END_TEST

/* Any way that JSON has to write a character; whether all of them came is counted. */
START_TEST(any_escapes_are_read)
{
	static const char fields[] =
		",\"argv\":[\"\\u0000\\u0041\\u00e9\\u20aC\\uD83d\\uDE00\\/\\\\"
		"\\\"\\b\\f\\n\\r\\t\\\\u0041\"],\"\\u0065nv\":{\"A\":\"b\"},\"x\":[\"\"]";
	static const char wanted[] = "\0Aé€😀/\\\"\b\f\n\r\t\\u0041";
	cleanup_buf struct buf text = BUF_INIT;
	struct error err = {0};
	struct unit u = {0};
	struct line line;

	line_add(&text, LINE_SPAWN, u.id, bytes_of_str(fields), NULL);
	ck_assert_int_eq(line_parse(text.data, text.len - 1, &line), LINE_OK);
	ck_assert_msg(codec_read_spawn(&line, &u, &err) == 0, "%s", err.text);
	assert_same_bytes(u.argv[0].data, u.argv[0].len, wanted, sizeof(wanted) - 1);
	ck_assert_uint_eq(u.env_count, 1);
	unit_clear(&u);
}
END_TEST

START_TEST(a_million_nested_arrays_are_refused)
{
	cleanup_buf struct buf fields = BUF_INIT, out = BUF_INIT;
	struct unit u = {0};
	struct error err = {0};
	struct line line;
	int i;

	buf_add_str(&fields, ",\"argv\":");
	for (i = 0; i < 1000000; i++)
		buf_add_char(&fields, '[');
	for (i = 0; i < 1000000; i++)
		buf_add_char(&fields, ']');
	ck_assert_int_eq(
		line_add(&out, LINE_SPAWN, u.id, (struct bytes){fields.data, fields.len}, &err), 0);
	ck_assert_int_eq(line_parse(out.data, out.len - 1, &line), LINE_OK);
	ck_assert_int_eq(codec_read_spawn(&line, &u, &err), ERR_FORMAT);
	ck_assert(err.text[0]);
	unit_clear(&u);
}
END_TEST

START_TEST(chunks_beyond_the_limit_are_left_out)
{
	struct unit u, back = {0};
	struct error err = {0};
	int i;

	make_unit(&u, "a", "");
	for (i = 0; i < TAPE_CHUNKS_MAX + 10; i++)
		unit_add_chunk(&u, i % 2, 1, (uint64_t)i);
	ck_assert_int_eq(pass_record(codec_write_time, codec_read_time, &u, &back, &err), 0);
	ck_assert_uint_eq(back.time.chunk_count, TAPE_CHUNKS_MAX);
	unit_clear(&u);
	unit_clear(&back);
}
END_TEST

START_TEST(the_head_comes_back)
{
	cleanup_buf struct buf out = BUF_INIT;
	struct tape_head h, back;
	struct line line;

	make_head(&h);
	strings_add(&h.command, "\xff\xfe");
	strings_add(&h.env, "LANG");
	strings_add(&h.through, "*/npm");
	strings_add(&h.real, "");
	ck_assert_int_eq(codec_write_head(&out, &h, NULL), 0);
	ck_assert_int_eq(line_parse(out.data, out.len - 1, &line), LINE_OK);
	ck_assert_int_eq(codec_read_head(&line, &back, NULL), 0);
	ck_assert_int_eq(back.version, TAPE_FORMAT_VERSION);
	ck_assert_str_eq(back.backend, "ptrace");
	ck_assert_uint_eq(back.command.count, 2);
	ck_assert_str_eq(back.command.item[1], "\xff\xfe");
	ck_assert_uint_eq(back.roots.count, 2);
	ck_assert_str_eq(back.env.item[0], "LANG");
	ck_assert_str_eq(back.through.item[0], "*/npm");
	ck_assert_str_eq(back.real.item[0], "");
	tape_head_clear(&h);
	tape_head_clear(&back);
}
END_TEST

/* Records whose checksum is right and whose content is not. */
static const struct bad_record {
	enum line_type type;
	int code;
	const char *fields;
} bad_records[] = {
	{LINE_HEAD, ERR_FORMAT, ""},
	{LINE_HEAD, ERR_FORMAT, ",\"version\":0"},
	{LINE_HEAD, ERR_FORMAT, ",\"version\":\"1\""},
	{LINE_HEAD, ERR_VERSION, ",\"version\":2"},
	{LINE_HEAD, ERR_FORMAT, ",\"version\":1,\"version\":1"},
	{LINE_HEAD, ERR_FORMAT, ",\"version\":1,\"roots\":\"WORK\""},
	{LINE_HEAD, ERR_FORMAT, ",\"version\":1,\"roots\":[\"a\\u0000b\"]"},
	{LINE_HEAD, ERR_FORMAT, ",\"version\":1,\"backend\":7"},
	{LINE_SPAWN, ERR_FORMAT, ""},
	{LINE_SPAWN, ERR_FORMAT, ",\"argv\":[1]"},
	{LINE_SPAWN, ERR_FORMAT, ",\"argv\":[{\"base64\":\"A\"}]"},
	{LINE_SPAWN, ERR_FORMAT, ",\"argv\":[{\"base65\":\"\"}]"},
	{LINE_SPAWN, ERR_FORMAT, ",\"argv\":[],\"cwd\":null"},
	{LINE_SPAWN, ERR_FORMAT, ",\"argv\":[],\"env\":[]"},
	{LINE_SPAWN, ERR_FORMAT, ",\"argv\":[],\"env\":{\"\":\"x\"}"},
	{LINE_SPAWN, ERR_FORMAT, ",\"argv\":[],\"env\":{\"A\":\"x\",\"A\":\"y\"}"},
	{LINE_SPAWN, ERR_FORMAT, ",\"argv\":[\"\xff\"]"},
	{LINE_SPAWN, ERR_FORMAT, ",\"argv\":[\"\\ud800\"]"},
	{LINE_SPAWN, ERR_FORMAT, ",\"argv\":[]}"},
	{LINE_EXIT, ERR_FORMAT, ""},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"timeout\":1"},
	{LINE_TIME, ERR_FORMAT, ",\"episode\":-1"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"signal\":\"SIGTERM\""},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":1.5"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":99999999999"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":999999999999999999999999999999"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":1e999"},
	{LINE_EXIT, ERR_FORMAT, ",\"signal\":\"SIGNOT\""},
	{LINE_EXIT, ERR_FORMAT, ",\"signal\":\"SIGRTMIN+03\""},
	{LINE_EXIT, ERR_FORMAT, ",\"signal\":\"SIGRTMIN+99\""},
	{LINE_EXIT, ERR_FORMAT, ",\"signal\":0"},
	{LINE_EXIT, ERR_FORMAT, ",\"error\":\"ENOSUCHNAME\""},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"stdin\":[]"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"stdin\":{\"eof\":1}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"stdin\":{\"kind\":\"pump\"}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"stdin\":{\"kind\":\"same\"}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"stdin\":{\"kind\":\"same\",\"same\":0}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"stdin\":{\"text\":\"\",\"base64\":\"\"}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"stdin\":{\"text\":1}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"stdin\":{\"base64\":\"====\"}"},
	{LINE_EXIT, ERR_FORMAT,
	 ",\"code\":0,\"stdin\":{\"blob\":\"../../../etc/passwd\",\"size\":1}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"out\":{\"0\":{}}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"out\":{\"01\":{}}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"out\":{\"x\":{}}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"out\":{\"1\":{},\"1\":{}}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"out\":{\"99999999999\":{}}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"out\":{\"1073741824\":{}}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"in\":{\"0\":{}}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"in\":{\"2\":{}}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"in\":{\"03\":{}}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"in\":{\"1073741827\":{}}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"in\":{\"3\":{\"packets\":1}}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"in\":[]"},
	{LINE_EXIT, 0, ",\"code\":0,\"in\":{\"3\":{}},\"order\":[[\"in3\",0]]"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"order\":[[\"in2\",0]]"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"order\":[[\"in03\",0]]"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"order\":[[\"in3x\",0]]"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"order\":[[\"in\",0]]"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"signals\":{}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"signals\":[null]"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"order\":[[1,2,3]]"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"order\":[[-1,2]]"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"order\":[[\"SIGNOT\",0]]"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"order\":[[\"mode\",0]]"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"order\":[[\"stop\",0]]"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"stops\":[\"stop\"]"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"order\":7"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"modes\":{}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"modes\":[{\"when\":\"later\",\"termios\":\"\"}]"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"modes\":[{\"when\":\"now\",\"termios\":\"x\"}]"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"stdin\":{\"rows\":65536}"},
	{LINE_TAIL, 0, ""},
	{LINE_TAIL, ERR_FORMAT, ",\"out\":1"},
	{LINE_TAIL, ERR_FORMAT, ",\"out\":{\"1\":1}}"},
	{LINE_TAIL, ERR_FORMAT, ",\"out\":{\"0\":{}}"},
	{LINE_TIME, ERR_FORMAT, ",\"start_ns\":-1"},
	{LINE_TIME, ERR_FORMAT, ",\"chunks\":[[1,2]]"},
	{LINE_TIME, ERR_FORMAT, ",\"chunks\":[[1,-2,3]]"},
	{LINE_TIME, ERR_FORMAT, ",\"chunks\":[[\"SIGNOT\",0,3]]"},
	{LINE_TIME, 0, ",\"chunks\":[[\"SIGTERM\",0,3],[\"mode\",7,3]]"},
	{LINE_TIME, 0, ""},
	/* Keys that this version does not know are those of a later minor one. */
	{LINE_SPAWN, 0, ",\"argv\":[],\"reads\":[\"a\"]"},
	{LINE_EXIT, 0, ",\"code\":0,\"stdin\":{\"later\":{}},\"later\":1"},
};

#define BAD_RECORDS (sizeof(bad_records) / sizeof(bad_records[0]))

static int read_any(const struct line *line, struct error *err)
{
	struct tape_head head = {0};
	struct unit u = {0};
	int rc;

	switch (line->type) {
	case LINE_HEAD:
		rc = codec_read_head(line, &head, err);
		break;
	case LINE_SPAWN:
		rc = codec_read_spawn(line, &u, err);
		break;
	case LINE_EXIT:
		rc = codec_read_exit(line, &u, err);
		break;
	case LINE_TAIL:
		rc = codec_read_tail(line, &u, err);
		break;
	default:
		rc = codec_read_time(line, &u, err);
	}
	tape_head_clear(&head);
	unit_clear(&u);
	return rc;
}

START_TEST(bad_content_is_refused_with_a_sentence)
{
	const struct bad_record *bad = &bad_records[_i];
	cleanup_buf struct buf text = BUF_INIT;
	struct error err = {0};
	struct line line;
	int rc;

	line_add(&text, bad->type, (struct unit_id){0, 0}, bytes_of_str(bad->fields), NULL);
	ck_assert_int_eq(line_parse(text.data, text.len - 1, &line), LINE_OK);
	rc = read_any(&line, &err);
	ck_assert_msg(rc == bad->code, "%s: %d %s", bad->fields, rc, err.text);
	ck_assert_int_eq(rc < 0, err.text[0] != '\0');
}
END_TEST

static size_t allocations_left;

static void *scarce_malloc(size_t size)
{
	return allocations_left && allocations_left-- ? malloc(size) : NULL;
}

/* Memory ends at every point in turn; what was built until then must not leak. */
START_TEST(running_out_of_memory_is_an_error)
{
	struct unit u;
	size_t n;
	int rc = -1;

	make_rich_unit(&u);
	for (n = 0; rc != 0; n++) {
		struct unit back = {0};
		struct error err = {0};

		allocations_left = n;
		json_set_alloc_funcs(scarce_malloc, free);
		rc = pass_unit(&u, &back, &err);
		json_set_alloc_funcs(malloc, free);
		unit_clear(&back);
		ck_assert_msg(rc == 0 || rc == ERR_NOMEM || strstr(err.text, "cannot be parsed"),
			      "%zu: %s", n, err.text);
	}
	ck_assert_uint_gt(n, 100);
	unit_clear(&u);
}
END_TEST

/* What is read in the quick way, and the same with white space, which is not. */
static const struct {
	read_fn *read;
	enum line_type type;
	const char *quick;
	const char *slow;
} two_ways[] = {
	{codec_read_spawn, LINE_SPAWN,
	 ",\"parent\":\"0\",\"argv\":[\"a\",\"\",\"\\\"\\\\\\/\\b\\f\\n\\r\\t "
	 "ü\"],\"cwd\":\"$WORK\"",
	 ",\"parent\":\"0\", \"argv\":[\"a\",\"\",\"\\\"\\\\\\/\\b\\f\\n\\r\\t "
	 "ü\"],\"cwd\":\"$WORK\""},
	{codec_read_spawn, LINE_SPAWN, ",\"parent\":\"0\",\"argv\":[\"a\"]",
	 ",\"parent\":\"0\",\"argv\":[\"a\"] "},
	{codec_read_exit, LINE_EXIT,
	 ",\"code\":3,\"stdin\":{\"kind\":\"file\",\"text\":\"x\",\"eof\":true},\"out\":{\"1\":{"
	 "\"kind\":"
	 "\"pipe\",\"text\":\"$$\\n\",\"roots\":true},\"2\":{\"kind\":\"same\",\"same\":1}}",
	 ", "
	 "\"code\":3,\"stdin\":{\"kind\":\"file\",\"text\":\"x\",\"eof\":true},\"out\":{\"1\":{"
	 "\"kind\":"
	 "\"pipe\",\"text\":\"$$\\n\",\"roots\":true},\"2\":{\"kind\":\"same\",\"same\":1}}"},
	{codec_read_exit, LINE_EXIT,
	 ",\"code\":0,\"out\":{\"1\":{\"kind\":\"pipe\",\"text\":\"\"}}}",
	 ",\"code\":0,\"out\":{\"1\":{\"kind\":\"pipe\",\"text\":\"\"}} }"},
	{codec_read_time, LINE_TIME,
	 ",\"pid\":7,\"start_ns\":1,\"duration_ns\":2,\"program\":\"/bin/"
	 "a\",\"chunks\":[[1,2,3],[2,4,5]]",
	 ",\"pid\":7,\"start_ns\":1,\"duration_ns\":2,\"program\":\"/bin/a\",\"chunks\":[[1,2,3], "
	 "[2,4,5]]"},
};

static int read_text(size_t row, const char *text, struct unit *ret)
{
	cleanup_buf struct buf b = BUF_INIT;
	struct line line;
	struct error err;

	ck_assert_int_eq(
		line_add(&b, two_ways[row].type, (struct unit_id){1, 0}, bytes_of_str(text), &err),
		0);
	ck_assert_int_eq(line_parse(b.data, b.len - 1, &line), LINE_OK);
	memset(ret, 0, sizeof(*ret));
	return two_ways[row].read(&line, ret, &err);
}

START_TEST(quick_and_slow_reading_agree)
{
	struct unit quick, slow;
	int rc = read_text((size_t)_i, two_ways[_i].quick, &quick);

	ck_assert_int_eq(rc, read_text((size_t)_i, two_ways[_i].slow, &slow));
	if (rc == 0)
		assert_same_unit(&quick, &slow);
	unit_clear(&quick);
	unit_clear(&slow);
}
END_TEST

START_TEST(signals_have_names)
{
	char name[SIGNAL_NAME_SIZE];
	int number, named = 0;

	for (number = 1; number <= SIGRTMAX; number++) {
		if (!signal_name(number, name))
			continue;
		ck_assert_int_eq(signal_number(name), number);
		named++;
	}
	ck_assert_int_ge(named, 31);
	ck_assert(signal_name(SIGRTMIN, name));
	ck_assert_str_eq(name, "SIGRTMIN+0");
	ck_assert(!signal_name(0, name));
	ck_assert_int_eq(signal_number("SIGRTMIN+"), 0);
	ck_assert_int_eq(signal_number("SIGRTMIN+-1"), 0);
}
END_TEST

/* Whatever is in a string, and wherever: both ways read the same, or both refuse it. */
START_TEST(strings_are_read_alike_in_both_ways)
{
	static const char *const pieces[] = {"a",    "bcdefgh", "\\\"",	    "\\\\",
					     "\\n",  "\\u0041", "\xc3\xbc", "\xff",
					     "\x7f", "\x01",	"\"",	    "$WORK/"};
	struct random r = {4711};

	for (int round = 0; round < 4000; round++) {
		cleanup_buf struct buf text = BUF_INIT, quick = BUF_INIT, slow = BUF_INIT;
		struct unit by_quick = {0}, by_slow = {0};
		struct line line;
		int rc;

		for (size_t n = random_below(&r, 12); n > 0; n--)
			buf_add_str(&text, pieces[random_below(&r, 12)]);
		buf_addf(&quick, ",\"parent\":\"0\",\"argv\":[\"%s\"],\"cwd\":\"\"",
			 text.data ? text.data : "");
		buf_addf(&slow, ",\"parent\":\"0\", \"argv\":[\"%s\"],\"cwd\":\"\"",
			 text.data ? text.data : "");
		text.len = 0;
		line_add(&text, LINE_SPAWN, (struct unit_id){1, 0},
			 (struct bytes){quick.data, quick.len}, NULL);
		ck_assert_int_eq(line_parse(text.data, text.len - 1, &line), LINE_OK);
		rc = codec_read_spawn(&line, &by_quick, NULL);
		text.len = 0;
		line_add(&text, LINE_SPAWN, (struct unit_id){1, 0},
			 (struct bytes){slow.data, slow.len}, NULL);
		ck_assert_int_eq(line_parse(text.data, text.len - 1, &line), LINE_OK);
		ck_assert_int_eq(codec_read_spawn(&line, &by_slow, NULL), rc);
		if (rc == 0)
			assert_same_unit(&by_quick, &by_slow);
		unit_clear(&by_quick);
		unit_clear(&by_slow);
	}
}
END_TEST

Suite *tape_codec_suite(void)
{
	Suite *suite = suite_create("tape/codec");
	TCase *all = tcase_create("all");

	tcase_set_timeout(all, 60);
	tcase_add_test(all, any_bytes_in_any_field_come_back);
	tcase_add_test(all, every_kind_of_stream_comes_back);
	tcase_add_loop_test(all, every_end_comes_back, 0, 9);
	tcase_add_test(all, what_an_unfinished_unit_wrote_comes_back);
	tcase_add_test(all, a_unit_for_any_cwd_comes_back);
	tcase_add_test(all, the_lines_are_those_of_the_standard);
	tcase_add_loop_test(all, an_env_name_that_json_cannot_hold_is_refused, 0, 3);
	tcase_add_test(all, a_line_beyond_the_limit_is_refused);
	tcase_add_test(all, a_million_arguments_come_back);
	tcase_add_test(all, any_escapes_are_read);
	tcase_add_test(all, a_million_nested_arrays_are_refused);
	tcase_add_test(all, chunks_beyond_the_limit_are_left_out);
	tcase_add_test(all, the_head_comes_back);
	tcase_add_loop_test(all, bad_content_is_refused_with_a_sentence, 0, BAD_RECORDS);
	tcase_add_test(all, running_out_of_memory_is_an_error);
	tcase_add_test(all, strings_are_read_alike_in_both_ways);
	tcase_add_loop_test(all, quick_and_slow_reading_agree, 0,
			    sizeof(two_ways) / sizeof(two_ways[0]));
	tcase_add_test(all, signals_have_names);
	suite_add_tcase(suite, all);
	return suite;
}
