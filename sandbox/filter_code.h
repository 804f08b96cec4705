/*
 * Code of filters. It is emitted from its end to its beginning, since jumps only go forward: what
 * is jumped to is there already, and has a position.
 */
#ifndef SANDTAPE_SANDBOX_FILTER_CODE_H
#define SANDTAPE_SANDBOX_FILTER_CODE_H

#include "sandbox/filter.h"

#include <linux/filter.h>
#include <stdbool.h>

#define CODE_RETURNS 64

struct code_return {
	uint32_t action;
	unsigned first;	 /* the position that stands for it */
	unsigned newest; /* of copies that jumps can reach */
};

struct code {
	struct sock_filter *op; /* room for BPF_MAXINSNS, the last one first; owned */
	unsigned len;
	bool full; /* there would be more */
	struct code_return returns[CODE_RETURNS];
	unsigned return_count;
};

/* Room for the longest one; what is not written costs nothing. */
int code_new(struct code *ret, struct error *err);
/* What it has become, as a filter; `what` it is, for an error. Nothing is left of it. */
int code_take(struct code *c, const char *what, struct filter *ret, struct error *err);
/* Each returns a position. */
unsigned code_return(struct code *c, uint32_t action);
/* Goes to `yes` when all tests of the rule hold. */
unsigned code_rule(struct code *c, const struct call_rule *rule, unsigned yes, unsigned no);

/* The numbers of calls from `first` up to the next span go to `at`. */
struct code_span {
	uint32_t first;
	unsigned at;
};

#define CODE_SPANS 512

/* The search for the number of a call: the first of at most CODE_SPANS spans begins with 0, and
 * behind the last one is one more, from KERNEL_CALLS_END on, which ends it. */
unsigned code_search(struct code *c, const struct code_span *spans, size_t count);
/* The beginning: calls of this machine's ABI go on to the search. */
void code_begin(struct code *c, unsigned search, unsigned foreign);
/* Puts it into the order in which it runs. */
void code_finish(struct code *c);

#endif
