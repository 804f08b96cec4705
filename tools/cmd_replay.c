/* sandtape replay */
#include "tools/command.h"

#include "base/text.h"
#include "tape/reader.h"
#include "tools/session_options.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option options[] = {
	SESSION_OPTIONS,
	{"--all-used", 0, OPTION_FLAG, NULL, offsetof(struct session_options, all_used),
	 "fail when a record was not asked for"},
};
static const struct option_table table = {options, sizeof(options) / sizeof(options[0])};

static void help(void)
{
	options_print_help(&table);
}

static void report(const char *tape, const struct tape_replay_result *result)
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

static int add_word(struct buf *line, const char *word)
{
	int r = line->len ? buf_add_char(line, ' ') : 0;

	return r < 0 ? r : text_quote(line, word, strlen(word));
}

static bool is_among(const char *value, const struct option_list *given)
{
	for (size_t i = 0; i < given->count; i++) {
		if (strcmp(value, given->item[i]) == 0)
			return true;
	}
	return false;
}

/* Those of the recording, then those of this replay, each once. */
static int add_option(struct buf *line, const char *name, const struct strings *recorded,
		      const struct option_list *given)
{
	int r = 0;

	for (size_t i = 0; r == 0 && recorded && i < recorded->count; i++) {
		if (is_among(recorded->item[i], given))
			continue;
		r = add_word(line, name);
		if (r == 0)
			r = add_word(line, recorded->item[i]);
	}
	for (size_t i = 0; r == 0 && i < given->count; i++) {
		r = add_word(line, name);
		if (r == 0)
			r = add_word(line, given->item[i]);
	}
	return r;
}

static int add_options(struct buf *line, const struct session_options *o)
{
	struct tape_reader *reader = NULL;
	const struct tape_head *head = NULL;
	int r;

	/* It could be read a moment ago; if it cannot now, the line is the shorter for it. */
	if (tape_reader_open(o->tape, &reader, NULL) == 0)
		head = tape_reader_head(reader);
	r = add_option(line, "--env", head ? &head->env : NULL, &o->env);
	if (r == 0)
		r = add_option(line, "--through", head ? &head->through : NULL, &o->through);
	if (r == 0)
		r = add_option(line, "--real", head ? &head->real : NULL, &o->real);
	if (r == 0)
		r = add_option(line, "--root", NULL, &o->roots);
	tape_reader_free(reader);
	return r;
}

/* The command line that makes the tape anew, ready to paste. */
static void advise(const struct session_options *o, const struct tape_options *tape)
{
	cleanup_buf struct buf line = BUF_INIT;
	int r = add_word(&line, "-t");

	if (r == 0)
		r = add_word(&line, tape->tape);
	if (r == 0)
		r = add_options(&line, o);
	if (r == 0)
		r = add_word(&line, "--");
	for (char *const *arg = tape->argv; r == 0 && *arg; arg++)
		r = add_word(&line, *arg);
	if (r == 0)
		fprintf(stderr, "sandtape: record it again with: sandtape record %s\n", line.data);
}

static int judge(const struct session_options *o, const struct tape_options *tape,
		 const struct tape_replay_result *result)
{
	bool missed = result->misses > 0 || (o->all_used && result->unused > 0);

	if (!o->quiet)
		report(o->tape, result);
	if (!missed)
		return command_status(result->wait_status);
	advise(o, tape);
	return EXIT_MISS;
}

static int run(const struct command *command, int argc, char **argv)
{
	struct session_options o = {0};
	struct tape_options tape;
	struct tape_replay_result result;
	struct error err = {0};
	char *stub = NULL;
	int status;

	if (session_options_parse(&table, argc, argv, &o, &tape, &err) < 0) {
		status = command_misused(command, &err);
	} else if (o.help) {
		command_help(command);
		status = command_finish(EXIT_OK);
	} else if (command_find_helper("sandtape-stub", &stub, &err) < 0 ||
		   tape_replay(&tape, stub, &result, &err) < 0) {
		status = command_fail(&err);
	} else {
		status = judge(&o, &tape, &result);
	}
	free(stub);
	session_options_free(&o);
	return status;
}

const struct command replay_command = {
	"replay", "-t TAPE [options] -- PROGRAM [ARG...]",
	"Runs the program again, and nothing else: its commands are answered from the tape. The\n"
	"exit status is the program's own; 123 when a command was not on the tape; 125 when\n"
	"sandtape fails.",
	run, help};
