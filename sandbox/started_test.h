/* What tests of started programs share: a workspace, the default policy for it, a shell. */
#ifndef SANDTAPE_SANDBOX_STARTED_TEST_H
#define SANDTAPE_SANDBOX_STARTED_TEST_H

#include "sandbox/child.h"

extern char started_scratch[64]; /* a directory, which is the workspace */
extern struct sandbox_policy *started_policy;

/* A fixture of libcheck. */
void started_setup(void);
void started_teardown(void);

struct sandbox_plan *started_plan(enum sandbox_plan_use use);

/* What `sh -c` prints and how it ends. */
struct run {
	struct sandbox_result result;
	char out[4096];
	char err[4096];
};

/* In a process that starts nothing else. */
int started_shell(struct sandbox_plan *plan, const char *script, struct sandbox_child **ret,
		  struct error *err);
void started_run(struct sandbox_plan *plan, const char *script, struct run *run);
/* Under a plan of its own. */
void started_default(const char *script, struct run *run);

#endif
