/*
 * What the server of the backends without ptrace and its clients (the library in a subject, the
 * shim in the place of a command) say to each other: one message a packet, over a SOCK_SEQPACKET
 * socket in a private directory. All clients are of the same build.
 *
 * The functions are those of the client. They use neither memory of the heap nor locks, since they
 * also run in the child of a vfork(2), and return a negative errno.
 */
#ifndef SANDTAPE_TAPE_INTERCEPT_SHIM_WIRE_H
#define SANDTAPE_TAPE_INTERCEPT_SHIM_WIRE_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

/* Names in the private directory. */
#define WIRE_SOCKET  "socket"
#define WIRE_LIFE    "life"		      /* a FIFO that the server has open */
#define WIRE_SHIM    "shim"		      /* a link to the shim */
#define WIRE_LIBRARY "libsandtape-preload.so" /* a link to the library */
#define WIRE_BIN     "bin"		      /* links to the shim, by the names of programs */

enum wire_ask_kind {
	WIRE_HELLO = 1, /* the library is at work in a program of the subject; no reply */
	WIRE_TEXT,	/* a piece of the text of the exec that follows; no reply */
	WIRE_EXEC,	/* this process is about to execute something: a WIRE_DO_* */
	WIRE_STARTED,	/* the unit's program has been executed; no reply */
	WIRE_FAILED,	/* it has not: `number` is the errno; WIRE_END when somebody waits */
	WIRE_BROKEN,	/* `number` is an errno of our own: it could not even be tried; no reply */
	WIRE_SIGNAL,	/* `number` was sent by `pid` and handed on; no reply */
	WIRE_STOPPED, /* the unit has stopped itself by `number`, or goes on (SIGCONT): WIRE_END */
	WIRE_ENDED,   /* `number` is the wait status: WIRE_END when the output is delivered */
	WIRE_READY,   /* a shim is to stand in for a unit: WIRE_ROOM */
	WIRE_STUB,    /* its answer asks something (enum stub_ask): WIRE_RESULT */
	WIRE_WAIT     /* posix_spawn(3): WIRE_TOKEN, and WIRE_TOLD when its child has executed */
};

enum wire_flag {
	WIRE_STDIN_ENDED = 1 /* WIRE_ENDED: nothing was left in stdin, and no writer */
};

struct wire_ask {
	uint32_t kind;
	uint32_t flags;
	int64_t number;
	int64_t pid;
	uint64_t token; /* WIRE_EXEC: of the parent that waits, or 0 */
	/* WIRE_EXEC: its text is the path, the cwd (empty: it is gone), the arguments and the
	 * environment, each with its NUL, in pieces of up to WIRE_PIECE bytes, of which this
	 * message has the last. Its descriptors are those of 0 to 2 that are open, by the bits
	 * of `open`. number: the errno with which the exec is bound to fail, or 0. */
	uint32_t argc;
	uint32_t envc;
	uint32_t open;
	uint32_t reserved;
	uint64_t args[3]; /* WIRE_STUB: the ask, an address, a length */
};

enum wire_reply_kind {
	WIRE_DO_SUBJECT = 1, /* execute it, and go on being intercepted */
	WIRE_DO_REAL,	     /* execute it, and be let alone */
	WIRE_DO_FAIL,	     /* fail with the errno `number` */
	WIRE_DO_UNIT,	     /* execute it below a shim, with these places */
	WIRE_DO_STUB,	     /* become a shim that stands in for it */
	WIRE_ROOM,	     /* the descriptor is a struct stub_room; number: nobody will answer */
	WIRE_RESULT,	     /* number */
	WIRE_END,	     /* the parent may know */
	WIRE_TOKEN,	     /* number */
	WIRE_TOLD	     /* number: an errno, or 0 */
};

/* A stream of the unit: another number's, or the next descriptor of the message. */
struct wire_place {
	int32_t fd;
	int32_t same_as; /* or -1 */
};

#define WIRE_PLACES 3
#define WIRE_FDS    3
#define WIRE_PIECE  8192

struct wire_reply {
	uint32_t kind;
	uint32_t place_count;
	int64_t number;
	uint64_t mask; /* WIRE_ROOM: bit n - 1: the signal n waits until the answer lets it in */
	struct wire_place place[WIRE_PLACES];
};

/* Descriptors of ours get high numbers: a low one may be a stream that is closed. */
int wire_high_fd(int fd);

/* The socket in `dir`, close-on-exec. */
int wire_connect(const char *dir);
int wire_send(int sock, const struct wire_ask *ask, const int *fds, size_t count);
/* Takes up to WIRE_FDS descriptors, close-on-exec; they are as many as the reply says, or it is
 * -EMFILE. */
int wire_receive(int sock, struct wire_reply *ret, int ret_fds[WIRE_FDS], size_t *ret_count);

struct wire_program {
	int dirfd; /* as for execveat(2) */
	int flags;
	const char *path;  /* what is executed */
	const char *named; /* what the server is told of it */
	char *const *argv;
	char *const *env;
};

/* WIRE_EXEC and its reply. */
int wire_ask_exec(int sock, const struct wire_program *program, int known_errno, uint64_t token,
		  struct wire_reply *ret, int ret_fds[WIRE_FDS], size_t *ret_count);

/* execve or execveat; returns only with -errno. */
int wire_execute(const struct wire_program *program);

/* What a process sets aside while it is ours. */
struct wire_aside {
	sigset_t mask;
	struct rlimit nofile;
};

/* Blocks all signals, and lets us have descriptors above the program's own limit. */
void wire_set_aside(struct wire_aside *ret);
void wire_put_back(const struct wire_aside *aside);

/* "NAME=" and a value of the list, or NULL. */
const char *wire_env(char *const *env, const char *name);

#endif
