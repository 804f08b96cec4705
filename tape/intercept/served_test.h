/*
 * For tests of the server of the backends without ptrace: one that is served by hand, and whose
 * interceptor has a client that keeps a log. The test is a process of the subject itself, as far as
 * the server can tell; where one must die, it is a fork.
 */
#ifndef SANDTAPE_TAPE_INTERCEPT_SERVED_TEST_H
#define SANDTAPE_TAPE_INTERCEPT_SERVED_TEST_H

#include "tape/intercept/server.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* The server, the client of its interceptor, and what that was told. */
extern struct served {
	struct interceptor *t;
	struct server *s;
	struct error err;
	struct buf log;
	enum exec_action action; /* what it decides */
	struct stream_swaps swaps;
	int unit_fd_errno[3];
	bool hold;
	struct traced_unit units[1024]; /* each test has a process of its own */
	unsigned unit_count;
} served;

/* The fixture: a server that listens, in a directory of its own. */
void served_enter(void);
void served_leave(void);

/* Until nothing is left to serve; served_serve() must not fail. */
int served_try(void);
void served_serve(void);

/* What the client was told since the last look. */
void served_expect_log(const char *wanted);

int served_connect(void);
void served_say(int sock, struct wire_ask ask);
void served_say_text(int sock, struct wire_ask ask, const void *text, size_t len);

/* The text of an exec of "x y". */
#define SERVED_TEXT	"/bin/x\0/\0x\0y\0"
#define SERVED_TEXT_LEN (sizeof(SERVED_TEXT) - 1)

/* All of it. */
void served_say_exec(int sock, uint64_t token, int known_errno);

/* The kind of the next reply; 0: none. */
int served_reply(int sock, struct wire_reply *ret);
/* Serves, and the reply must be of the kind; its number. */
int64_t served_expect(int sock, enum wire_reply_kind kind);

#endif
