/* Why a command had no answer: what the accessors of tape/command.h tell. Immutable once made. */
#ifndef SANDTAPE_TAPE_COMMAND_DIVERGENCE_H
#define SANDTAPE_TAPE_COMMAND_DIVERGENCE_H

#include "base/error.h"
#include "tape/command.h"
#include "tape/divergence.h"

/* What is known of it when it happens; all is borrowed. */
struct divergence_facts {
	enum divergence_kind kind;
	struct divergence_from from;
	const struct unit *command;
	size_t record; /* the one that would have fitted, or has to come first, or NO_UNIT */
	struct bytes input;
};

int command_divergence_new(const struct divergence_facts *facts, struct tape_divergence **ret,
			   struct error *err);
void command_divergence_free(struct tape_divergence *d); /* NULL is allowed */

/* Says it in one sentence: ERR_DIVERGED. */
int command_divergence_error(const struct tape_divergence *d, const char *tape, struct error *err);

/* Whether the calling thread made it. */
bool command_divergence_is_mine(const struct tape_divergence *d);

#endif
