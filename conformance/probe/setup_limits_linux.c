/* A limit alone: setup_arg has its number, and how much it is. */
#include "conformance/probe/probe.h"

#include <linux/capability.h>
#include <sys/resource.h>

/* Of the set of an actor that is root: what makes it exempt from limits of what it has. */
static long drop(unsigned capability)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	long rc = CALL2(SYS_capget, &header, data);

	if (rc < 0)
		return rc;
	data[CAP_TO_INDEX(capability)].effective &= ~CAP_TO_MASK(capability);
	return CALL2(SYS_capset, &header, data);
}

/* The hard one is `above` the soft one, and is not raised any more by who is not privileged. What
 * is granted is as much as it had. */
static long set_limit(struct probe *p, bool granted, rlim_t above)
{
	const int resource = PROBE_LIMIT_OF(p->setup_arg);
	const rlim_t value = PROBE_LIMIT_VALUE(p->setup_arg);
	struct rlimit limit;

	probe_need(p, "getrlimit", CALL2(SYS_getrlimit, resource, &limit));
	if (granted)
		limit.rlim_cur = limit.rlim_max;
	else
		limit = (struct rlimit){value, value + above};
	probe_need(p, "setrlimit", CALL2(SYS_setrlimit, resource, &limit));
	return probe_need(p, "capset", drop(CAP_SYS_RESOURCE));
}

/* Soft and hard are the same, but for CPU time, where the hard one is another signal. */
long setup_rlimit(struct probe *p, bool granted)
{
	return set_limit(p, granted, PROBE_LIMIT_OF(p->setup_arg) == RLIMIT_CPU);
}

/* There, too: the hard one comes first. */
long setup_rlimit_hard(struct probe *p, bool granted)
{
	return set_limit(p, granted, 0);
}

/* Who may take a priority by a limit, and by nothing else. */
static long allow_by_limit(struct probe *p, int resource, rlim_t value)
{
	const struct rlimit limit = {value, value};

	probe_need(p, "setrlimit", CALL2(SYS_setrlimit, resource, &limit));
	return drop(CAP_SYS_NICE);
}

long prepare_nice(struct probe *p)
{
	return allow_by_limit(p, RLIMIT_NICE, 40);
}

long prepare_realtime(struct probe *p)
{
	return allow_by_limit(p, RLIMIT_RTPRIO, 1);
}
