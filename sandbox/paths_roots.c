/* The roots of a policy: found on this host, each with one look where no link leads to it. */
#include "sandbox/paths.h"

#include "base/cleanup.h"
#include "base/text.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A root that a link leads to. */
struct walked {
	const struct policy_root *root;
	const char *path;    /* without links; NULL: it could not be told */
	size_t first, links; /* of maker.link */
};

struct maker {
	const struct sandbox_policy *policy;
	struct sandbox_paths *paths;
	size_t room; /* in paths->item */
	struct resolve_trail trail;
	struct walked *walked;	 /* has room for all roots */
	size_t walks, own_walks; /* those of the policy's own roots come first */
	const char **link;	 /* that were followed */
	size_t links;
	sandbox_say say;
	void *say_ctx;
	struct error *err;
};

/* Where a root is on this host. */
struct found {
	const char *path; /* NULL: it cannot be told */
	size_t len;
	bool there;
	struct look look;
};

static bool may_be_missing(const struct policy_root *root)
{
	return root->optional || root->kind == SANDBOX_ROOT_DENY;
}

/* --- what is told ------------------------------------------------------------------------------
 */

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

	if (text_quote(&quoted, root->path, root->len) < 0)
		return error_no_memory(m->err);
	if (is_strict(m, root, why->code)) {
		if (m->err)
			*m->err = *why;
		error_wrap(m->err, why->code, "the root %s", quoted.data);
		return policy_error_at_root(m->policy, root, why->code, m->err);
	}
	error_set(&told, why->code, "the root %s %s: %s", quoted.data, effect_on(root, why->code),
		  why->text);
	policy_error_at_root(m->policy, root, why->code, &told);
	tell(m, told.text);
	return 0;
}

static int is_missing(const struct maker *m, const struct policy_root *root)
{
	struct error why;

	if (may_be_missing(root))
		return 0;
	error_set(&why, ERR_NOTFOUND, "there is no such file or directory");
	return unusable(m, root, &why);
}

/* --- roots that are taken ----------------------------------------------------------------------
 */

static int make_room(struct maker *m)
{
	struct sandbox_paths *paths = m->paths;
	size_t room = m->room ? 2 * m->room : m->policy->roots.count + 8;
	struct root *grown;

	if (paths->count < m->room)
		return 0;
	grown = realloc(paths->item, room * sizeof(*grown));
	if (!grown)
		return ERR_NOMEM;
	paths->item = grown;
	m->room = room;
	return 0;
}

/* `found` may be NULL: what is there is not known. grants: false when it only takes away. */
static int add_root(struct maker *m, const struct policy_root *root, const char *name,
		    const struct found *found, bool grants)
{
	struct sandbox_paths *paths = m->paths;
	const bool by_name = !found || strcmp(found->path, name) == 0;
	const char *path = by_name ? name : arena_add(&paths->texts, found->path, found->len);

	if (!path || make_room(m) < 0)
		return error_no_memory(m->err);
	paths->item[paths->count++] = (struct root){
		.len = by_name ? root->len : found->len,
		.path = path,
		.name = name,
		.operations = grants ? policy_root_operations(m->policy, root) : 0,
		.look = found ? found->look : (struct look){0},
		.denies = root->kind == SANDBOX_ROOT_DENY,
		.read_only = root->kind == SANDBOX_ROOT_READ_ONLY,
		.cuts = policy_root_cuts(m->policy, root),
	};
	return 0;
}

/* What takes away does so at its own name, too, whatever is there or comes there; what it grants it
 * grants only where it is. */
static int add_cut(struct maker *m, const struct policy_root *root, const char *name,
		   const struct found *found, bool grants)
{
	bool here = found->path && strcmp(found->path, root->path) == 0;
	int rc = add_root(m, root, name, here ? found : NULL, grants && here);

	if (rc == 0 && found->path && !here)
		rc = add_root(m, root, name, found, grants);
	return rc;
}

static int add_found(struct maker *m, const struct policy_root *root, const struct found *found,
		     bool usable)
{
	const bool cuts = policy_root_cuts(m->policy, root);
	const char *name;
	int rc;

	if (!cuts && !found->there)
		return 0;
	name = arena_add(&m->paths->texts, root->path, root->len);
	if (!name)
		return error_no_memory(m->err);
	if (!cuts)
		return add_root(m, root, name, found, true);
	rc = add_cut(m, root, name, found, usable && found->there);
	if (rc == 0 && !usable)
		m->paths->item[m->paths->count - 1].late = true;
	return rc;
}

/* --- roots that links lead to ------------------------------------------------------------------
 */

static int keep_link(void *ctx, const char *link, struct error *err)
{
	struct maker *m = ctx;
	const char *own = arena_add_str(&m->paths->texts, link);
	const char **grown = realloc(m->link, (m->links + 1) * sizeof(*grown));

	if (grown)
		m->link = grown;
	if (!grown || !own)
		return error_no_memory(err);
	grown[m->links++] = own;
	return 0;
}

/* Where the root is by its links, which are kept with it. */
static int walk(struct maker *m, const struct policy_root *root, struct buf *path,
		struct found *ret, struct error *why)
{
	const struct resolve_options options = {
		.on_link = keep_link, .ctx = m, .ret_look = &ret->look};
	struct walked *walked = &m->walked[m->walks++];
	int rc;

	*walked = (struct walked){.root = root, .first = m->links};
	rc = resolve_path(root->path, &options, path, why);
	walked->links = m->links - walked->first;
	if (rc < 0)
		return rc;
	walked->path = arena_add(&m->paths->texts, path->data, path->len);
	if (!walked->path)
		return error_no_memory(why);
	ret->path = walked->path;
	ret->len = path->len;
	if (!ret->look.known)
		look_at(ret->path, &ret->look);
	ret->there = ret->look.error == 0;
	return 0;
}

static int take_walked(struct maker *m, const struct policy_root *root, bool usable)
{
	cleanup_buf struct buf path = BUF_INIT;
	struct found found = {.path = NULL};
	struct error why;
	int rc = walk(m, root, &path, &found, &why), added;

	if (rc == ERR_NOMEM)
		return error_no_memory(m->err);
	added = add_found(m, root, &found, usable);
	if (added < 0 || found.there)
		return added;
	return rc < 0 ? unusable(m, root, &why) : is_missing(m, root);
}

static int take_root(struct maker *m, const struct policy_root *root, bool usable)
{
	struct found found = {.path = root->path, .len = root->len};
	enum resolve_plain plain = resolve_plainly(&m->trail, root->path, root->len, &found.look);
	int rc;

	if (plain == RESOLVE_WALK)
		return take_walked(m, root, usable);
	found.there = plain == RESOLVE_THERE;
	rc = add_found(m, root, &found, usable);
	return rc < 0 || found.there ? rc : is_missing(m, root);
}

/* A link inside what programs may change could lead anywhere the next time. */
static int refuse_changeable(const struct maker *m, const char *link, struct error *err)
{
	size_t len = (size_t)(strrchr(link, '/') - link);
	unsigned operations = paths_operations(m->paths, link, len ? len : 1);

	if (!(operations & (SANDBOX_OP_WRITE_TEXT | SANDBOX_OP_DELETE)))
		return 0;
	return error_set(err, ERR_INVALID,
			 "the policy lets programs change the link %s, which leads to it; name "
			 "instead what it leads to",
			 link);
}

static bool is_in_root(const char *path, const struct root *root)
{
	return policy_path_is_in(path, root->path, root->len);
}

/* What is denied or read-only where a link leads, and is not so at its name. */
static const struct root *cut_by_link(const struct sandbox_paths *paths, const char *name,
				      const char *path)
{
	for (size_t i = 0; i < paths->count; i++) {
		const struct root *root = &paths->item[i];

		if ((root->denies || root->read_only) && is_in_root(path, root) &&
		    !is_in_root(name, root) &&
		    !policy_path_is_in(name, root->name, strlen(root->name)))
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

static int check_walked(struct maker *m, const struct walked *walked, bool *ret_usable)
{
	struct error why;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < walked->links; i++)
		rc = refuse_changeable(m, m->link[walked->first + i], &why);
	if (rc == 0 && walked->path)
		rc = refuse_cut(m, walked->root, walked->path, &why);
	if (rc == ERR_NOMEM)
		return error_no_memory(m->err);
	*ret_usable = rc != ERR_INVALID;
	return *ret_usable ? 0 : unusable(m, walked->root, &why);
}

/* --- all of them -------------------------------------------------------------------------------
 */

static int take_tmp(struct maker *m)
{
	static char tmp[] = "/tmp", shm[] = "/dev/shm";
	static const struct policy_root roots[] = {
		{.path = tmp, .len = sizeof(tmp) - 1, .kind = SANDBOX_ROOT_WRITE, .optional = true},
		{.path = shm, .len = sizeof(shm) - 1, .kind = SANDBOX_ROOT_WRITE, .optional = true},
	};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < 2 && m->policy->tmp == SANDBOX_TMP_SHARED; i++)
		rc = take_root(m, &roots[i], true);
	return rc;
}

static int take_usable(struct maker *m, const bool *usable)
{
	const struct policy_roots *roots = &m->policy->roots;
	int rc = 0;

	m->paths->count = m->walks = m->links = 0;
	for (size_t i = 0; rc == 0 && i < roots->count; i++)
		if (usable[i] || policy_root_cuts(m->policy, &roots->item[i]))
			rc = take_root(m, &roots->item[i], usable[i]);
	m->own_walks = m->walks;
	if (rc == 0)
		rc = take_tmp(m);
	paths_sort(m->paths);
	return rc;
}

/* Which links can be changed is known when all roots are. */
static int check_all_links(struct maker *m, bool *usable, bool *ret_all)
{
	int rc = 0;

	*ret_all = true;
	for (size_t i = 0; rc == 0 && i < m->own_walks; i++) {
		bool *own = &usable[m->walked[i].root - m->policy->roots.item];

		rc = check_walked(m, &m->walked[i], own);
		*ret_all = *ret_all && *own;
	}
	return rc;
}

/* Again without those that are not usable. */
static int take_all(struct maker *m, bool *usable)
{
	bool all;
	int rc = take_usable(m, usable);

	if (rc == 0)
		rc = check_all_links(m, usable, &all);
	m->say = NULL; /* it has been told */
	if (rc == 0 && !all)
		rc = take_usable(m, usable);
	if (rc == 0)
		paths_mark_late(m->paths);
	return rc;
}

int sandbox_paths_new(const struct sandbox_policy *policy, sandbox_say say, void *say_ctx,
		      struct sandbox_paths **ret, struct error *err)
{
	const size_t most = policy->roots.count + 2; /* with those of take_tmp() */
	struct sandbox_paths *paths = calloc(1, sizeof(*paths));
	cleanup_free struct walked *walked = malloc(most * sizeof(*walked));
	cleanup_free bool *usable = malloc(most);
	struct maker m = {.policy = policy,
			  .paths = paths,
			  .walked = walked,
			  .say = say,
			  .say_ctx = say_ctx,
			  .err = err};
	int rc;

	if (usable)
		memset(usable, true, most);
	rc = paths && walked && usable ? take_all(&m, usable) : error_no_memory(err);
	free(m.link);
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
	arena_free(&paths->texts);
	free(paths->item);
	free(paths);
}
