/* sandtape verify */
#include "tools/command.h"

#include "base/error.h"
#include "tape/again.h"
#include "tape/reader.h"
#include "tools/fidelity.h"
#include "tools/run.h"
#include "tools/session_options.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct verify_options {
	struct session_options session; /* first: the table of the session's options is shared */
	const char *fidelity;
	const char *report;
};

static const struct option options[] = {
	SESSION_OPTIONS,
	POLICY_OPTIONS,
	{"--fidelity", 0, OPTION_STRING, "byte|semantic|outcome",
	 offsetof(struct verify_options, fidelity),
	 "how much alike the runs have to be (semantic)"},
	{"--report", 0, OPTION_STRING, "FILE", offsetof(struct verify_options, report),
	 "write the differences to FILE as JSON, not to standard error as text"},
};
static const struct option_table table = {options, sizeof(options) / sizeof(options[0])};

static void help(void)
{
	options_print_help(&table);
}

struct reporter {
	const struct verify_options *options;
	FILE *file; /* or NULL */
};

static void tell(void *ctx, const struct tape_difference *d)
{
	const struct reporter *r = ctx;

	if (r->file)
		fprintf(r->file, "%s\n", d->json);
	else if (!r->options->session.quiet)
		fprintf(stderr, "sandtape: %s\n", d->text);
}

/* The recording is made as that of the tape was, unless the command line says otherwise. */
static int take_backend(struct verify_options *o, const struct tape_options *tape, char **ret,
			struct error *err)
{
	struct tape_reader *reader;
	const char *backend;
	int rc = again_open(tape, &reader, err);

	if (rc < 0)
		return rc;
	backend = tape_reader_head(reader)->backend;
	if (!o->session.backend &&
	    (strcmp(backend, "preload") == 0 || strcmp(backend, "path") == 0)) {
		*ret = strdup(backend);
		rc = *ret ? 0 : error_no_memory(err);
		o->session.backend = *ret;
	}
	tape_reader_free(reader);
	if (rc == 0 && *ret)
		rc = command_find_helper("sandtape-shim", &o->session.shim, err);
	return rc == 0 && *ret
		       ? command_find_helper("libsandtape-preload.so", &o->session.library, err)
		       : rc;
}

static int close_report(const struct verify_options *o, FILE *file, int rc, struct error *err)
{
	bool failed = file && (ferror(file) | fclose(file));

	return failed && rc == 0 ? error_sys(err, errno, "cannot write %s", o->report) : rc;
}

static int judge(const struct verify_options *o, const struct tape_verify_result *r)
{
	if (r->not_executed)
		return command_status(r->wait_status);
	if (!o->session.quiet)
		fprintf(stderr,
			"sandtape: %s: the run %s (%zu alike, %zu changed, %zu in another place, "
			"%zu only on the tape, %zu new)\n",
			o->session.tape,
			r->diff.differences ? "drifted" : "does what the tape says", r->diff.alike,
			r->diff.changed, r->diff.moved, r->diff.only_a, r->diff.only_b);
	return r->diff.differences ? EXIT_DRIFT : EXIT_OK;
}

static int verify(struct verify_options *o, struct tape_options *tape, enum tape_fidelity fidelity)
{
	struct reporter reporter = {.options = o};
	struct tape_diff_options diff = {.fidelity = fidelity,
					 .json = o->report != NULL,
					 .tell = tell,
					 .tell_ctx = &reporter,
					 .say = command_say,
					 .say_ctx = &o->session.quiet};
	struct record_policy policy = {NULL, {NULL}};
	struct tape_verify_result result = {.units = 0};
	struct error err = {0};
	int rc = record_policy_load(&o->session, &policy, tape, &err);

	if (rc == 0 && o->report) {
		reporter.file = fopen(o->report, "we");
		if (!reporter.file)
			rc = error_sys(&err, errno, "cannot write %s", o->report);
	}
	if (rc == 0)
		rc = tape_verify(tape, &diff, &result, &err);
	sandbox_plan_free(policy.plan);
	rc = close_report(o, reporter.file, rc, &err);
	return rc < 0 ? command_fail(&err) : judge(o, &result);
}

static int verify_by_backend(struct verify_options *o, struct tape_options *tape,
			     enum tape_fidelity fidelity)
{
	struct error err = {0};
	char *backend = NULL;
	int status;

	if (take_backend(o, tape, &backend, &err) < 0) {
		status = command_fail(&err);
	} else {
		tape->backend = o->session.backend;
		tape->shim = o->session.shim;
		tape->library = o->session.library;
		status = verify(o, tape, fidelity);
	}
	free(backend);
	return status;
}

static int run(const struct command *command, int argc, char **argv)
{
	struct verify_options o = {.session = {.tape = NULL}};
	enum tape_fidelity fidelity = TAPE_SEMANTIC;
	struct tape_options tape;
	struct error err = {0};
	int status, rc = session_options_parse(&table, argc, argv, &o.session, &tape, &err);

	if (rc == 0 && !o.session.help)
		rc = session_check_explain(&o.session, &err);
	if (rc == 0 && o.fidelity)
		rc = fidelity_of_name(o.fidelity, &fidelity, &err);
	if (command_goes_on(command, rc, o.session.help, &err, &status))
		status = verify_by_backend(&o, &tape, fidelity);
	session_options_free(&o.session);
	return status;
}

const struct command verify_command = {
	"verify", "-t TAPE [options] -- PROGRAM [ARG...]",
	"Runs the program for real, as it was recorded, and tells in what its commands differ "
	"from\n"
	"the tape, which stays as it is. The exit status is 0 when they do not, 124 when they do,\n"
	"125 when sandtape fails.",
	run, help};
