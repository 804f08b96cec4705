/*
 * The lines of one tape.jsonl or journal.jsonl, mapped, checked and indexed by unit without parsing
 * any JSON but the head's. 48 bytes a unit and 16 for the table. Only reading after open, so
 * thread-safe.
 */
#ifndef SANDTAPE_TAPE_INDEX_H
#define SANDTAPE_TAPE_INDEX_H

#include "base/error.h"
#include "tape/head.h"
#include "tape/lines.h"
#include <stdbool.h>
#include <stdint.h>

#define INDEX_NONE  UINT64_MAX
/* Set in `time` when the offset is one of timing.jsonl. */
#define INDEX_APART (UINT64_C(1) << 63)

/* Where the lines of a unit begin; INDEX_NONE for those that are not there. */
struct index_unit {
	struct unit_id id;
	uint64_t spawn;
	uint64_t exit;
	uint64_t tail;
	uint64_t time;
};

struct mapped {
	const char *data; /* NULL for an empty file */
	size_t len;
	size_t map_len; /* private */
};

struct index_slot {
	uint32_t hash; /* of the unit's id */
	uint32_t unit; /* its index + 1; 0: free */
};

struct tape_index {
	char *path; /* of the file, for messages */
	struct mapped lines;
	struct mapped timing; /* after tape_index_add_timing() */
	struct tape_head head;
	struct index_unit *units; /* in the order of their spawn lines */
	size_t count;
	size_t torn_len; /* bytes at the end that were no whole line and are ignored */

	struct index_slot *slots; /* private: an open hash table */
	size_t slot_count;
};

enum index_kind {
	INDEX_TAPE,
	INDEX_JOURNAL /* a bad checksum in the last line means "torn" */
};

/* What was wrong with timing.jsonl, which is never an error. */
struct timing_damage {
	size_t bad_lines;
	size_t first_bad_line; /* from 1 */
};

/*
 * For who wants to know all that is wrong with a file: told of each bad line, after which the rest
 * is read on. A bad head is an error all the same. `state` LINE_OK: the line itself is whole, but
 * does not fit to those before it.
 */
struct index_watch {
	void (*bad)(void *ctx, size_t number, enum line_state state, const struct error *err);
	void *ctx;
};

/* Maps the whole file `fd`, which is borrowed and may be closed afterwards. */
int tape_index_map(int fd, const char *path, enum index_kind kind, struct tape_index **ret,
		   struct error *err);
/* Likewise by name; a journal is copied, since the next recorder cuts it off. ERR_NOTFOUND when
 * there is no such file. */
int tape_index_open(const char *path, enum index_kind kind, struct tape_index **ret,
		    struct error *err);
int tape_index_examine(const char *path, enum index_kind kind, const struct index_watch *watch,
		       struct tape_index **ret, struct error *err);
void tape_index_free(struct tape_index *index); /* NULL is allowed */

/* Joins the lines of timing.jsonl to the units that have no time yet. */
int tape_index_add_timing(struct tape_index *index, const char *path, struct timing_damage *ret,
			  struct error *err);

int tape_index_examine_timing(struct tape_index *index, const char *path,
			      const struct index_watch *watch, struct timing_damage *ret,
			      struct error *err);

/* -1 when there is no such unit. */
long tape_index_find(const struct tape_index *index, struct unit_id id);

/* The line at an offset out of an index_unit. ERR_FORMAT when the file was changed since. */
int tape_index_line(const struct tape_index *index, uint64_t offset, struct line *ret,
		    struct error *err);
/* Only its fields, and without another look at the checksum. false when the file was changed since.
 */
bool tape_index_fields(const struct tape_index *index, uint64_t offset, struct bytes *ret);
/* ERR_FORMAT, for who cannot do without them. */
int tape_index_changed(const struct tape_index *index, struct error *err);
/* The head's line. */
int tape_index_head_line(const struct tape_index *index, struct line *ret, struct error *err);
/* Its number in the file, from 1. Counts from the beginning: for messages. */
size_t tape_index_line_number(const struct tape_index *index, uint64_t offset);

#endif
