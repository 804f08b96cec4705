/*
 * Commands through a tape, shared by command.c (the tape, and what every command has),
 * command_answer.c (from the tape) and command_run.c (for real). Private to the three.
 */
#ifndef SANDTAPE_TAPE_COMMAND_PARTS_H
#define SANDTAPE_TAPE_COMMAND_PARTS_H

#include "tape/command.h"
#include "tape/command_divergence.h"
#include "tape/matcher.h"
#include "tape/orders.h"
#include "tape/reader.h"
#include "tape/running.h"
#include "tape/session.h"
#include "tape/writer.h"
#include <pthread.h>

/* Where an unused record is on the tape, while there are so many of them. */
struct unused_place {
	size_t unused;
	size_t nth;
	size_t at;
};

struct tape {
	/* As it was opened; not changed afterwards. */
	char *path;
	enum tape_mode mode; /* never TAPE_ONCE: it became one of the others */
	enum tape_order order;
	bool sync;
	struct session session;
	struct tape_clock *clock;
	bool own_clock;
	uint64_t opened_ns; /* by the clock */
	tape_launcher launch;
	void *launch_ctx;
	struct tape_reader *reader; /* NULL: there is no old tape to answer from */

	pthread_mutex_t lock; /* for all that follows */
	struct matcher *matcher;
	struct orders *orders;
	size_t expected;	    /* behind the record that answered last */
	bool in_sequence;	    /* that one was expected: the next one is read ahead */
	struct tape_writer *writer; /* NULL in a replay, and before the first new episode */
	uint64_t shift_ns; /* added to the starts of new episodes, which are after the old ones */
	uint32_t episode;  /* of what is recorded */
	struct unused_place unused_place;
	bool closed;
	size_t pending; /* children that were neither collected nor freed */
	size_t refs;	/* the caller's, and one for each child */
	struct tape_divergence **divergences;
	size_t divergence_count;
};

enum child_state { CHILD_SPAWNED, CHILD_COLLECTING, CHILD_DONE };

struct tape_child {
	struct tape *tape;	/* holds a reference */
	enum child_state state; /* under the tape's lock */
	bool replayed;
	bool has_input; /* else stdin is /dev/null */
	bool merge;
	struct unit unit;    /* what was asked for, and then the record that answers or is made */
	uint64_t started_ns; /* by the clock */
	struct running running; /* of one that is not replayed */
};

/*
 * command_answer.c. Finds and uses the record that answers c->unit, with the tape's lock.
 * *ret_found is false when there is none and the tape takes new episodes; otherwise that is
 * ERR_DIVERGED.
 */
int command_find(struct tape_child *c, const struct tape_command *command, bool *ret_found,
		 struct error *err);
/* What the record says, into a zeroed result. The clock is moved. */
int command_answer(struct tape_child *c, struct tape_result *ret, struct error *err);

/* command_run.c. Makes the tape ready for new records; with its lock. */
int command_open_writer(struct tape *t, struct error *err);
/* Starts it and writes its spawn; without the lock. */
int command_start(struct tape_child *c, const struct tape_command *command, const char *cwd,
		  struct error *err);
/* Waits for its end and writes that. */
int command_finish(struct tape_child *c, struct tape_result *ret, struct error *err);

/* command.c: how a unit ended, for the caller. */
void command_set_end(const struct unit *u, struct tape_result *ret);

#endif
