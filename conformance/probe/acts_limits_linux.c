/* Acts that use more than a limit grants. */
#include "conformance/probe/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <mqueue.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MANY	   64
/* Above the limit of a case, and so few that what else the same user runs, and is counted with
 * them, does not meet its own limit. */
#define MANY_TASKS 24
#define BYTES_MANY (64L << 20)
#define BYTES_FEW  (64L << 10)

#define THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

/* As much as it may have. */
static void raise_soft(struct probe *p, int resource)
{
	struct rlimit limit;

	probe_need(p, "getrlimit", CALL2(SYS_getrlimit, resource, &limit));
	limit.rlim_cur = limit.rlim_max;
	probe_need(p, "setrlimit", CALL2(SYS_setrlimit, resource, &limit));
}

/* What raw mmap(2) returns is an address, or -errno. */
static long mapped(long at)
{
	return at < 0 && at > -4096 ? at : 0;
}

static long map(long size, int protection, int flags)
{
	return CALL6(SYS_mmap, NULL, size, protection, flags | MAP_ANONYMOUS, -1, 0);
}

/* --- sizes of files ----------------------------------------------------------------------------
 */

static long open_new(struct probe *p)
{
	return probe_need(p, "open",
			  CALL4(SYS_openat, AT_FDCWD, probe_path(p->in, "big", 0),
				O_RDWR | O_CREAT | O_CLOEXEC, 0644));
}

/* In two writes: the first one of them may be done in part. */
static long write_twice(long fd)
{
	static const char bytes[BYTES_FEW];
	long n = CALL3(SYS_write, fd, bytes, sizeof(bytes));

	return n < 0 ? n : CALL3(SYS_write, fd, bytes, sizeof(bytes));
}

long act_write_much(struct probe *p)
{
	return write_twice(open_new(p));
}

/* By who wants to be told by an errno. */
long act_write_much_ignoring(struct probe *p)
{
	signal(SIGXFSZ, SIG_IGN);
	return write_twice(open_new(p));
}

/* To p->arg bytes, none of which is written. */
long act_grow_file(struct probe *p)
{
	return CALL2(SYS_ftruncate, open_new(p), p->arg);
}

long act_grow_memfd(struct probe *p)
{
	long fd = probe_need(p, "memfd_create", CALL2(SYS_memfd_create, "sandtape", 1));

	return CALL2(SYS_ftruncate, fd, p->arg);
}

/* A pipe has no size. */
long act_write_pipe(struct probe *p)
{
	static const char bytes[BYTES_FEW / 2];
	int fds[2];

	probe_need(p, "pipe2", CALL2(SYS_pipe2, fds, O_CLOEXEC));
	return CALL3(SYS_write, fds[1], bytes, sizeof(bytes));
}

/* Where core_pattern names a program, a socket or a directory, the host has the core: that is not
 * to happen at all, and nothing is to be seen of it. */
static void need_core_file(struct probe *p)
{
	const int flags = O_RDONLY | O_CLOEXEC;
	char pattern[128] = "";
	long fd = CALL4(SYS_openat, AT_FDCWD, "/proc/sys/kernel/core_pattern", flags, 0);

	if (fd < 0)
		return;
	CALL3(SYS_read, fd, pattern, sizeof(pattern) - 1);
	close((int)fd);
	if (strpbrk(pattern, "|@/"))
		probe_unprepared(p, "core_pattern", -EOPNOTSUPP);
}

/* By a child, in a directory that is empty. There is no errno for what the kernel does not tell by
 * the child's status. */
long act_dump_core(struct probe *p)
{
	int status = 0;
	long child, got;

	need_core_file(p);
	raise_soft(p, RLIMIT_CORE);
	child = probe_need(p, "fork", probe_fork());
	if (child == 0) {
		if (CALL1(SYS_chdir, probe_path(p->in, "dir", 0)) == 0)
			CALL2(SYS_kill, getpid(), SIGABRT);
		_exit(1);
	}
	do {
		got = CALL4(SYS_wait4, child, &status, 0, 0);
	} while (got == -EINTR);
	probe_need(p, "wait4", got);
	if (!WIFSIGNALED(status))
		probe_unprepared(p, "crash", -ECHILD);
	return WCOREDUMP(status) ? 0 : -ENODATA;
}

/* --- memory ------------------------------------------------------------------------------------
 */

/* Addresses alone, which cannot even be read. */
long act_map_addresses(struct probe *p)
{
	(void)p;
	return mapped(map(BYTES_MANY, PROT_NONE, MAP_PRIVATE | MAP_NORESERVE));
}

long act_map_private(struct probe *p)
{
	(void)p;
	return mapped(map(BYTES_MANY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE));
}

long act_map_shared(struct probe *p)
{
	(void)p;
	return mapped(map(BYTES_MANY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE));
}

/* brk(2) answers where the end is, moved or not. */
long act_grow_heap(struct probe *p)
{
	long end = CALL1(SYS_brk, 0);

	(void)p;
	return CALL1(SYS_brk, end + BYTES_MANY) < end + BYTES_MANY ? -ENOMEM : 0;
}

/* 1 MiB of it, a page after the other, as calls would. */
long act_use_stack(struct probe *p)
{
	const long size = 1L << 20;
	volatile char *stack = __builtin_alloca((size_t)size);

	(void)p;
	for (long i = size - 1; i >= 0; i -= 4096)
		stack[i] = 1;
	return 0;
}

/* Which cannot be given back to a disk. */
long act_lock_pages(struct probe *p)
{
	long at = probe_need(p, "mmap", map(BYTES_FEW, PROT_READ | PROT_WRITE, MAP_PRIVATE));

	return CALL2(SYS_mlock, at, BYTES_FEW);
}

long act_map_locked(struct probe *p)
{
	(void)p;
	return mapped(map(BYTES_FEW, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_LOCKED));
}

/* 32 MiB that are there, since something is in each page. */
static long touch(long at)
{
	for (long i = 0; i < BYTES_MANY / 2; i += 4096)
		((volatile char *)at)[i] = 1;
	return 0;
}

long act_touch_memory(struct probe *p)
{
	return touch(
		probe_need(p, "mmap", map(BYTES_MANY / 2, PROT_READ | PROT_WRITE, MAP_PRIVATE)));
}

long act_touch_shared(struct probe *p)
{
	return touch(
		probe_need(p, "mmap", map(BYTES_MANY / 2, PROT_READ | PROT_WRITE, MAP_SHARED)));
}

/* --- descriptors -------------------------------------------------------------------------------
 */

long act_open_many(struct probe *p)
{
	long rc = 0;

	(void)p;
	for (int i = 0; rc >= 0 && i < MANY; i++)
		rc = CALL1(SYS_dup, 0);
	return rc;
}

/* The number p->arg is of a descriptor, then. */
long act_dup_to_high(struct probe *p)
{
	raise_soft(p, RLIMIT_NOFILE);
	return CALL3(SYS_dup3, 0, p->arg, O_CLOEXEC);
}

long act_dup_above_high(struct probe *p)
{
	raise_soft(p, RLIMIT_NOFILE);
	return CALL3(SYS_fcntl, 0, F_DUPFD_CLOEXEC, p->arg);
}

/* --- processes and time ------------------------------------------------------------------------
 */

long act_fork(struct probe *p)
{
	long child = probe_fork();

	(void)p;
	if (child == 0)
		_exit(0);
	return child < 0 ? child : probe_wait((pid_t)child);
}

/* Which are all there at once. */
long act_fork_many(struct probe *p)
{
	long children[MANY_TASKS], rc = 0;
	int count = 0;

	(void)p;
	while (count < MANY_TASKS && (rc = probe_fork()) >= 0) {
		if (rc == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				pause();
		}
		children[count++] = rc;
	}
	while (count > 0) {
		CALL2(SYS_kill, children[--count], SIGKILL);
		probe_wait((pid_t)children[count]);
	}
	return rc;
}

static char thread_stack[16384] __attribute__((aligned(16)));

static int return_at_once(void *unused)
{
	(void)unused;
	return 0;
}

long act_make_thread(struct probe *p)
{
	static pid_t alive = 1;

	(void)p;
	if (clone(return_at_once, thread_stack + sizeof(thread_stack),
		  THREAD | CLONE_CHILD_CLEARTID, NULL, NULL, NULL, &alive) < 0)
		return -errno;
	while (__atomic_load_n(&alive, __ATOMIC_ACQUIRE))
		CALL1(SYS_sched_yield, 0);
	return 0;
}

static int never_return(void *unused)
{
	(void)unused;
	while (pause() < 0)
		;
	return 0;
}

/* They end with the process. */
long act_make_threads(struct probe *p)
{
	static char stacks[MANY_TASKS][4096] __attribute__((aligned(16)));

	(void)p;
	for (int i = 0; i < MANY_TASKS; i++)
		if (clone(never_return, stacks[i] + sizeof(stacks[i]), THREAD, NULL) < 0)
			return -errno;
	return 0;
}

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

/* The least limit is a second. Where there is none it computes for a part of that, which shows
 * as well that nothing else ends it, and does not take the time of all other acts together. */
long act_compute(struct probe *p)
{
	const bool limited = strcmp(p->restricts, "denied") == 0;
	const uint64_t end = cpu_ns() + UINT64_C(1000000) * (limited ? 4000 : 100);

	while (cpu_ns() < end)
		for (volatile int i = 0; i < 10000; i++)
			;
	return 0;
}

/* --- queues ------------------------------------------------------------------------------------
 */

/* Signals of which each is kept, since nobody takes them. */
long act_queue_signals(struct probe *p)
{
	uint64_t set = UINT64_C(1) << (SIGRTMIN - 1);
	siginfo_t info;
	long rc = probe_need(p, "sigprocmask",
			     CALL4(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, sizeof(set)));

	memset(&info, 0, sizeof(info));
	info.si_signo = SIGRTMIN;
	info.si_code = SI_QUEUE;
	for (int i = 0; rc == 0 && i < MANY; i++)
		rc = CALL3(SYS_rt_sigqueueinfo, getpid(), SIGRTMIN, &info);
	return rc;
}

/* Each has a signal that is kept for it. */
long act_make_timers(struct probe *p)
{
	long rc = 0;
	int id;

	(void)p;
	for (int i = 0; rc == 0 && i < MANY; i++)
		rc = CALL3(SYS_timer_create, CLOCK_MONOTONIC, NULL, &id);
	return rc;
}

/* It has no name any more as soon as it is there. */
long act_make_message_queue(struct probe *p)
{
	struct mq_attr attr = {.mq_maxmsg = 1, .mq_msgsize = 64};
	const char *name = p->nonce;
	long fd = CALL4(SYS_mq_open, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attr);

	if (fd >= 0) {
		CALL1(SYS_mq_unlink, name);
		close((int)fd);
	}
	return fd;
}

/* --- priorities --------------------------------------------------------------------------------
 */

long act_raise_priority(struct probe *p)
{
	return probe_raise_priority(p, 5);
}

long act_be_realtime(struct probe *p)
{
	const struct sched_param param = {.sched_priority = 1};

	(void)p;
	return CALL3(SYS_sched_setscheduler, 0, SCHED_FIFO, &param);
}

/* --- the limits themselves ---------------------------------------------------------------------
 */

/* Of descriptors, to p->arg. */
static long set_limit(struct probe *p, bool hard)
{
	struct rlimit limit;

	probe_need(p, "getrlimit", CALL2(SYS_getrlimit, RLIMIT_NOFILE, &limit));
	limit.rlim_cur = p->arg;
	if (hard)
		limit.rlim_max = p->arg;
	return CALL2(SYS_setrlimit, RLIMIT_NOFILE, &limit);
}

long act_raise_hard_limit(struct probe *p)
{
	return set_limit(p, true);
}

long act_raise_soft_limit(struct probe *p)
{
	return set_limit(p, false);
}
