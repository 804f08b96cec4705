/* Explaining denials: is it the sandbox that kept a program from something, and which part of it?
 */
#include "sandbox/denial_parts.h"

#include "base/cleanup.h"
#include "sandbox/kernel_calls_linux.h"
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const evidences[] = {
	[SANDBOX_EVIDENCE_KERNEL] = "kernel",
	[SANDBOX_EVIDENCE_OBSERVED] = "observed",
	[SANDBOX_EVIDENCE_INFERRED] = "inferred",
};

const char *sandbox_evidence_name(enum sandbox_evidence evidence)
{
	if ((unsigned)evidence >= sizeof(evidences) / sizeof(evidences[0]))
		return NULL;
	return evidences[evidence];
}

int explain_by(struct explained *e, enum sandbox_mechanism mechanism,
	       enum sandbox_evidence evidence, const char *why, ...)
{
	va_list args;

	e->ret->mechanism = mechanism;
	e->ret->evidence = evidence;
	va_start(args, why);
	vsnprintf(e->ret->why, sizeof(e->ret->why), why, args);
	va_end(args);
	return 1;
}

bool explain_is_taken(const struct explained *e, int capability)
{
	const struct privileges *p = &e->plan->privileges;

	return capability >= 0 && p->drop && (p->had >> capability & 1) &&
	       !(p->keep >> capability & 1);
}

/* --- the filter of system calls ----------------------------------------------------------------
 */

/* What makes sockets past the filter must not be there when the filter is to refuse them. */
static void open_way_around(struct explained *e, const struct sandbox_policy *policy)
{
	const uint32_t ways = 1U << SANDBOX_SYSCALLS_IO_URING | 1U << SANDBOX_SYSCALLS_FOREIGN_ABI;
	bool can_have_net = e->variant->namespaces.flags != 0;

	if (!(e->fix.groups & ways))
		return;
	if (policy->net == SANDBOX_NET_TCP)
		e->fix.net = SANDBOX_NET_FULL;
	if (policy->net == SANDBOX_NET_NONE &&
	    e->plan->policy->namespaces[SANDBOX_NS_NET] != SANDBOX_USE_ON)
		e->fix.net = can_have_net ? SANDBOX_NET_LOOPBACK : SANDBOX_NET_FULL;
	if (policy->unix_sockets == SANDBOX_UNIX_NONE)
		e->fix.unix_mode =
			e->variant->needs.no_unix ? SANDBOX_UNIX_ALL : SANDBOX_UNIX_INSIDE;
}

/* Makes the policy one in which this rule refuses nothing. */
static void lift_rule(struct explained *e, const struct call_rule *rule,
		      struct sandbox_policy *policy)
{
	const unsigned unixes = CALL_UNIX(NONE) | CALL_UNIX(INSIDE) | CALL_UNIX(ALL);

	if (rule->group != CALL_RULE) {
		policy->syscalls[rule->group].kind = SANDBOX_ACTION_ALLOW;
		e->fix.groups |= 1U << rule->group;
	} else if (rule->when & unixes) {
		policy->unix_sockets =
			e->variant->needs.no_unix ? SANDBOX_UNIX_ALL : SANDBOX_UNIX_INSIDE;
		e->fix.unix_mode = policy->unix_sockets;
	} else if (rule->when & CALL_UNBOUND) {
		static unsigned any; /* port */

		policy->ports[SANDBOX_PORT_BIND].item = &any;
		policy->ports[SANDBOX_PORT_BIND].count = 1;
		e->fix.port[SANDBOX_PORT_BIND] = 0;
	} else {
		policy->net = SANDBOX_NET_FULL;
		e->fix.net = SANDBOX_NET_FULL;
	}
}

/* What one rule refuses another one may, too. */
static void lift_all(struct explained *e, struct sandbox_policy *policy)
{
	const struct call_rule *rule;

	while ((rule = filter_find(policy, e->seen->number, e->seen->args)))
		lift_rule(e, rule, policy);
	open_way_around(e, policy);
}

static int tell_rule(struct explained *e, const struct call_rule *rule)
{
	const struct sandbox_policy *own = e->plan->policy;
	const enum sandbox_mechanism mech = SANDBOX_MECH_SECCOMP;
	const enum sandbox_evidence kernel = SANDBOX_EVIDENCE_KERNEL;

	if (rule->group != CALL_RULE)
		return explain_by(e, mech, kernel, "the group %s of system calls is refused",
				  policy_group_name(rule->group));
	if (rule->when & CALL_UNIX(NONE))
		return explain_by(e, mech, kernel, "unix_sockets.mode is \"%s\"%s",
				  policy_unixes.name[own->unix_sockets],
				  e->variant->needs.no_unix
					  ? ", and those outside cannot be kept away here"
					  : "");
	if (rule->when & CALL_UNBOUND)
		return explain_by(e, mech, kernel,
				  "net.mode is \"tcp\" without a port in net.tcp_bind: nothing "
				  "listens, since the system could choose a port");
	if (rule->when & CALL_NET(TCP) && rule->refusal != EACCES)
		return explain_by(e, mech, kernel,
				  "net.mode is \"tcp\", whose ports this would go around");
	return explain_by(e, mech, kernel, "net.mode is \"%s\"%s", policy_nets.name[own->net],
			  e->variant->needs.no_ip ? ", and no network namespace can be made here"
						  : "");
}

static bool is_let(const struct sandbox_policy *policy, enum sandbox_syscalls group)
{
	const enum sandbox_action_kind kind = policy->syscalls[group].kind;

	return kind == SANDBOX_ACTION_ALLOW || kind == SANDBOX_ACTION_LOG;
}

static int explain_foreign(struct explained *e, struct sandbox_policy *policy)
{
	bool x32 = e->seen->arch == call_audit_arch;

	if (is_let(policy, SANDBOX_SYSCALLS_FOREIGN_ABI))
		return 0;
	e->fix.groups |= 1U << SANDBOX_SYSCALLS_FOREIGN_ABI;
	open_way_around(e, policy);
	e->call = NULL;
	e->ret->call = "syscall";
	snprintf(e->ret->arguments, sizeof(e->ret->arguments), "%u",
		 (unsigned)e->seen->number & ~(x32 ? call_foreign_from : 0));
	return explain_by(e, SANDBOX_MECH_SECCOMP, SANDBOX_EVIDENCE_KERNEL,
			  "the group foreign_abi of system calls is refused: this one is of %s",
			  x32 ? "x32" : "another machine (32 bit)");
}

static bool is_foreign(const struct sandbox_observation *seen)
{
	return seen->arch != call_audit_arch || (call_foreign_from && seen->number > 0 &&
						 (uint32_t)seen->number >= call_foreign_from);
}

#define SOCKET_TYPE 0xfU /* the rest of the argument are flags */

/* Of calls whose arguments decide it. */
static bool needs_by_arguments(const struct explained *e)
{
	const uint64_t *args = e->seen->args;
	const uint64_t other = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
			       CLONE_NEWPID | CLONE_NEWNET;
	const int family = (int)args[0];

	switch (e->seen->number) {
	case SYS_clone:
	case SYS_unshare:
		return (args[0] & other) && !(args[0] & CLONE_NEWUSER);
	case SYS_socket:
		return family == AF_PACKET || ((family == AF_INET || family == AF_INET6) &&
					       (args[1] & SOCKET_TYPE) == SOCK_RAW);
	default:
		return false;
	}
}

static bool needs_capability(const struct explained *e)
{
	const unsigned must = e->call ? e->call->must : 0;

	if (must >= CALL_MUST_IF(0))
		return e->seen->args[must - CALL_MUST_IF(0)] != 0;
	return must || needs_by_arguments(e);
}

/* The kernel asks for a capability that the caller does not have, nor the program in a user
 * namespace of the sandbox's or of its own. A signal instead of an errno is another matter. */
static bool fails_anyway(const struct explained *e)
{
	const struct privileges *p = &e->plan->privileges;

	return e->seen->what == SANDBOX_SEEN_CALL && p->drop && needs_capability(e) &&
	       !((p->had | p->keep) >> e->call->capability & 1) &&
	       !is_let(e->plan->policy, SANDBOX_SYSCALLS_NAMESPACES);
}

/* ENOSYS for clone3, and for what kernels will have one day, makes programs do it in another way.
 */
int explain_filter(struct explained *e)
{
	struct sandbox_policy policy = filter_policy(e->plan->policy, &e->variant->needs);
	const struct call_rule *rule;

	if (!e->variant->filter.len)
		return 0;
	if (is_foreign(e->seen))
		return explain_foreign(e, &policy);
	if (e->seen->error == ENOSYS && e->seen->number == SYS_clone3)
		return 0;
	rule = filter_find(&policy, e->seen->number, e->seen->args);
	if (!rule || fails_anyway(e))
		return 0;
	tell_rule(e, rule);
	lift_all(e, &policy);
	return 1;
}

/* --- capabilities ------------------------------------------------------------------------------
 */

int explain_capability(struct explained *e)
{
	const struct call_known *call = e->call;
	int want = call->act == ACT_PRIORITY ? EACCES : EPERM, capability = call->capability;

	if ((e->seen->error != EPERM && e->seen->error != want) || !explain_may_be(e) ||
	    !explain_is_taken(e, capability))
		return 0;
	if (call->act == ACT_NAMESPACES && (e->seen->args[0] & CLONE_NEWUSER))
		return 0;
	e->fix.capability = capability;
	return explain_by(e, SANDBOX_MECH_CAPABILITIES, SANDBOX_EVIDENCE_OBSERVED,
			  "the capability %s has been dropped",
			  policy_capabilities.name[capability]);
}

/* --- all of it ---------------------------------------------------------------------------------
 */

static int explain_call(struct explained *e)
{
	static int (*const ways[])(struct explained * e) = {
		explain_limit,	   explain_network,    explain_files,
		explain_signal_to, explain_capability,
	};
	int found = 0;

	if (e->seen->filtered)
		return explain_filter(e);
	if (is_foreign(e->seen))
		return 0;
	for (size_t i = 0; e->call && !found && i < sizeof(ways) / sizeof(ways[0]); i++)
		found = ways[i](e);
	return found;
}

static int explain(struct explained *e)
{
	switch (e->seen->what) {
	case SANDBOX_SEEN_CALL:
		return explain_call(e);
	case SANDBOX_SEEN_SIGNAL:
		return explain_signal(e);
	default:
		return explain_end(e);
	}
}

static int refuse(struct error *err, const char *why)
{
	return error_set(err, ERR_INVALID, "an observation that cannot be: %s", why);
}

static int check_end(const struct sandbox_observation *seen, struct error *err)
{
	if (!seen->result)
		return refuse(err, "an end without a result");
	if ((unsigned)seen->result->end > SANDBOX_END_UNKNOWN)
		return refuse(err, "an end of no kind");
	return 0;
}

static bool are_absolute(const char *const *paths)
{
	while (paths && *paths && **paths == '/')
		paths++;
	return !paths || !*paths;
}

static int check_places(const struct sandbox_observation *seen, struct error *err)
{
	if ((seen->path && seen->path[0] != '/') || (seen->path2 && seen->path2[0] != '/'))
		return refuse(err, "a path that is not absolute");
	if (!are_absolute(seen->interpreters))
		return refuse(err, "a path that is not absolute");
	if ((seen->path2 && !seen->path) || (seen->interpreters && !seen->path2))
		return refuse(err, "a second path without a first one");
	if (!seen->address != !seen->address_len ||
	    seen->address_len > sizeof(struct sockaddr_storage))
		return refuse(err, "the length of an address");
	return 0;
}

#define ERRNO_MAX 4095

static int check(const struct sandbox_observation *seen, struct error *err)
{
	if ((unsigned)seen->what > SANDBOX_SEEN_END)
		return refuse(err, "of no kind");
	if (seen->pid < 0)
		return refuse(err, "the number of a process");
	if ((unsigned)seen->outside > SANDBOX_OUTSIDE_YES)
		return refuse(err, "the value of outside");
	if (seen->what == SANDBOX_SEEN_END)
		return check_end(seen, err);
	if (seen->what == SANDBOX_SEEN_SIGNAL && (seen->signal <= 0 || seen->signal >= NSIG))
		return refuse(err, "the number of a signal");
	if (seen->what == SANDBOX_SEEN_CALL && (seen->error <= 0 || seen->error > ERRNO_MAX))
		return refuse(err, "a call without an error");
	return check_places(seen, err);
}

static int begin(struct explained *e)
{
	const struct sandbox_observation *seen = e->seen;

	e->ret->pid = seen->pid;
	e->ret->error = seen->what == SANDBOX_SEEN_CALL ? seen->error : 0;
	e->ret->signal = seen->what == SANDBOX_SEEN_SIGNAL ? seen->signal : 0;
	if (seen->what == SANDBOX_SEEN_END)
		return 0;
	if (!is_foreign(seen))
		e->call = call_known(seen->number);
	return show_what(seen, e->ret->what, sizeof(e->ret->what));
}

static int finish(struct explained *e)
{
	if (e->call) {
		e->ret->call = e->call->name;
		show_arguments(e, e->ret->arguments, sizeof(e->ret->arguments));
	}
	return fix_write(&e->fix, e->plan->policy, e->ret);
}

int sandbox_explain(const struct sandbox_plan *plan, const struct sandbox_observation *seen,
		    struct sandbox_denial *ret, struct error *err)
{
	cleanup_free struct sandbox_denial *own = NULL;
	struct explained e = {plan, NULL, seen, NULL, NULL, FIX_INIT};
	int rc = check(seen, err);

	if (rc < 0)
		return rc;
	own = calloc(1, sizeof(*own));
	if (!own)
		return error_no_memory(err);
	e.ret = own;
	/* Variants live as long as their plan; which have been made shows to nobody. */
	rc = plan_started((struct sandbox_plan *)plan, &e.variant, err);
	if (rc < 0)
		return rc;
	rc = begin(&e);
	if (rc == 0)
		rc = explain(&e);
	if (rc > 0 && finish(&e) < 0)
		rc = ERR_NOMEM;
	if (rc < 0)
		return error_no_memory(err);
	if (rc > 0)
		*ret = *own;
	return rc;
}
