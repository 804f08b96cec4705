#include "tape/leftovers.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/text.h"
#include "tape/blobs.h"
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

static bool is_spool(const char *name)
{
	return strncmp(name, SPOOL_PREFIX, sizeof(SPOOL_PREFIX) - 1) == 0;
}

static void remove_blobs(int tape_fd)
{
	cleanup_close int fd =
		openat(tape_fd, BLOBS_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_closedir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (d)
		steal_fd(&fd);
	while (d && (entry = readdir(d))) {
		if (blob_is_name(entry->d_name) || is_spool(entry->d_name))
			unlinkat(dirfd(d), entry->d_name, 0);
	}
	unlinkat(tape_fd, BLOBS_DIR, AT_REMOVEDIR);
}

static void remove_contents(int fd)
{
	static const char *const names[] = {TAPE_FILE, TIMING_FILE, TAPE_FILE NEW_SUFFIX,
					    TIMING_FILE NEW_SUFFIX};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlinkat(fd, names[i], 0);
	remove_blobs(fd);
}

/* Takes no more than such a directory can hold, and what is inside only under its maker's lock: a
 * maker makes the journal first. */
static void remove_unfinished(int parent_fd, const char *name)
{
	cleanup_close int fd =
		openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0 && journal_remove_abandoned(fd, remove_contents))
		unlinkat(parent_fd, name, AT_REMOVEDIR);
}

/* With its slash; NULL when out of memory. */
static char *parent_of(const char *dir)
{
	const char *slash = strrchr(dir, '/');

	return strndup(slash ? dir : "./", slash ? (size_t)(slash - dir) + 1 : 2);
}

static const char *name_of(const char *dir)
{
	const char *slash = strrchr(dir, '/');

	return slash ? slash + 1 : dir;
}

void leftovers_remove_beside(const char *dir)
{
	const char *name = name_of(dir);
	cleanup_free char *parent = parent_of(dir);
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

static int tell(const char *dir, const char *name, void (*found)(void *ctx, const char *path),
		void *ctx, struct error *err)
{
	cleanup_free char *path = fs_join(dir, name);

	if (!path)
		return error_no_memory(err);
	found(ctx, path);
	return 0;
}

static int find_spools(const char *dir, void (*found)(void *ctx, const char *path), void *ctx,
		       struct error *err)
{
	cleanup_free char *blobs = NULL;
	cleanup_closedir DIR *d = NULL;
	struct dirent *entry;
	int rc = blobs_open_dir(dir, &blobs, &d, err);

	while (rc == 0 && d && (entry = readdir(d))) {
		if (is_spool(entry->d_name))
			rc = tell(blobs, entry->d_name, found, ctx, err);
	}
	return rc;
}

static void remove_found(void *ctx, const char *path)
{
	(void)ctx;
	unlink(path);
}

int leftovers_remove_inside(const char *dir, struct error *err)
{
	int rc = remove_file(dir, TAPE_FILE NEW_SUFFIX, err);

	if (rc == 0)
		rc = remove_file(dir, TIMING_FILE NEW_SUFFIX, err);
	return rc < 0 ? rc : find_spools(dir, remove_found, NULL, err);
}

static int find_beside(const char *dir, void (*found)(void *ctx, const char *path), void *ctx,
		       struct error *err)
{
	cleanup_free char *parent = parent_of(dir);
	cleanup_closedir DIR *d = parent ? opendir(parent) : NULL;
	struct dirent *entry;
	int rc = 0;

	while (rc == 0 && d && (entry = readdir(d))) {
		if (is_unfinished(entry->d_name, name_of(dir)))
			rc = tell(parent, entry->d_name, found, ctx, err);
	}
	return rc;
}

int leftovers_find_inside(const char *dir, void (*found)(void *ctx, const char *path), void *ctx,
			  struct error *err)
{
	static const char *const names[] = {TAPE_FILE NEW_SUFFIX, TIMING_FILE NEW_SUFFIX};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(names) / sizeof(names[0]); i++) {
		if (tape_file_exists(dir, names[i]))
			rc = tell(dir, names[i], found, ctx, err);
	}
	return rc < 0 ? rc : find_spools(dir, found, ctx, err);
}

int leftovers_find(const char *dir, void (*found)(void *ctx, const char *path), void *ctx,
		   struct error *err)
{
	int rc = leftovers_find_inside(dir, found, ctx, err);

	return rc < 0 ? rc : find_beside(dir, found, ctx, err);
}
