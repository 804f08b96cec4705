#include "tape/divergence.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "tape/reader.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_BYTES 60 /* of an input, from where it differs */

struct tape_divergence {
	enum tape_divergence_kind kind;
	unsigned long thread;
	struct buf command;
	struct buf text;
	char nearest[UNIT_ID_SIZE]; /* empty: none */
};

static const char *const sentences[] = {
	[TAPE_NO_RECORD] = "no record for this command",
	[TAPE_OTHER_INPUT] = "no record for this command with this stdin",
	[TAPE_OUT_OF_ORDER] = "this command comes too early",
	[TAPE_UNFINISHED] = "the recording ended before this command did",
};

/* What stands in front of the id of the record. */
static const char *const introductions[] = {
	[TAPE_NO_RECORD] = "nearest unused record",
	[TAPE_OTHER_INPUT] = "an unused record with another stdin",
	[TAPE_OUT_OF_ORDER] = "before it comes the unused record",
	[TAPE_UNFINISHED] = "the unfinished record",
};

/* A number that no other thread has or gets, which pthread_self() is not: it is given out again. */
static unsigned long own_thread(void)
{
	static atomic_ulong last;
	static _Thread_local unsigned long own;

	if (!own)
		own = atomic_fetch_add(&last, 1) + 1;
	return own;
}

static int add_bytes(struct buf *out, struct bytes bytes, size_t from)
{
	size_t len = bytes.len - from;

	if (len == 0)
		return buf_add_str(out, "(its end)");
	if (len <= SHOWN_BYTES)
		return text_quote(out, bytes.data + from, len);
	return text_quote(out, bytes.data + from, SHOWN_BYTES) < 0 ? ERR_NOMEM
								   : buf_add_str(out, "...");
}

/* Both from the first byte that differs. */
static int add_inputs(struct buf *out, const struct divergence_facts *facts)
{
	struct bytes a = facts->wanted, b = facts->input;
	size_t at = 0;
	int r;

	while (at < a.len && at < b.len && a.data[at] == b.data[at])
		at++;
	r = buf_addf(out, "\n    stdin, from byte %zu\n    %-8s recorded ", at, "");
	if (r == 0)
		r = add_bytes(out, a, at);
	if (r == 0)
		r = buf_addf(out, "\n    %-8s now      ", "");
	return r < 0 ? r : add_bytes(out, b, at);
}

static int add_record(struct tape_divergence *d, const struct divergence_facts *facts,
		      struct error *err)
{
	struct unit record = {0};
	int r = tape_reader_command(facts->reader, facts->record, &record, err);

	if (r < 0)
		return r;
	unit_id_format(tape_reader_id(facts->reader, facts->record), d->nearest);
	r = buf_addf(&d->text, "\n  %s, %s:\n    ", introductions[facts->kind], d->nearest);
	if (r == 0)
		r = matcher_add_command(&d->text, &record);
	if (r == 0 && facts->kind == TAPE_OTHER_INPUT)
		r = add_inputs(&d->text, facts);
	unit_clear(&record);
	return r < 0 ? error_no_memory(err) : 0;
}

/* The matcher's own text, which says how the nearest record differs. */
static int explain(struct tape_divergence *d, const struct divergence_facts *facts,
		   struct error *err)
{
	size_t nearest = DIVERGENCE_NO_INDEX;
	int r = matcher_explain(facts->matcher, facts->command, &d->text, err);

	if (r == 0)
		r = matcher_nearest(facts->matcher, facts->command, &nearest, err);
	if (r == 0 && nearest != DIVERGENCE_NO_INDEX)
		unit_id_format(tape_reader_id(facts->reader, nearest), d->nearest);
	return r;
}

static int fill(struct tape_divergence *d, const struct divergence_facts *facts, struct error *err)
{
	if (matcher_add_command(&d->command, facts->command) < 0)
		return error_no_memory(err);
	if (facts->record == DIVERGENCE_NO_INDEX)
		return explain(d, facts, err);
	if (buf_addf(&d->text, "%s:\n    ", sentences[facts->kind]) < 0 ||
	    buf_add(&d->text, d->command.data, d->command.len) < 0)
		return error_no_memory(err);
	return add_record(d, facts, err);
}

int divergence_new(const struct divergence_facts *facts, struct tape_divergence **ret,
		   struct error *err)
{
	struct tape_divergence *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return error_no_memory(err);
	d->kind = facts->kind;
	d->thread = own_thread();
	r = fill(d, facts, err);
	if (r < 0) {
		divergence_free(d);
		return r;
	}
	*ret = d;
	return 0;
}

void divergence_free(struct tape_divergence *d)
{
	if (!d)
		return;
	buf_free(&d->command);
	buf_free(&d->text);
	free(d);
}

int divergence_error(const struct tape_divergence *d, const char *tape, struct error *err)
{
	return error_set(err, ERR_DIVERGED, "%s: %s: %s", tape, sentences[d->kind],
			 d->command.data);
}

bool divergence_is_mine(const struct tape_divergence *d)
{
	return d->thread == own_thread();
}

enum tape_divergence_kind tape_divergence_kind(const struct tape_divergence *d)
{
	return d ? d->kind : TAPE_NO_RECORD;
}

const char *tape_divergence_text(const struct tape_divergence *d)
{
	return d ? d->text.data : "";
}

const char *tape_divergence_command(const struct tape_divergence *d)
{
	return d ? d->command.data : "";
}

const char *tape_divergence_nearest(const struct tape_divergence *d)
{
	return d && d->nearest[0] ? d->nearest : NULL;
}
