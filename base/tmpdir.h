/*
 * A directory that lasts as long as its maker. The maker holds a lock on it (flock(2)), so that the
 * next one can tell what was left by a kill from what is in use.
 */
#ifndef SANDTAPE_BASE_TMPDIR_H
#define SANDTAPE_BASE_TMPDIR_H

#include "base/error.h"

/* A new directory in `parent`, mode 0700: `prefix` and six characters. The caller frees the path,
 * and removes the directory before it closes the descriptor, with which the lock goes: those of
 * forked children count, too. */
int tmpdir_make(const char *parent, const char *prefix, char **ret_path, int *ret_fd,
		struct error *err);

/* Removes some of those that nobody has a lock on any more: the user's own, and no links. What
 * cannot be removed is nothing but clutter. */
void tmpdir_sweep(const char *parent, const char *prefix);

#endif
