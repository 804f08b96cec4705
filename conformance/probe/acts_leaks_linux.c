/* Acts on what whoever started it has left open, or said in a variable. */
#include "conformance/probe/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- descriptors -------------------------------------------------------------------------------
 */

static long take(struct probe *p, long fd)
{
	return CALL4(SYS_pread64, fd, p->report->text, PROBE_TEXT_SIZE - 1, 0);
}

long act_leaked_fd(struct probe *p)
{
	return take(p, PROBE_FD);
}

/* Another number for the same. */
long act_leaked_copy(struct probe *p)
{
	long fd = CALL3(SYS_fcntl, PROBE_FD, F_DUPFD_CLOEXEC, 100), n;

	if (fd < 0)
		return fd;
	n = take(p, fd);
	close((int)fd);
	return n;
}

/* As memory. */
long act_leaked_map(struct probe *p)
{
	long at = CALL6(SYS_mmap, NULL, PROBE_TEXT_SIZE, PROT_READ, MAP_SHARED, PROBE_FD, 0);

	if (at < 0 && at > -4096)
		return at;
	memcpy(p->report->text, (const void *)at, PROBE_NONCE_SIZE - 1);
	return 0;
}

/* By its name in /proc: opened anew, with other rights than it has. */
long act_leaked_name(struct probe *p)
{
	char name[64];
	long fd, n;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", PROBE_FD);
	fd = CALL4(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	n = take(p, fd);
	close((int)fd);
	return n;
}

/* A directory is a way to all that is in it. */
long act_leaked_directory(struct probe *p)
{
	long fd = CALL4(SYS_openat, PROBE_DIRECTORY_FD, "file", O_RDONLY | O_CLOEXEC, 0), n;

	if (fd < 0)
		return fd;
	n = take(p, fd);
	close((int)fd);
	return n;
}

/* A connection that has been made already. */
long act_leaked_socket(struct probe *p)
{
	(void)p;
	return CALL6(SYS_sendto, PROBE_SOCKET_FD, "+", 1, MSG_NOSIGNAL, NULL, 0);
}

/* Handed on to another process of its own. */
long act_leaked_onward(struct probe *p)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {.bytes = {0}};
	struct iovec byte = {"+", 1};
	struct msghdr message = {.msg_iov = &byte,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	const int fd = PROBE_FD;
	int pair[2];
	long rc;

	probe_need(p, "socketpair", CALL4(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, pair));
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	rc = CALL3(SYS_sendmsg, pair[0], &message, 0);
	close(pair[0]);
	close(pair[1]);
	return rc;
}

/* --- variables ---------------------------------------------------------------------------------
 */

static long tell(struct probe *p, const char *value)
{
	if (!value)
		return -ENODATA;
	snprintf(p->report->text, PROBE_TEXT_SIZE, "%s", value);
	return 0;
}

long act_leaked_variable(struct probe *p)
{
	return tell(p, getenv(PROBE_VARIABLE));
}

/* One that the loader would obey, as LD_PRELOAD. */
long act_leaked_loader(struct probe *p)
{
	return tell(p, getenv(PROBE_LOADER_VARIABLE));
}

/* As the kernel has it, whatever the program has made of it since. */
long act_leaked_environ(struct probe *p)
{
	static char all[65536];
	const char name[] = PROBE_VARIABLE "=";
	long fd = probe_need(
		     p, "open",
		     CALL4(SYS_openat, AT_FDCWD, "/proc/self/environ", O_RDONLY | O_CLOEXEC, 0)),
	     n;
	const char *at;

	n = CALL3(SYS_read, fd, all, sizeof(all) - 1);
	close((int)fd);
	if (n < 0)
		return n;
	at = memmem(all, (size_t)n, name, sizeof(name) - 1);
	return tell(p, at ? at + sizeof(name) - 1 : NULL);
}
