/*
 * The player: runs the subject and answers its commands from the tape. Nothing but the subject
 * and the stub is executed.
 */
#include "tape/tape.h"

#include "base/cleanup.h"
#include "tape/answer.h"
#include "tape/matcher.h"
#include "tape/reader.h"
#include "tape/score.h"
#include "tape/session.h"
#include "tape/toolpath.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* What a command without a record ends with: see tape_replay(). */
#define MISS_STATUS 123

#define NO_INDEX SIZE_MAX

/* Records that differ in their stdin only, while it is being read. */
struct choice {
	struct unit command;
	size_t *candidate; /* indexes, first in first */
	size_t count;
	struct buf seen; /* of stdin */
};

struct player;

struct played_unit {
	struct traced_unit traced;
	struct player *player;
	struct unit record;
	size_t index; /* of the record, NO_INDEX for a miss or while it is not chosen */
	struct answer *answer;
	struct choice *choice;	 /* while there is one */
	struct process *waiting; /* it has asked for more, and must wait for its turn */
	bool ordered;		 /* it has turns */
	struct played_unit *next;
	struct played_unit *previous;
};

struct player {
	struct session session;
	struct interceptor *interceptor;
	struct tape_reader *reader;
	struct matcher *matcher;
	struct score *score;
	struct toolpath *toolpath;
	struct played_unit *units;
	uint64_t moved_ns; /* when a unit that has turns last went on (session_now) */
	bool unsettled;	   /* a unit has its turn, but the subject has not digested the last one */
	struct tape_replay_result result;
	char last_id[UNIT_ID_SIZE]; /* of the last record that answered */
	const char *tape;
};

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
	u->next = player->units;
	if (u->next)
		u->next->previous = u;
	player->units = u;
	return u;
}

static void choice_free(struct choice *c)
{
	if (!c)
		return;
	unit_clear(&c->command);
	free(c->candidate);
	buf_free(&c->seen);
	free(c);
}

static void unit_free(struct played_unit *u)
{
	if (u->previous)
		u->previous->next = u->next;
	else
		u->player->units = u->next;
	if (u->next)
		u->next->previous = u->previous;
	answer_free(u->answer);
	choice_free(u->choice);
	unit_clear(&u->record);
	free(u);
}

static void search_free(struct process *p)
{
	struct failed_search *search = p->attempt;

	p->attempt = NULL;
	if (search) {
		unit_clear(&search->record);
		free(search);
	}
}

static int report_miss(struct player *player, const struct unit *command, struct error *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	int r = matcher_explain(player->matcher, command, &text, err);

	if (r < 0)
		return r;
	player->result.misses++;
	session_say(&player->session, TAPE_PROBLEM, "%s: %s", player->tape, text.data);
	if (player->last_id[0])
		session_say(&player->session, TAPE_PROBLEM,
			    "  the last command that was answered: %s", player->last_id);
	return 0;
}

/* There are records of the command, but for another stdin. */
static int report_stdin(struct player *player, const struct unit *command, struct error *err)
{
	cleanup_buf struct buf text = BUF_INIT;

	if (matcher_add_command(&text, command) < 0)
		return session_no_memory(err);
	player->result.misses++;
	session_say(&player->session, TAPE_PROBLEM,
		    "%s: the stdin of this command is not what the recorded one read:\n    %s",
		    player->tape, text.data);
	return 0;
}

/* The command ends with MISS_STATUS, whatever it was: nothing runs in its place. What the subject
 * keeps of its stderr says why. */
static int make_miss(struct unit *record, struct error *err)
{
	static const char text[] = "sandtape: this command is not on the tape\n";
	struct stream *stream;

	unit_clear(record);
	record->end = (struct unit_end){.how = END_EXITED, .code = MISS_STATUS};
	stream = unit_add_stream(record, 2);
	if (!stream || buf_add_str(&stream->data.bytes, text) < 0)
		return session_no_memory(err);
	stream->kind = STREAM_PIPE;
	stream->data.form = PAYLOAD_INLINE;
	stream->data.size = stream->data.bytes.len;
	return 0;
}

static int fail_like_record(struct process *p, struct unit *record, struct exec_decision *ret,
			    struct error *err)
{
	struct failed_search *search = calloc(1, sizeof(*search));

	if (!search)
		return session_no_memory(err);
	search->record = *record;
	*record = (struct unit){0};
	p->attempt = search;
	*ret = (struct exec_decision){.action = EXEC_FAIL, .error = search->record.end.exec_errno};
	return 0;
}

/* u->record is what it answers from now on. */
static int set_answer(struct played_unit *u, uint64_t stdin_taken, struct error *err)
{
	struct player *player = u->player;
	int r;

	answer_free(u->answer);
	u->answer = NULL;
	r = answer_new(player->reader, player->session.roots, &u->record, stdin_taken, &u->answer,
		       err);
	return r < 0 ? error_wrap(err, r, "%s", player->tape) : 0;
}

static void count_answer(struct player *player, const struct unit *record)
{
	player->result.units++;
	player->result.units_ns += record->time.duration_ns;
	unit_id_format(record->id, player->last_id);
}

/* The unit gets a record of the tape. */
static int take_record(struct played_unit *u, size_t index, uint64_t stdin_taken, struct error *err)
{
	struct player *player = u->player;
	int r = matcher_take(player->matcher, index, &u->record, err);

	if (r < 0)
		return error_wrap(err, r, "%s", player->tape);
	u->index = index;
	count_answer(player, &u->record);
	if (u->record.end.how == END_EXEC_FAILED) {
		score_end(player->score, index); /* nobody need wait for it */
		return 0;
	}
	u->ordered = !score_is_alone(player->score, index);
	r = score_begin(player->score, index, err);
	return r < 0 ? r : set_answer(u, stdin_taken, err);
}

static int answer_with_miss(struct played_unit *u, struct error *err)
{
	int r = make_miss(&u->record, err);

	if (u->index != NO_INDEX)
		score_end(u->player->score, u->index);
	u->index = NO_INDEX;
	u->ordered = false;
	return r < 0 ? r : set_answer(u, 0, err);
}

/* Nothing on the tape answers the command. */
static int take_miss(struct played_unit *u, const struct unit *command, struct error *err)
{
	int r = report_miss(u->player, command, err);

	return r < 0 ? r : answer_with_miss(u, err);
}

static int take_stdin_miss(struct played_unit *u, const struct unit *command, struct error *err)
{
	int r = report_stdin(u->player, command, err);

	return r < 0 ? r : answer_with_miss(u, err);
}

/* Choosing by stdin */

#define CANDIDATES_MAX 4096

/* Whether the record goes on, ends or contradicts what has been seen; *ret_more: how much of stdin
 * it still wants. */
static int compare_stdin(struct player *player, size_t index, const struct buf *seen, bool ended,
			 bool *ret_fits, uint64_t *ret_more, struct error *err)
{
	struct payload_view view = {0};
	struct unit record = {0};
	const struct stream *s;
	int r = tape_reader_unit(player->reader, index, &record, err);

	if (r < 0)
		return r;
	*ret_fits = false;
	*ret_more = 0;
	s = unit_stream_const(&record, 0);
	if (s)
		r = tape_reader_payload(player->reader, &s->data, player->session.roots, &view,
					err);
	if (r == 0) {
		bool to_end = s && s->eof;

		*ret_fits = view.len >= seen->len &&
			    (seen->len == 0 || memcmp(view.data, seen->data, seen->len) == 0) &&
			    (!ended || view.len == seen->len);
		*ret_more = view.len - seen->len;
		if (*ret_more == 0 && to_end && !ended)
			*ret_more = STUB_STDIN_ALL;
	}
	payload_view_clear(&view);
	unit_clear(&record);
	return r;
}

/* Drops what does not fit. *ret_index: the one that is left to answer now, or NO_INDEX with
 * *ret_more, how much to read before the next look (0: there is none left). */
static int narrow(struct played_unit *u, bool ended, size_t *ret_index, uint64_t *ret_more,
		  struct error *err)
{
	struct choice *c = u->choice;
	size_t kept = 0;
	int r = 0;

	*ret_index = NO_INDEX;
	*ret_more = 0;
	for (size_t i = 0; r == 0 && i < c->count && *ret_index == NO_INDEX; i++) {
		bool fits = false;
		uint64_t more = 0;

		if (matcher_is_used(u->player->matcher, c->candidate[i]))
			continue;
		r = compare_stdin(u->player, c->candidate[i], &c->seen, ended, &fits, &more, err);
		if (!fits)
			continue;
		if (more == 0)
			*ret_index = c->candidate[i];
		if (more > 0 && (*ret_more == 0 || more < *ret_more))
			*ret_more = more;
		c->candidate[kept++] = c->candidate[i];
	}
	if (*ret_index == NO_INDEX)
		c->count = kept;
	return r;
}

static int begin_choice(struct played_unit *u, struct unit *command, size_t *candidates,
			size_t count, struct error *err)
{
	u->choice = calloc(1, sizeof(*u->choice));
	if (!u->choice)
		return session_no_memory(err);
	u->choice->command = *command;
	*command = (struct unit){0};
	u->choice->candidate = calloc(count, sizeof(*candidates));
	if (!u->choice->candidate)
		return session_no_memory(err);
	memcpy(u->choice->candidate, candidates, count * sizeof(*candidates));
	u->choice->count = count;
	return 0;
}

/* The operations of a unit whose record is not known: read on. */
static void ask_for_stdin(uint64_t until, struct stub_answer *ret, size_t *ret_len)
{
	memset(ret, 0, offsetof(struct stub_answer, data));
	ret->stdin_want = until;
	ret->op[0] = (struct stub_op){.kind = STUB_READ, .len = until};
	ret->op[1] = (struct stub_op){.kind = STUB_MORE};
	ret->op_count = 2;
	*ret_len = offsetof(struct stub_answer, data);
}

/* Deciding an exec */

static int answer_command(struct player *player, struct process *p, struct unit *command,
			  struct exec_decision *ret, struct error *err)
{
	static size_t candidates[CANDIDATES_MAX];
	struct played_unit *u = unit_new(player);
	bool reads_stdin = false;
	size_t count = 0;
	int r = u ? 0 : session_no_memory(err);

	if (r == 0)
		r = matcher_find(player->matcher, command, candidates, 1, &count, err);
	if (r == 0 && count > 0)
		r = matcher_reads_stdin(player->matcher, candidates[0], &reads_stdin, err);
	/* Where stdin is read, it tells apart what is the same but for it. */
	if (r == 0 && reads_stdin)
		r = matcher_find(player->matcher, command, candidates, CANDIDATES_MAX, &count, err);
	if (r < 0)
		return r;
	if (count == 0)
		r = take_miss(u, command, err);
	else if (count == 1)
		r = take_record(u, candidates[0], 0, err);
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
	const struct failed_search *search = p->attempt;
	struct unit command = {0};
	int r;

	if (!session_decide(&player->session, p, request, ret)) {
		search_free(p);
		return 0;
	}
	if (session_unit(&player->session, p, request, &command) < 0)
		return session_no_memory(err);
	if (search && unit_same_command(&search->record, &command)) {
		*ret = (struct exec_decision){.action = EXEC_FAIL,
					      .error = search->record.end.exec_errno};
		r = 0;
	} else {
		search_free(p);
		r = answer_command(player, p, &command, ret, err);
	}
	unit_clear(&command);
	return r;
}

/* Giving operations to a stub */

static int write_ops(struct played_unit *u, struct process *p, const struct stub_answer *ops,
		     size_t len, struct error *err)
{
	return intercept_write(u->player->interceptor, p, STUB_ANSWER_ADDRESS, ops, len, err);
}

/* What the unit may do now. *ret_alone: and it needs us no more. */
static int give(struct played_unit *u, struct process *p, bool *ret_alone, struct error *err)
{
	static struct stub_answer ops;
	struct score *score = u->player->score;
	uint64_t limit_ns = u->ordered ? score_limit(score, u->index) : UINT64_MAX;
	size_t len;

	answer_next(u->answer, limit_ns, &ops, &len);
	*ret_alone = !u->ordered && answer_is_complete(&ops);
	return write_ops(u, p, &ops, len, err);
}

static int give_choice(struct played_unit *u, struct process *p, struct error *err)
{
	static struct stub_answer ops;
	const struct choice *c = u->choice;
	size_t index;
	uint64_t more;
	size_t len;
	int r = narrow(u, false, &index, &more, err);

	(void)index; /* at the start there are at least two */
	if (r < 0)
		return r;
	ask_for_stdin(more == STUB_STDIN_ALL ? more : c->seen.len + more, &ops, &len);
	return write_ops(u, p, &ops, len, err);
}

static bool has_turn(const struct played_unit *u)
{
	return !u->ordered || answer_time(u->answer) <= score_limit(u->player->score, u->index);
}

/* How long a subject that computes may keep the next event waiting. */
#define SETTLE_NS 50000000u

/* Between two events of a recording the subject had time to take notice of the first: a shell that
 * finds two children dead at once cannot tell which one died first. */
static bool is_settled(struct player *player)
{
	return session_now(&player->session) - player->moved_ns > SETTLE_NS ||
	       intercept_subject_is_idle(player->interceptor);
}

static struct played_unit *next_in_turn(const struct player *player)
{
	struct played_unit *u = player->units;

	while (u && (!u->waiting || !has_turn(u)))
		u = u->next;
	return u;
}

/* Something has moved: whoever waits for its turn and has it now goes on. */
static int let_go_on(struct player *player, struct error *err)
{
	struct played_unit *u = next_in_turn(player);
	int r = 0;

	player->unsettled = u && !is_settled(player);
	while (r == 0 && u && !player->unsettled) {
		struct process *p = u->waiting;
		bool alone;

		u->waiting = NULL;
		r = give(u, p, &alone, err);
		if (r == 0)
			r = intercept_reply(player->interceptor, p, STUB_ANEW, err);
		player->moved_ns = session_now(&player->session);
		u = next_in_turn(player);
		player->unsettled = u != NULL;
	}
	return r;
}

static int on_started(void *ctx, struct process *p, struct task *task, bool *ret_detach,
		      struct error *err)
{
	struct played_unit *u = (struct played_unit *)p->unit;
	int r;

	(void)task;
	search_free(p);
	if (p->role != ROLE_STUB)
		return 0;
	if (u->choice)
		return give_choice(u, p, err);
	if (u->ordered)
		score_next(u->player->score, u->index, answer_time(u->answer));
	r = give(u, p, ret_detach, err);
	if (*ret_detach && u->index != NO_INDEX)
		score_end(u->player->score, u->index);
	/* Units may have waited for this one to be spawned. */
	return r < 0 ? r : let_go_on(ctx, err);
}

/* What the stub asks */

static int more(struct played_unit *u, struct process *p, bool *ret_later, struct error *err)
{
	bool alone;
	int r;

	if (!u->ordered)
		return give(u, p, &alone, err);
	score_next(u->player->score, u->index, answer_time(u->answer));
	if (!has_turn(u)) {
		u->waiting = p;
		*ret_later = true;
		return let_go_on(u->player, err);
	}
	r = give(u, p, &alone, err);
	return r < 0 ? r : let_go_on(u->player, err);
}

/* Its reader is behind: the others need not wait for that. */
static int blocked(struct played_unit *u, struct error *err)
{
	if (u->ordered)
		score_next(u->player->score, u->index, answer_time(u->answer));
	return let_go_on(u->player, err);
}

static int chosen(struct played_unit *u, struct process *p, size_t index, struct error *err)
{
	struct choice *c = u->choice;
	bool alone;
	int r;

	u->choice = NULL;
	if (index == NO_INDEX)
		r = take_stdin_miss(u, &c->command, err);
	else
		r = take_record(u, index, c->seen.len, err);
	choice_free(c);
	if (r == 0 && u->ordered)
		score_next(u->player->score, u->index, answer_time(u->answer));
	if (r == 0)
		r = give(u, p, &alone, err);
	return r < 0 ? r : let_go_on(u->player, err);
}

static int choose(struct played_unit *u, struct process *p, size_t len, long *ret_result,
		  struct error *err)
{
	static struct stub_answer ops;
	size_t index;
	uint64_t wanted;
	size_t ops_len;
	int r = narrow(u, len == 0, &index, &wanted, err);

	*ret_result = STUB_ANEW;
	if (r < 0)
		return r;
	if (index != NO_INDEX || wanted == 0)
		return chosen(u, p, index, err);
	ask_for_stdin(wanted == STUB_STDIN_ALL ? wanted : u->choice->seen.len + wanted, &ops,
		      &ops_len);
	return write_ops(u, p, &ops, ops_len, err);
}

/* The stub has taken some of its stdin: it chooses between records, or confirms the one. */
static int took_stdin(struct played_unit *u, struct process *p, uint64_t address, size_t len,
		      long *ret_result, struct error *err)
{
	cleanup_free char *data = malloc(len ? len : 1);
	bool alone;
	int r = data ? 0 : session_no_memory(err);

	if (r == 0 && len > 0)
		r = intercept_read(u->player->interceptor, p, address, data, len, err);
	if (r < 0)
		return r;
	if (u->choice) {
		if (buf_add(&u->choice->seen, data, len) < 0)
			return session_no_memory(err);
		return choose(u, p, len, ret_result, err);
	}
	if (u->index == NO_INDEX || answer_check_stdin(u->answer, data, len))
		return 0;
	*ret_result = STUB_ANEW;
	r = take_stdin_miss(u, &u->record, err);
	if (r == 0)
		r = give(u, p, &alone, err);
	return r < 0 ? r : let_go_on(u->player, err);
}

static int on_hypercall(void *ctx, struct process *p, const uint64_t args[6], long *ret_result,
			bool *ret_later, struct error *err)
{
	struct played_unit *u = (struct played_unit *)p->unit;

	(void)ctx;
	*ret_result = STUB_GO_ON;
	switch (args[0]) {
	case STUB_ASK_MORE:
		*ret_result = STUB_ANEW;
		return more(u, p, ret_later, err);
	case STUB_ASK_STDIN:
		return took_stdin(u, p, args[1], args[2], ret_result, err);
	case STUB_ASK_BLOCKED:
		return blocked(u, err);
	default:
		*ret_result = -ENOSYS;
		return 0;
	}
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
	struct played_unit *u = (struct played_unit *)p->unit;
	struct player *player = ctx;

	(void)wait_status;
	(void)ret_hold;
	(void)err;
	search_free(p);
	if (p->role != ROLE_STUB || !p->main)
		return 0;
	u->waiting = NULL;
	if (u->index != NO_INDEX)
		score_end(u->player->score, u->index);
	/* Another unit may end now: its parent learns of that after it has learnt of this end. */
	player->moved_ns = session_now(&player->session);
	player->unsettled = next_in_turn(player) != NULL;
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

static int on_idle(void *ctx, struct error *err)
{
	struct player *player = ctx;

	matcher_read_ahead(player->matcher);
	return player->unsettled ? let_go_on(player, err) : 0;
}

/* A subject that does otherwise than it did may never spawn what a unit waits for. */
#define PATIENCE_MS 200

static struct played_unit *first_waiting(const struct player *player)
{
	struct played_unit *first = NULL;

	for (struct played_unit *u = player->units; u; u = u->next) {
		if (u->waiting && (!first || answer_time(u->answer) < answer_time(first->answer)))
			first = u;
	}
	return first;
}

static int on_patience_ms(void *ctx)
{
	const struct player *player = ctx;

	if (player->unsettled)
		return 1;
	return first_waiting(player) ? PATIENCE_MS : -1;
}

static int on_timeout(void *ctx, struct error *err)
{
	struct player *player = ctx;
	struct played_unit *u = first_waiting(player);

	if (!u || player->unsettled)
		return let_go_on(player, err);
	score_give_up(player->score, answer_time(u->answer));
	if (!has_turn(u))
		u->ordered = false; /* another unit waits for the subject: go on without order */
	return let_go_on(player, err);
}

static const struct intercept_ops ops = {
	.exec = on_exec,
	.started = on_started,
	.exec_failed = on_exec_failed,
	.ended = on_ended,
	.unit_gone = on_unit_gone,
	.hypercall = on_hypercall,
	.signalled = on_signalled,
	.idle = on_idle,
	.patience_ms = on_patience_ms,
	.timeout = on_timeout,
};
static int run(struct player *player, const struct tape_options *options, const char *stub,
	       struct error *err)
{
	struct intercept_options intercept = {
		.argv = options->argv,
		.stub_path = stub,
		.path_append = toolpath_dir(player->toolpath),
		.eager = true,
		.want_env = player->session.env.count > 0,
	};
	struct error start_error = {0};
	int r = intercept_new(&intercept, &ops, player, &player->interceptor, err);

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

static int open_all(struct player *player, const struct tape_options *options, const char *stub,
		    struct error *err)
{
	int r = tape_reader_open(options->tape, &player->reader, err);

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
		return session_no_memory(err);
	r = score_new(player->reader, &player->score, err);
	if (r < 0)
		return r;
	return toolpath_new(player->reader, player->session.roots, stub, &player->toolpath, err);
}

int tape_replay(const struct tape_options *options, const char *stub,
		struct tape_replay_result *ret, struct error *err)
{
	struct player player = {.tape = options->tape};
	int r = open_all(&player, options, stub, err);

	if (r == 0)
		r = run(&player, options, stub, err);
	if (r == 0)
		*ret = player.result;
	intercept_free(player.interceptor);
	while (player.units)
		unit_free(player.units);
	toolpath_free(player.toolpath);
	score_free(player.score);
	matcher_free(player.matcher);
	session_close(&player.session);
	tape_reader_free(player.reader);
	return r;
}
