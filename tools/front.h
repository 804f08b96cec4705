/*
 * A command as two processes: the *front* is the one that was started, and ends with the status of
 * the command; the *worker* is its child and does the work. So the work may go on when the command
 * is over for whoever waits for it.
 */
#ifndef SANDTAPE_TOOLS_FRONT_H
#define SANDTAPE_TOOLS_FRONT_H

#include "base/error.h"
#include <stdbool.h>

struct front {
	int report; /* the worker's end; owned */
};

/*
 * *ret_is_worker: go on, and end with front_end(). Else the command is over, and *ret_status is its
 * exit status. While it waits, the front passes on the signals that it gets, but for those of a
 * terminal. When it is killed the worker is killed, too, until front_leave().
 */
int front_split(struct front *ret, bool *ret_is_worker, int *ret_status, struct error *err);

/* In the worker: the front ends with `status`, and the worker is about to end, too. */
void front_end(struct front *f, int status);

/* In the worker: the front ends with `status`, and the worker lives on without a terminal, a
 * working directory, or any stream that it was given. */
void front_leave(struct front *f, int status);

#endif
