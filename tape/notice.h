/*
 * Whether a process has taken notice of the end of its child. In a recording the next end is told
 * no sooner: who finds two of its children dead at once cannot tell which one died first, but a
 * replay gives the two ends in the order of the tape. Private to the recorder.
 */
#ifndef SANDTAPE_TAPE_NOTICE_H
#define SANDTAPE_TAPE_NOTICE_H

#include "tape/intercept/intercept.h"

struct notice {
	pid_t parent;
	pid_t of; /* whose end it was told last, or 0: there is nothing to take notice of */
	uint64_t told_ns;
	uint64_t computed_ns;  /* by the parent, when it was told */
	uint64_t reaped_ns;    /* likewise, when it was seen to have reaped; 0: it was not */
	uint64_t rests_ns;     /* since when the parent looks idle, or 0 */
	uint64_t next_look_ns; /* it is not looked before */
	uint64_t asked_ns;     /* when it was asked whether */
	bool reaps_any;	       /* it reaps whichever child ends first */
	unsigned in_vain;      /* how often in a row it was waited for too long */
};

/* Of more parents, the one that was told something the longest time ago is forgotten. */
#define NOTICES_MAX 16

struct notices {
	struct notice of[NOTICES_MAX];
};

/* The parent is about to be told the end of this process. */
void notice_begin(struct notices *notices, pid_t parent, pid_t of, uint64_t now_ns);

/* Whether the parent has taken notice of what it was told last, or means to take none. */
bool notice_is_taken(struct notices *notices, pid_t parent, struct interceptor *interceptor,
		     uint64_t now_ns);

#endif
