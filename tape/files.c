#include "tape/files.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

int tape_file_path(const char *dir, const char *name, char **ret, struct error *err)
{
	char *path = fs_join(dir, name);

	if (!path)
		return error_no_memory(err);
	*ret = path;
	return 0;
}

char *tape_dir_name(const char *path)
{
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	return strndup(path, len);
}

bool tape_file_exists(const char *dir, const char *name)
{
	char path[PATH_MAX]; /* without memory, the answer would be wrong */
	struct stat st;
	int len = snprintf(path, sizeof(path), "%s/%s", dir, name);

	return len > 0 && (size_t)len < sizeof(path) && stat(path, &st) == 0;
}

int tape_dir_check(const char *dir, struct error *err)
{
	struct stat st;

	if (stat(dir, &st) < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return error_set(err, ERR_NOTFOUND, "there is no tape %s", dir);
		return error_sys(err, errno, "cannot stat %s", dir);
	}
	if (!S_ISDIR(st.st_mode))
		return error_set(err, ERR_FORMAT, "%s is not a tape: not a directory; name a tape",
				 dir);
	return 0;
}

bool tape_has_recording(const char *dir)
{
	cleanup_free char *path = fs_join(dir, JOURNAL_FILE);
	struct stat st;

	return path && stat(path, &st) == 0 && (st.st_size > 0 || !S_ISREG(st.st_mode));
}

int tape_place_check(const char *dir, struct error *err)
{
	const char *slash = strrchr(dir, '/');
	cleanup_free char *parent = NULL;
	struct stat st;

	if (lstat(dir, &st) == 0 && S_ISLNK(st.st_mode))
		return error_set(err, ERR_FORMAT,
				 "%s is a symbolic link that leads nowhere: remove it", dir);
	if (!slash || slash == dir)
		return 0;
	parent = strndup(dir, (size_t)(slash - dir));
	if (!parent)
		return error_no_memory(err);
	if (stat(parent, &st) < 0 && errno == ENOENT)
		return error_set(err, ERR_NOTFOUND,
				 "the directory %s of the tape does not exist: make it first",
				 parent);
	return 0;
}

static int unique_name(const char *stem, char **ret_path, struct error *err)
{
	size_t len = strlen(stem);
	char *path = malloc(len + TEXT_HEX64_LEN + 1);
	uint64_t random;

	if (!path)
		return error_no_memory(err);
	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
		free(path);
		return error_sys(err, errno, "cannot get a random file name");
	}
	memcpy(path, stem, len);
	text_hex64(random, path + len);
	path[len + TEXT_HEX64_LEN] = '\0';
	*ret_path = path;
	return 0;
}

/* No second try: 64 random bits do not meet by accident. */
int tape_unique_file(const char *stem, char **ret_path, int *ret_fd, struct error *err)
{
	cleanup_free char *path = NULL;
	int rc = unique_name(stem, &path, err);
	int fd;

	if (rc < 0)
		return rc;
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return error_sys(err, errno, "cannot create %s", path);
	*ret_fd = fd;
	*ret_path = steal_ptr(&path);
	return 0;
}

int tape_unique_dir(const char *stem, char **ret_path, struct error *err)
{
	cleanup_free char *path = NULL;
	int rc = unique_name(stem, &path, err);

	if (rc < 0)
		return rc;
	if (mkdir(path, 0777) < 0)
		return error_sys(err, errno, "cannot make the directory %s", path);
	*ret_path = steal_ptr(&path);
	return 0;
}
