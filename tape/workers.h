/* Work that falls into many independent jobs, done by as many threads as there are processors. */
#ifndef SANDTAPE_TAPE_WORKERS_H
#define SANDTAPE_TAPE_WORKERS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Calls `job` once for each index below `count`, on this thread and on others, and returns when all
 * are done. `is_caller`: the job runs on the thread that called. Jobs must not touch what others
 * write. Where no thread can be started, this one does all.
 */
void workers_run(size_t count, void (*job)(void *ctx, size_t index, bool is_caller), void *ctx);

#endif
