/* sandtape tape merge */
#include "tools/command.h"

#include "tools/json.h"
#include "tools/options.h"
#include "tools/progress.h"
#include <stdio.h>

struct merge_options {
	bool replace;
	bool json;
	bool quiet;
	bool help;
};

static const struct option options[] = {
	{"--replace", 0, OPTION_FLAG, NULL, offsetof(struct merge_options, replace),
	 "replace the tape OUT when it is there"},
	{"--json", 0, OPTION_FLAG, NULL, offsetof(struct merge_options, json), "one JSON object"},
	{"--quiet", 'q', OPTION_FLAG, NULL, offsetof(struct merge_options, quiet),
	 "print nothing but errors"},
	{"--help", 'h', OPTION_FLAG, NULL, offsetof(struct merge_options, help), "print this help"},
};
static const struct option_table table = {options, sizeof(options) / sizeof(options[0])};

static void help(void)
{
	options_print_help(&table);
}

static void print_result(const struct merge_options *o, const char *out,
			 const struct tape_merge_result *r)
{
	if (o->quiet)
		return;
	if (o->json) {
		json_print(json_pack("{s:o,s:I,s:I,s:I}", "tape", json_of_text(out), "commands",
				     (json_int_t)r->units, "duplicates", (json_int_t)r->duplicates,
				     "conflicts", (json_int_t)r->conflicts));
		return;
	}
	printf("%s: %zu command%s, %zu left out that an earlier tape has, too\n", out, r->units,
	       r->units == 1 ? "" : "s", r->duplicates);
	if (r->conflicts)
		fprintf(stderr,
			"sandtape: warning: %zu command%s of a later tape %s on an earlier one, "
			"too, "
			"with another record: a replay gives those of the earlier tape first\n",
			r->conflicts, r->conflicts == 1 ? "" : "s",
			r->conflicts == 1 ? "is" : "are");
}

static int merge(const struct merge_options *o, const char *out, const char *const *tapes)
{
	struct tape_merge_options m = {
		.replace = o->replace, .say = command_say, .say_ctx = (void *)&o->quiet};
	struct tape_merge_result result;
	struct error err = {0};
	struct progress progress;
	int rc;

	m.progress = progress_begin(&progress, "merging");
	rc = tape_merge(out, tapes, &m, &result, &err);
	progress_hide(&progress);
	if (rc < 0)
		return command_fail(&err);
	print_result(o, out, &result);
	return EXIT_OK;
}

static int run(const struct command *command, int argc, char **argv)
{
	struct merge_options o = {0};
	struct error err = {0};
	int first, status;
	int rc = options_parse(&table, argc, argv, &o, &first, &err);

	if (rc == 0 && !o.help && first + 3 > argc)
		rc = error_set(&err, ERR_INVALID,
			       "which tapes? name the new one, and then two or more");
	if (!command_goes_on(command, rc, o.help, &err, &status))
		return status;
	return command_finish(merge(&o, argv[first], (const char *const *)argv + first + 1));
}

const struct command tape_merge_command = {
	"tape merge", "[--replace] [-q] [--json] OUT TAPE TAPE...",
	"Makes one tape of several: the commands of the first, then those of the second that the\n"
	"first does not have, and so on. The same tapes give the same bytes.",
	run, help};
