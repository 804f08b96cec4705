/* The sandtape program: finds the command and runs it. */
#include "tools/command.h"

#include <stdio.h>
#include <string.h>

static const struct command *const commands[] = {&record_command, &replay_command, &tape_command};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_usage(FILE *to)
{
	fprintf(to, "usage: sandtape COMMAND [options]\n\n");
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(to, "  sandtape %s %s\n", commands[i]->name, commands[i]->usage);
	fprintf(to, "\n'sandtape COMMAND --help' tells more; 'sandtape --version' the version.\n");
}

static int unknown(const char *name)
{
	fprintf(stderr, "sandtape: there is no command '%s'\n", name);
	print_usage(stderr);
	return EXIT_SANDTAPE;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		print_usage(stderr);
		return EXIT_SANDTAPE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_usage(stdout);
		return command_finish(EXIT_OK);
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("sandtape %s\n", SANDTAPE_VERSION);
		return command_finish(EXIT_OK);
	}
	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcmp(argv[1], commands[i]->name) == 0)
			return commands[i]->run(commands[i], argc - 1, argv + 1);
	}
	return unknown(argv[1]);
}
