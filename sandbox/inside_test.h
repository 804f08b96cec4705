/* For tests: acts in a child of their own, which may restrict itself. */
#ifndef SANDTAPE_SANDBOX_INSIDE_TEST_H
#define SANDTAPE_SANDBOX_INSIDE_TEST_H

#include "sandbox/layers.h"

#include <sys/types.h>

#define INSIDE_SIGNAL 1000 /* and the number of the signal that ended the child */

/* A policy with its judge. */
struct inside {
	struct sandbox_policy *policy;
	struct sandbox_layers layers;
	char told[512];
	struct error err;
	struct judge judge;
};

void inside_setup(struct inside *inside);
void inside_teardown(struct inside *inside);
void inside_limit(struct inside *inside, enum sandbox_limit which, uint64_t value);
enum sandbox_state inside_state(const struct inside *inside, enum sandbox_mechanism which);

typedef int inside_act(void *arg);

/* What the act returns, from 0 to 255, in a child; or INSIDE_SIGNAL and more. */
int inside_run(inside_act *act, void *arg);
/* The same as an ordinary user: of root, a child that is a user who runs nothing else. */
int inside_run_as_user(inside_act *act, void *arg);
/* A new user namespace for the calling process; false where the host does not allow that. */
bool inside_enter_user_namespace(void);
/* How many children of the calling process can be there at a time, up to 200. */
int inside_fork_many(int most);
/* Executes a shell command in place of the calling process. */
int inside_shell(const char *command);

#endif
