#include "tape/orders.h"

#include "tape/workers.h"
#include <stdatomic.h>
#include <stdlib.h>

/* Of a unit of which it is not known. */
#define NEVER UINT64_MAX

struct moment {
	uint64_t time_ns; /* of the start (strict), or of the end (causal) */
	uint32_t episode; /* causal: only times of one episode are comparable */
	uint32_t index;
};

/* The records of an episode. */
struct episode {
	uint32_t number;
	size_t next; /* in `sorted`: the first that may be unused */
	size_t end;
};

struct orders {
	const struct matcher *matcher;
	enum tape_order order;
	size_t count;
	struct moment *sorted;	  /* by episode and time; NULL: every record may answer */
	struct episode *episodes; /* ascending */
	size_t episode_count;
};

static int by_time(const void *left, const void *right)
{
	const struct moment *a = left, *b = right;

	if (a->episode != b->episode)
		return a->episode < b->episode ? -1 : 1;
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

/* Reading the times of many records, as jobs of some thousands each. */
#define TIMES_PER_JOB ((size_t)32768)

struct times {
	struct orders *orders;
	const struct tape_reader *reader;
	atomic_bool unknown; /* a time of at least one */
};

static void read_start(struct times *t, struct moment *start)
{
	uint64_t duration_ns;

	if (!tape_reader_span(t->reader, start->index, &start->time_ns, &duration_ns))
		t->unknown = true;
}

static void read_end(struct times *t, struct moment *end)
{
	uint64_t start_ns, duration_ns;

	end->time_ns = NEVER;
	if (tape_reader_episode(t->reader, end->index, &start_ns, &duration_ns, &end->episode) &&
	    duration_ns < NEVER - start_ns)
		end->time_ns = start_ns + duration_ns;
}

static void read_some(void *times, size_t job, bool is_caller)
{
	struct times *t = times;
	struct orders *o = t->orders;

	(void)is_caller;
	for (size_t i = job * TIMES_PER_JOB; i < o->count && i < (job + 1) * TIMES_PER_JOB; i++) {
		o->sorted[i].index = (uint32_t)i;
		if (o->order == TAPE_ORDER_CAUSAL)
			read_end(t, &o->sorted[i]);
		else
			read_start(t, &o->sorted[i]);
	}
}

static void read_times(struct orders *o, const struct tape_reader *reader)
{
	struct times t = {.orders = o, .reader = reader};

	workers_run((o->count + TIMES_PER_JOB - 1) / TIMES_PER_JOB, read_some, &t);
	/* Starts of which one is not known cannot be compared: then they are those of the tape. */
	for (size_t i = 0; t.unknown && i < o->count; i++)
		o->sorted[i].time_ns = 0;
}

static int find_episodes(struct orders *o)
{
	for (size_t i = 0; i < o->count; i++) {
		struct episode *grown;

		if (i > 0 && o->sorted[i].episode == o->sorted[i - 1].episode) {
			o->episodes[o->episode_count - 1].end = i + 1;
			continue;
		}
		grown = reallocarray(o->episodes, o->episode_count + 1, sizeof(*grown));
		if (!grown)
			return ERR_NOMEM;
		o->episodes = grown;
		grown[o->episode_count++] = (struct episode){o->sorted[i].episode, i, i + 1};
	}
	return 0;
}

static int fill(struct orders *o, const struct tape_reader *reader)
{
	o->sorted = calloc(o->count + 1, sizeof(*o->sorted));
	if (!o->sorted)
		return ERR_NOMEM;
	read_times(o, reader);
	if (!is_sorted(o))
		qsort(o->sorted, o->count, sizeof(*o->sorted), by_time);
	return find_episodes(o);
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
	if (order != TAPE_ORDER_ANY && fill(o, reader) < 0) {
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
	free(o->episodes);
	free(o);
}

static int by_number(const void *number, const void *episode)
{
	uint32_t a = *(const uint32_t *)number;
	uint32_t b = ((const struct episode *)episode)->number;

	return (a > b) - (a < b);
}

size_t orders_before(struct orders *o, size_t index, const struct unit_time *time)
{
	bool causal = o->order == TAPE_ORDER_CAUSAL;
	const uint32_t number = causal ? time->episode : 0;
	const struct moment *first;
	struct episode *episode;

	if (!o->sorted || (causal && !time->known))
		return ORDERS_NONE;
	episode = bsearch(&number, o->episodes, o->episode_count, sizeof(*o->episodes), by_number);
	while (episode && episode->next < episode->end &&
	       matcher_is_used(o->matcher, o->sorted[episode->next].index))
		episode->next++;
	if (!episode || episode->next == episode->end)
		return ORDERS_NONE;
	first = &o->sorted[episode->next];
	if (first->index == index)
		return ORDERS_NONE;
	/* At the same moment is not before it: a mock clock may stand still. */
	if (causal && first->time_ns >= time->start_ns)
		return ORDERS_NONE;
	return first->index;
}
