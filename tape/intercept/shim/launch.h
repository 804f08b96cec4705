/* Starts a unit's program below what will be its shim. Async-signal-safe, as wire.h. */
#ifndef SANDTAPE_TAPE_INTERCEPT_SHIM_LAUNCH_H
#define SANDTAPE_TAPE_INTERCEPT_SHIM_LAUNCH_H

#include "tape/intercept/shim/wire.h"
#include <signal.h>

/*
 * Forks; the child puts the streams in their places and executes the program, with the signal mask
 * `mask` and the disposition of SIGCHLD that this process has. 0 once it has executed it, else the
 * -errno of the exec; then nothing has happened. The caller has blocked all signals. `fds` are
 * closed in any case, and SIGCHLD is not ignored any more after a success.
 */
int launch_unit(const struct wire_program *program, const struct wire_reply *reply, const int *fds,
		size_t fd_count, const sigset_t *mask, pid_t *ret_pid);

/* The errno with which executing it is bound to fail, as far as can be told by looking, or 0. */
int launch_probe(const struct wire_program *program);

#endif
