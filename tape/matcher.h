/*
 * Finds the records that could answer a command: those with the same argv, cwd and chosen
 * environment that have not been used, first in first. The player chooses among them by stdin.
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
const struct tape_reader *matcher_reader(const struct matcher *m);

/*
 * The unused records for the command, first in first: at most `room` indexes into `ret`, and
 * *ret_count. 0 also when there is none.
 */
int matcher_find(struct matcher *m, const struct unit *command, size_t *ret, size_t room,
		 size_t *ret_count, struct error *err);

/* Whether the record tells what the unit read from its stdin. */
int matcher_reads_stdin(struct matcher *m, size_t index, bool *ret, struct error *err);

/* Looks at a record without using it: *ret is borrowed until the next call. When the record is
 * taken next, it is not read again. */
int matcher_peek(struct matcher *m, size_t index, const struct unit **ret, struct error *err);

/* Takes the record, which then is used; the caller clears it. */
int matcher_take(struct matcher *m, size_t index, struct unit *ret_record, struct error *err);

/* Reads ahead the record that a subject which does as it did will ask for next, so that the answer
 * is at hand when it comes. For idle moments; a failure shows when the record is taken. */
void matcher_read_ahead(struct matcher *m);

size_t matcher_unused(const struct matcher *m);
bool matcher_is_used(const struct matcher *m, size_t index);

#endif
