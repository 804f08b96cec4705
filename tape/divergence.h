/*
 * What did not agree with a tape: as lines for a person, and the same as JSON (report of a replay,
 * sandtape(1)). Golden tests hold the texts.
 */
#ifndef SANDTAPE_TAPE_DIVERGENCE_H
#define SANDTAPE_TAPE_DIVERGENCE_H

#include "base/buf.h"
#include "base/error.h"
#include "tape/matcher.h"
#include "tape/roots.h"
#include "tape/unit.h"
#include <jansson.h>

enum divergence_kind {
	DIVERGENCE_NO_RECORD = 0, /* the tape has no such command */
	DIVERGENCE_USED,	  /* it has, but was asked for it more often than it was recorded */
	DIVERGENCE_INPUT,	  /* the command read another stdin, or input above 2 */
	DIVERGENCE_ORDER,	  /* it came before one that was recorded before it */
	DIVERGENCE_UNFINISHED	  /* the recording ended before the command did */
};

struct divergence {
	enum divergence_kind kind;
	char record[UNIT_ID_SIZE]; /* the id of the record that is told first, or "" */
	struct buf text;	   /* without a last newline */
	json_t *json;		   /* an object */
};

/* Zeroes it, too. */
void divergence_clear(struct divergence *d);

#define NO_UNIT SIZE_MAX

/* Where a session stands. Borrowed. */
struct divergence_from {
	const struct matcher *matcher;
	const struct roots *roots; /* for stdin; as for tape_reader_payload() */
	size_t last;		   /* the last record that answered, or NO_UNIT */
};

/* Nothing unused answers the command. 0 or an error (then *ret is empty). */
int divergence_of_command(const struct divergence_from *from, const struct unit *command,
			  struct divergence *ret, struct error *err);

/* What a command read there: `skipped` bytes that agreed with the record, then these. */
struct input_read {
	int fd; /* 0, or above 2 */
	uint64_t skipped;
	struct bytes data;
};

/* `record`: the one that it disagreed with, or NO_UNIT: with all that have the command. */
int divergence_of_input(const struct divergence_from *from, const struct unit *command,
			size_t record, const struct input_read *read, struct divergence *ret,
			struct error *err);

/* The command came where the record `expected` was to come (NO_UNIT: nothing was). */
int divergence_of_order(const struct divergence_from *from, const struct unit *command,
			size_t expected, struct divergence *ret, struct error *err);

/* Of the command there is only this record, which does not say how it ended. */
int divergence_of_unfinished(const struct divergence_from *from, const struct unit *command,
			     size_t record, struct divergence *ret, struct error *err);

#endif
