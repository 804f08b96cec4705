/* The inside of the shim. */
#ifndef SANDTAPE_TAPE_INTERCEPT_SHIM_SHIM_H
#define SANDTAPE_TAPE_INTERCEPT_SHIM_SHIM_H

#include "tape/intercept/shim/wire.h"
#include "tape/intercept/stub/engine.h"
#include <signal.h>
#include <stdbool.h>

/* What is to be executed. */
struct shim_call {
	struct wire_program program;  /* as a unit, or let alone: the environment is clean */
	struct wire_program in_place; /* as subject */
	bool in_path;		      /* the shim was found in PATH */
	int known_errno;	      /* for WIRE_EXEC */
	struct wire_aside aside;
};

/* Bit n - 1: the signal n is blocked. Of whoever started this process: until wire_put_back() all of
 * them are (entry_x86_64.S). */
extern const uint64_t shim_inherited_mask;

/* From now on this process ends with the server of `dir`, if that lives; whoever asks it something
 * afterwards sees whether it did. A descriptor that keeps it so, or -errno. */
int shim_live_with(const char *dir);

/* Stands above a unit's program until it has ended and its output has been delivered, then ends
 * in the same way. All signals are blocked. */
_Noreturn void shim_supervise(int sock, int life, pid_t pid);

/* Signals to it come to nothing any more. */
bool shim_is_exiting(pid_t pid);
bool shim_is_stopped(pid_t pid);
/* Whether it catches the signal, or may take it by sigwait(3) or signalfd(2). */
bool shim_is_noticed(pid_t pid, int signal);

#endif
