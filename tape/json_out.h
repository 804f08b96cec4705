/*
 * JSON written straight onto a buffer, without a tree of values: byte for byte what jansson makes
 * of the same values with JSON_COMPACT. Commas come by themselves. The memory's end is kept in
 * `failed`; what is on the buffer then is of no use.
 */
#ifndef SANDTAPE_TAPE_JSON_OUT_H
#define SANDTAPE_TAPE_JSON_OUT_H

#include "base/buf.h"
#include <stdbool.h>
#include <stdint.h>

struct json_out {
	struct buf *out; /* not empty, and within an object or array */
	bool failed;
};

/* "key": of plain characters. */
void json_out_key(struct json_out *j, const char *key);
/* UTF-8. */
void json_out_key_bytes(struct json_out *j, struct bytes key);
void json_out_open(struct json_out *j, char bracket);
void json_out_close(struct json_out *j, char bracket);
void json_out_string(struct json_out *j, struct bytes utf8);
void json_out_base64(struct json_out *j, struct bytes bytes);
/* A string, or {"base64":"…"} when it is not UTF-8. */
void json_out_bytes(struct json_out *j, struct bytes bytes);
void json_out_integer(struct json_out *j, int64_t value);
/* "key":true, when it is. */
void json_out_flag(struct json_out *j, const char *key, bool flag);

#endif
