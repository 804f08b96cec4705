/*
 * System calls that a unit makes before its own first instruction. The runner (arch_runner) is
 * written over the program's entry, which is put back afterwards; its list stands below the stack
 * pointer, where a fresh stack holds nothing yet.
 */
#include "tape/intercept/tracer.h"

#include "tape/intercept/memory.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>

#define RUNNER_MAX 256

struct injection {
	struct arch_regs at_exec;
	unsigned char text[RUNNER_MAX]; /* what the runner covers */
	unsigned long list_address;	/* of the list that runs now */
	unsigned long data_address;
	struct inject_list list;
	inject_done done;
	void *ctx;
};

#define RED_ZONE  256 /* more than any ABI's */
#define LISTS_MAX (2 * (INJECT_MAX + 1) * sizeof(struct runner_call))

static uint64_t resolve(const struct injection *in, uint64_t arg)
{
	uint64_t offset = arg - INJECT_DATA(0);

	return offset < sizeof(in->list.data) ? in->data_address + offset : arg;
}

/* Writes the list and its data; -errno. */
static int write_list(struct injection *in, pid_t tid)
{
	struct runner_call calls[INJECT_MAX + 1] = {0};
	uint64_t pointer;
	int r = 0;

	if (in->list.pointer_at > 0) {
		memcpy(&pointer, in->list.data + in->list.pointer_at, sizeof(pointer));
		pointer = resolve(in, pointer);
		memcpy(in->list.data + in->list.pointer_at, &pointer, sizeof(pointer));
		in->list.pointer_at = 0;
	}

	for (unsigned i = 0; i < in->list.count; i++) {
		calls[i] = in->list.call[i];
		for (int a = 0; a < 6; a++)
			calls[i].args[a] = resolve(in, calls[i].args[a]);
	}
	calls[in->list.count].number = HYPER_CALL;
	if (in->list.data_len > 0)
		r = memory_write(tid, in->data_address, in->list.data, in->list.data_len);
	if (r < 0)
		return r;
	return memory_write(tid, in->list_address, calls, (in->list.count + 1) * sizeof(calls[0]));
}

static int begin(struct injection *in, pid_t tid)
{
	struct arch_regs regs;
	unsigned long entry;
	int r = arch_get_regs(tid, &in->at_exec);

	if (r < 0)
		return r;
	entry = arch_ip(&in->at_exec);
	in->data_address = (arch_sp(&in->at_exec) - RED_ZONE - sizeof(in->list.data)) & ~63ul;
	in->list_address = (in->data_address - LISTS_MAX) & ~63ul;
	r = memory_read(tid, entry, in->text, arch_runner_size);
	if (r == 0)
		r = memory_poke(tid, entry, arch_runner, arch_runner_size);
	if (r == 0)
		r = write_list(in, tid);
	if (r < 0)
		return r;
	regs = in->at_exec;
	arch_enter_runner(&regs, entry, in->list_address);
	return arch_set_regs(tid, &regs);
}

int intercept_inject(struct interceptor *t, struct task *task, const struct inject_list *list,
		     inject_done done, void *ctx, struct error *err)
{
	struct injection *in = calloc(1, sizeof(*in));
	int r;

	(void)t;
	if (!in)
		return error_set(err, ERR_NOMEM, "out of memory");
	in->list = *list;
	in->done = done;
	in->ctx = ctx;
	r = begin(in, task->tid);
	if (r < 0) {
		free(in);
		if (r == -EOPNOTSUPP)
			return error_set(err, ERR_UNSUPPORTED,
					 "process %d is a 32-bit program: its output cannot be "
					 "recorded (name it with --real to leave it alone)",
					 (int)task->tid);
		return tracer_ptrace_error(r, "inject into", err);
	}
	task->injection = in;
	return tracer_resume(task, PTRACE_CONT, 0, err);
}

/* Back to the entry of the program, as if nothing had been. */
static int finish(struct injection *in, pid_t tid)
{
	struct arch_regs regs;
	int r = memory_poke(tid, arch_ip(&in->at_exec), in->text, arch_runner_size);

	arch_enter_program(&regs, &in->at_exec);
	return r < 0 ? r : arch_set_regs(tid, &regs);
}

int tracer_on_injected(struct interceptor *t, struct task *task, struct error *err)
{
	struct injection *in = task->injection;
	struct runner_call calls[INJECT_MAX];
	bool more = false;
	int r;

	r = memory_read(task->tid, in->list_address, calls, in->list.count * sizeof(calls[0]));
	if (r == 0 && in->list.data_len > 0)
		r = memory_read(task->tid, in->data_address, in->list.data, in->list.data_len);
	if (r < 0)
		return tracer_ptrace_error(r, "inject into", err);
	for (unsigned i = 0; i < in->list.count; i++)
		in->list.call[i].result = calls[i].result;
	in->list_address += (in->list.count + 1) * sizeof(calls[0]);
	r = in->done(in->ctx, task->process, task, &in->list, &more, err);
	if (r < 0)
		return r;
	r = more ? write_list(in, task->tid) : finish(in, task->tid);
	if (!more) {
		free(in);
		task->injection = NULL;
	}
	if (r < 0)
		return tracer_ptrace_error(r, "inject into", err);
	(void)t;
	return tracer_resume(task, PTRACE_CONT, 0, err);
}
