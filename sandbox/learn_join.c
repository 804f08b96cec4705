/* Used paths, joined to few roots. */
#include "sandbox/learn.h"

#include "base/array.h"
#include <stdlib.h>
#include <string.h>

/* A directory takes the place of so many of its files, or of so many of all that is in it. */
#define JOINED_FILES   2
#define JOINED_ENTRIES 8

/* --- what is not granted -----------------------------------------------------------------------
 */

/* Nothing is written there but by name, or in /dev. */
static const char *const system_places[] = {
	"/bin",	 "/boot", "/etc", "/lib", "/lib32", "/lib64", "/libx32",
	"/proc", "/sbin", "/sys", "/usr", "/gnu",   "/nix",
};

/* Of many users, or programs. */
static const char *const shared_places[] = {
	"/dev/shm", "/tmp",	  "/var/cache", "/var/lib",
	"/var/log", "/var/spool", "/var/tmp",	"/usr/local",
};

static bool is_in(const char *path, const char *dir)
{
	return dir && policy_path_is_in(path, dir, strlen(dir));
}

static bool is_system(const char *path)
{
	for (size_t i = 0; i < sizeof(system_places) / sizeof(system_places[0]); i++)
		if (is_in(path, system_places[i]))
			return true;
	return false;
}

static bool is_shared(const char *dir)
{
	for (size_t i = 0; i < sizeof(shared_places) / sizeof(shared_places[0]); i++)
		if (strcmp(dir, shared_places[i]) == 0)
			return true;
	return false;
}

const struct policy_root *learn_denies(const struct sandbox_policy *base, const char *path)
{
	for (size_t i = 0; i < base->roots.count; i++) {
		const struct policy_root *root = &base->roots.item[i];

		if (root->kind == SANDBOX_ROOT_DENY &&
		    policy_path_is_in(path, root->path, root->len))
			return root;
	}
	return NULL;
}

static bool holds_a_secret(const struct sandbox_policy *base, const char *dir)
{
	for (size_t i = 0; i < base->roots.count; i++)
		if (base->roots.item[i].kind == SANDBOX_ROOT_DENY &&
		    is_in(base->roots.item[i].path, dir))
			return true;
	return false;
}

bool learn_is_hidden(const char *path)
{
	return is_in(path, "/tmp") || is_in(path, "/dev/shm");
}

bool learn_may_grant(const struct sandbox_policy *base, const char *dir, enum sandbox_root kind)
{
	const char *home = base->places[POLICY_HOME], *work = base->places[POLICY_WORK];

	if (!strchr(dir + 1, '/') || is_shared(dir)) /* what is in / itself, too */
		return false;
	if ((home && is_in(home, dir)) || (work && is_in(work, dir)))
		return false;
	if (kind == SANDBOX_ROOT_WRITE && (is_system(dir) || is_in(dir, "/dev")))
		return false;
	return !holds_a_secret(base, dir);
}

/* --- roots -------------------------------------------------------------------------------------
 */

void learn_roots_free(struct learn_roots *roots)
{
	for (size_t i = 0; i < roots->count; i++)
		free(roots->item[i].path);
	free(roots->item);
	*roots = (struct learn_roots){NULL, 0};
}

static int add(struct learn_roots *roots, const struct learn_root *root, struct error *err)
{
	struct learn_root *item = array_grow(roots->item, roots->count, sizeof(*item));

	if (!item)
		return error_no_memory(err);
	roots->item = item;
	roots->item[roots->count++] = *root;
	return 0;
}

static int add_used(struct learn_roots *roots, const struct learn_path *used, struct error *err)
{
	struct learn_root root = {.kind = SANDBOX_ROOT_READ, .uses = 1};
	int rc;

	if (!(used->access & LEARN_USED) || (used->access & LEARN_USED) == LEARN_ENTER)
		return 0;
	if (used->access & (LEARN_WRITE | LEARN_MAKE))
		root.kind = SANDBOX_ROOT_WRITE;
	else if (used->access & LEARN_EXEC)
		root.kind = SANDBOX_ROOT_EXEC;
	root.is_dir = used->access & (LEARN_LIST | LEARN_MAKE);
	root.named = used->access & LEARN_NAMED;
	root.is_new = used->access & LEARN_NEW;
	root.path = strdup(used->path);
	if (!root.path)
		return error_no_memory(err);
	rc = add(roots, &root, err);
	if (rc < 0)
		free(root.path);
	return rc;
}

/* --- joining -----------------------------------------------------------------------------------
 */

static size_t parent_len(const char *path)
{
	return (size_t)(strrchr(path, '/') - path);
}

static bool is_beside(const struct learn_root *a, const struct learn_root *b)
{
	size_t len = parent_len(a->path);

	return a->kind == b->kind && !a->named && !b->named && len == parent_len(b->path) &&
	       memcmp(a->path, b->path, len) == 0;
}

static int compare_bytes(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return order ? order : (a_len > b_len) - (a_len < b_len);
}

/* What is beside each other of one kind comes together. */
static int by_parent(const void *x, const void *y)
{
	const struct learn_root *a = x, *b = y;
	int order = (int)a->kind - (int)b->kind;

	if (!order)
		order = a->named - b->named;
	if (!order)
		order = compare_bytes(a->path, parent_len(a->path), b->path, parent_len(b->path));
	return order ? order : strcmp(a->path, b->path);
}

static bool are_joined(const struct sandbox_policy *base, const struct learn_root *run,
		       size_t count)
{
	size_t files = 0, len = parent_len(run->path);
	char *dir;
	bool may;

	for (size_t i = 0; i < count; i++)
		files += !run[i].is_dir;
	if (len == 0 || (files < JOINED_FILES && count < JOINED_ENTRIES))
		return false;
	dir = strndup(run->path, len);
	may = dir && learn_may_grant(base, dir, run->kind);
	free(dir);
	return may;
}

/* The first one becomes the directory. */
static void join_run(struct learn_root *run, size_t count)
{
	run->path[parent_len(run->path)] = '\0';
	run->is_dir = true;
	for (size_t i = 1; i < count; i++) {
		run->uses += run[i].uses;
		free(run[i].path);
	}
}

/* Whether something was joined: then its directories may be, too. */
static bool join_once(const struct sandbox_policy *base, struct learn_roots *roots)
{
	size_t kept = 0;
	bool joined = false;

	if (roots->count > 0)
		qsort(roots->item, roots->count, sizeof(*roots->item), by_parent);
	for (size_t i = 0, n; i < roots->count; i += n) {
		struct learn_root *run = &roots->item[i];
		size_t keep;

		for (n = 1; i + n < roots->count && is_beside(run, run + n); n++)
			;
		keep = n;
		if (are_joined(base, run, n)) {
			join_run(run, n);
			joined = true;
			keep = 1;
		}
		memmove(&roots->item[kept], run, keep * sizeof(*run));
		kept += keep;
	}
	roots->count = kept;
	return joined;
}

/* --- what is inside another --------------------------------------------------------------------
 */

static int rank(const struct learn_root *root)
{
	return root->kind == SANDBOX_ROOT_WRITE ? 2 : root->kind == SANDBOX_ROOT_EXEC;
}

/* A directory, then all in it, then what only begins with its name; of one path the most first. */
static int by_path(const void *x, const void *y)
{
	const struct learn_root *a = x, *b = y;
	const unsigned char *p = (const void *)a->path, *q = (const void *)b->path;

	while (*p && *p == *q) {
		p++;
		q++;
	}
	if (*p != *q)
		return (*p == '/' ? 1 : *p) - (*q == '/' ? 1 : *q);
	return rank(b) - rank(a);
}

/* What grants `root`, among what it is in: 1 + its index, or 0. */
static size_t find_outer(const struct learn_roots *roots, const size_t *outer, size_t at,
			 const struct learn_root *root)
{
	while (at > 0 && (roots->item[at - 1].refused || rank(&roots->item[at - 1]) < rank(root)))
		at = outer[at - 1];
	return at;
}

static int drop_inner(struct learn_roots *roots, struct error *err)
{
	size_t *outer = calloc(roots->count + 1, sizeof(*outer));
	size_t kept = 0, last = 0;

	if (!outer)
		return error_no_memory(err);
	if (roots->count > 0)
		qsort(roots->item, roots->count, sizeof(*roots->item), by_path);
	for (size_t i = 0; i < roots->count; i++) {
		struct learn_root root = roots->item[i];
		size_t at;

		while (last > 0 && !is_in(root.path, roots->item[last - 1].path))
			last = outer[last - 1];
		at = find_outer(roots, outer, last, &root);
		if (at > 0) {
			roots->item[at - 1].uses += root.uses;
			free(root.path);
			continue;
		}
		roots->item[kept] = root;
		outer[kept++] = last;
		last = kept;
	}
	roots->count = kept;
	free(outer);
	return 0;
}

/* --- all of it ---------------------------------------------------------------------------------
 */

static void refuse(const struct sandbox_policy *base, struct learn_roots *roots)
{
	for (size_t i = 0; i < roots->count; i++) {
		struct learn_root *root = &roots->item[i];

		root->refused = root->is_dir
					? !learn_may_grant(base, root->path, root->kind)
					: root->kind == SANDBOX_ROOT_WRITE && is_system(root->path);
	}
}

/* A directory that was gone to is there when something in it, or around it, is. */
static int add_entered(struct learn_roots *roots, const struct learn_path *used, struct error *err)
{
	const struct learn_path as_read = {used->path, LEARN_LIST};

	if ((used->access & LEARN_USED) != LEARN_ENTER)
		return 0;
	for (size_t i = 0; i < roots->count; i++)
		if (is_in(roots->item[i].path, used->path) ||
		    is_in(used->path, roots->item[i].path))
			return 0;
	return add_used(roots, &as_read, err);
}

int learn_join(const struct sandbox_policy *base, const struct learn_path *used, size_t count,
	       struct learn_roots *ret, struct error *err)
{
	int rc = 0;

	*ret = (struct learn_roots){NULL, 0};
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = add_used(ret, &used[i], err);
	while (rc == 0 && join_once(base, ret))
		;
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = add_entered(ret, &used[i], err);
	if (rc == 0) {
		refuse(base, ret);
		rc = drop_inner(ret, err);
	}
	if (rc < 0)
		learn_roots_free(ret);
	return rc;
}
