#ifndef SANDTAPE_BASE_MONOTONIC_H
#define SANDTAPE_BASE_MONOTONIC_H

#include <stdint.h>

/* CLOCK_MONOTONIC. Async-signal-safe. */
uint64_t monotonic_ns(void);

#endif
