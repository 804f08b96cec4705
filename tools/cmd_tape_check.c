/* sandtape tape check */
#include "tools/command.h"

#include "tools/json.h"
#include "tools/options.h"
#include "tools/progress.h"
#include <inttypes.h>
#include <stdio.h>

struct check_options {
	bool json;
	bool quiet;
	bool help;
};

static const struct option options[] = {
	{"--json", 0, OPTION_FLAG, NULL, offsetof(struct check_options, json),
	 "one JSON object a finding and one a tape, one a line"},
	{"--quiet", 'q', OPTION_FLAG, NULL, offsetof(struct check_options, quiet),
	 "print damage only"},
	{"--help", 'h', OPTION_FLAG, NULL, offsetof(struct check_options, help), "print this help"},
};
static const struct option_table table = {options, sizeof(options) / sizeof(options[0])};

static void help(void)
{
	options_print_help(&table);
}

struct printer {
	const struct check_options *options;
	const char *tape;
	struct progress progress;
};

static void print_finding(void *ctx, enum tape_finding kind, const char *text)
{
	struct printer *p = ctx;

	if (kind == TAPE_NOTE && p->options->quiet)
		return;
	progress_hide(&p->progress);
	if (p->options->json)
		json_print(json_pack("{s:s,s:o,s:o}", "finding",
				     kind == TAPE_DAMAGE ? "damage" : "note", "tape",
				     json_of_text(p->tape), "text", json_of_text(text)));
	else
		printf("%s%s\n", kind == TAPE_NOTE ? "note: " : "", text);
}

static void print_result(const struct printer *p, const struct tape_check_result *r)
{
	if (p->options->json) {
		json_print(json_pack("{s:o,s:I,s:I,s:I,s:I,s:I}", "tape", json_of_text(p->tape),
				     "commands", (json_int_t)r->units, "blobs",
				     (json_int_t)r->blobs, "bytes", (json_int_t)r->bytes, "damages",
				     (json_int_t)r->damages, "notes", (json_int_t)r->notes));
		return;
	}
	if (p->options->quiet)
		return;
	printf("%s: %zu command%s and %zu blob%s, %" PRIu64 " bytes: ", p->tape, r->units,
	       r->units == 1 ? "" : "s", r->blobs, r->blobs == 1 ? "" : "s", r->bytes);
	if (r->damages)
		printf("damaged (%zu finding%s)\n", r->damages, r->damages == 1 ? "" : "s");
	else
		printf("whole\n");
}

static int check(const struct check_options *o, const char *tape)
{
	struct printer p = {.options = o, .tape = tape};
	struct tape_check_options options_of_check = {.find = print_finding, .find_ctx = &p};
	struct tape_check_result result;
	struct error err = {0};
	char what[512];
	int rc;

	snprintf(what, sizeof(what), "checking %s", tape);
	options_of_check.progress = progress_begin(&p.progress, what);
	rc = tape_check(tape, &options_of_check, &result, &err);
	progress_hide(&p.progress);
	if (rc < 0)
		return command_fail(&err);
	print_result(&p, &result);
	return result.damages ? EXIT_DIFFERENT : EXIT_OK;
}

static int run(const struct command *command, int argc, char **argv)
{
	struct check_options o = {0};
	struct error err = {0};
	int first, status;
	int rc = options_parse(&table, argc, argv, &o, &first, &err);

	if (rc == 0 && !o.help && first >= argc)
		rc = error_set(&err, ERR_INVALID, "which tape? name one or more");
	if (!command_goes_on(command, rc, o.help, &err, &status))
		return status;
	for (status = EXIT_OK; first < argc; first++) {
		int one = check(&o, argv[first]);

		status = one > status ? one : status;
	}
	return command_finish(status);
}

const struct command tape_check_command = {
	"tape check", "[-q] [--json] TAPE...",
	"Reads all of each tape: checksums, records, keys, blobs, times. The exit status is 0 "
	"when\n"
	"all is whole, 1 when something is damaged, 125 when a tape cannot be looked at.",
	run, help};
