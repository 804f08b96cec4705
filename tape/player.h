/*
 * A replay, shared by player.c (which records answer) and turns.c (when their events happen).
 * Private to the two.
 */
#ifndef SANDTAPE_TAPE_PLAYER_H
#define SANDTAPE_TAPE_PLAYER_H

#include "tape/answer.h"
#include "tape/choice.h"
#include "tape/divergence.h"
#include "tape/matcher.h"
#include "tape/reader.h"
#include "tape/report.h"
#include "tape/score.h"
#include "tape/session.h"
#include "tape/toolpath.h"

#define NO_INDEX CHOICE_NONE

#define DETACHED_MAX 4
#define PUT_OFF_MAX  64

struct player;

struct played_unit {
	struct traced_unit traced;
	struct player *player;
	struct unit record;
	size_t index;  /* of the record, NO_INDEX for a miss or while it is not chosen */
	size_t before; /* what had answered last when this did */
	struct answer *answer;
	struct choice *choice;	 /* while there is one between records */
	size_t expected;	 /* during the choice: the record that it stands for, or NO_INDEX */
	struct unit command;	 /* during the choice */
	pid_t pid;		 /* of the stub, once it has started */
	uint64_t missing_ns;	 /* since when it asks for a signal that does not come */
	unsigned missing_looks;	 /* how often in a row nothing moved then */
	bool held;		 /* the recording broke off in it: until it is killed */
	struct process *waiting; /* it has asked for more, and must wait for its turn */
	bool ordered;		 /* it has turns */
	bool ended;		 /* its first process has */
	struct played_unit *next;
	struct played_unit *previous;
};

/* A process that is about to execute a command, and must wait in its call. */
struct put_off {
	struct process *p;
	uint64_t since_ns;
};

/* A stub that was let go. */
struct detached {
	int pidfd;
	pid_t pid;
};

struct player {
	struct session session;
	struct interceptor *interceptor;
	struct tape_reader *reader;
	struct matcher *matcher;
	struct score *score;
	struct toolpath *toolpath;
	struct played_unit *units;
	uint64_t moved_ns;     /* when a unit that has turns last went on (session_now) */
	uint64_t active_ns;    /* when a stub last came or asked for anything but patience */
	uint64_t idle_ns;      /* since when the subject looks idle; before moved_ns: not yet */
	unsigned busy_times;   /* how often in a row the subject computed for too long */
	uint64_t next_look_ns; /* before that it is not looked whether the subject is idle */
	uint64_t stirred_ns;   /* when one last came, asked for anything, or was a miss */
	uint64_t rest_ns;      /* since when all rest, as far as a held unit has looked */
	uint64_t held_ns;      /* since when a held unit waits, and no record has answered */
	uint64_t recorded_ns;  /* up to where in the recording the replay has come */
	uint64_t busy_ns;      /* since when a unit waits for a subject that is not idle, or 0 */
	unsigned idle_looks;   /* how often in a row nothing moved, and it was idle */
	unsigned in_vain;      /* how often it was given up */
	bool unsettled; /* a unit has its turn, but the subject has not digested the last one */
	struct detached detached[DETACHED_MAX];
	unsigned detached_count;
	struct put_off put_off[PUT_OFF_MAX];
	unsigned put_off_count;
	unsigned puts_in_vain; /* how many of them went without what they waited for */
	bool let_put_off_go;   /* they are asked to */
	bool any_end;	       /* since they were asked */
	struct tape_replay_result result;
	size_t last;	       /* the index of the last record that answered, or NO_INDEX */
	struct report *report; /* or NULL */
	enum tape_order order;
	const char *tape;
	/* What is run instead of answered, and how (episodes.c): NULL in a replay. `index` is that
	 * of the record that would answer, or NO_INDEX. */
	bool (*may_run)(void *ctx, const struct process *p, const struct unit *command,
			size_t index);
	int (*run_instead)(void *ctx, struct process *p, const struct exec_request *request,
			   struct exec_decision *ret, struct error *err);
	void *run_ctx;
	unsigned running; /* units that run for real: the subject may wait for them */
};

/* The parts of tape_replay(), for who adds to it: `ops` may call player_ops. */
extern const struct intercept_ops player_ops;
/* On failure, too, the player is to be closed. */
int player_open(struct player *player, const struct tape_options *options, const char *stub,
		struct error *err);
int player_run(struct player *player, const struct tape_options *options, const char *stub,
	       const struct intercept_ops *ops, void *ctx, struct error *err);
int player_report(struct player *player, const struct tape_options *options, struct error *err);
/* Ends every process that is left. */
void player_close(struct player *player);

/* player.c: what answers a unit. Each sets u->record and u->answer. */

/* A record of the tape; `stdin_taken`: so much was read to find it. */
int player_take_record(struct played_unit *u, size_t index, uint64_t stdin_taken,
		       struct error *err);
/* From its first operation on. */
int player_set_answer(struct played_unit *u, uint64_t stdin_taken, struct error *err);
/* What a unit is that was expected to be another: the two change places. */
void player_end_expectation(struct played_unit *u, size_t index);

/* misses.c: what did not agree is told, and but for the last of these, the unit ends as a miss. */

/* Nothing on the tape answers the command. */
int misses_take(struct played_unit *u, const struct unit *command, struct error *err);
/* There are records of the command, but for another stdin, or another input above 2. */
int misses_take_input(struct played_unit *u, const struct unit *command,
		      const struct input_read *read, struct error *err);
/* The recording broke off in the unit, which is waited for. */
int misses_take_held(struct played_unit *u, struct error *err);
/* A record comes out of sequence. It is answered all the same, so that one replay tells all that is
 * out of order. */
int misses_check_sequence(struct player *player, size_t index, const struct unit *record,
			  struct error *err);

/* held.c */

#define HELD_ASK_MS 50

/* Asked every HELD_ASK_MS for each held unit: whether it is waited for, and not killed. */
bool held_is_waited_for(struct played_unit *u);

/* turns.c: callbacks of the interceptor, and what follows from an end. */
int turns_start(struct played_unit *u, struct process *p, bool *ret_detach, struct error *err);
int turns_on_hypercall(void *ctx, struct process *p, const uint64_t args[6], long *ret_result,
		       bool *ret_later, struct error *err);
/* The unit's process has ended. */
void turns_end(struct played_unit *u);
int turns_on_idle(void *ctx, struct error *err);
int turns_on_patience_us(void *ctx);
int turns_on_timeout(void *ctx, struct error *err);

/*
 * detached.c: stubs that were let go, since their answer is complete in itself. The units that they
 * stand for had ended before the next one began.
 */
void detached_add(struct player *player, pid_t pid);
/* Whether one has not ended, and may soon: it was waited for `waited_ns` so far. */
bool detached_is_awaited(struct player *player, uint64_t waited_ns);
/* Returns when all have ended, or do not for want of a reader. */
void detached_wait(struct player *player);
void detached_forget(struct player *player);

/* put_off.c: execs that wait. */

/* Whether an exec of the process must wait, since a unit that had ended before the record `index`
 * began has not ended yet. */
bool put_off_exec(struct player *player, struct process *p, size_t index);
/* The process is gone. */
void put_off_forget(struct player *player, const struct process *p);
/* Something has changed: those go on that need not wait any more. */
int put_off_ask_again(struct player *player, struct error *err);
/* What they wait for does not come: all go on. */
int put_off_let_go(struct player *player, struct error *err);
/* How long until the first has waited for long enough; -1 when none waits. */
int put_off_patience_us(const struct player *player);

#endif
