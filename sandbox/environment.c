/* The environment that a policy leaves a program. */
#include "sandbox/environment.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

extern char **environ;

struct environment {
	bool off;
	struct arena texts;
	struct policy_variables keep, remove;
	char **set; /* "NAME=value" */
	size_t set_count;
	const char *closed_cache; /* of npm, which the program cannot use; NULL: it can */
};

/*
 * No pattern keeps these; the loader's are removed even when they are named. They change what every
 * program or every shell does, so that whoever keeps "*" hardly means them. What else makes a
 * program load code (NODE_OPTIONS, PYTHONPATH) is wanted by the builds that it is set for, and that
 * code runs inside the sandbox.
 */
static const char *const hooks[] = {"GLIBC_TUNABLES", "GCONV_PATH", "BASH_ENV", "ENV",
				    "BASH_FUNC_*",    "SHELLOPTS"};

static bool is_loaders(const char *name)
{
	return strncmp(name, "LD_", 3) == 0;
}

/* --- prepared ----------------------------------------------------------------------------------
 */

static int copy_variables(struct arena *texts, struct policy_variables *to,
			  const struct policy_variables *from, struct error *err)
{
	to->item = calloc(from->count + 1, sizeof(*to->item));
	if (!to->item)
		return error_no_memory(err);
	for (; to->count < from->count; to->count++) {
		to->item[to->count].name = arena_add_str(texts, from->item[to->count].name);
		if (!to->item[to->count].name)
			return error_no_memory(err);
	}
	return 0;
}

static int copy_set(struct environment *environment, const struct policy_variables *from,
		    struct error *err)
{
	environment->set = calloc(from->count + 1, sizeof(*environment->set));
	if (!environment->set)
		return error_no_memory(err);
	for (size_t i = 0; i < from->count; i++) {
		cleanup_buf struct buf text = BUF_INIT;

		if (buf_add_str(&text, from->item[i].name) < 0 || buf_add_char(&text, '=') < 0 ||
		    buf_add_str(&text, from->item[i].value) < 0)
			return error_no_memory(err);
		environment->set[environment->set_count++] = buf_steal(&text);
	}
	return 0;
}

static bool stays(const struct environment *environment, const char *name);

/*
 * npm fails where it cannot write to its cache, also when it packs or installs what lies in the
 * workspace. That of HOME is not the sandbox's to grant: what npm executes later, outside, would
 * come from it. Who grants something of it means it, and who keeps no variable of npm's, gets none.
 */
static int find_closed_cache(const struct judge *judge, const struct sandbox_paths *paths,
			     struct environment *environment)
{
	const char *home = judge->policy->places[POLICY_HOME];
	cleanup_buf struct buf cache = BUF_INIT;
	struct sandbox_path seen = {.allowed = false};
	int rc = 0;

	if (!paths || !stays(environment, ENVIRONMENT_NPM_CACHE) ||
	    judge_strictness(judge, SANDBOX_MECH_LANDLOCK_FS) == SANDBOX_STRICT_OFF)
		return 0;
	if (buf_addf(&cache, "%s/.npm", home ? home : "") < 0)
		return error_no_memory(judge->err);
	/* One that cannot be looked for cannot be used. */
	if (home)
		rc = sandbox_paths_check(paths, SANDBOX_ACCESS_READ, NULL, cache.data, &seen, NULL);
	if (rc == ERR_NOMEM)
		return error_no_memory(judge->err);
	if (rc == 0 && seen.allowed)
		return 0;
	environment->closed_cache = arena_add_str(&environment->texts, cache.data);
	return environment->closed_cache ? 0 : error_no_memory(judge->err);
}

int environment_prepare(const struct judge *judge, const struct sandbox_paths *paths,
			struct environment **ret)
{
	struct environment *environment = calloc(1, sizeof(*environment));
	int rc;

	if (!environment)
		return error_no_memory(judge->err);
	environment->off = judge_is_off(judge, SANDBOX_MECH_ENV);
	rc = copy_variables(&environment->texts, &environment->keep, &judge->policy->keep,
			    judge->err);
	if (rc == 0)
		rc = copy_variables(&environment->texts, &environment->remove,
				    &judge->policy->remove, judge->err);
	if (rc == 0)
		rc = copy_set(environment, &judge->policy->set, judge->err);
	if (rc == 0 && !environment->off)
		rc = find_closed_cache(judge, paths, environment);
	if (rc < 0) {
		environment_free(environment);
		return rc;
	}
	if (!environment->off)
		judge_enforced(judge, SANDBOX_MECH_ENV,
			       "only what the policy keeps and sets; never LD_*");
	*ret = environment;
	return 0;
}

void environment_free(struct environment *environment)
{
	if (!environment)
		return;
	arena_free(&environment->texts);
	policy_variables_clear(&environment->keep);
	policy_variables_clear(&environment->remove);
	for (size_t i = 0; i < environment->set_count; i++)
		free(environment->set[i]);
	free(environment->set);
	free(environment);
}

/* --- built -------------------------------------------------------------------------------------
 */

struct build {
	const char **entry;
	size_t count;
};

/* How many bytes the name has; 0: there is none, or no "=". */
static size_t name_length(const char *entry)
{
	size_t len = strcspn(entry, "=");

	return entry[len] ? len : 0;
}

static const char **find(const struct build *build, const char *entry, size_t name_len)
{
	for (size_t i = 0; i < build->count; i++) {
		if (strncmp(build->entry[i], entry, name_len + 1) == 0)
			return &build->entry[i];
	}
	return NULL;
}

static void put(struct build *build, const char *entry)
{
	size_t len = name_length(entry);
	const char **there = len ? find(build, entry, len) : NULL;

	if (there)
		*there = entry;
	else if (len)
		build->entry[build->count++] = entry;
}

static bool matches(const char *pattern, const char *name)
{
	return (*pattern == '*' || *pattern == *name) && policy_matches(pattern, name);
}

static bool matches_any(const struct policy_variables *patterns, const char *name)
{
	for (size_t i = 0; i < patterns->count; i++)
		if (matches(patterns->item[i].name, name))
			return true;
	return false;
}

static bool is_hook(const char *name)
{
	for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++)
		if (matches(hooks[i], name))
			return true;
	return false;
}

static bool stays(const struct environment *environment, const char *name)
{
	bool kept = false;

	if (environment->off)
		return true;
	if (is_loaders(name))
		return false;
	for (size_t i = 0; i < environment->keep.count; i++) {
		const char *pattern = environment->keep.item[i].name;

		if (strcmp(pattern, name) == 0 && !strchr(pattern, '*'))
			return true;
		kept = kept || matches(pattern, name);
	}
	return kept && !is_hook(name) && !matches_any(&environment->remove, name);
}

static size_t count_entries(const char *const *entries)
{
	size_t count = 0;

	while (entries && entries[count])
		count++;
	return count;
}

/* `name` has room for the longest name. */
static void put_what_stays(struct build *build, const struct environment *environment,
			   const char *const *envp, char *name)
{
	for (; envp && *envp; envp++) {
		size_t len = name_length(*envp);

		if (!len)
			continue;
		memcpy(name, *envp, len);
		name[len] = '\0';
		if (stays(environment, name) && !find(build, *envp, len))
			build->entry[build->count++] = *envp;
	}
}

/* Unless there is one that is not the closed one. npm reads names in either case. */
static void put_cache(struct build *build, const struct environment *environment, const char *entry)
{
	size_t len = name_length(entry);

	for (size_t i = 0; i < build->count; i++) {
		if (strncasecmp(build->entry[i], entry, len + 1) != 0)
			continue;
		if (strcmp(build->entry[i] + len + 1, environment->closed_cache) == 0)
			build->entry[i] = entry;
		return;
	}
	build->entry[build->count++] = entry;
}

static size_t longest_name(const char *const *envp)
{
	size_t longest = 0;

	for (; envp && *envp; envp++) {
		size_t len = name_length(*envp);

		longest = len > longest ? len : longest;
	}
	return longest;
}

int environment_build(const struct environment *environment, const char *const *envp,
		      const char *const *extra, const char *cache, const char ***ret,
		      struct error *err)
{
	struct build build = {0};
	cleanup_free char *name = NULL;

	if (!envp)
		envp = (const char *const *)environ;
	name = malloc(longest_name(envp) + 1);
	build.entry =
		calloc(count_entries(envp) + environment->set_count + count_entries(extra) + 2,
		       sizeof(*build.entry));
	if (!name || !build.entry) {
		free(build.entry);
		return error_no_memory(err);
	}
	put_what_stays(&build, environment, envp, name);
	if (cache && environment->closed_cache)
		put_cache(&build, environment, cache);
	for (size_t i = 0; i < environment->set_count; i++)
		put(&build, environment->set[i]);
	for (; extra && *extra; extra++)
		put(&build, *extra);
	*ret = build.entry;
	return 0;
}
