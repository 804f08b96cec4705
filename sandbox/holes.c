/* Where a mount namespace shows something else than the host has. */
#include "sandbox/holes.h"

#include "base/cleanup.h"
#include "sandbox/kept_linux.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPS_CHANGE (SANDBOX_OP_WRITE_TEXT | SANDBOX_OP_DELETE)
#define OPS_SEE	   (SANDBOX_OP_READ_TEXT | SANDBOX_OP_LIST)

struct finder {
	const struct judge *judge;
	const struct sandbox_paths *paths;
	bool made; /* else nobody is told what the holes would be like */
	struct holes *holes;
	struct kept kept;
};

/* What the policy's rules of Landlock grant, where every root is granted whole. */
static unsigned granted_whole(const struct sandbox_paths *paths, const char *path)
{
	return paths_whole(paths, path, strlen(path));
}

static bool is_at_or_inside(const char *path, const char *dir)
{
	return policy_path_is_in(path, dir, strlen(dir));
}

static bool is_inside(const char *path, const char *dir)
{
	return is_at_or_inside(path, dir) && strcmp(path, dir) != 0;
}

static bool is_private(const struct finder *f, const char *path)
{
	for (size_t i = 0; i < f->holes->count; i++)
		if (f->holes->item[i].kind == HOLE_TMP && is_inside(path, f->holes->item[i].path))
			return true;
	return false;
}

/* With the rules for what the child mounts itself: these hold for what is kept in it, too, since
 * Landlock goes up from a file through all mounts. `whole` is what roots grant. */
static unsigned granted_at_last(const struct finder *f, const char *path, unsigned whole)
{
	unsigned operations = whole;

	if (is_private(f, path))
		operations = POLICY_OPS_ALL;
	if (f->judge->policy->namespaces[SANDBOX_NS_PID] != SANDBOX_USE_OFF &&
	    is_at_or_inside(path, "/proc"))
		operations |= POLICY_OPS_READ;
	return operations;
}

/* Of a private directory only what is kept. */
static bool is_shown(const struct finder *f, const struct root *root)
{
	const struct policy_roots *sockets = &f->judge->policy->unix_paths;

	if (root->whole != 0 || !is_private(f, root->path))
		return true;
	for (size_t i = 0; i < sockets->count; i++)
		if (policy_path_is_in(root->path, sockets->item[i].path, sockets->item[i].len))
			return true;
	return false;
}

static int add_hole(const struct finder *f, const struct hole *hole)
{
	struct holes *holes = f->holes;
	struct hole *grown = realloc(holes->item, (holes->count + 1) * sizeof(*grown));

	if (!grown)
		return error_no_memory(f->judge->err);
	holes->item = grown;
	grown[holes->count++] = *hole;
	return 0;
}

/* A file that has been written anew is hidden as the one before. With a directory goes what is in
 * it; /proc may be another one in the sandbox. */
static void remember(struct hole *hole, const struct look *look)
{
	hole->type = look->mode & S_IFMT;
	if (S_ISDIR(look->mode) && !is_at_or_inside(hole->path, "/proc")) {
		hole->dev = look->dev;
		hole->ino = look->ino;
	}
}

/* Files that are not there cannot be mounted over; a program that may make them can. */
static int note_missing(const struct finder *f, const char *path, unsigned excess)
{
	if (f->made && errno == ENOENT && (excess & SANDBOX_OP_WRITE_TEXT))
		judge_partial(f->judge, SANDBOX_MECH_NAMESPACES,
			      "%.60s is not there: the program can make it", path);
	return 0;
}

/* The mounts of a file system can be written, or not. */
static int note_mixed(const struct finder *f, const char *path)
{
	if (!f->made)
		return 0;
	return judge_missing(f->judge, SANDBOX_MECH_NAMESPACES, SANDBOX_STATE_PARTIAL,
			     "a mount cannot take away only one of write_text and delete at %.60s",
			     path);
}

static int add_cut(const struct finder *f, const struct root *root, unsigned excess)
{
	struct hole hole = {.path = root->path};
	struct look look;
	int rc = 0;

	if (!paths_look(f->paths, root, &look))
		return note_missing(f, root->path, excess);
	/* What a link leads to is among the paths itself. */
	if (S_ISLNK(look.mode) ||
	    (root->granted == 0 && kept_by_modes(&f->kept, root->path, &look)))
		return 0;
	if (excess & (S_ISDIR(look.mode) ? OPS_SEE : SANDBOX_OP_READ_TEXT))
		hole.kind = S_ISDIR(look.mode) ? HOLE_DIR : HOLE_FILE;
	else
		hole.kind = HOLE_LESSENED;
	remember(&hole, &look);
	hole.no_write = excess & OPS_CHANGE;
	hole.no_exec = excess & SANDBOX_OP_EXEC;
	if (hole.no_write && (root->granted & OPS_CHANGE)) {
		rc = note_mixed(f, root->path);
		hole.no_write = false;
	}
	if (rc < 0 || (hole.kind == HOLE_LESSENED && !hole.no_write && !hole.no_exec))
		return rc;
	return add_hole(f, &hole);
}

static bool is_same(const struct root *a, const struct root *b)
{
	return a->len == b->len && memcmp(a->path, b->path, a->len) == 0;
}

static int find_cuts(const struct finder *f)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < f->paths->count; i++) {
		const struct root *root = &f->paths->item[i];
		unsigned excess = granted_at_last(f, root->path, root->whole) & ~root->granted;

		if (i > 0 && is_same(root, root - 1))
			continue;
		if ((excess & ~(unsigned)SANDBOX_OP_EXISTS) && is_shown(f, root))
			rc = add_cut(f, root, excess);
	}
	return rc;
}

static bool is_root(const struct finder *f, const char *path)
{
	size_t i = paths_find(f->paths, path, strlen(path));

	return i < f->paths->count && strcmp(f->paths->item[i].path, path) == 0;
}

/* Where sockets may be connected to, and nothing else: that asks for no right to write. */
static int find_sockets(const struct finder *f)
{
	const struct policy_roots *sockets = &f->judge->policy->unix_paths;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sockets->count; i++) {
		const char *path = sockets->item[i].path;
		unsigned excess = granted_at_last(f, path, granted_whole(f->paths, path)) &
				  ~paths_operations(f->paths, path, sockets->item[i].len);
		struct hole hole = {.path = path, .kind = HOLE_LESSENED};
		struct look look;

		hole.no_write = excess & OPS_CHANGE;
		hole.no_exec = excess & SANDBOX_OP_EXEC;
		if ((!hole.no_write && !hole.no_exec) || is_root(f, path) ||
		    !look_at(path, &look) || S_ISLNK(look.mode))
			continue;
		remember(&hole, &look);
		rc = add_hole(f, &hole);
		if (f->made && (excess & OPS_SEE) && S_ISDIR(look.mode))
			judge_partial(f->judge, SANDBOX_MECH_NAMESPACES,
				      "what is beside the sockets in %.60s can be read", path);
	}
	return rc;
}

static bool has_hole(const struct finder *f, const char *path)
{
	for (size_t i = 0; i < f->holes->count; i++)
		if (strcmp(f->holes->item[i].path, path) == 0)
			return true;
	return false;
}

static bool is_dir(const char *path)
{
	struct look look;

	return look_at(path, &look) && S_ISDIR(look.mode);
}

/* Not where a root shows the host's own. */
static int add_place(const struct finder *f, const char *path, enum hole_kind kind,
		     const char *what)
{
	if (!is_dir(path))
		return 0;
	if (granted_whole(f->paths, path) != 0) {
		if (!f->made)
			return 0;
		judge_partial(f->judge, SANDBOX_MECH_NAMESPACES,
			      "%s is the host's, since a root of the policy grants it%s", path,
			      what);
		return 0;
	}
	return add_hole(f, &(struct hole){.path = path, .kind = kind});
}

bool holes_want_terminals(const struct judge *judge, const struct sandbox_paths *paths)
{
	unsigned both = SANDBOX_OP_READ_TEXT | SANDBOX_OP_WRITE_TEXT;

	return judge_strictness(judge, SANDBOX_MECH_TTY) != SANDBOX_STRICT_OFF &&
	       (paths_operations(paths, "/dev/pts", strlen("/dev/pts")) & both) == both &&
	       is_dir("/dev/pts");
}

static int find_places(const struct finder *f)
{
	const struct sandbox_policy *policy = f->judge->policy;
	int rc = 0;

	if (policy->tmp == SANDBOX_TMP_PRIVATE) {
		rc = add_place(f, "/tmp", HOLE_TMP, "");
		if (rc == 0)
			rc = add_place(f, "/dev/shm", HOLE_TMP, "");
	}
	if (rc == 0 && policy->unix_sockets == SANDBOX_UNIX_INSIDE)
		rc = add_place(f, "/run", HOLE_EMPTY, ": sockets in it can be connected to");
	if (rc == 0 && holes_want_terminals(f->judge, f->paths))
		rc = add_hole(f,
			      &(struct hole){.path = "/dev/pts", .kind = HOLE_PTS, .whole = true});
	return rc;
}

/* --- the kernel's own files --------------------------------------------------------------------
 */

/* By the modes of files root may change what holds for the whole host there. */
static const char *const of_kernel[] = {"/proc/sys", "/proc/sysrq-trigger", "/proc/irq",
					"/proc/bus", "/sys"};

/* Whether a root at the path, in it or around it, but not around all of /proc and /sys, grants to
 * change something. */
static bool is_named(const struct finder *f, const char *path)
{
	for (size_t i = 0; i < f->paths->count; i++) {
		const struct root *root = &f->paths->item[i];

		if ((root->operations & OPS_CHANGE) &&
		    (is_at_or_inside(root->path, path) ||
		     (root->len > 1 && is_inside(path, root->path))))
			return true;
	}
	return false;
}

static int find_kernel(const struct finder *f)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(of_kernel) / sizeof(of_kernel[0]); i++) {
		struct hole hole = {
			.path = of_kernel[i],
			.kind = HOLE_LESSENED,
			.no_write = true,
			.whole = true,
		};
		struct look look;

		if (!(granted_whole(f->paths, hole.path) & OPS_CHANGE) || is_named(f, hole.path) ||
		    has_hole(f, hole.path) || !look_at(hole.path, &look))
			continue;
		remember(&hole, &look);
		rc = add_hole(f, &hole);
	}
	return rc;
}

/* --- files ---------------------------------------------------------------------------------------
 */

static bool can_be_replaced(const struct hole *hole)
{
	const char *slash = strrchr(hole->path, '/');
	cleanup_free char *dir = strndup(hole->path, slash == hole->path ? 1 : slash - hole->path);

	return dir && !S_ISDIR(hole->type) && faccessat(AT_FDCWD, dir, W_OK, AT_EACCESS) == 0;
}

/* What is below a private directory is mounted on a file of the sandbox's own. */
static bool is_below_tmp(const struct finder *f, const char *path)
{
	for (size_t i = 0; i < f->holes->count; i++)
		if (f->holes->item[i].kind == HOLE_TMP && is_inside(path, f->holes->item[i].path))
			return true;
	return false;
}

/* The kernel takes a mount away from a file whose name somebody outside gives to another one, as
 * editors do when they save. Nobody does so with what is the system's. */
static void note_files(const struct finder *f)
{
	for (size_t i = 0; f->made && i < f->holes->count; i++) {
		const struct hole *hole = &f->holes->item[i];

		if (hole->kind != HOLE_FILE && hole->kind != HOLE_LESSENED)
			continue;
		if (!is_below_tmp(f, hole->path) && !is_at_or_inside(hole->path, "/etc") &&
		    !is_at_or_inside(hole->path, "/proc") && can_be_replaced(hole)) {
			judge_partial(f->judge, SANDBOX_MECH_NAMESPACES,
				      "%.60s is no longer kept when it is replaced outside",
				      hole->path);
			return;
		}
	}
}

static bool is_place(const struct hole *hole)
{
	return hole->kind == HOLE_TMP || hole->kind == HOLE_EMPTY || hole->kind == HOLE_PTS;
}

/* --- pins ----------------------------------------------------------------------------------------
 */

/* What is mounted already stays in place, too. */
static bool is_mount_point(const struct look *look, const char *parent)
{
	struct look above;

	return look_at(parent, &above) && look->dev != above.dev;
}

/* `path` is a directory, and ours. */
static int add_pin(const struct finder *f, char *path, size_t parent_len)
{
	cleanup_free char *parent = strndup(path, parent_len);
	struct hole pin = {.kind = HOLE_PIN, .whole = true};
	struct look look;
	int rc;

	if (!parent)
		return error_no_memory(f->judge->err);
	if (has_hole(f, path))
		return 0;
	if (!look_at(path, &look))
		return error_sys(f->judge->err, errno, "cannot look at %s", path);
	if (is_mount_point(&look, parent))
		return 0;
	pin.path = pin.own = strdup(path);
	if (!pin.own)
		return error_no_memory(f->judge->err);
	remember(&pin, &look);
	rc = add_hole(f, &pin);
	if (rc < 0)
		free(pin.own);
	return rc;
}

/* Of the directories above a path, from the innermost outwards. */
static int add_pins(const struct finder *f, const char *path)
{
	size_t len = strlen(path);
	int rc = 0;

	while (rc == 0 && --len > 0) {
		cleanup_free char *above = NULL;
		size_t parent_len = len;

		if (path[len] != '/')
			continue;
		while (parent_len > 1 && path[--parent_len] != '/')
			;
		if (!(paths_operations(f->paths, path, parent_len) & SANDBOX_OP_DELETE))
			continue;
		above = strndup(path, len);
		rc = above ? add_pin(f, above, parent_len) : error_no_memory(f->judge->err);
	}
	return rc;
}

/*
 * Who may rename a directory above a hole takes the hole along, but for this time only: on the host
 * what it hides has another path from then on, at which nothing hides it.
 */
static int find_pins(const struct finder *f)
{
	size_t holes = f->holes->count;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < holes; i++)
		if (!is_place(&f->holes->item[i]))
			rc = add_pins(f, f->holes->item[i].path);
	return rc;
}

/* --- what is kept --------------------------------------------------------------------------------
 */

static int add_keep(const struct finder *f, struct hole *hole, const char *path,
		    const struct look *look)
{
	struct holes *holes = f->holes;
	struct hole_keep *grown = realloc(holes->keep, (holes->keeps + 1) * sizeof(*grown));

	if (!grown)
		return error_no_memory(f->judge->err);
	holes->keep = grown;
	grown[holes->keeps++] = (struct hole_keep){path, S_ISDIR(look->mode)};
	hole->keeps++;
	return 0;
}

/* Paths come sorted, so what is around another one comes before it. */
static bool is_kept(const struct finder *f, const struct hole *hole, const char *path)
{
	for (size_t i = 0; i < hole->keeps; i++)
		if (is_at_or_inside(path, f->holes->keep[hole->first + i].path))
			return true;
	return false;
}

static int keep_roots(const struct finder *f, struct hole *hole)
{
	const struct sandbox_paths *paths = f->paths;
	const size_t len = strlen(hole->path);
	int rc = 0;

	for (size_t i = paths_find(paths, hole->path, len); rc == 0 && i < paths->count; i++) {
		const struct root *root = &paths->item[i];
		struct look look;

		if (strncmp(root->path, hole->path, len) != 0)
			break; /* as nothing after it is in it */
		if (is_inside(root->path, hole->path) && root->granted != 0 &&
		    !is_kept(f, hole, root->path) && paths_look(paths, root, &look))
			rc = add_keep(f, hole, root->path, &look);
	}
	return rc;
}

static int find_keeps(const struct finder *f, struct hole *hole)
{
	const struct policy_roots *sockets = &f->judge->policy->unix_paths;
	int rc;

	hole->first = f->holes->keeps;
	rc = keep_roots(f, hole);
	for (size_t i = 0; rc == 0 && i < sockets->count; i++) {
		const char *path = sockets->item[i].path;
		struct look look;

		if (is_inside(path, hole->path) && !is_kept(f, hole, path) && look_at(path, &look))
			rc = add_keep(f, hole, path, &look);
	}
	if (hole->kind == HOLE_DIR && hole->keeps > 0)
		hole->kind = HOLE_EMPTY;
	return rc;
}

static int in_order(const void *a, const void *b)
{
	const struct hole *x = a, *y = b;
	size_t m = strlen(x->path), n = strlen(y->path);
	int longer = (m > n) - (m < n);

	if ((x->kind == HOLE_PIN) != (y->kind == HOLE_PIN))
		return x->kind == HOLE_PIN ? -1 : 1;
	if (longer)
		return x->kind == HOLE_PIN ? longer : -longer;
	return strcmp(x->path, y->path);
}

int holes_find(const struct judge *judge, const struct sandbox_paths *paths, bool made,
	       struct holes *ret)
{
	struct finder f = {.judge = judge, .paths = paths, .made = made, .holes = ret};
	int rc;

	*ret = (struct holes){0};
	kept_find(&f.kept, judge->policy);
	rc = find_places(&f);
	if (rc == 0)
		rc = find_cuts(&f);
	if (rc == 0)
		rc = find_sockets(&f);
	if (rc == 0)
		rc = find_kernel(&f);
	if (rc == 0)
		note_files(&f);
	if (rc == 0)
		rc = find_pins(&f);
	if (ret->count)
		qsort(ret->item, ret->count, sizeof(*ret->item), in_order);
	for (size_t i = 0; rc == 0 && i < ret->count; i++)
		if (!ret->item[i].whole)
			rc = find_keeps(&f, &ret->item[i]);
	if (rc < 0)
		holes_free(ret);
	return rc;
}

void holes_free(struct holes *holes)
{
	for (size_t i = 0; i < holes->count; i++)
		free(holes->item[i].own);
	free(holes->item);
	free(holes->keep);
	free(holes->writable);
	*holes = (struct holes){0};
}
