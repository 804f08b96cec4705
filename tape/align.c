#include "tape/align.h"
#include "base/array.h"
#include "base/cleanup.h"
#include <stdlib.h>
#include <string.h>

/* By what a pass finds partners. */
enum pass {
	CONTENT_UNIQUE, /* that are there once on each side: the surest */
	CONTENT_COUNTED,
	KEY_UNIQUE,
	KEY_COUNTED
};

/* Two runs of items between partners that are settled. */
struct segment {
	uint32_t a, a_end;
	uint32_t b, b_end;
};

struct segments {
	struct segment *item;
	size_t count;
};

struct ranked {
	uint64_t value;
	uint32_t index;
};

struct pair {
	uint32_t a;
	uint32_t b;
};

struct aligner {
	struct align_side *a;
	struct align_side *b;
	struct ranked *ranked_a;
	struct ranked *ranked_b;
	struct pair *pairs;  /* candidates of one segment */
	uint32_t *tail;	     /* of the longest ordered list of each length: an index of a pair */
	uint32_t *before;    /* the pair before this one in its list */
	struct segments now; /* those of this pass */
	struct segments next;
};

static uint64_t value_of(const struct align_item *item, enum pass pass)
{
	return pass < KEY_UNIQUE ? item->content : item->key;
}

static int by_value(const void *left, const void *right)
{
	const struct ranked *a = left, *b = right;

	if (a->value != b->value)
		return a->value < b->value ? -1 : 1;
	return (a->index > b->index) - (a->index < b->index);
}

static int by_a(const void *left, const void *right)
{
	const struct pair *a = left, *b = right;

	return (a->a > b->a) - (a->a < b->a);
}

static size_t rank(const struct align_side *side, uint32_t from, uint32_t end, enum pass pass,
		   struct ranked *ret)
{
	size_t count = 0;

	for (uint32_t i = from; i < end; i++) {
		if (side->partner[i] == ALIGN_NONE)
			ret[count++] = (struct ranked){value_of(&side->item[i], pass), i};
	}
	qsort(ret, count, sizeof(*ret), by_value);
	return count;
}

static size_t run_length(const struct ranked *ranked, size_t at, size_t count)
{
	size_t n = at;

	while (n < count && ranked[n].value == ranked[at].value)
		n++;
	return n - at;
}

/* Of equal values the first goes with the first, and so on; or only those that are alone. */
static size_t make_pairs(struct aligner *al, size_t a_count, size_t b_count, bool unique)
{
	size_t i = 0, k = 0, count = 0;

	while (i < a_count && k < b_count) {
		uint64_t a = al->ranked_a[i].value, b = al->ranked_b[k].value;
		size_t a_run = a <= b ? run_length(al->ranked_a, i, a_count) : 0;
		size_t b_run = b <= a ? run_length(al->ranked_b, k, b_count) : 0;
		size_t both = a_run < b_run ? a_run : b_run;

		if (unique && (a_run != 1 || b_run != 1))
			both = 0;
		for (size_t n = 0; n < both; n++)
			al->pairs[count++] =
				(struct pair){al->ranked_a[i + n].index, al->ranked_b[k + n].index};
		i += a_run;
		k += b_run;
	}
	qsort(al->pairs, count, sizeof(*al->pairs), by_a);
	return count;
}

static void join(struct aligner *al, uint32_t a, uint32_t b, bool moved)
{
	al->a->partner[a] = b;
	al->b->partner[b] = a;
	al->a->moved[a] = al->b->moved[b] = moved;
}

/* The longest list of pairs that is in the order of both sides (patience sorting). */
static void join_ordered(struct aligner *al, size_t count)
{
	size_t length = 0;
	uint32_t at;

	for (uint32_t i = 0; i < count; i++) {
		size_t low = 0, high = length;

		while (low < high) {
			size_t middle = (low + high) / 2;

			if (al->pairs[al->tail[middle]].b < al->pairs[i].b)
				low = middle + 1;
			else
				high = middle;
		}
		al->before[i] = low ? al->tail[low - 1] : ALIGN_NONE;
		al->tail[low] = i;
		length += low == length;
	}
	for (at = length ? al->tail[length - 1] : ALIGN_NONE; at != ALIGN_NONE; at = al->before[at])
		join(al, al->pairs[at].a, al->pairs[at].b, false);
}

/* What is equal at both ends belongs together anyway, and most tapes differ in few places. */
static void trim(struct aligner *al, struct segment *s, enum pass pass)
{
	while (s->a < s->a_end && s->b < s->b_end &&
	       value_of(&al->a->item[s->a], pass) == value_of(&al->b->item[s->b], pass))
		join(al, s->a++, s->b++, false);
	while (s->a < s->a_end && s->b < s->b_end &&
	       value_of(&al->a->item[s->a_end - 1], pass) ==
		       value_of(&al->b->item[s->b_end - 1], pass))
		join(al, --s->a_end, --s->b_end, false);
}

static int add_segment(struct segments *list, const struct segment *s)
{
	struct segment *item;

	if (s->a == s->a_end || s->b == s->b_end)
		return 0;
	item = array_grow(list->item, list->count, sizeof(*item));
	if (!item)
		return ERR_NOMEM;
	list->item = item;
	item[list->count++] = *s;
	return 0;
}

/* The gaps between the partners of a segment. */
static int split(struct aligner *al, const struct segment *s)
{
	struct segment gap = {s->a, s->a, s->b, s->b};
	int rc = 0;

	for (uint32_t i = s->a; rc == 0 && i < s->a_end; i++) {
		uint32_t partner = al->a->partner[i];

		gap.a_end = i;
		if (partner == ALIGN_NONE)
			continue;
		gap.b_end = partner;
		rc = add_segment(&al->next, &gap);
		gap = (struct segment){i + 1, i + 1, partner + 1, partner + 1};
	}
	gap.a_end = s->a_end;
	gap.b_end = s->b_end;
	return rc < 0 ? rc : add_segment(&al->next, &gap);
}

static int refine(struct aligner *al, struct segment s, enum pass pass)
{
	bool unique = pass == CONTENT_UNIQUE || pass == KEY_UNIQUE;
	size_t a_count, b_count;

	trim(al, &s, pass);
	if (s.a == s.a_end || s.b == s.b_end)
		return 0;
	a_count = rank(al->a, s.a, s.a_end, pass, al->ranked_a);
	b_count = rank(al->b, s.b, s.b_end, pass, al->ranked_b);
	join_ordered(al, make_pairs(al, a_count, b_count, unique));
	return split(al, &s);
}

static int run_pass(struct aligner *al, enum pass pass)
{
	int rc = 0;

	al->next.count = 0;
	for (size_t i = 0; rc == 0 && i < al->now.count; i++)
		rc = refine(al, al->now.item[i], pass);
	if (rc == 0) {
		struct segments swapped = al->now;

		al->now = al->next;
		al->next = swapped;
	}
	return rc;
}

static void join_moved(struct aligner *al, enum pass pass)
{
	size_t a_count = rank(al->a, 0, (uint32_t)al->a->count, pass, al->ranked_a);
	size_t b_count = rank(al->b, 0, (uint32_t)al->b->count, pass, al->ranked_b);
	size_t count = make_pairs(al, a_count, b_count, false);

	for (size_t i = 0; i < count; i++)
		join(al, al->pairs[i].a, al->pairs[i].b, true);
}

static int align_in(struct aligner *al)
{
	static const enum pass passes[] = {CONTENT_UNIQUE, CONTENT_UNIQUE, CONTENT_COUNTED,
					   KEY_UNIQUE, KEY_COUNTED};
	const struct segment all = {0, (uint32_t)al->a->count, 0, (uint32_t)al->b->count};
	int rc = add_segment(&al->now, &all);

	for (size_t i = 0; rc == 0 && i < sizeof(passes) / sizeof(passes[0]); i++)
		rc = run_pass(al, passes[i]);
	if (rc == 0) {
		join_moved(al, CONTENT_COUNTED);
		join_moved(al, KEY_COUNTED);
	}
	return rc;
}

int align(struct align_side *a, struct align_side *b)
{
	size_t most = (a->count > b->count ? a->count : b->count) + 1;
	cleanup_free struct ranked *ranked_a = calloc(a->count + 1, sizeof(*ranked_a));
	cleanup_free struct ranked *ranked_b = calloc(b->count + 1, sizeof(*ranked_b));
	cleanup_free struct pair *pairs = calloc(most, sizeof(*pairs));
	cleanup_free uint32_t *tail = calloc(most, sizeof(*tail));
	cleanup_free uint32_t *before = calloc(most, sizeof(*before));
	struct aligner al = {.a = a,
			     .b = b,
			     .ranked_a = ranked_a,
			     .ranked_b = ranked_b,
			     .pairs = pairs,
			     .tail = tail,
			     .before = before};
	int rc = ERR_NOMEM;

	for (size_t i = 0; i < a->count; i++)
		a->partner[i] = ALIGN_NONE;
	for (size_t i = 0; i < b->count; i++)
		b->partner[i] = ALIGN_NONE;
	memset(a->moved, 0, a->count * sizeof(*a->moved));
	memset(b->moved, 0, b->count * sizeof(*b->moved));
	if (ranked_a && ranked_b && pairs && tail && before)
		rc = align_in(&al);
	free(al.now.item);
	free(al.next.item);
	return rc;
}
