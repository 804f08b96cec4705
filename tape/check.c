/* tape_check(): all that can be wrong with a tape (FORMAT.md). */
#include "base/cleanup.h"
#include "tape/check_parts.h"
#include "tape/files.h"
#include "tape/leftovers.h"
#include <stdlib.h>
#include <string.h>

#define TELL_EVERY ((uint64_t)4 * 1024 * 1024) /* bytes */

void check_advance(struct check *c, uint64_t bytes, bool is_caller)
{
	const struct tape_progress *p = &c->options->progress;
	uint64_t done = atomic_fetch_add(&c->done, bytes) + bytes;

	if (!is_caller || !p->tell || done - c->told < TELL_EVERY)
		return;
	c->told = done;
	p->tell(p->ctx, done, c->total);
}

static void bad_line(void *ctx, size_t number, enum line_state state, const struct error *err)
{
	struct check *c = ctx;

	/* What hangs on a line that is lost is told once, at the end. */
	if (state == LINE_OK && c->broken) {
		c->dependent++;
		return;
	}
	c->broken = true;
	findings_add(&c->findings, TAPE_DAMAGE, "%s: line %zu: %s", c->file, number, err->text);
}

static void bad_time(void *ctx, size_t number, enum line_state state, const struct error *err)
{
	struct check *c = ctx;
	bool advised = strstr(err->text, TAPE_REPAIR) != NULL;

	if (state == LINE_OK && c->broken) {
		c->dependent++;
		return;
	}
	findings_add(&c->findings, TAPE_DAMAGE, "%s: line %zu: %s%s", c->file, number, err->text,
		     advised ? "" : "; remove the file or record the tape again");
}

static int open_lines(struct check *c, const char *name, enum index_kind kind, struct error *err)
{
	const struct index_watch watch = {bad_line, c};
	cleanup_free char *path = NULL;
	int rc = tape_file_path(c->dir, name, &path, err);

	c->file = path;
	if (rc == 0)
		rc = tape_index_examine(path, kind, &watch, &c->index, err);
	if (rc < 0)
		return rc;
	c->file = c->index->path;
	if (!c->index->torn_len)
		return 0;
	/* A recorder that was killed in the middle of a write leaves this. */
	if (kind == INDEX_JOURNAL)
		findings_add(&c->findings, TAPE_NOTE,
			     "%s: the last line is torn; its %zu bytes are ignored", c->file,
			     c->index->torn_len);
	else
		findings_add(&c->findings, TAPE_DAMAGE,
			     "%s: the last line is torn (%zu bytes); " TAPE_REPAIR, c->file,
			     c->index->torn_len);
	return 0;
}

static int open_timing(struct check *c, struct error *err)
{
	const struct index_watch watch = {bad_time, c};
	struct timing_damage damage;
	struct error why;
	int rc;

	c->file = c->timing;
	rc = tape_index_examine_timing(c->index, c->timing, &watch, &damage, &why);
	c->file = c->index->path;
	c->no_timing = rc < 0;
	if (rc == ERR_NOTFOUND && c->index->count)
		findings_add(&c->findings, TAPE_NOTE,
			     "%s is missing: no command has times; recording again makes it",
			     c->timing);
	if (rc == ERR_FORMAT)
		findings_add(&c->findings, TAPE_DAMAGE, "%s", why.text);
	if (rc < 0 && rc != ERR_NOTFOUND && rc != ERR_FORMAT) {
		*err = why;
		return rc;
	}
	return 0;
}

static int open_tape(struct check *c, struct error *err)
{
	int rc;

	if (!tape_file_exists(c->dir, TAPE_FILE) && tape_file_exists(c->dir, JOURNAL_FILE)) {
		rc = open_lines(c, JOURNAL_FILE, INDEX_JOURNAL, err);
		if (rc == 0)
			findings_add(
				&c->findings, TAPE_NOTE,
				"%s: the recording goes on or was interrupted; what it has is here",
				c->file);
		return rc;
	}
	rc = open_lines(c, TAPE_FILE, INDEX_TAPE, err);
	if (rc == ERR_NOTFOUND)
		return error_set(err, ERR_FORMAT,
				 "%s is not a tape: it has neither " TAPE_FILE " nor " JOURNAL_FILE
				 "; name a tape",
				 c->dir);
	if (rc == 0)
		rc = open_timing(c, err);
	if (rc == 0 && tape_has_recording(c->dir))
		findings_add(&c->findings, TAPE_NOTE,
			     "%s/" JOURNAL_FILE
			     ": a re-recording goes on or was interrupted; it is "
			     "ignored, and the next recording replaces it",
			     c->dir);
	return rc;
}

static bool is_root_name(const char *name)
{
	static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	return *name && strchr(first, *name) &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == strlen(name);
}

static void check_head(struct check *c)
{
	const struct tape_head *h = &c->index->head;

	for (size_t i = 0; i < h->roots.count; i++) {
		const char *name = h->roots.item[i];

		if (!is_root_name(name))
			findings_add(&c->findings, TAPE_DAMAGE,
				     "%s: line 1: '%s' is not the name of a root; " TAPE_REPAIR,
				     c->file, name);
		for (size_t k = 0; k < i; k++) {
			if (strcmp(name, h->roots.item[k]) == 0)
				findings_add(&c->findings, TAPE_DAMAGE,
					     "%s: line 1: the root %s is there twice; " TAPE_REPAIR,
					     c->file, name);
		}
	}
	for (size_t i = 0; i < h->env.count; i++) {
		if (strcmp(h->env.item[i], "PATH") == 0)
			findings_add(&c->findings, TAPE_DAMAGE,
				     "%s: line 1: PATH cannot count for matching; " TAPE_REPAIR,
				     c->file);
	}
}

static void note_unnamed(struct check *c)
{
	unsigned long long bytes = 0;
	size_t count = 0;

	for (size_t i = 0; i < c->there.count; i++) {
		if (blobs_find(&c->named, c->there.item[i].name))
			continue;
		count++;
		bytes += c->there.item[i].size;
	}
	if (count)
		findings_add(&c->findings, TAPE_NOTE,
			     "%s/" BLOBS_DIR
			     ": %zu blob%s of %llu bytes that no record names; 'sandtape "
			     "tape gc %s' removes %s",
			     c->dir, count, count == 1 ? "" : "s", bytes, c->dir,
			     count == 1 ? "it" : "them");
}

static void note_leftover(void *ctx, const char *path)
{
	findings_add(&((struct check *)ctx)->findings, TAPE_NOTE,
		     "%s is left of a recording that was killed, or belongs to one that goes on; "
		     "the next "
		     "recording removes what is left",
		     path);
}

static void note_units(struct check *c)
{
	if (c->timeless && !c->no_timing)
		findings_add(&c->findings, TAPE_NOTE,
			     "%s: %zu command%s that ended %s no times; recording again makes them",
			     c->timing, c->timeless, c->timeless == 1 ? "" : "s",
			     c->timeless == 1 ? "has" : "have");
	if (c->dependent)
		findings_add(&c->findings, TAPE_DAMAGE,
			     "%s: %zu more line%s cannot be placed, perhaps only for want of the "
			     "lines above; " TAPE_REPAIR,
			     c->dir, c->dependent, c->dependent == 1 ? "" : "s");
}

static int check_content(struct check *c, struct error *err)
{
	int rc;

	c->total += c->index->lines.len + c->index->timing.len;
	check_head(c);
	rc = check_units(c, err);
	if (rc < 0)
		return rc;
	check_advance(c, c->index->timing.len, true);
	note_units(c);
	rc = check_blobs(c, err);
	/* What a line that is lost named is not known. */
	if (rc == 0 && !c->broken)
		note_unnamed(c);
	return rc < 0 ? rc : leftovers_find(c->dir, note_leftover, c, err);
}

static int check_all(struct check *c, struct error *err)
{
	int rc = tape_dir_check(c->dir, err);

	if (rc == 0)
		rc = tape_file_path(c->dir, TIMING_FILE, &c->timing, err);
	if (rc == 0)
		rc = blobs_add_dir(&c->there, c->dir, err);
	for (size_t i = 0; i < c->there.count; i++)
		c->total += c->there.item[i].size;
	if (rc == 0)
		rc = open_tape(c, err);
	if (rc == 0)
		rc = check_content(c, err);
	return rc == 0 && c->findings.lost ? error_no_memory(err) : rc;
}

/* What was found before an error is told, too. */
static void tell_findings(const struct check *c, struct tape_check_result *ret)
{
	for (size_t i = 0; i < c->findings.count; i++) {
		const struct finding *f = &c->findings.item[i];

		ret->damages += f->kind == TAPE_DAMAGE;
		ret->notes += f->kind == TAPE_NOTE;
		c->options->find(c->options->find_ctx, f->kind, f->text);
	}
}

int tape_check(const char *path, const struct tape_check_options *options,
	       struct tape_check_result *ret, struct error *err)
{
	struct check c = {.options = options, .dir = tape_dir_name(path)};
	struct tape_check_result result = {0};
	struct error own;
	int rc;

	err = err ? err : &own;
	rc = c.dir ? check_all(&c, err) : error_no_memory(err);
	tell_findings(&c, &result);
	if (rc == 0) {
		result.units = c.index->count;
		result.blobs = c.blob_count;
		result.bytes = atomic_load(&c.done);
		*ret = result;
	}
	tape_index_free(c.index);
	findings_clear(&c.findings);
	blobs_clear(&c.there);
	blobs_clear(&c.named);
	free(c.timing);
	free(c.dir);
	return rc;
}
