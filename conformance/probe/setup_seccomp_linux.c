/* A filter of system calls alone, which refuses the call whose number is setup_arg. */
#include "conformance/probe/probe.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>

/* An errno that nothing else gives: what refuses is the filter. */
#define RARE_ERRNO EXFULL

static void give_up_privileges(struct probe *p)
{
	probe_need(p, "no_new_privs", CALL5(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

static long load(struct probe *p, const struct sock_filter *code, unsigned short len,
		 unsigned long flags)
{
	const struct sock_fprog program = {len, (struct sock_filter *)code};

	return probe_need(p, "seccomp",
			  CALL3(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program));
}

/* Granted, it refuses a call that there is not. */
static long install_with(struct probe *p, uint32_t answer, bool granted, unsigned long flags)
{
	const uint32_t number = granted ? UINT32_MAX : (uint32_t)p->setup_arg;
	const struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, answer),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	give_up_privileges(p);
	return load(p, code, sizeof(code) / sizeof(code[0]), flags);
}

static long install(struct probe *p, uint32_t answer, bool granted)
{
	return install_with(p, answer, granted, 0);
}

long setup_seccomp_errno(struct probe *p, bool granted)
{
	return install(p, SECCOMP_RET_ERRNO | RARE_ERRNO, granted);
}

/* A fake: the call is not done, and says that it was. */
long setup_seccomp_errno_none(struct probe *p, bool granted)
{
	return install(p, SECCOMP_RET_ERRNO | 0, granted);
}

/* 4095 is the last errno: what is above would be no error. */
long setup_seccomp_errno_high(struct probe *p, bool granted)
{
	return install(p, SECCOMP_RET_ERRNO | 0xffff, granted);
}

long setup_seccomp_kill(struct probe *p, bool granted)
{
	return install(p, SECCOMP_RET_KILL_PROCESS, granted);
}

long setup_seccomp_kill_thread(struct probe *p, bool granted)
{
	return install(p, SECCOMP_RET_KILL_THREAD, granted);
}

/* An action that no kernel knows. */
long setup_seccomp_unknown(struct probe *p, bool granted)
{
	return install(p, 0x00ab0000U, granted);
}

long setup_seccomp_trap(struct probe *p, bool granted)
{
	return install(p, SECCOMP_RET_TRAP | PROBE_TRAP_DATA, granted);
}

/* That is no refusal. */
long setup_seccomp_log(struct probe *p, bool granted)
{
	return install(p, SECCOMP_RET_LOG, granted);
}

/* Nobody traces. */
long setup_seccomp_trace(struct probe *p, bool granted)
{
	return install(p, SECCOMP_RET_TRACE, granted);
}

/* Nobody listens. */
long setup_seccomp_notify(struct probe *p, bool granted)
{
	return install(p, SECCOMP_RET_USER_NOTIF, granted);
}

/* Of all that a later filter can say nothing takes back what an earlier one has: not that it logs,
 * not that it allows. */
long setup_seccomp_later(struct probe *p, bool granted)
{
	install(p, SECCOMP_RET_ERRNO | RARE_ERRNO, granted);
	install(p, SECCOMP_RET_LOG, granted);
	return install(p, SECCOMP_RET_ALLOW, granted);
}

/* Among equal actions that of the newest filter wins. */
long setup_seccomp_newest(struct probe *p, bool granted)
{
	install(p, SECCOMP_RET_ERRNO | ENOTUNIQ, granted);
	return install(p, SECCOMP_RET_ERRNO | RARE_ERRNO, granted);
}

/* A filter that has a listener; there can be one. */
long setup_seccomp_listener(struct probe *p, bool granted)
{
	return install_with(p, SECCOMP_RET_USER_NOTIF, true,
			    granted ? 0 : SECCOMP_FILTER_FLAG_NEW_LISTENER);
}

/* The filter of the other threads, too. */
long setup_seccomp_tsync(struct probe *p, bool granted)
{
	return install_with(p, SECCOMP_RET_ERRNO | RARE_ERRNO, granted, SECCOMP_FILTER_FLAG_TSYNC);
}

/* Refuses all calls of another machine, whatever their number; granted, those of one that there is
 * not. */
long setup_seccomp_machine(struct probe *p, bool granted)
{
	const struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, granted ? 1 : (uint32_t)p->setup_arg, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | RARE_ERRNO),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	give_up_privileges(p);
	return load(p, code, sizeof(code) / sizeof(code[0]), 0);
}

/* Looks at an argument: refuses the call when one of the bits is in it that are in the upper half
 * of setup_arg; `at` is its place. */
static long refuse_bits(struct probe *p, bool granted, unsigned at)
{
	const uint32_t bits = (uint32_t)(p->setup_arg >> 32);
	const struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)p->setup_arg, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 (uint32_t)offsetof(struct seccomp_data, args) + 8 * at),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, granted ? 0 : bits, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | RARE_ERRNO),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	give_up_privileges(p);
	return load(p, code, sizeof(code) / sizeof(code[0]), 0);
}

long setup_seccomp_bits_0(struct probe *p, bool granted)
{
	return refuse_bits(p, granted, 0);
}

long setup_seccomp_bits_1(struct probe *p, bool granted)
{
	return refuse_bits(p, granted, 1);
}

long setup_seccomp_bits_2(struct probe *p, bool granted)
{
	return refuse_bits(p, granted, 2);
}

/* Nothing but reading, writing and the end; there is no grant in it. */
long setup_seccomp_strict(struct probe *p, bool granted)
{
	return granted ? 0
		       : probe_need(p, "seccomp",
				    CALL3(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, 0));
}
