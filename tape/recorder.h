/* The inside of the recorder, shared with what it leaves behind (keeper.c). */
#ifndef SANDTAPE_TAPE_RECORDER_H
#define SANDTAPE_TAPE_RECORDER_H

#include "tape/capture.h"
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
	struct tape_record_result result;
};

void recorded_unit_free(struct recorded_unit *u);

/* The tape is finished: what is left lives on, unrecorded. Returns when the last one is gone. */
int recorder_keep(struct recorder *r, struct error *err);

#endif
