/*
 * When a record may answer a command (enum tape_order). Two things can be known of it: the order of
 * the recorded starts, and which units had ended before another one started. Not thread-safe.
 */
#ifndef SANDTAPE_TAPE_ORDERS_H
#define SANDTAPE_TAPE_ORDERS_H

#include "base/error.h"
#include "tape/command.h"
#include "tape/matcher.h"
#include "tape/reader.h"

struct orders;

#define ORDERS_NONE SIZE_MAX

/* Borrows both. Reads the times of all units; without them, the starts are in the order of the tape
 * and nothing is known of the ends. */
int orders_new(const struct tape_reader *reader, const struct matcher *matcher,
	       enum tape_order order, struct orders **ret, struct error *err);
void orders_free(struct orders *o); /* NULL is allowed */

/* The unused record that has to be used before this one, whose time is given, or ORDERS_NONE. */
size_t orders_before(struct orders *o, size_t index, const struct unit_time *time);

#endif
