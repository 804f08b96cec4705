/* A report for a terminal: what conforms is counted, all else has a line. */
#include "conformance/show.h"

#include "base/cleanup.h"
#include "sandbox/plan.h"
#include <stdio.h>
#include <string.h>

#define NAME_WIDTH 16
#define INDENT	   4 /* of the second line of an entry */

struct table {
	const struct conf_report *report;
	const struct conf_look *look;
	struct buf *out;
	bool failed; /* there was no memory */
};

enum colour { PLAIN, RED, YELLOW, GREEN };

static void add(struct table *t, const char *text, size_t len)
{
	t->failed |= buf_add(t->out, text, len) < 0;
}

static void add_text(struct table *t, const char *text)
{
	add(t, text, strlen(text));
}

static void add_colour(struct table *t, enum colour colour)
{
	static const char *const codes[] = {"\x1b[0m", "\x1b[1;31m", "\x1b[33m", "\x1b[32m"};

	if (t->look->colour)
		add_text(t, codes[colour]);
}

/* --- lines -------------------------------------------------------------------------------------
 */

/* Columns of the bytes; each character takes one. */
static size_t columns(const char *text, size_t len)
{
	size_t count = 0;

	for (size_t i = 0; i < len; i++)
		count += ((unsigned char)text[i] & 0xc0) != 0x80;
	return count;
}

/* The rest of a line that is at a column, and its newline: broken at spaces where it must be. */
static void add_wrapped(struct table *t, size_t column, size_t indent, const char *text)
{
	const bool wraps = t->look->width > indent + 20;
	bool begins = true;

	for (const char *at = text; *at;) {
		size_t len = strcspn(at, " "), width = columns(at, len);

		if (!begins && wraps && column + 1 + width > t->look->width) {
			char space[32];

			add(t, space,
			    (size_t)snprintf(space, sizeof(space), "\n%*s", (int)indent, ""));
			column = indent;
			begins = true;
		}
		if (!begins) {
			add_text(t, " ");
			column++;
		}
		add(t, at, len);
		column += width;
		begins = false;
		at += len + (at[len] == ' ');
	}
	add_text(t, "\n");
}

/* --- a mechanism -------------------------------------------------------------------------------
 */

/* "40 conforms, 2 escaped" */
static int count_verdicts(const size_t counts[CONF_VERDICTS], struct buf *out)
{
	int rc = 0;

	for (int i = 0; rc == 0 && i < CONF_VERDICTS; i++)
		if (counts[i] > 0)
			rc = buf_addf(out, "%s%zu %s", out->len ? ", " : "", counts[i],
				      conf_verdict_name(i));
	return rc;
}

static bool is_told(const struct conf_report *report, const struct conf_entry *e)
{
	if (report->compared && e->change != CONF_SAME && e->change != CONF_NEW)
		return true;
	return e->verdict != CONF_CONFORMS && e->verdict != CONF_NOT_APPLICABLE;
}

/* The same of another user, so that one line will do. */
static bool is_twin(const struct conf_entry *a, const struct conf_entry *b)
{
	return strcmp(a->id, b->id) == 0 && a->layer == b->layer && a->verdict == b->verdict &&
	       a->change == b->change && a->was == b->was && strcmp(a->reason, b->reason) == 0;
}

static const struct conf_entry *find_twin(const struct conf_report *report,
					  const struct conf_entry *e)
{
	for (size_t i = 0; i < report->count; i++)
		if (&report->entry[i] != e && is_twin(&report->entry[i], e))
			return &report->entry[i];
	return NULL;
}

static int describe(const struct conf_report *report, const struct conf_entry *e, bool both,
		    struct buf *out)
{
	/* That a case is new is of interest when it fails. */
	bool has_changed = report->compared && e->change != CONF_SAME &&
			   (e->change != CONF_NEW || conf_verdict_status(e->verdict) > 0);
	int rc = buf_addf(out, "%s (%s, %s)", e->id, conf_layer_name(e->layer),
			  both ? "root and ordinary" : conf_user_name(e->root));

	if (rc == 0 && has_changed)
		rc = buf_addf(out, " [%s%s%s]", conf_change_name(e->change),
			      e->was != CONF_VERDICTS && e->was != e->verdict ? ": was " : "",
			      e->was != CONF_VERDICTS && e->was != e->verdict
				      ? conf_verdict_name(e->was)
				      : "");
	if (rc == 0 && *e->reason)
		rc = buf_addf(out, ": %s", e->reason);
	if (rc == 0 && e->verdict == CONF_ESCAPED && *e->expected)
		rc = buf_addf(out, "; expected %s", e->expected);
	if (rc == 0 && e->verdict == CONF_ESCAPED && *e->fix)
		rc = buf_addf(out, "; fix: %s", e->fix);
	return rc;
}

static void add_entry(struct table *t, const struct conf_entry *e)
{
	cleanup_buf struct buf text = BUF_INIT;
	const struct conf_entry *twin = find_twin(t->report, e);
	const enum conf_outcome outcome = conf_outcome(t->report, e);
	const char *verdict = conf_verdict_name(e->verdict);

	if (twin && twin < e)
		return; /* it has told both */
	t->failed |= describe(t->report, e, twin != NULL, &text) < 0;
	add_text(t, "  ");
	add_colour(t, outcome == CONF_FAILS || outcome == CONF_BREAKS ? RED
		      : outcome == CONF_PASSES			      ? GREEN
								      : YELLOW);
	add_text(t, verdict);
	add_colour(t, PLAIN);
	add_text(t, " ");
	add_wrapped(t, 3 + strlen(verdict), INDENT, text.data ? text.data : "");
}

static void add_mechanism(struct table *t, enum sandbox_mechanism mechanism)
{
	cleanup_buf struct buf text = BUF_INIT;
	size_t counts[CONF_VERDICTS] = {0}, all = 0;
	char name[NAME_WIDTH + 2];

	for (size_t i = 0; i < t->report->count; i++)
		if (t->report->entry[i].mechanism == mechanism) {
			counts[t->report->entry[i].verdict]++;
			all++;
		}
	if (all == 0)
		return;
	t->failed |= count_verdicts(counts, &text) < 0;
	snprintf(name, sizeof(name), "%-*s ", NAME_WIDTH, sandbox_mechanism_name(mechanism));
	add_text(t, name);
	add_wrapped(t, NAME_WIDTH + 1, NAME_WIDTH + 1, text.data ? text.data : "");
	for (size_t i = 0; i < t->report->count; i++) {
		const struct conf_entry *e = &t->report->entry[i];

		if (e->mechanism == mechanism && is_told(t->report, e))
			add_entry(t, e);
	}
}

/* --- all of it ---------------------------------------------------------------------------------
 */

static void add_head(struct table *t)
{
	const struct conf_host *host = &t->report->host;
	char text[512], landlock[64] = "no Landlock";

	if (host->landlock_abi > 0)
		snprintf(landlock, sizeof(landlock), "ABI %d of Landlock", host->landlock_abi);
	snprintf(text, sizeof(text), "Linux %s on %s, %s", host->kernel, host->arch, landlock);
	add_wrapped(t, 0, 2, text);
}

static void add_gone(struct table *t)
{
	for (size_t i = 0; i < t->report->gone_count; i++) {
		const struct conf_entry *e = t->report->gone[i];
		char text[256];

		snprintf(text, sizeof(text), "gone %s (%s, %s): the baseline has it, and it was %s",
			 e->id, conf_layer_name(e->layer), conf_user_name(e->root),
			 conf_verdict_name(e->verdict));
		add_wrapped(t, 0, INDENT, text);
	}
}

static int add_changes(const struct conf_counts *counts, struct buf *out)
{
	bool begun = false;
	int rc = 0;

	for (int i = CONF_SAME + 1; rc == 0 && i < CONF_CHANGES; i++) {
		if (counts->change[i] == 0)
			continue;
		rc = buf_addf(out, "%s%zu %s", begun ? ", " : "; against the baseline ",
			      counts->change[i], conf_change_name(i));
		begun = true;
	}
	return rc == 0 && !begun ? buf_add_str(out, "; as in the baseline") : rc;
}

static void add_summary(struct table *t)
{
	cleanup_buf struct buf text = BUF_INIT, verdicts = BUF_INIT;
	struct conf_counts counts;

	conf_report_count(t->report, &counts);
	t->failed |= count_verdicts(counts.verdict, &verdicts) < 0;
	t->failed |= buf_addf(&text, "%zu result%s of %zu case%s in %.1f s%s%s", counts.results,
			      counts.results == 1 ? "" : "s", counts.cases,
			      counts.cases == 1 ? "" : "s", (double)t->report->duration_ns / 1e9,
			      verdicts.len ? ": " : "", verdicts.len ? verdicts.data : "") < 0;
	if (t->report->compared)
		t->failed |= add_changes(&counts, &text) < 0;
	add_wrapped(t, 0, 2, text.data ? text.data : "");
}

int conf_show_table(const struct conf_report *report, const struct conf_look *look, struct buf *out)
{
	struct table t = {.report = report, .look = look, .out = out};

	add_head(&t);
	for (int i = 0; i < SANDBOX_MECHS; i++)
		add_mechanism(&t, i);
	add_gone(&t);
	add_summary(&t);
	return t.failed ? ERR_NOMEM : 0;
}
