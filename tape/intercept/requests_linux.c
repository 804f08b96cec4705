/* What the clients of the server ask, and what becomes of it. */
#include "tape/intercept/server.h"

#include "base/cleanup.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int do_reply(const struct conn *c, enum wire_reply_kind kind, int64_t number,
		    struct error *err)
{
	const struct wire_reply reply = {.kind = kind, .number = number};

	return conn_reply(c, &reply, NULL, 0, err);
}

int request_tell(struct conn *c, int sys_errno, struct error *err)
{
	uint64_t token = c->token;
	const struct conn *waiting = c->server->conns;

	c->token = 0;
	if (token == 0)
		return 0;
	while (waiting && !(waiting->waits && waiting->token == token))
		waiting = waiting->next;
	return waiting ? do_reply(waiting, WIRE_TOLD, sys_errno, err) : 0;
}

/* An exec, as the client wrote it down: see wire.h. */
struct exec_text {
	char *text;
	struct bytes *item;
	struct exec_request request;
};

static void exec_text_clear(struct exec_text *e)
{
	free(e->text);
	free(e->item);
}

/* Strings one after the other, each with its NUL. False when there are fewer. */
static bool split(struct bytes *item, size_t count, char *text, size_t len)
{
	for (size_t i = 0; i < count; i++) {
		char *end = memchr(text, '\0', len);

		if (!end)
			return false;
		item[i] = (struct bytes){text, (size_t)(end - text)};
		len -= (size_t)(end - text) + 1;
		text = end + 1;
	}
	return true;
}

#define TEXT_MAX (16u << 20) /* bytes; the kernel's own limit for argv and env is 6 MiB */

static int out_of_place(const struct conn *c, const struct wire_ask *ask, struct error *err)
{
	return error_set(err, ERR_SYSTEM,
			 "process %d of the subject sent a message (%u) out of place", (int)c->pid,
			 ask->kind);
}

static int add_text(struct conn *c, struct bytes text, struct error *err)
{
	c->too_long |= c->text.len + text.len > TEXT_MAX;
	return !c->too_long && buf_add(&c->text, text.data, text.len) < 0 ? error_no_memory(err)
									  : 0;
}

static int read_exec(struct conn *c, const struct wire_ask *ask, struct exec_text *ret,
		     struct error *err)
{
	size_t count = 2 + (size_t)ask->argc + ask->envc;
	size_t len = c->text.len;

	ret->text = buf_steal(&c->text);
	/* Each has a NUL at least. */
	if (count > len)
		return error_set(err, ERR_SYSTEM, "a process of the subject sent no whole exec");
	ret->item = calloc(count, sizeof(*ret->item));
	if (!ret->item)
		return error_no_memory(err);
	if (!split(ret->item, count, ret->text, len))
		return error_set(err, ERR_SYSTEM, "a process of the subject sent no whole exec");
	ret->request = (struct exec_request){
		.path = ret->item[0],
		.cwd = ret->item[1],
		.argv = ret->item + 2,
		.argc = ask->argc,
		.env = ret->item + 2 + ask->argc,
		.env_count = ask->envc,
	};
	return 0;
}

static void take_unit_fds(struct peer *peer, const struct wire_ask *ask, int *fds, size_t count)
{
	size_t next = 0;

	peer_close_fds(peer);
	for (int fd = 0; fd <= 2 && next < count; fd++) {
		if (ask->open >> fd & 1)
			peer->unit_fd[fd] = steal_fd(&fds[next++]);
	}
}

static int fail_unit(struct peer *peer, int sys_errno, struct error *err)
{
	struct interceptor *t = &peer->server->common;
	struct process *p = peer->process;

	peer_close_fds(peer);
	p->decision = (struct exec_decision){.action = EXEC_REAL};
	return t->ops.exec_failed(t->ctx, p, sys_errno, err);
}

static int begin_unit(struct conn *c, int known_errno, struct error *err)
{
	struct peer *peer = c->peer;
	struct interceptor *t = &c->server->common;
	struct wire_reply reply = {.kind = WIRE_DO_FAIL, .number = known_errno};
	int r = 0;

	if (known_errno) {
		r = fail_unit(peer, known_errno, err);
	} else {
		peer->places = (struct wire_reply){.kind = WIRE_DO_UNIT};
		if (t->ops.streams)
			r = t->ops.streams(t->ctx, peer->process, NULL, err);
		reply = peer->places;
	}
	if (r == 0 && known_errno)
		r = request_tell(c, known_errno, err);
	if (r == 0)
		r = conn_reply(c, &reply, peer->place_fd, peer->place_fd_count, err);
	peer_close_fds(peer);
	return r;
}

/* The library must get into what stays subject: else what that spawns would not be seen. */
static int check_subject(const struct conn *c, const struct exec_request *request,
			 struct error *err)
{
	char path[8192];

	if (c->server->common.options.backend != INTERCEPT_PRELOAD)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/cwd/%s", (int)c->pid, request->path.data);
	return program_check_preload(request->path.data[0] == '/' ? request->path.data : path, err);
}

static int begin_subject(struct conn *c, const struct exec_request *request, struct error *err)
{
	struct process *p = c->peer->process;

	c->peer->was_in_place = p->in_place;
	p->in_place = !p->decision.hands_over;
	p->spreads = p->decision.spreads;
	p->subject_id = p->decision.subject_id;
	if (check_subject(c, request, err) < 0)
		return ERR_UNSUPPORTED;
	return do_reply(c, WIRE_DO_SUBJECT, 0, err);
}

static int carry_out(struct conn *c, const struct exec_request *request, int known_errno,
		     struct error *err)
{
	struct process *p = c->peer->process;
	int r;

	switch (p->decision.action) {
	case EXEC_UNIT:
		return begin_unit(c, known_errno, err);
	case EXEC_STUB:
		return do_reply(c, WIRE_DO_STUB, 0, err);
	case EXEC_FAIL:
		known_errno = p->decision.error;
		break;
	case EXEC_LATER: /* it was not offered (may_wait) */
		break;
	case EXEC_SUBJECT:
		if (known_errno == 0)
			return begin_subject(c, request, err);
		break;
	case EXEC_REAL:
		if (known_errno == 0) {
			p->role = ROLE_UNIT;
			return do_reply(c, WIRE_DO_REAL, 0, err);
		}
		break;
	}
	/* Who waits for a process that now ends has to know before. */
	r = request_tell(c, known_errno, err);
	return r < 0 ? r : do_reply(c, WIRE_DO_FAIL, known_errno, err);
}

static int decide(struct conn *c, const struct wire_ask *ask, struct error *err)
{
	struct interceptor *t = &c->server->common;
	struct process *p = c->peer->process;
	struct exec_text exec = {0};
	int r = read_exec(c, ask, &exec, err);

	p->decision = (struct exec_decision){.action = EXEC_REAL};
	if (r == 0 && !t->keeping)
		r = t->ops.exec(t->ctx, p, &exec.request, &p->decision, err);
	if (r == 0)
		r = carry_out(c, &exec.request, (int)ask->number, err);
	exec_text_clear(&exec);
	return r;
}

static int on_exec(struct conn *c, const struct wire_ask *ask, int *fds, size_t count,
		   struct error *err)
{
	struct peer *peer = NULL;
	int r = peer_of(c, &peer, err);

	if (r == 0 && !peer) /* it has been killed, and nobody reads what we would say */
		conn_close(c);
	if (r < 0 || !peer)
		return r;
	if (peer->process->role != ROLE_SUBJECT)
		return out_of_place(c, ask, err);
	c->token = ask->token;
	if (c->too_long) { /* the kernel would refuse the same */
		buf_free(&c->text);
		c->too_long = false;
		r = request_tell(c, E2BIG, err);
		return r < 0 ? r : do_reply(c, WIRE_DO_FAIL, E2BIG, err);
	}
	take_unit_fds(peer, ask, fds, count);
	r = decide(c, ask, err);
	if (peer->process->decision.action != EXEC_UNIT)
		peer_close_fds(peer);
	return r;
}

static int on_started(struct conn *c, struct error *err)
{
	struct interceptor *t = &c->server->common;
	bool detach = false;
	int r;

	peer_join_unit(c->peer, ROLE_UNIT);
	r = t->ops.started(t->ctx, c->peer->process, &detach, err);
	return r < 0 ? r : request_tell(c, 0, err);
}

static int on_failed(struct conn *c, int sys_errno, struct error *err)
{
	struct process *p = c->peer->process;
	int r = 0;

	if (p->decision.action == EXEC_UNIT)
		r = fail_unit(c->peer, sys_errno, err);
	else if (p->decision.action == EXEC_SUBJECT)
		p->in_place = c->peer->was_in_place;
	else
		p->role = ROLE_SUBJECT;
	if (r < 0 || c->token == 0)
		return r;
	r = request_tell(c, sys_errno, err);
	return r < 0 ? r : do_reply(c, WIRE_END, 0, err);
}

static int tell_stopped(const struct conn *c, int signal, struct error *err)
{
	struct interceptor *t = &c->server->common;

	return t->ops.stopped ? t->ops.stopped(t->ctx, c->peer->process, signal, err) : 0;
}

/* What the unit sends to its own shim, the subject has not sent; but it makes itself go on. */
static int on_signal(struct conn *c, const struct wire_ask *ask, struct error *err)
{
	struct interceptor *t = &c->server->common;
	struct process *p = c->peer->process;
	int signal = (int)ask->number;

	if (!intercept_unit_of(p))
		return 0;
	if (family_is_below((pid_t)ask->pid, p->pid))
		return signal == SIGCONT ? tell_stopped(c, signal, err) : 0;
	return t->ops.signalled(t->ctx, p, signal, err);
}

static int on_stopped(struct conn *c, int signal, struct error *err)
{
	int r = tell_stopped(c, signal, err);

	return r < 0 ? r : do_reply(c, WIRE_END, 0, err);
}

static int on_ended(struct conn *c, const struct wire_ask *ask, struct error *err)
{
	struct interceptor *t = &c->server->common;
	struct process *p = c->peer->process;
	bool hold = false;
	int r;

	p->ended = true;
	p->stdin_ended = (ask->flags & WIRE_STDIN_ENDED) != 0;
	r = t->ops.ended(t->ctx, p, (int)ask->number, &hold, err);
	p->held = hold;
	return r < 0 || hold ? r : ends_add(c->peer, err);
}

static int make_room(struct peer *peer, int *ret_fd, struct error *err)
{
	int fd = memfd_create("sandtape-answer", MFD_CLOEXEC);
	void *room;

	if (fd < 0 || ftruncate(fd, sizeof(*peer->room)) < 0) {
		int saved = errno;

		if (fd >= 0)
			close(fd);
		return error_sys(err, saved, "cannot make room for an answer");
	}
	room = mmap(NULL, sizeof(*peer->room), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (room == MAP_FAILED) {
		close(fd);
		return error_sys(err, errno, "cannot make room for an answer");
	}
	peer->room = room;
	*ret_fd = fd;
	return 0;
}

/* A shim stands for the unit now. */
static int on_ready(struct conn *c, struct error *err)
{
	struct interceptor *t = &c->server->common;
	struct peer *peer = c->peer;
	struct wire_reply reply = {.kind = WIRE_ROOM};
	cleanup_close int fd = -1;
	bool detach = false;
	int r = request_tell(c, 0, err);

	if (r == 0)
		r = make_room(peer, &fd, err);
	if (r < 0)
		return r;
	peer_join_unit(peer, ROLE_STUB);
	r = t->ops.started(t->ctx, peer->process, &detach, err);
	reply.number = detach;
	reply.mask = peer->signal_mask;
	if (r == 0)
		r = conn_reply(c, &reply, &fd, 1, err);
	if (r < 0 || !detach)
		return r;
	peer->process->ended = true; /* nobody asks for it */
	return peer_leave_unit(peer, err);
}

static int on_stub(struct conn *c, const struct wire_ask *ask, struct error *err)
{
	struct interceptor *t = &c->server->common;
	uint64_t args[6] = {ask->args[0], ask->args[1], ask->args[2]};
	long result = 0;
	bool later = false;
	int r = t->ops.hypercall(t->ctx, c->peer->process, args, &result, &later, err);

	return r < 0 || later ? r : do_reply(c, WIRE_RESULT, result, err);
}

static int on_wait(struct conn *c, struct error *err)
{
	c->waits = true;
	c->token = ++c->server->last_token;
	return do_reply(c, WIRE_TOKEN, (int64_t)c->token, err);
}

/* What each kind of process may say: a message out of place is nothing that we sent. */
static bool is_in_place(const struct conn *c, const struct wire_ask *ask)
{
	const struct process *p = c->peer ? c->peer->process : NULL;

	switch (ask->kind) {
	case WIRE_HELLO:
	case WIRE_BROKEN:
		return true;
	case WIRE_TEXT:
	case WIRE_EXEC:
		return !c->waits && !(p && p->main);
	case WIRE_WAIT:
		return !c->waits && !p;
	case WIRE_STARTED:
		return p && p->role == ROLE_SUBJECT && p->decision.action == EXEC_UNIT;
	case WIRE_READY:
		return p && p->role == ROLE_SUBJECT && p->decision.action == EXEC_STUB;
	case WIRE_FAILED:
		return p && !p->main;
	case WIRE_SIGNAL:
	case WIRE_STOPPED:
	case WIRE_ENDED:
		return p && p->role == ROLE_UNIT && p->main && !p->ended;
	case WIRE_STUB:
		return p && p->role == ROLE_STUB && p->unit;
	default:
		return false;
	}
}

int request_serve(struct conn *c, const struct wire_ask *ask, int *fds, size_t fd_count,
		  struct bytes text, struct error *err)
{
	int r;

	if (!is_in_place(c, ask))
		return out_of_place(c, ask, err);
	switch (ask->kind) {
	case WIRE_HELLO:
		c->server->said_hello = true;
		return 0;
	case WIRE_TEXT:
		return add_text(c, text, err);
	case WIRE_EXEC:
		r = add_text(c, text, err);
		return r < 0 ? r : on_exec(c, ask, fds, fd_count, err);
	case WIRE_STARTED:
		return on_started(c, err);
	case WIRE_FAILED:
		return on_failed(c, (int)ask->number, err);
	case WIRE_BROKEN:
		return error_sys(err, (int)ask->number, "cannot start a command of the subject");
	case WIRE_SIGNAL:
		return on_signal(c, ask, err);
	case WIRE_STOPPED:
		return on_stopped(c, (int)ask->number, err);
	case WIRE_ENDED:
		return on_ended(c, ask, err);
	case WIRE_READY:
		return on_ready(c, err);
	case WIRE_STUB:
		return on_stub(c, ask, err);
	default:
		return on_wait(c, err);
	}
}
