/* The blobs of a tape as a whole: which are there, which are named, whether they are themselves. */
#ifndef SANDTAPE_TAPE_BLOBS_H
#define SANDTAPE_TAPE_BLOBS_H

#include "base/error.h"
#include "base/hash.h"
#include "tape/unit.h"
#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct blob {
	char name[HASH_SHA256_HEX + 1];
	uint64_t size;
	uint64_t where; /* of one that is named: the place of the record, as the caller counts */
};

/* Sorted by name and then by place after blobs_sort(). A zeroed struct is empty. */
struct blobs {
	struct blob *item;
	size_t count;
};

/* 64 lower-case hexadecimal digits. */
bool blob_is_name(const char *name);

/* Those that the streams of the unit name, and those that their tails do. 0 or ERR_NOMEM. */
int blobs_add_unit(struct blobs *b, const struct unit *u, uint64_t where, uint64_t tail_where);
/* Those that are in blobs/ of the tape `dir`; other files are left out. No directory is no blob. */
int blobs_add_dir(struct blobs *b, const char *dir, struct error *err);
int blobs_add_all(struct blobs *b, const struct blobs *from);
void blobs_sort(struct blobs *b);
/* The first of this name in sorted blobs, or NULL. */
const struct blob *blobs_find(const struct blobs *b, const char *name);
void blobs_clear(struct blobs *b);

/* Opens blobs/ of the tape `dir` to list it, NULL when there is none; its path is malloc'ed. */
int blobs_open_dir(const char *dir, char **ret_path, DIR **ret, struct error *err);
/* Makes blobs/ in the tape `dir`, if need be. ERR_FORMAT when it is no directory. */
int blobs_make_dir(const char *dir, struct error *err);

/* Opens one to read it. ERR_NOTFOUND when it is not there, ERR_FORMAT when it is no file or has
 * another size; the text names it. */
int blob_open(const char *path, uint64_t size, int *ret_fd, struct error *err);

/* Told of each piece of a blob as it is read. */
struct blob_reading {
	void (*piece)(void *ctx, const void *bytes, size_t len);
	void *ctx;
};

/*
 * Reads the blob whole. ERR_NOTFOUND when it is not there, ERR_FORMAT when it is no file, has
 * another size than `size`, or another SHA-256 than its name; the text names the file. `reading`
 * may be NULL.
 */
int blob_verify(const char *dir, const char *name, uint64_t size,
		const struct blob_reading *reading, struct error *err);

#endif
