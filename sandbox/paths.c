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

/* The first one that is not before this path. */
static size_t find(const struct sandbox_paths *paths, const char *path, size_t len)
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

/* Adds what the roots at one path grant. Whether they cut off what is around them. */
static bool add_level(const struct sandbox_paths *paths, const char *path, size_t len,
		      struct rights *rights)
{
	const struct root *denies = NULL, *read_only = NULL, *grants = NULL;
	unsigned operations = 0;
	bool cuts = false;

	for (size_t i = find(paths, path, len);
	     i < paths->count && compare_to(&paths->item[i], path, len) == 0; i++) {
		const struct root *root = &paths->item[i];

		operations |= root->operations;
		cuts |= root->cuts;
		if (root->denies)
			denies = root;
		else if (root->read_only)
			read_only = root;
		else
			grants = root;
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

/* From the path itself outwards. `len` is that of the path, or of one of its parents. */
static struct rights rights_at(const struct sandbox_paths *paths, const char *path, size_t len)
{
	struct rights rights = {0, NULL};

	while (!add_level(paths, path, len, &rights) && len > 1)
		len = parent_len(path, len);
	return rights;
}

bool paths_level(const struct sandbox_paths *paths, const char *path, size_t len,
		 unsigned *ret_operations)
{
	struct rights rights = {0, NULL};
	bool cuts = add_level(paths, path, len, &rights);

	*ret_operations = rights.operations;
	return cuts;
}

unsigned paths_operations(const struct sandbox_paths *paths, const char *path, size_t len)
{
	return rights_at(paths, path, len).operations;
}

/* A root below the path in which nothing may be removed. */
static const struct root *cut_inside(const struct sandbox_paths *paths, const char *path,
				     size_t len)
{
	for (size_t i = find(paths, path, len); i < paths->count; i++) {
		const struct root *root = &paths->item[i];

		if (root->len < len || memcmp(root->path, path, len) != 0)
			break;
		if (root->cuts && root->path[len] == '/' &&
		    !(paths_operations(paths, root->path, root->len) & SANDBOX_OP_DELETE))
			return root;
	}
	return NULL;
}

/* --- the roots on this host ------------------------------------------------------------------- */

struct maker {
	const struct sandbox_policy *policy;
	struct sandbox_paths *paths;
	bool *plain; /* of each root of the policy: no link leads to it */
	sandbox_say say;
	void *say_ctx;
	struct error *err;
};

/* grants: false when it only takes away. */
static int add_root(struct maker *m, const struct policy_root *root, const char *path, bool grants)
{
	struct root *grown;
	cleanup_free char *own = strdup(path), *name = strdup(root->path);

	grown = realloc(m->paths->item, (m->paths->count + 1) * sizeof(*grown));
	if (grown)
		m->paths->item = grown;
	if (!grown || !own || !name)
		return error_no_memory(m->err);
	grown[m->paths->count++] = (struct root){
		.len = strlen(path),
		.path = steal_ptr(&own),
		.name = steal_ptr(&name),
		.operations = grants ? policy_root_operations(m->policy, root) : 0,
		.denies = root->kind == SANDBOX_ROOT_DENY,
		.read_only = root->kind == SANDBOX_ROOT_READ_ONLY,
		.cuts = policy_root_cuts(m->policy, root),
	};
	return 0;
}

static void tell(const struct maker *m, const char *text)
{
	if (m->say)
		m->say(m->say_ctx, text);
}

/* What is where one may not look can be denied all the same. */
static bool is_strict(const struct maker *m, const struct policy_root *root, int code)
{
	return !root->optional && !(root->kind == SANDBOX_ROOT_DENY && code == ERR_SYSTEM) &&
	       m->policy->strictness[SANDBOX_MECH_LANDLOCK_FS] == SANDBOX_STRICT_ENFORCE;
}

static bool may_be_missing(const struct policy_root *root)
{
	return root->optional || root->kind == SANDBOX_ROOT_DENY;
}

/* What becomes of a root that cannot be used as it should be. */
static const char *effect_on(const struct policy_root *root, int code)
{
	if (root->kind != SANDBOX_ROOT_DENY)
		return "grants nothing";
	return code == ERR_INVALID ? "can be led around" : "is denied by this name only";
}

/* A root that cannot be used, for the reason in `why`: an error, or it is told. */
static int unusable(const struct maker *m, const struct policy_root *root, const struct error *why)
{
	cleanup_buf struct buf quoted = BUF_INIT;
	struct error told = {0};

	if (why->code == ERR_NOTFOUND && may_be_missing(root))
		return 0;
	if (text_quote(&quoted, root->path, root->len) < 0)
		return error_no_memory(m->err);
	if (is_strict(m, root, why->code)) {
		if (m->err)
			*m->err = *why;
		return error_wrap(m->err, why->code, "the root %s", quoted.data);
	}
	error_set(&told, why->code, "the root %s %s: %s", quoted.data, effect_on(root, why->code),
		  why->text);
	tell(m, told.text);
	return 0;
}

static int walk_to_root(const struct policy_root *root, struct buf *path, struct error *why)
{
	const struct resolve_options options = {0};
	struct stat st;
	int rc = resolve_path(root->path, &options, path, why);

	if (rc < 0)
		return rc;
	if (lstat(path->data, &st) == 0)
		return 0;
	return error_set(why, ERR_NOTFOUND, "there is no such file or directory");
}

/* Most are found by one look. */
static int find_root(const struct policy_root *root, struct buf *path, bool *ret_plain,
		     struct error *why)
{
	enum resolve_plain plain = resolve_plainly(root->path);

	*ret_plain = plain != RESOLVE_WALK;
	if (!*ret_plain)
		return walk_to_root(root, path, why);
	if (buf_add(path, root->path, root->len) < 0)
		return error_no_memory(why);
	return plain == RESOLVE_THERE
		       ? 0
		       : error_set(why, ERR_NOTFOUND, "there is no such file or directory");
}

/* What takes away does so at its own name, too, whatever is there or comes there; what it grants it
 * grants only where it is. */
static int add_cut(struct maker *m, const struct policy_root *root, const struct buf *resolved,
		   bool grants)
{
	bool here = resolved && strcmp(resolved->data, root->path) == 0;
	int rc = add_root(m, root, root->path, grants && here);

	if (rc == 0 && resolved && !here)
		rc = add_root(m, root, resolved->data, grants);
	return rc;
}

static int take_root(struct maker *m, const struct policy_root *root, bool usable, bool *ret_plain)
{
	cleanup_buf struct buf path = BUF_INIT;
	struct error why = {0};
	int rc = find_root(root, &path, ret_plain, &why);

	if (rc == ERR_NOMEM)
		return error_no_memory(m->err);
	if (policy_root_cuts(m->policy, root)) {
		int added = add_cut(m, root, rc == 0 || rc == ERR_NOTFOUND ? &path : NULL,
				    usable && rc == 0);

		if (added == 0 && !usable)
			m->paths->item[m->paths->count - 1].late = true;
		return added < 0 || rc == 0 ? added : unusable(m, root, &why);
	}
	return rc == 0 ? add_root(m, root, path.data, true) : unusable(m, root, &why);
}

static void sort(struct sandbox_paths *paths)
{
	if (paths->count)
		qsort(paths->item, paths->count, sizeof(*paths->item), compare);
}

/* A link inside what programs may change could lead anywhere the next time. */
static int refuse_changeable(void *ctx, const char *link, struct error *err)
{
	const struct rights rights = rights_at(ctx, link, parent_len(link, strlen(link)));

	if (!(rights.operations & (SANDBOX_OP_WRITE_TEXT | SANDBOX_OP_DELETE)))
		return 0;
	return error_set(err, ERR_INVALID,
			 "the policy lets programs change the link %s, which leads to it; name "
			 "instead what it leads to",
			 link);
}

static bool is_in(const char *path, const char *dir)
{
	return policy_path_is_in(path, dir, strlen(dir));
}

/* What is denied or read-only where a link leads, and is not so at its name. */
static const struct root *cut_by_link(const struct sandbox_paths *paths, const char *name,
				      const char *path)
{
	for (size_t i = 0; i < paths->count; i++) {
		const struct root *root = &paths->item[i];

		if ((root->denies || root->read_only) && is_in(path, root->path) &&
		    !is_in(name, root->path) && !is_in(name, root->name))
			return root;
	}
	return NULL;
}

/* A link would grant again what is taken away where it leads: the policy says two things. */
static int refuse_cut(struct maker *m, const struct policy_root *root, const char *path,
		      struct error *err)
{
	cleanup_buf struct buf place = BUF_INIT, name = BUF_INIT;
	const struct root *cut;

	if (root->kind == SANDBOX_ROOT_DENY || strcmp(path, root->path) == 0)
		return 0;
	cut = cut_by_link(m->paths, root->path, path);
	if (!cut)
		return 0;
	if (text_quote(&place, path, strlen(path)) < 0 ||
	    text_quote(&name, cut->name, strlen(cut->name)) < 0)
		return error_no_memory(err);
	return error_set(err, ERR_INVALID,
			 "it leads to %s, and %s is %s; name %s itself when it shall be granted",
			 place.data, name.data, cut->denies ? "denied" : "read-only", place.data);
}

static int check_links(struct maker *m, const struct policy_root *root, bool *ret_usable)
{
	const struct resolve_options options = {.on_link = refuse_changeable, .ctx = m->paths};
	cleanup_buf struct buf path = BUF_INIT;
	struct error why = {0};
	int rc = resolve_path(root->path, &options, &path, &why);

	if (rc == 0)
		rc = refuse_cut(m, root, path.data, &why);
	*ret_usable = rc != ERR_INVALID;
	if (rc == ERR_NOMEM)
		return error_no_memory(m->err);
	return rc == ERR_INVALID ? unusable(m, root, &why) : 0;
}

static int take_tmp(struct maker *m)
{
	static char tmp[] = "/tmp", shm[] = "/dev/shm";
	const struct policy_root roots[] = {
		{.path = tmp, .len = sizeof(tmp) - 1, .kind = SANDBOX_ROOT_WRITE, .optional = true},
		{.path = shm, .len = sizeof(shm) - 1, .kind = SANDBOX_ROOT_WRITE, .optional = true},
	};
	bool plain;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < 2 && m->policy->tmp == SANDBOX_TMP_SHARED; i++)
		rc = take_root(m, &roots[i], true, &plain);
	return rc;
}

static void drop_all(struct sandbox_paths *paths)
{
	for (size_t i = 0; i < paths->count; i++) {
		free(paths->item[i].path);
		free(paths->item[i].name);
	}
	free(paths->item);
	*paths = (struct sandbox_paths){0};
}

static int take_usable(struct maker *m, const bool *usable)
{
	const struct policy_roots *roots = &m->policy->roots;
	int rc = 0;

	drop_all(m->paths);
	for (size_t i = 0; rc == 0 && i < roots->count; i++)
		if (usable[i] || policy_root_cuts(m->policy, &roots->item[i]))
			rc = take_root(m, &roots->item[i], usable[i], &m->plain[i]);
	if (rc == 0)
		rc = take_tmp(m);
	sort(m->paths);
	return rc;
}

/* Which links can be changed is known when all roots are. */
static int check_all_links(struct maker *m, bool *usable, bool *ret_all)
{
	const struct policy_roots *roots = &m->policy->roots;
	int rc = 0;

	*ret_all = true;
	for (size_t i = 0; rc == 0 && i < roots->count; i++) {
		if (m->plain[i])
			continue;
		rc = check_links(m, &roots->item[i], &usable[i]);
		*ret_all = *ret_all && usable[i];
	}
	return rc;
}

/* Again without those that are not usable. */
static int take_roots(struct maker *m)
{
	const size_t size = m->policy->roots.count + 1;
	cleanup_free bool *usable = malloc(size), *plain = calloc(size, 1);
	sandbox_say say = m->say;
	bool all;
	int rc;

	if (!usable || !plain)
		return error_no_memory(m->err);
	memset(usable, true, size);
	m->plain = plain;
	rc = take_usable(m, usable);
	if (rc == 0)
		rc = check_all_links(m, usable, &all);
	m->say = NULL; /* it has been told */
	if (rc == 0 && !all)
		rc = take_usable(m, usable);
	if (rc == 0)
		paths_mark_late(m->paths);
	m->say = say;
	return rc;
}

int sandbox_paths_new(const struct sandbox_policy *policy, sandbox_say say, void *say_ctx,
		      struct sandbox_paths **ret, struct error *err)
{
	struct sandbox_paths *paths = calloc(1, sizeof(*paths));
	struct maker m = {policy, paths, NULL, say, say_ctx, err};
	int rc;

	if (!paths)
		return error_no_memory(err);
	rc = take_roots(&m);
	if (rc < 0)
		sandbox_paths_free(paths);
	else
		*ret = paths;
	return rc;
}

void sandbox_paths_free(struct sandbox_paths *paths)
{
	if (!paths)
		return;
	drop_all(paths);
	free(paths);
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
