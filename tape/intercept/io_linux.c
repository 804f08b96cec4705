/* Calls of a unit that move bytes: seen when they begin, and when what they moved is there. */
#include "tape/intercept/tracer.h"

#include "base/cleanup.h"
#include "tape/intercept/memory.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>

struct io_call {
	uint64_t number;
	enum io_kind kind;
	unsigned buffers;   /* 1: (address, length), 2: struct iovec[], 3: struct msghdr */
	unsigned flags_arg; /* which argument may have MSG_PEEK; 0: none */
};

static const struct io_call io_calls[] = {
	{SYS_read, IO_READ, 1, 0},    {SYS_readv, IO_READ, 2, 0},    {SYS_recvfrom, IO_READ, 1, 3},
	{SYS_recvmsg, IO_READ, 3, 2}, {SYS_write, IO_WRITE, 1, 0},   {SYS_writev, IO_WRITE, 2, 0},
	{SYS_sendto, IO_WRITE, 1, 0}, {SYS_sendmsg, IO_WRITE, 3, 0}, {SYS_ioctl, IO_MODE, 0, 0},
};

static const struct io_call *find_io_call(uint64_t number)
{
	size_t i = 0;

	while (i < sizeof(io_calls) / sizeof(io_calls[0]) && io_calls[i].number != number)
		i++;
	return i < sizeof(io_calls) / sizeof(io_calls[0]) ? &io_calls[i] : NULL;
}

/* It leaves the bytes where they are. */
static bool only_peeks(const struct io_call *call, const uint64_t *args)
{
	return call->flags_arg && (args[call->flags_arg] & MSG_PEEK);
}

static struct io io_of(const struct io_call *call, const uint64_t *args)
{
	struct io io = {.kind = call->kind, .fd = (int)args[0]};

	if (call->kind == IO_MODE) {
		io.request = args[1];
		io.address = args[2];
	}
	return io;
}

/* A unit begins to move bytes: what it moved is seen at the exit of the call. */
int tracer_on_io_call(struct interceptor *t, struct task *task,
		      const struct __ptrace_syscall_info *info, struct error *err)
{
	const struct io_call *call = find_io_call(info->seccomp.nr);
	bool wanted = false;
	struct io io;
	int r = 0;

	task->call_number = info->seccomp.nr;
	for (int i = 0; i < 6; i++)
		task->call_args[i] = info->seccomp.args[i];
	if (call && task->process->role == ROLE_UNIT && !only_peeks(call, task->call_args)) {
		io = io_of(call, task->call_args);
		r = t->ops.io_begins(t->ctx, task->process, &io, &wanted, err);
	}
	if (r < 0 || !wanted)
		return r < 0 ? r : tracer_resume(task, PTRACE_CONT, 0, err);
	if (io.alone && tracer_of(t)->writer) {
		task->io_waits = true;
		return 0;
	}
	if (io.alone)
		tracer_of(t)->writer = task->tid;
	task->io_began_ns = io.began_ns;
	task->watch = WATCH_IO;
	return tracer_resume(task, PTRACE_SYSCALL, 0, err);
}

static void find_waiting(void *ctx, struct task *task)
{
	struct task **found = ctx;

	if (task->io_waits)
		*found = task;
}

int tracer_end_writer(struct interceptor *t, pid_t tid, struct error *err)
{
	struct task *next = NULL;

	if (tracer_of(t)->writer != tid)
		return 0;
	tracer_of(t)->writer = 0;
	tasks_each(&t->tasks, find_waiting, &next);
	if (!next)
		return 0;
	next->io_waits = false;
	return tracer_on_seccomp(t, next, err);
}

struct remote_vec {
	uint64_t base;
	uint64_t len;
};

#define VECS_MAX 1024 /* UIO_MAXIOV */

/* The buffers of the watched call, in the tracee's memory; -errno. */
static int read_vecs(const struct task *task, unsigned buffers, struct remote_vec *vec,
		     size_t *ret_count)
{
	uint64_t header[7]; /* struct msghdr: msg_iov is [2], msg_iovlen is [3] */
	uint64_t array = task->call_args[1];
	uint64_t count = task->call_args[2];
	int r = 0;

	if (buffers == 1) {
		*ret_count = 1;
		vec[0] = (struct remote_vec){task->call_args[1], task->call_args[2]};
		return 0;
	}
	if (buffers == 3) {
		r = memory_read(task->tid, task->call_args[1], header, sizeof(header));
		array = header[2];
		count = header[3];
	}
	if (r == 0 && count > VECS_MAX)
		r = -EINVAL;
	if (r == 0)
		r = memory_read(task->tid, array, vec, count * sizeof(*vec));
	*ret_count = count;
	return r;
}

static int read_moved(const struct task *task, unsigned buffers, char *data, uint64_t len)
{
	struct remote_vec vec[VECS_MAX];
	size_t count = 0;
	uint64_t done = 0;
	int r = read_vecs(task, buffers, vec, &count);

	for (size_t i = 0; r == 0 && i < count && done < len; i++) {
		uint64_t part = vec[i].len < len - done ? vec[i].len : len - done;

		r = memory_read(task->tid, vec[i].base, data + done, part);
		done += part;
	}
	return r;
}

#define CONTROL_MAX 1024

/* Whether the struct msghdr of the call has descriptors in it (unix(7), SCM_RIGHTS). */
static bool passes_fds(const struct task *task)
{
	char control[CONTROL_MAX] __attribute__((aligned(8)));
	struct msghdr header = {0};

	if (memory_read(task->tid, task->call_args[1], &header, sizeof(header)) < 0)
		return false;
	if (header.msg_controllen > sizeof(control))
		header.msg_controllen = sizeof(control);
	if (memory_read(task->tid, (unsigned long)header.msg_control, control,
			header.msg_controllen) < 0)
		return false;
	header.msg_control = control;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			return true;
	}
	return false;
}

int tracer_on_io_done(struct interceptor *t, struct task *task, uint64_t result, struct error *err)
{
	const struct io_call *call = find_io_call(task->call_number);
	struct io io = io_of(call, task->call_args);
	cleanup_free char *data = NULL;
	int r = 0;

	io.began_ns = task->io_began_ns;
	/* To ask for nothing is not to meet the end. */
	if (call->kind != IO_MODE && result == 0 && (call->buffers == 1 && !task->call_args[2]))
		return 0;
	if (call->kind != IO_MODE) {
		data = malloc(result ? result : 1);
		if (!data)
			return error_no_memory(err);
		r = read_moved(task, call->buffers, data, result);
		io.data = data;
		io.len = result;
		io.passes_fds = call->buffers == 3 && passes_fds(task);
	}
	if (r < 0)
		return tracer_ptrace_error(r, "read the buffers of", err);
	return t->ops.io_done(t->ctx, task->process, &io, err);
}
