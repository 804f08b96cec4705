#include "base/text.h"

#include <string.h>

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("_@%+=:,./-", c));
}

static bool all_plain(const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!is_plain(bytes[i]))
			return false;
	}
	return len > 0;
}

static bool needs_escapes(const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)bytes[i] < ' ' || bytes[i] == 0x7f)
			return true;
		/* U+0080 to U+009F control a terminal, too. */
		if (bytes[i] == '\xc2' && i + 1 < len && (unsigned char)bytes[i + 1] < 0xa0)
			return true;
	}
	return !text_is_utf8(bytes, len);
}

static int add_quoted(struct buf *out, const char *bytes, size_t len)
{
	const char *end = len ? bytes + len : NULL, *quote;
	int r = buf_add_char(out, '\'');

	if (!len)
		return r < 0 ? r : buf_add_char(out, '\'');
	for (; r == 0 && (quote = memchr(bytes, '\'', (size_t)(end - bytes))); bytes = quote + 1) {
		r = buf_add(out, bytes, (size_t)(quote - bytes));
		if (r == 0)
			r = buf_add_str(out, "'\\''");
	}
	if (r == 0)
		r = buf_add(out, bytes, (size_t)(end - bytes));
	return r < 0 ? r : buf_add_char(out, '\'');
}

static int add_escaped(struct buf *out, unsigned char c)
{
	switch (c) {
	case '\n':
		return buf_add_str(out, "\\n");
	case '\t':
		return buf_add_str(out, "\\t");
	case '\'':
		return buf_add_str(out, "\\'");
	case '\\':
		return buf_add_str(out, "\\\\");
	default:
		if (c < ' ' || c >= 0x7f)
			return buf_addf(out, "\\x%02x", c);
		return buf_add_char(out, (char)c);
	}
}

int text_quote(struct buf *out, const char *bytes, size_t len)
{
	int r;

	if (all_plain(bytes, len))
		return buf_add(out, bytes, len);
	if (!needs_escapes(bytes, len))
		return add_quoted(out, bytes, len);
	r = buf_add_str(out, "$'");
	for (size_t i = 0; r == 0 && i < len; i++)
		r = add_escaped(out, (unsigned char)bytes[i]);
	return r < 0 ? r : buf_add_char(out, '\'');
}
