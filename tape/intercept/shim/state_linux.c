/* The state of the program below the shim (proc(5), /proc/PID/stat). */
#include "tape/intercept/shim/shim.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct state {
	char letter;
	unsigned flags;
	long threads;
};

/* What is gone has no letter. */
static struct state state_of(pid_t pid)
{
	char path[64];
	char stat[1024];
	struct state state = {.letter = '\0'};
	const char *paren;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, stat, sizeof(stat) - 1);
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return state;
	stat[n] = '\0';
	paren = strrchr(stat, ')'); /* the name before it may hold anything */
	if (paren)
		sscanf(paren + 1,
		       " %c %*d %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %ld",
		       &state.letter, &state.flags, &state.threads);
	return state;
}

/* PF_EXITING of the kernel's include/linux/sched.h. */
#define FLAG_EXITING 0x4u

bool shim_is_exiting(pid_t pid)
{
	struct state state = state_of(pid);

	/* The first thread may have gone, and others go on. */
	return (state.flags & FLAG_EXITING) && state.threads <= 1;
}

bool shim_is_stopped(pid_t pid)
{
	return state_of(pid).letter == 'T';
}

bool shim_is_noticed(pid_t pid, int signal)
{
	char path[64];
	char line[128];
	unsigned long long sets = 0;
	unsigned long long set;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return true;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "SigBlk: %llx", &set) == 1 ||
		    sscanf(line, "SigCgt: %llx", &set) == 1)
			sets |= set;
	}
	fclose(file);
	return sets >> (signal - 1) & 1;
}
