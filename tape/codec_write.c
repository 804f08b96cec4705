#include "base/cleanup.h"
#include "base/text.h"
#include "tape/codec.h"
#include "tape/codec_parts.h"
#include "tape/json_out.h"
#include "tape/names.h"
#include <string.h>

static struct bytes bytes_of_buf(const struct buf *b)
{
	return (struct bytes){b->data, b->len};
}

static void put_bytes(struct json_out *j, const char *key, struct bytes value)
{
	json_out_key(j, key);
	json_out_bytes(j, value);
}

static void put_integer(struct json_out *j, const char *key, int64_t value)
{
	json_out_key(j, key);
	json_out_integer(j, value);
}

/* The line of a record begins at `start`. `rc`: of what the fields say. */
static int end_record(struct json_out *j, size_t start, int rc, struct error *err)
{
	if (rc == 0 && j->failed)
		rc = error_no_memory(err);
	return line_end(j->out, start, rc, err);
}

static struct json_out begin_record(struct buf *out, enum line_type type, struct unit_id id)
{
	return (struct json_out){out, line_begin(out, type, id) < 0};
}

/* What is empty is the default and is not written. */
static void put_strings(struct json_out *j, const char *key, const struct strings *s)
{
	if (!s->count)
		return;
	json_out_key(j, key);
	json_out_open(j, '[');
	for (size_t i = 0; i < s->count; i++)
		json_out_bytes(j, bytes_of_str(s->item[i]));
	json_out_close(j, ']');
}

static void put_head(struct json_out *j, const struct tape_head *h)
{
	put_integer(j, "version", TAPE_FORMAT_VERSION);
	put_bytes(j, "backend", bytes_of_str(h->backend ? h->backend : ""));
	put_strings(j, "command", &h->command);
	put_strings(j, "roots", &h->roots);
	put_strings(j, "env", &h->env);
	put_strings(j, "through", &h->through);
	put_strings(j, "real", &h->real);
	put_strings(j, "restricted", &h->restricted);
}

int codec_write_head(struct buf *out, const struct tape_head *h, struct error *err)
{
	size_t start = out->len;
	struct json_out j = begin_record(out, LINE_HEAD, (struct unit_id){0, 0});

	put_head(&j, h);
	return end_record(&j, start, 0, err);
}

static void put_argv(struct json_out *j, const struct unit *u)
{
	json_out_key(j, "argv");
	json_out_open(j, '[');
	for (size_t i = 0; i < u->argc; i++)
		json_out_bytes(j, bytes_of_buf(&u->argv[i]));
	json_out_close(j, ']');
}

/* A name is a key of a JSON object, which can only be text, and never holds a NUL. */
static int check_env_name(const struct buf *name, struct error *err)
{
	if (!name->len || memchr(name->data, '\0', name->len) ||
	    !text_is_utf8(name->data, name->len))
		return error_set(err, ERR_INVALID,
				 "a variable's name must be UTF-8 without NUL to be on a tape");
	return 0;
}

static int put_env(struct json_out *j, const struct unit *u, struct error *err)
{
	int rc = 0;

	if (!u->env_count)
		return 0;
	json_out_key(j, "env");
	json_out_open(j, '{');
	for (size_t i = 0; rc == 0 && i < u->env_count; i++) {
		rc = check_env_name(&u->env[i].name, err);
		if (rc == 0) {
			json_out_key_bytes(j, bytes_of_buf(&u->env[i].name));
			json_out_bytes(j, bytes_of_buf(&u->env[i].value));
		}
	}
	json_out_close(j, '}');
	return rc;
}

int codec_write_spawn(struct buf *out, const struct unit *u, struct error *err)
{
	size_t start = out->len;
	struct json_out j = begin_record(out, LINE_SPAWN, u->id);
	int rc;

	put_bytes(&j, "parent", bytes_of_buf(&u->parent));
	put_argv(&j, u);
	if (!u->cwd_any)
		put_bytes(&j, "cwd", bytes_of_buf(&u->cwd));
	rc = put_env(&j, u, err);
	return end_record(&j, start, rc, err);
}

static void put_inline(struct json_out *j, struct bytes b)
{
	if (text_is_utf8(b.data, b.len)) {
		json_out_key(j, "text");
		json_out_string(j, b);
	} else {
		json_out_key(j, "base64");
		json_out_base64(j, b);
	}
}

static void put_payload(struct json_out *j, const struct payload *p)
{
	if (p->form == PAYLOAD_BLOB) {
		json_out_key(j, "blob");
		json_out_string(j, bytes_of_str(p->sha256));
		put_integer(j, "size", (int64_t)p->size);
	} else if (p->form == PAYLOAD_INLINE && p->bytes.len) {
		put_inline(j, bytes_of_buf(&p->bytes));
	}
	json_out_flag(j, "roots", p->rooted && p->form != PAYLOAD_EMPTY);
}

static void put_stream(struct json_out *j, const struct stream *s)
{
	json_out_open(j, '{');
	json_out_key(j, "kind");
	json_out_string(j, bytes_of_str(stream_kind_name(s->kind)));
	if (s->kind == STREAM_SAME)
		put_integer(j, "same", s->same_as);
	put_payload(j, &s->data);
	json_out_flag(j, "eof", s->eof);
	json_out_flag(j, "unseen", s->unseen);
	json_out_flag(j, "packets", s->packets);
	if (s->rows)
		put_integer(j, "rows", s->rows);
	if (s->columns)
		put_integer(j, "columns", s->columns);
	json_out_close(j, '}');
}

static void put_tail(struct json_out *j, const struct stream *s)
{
	json_out_open(j, '{');
	put_payload(j, &s->tail);
	json_out_close(j, '}');
}

static void put_number_key(struct json_out *j, int fd)
{
	char key[TEXT_DECIMAL_MAX + 1];

	key[text_decimal((uint64_t)(fd & ~STREAM_INPUT), key)] = '\0';
	json_out_key(j, key);
}

typedef bool choose_fn(const struct stream *s);
typedef void put_fn(struct json_out *j, const struct stream *s);

/* An object of the streams that are chosen, by their numbers; nothing when there is none. */
static void put_chosen(struct json_out *j, const char *key, const struct unit *u,
		       choose_fn *is_chosen, put_fn *put)
{
	bool any = false;

	for (size_t i = 0; i < u->stream_count; i++) {
		const struct stream *s = &u->streams[i];

		if (!is_chosen(s))
			continue;
		if (!any) {
			json_out_key(j, key);
			json_out_open(j, '{');
		}
		any = true;
		put_number_key(j, s->fd);
		put(j, s);
	}
	if (any)
		json_out_close(j, '}');
}

static bool is_output(const struct stream *s)
{
	return !stream_is_input(s->fd);
}

static bool is_passed_input(const struct stream *s)
{
	return s->fd != 0 && stream_is_input(s->fd);
}

static bool has_tail(const struct stream *s)
{
	return s->tail.form != PAYLOAD_EMPTY;
}

static void put_streams(struct json_out *j, const struct unit *u)
{
	const struct stream *in = unit_stream_const(u, 0);

	if (in) {
		json_out_key(j, "stdin");
		put_stream(j, in);
	}
	put_chosen(j, "out", u, is_output, put_stream);
	put_chosen(j, "in", u, is_passed_input, put_stream);
}

void codec_put_signal(struct json_out *j, int signal)
{
	char name[SIGNAL_NAME_SIZE];

	if (signal_name(signal, name))
		json_out_string(j, bytes_of_str(name));
	else
		json_out_integer(j, signal);
}

void codec_put_errno(struct json_out *j, int number)
{
	const char *name = error_errno_name(number);

	json_out_key(j, "error");
	if (name)
		json_out_string(j, bytes_of_str(name));
	else
		json_out_integer(j, number);
}

static int put_end(struct json_out *j, const struct unit_end *end, struct error *err)
{
	switch (end->how) {
	case END_EXITED:
		put_integer(j, "code", end->code);
		break;
	case END_SIGNALED:
		json_out_key(j, "signal");
		codec_put_signal(j, end->signal);
		json_out_flag(j, "core", end->core);
		break;
	case END_EXEC_FAILED:
		codec_put_errno(j, end->exec_errno);
		break;
	case END_UNFINISHED:
		json_out_flag(j, "unfinished", true);
		break;
	default:
		return error_set(err, ERR_INVALID, "a unit cannot end like that");
	}
	json_out_flag(j, "timeout", end->timeout);
	return 0;
}

static void put_signals(struct json_out *j, const char *key, const int *signals, size_t count)
{
	if (!count)
		return;
	json_out_key(j, key);
	json_out_open(j, '[');
	for (size_t i = 0; i < count; i++)
		codec_put_signal(j, signals[i]);
	json_out_close(j, ']');
}

int codec_write_exit(struct buf *out, const struct unit *u, struct error *err)
{
	size_t start = out->len;
	struct json_out j = begin_record(out, LINE_EXIT, u->id);
	int rc = put_end(&j, &u->end, err);

	put_streams(&j, u);
	put_signals(&j, "signals", u->signals, u->signal_count);
	codec_put_modes(&j, u);
	put_signals(&j, "stops", u->stops, u->stop_count);
	put_signals(&j, "sent", u->sent, u->sent_count);
	codec_put_order(&j, u);
	json_out_flag(&j, "explained", u->explained);
	codec_put_denied(&j, u->denied, u->denied_count);
	return end_record(&j, start, rc, err);
}

int codec_write_tail(struct buf *out, const struct unit *u, struct error *err)
{
	size_t start = out->len;
	struct json_out j = begin_record(out, LINE_TAIL, u->id);

	put_chosen(&j, "out", u, has_tail, put_tail);
	codec_put_denied(&j, u->late, u->late_count);
	json_out_flag(&j, "denied_more", u->late_more);
	return end_record(&j, start, 0, err);
}

int codec_write_time(struct buf *out, const struct unit *u, struct error *err)
{
	const struct unit_time *t = &u->time;
	size_t start = out->len;
	struct json_out j = begin_record(out, LINE_TIME, u->id);

	put_integer(&j, "pid", t->pid);
	put_integer(&j, "start_ns", (int64_t)t->start_ns);
	put_integer(&j, "duration_ns", (int64_t)t->duration_ns);
	put_bytes(&j, "program", bytes_of_buf(&t->program));
	codec_put_chunks(&j, t);
	codec_put_denied_times(&j, t);
	if (t->denied_more)
		put_integer(&j, "denied_more", (int64_t)t->denied_more);
	if (t->episode)
		put_integer(&j, "episode", t->episode);
	return end_record(&j, start, 0, err);
}
