/* Acts that send signals to a process outside, and those that must reach their own. */
#include "conformance/probe/probe.h"

#include "sandbox/kernel_linux.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/prctl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- by a call ---------------------------------------------------------------------------------
 */

/* It leads a group of its own. */
long act_signal_group(struct probe *p)
{
	return CALL2(SYS_kill, -p->victim, SIGUSR1);
}

long act_signal_thread(struct probe *p)
{
	return CALL3(SYS_tgkill, p->victim, p->victim, SIGUSR1);
}

long act_signal_by_pidfd(struct probe *p)
{
	long pidfd = CALL2(SYS_pidfd_open, p->victim, 0), rc;

	if (pidfd < 0)
		return pidfd;
	rc = CALL4(SYS_pidfd_send_signal, pidfd, SIGUSR1, NULL, 0);
	close((int)pidfd);
	return rc;
}

long act_signal_queued(struct probe *p)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_signo = SIGUSR1;
	info.si_code = SI_QUEUE;
	info.si_pid = getpid();
	info.si_uid = getuid();
	return CALL3(SYS_rt_sigqueueinfo, p->victim, SIGUSR1, &info);
}

/* Asks of all processes whether there is one; the answer is yes even if none may be asked. */
long act_signal_all(struct probe *p)
{
	(void)p;
	return CALL2(SYS_kill, -1, 0);
}

/* --- by what belongs to a descriptor -----------------------------------------------------------
 */

/* A pair whose first end tells `owner` that something came. */
static long make_pair(struct probe *p, int ret[2], pid_t owner)
{
	probe_need(p, "socketpair",
		   CALL4(SYS_socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ret));
	probe_need(p, "O_ASYNC", CALL3(SYS_fcntl, ret[0], F_SETFL, O_ASYNC));
	return CALL3(SYS_fcntl, ret[0], F_SETOWN, owner);
}

static long tell_owner(struct probe *p, pid_t owner, int flags)
{
	int fds[2];
	long rc = make_pair(p, fds, owner);

	if (rc == 0)
		rc = CALL6(SYS_sendto, fds[1], "+", 1, flags, NULL, 0);
	close(fds[0]);
	close(fds[1]);
	return rc;
}

long act_sigio_to_victim(struct probe *p)
{
	return tell_owner(p, p->victim, 0);
}

long act_sigio_to_group(struct probe *p)
{
	return tell_owner(p, -p->victim, 0);
}

long act_sigurg_to_victim(struct probe *p)
{
	return tell_owner(p, p->victim, MSG_OOB);
}

/* --- by a parent that is restricted no more ----------------------------------------------------
 */

/* A child hands its session of keys to the actor, which has other credentials from then on: they
 * must be as restricted as its own. */
long act_signal_after_keys(struct probe *p)
{
	long child = probe_need(p, "fork", probe_fork());

	if (child == 0) {
		long rc = CALL2(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);

		if (rc >= 0)
			rc = CALL1(SYS_keyctl, KEYCTL_SESSION_TO_PARENT);
		_exit(rc < 0 ? (int)-rc : 0);
	}
	probe_need(p, "session_to_parent", -probe_wait((pid_t)child));
	return act_signal_victim(p);
}

/* --- to its own --------------------------------------------------------------------------------
 */

long act_signal_child(struct probe *p)
{
	long child = probe_need(p, "fork", probe_fork()), rc;

	if (child == 0)
		for (;;)
			pause();
	rc = CALL2(SYS_kill, child, SIGKILL);
	if (rc == 0)
		probe_wait((pid_t)child);
	return rc;
}

static char thread_stack[65536] __attribute__((aligned(16)));
static struct probe *threads;

/* A thread that is more restricted than the others signals one of them. */
static int signal_other_thread(void *unused)
{
	const struct ll_ruleset_attr attr = {.scoped = LL_SCOPE_SIGNAL};
	long rc = CALL3(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);

	(void)unused;
	if (rc >= 0)
		rc = CALL2(SYS_landlock_restrict_self, rc, 0);
	threads->report->data = (int32_t)rc;
	rc = CALL3(SYS_tgkill, getpid(), getpid(), 0);
	threads->report->result = rc;
	return 0;
}

long act_signal_own_thread(struct probe *p)
{
	const int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
			  CLONE_SYSVSEM | CLONE_CHILD_CLEARTID;
	static pid_t alive = 1;
	long thread;

	threads = p;
	probe_need(p, "no_new_privs", CALL5(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	thread = clone(signal_other_thread, thread_stack + sizeof(thread_stack), flags, NULL, NULL,
		       NULL, &alive);
	if (thread < 0)
		probe_unprepared(p, "clone", -errno);
	while (__atomic_load_n(&alive, __ATOMIC_ACQUIRE))
		CALL1(SYS_sched_yield, 0);
	probe_need(p, "restrict_self", p->report->data);
	return (long)p->report->result;
}
