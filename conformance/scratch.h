/* The directory that a suite works in, with the program of the probe. */
#ifndef SANDTAPE_CONFORMANCE_SCRATCH_H
#define SANDTAPE_CONFORMANCE_SCRATCH_H

#include "conformance/conformance.h"

#define SCRATCH_PATH_SIZE 400

struct scratch {
	char dir[SCRATCH_PATH_SIZE];
	int lock; /* of it, see tmpdir_make() */
	char home[SCRATCH_PATH_SIZE + 16];
	bool hidden; /* where a sandbox has a directory of its own by default: /tmp, /dev/shm */
};

/* Says what cannot be done, and where. On failure there may be something to be cleared. */
int scratch_make(struct scratch *scratch, const struct conf_options *options, struct error *err);
/* A copy of the probe that belongs to the calling user, who makes hard links to it. */
int scratch_copy_probe(const struct scratch *scratch, const char *probe, const char *name,
		       char ret_path[SCRATCH_PATH_SIZE + 32], struct error *err);
/* As root also a copy that is of another user and group, and has their rights: beside the first
 * one, under its name with SCRATCH_HELPER behind it. */
#define SCRATCH_HELPER	 "-helper"
#define SCRATCH_OTHER_ID 65534
int scratch_copy_helper(const struct scratch *scratch, const char *probe, const char *name,
			struct error *err);
void scratch_clear(struct scratch *scratch);

#endif
