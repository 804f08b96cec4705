/* How far two commands are apart, and in what they differ. */
#ifndef SANDTAPE_TAPE_DISTANCE_H
#define SANDTAPE_TAPE_DISTANCE_H

#include "base/buf.h"
#include "tape/unit.h"
#include <stdbool.h>
#include <stddef.h>

/*
 * 0 for the same command. An argument more or less counts DISTANCE_ARG, another one instead of it
 * a fifth of that to all of it by how alike the two are; another program more than all the rest.
 * Of longer commands the first 64 arguments are compared.
 */
#define DISTANCE_ARG	 100u
#define DISTANCE_PROGRAM 1000000u

unsigned command_distance(const struct unit *record, const struct unit *command);

enum change_kind { CHANGE_ARG, CHANGE_CWD, CHANGE_ENV };

/* One difference. What only one of the two has is NULL in the other. All borrowed from the two. */
struct command_change {
	enum change_kind kind;
	size_t recorded_index; /* CHANGE_ARG: in argv of the record; where it would have stood */
	size_t now_index;
	const struct buf *name; /* CHANGE_ENV */
	const struct buf *recorded;
	const struct buf *now;
};

/*
 * The differences: arguments in their order, aligned by the fewest changes; cwd; variables by
 * name. *ret is malloc'ed, NULL when there is none. 0 or ERR_NOMEM. Thread-safe.
 */
int command_changes(const struct unit *record, const struct unit *command,
		    struct command_change **ret, size_t *ret_count);

#endif
