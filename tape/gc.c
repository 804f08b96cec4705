/* tape_gc(): removes what no record names. */
#include "base/cleanup.h"
#include "tape/blobs.h"
#include "tape/codec.h"
#include "tape/files.h"
#include "tape/index.h"
#include "tape/journal.h"
#include "tape/leftovers.h"
#include "tape/tape.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct gc {
	const struct tape_gc_options *options;
	char *dir;
	char *blobs;		/* the directory */
	struct journal journal; /* its lock; fd -1: nobody has it */
	bool has_tape;		/* there is a tape.jsonl */
	struct blobs named;
	struct tape_gc_result result;
};

/* *ret_line: the offset of the line that was read last. */
static int name_blobs_of(struct gc *gc, const struct tape_index *index, const struct index_unit *at,
			 uint64_t *ret_line, struct error *err)
{
	struct unit u = {0};
	struct line line;
	int rc = 0;

	*ret_line = at->exit;
	if (at->exit != INDEX_NONE) {
		rc = tape_index_line(index, at->exit, &line, err);
		if (rc == 0)
			rc = codec_read_exit(&line, &u, err);
	}
	if (rc == 0 && at->tail != INDEX_NONE) {
		*ret_line = at->tail;
		rc = tape_index_line(index, at->tail, &line, err);
		if (rc == 0)
			rc = codec_read_tail(&line, &u, err);
	}
	if (rc == 0 && blobs_add_unit(&gc->named, &u, 0, 0) < 0)
		rc = error_no_memory(err);
	unit_clear(&u);
	return rc;
}

/* All of them, or none is removed: a record that cannot be read might name any. */
static int name_blobs(struct gc *gc, const struct tape_index *index, struct error *err)
{
	for (size_t i = 0; i < index->count; i++) {
		uint64_t line;
		int rc = name_blobs_of(gc, index, &index->units[i], &line, err);

		if (rc < 0) {
			error_wrap(err, rc, "%s: line %zu", index->path,
				   tape_index_line_number(index, line));
			return rc == ERR_FORMAT ? error_advise(err, rc, TAPE_REPAIR) : rc;
		}
	}
	return 0;
}

static int name_tape(struct gc *gc, struct error *err)
{
	cleanup_free char *path = NULL;
	struct tape_index *index = NULL;
	int rc = tape_file_path(gc->dir, TAPE_FILE, &path, err);

	if (rc == 0)
		rc = tape_index_open(path, INDEX_TAPE, &index, err);
	if (rc == 0 && index->torn_len)
		rc = error_set(
			err, ERR_FORMAT,
			"%s: the last line is torn, and what it named is not known; " TAPE_REPAIR,
			path);
	if (rc == 0)
		rc = name_blobs(gc, index, err);
	tape_index_free(index);
	return rc;
}

/* Of an interrupted recording: it may be all there is of the tape, and beside one it is left to the
 * next recording. It is read by the descriptor that has the lock: closing another would drop it. */
static int name_journal(struct gc *gc, struct error *err)
{
	struct tape_index *index = NULL;
	int rc = tape_index_map(gc->journal.fd, gc->journal.path, INDEX_JOURNAL, &index, err);

	if (rc == 0)
		rc = name_blobs(gc, index, err);
	tape_index_free(index);
	return rc;
}

static void tell(struct gc *gc, const char *path, uint64_t bytes)
{
	if (gc->options->tell)
		gc->options->tell(gc->options->tell_ctx, path, bytes);
}

static int remove_blob(struct gc *gc, int dir, const struct blob *b, struct error *err)
{
	cleanup_free char *path = NULL;
	int rc = tape_file_path(gc->blobs, b->name, &path, err);

	if (rc < 0)
		return rc;
	if (!gc->options->dry_run && unlinkat(dir, b->name, 0) < 0 && errno != ENOENT)
		return error_sys(err, errno, "cannot remove %s", path);
	gc->result.blobs++;
	gc->result.bytes += b->size;
	tell(gc, path, b->size);
	return 0;
}

/* A link in place of the directory would lead the removal somewhere else. */
static int open_blobs(const struct gc *gc, int *ret, struct error *err)
{
	int fd = open(gc->blobs, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
		return error_set(err, ERR_FORMAT, "%s is not a directory: remove it", gc->blobs);
	if (fd < 0 && errno != ENOENT)
		return error_sys(err, errno, "cannot open %s", gc->blobs);
	*ret = fd;
	return 0;
}

static int remove_blobs(struct gc *gc, struct error *err)
{
	struct blobs there = {NULL, 0};
	cleanup_close int dir = -1;
	int rc = open_blobs(gc, &dir, err);

	if (rc < 0 || dir < 0)
		return rc;
	rc = blobs_add_dir(&there, gc->dir, err);
	blobs_sort(&there);
	for (size_t i = 0; rc == 0 && i < there.count; i++) {
		if (!blobs_find(&gc->named, there.item[i].name))
			rc = remove_blob(gc, dir, &there.item[i], err);
	}
	blobs_clear(&there);
	return rc;
}

static void count_leftover(void *ctx, const char *path)
{
	struct gc *gc = ctx;

	gc->result.leftovers++;
	tell(gc, path, 0);
}

static int remove_leftovers(struct gc *gc, struct error *err)
{
	int rc = leftovers_find_inside(gc->dir, count_leftover, gc, err);

	return rc < 0 || gc->options->dry_run || !gc->result.leftovers
		       ? rc
		       : leftovers_remove_inside(gc->dir, err);
}

static int check_place(struct gc *gc, struct error *err)
{
	int rc = tape_dir_check(gc->dir, err);

	gc->has_tape = rc == 0 && tape_file_exists(gc->dir, TAPE_FILE);
	if (rc == 0 && !gc->has_tape && !tape_file_exists(gc->dir, JOURNAL_FILE))
		rc = error_set(err, ERR_FORMAT,
			       "%s is not a tape: it has neither " TAPE_FILE " nor " JOURNAL_FILE
			       "; name a tape",
			       gc->dir);
	/* An older program must not touch what a newer one wrote: seen before anything is made. */
	if (rc == 0 && gc->has_tape)
		rc = name_tape(gc, err);
	return rc;
}

/* A recorder writes a blob before it names it: only its lock tells that none does so now. */
static int lock(struct gc *gc, struct error *err)
{
	if (gc->options->dry_run && !tape_file_exists(gc->dir, JOURNAL_FILE))
		return 0;
	return journal_open(gc->dir, false, &gc->journal, err);
}

/* The journal that the lock made goes again. */
static int unlock(struct gc *gc, struct error *err)
{
	int rc = 0;

	if (gc->journal.fd >= 0 && !gc->journal.size && gc->has_tape && !gc->options->dry_run)
		rc = journal_remove(&gc->journal, err);
	journal_close(&gc->journal);
	return rc;
}

static int collect(struct gc *gc, struct error *err)
{
	int rc = 0;

	/* Again: it may have been replaced before the lock was there. */
	blobs_clear(&gc->named);
	gc->has_tape = tape_file_exists(gc->dir, TAPE_FILE);
	if (gc->has_tape)
		rc = name_tape(gc, err);
	if (rc == 0 && gc->journal.fd >= 0 && (gc->journal.size || !gc->has_tape))
		rc = name_journal(gc, err);
	if (rc < 0)
		return rc;
	blobs_sort(&gc->named);
	rc = remove_blobs(gc, err);
	return rc < 0 ? rc : remove_leftovers(gc, err);
}

static int run(struct gc *gc, struct error *err)
{
	struct error ignored;
	int rc = check_place(gc, err);

	if (rc == 0)
		rc = tape_file_path(gc->dir, BLOBS_DIR, &gc->blobs, err);
	if (rc == 0)
		rc = lock(gc, err);
	if (rc < 0)
		return rc;
	rc = collect(gc, err);
	if (rc == 0)
		return unlock(gc, err);
	unlock(gc, &ignored);
	return rc;
}

int tape_gc(const char *path, const struct tape_gc_options *options, struct tape_gc_result *ret,
	    struct error *err)
{
	struct gc gc = {.options = options, .dir = tape_dir_name(path), .journal = {.fd = -1}};
	struct error own;
	int rc;

	err = err ? err : &own;
	rc = gc.dir ? run(&gc, err) : error_no_memory(err);
	if (rc == 0)
		*ret = gc.result;
	blobs_clear(&gc.named);
	free(gc.blobs);
	free(gc.dir);
	return rc;
}
