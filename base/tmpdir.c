#include "base/tmpdir.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define UNIQUE	   "XXXXXX"
#define MAKE_TRIES 100
#define SWEEP_MAX  8 /* a start does not pay for all that was ever left */

static int open_dir(int parent, const char *name)
{
	return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* The name still leads to what is open. */
static bool is_there(int parent, const char *name, int fd, uid_t owner)
{
	struct stat opened, named;

	return fstat(fd, &opened) == 0 && fstatat(parent, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       opened.st_dev == named.st_dev && opened.st_ino == named.st_ino &&
	       opened.st_uid == owner;
}

/* Whose lock is not to be had is in use. A file system without locks for directories has none for
 * who sweeps, either, who then leaves all as it is. */
static bool is_locked_by_another(int fd)
{
	return flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

/* -EAGAIN: it was swept before it was locked. */
static int make_once(const char *parent, const char *prefix, char **ret_path, int *ret_fd)
{
	cleanup_free char *path = NULL;
	cleanup_close int fd = -1;

	if (asprintf(&path, "%s/%s" UNIQUE, parent, prefix) < 0) {
		path = NULL; /* which is undefined then */
		return -ENOMEM;
	}
	if (!mkdtemp(path))
		return -errno;
	fd = open_dir(AT_FDCWD, path);
	if (fd < 0)
		return errno == ENOENT ? -EAGAIN : -errno;
	if (is_locked_by_another(fd) || !is_there(AT_FDCWD, path, fd, geteuid()))
		return -EAGAIN;
	*ret_path = steal_ptr(&path);
	*ret_fd = steal_fd(&fd);
	return 0;
}

int tmpdir_make(const char *parent, const char *prefix, char **ret_path, int *ret_fd,
		struct error *err)
{
	int rc = -EAGAIN;

	for (int i = 0; rc == -EAGAIN && i < MAKE_TRIES; i++)
		rc = make_once(parent, prefix, ret_path, ret_fd);
	if (rc == -ENOMEM)
		return error_no_memory(err);
	return rc < 0 ? error_sys(err, -rc, "cannot make a directory in %s", parent) : 0;
}

/* Under the lock, so that of several who sweep one does. What cannot be removed stays, as it would
 * have without this: one that was closed (chmod 0), say. */
static bool remove_dead(const char *parent, int parent_fd, const char *name)
{
	cleanup_free char *path = fs_join(parent, name);
	cleanup_close int fd = open_dir(parent_fd, name);

	return path && fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 &&
	       is_there(parent_fd, name, fd, geteuid()) && fs_remove_all(path, NULL) == 0;
}

void tmpdir_sweep(const char *parent, const char *prefix)
{
	cleanup_closedir DIR *dir = opendir(parent);
	size_t len = strlen(prefix);
	const struct dirent *entry;
	int removed = 0;

	while (dir && removed < SWEEP_MAX && (entry = readdir(dir))) {
		if (strlen(entry->d_name) == len + sizeof(UNIQUE) - 1 &&
		    strncmp(entry->d_name, prefix, len) == 0)
			removed += remove_dead(parent, dirfd(dir), entry->d_name);
	}
}
