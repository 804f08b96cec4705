/* Reports against a baseline, and what they mean for an exit status. */
#include "conformance/gate.h"

#include "sandbox/plan.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOLD_SIZE 1024

/* --- against a baseline ------------------------------------------------------------------------
 */

static bool fails(enum conf_verdict verdict)
{
	return conf_verdict_status(verdict) > 0;
}

static enum conf_change change_of(enum conf_verdict is, const struct conf_entry *was)
{
	if (!was)
		return CONF_NEW;
	if (is == was->verdict)
		return fails(is) ? CONF_KNOWN : CONF_SAME;
	if (fails(is) || was->verdict == CONF_CONFORMS)
		return CONF_BROKEN;
	return is == CONF_CONFORMS && fails(was->verdict) ? CONF_FIXED : CONF_CHANGED;
}

static bool is_gone(const struct conf_report *report, const struct conf_entry *was,
		    enum conf_extent extent)
{
	if (conf_report_find(report, was))
		return false;
	return extent == CONF_WHOLE || (was->layer != CONF_LAUNCHER &&
					(was->place == conf_case_count ||
					 !conf_case_has(&conf_cases()[was->place], was->layer)));
}

int conf_gate_check(const struct conf_report *baseline, const struct conf_host *host,
		    struct error *err)
{
	if (strcmp(host->arch, baseline->host.arch) == 0)
		return 0;
	return error_set(err, ERR_INVALID,
			 "the baseline is of another architecture: %s, and this is %s",
			 baseline->host.arch, host->arch);
}

int conf_gate_compare(struct conf_report *report, const struct conf_report *baseline,
		      enum conf_extent extent, struct error *err)
{
	int rc = conf_gate_check(baseline, &report->host, err);

	if (rc < 0)
		return rc;
	report->gone = calloc(baseline->count + 1, sizeof(struct conf_entry *));
	if (!report->gone)
		return error_no_memory(err);
	for (size_t i = 0; i < report->count; i++) {
		struct conf_entry *e = &report->entry[i];
		const struct conf_entry *was = conf_report_find(baseline, e);

		e->was = was ? was->verdict : CONF_VERDICTS;
		e->change = change_of(e->verdict, was);
	}
	for (size_t i = 0; i < baseline->count; i++)
		if (is_gone(report, &baseline->entry[i], extent))
			report->gone[report->gone_count++] = &baseline->entry[i];
	report->compared = true;
	return 0;
}

/* --- the status --------------------------------------------------------------------------------
 */

bool conf_gate_fails(const struct conf_report *report, const struct conf_entry *entry)
{
	if (!report->compared)
		return fails(entry->verdict);
	return entry->change == CONF_BROKEN || (entry->change == CONF_NEW && fails(entry->verdict));
}

static bool is_broken(const struct conf_report *report, const struct conf_entry *entry)
{
	(void)report;
	return conf_verdict_status(entry->verdict) == 2;
}

static bool is_measured(const struct conf_entry *entry)
{
	return entry->verdict == CONF_CONFORMS || conf_verdict_status(entry->verdict) == 1;
}

static bool meets(const struct conf_entry *entry)
{
	return entry->verdict == CONF_CONFORMS || entry->verdict == CONF_NOT_APPLICABLE;
}

__attribute__((format(printf, 2, 3))) static void say(const struct conf_gate *gate,
						      const char *format, ...)
{
	char text[TOLD_SIZE];
	va_list args;

	if (!gate->say)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	gate->say(gate->ctx, text);
}

/* How many there are, and the first of them. */
static size_t pick(const struct conf_report *report,
		   bool (*is_one)(const struct conf_report *, const struct conf_entry *),
		   const struct conf_entry **ret_first)
{
	size_t count = 0;

	for (size_t i = 0; i < report->count; i++) {
		if (!is_one(report, &report->entry[i]))
			continue;
		if (count++ == 0)
			*ret_first = &report->entry[i];
	}
	return count;
}

static void say_of(const struct conf_gate *gate, size_t count, const char *what,
		   const struct conf_entry *first)
{
	say(gate, "%zu result%s %s: %s%s (%s, %s) %s%s%s", count, count == 1 ? "" : "s", what,
	    count == 1 ? "" : "first ", first->id, conf_layer_name(first->layer),
	    conf_user_name(first->root), conf_verdict_name(first->verdict),
	    *first->reason ? ": " : "", first->reason);
}

static int check_broken(const struct conf_report *report, const struct conf_gate *gate)
{
	const struct conf_entry *first = NULL;
	size_t count = pick(report, is_broken, &first);

	if (count > 0)
		say_of(gate, count, count == 1 ? "says nothing" : "say nothing", first);
	return count > 0 ? 2 : 0;
}

static int check_failed(const struct conf_report *report, const struct conf_gate *gate)
{
	const struct conf_entry *first = NULL;
	size_t count = pick(report, conf_gate_fails, &first);

	if (count > 0 && report->compared)
		say_of(gate, count,
		       count == 1 ? "is worse than in the baseline"
				  : "are worse than in the baseline",
		       first);
	else if (count > 0)
		say_of(gate, count, count == 1 ? "fails" : "fail", first);
	return count > 0;
}

static int check_measured(const struct conf_report *report, const struct conf_gate *gate)
{
	for (size_t i = 0; i < report->count; i++)
		if (is_measured(&report->entry[i]))
			return 0;
	say(gate, "nothing was measured: no result conforms or fails");
	return 1;
}

/* What keeps a mechanism from being had, of all its results: the first that is neither measured nor
 * not applicable; else, unless the mechanism itself has conformed, the first one. Where it is not
 * there, nothing of it is applicable, and a policy has others that deny the same. */
static const struct conf_entry *find_unmet(const struct conf_report *report, bool is_shard,
					   enum sandbox_mechanism mechanism, size_t *ret_count)
{
	const struct conf_entry *first[2] = {NULL}; /* of all, and of the mechanism alone */
	bool has[2] = {false};

	*ret_count = 0;
	for (size_t i = 0; i < report->count; i++) {
		const struct conf_entry *e = &report->entry[i];

		if (e->mechanism != mechanism)
			continue;
		++*ret_count;
		if (!meets(e))
			return e;
		for (int alone = 0; alone <= (e->layer == CONF_RAW); alone++) {
			first[alone] = first[alone] ? first[alone] : e;
			has[alone] = has[alone] || e->verdict == CONF_CONFORMS;
		}
	}
	return is_shard || has[first[1] != NULL] ? NULL : first[first[1] != NULL];
}

/* Of one mechanism. */
static int check_mechanism(const struct conf_report *report, const struct conf_gate *gate,
			   enum sandbox_mechanism mechanism)
{
	size_t count;
	const struct conf_entry *unmet = find_unmet(report, gate->is_shard, mechanism, &count);

	if (unmet)
		say(gate, "%s is required, and %s%s (%s, %s) is %s%s%s",
		    sandbox_mechanism_name(mechanism),
		    meets(unmet) ? "nothing of it was measured: first " : "", unmet->id,
		    conf_layer_name(unmet->layer), conf_user_name(unmet->root),
		    conf_verdict_name(unmet->verdict), *unmet->reason ? ": " : "", unmet->reason);
	else if (count == 0 && !gate->is_shard)
		say(gate, "%s is required, and has no result", sandbox_mechanism_name(mechanism));
	return unmet || (count == 0 && !gate->is_shard);
}

int conf_gate_status(const struct conf_report *report, const struct conf_gate *gate)
{
	int status = check_measured(report, gate);

	if (check_failed(report, gate) > 0)
		status = 1;
	for (int i = 0; i < SANDBOX_MECHS; i++)
		if (gate->required & (1U << i) && check_mechanism(report, gate, i) > 0)
			status = 1;
	return check_broken(report, gate) > 0 ? 2 : status;
}
