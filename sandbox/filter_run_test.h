/* Filters in tests: made from a policy, and run over made-up calls as the kernel would. */
#ifndef SANDTAPE_SANDBOX_FILTER_RUN_TEST_H
#define SANDTAPE_SANDBOX_FILTER_RUN_TEST_H

#include "sandbox/filter.h"
#include <linux/seccomp.h>
#include <sys/types.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

#define ALLOWED	 SECCOMP_RET_ALLOW
#define FAILS(e) (SECCOMP_RET_ERRNO | (e))

struct filter_fixture {
	struct sandbox_policy *policy;
	struct sandbox_layers layers;
	struct filter_needs needs;
	struct filter filter;
	char told[512];
	struct error err;
};

void filter_setup(struct filter_fixture *f, enum sandbox_level level);
void filter_teardown(struct filter_fixture *f);
/* filter_prepare() anew. */
int filter_try_prepare(struct filter_fixture *f);
struct sandbox_layer *filter_layer(struct filter_fixture *f);

void filter_set_group(struct filter_fixture *f, int group, enum sandbox_action_kind kind,
		      int number);
void filter_set_all_groups(struct filter_fixture *f, enum sandbox_action_kind kind, int number);
void filter_set_net(struct filter_fixture *f, enum sandbox_net net);
void filter_set_unix(struct filter_fixture *f, enum sandbox_unix mode);

/* The kernel refuses a program with a jump over its end. */
void filter_assert_is_sound(const struct filter *p);
/* What it returns, and after how many instructions. */
uint32_t filter_run(const struct filter *p, const struct seccomp_data *call, unsigned *ret_steps);
uint32_t filter_answer(const struct filter *p, uint32_t arch, uint32_t number,
		       const uint64_t args[6]);

/* What the table of calls says about a call of this machine's ABI, read another way than by the
 * generator. */
uint32_t filter_wanted(const struct sandbox_policy *policy, uint32_t number,
		       const uint64_t args[6]);
/* The action of a group; `refusal` as in struct call_rule. */
uint32_t filter_action_of(const struct sandbox_policy *policy, int group, int refusal);

/* --- Children under a filter: the real kernel ------------------------------------------------- */

/* An errno that no call which is tried has of its own. */
#define RARE EXFULL

typedef long (*filter_act)(const void *arg);

struct filter_outcome {
	int applied; /* what filter_apply() returned */
	bool done;
	long result;
	int status; /* of waitpid() */
};

/* 0: whoever runs the tests; else, when that is root, this user. */
#define FILTER_USERS 2
extern const uid_t filter_users[FILTER_USERS];
/* Ends the process when it cannot. */
void filter_become(uid_t uid);

/* Without a filter (NULL): the control. */
struct filter_outcome filter_in_child(const struct filter *filter, uid_t uid, filter_act act,
				      const void *arg);
/* What `act` returns; a child that did not get there fails the test. */
long filter_result(const struct filter *filter, uid_t uid, filter_act act, const void *arg);

struct filter_call {
	long number;
	unsigned long args[6];
};

/* One struct filter_call: its result or a negative errno. */
long filter_make_call(const void *arg);
/* Several in one child; the caller frees the results. */
long *filter_results(const struct filter *filter, uid_t uid, const struct filter_call *calls,
		     size_t count);

/* A policy all of whose groups fail with RARE. */
void filter_setup_rare(struct filter_fixture *f);
/* filter_try_prepare(), which must go well. */
void filter_prepare_well(struct filter_fixture *f);

#endif
