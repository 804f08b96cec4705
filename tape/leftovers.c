#include "tape/leftovers.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/text.h"
#include "tape/files.h"
#include "tape/journal.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Whether `name` is `tape`, the mark and the digits of tape_unique_dir(). */
static bool is_unfinished(const char *name, const char *tape)
{
	const size_t mark_len = sizeof(LEFTOVER_MARK) - 1;
	size_t len = strlen(tape);
	uint64_t digits;

	return strncmp(name, tape, len) == 0 && strncmp(name + len, LEFTOVER_MARK, mark_len) == 0 &&
	       strlen(name + len + mark_len) == TEXT_HEX64_LEN &&
	       text_parse_hex64(name + len + mark_len, &digits);
}

/* Takes no more than such a directory can hold, and what is inside only under its maker's lock: a
 * maker makes the journal first. */
static void remove_unfinished(int parent_fd, const char *name)
{
	cleanup_close int fd =
		openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0 && journal_remove_abandoned(fd))
		unlinkat(parent_fd, name, AT_REMOVEDIR);
}

void leftovers_remove_beside(const char *dir)
{
	const char *slash = strrchr(dir, '/');
	const char *name = slash ? slash + 1 : dir;
	cleanup_free char *parent =
		strndup(slash ? dir : "./", slash ? (size_t)(slash - dir) + 1 : 2);
	cleanup_closedir DIR *d = parent ? opendir(parent) : NULL;
	struct dirent *entry;

	while (d && (entry = readdir(d)))
		if (is_unfinished(entry->d_name, name))
			remove_unfinished(dirfd(d), entry->d_name);
}

static int remove_file(const char *dir, const char *name, struct error *err)
{
	cleanup_free char *path = NULL;
	int rc = tape_file_path(dir, name, &path, err);

	if (rc == 0 && unlink(path) < 0 && errno != ENOENT)
		rc = error_sys(err, errno, "cannot remove %s", path);
	return rc;
}

static int remove_spools(const char *dir, struct error *err)
{
	cleanup_free char *blobs = NULL;
	cleanup_closedir DIR *d = NULL;
	struct dirent *entry;
	int rc = tape_file_path(dir, BLOBS_DIR, &blobs, err);

	if (rc < 0)
		return rc;
	d = opendir(blobs);
	if (!d && errno == ENOMEM)
		return error_no_memory(err);
	if (!d)
		return error_sys(err, errno, "cannot read the directory %s", blobs);
	while ((entry = readdir(d))) {
		if (!strncmp(entry->d_name, SPOOL_PREFIX, sizeof(SPOOL_PREFIX) - 1))
			unlinkat(dirfd(d), entry->d_name, 0);
	}
	return 0;
}

int leftovers_remove_inside(const char *dir, struct error *err)
{
	int rc = remove_file(dir, TAPE_FILE NEW_SUFFIX, err);

	if (rc == 0)
		rc = remove_file(dir, TIMING_FILE NEW_SUFFIX, err);
	return rc < 0 ? rc : remove_spools(dir, err);
}
