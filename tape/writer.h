/*
 * Writes a tape. While it is open, records go to the journal in the order of events; each call is
 * one write(2), so a kill at any moment leaves a valid journal. tape_writer_finish() rewrites it in
 * canonical order. Not thread-safe: one thread, or the caller's own lock.
 */
#ifndef SANDTAPE_TAPE_WRITER_H
#define SANDTAPE_TAPE_WRITER_H

#include "base/error.h"
#include "tape/head.h"
#include "tape/unit.h"

struct tape_writer;

/*
 * Opens `path` (a directory, with or without a trailing slash) to record. A new tape directory
 * appears in one step with its journal and head in it. An existing tape stays as it is until
 * tape_writer_finish(). ERR_BUSY when another recorder has it, in this process too (the text names
 * its pid), ERR_FORMAT when `path` is there and is no tape (nothing is touched then). ERR_NOTFOUND
 * when the directory that shall hold it does not exist. ERR_VERSION when it is a tape of a newer
 * format. A tape that is damaged is not an error: recording is its remedy. When only the journal of
 * a killed first recording is there, it becomes tape.jsonl first, so that it survives a failure of
 * this one. `head` is borrowed for the call. With `sync`, blobs are on the disk before a record
 * names them, and records are when tape_writer_sync() returns.
 */
int tape_writer_open(const char *path, const struct tape_head *head, bool sync,
		     struct tape_writer **ret, struct error *err);

/* The directory, for spool_new(). Valid until the writer is freed. */
const char *tape_writer_dir(const struct tape_writer *w);

/* What the times of a tape say of those of the next recording that is added to it. */
struct tape_past {
	uint64_t end_ns;  /* when the last of its units ended */
	uint32_t episode; /* the last of its episodes */
};

/*
 * Copies what the tape holds into the journal, before anything is recorded: the recording goes on
 * behind it. With `before` (may be NULL) only what stands before that unit; what is recorded takes
 * its place, and tape_writer_continue_behind() copies the rest, at the end. ERR_NOTFOUND when there
 * is no tape.jsonl, or no such unit; what makes reading fail, fails here.
 */
int tape_writer_continue(struct tape_writer *w, const struct unit_id *before, struct tape_past *ret,
			 struct error *err);
int tape_writer_continue_behind(struct tape_writer *w, const struct unit_id *id, struct error *err);

/* Gives up a recording over a tape that was there: it stays, and the journal is removed. The writer
 * can then only be freed. */
int tape_writer_abandon(struct tape_writer *w, struct error *err);

/* A unit starts: argv, cwd, env and parent are written; sets u->id (key and ordinal). ERR_INVALID
 * for an env name that is not UTF-8 (FORMAT.md, "Limits"), ERR_LIMIT for a record beyond 16 MiB;
 * nothing is written then, and the recording can go on. */
int tape_writer_spawn(struct tape_writer *w, struct unit *u, struct error *err);
/* It ended: end, streams (without tails), signals and time are written. Once a unit, after its
 * spawn. ERR_INVALID when u->end says that it did not end. */
int tape_writer_exit(struct tape_writer *w, const struct unit *u, struct error *err);
/* Output came after its end: the tails are written. At most once a unit, after its exit. */
int tape_writer_tail(struct tape_writer *w, const struct unit *u, struct error *err);

/* With `sync`: all records so far are on the disk when it returns, in one go. What the end of a
 * unit says may be told to others only then. Without `sync` it does nothing. */
int tape_writer_sync(struct tape_writer *w, struct error *err);

/*
 * Ends the recording: writes tape.jsonl and timing.jsonl in canonical order (FORMAT.md) and removes
 * the journal. When nothing but times and chance differs from the tape that was there, its files
 * stay untouched, byte for byte. On failure the journal stays; it is the tape when there was none
 * before. The writer can then only be freed.
 */
int tape_writer_finish(struct tape_writer *w, struct error *err);
/* Without a finish before it: keeps the journal. NULL is allowed. */
void tape_writer_free(struct tape_writer *w);

#endif
