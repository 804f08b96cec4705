#include "tape/spool.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/text.h"
#include "tape/files.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INLINE_MAX ((size_t)4096) /* as stored */
#define MEMORY_MAX                                                                                 \
	((size_t)1024 * 1024) /* as written; what is larger is not searched for roots              \
			       */

struct spool {
	char *blobs; /* the directory */
	struct buf memory;
	uint64_t size;
	struct hash_sha256 *hash; /* of what is in the file */
	char *temp;		  /* NULL while all is in memory */
	int fd;			  /* of `temp`, or -1 */
};

struct spool *spool_new(const char *tape_dir)
{
	struct spool *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->fd = -1;
	s->blobs = fs_join(tape_dir, BLOBS_DIR);
	if (!s->blobs) {
		spool_free(s);
		return NULL;
	}
	return s;
}

void spool_free(struct spool *s)
{
	if (!s)
		return;
	if (s->fd >= 0)
		close(s->fd);
	if (s->temp)
		unlink(s->temp);
	free(s->temp);
	free(s->blobs);
	hash_sha256_free(s->hash);
	buf_free(&s->memory);
	free(s);
}

uint64_t spool_size(const struct spool *s)
{
	return s->size;
}

static int add_to_file(struct spool *s, const void *bytes, size_t len, struct error *err)
{
	int rc = fs_write_all(s->fd, bytes, len, s->temp, err);

	if (rc == 0)
		hash_sha256_add(s->hash, bytes, len);
	return rc;
}

static int open_file(struct spool *s, struct error *err)
{
	cleanup_free char *stem = NULL;
	int rc = tape_file_path(s->blobs, SPOOL_PREFIX, &stem, err);

	if (rc < 0)
		return rc;
	s->hash = hash_sha256_new();
	if (!s->hash)
		return error_no_memory(err);
	return tape_unique_file(stem, &s->temp, &s->fd, err);
}

static int spill(struct spool *s, struct error *err)
{
	int rc = open_file(s, err);

	if (rc == 0)
		rc = add_to_file(s, s->memory.data, s->memory.len, err);
	if (rc == 0)
		buf_free(&s->memory);
	return rc;
}

int spool_add(struct spool *s, const void *bytes, size_t len, struct error *err)
{
	int rc = 0;

	if (!s->temp && len <= MEMORY_MAX - s->memory.len) {
		if (buf_add(&s->memory, bytes, len) < 0)
			return error_no_memory(err);
	} else {
		if (!s->temp)
			rc = spill(s, err);
		if (rc == 0)
			rc = add_to_file(s, bytes, len, err);
	}
	if (rc == 0)
		s->size += len;
	return rc;
}

/* Gives the file its final name. One that is there already is replaced by the same bytes, which
 * mends it when it was damaged. */
static int publish_file(struct spool *s, struct payload *ret, struct error *err)
{
	struct payload p = {.form = PAYLOAD_BLOB};
	cleanup_free char *path = NULL;
	int rc;

	hash_sha256_hex(s->hash, p.sha256);
	rc = tape_file_path(s->blobs, p.sha256, &path, err);
	if (rc < 0)
		return rc;
	if (close(steal_fd(&s->fd)) < 0)
		return error_sys(err, errno, "cannot write %s", s->temp);
	if (rename(s->temp, path) < 0)
		return error_sys(err, errno, "cannot rename %s to %s", s->temp, path);
	free(s->temp);
	s->temp = NULL;
	*ret = p;
	return 0;
}

static int finish_small(struct spool *s, struct buf *stored, struct payload *ret, struct error *err)
{
	uint64_t size = stored->len;
	int rc;

	if (size <= INLINE_MAX) {
		*ret = (struct payload){.form = PAYLOAD_INLINE, .bytes = *stored, .size = size};
		*stored = (struct buf)BUF_INIT;
		return 0;
	}
	rc = open_file(s, err);
	if (rc == 0)
		rc = add_to_file(s, stored->data, stored->len, err);
	if (rc == 0)
		rc = publish_file(s, ret, err);
	if (rc == 0)
		ret->size = size;
	return rc;
}

int spool_finish(struct spool *s, const struct roots *roots, struct payload *ret, struct error *err)
{
	cleanup_buf struct buf stored = BUF_INIT;
	struct payload p = {.form = PAYLOAD_EMPTY};
	bool rooted;
	int rc = 0;

	if (s->temp) {
		rc = publish_file(s, &p, err);
		p.size = s->size;
	} else if (s->size) {
		if (roots && text_is_utf8(s->memory.data, s->memory.len) &&
		    roots_encode(roots, s->memory.data, s->memory.len, &stored) < 0)
			return error_no_memory(err);
		rooted = stored.data && !bytes_equal((struct bytes){stored.data, stored.len},
						     (struct bytes){s->memory.data, s->memory.len});
		rc = finish_small(s, rooted ? &stored : &s->memory, &p, err);
		p.rooted = rooted;
	}
	if (rc == 0)
		*ret = p;
	return rc;
}
