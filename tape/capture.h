/*
 * The streams of one unit while it is recorded. Pipes and sockets that it writes to are replaced
 * by ones of ours of the same kind, and what arrives is copied to the tape and passed on; regular
 * files stay in place and their range is read at the end; terminals stay in place, and what is read
 * and written there is seen in the calls that do so; stdin is never touched.
 */
#ifndef SANDTAPE_TAPE_CAPTURE_H
#define SANDTAPE_TAPE_CAPTURE_H

#include "tape/intercept/intercept.h"
#include "tape/session.h"
#include "tape/spool.h"
#include "tape/unit.h"

struct capture; /* all streams of one unit */

struct capture_host {
	struct interceptor *interceptor;
	const struct session *session;
	const char *tape_dir;
	/* Called when a stream has ended or has delivered what it had: the unit may go on with
	 * its own end. It may free the capture. */
	int (*progress)(void *unit, struct error *err);
	/* Whose the last event of the whole recording was: output that follows upon another
	 * unit's event is a chunk of its own. The recorder clears it at starts and ends. */
	const struct capture *last_event;
};

/*
 * At the start of a unit: looks at its streams 0 to 2, fills u->streams, and begins to replace
 * what must be replaced. `host` is borrowed for the life of the capture; `u` belongs to `unit`.
 */
int capture_begin(struct capture_host *host, struct process *p, struct task *task, struct unit *u,
		  void *unit, struct capture **ret, struct error *err);

/* What the unit does by calls that its filter stops: whether this one is about a stream of its own
 * that is captured so. Inside a pipeline of a shell, fd 0 is another stream. */
int capture_io_begins(struct capture *c, pid_t pid, struct io *io, bool *ret_wanted,
		      struct error *err);
/* It has done so. */
int capture_io(struct capture *c, struct process *p, const struct io *io, struct error *err);

/* Whether it is at a terminal other than the one that sandtape itself runs on. */
bool capture_has_terminal(const struct capture *c);

/* What the unit read of its stdin was not seen, but it was all that there was. */
void capture_stdin_ended(struct capture *c);

/* The unit's first process is gone: take what is there. *ret_delivered: its readers have it all. */
int capture_drain(struct capture *c, bool *ret_delivered, struct error *err);

/* Then, once: what was captured so far becomes the payloads of u->streams. */
int capture_finish(struct capture *c, struct error *err);

/* No process of the unit is left. */
void capture_unit_gone(struct capture *c);
/* Whether all streams have ended; before, descendants may still write. */
bool capture_ended(const struct capture *c);
/* What came after capture_finish() becomes the tails. *ret_any: there were some. */
int capture_finish_tails(struct capture *c, bool *ret_any, struct error *err);

/* Nothing more is kept; what the unit writes is still passed on. */
void capture_stop(struct capture *c);

void capture_free(struct capture *c); /* NULL is allowed */

#endif
