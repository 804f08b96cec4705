/*
 * What a run of the suite has found, as it stands in a file: reports are written, read back, merged
 * and compared. The form of the file is conformance/report.schema.json.
 *
 * All texts are UTF-8 in one line without control characters, so that every form of a report may
 * show them as they are. They belong to the report.
 */
#ifndef SANDTAPE_CONFORMANCE_REPORT_H
#define SANDTAPE_CONFORMANCE_REPORT_H

#include "base/arena.h"
#include "base/buf.h"
#include "conformance/conformance.h"

#define CONF_REPORT_SCHEMA 1

/* What became of a result since the baseline; CONF_SAME: nothing that concerns anybody. */
enum conf_change {
	CONF_SAME,
	CONF_KNOWN,   /* it fails as it did */
	CONF_FIXED,   /* it failed, and conforms */
	CONF_BROKEN,  /* it fails as it did not, or conformed and does not */
	CONF_NEW,     /* it is not in the baseline */
	CONF_GONE,    /* it is in the baseline, and the suite has it no more */
	CONF_CHANGED, /* neither conformed nor fails now */
	CONF_CHANGES
};

/* A result. */
struct conf_entry {
	const char *id;
	enum sandbox_mechanism mechanism;
	enum conf_layer layer;
	bool root; /* the user */
	enum conf_verdict verdict;
	const char *expected;		 /* "EACCES|SIGSYS"; "": whatever denies it */
	const char *observed[CONF_RUNS]; /* "done", "EACCES"; NULL: there was no such run */
	unsigned held;			 /* bits of mechanisms that deny it */
	const char *fix;		 /* of a kernel in which it escapes; "": none is known */
	const char *refs, *why;		 /* of the case */
	const char *reason;		 /* of the verdict; "" when it conforms */
	enum conf_change change;	 /* by conf_gate_compare() */
	enum conf_verdict was;		 /* with CONF_VERDICTS: it was not in the baseline */
	size_t place; /* of the case in the suite; conf_case_count: it has none */
};

/* Number `number` of `of`, from 1. */
struct conf_shard {
	unsigned number, of; /* 0: all cases */
};

struct conf_report {
	struct conf_host host;
	struct conf_shard shard;  /* that was run; a merged report has none */
	struct conf_entry *entry; /* in the order of the suite */
	size_t count;
	uint64_t duration_ns;
	bool compared; /* with a baseline, to which belongs what is gone: */
	const struct conf_entry **gone;
	size_t gone_count;
	struct arena texts; /* owns all of them */
};

void conf_report_free(struct conf_report *report);

/* --- report.c -------------------------------------------------------------------------------- */

/* 0 or ERR_NOMEM, as the next one. */
int conf_report_make(const struct conf_suite *suite, struct conf_report *ret, struct error *err);
/* A copy of a text that is made plain: what cannot stand in one line is replaced. NULL: there is no
 * memory. */
const char *conf_report_text(struct conf_report *report, const char *text);
/* Whether a text may stand in a report as it is. */
bool conf_report_is_plain(const char *text);
/* By user, root first, then as the suite has the cases, then by layer. What the suite does not have
 * comes last, by name. */
void conf_report_sort(struct conf_report *report);
/* Of a case by its id; conf_case_count: there is none. */
size_t conf_report_place(const char *id);
/* < 0, 0, > 0: in an order of its own. Entries of the same key are the same result. */
int conf_entry_compare(const struct conf_entry *a, const struct conf_entry *b);

/* The same result in another report. NULL: it is not there. */
const struct conf_entry *conf_report_find(const struct conf_report *report,
					  const struct conf_entry *entry);

struct conf_counts {
	size_t cases, results, verdict[CONF_VERDICTS], change[CONF_CHANGES];
};

void conf_report_count(const struct conf_report *report, struct conf_counts *ret);
const char *conf_user_name(bool root);
const char *conf_change_name(enum conf_change change);
/* "seccomp, namespaces", cut where it must. */
const char *conf_mechanisms_text(unsigned bits, char *ret, size_t size);

/* --- shards.c -------------------------------------------------------------------------------- */

/* "2/5". ERR_INVALID: it is no shard. */
int conf_shard_parse(const char *text, struct conf_shard *ret, struct error *err);

/* --- report_json.c, report_read.c ------------------------------------------------------------ */

enum conf_json_use {
	CONF_JSON_FILE,	  /* indented, with a newline at the end */
	CONF_JSON_IN_HTML /* compact, and without "<": it may stand in a script element */
};

/* Appends it. 0 or ERR_NOMEM. */
int conf_report_json(const struct conf_report *report, enum conf_json_use use, struct buf *out,
		     struct error *err);
/* ERR_FORMAT: it is damaged, or no report; ERR_VERSION: another schema. The text names file, line
 * and key. `name` is the file's. */
int conf_report_parse(struct bytes text, const char *name, struct conf_report *ret,
		      struct error *err);
int conf_report_read(const char *path, struct conf_report *ret, struct error *err);

#endif
