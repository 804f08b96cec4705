/*
 * Memory that runs out at any call. The test program is linked with --wrap for all that asks for
 * memory (the Makefile's CHAOS_CALLS), and jansson is given our malloc.
 */
#ifndef SANDTAPE_BASE_CHAOS_TEST_H
#define SANDTAPE_BASE_CHAOS_TEST_H

#include "base/error.h"
#include <stdbool.h>

#define CHAOS_CALLS_MAX 20000 /* a scenario makes fewer */

enum chaos_kind {
	CHAOS_ONCE,	/* one call fails */
	CHAOS_FOR_GOOD, /* and all that come after it */
	CHAOS_EVERY	/* every so many calls */
};

/* Once in a process, before anything is armed: jansson asks here, too. */
void chaos_prepare(void);

/* From now on memory runs out: at the call number `call` from 0; CHAOS_EVERY, at each of which
 * there were `call` before that did not fail. */
void chaos_arm(enum chaos_kind kind, long call);
/* Whether it was armed. */
bool chaos_disarm(void);
/* Goes on where it was. */
void chaos_rearm(void);
/* Whether anything failed since it was armed. */
bool chaos_met(void);

/* Whether it succeeded. Anything else than a success or the want of memory ends the test. */
bool chaos_went_well(int rc, const struct error *err, const char *what);

#endif
