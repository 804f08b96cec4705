#include "tape/writer.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "tape/blobs.h"
#include "tape/canon.h"
#include "tape/codec.h"
#include "tape/counts.h"
#include "tape/files.h"
#include "tape/index.h"
#include "tape/journal.h"
#include "tape/leftovers.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPEN_TRIES 10

struct tape_writer {
	char *dir;
	struct journal journal;
	struct counts counts;
	struct buf line; /* kept for its memory */
	bool sync;
};

static int append_head(struct tape_writer *w, const struct tape_head *head, struct error *err)
{
	int rc;

	buf_clear(&w->line);
	rc = codec_write_head(&w->line, head, err);
	if (rc == 0)
		rc = journal_append(&w->journal, w->line.data, w->line.len, err);
	return rc < 0 ? rc : journal_sync(&w->journal, err);
}

static int sync_parent(const char *path, struct error *err)
{
	cleanup_free char *parent = NULL;
	int rc = tape_file_path(path, "..", &parent, err);

	return rc < 0 ? rc : fs_sync_dir(parent, err);
}

static int fill_new(struct tape_writer *w, const char *temp, const struct tape_head *head,
		    struct error *err)
{
	/* The journal first: without its lock, the rest could be taken for a leftover. */
	int rc = journal_open(temp, w->sync, &w->journal, err);

	if (rc == 0)
		rc = append_head(w, head, err);
	if (rc == 0)
		rc = blobs_make_dir(temp, err);
	if (rc == 0 && w->sync)
		rc = fs_sync_dir(temp, err);
	return rc;
}

/* From the temporary name to the final one. */
static int rename_journal(struct journal *j, const char *dir, struct error *err)
{
	char *path = NULL;
	int rc = tape_file_path(dir, JOURNAL_FILE, &path, err);

	if (rc < 0)
		return rc;
	free(j->path);
	j->path = path;
	return 0;
}

/* Returns 1 when somebody else made a tape of this name meanwhile. */
static int publish_new(struct tape_writer *w, const char *temp, struct error *err)
{
	int rc = rename_journal(&w->journal, w->dir, err);

	if (rc < 0)
		return rc;
	if (rename(temp, w->dir) < 0) {
		if (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR)
			return 1;
		return error_sys(err, errno, "cannot rename %s to %s", temp, w->dir);
	}
	return w->sync ? sync_parent(w->dir, err) : 0;
}

static int open_new(struct tape_writer *w, const struct tape_head *head, struct error *err)
{
	cleanup_buf struct buf stem = BUF_INIT;
	cleanup_free char *temp = NULL;
	int rc = buf_addf(&stem, "%s" LEFTOVER_MARK, w->dir) < 0 ? error_no_memory(err) : 0;

	if (rc == 0)
		rc = tape_unique_dir(stem.data, &temp, err);
	if (rc < 0)
		return rc;
	rc = fill_new(w, temp, head, err);
	/* Somebody took it for a leftover, before it was locked. */
	if (rc == ERR_BUSY || (rc < 0 && access(temp, F_OK) < 0))
		rc = 1;
	if (rc == 0)
		rc = publish_new(w, temp, err);
	if (rc != 0) {
		journal_close(&w->journal);
		fs_remove_all(temp, NULL);
	}
	return rc;
}

/* The tape that is there, with its timing; NULL when it cannot be used: recording is the remedy for
 * a damaged tape. */
static int open_old(const char *dir, struct tape_index **ret, struct error *err)
{
	cleanup_free char *tape = NULL, *timing = NULL;
	struct timing_damage damage;
	struct tape_index *old = NULL;
	int rc = tape_file_path(dir, TAPE_FILE, &tape, err);

	if (rc == 0)
		rc = tape_file_path(dir, TIMING_FILE, &timing, err);
	if (rc < 0)
		return rc;
	rc = tape_index_open(tape, INDEX_TAPE, &old, err);
	if (rc == ERR_NOMEM || rc == ERR_VERSION || rc == ERR_SYSTEM)
		return rc;
	if (rc == 0)
		tape_index_add_timing(old, timing, &damage, NULL);
	*ret = rc == 0 ? old : NULL;
	return 0;
}

/* An older program must not destroy what a newer one wrote. */
static int refuse_newer(const char *dir, struct error *err)
{
	struct tape_index *old = NULL;
	int rc = open_old(dir, &old, err);

	tape_index_free(old);
	return rc;
}

static int canonicalise(struct tape_writer *w, const struct tape_index *old, struct error *err)
{
	struct tape_index *index = NULL;
	int rc = tape_index_map(w->journal.fd, w->journal.path, INDEX_JOURNAL, &index, err);

	if (rc == 0)
		rc = tape_canon_write(w->dir, index, old, w->sync, err);
	tape_index_free(index);
	return rc;
}

/*
 * The journal of a first recording that was killed is all there is of the tape: it becomes a
 * canonical tape, so that it is not lost when this recording fails as well.
 */
static int keep_leftover(struct tape_writer *w, struct error *err)
{
	int rc;

	if (!w->journal.size || tape_file_exists(w->dir, TAPE_FILE))
		return 0;
	rc = canonicalise(w, NULL, err);
	return rc < 0 ? error_wrap(err, rc,
				   "%s holds nothing but an interrupted recording that cannot be "
				   "kept (remove it to record anew)",
				   w->dir)
		      : 0;
}

/* Told now, and not when the recording ends and cannot become a tape: a directory is not replaced
 * by a file, and only a file can be a journal. */
static int check_kinds(const char *dir, struct error *err)
{
	static const char *const names[] = {TAPE_FILE, TIMING_FILE, JOURNAL_FILE};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		cleanup_free char *path = NULL;
		struct stat st;
		int rc = tape_file_path(dir, names[i], &path, err);

		if (rc < 0)
			return rc;
		if (lstat(path, &st) < 0 || S_ISREG(st.st_mode))
			continue;
		if (S_ISDIR(st.st_mode) || strcmp(names[i], JOURNAL_FILE) == 0)
			return error_set(err, ERR_FORMAT, "%s is not a regular file: remove it",
					 path);
	}
	return 0;
}

static int open_existing(struct tape_writer *w, const struct tape_head *head, struct error *err)
{
	int rc;

	if (!tape_file_exists(w->dir, TAPE_FILE) && !tape_file_exists(w->dir, JOURNAL_FILE))
		return error_set(err, ERR_FORMAT,
				 "%s is there but is no tape: it has neither " TAPE_FILE
				 " nor " JOURNAL_FILE "; name another",
				 w->dir);
	rc = check_kinds(w->dir, err);
	if (rc == 0)
		rc = refuse_newer(w->dir, err);
	if (rc < 0)
		return rc;
	rc = journal_open(w->dir, w->sync, &w->journal, err);
	if (rc == 0)
		rc = keep_leftover(w, err);
	if (rc == 0)
		rc = blobs_make_dir(w->dir, err);
	if (rc == 0)
		rc = leftovers_remove_inside(w->dir, err);
	if (rc == 0)
		rc = journal_truncate(&w->journal, err);
	if (rc == 0)
		rc = append_head(w, head, err);
	if (rc == 0 && w->sync)
		rc = fs_sync_dir(w->dir, err);
	return rc;
}

static int open_absent(struct tape_writer *w, const struct tape_head *head, struct error *err)
{
	int rc = tape_place_check(w->dir, err);

	return rc < 0 ? rc : open_new(w, head, err);
}

/* 1: look again. */
static int open_once(struct tape_writer *w, const struct tape_head *head, struct error *err)
{
	struct stat st;

	leftovers_remove_beside(w->dir);
	if (stat(w->dir, &st) < 0)
		return errno == ENOENT ? open_absent(w, head, err)
				       : error_sys(err, errno, "cannot stat %s", w->dir);
	if (!S_ISDIR(st.st_mode))
		return error_set(err, ERR_FORMAT,
				 "%s is there but is no tape: not a directory; name another",
				 w->dir);
	return open_existing(w, head, err);
}

int tape_writer_open(const char *path, const struct tape_head *head, bool sync,
		     struct tape_writer **ret, struct error *err)
{
	struct tape_writer *w = calloc(1, sizeof(*w));
	int tries;
	int rc = 1;

	if (!w)
		return error_no_memory(err);
	w->journal.fd = -1;
	w->sync = sync;
	w->dir = tape_dir_name(path);
	if (!w->dir)
		rc = error_no_memory(err);
	for (tries = 0; rc == 1 && tries < OPEN_TRIES; tries++)
		rc = open_once(w, head, err);
	if (rc == 1)
		rc = error_set(err, ERR_BUSY, "other recorders keep taking %s", w->dir);
	if (rc < 0) {
		tape_writer_free(w);
		return rc;
	}
	*ret = w;
	return 0;
}

const char *tape_writer_dir(const struct tape_writer *w)
{
	return w->dir;
}

int tape_writer_spawn(struct tape_writer *w, struct unit *u, struct error *err)
{
	struct unit_id id;
	int rc;

	if (unit_key(u, &id.key) < 0)
		return error_no_memory(err);
	rc = counts_peek(&w->counts, id.key, &id.ordinal, err);
	if (rc < 0)
		return rc;
	u->id = id;
	buf_clear(&w->line);
	rc = codec_write_spawn(&w->line, u, err);
	if (rc == 0)
		rc = journal_append(&w->journal, w->line.data, w->line.len, err);
	return rc < 0 ? rc : counts_next(&w->counts, id.key, &id.ordinal, err);
}

/* As many whole lines as fit a write that is not too large. */
#define COPY_BYTES ((size_t)1024 * 1024)

static int copy_line(struct tape_writer *w, const struct tape_index *old, uint64_t offset,
		     struct error *err)
{
	struct line line;
	int rc;

	if (offset == INDEX_NONE)
		return 0;
	rc = tape_index_line(old, offset, &line, err);
	return rc < 0 ? rc : line_add(&w->line, line.type, line.id, line.fields, err);
}

static int copy_unit(struct tape_writer *w, const struct tape_index *old,
		     const struct index_unit *u, struct error *err)
{
	uint32_t ordinal;
	int rc = copy_line(w, old, u->spawn, err);

	if (rc == 0)
		rc = copy_line(w, old, u->exit, err);
	if (rc == 0)
		rc = copy_line(w, old, u->tail, err);
	if (rc == 0)
		rc = copy_line(w, old, u->time, err);
	return rc < 0 ? rc : counts_next(&w->counts, u->id.key, &ordinal, err);
}

static void note_time(const struct tape_index *old, const struct index_unit *u,
		      struct tape_past *past)
{
	struct unit unit = {0};
	const struct unit_time *t = &unit.time;
	struct line line;

	if (u->time != INDEX_NONE && tape_index_line(old, u->time, &line, NULL) == 0 &&
	    codec_read_time(&line, &unit, NULL) == 0) {
		if (t->start_ns + t->duration_ns > past->end_ns)
			past->end_ns = t->start_ns + t->duration_ns;
		if (t->episode > past->episode)
			past->episode = t->episode;
	}
	unit_clear(&unit);
}

/* Those from the index `from` on, before the index `to`. */
static int copy_units(struct tape_writer *w, const struct tape_index *old, size_t from, size_t to,
		      struct error *err)
{
	int rc = 0;

	buf_clear(&w->line);
	for (size_t i = from; rc == 0 && i < to; i++) {
		rc = copy_unit(w, old, &old->units[i], err);
		if (rc == 0 && (w->line.len >= COPY_BYTES || i + 1 == to)) {
			rc = journal_append(&w->journal, w->line.data, w->line.len, err);
			buf_clear(&w->line);
		}
	}
	return rc;
}

/* Unlike open_old(): what cannot be read must not be lost. */
static int open_whole(const char *dir, struct tape_index **ret, struct error *err)
{
	cleanup_free char *tape = NULL, *timing = NULL;
	struct timing_damage damage;
	int rc = tape_file_path(dir, TAPE_FILE, &tape, err);

	if (rc == 0)
		rc = tape_file_path(dir, TIMING_FILE, &timing, err);
	if (rc == 0)
		rc = tape_index_open(tape, INDEX_TAPE, ret, err);
	if (rc < 0)
		return rc;
	rc = tape_index_add_timing(*ret, timing, &damage, err);
	return rc == ERR_NOTFOUND ? 0 : rc; /* without it, the units have no times */
}

static int find_unit(const struct tape_index *old, const struct unit_id *id, size_t *ret,
		     struct error *err)
{
	long index = old ? tape_index_find(old, *id) : -1;

	if (index < 0)
		return error_set(err, ERR_NOTFOUND,
				 "a record of the tape is gone: it was changed meanwhile");
	*ret = (size_t)index;
	return 0;
}

int tape_writer_continue(struct tape_writer *w, const struct unit_id *before, struct tape_past *ret,
			 struct error *err)
{
	struct tape_index *old = NULL;
	struct tape_past past = {0, 0};
	int rc = open_whole(w->dir, &old, err);
	size_t to = old ? old->count : 0;

	if (rc == 0 && before)
		rc = find_unit(old, before, &to, err);
	for (size_t i = 0; rc == 0 && old && i < old->count; i++)
		note_time(old, &old->units[i], &past);
	if (rc == 0)
		rc = copy_units(w, old, 0, to, err);
	if (rc == 0)
		rc = journal_sync(&w->journal, err);
	tape_index_free(old);
	if (rc == 0)
		*ret = past;
	return rc;
}

int tape_writer_continue_behind(struct tape_writer *w, const struct unit_id *id, struct error *err)
{
	struct tape_index *old = NULL;
	int rc = open_whole(w->dir, &old, err);
	size_t at = 0;

	if (rc == 0)
		rc = find_unit(old, id, &at, err);
	if (rc == 0 && old)
		rc = copy_units(w, old, at + 1, old->count, err);
	if (rc == 0)
		rc = journal_sync(&w->journal, err);
	tape_index_free(old);
	return rc;
}

static int sync_blob(const char *blobs, const struct payload *p, struct error *err)
{
	cleanup_free char *path = NULL;
	cleanup_close int fd = -1;
	int rc;

	if (p->form != PAYLOAD_BLOB)
		return 0;
	rc = tape_file_path(blobs, p->sha256, &path, err);
	if (rc < 0)
		return rc;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_sys(err, errno, "cannot open %s", path);
	return fsync(fd) < 0 ? error_sys(err, errno, "cannot sync %s", path) : 0;
}

/* A line on the disk must not name a blob that is not. */
static int sync_blobs(const struct tape_writer *w, const struct unit *u, struct error *err)
{
	cleanup_free char *blobs = NULL;
	bool any = false;
	size_t i;
	int rc = w->sync ? tape_file_path(w->dir, BLOBS_DIR, &blobs, err) : 0;

	for (i = 0; w->sync && rc == 0 && i < u->stream_count; i++) {
		const struct stream *s = &u->streams[i];

		any = any || s->data.form == PAYLOAD_BLOB || s->tail.form == PAYLOAD_BLOB;
		rc = sync_blob(blobs, &s->data, err);
		if (rc == 0)
			rc = sync_blob(blobs, &s->tail, err);
	}
	return rc == 0 && any ? fs_sync_dir(blobs, err) : rc;
}

int tape_writer_exit(struct tape_writer *w, const struct unit *u, struct error *err)
{
	int rc = sync_blobs(w, u, err);

	if (rc < 0)
		return rc;
	buf_clear(&w->line);
	rc = codec_write_exit(&w->line, u, err);
	if (rc == 0)
		rc = codec_write_time(&w->line, u, err);
	return rc < 0 ? rc : journal_append(&w->journal, w->line.data, w->line.len, err);
}

int tape_writer_tail(struct tape_writer *w, const struct unit *u, struct error *err)
{
	int rc = sync_blobs(w, u, err);

	if (rc < 0)
		return rc;
	buf_clear(&w->line);
	rc = codec_write_tail(&w->line, u, err);
	return rc < 0 ? rc : journal_append(&w->journal, w->line.data, w->line.len, err);
}

int tape_writer_sync(struct tape_writer *w, struct error *err)
{
	return journal_sync(&w->journal, err);
}

int tape_writer_finish(struct tape_writer *w, struct error *err)
{
	struct tape_index *old = NULL;
	int rc = open_old(w->dir, &old, err);

	if (rc == 0)
		rc = canonicalise(w, old, err);
	tape_index_free(old);
	if (rc == 0)
		rc = journal_remove(&w->journal, err);
	if (rc == 0 && w->sync)
		rc = fs_sync_dir(w->dir, err);
	return rc;
}

int tape_writer_abandon(struct tape_writer *w, struct error *err)
{
	return journal_remove(&w->journal, err);
}

void tape_writer_free(struct tape_writer *w)
{
	if (!w)
		return;
	journal_close(&w->journal);
	counts_clear(&w->counts);
	buf_free(&w->line);
	free(w->dir);
	free(w);
}
