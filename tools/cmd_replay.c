/* sandtape replay */
#include "tools/command.h"

#include "tools/session_options.h"
#include <stdio.h>
#include <stdlib.h>

static const struct option options[] = {
	SESSION_OPTIONS,
	{"--all-used", 0, OPTION_FLAG, NULL, offsetof(struct session_options, all_used),
	 "fail when a record was not asked for"},
	{"--order", 0, OPTION_STRING, "strict|causal|any", offsetof(struct session_options, order),
	 "what to hold of the recorded order (causal)"},
	{"--report", 0, OPTION_STRING, "FILE", offsetof(struct session_options, report),
	 "write there what did not agree, as JSON"},
};
static const struct option_table table = {options, sizeof(options) / sizeof(options[0])};

static void help(void)
{
	options_print_help(&table);
}

void session_report_answers(const char *tape, const struct tape_replay_result *result)
{
	fprintf(stderr,
		"sandtape: answered %zu command%s from %s in %.2f s (recorded: %.2f s inside "
		"them)\n",
		result->units, result->units == 1 ? "" : "s", tape, (double)result->wall_ns / 1e9,
		(double)result->units_ns / 1e9);
	if (result->unused > 0)
		fprintf(stderr, "sandtape: %zu record%s of %s %s not asked for\n", result->unused,
			result->unused == 1 ? "" : "s", tape, result->unused == 1 ? "was" : "were");
}

static void advise(const struct tape_options *tape)
{
	char *again = NULL;

	if (tape_record_again(tape, &again, NULL) == 0)
		fprintf(stderr, "sandtape: record it again with: %s\n", again);
	free(again);
}

int session_judge(const struct session_options *o, const struct tape_options *tape,
		  const struct tape_replay_result *result)
{
	if (result->misses == 0 && !(o->all_used && result->unused > 0))
		return command_status(result->wait_status);
	advise(tape);
	return EXIT_MISS;
}

int session_replay(const struct session_options *o, const struct tape_options *tape)
{
	struct tape_replay_result result;
	struct error err = {0};
	char *stub = NULL;
	int status;

	if (command_find_helper("sandtape-stub", &stub, &err) < 0 ||
	    tape_replay(tape, stub, &result, &err) < 0) {
		status = command_fail(&err);
	} else {
		if (!o->quiet)
			session_report_answers(o->tape, &result);
		status = session_judge(o, tape, &result);
	}
	free(stub);
	return status;
}

static int run(const struct command *command, int argc, char **argv)
{
	struct session_options o = {0};
	struct tape_options tape = {0};
	struct error err = {0};
	int status, rc = session_options_parse(&table, argc, argv, &o, &tape, &err);

	if (rc == 0)
		rc = session_choose_order(&o, &tape, &err);
	if (command_goes_on(command, rc, o.help, &err, &status))
		status = session_replay(&o, &tape);
	session_options_free(&o);
	return status;
}

const struct command replay_command = {
	"replay", "-t TAPE [options] -- PROGRAM [ARG...]",
	"Runs the program again, and nothing else: its commands are answered from the tape. The\n"
	"exit status is the program's own; 123 when a command was not on the tape; 125 when\n"
	"sandtape fails.",
	run, help};
