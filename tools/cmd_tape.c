/* sandtape tape: commands on tapes, themselves a table */
#include "tools/command.h"

#include <stdio.h>
#include <string.h>

static const struct command *const commands[] = {
	&tape_show_command, &tape_stats_command, &tape_check_command,  &tape_diff_command,
	&tape_gc_command,   &tape_merge_command, &tape_import_command, &tape_migrate_command,
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void help(void)
{
	for (size_t i = 0; i < COMMANDS; i++)
		printf("  sandtape %s %s\n", commands[i]->name, commands[i]->usage);
}

static int run(const struct command *command, int argc, char **argv)
{
	struct error err;

	if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		command_help(command);
		return command_finish(EXIT_OK);
	}
	for (size_t i = 0; argc >= 2 && i < COMMANDS; i++) {
		if (strcmp(strchr(commands[i]->name, ' ') + 1, argv[1]) == 0)
			return commands[i]->run(commands[i], argc - 1, argv + 1);
	}
	if (argc < 2)
		error_set(&err, ERR_INVALID, "'sandtape tape' needs the name of a command");
	else
		error_set(&err, ERR_INVALID, "there is no command 'tape %s'", argv[1]);
	return command_misused(command, &err);
}

const struct command tape_command = {
	"tape", "show|stats|check|diff|gc|merge|import|migrate [options] TAPE...",
	"Looks at tapes and works on them.", run, help};
