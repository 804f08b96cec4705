/* sandtape conformance: tries what a sandbox must deny, and says what this kernel did. */
#include "tools/conformance.h"

#include "base/cleanup.h"
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT(member) offsetof(struct conformance_options, member)

static const struct option options[] = {
	{"--list", 'l', OPTION_FLAG, NULL, AT(list), "print the ids of the cases, one a line"},
	{"--filter", 'f', OPTION_STRING, "REGEX", AT(filter),
	 "only cases whose id, or ID/LAYER, is matched as a whole"},
	{"--user", 'u', OPTION_STRING, "root|ordinary|both", AT(user),
	 "as whom; as root both is the default"},
	{"--launcher", 0, OPTION_STRING, "COMMAND", AT(launcher),
	 "try inside this sandbox: COMMAND, split at spaces, and the probe behind it"},
	{"--sabotage", 0, OPTION_STRING, "MECHANISM,...", AT(sabotage),
	 "leave these out: exactly their cases must escape"},
	{"--ablate", 0, OPTION_FLAG, NULL, AT(ablate),
	 "prove of each denial of a policy that it goes with its mechanism"},
	{"--scratch", 0, OPTION_STRING, "DIR", AT(scratch), "where to work; TMPDIR or /var/tmp"},
	{"--jobs", 'j', OPTION_STRING, "N", AT(jobs), "cases at a time; one a processor"},
	{"--shard", 0, OPTION_STRING, "K/N", AT(shard), "only the cases of part K of N"},
	{"--baseline", 'b', OPTION_STRING, "FILE", AT(baseline),
	 "fail only where it is worse than in this report"},
	{"--save-baseline", 0, OPTION_STRING, "FILE", AT(save_baseline),
	 "write the report that --baseline takes"},
	{"--require", 0, OPTION_STRING, "MECHANISM,...", AT(require),
	 "fail where one of them was not measured or not enforced, too"},
	{"--format", 0, OPTION_STRING, "table|tap|junit|json|html", AT(format),
	 "how the report is written; a table is the default"},
	{"--output", 'o', OPTION_STRING, "FILE", AT(output),
	 "where it is written; the table goes to standard output then"},
	{"--merge", 0, OPTION_FLAG, NULL, AT(merge),
	 "run nothing: make one report of the FILEs, in JSON, of several shards"},
	{"--compare", 0, OPTION_FLAG, NULL, AT(compare),
	 "run nothing: tell what is not in the second FILE as in the first"},
	{"--quiet", 'q', OPTION_FLAG, NULL, AT(quiet),
	 "print no progress, and no table beside a report in a file"},
	{"--help", 'h', OPTION_FLAG, NULL, AT(help), "print this help"},
};
static const struct option_table table = {options, sizeof(options) / sizeof(options[0])};

static void help(void)
{
	options_print_help(&table);
}

/* --- which cases -------------------------------------------------------------------------------
 */

static int compile(const char *regex, const char *filter, regex_t *ret, struct error *err)
{
	char why[128];
	int rc = regcomp(ret, regex, REG_EXTENDED | REG_NOSUB);

	if (rc == 0)
		return 0;
	regerror(rc, ret, why, sizeof(why));
	return error_set(err, ERR_INVALID, "the filter '%s' is no regular expression: %s", filter,
			 why);
}

/* By itself first: "a)|(b" is one only with what is put around it. */
static int compile_filter(const char *filter, regex_t *ret, struct error *err)
{
	cleanup_free char *whole = NULL;
	int rc = filter ? compile(filter, filter, ret, err) : 0;

	if (rc < 0)
		return rc;
	if (filter)
		regfree(ret);
	if (asprintf(&whole, "^(%s)$", filter ? filter : ".*") < 0) {
		whole = NULL;
		return error_no_memory(err);
	}
	return compile(whole, filter, ret, err);
}

/* Which cases are wanted. */
struct choice {
	regex_t filter;
	struct conf_shard shard;
};

static bool wants(void *ctx, const struct conf_case *c, enum conf_layer layer)
{
	const struct choice *choice = ctx;
	char name[128];

	snprintf(name, sizeof(name), "%s/%s", c->id, conf_layer_name(layer));
	return conf_shard_has(&choice->shard, c->id) &&
	       (regexec(&choice->filter, c->id, 0, NULL, 0) == 0 ||
		regexec(&choice->filter, name, 0, NULL, 0) == 0);
}

static int no_case(const struct conformance_options *o, struct error *err)
{
	if (o->shard)
		return error_set(err, ERR_INVALID, "the shard %s has no such case", o->shard);
	return error_set(err, ERR_INVALID, "no case is called '%s': --list names them", o->filter);
}

static bool is_wanted(struct choice *choice, const struct conf_case *c)
{
	bool wanted = false;

	for (int layer = CONF_RAW; layer <= CONF_POLICY; layer++)
		wanted |= conf_case_has(c, layer) && wants(choice, c, layer);
	return wanted;
}

static int check_choice(const struct conformance_options *o, struct choice *choice,
			struct error *err)
{
	for (size_t i = 0; i < conf_case_count; i++)
		if (is_wanted(choice, &conf_cases()[i]))
			return 0;
	return no_case(o, err);
}

static int list_cases(struct choice *choice)
{
	for (size_t i = 0; i < conf_case_count; i++)
		if (is_wanted(choice, &conf_cases()[i]))
			puts(conf_cases()[i].id);
	return 0;
}

/* --- options -----------------------------------------------------------------------------------
 */

static int find_mechanism(const char *name, size_t len)
{
	for (int i = 0; i < SANDBOX_MECHS; i++) {
		const char *known = sandbox_mechanism_name(i);

		if (strlen(known) == len && memcmp(known, name, len) == 0)
			return i;
	}
	/* As their manual page is called. */
	return len == 7 && memcmp(name, "cgroups", len) == 0 ? SANDBOX_MECH_CGROUP : -1;
}

int conformance_mechanisms(const char *names, unsigned *ret, struct error *err)
{
	char all[256];

	*ret = 0;
	for (const char *at = names; at;) {
		size_t len = strcspn(at, ",");
		int found = find_mechanism(at, len);

		if (found < 0)
			return error_set(
				err, ERR_INVALID, "there is no mechanism '%.*s': they are %s",
				(int)len, at,
				conf_mechanisms_text((1U << SANDBOX_MECHS) - 1, all, sizeof(all)));
		*ret |= 1U << found;
		at = at[len] ? at + len + 1 : NULL;
	}
	return 0;
}

static int take_user(const struct conformance_options *o, struct conf_options *ret,
		     struct error *err)
{
	const bool is_root = geteuid() == 0;
	const bool both = !o->user || strcmp(o->user, "both") == 0;

	ret->as_root = is_root && (both || strcmp(o->user, "root") == 0);
	ret->as_ordinary = both || strcmp(o->user, "ordinary") == 0;
	if (o->user && !ret->as_root && !ret->as_ordinary)
		return strcmp(o->user, "root") == 0
			       ? error_set(err, ERR_INVALID, "only root can run cases as root")
			       : error_set(err, ERR_INVALID, "there is no user '%s'", o->user);
	return 0;
}

static int take_jobs(const struct conformance_options *o, struct conf_options *ret,
		     struct error *err)
{
	const size_t len = o->jobs ? strlen(o->jobs) : 0;

	if (!o->jobs)
		return 0;
	if (len <= 2 && strspn(o->jobs, "0123456789") == len)
		ret->jobs = (unsigned)strtoul(o->jobs, NULL, 10);
	if (ret->jobs == 0 || ret->jobs > 64)
		return error_set(err, ERR_INVALID, "--jobs takes a number from 1 to 64, not '%s'",
				 o->jobs);
	return 0;
}

/* Words at spaces; `text` is cut up. */
static const char **split(char *text)
{
	size_t count = 0;
	const char **words = calloc(strlen(text) / 2 + 2, sizeof(*words));

	for (char *word = words ? strtok(text, " ") : NULL; word; word = strtok(NULL, " "))
		words[count++] = word;
	return words;
}

static int take_launcher(const struct conformance_options *o, char **ret_text, const char ***ret,
			 struct error *err)
{
	size_t count = 0;

	if (!o->launcher)
		return 0;
	*ret_text = strdup(o->launcher);
	*ret = *ret_text ? split(*ret_text) : NULL;
	if (!*ret)
		return error_no_memory(err);
	while ((*ret)[count])
		count++;
	if (count == 0)
		return error_set(err, ERR_INVALID, "--launcher names no program");
	if (count > CONF_LAUNCHER_MAX)
		return error_set(err, ERR_INVALID,
				 "--launcher has %zu words, and up to %d are taken: put them into "
				 "a script",
				 count, CONF_LAUNCHER_MAX);
	return 0;
}

/* --- the run -----------------------------------------------------------------------------------
 */

static void print_progress(void *ctx, size_t done, size_t all)
{
	(void)ctx;
	if (done < all)
		fprintf(stderr, "\r%zu of %zu", done, all);
	else
		fprintf(stderr, "\r%*s\r", 30, "");
}

static volatile sig_atomic_t stopped_by;

static void note_stop(int signal)
{
	stopped_by = signal;
}

static const int stops[] = {SIGINT, SIGTERM, SIGHUP};

/* The suite clears up first. */
static void catch_stops(void)
{
	struct sigaction action = {.sa_handler = note_stop}, was;

	for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++)
		if (sigaction(stops[i], NULL, &was) == 0 && was.sa_handler != SIG_IGN)
			sigaction(stops[i], &action, NULL);
}

static void end_by_stop(void)
{
	if (!stopped_by)
		return;
	signal(stopped_by, SIG_DFL);
	raise(stopped_by);
}

static int run_suite(const struct conformance_options *o, struct choice *choice,
		     struct conf_suite *ret, struct error *err)
{
	struct conf_options run = {.scratch = o->scratch, .ablate = o->ablate, .wants = wants};
	cleanup_free char *probe = NULL, *text = NULL;
	cleanup_free const char **launcher = NULL;
	int rc = command_find_helper("sandtape-probe", &probe, err);

	if (rc == 0)
		rc = take_user(o, &run, err);
	if (rc == 0)
		rc = take_jobs(o, &run, err);
	if (rc == 0)
		rc = conformance_mechanisms(o->sabotage, &run.sabotage, err);
	if (rc == 0)
		rc = take_launcher(o, &text, &launcher, err);
	if (rc < 0)
		return rc;
	run.probe = probe;
	run.launcher = launcher;
	run.ctx = choice;
	if (!o->quiet && isatty(STDERR_FILENO))
		run.progress = print_progress;
	run.stop = &stopped_by;
	catch_stops();
	rc = conf_suite_run(&run, ret, err);
	end_by_stop();
	return rc;
}

static int broken(const struct error *err)
{
	command_fail(err);
	return CONFORMANCE_BROKEN;
}

static int run_and_conclude(const struct conformance_options *o, struct choice *choice)
{
	struct conformance_outcome outcome;
	struct conf_suite suite = {.count = 0};
	struct conf_report report = {.count = 0};
	struct error err = {0};
	struct conf_host host;
	int status, rc;

	conf_host_read(&host);
	rc = conformance_prepare(o, &host, &outcome, &err);
	if (rc == 0)
		rc = run_suite(o, choice, &suite, &err);
	if (rc == 0)
		rc = conf_report_make(&suite, &report, &err);
	report.shard = choice->shard;
	status = rc < 0 ? broken(&err) : conformance_conclude(&outcome, &report);
	conf_suite_free(&suite);
	conf_report_free(&report);
	conformance_close(&outcome);
	return status;
}

static int choose(const struct conformance_options *o)
{
	struct choice choice = {.shard = {0, 0}};
	struct error err = {0};
	int status = 0, rc = compile_filter(o->filter, &choice.filter, &err);

	if (rc < 0)
		return broken(&err);
	if (o->shard)
		rc = conf_shard_parse(o->shard, &choice.shard, &err);
	if (rc == 0)
		rc = check_choice(o, &choice, &err);
	if (rc < 0)
		status = broken(&err);
	else if (o->list)
		status = list_cases(&choice);
	else
		status = run_and_conclude(o, &choice);
	regfree(&choice.filter);
	return status;
}

static int from_files(const struct conformance_options *o, char **files, size_t count)
{
	struct conformance_outcome outcome;
	struct error err = {0};
	int status, rc = conformance_prepare(o, NULL, &outcome, &err);

	if (rc < 0)
		status = broken(&err);
	else if (o->merge)
		status = conformance_merge(files, count, &outcome);
	else
		status = conformance_compare(files, count, &outcome);
	conformance_close(&outcome);
	return status;
}

/* --- the command line --------------------------------------------------------------------------
 */

/* Of a run, of which --merge and --compare have none. NULL: none is given. */
static const char *option_of_a_run(const struct conformance_options *o)
{
	const struct {
		bool given;
		const char *name;
	} all[] = {
		{o->list, "--list"},	     {o->filter, "--filter"},	  {o->user, "--user"},
		{o->launcher, "--launcher"}, {o->sabotage, "--sabotage"}, {o->ablate, "--ablate"},
		{o->scratch, "--scratch"},   {o->jobs, "--jobs"},	  {o->shard, "--shard"},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i].given)
			return all[i].name;
	return NULL;
}

static int check_operands(const struct conformance_options *o, char **operands, size_t count,
			  struct error *err)
{
	if (o->merge && o->compare)
		return error_set(err, ERR_INVALID, "--merge and --compare are two things");
	if (o->compare && count != 2)
		return error_set(err, ERR_INVALID, "--compare takes two files");
	if (o->merge && count == 0)
		return error_set(err, ERR_INVALID, "--merge takes the files of reports");
	if (!o->merge && !o->compare && count > 0)
		return error_set(err, ERR_INVALID, "conformance takes no '%s'", operands[0]);
	if (o->compare && o->baseline)
		return error_set(err, ERR_INVALID,
				 "the first file of --compare is the baseline: it takes no other");
	if ((o->merge || o->compare) && option_of_a_run(o))
		return error_set(err, ERR_INVALID, "--%s runs nothing: it takes no %s",
				 o->merge ? "merge" : "compare", option_of_a_run(o));
	if (o->output && o->save_baseline && strcmp(o->output, o->save_baseline) == 0)
		return error_set(err, ERR_INVALID,
				 "the report and the baseline are two files, and not both %s",
				 o->output);
	if (o->save_baseline && o->sabotage)
		return error_set(err, ERR_INVALID, "what is sabotaged is no baseline");
	return 0;
}

/* Options may come behind operands. Those are gathered at the beginning of argv. */
static int take_all(int argc, char **argv, struct conformance_options *o, size_t *ret_count,
		    struct error *err)
{
	size_t count = 0;

	for (int at = 0; at < argc;) {
		int first, rc = options_parse(&table, argc - at, argv + at, o, &first, err);

		if (rc < 0)
			return rc;
		at += first;
		if (first > 1 && strcmp(argv[at - 1], "--") == 0) {
			while (at < argc)
				argv[count++] = argv[at++];
		} else if (at < argc) {
			argv[count++] = argv[at];
		}
	}
	*ret_count = count;
	return 0;
}

static int run(const struct command *command, int argc, char **argv)
{
	struct conformance_options o = {.list = false};
	struct error err = {0};
	size_t count;
	int status, rc = take_all(argc, argv, &o, &count, &err);

	if (rc == 0 && !o.help)
		rc = check_operands(&o, argv, count, &err);
	if (rc < 0) {
		command_misused(command, &err);
		return CONFORMANCE_BROKEN;
	}
	if (o.help)
		command_help(command);
	status = o.help ? EXIT_OK : count > 0 ? from_files(&o, argv, count) : choose(&o);
	return command_finish(0) == 0 ? status : CONFORMANCE_BROKEN;
}

const struct command conformance_command = {
	"conformance", "[options] [--merge FILE... | --compare FILE FILE]",
	"Tries what a sandbox must deny, and tells what this kernel did: with each mechanism\n"
	"alone, and under the default policy. The exit status is 0 when all conforms, 1 when a\n"
	"case fails, 2 when the suite itself is broken.",
	run, help};
