/*
 * What a process was kept from: as sandbox/ explains it, and tape/ keeps it. The two do not know
 * each other.
 */
#ifndef SANDTAPE_BASE_DENIED_H
#define SANDTAPE_BASE_DENIED_H

#include "base/error.h"
#include <sys/types.h>

enum denied_text {
	DENIED_MECHANISM, /* "landlock-fs" */
	DENIED_EVIDENCE,  /* "kernel", "observed", "inferred" */
	DENIED_CALL,	  /* "openat" */
	DENIED_ARGUMENTS, /* "AT_FDCWD, \"/srv/key\", O_RDONLY" */
	DENIED_WHAT,	  /* a path or an address */
	DENIED_WHY,
	DENIED_OPTION, /* what would allow it, as an option and as a piece of a policy */
	DENIED_POLICY,
	DENIED_TEXTS
};

struct denied {
	const char *text[DENIED_TEXTS]; /* "": there is none */
	int error;			/* an errno, or 0 */
	int signal;			/* or 0 */
	pid_t pid;			/* 0: nobody knows */
};

/* Whom to tell; the texts are there until it returns. */
struct denied_ear {
	int (*hear)(void *ctx, const struct denied *denied, struct error *err);
	void *ctx;
};

#endif
