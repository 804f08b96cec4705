/* The report of a replay: one JSON document (sandtape(1), "Reports"). */
#ifndef SANDTAPE_TAPE_REPORT_H
#define SANDTAPE_TAPE_REPORT_H

#include "base/error.h"
#include "tape/divergence.h"
#include "tape/tape.h"

struct report;

/*
 * `path` is replaced in one step by report_finish(); what is there and is no regular file is
 * opened now and written to. ERR_SYSTEM when it could not be written. `path` is borrowed.
 */
int report_new(const char *path, struct report **ret, struct error *err);
void report_free(struct report *r); /* NULL is allowed */

/* Takes what it needs. Of more than REPORT_MAX only the number is told. */
#define REPORT_MAX 1000
int report_add(struct report *r, const struct divergence *d, struct error *err);

/* Writes it. */
int report_finish(struct report *r, const struct tape_options *options,
		  const struct matcher *matcher, const struct tape_replay_result *result,
		  struct error *err);

#endif
