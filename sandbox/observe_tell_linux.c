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

/* Of a task that is about to vanish what is known of it. */
static struct task_status status_of(pid_t tid)
{
	struct task_status status = {tid, (uid_t)-1};
	char path[64], line[256];
	cleanup_fclose FILE *f = NULL;
	bool done = false;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	f = fopen(path, "re");
	while (f && !done && fgets(line, sizeof(line), f)) {
		sscanf(line, "Tgid: %d", &status.pid);
		done = sscanf(line, "Uid: %*u %*u %*u %u", &status.user) == 1;
	}
	return status;
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

struct described {
	const char *path, *path2;
	enum sandbox_outside outside;
	struct sockaddr_storage address;
	socklen_t address_len;
};

static unsigned flags_of(pid_t tid, const struct observed_call *row,
			 const struct observe_call *call)
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
			     const struct observe_call *call, int which, struct buf *buf)
{
	const struct observed_path *path = &row->paths[which];
	const unsigned flags = flags_of(tid, row, call);
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
			     const struct observe_call *call, struct described *d)
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

static void describe(struct observer *o, pid_t tid, const struct observe_call *call,
		     struct described *d)
{
	const struct observed_call *row = observed_find(call->arch, call->number);

	if (!row)
		return;
	if (row->address) {
		describe_address(o, tid, row, call, d);
	} else {
		d->path = name_path(tid, row, call, 0, &o->path);
		d->path2 = name_path(tid, row, call, 1, &o->path2);
	}
	if (d->path)
		d->outside =
			observe_outside(row->need, flags_of(tid, row, call), d->path, d->path2);
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
static bool is_everyday(const struct observe_call *call, const struct described *d)
{
	return !call->filtered && ((call->error == ENOENT && d->outside != SANDBOX_OUTSIDE_YES) ||
				   (call->error == EAGAIN && d->address_len > 0));
}

void observe_tell_call(struct observer *o, pid_t tid, const struct observe_call *call)
{
	struct described d = {.outside = SANDBOX_OUTSIDE_UNKNOWN};
	struct sandbox_observation seen = {.what = SANDBOX_SEEN_CALL};
	struct task_status status;

	describe(o, tid, call, &d);
	if (is_everyday(call, &d))
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
	seen.outside = status.user == geteuid() ? d.outside : SANDBOX_OUTSIDE_UNKNOWN;
	seen.there = is_there(d.path);
	seen.address = d.address_len ? (const struct sockaddr *)&d.address : NULL;
	seen.address_len = d.address_len;
	seen.limit = limit_of(status.pid, call->error);
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
