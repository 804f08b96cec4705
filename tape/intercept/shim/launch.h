/* Starts a unit's program below what will be its shim. Async-signal-safe, as wire.h. */
#ifndef SANDTAPE_TAPE_INTERCEPT_SHIM_LAUNCH_H
#define SANDTAPE_TAPE_INTERCEPT_SHIM_LAUNCH_H

#include "tape/intercept/shim/wire.h"

/*
 * Forks; the child puts the streams in their places, takes the interval timers over (an exec would
 * have kept them), puts back what was set aside and executes the program, with the disposition of
 * SIGCHLD that this process has. 0 once it has executed it; the -errno of the exec, or a positive
 * errno when it could not be tried; then nothing has happened. The caller has set things aside.
 * `fds` are closed in any case, and after a success SIGCHLD is not ignored any more.
 */
int launch_unit(const struct wire_program *program, const struct wire_reply *reply, const int *fds,
		const struct wire_aside *aside, pid_t *ret_pid);

/* The errno with which executing it is bound to fail, as far as can be told by looking, or 0. */
int launch_probe(const struct wire_program *program);

#endif
