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
struct confiner;

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
	/* Where units run for real, with ptrace: every one of them is restricted by it,
	 * of sandbox_plan_confiner(), once it has executed its program. The subject is not, nor are
	 * launchers and what `real` names. NULL: nothing is. */
	const struct confiner *confiner;
	const char *const *restricted; /* what it comes to, for the head of the tape: names of
					  mechanisms, NULL-terminated; or NULL */
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
	bool not_executed; /* the subject could not be: the tape stays as it was, a new one is not
			    * made */
};

/*
 * Runs the subject for real and writes the tape. A failure after the start ends the subject and
 * leaves a valid journal. ERR_UNSUPPORTED: this host does not let us trace; ERR_BUSY: another
 * recorder has the tape. A subject that cannot be executed is wait_status 126 or 127, a sentence by
 * `say`, and no tape. Not thread-safe: one recording or replay per process at a time, and the
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

struct tape_extend_result {
	struct tape_replay_result replay;
	size_t added;	     /* units that ran and are on the tape now */
	size_t unfinished;   /* of those that ran, how many still did when the subject ended */
	size_t left;	     /* processes that did, and were ended */
	bool kept_as_it_was; /* the tape was not touched */
};

/*
 * Runs the subject again and answers what is on the tape from it. With `only` NULL, commands that
 * are not on it run for real and are added (new episodes); a command whose stdin is another than
 * all recorded ones is a miss all the same, since it is known too late. With the id of a record as
 * `only`, that command alone runs for real, and its record is replaced; when anything else is a
 * miss, the tape stays as it was. ERR_NOTFOUND: no such tape, no such id. Else as tape_record()
 * and tape_replay().
 */
TAPE_API int tape_extend(const struct tape_options *options, const char *stub, bool sync,
			 const char *only, struct tape_extend_result *ret, struct error *err);

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

/* --- Whole tapes: what `sandtape tape` does ----------------------------------------------------
 */

/* Told now and then by what takes long, on the calling thread: bytes. `total` may still grow. */
struct tape_progress {
	void (*tell)(void *ctx, uint64_t done, uint64_t total);
	void *ctx;
};

enum tape_finding {
	TAPE_DAMAGE, /* the tape is not what the format says */
	TAPE_NOTE    /* it is whole, but there is something to know or to clean up */
};

struct tape_check_options {
	/* One sentence each, with the file, the line where there is one, and the way out. */
	void (*find)(void *ctx, enum tape_finding kind, const char *text);
	void *find_ctx;
	struct tape_progress progress; /* all zero: not told */
};

struct tape_check_result {
	size_t units;
	size_t blobs;	/* that records name */
	uint64_t bytes; /* of lines and blobs that were read */
	size_t damages;
	size_t notes;
};

/*
 * Reads all of a tape: every line's frame, checksum and content, every key, every blob's size and
 * SHA-256, the times, that what is named is there, and that no chunks have more bytes than their
 * stream. Damage is no error of this function, but told by `find` and counted, and the rest is
 * checked all the same. Errors are what cannot be looked at: ERR_NOTFOUND for no tape, ERR_VERSION
 * for a version from the future, ERR_FORMAT for what has no head, ERR_SYSTEM, ERR_NOMEM. Changes
 * nothing; thread-safe.
 */
TAPE_API int tape_check(const char *path, const struct tape_check_options *options,
			struct tape_check_result *ret, struct error *err);

/* How much alike two tapes have to be. */
enum tape_fidelity {
	TAPE_BYTE,     /* all that is on the tapes, but for times */
	TAPE_SEMANTIC, /* what a subject could tell apart */
	TAPE_OUTCOME   /* how each command ended, and which signals it was sent */
};

enum tape_difference_kind {
	TAPE_HEADS,  /* what the recordings assumed */
	TAPE_ONLY_A, /* a command without a partner */
	TAPE_ONLY_B,
	TAPE_CHANGED, /* a command that is on both, with something else in its record */
	TAPE_MOVED    /* likewise, or not changed, in another place of the order */
};

struct tape_difference {
	enum tape_difference_kind kind;
	long a; /* indexes, as for tape_reader_json(); -1: none */
	long b;
	const char *text; /* lines for a human, without a last newline; NULL with options.json */
	const char *json; /* one JSON object on one line; NULL without options.json */
};

struct tape_diff_options {
	enum tape_fidelity fidelity;
	bool json;
	/* In the order of the tapes; the difference is borrowed for the call. */
	void (*tell)(void *ctx, const struct tape_difference *difference);
	void *tell_ctx;
	tape_say say; /* warnings about the tapes; may be NULL */
	void *say_ctx;
	struct tape_progress progress; /* all zero: not told */
};

struct tape_diff_result {
	size_t differences; /* 0: alike */
	size_t a_units;
	size_t b_units;
	size_t alike; /* pairs */
	size_t changed;
	size_t moved;
	size_t only_a;
	size_t only_b;
};

/*
 * Aligns the commands of two tapes and tells how they differ (sandtape(1), "FIDELITY", says what
 * counts). Commands with the same record belong together first, then those of the same argv, cwd
 * and environment, in order. Errors as of tape_reader_open(); a blob is looked at only when its
 * bytes have to be compared. Changes nothing; thread-safe.
 */
TAPE_API int tape_diff(const char *a, const char *b, const struct tape_diff_options *options,
		       struct tape_diff_result *ret, struct error *err);

struct tape_gc_options {
	bool dry_run; /* only tells */
	/* Each file that is removed, or would be; `bytes` is 0 for what is no blob. May be NULL. */
	void (*tell)(void *ctx, const char *path, uint64_t bytes);
	void *tell_ctx;
};

struct tape_gc_result {
	size_t blobs;
	uint64_t bytes; /* of these blobs */
	size_t leftovers;
};

/*
 * Removes the blobs that no record of the tape names, and what killed recorders left inside. Holds
 * the recorder's lock meanwhile: ERR_BUSY when somebody has it (the text names the pid). ERR_FORMAT
 * when a record cannot be read, since it might name any blob: nothing is removed then. ERR_VERSION
 * for a version from the future. A kill at any moment leaves the tape as whole as it was.
 */
TAPE_API int tape_gc(const char *path, const struct tape_gc_options *options,
		     struct tape_gc_result *ret, struct error *err);

struct tape_merge_options {
	bool replace; /* a tape that is there may be replaced */
	tape_say say; /* warnings about the tapes; may be NULL */
	void *say_ctx;
	struct tape_progress progress; /* all zero: not told */
};

struct tape_merge_result {
	size_t units;	   /* on the new tape */
	size_t duplicates; /* left out: an earlier tape has them */
	size_t conflicts;  /* of a command that an earlier tape has with another record */
};

/*
 * Makes one tape of several: the units of the first, then those of the second that the first does
 * not have, and so on (FORMAT.md, "Merging"). The same tapes in the same order give the same bytes.
 * `tapes` is NULL-terminated; `out` may be one of them. ERR_EXISTS when `out` is there and
 * options->replace is not set; ERR_INVALID when the tapes were recorded with other roots or
 * variables; errors of the reader, and of damaged blobs. The new tape appears whole, or not at all.
 */
TAPE_API int tape_merge(const char *out, const char *const *tapes,
			const struct tape_merge_options *options, struct tape_merge_result *ret,
			struct error *err);

struct tape_import_options {
	const char *format;	  /* "harn" */
	bool replace;		  /* a tape that is there may be replaced */
	const char *const *env;	  /* as those of struct tape_options */
	const char *const *roots; /* likewise; WORK is the current directory */
	tape_say say;
	void *say_ctx;
};

struct tape_import_result {
	size_t units;
	size_t skipped; /* records that are no commands */
};

/*
 * Makes a tape of what another tool wrote down. "harn": its process tape, a JSON array of {program,
 * args, cwd, env, stdout, stderr, exit_code, duration_ms} in which no cwd matches any, or the
 * process_spawn records of its event tape. ERR_SYSTEM when `file` cannot be read,
 * ERR_FORMAT and ERR_VERSION when it is not that (the text names the line or the entry), ERR_EXISTS
 * when the tape is there and options->replace is not set. The tape appears whole, or not at all.
 */
TAPE_API int tape_import(const char *file, const char *tape,
			 const struct tape_import_options *options, struct tape_import_result *ret,
			 struct error *err);

struct tape_verify_result {
	int wait_status;	      /* of the subject */
	size_t units;		      /* of this run */
	struct tape_diff_result diff; /* A is the tape, B this run */
	bool not_executed;	      /* the subject could not be: nothing was compared */
};

/*
 * Runs the subject for real and compares what it does with the tape, which stays as it is: records
 * it, with the variables and globs of the tape's head and those of `options`, to a tape in $TMPDIR
 * that is removed again, and tells the differences as tape_diff() does. What outlives the subject
 * is killed. Errors as of tape_record() and tape_diff(), whose restrictions hold; ERR_INVALID when
 * a root of the tape is not among `options`.
 */
TAPE_API int tape_verify(const struct tape_options *options, const struct tape_diff_options *diff,
			 struct tape_verify_result *ret, struct error *err);

struct tape_migrate_result {
	int version; /* of the tape, before */
	int newest;  /* and now */
	int steps;   /* 0: nothing was touched */
};

/*
 * Brings a tape of an older version of the format to the newest. So far there is one version, so a
 * tape either has it or is refused with ERR_VERSION. ERR_BUSY while somebody records what would
 * have to be changed.
 */
TAPE_API int tape_migrate(const char *path, struct tape_migrate_result *ret, struct error *err);

#ifdef __cplusplus
}
#endif

#endif
