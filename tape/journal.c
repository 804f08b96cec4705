#include "tape/journal.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "tape/files.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_TRIES 10

/* A child of fork(2) has the list, but not the locks: hence the pid. */
struct held_journal {
	struct held_journal *next;
	dev_t dev;
	ino_t ino;
	pid_t pid;
	int fd; /* the journal's own */
};

/* Opening and closing a journal are under the lock too: either may drop the lock of another thread
 * on the same file. */
static pthread_mutex_t held_lock = PTHREAD_MUTEX_INITIALIZER;
static struct held_journal *held_list;

/* With held_lock: this process's hold of the file `name` in `dir_fd`, or NULL. */
static const struct held_journal *find_held(int dir_fd, const char *name)
{
	const struct held_journal *h = held_list;
	struct stat st;

	if (fstatat(dir_fd, name, &st, 0) < 0)
		return NULL;
	while (h && (h->dev != st.st_dev || h->ino != st.st_ino || h->pid != getpid()))
		h = h->next;
	return h;
}

static int refuse_own(const char *path, struct error *err)
{
	return find_held(AT_FDCWD, path)
		       ? error_set(
				 err, ERR_BUSY,
				 "process %ld, which is this one, is recording to %s already; wait "
				 "for its end, or take another tape",
				 (long)getpid(), path)
		       : 0;
}

static void let_go(struct held_journal *held)
{
	struct held_journal **at = &held_list;

	while (*at && *at != held)
		at = &(*at)->next;
	if (*at)
		*at = held->next;
	free(held);
}

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

/* With held_lock. */
static int open_and_hold(const char *path, bool sync, struct journal *ret, struct error *err)
{
	cleanup_free struct held_journal *held = calloc(1, sizeof(*held));
	cleanup_close int fd = -1;
	struct stat st;
	int rc = held ? refuse_own(path, err) : error_no_memory(err);

	if (rc == 0)
		rc = open_locked(path, &fd, err);
	if (rc < 0)
		return rc;
	if (fstat(fd, &st) < 0)
		return error_sys(err, errno, "cannot stat %s", path);
	*held = (struct held_journal){held_list, st.st_dev, st.st_ino, getpid(), fd};
	held_list = held;
	*ret = (struct journal){
		.fd = steal_fd(&fd), .size = st.st_size, .sync = sync, .held = steal_ptr(&held)};
	return 0;
}

int journal_open(const char *dir, bool sync, struct journal *ret, struct error *err)
{
	cleanup_free char *path = NULL;
	int rc = tape_file_path(dir, JOURNAL_FILE, &path, err);

	if (rc < 0)
		return rc;
	pthread_mutex_lock(&held_lock);
	rc = open_and_hold(path, sync, ret, err);
	pthread_mutex_unlock(&held_lock);
	if (rc == 0)
		ret->path = steal_ptr(&path);
	return rc;
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
	if (rc < 0) {
		j->damaged = ftruncate(j->fd, j->size) < 0;
		return rc;
	}
	j->size += (off_t)len;
	j->unsynced = j->sync;
	return 0;
}

int journal_sync(struct journal *j, struct error *err)
{
	if (j->unsynced && fdatasync(j->fd) < 0)
		return error_sys(err, errno, "cannot sync %s", j->path);
	j->unsynced = false;
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
	pthread_mutex_lock(&held_lock);
	if (j->fd >= 0)
		close(j->fd);
	if (j->held)
		let_go(j->held);
	pthread_mutex_unlock(&held_lock);
	j->fd = -1;
	j->held = NULL;
	free(j->path);
	j->path = NULL;
}

/* With held_lock. */
static int open_and_use(const char *path, journal_use use, void *ctx, struct error *err)
{
	const struct held_journal *own = find_held(AT_FDCWD, path);
	cleanup_close int fd = -1;

	if (own)
		return use(own->fd, ctx, err);
	/* A FIFO in the place of a file must not make us wait. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno == ENOENT)
		return error_set(err, ERR_NOTFOUND, "there is no %s", path);
	if (fd < 0)
		return error_sys(err, errno, "cannot open %s", path);
	return use(fd, ctx, err);
}

int journal_read(const char *path, journal_use use, void *ctx, struct error *err)
{
	int rc;

	pthread_mutex_lock(&held_lock);
	rc = open_and_use(path, use, ctx, err);
	pthread_mutex_unlock(&held_lock);
	return rc;
}

/* With held_lock. */
static bool remove_abandoned(int dir_fd, void (*remove_rest)(int dir_fd))
{
	struct flock lock = whole_file();
	cleanup_close int fd = -1;

	if (find_held(dir_fd, JOURNAL_FILE))
		return false;
	fd = openat(dir_fd, JOURNAL_FILE, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT;
	if (fcntl(fd, F_SETLK, &lock) < 0)
		return false;
	remove_rest(dir_fd);
	return unlinkat(dir_fd, JOURNAL_FILE, 0) == 0;
}

bool journal_remove_abandoned(int dir_fd, void (*remove_rest)(int dir_fd))
{
	bool removed;

	pthread_mutex_lock(&held_lock);
	removed = remove_abandoned(dir_fd, remove_rest);
	pthread_mutex_unlock(&held_lock);
	return removed;
}
