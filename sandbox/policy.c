/* A policy in memory: its defaults, and the calls that set one member. */
#include "sandbox/policy.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
	unsigned operations;
	struct sandbox_action processes;
	enum sandbox_net net;
} by_level[SANDBOX_LEVELS] = {
	[SANDBOX_LEVEL_NONE] = {0, {SANDBOX_ACTION_ERRNO, EPERM}, SANDBOX_NET_NONE},
	[SANDBOX_LEVEL_READ_ONLY] = {POLICY_OPS_READ,
				     {SANDBOX_ACTION_ERRNO, EPERM},
				     SANDBOX_NET_NONE},
	[SANDBOX_LEVEL_WORKSPACE_WRITE] = {POLICY_OPS_READ | SANDBOX_OP_WRITE_TEXT |
						   SANDBOX_OP_DELETE,
					   {SANDBOX_ACTION_ERRNO, EPERM},
					   SANDBOX_NET_NONE},
	[SANDBOX_LEVEL_PROCESS_EXEC] = {POLICY_OPS_ALL,
					{SANDBOX_ACTION_ALLOW, 0},
					SANDBOX_NET_NONE},
	[SANDBOX_LEVEL_NETWORK] = {POLICY_OPS_ALL, {SANDBOX_ACTION_ALLOW, 0}, SANDBOX_NET_FULL},
};

/* ENOSYS where programs then do without; EPERM where that would be a lie. */
static const int refusals[SANDBOX_SYSCALLS_COUNT] = {
	[SANDBOX_SYSCALLS_FOREIGN_ABI] = ENOSYS, [SANDBOX_SYSCALLS_SOCKETS] = EAFNOSUPPORT,
	[SANDBOX_SYSCALLS_TTY_INJECT] = EPERM,	 [SANDBOX_SYSCALLS_NAMESPACES] = EPERM,
	[SANDBOX_SYSCALLS_MOUNT] = EPERM,	 [SANDBOX_SYSCALLS_DEBUG] = EPERM,
	[SANDBOX_SYSCALLS_IO_URING] = ENOSYS,	 [SANDBOX_SYSCALLS_BPF] = EPERM,
	[SANDBOX_SYSCALLS_PERF] = EPERM,	 [SANDBOX_SYSCALLS_USERFAULTFD] = EPERM,
	[SANDBOX_SYSCALLS_KEYRINGS] = ENOSYS,	 [SANDBOX_SYSCALLS_IPC] = ENOSYS,
	[SANDBOX_SYSCALLS_HANDLES] = EPERM,	 [SANDBOX_SYSCALLS_PERSONALITY] = EPERM,
	[SANDBOX_SYSCALLS_MODULES] = EPERM,	 [SANDBOX_SYSCALLS_KEXEC] = EPERM,
	[SANDBOX_SYSCALLS_RAW_IO] = EPERM,	 [SANDBOX_SYSCALLS_CLOCK] = EPERM,
	[SANDBOX_SYSCALLS_ADMIN] = EPERM,	 [SANDBOX_SYSCALLS_OBSOLETE] = ENOSYS,
	[SANDBOX_SYSCALLS_SETID] = EPERM,
};

static const uint64_t default_limits[SANDBOX_LIMITS] = {
	[SANDBOX_LIMIT_MEMORY_MB] = 2048,
	[SANDBOX_LIMIT_CPU_S] = 300,
	[SANDBOX_LIMIT_PROCESSES] = 64,
	[SANDBOX_LIMIT_FILES] = 1024,
	[SANDBOX_LIMIT_FILE_MB] = 256,
	[SANDBOX_LIMIT_CORE_MB] = 0,
	[SANDBOX_LIMIT_WALL_MS] = SANDBOX_NO_LIMIT,
	[SANDBOX_LIMIT_OUTPUT_BYTES] = SANDBOX_NO_LIMIT,
};

static const char *const default_keep[] = {
	"PATH",
	"HOME",
	"USER",
	"LOGNAME",
	"SHELL",
	"LANG",
	"LANGUAGE",
	"LC_*",
	"TERM",
	"COLORTERM",
	"NO_COLOR",
	"COLUMNS",
	"LINES",
	"TZ",
	"TMPDIR",
	"PWD",
	"XDG_*",
	"EDITOR",
	"PAGER",
	"CI",
	"CC",
	"CXX",
	"AR",
	"CFLAGS",
	"CXXFLAGS",
	"CPPFLAGS",
	"LDFLAGS",
	"MAKEFLAGS",
	"MAKELEVEL",
	"MFLAGS",
	"DESTDIR",
	"PREFIX",
	"PYTHON*",
	"VIRTUAL_ENV",
	"NODE_*",
	"npm_config_*",
	"GOPATH",
	"GOROOT",
	"GOFLAGS",
	"CARGO_HOME",
	"CARGO_TARGET_*",
	"RUSTUP_HOME",
	"JAVA_HOME",
	"PERL5LIB",
	"GEM_HOME",
	"MANPATH",
	"PKG_CONFIG_PATH",
	"SOURCE_DATE_EPOCH",
};

/* Names that say that a secret is in them. */
static const char *const default_remove[] = {
	"*TOKEN*",     "*SECRET*",     "*PASSWORD*",	 "*PASSWD*",	    "*CREDENTIAL*",
	"*API_KEY*",   "*APIKEY*",     "*_KEY",		 "*_AUTH",	    "*_auth*",
	"*_password*", "*_authToken*", "XDG_SESSION_ID", "XDG_RUNTIME_DIR",
};

void policy_set_level(struct sandbox_policy *policy, enum sandbox_level level)
{
	policy->level = (int)level;
	policy->operations = by_level[level].operations;
	policy->syscalls[SANDBOX_SYSCALLS_PROCESSES] = by_level[level].processes;
	policy->net = (int)by_level[level].net;
}

int policy_set_default_env(struct sandbox_policy *policy, struct error *err)
{
	int rc = policy_variables_set(&policy->keep, default_keep,
				      sizeof(default_keep) / sizeof(default_keep[0]), err);

	return rc < 0 ? rc
		      : policy_variables_set(&policy->remove, default_remove,
					     sizeof(default_remove) / sizeof(default_remove[0]),
					     err);
}

uint64_t policy_limit_default(enum sandbox_limit limit)
{
	return default_limits[limit];
}

bool policy_limit_is_asked_for(const struct sandbox_policy *policy, enum sandbox_limit limit)
{
	return policy->limits[limit] != SANDBOX_NO_LIMIT && !(policy->by_default >> limit & 1);
}

/* Zero is the default of all other members. */
static void set_defaults(struct sandbox_policy *policy, enum sandbox_level level)
{
	for (int i = 0; i < SANDBOX_SYSCALLS_COUNT; i++)
		policy->syscalls[i] = (struct sandbox_action){SANDBOX_ACTION_ERRNO, refusals[i]};
	memcpy(policy->limits, default_limits, sizeof(policy->limits));
	policy->by_default = (UINT64_C(1) << SANDBOX_LIMITS) - 1;
	policy->unix_sockets = SANDBOX_UNIX_INSIDE;
	policy_set_level(policy, level);
}

/* As policy_path() has it; NULL stays NULL. */
static int set_place(struct sandbox_policy *policy, enum policy_place place, const char *dir,
		     struct error *err)
{
	char path[PATH_MAX];
	size_t len;
	int rc;

	if (!dir)
		return 0;
	if (dir[0] != '/')
		return error_set(err, ERR_INVALID, "the directory '%s' is not absolute", dir);
	rc = policy_write_path(policy, dir, path, &len, err);
	if (rc < 0)
		return rc;
	policy->places[place] = arena_add(&policy->texts, path, len);
	return policy->places[place] ? 0 : error_no_memory(err);
}

/* A variable that is wrong is one that is not set; an argument that is, is an error. */
static bool is_place(const struct sandbox_policy *policy, const char *dir)
{
	char path[PATH_MAX];
	size_t len;

	return dir && dir[0] == '/' && policy_write_path(policy, dir, path, &len, NULL) == 0;
}

static int set_places(struct sandbox_policy *policy, const struct sandbox_places *places,
		      struct error *err)
{
	static const struct sandbox_places defaults;
	const char *home = getenv("HOME"), *tmp = getenv("TMPDIR");
	char cwd[PATH_MAX], found[PATH_MAX];
	int rc;

	if (!places)
		places = &defaults;
	if (places->home) {
		home = places->home;
	} else if (!is_place(policy, home)) {
		policy->home_found = policy_find_home("/etc/passwd", getuid(), found) == 0 &&
				     is_place(policy, found);
		home = policy->home_found ? found : NULL;
	}
	tmp = places->tmp ? places->tmp : is_place(policy, tmp) ? tmp : "/tmp";
	if (!places->work && !getcwd(cwd, sizeof(cwd)))
		return error_sys(err, errno, "cannot tell the working directory");
	rc = set_place(policy, POLICY_WORK, places->work ? places->work : cwd, err);
	if (rc == 0)
		rc = set_place(policy, POLICY_HOME, home, err);
	if (rc == 0)
		rc = set_place(policy, POLICY_TMP, tmp, err);
	return rc;
}

int sandbox_policy_new(enum sandbox_level level, const struct sandbox_places *places,
		       struct sandbox_policy **ret, struct error *err)
{
	struct sandbox_policy *policy;
	int rc;

	if ((int)level < 0 || level >= SANDBOX_LEVELS)
		return error_set(err, ERR_INVALID, "there is no level %d", (int)level);
	policy = calloc(1, sizeof(*policy));
	if (!policy)
		return error_no_memory(err);
	set_defaults(policy, level);
	rc = set_places(policy, places, err);
	if (rc == 0)
		rc = policy_set_default_env(policy, err);
	if (rc < 0)
		sandbox_policy_free(policy);
	else
		*ret = policy;
	return rc;
}

void sandbox_policy_free(struct sandbox_policy *policy)
{
	if (!policy)
		return;
	arena_free(&policy->texts);
	for (int i = 0; i < SANDBOX_PORTS; i++)
		policy_numbers_clear(&policy->ports[i]);
	policy_roots_clear(&policy->roots);
	policy_roots_clear(&policy->unix_paths);
	policy_variables_clear(&policy->keep);
	policy_variables_clear(&policy->remove);
	policy_variables_clear(&policy->set);
	policy_numbers_clear(&policy->fds);
	free(policy);
}

static const unsigned by_root[SANDBOX_ROOTS] = {
	[SANDBOX_ROOT_READ_ONLY] = POLICY_OPS_READ,
	[SANDBOX_ROOT_READ] = POLICY_OPS_READ,
	[SANDBOX_ROOT_WRITE] = POLICY_OPS_ALL,
	[SANDBOX_ROOT_EXEC] = POLICY_OPS_READ | SANDBOX_OP_EXEC,
	[SANDBOX_ROOT_DENY] = 0,
};

unsigned policy_root_operations(const struct sandbox_policy *policy, const struct policy_root *root)
{
	return root->kind == SANDBOX_ROOT_WORKSPACE ? (unsigned)policy->operations
						    : by_root[root->kind];
}

bool policy_root_cuts(const struct sandbox_policy *policy, const struct policy_root *root)
{
	if (root->kind == SANDBOX_ROOT_WORKSPACE)
		return policy->operations != POLICY_OPS_ALL;
	return root->kind == SANDBOX_ROOT_READ_ONLY || root->kind == SANDBOX_ROOT_DENY;
}

/* --- the builder ------------------------------------------------------------------------------ */

/* Whether `value` is one of an enum with `count` members. */
static int check_value(int value, int count, const char *what, struct error *err)
{
	return value >= 0 && value < count
		       ? 0
		       : error_set(err, ERR_INVALID, "there is no %s %d", what, value);
}

static int set_choice(int *member, int value, int count, const char *what, struct error *err)
{
	int rc = check_value(value, count, what, err);

	if (rc == 0)
		*member = value;
	return rc;
}

int sandbox_policy_add_root(struct sandbox_policy *policy, enum sandbox_root kind, const char *path,
			    bool optional, struct error *err)
{
	int rc = check_value((int)kind, SANDBOX_ROOTS, "kind of root", err);

	if (rc < 0)
		return rc;
	return policy_roots_add(
		policy, &policy->roots,
		&(struct policy_root){.path = path, .kind = kind, .optional = optional}, err);
}

int sandbox_policy_set_operations(struct sandbox_policy *policy, unsigned operations,
				  struct error *err)
{
	if (operations & ~POLICY_OPS_ALL)
		return error_set(err, ERR_INVALID, "there is no operation %#x",
				 operations & ~POLICY_OPS_ALL);
	policy->operations = operations;
	return 0;
}

int sandbox_policy_set_tmp(struct sandbox_policy *policy, enum sandbox_tmp tmp, struct error *err)
{
	return set_choice(&policy->tmp, (int)tmp, SANDBOX_TMPS, "kind of /tmp", err);
}

int sandbox_policy_set_net(struct sandbox_policy *policy, enum sandbox_net net, struct error *err)
{
	return set_choice(&policy->net, (int)net, SANDBOX_NETS, "kind of network", err);
}

int sandbox_policy_add_port(struct sandbox_policy *policy, enum sandbox_port kind, unsigned port,
			    struct error *err)
{
	int rc = check_value((int)kind, SANDBOX_PORTS, "kind of port", err);

	if (rc < 0)
		return rc;
	if (port > UINT16_MAX || (port == 0 && kind == SANDBOX_PORT_CONNECT))
		return error_set(err, ERR_INVALID, "%u is no port to %s", port,
				 kind == SANDBOX_PORT_CONNECT ? "connect to" : "bind to");
	return policy_numbers_add(&policy->ports[kind], port, err);
}

int sandbox_policy_set_syscalls(struct sandbox_policy *policy, enum sandbox_syscalls group,
				struct sandbox_action action, struct error *err)
{
	int rc = check_value((int)group, SANDBOX_SYSCALLS_COUNT, "group of system calls", err);

	if (rc == 0)
		rc = check_value((int)action.kind, SANDBOX_ACTIONS, "kind of action", err);
	if (rc < 0)
		return rc;
	if (action.kind == SANDBOX_ACTION_ERRNO ? !error_errno_name(action.number)
						: action.number != 0)
		return error_set(err, ERR_INVALID, "%d is no errno of that action", action.number);
	policy->syscalls[group] = action;
	return 0;
}

int sandbox_policy_set_limit(struct sandbox_policy *policy, enum sandbox_limit limit,
			     uint64_t value, struct error *err)
{
	int rc = check_value((int)limit, SANDBOX_LIMITS, "limit", err);

	if (rc < 0)
		return rc;
	if (value != SANDBOX_NO_LIMIT &&
	    (value < policy_limit_min(limit) || value > policy_limit_max(limit)))
		return error_set(err, ERR_INVALID, "it must be from %llu to %llu, or no limit",
				 (unsigned long long)policy_limit_min(limit),
				 (unsigned long long)policy_limit_max(limit));
	policy->limits[limit] = value;
	policy->by_default &= ~(UINT64_C(1) << limit);
	return 0;
}

static int check_variable(const char *name, const char *forbidden, struct error *err)
{
	if (!*name)
		return error_set(err, ERR_INVALID, "a variable has no name");
	if (strpbrk(name, forbidden))
		return error_set(err, ERR_INVALID, "the name of a variable has none of \"%s\"",
				 forbidden);
	return 0;
}

/* The variables of the dynamic loader would be executed in every program. */
static int check_loader(const char *name, struct error *err)
{
	return strncmp(name, "LD_", 3) != 0
		       ? 0
		       : error_set(err, ERR_INVALID,
				   "variables of the loader (LD_*) are always removed");
}

int sandbox_policy_keep_env(struct sandbox_policy *policy, const char *name, struct error *err)
{
	int rc = check_variable(name, "=", err);

	if (rc == 0)
		rc = check_loader(name, err);
	return rc < 0 ? rc : policy_variables_add(policy, &policy->keep, name, NULL, err);
}

int sandbox_policy_remove_env(struct sandbox_policy *policy, const char *name, struct error *err)
{
	int rc = check_variable(name, "=", err);

	return rc < 0 ? rc : policy_variables_add(policy, &policy->remove, name, NULL, err);
}

int sandbox_policy_set_env(struct sandbox_policy *policy, const char *name, const char *value,
			   struct error *err)
{
	int rc = check_variable(name, "=*", err);

	if (rc == 0)
		rc = check_loader(name, err);
	return rc < 0 ? rc : policy_variables_add(policy, &policy->set, name, value, err);
}

int sandbox_policy_set_namespace(struct sandbox_policy *policy, enum sandbox_namespace which,
				 enum sandbox_use use, struct error *err)
{
	int rc = check_value((int)which, SANDBOX_NS_COUNT, "namespace", err);

	return rc < 0 ? rc
		      : set_choice(&policy->namespaces[which], (int)use, SANDBOX_USES,
				   "use of a namespace", err);
}

int sandbox_policy_set_unix(struct sandbox_policy *policy, enum sandbox_unix sockets,
			    struct error *err)
{
	return set_choice(&policy->unix_sockets, (int)sockets, SANDBOX_UNIXES,
			  "rule for unix sockets", err);
}

int sandbox_policy_add_unix_path(struct sandbox_policy *policy, const char *path, bool optional,
				 struct error *err)
{
	return policy_roots_add(policy, &policy->unix_paths,
				&(struct policy_root){.path = path, .optional = optional}, err);
}

int sandbox_policy_set_tty(struct sandbox_policy *policy, enum sandbox_tty tty, struct error *err)
{
	return set_choice(&policy->tty, (int)tty, SANDBOX_TTYS, "rule for terminals", err);
}

int sandbox_policy_add_capability(struct sandbox_policy *policy, unsigned capability,
				  struct error *err)
{
	int rc = check_value((int)capability, POLICY_CAPS, "capability", err);

	if (rc == 0)
		policy->capabilities |= UINT64_C(1) << capability;
	return rc;
}

int sandbox_policy_add_fd(struct sandbox_policy *policy, int fd, struct error *err)
{
	if (fd < 0)
		return error_set(err, ERR_INVALID, "%d is no descriptor", fd);
	return fd > 2 ? policy_numbers_add(&policy->fds, (unsigned)fd, err) : 0;
}

int sandbox_policy_set_strictness(struct sandbox_policy *policy, enum sandbox_mechanism mechanism,
				  enum sandbox_strictness strictness, struct error *err)
{
	int rc = check_value((int)mechanism, SANDBOX_MECHS, "mechanism", err);

	return rc < 0 ? rc
		      : set_choice(&policy->strictness[mechanism], (int)strictness,
				   SANDBOX_STRICTNESSES, "strictness", err);
}

int sandbox_policy_relax(struct sandbox_policy *policy, enum sandbox_mechanism mechanism,
			 struct error *err)
{
	int rc = check_value((int)mechanism, SANDBOX_MECHS, "mechanism", err);

	if (rc == 0 && policy->strictness[mechanism] == SANDBOX_STRICT_ENFORCE)
		policy->strictness[mechanism] = SANDBOX_STRICT_WARN;
	return rc;
}
