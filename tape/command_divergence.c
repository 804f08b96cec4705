#include "tape/command_divergence.h"

#include "base/jsontext.h"
#include "tape/codec_parts.h"
#include <stdatomic.h>
#include <stdlib.h>

struct tape_divergence {
	unsigned long thread;
	struct buf command;
	struct divergence told;
};

static const struct {
	enum tape_divergence_kind kind;
	const char *sentence;
} kinds[] = {
	[DIVERGENCE_NO_RECORD] = {TAPE_NO_RECORD, "no record for this command"},
	[DIVERGENCE_USED] = {TAPE_NO_RECORD, "no record is left for this command"},
	[DIVERGENCE_INPUT] = {TAPE_OTHER_INPUT, "no record for this command with this stdin"},
	[DIVERGENCE_ORDER] = {TAPE_OUT_OF_ORDER, "this command comes too early"},
	[DIVERGENCE_UNFINISHED] = {TAPE_UNFINISHED, "the recording ended before this command did"},
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

static int tell(const struct divergence_facts *facts, struct divergence *ret, struct error *err)
{
	struct input_read read = {.data = facts->input};

	switch (facts->kind) {
	case DIVERGENCE_INPUT:
		return divergence_of_input(&facts->from, facts->command, facts->record, &read, ret,
					   err);
	case DIVERGENCE_ORDER:
		return divergence_of_order(&facts->from, facts->command, facts->record, ret, err);
	case DIVERGENCE_UNFINISHED:
		return divergence_of_unfinished(&facts->from, facts->command, facts->record, ret,
						err);
	default:
		return divergence_of_command(&facts->from, facts->command, ret, err);
	}
}

int command_divergence_new(const struct divergence_facts *facts, struct tape_divergence **ret,
			   struct error *err)
{
	struct tape_divergence *d = calloc(1, sizeof(*d));
	int r;

	if (!d || unit_add_text(&d->command, facts->command) < 0) {
		command_divergence_free(d);
		return error_no_memory(err);
	}
	d->thread = own_thread();
	r = tell(facts, &d->told, err);
	if (r < 0) {
		command_divergence_free(d);
		return r;
	}
	*ret = d;
	return 0;
}

void command_divergence_free(struct tape_divergence *d)
{
	if (!d)
		return;
	buf_free(&d->command);
	divergence_clear(&d->told);
	free(d);
}

int command_divergence_error(const struct tape_divergence *d, const char *tape, struct error *err)
{
	return error_set(err, ERR_DIVERGED, "%s: %s: %s", tape, kinds[d->told.kind].sentence,
			 d->command.data);
}

bool command_divergence_is_mine(const struct tape_divergence *d)
{
	return d->thread == own_thread();
}

enum tape_divergence_kind tape_divergence_kind(const struct tape_divergence *d)
{
	return d ? kinds[d->told.kind].kind : TAPE_NO_RECORD;
}

const char *tape_divergence_text(const struct tape_divergence *d)
{
	return d ? d->told.text.data : "";
}

const char *tape_divergence_command(const struct tape_divergence *d)
{
	return d ? d->command.data : "";
}

const char *tape_divergence_nearest(const struct tape_divergence *d)
{
	return d && d->told.record[0] ? d->told.record : NULL;
}

int tape_divergence_json(const struct tape_divergence *d, char **ret_json, struct error *err)
{
	cleanup_buf struct buf text = BUF_INIT;

	if (!d || !ret_json)
		return error_set(err, ERR_INVALID, "there is no divergence to tell of");
	if (jsontext_dump(d->told.json, JSON_COMPACT, &text) < 0)
		return error_no_memory(err);
	*ret_json = buf_steal(&text);
	return 0;
}
