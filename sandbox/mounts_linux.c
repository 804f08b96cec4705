/*
 * Mounts in a namespace of the child's own, with the mount interface of Linux 5.2: a tree that is
 * held by a descriptor can be taken along while something else is mounted over its place. Runs
 * between fork and exec: system calls only.
 */
#include "sandbox/readonly.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

int mounts_run_new(const struct holes *holes, struct mounts_run *ret, struct error *err)
{
	size_t most = 2 * holes->writables;

	for (size_t i = 0; i < holes->count; i++)
		most = holes->item[i].keeps > most ? holes->item[i].keeps : most;
	*ret = (struct mounts_run){.kept = malloc((most + 1) * sizeof(int)), .proc = -1};
	return ret->kept ? 0 : error_no_memory(err);
}

void mounts_run_free(struct mounts_run *run)
{
	free(run->kept);
	run->kept = NULL;
}

static int failed(struct mounts_run *run, const char *stage)
{
	run->stage = stage;
	return -errno;
}

/* The tree at a path with all that is mounted in it, held by a descriptor. */
static int take_tree(int dir, const char *path)
{
	return open_tree(dir, path,
			 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW);
}

#define REPLACED "what is denied or read-only has been replaced since the plan was made"

/* Whether it is what was found at the hole's path. */
static int check_same(const struct hole *hole, int fd, struct mounts_run *run)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return failed(run, REPLACED);
	if ((st.st_mode & S_IFMT) == hole->type &&
	    (!hole->ino || (st.st_dev == hole->dev && st.st_ino == hole->ino)))
		return 0;
	errno = ESTALE;
	return failed(run, REPLACED);
}

static int put_tree(int tree, const char *path)
{
	return move_mount(tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH);
}

static int lessen_tree(int tree, uint64_t attributes)
{
	struct mount_attr attr = {.attr_set = attributes};

	return mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr));
}

/* The decimal digits of a number behind a text that is there. */
static void add_number(char *text, uint64_t number)
{
	char digits[24];
	size_t n = 0, len = strlen(text);

	do
		digits[n++] = (char)('0' + number % 10);
	while (number /= 10);
	while (n > 0)
		text[len++] = digits[--n];
	text[len] = '\0';
}

/* --- what is empty ----------------------------------------------------------------------------
 */

/*
 * One tmpfs for all that is empty: the file and the directory that nobody may open, to be mounted
 * over others, and the private directories. What is mounted somewhere is a clone of a directory in
 * it. Before Linux 6.15 only what is in the namespace can be cloned. So it is mounted itself, on a
 * directory that gets a hole later, which is then mounted on top of it: nobody sees what is below.
 * To unmount it instead would cost more than all the rest, since the kernel then waits until no
 * processor can be using it any more.
 */
struct ground {
	const struct holes *holes;
	uint64_t bytes;
	int fd;			  /* of its root; -1: not made yet */
	const struct hole *place; /* NULL: the root directory, whose processes see it as "/.." */
};

static bool is_empty_dir(const struct hole *hole)
{
	return hole->kind == HOLE_TMP || hole->kind == HOLE_EMPTY || hole->kind == HOLE_DIR;
}

/* Whether it has holes in it that are still to be made, or something to be taken along. */
static bool is_in_use(const struct holes *holes, size_t first, size_t i)
{
	const char *path = holes->item[i].path;

	if (i > first && holes->item[i].keeps > 0)
		return true;
	for (size_t j = first; j < i; j++)
		if (policy_path_is_in(holes->item[j].path, path, strlen(path)))
			return true;
	return false;
}

/* `first`: the hole that is being made, of which what it keeps has been taken. */
static const struct hole *find_place(const struct holes *holes, size_t first)
{
	for (size_t i = first; i < holes->count; i++)
		if (is_empty_dir(&holes->item[i]) && !is_in_use(holes, first, i))
			return &holes->item[i];
	return NULL;
}

static int open_place(const struct hole *hole, struct mounts_run *run)
{
	int place = open(hole ? hole->path : "/", O_PATH | O_NOFOLLOW | O_CLOEXEC), rc;

	if (place < 0)
		return failed(run, REPLACED);
	rc = hole && hole->type ? check_same(hole, place, run) : 0;
	return rc < 0 ? rc : place;
}

static int mount_ground(struct ground *g, struct mounts_run *run)
{
	char size[24] = "";
	int context = fsopen("tmpfs", FSOPEN_CLOEXEC), place;

	add_number(size, g->bytes);
	if (context < 0 || fsconfig(context, FSCONFIG_SET_STRING, "size", size, 0) < 0 ||
	    fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return failed(run, "tmpfs for what is empty");
	g->fd = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	close(context);
	place = g->fd < 0 ? -1 : open_place(g->place, run);
	if (g->fd >= 0 && place < 0)
		return place;
	if (g->fd < 0 ||
	    move_mount(g->fd, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return failed(run, "mount of what is empty");
	close(place);
	if (mkdirat(g->fd, "dir", 0) < 0 || mknodat(g->fd, "file", S_IFREG, 0) < 0)
		return failed(run, "files for what hides");
	return 0;
}

static int need_ground(struct ground *g, const struct hole *hole, struct mounts_run *run)
{
	if (g->fd >= 0)
		return 0;
	g->place = find_place(g->holes, (size_t)(hole - g->holes->item));
	return mount_ground(g, run);
}

/* What has been cloned stays, and nobody can change its modes by another name. */
static int hide_ground(const struct ground *g, struct mounts_run *run)
{
	if (g->fd < 0 || g->place)
		return 0;
	if (fchdir(g->fd) < 0 || umount2(".", MNT_DETACH) < 0)
		return failed(run, "unmount of what is empty");
	return 0;
}

/* --- what hides ------------------------------------------------------------------------------- */

/* Takes the tree. What is looked at is what is mounted over. */
static int put_over(int tree, const struct ground *g, const struct hole *hole,
		    struct mounts_run *run)
{
	int place = hole == g->place ? g->fd : open_place(hole, run);

	if (place < 0)
		return place;
	if (move_mount(tree, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return failed(run, "mount over what is denied or private");
	if (place != g->fd)
		close(place);
	close(tree);
	return 0;
}

static int cover(struct ground *g, const struct hole *hole, struct mounts_run *run)
{
	int rc = need_ground(g, hole, run), tree;

	if (rc < 0)
		return rc;
	tree = take_tree(g->fd, hole->kind == HOLE_DIR ? "dir" : "file");
	if (tree < 0)
		return failed(run, "clone of what hides");
	if (lessen_tree(tree, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC) < 0)
		return failed(run, "attributes of what hides");
	return put_over(tree, g, hole, run);
}

static int lessen(const struct hole *hole, struct mounts_run *run)
{
	int tree = take_tree(AT_FDCWD, hole->path), rc;

	if (tree < 0)
		return failed(run, errno == ENOENT ? REPLACED : "clone of what is read-only");
	rc = check_same(hole, tree, run);
	if (rc < 0)
		return rc;
	if (lessen_tree(tree, (hole->no_write ? MOUNT_ATTR_RDONLY : 0) |
				      (hole->no_exec ? MOUNT_ATTR_NOEXEC : 0)) < 0)
		return failed(run, "attributes of what is read-only");
	if (put_tree(tree, hole->path) < 0)
		return failed(run, "mount over what is read-only");
	close(tree);
	return 0;
}

/* With what is mounted in it. Its name cannot be taken from it then: EBUSY. */
static int pin(const struct hole *hole, struct mounts_run *run)
{
	int tree = take_tree(AT_FDCWD, hole->path), rc;

	if (tree < 0)
		return failed(run, errno == ENOENT ? REPLACED
						   : "clone of a directory above what is denied");
	rc = check_same(hole, tree, run);
	if (rc < 0)
		return rc;
	if (put_tree(tree, hole->path) < 0)
		return failed(run, "mount of a directory above what is denied");
	close(tree);
	return 0;
}

/* --- empty directories, and what is kept in them ---------------------------------------------- */

static int take_keeps(const struct holes *holes, const struct hole *hole, struct mounts_run *run)
{
	for (size_t i = 0; i < hole->keeps; i++) {
		run->kept[i] = take_tree(AT_FDCWD, holes->keep[hole->first + i].path);
		if (run->kept[i] < 0)
			return failed(run, "clone of a root");
	}
	return 0;
}

/* mkdir -p of what is between the hole and its keep, and something to mount on. */
static int make_way(const struct hole *hole, const struct hole_keep *keep)
{
	char path[PATH_MAX];
	size_t len = strlen(keep->path), at = strlen(hole->path);
	int fd;

	if (len >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(path, keep->path, len + 1);
	while (path[++at]) {
		if (path[at] != '/')
			continue;
		path[at] = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return -1;
		path[at] = '/';
	}
	if (keep->is_dir)
		return mkdir(path, 0755) == 0 || errno == EEXIST ? 0 : -1;
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? -1 : close(fd);
}

static int put_keeps(const struct holes *holes, const struct hole *hole, bool empty,
		     struct mounts_run *run)
{
	for (size_t i = 0; i < hole->keeps; i++) {
		const struct hole_keep *keep = &holes->keep[hole->first + i];

		if (empty && make_way(hole, keep) < 0)
			return failed(run, "way to a root");
		if (put_tree(run->kept[i], keep->path) < 0)
			return failed(run, "mount of a root");
		close(run->kept[i]);
	}
	return 0;
}

static int set_read_only(const char *path, struct mounts_run *run)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC};

	return mount_setattr(AT_FDCWD, path, 0, &attr, sizeof(attr)) < 0
		       ? failed(run, "attributes of an empty directory")
		       : 0;
}

/* Whatever umask there is. */
static int make_dir(const struct ground *g, const char *name, mode_t mode)
{
	return mkdirat(g->fd, name, mode) < 0 || fchmodat(g->fd, name, mode, 0) < 0 ? -1 : 0;
}

static int empty(struct ground *g, const struct hole *hole, struct mounts_run *run)
{
	char name[24] = "";
	int rc = need_ground(g, hole, run), tree;

	if (rc < 0)
		return rc;
	add_number(name, (uint64_t)(hole - g->holes->item));
	if (make_dir(g, name, hole->kind == HOLE_TMP ? S_ISVTX | 0777 : 0755) < 0)
		return failed(run, "private directory");
	tree = take_tree(g->fd, name);
	if (tree < 0)
		return failed(run, "clone of a private directory");
	rc = put_over(tree, g, hole, run);
	if (rc == 0)
		rc = put_keeps(g->holes, hole, true, run);
	if (rc == 0 && hole->kind == HOLE_EMPTY)
		rc = set_read_only(hole->path, run);
	return rc;
}

/* A device of /dev/ptmx looks for it beside itself. Nothing can be made in it but terminals. */
static int mount_pts(const struct hole *hole, struct mounts_run *run)
{
	if (mount("devpts", hole->path, "devpts", MS_NOSUID | MS_NOEXEC,
		  "newinstance,ptmxmode=0666,mode=0620") < 0)
		return failed(run, "terminals of its own");
	return 0;
}

/* --- all of them ------------------------------------------------------------------------------ */

static int make_hole(struct ground *g, const struct hole *hole, struct mounts_run *run)
{
	int rc = take_keeps(g->holes, hole, run);

	if (rc < 0)
		return rc;
	switch (hole->kind) {
	case HOLE_PIN:
		return pin(hole, run);
	case HOLE_PTS:
		return mount_pts(hole, run);
	case HOLE_TMP:
	case HOLE_EMPTY:
		return empty(g, hole, run);
	case HOLE_DIR:
	case HOLE_FILE:
		return cover(g, hole, run);
	case HOLE_LESSENED:
		rc = lessen(hole, run);
		return rc < 0 ? rc : put_keeps(g->holes, hole, false, run);
	}
	return -EINVAL;
}

/* Opened at last, since another hole may be around them. */
static int open_tmps(const struct holes *holes, struct mounts_run *run)
{
	for (size_t i = 0; i < holes->count; i++) {
		int fd;

		if (holes->item[i].kind != HOLE_TMP && holes->item[i].kind != HOLE_PTS)
			continue;
		fd = open(holes->item[i].path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return failed(run, "opening a private directory");
		run->tmp[run->tmps++] = fd;
	}
	return 0;
}

int mounts_apply(const struct holes *holes, uint64_t tmp_bytes, struct mounts_run *run)
{
	struct ground ground = {.holes = holes, .bytes = tmp_bytes, .fd = -1};
	int rc = readonly_apply(holes, run);

	for (size_t i = 0; rc == 0 && i < holes->count; i++)
		rc = make_hole(&ground, &holes->item[i], run);
	if (rc == 0)
		rc = hide_ground(&ground, run);
	return rc < 0 ? rc : open_tmps(holes, run);
}
