#include "tape/score.h"

#include "base/array.h"
#include <stdlib.h>
#include <string.h>

enum state {
	STATE_UNSEEN = 0, /* not spawned in this replay */
	STATE_EXPECTED,	  /* it may be one that is spawned, which is not known yet */
	STATE_PLAYED,	  /* being played, or over */
	STATE_SKIPPED	  /* it did not come when it was due */
};

struct span {
	uint64_t start_ns;
	uint64_t end_ns;
	bool known;
	bool alone;
	bool in_vain; /* who is to come after it has waited for its end in vain */
	unsigned char state;
	size_t rank;	/* its place in by_start */
	size_t cluster; /* the rank of the first of the units that it overlaps, over others */
};

struct playing {
	size_t index;
	uint64_t next_ns;
};

struct score {
	struct span *span; /* by index */
	size_t *by_start;  /* indexes of the known spans */
	size_t *by_end;	   /* the same */
	size_t *unseen;	   /* by the rank of a cluster's first: no unit of it before this rank is
			      unseen */
	size_t count;
	size_t known;
	size_t next_in_sequence; /* rank of what is to come, for score_in_sequence() */
	size_t first_unseen;	 /* no unit before this rank is unseen */
	size_t first_unended;	 /* nor one before this in by_end */
	bool diverged;		 /* units did not come: from now on only those that overlap wait */
	struct playing *playing;
	size_t playing_count;
};

static int compare_starts(const void *a, const void *b, void *spans)
{
	const struct span *span = spans;
	const struct span *x = &span[*(const size_t *)a];
	const struct span *y = &span[*(const size_t *)b];

	if (x->start_ns != y->start_ns)
		return x->start_ns < y->start_ns ? -1 : 1;
	return *(const size_t *)a < *(const size_t *)b ? -1 : 1;
}

static int compare_ends(const void *a, const void *b, void *spans)
{
	const struct span *span = spans;
	uint64_t x = span[*(const size_t *)a].end_ns;
	uint64_t y = span[*(const size_t *)b].end_ns;

	return (x > y) - (x < y);
}

/* In order of start: a unit is alone when all before it ended before it began, and it ended before
 * the next one began. */
static void find_alone(struct score *s)
{
	uint64_t latest_end = 0;
	size_t cluster = 0;

	for (size_t i = 0; i < s->known; i++) {
		struct span *span = &s->span[s->by_start[i]];
		uint64_t next_start =
			i + 1 < s->known ? s->span[s->by_start[i + 1]].start_ns : UINT64_MAX;

		if (span->start_ns >= latest_end)
			cluster = i;
		span->rank = i;
		span->cluster = cluster;
		s->unseen[i] = i;
		span->alone = span->start_ns >= latest_end && span->end_ns <= next_start;
		if (span->end_ns > latest_end)
			latest_end = span->end_ns;
	}
}

int score_new(const struct tape_reader *reader, struct score **ret, struct error *err)
{
	struct score *s = calloc(1, sizeof(*s));
	size_t count = tape_reader_count(reader);
	size_t room = count ? count : 1;

	if (!s)
		return error_no_memory(err);
	s->span = calloc(room, sizeof(*s->span));
	s->by_start = calloc(room, sizeof(*s->by_start));
	s->unseen = calloc(room, sizeof(*s->unseen));
	s->by_end = calloc(room, sizeof(*s->by_end));
	if (!s->span || !s->by_start || !s->unseen || !s->by_end) {
		score_free(s);
		return error_no_memory(err);
	}
	s->count = count;
	for (size_t i = 0; i < count; i++) {
		struct span *span = &s->span[i];
		uint64_t duration_ns = 0;

		span->known = tape_reader_span(reader, i, &span->start_ns, &duration_ns);
		span->end_ns = span->start_ns + duration_ns;
		if (span->known)
			s->by_start[s->known++] = i;
	}
	qsort_r(s->by_start, s->known, sizeof(*s->by_start), compare_starts, s->span);
	memcpy(s->by_end, s->by_start, s->known * sizeof(*s->by_end));
	qsort_r(s->by_end, s->known, sizeof(*s->by_end), compare_ends, s->span);
	find_alone(s);
	*ret = s;
	return 0;
}

void score_free(struct score *s)
{
	if (!s)
		return;
	free(s->span);
	free(s->by_start);
	free(s->by_end);
	free(s->unseen);
	free(s->playing);
	free(s);
}

bool score_is_alone(const struct score *s, size_t index)
{
	return !s->span[index].known || s->span[index].alone;
}

/* The start of the first of all units that has not come yet. */
static uint64_t first_unseen_of_all(struct score *s)
{
	size_t *at = &s->first_unseen;

	if (s->diverged)
		return UINT64_MAX;
	while (*at < s->known && s->span[s->by_start[*at]].state != STATE_UNSEEN)
		++*at;
	return *at < s->known ? s->span[s->by_start[*at]].start_ns : UINT64_MAX;
}

bool score_is_behind(struct score *s, size_t index)
{
	const struct span *span = &s->span[index];

	if (span->known && first_unseen_of_all(s) < span->start_ns)
		return true;
	for (size_t i = 0; span->known && i < s->playing_count; i++) {
		const struct playing *other = &s->playing[i];

		if (other->index != index && s->span[other->index].known &&
		    other->next_ns < span->end_ns)
			return true;
	}
	return false;
}

bool score_is_ready(struct score *s, size_t index)
{
	const struct span *span = &s->span[index];
	size_t *at = &s->first_unended;

	while (*at < s->known && s->span[s->by_end[*at]].state != STATE_UNSEEN)
		++*at;
	return !span->known || *at == s->known || s->span[s->by_end[*at]].end_ns > span->start_ns;
}

bool score_expect(struct score *s, size_t index)
{
	struct span *span = &s->span[index];

	if (span->state != STATE_UNSEEN)
		return false;
	span->state = STATE_EXPECTED;
	return true;
}

void score_expect_no_more(struct score *s, size_t index)
{
	struct span *span = &s->span[index];
	size_t end = 0;

	if (span->state != STATE_EXPECTED)
		return;
	span->state = STATE_UNSEEN;
	if (!span->known)
		return;
	while (s->by_end[end] != index)
		end++;
	if (s->first_unseen > span->rank)
		s->first_unseen = span->rank;
	if (s->first_unended > end)
		s->first_unended = end;
	if (s->unseen[span->cluster] > span->rank)
		s->unseen[span->cluster] = span->rank;
}

bool score_in_sequence(struct score *s, size_t index, size_t *ret_expected)
{
	bool timed = s->known == s->count;
	size_t next = s->next_in_sequence;

	*ret_expected = SIZE_MAX;
	for (; next < s->count && *ret_expected == SIZE_MAX; next++) {
		size_t at = timed ? s->by_start[next] : next;

		if (s->span[at].state != STATE_PLAYED)
			*ret_expected = at;
	}
	s->next_in_sequence = (timed ? s->span[index].rank : index) + 1;
	return *ret_expected == index;
}

static bool was_over(const struct score *s, size_t of, size_t index)
{
	const struct span *other = &s->span[of];
	const struct span *span = &s->span[index];

	return of != index && other->known && span->known && !other->in_vain &&
	       other->end_ns <= span->start_ns;
}

bool score_is_early(const struct score *s, size_t index)
{
	for (size_t i = 0; i < s->playing_count; i++) {
		if (was_over(s, s->playing[i].index, index))
			return true;
	}
	return false;
}

void score_do_without(struct score *s, size_t index)
{
	for (size_t i = 0; i < s->playing_count; i++) {
		if (was_over(s, s->playing[i].index, index))
			s->span[s->playing[i].index].in_vain = true;
	}
}

int score_begin(struct score *s, size_t index, struct error *err)
{
	struct playing *grown = array_grow(s->playing, s->playing_count, sizeof(*grown));

	if (!grown)
		return error_no_memory(err);
	s->playing = grown;
	s->span[index].state = STATE_PLAYED;
	s->playing[s->playing_count++] = (struct playing){index, s->span[index].start_ns};
	return 0;
}

static struct playing *find_playing(struct score *s, size_t index)
{
	for (size_t i = 0; i < s->playing_count; i++) {
		if (s->playing[i].index == index)
			return &s->playing[i];
	}
	return NULL;
}

void score_next(struct score *s, size_t index, uint64_t time_ns)
{
	struct playing *playing = find_playing(s, index);

	if (playing)
		playing->next_ns = time_ns;
}

void score_end(struct score *s, size_t index)
{
	struct playing *playing = find_playing(s, index);

	s->span[index].state = STATE_PLAYED;
	if (playing)
		*playing = s->playing[--s->playing_count];
}

/* The start of the first unit around this one that has not come yet. */
static uint64_t first_unseen(const struct score *s, const struct span *of)
{
	size_t *at = &s->unseen[of->cluster];
	const struct span *span;

	while (*at < s->known && s->span[s->by_start[*at]].state != STATE_UNSEEN)
		++*at;
	if (*at == s->known)
		return UINT64_MAX;
	span = &s->span[s->by_start[*at]];
	return span->cluster == of->cluster ? span->start_ns : UINT64_MAX;
}

uint64_t score_limit(struct score *s, size_t index)
{
	const struct span *span = &s->span[index];
	uint64_t all = first_unseen_of_all(s);
	uint64_t limit;

	if (!span->known)
		return UINT64_MAX;
	limit = first_unseen(s, span);
	if (all < limit)
		limit = all;
	for (size_t i = 0; i < s->playing_count; i++) {
		const struct playing *other = &s->playing[i];

		if (other->index != index && s->span[other->index].known && other->next_ns < limit)
			limit = other->next_ns;
	}
	return limit;
}

void score_give_up(struct score *s, uint64_t until_ns)
{
	for (size_t i = 0; i < s->known; i++) {
		struct span *span = &s->span[s->by_start[i]];

		if (span->start_ns > until_ns)
			break;
		if (span->state == STATE_UNSEEN)
			span->state = STATE_SKIPPED;
	}
	s->diverged = true;
}
