/* sandtape run: a program in a sandbox. With -t, the program's commands come from a tape. */
#include "tools/run.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include "tools/denials.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static void say(void *ctx, const char *text)
{
	const struct sandbox_options *o = ctx;

	if (!o->quiet)
		fprintf(stderr, "sandtape: %s\n", text);
}

int run_end_status(bool quiet, const struct sandbox_result *r)
{
	if (r->end == SANDBOX_END_TIMEOUT && !quiet)
		fprintf(stderr, "sandtape: the program was killed: its time was over\n");
	if (r->end == SANDBOX_END_OUTPUT && !quiet)
		fprintf(stderr, "sandtape: the program was killed: it wrote more than it may\n");
	if (r->end == SANDBOX_END_MEMORY && !quiet)
		fprintf(stderr, "sandtape: the program was killed: it needed more memory than it "
				"may have\n");
	if (r->killed > 0 && !quiet)
		fprintf(stderr, "sandtape: %u process%s that the program left behind %s killed\n",
			r->killed, r->killed == 1 ? "" : "es", r->killed == 1 ? "was" : "were");
	if (r->end == SANDBOX_END_TIMEOUT)
		return EXIT_TIMEOUT;
	return r->end == SANDBOX_END_EXIT ? r->status : 128 + r->status;
}

/* Ways out that the library does not know: they are options. */
static const struct {
	const char *text; /* in that of the error */
	const char *way;
} ways[] = {
	{"the policy does not let it",
	 "--write DIR lets programs in DIR be executed, and so does exec in a policy"},
	{"cannot go to the working directory",
	 "go to what the policy grants, or grant it by --write"},
};

static const char *way_out(const struct error *err, const char *program)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (strstr(err->text, ways[i].text))
			return ways[i].way;
	if (err->code == ERR_FORMAT)
		return "sandtape-policy(5) tells what a policy can say";
	if (err->code == ERR_NOTFOUND && err->sys == ENOENT && *program && !strchr(program, '/'))
		return "no directory of PATH has it in the sandbox: give its path, or --env "
		       "PATH=...";
	return NULL;
}

static int fail(const struct error *err, const char *program)
{
	const char *way = way_out(err, program);

	if (!way)
		return command_fail(err);
	fprintf(stderr, "sandtape: %s; %s\n", err->text, way);
	return EXIT_SANDTAPE;
}

/* `report` is of fs_report_open(). Returns `status`. */
static int not_started(const struct sandbox_options *o, int report, const char *const *argv,
		       int status, const struct error *why)
{
	struct error err = {0};

	if (o->report &&
	    sandbox_report_failure(report, o->report, argv, status, why->text, &err) < 0)
		command_fail(&err);
	return status;
}

int run_start_failed(const struct error *err, const char *program)
{
	int status = fail(err, program);

	return err->code == ERR_NOTFOUND && err->sys == ENOENT ? EXIT_NOT_FOUND
	       : err->code == ERR_SYSTEM && strncmp(err->text, "cannot execute", 14) == 0
		       ? EXIT_CANNOT_EXEC
		       : status;
}

/* The report is opened behind the plan, which looks at the caller's descriptors. */
static int no_plan(const struct sandbox_options *o, const char *const *argv,
		   const struct error *why)
{
	cleanup_close int report = -1;
	int status = fail(why, "");
	struct error err = {0};

	if (o->report && fs_report_open(o->report, &report, &err) < 0)
		return command_fail(&err);
	return not_started(o, report, argv, status, why);
}

/* Of a program that ran. Returns the exit status. */
static int conclude(const struct sandbox_options *o, const char *const *argv, int report,
		    const struct run_outcome *outcome, const struct denials *denials)
{
	struct error err = {0};
	int status = EXIT_SANDTAPE;

	if (outcome->failure.code < 0)
		command_fail(&outcome->failure); /* the program's own status counts more */
	if (outcome->result.end != SANDBOX_END_UNKNOWN)
		status = run_end_status(o->quiet, &outcome->result);
	if (o->report && sandbox_report_write(report, o->report, argv, &outcome->layers,
					      &outcome->result, denials, &err) < 0)
		command_fail(&err);
	if (denials_failure(denials, &err) < 0)
		fprintf(stderr, "sandtape: not all denials are known: %s\n", err.text);
	if (o->explain && !o->quiet && denials_print(denials, &err) < 0)
		command_fail(&err);
	return status;
}

static void run_here(struct sandbox_plan *plan, const char *const *argv, struct denials *denials,
		     struct run_outcome *ret)
{
	run_catch_signals(sandbox_plan_leaves_terminal(plan));
	run_program(plan, argv, 0, ret);
	if (ret->started)
		run_see_end(ret, denials);
}

static int start(const struct sandbox_options *o, struct sandbox_plan *plan,
		 const char *const *argv)
{
	cleanup_close int report = -1;
	struct denials *denials = denials_new(plan);
	struct run_outcome outcome;
	struct error err = {0};
	int status, rc = denials ? 0 : error_no_memory(&err);

	if (rc == 0 && o->report)
		rc = fs_report_open(o->report, &report, &err);
	if (rc < 0) {
		status = command_fail(&err);
	} else if (o->explain && run_explained(plan, argv, denials, &outcome, &err) < 0) {
		status = not_started(o, report, argv, command_fail(&err), &err);
	} else {
		if (!o->explain)
			run_here(plan, argv, denials, &outcome);
		status = outcome.started ? conclude(o, argv, report, &outcome, denials)
					 : not_started(o, report, argv,
						       run_start_failed(&outcome.failure, argv[0]),
						       &outcome.failure);
	}
	denials_free(denials);
	return status;
}

static int run_sandboxed(const struct sandbox_options *o, const char *const *argv)
{
	struct sandbox_policy *policy = NULL;
	struct sandbox_plan *plan = NULL;
	struct error err = {0};
	int status, rc = sandbox_options_policy(o, say, (void *)o, &policy, &err);

	if (rc == 0)
		rc = sandbox_plan_new(policy,
				      o->explain ? SANDBOX_PLAN_OBSERVED : SANDBOX_PLAN_START, say,
				      (void *)o, &plan, &err);
	sandbox_policy_free(policy);
	status = rc < 0 ? no_plan(o, argv, &err) : start(o, plan, argv);
	sandbox_plan_free(plan);
	return status;
}

static int run(const struct command *command, int argc, char **argv)
{
	const struct option_table *const tables[] = {&sandbox_options_table, &run_tape_table};
	struct sandbox_options o = {0};
	struct error err = {0};
	int first, status, rc;

	if (options_mention(tables, 2, argc, argv, "--tape"))
		return run_tape(command, argc, argv);
	rc = options_parse(&sandbox_options_table, argc, argv, &o, &first, &err);
	if (rc == 0 && !o.help && first >= argc)
		rc = error_set(&err, ERR_INVALID,
			       "there is no program to run: name it behind the options, as in "
			       "sandtape run -- make test");
	if (command_goes_on(command, rc, o.help, &err, &status))
		status = run_sandboxed(&o, (const char *const *)argv + first);
	sandbox_options_free(&o);
	return status;
}

static void help(void)
{
	options_print_help(&sandbox_options_table);
	printf("\nWith a tape:\n");
	options_print_help(&run_tape_table);
}

const struct command run_command = {
	"run", "[-t TAPE [--mode MODE]] [options] -- PROGRAM [ARG...]",
	"Runs the program in a sandbox: the working directory can be read, written and executed,\n"
	"the system read and executed, and there is no network. sandtape-policy(5) tells what a\n"
	"policy can say.\n\n"
	"With a tape it records the program, or replays it, by its mode. once: replays the tape\n"
	"when there is one, else records it. new-episodes: answers what is on the tape, and runs\n"
	"and adds what is not.",
	run, help};
