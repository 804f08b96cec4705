/*
 * The order of events in a recording, kept in its replay: units that ran at the same time write and
 * end as they did, whatever the machine does now. A unit whose next event came at time T may have
 * it when no other unit that is being played has an earlier one left, and when every unit around it
 * that started before T has been spawned. Before the first surprise, every unit of the tape counts
 * as one around it: a unit that the subject did not wait for was over, or not, before the next.
 */
#ifndef SANDTAPE_TAPE_SCORE_H
#define SANDTAPE_TAPE_SCORE_H

#include "base/error.h"
#include "tape/reader.h"

struct score;

/* Reads when the units ran; borrows the reader. */
int score_new(const struct tape_reader *reader, struct score **ret, struct error *err);
void score_free(struct score *s); /* NULL is allowed */

/* Whether the unit overlapped with no other: it needs no order. */
bool score_is_alone(const struct score *s, size_t index);

/* Whether a unit that is being played still has an event from before this one's end, or one that
 * began before it has not been spawned yet. */
bool score_is_behind(struct score *s, size_t index);

/*
 * Whether every unit that had ended before this one began has been spawned: among records of one
 * command, the first of these is meant. What the parent had reaped cannot be the rule, since among
 * threads it differs from run to run.
 */
bool score_is_ready(struct score *s, size_t index);

/* A unit is there that may turn out to be this one: it is not waited for. False when it has been
 * spawned, or is expected, already. */
bool score_expect(struct score *s, size_t index);
/* It has turned out to be another. */
void score_expect_no_more(struct score *s, size_t index);

/* Whether a unit is being played that had ended before this one began: its end comes first. */
bool score_is_early(const struct score *s, size_t index);
/* It did not come: those units are not waited for in this way any more. */
void score_do_without(struct score *s, size_t index);

/* The unit `index` is being played. */
int score_begin(struct score *s, size_t index, struct error *err);
/* Its next event that others can see (a write, its end) came at this time of the recording. */
void score_next(struct score *s, size_t index, uint64_t time_ns);
/* It has ended, or needs no order any more. */
void score_end(struct score *s, size_t index);

/* Up to which time the unit may have its events now; UINT64_MAX when nothing limits it. */
uint64_t score_limit(struct score *s, size_t index);

/*
 * Whether the unit, which is about to be played, is the next in the order of the starts in the
 * recording (in that of the tape when times are missing). If not, *ret_expected is the one that
 * was, SIZE_MAX for none; and the order goes on behind this one.
 */
bool score_in_sequence(struct score *s, size_t index, size_t *ret_expected);

/* Nothing has moved for too long: units that were not spawned are not waited for any more. */
void score_give_up(struct score *s, uint64_t until_ns);

#endif
