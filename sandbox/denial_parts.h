/*
 * Explaining denials, from the inside: what is known of each system call, and what would allow
 * what was denied.
 *
 * Each explain_*() looks at one way in which a sandbox denies things: 1 with `ret` and `fix` filled
 * in, or 0: it was not this one.
 */
#ifndef SANDTAPE_SANDBOX_DENIAL_PARTS_H
#define SANDTAPE_SANDBOX_DENIAL_PARTS_H

#include "base/buf.h"
#include "sandbox/compiled.h"
#include "sandbox/denial.h"

/* --- what is known of calls: denial_calls.def --------------------------------------------------
 */

/* What a call does, as far as it matters to the mechanisms. */
enum act {
	ACT_OTHER,
	ACT_OPEN,	/* with flags of open(2) */
	ACT_OPEN_HOW,	/* with flags behind a pointer */
	ACT_CREATE,	/* creat(2) */
	ACT_TRUNCATE,	/* a file by its path */
	ACT_EXECUTE,	/* */
	ACT_SEE,	/* whether it is there, and what it is */
	ACT_ENTER,	/* a directory */
	ACT_CHANGE,	/* its mode, owner, times, attributes */
	ACT_MAKE,	/* a name in a directory */
	ACT_REMOVE,	/* */
	ACT_RENAME,	/* */
	ACT_LINK,	/* */
	ACT_MOUNT,	/* what Landlock refuses under any rule on files */
	ACT_CONNECT,	/* also the sending to an address */
	ACT_BIND,	/* */
	ACT_SIGNAL,	/* to a process that the first argument names, or a pidfd */
	ACT_SPAWN,	/* */
	ACT_MAP,	/* memory */
	ACT_WATCH,	/* has limits of its own that are no limit of descriptors */
	ACT_NAMESPACES, /* flags of clone(2) in the first argument */
	ACT_PRIORITY	/* for want of a capability it is EACCES */
};

#define NO_CAPABILITY (-1)

struct call_known {
	const char *name;
	unsigned char act;
	short capability;   /* without it, or the right owner, it is EPERM */
	char show[8];	    /* how each argument is shown: letters of denial_show.c */
	unsigned char must; /* CALL_MUST: nobody can do it without the capability; CALL_MUST_IF():
			       unless that argument is 0 */
};

#define CALL_MUST	 1
#define CALL_MUST_IF(at) (2 + (at))

/* NULL: nothing is known of it. */
const struct call_known *call_known(int number);

/* --- what would allow it: denial_fix.c -------------------------------------------------------- */

/* What there is none of is NULL, 0, or -1 where that is noted. */
struct fix {
	struct {
		enum sandbox_root kind;
		const char *path; /* not NUL-terminated */
		size_t len;
	} root[2];
	int roots;
	int net;		 /* -1 */
	int port[SANDBOX_PORTS]; /* -1; with a mode of tcp */
	uint32_t groups;	 /* bits of enum sandbox_syscalls */
	int unix_mode;		 /* -1 */
	const char *unix_path;
	int capability; /* -1 */
	int limit;	/* -1 */
	uint64_t limit_value;
	int mechanism; /* to be switched off; -1 */
	bool no_pids;
	bool keep_tty;
};

#define FIX_INIT                                                                                   \
	{                                                                                          \
		.net = -1, .port = {-1, -1}, .unix_mode = -1, .capability = -1, .limit = -1,       \
		.mechanism = -1                                                                    \
	}

void fix_add_root(struct fix *fix, enum sandbox_root kind, const char *path, size_t len);

/* ret->option and ret->policy. What is too long for them is left out. 0 or ERR_NOMEM. */
int fix_write(const struct fix *fix, const struct sandbox_policy *policy,
	      struct sandbox_denial *ret);

/* --- explaining ------------------------------------------------------------------------------- */

struct explained {
	const struct sandbox_plan *plan;
	const struct variant *variant;
	const struct sandbox_observation *seen;
	const struct call_known *call; /* NULL: no call, or not known */
	struct sandbox_denial *ret;    /* `what` is the path or the address, to begin with */
	struct fix fix;
};

int explain_filter(struct explained *e);
int explain_files(struct explained *e);
int explain_network(struct explained *e);
int explain_signal_to(struct explained *e);
int explain_capability(struct explained *e);
int explain_limit(struct explained *e); /* of a call */
int explain_signal(struct explained *e);
int explain_end(struct explained *e);

/* Always 1. */
int explain_by(struct explained *e, enum sandbox_mechanism mechanism,
	       enum sandbox_evidence evidence, const char *why, ...)
	__attribute__((format(printf, 4, 5)));

/* Whether the sandbox has taken the capability from somebody who has it outside. */
bool explain_is_taken(const struct explained *e, int capability);

/* Whether it may be the sandbox that denied it, when it would. */
static inline bool explain_may_be(const struct explained *e)
{
	return e->seen->outside != SANDBOX_OUTSIDE_NO;
}

/* --- showing: denial_show.c ------------------------------------------------------------------- */

/* Text is cut where it must, and always terminated. */
void show_arguments(const struct explained *e, char *ret, size_t size);
/* A path or an address, quoted where bytes need it. 0 or ERR_NOMEM. */
int show_what(const struct sandbox_observation *seen, char *ret, size_t size);
int show_path(const char *path, size_t len, char *ret, size_t size);

/* Of a unix socket: its path, whose bytes end with *ret_len; NULL: it has none, or another one. */
const char *address_unix_path(const struct sandbox_observation *seen, size_t *ret_len);
bool address_is_abstract(const struct sandbox_observation *seen);
/* -1: none. */
int address_port(const struct sandbox_observation *seen);

#endif
