/* The suite in parts, on several machines, and one report of them. */
#include "conformance/gate.h"

#include "base/hash.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHARDS_MAX 1000

int conf_shard_parse(const char *text, struct conf_shard *ret, struct error *err)
{
	unsigned number, of;
	int end = 0;

	if (strspn(text, "0123456789/") != strlen(text) || strlen(text) > 9 ||
	    sscanf(text, "%u/%u%n", &number, &of, &end) != 2 || text[end] || number < 1 ||
	    number > of || of > SHARDS_MAX)
		return error_set(err, ERR_INVALID,
				 "a shard is K/N, with K from 1 to N, and N up to %d, not '%s'",
				 SHARDS_MAX, text);
	*ret = (struct conf_shard){number, of};
	return 0;
}

bool conf_shard_has(const struct conf_shard *shard, const char *id)
{
	return shard->of == 0 || hash64(id, strlen(id)) % shard->of == shard->number - 1;
}

static int check_host(const struct conf_host *a, const struct conf_host *b,
		      const char *const names[2], struct error *err)
{
	if (strcmp(a->kernel, b->kernel) == 0 && strcmp(a->arch, b->arch) == 0 &&
	    a->landlock_abi == b->landlock_abi)
		return 0;
	return error_set(err, ERR_INVALID,
			 "%s is of Linux %s on %s with ABI %d of Landlock, and %s of %s on %s with "
			 "%d: they are no parts of one report",
			 names[0], a->kernel, a->arch, a->landlock_abi, names[1], b->kernel,
			 b->arch, b->landlock_abi);
}

static bool has_cases(const struct conf_shard *shard)
{
	for (size_t i = 0; i < conf_case_count; i++)
		if (conf_shard_has(shard, conf_cases()[i].id))
			return true;
	return false;
}

static bool is_there(const struct conf_report *parts, size_t count, const struct conf_shard *shard)
{
	for (size_t i = 0; i < count; i++)
		if (parts[i].shard.number == shard->number && parts[i].shard.of == shard->of)
			return true;
	return false;
}

/* Of what was sharded all must be there: what a machine has not delivered would pass. */
static int check_shards(const struct conf_report *parts, const char *const *names, size_t count,
			struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		struct conf_shard other = parts[i].shard;

		for (other.number = 1; other.number <= other.of; other.number++)
			if (has_cases(&other) && !is_there(parts, count, &other))
				return error_set(err, ERR_INVALID,
						 "%s is of the shard %u/%u, and no report is of "
						 "the shard %u/%u: all shards make one report",
						 names[i], parts[i].shard.number, other.of,
						 other.number, other.of);
	}
	return 0;
}

static int add_entry(struct conf_report *to, const struct conf_entry *entry, const char *name,
		     struct error *err)
{
	const struct conf_entry *twin = conf_report_find(to, entry);

	if (twin && twin->verdict != entry->verdict)
		return error_set(err, ERR_INVALID,
				 "%s: %s (%s, %s) is %s there, and %s in a report before it", name,
				 entry->id, conf_layer_name(entry->layer),
				 conf_user_name(entry->root), conf_verdict_name(entry->verdict),
				 conf_verdict_name(twin->verdict));
	if (!twin)
		to->entry[to->count++] = *entry;
	return 0;
}

int conf_merge(const struct conf_report *parts, const char *const *names, size_t count,
	       struct conf_report *ret, struct error *err)
{
	size_t all = 0;
	int rc = 0;

	for (size_t i = 0; i < count; i++)
		all += parts[i].count;
	*ret = (struct conf_report){.host = parts[0].host};
	ret->entry = calloc(all + 1, sizeof(*ret->entry));
	if (!ret->entry)
		return error_no_memory(err);
	rc = check_shards(parts, names, count, err);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		rc = check_host(&parts[0].host, &parts[i].host,
				(const char *const[]){names[0], names[i]}, err);
		ret->duration_ns += parts[i].duration_ns;
		for (size_t k = 0; rc == 0 && k < parts[i].count; k++)
			rc = add_entry(ret, &parts[i].entry[k], names[i], err);
	}
	if (rc < 0)
		conf_report_free(ret);
	else
		conf_report_sort(ret);
	return rc;
}
