#include "tools/fidelity.h"

#include "tools/json.h"
#include <stdio.h>
#include <string.h>

static const char *const names[] = {
	[TAPE_BYTE] = "byte", [TAPE_SEMANTIC] = "semantic", [TAPE_OUTCOME] = "outcome"};
#define NAMES (sizeof(names) / sizeof(names[0]))

int fidelity_of_name(const char *name, enum tape_fidelity *ret, struct error *err)
{
	for (size_t i = 0; i < NAMES; i++) {
		if (strcmp(name, names[i]) == 0) {
			*ret = (enum tape_fidelity)i;
			return 0;
		}
	}
	return error_set(err, ERR_INVALID, "--fidelity is byte, semantic or outcome, not '%s'",
			 name);
}

void fidelity_print(const char *a, const char *b, enum tape_fidelity fidelity,
		    const struct tape_diff_result *r)
{
	printf("%s and %s: %s (%s): %zu command%s alike", a, b,
	       r->differences ? "different" : "alike", names[fidelity], r->alike,
	       r->alike == 1 ? "" : "s");
	if (r->changed)
		printf(", %zu changed", r->changed);
	if (r->moved)
		printf(", %zu in another place", r->moved);
	if (r->only_a)
		printf(", %zu only in A", r->only_a);
	if (r->only_b)
		printf(", %zu only in B", r->only_b);
	putchar('\n');
}

void fidelity_print_json(const char *a, const char *b, enum tape_fidelity fidelity,
			 const struct tape_diff_result *r)
{
	json_print(json_pack("{s:o,s:o,s:s,s:b,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "a", json_of_text(a),
			     "b", json_of_text(b), "fidelity", names[fidelity], "same",
			     r->differences == 0, "a_commands", (json_int_t)r->a_units,
			     "b_commands", (json_int_t)r->b_units, "alike", (json_int_t)r->alike,
			     "changed", (json_int_t)r->changed, "moved", (json_int_t)r->moved,
			     "only_a", (json_int_t)r->only_a, "only_b", (json_int_t)r->only_b));
}
