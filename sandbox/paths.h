/* The roots of a policy as they are on this host, from the inside. */
#ifndef SANDTAPE_SANDBOX_PATHS_H
#define SANDTAPE_SANDBOX_PATHS_H

#include "sandbox/policy.h"

struct root {
	char *path; /* without links */
	char *name; /* as the policy has it */
	size_t len;
	unsigned operations;
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
};

/* What the roots at this very path grant. Whether they cut off what is granted around them. */
bool paths_level(const struct sandbox_paths *paths, const char *path, size_t len,
		 unsigned *ret_operations);

/* What is granted at a path that has no links, with all that is granted around it. */
unsigned paths_operations(const struct sandbox_paths *paths, const char *path, size_t len);

/* --- paths_late.c ---------------------------------------------------------------------------- */

/* When all roots are there. */
void paths_mark_late(struct sandbox_paths *paths);

/* The root whose name has been led to this path, or around it, and takes away the operation; with
 * `inside`, also one whose name leads into it. NULL: none. ERR_UNSUPPORTED: where one leads cannot
 * be told. */
int paths_find_late(const struct sandbox_paths *paths, const char *path, unsigned operation,
		    bool inside, const struct root **ret, struct error *err);

#endif
