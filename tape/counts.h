/* How often each key was seen: gives out ordinals. */
#ifndef SANDTAPE_TAPE_COUNTS_H
#define SANDTAPE_TAPE_COUNTS_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

struct count;

/* A zeroed struct is empty. */
struct counts {
	struct count *slot;
	size_t slot_count;
	size_t used;
};

/* How often `key` was counted before. ERR_LIMIT when that does not fit an ordinal. A peek makes the
 * room for the next count, which then cannot fail. */
int counts_peek(struct counts *c, uint64_t key, uint32_t *ret_ordinal, struct error *err);
/* Likewise, and counts it. */
int counts_next(struct counts *c, uint64_t key, uint32_t *ret_ordinal, struct error *err);
void counts_clear(struct counts *c);

#endif
