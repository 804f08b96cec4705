/* Turns a journal into a canonical tape. */
#ifndef SANDTAPE_TAPE_CANON_H
#define SANDTAPE_TAPE_CANON_H

#include "base/error.h"
#include "tape/index.h"
#include <stdbool.h>

/*
 * Writes tape.jsonl and timing.jsonl of `dir` from a journal, in the order that FORMAT.md,
 * "Canonical order", gives. `old` is the tape that they replace, with its timing, or NULL. When
 * nothing but times differs, the files are not touched (a missing timing.jsonl is written). Only
 * who holds the recorder's lock may call this.
 */
int tape_canon_write(const char *dir, const struct tape_index *journal,
		     const struct tape_index *old, bool sync, struct error *err);

#endif
