/*
 * Holes: the places where a mount namespace shows something else than the host has.
 *
 * Landlock adds up what all roots around a file grant, so it cannot take away inside what it has
 * granted. Where the policy takes away (deny, read_only), a mount does: it hides what is there, or
 * shows it read-only. A private /tmp is a hole, too. What is granted inside a hole is kept: it is
 * mounted back at its place; with less than all rights when it is to have less, since Landlock
 * grants a private directory with all that is mounted in it.
 */
#ifndef SANDTAPE_SANDBOX_HOLES_H
#define SANDTAPE_SANDBOX_HOLES_H

#include "sandbox/layers.h"
#include "sandbox/paths.h"

#include <sys/types.h>

enum hole_kind {
	HOLE_PIN,     /* none: a directory that is mounted on itself, so that it stays in place */
	HOLE_TMP,     /* an empty directory that can be written */
	HOLE_PTS,     /* a /dev/pts of its own, without the terminals of the host */
	HOLE_EMPTY,   /* one that cannot, with the ways to what is kept in it */
	HOLE_DIR,     /* a directory that cannot be opened */
	HOLE_FILE,    /* a file that cannot be opened */
	HOLE_LESSENED /* what is there, but `no_write` or `no_exec` */
};

/* A root inside a hole, which stays to be seen. */
struct hole_keep {
	const char *path; /* of `paths` */
	bool is_dir;
};

struct hole {
	const char *path; /* of `paths` or the policy, or a constant, or `own` */
	char *own;
	enum hole_kind kind;
	bool no_write;
	bool no_exec;
	bool whole;	     /* nothing is kept in it */
	size_t first, keeps; /* of holes.keep */
	mode_t type;	     /* S_IFDIR ... when it was found; 0 where that is no matter */
	dev_t dev;	     /* of a directory, with `ino`; 0 where it may change */
	ino_t ino;
};

/* First the pins, from the outermost inwards. Then from the innermost outwards: what a hole keeps
 * is mounted back with the holes in it. */
struct holes {
	struct hole *item;
	size_t count;
	struct hole_keep *keep;
	size_t keeps;
	bool read_only; /* all mounts are, before: but for */
	const char **writable;
	size_t writables;
};

/* `paths` and the judge's policy are referred to as long as the holes are used. With `made` the
 * judge is told of what a mount cannot take away. */
int holes_find(const struct judge *judge, const struct sandbox_paths *paths, bool made,
	       struct holes *ret);
/* Whether terminals are granted that are to be those of the sandbox only. */
bool holes_want_terminals(const struct judge *judge, const struct sandbox_paths *paths);
void holes_free(struct holes *holes);

#endif
