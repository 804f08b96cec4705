/*
 * The layer of system calls: a filter that the kernel runs at each call (seccomp), generated from
 * what a policy says about groups of calls, the network and unix sockets.
 *
 * A call that newer kernels have than the table knows fails with ENOSYS, as on the kernels that the
 * table was made for.
 */
#ifndef SANDTAPE_SANDBOX_FILTER_H
#define SANDTAPE_SANDBOX_FILTER_H

#include "sandbox/calls.h"
#include "sandbox/layers.h"
#include <linux/filter.h>

struct filter {
	struct sock_filter *code; /* malloc'ed; NULL when there is nothing to be filtered */
	unsigned short len;
};

/* What the policy promises and nothing else keeps in this place: then the filter refuses more. */
struct filter_needs {
	bool no_ip;   /* IP, though net.mode is loopback: there is no network namespace */
	bool no_unix; /* unix sockets but for pairs, though those inside are allowed: those outside
			 could be connected to */
};

/* Judges SANDBOX_MECH_SECCOMP, and what is needed of it. ERR_UNSUPPORTED, ERR_NOMEM, ERR_LIMIT. */
int filter_prepare(const struct judge *judge, const struct filter_needs *needs, struct filter *ret);
void filter_free(struct filter *f);

/* The policy that the filter is made of. It refers to the other one. */
struct sandbox_policy filter_policy(const struct sandbox_policy *policy,
				    const struct filter_needs *needs);

/* The rule by which a filter of that policy refuses a call of this machine's own ABI, whatever
 * refusing means; NULL: there is none. */
const struct call_rule *filter_find(const struct sandbox_policy *policy, int number,
				    const uint64_t args[6]);

/* For the calling thread and what it starts; needs no_new_privs. 0 or a negative errno.
 * Async-signal-safe, leaves errno alone. */
int filter_apply(const struct filter *f);

#endif
