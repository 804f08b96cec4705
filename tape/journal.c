#include "tape/journal.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "tape/files.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_TRIES 10

static struct flock whole_file(void)
{
	return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
}

/* Returns 0, ERR_BUSY, ERR_SYSTEM, or 1 when whoever had it let go meanwhile. */
static int try_lock(int fd, const char *path, struct error *err)
{
	struct flock lock = whole_file();

	if (fcntl(fd, F_SETLK, &lock) == 0)
		return 0;
	if (errno != EACCES && errno != EAGAIN)
		return error_sys(err, errno, "cannot lock %s", path);
	lock = whole_file();
	if (fcntl(fd, F_GETLK, &lock) < 0)
		return error_sys(err, errno, "cannot lock %s", path);
	if (lock.l_type == F_UNLCK)
		return 1;
	return error_set(err, ERR_BUSY,
			 "process %ld is recording to %s; wait for its end, or take another tape",
			 (long)lock.l_pid, path);
}

/* The recorder before may have removed the file between our open and our lock. */
static bool is_still_there(int fd, const char *path)
{
	struct stat ours, there;

	return fstat(fd, &ours) == 0 && stat(path, &there) == 0 && ours.st_dev == there.st_dev &&
	       ours.st_ino == there.st_ino;
}

static int open_locked(const char *path, int *ret_fd, struct error *err)
{
	int tries;

	for (tries = 0; tries < LOCK_TRIES; tries++) {
		cleanup_close int fd =
			open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0666);
		int rc;

		if (fd < 0)
			return error_sys(err, errno, "cannot open %s", path);
		rc = try_lock(fd, path, err);
		if (rc < 0)
			return rc;
		if (rc == 0 && is_still_there(fd, path)) {
			*ret_fd = steal_fd(&fd);
			return 0;
		}
	}
	return error_set(err, ERR_BUSY, "other recorders keep taking %s", path);
}

int journal_open(const char *dir, bool sync, struct journal *ret, struct error *err)
{
	cleanup_free char *path = NULL;
	cleanup_close int fd = -1;
	struct stat st;
	int rc = tape_file_path(dir, JOURNAL_FILE, &path, err);

	if (rc == 0)
		rc = open_locked(path, &fd, err);
	if (rc < 0)
		return rc;
	if (fstat(fd, &st) < 0)
		return error_sys(err, errno, "cannot stat %s", path);
	*ret = (struct journal){
		.fd = steal_fd(&fd), .size = st.st_size, .sync = sync, .path = steal_ptr(&path)};
	return 0;
}

int journal_truncate(struct journal *j, struct error *err)
{
	if (ftruncate(j->fd, 0) < 0)
		return error_sys(err, errno, "cannot empty %s", j->path);
	j->size = 0;
	return 0;
}

int journal_append(struct journal *j, const void *bytes, size_t len, struct error *err)
{
	int rc;

	if (j->damaged)
		return error_set(err, ERR_SYSTEM,
				 "an earlier record of %s was cut short: nothing can follow it",
				 j->path);
	rc = fs_write_all(j->fd, bytes, len, j->path, err);
	if (rc == 0 && j->sync && fdatasync(j->fd) < 0)
		rc = error_sys(err, errno, "cannot sync %s", j->path);
	if (rc < 0) {
		j->damaged = ftruncate(j->fd, j->size) < 0;
		return rc;
	}
	j->size += (off_t)len;
	return 0;
}

int journal_remove(struct journal *j, struct error *err)
{
	if (unlink(j->path) < 0)
		return error_sys(err, errno, "cannot remove %s", j->path);
	journal_close(j);
	return 0;
}

void journal_close(struct journal *j)
{
	if (j->fd >= 0)
		close(j->fd);
	j->fd = -1;
	free(j->path);
	j->path = NULL;
}
