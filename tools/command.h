/* The commands of the program. */
#ifndef SANDTAPE_TOOLS_COMMAND_H
#define SANDTAPE_TOOLS_COMMAND_H

#include "base/error.h"
#include "tape/tape.h"
#include <stdbool.h>
#include <stddef.h>

/* Exit statuses of sandtape's own; all others are the subject's. */
enum exit_status {
	EXIT_OK = 0,
	EXIT_DIFFERENT = 1,  /* tape check: damage; tape diff: a difference; policy check: wrong */
	EXIT_MISS = 123,     /* a command without a record, or records left with --all-used */
	EXIT_DRIFT = 124,    /* verify: the run differs from the tape */
	EXIT_TIMEOUT = 124,  /* run: the program's time was over; as timeout(1) has it */
	EXIT_SANDTAPE = 125, /* sandtape itself failed */
	EXIT_CANNOT_EXEC = 126,
	EXIT_NOT_FOUND = 127
};

struct command {
	const char *name;
	const char *usage; /* behind "sandtape NAME " */
	const char *summary;
	int (*run)(const struct command *command, int argc, char **argv);
	void (*help)(void); /* the options */
};

extern const struct command record_command;
extern const struct command replay_command;
extern const struct command run_command;
extern const struct command learn_command;
extern const struct command verify_command;
extern const struct command policy_command;
extern const struct command doctor_command;
extern const struct command conformance_command;
extern const struct command tape_command;
extern const struct command policy_import_command;
extern const struct command tape_check_command;
extern const struct command tape_diff_command;
extern const struct command tape_gc_command;
extern const struct command tape_merge_command;
extern const struct command tape_import_command;
extern const struct command tape_migrate_command;
extern const struct command tape_show_command;
extern const struct command tape_stats_command;

/* Commands behind a command ("tape show"): their usage lines, and the run of the one that argv[1]
 * names. The name of each has that of `command` and a space in front. */
struct command_list {
	const struct command *const *item;
	size_t count;
};
void command_list_help(const struct command_list *list);
int command_list_run(const struct command *command, const struct command_list *list, int argc,
		     char **argv);

/* Prints usage and options to stdout. */
void command_help(const struct command *command);
/* "sandtape: <text>" to stderr; returns EXIT_SANDTAPE. */
int command_fail(const struct error *err);
/* The same with the usage line behind it, for a wrong command line. */
int command_misused(const struct command *command, const struct error *err);
/* When the options were read, with `rc`, and `help` if that was among them: false when all that is
 * left to do is to return *ret_status. */
bool command_goes_on(const struct command *command, int rc, bool help, const struct error *err,
		     int *ret_status);
/* 128+n for a signal. */
int command_status(int wait_status);
/* Flushes stdout: a full disk behind it is a failure of ours. Returns `status` or EXIT_SANDTAPE. */
int command_finish(int status);

/* For tape_options.say: a line to stderr; ctx is a const bool, whether to leave out warnings. */
void command_say(void *ctx, enum tape_level level, const char *text);

/* A file that belongs to this program: beside it, or in ../libexec/sandtape. malloc'ed. */
int command_find_helper(const char *name, char **ret_path, struct error *err);

#endif
