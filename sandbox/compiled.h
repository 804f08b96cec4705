/* A plan from the inside. */
#ifndef SANDTAPE_SANDBOX_COMPILED_H
#define SANDTAPE_SANDBOX_COMPILED_H

#include "base/calls.h"
#include "sandbox/cgroup.h"
#include "sandbox/environment.h"
#include "sandbox/fds.h"
#include "sandbox/filter.h"
#include "sandbox/landlock.h"
#include "sandbox/namespaces.h"
#include "sandbox/privileges.h"
#include "sandbox/rlimits.h"
#include "sandbox/streams.h"

#include <pthread.h>
#include <stdatomic.h>

/* What depends on whether namespaces can be made, which shows when a program is started. */
struct variant {
	struct sandbox_layers layers;
	struct namespaces namespaces;
	struct landlock landlock;
	struct rlimits rlimits;
	struct filter_needs needs;
	struct filter observed; /* of a program with an observer: installed before `filter` */
	struct filter filter;
	bool private_tmp; /* by TMPDIR */
};

enum { VARIANTS = NAMESPACES_ALL + 1 };

struct sandbox_plan {
	struct sandbox_policy *policy; /* its own copy */
	struct sandbox_paths *paths;
	struct sandbox_layers layers; /* what is common to both variants */
	int abi;		      /* of Landlock */
	struct fds fds;
	struct privileges privileges;
	struct cgroup *cgroup; /* NULL: none */
	struct environment *environment;
	sandbox_say say; /* may be NULL */
	void *say_ctx;
	char **told; /* what has been said, which the next variant need not say again */
	size_t told_count;
	pthread_mutex_t
		lock; /* of `variant`, each of which is made when it is needed, and `told` */
	struct variant *variant[VARIANTS]; /* by enum namespaces_level */
	struct confiner confiner;	   /* of a plan for units */
	struct confine_observer *units;	   /* likewise; or NULL */
	bool observed;			   /* SANDBOX_PLAN_OBSERVED, SANDBOX_PLAN_UNITS_OBSERVED */
	struct streams_kept streams;	   /* of the variant without namespaces */
	atomic_bool swept;		   /* what others left in place of a /tmp */
	atomic_int own_level;
	/* The most that this host has let be made so far: `own_level`, or, when observed, in memory
	 * that processes share which have forked: one starts, and another one explains. */
	atomic_int *level;
};

/* sandbox_plan_new() as if the kernel's Landlock had this ABI, which is not above its own. */
int plan_new(const struct sandbox_policy *policy, enum sandbox_plan_use use, sandbox_say say,
	     void *say_ctx, int abi, struct sandbox_plan **ret, struct error *err);

/* The variant, which is made when there is none yet. It lives as long as the plan. */
int plan_variant(struct sandbox_plan *plan, int level, const struct variant **ret,
		 struct error *err);

/* Tells the plan's `say`, each text once. */
void plan_say(struct sandbox_plan *plan, const char *text);

/* The one that programs are started by next, as far as it is known. */
const struct variant *plan_likely(const struct sandbox_plan *plan);

/* The one that the program of an observed plan was started by, maybe in a process that has forked
 * from this one. Says nothing of it once more. */
int plan_started(struct sandbox_plan *plan, const struct variant **ret, struct error *err);

/* In the process that is restricted: all but the namespaces, from outside in. `ruleset` is for
 * landlock_restrict(); without one (-1) `extra` is for landlock_apply(). 0 or -errno, with the
 * stage.
 */
int plan_restrict(const struct sandbox_plan *plan, const struct variant *variant, int ruleset,
		  const struct landlock_rule *extra, size_t extras, const char **ret_stage);

/* --- confine_linux.c --- */
/* Says which layers cannot be had for a program that is there already. */
void plan_judge_units(struct sandbox_plan *plan);
/* Whether the calls that restrict a unit can be made of this plan, and the confiner. */
int plan_prepare_confiner(struct sandbox_plan *plan, struct error *err);
const struct sandbox_plan *plan_of_confiner(const struct confiner *confiner);

/* --- confine_exec_linux.c --- */
/* `refuses` of the confiner. */
int plan_refuses_exec(const struct confiner *confiner, pid_t pid, const char *cwd, const char *path,
		      const struct denied_ear *ear, bool *ret, struct error *err);

/* --- confine_observe_linux.c --- */
/* Gives the confiner the functions that tell what units are denied. */
int plan_prepare_units(struct sandbox_plan *plan, struct error *err);
void plan_free_units(struct confine_observer *units);
/* The exec of a program, which is there, has been refused because of `path`. */
int plan_tell_exec(const struct sandbox_plan *plan, pid_t pid, const char *path,
		   const struct denied_ear *ear, struct error *err);

/* --- policy_copy.c --- */
int policy_copy(const struct sandbox_policy *policy, struct sandbox_policy **ret,
		struct error *err);

#endif
