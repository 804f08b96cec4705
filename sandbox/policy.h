/* Policies from the inside: the struct, the names of its values, the table of its keys. */
#ifndef SANDTAPE_SANDBOX_POLICY_H
#define SANDTAPE_SANDBOX_POLICY_H

#include "base/arena.h"
#include "base/buf.h"
#include "sandbox/sandbox.h"
#include <limits.h>

#define POLICY_VERSION	 1
#define POLICY_ROOTS_MAX 4096
#define POLICY_LIST_MAX	 4096 /* of everything else that can be added */
#define POLICY_FILE_MAX	 ((size_t)4 << 20)
#define POLICY_OPS_ALL	 63U
#define POLICY_OPS_READ	 (SANDBOX_OP_READ_TEXT | SANDBOX_OP_LIST | SANDBOX_OP_EXISTS)
#define POLICY_CAPS	 41 /* CAP_CHECKPOINT_RESTORE, of Linux 5.9, is the last */

struct policy_key;

/* A normal absolute path: single slashes, none at the end, no "." and no "..". */
struct policy_root {
	const char *path; /* in the policy's `texts`, as all of these */
	size_t len;
	enum sandbox_root kind;
	bool optional;
	bool preset; /* nobody has named it */
	/* Where the text that the policy was read from has it; NULL: it is not from there. */
	const struct policy_key *key;
	size_t index;
};

struct policy_roots {
	struct policy_root *item;
	size_t count, room;
};

/* In ascending order. */
struct policy_numbers {
	unsigned *item;
	size_t count;
};

/* Patterns, or names with values. */
struct policy_variable {
	const char *name;
	const char *value; /* NULL for a pattern */
};

struct policy_variables {
	struct policy_variable *item;
	size_t count, room;
};

enum policy_place { POLICY_WORK, POLICY_HOME, POLICY_TMP, POLICY_PLACES };

struct sandbox_policy {
	struct arena texts;		   /* what has been dropped stays there */
	const char *places[POLICY_PLACES]; /* NULL: not known */
	bool home_found;		   /* not in HOME, but in /etc/passwd */
	bool home_missed;		   /* a preset that denies in it had none */
	int level; /* the members that are int are of the enums of sandbox.h */
	struct policy_roots roots;
	uint64_t operations;
	int tmp;
	int net;
	struct policy_numbers ports[SANDBOX_PORTS];
	struct sandbox_action syscalls[SANDBOX_SYSCALLS_COUNT];
	uint64_t limits[SANDBOX_LIMITS];
	uint64_t by_default; /* a bit for each limit that nobody has asked for */
	struct policy_variables keep, remove, set;
	int namespaces[SANDBOX_NS_COUNT];
	int unix_sockets;
	struct policy_roots unix_paths; /* their kind has no meaning */
	int tty;
	uint64_t capabilities; /* a bit for each */
	struct policy_numbers fds;
	int strictness[SANDBOX_MECHS];
	const char *source; /* what it was read from; NULL: it was built */
	const char *source_name;
};

/* --- policy_names.c: the names of values, at the number of each ------------------------------ */

struct policy_names {
	const char *const *name;
	int count;
};

extern const struct policy_names policy_levels, policy_operations, policy_tmps, policy_nets,
	policy_uses, policy_unixes, policy_ttys, policy_strictnesses, policy_presets,
	policy_capabilities, policy_action_kinds, policy_limits;

/* -1: there is none. */
int policy_name_find(const struct policy_names *names, const char *name);
/* The one that is the fewest letters away from `name`, when these are few; or NULL. */
const char *policy_name_near(const char *const *names, size_t count, const char *name);

/* --- policy_keys.c: the keys of the format --------------------------------------------------- */

enum policy_kind {
	POLICY_CHOICE,	/* an int: one of `names` */
	POLICY_SET,	/* a uint64_t: several of `names`, a bit for each */
	POLICY_PRESETS, /* several of `names`, each of which adds roots */
	POLICY_ROOT_LIST,
	POLICY_UNIX_LIST,
	POLICY_PORT_LIST,
	POLICY_FD_LIST,
	POLICY_LIMIT,
	POLICY_ACTION,
	POLICY_KEEP_LIST,
	POLICY_REMOVE_LIST,
	POLICY_SET_MAP
};

struct policy_key {
	const char *section; /* NULL: at the top */
	const char *name;
	enum policy_kind kind;
	int index;     /* the kind of roots, the limit, the group ... */
	size_t offset; /* of POLICY_CHOICE and POLICY_SET */
	const struct policy_names *names;
};

extern const struct policy_key policy_keys[];
extern const size_t policy_key_count;

/* "debug": the key of a group of system calls without its section; "" for a number that is none. */
const char *policy_group_name(int group);

/* The bounds of a limit. */
uint64_t policy_limit_min(enum sandbox_limit limit);
uint64_t policy_limit_max(enum sandbox_limit limit);

/* --- policy.c, policy_lists.c ---------------------------------------------------------------- */

/* Of a policy that says nothing. */
uint64_t policy_limit_default(enum sandbox_limit limit);
/* Whether there is one, which somebody has asked for, be it by the number of the default. */
bool policy_limit_is_asked_for(const struct sandbox_policy *policy, enum sandbox_limit limit);

/* What a policy is to begin with. */
void policy_set_level(struct sandbox_policy *policy, enum sandbox_level level);
int policy_set_default_env(struct sandbox_policy *policy, struct error *err);

/* The operations that a root grants. */
unsigned policy_root_operations(const struct sandbox_policy *policy,
				const struct policy_root *root);
/* Whether what is granted around it is not granted in it. Of a workspace with all operations there
 * is nothing to cut off. */
bool policy_root_cuts(const struct sandbox_policy *policy, const struct policy_root *root);

/* "$WORK/x" and "//x/./y/" to a normal absolute path, malloc'ed. */
int policy_path(const struct sandbox_policy *policy, const char *path, char **ret,
		struct error *err);
/* The same, into `ret`, which has room for PATH_MAX bytes. */
int policy_write_path(const struct sandbox_policy *policy, const char *path, char *ret,
		      size_t *ret_len, struct error *err);
/* `roots` are the policy's. Roots of presets give way to one that is named. */
int policy_roots_add(struct sandbox_policy *policy, struct policy_roots *roots,
		     const struct policy_root *root, struct error *err);
/* The same for a root whose path is normal, and has its length with it. */
int policy_roots_put(struct sandbox_policy *policy, struct policy_roots *roots,
		     const struct policy_root *root, struct error *err);
/* Whether the root of a preset, whose path is normal, gives way to one that is there. */
bool policy_roots_override(const struct policy_roots *roots, const struct policy_root *preset);
/* Whether the path is that directory, or inside it. */
bool policy_path_is_in(const char *path, const char *dir, size_t dir_len);
void policy_roots_clear(struct policy_roots *roots);
/* Removes all of a kind. */
void policy_roots_drop(struct policy_roots *roots, enum sandbox_root kind);
int policy_numbers_add(struct policy_numbers *numbers, unsigned number, struct error *err);
void policy_numbers_clear(struct policy_numbers *numbers);
/* `variables` are the policy's. Another value takes the place of the one that is there. */
int policy_variables_add(struct sandbox_policy *policy, struct policy_variables *variables,
			 const char *name, const char *value, struct error *err);
/* Constants, each of them once, instead of those that are there. */
int policy_variables_set(struct policy_variables *variables, const char *const *names, size_t count,
			 struct error *err);
void policy_variables_clear(struct policy_variables *variables);
/* Whether the pattern, in which "*" stands for any characters, matches. */
bool policy_matches(const char *pattern, const char *name);

/* --- policy_read.c --------------------------------------------------------------------------- */

/* Puts the line and the key of a root in front of the error that is there, and returns its code. Of
 * a root that was not read, the error stays as it is. */
int policy_error_at_root(const struct sandbox_policy *policy, const struct policy_root *root,
			 int code, struct error *err);

/* --- policy_home.c --------------------------------------------------------------------------- */

/* In a file like /etc/passwd. ERR_NOTFOUND: it has none for that user. */
int policy_find_home(const char *passwd, unsigned user, char ret[PATH_MAX]);

/* --- policy_check.c -------------------------------------------------------------------------- */

/* sandbox_policy_check(), with the key that is wrong; NULL when it is none. */
int policy_check(const struct sandbox_policy *policy, const struct policy_key **ret_key,
		 struct error *err);
const struct policy_key *policy_key_find(const char *section, const char *name);

#endif
