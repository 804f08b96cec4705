/*
 * A record as operations for the stub (intercept/stub/answer.h): the output in the order in which
 * it came, then the signals that the unit was sent, then its end.
 */
#ifndef SANDTAPE_TAPE_ANSWER_H
#define SANDTAPE_TAPE_ANSWER_H

#include "base/error.h"
#include "tape/intercept/stub/answer.h"
#include "tape/reader.h"

struct answer; /* the answer to one unit, and how far it has been given */

/* `record` and `reader` must outlive the answer. */
int answer_new(const struct tape_reader *reader, const struct roots *roots,
	       const struct unit *record, struct answer **ret, struct error *err);
void answer_free(struct answer *a); /* NULL is allowed */

/* The next operations. *ret_len: how many bytes of `ret` count, from its start. */
void answer_next(struct answer *a, struct stub_answer *ret, size_t *ret_len);

/* Whether the stub can carry this out without us: it neither asks for more nor waits to be killed,
 * nor leaves a process behind. */
bool answer_is_complete(const struct stub_answer *answer);

#endif
