#include "tape/scratch_test.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "tape/spool.h"
#include "tools/tests.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNITS_MAX 32

void put_file(const char *path, const void *bytes, size_t len)
{
	struct error err = {0};

	ck_assert_msg(fs_write_atomic(path, bytes, len, false, &err) == 0, "%s", err.text);
}

void get_file(const char *path, struct buf *ret)
{
	struct error err = {0};

	ck_assert_msg(fs_read_file(path, (size_t)1 << 30, ret, &err) == 0, "%s", err.text);
}

bool is_file(const char *path)
{
	return access(path, F_OK) == 0;
}

void assert_same_bytes(const void *got, size_t got_len, const void *wanted, size_t wanted_len)
{
	ck_assert_uint_eq(got_len, wanted_len);
	ck_assert(!got_len || !memcmp(got, wanted, got_len));
}

void make_head(struct tape_head *h)
{
	memset(h, 0, sizeof(*h));
	h->version = TAPE_FORMAT_VERSION;
	h->backend = strdup("ptrace");
	ck_assert_int_eq(strings_add(&h->command, "make"), 0);
	ck_assert_int_eq(strings_add(&h->roots, "WORK"), 0);
	ck_assert_int_eq(strings_add(&h->roots, "HOME"), 0);
}

void set_payload(struct payload *p, const void *bytes, size_t len)
{
	payload_clear(p);
	p->form = len ? PAYLOAD_INLINE : PAYLOAD_EMPTY;
	p->size = len;
	ck_assert_int_eq(buf_add(&p->bytes, bytes, len), 0);
}

void set_spooled(struct payload *p, const char *path, const void *bytes, size_t len,
		 const struct roots *roots)
{
	struct spool *s = spool_new(path);

	ck_assert_int_eq(spool_add(s, bytes, len, NULL), 0);
	payload_clear(p);
	ck_assert_int_eq(spool_finish(s, roots, p, NULL), 0);
	spool_free(s);
}

void make_unit(struct unit *u, const char *name, const char *output)
{
	struct stream *s;

	memset(u, 0, sizeof(*u));
	ck_assert_int_eq(unit_add_arg(u, name, strlen(name)), 0);
	ck_assert_int_eq(buf_add_str(&u->cwd, "$WORK"), 0);
	ck_assert_int_eq(buf_add_str(&u->parent, "0"), 0);
	s = unit_add_stream(u, 1);
	ck_assert_ptr_nonnull(s);
	s->kind = STREAM_PIPE;
	set_payload(&s->data, output, strlen(output));
	u->end.how = END_EXITED;
}

struct tape_writer *writer_at(const char *path)
{
	struct tape_head head;
	struct tape_writer *w = NULL;
	struct error err = {0};
	int rc;

	make_head(&head);
	rc = tape_writer_open(path, &head, false, &w, &err);
	tape_head_clear(&head);
	ck_assert_msg(rc == 0, "%s", err.text);
	return w;
}

struct tape_reader *reader_at(const char *path)
{
	struct tape_reader *r = NULL;
	struct error err = {0};

	ck_assert_msg(tape_reader_open(path, &r, &err) == 0, "%s", err.text);
	return r;
}

static struct unit *unit_of(struct unit *units, const char *name)
{
	size_t i;

	for (i = 0; i < UNITS_MAX; i++) {
		if (units[i].argc && !strcmp(units[i].argv[0].data, name))
			return &units[i];
	}
	ck_abort_msg("%s was not spawned", name);
	return NULL;
}

static void play_end(struct tape_writer *w, struct unit *u, const char *output, uint64_t time_ns)
{
	struct error err = {0};

	set_payload(&unit_stream(u, 1)->data, output, strlen(output));
	u->time.duration_ns = time_ns - u->time.start_ns;
	ck_assert_msg(tape_writer_exit(w, u, &err) == 0, "%s", err.text);
}

static void play_event(struct tape_writer *w, struct unit *units, const char *event,
		       uint64_t time_ns)
{
	const char *rest = event + 2;
	const char name[2] = {event[0], '\0'};
	struct error err = {0};
	struct unit *u;

	if (event[1] == '(') {
		for (u = units; u->argc && strcmp(u->argv[0].data, name) != 0; u++)
			ck_assert(u < units + UNITS_MAX - 1);
		unit_clear(u);
		make_unit(u, name, "");
		u->time.start_ns = time_ns;
		ck_assert_msg(tape_writer_spawn(w, u, &err) == 0, "%s", err.text);
		return;
	}
	u = unit_of(units, name);
	if (event[1] == ')' || event[1] == '|') {
		struct stream *input = unit_add_stream(u, 0);

		ck_assert_ptr_nonnull(input);
		input->kind = event[1] == '|' ? STREAM_PIPE : STREAM_NULL;
		play_end(w, u, rest, time_ns);
		return;
	}
	set_payload(&unit_stream(u, 1)->tail, rest, strlen(rest));
	ck_assert_msg(tape_writer_tail(w, u, &err) == 0, "%s", err.text);
}

void play(struct tape_writer *w, const char *events)
{
	struct unit units[UNITS_MAX];
	cleanup_free char *copy = strdup(events);
	char *place = NULL;
	uint64_t time_ns = 0;
	const char *event;
	size_t i;

	memset(units, 0, sizeof(units));
	for (event = strtok_r(copy, " ", &place); event; event = strtok_r(NULL, " ", &place))
		play_event(w, units, event, time_ns++);
	for (i = 0; i < UNITS_MAX; i++)
		unit_clear(&units[i]);
}

void record(const char *path, const char *events)
{
	struct tape_writer *w = writer_at(path);
	struct error err = {0};

	play(w, events);
	ck_assert_msg(tape_writer_finish(w, &err) == 0, "%s", err.text);
	tape_writer_free(w);
}

void assert_order(const char *path, const char *wanted)
{
	struct tape_reader *r = reader_at(path);
	cleanup_buf struct buf got = BUF_INIT;
	size_t i;

	for (i = 0; i < tape_reader_count(r); i++) {
		const struct stream *s;
		struct unit u;

		ck_assert_int_eq(tape_reader_unit(r, i, &u, NULL), 0);
		s = unit_stream_const(&u, 1);
		buf_addf(&got, "%s%s%s", i ? " " : "", u.argv[0].data,
			 u.end.how == END_UNFINISHED ? "?"
			 : s->data.bytes.len	     ? s->data.bytes.data
						     : "");
		if (s && s->tail.bytes.len)
			buf_addf(&got, "+%s", s->tail.bytes.data);
		unit_clear(&u);
	}
	tape_reader_free(r);
	ck_assert_str_eq(got.data ? got.data : "", wanted);
}

struct unit command_of(const char *line, const char *cwd)
{
	cleanup_free char *copy = strdup(line);
	struct unit u = {0};
	char *place = NULL;

	for (char *word = strtok_r(copy, " ", &place); word; word = strtok_r(NULL, " ", &place)) {
		char *equals = u.argc ? NULL : strchr(word, '=');

		if (!equals) {
			word += strcmp(word, "_") == 0;
			ck_assert_int_eq(unit_add_arg(&u, word, strlen(word)), 0);
			continue;
		}
		*equals = '\0';
		ck_assert_int_eq(unit_add_env(&u, bytes_of_str(word), bytes_of_str(equals + 1)), 0);
	}
	buf_add_str(&u.parent, "0");
	if (cwd)
		buf_add_str(&u.cwd, cwd);
	else
		u.cwd_any = true;
	ck_assert_int_eq(unit_key(&u, &u.id.key), 0);
	return u;
}

void write_commands(const char *path, const struct command_line *records, size_t count)
{
	struct tape_writer *w = writer_at(path);
	struct error err = {0};

	for (size_t i = 0; i < count; i++) {
		struct unit u = command_of(records[i].line, records[i].cwd);

		u.end = (struct unit_end){.how = END_EXITED, .code = (int)i};
		u.time = (struct unit_time){
			.start_ns = i * UINT64_C(1000000000), .duration_ns = 1, .known = true};
		ck_assert_msg(tape_writer_spawn(w, &u, &err) == 0, "%s", err.text);
		ck_assert_msg(tape_writer_exit(w, &u, &err) == 0, "%s", err.text);
		unit_clear(&u);
	}
	ck_assert_msg(tape_writer_finish(w, &err) == 0, "%s", err.text);
	tape_writer_free(w);
}
