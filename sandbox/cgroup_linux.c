/* Control groups: where they can be made on this host. */
#include "sandbox/cgroup_parts.h"

#include "base/cleanup.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Where systemd, and all that are like it, have the hierarchies. */
#define MOUNT "/sys/fs/cgroup"

/* A limit of the policy, and the controller that keeps it. */
static const struct controller {
	enum sandbox_limit limit;
	const char *name;
	enum cgroup_place v1;
} controllers[] = {
	{SANDBOX_LIMIT_MEMORY_MB, "memory", CGROUP_V1_MEMORY},
	{SANDBOX_LIMIT_PROCESSES, "pids", CGROUP_V1_PIDS},
};

#define CONTROLLERS (sizeof(controllers) / sizeof(controllers[0]))

int cgroup_read(int dir, const char *file, char *ret, size_t size)
{
	cleanup_close int fd = openat(dir, file, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	ret[0] = '\0';
	len = fd < 0 ? -1 : read(fd, ret, size - 1);
	if (len < 0)
		return -errno;
	ret[len] = '\0';
	return 0;
}

int cgroup_write(int dir, const char *file, const char *text)
{
	cleanup_close int fd = openat(dir, file, O_WRONLY | O_CLOEXEC);

	return fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = list; (at = strstr(at, word)); at += len) {
		if ((at == list || strchr(" ,\n", at[-1])) && strchr(" ,:\n", at[len]))
			return true;
	}
	return false;
}

/* --- the group of this process ------------------------------------------------------------------
 */

/* A line of /proc/self/cgroup is "4:memory:/path", for v2 "0::/path". `controller` is "" for v2.
 * Cuts `line` up. */
static const char *path_of_line(char *line, const char *controller)
{
	char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL;

	if (!path)
		return NULL;
	*path++ = '\0';
	names++;
	return (*controller ? has_word(names, controller) : !*names) ? path : NULL;
}

/* The path of this process in a hierarchy, from /proc/self/cgroup; NULL: it has none there. */
static const char *own_path(char *text, const char *controller)
{
	char *next = NULL;

	for (char *line = text; line && *line; line = next) {
		const char *path;

		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		path = path_of_line(line, controller);
		if (path)
			return path;
	}
	return NULL;
}

/* In a container the hierarchy begins at its own group, and the path is the host's. */
static bool find_own(const char *mount, const char *controller, char ret[PATH_MAX])
{
	char text[PATH_MAX + 1024];
	const char *path;

	if (cgroup_read(AT_FDCWD, "/proc/self/cgroup", text, sizeof(text)) < 0)
		return false;
	path = own_path(text, controller);
	if (!path || (size_t)snprintf(ret, PATH_MAX, "%s%s", mount, path) >= PATH_MAX)
		return false;
	if (strstr(path, "/..") || access(ret, F_OK) < 0)
		snprintf(ret, PATH_MAX, "%s", mount);
	for (size_t len = strlen(ret); len > 1 && ret[len - 1] == '/'; len--)
		ret[len - 1] = '\0';
	return true;
}

/* --- places -------------------------------------------------------------------------------------
 */

/* Whether groups can be made in a directory, and a process be moved there from below it. */
static int open_base(const char *path)
{
	cleanup_close int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0 || faccessat(dir, ".", W_OK | X_OK, AT_EACCESS) < 0 ||
	    faccessat(dir, "cgroup.procs", W_OK, AT_EACCESS) < 0)
		return -1;
	return steal_fd(&dir);
}

/*
 * Groups whose makers were killed before they could remove them. A maker holds a lock as long as it
 * lives; what still has processes stays.
 */
static void sweep(const char *path)
{
	cleanup_closedir DIR *dir = opendir(path);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		cleanup_close int group = -1;

		if (strncmp(entry->d_name, CGROUP_PREFIX, strlen(CGROUP_PREFIX)) != 0)
			continue;
		group = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (group >= 0 && flock(group, LOCK_EX | LOCK_NB) == 0)
			unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
	}
}

static int take_base(struct cgroup *cgroup, enum cgroup_place place, int *fd_take, const char *path)
{
	char *copy = strdup(path);

	if (!copy)
		return ERR_NOMEM;
	cgroup->base[place] = (struct cgroup_base){steal_fd(fd_take), copy};
	sweep(path);
	return 0;
}

static bool is_wanted(const struct judge *judge, const struct controller *controller)
{
	return judge->policy->limits[controller->limit] != SANDBOX_NO_LIMIT;
}

/* The groups below `dir` have the controller, or get it now. */
static bool enable(int dir, const char *name)
{
	char list[256], text[64];

	if (cgroup_read(dir, "cgroup.subtree_control", list, sizeof(list)) < 0)
		return false;
	if (has_word(list, name))
		return true;
	if (cgroup_read(dir, "cgroup.controllers", list, sizeof(list)) < 0 || !has_word(list, name))
		return false;
	snprintf(text, sizeof(text), "+%s", name);
	return cgroup_write(dir, "cgroup.subtree_control", text) == 0;
}

/* How many of the limits the groups that are made there would keep; -1: none can be made. */
static int count_kept(const struct judge *judge, const char *path)
{
	cleanup_close int dir = open_base(path);
	int count = 0;

	if (dir < 0)
		return -1;
	for (size_t i = 0; i < CONTROLLERS; i++)
		count += is_wanted(judge, &controllers[i]) && enable(dir, controllers[i].name);
	return count;
}

static const char *v2_mount(void)
{
	static const char *const mounts[] = {MOUNT, MOUNT "/unified"};

	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		struct statfs info;

		if (statfs(mounts[i], &info) == 0 && info.f_type == CGROUP2_SUPER_MAGIC)
			return mounts[i];
	}
	return NULL;
}

/* The number in a file; SANDBOX_NO_LIMIT for "max", or when it is not there. */
static uint64_t read_limit(const char *group, const char *file)
{
	char path[PATH_MAX], text[64], *end;
	uint64_t value;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", group, file) >= sizeof(path) ||
	    cgroup_read(AT_FDCWD, path, text, sizeof(text)) < 0)
		return SANDBOX_NO_LIMIT;
	value = strtoull(text, &end, 10);
	return end == text ? SANDBOX_NO_LIMIT : value;
}

/* A group that is made beside this process's own leaves that one, whose limits shall still hold for
 * it. Shortens `path` from that of this process's group to `base`. */
static void inherit_limits(struct cgroup *cgroup, char *path, const char *base)
{
	char *slash;

	while (strcmp(path, base) != 0 && (slash = strrchr(path, '/'))) {
		uint64_t memory = read_limit(path, "memory.max");
		uint64_t processes = read_limit(path, "pids.max");

		if (memory < cgroup->memory_bytes)
			cgroup->memory_bytes = memory;
		if (processes < cgroup->processes)
			cgroup->processes = processes;
		*slash = '\0';
	}
}

/*
 * From the own group upwards, the place that keeps the most. A group with processes cannot hand on
 * controllers, so it is mostly the one around it: of those that systemd makes for a user, or for
 * root.
 */
static int find_v2_path(const struct judge *judge, const char *mount, const char *own,
			char ret[PATH_MAX])
{
	char path[PATH_MAX];
	int most = -1;

	strcpy(path, own); /* NOLINT: both PATH_MAX */
	for (;;) {
		char *slash = strrchr(path, '/');
		int kept = count_kept(judge, path);

		if (kept > most) {
			most = kept;
			strcpy(ret, path); /* NOLINT: both PATH_MAX */
		}
		if (strcmp(path, mount) == 0 || !slash)
			return most;
		*slash = '\0';
	}
}

static void keep(struct cgroup *cgroup, const struct controller *controller,
		 enum cgroup_place place)
{
	if (controller->limit == SANDBOX_LIMIT_MEMORY_MB)
		cgroup->memory_by = place;
	else
		cgroup->processes_by = place;
}

/* Where v1 has the controllers, v2 has none, and there is no need to look any further. */
static bool has_controllers(const struct judge *judge, const char *mount)
{
	char path[64], list[256];
	bool has = false;

	snprintf(path, sizeof(path), "%s/cgroup.controllers", mount);
	if (cgroup_read(AT_FDCWD, path, list, sizeof(list)) < 0)
		return false;
	for (size_t i = 0; i < CONTROLLERS; i++)
		has = has ||
		      (is_wanted(judge, &controllers[i]) && has_word(list, controllers[i].name));
	return has;
}

static int find_v2(const struct judge *judge, bool tree, struct cgroup *cgroup)
{
	const char *mount = v2_mount();
	char own[PATH_MAX], path[PATH_MAX];
	cleanup_close int dir = -1;

	if (!mount || (!tree && !has_controllers(judge, mount)))
		return 0;
	if (!find_own(mount, "", own) || find_v2_path(judge, mount, own, path) < (tree ? 0 : 1))
		return 0;
	dir = open_base(path);
	if (dir < 0)
		return 0;
	for (size_t i = 0; i < CONTROLLERS; i++) {
		if (is_wanted(judge, &controllers[i]) && enable(dir, controllers[i].name))
			keep(cgroup, &controllers[i], CGROUP_V2);
	}
	inherit_limits(cgroup, own, path);
	return take_base(cgroup, CGROUP_V2, &dir, path);
}

static bool is_asked_for(const struct judge *judge, const struct cgroup *cgroup,
			 const struct controller *controller)
{
	return policy_limit_is_asked_for(judge->policy, controller->limit) &&
	       !cgroup_keeps(cgroup, controller->limit);
}

/* The directory in which groups can be made; -1: there is none. */
static int open_v1(const struct controller *controller, char ret_path[PATH_MAX])
{
	char mount[64];

	snprintf(mount, sizeof(mount), MOUNT "/%s", controller->name);
	return find_own(mount, controller->name, ret_path) ? open_base(ret_path) : -1;
}

static int find_v1(const struct judge *judge, const struct controller *controller,
		   struct cgroup *cgroup)
{
	cleanup_close int dir = -1;
	char path[PATH_MAX];

	if (!is_wanted(judge, controller) || cgroup_keeps(cgroup, controller->limit))
		return 0;
	dir = open_v1(controller, path);
	if (dir < 0)
		return 0;
	keep(cgroup, controller, controller->v1);
	return take_base(cgroup, controller->v1, &dir, path);
}

/* When one limit is worth a move into a group, the others are, too. */
static int find_all_v1(const struct judge *judge, struct cgroup *cgroup)
{
	bool asked_for = false;
	int rc = 0;

	for (size_t i = 0; i < CONTROLLERS; i++)
		asked_for = asked_for || is_asked_for(judge, cgroup, &controllers[i]);
	for (size_t i = 0; rc == 0 && asked_for && i < CONTROLLERS; i++)
		rc = find_v1(judge, &controllers[i], cgroup);
	return rc;
}

/* --- prepared -----------------------------------------------------------------------------------
 */

static struct cgroup *new_cgroup(const struct judge *judge)
{
	const uint64_t *limits = judge->policy->limits;
	struct cgroup *cgroup = calloc(1, sizeof(*cgroup));

	if (!cgroup)
		return NULL;
	for (int i = 0; i < CGROUP_PLACES; i++)
		cgroup->base[i].fd = -1;
	cgroup->memory_by = cgroup->processes_by = CGROUP_PLACES;
	cgroup->memory_bytes = limits[SANDBOX_LIMIT_MEMORY_MB] << 20;
	cgroup->processes = limits[SANDBOX_LIMIT_PROCESSES];
	return cgroup;
}

void cgroup_free(struct cgroup *cgroup)
{
	if (!cgroup)
		return;
	for (int i = 0; i < CGROUP_PLACES; i++) {
		if (cgroup->base[i].fd >= 0)
			close(cgroup->base[i].fd);
		free(cgroup->base[i].path);
	}
	free(cgroup);
}

bool cgroup_keeps(const struct cgroup *cgroup, enum sandbox_limit limit)
{
	if (!cgroup)
		return false;
	return (limit == SANDBOX_LIMIT_MEMORY_MB && cgroup->memory_by != CGROUP_PLACES) ||
	       (limit == SANDBOX_LIMIT_PROCESSES && cgroup->processes_by != CGROUP_PLACES);
}

bool cgroup_kills(const struct cgroup *cgroup)
{
	return cgroup && cgroup->base[CGROUP_V2].fd >= 0;
}

/* Whether a group of v1 would be made if somebody asked for it. */
static bool waits_to_be_asked(const struct judge *judge, const struct cgroup *cgroup)
{
	bool could = false;

	for (size_t i = 0; i < CONTROLLERS; i++) {
		cleanup_close int dir = -1;
		char path[PATH_MAX];

		if (is_asked_for(judge, cgroup, &controllers[i]))
			return false;
		if (!could && is_wanted(judge, &controllers[i]))
			dir = open_v1(&controllers[i], path);
		could = could || dir >= 0;
	}
	return could;
}

/* The layer is not there: no error, since the limits of processes stand in for it. */
static void judge_unavailable(const struct judge *judge, const struct cgroup *cgroup)
{
	struct sandbox_layer *layer = &judge->layers->layer[SANDBOX_MECH_CGROUP];

	snprintf(layer->why, sizeof(layer->why), "%s%s; rlimits stand in",
		 layer->state == SANDBOX_STATE_UNUSED ? "" : "only kills what is left; ",
		 waits_to_be_asked(judge, cgroup)
			 ? "a group (cgroup v1) is made only for memory or processes that the "
			   "policy or an option names"
			 : "no group can be made here for the limits of the policy");
	layer->state = layer->state == SANDBOX_STATE_UNUSED ? SANDBOX_STATE_UNAVAILABLE
							    : SANDBOX_STATE_PARTIAL;
}

static void judge_kept(const struct judge *judge, const struct cgroup *cgroup)
{
	bool all = true, some = false;

	for (size_t i = 0; i < CONTROLLERS; i++) {
		bool kept = cgroup_keeps(cgroup, controllers[i].limit);

		all = all && (kept || !is_wanted(judge, &controllers[i]));
		some = some || kept;
		if (kept)
			judge_enforced(judge, SANDBOX_MECH_CGROUP, "%s by cgroup %s",
				       controllers[i].limit == SANDBOX_LIMIT_MEMORY_MB
					       ? "memory"
					       : "processes",
				       cgroup->base[controllers[i].v1].fd >= 0 ? "v1" : "v2");
	}
	if (cgroup_kills(cgroup))
		judge_enforced(judge, SANDBOX_MECH_CGROUP, "kills all that is left");
	if (!some && !all)
		judge_unavailable(judge, cgroup);
	else if (!all)
		judge_partial(judge, SANDBOX_MECH_CGROUP, "rlimits stand in for the other");
}

static int find_places(const struct judge *judge, bool tree, struct cgroup *cgroup)
{
	int rc = find_v2(judge, tree, cgroup);

	if (rc == 0)
		rc = find_all_v1(judge, cgroup);
	return rc < 0 ? error_no_memory(judge->err) : 0;
}

static bool has_place(const struct cgroup *cgroup)
{
	for (int i = 0; i < CGROUP_PLACES; i++)
		if (cgroup->base[i].fd >= 0)
			return true;
	return false;
}

int cgroup_prepare(const struct judge *judge, bool tree, struct cgroup **ret)
{
	struct cgroup *cgroup;
	int rc;

	*ret = NULL;
	if (judge_is_off(judge, SANDBOX_MECH_CGROUP))
		return 0;
	cgroup = new_cgroup(judge);
	if (!cgroup)
		return error_no_memory(judge->err);
	rc = find_places(judge, tree, cgroup);
	if (rc == 0)
		judge_kept(judge, cgroup);
	if (rc < 0 || !has_place(cgroup))
		cgroup_free(cgroup);
	else
		*ret = cgroup;
	return rc;
}
