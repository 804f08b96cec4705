/*
 * The layers of a sandbox, from the inside: what each mechanism prepares from a policy, and what it
 * does in the process that is to be restricted.
 *
 * A layer has a struct X, X_prepare(policy, ..., ret, judge) that may allocate and fails with a
 * negative ERR_*, X_free(), and X_apply() that returns 0 or a negative errno. What applies runs
 * between fork and exec, perhaps in the memory of the parent: it makes system calls only, takes no
 * memory and no locks, and changes nothing that the parent sees.
 */
#ifndef SANDTAPE_SANDBOX_LAYERS_H
#define SANDTAPE_SANDBOX_LAYERS_H

#include "sandbox/plan.h"
#include "sandbox/policy.h"

/* How well the promises of a policy are kept, while a plan is made. */
struct judge {
	const struct sandbox_policy *policy;
	struct sandbox_layers *layers;
	sandbox_say say; /* may be NULL */
	void *say_ctx;
	struct error *err;
};

enum sandbox_strictness judge_strictness(const struct judge *judge, enum sandbox_mechanism which);

/* Whether the policy switches the mechanism off; the layer is said to be then. */
bool judge_is_off(const struct judge *judge, enum sandbox_mechanism which);

/* The layer keeps all that it is asked for. `how` is a phrase. Leaves a layer that is partial or
 * unavailable as it is. */
void judge_enforced(const struct judge *judge, enum sandbox_mechanism which, const char *how, ...)
	__attribute__((format(printf, 3, 4)));

/* A gap that is known and documented, and no error under any strictness. */
void judge_partial(const struct judge *judge, enum sandbox_mechanism which, const char *why, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * A promise of the policy that this host cannot keep. Under enforce ERR_UNSUPPORTED, whose text
 * names the mechanism and the way out; under warn it is told; 0 then and under off. `state` is
 * partial or unavailable.
 */
int judge_missing(const struct judge *judge, enum sandbox_mechanism which, enum sandbox_state state,
		  const char *why, ...) __attribute__((format(printf, 4, 5)));

#endif
