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

struct place place_of(const char *path);
/* "/" is its own parent. */
struct place place_parent(struct place place);
bool place_is_in(struct place place, const char *dir);

#endif
