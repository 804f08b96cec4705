/*
 * Who is subject: the rule that splits execs into "still the program under test" and "a unit", the
 * same for record and replay.
 */
#ifndef SANDTAPE_TAPE_SUBJECT_H
#define SANDTAPE_TAPE_SUBJECT_H

#include "tape/intercept/intercept.h"

enum subject_verdict {
	SUBJECT_STAYS, /* what runs then is subject */
	SUBJECT_UNIT,  /* a command: goes to the tape */
	SUBJECT_REAL   /* a command that the user wants left alone */
};

struct subject_rules {
	char *const *through; /* globs, NULL-terminated or NULL */
	char *const *real;
};

/* *ret_spreads: what this launcher's children execute stays subject too. */
enum subject_verdict subject_judge(const struct subject_rules *rules, const struct process *p,
				   const struct exec_request *request, bool *ret_spreads);

/* Whether it is a helper that stays subject only until it executes the command in its own place. */
bool subject_hands_over(const struct process *p, const struct exec_request *request);

/* Whether a glob matches the program: the last component of its path or of argv[0]; a glob with
 * a slash matches the whole path. */
bool subject_glob_matches(const char *glob, const struct exec_request *request);

#endif
