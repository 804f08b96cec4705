/*
 * Finds the record that answers a command: first in, first out among the records with the same
 * argv, cwd and chosen environment.
 */
#ifndef SANDTAPE_TAPE_MATCHER_H
#define SANDTAPE_TAPE_MATCHER_H

#include "base/error.h"
#include "tape/reader.h"
#include "tape/unit.h"

struct matcher;

/* Borrows the reader. NULL when out of memory. */
struct matcher *matcher_new(const struct tape_reader *reader);
void matcher_free(struct matcher *m);

/*
 * Takes the next unused record for the command: 0 and its index and the record (the caller clears
 * it), ERR_NOTFOUND (err untouched) when there is none, or what reading the tape gave.
 */
int matcher_take(struct matcher *m, const struct unit *command, size_t *ret_index,
		 struct unit *ret_record, struct error *err);

/* Reads ahead the record that a subject which does as it did will ask for next, so that the answer
 * is at hand when it comes. For idle moments; a failure shows when the record is taken. */
void matcher_read_ahead(struct matcher *m);

size_t matcher_unused(const struct matcher *m);
bool matcher_is_used(const struct matcher *m, size_t index);

/* Why there was no record, in lines for a human: the nearest unused records and how they differ.
 * Appends to `out`. */
int matcher_explain(const struct matcher *m, const struct unit *command, struct buf *out,
		    struct error *err);

#endif
