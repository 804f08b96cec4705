/* Values of the JSON that is shown to people and scripts (not the format of the tape). Each makes a
 * new jansson value, which the caller owns; NULL when out of memory. */
#ifndef SANDTAPE_TAPE_JSON_VALUES_H
#define SANDTAPE_TAPE_JSON_VALUES_H

#include "base/buf.h"
#include "tape/unit.h"
#include <jansson.h>

/* A string where the bytes are UTF-8, else {"base64": …}. */
json_t *json_of_bytes(const char *bytes, size_t len);
json_t *json_of_buf(const struct buf *b);
json_t *json_of_argv(const struct unit *u);
json_t *json_of_env(const struct unit *u);
/* null for a record that stands for any directory. */
json_t *json_of_cwd(const struct unit *u);

#endif
