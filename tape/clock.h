/*
 * The clock that a tape goes by: the real one, or a mock that stands still until it is moved. A
 * program that takes its own time from the same clock sees a replay take as long as the recording
 * took, in no time.
 *
 * Monotonic times are nanoseconds since a clock's beginning (a mock begins at 0), wall times
 * nanoseconds since 1970-01-01 00:00 UTC without leap seconds. Monotonic time never goes backwards,
 * whatever is set. All functions are thread-safe, but for tape_clock_free(). clock_gettime(2),
 * CLOCK_MONOTONIC and CLOCK_REALTIME.
 */
#ifndef SANDTAPE_TAPE_CLOCK_H
#define SANDTAPE_TAPE_CLOCK_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef TAPE_API
#define TAPE_API __attribute__((visibility("default")))
#endif

struct tape_clock;

/* Each makes a clock, which the caller frees. ERR_NOMEM. */
TAPE_API int tape_clock_real_new(struct tape_clock **ret, struct error *err);
/* Stands still at monotonic 0 and this wall time. */
TAPE_API int tape_clock_mock_new(uint64_t wall_ns, struct tape_clock **ret, struct error *err);
/* NULL is allowed. Nothing may use the clock any more: no tape, no thread. */
TAPE_API void tape_clock_free(struct tape_clock *c);

TAPE_API bool tape_clock_is_mock(const struct tape_clock *c);
/* Monotonic, and wall time. */
TAPE_API uint64_t tape_clock_now(struct tape_clock *c);
TAPE_API uint64_t tape_clock_wall(struct tape_clock *c);

/*
 * Sets the wall time, backwards too, as a user may; monotonic time goes on undisturbed.
 * ERR_UNSUPPORTED for the real clock.
 */
TAPE_API int tape_clock_set_wall(struct tape_clock *c, uint64_t wall_ns, struct error *err);
/* Moves both times of a mock forward. ERR_UNSUPPORTED for the real clock; ERR_LIMIT when a time
 * would pass 2^64 - 1 ns (the year 2554); nothing is moved then. */
TAPE_API int tape_clock_advance(struct tape_clock *c, uint64_t by_ns, struct error *err);
/* Moves a mock to this monotonic time, when that is in its future: what happened at the same time
 * overlaps. Errors as above. */
TAPE_API int tape_clock_advance_to(struct tape_clock *c, uint64_t now_ns, struct error *err);
/* The real clock: sleeps, also through signals. A mock: advances, and returns at once. */
TAPE_API int tape_clock_sleep(struct tape_clock *c, uint64_t for_ns, struct error *err);

#ifdef __cplusplus
}
#endif

#endif
