/* A difference between two tapes in words: for people, or as JSON. */
#ifndef SANDTAPE_TAPE_DIFF_REPORT_H
#define SANDTAPE_TAPE_DIFF_REPORT_H

#include "tape/differ.h"

struct diff_report {
	const struct differ *differ;
	enum tape_difference_kind kind;
	long a; /* -1: none */
	long b;
	const struct changes *changes; /* or NULL */
};

/*
 * A line with a sign (- only in A, + only in B, ~ changed, > moved), and two lines a field. Appends
 * to `out`.
 */
int diff_report_text(const struct diff_report *report, struct buf *out, struct error *err);
/* One object on one line, malloc'ed. */
int diff_report_json(const struct diff_report *report, char **ret, struct error *err);

#endif
