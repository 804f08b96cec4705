/* Landlock: what of a policy it enforces on this kernel, the ruleset, and entering it. */
#include "sandbox/landlock.h"

#include "base/cleanup.h"
#include "sandbox/kernel_linux.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ABI_OF_SCOPES = 6 };

/* --- which rights ----------------------------------------------------------------------------- */

#define FILE_RIGHTS                                                                                \
	(LL_FS_EXECUTE | LL_FS_WRITE_FILE | LL_FS_READ_FILE | LL_FS_TRUNCATE | LL_FS_IOCTL_DEV |   \
	 LL_FS_RESOLVE_UNIX)

/* All rights of an ABI are those of its row and the ones before. */
static const struct {
	int abi;
	uint64_t fs, net, scope;
} rights_since[] = {
	{1, LL_FS_REFER - 1, 0, 0},    {2, LL_FS_REFER, 0, 0},
	{3, LL_FS_TRUNCATE, 0, 0},     {4, 0, LL_NET_BIND_TCP | LL_NET_CONNECT_TCP, 0},
	{5, LL_FS_IOCTL_DEV, 0, 0},    {6, 0, 0, LL_SCOPE_ABSTRACT_UNIX | LL_SCOPE_SIGNAL},
	{9, LL_FS_RESOLVE_UNIX, 0, 0}, {10, 0, LL_NET_BIND_UDP | LL_NET_CONNECT_SEND_UDP, 0},
};

static struct landlock all_of(int abi)
{
	struct landlock all = LANDLOCK_INIT;

	for (size_t i = 0; i < sizeof(rights_since) / sizeof(rights_since[0]); i++) {
		if (rights_since[i].abi > abi)
			break;
		all.fs |= rights_since[i].fs;
		all.net |= rights_since[i].net;
		all.scope |= rights_since[i].scope;
	}
	return all;
}

/*
 * Moving from one directory to another takes REFER in both, besides the rights to remove and to
 * make. Nothing gains rights by it: the kernel refuses to move where more is granted. Device files
 * are never made. What RESOLVE_UNIX grants is named by the policy one by one.
 */
static const struct {
	unsigned operation;
	uint64_t access;
} rights_of[] = {
	{SANDBOX_OP_READ_TEXT, LL_FS_READ_FILE},
	{SANDBOX_OP_LIST, LL_FS_READ_DIR},
	{SANDBOX_OP_WRITE_TEXT, LL_FS_WRITE_FILE | LL_FS_TRUNCATE | LL_FS_IOCTL_DEV |
					LL_FS_MAKE_REG | LL_FS_MAKE_DIR | LL_FS_MAKE_SYM |
					LL_FS_MAKE_FIFO | LL_FS_MAKE_SOCK | LL_FS_REFER},
	{SANDBOX_OP_DELETE, LL_FS_REMOVE_FILE | LL_FS_REMOVE_DIR | LL_FS_REFER},
	{SANDBOX_OP_EXEC, LL_FS_EXECUTE},
};

uint64_t landlock_access(unsigned operations, bool is_dir, int abi)
{
	uint64_t access = 0;

	for (size_t i = 0; i < sizeof(rights_of) / sizeof(rights_of[0]); i++)
		if (operations & rights_of[i].operation)
			access |= rights_of[i].access;
	return access & all_of(abi).fs & (is_dir ? ~UINT64_C(0) : FILE_RIGHTS);
}

/* --- what is left open ------------------------------------------------------------------------ */

int landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LL_CREATE_VERSION);

	return abi < 0 ? -errno : (int)abi;
}

static const char *why_none(int abi)
{
	switch (-abi) {
	case ENOSYS:
		return "this kernel has no Landlock (Linux 5.13 has)";
	case EOPNOTSUPP:
		return "Landlock is off: it is not in lsm= of the kernel's command line";
	default:
		return "the kernel's Landlock cannot be asked";
	}
}

/* Whether something must not be seen to be there; what mounts hide is not. */
static bool hides_what_exists(const struct sandbox_policy *policy, bool masked)
{
	for (size_t i = 0; i < policy->roots.count; i++) {
		enum sandbox_root kind = policy->roots.item[i].kind;

		if ((kind == SANDBOX_ROOT_DENY && !masked) ||
		    (kind == SANDBOX_ROOT_WORKSPACE && !(policy->operations & SANDBOX_OP_EXISTS)))
			return true;
	}
	return false;
}

bool landlock_misses_truncate(const struct judge *judge, int abi)
{
	return abi > 0 && abi < 3 &&
	       judge_strictness(judge, SANDBOX_MECH_LANDLOCK_FS) != SANDBOX_STRICT_OFF;
}

static int decide_truncate(const struct judge *judge, const struct landlock_around *around)
{
	const enum sandbox_mechanism which = SANDBOX_MECH_LANDLOCK_FS;

	if (!landlock_misses_truncate(judge, around->abi))
		return 0;
	if (!around->read_only)
		return judge_missing(judge, which, SANDBOX_STATE_PARTIAL,
				     "files that must not be written can be emptied by truncate "
				     "(Linux 6.2 refuses it)");
	judge_partial(judge, which,
		      "truncate: refused by read-only mounts, but for files as streams");
	return 0;
}

static int decide_files(const struct judge *judge, const struct landlock_around *around,
			struct landlock *l)
{
	const enum sandbox_mechanism which = SANDBOX_MECH_LANDLOCK_FS;
	int unix_sockets = judge->policy->unix_sockets, abi = around->abi;
	int rc;

	if (judge_is_off(judge, which))
		return 0;
	if (abi <= 0)
		return judge_missing(judge, which, SANDBOX_STATE_UNAVAILABLE, "%s", why_none(abi));
	l->fs = all_of(abi).fs;
	if (unix_sockets == SANDBOX_UNIX_ALL)
		l->fs &= ~LL_FS_RESOLVE_UNIX;
	rc = decide_truncate(judge, around);
	if (rc == 0 && abi < 5)
		judge_partial(judge, which,
			      "ioctl on devices that can only be read (before Linux 6.10)");
	if (rc == 0 && abi < 9 && unix_sockets == SANDBOX_UNIX_INSIDE)
		judge_partial(judge, which,
			      "unix sockets by path, unless hidden (before Linux 7.1)");
	if (rc == 0 && (judge->policy->operations & (SANDBOX_OP_EXEC | SANDBOX_OP_READ_TEXT)) ==
			       SANDBOX_OP_EXEC)
		judge_partial(judge, which, "nothing is executed that cannot be read, too");
	if (rc == 0 && hides_what_exists(judge->policy, around->masked))
		judge_partial(judge, which, "stat sees what is denied");
	return rc;
}

static int decide_net(const struct judge *judge, int abi, struct landlock *l)
{
	const enum sandbox_mechanism which = SANDBOX_MECH_LANDLOCK_NET;
	int net = judge->policy->net;

	if (judge_is_off(judge, which))
		return 0;
	if (net != SANDBOX_NET_NONE && net != SANDBOX_NET_TCP)
		return 0;
	l->net = all_of(abi).net;
	if (abi >= 10)
		judge_enforced(judge, which, "TCP and UDP ports");
	else if (abi >= 4)
		judge_enforced(judge, which, "TCP ports");
	else if (net == SANDBOX_NET_TCP)
		return judge_missing(judge, which, SANDBOX_STATE_UNAVAILABLE,
				     "TCP ports cannot be told apart before Linux 6.7");
	else if (judge_strictness(judge, SANDBOX_MECH_SECCOMP) == SANDBOX_STRICT_OFF)
		return judge_missing(judge, which, SANDBOX_STATE_UNAVAILABLE,
				     "TCP cannot be refused before Linux 6.7, and seccomp is off");
	else
		judge_partial(judge, which,
			      "seccomp alone refuses sockets (Linux 6.7 refuses ports, too)");
	return 0;
}

bool landlock_misses_abstract(const struct judge *judge, int abi)
{
	const struct sandbox_policy *policy = judge->policy;

	return abi < ABI_OF_SCOPES && policy->net == SANDBOX_NET_NONE &&
	       policy->unix_sockets == SANDBOX_UNIX_INSIDE &&
	       judge_strictness(judge, SANDBOX_MECH_LANDLOCK_SCOPE) != SANDBOX_STRICT_OFF;
}

/* The scopes that nothing else stands for. */
static uint64_t scopes_needed(const struct sandbox_policy *policy,
			      const struct landlock_around *around, uint64_t scope)
{
	bool no_sockets = policy->unix_sockets == SANDBOX_UNIX_NONE &&
			  policy->strictness[SANDBOX_MECH_SECCOMP] != SANDBOX_STRICT_OFF;

	if (no_sockets || around->own_net)
		scope &= ~LL_SCOPE_ABSTRACT_UNIX;
	if (around->own_pids)
		scope &= ~LL_SCOPE_SIGNAL;
	return scope;
}

static int decide_scope(const struct judge *judge, const struct landlock_around *around,
			struct landlock *l)
{
	const enum sandbox_mechanism which = SANDBOX_MECH_LANDLOCK_SCOPE;
	uint64_t wanted = LL_SCOPE_SIGNAL | LL_SCOPE_ABSTRACT_UNIX, needed;

	if (judge_is_off(judge, which))
		return 0;
	if (judge->policy->unix_sockets == SANDBOX_UNIX_ALL)
		wanted &= ~LL_SCOPE_ABSTRACT_UNIX;
	l->scope = wanted & all_of(around->abi).scope;
	if (around->abi >= ABI_OF_SCOPES) {
		judge_enforced(judge, which, "signals%s",
			       wanted & LL_SCOPE_ABSTRACT_UNIX ? ", abstract sockets" : "");
		return 0;
	}
	needed = scopes_needed(judge->policy, around, wanted);
	if (!needed) {
		judge_partial(judge, which,
			      "not before Linux 6.12: other mechanisms keep what it would");
		return 0;
	}
	return judge_missing(
		judge, which, SANDBOX_STATE_UNAVAILABLE,
		"before Linux 6.12 it cannot refuse %s%s%s",
		needed & LL_SCOPE_SIGNAL
			? "signals to processes outside (namespaces.pid = \"on\" does)"
			: "",
		needed == wanted && wanted & LL_SCOPE_ABSTRACT_UNIX ? ", and " : "",
		needed & LL_SCOPE_ABSTRACT_UNIX
			? "abstract sockets outside (unix_sockets.mode = \"none\" does)"
			: "");
}

int landlock_decide(const struct judge *judge, const struct landlock_around *around,
		    struct landlock *l)
{
	int abi = around->abi, rc;

	l->abi = abi > 0 ? abi : 0;
	rc = decide_files(judge, around, l);
	if (rc == 0)
		rc = decide_net(judge, abi, l);
	if (rc == 0)
		rc = decide_scope(judge, around, l);
	return rc;
}

/* --- the ruleset ------------------------------------------------------------------------------ */

/* What stands in the place of a child's stdio would be lost there. The descriptor, or -1. */
static int above_stdio_take(int fd)
{
	int higher;

	if (fd < 0 || fd > 2)
		return fd;
	higher = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	cleanup_close_fn(&fd);
	return higher;
}

static int create(const struct landlock *l)
{
	const struct ll_ruleset_attr attr = {l->fs, l->net, l->scope};

	return (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
}

static int add_file(int ruleset, int fd, uint64_t access)
{
	const struct ll_path_beneath_attr attr = {access, fd};

	return (int)syscall(SYS_landlock_add_rule, ruleset, LL_RULE_PATH_BENEATH, &attr, 0);
}

/* Rules that grant nothing are an error of the kernel's. */
static int add_ports(int ruleset, const struct landlock *l)
{
	static const uint64_t access[SANDBOX_PORTS] = {
		[SANDBOX_PORT_CONNECT] = LL_NET_CONNECT_TCP,
		[SANDBOX_PORT_BIND] = LL_NET_BIND_TCP,
	};

	for (int kind = 0; l->net && kind < SANDBOX_PORTS; kind++) {
		for (size_t i = 0; i < l->port_count[kind]; i++) {
			const struct ll_net_port_attr attr = {access[kind], l->ports[kind][i]};

			if (syscall(SYS_landlock_add_rule, ruleset, LL_RULE_NET_PORT, &attr, 0) < 0)
				return -1;
		}
	}
	return 0;
}

static int name_rule(struct landlock *l, const char *path, uint64_t access, struct error *err)
{
	struct landlock_named *grown = realloc(l->named, (l->named_count + 1) * sizeof(*l->named));
	char *own = strdup(path);

	if (grown)
		l->named = grown;
	if (!grown || !own) {
		free(own);
		return error_no_memory(err);
	}
	grown[l->named_count++] = (struct landlock_named){own, access};
	return 0;
}

static int no_descriptor(struct error *err)
{
	int code = errno;
	const char *way_out = error_way_out(code);
	int rc = error_sys(err, code, "cannot keep descriptors for Landlock");

	return way_out ? error_advise(err, rc, way_out) : rc;
}

static int add_access_take(struct landlock *l, int fd, const char *path, uint64_t access,
			   struct error *err)
{
	cleanup_close int own = fd;

	if (!(access & l->fs))
		return 0;
	if (l->ruleset >= 0 && add_file(l->ruleset, own, access & l->fs) < 0)
		return error_sys(err, errno, "cannot add a rule to a Landlock ruleset");
	l->rules++;
	return name_rule(l, path, access & l->fs, err);
}

int landlock_add_take(struct landlock *l, int fd, const char *path, unsigned operations,
		      struct error *err)
{
	cleanup_close int own = fd;
	struct stat st;

	if (fstat(own, &st) < 0)
		return error_sys(err, errno, "cannot look at a root");
	return add_access_take(l, steal_fd(&own), path,
			       landlock_access(operations, S_ISDIR(st.st_mode), l->abi), err);
}

int landlock_add_name(struct landlock *l, const char *path, bool is_dir, unsigned operations,
		      struct error *err)
{
	uint64_t access = landlock_access(operations, is_dir, l->abi) & l->fs;

	if (!access)
		return 0;
	l->rules++;
	return name_rule(l, path, access, err);
}

/* A socket that is not there is not granted. */
static int add_unix_path(const struct judge *judge, const struct policy_root *path,
			 struct landlock *l)
{
	cleanup_close int fd = open(path->path, O_PATH | O_CLOEXEC);
	struct error told;

	if (fd >= 0)
		return add_access_take(l, steal_fd(&fd), path->path, LL_FS_RESOLVE_UNIX,
				       judge->err);
	if (path->optional && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	error_sys(&told, errno, "the unix socket %s", path->path);
	if (judge_strictness(judge, SANDBOX_MECH_LANDLOCK_FS) == SANDBOX_STRICT_ENFORCE) {
		if (judge->err)
			*judge->err = told;
		return told.code;
	}
	if (judge->say)
		judge->say(judge->say_ctx, told.text);
	return 0;
}

static int add_unix_paths(const struct judge *judge, struct landlock *l)
{
	const struct policy_roots *paths = &judge->policy->unix_paths;
	int rc = 0;

	for (size_t i = 0; rc == 0 && l->fs & LL_FS_RESOLVE_UNIX && i < paths->count; i++)
		rc = add_unix_path(judge, &paths->item[i], l);
	return rc;
}

static int take_ports(const struct judge *judge, struct landlock *l)
{
	for (int kind = 0; l->net && kind < SANDBOX_PORTS; kind++) {
		const struct policy_numbers *ports = &judge->policy->ports[kind];

		if (!ports->count)
			continue;
		l->ports[kind] = malloc(ports->count * sizeof(*ports->item));
		if (!l->ports[kind])
			return error_no_memory(judge->err);
		memcpy(l->ports[kind], ports->item, ports->count * sizeof(*ports->item));
		l->port_count[kind] = ports->count;
	}
	return 0;
}

static bool is_on(const struct landlock *l)
{
	return l->fs || l->net || l->scope;
}

static int make_ruleset(const struct judge *judge, struct landlock *l)
{
	l->ruleset = create(l);
	if (l->ruleset < 0)
		return error_sys(judge->err, errno, "cannot make a Landlock ruleset");
	l->ruleset = above_stdio_take(l->ruleset);
	if (l->ruleset < 0)
		return no_descriptor(judge->err);
	if (add_ports(l->ruleset, l) < 0)
		return error_sys(judge->err, errno, "cannot add a port to a Landlock ruleset");
	return 0;
}

/* Where mounts are made, there are rules for what is in them, so that each child makes its own. */
static int make(const struct judge *judge, const struct sandbox_paths *paths, bool masked,
		struct landlock *l)
{
	int rc = take_ports(judge, l);

	if (rc == 0 && is_on(l) && !masked)
		rc = make_ruleset(judge, l);
	if (rc == 0 && is_on(l))
		rc = add_unix_paths(judge, l);
	return rc == 0 && l->fs ? landlock_add_roots(judge, paths, masked, l) : rc;
}

int landlock_prepare(const struct judge *judge, const struct sandbox_paths *paths,
		     const struct landlock_around *around, struct landlock *ret)
{
	struct landlock l = LANDLOCK_INIT;
	int rc = landlock_decide(judge, around, &l);

	if (rc == 0)
		rc = make(judge, paths, around->masked, &l);
	if (rc < 0) {
		landlock_free(&l);
		return rc;
	}
	*ret = l;
	return 0;
}

void landlock_free(struct landlock *l)
{
	for (size_t i = 0; i < l->named_count; i++)
		free(l->named[i].path);
	free(l->named);
	for (int kind = 0; kind < SANDBOX_PORTS; kind++)
		free(l->ports[kind]);
	if (l->ruleset >= 0)
		close(l->ruleset);
	*l = (struct landlock)LANDLOCK_INIT;
}

/* --- in the process that is restricted -------------------------------------------------------- */

/* A file that has come in the place of a directory has the rights of a file: to others the kernel
 * says EINVAL. */
static int add_as_it_is(int ruleset, int fd, uint64_t access)
{
	if (!access || add_file(ruleset, fd, access) == 0)
		return 0;
	if (errno != EINVAL || !(access & ~FILE_RIGHTS))
		return -1;
	access &= FILE_RIGHTS;
	return access ? add_file(ruleset, fd, access) : 0;
}

static int add_named(int ruleset, const struct landlock *l)
{
	const struct open_how how = {
		.flags = O_PATH | O_CLOEXEC | O_NOFOLLOW,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	for (size_t i = 0; i < l->named_count; i++) {
		cleanup_close int fd =
			(int)syscall(SYS_openat2, AT_FDCWD, l->named[i].path, &how, sizeof(how));

		if (fd < 0 &&
		    (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == EACCES))
			continue;
		if (fd < 0 || add_as_it_is(ruleset, fd, l->named[i].access) < 0)
			return -1;
	}
	return 0;
}

/* The descriptor, or -1 with errno. */
static int make_extended(const struct landlock *l, const struct landlock_rule *extra, size_t extras)
{
	cleanup_close int ruleset = create(l);

	if (ruleset < 0 || add_ports(ruleset, l) < 0 || add_named(ruleset, l) < 0)
		return -1;
	for (size_t i = 0; i < extras; i++)
		if (add_as_it_is(ruleset, extra[i].fd, extra[i].access & l->fs) < 0 &&
		    errno != EBADFD) /* a memfd, which no rule is needed for */
			return -1;
	return steal_fd(&ruleset);
}

int landlock_extend(const struct landlock *l, const struct landlock_rule *extra, size_t extras)
{
	int ruleset = above_stdio_take(make_extended(l, extra, extras));

	return ruleset < 0 ? -errno : ruleset;
}

int landlock_restrict(int ruleset)
{
	return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 0;
}

static int enter(const struct landlock *l, const struct landlock_rule *extra, size_t extras)
{
	cleanup_close int extended = -1;

	if (!is_on(l))
		return 0;
	if (l->ruleset >= 0 && (!extras || !l->fs))
		return landlock_restrict(l->ruleset);
	extended = make_extended(l, extra, extras);
	return extended < 0 ? -errno : landlock_restrict(extended);
}

int landlock_apply(const struct landlock *l, const struct landlock_rule *extra, size_t extras)
{
	int before = errno; /* that of the parent, when its memory is shared */
	int rc = enter(l, extra, extras);

	errno = before;
	return rc;
}
