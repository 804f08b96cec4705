/* Where a mount namespace shows something else than the host has. */
#include "sandbox/holes.h"

#include "base/cleanup.h"
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
};

static bool is_at_or_inside(const char *path, const char *dir)
{
	return policy_path_is_in(path, dir, strlen(dir));
}

static bool is_inside(const char *path, const char *dir)
{
	return is_at_or_inside(path, dir) && strcmp(path, dir) != 0;
}

/* What the policy's rules of Landlock grant, where every root is granted whole. */
static unsigned granted_whole(const struct sandbox_paths *paths, const char *path)
{
	unsigned operations = 0;

	for (size_t i = 0; i < paths->count; i++)
		if (is_at_or_inside(path, paths->item[i].path))
			operations |= paths->item[i].operations;
	return operations;
}

static bool is_private(const struct finder *f, const char *path)
{
	for (size_t i = 0; i < f->holes->count; i++)
		if (f->holes->item[i].kind == HOLE_TMP && is_inside(path, f->holes->item[i].path))
			return true;
	return false;
}

/* With the rules for what the child mounts itself: these hold for what is kept in it, too, since
 * Landlock goes up from a file through all mounts. */
static unsigned granted_at_last(const struct finder *f, const char *path)
{
	unsigned operations = granted_whole(f->paths, path);

	if (is_private(f, path))
		operations = POLICY_OPS_ALL;
	if (f->judge->policy->namespaces[SANDBOX_NS_PID] != SANDBOX_USE_OFF &&
	    is_at_or_inside(path, "/proc"))
		operations |= POLICY_OPS_READ;
	return operations;
}

/* Of a private directory only what is kept. */
static bool is_shown(const struct finder *f, const char *path)
{
	const struct policy_roots *sockets = &f->judge->policy->unix_paths;

	if (!is_private(f, path) || granted_whole(f->paths, path) != 0)
		return true;
	for (size_t i = 0; i < sockets->count; i++)
		if (is_at_or_inside(path, sockets->item[i].path))
			return true;
	return false;
}

/* Who does not own a file and may not open it cannot either when it has been restricted: it will
 * have no capabilities that it has not now. */
static bool is_closed_anyway(const struct stat *st, const char *path)
{
	return st->st_uid != geteuid() && access(path, R_OK) != 0 && access(path, W_OK) != 0 &&
	       access(path, X_OK) != 0;
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

static int add_cut(const struct finder *f, const char *path, unsigned wanted, unsigned excess)
{
	struct hole hole = {.path = path};
	struct stat st;
	int rc = 0;

	if (lstat(path, &st) < 0)
		return note_missing(f, path, excess);
	/* What a link leads to is among the paths itself. */
	if (S_ISLNK(st.st_mode) || (wanted == 0 && is_closed_anyway(&st, path)))
		return 0;
	if (excess & (S_ISDIR(st.st_mode) ? OPS_SEE : SANDBOX_OP_READ_TEXT))
		hole.kind = S_ISDIR(st.st_mode) ? HOLE_DIR : HOLE_FILE;
	else
		hole.kind = HOLE_LESSENED;
	hole.no_write = excess & OPS_CHANGE;
	hole.no_exec = excess & SANDBOX_OP_EXEC;
	if (hole.no_write && (wanted & OPS_CHANGE)) {
		rc = note_mixed(f, path);
		hole.no_write = false;
	}
	if (rc < 0 || (hole.kind == HOLE_LESSENED && !hole.no_write && !hole.no_exec))
		return rc;
	return add_hole(f, &hole);
}

static int find_cuts(const struct finder *f)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < f->paths->count; i++) {
		const struct root *root = &f->paths->item[i];
		unsigned wanted = paths_operations(f->paths, root->path, root->len);
		unsigned excess = granted_at_last(f, root->path) & ~wanted;

		if (i > 0 && strcmp(root->path, f->paths->item[i - 1].path) == 0)
			continue;
		if ((excess & ~(unsigned)SANDBOX_OP_EXISTS) && is_shown(f, root->path))
			rc = add_cut(f, root->path, wanted, excess);
	}
	return rc;
}

static bool is_root(const struct finder *f, const char *path)
{
	for (size_t i = 0; i < f->paths->count; i++)
		if (strcmp(f->paths->item[i].path, path) == 0)
			return true;
	return false;
}

/* Where sockets may be connected to, and nothing else: that asks for no right to write. */
static int find_sockets(const struct finder *f)
{
	const struct policy_roots *sockets = &f->judge->policy->unix_paths;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sockets->count; i++) {
		const char *path = sockets->item[i].path;
		unsigned excess = granted_at_last(f, path) &
				  ~paths_operations(f->paths, path, sockets->item[i].len);
		struct hole hole = {.path = path, .kind = HOLE_LESSENED};
		struct stat st;

		hole.no_write = excess & OPS_CHANGE;
		hole.no_exec = excess & SANDBOX_OP_EXEC;
		if ((!hole.no_write && !hole.no_exec) || is_root(f, path) || lstat(path, &st) < 0 ||
		    S_ISLNK(st.st_mode))
			continue;
		rc = add_hole(f, &hole);
		if (f->made && (excess & OPS_SEE) && S_ISDIR(st.st_mode))
			judge_partial(f->judge, SANDBOX_MECH_NAMESPACES,
				      "what is beside the sockets in %.60s can be read", path);
	}
	return rc;
}

static bool is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
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
	struct stat st;

	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
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

		if ((granted_whole(f->paths, hole.path) & OPS_CHANGE) && !is_named(f, hole.path) &&
		    !has_hole(f, hole.path) && is_there(hole.path))
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
	struct stat st;

	return dir && lstat(hole->path, &st) == 0 && !S_ISDIR(st.st_mode) &&
	       faccessat(AT_FDCWD, dir, W_OK, AT_EACCESS) == 0;
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
static bool is_mount_point(const char *path, const char *parent)
{
	struct stat st, above;

	return lstat(path, &st) == 0 && lstat(parent, &above) == 0 && st.st_dev != above.st_dev;
}

/* `path` is a directory, and ours. */
static int add_pin(const struct finder *f, char *path)
{
	char *slash = strrchr(path, '/');
	size_t parent_len = slash == path ? 1 : (size_t)(slash - path);
	cleanup_free char *parent = strndup(path, parent_len);
	struct hole pin = {.kind = HOLE_PIN, .whole = true};
	int rc;

	if (!parent)
		return error_no_memory(f->judge->err);
	if (!(paths_operations(f->paths, parent, parent_len) & SANDBOX_OP_DELETE) ||
	    has_hole(f, path) || is_mount_point(path, parent))
		return 0;
	pin.path = pin.own = strdup(path);
	if (!pin.own)
		return error_no_memory(f->judge->err);
	rc = add_hole(f, &pin);
	if (rc < 0)
		free(pin.own);
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

	for (size_t i = 0; rc == 0 && i < holes; i++) {
		const char *path = f->holes->item[i].path;
		size_t len = strlen(path);

		while (rc == 0 && !is_place(&f->holes->item[i]) && --len > 0) {
			cleanup_free char *above = path[len] == '/' ? strndup(path, len) : NULL;

			if (path[len] == '/')
				rc = above ? add_pin(f, above) : error_no_memory(f->judge->err);
		}
	}
	return rc;
}

/* --- what is kept --------------------------------------------------------------------------------
 */

static int add_keep(const struct finder *f, struct hole *hole, const char *path)
{
	struct holes *holes = f->holes;
	struct hole_keep *grown = realloc(holes->keep, (holes->keeps + 1) * sizeof(*grown));

	if (!grown)
		return error_no_memory(f->judge->err);
	holes->keep = grown;
	grown[holes->keeps++] = (struct hole_keep){path, is_dir(path)};
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

static int find_keeps(const struct finder *f, struct hole *hole)
{
	const struct policy_roots *sockets = &f->judge->policy->unix_paths;
	int rc = 0;

	hole->first = f->holes->keeps;
	for (size_t i = 0; rc == 0 && i < f->paths->count; i++) {
		const char *path = f->paths->item[i].path;

		if (is_inside(path, hole->path) &&
		    paths_operations(f->paths, path, strlen(path)) != 0 &&
		    !is_kept(f, hole, path) && is_there(path))
			rc = add_keep(f, hole, path);
	}
	for (size_t i = 0; rc == 0 && i < sockets->count; i++) {
		const char *path = sockets->item[i].path;

		if (is_inside(path, hole->path) && !is_kept(f, hole, path) && is_there(path))
			rc = add_keep(f, hole, path);
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

/* A file that has been written anew is hidden as the one before. With a directory goes what is in
 * it; /proc may be another one in the sandbox. */
static int remember(const struct finder *f, struct hole *hole)
{
	struct stat st;

	if (lstat(hole->path, &st) < 0)
		return error_sys(f->judge->err, errno, "cannot look at %s", hole->path);
	hole->type = st.st_mode & S_IFMT;
	if (S_ISDIR(st.st_mode) && !is_at_or_inside(hole->path, "/proc")) {
		hole->dev = st.st_dev;
		hole->ino = st.st_ino;
	}
	return 0;
}

int holes_find(const struct judge *judge, const struct sandbox_paths *paths, bool made,
	       struct holes *ret)
{
	const struct finder f = {judge, paths, made, ret};
	int rc;

	*ret = (struct holes){0};
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
		if (!is_place(&ret->item[i]))
			rc = remember(&f, &ret->item[i]);
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
	*holes = (struct holes){0};
}
