/* Why a command had no answer: what the accessors of tape/command.h tell. Immutable once made. */
#ifndef SANDTAPE_TAPE_DIVERGENCE_H
#define SANDTAPE_TAPE_DIVERGENCE_H

#include "base/error.h"
#include "tape/command.h"
#include "tape/matcher.h"

#define DIVERGENCE_NO_INDEX SIZE_MAX

/* What is known of it when it happens; all is borrowed. */
struct divergence_facts {
	enum tape_divergence_kind kind;
	const struct tape_reader *reader;
	const struct matcher *matcher;
	const struct unit *command;
	size_t record;	    /* the one that would have fitted, or has to come first */
	struct bytes input; /* TAPE_OTHER_INPUT: what was given, and what was recorded */
	struct bytes wanted;
};

int divergence_new(const struct divergence_facts *facts, struct tape_divergence **ret,
		   struct error *err);
void divergence_free(struct tape_divergence *d); /* NULL is allowed */

/* Says it in one sentence: ERR_DIVERGED. */
int divergence_error(const struct tape_divergence *d, const char *tape, struct error *err);

/* Whether the calling thread made it. */
bool divergence_is_mine(const struct tape_divergence *d);

#endif
