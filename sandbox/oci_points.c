/*
 * What a profile and the groups of a policy tell apart in a call. Both look at arguments, one by
 * one, by comparing them with constants; so a few values of each argument stand for all that it can
 * have, and a few combinations for all calls there can be.
 */
#include "sandbox/oci.h"

#include "sandbox/policy.h"

static const unsigned char strictness[SANDBOX_ACTIONS] = {
	[SANDBOX_ACTION_ALLOW] = 0, [SANDBOX_ACTION_LOG] = 1,  [SANDBOX_ACTION_ERRNO] = 2,
	[SANDBOX_ACTION_TRAP] = 3,  [SANDBOX_ACTION_KILL] = 4,
};

bool oci_refuses(struct sandbox_action action)
{
	return action.kind != SANDBOX_ACTION_ALLOW && action.kind != SANDBOX_ACTION_LOG;
}

bool oci_is_stricter(struct sandbox_action a, struct sandbox_action b)
{
	return strictness[a.kind] > strictness[b.kind];
}

/* --- what the profile says of a point --------------------------------------------------------- */

static bool holds(const struct oci_condition *c, const uint64_t *args)
{
	uint64_t arg = args[c->arg];

	switch (c->op) {
	case OCI_NE:
		return arg != c->value;
	case OCI_LT:
		return arg < c->value;
	case OCI_LE:
		return arg <= c->value;
	case OCI_EQ:
		return arg == c->value;
	case OCI_GE:
		return arg >= c->value;
	case OCI_GT:
		return arg > c->value;
	default:
		return (arg & c->value) == c->value_two;
	}
}

bool oci_rule_holds(const struct oci_rule *rule, const uint64_t *args)
{
	size_t held = 0;

	for (size_t i = 0; i < rule->condition_count; i++)
		held += holds(&rule->condition[i], args);
	return held == rule->condition_count || (rule->either && held > 0);
}

bool oci_is_decided(const struct oci_profile *p, unsigned call)
{
	for (unsigned at = p->last_use[call]; at; at = p->use[at - 1].next)
		if (p->rule[p->use[at - 1].rule].condition_count == 0)
			return true;
	return p->last_use[call] == 0;
}

/* As libseccomp has it: a rule for all arguments decides, the first one of these; else those that
 * hold do. Which one of several, depends on its version: the strictest one. */
struct sandbox_action oci_action_at(const struct oci_profile *p, const struct oci_point *point)
{
	struct sandbox_action found = p->otherwise;
	bool decided = false, matched = false;

	for (unsigned at = p->last_use[point->call]; at; at = p->use[at - 1].next) {
		const struct oci_rule *rule = &p->rule[p->use[at - 1].rule];

		if (rule->condition_count == 0)
			decided = true;
		else if (decided || !oci_rule_holds(rule, point->args))
			continue;
		if (rule->condition_count == 0 || !matched || oci_is_stricter(rule->action, found))
			found = rule->action;
		matched = true;
	}
	return found;
}

/* --- what the groups say of it ---------------------------------------------------------------- */

static bool test_holds(const struct call_test *test, const uint64_t *args)
{
	uint64_t arg = args[test->arg & ~CALL_HIGH];
	uint32_t half = (uint32_t)(test->arg & CALL_HIGH ? arg >> 32 : arg) & test->mask;

	switch (test->match) {
	case CALL_MATCH_IN:
		return half == test->value[0] || half == test->value[1];
	case CALL_MATCH_NOT_IN:
		return half != test->value[0] && half != test->value[1];
	case CALL_MATCH_BITS:
		return half != 0;
	default:
		return half == 0;
	}
}

static size_t test_count(const struct call_rule *rule)
{
	size_t count = 0;

	while (count < CALL_TESTS && rule->tests[count].match != CALL_MATCH_NONE)
		count++;
	return count;
}

static bool call_rule_holds(const struct call_rule *rule, const uint64_t *args)
{
	for (size_t i = 0; i < test_count(rule); i++)
		if (!test_holds(&rule->tests[i], args))
			return false;
	return true;
}

/* Rules of modes count when they are of those of the default policy. */
static bool is_active(const struct call_rule *rule)
{
	return rule->group != CALL_RULE || rule->when & (CALL_NET(NONE) | CALL_UNIX(INSIDE));
}

/* Those of one call. More than any call has. */
#define GROUP_RULES 16

struct group_rules {
	const struct call_rule *item[GROUP_RULES];
	size_t count;
};

static void find_rules(struct group_rules *rules, unsigned call)
{
	rules->count = 0;
	for (size_t i = 0; i < call_rule_count && rules->count < GROUP_RULES; i++)
		if (call_rules[i].number == (int)call && is_active(&call_rules[i]))
			rules->item[rules->count++] = &call_rules[i];
}

/* Of the rules that hold, one of a mode is the first, and decides. */
static void find_keys(const struct group_rules *rules, struct oci_point *point)
{
	point->keys = 0;
	point->refusal = 0;
	for (size_t i = 0; i < rules->count; i++) {
		const struct call_rule *rule = rules->item[i];

		if (!call_rule_holds(rule, point->args))
			continue;
		if (rule->group == CALL_RULE) {
			point->keys = rule->refusal ? OCI_KEY_NET : OCI_KEY_UNIX;
			return;
		}
		point->keys |= 1U << rule->group;
		if (rule->refusal)
			point->refusal = rule->refusal;
	}
}

/* --- the points ------------------------------------------------------------------------------- */

#define VALUES_MAX 2048
#define MASKS_MAX  8
/* Of points times conditions: what is more is not to be weighed. */
#define WORK_MAX   (1U << 18)

struct values {
	uint64_t item[VALUES_MAX];
	size_t count;
	uint64_t group_mask[MASKS_MAX]; /* of the groups */
	size_t group_masks;
	uint64_t mask; /* of the profile */
	bool masked, ordered;
	bool half; /* the kernel has an int there */
	bool whole;
	bool full; /* more than there is room for, or than can be told apart */
};

struct product {
	struct group_rules rules;
	struct values arg[OCI_ARGS];
	size_t conditions;
};

static void add_value(struct values *v, uint64_t value)
{
	if (v->half && !v->whole && value > UINT32_MAX)
		return;
	for (size_t i = 0; i < v->count; i++)
		if (v->item[i] == value)
			return;
	if (v->count < VALUES_MAX)
		v->item[v->count++] = value;
	else
		v->full = true;
}

static void add_bits(struct values *v, uint64_t value)
{
	for (unsigned bit = 0; bit < 64; bit++)
		add_value(v, value ^ UINT64_C(1) << bit);
}

static void add_around(struct values *v, uint64_t value)
{
	add_value(v, value);
	if (value > 0)
		add_value(v, value - 1);
	if (value < UINT64_MAX)
		add_value(v, value + 1);
}

/* Two masks for one argument, or a mask and an order, cut it into pieces that are not sought here.
 */
static void add_condition(struct values *v, const struct oci_condition *c)
{
	if (c->op == OCI_MASKED_EQ) {
		v->full |= v->masked && v->mask != c->value;
		v->masked = true;
		v->mask = c->value;
		add_value(v, c->value_two);
		add_bits(v, c->value_two);
		add_value(v, c->value_two | ~c->value);
	} else {
		v->ordered |= c->op != OCI_EQ && c->op != OCI_NE;
		add_around(v, c->value);
	}
	v->full |= v->masked && v->ordered;
}

static void add_test(struct values *v, const struct call_test *test)
{
	unsigned shift = test->arg & CALL_HIGH ? 32 : 0;
	bool by_value = test->match == CALL_MATCH_IN || test->match == CALL_MATCH_NOT_IN;

	for (size_t i = 0; by_value && i < 2; i++) {
		add_around(v, (uint64_t)test->value[i] << shift);
		add_value(v, (uint64_t)(test->value[i] | ~test->mask) << shift);
	}
	if (by_value)
		return;
	add_bits(v, 0);
	if (v->group_masks < MASKS_MAX)
		v->group_mask[v->group_masks++] = (uint64_t)test->mask << shift;
	else
		v->full = true;
}

typedef void test_fn(struct values *v, const struct call_test *test);

static void each_test(struct product *p, test_fn *fn)
{
	for (size_t i = 0; i < p->rules.count; i++) {
		const struct call_rule *rule = p->rules.item[i];

		for (size_t t = 0; t < test_count(rule); t++)
			fn(&p->arg[rule->tests[t].arg & ~CALL_HIGH], &rule->tests[t]);
	}
}

/* Where a group looks at the low half only, the kernel does. */
static void note_half(struct values *v, const struct call_test *test)
{
	v->half = true;
	v->whole |= (test->arg & CALL_HIGH) != 0;
}

static void add_conditions(struct product *p, const struct oci_profile *profile, unsigned call)
{
	for (unsigned at = profile->last_use[call]; at; at = profile->use[at - 1].next) {
		const struct oci_rule *rule = &profile->rule[profile->use[at - 1].rule];

		for (size_t i = 0; i < rule->condition_count; i++)
			add_condition(&p->arg[rule->condition[i].arg], &rule->condition[i]);
		p->conditions += rule->condition_count;
	}
}

/* Each of what is there, with all and with none of the bits that a group looks at. */
static void add_masked(struct values *v)
{
	for (size_t m = 0; m < v->group_masks; m++) {
		for (size_t i = v->count; i-- > 0;) {
			add_value(v, v->item[i] | v->group_mask[m]);
			add_value(v, v->item[i] & ~v->group_mask[m]);
		}
	}
}

/* An argument that nobody looks at has one value. Whether all can be gone through. */
static bool complete(struct product *p)
{
	size_t work = p->conditions + 1;

	for (size_t i = 0; i < OCI_ARGS; i++) {
		struct values *v = &p->arg[i];
		bool looked_at = v->count > 0;

		add_value(v, 0);
		if (looked_at) {
			add_value(v, UINT32_MAX);
			add_value(v, UINT64_MAX);
			add_masked(v);
		}
		if (v->full || work > WORK_MAX / v->count)
			return false;
		work *= v->count;
	}
	return true;
}

/* The values themselves need not be zeroed. */
static void begin(struct product *p, unsigned call)
{
	for (size_t i = 0; i < OCI_ARGS; i++) {
		struct values *v = &p->arg[i];

		v->count = v->group_masks = 0;
		v->mask = 0;
		v->masked = v->ordered = v->half = v->whole = v->full = false;
	}
	p->conditions = 0;
	find_rules(&p->rules, call);
}

/* The next combination: the first argument turns fastest. */
static bool turn(const struct product *p, size_t *at)
{
	for (size_t i = 0; i < OCI_ARGS; i++) {
		if (++at[i] < p->arg[i].count)
			return true;
		at[i] = 0;
	}
	return false;
}

int oci_each_point(const struct oci_profile *profile, unsigned call, oci_point_fn *fn, void *ctx,
		   bool *ret_all)
{
	struct oci_point point = {.call = call};
	size_t at[OCI_ARGS] = {0};
	struct product p;
	int rc;

	begin(&p, call);
	each_test(&p, note_half);
	each_test(&p, add_test);
	if (!oci_is_decided(profile, call))
		add_conditions(&p, profile, call);
	*ret_all = complete(&p);
	if (!*ret_all)
		return 0;
	do {
		for (size_t i = 0; i < OCI_ARGS; i++)
			point.args[i] = p.arg[i].item[at[i]];
		find_keys(&p.rules, &point);
		rc = fn(ctx, &point);
	} while (rc == 0 && turn(&p, at));
	return rc;
}
