/*
 * What the files of the codec share (codec.h is for all others). `what` and `key` name the member
 * for messages.
 */
#ifndef SANDTAPE_TAPE_CODEC_PARTS_H
#define SANDTAPE_TAPE_CODEC_PARTS_H

#include "base/error.h"
#include "tape/denied.h"
#include "tape/json_out.h"
#include "tape/unit.h"
#include <jansson.h>

static inline void cleanup_json_fn(json_t **value)
{
	json_decref(*value);
}

#define cleanup_json __attribute__((cleanup(cleanup_json_fn)))

/* The members of a line. */
int codec_load_json(struct bytes text, json_t **ret, struct error *err);
/* ERR_FORMAT: "`what` is not `expected`". */
int codec_wrong(struct error *err, const char *what, const char *expected);
int codec_read_integer(const json_t *value, const char *what, int64_t min, int64_t max,
		       int64_t *ret, struct error *err);
/* Appends to `out`. Absent (NULL) is the empty string. */
int codec_read_bytes(const json_t *value, const char *what, struct buf *out, struct error *err);
int codec_read_signal(const json_t *value, const char *what, int *ret, struct error *err);
/* Of a member "error". */
int codec_read_errno(const json_t *value, int *ret, struct error *err);

/* Its name, or its number when it has none. */
void codec_put_signal(struct json_out *j, int signal);
void codec_put_errno(struct json_out *j, int number);

/* codec_chunks.c: in which order a unit did what it did. Lists that are read may be absent
 * (NULL), and empty ones are not written. */
void codec_put_chunks(struct json_out *j, const struct unit_time *t);
void codec_put_order(struct json_out *j, const struct unit *u);
void codec_put_modes(struct json_out *j, const struct unit *u);
int codec_read_chunks(const json_t *list, struct unit *u, struct error *err);
int codec_read_order(const json_t *list, struct unit *u, struct error *err);
int codec_read_modes(const json_t *list, struct unit *u, struct error *err);

/* codec_denied.c: what a unit was denied; lists likewise. */
/* Their members, but for error and signal. */
extern const char *const codec_denied_keys[DENIED_TEXTS];
void codec_put_denied(struct json_out *j, const struct unit_denial *list, size_t count);
void codec_put_denied_times(struct json_out *j, const struct unit_time *t);
int codec_read_denied(const json_t *list, struct unit *u, denied_append_fn *append,
		      struct error *err);
int codec_read_denied_times(const json_t *list, struct unit_time *t, struct error *err);

#endif
