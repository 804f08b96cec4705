/*
 * Denials of paths: by Landlock's rules, as they are in the ruleset, and by mounts.
 *
 * What the rules grant is added up here as the kernel does it: so that a call is denied by them is
 * no guess, where it failed with Landlock's errno and would not have failed outside.
 */
#include "sandbox/denial_needs.h"

#include "base/cleanup.h"
#include "sandbox/kernel_linux.h"
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* --- roots -------------------------------------------------------------------------------------
 */

/* The innermost root that has a say about the place. */
static const struct root *root_for(const struct explained *e, struct place at)
{
	const struct sandbox_paths *paths = e->plan->paths;
	const struct root *found = NULL;

	for (size_t i = 0; i < paths->count; i++) {
		const struct root *root = &paths->item[i];

		if (!place_is_in(at, root->path) || (found && root->len < found->len))
			continue;
		if (!found || root->len > found->len || root->denies ||
		    (root->read_only && !found->denies))
			found = root;
	}
	return found;
}

static const struct policy_root *named_root(const struct explained *e, const struct root *root)
{
	const struct policy_roots *roots = &e->plan->policy->roots;

	for (size_t i = 0; i < roots->count; i++) {
		const struct policy_root *named = &roots->item[i];

		if (strcmp(named->path, root->name) == 0 &&
		    (named->kind == SANDBOX_ROOT_DENY) == root->denies &&
		    (named->kind == SANDBOX_ROOT_READ_ONLY) == root->read_only)
			return named;
	}
	return NULL;
}

static bool is_preset(const struct explained *e, const struct root *root)
{
	const struct policy_root *named = named_root(e, root);

	return named && named->preset;
}

static const char *const kinds[SANDBOX_ROOTS] = {
	[SANDBOX_ROOT_WORKSPACE] = "workspace", [SANDBOX_ROOT_READ_ONLY] = "read_only",
	[SANDBOX_ROOT_READ] = "read",		[SANDBOX_ROOT_WRITE] = "write",
	[SANDBOX_ROOT_EXEC] = "exec",		[SANDBOX_ROOT_DENY] = "deny",
};

static const char *operation_name(unsigned operation)
{
	for (int i = 0; i < policy_operations.count; i++)
		if (operation >> i & 1)
			return policy_operations.name[i];
	return "";
}

/* 1, or ERR_NOMEM. */
static int by_root(struct explained *e, enum sandbox_mechanism mechanism,
		   enum sandbox_evidence evidence, const struct root *root, unsigned operation)
{
	const struct policy_root *named = root ? named_root(e, root) : NULL;
	const char *whose = named && named->preset ? "a preset's " : "";
	char name[128];

	if (!root)
		return explain_by(e, mechanism, evidence, "no root of the policy holds it");
	if (show_path(root->name, strlen(root->name), name, sizeof(name)) < 0)
		return ERR_NOMEM;
	if (root->denies)
		return explain_by(e, mechanism, evidence, "it is denied by %sfs.deny: %s", whose,
				  name);
	return explain_by(e, mechanism, evidence, "%sfs.%s does not grant %s: %s", whose,
			  named ? kinds[named->kind] : "write", operation_name(operation), name);
}

/* --- what would allow it ------------------------------------------------------------------------
 */

/* Another root at this very place takes away what a new one there would grant, unless it is one of
 * a preset, which gives way. */
static bool is_taken_away_at(const struct explained *e, struct place at)
{
	const struct sandbox_paths *paths = e->plan->paths;

	for (size_t i = 0; i < paths->count; i++) {
		const struct root *root = &paths->item[i];

		if (root->len == at.len && memcmp(root->path, at.path, at.len) == 0 &&
		    (root->denies || root->read_only) && !is_preset(e, root))
			return true;
	}
	return false;
}

static enum sandbox_root kind_for(const struct explained *e, const struct need *need)
{
	unsigned has = paths_operations(e->plan->paths, need->root.path, need->root.len);

	if (need->operation & (SANDBOX_OP_WRITE_TEXT | SANDBOX_OP_DELETE))
		return SANDBOX_ROOT_WRITE;
	if (need->operation & SANDBOX_OP_EXEC)
		return SANDBOX_ROOT_EXEC;
	return has & ~POLICY_OPS_READ ? SANDBOX_ROOT_READ : SANDBOX_ROOT_READ_ONLY;
}

/* The policy has that root already: to name it again helps nothing. */
static bool is_named(const struct explained *e, enum sandbox_root kind, struct place at)
{
	const struct policy_roots *roots = &e->plan->policy->roots;

	for (size_t i = 0; i < roots->count; i++) {
		const struct policy_root *root = &roots->item[i];

		if (root->kind == kind && !root->preset && root->len == at.len &&
		    memcmp(root->path, at.path, at.len) == 0)
			return true;
	}
	return false;
}

static void drop_fix(struct explained *e)
{
	e->fix = (struct fix)FIX_INIT;
}

/* What somebody has denied by name stays so: nothing is suggested. What a preset denies can be
 * named. False: nothing can be. */
bool files_allow(struct explained *e, const struct need *need)
{
	const struct root *root = root_for(e, need->at);
	const enum sandbox_root kind = kind_for(e, need);
	const bool is_unix = need->right == LL_FS_RESOLVE_UNIX;

	if ((root && root->denies && !is_preset(e, root)) || is_taken_away_at(e, need->root) ||
	    (!is_unix && is_named(e, kind, need->root))) {
		drop_fix(e);
		return false;
	}
	if (is_unix)
		e->fix.unix_path = need->root.path;
	else
		fix_add_root(&e->fix, kind, need->root.path, need->root.len);
	return true;
}

/* One root that can be written is also read: only the strongest of those at one place stays. */
static void keep_strongest(struct fix *fix)
{
	bool writes = fix->roots == 2 && (fix->root[0].kind == SANDBOX_ROOT_WRITE ||
					  fix->root[1].kind == SANDBOX_ROOT_WRITE);
	const char *path[2] = {fix->root[0].path, fix->root[1].path};
	size_t len[2] = {fix->root[0].len, fix->root[1].len};

	if (!writes || path[0] != path[1])
		return;
	/* Both are of one path: the shorter one holds the other. */
	fix->root[0].kind = SANDBOX_ROOT_WRITE;
	fix->root[0].len = len[0] < len[1] ? len[0] : len[1];
	fix->roots = 1;
}

/* Whether a need is refused, by what is looked at. */
typedef bool (*refuses)(const struct explained *e, const struct need *need);

/* Something for each need that is refused; the first of them in *ret_first. */
static void allow_all(struct explained *e, const struct needs *needs, refuses refused,
		      const struct need **ret_first)
{
	bool possible = true;

	*ret_first = NULL;
	for (size_t i = 0; i < needs->count; i++) {
		if (!refused(e, &needs->item[i]))
			continue;
		if (!*ret_first)
			*ret_first = &needs->item[i];
		possible = possible && files_allow(e, &needs->item[i]);
	}
	keep_strongest(&e->fix);
}

/* --- what is mounted ----------------------------------------------------------------------------
 */

static bool is_kept(const struct holes *holes, const struct hole *hole, struct place at)
{
	for (size_t i = 0; i < hole->keeps; i++)
		if (place_is_in(at, holes->keep[hole->first + i].path))
			return true;
	return false;
}

/* The innermost one that the place is in. Pins come first, the others from the innermost on. */
static const struct hole *hole_at(const struct explained *e, struct place at)
{
	const struct holes *holes = &e->variant->namespaces.holes;

	for (size_t i = 0; i < holes->count; i++) {
		const struct hole *hole = &holes->item[i];

		if (hole->kind != HOLE_PIN && place_is_in(at, hole->path) &&
		    !is_kept(holes, hole, at))
			return hole;
	}
	return NULL;
}

static bool is_at(struct place at, const struct hole *hole)
{
	return at.len == strlen(hole->path);
}

/* --- Landlock ----------------------------------------------------------------------------------
 */

/* With the rules for what the child has mounted itself: these hold for all that is kept there. */
uint64_t files_granted(const struct explained *e, struct place at)
{
	const struct landlock *l = &e->variant->landlock;
	const struct holes *holes = &e->variant->namespaces.holes;
	uint64_t access = 0;

	for (size_t i = 0; i < l->named_count; i++)
		if (place_is_in(at, l->named[i].path))
			access |= l->named[i].access;
	for (size_t i = 0; i < holes->count; i++)
		if ((holes->item[i].kind == HOLE_TMP || holes->item[i].kind == HOLE_PTS) &&
		    place_is_in(at, holes->item[i].path))
			access |= landlock_access(POLICY_OPS_ALL, true, l->abi);
	if ((e->variant->namespaces.flags & CLONE_NEWPID) && place_is_in(at, "/proc"))
		access |= landlock_access(POLICY_OPS_READ, true, l->abi);
	return access;
}

static bool landlock_refuses(const struct explained *e, const struct need *need)
{
	uint64_t right = need->right & e->variant->landlock.fs;

	return right && !(files_granted(e, need->at) & right);
}

/* Where what is denied is carved out, what is beside it is granted piece by piece. */
static int by_carving(struct explained *e)
{
	drop_fix(e);
	return explain_by(e, SANDBOX_MECH_LANDLOCK_FS, SANDBOX_EVIDENCE_OBSERVED,
			  "something in this directory is denied or read-only, which takes it all "
			  "without a mount namespace");
}

static int explain_refused(struct explained *e, const struct needs *needs)
{
	const struct need *first;
	unsigned operations;

	allow_all(e, needs, landlock_refuses, &first);
	if (!first)
		return 0;
	if (first->right == LL_FS_RESOLVE_UNIX)
		return explain_by(e, SANDBOX_MECH_LANDLOCK_FS, SANDBOX_EVIDENCE_OBSERVED,
				  "the socket is not in unix_sockets.paths, and was made outside");
	operations = paths_operations(e->plan->paths, first->at.path, first->at.len);
	if (operations & first->operation)
		return by_carving(e);
	return by_root(e, SANDBOX_MECH_LANDLOCK_FS, SANDBOX_EVIDENCE_OBSERVED,
		       root_for(e, first->at), first->operation);
}

/* --- mounts that hide or take away ---------------------------------------------------------------
 */

static bool is_lacking(const struct explained *e, const struct need *need)
{
	return (need->operation || need->right) &&
	       !(paths_operations(e->plan->paths, need->root.path, need->root.len) &
		 need->operation);
}

static int by_hole(struct explained *e, const struct needs *needs, struct place at,
		   enum sandbox_evidence evidence)
{
	const struct need *first;
	unsigned operation;

	allow_all(e, needs, is_lacking, &first);
	operation = first ? first->operation : SANDBOX_OP_EXISTS;
	return by_root(e, SANDBOX_MECH_NAMESPACES, evidence, root_for(e, at), operation);
}

/* What is there of a directory that is covered can be seen, not what is in it. */
static bool is_covered(const struct explained *e, const struct hole *hole, struct place at)
{
	enum act act = (enum act)e->call->act;

	if (hole->kind == HOLE_LESSENED)
		return hole->no_exec && act == ACT_EXECUTE;
	if (hole->kind != HOLE_FILE && hole->kind != HOLE_DIR)
		return false;
	return !is_at(at, hole) || (act != ACT_SEE && act != ACT_CHANGE);
}

static int explain_covered(struct explained *e, const struct needs *needs, const char *path)
{
	struct place at = place_of(path);
	const struct hole *hole = hole_at(e, at);

	if (!hole || !is_covered(e, hole, at))
		return 0;
	return by_hole(e, needs, at, SANDBOX_EVIDENCE_OBSERVED);
}

static bool is_of_kernel(const struct hole *hole)
{
	return place_is_in(place_of(hole->path), "/proc") ||
	       place_is_in(place_of(hole->path), "/sys");
}

/* Whatever is to be changed; also what is not known to be so by its call. */
static int explain_read_only(struct explained *e, const struct needs *needs, const char *path)
{
	struct place at = place_of(path);
	const struct hole *hole = hole_at(e, at);
	const struct need change = {SANDBOX_OP_WRITE_TEXT, 0, at, at};

	if (!hole || hole->kind == HOLE_TMP || hole->kind == HOLE_PTS ||
	    (hole->kind == HOLE_LESSENED && !hole->no_write))
		return 0;
	if (hole->kind == HOLE_LESSENED && hole->whole && is_of_kernel(hole)) {
		files_allow(e, &change);
		return explain_by(e, SANDBOX_MECH_NAMESPACES, SANDBOX_EVIDENCE_OBSERVED,
				  "the kernel's own files are read-only unless a root smaller than "
				  "/ holds them");
	}
	return by_hole(e, needs, at, SANDBOX_EVIDENCE_OBSERVED);
}

static int explain_hidden(struct explained *e, const struct needs *needs, const char *path)
{
	struct place at = place_of(path);
	const struct hole *hole = hole_at(e, at);
	const struct need *first;

	if (!hole || is_at(at, hole) || hole->kind == HOLE_LESSENED || hole->kind == HOLE_FILE)
		return 0;
	if (hole->kind == HOLE_PTS)
		return explain_by(e, SANDBOX_MECH_NAMESPACES, SANDBOX_EVIDENCE_INFERRED,
				  "the terminals in /dev/pts are the sandbox's own");
	if (root_for(e, at))
		return by_hole(e, needs, at, SANDBOX_EVIDENCE_INFERRED);
	allow_all(e, needs, is_lacking, &first);
	return explain_by(e, SANDBOX_MECH_NAMESPACES, SANDBOX_EVIDENCE_INFERRED,
			  "%.60s is %s, and no root of the policy holds it", hole->path,
			  hole->kind == HOLE_TMP ? "the sandbox's own" : "hidden");
}

/* Directories that are mounts, so that their names stay. */
static int explain_busy(struct explained *e, const char *path)
{
	const struct holes *holes = &e->variant->namespaces.holes;

	for (size_t i = 0; i < holes->count; i++)
		if (strcmp(holes->item[i].path, path) == 0)
			return explain_by(e, SANDBOX_MECH_NAMESPACES, SANDBOX_EVIDENCE_OBSERVED,
					  "it is a mount of the sandbox's, since something there "
					  "is denied or read-only");
	return 0;
}

/* --- the rest ----------------------------------------------------------------------------------
 */

/* Of processes outside, where they can be seen. */
static bool is_of_process(struct place at)
{
	return at.len > 6 && memcmp(at.path, "/proc/", 6) == 0 && at.path[6] >= '0' &&
	       at.path[6] <= '9';
}

/* The policy would let it, and outside it would succeed. */
static int explain_privileges(struct explained *e)
{
	bool own_pids = e->variant->namespaces.flags & CLONE_NEWPID;

	if (e->seen->outside != SANDBOX_OUTSIDE_YES)
		return 0;
	if (is_of_process(place_of(e->seen->path)))
		return own_pids ? 0
				: explain_by(e, SANDBOX_MECH_PROC, SANDBOX_EVIDENCE_INFERRED,
					     "processes outside are not looked into");
	if (!explain_is_taken(e, CAP_DAC_OVERRIDE))
		return 0;
	e->fix.capability = CAP_DAC_OVERRIDE;
	return explain_by(
		e, SANDBOX_MECH_CAPABILITIES, SANDBOX_EVIDENCE_INFERRED,
		"the capability dac_override has been dropped, without which root is held "
		"to the modes of files");
}

static int for_both(struct explained *e, const struct needs *needs,
		    int (*explain)(struct explained *e, const struct needs *needs,
				   const char *path))
{
	int found = explain(e, needs, e->seen->path);

	if (found == 0 && e->seen->path2 && e->call->act != ACT_EXECUTE) {
		found = explain(e, needs, e->seen->path2);
		if (found > 0 && show_path(e->seen->path2, strlen(e->seen->path2), e->ret->what,
					   sizeof(e->ret->what)) < 0)
			found = ERR_NOMEM;
	}
	return found;
}

static int explain_rules(struct explained *e, const struct needs *needs)
{
	int found = for_both(e, needs, explain_covered);

	return found ? found : explain_refused(e, needs);
}

static int explain_missing(struct explained *e, const struct needs *needs)
{
	return for_both(e, needs, explain_hidden);
}

/* What interprets a program needs the same as the program. */
static int explain_interpreter(struct explained *e, const char *path,
			       int (*explain)(struct explained *e, const struct needs *needs))
{
	const struct sandbox_observation *seen = e->seen;
	struct sandbox_observation own = *seen;
	char why[sizeof(e->ret->why)];
	struct needs needs;
	int found;

	own.path = path;
	own.path2 = NULL;
	own.interpreters = NULL;
	e->seen = &own;
	needs_find(e, &needs);
	found = explain(e, &needs);
	e->seen = seen;
	if (found <= 0)
		return found;
	memcpy(why, e->ret->why, sizeof(why));
	snprintf(e->ret->why, sizeof(e->ret->why), "it interprets what is executed: %.*s",
		 (int)(sizeof(why) - 40), why);
	return show_path(path, strlen(path), e->ret->what, sizeof(e->ret->what)) < 0 ? ERR_NOMEM
										     : 1;
}

static int with_interpreter(struct explained *e, const struct needs *needs,
			    int (*explain)(struct explained *e, const struct needs *needs))
{
	const char *const *next = e->seen->interpreters;
	int found = explain(e, needs);

	if (found == 0 && e->call->act == ACT_EXECUTE && e->seen->path2)
		found = explain_interpreter(e, e->seen->path2, explain);
	for (; found == 0 && e->call->act == ACT_EXECUTE && next && *next; next++)
		found = explain_interpreter(e, *next, explain);
	return found;
}

static int explain_access(struct explained *e, const struct needs *needs)
{
	int found = with_interpreter(e, needs, explain_rules);

	if (found == 0)
		found = explain_whiteout(e);
	return found ? found : explain_privileges(e);
}

/* Who could not mount outside either is not denied it. */
static int explain_mount(struct explained *e)
{
	const struct sandbox_action *own = &e->plan->policy->syscalls[SANDBOX_SYSCALLS_NAMESPACES];

	if (e->seen->error != EPERM || !e->variant->landlock.fs || !explain_may_be(e) ||
	    !(e->plan->privileges.had >> CAP_SYS_ADMIN & 1 || own->kind == SANDBOX_ACTION_ALLOW ||
	      own->kind == SANDBOX_ACTION_LOG))
		return 0;
	return explain_by(e, SANDBOX_MECH_LANDLOCK_FS, SANDBOX_EVIDENCE_OBSERVED,
			  "nothing is mounted where there are rules on files");
}

static int explain_terminal(struct explained *e)
{
	if (!e->plan->privileges.new_session || strcmp(e->seen->path, "/dev/tty") != 0 ||
	    e->seen->outside != SANDBOX_OUTSIDE_YES)
		return 0;
	e->fix.keep_tty = true;
	return explain_by(e, SANDBOX_MECH_TTY, SANDBOX_EVIDENCE_INFERRED, "tty is \"none\"");
}

/* No policy grants it: 1 when it is one, of somebody who could make it outside. */
static int explain_device(struct explained *e)
{
	uint64_t mode = e->seen->args[e->seen->number == SYS_mknodat ? 2 : 1];

	if (e->seen->error != EACCES || !e->variant->landlock.fs ||
	    e->call->capability != CAP_MKNOD || (!S_ISCHR(mode) && !S_ISBLK(mode)) ||
	    !(e->plan->privileges.had >> CAP_MKNOD & 1))
		return 0;
	return explain_by(e, SANDBOX_MECH_LANDLOCK_FS, SANDBOX_EVIDENCE_OBSERVED,
			  "no root lets devices be made");
}

int explain_files(struct explained *e)
{
	struct needs needs;

	if (e->call->act == ACT_MOUNT)
		return explain_mount(e);
	if (!e->seen->path || !explain_may_be(e))
		return 0;
	if (explain_device(e))
		return 1;
	needs_find(e, &needs);
	switch (e->seen->error) {
	case EACCES:
		return explain_access(e, &needs);
	case EROFS:
		return for_both(e, &needs, explain_read_only);
	case ENOENT:
		return e->seen->outside == SANDBOX_OUTSIDE_YES
			       ? with_interpreter(e, &needs, explain_missing)
			       : 0;
	case EBUSY:
		return e->call->act == ACT_REMOVE || e->call->act == ACT_RENAME
			       ? explain_busy(e, e->seen->path)
			       : 0;
	case EXDEV:
		return explain_move(e);
	case ENXIO:
		return explain_terminal(e);
	default:
		return 0;
	}
}
