#include "tape/import_harn.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/jsontext.h"
#include "tape/codec_parts.h"
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define EVENT_VERSION 1
#define PAYLOAD_MAX   ((size_t)1 << 30)
#define WAY_OUT	      "correct the file, or have harn write it again"

/* One entry while it is read: the JSON value owns the strings. */
struct entry {
	const char *file;
	struct import_record record;
	struct buf payload[2]; /* that were read from files */
};

static int wrong(struct error *err, const char *key, const char *expected)
{
	return error_set(err, ERR_FORMAT, "\"%s\" is not %s", key, expected);
}

static struct bytes text_of(const json_t *value)
{
	return (struct bytes){json_string_value(value), json_string_length(value)};
}

/* For what C ends with a NUL. */
static bool is_plain(const json_t *value)
{
	return json_is_string(value) &&
	       strlen(json_string_value(value)) == json_string_length(value);
}

static int read_args(const json_t *object, struct import_record *r, struct error *err)
{
	const json_t *program = json_object_get(object, "program");
	const json_t *args = json_object_get(object, "args");

	if (!is_plain(program) || !json_string_length(program))
		return wrong(err, "program", "the name of a program");
	if (args && !json_is_array(args))
		return wrong(err, "args", "an array");
	r->argv = calloc(json_array_size(args) + 1, sizeof(*r->argv));
	if (!r->argv)
		return error_no_memory(err);
	r->argv[r->argc++] = text_of(program);
	for (size_t i = 0; i < json_array_size(args); i++) {
		if (!is_plain(json_array_get(args, i)))
			return wrong(err, "args", "made of strings without NUL");
		r->argv[r->argc++] = text_of(json_array_get(args, i));
	}
	return 0;
}

static int read_cwd(const json_t *object, struct import_record *r, struct error *err)
{
	const json_t *cwd = json_object_get(object, "cwd");

	if (cwd && !json_is_null(cwd) && !is_plain(cwd))
		return wrong(err, "cwd", "a path or null");
	r->cwd = json_string_value(cwd);
	return 0;
}

static int read_env(json_t *object, struct import_record *r, struct error *err)
{
	json_t *env = json_object_get(object, "env");
	const char *name;
	json_t *value;

	if (env && !json_is_object(env))
		return wrong(err, "env", "an object");
	r->env = calloc(json_object_size(env) + 1, sizeof(*r->env));
	if (!r->env)
		return error_no_memory(err);
	json_object_foreach(env, name, value)
	{
		if (!*name || !is_plain(value))
			return wrong(err, "env", "made of names and strings without NUL");
		r->env[r->env_count++] = (struct import_pair){name, text_of(value)};
	}
	return 0;
}

static int read_number(const json_t *object, const char *key, int64_t min, int64_t max,
		       int64_t *ret, struct error *err)
{
	const json_t *value = json_object_get(object, key);

	*ret = 0;
	return value ? codec_read_integer(value, key, min, max, ret, err) : 0;
}

/* As harn does it: the low eight bits. It has -1 for what a signal ended. */
static int read_end(const json_t *object, struct import_record *r, struct error *err)
{
	int64_t code = 0, duration_ms = 0;
	int rc = read_number(object, "exit_code", INT32_MIN, INT32_MAX, &code, err);

	if (rc == 0)
		rc = read_number(object, "duration_ms", 0, INT64_MAX / 1000000, &duration_ms, err);
	r->code = (int)(code & 0xff);
	r->duration_ns = (uint64_t)duration_ms * 1000000;
	return rc;
}

static bool is_hash(const json_t *value)
{
	const char *text = json_string_value(value);

	return text && *text && strspn(text, "0123456789abcdef") == json_string_length(value);
}

/* Larger payloads are beside the tape, under their BLAKE3, which is not checked here. */
static int read_payload_file(const struct entry *e, const json_t *payload, struct buf *out,
			     struct error *err)
{
	const json_t *hash = json_object_get(payload, "content_hash");
	cleanup_buf struct buf path = BUF_INIT;
	int64_t size = 0;
	int rc = codec_read_integer(json_object_get(payload, "len_bytes"), "len_bytes", 0,
				    (int64_t)PAYLOAD_MAX, &size, err);

	if (rc < 0)
		return rc;
	if (!is_hash(hash))
		return wrong(err, "content_hash", "a hash in hexadecimal digits");
	if (buf_addf(&path, "%s.cas/%s", e->file, json_string_value(hash)) < 0)
		return error_no_memory(err);
	rc = fs_read_file(path.data, PAYLOAD_MAX, out, err);
	if (rc == 0 && out->len != (size_t)size)
		rc = error_set(err, ERR_FORMAT, "%s has %zu bytes and not %" PRId64, path.data,
			       out->len, size);
	return rc;
}

/* A string "stdout", or an object "stdout_payload". */
static int read_output(struct entry *e, const json_t *object, const char *key,
		       const char *payload_key, int which, struct bytes *ret, struct error *err)
{
	const json_t *text = json_object_get(object, key);
	const json_t *payload = json_object_get(object, payload_key);
	int rc;

	*ret = (struct bytes){"", 0};
	if (payload) {
		key = payload_key;
		text = json_object_get(payload, "text");
		if (!text && json_object_get(payload, "len_bytes")) {
			rc = read_payload_file(e, payload, &e->payload[which], err);
			*ret = (struct bytes){e->payload[which].data, e->payload[which].len};
			return rc;
		}
	}
	if ((text && !json_is_string(text)) || (payload && !text))
		return wrong(err, key, payload ? "a payload" : "a string");
	if (text)
		*ret = text_of(text);
	return 0;
}

static int read_entry(struct entry *e, json_t *object, struct error *err)
{
	struct import_record *r = &e->record;
	int rc = json_is_object(object) ? 0 : error_set(err, ERR_FORMAT, "it is no object");

	if (rc == 0)
		rc = read_args(object, r, err);
	if (rc == 0)
		rc = read_cwd(object, r, err);
	if (rc == 0)
		rc = read_env(object, r, err);
	if (rc == 0)
		rc = read_output(e, object, "stdout", "stdout_payload", 0, &r->out, err);
	if (rc == 0)
		rc = read_output(e, object, "stderr", "stderr_payload", 1, &r->err, err);
	return rc < 0 ? rc : read_end(object, r, err);
}

static int import_entry(const char *file, json_t *object, const struct import_sink *sink,
			struct error *err)
{
	struct entry e = {.file = file};
	int rc = read_entry(&e, object, err);

	if (rc == ERR_FORMAT)
		error_advise(err, rc, WAY_OUT);
	if (rc == 0)
		rc = sink->record(sink->ctx, &e.record, err);
	free(e.record.argv);
	free(e.record.env);
	buf_free(&e.payload[0]);
	buf_free(&e.payload[1]);
	return rc;
}

/* --- The process tape ---------------------------------------------------------------------------
 */

static int import_array(const char *file, struct bytes content, const struct import_sink *sink,
			struct error *err)
{
	cleanup_json json_t *list = NULL;
	json_error_t json_err = {0};
	json_t *value;
	size_t i;
	int rc = jsontext_parse(content, &list, &json_err);

	if (rc == ERR_NOMEM)
		return error_no_memory(err);
	if (rc < 0)
		return error_set(err, rc, "%s: line %d: %s; " WAY_OUT, file, json_err.line,
				 json_err.text);
	json_array_foreach(list, i, value)
	{
		rc = import_entry(file, value, sink, err);
		if (rc < 0)
			return error_wrap(err, rc, "%s: entry %zu", file, i + 1);
	}
	return 0;
}

/* --- The event tape -----------------------------------------------------------------------------
 */

static bool is_type(const json_t *object, const char *type)
{
	const char *text = json_string_value(json_object_get(object, "type"));

	return text && strcmp(text, type) == 0;
}

static int check_header(const json_t *object, struct error *err)
{
	int64_t version = 0;
	int rc;

	if (!is_type(object, "header"))
		return error_set(err, ERR_FORMAT, "this is not the header of a tape of harn");
	rc = codec_read_integer(json_object_get(object, "version"), "version", 0, INT64_MAX,
				&version, err);
	if (rc == 0 && version > EVENT_VERSION)
		rc = error_set(err, ERR_VERSION,
			       "the tape is of harn's version %" PRId64
			       ", this program knows versions up to %d: a newer sandtape is needed",
			       version, EVENT_VERSION);
	return rc;
}

/* The event is the object `kind`, or the record itself, of which `kind` is the name. */
static int import_event(const char *file, json_t *object, const struct import_sink *sink,
			struct error *err)
{
	json_t *kind = json_object_get(object, "kind");
	json_t *event = json_is_object(kind) ? kind : object;
	const char *name = json_string_value(json_object_get(event, "kind"));

	if (!is_type(object, "record") || !name)
		return error_set(err, ERR_FORMAT, "this is not a record of a tape of harn");
	if (strcmp(name, "process_spawn") == 0)
		return import_entry(file, event, sink, err);
	++*sink->skipped;
	return 0;
}

static int import_line(const char *file, struct bytes line, bool is_first,
		       const struct import_sink *sink, struct error *err)
{
	cleanup_json json_t *object = NULL;
	json_error_t json_err = {0};
	int rc = jsontext_parse(line, &object, &json_err);

	if (rc == ERR_NOMEM)
		return error_no_memory(err);
	if (rc < 0)
		return error_set(err, rc, "%s; " WAY_OUT, json_err.text);
	rc = is_first ? check_header(object, err) : import_event(file, object, sink, err);
	return rc == ERR_FORMAT && !strstr(err->text, WAY_OUT) ? error_advise(err, rc, WAY_OUT)
							       : rc;
}

static bool is_blank(struct bytes line)
{
	size_t i = 0;

	while (i < line.len && strchr(" \t\r", line.data[i]) && line.data[i])
		i++;
	return i == line.len;
}

static int import_lines(const char *file, struct bytes content, const struct import_sink *sink,
			struct error *err)
{
	const char *at = content.data, *end = content.data + content.len;
	struct error why;
	int rc = 0;

	for (size_t number = 1; rc == 0 && at < end; number++) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		struct bytes line = {at, (size_t)((newline ? newline : end) - at)};

		at = newline ? newline + 1 : end;
		if (number > 1 && is_blank(line))
			continue;
		rc = import_line(file, line, number == 1, sink, &why);
		if (rc < 0)
			error_wrap(&why, rc, "%s: line %zu", file, number);
	}
	if (rc < 0 && err)
		*err = why;
	return rc;
}

int import_harn(const char *file, struct bytes content, const struct import_sink *sink,
		struct error *err)
{
	size_t i = 0;

	while (i < content.len && strchr(" \t\r\n", content.data[i]) && content.data[i])
		i++;
	if (i == content.len) /* harn writes no entries like this, too */
		return 0;
	if (content.data[i] == '[')
		return import_array(file, content, sink, err);
	if (content.data[i] == '{')
		return import_lines(file, content, sink, err);
	return error_set(
		err, ERR_FORMAT,
		"%s is no tape of harn: neither a JSON array nor a JSON object a line; " WAY_OUT,
		file);
}
