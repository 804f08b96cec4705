/*
 * A record as operations for the stub (intercept/stub/answer.h): what the unit read and wrote in
 * the order in which it did, then the signals that it was sent, then its end.
 */
#ifndef SANDTAPE_TAPE_ANSWER_H
#define SANDTAPE_TAPE_ANSWER_H

#include "base/error.h"
#include "tape/intercept/stub/answer.h"
#include "tape/reader.h"

struct answer; /* the answer to one unit, and how far it has been given */

/* `record` and `reader` must outlive the answer. `stdin_taken`: so much of stdin was taken before
 * the record was found. */
int answer_new(const struct tape_reader *reader, const struct roots *roots,
	       const struct unit *record, uint64_t stdin_taken, struct answer **ret,
	       struct error *err);
void answer_free(struct answer *a); /* NULL is allowed */

/* Of a record that says nothing but that the unit began: before its first operations are asked for.
 * The stub waits to be killed, and asks every `ask_ms`. 0 or ERR_NOMEM. */
int answer_hold(struct answer *a, size_t ask_ms);

/*
 * The next operations: those of events up to `limit_ns`, a time of the recording; UINT64_MAX: all,
 * as far as they have room, for a unit that has no turns. Any other asks for more before it reads
 * or waits. *ret_len: how many bytes of `ret` count, from its start. The last operation is
 * STUB_MORE when there is more.
 */
void answer_next(struct answer *a, uint64_t limit_ns, struct stub_answer *ret, size_t *ret_len);

/* The signals that it waits for: bit n - 1 for the signal n. */
uint64_t answer_signals(const struct answer *a);

/* When the first event that answer_next() has not given yet and that others can see (a write, the
 * end) came in the recording. */
uint64_t answer_time(const struct answer *a);
/* Whether nobody sees what the unit does next: it reads, or waits for a signal. */
bool answer_is_hidden(const struct answer *a);

/* Whether the stub can carry this out without us: it neither asks for anything nor waits to be
 * killed, nor leaves a process behind. */
bool answer_is_complete(const struct stub_answer *ops);

/* The stub took these bytes of stdin, or of an input above 2 (len 0: its end). Whether the unit had
 * read the same. */
bool answer_check_input(struct answer *a, int fd, const char *data, size_t len);
/* How many bytes of it were the same. */
uint64_t answer_input_agreed(const struct answer *a, int fd);

#endif
