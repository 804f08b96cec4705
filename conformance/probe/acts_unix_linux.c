/* Acts on unix sockets: each sends one byte to one of ours, or to one of its own. */
#include "conformance/probe/probe.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The size of the address. A name without a file begins with a zero. */
static size_t name_abstract(struct sockaddr_un *ret, const char *name, const char *more)
{
	int len = snprintf(ret->sun_path + 1, sizeof(ret->sun_path) - 1, "%s%s", name, more);

	ret->sun_family = AF_UNIX;
	ret->sun_path[0] = '\0';
	return offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len;
}

static long connect_and_send(int type, const struct sockaddr_un *to, size_t size)
{
	long fd = CALL3(SYS_socket, AF_UNIX, type | SOCK_CLOEXEC, 0), rc;

	if (fd < 0)
		return fd;
	rc = CALL3(SYS_connect, fd, to, size);
	if (rc == 0)
		rc = CALL6(SYS_sendto, fd, "+", 1, MSG_NOSIGNAL, NULL, 0);
	close((int)fd);
	return rc;
}

/* One with a file, in the outer directory. */
long act_unix_connect(struct probe *p)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", p->socket);
	return connect_and_send(SOCK_STREAM, &to, sizeof(to));
}

long act_abstract_connect(struct probe *p)
{
	struct sockaddr_un to;
	size_t size = name_abstract(&to, p->abstract, "");

	return connect_and_send(SOCK_STREAM, &to, size);
}

/* To the one of datagrams, whose name is longer. */
long act_abstract_send(struct probe *p)
{
	struct sockaddr_un to;
	size_t size = name_abstract(&to, p->abstract, PROBE_DATAGRAMS);
	long fd = CALL3(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;

	if (fd < 0)
		return fd;
	rc = CALL6(SYS_sendto, fd, "+", 1, 0, &to, size);
	close((int)fd);
	return rc;
}

long act_abstract_connect_datagrams(struct probe *p)
{
	struct sockaddr_un to;
	size_t size = name_abstract(&to, p->abstract, PROBE_DATAGRAMS);

	return connect_and_send(SOCK_DGRAM, &to, size);
}

/* To one that it has made itself. */
long act_abstract_own(struct probe *p)
{
	struct sockaddr_un at;
	size_t size = name_abstract(&at, p->abstract, ".own");
	long fd = CALL3(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

	if (fd < 0)
		return fd;
	probe_need(p, "bind", CALL3(SYS_bind, fd, &at, size));
	probe_need(p, "listen", CALL2(SYS_listen, fd, 1));
	rc = connect_and_send(SOCK_STREAM, &at, size);
	close((int)fd);
	return rc;
}

/* To one that nobody has: ECONNREFUSED is the truth. */
long act_abstract_nobody(struct probe *p)
{
	struct sockaddr_un to;
	size_t size = name_abstract(&to, p->abstract, ".nobody");
	long rc = connect_and_send(SOCK_STREAM, &to, size);

	return rc == -ECONNREFUSED ? 0 : rc;
}
