/*
 * Everything but what a policy lets be written, as read-only mounts: for kernels whose Landlock
 * cannot refuse truncate.
 */
#ifndef SANDTAPE_SANDBOX_READONLY_H
#define SANDTAPE_SANDBOX_READONLY_H

#include "sandbox/mounts.h"

/* Sets read_only and what stays writable, where mounts can keep the policy. `paths` is referred to
 * as long as the holes are used. */
int readonly_find(const struct judge *judge, const struct sandbox_paths *paths,
		  struct holes *holes);

/* In the child, before the holes are made. 0 or -errno with run->stage. */
int readonly_apply(const struct holes *holes, struct mounts_run *run);

#endif
