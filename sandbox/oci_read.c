/* A seccomp profile from JSON. What it has for other machines, and for those who have capabilities,
 * is read, and left out. */
#include "sandbox/oci.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "sandbox/policy.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

/* linux, seccomp, syscalls, item, args, item, key. */
#define STEPS_MAX 8

struct reader {
	struct bytes text;
	const char *name;
	struct jsontext_step steps[STEPS_MAX];
	size_t depth;
	unsigned kernel; /* 0x10000 * major + minor */
	struct oci_profile *profile;
	struct error *err;
};

static const struct {
	const char *name;
	struct sandbox_action action;
	unsigned inexact;
} actions[] = {
	{"SCMP_ACT_ALLOW", {SANDBOX_ACTION_ALLOW, 0}, 0},
	{"SCMP_ACT_LOG", {SANDBOX_ACTION_LOG, 0}, 0},
	{"SCMP_ACT_ERRNO", {SANDBOX_ACTION_ERRNO, EPERM}, 0},
	{"SCMP_ACT_KILL", {SANDBOX_ACTION_KILL, 0}, OCI_INEXACT_THREAD},
	{"SCMP_ACT_KILL_THREAD", {SANDBOX_ACTION_KILL, 0}, OCI_INEXACT_THREAD},
	{"SCMP_ACT_KILL_PROCESS", {SANDBOX_ACTION_KILL, 0}, 0},
	{"SCMP_ACT_TRAP", {SANDBOX_ACTION_TRAP, 0}, 0},
	/* What the kernel does when nobody is there to be asked. */
	{"SCMP_ACT_TRACE", {SANDBOX_ACTION_ERRNO, ENOSYS}, OCI_INEXACT_TRACE},
	{"SCMP_ACT_NOTIFY", {SANDBOX_ACTION_ERRNO, ENOSYS}, OCI_INEXACT_NOTIFY},
};

static const char *const ops[OCI_OPS] = {
	[OCI_NE] = "SCMP_CMP_NE",
	[OCI_LT] = "SCMP_CMP_LT",
	[OCI_LE] = "SCMP_CMP_LE",
	[OCI_EQ] = "SCMP_CMP_EQ",
	[OCI_GE] = "SCMP_CMP_GE",
	[OCI_GT] = "SCMP_CMP_GT",
	[OCI_MASKED_EQ] = "SCMP_CMP_MASKED_EQ",
};

static const char *const top_keys[] = {
	"defaultAction", "defaultErrnoRet", "defaultErrno",	"architectures", "archMap",
	"flags",	 "listenerPath",    "listenerMetadata", "syscalls",	 NULL,
};
static const char *const rule_keys[] = {
	"name",	   "names",    "action",   "errnoRet", "errno", "args",
	"comment", "includes", "excludes", "priority", NULL,
};

/* --- errors and steps ------------------------------------------------------------------------ */

static int at_steps(const struct reader *r, int code)
{
	return jsontext_error_at(r->text, r->name, r->steps, r->depth, code, r->err);
}

static int wrong(const struct reader *r, const char *what)
{
	return at_steps(r, error_set(r->err, ERR_FORMAT, "%s", what));
}

static void step_in(struct reader *r, const char *key, size_t index)
{
	r->steps[r->depth++] = (struct jsontext_step){key, index};
}

static int wrong_at(struct reader *r, const char *key, const char *what)
{
	int rc;

	step_in(r, key, 0);
	rc = wrong(r, what);
	r->depth--;
	return rc;
}

/* Go's reader takes null for what is not there. */
static const json_t *member(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_null(value) ? NULL : value;
}

static const char *take_text(const json_t *value)
{
	const char *text = json_string_value(value);

	return text && strlen(text) == json_string_length(value) ? text : NULL;
}

static void add_name(struct oci_names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->item[i], name) == 0)
			return;
	if (names->count < OCI_NAMES_MAX)
		names->item[names->count++] = name;
	else
		names->more++;
}

static void note_unknown_keys(struct reader *r, const json_t *object, const char *const *known)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value)
	{
		size_t i = 0;

		while (known[i] && strcmp(known[i], key) != 0)
			i++;
		if (!known[i])
			add_name(&r->profile->unknown_keys, key);
	}
}

typedef int item_fn(struct reader *r, const json_t *item, void *ctx);

/* A list that need not be there. */
static int read_list(struct reader *r, const json_t *object, const char *key, item_fn *fn,
		     void *ctx)
{
	const json_t *list = member(object, key);
	json_t *item;
	size_t i;
	int rc = 0;

	if (!list)
		return 0;
	step_in(r, key, 0);
	if (!json_is_array(list))
		rc = wrong(r, "it must be a list");
	json_array_foreach(list, i, item)
	{
		step_in(r, NULL, i);
		rc = fn(r, item, ctx);
		r->depth--;
		if (rc < 0)
			break;
	}
	r->depth--;
	return rc;
}

static int read_whole(struct reader *r, const json_t *object, const char *key, json_int_t max,
		      json_int_t *ret)
{
	const json_t *value = member(object, key);
	json_int_t number = json_integer_value(value);

	if (!value)
		return 0;
	if (!json_is_integer(value) || number < 0 || number > max)
		return wrong_at(r, key, "it must be a whole number, and not too large");
	*ret = number;
	return 0;
}

/* --- actions --------------------------------------------------------------------------------- */

#define ACTION_PREFIX "SCMP_ACT_"

/* All begin alike, which says nothing of what was meant. */
static int unknown_action(const struct reader *r, const char *name)
{
	const char *names[sizeof(actions) / sizeof(actions[0])];
	const size_t count = sizeof(names) / sizeof(names[0]), prefix = strlen(ACTION_PREFIX);
	const char *near;

	if (!name)
		return wrong(r, "it must be the name of an action, like SCMP_ACT_ERRNO");
	for (size_t i = 0; i < count; i++)
		names[i] = actions[i].name + prefix;
	name += strncmp(name, ACTION_PREFIX, prefix) == 0 ? prefix : 0;
	near = policy_name_near(names, count, name);
	if (!near)
		return wrong(r, "there is no such action; SCMP_ACT_ERRNO is one");
	return at_steps(r, error_set(r->err, ERR_FORMAT,
				     "there is no such action; did you mean \"%s%s\"?",
				     ACTION_PREFIX, near));
}

/* By its name, as Podman's profiles have it besides, or by its number. */
static int read_errno(struct reader *r, const json_t *object, const char *key,
		      const char *number_key, int *ret)
{
	const json_t *value = member(object, key);
	const char *name = take_text(value);
	json_int_t number = *ret;
	int rc = read_whole(r, object, number_key, UINT16_MAX, &number);

	if (rc == 0 && value && (!name || (*name && !error_errno_number(name))))
		rc = wrong_at(r, key, "it must be the name of an errno, like EPERM");
	if (rc == 0)
		*ret = name && *name ? error_errno_number(name) : (int)number;
	return rc;
}

/* `fallback`: the errno when the file has none. */
static int read_action(struct reader *r, const json_t *object, const char *key, int fallback,
		       struct sandbox_action *ret, unsigned *ret_inexact)
{
	bool is_default = strcmp(key, "defaultAction") == 0;
	const char *name = take_text(member(object, key));
	const size_t count = sizeof(actions) / sizeof(actions[0]);
	int number = fallback, rc;
	size_t i = 0;

	while (name && i < count && strcmp(actions[i].name, name) != 0)
		i++;
	if (!name || i == count) {
		step_in(r, key, 0);
		rc = unknown_action(r, name);
		r->depth--;
		return rc;
	}
	rc = read_errno(r, object, is_default ? "defaultErrno" : "errno",
			is_default ? "defaultErrnoRet" : "errnoRet", &number);
	if (rc < 0)
		return rc;
	*ret = actions[i].action;
	*ret_inexact = actions[i].inexact;
	if (ret->number != EPERM)
		return 0;
	if (error_errno_name(number))
		ret->number = number;
	else
		*ret_inexact = OCI_INEXACT_ERRNO;
	return 0;
}

/* --- for whom a rule is ---------------------------------------------------------------------- */

struct filter {
	size_t caps;
	bool arches, this_arch;
};

static int read_cap(struct reader *r, const json_t *item, void *ctx)
{
	struct filter *f = ctx;

	f->caps++;
	return take_text(item) ? 0 : wrong(r, "it must be the name of a capability");
}

static int read_arch(struct reader *r, const json_t *item, void *ctx)
{
	const char *name = take_text(item);
	struct filter *f = ctx;

	if (!name)
		return wrong(r, "it must be the name of a machine, like amd64");
	f->arches = true;
	f->this_arch |= strcmp(name, call_machine.name) == 0;
	return 0;
}

/* "4.8". */
static int read_kernel(struct reader *r, const json_t *object, unsigned *ret)
{
	const json_t *value = member(object, "minKernel");
	const char *text = take_text(value);
	unsigned major, minor;
	char rest; /* there must be none */

	if (!value || (text && !*text))
		return 0;
	if (!text || strlen(text) > 9 || sscanf(text, "%u.%u%c", &major, &minor, &rest) != 2 ||
	    minor > UINT16_MAX || major > UINT16_MAX / 2)
		return wrong_at(r, "minKernel", "it must be a version of Linux, like \"4.8\"");
	*ret = major << 16 | minor;
	return 0;
}

/* *ret_applies stays when there is nothing in it. */
static int read_filter(struct reader *r, const json_t *rule, const char *key, bool *ret_applies)
{
	static const char *const known[] = {"caps", "arches", "minKernel", NULL};
	const json_t *value = member(rule, key);
	bool includes = strcmp(key, "includes") == 0;
	struct filter f = {.caps = 0};
	unsigned kernel = 0;
	int rc = 0;

	if (!value)
		return 0;
	step_in(r, key, 0);
	if (!json_is_object(value))
		rc = wrong(r, "it must be an object");
	else
		note_unknown_keys(r, value, known);
	if (rc == 0)
		rc = read_list(r, value, "caps", read_cap, &f);
	if (rc == 0)
		rc = read_list(r, value, "arches", read_arch, &f);
	if (rc == 0)
		rc = read_kernel(r, value, &kernel);
	r->depth--;
	if (rc < 0)
		return rc;
	if (f.caps || f.arches || kernel)
		r->profile->inexact |= OCI_INEXACT_FOR_SOME;
	if (includes && (f.caps || (f.arches && !f.this_arch) || kernel > r->kernel))
		*ret_applies = false;
	if (!includes && (f.this_arch || (kernel && kernel <= r->kernel)))
		*ret_applies = false;
	return 0;
}

/* --- rules ----------------------------------------------------------------------------------- */

static int read_op(struct reader *r, const json_t *item, unsigned char *ret)
{
	const char *name = take_text(member(item, "op"));
	int op = 0;

	while (name && op < OCI_OPS && strcmp(ops[op], name) != 0)
		op++;
	*ret = (unsigned char)op;
	if (name && op < OCI_OPS)
		return 0;
	return wrong_at(r, "op",
			name ? "there is no such comparison; SCMP_CMP_EQ is one"
			     : "it must be the name of a comparison, like SCMP_CMP_EQ");
}

static int read_condition(struct reader *r, const json_t *item, void *ctx)
{
	static const char *const known[] = {"index", "value", "valueTwo", "op", NULL};
	struct oci_rule *rule = ctx;
	struct oci_condition c = {.arg = 0};
	json_int_t index = 0, value = 0, value_two = 0;
	int rc;

	if (!json_is_object(item))
		return wrong(r, "it must be an object");
	note_unknown_keys(r, item, known);
	rc = read_whole(r, item, "index", OCI_ARGS - 1, &index);
	if (rc == 0)
		rc = read_whole(r, item, "value", INT64_MAX, &value);
	if (rc == 0)
		rc = read_whole(r, item, "valueTwo", INT64_MAX, &value_two);
	if (rc == 0)
		rc = read_op(r, item, &c.op);
	if (rc < 0)
		return rc;
	c.arg = (unsigned char)index;
	c.value = (uint64_t)value;
	c.value_two = (uint64_t)value_two;
	/* Engines make a rule of each condition when there are two for one argument. */
	for (size_t i = 0; i < rule->condition_count; i++)
		rule->either |= rule->condition[i].arg == c.arg;
	rule->condition[rule->condition_count++] = c;
	return 0;
}

static int read_conditions(struct reader *r, const json_t *item, struct oci_rule *rule)
{
	size_t count = json_array_size(member(item, "args"));

	if (count > OCI_CONDITIONS_MAX)
		return at_steps(r, error_set(r->err, ERR_LIMIT, "there are more than %d args",
					     OCI_CONDITIONS_MAX));
	rule->condition = calloc(count + 1, sizeof(*rule->condition));
	if (!rule->condition)
		return error_no_memory(r->err);
	return read_list(r, item, "args", read_condition, rule);
}

static int find_call(const char *name)
{
	for (size_t i = 0; i < call_name_count; i++)
		if (call_names[i] && strcmp(call_names[i], name) == 0)
			return (int)i;
	return -1;
}

/* What a list names twice it names once. */
static int add_use(struct reader *r, unsigned call)
{
	struct oci_profile *p = r->profile;
	unsigned rule = (unsigned)p->rule_count - 1, last = p->last_use[call];
	struct oci_use *grown;

	if (last && p->use[last - 1].rule == rule)
		return 0;
	grown = array_grow(p->use, p->use_count, sizeof(*grown));
	if (!grown)
		return error_no_memory(r->err);
	p->use = grown;
	p->use[p->use_count++] = (struct oci_use){rule, last};
	p->last_use[call] = (unsigned)p->use_count;
	return 0;
}

/* `ctx`: whether the rule applies. */
static int read_call(struct reader *r, const json_t *item, void *ctx)
{
	const char *name = take_text(item);
	const bool *applies = ctx;
	int call;

	if (!name || !*name)
		return wrong(r, "it must be the name of a system call");
	if (!*applies)
		return 0;
	call = find_call(name);
	if (call >= 0)
		return add_use(r, (unsigned)call);
	add_name(&r->profile->unknown_calls, name);
	return 0;
}

static int read_calls(struct reader *r, const json_t *item, bool applies)
{
	const json_t *name = member(item, "name");
	int rc;

	/* Go's reader has "" for what is not there. */
	if (name && take_text(name) && json_string_length(name) == 0)
		name = NULL;
	if (!name && json_array_size(member(item, "names")) == 0 &&
	    (!member(item, "names") || json_is_array(member(item, "names"))))
		return wrong(r, "it names no system call");
	if (name && member(item, "names"))
		return wrong(r, "it has both \"name\" and \"names\"");
	if (!name)
		return read_list(r, item, "names", read_call, &applies);
	step_in(r, "name", 0);
	rc = read_call(r, name, &applies);
	r->depth--;
	return rc;
}

static int read_rule(struct reader *r, const json_t *item, void *ctx)
{
	struct oci_profile *p = r->profile;
	struct oci_rule *rule = &p->rule[p->rule_count];
	bool applies = true;
	unsigned inexact = 0;
	int rc;

	(void)ctx;
	if (!json_is_object(item))
		return wrong(r, "it must be an object");
	p->rule_count++;
	*rule = (struct oci_rule){.index = r->steps[r->depth - 1].index};
	note_unknown_keys(r, item, rule_keys);
	rc = read_action(r, item, "action", EPERM, &rule->action, &inexact);
	if (rc == 0)
		rc = read_conditions(r, item, rule);
	if (rc == 0)
		rc = read_filter(r, item, "includes", &applies);
	if (rc == 0)
		rc = read_filter(r, item, "excludes", &applies);
	if (rc == 0)
		rc = read_calls(r, item, applies);
	if (rc == 0 && applies)
		p->inexact |= inexact;
	return rc;
}

static int read_rules(struct reader *r, const json_t *object)
{
	size_t count = json_array_size(member(object, "syscalls"));

	if (count > OCI_RULES_MAX)
		return at_steps(r, error_set(r->err, ERR_LIMIT, "there are more than %d syscalls",
					     OCI_RULES_MAX));
	r->profile->rule = calloc(count + 1, sizeof(*r->profile->rule));
	if (!r->profile->rule)
		return error_no_memory(r->err);
	return read_list(r, object, "syscalls", read_rule, NULL);
}

/* --- the whole ------------------------------------------------------------------------------- */

static int read_machine(struct reader *r, const json_t *item, void *ctx)
{
	struct oci_profile *p = r->profile;
	const char *name = take_text(item);

	(void)ctx;
	if (!name || strncmp(name, "SCMP_ARCH_", 10) != 0)
		return wrong(r, "it must be the name of an architecture, like SCMP_ARCH_X86_64");
	p->has_machines = true;
	p->has_this_machine |= strcmp(name, call_machine.oci) == 0;
	for (size_t i = 0; i < sizeof(call_machine.oci_foreign) / sizeof(char *); i++)
		p->has_foreign |= strcmp(name, call_machine.oci_foreign[i]) == 0;
	return 0;
}

/* What others have besides their own calls is theirs. */
static int read_mapped(struct reader *r, const json_t *item, void *ctx)
{
	const json_t *value = member(item, "architecture");
	const char *name = take_text(value);
	bool other = !name || strcmp(name, call_machine.oci) != 0;
	bool had_foreign = r->profile->has_foreign;
	int rc;

	step_in(r, "architecture", 0);
	rc = read_machine(r, value, ctx);
	r->depth--;
	if (rc == 0)
		rc = read_list(r, item, "subArchitectures", read_machine, ctx);
	if (other)
		r->profile->has_foreign = had_foreign;
	return rc;
}

static int read_flag(struct reader *r, const json_t *item, void *ctx)
{
	const char *name = take_text(item);

	(void)ctx;
	if (!name)
		return wrong(r, "it must be the name of a flag");
	add_name(&r->profile->flags, name);
	return 0;
}

static int read_profile(struct reader *r, const json_t *top)
{
	struct oci_profile *p = r->profile;
	unsigned inexact = 0;
	int rc;

	if (!json_is_object(top))
		return wrong(r, "a profile must be an object");
	if (!member(top, "defaultAction"))
		return wrong(r, "\"defaultAction\" is missing: this is no seccomp profile");
	note_unknown_keys(r, top, top_keys);
	rc = read_action(r, top, "defaultAction", EPERM, &p->otherwise, &inexact);
	p->inexact |= inexact;
	if (rc == 0 && json_array_size(member(top, "architectures")) && member(top, "archMap"))
		rc = wrong(r, "it has both \"architectures\" and \"archMap\"");
	if (rc == 0)
		rc = read_list(r, top, "architectures", read_machine, NULL);
	if (rc == 0)
		rc = read_list(r, top, "archMap", read_mapped, NULL);
	if (rc == 0)
		rc = read_list(r, top, "flags", read_flag, NULL);
	return rc == 0 ? read_rules(r, top) : rc;
}

static unsigned this_kernel(void)
{
	unsigned major = 0, minor = 0;
	struct utsname host;

	if (uname(&host) < 0 || sscanf(host.release, "%u.%u", &major, &minor) != 2)
		return 0;
	return major << 16 | minor;
}

int oci_read(struct bytes text, const char *name, const json_t *top, struct oci_profile *p,
	     struct error *err)
{
	struct reader r = {.text = text, .name = name, .profile = p, .err = err};
	const json_t *linux_part = member(top, "linux");

	r.kernel = this_kernel();
	p->in_config = linux_part && !member(top, "defaultAction");
	if (!p->in_config)
		return read_profile(&r, top);
	step_in(&r, "linux", 0);
	if (!member(linux_part, "seccomp"))
		return wrong(&r, "this configuration has no \"seccomp\" in it");
	step_in(&r, "seccomp", 0);
	return read_profile(&r, member(linux_part, "seccomp"));
}

void oci_clear(struct oci_profile *p)
{
	for (size_t i = 0; i < p->rule_count; i++)
		free(p->rule[i].condition);
	free(p->rule);
	free(p->use);
	*p = (struct oci_profile){.rule_count = 0};
}
