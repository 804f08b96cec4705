/* sandtape tape migrate */
#include "tools/command.h"

#include "tools/json.h"
#include "tools/options.h"
#include <stdio.h>

struct migrate_options {
	bool json;
	bool quiet;
	bool help;
};

static const struct option options[] = {
	{"--json", 0, OPTION_FLAG, NULL, offsetof(struct migrate_options, json), "one JSON object"},
	{"--quiet", 'q', OPTION_FLAG, NULL, offsetof(struct migrate_options, quiet),
	 "print nothing but errors"},
	{"--help", 'h', OPTION_FLAG, NULL, offsetof(struct migrate_options, help),
	 "print this help"},
};
static const struct option_table table = {options, sizeof(options) / sizeof(options[0])};

static void help(void)
{
	options_print_help(&table);
}

static void print_result(const struct migrate_options *o, const char *tape,
			 const struct tape_migrate_result *r)
{
	if (o->quiet)
		return;
	if (o->json)
		json_print(json_pack("{s:o,s:i,s:i}", "tape", json_of_text(tape), "from",
				     r->version, "to", r->newest));
	else if (r->steps)
		printf("%s: brought from version %d to %d\n", tape, r->version, r->newest);
	else
		printf("%s: version %d, the newest: nothing to be done\n", tape, r->version);
}

static int run(const struct command *command, int argc, char **argv)
{
	struct migrate_options o = {0};
	struct tape_migrate_result result;
	struct error err = {0};
	int first, status;
	int rc = options_parse(&table, argc, argv, &o, &first, &err);

	if (rc == 0 && !o.help && first + 1 != argc)
		rc = error_set(&err, ERR_INVALID, "which tape? name one");
	if (!command_goes_on(command, rc, o.help, &err, &status))
		return status;
	if (tape_migrate(argv[first], &result, &err) < 0)
		return command_fail(&err);
	print_result(&o, argv[first], &result);
	return command_finish(EXIT_OK);
}

const struct command tape_migrate_command = {"tape migrate", "[-q] [--json] TAPE",
					     "Brings a tape of an older version of the format to "
					     "the newest. So far there is one version:\n"
					     "of a tape that has it nothing is touched.",
					     run, help};
