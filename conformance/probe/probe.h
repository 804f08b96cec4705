/*
 * The probe: a static program that puts one mechanism on itself, or is inside a sandbox already,
 * and then tries one act by system calls of its own making, since the C library would issue others.
 *
 * It has two processes: the actor, and the supervisor, which sees how the actor ends. Nothing of it
 * allocates. Functions return 0 or more, or -errno.
 */
#ifndef SANDTAPE_CONFORMANCE_PROBE_PROBE_H
#define SANDTAPE_CONFORMANCE_PROBE_PROBE_H

#include "conformance/probe/report.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/types.h>

/* What it was told; texts are of argv. */
struct probe {
	char **argv;
	const char *nonce;
	const char *report_file; /* NULL: there is none */
	enum probe_act act;
	enum probe_setup setup;
	uint64_t arg, setup_arg;
	const char *restricts; /* "none", "granted", "denied" */
	const char *in;	       /* its working directory */
	const char *out;       /* a directory of others, see fixture_linux.c */
	unsigned tcp, udp;     /* ports of ours on the loopback */
	const char *socket;    /* the path of a unix socket of ours */
	const char *abstract;  /* one without a file: its name */
	pid_t victim;	       /* a process outside, of the same program and user */
	int shared_memory;     /* a segment of System V IPC outside; -1: there is none */
	int queue, semaphores; /* of prepare_sysv() */
	int names;	       /* the namespace of prepare_names(); -1: there is none */
	int disconnected;      /* the directory of prepare_disconnected() */

	struct probe_report *report;
};

/* --- probe_linux.c --- */

/* A system call: its result, or -errno. */
long probe_call(long number, long a, long b, long c, long d, long e, long f);
#define CALL1(n, a)	     probe_call(n, (long)(a), 0, 0, 0, 0, 0)
#define CALL2(n, a, b)	     probe_call(n, (long)(a), (long)(b), 0, 0, 0, 0)
#define CALL3(n, a, b, c)    probe_call(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define CALL4(n, a, b, c, d) probe_call(n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define CALL5(n, a, b, c, d, e)                                                                    \
	probe_call(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define CALL6(n, a, b, c, d, e, f)                                                                 \
	probe_call(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

/* The act could not be prepared, which says nothing of what it would have been told: ends the
 * actor. `result` is -errno. */
_Noreturn void probe_unprepared(struct probe *p, const char *stage, long result);
/* The same unless `result` is 0 or more, which is returned. */
long probe_need(struct probe *p, const char *stage, long result);

/* Of a call with arguments that no call can use: whoever lets it pass to the kernel has EFAULT,
 * EINVAL, EBADF or E2BIG of it, which is no denial. */
long probe_answer(long rc);

/* "DIR/NAME"; of `which` each has a buffer of its own. */
const char *probe_path(const char *dir, const char *name, int which);
/* Closes what an act has opened: 0, or the -errno with which it could not. */
long probe_close(long fd);
/* Reads what it has opened into the report, and closes it. */
long probe_read_text(struct probe *p, long fd);
/* A child by a plain fork: 0 in the child, else its pid. */
long probe_fork(void);
/* The child's exit status, or 128 + its signal; -errno. */
long probe_wait(pid_t child);
/* A set-up goes on in a child. This process stays, does `after` when the child is gone (NULL:
 * nothing), and reports how the child ended. */
void probe_go_on_in_child(struct probe *p, void (*after)(struct probe *p));
/* The secret of the victim: the same address in every process of this program. */
extern char probe_victims_secret[PROBE_TEXT_SIZE];

/* Has more of the processors than it has, and than usual: by so many steps of nice(2). */
long probe_raise_priority(struct probe *p, int steps);

/* What a program has that executed it, of privileges: bits of these. */
enum { GAINS_USER = 1, GAINS_GROUP = 2, GAINS_CAPABILITIES = 4 };
int probe_gains(void);

/* --- acts.c, setups.c --- */

typedef long (*probe_act_fn)(struct probe *p);
extern const probe_act_fn probe_acts[ACTS];

struct probe_setup_row {
	/* Of all three runs: what the act needs to succeed at all (a user namespace, say). */
	long (*prepare)(struct probe *p);
	/* Puts the mechanism on, with a grant of the act or without; a `setup_arg` says more. */
	long (*restrict_it)(struct probe *p, bool granted);
};
extern const struct probe_setup_row probe_setups[SETUPS];

/* Names the stage that comes next, for what it fails with. */
void probe_stage(struct probe *p, const char *stage);

#define ACT(name, effect) long act_##name(struct probe *p);
#include "conformance/probe/acts.def"
#undef ACT

/* --- setup_*.c --- */

long prepare_root(struct probe *p);
long prepare_mounts(struct probe *p);
long prepare_net(struct probe *p);
long prepare_ipc(struct probe *p);
long prepare_pids(struct probe *p);
long prepare_worker(struct probe *p);
long prepare_other(struct probe *p);

#define PROBE_TRAP_DATA 0x1234

long setup_seccomp_errno(struct probe *p, bool granted);
long setup_seccomp_errno_none(struct probe *p, bool granted);
long setup_seccomp_errno_high(struct probe *p, bool granted);
long setup_seccomp_kill(struct probe *p, bool granted);
long setup_seccomp_kill_thread(struct probe *p, bool granted);
long setup_seccomp_unknown(struct probe *p, bool granted);
long setup_seccomp_trap(struct probe *p, bool granted);
long setup_seccomp_log(struct probe *p, bool granted);
long setup_seccomp_trace(struct probe *p, bool granted);
long setup_seccomp_notify(struct probe *p, bool granted);
long setup_seccomp_later(struct probe *p, bool granted);
long setup_seccomp_newest(struct probe *p, bool granted);
long setup_seccomp_listener(struct probe *p, bool granted);
long setup_seccomp_tsync(struct probe *p, bool granted);
long setup_seccomp_machine(struct probe *p, bool granted);
long setup_seccomp_bits_0(struct probe *p, bool granted);
long setup_seccomp_bits_1(struct probe *p, bool granted);
long setup_seccomp_bits_2(struct probe *p, bool granted);
long setup_seccomp_strict(struct probe *p, bool granted);
long setup_landlock_fs(struct probe *p, bool granted);
long setup_landlock_root(struct probe *p, bool granted);
long setup_landlock_link(struct probe *p, bool granted);
long setup_landlock_refer(struct probe *p, bool granted);
long setup_landlock_whiteout(struct probe *p, bool granted);
long setup_landlock_any(struct probe *p, bool granted);
long setup_landlock_net(struct probe *p, bool granted);
long setup_landlock_scope(struct probe *p, bool granted);
long prepare_watched(struct probe *p);
long prepare_reader(struct probe *p);
long setup_landlock_threads(struct probe *p, bool granted);
long prepare_sender(struct probe *p);
long prepare_tree(struct probe *p);
long prepare_ring(struct probe *p);
long prepare_disconnected(struct probe *p);
long prepare_shared_memory(struct probe *p);
long prepare_sysv(struct probe *p);
long prepare_queue(struct probe *p);
long prepare_names(struct probe *p);
long setup_namespace(struct probe *p, bool granted);
long setup_loopback(struct probe *p, bool granted);
long setup_mount_read_only(struct probe *p, bool granted);
long setup_mount_hidden(struct probe *p, bool granted);
long prepare_nice(struct probe *p);
long prepare_realtime(struct probe *p);
long setup_rlimit(struct probe *p, bool granted);
long setup_rlimit_hard(struct probe *p, bool granted);
long setup_cgroup(struct probe *p, bool granted);
long setup_capabilities(struct probe *p, bool granted);
long setup_no_new_privs(struct probe *p, bool granted);
long setup_fds(struct probe *p, bool granted);
long setup_env(struct probe *p, bool granted);
long setup_tty(struct probe *p, bool granted);
long setup_proc(struct probe *p, bool granted);

#endif
