/*
 * Landlock: files, TCP and UDP ports, abstract sockets and signals, in one ruleset: of the plan, or
 * of a child whose mounts have rules of their own.
 */
#ifndef SANDTAPE_SANDBOX_LANDLOCK_H
#define SANDTAPE_SANDBOX_LANDLOCK_H

#include "sandbox/layers.h"
#include "sandbox/paths.h"

struct landlock_rule {
	int fd; /* O_PATH */
	uint64_t access;
};

/* A rule that is made again by its path. */
struct landlock_named {
	char *path; /* without links; owned */
	uint64_t access;
};

struct landlock {
	int abi;		      /* 0: none */
	uint64_t fs, net, scope;      /* what is refused unless a rule grants it */
	int ruleset;		      /* -1 when nothing is refused, or each child makes its own */
	size_t rules;		      /* on files */
	struct landlock_named *named; /* all rules on files; owned */
	size_t named_count;
	unsigned *ports[SANDBOX_PORTS]; /* owned */
	size_t port_count[SANDBOX_PORTS];
};

#define LANDLOCK_INIT                                                                              \
	{                                                                                          \
		.ruleset = -1                                                                      \
	}

/* What a ruleset is made for. */
struct landlock_around {
	int abi;	/* not above the kernel's own; a negative errno: there is none */
	bool masked;	/* What is denied or read-only inside of granted roots is taken away by
			   mounts of the child, so that roots are granted whole. Otherwise it is
			   carved out here: what is around it is granted piece by piece. */
	bool read_only; /* so are the child's mounts, but for what can be written */
	bool own_pids;	/* the child has a pid namespace */
	bool own_net;	/* ... and one of the network */
};

/*
 * Masked, the ruleset is made in the child; else it is made here, and one descriptor stays open,
 * above 2.
 *
 * ERR_UNSUPPORTED; ERR_LIMIT: there is too much around what is carved out; ERR_SYSTEM: a root
 * cannot be opened, or there are too few descriptors. *ret is untouched then.
 */
int landlock_prepare(const struct judge *judge, const struct sandbox_paths *paths,
		     const struct landlock_around *around, struct landlock *ret);
void landlock_free(struct landlock *l);

/*
 * Restricts the calling thread, which has set no_new_privs. 0 or a negative errno.
 * Async-signal-safe, leaves errno as it is. With extra rules, on what is there in the child's
 * mounts only, or no ruleset yet, one is built as by landlock_extend().
 */
int landlock_apply(const struct landlock *l, const struct landlock_rule *extra, size_t extras);

/*
 * A ruleset with extra rules, built from the paths of all rules as they are now: what is gone or
 * has become a link is not granted. The extra descriptors stay the caller's. Rights that are not
 * handled, or not for files, are left out of an extra rule. A descriptor above 2, to be closed, or
 * a negative errno. Async-signal-safe.
 */
int landlock_extend(const struct landlock *l, const struct landlock_rule *extra, size_t extras);
/* As landlock_apply(), with a ruleset of landlock_extend(). */
int landlock_restrict(int ruleset);

/* The rights that operations of a policy come to, for an ABI. */
uint64_t landlock_access(unsigned operations, bool is_dir, int abi);

/* What this kernel has; a negative errno when it has none. */
int landlock_abi(void);

/* Whether rules that the policy wants let files be emptied by truncate that must not be written. */
bool landlock_misses_truncate(const struct judge *judge, int abi);

/* Whether abstract sockets outside can be connected to, in a policy without a network. */
bool landlock_misses_abstract(const struct judge *judge, int abi);

/* --- for the layer itself and its tests ------------------------------------------------------ */

/* Sets abi, fs, net and scope, and judges what they leave open. */
int landlock_decide(const struct judge *judge, const struct landlock_around *around,
		    struct landlock *l);

/* Adds a rule for the operations to the ruleset. Takes the descriptor, also on failure. `path` is
 * where it was opened. */
int landlock_add_take(struct landlock *l, int fd, const char *path, unsigned operations,
		      struct error *err);

/* Where no ruleset is made yet, what is at the path need not be open. */
int landlock_add_name(struct landlock *l, const char *path, bool is_dir, unsigned operations,
		      struct error *err);

/* landlock_roots_linux.c: a rule for each root, or several around what is carved out. */
int landlock_add_roots(const struct judge *judge, const struct sandbox_paths *paths, bool masked,
		       struct landlock *l);

#endif
