/* What an observed program uses: calls that have succeeded, or are about to. */
#include "sandbox/observe.h"

#include "base/cleanup.h"
#include "sandbox/calls.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int observe_group_of(int error)
{
	int group = error - OBSERVE_LET_GO;

	return group >= 0 && group < SANDBOX_SYSCALLS_COUNT ? group : -1;
}

static void tell(const struct observer *o, const struct observe_use *use)
{
	o->uses->see(o->uses->ctx, use);
}

/* --- what its own links lead to ----------------------------------------------------------------
 */

/* Files may have names that end so, too. */
static bool is_gone(const char *link, const struct buf *path)
{
	static const char mark[] = " (deleted)";
	const size_t len = sizeof(mark) - 1;
	struct stat open, there;

	return path->len > len && strcmp(path->data + path->len - len, mark) == 0 &&
	       (stat(link, &open) < 0 || stat(path->data, &there) < 0 ||
		open.st_dev != there.st_dev || open.st_ino != there.st_ino);
}

/* One look at what is open, or executed, instead of a walk along its name. false: it has no path
 * (a pipe), or none any more. */
static bool read_own(pid_t tid, const char *what, struct buf *into)
{
	char link[64];
	ssize_t n;

	buf_clear(into);
	if (buf_reserve(into, PATH_MAX) < 0)
		return false;
	snprintf(link, sizeof(link), "/proc/%d/%s", (int)tid, what);
	n = readlink(link, into->data, PATH_MAX - 1);
	if (n <= 0 || into->data[0] != '/')
		return false;
	into->len = (size_t)n;
	into->data[n] = '\0';
	return !is_gone(link, into);
}

/* --- sockets -----------------------------------------------------------------------------------
 */

/* A duplicate of a task's descriptor (Linux 5.6), or -1. */
static int borrow(pid_t tid, int fd)
{
	cleanup_close int process = (int)syscall(SYS_pidfd_open, observe_process(tid), 0);

	return process < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, process, fd, 0);
}

static unsigned port_of(int fd)
{
	struct sockaddr_in6 address = {0};
	socklen_t len = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &len) < 0)
		return 0;
	/* The port is at the same place in both families. */
	return address.sin6_family == AF_INET || address.sin6_family == AF_INET6
		       ? ntohs(address.sin6_port)
		       : 0;
}

static void look_at_socket(pid_t tid, const struct observe_call *call, struct observe_use *use)
{
	cleanup_close int fd = borrow(tid, (int)call->args[0]);
	socklen_t len = sizeof(use->socket_type);

	if (fd < 0)
		return;
	getsockopt(fd, SOL_SOCKET, SO_TYPE, &use->socket_type, &len);
	if (use->need == OBSERVED_BIND)
		use->port = port_of(fd);
}

/* --- calls -------------------------------------------------------------------------------------
 */

/* What it executes is gone when it has succeeded: whether it will is known from the modes. Of what
 * interprets it only the last one is left then. */
static void tell_execution(struct observer *o, pid_t tid, const struct observed_call *row,
			   const struct observe_call *call)
{
	struct observe_named_call named = {.path = NULL};
	struct observe_use use = {.group = -1, .need = OBSERVED_EXECUTE, .fd = -1};

	observe_name_call(o, tid, row, call, &named);
	use.path = named.path;
	if (!use.path ||
	    observe_outside(OBSERVED_EXECUTE, 0, use.path, NULL) != SANDBOX_OUTSIDE_YES)
		return;
	tell(o, &use);
	if (observe_interpreters(tid, use.path, &o->interpreters) != SANDBOX_OUTSIDE_YES)
		return;
	for (const char *const *next = o->interpreters.path; *next; next++) {
		use.path = *next;
		tell(o, &use);
	}
}

static bool sets_limit(const struct observe_call *call)
{
	return call->number == SYS_setrlimit || call->number == SYS_prlimit64;
}

/* Programs that take as much as they may ask for what they have been given as the hard limit, and
 * would ask for less under a policy: that is no use. What is below it was named. */
static void tell_limit(struct observer *o, pid_t tid, const struct observe_call *call)
{
	const bool is_prlimit = call->number == SYS_prlimit64;
	struct observe_use use = {.group = -1, .fd = -1, .resource = (int)call->args[is_prlimit]};
	struct rlimit set, given;

	if (is_prlimit && call->args[0] != 0 && (pid_t)call->args[0] != observe_process(tid))
		return;
	if (observe_read(tid, call->args[is_prlimit ? 2 : 1], &set, sizeof(set)) < 0 ||
	    getrlimit((__rlimit_resource_t)use.resource, &given) < 0)
		return;
	if (set.rlim_max < given.rlim_max)
		use.limit = set.rlim_max;
	else if (set.rlim_cur < given.rlim_max)
		use.limit = set.rlim_cur;
	if (use.limit > 0)
		tell(o, &use);
}

bool observe_use_begins(struct observer *o, pid_t tid, const struct observe_call *call)
{
	const struct observed_call *row = observed_find(call->arch, call->number);
	const struct observe_use group = {
		.group = observe_group_of(call->error),
		.number = call->arch == call_audit_arch ? call->number : -1,
		.fd = -1,
	};

	if (group.group >= 0)
		tell(o, &group);
	if (!row)
		return false;
	if (row->need == OBSERVED_EXECUTE)
		tell_execution(o, tid, row, call);
	return row->need != OBSERVED_NOTHING || call->number == SYS_socket || sets_limit(call);
}

/* What interprets a script. */
static void tell_executed(struct observer *o, pid_t tid)
{
	struct observe_use use = {.group = -1, .need = OBSERVED_EXECUTE, .fd = -1};

	if (!read_own(tid, "exe", &o->path))
		return;
	use.path = o->path.data;
	tell(o, &use);
}

static bool is_open(enum observed_need need)
{
	return need == OBSERVED_OPEN || need == OBSERVED_OPEN_HOW;
}

/* What has no name is told by the directory that it was made in. */
static void name_open(struct observer *o, pid_t tid, const struct observed_call *row,
		      const struct observe_call *call, struct observe_use *use)
{
	struct observe_named_call named = {.path = NULL};
	char what[32];

	use->flags = observe_flags(tid, row, call);
	use->fd = call->result;
	if ((use->flags & O_TMPFILE) == O_TMPFILE) {
		observe_name_call(o, tid, row, call, &named);
		use->path = named.path;
		return;
	}
	snprintf(what, sizeof(what), "fd/%ld", use->fd);
	use->path = read_own(tid, what, &o->path) ? o->path.data : NULL;
}

void observe_use_ends(struct observer *o, pid_t tid, const struct observe_call *call)
{
	const struct observed_call *row = observed_find(call->arch, call->number);
	struct observe_named_call named = {.path = NULL};
	struct observe_use use = {.group = -1, .fd = -1};

	if (!row)
		return;
	if (row->need == OBSERVED_EXECUTE) {
		tell_executed(o, tid);
		return;
	}
	if (sets_limit(call)) {
		tell_limit(o, tid, call);
		return;
	}
	use.need = row->need;
	if (is_open(row->need)) {
		name_open(o, tid, row, call, &use);
	} else {
		observe_name_call(o, tid, row, call, &named);
		use.path = named.path;
		use.path2 = named.path2;
		use.flags = named.flags;
		if (named.address_len)
			use.address = (const struct sockaddr *)&named.address;
		use.address_len = named.address_len;
	}
	if (call->number == SYS_socket) {
		use.fd = call->result;
		use.flags = (unsigned)call->args[0]; /* its family */
	}
	if (row->address)
		look_at_socket(tid, call, &use);
	tell(o, &use);
}
