/* Acts that make sockets of the kinds that rules on TCP do not see. */
#include "conformance/probe/probe.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

static long make(int family, int type, int protocol)
{
	long fd = CALL3(SYS_socket, family, type | SOCK_CLOEXEC, protocol);

	if (fd >= 0)
		close((int)fd);
	return fd < 0 ? fd : 0;
}

long act_socket_tcp(struct probe *p)
{
	(void)p;
	return make(AF_INET, SOCK_STREAM, 0);
}

/* Sees, and forges, packets of all. */
long act_socket_raw(struct probe *p)
{
	(void)p;
	return make(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}

long act_socket_packet(struct probe *p)
{
	(void)p;
	return make(AF_PACKET, SOCK_RAW, 0);
}

/* Routes, interfaces, and the firewall. */
long act_socket_netlink(struct probe *p)
{
	(void)p;
	return make(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
}

long act_socket_audit(struct probe *p)
{
	(void)p;
	return make(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT);
}

/* To the host of a virtual machine. */
long act_socket_vsock(struct probe *p)
{
	(void)p;
	return make(AF_VSOCK, SOCK_STREAM, 0);
}

long act_socket_sctp(struct probe *p)
{
	(void)p;
	return make(AF_INET, SOCK_STREAM, IPPROTO_SCTP);
}

long act_socket_mptcp(struct probe *p)
{
	(void)p;
	return make(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);
}

long act_socket_udplite(struct probe *p)
{
	(void)p;
	return make(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE);
}

/* Ciphers of the kernel, which has had many holes there. */
long act_socket_alg(struct probe *p)
{
	(void)p;
	return make(AF_ALG, SOCK_SEQPACKET, 0);
}

/* Ports below 1024, in a network of its own. */
long act_bind_low(struct probe *p)
{
	const struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(7)};
	long fd = CALL3(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

	(void)p;
	if (fd < 0)
		return fd;
	rc = CALL3(SYS_bind, fd, &at, sizeof(at));
	close((int)fd);
	return rc;
}

/* On a port that the kernel chooses, since none was bound: no rule on ports is asked. Nobody is
 * accepted, and it is closed at once. */
long act_listen_unbound(struct probe *p)
{
	long fd = CALL3(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

	(void)p;
	if (fd < 0)
		return fd;
	rc = CALL2(SYS_listen, fd, 1);
	close((int)fd);
	return rc;
}

/* The interface of the loopback, up. */
long act_interface_up(struct probe *p)
{
	struct {
		char name[16];
		short flags;
		char rest[22];
	} request = {.name = "lo", .flags = 1};
	long fd = probe_need(p, "socket", CALL3(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)),
	     rc;

	rc = CALL3(SYS_ioctl, fd, 0x8914 /* SIOCSIFFLAGS */, &request);
	close((int)fd);
	return rc;
}
