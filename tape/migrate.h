/* Bringing the tape of an older version of the format to the present one, step by step. */
#ifndef SANDTAPE_TAPE_MIGRATE_H
#define SANDTAPE_TAPE_MIGRATE_H

#include "base/error.h"
#include "tape/tape.h"
#include <stddef.h>

/*
 * From one version to the next. `run` rewrites the files of the tape `dir` and may count on the
 * recorder's lock. It must leave a whole tape, of either version, at any moment.
 */
struct migrate_step {
	int from;
	int (*run)(const char *dir, struct error *err);
};

/* tape_migrate() with other steps than those there are, for its tests. */
int migrate_by(const char *path, const struct migrate_step *steps, size_t count, int newest,
	       struct tape_migrate_result *ret, struct error *err);

#endif
