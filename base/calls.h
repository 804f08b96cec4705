/*
 * System calls that a process makes before its program starts, since somebody who holds it in a
 * stop wants it to: what the interceptor runs (tape/intercept/), and what restricts a unit is
 * written as (sandbox/). The two do not know each other.
 */
#ifndef SANDTAPE_BASE_CALLS_H
#define SANDTAPE_BASE_CALLS_H

#include "base/denied.h"
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* As the runner (tape/intercept/arch.h) reads it: the kernel's number, and what it returned. */
struct runner_call {
	uint64_t number;
	uint64_t args[6];
	uint64_t result;
};

#define INJECT_MAX	    64
#define INJECT_POINTERS	    8
#define INJECT_DATA(offset) (0xda7a000000000000ull + (offset))

/* `data` is copied into the process, and back when the calls have been made; pointers to it are
 * written as INJECT_DATA(offset), in arguments and where `pointer_at` says. */
struct inject_list {
	struct runner_call call[INJECT_MAX];
	unsigned count;
	size_t pointer_at[INJECT_POINTERS]; /* where in `data` an INJECT_DATA() stands */
	unsigned pointers;
	size_t data_len;
	char data[16384];
};

enum inject_next {
	INJECT_GO,   /* the program starts */
	INJECT_LAST, /* `list` has been written anew: run it, then the program starts */
	INJECT_AGAIN /* the same, but with a stop after it, at which the results are seen */
};

/* A call that a filter has stopped, as ptrace(2) tells it. */
struct confined_call {
	uint32_t arch; /* AUDIT_ARCH_* */
	int number;
	uint64_t args[6];
};

enum confined_next {
	CONFINED_GO,	 /* the call is made */
	CONFINED_WATCH,	 /* likewise, and call_ends() is to see its end */
	CONFINED_REFUSED /* it is skipped, and has its result */
};

/* Restricts processes that have just executed a program, each by calls of its own. What they are
 * denied is told to an ear. An error ends all. */
struct confiner {
	/* Whether a program that is there may not be executed from the directory `cwd`: it could
	 * not be refused any more once it is executed. */
	int (*refuses)(const struct confiner *confiner, pid_t pid, const char *cwd,
		       const char *path, const struct denied_ear *ear, bool *ret,
		       struct error *err);
	/* Writes the first list (step 0); with the results of a list, the next one. An error: the
	 * process must not run. */
	int (*next)(const struct confiner *confiner, pid_t pid, unsigned step,
		    struct inject_list *list, enum inject_next *ret_next, struct error *err);

	/* Of tasks that are restricted, in a ptrace stop of the calling thread: */

	/* A filter has stopped a call: one of its own, or any other one. NULL: it has none that
	 * stops. */
	int (*call_begins)(const struct confiner *confiner, pid_t tid,
			   const struct confined_call *call, const struct denied_ear *ear,
			   enum confined_next *ret, struct error *err);
	/* It has failed with this errno. */
	int (*call_ends)(const struct confiner *confiner, pid_t tid, uint32_t arch, int error,
			 const struct denied_ear *ear, struct error *err);
	/* A signal is about to be delivered. */
	int (*signalled)(const struct confiner *confiner, pid_t tid, int signal,
			 const struct denied_ear *ear, struct error *err);
	/* It exits, as wait(2) would have its status. NULL: nothing is to be learnt from that. */
	int (*exits)(const struct confiner *confiner, pid_t tid, int status,
		     const struct denied_ear *ear, struct error *err);
	/* A process has ended so, and has not been waited for. */
	int (*ended)(const struct confiner *confiner, pid_t pid, int wait_status,
		     const struct denied_ear *ear, struct error *err);
};

#endif
