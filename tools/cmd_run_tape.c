/* sandtape run -t TAPE: records or replays, by its mode */
#include "tools/run.h"

#include "tape/files.h"
#include "tools/session_options.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option run_tape_options[] = {
	SESSION_OPTIONS,
	{"--mode", 0, OPTION_STRING, "MODE", offsetof(struct session_options, mode),
	 "record, replay, once (the default) or new-episodes"},
	{"--all-used", 0, OPTION_FLAG, NULL, offsetof(struct session_options, all_used),
	 "fail when a record was not asked for"},
	{"--order", 0, OPTION_STRING, "strict|causal|any", offsetof(struct session_options, order),
	 "what to hold of the recorded order (causal)"},
	{"--report", 0, OPTION_STRING, "FILE", offsetof(struct session_options, report),
	 "write there what did not agree, as JSON"},
	{"--daemons", 0, OPTION_STRING, "keep|kill", offsetof(struct session_options, daemons),
	 "in a recording, what outlives the program lives on (keep), or is killed"},
	{"--sync", 0, OPTION_FLAG, NULL, offsetof(struct session_options, sync),
	 "every record is on the disk before its command ends"},
};
const struct option_table run_tape_table = {run_tape_options,
					    sizeof(run_tape_options) / sizeof(run_tape_options[0])};

static void report_added(const struct session_options *o, const struct tape_extend_result *result)
{
	if (o->quiet)
		return;
	session_report_answers(o->tape, &result->replay);
	if (result->kept_as_it_was)
		fprintf(stderr, "sandtape: %s stays as it was\n", o->tape);
	else
		fprintf(stderr, "sandtape: ran %zu command%s, on %s now\n", result->added,
			result->added == 1 ? "" : "s", o->tape);
	if (result->left > 0)
		fprintf(stderr,
			"sandtape: %zu process%s still ran when the program ended, and %s ended "
			"with it\n",
			result->left, result->left == 1 ? "" : "es",
			result->left == 1 ? "was" : "were");
}

static int judge(const struct session_options *o, const struct tape_options *tape,
		 const struct tape_extend_result *result)
{
	report_added(o, result);
	if (o->only && result->kept_as_it_was && result->replay.misses == 0) {
		fprintf(stderr, "sandtape: the program did not run the command of %s\n", o->only);
		return EXIT_MISS;
	}
	return session_judge(o, tape, &result->replay);
}

int session_extend(const struct session_options *o, const struct tape_options *tape)
{
	struct tape_extend_result result;
	struct error err = {0};
	char *stub = NULL;
	int status;

	if (command_find_helper("sandtape-stub", &stub, &err) < 0 ||
	    tape_extend(tape, stub, o->sync, o->only, &result, &err) < 0)
		status = command_fail(&err);
	else
		status = judge(o, tape, &result);
	free(stub);
	return status;
}

/* A recording that was killed is no tape to replay. */
static int once(struct session_options *o, struct tape_options *tape)
{
	return tape_file_exists(o->tape, TAPE_FILE) ? session_replay(o, tape)
						    : session_record(o, tape);
}

static int replay(struct session_options *o, struct tape_options *tape)
{
	return session_replay(o, tape);
}

static int add_episodes(struct session_options *o, struct tape_options *tape)
{
	return tape_file_exists(o->tape, TAPE_FILE) ? session_extend(o, tape)
						    : session_record(o, tape);
}

static const struct mode {
	const char *name;
	int (*session)(struct session_options *o, struct tape_options *tape);
} modes[] = {
	{"once", once},
	{"record", session_record},
	{"replay", replay},
	{"new-episodes", add_episodes},
};

/* NULL when there is none of the name. */
static const struct mode *find_mode(const char *name)
{
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (!name || strcmp(modes[i].name, name) == 0)
			return &modes[i];
	}
	return NULL;
}

static bool is_of_tapes(const char *name)
{
	for (size_t i = 0; i < run_tape_table.count; i++)
		if (strcmp(run_tape_table.option[i].name, name) == 0)
			return true;
	return false;
}

/* The help has them, of the other form of the command. */
static int refuse_sandbox(int argc, char **argv, struct error *err)
{
	const struct option_table *const tables[] = {&run_tape_table, &sandbox_options_table};

	for (size_t i = 0; i < sandbox_options_table.count; i++) {
		const char *name = sandbox_options_table.option[i].name;

		if (!is_of_tapes(name) && options_mention(tables, 2, argc, argv, name))
			return error_set(err, ERR_INVALID,
					 "with a tape there is no sandbox, and no '%s': record "
					 "--policy restricts the commands of a recording",
					 name);
	}
	return 0;
}

static int parse(int argc, char **argv, struct session_options *o, struct tape_options *tape,
		 struct error *err)
{
	int r = refuse_sandbox(argc, argv, err);

	if (r == 0)
		r = session_options_parse(&run_tape_table, argc, argv, o, tape, err);
	if (r == 0)
		r = session_choose_order(o, tape, err);
	if (r == 0)
		r = session_check_daemons(o, err);
	if (r == 0 && !find_mode(o->mode))
		r = error_set(err, ERR_INVALID,
			      "--mode is record, replay, once or new-episodes, not '%s'", o->mode);
	return r;
}

int run_tape(const struct command *command, int argc, char **argv)
{
	struct session_options o = {0};
	struct tape_options tape = {0};
	struct error err = {0};
	int status, rc = parse(argc, argv, &o, &tape, &err);

	if (command_goes_on(command, rc, o.help, &err, &status))
		status = find_mode(o.mode)->session(&o, &tape);
	session_options_free(&o);
	return status;
}
