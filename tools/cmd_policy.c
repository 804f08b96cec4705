/* sandtape policy check, sandtape policy show; the list of these commands */
#include "tools/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct policy_options {
	bool quiet;
	bool layers;
	bool help;
};

#define HELP                                                                                       \
	{                                                                                          \
		"--help", 'h', OPTION_FLAG, NULL, offsetof(struct policy_options, help),           \
			"print this help"                                                          \
	}

static const struct option check_options[] = {
	{"--quiet", 'q', OPTION_FLAG, NULL, offsetof(struct policy_options, quiet),
	 "print nothing but errors"},
	HELP,
};
static const struct option_table check_table = {check_options,
						sizeof(check_options) / sizeof(check_options[0])};

static const struct option show_options[] = {
	{"--layers", 0, OPTION_FLAG, NULL, offsetof(struct policy_options, layers),
	 "print what enforces each key on this host, instead"},
	HELP,
};
static const struct option_table show_table = {show_options,
					       sizeof(show_options) / sizeof(show_options[0])};

static void check_help(void)
{
	options_print_help(&check_table);
}

static void show_help(void)
{
	options_print_help(&show_table);
}

/* The options, and the one operand. Whether the command goes on. */
static bool take_file(const struct command *command, const struct option_table *table, int argc,
		      char **argv, struct policy_options *ret, const char **ret_file,
		      int *ret_status)
{
	struct error err = {0};
	int first;
	int rc = options_parse(table, argc, argv, ret, &first, &err);

	if (rc == 0 && !ret->help && first + 1 != argc)
		rc = error_set(&err, ERR_INVALID, "which policy? name one file");
	if (!command_goes_on(command, rc, ret->help, &err, ret_status))
		return false;
	*ret_file = argv[first];
	return true;
}

struct check {
	struct policy_options options;
	size_t told;
};

static void say(void *ctx, const char *text)
{
	struct check *c = ctx;

	c->told++;
	if (!c->options.quiet)
		fprintf(stderr, "sandtape: %s\n", text);
}

/* A policy that is wrong is the answer of a check; a file that cannot be read is a failure of it.
 */
static int load_status(const struct error *err)
{
	int status = command_fail(err);
	bool is_answer =
		err->code == ERR_FORMAT || err->code == ERR_VERSION || err->code == ERR_LIMIT;

	return is_answer ? EXIT_DIFFERENT : status;
}

static int check_roots(struct check *c, const char *file, const struct sandbox_policy *policy)
{
	struct sandbox_paths *paths = NULL;
	struct error err = {0};
	int rc = sandbox_paths_new(policy, say, c, &paths, &err);

	sandbox_paths_free(paths);
	if (rc == ERR_NOTFOUND)
		error_advise(&err, rc, "with a question mark in front it need not be there");
	if (rc < 0) {
		/* As the errors of its roots do already. */
		if (strncmp(err.text, file, strlen(file)) != 0)
			error_wrap(&err, rc, "%s", file);
		command_fail(&err);
		return rc == ERR_NOMEM ? EXIT_SANDTAPE : EXIT_DIFFERENT;
	}
	if (!c->options.quiet)
		printf("%s: fine%s\n", file, c->told ? ", but for what is said above" : "");
	return command_finish(EXIT_OK);
}

static int run_check(const struct command *command, int argc, char **argv)
{
	struct check c = {.told = 0};
	struct sandbox_policy *policy = NULL;
	struct error err = {0};
	const char *file;
	int status;

	if (!take_file(command, &check_table, argc, argv, &c.options, &file, &status))
		return status;
	if (sandbox_policy_load(file, NULL, &policy, &err) < 0)
		return load_status(&err);
	status = check_roots(&c, file, policy);
	sandbox_policy_free(policy);
	return status;
}

static void print_keepers(void *ctx, const char *key, unsigned mechanisms)
{
	const struct sandbox_layers *layers = ctx;

	printf("%-24s", key);
	if (mechanisms == 0)
		printf(" -");
	for (int i = 0; i < SANDBOX_MECHS; i++)
		if (mechanisms >> i & 1)
			printf(" %s (%s)", sandbox_mechanism_name(i),
			       sandbox_state_name(layers->layer[i].state));
	printf("\n");
}

/* What this host cannot keep is the answer here, and no error. */
static int show_layers(struct sandbox_policy *policy, struct error *err)
{
	struct sandbox_layers layers;
	int rc = sandbox_try(policy, &layers, print_keepers, &layers, err);

	if (rc < 0)
		return rc;
	printf("\n");
	for (int i = 0; i < SANDBOX_MECHS; i++)
		printf("%-24s %s%s%s\n", sandbox_mechanism_name(i),
		       sandbox_state_name(layers.layer[i].state),
		       layers.layer[i].why[0] ? ": " : "", layers.layer[i].why);
	return 0;
}

static int show_json(const struct sandbox_policy *policy, struct error *err)
{
	char *text = NULL;
	int rc = sandbox_policy_json(policy, &text, err);

	if (rc == 0)
		fputs(text, stdout);
	free(text);
	return rc;
}

static int run_show(const struct command *command, int argc, char **argv)
{
	struct policy_options o = {0};
	struct sandbox_policy *policy = NULL;
	struct error err = {0};
	const char *file;
	int status, rc;

	if (!take_file(command, &show_table, argc, argv, &o, &file, &status))
		return status;
	rc = sandbox_policy_load(file, NULL, &policy, &err);
	if (rc == 0)
		rc = o.layers ? show_layers(policy, &err) : show_json(policy, &err);
	sandbox_policy_free(policy);
	return rc < 0 ? command_fail(&err) : command_finish(EXIT_OK);
}

static const struct command check_command = {
	"policy check", "[-q] FILE",
	"Reads a policy and looks for its roots on this host. An error names the line and the\n"
	"key; the exit status is 1 then.",
	run_check, check_help};

static const struct command show_command = {
	"policy show", "[--layers] FILE",
	"Prints all of a policy as JSON: what it leaves out, the roots of its presets, and paths\n"
	"without $WORK, $HOME and $TMP. What is printed reads back to the same policy.",
	run_show, show_help};

static const struct command *const commands[] = {&check_command, &show_command,
						 &policy_import_command};
static const struct command_list list = {commands, sizeof(commands) / sizeof(commands[0])};

static void help(void)
{
	command_list_help(&list);
}

static int run(const struct command *command, int argc, char **argv)
{
	return command_list_run(command, &list, argc, argv);
}

const struct command policy_command = {"policy", "check|show|import-oci [options] FILE",
				       "Looks at policies: what a program may do. "
				       "sandtape-policy(5) has the format.\n"
				       "sandtape run enforces them.",
				       run, help};
