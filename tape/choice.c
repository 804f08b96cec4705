#include "tape/choice.h"

#include "tape/intercept/stub/answer.h"
#include <stdlib.h>
#include <string.h>

struct choice {
	struct choice_from from;
	size_t *candidate;
	size_t count;
	struct buf seen;
};

int choice_new(const struct choice_from *from, const size_t *candidates, size_t count,
	       struct choice **ret, struct error *err)
{
	struct choice *c = calloc(1, sizeof(*c));

	if (c)
		c->candidate = calloc(count, sizeof(*candidates));
	if (!c || !c->candidate) {
		choice_free(c);
		return error_no_memory(err);
	}
	memcpy(c->candidate, candidates, count * sizeof(*candidates));
	c->count = count;
	c->from = *from;
	*ret = c;
	return 0;
}

void choice_free(struct choice *c)
{
	if (!c)
		return;
	free(c->candidate);
	buf_free(&c->seen);
	free(c);
}

int choice_add(struct choice *c, const char *data, size_t len)
{
	return buf_add(&c->seen, data, len);
}

uint64_t choice_seen(const struct choice *c)
{
	return c->seen.len;
}

/* How a record's stdin and what has been read go together. */
struct fit {
	bool fits;
	uint64_t more; /* that the record still wants */
	bool speaks;   /* it wrote something before it read that */
};

static bool speaks_after(const struct unit *u, uint64_t seen)
{
	const struct chunk *chunks = u->time.chunk_count ? u->time.chunks : u->order;
	size_t count = u->time.chunk_count ? u->time.chunk_count : u->order_count;
	uint64_t read = 0;

	for (size_t i = 0; i < count && read <= seen; i++) {
		if (chunks[i].fd == 0)
			read += chunks[i].len ? chunks[i].len : seen + 1;
		else if (chunks[i].fd > 0 && read == seen)
			return true;
	}
	return false;
}

static struct fit compare(const struct choice *c, const struct stream *s,
			  const struct payload_view *view, bool ended)
{
	struct fit fit = {.more = view->len - c->seen.len};

	if (s && s->unseen) /* any may be it */
		return (struct fit){.fits = true};
	fit.fits = view->len >= c->seen.len &&
		   (c->seen.len == 0 || memcmp(view->data, c->seen.data, c->seen.len) == 0) &&
		   (!ended || view->len == c->seen.len);
	if (fit.more == 0 && s && s->eof && !ended)
		fit.more = STUB_STDIN_ALL;
	return fit;
}

static int look_at(const struct choice *c, size_t index, bool ended, struct fit *ret,
		   struct error *err)
{
	struct payload_view view = {0};
	struct unit record = {0};
	const struct stream *s;
	int r = tape_reader_unit(c->from.reader, index, &record, err);

	if (r < 0)
		return r;
	s = unit_stream_const(&record, 0);
	if (s)
		r = tape_reader_payload(c->from.reader, &s->data, c->from.roots, &view, err);
	if (r == 0)
		*ret = compare(c, s, &view, ended);
	ret->speaks = r == 0 && speaks_after(&record, c->seen.len);
	payload_view_clear(&view);
	unit_clear(&record);
	return r;
}

int choice_narrow(struct choice *c, bool ended, size_t *ret_index, uint64_t *ret_until,
		  struct error *err)
{
	/* One that reads nothing fits every beginning: look first. */
	bool at_start = c->seen.len == 0 && !ended;
	size_t satisfied = CHOICE_NONE;
	uint64_t least = 0;
	size_t kept = 0;

	*ret_index = CHOICE_NONE;
	*ret_until = 0;
	for (size_t i = 0; i < c->count; i++) {
		struct fit fit = {.fits = false};
		int r;

		/* Another unit may have got it meanwhile. */
		if (matcher_is_used(c->from.matcher, c->candidate[i]))
			continue;
		r = look_at(c, c->candidate[i], ended, &fit, err);
		if (r < 0)
			return r;
		if (!fit.fits)
			continue;
		if (fit.more == 0 && satisfied == CHOICE_NONE)
			satisfied = c->candidate[i];
		if (fit.more > 0 && (least == 0 || fit.more < least))
			least = fit.more;
		c->candidate[kept++] = c->candidate[i];
	}
	c->count = kept;
	if (satisfied != CHOICE_NONE && (!at_start || least == 0))
		*ret_index = satisfied;
	else if (kept > 0)
		*ret_until = least == STUB_STDIN_ALL ? least : c->seen.len + least;
	return 0;
}

int choice_without_more(struct choice *c, size_t *ret_index, struct error *err)
{
	int r = 0;

	*ret_index = CHOICE_NONE;
	for (size_t i = 0; r == 0 && i < c->count && *ret_index == CHOICE_NONE; i++) {
		struct fit fit = {.fits = false};

		if (matcher_is_used(c->from.matcher, c->candidate[i]))
			continue;
		r = look_at(c, c->candidate[i], false, &fit, err);
		if (fit.fits && (fit.more == 0 || fit.speaks))
			*ret_index = c->candidate[i];
	}
	return r;
}
