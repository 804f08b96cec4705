#include "tape/intercept/filter.h"

#include "tape/intercept/arch.h"
#include <errno.h>
#include <limits.h>
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

#define CLONE_UNTRACED_ 0x00800000 /* linux/sched.h */

/* LeakSanitizer asks for that, to trace its own process; it fails where that has a tracer. */
static void emit_untraced_clone(struct program *p)
{
	emit_unless_equal_skip(p, SYS_clone, 4);
	emit_load(p, LOW_WORD(0));
	emit(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_UNTRACED_, 0, 1));
	emit_return(p, SECCOMP_RET_TRACE | COOKIE_UNTRACED);
	emit_return(p, SECCOMP_RET_ALLOW);
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
	if (audit_arch == arch_native_audit)
		emit_untraced_clone(p);
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

/* A call that moves bytes, with the highest fd that counts for each wish; NEVER for none. */
struct io_call {
	unsigned number;
	unsigned fd_arg;
	unsigned action;
	int stdin_max;
	int output_max;
	int terminal_max;
	int reads_max;
	int writes_max;
};

#define NEVER	(-1)
#define ANY	INT_MAX
#define STOP	(SECCOMP_RET_TRACE | COOKIE_IO)
#define EINVAL_ (SECCOMP_RET_ERRNO | EINVAL)
#define ENOSYS_ (SECCOMP_RET_ERRNO | ENOSYS)

static const struct io_call io_calls[] = {
	{SYS_read, 0, STOP, 0, NEVER, ANY, ANY, NEVER},
	{SYS_write, 0, STOP, NEVER, 2, ANY, NEVER, ANY},
	{SYS_readv, 0, STOP, 0, NEVER, ANY, ANY, NEVER},
	{SYS_writev, 0, STOP, NEVER, 2, ANY, NEVER, ANY},
	{SYS_recvfrom, 0, STOP, 0, NEVER, NEVER, ANY, NEVER},
	{SYS_recvmsg, 0, STOP, 0, NEVER, NEVER, ANY, NEVER},
	{SYS_sendto, 0, STOP, NEVER, NEVER, NEVER, NEVER, ANY},
	{SYS_sendmsg, 0, STOP, NEVER, NEVER, NEVER, NEVER, ANY},
	{SYS_splice, 0, EINVAL_, 0, NEVER, 0, ANY, NEVER},
	{SYS_splice, 2, EINVAL_, NEVER, 2, 2, NEVER, ANY},
	{SYS_sendfile, 1, EINVAL_, 0, NEVER, 0, ANY, NEVER},
	{SYS_sendfile, 0, EINVAL_, NEVER, 2, 2, NEVER, ANY},
	{SYS_preadv2, 0, ENOSYS_, 0, NEVER, 0, ANY, NEVER},
	{SYS_pwritev2, 0, ENOSYS_, NEVER, 2, 2, NEVER, ANY},
	{SYS_recvmmsg, 0, ENOSYS_, 0, NEVER, NEVER, ANY, NEVER},
	{SYS_sendmmsg, 0, ENOSYS_, NEVER, NEVER, NEVER, NEVER, ANY},
	{SYS_copy_file_range, 2, ENOSYS_, NEVER, NEVER, NEVER, NEVER, ANY},
};

static int max_fd(const struct io_call *call, unsigned what)
{
	const struct {
		unsigned wish;
		int max;
	} wishes[] = {
		{FILTER_STDIN, call->stdin_max},
		{FILTER_TERMINAL_OUTPUT, call->output_max},
		{FILTER_TERMINAL, call->terminal_max},
		{FILTER_READS, call->reads_max},
		{FILTER_WRITES, call->writes_max},
		{FILTER_STDIN_WRITES, call->writes_max == ANY ? 0 : NEVER},
	};
	int max = NEVER;

	for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
		if ((what & wishes[i].wish) && wishes[i].max > max)
			max = wishes[i].max;
	}
	return max;
}

/* The number stays loaded for the rows that follow. */
static void emit_io_call(struct program *p, const struct io_call *call, int max)
{
	emit_unless_equal_skip(p, call->number, 4);
	emit_load(p, LOW_WORD(call->fd_arg));
	emit(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (unsigned)max, 1, 0));
	emit_return(p, call->action);
	emit_load(p, offsetof(struct seccomp_data, nr));
}

/* The setting of modes: TCSETS, TCSETSW, TCSETSF, and their younger forms (TCSETS(2const)). */
static const unsigned mode_requests[] = {0x5402,     0x5403,	 0x5404,
					 0x402c542b, 0x402c542c, 0x402c542d};

#define MODE_REQUESTS (sizeof(mode_requests) / sizeof(mode_requests[0]))

static void emit_mode_calls(struct program *p)
{
	emit_unless_equal_skip(p, SYS_ioctl, (unsigned char)(1 + 2 * MODE_REQUESTS));
	emit_load(p, LOW_WORD(1));
	for (size_t i = 0; i < MODE_REQUESTS; i++) {
		emit_unless_equal_skip(p, mode_requests[i], 1);
		emit_return(p, STOP);
	}
}

unsigned filter_build_io(struct sock_filter out[FILTER_MAX], unsigned what)
{
	struct program p = {out, 0};

	emit_load(&p, offsetof(struct seccomp_data, arch));
	emit(&p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, arch_native_audit, 1, 0));
	emit_return(&p, SECCOMP_RET_ALLOW);
	emit_load(&p, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < sizeof(io_calls) / sizeof(io_calls[0]); i++) {
		int max = max_fd(&io_calls[i], what);

		if (max != NEVER)
			emit_io_call(&p, &io_calls[i], max);
	}
	if (what & (FILTER_TERMINAL | FILTER_TERMINAL_OUTPUT))
		emit_mode_calls(&p);
	emit_return(&p, SECCOMP_RET_ALLOW);
	return p.len;
}
