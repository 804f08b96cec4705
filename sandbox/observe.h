/* What an observer is made of. All functions act on a task in a ptrace stop of the calling thread,
 * which may be killed at any moment: then they know nothing more of it. */
#ifndef SANDTAPE_SANDBOX_OBSERVE_H
#define SANDTAPE_SANDBOX_OBSERVE_H

#include "base/buf.h"
#include "sandbox/denial.h"
#include "sandbox/observed.h"
#include <limits.h>

/* --- observe_paths_linux.c: what a task means by a path ----------------------------------------
 */

/* What is at an address of a task: 0 or -errno. */
int observe_read(pid_t tid, uint64_t address, void *into, size_t len);

/* In the view of the task: absolute, without links as far as there are files. `keep_last`: a link
 * at the end is meant itself; `or_dir`: an empty path is that of `dir`. false: nobody knows. */
struct observe_named {
	int dir; /* of the task, or AT_FDCWD */
	uint64_t address;
	bool keep_last, or_dir;
};
bool observe_path(pid_t tid, const struct observe_named *named, struct buf *out);
/* The same of a path that has been read. */
bool observe_resolve(pid_t tid, int dir, const char *path, bool keep_last, struct buf *out);

/* --- observe_program_linux.c ------------------------------------------------------------------
 */

enum interpreter { INTERPRETER_NONE, INTERPRETER_SCRIPT, INTERPRETER_LOADER };

/* What an open file says that interprets it, as it stands there, or this host, by binfmt_misc: that
 * is found like that of a script. None: also when nobody knows. */
enum interpreter observe_names_interpreter(int fd, const char *path, char ret[PATH_MAX]);
/* observe_formats_linux.c: `head` is what the file begins with. One whose interpreter the kernel
 * has open (flag F) is not told. */
bool observe_registered(const char *path, const char *head, size_t len, char ret[PATH_MAX]);

/* So many are opened one after the other by the kernel, before ELOOP: each but the last one is a
 * script (exec_binprm() of fs/exec.c). The loader of a loader is not asked for. */
#define OBSERVE_INTERPRETERS 6

struct observe_interpreters {
	struct buf buf[OBSERVE_INTERPRETERS];	    /* kept from one call to the next */
	const char *path[OBSERVE_INTERPRETERS + 1]; /* NULL: the end */
};

/* What interprets the program at a path, and what that, as observe_path() tells it: as far as they
 * could be executed outside. Whether all of them could. */
enum sandbox_outside observe_interpreters(pid_t tid, const char *path,
					  struct observe_interpreters *chain);

/* --- observe_outside_linux.c: whether it would succeed here ------------------------------------
 */

/* `path2` may be NULL; `flags` are those of open or renameat2. */
enum sandbox_outside observe_outside(enum observed_need need, unsigned flags, const char *path,
				     const char *path2);
/* Whether an address of the internet can be bound, or is on a network, outside. Nothing is sent. */
enum sandbox_outside observe_outside_address(enum observed_need need,
					     const struct sockaddr *address, socklen_t len);
/* Of a signal to a process, or a group, that the sandbox does not have: `tasks` is how many tasks
 * it may have had. */
enum sandbox_outside observe_outside_process(int pid, uint64_t tasks);

/* --- observe_tell_linux.c: from stops to observations ------------------------------------------
 */

struct observer {
	pid_t runner;
	struct observe_uses *uses; /* NULL: what is denied is told, else what is used */
	struct filter policys;	   /* the program's; no code: it has none */
	sandbox_see see;
	void *ctx;
	struct buf path, path2; /* kept from one call to the next */
	struct observe_interpreters interpreters;
	uint64_t tasks; /* that may have been made, so far */
};

struct observe_call {
	uint32_t arch;
	int number;
	uint64_t args[6];
	int error;
	bool filtered;
	int64_t result; /* of one that has succeeded */
};

struct observe_named_call {
	const char *path, *path2;	 /* NULL: it has none, or nobody knows */
	const char *const *interpreters; /* behind path2; NULL at the end; or NULL */
	unsigned flags;
	struct sockaddr_storage address;
	socklen_t address_len; /* 0: none */
};
/* What its arguments lead to; `ret` is zeroed. */
void observe_name_call(struct observer *o, pid_t tid, const struct observed_call *row,
		       const struct observe_call *call, struct observe_named_call *ret);
/* Of open, or AT_*. */
unsigned observe_flags(pid_t tid, const struct observed_call *row, const struct observe_call *call);
void observe_free_paths(struct observer *o);
/* The process that a task belongs to. */
pid_t observe_process(pid_t tid);

void observe_tell_call(struct observer *o, pid_t tid, const struct observe_call *call);
/* A signal is about to be delivered. */
void observe_tell_signal(struct observer *o, pid_t tid, int signal);
/* A task exits, as wait(2) would have its status. */
void observe_tell_exit(struct observer *o, pid_t tid, int status);

/* --- observe_linux.c ---------------------------------------------------------------------------
 */

/* Whether a call that fails so may have been denied by a sandbox. */
bool observe_may_be_denied(int error);
/* Whether the filter kills: of whom it does, an exit stop tells. */
bool observe_has_kills(const struct filter *f);

/* --- observe_tell_linux.c ----------------------------------------------------------------------
 */

/* What becomes of a call by the policy's filter: SECCOMP_RET_*. */
uint32_t observe_policy(const struct observer *o, uint32_t arch, int number,
			const uint64_t args[6]);

/* --- observe_use_linux.c: what a program uses --------------------------------------------------
 */

struct observe_use {
	int group;  /* of enum sandbox_syscalls: a call of it was let go; else -1 */
	int number; /* of that call; -1: of a 32-bit program's */
	enum observed_need need;
	unsigned flags;		  /* of open or renameat2; of socket(2) its family */
	const char *path, *path2; /* as in struct sandbox_observation */
	const struct sockaddr *address;
	socklen_t address_len; /* 0: none */
	int socket_type;       /* SOCK_STREAM ..., of a call with an address; 0: not known */
	unsigned port;	       /* that bind(2) has led to; 0: none */
	long fd;	       /* that the call has opened, or -1 */
	int resource;	       /* RLIMIT_*, with `limit` */
	uint64_t limit;	       /* that a process has set for itself; 0: it has not, or to no more
				  than what it was given */
};

#define OBSERVE_ENDED_MAX 1024

struct observe_uses {
	void (*see)(void *ctx, const struct observe_use *use);
	void *ctx;
	unsigned tasks, most_tasks; /* at a time */
	/* That have ended, and that their parents may not have waited for yet: until then they
	 * count. More of them are not kept. */
	pid_t ended[OBSERVE_ENDED_MAX];
	unsigned ended_count;
};

/* The errno by which the policy's filter refuses a group whose calls are let go, and told. */
#define OBSERVE_LET_GO 60
int observe_group_of(int error); /* -1: it is refused */

/* sandbox_observe() for what a program uses. The policy refuses nothing but by the filter of system
 * calls. */
int observe_uses(int socket, pid_t runner, struct observe_uses *uses, int *ret_status,
		 struct error *err);

/* Whether the end of the call has to be waited for. What is let go or has no end is told. */
bool observe_use_begins(struct observer *o, pid_t tid, const struct observe_call *call);
void observe_use_ends(struct observer *o, pid_t tid, const struct observe_call *call);

#endif
