/* What record and replay set up alike: roots, the time, requests as units. */
#ifndef SANDTAPE_TAPE_SESSION_H
#define SANDTAPE_TAPE_SESSION_H

#include "tape/head.h"
#include "tape/intercept/intercept.h"
#include "tape/roots.h"
#include "tape/subject.h"
#include "tape/tape.h"
#include "tape/unit.h"

struct session {
	struct roots *roots;
	struct strings env;	/* the variables that count, NULL-terminated for session_unit() */
	struct strings through; /* NULL-terminated */
	struct strings real;
	struct subject_rules rules; /* points into the two */
	tape_say say;
	void *say_ctx;
	uint64_t start_ns; /* CLOCK_MONOTONIC */
	unsigned subject_programs;
	struct strings limited; /* programs that a limit was told of */
};

/* `head` (may be NULL) adds the variables of a tape. What it says of --real and --through does not
 * hold: a tape must not make anything run. ERR_INVALID for a bad root or env name. */
int session_open(const struct tape_options *options, const struct tape_head *head,
		 struct session *ret, struct error *err);
void session_close(struct session *s);

/* What is added to the tape of this head, or compared with it, needs all its roots: its records are
 * full of their names, and a name that is not known would be a literal. ERR_INVALID. */
int session_check_roots(const struct session *s, const struct tape_head *head, const char *tape,
			struct error *err);

/* Tells of a tape whose units were restricted when these options do not restrict those that run. */
void session_warn_unrestricted(const struct tape_options *options, const struct tape_head *head);

/* Fills what the options of the user say of the interception. ERR_INVALID: no such backend. */
int session_intercept(const struct session *s, const struct tape_options *options,
		      struct intercept_options *ret, struct error *err);

/* Nanoseconds since session_open(). */
uint64_t session_now(const struct session *s);

void session_say(const struct session *s, enum tape_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Tells once of each program what it cannot do here, and the way out. */
int session_tell_limit(struct session *s, enum intercept_limit limit, const char *program,
		       struct error *err);

/* Fills argv, cwd, env, parent and the program of a zeroed unit. 0 or ERR_NOMEM. */
int session_unit(const struct session *s, const struct process *p,
		 const struct exec_request *request, struct unit *ret);

/* The rule of who is subject, as a decision. Whether the client still has to decide (a unit). */
bool session_decide(struct session *s, const struct process *p, const struct exec_request *request,
		    struct exec_decision *ret);

#endif
