/*
 * Root placeholders make a tape portable: a path below a root is stored as `$NAME/…` and comes
 * back as whatever that root is in the present session. tape/FORMAT.md, "Roots", is the standard;
 * encode and decode are exact inverses for the same roots.
 */
#ifndef SANDTAPE_TAPE_ROOTS_H
#define SANDTAPE_TAPE_ROOTS_H

#include "base/buf.h"
#include "base/error.h"

struct roots; /* an ordered set of NAME=DIR; immutable once built, then thread-safe */

struct roots *roots_new(void); /* NULL when out of memory */
void roots_free(struct roots *r);

/* NAME: [A-Z][A-Z0-9_]*; DIR: absolute; trailing slashes are dropped; "/" is refused. A name that
 * is there already is replaced (so that --root WORK=… overrides the default). */
int roots_add(struct roots *r, const char *name, const char *dir, struct error *err);

size_t roots_count(const struct roots *r);
const char *roots_name(const struct roots *r, size_t index);	/* in order of addition */
const char *roots_dir(const struct roots *r, const char *name); /* NULL when unknown */

/* Appends to `out`. The longest matching root wins; equal directories: the one added first. */
int roots_encode(const struct roots *r, const char *bytes, size_t len, struct buf *out);
int roots_decode(const struct roots *r, const char *bytes, size_t len, struct buf *out);

#endif
