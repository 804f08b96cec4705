/* sandtape record */
#include "tools/command.h"

#include "tools/front.h"
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
};
static const struct option_table table = {options, sizeof(options) / sizeof(options[0])};

static void help(void)
{
	options_print_help(&table);
}

struct recording {
	struct session_options options;
	struct tape_options tape;
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

	report(&r->options, result, true);
	r->reported = true;
	front_leave(&r->front, command_status(result->wait_status));
}

static int record(struct recording *r)
{
	struct tape_record_result result;
	struct error err = {0};

	if (tape_record(&r->tape, r->options.sync, &result, &err) < 0)
		return command_fail(&err);
	if (!r->reported)
		report(&r->options, &result, false);
	return command_status(result.wait_status);
}

static int record_in_two(struct recording *r)
{
	struct error err = {0};
	bool is_worker;
	int status;

	r->tape.keep = keep;
	r->tape.keep_ctx = r;
	if (front_split(&r->front, &is_worker, &status, &err) < 0)
		return command_fail(&err);
	if (is_worker) {
		status = record(r);
		front_end(&r->front, status);
	}
	return status;
}

static bool is_daemons_option_right(const struct session_options *o)
{
	return !o->daemons || strcmp(o->daemons, "keep") == 0 || strcmp(o->daemons, "kill") == 0;
}

static int run(const struct command *command, int argc, char **argv)
{
	struct recording r = {.front = {-1}};
	struct error err = {0};
	int status = session_options_parse(&table, argc, argv, &r.options, &r.tape, &err);

	if (status == 0 && !is_daemons_option_right(&r.options))
		status = error_set(&err, ERR_INVALID, "--daemons is keep or kill, not '%s'",
				   r.options.daemons);
	if (status < 0) {
		status = command_misused(command, &err);
	} else if (r.options.help) {
		command_help(command);
		status = command_finish(EXIT_OK);
	} else if (r.options.daemons && strcmp(r.options.daemons, "kill") == 0) {
		status = record(&r);
	} else {
		status = record_in_two(&r);
	}
	session_options_free(&r.options);
	return status;
}

const struct command record_command = {
	"record", "-t TAPE [options] -- PROGRAM [ARG...]",
	"Runs the program and records every command that it spawns. The exit status is the\n"
	"program's own; 125 when sandtape fails.",
	run, help};
