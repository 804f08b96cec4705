/* Denials of renames and links from one directory to another: by mounts, and by Landlock, which
 * lets nothing gain rights. */
#include "sandbox/denial_needs.h"

#include "sandbox/kernel_linux.h"
#include <stdio.h>
#include <string.h>

/* The pin or the read-only hole that the place is in; NULL: it is in none, or in a mount that need
 * not be of the same file system outside either. */
static const struct hole *mount_of(const struct explained *e, struct place at)
{
	const struct holes *holes = &e->variant->namespaces.holes;
	const struct hole *found = NULL;

	for (size_t i = 0; i < holes->count; i++) {
		const struct hole *hole = &holes->item[i];

		if ((hole->kind == HOLE_PIN || hole->kind == HOLE_LESSENED) &&
		    place_is_in(at, hole->path) &&
		    (!found || strlen(hole->path) > strlen(found->path)))
			found = hole;
	}
	return found;
}

static bool is_on_host(const struct explained *e, struct place at)
{
	const struct holes *holes = &e->variant->namespaces.holes;

	for (size_t i = 0; i < holes->count; i++)
		if (holes->item[i].kind != HOLE_PIN && holes->item[i].kind != HOLE_LESSENED &&
		    place_is_in(at, holes->item[i].path))
			return false;
	return true;
}

/* What of a place that the sandbox has for itself the place is in: a root, each of which is mounted
 * back there, or the place's own directory. NULL: it is nowhere in such a one. */
static const char *private_mount_of(const struct explained *e, struct place at)
{
	const struct holes *holes = &e->variant->namespaces.holes;
	const char *found = NULL;

	for (size_t i = 0; i < holes->count; i++) {
		const struct hole *hole = &holes->item[i];

		if (hole->kind != HOLE_TMP || !place_is_in(at, hole->path))
			continue;
		for (size_t k = 0; k < hole->keeps; k++)
			if (place_is_in(at, holes->keep[hole->first + k].path))
				found = holes->keep[hole->first + k].path;
		if (!found)
			found = hole->path;
	}
	return found;
}

static bool is_move(const struct explained *e)
{
	return (e->call->act == ACT_RENAME || e->call->act == ACT_LINK) && e->seen->path2;
}

/* Nothing may gain rights by being moved. NULL: it does not. */
static const char *keeps_from_moving(const struct explained *e, struct place from, struct place to)
{
	uint64_t had = files_granted(e, from), gets = files_granted(e, to);
	bool gains = e->variant->landlock.fs & gets & ~had;

	if (!gains && (had & gets & LL_FS_REFER))
		return NULL;
	return gains && (had & LL_FS_REFER)
		       ? "where it goes, more is granted than where it is"
		       : "nothing is moved or linked out of what cannot be written";
}

/* What is exchanged goes both ways. */
static int explain_referral(struct explained *e, struct place from, struct place to)
{
	const char *why = keeps_from_moving(e, from, to);
	struct need need = {SANDBOX_OP_WRITE_TEXT, LL_FS_REFER, from, from};

	if (!why && (needs_rename_flags(e) & RENAME_EXCHANGE)) {
		why = keeps_from_moving(e, to, from);
		need.at = need.root = to;
		if (why && show_path(e->seen->path2, strlen(e->seen->path2), e->ret->what,
				     sizeof(e->ret->what)) < 0)
			return ERR_NOMEM;
	}
	if (!why)
		return 0;
	files_allow(e, &need);
	return explain_by(e, SANDBOX_MECH_LANDLOCK_FS, SANDBOX_EVIDENCE_OBSERVED, "%s", why);
}

static int explain_way(struct explained *e)
{
	struct place from = place_parent(place_of(e->seen->path));
	struct place to = place_parent(place_of(e->seen->path2));
	bool is_host = is_on_host(e, from) && is_on_host(e, to);

	if (private_mount_of(e, from) != private_mount_of(e, to))
		return e->seen->outside == SANDBOX_OUTSIDE_YES
			       ? explain_by(e, SANDBOX_MECH_NAMESPACES, SANDBOX_EVIDENCE_INFERRED,
					    "what is granted in a directory that is the sandbox's "
					    "own is a mount there")
			       : 0;
	if (mount_of(e, from) != mount_of(e, to))
		return e->seen->outside == SANDBOX_OUTSIDE_YES && is_host
			       ? explain_by(e, SANDBOX_MECH_NAMESPACES, SANDBOX_EVIDENCE_INFERRED,
					    "one of the directories is in a mount of the sandbox's")
			       : 0;
	if ((from.len == to.len && memcmp(from.path, to.path, to.len) == 0) ||
	    !e->variant->landlock.fs)
		return 0;
	return explain_referral(e, from, to);
}

int explain_move(struct explained *e)
{
	return is_move(e) ? explain_way(e) : 0;
}

/* A whiteout is a device file that a rename leaves where the file was; kernels with erratum 4 of
 * Landlock ask for the right to make one. */
int explain_whiteout(struct explained *e)
{
	if (e->call->act != ACT_RENAME || !(needs_rename_flags(e) & RENAME_WHITEOUT) ||
	    !(e->variant->landlock.fs & LL_FS_MAKE_CHAR))
		return 0;
	return explain_by(e, SANDBOX_MECH_LANDLOCK_FS, SANDBOX_EVIDENCE_OBSERVED,
			  "no root lets devices be made, which a whiteout is");
}
