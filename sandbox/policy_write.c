/* A policy to JSON: all of it, in the order of the table of keys. */
#include "sandbox/policy.h"

#include "base/cleanup.h"
#include "base/jsontext.h"
#include "base/text.h"
#include <string.h>

static const void *member(const struct sandbox_policy *policy, const struct policy_key *key)
{
	return (const char *)policy + key->offset;
}

static json_t *array_of(json_t *array, json_t *value)
{
	if (json_array_append_new(array, value) == 0)
		return array;
	json_decref(array);
	return NULL;
}

static json_t *write_set(uint64_t bits, const struct policy_names *names)
{
	json_t *array = json_array();

	for (int i = 0; array && i < names->count; i++)
		if (bits >> i & 1)
			array = array_of(array, json_string(names->name[i]));
	return array;
}

/* Text that is no UTF-8 as {"base64": ...}. */
static json_t *write_bytes(struct bytes bytes)
{
	cleanup_buf struct buf encoded = BUF_INIT;

	if (text_is_utf8(bytes.data, bytes.len))
		return json_stringn_nocheck(bytes.data, bytes.len);
	if (text_base64_encode(&encoded, bytes.data, bytes.len) < 0)
		return NULL;
	return json_pack("{s:s%}", "base64", encoded.data, encoded.len);
}

/* With a question mark in front when it need not be there. */
static json_t *write_root(const struct policy_root *root)
{
	cleanup_buf struct buf text = BUF_INIT;

	if ((root->optional && buf_add_char(&text, '?') < 0) ||
	    buf_add(&text, root->path, root->len) < 0)
		return NULL;
	return write_bytes((struct bytes){text.data, text.len});
}

static json_t *write_roots(const struct policy_roots *roots, int kind)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < roots->count; i++)
		if ((int)roots->item[i].kind == kind)
			array = array_of(array, write_root(&roots->item[i]));
	return array;
}

static json_t *write_numbers(const struct policy_numbers *numbers)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < numbers->count; i++)
		array = array_of(array, json_integer((json_int_t)numbers->item[i]));
	return array;
}

static json_t *write_patterns(const struct policy_variables *variables)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < variables->count; i++)
		array = array_of(array, write_bytes(bytes_of_str(variables->item[i].name)));
	return array;
}

/* A key that is no UTF-8 has no place in JSON. */
static int write_variables(const struct policy_variables *variables, json_t **ret,
			   struct error *err)
{
	json_t *object = json_object();
	int rc = object ? 0 : error_no_memory(err);

	for (size_t i = 0; rc == 0 && i < variables->count; i++) {
		const struct policy_variable *v = &variables->item[i];

		if (!text_is_utf8(v->name, strlen(v->name)))
			rc = error_set(err, ERR_INVALID,
				       "the name of a variable in env.set is not UTF-8");
		else if (json_object_set_new_nocheck(object, v->name,
						     write_bytes(bytes_of_str(v->value))) < 0)
			rc = error_no_memory(err);
	}
	if (rc == 0)
		*ret = object;
	else
		json_decref(object);
	return rc;
}

static json_t *write_limit(uint64_t value)
{
	return value == SANDBOX_NO_LIMIT ? json_null() : json_integer((json_int_t)value);
}

static json_t *write_action(struct sandbox_action action)
{
	return json_string(action.kind == SANDBOX_ACTION_ERRNO
				   ? error_errno_name(action.number)
				   : policy_action_kinds.name[action.kind]);
}

static json_t *write_simple(const struct sandbox_policy *p, const struct policy_key *key)
{
	switch (key->kind) {
	case POLICY_CHOICE:
		return json_string(key->names->name[*(const int *)member(p, key)]);
	case POLICY_SET:
		return write_set(*(const uint64_t *)member(p, key), key->names);
	case POLICY_PRESETS: /* what they are is among the roots */
		return json_array();
	case POLICY_ROOT_LIST:
		return write_roots(&p->roots, key->index);
	case POLICY_UNIX_LIST:
		return write_roots(&p->unix_paths, 0);
	case POLICY_PORT_LIST:
		return write_numbers(&p->ports[key->index]);
	case POLICY_FD_LIST:
		return write_numbers(&p->fds);
	case POLICY_LIMIT:
		return write_limit(p->limits[key->index]);
	case POLICY_ACTION:
		return write_action(p->syscalls[key->index]);
	default:
		return write_patterns(key->kind == POLICY_KEEP_LIST ? &p->keep : &p->remove);
	}
}

/* Where the key belongs: at the top, or in its section, which is made when it is not there. */
static json_t *home_of(json_t *top, const struct policy_key *key)
{
	json_t *section = key->section ? json_object_get(top, key->section) : top;

	if (section)
		return section;
	section = json_object();
	return json_object_set_new(top, key->section, section) < 0 ? NULL : section;
}

static int write_key(const struct sandbox_policy *p, const struct policy_key *key, json_t *top,
		     struct error *err)
{
	json_t *home = home_of(top, key), *value = NULL;
	int rc = 0;

	if (key->kind == POLICY_SET_MAP)
		rc = write_variables(&p->set, &value, err);
	else
		value = write_simple(p, key);
	if (rc < 0)
		return rc;
	return json_object_set_new(home, key->name, value) < 0 ? error_no_memory(err) : 0;
}

int sandbox_policy_json(const struct sandbox_policy *policy, char **ret_text, struct error *err)
{
	cleanup_buf struct buf out = BUF_INIT;
	json_t *top = json_pack("{s:i}", "version", POLICY_VERSION);
	int rc = top ? 0 : error_no_memory(err);

	for (size_t i = 0; rc == 0 && i < policy_key_count; i++)
		rc = write_key(policy, &policy_keys[i], top, err);
	if (rc == 0 &&
	    (jsontext_dump(top, JSON_INDENT(2), &out) < 0 || buf_add_char(&out, '\n') < 0))
		rc = error_no_memory(err);
	if (rc == 0 && out.len > POLICY_FILE_MAX)
		rc = error_set(err, ERR_LIMIT,
			       "as JSON the policy is larger than %zu bytes, and could not be read "
			       "back",
			       POLICY_FILE_MAX);
	json_decref(top);
	if (rc == 0)
		*ret_text = buf_steal(&out);
	return rc;
}
