/* A report as a page: conformance/page.html, with the report in it as JSON. */
#include "conformance/show.h"

#include <string.h>

#define PLACE "@REPORT@"

/* page_linux.S */
extern const char conf_page[], conf_page_end[];

int conf_show_html(const struct conf_report *report, struct buf *out)
{
	const size_t len = (size_t)(conf_page_end - conf_page);
	const char *place = memmem(conf_page, len, PLACE, strlen(PLACE));
	int rc = buf_add(out, conf_page, (size_t)(place - conf_page));

	if (rc == 0)
		rc = conf_report_json(report, CONF_JSON_IN_HTML, out, NULL);
	place += strlen(PLACE);
	return rc == 0 ? buf_add(out, place, (size_t)(conf_page_end - place)) : rc;
}
