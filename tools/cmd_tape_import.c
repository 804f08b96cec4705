/* sandtape tape import */
#include "tools/command.h"

#include "tools/json.h"
#include "tools/options.h"
#include <stdio.h>

struct import_options {
	struct option_list env;
	struct option_list roots;
	bool replace;
	bool json;
	bool quiet;
	bool help;
};

static const struct option options[] = {
	{"--env", 0, OPTION_LIST, "NAME", offsetof(struct import_options, env),
	 "a variable that tells commands apart"},
	{"--root", 0, OPTION_LIST, "NAME=DIR", offsetof(struct import_options, roots),
	 "paths below DIR are stored as $NAME/..."},
	{"--replace", 0, OPTION_FLAG, NULL, offsetof(struct import_options, replace),
	 "replace the tape when it is there"},
	{"--json", 0, OPTION_FLAG, NULL, offsetof(struct import_options, json), "one JSON object"},
	{"--quiet", 'q', OPTION_FLAG, NULL, offsetof(struct import_options, quiet),
	 "print nothing but errors"},
	{"--help", 'h', OPTION_FLAG, NULL, offsetof(struct import_options, help),
	 "print this help"},
};
static const struct option_table table = {options, sizeof(options) / sizeof(options[0])};

static void help(void)
{
	options_print_help(&table);
}

static void print_result(const struct import_options *o, const char *tape,
			 const struct tape_import_result *r)
{
	if (o->quiet)
		return;
	if (o->json) {
		json_print(json_pack("{s:o,s:I,s:I}", "tape", json_of_text(tape), "commands",
				     (json_int_t)r->units, "skipped", (json_int_t)r->skipped));
		return;
	}
	printf("%s: %zu command%s imported", tape, r->units, r->units == 1 ? "" : "s");
	if (r->skipped)
		printf(", %zu record%s of other kinds left out", r->skipped,
		       r->skipped == 1 ? "" : "s");
	putchar('\n');
}

static int import(const struct import_options *o, char **words)
{
	const struct tape_import_options i = {.format = words[0],
					      .replace = o->replace,
					      .env = o->env.item,
					      .roots = o->roots.item,
					      .say = command_say,
					      .say_ctx = (void *)&o->quiet};
	struct tape_import_result result;
	struct error err = {0};

	if (tape_import(words[1], words[2], &i, &result, &err) < 0)
		return command_fail(&err);
	print_result(o, words[2], &result);
	return EXIT_OK;
}

static int run(const struct command *command, int argc, char **argv)
{
	struct import_options o = {0};
	struct error err = {0};
	int first, status;
	int rc = options_parse(&table, argc, argv, &o, &first, &err);

	if (rc == 0 && !o.help && first + 3 != argc)
		rc = error_set(&err, ERR_INVALID, "name the format, the file and the new tape");
	if (command_goes_on(command, rc, o.help, &err, &status))
		status = command_finish(import(&o, argv + first));
	option_list_free(&o.env);
	option_list_free(&o.roots);
	return status;
}

const struct command tape_import_command = {
	"tape import", "[options] harn FILE TAPE",
	"Makes a tape of what another tool wrote down: harn's process tape (a JSON array), or the\n"
	"process_spawn records of its event tape (a JSON object a line).",
	run, help};
