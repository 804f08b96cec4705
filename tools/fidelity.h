/* What `tape diff` and `verify` share: names of fidelities, and the sum of a comparison. */
#ifndef SANDTAPE_TOOLS_FIDELITY_H
#define SANDTAPE_TOOLS_FIDELITY_H

#include "tape/tape.h"

/* "byte", "semantic", "outcome"; ERR_INVALID for another name. */
int fidelity_of_name(const char *name, enum tape_fidelity *ret, struct error *err);

/* A line to stdout. */
void fidelity_print(const char *a, const char *b, enum tape_fidelity fidelity,
		    const struct tape_diff_result *result);
void fidelity_print_json(const char *a, const char *b, enum tape_fidelity fidelity,
			 const struct tape_diff_result *result);

#endif
