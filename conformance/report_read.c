/* A report from JSON. Errors name the file, the line and the key. */
#include "conformance/report.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/jsontext.h"
#include "sandbox/plan.h"
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPORT_MAX_BYTES (UINT64_C(64) << 20)
#define STEPS_MAX	 4

struct reader {
	struct bytes text;
	const char *name;
	struct conf_report *report;
	struct jsontext_step steps[STEPS_MAX];
	size_t depth;
	struct error *err;
};

/* One member of an object, and where in a struct it goes. */
struct field {
	const char *key;
	int (*read)(struct reader *r, const json_t *value, void *to);
	size_t offset;
	bool optional;
};

static int at_steps(const struct reader *r, int code)
{
	return jsontext_error_at(r->text, r->name, r->steps, r->depth, code, r->err);
}

__attribute__((format(printf, 2, 3))) static int wrong(const struct reader *r, const char *format,
						       ...)
{
	char what[256];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	return at_steps(r, error_set(r->err, ERR_FORMAT, "%s", what));
}

static int read_fields(struct reader *r, const json_t *object, const struct field *fields,
		       size_t count, void *to)
{
	int rc = 0;

	if (!json_is_object(object))
		return wrong(r, "it must be an object");
	for (size_t i = 0; rc == 0 && i < count; i++) {
		const struct field *field = &fields[i];
		const json_t *value = json_object_get(object, field->key);

		if (!value && field->optional)
			continue;
		if (!value)
			return wrong(r, "\"%s\" is missing", field->key);
		r->steps[r->depth++] = (struct jsontext_step){field->key, 0};
		rc = field->read(r, value, (char *)to + field->offset);
		r->depth--;
	}
	return rc;
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- values ------------------------------------------------------------------------------------
 */

static int read_text(struct reader *r, const json_t *value, void *to)
{
	const char *text = json_string_value(value);
	const char **ret = to;

	if (!text || strlen(text) != json_string_length(value) || !conf_report_is_plain(text))
		return wrong(r, "it must be a string in one line");
	*ret = arena_add_str(&r->report->texts, text);
	return *ret ? 0 : error_no_memory(r->err);
}

static int read_text_or_null(struct reader *r, const json_t *value, void *to)
{
	if (!json_is_null(value))
		return read_text(r, value, to);
	*(const char **)to = "";
	return 0;
}

static int read_id(struct reader *r, const json_t *value, void *to)
{
	int rc = read_text(r, value, to);

	return rc == 0 && !**(const char **)to ? wrong(r, "it is empty") : rc;
}

/* A text into an array of a struct. */
static int read_into(struct reader *r, const json_t *value, char *to, size_t size)
{
	const char *text = "";
	int rc = read_text_or_null(r, value, &text);

	if (rc == 0 && strlen(text) >= size)
		return wrong(r, "it is too long");
	if (rc == 0)
		memcpy(to, text, strlen(text) + 1);
	return rc;
}

static int read_number(struct reader *r, const json_t *value, void *to)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < 0 || number > INT_MAX)
		return wrong(r, "it must be a whole number");
	*(int *)to = (int)number;
	return 0;
}

static int read_number_or_null(struct reader *r, const json_t *value, void *to)
{
	if (!json_is_null(value))
		return read_number(r, value, to);
	*(int *)to = -1;
	return 0;
}

static int read_seconds(struct reader *r, const json_t *value, void *to)
{
	double seconds = json_number_value(value);

	if (!json_is_number(value) || !(seconds >= 0 && seconds < 1e9))
		return wrong(r, "it must be a number of seconds");
	*(uint64_t *)to = (uint64_t)(seconds * 1e9 + 0.5);
	return 0;
}

/* --- names -------------------------------------------------------------------------------------
 */

static const char *name_of_mechanism(int i)
{
	return sandbox_mechanism_name((enum sandbox_mechanism)i);
}

static const char *name_of_layer(int i)
{
	return conf_layer_name((enum conf_layer)i);
}

static const char *name_of_user(int i)
{
	return conf_user_name(i != 0);
}

static const char *name_of_verdict(int i)
{
	return conf_verdict_name((enum conf_verdict)i);
}

static int read_name(struct reader *r, const json_t *value, const char *(*name_of)(int), int count,
		     const char *what, int *ret)
{
	const char *name = json_string_value(value);

	for (int i = 0; name && i < count; i++) {
		if (strcmp(name_of(i), name) != 0)
			continue;
		*ret = i;
		return 0;
	}
	return wrong(r, "there is no such %s", what);
}

static int read_mechanism(struct reader *r, const json_t *value, void *to)
{
	int found = 0;
	int rc = read_name(r, value, name_of_mechanism, SANDBOX_MECHS, "mechanism", &found);

	*(enum sandbox_mechanism *)to = (enum sandbox_mechanism)found;
	return rc;
}

static int read_layer(struct reader *r, const json_t *value, void *to)
{
	int found = 0;
	int rc = read_name(r, value, name_of_layer, CONF_LAYERS, "layer", &found);

	*(enum conf_layer *)to = (enum conf_layer)found;
	return rc;
}

static int read_user(struct reader *r, const json_t *value, void *to)
{
	int found = 0;
	int rc = read_name(r, value, name_of_user, 2, "user", &found);

	*(bool *)to = found != 0;
	return rc;
}

static int read_verdict(struct reader *r, const json_t *value, void *to)
{
	int found = 0;
	int rc = read_name(r, value, name_of_verdict, CONF_VERDICTS, "verdict", &found);

	*(enum conf_verdict *)to = (enum conf_verdict)found;
	return rc;
}

static int read_held(struct reader *r, const json_t *value, void *to)
{
	unsigned *held = to;
	const json_t *item;
	size_t i;

	if (!json_is_array(value))
		return wrong(r, "it must be an array of mechanisms");
	*held = 0;
	json_array_foreach(value, i, item)
	{
		enum sandbox_mechanism found;
		int rc;

		r->steps[r->depth++] = (struct jsontext_step){NULL, i};
		rc = read_mechanism(r, item, &found);
		r->depth--;
		if (rc < 0)
			return rc;
		*held |= 1U << found;
	}
	return 0;
}

/* --- the parts ---------------------------------------------------------------------------------
 */

static int read_observed(struct reader *r, const json_t *value, void *to)
{
	static const struct field runs[] = {
		{"control", read_text, CONF_CONTROL * sizeof(char *), true},
		{"allowed", read_text, CONF_ALLOWED * sizeof(char *), true},
		{"denied", read_text, CONF_DENIED * sizeof(char *), true},
		{"ablated", read_text, CONF_ABLATED * sizeof(char *), true},
	};

	return read_fields(r, value, runs, COUNT(runs), to);
}

#define ENTRY(member) offsetof(struct conf_entry, member)

static const struct field case_fields[] = {
	{"id", read_id, ENTRY(id), false},
	{"mechanism", read_mechanism, ENTRY(mechanism), false},
	{"layer", read_layer, ENTRY(layer), false},
	{"user", read_user, ENTRY(root), false},
	{"verdict", read_verdict, ENTRY(verdict), false},
	{"expected", read_text_or_null, ENTRY(expected), false},
	{"observed", read_observed, ENTRY(observed), false},
	{"held_by", read_held, ENTRY(held), false},
	{"fix", read_text_or_null, ENTRY(fix), false},
	{"refs", read_text_or_null, ENTRY(refs), false},
	{"why", read_text_or_null, ENTRY(why), false},
	{"reason", read_text_or_null, ENTRY(reason), false},
};

static int compare_entries(const void *one, const void *two)
{
	return conf_entry_compare(*(const struct conf_entry *const *)one,
				  *(const struct conf_entry *const *)two);
}

/* Each result is there once. */
static int check_twins(struct reader *r)
{
	const struct conf_report *report = r->report;
	cleanup_free const struct conf_entry **sorted = calloc(report->count + 1, sizeof(*sorted));

	if (!sorted)
		return error_no_memory(r->err);
	for (size_t i = 0; i < report->count; i++)
		sorted[i] = &report->entry[i];
	qsort(sorted, report->count, sizeof(struct conf_entry *), compare_entries);
	for (size_t i = 1; i < report->count; i++) {
		const struct conf_entry *e = sorted[i];

		if (conf_entry_compare(sorted[i - 1], e) != 0)
			continue;
		r->steps[r->depth++] = (struct jsontext_step){NULL, (size_t)(e - report->entry)};
		return wrong(r, "%s is there twice as %s in the layer %s", e->id,
			     conf_user_name(e->root), conf_layer_name(e->layer));
	}
	return 0;
}

static int read_cases(struct reader *r, const json_t *value, void *to)
{
	struct conf_report *report = to;
	const json_t *item;
	size_t i;

	if (!json_is_array(value))
		return wrong(r, "it must be an array");
	report->entry = calloc(json_array_size(value) + 1, sizeof(*report->entry));
	if (!report->entry)
		return error_no_memory(r->err);
	json_array_foreach(value, i, item)
	{
		struct conf_entry *e = &report->entry[report->count++];
		int rc;

		r->steps[r->depth++] = (struct jsontext_step){NULL, i};
		rc = read_fields(r, item, case_fields, COUNT(case_fields), e);
		r->depth--;
		if (rc < 0)
			return rc;
		e->was = CONF_VERDICTS;
		e->place = conf_report_place(e->id);
	}
	return check_twins(r);
}

static int read_kernel(struct reader *r, const json_t *value, void *to)
{
	return read_into(r, value, to, sizeof(((struct conf_host *)0)->kernel));
}

static int read_arch(struct reader *r, const json_t *value, void *to)
{
	return read_into(r, value, to, sizeof(((struct conf_host *)0)->arch));
}

static int read_lsm(struct reader *r, const json_t *value, void *to)
{
	return read_into(r, value, to, sizeof(((struct conf_host *)0)->lsm));
}

static int read_sysctls(struct reader *r, const json_t *value, void *to)
{
	struct conf_host *host = to;
	const char *key;
	json_t *one;
	int rc = 0;

	if (!json_is_object(value))
		return wrong(r, "it must be an object");
	if (json_object_size(value) > CONF_SYSCTLS)
		return wrong(r, "there are more than %d", CONF_SYSCTLS);
	json_object_foreach((json_t *)value, key, one)
	{
		r->steps[r->depth++] = (struct jsontext_step){key, 0};
		if (!conf_report_is_plain(key))
			rc = wrong(r, "its name is not in one line");
		host->sysctl[host->sysctls].name = arena_add_str(&r->report->texts, key);
		if (rc == 0 && !host->sysctl[host->sysctls].name)
			rc = error_no_memory(r->err);
		if (rc == 0)
			rc = read_into(r, one, host->sysctl[host->sysctls].value,
				       sizeof(host->sysctl[0].value));
		r->depth--;
		if (rc < 0)
			return rc;
		host->sysctls++;
	}
	return 0;
}

#define HOST(member) offsetof(struct conf_host, member)

static int read_host(struct reader *r, const json_t *value, void *to)
{
	static const struct field fields[] = {
		{"kernel", read_kernel, HOST(kernel), false},
		{"arch", read_arch, HOST(arch), false},
		{"landlock_abi", read_number, HOST(landlock_abi), false},
		{"errata", read_number_or_null, HOST(errata), false},
		{"lsm", read_lsm, HOST(lsm), false},
		{"sysctls", read_sysctls, 0, false},
	};

	return read_fields(r, value, fields, COUNT(fields), to);
}

/* What is counted in it is counted anew. */
static int read_summary(struct reader *r, const json_t *value, void *to)
{
	static const struct field fields[] = {{"duration_s", read_seconds, 0, false}};

	return read_fields(r, value, fields, COUNT(fields), to);
}

static int read_schema(struct reader *r, const json_t *value, void *to)
{
	int schema = 0;
	int rc = read_number(r, value, &schema);

	(void)to;
	if (rc < 0 || schema == CONF_REPORT_SCHEMA)
		return rc;
	error_set(r->err, ERR_VERSION, "the report is of schema %d, and this program reads %d",
		  schema, CONF_REPORT_SCHEMA);
	return at_steps(r, ERR_VERSION);
}

static int read_shard(struct reader *r, const json_t *value, void *to)
{
	const char *text = "";
	int rc = read_text(r, value, &text);

	if (rc == 0 && conf_shard_parse(text, to, r->err) < 0)
		rc = at_steps(r, ERR_FORMAT);
	return rc;
}

#define REPORT(member) offsetof(struct conf_report, member)

static int read_report(struct reader *r, const json_t *value)
{
	/* The schema comes first: it says what the others are. */
	static const struct field fields[] = {
		{"schema", read_schema, 0, false},
		{"host", read_host, REPORT(host), false},
		{"shard", read_shard, REPORT(shard), true},
		{"summary", read_summary, REPORT(duration_ns), false},
		{"cases", read_cases, 0, false},
	};

	return read_fields(r, value, fields, COUNT(fields), r->report);
}

int conf_report_parse(struct bytes text, const char *name, struct conf_report *ret,
		      struct error *err)
{
	struct reader r = {.text = text, .name = name, .report = ret, .err = err};
	json_t *value = NULL;
	int line = 1;
	int rc = jsontext_load(text, &value, &line, err);

	*ret = (struct conf_report){.count = 0};
	if (rc == ERR_FORMAT)
		return error_wrap(err, rc, "%s:%d: this is no whole JSON", name, line);
	if (rc == 0)
		rc = read_report(&r, value);
	json_decref(value);
	if (rc < 0)
		conf_report_free(ret);
	return rc;
}

int conf_report_read(const char *path, struct conf_report *ret, struct error *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	int rc = fs_read_file(path, REPORT_MAX_BYTES, &text, err);

	if (rc < 0)
		return rc;
	return conf_report_parse((struct bytes){text.data ? text.data : "", text.len}, path, ret,
				 err);
}
