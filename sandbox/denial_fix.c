/*
 * What would allow a denied act, as an option of `sandtape run` and as a part of a policy.
 *
 * Lists in the part have what the policy names already, as long as there is room: so it is right
 * whether whoever merges it takes the new list or joins the two.
 */
#include "sandbox/denial_parts.h"

#include "base/cleanup.h"
#include "base/jsontext.h"
#include "base/text.h"
#include <string.h>

void fix_add_root(struct fix *fix, enum sandbox_root kind, const char *path, size_t len)
{
	for (int i = 0; i < fix->roots; i++)
		if (fix->root[i].kind == kind && fix->root[i].len == len &&
		    memcmp(fix->root[i].path, path, len) == 0)
			return;
	if (fix->roots == 2)
		return;
	fix->root[fix->roots].kind = kind;
	fix->root[fix->roots].path = path;
	fix->root[fix->roots++].len = len;
}

/* --- as options --------------------------------------------------------------------------------
 */

/* One word for any POSIX shell, whatever bytes there are. */
static int add_word(struct buf *out, const char *bytes, size_t len)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				   "/._-+=:,@%";
	int rc = 0;

	if (len > 0 && strspn(bytes, safe) >= len)
		return buf_add(out, bytes, len);
	rc = buf_add_char(out, '\'');
	for (size_t i = 0; rc == 0 && i < len; i++)
		rc = bytes[i] == '\'' ? buf_add_str(out, "'\\''") : buf_add_char(out, bytes[i]);
	return rc < 0 ? rc : buf_add_char(out, '\'');
}

static int add_option(struct buf *out, const char *name)
{
	return buf_addf(out, "%s%s ", out->len ? " " : "", name);
}

static int option_roots(const struct fix *fix, struct buf *out)
{
	int rc = 0;

	for (int i = 0; rc == 0 && i < fix->roots; i++) {
		bool reads = fix->root[i].kind == SANDBOX_ROOT_READ_ONLY;

		rc = add_option(out, reads ? "--read-only" : "--write");
		if (rc == 0)
			rc = add_word(out, fix->root[i].path, fix->root[i].len);
	}
	return rc;
}

static int option_net(const struct fix *fix, struct buf *out)
{
	static const char *const names[SANDBOX_PORTS] = {"--tcp-connect", "--tcp-bind"};
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < SANDBOX_SYSCALLS_COUNT; i++)
		if (fix->groups >> i & 1)
			rc = buf_addf(out, "%s--allow %s", out->len ? " " : "",
				      policy_group_name((int)i));
	if (rc == 0 && fix->net >= 0)
		rc = buf_addf(out, "%s--net %s", out->len ? " " : "", policy_nets.name[fix->net]);
	for (int i = 0; rc == 0 && i < SANDBOX_PORTS; i++)
		if (fix->port[i] >= 0)
			rc = buf_addf(out, "%s%s %d", out->len ? " " : "", names[i], fix->port[i]);
	return rc;
}

/* The units of the options of `run`; NULL: there is none for this limit. */
static const struct {
	const char *option, *unit, *larger;
	uint64_t factor;
} limit_options[SANDBOX_LIMITS] = {
	[SANDBOX_LIMIT_MEMORY_MB] = {"--mem", "M", "G", 1024},
	[SANDBOX_LIMIT_CPU_S] = {"--cpu", "s", "m", 60},
	[SANDBOX_LIMIT_PROCESSES] = {"--procs", "", "", 1},
	[SANDBOX_LIMIT_FILES] = {"--files", "", "", 1},
	[SANDBOX_LIMIT_FILE_MB] = {"--fsize", "M", "G", 1024},
	[SANDBOX_LIMIT_WALL_MS] = {"--timeout", "ms", "s", 1000},
};

static int option_limit(const struct fix *fix, struct buf *out)
{
	const char *name = limit_options[fix->limit].option;
	uint64_t value = fix->limit_value, factor = limit_options[fix->limit].factor;
	bool larger = value > 0 && value % factor == 0;

	if (value == SANDBOX_NO_LIMIT)
		return buf_addf(out, "%s none", name);
	return buf_addf(out, "%s %llu%s", name,
			(unsigned long long)(larger ? value / factor : value),
			larger ? limit_options[fix->limit].larger : limit_options[fix->limit].unit);
}

static bool has_ports(const struct sandbox_policy *policy)
{
	return policy->ports[SANDBOX_PORT_CONNECT].count || policy->ports[SANDBOX_PORT_BIND].count;
}

/* Whether a part of it can be said in a policy only. Ports contradict all modes but one, and no
 * option takes them away. */
static bool has_no_option(const struct fix *fix, const struct sandbox_policy *policy)
{
	return fix->unix_mode >= 0 || fix->unix_path || fix->capability >= 0 || fix->no_pids ||
	       fix->keep_tty || (fix->net >= 0 && has_ports(policy)) ||
	       (fix->limit >= 0 && !limit_options[fix->limit].option);
}

static int write_option(const struct fix *fix, struct buf *out)
{
	int rc = option_roots(fix, out);

	if (rc == 0)
		rc = option_net(fix, out);
	if (rc == 0 && fix->limit >= 0)
		rc = option_limit(fix, out);
	if (rc == 0 && fix->mechanism >= 0)
		rc = buf_addf(out, "--strictness %s=off",
			      sandbox_mechanism_name((enum sandbox_mechanism)fix->mechanism));
	return rc;
}

/* --- as a policy -------------------------------------------------------------------------------
 */

struct writing {
	const struct fix *fix;
	const struct sandbox_policy *policy;
	bool whole; /* lists with what they have already */
	json_t *top;
};

/* jansson takes the value, also when it fails, and NULL for a failure. */
static int set(json_t *top, const char *section, const char *key, json_t *value)
{
	json_t *home = section ? json_object_get(top, section) : top;

	if (!home) {
		home = json_object();
		if (json_object_set_new(top, section, home) < 0) {
			json_decref(value);
			return ERR_NOMEM;
		}
	}
	return json_object_set_new(home, key, value) < 0 ? ERR_NOMEM : 0;
}

static int append(json_t *array, json_t *value)
{
	return json_array_append_new(array, value) < 0 ? ERR_NOMEM : 0;
}

/* What is no UTF-8 has its own form in policies. */
static json_t *path_value(const char *path, size_t len)
{
	cleanup_buf struct buf encoded = BUF_INIT;

	if (text_is_utf8(path, len))
		return json_stringn_nocheck(path, len);
	if (text_base64_encode(&encoded, path, len) < 0)
		return NULL;
	return json_pack("{s:s%}", "base64", encoded.data, encoded.len);
}

static json_t *root_value(const struct policy_root *root)
{
	cleanup_buf struct buf text = BUF_INIT;

	if ((root->optional && buf_add_char(&text, '?') < 0) ||
	    buf_add(&text, root->path, root->len) < 0)
		return NULL;
	return path_value(text.data, text.len);
}

static int add_named_roots(const struct writing *w, const struct policy_roots *roots, int kind,
			   json_t *array)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && w->whole && i < roots->count; i++)
		if ((int)roots->item[i].kind == kind && !roots->item[i].preset)
			rc = append(array, root_value(&roots->item[i]));
	return rc;
}

static const char *const root_keys[SANDBOX_ROOTS] = {
	[SANDBOX_ROOT_WORKSPACE] = "workspace", [SANDBOX_ROOT_READ_ONLY] = "read_only",
	[SANDBOX_ROOT_READ] = "read",		[SANDBOX_ROOT_WRITE] = "write",
	[SANDBOX_ROOT_EXEC] = "exec",		[SANDBOX_ROOT_DENY] = "deny",
};

/* All of a kind. */
static int write_roots(const struct writing *w, enum sandbox_root kind)
{
	const struct fix *fix = w->fix;
	json_t *array = NULL;
	int rc = 0;

	for (int i = 0; rc == 0 && i < fix->roots; i++) {
		if (fix->root[i].kind != kind)
			continue;
		if (!array) {
			array = json_array();
			rc = array ? add_named_roots(w, &w->policy->roots, (int)kind, array)
				   : ERR_NOMEM;
		}
		if (rc == 0)
			rc = append(array, path_value(fix->root[i].path, fix->root[i].len));
	}
	if (rc == 0 && array)
		return set(w->top, "fs", root_keys[kind], array);
	json_decref(array);
	return rc;
}

static int write_ports(const struct writing *w, enum sandbox_port kind, const char *key)
{
	const struct policy_numbers *ports = &w->policy->ports[kind];
	json_t *array;
	int rc = 0;

	if (w->fix->port[kind] < 0)
		return w->fix->net >= 0 && ports->count ? set(w->top, "net", key, json_array()) : 0;
	array = json_array();
	for (size_t i = 0; rc == 0 && array && w->whole && i < ports->count; i++)
		rc = append(array, json_integer((json_int_t)ports->item[i]));
	if (rc == 0 && array)
		rc = append(array, json_integer(w->fix->port[kind]));
	if (rc == 0)
		return set(w->top, "net", key, array);
	json_decref(array);
	return rc;
}

static int write_net(const struct writing *w)
{
	const struct fix *fix = w->fix;
	bool ports = fix->port[SANDBOX_PORT_CONNECT] >= 0 || fix->port[SANDBOX_PORT_BIND] >= 0;
	int net = ports ? SANDBOX_NET_TCP : fix->net, rc = 0;

	if (net >= 0)
		rc = set(w->top, "net", "mode", json_string(policy_nets.name[net]));
	if (rc == 0)
		rc = write_ports(w, SANDBOX_PORT_CONNECT, "tcp_connect");
	if (rc == 0)
		rc = write_ports(w, SANDBOX_PORT_BIND, "tcp_bind");
	for (unsigned i = 0; rc == 0 && i < SANDBOX_SYSCALLS_COUNT; i++)
		if (fix->groups >> i & 1)
			rc = set(w->top, "syscalls", policy_group_name((int)i),
				 json_string("allow"));
	return rc;
}

static int write_unix(const struct writing *w)
{
	json_t *array;
	int rc = 0;

	if (w->fix->unix_mode >= 0)
		rc = set(w->top, "unix_sockets", "mode",
			 json_string(policy_unixes.name[w->fix->unix_mode]));
	if (rc < 0 || !w->fix->unix_path)
		return rc;
	array = json_array();
	rc = array ? add_named_roots(w, &w->policy->unix_paths, 0, array) : ERR_NOMEM;
	if (rc == 0)
		rc = append(array, path_value(w->fix->unix_path, strlen(w->fix->unix_path)));
	if (rc == 0)
		return set(w->top, "unix_sockets", "paths", array);
	json_decref(array);
	return rc;
}

static int write_capabilities(const struct writing *w)
{
	uint64_t all = UINT64_C(1) << w->fix->capability;
	json_t *array = json_array();
	int rc = array ? 0 : ERR_NOMEM;

	if (w->whole)
		all |= w->policy->capabilities;
	for (int i = 0; rc == 0 && i < policy_capabilities.count; i++)
		if (all >> i & 1)
			rc = append(array, json_string(policy_capabilities.name[i]));
	if (rc == 0)
		return set(w->top, NULL, "capabilities", array);
	json_decref(array);
	return rc;
}

static int write_limit(const struct writing *w)
{
	const struct fix *fix = w->fix;

	for (size_t i = 0; i < policy_key_count; i++)
		if (policy_keys[i].kind == POLICY_LIMIT && policy_keys[i].index == fix->limit)
			return set(w->top, "limits", policy_keys[i].name,
				   fix->limit_value == SANDBOX_NO_LIMIT
					   ? json_null()
					   : json_integer((json_int_t)fix->limit_value));
	return 0;
}

static int write_rest(const struct writing *w)
{
	const struct fix *fix = w->fix;
	int rc = 0;

	if (fix->capability >= 0)
		rc = write_capabilities(w);
	if (rc == 0 && fix->limit >= 0)
		rc = write_limit(w);
	if (rc == 0 && fix->no_pids)
		rc = set(w->top, "namespaces", "pid", json_string("off"));
	if (rc == 0 && fix->keep_tty)
		rc = set(w->top, NULL, "tty", json_string("keep"));
	if (rc == 0 && fix->mechanism >= 0)
		rc = set(w->top, "strictness",
			 sandbox_mechanism_name((enum sandbox_mechanism)fix->mechanism),
			 json_string("off"));
	return rc;
}

static int write_policy(const struct fix *fix, const struct sandbox_policy *policy, bool whole,
			struct buf *out)
{
	struct writing w = {fix, policy, whole, json_object()};
	int rc = w.top ? 0 : ERR_NOMEM;

	buf_clear(out);
	for (int kind = 0; rc == 0 && kind < SANDBOX_ROOTS; kind++)
		rc = write_roots(&w, (enum sandbox_root)kind);
	if (rc == 0)
		rc = write_net(&w);
	if (rc == 0)
		rc = write_unix(&w);
	if (rc == 0)
		rc = write_rest(&w);
	if (rc == 0 && json_object_size(w.top) > 0)
		rc = jsontext_dump(w.top, 0, out);
	json_decref(w.top);
	return rc;
}

/* --- both --------------------------------------------------------------------------------------
 */

static bool take(const struct buf *from, char *ret)
{
	bool fits = from->len < SANDBOX_DENIAL_TEXT;

	if (fits && from->len)
		memcpy(ret, from->data, from->len + 1);
	return fits;
}

int fix_write(const struct fix *fix, const struct sandbox_policy *policy,
	      struct sandbox_denial *ret)
{
	cleanup_buf struct buf text = BUF_INIT;
	int rc = has_no_option(fix, policy) ? 0 : write_option(fix, &text);

	if (rc < 0)
		return rc;
	take(&text, ret->option);
	rc = write_policy(fix, policy, true, &text);
	if (rc == 0 && !take(&text, ret->policy)) {
		rc = write_policy(fix, policy, false, &text);
		if (rc == 0)
			take(&text, ret->policy);
	}
	return rc;
}
