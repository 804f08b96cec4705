/* What the tests of Landlock share: rulesets for tree_policy, and children that enter them. */
#ifndef SANDTAPE_SANDBOX_LANDLOCK_TEST_H
#define SANDTAPE_SANDBOX_LANDLOCK_TEST_H

#include "sandbox/landlock.h"

extern struct sandbox_layers landlock_layers; /* of the last one that was prepared */
extern char landlock_told[512];		      /* by a strictness of warn, the last */

/* Compiles tree_policy to tree_paths, and prepares it for an ABI into an empty ruleset. */
int landlock_try(struct landlock *ret, bool masked, int abi);
/* The same, which does not fail. */
void landlock_compile(struct landlock *ret, bool masked, int abi);
const struct sandbox_layer *landlock_layer(enum sandbox_mechanism which);

/* What `act` returns in a child; without capabilities, when they are to be dropped. */
int landlock_child(int (*act)(void *ctx), void *ctx, bool drop_capabilities);
/* In a child: sets no_new_privs and applies. 0, or 200 when that failed. */
int landlock_enter(const struct landlock *l, const struct landlock_rule *extra, size_t extras);

#endif
