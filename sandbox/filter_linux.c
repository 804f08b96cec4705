/* From a policy to the filter of system calls, and its installation. */
#include "sandbox/filter.h"

#include "sandbox/filter_code.h"
#include "sandbox/kernel_calls_linux.h"
#include <errno.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MECH SANDBOX_MECH_SECCOMP

/* --- what becomes of each call ---------------------------------------------------------------- */

/* Of rules that hold at the same time the one with the lower rank decides. */
static const int ranks[SANDBOX_ACTIONS] = {
	[SANDBOX_ACTION_KILL] = 1, [SANDBOX_ACTION_TRAP] = 2,  [SANDBOX_ACTION_ERRNO] = 3,
	[SANDBOX_ACTION_LOG] = 4,  [SANDBOX_ACTION_ALLOW] = 5,
};

struct decision {
	const struct call_rule *rule;
	uint32_t action; /* SECCOMP_RET_* */
	int rank;
};

#define DECISIONS 16 /* more than any call has rules */

struct decisions {
	struct decision item[DECISIONS];
	unsigned count;
};

static uint32_t errno_action(int number)
{
	return number ? SECCOMP_RET_ERRNO | (uint32_t)number : SECCOMP_RET_ALLOW;
}

static uint32_t group_action(const struct sandbox_policy *policy, int group)
{
	const struct sandbox_action *action = &policy->syscalls[group];

	switch (action->kind) {
	case SANDBOX_ACTION_ERRNO:
		return errno_action(action->number);
	case SANDBOX_ACTION_KILL:
		return SECCOMP_RET_KILL_PROCESS;
	case SANDBOX_ACTION_TRAP:
		return SECCOMP_RET_TRAP | (uint32_t)(group + 1);
	case SANDBOX_ACTION_LOG:
		return SECCOMP_RET_LOG;
	default:
		return SECCOMP_RET_ALLOW;
	}
}

static bool refuses(const struct sandbox_policy *policy, int group)
{
	return policy->syscalls[group].kind != SANDBOX_ACTION_ALLOW &&
	       policy->syscalls[group].kind != SANDBOX_ACTION_LOG;
}

static struct decision decide_by_group(const struct sandbox_policy *policy,
				       const struct call_rule *rule)
{
	struct decision d = {rule, group_action(policy, rule->group),
			     ranks[policy->syscalls[rule->group].kind]};

	if (rule->refusal && refuses(policy, rule->group))
		d.action = errno_action(rule->refusal);
	return d;
}

static bool is_of_mode(const struct sandbox_policy *policy, const struct call_rule *rule)
{
	unsigned modes = 1U << policy->net | 0x100U << policy->unix_sockets;

	if (policy->net == SANDBOX_NET_TCP && policy->ports[SANDBOX_PORT_BIND].count == 0)
		modes |= CALL_UNBOUND;
	return rule->when & modes;
}

static void insert(struct decisions *list, const struct decision *d)
{
	unsigned at = list->count++;

	for (; at > 0 && list->item[at - 1].rank > d->rank; at--)
		list->item[at] = list->item[at - 1];
	list->item[at] = *d;
}

static void add(struct decisions *list, const struct sandbox_policy *policy,
		const struct call_rule *rule)
{
	struct decision d = {rule, errno_action(rule->refusal), 0};

	if (rule->group == CALL_RULE && !is_of_mode(policy, rule))
		return;
	if (rule->group != CALL_RULE)
		d = decide_by_group(policy, rule);
	if (list->count < DECISIONS)
		insert(list, &d);
}

/* At the end stands what holds when no rule does, so what allows there says nothing. */
static void drop_needless(struct decisions *list)
{
	while (list->count > 0 && list->item[list->count - 1].action == SECCOMP_RET_ALLOW)
		list->count--;
}

/* --- what becomes of one call ------------------------------------------------------------------
 */

static bool test_holds(const struct call_test *test, const uint64_t args[6])
{
	uint64_t arg = args[test->arg & ~CALL_HIGH];
	uint32_t half = (uint32_t)(test->arg & CALL_HIGH ? arg >> 32 : arg) & test->mask;
	bool in = half == test->value[0] || half == test->value[1];

	switch (test->match) {
	case CALL_MATCH_IN:
		return in;
	case CALL_MATCH_NOT_IN:
		return !in;
	case CALL_MATCH_BITS:
		return half != 0;
	default:
		return half == 0;
	}
}

static bool rule_holds(const struct call_rule *rule, const uint64_t args[6])
{
	for (int i = 0; i < CALL_TESTS && rule->tests[i].match != CALL_MATCH_NONE; i++)
		if (!test_holds(&rule->tests[i], args))
			return false;
	return true;
}

const struct call_rule *filter_find(const struct sandbox_policy *policy, int number,
				    const uint64_t args[6])
{
	struct decisions list = {.count = 0};

	for (size_t i = 0; i < call_rule_count; i++)
		if (call_rules[i].number == number)
			add(&list, policy, &call_rules[i]);
	for (unsigned i = 0; i < list.count; i++) {
		const struct decision *d = &list.item[i];

		if (rule_holds(d->rule, args))
			return d->action == SECCOMP_RET_ALLOW || d->action == SECCOMP_RET_LOG
				       ? NULL
				       : d->rule;
	}
	return NULL;
}

/* --- the program ------------------------------------------------------------------------------ */

/* Rules by the number of their call, as lists: indices into call_rules[], from 1 on. */
struct by_number {
	unsigned short head[KERNEL_CALLS_END];
	unsigned short next[CALL_RULES_MAX];
};

static void sort_rules(struct by_number *sorted)
{
	memset(sorted->head, 0, sizeof(sorted->head));
	for (size_t i = call_rule_count; i-- > 0;) {
		unsigned short *head = &sorted->head[call_rules[i].number];

		sorted->next[i] = *head;
		*head = (unsigned short)(i + 1);
	}
}

static unsigned emit_call(struct code *c, const struct sandbox_policy *policy,
			  const struct by_number *sorted, unsigned number)
{
	struct decisions list;
	unsigned at = code_return(c, SECCOMP_RET_ALLOW);

	list.count = 0;
	for (unsigned i = sorted->head[number]; i; i = sorted->next[i - 1])
		add(&list, policy, &call_rules[i - 1]);
	drop_needless(&list);
	while (list.count > 0) {
		const struct decision *d = &list.item[--list.count];

		at = code_rule(c, d->rule, code_return(c, d->action), at);
	}
	return at;
}

/* What several spans have in common is one. */
static size_t add_span(struct code_span *spans, size_t count, uint32_t first, unsigned at)
{
	if (count == 0 || spans[count - 1].at != at)
		spans[count++] = (struct code_span){first, at};
	return count;
}

_Static_assert(KERNEL_CALLS_END + 4 <= CODE_SPANS, "a span for each call, and the strange ones");

struct build {
	struct code code;
	struct by_number sorted;
	struct code_span spans[CODE_SPANS + 1];
	size_t span_count;
	unsigned looked_at; /* calls that are not simply allowed */
};

static void add_calls(struct build *b, const struct sandbox_policy *policy)
{
	unsigned allowed = code_return(&b->code, SECCOMP_RET_ALLOW);

	for (unsigned number = 0; number < KERNEL_CALLS_END; number++) {
		unsigned at = emit_call(&b->code, policy, &b->sorted, number);

		b->span_count = add_span(b->spans, b->span_count, number, at);
		b->looked_at += at != allowed;
	}
}

/*
 * What kernels will have nobody has decided about. Above that nothing is refused: the kernel
 * refuses it anyway, and a tracer whose own made-up calls went through here would get the filter's
 * answer. -1 is no call of another ABI, but what a tracer makes of a call to skip it.
 */
static void add_strange(struct build *b, unsigned foreign)
{
	unsigned allowed = code_return(&b->code, SECCOMP_RET_ALLOW);
	size_t n = b->span_count;

	n = add_span(b->spans, n, KERNEL_CALLS_END, code_return(&b->code, errno_action(ENOSYS)));
	n = add_span(b->spans, n, KERNEL_CALLS_ROOM, allowed);
	if (call_foreign_from) {
		n = add_span(b->spans, n, call_foreign_from, foreign);
		n = add_span(b->spans, n, UINT32_MAX, allowed);
	}
	b->span_count = n;
	b->spans[n] = (struct code_span){UINT32_MAX, allowed};
}

static void compose(struct build *b, const struct sandbox_policy *policy)
{
	unsigned foreign;

	sort_rules(&b->sorted);
	add_calls(b, policy);
	foreign = code_return(&b->code, group_action(policy, SANDBOX_SYSCALLS_FOREIGN_ABI));
	add_strange(b, foreign);
	code_begin(&b->code, code_search(&b->code, b->spans, b->span_count), foreign);
	code_finish(&b->code);
}

static int generate(const struct sandbox_policy *policy, struct error *err, struct filter *ret,
		    unsigned *ret_looked_at)
{
	struct build b;
	int rc = code_new(&b.code, err);

	if (rc < 0)
		return rc;
	b.span_count = 0;
	b.looked_at = 0;
	compose(&b, policy);
	rc = code_take(&b.code, "the filter of system calls", ret, err);
	if (rc == 0)
		*ret_looked_at = b.looked_at;
	return rc;
}

/* --- what it promises ------------------------------------------------------------------------- */

static bool asks_for_something(const struct sandbox_policy *policy)
{
	for (int i = 0; i < SANDBOX_SYSCALLS_COUNT; i++)
		if (policy->syscalls[i].kind != SANDBOX_ACTION_ALLOW)
			return true;
	return policy->net == SANDBOX_NET_NONE || policy->net == SANDBOX_NET_TCP ||
	       policy->unix_sockets == SANDBOX_UNIX_NONE;
}

/* A filter without a program is refused with EFAULT where one with a program would be taken. */
static int try_kernel(void)
{
	int saved = errno, e;

	e = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL) < 0 ? errno : 0;
	errno = saved;
	return e == EFAULT || !error_errno_name(e) ? 0 : e;
}

/* The way around the rules for sockets that the policy itself opens; NULL: none. */
static const char *way_around(const struct sandbox_policy *policy)
{
	if (!refuses(policy, SANDBOX_SYSCALLS_FOREIGN_ABI))
		return "foreign_abi";
	return refuses(policy, SANDBOX_SYSCALLS_IO_URING) ? NULL : "io_uring";
}

static int judge_way_around(const struct judge *judge, const char *around, const char *key,
			    const char *mode, const char *way_out)
{
	return judge_missing(judge, MECH, SANDBOX_STATE_PARTIAL,
			     "syscalls.%s is allowed, which makes sockets past the filter, and %s "
			     "is \"%s\"%s",
			     around, key, mode, way_out);
}

/* `policy` is the one that the filter is made of, the judge's the one that was asked for. */
static int judge_sockets(const struct judge *judge, const struct sandbox_policy *policy)
{
	const char *around = way_around(policy);
	const char *net = policy_nets.name[judge->policy->net];
	const char *unixes = policy_unixes.name[judge->policy->unix_sockets];
	bool loopback = judge->policy->net == SANDBOX_NET_LOOPBACK;
	bool nets = policy->namespaces[SANDBOX_NS_NET] == SANDBOX_USE_ON && !loopback;

	if (!around)
		return 0;
	if (policy->net == SANDBOX_NET_NONE && !nets)
		return judge_way_around(judge, around, "net.mode", net,
					loopback ? "" : " (namespaces.net = \"on\" closes that)");
	if (policy->net == SANDBOX_NET_TCP)
		return judge_way_around(judge, around, "net.mode", net, "");
	if (policy->unix_sockets == SANDBOX_UNIX_NONE)
		return judge_way_around(judge, around, "unix_sockets.mode", unixes, "");
	return 0;
}

static void judge_gaps(const struct judge *judge)
{
	const struct sandbox_policy *policy = judge->policy;

	if (!refuses(policy, SANDBOX_SYSCALLS_FOREIGN_ABI))
		judge_partial(judge, MECH,
			      "calls of other ABIs are allowed, whatever group they are of");
	if (!refuses(policy, SANDBOX_SYSCALLS_SOCKETS) && policy->net != SANDBOX_NET_FULL)
		judge_partial(judge, MECH,
			      "sockets of all kinds are allowed, so net.mode holds for TCP and "
			      "UDP only");
}

/* Where there is no filter that could refuse it. */
static int judge_needs(const struct judge *judge, const struct filter_needs *needs)
{
	int rc = 0;

	if (needs->no_ip)
		rc = judge_missing(judge, SANDBOX_MECH_LANDLOCK_NET, SANDBOX_STATE_UNAVAILABLE,
				   "net.mode is \"loopback\", and without a network namespace and "
				   "seccomp the whole network can be reached");
	if (rc == 0 && needs->no_unix)
		rc = judge_missing(judge, SANDBOX_MECH_LANDLOCK_FS, SANDBOX_STATE_PARTIAL,
				   "unix sockets outside can be connected to before Linux 7.1 "
				   "without a mount namespace and seccomp");
	return rc;
}

static void judge_lessened(const struct judge *judge, const struct filter_needs *needs)
{
	if (needs->no_ip)
		judge_partial(judge, MECH,
			      "sockets of IP are refused: there is no network namespace that has "
			      "nothing but a loopback");
	if (needs->no_unix)
		judge_partial(judge, MECH,
			      "unix sockets are refused: this host cannot keep those outside away");
}

static int prepare(const struct judge *judge, const struct sandbox_policy *policy,
		   const struct filter_needs *needs, struct filter *ret)
{
	unsigned looked_at = 0;
	int e = try_kernel();
	int rc;

	if (e) {
		rc = judge_missing(judge, MECH, SANDBOX_STATE_UNAVAILABLE,
				   "this host does not let filters be installed (%s)",
				   error_errno_name(e));
		return rc < 0 ? rc : judge_needs(judge, needs);
	}
	rc = judge_sockets(judge, policy);
	if (rc == 0)
		rc = generate(policy, judge->err, ret, &looked_at);
	if (rc < 0)
		return rc;
	judge_lessened(judge, needs);
	judge_gaps(judge);
	judge_enforced(judge, MECH, "%u system calls are refused or looked at", looked_at);
	return 0;
}

struct sandbox_policy filter_policy(const struct sandbox_policy *policy,
				    const struct filter_needs *needs)
{
	struct sandbox_policy own = *policy;

	if (needs->no_ip)
		own.net = SANDBOX_NET_NONE;
	if (needs->no_unix)
		own.unix_sockets = SANDBOX_UNIX_NONE;
	return own;
}

int filter_prepare(const struct judge *judge, const struct filter_needs *needs, struct filter *ret)
{
	struct sandbox_policy policy = filter_policy(judge->policy, needs);
	struct filter filter = {0};
	int rc = 0;

	if (judge_is_off(judge, MECH))
		rc = judge_needs(judge, needs);
	else if (asks_for_something(&policy))
		rc = prepare(judge, &policy, needs, &filter);
	if (rc == 0)
		*ret = filter;
	return rc;
}

void filter_free(struct filter *f)
{
	free(f->code);
	*f = (struct filter){0};
}

int filter_apply(const struct filter *f)
{
	const struct sock_fprog program = {f->len, f->code};
	int saved = errno, rc = 0;

	if (f->len && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0) {
		rc = -errno;
		errno = saved;
	}
	return rc;
}
