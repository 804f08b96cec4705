/* The seccomp programs of the tracer. Built by the parent, installed by the child. */
#ifndef SANDTAPE_TAPE_INTERCEPT_FILTER_H
#define SANDTAPE_TAPE_INTERCEPT_FILTER_H

#include <linux/filter.h>

/* Reaches the tracer as the data of a RET_TRACE stop. */
enum filter_cookie {
	COOKIE_CALL = 1, /* a call of arch_calls[] */
	COOKIE_STDIN = 2 /* a unit reads fd 0 */
};

#define FILTER_MAX 256

/* Stops the calls of arch_calls[]; allows all else. Returns the number of instructions. */
unsigned filter_build(struct sock_filter out[FILTER_MAX]);

/*
 * For units whose stdin is a pipe or a socket: stops their reads of fd 0, so that what they took
 * can be told without taking it from anybody else. Calls that would move the bytes unseen
 * (splice, sendfile) fail with EINVAL, and those that only new kernels have (preadv2, recvmmsg)
 * with ENOSYS, on which programs fall back to read and write.
 */
unsigned filter_build_stdin(struct sock_filter out[FILTER_MAX]);

#endif
