/* A report as TAP 14: https://testanything.org/tap-version-14-specification.html */
#include "conformance/show.h"

#include "base/cleanup.h"
#include "sandbox/plan.h"

/* In a description; "#" begins a directive. */
static int add_plain(struct buf *out, const char *text)
{
	int rc = 0;

	for (; rc == 0 && *text; text++) {
		if (*text == '#' || *text == '\\')
			rc = buf_add_char(out, '\\');
		if (rc == 0)
			rc = buf_add_char(out, *text);
	}
	return rc;
}

/* A member of the YAML block; none when it is empty. */
static int add_member(struct buf *out, const char *key, const char *text)
{
	int rc;

	if (!*text)
		return 0;
	rc = buf_addf(out, "  %s: \"", key);
	for (; rc == 0 && *text; text++) {
		if (*text == '"' || *text == '\\')
			rc = buf_add_char(out, '\\');
		if (rc == 0)
			rc = buf_add_char(out, *text);
	}
	return rc == 0 ? buf_add_str(out, "\"\n") : rc;
}

static int add_diagnostics(struct buf *out, const struct conf_entry *e)
{
	static const char *const runs[CONF_RUNS] = {"control", "allowed", "denied", "ablated"};
	char held[256];
	int rc = buf_add_str(out, "  ---\n");

	if (rc == 0)
		rc = add_member(out, "verdict", conf_verdict_name(e->verdict));
	if (rc == 0)
		rc = add_member(out, "reason", e->reason);
	if (rc == 0)
		rc = add_member(out, "expected", e->expected);
	for (int run = 0; rc == 0 && run < CONF_RUNS; run++)
		if (e->observed[run])
			rc = add_member(out, runs[run], e->observed[run]);
	if (rc == 0)
		rc = add_member(out, "held_by", conf_mechanisms_text(e->held, held, sizeof(held)));
	if (rc == 0)
		rc = add_member(out, "fix", e->fix);
	if (rc == 0)
		rc = add_member(out, "refs", e->refs);
	return rc == 0 ? buf_add_str(out, "  ...\n") : rc;
}

static int add_point(struct buf *out, size_t number, const struct conf_entry *e,
		     enum conf_outcome outcome)
{
	const bool is_ok = outcome == CONF_PASSES || outcome == CONF_IS_SKIPPED;
	int rc = buf_addf(out, "%s %zu - ", is_ok ? "ok" : "not ok", number);

	if (rc == 0)
		rc = add_plain(out, e->id);
	if (rc == 0)
		rc = buf_addf(out, " (%s, %s)", conf_layer_name(e->layer), conf_user_name(e->root));
	if (rc == 0 && outcome == CONF_IS_SKIPPED)
		rc = buf_addf(out, " # SKIP %s%s", conf_verdict_name(e->verdict),
			      *e->reason ? ": " : "");
	if (rc == 0 && outcome == CONF_IS_SKIPPED)
		rc = add_plain(out, e->reason);
	if (rc == 0 && outcome == CONF_IS_KNOWN)
		rc = buf_addf(out, " # TODO known%s", *e->fix ? "; fix: " : "");
	if (rc == 0 && outcome == CONF_IS_KNOWN)
		rc = add_plain(out, e->fix);
	if (rc == 0)
		rc = buf_add_char(out, '\n');
	return rc == 0 && !is_ok ? add_diagnostics(out, e) : rc;
}

int conf_show_tap(const struct conf_report *report, struct buf *out)
{
	int rc = buf_addf(out, "TAP version 14\n1..%zu\n# Linux ", report->count);

	if (rc == 0)
		rc = add_plain(out, report->host.kernel);
	if (rc == 0)
		rc = buf_addf(out, " on %s, ABI %d of Landlock\n", report->host.arch,
			      report->host.landlock_abi);
	for (size_t i = 0; rc == 0 && i < report->count; i++)
		rc = add_point(out, i + 1, &report->entry[i],
			       conf_outcome(report, &report->entry[i]));
	return rc;
}
