#include "base/random_test.h"

uint64_t random_next(struct random *r)
{
	r->state ^= r->state << 13;
	r->state ^= r->state >> 7;
	r->state ^= r->state << 17;
	return r->state;
}

size_t random_below(struct random *r, size_t limit)
{
	return (size_t)(random_next(r) >> 16) % limit;
}
