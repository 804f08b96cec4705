/*
 * libsandtape: record the commands that a program spawns, and replay them with nothing spawned.
 *
 * A *subject* is the program under test, a *unit* one command that it spawned, a *tape* the
 * directory that holds the units (the format is tape/FORMAT.md of the sources).
 *
 * Every function returns 0 or a negative ERR_* (sandtape/error.h) and describes the failure in
 * *err when err is not NULL. Nothing here prints or exits. Inputs are borrowed for the call.
 *
 * Rests on Linux 5.6 or later (pidfd_getfd; PTRACE_GET_SYSCALL_INFO of 5.3), x86-64.
 */
#ifndef SANDTAPE_TAPE_TAPE_H
#define SANDTAPE_TAPE_TAPE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TAPE_API __attribute__((visibility("default")))

enum tape_level {
	TAPE_WARNING, /* the session goes on, and its result holds */
	TAPE_PROBLEM  /* a command without a record, a subject that cannot be executed */
};

/* Text for a human, without a last newline; called on the thread of tape_record or tape_replay. */
typedef void (*tape_say)(void *ctx, enum tape_level level, const char *text);

/* What a replay holds of the order in which commands come. Without times on the tape, only the
 * order of the starts is known: that of the tape. */
enum tape_order {
	/*
	 * What was over before a command started comes before it. tape_replay(): commands that ran
	 * at the same time write and end in the recorded order, and among records of one command
	 * that one is meant before whose start all had been spawned that had ended; a subject that
	 * leaves out a command is let go on. tape_spawn(): such a command comes too early.
	 */
	TAPE_ORDER_CAUSAL = 0,
	TAPE_ORDER_STRICT, /* and each starts in its recorded place, or it is a divergence */
	TAPE_ORDER_ANY	   /* nothing: first in, first out for each command */
};

struct tape_record_result;

/* What record and replay have in common. Zero is a good default for all but tape and argv. */
struct tape_options {
	const char *tape;	    /* the directory, by convention NAME.tape */
	char *const *argv;	    /* the subject, NULL-terminated; looked up in PATH */
	const char *const *env;	    /* names of variables that count, NULL-terminated; PATH must
				       not be among them */
	const char *const *through; /* globs (fnmatch(3)) of programs that stay subject */
	const char *const *real;    /* globs of programs that run for real in replay, too */
	const char *const *roots; /* further roots, "NAME=DIR" each; WORK, HOME and TMP are there */
	/* How commands are caught: "ptrace" (and NULL), "preload" or "path". The last two need no
	 * ptrace and see less, and need the paths of sandtape-shim and libsandtape-preload.so. */
	const char *backend;
	const char *shim;
	const char *library;
	tape_say say;
	void *say_ctx;
	/* Only for tape_replay(). */
	enum tape_order order;
	const char *report; /* a file for what did not agree, as JSON (sandtape(1)), or NULL */
	/*
	 * Only for tape_record(), in a process that does nothing else and leads no process group:
	 * what outlives the subject is not killed. When the tape is finished and processes are
	 * left, this is called with the result, and tape_record() then serves them until the last
	 * one is gone, and returns after that. A session of its own keeps the calling process from
	 * what a terminal sends. NULL: they are killed.
	 */
	void (*keep)(void *ctx, const struct tape_record_result *result);
	void *keep_ctx;
};

struct tape_record_result {
	int wait_status; /* of the subject, as waitpid(2) tells it */
	size_t units;
	size_t unfinished; /* units that still ran when the subject ended */
	size_t left;	   /* all processes that did */
	uint64_t wall_ns;  /* from the subject's start to its end */
	uint64_t units_ns; /* the sum of the units' durations */
};

/*
 * Runs the subject for real and writes the tape. A failure after the start ends the subject and
 * leaves a valid journal. ERR_UNSUPPORTED: this host does not let us trace; ERR_BUSY: another
 * recorder has the tape. A subject that cannot be executed is wait_status 126 or 127 and a
 * sentence by `say`. Not thread-safe: one recording or replay per process at a time, and the
 * caller must have no other children.
 */
TAPE_API int tape_record(const struct tape_options *options, bool sync,
			 struct tape_record_result *ret, struct error *err);

struct tape_replay_result {
	int wait_status;
	size_t units;  /* answered from the tape */
	size_t misses; /* that did not agree: without a record nothing ran in their place */
	size_t unused; /* records that no command asked for */
	uint64_t wall_ns;
	uint64_t units_ns; /* what the answered units took when they were recorded */
};

/*
 * Runs the subject again and answers its commands from the tape. `stub` is the path of the
 * sandtape-stub program. Misses are told by `say`, counted, and are no error of this function.
 * The recording's list of variables holds again; those of `options` are added. What runs for real
 * is only what `options` say: a tape cannot make anything run.
 */
TAPE_API int tape_replay(const struct tape_options *options, const char *stub,
			 struct tape_replay_result *ret, struct error *err);

/*
 * The command line that makes a tape anew, ready for a shell, malloc'ed: "sandtape record -t …".
 * The options of the recording are in it as far as the tape can be read. 0 or ERR_NOMEM.
 */
TAPE_API int tape_record_again(const struct tape_options *options, char **ret_command,
			       struct error *err);

struct tape_reader; /* an open tape; thread-safe for reading */

/*
 * ERR_NOTFOUND when there is no such directory, ERR_FORMAT when it is not a tape or a line is
 * damaged (the text names the file and the line), ERR_VERSION for a version from the future.
 * A torn last line, an interrupted re-recording and missing timing are warnings.
 */
TAPE_API int tape_reader_open(const char *path, struct tape_reader **ret, struct error *err);
TAPE_API void tape_reader_free(struct tape_reader *r);		/* NULL is allowed */
TAPE_API size_t tape_reader_count(const struct tape_reader *r); /* units, in order of the tape */
/* One unit as a JSON object on one line (`sandtape tape show --json`): UTF-8, malloc'ed. */
TAPE_API int tape_reader_json(const struct tape_reader *r, size_t index, char **ret_json,
			      struct error *err);

#ifdef __cplusplus
}
#endif

#endif
