/*
 * Which units of two tapes belong together: those with the same content first, then those of the
 * same key, in the order of both tapes. Takes n log n, however the tapes differ.
 */
#ifndef SANDTAPE_TAPE_ALIGN_H
#define SANDTAPE_TAPE_ALIGN_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ALIGN_NONE UINT32_MAX

struct align_item {
	uint64_t content;
	uint64_t key;
};

/* One side: its items, and for each of them the index of its partner, or ALIGN_NONE. */
struct align_side {
	const struct align_item *item;
	uint32_t *partner;
	bool *moved; /* the partner stands in another place of the order */
	size_t count;
};

/*
 * Fills `partner` and `moved`. Partners that are not moved are in the same order on both sides;
 * moved ones are what is left then, the first of a content (and then of a key) with the first, and
 * so on. 0 or ERR_NOMEM.
 */
int align(struct align_side *a, struct align_side *b);

#endif
