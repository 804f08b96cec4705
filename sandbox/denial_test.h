/* What the tests of denials share: rows of observations, and what becomes of them. */
#ifndef SANDTAPE_SANDBOX_DENIAL_TEST_H
#define SANDTAPE_SANDBOX_DENIAL_TEST_H

#include "sandbox/compiled.h"
#include "sandbox/denial.h"

#define CAP(name) (UINT64_C(1) << CAP_##name)

/* "@" in texts is the directory of tree_test.h. */
struct denial_row {
	const char *policy;		 /* without its version */
	struct sandbox_observation seen; /* of this machine's ABI, and process 7 */
	uint64_t had;			 /* the capabilities outside */
	bool in_place;			 /* no namespaces */
	/* "MECHANISM EVIDENCE: WHY"; NULL: no denial */
	const char *want;
	const char *option, *policy_want;
};

#define SEEN_CALL(call, errno_) .what = SANDBOX_SEEN_CALL, .number = SYS_##call, .error = (errno_)

/* A plan of a policy; the caller's to free. */
struct sandbox_plan *denial_plan(const char *policy, enum sandbox_plan_use use);
/* Holds the row to what is wanted of it; and a plan with the suggested policy merged in denies it
 * no more. */
void denial_check(const struct denial_row *row);
/* "@" expanded; malloc'ed. */
char *denial_text(const char *text);

/* A test of each of the rows. */
#define DENIAL_ROWS(test, rows)                                                                    \
	START_TEST(test)                                                                           \
	{                                                                                          \
		denial_check(&(rows)[_i]);                                                         \
	}                                                                                          \
	END_TEST

#define DENIAL_COUNT(list) ((int)(sizeof(list) / sizeof((list)[0])))

#endif
