#include "tape/lines.h"
#include "base/cursor.h"
#include "base/hash.h"
#include "base/text.h"
#include <string.h>

/* `,"c":"` + digits + `"}` */
#define SUM_BEFORE ",\"c\":\""
#define SUM_AFTER  "\"}"
#define SUM_SIZE   (sizeof(SUM_BEFORE) - 1 + TEXT_HEX64_LEN + sizeof(SUM_AFTER) - 1)

#define NAME(text)                                                                                 \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}

static const struct bytes type_names[LINE_TYPES] = {
	[LINE_HEAD] = NAME("head"), [LINE_SPAWN] = NAME("spawn"), [LINE_EXIT] = NAME("exit"),
	[LINE_TAIL] = NAME("tail"), [LINE_TIME] = NAME("time"),
};

static bool take_hex64(struct cursor *c, uint64_t *ret)
{
	if (c->end - c->at < TEXT_HEX64_LEN || !text_parse_hex64(c->at, ret))
		return false;
	c->at += TEXT_HEX64_LEN;
	return true;
}

static bool take_ordinal(struct cursor *c, uint32_t *ret)
{
	uint64_t value;

	if (!cursor_take_number(c, &value) || value > UINT32_MAX)
		return false;
	*ret = (uint32_t)value;
	return true;
}

static bool take_type_name(struct cursor *c, struct bytes *ret)
{
	const char *quote = memchr(c->at, '"', (size_t)(c->end - c->at));

	if (!quote)
		return false;
	*ret = (struct bytes){c->at, (size_t)(quote - c->at)};
	c->at = quote + 1;
	return true;
}

static enum line_type type_of_name(struct bytes name)
{
	int type = 0;

	/* Not by bytes_equal(): each line of a tape comes by here when it is opened. */
	while (type < LINE_TYPES && (name.len != type_names[type].len ||
				     memcmp(name.data, type_names[type].data, name.len) != 0))
		type++;
	return (enum line_type)type;
}

static bool take_sum(struct cursor *c, uint64_t *ret)
{
	return cursor_take(c, SUM_BEFORE) && take_hex64(c, ret) && cursor_take(c, SUM_AFTER) &&
	       c->at == c->end;
}

static bool take_id(struct cursor *c, struct unit_id *ret)
{
	return cursor_take(c, "{\"k\":\"") && take_hex64(c, &ret->key) &&
	       cursor_take(c, "\",\"n\":") && take_ordinal(c, &ret->ordinal);
}

bool line_peek_id(const char *text, size_t len, struct unit_id *ret)
{
	struct cursor front = {text, text + len};

	return take_id(&front, ret);
}

/* All but whether the checksum is right. */
static enum line_state take_apart(const char *text, size_t len, struct line *line,
				  struct bytes *ret_type, uint64_t *ret_sum)
{
	struct cursor front, back;

	if (len >= TAPE_LINE_MAX)
		return LINE_LONG;
	if (len < SUM_SIZE)
		return LINE_FRAME;
	front = (struct cursor){text, text + len - SUM_SIZE};
	back = (struct cursor){text + len - SUM_SIZE, text + len};
	if (!take_id(&front, &line->id) || !cursor_take(&front, ",\"t\":\"") ||
	    !take_type_name(&front, ret_type) || !take_sum(&back, ret_sum))
		return LINE_FRAME;
	line->fields = (struct bytes){front.at, (size_t)(front.end - front.at)};
	return line->fields.len && line->fields.data[0] != ',' ? LINE_FRAME : LINE_OK;
}

bool line_fields(const char *text, size_t len, struct bytes *ret)
{
	struct bytes type;
	struct line line;
	uint64_t sum;

	if (take_apart(text, len, &line, &type, &sum) != LINE_OK)
		return false;
	*ret = line.fields;
	return true;
}

enum line_state line_parse(const char *text, size_t len, struct line *ret)
{
	struct line line = {.all = {text, len}};
	enum line_state state;
	struct bytes type;
	uint64_t sum;

	state = take_apart(text, len, &line, &type, &sum);
	if (state != LINE_OK)
		return state;
	if (hash64(text, len - SUM_SIZE) != sum)
		return LINE_SUM;
	line.type = type_of_name(type);
	if (line.type == LINE_TYPES)
		return LINE_UNKNOWN;
	*ret = line;
	return LINE_OK;
}

const char *line_state_text(enum line_state state)
{
	switch (state) {
	case LINE_FRAME:
		return "this is not a record of a tape";
	case LINE_SUM:
		return "its checksum does not match: the line was changed";
	case LINE_UNKNOWN:
		return "the record is of an unknown type";
	case LINE_LONG:
		return "the line is longer than 16 MiB";
	case LINE_OK:
		break;
	}
	return "";
}

bool line_is_merge_mark(const char *text, size_t len)
{
	static const char marks[] = "<=>|";
	size_t n = 0;

	while (n < len && n < 7 && text[n] == text[0])
		n++;
	return n == 7 && memchr(marks, text[0], sizeof(marks) - 1) &&
	       (len == 7 || text[7] == ' ' || text[7] == '\r');
}

#define FRONT_MAX 64 /* the frame up to the type, with any number */

int line_begin(struct buf *out, enum line_type type, struct unit_id id)
{
	char front[FRONT_MAX];
	char *to = stpcpy(front, "{\"k\":\"");

	text_hex64(id.key, to);
	to = stpcpy(to + TEXT_HEX64_LEN, "\",\"n\":");
	to += text_decimal(id.ordinal, to);
	to = stpcpy(to, ",\"t\":\"");
	to = stpcpy(to, type_names[type].data);
	*to++ = '"';
	return buf_add(out, front, (size_t)(to - front));
}

static int add_sum(struct buf *out, size_t start)
{
	char back[SUM_SIZE + 2];
	char *to = stpcpy(back, SUM_BEFORE);

	text_hex64(hash64(out->data + start, out->len - start), to);
	stpcpy(to + TEXT_HEX64_LEN, SUM_AFTER "\n");
	return buf_add(out, back, SUM_SIZE + 1);
}

int line_end(struct buf *out, size_t start, int rc, struct error *err)
{
	if (rc == 0 && add_sum(out, start) < 0)
		rc = error_no_memory(err);
	if (rc == 0 && out->len - start > TAPE_LINE_MAX)
		rc = error_set(err, ERR_LIMIT,
			       "a record of %zu bytes is beyond the limit of 16 MiB a line",
			       out->len - start);
	if (rc < 0) {
		out->len = start;
		if (out->data)
			out->data[start] = '\0';
	}
	return rc;
}

int line_add(struct buf *out, enum line_type type, struct unit_id id, struct bytes fields,
	     struct error *err)
{
	size_t start = out->len;

	if (line_begin(out, type, id) < 0 || buf_add(out, fields.data, fields.len) < 0)
		return line_end(out, start, error_no_memory(err), err);
	return line_end(out, start, 0, err);
}
