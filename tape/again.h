/* How to record a tape again. */
#ifndef SANDTAPE_TAPE_AGAIN_H
#define SANDTAPE_TAPE_AGAIN_H

#include "base/buf.h"
#include "tape/head.h"
#include "tape/tape.h"

/* Appends "sandtape record -t TAPE … -- PROGRAM …", ready for a shell. `head` may be NULL.
 * 0 or ERR_NOMEM. */
int again_add_command(struct buf *out, const struct tape_options *options,
		      const struct tape_head *head);

/* Opens the tape of a session that needs one: as tape_reader_open(), and where there is none, the
 * error names the command line that records it. */
int again_open(const struct tape_options *options, struct tape_reader **ret, struct error *err);

#endif
