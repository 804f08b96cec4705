/* Acts on sockets of the internet: those that send, send one byte to a socket of ours. */
#include "conformance/probe/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif
#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef TCP_FASTOPEN_CONNECT
#define TCP_FASTOPEN_CONNECT 30
#endif

/* A second address of the host itself, on which nobody listens. */
#define OTHER_LOOPBACK 0x7f000002

static struct sockaddr_in ours(unsigned port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons((uint16_t)port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static struct sockaddr_in other(unsigned port)
{
	struct sockaddr_in at = ours(port);

	at.sin_addr.s_addr = htonl(OTHER_LOOPBACK);
	return at;
}

static struct sockaddr_in6 ours6(unsigned port)
{
	return (struct sockaddr_in6){.sin6_family = AF_INET6,
				     .sin6_port = htons((uint16_t)port),
				     .sin6_addr = IN6ADDR_LOOPBACK_INIT};
}

static long make_socket(int family, int type, int protocol)
{
	return CALL3(SYS_socket, family, type | SOCK_CLOEXEC, protocol);
}

static long close_after(long fd, long rc)
{
	close((int)fd);
	return rc;
}

/* Of a socket that has got a port: also tells of which network, since a sandbox may have its own.
 */
static long close_port(struct probe *p, long fd, long rc)
{
	unsigned long long network;
	socklen_t size = sizeof(network);

	if (rc >= 0 && CALL5(SYS_getsockopt, fd, SOL_SOCKET, SO_NETNS_COOKIE, &network, &size) == 0)
		snprintf(p->report->text, sizeof(p->report->text), PROBE_NETWORK, network);
	return close_after(fd, rc);
}

/* --- to connect --------------------------------------------------------------------------------
 */

static long connect_and_send(long fd, const void *to, size_t size)
{
	long rc;

	if (fd < 0)
		return fd;
	rc = CALL3(SYS_connect, fd, to, size);
	if (rc == 0)
		rc = CALL6(SYS_sendto, fd, "+", 1, MSG_NOSIGNAL, NULL, 0);
	return close_after(fd, rc);
}

long act_tcp_connect(struct probe *p)
{
	const struct sockaddr_in to = ours(p->tcp);

	return connect_and_send(make_socket(AF_INET, SOCK_STREAM, 0), &to, sizeof(to));
}

/* By a socket of IPv6, to the same address of IPv4. */
long act_tcp_connect_mapped(struct probe *p)
{
	struct sockaddr_in6 to = ours6(p->tcp);

	to.sin6_addr = (struct in6_addr){{{[10] = 0xff, 0xff, 127, 0, 0, 1}}};
	return connect_and_send(make_socket(AF_INET6, SOCK_STREAM, 0), &to, sizeof(to));
}

/* To a listener of its own: nobody else's is there. */
long act_tcp_connect_6(struct probe *p)
{
	const struct sockaddr_in6 at = ours6(p->tcp);
	long listener = make_socket(AF_INET6, SOCK_STREAM, 0);

	if (listener < 0)
		return listener;
	probe_need(p, "bind", CALL3(SYS_bind, listener, &at, sizeof(at)));
	probe_need(p, "listen", CALL2(SYS_listen, listener, 1));
	return close_port(p, listener,
			  connect_and_send(make_socket(AF_INET6, SOCK_STREAM, 0), &at, sizeof(at)));
}

/* A socket that connects when it sends for the first time. */
long act_tcp_connect_deferred(struct probe *p)
{
	const struct sockaddr_in to = ours(p->tcp);
	const int on = 1;
	long fd = make_socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		return fd;
	probe_need(p, "TCP_FASTOPEN_CONNECT",
		   CALL5(SYS_setsockopt, fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof(on)));
	return connect_and_send(fd, &to, sizeof(to));
}

/* Connects by sending, which is no connect(2). */
long act_tcp_fast_open(struct probe *p)
{
	const struct sockaddr_in to = ours(p->tcp);
	long fd = make_socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		return fd;
	return close_after(
		fd, CALL6(SYS_sendto, fd, "+", 1, MSG_FASTOPEN | MSG_NOSIGNAL, &to, sizeof(to)));
}

long act_mptcp_connect(struct probe *p)
{
	const struct sockaddr_in to = ours(p->tcp);

	return connect_and_send(make_socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP), &to, sizeof(to));
}

/* To nobody: takes a connection away, and needs no port. */
static long disconnect(const void *to, size_t size)
{
	long fd = make_socket(AF_INET, SOCK_STREAM, 0);

	return fd < 0 ? fd : close_after(fd, CALL3(SYS_connect, fd, to, size));
}

long act_disconnect(struct probe *p)
{
	const struct sockaddr_in to = {.sin_family = AF_UNSPEC};

	(void)p;
	return disconnect(&to, sizeof(to));
}

/* With no more of the address than its family. */
long act_disconnect_short(struct probe *p)
{
	const sa_family_t to = AF_UNSPEC;

	(void)p;
	return disconnect(&to, sizeof(to));
}

/* --- mistakes --- */

/* An address that is none is told as such, whatever is granted: 0. */
static long mistaken(long fd, long rc)
{
	if (fd < 0)
		return fd;
	close((int)fd);
	if (rc >= 0)
		return -EPROTO;
	return rc == -EINVAL || rc == -EAFNOSUPPORT ? 0 : rc;
}

/* It ends behind the port. */
long act_connect_short(struct probe *p)
{
	const struct sockaddr_in to = ours(p->tcp);
	long fd = make_socket(AF_INET, SOCK_STREAM, 0);

	return mistaken(fd, CALL3(SYS_connect, fd, &to, offsetof(struct sockaddr_in, sin_addr)));
}

/* Of IPv6, for a socket of IPv4. */
long act_connect_other_family(struct probe *p)
{
	const struct sockaddr_in6 to = ours6(p->tcp);
	long fd = make_socket(AF_INET, SOCK_STREAM, 0);

	return mistaken(fd, CALL3(SYS_connect, fd, &to, sizeof(to)));
}

long act_bind_short(struct probe *p)
{
	const struct sockaddr_in at = other(p->tcp);
	long fd = make_socket(AF_INET, SOCK_STREAM, 0);

	return mistaken(fd, CALL3(SYS_bind, fd, &at, offsetof(struct sockaddr_in, sin_addr)));
}

/* --- to be connected to ------------------------------------------------------------------------
 */

static long bind_socket(struct probe *p, int family, int type, const void *at, size_t size)
{
	long fd = make_socket(family, type, 0);

	return fd < 0 ? fd : close_port(p, fd, CALL3(SYS_bind, fd, at, size));
}

long act_tcp_bind(struct probe *p)
{
	const struct sockaddr_in at = other(p->tcp);

	return bind_socket(p, AF_INET, SOCK_STREAM, &at, sizeof(at));
}

long act_tcp_bind_6(struct probe *p)
{
	const struct sockaddr_in6 at = ours6(p->tcp);

	return bind_socket(p, AF_INET6, SOCK_STREAM, &at, sizeof(at));
}

/* The system chooses a port. */
long act_tcp_listen(struct probe *p)
{
	long fd = make_socket(AF_INET, SOCK_STREAM, 0);

	return fd < 0 ? fd : close_port(p, fd, CALL2(SYS_listen, fd, 1));
}

/* --- datagrams ---------------------------------------------------------------------------------
 */

long act_udp_send(struct probe *p)
{
	const struct sockaddr_in to = ours(p->udp);
	long fd = make_socket(AF_INET, SOCK_DGRAM, 0);

	return fd < 0 ? fd : close_after(fd, CALL6(SYS_sendto, fd, "+", 1, 0, &to, sizeof(to)));
}

long act_udp_connect(struct probe *p)
{
	const struct sockaddr_in to = ours(p->udp);

	return connect_and_send(make_socket(AF_INET, SOCK_DGRAM, 0), &to, sizeof(to));
}

long act_udp_bind(struct probe *p)
{
	const struct sockaddr_in at = other(p->udp);

	return bind_socket(p, AF_INET, SOCK_DGRAM, &at, sizeof(at));
}
