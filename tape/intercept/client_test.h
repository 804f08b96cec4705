/*
 * The interceptor with a client that keeps a log of what it was told. The subjects that it runs are
 * those of subjects_test.h, or programs.
 */
#ifndef SANDTAPE_TAPE_INTERCEPT_CLIENT_TEST_H
#define SANDTAPE_TAPE_INTERCEPT_CLIENT_TEST_H

#include "base/buf.h"
#include "tape/intercept/intercept.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

#define UNITS_MAX 8

/* What the client does, set by the test; and what it was told. */
extern struct client {
	struct interceptor *t;
	enum exec_action action; /* for execs of forked children */
	int error;
	bool keep_log; /* off where the order of events is left to chance */
	const char *hold;
	const char *release_at;
	bool inject;
	void (*on_request)(const struct exec_request *request);

	struct buf log;
	struct process *held;
	struct fake_unit *units;
	unsigned starts, ends, gones, signals;
	pid_t pids[UNITS_MAX]; /* of the first units */
} client;

extern const struct intercept_ops client_ops;

/* The fixture: in a directory of its own, with some files that cannot be executed. */
void client_enter(void);
void client_leave(void);

void open_interceptor(char *const *argv);
/* The wait status. */
int run_to_end(void);
int run_argv(char *const *argv);

char *const *subject_argv(const char *name);
/* Its exit code; the log has what was told besides its own exec. */
int run_subject(const char *name);

void assert_log(const char *wanted);

#endif
