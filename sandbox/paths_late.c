/*
 * Names that take away, and that a program can lead elsewhere later: it makes a directory that such
 * a name needs, as a link, or changes a link on its way. Where they lead is looked up at each
 * check.
 */
#include "sandbox/paths.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "sandbox/resolve.h"
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

/* Whether programs may make a directory that the path needs. Files are looked at only where they
 * may: this is on the way of every start. */
static bool can_be_led(const struct sandbox_paths *paths, const struct root *root)
{
	const char *path = root->path;
	char dir[PATH_MAX];
	struct stat st;

	if (!(root->whole & SANDBOX_OP_WRITE_TEXT))
		return false; /* nor is it granted around it */
	for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		size_t len = (size_t)(slash - path);

		if (!(paths_operations(paths, path, len) & SANDBOX_OP_WRITE_TEXT))
			continue;
		memcpy(dir, path, len);
		dir[len] = '\0';
		if (lstat(dir, &st) < 0)
			return true;
	}
	return false;
}

void paths_mark_late(struct sandbox_paths *paths)
{
	for (size_t i = 0; i < paths->count; i++) {
		struct root *root = &paths->item[i];

		root->late = root->late || (root->cuts && can_be_led(paths, root));
		paths->late += root->late;
	}
}

/* Where the name leads now; empty when that is nowhere, or where it has led from the beginning. */
static int look_up(const struct root *root, struct buf *place, struct error *err)
{
	const struct resolve_options options = {0};
	cleanup_buf struct buf quoted = BUF_INIT;
	int rc = resolve_path(root->name, &options, place, err);

	if (rc == ERR_SYSTEM || (rc == 0 && strcmp(place->data, root->path) == 0)) {
		buf_clear(place);
		return 0;
	}
	if (rc == 0 || rc == ERR_NOMEM)
		return rc;
	if (text_quote(&quoted, root->name, strlen(root->name)) < 0)
		return error_no_memory(err);
	return error_wrap(err, rc, "cannot tell where the root %s leads", quoted.data);
}

static bool is_at(const struct buf *place, const char *path, bool inside)
{
	return policy_path_is_in(path, place->data, place->len) ||
	       (inside && policy_path_is_in(place->data, path, strlen(path)));
}

int paths_find_late(const struct sandbox_paths *paths, const char *path, unsigned operation,
		    bool inside, const struct root **ret, struct error *err)
{
	cleanup_buf struct buf place = BUF_INIT;
	int rc = 0;

	*ret = NULL;
	for (size_t i = 0; rc == 0 && !*ret && paths->late && i < paths->count; i++) {
		const struct root *root = &paths->item[i];

		if (!root->late || (root->read_only && (operation & POLICY_OPS_READ)))
			continue;
		rc = look_up(root, &place, err);
		if (rc == 0 && place.len && is_at(&place, path, inside))
			*ret = root;
	}
	return rc;
}
