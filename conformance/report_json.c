/* A report to JSON. */
#include "conformance/report.h"

#include "base/cleanup.h"
#include "base/jsontext.h"
#include "sandbox/plan.h"
#include <stdio.h>
#include <string.h>

static json_t *mechanisms(unsigned bits)
{
	json_t *list = json_array();

	for (int i = 0; i < SANDBOX_MECHS; i++)
		if (bits & (1U << i))
			json_array_append_new(list, json_string(sandbox_mechanism_name(i)));
	return list;
}

/* "" is null. */
static json_t *text_or_null(const char *text)
{
	return *text ? json_string(text) : json_null();
}

static json_t *make_host(const struct conf_host *host)
{
	json_t *sysctls = json_object();

	for (size_t i = 0; i < host->sysctls; i++)
		json_object_set_new(sysctls, host->sysctl[i].name,
				    json_string(host->sysctl[i].value));
	return json_pack("{s:s, s:s, s:i, s:o, s:o, s:o}", "kernel", host->kernel, "arch",
			 host->arch, "landlock_abi", host->landlock_abi, "errata",
			 host->errata < 0 ? json_null() : json_integer(host->errata), "lsm",
			 text_or_null(host->lsm), "sysctls", sysctls);
}

static json_t *make_observed(const struct conf_entry *e)
{
	static const char *const names[CONF_RUNS] = {"control", "allowed", "denied", "ablated"};
	json_t *observed = json_object();

	for (int run = 0; run < CONF_RUNS; run++)
		if (e->observed[run])
			json_object_set_new(observed, names[run], json_string(e->observed[run]));
	return observed;
}

static json_t *make_case(const struct conf_entry *e, bool compared)
{
	json_t *made =
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o}", "id", e->id, "mechanism",
			  sandbox_mechanism_name(e->mechanism), "layer", conf_layer_name(e->layer),
			  "user", conf_user_name(e->root), "verdict", conf_verdict_name(e->verdict),
			  "expected", text_or_null(e->expected), "observed", make_observed(e),
			  "held_by", mechanisms(e->held));

	json_object_set_new(made, "fix", text_or_null(e->fix));
	json_object_set_new(made, "refs", text_or_null(e->refs));
	json_object_set_new(made, "why", text_or_null(e->why));
	json_object_set_new(made, "reason", text_or_null(e->reason));
	if (compared) {
		json_object_set_new(made, "change", json_string(conf_change_name(e->change)));
		json_object_set_new(made, "was",
				    e->was == CONF_VERDICTS
					    ? json_null()
					    : json_string(conf_verdict_name(e->was)));
	}
	return made;
}

static json_t *make_summary(const struct conf_report *report)
{
	struct conf_counts counts;
	json_t *verdicts = json_object();

	conf_report_count(report, &counts);
	for (int i = 0; i < CONF_VERDICTS; i++)
		json_object_set_new(verdicts, conf_verdict_name(i),
				    json_integer((json_int_t)counts.verdict[i]));
	return json_pack("{s:I, s:I, s:f, s:o}", "cases", (json_int_t)counts.cases, "results",
			 (json_int_t)counts.results, "duration_s",
			 (double)report->duration_ns / 1e9, "verdicts", verdicts);
}

static json_t *make(const struct conf_report *report)
{
	json_t *cases = json_array(), *made;
	char shard[32];

	for (size_t i = 0; i < report->count; i++)
		json_array_append_new(cases, make_case(&report->entry[i], report->compared));
	made = json_pack("{s:i, s:o, s:o, s:o}", "schema", CONF_REPORT_SCHEMA, "host",
			 make_host(&report->host), "summary", make_summary(report), "cases", cases);
	if (report->shard.of > 0) {
		snprintf(shard, sizeof(shard), "%u/%u", report->shard.number, report->shard.of);
		json_object_set_new(made, "shard", json_string(shard));
	}
	return made;
}

/* A value that was to be set without memory is missing, and jansson does not say so: the text must
 * read back to as many members as there are. */
static bool is_whole(const json_t *made, const struct conf_report *report)
{
	const json_t *cases = json_object_get(made, "cases"), *one;
	const size_t members = report->compared ? 14 : 12;
	size_t i;

	if (json_object_size(made) != (report->shard.of > 0 ? 5 : 4) ||
	    json_array_size(cases) != report->count ||
	    json_object_size(json_object_get(json_object_get(made, "host"), "sysctls")) !=
		    report->host.sysctls ||
	    json_object_size(json_object_get(json_object_get(made, "summary"), "verdicts")) !=
		    CONF_VERDICTS)
		return false;
	json_array_foreach(cases, i, one)
	{
		const struct conf_entry *e = &report->entry[i];
		size_t runs = 0;

		for (int run = 0; run < CONF_RUNS; run++)
			runs += e->observed[run] != NULL;
		if (json_object_size(one) != members ||
		    json_object_size(json_object_get(one, "observed")) != runs ||
		    json_array_size(json_object_get(one, "held_by")) !=
			    (size_t)__builtin_popcount(e->held))
			return false;
	}
	return true;
}

/* Within JSON, "<" is only ever in a string. */
static int add_without_tags(const struct buf *text, struct buf *out)
{
	int rc = 0;

	for (size_t at = 0; rc == 0 && at < text->len;) {
		const char *found = memchr(text->data + at, '<', text->len - at);
		size_t end = found ? (size_t)(found - text->data) : text->len;

		rc = buf_add(out, text->data + at, end - at);
		if (rc == 0 && found)
			rc = buf_add_str(out, "\\u003c");
		at = end + 1;
	}
	return rc;
}

int conf_report_json(const struct conf_report *report, enum conf_json_use use, struct buf *out,
		     struct error *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	json_t *made = make(report);
	int rc = ERR_NOMEM;

	if (made && is_whole(made, report))
		rc = jsontext_dump(made,
				   JSON_REAL_PRECISION(6) |
					   (use == CONF_JSON_FILE ? JSON_INDENT(2) : JSON_COMPACT),
				   &text);
	json_decref(made);
	if (rc == 0 && use == CONF_JSON_IN_HTML)
		rc = add_without_tags(&text, out);
	else if (rc == 0 && (rc = buf_add(out, text.data, text.len)) == 0)
		rc = buf_add_char(out, '\n');
	return rc < 0 ? error_no_memory(err) : 0;
}
