/*
 * A process of a command that runs for real: its pipes, and who feeds and empties them. Nothing
 * here needs a thread of its own, a handler for signals, or anything of the process for longer than
 * a call.
 */
#ifndef SANDTAPE_TAPE_RUNNING_H
#define SANDTAPE_TAPE_RUNNING_H

#include "base/buf.h"
#include "base/error.h"
#include "tape/command.h"
#include "tape/unit.h"

struct running {
	pid_t pid; /* 0: there is none */
	int pidfd; /* -1 where there is no such thing */
	int in;	   /* our ends of its pipes, or -1 */
	int out;
	int err;
	struct buf input;     /* owned */
	size_t written;	      /* of it */
	struct buf output[2]; /* what came from stdout and stderr so far */
	uint64_t deadline_ns; /* CLOCK_MONOTONIC; 0: none */
	bool killed;	      /* its time was over */
};

/* A struct that is not zero, but empty. */
void running_init(struct running *r);

/*
 * Starts `command` in `cwd` by `launch`. *ret_errno: why it could not be executed, or 0. On
 * failure, and when it was not executed, `r` is empty.
 */
int running_start(struct running *r, const struct tape_command *command, const char *cwd,
		  tape_launcher launch, void *launch_ctx, int *ret_errno, struct error *err);

/* Feeds it, takes its output, ends it when its time is over, and reaps it. */
int running_finish(struct running *r, struct unit_end *ret, struct error *err);

/* Kills it when it was not reaped, and frees all. */
void running_clear(struct running *r);

#endif
