/* What recorders that were killed have left, and no tape needs. */
#ifndef SANDTAPE_TAPE_LEFTOVERS_H
#define SANDTAPE_TAPE_LEFTOVERS_H

#include "base/error.h"

/* Between the name of a tape and the random digits of the directory that it is made in. */
#define LEFTOVER_MARK ".tmp."

/* Removes new tapes of the name `dir` that nobody goes on making. Those whose maker lives hold the
 * lock of their journal; only in the moment before it has the lock can a maker lose its directory,
 * and has to begin again. What cannot be removed stays: it is in nobody's way. */
void leftovers_remove_beside(const char *dir);

/* Removes spools and half-written files inside the tape `dir`, whose lock the caller holds. */
int leftovers_remove_inside(const char *dir, struct error *err);

/* Tells the path of each of them that is inside the tape now; changes nothing. */
int leftovers_find_inside(const char *dir, void (*found)(void *ctx, const char *path), void *ctx,
			  struct error *err);
/* Likewise inside and beside it. A directory that cannot be read is an error only inside. */
int leftovers_find(const char *dir, void (*found)(void *ctx, const char *path), void *ctx,
		   struct error *err);

#endif
