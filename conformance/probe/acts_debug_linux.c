/* Acts of a debugger on a process outside, by system calls. */
#include "conformance/probe/probe.h"

#include <errno.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

/* Lets it go again when it ends. */
long act_ptrace_victim(struct probe *p)
{
	return CALL4(SYS_ptrace, PTRACE_SEIZE, p->victim, NULL, NULL);
}

/* A descendant, which is nobody's but its own. */
long act_ptrace_child(struct probe *p)
{
	long child = probe_need(p, "fork", probe_fork()), rc;

	if (child == 0) {
		CALL1(SYS_pause, 0);
		_exit(0);
	}
	rc = CALL4(SYS_ptrace, PTRACE_SEIZE, child, NULL, NULL);
	CALL2(SYS_kill, child, SIGKILL);
	probe_wait((pid_t)child);
	return rc;
}

long act_memory_read(struct probe *p)
{
	const struct iovec to = {p->report->text, PROBE_TEXT_SIZE - 1};
	const struct iovec from = {probe_victims_secret, PROBE_TEXT_SIZE - 1};

	return CALL6(SYS_process_vm_readv, p->victim, &to, 1, &from, 1, 0);
}

/* Writes over its last byte, which is none of the secret. */
long act_memory_write(struct probe *p)
{
	const struct iovec from = {"!", 1};
	const struct iovec to = {probe_victims_secret + PROBE_TEXT_SIZE - 1, 1};

	return CALL6(SYS_process_vm_writev, p->victim, &from, 1, &to, 1, 0);
}

/* The victim has the file with the secret open. */
long act_descriptor_taken(struct probe *p)
{
	long pidfd = CALL2(SYS_pidfd_open, p->victim, 0), fd, n;

	if (pidfd < 0)
		return pidfd;
	fd = CALL3(SYS_pidfd_getfd, pidfd, PROBE_FD, 0);
	close((int)pidfd);
	if (fd < 0)
		return fd;
	n = CALL4(SYS_pread64, fd, p->report->text, PROBE_TEXT_SIZE - 1, 0);
	close((int)fd);
	return n;
}

/* Whether it has the same memory: how the kernel orders what it has is told by it. */
long act_compare(struct probe *p)
{
	return CALL5(SYS_kcmp, p->victim, getpid(), KCMP_VM, 0, 0);
}

/* The limit of time of computing, with which it can be killed, to what it is already. */
long act_limit_of_victim(struct probe *p)
{
	struct rlimit limit;
	long rc = CALL4(SYS_prlimit64, p->victim, RLIMIT_CPU, NULL, &limit);

	return rc < 0 ? rc : CALL4(SYS_prlimit64, p->victim, RLIMIT_CPU, &limit, NULL);
}
