/* A copy of a policy. */
#include "sandbox/compiled.h"

#include <stdlib.h>
#include <string.h>

static const char *copy_text(struct sandbox_policy *to, const char *text, bool *ok)
{
	const char *copy = text ? arena_add_str(&to->texts, text) : NULL;

	*ok = *ok && (copy || !text);
	return copy;
}

static void *copy_list(size_t count, size_t size, bool *ok)
{
	void *list = count ? calloc(count, size) : NULL;

	*ok = *ok && (list || !count);
	return list;
}

static void copy_roots(const struct policy_roots *from, struct sandbox_policy *policy,
		       struct policy_roots *to, bool *ok)
{
	to->item = copy_list(from->count, sizeof(*to->item), ok);
	to->count = to->room = to->item ? from->count : 0;
	for (size_t i = 0; i < to->count; i++) {
		to->item[i] = from->item[i];
		to->item[i].path = arena_add(&policy->texts, from->item[i].path, from->item[i].len);
		*ok = *ok && to->item[i].path;
	}
}

static void copy_numbers(const struct policy_numbers *from, struct policy_numbers *to, bool *ok)
{
	to->item = copy_list(from->count, sizeof(*to->item), ok);
	to->count = to->item ? from->count : 0;
	if (to->count)
		memcpy(to->item, from->item, to->count * sizeof(*to->item));
}

static void copy_variables(const struct policy_variables *from, struct sandbox_policy *policy,
			   struct policy_variables *to, bool *ok)
{
	to->item = copy_list(from->count, sizeof(*to->item), ok);
	to->count = to->room = to->item ? from->count : 0;
	for (size_t i = 0; i < to->count; i++) {
		to->item[i].name = copy_text(policy, from->item[i].name, ok);
		to->item[i].value = copy_text(policy, from->item[i].value, ok);
	}
}

int policy_copy(const struct sandbox_policy *policy, struct sandbox_policy **ret, struct error *err)
{
	struct sandbox_policy *copy = malloc(sizeof(*copy));
	bool ok = true;

	if (!copy)
		return error_no_memory(err);
	*copy = *policy;
	copy->texts = (struct arena){0};
	for (int i = 0; i < POLICY_PLACES; i++)
		copy->places[i] = copy_text(copy, policy->places[i], &ok);
	copy->source = copy_text(copy, policy->source, &ok);
	copy->source_name = copy_text(copy, policy->source_name, &ok);
	for (int i = 0; i < SANDBOX_PORTS; i++)
		copy_numbers(&policy->ports[i], &copy->ports[i], &ok);
	copy_roots(&policy->roots, copy, &copy->roots, &ok);
	copy_roots(&policy->unix_paths, copy, &copy->unix_paths, &ok);
	copy_variables(&policy->keep, copy, &copy->keep, &ok);
	copy_variables(&policy->remove, copy, &copy->remove, &ok);
	copy_variables(&policy->set, copy, &copy->set, &ok);
	copy_numbers(&policy->fds, &copy->fds, &ok);
	if (!ok) {
		sandbox_policy_free(copy);
		return error_no_memory(err);
	}
	*ret = copy;
	return 0;
}
