/*
 * Commands through a tape: a C program, or its test, spawns a command *through* an open tape, which
 * runs it for real and records it, or answers it from what was recorded, without any process.
 *
 * Every function returns 0 or a negative ERR_* (sandtape/error.h) and describes the failure in *err
 * when err is not NULL; what it gives in ret_* is then untouched. Inputs are borrowed for the call,
 * but for the clock and what the launcher needs, which must live as long as the tape. Nothing here
 * prints or exits. NULL where it is not allowed, a command after the end and the like are
 * ERR_INVALID.
 *
 * Threads: all may use one tape at once. One child belongs to one thread at a time, and nobody may
 * use what is being freed. tape_close() waits for nobody: it refuses while commands are not
 * collected.
 *
 * Rests on Linux 5.3 or later (pidfd_open; without it, as below valgrind, the end of a command is
 * looked for every 2 ms) and posix_spawn(3). The process must not ignore SIGCHLD and must not wait
 * for children that it does not know (waitpid(-1)) while commands are recorded.
 */
#ifndef SANDTAPE_TAPE_COMMAND_H
#define SANDTAPE_TAPE_COMMAND_H

#include "base/error.h"
#include "tape/clock.h"
#include "tape/tape.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tape;		/* an open tape */
struct tape_child;	/* a command that was spawned through it */
struct tape_divergence; /* why a command had no answer */

enum tape_mode {
	TAPE_REPLAY = 0,  /* answers from the tape; a command without a record is ERR_DIVERGED */
	TAPE_RECORD,	  /* runs each command; tape_close() replaces the tape that was there */
	TAPE_ONCE,	  /* replays a finished tape when there is one (tape.jsonl), else records */
	TAPE_NEW_EPISODES /* answers what is on the tape, and runs and adds what is not */
};

/* How to start one program; all of it is borrowed. */
struct tape_start {
	const char *const *argv; /* the program is looked for in the PATH of the process */
	const char *const *env;	 /* "NAME=value", all of its environment */
	const char *cwd;	 /* absolute, or NULL: that of the process */
	int stdio[3];		 /* what shall be its descriptors 0, 1 and 2, all above 2 */
};

/*
 * Starts a program, as a child of the calling process. Returns 0 and its number; the errno
 * (positive) for which it could not be executed, which is recorded as the command's end; or a
 * negative ERR_*. When it is made the leader of a process group, a timeout ends the whole group.
 * Called without locks, on the thread that calls tape_spawn(), by several threads at once.
 */
typedef int (*tape_launcher)(void *ctx, const struct tape_start *start, pid_t *ret_pid,
			     struct error *err);

/* The launcher that is used when none is given: posix_spawnp(3), into a process group of its own.
 * `ctx` is not looked at. */
TAPE_API int tape_launch(void *ctx, const struct tape_start *start, pid_t *ret_pid,
			 struct error *err);

/* Zero is a good default for all but `tape`. */
struct tape_config {
	const char *tape; /* the directory, by convention NAME.tape */
	enum tape_mode mode;
	enum tape_order order;	  /* of a replay; new episodes only prefer it, and are not strict */
	const char *const *env;	  /* names of variables that count, NULL-terminated; not PATH */
	const char *const *roots; /* further roots, "NAME=DIR" each; WORK, HOME and TMP are there */
	bool sync;		  /* a record is on the disk when its result is there */
	struct tape_clock *clock; /* stamps what is recorded; a replay moves it when it is a mock.
				     NULL: a real clock */
	tape_launcher launch;	  /* NULL: tape_launch() */
	void *launch_ctx;
	tape_say say; /* told the warnings about the tape by tape_open(); NULL: nobody is */
	void *say_ctx;
};

/*
 * Opens a tape. The working directory of the process is the root WORK from now on. ERR_NOTFOUND,
 * ERR_FORMAT, ERR_VERSION: as tape_reader_open() and a recording have them. ERR_BUSY: another
 * recorder, of this process too, has the tape; the text names its process. New episodes take the
 * tape only when there is one to add.
 */
TAPE_API int tape_open(const struct tape_config *config, struct tape **ret, struct error *err);

/* Whether commands are run: of a tape that is opened once, which of the two it is. */
TAPE_API bool tape_is_recording(const struct tape *t);

/*
 * The end: finishes what was recorded, in canonical order; what did not change is not touched. No
 * command can be spawned afterwards, and the tape can only be asked for what happened, and freed.
 * ERR_BUSY while commands are neither collected nor freed: the tape is open still. On any other
 * failure it is closed, and the journal, which stays, is a valid tape where there was none before.
 */
TAPE_API int tape_close(struct tape *t, struct error *err);

/* Without a close before it, a recording is given up: the tape that was there stays; of a new one,
 * the journal. Divergences go with it; children of it can only be freed. NULL is allowed. */
TAPE_API void tape_free(struct tape *t);

/* Zero is a good default for all but `argv`. */
struct tape_command {
	const char *const *argv; /* NULL-terminated, not empty */
	const char *const *env;	 /* "NAME=value", NULL-terminated; NULL: that of the process */
	const char *cwd;	 /* NULL: that of the process, to which it may be relative */
	const void *input;	 /* what stdin holds: a pipe. NULL: /dev/null */
	size_t input_len;
	bool merge;	     /* stderr goes where stdout goes */
	uint64_t timeout_ns; /* of real time, from the spawn; 0: none */
};

/*
 * Spawns a command: starts it, or finds its record, by argv, cwd, the variables that count and the
 * input. The caller must free the child, collected or not. ERR_DIVERGED: the tape has no answer,
 * and nothing runs; tape_last_divergence() tells more. A command that cannot be executed is no
 * error: its result says so.
 */
TAPE_API int tape_spawn(struct tape *t, const struct tape_command *command, struct tape_child **ret,
			struct error *err);

struct tape_result {
	int code;	      /* its exit status; -1 when it did not exit */
	int signal;	      /* that ended it, or 0 */
	int exec_errno;	      /* why it could not be executed, or 0 */
	bool core;	      /* it dumped core */
	bool timed_out;	      /* its time was over, and it was killed */
	bool replayed;	      /* answered from the tape */
	uint64_t duration_ns; /* by the tape's clock; in a replay as recorded, 0 when not known */
	char *out;	      /* never NULL; a NUL that is not counted follows the last byte */
	size_t out_len;
	char *err; /* likewise; empty when it was merged */
	size_t err_len;
};

/*
 * Waits until the command has ended and everybody has closed its output, kills it with its group
 * when its time is over, and puts its end on the tape. Its input is written and its output read
 * here and not before: one that writes more than a pipe holds waits for its collector. The caller
 * clears the result. Once a child, also when it fails: a command that failed to be collected is
 * killed and stays unfinished on the tape.
 */
TAPE_API int tape_collect(struct tape_child *child, struct tape_result *ret, struct error *err);

/* Kills the command with its group when it was not collected; its record stays unfinished. NULL is
 * allowed. */
TAPE_API void tape_child_free(struct tape_child *child);

/* Frees what is inside and zeroes it. NULL is allowed. */
TAPE_API void tape_result_clear(struct tape_result *result);

/* Spawns, collects and frees. */
TAPE_API int tape_run(struct tape *t, const struct tape_command *command, struct tape_result *ret,
		      struct error *err);

/* Records that nothing has asked for: how many, and each of them for a human, as in
 * "45d1451e12c5d53d.0: sort -u   (in $WORK)"; the caller frees the text. */
TAPE_API size_t tape_unused(struct tape *t);
TAPE_API int tape_unused_text(struct tape *t, size_t index, char **ret_text, struct error *err);

enum tape_divergence_kind {
	TAPE_NO_RECORD,	   /* no unused record of this command */
	TAPE_OTHER_INPUT,  /* there are some, but for another stdin */
	TAPE_OUT_OF_ORDER, /* there are some, but another has to come first: it is the nearest */
	TAPE_UNFINISHED	   /* there are some, but the recording ended before the command did */
};

/* What had no answer, in the order in which it was spawned. They live as long as the tape; NULL
 * when there is no such. */
TAPE_API size_t tape_divergence_count(struct tape *t);
TAPE_API const struct tape_divergence *tape_divergence_at(struct tape *t, size_t index);
/* The last one that the calling thread met on this tape. */
TAPE_API const struct tape_divergence *tape_last_divergence(struct tape *t);

TAPE_API enum tape_divergence_kind tape_divergence_kind(const struct tape_divergence *d);
/* For a human, in several lines: what was asked for, what is nearest, and how they differ. */
TAPE_API const char *tape_divergence_text(const struct tape_divergence *d);
/* The same as a JSON object on one line (sandtape(1), "Reports"): UTF-8, malloc'ed. ERR_INVALID for
 * NULL, ERR_NOMEM. */
TAPE_API int tape_divergence_json(const struct tape_divergence *d, char **ret_json,
				  struct error *err);
/* The command as a line for a human. */
TAPE_API const char *tape_divergence_command(const struct tape_divergence *d);
/* The id of the unused record that is nearest, as in "45d1451e12c5d53d.0"; NULL when none is. */
TAPE_API const char *tape_divergence_nearest(const struct tape_divergence *d);

#ifdef __cplusplus
}
#endif

#endif
