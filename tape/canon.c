#include "tape/canon.h"
#include "base/cleanup.h"
#include "base/hash.h"
#include "tape/codec.h"
#include "tape/counts.h"
#include "tape/files.h"
#include "tape/order.h"
#include "tape/output.h"
#include <stdlib.h>
#include <string.h>

#define PARTS 4

/*
 * What makes two units the same: everything on the tape but their ordinals and times, and but for
 * the kind of a stdin that was not read. Among parallel units chance decides about that: GNU make
 * lends its own stdin to one job at a time.
 */
struct content {
	struct bytes part[PARTS]; /* spawn, exit before and after its stdin, tail */
	uint64_t hash;
	uint32_t index;
	bool paired;
};

struct contents {
	struct content *item;
	size_t count;
};

/* How the units of a journal go onto the tape. */
struct plan {
	const struct tape_index *journal;
	const struct tape_index *old; /* or NULL */
	struct order_unit *units;
	uint32_t *order; /* indexes into the journal's units */
	bool *equal;	 /* of each of them: its content is that of its old unit */
	size_t equal_count;
};

/* Cuts the fields of an exit in two around a stdin of which only the kind is known. In its strings
 * every quote is escaped, so the member cannot be found inside of one. */
static void split_exit(struct bytes fields, struct bytes *ret_before, struct bytes *ret_after)
{
	static const char member[] = ",\"stdin\":{\"kind\":\"";
	const size_t member_len = sizeof(member) - 1;
	const char *at, *kind, *quote;
	size_t rest;

	*ret_before = fields;
	*ret_after = (struct bytes){NULL, 0};
	at = fields.len ? memmem(fields.data, fields.len, member, member_len) : NULL;
	if (!at)
		return;
	kind = at + member_len;
	rest = fields.len - (size_t)(kind - fields.data);
	quote = memchr(kind, '"', rest);
	if (!quote || memcmp(quote, "\"}", 2) != 0)
		return;
	ret_before->len = (size_t)(at - fields.data);
	*ret_after = (struct bytes){quote + 2, rest - (size_t)(quote + 2 - kind)};
}

/* Of a record that is not there: {NULL, 0}. */
static int get_fields(const struct tape_index *index, uint64_t offset, struct bytes *ret,
		      struct error *err)
{
	struct line line;
	int rc;

	if (offset == INDEX_NONE)
		return 0;
	rc = tape_index_line(index, offset, &line, err);
	if (rc == 0)
		*ret = line.fields;
	return rc;
}

static int get_content(const struct tape_index *index, size_t i, struct content *ret,
		       struct error *err)
{
	const struct index_unit *u = &index->units[i];
	uint64_t hashes[PARTS + 1] = {[PARTS] = u->id.key};
	struct content content = {.index = (uint32_t)i};
	struct bytes exit = {NULL, 0};
	size_t k;
	int rc = get_fields(index, u->spawn, &content.part[0], err);

	if (rc == 0)
		rc = get_fields(index, u->exit, &exit, err);
	if (rc == 0)
		rc = get_fields(index, u->tail, &content.part[3], err);
	if (rc < 0)
		return rc;
	split_exit(exit, &content.part[1], &content.part[2]);
	for (k = 0; k < PARTS; k++)
		hashes[k] = hash64(content.part[k].data, content.part[k].len);
	content.hash = hash64(hashes, sizeof(hashes));
	*ret = content;
	return 0;
}

static bool same_content(const struct content *a, const struct content *b)
{
	size_t k = 0;

	while (k < PARTS && bytes_equal(a->part[k], b->part[k]))
		k++;
	return k == PARTS;
}

static int by_hash(const void *left, const void *right)
{
	const struct content *a = left, *b = right;

	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	return (a->index > b->index) - (a->index < b->index);
}

static int sorted_contents(const struct tape_index *index, struct contents *ret, struct error *err)
{
	size_t i;
	int rc = 0;

	ret->count = index->count;
	ret->item = calloc(index->count + 1, sizeof(*ret->item));
	if (!ret->item)
		return error_no_memory(err);
	for (i = 0; rc == 0 && i < index->count; i++)
		rc = get_content(index, i, &ret->item[i], err);
	qsort(ret->item, ret->count, sizeof(*ret->item), by_hash);
	return rc;
}

/* Of equal hashes, the first goes to the first, and so on. */
static void pair_up(struct plan *plan, struct contents *ours, struct contents *theirs, bool exact)
{
	size_t i = 0, k = 0;

	while (i < ours->count && k < theirs->count) {
		struct content *a = &ours->item[i], *b = &theirs->item[k];

		if (a->hash == b->hash && (!exact || same_content(a, b))) {
			plan->units[a->index].old = b->index;
			plan->equal[a->index] = exact;
			plan->equal_count += exact;
			a->paired = b->paired = true;
		}
		i += a->hash <= b->hash;
		k += a->hash >= b->hash;
	}
}

/* Leaves those that have no partner, to be paired by their keys alone. */
static void keep_single(struct contents *c, const struct tape_index *index)
{
	size_t kept = 0;
	size_t i;

	for (i = 0; i < c->count; i++) {
		if (c->item[i].paired)
			continue;
		c->item[kept] = c->item[i];
		c->item[kept].hash = index->units[c->item[i].index].id.key;
		kept++;
	}
	c->count = kept;
	qsort(c->item, c->count, sizeof(*c->item), by_hash);
}

/* Equal units first, then changed units of the same key, which are to stay in their place. */
static int match_old(struct plan *plan, struct error *err)
{
	struct contents ours = {NULL, 0}, theirs = {NULL, 0};
	int rc = sorted_contents(plan->journal, &ours, err);

	if (rc == 0)
		rc = sorted_contents(plan->old, &theirs, err);
	if (rc == 0) {
		pair_up(plan, &ours, &theirs, true);
		keep_single(&ours, plan->journal);
		keep_single(&theirs, plan->old);
		pair_up(plan, &ours, &theirs, false);
	}
	free(ours.item);
	free(theirs.item);
	return rc;
}

/* The old times. Ended units of an unknown time may have run at any time. */
static int get_old_times(const struct tape_index *old, struct order_old *ret, struct error *err)
{
	size_t i;

	for (i = 0; i < old->count; i++) {
		const struct index_unit *u = &old->units[i];
		struct unit unit = {0};
		struct line line;
		int rc = 0;

		ret[i] = (struct order_old){0, UINT64_MAX};
		if (u->time != INDEX_NONE) {
			rc = tape_index_line(old, u->time, &line, err);
			if (rc == 0 && codec_read_time(&line, &unit, NULL) == 0)
				ret[i] = (struct order_old){unit.time.start_ns,
							    unit.time.start_ns +
								    unit.time.duration_ns};
			unit_clear(&unit);
		} else if (u->exit == INDEX_NONE) {
			ret[i] = (struct order_old){1, 0};
		}
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int decide_order(struct plan *plan, struct error *err)
{
	size_t count = plan->journal->count;
	size_t old_count = plan->old ? plan->old->count : 0;
	cleanup_free struct order_old *times = calloc(old_count + 1, sizeof(*times));
	size_t i;
	int rc = times ? 0 : error_no_memory(err);

	for (i = 0; i < count; i++) {
		const struct index_unit *u = &plan->journal->units[i];

		/* The lines are in the order of events, so their offsets are a clock. */
		plan->units[i] = (struct order_unit){u->id.key, u->spawn, u->exit, ORDER_NEW};
	}
	if (rc == 0 && plan->old)
		rc = match_old(plan, err);
	if (rc == 0 && plan->old)
		rc = get_old_times(plan->old, times, err);
	if (rc == 0 && order_units(plan->units, count, times, old_count, plan->order) < 0)
		rc = error_no_memory(err);
	return rc;
}

static bool same_heads(const struct plan *plan)
{
	struct line ours, theirs;

	return tape_index_head_line(plan->journal, &ours, NULL) == 0 &&
	       tape_index_head_line(plan->old, &theirs, NULL) == 0 &&
	       bytes_equal(ours.all, theirs.all);
}

static bool is_unchanged(const struct plan *plan)
{
	size_t count = plan->journal->count;
	size_t i;

	if (!plan->old || plan->old->count != count || plan->equal_count != count ||
	    plan->old->torn_len || !same_heads(plan))
		return false;
	for (i = 0; i < count; i++) {
		if (plan->units[plan->order[i]].old != i)
			return false;
	}
	return true;
}

static int copy_line(const struct tape_index *from, uint64_t offset, struct output *to,
		     struct unit_id id, struct error *err)
{
	struct line line;
	int rc;

	if (offset == INDEX_NONE || to->fd < 0)
		return 0;
	rc = tape_index_line(from, offset, &line, err);
	return rc < 0 ? rc : output_line(to, &line, id, err);
}

static int write_unit(const struct plan *plan, uint32_t index, struct unit_id id,
		      struct output *tape, struct output *timing, struct error *err)
{
	const struct tape_index *from = plan->equal[index] ? plan->old : plan->journal;
	const struct index_unit *new = &plan->journal->units[index];
	/* What does not count as a difference shall not be one. */
	const struct index_unit *u =
		plan->equal[index] ? &plan->old->units[plan->units[index].old] : new;
	int rc = copy_line(from, u->spawn, tape, id, err);

	if (rc == 0)
		rc = copy_line(from, u->exit, tape, id, err);
	if (rc == 0)
		rc = copy_line(from, u->tail, tape, id, err);
	return rc < 0 ? rc : copy_line(plan->journal, new->time, timing, id, err);
}

/* An output that is not open is left out. */
static int write_units(const struct plan *plan, struct output *tape, struct output *timing,
		       struct error *err)
{
	struct counts counts = {0};
	size_t i;
	int rc = copy_line(plan->journal, 0, tape, (struct unit_id){0, 0}, err);

	for (i = 0; rc == 0 && i < plan->journal->count; i++) {
		struct unit_id id = {.key = plan->journal->units[plan->order[i]].id.key};

		rc = counts_next(&counts, id.key, &id.ordinal, err);
		if (rc == 0)
			rc = write_unit(plan, plan->order[i], id, tape, timing, err);
	}
	counts_clear(&counts);
	return rc;
}

static int write_files(const char *dir, const struct plan *plan, bool only_timing, bool sync,
		       struct error *err)
{
	struct output tape = {.fd = -1}, timing = {.fd = -1};
	int rc = only_timing ? 0 : output_open(&tape, dir, TAPE_FILE, err);

	if (rc == 0)
		rc = output_open(&timing, dir, TIMING_FILE, err);
	if (rc == 0)
		rc = write_units(plan, &tape, &timing, err);
	if (rc == 0)
		rc = outputs_replace(dir, &tape, &timing, sync, err);
	output_clear(&tape);
	output_clear(&timing);
	return rc;
}

int tape_canon_write(const char *dir, const struct tape_index *journal,
		     const struct tape_index *old, bool sync, struct error *err)
{
	cleanup_free struct order_unit *units = calloc(journal->count + 1, sizeof(*units));
	cleanup_free uint32_t *order = calloc(journal->count + 1, sizeof(*order));
	cleanup_free bool *equal = calloc(journal->count + 1, sizeof(*equal));
	struct plan plan = {journal, old, units, order, equal, 0};
	bool unchanged;
	int rc;

	if (!units || !order || !equal)
		return error_no_memory(err);
	rc = decide_order(&plan, err);
	if (rc < 0)
		return rc;
	unchanged = is_unchanged(&plan);
	if (unchanged && tape_file_exists(dir, TIMING_FILE))
		return 0;
	return write_files(dir, &plan, unchanged, sync, err);
}
