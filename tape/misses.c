/*
 * What a replay does without a record that fits: it tells what did not agree, and the command ends
 * as a miss.
 */
#include "tape/player.h"

/* What a command without a record ends with: see tape_replay(). */
#define MISS_STATUS 123

/* Tells it to a person, and keeps it for the report. */
static int tell(struct player *player, struct divergence *d, struct error *err)
{
	int r = 0;

	player->result.misses++;
	session_say(&player->session, TAPE_PROBLEM, "%s: %s", player->tape, d->text.data);
	if (player->report)
		r = report_add(player->report, d, err);
	divergence_clear(d);
	return r;
}

static struct divergence_from where(const struct player *player)
{
	return (struct divergence_from){player->matcher, player->session.roots, player->last};
}

static int report_miss(struct player *player, const struct unit *command, struct error *err)
{
	struct divergence_from from = where(player);
	struct divergence d;
	int r = divergence_of_command(&from, command, &d, err);

	return r < 0 ? r : tell(player, &d, err);
}

/* There are records of the command, but for another input. */
static int report_input(struct played_unit *u, const struct unit *command,
			const struct input_read *read, struct error *err)
{
	struct divergence_from from = where(u->player);
	struct divergence d;
	int r;

	if (u->index != NO_INDEX)
		from.last = u->before;
	r = divergence_of_input(&from, command, u->index, read, &d, err);
	return r < 0 ? r : tell(u->player, &d, err);
}

static int report_held(const struct played_unit *u, struct error *err)
{
	struct divergence_from from = where(u->player);
	struct divergence d;
	int r;

	from.last = u->before;
	r = divergence_of_unfinished(&from, &u->record, u->index, &d, err);
	return r < 0 ? r : tell(u->player, &d, err);
}

/* The command ends with MISS_STATUS, whatever it was: nothing runs in its place. What the subject
 * keeps of its stderr says why. */
static int make_miss(struct unit *record, const char *text, struct error *err)
{
	struct stream *stream;

	unit_clear(record);
	record->end = (struct unit_end){.how = END_EXITED, .code = MISS_STATUS};
	stream = unit_add_stream(record, 2);
	if (!stream || buf_add_str(&stream->data.bytes, text) < 0)
		return error_no_memory(err);
	stream->kind = STREAM_PIPE;
	stream->data.form = PAYLOAD_INLINE;
	stream->data.size = stream->data.bytes.len;
	return 0;
}

int misses_check_sequence(struct player *player, size_t index, const struct unit *record,
			  struct error *err)
{
	struct divergence_from from = where(player);
	struct divergence d;
	size_t expected;
	int r;

	if (score_in_sequence(player->score, index, &expected))
		return 0;
	r = divergence_of_order(&from, record, expected, &d, err);
	return r < 0 ? r : tell(player, &d, err);
}

#define NOT_THERE  "sandtape: this command is not on the tape\n"
#define BROKEN_OFF "sandtape: the recording broke off in this command\n"

static int answer_with_miss(struct played_unit *u, const char *text, struct error *err)
{
	uint64_t recorded_ns = u->record.time.duration_ns;
	int r;

	answer_free(u->answer); /* it is of the record */
	u->answer = NULL;
	r = make_miss(&u->record, text, err);
	player_end_expectation(u, NO_INDEX);
	if (u->index != NO_INDEX) { /* it read something else after all */
		score_end(u->player->score, u->index);
		u->player->result.units--;
		u->player->result.units_ns -= recorded_ns;
		if (u->player->last == u->index)
			u->player->last = u->before;
	}
	u->index = NO_INDEX;
	u->ordered = false;
	return r < 0 ? r : player_set_answer(u, 0, err);
}

int misses_take(struct played_unit *u, const struct unit *command, struct error *err)
{
	int r = report_miss(u->player, command, err);

	return r < 0 ? r : answer_with_miss(u, NOT_THERE, err);
}

int misses_take_input(struct played_unit *u, const struct unit *command,
		      const struct input_read *read, struct error *err)
{
	int r = report_input(u, command, read, err);

	return r < 0 ? r : answer_with_miss(u, NOT_THERE, err);
}

int misses_take_held(struct played_unit *u, struct error *err)
{
	int r = report_held(u, err);

	return r < 0 ? r : answer_with_miss(u, BROKEN_OFF, err);
}
