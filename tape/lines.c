#include "tape/lines.h"
#include "base/hash.h"
#include "base/text.h"
#include "tape/cursor.h"
#include <inttypes.h>
#include <string.h>

/* `,"c":"` + digits + `"}` */
#define SUM_BEFORE ",\"c\":\""
#define SUM_AFTER  "\"}"
#define SUM_SIZE   (sizeof(SUM_BEFORE) - 1 + TEXT_HEX64_LEN + sizeof(SUM_AFTER) - 1)

static const char *const type_names[LINE_TYPES] = {
	[LINE_HEAD] = "head", [LINE_SPAWN] = "spawn", [LINE_EXIT] = "exit",
	[LINE_TAIL] = "tail", [LINE_TIME] = "time",
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

	while (type < LINE_TYPES && !bytes_equal(name, bytes_of_str(type_names[type])))
		type++;
	return (enum line_type)type;
}

static bool take_sum(struct cursor *c, uint64_t *ret)
{
	return cursor_take(c, SUM_BEFORE) && take_hex64(c, ret) && cursor_take(c, SUM_AFTER) &&
	       c->at == c->end;
}

enum line_state line_parse(const char *text, size_t len, struct line *ret)
{
	struct line line = {.all = {text, len}};
	struct cursor front, back;
	struct bytes type;
	uint64_t sum;

	if (len >= TAPE_LINE_MAX)
		return LINE_LONG;
	if (len < SUM_SIZE)
		return LINE_FRAME;
	front = (struct cursor){text, text + len - SUM_SIZE};
	back = (struct cursor){text + len - SUM_SIZE, text + len};
	if (!cursor_take(&front, "{\"k\":\"") || !take_hex64(&front, &line.id.key) ||
	    !cursor_take(&front, "\",\"n\":") || !take_ordinal(&front, &line.id.ordinal) ||
	    !cursor_take(&front, ",\"t\":\"") || !take_type_name(&front, &type) ||
	    !take_sum(&back, &sum))
		return LINE_FRAME;
	line.fields = (struct bytes){front.at, (size_t)(front.end - front.at)};
	if (line.fields.len && line.fields.data[0] != ',')
		return LINE_FRAME;
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

static int add_line(struct buf *out, enum line_type type, struct unit_id id, struct bytes fields)
{
	char digits[TEXT_HEX64_LEN];
	size_t start = out->len;
	int rc;

	text_hex64(id.key, digits);
	rc = buf_addf(out, "{\"k\":\"%.*s\",\"n\":%" PRIu32 ",\"t\":\"%s\"", TEXT_HEX64_LEN, digits,
		      id.ordinal, type_names[type]);
	if (rc == 0)
		rc = buf_add(out, fields.data, fields.len);
	if (rc < 0)
		return rc;
	text_hex64(hash64(out->data + start, out->len - start), digits);
	return buf_addf(out, SUM_BEFORE "%.*s" SUM_AFTER "\n", TEXT_HEX64_LEN, digits);
}

int line_add(struct buf *out, enum line_type type, struct unit_id id, struct bytes fields,
	     struct error *err)
{
	size_t start = out->len;
	int rc = add_line(out, type, id, fields);

	if (rc < 0)
		rc = error_set(err, rc, "out of memory");
	else if (out->len - start > TAPE_LINE_MAX)
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
