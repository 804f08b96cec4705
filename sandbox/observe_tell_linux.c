/* From the stops of a program to what is told of it. */
#include "sandbox/observe.h"

#include "base/cleanup.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

/* Of <asm-generic/siginfo.h>; the C library has it under a name that is that of a call. */
#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif

/* --- who it is ---------------------------------------------------------------------------------
 */

struct task_status {
	pid_t pid;
	uid_t user; /* that files are looked at for */
};

static FILE *open_status(pid_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	return fopen(path, "re");
}

/* Of a task that is about to vanish what is known of it. */
static struct task_status status_of(pid_t tid)
{
	struct task_status status = {tid, (uid_t)-1};
	cleanup_fclose FILE *f = open_status(tid);
	bool done = false;
	char line[256];

	while (f && !done && fgets(line, sizeof(line), f)) {
		sscanf(line, "Tgid: %d", &status.pid);
		done = sscanf(line, "Uid: %*u %*u %*u %u", &status.user) == 1;
	}
	return status;
}

pid_t observe_process(pid_t tid)
{
	return status_of(tid).pid;
}

/* Which limit a call may have run into, by its errno. */
static const struct {
	int error;
	int resource;
} limits[] = {
	{EMFILE, RLIMIT_NOFILE},
	{EFBIG, RLIMIT_FSIZE},
	{ENOMEM, RLIMIT_DATA}, /* as the sandbox limits memory */
	{EAGAIN, RLIMIT_NPROC},
};

static uint64_t limit_of(pid_t pid, int error)
{
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct rlimit limit;

		if (limits[i].error == error &&
		    prlimit(pid, (enum __rlimit_resource)limits[i].resource, NULL, &limit) == 0)
			return limit.rlim_cur;
	}
	return RLIM_INFINITY;
}

/* --- what its arguments lead to ----------------------------------------------------------------
 */

unsigned observe_flags(pid_t tid, const struct observed_call *row, const struct observe_call *call)
{
	struct open_how how = {.flags = 0};

	if (!row->flags)
		return row->constant;
	if (row->need != OBSERVED_OPEN_HOW)
		return (unsigned)call->args[row->flags];
	observe_read(tid, call->args[row->flags], &how, sizeof(how));
	return (unsigned)how.flags;
}

/* Whether a link at the end is meant itself. */
static bool keeps_last(enum observed_need need, unsigned flags, int which)
{
	switch (need) {
	case OBSERVED_OPEN:
	case OBSERVED_OPEN_HOW:
		return (flags & O_NOFOLLOW) || ((flags & O_CREAT) && (flags & O_EXCL));
	case OBSERVED_EXECUTE:
	case OBSERVED_CHANGE:
		return flags & AT_SYMLINK_NOFOLLOW;
	case OBSERVED_LINK:
		return which == 1 || !(flags & AT_SYMLINK_FOLLOW);
	case OBSERVED_MAKE:
	case OBSERVED_REMOVE:
	case OBSERVED_RENAME:
		return true;
	default:
		return false;
	}
}

static const char *name_path(pid_t tid, const struct observed_call *row,
			     const struct observe_call *call, unsigned flags, int which,
			     struct buf *buf)
{
	const struct observed_path *path = &row->paths[which];
	struct observe_named named = {
		.dir = AT_FDCWD,
		.keep_last = keeps_last(row->need, flags, which),
	};

	if (path->path == OBSERVED_NONE)
		return NULL;
	if (path->dir != OBSERVED_NONE)
		named.dir = (int)call->args[path->dir];
	named.address = call->args[path->path];
	named.or_dir = row->need == OBSERVED_EXECUTE || row->need == OBSERVED_LINK ||
		       row->need == OBSERVED_CHANGE;
	return observe_path(tid, &named, buf) ? buf->data : NULL;
}

/* Of a unix socket in a file the path, too. */
static void describe_address(struct observer *o, pid_t tid, const struct observed_call *row,
			     const struct observe_call *call, struct observe_named_call *d)
{
	const struct sockaddr_un *file = (const void *)&d->address;
	char path[sizeof(file->sun_path) + 1] = "";
	size_t len = (size_t)call->args[row->address + 1];

	if (len > sizeof(d->address))
		len = sizeof(d->address);
	if (len < sizeof(sa_family_t) ||
	    observe_read(tid, call->args[row->address], &d->address, len) < 0)
		return;
	d->address_len = (socklen_t)len;
	if (file->sun_family != AF_UNIX || len <= offsetof(struct sockaddr_un, sun_path))
		return;
	memcpy(path, file->sun_path, len - offsetof(struct sockaddr_un, sun_path));
	if (*path && observe_resolve(tid, AT_FDCWD, path, row->need == OBSERVED_BIND, &o->path))
		d->path = o->path.data;
}

void observe_name_call(struct observer *o, pid_t tid, const struct observed_call *row,
		       const struct observe_call *call, struct observe_named_call *ret)
{
	if (row->address) {
		describe_address(o, tid, row, call, ret);
		return;
	}
	ret->flags = observe_flags(tid, row, call);
	ret->path = name_path(tid, row, call, ret->flags, 0, &o->path);
	ret->path2 = name_path(tid, row, call, ret->flags, 1, &o->path2);
}

/* With what interprets it, which needs the same. */
static enum sandbox_outside describe_program(struct observer *o, pid_t tid,
					     struct observe_named_call *d)
{
	enum sandbox_outside outside = observe_outside(OBSERVED_EXECUTE, 0, d->path, NULL);

	if (outside != SANDBOX_OUTSIDE_YES)
		return outside;
	outside = observe_interpreters(tid, d->path, &o->interpreters);
	d->path2 = o->interpreters.path[0];
	d->interpreters = d->path2 ? o->interpreters.path + 1 : NULL;
	return outside;
}

static bool is_signal(const struct observe_call *call)
{
	return call->number == SYS_kill || call->number == SYS_tkill || call->number == SYS_tgkill;
}

static enum sandbox_outside describe(struct observer *o, pid_t tid, const struct observe_call *call,
				     struct observe_named_call *d)
{
	const struct observed_call *row = observed_find(call->arch, call->number);

	if (row)
		observe_name_call(o, tid, row, call, d);
	if (d->path)
		return row->need == OBSERVED_EXECUTE
			       ? describe_program(o, tid, d)
			       : observe_outside(row->need, d->flags, d->path, d->path2);
	if (d->address_len && (call->error == EADDRNOTAVAIL || call->error == ENETUNREACH))
		return observe_outside_address(row->need, (const struct sockaddr *)&d->address,
					       d->address_len);
	return call->error == ESRCH && is_signal(call)
		       ? observe_outside_process((int)call->args[0], o->tasks)
		       : SANDBOX_OUTSIDE_UNKNOWN;
}

/* As it is outside: what a private directory shows instead is no matter of what may be granted. */
static enum sandbox_outside is_there(const char *path)
{
	struct stat st;

	if (!path)
		return SANDBOX_OUTSIDE_UNKNOWN;
	if (lstat(path, &st) == 0)
		return SANDBOX_OUTSIDE_YES;
	return errno == ENOENT || errno == ENOTDIR ? SANDBOX_OUTSIDE_NO : SANDBOX_OUTSIDE_UNKNOWN;
}

/* --- telling -----------------------------------------------------------------------------------
 */

/* What is not there outside either is the most that programs look for. A socket that does not wait
 * has EAGAIN. */
static bool is_everyday(const struct observe_call *call, const struct observe_named_call *d,
			enum sandbox_outside outside)
{
	const bool is_missing = call->error == ENOENT || call->error == ESRCH;

	return !call->filtered && ((is_missing && outside != SANDBOX_OUTSIDE_YES) ||
				   (call->error == EAGAIN && d->address_len > 0));
}

/* Of a limit of its own that a process could not raise. Outside it is held to what we are. */
static void describe_raise(pid_t tid, const struct observe_call *call,
			   struct sandbox_observation *seen)
{
	const bool is_prlimit = call->number == SYS_prlimit64;
	const __rlimit_resource_t resource = (__rlimit_resource_t)call->args[is_prlimit];
	struct rlimit wants, has, ours;

	if (call->filtered || call->error != EPERM || !observed_find(call->arch, call->number) ||
	    (!is_prlimit && call->number != SYS_setrlimit) || (is_prlimit && call->args[0] != 0))
		return;
	if (observe_read(tid, call->args[is_prlimit ? 2 : 1], &wants, sizeof(wants)) < 0 ||
	    prlimit(seen->pid, resource, NULL, &has) < 0 || getrlimit(resource, &ours) < 0)
		return;
	seen->limit = has.rlim_max;
	seen->wanted = wants.rlim_max;
	if (wants.rlim_max <= ours.rlim_max)
		seen->outside = SANDBOX_OUTSIDE_YES;
}

void observe_tell_call(struct observer *o, pid_t tid, const struct observe_call *call)
{
	struct observe_named_call d = {.path = NULL};
	struct sandbox_observation seen = {.what = SANDBOX_SEEN_CALL};
	enum sandbox_outside outside = describe(o, tid, call, &d);
	struct task_status status;

	if (is_everyday(call, &d, outside))
		return;
	status = status_of(tid);
	seen.pid = status.pid;
	seen.arch = call->arch;
	seen.number = call->number;
	memcpy(seen.args, call->args, sizeof(seen.args));
	seen.error = call->error;
	seen.filtered = call->filtered;
	seen.path = d.path;
	seen.path2 = d.path2;
	seen.interpreters = d.interpreters;
	seen.outside = status.user == geteuid() ? outside : SANDBOX_OUTSIDE_UNKNOWN;
	seen.there = is_there(d.path);
	seen.address = d.address_len ? (const struct sockaddr *)&d.address : NULL;
	seen.address_len = d.address_len;
	seen.flags = d.flags;
	seen.limit = limit_of(status.pid, call->error);
	describe_raise(tid, call, &seen);
	o->see(o->ctx, &seen);
}

uint32_t observe_policy(const struct observer *o, uint32_t arch, int number, const uint64_t args[6])
{
	struct seccomp_data data = {.nr = number, .arch = arch};

	memcpy(data.args, args, sizeof(data.args));
	return observed_run(&o->policys, &data);
}

static bool brings_sigsys(const struct observer *o, const struct sandbox_observation *seen)
{
	uint32_t action =
		observe_policy(o, seen->arch, seen->number, seen->args) & SECCOMP_RET_ACTION_FULL;

	return action == SECCOMP_RET_TRAP || action == SECCOMP_RET_KILL_PROCESS ||
	       action == SECCOMP_RET_KILL_THREAD;
}

/* A filter of the program's own sends SIGSYS, too. */
static bool is_of_policy(const struct observer *o, pid_t tid, const siginfo_t *info,
			 struct sandbox_observation *seen)
{
	int number;

	if (info->si_code != SYS_SECCOMP || observed_args(tid, &number, seen->args) < 0)
		return false;
	seen->arch = info->si_arch;
	seen->number = info->si_syscall;
	return brings_sigsys(o, seen);
}

/* The number that the task's process has in its own pid namespace; 0: it is not known. */
static pid_t number_inside(pid_t tid)
{
	cleanup_fclose FILE *f = open_status(tid);
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, "NStgid:", 7) == 0)
			return (pid_t)strtol(strrchr(line, '\t'), NULL, 10);
	return 0;
}

static bool sends_signals(int number)
{
	switch (number) {
	case SYS_kill:
	case SYS_tkill:
	case SYS_tgkill:
	case SYS_rt_sigqueueinfo:
	case SYS_rt_tgsigqueueinfo:
	case SYS_pidfd_send_signal:
		return true;
	default:
		return false;
	}
}

/* The kernel sends SIGXFSZ as if the process had done so itself, but in a call that writes. */
static bool is_of_limit(pid_t tid, const siginfo_t *info)
{
	uint64_t args[6];
	int number;

	if (info->si_code != SI_USER)
		return info->si_code == SI_KERNEL;
	return info->si_pid == number_inside(tid) && observed_args(tid, &number, args) == 0 &&
	       !sends_signals(number);
}

void observe_tell_signal(struct observer *o, pid_t tid, int signal)
{
	struct sandbox_observation seen = {.what = SANDBOX_SEEN_SIGNAL, .signal = signal};
	siginfo_t info;

	if (signal != SIGSYS && signal != SIGXCPU && signal != SIGXFSZ)
		return;
	if (ptrace(PTRACE_GETSIGINFO, tid, 0, &info) < 0)
		return;
	if (signal == SIGSYS && !is_of_policy(o, tid, &info, &seen))
		return;
	if (signal == SIGXFSZ && !is_of_limit(tid, &info))
		return;
	seen.code = info.si_code;
	seen.pid = status_of(tid).pid;
	seen.limit = limit_of(seen.pid, signal == SIGXFSZ ? EFBIG : 0);
	o->see(o->ctx, &seen);
}

/* No signal is delivered to what a filter kills. */
void observe_tell_exit(struct observer *o, pid_t tid, int status)
{
	struct sandbox_observation seen = {
		.what = SANDBOX_SEEN_SIGNAL, .signal = SIGSYS, .code = SYS_SECCOMP};
	struct __ptrace_syscall_info info;
	uint32_t action;

	if ((status & 0x7f) != SIGSYS ||
	    ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info) < 0 ||
	    observed_args(tid, &seen.number, seen.args) < 0)
		return;
	seen.arch = info.arch;
	action = observe_policy(o, seen.arch, seen.number, seen.args) & SECCOMP_RET_ACTION_FULL;
	if (action != SECCOMP_RET_KILL_PROCESS && action != SECCOMP_RET_KILL_THREAD)
		return;
	seen.pid = status_of(tid).pid;
	seen.limit = RLIM_INFINITY;
	o->see(o->ctx, &seen);
}
