/* The connections of the server: messages come in and go out whole. */
#include "tape/intercept/server.h"

#include "base/cleanup.h"
#include "tape/intercept/shim/fds.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* So many messages and connections are served before others get their turn. */
#define AT_ONCE 64

int conn_reply(const struct conn *c, const struct wire_reply *reply, const int *fds, size_t count,
	       struct error *err)
{
	struct iovec io = {(void *)reply, sizeof(*reply)};
	union fds_room room = {.bytes = {0}};
	struct msghdr message = {.msg_iov = &io, .msg_iovlen = 1};

	fds_put(&message, &room, fds, count);
	if (sendmsg(c->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EPIPE &&
	    errno != ECONNRESET)
		return error_sys(err, errno, "cannot answer process %d of the subject",
				 (int)c->pid);
	return 0;
}

void conn_close(struct conn *c)
{
	struct conn **at = &c->server->conns;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	server_unwatch(c->server, &c->watch);
	if (c->peer)
		c->peer->conn = NULL;
	close(c->fd);
	buf_free(&c->text);
	free(c);
}

static int conn_ended(struct conn *c, struct error *err)
{
	struct peer *peer = c->peer;
	/* An exec that went ahead closes it as well. */
	int r = c->waits ? 0 : request_tell(c, 0, err);

	conn_close(c);
	return r < 0 || !peer ? r : peer_left(peer, err);
}

struct message {
	struct wire_ask ask;
	char text[WIRE_PIECE];
};

/* One message; *ret_fds are the caller's. 0 bytes: the end, or nothing of ours; -EAGAIN: none yet;
 * -EMFILE: it has come without its descriptors, which we may not have. */
static ssize_t receive(const struct conn *c, struct message *ret, int ret_fds[WIRE_FDS],
		       size_t *ret_count)
{
	struct iovec io = {ret, sizeof(*ret)};
	union fds_room room = {.bytes = {0}};
	struct msghdr message = {.msg_iov = &io, .msg_iovlen = 1};
	ssize_t n;

	fds_expect(&message, &room);
	n = recvmsg(c->fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	*ret_count = 0;
	if (n < 0)
		return errno == ECONNRESET ? 0 : -errno;
	*ret_count = fds_take(&message, ret_fds);
	if (message.msg_flags & MSG_CTRUNC)
		return -EMFILE;
	return n < (ssize_t)sizeof(ret->ask) || message.msg_flags & MSG_TRUNC ? 0 : n;
}

static bool is_open(const struct server *s, const struct conn *c)
{
	const struct conn *at = s->conns;

	while (at && at != c)
		at = at->next;
	return at != NULL;
}

static int serve_one(struct conn *c, bool *ret_more, struct error *err)
{
	struct message message;
	int fds[WIRE_FDS];
	size_t count;
	ssize_t n = receive(c, &message, fds, &count);
	int r;

	*ret_more = n != -EAGAIN && n != -EINTR;
	if (!*ret_more)
		return 0;
	if (n == -EMFILE)
		r = error_sys(err, EMFILE, "cannot take the streams of a command");
	else if (n <= 0)
		r = conn_ended(c, err);
	else
		r = request_serve(c, &message.ask, fds, count,
				  (struct bytes){message.text, (size_t)n - sizeof(message.ask)},
				  err);
	for (size_t i = 0; i < count; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	return r;
}

int conn_serve(struct conn *c, unsigned limit, struct error *err)
{
	struct server *s = c->server;
	bool more = true;
	int r = 0;

	for (unsigned i = 0; r == 0 && more && i < limit && is_open(s, c); i++)
		r = serve_one(c, &more, err);
	return r;
}

static int conn_ready(void *ctx, uint32_t events, struct error *err)
{
	(void)events;
	return conn_serve(ctx, AT_ONCE, err);
}

static int conn_new(struct server *s, int fd, struct error *err)
{
	struct ucred who = {0};
	socklen_t len = sizeof(who);
	struct conn *c;

	/* The directory is private: this only guards against a mistake. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0 || who.pid <= 0 ||
	    (geteuid() != 0 && who.uid != geteuid() && who.uid != 0)) {
		close(fd);
		return 0;
	}
	c = calloc(1, sizeof(*c));
	if (!c) {
		close(fd);
		return error_no_memory(err);
	}
	*c = (struct conn){.server = s, .fd = fd, .pid = who.pid, .next = s->conns};
	s->conns = c;
	return server_watch(s, fd, conn_ready, c, &c->watch, err);
}

int server_accept(void *ctx, uint32_t events, struct error *err)
{
	struct server *s = ctx;
	int r = 0;

	(void)events;
	for (unsigned i = 0; r == 0 && i < AT_ONCE; i++) {
		int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED
				       ? 0
				       : error_sys(err, errno,
						   "cannot take a connection of the subject");
		r = conn_new(s, fd, err);
	}
	return r;
}
