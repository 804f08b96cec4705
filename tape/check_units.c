/* tape_check(): the records and blobs, by several threads. */
#include "base/array.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "tape/check_parts.h"
#include "tape/codec.h"
#include "tape/files.h"
#include "tape/workers.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLICE ((size_t)4096) /* units of one job */

/* What one job found; put together in the order of the tape when all are done. */
struct slice {
	struct findings findings;
	struct blobs named;
	size_t timeless;
	bool broken;
	struct error *why; /* of the host; the check ends with it */
	uint64_t place;	   /* how far lines are counted: units come in their order, nearly */
	size_t number;	   /* of the line there, from 1 */
};

/* Records that name the same blob: named.item[first] to before [end]. */
struct group {
	size_t first;
	size_t end;
	struct error *why;
};

struct jobs {
	struct check *check;
	struct slice *slices;
	struct group *groups;
};

void findings_add(struct findings *f, enum tape_finding kind, const char *format, ...)
{
	struct finding *item = array_grow(f->item, f->count, sizeof(*item));
	char *text;
	va_list args;

	if (item)
		f->item = item;
	va_start(args, format);
	text = text_formatted(format, args);
	va_end(args);
	if (!text || !item) {
		free(text);
		f->lost = true;
		return;
	}
	item[f->count++] = (struct finding){kind, text};
}

void findings_clear(struct findings *f)
{
	for (size_t i = 0; i < f->count; i++)
		free(f->item[i].text);
	free(f->item);
	*f = (struct findings){NULL, 0, false};
}

static struct error no_memory = {.code = ERR_NOMEM, .text = "out of memory"};

static struct error *keep_error(const struct error *why)
{
	struct error *copy = malloc(sizeof(*copy));

	if (!copy)
		return &no_memory;
	*copy = *why;
	return copy;
}

static int take_error(struct error *kept, struct error *err)
{
	int rc = kept->code;

	*err = *kept;
	if (kept != &no_memory)
		free(kept);
	return rc;
}

static size_t line_number(const struct check *c, struct slice *s, uint64_t offset)
{
	bool apart = (offset & INDEX_APART) != 0;
	const struct mapped *map = apart ? &c->index->timing : &c->index->lines;
	size_t end = (size_t)(offset & ~INDEX_APART);
	size_t at;

	if (!s->number || offset < s->place || (offset ^ s->place) & INDEX_APART) {
		s->place = offset & INDEX_APART;
		s->number = 1;
	}
	at = (size_t)(s->place & ~INDEX_APART);
	while (at < end) {
		const char *newline = memchr(map->data + at, '\n', end - at);

		if (!newline)
			break;
		at = (size_t)(newline - map->data) + 1;
		s->number++;
	}
	s->place = offset;
	return s->number;
}

static int read_exit(const struct line *line, struct unit *u, struct error *err)
{
	int rc = codec_read_exit(line, u, err);

	for (size_t i = 0; rc == 0 && i < u->stream_count; i++) {
		const struct stream *s = &u->streams[i];

		if (s->kind == STREAM_SAME && !unit_stream_const(u, s->same_as))
			rc = error_set(err, ERR_FORMAT,
				       "stream %d is said to be the same as %d, which is not there",
				       s->fd, s->same_as);
	}
	return rc < 0 ? rc : check_sizes(u, u->order, u->order_count, "order", err);
}

static int read_time(const struct line *line, struct unit *u, struct error *err)
{
	int rc = codec_read_time(line, u, err);

	return rc < 0 ? rc : check_sizes(u, u->time.chunks, u->time.chunk_count, "chunks", err);
}

typedef int read_fn(const struct line *line, struct unit *u, struct error *err);

/* false when the record is bad; one that is not there is not. */
static bool check_record(const struct check *c, struct slice *s, uint64_t offset, read_fn *read,
			 struct unit *u)
{
	struct error why;
	struct line line;
	int rc;

	if (offset == INDEX_NONE)
		return true;
	rc = tape_index_line(c->index, offset, &line, &why);
	/* It was whole a moment ago. */
	if (rc < 0)
		s->why = keep_error(&why);
	else
		rc = read(&line, u, &why);
	if (rc == 0 || s->why)
		return rc == 0;
	if (rc != ERR_FORMAT) {
		s->why = keep_error(&why);
		return false;
	}
	s->broken = true;
	findings_add(&s->findings, TAPE_DAMAGE, "%s: line %zu: %s; " TAPE_REPAIR,
		     offset & INDEX_APART ? c->timing : c->index->path, line_number(c, s, offset),
		     why.text);
	return false;
}

static void check_unit(const struct check *c, struct slice *s, const struct index_unit *at)
{
	struct unit u = {0};
	bool read = check_record(c, s, at->spawn, codec_read_keyed_spawn, &u);
	/* The rest says what it says without the command, too. */
	bool whole = !s->why && check_record(c, s, at->exit, read_exit, &u);
	/* What is not known of its streams, no chunk can contradict. */
	bool ended = whole && at->exit != INDEX_NONE;

	if (whole)
		check_record(c, s, at->tail, codec_read_tail, &u);
	if (!s->why && at->time == INDEX_NONE)
		s->timeless += at->exit != INDEX_NONE;
	else if (!s->why)
		check_record(c, s, at->time, ended ? read_time : codec_read_time, &u);
	if (read && blobs_add_unit(&s->named, &u, at->exit, at->tail) < 0)
		s->findings.lost = true;
	unit_clear(&u);
}

static void check_slice(void *ctx, size_t index, bool is_caller)
{
	const struct jobs *jobs = ctx;
	struct check *c = jobs->check;
	size_t first = index * SLICE;
	size_t end = first + SLICE < c->index->count ? first + SLICE : c->index->count;
	uint64_t bytes;

	for (size_t i = first; i < end && !jobs->slices[index].why; i++)
		check_unit(c, &jobs->slices[index], &c->index->units[i]);
	bytes = (end < c->index->count ? c->index->units[end].spawn : c->index->lines.len) -
		(first ? c->index->units[first].spawn : 0);
	check_advance(c, bytes, is_caller);
}

static int take_findings(struct findings *to, struct findings *from, struct error *err)
{
	for (size_t i = 0; i < from->count; i++)
		findings_add(to, from->item[i].kind, "%s", from->item[i].text);
	return from->lost || to->lost ? error_no_memory(err) : 0;
}

static int take_slice(struct check *c, struct slice *s, struct error *err)
{
	struct error why;
	int kept = s->why ? take_error(s->why, &why) : 0;
	int rc = take_findings(&c->findings, &s->findings, err);

	if (rc == 0 && kept < 0) {
		*err = why;
		rc = kept;
	}
	if (rc == 0 && blobs_add_all(&c->named, &s->named) < 0)
		rc = error_no_memory(err);
	c->timeless += s->timeless;
	c->broken = c->broken || s->broken;
	findings_clear(&s->findings);
	blobs_clear(&s->named);
	return rc;
}

int check_units(struct check *c, struct error *err)
{
	size_t count = (c->index->count + SLICE - 1) / SLICE;
	cleanup_free struct slice *slices = calloc(count + 1, sizeof(*slices));
	struct jobs jobs = {.check = c, .slices = slices};
	int rc = slices ? 0 : error_no_memory(err);

	if (rc < 0)
		return rc;
	workers_run(count, check_slice, &jobs);
	for (size_t i = 0; i < count; i++) {
		struct error why;
		int one = take_slice(c, &slices[i], &why);

		if (rc == 0 && one < 0) {
			*err = why;
			rc = one;
		}
	}
	return rc;
}

struct piece_counter {
	struct check *check;
	bool is_caller;
};

static void count_piece(void *ctx, const void *bytes, size_t len)
{
	const struct piece_counter *p = ctx;

	(void)bytes;
	check_advance(p->check, len, p->is_caller);
}

static void check_blob(void *ctx, size_t index, bool is_caller)
{
	const struct jobs *jobs = ctx;
	struct piece_counter counter = {jobs->check, is_caller};
	const struct blob_reading reading = {count_piece, &counter};
	struct group *g = &jobs->groups[index];
	const struct blob *b = &jobs->check->named.item[g->first];
	struct error why;

	if (blob_verify(jobs->check->dir, b->name, b->size, &reading, &why) < 0)
		g->why = keep_error(&why);
}

/* What records say of one blob, and what the file is. Another size than the first has is seen here,
 * that of the file in blob_verify(). */
static int judge_blob(struct check *c, struct slice *place, struct group *g, struct error *err)
{
	const struct blob *b = &c->named.item[g->first];
	size_t line = line_number(c, place, b->where);
	char more[48] = "";
	struct error why = {0};
	int rc = g->why ? take_error(g->why, &why) : 0;

	if (rc < 0 && rc != ERR_FORMAT && rc != ERR_NOTFOUND) {
		*err = why;
		return rc;
	}
	if (g->end - g->first > 1)
		snprintf(more, sizeof(more), " (and %zu more)", g->end - g->first - 1);
	if (rc < 0)
		findings_add(&c->findings, TAPE_DAMAGE, "%s: line %zu%s: %s; " TAPE_REPAIR,
			     c->index->path, line, more, why.text);
	for (size_t i = g->first + 1; rc == 0 && i < g->end; i++) {
		if (c->named.item[i].size == b->size)
			continue;
		findings_add(
			&c->findings, TAPE_DAMAGE,
			"%s: line %zu: another size of the blob %s than line %zu has; " TAPE_REPAIR,
			c->index->path, line_number(c, place, c->named.item[i].where), b->name,
			line);
	}
	return 0;
}

static size_t make_groups(const struct blobs *named, struct group *groups)
{
	size_t count = 0;

	for (size_t i = 0; i < named->count; i++) {
		if (i && strcmp(named->item[i - 1].name, named->item[i].name) == 0)
			groups[count - 1].end = i + 1;
		else
			groups[count++] = (struct group){i, i + 1, NULL};
	}
	return count;
}

static int by_place(const void *left, const void *right, void *named)
{
	const struct blob *blobs = named;
	uint64_t a = blobs[((const struct group *)left)->first].where;
	uint64_t b = blobs[((const struct group *)right)->first].where;

	return (a > b) - (a < b);
}

int check_blobs(struct check *c, struct error *err)
{
	cleanup_free struct group *groups = calloc(c->named.count + 1, sizeof(*groups));
	struct jobs jobs = {.check = c, .groups = groups};
	struct slice place = {0};
	int rc = groups ? 0 : error_no_memory(err);

	if (rc < 0)
		return rc;
	blobs_sort(&c->named);
	c->blob_count = make_groups(&c->named, groups);
	qsort_r(groups, c->blob_count, sizeof(*groups), by_place, c->named.item);
	workers_run(c->blob_count, check_blob, &jobs);
	for (size_t i = 0; i < c->blob_count; i++) {
		struct error why;
		int one = judge_blob(c, &place, &groups[i], &why);

		if (rc == 0 && one < 0) {
			*err = why;
			rc = one;
		}
	}
	return rc;
}
