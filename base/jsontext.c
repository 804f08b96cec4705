/*
 * jansson where memory ends: its lexer loses the bytes that it had no room for and goes on, and its
 * dump goes on after a failure within a key (2.14). Neither is told, and either would be a wrong
 * record or another policy.
 */
#include "base/jsontext.h"

#include "base/cleanup.h"
#include <stdbool.h>
#include <stdlib.h>
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

int jsontext_dump(const json_t *value, size_t flags, struct buf *out)
{
	struct dump dump = {out, false};

	return json_dump_callback(value, append_text, &dump, flags) < 0 || dump.failed ? ERR_NOMEM
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

/* Numbers need no look: up to 15 digits fit into what the lexer has from the beginning, and of more
 * there are none but behind a longer key (a tape), or they are out of bounds anyway (a policy). */
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

int jsontext_load(struct bytes text, json_t **ret, int *ret_line, struct error *err)
{
	json_error_t json_err = {0};
	json_t *value = NULL;

	/* Twice: memory may have been short for a moment only. */
	for (int tries = 0; !value && tries < 2; tries++)
		value = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL,
				   &json_err);
	if (!value && is_out_of_memory(text, &json_err))
		return error_no_memory(err);
	if (!value) {
		if (ret_line)
			*ret_line = json_err.line > 0 ? json_err.line : 1;
		return error_set(err, ERR_FORMAT, "%s", json_err.text);
	}
	if (!is_complete(text, value)) {
		json_decref(value);
		return error_no_memory(err);
	}
	*ret = value;
	return 0;
}

/* What is left to be looked at of a text that is known to be JSON. */
struct cursor {
	const char *next;
	const char *end;
};

static void skip_space(struct cursor *c)
{
	while (c->next < c->end && strchr(" \t\r\n,:", *c->next))
		c->next++;
}

/* The string with its quotes. */
static struct bytes take_string(struct cursor *c)
{
	struct bytes s = {c->next, 0};

	c->next++;
	while (c->next < c->end && *c->next != '"')
		c->next += *c->next == '\\' && c->end - c->next > 1 ? 2 : 1;
	if (c->next < c->end)
		c->next++;
	s.len = (size_t)(c->next - s.data);
	return s;
}

/* Without recursion: how deep a text may go is the parser's affair. */
static void skip_value(struct cursor *c)
{
	size_t depth = 0;

	do {
		skip_space(c);
		if (c->next >= c->end)
			return;
		if (*c->next == '"') {
			take_string(c);
		} else if (strchr("{[", *c->next)) {
			depth++;
			c->next++;
		} else if (strchr("}]", *c->next)) {
			depth -= depth > 0;
			c->next++;
		} else {
			while (c->next < c->end && !strchr(" \t\r\n,:{}[]\"", *c->next))
				c->next++;
		}
	} while (depth > 0);
}

/* Whether the text of a string, which may have escapes, says this. */
static bool says(struct bytes string, const char *key)
{
	json_t *value;
	bool same;

	if (!memchr(string.data, '\\', string.len))
		return string.len == strlen(key) + 2 &&
		       memcmp(string.data + 1, key, strlen(key)) == 0;
	value = json_loadb(string.data, string.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	same = value && json_string_length(value) == strlen(key) &&
	       memcmp(json_string_value(value), key, strlen(key)) == 0;
	json_decref(value);
	return same;
}

/* Goes into the value at the cursor, and to where the step leads. *ret_at is its beginning. */
static bool take_step(struct cursor *c, const struct jsontext_step *step, const char **ret_at)
{
	skip_space(c);
	if (c->next >= c->end || *c->next != (step->key ? '{' : '['))
		return false;
	c->next++;
	for (size_t i = 0;; i++) {
		struct bytes key = {NULL, 0};

		skip_space(c);
		if (c->next >= c->end || strchr("}]", *c->next))
			return false;
		*ret_at = c->next;
		if (step->key)
			key = take_string(c);
		if (step->key ? says(key, step->key) : i == step->index)
			return true;
		skip_value(c);
	}
}

int jsontext_line(struct bytes text, const struct jsontext_step *steps, size_t count)
{
	struct cursor c = {text.data, text.data + text.len};
	const char *at;
	int line = 1;

	skip_space(&c);
	at = c.next;
	for (size_t i = 0; i < count; i++) {
		if (!take_step(&c, &steps[i], &at))
			return 0;
	}
	for (const char *p = text.data; p < at; p++)
		line += *p == '\n';
	return line;
}
