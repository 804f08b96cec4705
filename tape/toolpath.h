/*
 * Programs that are on the tape but not on this host: a subject that looks for them in PATH (a
 * shell does, before it spawns) must find something. A private directory at the end of PATH holds
 * a link with the name of each; it exists only where one is missing, so that PATH stays as it is
 * on a host that has them all.
 */
#ifndef SANDTAPE_TAPE_TOOLPATH_H
#define SANDTAPE_TAPE_TOOLPATH_H

#include "base/error.h"
#include "tape/reader.h"

struct toolpath;

/* Looks through the tape; *ret is NULL when nothing is missing. */
int toolpath_new(const struct tape_reader *reader, const char *stub, struct toolpath **ret,
		 struct error *err);
/* The directory, or NULL. */
const char *toolpath_dir(const struct toolpath *t);
/* Removes the directory. NULL is allowed. */
void toolpath_free(struct toolpath *t);

#endif
