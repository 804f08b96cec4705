/*
 * Plans: a policy made ready for this host, and programs that run under it.
 *
 * A plan is compiled once, and then used any number of times, by any number of threads at once. It
 * is for the roots that were there when it was compiled; in mounts what has come in the place of
 * one since is granted instead, without them nothing is. Linux 5.13 or later; what a kernel cannot
 * enforce is ERR_UNSUPPORTED, unless the policy's strictness for that mechanism is less than
 * enforce.
 */
#ifndef SANDTAPE_SANDBOX_PLAN_H
#define SANDTAPE_SANDBOX_PLAN_H

#include "sandbox/sandbox.h"

#include <sys/resource.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sandbox_plan;

/* How much of what the policy asks of a mechanism holds. */
enum sandbox_state {
	SANDBOX_STATE_UNUSED,	   /* the policy asks nothing of it */
	SANDBOX_STATE_OFF,	   /* the policy's strictness switches it off */
	SANDBOX_STATE_UNAVAILABLE, /* this host does not have it, or does not allow it */
	SANDBOX_STATE_PARTIAL,	   /* with the gaps that `why` names */
	SANDBOX_STATE_ENFORCED,
	SANDBOX_STATES
};

struct sandbox_layer {
	enum sandbox_state state;
	char why[240]; /* phrases, without a last full stop: what it enforces, what it does not */
};

struct sandbox_layers {
	struct sandbox_layer layer[SANDBOX_MECHS];
};

/* "landlock-fs", as in strictness; "partial". NULL for a number that is none. */
SANDBOX_API const char *sandbox_mechanism_name(enum sandbox_mechanism mechanism);
SANDBOX_API const char *sandbox_state_name(enum sandbox_state state);

enum sandbox_plan_use {
	SANDBOX_PLAN_START, /* for sandbox_start() */
	SANDBOX_PLAN_APPLY, /* for sandbox_plan_apply(), and for starts without namespaces */
	SANDBOX_PLAN_UNITS, /* for sandbox_plan_confiner() */
	SANDBOX_PLAN_UNITS_OBSERVED, /* likewise, and all that they are denied is told */
	SANDBOX_PLAN_OBSERVED /* for sandbox_start() with an observer: what the filter of system
				 calls refuses is refused by the observer, and fails with ENOSYS
				 when there is none */
};

/*
 * Compiles a policy for this host. Looks at the roots and at the kernel, starts nothing. The policy
 * may be changed or freed afterwards. Descriptors that it keeps are open already. `say` is told
 * what a strictness of warn lets pass, each text once: also by sandbox_start(), when the host turns
 * out not to let namespaces be made, and where a program begins in another directory than its
 * caller's, in the thread that called it, under a lock of the plan's, so
 * it must not use the plan; `say_ctx` has to live as long as the plan. ERR_INVALID: the policy
 * contradicts itself, or a link in it can be changed; ERR_NOTFOUND: a root is not there;
 * ERR_UNSUPPORTED: this host cannot enforce it, the text names the mechanism and the way out.
 */
SANDBOX_API int sandbox_plan_new(const struct sandbox_policy *policy, enum sandbox_plan_use use,
				 sandbox_say say, void *say_ctx, struct sandbox_plan **ret,
				 struct error *err);
SANDBOX_API void sandbox_plan_free(struct sandbox_plan *plan);

/* What holds, as far as it is known before a program is started: whether a namespace can be made is
 * known afterwards only. */
SANDBOX_API void sandbox_plan_layers(const struct sandbox_plan *plan, struct sandbox_layers *ret);

/* `key` is one of the policy's, such as "net.mode"; `mechanisms` a bit (1 << SANDBOX_MECH_...) for
 * each that keeps what it says; 0 when sandbox_wait() does, or nothing is promised. */
typedef void (*sandbox_keeper)(void *ctx, const char *key, unsigned mechanisms);
/* Calls `call` for every key that promises something. */
SANDBOX_API void sandbox_plan_keepers(const struct sandbox_plan *plan, sandbox_keeper call,
				      void *ctx);

/* Whether the policy limits output, which then has to go through a buffer or a call. */
SANDBOX_API bool sandbox_plan_limits_output(const struct sandbox_plan *plan);

/* Whether programs are in a session of their own, where no terminal sends them signals. */
SANDBOX_API bool sandbox_plan_leaves_terminal(const struct sandbox_plan *plan);

/* Where something failed between the fork and the program. */
struct sandbox_failure {
	const char *stage; /* "landlock", a constant */
	int error;	   /* an errno */
};

/*
 * Restricts the calling thread in place, and all that it starts from then on: descriptors, limits,
 * capabilities, Landlock, the filter of system calls; no namespaces, no environment. It cannot be
 * undone, and a failure leaves it half done: end the process then. Async-signal-safe, takes no
 * memory. 0, or -1 with *ret.
 */
SANDBOX_API int sandbox_plan_apply(const struct sandbox_plan *plan, struct sandbox_failure *ret);

/*
 * What restricts the units of a recording, each when it has executed its program and not begun to
 * run it (confiner of struct tape_options): what sandbox_plan_apply() does, by calls that the unit
 * is made to make. Needs no_new_privs, and a plan for this use. It is the plan's, and for one
 * thread.
 */
struct confiner;
SANDBOX_API const struct confiner *sandbox_plan_confiner(const struct sandbox_plan *plan);

/* --- Programs -------------------------------------------------------------------------------- */

enum sandbox_output {
	SANDBOX_OUTPUT_INHERIT, /* the caller's own */
	SANDBOX_OUTPUT_NULL,	/* /dev/null */
	SANDBOX_OUTPUT_FD,	/* `fd`, which stays the caller's */
	SANDBOX_OUTPUT_BUFFER,	/* kept, up to the policy's limit of output */
	SANDBOX_OUTPUT_CALL	/* `call` is called by sandbox_wait(), in its thread */
};

struct sandbox_sink {
	enum sandbox_output kind;
	int fd;
	/* false: nobody wants more; the stream is closed, and who writes to it gets SIGPIPE */
	bool (*call)(void *ctx, const void *bytes, size_t len);
	void *ctx;
};

struct sandbox_start {
	const char *const *argv; /* NULL-terminated; argv[0] is looked for in the PATH that the
				    program gets when it has no slash */
	const char *const *envp; /* what the policy's env is applied to; NULL: the caller's */
	const char *cwd;	 /* NULL: the caller's; at the level none, / where that one is not
				    to be seen, which is told */
	bool dedicated;		 /* The calling process has no other children and starts this one
				    from its only thread: it becomes a subreaper, is followed into
				    death, and nothing of the tree is left behind. Otherwise what
				    leaves the program's process group is reached through a cgroup
				    or a pid namespace only. */
	int stdin_fd;		 /* -1: /dev/null; 0: the caller's own. Stays the caller's */
	const void *stdin_bytes; /* instead of stdin_fd when stdin_len is not 0; copied */
	size_t stdin_len;
	struct sandbox_sink out, err;
	int observer; /* 0: none; a unix socket (SOCK_SEQPACKET) of a pair whose other end
			 sandbox_observe() has. Stays the caller's */
};

struct sandbox_child;

enum sandbox_end {
	SANDBOX_END_EXIT,    /* `status` is its exit status */
	SANDBOX_END_SIGNAL,  /* `status` is the signal */
	SANDBOX_END_TIMEOUT, /* it was killed, since the policy's wall time was over */
	SANDBOX_END_OUTPUT,  /* it was killed, since it wrote more than the policy lets it */
	SANDBOX_END_MEMORY,  /* the kernel killed it in its cgroup for lack of memory */
	SANDBOX_END_UNKNOWN  /* sandbox_wait() has failed to see it */
};

struct sandbox_result {
	enum sandbox_end end;
	int status;
	uint64_t duration_ns; /* of CLOCK_MONOTONIC */
	struct rusage usage;  /* of the program and of what it has waited for */
	unsigned killed;      /* processes that were still there when it ended, and were killed */
	const void *out;      /* of SANDBOX_OUTPUT_BUFFER; owned by the child */
	size_t out_len;
	const void *err;
	size_t err_len;
};

/*
 * Starts a program under a plan. Thread-safe. ERR_NOTFOUND: there is no such program (err->sys is
 * ENOENT); ERR_SYSTEM: it cannot be executed (err->sys is of execve), or the stage that the text
 * names failed; ERR_UNSUPPORTED: the host does not allow what the policy asks for. Every child is
 * waited for with sandbox_wait() once, and then freed; freeing one that runs kills it.
 */
SANDBOX_API int sandbox_start(struct sandbox_plan *plan, const struct sandbox_start *start,
			      struct sandbox_child **ret, struct error *err);

/* Waits for the end, hands over stdin and output, keeps the limits of time and output, and kills
 * what is left of the tree. ERR_SYSTEM, or another one of what could not be done: the program has
 * ended then, too, and *ret tells how (its temporary directory could not be removed, say), unless
 * its `end` is SANDBOX_END_UNKNOWN. One thread. */
SANDBOX_API int sandbox_wait(struct sandbox_child *child, struct sandbox_result *ret,
			     struct error *err);

/* What is left of the policy's wall time, in ms; 0: it is over; -1: there is no end. A call for
 * output that blocks longer keeps sandbox_wait() from ending the program. */
SANDBOX_API int sandbox_child_left_ms(const struct sandbox_child *child);

/* Kills the whole tree; sandbox_wait() then returns. From any thread, while the child is not
 * freed. */
SANDBOX_API int sandbox_kill(struct sandbox_child *child, struct error *err);

/* A descriptor of the program's process that becomes readable when it ends; the child's. */
SANDBOX_API int sandbox_child_pidfd(const struct sandbox_child *child);
SANDBOX_API pid_t sandbox_child_pid(const struct sandbox_child *child);

/* What really holds for this program. */
SANDBOX_API void sandbox_child_layers(const struct sandbox_child *child,
				      struct sandbox_layers *ret);
SANDBOX_API void sandbox_child_free(struct sandbox_child *child);

#ifdef __cplusplus
}
#endif

#endif
