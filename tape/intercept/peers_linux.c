/* The processes that the server knows. */
#include "tape/intercept/server.h"

#include "base/cleanup.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct peer *peer_find(const struct server *s, pid_t pid)
{
	struct peer *peer = s->peers;

	while (peer && (peer->gone || peer->process->pid != pid))
		peer = peer->next;
	return peer;
}

void peer_close_fds(struct peer *peer)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (peer->unit_fd[fd] >= 0)
			close(steal_fd(&peer->unit_fd[fd]));
	}
	while (peer->place_fd_count > 0)
		close(peer->place_fd[--peer->place_fd_count]);
}

void peer_free(struct peer *peer)
{
	struct server *s = peer->server;
	struct peer **at = &s->peers;

	while (*at != peer)
		at = &(*at)->next;
	*at = peer->next;
	ends_give_up(peer);
	ends_over(peer);
	if (peer->conn)
		peer->conn->peer = NULL;
	server_unwatch(s, &peer->watch);
	if (peer->pidfd >= 0)
		close(peer->pidfd);
	if (peer->room)
		munmap(peer->room, sizeof(*peer->room));
	peer_close_fds(peer);
	tasks_remove_process(&s->common.tasks, peer->process);
	free(peer);
}

void peer_join_unit(struct peer *peer, enum role role)
{
	struct process *p = peer->process;

	p->role = role;
	p->main = true;
	p->unit = p->decision.unit;
	p->unit->processes++;
	peer->counted = true;
}

int peer_leave_unit(struct peer *peer, struct error *err)
{
	struct interceptor *t = &peer->server->common;
	struct traced_unit *unit = peer->process->unit;

	if (!peer->counted)
		return 0;
	peer->counted = false;
	peer->process->unit = NULL;
	return --unit->processes == 0 ? t->ops.unit_gone(t->ctx, unit, err) : 0;
}

static int forget_when_over(struct peer *peer, struct error *err)
{
	int r;

	if (!peer->gone || peer->conn || peer->process->held)
		return 0;
	r = peer_leave_unit(peer, err);
	peer_free(peer);
	return r;
}

int peer_left(struct peer *peer, struct error *err)
{
	peer->conn = NULL;
	ends_give_up(peer);
	return forget_when_over(peer, err);
}

/* Only SIGKILL ends a shim that has not told of an end. */
static int unit_was_killed(struct peer *peer, struct error *err)
{
	struct interceptor *t = &peer->server->common;
	struct process *p = peer->process;
	bool hold = false;
	int r = t->ops.signalled(t->ctx, p, SIGKILL, err);

	p->ended = true;
	if (r == 0)
		r = t->ops.ended(t->ctx, p, SIGKILL, &hold, err);
	p->held = hold;
	return r;
}

/* It was killed between its question and the word that the program runs, which may have run for a
 * moment. As with ptrace, the exec has won. */
static int join_unit_at_end(struct peer *peer, struct error *err)
{
	struct interceptor *t = &peer->server->common;
	struct process *p = peer->process;
	bool detach = false;

	if (p->role != ROLE_SUBJECT || !p->decision.unit)
		return 0;
	if (p->decision.action == EXEC_STUB)
		peer_join_unit(peer, ROLE_STUB);
	if (p->decision.action != EXEC_UNIT)
		return 0;
	peer_join_unit(peer, ROLE_UNIT);
	return t->ops.started(t->ctx, p, &detach, err);
}

static int process_ended(void *ctx, uint32_t events, struct error *err)
{
	struct peer *peer = ctx;
	struct interceptor *t = &peer->server->common;
	struct process *p = peer->process;
	bool hold = false;
	int r = 0;

	(void)events;
	server_unwatch(peer->server, &peer->watch);
	/* What it said before comes first. */
	if (peer->conn)
		r = conn_serve(peer->conn, CONN_ALL, err);
	peer->gone = true;
	ends_over(peer);
	if (r == 0)
		r = join_unit_at_end(peer, err);
	if (r < 0)
		return r;
	if (p->role == ROLE_UNIT && p->main && !p->ended) {
		r = unit_was_killed(peer, err);
	} else if (!p->ended) {
		p->ended = true;
		r = t->ops.ended(t->ctx, p, 0, &hold, err);
		p->held = hold;
	}
	return r < 0 ? r : forget_when_over(peer, err);
}

int peer_new(struct server *s, pid_t pid, int pidfd, struct peer **ret, struct error *err)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	int r;

	if (!peer)
		return error_no_memory(err);
	*peer = (struct peer){.server = s, .pidfd = pidfd, .unit_fd = {-1, -1, -1}};
	peer->process = tasks_add_process(&s->common.tasks, pid);
	if (!peer->process) {
		free(peer);
		return error_no_memory(err);
	}
	peer->process->parent = pidfd < 0 ? 0 : family_parent(pid);
	peer->process->role = ROLE_SUBJECT;
	peer->next = s->peers;
	s->peers = peer;
	*ret = peer;
	if (pidfd < 0)
		return 0;
	r = server_watch(s, pidfd, process_ended, peer, &peer->watch, err);
	return r;
}

/* The nearest process above that is known: what it is, its fork is. */
static const struct process *known_ancestor(const struct server *s, pid_t pid)
{
	while ((pid = family_parent(pid)) > 1) {
		const struct peer *peer = peer_find(s, pid);

		if (peer)
			return peer->process;
	}
	return NULL;
}

int peer_of(struct conn *c, struct peer **ret, struct error *err)
{
	struct server *s = c->server;
	const struct process *above;
	int pidfd;
	int r;

	*ret = c->peer ? c->peer : peer_find(s, c->pid);
	if (!*ret) {
		pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
		if (pidfd < 0)
			return errno == ESRCH ? 0
					      : error_sys(err, errno,
							  "cannot watch a process of the subject");
		above = known_ancestor(s, c->pid);
		r = peer_new(s, c->pid, pidfd, ret, err);
		if (r < 0)
			return r;
		if (above) {
			(*ret)->process->subject_id = above->subject_id;
			(*ret)->process->spreads = above->spreads;
		}
	}
	/* A new conversation of the same process takes the place of the one before, of which all
	 * comes first. */
	if ((*ret)->conn && (*ret)->conn != c) {
		r = conn_serve((*ret)->conn, CONN_ALL, err);
		if (r < 0)
			return r;
	}
	if ((*ret)->conn && (*ret)->conn != c)
		(*ret)->conn->peer = NULL;
	(*ret)->conn = c;
	c->peer = *ret;
	return 0;
}
