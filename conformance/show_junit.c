/* A report as JUnit XML: a suite for each mechanism. */
#include "conformance/show.h"

#include "sandbox/plan.h"
#include <stdio.h>
#include <string.h>

/* Texts of a report have no control characters, so that these are all. */
static int add_escaped(struct buf *out, const char *text)
{
	int rc = 0;

	for (; rc == 0 && *text; text++) {
		const char *entity = *text == '&'   ? "&amp;"
				     : *text == '<' ? "&lt;"
				     : *text == '>' ? "&gt;"
				     : *text == '"' ? "&quot;"
						    : NULL;

		rc = entity ? buf_add_str(out, entity) : buf_add_char(out, *text);
	}
	return rc;
}

/* ` name="value"` */
static int add_attribute(struct buf *out, const char *name, const char *value)
{
	int rc = buf_addf(out, " %s=\"", name);

	if (rc == 0)
		rc = add_escaped(out, value);
	return rc == 0 ? buf_add_char(out, '"') : rc;
}

static int add_line(struct buf *out, const char *key, const char *text)
{
	int rc = 0;

	if (!text || !*text)
		return 0;
	rc = buf_addf(out, "%s: ", key);
	if (rc == 0)
		rc = add_escaped(out, text);
	return rc == 0 ? buf_add_char(out, '\n') : rc;
}

/* <failure>, <error> */
static int add_failure(struct buf *out, const char *tag, const struct conf_entry *e)
{
	int rc = buf_addf(out, "      <%s", tag);

	if (rc == 0)
		rc = add_attribute(out, "type", conf_verdict_name(e->verdict));
	if (rc == 0)
		rc = add_attribute(out, "message", e->reason);
	if (rc == 0)
		rc = buf_add_char(out, '>');
	if (rc == 0)
		rc = add_line(out, "expected", e->expected);
	if (rc == 0)
		rc = add_line(out, "without a sandbox", e->observed[CONF_CONTROL]);
	if (rc == 0)
		rc = add_line(out, "where it is granted", e->observed[CONF_ALLOWED]);
	if (rc == 0)
		rc = add_line(out, "where it is not", e->observed[CONF_DENIED]);
	if (rc == 0)
		rc = add_line(out, "fix", e->fix);
	if (rc == 0)
		rc = add_line(out, "refs", e->refs);
	return rc == 0 ? buf_addf(out, "</%s>\n", tag) : rc;
}

static int add_skipped(struct buf *out, const struct conf_entry *e, bool known)
{
	int rc = buf_addf(out, "      <skipped message=\"%s%s: ", known ? "known, " : "",
			  conf_verdict_name(e->verdict));

	if (rc == 0)
		rc = add_escaped(out, e->reason);
	if (rc == 0 && known && *e->fix)
		rc = buf_add_str(out, "; fix: ");
	if (rc == 0 && known)
		rc = add_escaped(out, e->fix);
	return rc == 0 ? buf_add_str(out, "\"/>\n") : rc;
}

static int add_case(struct buf *out, const struct conf_entry *e, enum conf_outcome outcome)
{
	char name[256];
	int rc = buf_add_str(out, "    <testcase");

	snprintf(name, sizeof(name), "%s (%s, %s)", e->id, conf_layer_name(e->layer),
		 conf_user_name(e->root));
	if (rc == 0)
		rc = add_attribute(out, "classname", sandbox_mechanism_name(e->mechanism));
	if (rc == 0)
		rc = add_attribute(out, "name", name);
	if (rc < 0 || outcome == CONF_PASSES)
		return rc == 0 ? buf_add_str(out, "/>\n") : rc;
	rc = buf_add_str(out, ">\n");
	if (rc == 0 && (outcome == CONF_FAILS || outcome == CONF_BREAKS))
		rc = add_failure(out, outcome == CONF_FAILS ? "failure" : "error", e);
	else if (rc == 0)
		rc = add_skipped(out, e, outcome == CONF_IS_KNOWN);
	return rc == 0 ? buf_add_str(out, "    </testcase>\n") : rc;
}

struct sums {
	size_t tests, failures, errors, skipped;
};

/* Of a mechanism; SANDBOX_MECHS: of all. */
static struct sums sum(const struct conf_report *report, int mechanism)
{
	struct sums sums = {0, 0, 0, 0};

	for (size_t i = 0; i < report->count; i++) {
		const struct conf_entry *e = &report->entry[i];
		enum conf_outcome outcome = conf_outcome(report, e);

		if (mechanism != SANDBOX_MECHS && mechanism != (int)e->mechanism)
			continue;
		sums.tests++;
		sums.failures += outcome == CONF_FAILS;
		sums.errors += outcome == CONF_BREAKS;
		sums.skipped += outcome == CONF_IS_KNOWN || outcome == CONF_IS_SKIPPED;
	}
	return sums;
}

static int add_sums(struct buf *out, const struct sums *s)
{
	return buf_addf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\"",
			s->tests, s->failures, s->errors, s->skipped);
}

static int add_property(struct buf *out, const char *name, const char *value)
{
	int rc = buf_add_str(out, "      <property");

	if (rc == 0)
		rc = add_attribute(out, "name", name);
	if (rc == 0)
		rc = add_attribute(out, "value", value);
	return rc == 0 ? buf_add_str(out, "/>\n") : rc;
}

static int add_properties(struct buf *out, const struct conf_host *host)
{
	char abi[16];
	int rc = buf_add_str(out, "    <properties>\n");

	snprintf(abi, sizeof(abi), "%d", host->landlock_abi);
	if (rc == 0)
		rc = add_property(out, "kernel", host->kernel);
	if (rc == 0)
		rc = add_property(out, "arch", host->arch);
	if (rc == 0)
		rc = add_property(out, "landlock_abi", abi);
	return rc == 0 ? buf_add_str(out, "    </properties>\n") : rc;
}

static int add_suite(struct buf *out, const struct conf_report *report, int mechanism)
{
	struct sums sums = sum(report, mechanism);
	int rc;

	if (sums.tests == 0)
		return 0;
	rc = buf_add_str(out, "  <testsuite");
	if (rc == 0)
		rc = add_attribute(out, "name", sandbox_mechanism_name(mechanism));
	if (rc == 0)
		rc = add_sums(out, &sums);
	if (rc == 0)
		rc = buf_add_str(out, ">\n");
	if (rc == 0)
		rc = add_properties(out, &report->host);
	for (size_t i = 0; rc == 0 && i < report->count; i++)
		if ((int)report->entry[i].mechanism == mechanism)
			rc = add_case(out, &report->entry[i],
				      conf_outcome(report, &report->entry[i]));
	return rc == 0 ? buf_add_str(out, "  </testsuite>\n") : rc;
}

int conf_show_junit(const struct conf_report *report, struct buf *out)
{
	struct sums sums = sum(report, SANDBOX_MECHS);
	int rc = buf_add_str(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
				  "<testsuites name=\"sandtape conformance\"");

	if (rc == 0)
		rc = add_sums(out, &sums);
	if (rc == 0)
		rc = buf_addf(out, " time=\"%.3f\">\n", (double)report->duration_ns / 1e9);
	for (int i = 0; rc == 0 && i < SANDBOX_MECHS; i++)
		rc = add_suite(out, report, i);
	return rc == 0 ? buf_add_str(out, "</testsuites>\n") : rc;
}
