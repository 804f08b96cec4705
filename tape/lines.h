/*
 * The framing of a tape's lines (FORMAT.md, "Lines"): what can be known of a line without parsing
 * its JSON.
 */
#ifndef SANDTAPE_TAPE_LINES_H
#define SANDTAPE_TAPE_LINES_H

#include "base/buf.h"
#include "base/error.h"
#include "tape/unit.h"
#include <stdbool.h>
#include <stddef.h>

#define TAPE_LINE_MAX ((size_t)16 * 1024 * 1024) /* bytes, the newline included */

enum line_type { LINE_HEAD, LINE_SPAWN, LINE_EXIT, LINE_TAIL, LINE_TIME, LINE_TYPES };

enum line_state {
	LINE_OK,
	LINE_FRAME,   /* does not begin or end as a record does */
	LINE_SUM,     /* framed, but its checksum is another */
	LINE_UNKNOWN, /* whole, but of a type that this version does not have */
	LINE_LONG     /* beyond TAPE_LINE_MAX */
};

struct line {
	struct unit_id id;
	enum line_type type;
	struct bytes all; /* without the newline */
	struct bytes
		fields; /* what lies between the type and the checksum: `,"code":0` or nothing */
};

/* Checks and takes apart one line without its newline. `ret` is set on LINE_OK only and borrows
 * `text`. */
enum line_state line_parse(const char *text, size_t len, struct line *ret);

/* Its fields alone, of a line that was found whole before: the checksum is not looked at. */
bool line_fields(const char *text, size_t len, struct bytes *ret);

/* Whose line this seems to be, by its front alone. */
bool line_peek_id(const char *text, size_t len, struct unit_id *ret);

/* A sentence about a bad line, for "<file>: line 7: <sentence>". */
const char *line_state_text(enum line_state state);

/* Whether git left this line behind in a merge. */
bool line_is_merge_mark(const char *text, size_t len);

/* For who writes the fields of a line straight into its place: what comes before them, and then
 * (`rc` 0) what comes behind them and the newline. With an `rc` below 0, which is returned, and on
 * a failure, ERR_LIMIT as of line_add(), all from `start` on is taken back. */
int line_begin(struct buf *out, enum line_type type, struct unit_id id);
int line_end(struct buf *out, size_t start, int rc, struct error *err);

/* Appends one whole line with its newline. ERR_LIMIT beyond TAPE_LINE_MAX, `out` is then as it
 * was. */
int line_add(struct buf *out, enum line_type type, struct unit_id id, struct bytes fields,
	     struct error *err);

#endif
