/* The sandtape program: finds the command and runs it. */
#include "tools/command.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct command *const commands[] = {
	&record_command, &replay_command, &run_command,	   &learn_command,	&verify_command,
	&tape_command,	 &policy_command, &doctor_command, &conformance_command};
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

/* A write beyond the limit fails with EFBIG, and that is told. What is executed has the default
 * again, unless it was ignored before. */
static void on_file_size_limit(int sig)
{
	(void)sig;
}

static void outlive_file_size_limit(void)
{
	struct sigaction action = {.sa_handler = on_file_size_limit, .sa_flags = SA_RESTART};
	struct sigaction before;

	if (sigaction(SIGXFSZ, NULL, &before) == 0 && before.sa_handler == SIG_DFL)
		sigaction(SIGXFSZ, &action, NULL);
}

/* A tape is read where it is mapped. What was cut off its end meanwhile cannot be; nothing that is
 * running can go on without it. */
static void on_lost_page(int sig)
{
	static const char text[] =
		"sandtape: a file of the tape was cut off while it was read: SIGBUS; run it again "
		"when nothing else writes there, or get the tape back from version control\n";

	(void)sig;
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(EXIT_SANDTAPE);
}

static void tell_lost_pages(void)
{
	struct sigaction action = {.sa_handler = on_lost_page};

	sigaction(SIGBUS, &action, NULL);
}

int main(int argc, char **argv)
{
	tell_lost_pages();
	outlive_file_size_limit();
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
