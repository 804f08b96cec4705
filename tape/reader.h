/*
 * Reads a tape. Opening maps the file, checks every line's checksum and indexes the lines by key
 * without parsing JSON; a unit is parsed when it is asked for. Thread-safe after open, but for
 * nothing: every function only reads.
 */
#ifndef SANDTAPE_TAPE_READER_H
#define SANDTAPE_TAPE_READER_H

#include "base/error.h"
#include "tape/head.h"
#include "tape/roots.h"
#include "tape/tape.h" /* open, free, count */
#include "tape/unit.h"

const struct tape_head *tape_reader_head(const struct tape_reader *r);
const char *tape_reader_path(const struct tape_reader *r);
size_t tape_reader_warning_count(const struct tape_reader *r);
const char *tape_reader_warning(const struct tape_reader *r, size_t index);

struct unit_id tape_reader_id(const struct tape_reader *r, size_t index);
/* The index of the n-th unit with this key, or -1. One look into a hash table. */
long tape_reader_find(const struct tape_reader *r, uint64_t key, uint32_t ordinal);
/* Parses one unit; the caller clears it with unit_clear(). ERR_FORMAT when a record of it makes no
 * sense (the text names the file and the line); bad times are left out instead. */
int tape_reader_unit(const struct tape_reader *r, size_t index, struct unit *ret,
		     struct error *err);

/* The same with only what its spawn says: argv, cwd, env and parent. */
int tape_reader_command(const struct tape_reader *r, size_t index, struct unit *ret,
			struct error *err);

/* Whether the tape says what became of the unit, be it that it was not finished: no, where the
 * recording broke off while it ran. */
bool tape_reader_knows_end(const struct tape_reader *r, size_t index);

/* The fields of its spawn, exit and tail as they stand on the tape, {NULL, 0} where there is no
 * such record: equal bytes are equal content. */
#define READER_RECORDS 3
int tape_reader_fields(const struct tape_reader *r, size_t index, struct bytes ret[READER_RECORDS],
		       struct error *err);
struct bytes tape_reader_head_fields(const struct tape_reader *r);

/* When a unit ran, read without parsing its lines; false when the tape does not tell. */
bool tape_reader_span(const struct tape_reader *r, size_t index, uint64_t *ret_start_ns,
		      uint64_t *ret_duration_ns);

/* Likewise, with the recording that these times are of (struct unit_time). */
bool tape_reader_episode(const struct tape_reader *r, size_t index, uint64_t *ret_start_ns,
			 uint64_t *ret_duration_ns, uint32_t *ret_episode);

/* The bytes of a payload, ready for use (decoded with `roots` when they are rooted). */
struct payload_view {
	const char *data;
	size_t len;
	void *map; /* private: what to release */
	size_t map_len;
	struct buf owned;
};

/*
 * Borrowed from `p` or owned by the view; release with payload_view_clear() before the payload or
 * the reader goes. `data` is never NULL. A missing blob is ERR_NOTFOUND; one whose size or SHA-256
 * is wrong is ERR_FORMAT; the text names the file. With `roots` NULL the bytes are given as stored.
 * `roots` must hold exactly the names of the tape's head (FORMAT.md, "Roots").
 */
int tape_reader_payload(const struct tape_reader *r, const struct payload *p,
			const struct roots *roots, struct payload_view *ret, struct error *err);
void payload_view_clear(struct payload_view *v);

#endif
