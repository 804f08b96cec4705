/* The model of a report, from a suite that was run. */
#include "conformance/report.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "sandbox/plan.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void conf_report_free(struct conf_report *report)
{
	free(report->entry);
	free(report->gone);
	arena_free(&report->texts);
	*report = (struct conf_report){.count = 0};
}

const char *conf_user_name(bool root)
{
	return root ? "root" : "ordinary";
}

const char *conf_change_name(enum conf_change change)
{
	static const char *const names[CONF_CHANGES] = {
		[CONF_SAME] = "same",	    [CONF_KNOWN] = "known", [CONF_FIXED] = "fixed",
		[CONF_BROKEN] = "broken",   [CONF_NEW] = "new",	    [CONF_GONE] = "gone",
		[CONF_CHANGED] = "changed",
	};

	return names[change];
}

const char *conf_mechanisms_text(unsigned bits, char *ret, size_t size)
{
	size_t len = 0;

	*ret = '\0';
	for (int i = 0; i < SANDBOX_MECHS && len < size; i++)
		if (bits & (1U << i))
			len += (size_t)snprintf(ret + len, size - len, "%s%s", len ? ", " : "",
						sandbox_mechanism_name(i));
	return ret;
}

/* --- texts -------------------------------------------------------------------------------------
 */

/* How many bytes from here on no report may have: controls of ASCII and of Latin 1, which terminals
 * obey, and the two characters that XML does not have. */
static size_t unfit(const char *at)
{
	const unsigned char *c = (const unsigned char *)at;

	if (c[0] < 0x20 || c[0] == 0x7f)
		return 1;
	if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] <= 0x9f)
		return 2;
	return c[0] == 0xef && c[1] == 0xbf && c[2] >= 0xbe ? 3 : 0;
}

bool conf_report_is_plain(const char *text)
{
	while (*text && !unfit(text))
		text++;
	return *text == '\0';
}

const char *conf_report_text(struct conf_report *report, const char *text)
{
	cleanup_buf struct buf quoted = BUF_INIT;
	char *copy, *to;

	if (!text_is_utf8(text, strlen(text))) {
		if (text_quote(&quoted, text, strlen(text)) < 0)
			return NULL;
		text = quoted.data;
	}
	copy = to = arena_add_str(&report->texts, text);
	for (const char *at = copy; at && *at;) {
		size_t bad = unfit(at);

		*to++ = bad ? '?' : *at;
		at += bad ? bad : 1;
	}
	if (to)
		*to = '\0';
	return copy;
}

/* --- from a suite ------------------------------------------------------------------------------
 */

struct maker {
	struct conf_report *report;
	bool failed; /* there was no memory */
};

static const char *copy(struct maker *m, const char *text)
{
	const char *made = conf_report_text(m->report, text ? text : "");

	m->failed |= !made;
	return made;
}

static void make_entry(struct maker *m, const struct conf_result *r, int abi,
		       struct conf_entry *ret)
{
	const struct conf_case *c = r->c;
	char text[CONF_EXPECTED_SIZE];

	*ret = (struct conf_entry){
		.id = copy(m, c->id),
		.place = conf_report_place(c->id),
		.mechanism = c->mechanism,
		.layer = r->layer,
		.root = r->root,
		.verdict = r->verdict,
		.expected = copy(m, conf_case_expected_there(c, r->layer, abi, text)),
		.held = r->layer == CONF_LAUNCHER ? 0 : conf_case_held(c, r->layer),
		.fix = copy(m, c->fix),
		.refs = copy(m, c->refs),
		.why = copy(m, c->why),
		.reason = copy(m, r->why),
		.was = CONF_VERDICTS};
	for (int run = 0; run < CONF_RUNS; run++)
		if (r->seen[run].ran)
			ret->observed[run] =
				copy(m, conf_seen_text(&r->seen[run], text, sizeof(text)));
}

static void make_host(struct maker *m, const struct conf_host *host)
{
	struct conf_host *to = &m->report->host;

	*to = *host;
	for (size_t i = 0; i < host->sysctls; i++)
		to->sysctl[i].name = copy(m, host->sysctl[i].name);
}

int conf_report_make(const struct conf_suite *suite, struct conf_report *ret, struct error *err)
{
	struct maker m = {ret, false};

	*ret = (struct conf_report){.duration_ns = suite->duration_ns};
	ret->entry = calloc(suite->count ? suite->count : 1, sizeof(*ret->entry));
	if (!ret->entry)
		return error_no_memory(err);
	make_host(&m, &suite->host);
	for (size_t i = 0; i < suite->count; i++)
		make_entry(&m, &suite->result[i], suite->host.landlock_abi,
			   &ret->entry[ret->count++]);
	if (!m.failed)
		return 0;
	conf_report_free(ret);
	return error_no_memory(err);
}

/* --- orders and sums ---------------------------------------------------------------------------
 */

int conf_entry_compare(const struct conf_entry *a, const struct conf_entry *b)
{
	int order = strcmp(a->id, b->id);

	if (order == 0)
		order = (int)a->layer - (int)b->layer;
	return order ? order : (int)b->root - (int)a->root;
}

size_t conf_report_place(const char *id)
{
	size_t i = 0;

	while (i < conf_case_count && strcmp(conf_cases()[i].id, id) != 0)
		i++;
	return i;
}

static int compare_places(const void *one, const void *two)
{
	const struct conf_entry *a = one, *b = two;

	if (a->root != b->root)
		return a->root ? -1 : 1;
	if (a->place != b->place)
		return a->place < b->place ? -1 : 1;
	return conf_entry_compare(a, b);
}

void conf_report_sort(struct conf_report *report)
{
	qsort(report->entry, report->count, sizeof(*report->entry), compare_places);
}

const struct conf_entry *conf_report_find(const struct conf_report *report,
					  const struct conf_entry *entry)
{
	for (size_t i = 0; i < report->count; i++)
		if (conf_entry_compare(&report->entry[i], entry) == 0)
			return &report->entry[i];
	return NULL;
}

/* Distinct ids. */
static size_t count_cases(const struct conf_report *report)
{
	size_t count = 0;

	for (size_t i = 0; i < report->count; i++) {
		size_t before = 0;

		while (before < i && strcmp(report->entry[before].id, report->entry[i].id) != 0)
			before++;
		count += before == i;
	}
	return count;
}

void conf_report_count(const struct conf_report *report, struct conf_counts *ret)
{
	*ret = (struct conf_counts){.cases = count_cases(report), .results = report->count};
	for (size_t i = 0; i < report->count; i++) {
		ret->verdict[report->entry[i].verdict]++;
		ret->change[report->entry[i].change]++;
	}
	ret->change[CONF_GONE] = report->gone_count;
}
