/* The seccomp programs of the tracer. Built by the parent, installed by the child. */
#ifndef SANDTAPE_TAPE_INTERCEPT_FILTER_H
#define SANDTAPE_TAPE_INTERCEPT_FILTER_H

#include <linux/filter.h>

/* Reaches the tracer as the data of a RET_TRACE stop. */
enum filter_cookie {
	COOKIE_CALL = 1,     /* a call of arch_calls[] */
	COOKIE_UNTRACED = 3, /* a clone that asks for no tracer */
	COOKIE_IO = 2	     /* a call that filter_build_io() was asked to stop */
};

#define FILTER_MAX 256

/* Stops the calls of arch_calls[]; allows all else. Returns the number of instructions. */
unsigned filter_build(struct sock_filter out[FILTER_MAX]);

/* What a unit does that is told by its calls. */
enum filter_io {
	FILTER_STDIN = 1,	    /* reads of fd 0 */
	FILTER_TERMINAL_OUTPUT = 2, /* writes to fds 0 to 2, and the setting of terminal modes */
	FILTER_TERMINAL = 4,	    /* reads and writes of any fd, and the setting of modes */
	FILTER_READS = 8,	    /* reads of any fd */
	FILTER_WRITES = 16,	    /* writes to any fd */
	FILTER_STDIN_WRITES = 32    /* writes to fd 0 */
};

/*
 * For units with such streams (a sum of enum filter_io): stops the calls, so that what was moved
 * can be told without taking it from anybody else. Calls that would move bytes unseen (splice,
 * sendfile) fail with EINVAL, and those that only new kernels have (preadv2, recvmmsg,
 * copy_file_range) with ENOSYS, on which programs fall back to read and write.
 */
unsigned filter_build_io(struct sock_filter out[FILTER_MAX], unsigned what);

#endif
