/*
 * JSON texts by jansson: read and written so that the want of memory is always told, and where in
 * a text a value stands, which jansson does not say.
 */
#ifndef SANDTAPE_BASE_JSONTEXT_H
#define SANDTAPE_BASE_JSONTEXT_H

#include "base/buf.h"
#include "base/error.h"
#include <jansson.h>

/* Of jansson's reading: ERR_FORMAT with the reason and the line in *ret_why, which must be zeroed,
 * or ERR_NOMEM. Otherwise as jsontext_load(). */
int jsontext_parse(struct bytes text, json_t **ret, json_error_t *ret_why);

/*
 * Reads an object or array. Keys that are there twice are an error; strings may hold NULs.
 * ERR_NOMEM, or ERR_FORMAT with the parser's words and, when `ret_line` is not NULL, the line.
 */
int jsontext_load(struct bytes text, json_t **ret, int *ret_line, struct error *err);
/* The same of a file of this name: a mistake in it is "NAME:LINE: ..."; more bytes than `most` are
 * ERR_LIMIT. */
int jsontext_load_file(struct bytes text, const char *name, size_t most, json_t **ret,
		       struct error *err);

/* Appends the value; `flags` are those of json_dumps(). 0 or ERR_NOMEM. */
int jsontext_dump(const json_t *value, size_t flags, struct buf *out);

/* A step from a value to one inside it: by its key, or with NULL by its index. */
struct jsontext_step {
	const char *key;
	size_t index;
};

/*
 * The line, from 1, in which the value at the end of the steps begins; of a value with a key that
 * is where the key begins. The text must be one that jsontext_load() has taken. 0 when there is no
 * such value.
 */
int jsontext_line(struct bytes text, const struct jsontext_step *steps, size_t count);

/* Puts "NAME:LINE: KEY: " in front of the error that is there, and returns its code. Of a value
 * that is not in the text, the line of the nearest one around it. */
int jsontext_error_at(struct bytes text, const char *name, const struct jsontext_step *steps,
		      size_t count, int code, struct error *err);

#endif
