/*
 * A control group alone: made beside that of this process, or above it, wherever this user may. Its
 * maker stays outside and removes it. One whose maker was killed is removed by a later sandtape run
 * that makes some itself: it has their prefix, and nobody holds its lock.
 */
#include "conformance/probe/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define PREFIX	     "sandtape-probe-"
#define REMOVE_TRIES 200

enum { V1, V2, VERSIONS };

/* Where systemd, and all that are like it, have the hierarchies. */
static const struct controller {
	const char *name;
	struct way {
		const char *mount, *limit, *value;
		const char *no_swap, *zero; /* what is not there need not be */
		const char *events;	    /* NULL: nobody is killed by it */
	} way[VERSIONS];
} controllers[PROBE_CGROUPS] = {
	[PROBE_CGROUP_PIDS] = {"pids",
			       {[V1] = {"/sys/fs/cgroup/pids", "pids.max", "1", NULL, NULL, NULL},
				[V2] = {"/sys/fs/cgroup", "pids.max", "1", NULL, NULL, NULL}}},
	[PROBE_CGROUP_MEMORY] = {"memory",
				 {[V1] = {"/sys/fs/cgroup/memory", "memory.limit_in_bytes",
					  "8388608", "memory.swappiness", "0",
					  "memory.oom_control"},
				  [V2] = {"/sys/fs/cgroup", "memory.max", "8388608",
					  "memory.swap.max", "0", "memory.events"}}},
};

/* What was made, for who removes it. */
static char group[PATH_MAX];
static const struct way *made;

/* --- files -------------------------------------------------------------------------------------
 */

static long read_file(const char *path, char *ret, size_t size)
{
	long fd = CALL4(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0), n;

	ret[0] = '\0';
	if (fd < 0)
		return fd;
	n = CALL3(SYS_read, fd, ret, size - 1);
	close((int)fd);
	if (n >= 0)
		ret[n] = '\0';
	return n;
}

static long write_in_group(const char *name, const char *text)
{
	char path[PATH_MAX + 64];
	long fd, rc;

	snprintf(path, sizeof(path), "%s/%s", group, name);
	fd = CALL4(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	rc = CALL3(SYS_write, fd, text, strlen(text));
	close((int)fd);
	return rc < 0 ? rc : 0;
}

/* --- where -------------------------------------------------------------------------------------
 */

/* The path of this process in a hierarchy: "4:memory:/path", of v2 "0::/path". */
static const char *own_path(char *lines, const char *controller)
{
	char key[32], *line, *end;

	snprintf(key, sizeof(key), ":%s:", controller);
	line = strstr(lines, key);
	if (!line)
		return "";
	line += strlen(key);
	end = strchr(line, '\n');
	if (end)
		*end = '\0';
	return strstr(line, "/..") ? "" : line;
}

/* Makes the group in `base`, unless it would not have the controller. */
static long make_in(struct probe *p, const char *base, const struct way *way, bool granted)
{
	char path[PATH_MAX + 64];
	long fd, rc;

	if ((size_t)snprintf(group, sizeof(group), "%s/" PREFIX "%s", base, p->nonce) >=
	    sizeof(group))
		return -ENAMETOOLONG;
	rc = CALL2(SYS_mkdir, group, 0755);
	if (rc < 0)
		return rc;
	/* Whoever removes what has no maker looks for this. It is held as long as this lives. */
	fd = CALL4(SYS_openat, AT_FDCWD, group, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd >= 0)
		CALL2(SYS_flock, fd, LOCK_EX | LOCK_NB);
	snprintf(path, sizeof(path), "%s/%s", group, way->limit);
	rc = CALL2(SYS_access, path, W_OK);
	if (rc == 0 && !granted) {
		if (way->no_swap)
			write_in_group(way->no_swap, way->zero);
		rc = write_in_group(way->limit, way->value);
	}
	if (rc < 0) {
		CALL1(SYS_rmdir, group);
		if (fd >= 0)
			close((int)fd);
	}
	return rc;
}

/* From the own group upwards: one with processes cannot hand on controllers in v2. */
static long make_below(struct probe *p, const struct controller *controller, int version,
		       bool granted)
{
	const struct way *way = &controller->way[version];
	char lines[4096], base[PATH_MAX];
	char *slash;
	long rc = read_file("/proc/self/cgroup", lines, sizeof(lines));

	made = way;
	if (rc < 0)
		return rc;
	snprintf(base, sizeof(base), "%s%s", way->mount,
		 own_path(lines, version == V2 ? "" : controller->name));
	for (;;) {
		rc = make_in(p, base, way, granted);
		slash = strrchr(base, '/');
		if (rc == 0 || strlen(base) <= strlen(way->mount) || !slash)
			return rc;
		*slash = '\0';
	}
}

/* --- afterwards --------------------------------------------------------------------------------
 */

/* Who was killed in it was killed by it, or it says nothing. */
static void check_kill(struct probe *p)
{
	char path[PATH_MAX + 64], text[1024];
	const char *count;

	if (!made->events || p->report->state != PROBE_ACTING)
		return;
	snprintf(path, sizeof(path), "%s/%s", group, made->events);
	read_file(path, text, sizeof(text));
	count = strstr(text, "oom_kill ");
	if (count && atoi(count + strlen("oom_kill ")) > 0)
		return;
	probe_stage(p, "oom_kill");
	p->report->error = ENOMSG;
	p->report->state = PROBE_SET_UP_FAILED;
}

/* What has ended a moment ago may still be counted. */
static void remove_group(struct probe *p)
{
	check_kill(p);
	for (int i = 0; i < REMOVE_TRIES && CALL1(SYS_rmdir, group) == -EBUSY; i++)
		usleep(1000);
}

/* setup_arg is the controller. What is granted is a group without a limit. */
long setup_cgroup(struct probe *p, bool granted)
{
	const struct controller *controller = &controllers[p->setup_arg];
	long rc = make_below(p, controller, V2, granted);

	if (rc < 0)
		rc = make_below(p, controller, V1, granted);
	probe_need(p, controller->name, rc);
	probe_go_on_in_child(p, remove_group);
	return probe_need(p, "cgroup.procs", write_in_group("cgroup.procs", "0"));
}
