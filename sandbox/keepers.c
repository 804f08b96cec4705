/* Which mechanisms keep what each key of a policy says, in a plan. */
#include "sandbox/compiled.h"

#include <stdio.h>
#include <string.h>

#define BIT(mechanism) (1U << SANDBOX_MECH_##mechanism)

/* Keys and sections of which the policy does not change who keeps them. */
static const struct {
	const char *section;
	const char *name; /* NULL: all of the section */
	unsigned mechanisms;
} fixed[] = {
	{"fs", "workspace", BIT(LANDLOCK_FS)},
	{"fs", "operations", BIT(LANDLOCK_FS)},
	{"fs", "read", BIT(LANDLOCK_FS)},
	{"fs", "write", BIT(LANDLOCK_FS)},
	{"fs", "exec", BIT(LANDLOCK_FS)},
	{"net", "tcp_connect", BIT(LANDLOCK_NET)},
	{"net", "tcp_bind", BIT(LANDLOCK_NET)},
	{"syscalls", NULL, BIT(SECCOMP)},
	{"limits", "cpu_s", BIT(RLIMITS)},
	{"limits", "files", BIT(RLIMITS)},
	{"limits", "file_mb", BIT(RLIMITS)},
	{"limits", "core_mb", BIT(RLIMITS)},
	{"env", NULL, BIT(ENV)},
	{"namespaces", NULL, BIT(NAMESPACES)},
	{NULL, "tty", BIT(TTY)},
	{NULL, "capabilities", BIT(CAPABILITIES) | BIT(NO_NEW_PRIVS)},
	{NULL, "inherit_fds", BIT(FDS)},
};

static bool is(const struct policy_key *key, const char *section, const char *name)
{
	bool same = key->section && section ? strcmp(key->section, section) == 0
					    : key->section == section;

	return same && (!name || strcmp(key->name, name) == 0);
}

static unsigned keepers_of_cuts(const struct variant *v)
{
	return BIT(LANDLOCK_FS) | (namespaces_have_mounts(&v->namespaces) ? BIT(NAMESPACES) : 0);
}

static unsigned keepers_of_tmp(const struct sandbox_policy *policy, const struct variant *v)
{
	if (policy->tmp != SANDBOX_TMP_PRIVATE)
		return BIT(LANDLOCK_FS);
	return v->private_tmp ? BIT(LANDLOCK_FS) | BIT(ENV) : keepers_of_cuts(v);
}

static unsigned keepers_of_net(const struct sandbox_policy *policy, const struct variant *v)
{
	static const unsigned by_net[SANDBOX_NETS] = {
		[SANDBOX_NET_NONE] = BIT(SECCOMP) | BIT(LANDLOCK_NET),
		[SANDBOX_NET_LOOPBACK] = BIT(NAMESPACES),
		[SANDBOX_NET_TCP] = BIT(SECCOMP) | BIT(LANDLOCK_NET),
		[SANDBOX_NET_FULL] = 0,
	};

	return v->needs.no_ip ? BIT(SECCOMP) : by_net[policy->net];
}

static unsigned keepers_of_sockets(const struct sandbox_policy *policy, const struct variant *v)
{
	static const unsigned by_mode[] = {
		[SANDBOX_UNIX_NONE] = BIT(SECCOMP),
		[SANDBOX_UNIX_INSIDE] = BIT(LANDLOCK_SCOPE) | BIT(LANDLOCK_FS),
		[SANDBOX_UNIX_ALL] = 0,
	};
	unsigned keepers = by_mode[policy->unix_sockets];

	if (v->needs.no_unix)
		return BIT(SECCOMP);
	return policy->unix_sockets == SANDBOX_UNIX_INSIDE ? keepers | keepers_of_cuts(v) : keepers;
}

static unsigned keepers_of_limit(const struct sandbox_plan *plan, enum sandbox_limit limit)
{
	return cgroup_keeps(plan->cgroup, limit) ? BIT(CGROUP) : BIT(RLIMITS);
}

static unsigned keepers(const struct sandbox_plan *plan, const struct variant *v,
			const struct policy_key *key)
{
	if (is(key, "fs", "deny") || is(key, "fs", "read_only"))
		return keepers_of_cuts(v);
	if (is(key, "fs", "tmp"))
		return keepers_of_tmp(plan->policy, v);
	if (is(key, "net", "mode"))
		return keepers_of_net(plan->policy, v);
	if (is(key, "unix_sockets", NULL))
		return keepers_of_sockets(plan->policy, v);
	if (is(key, "limits", "memory_mb") || is(key, "limits", "processes"))
		return keepers_of_limit(plan, (enum sandbox_limit)key->index);
	if (is(key, "fs", NULL) && v->namespaces.holes.read_only)
		return BIT(LANDLOCK_FS) | BIT(NAMESPACES);
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		if (is(key, fixed[i].section, fixed[i].name))
			return fixed[i].mechanisms;
	return 0;
}

void sandbox_plan_keepers(const struct sandbox_plan *plan, sandbox_keeper call, void *ctx)
{
	const struct variant *v = plan_likely(plan);

	for (size_t i = 0; i < policy_key_count; i++) {
		const struct policy_key *key = &policy_keys[i];
		char name[64];

		if (key->names == &policy_strictnesses || is(key, NULL, "level") ||
		    key->kind == POLICY_PRESETS || key->names == &policy_limits)
			continue;
		snprintf(name, sizeof(name), "%s%s%s", key->section ? key->section : "",
			 key->section ? "." : "", key->name);
		call(ctx, name, keepers(plan, v, key));
	}
}
