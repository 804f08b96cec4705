#include "tape/blobs.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "tape/files.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE ((size_t)256 * 1024)

bool blob_is_name(const char *name)
{
	return strspn(name, "0123456789abcdef") == HASH_SHA256_HEX && name[HASH_SHA256_HEX] == '\0';
}

static int add(struct blobs *b, const char *name, uint64_t size, uint64_t where)
{
	struct blob *item = array_grow(b->item, b->count, sizeof(*item));

	if (!item)
		return ERR_NOMEM;
	b->item = item;
	item[b->count] = (struct blob){.size = size, .where = where};
	memcpy(item[b->count++].name, name, sizeof(item->name));
	return 0;
}

static int add_payload(struct blobs *b, const struct payload *p, uint64_t where)
{
	return p->form == PAYLOAD_BLOB ? add(b, p->sha256, p->size, where) : 0;
}

int blobs_add_unit(struct blobs *b, const struct unit *u, uint64_t where, uint64_t tail_where)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < u->stream_count; i++) {
		rc = add_payload(b, &u->streams[i].data, where);
		if (rc == 0)
			rc = add_payload(b, &u->streams[i].tail, tail_where);
	}
	return rc;
}

int blobs_add_all(struct blobs *b, const struct blobs *from)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < from->count; i++)
		rc = add(b, from->item[i].name, from->item[i].size, from->item[i].where);
	return rc;
}

int blobs_make_dir(const char *dir, struct error *err)
{
	cleanup_free char *blobs = NULL;
	struct stat st;
	int rc = tape_file_path(dir, BLOBS_DIR, &blobs, err);

	if (rc == 0)
		rc = fs_mkdir_all(blobs, err);
	/* A link would send payloads somewhere else. */
	if (rc == 0 && (lstat(blobs, &st) < 0 || !S_ISDIR(st.st_mode)))
		rc = error_set(err, ERR_FORMAT, "%s is not a directory: remove it", blobs);
	return rc;
}

int blobs_open_dir(const char *dir, char **ret_path, DIR **ret, struct error *err)
{
	cleanup_free char *path = NULL;
	DIR *d;
	int rc = tape_file_path(dir, BLOBS_DIR, &path, err);

	if (rc < 0)
		return rc;
	d = opendir(path);
	if (!d && errno == ENOMEM)
		return error_no_memory(err);
	if (!d && errno != ENOENT)
		return error_sys(err, errno, "cannot read the directory %s", path);
	*ret_path = steal_ptr(&path);
	*ret = d;
	return 0;
}

int blobs_add_dir(struct blobs *b, const char *dir, struct error *err)
{
	cleanup_free char *path = NULL;
	cleanup_closedir DIR *d = NULL;
	struct dirent *entry;
	int rc = blobs_open_dir(dir, &path, &d, err);

	if (rc < 0)
		return rc;
	while (d && (entry = readdir(d))) {
		struct stat st;

		if (!blob_is_name(entry->d_name))
			continue;
		if (fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
			if (errno == ENOENT)
				continue;
			return error_sys(err, errno, "cannot stat %s/%s", path, entry->d_name);
		}
		if (S_ISDIR(st.st_mode))
			continue;
		if (add(b, entry->d_name, (uint64_t)st.st_size, 0) < 0)
			return error_no_memory(err);
	}
	return 0;
}

static int by_name(const void *left, const void *right)
{
	const struct blob *a = left, *b = right;
	int c = strcmp(a->name, b->name);

	return c ? c : (a->where > b->where) - (a->where < b->where);
}

void blobs_sort(struct blobs *b)
{
	if (b->count)
		qsort(b->item, b->count, sizeof(*b->item), by_name);
}

const struct blob *blobs_find(const struct blobs *b, const char *name)
{
	size_t low = 0, high = b->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(b->item[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < b->count && strcmp(b->item[low].name, name) == 0 ? &b->item[low] : NULL;
}

void blobs_clear(struct blobs *b)
{
	free(b->item);
	*b = (struct blobs){NULL, 0};
}

int blob_open(const char *path, uint64_t size, int *ret_fd, struct error *err)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return error_set(err, ERR_NOTFOUND, "the blob %s is missing", path);
	if (fd < 0)
		return error_sys(err, errno, "cannot open the blob %s", path);
	if (fstat(fd, &st) < 0)
		return error_sys(err, errno, "cannot stat the blob %s", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERR_FORMAT, "the blob %s is not a regular file", path);
	if ((uint64_t)st.st_size != size)
		return error_set(err, ERR_FORMAT,
				 "the blob %s is damaged: it has %lld bytes and not %llu", path,
				 (long long)st.st_size, (unsigned long long)size);
	*ret_fd = steal_fd(&fd);
	return 0;
}

static int read_pieces(int fd, const char *path, struct hash_sha256 *hash,
		       const struct blob_reading *reading, struct error *err)
{
	cleanup_free char *bytes = malloc(PIECE);
	ssize_t n = 1;

	if (!bytes)
		return error_no_memory(err);
	while (n != 0) {
		n = read(fd, bytes, PIECE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_sys(err, errno, "cannot read the blob %s", path);
		hash_sha256_add(hash, bytes, (size_t)n);
		if (n > 0 && reading)
			reading->piece(reading->ctx, bytes, (size_t)n);
	}
	return 0;
}

int blob_verify(const char *dir, const char *name, uint64_t size,
		const struct blob_reading *reading, struct error *err)
{
	cleanup_free char *blobs = NULL, *path = NULL;
	struct hash_sha256 *hash = NULL;
	char hex[HASH_SHA256_HEX + 1] = "";
	cleanup_close int fd = -1;
	int rc = tape_file_path(dir, BLOBS_DIR, &blobs, err);

	if (rc == 0)
		rc = tape_file_path(blobs, name, &path, err);
	if (rc == 0)
		rc = blob_open(path, size, &fd, err);
	if (rc < 0)
		return rc;
	hash = hash_sha256_new();
	rc = hash ? read_pieces(fd, path, hash, reading, err) : error_no_memory(err);
	if (rc == 0)
		hash_sha256_hex(hash, hex);
	hash_sha256_free(hash);
	if (rc == 0 && strcmp(hex, name) != 0)
		rc = error_set(err, ERR_FORMAT,
			       "the blob %s is damaged: its SHA-256 is not its name", path);
	return rc;
}
