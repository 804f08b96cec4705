#include "tape/build.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "tape/blobs.h"
#include "tape/codec.h"
#include "tape/files.h"
#include "tape/index.h"
#include "tape/leftovers.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_fresh(struct build *b, struct error *err)
{
	cleanup_buf struct buf stem = BUF_INIT;
	int rc = tape_place_check(b->path, err);

	if (rc == 0 && buf_addf(&stem, "%s" LEFTOVER_MARK, b->path) < 0)
		rc = error_no_memory(err);
	leftovers_remove_beside(b->path);
	if (rc == 0)
		rc = tape_unique_dir(stem.data, &b->dir, err);
	b->fresh = rc == 0;
	/* Its lock says that it is no leftover. */
	return rc < 0 ? rc : journal_open(b->dir, false, &b->journal, err);
}

/* A damaged tape may be replaced; one of a later version may not. */
static int refuse_newer(const struct build *b, struct error *err)
{
	cleanup_free char *path = NULL;
	struct tape_index *index = NULL;
	int rc = tape_file_path(b->path, TAPE_FILE, &path, err);

	if (rc == 0)
		rc = tape_index_open(path, INDEX_TAPE, &index, err);
	tape_index_free(index);
	return rc == ERR_NOTFOUND || rc == ERR_FORMAT ? 0 : rc;
}

static int open_existing(struct build *b, struct error *err)
{
	int rc;

	if (!tape_file_exists(b->path, TAPE_FILE) && !tape_file_exists(b->path, JOURNAL_FILE))
		return error_set(err, ERR_FORMAT,
				 "%s is there but is no tape: it has neither " TAPE_FILE
				 " nor " JOURNAL_FILE "; name another",
				 b->path);
	rc = refuse_newer(b, err);
	if (rc == 0)
		rc = journal_open(b->path, false, &b->journal, err);
	b->dir = rc == 0 ? strdup(b->path) : NULL;
	if (rc == 0 && !b->dir)
		rc = error_no_memory(err);
	return rc;
}

static int open_place(struct build *b, bool replace, struct error *err)
{
	struct stat st;

	if (lstat(b->path, &st) < 0)
		return errno == ENOENT ? open_fresh(b, err)
				       : error_sys(err, errno, "cannot stat %s", b->path);
	if (!replace)
		return error_set(err, ERR_EXISTS,
				 "%s is there already: name another, or give --replace", b->path);
	return open_existing(b, err);
}

int build_open(const char *path, bool replace, struct build *ret, struct error *err)
{
	struct build b = {.path = tape_dir_name(path),
			  .journal = {.fd = -1},
			  .tape = {.fd = -1},
			  .timing = {.fd = -1}};
	int rc = b.path ? open_place(&b, replace, err) : error_no_memory(err);

	if (rc == 0)
		rc = blobs_make_dir(b.dir, err);
	if (rc == 0)
		rc = output_open(&b.tape, b.dir, TAPE_FILE, err);
	if (rc == 0)
		rc = output_open(&b.timing, b.dir, TIMING_FILE, err);
	if (rc < 0) {
		build_close(&b);
		return rc;
	}
	*ret = b;
	return 0;
}

/* What the codec made, without its frame. */
static int put_lines(struct build *b, struct output *to, struct unit_id id, struct error *err)
{
	const char *at = b->line.data;
	int rc = 0;

	while (rc == 0 && at < b->line.data + b->line.len) {
		const char *end = memchr(at, '\n', (size_t)(b->line.data + b->line.len - at));
		struct line line;

		if (line_parse(at, (size_t)(end - at), &line) != LINE_OK)
			return error_set(err, ERR_FORMAT, "a record cannot be written");
		rc = output_line(to, &line, id, err);
		at = end + 1;
	}
	return rc;
}

int build_head(struct build *b, const struct tape_head *head, struct error *err)
{
	int rc;

	buf_clear(&b->line);
	rc = codec_write_head(&b->line, head, err);
	return rc < 0 ? rc : put_lines(b, &b->tape, (struct unit_id){0, 0}, err);
}

int build_line(struct build *b, enum line_type type, struct unit_id id, struct bytes fields,
	       struct error *err)
{
	const struct line line = {.type = type, .fields = fields};

	return output_line(&b->tape, &line, id, err);
}

int build_spawn(struct build *b, uint64_t key, struct bytes fields, struct unit_id *ret_id,
		struct error *err)
{
	struct unit_id id = {.key = key};
	int rc = counts_next(&b->counts, key, &id.ordinal, err);

	if (rc == 0)
		rc = build_line(b, LINE_SPAWN, id, fields, err);
	*ret_id = id;
	return rc;
}

int build_time(struct build *b, const struct unit *u, struct error *err)
{
	int rc;

	if (!u->time.known)
		return 0;
	buf_clear(&b->line);
	rc = codec_write_time(&b->line, u, err);
	return rc < 0 ? rc : put_lines(b, &b->timing, u->id, err);
}

int build_unit(struct build *b, struct unit *u, struct error *err)
{
	int rc;

	if (unit_key(u, &u->id.key) < 0)
		return error_no_memory(err);
	rc = counts_next(&b->counts, u->id.key, &u->id.ordinal, err);
	buf_clear(&b->line);
	if (rc == 0)
		rc = codec_write_spawn(&b->line, u, err);
	if (rc == 0)
		rc = codec_write_exit(&b->line, u, err);
	if (rc == 0)
		rc = put_lines(b, &b->tape, u->id, err);
	return rc < 0 ? rc : build_time(b, u, err);
}

struct copy {
	int fd;
	const char *path;
	int rc;
	struct error *err;
};

static void write_piece(void *ctx, const void *bytes, size_t len)
{
	struct copy *c = ctx;

	if (c->rc == 0)
		c->rc = fs_write_all(c->fd, bytes, len, c->path, c->err);
}

/* To a name of its own first: a blob with its name is whole. */
static int copy_blob(const char *blobs, const char *from, const struct blob *blob,
		     struct error *err)
{
	struct error why;
	struct copy copy = {.fd = -1, .err = &why};
	const struct blob_reading reading = {write_piece, &copy};
	cleanup_free char *stem = NULL, *temp = NULL, *path = NULL;
	cleanup_close int fd = -1;
	int rc = tape_file_path(blobs, SPOOL_PREFIX, &stem, err);

	if (rc == 0)
		rc = tape_file_path(blobs, blob->name, &path, err);
	if (rc == 0)
		rc = tape_unique_file(stem, &temp, &fd, err);
	if (rc < 0)
		return rc;
	copy.fd = fd;
	copy.path = temp;
	rc = blob_verify(from, blob->name, blob->size, &reading, err);
	if (rc == 0 && copy.rc < 0) {
		rc = copy.rc;
		if (err)
			*err = why;
	}
	if (rc == 0 && close(steal_fd(&fd)) < 0)
		rc = error_sys(err, errno, "cannot write %s", temp);
	if (rc == 0 && rename(temp, path) < 0)
		rc = error_sys(err, errno, "cannot rename %s to %s", temp, path);
	if (rc < 0 && temp)
		unlink(temp);
	return rc == ERR_FORMAT || rc == ERR_NOTFOUND ? error_advise(err, rc, TAPE_REPAIR) : rc;
}

int build_blob(struct build *b, const char *from, const char *name, uint64_t size,
	       struct error *err)
{
	struct blob blob = {.size = size};
	cleanup_free char *blobs = NULL;
	int rc = tape_file_path(b->dir, BLOBS_DIR, &blobs, err);

	snprintf(blob.name, sizeof(blob.name), "%s", name);
	return rc < 0 ? rc : copy_blob(blobs, from, &blob, err);
}

/* Under its name it is whole; the lock goes last. */
static int publish(struct build *b, struct error *err)
{
	cleanup_free char *path = NULL;
	struct stat st;
	int rc = tape_file_path(b->path, JOURNAL_FILE, &path, err);

	if (rc < 0)
		return rc;
	if (lstat(b->path, &st) == 0)
		return error_set(err, ERR_EXISTS, "somebody else has made %s meanwhile", b->path);
	if (rename(b->dir, b->path) < 0)
		return error_sys(err, errno, "cannot rename %s to %s", b->dir, b->path);
	free(b->journal.path);
	b->journal.path = steal_ptr(&path);
	b->fresh = false;
	return 0;
}

int build_finish(struct build *b, struct error *err)
{
	int rc = outputs_replace(b->dir, &b->tape, &b->timing, false, err);

	if (rc == 0 && b->fresh)
		rc = publish(b, err);
	return rc < 0 ? rc : journal_remove(&b->journal, err);
}

void build_close(struct build *b)
{
	output_clear(&b->tape);
	output_clear(&b->timing);
	/* The journal that the lock made on a tape that stays. */
	if (!b->fresh && b->dir && b->journal.fd >= 0 && !b->journal.size &&
	    tape_file_exists(b->dir, TAPE_FILE))
		journal_remove(&b->journal, NULL);
	journal_close(&b->journal);
	if (b->fresh)
		fs_remove_all(b->dir, NULL);
	counts_clear(&b->counts);
	buf_free(&b->line);
	free(b->dir);
	free(b->path);
}
