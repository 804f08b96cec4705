/* sandtape tape gc */
#include "tools/command.h"

#include "tools/json.h"
#include "tools/options.h"
#include <inttypes.h>
#include <stdio.h>

struct gc_options {
	bool dry_run;
	bool json;
	bool quiet;
	bool help;
};

static const struct option options[] = {
	{"--dry-run", 'n', OPTION_FLAG, NULL, offsetof(struct gc_options, dry_run),
	 "name the files, and remove nothing"},
	{"--json", 0, OPTION_FLAG, NULL, offsetof(struct gc_options, json), "one JSON object"},
	{"--quiet", 'q', OPTION_FLAG, NULL, offsetof(struct gc_options, quiet), "print nothing"},
	{"--help", 'h', OPTION_FLAG, NULL, offsetof(struct gc_options, help), "print this help"},
};
static const struct option_table table = {options, sizeof(options) / sizeof(options[0])};

static void help(void)
{
	options_print_help(&table);
}

static void print_file(void *ctx, const char *path, uint64_t bytes)
{
	const struct gc_options *o = ctx;

	(void)bytes;
	if (o->dry_run && !o->quiet && !o->json)
		puts(path);
}

static void print_result(const struct gc_options *o, const char *tape,
			 const struct tape_gc_result *r)
{
	if (o->quiet)
		return;
	if (o->json) {
		json_print(json_pack("{s:o,s:b,s:I,s:I,s:I}", "tape", json_of_text(tape), "dry_run",
				     (int)o->dry_run, "blobs", (json_int_t)r->blobs, "bytes",
				     (json_int_t)r->bytes, "leftovers", (json_int_t)r->leftovers));
		return;
	}
	printf("%s: %s %zu blob%s of %" PRIu64 " bytes that no record names", tape,
	       o->dry_run ? "would remove" : "removed", r->blobs, r->blobs == 1 ? "" : "s",
	       r->bytes);
	if (r->leftovers)
		printf(", and %zu file%s of a killed recording", r->leftovers,
		       r->leftovers == 1 ? "" : "s");
	putchar('\n');
}

static int run(const struct command *command, int argc, char **argv)
{
	struct gc_options o = {0};
	struct tape_gc_options gc = {.tell = print_file, .tell_ctx = &o};
	struct tape_gc_result result;
	struct error err = {0};
	int first, status;
	int rc = options_parse(&table, argc, argv, &o, &first, &err);

	if (rc == 0 && !o.help && first + 1 != argc)
		rc = error_set(&err, ERR_INVALID, "which tape? name one");
	if (!command_goes_on(command, rc, o.help, &err, &status))
		return status;
	gc.dry_run = o.dry_run;
	if (tape_gc(argv[first], &gc, &result, &err) < 0)
		return command_fail(&err);
	print_result(&o, argv[first], &result);
	return command_finish(EXIT_OK);
}

const struct command tape_gc_command = {
	"tape gc", "[-n] [-q] [--json] TAPE",
	"Removes the blobs that no record names any more, and what killed recordings left inside\n"
	"the tape. A tape that is being recorded is let alone.",
	run, help};
