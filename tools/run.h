/* sandtape run: in a sandbox, or with a tape. */
#ifndef SANDTAPE_TOOLS_RUN_H
#define SANDTAPE_TOOLS_RUN_H

#include "sandbox/denial.h"
#include "tools/command.h"
#include "tools/options.h"

/* --- cmd_run_tape.c --- */
extern const struct option_table run_tape_table;
int run_tape(const struct command *command, int argc, char **argv);

/* --- run_program.c --- */

/* What became of a program. It goes from one process to another, and points nowhere. */
struct run_outcome {
	bool started;
	/* Why not; of one that was started what could not be done at its end, code 0: nothing. */
	struct error failure;
	pid_t pid;
	struct sandbox_result result; /* without output */
	struct sandbox_layers layers;
};

/* Signals for the program are kept until run_program() has started it; `from_terminal`: also those
 * of the terminal's keys, which do not reach it otherwise. */
void run_catch_signals(bool from_terminal);
/* Where they go instead: to this process; 0: nowhere yet, and what has come is forgotten. */
void run_signals_to(pid_t pid);
/* Only those that this process sends. */
void run_signals_from(pid_t pid, bool from_terminal);
/* Writing to who has gone fails, and is no signal. */
void run_outlive_readers(void);
/* `observer` as in sandbox_start. */
void run_program(struct sandbox_plan *plan, const char *const *argv, int observer,
		 struct run_outcome *ret);

/* --- cmd_run.c --- */

/* sandtape's own, of a program that ran, or could not be started: what is to be told is. */
int run_end_status(bool quiet, const struct sandbox_result *result);
int run_start_failed(const struct error *err, const char *program);

/* --- cmd_run_explain.c --- */
struct denials;

/* run_program(), and what the sandbox denies it. An error: it has not been started, or is killed.
 */
int run_explained(struct sandbox_plan *plan, const char *const *argv, struct denials *denials,
		  struct run_outcome *ret, struct error *err);

/* As sandbox_observe(), in the process that is the runner's parent. */
struct run_observer {
	int (*observe)(void *ctx, int socket, pid_t runner, int *ret_status, struct error *err);
	void *ctx;
	const char *without; /* a way to do without it, or NULL */
};
int run_observed(struct sandbox_plan *plan, const char *const *argv,
		 const struct run_observer *observer, struct run_outcome *ret, struct error *err);
/* The end of a program that was started may be a denial. */
void run_see_end(const struct run_outcome *outcome, struct denials *denials);

/* --- sandbox_options.c --- */

struct sandbox_options {
	const char *policy, *level;
	struct option_list write, read_only, deny;
	const char *net;
	struct option_list tcp_connect, tcp_bind;
	struct option_list allow, env;
	const char *mem, *cpu, *procs, *files, *fsize, *timeout;
	struct option_list strictness, keep_fd;
	bool no_sandbox;
	bool explain;
	const char *report;
	bool quiet;
	bool help;
};

extern const struct option_table sandbox_options_table;

/* The policy that the options come to: a file's or the default one, what $SANDTAPE_SANDBOX says,
 * and then each option. `say` is told what the user may not have meant. */
int sandbox_options_policy(const struct sandbox_options *o, sandbox_say say, void *say_ctx,
			   struct sandbox_policy **ret, struct error *err);
/* A policy that asks nothing of any mechanism. */
int sandbox_options_nothing(struct sandbox_policy *policy, struct error *err);
void sandbox_options_free(struct sandbox_options *o);
struct buf;
/* As the option of a path takes it: from the working directory, without links being followed. */
int sandbox_options_absolute(const char *path, struct buf *ret, struct error *err);

/* --- workspace.c --- */

/* The working directory, which is granted without having been named, unless `write` names it:
 * ERR_INVALID for one of the system's. */
int workspace_check(const struct option_list *write, const char *policy_home, sandbox_say say,
		    void *ctx, struct error *err);
/* What HOME does not say, and the policy is about. */
void workspace_tell_home(const struct sandbox_policy *policy, sandbox_say say, void *ctx);

/* --- record_policy.c --- */

/* The plan for the units of a recording, and which mechanisms hold for them. */
struct record_policy {
	struct sandbox_plan *plan;
	const char *restricted[SANDBOX_MECHS + 1]; /* NULL-terminated */
};

struct session_options;
struct tape_options;
/* Of the file of --policy, if there is one: for `tape`, as long as the plan, which the caller
 * frees, is there. Unless they are to be quiet, tells on stderr what holds and what does not. */
int record_policy_load(struct session_options *o, struct record_policy *ret,
		       struct tape_options *tape, struct error *err);

/* --- sandbox_try.c --- */

/* Starts this program under the policy, which is relaxed and lets it be executed: what holds then.
 * `call` may be NULL; *ret is there before it is called. */
int sandbox_try(struct sandbox_policy *policy, struct sandbox_layers *ret, sandbox_keeper call,
		void *ctx, struct error *err);

/* --- sandbox_report.c --- */

/* `fd` is of fs_report_open(). */
int sandbox_report_write(int fd, const char *file, const char *const *argv,
			 const struct sandbox_layers *layers, const struct sandbox_result *result,
			 const struct denials *denials, struct error *err);
/* Of a program that could not be started, where `status` is what sandtape ends with. */
int sandbox_report_failure(int fd, const char *file, const char *const *argv, int status,
			   const char *why, struct error *err);
/* {"seccomp": {"state": ..., "why": ...}}; NULL when out of memory. */
struct json_t;
struct json_t *sandbox_report_layers(const struct sandbox_layers *layers);

#endif
