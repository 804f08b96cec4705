/* What a program may do with the files that its standard streams are. */
#ifndef SANDTAPE_SANDBOX_STREAMS_H
#define SANDTAPE_SANDBOX_STREAMS_H

#include "sandbox/landlock.h"

#include <pthread.h>
#include <sys/types.h>

enum { STREAMS = 3 };

/* Rules for the streams that need one. `ruleset` is one that has them already, or -1. */
struct streams {
	struct landlock_rule rule[STREAMS];
	size_t rules;
	int ruleset;
};

/* A file that a stream is, and what it was opened for. */
struct streams_file {
	dev_t dev;
	ino_t ino;
	uint64_t access;
};

/*
 * A ruleset for the streams of the first program that was started, which most others have, too: to
 * make it anew for each would cost more than the start where roots are carved up.
 */
struct streams_kept {
	pthread_mutex_t lock;
	int ruleset; /* -1: none has been made */
	struct streams_file file[STREAMS];
	size_t files;
};

#define STREAMS_KEPT_INIT                                                                          \
	{                                                                                          \
		.lock = PTHREAD_MUTEX_INITIALIZER, .ruleset = -1                                   \
	}

/* For the descriptors that will be the streams. They stay the caller's. */
void streams_find(const int fd[STREAMS], int abi, struct streams *ret);

/* Finds, or at the first time makes, a ruleset with the rules of the streams and no others. None is
 * found when no rule is needed, or other streams were first. It stays kept's. Thread-safe. */
void streams_use_kept(struct streams_kept *kept, const struct landlock *l, struct streams *streams);
void streams_free(struct streams_kept *kept);

#endif
