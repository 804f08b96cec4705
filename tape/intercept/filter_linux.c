#include "tape/intercept/filter.h"

#include "tape/intercept/arch.h"
#include <errno.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/syscall.h>

struct program {
	struct sock_filter *code;
	unsigned len;
};

static void emit(struct program *p, struct sock_filter instruction)
{
	p->code[p->len++] = instruction;
}

static void emit_load(struct program *p, unsigned offset)
{
	emit(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset));
}

static void emit_return(struct program *p, unsigned action)
{
	emit(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

/* Goes on when the loaded word is `value`, else skips `skip` instructions. */
static void emit_unless_equal_skip(struct program *p, unsigned value, unsigned char skip)
{
	emit(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip));
}

#define LOW_WORD(n) (offsetof(struct seccomp_data, args) + (n) * sizeof(__u64))

/* kill(pid, 0) only asks whether the process is there: not worth a stop. */
static void emit_call(struct program *p, const struct arch_call *call)
{
	if (call->kind == CALL_KILL || call->kind == CALL_PIDFD_KILL) {
		emit_unless_equal_skip(p, call->number, 4);
		emit_load(p, LOW_WORD(1));
		emit(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1));
		emit_return(p, SECCOMP_RET_ALLOW);
		emit_return(p, SECCOMP_RET_TRACE | COOKIE_CALL);
		return;
	}
	emit_unless_equal_skip(p, call->number, 1);
	emit_return(p, SECCOMP_RET_TRACE | COOKIE_CALL);
}

/* One block per architecture; most calls fall through two comparisons of the first block. */
static void emit_arch(struct program *p, unsigned audit_arch)
{
	unsigned jump;

	emit_load(p, offsetof(struct seccomp_data, arch));
	jump = p->len;
	emit_unless_equal_skip(p, audit_arch, 0);
	emit_load(p, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < arch_call_count; i++) {
		if (arch_calls[i].audit_arch == audit_arch)
			emit_call(p, &arch_calls[i]);
	}
	emit_return(p, SECCOMP_RET_ALLOW);
	p->code[jump].jf = (unsigned char)(p->len - jump - 1);
}

unsigned filter_build(struct sock_filter out[FILTER_MAX])
{
	struct program p = {out, 0};

	for (size_t i = 0; i < arch_call_count; i++) {
		if (i == 0 || arch_calls[i].audit_arch != arch_calls[i - 1].audit_arch)
			emit_arch(&p, arch_calls[i].audit_arch);
	}
	emit_return(&p, SECCOMP_RET_ALLOW);
	return p.len;
}

struct stdin_call {
	unsigned number;
	unsigned fd_arg;
	unsigned action;
};

static const struct stdin_call stdin_calls[] = {
	{SYS_read, 0, SECCOMP_RET_TRACE | COOKIE_STDIN},
	{SYS_readv, 0, SECCOMP_RET_TRACE | COOKIE_STDIN},
	{SYS_recvfrom, 0, SECCOMP_RET_TRACE | COOKIE_STDIN},
	{SYS_recvmsg, 0, SECCOMP_RET_TRACE | COOKIE_STDIN},
	{SYS_splice, 0, SECCOMP_RET_ERRNO | EINVAL},
	{SYS_sendfile, 1, SECCOMP_RET_ERRNO | EINVAL},
	{SYS_preadv2, 0, SECCOMP_RET_ERRNO | ENOSYS},
	{SYS_recvmmsg, 0, SECCOMP_RET_ERRNO | ENOSYS},
};

unsigned filter_build_stdin(struct sock_filter out[FILTER_MAX])
{
	struct program p = {out, 0};

	emit_load(&p, offsetof(struct seccomp_data, arch));
	emit(&p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, arch_native_audit, 1, 0));
	emit_return(&p, SECCOMP_RET_ALLOW);
	emit_load(&p, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < sizeof(stdin_calls) / sizeof(stdin_calls[0]); i++) {
		const struct stdin_call *call = &stdin_calls[i];

		emit_unless_equal_skip(&p, call->number, 4);
		emit_load(&p, LOW_WORD(call->fd_arg));
		emit_unless_equal_skip(&p, 0, 1);
		emit_return(&p, call->action);
		emit_return(&p, SECCOMP_RET_ALLOW);
	}
	emit_return(&p, SECCOMP_RET_ALLOW);
	return p.len;
}
