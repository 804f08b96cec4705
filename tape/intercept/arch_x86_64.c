/* x86-64 (System V ABI, linux/arch/x86/entry/syscalls/syscall_{32,64}.tbl). */
#include "tape/intercept/arch.h"

#include <elf.h>
#include <errno.h>
#include <linux/audit.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#define X32 0x40000000 /* __X32_SYSCALL_BIT: x32 calls come under AUDIT_ARCH_X86_64 */

const uint32_t arch_native_audit = AUDIT_ARCH_X86_64;

const struct arch_call arch_calls[] = {
	{AUDIT_ARCH_X86_64, 59, CALL_EXECVE, 8},
	{AUDIT_ARCH_X86_64, 322, CALL_EXECVEAT, 8},
	{AUDIT_ARCH_X86_64, 62, CALL_KILL, 8},
	{AUDIT_ARCH_X86_64, 129, CALL_KILL, 8}, /* rt_sigqueueinfo: the same first two */
	{AUDIT_ARCH_X86_64, 424, CALL_PIDFD_KILL, 8},
	{AUDIT_ARCH_X86_64, 101, CALL_PTRACE, 8},
	{AUDIT_ARCH_X86_64, HYPER_CALL, CALL_HYPER, 8},
	{AUDIT_ARCH_X86_64, X32 | 520, CALL_EXECVE, 4},
	{AUDIT_ARCH_X86_64, X32 | 545, CALL_EXECVEAT, 4},
	{AUDIT_ARCH_X86_64, X32 | 62, CALL_KILL, 4},
	{AUDIT_ARCH_X86_64, X32 | 524, CALL_KILL, 4},
	{AUDIT_ARCH_X86_64, X32 | 521, CALL_PTRACE, 4},
	{AUDIT_ARCH_X86_64, X32 | 424, CALL_PIDFD_KILL, 4},
	{AUDIT_ARCH_I386, 11, CALL_EXECVE, 4},
	{AUDIT_ARCH_I386, 358, CALL_EXECVEAT, 4},
	{AUDIT_ARCH_I386, 37, CALL_KILL, 4},
	{AUDIT_ARCH_I386, 178, CALL_KILL, 4},
	{AUDIT_ARCH_I386, 26, CALL_PTRACE, 4},
	{AUDIT_ARCH_I386, 424, CALL_PIDFD_KILL, 4},
};
const size_t arch_call_count = sizeof(arch_calls) / sizeof(arch_calls[0]);

#define CODE_SEGMENT_64 0x33 /* __USER_CS: the tracee is in 64-bit mode */

int arch_get_regs(pid_t tid, struct arch_regs *ret)
{
	struct iovec io = {&ret->user, sizeof(ret->user)};

	if (ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &io) < 0)
		return -errno;
	/* A 32-bit tracee has a shorter register set. */
	if (io.iov_len != sizeof(ret->user) || ret->user.cs != CODE_SEGMENT_64)
		return -EOPNOTSUPP;
	return 0;
}

int arch_set_regs(pid_t tid, const struct arch_regs *regs)
{
	struct user_regs_struct copy = regs->user;
	struct iovec io = {&copy, sizeof(copy)};

	return ptrace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &io) < 0 ? -errno : 0;
}

unsigned long arch_ip(const struct arch_regs *regs)
{
	return regs->user.rip;
}

unsigned long arch_sp(const struct arch_regs *regs)
{
	return regs->user.rsp;
}

void arch_set_path(struct arch_regs *regs, enum call_kind kind, unsigned long address)
{
	if (kind == CALL_EXECVE)
		regs->user.rdi = address;
	else
		regs->user.rsi = address;
}

void arch_skip_call(struct arch_regs *regs, long result)
{
	regs->user.orig_rax = (unsigned long)-1;
	regs->user.rax = (unsigned long)result;
}

void arch_enter_runner(struct arch_regs *regs, unsigned long ip, unsigned long list)
{
	regs->user.rip = ip;
	regs->user.rbx = list;
}

bool arch_made_call(const struct arch_regs *regs, struct arch_made_call *ret)
{
	const struct user_regs_struct *user = &regs->user;

	*ret = (struct arch_made_call){
		(long)user->orig_rax,
		{user->rdi, user->rsi, user->rdx, user->r10, user->r8, user->r9},
		(long)user->rax};
	return ret->number >= 0;
}

/* "syscall" is two bytes long. */
void arch_call_again(struct arch_regs *regs, const struct arch_made_call *call)
{
	struct user_regs_struct *user = &regs->user;

	user->rip -= 2;
	user->rax = (unsigned long)call->number;
	user->rdi = call->args[0];
	user->rsi = call->args[1];
	user->rdx = call->args[2];
	user->r10 = call->args[3];
	user->r8 = call->args[4];
	user->r9 = call->args[5];
}

void arch_set_result(struct arch_regs *regs, long result)
{
	regs->user.rax = (unsigned long)result;
}
