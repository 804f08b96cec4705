#include "tape/json_out.h"
#include "base/text.h"
#include <stdio.h>
#include <string.h>

#define ESCAPE_MAX 6

/* Where `len` more bytes belong, or NULL. */
static char *room(struct json_out *j, size_t len)
{
	struct buf *out = j->out;

	/* Mostly there is room, which is seen quicker from here. */
	if (out->cap - out->len <= len && buf_reserve(out, len) < 0)
		j->failed = true;
	return j->failed ? NULL : out->data + out->len;
}

static void add(struct json_out *j, const char *text, size_t len)
{
	char *to = room(j, len);

	if (!to)
		return;
	memcpy(to, text, len);
	j->out->len += len;
}

static void add_char(struct json_out *j, char c)
{
	char *to = room(j, 1);

	if (!to)
		return;
	*to = c;
	j->out->len++;
}

/* What stands behind the beginning of a container, or behind a key, is the first there. */
static void separate(struct json_out *j)
{
	char last = j->failed ? '[' : j->out->data[j->out->len - 1];

	if (last != '[' && last != '{' && last != ':')
		add_char(j, ',');
}

void json_out_key(struct json_out *j, const char *key)
{
	size_t len = strlen(key);
	char *to;

	separate(j);
	to = room(j, len + 3);
	if (!to)
		return;
	to[0] = '"';
	memcpy(to + 1, key, len);
	memcpy(to + 1 + len, "\":", 2);
	j->out->len += len + 3;
}

void json_out_open(struct json_out *j, char bracket)
{
	separate(j);
	add_char(j, bracket);
}

void json_out_close(struct json_out *j, char bracket)
{
	add_char(j, bracket);
}

/* Returns how long it is. */
static size_t escape(char c, char ret[ESCAPE_MAX + 1])
{
	static const char bytes[] = "\"\\\b\f\n\r\t";
	static const char names[] = "\"\\bfnrt";
	const char *at = c ? strchr(bytes, c) : NULL;

	if (!at)
		return (size_t)snprintf(ret, ESCAPE_MAX + 1, "\\u%04X", (unsigned)c);
	ret[0] = '\\';
	ret[1] = names[at - bytes];
	return 2;
}

static bool is_plain(char c)
{
	return (unsigned char)c >= 0x20 && c != '"' && c != '\\';
}

static void add_escaped(struct json_out *j, const char *text, size_t len)
{
	size_t i = 0;

	while (i < len) {
		size_t run = text_json_run(text + i, len - i);
		char escaped[ESCAPE_MAX + 1];

		/* Characters beyond ASCII stand for themselves, too. */
		while (i + run < len && is_plain(text[i + run]))
			run++;
		add(j, text + i, run);
		i += run;
		if (i < len)
			add(j, escaped, escape(text[i++], escaped));
	}
}

static void add_quoted(struct json_out *j, struct bytes utf8)
{
	char *to;

	separate(j);
	to = room(j, utf8.len + 2); /* all that it takes, mostly */
	if (!to)
		return;
	add_char(j, '"');
	add_escaped(j, utf8.data, utf8.len);
	add_char(j, '"');
}

void json_out_key_bytes(struct json_out *j, struct bytes key)
{
	add_quoted(j, key);
	add_char(j, ':');
}

void json_out_string(struct json_out *j, struct bytes utf8)
{
	add_quoted(j, utf8);
}

void json_out_base64(struct json_out *j, struct bytes bytes)
{
	separate(j);
	add_char(j, '"');
	j->failed = j->failed || text_base64_encode(j->out, bytes.data, bytes.len) < 0;
	add_char(j, '"');
}

void json_out_bytes(struct json_out *j, struct bytes bytes)
{
	if (text_is_utf8(bytes.data, bytes.len)) {
		json_out_string(j, bytes);
		return;
	}
	json_out_open(j, '{');
	json_out_key(j, "base64");
	json_out_base64(j, bytes);
	json_out_close(j, '}');
}

void json_out_integer(struct json_out *j, int64_t value)
{
	char digits[1 + TEXT_DECIMAL_MAX] = "-";
	size_t sign = value < 0;

	separate(j);
	add(j, digits,
	    sign + text_decimal(sign ? -(uint64_t)value : (uint64_t)value, digits + sign));
}

void json_out_flag(struct json_out *j, const char *key, bool flag)
{
	if (!flag)
		return;
	json_out_key(j, key);
	add(j, "true", 4);
}
