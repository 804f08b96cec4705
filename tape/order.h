/*
 * The canonical order of a tape (FORMAT.md, "Canonical order"): chance decides the order of units
 * that run at the same time, and chance must not show in version control.
 */
#ifndef SANDTAPE_TAPE_ORDER_H
#define SANDTAPE_TAPE_ORDER_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

#define ORDER_NEW UINT32_MAX

/* A unit of the run that was just recorded; they are given in the order of their starts. */
struct order_unit {
	uint64_t key;
	uint64_t start; /* a position in the order of events */
	uint64_t end;	/* UINT64_MAX: it did not end */
	uint32_t old;	/* its index on the old tape, or ORDER_NEW */
};

/* What is known of a unit of the old tape. */
struct order_old {
	uint64_t start_ns;
	uint64_t end_ns; /* before start_ns: it did not end, and overlaps with nothing */
};

/* Writes `count` indexes into `units` to `ret_order`. Returns 0 or ERR_NOMEM. */
int order_units(const struct order_unit *units, size_t count, const struct order_old *old,
		size_t old_count, uint32_t *ret_order);

#endif
