/*
 * What the probe tells the suite, twice: in a file that both have mapped, and as lines on its
 * standard output, which also reach us from inside a sandbox that has no such file.
 */
#ifndef SANDTAPE_CONFORMANCE_PROBE_REPORT_H
#define SANDTAPE_CONFORMANCE_PROBE_REPORT_H

#include <signal.h>
#include <stdint.h>

#define PROBE_NONCE_SIZE 33
#define PROBE_TEXT_SIZE	 128

/* How far it came. */
enum probe_state {
	PROBE_ABSENT, /* it never ran */
	PROBE_BEGAN,
	PROBE_SET_UP_FAILED, /* `stage` says what, `error` why: the act was not tried */
	PROBE_ACTING,	     /* it was killed, or hangs, in the act */
	PROBE_DONE,	     /* `result` is the act's */
	PROBE_STATES
};

struct probe_report {
	char nonce[PROBE_NONCE_SIZE];
	char stage[32];
	int32_t state;	/* enum probe_state */
	int32_t error;	/* an errno, of a stage of the set-up */
	int64_t result; /* 0 or more, or -errno */
	int32_t signal; /* that ended the act, or that it has caught */
	int32_t caught; /* whether it was caught; then: */
	int32_t code, data, call;
	uint32_t arch;		    /* si_code, si_errno, si_syscall, si_arch */
	int32_t signalled;	    /* of a victim: what it was sent */
	char text[PROBE_TEXT_SIZE]; /* what the act has read */
};

/* What an act leaves behind where it can be seen from outside. */
enum probe_effect {
	EFFECT_NONE,	/* nothing but its result */
	EFFECT_MADE,	/* "made" is in the outer directory */
	EFFECT_GONE,	/* "file", or "empty", is not there any more */
	EFFECT_CHANGED, /* "file" has other bytes, another mode or owner, or is another one */
	EFFECT_BYTE,	/* a byte has come to a socket of ours */
	EFFECT_SIGNAL,	/* the victim has got a signal */
	EFFECT_TTY,	/* something is on the terminal, or it has another size */
	EFFECT_SECRET,	/* it has read a text that it was not told */
	EFFECT_PORT,	/* it has a port, of the network that we are in */
	EFFECT_CORE,	/* a file is in "dir" of its working directory */
	EFFECTS
};

enum probe_act {
#define ACT(name, effect) ACT_##name,
#include "conformance/probe/acts.def"
#undef ACT
	ACTS
};

enum probe_setup {
#define SETUP(name, prepare, restrict_it) SETUP_##name,
#include "conformance/probe/setups.def"
#undef SETUP
	SETUPS
};

/* What they are called on the probe's command line. */
static inline const char *probe_act_name(enum probe_act act)
{
	static const char *const names[] = {
#define ACT(name, effect) #name,
#include "conformance/probe/acts.def"
#undef ACT
	};

	return names[act];
}

static inline const char *probe_setup_name(enum probe_setup setup)
{
	static const char *const names[] = {
#define SETUP(name, prepare, restrict_it) #name,
#include "conformance/probe/setups.def"
#undef SETUP
	};

	return names[setup];
}

/* The number of a set-up: a resource of setrlimit(2), and as much of it. */
#define PROBE_LIMIT(resource, value) ((uint64_t)(value) << 8 | (resource))
#define PROBE_LIMIT_OF(arg)	     ((int)((arg)&0xff))
#define PROBE_LIMIT_VALUE(arg)	     ((arg) >> 8)

/* Of a set-up: the controller of a control group that limits. */
enum { PROBE_CGROUP_PIDS, PROBE_CGROUP_MEMORY, PROBE_CGROUPS };

/* The variable that is planted in the environment; its value is the secret. */
#define PROBE_VARIABLE	      "SANDTAPE_SECRET"
/* Another one, of a name that the loader reads. */
#define PROBE_LOADER_VARIABLE "LD_SANDTAPE_SECRET"
/* The descriptor that is planted, of a file with the secret; the victim has it, too. */
#define PROBE_FD	      9
/* The outer directory, and a socket that is connected to one of ours. */
#define PROBE_DIRECTORY_FD    10
#define PROBE_SOCKET_FD	      11
/* What the name of the abstract socket of datagrams has more than that of streams. */
#define PROBE_DATAGRAMS	      ".datagrams"
/* Which network a socket is of, as the text of a report: its SO_NETNS_COOKIE (Linux 5.14). */
#define PROBE_NETWORK	      "network-%llx"
/* Of the objects of System V IPC that have one. */
#define PROBE_IPC_KEY	      0x5a4d7a9e
/* The signal that asks a victim whether it has got another one; its state is PROBE_DONE then. */
#define PROBE_ASKS	      SIGRTMIN

#endif
