/*
 * jansson where memory ends: its lexer loses the bytes that it had no room for and goes on, and its
 * dump goes on after a failure within a key (2.14). Neither is told, and either would be a wrong
 * record.
 */
#include "tape/codec_parts.h"

#include "base/cleanup.h"
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

/* Of a \u escape, whose digits are at `hex`, as UTF-8; of a surrogate, half of what the pair is. */
static size_t escape_len(const char *hex)
{
	unsigned value = 0;

	for (int i = 0; i < 4; i++) {
		char c = hex[i];

		value = value * 16 + (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	if (value >= 0xD800 && value <= 0xDFFF)
		return 2;
	return value < 0x80 ? 1 : value < 0x800 ? 2 : 3;
}

/* The bytes of all strings in a text that is JSON. */
static size_t text_strings(struct bytes text)
{
	bool inside = false;
	size_t sum = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '"') {
			inside = !inside;
		} else if (inside && text.data[i] == '\\') {
			i++;
			sum += text.data[i] == 'u' ? escape_len(text.data + i + 1) : 1;
			i += text.data[i] == 'u' ? 4 : 0;
		} else {
			sum += inside;
		}
	}
	return sum;
}

/* And of all strings, keys too, that came of it. */
static size_t value_strings(const json_t *value)
{
	size_t sum = json_string_length(value);
	const char *key;
	json_t *part;
	size_t i;

	json_object_foreach((json_t *)value, key, part) sum += strlen(key) + value_strings(part);
	json_array_foreach(value, i, part) sum += value_strings(part);
	return sum;
}

/* Numbers need no look: the frame's key made more room in the lexer than any number wants. */
static bool is_complete(struct bytes text, const json_t *value)
{
	return text_strings(text) == value_strings(value);
}

/* The lexer takes the end of memory for bad JSON, too: there is no telling then but by asking for
 * memory oneself. */
static bool is_out_of_memory(struct bytes text, const json_error_t *json_err)
{
	cleanup_buf struct buf probe = BUF_INIT;

	return !json_err->text[0] || json_error_code(json_err) == json_error_out_of_memory ||
	       buf_reserve(&probe, text.len + 4096) < 0;
}

int codec_load(struct bytes text, json_t **ret, struct error *err)
{
	json_error_t json_err = {0};
	json_t *value = NULL;

	/* Twice: memory may have been short for a moment only. */
	for (int tries = 0; !value && tries < 2; tries++)
		value = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL,
				   &json_err);
	if (!value && is_out_of_memory(text, &json_err))
		return error_no_memory(err);
	if (!value)
		return error_set(err, ERR_FORMAT, "its JSON cannot be parsed: %s", json_err.text);
	if (!is_complete(text, value)) {
		json_decref(value);
		return error_no_memory(err);
	}
	*ret = value;
	return 0;
}
