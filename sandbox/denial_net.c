/* Denials of addresses and of signals to processes. */
#include "sandbox/denial_parts.h"

#include "sandbox/kernel_linux.h"
#include <errno.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/* --- ports --------------------------------------------------------------------------------------
 */

static bool is_granted(const struct landlock *l, enum sandbox_port kind, int port)
{
	for (size_t i = 0; i < l->port_count[kind]; i++)
		if ((int)l->ports[kind][i] == port)
			return true;
	return false;
}

static bool is_broadcast(const struct sandbox_observation *seen)
{
	return seen->address->sa_family == AF_INET &&
	       ((const struct sockaddr_in *)seen->address)->sin_addr.s_addr == INADDR_BROADCAST;
}

/* Below it a port is the kernel's to give, by default. */
#define PORTS_OF_ROOT 1024

static bool is_refused_anyway(const struct explained *e, enum sandbox_port kind, int port)
{
	const struct privileges *p = &e->plan->privileges;

	return kind == SANDBOX_PORT_BIND && port > 0 && port < PORTS_OF_ROOT &&
	       e->seen->outside != SANDBOX_OUTSIDE_YES && p->drop &&
	       !(p->had >> CAP_NET_BIND_SERVICE & 1);
}

/* Who may connect to a port may do so with `run` only in the mode of ports. */
static int explain_port(struct explained *e, enum sandbox_port kind, int port)
{
	static const char *const keys[SANDBOX_PORTS] = {"net.tcp_connect", "net.tcp_bind"};
	const enum sandbox_mechanism net = SANDBOX_MECH_LANDLOCK_NET;
	int mode = e->plan->policy->net;

	if (kind == SANDBOX_PORT_CONNECT && port == 0)
		e->fix.net = SANDBOX_NET_FULL;
	else
		e->fix.port[kind] = port;
	if (mode != SANDBOX_NET_TCP)
		return explain_by(e, net, SANDBOX_EVIDENCE_OBSERVED, "net.mode is \"%s\"",
				  policy_nets.name[mode]);
	return explain_by(e, net, SANDBOX_EVIDENCE_OBSERVED, "the port %d is not in %s", port,
			  keys[kind]);
}

static int explain_low_port(struct explained *e, int port)
{
	if (port <= 0 || port >= PORTS_OF_ROOT || !explain_is_taken(e, CAP_NET_BIND_SERVICE))
		return 0;
	e->fix.capability = CAP_NET_BIND_SERVICE;
	return explain_by(e, SANDBOX_MECH_CAPABILITIES, SANDBOX_EVIDENCE_OBSERVED,
			  "the capability net_bind_service has been dropped");
}

static int explain_ports(struct explained *e)
{
	const struct landlock *l = &e->variant->landlock;
	bool binds = e->call->act == ACT_BIND, sends = e->seen->number != SYS_connect && !binds;
	enum sandbox_port kind = binds ? SANDBOX_PORT_BIND : SANDBOX_PORT_CONNECT;
	uint64_t right = binds ? LL_NET_BIND_TCP : LL_NET_CONNECT_TCP;
	int port = address_port(e->seen);

	if (is_broadcast(e->seen))
		return 0;
	if (sends && (l->net & LL_NET_CONNECT_SEND_UDP)) {
		e->fix.net = SANDBOX_NET_FULL;
		return explain_by(e, SANDBOX_MECH_LANDLOCK_NET, SANDBOX_EVIDENCE_OBSERVED,
				  "net.mode is \"%s\"", policy_nets.name[e->plan->policy->net]);
	}
	if (!sends && (l->net & right) && !is_granted(l, kind, port))
		return is_refused_anyway(e, kind, port) ? 0 : explain_port(e, kind, port);
	return binds ? explain_low_port(e, port) : 0;
}

/* --- a network of its own ------------------------------------------------------------------------
 */

static bool is_loopback(const struct sandbox_observation *seen)
{
	const struct sockaddr_in *in = (const void *)seen->address;
	const struct sockaddr_in6 *in6 = (const void *)seen->address;
	uint32_t ip;

	if (seen->address->sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr) ||
		       IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr);
	ip = ntohl(in->sin_addr.s_addr);
	return ip >> 24 == 127 || ip == INADDR_ANY;
}

/* In a loopback of its own what fails for its own addresses would fail outside, too. */
static int explain_own_network(struct explained *e)
{
	const struct namespaces *ns = &e->variant->namespaces;

	if (!(ns->flags & CLONE_NEWNET) || (ns->loopback && is_loopback(e->seen)))
		return 0;
	e->fix.net = SANDBOX_NET_FULL;
	return explain_by(e, SANDBOX_MECH_NAMESPACES, SANDBOX_EVIDENCE_INFERRED,
			  "the network is one of its own%s", ns->loopback ? ": a loopback" : "");
}

/* --- unix sockets --------------------------------------------------------------------------------
 */

static int explain_abstract(struct explained *e)
{
	bool own_net = e->variant->namespaces.flags & CLONE_NEWNET;

	e->fix.unix_mode = SANDBOX_UNIX_ALL;
	if (e->seen->error == EPERM && (e->variant->landlock.scope & LL_SCOPE_ABSTRACT_UNIX))
		return explain_by(e, SANDBOX_MECH_LANDLOCK_SCOPE, SANDBOX_EVIDENCE_OBSERVED,
				  "unix_sockets.mode is \"%s\", and it was made outside",
				  policy_unixes.name[e->plan->policy->unix_sockets]);
	e->fix.net = SANDBOX_NET_FULL;
	if (e->seen->error == ECONNREFUSED && own_net && e->seen->outside == SANDBOX_OUTSIDE_YES)
		return explain_by(e, SANDBOX_MECH_NAMESPACES, SANDBOX_EVIDENCE_INFERRED,
				  "the network is one of its own, with its own abstract names");
	e->fix = (struct fix)FIX_INIT;
	return 0;
}

int explain_network(struct explained *e)
{
	enum act act = (enum act)e->call->act;

	if ((act != ACT_CONNECT && act != ACT_BIND) || !explain_may_be(e))
		return 0;
	if (address_is_abstract(e->seen))
		return act == ACT_CONNECT ? explain_abstract(e) : 0;
	if (address_port(e->seen) < 0)
		return 0;
	switch (e->seen->error) {
	case EACCES:
		return explain_ports(e);
	case ENETUNREACH:
	case EADDRNOTAVAIL:
		return explain_own_network(e);
	default:
		return 0;
	}
}

/* --- signals -------------------------------------------------------------------------------------
 */

/* A process of another user could not be sent one outside either: nobody but root can be sure. The
 * first process of a host is no ordinary user's. */
static enum sandbox_outside could_outside(const struct explained *e)
{
	const struct privileges *p = &e->plan->privileges;

	if (e->seen->outside != SANDBOX_OUTSIDE_UNKNOWN)
		return e->seen->outside;
	if (p->had >> CAP_KILL & 1)
		return SANDBOX_OUTSIDE_YES;
	return e->seen->number != SYS_pidfd_send_signal && (int)e->seen->args[0] == 1
		       ? SANDBOX_OUTSIDE_NO
		       : SANDBOX_OUTSIDE_UNKNOWN;
}

int explain_signal_to(struct explained *e)
{
	enum sandbox_outside outside;
	bool own_pids = e->variant->namespaces.flags & CLONE_NEWPID;

	if (e->call->act != ACT_SIGNAL)
		return 0;
	outside = could_outside(e);
	e->fix.mechanism = SANDBOX_MECH_LANDLOCK_SCOPE;
	if (e->seen->error == EPERM && (e->variant->landlock.scope & LL_SCOPE_SIGNAL) &&
	    outside != SANDBOX_OUTSIDE_NO && !own_pids)
		return explain_by(e, SANDBOX_MECH_LANDLOCK_SCOPE,
				  outside == SANDBOX_OUTSIDE_YES ? SANDBOX_EVIDENCE_OBSERVED
								 : SANDBOX_EVIDENCE_INFERRED,
				  "processes outside are sent no signals");
	e->fix.no_pids = true;
	if (e->seen->error == ESRCH && own_pids && e->seen->outside == SANDBOX_OUTSIDE_YES)
		return explain_by(e, SANDBOX_MECH_NAMESPACES, SANDBOX_EVIDENCE_INFERRED,
				  "the processes are those of the sandbox's own pid namespace");
	e->fix = (struct fix)FIX_INIT;
	return 0;
}
