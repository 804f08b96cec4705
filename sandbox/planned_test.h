/* For tests: policies and plans of texts that are good. */
#ifndef SANDTAPE_SANDBOX_PLANNED_TEST_H
#define SANDTAPE_SANDBOX_PLANNED_TEST_H

#include "sandbox/plan.h"

struct sandbox_policy *planned_policy(const char *text, const struct sandbox_places *places);

/* Where a plan is to hold, and for what. */
struct planned {
	const char *work; /* the workspace */
	enum sandbox_plan_use use;
	sandbox_say say; /* or NULL */
	void *say_ctx;
};
/* Of a policy of version 1: `rest` is what comes behind that. There is no HOME. */
int planned_try(const struct planned *where, const char *rest, struct sandbox_plan **ret,
		struct error *err);
struct sandbox_plan *planned(const struct planned *where, const char *rest);

#endif
