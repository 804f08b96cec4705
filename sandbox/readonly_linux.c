/*
 * Everything but what a policy lets be written, as read-only mounts. Landlock refuses truncate, and
 * opening with O_TRUNC what is only to be read, from Linux 6.2 on; a read-only mount always does.
 * Devices, pipes and sockets can be written on one.
 */
#include "sandbox/readonly.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OPS_CHANGE (SANDBOX_OP_WRITE_TEXT | SANDBOX_OP_DELETE)

/* --- in the plan ------------------------------------------------------------------------------ */

/* What is mounted again goes with what is around it. */
static bool is_writable_already(const struct holes *holes, const char *path)
{
	for (size_t i = 0; i < holes->writables; i++)
		if (policy_path_is_in(path, holes->writable[i], strlen(holes->writable[i])))
			return true;
	return false;
}

static bool is_file_or_dir(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && (S_ISDIR(st.st_mode) || S_ISREG(st.st_mode));
}

/* Where files can be deleted but not written, a mount lets them be emptied, too. */
static bool is_within_mounts(const struct sandbox_paths *paths)
{
	for (size_t i = 0; i < paths->count; i++) {
		const struct root *root = &paths->item[i];

		if ((paths_operations(paths, root->path, root->len) & OPS_CHANGE) ==
		    SANDBOX_OP_DELETE)
			return false;
	}
	return true;
}

int readonly_find(const struct judge *judge, const struct sandbox_paths *paths, struct holes *holes)
{
	if (!is_within_mounts(paths))
		return 0;
	holes->writable = calloc(paths->count + 1, sizeof(*holes->writable));
	if (!holes->writable)
		return error_no_memory(judge->err);
	holes->read_only = true;
	for (size_t i = 0; i < paths->count; i++) {
		const struct root *root = &paths->item[i];

		if ((paths_operations(paths, root->path, root->len) & OPS_CHANGE) &&
		    !is_writable_already(holes, root->path) && is_file_or_dir(root->path))
			holes->writable[holes->writables++] = root->path;
	}
	return 0;
}

/* --- in the child ----------------------------------------------------------------------------- */

static int failed(struct mounts_run *run, const char *stage)
{
	run->stage = stage;
	return -errno;
}

/* The place, and a tree of what is there with the attributes that it has now; -1, -1 where it is
 * gone or has become a link: then no rule of Landlock grants it either. */
static int hold(const char *path, int *ret, struct mounts_run *run)
{
	const struct open_how how = {
		.flags = O_PATH | O_CLOEXEC | O_NOFOLLOW,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	ret[1] = -1;
	ret[0] = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
	if (ret[0] < 0 &&
	    (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == EACCES))
		return 0;
	if (ret[0] < 0)
		return failed(run, "opening what can be written");
	ret[1] = open_tree(ret[0], "",
			   OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_EMPTY_PATH);
	return ret[1] < 0 ? failed(run, "clone of what can be written") : 0;
}

static int put(const int *held, struct mounts_run *run)
{
	if (held[1] < 0)
		return 0;
	if (move_mount(held[1], "", held[0], "",
		       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return failed(run, "mount of what can be written");
	close(held[1]);
	close(held[0]);
	return 0;
}

/* Cloned before, since a mount that the host has read-only is to stay so. */
int readonly_apply(const struct holes *holes, struct mounts_run *run)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
	int rc = 0;

	if (!holes->read_only || is_writable_already(holes, "/"))
		return 0;
	for (size_t i = 0; rc == 0 && i < holes->writables; i++)
		rc = hold(holes->writable[i], &run->kept[2 * i], run);
	if (rc == 0 && mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		rc = failed(run, "making all mounts read-only");
	for (size_t i = 0; rc == 0 && i < holes->writables; i++)
		rc = put(&run->kept[2 * i], run);
	return rc;
}
