/*
 * Units and heads as lines of a tape and back (FORMAT.md, "Records"). The writing half appends
 * whole lines; the reading half takes lines that line_parse() found whole.
 */
#ifndef SANDTAPE_TAPE_CODEC_H
#define SANDTAPE_TAPE_CODEC_H

#include "base/buf.h"
#include "base/error.h"
#include "tape/head.h"
#include "tape/lines.h"
#include "tape/unit.h"

/* The chunks of a unit beyond this number are not kept. */
#define TAPE_CHUNKS_MAX 65536

/* ERR_INVALID for what the format cannot say (an env name that is not UTF-8, a kind without a
 * partner), ERR_LIMIT for a line that is too long. `out` is as it was on failure. */
int codec_write_head(struct buf *out, const struct tape_head *h, struct error *err);
int codec_write_spawn(struct buf *out, const struct unit *u, struct error *err);
int codec_write_exit(struct buf *out, const struct unit *u, struct error *err);
int codec_write_tail(struct buf *out, const struct unit *u, struct error *err);
int codec_write_time(struct buf *out, const struct unit *u, struct error *err);

/* Into a zeroed head. ERR_VERSION when the version is not ours. */
int codec_read_head(const struct line *line, struct tape_head *ret, struct error *err);

/* Of whatever version it is. */
int codec_read_version(const struct line *line, int *ret, struct error *err);

/* Each adds what its record says to `u`: spawn first, tail after exit. On failure `u` is half
 * filled and can only be cleared. */
int codec_read_spawn(const struct line *line, struct unit *u, struct error *err);
/* And the key has to be its own: a unit that was edited by hand would never be found. */
int codec_read_keyed_spawn(const struct line *line, struct unit *u, struct error *err);
int codec_read_exit(const struct line *line, struct unit *u, struct error *err);
int codec_read_tail(const struct line *line, struct unit *u, struct error *err);
int codec_read_time(const struct line *line, struct unit *u, struct error *err);

#endif
