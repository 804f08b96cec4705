/*
 * Limits that the kernel keeps for each process (setrlimit), and for each user.
 *
 * They only ever become lower: where the caller's own hard limit is below what the policy says, the
 * caller's stays.
 */
#ifndef SANDTAPE_SANDBOX_RLIMITS_H
#define SANDTAPE_SANDBOX_RLIMITS_H

#include "sandbox/layers.h"

#include <sys/resource.h>

#define RLIMITS_MAX 8

/* What is not known before the other layers are. */
struct rlimits_needs {
	bool memory;		 /* no cgroup keeps the limit of memory */
	bool processes;		 /* nor that of processes */
	bool own_user_namespace; /* the process will be in a new one: only its own count there */
};

struct rlimits {
	struct {
		int resource;
		struct rlimit limit;
	} item[RLIMITS_MAX];
	size_t count;
};

/* Holds nothing that would have to be freed. */
int rlimits_prepare(const struct judge *judge, const struct rlimits_needs *needs,
		    struct rlimits *ret);

/* In the process, and in its user namespace: 0 or a negative errno. */
int rlimits_apply(const struct rlimits *rlimits);

/* How many threads the user has on this host, as /proc shows it. */
int rlimits_count_threads(unsigned user, uint64_t *ret, struct error *err);

#endif
