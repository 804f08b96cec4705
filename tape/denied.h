/* What a unit was kept from by what restricted it (FORMAT.md, "exit"). */
#ifndef SANDTAPE_TAPE_DENIED_H
#define SANDTAPE_TAPE_DENIED_H

#include "tape/roots.h"
#include "tape/unit.h"

/* So many different ones are kept of a unit; of the others there is a number. */
#define DENIED_KEPT 256

/* Counts it, or keeps it at its place, which does not depend on what came first. The texts are
 * encoded. 0 or ERR_NOMEM. */
int denied_add(struct unit *u, const struct denied *denied, const struct roots *roots);
/* Likewise, after the unit's first process has ended. Nothing is counted then. */
int denied_add_late(struct unit *u, const struct denied *denied, const struct roots *roots);
/* All of them go from one unit, which has not begun, to another that has none. */
void denied_move(struct unit *from, struct unit *to);
/* Whether both units were denied the same, until their ends, and after them. */
bool denied_are_same(const struct unit *a, const struct unit *b);
bool denied_are_same_late(const struct unit *a, const struct unit *b);

/* As they are read from a tape: behind the others. NULL, ERR_NOMEM: out of memory. */
typedef struct unit_denial *denied_append_fn(struct unit *u);
denied_append_fn denied_append;
denied_append_fn denied_append_late;
int denied_append_time(struct unit_time *t, const struct unit_denial_time *time);

void denied_clear(struct unit *u);
void denied_clear_times(struct unit_time *t);

#endif
