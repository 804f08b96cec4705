/* Descriptors: those that a policy does not name are closed when a program is executed. */
#ifndef SANDTAPE_SANDBOX_FDS_H
#define SANDTAPE_SANDBOX_FDS_H

#include "sandbox/layers.h"

struct fds {
	unsigned *kept; /* in ascending order, all above 2 */
	size_t count;
	bool off;
};

/* Freed with fds_free(). */
int fds_prepare(const struct judge *judge, struct fds *ret);
void fds_free(struct fds *fds);

/* In the parent, before a start: ERR_INVALID names a kept descriptor that is not open. */
int fds_check(const struct fds *fds, struct error *err);

/* In the process, whose table of descriptors must be its own: 0 or a negative errno. Those that
 * are not kept become close-on-exec, kept ones lose that. */
int fds_apply(const struct fds *fds);

/* The same for a kernel before 5.11, from the list in /proc/self/fd. */
int fds_apply_listed(const struct fds *fds);

#endif
