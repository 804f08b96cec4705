/*
 * jansson where memory ends: its lexer loses the bytes that it had no room for and goes on, or
 * calls it bad JSON, and its dump goes on after a failure within a key (2.14). Neither is told, and
 * either would be a wrong record, a wrong verdict on one, or another policy.
 */
#include "base/jsontext.h"

#include "base/cleanup.h"
#include "base/json_scan.h"
#include "base/text.h"
#include <stdbool.h>
#include <stdio.h>
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

/* jansson passes over a NUL byte behind a number (2.14). */
static int refuse_nul(struct bytes text, json_error_t *ret_why)
{
	ret_why->line = 1;
	for (size_t i = 0; i < text.len && text.data[i]; i++)
		ret_why->line += text.data[i] == '\n';
	snprintf(ret_why->text, sizeof(ret_why->text), "there is a byte of 0");
	return ERR_FORMAT;
}

static int judge(struct bytes text, const json_t *value, json_error_t *ret_why)
{
	struct json_sums in_text, in_value = {0, 0};

	if (!json_scan(text, &in_text))
		return refuse_nul(text, ret_why);
	add_sums(&in_value, value);
	return in_text.bytes == in_value.bytes && in_text.integers == in_value.integers ? 0
											: ERR_NOMEM;
}

/* What the lexer had no room for it takes for bad JSON: a text that is good was not the reason. */
static bool is_out_of_memory(struct bytes text, const json_error_t *why)
{
	enum json_error_code code = json_error_code(why);
	struct json_sums sums;

	if (!why->text[0] || code == json_error_out_of_memory)
		return true;
	return (code == json_error_invalid_syntax || code == json_error_premature_end_of_input) &&
	       json_scan(text, &sums);
}

int jsontext_parse(struct bytes text, json_t **ret, json_error_t *ret_why)
{
	json_t *value =
		json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, ret_why);
	int rc;

	if (!value)
		return is_out_of_memory(text, ret_why) ? ERR_NOMEM : ERR_FORMAT;
	rc = judge(text, value, ret_why);
	if (rc < 0) {
		json_decref(value);
		return rc;
	}
	*ret = value;
	return 0;
}

int jsontext_load(struct bytes text, json_t **ret, int *ret_line, struct error *err)
{
	json_error_t why = {0};
	int rc = jsontext_parse(text, ret, &why);

	if (rc == ERR_NOMEM)
		return error_no_memory(err);
	if (rc < 0 && ret_line)
		*ret_line = why.line > 0 ? why.line : 1;
	return rc < 0 ? error_set(err, rc, "%s", why.text) : 0;
}

int jsontext_load_file(struct bytes text, const char *name, size_t most, json_t **ret,
		       struct error *err)
{
	int rc, line = 1;

	if (text.len > most)
		return error_set(err, ERR_LIMIT, "%s is larger than %zu bytes", name, most);
	rc = jsontext_load(text, ret, &line, err);
	return rc == ERR_FORMAT ? error_wrap(err, rc, "%s:%d", name, line) : rc;
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

/* "fs.deny[2]", quoted where a key is anything else than what keys are. */
static int name_steps(const struct jsontext_step *steps, size_t count, struct buf *out)
{
	for (size_t i = 0; i < count; i++) {
		const struct jsontext_step *step = &steps[i];
		int rc = 0;

		if (!step->key)
			rc = buf_addf(out, "[%zu]", step->index);
		else if (i > 0)
			rc = buf_add_char(out, '.');
		if (rc == 0 && step->key)
			rc = text_quote(out, step->key, strlen(step->key));
		if (rc < 0)
			return rc;
	}
	return 0;
}

int jsontext_error_at(struct bytes text, const char *name, const struct jsontext_step *steps,
		      size_t count, int code, struct error *err)
{
	cleanup_buf struct buf key = BUF_INIT;
	int line = 0;

	if (code == ERR_NOMEM)
		return code;
	for (size_t depth = count; line == 0; depth--)
		line = jsontext_line(text, steps, depth);
	if (name_steps(steps, count, &key) < 0)
		return error_no_memory(err);
	return error_wrap(err, code, "%s:%d%s%s", name, line, key.len ? ": " : "",
			  key.len ? key.data : "");
}
