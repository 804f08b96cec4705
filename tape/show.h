/* Records as people and scripts see them. */
#ifndef SANDTAPE_TAPE_SHOW_H
#define SANDTAPE_TAPE_SHOW_H

#include "base/error.h"
#include "tape/reader.h"
#include <jansson.h>

/*
 * Like tape_reader_unit(), with the escapes of root encoding taken out: `$WORK/…` stays, and "$$"
 * is the "$" that it stands for. `shown` is an empty set of roots, roots_new().
 */
int show_unit(const struct tape_reader *r, size_t index, const struct roots *shown,
	      struct unit *ret, struct error *err);

/* A string where the bytes are UTF-8, else {"base64": …}. NULL when out of memory. */
json_t *show_json_bytes(const char *bytes, size_t len);
json_t *show_json_argv(const struct unit *u);

#endif
