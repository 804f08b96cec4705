#include "tools/command.h"

#include "base/cleanup.h"
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void command_help(const struct command *command)
{
	printf("usage: sandtape %s %s\n\n%s\n", command->name, command->usage, command->summary);
	if (command->help) {
		printf("\n");
		command->help();
	}
}

void command_list_help(const struct command_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		printf("  sandtape %s %s\n", list->item[i]->name, list->item[i]->usage);
}

int command_list_run(const struct command *command, const struct command_list *list, int argc,
		     char **argv)
{
	struct error err;

	if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		command_help(command);
		return command_finish(EXIT_OK);
	}
	for (size_t i = 0; argc >= 2 && i < list->count; i++) {
		if (strcmp(strchr(list->item[i]->name, ' ') + 1, argv[1]) == 0)
			return list->item[i]->run(list->item[i], argc - 1, argv + 1);
	}
	if (argc < 2)
		error_set(&err, ERR_INVALID, "'sandtape %s' needs the name of a command",
			  command->name);
	else
		error_set(&err, ERR_INVALID, "there is no command '%s %s'", command->name, argv[1]);
	return command_misused(command, &err);
}

int command_fail(const struct error *err)
{
	const char *way = error_way_out(err->code == ERR_NOMEM ? ENOMEM : err->sys);

	fprintf(stderr, "sandtape: %s%s%s\n", err->text, way ? "; " : "", way ? way : "");
	return EXIT_SANDTAPE;
}

int command_misused(const struct command *command, const struct error *err)
{
	fprintf(stderr, "sandtape: %s\nusage: sandtape %s %s\n", err->text, command->name,
		command->usage);
	return EXIT_SANDTAPE;
}

bool command_goes_on(const struct command *command, int rc, bool help, const struct error *err,
		     int *ret_status)
{
	if (rc < 0) {
		*ret_status = command_misused(command, err);
	} else if (help) {
		command_help(command);
		*ret_status = command_finish(EXIT_OK);
	}
	return rc >= 0 && !help;
}

int command_status(int wait_status)
{
	if (WIFSIGNALED(wait_status))
		return 128 + WTERMSIG(wait_status);
	return WEXITSTATUS(wait_status);
}

int command_finish(int status)
{
	struct error err = {0};

	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	error_sys(&err, errno, "cannot write to standard output");
	return command_fail(&err);
}

void command_say(void *ctx, enum tape_level level, const char *text)
{
	const bool *quiet = ctx;

	if (level == TAPE_PROBLEM || !*quiet)
		fprintf(stderr, "sandtape: %s\n", text);
}

static const char *const helper_places[] = {"", "../libexec/sandtape/"};

int command_find_helper(const char *name, char **ret_path, struct error *err)
{
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *slash;

	if (n < 0)
		return error_sys(err, errno,
				 "cannot find this program's own file (/proc/self/exe; is /proc "
				 "mounted?)");
	exe[n] = '\0';
	slash = strrchr(exe, '/');
	for (size_t i = 0; i < sizeof(helper_places) / sizeof(helper_places[0]); i++) {
		char path[PATH_MAX + 64];

		snprintf(path, sizeof(path), "%.*s/%s%s", (int)(slash - exe), exe, helper_places[i],
			 name);
		*ret_path = realpath(path, NULL);
		if (*ret_path && access(*ret_path, X_OK) == 0)
			return 0;
		free(*ret_path);
		*ret_path = NULL;
	}
	return error_set(err, ERR_NOTFOUND,
			 "cannot find %s beside %s or in ../libexec/sandtape: build or install "
			 "sandtape as a whole",
			 name, exe);
}
