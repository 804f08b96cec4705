/*
 * Seccomp profiles as container engines have them (the runtime specification of OCI, and what
 * Docker's and Podman's files have besides): as they are read, and what they make of a call.
 */
#ifndef SANDTAPE_SANDBOX_OCI_H
#define SANDTAPE_SANDBOX_OCI_H

#include "base/jsontext.h"
#include "sandbox/calls.h"

#define OCI_RULES_MAX	   4096
#define OCI_CONDITIONS_MAX 64
#define OCI_ARGS	   6
#define OCI_NAMES_MAX	   128

/* Some of the names of a kind, each once, and how many more there were. They are the file's. */
struct oci_names {
	const char *item[OCI_NAMES_MAX];
	size_t count;
	size_t more;
};

enum oci_op { OCI_NE, OCI_LT, OCI_LE, OCI_EQ, OCI_GE, OCI_GT, OCI_MASKED_EQ, OCI_OPS };

struct oci_condition {
	unsigned char arg;
	unsigned char op;
	uint64_t value; /* of OCI_MASKED_EQ the mask */
	uint64_t value_two;
};

/* An item of `syscalls` that holds for this machine and a program without capabilities. */
struct oci_rule {
	struct sandbox_action action;
	size_t index; /* in the file's list */
	struct oci_condition *condition;
	size_t condition_count;
	bool either; /* one condition is enough */
	/* The name of a call of which it allows what the policy refuses, or the other way round. */
	const char *allows_more, *refuses_more;
};

/* That a rule is for a call. */
struct oci_use {
	unsigned rule;
	unsigned next; /* 1 + the use that stands before it in the file, 0: it is the first one */
};

enum oci_inexact {
	OCI_INEXACT_THREAD = 1,	  /* a thread is killed */
	OCI_INEXACT_TRACE = 2,	  /* a tracer is asked */
	OCI_INEXACT_NOTIFY = 4,	  /* another process is asked */
	OCI_INEXACT_ERRNO = 8,	  /* an errno that has no name */
	OCI_INEXACT_FOR_SOME = 16 /* for some capabilities, machines or kernels */
};

struct oci_profile {
	struct sandbox_action otherwise;
	struct oci_rule *rule;
	size_t rule_count;
	struct oci_use *use;
	size_t use_count;
	unsigned last_use[CALL_NAMES_MAX]; /* by the number of the call; 0: there is none */
	unsigned inexact;		   /* bits of enum oci_inexact */
	bool has_machines, has_this_machine, has_foreign;
	bool in_config; /* the profile is linux.seccomp of a container's configuration */
	struct oci_names unknown_calls, unknown_keys, flags;
};

/* Both are of a zeroed profile, which holds names of `top` afterwards. */
int oci_read(struct bytes text, const char *name, const json_t *top, struct oci_profile *p,
	     struct error *err);
void oci_clear(struct oci_profile *p);

/* --- oci_points.c ---------------------------------------------------------------------------- */

bool oci_refuses(struct sandbox_action action);
/* Of two, whether the first is the stricter one. */
bool oci_is_stricter(struct sandbox_action a, struct sandbox_action b);

/* A call with arguments, which stands for all that nothing can tell from it. */
struct oci_point {
	unsigned call;
	uint64_t args[OCI_ARGS];
	uint32_t keys; /* bits: the groups of a policy that it is of; or one of the following */
	int refusal;   /* what one of them has as its errno, or 0 */
};

#define OCI_KEY_NET  (1U << SANDBOX_SYSCALLS_COUNT)	  /* the mode of the network refuses it */
#define OCI_KEY_UNIX (1U << (SANDBOX_SYSCALLS_COUNT + 1)) /* the mode of unix sockets decides */

/* What the profile makes of it. */
struct sandbox_action oci_action_at(const struct oci_profile *p, const struct oci_point *point);
bool oci_rule_holds(const struct oci_rule *rule, const uint64_t *args);
/* Whether a rule is for the call whatever its arguments. */
bool oci_is_decided(const struct oci_profile *p, unsigned call);

/* Not 0 from it ends oci_each_point(), which returns it. */
typedef int oci_point_fn(void *ctx, const struct oci_point *point);

/*
 * All points of a call that a profile or the groups tell apart. *ret_all is false when they would
 * be too many, or could not be told for sure; then there are none.
 */
int oci_each_point(const struct oci_profile *p, unsigned call, oci_point_fn *fn, void *ctx,
		   bool *ret_all);

#endif
