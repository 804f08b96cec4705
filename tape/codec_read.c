#include "base/cleanup.h"
#include "base/hash.h"
#include "base/jsontext.h"
#include "base/text.h"
#include "tape/codec.h"
#include "tape/codec_parts.h"
#include "tape/codec_quick.h"
#include "tape/names.h"
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int codec_load_json(struct bytes text, json_t **ret, struct error *err)
{
	int rc = jsontext_load(text, ret, NULL, err);

	return rc == ERR_FORMAT ? error_wrap(err, rc, "its JSON cannot be parsed") : rc;
}

/* `what` is the key whose value is wrong. */
int codec_wrong(struct error *err, const char *what, const char *expected)
{
	return error_set(err, ERR_FORMAT, "\"%s\" is not %s", what, expected);
}

int codec_read_integer(const json_t *value, const char *what, int64_t min, int64_t max,
		       int64_t *ret, struct error *err)
{
	json_int_t i = json_integer_value(value);

	if (!json_is_integer(value) || i < min || i > max)
		return codec_wrong(err, what, "a number in the range that it may have");
	*ret = i;
	return 0;
}

static int read_bool(const json_t *object, const char *key, bool *ret, struct error *err)
{
	const json_t *value = json_object_get(object, key);

	if (value && !json_is_boolean(value))
		return codec_wrong(err, key, "true or false");
	*ret = json_is_true(value);
	return 0;
}

/* Appends to `out`. Absent (NULL) is the empty string. */
int codec_read_bytes(const json_t *value, const char *what, struct buf *out, struct error *err)
{
	const json_t *text = json_object_get(value, "base64");

	if (!value)
		return 0;
	if (json_is_string(value))
		return buf_add(out, json_string_value(value), json_string_length(value)) < 0
			       ? error_no_memory(err)
			       : 0;
	if (!json_is_string(text))
		return codec_wrong(err, what, "a string or {\"base64\":…}");
	return text_base64_decode(out, json_string_value(text), json_string_length(text), err);
}

static int read_string_list(const json_t *object, const char *key, struct strings *ret,
			    struct error *err)
{
	const json_t *list = json_object_get(object, key);
	const json_t *value;
	size_t i;
	int rc;

	if (list && !json_is_array(list))
		return codec_wrong(err, key, "an array");
	json_array_foreach(list, i, value)
	{
		cleanup_buf struct buf text = BUF_INIT;

		rc = codec_read_bytes(value, key, &text, err);
		if (rc < 0)
			return rc;
		if (text.len && memchr(text.data, '\0', text.len))
			return codec_wrong(err, key, "free of NUL");
		if (strings_add(ret, text.data ? text.data : "") < 0)
			return error_no_memory(err);
	}
	return 0;
}

static int read_version(const json_t *object, int *ret, struct error *err)
{
	int64_t version = 0;
	int rc = codec_read_integer(json_object_get(object, "version"), "version", 1, INT_MAX,
				    &version, err);

	if (rc == 0)
		*ret = (int)version;
	return rc;
}

int codec_read_version(const struct line *line, int *ret, struct error *err)
{
	cleanup_json json_t *object = NULL;
	int rc = codec_load_json(line->all, &object, err);

	return rc < 0 ? rc : read_version(object, ret, err);
}

static int read_known_version(const json_t *object, int *ret, struct error *err)
{
	int version = 0;
	int rc = read_version(object, &version, err);

	if (rc < 0)
		return rc;
	if (version > TAPE_FORMAT_VERSION)
		return error_set(err, ERR_VERSION,
				 "the tape is of version %d, this program knows versions up to %d: "
				 "a newer sandtape is needed",
				 version, TAPE_FORMAT_VERSION);
	*ret = version;
	return 0;
}

static int read_head(const json_t *object, struct tape_head *h, struct error *err)
{
	cleanup_buf struct buf backend = BUF_INIT;
	int rc = read_known_version(object, &h->version, err);

	if (rc == 0)
		rc = codec_read_bytes(json_object_get(object, "backend"), "backend", &backend, err);
	if (rc == 0 && buf_add_str(&backend, "") < 0)
		rc = error_no_memory(err);
	if (rc == 0)
		rc = read_string_list(object, "command", &h->command, err);
	if (rc == 0)
		rc = read_string_list(object, "roots", &h->roots, err);
	if (rc == 0)
		rc = read_string_list(object, "env", &h->env, err);
	if (rc == 0)
		rc = read_string_list(object, "through", &h->through, err);
	if (rc == 0)
		rc = read_string_list(object, "real", &h->real, err);
	if (rc == 0)
		rc = read_string_list(object, "restricted", &h->restricted, err);
	if (rc == 0)
		h->backend = buf_steal(&backend);
	return rc;
}

int codec_read_head(const struct line *line, struct tape_head *ret, struct error *err)
{
	cleanup_json json_t *object = NULL;
	struct tape_head head = {0};
	int rc = codec_load_json(line->all, &object, err);

	if (rc == 0)
		rc = read_head(object, &head, err);
	if (rc < 0) {
		tape_head_clear(&head);
		return rc;
	}
	*ret = head;
	return 0;
}

static int read_argv(const json_t *object, struct unit *u, struct error *err)
{
	const json_t *list = json_object_get(object, "argv");
	const json_t *value;
	size_t i;
	int rc;

	if (!json_is_array(list))
		return codec_wrong(err, "argv", "an array");
	json_array_foreach(list, i, value)
	{
		cleanup_buf struct buf arg = BUF_INIT;

		rc = codec_read_bytes(value, "argv", &arg, err);
		if (rc < 0)
			return rc;
		if (unit_add_arg(u, arg.data, arg.len) < 0)
			return error_no_memory(err);
	}
	return 0;
}

static int read_env(const json_t *object, struct unit *u, struct error *err)
{
	json_t *env = json_object_get(object, "env");
	const char *name;
	json_t *value;
	int rc;

	if (env && !json_is_object(env))
		return codec_wrong(err, "env", "an object");
	json_object_foreach(env, name, value)
	{
		cleanup_buf struct buf text = BUF_INIT;

		if (!*name)
			return codec_wrong(err, "env", "free of variables without a name");
		rc = codec_read_bytes(value, "env", &text, err);
		if (rc < 0)
			return rc;
		if (unit_add_env(u, bytes_of_str(name), (struct bytes){text.data, text.len}) < 0)
			return error_no_memory(err);
	}
	return 0;
}

int codec_read_spawn(const struct line *line, struct unit *u, struct error *err)
{
	cleanup_json json_t *object = NULL;
	const json_t *cwd;
	int rc;

	if (codec_quick_spawn(line, u))
		return 0;
	rc = codec_load_json(line->all, &object, err);
	if (rc < 0)
		return rc;
	u->id = line->id;
	cwd = json_object_get(object, "cwd");
	u->cwd_any = !cwd;
	rc = codec_read_bytes(json_object_get(object, "parent"), "parent", &u->parent, err);
	if (rc == 0)
		rc = read_argv(object, u, err);
	if (rc == 0)
		rc = codec_read_bytes(cwd, "cwd", &u->cwd, err);
	if (rc == 0)
		rc = read_env(object, u, err);
	return rc;
}

int codec_read_signal(const json_t *value, const char *what, int *ret, struct error *err)
{
	int64_t number = 0;
	int rc;

	if (json_is_string(value)) {
		*ret = signal_number(json_string_value(value));
		return *ret ? 0 : codec_wrong(err, what, "the name of a signal that this host has");
	}
	rc = codec_read_integer(value, what, 1, INT_MAX, &number, err);
	if (rc == 0)
		*ret = (int)number;
	return rc;
}

int codec_read_errno(const json_t *value, int *ret, struct error *err)
{
	int64_t number = 0;
	int rc;

	if (json_is_string(value)) {
		*ret = error_errno_number(json_string_value(value));
		return *ret ? 0
			    : codec_wrong(err, "error", "the name of an error that this host has");
	}
	rc = codec_read_integer(value, "error", 1, INT_MAX, &number, err);
	if (rc == 0)
		*ret = (int)number;
	return rc;
}

static int read_end(const json_t *object, struct unit_end *end, struct error *err)
{
	const json_t *code = json_object_get(object, "code");
	const json_t *signal = json_object_get(object, "signal");
	const json_t *error = json_object_get(object, "error");
	bool unfinished = false;
	int64_t number = 0;
	int rc = read_bool(object, "unfinished", &unfinished, err);

	if (rc < 0)
		return rc;
	if (!!code + !!signal + !!error + unfinished != 1)
		return error_set(err, ERR_FORMAT,
				 "an exit record has exactly one of \"code\", \"signal\", "
				 "\"error\" and \"unfinished\"");
	end->how = END_UNFINISHED;
	if (unfinished)
		return 0;
	rc = read_bool(object, "timeout", &end->timeout, err);
	if (rc < 0)
		return rc;
	if (code) {
		rc = codec_read_integer(code, "code", INT_MIN, INT_MAX, &number, err);
		if (rc < 0)
			return rc;
		end->code = (int)number;
		end->how = END_EXITED;
		return 0;
	}
	if (signal) {
		end->how = END_SIGNALED;
		rc = codec_read_signal(signal, "signal", &end->signal, err);
		return rc < 0 ? rc : read_bool(object, "core", &end->core, err);
	}
	end->how = END_EXEC_FAILED;
	return codec_read_errno(error, &end->exec_errno, err);
}

/* The name becomes part of a path: nothing but a hash may pass. */
static bool is_sha256(const char *text)
{
	return strspn(text, "0123456789abcdef") == HASH_SHA256_HEX &&
	       strlen(text) == HASH_SHA256_HEX;
}

static int read_blob(const json_t *object, const json_t *blob, struct payload *p, struct error *err)
{
	int64_t size = 0;
	int rc = codec_read_integer(json_object_get(object, "size"), "size", 0, INT64_MAX, &size,
				    err);

	if (rc < 0)
		return rc;
	if (!json_is_string(blob) || !is_sha256(json_string_value(blob)))
		return codec_wrong(err, "blob", "a SHA-256 of 64 lower-case hexadecimal digits");
	p->form = PAYLOAD_BLOB;
	p->size = (uint64_t)size;
	memcpy(p->sha256, json_string_value(blob), HASH_SHA256_HEX + 1);
	return 0;
}

static int read_payload(const json_t *object, struct payload *p, struct error *err)
{
	const json_t *text = json_object_get(object, "text");
	const json_t *base64 = json_object_get(object, "base64");
	const json_t *blob = json_object_get(object, "blob");
	int rc;

	if (!!text + !!base64 + !!blob > 1)
		return error_set(err, ERR_FORMAT,
				 "a stream has only one of \"text\", \"base64\" and \"blob\"");
	if (text && !json_is_string(text))
		return codec_wrong(err, "text", "a string");
	rc = read_bool(object, "roots", &p->rooted, err);
	if (rc == 0 && blob)
		return read_blob(object, blob, p, err);
	if (rc == 0 && text)
		rc = codec_read_bytes(text, "text", &p->bytes, err);
	if (rc == 0 && base64)
		rc = codec_read_bytes(object, "base64", &p->bytes, err);
	if (rc < 0)
		return rc;
	p->size = p->bytes.len;
	p->form = p->size ? PAYLOAD_INLINE : PAYLOAD_EMPTY;
	return 0;
}

static int read_kind(const json_t *object, struct stream *s, struct error *err)
{
	const json_t *kind = json_object_get(object, "kind");
	int64_t same = 0;
	int rc;

	/* The default is for records that people write. */
	s->kind = STREAM_PIPE;
	if (kind &&
	    (!json_is_string(kind) || !stream_kind_of_name(json_string_value(kind), &s->kind)))
		return codec_wrong(err, "kind", "a kind of stream");
	if (s->kind != STREAM_SAME)
		return 0;
	rc = codec_read_integer(json_object_get(object, "same"), "same", 0, INT_MAX, &same, err);
	if (rc == 0 && same == s->fd)
		rc = codec_wrong(err, "same", "the number of another stream");
	if (rc == 0)
		s->same_as = (int)same;
	return rc;
}

/* Of a terminal; struct winsize has 16 bits for it. */
static int read_size(const json_t *object, const char *key, int *ret, struct error *err)
{
	const json_t *value = json_object_get(object, key);
	int64_t size = 0;
	int rc = value ? codec_read_integer(value, key, 0, UINT16_MAX, &size, err) : 0;

	*ret = (int)size;
	return rc;
}

static int read_stream(const json_t *object, int fd, struct unit *u, struct error *err)
{
	struct stream *s = unit_add_stream(u, fd);
	int rc;

	if (!s)
		return error_no_memory(err);
	if (!json_is_object(object))
		return codec_wrong(err, "a stream", "an object");
	rc = read_kind(object, s, err);
	if (rc == 0)
		rc = read_payload(object, &s->data, err);
	if (rc == 0)
		rc = read_bool(object, "eof", &s->eof, err);
	if (rc == 0)
		rc = read_bool(object, "unseen", &s->unseen, err);
	if (rc == 0)
		rc = read_bool(object, "packets", &s->packets, err);
	if (rc == 0)
		rc = read_size(object, "rows", &s->rows, err);
	if (rc == 0)
		rc = read_size(object, "columns", &s->columns, err);
	return rc;
}

/* The number of a stream other than stdin, spelled as "%d" would. */
static bool parse_fd(const char *key, int *ret)
{
	char spelled[16];
	long fd = strtol(key, NULL, 10);

	if (fd < 1 || fd >= STREAM_INPUT)
		return false;
	snprintf(spelled, sizeof(spelled), "%ld", fd);
	*ret = (int)fd;
	return !strcmp(spelled, key);
}

/* `which`: the member of that name has streams by their numbers, all above `least`. */
static int read_streams(const json_t *object, const char *which, int least, int flag,
			struct unit *u, struct error *err)
{
	json_t *streams = json_object_get(object, which);
	const char *key;
	json_t *value;
	int fd;
	int rc;

	if (streams && !json_is_object(streams))
		return codec_wrong(err, which, "an object");
	json_object_foreach(streams, key, value)
	{
		if (!parse_fd(key, &fd) || fd <= least)
			return codec_wrong(err, which, "keyed by stream numbers");
		rc = read_stream(value, fd | flag, u, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int read_signals(const json_t *object, const char *key, struct unit *u,
			int (*add)(struct unit *, int), struct error *err)
{
	const json_t *list = json_object_get(object, key);
	const json_t *value;
	size_t i;
	int number;
	int rc;

	if (list && !json_is_array(list))
		return codec_wrong(err, key, "an array");
	json_array_foreach(list, i, value)
	{
		rc = codec_read_signal(value, key, &number, err);
		if (rc < 0)
			return rc;
		if (add(u, number) < 0)
			return error_no_memory(err);
	}
	return 0;
}

int codec_read_keyed_spawn(const struct line *line, struct unit *u, struct error *err)
{
	uint64_t key;
	int rc = codec_read_spawn(line, u, err);

	if (rc < 0)
		return rc;
	if (unit_key(u, &key) < 0)
		return error_no_memory(err);
	if (key != line->id.key)
		return error_set(err, ERR_FORMAT, "the key is not that of its argv, cwd and env");
	return 0;
}

int codec_read_exit(const struct line *line, struct unit *u, struct error *err)
{
	cleanup_json json_t *object = NULL;
	const json_t *input;
	int rc;

	if (codec_quick_exit(line, u))
		return 0;
	rc = codec_load_json(line->all, &object, err);
	if (rc == 0)
		rc = read_end(object, &u->end, err);
	if (rc < 0)
		return rc;
	input = json_object_get(object, "stdin");
	if (input)
		rc = read_stream(input, 0, u, err);
	if (rc == 0)
		rc = read_streams(object, "out", 0, 0, u, err);
	if (rc == 0)
		rc = read_streams(object, "in", 2, STREAM_INPUT, u, err);
	if (rc == 0)
		rc = read_signals(object, "signals", u, unit_add_signal, err);
	if (rc == 0)
		rc = read_signals(object, "stops", u, unit_add_stop, err);
	if (rc == 0)
		rc = read_signals(object, "sent", u, unit_add_sent, err);
	if (rc == 0)
		rc = codec_read_modes(json_object_get(object, "modes"), u, err);
	if (rc == 0)
		rc = codec_read_order(json_object_get(object, "order"), u, err);
	if (rc == 0)
		rc = read_bool(object, "explained", &u->explained, err);
	if (rc == 0)
		rc = codec_read_denied(json_object_get(object, "denied"), u, denied_append, err);
	return rc;
}

static int read_stream_tail(const json_t *object, int fd, struct unit *u, struct error *err)
{
	struct stream *s = unit_stream(u, fd);

	if (!json_is_object(object))
		return codec_wrong(err, "out", "made of objects");
	if (!s) {
		s = unit_add_stream(u, fd);
		if (!s)
			return error_no_memory(err);
		s->kind = STREAM_PIPE;
	}
	return read_payload(object, &s->tail, err);
}

static int read_tails(const json_t *object, struct unit *u, struct error *err)
{
	json_t *out = json_object_get(object, "out");
	const char *key;
	json_t *value;
	int fd, rc;

	if (out && !json_is_object(out))
		return codec_wrong(err, "out", "an object");
	json_object_foreach(out, key, value)
	{
		if (!parse_fd(key, &fd))
			return codec_wrong(err, "out", "keyed by stream numbers above 0");
		rc = read_stream_tail(value, fd, u, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int codec_read_tail(const struct line *line, struct unit *u, struct error *err)
{
	cleanup_json json_t *object = NULL;
	int rc = codec_load_json(line->all, &object, err);

	if (rc == 0)
		rc = read_tails(object, u, err);
	if (rc == 0)
		rc = codec_read_denied(json_object_get(object, "denied"), u, denied_append_late,
				       err);
	return rc == 0 ? read_bool(object, "denied_more", &u->late_more, err) : rc;
}
