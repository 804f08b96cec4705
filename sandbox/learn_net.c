/* What a program uses of the network, and the least mode that has it. */
#include "sandbox/learn.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static bool has(const uint8_t *set, unsigned port)
{
	return set[port / 8] >> (port % 8) & 1;
}

static void put(uint8_t *set, unsigned port)
{
	set[port / 8] |= (uint8_t)(1U << (port % 8));
}

static bool is_loopback(const struct sockaddr *address)
{
	const struct sockaddr_in *v4 = (const void *)address;
	const struct sockaddr_in6 *v6 = (const void *)address;
	const struct in6_addr *a = &v6->sin6_addr;

	if (address->sa_family == AF_INET)
		return v4->sin_addr.s_addr == 0 || ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	if (IN6_IS_ADDR_V4MAPPED(a))
		return a->s6_addr[12] == 127;
	return IN6_IS_ADDR_LOOPBACK(a) || IN6_IS_ADDR_UNSPECIFIED(a);
}

static bool is_inet(const struct observe_use *use)
{
	if (!use->address_len)
		return false;
	return use->address->sa_family == AF_INET
		       ? use->address_len >= sizeof(struct sockaddr_in)
		       : use->address->sa_family == AF_INET6 &&
				 use->address_len >= sizeof(struct sockaddr_in6);
}

/* The port is at the same place in both families. Datagrams to port 0 ask for a route only. */
static void see_address(struct learn_net *net, const struct observe_use *use)
{
	const unsigned port =
		ntohs(((const struct sockaddr_in *)(const void *)use->address)->sin_port);
	const bool is_tcp = use->socket_type == SOCK_STREAM;
	uint8_t(*sets)[65536 / 8] = is_tcp ? net->tcp : net->udp;

	if (use->need == OBSERVED_BIND) {
		put(sets[LEARN_BIND], port);
		put(sets[LEARN_GOT], use->port ? use->port : port);
		net->any_port |= is_tcp && port == 0;
	} else if (port > 0) {
		put(sets[is_loopback(use->address) ? LEARN_CONNECT_LOCAL : LEARN_CONNECT], port);
	}
}

void learn_net_see(struct learn_net *net, const struct observe_use *use)
{
	/* Of the kernel's own sockets only those are there that ask it for its networks. */
	if (use->need == OBSERVED_NOTHING)
		net->inet |=
			use->flags == AF_INET || use->flags == AF_INET6 || use->flags == AF_NETLINK;
	else if (is_inet(use))
		see_address(net, use);
}

/* Whether something has gone to another host, or on the loopback to what is none of its own;
 * `ret_own` when it has gone to its own. */
static bool goes_out(const uint8_t (*sets)[65536 / 8], bool *ret_own)
{
	bool out = false;

	for (unsigned port = 1; port < 65536; port++) {
		const bool own = has(sets[LEARN_GOT], port);

		out |= has(sets[LEARN_CONNECT], port) ||
		       (has(sets[LEARN_CONNECT_LOCAL], port) && !own);
		*ret_own |= has(sets[LEARN_CONNECT_LOCAL], port) && own;
	}
	return out;
}

/* Ports that the system chooses are others the next time. */
enum sandbox_net learn_net_mode(const struct learn_net *net)
{
	bool own_tcp = false, own_udp = false;
	const bool tcp = goes_out(net->tcp, &own_tcp), udp = goes_out(net->udp, &own_udp);

	if (udp || (tcp && (own_udp || (own_tcp && net->any_port))))
		return SANDBOX_NET_FULL;
	if (tcp)
		return SANDBOX_NET_TCP;
	return net->inet ? SANDBOX_NET_LOOPBACK : SANDBOX_NET_NONE;
}

bool learn_net_has(const struct learn_net *net, enum sandbox_port kind, unsigned port)
{
	if (kind == SANDBOX_PORT_BIND)
		return has(net->tcp[LEARN_BIND], port);
	return has(net->tcp[LEARN_CONNECT], port) || has(net->tcp[LEARN_CONNECT_LOCAL], port);
}
