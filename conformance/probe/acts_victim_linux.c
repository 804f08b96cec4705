/* Acts on the memory, the files and the scheduling of a process outside, which runs this program,
 * too. */
#include "conformance/probe/probe.h"

#include <fcntl.h>
#include <linux/ioprio.h>
#include <linux/kcmp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

/* --- what debuggers do -------------------------------------------------------------------------
 */

/* Does not stop it; it is let go when this process ends. */
long act_trace_victim(struct probe *p)
{
	return CALL4(SYS_ptrace, PTRACE_SEIZE, p->victim, 0, 0);
}

long act_peek_victim(struct probe *p)
{
	const struct iovec here = {p->report->text, sizeof(p->report->text) - 1};
	const struct iovec there = {probe_victims_secret, sizeof(p->report->text) - 1};

	return CALL6(SYS_process_vm_readv, p->victim, &here, 1, &there, 1, 0);
}

/* Its last byte, which is zero, becomes zero. */
long act_poke_victim(struct probe *p)
{
	char zero = 0;
	const struct iovec here = {&zero, 1};
	const struct iovec there = {probe_victims_secret + sizeof(probe_victims_secret) - 1, 1};

	return CALL6(SYS_process_vm_writev, p->victim, &here, 1, &there, 1, 0);
}

long act_take_victims_fd(struct probe *p)
{
	long pidfd = CALL2(SYS_pidfd_open, p->victim, 0), fd;

	if (pidfd < 0)
		return pidfd;
	fd = CALL3(SYS_pidfd_getfd, pidfd, 0, 0);
	close((int)pidfd);
	if (fd >= 0)
		close((int)fd);
	return fd;
}

/* Whether its standard input is ours. */
long act_compare_victims_fd(struct probe *p)
{
	return CALL5(SYS_kcmp, getpid(), p->victim, KCMP_FILE, 0, 0);
}

/* Where its C library keeps the locks that it has. */
long act_ask_victims_locks(struct probe *p)
{
	void *head;
	size_t size;

	return CALL3(SYS_get_robust_list, p->victim, &head, &size);
}

/* --- what /proc has of it ----------------------------------------------------------------------
 */

static long open_of_victim(struct probe *p, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)p->victim, name);
	return CALL4(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
}

static long read_at(struct probe *p, long fd, const void *offset)
{
	long n;

	if (fd < 0)
		return fd;
	n = CALL4(SYS_pread64, fd, p->report->text, sizeof(p->report->text) - 1, offset);
	close((int)fd);
	return n;
}

long act_read_victims_memory(struct probe *p)
{
	return read_at(p, open_of_victim(p, "mem"), probe_victims_secret);
}

/* Variables are one after the other, with zeros between them: only what is ours is kept. */
long act_read_victims_environ(struct probe *p)
{
	long fd = open_of_victim(p, "environ"), n;
	char text[8192];
	const char *at;

	if (fd < 0)
		return fd;
	n = CALL3(SYS_read, fd, text, sizeof(text) - 1);
	close((int)fd);
	if (n <= 0)
		return n;
	at = memmem(text, (size_t)n, PROBE_VARIABLE "=", sizeof(PROBE_VARIABLE));
	text[n] = '\0';
	if (at)
		snprintf(p->report->text, sizeof(p->report->text), "%s",
			 at + sizeof(PROBE_VARIABLE));
	return n;
}

/* "file", by its working directory, which is the outer one. */
long act_read_by_victims_cwd(struct probe *p)
{
	return read_at(p, open_of_victim(p, "cwd/file"), NULL);
}

long act_read_victims_status(struct probe *p)
{
	return read_at(p, open_of_victim(p, "status"), NULL);
}

/* --- what needs no more than its number --------------------------------------------------------
 */

long act_ask_victims_session(struct probe *p)
{
	return CALL1(SYS_getsid, p->victim);
}

long act_name_victim(struct probe *p)
{
	long pidfd = CALL2(SYS_pidfd_open, p->victim, 0);

	if (pidfd >= 0)
		close((int)pidfd);
	return pidfd;
}

/* Lower than it is: that needs no privilege. */
long act_renice_victim(struct probe *p)
{
	return CALL3(SYS_setpriority, PRIO_PROCESS, p->victim, 19);
}

long act_move_victim(struct probe *p)
{
	cpu_set_t set;
	long size = probe_need(p, "sched_getaffinity",
			       CALL3(SYS_sched_getaffinity, 0, sizeof(set), &set));

	return CALL3(SYS_sched_setaffinity, p->victim, size, &set);
}

long act_schedule_victim(struct probe *p)
{
	const struct sched_param param = {0};

	return CALL3(SYS_sched_setscheduler, p->victim, SCHED_BATCH, &param);
}

long act_slow_victims_disk(struct probe *p)
{
	return CALL3(SYS_ioprio_set, IOPRIO_WHO_PROCESS, p->victim,
		     IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 7));
}
