#include "tape/output.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "tape/files.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FLUSH_BYTES ((size_t)1024 * 1024)

int output_open(struct output *o, const char *dir, const char *name, struct error *err)
{
	cleanup_buf struct buf temp = BUF_INIT;
	int rc = tape_file_path(dir, name, &o->path, err);

	if (rc < 0)
		return rc;
	if (buf_addf(&temp, "%s" NEW_SUFFIX, o->path) < 0)
		return error_no_memory(err);
	o->temp = buf_steal(&temp);
	/* What a killed writer left, or a link that somebody put there, is not written through. */
	if (unlink(o->temp) < 0 && errno != ENOENT)
		return error_sys(err, errno, "cannot replace %s", o->temp);
	o->fd = open(o->temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	return o->fd < 0 ? error_sys(err, errno, "cannot create %s", o->temp) : 0;
}

static int output_flush(struct output *o, struct error *err)
{
	int rc = fs_write_all(o->fd, o->pending.data, o->pending.len, o->temp, err);

	buf_clear(&o->pending);
	return rc;
}

int output_line(struct output *o, const struct line *line, struct unit_id id, struct error *err)
{
	int rc = line_add(&o->pending, line->type, id, line->fields, err);

	return rc == 0 && o->pending.len >= FLUSH_BYTES ? output_flush(o, err) : rc;
}

static int output_complete(struct output *o, bool sync, struct error *err)
{
	int rc = output_flush(o, err);

	if (rc == 0 && sync && fsync(o->fd) < 0)
		rc = error_sys(err, errno, "cannot sync %s", o->temp);
	if (rc == 0 && close(steal_fd(&o->fd)) < 0)
		rc = error_sys(err, errno, "cannot write %s", o->temp);
	return rc;
}

static int output_rename(struct output *o, struct error *err)
{
	if (rename(o->temp, o->path) < 0)
		return error_sys(err, errno, "cannot replace %s", o->path);
	free(o->temp);
	o->temp = NULL;
	return 0;
}

void output_clear(struct output *o)
{
	if (o->fd >= 0)
		close(o->fd);
	if (o->temp)
		unlink(o->temp);
	free(o->temp);
	free(o->path);
	buf_free(&o->pending);
}

/*
 * The old timing goes first: a kill between the renames must leave no tape with the times of
 * another, since they would be believed.
 */
int outputs_replace(const char *dir, struct output *tape, struct output *timing, bool sync,
		    struct error *err)
{
	int rc = 0;

	if (tape->fd >= 0) {
		if (unlink(timing->path) < 0 && errno != ENOENT)
			return error_sys(err, errno, "cannot remove %s", timing->path);
		if (sync)
			rc = fs_sync_dir(dir, err);
		if (rc == 0)
			rc = output_complete(tape, sync, err);
		if (rc == 0)
			rc = output_rename(tape, err);
	}
	if (rc == 0)
		rc = output_complete(timing, sync, err);
	if (rc == 0)
		rc = output_rename(timing, err);
	if (rc == 0 && sync)
		rc = fs_sync_dir(dir, err);
	return rc;
}
