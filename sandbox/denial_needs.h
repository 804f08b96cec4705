/* What a call does with paths: which operations it takes, and where. */
#ifndef SANDTAPE_SANDBOX_DENIAL_NEEDS_H
#define SANDTAPE_SANDBOX_DENIAL_NEEDS_H

#include "sandbox/denial_parts.h"

/* "/a/b", or the "/a" of it. */
struct place {
	const char *path; /* not NUL-terminated */
	size_t len;
};

struct need {
	unsigned operation; /* of a policy */
	uint64_t right;	    /* Landlock's for it; 0: it has none */
	struct place at;    /* where it is needed */
	struct place root;  /* what is to be granted, that it is there */
};

#define NEEDS_MAX 6

struct needs {
	struct need item[NEEDS_MAX];
	size_t count;
};

void needs_find(const struct explained *e, struct needs *ret);
/* RENAME_*, of a call that has them. */
unsigned needs_rename_flags(const struct explained *e);

/* denial_files.c: what Landlock's rules grant there; what would allow the need becomes part of the
 * way out. False: nothing can be. */
uint64_t files_granted(const struct explained *e, struct place at);
bool files_allow(struct explained *e, const struct need *need);
/* denial_moves.c: of EXDEV; of what nothing else denies. 1 or ERR_*; 0: it is no denial. */
int explain_move(struct explained *e);
int explain_whiteout(struct explained *e);

struct place place_of(const char *path);
/* "/" is its own parent. */
struct place place_parent(struct place place);
bool place_is_in(struct place place, const char *dir);

#endif
