/* Records as people and scripts see them. */
#ifndef SANDTAPE_TAPE_SHOW_H
#define SANDTAPE_TAPE_SHOW_H

#include "base/error.h"
#include "tape/reader.h"

/*
 * Like tape_reader_unit(), with the escapes of root encoding taken out: `$WORK/…` stays, and "$$"
 * is the "$" that it stands for. `shown` is an empty set of roots, roots_new().
 */
int show_unit(const struct tape_reader *r, size_t index, const struct roots *shown,
	      struct unit *ret, struct error *err);
/* Likewise what tape_reader_command() gives, which is quicker. */
int show_spawn(const struct tape_reader *r, size_t index, const struct roots *shown,
	       struct unit *ret, struct error *err);

#endif
