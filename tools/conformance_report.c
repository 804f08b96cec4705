/* sandtape conformance, after the run or without one: baselines, forms, files, statuses. */
#include "tools/conformance.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* --- before ------------------------------------------------------------------------------------
 */

static int take_format(const struct conformance_options *o, enum conf_format *ret,
		       struct error *err)
{
	*ret = o->format ? conf_format_number(o->format) : CONF_TABLE;
	if (*ret == CONF_FORMATS)
		return error_set(err, ERR_INVALID,
				 "there is no format '%s': it is table, tap, junit, json or html",
				 o->format);
	return 0;
}

static int take_baseline(struct conformance_outcome *outcome, const struct conf_host *host,
			 struct error *err)
{
	const char *file = outcome->options->baseline;
	int rc = file ? conf_report_read(file, &outcome->baseline, err) : 0;

	outcome->has_baseline = file && rc == 0;
	if (outcome->has_baseline && host)
		rc = conf_gate_check(&outcome->baseline, host, err);
	return rc;
}

int conformance_prepare(const struct conformance_options *options, const struct conf_host *host,
			struct conformance_outcome *ret, struct error *err)
{
	int rc;

	*ret = (struct conformance_outcome){.options = options, .output_fd = -1, .baseline_fd = -1};
	rc = take_format(options, &ret->format, err);
	if (rc == 0)
		rc = conformance_mechanisms(options->require, &ret->required, err);
	if (rc == 0)
		rc = take_baseline(ret, host, err);
	if (rc == 0 && options->output)
		rc = fs_report_open(options->output, &ret->output_fd, err);
	if (rc == 0 && options->save_baseline)
		rc = fs_report_open(options->save_baseline, &ret->baseline_fd, err);
	return rc;
}

void conformance_close(struct conformance_outcome *outcome)
{
	conf_report_free(&outcome->baseline);
	if (outcome->output_fd >= 0)
		close(outcome->output_fd);
	if (outcome->baseline_fd >= 0)
		close(outcome->baseline_fd);
}

/* --- after -------------------------------------------------------------------------------------
 */

static void look_at_terminal(struct conf_look *ret)
{
	const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
	struct winsize size = {0};

	*ret = (struct conf_look){.width = 0};
	if (!isatty(STDOUT_FILENO))
		return;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		ret->width = size.ws_col;
	ret->colour = !(no_colour && *no_colour) && term && strcmp(term, "dumb") != 0;
}

/* `file` NULL: standard output, whose failures are seen when it is flushed. */
static int write_report(const struct conf_report *report, enum conf_format format, const char *file,
			int fd, struct error *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct conf_look look = {.width = 0};
	int rc;

	if (!file)
		look_at_terminal(&look);
	rc = conf_show(report, format, &look, &text, err);
	if (rc < 0 || file)
		return rc < 0 ? rc : fs_report_write(fd, file, text.data, text.len, err);
	fwrite(text.data, 1, text.len, stdout);
	return 0;
}

static int show(const struct conformance_outcome *outcome, const struct conf_report *report,
		struct error *err)
{
	const struct conformance_options *o = outcome->options;
	int rc = write_report(report, outcome->format, o->output, outcome->output_fd, err);

	/* Beside a report in a regular file: else both might go to the same place. */
	if (rc == 0 && o->output && outcome->output_fd < 0 && outcome->format != CONF_TABLE &&
	    !o->quiet)
		rc = write_report(report, CONF_TABLE, NULL, -1, err);
	return rc;
}

static void say(void *ctx, const char *text)
{
	(void)ctx;
	fflush(stdout);
	fprintf(stderr, "sandtape: %s\n", text);
}

/* Of a suite that says nothing no baseline is made: all that it lacks would be excused. */
static int save(const struct conformance_outcome *outcome, struct conf_report *report, int status,
		struct error *err)
{
	const bool compared = report->compared;
	int rc;

	if (!outcome->options->save_baseline)
		return 0;
	if (status == CONFORMANCE_BROKEN)
		return error_set(err, ERR_SYSTEM, "no baseline is saved: the suite is broken");
	report->compared = false;
	rc = write_report(report, CONF_JSON, outcome->options->save_baseline, outcome->baseline_fd,
			  err);
	report->compared = compared;
	return rc;
}

int conformance_conclude(struct conformance_outcome *outcome, struct conf_report *report)
{
	const struct conformance_options *o = outcome->options;
	const struct conf_gate gate = {
		.required = outcome->required, .is_shard = o->shard != NULL, .say = say};
	const bool is_part = !o->merge && !o->compare &&
			     (o->filter || o->shard || o->user || geteuid() != 0 || o->launcher);
	struct error err = {0};
	int status = CONFORMANCE_BROKEN, rc = 0;

	if (outcome->has_baseline)
		rc = conf_gate_compare(report, &outcome->baseline, is_part ? CONF_PART : CONF_WHOLE,
				       &err);
	if (rc == 0)
		rc = show(outcome, report, &err);
	if (rc == 0) {
		status = conf_gate_status(report, &gate);
		rc = save(outcome, report, status, &err);
	}
	if (rc < 0)
		command_fail(&err);
	return rc < 0 ? CONFORMANCE_BROKEN : status;
}

/* --- without a run -----------------------------------------------------------------------------
 */

static int read_all(char *const *files, size_t count, struct conf_report *reports,
		    struct error *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = conf_report_read(files[i], &reports[i], err);
	return rc;
}

static void free_all(struct conf_report *reports, size_t count)
{
	for (size_t i = 0; reports && i < count; i++)
		conf_report_free(&reports[i]);
	free(reports);
}

int conformance_merge(char *const *files, size_t count, struct conformance_outcome *outcome)
{
	struct conf_report *parts = calloc(count, sizeof(*parts)), merged = {.count = 0};
	struct error err = {0};
	int rc = parts ? read_all(files, count, parts, &err) : error_no_memory(&err);
	int status = CONFORMANCE_BROKEN;

	if (rc == 0)
		rc = conf_merge(parts, (const char *const *)files, count, &merged, &err);
	if (rc < 0)
		command_fail(&err);
	else
		status = conformance_conclude(outcome, &merged);
	conf_report_free(&merged);
	free_all(parts, count);
	return status;
}

int conformance_compare(char *const *files, size_t count, struct conformance_outcome *outcome)
{
	struct conf_report second = {.count = 0};
	struct error err = {0};
	int rc = read_all(files, 1, &outcome->baseline, &err);
	int status = CONFORMANCE_BROKEN;

	(void)count; /* two */
	outcome->has_baseline = rc == 0;
	if (rc == 0)
		rc = read_all(files + 1, 1, &second, &err);
	if (rc < 0)
		command_fail(&err);
	else
		status = conformance_conclude(outcome, &second);
	conf_report_free(&second);
	return status;
}
