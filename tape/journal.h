/*
 * The journal of a recording: made, locked, appended to. The lock is a POSIX write lock on the
 * journal itself, so that there is no lock file to forget and F_GETLK names who has it; the price
 * is that it falls when the process closes *any* descriptor of that file. So nobody else in this
 * process may open a journal while it is recorded: a reader that is opened before and a reader of a
 * tape.jsonl are fine. Nor does such a lock keep a process from itself: a list of the journals that
 * this process holds does, for all its threads.
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
	bool sync;		   /* every append is on the disk when it returns */
	bool damaged;		   /* a torn record could not be cut off: nothing may follow it */
	struct held_journal *held; /* private: its place in the list of this process */
};

/* Creates `dir`/journal.jsonl if need be, and locks it. ERR_BUSY when somebody has it, be it this
 * process (the text names the pid). What is in it stays. */
int journal_open(const char *dir, bool sync, struct journal *ret, struct error *err);
int journal_truncate(struct journal *j, struct error *err);
/* One write(2). What was written of a record that fails is cut off again. */
int journal_append(struct journal *j, const void *bytes, size_t len, struct error *err);
/* Takes the file away while the lock is held, then closes. */
int journal_remove(struct journal *j, struct error *err);
void journal_close(struct journal *j); /* keeps the file */

#endif
