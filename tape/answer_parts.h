/*
 * The answer to one unit, shared by answer_events.c (the list of what the unit did) and answer.c
 * (of that, the next operations of the stub). Private to the two.
 */
#ifndef SANDTAPE_TAPE_ANSWER_PARTS_H
#define SANDTAPE_TAPE_ANSWER_PARTS_H

#include "tape/answer.h"

enum event_kind {
	EVENT_WRITE,
	EVENT_READ, /* of stdin */
	EVENT_TAKE, /* of an input above 2 */
	EVENT_SIGNAL,
	EVENT_MODE,
	EVENT_STOP,
	EVENT_SENT,
	EVENT_CLOSE,
	EVENT_HOLD /* nothing is known from here on */
};

/* Something that the unit did, or that was done to it. */
struct event {
	enum event_kind kind;
	int arg; /* writes, takes, closes: the descriptor; signals and stops; modes: the request */
	bool whole;	  /* writes: a packet */
	const char *data; /* writes, modes */
	size_t len;	  /* what is left of it; takes: how much, or STUB_STDIN_ALL; signals: how
			     many ms to wait before it may be a signal that was missed;
			     holds: how many between two questions */
	uint64_t until;	  /* reads: so much of stdin in all */
	uint64_t time_ns; /* of the recording */
};

struct answer {
	const struct unit *record;
	struct payload_view *views; /* of the streams, then of their tails */
	uint64_t *named;	    /* how much of each stream the chunks have named so far */
	uint64_t *seen;		    /* how much of each input the stub has taken, all as recorded */
	struct event *event;
	size_t event_count;
	size_t head_count; /* events before the end; the rest are tails */
	size_t next;
	size_t signals_named;
	size_t stops_named;
	size_t sent_named;
	uint64_t end_ns;
	uint64_t stdin_want;
	uint64_t signal_mask; /* bit n - 1: it waits for the signal n */
	bool left;	      /* the tail has begun */
};

/* answer_events.c. Lists all events of a->record, of which the views are loaded: 0 or ERR_NOMEM. */
int answer_list_events(struct answer *a);

/* answer.c. The index of the stream in the record, or stream_count. */
size_t answer_index_of(const struct unit *u, int fd);

#endif
