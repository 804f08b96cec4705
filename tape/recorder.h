/* The inside of the recorder, shared with what it leaves behind (keeper.c). */
#ifndef SANDTAPE_TAPE_RECORDER_H
#define SANDTAPE_TAPE_RECORDER_H

#include "tape/capture.h"
#include "tape/notice.h"
#include "tape/session.h"
#include "tape/tape.h"
#include "tape/writer.h"

struct recorder;

struct recorded_unit {
	struct traced_unit traced;
	struct recorder *recorder;
	struct unit unit;
	struct capture *capture;
	struct process *held; /* its end waits for the output to be delivered */
	uint64_t held_ns;     /* since then (session_now) */
	bool ended;	      /* the exit is on the tape */
	bool closed;	      /* nothing more comes */
	bool gone;	      /* no process of it is left */
	struct recorded_unit *next;
	struct recorded_unit *previous;
};

struct recorder {
	struct session session;
	struct interceptor *interceptor;
	struct tape_writer *writer;
	struct capture_host capture_host;
	struct recorded_unit *units; /* all that are not closed and gone */
	struct process **waiting;    /* whose parents must not know yet, the first one first */
	size_t waiting_count;
	struct notices notices;
	bool restricts; /* units are restricted ... */
	bool explains;	/* ... and observed by what restricts them */
	bool sync;
	bool ends_unsynced; /* the record of an end is not on the disk yet */
	struct tape_record_result result;
	/* Of a tape that is added to (episodes.c). */
	const struct tape_head *head; /* or NULL */
	uint64_t shift_ns; /* added to the starts that go on the tape, and their episode */
	uint32_t episode;
	bool replaces; /* what is recorded has this start instead */
	uint64_t replaced_start_ns;
};

/* The parts of tape_record(), for who adds to it (episodes.c). */
extern const struct intercept_ops recorder_ops;
int recorder_open_writer(struct recorder *r, const struct tape_options *options, bool sync,
			 struct error *err);
/* recorder_signals.c: parts of recorder_ops. */
int recorder_on_signalled(void *ctx, struct process *target, int signal, struct error *err);
int recorder_on_terminal_signalled(void *ctx, struct process *target, int signal,
				   struct error *err);
int recorder_on_stopped(void *ctx, struct process *p, int signal, struct error *err);
int recorder_on_flush(void *ctx, struct process *p, struct error *err);
int recorder_on_sent(void *ctx, struct process *p, int signal, struct error *err);
int recorder_on_not_sent(void *ctx, struct process *p, int signal, struct error *err);
/* The exec that failed so far has failed for good. */
int recorder_give_up_attempt(struct process *p, struct error *err);
/* With its writer open: what the recorder works with. */
void recorder_set_host(struct recorder *r, struct interceptor *interceptor);
/* The subject has ended: late output so far is kept, and units that still run are not finished. */
int recorder_close_units(struct recorder *r, struct error *err);
/* Says behind an error what has become of what it had recorded. Returns `rc`. */
int recorder_broken_off(const struct recorder *r, int rc, struct error *err);

void recorded_unit_free(struct recorded_unit *u);

/* The tape is finished: what is left lives on, unrecorded. Returns when the last one is gone. */
int recorder_keep(struct recorder *r, struct error *err);

#endif
