/* Acts that ask what the answers of a filter do, beyond an errno. */
#include "conformance/probe/probe.h"

#include "sandbox/kernel_linux.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

/* --- signals -----------------------------------------------------------------------------------
 */

static struct probe *trapped;

static void note_trap(int signal, siginfo_t *info, void *context)
{
	struct probe_report *r = trapped->report;

	(void)context;
	r->signal = signal;
	r->caught = 1;
	r->code = info->si_code;
	r->data = info->si_errno;
	r->call = info->si_syscall;
	r->arch = info->si_arch;
}

/* Catches the signal, which must say which call it was, and what the filter has to say of it. */
long act_trapped_call(struct probe *p)
{
	const struct sigaction action = {.sa_sigaction = note_trap, .sa_flags = SA_SIGINFO};
	const struct probe_report *r = p->report;
	long rc;

	trapped = p;
	if (sigaction(SIGSYS, &action, NULL) < 0)
		probe_unprepared(p, "sigaction", -errno);
	rc = CALL6(p->arg, -1, -1, -1, -1, -1, -1);
	if (!r->caught)
		return probe_answer(rc);
	return r->code == SYS_SECCOMP && r->data == PROBE_TRAP_DATA && r->call == (int)p->arg
		       ? 0
		       : -EPROTO;
}

/* A signal that is ignored and blocked kills all the same. */
long act_ignored_call(struct probe *p)
{
	sigset_t all;

	sigfillset(&all);
	if (signal(SIGSYS, SIG_IGN) == SIG_ERR || sigprocmask(SIG_BLOCK, &all, NULL) < 0)
		probe_unprepared(p, "signal", -errno);
	return probe_answer(CALL6(p->arg, -1, -1, -1, -1, -1, -1));
}

static volatile sig_atomic_t handled;

static void note_handled(int signal)
{
	handled = signal;
}

/* Nor can it be caught. */
long act_caught_call(struct probe *p)
{
	long rc;

	if (signal(SIGSYS, note_handled) == SIG_ERR)
		probe_unprepared(p, "signal", -errno);
	rc = CALL6(p->arg, -1, -1, -1, -1, -1, -1);
	return handled ? 0 : probe_answer(rc);
}

/* --- threads -----------------------------------------------------------------------------------
 */

static struct {
	uint32_t goes, lives; /* futexes */
	long number, result;
	_Alignas(16) char stack[16384];
} worker;

/* The errno of the C library is that of the other thread, which waits meanwhile. */
static int work(void *unused)
{
	(void)unused;
	while (__atomic_load_n(&worker.goes, __ATOMIC_ACQUIRE) == 0)
		CALL4(SYS_futex, &worker.goes, FUTEX_WAIT, 0, NULL);
	worker.result = probe_answer(CALL6(worker.number, -1, -1, -1, -1, -1, -1));
	CALL1(SYS_exit, 0);
	return 0;
}

/* What it has not answered in the end, it was killed for. */
static void start_worker(struct probe *p, int (*does)(void *))
{
	const int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
			  CLONE_SYSVSEM | CLONE_CHILD_CLEARTID;

	worker.number = (long)p->arg;
	worker.result = -ESRCH;
	worker.lives = 1;
	if (clone(does, worker.stack + sizeof(worker.stack), flags, p, NULL, NULL, &worker.lives) <
	    0)
		probe_unprepared(p, "thread", -errno);
}

/* A second thread, which waits to make the call. */
long prepare_worker(struct probe *p)
{
	start_worker(p, work);
	return 0;
}

/* Has the other thread make the call, and sees what became of it. */
long act_workers_call(struct probe *p)
{
	(void)p;
	__atomic_store_n(&worker.goes, 1, __ATOMIC_RELEASE);
	CALL3(SYS_futex, &worker.goes, FUTEX_WAKE, 1);
	while (__atomic_load_n(&worker.lives, __ATOMIC_ACQUIRE) != 0)
		CALL4(SYS_futex, &worker.lives, FUTEX_WAIT, 1, NULL);
	return worker.result;
}

/* The same with a thread that was begun with the filter on it: the process goes on when it is
 * killed. */
long act_killed_thread(struct probe *p)
{
	prepare_worker(p);
	return act_workers_call(p);
}

/* Says how it ended in the place of the first thread, which has no more of a say. */
static int outlive(void *leader)
{
	struct probe *p = leader;

	while (__atomic_load_n(&worker.lives, __ATOMIC_ACQUIRE) != 0)
		CALL4(SYS_futex, &worker.lives, FUTEX_WAIT, 1, NULL);
	p->report->result = -ESRCH;
	p->report->state = PROBE_DONE;
	CALL1(SYS_exit_group, 0);
	return 0;
}

/* The first thread makes the call: it alone is killed, and the process goes on without it. */
long act_killed_leader(struct probe *p)
{
	const int flags =
		CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;

	worker.lives = 1;
	probe_need(p, "set_tid_address", CALL1(SYS_set_tid_address, &worker.lives));
	if (clone(outlive, worker.stack + sizeof(worker.stack), flags, p) < 0)
		probe_unprepared(p, "thread", -errno);
	return probe_answer(CALL6(p->arg, -1, -1, -1, -1, -1, -1));
}

/* --- by what was there before a domain of Landlock --- */

static int read_for_other(void *other)
{
	struct probe *p = other;

	while (__atomic_load_n(&worker.goes, __ATOMIC_ACQUIRE) == 0)
		CALL4(SYS_futex, &worker.goes, FUTEX_WAIT, 0, NULL);
	worker.result =
		probe_read_text(p, CALL4(SYS_openat, AT_FDCWD, probe_path(p->out, "file", 0),
					 O_RDONLY | O_CLOEXEC, 0));
	CALL1(SYS_exit, 0);
	return 0;
}

/* A second thread, which waits to read "file". */
long prepare_reader(struct probe *p)
{
	start_worker(p, read_for_other);
	return 0;
}

long act_read_by_thread(struct probe *p)
{
	return act_workers_call(p);
}

/* --- answers that look like others -------------------------------------------------------------
 */

/* getppid() cannot say 0, but where the parent is in another namespace: the supervisor is not. A
 * fake success is told as ENODATA. */
long act_faked_call(struct probe *p)
{
	long rc = CALL1(SYS_getppid, 0);

	(void)p;
	return rc == 0 ? -ENODATA : rc;
}

/* An errno that is too high is told as 4095; that is said as EOVERFLOW, since it has no name. */
long act_capped_errno(struct probe *p)
{
	long rc = CALL6(p->arg, -1, -1, -1, -1, -1, -1);

	return rc == -4095 ? -EOVERFLOW : probe_answer(rc);
}

/* Opens its own file, which needs nobody's grant but that of a filter. */
long act_open_inside(struct probe *p)
{
	long fd =
		CALL4(SYS_openat, AT_FDCWD, probe_path(p->in, "file", 0), O_RDONLY | O_CLOEXEC, 0);

	if (fd >= 0)
		close((int)fd);
	return fd;
}

/* --- who may install one -----------------------------------------------------------------------
 */

static long install(unsigned long flags)
{
	struct sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	const struct sock_fprog program = {1, code};
	long rc = CALL3(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);

	if (rc > 0)
		close((int)rc);
	return rc;
}

/* A filter without no_new_privs, with which a set-user-ID program could be misled. */
long act_install_filter(struct probe *p)
{
	(void)p;
	return install(0);
}

/* A filter with a listener: there can be one of a thread. */
long act_install_listener(struct probe *p)
{
	(void)p;
	return install(SECCOMP_FILTER_FLAG_NEW_LISTENER);
}

/* A flag that makes sense with a listener only. */
long act_install_killable(struct probe *p)
{
	const bool alone = p->restricts[0] == 'd';

	return install(SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV |
		       (alone ? 0 : SECCOMP_FILTER_FLAG_NEW_LISTENER));
}

/* A domain of Landlock without no_new_privs. */
long act_install_domain(struct probe *p)
{
	const struct ll_ruleset_attr attr = {.handled_access_fs = LL_FS_MAKE_SOCK};
	long ruleset = probe_need(p, "create_ruleset",
				  CALL3(SYS_landlock_create_ruleset, &attr, sizeof(uint64_t), 0));

	return CALL2(SYS_landlock_restrict_self, ruleset, 0);
}
