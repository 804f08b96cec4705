/* A program that has been started, and the way there. */
#ifndef SANDTAPE_SANDBOX_CHILD_H
#define SANDTAPE_SANDBOX_CHILD_H

#include "sandbox/compiled.h"

#include <linux/sched.h>
#include <signal.h>

/* --- program.c: where a program is -------------------------------------------------------------
 */

/* The paths to try, in the order of execvp(3), and argv for each: what has no format that the
 * kernel knows is run by /bin/sh. */
struct program {
	char **path; /* NULL-terminated; one block each */
	const char **argv;
	const char **shell_argv; /* "/bin/sh", its place, the arguments */
};

/* ERR_INVALID: no argv[0]. `env` is the program's. */
int program_find(const char *const *argv, const char *const *env, struct program *ret,
		 struct error *err);
void program_free(struct program *program);

/* In the process, does not return but for an error: a negative errno. */
int program_execute(const struct program *program, const char *const *env);

/* --- child_linux.c: between the fork and the program -------------------------------------------
 */

/* What the child tells its parent. In a pid namespace it has memory of its own, so this is shared.
 */
struct birth_end {
	const char *stage; /* where it failed; NULL: the program could not be executed */
	int error;	   /* an errno, or 0 */
	bool refused;	   /* the host does not let the namespaces be made */
	bool elsewhere;	   /* it began in /, since its working directory is not to be seen */
	bool ended;	   /* a pid namespace: the program has, and its first process knows how */
	unsigned killed;   /* by it, of what the program left */
	int code;	   /* CLD_EXITED ... */
	int status;
};

/* Made in the parent, read in the child, which writes what is marked so. */
struct birth {
	struct sandbox_plan *plan;
	const struct variant *variant;
	const struct program *program;
	const char **env;
	const char *cwd;
	bool cwd_matters; /* else it begins in / where that directory is not to be seen */
	int fd[3];	  /* all above 2 */
	int tmp;	  /* of a private directory, the child's tmp_fd; -1 */
	pid_t dies_with;  /* the parent; 0: it lives on */
	const struct cgroup_child *cgroup;
	bool in_cgroup;
	sigset_t mask;	       /* the caller's */
	int observer;	       /* a socket; -1: none */
	int ruleset;	       /* of the plan, for these streams; -1: none */
	struct mounts_run run; /* written */
	struct birth_end *end; /* written */
	int alive;	       /* a pid namespace: a pipe that the parent reads; else -1 */
	void *stack;	       /* a pid namespace: of the program's process */
};

/* The child's function, and in a new pid namespace that of the process which is the first there.
 * `birth` is a struct birth. */
void child_be_born(void *birth);
void child_be_first(void *birth);

/* clone_linux.c: the clone of both. The child calls fn(b), which must not return; the parent gets
 * its pid or a negative errno. Sets b->in_cgroup. Flags are of clone, with CLONE_CLEAR_SIGHAND and
 * perhaps CLONE_INTO_CGROUP; without CLONE_VM and CLONE_VFORK the child has memory of its own. */
long child_clone(struct clone_args *args, void (*fn)(void *), struct birth *b);

/* How long what a program leaves has to end by itself, as helpers do that see the end of a pipe. */
#define CHILD_GRACE_NS UINT64_C(100000000)

#define CHILD_STACK_SIZE ((size_t)64 << 10)

/* --- start_linux.c, wait_linux.c ---------------------------------------------------------------
 */

enum { CHILD_IN, CHILD_OUT, CHILD_ERR, CHILD_STREAMS };

struct child_stream {
	int fd; /* our end of a pipe, or -1 */
	struct sandbox_sink sink;
	struct buf kept;
	uint64_t bytes;
};

struct sandbox_child {
	pid_t pid; /* of the program, or of the first process in its pid namespace */
	int pidfd;
	bool dedicated;
	bool reaped;
	uint64_t started_ns;
	uint64_t wall_ms, output_bytes;
	struct child_stream stream[CHILD_STREAMS];
	struct buf input;
	size_t written;	       /* of it */
	char *tmp;	       /* a directory to be removed, or NULL */
	int tmp_fd;	       /* its lock; good where tmp is */
	struct birth_end *end; /* a pid namespace: shared with its first process */
	struct cgroup_child cgroup;
	struct sandbox_layers layers;
};

/* --- tree_linux.c ------------------------------------------------------------------------------
 */

/* Kills what there is of the tree, the program itself too. */
int tree_kill(const struct sandbox_child *child, struct error *err);
/* The program has ended: kills and reaps what is left of a dedicated caller's children, and what is
 * in its cgroup. *ret_killed is how many. */
int tree_end(const struct sandbox_child *child, unsigned *ret_killed, struct error *err);

#endif
