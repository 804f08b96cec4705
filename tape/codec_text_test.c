/*
 * The bytes of each record are those that jansson makes of the same values: this was how they were
 * written first, and the tapes of then are to stay as they are.
 */
#include "base/cleanup.h"
#include "base/hash.h"
#include "base/jsontext.h"
#include "base/text.h"
#include "tape/codec.h"
#include "tape/codec_parts.h"
#include "tape/names.h"
#include "tape/scratch_test.h"
#include "tools/tests.h"
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* --- With jansson --------------------------------------------------------------------------- */

static void put(json_t *object, const char *key, json_t *value)
{
	ck_assert_int_eq(json_object_set_new_nocheck(object, key, value), 0);
}

static void put_filled(json_t *object, const char *key, json_t *value)
{
	if (json_object_size(value) || json_array_size(value))
		put(object, key, value);
	else
		json_decref(value);
}

static json_t *base64(const struct buf *b)
{
	cleanup_buf struct buf text = BUF_INIT;

	ck_assert_int_eq(text_base64_encode(&text, b->data, b->len), 0);
	return json_stringn_nocheck(text.data ? text.data : "", text.len);
}

static json_t *byte_string(const struct buf *b)
{
	if (!b->len)
		return json_string("");
	if (text_is_utf8(b->data, b->len))
		return json_stringn_nocheck(b->data, b->len);
	return json_pack("{s:o}", "base64", base64(b));
}

static json_t *strings(const struct strings *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->count; i++) {
		struct buf item = {s->item[i], strlen(s->item[i]), 0};

		json_array_append_new(list, byte_string(&item));
	}
	return list;
}

static json_t *signal_value(int signal)
{
	char name[SIGNAL_NAME_SIZE];

	return signal_name(signal, name) ? json_string(name) : json_integer(signal);
}

static json_t *signals(const int *signal, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, signal_value(signal[i]));
	return list;
}

static json_t *head_value(const struct tape_head *h)
{
	json_t *o = json_pack("{s:i,s:s}", "version", TAPE_FORMAT_VERSION, "backend",
			      h->backend ? h->backend : "");

	put_filled(o, "command", strings(&h->command));
	put_filled(o, "roots", strings(&h->roots));
	put_filled(o, "env", strings(&h->env));
	put_filled(o, "through", strings(&h->through));
	put_filled(o, "real", strings(&h->real));
	return o;
}

static json_t *spawn_value(const struct unit *u)
{
	json_t *o = json_object(), *argv = json_array(), *env = json_object();

	for (size_t i = 0; i < u->argc; i++)
		json_array_append_new(argv, byte_string(&u->argv[i]));
	for (size_t i = 0; i < u->env_count; i++)
		put(env, u->env[i].name.data, byte_string(&u->env[i].value));
	put(o, "parent", byte_string(&u->parent));
	put(o, "argv", argv);
	if (!u->cwd_any)
		put(o, "cwd", byte_string(&u->cwd));
	put_filled(o, "env", env);
	return o;
}

static void put_payload(json_t *o, const struct payload *p)
{
	if (p->form == PAYLOAD_BLOB) {
		put(o, "blob", json_string(p->sha256));
		put(o, "size", json_integer((json_int_t)p->size));
	} else if (p->form == PAYLOAD_INLINE && p->bytes.len) {
		if (text_is_utf8(p->bytes.data, p->bytes.len))
			put(o, "text", json_stringn_nocheck(p->bytes.data, p->bytes.len));
		else
			put(o, "base64", base64(&p->bytes));
	}
	if (p->rooted && p->form != PAYLOAD_EMPTY)
		put(o, "roots", json_true());
}

static void put_set(json_t *o, const char *key, int64_t value, bool is_flag)
{
	if (value)
		put(o, key, is_flag ? json_true() : json_integer(value));
}

static json_t *stream_value(const struct stream *s)
{
	json_t *o = json_pack("{s:s}", "kind", stream_kind_name(s->kind));

	if (s->kind == STREAM_SAME)
		put(o, "same", json_integer(s->same_as));
	put_payload(o, &s->data);
	put_set(o, "eof", s->eof, true);
	put_set(o, "unseen", s->unseen, true);
	put_set(o, "packets", s->packets, true);
	put_set(o, "rows", s->rows, false);
	put_set(o, "columns", s->columns, false);
	return o;
}

static void put_by_fd(json_t *o, int fd, json_t *value)
{
	char key[16];

	snprintf(key, sizeof(key), "%d", fd & ~STREAM_INPUT);
	put(o, key, value);
}

static void put_streams(json_t *o, const struct unit *u)
{
	json_t *out = json_object(), *in = json_object();

	for (size_t i = 0; i < u->stream_count; i++) {
		const struct stream *s = &u->streams[i];

		if (s->fd == 0)
			put(o, "stdin", stream_value(s));
		else
			put_by_fd(s->fd & STREAM_INPUT ? in : out, s->fd, stream_value(s));
	}
	put_filled(o, "out", out);
	put_filled(o, "in", in);
}

static void put_end(json_t *o, const struct unit_end *end)
{
	const char *name = error_errno_name(end->exec_errno);

	if (end->how == END_EXITED)
		put(o, "code", json_integer(end->code));
	else if (end->how == END_SIGNALED)
		put(o, "signal", signal_value(end->signal));
	else if (end->how == END_EXEC_FAILED)
		put(o, "error", name ? json_string(name) : json_integer(end->exec_errno));
	else
		put(o, "unfinished", json_true());
	put_set(o, "core", end->how == END_SIGNALED && end->core, true);
	put_set(o, "timeout", end->timeout, true);
}

static json_t *what_of(const struct chunk *c)
{
	if (c->fd == CHUNK_SIGNAL)
		return signal_value((int)c->len);
	if (c->fd == CHUNK_MODE || c->fd == CHUNK_STOP)
		return json_string(c->fd == CHUNK_MODE ? "mode" : "stop");
	if (c->fd == CHUNK_SENT)
		return json_string("sent");
	return c->fd & STREAM_INPUT ? json_sprintf("in%d", c->fd & ~STREAM_INPUT)
				    : json_integer(c->fd);
}

static json_t *chunks_value(const struct chunk *chunk, size_t count, bool with_time)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count && i < TAPE_CHUNKS_MAX; i++) {
		json_int_t len = chunk[i].fd == CHUNK_SIGNAL ? 0 : (json_int_t)chunk[i].len;
		json_t *value = json_pack("[o,I]", what_of(&chunk[i]), len);

		if (with_time)
			json_array_append_new(value, json_integer((json_int_t)chunk[i].time_ns));
		json_array_append_new(list, value);
	}
	return list;
}

static json_t *modes_value(const struct unit *u)
{
	static const char *const names[] = {"now", "drain", "flush"};
	json_t *list = json_array();

	for (size_t i = 0; i < u->mode_count; i++)
		json_array_append_new(list, json_pack("{s:s,s:o}", "when", names[u->modes[i].when],
						      "termios", base64(&u->modes[i].termios)));
	return list;
}

static json_t *denied_value(const struct unit_denial *denied, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++) {
		const struct unit_denial *d = &denied[i];
		json_t *o = json_object();

		for (int text = 0; text < DENIED_TEXTS; text++) {
			if (text == DENIED_WHY && d->error)
				put(o, "error", json_string(error_errno_name(d->error)));
			if (text == DENIED_WHY && d->signal)
				put(o, "signal", signal_value(d->signal));
			if (d->text[text].len)
				put(o, codec_denied_keys[text], byte_string(&d->text[text]));
		}
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *exit_value(const struct unit *u)
{
	json_t *o = json_object();

	put_end(o, &u->end);
	put_streams(o, u);
	put_filled(o, "signals", signals(u->signals, u->signal_count));
	put_filled(o, "modes", modes_value(u));
	put_filled(o, "stops", signals(u->stops, u->stop_count));
	put_filled(o, "sent", signals(u->sent, u->sent_count));
	put_filled(o, "order", chunks_value(u->order, u->order_count, false));
	put_set(o, "explained", u->explained, true);
	put_filled(o, "denied", denied_value(u->denied, u->denied_count));
	return o;
}

static json_t *tail_value(const struct unit *u)
{
	json_t *o = json_object(), *out = json_object();

	for (size_t i = 0; i < u->stream_count; i++) {
		json_t *tail = json_object();

		put_payload(tail, &u->streams[i].tail);
		if (u->streams[i].tail.form != PAYLOAD_EMPTY)
			put_by_fd(out, u->streams[i].fd, json_incref(tail));
		json_decref(tail);
	}
	put_filled(o, "out", out);
	put_filled(o, "denied", denied_value(u->late, u->late_count));
	put_set(o, "denied_more", u->late_more, true);
	return o;
}

static json_t *denied_times_value(const struct unit_time *t)
{
	json_t *list = json_array();

	for (size_t i = 0; i < t->denied_count; i++)
		json_array_append_new(list, json_pack("[I,I]", (json_int_t)t->denied[i].pid,
						      (json_int_t)t->denied[i].count));
	return list;
}

static json_t *time_value(const struct unit *u)
{
	const struct unit_time *t = &u->time;
	json_t *o = json_object();

	put(o, "pid", json_integer(t->pid));
	put(o, "start_ns", json_integer((json_int_t)t->start_ns));
	put(o, "duration_ns", json_integer((json_int_t)t->duration_ns));
	put(o, "program", byte_string(&t->program));
	put_filled(o, "chunks", chunks_value(t->chunks, t->chunk_count, true));
	put_filled(o, "denied", denied_times_value(t));
	if (t->denied_more)
		put(o, "denied_more", json_integer((json_int_t)t->denied_more));
	put_set(o, "episode", t->episode, false);
	return o;
}

/* --- Compared ------------------------------------------------------------------------------- */

/* `value` is taken. */
static void assert_is_line(const struct buf *line, enum line_type type, struct unit_id id,
			   json_t *value)
{
	cleanup_buf struct buf text = BUF_INIT, expected = BUF_INIT;

	ck_assert_int_eq(jsontext_dump(value, JSON_COMPACT, &text), 0);
	text.data[0] = ',';
	text.len = json_object_size(value) ? text.len - 1 : 0;
	ck_assert_int_eq(line_add(&expected, type, id, (struct bytes){text.data, text.len}, NULL),
			 0);
	ck_assert_msg(bytes_equal((struct bytes){line->data, line->len},
				  (struct bytes){expected.data, expected.len}),
		      "%sand not\n%s", line->data, expected.data);
	json_decref(value);
}

static const struct {
	int (*write)(struct buf *out, const struct unit *u, struct error *err);
	json_t *(*value)(const struct unit *u);
	enum line_type type;
} records[] = {
	{codec_write_spawn, spawn_value, LINE_SPAWN},
	{codec_write_exit, exit_value, LINE_EXIT},
	{codec_write_tail, tail_value, LINE_TAIL},
	{codec_write_time, time_value, LINE_TIME},
};

#define RECORDS (sizeof(records) / sizeof(records[0]))

static void assert_as_jansson(const struct unit *u)
{
	for (size_t i = 0; i < RECORDS; i++) {
		cleanup_buf struct buf line = BUF_INIT;
		struct error err = {0};

		ck_assert_msg(records[i].write(&line, u, &err) == 0, "%s", err.text);
		assert_is_line(&line, records[i].type, u->id, records[i].value(u));
	}
}

/* --- Awkward units -------------------------------------------------------------------------- */

static const char *const awkward[] = {
	"",
	"plain",
	"seven b",
	"eight by",
	"an even longer run of plain characters before the end",
	"\"",
	"\\",
	"\\\"\\",
	"/slash",
	"tab\there, newline\nthere, \r\b\f",
	"\x01\x02\x1f\x7f",
	"eight bytes\x1f and on",
	"\xc3\xa4\xc3\xb6\xc3\xbc",
	"a\xe2\x80\xa8\xe2\x80\xa9z",
	"\xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf",
	"\xef\xbb\xbf",
	"\xef\xbf\xbe\xef\xbf\xbf",
	"\xff\xfe",
	"\xc3",
	"plain and then \xed\xa0\x80",
	"\xc0\xaf",
	"{\"base64\":\"\"}",
	"$ROOT/[1,2]:",
	"ends with a colon:",
	"ends with a bracket[",
};

#define AWKWARD (sizeof(awkward) / sizeof(awkward[0]))

static uint32_t draw(uint32_t *state, uint32_t below)
{
	*state = *state * 1664525u + 1013904223u;
	return (*state >> 8) % below;
}

/* A run of awkward strings, with any bytes among them. */
static void draw_bytes(uint32_t *state, struct buf *out)
{
	buf_clear(out);
	for (uint32_t parts = draw(state, 4); parts > 0; parts--) {
		ck_assert_int_eq(buf_add_str(out, awkward[draw(state, AWKWARD)]), 0);
		if (draw(state, 6) == 0)
			ck_assert_int_eq(buf_add_char(out, (char)draw(state, 256)), 0);
	}
}

static void draw_payload(uint32_t *state, struct payload *p)
{
	p->form = (enum payload_form)draw(state, 3);
	p->rooted = draw(state, 2);
	p->size = draw(state, 3) ? draw(state, 1000000) : UINT64_C(5000000000);
	if (p->form == PAYLOAD_INLINE)
		draw_bytes(state, &p->bytes);
	if (p->form == PAYLOAD_BLOB)
		memset(p->sha256, "0af9"[draw(state, 4)], HASH_SHA256_HEX);
}

static void draw_stream(uint32_t *state, struct unit *u, int fd)
{
	struct stream *s;

	if (draw(state, 2))
		return;
	s = unit_add_stream(u, fd);
	ck_assert_ptr_nonnull(s);
	s->kind = (enum stream_kind)draw(state, STREAM_SAME + 1);
	s->same_as = (int)draw(state, 12);
	s->eof = draw(state, 2);
	s->unseen = draw(state, 2);
	s->packets = draw(state, 2);
	s->rows = (int)draw(state, 2) * 24;
	s->columns = (int)draw(state, 2) * UINT16_MAX;
	draw_payload(state, &s->data);
	if (!stream_is_input(fd))
		draw_payload(state, &s->tail);
}

static struct chunk draw_chunk(uint32_t *state)
{
	static const int fds[] = {
		0, 1, 2, 77, 3 | STREAM_INPUT, CHUNK_SIGNAL, CHUNK_MODE, CHUNK_STOP, CHUNK_SENT};

	return (struct chunk){.fd = fds[draw(state, 9)],
			      .len = draw(state, 70),
			      .time_ns = draw(state, 5) ? draw(state, 1000) : INT64_MAX};
}

static void draw_lists(uint32_t *state, struct unit *u)
{
	cleanup_buf struct buf bytes = BUF_INIT;

	for (uint32_t left = draw(state, 4); left > 0; left--) {
		struct chunk c = draw_chunk(state), o = draw_chunk(state);

		draw_bytes(state, &bytes);
		unit_add_signal(u, (int)draw(state, 70));
		unit_add_stop(u, (int)draw(state, 70));
		unit_add_sent(u, (int)draw(state, 70));
		unit_add_mode(u, (enum mode_when)draw(state, 3),
			      (struct bytes){bytes.data, bytes.len});
		unit_add_chunk_apart(u, c.fd, c.len, c.time_ns);
		unit_add_order(u, &o);
	}
}

static void draw_command(uint32_t *state, struct unit *u)
{
	static const char *const names[] = {"LANG", "B\xc3\xa4", "\"\\", "\t", ":"};
	cleanup_buf struct buf bytes = BUF_INIT;

	for (uint32_t left = 1 + draw(state, 5); left > 0; left--) {
		draw_bytes(state, &bytes);
		unit_add_arg(u, bytes.data, bytes.len);
		draw_bytes(state, &bytes);
		if (draw(state, 2))
			unit_add_env(u, bytes_of_str(names[draw(state, 5)]),
				     (struct bytes){bytes.data, bytes.len});
	}
	draw_bytes(state, &u->parent);
	draw_bytes(state, &u->cwd);
	u->cwd_any = draw(state, 4) == 0;
	u->id = (struct unit_id){draw(state, 99) * UINT64_C(0x9e3779b97f4a7c15), draw(state, 9)};
}

static void draw_unit(uint32_t *state, struct unit *u)
{
	static const int fds[] = {0, 1, 2, 9, 1000, 5 | STREAM_INPUT, 63 | STREAM_INPUT};

	*u = (struct unit){0};
	draw_command(state, u);
	u->end = (struct unit_end){(enum end_how)draw(state, 4), (int)draw(state, 256),
				   (int)draw(state, 70),	 draw(state, 2),
				   (int)draw(state, 140),	 draw(state, 2)};
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		draw_stream(state, u, fds[i]);
	draw_lists(state, u);
	draw_bytes(state, &u->time.program);
	u->time.pid = draw(state, 3) ? (int64_t)draw(state, 99999) : INT64_MIN;
	u->time.start_ns = draw(state, 3) ? draw(state, 99999) : UINT64_MAX;
	u->time.duration_ns = draw(state, 3) ? draw(state, 99999) : INT64_MAX;
	u->time.episode = draw(state, 2) ? UINT32_MAX : 0;
}

START_TEST(awkward_records_are_as_jansson_writes_them)
{
	uint32_t state = 1;

	for (int round = 0; round < 2000; round++) {
		struct unit u;

		draw_unit(&state, &u);
		assert_as_jansson(&u);
		unit_clear(&u);
	}
}
END_TEST

/* Each pair of bytes, at each place of a run of eight. */
START_TEST(any_two_bytes_are_as_jansson_writes_them)
{
	cleanup_buf struct buf line = BUF_INIT;
	struct unit u = {.end = {.how = END_EXITED}};

	for (int pair = 0; pair < 256 * 256; pair++) {
		char text[12] = "12345678901";

		text[pair % 10] = (char)(pair >> 8);
		text[pair % 10 + 1] = (char)pair;
		buf_clear(&u.parent);
		buf_add(&u.parent, text, sizeof(text) - 1);
		buf_clear(&line);
		ck_assert_int_eq(codec_write_spawn(&line, &u, NULL), 0);
		assert_is_line(&line, LINE_SPAWN, u.id, spawn_value(&u));
	}
	unit_clear(&u);
}
END_TEST

START_TEST(a_large_record_is_as_jansson_writes_it)
{
	cleanup_buf struct buf large = BUF_INIT;
	struct unit u = {.end = {.how = END_EXITED}, .id = {UINT64_MAX, UINT32_MAX}};
	uint32_t state = 7;

	for (int i = 0; i < 300000; i++)
		buf_add_char(&large, (char)draw(&state, 128));
	unit_add_arg(&u, large.data, large.len);
	for (int i = 0; i < 20000; i++)
		unit_add_arg(&u, awkward[i % AWKWARD], strlen(awkward[i % AWKWARD]));
	for (int i = 0; i < TAPE_CHUNKS_MAX + 2; i++)
		unit_add_chunk_apart(&u, 1 + i % 2, 1, (uint64_t)i);
	assert_as_jansson(&u);
	unit_clear(&u);
}
END_TEST

START_TEST(heads_are_as_jansson_writes_them)
{
	struct tape_head h = {0};
	uint32_t state = 3;

	for (int round = 0; round < 200; round++) {
		struct strings *lists[] = {&h.command, &h.roots, &h.env, &h.through, &h.real};
		cleanup_buf struct buf line = BUF_INIT;

		ck_assert_int_eq(codec_write_head(&line, &h, NULL), 0);
		assert_is_line(&line, LINE_HEAD, (struct unit_id){0, 0}, head_value(&h));
		strings_add(lists[draw(&state, 5)], awkward[draw(&state, AWKWARD)]);
		free(h.backend);
		h.backend = strdup(round % 2 ? "ptrace" : "\"\xc3\xa4\"");
	}
	tape_head_clear(&h);
}
END_TEST

Suite *tape_codec_text_suite(void)
{
	Suite *s = suite_create("tape/codec_text");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, awkward_records_are_as_jansson_writes_them);
	tcase_add_test(t, any_two_bytes_are_as_jansson_writes_them);
	tcase_add_test(t, a_large_record_is_as_jansson_writes_it);
	tcase_add_test(t, heads_are_as_jansson_writes_them);
	suite_add_tcase(s, t);
	return s;
}
