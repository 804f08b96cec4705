#include "tape/command_parts.h"

#include "base/cleanup.h"
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 1 /* mostly the first record is it */
#define MORE_ROOM  16

/* A search for the record that answers a command. */
struct search {
	struct tape *tape;
	const struct unit *command;
	struct bytes input;
	size_t found;	   /* or ORDERS_NONE, as all that follow */
	size_t no_reader;  /* the first that fits any input, and may answer */
	size_t late;	   /* the first that fits, but has to wait for another */
	size_t late_for;   /* for that one */
	size_t other;	   /* the first with another input */
	size_t unfinished; /* the first that did not end */
};

/* How a record's stdin and the input go together. */
enum fit { FIT_NONE, FIT_ANY, FIT_READ };

/* What a command had not read, or was not seen to read, does not count; where there was nothing to
 * read, there has to be nothing now. */
static enum fit fit_bytes(const struct stream *s, struct bytes wanted, struct bytes input)
{
	bool nothing = s->kind == STREAM_NULL || s->kind == STREAM_CLOSED;

	if (s->unseen)
		return FIT_ANY;
	if (wanted.len > input.len ||
	    (wanted.len && memcmp(wanted.data, input.data, wanted.len) != 0))
		return FIT_NONE;
	if ((s->eof || nothing) && wanted.len != input.len)
		return FIT_NONE;
	return wanted.len || s->eof ? FIT_READ : FIT_ANY;
}

static int fit_record(const struct search *search, const struct unit *record, enum fit *ret,
		      struct error *err)
{
	const struct tape *t = search->tape;
	const struct stream *s = unit_stream_const(record, 0);
	struct payload_view view;
	int r;

	*ret = FIT_ANY;
	if (!s)
		return 0;
	r = tape_reader_payload(t->reader, &s->data, t->session.roots, &view, err);
	if (r < 0)
		return r;
	*ret = fit_bytes(s, (struct bytes){view.data, view.len}, search->input);
	payload_view_clear(&view);
	return 0;
}

static void note_first(size_t *which, size_t index)
{
	if (*which == ORDERS_NONE)
		*which = index;
}

static int look_at(struct search *s, size_t index, struct error *err)
{
	const struct unit *record;
	size_t before;
	enum fit fit;
	int r = matcher_peek(s->tape->matcher, index, &record, err);

	if (r < 0)
		return r;
	if (record->end.how == END_UNFINISHED) {
		note_first(&s->unfinished, index);
		return 0;
	}
	r = fit_record(s, record, &fit, err);
	if (r < 0 || fit == FIT_NONE) {
		note_first(&s->other, index);
		return r;
	}
	before = orders_before(s->tape->orders, index, &record->time);
	if (before != ORDERS_NONE && s->late == ORDERS_NONE) {
		s->late = index;
		s->late_for = before;
	}
	if (before == ORDERS_NONE)
		note_first(fit == FIT_READ || s->input.len == 0 ? &s->found : &s->no_reader, index);
	return 0;
}

/* Looks at the candidates behind those that were seen. *ret_count: how many there are so far. */
static int look_at_some(struct search *s, size_t seen, size_t room, size_t *ret_count,
			struct error *err)
{
	cleanup_free size_t *candidates = calloc(room, sizeof(*candidates));
	int r;

	if (!candidates)
		return error_no_memory(err);
	r = matcher_find(s->tape->matcher, s->command, candidates, room, ret_count, err);
	for (size_t i = seen; r == 0 && i < *ret_count && s->found == ORDERS_NONE; i++)
		r = look_at(s, candidates[i], err);
	return r;
}

static int look_for(struct search *s, struct error *err)
{
	size_t seen = 0, count = 0, room = FIRST_ROOM;
	int r = look_at_some(s, seen, room, &count, err);

	while (r == 0 && s->found == ORDERS_NONE && count == room) {
		seen = count;
		room *= MORE_ROOM;
		r = look_at_some(s, seen, room, &count, err);
	}
	if (s->found == ORDERS_NONE)
		s->found = s->no_reader;
	/* New episodes are told apart by what is asked, not by when. */
	if (s->found == ORDERS_NONE && s->tape->mode == TAPE_NEW_EPISODES)
		s->found = s->late;
	return r;
}

/* The order is the last thing that kept a record from answering, and so on. */
static void set_kind(const struct search *s, struct divergence_facts *facts)
{
	facts->kind = DIVERGENCE_NO_RECORD;
	facts->record = NO_UNIT;
	if (s->late != ORDERS_NONE) {
		facts->kind = DIVERGENCE_ORDER;
		facts->record = s->late_for;
	} else if (s->other != ORDERS_NONE) {
		facts->kind = DIVERGENCE_INPUT;
		facts->record = s->other;
	} else if (s->unfinished != ORDERS_NONE) {
		facts->kind = DIVERGENCE_UNFINISHED;
		facts->record = s->unfinished;
	}
}

static int add_divergence(struct tape *t, const struct divergence_facts *facts, struct error *err)
{
	struct tape_divergence **grown;
	struct tape_divergence *d;
	int r;

	grown = reallocarray(t->divergences, t->divergence_count + 1,
			     sizeof(struct tape_divergence *));
	if (!grown)
		return error_no_memory(err);
	t->divergences = grown;
	r = command_divergence_new(facts, &d, err);
	if (r < 0)
		return r;
	grown[t->divergence_count++] = d;
	return command_divergence_error(d, t->path, err);
}

static int diverge(const struct search *s, struct error *err)
{
	struct tape *t = s->tape;
	struct divergence_facts facts = {
		.from = {t->matcher, t->session.roots, t->expected ? t->expected - 1 : NO_UNIT},
		.command = s->command,
		.input = s->input,
	};

	set_kind(s, &facts);
	return add_divergence(t, &facts, err);
}

int command_find(struct tape_child *c, const struct tape_command *command, bool *ret_found,
		 struct error *err)
{
	struct tape *t = c->tape;
	struct search search = {
		.tape = t,
		.command = &c->unit,
		.input = {command->input, command->input_len},
		.found = ORDERS_NONE,
		.no_reader = ORDERS_NONE,
		.late = ORDERS_NONE,
		.late_for = ORDERS_NONE,
		.other = ORDERS_NONE,
		.unfinished = ORDERS_NONE,
	};
	struct unit record;
	int r;

	if (t->in_sequence)
		matcher_read_ahead(t->matcher);
	r = look_for(&search, err);
	*ret_found = false;
	if (r < 0)
		return r;
	if (search.found == ORDERS_NONE)
		return t->mode == TAPE_NEW_EPISODES ? 0 : diverge(&search, err);
	r = matcher_take(t->matcher, search.found, &record, err);
	if (r < 0)
		return r;
	t->in_sequence = search.found == t->expected;
	t->expected = search.found + 1;
	unit_clear(&c->unit);
	c->unit = record;
	*ret_found = true;
	return 0;
}

static int add_payload(const struct tape *t, const struct payload *p, struct buf *out,
		       struct error *err)
{
	struct payload_view view;
	int r = tape_reader_payload(t->reader, p, t->session.roots, &view, err);

	if (r < 0)
		return r;
	if (buf_add(out, view.data, view.len) < 0)
		r = error_no_memory(err);
	payload_view_clear(&view);
	return r;
}

/* All that came to one stream, also from descendants, behind what is in `out`. */
static int add_stream(const struct tape_child *c, int fd, struct buf *out, struct error *err)
{
	const struct stream *s = unit_stream_const(&c->unit, fd);
	int r = s ? add_payload(c->tape, &s->data, out, err) : 0;

	return r == 0 && s ? add_payload(c->tape, &s->tail, out, err) : r;
}

/* With one stream for both, or asked for together, all is in the first. */
static int add_output(const struct tape_child *c, struct buf *out, struct buf *errors,
		      struct error *err)
{
	const struct stream *s = unit_stream_const(&c->unit, 1);
	bool merged = c->merge || (s && s->kind == STREAM_SAME && s->same_as == 2);
	int r = buf_add(out, "", 0) < 0 || buf_add(errors, "", 0) < 0 ? error_no_memory(err) : 0;

	if (r == 0)
		r = add_stream(c, 1, out, err);
	return r == 0 ? add_stream(c, 2, merged ? out : errors, err) : r;
}

static int move_clock(const struct tape_child *c, uint64_t duration_ns, struct error *err)
{
	if (!tape_clock_is_mock(c->tape->clock))
		return 0;
	if (duration_ns > UINT64_MAX - c->started_ns)
		return error_set(err, ERR_LIMIT, "a record of %s lasts too long for the mock clock",
				 c->tape->path);
	return tape_clock_advance_to(c->tape->clock, c->started_ns + duration_ns, err);
}

int command_answer(struct tape_child *c, struct tape_result *ret, struct error *err)
{
	cleanup_buf struct buf out = BUF_INIT;
	cleanup_buf struct buf errors = BUF_INIT;
	uint64_t duration_ns = c->unit.time.known ? c->unit.time.duration_ns : 0;
	int r = add_output(c, &out, &errors, err);

	if (r == 0)
		r = move_clock(c, duration_ns, err);
	if (r < 0)
		return r;
	command_set_end(&c->unit, ret);
	ret->replayed = true;
	ret->duration_ns = duration_ns;
	ret->out_len = out.len;
	ret->err_len = errors.len;
	ret->out = buf_steal(&out);
	ret->err = buf_steal(&errors);
	return 0;
}
