/* What the benchmarks share. */
#ifndef SANDTAPE_TOOLS_BENCH_H
#define SANDTAPE_TOOLS_BENCH_H

#include "base/monotonic.h"
#include <stdlib.h>

static inline int bench_compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Of `count` figures, which it sorts. */
static inline uint64_t bench_median(uint64_t *figure, size_t count)
{
	qsort(figure, count, sizeof(*figure), bench_compare);
	return figure[count / 2];
}

#endif
