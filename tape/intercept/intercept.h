/*
 * Interception on Linux: holds the subject with ptrace and a seccomp filter that stops it at
 * execve, execveat and kill only, tells the client (recorder or player) what happens, and does
 * what the client decides. ARCHITECTURE.md, "Interception", tells the whole story.
 *
 * One interception per process at a time, all of it on the thread that calls intercept_run().
 */
#ifndef SANDTAPE_TAPE_INTERCEPT_INTERCEPT_H
#define SANDTAPE_TAPE_INTERCEPT_INTERCEPT_H

#include "base/buf.h"
#include "base/calls.h"
#include "base/error.h"
#include "tape/intercept/arch.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct interceptor;

enum role {
	ROLE_SUBJECT, /* the program under test: its execs are decided by the client */
	ROLE_UNIT,    /* belongs to a unit: let be, but held */
	ROLE_STUB     /* stands in for a unit */
};

/* What the client knows a unit by; the first member of the client's own struct. */
struct traced_unit {
	unsigned processes; /* how many belong to it; kept by the interceptor */
	pid_t parent;	    /* that spawned it; likewise */
	bool recorded;	    /* of the client: by the recorder, else played */
};

/* A thread of a process, in a stop: with ptrace. */
struct task;

struct exec_request {
	struct bytes path; /* as the program gave it */
	const struct bytes *argv;
	size_t argc;
	const struct bytes *env;
	size_t env_count;
	struct bytes cwd; /* empty when the directory is gone */
	bool may_wait;	  /* EXEC_LATER is a decision */
};

enum exec_action {
	EXEC_SUBJECT, /* goes ahead, and what runs then is subject */
	EXEC_UNIT,    /* goes ahead, as a unit */
	EXEC_REAL,    /* goes ahead, and is let be */
	EXEC_STUB,    /* the stub runs instead */
	EXEC_FAIL,    /* the call fails with `error` */
	EXEC_LATER    /* the process waits in its call, until intercept_ask_again() */
};

struct exec_decision {
	enum exec_action action;
	int error;
	struct traced_unit *unit; /* EXEC_UNIT, EXEC_STUB */
	bool spreads;		  /* EXEC_SUBJECT */
	bool hands_over;	  /* EXEC_SUBJECT: what it executes in its place does not stay so */
	unsigned subject_id;	  /* EXEC_SUBJECT */
};

struct process {
	pid_t pid;
	pid_t parent; /* 0: nobody's that is held */
	enum role role;
	bool in_place;	     /* an exec of this process stays subject: the root, or a launcher */
	bool main;	     /* the first process of its unit */
	bool ended;	     /* its end has been told to the client */
	bool stdin_ended;    /* a unit that is not observed: its stdin was read to the end */
	unsigned subject_id; /* which subject program this is, 0 the root */
	bool spreads;	     /* what this launcher's children execute stays subject too */
	struct traced_unit *unit;
	void *attempt; /* the recorder's: an exec of this process that failed so far */
	void *search;  /* the player's: one that it makes fail */

	/* of the interceptor */
	struct process *next;
	unsigned long planted; /* the address of the stub's path in its memory, or 0 */
	unsigned threads;
	bool held;		       /* its end is held back */
	pid_t put_off;		       /* the thread whose exec waits (EXEC_LATER), or 0 */
	int own_stop;		       /* the signal by which its unit may be about to stop it */
	bool may_be_stopped;	       /* it got what stops by default, and was not made to go on */
	struct exec_decision decision; /* waits for the exec to succeed */
};

/* A system call of a unit that moves bytes, or sets a terminal's modes. */
enum io_kind { IO_READ, IO_WRITE, IO_MODE };

struct io {
	enum io_kind kind;
	int fd;
	const char *data; /* reads, writes: what was moved, once it was */
	size_t len;
	uint64_t request;  /* modes: of ioctl(2) */
	uint64_t address;  /* modes: of its argument in the unit's memory */
	bool passes_fds;   /* descriptors went along (SCM_RIGHTS) */
	uint64_t began_ns; /* of the client: what io_begins has put there */
	bool alone;	   /* likewise: no other such call begins before this one is done */
};

/* What does not work below a tracer. */
enum intercept_limit {
	LIMIT_TRACES, /* it traces other processes, which have a tracer: ptrace(2) fails (EPERM) */
	/* What its file would give it, it does not get (no_new_privs). */
	LIMIT_SET_USER,
	LIMIT_SET_GROUP,
	LIMIT_CAPABILITIES
};

/* All return 0, or an error that ends the session (and with it every process of it). */
struct intercept_ops {
	/* A subject process is about to execute something. */
	int (*exec)(void *ctx, struct process *p, const struct exec_request *request,
		    struct exec_decision *ret, struct error *err);
	/* The streams of a unit are to be looked at, and replaced where they are recorded: before
	 * `started`, and where the exec may still fail. NULL: they are left alone. */
	int (*streams)(void *ctx, struct process *p, struct task *task, struct error *err);
	/* The program of a unit, or the stub, is loaded, and has not run an instruction.
	 * *ret_detach: it needs nobody any more; its end goes straight to its parent. */
	int (*started)(void *ctx, struct process *p, bool *ret_detach, struct error *err);
	/* The exec that the client let through failed. */
	int (*exec_failed)(void *ctx, struct process *p, int sys_errno, struct error *err);
	/* The process is gone. *ret_hold: its parent must not know yet; the client will call
	 * intercept_release(). */
	int (*ended)(void *ctx, struct process *p, int wait_status, bool *ret_hold,
		     struct error *err);
	/* The last process of a unit is gone: the client may free it. */
	int (*unit_gone)(void *ctx, struct traced_unit *unit, struct error *err);
	/* The stub asks something: *ret_result is what its call returns. *ret_later: not now; the
	 * client will call intercept_reply(). */
	int (*hypercall)(void *ctx, struct process *p, const uint64_t args[6], long *ret_result,
			 bool *ret_later, struct error *err);
	/* A thread of a unit is about to do this: is it wanted? */
	int (*io_begins)(void *ctx, struct process *p, struct io *io, bool *ret_wanted,
			 struct error *err);
	/* It has done so. A read of 0 bytes is the end of the stream. */
	int (*io_done)(void *ctx, struct process *p, const struct io *io, struct error *err);
	/* Nothing is to be done until the next stop. May be NULL. */
	int (*idle)(void *ctx, struct error *err);
	/* How many µs to wait for anything to happen before `timeout` is called; -1: for ever.
	 * Both may be NULL. */
	int (*patience_us)(void *ctx);
	int (*timeout)(void *ctx, struct error *err);
	/* The subject sent a signal to the first process of a unit (intercept_unit_of()), or to
	 * its group. */
	int (*signalled)(void *ctx, struct process *target, int signal, struct error *err);
	/* A program does not work here as it would alone. May be NULL. */
	int (*limited)(void *ctx, enum intercept_limit limit, const char *program,
		       struct error *err);
	/* The kernel did, as it does for a terminal (^C, a hang-up). May be NULL. */
	int (*terminal_signalled)(void *ctx, struct process *target, int signal, struct error *err);
	/* The first process of a unit has been stopped by itself, or by another of its unit, with
	 * this signal; or with SIGCONT: it has been made to go on so. May be NULL. */
	int (*stopped)(void *ctx, struct process *p, int signal, struct error *err);
	/* A process of a unit is about to stop, or sends a signal: what the unit has written is to
	 * be with its readers before anybody sees that. May be NULL. */
	int (*flush)(void *ctx, struct process *p, struct error *err);
	/* A process of a unit sends a signal to the process that spawned the unit, or to its group;
	 * or it was refused to. Who gets it may end the sender at once, whose call has no end then.
	 * Both may be NULL. */
	int (*sent)(void *ctx, struct process *p, int signal, struct error *err);
	int (*not_sent)(void *ctx, struct process *p, int signal, struct error *err);
	/* The subject has ended: is something about to end that still belongs to it? It gets a
	 * moment. May be NULL. */
	bool (*lingers)(void *ctx);
	/* A process of a restricted unit, or one that is about to be a unit, was denied something
	 * (options.confiner). May be NULL. */
	int (*denied)(void *ctx, struct process *p, const struct denied *denied, struct error *err);
};

enum intercept_backend_kind {
	INTERCEPT_PTRACE = 0,
	INTERCEPT_PRELOAD, /* a library in the subject */
	INTERCEPT_PATH	   /* links at the front of its PATH */
};

/* "ptrace", "preload", "path" */
const char *intercept_backend_name(enum intercept_backend_kind kind);
/* ERR_INVALID when there is none of the name. */
int intercept_backend_find(const char *name, enum intercept_backend_kind *ret, struct error *err);

struct intercept_options {
	enum intercept_backend_kind backend;
	const char *shim_path;	  /* but for INTERCEPT_PTRACE */
	const char *library_path; /* INTERCEPT_PRELOAD */
	char *const *argv;	  /* the subject; looked up in PATH */
	const char *stub_path;	  /* for EXEC_STUB, else NULL */
	const char *path_append;  /* a directory for the end of the subject's PATH, or NULL */
	bool eager;    /* look for the next stop a while before sleeping: quicker, but busy */
	bool want_env; /* fill exec_request.env */
	/* Once the subject runs, this process leaves its session: what a terminal or kill(2) sends
	 * to the whole process group reaches the subject alone. The caller leads no group. */
	bool apart;
	const struct confiner *confiner; /* restricts units; NULL: they are not. INTERCEPT_PTRACE */
};

int intercept_new(const struct intercept_options *options, const struct intercept_ops *ops,
		  void *ctx, struct interceptor **ret, struct error *err);
void intercept_free(struct interceptor *t); /* ends every process that is left */

/*
 * Starts the subject and returns when it has ended: *ret_status is its wait status. A subject that
 * cannot be executed is *ret_status = exit 126 or 127 and a text in `err`, with return value 0.
 */
int intercept_run(struct interceptor *t, int *ret_status, struct error *err);

/* How many processes are left after the subject has ended. */
size_t intercept_left(const struct interceptor *t);

/*
 * After intercept_run(): serves what is left, until the last process is gone and every watch has
 * been given back. `ops` take the place of the client's from now on. Ends that were held back
 * become visible. What is executed now is let be, and `exec` is not called.
 */
int intercept_keep(struct interceptor *t, const struct intercept_ops *ops, struct error *err);

/* Whether all threads of the subject sleep: it has taken notice of whatever it was told. */
enum subject_rest {
	SUBJECT_WORKS = 0,
	SUBJECT_SEEMS_TO_REST, /* each was seen asleep, but one may have woken another meanwhile */
	SUBJECT_RESTS
};
enum subject_rest intercept_subject_rest(struct interceptor *t);
/* The same of one process of the subject. */
enum subject_rest intercept_rest_of(struct interceptor *t, pid_t pid);

/* Whether a thread of the subject sleeps until a time of its own choice (nanosleep(2)): it goes on
 * by itself. */
bool intercept_subject_sleeps(struct interceptor *t);

/* Whether the first thread of a process is on a processor, or waits for nothing but one. */
bool intercept_runs(pid_t pid);

/* Whether it may reap whichever of its children has ended first: it has one thread only, or takes
 * SIGCHLD. A program with threads that wait for one child each does neither. */
bool intercept_reaps_any(pid_t pid);

/* How long its threads have computed so far; UINT64_MAX: it is gone. */
uint64_t intercept_cpu_ns(pid_t pid);

/* The unit that the process is, or is about to be: its parent may go on, and send it a signal,
 * before the exec has been seen to succeed. NULL for any other process. */
struct traced_unit *intercept_unit_of(const struct process *p);

/* For the client, from its callbacks */

/* The end that `ended` held back becomes visible to the parent. */
int intercept_release(struct interceptor *t, struct process *p, struct error *err);

/* `ready` is called whenever epoll reports one of `events` on fd (0: errors and hang-ups). */
typedef int (*intercept_ready)(void *ctx, uint32_t events, struct error *err);
int intercept_watch(struct interceptor *t, int fd, uint32_t events, intercept_ready ready,
		    void *ctx, void **ret_watch, struct error *err);
int intercept_watch_change(struct interceptor *t, void *watch, uint32_t events, struct error *err);
void intercept_unwatch(struct interceptor *t, void *watch);

/* A copy of a descriptor of a unit that is about to start: the caller's, or -errno; -EBADF: it is
 * closed, -ESRCH: the unit has been killed. From `streams`. */
int intercept_unit_fd(struct interceptor *t, struct process *p, int fd);

/* Whether this backend tells io_begins and io_done at all. */
bool intercept_observes(const struct interceptor *t);

/* Whether a process outside of the unit has the file (a regular one) open for writing, or may write
 * there as the unit does: what appears in it need not be the unit's. */
bool intercept_file_is_shared(struct interceptor *t, const struct process *p,
			      const struct stat *file);

/* A stream of a unit that is to be replaced before its program starts. */
struct stream_swap {
	int fd;
	int same_as;	/* by what `fd` of that number is replaced by; -1: by a pair of its own */
	bool is_socket; /* a socket pair, not a pipe */
	int ours;	/* in `done`: our end, owned by the client; -1 when the unit was killed */
};

#define STREAM_SWAPS_MAX 16

struct stream_swaps {
	struct stream_swap swap[STREAM_SWAPS_MAX]; /* what `same_as` names comes first */
	unsigned count;
	unsigned observe; /* enum filter_io: what io_begins and io_done are to be told; in `done`
			     0 when they will not be, for this unit or by this backend */
	int (*done)(void *ctx, struct error *err);
	void *ctx;
};

/* Once, from `streams`. `done` is called before the program starts, perhaps from here, and `swaps`
 * is borrowed until then, or until the end of the process. */
int intercept_swap_streams(struct interceptor *t, struct process *p, struct task *task,
			   struct stream_swaps *swaps, struct error *err);

/* The answer that `hypercall` put off. */
int intercept_reply(struct interceptor *t, struct process *p, long result, struct error *err);

/* `exec` is called once more, for the exec of a process that was put off; not from `exec`. */
int intercept_ask_again(struct interceptor *t, struct process *p, struct error *err);

/* From `started`: these signals (bit n - 1 for signal n) wait until the program lets them in. */
int intercept_block_signals(struct interceptor *t, struct process *p, uint64_t mask,
			    struct error *err);

/* Reads the memory of a process in a stop; likewise. */
int intercept_read(struct interceptor *t, struct process *p, unsigned long address, void *into,
		   size_t len, struct error *err);
/* Writes into the memory of a process in a stop. ESRCH (it was killed) is no error. */
int intercept_write(struct interceptor *t, struct process *p, unsigned long address,
		    const void *from, size_t len, struct error *err);

#endif
