/*
 * What the files of the codec share (codec.h is for all others). `what` and `key` name the member
 * for messages. Functions that make a JSON value return NULL when out of memory, and those that
 * take one allow NULL for that: ERR_NOMEM then.
 */
#ifndef SANDTAPE_TAPE_CODEC_PARTS_H
#define SANDTAPE_TAPE_CODEC_PARTS_H

#include "base/error.h"
#include "tape/unit.h"
#include <jansson.h>

static inline void cleanup_json_fn(json_t **value)
{
	json_decref(*value);
}

#define cleanup_json __attribute__((cleanup(cleanup_json_fn)))

/* codec_memory.c: JSON in and out, with the want of memory told (ERR_NOMEM). */
int codec_load(struct bytes text, json_t **ret, struct error *err);
int codec_dump(const json_t *value, struct buf *out); /* appends, compact */

/* ERR_FORMAT: "`what` is not `expected`". */
int codec_wrong(struct error *err, const char *what, const char *expected);
int codec_read_integer(const json_t *value, const char *what, int64_t min, int64_t max,
		       int64_t *ret, struct error *err);
/* Appends to `out`. Absent (NULL) is the empty string. */
int codec_read_bytes(const json_t *value, const char *what, struct buf *out, struct error *err);
int codec_read_signal(const json_t *value, const char *what, int *ret, struct error *err);

int codec_put_take(json_t *object, const char *key, json_t *value);
int codec_append_take(json_t *array, json_t *value);
/* Inserts only what is there: an empty container is the default and is not written. */
int codec_put_container_take(json_t *object, const char *key, json_t *value);
json_t *codec_base64_text(struct bytes b);
json_t *codec_signal_value(int signal);

/* codec_chunks.c: in which order a unit did what it did. Lists may be absent (NULL). */
json_t *codec_chunk_list(const struct unit_time *t);
json_t *codec_order_list(const struct unit *u);
json_t *codec_mode_list(const struct unit *u);
int codec_read_chunks(const json_t *list, struct unit *u, struct error *err);
int codec_read_order(const json_t *list, struct unit *u, struct error *err);
int codec_read_modes(const json_t *list, struct unit *u, struct error *err);

#endif
