/* The roots of a policy as they are on this host, from the inside. */
#ifndef SANDTAPE_SANDBOX_PATHS_H
#define SANDTAPE_SANDBOX_PATHS_H

#include "base/arena.h"
#include "sandbox/policy.h"
#include "sandbox/resolve.h"

#define PATHS_NONE SIZE_MAX

struct root {
	const char *path; /* without links; in `texts`, as the name */
	const char *name; /* as the policy has it */
	size_t len;	  /* of the path */
	unsigned operations;
	unsigned granted; /* with what is granted around it, as far as nothing cuts that off */
	unsigned whole;	  /* with what all roots around it grant, whatever is cut off */
	size_t above;	  /* the last one before it with whose path this one's begins, letter by
			     letter; PATHS_NONE */
	struct look look; /* at the path, when the paths were made */
	bool denies;
	bool read_only;
	bool cuts; /* what is granted around it is not granted in it; so it is of the other two */
	bool late; /* programs can lead its name elsewhere */
};

/* Sorted by their paths. */
struct sandbox_paths {
	struct root *item;
	size_t count;
	size_t late; /* how many are */
	bool old;    /* the looks are of another time than what asks for them */
	struct arena texts;
};

/* What the roots at this very path grant. Whether they cut off what is granted around them. */
bool paths_level(const struct sandbox_paths *paths, const char *path, size_t len,
		 unsigned *ret_operations);

/* What is granted at a path that has no links, with all that is granted around it. */
unsigned paths_operations(const struct sandbox_paths *paths, const char *path, size_t len);

/* What roots at and around the path grant, whatever is cut off. */
unsigned paths_whole(const struct sandbox_paths *paths, const char *path, size_t len);

/* The first root that is not before this path. */
size_t paths_find(const struct sandbox_paths *paths, const char *path, size_t len);

/* What is at the root's path: asked again only when that is long ago. */
bool paths_look(const struct sandbox_paths *paths, const struct root *root, struct look *ret);

/* --- paths_roots.c --------------------------------------------------------------------------- */

/* When all roots are there: their order, and what follows from it. */
void paths_sort(struct sandbox_paths *paths);

/* --- paths_late.c ---------------------------------------------------------------------------- */

/* When they are sorted. */
void paths_mark_late(struct sandbox_paths *paths);

/* The root whose name has been led to this path, or around it, and takes away the operation; with
 * `inside`, also one whose name leads into it. NULL: none. ERR_UNSUPPORTED: where one leads cannot
 * be told. */
int paths_find_late(const struct sandbox_paths *paths, const char *path, unsigned operation,
		    bool inside, const struct root **ret, struct error *err);

#endif
