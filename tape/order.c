#include "tape/order.h"
#include "base/cleanup.h"
#include <stdlib.h>
#include <string.h>

/* Where one unit goes, while that is being decided. */
struct place {
	uint64_t key;
	uint32_t range;	 /* units of different ranges never change places */
	uint32_t anchor; /* the old index of the unit or of the one it follows, plus 1 */
	uint32_t index;	 /* into the units */
	uint32_t slot;	 /* its position in the result, but for its key */
	uint32_t chain;	 /* among the units of its key and range */
};

/* An old unit that is on the new tape too. */
struct match {
	uint64_t start_ns;
	uint64_t end_ns;
	uint32_t index; /* into the new units */
};

static int compare_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int by_start(const void *left, const void *right)
{
	const struct match *a = left, *b = right;
	int c = compare_u64(a->start_ns, b->start_ns);

	return c ? c : compare_u64(a->index, b->index);
}

static int by_anchor(const void *left, const void *right)
{
	const struct place *a = left, *b = right;
	int c = compare_u64(a->range, b->range);

	if (!c)
		c = compare_u64(a->anchor, b->anchor);
	return c ? c : compare_u64(a->index, b->index);
}

static int by_group(const struct place *a, const struct place *b)
{
	int c = compare_u64(a->range, b->range);

	return c ? c : compare_u64(a->key, b->key);
}

static int by_group_index(const void *left, const void *right)
{
	const struct place *a = left, *b = right;
	int c = by_group(a, b);

	return c ? c : compare_u64(a->index, b->index);
}

static int by_group_slot(const void *left, const void *right)
{
	const struct place *a = left, *b = right;
	int c = by_group(a, b);

	return c ? c : compare_u64(a->slot, b->slot);
}

static int by_group_chain(const void *left, const void *right)
{
	const struct place *a = left, *b = right;
	int c = by_group(a, b);

	if (!c)
		c = compare_u64(a->chain, b->chain);
	return c ? c : compare_u64(a->slot, b->slot);
}

/* The old units that still are there, in the order of their old starts. */
static size_t collect_matches(const struct order_unit *units, size_t count,
			      const struct order_old *old, struct match *matches)
{
	size_t n = 0;
	size_t i;

	for (i = 0; i < count; i++) {
		const struct order_old *o = units[i].old == ORDER_NEW ? NULL : &old[units[i].old];

		if (o && o->end_ns >= o->start_ns)
			matches[n++] = (struct match){o->start_ns, o->end_ns, (uint32_t)i};
	}
	qsort(matches, n, sizeof(*matches), by_start);
	return n;
}

/* joined[i] becomes how many old chains straddle the gap between the new units i - 1 and i. */
static void join_old_chains(const struct match *matches, size_t count, int32_t *joined,
			    size_t joined_count)
{
	size_t first = 0;
	size_t i;

	while (first < count) {
		uint64_t end_ns = matches[first].end_ns;
		uint32_t low = matches[first].index, high = low;

		for (i = first + 1; i < count && matches[i].start_ns <= end_ns; i++) {
			end_ns = matches[i].end_ns > end_ns ? matches[i].end_ns : end_ns;
			low = matches[i].index < low ? matches[i].index : low;
			high = matches[i].index > high ? matches[i].index : high;
		}
		joined[low + 1]++;
		joined[high + 1]--;
		first = i;
	}
	for (i = 1; i < joined_count; i++)
		joined[i] += joined[i - 1];
}

/* Cuts the run into ranges where nothing ran and no old chain straddles, and ties each new unit
 * to the old one before it. */
static void set_ranges(const struct order_unit *units, size_t count, const int32_t *joined,
		       struct place *places)
{
	uint64_t end = 0;
	uint32_t range = 0, anchor = 0;
	size_t i;

	for (i = 0; i < count; i++) {
		if (i && units[i].start > end && !joined[i]) {
			range++;
			anchor = 0;
		}
		if (units[i].old != ORDER_NEW)
			anchor = units[i].old + 1;
		end = units[i].end > end ? units[i].end : end;
		places[i] = (struct place){.key = units[i].key,
					   .range = range,
					   .anchor = anchor,
					   .index = (uint32_t)i};
	}
}

/* Numbers the chains among neighbours of one group, which are in the order of starts. */
static void set_chains(const struct order_unit *units, size_t count, struct place *places)
{
	uint64_t end = 0;
	size_t i;

	for (i = 0; i < count; i++) {
		const struct order_unit *u = &units[places[i].index];

		if (!i || by_group(&places[i - 1], &places[i]) != 0)
			end = 0;
		else
			places[i].chain = places[i - 1].chain + (u->start > end);
		end = u->end > end ? u->end : end;
	}
}

/*
 * A replay hands out units of one key first in, first out: those that really came one after the
 * other must stay so. They trade places among themselves only.
 */
static void sort_equal_keys(const struct order_unit *units, size_t count, struct place *places,
			    struct place *slots, uint32_t *ret_order)
{
	size_t i;

	qsort(places, count, sizeof(*places), by_group_index);
	set_chains(units, count, places);
	memcpy(slots, places, count * sizeof(*places));
	qsort(slots, count, sizeof(*slots), by_group_slot);
	qsort(places, count, sizeof(*places), by_group_chain);
	for (i = 0; i < count; i++)
		ret_order[slots[i].slot] = places[i].index;
}

int order_units(const struct order_unit *units, size_t count, const struct order_old *old,
		size_t old_count, uint32_t *ret_order)
{
	cleanup_free struct match *matches = calloc(count + 1, sizeof(*matches));
	cleanup_free int32_t *joined = calloc(count + 2, sizeof(*joined));
	cleanup_free struct place *places = calloc(count + 1, sizeof(*places));
	cleanup_free struct place *slots = calloc(count + 1, sizeof(*slots));
	size_t i;

	if (!matches || !joined || !places || !slots)
		return ERR_NOMEM;
	if (old_count)
		join_old_chains(matches, collect_matches(units, count, old, matches), joined,
				count + 2);
	set_ranges(units, count, joined, places);
	qsort(places, count, sizeof(*places), by_anchor);
	for (i = 0; i < count; i++)
		places[i].slot = (uint32_t)i;
	sort_equal_keys(units, count, places, slots, ret_order);
	return 0;
}
