/* What the files of tape_check() share. */
#ifndef SANDTAPE_TAPE_CHECK_PARTS_H
#define SANDTAPE_TAPE_CHECK_PARTS_H

#include "base/error.h"
#include "tape/blobs.h"
#include "tape/index.h"
#include "tape/tape.h"
#include "tape/unit.h"
#include <stdatomic.h>

struct finding {
	enum tape_finding kind;
	char *text;
};

/* In the order of the tape, whichever thread found them. A zeroed struct is empty. */
struct findings {
	struct finding *item;
	size_t count;
	bool lost; /* out of memory: one is not here */
};

void findings_add(struct findings *f, enum tape_finding kind, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void findings_clear(struct findings *f);

struct check {
	const struct tape_check_options *options;
	char *dir;
	char *timing;	  /* the path */
	const char *file; /* that is being opened, for messages */
	bool no_timing;
	struct tape_index *index;
	struct findings findings;
	struct blobs there; /* files */
	struct blobs named; /* by records; `where` is the offset of the line */
	bool broken;	    /* a line cannot be read: others may depend on it */
	size_t dependent;   /* lines that may be wrong only for that */
	size_t timeless;    /* units that ended and have no time */
	size_t blob_count;
	atomic_uint_fast64_t done; /* bytes */
	uint64_t total;
	uint64_t told;
};

/* Bytes were read. Only the thread that called tape_check() tells it. */
void check_advance(struct check *c, uint64_t bytes, bool is_caller);

/* All units of the index: adds to findings, named, timeless, broken. */
int check_units(struct check *c, struct error *err);
/*
 * Whether the chunks that `member` of a record lists ("chunks", "order") are of streams, modes and
 * stops that the unit has, and of no more bytes than these streams have: ERR_FORMAT, ERR_NOMEM.
 * Fewer are right: what a list does not cover comes after it.
 */
int check_sizes(const struct unit *u, const struct chunk *chunks, size_t count, const char *member,
		struct error *err);
/* All blobs of `named`, each once; sorts them. */
int check_blobs(struct check *c, struct error *err);

#endif
