#include "tape/migrate.h"
#include "base/cleanup.h"
#include "tape/codec.h"
#include "tape/files.h"
#include "tape/journal.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A row for each version that there was: {1, migrate_1_to_2} and so on. So far there is one
 * version. */
static const struct migrate_step *const steps_so_far;
#define STEPS_SO_FAR 0

static int read_first_line(const char *path, struct buf *ret, struct error *err)
{
	cleanup_fclose FILE *f = fopen(path, "re");
	cleanup_free char *line = NULL;
	size_t room = 0;
	ssize_t n;

	if (!f)
		return error_sys(err, errno, "cannot open %s", path);
	errno = 0;
	n = getline(&line, &room, f);
	if (n < 0 && errno)
		return error_sys(err, errno, "cannot read %s", path);
	if (n > 0 && line[n - 1] == '\n')
		n--;
	return n > 0 && buf_add(ret, line, (size_t)n) < 0 ? error_no_memory(err) : 0;
}

/* The frame of the first line is the same in all versions. */
static int read_version(const char *path, int *ret, struct error *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct line line;
	int rc = read_first_line(path, &text, err);

	if (rc < 0)
		return rc;
	if (line_parse(text.data ? text.data : "", text.len, &line) != LINE_OK ||
	    line.type != LINE_HEAD)
		rc = error_set(err, ERR_FORMAT, "it is not the head of a tape; " TAPE_REPAIR);
	else
		rc = codec_read_version(&line, ret, err);
	return rc < 0 ? error_wrap(err, rc, "%s: line 1", path) : 0;
}

static int find_lines(const char *dir, char **ret_path, struct error *err)
{
	bool has_tape = tape_file_exists(dir, TAPE_FILE);
	int rc = tape_dir_check(dir, err);

	if (rc < 0)
		return rc;
	if (!has_tape && !tape_file_exists(dir, JOURNAL_FILE))
		return error_set(err, ERR_FORMAT,
				 "%s is not a tape: it has neither " TAPE_FILE " nor " JOURNAL_FILE
				 "; name a tape",
				 dir);
	return tape_file_path(dir, has_tape ? TAPE_FILE : JOURNAL_FILE, ret_path, err);
}

static int take_step(const char *dir, const char *lines, const struct migrate_step *step,
		     struct error *err)
{
	int version = step->from;
	int rc = step->run(dir, err);

	if (rc == 0)
		rc = read_version(lines, &version, err);
	if (rc == 0 && version != step->from + 1)
		rc = error_set(err, ERR_FORMAT, "the tape is of version %d after it", version);
	return rc < 0 ? error_wrap(err, rc, "%s: the step from version %d", dir, step->from) : 0;
}

static int take_steps(const char *dir, const char *lines, const struct migrate_step *steps,
		      size_t count, int newest, struct tape_migrate_result *r, struct error *err)
{
	int version = r->version;
	int rc = 0;

	while (rc == 0 && version < newest) {
		size_t i = 0;

		while (i < count && steps[i].from != version)
			i++;
		if (i == count)
			return error_set(
				err, ERR_UNSUPPORTED,
				"%s is of version %d, from which this program knows no way: "
				"record it again",
				dir, version);
		rc = take_step(dir, lines, &steps[i], err);
		version += rc == 0;
		r->steps += rc == 0;
	}
	return rc;
}

static int migrate_locked(const char *dir, const char *lines, const struct migrate_step *steps,
			  size_t count, int newest, struct tape_migrate_result *r,
			  struct error *err)
{
	struct journal journal = {.fd = -1};
	struct error ignored;
	int rc = journal_open(dir, false, &journal, err);

	if (rc < 0)
		return rc;
	/* Again: a recorder may have replaced it. */
	rc = read_version(lines, &r->version, err);
	if (rc == 0)
		rc = take_steps(dir, lines, steps, count, newest, r, err);
	if (journal.size || !tape_file_exists(dir, TAPE_FILE))
		journal_close(&journal);
	else if (rc == 0)
		rc = journal_remove(&journal, err);
	else
		journal_remove(&journal, &ignored);
	journal_close(&journal);
	return rc;
}

int migrate_by(const char *path, const struct migrate_step *steps, size_t count, int newest,
	       struct tape_migrate_result *ret, struct error *err)
{
	cleanup_free char *dir = tape_dir_name(path);
	cleanup_free char *lines = NULL;
	struct tape_migrate_result r = {0, newest, 0};
	int rc = dir ? find_lines(dir, &lines, err) : error_no_memory(err);

	if (rc == 0)
		rc = read_version(lines, &r.version, err);
	if (rc == 0 && r.version > newest)
		rc = error_set(err, ERR_VERSION,
			       "%s is of version %d, this program knows versions up to %d: a newer "
			       "sandtape is needed",
			       dir, r.version, newest);
	/* Of the newest nothing is touched, and nobody is kept from it. */
	if (rc == 0 && r.version < newest)
		rc = migrate_locked(dir, lines, steps, count, newest, &r, err);
	if (rc == 0)
		*ret = r;
	return rc;
}

int tape_migrate(const char *path, struct tape_migrate_result *ret, struct error *err)
{
	return migrate_by(path, steps_so_far, STEPS_SO_FAR, TAPE_FORMAT_VERSION, ret, err);
}
