#include "tape/orders.h"

#include <stdlib.h>

/* Of a unit of which it is not known. */
#define NEVER UINT64_MAX

struct moment {
	uint64_t time_ns; /* of the start (strict), or of the end (causal) */
	uint32_t index;
};

struct orders {
	const struct matcher *matcher;
	enum tape_order order;
	size_t count;
	size_t next;	       /* all before it in `sorted` are used */
	struct moment *sorted; /* NULL: every record may answer */
	uint64_t *start_ns; /* causal: by index; of an unknown one 0, so that it waits for none */
};

static int by_time(const void *left, const void *right)
{
	const struct moment *a = left, *b = right;

	if (a->time_ns != b->time_ns)
		return a->time_ns < b->time_ns ? -1 : 1;
	return (a->index > b->index) - (a->index < b->index);
}

static bool is_sorted(const struct orders *o)
{
	size_t i = 1;

	while (i < o->count && by_time(&o->sorted[i - 1], &o->sorted[i]) < 0)
		i++;
	return i >= o->count;
}

/* Starts of which one is not known cannot be compared: then they are those of the tape. */
static void read_starts(struct orders *o, const struct tape_reader *reader)
{
	bool known = true;
	uint64_t duration_ns;

	for (size_t i = 0; known && i < o->count; i++)
		known = tape_reader_span(reader, i, &o->sorted[i].time_ns, &duration_ns);
	for (size_t i = 0; !known && i < o->count; i++)
		o->sorted[i].time_ns = 0;
}

static void read_ends(struct orders *o, const struct tape_reader *reader)
{
	for (size_t i = 0; i < o->count; i++) {
		uint64_t start_ns, duration_ns;

		o->sorted[i].time_ns = NEVER;
		if (!tape_reader_span(reader, i, &start_ns, &duration_ns))
			continue;
		o->start_ns[i] = start_ns;
		o->sorted[i].time_ns =
			duration_ns < NEVER - start_ns ? start_ns + duration_ns : NEVER;
	}
}

static int fill(struct orders *o, const struct tape_reader *reader)
{
	o->sorted = calloc(o->count + 1, sizeof(*o->sorted));
	o->start_ns = o->order == TAPE_CAUSAL ? calloc(o->count + 1, sizeof(*o->start_ns)) : NULL;
	if (!o->sorted || (o->order == TAPE_CAUSAL && !o->start_ns))
		return ERR_NOMEM;
	for (size_t i = 0; i < o->count; i++)
		o->sorted[i].index = (uint32_t)i;
	if (o->order == TAPE_CAUSAL)
		read_ends(o, reader);
	else
		read_starts(o, reader);
	if (!is_sorted(o))
		qsort(o->sorted, o->count, sizeof(*o->sorted), by_time);
	return 0;
}

int orders_new(const struct tape_reader *reader, const struct matcher *matcher,
	       enum tape_order order, struct orders **ret, struct error *err)
{
	struct orders *o = calloc(1, sizeof(*o));

	if (!o)
		return error_no_memory(err);
	o->matcher = matcher;
	o->order = order;
	o->count = tape_reader_count(reader);
	if (order != TAPE_ANY && fill(o, reader) < 0) {
		orders_free(o);
		return error_no_memory(err);
	}
	*ret = o;
	return 0;
}

void orders_free(struct orders *o)
{
	if (!o)
		return;
	free(o->sorted);
	free(o->start_ns);
	free(o);
}

size_t orders_before(struct orders *o, size_t index)
{
	const struct moment *first;

	if (!o->sorted)
		return ORDERS_NONE;
	while (o->next < o->count && matcher_is_used(o->matcher, o->sorted[o->next].index))
		o->next++;
	if (o->next == o->count)
		return ORDERS_NONE;
	first = &o->sorted[o->next];
	if (first->index == index)
		return ORDERS_NONE;
	/* At the same moment is not before it: a mock clock may stand still. */
	if (o->order == TAPE_CAUSAL && first->time_ns >= o->start_ns[index])
		return ORDERS_NONE;
	return first->index;
}
