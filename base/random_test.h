#ifndef SANDTAPE_BASE_RANDOM_TEST_H
#define SANDTAPE_BASE_RANDOM_TEST_H

#include <stddef.h>
#include <stdint.h>

/* A small random number generator with a fixed seed: failures must repeat. */
struct random {
	uint64_t state;
};
uint64_t random_next(struct random *r);
size_t random_below(struct random *r, size_t limit);

#endif
