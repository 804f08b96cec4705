/* Plans: a policy made ready for this host. */
#include "sandbox/compiled.h"

#include "sandbox/observed.h"
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* --- what is said ------------------------------------------------------------------------------
 */

static bool was_told(const struct sandbox_plan *plan, const char *text)
{
	for (size_t i = 0; i < plan->told_count; i++)
		if (strcmp(plan->told[i], text) == 0)
			return true;
	return false;
}

/* Without memory it is said again. */
static void remember(struct sandbox_plan *plan, const char *text)
{
	char **grown = realloc(plan->told, (plan->told_count + 1) * sizeof(*grown));
	char *own = strdup(text);

	if (grown)
		plan->told = grown;
	if (grown && own)
		grown[plan->told_count++] = own;
	else
		free(own);
}

/* Variants have most in common. */
static void say_once(void *ctx, const char *text)
{
	struct sandbox_plan *plan = ctx;

	if (was_told(plan, text))
		return;
	remember(plan, text);
	plan->say(plan->say_ctx, text);
}

void plan_say(struct sandbox_plan *plan, const char *text)
{
	pthread_mutex_lock(&plan->lock);
	if (plan->say)
		say_once(plan, text);
	pthread_mutex_unlock(&plan->lock);
}

static struct judge judge_of(struct sandbox_plan *plan, struct sandbox_layers *layers,
			     struct error *err)
{
	return (struct judge){plan->policy, layers, plan->say ? say_once : NULL, plan, err};
}

/* --- variants ----------------------------------------------------------------------------------
 */

enum { ABI_OF_SOCKETS = 9 }; /* Landlock's, from which on it tells sockets in files apart */

/* Whether the filter has to stand in for namespaces that are not there. Under less than enforce
 * sockets stay, since programs need them more often than somebody else's do harm. */
static int find_needs(const struct judge *judge, struct variant *v)
{
	const enum sandbox_mechanism fs = SANDBOX_MECH_LANDLOCK_FS;
	const struct sandbox_policy *policy = judge->policy;
	enum sandbox_strictness strictness = judge_strictness(judge, fs);

	v->needs.no_ip =
		policy->net == SANDBOX_NET_LOOPBACK && !(v->namespaces.flags & CLONE_NEWNET);
	if (policy->unix_sockets != SANDBOX_UNIX_INSIDE || namespaces_have_mounts(&v->namespaces) ||
	    (strictness != SANDBOX_STRICT_OFF && v->landlock.abi >= ABI_OF_SOCKETS))
		return 0;
	v->needs.no_unix = strictness == SANDBOX_STRICT_ENFORCE;
	return v->needs.no_unix
		       ? 0
		       : judge_missing(judge, fs, SANDBOX_STATE_PARTIAL,
				       "unix sockets outside can be connected to: no mount "
				       "namespace hides them");
}

/* Where no mount can, the roots are carved up for Landlock, and TMPDIR is a directory of the
 * child's own. */
static int prepare_variant(struct sandbox_plan *plan, const struct judge *judge, int level,
			   struct variant *v)
{
	struct rlimits_needs needs = {
		.memory = !cgroup_keeps(plan->cgroup, SANDBOX_LIMIT_MEMORY_MB),
		.processes = !cgroup_keeps(plan->cgroup, SANDBOX_LIMIT_PROCESSES),
	};
	struct landlock_around around = {.abi = plan->abi};
	int rc;

	rc = namespaces_prepare(judge, plan->paths, (enum namespaces_level)level, plan->abi,
				&v->namespaces);
	if (rc < 0)
		return rc;
	around.masked = namespaces_have_mounts(&v->namespaces);
	around.own_pids = namespaces_have_pids(&v->namespaces);
	around.own_net = namespaces_have_net(&v->namespaces);
	around.read_only = v->namespaces.holes.read_only;
	needs.own_user_namespace = namespaces_have_user(&v->namespaces);
	v->private_tmp = plan->policy->tmp == SANDBOX_TMP_PRIVATE && !around.masked;
	rc = landlock_prepare(judge, plan->paths, &around, &v->landlock);
	if (rc == 0)
		rc = rlimits_prepare(judge, &needs, &v->rlimits);
	if (rc == 0)
		rc = find_needs(judge, v);
	if (rc == 0)
		rc = filter_prepare(judge, &v->needs, &v->filter);
	if (rc < 0 || !plan->observed)
		return rc;
	observed_hand_over(&v->filter);
	return observed_filter_new(&v->observed, judge->err);
}

static void free_variant(struct variant *v)
{
	if (!v)
		return;
	namespaces_free(&v->namespaces);
	landlock_free(&v->landlock);
	filter_free(&v->observed);
	filter_free(&v->filter);
	free(v);
}

static int make_variant(struct sandbox_plan *plan, int level, struct error *err)
{
	struct variant *v = calloc(1, sizeof(*v));
	struct judge judge;
	int rc;

	if (!v)
		return error_no_memory(err);
	v->layers = plan->layers;
	v->landlock.ruleset = -1;
	judge = judge_of(plan, &v->layers, err);
	rc = prepare_variant(plan, &judge, level, v);
	if (rc < 0)
		free_variant(v);
	else
		plan->variant[level] = v;
	return rc;
}

int plan_variant(struct sandbox_plan *plan, int level, const struct variant **ret,
		 struct error *err)
{
	int rc = 0;

	pthread_mutex_lock(&plan->lock);
	if (!plan->variant[level])
		rc = make_variant(plan, level, err);
	*ret = plan->variant[level];
	pthread_mutex_unlock(&plan->lock);
	return rc;
}

int plan_started(struct sandbox_plan *plan, const struct variant **ret, struct error *err)
{
	sandbox_say say = plan->say;
	int level = atomic_load(plan->level), rc = 0;

	pthread_mutex_lock(&plan->lock);
	plan->say = NULL;
	if (!plan->variant[level])
		rc = make_variant(plan, level, err);
	plan->say = say;
	*ret = plan->variant[level];
	pthread_mutex_unlock(&plan->lock);
	return rc;
}

/* Who restricts itself in place enters no group. */
static int prepare_cgroup(struct sandbox_plan *plan, enum sandbox_plan_use use,
			  const struct judge *judge)
{
	if (use != SANDBOX_PLAN_APPLY)
		return cgroup_prepare(judge, false, &plan->cgroup);
	if (!judge_is_off(judge, SANDBOX_MECH_CGROUP))
		judge_partial(judge, SANDBOX_MECH_CGROUP,
			      "no group is entered in place; rlimits stand in");
	return 0;
}

static bool is_for_units(enum sandbox_plan_use use)
{
	return use == SANDBOX_PLAN_UNITS || use == SANDBOX_PLAN_UNITS_OBSERVED;
}

/* Layers that are the same in both variants. */
static int prepare_common(struct sandbox_plan *plan, enum sandbox_plan_use use,
			  const struct judge *judge)
{
	int rc = fds_prepare(judge, &plan->fds);

	/* Before descriptors of the plan's own could be taken for those that are to be kept. */
	if (rc == 0 && !is_for_units(use)) /* they have others */
		rc = fds_check(&plan->fds, judge->err);
	if (rc < 0)
		return rc;
	rc = sandbox_paths_new(plan->policy, judge->say, judge->say_ctx, &plan->paths, judge->err);

	if (rc == 0)
		rc = privileges_prepare(judge, &plan->privileges);
	if (rc == 0 && is_for_units(use))
		plan_judge_units(plan);
	if (rc < 0 || is_for_units(use))
		return rc;
	rc = environment_prepare(judge, plan->paths, &plan->environment);
	if (rc == 0)
		rc = prepare_cgroup(plan, use, judge);
	return rc;
}

static int place_level(struct sandbox_plan *plan)
{
	if (!plan->observed) {
		plan->level = &plan->own_level;
		return 0;
	}
	plan->level = mmap(NULL, sizeof(*plan->level), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (plan->level != MAP_FAILED)
		return 0;
	plan->level = NULL;
	return ERR_NOMEM;
}

static int prepare(struct sandbox_plan *plan, enum sandbox_plan_use use, struct error *err)
{
	const struct judge judge = judge_of(plan, &plan->layers, err);
	int rc = prepare_common(plan, use, &judge);

	if (rc < 0)
		return rc;
	plan->observed = use == SANDBOX_PLAN_OBSERVED || use == SANDBOX_PLAN_UNITS_OBSERVED;
	rc = place_level(plan);
	if (rc < 0)
		return error_no_memory(err);
	atomic_store(plan->level, use == SANDBOX_PLAN_APPLY || is_for_units(use) ? NAMESPACES_NONE
										 : NAMESPACES_ALL);
	rc = make_variant(plan, atomic_load(plan->level), err);
	plan->paths->old = true; /* another variant may be made much later */
	if (rc == 0 && is_for_units(use))
		rc = plan_prepare_confiner(plan, err);
	return rc == 0 && is_for_units(use) ? plan_prepare_units(plan, err) : rc;
}

int plan_new(const struct sandbox_policy *policy, enum sandbox_plan_use use, sandbox_say say,
	     void *say_ctx, int abi, struct sandbox_plan **ret, struct error *err)
{
	struct sandbox_plan *plan;
	int rc = sandbox_policy_check(policy, err);

	if (rc < 0)
		return rc;
	plan = calloc(1, sizeof(*plan));
	if (!plan)
		return error_no_memory(err);
	pthread_mutex_init(&plan->lock, NULL);
	plan->streams = (struct streams_kept)STREAMS_KEPT_INIT;
	plan->say = say;
	plan->say_ctx = say_ctx;
	plan->abi = abi;
	rc = policy_copy(policy, &plan->policy, err);
	if (rc == 0)
		rc = prepare(plan, use, err);
	if (rc < 0)
		sandbox_plan_free(plan);
	else
		*ret = plan;
	return rc;
}

int sandbox_plan_new(const struct sandbox_policy *policy, enum sandbox_plan_use use,
		     sandbox_say say, void *say_ctx, struct sandbox_plan **ret, struct error *err)
{
	return plan_new(policy, use, say, say_ctx, landlock_abi(), ret, err);
}

void sandbox_plan_free(struct sandbox_plan *plan)
{
	if (!plan)
		return;
	for (int i = 0; i < VARIANTS; i++)
		free_variant(plan->variant[i]);
	for (size_t i = 0; i < plan->told_count; i++)
		free(plan->told[i]);
	free(plan->told);
	cgroup_free(plan->cgroup);
	fds_free(&plan->fds);
	environment_free(plan->environment);
	sandbox_paths_free(plan->paths);
	sandbox_policy_free(plan->policy);
	streams_free(&plan->streams);
	plan_free_units(plan->units);
	if (plan->observed && plan->level)
		munmap(plan->level, sizeof(*plan->level));
	pthread_mutex_destroy(&plan->lock);
	free(plan);
}

const struct variant *plan_likely(const struct sandbox_plan *plan)
{
	int level = atomic_load(plan->level);

	/* One that has not been made yet is about to be. */
	while (level < NAMESPACES_ALL && !plan->variant[level])
		level++;
	return plan->variant[level];
}

void sandbox_plan_layers(const struct sandbox_plan *plan, struct sandbox_layers *ret)
{
	struct sandbox_plan *own = (struct sandbox_plan *)plan;

	pthread_mutex_lock(&own->lock);
	*ret = plan_likely(plan)->layers;
	pthread_mutex_unlock(&own->lock);
}

bool sandbox_plan_limits_output(const struct sandbox_plan *plan)
{
	return plan->policy->limits[SANDBOX_LIMIT_OUTPUT_BYTES] != SANDBOX_NO_LIMIT;
}

bool sandbox_plan_leaves_terminal(const struct sandbox_plan *plan)
{
	return plan->privileges.new_session;
}

/* --- in the process ----------------------------------------------------------------------------
 */

/* Without no_new_privs the restrictions need a capability, which is dropped after them. */
static int lock_in(const struct sandbox_plan *plan, const struct variant *v, int ruleset,
		   const struct landlock_rule *extra, size_t extras, const char **ret_stage)
{
	int rc;

	*ret_stage = "landlock";
	rc = ruleset >= 0 ? landlock_restrict(ruleset)
			  : landlock_apply(&v->landlock, extra, extras);
	if (rc < 0)
		return rc;
	/* Not before the ruleset has been made, which takes descriptors. */
	*ret_stage = "rlimits";
	rc = rlimits_apply(&v->rlimits);
	if (rc < 0)
		return rc;
	*ret_stage = "seccomp";
	rc = filter_apply(&v->observed);
	if (rc == 0)
		rc = filter_apply(&v->filter);
	if (rc < 0 || plan->privileges.no_new_privs)
		return rc;
	*ret_stage = "capabilities";
	return privileges_drop(&plan->privileges);
}

int plan_restrict(const struct sandbox_plan *plan, const struct variant *v, int ruleset,
		  const struct landlock_rule *extra, size_t extras, const char **ret_stage)
{
	int rc;

	*ret_stage = "fds";
	rc = fds_apply(&plan->fds);
	if (rc == 0) {
		*ret_stage = "terminal";
		rc = privileges_leave_terminal(&plan->privileges);
	}
	if (rc == 0 && plan->privileges.no_new_privs) {
		*ret_stage = "capabilities";
		rc = privileges_drop(&plan->privileges);
	}
	if (rc == 0) {
		*ret_stage = "no_new_privs";
		rc = privileges_lock(&plan->privileges);
	}
	return rc < 0 ? rc : lock_in(plan, v, ruleset, extra, extras, ret_stage);
}

int sandbox_plan_apply(const struct sandbox_plan *plan, struct sandbox_failure *ret)
{
	const struct variant *v = plan->variant[NAMESPACES_NONE];
	int rc = v ? plan_restrict(plan, v, -1, NULL, 0, &ret->stage) : -EINVAL;

	if (!v)
		ret->stage = "a plan that is not for this use";
	ret->error = -rc;
	return rc < 0 ? -1 : 0;
}
