/*
 * The layer of system calls: a filter that the kernel runs at each call (seccomp), generated from
 * what a policy says about groups of calls, the network and unix sockets.
 *
 * A call that newer kernels have than the table knows fails with ENOSYS, as on the kernels that the
 * table was made for.
 */
#ifndef SANDTAPE_SANDBOX_FILTER_H
#define SANDTAPE_SANDBOX_FILTER_H

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

/* For the calling thread and what it starts; needs no_new_privs. 0 or a negative errno.
 * Async-signal-safe, leaves errno alone. */
int filter_apply(const struct filter *f);

#endif
