/*
 * Carries out an answer (answer.h). Freestanding: no libc, no files, no environment. Whoever asks
 * the player does it in its own way: stub_ask().
 */
#include "tape/intercept/stub/engine.h"

#include <asm/unistd.h>

#define CALL1(n, a)	     stub_call((n), (long)(a), 0, 0, 0, 0, 0)
#define CALL2(n, a, b)	     stub_call((n), (long)(a), (long)(b), 0, 0, 0, 0)
#define CALL3(n, a, b, c)    stub_call((n), (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define CALL4(n, a, b, c, d) stub_call((n), (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

/* The kernel's own numbers and structs: no header of libc is at hand. */
enum {
	SIG_BLOCK_ = 0,
	SIG_UNBLOCK_ = 1,
	SIG_SETMASK_ = 2,
	SIGKILL_ = 9,
	SIGPIPE_ = 13,
	EAGAIN_ = 11,
	EINTR_ = 4,
	RLIMIT_CORE_ = 4
};
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

static unsigned long stdin_taken;
static int stdin_ended;

static void set_signal(int signal, unsigned long handler)
{
	struct kernel_sigaction action = {handler, 0, 0, 0};

	CALL4(__NR_rt_sigaction, signal, &action, 0, sizeof(action.mask));
}

static void set_mask(unsigned long mask)
{
	CALL4(__NR_rt_sigprocmask, SIG_SETMASK_, &mask, 0, sizeof(mask));
}

static unsigned long bit(int signal)
{
	return 1ul << (signal - 1);
}

/* A write without a reader must not end the stub. It is blocked, not ignored: who sends it to the
 * stub may mean to. */
static void block_sigpipe(void)
{
	unsigned long set = bit(SIGPIPE_);

	CALL4(__NR_rt_sigprocmask, SIG_BLOCK_, &set, 0, sizeof(set));
}

/* The one that a write has caused. */
static void forget_sigpipe(void)
{
	unsigned long set = bit(SIGPIPE_);
	long no_time[2] = {0, 0};

	CALL4(__NR_rt_sigtimedwait, &set, 0, no_time, sizeof(set));
}

/* Nothing is blocked any more: a signal that is pending has its effect, if it is this one. */
static void open_for(int signal)
{
	if (signal != SIGPIPE_)
		set_signal(SIGPIPE_, SIG_IGN_);
	set_signal(signal, SIG_DFL_);
	set_mask(0);
}

static void wait_for(int fd, short events)
{
	struct poll_fd poll_fd = {fd, events, 0};

	stub_call(__NR_ppoll, (long)&poll_fd, 1, 0, 0, 8, 0);
}

/* Takes some of stdin, not beyond `until` in all, and shows it to the player: its reply. */
static int take_stdin(struct stub_room *room, unsigned long until)
{
	unsigned long want = until - stdin_taken;
	long n;

	if (want > sizeof(room->taken))
		want = sizeof(room->taken);
	n = CALL3(__NR_read, 0, room->taken, want);
	if (n == -EAGAIN_ || n == -EINTR_) {
		wait_for(0, POLLIN_);
		return STUB_GO_ON;
	}
	if (n <= 0)
		stdin_ended = 1;
	else
		stdin_taken += (unsigned long)n;
	return (int)stub_ask(STUB_ASK_STDIN, (unsigned long)room->taken,
			     n > 0 ? (unsigned long)n : 0);
}

/* Whether a read would not wait: something comes within `ms`, or the end. */
static int comes_within(int ms)
{
	struct poll_fd poll_fd = {0, POLLIN_, 0};
	long time[2] = {ms / 1000, (long)(ms % 1000) * 1000000};

	return stub_call(__NR_ppoll, (long)&poll_fd, 1, (long)time, 0, 8, 0) != 0;
}

static int read_in(struct stub_room *room, unsigned long until, int patience_ms)
{
	int reply = STUB_GO_ON;

	while (reply == STUB_GO_ON && !stdin_ended && stdin_taken < until) {
		if (patience_ms > 0 && !comes_within(patience_ms))
			reply = (int)stub_ask(STUB_ASK_NOTHING, 0, 0);
		else
			reply = take_stdin(room, until);
	}
	return reply;
}

/* Takes what the unit read from another descriptor. */
static int take_input(struct stub_room *room, int fd, unsigned long len)
{
	int reply = STUB_GO_ON;
	long n = 1;

	while (reply == STUB_GO_ON && len > 0 && n != 0) {
		n = CALL3(__NR_read, fd, room->taken,
			  len < sizeof(room->taken) ? len : sizeof(room->taken));
		if (n == -EAGAIN_ || n == -EINTR_) {
			wait_for(fd, POLLIN_);
			continue;
		}
		if (n < 0)
			n = 0; /* whoever was there is gone */
		if (len != STUB_STDIN_ALL)
			len -= (unsigned long)n;
		reply = (int)stub_ask(STUB_ASK_INPUT, (unsigned long)room->taken,
				      STUB_INPUT(fd, (unsigned long)n));
	}
	return reply;
}

/* The reader is behind. While stdin is wanted, too, neither direction waits for the other. */
static int wait_to_write(struct stub_room *room, int fd, int *told)
{
	const struct stub_answer *answer = &room->answer;
	struct poll_fd poll_fds[2] = {{fd, POLLOUT_, 0}, {0, POLLIN_, 0}};
	int both = !stdin_ended && stdin_taken < answer->stdin_want;

	if (answer->report_blocked && !*told)
		stub_ask(STUB_ASK_BLOCKED, 0, 0);
	*told = 1;
	stub_call(__NR_ppoll, (long)poll_fds, both ? 2 : 1, 0, 0, 8, 0);
	return both && poll_fds[1].revents ? take_stdin(room, answer->stdin_want) : STUB_GO_ON;
}

static int is_writable(int fd)
{
	struct poll_fd poll_fd = {fd, POLLOUT_, 0};
	long no_time[2] = {0, 0};

	return stub_call(__NR_ppoll, (long)&poll_fd, 1, (long)no_time, 0, 8, 0) > 0;
}

/* A pipe that poll reports writable takes this much without blocking (pipe(7), PIPE_BUF). */
#define SAFE_WRITE 4096ul

/* A reader that is gone ends the stream, not the stub: the recorded status wins. */
static int write_out(struct stub_room *room, const struct stub_op *op)
{
	const struct stub_answer *answer = &room->answer;
	const char *bytes = answer->data + op->offset;
	unsigned long len = op->len;
	int careful = answer->report_blocked || answer->stdin_want > stdin_taken;
	int parts = careful && op->kind != STUB_SEND;
	int told = 0;

	while (len > 0) {
		unsigned long part = parts && len > SAFE_WRITE ? SAFE_WRITE : len;
		long n;

		if (careful && !is_writable(op->arg)) {
			if (wait_to_write(room, op->arg, &told) == STUB_ANEW)
				return STUB_ANEW;
			continue;
		}
		n = CALL3(__NR_write, op->arg, bytes, part);
		if (n == -EAGAIN_) {
			wait_for(op->arg, POLLOUT_);
		} else if (n > 0) {
			bytes += n;
			len -= (unsigned long)n;
		} else if (n != -EINTR_) {
			forget_sigpipe();
			return STUB_GO_ON;
		}
	}
	return STUB_GO_ON;
}

/* Whether it has come. It must be blocked to be waited for; it then has no effect of its own. */
static int take_signal(int signal, const long *time)
{
	unsigned long set = bit(signal);
	long r;

	do {
		r = CALL4(__NR_rt_sigtimedwait, &set, 0, time, sizeof(set));
	} while (r == -EINTR_);
	return r != -EAGAIN_;
}

static void wait_signal(int signal, unsigned long patience_ms)
{
	const long time[2] = {(long)(patience_ms / 1000), (long)(patience_ms % 1000) * 1000000};
	const long *limit = patience_ms > 0 && stub_may_have_missed(signal) ? time : 0;
	unsigned long asked = 0;

	while (!take_signal(signal, limit)) {
		if (stub_ask(STUB_ASK_NO_SIGNAL, 0, ++asked) == STUB_DO_WITHOUT)
			return;
	}
}

/* Not by kill: that stops for a tracer, and ours may have let go. */
static void send_myself(int signal)
{
	CALL3(__NR_tgkill, stub_call(__NR_getpid, 0, 0, 0, 0, 0, 0),
	      stub_call(__NR_gettid, 0, 0, 0, 0, 0, 0), signal);
}

void stub_stop(int signal)
{
	unsigned long set = bit(signal);

	set_signal(signal, SIG_DFL_);
	CALL4(__NR_rt_sigprocmask, SIG_UNBLOCK_, &set, 0, sizeof(set));
	send_myself(signal);
}

_Noreturn void stub_die(int signal, int keep_core)
{
	unsigned long no_core[2] = {0, 0};

	if (!keep_core)
		stub_call(__NR_prlimit64, 0, RLIMIT_CORE_, (long)no_core, 0, 0, 0);
	open_for(signal);
	send_myself(signal);
	for (;;)
		CALL1(__NR_exit_group, 128 + signal);
}

/* Nobody knows how it went on. */
static int hold(unsigned long ask_ms)
{
	long reply;

	open_for(SIGKILL_);
	do {
		long time[2] = {(long)(ask_ms / 1000), (long)(ask_ms % 1000) * 1000000};

		stub_call(__NR_ppoll, 0, 0, (long)time, 0, 8, 0);
		reply = stub_ask(STUB_ASK_HELD, 0, 0);
	} while (reply == STUB_GO_ON);
	if (reply != STUB_ANEW) /* as for STUB_MORE */
		CALL1(__NR_exit_group, 125);
	return STUB_ANEW;
}

_Noreturn static void end(const struct stub_answer *answer)
{
	switch (answer->end_kind) {
	case STUB_KILL:
		stub_die(answer->end_arg, (int)answer->keep_core);
	case STUB_KILLED:
		open_for(answer->end_arg);
		for (;;)
			stub_call(__NR_ppoll, 0, 0, 0, 0, 8, 0);
	default:
		for (;;)
			CALL1(__NR_exit_group, answer->end_arg);
	}
}

/* Signals that it will wait for must not end it before. */
static void block_awaited(const struct stub_answer *answer)
{
	if (answer->signal_mask)
		set_mask(answer->signal_mask | bit(SIGPIPE_));
}

/* Which of its streams is the terminal, the unit knew; here the first that takes the call. */
static void set_mode(const struct stub_answer *answer, const struct stub_op *op)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (CALL3(__NR_ioctl, fd, op->arg, answer->data + op->offset) == 0)
			return;
	}
}

/* STUB_ANEW: other operations are in place. */
static int do_op(struct stub_room *room, const struct stub_op *op, int *is_child)
{
	const struct stub_answer *answer = &room->answer;

	switch (op->kind) {
	case STUB_WRITE:
	case STUB_SEND:
		return write_out(room, op);
	case STUB_TAKE:
		return take_input(room, op->arg, op->len);
	case STUB_READ:
		return read_in(room, op->len, op->arg);
	case STUB_WAIT_SIGNAL:
		wait_signal(op->arg, op->len);
		return STUB_GO_ON;
	case STUB_MODE:
		set_mode(answer, op);
		return STUB_GO_ON;
	case STUB_STOP:
		stub_stop(op->arg);
		return STUB_GO_ON;
	case STUB_TELL:
		if (stub_call(__NR_getppid, 0, 0, 0, 0, 0, 0) == answer->parent)
			CALL2(__NR_kill, answer->parent, op->arg);
		return STUB_GO_ON;
	case STUB_CLOSE:
		CALL1(__NR_close, op->arg);
		return STUB_GO_ON;
	case STUB_HOLD:
		return hold(op->len);
	case STUB_LEAVE:
		if (stub_call(__NR_fork, 0, 0, 0, 0, 0, 0) != 0)
			end(answer);
		*is_child = 1;
		stub_forked();
		return STUB_GO_ON;
	case STUB_MORE:
		/* Without a player (it was killed) there is nothing to stand in for. */
		if (stub_ask(STUB_ASK_MORE, 0, 0) != STUB_ANEW)
			CALL1(__NR_exit_group, 125);
		return STUB_ANEW;
	default:
		return STUB_GO_ON;
	}
}

_Noreturn void stub_play(struct stub_room *room)
{
	const struct stub_answer *answer = &room->answer;
	int is_child = 0;

	block_sigpipe();
	block_awaited(answer);
	for (unsigned i = 0; i < answer->op_count; i++) {
		if (do_op(room, &answer->op[i], &is_child) == STUB_ANEW) {
			block_awaited(answer);
			i = (unsigned)-1; /* from the first */
		}
	}
	if (is_child)
		CALL1(__NR_exit_group, 0);
	end(answer);
}
