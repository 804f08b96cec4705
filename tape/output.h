/* The files of a tape as they are written: under another name, and renamed when they are complete.
 */
#ifndef SANDTAPE_TAPE_OUTPUT_H
#define SANDTAPE_TAPE_OUTPUT_H

#include "base/buf.h"
#include "base/error.h"
#include "tape/lines.h"
#include <stdbool.h>

/* One file. Private but for `fd`: -1 before it is opened. */
struct output {
	char *path;
	char *temp;
	int fd;
	struct buf pending;
};

/* Only who holds the recorder's lock may call this. */
int output_open(struct output *o, const char *dir, const char *name, struct error *err);
/* The line under another number. */
int output_line(struct output *o, const struct line *line, struct unit_id id, struct error *err);
/* What was not renamed goes. */
void output_clear(struct output *o);

/* Puts the files in place of those that are there; a tape that is not open stays as it is. A kill
 * at any moment leaves the old tape, the new one, or one of them without times. */
int outputs_replace(const char *dir, struct output *tape, struct output *timing, bool sync,
		    struct error *err);

#endif
