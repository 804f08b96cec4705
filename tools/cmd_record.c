/* sandtape record */
#include "tools/command.h"

#include "tools/front.h"
#include "tools/run.h"
#include "tools/session_options.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct option options[] = {
	SESSION_OPTIONS,
	{"--daemons", 0, OPTION_STRING, "keep|kill", offsetof(struct session_options, daemons),
	 "what outlives the program lives on (keep, the default), or is killed"},
	{"--sync", 0, OPTION_FLAG, NULL, offsetof(struct session_options, sync),
	 "every record is on the disk before its command ends"},
	{"--only", 0, OPTION_STRING, "ID", offsetof(struct session_options, only),
	 "run this one command anew, and answer the others from the tape"},
	POLICY_OPTIONS,
};
static const struct option_table table = {options, sizeof(options) / sizeof(options[0])};

static void help(void)
{
	options_print_help(&table);
}

struct recording {
	const struct session_options *options;
	struct tape_options *tape;
	struct front front;
	bool reported;
};

static void report_left(const struct tape_record_result *result, bool kept)
{
	const char *plural = result->left == 1 ? "" : "es";

	if (kept)
		fprintf(stderr,
			"sandtape: %zu process%s still ran when the program ended, and live%s on: "
			"process %d keeps %s going, unrecorded (--daemons kill ends %s instead)\n",
			result->left, plural, result->left == 1 ? "s" : "", (int)getpid(),
			result->left == 1 ? "it" : "them", result->left == 1 ? "it" : "them");
	else
		fprintf(stderr,
			"sandtape: %zu process%s still ran when the program ended, and %s ended "
			"with it (%zu unfinished on the tape)\n",
			result->left, plural, result->left == 1 ? "was" : "were",
			result->unfinished);
}

static void report(const struct session_options *o, const struct tape_record_result *result,
		   bool kept)
{
	if (o->quiet)
		return;
	fprintf(stderr, "sandtape: recorded %zu command%s in %.2f s (%.2f s inside them) to %s\n",
		result->units, result->units == 1 ? "" : "s", (double)result->wall_ns / 1e9,
		(double)result->units_ns / 1e9, o->tape);
	if (result->left > 0)
		report_left(result, kept);
}

/* For whoever waits for the command, it is over. */
static void keep(void *ctx, const struct tape_record_result *result)
{
	struct recording *r = ctx;

	report(r->options, result, true);
	r->reported = true;
	front_leave(&r->front, command_status(result->wait_status));
}

static int record(struct recording *r)
{
	struct tape_record_result result;
	struct error err = {0};

	if (tape_record(r->tape, r->options->sync, &result, &err) < 0)
		return command_fail(&err);
	if (!r->reported && !result.not_executed)
		report(r->options, &result, false);
	return command_status(result.wait_status);
}

static int record_in_two(struct recording *r)
{
	struct error err = {0};
	bool is_worker;
	int status;

	r->tape->keep = keep;
	r->tape->keep_ctx = r;
	if (front_split(&r->front, &is_worker, &status, &err) < 0)
		return command_fail(&err);
	if (is_worker) {
		status = record(r);
		front_end(&r->front, status);
	}
	return status;
}

int session_record(struct session_options *o, struct tape_options *tape)
{
	struct recording r = {.options = o, .tape = tape, .front = {-1}};

	return o->daemons && strcmp(o->daemons, "kill") == 0 ? record(&r) : record_in_two(&r);
}

static int record_or_extend(struct session_options *o, struct tape_options *tape)
{
	struct record_policy policy = {NULL, {NULL}};
	struct error err = {0};
	int status;

	if (record_policy_load(o, &policy, tape, &err) < 0)
		return command_fail(&err);
	status = o->only ? session_extend(o, tape) : session_record(o, tape);
	sandbox_plan_free(policy.plan);
	return status;
}

static int run(const struct command *command, int argc, char **argv)
{
	struct session_options o = {0};
	struct tape_options tape = {0};
	struct error err = {0};
	int status, rc = session_options_parse(&table, argc, argv, &o, &tape, &err);

	if (rc == 0)
		rc = session_check_daemons(&o, &err);
	if (rc == 0)
		rc = session_check_explain(&o, &err);
	if (command_goes_on(command, rc, o.help, &err, &status))
		status = record_or_extend(&o, &tape);
	session_options_free(&o);
	return status;
}

const struct command record_command = {
	"record", "-t TAPE [options] -- PROGRAM [ARG...]",
	"Runs the program and records every command that it spawns. The exit status is the\n"
	"program's own; 125 when sandtape fails.",
	run, help};
