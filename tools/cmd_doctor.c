/* sandtape doctor: what this host can enforce, found by trying */
#include "tools/json.h"
#include "tools/run.h"

#include <stdio.h>
#include <string.h>

struct doctor_options {
	bool json;
	bool help;
};

static const struct option options[] = {
	{"--json", 0, OPTION_FLAG, NULL, offsetof(struct doctor_options, json),
	 "print a JSON object"},
	{"--help", 'h', OPTION_FLAG, NULL, offsetof(struct doctor_options, help),
	 "print this help"},
};
static const struct option_table table = {options, sizeof(options) / sizeof(options[0])};

static void help(void)
{
	options_print_help(&table);
}

/* One policy that is tried: the default one with something asked for. */
struct trial {
	const char *name;
	const char *what;
	const char *policy;		  /* behind {"version": 1 */
	enum sandbox_mechanism mechanism; /* that tells */
};

#define NAMESPACE(name)                                                                            \
	{                                                                                          \
		name " namespace", "a " name " namespace",                                         \
			", \"namespaces\": {\"" name "\": \"on\"}", SANDBOX_MECH_NAMESPACES        \
	}

static const struct trial trials[] = {
	NAMESPACE("user"),
	NAMESPACE("mount"),
	NAMESPACE("pid"),
	NAMESPACE("net"),
	NAMESPACE("ipc"),
	NAMESPACE("uts"),
	{"loopback", "a loopback of its own", ", \"net\": {\"mode\": \"loopback\"}",
	 SANDBOX_MECH_NAMESPACES},
	{"tcp ports", "TCP to named ports only",
	 ", \"net\": {\"mode\": \"tcp\", \"tcp_connect\": [443]}", SANDBOX_MECH_LANDLOCK_NET},
};
#define TRIALS (sizeof(trials) / sizeof(trials[0]))

/* --- one trial -------------------------------------------------------------------------------- */

static int try_policy(const char *more, struct sandbox_layers *ret, struct error *err)
{
	struct sandbox_policy *policy = NULL;
	char text[256];
	int rc;

	snprintf(text, sizeof(text), "{\"version\": 1%s}", more);
	rc = sandbox_policy_parse(text, strlen(text), "a policy to be tried", NULL, &policy, err);
	if (rc == 0)
		rc = sandbox_try(policy, ret, NULL, NULL, err);
	sandbox_policy_free(policy);
	return rc;
}

/* --- what is told ----------------------------------------------------------------------------- */

struct finding {
	enum sandbox_state state;
	char why[ERROR_TEXT_SIZE];
};

/* A namespace that the policy asks for by name is an error where it cannot be made. */
static void run_trial(const struct trial *trial, struct finding *ret)
{
	struct sandbox_layers layers;
	struct error err = {0};
	int rc = try_policy(trial->policy, &layers, &err);

	ret->state = rc < 0 ? SANDBOX_STATE_UNAVAILABLE : layers.layer[trial->mechanism].state;
	snprintf(ret->why, sizeof(ret->why), "%s", rc < 0 ? err.text : trial->what);
}

static void print_line(const char *name, enum sandbox_state state, const char *why)
{
	printf("%-16s %-12s %s\n", name, sandbox_state_name(state), why);
}

static void print_text(const struct sandbox_layers *layers, const struct finding *findings)
{
	printf("The default policy of a workspace, on this host:\n");
	for (int i = 0; i < SANDBOX_MECHS; i++)
		print_line(sandbox_mechanism_name(i), layers->layer[i].state, layers->layer[i].why);
	printf("\nWhat a policy can ask for besides:\n");
	for (size_t i = 0; i < TRIALS; i++)
		print_line(trials[i].name, findings[i].state, findings[i].why);
}

static void print_json(const struct sandbox_layers *layers, const struct finding *findings)
{
	json_t *more = json_object();

	for (size_t i = 0; i < TRIALS; i++)
		json_object_set_new(more, trials[i].name,
				    json_pack("{s:s, s:o}", "state",
					      sandbox_state_name(findings[i].state), "why",
					      json_of_text(findings[i].why)));
	json_print(json_pack("{s:i, s:o, s:o}", "version", 1, "layers",
			     sandbox_report_layers(layers), "more", more));
}

static int examine(const struct doctor_options *o)
{
	struct finding findings[TRIALS];
	struct sandbox_layers layers;
	struct error err = {0};

	if (try_policy("", &layers, &err) < 0)
		return command_fail(&err);
	for (size_t i = 0; i < TRIALS; i++)
		run_trial(&trials[i], &findings[i]);
	if (o->json)
		print_json(&layers, findings);
	else
		print_text(&layers, findings);
	return command_finish(EXIT_OK);
}

static int run(const struct command *command, int argc, char **argv)
{
	struct doctor_options o = {0};
	struct error err = {0};
	int first, status, rc = options_parse(&table, argc, argv, &o, &first, &err);

	if (rc == 0 && !o.help && first < argc)
		rc = error_set(&err, ERR_INVALID, "'%s' is one argument too many", argv[first]);
	return command_goes_on(command, rc, o.help, &err, &status) ? examine(&o) : status;
}

const struct command doctor_command = {"doctor", "[--json]",
				       "Tells what this host can enforce, layer by layer. It "
				       "starts programs in sandboxes and looks\n"
				       "at what holds; it changes nothing.",
				       run, help};
