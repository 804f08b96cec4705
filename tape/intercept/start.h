/* Starts the subject under the tracer. Private to the interceptor. */
#ifndef SANDTAPE_TAPE_INTERCEPT_START_H
#define SANDTAPE_TAPE_INTERCEPT_START_H

#include "base/error.h"
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

struct start_options {
	char *const *argv;
	const char *path_append;  /* a directory for the end of PATH, or NULL */
	const char *path_prepend; /* one for its start */
	const char *preload;	  /* a library for LD_PRELOAD, or NULL */
	bool is_traced;
	long ptrace_options;
	/* What the subject gets: those of sandtape before it changed them for itself. */
	const sigset_t *mask;
	const struct sigaction *sigpipe;
	const struct sigaction *sigchld;
	const struct rlimit *nofile;
};

struct started {
	pid_t pid;
	int report; /* the child writes {stage, errno} here when it fails; ends at its exec; owned
		     */
};

/*
 * Forks; the child executes argv, and dies with us. When it is traced, it is seized and installs
 * the filter before, and runs only once the caller serves its stops. ERR_UNSUPPORTED, in words for
 * a user, when this host does not let us trace.
 */
int start_subject(const struct start_options *options, struct started *ret, struct error *err);

/* The PATH in which the subject looks; without one in the environment, that of execvp(3). */
const char *start_path(void);
/* Where a file of the name is in PATH: malloc'ed, NULL when there is none. A name with a slash is
 * its own path. */
char *start_find(const char *name);

/* What the child reported: 0 when it has executed its program, else the errno of the exec. Any
 * other stage that failed is an error. */
int start_report(const struct started *s, int *ret_exec_errno, struct error *err);

#endif
