/*
 * Calls that were interrupted by a signal of which nothing comes: it is ignored, or does nothing by
 * default. To a process that nobody traces the kernel does not even send it; a tracee is woken,
 * since its tracer may want to know (kernel/signal.c, sig_ignored()). So with the end of each child
 * epoll_wait(2) would fail with EINTR, and a write(2) to a pipe that is full would be over after a
 * part. Such a call is made again, for what is left of it.
 *
 * Those that the kernel itself makes again need no help (signal(7)). Those with a time limit are
 * left as they are: when they began is not known.
 */
#include "tape/intercept/tracer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

struct repeated {
	struct arch_regs regs; /* after the call, but for its result */
	long done;	       /* so many bytes before */
};

/* Calls that wait, and fail with EINTR. */
static const struct {
	long number;
	enum { FOR_EVER, FOR_EVER_IF_NEGATIVE, FOR_EVER_IF_NULL } waits;
	unsigned arg; /* the time limit */
} waits[] = {
#ifdef SYS_epoll_wait
	{SYS_epoll_wait, FOR_EVER_IF_NEGATIVE, 3},
#endif
	{SYS_epoll_pwait, FOR_EVER_IF_NEGATIVE, 3},
	{SYS_epoll_pwait2, FOR_EVER_IF_NULL, 3},
	{SYS_semop, FOR_EVER, 0},
	{SYS_semtimedop, FOR_EVER_IF_NULL, 3},
	{SYS_rt_sigtimedwait, FOR_EVER_IF_NULL, 2},
	{SYS_io_getevents, FOR_EVER_IF_NULL, 4},
};

static bool waits_for_ever(const struct arch_made_call *call)
{
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		uint64_t limit = call->args[waits[i].arg];

		if (waits[i].number == call->number)
			return waits[i].waits == FOR_EVER ||
			       (waits[i].waits == FOR_EVER_IF_NEGATIVE && (int)limit < 0) ||
			       (waits[i].waits == FOR_EVER_IF_NULL && limit == 0);
	}
	return false;
}

/* The type of file (S_IFMT); 0 when it is not known. */
static mode_t type_of(pid_t tid, uint64_t fd)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)tid, (int)fd);
	return stat(path, &st) < 0 ? 0 : st.st_mode & S_IFMT;
}

/* The rest of a write or send, or of a receive that waits for all. That the peer has gone meanwhile
 * is for the program's next call to find out. */
static bool find_rest(pid_t tid, struct arch_made_call *call)
{
	mode_t type;

	if (call->result <= 0 || (uint64_t)call->result >= call->args[2])
		return false;
	switch (call->number) {
	case SYS_write:
		type = type_of(tid, call->args[0]);
		if (type == S_IFSOCK) {
			call->number = SYS_sendto;
			call->args[3] = MSG_NOSIGNAL;
			call->args[4] = call->args[5] = 0;
		} else if (type != S_IFIFO && type != S_IFCHR) {
			return false; /* the disk is full, or its limit is reached */
		}
		break;
	case SYS_sendto:
		if (call->args[4] != 0)
			return false;
		call->args[3] |= MSG_NOSIGNAL;
		break;
	case SYS_recvfrom:
		if ((call->args[3] & (MSG_WAITALL | MSG_PEEK | MSG_DONTWAIT)) != MSG_WAITALL ||
		    call->args[4] != 0)
			return false;
		break;
	default:
		return false;
	}
	call->args[1] += (uint64_t)call->result;
	call->args[2] -= (uint64_t)call->result;
	return true;
}

static int set_regs(const struct task *task, const struct arch_regs *regs, struct error *err)
{
	int r = arch_set_regs(task->tid, regs);

	return r < 0 ? tracer_ptrace_error(r, "set the registers of", err) : 0;
}

static int repeat_rest(struct task *task, struct arch_regs *regs, const struct arch_made_call *call,
		       struct error *err)
{
	struct repeated *repeated = malloc(sizeof(*repeated));

	if (!repeated)
		return error_no_memory(err);
	*repeated = (struct repeated){*regs, call->result};
	task->repeated = repeated;
	arch_call_again(regs, call);
	return set_regs(task, regs, err);
}

int tracer_repeat_call(struct task *task, int signal, struct error *err)
{
	struct arch_made_call call;
	struct arch_regs regs;
	bool is_wait;

	if (task->injection || task->repeated || task->process->role == ROLE_STUB ||
	    arch_get_regs(task->tid, &regs) < 0 || !arch_made_call(&regs, &call))
		return 0;
	is_wait = call.result == -EINTR && waits_for_ever(&call);
	if (!is_wait && !find_rest(task->tid, &call))
		return 0;
	if (!tracer_drops(task->tid, signal))
		return 0;
	if (!is_wait)
		return repeat_rest(task, &regs, &call, err);
	arch_call_again(&regs, &call);
	return set_regs(task, &regs, err);
}

int tracer_on_repeated(struct task *task, int64_t result, struct error *err)
{
	struct repeated repeated = *task->repeated;
	struct arch_regs now;

	free(task->repeated);
	task->repeated = NULL;
	/* Another call: this one was given up. */
	if (arch_get_regs(task->tid, &now) < 0 || arch_ip(&now) != arch_ip(&repeated.regs))
		return 0;
	arch_set_result(&repeated.regs, repeated.done + (result > 0 ? (long)result : 0));
	return set_regs(task, &repeated.regs, err);
}
