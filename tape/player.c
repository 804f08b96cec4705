/*
 * The player: runs the subject and answers its commands from the tape. Nothing but the subject
 * and the stub is executed.
 */
#include "tape/tape.h"

#include "base/cleanup.h"
#include "tape/answer.h"
#include "tape/matcher.h"
#include "tape/reader.h"
#include "tape/session.h"
#include "tape/toolpath.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What a command without a record ends with: see tape_replay(). */
#define MISS_STATUS 123

struct player;

struct played_unit {
	struct traced_unit traced;
	struct unit record;
	struct answer *answer;
	struct played_unit *next; /* of all that live */
	struct played_unit *previous;
	struct player *player;
};

struct player {
	struct session session;
	struct interceptor *interceptor;
	struct tape_reader *reader;
	struct matcher *matcher;
	struct toolpath *toolpath;
	struct played_unit *units;
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
	u->next = player->units;
	if (u->next)
		u->next->previous = u;
	player->units = u;
	return u;
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

static int answer_with(struct player *player, struct unit *record, struct exec_decision *ret,
		       struct error *err)
{
	struct played_unit *u = unit_new(player);
	int r;

	if (!u)
		return session_no_memory(err);
	u->record = *record;
	*record = (struct unit){0};
	*ret = (struct exec_decision){.action = EXEC_STUB, .unit = &u->traced};
	r = answer_new(player->reader, player->session.roots, &u->record, &u->answer, err);
	if (r < 0)
		error_wrap(err, r, "%s", player->tape);
	return r;
}

static void count_answer(struct player *player, const struct unit *record)
{
	player->result.units++;
	player->result.units_ns += record->time.duration_ns;
	unit_id_format(record->id, player->last_id);
}

static int answer_command(struct player *player, struct process *p, const struct unit *command,
			  struct exec_decision *ret, struct error *err)
{
	struct unit record = {0};
	size_t index;
	int r = matcher_take(player->matcher, command, &index, &record, err);

	if (r == ERR_NOTFOUND) {
		r = report_miss(player, command, err);
		if (r == 0)
			r = make_miss(&record, err);
		if (r < 0)
			return r;
	} else if (r < 0) {
		return error_wrap(err, r, "%s", player->tape);
	} else {
		count_answer(player, &record);
	}
	if (record.end.how == END_EXEC_FAILED)
		r = fail_like_record(p, &record, ret, err);
	else
		r = answer_with(player, &record, ret, err);
	unit_clear(&record);
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

static int give(struct player *player, struct process *p, bool *ret_alone, struct error *err)
{
	static struct stub_answer answer;
	struct played_unit *u = (struct played_unit *)p->unit;
	size_t len;

	answer_next(u->answer, &answer, &len);
	*ret_alone = answer_is_complete(&answer);
	return intercept_write(player->interceptor, p, STUB_ANSWER_ADDRESS, &answer, len, err);
}

static int on_started(void *ctx, struct process *p, struct task *task, bool *ret_detach,
		      struct error *err)
{
	(void)task;
	search_free(p);
	return p->role == ROLE_STUB ? give(ctx, p, ret_detach, err) : 0;
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
	(void)ctx;
	(void)wait_status;
	(void)ret_hold;
	(void)err;
	search_free(p);
	return 0;
}

static int on_unit_gone(void *ctx, struct traced_unit *unit, struct error *err)
{
	(void)ctx;
	(void)err;
	unit_free((struct played_unit *)unit);
	return 0;
}

static int on_hypercall(void *ctx, struct process *p, const uint64_t args[6], long *ret_result,
			struct error *err)
{
	bool alone;

	*ret_result = 0;
	if (args[0] != STUB_ASK_MORE) {
		*ret_result = -ENOSYS;
		return 0;
	}
	return give(ctx, p, &alone, err);
}

static int on_signalled(void *ctx, struct process *target, int signal, struct error *err)
{
	(void)ctx;
	(void)target;
	(void)signal;
	(void)err;
	return 0; /* the kernel delivers it to the stub */
}

static void on_idle(void *ctx)
{
	struct player *player = ctx;

	matcher_read_ahead(player->matcher);
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
};

static int run(struct player *player, const struct tape_options *options, const char *stub,
	       struct error *err)
{
	struct intercept_options intercept = {
		.argv = options->argv,
		.stub_path = stub,
		.path_append = toolpath_dir(player->toolpath),
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
	player->matcher = matcher_new(player->reader);
	if (!player->matcher)
		return session_no_memory(err);
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
	matcher_free(player.matcher);
	session_close(&player.session);
	tape_reader_free(player.reader);
	return r;
}
