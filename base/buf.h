/*
 * A growing byte buffer. Invariants: `data` is NULL or holds `len` bytes and then a NUL that is
 * not counted; a zeroed struct is an empty buffer; any bytes may be inside. The owner of the
 * struct owns `data`. Not thread-safe.
 */
#ifndef SANDTAPE_BASE_BUF_H
#define SANDTAPE_BASE_BUF_H

#include <stddef.h>

struct buf {
	char *data;
	size_t len;
	size_t cap;
};

#define BUF_INIT                                                                                   \
	{                                                                                          \
		NULL, 0, 0                                                                         \
	}

/* All return 0 or ERR_NOMEM, and leave the buffer unchanged on failure. */
int buf_reserve(struct buf *b, size_t extra); /* room for `extra` more bytes and the NUL */
int buf_add(struct buf *b, const void *bytes, size_t len);
int buf_add_str(struct buf *b, const char *text);
int buf_add_char(struct buf *b, char c);
int buf_addf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

void buf_clear(struct buf *b); /* len = 0, keeps the memory */
void buf_free(struct buf *b);  /* back to a zeroed struct */

/* Hands over the memory (never NULL on success of a previous add; may be NULL if nothing was
 * added) and zeroes the struct. The caller frees it with free(). */
char *buf_steal(struct buf *b);

void cleanup_buf_fn(struct buf *b);
#define cleanup_buf __attribute__((cleanup(cleanup_buf_fn)))

/* A borrowed run of bytes, and an owned one is a struct buf. */
struct bytes {
	const char *data;
	size_t len;
};

int bytes_equal(struct bytes a, struct bytes b);
struct bytes bytes_of_str(const char *text);

#endif
