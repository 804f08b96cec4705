/* Reports for tests, from rows. */
#ifndef SANDTAPE_CONFORMANCE_REPORT_TEST_H
#define SANDTAPE_CONFORMANCE_REPORT_TEST_H

#include "conformance/report.h"

struct report_row {
	const char *id; /* "landlock-fs.x": of the mechanism before the point; NULL: the end */
	enum conf_layer layer;
	bool root;
	enum conf_verdict verdict;
};

/* Of x86_64 and a kernel "6.1". Each has the fix "abc", and the reason "because". */
void report_make_rows(const struct report_row *rows, struct conf_report *ret);
/* The text of a report in a file. */
void report_text(const struct conf_report *report, struct buf *ret);

#endif
