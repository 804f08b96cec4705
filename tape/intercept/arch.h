/*
 * What differs between processor architectures, and nothing else: one file arch_<cpu>.c each.
 * All functions act on a tracee that is in a ptrace stop of the calling thread.
 */
#ifndef SANDTAPE_TAPE_INTERCEPT_ARCH_H
#define SANDTAPE_TAPE_INTERCEPT_ARCH_H

#include "base/calls.h"
#include "tape/intercept/stub/answer.h" /* HYPER_CALL */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

/* What the tracer wants to see of a system call. */
enum call_kind {
	CALL_NONE = 0,
	CALL_EXECVE,	 /* path, argv, envp */
	CALL_EXECVEAT,	 /* dirfd, path, argv, envp, flags */
	CALL_KILL,	 /* pid, signal */
	CALL_PIDFD_KILL, /* pidfd, signal */
	CALL_PTRACE,	 /* request */
	CALL_HYPER	 /* the stub, or an injected list, speaks to the tracer */
};

struct arch_call {
	uint32_t audit_arch; /* AUDIT_ARCH_* of linux/audit.h */
	uint32_t number;
	enum call_kind kind;
	unsigned char word; /* size of a pointer in argv[] */
};

/* Every way to make one of the calls on this machine, 32-bit and other ABIs included. */
extern const struct arch_call arch_calls[];
extern const size_t arch_call_count;

/* The ABI of 64-bit programs here: what injected calls and the stub use. */
extern const uint32_t arch_native_audit;

struct arch_regs {
	struct user_regs_struct user;
};

/* 0 or -errno; -EOPNOTSUPP when the tracee runs in another mode (32-bit). */
int arch_get_regs(pid_t tid, struct arch_regs *ret);
int arch_set_regs(pid_t tid, const struct arch_regs *regs);

unsigned long arch_ip(const struct arch_regs *regs);
unsigned long arch_sp(const struct arch_regs *regs);

/* At the entry of execve or execveat: the path argument points to `address`. */
void arch_set_path(struct arch_regs *regs, enum call_kind kind, unsigned long address);
/* At the entry of any call: the kernel skips it and the program sees `result`. */
void arch_skip_call(struct arch_regs *regs, long result);

/* A call that has been made. */
struct arch_made_call {
	long number;
	uint64_t args[6];
	long result; /* negative: -errno */
};

/* Where a signal is about to be delivered: false unless it has come during a call. */
bool arch_made_call(const struct arch_regs *regs, struct arch_made_call *ret);
/* Where a call has been made: this one is made next, in its place. */
void arch_call_again(struct arch_regs *regs, const struct arch_made_call *call);
void arch_set_result(struct arch_regs *regs, long result);

/*
 * The runner: position-independent code that makes the system calls of a list (struct runner_call
 * of base/calls.h), one after the other, and stores each result. An entry with the number
 * HYPER_CALL stops at the tracer; RUNNER_GO ends the list and enters the program, whose address is
 * the runner's last word. A multiple of sizeof(long) long.
 */
#define RUNNER_GO UINT64_MAX

extern const unsigned char arch_runner[];
extern const unsigned char arch_runner_end[];

/* Registers that start the runner at `ip` with its list at `list`. */
void arch_enter_runner(struct arch_regs *regs, unsigned long ip, unsigned long list);

#endif
