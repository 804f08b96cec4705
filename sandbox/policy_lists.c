/* Lists in policies: roots, numbers, variables; and what a path is in one. */
#include "sandbox/policy.h"

#include "base/cleanup.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static int check_room(size_t count, size_t max, struct error *err)
{
	return count < max ? 0 : error_set(err, ERR_LIMIT, "there are more than %zu of them", max);
}

static const char *const place_names[POLICY_PLACES] = {"$WORK", "$HOME", "$TMP"};
static const char *const place_unknown[POLICY_PLACES] = {"the working directory is not known",
							 "HOME is not set", "TMPDIR is not set"};

/* Takes "$NAME" from the beginning of *path. */
static int start_path(const struct sandbox_policy *policy, const char **path, struct buf *out,
		      struct error *err)
{
	if (**path == '/')
		return 0;
	for (int i = 0; i < POLICY_PLACES; i++) {
		size_t len = strlen(place_names[i]);

		if (strncmp(*path, place_names[i], len) != 0 || !strchr("/", (*path)[len]))
			continue;
		if (!policy->places[i])
			return error_set(err, ERR_INVALID, "%s", place_unknown[i]);
		*path += len;
		return buf_add_str(out, policy->places[i]) < 0 ? error_no_memory(err) : 0;
	}
	return error_set(err, ERR_INVALID,
			 "a path must be absolute, or begin with $WORK, $HOME or $TMP");
}

static int add_component(struct buf *out, const char *name, size_t len, struct error *err)
{
	if (len == 0 || (len == 1 && name[0] == '.'))
		return 0;
	if (len == 2 && memcmp(name, "..", 2) == 0)
		return error_set(err, ERR_INVALID,
				 "a path must not have \"..\": write where it leads to");
	return buf_add_char(out, '/') < 0 || buf_add(out, name, len) < 0 ? error_no_memory(err) : 0;
}

int policy_path(const struct sandbox_policy *policy, const char *path, char **ret,
		struct error *err)
{
	cleanup_buf struct buf out = BUF_INIT;
	int rc = start_path(policy, &path, &out, err);

	if (rc == 0 && out.len == 1) /* a place that is "/" */
		buf_clear(&out);
	while (rc == 0 && *path) {
		size_t len = strcspn(path, "/");

		rc = add_component(&out, path, len, err);
		path += len + (path[len] == '/');
	}
	if (rc == 0 && out.len == 0 && buf_add_char(&out, '/') < 0)
		rc = error_no_memory(err);
	if (rc == 0 && out.len >= PATH_MAX)
		rc = error_set(err, ERR_INVALID, "a path must be shorter than %d bytes", PATH_MAX);
	if (rc == 0)
		*ret = buf_steal(&out);
	return rc;
}

bool policy_path_is_in(const char *path, const char *dir, size_t dir_len)
{
	if (dir_len == 1)
		return true;
	return strncmp(path, dir, dir_len) == 0 && (path[dir_len] == '/' || path[dir_len] == '\0');
}

/* Of two roots at one place the one that somebody has named is meant, and what somebody denies or
 * makes read-only is not granted again. */
static bool gives_way(const struct policy_root *preset, const struct policy_root *named)
{
	if (strcmp(preset->path, named->path) == 0)
		return true;
	return (named->kind == SANDBOX_ROOT_DENY || named->kind == SANDBOX_ROOT_READ_ONLY) &&
	       preset->kind != SANDBOX_ROOT_DENY &&
	       policy_path_is_in(preset->path, named->path, named->len);
}

bool policy_roots_override(const struct policy_roots *roots, const struct policy_root *preset)
{
	for (size_t i = 0; i < roots->count; i++)
		if (!roots->item[i].preset && gives_way(preset, &roots->item[i]))
			return true;
	return false;
}

static void drop_presets(struct policy_roots *roots, const struct policy_root *named)
{
	size_t kept = 0;

	for (size_t i = 0; i < roots->count; i++) {
		if (roots->item[i].preset && gives_way(&roots->item[i], named))
			free(roots->item[i].path);
		else
			roots->item[kept++] = roots->item[i];
	}
	roots->count = kept;
}

/* What is there already becomes necessary, or named, when it is so one of the times. */
static bool merge_root(struct policy_roots *roots, const struct policy_root *root)
{
	for (size_t i = 0; i < roots->count; i++) {
		struct policy_root *r = &roots->item[i];

		if (r->kind != root->kind || strcmp(r->path, root->path) != 0)
			continue;
		r->optional = r->optional && root->optional;
		r->preset = r->preset && root->preset;
		return true;
	}
	return false;
}

/* Takes the path. */
static int append_root(struct policy_roots *roots, const struct policy_root *root,
		       struct error *err)
{
	struct policy_root *grown;
	int rc = check_room(roots->count, POLICY_ROOTS_MAX, err);

	if (rc < 0)
		return rc;
	grown = realloc(roots->item, (roots->count + 1) * sizeof(*grown));
	if (!grown)
		return error_no_memory(err);
	roots->item = grown;
	roots->item[roots->count++] = *root;
	return 0;
}

int policy_roots_add(const struct sandbox_policy *policy, struct policy_roots *roots,
		     const struct policy_root *root, struct error *err)
{
	struct policy_root own = *root;
	bool merged;
	int rc = policy_path(policy, root->path, &own.path, err);

	if (rc < 0)
		return rc;
	own.len = strlen(own.path);
	merged = merge_root(roots, &own);
	if (!merged)
		rc = append_root(roots, &own, err);
	if (rc == 0 && !own.preset)
		drop_presets(roots, &own);
	if (merged || rc < 0)
		free(own.path);
	return rc;
}

void policy_roots_clear(struct policy_roots *roots)
{
	for (size_t i = 0; i < roots->count; i++)
		free(roots->item[i].path);
	free(roots->item);
	*roots = (struct policy_roots){0};
}

void policy_roots_drop(struct policy_roots *roots, enum sandbox_root kind)
{
	size_t kept = 0;

	for (size_t i = 0; i < roots->count; i++) {
		if (roots->item[i].kind == kind)
			free(roots->item[i].path);
		else
			roots->item[kept++] = roots->item[i];
	}
	roots->count = kept;
}

int policy_numbers_add(struct policy_numbers *numbers, unsigned number, struct error *err)
{
	unsigned *grown;
	size_t at = 0;
	int rc;

	while (at < numbers->count && numbers->item[at] < number)
		at++;
	if (at < numbers->count && numbers->item[at] == number)
		return 0;
	rc = check_room(numbers->count, POLICY_LIST_MAX, err);
	if (rc < 0)
		return rc;
	grown = realloc(numbers->item, (numbers->count + 1) * sizeof(*grown));
	if (!grown)
		return error_no_memory(err);
	numbers->item = grown;
	memmove(&numbers->item[at + 1], &numbers->item[at],
		(numbers->count - at) * sizeof(*numbers->item));
	numbers->item[at] = number;
	numbers->count++;
	return 0;
}

void policy_numbers_clear(struct policy_numbers *numbers)
{
	free(numbers->item);
	*numbers = (struct policy_numbers){0};
}

static struct policy_variable *find_variable(const struct policy_variables *variables,
					     const char *name)
{
	for (size_t i = 0; i < variables->count; i++)
		if (strcmp(variables->item[i].name, name) == 0)
			return &variables->item[i];
	return NULL;
}

static int add_variable(struct policy_variables *variables, struct policy_variable *take,
			struct error *err)
{
	struct policy_variable *grown;
	int rc = check_room(variables->count, POLICY_LIST_MAX, err);

	if (rc < 0)
		return rc;
	grown = realloc(variables->item, (variables->count + 1) * sizeof(*grown));
	if (!grown)
		return error_no_memory(err);
	grown[variables->count++] = *take;
	variables->item = grown;
	*take = (struct policy_variable){0};
	return 0;
}

int policy_variables_add(struct policy_variables *variables, const char *name, const char *value,
			 struct error *err)
{
	struct policy_variable fresh = {strdup(name), value ? strdup(value) : NULL};
	struct policy_variable *there = find_variable(variables, name);
	int rc = 0;

	if (!fresh.name || (value && !fresh.value)) {
		rc = error_no_memory(err);
	} else if (there) {
		free(there->value);
		there->value = steal_ptr(&fresh.value);
	} else {
		rc = add_variable(variables, &fresh, err);
	}
	free(fresh.name);
	free(fresh.value);
	return rc;
}

void policy_variables_clear(struct policy_variables *variables)
{
	for (size_t i = 0; i < variables->count; i++) {
		free(variables->item[i].name);
		free(variables->item[i].value);
	}
	free(variables->item);
	*variables = (struct policy_variables){0};
}

bool policy_matches(const char *pattern, const char *name)
{
	const char *star = NULL, *again = NULL;

	while (*name) {
		if (*pattern == '*') {
			star = pattern++;
			again = name;
		} else if (*pattern == *name) {
			pattern++;
			name++;
		} else if (star) { /* the last star takes one more */
			pattern = star + 1;
			name = ++again;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}
