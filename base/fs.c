#include "base/fs.h"
#include "base/cleanup.h"
#include "base/text.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_STEP      65536
#define TEMP_NAME_HEAD ".sandtape."
#define TEMP_NAME_TAIL ".tmp"
#define TEMP_TRIES     100

int fs_write_all(int fd, const void *bytes, size_t len, const char *what, struct error *err)
{
	const char *next = bytes;

	while (len > 0) {
		ssize_t n = write(fd, next, len);

		if (n < 0 && errno == EINTR)
			continue;
		/* Nothing written and no reason given: asking again could go on for ever. */
		if (n <= 0)
			return error_sys(err, n < 0 ? errno : EIO, "cannot write %s", what);
		next += n;
		len -= (size_t)n;
	}
	return 0;
}

/* One read() at the end of `out`: its count, 0 at the end of the file, or a negative code. */
static ssize_t read_step(int fd, const char *path, struct buf *out, size_t step, struct error *err)
{
	ssize_t n;

	if (buf_reserve(out, step) < 0)
		return error_no_memory(err);
	do
		n = read(fd, out->data + out->len, step);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		error_sys(err, errno, "cannot read %s", path);
		out->data[out->len] = '\0';
		return ERR_SYSTEM;
	}
	out->len += (size_t)n;
	out->data[out->len] = '\0';
	return n;
}

/* Reads to the end rather than to st_size: /proc says 0, and a file may grow meanwhile. */
static int read_to_end(int fd, const char *path, size_t max, struct buf *out, struct error *err)
{
	size_t start = out->len;
	ssize_t n = 1;

	while (n > 0) {
		size_t left = max - (out->len - start);
		size_t spare = out->cap > out->len ? out->cap - out->len - 1 : 0;
		size_t step = spare > 0 ? spare : READ_STEP;

		n = read_step(fd, path, out, step > left ? left + 1 : step, err);
		if (out->len - start > max)
			n = error_set(err, ERR_LIMIT, "%s is larger than %zu bytes", path, max);
	}
	if (n < 0) {
		out->len = start;
		if (out->data)
			out->data[start] = '\0';
	}
	return (int)n;
}

int fs_read_file(const char *path, size_t max, struct buf *out, struct error *err)
{
	/* O_NONBLOCK: opening a FIFO would wait for its writer before it could be refused. */
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return error_sys(err, errno, "cannot open %s", path);
	if (fstat(fd, &st) < 0)
		return error_sys(err, errno, "cannot stat %s", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERR_INVALID, "%s is not a regular file", path);
	if (st.st_size > 0 && (uintmax_t)st.st_size > max)
		return error_set(err, ERR_LIMIT, "%s is larger than %zu bytes", path, max);
	/* One byte more than the size, so that the read which finds the end needs no room. */
	if (st.st_size > 0 && buf_reserve(out, (size_t)st.st_size + 1) < 0)
		return error_no_memory(err);
	return read_to_end(fd, path, max, out, err);
}

/* The directory that holds `path`, in a new string. NULL when out of memory. */
static char *parent_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return strdup(".");
	return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

static int temp_path(const char *dir, char **ret_path, struct error *err)
{
	char name[sizeof(TEMP_NAME_HEAD) + TEXT_HEX64_LEN + sizeof(TEMP_NAME_TAIL)];
	char digits[TEXT_HEX64_LEN];
	uint64_t random;

	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return error_sys(err, errno, "cannot get a random file name");
	text_hex64(random, digits);
	/* Not made from the file's own name, which may be as long as a name can be. */
	snprintf(name, sizeof(name), "%s%.*s%s", TEMP_NAME_HEAD, TEXT_HEX64_LEN, digits,
		 TEMP_NAME_TAIL);
	*ret_path = fs_join(dir, name);
	return *ret_path ? 0 : error_no_memory(err);
}

/* mkstemp() would make the mode 0600, and the umask cannot be read without changing it. */
static int open_temp(const char *dir, char **ret_path, int *ret_fd, struct error *err)
{
	int fd = -1;

	for (int i = 0; i < TEMP_TRIES; i++) {
		cleanup_free char *path = NULL;
		int rc = temp_path(dir, &path, err);

		if (rc < 0)
			return rc;
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
		if (fd >= 0) {
			*ret_fd = fd;
			*ret_path = steal_ptr(&path);
			return 0;
		}
		if (errno != EEXIST)
			break;
	}
	return error_sys(err, errno, "cannot create a file in %s", dir);
}

/* Takes `fd`. Closing is checked, because a network file system may report a full disk there. */
static int fill_and_close_take(int fd, const char *path, const struct bytes *content, bool sync,
			       struct error *err)
{
	cleanup_close int owned = fd;
	int rc = fs_write_all(owned, content->data, content->len, path, err);

	if (rc < 0)
		return rc;
	if (sync && fsync(owned) < 0)
		return error_sys(err, errno, "cannot sync %s", path);
	if (close(steal_fd(&owned)) < 0 && errno != EINTR)
		return error_sys(err, errno, "cannot write %s", path);
	return 0;
}

int fs_write_atomic(const char *path, const void *bytes, size_t len, bool sync, struct error *err)
{
	cleanup_free char *dir = parent_of(path), *temp = NULL;
	struct bytes content = {bytes, len};
	int fd = -1, rc;

	if (!dir)
		return error_no_memory(err);
	rc = open_temp(dir, &temp, &fd, err);
	if (rc < 0)
		return rc;
	rc = fill_and_close_take(fd, path, &content, sync, err);
	if (rc == 0 && rename(temp, path) < 0)
		rc = error_sys(err, errno, "cannot replace %s", path);
	if (rc < 0) {
		unlink(temp);
		return rc;
	}
	return sync ? fs_sync_dir(dir, err) : 0;
}

/* --- reports ---------------------------------------------------------------------------------- */

/* Whether a file could be made there. */
static int check_parent(const char *path, struct error *err)
{
	cleanup_free char *dir = NULL;

	if (!*path)
		return error_set(err, ERR_INVALID, "the name of a file to be written is empty");
	dir = parent_of(path);
	if (!dir)
		return error_no_memory(err);
	if (access(dir, W_OK | X_OK) < 0)
		return error_sys(err, errno, "cannot write %s", path);
	return 0;
}

/* The standard output or error when the path leads there: /dev/stdout, into a file, too. */
static int find_stream(const struct stat *st)
{
	struct stat own;

	for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
		if (fstat(fd, &own) == 0 && own.st_dev == st->st_dev && own.st_ino == st->st_ino)
			return fd;
	return -1;
}

int fs_report_open(const char *path, int *ret_fd, struct error *err)
{
	struct stat st;
	int fd, stream;

	*ret_fd = -1;
	if (stat(path, &st) < 0)
		return check_parent(path, err);
	stream = find_stream(&st);
	if (stream < 0 && S_ISREG(st.st_mode))
		return check_parent(path, err);
	fd = stream < 0 ? open(path, O_WRONLY | O_CLOEXEC) : fcntl(stream, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return error_sys(err, errno, "cannot write %s", path);
	*ret_fd = fd;
	return 0;
}

int fs_report_write(int fd, const char *path, const void *bytes, size_t len, struct error *err)
{
	return fd < 0 ? fs_write_atomic(path, bytes, len, false, err)
		      : fs_write_all(fd, bytes, len, path, err);
}

int fs_sync_dir(const char *path, struct error *err)
{
	cleanup_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return error_sys(err, errno, "cannot open the directory %s", path);
	if (fsync(fd) < 0)
		return error_sys(err, errno, "cannot sync the directory %s", path);
	return 0;
}

static int make_dir(const char *path, struct error *err)
{
	struct stat st;
	int sys;

	if (mkdir(path, 0777) == 0)
		return 0;
	sys = errno;
	/* Not only EEXIST: a read-only or forbidden parent may already hold the directory. */
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	return error_sys(err, sys, "cannot make the directory %s", path);
}

int fs_mkdir_all(const char *path, struct error *err)
{
	cleanup_free char *copy = strdup(path);

	if (!copy)
		return error_no_memory(err);
	/* From the second character on: the root needs no making. */
	for (char *at = *copy ? copy + 1 : copy; *at; at++) {
		if (*at != '/' || at[-1] == '/')
			continue;
		*at = '\0';

		int rc = make_dir(copy, err);

		*at = '/';
		if (rc < 0)
			return rc;
	}
	return make_dir(copy, err);
}

static int remove_at(int dir_fd, const char *name, struct error *err);

/* The next entry other than "." and ".."; NULL at the end with errno 0, or on failure. */
static const char *next_name(DIR *dir)
{
	struct dirent *entry;

	do {
		errno = 0;
		entry = readdir(dir);
	} while (entry && (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")));
	return entry ? entry->d_name : NULL;
}

/* Passes are repeated until one finds nothing: a file system may skip entries of a directory
 * that shrinks while it is read. */
static int empty_dir(DIR *dir, const char *path, struct error *err)
{
	bool found = true;
	const char *name;

	while (found) {
		found = false;
		rewinddir(dir);
		while ((name = next_name(dir))) {
			int rc = remove_at(dirfd(dir), name, err);

			if (rc < 0)
				return rc;
			found = true;
		}
		if (errno != 0)
			return error_sys(err, errno, "cannot read the directory %s", path);
	}
	return 0;
}

/* A mode that forbids its owner to look into a directory or to change it (Go's module cache has
 * such) does not keep it. Where the mode cannot be changed, what then cannot be done tells why. */
static int open_dir(int dir_fd, const char *name)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
	int fd = openat(dir_fd, name, flags);
	struct stat st;

	if (fd < 0 && errno == EACCES) {
		if (fchmodat(dir_fd, name, S_IRWXU, AT_SYMLINK_NOFOLLOW) == 0)
			return openat(dir_fd, name, flags);
		errno = EACCES;
	}
	if (fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & S_IRWXU) != S_IRWXU)
		(void)fchmod(fd, S_IRWXU);
	return fd;
}

/* Holds one fd a level. Each step is relative to an open directory and refuses links, so that
 * nobody can lead it elsewhere by swapping a directory for a link meanwhile. */
static int remove_dir_at(int dir_fd, const char *name, struct error *err)
{
	cleanup_close int fd = open_dir(dir_fd, name);
	cleanup_closedir DIR *dir = NULL;
	int rc;

	if (fd < 0)
		return errno == ENOENT
			       ? 0
			       : error_sys(err, errno, "cannot open the directory %s", name);
	dir = fdopendir(fd);
	if (!dir)
		return error_sys(err, errno, "cannot read the directory %s", name);
	steal_fd(&fd);
	rc = empty_dir(dir, name, err);
	if (rc < 0)
		return rc;
	if (unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return error_sys(err, errno, "cannot remove the directory %s", name);
	return 0;
}

static int remove_at(int dir_fd, const char *name, struct error *err)
{
	struct stat st;

	/* Asked first, because unlink() of a directory is allowed to root on some systems. */
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : error_sys(err, errno, "cannot stat %s", name);
	if (S_ISDIR(st.st_mode))
		return remove_dir_at(dir_fd, name, err);
	if (unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT)
		return error_sys(err, errno, "cannot remove %s", name);
	return 0;
}

int fs_remove_all(const char *path, struct error *err)
{
	cleanup_free char *copy = strdup(path);
	size_t len;

	if (!copy)
		return error_no_memory(err);
	if (!*copy)
		return error_set(err, ERR_INVALID, "cannot remove a tree without a name");
	/* "link/" would name what the link points to. */
	for (len = strlen(copy); len > 1 && copy[len - 1] == '/'; len--)
		copy[len - 1] = '\0';

	int rc = remove_at(AT_FDCWD, copy, err);

	return rc < 0 ? error_wrap(err, rc, "cannot remove %s", path) : 0;
}

char *fs_join(const char *dir, const char *name)
{
	size_t dir_len = strlen(dir), name_len = strlen(name);
	bool slash = dir_len > 0 && dir[dir_len - 1] != '/';
	char *joined = malloc(dir_len + slash + name_len + 1);

	if (!joined)
		return NULL;
	memcpy(joined, dir, dir_len);
	if (slash)
		joined[dir_len] = '/';
	memcpy(joined + dir_len + slash, name, name_len + 1);
	return joined;
}
