/*
 * The choice between records that differ in nothing but their stdin: it falls while the stub reads.
 */
#ifndef SANDTAPE_TAPE_CHOICE_H
#define SANDTAPE_TAPE_CHOICE_H

#include "base/error.h"
#include "tape/matcher.h"
#include "tape/reader.h"
#include <sys/types.h>

struct choice;

/* What a choice looks at; borrowed for its life. */
struct choice_from {
	struct matcher *matcher;
	const struct tape_reader *reader;
	const struct roots *roots;
};

/* `candidates` are indexes of records, first in first; copied. */
int choice_new(const struct choice_from *from, const size_t *candidates, size_t count,
	       struct choice **ret, struct error *err);
void choice_free(struct choice *c); /* NULL is allowed */

/* These bytes of stdin were read. 0 or ERR_NOMEM. */
int choice_add(struct choice *c, const char *data, size_t len);
/* All of them; borrowed until the next one is added. */
struct bytes choice_seen(const struct choice *c);

#define CHOICE_NONE SIZE_MAX

/*
 * Drops what does not fit what has been read (`ended`: and there is no more). Either *ret_index is
 * the record, or CHOICE_NONE; then *ret_until is how much of stdin in all to read before the next
 * look (STUB_STDIN_ALL: to its end), and 0 when no record fits.
 */
int choice_narrow(struct choice *c, bool ended, size_t *ret_index, uint64_t *ret_until,
		  struct error *err);

/*
 * By what there is to read in a regular file from `start` on, with nothing taken: *ret_index is the
 * first record that read that, to its end or not, else the first that read nothing, or CHOICE_NONE.
 */
int choice_by_file(struct choice *c, int file, off_t start, size_t *ret_index, struct error *err);

/*
 * Nothing more comes for now, and the subject does not go on: *ret_index is the first record that
 * wants no more, or that wrote something before it read on (a prompt, say), or CHOICE_NONE.
 */
int choice_without_more(struct choice *c, size_t *ret_index, struct error *err);

#endif
