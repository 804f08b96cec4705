/* Landlock alone: a ruleset that handles the bits of setup_arg. */
#include "conformance/probe/probe.h"

#include "sandbox/kernel_linux.h"
#include <fcntl.h>
#include <linux/prctl.h>
#include <unistd.h>

#define RESTRICT_TSYNC 8 /* Linux 7.0 */

/* Of all bits of Landlock these are for files, too; a rule of a file may have no others. */
static long add_path(struct probe *p, long ruleset, const char *path, uint64_t rights)
{
	struct ll_path_beneath_attr rule = {.allowed_access = rights};
	long rc;

	rule.parent_fd = (int32_t)probe_need(
		p, "open", CALL4(SYS_openat, AT_FDCWD, path, O_PATH | O_CLOEXEC, 0));
	rc = CALL4(SYS_landlock_add_rule, ruleset, LL_RULE_PATH_BENEATH, &rule, 0);
	close(rule.parent_fd);
	return rc;
}

static long add_port(long ruleset, unsigned port, uint64_t rights)
{
	const struct ll_net_port_attr rule = {.allowed_access = rights, .port = port};

	return CALL4(SYS_landlock_add_rule, ruleset, LL_RULE_NET_PORT, &rule, 0);
}

static long create(const struct ll_ruleset_attr *attr)
{
	size_t size = attr->scoped		 ? sizeof(*attr)
		      : attr->handled_access_net ? offsetof(struct ll_ruleset_attr, scoped)
						 : sizeof(uint64_t);

	return CALL3(SYS_landlock_create_ruleset, attr, size, 0);
}

/* Its own stages, since each can fail for another reason. */
static long enforce_with(struct probe *p, long ruleset, unsigned flags)
{
	probe_need(p, "no_new_privs", CALL5(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	probe_need(p, "restrict_self", CALL2(SYS_landlock_restrict_self, ruleset, flags));
	close((int)ruleset);
	return 0;
}

static long enforce(struct probe *p, long ruleset)
{
	return enforce_with(p, ruleset, 0);
}

/* The working directory is always granted, the outer one where the act is. */
static long restrict_files(struct probe *p, bool granted, unsigned flags)
{
	const struct ll_ruleset_attr attr = {.handled_access_fs = p->setup_arg};
	long ruleset = probe_need(p, "create_ruleset", create(&attr));

	probe_need(p, "add_rule", add_path(p, ruleset, p->in, p->setup_arg));
	if (granted)
		probe_need(p, "add_rule", add_path(p, ruleset, p->out, p->setup_arg));
	return enforce_with(p, ruleset, flags);
}

long setup_landlock_fs(struct probe *p, bool granted)
{
	return restrict_files(p, granted, 0);
}

/* And of the other threads, too. */
long setup_landlock_threads(struct probe *p, bool granted)
{
	return restrict_files(p, granted, RESTRICT_TSYNC);
}

/* All paths are granted, where the act is; to what is in none of our directories. */
long setup_landlock_root(struct probe *p, bool granted)
{
	const struct ll_ruleset_attr attr = {.handled_access_fs = p->setup_arg};
	long ruleset = probe_need(p, "create_ruleset", create(&attr));

	probe_need(p, "add_rule", add_path(p, ruleset, granted ? "/" : p->in, p->setup_arg));
	return enforce(p, ruleset);
}

/* All is granted but the right to read in the outer directory: what is moved from there must not
 * get rights by it. */
long setup_landlock_link(struct probe *p, bool granted)
{
	const uint64_t all = LL_FS_REFER | LL_FS_READ_FILE;
	const struct ll_ruleset_attr attr = {.handled_access_fs = all};
	long ruleset = probe_need(p, "create_ruleset", create(&attr));

	probe_need(p, "add_rule", add_path(p, ruleset, p->in, all));
	probe_need(p, "add_rule", add_path(p, ruleset, p->out, granted ? all : LL_FS_REFER));
	return enforce(p, ruleset);
}

/* Nothing is moved between directories by who does not handle that right, either. */
long setup_landlock_refer(struct probe *p, bool granted)
{
	const uint64_t all = LL_FS_EXECUTE | (granted ? LL_FS_REFER : 0);
	const struct ll_ruleset_attr attr = {.handled_access_fs = all};
	long ruleset = probe_need(p, "create_ruleset", create(&attr));

	probe_need(p, "add_rule", add_path(p, ruleset, p->in, all));
	probe_need(p, "add_rule", add_path(p, ruleset, p->out, all));
	return enforce(p, ruleset);
}

/* Moving away is granted, and making what is left behind is not. */
long setup_landlock_whiteout(struct probe *p, bool granted)
{
	const uint64_t all = LL_FS_MAKE_REG | LL_FS_MAKE_CHAR | LL_FS_REFER;
	const struct ll_ruleset_attr attr = {.handled_access_fs = all};
	long ruleset = probe_need(p, "create_ruleset", create(&attr));

	probe_need(p, "add_rule", add_path(p, ruleset, p->in, all));
	probe_need(p, "add_rule", add_path(p, ruleset, p->out, granted ? all : LL_FS_REFER));
	return enforce(p, ruleset);
}

/* What each ruleset of files denies, whatever it grants. What is no such ruleset has that of ports,
 * from ABI 4 on, when setup_arg is that of a mount, and is nothing else. */
long setup_landlock_any(struct probe *p, bool granted)
{
	const struct ll_ruleset_attr files = {.handled_access_fs = LL_FS_MAKE_BLOCK};
	const struct ll_ruleset_attr ports = {.handled_access_net = LL_NET_BIND_TCP};
	long ruleset;

	if (!granted)
		return enforce(p, probe_need(p, "create_ruleset", create(&files)));
	ruleset = p->setup_arg ? create(&ports) : -1;
	return ruleset < 0 ? 0 : enforce(p, ruleset);
}

/* The port of ours is granted, or the one above it. */
long setup_landlock_net(struct probe *p, bool granted)
{
	const struct ll_ruleset_attr attr = {.handled_access_net = p->setup_arg};
	long ruleset = probe_need(p, "create_ruleset", create(&attr));
	const bool udp = p->setup_arg & (LL_NET_BIND_UDP | LL_NET_CONNECT_SEND_UDP);
	unsigned ours = udp ? p->udp : p->tcp, port = granted ? ours : (ours ^ 1);

	probe_need(p, "add_rule", add_port(ruleset, port, p->setup_arg));
	return enforce(p, ruleset);
}

/* A scope has no rules: what is granted is another scope than the act is in. */
long setup_landlock_scope(struct probe *p, bool granted)
{
	const uint64_t all = LL_SCOPE_ABSTRACT_UNIX | LL_SCOPE_SIGNAL;
	const struct ll_ruleset_attr attr = {.scoped =
						     granted ? all & ~p->setup_arg : p->setup_arg};

	return enforce(p, probe_need(p, "create_ruleset", create(&attr)));
}
