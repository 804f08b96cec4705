#include "base/buf.h"
#include "base/error.h"
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_FIRST_CAP 64

static size_t grown_cap(size_t cap, size_t needed)
{
	size_t doubled = cap > SIZE_MAX / 2 ? SIZE_MAX : cap * 2;

	if (doubled < BUF_FIRST_CAP)
		doubled = BUF_FIRST_CAP;
	return doubled < needed ? needed : doubled;
}

int buf_reserve(struct buf *b, size_t extra)
{
	size_t needed, cap;
	char *data;

	if (extra > SIZE_MAX - b->len - 1)
		return ERR_NOMEM;
	needed = b->len + extra + 1;
	if (needed <= b->cap)
		return 0;
	cap = grown_cap(b->cap, needed);
	data = realloc(b->data, cap);
	if (!data)
		return ERR_NOMEM;
	data[b->len] = '\0';
	b->data = data;
	b->cap = cap;
	return 0;
}

int buf_add(struct buf *b, const void *bytes, size_t len)
{
	if (buf_reserve(b, len) < 0)
		return ERR_NOMEM;
	/* memcpy must not see NULL, not even for no bytes. */
	if (len > 0)
		memcpy(b->data + b->len, bytes, len);
	b->len += len;
	b->data[b->len] = '\0';
	return 0;
}

int buf_add_str(struct buf *b, const char *text)
{
	return buf_add(b, text, strlen(text));
}

int buf_add_char(struct buf *b, char c)
{
	return buf_add(b, &c, 1);
}

int buf_addf(struct buf *b, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0 || buf_reserve(b, (size_t)len) < 0)
		return ERR_NOMEM;

	va_start(args, format);
	len = vsnprintf(b->data + b->len, (size_t)len + 1, format, args);
	va_end(args);
	if (len < 0) {
		b->data[b->len] = '\0';
		return ERR_NOMEM;
	}
	b->len += (size_t)len;
	return 0;
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	if (b->data)
		b->data[0] = '\0';
}

void buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf)BUF_INIT;
}

char *buf_steal(struct buf *b)
{
	char *data = b->data;

	*b = (struct buf)BUF_INIT;
	return data;
}

void cleanup_buf_fn(struct buf *b)
{
	int saved = errno;

	buf_free(b);
	errno = saved;
}

int bytes_equal(struct bytes a, struct bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

struct bytes bytes_of_str(const char *text)
{
	return (struct bytes){text, strlen(text)};
}
