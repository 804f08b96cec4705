/* One run of the probe, in one way. */
#ifndef SANDTAPE_CONFORMANCE_TRIAL_H
#define SANDTAPE_CONFORMANCE_TRIAL_H

#include "conformance/conformance.h"

#include <stdatomic.h>

struct trial {
	const struct conf_case *c;
	enum conf_layer layer;
	enum conf_run run;
	unsigned off; /* bits of mechanisms that are left out */
	const char *const *launcher;
	const char *dir;   /* that is made for it, and removed */
	const char *probe; /* in the same file system */
	uint64_t timeout_ns;
	const atomic_bool *stop; /* it is given up when this is true */
};

/* The caller has no other children that it waits for, and is a subreaper: all that are left behind
 * are killed. An error: the fixture cannot be made. */
int trial_run(const struct trial *trial, struct conf_seen *ret, struct error *err);

/* --- inside_linux.c: the process that becomes the sandbox --- */

/* What it says when there is no sandbox, or of how that ended; shared with it. */
struct trial_told {
	int code; /* enum error_code; 0: nothing */
	char why[160];
	int signal; /* that ended all of the probe; 0: none is known */
};

struct fixture;
_Noreturn void trial_inside(const struct trial *trial, const struct fixture *f, int output,
			    struct trial_told *told);

/* --- seen.c: from what was written to what was seen --- */

/* `text` is what came over the pipe, `report` what is in the file. */
void trial_read(const char *text, const char *nonce, const struct probe_report *report,
		struct conf_seen *ret, char ret_text[PROBE_TEXT_SIZE]);

/* A signal that has ended the probe as a whole, so that nobody could tell how the act ended. */
void trial_read_end(int signal, struct conf_seen *ret);

#endif
