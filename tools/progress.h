/*
 * How far something is that takes long: a line on stderr when that is a terminal, after the first
 * second, and gone again when it is over.
 */
#ifndef SANDTAPE_TOOLS_PROGRESS_H
#define SANDTAPE_TOOLS_PROGRESS_H

#include "tape/tape.h"
#include <stdint.h>

struct progress {
	const char *what; /* "checking x.tape"; borrowed */
	bool wanted;
	bool shown;
	uint64_t next_ns; /* CLOCK_MONOTONIC */
};

/* What to give to the library; `p` must outlive it. */
struct tape_progress progress_begin(struct progress *p, const char *what);
/* Before anything else is printed; it comes again. */
void progress_hide(struct progress *p);

#endif
