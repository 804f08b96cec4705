/* sandtape record */
#include "tools/command.h"

#include "tools/session_options.h"
#include <stdio.h>

static const struct option options[] = {
	SESSION_OPTIONS,
	{"--sync", 0, OPTION_FLAG, NULL, offsetof(struct session_options, sync),
	 "every record is on the disk before its command ends"},
};
static const struct option_table table = {options, sizeof(options) / sizeof(options[0])};

static void help(void)
{
	options_print_help(&table);
}

static void report(const char *tape, const struct tape_record_result *result)
{
	fprintf(stderr, "sandtape: recorded %zu command%s in %.2f s (%.2f s inside them) to %s\n",
		result->units, result->units == 1 ? "" : "s", (double)result->wall_ns / 1e9,
		(double)result->units_ns / 1e9, tape);
	if (result->left > 0)
		fprintf(stderr,
			"sandtape: %zu process%s still ran when the program ended, and %s ended "
			"with it (%zu unfinished on the tape)\n",
			result->left, result->left == 1 ? "" : "es",
			result->left == 1 ? "was" : "were", result->unfinished);
}

static int run(const struct command *command, int argc, char **argv)
{
	struct session_options o = {0};
	struct tape_options tape;
	struct tape_record_result result;
	struct error err = {0};
	int status;

	if (session_options_parse(&table, argc, argv, &o, &tape, &err) < 0) {
		status = command_misused(command, &err);
	} else if (o.help) {
		command_help(command);
		status = command_finish(EXIT_OK);
	} else if (tape_record(&tape, o.sync, &result, &err) < 0) {
		status = command_fail(&err);
	} else {
		if (!o.quiet)
			report(o.tape, &result);
		status = command_status(result.wait_status);
	}
	session_options_free(&o);
	return status;
}

const struct command record_command = {
	"record", "-t TAPE [options] -- PROGRAM [ARG...]",
	"Runs the program and records every command that it spawns. The exit status is the\n"
	"program's own; 125 when sandtape fails.",
	run, help};
