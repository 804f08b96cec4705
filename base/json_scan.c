#include "base/json_scan.h"

#include "base/cursor.h"

#define DEPTH_MAX 2048 /* JSON_PARSER_MAX_DEPTH of jansson */

struct scan {
	struct cursor c;
	struct json_sums sums;
	unsigned depth;
};

static bool scan_value(struct scan *s);

static void skip_space(struct cursor *c)
{
	while (c->at < c->end &&
	       (*c->at == ' ' || *c->at == '\t' || *c->at == '\n' || *c->at == '\r'))
		c->at++;
}

static bool take_mark(struct scan *s, char mark)
{
	skip_space(&s->c);
	if (s->c.at == s->c.end || *s->c.at != mark)
		return false;
	s->c.at++;
	return true;
}

/* The four digits of a \u escape. */
static bool take_hex(struct cursor *c, unsigned *ret)
{
	unsigned value = 0;

	if (c->end - c->at < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		char d = *c->at++;
		char letter = (char)(d | 0x20);

		if (d >= '0' && d <= '9')
			value = value * 16 + (unsigned)(d - '0');
		else if (letter >= 'a' && letter <= 'f')
			value = value * 16 + (unsigned)(letter - 'a' + 10);
		else
			return false;
	}
	*ret = value;
	return true;
}

/* Two of them may be one character, but half of a pair is none. */
static bool scan_unicode(struct scan *s)
{
	unsigned value, second;

	if (!take_hex(&s->c, &value))
		return false;
	if (value < 0xD800 || value > 0xDFFF) {
		s->sums.bytes += value < 0x80 ? 1 : value < 0x800 ? 2 : 3;
		return true;
	}
	s->sums.bytes += 4;
	return value <= 0xDBFF && cursor_take(&s->c, "\\u") && take_hex(&s->c, &second) &&
	       second >= 0xDC00 && second <= 0xDFFF;
}

static bool scan_escape(struct scan *s)
{
	char escaped = s->c.at < s->c.end ? *s->c.at++ : '\0';

	if (escaped == 'u')
		return scan_unicode(s);
	s->sums.bytes++;
	return escaped && strchr("\"\\/bfnrt", escaped);
}

static bool scan_string(struct scan *s)
{
	if (!take_mark(s, '"'))
		return false;
	while (s->c.at < s->c.end) {
		unsigned char byte = (unsigned char)*s->c.at++;

		if (byte == '"')
			return true;
		if (byte < 0x20 || (byte == '\\' && !scan_escape(s)))
			return false;
		s->sums.bytes += byte != '\\';
	}
	return false;
}

/* The digits of one part of a number. */
static bool take_digits(struct cursor *c, uint64_t *ret)
{
	const char *first = c->at;

	*ret = 0;
	while (cursor_is_at_digit(c))
		*ret = *ret * 10 + (uint64_t)(*c->at++ - '0');
	return c->at > first;
}

static bool scan_number(struct scan *s)
{
	struct cursor *c = &s->c;
	bool negative = cursor_take(c, "-");
	bool is_integer = true;
	const char *first = c->at;
	uint64_t value, rest;

	if (!take_digits(c, &value) || (*first == '0' && c->at - first > 1))
		return false;
	if (cursor_take(c, ".")) {
		is_integer = false;
		if (!take_digits(c, &rest))
			return false;
	}
	if (cursor_take(c, "e") || cursor_take(c, "E")) {
		is_integer = false;
		if (!cursor_take(c, "+"))
			cursor_take(c, "-");
		if (!take_digits(c, &rest))
			return false;
	}
	if (is_integer)
		s->sums.integers += negative ? -value : value;
	return true;
}

static bool scan_member(struct scan *s, char end)
{
	return (end == ']' || (scan_string(s) && take_mark(s, ':'))) && scan_value(s);
}

/* What is between brackets, of which the first has been taken. */
static bool scan_members(struct scan *s, char end)
{
	bool good = true;

	if (++s->depth > DEPTH_MAX)
		return false;
	if (!take_mark(s, end)) {
		do
			good = scan_member(s, end);
		while (good && take_mark(s, ','));
		good = good && take_mark(s, end);
	}
	s->depth--;
	return good;
}

static bool scan_value(struct scan *s)
{
	if (take_mark(s, '{'))
		return scan_members(s, '}');
	if (take_mark(s, '['))
		return scan_members(s, ']');
	if (s->c.at < s->c.end && *s->c.at == '"')
		return scan_string(s);
	return cursor_take(&s->c, "true") || cursor_take(&s->c, "false") ||
	       cursor_take(&s->c, "null") || scan_number(s);
}

bool json_scan(struct bytes text, struct json_sums *ret)
{
	struct scan s = {.c = {text.data, text.data + text.len}};

	skip_space(&s.c);
	if (s.c.at == s.c.end || (*s.c.at != '{' && *s.c.at != '[') || !scan_value(&s))
		return false;
	skip_space(&s.c);
	*ret = s.sums;
	return s.c.at == s.c.end;
}
