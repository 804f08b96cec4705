/* Checks of paths against the roots of a policy. */
#include "sandbox/paths.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "sandbox/resolve.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- which rights there are ---------------------------------------------------------------------
 */

struct rights {
	unsigned operations;
	const struct root *granted; /* the innermost root that holds the path, or cuts off */
};

static int compare_to(const struct root *root, const char *path, size_t len)
{
	size_t both = root->len < len ? root->len : len;
	int order = memcmp(root->path, path, both);

	return order ? order : (root->len > len) - (root->len < len);
}

static int compare(const void *a, const void *b)
{
	const struct root *x = a, *y = b;

	return compare_to(x, y->path, y->len);
}

size_t paths_find(const struct sandbox_paths *paths, const char *path, size_t len)
{
	size_t low = 0, high = paths->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_to(&paths->item[middle], path, len) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool begins_with(const char *path, size_t len, const struct root *root)
{
	return root->len <= len && memcmp(path, root->path, root->len) == 0;
}

/* Whether a path that begins with the root's is there or inside. */
static bool holds(const struct root *root, const char *path, size_t len)
{
	return root->len == len || root->len == 1 || path[root->len] == '/';
}

/* The last root, from this one on backwards, with which the path begins. What is sorted between a
 * path and its beginning begins with that, too, so that nothing is passed over. */
static size_t back_to(const struct sandbox_paths *paths, size_t i, const char *path, size_t len)
{
	while (i != PATHS_NONE && !begins_with(path, len, &paths->item[i]))
		i = paths->item[i].above;
	return i;
}

/* The last root with which the path begins. */
static size_t find_last(const struct sandbox_paths *paths, const char *path, size_t len)
{
	size_t i = paths_find(paths, path, len);

	while (i < paths->count && compare_to(&paths->item[i], path, len) == 0)
		i++;
	return back_to(paths, i > 0 ? i - 1 : PATHS_NONE, path, len);
}

/* Adds what the roots at one path grant, of which *i is the last; then it is the one before them.
 * Whether they cut off what is around them. */
static bool add_level(const struct sandbox_paths *paths, size_t *i, struct rights *rights)
{
	const struct root *denies = NULL, *read_only = NULL, *grants = NULL;
	const size_t len = paths->item[*i].len;
	unsigned operations = 0;
	bool cuts = false;

	for (; *i != PATHS_NONE && paths->item[*i].len == len; *i = paths->item[*i].above) {
		const struct root *root = &paths->item[*i];
		const struct root **kind = root->denies	     ? &denies
					   : root->read_only ? &read_only
							     : &grants;

		operations |= root->operations;
		cuts |= root->cuts;
		if (!*kind)
			*kind = root;
	}
	if (denies)
		operations = 0;
	else if (read_only)
		operations &= POLICY_OPS_READ | SANDBOX_OP_EXEC;
	if (!rights->granted)
		rights->granted = denies ? denies : read_only ? read_only : grants;
	rights->operations |= operations;
	return cuts;
}

/* "/" keeps its slash. */
static size_t parent_len(const char *path, size_t len)
{
	while (path[--len] != '/')
		;
	return len + (len == 0);
}

/* From the path itself outwards; `i` is the last root with which it begins. */
static struct rights rights_from(const struct sandbox_paths *paths, size_t i, const char *path,
				 size_t len)
{
	struct rights rights = {0, NULL};
	bool cut = false;

	while (i != PATHS_NONE && !cut) {
		if (holds(&paths->item[i], path, len))
			cut = add_level(paths, &i, &rights);
		else
			i = paths->item[i].above;
	}
	return rights;
}

/* `len` is that of the path, or of one of its parents. */
static struct rights rights_at(const struct sandbox_paths *paths, const char *path, size_t len)
{
	return rights_from(paths, find_last(paths, path, len), path, len);
}

bool paths_level(const struct sandbox_paths *paths, const char *path, size_t len,
		 unsigned *ret_operations)
{
	struct rights rights = {0, NULL};
	size_t i = find_last(paths, path, len);
	bool cuts = i != PATHS_NONE && paths->item[i].len == len && add_level(paths, &i, &rights);

	*ret_operations = rights.operations;
	return cuts;
}

unsigned paths_operations(const struct sandbox_paths *paths, const char *path, size_t len)
{
	return rights_at(paths, path, len).operations;
}

/* The first root at or around the path, outwards. */
static const struct root *first_around(const struct sandbox_paths *paths, size_t i,
				       const char *path, size_t len)
{
	while (i != PATHS_NONE && !holds(&paths->item[i], path, len))
		i = paths->item[i].above;
	return i == PATHS_NONE ? NULL : &paths->item[i];
}

unsigned paths_whole(const struct sandbox_paths *paths, const char *path, size_t len)
{
	const struct root *root = first_around(paths, find_last(paths, path, len), path, len);

	return root ? root->whole : 0;
}

/* What is in `whole` and `granted` are of all roots at the same path. */
static void sum_up(struct sandbox_paths *paths)
{
	for (size_t i = 0; i < paths->count; i++) {
		struct root *root = &paths->item[i];
		const struct root *around;

		root->above = back_to(paths, i > 0 ? i - 1 : PATHS_NONE, root->path, root->len);
		around = first_around(paths, root->above, root->path, root->len);
		root->whole = root->operations | (around ? around->whole : 0);
		root->granted = rights_from(paths, i, root->path, root->len).operations;
	}
	for (size_t i = paths->count; i-- > 1;) {
		const struct root *root = &paths->item[i];
		struct root *before = &paths->item[i - 1];

		if (root->above != i - 1 || before->len != root->len)
			continue;
		before->whole = root->whole;
		before->granted = root->granted;
	}
}

void paths_sort(struct sandbox_paths *paths)
{
	if (paths->count)
		qsort(paths->item, paths->count, sizeof(*paths->item), compare);
	sum_up(paths);
}

bool paths_look(const struct sandbox_paths *paths, const struct root *root, struct look *ret)
{
	if (!root->look.known || paths->old)
		return look_at(root->path, ret);
	*ret = root->look;
	errno = ret->error;
	return ret->error == 0;
}

/* A root below the path in which nothing may be removed. */
static const struct root *cut_inside(const struct sandbox_paths *paths, const char *path,
				     size_t len)
{
	for (size_t i = paths_find(paths, path, len); i < paths->count; i++) {
		const struct root *root = &paths->item[i];

		if (root->len < len || memcmp(root->path, path, len) != 0)
			break;
		if (root->cuts && root->path[len] == '/' && !(root->granted & SANDBOX_OP_DELETE))
			return root;
	}
	return NULL;
}

/* --- checks --------------------------------------------------------------------------------------
 */

static const struct {
	unsigned operation;
	const char *name;
} accesses[SANDBOX_ACCESSES] = {
	[SANDBOX_ACCESS_READ] = {SANDBOX_OP_READ_TEXT, "read_text"},
	[SANDBOX_ACCESS_LIST] = {SANDBOX_OP_LIST, "list"},
	[SANDBOX_ACCESS_EXISTS] = {SANDBOX_OP_EXISTS, "exists"},
	[SANDBOX_ACCESS_WRITE] = {SANDBOX_OP_WRITE_TEXT, "write_text"},
	[SANDBOX_ACCESS_DELETE] = {SANDBOX_OP_DELETE, "delete"},
	[SANDBOX_ACCESS_EXEC] = {SANDBOX_OP_EXEC, "exec"},
	[SANDBOX_ACCESS_CWD] = {SANDBOX_OP_EXISTS, "exists"},
};

static void decide(struct sandbox_path *ret, bool allowed, const struct root *root, const char *why)
{
	ret->allowed = allowed;
	ret->root = root ? root->path : NULL;
	snprintf(ret->why, sizeof(ret->why), "%s", why);
}

static void judge(const struct sandbox_paths *paths, enum sandbox_access access, const char *path,
		  size_t len, struct sandbox_path *ret)
{
	const struct rights rights = rights_at(paths, path, len);
	char why[sizeof(ret->why)];

	if (rights.operations & accesses[access].operation)
		snprintf(why, sizeof(why), "%s is granted there", accesses[access].name);
	else if (!rights.granted)
		snprintf(why, sizeof(why), "no root of the policy holds it");
	else if (rights.granted->denies)
		snprintf(why, sizeof(why), "it is denied");
	else
		snprintf(why, sizeof(why), "%s is not granted there", accesses[access].name);
	decide(ret, rights.operations & accesses[access].operation, rights.granted, why);
}

/* A name is removed from its directory, and with it all that is below. */
static void judge_delete(const struct sandbox_paths *paths, struct sandbox_path *ret)
{
	size_t len = strlen(ret->path);
	const struct root *inside = cut_inside(paths, ret->path, len);

	judge(paths, SANDBOX_ACCESS_DELETE, ret->path, len, ret);
	if (!ret->allowed)
		return;
	if (len == 1)
		decide(ret, false, NULL, "the root directory cannot be removed");
	else if (inside)
		decide(ret, false, inside, "something in it may not be removed");
	else
		judge(paths, SANDBOX_ACCESS_DELETE, ret->path, parent_len(ret->path, len), ret);
}

static void judge_cwd(const struct sandbox_paths *paths, struct sandbox_path *ret)
{
	struct stat st;

	judge(paths, SANDBOX_ACCESS_CWD, ret->path, strlen(ret->path), ret);
	if (ret->allowed && (stat(ret->path, &st) < 0 || !S_ISDIR(st.st_mode)))
		decide(ret, false, NULL, "there is no such directory");
}

static void judge_late(enum sandbox_access access, const struct root *late,
		       struct sandbox_path *ret)
{
	char why[sizeof(ret->why)];

	if (late->denies)
		snprintf(why, sizeof(why), "a name that leads there is denied");
	else
		snprintf(why, sizeof(why), "%s is not granted at a name that leads there",
			 accesses[access].name);
	decide(ret, false, late, why);
}

static int absolute(const char *cwd, const char *path, struct buf *out, struct error *err)
{
	char own[PATH_MAX];
	int rc = 0;

	if (!*path)
		return error_set(err, ERR_INVALID, "a path is empty");
	if (path[0] != '/' && !cwd) {
		cwd = getcwd(own, sizeof(own));
		if (!cwd)
			return error_sys(err, errno, "cannot tell the working directory");
	}
	if (path[0] != '/' && cwd[0] != '/')
		return error_set(err, ERR_INVALID, "the working directory '%s' is not absolute",
				 cwd);
	if (path[0] != '/')
		rc = buf_addf(out, "%s/", cwd);
	return rc < 0 || buf_add_str(out, path) < 0 ? error_no_memory(err) : 0;
}

int sandbox_paths_check(const struct sandbox_paths *paths, enum sandbox_access access,
			const char *cwd, const char *path, struct sandbox_path *ret,
			struct error *err)
{
	const struct resolve_options options = {.keep_last = access == SANDBOX_ACCESS_DELETE};
	cleanup_buf struct buf whole = BUF_INIT, resolved = BUF_INIT;
	const struct root *late = NULL;
	int rc;

	if ((int)access < 0 || access >= SANDBOX_ACCESSES)
		return error_set(err, ERR_INVALID, "there is no access %d", (int)access);
	rc = absolute(cwd, path, &whole, err);
	if (rc == 0)
		rc = resolve_path(whole.data, &options, &resolved, err);
	if (rc == 0)
		rc = paths_find_late(paths, resolved.data, accesses[access].operation,
				     access == SANDBOX_ACCESS_DELETE, &late, err);
	if (rc < 0)
		return rc;
	_Static_assert(SANDBOX_PATH_SIZE >= PATH_MAX, "a path has room");
	memcpy(ret->path, resolved.data, resolved.len + 1);
	if (access == SANDBOX_ACCESS_DELETE)
		judge_delete(paths, ret);
	else if (access == SANDBOX_ACCESS_CWD)
		judge_cwd(paths, ret);
	else
		judge(paths, access, ret->path, resolved.len, ret);
	if (ret->allowed && late)
		judge_late(access, late, ret);
	return 0;
}
