/*
 * Whether a process has taken notice of the end of its child. In a recording the next end is told
 * no sooner: who finds two of its children dead at once cannot tell which one died first, but a
 * replay gives the two ends in the order of the tape. Private to the recorder.
 */
#ifndef SANDTAPE_TAPE_NOTICE_H
#define SANDTAPE_TAPE_NOTICE_H

#include "tape/intercept/intercept.h"

struct notice {
	pid_t of; /* whose end was told last, or 0: there is nothing to take notice of */
	pid_t parent;
	uint64_t told_ns;
	uint64_t computed_ns;  /* by the parent, when it was told */
	uint64_t rests_ns;     /* since when the parent looks idle, or 0 */
	uint64_t next_look_ns; /* it is not looked before */
	unsigned in_vain;      /* how often in a row it was waited for too long */
};

/* The end of this process is about to be told. */
void notice_begin(struct notice *n, pid_t of, uint64_t now_ns);

/* Whether its parent has taken notice, or means to take none. */
bool notice_is_taken(struct notice *n, struct interceptor *interceptor, uint64_t now_ns);

#endif
