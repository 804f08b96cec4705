/* Checks of paths against the roots of a policy. */
#include "sandbox/policy.h"

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

struct root {
	char *path; /* without links */
	size_t len;
	unsigned operations;
	bool denies;
	bool read_only;
};

/* Sorted by their paths. */
struct sandbox_paths {
	struct root *item;
	size_t count;
};

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

	for (size_t i = find(paths, path, len);
	     i < paths->count && compare_to(&paths->item[i], path, len) == 0; i++) {
		const struct root *root = &paths->item[i];

		operations |= root->operations;
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
	return denies || read_only;
}

/* From the path itself outwards. `len` is that of the path, or of one of its parents. */
static struct rights rights_at(const struct sandbox_paths *paths, const char *path, size_t len)
{
	struct rights rights = {0, NULL};

	while (!add_level(paths, path, len, &rights) && len > 1) {
		while (path[--len] != '/')
			;
		len += len == 0; /* "/" keeps its slash */
	}
	return rights;
}

static size_t parent_len(const char *path)
{
	size_t len = (size_t)(strrchr(path, '/') - path);

	return len ? len : 1;
}

/* A root below the path that takes away. */
static const struct root *cut_inside(const struct sandbox_paths *paths, const char *path,
				     size_t len)
{
	for (size_t i = find(paths, path, len); i < paths->count; i++) {
		const struct root *root = &paths->item[i];

		if (root->len < len || memcmp(root->path, path, len) != 0)
			break;
		if ((root->denies || root->read_only) && root->path[len] == '/')
			return root;
	}
	return NULL;
}

/* --- the roots on this host ------------------------------------------------------------------- */

struct maker {
	const struct sandbox_policy *policy;
	struct sandbox_paths *paths;
	sandbox_say say;
	void *say_ctx;
	struct error *err;
};

/* grants: false when it only takes away. */
static int add_root(struct maker *m, const struct policy_root *root, const char *path, bool grants)
{
	struct root *grown;
	char *own;

	grown = realloc(m->paths->item, (m->paths->count + 1) * sizeof(*grown));
	if (!grown)
		return error_no_memory(m->err);
	m->paths->item = grown;
	own = strdup(path);
	if (!own)
		return error_no_memory(m->err);
	grown[m->paths->count++] = (struct root){
		.path = own,
		.len = strlen(own),
		.operations = grants ? policy_root_operations(m->policy, root) : 0,
		.denies = root->kind == SANDBOX_ROOT_DENY,
		.read_only = root->kind == SANDBOX_ROOT_READ_ONLY,
	};
	return 0;
}

static void tell(const struct maker *m, const char *text)
{
	if (m->say)
		m->say(m->say_ctx, text);
}

static bool is_strict(const struct maker *m, const struct policy_root *root)
{
	return !root->optional &&
	       m->policy->strictness[SANDBOX_MECH_LANDLOCK_FS] == SANDBOX_STRICT_ENFORCE;
}

/* A root that cannot be used, for the reason in `why`: an error, or it grants nothing. */
static int unusable(const struct maker *m, const struct policy_root *root, const struct error *why)
{
	cleanup_buf struct buf quoted = BUF_INIT;
	struct error told = {0};

	if (text_quote(&quoted, root->path, root->len) < 0)
		return error_no_memory(m->err);
	if (is_strict(m, root)) {
		if (m->err)
			*m->err = *why;
		return error_wrap(m->err, why->code, "the root %s", quoted.data);
	}
	if (root->optional && why->code == ERR_NOTFOUND)
		return 0;
	error_set(&told, why->code, "the root %s %s: %s", quoted.data,
		  policy_root_cuts(root) ? "is not as it should be" : "grants nothing", why->text);
	tell(m, told.text);
	return 0;
}

static int find_root(const struct policy_root *root, struct buf *path, struct error *why)
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

/* What takes away does so at its own name, too, whatever is there or comes there. */
static int add_cut(struct maker *m, const struct policy_root *root, const struct buf *resolved,
		   bool grants)
{
	int rc = add_root(m, root, root->path, grants);

	if (rc == 0 && resolved && strcmp(resolved->data, root->path) != 0)
		rc = add_root(m, root, resolved->data, grants);
	return rc;
}

/* What is not there, or is where one may not look, can be denied all the same. */
static bool may_be_missing(const struct policy_root *root, int rc)
{
	return root->optional ||
	       (root->kind == SANDBOX_ROOT_DENY && (rc == ERR_NOTFOUND || rc == ERR_SYSTEM));
}

static int take_root(struct maker *m, const struct policy_root *root, bool usable)
{
	cleanup_buf struct buf path = BUF_INIT;
	struct error why = {0};
	int rc = find_root(root, &path, &why);

	if (rc == ERR_NOMEM)
		return error_no_memory(m->err);
	if (policy_root_cuts(root)) {
		int added = add_cut(m, root, rc == 0 || rc == ERR_NOTFOUND ? &path : NULL, usable);

		if (added < 0 || rc == 0 || may_be_missing(root, rc))
			return added;
		return unusable(m, root, &why);
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
	const struct rights rights = rights_at(ctx, link, parent_len(link));

	if (!(rights.operations & (SANDBOX_OP_WRITE_TEXT | SANDBOX_OP_DELETE)))
		return 0;
	return error_set(err, ERR_INVALID,
			 "the policy lets programs change the link %s, which leads to it", link);
}

static int check_links(struct maker *m, const struct policy_root *root, bool *ret_usable)
{
	const struct resolve_options options = {.on_link = refuse_changeable, .ctx = m->paths};
	cleanup_buf struct buf path = BUF_INIT;
	struct error why = {0};
	int rc = resolve_path(root->path, &options, &path, &why);

	*ret_usable = rc != ERR_INVALID;
	if (rc == ERR_NOMEM)
		return error_no_memory(m->err);
	if (rc != ERR_INVALID || (root->optional && root->kind == SANDBOX_ROOT_DENY))
		return 0;
	return unusable(m, root, &why);
}

static int take_tmp(struct maker *m)
{
	static char tmp[] = "/tmp", shm[] = "/dev/shm";
	const struct policy_root roots[] = {
		{.path = tmp, .len = sizeof(tmp) - 1, .kind = SANDBOX_ROOT_WRITE, .optional = true},
		{.path = shm, .len = sizeof(shm) - 1, .kind = SANDBOX_ROOT_WRITE, .optional = true},
	};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < 2 && m->policy->tmp == SANDBOX_TMP_SHARED; i++)
		rc = take_root(m, &roots[i], true);
	return rc;
}

static void drop_all(struct sandbox_paths *paths)
{
	for (size_t i = 0; i < paths->count; i++)
		free(paths->item[i].path);
	free(paths->item);
	*paths = (struct sandbox_paths){0};
}

static int take_usable(struct maker *m, const bool *usable)
{
	const struct policy_roots *roots = &m->policy->roots;
	int rc = 0;

	drop_all(m->paths);
	for (size_t i = 0; rc == 0 && i < roots->count; i++)
		if (usable[i] || policy_root_cuts(&roots->item[i]))
			rc = take_root(m, &roots->item[i], usable[i]);
	if (rc == 0)
		rc = take_tmp(m);
	sort(m->paths);
	return rc;
}

/* Twice: which links can be changed is known when all roots are. */
static int take_roots(struct maker *m)
{
	const struct policy_roots *roots = &m->policy->roots;
	cleanup_free bool *usable = malloc(roots->count + 1);
	sandbox_say say = m->say;
	int rc;

	if (!usable)
		return error_no_memory(m->err);
	memset(usable, true, roots->count + 1);
	rc = take_usable(m, usable);
	for (size_t i = 0; rc == 0 && i < roots->count; i++)
		rc = check_links(m, &roots->item[i], &usable[i]);
	m->say = NULL; /* it has been told */
	if (rc == 0)
		rc = take_usable(m, usable);
	m->say = say;
	return rc;
}

int sandbox_paths_new(const struct sandbox_policy *policy, sandbox_say say, void *say_ctx,
		      struct sandbox_paths **ret, struct error *err)
{
	struct sandbox_paths *paths = calloc(1, sizeof(*paths));
	struct maker m = {policy, paths, say, say_ctx, err};
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
		decide(ret, false, inside, "what is in it is denied or read-only");
	else
		judge(paths, SANDBOX_ACCESS_DELETE, ret->path, parent_len(ret->path), ret);
}

static void judge_cwd(const struct sandbox_paths *paths, struct sandbox_path *ret)
{
	struct stat st;

	judge(paths, SANDBOX_ACCESS_CWD, ret->path, strlen(ret->path), ret);
	if (ret->allowed && (stat(ret->path, &st) < 0 || !S_ISDIR(st.st_mode)))
		decide(ret, false, NULL, "there is no such directory");
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
	int rc;

	if ((int)access < 0 || access >= SANDBOX_ACCESSES)
		return error_set(err, ERR_INVALID, "there is no access %d", (int)access);
	rc = absolute(cwd, path, &whole, err);
	if (rc == 0)
		rc = resolve_path(whole.data, &options, &resolved, err);
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
	return 0;
}
