#include "base/cleanup.h"
#include "base/text.h"
#include "tape/codec.h"
#include "tape/codec_parts.h"
#include "tape/names.h"
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* Takes `value`, which may be NULL: then memory was short when it was made. */
int codec_put_take(json_t *object, const char *key, json_t *value)
{
	return json_object_set_new_nocheck(object, key, value) < 0 ? ERR_NOMEM : 0;
}

int codec_append_take(json_t *array, json_t *value)
{
	return json_array_append_new(array, value) < 0 ? ERR_NOMEM : 0;
}

/* Inserts only what is there: an empty container is the default and is not written. */
int codec_put_container_take(json_t *object, const char *key, json_t *value)
{
	if (value && !json_object_size(value) && !json_array_size(value)) {
		json_decref(value);
		return 0;
	}
	return codec_put_take(object, key, value);
}

json_t *codec_base64_text(struct bytes b)
{
	cleanup_buf struct buf text = BUF_INIT;

	if (text_base64_encode(&text, b.data, b.len) < 0)
		return NULL;
	return json_stringn_nocheck(text.data ? text.data : "", text.len);
}

static json_t *byte_string(struct bytes b)
{
	if (!b.len)
		return json_string_nocheck("");
	if (text_is_utf8(b.data, b.len))
		return json_stringn_nocheck(b.data, b.len);
	return json_pack("{s:o}", "base64", codec_base64_text(b));
}

static json_t *byte_string_of_buf(const struct buf *b)
{
	return byte_string((struct bytes){b->data, b->len});
}

/* The line of a record whose own fields are the members of `object`. */
static int add_record(struct buf *out, enum line_type type, struct unit_id id, const json_t *object,
		      struct error *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct bytes fields = {NULL, 0};

	if (codec_dump(object, &text) < 0)
		return error_no_memory(err);
	if (json_object_size(object)) {
		text.data[0] = ',';
		fields = (struct bytes){text.data, text.len - 1};
	}
	return line_add(out, type, id, fields, err);
}

static json_t *string_list(const struct strings *s)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; list && i < s->count; i++) {
		if (codec_append_take(list, byte_string(bytes_of_str(s->item[i]))) < 0) {
			json_decref(list);
			list = NULL;
		}
	}
	return list;
}

int codec_write_head(struct buf *out, const struct tape_head *h, struct error *err)
{
	cleanup_json json_t *o = json_object();
	const char *backend = h->backend ? h->backend : "";

	if (codec_put_take(o, "version", json_integer(TAPE_FORMAT_VERSION)) < 0 ||
	    codec_put_take(o, "backend", byte_string(bytes_of_str(backend))) < 0 ||
	    codec_put_container_take(o, "command", string_list(&h->command)) < 0 ||
	    codec_put_container_take(o, "roots", string_list(&h->roots)) < 0 ||
	    codec_put_container_take(o, "env", string_list(&h->env)) < 0 ||
	    codec_put_container_take(o, "through", string_list(&h->through)) < 0 ||
	    codec_put_container_take(o, "real", string_list(&h->real)) < 0)
		return error_no_memory(err);
	return add_record(out, LINE_HEAD, (struct unit_id){0, 0}, o, err);
}

static json_t *arg_list(const struct unit *u)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; list && i < u->argc; i++) {
		if (codec_append_take(list, byte_string_of_buf(&u->argv[i])) < 0) {
			json_decref(list);
			list = NULL;
		}
	}
	return list;
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

static int put_env(json_t *object, const struct unit *u, struct error *err)
{
	json_t *env = json_object();
	size_t i;
	int rc = 0;

	for (i = 0; env && rc == 0 && i < u->env_count; i++) {
		rc = check_env_name(&u->env[i].name, err);
		if (rc == 0 && codec_put_take(env, u->env[i].name.data,
					      byte_string_of_buf(&u->env[i].value)) < 0)
			rc = error_no_memory(err);
	}
	if (rc < 0) {
		json_decref(env);
		return rc;
	}
	return codec_put_container_take(object, "env", env) < 0 ? error_no_memory(err) : 0;
}

int codec_write_spawn(struct buf *out, const struct unit *u, struct error *err)
{
	cleanup_json json_t *o = json_object();
	int rc;

	if (codec_put_take(o, "parent", byte_string_of_buf(&u->parent)) < 0 ||
	    codec_put_take(o, "argv", arg_list(u)) < 0 ||
	    (!u->cwd_any && codec_put_take(o, "cwd", byte_string_of_buf(&u->cwd)) < 0))
		return error_no_memory(err);
	rc = put_env(o, u, err);
	return rc < 0 ? rc : add_record(out, LINE_SPAWN, u->id, o, err);
}

static int put_payload(json_t *object, const struct payload *p)
{
	struct bytes b = {p->bytes.data, p->bytes.len};
	int rc = 0;

	if (p->form == PAYLOAD_BLOB) {
		rc = codec_put_take(object, "blob", json_string(p->sha256));
		if (rc == 0)
			rc = codec_put_take(object, "size", json_integer((json_int_t)p->size));
	} else if (p->form == PAYLOAD_INLINE && b.len) {
		if (text_is_utf8(b.data, b.len))
			rc = codec_put_take(object, "text", json_stringn_nocheck(b.data, b.len));
		else
			rc = codec_put_take(object, "base64", codec_base64_text(b));
	}
	if (rc == 0 && p->rooted && p->form != PAYLOAD_EMPTY)
		rc = codec_put_take(object, "roots", json_true());
	return rc;
}

static json_t *stream_object(const struct stream *s)
{
	json_t *o = json_object();

	if (codec_put_take(o, "kind", json_string(stream_kind_name(s->kind))) < 0 ||
	    (s->kind == STREAM_SAME && codec_put_take(o, "same", json_integer(s->same_as)) < 0) ||
	    put_payload(o, &s->data) < 0 || (s->eof && codec_put_take(o, "eof", json_true()) < 0) ||
	    (s->unseen && codec_put_take(o, "unseen", json_true()) < 0) ||
	    (s->packets && codec_put_take(o, "packets", json_true()) < 0) ||
	    (s->rows && codec_put_take(o, "rows", json_integer(s->rows)) < 0) ||
	    (s->columns && codec_put_take(o, "columns", json_integer(s->columns)) < 0)) {
		json_decref(o);
		return NULL;
	}
	return o;
}

static json_t *tail_object(const struct stream *s)
{
	json_t *o = json_object();

	if (o && put_payload(o, &s->tail) < 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}

static int put_by_fd(json_t *object, int fd, json_t *value)
{
	char key[16];

	snprintf(key, sizeof(key), "%d", fd & ~STREAM_INPUT);
	return codec_put_take(object, key, value);
}

static int put_streams(json_t *object, const struct unit *u)
{
	cleanup_json json_t *out = json_object();
	cleanup_json json_t *in = json_object();
	size_t i;
	int rc = 0;

	for (i = 0; out && in && rc == 0 && i < u->stream_count; i++) {
		const struct stream *s = &u->streams[i];

		if (s->fd == 0)
			rc = codec_put_take(object, "stdin", stream_object(s));
		else
			rc = put_by_fd(stream_is_input(s->fd) ? in : out, s->fd, stream_object(s));
	}
	if (rc == 0)
		rc = codec_put_container_take(object, "out", json_incref(out));
	return rc < 0 ? rc : codec_put_container_take(object, "in", json_incref(in));
}

json_t *codec_signal_value(int signal)
{
	char name[SIGNAL_NAME_SIZE];

	return signal_name(signal, name) ? json_string(name) : json_integer(signal);
}

static int put_end(json_t *object, const struct unit_end *end, struct error *err)
{
	const char *name;
	int rc;

	switch (end->how) {
	case END_EXITED:
		rc = codec_put_take(object, "code", json_integer(end->code));
		break;
	case END_SIGNALED:
		rc = codec_put_take(object, "signal", codec_signal_value(end->signal));
		if (rc == 0 && end->core)
			rc = codec_put_take(object, "core", json_true());
		break;
	case END_EXEC_FAILED:
		name = error_errno_name(end->exec_errno);
		rc = codec_put_take(object, "error",
				    name ? json_string(name) : json_integer(end->exec_errno));
		break;
	case END_UNFINISHED:
		rc = codec_put_take(object, "unfinished", json_true());
		break;
	default:
		return error_set(err, ERR_INVALID, "a unit cannot end like that");
	}
	if (rc == 0 && end->timeout)
		rc = codec_put_take(object, "timeout", json_true());
	return rc < 0 ? error_no_memory(err) : 0;
}

static int put_signals(json_t *object, const char *key, const int *signals, size_t count)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; list && i < count; i++) {
		if (codec_append_take(list, codec_signal_value(signals[i])) < 0) {
			json_decref(list);
			list = NULL;
		}
	}
	return codec_put_container_take(object, key, list);
}

int codec_write_exit(struct buf *out, const struct unit *u, struct error *err)
{
	cleanup_json json_t *o = json_object();
	int rc;

	if (!o)
		return error_no_memory(err);
	rc = put_end(o, &u->end, err);
	if (rc < 0)
		return rc;
	if (put_streams(o, u) < 0 || put_signals(o, "signals", u->signals, u->signal_count) < 0 ||
	    codec_put_container_take(o, "modes", codec_mode_list(u)) < 0 ||
	    put_signals(o, "stops", u->stops, u->stop_count) < 0 ||
	    codec_put_container_take(o, "order", codec_order_list(u)) < 0)
		return error_no_memory(err);
	return add_record(out, LINE_EXIT, u->id, o, err);
}

int codec_write_tail(struct buf *out, const struct unit *u, struct error *err)
{
	cleanup_json json_t *o = json_object();
	json_t *streams = json_object();
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < u->stream_count; i++) {
		if (u->streams[i].tail.form != PAYLOAD_EMPTY)
			rc = put_by_fd(streams, u->streams[i].fd, tail_object(&u->streams[i]));
	}
	if (rc < 0) {
		json_decref(streams);
		return error_no_memory(err);
	}
	if (codec_put_container_take(o, "out", streams) < 0)
		return error_no_memory(err);
	return add_record(out, LINE_TAIL, u->id, o, err);
}

int codec_write_time(struct buf *out, const struct unit *u, struct error *err)
{
	const struct unit_time *t = &u->time;
	cleanup_json json_t *o = json_object();

	if (codec_put_take(o, "pid", json_integer(t->pid)) < 0 ||
	    codec_put_take(o, "start_ns", json_integer((json_int_t)t->start_ns)) < 0 ||
	    codec_put_take(o, "duration_ns", json_integer((json_int_t)t->duration_ns)) < 0 ||
	    codec_put_take(o, "program", byte_string_of_buf(&t->program)) < 0 ||
	    codec_put_container_take(o, "chunks", codec_chunk_list(t)) < 0 ||
	    (t->episode && codec_put_take(o, "episode", json_integer(t->episode)) < 0))
		return error_no_memory(err);
	return add_record(out, LINE_TIME, u->id, o, err);
}
