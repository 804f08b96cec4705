/*
 * The inside of the backends without ptrace: a server that the library in the subject (preload) or
 * the links in its PATH (path) ask by a socket what is to become of a command. What they say is in
 * shim/wire.h.
 */
#ifndef SANDTAPE_TAPE_INTERCEPT_SERVER_H
#define SANDTAPE_TAPE_INTERCEPT_SERVER_H

#include "tape/intercept/interceptor.h"
#include "tape/intercept/shim/wire.h"
#include "tape/intercept/stub/answer.h"
#include <limits.h>

struct peer;
struct server;

/* A connection. */
struct conn {
	struct server *server;
	int fd;
	void *watch;
	pid_t pid;
	struct peer *peer; /* whose process speaks here, once it has asked for something */
	uint64_t token;	   /* WIRE_WAIT: its own. WIRE_EXEC: of who waits, until that is told */
	bool waits;	   /* WIRE_WAIT */
	struct buf text;   /* WIRE_TEXT: what has come of an exec */
	bool too_long;	   /* and more than any exec can have */
	struct conn *next;
};

/* A process that the server knows: the subject, what stays subject, what stands for a unit, and
 * forks of the subject that have asked for something. */
struct peer {
	struct server *server;
	struct process *process;
	int pidfd; /* -1: the subject itself, which is our child */
	void *watch;
	struct conn *conn;
	int unit_fd[3]; /* ours; of the unit that it is about to become; -1: closed */
	struct wire_reply places;
	int place_fd[WIRE_PLACES]; /* for the next reply, in the order of the places */
	size_t place_fd_count;
	struct stub_room *room; /* shared with a shim that stands for a unit */
	uint64_t signal_mask;
	bool counted;	   /* it is one of its unit's processes */
	bool gone;	   /* the process has ended */
	bool was_in_place; /* before the exec that is going on */
	struct peer *next_end;
	struct peer *next;
};

struct server {
	struct interceptor common;
	char *dir; /* private; holds the socket and the links */
	int lock;  /* of it, see tmpdir_make() */
	int listen_fd;
	int life_fd; /* when it is closed, the shims end (shim/life_linux.c) */
	void *listen_watch;
	struct conn *conns;
	struct peer *peers;
	struct peer *ends;    /* shims that may end now, the first in turn first */
	struct peer *leaving; /* who was told to, and is not over yet; or NULL */
	uint64_t leaving_since_ns;
	uint64_t last_token;
	unsigned own_watches;
	bool said_hello; /* the subject has loaded the library */
	bool is_reaper;	 /* orphans of the subject become our children */
};

static inline struct server *server_of(const struct interceptor *t)
{
	return (struct server *)t;
}

/* server_linux.c */
int server_watch(struct server *s, int fd, intercept_ready ready, void *ctx, void **ret_watch,
		 struct error *err);
void server_unwatch(struct server *s, void **watch);

/* conns_linux.c */
int server_accept(void *ctx, uint32_t events, struct error *err);
/* Serves what has come, but no more than so many messages. The connection may be gone after it. */
int conn_serve(struct conn *c, unsigned limit, struct error *err);
#define CONN_ALL UINT_MAX
/* A client that has gone is no error. */
int conn_reply(const struct conn *c, const struct wire_reply *reply, const int *fds, size_t count,
	       struct error *err);
void conn_close(struct conn *c);

/* peers_linux.c */
/* A process that is gone is not found any more: another one may have its number. */
struct peer *peer_find(const struct server *s, pid_t pid);
/* pidfd -1: the subject. */
int peer_new(struct server *s, pid_t pid, int pidfd, struct peer **ret, struct error *err);
/* The process that speaks on the connection, which is made known when it is not. */
int peer_of(struct conn *c, struct peer **ret, struct error *err);
/* The connection of the process is gone. */
int peer_left(struct peer *peer, struct error *err);
void peer_free(struct peer *peer);
/* It stands for the unit of its last exec now. */
void peer_join_unit(struct peer *peer, enum role role);
/* Its part in its unit ends. */
int peer_leave_unit(struct peer *peer, struct error *err);
void peer_close_fds(struct peer *peer);

/* ends_linux.c */
/* The shim, which has told of the end of its program, may end in its turn. */
int ends_add(struct peer *peer, struct error *err);
void ends_give_up(const struct peer *peer); /* its connection is gone */
void ends_over(const struct peer *peer);    /* its process is gone */
/* Whose turn it is now gets its word. */
int ends_go_on(struct server *s, struct error *err);
/* µs until somebody is not waited for any longer; -1: nobody is. */
int ends_patience_us(const struct server *s);

/* requests_linux.c: what a message means; fds are the caller's to close, but for those taken
 * (-1 then). */
int request_serve(struct conn *c, const struct wire_ask *ask, int *fds, size_t fd_count,
		  struct bytes text, struct error *err);
/* Whoever waits for the exec of this connection learns how it went. */
int request_tell(struct conn *c, int sys_errno, struct error *err);

/* family_linux.c: processes below us, by /proc */
/* Calls `visit` for each but those below what it returns false for. */
typedef bool (*family_visit)(void *ctx, pid_t pid);
void family_each(family_visit visit, void *ctx);
bool family_is_below(pid_t pid, pid_t ancestor);
pid_t family_parent(pid_t pid); /* 0 when it is gone */
size_t server_left(const struct interceptor *t);
bool server_any_fork(struct interceptor *t);
enum subject_rest server_rest(struct interceptor *t, pid_t of); /* 0: of all the subject */
void server_end_all(struct interceptor *t);

/* program_linux.c: whether the library would be loaded into the program; ERR_UNSUPPORTED when it
 * would not. */
int program_check_preload(const char *path, struct error *err);

#endif
