/* A copy of a policy. */
#include "sandbox/compiled.h"

#include <stdlib.h>
#include <string.h>

/* What has been copied so far is there to be freed. */
static char *copy_text(const char *text, bool *ok)
{
	char *copy = text ? strdup(text) : NULL;

	*ok = *ok && (copy || !text);
	return copy;
}

static void *copy_list(size_t count, size_t size, bool *ok)
{
	void *list = count ? calloc(count, size) : NULL;

	*ok = *ok && (list || !count);
	return list;
}

static void copy_roots(const struct policy_roots *from, struct policy_roots *to, bool *ok)
{
	to->item = copy_list(from->count, sizeof(*to->item), ok);
	to->count = to->item ? from->count : 0;
	for (size_t i = 0; i < to->count; i++) {
		to->item[i] = from->item[i];
		to->item[i].path = copy_text(from->item[i].path, ok);
	}
}

static void copy_numbers(const struct policy_numbers *from, struct policy_numbers *to, bool *ok)
{
	to->item = copy_list(from->count, sizeof(*to->item), ok);
	to->count = to->item ? from->count : 0;
	if (to->count)
		memcpy(to->item, from->item, to->count * sizeof(*to->item));
}

static void copy_variables(const struct policy_variables *from, struct policy_variables *to,
			   bool *ok)
{
	to->item = copy_list(from->count, sizeof(*to->item), ok);
	to->count = to->item ? from->count : 0;
	for (size_t i = 0; i < to->count; i++) {
		to->item[i].name = copy_text(from->item[i].name, ok);
		to->item[i].value = copy_text(from->item[i].value, ok);
	}
}

int policy_copy(const struct sandbox_policy *policy, struct sandbox_policy **ret, struct error *err)
{
	struct sandbox_policy *copy = malloc(sizeof(*copy));
	bool ok = true;

	if (!copy)
		return error_no_memory(err);
	*copy = *policy;
	for (int i = 0; i < POLICY_PLACES; i++)
		copy->places[i] = copy_text(policy->places[i], &ok);
	for (int i = 0; i < SANDBOX_PORTS; i++)
		copy_numbers(&policy->ports[i], &copy->ports[i], &ok);
	copy_roots(&policy->roots, &copy->roots, &ok);
	copy_roots(&policy->unix_paths, &copy->unix_paths, &ok);
	copy_variables(&policy->keep, &copy->keep, &ok);
	copy_variables(&policy->remove, &copy->remove, &ok);
	copy_variables(&policy->set, &copy->set, &ok);
	copy_numbers(&policy->fds, &copy->fds, &ok);
	if (!ok) {
		sandbox_policy_free(copy);
		return error_no_memory(err);
	}
	*ret = copy;
	return 0;
}
