/* Whether what failed in a sandbox would have succeeded outside, as far as modes and mounts of
 * files tell. Nothing is opened. */
#include "sandbox/observe.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static enum sandbox_outside because_of(int error)
{
	switch (error) {
	case EACCES:
	case ELOOP:
	case ENOENT:
	case ENOTDIR:
	case EPERM:
	case EROFS:
		return SANDBOX_OUTSIDE_NO;
	default:
		return SANDBOX_OUTSIDE_UNKNOWN;
	}
}

/* By faccessat2(2), of Linux 5.8. */
static enum sandbox_outside may(const char *path, int mode)
{
	return syscall(SYS_faccessat2, AT_FDCWD, path, mode, AT_EACCESS) == 0 ? SANDBOX_OUTSIDE_YES
									      : because_of(errno);
}

static bool parent_of(const char *path, char into[PATH_MAX])
{
	size_t len = (size_t)(strrchr(path, '/') - path);

	if (len == 0)
		len = 1;
	if (!path[1] || len >= PATH_MAX)
		return false;
	memcpy(into, path, len);
	into[len] = '\0';
	return true;
}

static bool is_there(const char *path, struct stat *ret)
{
	return fstatat(AT_FDCWD, path, ret, AT_SYMLINK_NOFOLLOW) == 0;
}

static enum sandbox_outside may_make(const char *path)
{
	char parent[PATH_MAX];
	struct stat st;

	if (!parent_of(path, parent) || is_there(path, &st))
		return SANDBOX_OUTSIDE_NO;
	return may(parent, W_OK | X_OK);
}

/* In a directory with the sticky bit only the owner removes. */
static bool is_kept(const char *parent, const struct stat *st)
{
	const uid_t self = geteuid();
	struct stat dir;

	return self != 0 && stat(parent, &dir) == 0 && (dir.st_mode & S_ISVTX) &&
	       dir.st_uid != self && st->st_uid != self;
}

static enum sandbox_outside may_remove(const char *path)
{
	char parent[PATH_MAX];
	struct stat st;

	if (!parent_of(path, parent) || !is_there(path, &st) || is_kept(parent, &st))
		return SANDBOX_OUTSIDE_NO;
	return may(parent, W_OK | X_OK);
}

/* Whether names can go from the one directory to the other: not to another file system. */
static enum sandbox_outside may_go(const char *from, const char *to)
{
	char parent[PATH_MAX];
	struct stat first, second;

	if (!parent_of(from, parent) || stat(parent, &first) < 0 || !parent_of(to, parent) ||
	    stat(parent, &second) < 0)
		return SANDBOX_OUTSIDE_NO;
	return first.st_dev == second.st_dev ? may(parent, W_OK | X_OK) : SANDBOX_OUTSIDE_NO;
}

static enum sandbox_outside may_rename(const char *from, const char *to, unsigned flags)
{
	enum sandbox_outside first = may_remove(from);
	struct stat st;

	if (first != SANDBOX_OUTSIDE_YES)
		return first;
	if (flags & (is_there(to, &st) ? RENAME_NOREPLACE : RENAME_EXCHANGE))
		return SANDBOX_OUTSIDE_NO;
	if (is_there(to, &st))
		first = may_remove(to);
	return first == SANDBOX_OUTSIDE_YES ? may_go(from, to) : first;
}

static int mode_of(unsigned flags)
{
	int mode = 0;

	if (flags & O_PATH)
		return F_OK;
	if ((flags & O_ACCMODE) != O_WRONLY)
		mode |= R_OK;
	if ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC))
		mode |= W_OK;
	return mode;
}

/* What is there. A directory cannot be written, and is all that O_DIRECTORY opens. */
static bool fits(const char *path, unsigned flags, int mode)
{
	struct stat st;

	if ((flags & O_NOFOLLOW) && !(flags & O_PATH) && is_there(path, &st) && S_ISLNK(st.st_mode))
		return false;
	if (stat(path, &st) < 0)
		return false;
	return S_ISDIR(st.st_mode) ? !(mode & W_OK) : !(flags & O_DIRECTORY);
}

static enum sandbox_outside may_open(const char *path, unsigned flags)
{
	int mode = mode_of(flags);
	enum sandbox_outside result;
	struct stat st;

	if ((flags & O_TMPFILE) == O_TMPFILE)
		return may(path, W_OK | X_OK);
	if (flags & O_CREAT) {
		if (!is_there(path, &st))
			return may_make(path);
		if (flags & O_EXCL)
			return SANDBOX_OUTSIDE_NO;
	}
	result = may(path, mode);
	return result == SANDBOX_OUTSIDE_YES && !fits(path, flags, mode) ? SANDBOX_OUTSIDE_NO
									 : result;
}

static enum sandbox_outside may_execute(const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return SANDBOX_OUTSIDE_NO;
	return may(path, X_OK);
}

static enum sandbox_outside may_link(const char *from, const char *to)
{
	enum sandbox_outside first = may(from, F_OK);

	if (first == SANDBOX_OUTSIDE_YES)
		first = may_make(to);
	return first == SANDBOX_OUTSIDE_YES ? may_go(from, to) : first;
}

enum sandbox_outside observe_outside(enum observed_need need, unsigned flags, const char *path,
				     const char *path2)
{
	switch (need) {
	case OBSERVED_OPEN:
	case OBSERVED_OPEN_HOW:
		return may_open(path, flags);
	case OBSERVED_EXECUTE:
		return may_execute(path);
	case OBSERVED_MAKE:
	case OBSERVED_BIND:
		return may_make(path);
	case OBSERVED_REMOVE:
		return may_remove(path);
	case OBSERVED_RENAME:
		return path2 ? may_rename(path, path2, flags) : SANDBOX_OUTSIDE_UNKNOWN;
	case OBSERVED_LINK:
		return path2 ? may_link(path, path2) : SANDBOX_OUTSIDE_UNKNOWN;
	case OBSERVED_WRITE:
	case OBSERVED_CONNECT:
		return may(path, W_OK);
	case OBSERVED_ENTER:
		return may(path, X_OK);
	default:
		return SANDBOX_OUTSIDE_UNKNOWN;
	}
}

/* By a socket of datagrams, which is connected by asking for a route. */
enum sandbox_outside observe_outside_address(enum observed_need need,
					     const struct sockaddr *address, socklen_t len)
{
	struct sockaddr_storage copy = {.ss_family = AF_UNSPEC};
	int fd, rc, e;

	memcpy(&copy, address, len);
	if (copy.ss_family != AF_INET && copy.ss_family != AF_INET6)
		return SANDBOX_OUTSIDE_UNKNOWN;
	fd = socket(copy.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return SANDBOX_OUTSIDE_UNKNOWN;
	if (need == OBSERVED_BIND)
		((struct sockaddr_in *)&copy)->sin_port = 0; /* at the same place in both */
	rc = need == OBSERVED_BIND ? bind(fd, (const struct sockaddr *)&copy, len)
				   : connect(fd, (const struct sockaddr *)&copy, len);
	e = errno;
	close(fd);
	if (rc == 0)
		return SANDBOX_OUTSIDE_YES;
	return e == EADDRNOTAVAIL || e == ENETUNREACH ? SANDBOX_OUTSIDE_NO
						      : SANDBOX_OUTSIDE_UNKNOWN;
}

/* Numbers are given one after the other: what is above all that the sandbox may have given means no
 * process of its own. */
#define TASKS_SPARE 16	  /* of those that are there before the program */
#define TASKS_MAX   30000 /* numbers begin anew at 32768 */

enum sandbox_outside observe_outside_process(int pid, uint64_t tasks)
{
	if (pid == INT_MIN || tasks > TASKS_MAX || (uint64_t)abs(pid) <= tasks + TASKS_SPARE)
		return SANDBOX_OUTSIDE_UNKNOWN;
	if (kill(pid, 0) == 0)
		return SANDBOX_OUTSIDE_YES;
	return errno == ESRCH || errno == EPERM ? SANDBOX_OUTSIDE_NO : SANDBOX_OUTSIDE_UNKNOWN;
}
