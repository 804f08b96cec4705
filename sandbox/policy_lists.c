/* Lists in policies: roots, numbers, variables; and what a path is in one. */
#include "sandbox/policy.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static int check_room(size_t count, size_t max, struct error *err)
{
	return count < max ? 0 : error_set(err, ERR_LIMIT, "there are more than %zu of them", max);
}

static const char *const place_names[POLICY_PLACES] = {"$WORK", "$HOME", "$TMP"};
static const char *const place_unknown[POLICY_PLACES] = {
	"the working directory is not known", "HOME is not set, and /etc/passwd has none",
	"TMPDIR is not set"};

/* A path that is being written; what does not fit is only counted. */
struct writing {
	char *out; /* PATH_MAX bytes */
	size_t len;
};

static void add_bytes(struct writing *w, const char *bytes, size_t len)
{
	if (w->len + len < PATH_MAX)
		memcpy(w->out + w->len, bytes, len);
	w->len += len;
}

/* Takes "$NAME" from the beginning of *path. */
static int start_path(const struct sandbox_policy *policy, const char **path, struct writing *w,
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
		if (policy->places[i][1]) /* else it is "/" */
			add_bytes(w, policy->places[i], strlen(policy->places[i]));
		return 0;
	}
	return error_set(err, ERR_INVALID,
			 "a path must be absolute, or begin with $WORK, $HOME or $TMP");
}

static int add_component(struct writing *w, const char *name, size_t len, struct error *err)
{
	if (len == 0 || (len == 1 && name[0] == '.'))
		return 0;
	if (len == 2 && memcmp(name, "..", 2) == 0)
		return error_set(err, ERR_INVALID,
				 "a path must not have \"..\": write where it leads to");
	add_bytes(w, "/", 1);
	add_bytes(w, name, len);
	return 0;
}

int policy_write_path(const struct sandbox_policy *policy, const char *path, char *ret,
		      size_t *ret_len, struct error *err)
{
	struct writing w = {ret, 0};
	int rc = start_path(policy, &path, &w, err);

	while (rc == 0 && *path) {
		size_t len = strcspn(path, "/");

		rc = add_component(&w, path, len, err);
		path += len + (path[len] == '/');
	}
	if (rc == 0 && w.len == 0)
		add_bytes(&w, "/", 1);
	if (rc == 0 && w.len >= PATH_MAX)
		rc = error_set(err, ERR_INVALID, "a path must be shorter than %d bytes", PATH_MAX);
	if (rc < 0)
		return rc;
	ret[w.len] = '\0';
	*ret_len = w.len;
	return 0;
}

int policy_path(const struct sandbox_policy *policy, const char *path, char **ret,
		struct error *err)
{
	char own[PATH_MAX];
	size_t len;
	int rc = policy_write_path(policy, path, own, &len, err);

	if (rc < 0)
		return rc;
	*ret = strdup(own);
	return *ret ? 0 : error_no_memory(err);
}

bool policy_path_is_in(const char *path, const char *dir, size_t dir_len)
{
	if (dir_len == 1)
		return true;
	return strncmp(path, dir, dir_len) == 0 && (path[dir_len] == '/' || path[dir_len] == '\0');
}

static bool is_same(const struct policy_root *a, const struct policy_root *b)
{
	return a->len == b->len && memcmp(a->path, b->path, a->len) == 0;
}

/* Of two roots at one place the one that somebody has named is meant, and what somebody denies or
 * makes read-only is not granted again. */
static bool gives_way(const struct policy_root *preset, const struct policy_root *named)
{
	if (is_same(preset, named))
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

	for (size_t i = 0; i < roots->count; i++)
		if (!roots->item[i].preset || !gives_way(&roots->item[i], named))
			roots->item[kept++] = roots->item[i];
	roots->count = kept;
}

/* What is there already becomes necessary, or named, when it is so one of the times. */
static bool merge_root(struct policy_roots *roots, const struct policy_root *root)
{
	for (size_t i = 0; i < roots->count; i++) {
		struct policy_root *r = &roots->item[i];

		if (r->kind != root->kind || !is_same(r, root))
			continue;
		r->optional = r->optional && root->optional;
		r->preset = r->preset && root->preset;
		return true;
	}
	return false;
}

/* Room for one more of a list of *room, which has the items of this size. NULL: no memory. */
static void *make_room(void *items, size_t count, size_t *room, size_t size)
{
	size_t more = *room ? 2 * *room : 16;
	void *grown;

	if (count < *room)
		return items;
	grown = realloc(items, more * size);
	if (grown)
		*room = more;
	return grown;
}

static int append_root(struct sandbox_policy *policy, struct policy_roots *roots,
		       const struct policy_root *root, struct error *err)
{
	struct policy_root *grown;
	const char *path;
	int rc = check_room(roots->count, POLICY_ROOTS_MAX, err);

	if (rc < 0)
		return rc;
	grown = make_room(roots->item, roots->count, &roots->room, sizeof(*grown));
	if (grown)
		roots->item = grown;
	path = arena_add(&policy->texts, root->path, root->len);
	if (!grown || !path)
		return error_no_memory(err);
	grown[roots->count] = *root;
	grown[roots->count++].path = path;
	return 0;
}

int policy_roots_put(struct sandbox_policy *policy, struct policy_roots *roots,
		     const struct policy_root *root, struct error *err)
{
	int rc = merge_root(roots, root) ? 0 : append_root(policy, roots, root, err);

	if (rc == 0 && !root->preset)
		drop_presets(roots, root);
	return rc;
}

int policy_roots_add(struct sandbox_policy *policy, struct policy_roots *roots,
		     const struct policy_root *root, struct error *err)
{
	char path[PATH_MAX];
	struct policy_root own = *root;
	int rc = policy_write_path(policy, root->path, path, &own.len, err);

	own.path = path;
	return rc < 0 ? rc : policy_roots_put(policy, roots, &own, err);
}

void policy_roots_clear(struct policy_roots *roots)
{
	free(roots->item);
	*roots = (struct policy_roots){0};
}

void policy_roots_drop(struct policy_roots *roots, enum sandbox_root kind)
{
	size_t kept = 0;

	for (size_t i = 0; i < roots->count; i++)
		if (roots->item[i].kind != kind)
			roots->item[kept++] = roots->item[i];
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

int policy_variables_add(struct sandbox_policy *policy, struct policy_variables *variables,
			 const char *name, const char *value, struct error *err)
{
	struct policy_variable *there = find_variable(variables, name), *grown;
	const char *own_name = there ? there->name : NULL, *own_value = NULL;
	int rc = there ? 0 : check_room(variables->count, POLICY_LIST_MAX, err);

	if (rc < 0)
		return rc;
	if (!there)
		own_name = arena_add_str(&policy->texts, name);
	if (value)
		own_value = arena_add_str(&policy->texts, value);
	if (!own_name || (value && !own_value))
		return error_no_memory(err);
	if (there) {
		there->value = own_value;
		return 0;
	}
	grown = make_room(variables->item, variables->count, &variables->room, sizeof(*grown));
	if (!grown)
		return error_no_memory(err);
	variables->item = grown;
	grown[variables->count++] = (struct policy_variable){own_name, own_value};
	return 0;
}

int policy_variables_set(struct policy_variables *variables, const char *const *names, size_t count,
			 struct error *err)
{
	struct policy_variable *item = calloc(count, sizeof(*item));

	if (!item)
		return error_no_memory(err);
	for (size_t i = 0; i < count; i++)
		item[i].name = names[i];
	policy_variables_clear(variables);
	*variables = (struct policy_variables){item, count, count};
	return 0;
}

void policy_variables_clear(struct policy_variables *variables)
{
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
