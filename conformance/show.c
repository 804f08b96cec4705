/* The forms of a report. */
#include "conformance/show.h"

#include "conformance/gate.h"
#include <string.h>

enum conf_format conf_format_number(const char *name)
{
	static const char *const names[CONF_FORMATS] = {
		[CONF_TABLE] = "table", [CONF_TAP] = "tap",   [CONF_JUNIT] = "junit",
		[CONF_JSON] = "json",	[CONF_HTML] = "html",
	};
	int i = 0;

	while (i < CONF_FORMATS && strcmp(names[i], name) != 0)
		i++;
	return (enum conf_format)i;
}

enum conf_outcome conf_outcome(const struct conf_report *report, const struct conf_entry *entry)
{
	if (conf_verdict_status(entry->verdict) == 2)
		return CONF_BREAKS;
	if (conf_gate_fails(report, entry))
		return CONF_FAILS;
	if (conf_verdict_status(entry->verdict) == 1)
		return CONF_IS_KNOWN;
	return entry->verdict == CONF_CONFORMS ? CONF_PASSES : CONF_IS_SKIPPED;
}

int conf_show(const struct conf_report *report, enum conf_format format,
	      const struct conf_look *look, struct buf *out, struct error *err)
{
	int rc;

	switch (format) {
	case CONF_TAP:
		rc = conf_show_tap(report, out);
		break;
	case CONF_JUNIT:
		rc = conf_show_junit(report, out);
		break;
	case CONF_JSON:
		rc = conf_report_json(report, CONF_JSON_FILE, out, NULL);
		break;
	case CONF_HTML:
		rc = conf_show_html(report, out);
		break;
	default:
		rc = conf_show_table(report, look, out);
	}
	return rc < 0 ? error_no_memory(err) : 0;
}
