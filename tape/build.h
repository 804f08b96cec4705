/*
 * A tape that is made in one go, not recorded: it appears whole under its name, or takes the place
 * of the tape that is there. What a kill leaves is what a killed recorder leaves.
 */
#ifndef SANDTAPE_TAPE_BUILD_H
#define SANDTAPE_TAPE_BUILD_H

#include "tape/counts.h"
#include "tape/head.h"
#include "tape/journal.h"
#include "tape/output.h"
#include "tape/unit.h"

struct build {
	char *path; /* of the tape */
	char *dir;  /* where it is made: a directory beside it, or itself; for spool_new() */
	bool fresh; /* the former */
	struct journal journal;
	struct output tape;
	struct output timing;
	struct counts counts;
	struct buf line; /* kept for its memory */
};

/*
 * ERR_EXISTS when there is something of this name, without `replace`. With it, what is there must
 * be a tape (ERR_FORMAT), of a version that is known (ERR_VERSION), which nobody records
 * (ERR_BUSY); it stays as it is until build_finish(). ERR_NOTFOUND when the directory that shall
 * hold it is not there.
 */
int build_open(const char *path, bool replace, struct build *ret, struct error *err);

/* The head first, and then the units in the order of the tape. */
int build_head(struct build *b, const struct tape_head *head, struct error *err);
/* A unit's lines follow its spawn. Their ordinals are made here; *ret_id is what the unit got. */
int build_spawn(struct build *b, uint64_t key, struct bytes fields, struct unit_id *ret_id,
		struct error *err);
int build_line(struct build *b, enum line_type type, struct unit_id id, struct bytes fields,
	       struct error *err);
/* Times go into a file of their own; `u` has the id of build_spawn(). Not known: nothing. */
int build_time(struct build *b, const struct unit *u, struct error *err);
/* Puts all lines that codec_write_*() made of one unit; the key must be its own. Sets u->id. */
int build_unit(struct build *b, struct unit *u, struct error *err);

/* Copies a blob, whole and itself, from the tape `from`. */
int build_blob(struct build *b, const char *from, const char *name, uint64_t size,
	       struct error *err);

int build_finish(struct build *b, struct error *err);
/* Without a finish before it, nothing has changed. */
void build_close(struct build *b);

#endif
