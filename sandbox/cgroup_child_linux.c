/* The control groups of one start: made, entered, killed, removed. */
#include "sandbox/cgroup_parts.h"

#include "base/cleanup.h"
#include "sandbox/kernel.h"
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#define NAME_TRIES 100

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* --- made ---------------------------------------------------------------------------------------
 */

/* Each file with a number; without `must` the kernel need not have it. */
struct setting {
	const char *file;
	uint64_t value;
	bool must;
};

static int write_settings(int dir, const struct setting *settings, size_t count, const char *path,
			  const char *name, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		char text[32];
		int rc;

		snprintf(text, sizeof(text), "%" PRIu64, settings[i].value);
		rc = cgroup_write(dir, settings[i].file, text);
		if (rc < 0 && (settings[i].must || rc != -ENOENT))
			return error_sys(err, -rc, "cannot set the limit %s/%s/%s", path, name,
					 settings[i].file);
	}
	return 0;
}

static int set_limits(const struct cgroup *cgroup, enum cgroup_place place, int dir,
		      const char *name, struct error *err)
{
	const struct setting memory_v2[] = {{"memory.max", cgroup->memory_bytes, true},
					    {"memory.swap.max", 0, false},
					    {"memory.oom.group", 1, false}};
	/* With swap comes second, since it may not be the smaller one. */
	const struct setting memory_v1[] = {
		{"memory.limit_in_bytes", cgroup->memory_bytes, true},
		{"memory.memsw.limit_in_bytes", cgroup->memory_bytes, false}};
	const struct setting processes[] = {{"pids.max", cgroup->processes, true}};
	const char *path = cgroup->base[place].path;
	int rc = 0;

	if (cgroup->memory_by == place)
		rc = place == CGROUP_V2 ? write_settings(dir, memory_v2, 3, path, name, err)
					: write_settings(dir, memory_v1, 2, path, name, err);
	if (rc == 0 && cgroup->processes_by == place)
		rc = write_settings(dir, processes, 1, path, name, err);
	return rc;
}

/* The lock says that the maker lives (sweep() of others). */
static int lock_group(int base, const char *name)
{
	cleanup_close int dir = openat(base, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return -errno;
	if (flock(dir, LOCK_EX | LOCK_NB) < 0 || faccessat(dir, "cgroup.procs", F_OK, 0) < 0)
		return -ENOENT;
	return steal_fd(&dir);
}

/* -EAGAIN: the name is taken, or the group was swept before it was locked. */
static int make_group(int base, const char *name)
{
	int rc;

	if (mkdirat(base, name, 0755) < 0)
		return errno == EEXIST ? -EAGAIN : -errno;
	rc = lock_group(base, name);
	if (rc < 0)
		unlinkat(base, name, AT_REMOVEDIR);
	return rc == -ENOENT ? -EAGAIN : rc;
}

static int open_place(struct cgroup_child *child, enum cgroup_place place, struct error *err)
{
	const struct cgroup_base *base = &child->cgroup->base[place];
	int rc;

	child->dir[place] = make_group(base->fd, child->name);
	if (child->dir[place] < 0) {
		rc = child->dir[place];
		child->dir[place] = -1;
		error_sys(err, -rc, "cannot make the group %s/%s", base->path, child->name);
		return rc == -EAGAIN ? ERR_BUSY : ERR_SYSTEM;
	}
	rc = set_limits(child->cgroup, place, child->dir[place], child->name, err);
	if (rc < 0 || place == CGROUP_V2)
		return rc;
	child->procs[place] = openat(child->dir[place], "cgroup.procs", O_WRONLY | O_CLOEXEC);
	return child->procs[place] >= 0 ? 0
					: error_sys(err, errno, "cannot open %s/%s/cgroup.procs",
						    base->path, child->name);
}

/* Different for each start of this process, and for each process that lives. */
static void choose_name(char ret[CGROUP_NAME_SIZE])
{
	static atomic_uint counter;

	snprintf(ret, CGROUP_NAME_SIZE, CGROUP_PREFIX "%d-%u", (int)getpid(),
		 atomic_fetch_add(&counter, 1));
}

static int open_places(struct cgroup_child *child, struct error *err)
{
	int rc = 0;

	for (int i = 0; rc == 0 && i < CGROUP_PLACES; i++) {
		if (child->cgroup->base[i].fd >= 0)
			rc = open_place(child, (enum cgroup_place)i, err);
	}
	return rc;
}

int cgroup_open(const struct cgroup *cgroup, struct cgroup_child *ret, struct error *err)
{
	struct cgroup_child child;
	int rc = cgroup ? ERR_BUSY : 0;

	for (int i = 0; rc == ERR_BUSY && i < NAME_TRIES; i++) {
		child = (struct cgroup_child){.used = true, .cgroup = cgroup};
		for (int j = 0; j < CGROUP_PLACES; j++)
			child.dir[j] = child.procs[j] = -1;
		choose_name(child.name);
		rc = open_places(&child, err);
		if (rc < 0)
			cgroup_close(&child, NULL);
	}
	if (rc == 0)
		*ret = cgroup ? child : (struct cgroup_child){0};
	return rc;
}

int cgroup_clone_fd(const struct cgroup_child *child)
{
	return child->used ? child->dir[CGROUP_V2] : -1;
}

/* --- entered: in the process --------------------------------------------------------------------
 */

/* "0" is the process that writes it. */
static int enter(long procs)
{
	long rc = procs < 0 ? procs : kernel_call(SYS_write, procs, (long)"0", 1);

	return rc < 0 ? (int)rc : 0;
}

int cgroup_enter(const struct cgroup_child *child, bool born_inside)
{
	int rc = 0;

	if (!child->used)
		return 0;
	if (!born_inside && child->dir[CGROUP_V2] >= 0) {
		long procs = kernel_call4(SYS_openat, child->dir[CGROUP_V2], (long)"cgroup.procs",
					  O_WRONLY | O_CLOEXEC, 0);

		rc = enter(procs);
		if (procs >= 0)
			kernel_call(SYS_close, procs, 0, 0);
	}
	for (int i = 0; rc == 0 && i < CGROUP_PLACES; i++) {
		if (child->procs[i] >= 0)
			rc = enter(child->procs[i]);
	}
	return rc;
}

/* --- killed -------------------------------------------------------------------------------------
 */

#define KILL_ROUNDS	  500
#define KILL_ROUNDS_QUICK 20 /* without a pause */

/* How many processes there were, some of the first at least; -errno. Those of another pid namespace
 * are 0 here, and cannot be killed. */
static int kill_listed(int dir)
{
	char list[8192];
	int rc = cgroup_read(dir, "cgroup.procs", list, sizeof(list)), count = 0;

	if (rc < 0)
		return rc;
	/* What was cut off comes in the next round; a number that was cut is none of its own. */
	for (char *line = list, *end; (end = strchr(line, '\n')); line = end + 1) {
		pid_t pid = (pid_t)strtol(line, NULL, 10);

		if (pid > 0)
			kill(pid, SIGKILL);
		count++;
	}
	return count;
}

int cgroup_kill_listed(int dir, bool freeze)
{
	int rc = 1;

	/* What is frozen does not fork, and still dies. */
	if (freeze)
		cgroup_write(dir, "cgroup.freeze", "1");
	for (int i = 0; rc > 0 && i < KILL_ROUNDS; i++) {
		rc = kill_listed(dir);
		if (rc > 0 && i >= KILL_ROUNDS_QUICK)
			pause_ms(2);
	}
	return rc > 0 ? -EBUSY : rc;
}

static int kill_place(const struct cgroup_child *child, enum cgroup_place place)
{
	int rc = -ENOENT;

	if (place == CGROUP_V2) /* from Linux 5.14 on */
		rc = cgroup_write(child->dir[place], "cgroup.kill", "1");
	return rc == -ENOENT ? cgroup_kill_listed(child->dir[place], place == CGROUP_V2) : rc;
}

int cgroup_kill(const struct cgroup_child *child, struct error *err)
{
	for (int i = 0; child->used && i < CGROUP_PLACES; i++) {
		int rc = child->dir[i] >= 0 ? kill_place(child, (enum cgroup_place)i) : 0;

		if (rc == -EBUSY)
			return error_set(err, ERR_BUSY, "processes of the group %s/%s do not die",
					 child->cgroup->base[i].path, child->name);
		if (rc < 0)
			return error_sys(err, -rc, "cannot kill the processes of the group %s/%s",
					 child->cgroup->base[i].path, child->name);
	}
	return 0;
}

int cgroup_oom_kills(const struct cgroup_child *child, uint64_t *ret, struct error *err)
{
	enum cgroup_place place = child->used ? child->cgroup->memory_by : CGROUP_PLACES;
	const char *file = place == CGROUP_V2 ? "memory.events" : "memory.oom_control";
	char text[512];
	const char *at;
	int rc;

	if (place == CGROUP_PLACES) {
		*ret = 0;
		return 0;
	}
	rc = cgroup_read(child->dir[place], file, text, sizeof(text));
	if (rc < 0)
		return error_sys(err, -rc, "cannot read %s/%s/%s", child->cgroup->base[place].path,
				 child->name, file);
	at = strstr(text, "\noom_kill ");
	*ret = at ? strtoull(at + strlen("\noom_kill "), NULL, 10) : 0;
	return 0;
}

/* --- removed ------------------------------------------------------------------------------------
 */

/* A process leaves its group some time after it was waited for. */
static int remove_group(int base, const char *name)
{
	for (long ms = 0, total = 0;; ms = ms ? ms * 2 : 1, total += ms) {
		if (unlinkat(base, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return 0;
		if (errno != EBUSY || total > 1000)
			return -errno;
		pause_ms(ms);
	}
}

int cgroup_close(struct cgroup_child *child, struct error *err)
{
	int result = 0;

	for (int i = 0; child->used && i < CGROUP_PLACES; i++) {
		const struct cgroup_base *base = &child->cgroup->base[i];
		int rc = child->dir[i] >= 0 ? remove_group(base->fd, child->name) : 0;

		if (child->procs[i] >= 0)
			close(child->procs[i]);
		if (child->dir[i] >= 0)
			close(child->dir[i]);
		if (rc == -EBUSY)
			result = error_set(err, ERR_BUSY,
					   "the group %s/%s is left: it still has processes",
					   base->path, child->name);
		else if (rc < 0)
			result = error_sys(err, -rc, "cannot remove the group %s/%s", base->path,
					   child->name);
	}
	*child = (struct cgroup_child){0};
	return result;
}
