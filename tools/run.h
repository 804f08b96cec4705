/* sandtape run: in a sandbox, or with a tape. */
#ifndef SANDTAPE_TOOLS_RUN_H
#define SANDTAPE_TOOLS_RUN_H

#include "sandbox/plan.h"
#include "tools/command.h"
#include "tools/options.h"

/* --- cmd_run_tape.c --- */
extern const struct option_table run_tape_table;
int run_tape(const struct command *command, int argc, char **argv);

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

/* --- sandbox_try.c --- */

/* Starts this program under the policy, which is relaxed and lets it be executed: what holds then.
 * `call` may be NULL; *ret is there before it is called. */
int sandbox_try(struct sandbox_policy *policy, struct sandbox_layers *ret, sandbox_keeper call,
		void *ctx, struct error *err);

/* --- sandbox_report.c --- */

/* `fd` is of fs_report_open(). */
int sandbox_report_write(int fd, const char *file, const char *const *argv,
			 const struct sandbox_layers *layers, const struct sandbox_result *result,
			 struct error *err);
/* Of a program that could not be started, where `status` is what sandtape ends with. */
int sandbox_report_failure(int fd, const char *file, const char *const *argv, int status,
			   const char *why, struct error *err);
/* {"seccomp": {"state": ..., "why": ...}}; NULL when out of memory. */
struct json_t;
struct json_t *sandbox_report_layers(const struct sandbox_layers *layers);

#endif
