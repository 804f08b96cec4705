/* A policy from JSON. Errors name the file, the line and the key. */
#include "sandbox/policy.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/jsontext.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>

/* Section, key, item. */
#define STEPS_MAX 3

/* A key of the whole and of each section that says nothing to a program. */
#define COMMENT "comment"

struct reader {
	struct bytes text;
	const char *name; /* of the file */
	struct sandbox_policy *policy;
	struct jsontext_step steps[STEPS_MAX];
	size_t depth;
	struct error *err;
};

static int at_steps(const struct reader *r, int code)
{
	return jsontext_error_at(r->text, r->name, r->steps, r->depth, code, r->err);
}

/* The values that the builder refuses are errors of the file. */
static int refused(const struct reader *r, int rc)
{
	if (rc >= 0)
		return rc;
	if (rc == ERR_INVALID) {
		rc = ERR_FORMAT;
		if (r->err)
			r->err->code = rc;
	}
	return at_steps(r, rc);
}

static int wrong(const struct reader *r, const char *what)
{
	return at_steps(r, error_set(r->err, ERR_FORMAT, "%s", what));
}

/* The reader without its last step. */
static void step_in(struct reader *r, const char *key, size_t index)
{
	r->steps[r->depth++] = (struct jsontext_step){key, index};
}

static int unknown_key(const struct reader *r, const char *const *names, size_t count)
{
	const char *near = policy_name_near(names, count, r->steps[r->depth - 1].key);
	int rc = error_set(r->err, ERR_FORMAT, "there is no such key%s%s%s",
			   near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");

	return at_steps(r, rc);
}

/* "one of a, b, c". */
static int add_choices(const struct policy_names *names, struct buf *out)
{
	int rc;

	if (names == &policy_capabilities)
		return buf_add_str(out, "the name of a capability, in lower case and without CAP_");
	rc = buf_addf(out, "one of %s", names->name[0]);
	for (int i = 1; rc == 0 && i < names->count; i++)
		if (*names->name[i])
			rc = buf_addf(out, ", %s", names->name[i]);
	if (rc == 0 && names == &policy_action_kinds)
		rc = buf_add_str(out, ", or the name of an errno, like EPERM");
	return rc;
}

/* `name`: what is there instead; NULL when it is no name. */
static int unknown_name(const struct reader *r, const struct policy_names *names, const char *name)
{
	cleanup_buf struct buf quoted = BUF_INIT, choices = BUF_INIT;
	const char *near = NULL;

	if (name)
		near = policy_name_near(names->name, (size_t)names->count, name);
	if (add_choices(names, &choices) < 0 ||
	    (name && text_quote(&quoted, name, strlen(name)) < 0))
		return error_no_memory(r->err);
	if (!name)
		error_set(r->err, ERR_FORMAT, "it must be %s", choices.data);
	else if (near)
		error_set(r->err, ERR_FORMAT, "there is no %s; did you mean \"%s\"?", quoted.data,
			  near);
	else
		error_set(r->err, ERR_FORMAT, "there is no %s: it must be %s", quoted.data,
			  choices.data);
	return at_steps(r, ERR_FORMAT);
}

/* A string without a NUL, which no path and no name has. */
static const char *take_text(const json_t *value)
{
	const char *text = json_string_value(value);

	return text && strlen(text) == json_string_length(value) ? text : NULL;
}

static int read_name(const struct reader *r, const json_t *value, const struct policy_names *names,
		     int *ret)
{
	const char *name = take_text(value);
	int found = name ? policy_name_find(names, name) : -1;

	if (found < 0)
		return unknown_name(r, names, name);
	*ret = found;
	return 0;
}

/* A string, or {"base64": ...} of bytes that are no text. */
static int read_bytes(const struct reader *r, const json_t *value, struct buf *out)
{
	const char *text = take_text(value), *base64;
	int rc;

	if (text)
		return buf_add_str(out, text) < 0 ? error_no_memory(r->err) : 0;
	base64 = take_text(json_object_get(value, "base64"));
	if (!base64 || json_object_size(value) != 1)
		return wrong(r, "it must be a string without NUL, or {\"base64\": ...}");
	rc = text_base64_decode(out, base64, strlen(base64), r->err);
	if (rc == 0 && (out->len == 0 || memchr(out->data, '\0', out->len)))
		rc = error_set(r->err, ERR_FORMAT, "it is empty or holds a NUL");
	return rc < 0 ? at_steps(r, rc) : 0;
}

/* As JSON Schema has it: 1.0 and 1e3 are whole numbers, too. Those that are no integers for jansson
 * are taken as far as each of them has a double of its own, which is more than anything needs. */
static bool take_whole(const json_t *value, json_int_t *ret)
{
	double real = json_real_value(value);

	if (json_is_integer(value)) {
		*ret = json_integer_value(value);
		return true;
	}
	if (!json_is_real(value) || real < -9e15 || real > 9e15 || (double)(json_int_t)real != real)
		return false;
	*ret = (json_int_t)real;
	return true;
}

/* --- values, by their kinds ------------------------------------------------------------------ */

static int read_root(struct reader *r, const struct policy_key *key, const json_t *value)
{
	cleanup_buf struct buf path = BUF_INIT;
	int rc = read_bytes(r, value, &path);
	bool optional;

	if (rc < 0)
		return rc;
	optional = path.len && path.data[0] == '?';
	rc = policy_roots_add(r->policy,
			      key->kind == POLICY_UNIX_LIST ? &r->policy->unix_paths
							    : &r->policy->roots,
			      &(struct policy_root){.path = (path.data ? path.data : "") + optional,
						    .kind = (enum sandbox_root)key->index,
						    .optional = optional,
						    .key = key,
						    .index = r->steps[r->depth - 1].index},
			      r->err);
	return refused(r, rc);
}

static int read_number(struct reader *r, const struct policy_key *key, const json_t *value)
{
	json_int_t number;

	if (!take_whole(value, &number) || number < 0 || number > INT32_MAX)
		return wrong(r, "it must be a whole number");
	if (key->kind == POLICY_FD_LIST && number < 3)
		return wrong(r, "0, 1 and 2 are always there");
	if (key->kind == POLICY_FD_LIST)
		return refused(r, sandbox_policy_add_fd(r->policy, (int)number, r->err));
	return refused(r, sandbox_policy_add_port(r->policy, (enum sandbox_port)key->index,
						  (unsigned)number, r->err));
}

static int read_pattern(struct reader *r, const struct policy_key *key, const json_t *value)
{
	cleanup_buf struct buf name = BUF_INIT;
	int rc = read_bytes(r, value, &name);

	if (rc < 0)
		return rc;
	return refused(
		r,
		key->kind == POLICY_KEEP_LIST
			? sandbox_policy_keep_env(r->policy, name.len ? name.data : "", r->err)
			: sandbox_policy_remove_env(r->policy, name.len ? name.data : "", r->err));
}

static int read_bit(struct reader *r, const struct policy_key *key, const json_t *value)
{
	uint64_t *bits = (uint64_t *)((char *)r->policy + key->offset);
	int bit = 0;
	int rc = read_name(r, value, key->names, &bit);

	if (rc == 0)
		*bits |= UINT64_C(1) << bit;
	return rc;
}

/* Presets add to what else there is, so they come last (add_presets()). */
static int read_preset(struct reader *r, const struct policy_key *key, const json_t *value)
{
	int preset;

	return read_name(r, value, key->names, &preset);
}

static int read_choice(struct reader *r, const struct policy_key *key, const json_t *value)
{
	return read_name(r, value, key->names, (int *)((char *)r->policy + key->offset));
}

static int read_limit(struct reader *r, const struct policy_key *key, const json_t *value)
{
	uint64_t limit = SANDBOX_NO_LIMIT;
	json_int_t number;

	if (take_whole(value, &number) && number >= 0)
		limit = (uint64_t)number;
	else if (!json_is_null(value))
		return wrong(r, "it must be a whole number, or null for no limit");
	return refused(r, sandbox_policy_set_limit(r->policy, (enum sandbox_limit)key->index, limit,
						   r->err));
}

static int read_action(struct reader *r, const struct policy_key *key, const json_t *value)
{
	const char *name = take_text(value);
	struct sandbox_action action = {SANDBOX_ACTION_ERRNO, 0};
	int kind = name ? policy_name_find(&policy_action_kinds, name) : -1;

	if (kind >= 0)
		action.kind = (enum sandbox_action_kind)kind;
	else
		action.number = name ? error_errno_number(name) : 0;
	if (kind < 0 && action.number == 0)
		return unknown_name(r, &policy_action_kinds, name);
	return refused(r, sandbox_policy_set_syscalls(r->policy, (enum sandbox_syscalls)key->index,
						      action, r->err));
}

static int read_variable(struct reader *r, const char *name, const json_t *value)
{
	cleanup_buf struct buf bytes = BUF_INIT;
	int rc = read_bytes(r, value, &bytes);

	if (rc < 0)
		return rc;
	return refused(
		r, sandbox_policy_set_env(r->policy, name, bytes.len ? bytes.data : "", r->err));
}

static int read_variables(struct reader *r, const struct policy_key *key, const json_t *value)
{
	const char *name;
	json_t *item;
	int rc = 0;

	(void)key;
	if (!json_is_object(value))
		return wrong(r, "it must be an object of names and values");
	json_object_foreach((json_t *)value, name, item)
	{
		step_in(r, name, 0);
		rc = read_variable(r, name, item);
		r->depth--;
		if (rc < 0)
			break;
	}
	return rc;
}

typedef int read_fn(struct reader *r, const struct policy_key *key, const json_t *value);

static const struct {
	read_fn *read; /* of one item, when it is a list */
	bool list;
} by_kind[] = {
	[POLICY_CHOICE] = {read_choice, false},	     [POLICY_SET] = {read_bit, true},
	[POLICY_PRESETS] = {read_preset, true},	     [POLICY_ROOT_LIST] = {read_root, true},
	[POLICY_UNIX_LIST] = {read_root, true},	     [POLICY_PORT_LIST] = {read_number, true},
	[POLICY_FD_LIST] = {read_number, true},	     [POLICY_LIMIT] = {read_limit, false},
	[POLICY_ACTION] = {read_action, false},	     [POLICY_KEEP_LIST] = {read_pattern, true},
	[POLICY_REMOVE_LIST] = {read_pattern, true}, [POLICY_SET_MAP] = {read_variables, false},
};

/* A list takes the place of the default. */
static void drop_default(struct sandbox_policy *policy, const struct policy_key *key)
{
	if (key->kind == POLICY_SET)
		*(uint64_t *)((char *)policy + key->offset) = 0;
	else if (key->kind == POLICY_ROOT_LIST)
		policy_roots_drop(&policy->roots, (enum sandbox_root)key->index);
	else if (key->kind == POLICY_KEEP_LIST)
		policy_variables_clear(&policy->keep);
	else if (key->kind == POLICY_REMOVE_LIST)
		policy_variables_clear(&policy->remove);
}

static int read_list(struct reader *r, const struct policy_key *key, const json_t *value)
{
	json_t *item;
	size_t i;
	int rc = 0;

	if (!json_is_array(value))
		return wrong(r, "it must be a list");
	drop_default(r->policy, key);
	json_array_foreach(value, i, item)
	{
		step_in(r, NULL, i);
		rc = by_kind[key->kind].read(r, key, item);
		r->depth--;
		if (rc < 0)
			break;
	}
	return rc;
}

static int read_value(struct reader *r, const struct policy_key *key, const json_t *value)
{
	return by_kind[key->kind].list ? read_list(r, key, value)
				       : by_kind[key->kind].read(r, key, value);
}

/* --- the whole ------------------------------------------------------------------------------- */

/* All names in a section, or at the top: of keys and of sections. */
static size_t names_in(const char *section, const char **names, size_t max)
{
	const char *last = "";
	size_t count = 0;

	if (!section)
		names[count++] = "version";
	for (size_t i = 0; i < policy_key_count && count < max; i++) {
		const struct policy_key *key = &policy_keys[i];
		const char *own = key->section ? key->section : "";

		if (section ? strcmp(own, section) == 0 : !key->section)
			names[count++] = key->name;
		else if (!section && strcmp(own, last) != 0)
			names[count++] = key->section;
		last = own;
	}
	return count;
}

static bool is_section(const char *name)
{
	for (size_t i = 0; i < policy_key_count; i++)
		if (policy_keys[i].section && strcmp(policy_keys[i].section, name) == 0)
			return true;
	return false;
}

/* A text, or a list of texts, for who reads the file. */
static int read_comment(struct reader *r, const json_t *value)
{
	const json_t *line;
	size_t at;

	bool texts = json_is_string(value) || json_is_array(value);

	json_array_foreach(value, at, line) texts &= json_is_string(line);
	return texts ? 0 : wrong(r, "it must be a string or an array of strings");
}

static int read_one(struct reader *r, const char *section, const char *name, const json_t *value)
{
	const struct policy_key *key = policy_key_find(section, name);
	const char *names[64];

	if (!key && strcmp(name, COMMENT) == 0)
		return read_comment(r, value);
	if (key)
		return read_value(r, key, value);
	return unknown_key(r, names, names_in(section, names, sizeof(names) / sizeof(names[0])));
}

static int read_section(struct reader *r, const char *section, const json_t *object)
{
	const char *name;
	json_t *value;
	int rc = 0;

	if (!json_is_object(object))
		return wrong(r, "it must be an object");
	json_object_foreach((json_t *)object, name, value)
	{
		step_in(r, name, 0);
		rc = read_one(r, section, name, value);
		r->depth--;
		if (rc < 0)
			break;
	}
	return rc;
}

static int read_top(struct reader *r, const json_t *top)
{
	const char *name;
	json_t *value;
	int rc = 0;

	json_object_foreach((json_t *)top, name, value)
	{
		/* The level has been read before all others, which may change what it set. */
		if (strcmp(name, "version") == 0 || strcmp(name, "level") == 0)
			continue;
		step_in(r, name, 0);
		rc = is_section(name) ? read_section(r, name, value)
				      : read_one(r, NULL, name, value);
		r->depth--;
		if (rc < 0)
			break;
	}
	return rc;
}

static int read_level(struct reader *r, const json_t *top)
{
	const json_t *value = json_object_get(top, "level");
	int level = SANDBOX_LEVEL_PROCESS_EXEC, rc = 0;

	if (value) {
		step_in(r, "level", 0);
		rc = read_name(r, value, &policy_levels, &level);
		r->depth--;
	}
	if (rc == 0)
		policy_set_level(r->policy, (enum sandbox_level)level);
	return rc;
}

static int check_version(struct reader *r, const json_t *top)
{
	const json_t *version = json_object_get(top, "version");
	json_int_t number;
	int rc = 0;

	if (!json_is_object(top))
		return wrong(r, "a policy must be an object");
	if (!version)
		return wrong(r, "\"version\" is missing: it must be 1");
	step_in(r, "version", 0);
	if (!take_whole(version, &number))
		rc = wrong(r, "it must be a whole number");
	else if (number != POLICY_VERSION)
		rc = at_steps(r, error_set(r->err, ERR_VERSION,
					   "this program knows version %d only", POLICY_VERSION));
	r->depth--;
	return rc;
}

/* Those that are named, or all when the key is not there. */
static int add_presets(struct reader *r, const json_t *top)
{
	const json_t *list = json_object_get(json_object_get(top, "fs"), "presets");
	int rc = 0;

	for (int i = 0; rc == 0 && i < SANDBOX_PRESETS; i++) {
		bool named = !list;
		json_t *item;
		size_t at;

		json_array_foreach(list, at, item) named |=
			policy_name_find(&policy_presets, json_string_value(item)) == i;
		if (named)
			rc = sandbox_policy_add_preset(r->policy, (enum sandbox_preset)i, r->err);
	}
	return rc < 0 && rc != ERR_NOMEM ? at_steps(r, rc) : rc;
}

/* What the list names was not asked for, wherever the list stands. It has been read, so its names
 * are known. */
static void note_defaults(struct reader *r, const json_t *top)
{
	const json_t *list = json_object_get(json_object_get(top, "limits"), "by_default");
	json_t *item;
	size_t at;

	json_array_foreach(list, at, item) r->policy->by_default |=
		UINT64_C(1) << policy_name_find(&policy_limits, json_string_value(item));
}

static int check_whole(struct reader *r)
{
	const struct policy_key *key = NULL;
	int rc = policy_check(r->policy, &key, r->err);

	if (rc < 0 && key && key->section)
		step_in(r, key->section, 0);
	if (rc < 0 && key)
		step_in(r, key->name, 0);
	return refused(r, rc);
}

static int read_all(struct reader *r, const json_t *top)
{
	int rc = check_version(r, top);

	if (rc == 0)
		rc = read_level(r, top);
	if (rc == 0)
		rc = sandbox_policy_add_root(r->policy, SANDBOX_ROOT_WORKSPACE, "$WORK", false,
					     r->err);
	if (rc == 0)
		rc = read_top(r, top);
	if (rc == 0)
		note_defaults(r, top);
	if (rc == 0)
		rc = add_presets(r, top);
	return rc == 0 ? check_whole(r) : rc;
}

static int keep_source(struct reader *r)
{
	r->policy->source = arena_add(&r->policy->texts, r->text.data, r->text.len);
	r->policy->source_name = arena_add_str(&r->policy->texts, r->name);
	return r->policy->source && r->policy->source_name ? 0 : error_no_memory(r->err);
}

int policy_error_at_root(const struct sandbox_policy *policy, const struct policy_root *root,
			 int code, struct error *err)
{
	struct jsontext_step steps[STEPS_MAX];

	if (!root->key || !policy->source)
		return code;
	steps[0] = (struct jsontext_step){root->key->section, 0};
	steps[1] = (struct jsontext_step){root->key->name, 0};
	steps[2] = (struct jsontext_step){NULL, root->index};
	return jsontext_error_at(bytes_of_str(policy->source), policy->source_name, steps,
				 STEPS_MAX, code, err);
}

int sandbox_policy_parse(const char *text, size_t len, const char *name,
			 const struct sandbox_places *places, struct sandbox_policy **ret,
			 struct error *err)
{
	struct reader r = {.text = {text, len}, .name = name, .err = err};
	json_t *top = NULL;
	int rc = jsontext_load_file(r.text, name, POLICY_FILE_MAX, &top, err);

	if (rc == 0)
		rc = sandbox_policy_new(SANDBOX_LEVEL_NONE, places, &r.policy, err);
	if (rc == 0)
		rc = keep_source(&r);
	if (rc == 0)
		rc = read_all(&r, top);
	json_decref(top);
	if (rc == 0)
		*ret = r.policy;
	else
		sandbox_policy_free(r.policy);
	return rc;
}

int sandbox_policy_load(const char *file, const struct sandbox_places *places,
			struct sandbox_policy **ret, struct error *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	int rc = fs_read_file(file, POLICY_FILE_MAX, &text, err);

	if (rc < 0)
		return rc;
	return sandbox_policy_parse(text.data ? text.data : "", text.len, file, places, ret, err);
}
