/* The command conformance, in parts. */
#ifndef SANDTAPE_TOOLS_CONFORMANCE_H
#define SANDTAPE_TOOLS_CONFORMANCE_H

#include "conformance/gate.h"
#include "conformance/show.h"
#include "sandbox/plan.h"
#include "tools/command.h"
#include "tools/options.h"

/* Exit statuses besides 0, of this command. */
enum { CONFORMANCE_FAILED = 1, CONFORMANCE_BROKEN = 2 };

struct conformance_options {
	bool list, ablate, quiet, help, merge, compare;
	const char *filter, *user, *launcher, *sabotage, *scratch, *jobs, *shard;
	const char *baseline, *save_baseline, *require, *format, *output;
};

/* "seccomp,landlock-fs" as bits. */
int conformance_mechanisms(const char *names, unsigned *ret, struct error *err);

/* --- conformance_report.c: what becomes of a report ------------------------------------------ */

struct conformance_outcome {
	const struct conformance_options *options;
	enum conf_format format;
	unsigned required;
	struct conf_report baseline;
	bool has_baseline;
	int output_fd, baseline_fd; /* of fs_report_open(), -1 for a regular file */
};

/* Before anything is run: reads the baseline, and looks at the places that are written to. With
 * `host`, the baseline must be of its architecture. */
int conformance_prepare(const struct conformance_options *options, const struct conf_host *host,
			struct conformance_outcome *ret, struct error *err);
void conformance_close(struct conformance_outcome *outcome);
/* Compares, shows and saves. Returns the exit status. */
int conformance_conclude(struct conformance_outcome *outcome, struct conf_report *report);

/* Reports from files. */
int conformance_merge(char *const *files, size_t count, struct conformance_outcome *outcome);
int conformance_compare(char *const *files, size_t count, struct conformance_outcome *outcome);

#endif
