/*
 * Conformance: each case tries an act three times, in a fresh directory: without a sandbox, where
 * it must succeed; in one that grants it, where it must succeed, too; and in one that does not,
 * where it must be denied, by the mechanism and with the errno or signal that the case names.
 *
 * Two layers: raw, where the probe puts the mechanism alone on itself, so that what answers is the
 * kernel; and policy, under sandtape's own default policy. A foreign sandbox is a third: launcher.
 *
 * Functions return 0 or a negative ERR_*, as everywhere here. Nothing is thread-safe: the suite
 * forks.
 */
#ifndef SANDTAPE_CONFORMANCE_CONFORMANCE_H
#define SANDTAPE_CONFORMANCE_CONFORMANCE_H

#include "base/error.h"
#include "conformance/probe/report.h"
#include "sandbox/sandbox.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- cases.c: what is tried ------------------------------------------------------------------ */

enum conf_layer { CONF_RAW, CONF_POLICY, CONF_LAUNCHER, CONF_LAYERS };

enum conf_user {
	CONF_ANYBODY,
	CONF_ROOT,    /* an ordinary user cannot do it without a sandbox */
	CONF_ORDINARY /* root may do it in the sandbox, too */
};

struct conf_case {
	const char *id; /* "landlock-fs.write-file" */
	enum sandbox_mechanism mechanism;
	enum probe_act act;
	uint64_t arg;

	/*
	 * The mechanism alone. `expected` is "EACCES|SIGSYS"; NULL: there is no such layer. "done":
	 * the mechanism is not to deny it; "silent": the kernel says that it was done, and nothing
	 * is left of it.
	 */
	struct conf_raw {
		enum probe_setup setup;
		uint64_t arg;
		const char *expected;
		int abi; /* the least of Landlock that denies it; 0: any */
		enum conf_user user;
	} raw;

	/* The default policy. `grant` is the part of a policy in JSON that lets the act succeed,
	 * with $OUT, $TCP, $UDP, $SOCKET for what they are; NULL: what `held` names is switched
	 * off. */
	struct conf_policy {
		const char *expected;
		const char *grant;
		unsigned held; /* bits of mechanisms that each deny it; 0: that of the case */
		int abi;       /* the least of Landlock with which the policy denies it; 0: any */
		enum conf_user user;
		/* What the policy says beside its defaults where it does not grant the act: a limit
		 * that an act can reach. Like `grant`; NULL: nothing. */
		const char *asks;
		unsigned without; /* bits of mechanisms that no run has: they would stand in */
		bool alone;	  /* where the host lacks its mechanism it is not enforced */
	} policy;

	const char
		*fix; /* the commit of a kernel in which it escapes without; NULL: none is known */
	const char *refs; /* kernel version, manual page, CVE */
	const char *why;  /* what is wrong when it escapes, in one line */
};

extern const size_t conf_case_count;
/* All of them. They are made by the first call: in a table each address would be relocated whenever
 * sandtape starts, whatever for, which is a tenth of the time that `run` takes. */
const struct conf_case *conf_cases(void);

const char *conf_layer_name(enum conf_layer layer);
/* Whether the layer has the case. */
bool conf_case_has(const struct conf_case *c, enum conf_layer layer);
const char *conf_case_expected(const struct conf_case *c, enum conf_layer layer);
/* On a kernel with this ABI of Landlock, which does not refuse truncate before the third (Linux
 * 6.2): the policy layer has read-only mounts there, too, and they answer before Landlock does. */
bool conf_layer_mounts(enum conf_layer layer, int abi);
#define CONF_MOUNTS_SAY	   "EROFS|EXDEV"
#define CONF_EXPECTED_SIZE 96
/* What is expected there; "" where everything denies it. */
const char *conf_case_expected_there(const struct conf_case *c, enum conf_layer layer, int abi,
				     char ret[CONF_EXPECTED_SIZE]);
/* The mechanisms that deny it, as bits: without all of them it escapes. */
unsigned conf_case_held(const struct conf_case *c, enum conf_layer layer);
enum probe_effect conf_act_effect(enum probe_act act);
/* Whether a word is among "EACCES|done"; and whether an errno (0 for none) or a signal is. */
bool conf_expects_word(const char *expected, const char *word);
bool conf_expects(const char *expected, int error, int signal);

/* --- judge.c: what became of it -------------------------------------------------------------- */

enum conf_run { CONF_CONTROL, CONF_ALLOWED, CONF_DENIED, CONF_ABLATED, CONF_RUNS };

/* One run of the probe, as it was seen. */
struct conf_seen {
	bool ran;	/* false: there was no such run */
	bool nonce;	/* the probe has said its nonce */
	bool disagrees; /* its last line and its file: somebody has changed one of them */
	bool timed_out;
	bool effect;  /* what the act leaves behind was found */
	bool refused; /* the sandbox could not be set up on this host: `why` */
	enum probe_state state;
	int error;	      /* an errno of the act, or of the stage that failed; 0: none */
	int signal;	      /* that the act ended by, or has caught */
	int code, data, call; /* of a signal that was caught: si_code, si_errno, si_syscall */
	char stage[32];
	char why[160]; /* what the sandbox said */
};

enum conf_verdict {
	CONF_CONFORMS,
	CONF_ESCAPED,	     /* the act succeeded where it is denied */
	CONF_MISCLASSIFIED,  /* it was denied, with another errno or signal */
	CONF_OVERREFUSED,    /* it was denied where it is granted */
	CONF_CONTRADICTION,  /* what it said and what it left behind are at odds */
	CONF_NOT_MEASURED,   /* it did not succeed without a sandbox either */
	CONF_NOT_ENFORCED,   /* this host does not have the mechanism, or does not allow it */
	CONF_NOT_APPLICABLE, /* this host or user does not have what it is about */
	CONF_PROBE_BROKEN,   /* the probe never ran, or hung */
	CONF_VERDICTS
};

const char *conf_verdict_name(enum conf_verdict verdict);
/* CONF_VERDICTS when it is none. */
enum conf_verdict conf_verdict_number(const char *name);
/* Whether it fails the suite: 1, or breaks it: 2; 0: neither. */
int conf_verdict_status(enum conf_verdict verdict);

#define CONF_WHY_SIZE 256

/* From observations alone, so that it can be tested without a kernel. `abi` is that of Landlock,
 * `ret_why` a phrase. */
enum conf_verdict conf_judge(const struct conf_case *c, enum conf_layer layer, int abi,
			     const struct conf_seen seen[CONF_RUNS], char ret_why[CONF_WHY_SIZE]);
/* "EACCES", "SIGSYS", "done", "hung": for people and reports. */
const char *conf_seen_text(const struct conf_seen *seen, char *ret, size_t size);

/* --- host_linux.c ---------------------------------------------------------------------------- */

#define CONF_SYSCTLS 12

struct conf_host {
	char kernel[128]; /* uname -r */
	char arch[65];
	char lsm[160]; /* "" when it cannot be read */
	int landlock_abi;
	int errata; /* -1: this kernel does not say */
	struct {
		const char *name;
		char value[32];
	} sysctl[CONF_SYSCTLS]; /* of those that are there */
	size_t sysctls;
};

void conf_host_read(struct conf_host *ret);

/* --- suite_linux.c: all of it ---------------------------------------------------------------- */

struct conf_result {
	const struct conf_case *c;
	enum conf_layer layer;
	bool root; /* the user */
	bool done;
	enum conf_verdict verdict;
	struct conf_seen seen[CONF_RUNS];
	char why[CONF_WHY_SIZE];
};

#define CONF_LAUNCHER_MAX 64 /* words */

struct conf_options {
	const char *probe;   /* the program; borrowed, like all texts here */
	const char *scratch; /* a directory to work in; NULL: $TMPDIR, /var/tmp or /tmp */
	/* NULL-terminated, up to CONF_LAUNCHER_MAX: instead of the layers raw and policy. */
	const char *const *launcher;
	bool (*wants)(void *ctx, const struct conf_case *c, enum conf_layer layer);
	void *ctx;
	unsigned jobs;		   /* at a time; 0: one a processor */
	bool as_root, as_ordinary; /* both only as root, which becomes 65534 for the second */
	unsigned sabotage;	   /* bits of mechanisms that are left out */
	bool ablate; /* a fourth run of the layer policy, with what `held` names left out */
	void (*progress)(void *ctx, size_t done, size_t all);
	/* Set by a signal handler of the caller's: the suite ends early, and clears up. NULL: never
	 */
	const volatile sig_atomic_t *stop;
};

struct conf_suite {
	struct conf_host host;
	struct conf_result *result; /* in the order of the cases; conf_suite_free() */
	size_t count;
	uint64_t duration_ns;
};

/* Runs the cases. ERR_INVALID: there is none to run; ERR_SYSTEM: no scratch directory, no /proc,
 * or, with EINTR, it was stopped; ERR_NOTFOUND: there is no probe. A case that breaks is a verdict
 * and no error. */
int conf_suite_run(const struct conf_options *options, struct conf_suite *ret, struct error *err);
void conf_suite_free(struct conf_suite *suite);

#endif
