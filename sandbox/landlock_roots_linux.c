/*
 * The roots of a policy as rules of Landlock. A rule on a directory holds for all that is below,
 * and rules only add up; so where a root takes something away from the one around it, and no mount
 * does that, the directories on the way to it are opened up: what is in them is granted piece by
 * piece, and they themselves are not. What is made in them later is granted to nobody.
 *
 * A cut of a level (the roots at one path) is a root below it that grants less. It needs no carving
 * where files' modes or the kernel refuse the user anyway.
 */
#include "sandbox/landlock.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "sandbox/kept_linux.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CARVED_MAX 10000 /* rules around cuts, of a whole policy */

#define CHANGES (SANDBOX_OP_WRITE_TEXT | SANDBOX_OP_DELETE)

struct cut {
	const struct root *root;
	bool hides_names; /* it is a directory that must not be listed */
};

struct adding {
	const struct judge *judge;
	const struct sandbox_paths *paths;
	struct landlock *l;
	bool masked;
	struct kept kept;
	/* of the level that is being added */
	unsigned operations;
	struct cut *cut; /* sorted by their paths; owned */
	size_t cuts;
	/* of all */
	size_t carved, ways, unlisted, left, absent, blind;
};

/* --- opening ---------------------------------------------------------------------------------- */

/* Fails when a component has become a link since it was resolved. */
static int open_path(int dir, const char *path)
{
	const struct open_how how = {
		.flags = O_PATH | O_CLOEXEC | O_NOFOLLOW,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	return (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

static int cannot_open(const struct adding *a, const char *path)
{
	int code = errno;
	const char *way_out = error_way_out(code);
	int rc = error_sys(a->judge->err, code, "cannot open %s, which the policy grants", path);

	return way_out ? error_advise(a->judge->err, rc, way_out) : rc;
}

/* --- cuts ------------------------------------------------------------------------------------- */

static bool is_below(const struct root *root, const char *path, size_t len)
{
	return root->len > len && memcmp(root->path, path, len) == 0 &&
	       (len == 1 || root->path[len] == '/');
}

/* Whether operations of the level must not reach the root, and are not kept from it anyway. */
static bool is_cut(struct adding *a, const struct root *root, struct cut *ret)
{
	unsigned taken = a->operations & ~paths_operations(a->paths, root->path, root->len);
	struct stat st;
	bool there = lstat(root->path, &st) == 0;

	taken &= ~(unsigned)SANDBOX_OP_EXISTS; /* which Landlock does not refuse */
	if (there && !S_ISDIR(st.st_mode))
		taken &= ~(unsigned)SANDBOX_OP_LIST;
	*ret = (struct cut){root, there && taken & SANDBOX_OP_LIST};
	if (!there && taken) {
		/* Nothing is there to be kept from anybody. Around it things can be made. */
		a->absent += (a->operations & SANDBOX_OP_WRITE_TEXT) != 0;
		return false;
	}
	if (!taken || a->operations & CHANGES)
		return taken != 0;
	if (there && S_ISLNK(st.st_mode))
		return false; /* it stays one, and what it leads to is a cut of its own */
	if (!kept_refuses(&a->kept, root->path))
		return true;
	a->left++;
	return false;
}

static void find_cuts(struct adding *a, const struct root *level)
{
	const struct sandbox_paths *paths = a->paths;

	for (size_t i = (size_t)(level - paths->item) + 1; i < paths->count; i++) {
		const struct root *root = &paths->item[i];

		if (root->len < level->len || memcmp(root->path, level->path, level->len) != 0)
			break;
		if (is_below(root, level->path, level->len) && (root->denies || root->read_only))
			a->cuts += is_cut(a, root, &a->cut[a->cuts]);
	}
}

/* --- carving ---------------------------------------------------------------------------------- */

enum relation { APART, IS_CUT, IS_WAY };

/* Of a path to the cuts of the level. */
static enum relation relation_to_cuts(const struct adding *a, const char *path, size_t len)
{
	enum relation relation = APART;

	for (size_t i = 0; i < a->cuts; i++) {
		const struct root *root = a->cut[i].root;

		if (root->len == len && memcmp(root->path, path, len) == 0)
			return IS_CUT;
		if (is_below(root, path, len))
			relation = IS_WAY;
	}
	return relation;
}

static const struct root *cut_below(const struct adding *a, const char *path, size_t len)
{
	for (size_t i = 0; i < a->cuts; i++)
		if (is_below(a->cut[i].root, path, len))
			return a->cut[i].root;
	return NULL;
}

/* READ_DIR holds for all that is below, so that a denied directory could be listed, too. */
static bool may_list(const struct adding *a, const char *path, size_t len)
{
	for (size_t i = 0; i < a->cuts; i++)
		if (a->cut[i].hides_names && is_below(a->cut[i].root, path, len))
			return false;
	return true;
}

static int add_rule(struct adding *a, int fd_take, const char *path, unsigned operations)
{
	return landlock_add_take(a->l, fd_take, path, operations, a->judge->err);
}

static int carve(struct adding *a, struct buf *path);

static int carve_piece(struct adding *a, int dir, struct buf *path, const char *name)
{
	cleanup_close int fd = -1;
	enum relation relation = relation_to_cuts(a, path->data, path->len);
	struct stat st;

	if (relation == IS_CUT)
		return 0;
	fd = open_path(dir, name);
	if (fd < 0 && (errno == ENOENT || errno == EACCES))
		return 0; /* gone, or nobody's to reach */
	if (fd < 0)
		return cannot_open(a, path->data);
	if (fstat(fd, &st) < 0)
		return error_sys(a->judge->err, errno, "cannot look at %s", path->data);
	if (S_ISLNK(st.st_mode))
		return 0; /* what it leads to has rules of its own */
	if (relation == IS_WAY && S_ISDIR(st.st_mode))
		return carve(a, path);
	if (++a->carved > CARVED_MAX)
		return error_set(a->judge->err, ERR_LIMIT,
				 "there are more than %d entries in the directories around what "
				 "is denied or read-only (%s is one), and without a mount "
				 "namespace each is granted by itself: grant less, or have it "
				 "elsewhere",
				 CARVED_MAX, path->data);
	return add_rule(a, steal_fd(&fd), path->data, a->operations);
}

static int carve_entry(struct adding *a, int dir, struct buf *path, const char *name)
{
	size_t len = path->len;
	int rc;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return 0;
	if ((len > 1 && buf_add_char(path, '/') < 0) || buf_add_str(path, name) < 0)
		return error_no_memory(a->judge->err);
	rc = carve_piece(a, dir, path, name);
	path->len = len;
	path->data[len] = '\0';
	return rc;
}

/* The directory that is on the way itself. */
static int carve_way(struct adding *a, int fd, const struct buf *path)
{
	int own;

	a->ways++;
	if (!(a->operations & SANDBOX_OP_LIST))
		return 0;
	if (!may_list(a, path->data, path->len)) {
		a->unlisted++;
		return 0;
	}
	own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return own < 0 ? cannot_open(a, path->data) : add_rule(a, own, path->data, SANDBOX_OP_LIST);
}

/* What programs mostly need of directories that are carved by nearly every policy. */
static const char *const usual[] = {
	"/etc/X11",
	"/etc/alternatives",
	"/etc/bash.bashrc",
	"/etc/bash_completion.d",
	"/etc/ca-certificates",
	"/etc/default",
	"/etc/environment",
	"/etc/ethers",
	"/etc/fonts",
	"/etc/gitconfig",
	"/etc/group",
	"/etc/host.conf",
	"/etc/hostname",
	"/etc/hosts",
	"/etc/inputrc",
	"/etc/ld.so.cache",
	"/etc/ld.so.conf",
	"/etc/ld.so.conf.d",
	"/etc/locale.alias",
	"/etc/locale.conf",
	"/etc/localtime",
	"/etc/login.defs",
	"/etc/lsb-release",
	"/etc/machine-id",
	"/etc/magic",
	"/etc/mime.types",
	"/etc/networks",
	"/etc/nsswitch.conf",
	"/etc/os-release",
	"/etc/passwd",
	"/etc/perl",
	"/etc/pki",
	"/etc/pki/ca-trust",
	"/etc/pki/tls",
	"/etc/pki/tls/cert.pem",
	"/etc/pki/tls/certs",
	"/etc/pki/tls/openssl.cnf",
	"/etc/profile",
	"/etc/profile.d",
	"/etc/protocols",
	"/etc/resolv.conf",
	"/etc/rpc",
	"/etc/services",
	"/etc/shells",
	"/etc/ssh",
	"/etc/ssh/ssh_config",
	"/etc/ssl",
	"/etc/ssl/cert.pem",
	"/etc/ssl/certs",
	"/etc/ssl/openssl.cnf",
	"/etc/terminfo",
	"/etc/timezone",
	"/etc/vim",
	"/etc/xdg",
	"/sys/block",
	"/sys/bus",
	"/sys/class",
	"/sys/dev",
	"/sys/devices",
	"/sys/fs",
	"/sys/hypervisor",
	"/sys/module",
	"/sys/power",
};

/* A sandbox around this process refuses the list of a directory that the modes would let it have.
 */
static bool is_blind(const char *path)
{
	int code = errno;
	bool blind = code == EACCES &&
		     faccessat(AT_FDCWD, path, R_OK, AT_EACCESS | AT_SYMLINK_NOFOLLOW) == 0;

	errno = code;
	return blind;
}

/* Without its list only what is known by name is granted of it. */
static int carve_blindly(struct adding *a, struct buf *path)
{
	cleanup_close int fd = open_path(AT_FDCWD, path->data);
	int rc = 0;

	if (fd < 0)
		return cannot_open(a, path->data);
	a->ways++;
	a->unlisted++;
	a->blind++;
	for (size_t i = 0; rc == 0 && i < sizeof(usual) / sizeof(usual[0]); i++)
		if (strncmp(usual[i], path->data, path->len) == 0 && usual[i][path->len] == '/' &&
		    !strchr(usual[i] + path->len + 1, '/'))
			rc = carve_entry(a, fd, path, usual[i] + path->len + 1);
	return rc;
}

static int carve(struct adding *a, struct buf *path)
{
	const struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	cleanup_close int fd = (int)syscall(SYS_openat2, AT_FDCWD, path->data, &how, sizeof(how));
	cleanup_closedir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int rc, own = fd;

	if (!dir && errno == ENOENT)
		return 0;
	if (!dir && errno == ENOMEM)
		return error_no_memory(a->judge->err);
	if (!dir && is_blind(path->data))
		return carve_blindly(a, path);
	if (!dir)
		return error_sys(a->judge->err, errno, "cannot list %s, to grant what is beside %s",
				 path->data, cut_below(a, path->data, path->len)->path);
	steal_fd(&fd);
	rc = carve_way(a, own, path);
	while (rc == 0) {
		errno = 0;
		entry = readdir(dir);
		if (!entry)
			break;
		rc = carve_entry(a, own, path, entry->d_name);
	}
	if (rc == 0 && errno)
		return error_sys(a->judge->err, errno, "cannot list %s", path->data);
	return rc;
}

/* --- levels ----------------------------------------------------------------------------------- */

/* Whether what is there is known, and no link, so that a child can open it by its name. */
static bool is_known(const struct adding *a, const struct root *level)
{
	return level->look.known && !a->paths->old && level->look.error == 0 &&
	       !S_ISLNK(level->look.mode);
}

static int add_whole(struct adding *a, const struct root *level, bool cuts)
{
	int fd;

	if (a->l->ruleset < 0 && is_known(a, level))
		return landlock_add_name(a->l, level->path, S_ISDIR(level->look.mode),
					 a->operations, a->judge->err);
	fd = open_path(AT_FDCWD, level->path);
	if (fd < 0 && cuts && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
		return 0; /* what takes away has its rule by its real name, and need not be there */
	return fd < 0 ? cannot_open(a, level->path) : add_rule(a, fd, level->path, a->operations);
}

static int add_carved(struct adding *a, const struct root *level)
{
	cleanup_buf struct buf path = BUF_INIT;
	struct stat st;

	if (buf_add(&path, level->path, level->len) < 0)
		return error_no_memory(a->judge->err);
	if (lstat(level->path, &st) == 0 && !S_ISDIR(st.st_mode))
		return add_whole(a, level, true);
	return carve(a, &path);
}

/* Each start makes all rules, so that one which changes nothing costs time. */
static bool is_granted_around(const struct adding *a, const struct root *level)
{
	const char *slash = memrchr(level->path, '/', level->len);
	size_t above = slash == level->path ? 1 : (size_t)(slash - level->path);

	return a->masked && level->len > 1 &&
	       !(a->operations & ~paths_whole(a->paths, level->path, above));
}

static int add_level(struct adding *a, const struct root *level)
{
	bool cuts = paths_level(a->paths, level->path, level->len, &a->operations);

	if (!(a->operations & ~(unsigned)SANDBOX_OP_EXISTS) || is_granted_around(a, level))
		return 0;
	a->cuts = 0;
	if (!a->masked)
		find_cuts(a, level);
	return a->cuts ? add_carved(a, level) : add_whole(a, level, cuts);
}

/* How many roots are at the path of this one, which is the first. */
static size_t count_level(const struct sandbox_paths *paths, size_t first, unsigned *ret_operations)
{
	const struct root *root = &paths->item[first];
	size_t count = 0;

	*ret_operations = 0;
	while (first + count < paths->count && root[count].len == root->len &&
	       memcmp(root[count].path, root->path, root->len) == 0)
		*ret_operations |= root[count++].operations;
	return count;
}

static void tell(const struct adding *a)
{
	const enum sandbox_mechanism which = SANDBOX_MECH_LANDLOCK_FS;

	if (a->blind)
		judge_partial(a->judge, which,
			      "only usual names in %zu directories that a sandbox around hides",
			      a->blind);
	judge_enforced(a->judge, which, "%zu rules, ABI %d; not chmod, chown, utime, setxattr",
		       a->l->rules, a->l->abi);
	if (a->absent)
		judge_partial(a->judge, which,
			      "%zu denied names are not there: the program can make them",
			      a->absent);
	if (a->left)
		judge_enforced(a->judge, which, "file modes keep %zu denied paths", a->left);
	if (a->ways)
		judge_partial(a->judge, which,
			      "%zu directories around denials take nothing new, %zu are not listed",
			      a->ways, a->unlisted);
}

int landlock_add_roots(const struct judge *judge, const struct sandbox_paths *paths, bool masked,
		       struct landlock *l)
{
	cleanup_free struct cut *cut = calloc(paths->count + 1, sizeof(*cut));
	struct adding a = {.judge = judge, .paths = paths, .l = l, .masked = masked, .cut = cut};
	int rc = 0;

	if (!cut)
		return error_no_memory(judge->err);
	kept_find(&a.kept, judge->policy);
	for (size_t i = 0, count; rc == 0 && i < paths->count; i += count) {
		unsigned operations;

		count = count_level(paths, i, &operations);
		if (operations)
			rc = add_level(&a, &paths->item[i]);
	}
	if (rc == 0)
		tell(&a);
	return rc;
}
