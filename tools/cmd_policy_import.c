/* sandtape policy import-oci */
#include "tools/run.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/jsontext.h"
#include <stdio.h>
#include <string.h>

struct import_options {
	const char *output;
	bool quiet;
	bool help;
};

static const struct option options[] = {
	{"--output", 'o', OPTION_STRING, "FILE", offsetof(struct import_options, output),
	 "write the policy there, not to standard output"},
	{"--quiet", 'q', OPTION_FLAG, NULL, offsetof(struct import_options, quiet),
	 "do not tell what cannot be kept"},
	{"--help", 'h', OPTION_FLAG, NULL, offsetof(struct import_options, help),
	 "print this help"},
};
static const struct option_table table = {options, sizeof(options) / sizeof(options[0])};

static void help(void)
{
	options_print_help(&table);
}

/* Longer than any file that is taken: how long is the library's affair. */
#define READ_MAX ((size_t)64 << 20)

static void say(void *ctx, const char *text)
{
	const struct import_options *o = ctx;

	if (!o->quiet)
		fprintf(stderr, "sandtape: %s\n", text);
}

/* Whether the default policy has the same there. */
static bool is_default(const json_t *all, const json_t *defaults, const char *section)
{
	return json_equal(json_object_get(all, section), json_object_get(defaults, section));
}

static int parse_json(const struct sandbox_policy *policy, json_t **ret, struct error *err)
{
	cleanup_free char *text = NULL;
	int rc = sandbox_policy_json(policy, &text, err);

	return rc < 0 ? rc : jsontext_load(bytes_of_str(text), ret, NULL, err);
}

/* What the profile has said: all else is left to be the default, with its $WORK and its presets. */
static int keep_said(const json_t *all, const json_t *defaults, json_t **ret, struct error *err)
{
	static const char *const sections[] = {"syscalls", "unix_sockets"};
	json_t *said = json_pack("{s:O}", "version", json_object_get(all, "version"));
	int rc = said ? 0 : -1;

	for (size_t i = 0; rc == 0 && i < sizeof(sections) / sizeof(sections[0]); i++)
		if (i == 0 || !is_default(all, defaults, sections[i]))
			rc = json_object_set(said, sections[i], json_object_get(all, sections[i]));
	if (rc < 0) {
		json_decref(said);
		return error_no_memory(err);
	}
	*ret = said;
	return 0;
}

static int print_said(const struct sandbox_policy *policy, struct buf *out, struct error *err)
{
	struct sandbox_policy *plain = NULL;
	json_t *all = NULL, *defaults = NULL, *said = NULL;
	int rc = parse_json(policy, &all, err);

	if (rc == 0)
		rc = sandbox_policy_parse("{\"version\": 1}", 14, "the default policy", NULL,
					  &plain, err);
	if (rc == 0)
		rc = parse_json(plain, &defaults, err);
	if (rc == 0)
		rc = keep_said(all, defaults, &said, err);
	if (rc == 0 &&
	    (jsontext_dump(said, JSON_INDENT(2), out) < 0 || buf_add_char(out, '\n') < 0))
		rc = error_no_memory(err);
	sandbox_policy_free(plain);
	json_decref(all);
	json_decref(defaults);
	json_decref(said);
	return rc;
}

static int write_policy(const char *file, int fd, const struct buf *text, struct error *err)
{
	if (file)
		return fs_report_write(fd, file, text->data, text->len, err);
	fwrite(text->data, 1, text->len, stdout);
	return 0;
}

static int import(struct import_options *o, const char *file, struct error *err)
{
	cleanup_buf struct buf profile = BUF_INIT, text = BUF_INIT;
	struct sandbox_policy *policy = NULL;
	cleanup_close int fd = -1;
	int rc = o->output ? fs_report_open(o->output, &fd, err) : 0;

	if (rc == 0)
		rc = fs_read_file(file, READ_MAX, &profile, err);
	if (rc == 0)
		rc = sandbox_policy_import_oci(profile.data ? profile.data : "", profile.len, file,
					       NULL, say, o, &policy, err);
	if (rc == 0)
		rc = print_said(policy, &text, err);
	if (rc == 0)
		rc = write_policy(o->output, fd, &text, err);
	sandbox_policy_free(policy);
	return rc;
}

/* Options may stand behind the file, too. */
static int parse(int argc, char **argv, struct import_options *o, const char **ret_file,
		 struct error *err)
{
	int first, rest;
	int rc = options_parse(&table, argc, argv, o, &first, err);

	if (rc < 0 || o->help)
		return rc;
	if (first >= argc)
		return error_set(err, ERR_INVALID, "which profile? name one file");
	*ret_file = argv[first];
	rc = options_parse(&table, argc - first, argv + first, o, &rest, err);
	if (rc == 0 && !o->help && first + rest != argc)
		rc = error_set(err, ERR_INVALID, "which profile? name one file");
	return rc;
}

static int run(const struct command *command, int argc, char **argv)
{
	struct import_options o = {0};
	struct error err = {0};
	const char *file = NULL;
	int status, rc = parse(argc, argv, &o, &file, &err);

	if (!command_goes_on(command, rc, o.help, &err, &status))
		return status;
	return import(&o, file, &err) < 0 ? command_fail(&err) : command_finish(EXIT_OK);
}

const struct command policy_import_command = {
	"policy import-oci", "[-q] [-o POLICY] PROFILE",
	"Makes a policy of a seccomp profile of a container engine, as OCI, Docker and Podman "
	"have\n"
	"them. What a policy cannot say is told on standard error, and the stricter is taken.",
	run, help};
