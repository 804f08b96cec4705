/*
 * The stubs at work: they get their operations in portions, as far as the order of the recording
 * (score.h) lets each of them go, and ask for more.
 */
#include "tape/player.h"

#include "base/cleanup.h"
#include "tape/streams.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A subject that does otherwise than it did may never spawn what a unit waits for. It is given up
 * when the subject sleeps and nothing has happened for so long, and in the end in any case. How
 * long depends on how long the subject took in the recording, within these. */
#define PATIENCE_MS	  200
#define PATIENCE_LEAST_US 10000
#define PATIENCE_TIMES	  4
#define PATIENCE_NS	  (PATIENCE_MS * MS_NS)
#define PATIENCE_BUSY_NS  (5000 * MS_NS) /* with one that computes */
#define MS_NS		  UINT64_C(1000000)
#define NS_PER_US	  1000
#define US_PER_MS	  1000

/* One look at threads that wake each other may find each of them asleep in its turn, where the
 * kernel does not tell more. */
#define IDLE_LOOKS   3
#define IDLE_LOOK_US 2000

/* Where a stub has come or asked for something so recently, a signal may still be on its way. */
#define MISSING_QUIET_NS (50 * MS_NS)

/* After so long a wait for stdin, a record that did not read first may be meant. */
#define READ_PATIENCE_MS 200

/* The operations of a unit whose record is not known: read on. */
static void ask_for_stdin(uint64_t until, struct stub_answer *ret, size_t *ret_len)
{
	memset(ret, 0, offsetof(struct stub_answer, data));
	ret->stdin_want = until;
	ret->op[0] = (struct stub_op){.kind = STUB_READ, .arg = READ_PATIENCE_MS, .len = until};
	ret->op[1] = (struct stub_op){.kind = STUB_MORE};
	ret->op_count = 2;
	*ret_len = offsetof(struct stub_answer, data);
}

/* Giving operations to a stub */

static int write_ops(struct played_unit *u, struct process *p, const struct stub_answer *ops,
		     size_t len, struct error *err)
{
	return intercept_write(u->player->interceptor, p, STUB_ANSWER_ADDRESS, ops, len, err);
}

static int give_until(struct played_unit *u, struct process *p, uint64_t limit_ns, bool *ret_alone,
		      struct error *err)
{
	static struct stub_answer ops;
	size_t len;

	answer_next(u->answer, limit_ns, &ops, &len);
	ops.parent = p->parent;
	*ret_alone = !u->ordered && answer_is_complete(&ops);
	return write_ops(u, p, &ops, len, err);
}

/* Who has turns asks for the next one though nothing limits it now: others may come. */
#define NO_LIMIT_NOW (UINT64_MAX - 1)

/* What the unit may do now. *ret_alone: and it needs us no more. */
static int give(struct played_unit *u, struct process *p, bool *ret_alone, struct error *err)
{
	uint64_t limit_ns = u->ordered ? score_limit(u->player->score, u->index) : UINT64_MAX;

	if (u->ordered && limit_ns > NO_LIMIT_NOW)
		limit_ns = NO_LIMIT_NOW;
	return give_until(u, p, limit_ns, ret_alone, err);
}

/* A unit that has turns begins with what nobody sees, and asks for the first of them. */
static int give_first(struct played_unit *u, struct process *p, bool *ret_alone, struct error *err)
{
	return give_until(u, p, u->ordered ? 0 : UINT64_MAX, ret_alone, err);
}

/* Until stdin tells the records apart; *ret_index when it does. */
static int read_on(struct played_unit *u, struct process *p, bool ended, size_t *ret_index,
		   bool *ret_decided, struct error *err)
{
	static struct stub_answer ops;
	uint64_t until;
	size_t len;
	int r = choice_narrow(u->choice, ended, ret_index, &until, err);

	*ret_decided = *ret_index != CHOICE_NONE || until == 0;
	if (r < 0 || *ret_decided)
		return r;
	ask_for_stdin(until, &ops, &len);
	return write_ops(u, p, &ops, len, err);
}

static bool has_turn(const struct played_unit *u)
{
	return !u->ordered || answer_time(u->answer) <= score_limit(u->player->score, u->index);
}

/* How long a subject that computes, or that a busy machine does not let run, may keep the next
 * event waiting; and one that has computed through several such times. */
#define SETTLE_NS      UINT64_C(500000000)
#define SETTLE_BUSY_NS UINT64_C(5000000)
#define BUSY_AFTER     3
/* Where it only seems to rest, it must for so long. */
#define REST_NS	       UINT64_C(300000)
#define SETTLE_LOOK_US 100

/* A look at all threads of the subject in vain takes time that the subject may need itself. */
#define LOOK_SHARE 3

static enum subject_rest look(struct player *player)
{
	uint64_t began_ns = session_now(&player->session);
	enum subject_rest rest = intercept_subject_rest(player->interceptor);
	uint64_t ended_ns = session_now(&player->session);

	player->next_look_ns =
		rest == SUBJECT_RESTS ? 0 : ended_ns + LOOK_SHARE * (ended_ns - began_ns);
	return rest;
}

/* Between two events of a recording the subject had time to take notice of the first: a shell that
 * finds two children dead at once cannot tell which one died first. */
static bool is_settled(struct player *player)
{
	uint64_t limit_ns = player->busy_times < BUSY_AFTER ? SETTLE_NS : SETTLE_BUSY_NS;
	uint64_t now_ns = session_now(&player->session);
	enum subject_rest rest;

	if (detached_is_awaited(player, now_ns - player->moved_ns))
		return false;
	if (now_ns < player->next_look_ns)
		return false;
	rest = look(player);
	if (rest != SUBJECT_WORKS) {
		if (player->idle_ns < player->moved_ns)
			player->idle_ns = now_ns;
		if (rest == SUBJECT_SEEMS_TO_REST && now_ns - player->idle_ns < REST_NS)
			return false;
		player->busy_times = 0;
		return true;
	}
	player->idle_ns = 0;
	if (now_ns - player->moved_ns <= limit_ns)
		return false;
	player->busy_times++;
	return true;
}

static struct played_unit *next_in_turn(const struct player *player)
{
	struct played_unit *u = player->units;

	while (u && (!u->waiting || !has_turn(u)))
		u = u->next;
	return u;
}

/* An event of this time of the recording is under way. */
static void note_moved(struct player *player, uint64_t recorded_ns)
{
	player->moved_ns = session_now(&player->session);
	player->busy_ns = 0;
	player->idle_looks = 0;
	if (recorded_ns > player->recorded_ns)
		player->recorded_ns = recorded_ns;
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
		note_moved(player, answer_time(u->answer));
		r = give(u, p, &alone, err);
		if (r == 0)
			r = intercept_reply(player->interceptor, p, STUB_ANEW, err);
		u = next_in_turn(player);
		player->unsettled = u != NULL;
	}
	return r;
}

static int chosen(struct played_unit *u, struct process *p, size_t index, struct error *err)
{
	struct input_read read = {0, 0, choice_seen(u->choice)};
	bool alone;
	int r;

	if (index == CHOICE_NONE)
		r = misses_take_input(u, &u->command, &read, err);
	else
		r = player_take_record(u, index, read.data.len, err);
	choice_free(u->choice);
	u->choice = NULL;
	if (r == 0 && u->ordered)
		score_next(u->player->score, u->index, answer_time(u->answer));
	if (r == 0)
		r = give_first(u, p, &alone, err);
	return r < 0 ? r : let_go_on(u->player, err);
}

static int choose(struct played_unit *u, struct process *p, bool ended, struct error *err)
{
	bool decided;
	size_t index;
	int r = read_on(u, p, ended, &index, &decided, err);

	return r < 0 || !decided ? r : chosen(u, p, index, err);
}

/* What a file holds can be seen before it is read. */
static int choose_by_file(struct played_unit *u, struct process *p, size_t *ret_index,
			  struct error *err)
{
	cleanup_close int file = intercept_unit_fd(u->player->interceptor, p, 0);
	struct stat st;

	*ret_index = CHOICE_NONE;
	if (file < 0 || fstat(file, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	return choice_by_file(u->choice, file, stream_position(file, true), ret_index, err);
}

static int choose_first(struct played_unit *u, struct process *p, struct error *err)
{
	size_t index;
	int r = choose_by_file(u, p, &index, err);

	if (r < 0)
		return r;
	return index == CHOICE_NONE ? choose(u, p, false, err) : chosen(u, p, index, err);
}

/* A stub does something. */
static void note_active(struct player *player)
{
	player->active_ns = session_now(&player->session);
	player->stirred_ns = player->active_ns;
}

int turns_start(struct played_unit *u, struct process *p, bool *ret_detach, struct error *err)
{
	struct player *player = u->player;
	int r;

	note_active(player);
	u->pid = p->pid;
	if (u->choice)
		return choose_first(u, p, err);
	if (u->ordered)
		score_next(player->score, u->index, answer_time(u->answer));
	note_moved(player, u->record.time.start_ns);
	r = give_first(u, p, ret_detach, err);
	/* They may come before its first instruction. */
	if (r == 0 && answer_signals(u->answer) != 0)
		r = intercept_block_signals(player->interceptor, p, answer_signals(u->answer), err);
	if (*ret_detach && u->index != NO_INDEX)
		score_end(player->score, u->index);
	if (*ret_detach) {
		detached_add(player, p->pid);
		player->any_end = true;
	}
	/* Units may have waited for this one to be spawned. */
	return r < 0 ? r : let_go_on(player, err);
}

/* What the stub asks */

static int more(struct played_unit *u, struct process *p, bool *ret_later, struct error *err)
{
	bool alone;

	if (!u->ordered)
		return give(u, p, &alone, err);
	score_next(u->player->score, u->index, answer_time(u->answer));
	if (answer_is_hidden(u->answer)) {
		int r = give_until(u, p, 0, &alone, err);

		return r < 0 ? r : let_go_on(u->player, err);
	}
	u->waiting = p;
	*ret_later = true;
	return let_go_on(u->player, err);
}

/* Its reader is behind: the others need not wait for that. */
static int blocked(struct played_unit *u, struct error *err)
{
	if (u->ordered)
		score_next(u->player->score, u->index, answer_time(u->answer));
	return let_go_on(u->player, err);
}

/* The stub has taken some of its stdin, or of another input: it chooses between records, or
 * confirms the one. */
static int took_input(struct played_unit *u, struct process *p, int fd, uint64_t address,
		      size_t len, long *ret_result, struct error *err)
{
	cleanup_free char *data = malloc(len ? len : 1);
	struct input_read read;
	bool alone;
	int r = data ? 0 : error_no_memory(err);

	if (r == 0 && len > 0)
		r = intercept_read(u->player->interceptor, p, address, data, len, err);
	if (r < 0)
		return r;
	if (u->choice) {
		*ret_result = STUB_ANEW;
		if (choice_add(u->choice, data, len) < 0)
			return error_no_memory(err);
		return choose(u, p, len == 0, err);
	}
	if (u->index == NO_INDEX || answer_check_input(u->answer, fd, data, len))
		return 0;
	*ret_result = STUB_ANEW;
	read = (struct input_read){fd, answer_input_agreed(u->answer, fd), {data, len}};
	r = misses_take_input(u, &u->record, &read, err);
	if (r == 0)
		r = give(u, p, &alone, err);
	return r < 0 ? r : let_go_on(u->player, err);
}

/* Of several that say so, none lets the loop's own patience come to its end. */
static int nothing_moves(struct player *player, struct error *err)
{
	if (session_now(&player->session) - player->active_ns <= PATIENCE_NS)
		return 0;
	return turns_on_timeout(player, err);
}

/* The subject waits for the unit rather than the unit for it: for its prompt, or its end. */
static int nothing_comes(struct played_unit *u, struct process *p, long *ret_result,
			 struct error *err)
{
	struct player *player = u->player;
	size_t index = CHOICE_NONE;
	int r = 0;

	if (u->choice && intercept_subject_rest(player->interceptor) != SUBJECT_WORKS)
		r = choice_without_more(u->choice, &index, err);
	if (r == 0 && index != CHOICE_NONE) {
		*ret_result = STUB_ANEW;
		return chosen(u, p, index, err);
	}
	return r < 0 ? r : nothing_moves(player, err);
}

/* A signal does not come that may have come before the stub could see it: then the program itself
 * might not have seen it, and would have gone on without. */
static int signal_is_missing(struct played_unit *u, uint64_t times, long *ret_result,
			     struct error *err)
{
	struct player *player = u->player;
	uint64_t now_ns = session_now(&player->session);
	bool moves = player->running > 0 || now_ns - player->active_ns <= MISSING_QUIET_NS ||
		     intercept_subject_rest(player->interceptor) == SUBJECT_WORKS;

	if (times == 1)
		u->missing_ns = now_ns;
	u->missing_looks = moves ? 0 : u->missing_looks + 1;
	if (u->missing_looks >= IDLE_LOOKS || now_ns - u->missing_ns > PATIENCE_BUSY_NS) {
		u->missing_looks = 0;
		*ret_result = STUB_DO_WITHOUT;
	}
	return nothing_moves(player, err);
}

/* The recording does not say how it went on, and nobody kills it. */
static int held(struct played_unit *u, struct process *p, long *ret_result, struct error *err)
{
	bool alone;
	int r;

	if (!held_is_waited_for(u))
		return nothing_moves(u->player, err);
	*ret_result = STUB_ANEW;
	r = misses_take_held(u, err);
	if (r == 0)
		r = give(u, p, &alone, err);
	return r < 0 ? r : let_go_on(u->player, err);
}

/* Whether it is more than that it still waits. */
static bool is_news(uint64_t ask)
{
	return ask != STUB_ASK_NOTHING && ask != STUB_ASK_NO_SIGNAL && ask != STUB_ASK_HELD;
}

int turns_on_hypercall(void *ctx, struct process *p, const uint64_t args[6], long *ret_result,
		       bool *ret_later, struct error *err)
{
	struct played_unit *u = (struct played_unit *)p->unit;

	(void)ctx;
	*ret_result = STUB_GO_ON;
	if (is_news(args[0]))
		note_active(u->player);
	switch (args[0]) {
	case STUB_ASK_MORE:
		*ret_result = STUB_ANEW;
		return more(u, p, ret_later, err);
	case STUB_ASK_STDIN:
		return took_input(u, p, 0, args[1], args[2], ret_result, err);
	case STUB_ASK_INPUT:
		return took_input(u, p, STUB_INPUT_FD(args[2]), args[1], STUB_INPUT_LEN(args[2]),
				  ret_result, err);
	case STUB_ASK_BLOCKED:
		return blocked(u, err);
	case STUB_ASK_NOTHING:
		return nothing_comes(u, p, ret_result, err);
	case STUB_ASK_NO_SIGNAL:
		return signal_is_missing(u, args[2], ret_result, err);
	case STUB_ASK_HELD:
		return held(u, p, ret_result, err);
	default:
		*ret_result = -ENOSYS;
		return 0;
	}
}

void turns_end(struct played_unit *u)
{
	struct player *player = u->player;

	u->waiting = NULL;
	u->ended = true;
	if (u->index != NO_INDEX)
		score_end(player->score, u->index);
	/* Another unit may end now: its parent learns of that after it has learnt of this end. */
	player->moved_ns = session_now(&player->session);
	player->unsettled = next_in_turn(player) != NULL;
	player->any_end = true;
}

int turns_on_idle(void *ctx, struct error *err)
{
	struct player *player = ctx;
	int r = 0;

	/* By now the end is known to the parent. */
	if (player->any_end && player->put_off_count > 0)
		r = put_off_ask_again(player, err);
	matcher_read_ahead(player->matcher);
	return r == 0 && player->unsettled ? let_go_on(player, err) : r;
}

static struct played_unit *first_waiting(const struct player *player)
{
	struct played_unit *first = NULL;

	for (struct played_unit *u = player->units; u; u = u->next) {
		if (u->waiting && (!first || answer_time(u->answer) < answer_time(first->answer)))
			first = u;
	}
	return first;
}

static bool is_at_work(const struct played_unit *u)
{
	return u->ordered && !u->waiting && !u->choice && !u->ended;
}

/* Not every wait is for the subject. */
static bool any_at_work(const struct player *player)
{
	const struct played_unit *u = player->units;

	while (u && !is_at_work(u))
		u = u->next;
	return u != NULL;
}

/* How long the subject may take for what it took so long for in the recording. What does not come
 * time after time is not waited for as long. */
static int patience_us(const struct player *player, const struct played_unit *u)
{
	uint64_t until_ns = score_limit(player->score, u->index);
	uint64_t gap_ns = 0;
	uint64_t us;

	if (any_at_work(player))
		return PATIENCE_MS * US_PER_MS;
	if (until_ns != UINT64_MAX && until_ns > player->recorded_ns)
		gap_ns = until_ns - player->recorded_ns;
	us = gap_ns / NS_PER_US * PATIENCE_TIMES + (PATIENCE_LEAST_US >> player->in_vain);
	return us < PATIENCE_MS * US_PER_MS ? (int)us : PATIENCE_MS * US_PER_MS;
}

int turns_on_patience_us(void *ctx)
{
	const struct player *player = ctx;
	int of_put_off = put_off_patience_us(player);
	const struct played_unit *u;
	int own = -1;

	if (player->unsettled)
		return SETTLE_LOOK_US;
	u = first_waiting(player);
	if (u)
		own = player->idle_looks ? IDLE_LOOK_US : patience_us(player, u);
	return of_put_off >= 0 && (own < 0 || of_put_off < own) ? of_put_off : own;
}

/* A stub may have its turn, and wait for nothing but a processor. */
static bool any_stub_runs(const struct player *player)
{
	const struct played_unit *u = player->units;

	while (u && (!is_at_work(u) || !intercept_runs(u->pid)))
		u = u->next;
	return u != NULL;
}

/* Whether the subject is waited for in vain: it waits, too, or has computed, or slept by itself,
 * for very long. */
static bool is_in_vain(struct player *player)
{
	uint64_t now_ns = session_now(&player->session);
	enum subject_rest rest;

	if (player->running > 0)
		return false;
	rest = intercept_subject_rest(player->interceptor);
	if (rest != SUBJECT_WORKS && !intercept_subject_sleeps(player->interceptor) &&
	    !any_stub_runs(player))
		return (rest == SUBJECT_RESTS && !any_at_work(player)) ||
		       ++player->idle_looks >= IDLE_LOOKS;
	player->idle_looks = 0;
	if (player->busy_ns == 0)
		player->busy_ns = now_ns;
	return now_ns - player->busy_ns > PATIENCE_BUSY_NS;
}

#define IN_VAIN_MAX 3

int turns_on_timeout(void *ctx, struct error *err)
{
	struct player *player = ctx;
	struct played_unit *u = first_waiting(player);
	bool any_due = put_off_patience_us(player) == 0;
	int r = any_due ? put_off_ask_again(player, err) : 0;

	player->active_ns = session_now(&player->session);
	if (r < 0)
		return r;
	if (any_due || !u || player->unsettled)
		return let_go_on(player, err);
	if (!is_in_vain(player))
		return 0;
	player->busy_ns = 0;
	player->idle_looks = 0;
	/* It may not spawn what is waited for because we hold its thread, in another spawn. */
	if (player->put_off_count > 0)
		return put_off_let_go(player, err);
	if (player->in_vain < IN_VAIN_MAX)
		player->in_vain++;
	score_give_up(player->score, answer_time(u->answer));
	if (!has_turn(u))
		u->ordered = false; /* another unit waits for the subject: go on without order */
	return let_go_on(player, err);
}
