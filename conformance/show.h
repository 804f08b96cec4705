/* Reports for people and for programs, in several forms. */
#ifndef SANDTAPE_CONFORMANCE_SHOW_H
#define SANDTAPE_CONFORMANCE_SHOW_H

#include "conformance/report.h"

enum conf_format {
	CONF_TABLE, /* for a terminal */
	CONF_TAP,   /* Test Anything Protocol, version 14 */
	CONF_JUNIT,
	CONF_JSON, /* conformance/report.schema.json */
	CONF_HTML, /* one page, which needs nothing else */
	CONF_FORMATS
};

/* CONF_FORMATS: there is no such format. */
enum conf_format conf_format_number(const char *name);

struct conf_look {
	unsigned width; /* of lines; 0: as long as it takes */
	bool colour;
};

/* Appends the report; `look` is for a table. 0 or ERR_NOMEM. */
int conf_show(const struct conf_report *report, enum conf_format format,
	      const struct conf_look *look, struct buf *out, struct error *err);

/* --- the forms: each appends, 0 or ERR_NOMEM --- */

int conf_show_table(const struct conf_report *report, const struct conf_look *look,
		    struct buf *out);
int conf_show_tap(const struct conf_report *report, struct buf *out);
int conf_show_junit(const struct conf_report *report, struct buf *out);
int conf_show_html(const struct conf_report *report, struct buf *out);

/* What test reports call it. */
enum conf_outcome {
	CONF_PASSES,
	CONF_FAILS,
	CONF_BREAKS,	/* the probe did */
	CONF_IS_KNOWN,	/* it fails as in the baseline */
	CONF_IS_SKIPPED /* nothing was measured */
};
enum conf_outcome conf_outcome(const struct conf_report *report, const struct conf_entry *entry);

#endif
