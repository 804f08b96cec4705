/* Control groups from the inside: what the search for places and the groups of a start share. */
#ifndef SANDTAPE_SANDBOX_CGROUP_PARTS_H
#define SANDTAPE_SANDBOX_CGROUP_PARTS_H

#include "sandbox/cgroup.h"

#define CGROUP_PREFIX "sandtape-"

struct cgroup {
	struct cgroup_base {
		int fd;	    /* the directory in which groups are made; -1: none */
		char *path; /* for messages */
	} base[CGROUP_PLACES];
	/* By which place each limit is kept; CGROUP_PLACES: by none. */
	enum cgroup_place memory_by, processes_by;
	uint64_t memory_bytes, processes;
};

/* Reads what a file of a group begins with, as a string; -errno. */
int cgroup_read(int dir, const char *file, char *ret, size_t size);
/* 0 or -errno. */
int cgroup_write(int dir, const char *file, const char *text);

/* Kills what the group lists until it lists nothing: for v1, and for v2 before Linux 5.14, which
 * can `freeze` it first. 0, or -errno; -EBUSY: something does not die. */
int cgroup_kill_listed(int dir, bool freeze);

#endif
