/* What a run comes to: against a baseline, from shards, for the exit status. */
#ifndef SANDTAPE_CONFORMANCE_GATE_H
#define SANDTAPE_CONFORMANCE_GATE_H

#include "conformance/report.h"

/* --- gate.c ---------------------------------------------------------------------------------- */

enum conf_extent {
	CONF_WHOLE, /* what the report does not have is gone */
	CONF_PART   /* not all was to be run: only what the suite does not have is */
};

/* ERR_INVALID: the baseline is of another architecture. */
int conf_gate_check(const struct conf_report *baseline, const struct conf_host *host,
		    struct error *err);
/* Sets what has changed in each result, and what is gone; `baseline` must live as long as the
 * report. As conf_gate_check(), or ERR_NOMEM. */
int conf_gate_compare(struct conf_report *report, const struct conf_report *baseline,
		      enum conf_extent extent, struct error *err);

struct conf_gate {
	unsigned required; /* bits of mechanisms of which nothing may be left unmeasured */
	bool is_shard;	   /* a required mechanism may have all its cases in others */
	void (*say)(void *ctx, const char *text); /* a sentence, why it is not 0 */
	void *ctx;
};

/* 0; 1: a result fails, and not as in the baseline that it was compared with, or is required, or
 * nothing was measured; 2: the suite is broken, whatever else. */
int conf_gate_status(const struct conf_report *report, const struct conf_gate *gate);
/* Whether the result lets the gate fail, of itself. */
bool conf_gate_fails(const struct conf_report *report, const struct conf_entry *entry);

/* --- shards.c -------------------------------------------------------------------------------- */

/* By the id alone: another case more moves none. */
bool conf_shard_has(const struct conf_shard *shard, const char *id);

/* One report of several, which must live as long as it. ERR_INVALID: they are of different hosts,
 * a result is there twice and not the same, or a shard is not there. */
int conf_merge(const struct conf_report *parts, const char *const *names, size_t count,
	       struct conf_report *ret, struct error *err);

#endif
