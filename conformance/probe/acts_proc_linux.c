/* Acts on /proc: what it tells of a process outside, and what is set by it. */
#include "conformance/probe/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static long open_of_victim(struct probe *p, const char *name, int flags)
{
	char path[PATH_MAX + 32];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)p->victim, name);
	return CALL4(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0);
}

/* Its variables, among them the one with the secret: what follows its name. */
long act_proc_environ(struct probe *p)
{
	static char all[65536];
	const char name[] = PROBE_VARIABLE "=";
	long fd = open_of_victim(p, "environ", O_RDONLY), n;
	const char *at;

	if (fd < 0)
		return fd;
	n = CALL3(SYS_read, fd, all, sizeof(all) - 1);
	close((int)fd);
	if (n <= 0)
		return n < 0 ? n : -ENODATA;
	at = memmem(all, (size_t)n, name, sizeof(name) - 1);
	if (!at)
		return -ENODATA;
	snprintf(p->report->text, PROBE_TEXT_SIZE, "%s", at + sizeof(name) - 1);
	return 0;
}

long act_proc_mem(struct probe *p)
{
	long fd = open_of_victim(p, "mem", O_RDONLY), n;

	if (fd < 0)
		return fd;
	n = CALL4(SYS_pread64, fd, p->report->text, PROBE_TEXT_SIZE - 1, probe_victims_secret);
	close((int)fd);
	return n;
}

/* A file by the root directory of another. */
long act_proc_root(struct probe *p)
{
	char name[PATH_MAX];

	snprintf(name, sizeof(name), "root%s/file", p->out);
	return probe_read_text(p, open_of_victim(p, name, O_RDONLY));
}

/* By its working directory, which is the outer one. */
long act_proc_cwd(struct probe *p)
{
	return probe_read_text(p, open_of_victim(p, "cwd/file", O_RDONLY));
}

/* By what it has open. */
long act_proc_fd(struct probe *p)
{
	char name[32];

	snprintf(name, sizeof(name), "fd/%d", PROBE_FD);
	return probe_read_text(p, open_of_victim(p, name, O_RDONLY));
}

/* What cannot be known before is not reported. */
static long read_of_victim(struct probe *p, const char *name)
{
	char line[64];
	long fd = open_of_victim(p, name, O_RDONLY), n;

	if (fd < 0)
		return fd;
	n = CALL3(SYS_read, fd, line, sizeof(line));
	close((int)fd);
	return n;
}

/* Its program. */
long act_proc_exe(struct probe *p)
{
	return probe_close(open_of_victim(p, "exe", O_RDONLY));
}

/* Where in its memory is what. */
long act_proc_maps(struct probe *p)
{
	return read_of_victim(p, "maps");
}

/* What it was called with, which may be passwords. */
long act_proc_cmdline(struct probe *p)
{
	return read_of_victim(p, "cmdline");
}

/* That it is there at all, by a list of all processes. */
long act_proc_list(struct probe *p)
{
	struct entry {
		uint64_t inode, offset;
		uint16_t size;
		uint8_t kind;
		char name[];
	};
	_Alignas(8) static char all[16384];
	char name[16];
	long fd = CALL4(SYS_openat, AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0), n;

	if (fd < 0)
		return fd;
	snprintf(name, sizeof(name), "%d", (int)p->victim);
	while ((n = CALL3(SYS_getdents64, fd, all, sizeof(all))) > 0)
		for (long at = 0; at < n;) {
			const struct entry *entry = (const void *)(all + at);

			if (strcmp(entry->name, name) == 0) {
				close((int)fd);
				return 0;
			}
			at += entry->size;
		}
	close((int)fd);
	return n < 0 ? n : -ENOENT;
}

/* What the kernel does with a core of any process: a program of the host may be named there. It is
 * opened, and nothing is written. */
long act_core_pattern(struct probe *p)
{
	(void)p;
	return probe_close(CALL4(SYS_openat, AT_FDCWD, "/proc/sys/kernel/core_pattern",
				 O_WRONLY | O_CLOEXEC, 0));
}

/* Which of them is killed when memory is short: as it is. */
long act_proc_oom(struct probe *p)
{
	return probe_close(open_of_victim(p, "oom_score_adj", O_WRONLY));
}

/* Of this process itself, which nobody else is concerned by: a byte that it has. */
long act_proc_own_memory(struct probe *p)
{
	static volatile char byte = '-';
	long fd = CALL4(SYS_openat, AT_FDCWD, "/proc/self/mem", O_RDWR | O_CLOEXEC, 0), rc;

	(void)p;
	if (fd < 0)
		return fd;
	rc = CALL4(SYS_pwrite64, fd, "+", 1, &byte);
	close((int)fd);
	return rc < 0 ? rc : byte == '+' ? 0 : -EIO;
}
