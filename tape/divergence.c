#include "tape/divergence.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "tape/distance.h"
#include "tape/json_values.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A tape of a million records is not searched to the end for a message. */
#define RECORDS_COMPARED 20000
#define NEAREST_TOLD	 3
/* Of each of two inputs, from where they differ. */
#define EXCERPT		 60

static const struct {
	const char *name;
	const char *title;
} kinds[] = {
	[DIVERGENCE_NO_RECORD] = {"no_record", "no record for this command"},
	[DIVERGENCE_USED] = {"used", "no record is left for this command"},
	[DIVERGENCE_INPUT] = {"input",
			      "the input of this command is not what the recorded one read"},
	[DIVERGENCE_ORDER] = {"order", "this command comes out of the recorded order"},
	[DIVERGENCE_UNFINISHED] = {"unfinished", "the recording ended before this command did"},
};

/* Of an unfinished one, where it is the recording that did not come to its end. */
#define BROKE_OFF "the recording broke off in this command"

void divergence_clear(struct divergence *d)
{
	buf_free(&d->text);
	json_decref(d->json);
	*d = (struct divergence){.kind = DIVERGENCE_NO_RECORD};
}

/* Both forms of a thing are added together. `value` is taken; false when out of memory. */
static bool set(json_t *object, const char *name, json_t *value)
{
	return json_object_set_new(object, name, value) == 0;
}

static bool set_command(json_t *object, const struct unit *u)
{
	return set(object, "argv", json_of_argv(u)) && set(object, "cwd", json_of_cwd(u)) &&
	       (u->env_count == 0 || set(object, "env", json_of_env(u)));
}

static bool add_quoted(struct buf *out, const struct buf *word)
{
	return text_quote(out, word->data, word->len) == 0;
}

static bool begin_as(struct divergence *d, enum divergence_kind kind, const char *title,
		     const struct unit *command)
{
	d->kind = kind;
	d->json = json_object();
	return d->json && set(d->json, "kind", json_string(kinds[kind].name)) &&
	       set_command(d->json, command) && buf_addf(&d->text, "%s:\n    ", title) == 0 &&
	       unit_add_text(&d->text, command) == 0;
}

static bool begin(struct divergence *d, enum divergence_kind kind, const struct unit *command)
{
	return begin_as(d, kind, kinds[kind].title, command);
}

/* {"id": …, "argv": …, "cwd": …}; `record` is borrowed. */
static json_t *json_of_record(const struct unit *record)
{
	char id[UNIT_ID_SIZE];
	json_t *object = json_object();

	unit_id_format(record->id, id);
	if (object && set(object, "id", json_string(id)) && set_command(object, record))
		return object;
	json_decref(object);
	return NULL;
}

static bool add_record_line(struct divergence *d, const char *title, const struct unit *record)
{
	char id[UNIT_ID_SIZE];

	unit_id_format(record->id, id);
	return buf_addf(&d->text, "\n  %s, %s:\n    ", title, id) == 0 &&
	       unit_add_text(&d->text, record) == 0;
}

/* The record that a person is told of first. */
static bool add_record(struct divergence *d, const char *title, const char *name,
		       const struct unit *record)
{
	unit_id_format(record->id, d->record);
	return set(d->json, name, json_of_record(record)) && add_record_line(d, title, record);
}

/* What a session did last that agreed. */
static int add_last(struct divergence *d, const struct divergence_from *from, struct error *err)
{
	struct unit record = {0};
	bool done;
	int r;

	if (from->last == NO_UNIT)
		return set(d->json, "last", json_null()) ? 0 : error_no_memory(err);
	r = tape_reader_command(matcher_reader(from->matcher), from->last, &record, err);
	if (r < 0)
		return r;
	done = set(d->json, "last", json_of_record(&record)) &&
	       add_record_line(d, "the last command that was answered", &record);
	unit_clear(&record);
	return done ? 0 : error_no_memory(err);
}

/* The nearest unused records */

struct near {
	size_t index;
	unsigned distance;
};

struct nearest {
	struct near list[NEAREST_TOLD];
	size_t count;
};

/* Of those that are as near, the first that comes stays in front. */
static void insert(struct nearest *n, struct near found)
{
	size_t i = n->count < NEAREST_TOLD ? n->count++ : NEAREST_TOLD - 1;

	if (i == NEAREST_TOLD - 1 && n->list[i].distance <= found.distance &&
	    n->count == NEAREST_TOLD && n->list[i].index != NO_UNIT)
		return;
	while (i > 0 && n->list[i - 1].distance > found.distance) {
		n->list[i] = n->list[i - 1];
		i--;
	}
	n->list[i] = found;
}

/* From where the session stands, since what comes next there is meant most likely. */
static int find_nearest(const struct divergence_from *from, const struct unit *command,
			struct nearest *ret, struct error *err)
{
	size_t count = tape_reader_count(matcher_reader(from->matcher));
	size_t first = from->last == NO_UNIT ? 0 : from->last + 1;
	size_t compared = 0;

	*ret = (struct nearest){.count = 0};
	for (size_t i = 0; i < NEAREST_TOLD; i++)
		ret->list[i].index = NO_UNIT;
	for (size_t i = 0; i < count && compared < RECORDS_COMPARED; i++) {
		size_t index = (first + i) % count;
		struct unit record = {0};
		int r;

		if (matcher_is_used(from->matcher, index))
			continue;
		r = tape_reader_command(matcher_reader(from->matcher), index, &record, err);
		if (r < 0)
			return r;
		insert(ret, (struct near){index, command_distance(&record, command)});
		unit_clear(&record);
		compared++;
	}
	return 0;
}

static bool add_value(struct buf *out, const struct buf *value)
{
	return value ? add_quoted(out, value) : buf_add_str(out, "(nothing)") == 0;
}

static json_t *json_of_value(const struct buf *value)
{
	return value ? json_of_buf(value) : json_null();
}

static bool name_change(const struct command_change *c, struct buf *ret)
{
	switch (c->kind) {
	case CHANGE_ARG:
		return buf_addf(ret, "argv[%zu]", c->now ? c->now_index : c->recorded_index) == 0;
	case CHANGE_CWD:
		return buf_add_str(ret, "cwd") == 0;
	default:
		return buf_add_str(ret, "env ") == 0 && add_quoted(ret, c->name);
	}
}

static bool add_change(struct buf *out, json_t *differences, const struct command_change *c)
{
	cleanup_buf struct buf name = BUF_INIT;
	json_t *object = json_object();

	return json_array_append_new(differences, object) == 0 && name_change(c, &name) &&
	       set(object, "field", json_of_buf(&name)) &&
	       set(object, "recorded", json_of_value(c->recorded)) &&
	       set(object, "now", json_of_value(c->now)) &&
	       buf_addf(out, "\n    %-8s recorded ", name.data) == 0 &&
	       add_value(out, c->recorded) &&
	       buf_addf(out, "\n    %-*s now      ", (int)(name.len > 8 ? name.len : 8), "") == 0 &&
	       add_value(out, c->now);
}

/* The first with all its differences, the others in a line each. */
static bool add_near(struct divergence *d, json_t *list, const struct unit *record,
		     const struct unit *command, unsigned distance)
{
	bool is_first = json_array_size(list) == 0;
	cleanup_buf struct buf unwanted = BUF_INIT;
	struct command_change *change = NULL;
	size_t count = 0;
	json_t *object = json_of_record(record);
	json_t *differences = json_array();
	bool done = json_array_append_new(list, object) == 0 &&
		    set(object, "distance", json_integer(distance)) &&
		    set(object, "differences", differences) &&
		    add_record_line(d, is_first ? "nearest unused record" : "another that is near",
				    record) &&
		    command_changes(record, command, &change, &count) == 0;

	if (is_first)
		unit_id_format(record->id, d->record);
	for (size_t i = 0; done && i < count; i++)
		done = add_change(is_first ? &d->text : &unwanted, differences, &change[i]);
	free(change);
	return done;
}

static int add_nearest(struct divergence *d, const struct divergence_from *from,
		       const struct unit *command, struct error *err)
{
	json_t *list = json_array();
	struct nearest nearest;
	int r;

	if (!set(d->json, "nearest", list))
		return error_no_memory(err);
	r = find_nearest(from, command, &nearest, err);
	if (r == 0 && nearest.count == 0 &&
	    buf_add_str(&d->text, "\n  every record of the tape has been used") < 0)
		r = error_no_memory(err);
	if (r == 0 && nearest.count > 0 && nearest.list[0].distance >= DISTANCE_PROGRAM &&
	    buf_add_str(&d->text, "\n  no unused record is of this program") < 0)
		r = error_no_memory(err);
	for (size_t i = 0; r == 0 && i < nearest.count; i++) {
		struct unit record = {0};

		if (nearest.list[i].distance >= DISTANCE_PROGRAM)
			break;
		r = tape_reader_command(matcher_reader(from->matcher), nearest.list[i].index,
					&record, err);
		if (r == 0 && !add_near(d, list, &record, command, nearest.list[i].distance))
			r = error_no_memory(err);
		unit_clear(&record);
	}
	return r;
}

/* How often the command was recorded: all of these are used. */
static size_t count_recorded(const struct divergence_from *from, const struct unit *command)
{
	struct unit any = *command; /* borrows all of it */
	uint64_t any_key;
	size_t count = 0;

	any.cwd_any = true;
	while (tape_reader_find(matcher_reader(from->matcher), command->id.key, (uint32_t)count) >=
	       0)
		count++;
	if (unit_key(&any, &any_key) == 0) {
		for (uint32_t n = 0;
		     tape_reader_find(matcher_reader(from->matcher), any_key, n) >= 0; n++)
			count++;
	}
	return count;
}

static int finish(struct divergence *d, int r)
{
	if (r < 0)
		divergence_clear(d);
	return r;
}

int divergence_of_command(const struct divergence_from *from, const struct unit *command,
			  struct divergence *ret, struct error *err)
{
	size_t recorded = count_recorded(from, command);
	int r = 0;

	*ret = (struct divergence){.kind = DIVERGENCE_NO_RECORD};
	if (!begin(ret, recorded ? DIVERGENCE_USED : DIVERGENCE_NO_RECORD, command))
		r = error_no_memory(err);
	if (r == 0 && recorded &&
	    (buf_add_str(&ret->text, "\n  it was recorded ") < 0 ||
	     (recorded == 1 ? buf_add_str(&ret->text, "once")
			    : buf_addf(&ret->text, "%zu times", recorded)) < 0 ||
	     buf_add_str(&ret->text, ", and has been answered as often") < 0 ||
	     !set(ret->json, "recorded_times", json_integer((json_int_t)recorded))))
		r = error_no_memory(err);
	if (r == 0)
		r = add_nearest(ret, from, command, err);
	if (r == 0)
		r = add_last(ret, from, err);
	return finish(ret, r);
}

/* Input */

/* How far a recorded input and what was read agree. */
struct agreement {
	size_t record; /* NO_UNIT: none was compared */
	uint64_t bytes;
	struct buf recorded; /* an excerpt from there on */
	bool at_end;	     /* the recorded one ended there */
};

static int compare_input(const struct divergence_from *from, size_t index,
			 const struct input_read *read, struct agreement *best, struct error *err)
{
	struct unit record = {0};
	struct payload_view view = {0};
	int r = tape_reader_unit(matcher_reader(from->matcher), index, &record, err);
	const struct stream *s = r == 0 ? unit_stream_const(&record, read->fd) : NULL;
	uint64_t same = read->skipped;

	if (s)
		r = tape_reader_payload(matcher_reader(from->matcher), &s->data, from->roots, &view,
					err);
	while (r == 0 && same < view.len && same - read->skipped < read->data.len &&
	       view.data[same] == read->data.data[same - read->skipped])
		same++;
	if (r == 0 && (best->record == NO_UNIT || same > best->bytes)) {
		size_t left = view.len > same ? view.len - (size_t)same : 0;

		best->record = index;
		best->bytes = same;
		best->at_end = left == 0;
		buf_clear(&best->recorded);
		if (left > 0 &&
		    buf_add(&best->recorded, view.data + same, left < EXCERPT ? left : EXCERPT) < 0)
			r = error_no_memory(err);
	}
	payload_view_clear(&view);
	unit_clear(&record);
	return r;
}

/* Any of the command's records, used or not, may be the one that is meant. */
static int compare_all(const struct divergence_from *from, const struct unit *command,
		       const struct input_read *read, struct agreement *best, struct error *err)
{
	long index = 0;
	int r = 0;

	for (uint32_t n = 0; r == 0 && n < RECORDS_COMPARED; n++) {
		index = tape_reader_find(matcher_reader(from->matcher), command->id.key, n);
		if (index < 0)
			break;
		if (!matcher_is_used(from->matcher, (size_t)index))
			r = compare_input(from, (size_t)index, read, best, err);
	}
	return r;
}

static bool add_input(struct divergence *d, const struct agreement *best,
		      const struct input_read *read)
{
	size_t agreed = (size_t)(best->bytes - read->skipped);
	struct bytes now = {read->data.data + agreed, read->data.len - agreed};
	size_t now_len = now.len < EXCERPT ? now.len : EXCERPT;
	bool done = (read->fd == 0 ? buf_add_str(&d->text, "\n    stdin, ") == 0
				   : buf_addf(&d->text, "\n    descriptor %d, ", read->fd) == 0) &&
		    buf_addf(&d->text, "byte %llu\n             recorded ",
			     (unsigned long long)best->bytes) == 0 &&
		    (best->at_end ? buf_add_str(&d->text, "(its end)") == 0
				  : add_quoted(&d->text, &best->recorded)) &&
		    buf_add_str(&d->text, "\n             now      ") == 0;

	if (done && now_len == 0)
		done = buf_add_str(&d->text, "(its end)") == 0;
	else if (done)
		done = text_quote(&d->text, now.data, now_len) == 0;
	return done && set(d->json, "fd", json_integer(read->fd)) &&
	       set(d->json, "offset", json_integer((json_int_t)best->bytes)) &&
	       set(d->json, "recorded",
		   best->at_end ? json_null() : json_of_buf(&best->recorded)) &&
	       set(d->json, "now", now_len ? json_of_bytes(now.data, now_len) : json_null());
}

static int describe_input(struct divergence *d, const struct divergence_from *from,
			  const struct agreement *best, const struct input_read *read,
			  struct error *err)
{
	struct unit record = {0};
	int r = tape_reader_command(matcher_reader(from->matcher), best->record, &record, err);

	if (r == 0 &&
	    (!add_record_line(d, "the record that agrees longest", &record) ||
	     !set(d->json, "record", json_of_record(&record)) || !add_input(d, best, read)))
		r = error_no_memory(err);
	unit_clear(&record);
	return r;
}

int divergence_of_input(const struct divergence_from *from, const struct unit *command,
			size_t record, const struct input_read *read, struct divergence *ret,
			struct error *err)
{
	struct agreement best = {.record = NO_UNIT};
	int r = 0;

	*ret = (struct divergence){.kind = DIVERGENCE_INPUT};
	if (!begin(ret, DIVERGENCE_INPUT, command))
		r = error_no_memory(err);
	if (r == 0 && record != NO_UNIT)
		r = compare_input(from, record, read, &best, err);
	else if (r == 0)
		r = compare_all(from, command, read, &best, err);
	if (r == 0 && best.record != NO_UNIT)
		r = describe_input(ret, from, &best, read, err);
	if (r == 0)
		r = add_last(ret, from, err);
	buf_free(&best.recorded);
	return finish(ret, r);
}

/* Order */

static int describe_expected(struct divergence *d, const struct divergence_from *from,
			     size_t expected, struct error *err)
{
	struct unit record = {0};
	int r = 0;

	if (expected == NO_UNIT)
		return set(d->json, "expected", json_null()) &&
				       buf_add_str(&d->text, "\n  all that were recorded after it "
							     "have been answered") == 0
			       ? 0
			       : error_no_memory(err);
	r = tape_reader_command(matcher_reader(from->matcher), expected, &record, err);
	if (r == 0 && !add_record(d, "the one that was to come", "expected", &record))
		r = error_no_memory(err);
	unit_clear(&record);
	return r;
}

int divergence_of_order(const struct divergence_from *from, const struct unit *command,
			size_t expected, struct divergence *ret, struct error *err)
{
	int r = 0;

	*ret = (struct divergence){.kind = DIVERGENCE_ORDER};
	if (!begin(ret, DIVERGENCE_ORDER, command))
		r = error_no_memory(err);
	if (r == 0)
		r = describe_expected(ret, from, expected, err);
	if (r == 0)
		r = add_last(ret, from, err);
	return finish(ret, r);
}

int divergence_of_unfinished(const struct divergence_from *from, const struct unit *command,
			     size_t record, struct divergence *ret, struct error *err)
{
	bool broke_off = !tape_reader_knows_end(matcher_reader(from->matcher), record);
	const char *title = broke_off ? BROKE_OFF : kinds[DIVERGENCE_UNFINISHED].title;
	struct unit unfinished = {0};
	int r = tape_reader_command(matcher_reader(from->matcher), record, &unfinished, err);

	*ret = (struct divergence){.kind = DIVERGENCE_UNFINISHED};
	if (r == 0 && (!begin_as(ret, DIVERGENCE_UNFINISHED, title, command) ||
		       !add_record(ret, "the unfinished record", "record", &unfinished)))
		r = error_no_memory(err);
	unit_clear(&unfinished);
	if (r == 0)
		r = add_last(ret, from, err);
	return finish(ret, r);
}
