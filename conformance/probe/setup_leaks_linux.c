/* What is taken from a program before it begins: descriptors, variables, the terminal, and the view
 * of other processes. A grant is that it is not taken. */
#include "conformance/probe/probe.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

long setup_fds(struct probe *p, bool granted)
{
	return granted ? 0 : probe_need(p, "close_range", CALL3(SYS_close_range, 3, ~0U, 0));
}

/* It executes itself, since only a new program has other variables where all look for them. */
long setup_env(struct probe *p, bool granted)
{
	static char setup[] = "setup=nothing", restricts[] = "restrict=none";
	static char *const none[] = {NULL};

	if (granted)
		return 0;
	for (char **at = p->argv; *at; at++) {
		if (strncmp(*at, "setup=", 6) == 0)
			*at = setup;
		if (strncmp(*at, "restrict=", 9) == 0)
			*at = restricts;
	}
	return probe_need(p, "execve", CALL3(SYS_execve, "/proc/self/exe", p->argv, none));
}

/* A session of its own has no terminal. */
long setup_tty(struct probe *p, bool granted)
{
	return granted ? 0 : probe_need(p, "setsid", CALL1(SYS_setsid, 0));
}

/* The processes of its own namespace of them. */
long setup_proc(struct probe *p, bool granted)
{
	return granted ? 0
		       : probe_need(p, "mount of /proc",
				    CALL5(SYS_mount, "proc", "/proc", "proc",
					  MS_NOSUID | MS_NODEV | MS_NOEXEC, 0));
}
