/* Mounts in a namespace of the child's own. */
#ifndef SANDTAPE_SANDBOX_MOUNTS_H
#define SANDTAPE_SANDBOX_MOUNTS_H

#include "sandbox/holes.h"

#define MOUNTS_TMPS 3 /* /tmp, /dev/shm and /dev/pts */

/* What one child works with: made before it by mounts_run_new(), written in it. */
struct mounts_run {
	int *kept;	      /* trees that are taken along, one for each of a hole's keeps */
	int tmp[MOUNTS_TMPS]; /* O_PATH, of the child: the private directories */
	size_t tmps;
	int proc;	   /* O_PATH, of the child: a /proc of its own; -1 */
	const char *stage; /* where it failed */
	bool refused;	   /* by the host, before anything was made */
};

int mounts_run_new(const struct holes *holes, struct mounts_run *ret, struct error *err);
void mounts_run_free(struct mounts_run *run);

/* In the child, in a mount namespace of its own, where nothing is shared any more. `tmp_bytes` is
 * the size of all private directories together. 0 or -errno with run->stage. Linux 5.12
 * (mount_setattr). */
int mounts_apply(const struct holes *holes, uint64_t tmp_bytes, struct mounts_run *run);

#endif
