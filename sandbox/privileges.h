/*
 * Privileges: capabilities, no_new_privs, and the terminal that could be written to.
 *
 * With no_new_privs, what a process does not have when it executes a program, the program does not
 * get: neither from the bounding set as user 0 nor from the file. So the bounding set is left as it
 * is then; emptying it takes 200 µs.
 */
#ifndef SANDTAPE_SANDBOX_PRIVILEGES_H
#define SANDTAPE_SANDBOX_PRIVILEGES_H

#include "sandbox/layers.h"

struct privileges {
	uint64_t had;	       /* the capabilities that are effective outside */
	uint64_t keep;	       /* the capabilities that stay, as far as the process has them */
	unsigned capabilities; /* how many the kernel knows */
	bool drop;
	bool no_new_privs;
	bool must_bound; /* it is an error when the bounding set cannot be reduced */
	bool new_session;
};

/* Holds nothing that would have to be freed. */
int privileges_prepare(const struct judge *judge, struct privileges *ret);

/* Each in the process itself, and 0 or a negative errno. privileges_apply() is the three in this
 * order. Landlock and filters need no_new_privs, or CAP_SYS_ADMIN: where the policy switches
 * no_new_privs off, they come before privileges_drop(). */
int privileges_leave_terminal(const struct privileges *privileges);
int privileges_drop(const struct privileges *privileges);
int privileges_lock(const struct privileges *privileges);
int privileges_apply(const struct privileges *privileges);

#endif
