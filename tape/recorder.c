/*
 * The recorder: what the interceptor tells becomes records. The order of things is the promise: a
 * unit's exit is on the tape, and its output with its readers, before its parent learns of it.
 */
#include "tape/recorder.h"

#include "base/cleanup.h"
#include "tape/capture.h"
#include "tape/denied.h"
#include "tape/streams.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct recorded_unit *unit_new(struct recorder *r)
{
	struct recorded_unit *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->recorder = r;
	u->next = r->units;
	if (u->next)
		u->next->previous = u;
	u->traced.recorded = true;
	r->units = u;
	return u;
}

void recorded_unit_free(struct recorded_unit *u)
{
	if (u->previous)
		u->previous->next = u->next;
	else
		u->recorder->units = u->next;
	if (u->next)
		u->next->previous = u->previous;
	capture_free(u->capture);
	unit_clear(&u->unit);
	free(u);
}

static int write_exit(struct recorded_unit *u, struct error *err)
{
	struct recorder *r = u->recorder;
	struct unit_time *time = &u->unit.time;

	time->known = true;
	time->duration_ns = session_now(&r->session) - time->start_ns;
	r->capture_host.last_event = NULL;
	if (u->unit.end.how != END_UNFINISHED) {
		r->result.units++;
		r->result.units_ns += time->duration_ns;
	}
	u->ended = true;
	r->ends_unsynced = r->sync;
	time->start_ns = r->replaces ? r->replaced_start_ns : time->start_ns + r->shift_ns;
	time->episode = r->episode;
	return tape_writer_exit(r->writer, &u->unit, err);
}

/* An exec that failed for good: the whole search through PATH is one unit that never ran. */
static int write_failure(struct recorded_unit *u, struct error *err)
{
	int r = tape_writer_spawn(u->recorder->writer, &u->unit, err);

	if (r == 0)
		r = write_exit(u, err);
	recorded_unit_free(u);
	return r;
}

static int on_exec(void *ctx, struct process *p, const struct exec_request *request,
		   struct exec_decision *ret, struct error *err)
{
	struct recorder *r = ctx;
	struct recorded_unit *before = p->attempt;
	struct recorded_unit *u;
	int result = 0;

	p->attempt = NULL;
	if (!session_decide(&r->session, p, request, ret)) {
		return before ? write_failure(before, err) : 0;
	}
	u = unit_new(r);
	if (!u || session_unit(&r->session, p, request, &u->unit) < 0)
		return error_no_memory(err);
	u->unit.time.start_ns = session_now(&r->session);
	u->unit.time.pid = p->pid;
	u->unit.explained = r->explains;
	if (before && unit_same_command(&before->unit, &u->unit)) {
		u->unit.end = before->unit.end;
		u->unit.time.start_ns = before->unit.time.start_ns;
		denied_move(&before->unit, &u->unit);
		recorded_unit_free(before);
	} else if (before) {
		result = write_failure(before, err);
	}
	p->attempt = u;
	*ret = (struct exec_decision){.action = EXEC_UNIT, .unit = &u->traced};
	return result;
}

int recorder_give_up_attempt(struct process *p, struct error *err)
{
	struct recorded_unit *u = p->attempt;

	p->attempt = NULL;
	return write_failure(u, err);
}

/* execvp(3) goes on after ENOENT and EACCES, and answers EACCES when it met one. */
static int on_exec_failed(void *ctx, struct process *p, int sys_errno, struct error *err)
{
	struct recorded_unit *u = p->attempt;

	(void)ctx;
	(void)err;
	capture_free(u->capture); /* its streams were set up in vain */
	u->capture = NULL;
	if (u->unit.end.how != END_EXEC_FAILED || u->unit.end.exec_errno != EACCES)
		u->unit.end.exec_errno = sys_errno;
	u->unit.end.how = END_EXEC_FAILED;
	return 0;
}

static int on_streams(void *ctx, struct process *p, struct task *task, struct error *err)
{
	struct recorder *r = ctx;
	struct recorded_unit *u = p->attempt;

	return capture_begin(&r->capture_host, p, task, &u->unit, u, &u->capture, err);
}

static int on_started(void *ctx, struct process *p, bool *ret_detach, struct error *err)
{
	struct recorder *r = ctx;
	struct recorded_unit *u = p->attempt;

	(void)ret_detach;
	p->attempt = NULL;
	r->capture_host.last_event = NULL;
	u->unit.end = (struct unit_end){.how = END_UNFINISHED};
	return tape_writer_spawn(r->writer, &u->unit, err);
}

static void set_end(struct unit_end *end, int wait_status)
{
	if (WIFSIGNALED(wait_status)) {
		*end = (struct unit_end){.how = END_SIGNALED,
					 .signal = WTERMSIG(wait_status),
					 .core = WCOREDUMP(wait_status)};
		return;
	}
	*end = (struct unit_end){.how = END_EXITED, .code = WEXITSTATUS(wait_status)};
}

/* Nothing more comes from the unit: what came late goes to the tape. */
static int close_unit(struct recorded_unit *u, struct error *err)
{
	bool any = false;
	int r;

	u->closed = true;
	if (!u->capture)
		return 0;
	r = capture_finish_tails(u->capture, &any, err);
	any |= u->unit.late_count > 0;
	if (r == 0 && any)
		r = tape_writer_tail(u->recorder->writer, &u->unit, err);
	if (r == 0 && any)
		r = tape_writer_sync(u->recorder->writer, err);
	return r;
}

static int write_end(struct recorded_unit *u, struct error *err)
{
	int r = capture_finish(u->capture, err);

	return r < 0 ? r : write_exit(u, err);
}

/*
 * A parent is told ends one after the other: the next one when it has taken notice of the one
 * before (notice.h). Until then that one has not ended for anybody, so its record is written after
 * that, and has that time.
 *
 * With --sync nobody learns of an end before its record is on the disk. So ends wait until nothing
 * else is to be done, and then one sync is for the records of all of them: what ends while the disk
 * is at work has the next one together.
 */
static int wait_for_turn(struct recorder *r, struct process *p, struct error *err)
{
	struct process **grown =
		reallocarray(r->waiting, r->waiting_count + 1, sizeof(struct process *));

	if (!grown)
		return error_no_memory(err);
	r->waiting = grown;
	grown[r->waiting_count++] = p;
	return 0;
}

/* Its record, if it has one that is not written yet. */
static int write_waiting(const struct process *p, struct error *err)
{
	struct recorded_unit *u = (struct recorded_unit *)p->unit;

	return u && !u->ended ? write_end(u, err) : 0;
}

static bool is_taken(struct recorder *r, pid_t parent, uint64_t now_ns)
{
	return notice_is_taken(&r->notices, parent, r->interceptor, now_ns);
}

/* Who has not taken notice is not looked at again at the same time, so of the ends of one parent
 * the first one is found. */
static size_t next_in_turn(struct recorder *r)
{
	uint64_t now_ns = session_now(&r->session);
	size_t next = 0;

	while (next < r->waiting_count && !is_taken(r, r->waiting[next]->parent, now_ns))
		next++;
	return next;
}

static int release_waiting(struct recorder *r, size_t index, struct error *err)
{
	struct process *p = r->waiting[index];
	int result = write_waiting(p, err);

	if (result < 0)
		return result;
	r->waiting_count--;
	memmove(&r->waiting[index], &r->waiting[index + 1],
		(r->waiting_count - index) * sizeof(struct process *));
	notice_begin(&r->notices, p->parent, p->pid, session_now(&r->session));
	return intercept_release(r->interceptor, p, err);
}

static int release_those_next(struct recorder *r, struct error *err)
{
	int result = 0;

	while (result == 0 && r->waiting_count > 0 && !r->ends_unsynced) {
		size_t next = next_in_turn(r);

		if (next == r->waiting_count)
			break;
		result = release_waiting(r, next, err);
	}
	return result;
}

static int on_idle(void *ctx, struct error *err)
{
	struct recorder *r = ctx;
	int result = 0;

	/* What has only begun since the last one can wait for the next end. */
	if (r->ends_unsynced && r->waiting_count > 0) {
		result = tape_writer_sync(r->writer, err);
		r->ends_unsynced = result < 0;
	}
	return result < 0 ? result : release_those_next(r, err);
}

/* The end that was held back. The process may be the last of its unit: `u` may be gone then. */
static int release(struct recorded_unit *u, struct error *err)
{
	struct recorder *r = u->recorder;
	struct process *held = u->held;
	int result = r->sync ? write_end(u, err) : 0;

	u->held = NULL;
	if (result == 0)
		result = wait_for_turn(r, held, err);
	return result < 0 ? result : release_those_next(r, err);
}

/* What is denied to the processes that are left shows in no stream. */
static bool is_over(const struct recorded_unit *u)
{
	return capture_ended(u->capture) && (u->gone || !u->recorder->restricts);
}

/* Goes on with the unit's end as far as its output allows. May free the unit. */
static int advance(struct recorded_unit *u, struct error *err)
{
	bool delivered = true;
	int r = 0;

	if (u->held) {
		r = capture_drain(u->capture, &delivered, err);
		return r < 0 || !delivered ? r : release(u, err);
	}
	if (u->ended && !u->closed && is_over(u))
		r = close_unit(u, err);
	if (u->closed && u->gone)
		recorded_unit_free(u);
	return r;
}

static int on_progress(void *unit, struct error *err)
{
	return advance(unit, err);
}

static bool any_waits(const struct recorder *r, pid_t parent)
{
	size_t i = 0;

	while (i < r->waiting_count && r->waiting[i]->parent != parent)
		i++;
	return i < r->waiting_count;
}

/* Its output is delivered. */
static int end_in_turn(struct recorded_unit *u, struct process *p, bool *ret_hold,
		       struct error *err)
{
	struct recorder *r = u->recorder;
	bool now = !r->sync && !any_waits(r, p->parent) &&
		   is_taken(r, p->parent, session_now(&r->session));
	int result = now || r->sync ? write_end(u, err) : 0;

	if (result < 0)
		return result;
	*ret_hold = !now;
	if (!now)
		return wait_for_turn(r, p, err);
	notice_begin(&r->notices, p->parent, p->pid, session_now(&r->session));
	return 0;
}

/* An exec failed for good in it. */
static int end_of_attempt(struct recorder *r, struct process *p, bool *ret_hold, struct error *err)
{
	*ret_hold = r->ends_unsynced;
	return *ret_hold ? wait_for_turn(r, p, err) : 0;
}

static int on_ended(void *ctx, struct process *p, int wait_status, bool *ret_hold,
		    struct error *err)
{
	struct recorded_unit *u = (struct recorded_unit *)p->unit;
	struct recorded_unit *attempt = p->attempt;
	bool delivered = true;
	int r;

	if (attempt) {
		p->attempt = NULL;
		if (attempt->unit.end.how == END_EXEC_FAILED) {
			r = write_failure(attempt, err);
			return r < 0 ? r : end_of_attempt(ctx, p, ret_hold, err);
		}
		recorded_unit_free(attempt); /* it was killed inside its exec */
		return 0;
	}
	if (!p->main || u->ended)
		return 0;
	set_end(&u->unit.end, wait_status);
	if (p->stdin_ended)
		capture_stdin_ended(u->capture);
	r = capture_drain(u->capture, &delivered, err);
	if (r == 0 && !delivered) {
		u->held = p;
		u->held_ns = session_now(&u->recorder->session);
		*ret_hold = true;
		return 0;
	}
	return r < 0 ? r : end_in_turn(u, p, ret_hold, err);
}

static int on_unit_gone(void *ctx, struct traced_unit *unit, struct error *err)
{
	struct recorded_unit *u = (struct recorded_unit *)unit;
	bool delivered;
	int r = capture_drain(u->capture, &delivered, err);

	(void)ctx;
	u->gone = true;
	capture_unit_gone(u->capture);
	return r < 0 ? r : advance(u, err);
}

static int on_io_begins(void *ctx, struct process *p, struct io *io, bool *ret_wanted,
			struct error *err)
{
	struct recorded_unit *u = (struct recorded_unit *)p->unit;

	(void)ctx;
	if (!u || !u->capture)
		return 0;
	return capture_io_begins(u->capture, p->pid, io, ret_wanted, err);
}

static int on_io_done(void *ctx, struct process *p, const struct io *io, struct error *err)
{
	struct recorded_unit *u = (struct recorded_unit *)p->unit;

	(void)ctx;
	return capture_io(u->capture, p, io, err);
}

/*
 * A unit can be killed while its output waits for a reader, and the reader may wait for the end of
 * the unit before it reads. Its own pipe would have held less than ours, so nothing that it could
 * have delivered is missing: the end is told, and the rest follows when it is read. The same may be
 * true of a unit that ended by itself, when the process that wrote was killed inside it; but mostly
 * such a unit would still be blocked in its write, so it has to wait much longer.
 */
#define KILLED_PATIENCE_US 5000
#define ENDED_PATIENCE_US  1000000

/* How often it is looked whether an end may be told. */
#define TURN_LOOK_US 100

static int patience_with(const struct recorded_unit *u)
{
	return u->unit.end.how == END_SIGNALED ? KILLED_PATIENCE_US : ENDED_PATIENCE_US;
}

static bool is_overdue(const struct recorded_unit *u)
{
	uint64_t waited_ns = session_now(&u->recorder->session) - u->held_ns;

	return u->held && waited_ns >= (uint64_t)patience_with(u) * 1000u;
}

static int on_patience_us(void *ctx)
{
	const struct recorder *r = ctx;
	int least = r->waiting_count > 0 ? TURN_LOOK_US : -1;

	for (const struct recorded_unit *u = r->units; u; u = u->next) {
		if (u->held && (least < 0 || patience_with(u) < least))
			least = patience_with(u);
	}
	return least;
}

static int on_timeout(void *ctx, struct error *err)
{
	struct recorder *r = ctx;
	struct recorded_unit *u = r->units;

	while (u && !is_overdue(u))
		u = u->next;
	if (!u || intercept_subject_rest(r->interceptor) == SUBJECT_WORKS)
		return 0;
	return release(u, err);
}

/* Whether it has come to the end of its stdin, or nobody is left who could write there, as when the
 * subject sent its own output through it (`exec > >(tee log)`): then it is about to end. What
 * sandtape was given says nothing of it. One that has closed its stdin may be at its end already:
 * the kernel, or a shim, closes it before the end can be told. */
static bool is_at_end_of_stdin(const struct recorded_unit *u)
{
	const struct stream *stream = unit_stream_const(&u->unit, 0);
	cleanup_close int process = (int)syscall(SYS_pidfd_open, u->unit.time.pid, 0);
	cleanup_close int copy = process < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, process, 0, 0);
	bool is_closed = copy < 0 && (errno == EBADF || errno == ESRCH);
	struct pollfd input = {.fd = copy};

	if (stream && (stream->eof || is_closed) &&
	    (stream->kind == STREAM_PIPE || stream->kind == STREAM_SOCKET))
		return true;
	return copy >= 0 && poll(&input, 1, 0) == 1 && (input.revents & POLLHUP) &&
	       !stream_same_file(copy, STDIN_FILENO);
}

static bool on_lingers(void *ctx)
{
	const struct recorder *r = ctx;
	const struct recorded_unit *u = r->units;

	while (u && (u->ended || !u->capture || !is_at_end_of_stdin(u)))
		u = u->next;
	return u != NULL;
}

/* What comes after the end of the first process is part of the tail. */
static int on_denied(void *ctx, struct process *p, const struct denied *denied, struct error *err)
{
	struct recorder *r = ctx;
	struct recorded_unit *u = p->attempt ? p->attempt : (struct recorded_unit *)p->unit;
	int result;

	if (!u || u->closed)
		return 0;
	result = u->ended ? denied_add_late(&u->unit, denied, r->session.roots)
			  : denied_add(&u->unit, denied, r->session.roots);
	return result < 0 ? error_no_memory(err) : 0;
}

static int on_limited(void *ctx, enum intercept_limit limit, const char *program, struct error *err)
{
	struct recorder *r = ctx;

	return session_tell_limit(&r->session, limit, program, err);
}

const struct intercept_ops recorder_ops = {
	.exec = on_exec,
	.streams = on_streams,
	.started = on_started,
	.exec_failed = on_exec_failed,
	.ended = on_ended,
	.unit_gone = on_unit_gone,
	.io_begins = on_io_begins,
	.io_done = on_io_done,
	.signalled = recorder_on_signalled,
	.limited = on_limited,
	.lingers = on_lingers,
	.denied = on_denied,
	.terminal_signalled = recorder_on_terminal_signalled,
	.stopped = recorder_on_stopped,
	.flush = recorder_on_flush,
	.sent = recorder_on_sent,
	.not_sent = recorder_on_not_sent,
	.idle = on_idle,
	.patience_us = on_patience_us,
	.timeout = on_timeout,
};

/* What the subject may have heard of it so far is on the tape. */
static int write_unfinished(struct recorded_unit *u, struct error *err)
{
	bool delivered;
	int r = capture_drain(u->capture, &delivered, err);

	u->recorder->result.unfinished++;
	if (r == 0)
		r = capture_finish(u->capture, err);
	return r < 0 ? r : write_exit(u, err);
}

/* The subject has ended: late output so far is kept, and units that still run are not finished. */
int recorder_close_units(struct recorder *r, struct error *err)
{
	int result = 0;

	/* The tape is synced when it is finished, and who held the ends releases them. */
	for (size_t i = 0; result == 0 && i < r->waiting_count; i++)
		result = write_waiting(r->waiting[i], err);
	r->waiting_count = 0;
	for (struct recorded_unit *u = r->units, *next; result == 0 && u; u = next) {
		next = u->next;
		if (!u->ended) {
			if (u->capture)
				result = write_unfinished(u, err);
		} else if (!u->closed)
			result = close_unit(u, err);
	}
	return result;
}

void recorder_set_host(struct recorder *r, struct interceptor *interceptor)
{
	r->interceptor = interceptor;
	r->capture_host = (struct capture_host){interceptor, &r->session,
						tape_writer_dir(r->writer), on_progress, NULL};
}
