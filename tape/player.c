/*
 * The player: runs the subject and answers its commands from the tape. Nothing but the subject
 * and the stub is executed.
 */
#include "tape/tape.h"

#include "base/cleanup.h"
#include "tape/again.h"
#include "tape/player.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A search through PATH that the recording saw fail: every candidate fails alike. */
struct failed_search {
	struct unit record;
};

static struct played_unit *unit_new(struct player *player)
{
	struct played_unit *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->player = player;
	u->index = NO_INDEX;
	u->expected = NO_INDEX;
	u->next = player->units;
	if (u->next)
		u->next->previous = u;
	player->units = u;
	return u;
}

static void unit_free(struct played_unit *u)
{
	if (u->expected != NO_INDEX)
		score_expect_no_more(u->player->score, u->expected);
	if (u->previous)
		u->previous->next = u->next;
	else
		u->player->units = u->next;
	if (u->next)
		u->next->previous = u->previous;
	answer_free(u->answer);
	choice_free(u->choice);
	unit_clear(&u->command);
	unit_clear(&u->record);
	free(u);
}

static void search_free(struct process *p)
{
	struct failed_search *search = p->search;

	p->search = NULL;
	if (search) {
		unit_clear(&search->record);
		free(search);
	}
}

static int fail_like_record(struct process *p, struct unit *record, struct exec_decision *ret,
			    struct error *err)
{
	struct failed_search *search = calloc(1, sizeof(*search));

	if (!search)
		return error_no_memory(err);
	search->record = *record;
	*record = (struct unit){0};
	p->search = search;
	*ret = (struct exec_decision){.action = EXEC_FAIL, .error = search->record.end.exec_errno};
	return 0;
}

/* u->record is what it answers from now on. */
int player_set_answer(struct played_unit *u, uint64_t stdin_taken, struct error *err)
{
	struct player *player = u->player;
	int r;

	answer_free(u->answer);
	u->answer = NULL;
	r = answer_new(player->reader, player->session.roots, &u->record, stdin_taken, &u->answer,
		       err);
	if (r < 0)
		return error_wrap(err, r, "%s", player->tape);
	u->held = u->index != NO_INDEX && !tape_reader_knows_end(player->reader, u->index);
	return u->held && answer_hold(u->answer, HELD_ASK_MS) < 0 ? error_no_memory(err) : 0;
}

static void count_answer(struct player *player, size_t index, const struct unit *record)
{
	player->last = index;
	player->held_ns = 0;
	player->result.units++;
	player->result.units_ns += record->time.duration_ns;
}

void player_end_expectation(struct played_unit *u, size_t index)
{
	struct played_unit *other = u->player->units;

	while (other && other->expected != index)
		other = other->next;
	if (index != NO_INDEX && other)
		other->expected = u->expected;
	else if (u->expected != NO_INDEX)
		score_expect_no_more(u->player->score, u->expected);
	u->expected = NO_INDEX;
}

/* Longer than this the subject did not wait without coming to rest, whatever else it had to do. */
#define LONG_NS UINT64_C(10000000)

/* Whether the unit has turns, in which others and the subject's own processes take notice. */
static bool needs_order(struct player *player, size_t index, const struct unit *record)
{
	/* What follows upon a signal comes when the subject has seen what the signal did. */
	return record->signal_count > 0 || record->stop_count > 0 || record->sent_count > 0 ||
	       record->time.duration_ns > LONG_NS || !score_is_alone(player->score, index) ||
	       score_is_behind(player->score, index);
}

/* The unit gets a record of the tape. */
int player_take_record(struct played_unit *u, size_t index, uint64_t stdin_taken, struct error *err)
{
	struct player *player = u->player;
	int r = matcher_take(player->matcher, index, &u->record, err);

	if (r < 0)
		return error_wrap(err, r, "%s", player->tape);
	u->index = index;
	player_end_expectation(u, index);
	if (player->order == TAPE_ORDER_STRICT)
		r = misses_check_sequence(player, index, &u->record, err);
	if (r < 0)
		return r;
	u->before = player->last;
	count_answer(player, index, &u->record);
	if (u->record.end.how == END_EXEC_FAILED) {
		score_end(player->score, index); /* nobody need wait for it */
		return 0;
	}
	u->ordered = player->order != TAPE_ORDER_ANY && needs_order(player, index, &u->record);
	r = score_begin(player->score, index, err);
	return r < 0 ? r : player_set_answer(u, stdin_taken, err);
}

/* Choosing between records of one command */

#define CANDIDATES_MAX 4096

static int begin_choice(struct played_unit *u, struct unit *command, const size_t *candidates,
			size_t count, struct error *err)
{
	struct player *player = u->player;
	struct choice_from from = {player->matcher, player->reader, player->session.roots};

	u->command = *command;
	*command = (struct unit){0};
	for (size_t i = 0; i < count && u->expected == NO_INDEX; i++) {
		if (score_expect(player->score, candidates[i]))
			u->expected = candidates[i];
	}
	return choice_new(&from, candidates, count, &u->choice, err);
}

/* Units that ran at the same time may stand on the tape in another order than that of their starts:
 * they overlap no more than so many others. */
#define TIES_MAX 64

/* Puts the candidates that may be due before those that cannot be yet; both keep their order. */
static void sort_ready_first(struct score *score, size_t *candidates, size_t count)
{
	size_t ready = 0;

	for (size_t i = 0; i < count; i++) {
		size_t candidate = candidates[i];

		if (!score_is_ready(score, candidate))
			continue;
		memmove(&candidates[ready + 1], &candidates[ready],
			(i - ready) * sizeof(*candidates));
		candidates[ready++] = candidate;
	}
}

/* The records that may answer: one, or several that stdin tells apart. */
static int find_candidates(struct player *player, const struct unit *command, size_t *candidates,
			   size_t *ret_count, struct error *err)
{
	bool reads_stdin = false;
	int r = matcher_find(player->matcher, command, candidates, 1, ret_count, err);

	if (r == 0 && *ret_count > 0 && player->order != TAPE_ORDER_ANY &&
	    !score_is_ready(player->score, candidates[0])) {
		r = matcher_find(player->matcher, command, candidates, TIES_MAX, ret_count, err);
		sort_ready_first(player->score, candidates, *ret_count);
		*ret_count = 1;
	}
	if (r == 0 && *ret_count > 0)
		r = matcher_reads_stdin(player->matcher, candidates[0], &reads_stdin, err);
	/* Where stdin is read, it tells apart what is the same but for it. */
	if (r == 0 && reads_stdin) {
		r = matcher_find(player->matcher, command, candidates, CANDIDATES_MAX, ret_count,
				 err);
		if (player->order != TAPE_ORDER_ANY)
			sort_ready_first(player->score, candidates, *ret_count);
	}
	return r;
}

/* Deciding an exec */

/* A link to the stub is no program to run. */
static bool is_in_toolpath(const struct player *player, const struct exec_request *request)
{
	const char *dir = toolpath_dir(player->toolpath);

	return dir && request->path.len > strlen(dir) &&
	       memcmp(request->path.data, dir, strlen(dir)) == 0;
}

/* What would be answered by the record `index` is run instead, where the session is such. The
 * record is used up by that, but for a search through PATH that is run already. */
static int run_instead(struct player *player, struct process *p, const struct exec_request *request,
		       size_t index, struct exec_decision *ret, struct error *err)
{
	struct unit record = {0};
	int r = 0;

	if (index != NO_INDEX && !p->attempt) {
		r = matcher_take(player->matcher, index, &record, err);
		unit_clear(&record);
		score_end(player->score, index);
	}
	return r < 0 ? r : player->run_instead(player->run_ctx, p, request, ret, err);
}

static int answer_command(struct player *player, struct process *p,
			  const struct exec_request *request, struct unit *command,
			  struct exec_decision *ret, struct error *err)
{
	static size_t candidates[CANDIDATES_MAX];
	struct played_unit *u;
	size_t count = 0;
	size_t first;
	int r;

	detached_wait(player);
	r = find_candidates(player, command, candidates, &count, err);
	if (r < 0)
		return r;
	if (request->may_wait && count > 0 && put_off_exec(player, p, candidates[0])) {
		*ret = (struct exec_decision){.action = EXEC_LATER};
		return 0;
	}
	first = count ? candidates[0] : NO_INDEX;
	if (player->may_run && player->may_run(player->run_ctx, p, command, first) &&
	    !is_in_toolpath(player, request))
		return run_instead(player, p, request, first, ret, err);
	u = unit_new(player);
	if (!u)
		return error_no_memory(err);
	if (count == 0)
		r = misses_take(u, command, err);
	else if (count == 1)
		r = player_take_record(u, candidates[0], 0, err);
	else
		r = begin_choice(u, command, candidates, count, err);
	*ret = (struct exec_decision){.action = EXEC_STUB, .unit = &u->traced};
	if (r == 0 && u->record.end.how == END_EXEC_FAILED) {
		r = fail_like_record(p, &u->record, ret, err);
		unit_free(u);
	}
	return r;
}

static int on_exec(void *ctx, struct process *p, const struct exec_request *request,
		   struct exec_decision *ret, struct error *err)
{
	struct player *player = ctx;
	const struct failed_search *search = p->search;
	struct unit command = {0};
	int r;

	if (!session_decide(&player->session, p, request, ret)) {
		search_free(p);
		return 0;
	}
	if (session_unit(&player->session, p, request, &command) < 0)
		return error_no_memory(err);
	if (search && unit_same_command(&search->record, &command)) {
		*ret = (struct exec_decision){.action = EXEC_FAIL,
					      .error = search->record.end.exec_errno};
		r = 0;
	} else {
		search_free(p);
		r = answer_command(player, p, request, &command, ret, err);
	}
	unit_clear(&command);
	return r;
}

static int on_started(void *ctx, struct process *p, bool *ret_detach, struct error *err)
{
	(void)ctx;
	search_free(p);
	if (p->role != ROLE_STUB)
		return 0;
	return turns_start((struct played_unit *)p->unit, p, ret_detach, err);
}

static int on_exec_failed(void *ctx, struct process *p, int sys_errno, struct error *err)
{
	(void)ctx;
	(void)p;
	(void)sys_errno;
	(void)err;
	return 0; /* a command named by --real: its failure is its own affair */
}

static int on_ended(void *ctx, struct process *p, int wait_status, bool *ret_hold,
		    struct error *err)
{
	put_off_forget(ctx, p);
	(void)wait_status;
	(void)ret_hold;
	(void)err;
	search_free(p);
	if (p->role == ROLE_STUB && p->main)
		turns_end((struct played_unit *)p->unit);
	return 0;
}

static int on_unit_gone(void *ctx, struct traced_unit *unit, struct error *err)
{
	(void)ctx;
	(void)err;
	unit_free((struct played_unit *)unit);
	return 0;
}

static int on_signalled(void *ctx, struct process *target, int signal, struct error *err)
{
	(void)ctx;
	(void)target;
	(void)signal;
	(void)err;
	return 0; /* the kernel delivers it to the stub */
}

static int on_limited(void *ctx, enum intercept_limit limit, const char *program, struct error *err)
{
	struct player *player = ctx;

	return session_tell_limit(&player->session, limit, program, err);
}

/* What ended in the recording, be it after the subject, ends here. */
static bool on_lingers(void *ctx)
{
	const struct player *player = ctx;
	const struct played_unit *u = player->units;

	while (u && (u->ended || u->index == NO_INDEX || u->record.end.how == END_UNFINISHED))
		u = u->next;
	return u != NULL;
}

const struct intercept_ops player_ops = {
	.exec = on_exec,
	.started = on_started,
	.exec_failed = on_exec_failed,
	.ended = on_ended,
	.unit_gone = on_unit_gone,
	.limited = on_limited,
	.hypercall = turns_on_hypercall,
	.signalled = on_signalled,
	.lingers = on_lingers,
	.idle = turns_on_idle,
	.patience_us = turns_on_patience_us,
	.timeout = turns_on_timeout,
};

int player_run(struct player *player, const struct tape_options *options, const char *stub,
	       const struct intercept_ops *ops, void *ctx, struct error *err)
{
	struct intercept_options intercept = {
		.stub_path = stub,
		.path_append = toolpath_dir(player->toolpath),
		.eager = true,
	};
	struct error start_error = {0};
	int r = session_intercept(&player->session, options, &intercept, err);

	if (r == 0)
		r = intercept_new(&intercept, ops, ctx, &player->interceptor, err);
	if (r < 0)
		return r;
	r = intercept_run(player->interceptor, &player->result.wait_status, &start_error);
	player->result.wall_ns = session_now(&player->session);
	if (r < 0) {
		if (err)
			*err = start_error;
		return r;
	}
	if (start_error.text[0])
		session_say(&player->session, TAPE_PROBLEM, "%s", start_error.text);
	player->result.unused = matcher_unused(player->matcher);
	return 0;
}

/* What the recording was told to let run runs in a replay only when that is told, too. */
static void warn_of_globs(const struct session *s, const char *option,
			  const struct strings *recorded, const struct strings *given)
{
	for (size_t i = 0; i < recorded->count; i++) {
		bool is_given = false;

		for (size_t j = 0; j < given->count; j++)
			is_given |= strcmp(recorded->item[i], given->item[j]) == 0;
		if (!is_given)
			session_say(s, TAPE_WARNING,
				    "warning: the tape was recorded with %s '%s', and this replay "
				    "is without it",
				    option, recorded->item[i]);
	}
}

int player_open(struct player *player, const struct tape_options *options, const char *stub,
		struct error *err)
{
	int r;

	*player = (struct player){.tape = options->tape, .last = NO_INDEX, .order = options->order};
	r = again_open(options, &player->reader, err);
	if (r == 0 && options->report)
		r = report_new(options->report, &player->report, err);
	if (r < 0)
		return r;
	r = session_open(options, tape_reader_head(player->reader), &player->session, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < tape_reader_warning_count(player->reader); i++)
		session_say(&player->session, TAPE_WARNING, "warning: %s",
			    tape_reader_warning(player->reader, i));
	warn_of_globs(&player->session, "--through", &tape_reader_head(player->reader)->through,
		      &player->session.through);
	warn_of_globs(&player->session, "--real", &tape_reader_head(player->reader)->real,
		      &player->session.real);
	player->matcher = matcher_new(player->reader);
	if (!player->matcher)
		return error_no_memory(err);
	r = score_new(player->reader, &player->score, err);
	if (r < 0)
		return r;
	return toolpath_new(player->reader, stub, &player->toolpath, err);
}

int player_report(struct player *player, const struct tape_options *options, struct error *err)
{
	return player->report ? report_finish(player->report, options, player->matcher,
					      &player->result, err)
			      : 0;
}

void player_close(struct player *player)
{
	detached_forget(player);
	intercept_free(player->interceptor);
	while (player->units)
		unit_free(player->units);
	toolpath_free(player->toolpath);
	report_free(player->report);
	score_free(player->score);
	matcher_free(player->matcher);
	session_close(&player->session);
	tape_reader_free(player->reader);
}

int tape_replay(const struct tape_options *options, const char *stub,
		struct tape_replay_result *ret, struct error *err)
{
	struct player player;
	int r = player_open(&player, options, stub, err);

	if (r == 0)
		r = player_run(&player, options, stub, &player_ops, &player, err);
	if (r == 0)
		r = player_report(&player, options, err);
	if (r == 0)
		*ret = player.result;
	player_close(&player);
	return r;
}
