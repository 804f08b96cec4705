/* tape_diff(): what two tapes have in common, and what not. */
#include "base/cleanup.h"
#include "base/hash.h"
#include "tape/align.h"
#include "tape/diff_report.h"
#include "tape/differ.h"
#include "tape/show.h"
#include "tape/workers.h"
#include <stdlib.h>
#include <string.h>

#define TELL_EVERY 4096 /* units */

/* One of the two tapes. */
struct side {
	const char *path;
	struct tape_reader *reader;
	struct align_item *item;
	struct align_side align;
	/* Units of different ranges never ran at the same time, for all that the times tell. */
	uint32_t *range;
	uint32_t *before; /* the nearest unit in front of this one with a partner in order */
	uint32_t *behind; /* likewise behind it; ALIGN_NONE: none */
	bool apart;	  /* keys are made anew */
	int rc;
	struct error err;
};

struct diff {
	const struct tape_diff_options *options;
	struct side side[2]; /* A and B */
	struct roots *shown;
	struct differ differ;
	struct tape_diff_result result;
	uint64_t told; /* units */
};

/* --- What there is to align --------------------------------------------------------------------
 */

static int hash_content(const struct tape_reader *r, size_t index, uint64_t *ret, struct error *err)
{
	struct bytes record[READER_RECORDS];
	uint64_t hash[READER_RECORDS];
	int rc = tape_reader_fields(r, index, record, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < READER_RECORDS; i++)
		hash[i] = hash64(record[i].data, record[i].len);
	*ret = hash64(hash, sizeof(hash));
	return 0;
}

/* When the heads differ in their roots or variables, equal commands have other keys: then the key
 * is that of the command as it is shown, without the variables. */
static int shown_key(const struct diff *d, const struct tape_reader *r, size_t index, uint64_t *ret,
		     struct error *err)
{
	struct unit u = {0};
	struct unit bare;
	int rc = show_spawn(r, index, d->shown, &u, err);

	if (rc < 0)
		return rc;
	bare = u; /* borrows all of it */
	bare.env_count = 0;
	rc = unit_key(&bare, ret) < 0 ? error_no_memory(err) : 0;
	unit_clear(&u);
	return rc;
}

static int make_items(const struct diff *d, struct side *s, struct error *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < s->align.count; i++) {
		rc = hash_content(s->reader, i, &s->item[i].content, err);
		s->item[i].key = tape_reader_id(s->reader, i).key;
		if (rc == 0 && s->apart)
			rc = shown_key(d, s->reader, i, &s->item[i].key, err);
	}
	return rc;
}

static int make_room(struct side *s, struct error *err)
{
	size_t count = tape_reader_count(s->reader);

	s->item = calloc(count + 1, sizeof(*s->item));
	s->range = calloc(count + 1, sizeof(*s->range));
	s->before = calloc(count + 1, sizeof(*s->before));
	s->behind = calloc(count + 1, sizeof(*s->behind));
	s->align = (struct align_side){s->item, calloc(count + 1, sizeof(uint32_t)),
				       calloc(count + 1, sizeof(bool)), count};
	return s->item && s->range && s->before && s->behind && s->align.partner && s->align.moved
		       ? 0
		       : error_no_memory(err);
}

/* A range ends where all that is before it had ended when the first behind it started. */
static int make_ranges(struct side *s, struct error *err)
{
	size_t count = s->align.count;
	cleanup_free uint64_t *first = calloc(count + 1, sizeof(*first)); /* start from here on */
	uint64_t last = 0, start = 0, duration = 0;
	uint32_t range = 0;

	if (!first)
		return error_no_memory(err);
	first[count] = UINT64_MAX;
	for (size_t i = count; i > 0; i--) {
		bool known = tape_reader_span(s->reader, i - 1, &start, &duration);

		first[i - 1] = known && start < first[i] ? start : first[i];
	}
	for (size_t i = 0; i < count; i++) {
		bool known = tape_reader_span(s->reader, i, &start, &duration);

		range += !known || last <= first[i];
		s->range[i] = range;
		if (known && start + duration > last)
			last = start + duration;
		range += !known;
	}
	return 0;
}

static void prepare_side(void *ctx, size_t index, bool is_caller)
{
	struct diff *d = ctx;
	struct side *s = &d->side[index];

	(void)is_caller;
	s->rc = make_room(s, &s->err);
	if (s->rc == 0)
		s->rc = make_items(d, s, &s->err);
}

static void set_neighbours(struct side *s)
{
	const struct align_side *a = &s->align;
	uint32_t nearest = ALIGN_NONE;

	for (size_t i = 0; i < a->count; i++) {
		s->before[i] = nearest;
		if (a->partner[i] != ALIGN_NONE && !a->moved[i])
			nearest = (uint32_t)i;
	}
	nearest = ALIGN_NONE;
	for (size_t i = a->count; i > 0; i--) {
		s->behind[i - 1] = nearest;
		if (a->partner[i - 1] != ALIGN_NONE && !a->moved[i - 1])
			nearest = (uint32_t)i - 1;
	}
}

static void place_side(void *ctx, size_t index, bool is_caller)
{
	struct diff *d = ctx;
	struct side *s = &d->side[index];

	(void)is_caller;
	set_neighbours(s);
	s->rc = make_ranges(s, &s->err);
}

/* Times are only asked for when something stands in another place, which is rare. */
static bool wants_ranges(const struct diff *d)
{
	const struct align_side *a = &d->side[0].align;

	return d->options->fidelity == TAPE_SEMANTIC && memchr(a->moved, true, a->count);
}

static void open_side(void *ctx, size_t index, bool is_caller)
{
	struct diff *d = ctx;
	struct side *s = &d->side[index];

	(void)is_caller;
	s->rc = tape_reader_open(s->path, &s->reader, &s->err);
}

static int judge_sides(const struct diff *d, struct error *err)
{
	for (size_t i = 0; i < 2; i++) {
		if (d->side[i].rc < 0) {
			*err = d->side[i].err;
			return d->side[i].rc;
		}
	}
	return 0;
}

static void say_warnings(const struct diff *d)
{
	for (size_t i = 0; i < 2 && d->options->say; i++) {
		const struct tape_reader *r = d->side[i].reader;

		for (size_t k = 0; k < tape_reader_warning_count(r); k++)
			d->options->say(d->options->say_ctx, TAPE_WARNING,
					tape_reader_warning(r, k));
	}
}

static int open_both(struct diff *d, struct error *err)
{
	const struct tape_head *a, *b;
	bool apart;
	int rc;

	d->shown = roots_new();
	if (!d->shown)
		return error_no_memory(err);
	workers_run(2, open_side, d);
	rc = judge_sides(d, err);
	if (rc < 0)
		return rc;
	say_warnings(d);
	a = tape_reader_head(d->side[0].reader);
	b = tape_reader_head(d->side[1].reader);
	apart = d->options->fidelity != TAPE_BYTE && (!differ_same_strings(&a->roots, &b->roots) ||
						      !differ_same_strings(&a->env, &b->env));
	d->side[0].apart = d->side[1].apart = apart;
	d->differ = (struct differ){d->side[0].reader, d->side[1].reader, d->shown,
				    d->options->fidelity, apart};
	workers_run(2, prepare_side, d);
	rc = judge_sides(d, err);
	if (rc == 0 && align(&d->side[0].align, &d->side[1].align) < 0)
		rc = error_no_memory(err);
	if (rc < 0 || !wants_ranges(d))
		return rc;
	workers_run(2, place_side, d);
	return judge_sides(d, err);
}

/* --- What is told ------------------------------------------------------------------------------
 */

/*
 * Of a pair that is not in order: whether chance decided that. The nearest pairs that are in order,
 * before and behind the one, say between what the other should be; units of the same range may
 * change places.
 */
static bool crosses_range(const struct side *mine, const struct side *other, uint32_t here,
			  uint32_t there)
{
	uint32_t before = other->before[there], behind = other->behind[there];
	uint32_t low = before == ALIGN_NONE ? 0 : other->align.partner[before];
	uint32_t high = behind == ALIGN_NONE ? here : other->align.partner[behind];

	if (before != ALIGN_NONE && low > here)
		return mine->range[low] != mine->range[here];
	return high < here && mine->range[high] != mine->range[here];
}

static bool is_moved(const struct diff *d, uint32_t a, uint32_t b)
{
	const struct side *left = &d->side[0], *right = &d->side[1];

	if (!left->align.moved[a] || d->options->fidelity == TAPE_OUTCOME)
		return false;
	if (d->options->fidelity == TAPE_BYTE)
		return true;
	return crosses_range(left, right, a, b) && crosses_range(right, left, b, a);
}

static int tell(struct diff *d, enum tape_difference_kind kind, long a, long b,
		const struct changes *changes, struct error *err)
{
	struct diff_report report = {&d->differ, kind, a, b, changes};
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_free char *json = NULL;
	struct tape_difference difference = {.kind = kind, .a = a, .b = b};
	int rc = d->options->json ? diff_report_json(&report, &json, err)
				  : diff_report_text(&report, &text, err);

	if (rc < 0)
		return rc;
	d->result.differences++;
	difference.text = text.data;
	difference.json = json;
	d->options->tell(d->options->tell_ctx, &difference);
	return 0;
}

static int tell_heads(struct diff *d, struct error *err)
{
	struct changes changes = {NULL, 0};
	int rc = differ_heads(&d->differ, &changes, err);

	if (rc == 0 && changes.count)
		rc = tell(d, TAPE_HEADS, -1, -1, &changes, err);
	changes_clear(&changes);
	return rc;
}

static int tell_pair(struct diff *d, uint32_t a, uint32_t b, struct error *err)
{
	bool moved = is_moved(d, a, b);
	struct changes changes = {NULL, 0};
	int rc = 0;

	if (d->differ.apart || d->side[0].item[a].content != d->side[1].item[b].content)
		rc = differ_units(&d->differ, a, b, &changes, err);
	if (rc == 0 && (moved || changes.count))
		rc = tell(d, moved ? TAPE_MOVED : TAPE_CHANGED, a, b, &changes, err);
	d->result.alike += !moved && !changes.count;
	d->result.changed += changes.count > 0;
	d->result.moved += moved;
	changes_clear(&changes);
	return rc;
}

static void advance(struct diff *d, uint64_t done)
{
	const struct tape_progress *p = &d->options->progress;

	if (!p->tell || done - d->told < TELL_EVERY)
		return;
	d->told = done;
	p->tell(p->ctx, done, d->side[0].align.count + d->side[1].align.count);
}

static int tell_only_b(struct diff *d, uint32_t *b, uint32_t end, struct error *err)
{
	int rc = 0;

	for (; rc == 0 && *b < end; ++*b) {
		if (d->side[1].align.partner[*b] != ALIGN_NONE)
			continue;
		d->result.only_b++;
		rc = tell(d, TAPE_ONLY_B, -1, *b, NULL, err);
	}
	return rc;
}

/* In the order of A; what is only in B comes before the unit of A that stands behind it. */
static int tell_units(struct diff *d, struct error *err)
{
	const struct align_side *left = &d->side[0].align;
	uint32_t b = 0;
	int rc = 0;

	for (uint32_t a = 0; rc == 0 && a < left->count; a++) {
		uint32_t partner = left->partner[a];

		advance(d, (uint64_t)a + b);
		if (partner != ALIGN_NONE && !left->moved[a])
			rc = tell_only_b(d, &b, partner, err);
		if (rc == 0 && partner != ALIGN_NONE)
			rc = tell_pair(d, a, partner, err);
		if (partner == ALIGN_NONE) {
			d->result.only_a++;
			rc = tell(d, TAPE_ONLY_A, a, -1, NULL, err);
		}
	}
	return rc < 0 ? rc : tell_only_b(d, &b, (uint32_t)d->side[1].align.count, err);
}

static void clear_side(struct side *s)
{
	tape_reader_free(s->reader);
	free(s->item);
	free(s->range);
	free(s->before);
	free(s->behind);
	free(s->align.partner);
	free(s->align.moved);
}

int tape_diff(const char *a, const char *b, const struct tape_diff_options *options,
	      struct tape_diff_result *ret, struct error *err)
{
	struct diff *d = calloc(1, sizeof(*d));
	struct error own;
	int rc;

	err = err ? err : &own;
	if (!d)
		return error_no_memory(err);
	d->options = options;
	d->side[0].path = a;
	d->side[1].path = b;
	rc = open_both(d, err);
	if (rc == 0)
		rc = tell_heads(d, err);
	if (rc == 0)
		rc = tell_units(d, err);
	d->result.a_units = d->side[0].align.count;
	d->result.b_units = d->side[1].align.count;
	if (rc == 0)
		*ret = d->result;
	clear_side(&d->side[0]);
	clear_side(&d->side[1]);
	roots_free(d->shown);
	free(d);
	return rc;
}
