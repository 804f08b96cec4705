/*
 * jansson where memory ends: its lexer loses the bytes that it had no room for and goes on, or
 * calls it bad JSON, and its dump goes on after a failure within a key (2.14). Neither is told, and
 * either would be a wrong record, or a wrong verdict on one.
 */
#include "tape/codec_parts.h"

#include "tape/json_scan.h"
#include <string.h>

struct dump {
	struct buf *out;
	bool failed;
};

static int append_text(const char *buffer, size_t size, void *dump)
{
	struct dump *d = dump;

	d->failed = d->failed || buf_add(d->out, buffer, size) < 0;
	return d->failed ? -1 : 0;
}

int codec_dump(const json_t *value, struct buf *out)
{
	struct dump dump = {out, false};

	return json_dump_callback(value, append_text, &dump, JSON_COMPACT) < 0 || dump.failed
		       ? ERR_NOMEM
		       : 0;
}

/* Of a value that came of a text, what json_scan() has of the text. */
static void add_sums(struct json_sums *sums, const json_t *value)
{
	const char *key;
	json_t *part;
	size_t i;

	sums->bytes += json_string_length(value);
	sums->integers += (uint64_t)json_integer_value(value);
	json_object_foreach((json_t *)value, key, part)
	{
		sums->bytes += strlen(key);
		add_sums(sums, part);
	}
	json_array_foreach(value, i, part) add_sums(sums, part);
}

static bool is_complete(struct bytes text, const json_t *value)
{
	struct json_sums in_text, in_value = {0, 0};

	add_sums(&in_value, value);
	return json_scan(text, &in_text) && in_text.bytes == in_value.bytes &&
	       in_text.integers == in_value.integers;
}

/* What the lexer had no room for it takes for bad JSON: a text that is good was not the reason. */
static bool is_out_of_memory(struct bytes text, const json_error_t *json_err)
{
	enum json_error_code code = json_error_code(json_err);
	struct json_sums sums;

	if (!json_err->text[0] || code == json_error_out_of_memory)
		return true;
	return (code == json_error_invalid_syntax || code == json_error_premature_end_of_input) &&
	       json_scan(text, &sums);
}

int codec_parse(struct bytes text, json_t **ret, json_error_t *ret_error)
{
	json_t *value =
		json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, ret_error);

	if (!value)
		return is_out_of_memory(text, ret_error) ? ERR_NOMEM : ERR_FORMAT;
	if (!is_complete(text, value)) {
		json_decref(value);
		return ERR_NOMEM;
	}
	*ret = value;
	return 0;
}

int codec_load(struct bytes text, json_t **ret, struct error *err)
{
	json_error_t why = {0};
	int rc = codec_parse(text, ret, &why);

	if (rc == ERR_NOMEM)
		return error_no_memory(err);
	return rc < 0 ? error_set(err, rc, "its JSON cannot be parsed: %s", why.text) : 0;
}
