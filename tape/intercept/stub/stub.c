/*
 * The stub: stands in for a recorded command. The kernel executes it with the argv, environment,
 * descriptors, process group and pid that the command would have had; before its first instruction
 * the player writes the answer into it (answer.h). Freestanding: no libc, no start-up work.
 */
#include "tape/intercept/stub/answer.h"

#include <asm/unistd.h>

long stub_call(long number, long a, long b, long c, long d, long e, long f);
_Noreturn void stub_main(void);

struct stub_answer stub_answer __attribute__((section(".answer,\"aw\",@nobits#")));

#define CALL1(n, a)	     stub_call((n), (long)(a), 0, 0, 0, 0, 0)
#define CALL2(n, a, b)	     stub_call((n), (long)(a), (long)(b), 0, 0, 0, 0)
#define CALL3(n, a, b, c)    stub_call((n), (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define CALL4(n, a, b, c, d) stub_call((n), (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

/* The kernel's own numbers and structs: no header of libc is at hand. */
enum { SIG_SETMASK_ = 2, SIGPIPE_ = 13, EAGAIN_ = 11, EINTR_ = 4, RLIMIT_CORE_ = 4 };
enum { POLLIN_ = 1, POLLOUT_ = 4, SIG_DFL_ = 0, SIG_IGN_ = 1 };

struct poll_fd {
	int fd;
	short events;
	short revents;
};

struct kernel_sigaction {
	unsigned long handler;
	unsigned long flags;
	unsigned long restorer;
	unsigned long mask;
};

static unsigned long stdin_left;

static void set_signal(int signal, unsigned long handler)
{
	struct kernel_sigaction action = {handler, 0, 0, 0};

	CALL4(__NR_rt_sigaction, signal, &action, 0, sizeof(action.mask));
}

/* Reads what is there, and forgets it: the tape knows it. */
static void take_stdin(void)
{
	static char away[65536];
	unsigned long want = stdin_left < sizeof(away) ? stdin_left : sizeof(away);
	long n = CALL3(__NR_read, 0, away, want);

	if (n > 0 && stdin_left != STUB_STDIN_ALL)
		stdin_left -= (unsigned long)n;
	else if (n == 0 || (n < 0 && n != -EAGAIN_ && n != -EINTR_))
		stdin_left = 0;
}

/* A pipe that poll reports writable takes this much without blocking (pipe(7), PIPE_BUF). */
#define SAFE_WRITE 4096ul

/* While stdin is wanted, neither direction may wait for the other. Whether to write now. */
static int may_write(int fd)
{
	struct poll_fd poll_fds[2] = {{fd, POLLOUT_, 0}, {0, POLLIN_, 0}};
	struct kernel_timespec_ {
		long sec, nsec;
	} *forever = 0;

	if (stub_call(__NR_ppoll, (long)poll_fds, 2, (long)forever, 0, 8, 0) < 0)
		return 0;
	if (poll_fds[1].revents)
		take_stdin();
	return poll_fds[0].revents != 0;
}

/* A reader that is gone ends the stream, not the stub: the recorded status wins. */
static void write_out(int fd, const char *bytes, unsigned long len)
{
	while (len > 0) {
		unsigned long part = len;
		long n;

		if (stdin_left > 0) {
			if (!may_write(fd))
				continue;
			part = len < SAFE_WRITE ? len : SAFE_WRITE;
		}
		n = CALL3(__NR_write, fd, bytes, part);
		if (n == -EAGAIN_) {
			struct poll_fd poll_fd = {fd, POLLOUT_, 0};

			stub_call(__NR_ppoll, (long)&poll_fd, 1, 0, 0, 8, 0);
		} else if (n > 0) {
			bytes += n;
			len -= (unsigned long)n;
		} else if (n != -EINTR_) {
			return;
		}
	}
}

static void set_mask(unsigned long mask)
{
	CALL4(__NR_rt_sigprocmask, SIG_SETMASK_, &mask, 0, sizeof(mask));
}

static unsigned long bit(int signal)
{
	return 1ul << (signal - 1);
}

/* It must be blocked to be waited for; it then has no effect of its own. */
static void wait_signal(int signal)
{
	unsigned long set = bit(signal);

	while (CALL4(__NR_rt_sigtimedwait, &set, 0, 0, sizeof(set)) == -EINTR_)
		;
}

_Noreturn static void die(int signal, int keep_core)
{
	unsigned long no_core[2] = {0, 0};

	if (!keep_core)
		stub_call(__NR_prlimit64, 0, RLIMIT_CORE_, (long)no_core, 0, 0, 0);
	set_signal(signal, SIG_DFL_);
	set_mask(0);
	/* Not kill: that stops for a tracer, and ours may have let go. */
	CALL3(__NR_tgkill, stub_call(__NR_getpid, 0, 0, 0, 0, 0, 0),
	      stub_call(__NR_gettid, 0, 0, 0, 0, 0, 0), signal);
	for (;;)
		CALL1(__NR_exit_group, 128 + signal);
}

_Noreturn static void end(const struct stub_answer *answer)
{
	while (stdin_left > 0)
		take_stdin();
	switch (answer->end_kind) {
	case STUB_KILL:
		die(answer->end_arg, (int)answer->keep_core);
	case STUB_KILLED:
		set_signal(answer->end_arg, SIG_DFL_);
		set_mask(0);
		for (;;)
			stub_call(__NR_ppoll, 0, 0, 0, 0, 8, 0);
	default:
		for (;;)
			CALL1(__NR_exit_group, answer->end_arg);
	}
}

static void block_awaited(const struct stub_answer *answer)
{
	unsigned long mask = 0;

	for (unsigned i = 0; i < answer->op_count; i++) {
		if (answer->op[i].kind == STUB_WAIT_SIGNAL)
			mask |= bit(answer->op[i].arg);
	}
	if (mask)
		set_mask(mask);
}

static void carry_out(struct stub_answer *answer, int is_child)
{
	for (unsigned i = 0; i < answer->op_count; i++) {
		const struct stub_op *op = &answer->op[i];

		switch (op->kind) {
		case STUB_WRITE:
			write_out(op->arg, answer->data + op->offset, op->len);
			break;
		case STUB_WAIT_SIGNAL:
			wait_signal(op->arg);
			break;
		case STUB_LEAVE:
			if (stub_call(__NR_fork, 0, 0, 0, 0, 0, 0) != 0)
				end(answer);
			is_child = 1;
			break;
		case STUB_MORE:
			if (CALL2(HYPER_CALL, STUB_ASK_MORE, 0) != 0)
				end(answer);
			i = (unsigned)-1; /* from the start of the new list */
			break;
		default:
			break;
		}
	}
	if (is_child)
		CALL1(__NR_exit_group, 0);
}

_Noreturn void stub_main(void)
{
	struct stub_answer *answer = &stub_answer;

	stdin_left = answer->stdin_want;
	set_signal(SIGPIPE_, SIG_IGN_);
	block_awaited(answer);
	carry_out(answer, 0);
	end(answer);
}
