/* sandtape learn: runs a program and writes the least policy under which it does the same. */
#include "tools/run.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "sandbox/learn.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

struct learn_options {
	const char *output;
	struct sandbox_options run; /* `allow` and `env` of it, as run has them */
	bool secrets;
	bool quiet;
	bool help;
};

#define AT(member) offsetof(struct learn_options, member)

static const struct option options[] = {
	{"--output", 'o', OPTION_STRING, "FILE", AT(output),
	 "write the policy there, not to standard error"},
	{"--allow", 0, OPTION_LIST, "GROUP", AT(run.allow),
	 "system calls of this group: io_uring and sockets are refused otherwise"},
	{"--env", 0, OPTION_LIST, "NAME[=VALUE]", AT(run.env), "a variable to keep, or to set"},
	{"--secrets", 0, OPTION_FLAG, NULL, AT(secrets),
	 "grant the keys and tokens that it uses, each by its name"},
	{"--quiet", 'q', OPTION_FLAG, NULL, AT(quiet), "print errors only"},
	{"--help", 'h', OPTION_FLAG, NULL, AT(help), "print this help"},
};
static const struct option_table table = {options, sizeof(options) / sizeof(options[0])};

static void help(void)
{
	options_print_help(&table);
}

static void say(void *ctx, const char *text)
{
	const struct learn_options *o = ctx;

	if (!o->quiet)
		fprintf(stderr, "sandtape: %s\n", text);
}

/* For what has been said already. */
static void hush(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

/* --- the policy of the run ---------------------------------------------------------------------
 */

/* What restricts the program in a way that cannot be looked at stays as it will be: with fewer
 * variables, descriptors and capabilities it may do something else. */
static const enum sandbox_mechanism lifted[] = {
	SANDBOX_MECH_LANDLOCK_FS, SANDBOX_MECH_LANDLOCK_NET, SANDBOX_MECH_LANDLOCK_SCOPE,
	SANDBOX_MECH_NAMESPACES,  SANDBOX_MECH_RLIMITS,	     SANDBOX_MECH_CGROUP,
	SANDBOX_MECH_PROC,
};

/* What programs try, and do without when they do not get it. */
static bool is_refused(int group)
{
	return group == SANDBOX_SYSCALLS_IO_URING || group == SANDBOX_SYSCALLS_SOCKETS;
}

/* A call of a group that is let go is told by its errno. */
static int let_go(const struct sandbox_policy *base, struct sandbox_policy *policy,
		  struct error *err)
{
	int rc = 0;

	for (int i = 0; rc == 0 && i < SANDBOX_SYSCALLS_COUNT; i++) {
		const struct sandbox_action told = {SANDBOX_ACTION_ERRNO, OBSERVE_LET_GO + i};
		const bool allowed = base->syscalls[i].kind == SANDBOX_ACTION_ALLOW &&
				     i != SANDBOX_SYSCALLS_PROCESSES;

		if (!allowed && !is_refused(i))
			rc = sandbox_policy_set_syscalls(policy, (enum sandbox_syscalls)i, told,
							 err);
	}
	return rc;
}

static int lift(const struct sandbox_policy *base, struct sandbox_policy *policy, struct error *err)
{
	int rc = sandbox_policy_set_net(policy, SANDBOX_NET_FULL, err);

	if (rc == 0)
		rc = sandbox_policy_set_unix(policy, SANDBOX_UNIX_ALL, err);
	for (size_t i = 0; rc == 0 && i < sizeof(lifted) / sizeof(lifted[0]); i++)
		rc = sandbox_policy_set_strictness(policy, lifted[i], SANDBOX_STRICT_OFF, err);
	return rc < 0 ? rc : let_go(base, policy, err);
}

/* --- the run -----------------------------------------------------------------------------------
 */

struct learning {
	const struct learn_options *o;
	struct sandbox_policy *base, *lifted;
	struct learn *learn;
	struct observe_uses uses;
	int fd; /* of the output */
};

static int observe(void *ctx, int socket, pid_t runner, int *ret_status, struct error *err)
{
	struct learning *run = ctx;

	return observe_uses(socket, runner, &run->uses, ret_status, err);
}

static int write_policy(const struct learning *run, const struct run_outcome *outcome,
			struct error *err)
{
	const struct learn_end end = {
		.usage = outcome->result.usage,
		.most_tasks = run->uses.most_tasks,
		.with_env = run->o->run.env.count > 0,
	};
	cleanup_buf struct buf text = BUF_INIT;
	int rc = learn_write(run->learn, &end, &text, say, (void *)run->o, err);

	if (rc < 0)
		return rc;
	if (run->o->output)
		return fs_report_write(run->fd, run->o->output, text.data, text.len, err);
	if (fwrite(text.data, 1, text.len, stderr) < text.len || fflush(stderr) != 0)
		return error_sys(err, errno, "cannot write the policy to standard error");
	return 0;
}

static int conclude(const struct learning *run, const char *program,
		    const struct run_outcome *outcome)
{
	struct error err = {0};
	int status;

	if (!outcome->started)
		return run_start_failed(&outcome->failure, program);
	if (outcome->failure.code < 0)
		command_fail(&outcome->failure);
	status = outcome->result.end == SANDBOX_END_UNKNOWN
			 ? EXIT_SANDTAPE
			 : run_end_status(run->o->quiet, &outcome->result);
	if (write_policy(run, outcome, &err) < 0)
		return command_fail(&err);
	if (status != 0)
		say((void *)run->o, "the program has failed: the policy is for what it did until "
				    "then");
	return status;
}

static int prepare(struct learning *run, struct sandbox_plan **ret, struct error *err)
{
	const struct learn_options *o = run->o;
	int rc = sandbox_options_policy(&o->run, say, (void *)o, &run->base, err);

	if (rc == 0)
		rc = sandbox_options_policy(&o->run, hush, NULL, &run->lifted, err);
	if (rc == 0)
		rc = lift(run->base, run->lifted, err);
	if (rc == 0)
		rc = learn_new(run->base, o->secrets, &run->learn, err);
	if (rc == 0)
		rc = sandbox_plan_new(run->lifted, SANDBOX_PLAN_OBSERVED, say, (void *)o, ret, err);
	/* Behind the plan, which looks at the caller's descriptors. */
	if (rc == 0 && o->output)
		rc = fs_report_open(o->output, &run->fd, err);
	return rc;
}

static int learn(const struct learn_options *o, const char *const *argv)
{
	struct learning run = {.o = o, .fd = -1};
	const struct run_observer observer = {observe, &run, NULL};
	struct sandbox_plan *plan = NULL;
	struct run_outcome outcome = {.started = false};
	struct error err = {0};
	int status, rc = prepare(&run, &plan, &err);

	run.uses.see = learn_see;
	run.uses.ctx = run.learn;
	if (rc == 0)
		rc = run_observed(plan, argv, &observer, &outcome, &err);
	status = rc < 0 ? command_fail(&err) : conclude(&run, argv[0], &outcome);
	cleanup_close_fn(&run.fd);
	learn_free(run.learn);
	sandbox_plan_free(plan);
	sandbox_policy_free(run.base);
	sandbox_policy_free(run.lifted);
	return status;
}

static int run(const struct command *command, int argc, char **argv)
{
	struct learn_options o = {.output = NULL};
	struct error err = {0};
	int first, status;
	int rc = options_parse(&table, argc, argv, &o, &first, &err);

	if (rc == 0 && !o.help && first >= argc)
		rc = error_set(&err, ERR_INVALID,
			       "there is no program to run: name it behind the options, as in "
			       "sandtape learn -o policy.json -- make test");
	if (command_goes_on(command, rc, o.help, &err, &status))
		status = learn(&o, (const char *const *)argv + first);
	sandbox_options_free(&o.run);
	return status;
}

const struct command learn_command = {
	"learn", "[-q] [-o POLICY] [options] -- PROGRAM [ARG...]",
	"Runs the program without restricting its files, its network and its limits, and writes "
	"the\n"
	"least policy under which it does the same. The exit status is the program's.",
	run, help};
