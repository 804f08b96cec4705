/* In what two units differ, as far as a fidelity asks (sandtape(1), "FIDELITY"). */
#ifndef SANDTAPE_TAPE_DIFFER_H
#define SANDTAPE_TAPE_DIFFER_H

#include "base/error.h"
#include "tape/reader.h"
#include "tape/tape.h"

struct differ {
	const struct tape_reader *a;
	const struct tape_reader *b;
	const struct roots *shown; /* an empty set */
	enum tape_fidelity fidelity;
	bool apart; /* the heads differ in what keys rest on: what the keys say counts, too */
};

/* One field. Values are text for a human, NULL where one side has nothing. */
struct change {
	char name[32];
	char *a;
	char *b;
};

struct changes {
	struct change *item;
	size_t count;
};

/* Into empty changes. ERR_FORMAT, ERR_NOTFOUND when a record or a blob that is needed is damaged.
 */
int differ_units(const struct differ *d, size_t a, size_t b, struct changes *ret,
		 struct error *err);
/* What the heads differ in. 0 or ERR_NOMEM. */
int differ_heads(const struct differ *d, struct changes *ret, struct error *err);
/* Whether two lists hold the same strings, in whatever order. */
bool differ_same_strings(const struct strings *a, const struct strings *b);

void changes_clear(struct changes *c);

#endif
