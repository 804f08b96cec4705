/* The options of sandtape run, and the policy that they come to. */
#include "tools/run.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "sandbox/policy.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT(member) offsetof(struct sandbox_options, member)

static const struct option options[] = {
	{"--policy", 0, OPTION_STRING, "FILE", AT(policy), "begin with this policy"},
	{"--level", 0, OPTION_STRING, "LEVEL", AT(level),
	 "none, read_only, workspace_write, process_exec (the default) or network"},
	{"--write", 0, OPTION_LIST, "PATH", AT(write), "can be read, written and executed"},
	{"--read-only", 0, OPTION_LIST, "PATH", AT(read_only), "can be read, and not written"},
	{"--deny", 0, OPTION_LIST, "PATH", AT(deny), "cannot be read or written"},
	{"--net", 0, OPTION_STRING, "none|loopback|tcp|full", AT(net), "the network (none)"},
	{"--tcp-connect", 0, OPTION_LIST, "PORT", AT(tcp_connect), "TCP to this port, anywhere"},
	{"--tcp-bind", 0, OPTION_LIST, "PORT", AT(tcp_bind), "TCP on this port"},
	{"--allow", 0, OPTION_LIST, "GROUP", AT(allow),
	 "system calls of this group, such as debug or keyrings"},
	{"--env", 0, OPTION_LIST, "NAME[=VALUE]", AT(env), "a variable to keep, or to set"},
	{"--mem", 0, OPTION_STRING, "SIZE", AT(mem), "memory: 512M, 2G (the default), none"},
	{"--cpu", 0, OPTION_STRING, "TIME", AT(cpu), "processor time: 90s, 5m (the default), none"},
	{"--procs", 0, OPTION_STRING, "N", AT(procs), "processes and threads (64)"},
	{"--files", 0, OPTION_STRING, "N", AT(files), "open files in a process (1024)"},
	{"--fsize", 0, OPTION_STRING, "SIZE", AT(fsize), "the size of a file (256M)"},
	{"--timeout", 0, OPTION_STRING, "TIME", AT(timeout), "500ms, 60s, 5m, 1h (none)"},
	{"--strictness", 0, OPTION_LIST, "[MECHANISM=]enforce|warn|off", AT(strictness),
	 "what becomes of a promise that this host cannot keep"},
	{"--keep-fd", 0, OPTION_LIST, "N", AT(keep_fd), "a descriptor that stays open"},
	{"--no-sandbox", 0, OPTION_FLAG, NULL, AT(no_sandbox), "restrict nothing"},
	{"--explain", 0, OPTION_FLAG, NULL, AT(explain),
	 "tell what the sandbox denies, and how each would be allowed"},
	{"--report", 0, OPTION_STRING, "FILE", AT(report),
	 "write there how it ended and what was enforced, as JSON"},
	{"--quiet", 'q', OPTION_FLAG, NULL, AT(quiet), "print errors only"},
	{"--help", 'h', OPTION_FLAG, NULL, AT(help), "print this help"},
};
const struct option_table sandbox_options_table = {options, sizeof(options) / sizeof(options[0])};

void sandbox_options_free(struct sandbox_options *o)
{
	option_list_free(&o->write);
	option_list_free(&o->read_only);
	option_list_free(&o->deny);
	option_list_free(&o->tcp_connect);
	option_list_free(&o->tcp_bind);
	option_list_free(&o->allow);
	option_list_free(&o->env);
	option_list_free(&o->strictness);
	option_list_free(&o->keep_fd);
}

/* --- values ----------------------------------------------------------------------------------- */

struct unit {
	const char *name;
	uint64_t factor;
};

/* "2G" in the smallest unit; the first one is that of a bare number. */
static int parse_amount(const char *option, const char *text, const struct unit *units,
			size_t count, uint64_t *ret, struct error *err)
{
	unsigned long long number;
	char *end;

	if (strcmp(text, "none") == 0) {
		*ret = SANDBOX_NO_LIMIT;
		return 0;
	}
	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno || end == text || *text < '0' || *text > '9')
		return error_set(err, ERR_INVALID, "%s: '%s' is no amount, such as 10%s or none",
				 option, text, units[count - 1].name);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(end, units[i].name) != 0 && (i > 0 || *end))
			continue;
		if (number > SANDBOX_NO_LIMIT / 2 / units[i].factor)
			break;
		*ret = number * units[i].factor;
		return 0;
	}
	return error_set(err, ERR_INVALID, "%s: '%s' is no amount, such as 10%s or none", option,
			 text, units[count - 1].name);
}

static const struct unit counts[] = {{"", 1}};
static const struct unit sizes[] = {{"M", 1}, {"MB", 1}, {"MiB", 1}, {"T", 1 << 20}, {"G", 1024}};
static const struct unit seconds[] = {{"s", 1}, {"h", 3600}, {"m", 60}};
static const struct unit milliseconds[] = {{"s", 1000}, {"ms", 1}, {"h", 3600000}, {"m", 60000}};

#define UNITS(list) list, sizeof(list) / sizeof((list)[0])

static const struct {
	const char *name;
	size_t offset;
	enum sandbox_limit limit;
	const struct unit *units;
	size_t count;
} limits[] = {
	{"--mem", AT(mem), SANDBOX_LIMIT_MEMORY_MB, UNITS(sizes)},
	{"--cpu", AT(cpu), SANDBOX_LIMIT_CPU_S, UNITS(seconds)},
	{"--procs", AT(procs), SANDBOX_LIMIT_PROCESSES, UNITS(counts)},
	{"--files", AT(files), SANDBOX_LIMIT_FILES, UNITS(counts)},
	{"--fsize", AT(fsize), SANDBOX_LIMIT_FILE_MB, UNITS(sizes)},
	{"--timeout", AT(timeout), SANDBOX_LIMIT_WALL_MS, UNITS(milliseconds)},
};

static int set_limits(const struct sandbox_options *o, struct sandbox_policy *policy,
		      struct error *err)
{
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		const char *text = *(const char *const *)((const char *)o + limits[i].offset);
		uint64_t value;
		int rc;

		if (!text)
			continue;
		rc = parse_amount(limits[i].name, text, limits[i].units, limits[i].count, &value,
				  err);
		if (rc == 0) {
			rc = sandbox_policy_set_limit(policy, limits[i].limit, value, err);
			if (rc < 0)
				error_wrap(err, rc, "%s %s (none is no limit)", limits[i].name,
					   text);
		}
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int parse_number(const char *option, const char *text, unsigned *ret, struct error *err)
{
	uint64_t value;
	int rc = parse_amount(option, text, UNITS(counts), &value, NULL);

	if (rc < 0 || value > INT_MAX)
		return error_set(err, ERR_INVALID, "%s: '%s' is no number", option, text);
	*ret = (unsigned)value;
	return 0;
}

/* --- roots ------------------------------------------------------------------------------------ */

/* "/a/b" to "/a"; what is empty stands for "/". */
static void go_up(struct buf *path)
{
	const char *slash = path->len ? memrchr(path->data, '/', path->len) : NULL;

	path->len = slash ? (size_t)(slash - path->data) : 0;
	if (path->data)
		path->data[path->len] = '\0';
}

/* Behind a name that may be a link, only the kernel can tell what ".." is. */
static int add_component(struct buf *path, const char *name, size_t len, bool *named,
			 struct error *err)
{
	if (len == 0 || (len == 1 && name[0] == '.'))
		return 0;
	if (len == 2 && memcmp(name, "..", 2) == 0) {
		if (*named)
			return error_set(err, ERR_INVALID,
					 "a path must not have \"..\" behind a name: write where "
					 "it leads to");
		go_up(path);
		return 0;
	}
	*named = true;
	if (buf_add_char(path, '/') < 0 || buf_add(path, name, len) < 0)
		return error_no_memory(err);
	return 0;
}

/* The working directory has no links in it. */
static int begin_at_cwd(struct buf *path, struct error *err)
{
	char cwd[PATH_MAX];

	if (!getcwd(cwd, sizeof(cwd)))
		return error_sys(err, errno, "cannot tell the working directory");
	if (cwd[0] != '/')
		return error_set(err, ERR_INVALID, "the working directory is not below /");
	return cwd[1] && buf_add_str(path, cwd) < 0 ? error_no_memory(err) : 0;
}

/* As it is written. Links in it are for the policy to follow: it refuses those that a program which
 * it lets write could have put there. */
int sandbox_options_absolute(const char *path, struct buf *ret, struct error *err)
{
	bool named = false;
	int rc = path[0] == '/' ? 0 : begin_at_cwd(ret, err);

	if (!path[0])
		return error_set(err, ERR_INVALID, "a path is empty");
	while (rc == 0 && *path) {
		size_t len = strcspn(path, "/");

		rc = add_component(ret, path, len, &named, err);
		path += path[len] ? len + 1 : len;
	}
	if (rc == 0 && ret->len == 0 && buf_add_char(ret, '/') < 0)
		rc = error_no_memory(err);
	return rc;
}

static int add_roots(struct sandbox_policy *policy, const char *option,
		     const struct option_list *list, enum sandbox_root kind, struct error *err)
{
	for (size_t i = 0; i < list->count; i++) {
		cleanup_buf struct buf path = BUF_INIT;
		int rc = sandbox_options_absolute(list->item[i], &path, err);

		if (rc == 0)
			rc = sandbox_policy_add_root(policy, kind, path.data, false, err);
		if (rc < 0)
			return error_wrap(err, rc, "%s %s", option, list->item[i]);
	}
	return 0;
}

/* --- the network, system calls, variables, descriptors ---------------------------------------- */

static int find_name(const char *option, const struct policy_names *names, const char *name,
		     struct error *err)
{
	char all[128]; /* has room for the longest of the lists that it is asked for */
	int found = policy_name_find(names, name);
	size_t used = 0;

	if (found >= 0)
		return found;
	for (int i = 0; i < names->count; i++)
		used += (size_t)snprintf(all + used, sizeof(all) - used, "%s%s",
					 i == 0			? ""
					 : i + 1 < names->count ? ", "
								: " or ",
					 names->name[i]);
	return error_set(err, ERR_INVALID, "%s: there is no '%s': it is %s", option, name, all);
}

static int add_ports(struct sandbox_policy *policy, const char *option,
		     const struct option_list *list, enum sandbox_port kind, struct error *err)
{
	for (size_t i = 0; i < list->count; i++) {
		unsigned port = 0;
		int rc = parse_number(option, list->item[i], &port, err);

		if (rc < 0)
			return rc;
		rc = sandbox_policy_add_port(policy, kind, port, err);
		if (rc < 0)
			return error_wrap(err, rc, "%s %s", option, list->item[i]);
	}
	return 0;
}

static int set_net(const struct sandbox_options *o, struct sandbox_policy *policy,
		   struct error *err)
{
	int net = SANDBOX_NET_TCP, rc = 0;

	if (o->net)
		net = find_name("--net", &policy_nets, o->net, err);
	if (net < 0)
		return net;
	if (o->net || o->tcp_connect.count || o->tcp_bind.count)
		rc = sandbox_policy_set_net(policy, (enum sandbox_net)net, err);
	if (rc == 0)
		rc = add_ports(policy, "--tcp-connect", &o->tcp_connect, SANDBOX_PORT_CONNECT, err);
	return rc < 0 ? rc : add_ports(policy, "--tcp-bind", &o->tcp_bind, SANDBOX_PORT_BIND, err);
}

#define GROUP_NAMES 320

/* "a, b or c", of the groups in the order of the keys. */
static void list_groups(char all[GROUP_NAMES])
{
	const char *last = NULL;
	size_t used = 0;

	all[0] = '\0';
	for (size_t i = 0; i < policy_key_count; i++) {
		if (policy_keys[i].kind != POLICY_ACTION)
			continue;
		if (last && used < GROUP_NAMES)
			used += (size_t)snprintf(all + used, GROUP_NAMES - used, "%s%s",
						 used ? ", " : "", last);
		last = policy_keys[i].name;
	}
	if (last && used < GROUP_NAMES)
		snprintf(all + used, GROUP_NAMES - used, " or %s", last);
}

static int allow_calls(const struct sandbox_options *o, struct sandbox_policy *policy,
		       struct error *err)
{
	const struct sandbox_action allow = {SANDBOX_ACTION_ALLOW, 0};

	for (size_t i = 0; i < o->allow.count; i++) {
		const struct policy_key *key = policy_key_find("syscalls", o->allow.item[i]);
		char all[GROUP_NAMES];
		int rc;

		if (!key) {
			list_groups(all);
			return error_set(err, ERR_INVALID, "--allow: there is no '%s': it is %s",
					 o->allow.item[i], all);
		}
		rc = sandbox_policy_set_syscalls(policy, (enum sandbox_syscalls)key->index, allow,
						 err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int set_variables(const struct sandbox_options *o, struct sandbox_policy *policy,
			 struct error *err)
{
	for (size_t i = 0; i < o->env.count; i++) {
		const char *text = o->env.item[i], *value = strchr(text, '=');
		cleanup_free char *name =
			strndup(text, value ? (size_t)(value - text) : strlen(text));
		int rc;

		if (!name)
			return error_no_memory(err);
		rc = value ? sandbox_policy_set_env(policy, name, value + 1, err)
			   : sandbox_policy_keep_env(policy, name, err);
		if (rc < 0)
			return error_wrap(err, rc, "--env %s", name);
	}
	return 0;
}

static int keep_fds(const struct sandbox_options *o, struct sandbox_policy *policy,
		    struct error *err)
{
	for (size_t i = 0; i < o->keep_fd.count; i++) {
		unsigned fd = 0;
		int rc = parse_number("--keep-fd", o->keep_fd.item[i], &fd, err);

		if (rc == 0)
			rc = sandbox_policy_add_fd(policy, (int)fd, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* --- strictness ------------------------------------------------------------------------------- */

static int set_all_strictness(struct sandbox_policy *policy, int strictness, struct error *err)
{
	int rc = 0;

	for (int i = 0; rc == 0 && i < SANDBOX_MECHS; i++)
		rc = sandbox_policy_set_strictness(policy, i, (enum sandbox_strictness)strictness,
						   err);
	return rc;
}

int sandbox_options_nothing(struct sandbox_policy *policy, struct error *err)
{
	int rc = set_all_strictness(policy, SANDBOX_STRICT_OFF, err);

	return rc < 0 ? rc : sandbox_policy_set_tmp(policy, SANDBOX_TMP_NONE, err);
}

static int set_strictness(struct sandbox_policy *policy, const char *option, const char *text,
			  struct error *err)
{
	const char *value = strchr(text, '=');
	int strictness = find_name(option, &policy_strictnesses, value ? value + 1 : text, err);

	if (strictness < 0)
		return strictness;
	if (!value)
		return strictness == SANDBOX_STRICT_OFF
			       ? sandbox_options_nothing(policy, err)
			       : set_all_strictness(policy, strictness, err);
	for (int i = 0; i < SANDBOX_MECHS; i++) {
		const char *name = sandbox_mechanism_name(i);

		if (strlen(name) == (size_t)(value - text) &&
		    strncmp(name, text, (size_t)(value - text)) == 0)
			return sandbox_policy_set_strictness(
				policy, i, (enum sandbox_strictness)strictness, err);
	}
	return error_set(err, ERR_INVALID,
			 "%s: there is no mechanism '%.*s': sandtape doctor names them", option,
			 (int)(value - text), text);
}

/* `ret_off`: what switches all of it off at the end, or NULL. */
static int set_strictnesses(const struct sandbox_options *o, struct sandbox_policy *policy,
			    const char **ret_off, struct error *err)
{
	const char *variable = getenv("SANDTAPE_SANDBOX"), *off = NULL;
	int rc = 0;

	if (variable && *variable) {
		rc = strchr(variable, '=')
			     ? error_set(err, ERR_INVALID,
					 "SANDTAPE_SANDBOX is enforce, warn or off, not '%s'",
					 variable)
			     : set_strictness(policy, "SANDTAPE_SANDBOX", variable, err);
		off = strcmp(variable, "off") == 0 ? "SANDTAPE_SANDBOX=off" : NULL;
	}
	for (size_t i = 0; rc == 0 && i < o->strictness.count; i++) {
		rc = set_strictness(policy, "--strictness", o->strictness.item[i], err);
		off = strcmp(o->strictness.item[i], "off") == 0 ? "--strictness off" : NULL;
	}
	if (rc == 0 && o->no_sandbox) {
		rc = sandbox_options_nothing(policy, err);
		off = "--no-sandbox";
	}
	if (rc == 0)
		*ret_off = off;
	return rc;
}

/* Who has set a variable once does not see it any more. */
static void tell_off(const char *off, sandbox_say say, void *ctx)
{
	char text[80];

	snprintf(text, sizeof(text), "%s: the program is not restricted", off);
	say(ctx, text);
}

/* --- all of it -------------------------------------------------------------------------------- */

/* The level of a policy without a file, or -1 for one with. */
static int begin(const struct sandbox_options *o, int *ret_level, struct sandbox_policy **ret,
		 struct error *err)
{
	char text[128];
	int level = SANDBOX_LEVEL_PROCESS_EXEC;

	*ret_level = -1;
	if (o->policy && o->level)
		return error_set(err, ERR_INVALID,
				 "--level is for a policy without a file; in %s it is a key",
				 o->policy);
	if (o->policy)
		return sandbox_policy_load(o->policy, NULL, ret, err);
	if (o->level)
		level = find_name("--level", &policy_levels, o->level, err);
	if (level < 0)
		return level;
	*ret_level = level;
	snprintf(text, sizeof(text), "{\"version\": 1, \"level\": \"%s\"}",
		 policy_levels.name[level]);
	return sandbox_policy_parse(text, strlen(text), "the default policy", NULL, ret, err);
}

int sandbox_options_policy(const struct sandbox_options *o, sandbox_say say, void *say_ctx,
			   struct sandbox_policy **ret, struct error *err)
{
	struct sandbox_policy *policy = NULL;
	const char *off = NULL;
	int level, rc = begin(o, &level, &policy, err);

	if (rc == 0)
		rc = add_roots(policy, "--write", &o->write, SANDBOX_ROOT_WRITE, err);
	if (rc == 0)
		rc = add_roots(policy, "--read-only", &o->read_only, SANDBOX_ROOT_READ_ONLY, err);
	if (rc == 0)
		rc = add_roots(policy, "--deny", &o->deny, SANDBOX_ROOT_DENY, err);
	if (rc == 0)
		rc = set_net(o, policy, err);
	if (rc == 0)
		rc = allow_calls(o, policy, err);
	if (rc == 0)
		rc = set_variables(o, policy, err);
	if (rc == 0)
		rc = keep_fds(o, policy, err);
	if (rc == 0)
		rc = set_limits(o, policy, err);
	if (rc == 0)
		rc = set_strictnesses(o, policy, &off, err);
	if (rc == 0 && off)
		tell_off(off, say, say_ctx);
	if (rc == 0 && !off)
		workspace_tell_home(policy, say, say_ctx);
	if (rc == 0 && !off && level > SANDBOX_LEVEL_NONE)
		rc = workspace_check(&o->write, policy->places[POLICY_HOME], say, say_ctx, err);
	if (rc < 0)
		sandbox_policy_free(policy);
	else
		*ret = policy;
	return rc;
}
