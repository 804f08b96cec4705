/* sandtape tape diff */
#include "tools/command.h"

#include "tools/fidelity.h"
#include "tools/json.h"
#include "tools/options.h"
#include "tools/progress.h"
#include <stdio.h>
#include <string.h>

struct diff_options {
	const char *fidelity;
	bool json;
	bool quiet;
	bool help;
};

static const struct option options[] = {
	{"--fidelity", 0, OPTION_STRING, "byte|semantic|outcome",
	 offsetof(struct diff_options, fidelity), "how much alike they have to be (semantic)"},
	{"--json", 0, OPTION_FLAG, NULL, offsetof(struct diff_options, json),
	 "one JSON object a difference, and one for all, one a line"},
	{"--quiet", 'q', OPTION_FLAG, NULL, offsetof(struct diff_options, quiet),
	 "print nothing: the exit status tells"},
	{"--help", 'h', OPTION_FLAG, NULL, offsetof(struct diff_options, help), "print this help"},
};
static const struct option_table table = {options, sizeof(options) / sizeof(options[0])};

static void help(void)
{
	options_print_help(&table);
}

struct printer {
	const struct diff_options *options;
	struct progress progress;
};

static void print_difference(void *ctx, const struct tape_difference *d)
{
	struct printer *p = ctx;

	if (p->options->quiet)
		return;
	progress_hide(&p->progress);
	puts(p->options->json ? d->json : d->text);
}

static int diff(const struct diff_options *o, enum tape_fidelity fidelity, const char *a,
		const char *b)
{
	struct printer p = {.options = o};
	struct tape_diff_options d = {.fidelity = fidelity,
				      .json = o->json,
				      .tell = print_difference,
				      .tell_ctx = &p,
				      .say = command_say,
				      .say_ctx = (void *)&o->quiet};
	struct tape_diff_result result;
	struct error err = {0};
	int rc;

	d.progress = progress_begin(&p.progress, "comparing");
	rc = tape_diff(a, b, &d, &result, &err);
	progress_hide(&p.progress);
	if (rc < 0)
		return command_fail(&err);
	if (!o->quiet && o->json)
		fidelity_print_json(a, b, fidelity, &result);
	else if (!o->quiet)
		fidelity_print(a, b, fidelity, &result);
	return result.differences ? EXIT_DIFFERENT : EXIT_OK;
}

static int run(const struct command *command, int argc, char **argv)
{
	struct diff_options o = {0};
	enum tape_fidelity fidelity = TAPE_SEMANTIC;
	struct error err = {0};
	int first, status;
	int rc = options_parse(&table, argc, argv, &o, &first, &err);

	if (rc == 0 && !o.help && first + 2 != argc)
		rc = error_set(&err, ERR_INVALID, "which two tapes? name them");
	if (rc == 0 && o.fidelity)
		rc = fidelity_of_name(o.fidelity, &fidelity, &err);
	if (!command_goes_on(command, rc, o.help, &err, &status))
		return status;
	return command_finish(diff(&o, fidelity, argv[first], argv[first + 1]));
}

const struct command tape_diff_command = {
	"tape diff", "[--fidelity F] [-q] [--json] A B",
	"Tells how two tapes differ: - a command that is only in A, + only in B, ~ changed, > in\n"
	"another place. The exit status is 0 when they are alike, 1 when not, 125 when a tape "
	"cannot\n"
	"be read.",
	run, help};
