/*
 * Control groups: limits for all processes of a sandbox together, and a way to kill them all.
 *
 * A group of its own is made for each start, in the parent. With cgroup v2 the child is born in it
 * (CLONE_INTO_CGROUP). With v1 it moves itself there, which can take milliseconds: so v1 is used
 * only when one of the limits differs from its default.
 */
#ifndef SANDTAPE_SANDBOX_CGROUP_H
#define SANDTAPE_SANDBOX_CGROUP_H

#include "sandbox/layers.h"

/* Where groups can be made, and their limits. Read by any number of threads. */
struct cgroup;

/*
 * Looks for a place where groups can be made. With `tree` a group is wanted to kill the tree, even
 * when it keeps no limit. No place is no error: other layers stand in, and cgroup_keeps() says for
 * what. *ret is NULL when no groups are to be made. Freed with cgroup_free().
 */
int cgroup_prepare(const struct judge *judge, bool tree, struct cgroup **ret);
void cgroup_free(struct cgroup *cgroup); /* may be NULL, as in the next two */

/* Whether it keeps this limit: SANDBOX_LIMIT_MEMORY_MB, SANDBOX_LIMIT_PROCESSES. */
bool cgroup_keeps(const struct cgroup *cgroup, enum sandbox_limit limit);
/* Whether cgroup_kill() will reach all the processes. */
bool cgroup_kills(const struct cgroup *cgroup);

enum cgroup_place { CGROUP_V2, CGROUP_V1_MEMORY, CGROUP_V1_PIDS, CGROUP_PLACES };

#define CGROUP_NAME_SIZE 64

/* The groups of one start. Descriptors are -1 where there is no group. A child that is zeroed and
 * whose `used` is false has none at all, which all calls accept. */
struct cgroup_child {
	bool used;
	const struct cgroup *cgroup;
	char name[CGROUP_NAME_SIZE];
	int dir[CGROUP_PLACES];	  /* dir[CGROUP_V2] is for clone3 */
	int procs[CGROUP_PLACES]; /* cgroup.procs, of those that are entered by writing */
};

/* Makes the groups and sets their limits. `cgroup` must live until the child is closed. */
int cgroup_open(const struct cgroup *cgroup, struct cgroup_child *ret, struct error *err);

/* The descriptor for CLONE_INTO_CGROUP; -1: none. */
int cgroup_clone_fd(const struct cgroup_child *child);

/* In the process: it enters those groups in which it was not born. 0 or a negative errno. */
int cgroup_enter(const struct cgroup_child *child, bool born_inside);

/* Kills all that is in the groups. Nothing can be started in them afterwards: Linux 6.18 kills at
 * its birth what is cloned into a group that was killed. ERR_SYSTEM; ERR_BUSY when something does
 * not die. */
int cgroup_kill(const struct cgroup_child *child, struct error *err);

/* How many processes the kernel has killed for want of memory. */
int cgroup_oom_kills(const struct cgroup_child *child, uint64_t *ret, struct error *err);

/* Removes the groups, all processes of which have been killed or waited for. Waits for those that
 * are dying, a second at most: then ERR_BUSY, naming the group that is left. */
int cgroup_close(struct cgroup_child *child, struct error *err);

#endif
