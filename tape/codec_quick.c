#include "tape/codec_quick.h"
#include "base/cursor.h"
#include "base/text.h"
#include "tape/names.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static bool take_int(struct cursor *c, int *ret)
{
	uint64_t value;

	if (!cursor_take_number(c, &value) || value > INT_MAX)
		return false;
	*ret = (int)value;
	return true;
}

/* The byte behind a backslash; 0 for \u and what is no escape. */
static char escaped(char c)
{
	static const char names[] = "\"\\/bfnrt";
	static const char bytes[] = "\"\\/\b\f\n\r\t";
	const char *at = c ? strchr(names, c) : NULL;

	return (char)(at ? bytes[at - names] : 0);
}

static bool add_unescaped(struct buf *out, const char *from, size_t len)
{
	char *to;

	if (buf_reserve(out, len) < 0)
		return false;
	to = out->data + out->len;
	for (size_t i = 0; i < len; i++) {
		char c = from[i];

		if (c == '\\')
			c = escaped(from[++i]);
		if (!c)
			return false;
		*to++ = c;
	}
	*to = '\0';
	out->len = (size_t)(to - out->data);
	return true;
}

/* A JSON string in UTF-8, without \u. */
static bool take_string(struct cursor *c, struct buf *out)
{
	const char *from, *at;
	bool escapes = false;
	size_t plain;

	if (!cursor_take(c, "\""))
		return false;
	from = at = c->at;
	plain = text_json_run(from, (size_t)(c->end - from));
	if (from + plain < c->end && from[plain] == '"') {
		c->at = from + plain + 1;
		return buf_add(out, from, plain) == 0;
	}
	while (at < c->end && *at != '"') {
		if ((unsigned char)*at < 0x20)
			return false;
		escapes = escapes || *at == '\\';
		at += 1 + (*at == '\\');
	}
	if (at >= c->end || !text_is_utf8(from, (size_t)(at - from)))
		return false;
	c->at = at + 1;
	return escapes ? add_unescaped(out, from, (size_t)(at - from))
		       : buf_add(out, from, (size_t)(at - from)) == 0;
}

static bool take_arg(struct cursor *c, struct unit *u)
{
	struct buf arg = BUF_INIT;
	bool taken = take_string(c, &arg) && unit_add_arg(u, arg.data, arg.len) == 0;

	buf_free(&arg);
	return taken;
}

static bool take_argv(struct cursor *c, struct unit *u)
{
	if (!cursor_take(c, ",\"argv\":["))
		return false;
	do {
		if (!take_arg(c, u))
			return false;
	} while (cursor_take(c, ","));
	return cursor_take(c, "]");
}

/* Without a cwd the record stands for any. */
static bool take_cwd(struct cursor *c, struct unit *u)
{
	u->cwd_any = !cursor_take(c, ",\"cwd\":");
	return u->cwd_any || take_string(c, &u->cwd);
}

bool codec_quick_spawn(const struct line *line, struct unit *u)
{
	struct cursor c = {line->fields.data, line->fields.data + line->fields.len};

	if (cursor_take(&c, ",\"parent\":") && take_string(&c, &u->parent) && take_argv(&c, u) &&
	    take_cwd(&c, u) && c.at == c.end) {
		u->id = line->id;
		return true;
	}
	unit_clear(u);
	return false;
}

static bool take_kind(struct cursor *c, struct stream *s)
{
	const char *quote;
	char name[16];
	size_t len;

	if (!cursor_take(c, "{\"kind\":\""))
		return false;
	quote = memchr(c->at, '"', (size_t)(c->end - c->at));
	len = quote ? (size_t)(quote - c->at) : sizeof(name);
	if (len >= sizeof(name))
		return false;
	memcpy(name, c->at, len);
	name[len] = '\0';
	c->at = quote + 1;
	if (!stream_kind_of_name(name, &s->kind))
		return false;
	if (s->kind != STREAM_SAME)
		return true;
	return cursor_take(c, ",\"same\":") && take_int(c, &s->same_as) && s->same_as != s->fd;
}

static bool take_stream(struct cursor *c, int fd, struct unit *u)
{
	struct stream *s = unit_add_stream(u, fd);

	if (!s || !take_kind(c, s))
		return false;
	if (cursor_take(c, ",\"text\":")) {
		if (!take_string(c, &s->data.bytes))
			return false;
		s->data.size = s->data.bytes.len;
		s->data.form = s->data.size ? PAYLOAD_INLINE : PAYLOAD_EMPTY;
		s->data.rooted = cursor_take(c, ",\"roots\":true");
	}
	s->eof = cursor_take(c, ",\"eof\":true");
	return cursor_take(c, "}");
}

static bool take_out(struct cursor *c, struct unit *u)
{
	int before = 0;

	do {
		int fd;

		/* Ascending, so that none is there twice. */
		if (!cursor_take(c, "\"") || !take_int(c, &fd) || fd <= before ||
		    !cursor_take(c, "\":") || !take_stream(c, fd, u))
			return false;
		before = fd;
	} while (cursor_take(c, ","));
	return cursor_take(c, "}");
}

/* Back to a unit that has only been spawned. */
static void clear_exit(struct unit *u)
{
	for (size_t i = 0; i < u->stream_count; i++)
		payload_clear(&u->streams[i].data);
	free(u->streams);
	u->streams = NULL;
	u->stream_count = 0;
	u->end = (struct unit_end){.how = END_UNFINISHED};
}

bool codec_quick_exit(const struct line *line, struct unit *u)
{
	struct cursor c = {line->fields.data, line->fields.data + line->fields.len};

	if (u->stream_count)
		return false;
	if (cursor_take(&c, ",\"code\":") && take_int(&c, &u->end.code) &&
	    (!cursor_take(&c, ",\"stdin\":") || take_stream(&c, 0, u)) &&
	    (!cursor_take(&c, ",\"out\":{") || take_out(&c, u)) && c.at == c.end) {
		u->end.how = END_EXITED;
		return true;
	}
	clear_exit(u);
	return false;
}

static bool take_chunk(struct cursor *c, struct unit *u)
{
	struct chunk chunk;

	return cursor_take(c, "[") && take_int(c, &chunk.fd) && cursor_take(c, ",") &&
	       cursor_take_number(c, &chunk.len) && cursor_take(c, ",") &&
	       cursor_take_number(c, &chunk.time_ns) && cursor_take(c, "]") &&
	       unit_add_chunk_apart(u, chunk.fd, chunk.len, chunk.time_ns) == 0;
}

static bool take_chunks(struct cursor *c, struct unit *u)
{
	do {
		if (!take_chunk(c, u))
			return false;
	} while (cursor_take(c, ","));
	return cursor_take(c, "]");
}

bool codec_quick_time(const struct line *line, struct unit *u)
{
	struct cursor c = {line->fields.data, line->fields.data + line->fields.len};
	uint64_t pid;
	int episode = 0;

	if (cursor_take(&c, ",\"pid\":") && cursor_take_number(&c, &pid) &&
	    cursor_take(&c, ",\"start_ns\":") && cursor_take_number(&c, &u->time.start_ns) &&
	    cursor_take(&c, ",\"duration_ns\":") && cursor_take_number(&c, &u->time.duration_ns) &&
	    cursor_take(&c, ",\"program\":") && take_string(&c, &u->time.program) &&
	    (!cursor_take(&c, ",\"chunks\":[") || take_chunks(&c, u)) &&
	    (!cursor_take(&c, ",\"episode\":") || take_int(&c, &episode)) && c.at == c.end) {
		u->time.pid = (int64_t)pid;
		u->time.episode = (uint32_t)episode;
		u->time.known = true;
		return true;
	}
	unit_time_clear(&u->time);
	return false;
}
