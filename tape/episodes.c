/*
 * A session that answers from the tape and runs what it does not hold: the player and the recorder
 * have one interceptor. Each process, unit and attempt belongs to one of the two, and what the
 * interceptor tells of it goes there.
 */
#include "tape/tape.h"

#include "tape/files.h"
#include "tape/player.h"
#include "tape/recorder.h"
#include "tape/writer.h"
#include <stdlib.h>
#include <string.h>

struct episodes {
	struct player player;
	struct recorder recorder; /* its writer is there from the first unit on that runs */
	const struct tape_options *options;
	bool sync;
	size_t only;	 /* the index of the one unit to run anew, or NO_INDEX */
	struct unit old; /* its record */
};

static bool is_recorded(const struct process *p)
{
	return p->unit && p->unit->recorded;
}

/* A search through PATH that goes on, or what has no record, or the one record that is meant. */
static bool may_run(void *ctx, const struct process *p, const struct unit *command, size_t index)
{
	const struct episodes *e = ctx;
	const struct recorded_unit *before = p->attempt;

	if (before && unit_same_command(&before->unit, command))
		return true;
	return e->only == NO_INDEX ? index == NO_INDEX : index == e->only;
}

/* What is new begins behind what there is, so that the two do not look as if they had run at once;
 * what is recorded anew takes the place of the old. */
static int open_writer(struct episodes *e, struct error *err)
{
	struct recorder *r = &e->recorder;
	struct tape_past past = {0, 0};
	int rc = recorder_open_writer(r, e->options, e->sync, err);

	if (rc == 0)
		rc = tape_writer_continue(r->writer, e->only == NO_INDEX ? NULL : &e->old.id, &past,
					  err);
	if (rc < 0)
		return rc;
	if (e->only != NO_INDEX) {
		r->replaces = true;
		r->replaced_start_ns = e->old.time.start_ns;
		r->episode = e->old.time.episode;
	} else {
		r->shift_ns = past.end_ns;
		r->episode = past.episode + 1;
	}
	recorder_set_host(r, e->player.interceptor);
	return 0;
}

static int run_instead(void *ctx, struct process *p, const struct exec_request *request,
		       struct exec_decision *ret, struct error *err)
{
	struct episodes *e = ctx;
	int rc = e->recorder.writer ? 0 : open_writer(e, err);

	return rc < 0 ? rc : recorder_ops.exec(&e->recorder, p, request, ret, err);
}

/* A search through PATH that has failed so far ends with what is executed instead. */
static int on_exec(void *ctx, struct process *p, const struct exec_request *request,
		   struct exec_decision *ret, struct error *err)
{
	struct episodes *e = ctx;
	int rc = player_ops.exec(&e->player, p, request, ret, err);

	if (rc == 0 && p->attempt && ret->action != EXEC_UNIT && ret->action != EXEC_LATER)
		rc = recorder_give_up_attempt(p, err);
	return rc;
}

static int on_streams(void *ctx, struct process *p, struct task *task, struct error *err)
{
	struct episodes *e = ctx;

	return p->attempt ? recorder_ops.streams(&e->recorder, p, task, err) : 0;
}

static int on_started(void *ctx, struct process *p, bool *ret_detach, struct error *err)
{
	struct episodes *e = ctx;

	if (!p->attempt)
		return player_ops.started(&e->player, p, ret_detach, err);
	e->player.running++;
	return recorder_ops.started(&e->recorder, p, ret_detach, err);
}

static int on_exec_failed(void *ctx, struct process *p, int sys_errno, struct error *err)
{
	struct episodes *e = ctx;

	return p->attempt ? recorder_ops.exec_failed(&e->recorder, p, sys_errno, err) : 0;
}

static int on_ended(void *ctx, struct process *p, int wait_status, bool *ret_hold,
		    struct error *err)
{
	struct episodes *e = ctx;

	if (p->attempt || is_recorded(p))
		return recorder_ops.ended(&e->recorder, p, wait_status, ret_hold, err);
	return player_ops.ended(&e->player, p, wait_status, ret_hold, err);
}

static int on_unit_gone(void *ctx, struct traced_unit *unit, struct error *err)
{
	struct episodes *e = ctx;

	if (!unit->recorded)
		return player_ops.unit_gone(&e->player, unit, err);
	e->player.running--;
	return recorder_ops.unit_gone(&e->recorder, unit, err);
}

static int on_hypercall(void *ctx, struct process *p, const uint64_t args[6], long *ret_result,
			bool *ret_later, struct error *err)
{
	struct episodes *e = ctx;

	return player_ops.hypercall(&e->player, p, args, ret_result, ret_later, err);
}

static int on_io_begins(void *ctx, struct process *p, struct io *io, bool *ret_wanted,
			struct error *err)
{
	struct episodes *e = ctx;

	return is_recorded(p) ? recorder_ops.io_begins(&e->recorder, p, io, ret_wanted, err) : 0;
}

static int on_io_done(void *ctx, struct process *p, const struct io *io, struct error *err)
{
	struct episodes *e = ctx;

	return recorder_ops.io_done(&e->recorder, p, io, err);
}

static int on_signalled(void *ctx, struct process *target, int signal, struct error *err)
{
	struct episodes *e = ctx;
	const struct traced_unit *unit = intercept_unit_of(target);

	return unit && unit->recorded ? recorder_ops.signalled(&e->recorder, target, signal, err)
				      : player_ops.signalled(&e->player, target, signal, err);
}

static int on_terminal_signalled(void *ctx, struct process *target, int signal, struct error *err)
{
	struct episodes *e = ctx;

	return is_recorded(target)
		       ? recorder_ops.terminal_signalled(&e->recorder, target, signal, err)
		       : 0;
}

static int on_stopped(void *ctx, struct process *p, int signal, struct error *err)
{
	struct episodes *e = ctx;

	return is_recorded(p) ? recorder_ops.stopped(&e->recorder, p, signal, err) : 0;
}

static int on_flush(void *ctx, struct process *p, struct error *err)
{
	struct episodes *e = ctx;

	return is_recorded(p) ? recorder_ops.flush(&e->recorder, p, err) : 0;
}

static int on_sent(void *ctx, struct process *p, int signal, struct error *err)
{
	struct episodes *e = ctx;

	return is_recorded(p) ? recorder_ops.sent(&e->recorder, p, signal, err) : 0;
}

static int on_not_sent(void *ctx, struct process *p, int signal, struct error *err)
{
	struct episodes *e = ctx;

	return is_recorded(p) ? recorder_ops.not_sent(&e->recorder, p, signal, err) : 0;
}

static int on_denied(void *ctx, struct process *p, const struct denied *denied, struct error *err)
{
	struct episodes *e = ctx;

	return p->attempt || is_recorded(p) ? recorder_ops.denied(&e->recorder, p, denied, err) : 0;
}

static bool on_lingers(void *ctx)
{
	struct episodes *e = ctx;

	return player_ops.lingers(&e->player) || recorder_ops.lingers(&e->recorder);
}

static int on_limited(void *ctx, enum intercept_limit limit, const char *program, struct error *err)
{
	struct episodes *e = ctx;

	return player_ops.limited(&e->player, limit, program, err);
}

static int on_idle(void *ctx, struct error *err)
{
	struct episodes *e = ctx;

	int rc = recorder_ops.idle(&e->recorder, err);

	return rc < 0 ? rc : player_ops.idle(&e->player, err);
}

static int on_patience_us(void *ctx)
{
	struct episodes *e = ctx;
	int played = player_ops.patience_us(&e->player);
	int recorded = recorder_ops.patience_us(&e->recorder);

	if (played < 0 || recorded < 0)
		return played < 0 ? recorded : played;
	return played < recorded ? played : recorded;
}

static int on_timeout(void *ctx, struct error *err)
{
	struct episodes *e = ctx;
	int rc = player_ops.timeout(&e->player, err);

	return rc < 0 ? rc : recorder_ops.timeout(&e->recorder, err);
}

static const struct intercept_ops ops = {
	.exec = on_exec,
	.streams = on_streams,
	.started = on_started,
	.exec_failed = on_exec_failed,
	.ended = on_ended,
	.unit_gone = on_unit_gone,
	.hypercall = on_hypercall,
	.io_begins = on_io_begins,
	.io_done = on_io_done,
	.signalled = on_signalled,
	.limited = on_limited,
	.lingers = on_lingers,
	.denied = on_denied,
	.terminal_signalled = on_terminal_signalled,
	.stopped = on_stopped,
	.flush = on_flush,
	.sent = on_sent,
	.not_sent = on_not_sent,
	.idle = on_idle,
	.patience_us = on_patience_us,
	.timeout = on_timeout,
};

static int find_only(struct episodes *e, const char *id, struct error *err)
{
	const struct tape_reader *reader = e->player.reader;
	struct unit_id wanted;
	long index = -1;

	e->only = NO_INDEX;
	if (!id)
		return 0;
	if (unit_id_parse(id, &wanted))
		index = tape_reader_find(reader, wanted.key, wanted.ordinal);
	if (index < 0)
		return error_set(err, ERR_NOTFOUND,
				 "%s has no record with the id '%s': `sandtape tape show --json` "
				 "tells the ids",
				 e->options->tape, id);
	e->only = (size_t)index;
	return tape_reader_unit(reader, e->only, &e->old, err);
}

static int open_all(struct episodes *e, const char *stub, const char *only, struct error *err)
{
	const struct tape_head *head;
	int rc = player_open(&e->player, e->options, stub, err);

	if (rc < 0)
		return rc;
	head = tape_reader_head(e->player.reader);
	e->player.run_instead = run_instead;
	e->player.may_run = may_run;
	e->player.run_ctx = e;
	e->recorder.head = head;
	session_warn_unrestricted(e->options, head);
	rc = session_check_roots(&e->player.session, head, e->options->tape, err);
	if (rc == 0)
		rc = session_open(e->options, head, &e->recorder.session, err);
	return rc < 0 ? rc : find_only(e, only, err);
}

/* A run with divergences is not the one that was to be recorded. */
static int finish(struct episodes *e, struct error *err)
{
	struct recorder *r = &e->recorder;
	bool give_up = e->only != NO_INDEX && e->player.result.misses > 0;
	int rc = 0;

	r->result.left = intercept_left(e->player.interceptor);
	if (!r->writer)
		return 0;
	rc = recorder_close_units(r, err);
	if (rc == 0 && give_up)
		return tape_writer_abandon(r->writer, err);
	if (rc == 0 && e->only != NO_INDEX)
		rc = tape_writer_continue_behind(r->writer, &e->old.id, err);
	if (rc == 0)
		return tape_writer_finish(r->writer, err);
	return recorder_broken_off(r, rc, err);
}

static int run(struct episodes *e, const char *stub, struct error *err)
{
	int rc = player_run(&e->player, e->options, stub, &ops, e, err);

	if (rc < 0)
		return e->recorder.writer ? recorder_broken_off(&e->recorder, rc, err) : rc;
	rc = finish(e, err);
	return rc < 0 ? rc : player_report(&e->player, e->options, err);
}

int tape_extend(const struct tape_options *options, const char *stub, bool sync, const char *only,
		struct tape_extend_result *ret, struct error *err)
{
	struct episodes e = {.options = options, .sync = sync, .only = NO_INDEX};
	int rc = open_all(&e, stub, only, err);

	if (rc == 0)
		rc = run(&e, stub, err);
	if (rc == 0)
		*ret = (struct tape_extend_result){
			.replay = e.player.result,
			.added = e.recorder.result.units,
			.unfinished = e.recorder.result.unfinished,
			.left = e.recorder.result.left,
			.kept_as_it_was = !e.recorder.writer ||
					  (e.only != NO_INDEX && e.player.result.misses > 0),
		};
	/* Their streams are watched by the interceptor. */
	while (e.recorder.units)
		recorded_unit_free(e.recorder.units);
	player_close(&e.player);
	free(e.recorder.waiting);
	tape_writer_free(e.recorder.writer);
	session_close(&e.recorder.session);
	unit_clear(&e.old);
	return rc;
}
