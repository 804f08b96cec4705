/* What is written and read again; limits; memory that ends. */
#include "base/cleanup.h"
#include "base/hash.h"
#include "tape/codec.h"
#include "tape/denied.h"
#include "tape/names.h"
#include "tape/same_unit_test.h"
#include "tape/scratch_test.h"
#include "tools/tests.h"
#include <errno.h>
#include <jansson.h>
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
	{CHUNK_SENT, 0, 0},
	{CHUNK_MODE, 1, 0},
	{CHUNK_SIGNAL, SIGTERM, 0},
};

static void fill_denial(struct unit_denial *d, const char *text, size_t len, int error, int signal)
{
	ck_assert_ptr_nonnull(d);
	for (int i = 0; i < DENIED_TEXTS; i++)
		buf_add(&d->text[i], text, i == DENIED_MECHANISM || !error ? len : len - (size_t)i);
	d->error = error;
	d->signal = signal;
}

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
	unit_add_sent(u, SIGUSR1);
	unit_add_sent(u, SIGRTMAX);
	unit_add_mode(u, MODE_NOW, (struct bytes){bytes, 36});
	unit_add_mode(u, MODE_FLUSH, (struct bytes){bytes, 44});
	for (size_t i = 0; i < sizeof(rich_order) / sizeof(rich_order[0]); i++)
		unit_add_order(u, &rich_order[i]);
	fill_denial(denied_append(u), bytes, sizeof(bytes), EACCES, 0);
	fill_denial(denied_append(u), "seccomp", 7, 0, SIGSYS);
	fill_denial(denied_append_late(u), bytes, sizeof(bytes), 0, SIGXCPU);
	fill_denial(denied_append_late(u), "capabilities", 12, EPERM, 0);
	u->late_more = true;
	u->explained = true;
	u->time = (struct unit_time){.pid = 4711, .start_ns = 1, .duration_ns = INT64_MAX};
	u->time.known = true;
	u->time.episode = 7;
	buf_add(&u->time.program, bytes, sizeof(bytes));
	u->time.denied_more = 3;
	denied_append_time(&u->time, &(struct unit_denial_time){.pid = 0, .count = 1});
	denied_append_time(&u->time, &(struct unit_denial_time){.pid = 9, .count = INT64_MAX});
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
	strings_add(&h.restricted, "seccomp");
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
	ck_assert_str_eq(back.restricted.item[0], "seccomp");
	tape_head_clear(&h);
	tape_head_clear(&back);
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
		ck_assert_msg(rc == 0 || rc == ERR_NOMEM, "%zu: %s", n, err.text);
	}
	ck_assert_uint_gt(n, 100);
	unit_clear(&u);
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
	tcase_add_test(all, chunks_beyond_the_limit_are_left_out);
	tcase_add_test(all, the_head_comes_back);
	tcase_add_test(all, running_out_of_memory_is_an_error);
	tcase_add_test(all, signals_have_names);
	suite_add_tcase(suite, all);
	return suite;
}
