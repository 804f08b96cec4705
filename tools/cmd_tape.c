/* sandtape tape: commands on tapes, themselves a table */
#include "tools/command.h"

static const struct command *const commands[] = {
	&tape_show_command, &tape_stats_command, &tape_check_command,  &tape_diff_command,
	&tape_gc_command,   &tape_merge_command, &tape_import_command, &tape_migrate_command,
};
static const struct command_list list = {commands, sizeof(commands) / sizeof(commands[0])};

static void help(void)
{
	command_list_help(&list);
}

static int run(const struct command *command, int argc, char **argv)
{
	return command_list_run(command, &list, argc, argv);
}

const struct command tape_command = {
	"tape", "show|stats|check|diff|gc|merge|import|migrate [options] TAPE...",
	"Looks at tapes and works on them.", run, help};
