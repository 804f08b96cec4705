/*
 * The journal of a recording: made, locked, appended to. The lock is a POSIX write lock on the
 * journal itself, so that there is no lock file to forget and F_GETLK names who has it; the price
 * is that it falls when the process closes *any* descriptor of that file. Nor does such a lock keep
 * a process from itself. So each process has a list of the journals that it holds, for all its
 * threads, and all that opens a journal does so here, where the list is looked at first.
 */
#ifndef SANDTAPE_TAPE_JOURNAL_H
#define SANDTAPE_TAPE_JOURNAL_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct held_journal;

struct journal {
	char *path;		   /* owned */
	int fd;			   /* owned; open for reading too */
	off_t size;		   /* of what was written completely */
	bool sync;		   /* what is appended shall be on the disk */
	bool unsynced;		   /* but not all of it is yet */
	bool damaged;		   /* a torn record could not be cut off: nothing may follow it */
	struct held_journal *held; /* private: its place in the list of this process */
};

/* Creates `dir`/journal.jsonl if need be, and locks it. ERR_BUSY when somebody has it, be it this
 * process (the text names the pid). What is in it stays. */
int journal_open(const char *dir, bool sync, struct journal *ret, struct error *err);
int journal_truncate(struct journal *j, struct error *err);
/* One write(2). What was written of a record that fails is cut off again. */
int journal_append(struct journal *j, const void *bytes, size_t len, struct error *err);
/* With `sync`: all that was appended is on the disk then. */
int journal_sync(struct journal *j, struct error *err);
/* Takes the file away while the lock is held, then closes. */
int journal_remove(struct journal *j, struct error *err);
void journal_close(struct journal *j); /* keeps the file */

/* What to do with a journal that is open to be read. */
typedef int (*journal_use)(int fd, void *ctx, struct error *err);

/* Opens a journal to read it, calls `use`, and closes it again. When this process records to it,
 * the descriptor is the recorder's own, whose position counts for nothing: use pread(2). Threads
 * that open or close journals wait meanwhile. ERR_NOTFOUND when there is none. */
int journal_read(const char *path, journal_use use, void *ctx, struct error *err);

/* Removes the journal in `dir_fd` when nobody holds its lock, after `remove_rest`, which removes
 * what is beside it. Whether there is none (any more). */
bool journal_remove_abandoned(int dir_fd, void (*remove_rest)(int dir_fd));

#endif
