/* What a program has started, and how to be rid of it. */
#include "sandbox/child.h"

#include "base/monotonic.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* How long the tree may take to die: a process that waits for a disk cannot be killed at once. */
#define PATIENCE_NS UINT64_C(10000000000)

static int signal_program(const struct sandbox_child *child)
{
	if (child->reaped || syscall(SYS_pidfd_send_signal, child->pidfd, SIGKILL, NULL, 0) == 0 ||
	    errno == ESRCH)
		return 0;
	return -1;
}

int tree_kill(const struct sandbox_child *child, struct error *err)
{
	if (child->cgroup.used)
		return cgroup_kill(&child->cgroup, err);
	if (signal_program(child) < 0)
		return error_sys(err, errno, "cannot kill process %d", (int)child->pid);
	/* It leads a group of its own, and its number is not used again before it is reaped. */
	if (!child->dedicated && !child->reaped && kill(-child->pid, SIGKILL) < 0 && errno != ESRCH)
		return error_sys(err, errno, "cannot kill process group %d", (int)child->pid);
	return 0;
}

/* --- the children of a dedicated caller --------------------------------------------------------
 */

/* Kills all the children there are. How many there were; -1 with errno. */
static int kill_children(void)
{
	FILE *list = fopen("/proc/thread-self/children", "re");
	int count = 0, pid;

	if (!list)
		return -1;
	while (fscanf(list, "%d", &pid) == 1) {
		count++;
		kill((pid_t)pid, SIGKILL);
	}
	fclose(list);
	return count;
}

static pid_t parent_of(const char *pid)
{
	char path[64], line[512];
	const char *end;
	int parent = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return -1;
	if (fgets(line, sizeof(line), file) && (end = strrchr(line, ')')))
		sscanf(end + 1, " %*c %d", &parent);
	fclose(file);
	return (pid_t)parent;
}

/* A kernel without CONFIG_PROC_CHILDREN has no list. */
static int kill_children_found(void)
{
	DIR *proc = opendir("/proc");
	const pid_t self = getpid();
	struct dirent *entry;
	int count = 0;

	if (!proc)
		return -1;
	while ((entry = readdir(proc))) {
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9' ||
		    parent_of(entry->d_name) != self)
			continue;
		count++;
		kill((pid_t)strtol(entry->d_name, NULL, 10), SIGKILL);
	}
	closedir(proc);
	return count;
}

/* Those of whom the parent dies come to be children, too: until there are none. Only those that end
 * by a signal count: others were about to end. */
static int end_children(unsigned *ret_killed, struct error *err)
{
	const uint64_t begun = monotonic_ns(), until = begun + PATIENCE_NS;
	const struct timespec moment = {.tv_nsec = 200000};

	for (;;) {
		int status = 0;
		pid_t pid = waitpid(-1, &status, WNOHANG | __WALL);

		if (pid < 0 && errno == ECHILD)
			return 0;
		if (pid > 0) {
			*ret_killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
			continue;
		}
		if (monotonic_ns() - begun < CHILD_GRACE_NS) {
			nanosleep(&moment, NULL);
			continue;
		}
		if (kill_children() < 0 && kill_children_found() < 0)
			return error_sys(err, errno, "cannot list what the program has left");
		if (monotonic_ns() > until)
			return error_set(err, ERR_BUSY,
					 "what the program has left does not die of SIGKILL");
		nanosleep(&moment, NULL);
	}
}

/* The group of the program has been killed before it was reaped: its number may be another's now.
 */
int tree_end(const struct sandbox_child *child, unsigned *ret_killed, struct error *err)
{
	int rc = child->cgroup.used ? cgroup_kill(&child->cgroup, err) : 0;

	return rc == 0 && child->dedicated ? end_children(ret_killed, err) : rc;
}
