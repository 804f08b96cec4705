/* What a program uses and the default policy does not grant: each path once. */
#include "sandbox/learn.h"

#include "base/cleanup.h"
#include "base/hash.h"
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SLOTS  (4 * LEARN_PATHS_MAX) /* powers of two */
#define RECENT 16384

int learn_new(const struct sandbox_policy *base, bool with_secrets, struct learn **ret,
	      struct error *err)
{
	struct learn *l = calloc(1, sizeof(*l));
	int rc;

	if (!l)
		return error_no_memory(err);
	l->base = base;
	l->with_secrets = with_secrets;
	clock_gettime(CLOCK_REALTIME_COARSE, &l->began); /* as files have it */
	l->path = calloc(LEARN_PATHS_MAX, sizeof(*l->path));
	l->slot = calloc(SLOTS, sizeof(*l->slot));
	l->recent = calloc(RECENT, sizeof(*l->recent));
	rc = l->path && l->slot && l->recent ? sandbox_paths_new(base, NULL, NULL, &l->paths, err)
					     : error_no_memory(err);
	if (rc == 0)
		*ret = l;
	else
		learn_free(l);
	return rc;
}

void learn_free(struct learn *l)
{
	if (!l)
		return;
	sandbox_paths_free(l->paths);
	arena_free(&l->texts);
	free(l->path);
	free(l->slot);
	free(l->recent);
	free(l);
}

/* --- the table ---------------------------------------------------------------------------------
 */

static uint32_t *find_slot(const struct learn *l, const char *path, size_t len)
{
	size_t at = hash64(path, len) % SLOTS;

	while (l->slot[at] > 0) {
		const char *there = l->path[l->slot[at] - 1].path;

		if (strncmp(there, path, len) == 0 && !there[len])
			break;
		at = (at + 1) % SLOTS;
	}
	return &l->slot[at];
}

static void put(struct learn *l, const char *path, size_t len, unsigned access)
{
	uint32_t *slot = find_slot(l, path, len);
	char *text;

	if (*slot > 0) {
		l->path[*slot - 1].access |= access;
		return;
	}
	if (l->count == LEARN_PATHS_MAX) {
		l->more++;
		return;
	}
	text = arena_add(&l->texts, path, len);
	if (!text) {
		if (!l->failure.code)
			error_no_memory(&l->failure);
		return;
	}
	l->path[l->count++] = (struct learn_path){text, access};
	*slot = (uint32_t)l->count;
}

static bool is_marked(const struct learn *l, const char *path, size_t len, unsigned access)
{
	uint32_t at = *find_slot(l, path, len);

	return at > 0 && l->path[at - 1].access & access;
}

/* It, or what it is in, is the program's own. */
static bool is_made(const struct learn *l, const char *path)
{
	for (const char *end = path + 1; *end; end++) {
		end = strchrnul(end, '/');
		if (is_marked(l, path, (size_t)(end - path), LEARN_MADE))
			return true;
		if (!*end)
			break;
	}
	return false;
}

/* --- what needs nothing ------------------------------------------------------------------------
 */

static size_t parent_len(const char *path)
{
	size_t len = (size_t)(strrchr(path, '/') - path);

	return len ? len : 1;
}

static bool is_in(const char *path, const char *dir)
{
	return policy_path_is_in(path, dir, strlen(dir));
}

/* Directly in a place that the program will have for itself. */
static bool is_in_own_tmp(const char *path)
{
	size_t len = parent_len(path);

	return (len == 4 && memcmp(path, "/tmp", len) == 0) ||
	       (len == 8 && memcmp(path, "/dev/shm", len) == 0);
}

/* /tmp itself, and the directory that TMPDIR is where no mount can be made. */
static bool is_own_tmp(const struct learn *l, const char *path)
{
	const char *tmp = l->base->places[POLICY_TMP];
	size_t len = tmp ? strlen(tmp) : 0;

	if (strcmp(path, "/tmp") == 0 || strcmp(path, "/dev/shm") == 0)
		return true;
	return tmp && is_in(path, tmp) && strncmp(path + len, "/sandtape-", 10) == 0;
}

/* What of the workspace a policy must let be done, for each access. */
static unsigned operations_of(enum sandbox_access access)
{
	switch (access) {
	case SANDBOX_ACCESS_WRITE:
		return SANDBOX_OP_WRITE_TEXT;
	case SANDBOX_ACCESS_DELETE:
		return SANDBOX_OP_DELETE;
	case SANDBOX_ACCESS_EXEC:
		return SANDBOX_OP_EXEC;
	default:
		return 0;
	}
}

static bool is_granted(struct learn *l, const char *path, enum sandbox_access access)
{
	struct sandbox_path *found = malloc(sizeof(*found));
	bool granted;

	if (!found) {
		error_no_memory(&l->failure);
		return true;
	}
	granted = sandbox_paths_check(l->paths, access, "/", path, found, NULL) == 0 &&
		  found->allowed;
	if (granted && is_in(path, l->base->places[POLICY_WORK]))
		l->operations |= operations_of(access);
	free(found);
	return granted;
}

/* Whether it was looked at a short time ago. */
static bool is_recent(struct learn *l, const char *path, unsigned what)
{
	uint64_t hash = hash64(path, strlen(path)) * 31 + what + 1;
	uint64_t *there = &l->recent[hash % RECENT];

	if (*there == hash)
		return true;
	*there = hash;
	return false;
}

static bool is_secret(struct learn *l, const char *path)
{
	if (!learn_denies(l->base, path))
		return false;
	put(l, path, strlen(path), LEARN_SECRET);
	return true;
}

/* --- uses of paths -----------------------------------------------------------------------------
 */

static const enum sandbox_access as_access[] = {
	[LEARN_READ] = SANDBOX_ACCESS_READ,    [LEARN_WRITE] = SANDBOX_ACCESS_WRITE,
	[LEARN_EXEC] = SANDBOX_ACCESS_EXEC,    [LEARN_LIST] = SANDBOX_ACCESS_LIST,
	[LEARN_ENTER] = SANDBOX_ACCESS_EXISTS,
};

/* `access` is one bit. */
static void use_path(struct learn *l, const char *path, unsigned access)
{
	unsigned named = 0;

	/* Other places than a /tmp are seen by whoever may not use them: to be there is no use. */
	if (is_recent(l, path, access) || (access == LEARN_ENTER && !learn_is_hidden(path)))
		return;
	if (access == LEARN_WRITE)
		put(l, path, strlen(path), LEARN_WRITTEN);
	if (is_granted(l, path, as_access[access]) || is_own_tmp(l, path) || is_made(l, path))
		return;
	if (is_secret(l, path)) {
		if (!l->with_secrets)
			return;
		named = LEARN_NAMED;
	}
	put(l, path, strlen(path), access | named);
}

static bool is_link(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

static bool parent_of(const char *path, char into[PATH_MAX])
{
	size_t len = parent_len(path);

	if (len >= PATH_MAX)
		return false;
	memcpy(into, path, len);
	into[len] = '\0';
	return true;
}

/* What a link leads to does not matter where its name is made. */
static bool may_change_name(struct learn *l, const char *path, enum sandbox_access access)
{
	char dir[PATH_MAX];

	if (access == SANDBOX_ACCESS_WRITE && is_link(path) && parent_of(path, dir))
		return is_granted(l, dir, access);
	return is_granted(l, path, access);
}

/* What names are made and removed in, where it may be granted. */
static bool change_in(struct learn *l, const char *dir)
{
	if (!learn_may_grant(l->base, dir, SANDBOX_ROOT_WRITE))
		return false;
	put(l, dir, strlen(dir), LEARN_MAKE);
	return true;
}

/* A name is made or removed: that needs its directory. */
static void change_name(struct learn *l, const char *path, enum sandbox_access access)
{
	char dir[PATH_MAX];

	if (may_change_name(l, path, access) || is_own_tmp(l, path) || is_made(l, path) ||
	    !parent_of(path, dir))
		return;
	if (is_in_own_tmp(path)) {
		put(l, path, strlen(path), LEARN_MADE);
		return;
	}
	if (is_secret(l, path) && !l->with_secrets)
		return;
	if (!change_in(l, dir))
		put(l, path, strlen(path), LEARN_WRITE | LEARN_NAMED | LEARN_NEW);
}

static void make_name(struct learn *l, const char *path)
{
	if (!is_recent(l, path, LEARN_MAKE))
		change_name(l, path, SANDBOX_ACCESS_WRITE);
}

/* What is in it then is its own. */
static void make_dir(struct learn *l, const char *path)
{
	make_name(l, path);
	if (!is_in(path, l->base->places[POLICY_WORK]))
		put(l, path, strlen(path), LEARN_MADE);
}

static void remove_name(struct learn *l, const char *path)
{
	if (!is_recent(l, path, LEARN_MADE))
		change_name(l, path, SANDBOX_ACCESS_DELETE);
}

static bool is_older(const struct statx_timestamp *time, const struct timespec *than)
{
	return time->tv_sec < than->tv_sec ||
	       (time->tv_sec == than->tv_sec && (long)time->tv_nsec < than->tv_nsec);
}

/* What was there before is not made by an open that would make it. */
static bool was_there(const struct learn *l, const char *path)
{
	struct statx st;

	return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BTIME | STATX_CTIME, &st) == 0 &&
	       is_older(st.stx_mask & STATX_BTIME ? &st.stx_btime : &st.stx_ctime, &l->began);
}

static bool is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* In a directory. */
static void make_nameless(struct learn *l, const char *dir)
{
	if (!is_granted(l, dir, SANDBOX_ACCESS_WRITE) && !is_own_tmp(l, dir) && !is_made(l, dir))
		put(l, dir, strlen(dir), LEARN_MAKE);
}

static void see_open(struct learn *l, const struct observe_use *use)
{
	const unsigned mode = use->flags & O_ACCMODE;

	if (use->fd > l->most_fds)
		l->most_fds = use->fd;
	if (!use->path)
		return;
	if ((use->flags & O_TMPFILE) == O_TMPFILE) {
		make_nameless(l, use->path);
		return;
	}
	if ((use->flags & O_CREAT) && !was_there(l, use->path))
		make_name(l, use->path);
	if (use->flags & O_PATH)
		use_path(l, use->path, LEARN_ENTER);
	else if (mode != O_RDONLY || (use->flags & O_TRUNC))
		use_path(l, use->path, LEARN_WRITE);
	else
		use_path(l, use->path,
			 use->flags & O_DIRECTORY || is_dir(use->path) ? LEARN_LIST : LEARN_READ);
}

/* --- from one place to another -----------------------------------------------------------------
 */

enum part {
	PART_WORK,
	PART_TMP,   /* the program's own */
	PART_SHOWN, /* in a /tmp, by a mount for each root of the policy */
	PART_OTHER
};

static enum part part_of(const struct learn *l, const char *path)
{
	if (is_in(path, l->base->places[POLICY_WORK]))
		return PART_WORK;
	if (is_own_tmp(l, path) || (learn_is_hidden(path) && is_made(l, path)))
		return PART_TMP;
	return learn_is_hidden(path) ? PART_SHOWN : PART_OTHER;
}

/* Neither of their directories is in the other one. */
static bool are_apart(const char *a, const char *b)
{
	char first[PATH_MAX], second[PATH_MAX];

	return parent_of(a, first) && parent_of(b, second) && !is_in(first, second) &&
	       !is_in(second, first);
}

static bool are_beside(const char *a, const char *b)
{
	size_t len = parent_len(a);

	return len == parent_len(b) && memcmp(a, b, len) == 0;
}

static bool may_be_made_in(const struct learn *l, const char *path)
{
	char dir[PATH_MAX];

	return parent_of(path, dir) && learn_may_grant(l->base, dir, SANDBOX_ROOT_WRITE);
}

/* Nothing goes from one mount to another, and Landlock lets nothing come to where more may be done
 * with it. false: it stays where it is, as far as that is concerned. */
static bool cross(struct learn *l, const char *from, const char *to)
{
	const enum part first = part_of(l, from), second = part_of(l, to);
	const bool mounted = first == PART_TMP || second == PART_TMP || first == PART_SHOWN ||
			     second == PART_SHOWN;

	if (are_beside(from, to) || (first == second && first != PART_OTHER &&
				     !(first == PART_SHOWN && are_apart(from, to))))
		return false;
	if (mounted)
		put(l, to, strlen(to), LEARN_APART);
	else
		l->moved_out |= first == PART_WORK && may_be_made_in(l, to);
	return !mounted;
}

/* Either may be NULL: nobody knows it. */
static void move(struct learn *l, const char *from, const char *to)
{
	if (from)
		remove_name(l, from);
	if (to && is_dir(to))
		make_dir(l, to);
	else if (to)
		make_name(l, to);
	if (from && to)
		cross(l, from, to);
}

static void see_rename(struct learn *l, const struct observe_use *use)
{
	move(l, use->path, use->path2);
	if (use->flags & RENAME_EXCHANGE)
		move(l, use->path2, use->path);
	if ((use->flags & RENAME_WHITEOUT) && use->path)
		put(l, use->path, strlen(use->path), LEARN_WHITEOUT);
}

static void see_link(struct learn *l, const struct observe_use *use)
{
	struct stat st;

	if (use->path2)
		make_name(l, use->path2);
	/* One that has no name is linked by that of its descriptor. */
	if (!use->path || lstat(use->path, &st) < 0)
		return;
	use_path(l, use->path, LEARN_READ);
	if (use->path2 && cross(l, use->path, use->path2) && part_of(l, use->path) == PART_OTHER)
		put(l, use->path, strlen(use->path), LEARN_LINKED);
}

/* --- sockets -----------------------------------------------------------------------------------
 */

static void see_unix(struct learn *l, const struct observe_use *use)
{
	const struct sockaddr_un *un = (const void *)use->address;
	char name[sizeof(un->sun_path) + 2] = "@";
	size_t len = use->address_len - offsetof(struct sockaddr_un, sun_path);

	if (use->path) {
		if (use->need == OBSERVED_BIND)
			make_name(l, use->path);
		put(l, use->path, strlen(use->path),
		    use->need == OBSERVED_BIND ? LEARN_BOUND : LEARN_SOCKET);
		return;
	}
	if (use->address_len <= offsetof(struct sockaddr_un, sun_path))
		return;
	for (size_t i = 1; i < len && i < sizeof(un->sun_path); i++)
		name[i] = un->sun_path[i] ? un->sun_path[i] : '?';
	if (use->need == OBSERVED_BIND)
		put(l, name, strlen(name), LEARN_BOUND);
	else
		l->any_abstract |= !is_marked(l, name, strlen(name), LEARN_BOUND);
}

static void see_address(struct learn *l, const struct observe_use *use)
{
	if (use->address_len && use->address->sa_family == AF_UNIX)
		see_unix(l, use);
	else
		learn_net_see(&l->net, use);
}

static void see_execution(struct learn *l, const struct observe_use *use)
{
	if (use->path)
		use_path(l, use->path, LEARN_EXEC);
}

static void see_entry(struct learn *l, const struct observe_use *use)
{
	if (use->path)
		use_path(l, use->path, LEARN_ENTER);
}

static void see_writing(struct learn *l, const struct observe_use *use)
{
	if (use->path)
		use_path(l, use->path, LEARN_WRITE);
}

static void see_removal(struct learn *l, const struct observe_use *use)
{
	if (use->path)
		remove_name(l, use->path);
}

static void see_making(struct learn *l, const struct observe_use *use)
{
	if (use->path)
		make_dir(l, use->path);
}

/* Of an owner there is nothing in a policy. */
static void (*const seen[])(struct learn *l, const struct observe_use *use) = {
	[OBSERVED_NOTHING] = see_address, [OBSERVED_OPEN] = see_open,
	[OBSERVED_OPEN_HOW] = see_open,	  [OBSERVED_EXECUTE] = see_execution,
	[OBSERVED_MAKE] = see_making,	  [OBSERVED_REMOVE] = see_removal,
	[OBSERVED_RENAME] = see_rename,	  [OBSERVED_LINK] = see_link,
	[OBSERVED_WRITE] = see_writing,	  [OBSERVED_ENTER] = see_entry,
	[OBSERVED_CHANGE] = NULL,	  [OBSERVED_BIND] = see_address,
	[OBSERVED_CONNECT] = see_address,
};

/* --- limits ------------------------------------------------------------------------------------
 */

static const struct {
	int resource;
	enum sandbox_limit limit;
	unsigned shift; /* bytes of a unit */
} limits[] = {
	{RLIMIT_DATA, SANDBOX_LIMIT_MEMORY_MB, 20}, {RLIMIT_CPU, SANDBOX_LIMIT_CPU_S, 0},
	{RLIMIT_NPROC, SANDBOX_LIMIT_PROCESSES, 0}, {RLIMIT_NOFILE, SANDBOX_LIMIT_FILES, 0},
	{RLIMIT_FSIZE, SANDBOX_LIMIT_FILE_MB, 20},  {RLIMIT_CORE, SANDBOX_LIMIT_CORE_MB, 20},
};

static void see_limit(struct learn *l, const struct observe_use *use)
{
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		const uint64_t rest = (UINT64_C(1) << limits[i].shift) - 1;
		const uint64_t value = (use->limit >> limits[i].shift) + ((use->limit & rest) > 0);

		if (limits[i].resource == use->resource && value > l->raised[limits[i].limit])
			l->raised[limits[i].limit] = value;
	}
}

void learn_see(void *ctx, const struct observe_use *use)
{
	struct learn *l = ctx;

	l->any_queue |= use->group >= 0 && use->number == SYS_mq_open;
	if (use->group >= 0)
		l->groups |= UINT64_C(1) << use->group;
	else if (use->limit)
		see_limit(l, use);
	else if (seen[use->need])
		seen[use->need](l, use);
}
