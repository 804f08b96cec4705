/* What contradicts itself in a policy, whatever the host. */
#include "sandbox/policy.h"

#include "base/cleanup.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>

static const char *const root_keys[SANDBOX_ROOTS] = {
	[SANDBOX_ROOT_WORKSPACE] = "workspace", [SANDBOX_ROOT_READ_ONLY] = "read_only",
	[SANDBOX_ROOT_READ] = "read",		[SANDBOX_ROOT_WRITE] = "write",
	[SANDBOX_ROOT_EXEC] = "exec",		[SANDBOX_ROOT_DENY] = "deny",
};

struct check {
	const struct sandbox_policy *policy;
	const struct policy_key *key; /* where it is wrong */
	struct error *err;
};

/* By their paths, and the ones that take away first. */
static int compare_roots(const void *a, const void *b)
{
	const struct policy_root *const *x = a, *const *y = b;
	int order = strcmp((*x)->path, (*y)->path);

	return order ? order : (int)(*y)->kind - (int)(*x)->kind;
}

static bool takes_from(const struct policy_root *taker, const struct policy_root *giver)
{
	if (taker->kind == SANDBOX_ROOT_DENY)
		return giver->kind != SANDBOX_ROOT_DENY;
	return taker->kind == SANDBOX_ROOT_READ_ONLY &&
	       (giver->kind == SANDBOX_ROOT_WRITE || giver->kind == SANDBOX_ROOT_WORKSPACE);
}

static int conflict(struct check *c, const struct policy_root *a, const struct policy_root *b)
{
	cleanup_buf struct buf quoted = BUF_INIT;
	const struct policy_root *taker = takes_from(a, b) ? a : b;
	const struct policy_root *giver = taker == a ? b : a;

	if (text_quote(&quoted, a->path, a->len) < 0)
		return error_no_memory(c->err);
	c->key = policy_key_find("fs", root_keys[taker->kind]);
	return error_set(c->err, ERR_INVALID, "%s is in fs.%s, too: it cannot be both", quoted.data,
			 root_keys[giver->kind]);
}

static int check_sorted(struct check *c, const struct policy_root **roots, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t j = i + 1; j < count && !strcmp(roots[i]->path, roots[j]->path); j++) {
			if (takes_from(roots[i], roots[j]) || takes_from(roots[j], roots[i]))
				return conflict(c, roots[i], roots[j]);
		}
	}
	return 0;
}

static int check_roots(struct check *c)
{
	const struct policy_roots *roots = &c->policy->roots;
	cleanup_free const struct policy_root **sorted = calloc(roots->count + 1, sizeof(*sorted));

	if (!sorted)
		return error_no_memory(c->err);
	for (size_t i = 0; i < roots->count; i++)
		sorted[i] = &roots->item[i];
	qsort(sorted, roots->count, sizeof(const struct policy_root *), compare_roots);
	return check_sorted(c, sorted, roots->count);
}

static int check_net(struct check *c)
{
	const struct sandbox_policy *p = c->policy;
	size_t ports = p->ports[SANDBOX_PORT_CONNECT].count + p->ports[SANDBOX_PORT_BIND].count;

	c->key = policy_key_find("net", "mode");
	if (p->net != SANDBOX_NET_TCP && ports)
		return error_set(c->err, ERR_INVALID,
				 "ports are for the mode \"tcp\", and this is \"%s\"",
				 policy_nets.name[p->net]);
	if (p->net == SANDBOX_NET_TCP && !ports)
		return error_set(c->err, ERR_INVALID,
				 "the mode \"tcp\" needs ports in net.tcp_connect or net.tcp_bind");
	if (p->net == SANDBOX_NET_LOOPBACK && p->namespaces[SANDBOX_NS_NET] == SANDBOX_USE_OFF)
		return error_set(c->err, ERR_INVALID,
				 "the mode \"loopback\" needs what namespaces.net switches off");
	return 0;
}

static int check_files(struct check *c)
{
	const struct policy_numbers *fds = &c->policy->fds;
	unsigned highest = fds->count ? fds->item[fds->count - 1] : 0;

	c->key = policy_key_find(NULL, "inherit_fds");
	if (highest >= c->policy->limits[SANDBOX_LIMIT_FILES])
		return error_set(
			c->err, ERR_INVALID, "limits.files is %llu: there can be no descriptor %u",
			(unsigned long long)c->policy->limits[SANDBOX_LIMIT_FILES], highest);
	return 0;
}

static int check_core(struct check *c)
{
	const uint64_t *limits = c->policy->limits;

	c->key = policy_key_find("limits", "core_mb");
	if (limits[SANDBOX_LIMIT_CORE_MB] != SANDBOX_NO_LIMIT &&
	    limits[SANDBOX_LIMIT_CORE_MB] > limits[SANDBOX_LIMIT_FILE_MB])
		return error_set(c->err, ERR_INVALID,
				 "a core is a file, and limits.file_mb is only %llu",
				 (unsigned long long)limits[SANDBOX_LIMIT_FILE_MB]);
	return 0;
}

static int check_env(struct check *c)
{
	const struct policy_variables *set = &c->policy->set, *remove = &c->policy->remove;

	c->key = policy_key_find("env", "set");
	for (size_t i = 0; i < set->count; i++) {
		for (size_t j = 0; j < remove->count; j++) {
			if (strcmp(set->item[i].name, remove->item[j].name) == 0)
				return error_set(c->err, ERR_INVALID,
						 "%s is in env.remove, too: it cannot be both",
						 set->item[i].name);
		}
	}
	return 0;
}

static int check_unix(struct check *c)
{
	c->key = policy_key_find("unix_sockets", "paths");
	if (c->policy->unix_paths.count && c->policy->unix_sockets != SANDBOX_UNIX_INSIDE)
		return error_set(c->err, ERR_INVALID,
				 "paths are for the mode \"inside\", and this is \"%s\"",
				 policy_unixes.name[c->policy->unix_sockets]);
	return 0;
}

static int (*const checks[])(struct check *c) = {check_roots, check_net, check_files,
						 check_core,  check_env, check_unix};

int policy_check(const struct sandbox_policy *policy, const struct policy_key **ret_key,
		 struct error *err)
{
	struct check c = {policy, NULL, err};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(checks) / sizeof(checks[0]); i++)
		rc = checks[i](&c);
	if (rc < 0)
		*ret_key = c.key;
	return rc;
}

int sandbox_policy_check(const struct sandbox_policy *policy, struct error *err)
{
	const struct policy_key *key = NULL;
	int rc = policy_check(policy, &key, err);

	if (rc != ERR_INVALID)
		return rc;
	return error_wrap(err, rc, "%s%s%s", key->section ? key->section : "",
			  key->section ? "." : "", key->name);
}
