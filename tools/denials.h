/* The denials of one run: collected, each kind once; told to a human and in the report. */
#ifndef SANDTAPE_TOOLS_DENIALS_H
#define SANDTAPE_TOOLS_DENIALS_H

#include "sandbox/denial.h"

/* So many that differ are kept; of all others there is a number. */
#define DENIALS_MAX 1000

struct denials;

/* `plan` is borrowed. NULL when out of memory. */
struct denials *denials_new(const struct sandbox_plan *plan);
void denials_free(struct denials *d);

/* The program was looked at while it ran. What it was kept from is known then, else only what its
 * end tells. */
void denials_set_known(struct denials *d);

/* A sandbox_see whose ctx is a struct denials. What fails is kept for denials_failure(). */
void denials_see(void *denials, const struct sandbox_observation *seen);
/* 0, or why the denials are not all there. */
int denials_failure(const struct denials *d, struct error *err);

/* To stderr. */
int denials_print(const struct denials *d, struct error *err);
/* Adds the members of a report. 0 or ERR_NOMEM. */
struct json_t;
int denials_report(const struct denials *d, struct json_t *report);

#endif
