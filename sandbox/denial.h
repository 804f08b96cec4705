/*
 * Denials: what a sandbox kept a program from, and how that is known.
 *
 * An observer looks at a program's system calls, signals and end; of each that may have to do with
 * the sandbox it makes an observation. sandbox_explain() tells whether the sandbox is the reason,
 * by the plan that the program ran under: a call that would fail outside as well is no denial, and
 * what a program prints is nothing that is looked at.
 */
#ifndef SANDTAPE_SANDBOX_DENIAL_H
#define SANDTAPE_SANDBOX_DENIAL_H

#include "sandbox/plan.h"

#include <sys/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

enum sandbox_seen {
	SANDBOX_SEEN_CALL,   /* a system call has failed */
	SANDBOX_SEEN_SIGNAL, /* a signal was delivered that the kernel sent */
	SANDBOX_SEEN_END     /* the program has ended, as `result` tells */
};

/* Whether the same act would have succeeded outside, for the same user. */
enum sandbox_outside { SANDBOX_OUTSIDE_UNKNOWN, SANDBOX_OUTSIDE_NO, SANDBOX_OUTSIDE_YES };

struct sandbox_observation {
	enum sandbox_seen what;
	pid_t pid; /* the process, as the observer sees it */

	/* of a call, and of SIGSYS */
	uint32_t arch;	  /* AUDIT_ARCH_* */
	int number;	  /* of that ABI */
	uint64_t args[6]; /* as they were in the registers */
	int error;	  /* an errno */
	bool filtered;	  /* the filter of system calls refused it, and the kernel told so */

	/* What the arguments lead to, in the sandbox's view: absolute, without links as far as
	 * there are files; NULL: the call has none. `path2` is the second one, of rename; of
	 * execve what interprets the program. */
	const char *path;
	const char *path2;
	/* Of execve: what interprets path2, when that is a script, and so on; NULL at the end. Or
	 * NULL. */
	const char *const *interpreters;
	enum sandbox_outside outside; /* of a call that has a path or names a process */
	enum sandbox_outside there;   /* whether there is a file at `path` */
	const struct sockaddr *address;
	socklen_t address_len; /* 0: none */
	uint64_t flags;	       /* of openat2, which has them behind a pointer */
	uint64_t limit;	 /* the process's own soft limit of what the call ran out of (descriptors
			    of EMFILE, bytes of EFBIG and ENOMEM, processes of EAGAIN); the hard
			    one that a call could not raise */
	uint64_t wanted; /* of such a call: the hard limit that it asks for, behind a pointer */

	/* of a signal */
	int signal;
	int code; /* si_code: SYS_SECCOMP ... */

	const struct sandbox_result *result; /* of an end */
};

enum sandbox_evidence {
	SANDBOX_EVIDENCE_KERNEL,   /* the kernel itself said which mechanism it was */
	SANDBOX_EVIDENCE_OBSERVED, /* seen at the end of a system call, and the policy refuses it */
	SANDBOX_EVIDENCE_INFERRED  /* from a status, or from what is there outside */
};

#define SANDBOX_DENIAL_TEXT 4400

struct sandbox_denial {
	enum sandbox_mechanism mechanism; /* of what sandbox_wait() itself keeps: rlimits */
	enum sandbox_evidence evidence;
	pid_t pid;
	const char *call;    /* "openat"; NULL: no call. A constant */
	char arguments[160]; /* "AT_FDCWD, \"/etc/shadow\", O_RDONLY", without brackets */
	char what[SANDBOX_DENIAL_TEXT]; /* a path, or an address ("127.0.0.1:80"), quoted where
					   bytes need it; "" */
	int error;			/* an errno, or 0 */
	int signal;			/* or 0 */
	char why[240];			/* a phrase: which rule, or which that is not there */
	/* What would allow it; "": there is nothing, or it is too long. Of sandtape run, for sh:
	 * "--write /a". */
	char option[SANDBOX_DENIAL_TEXT];
	/* The same, or what only a policy can say, as a JSON object to be merged into the policy:
	 * {"fs": {"write": ["/a"]}}. A list has what the policy names already, as long as there is
	 * room, so that it may take the place of that one or be joined to it. */
	char policy[SANDBOX_DENIAL_TEXT];
};

/* "kernel", "observed", "inferred". */
SANDBOX_API const char *sandbox_evidence_name(enum sandbox_evidence evidence);

/*
 * 1: the sandbox denied it, *ret tells what; 0: it did not; ERR_NOMEM, ERR_INVALID: an observation
 * that cannot be. Looks at nothing but its arguments. Thread-safe.
 */
SANDBOX_API int sandbox_explain(const struct sandbox_plan *plan,
				const struct sandbox_observation *seen, struct sandbox_denial *ret,
				struct error *err);

/* --- Observing ------------------------------------------------------------------------------- */

/* Called by sandbox_observe(), in its thread. What the observation refers to is there until it
 * returns. Only what may have to do with a sandbox is told: not each call. */
typedef void (*sandbox_see)(void *ctx, const struct sandbox_observation *seen);

/*
 * Observes a program that another process starts: the parent of this caller's, or its child, with
 * sandbox_start.observer the other end of `socket` and a plan for SANDBOX_PLAN_OBSERVED. The
 * caller's thread becomes the tracer (ptrace) of the program and of all that it starts, and must
 * have no other children than `runner`, the process that starts it. Returns when the runner has
 * ended, with its status as of waitpid(2) in *ret_status. When the caller dies, the program is
 * killed. ERR_UNSUPPORTED: this host refuses ptrace; the runner has been killed then.
 */
SANDBOX_API int sandbox_observe(int socket, pid_t runner, sandbox_see see, void *ctx,
				int *ret_status, struct error *err);

#ifdef __cplusplus
}
#endif

#endif
