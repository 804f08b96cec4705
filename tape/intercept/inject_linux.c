/*
 * System calls that a unit makes before its own first instruction. The runner stands in the room
 * behind the vDSO (vdso_linux.c), its list below the stack pointer, where a fresh stack holds
 * nothing yet. The program's own memory is not touched.
 */
#include "tape/intercept/tracer.h"

#include "tape/intercept/memory.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>

struct injection {
	unsigned long list_address; /* of the list that runs now */
	unsigned long data_address;
	struct inject_list list;
	inject_done done;
	void *ctx;
	const struct confiner *confiner; /* when all that is done; NULL: nothing more */
	unsigned step;			 /* of the confiner */
};

#define RED_ZONE   256	/* more than any ABI's */
#define LISTS	   4	/* there is room for so many, one after the other */
#define PLAIN_DATA 4096 /* without a confiner no list has more */
#define LIST_BYTES ((INJECT_MAX + 1) * sizeof(struct runner_call))

static uint64_t resolve(const struct injection *in, uint64_t arg)
{
	uint64_t offset = arg - INJECT_DATA(0);

	return offset < sizeof(in->list.data) ? in->data_address + offset : arg;
}

static void resolve_pointers(struct injection *in)
{
	for (unsigned i = 0; i < in->list.pointers; i++) {
		char *at = in->list.data + in->list.pointer_at[i];
		uint64_t pointer;

		memcpy(&pointer, at, sizeof(pointer));
		pointer = resolve(in, pointer);
		memcpy(at, &pointer, sizeof(pointer));
	}
	in->list.pointers = 0;
}

/* Writes the list and its data; -errno. `last_number` ends it. */
static int write_list(struct injection *in, pid_t tid, uint64_t last_number)
{
	struct runner_call calls[INJECT_MAX + 1] = {0};
	int r = 0;

	resolve_pointers(in);
	for (unsigned i = 0; i < in->list.count; i++) {
		calls[i] = in->list.call[i];
		for (int a = 0; a < 6; a++)
			calls[i].args[a] = resolve(in, calls[i].args[a]);
	}
	calls[in->list.count].number = last_number;
	if (in->list.data_len > 0)
		r = memory_write(tid, in->data_address, in->list.data, in->list.data_len);
	if (r < 0)
		return r;
	return memory_write(tid, in->list_address, calls, (in->list.count + 1) * sizeof(calls[0]));
}

/* The runner, with the program's entry in its last word. */
static int write_runner(pid_t tid, unsigned long room, unsigned long entry)
{
	unsigned char runner[256];
	size_t size = (size_t)(arch_runner_end - arch_runner);

	memcpy(runner, arch_runner, size);
	memcpy(runner + size - sizeof(entry), &entry, sizeof(entry));
	return memory_poke(tid, room, runner, size);
}

/* A program may have been given a small stack. */
static size_t data_room(const struct interceptor *t)
{
	return t->options.confiner ? sizeof(((struct inject_list *)NULL)->data) : PLAIN_DATA;
}

/* -ENOSPC: there is no room for the runner. */
static int begin(const struct interceptor *t, struct injection *in, pid_t tid)
{
	struct arch_regs regs;
	unsigned long room;
	int r = arch_get_regs(tid, &regs);

	if (r < 0)
		return r;
	room = tracer_room(t, tid, &regs);
	if (room == 0 || tracer_of(t)->room_size < (size_t)(arch_runner_end - arch_runner))
		return -ENOSPC;
	in->data_address = (arch_sp(&regs) - RED_ZONE - data_room(t)) & ~63ul;
	in->list_address = (in->data_address - LISTS * LIST_BYTES) & ~63ul;
	r = write_runner(tid, room, arch_ip(&regs));
	if (r == 0)
		r = write_list(in, tid, HYPER_CALL);
	if (r < 0)
		return r;
	arch_enter_runner(&regs, room, in->list_address);
	return arch_set_regs(tid, &regs);
}

static int explain(int negative_errno, bool confines, pid_t tid, struct error *err)
{
	if (negative_errno == -EOPNOTSUPP && confines)
		return error_set(err, ERR_UNSUPPORTED,
				 "process %d is a 32-bit program, which cannot be restricted by a "
				 "policy (--real leaves it out, unrestricted)",
				 (int)tid);
	if (negative_errno == -EOPNOTSUPP)
		return error_set(err, ERR_UNSUPPORTED,
				 "process %d is a 32-bit program: what it reads and writes through "
				 "pipes and terminals is not on the tape (--real leaves it out)",
				 (int)tid);
	if (negative_errno == -ENOSPC)
		return error_set(err, ERR_LIMIT,
				 "this kernel's vDSO has no room for what recording needs");
	return tracer_ptrace_error(negative_errno, "inject into", err);
}

int tracer_inject(struct interceptor *t, struct task *task, const struct inject_list *list,
		  inject_done done, void *ctx, struct error *err)
{
	struct injection *in = calloc(1, sizeof(*in));
	int r;

	if (!in)
		return error_no_memory(err);
	in->list = *list;
	in->done = done;
	in->ctx = ctx;
	r = begin(t, in, task->tid);
	if (r < 0) {
		free(in);
		return explain(r, t->options.confiner != NULL, task->tid, err);
	}
	task->injection = in;
	return tracer_resume(task, PTRACE_CONT, 0, err);
}

/* An inject_done. */
static int confine_on(void *ctx, struct process *p, struct inject_list *list,
		      enum inject_next *ret_next, struct error *err)
{
	struct injection *in = ctx;

	return in->confiner->next(in->confiner, p->pid, in->step++, list, ret_next, err);
}

/* Begins the confiner's part behind what else was to be done. */
static int hand_to_confiner(struct injection *in, struct process *p, enum inject_next *next,
			    struct error *err)
{
	in->done = confine_on;
	in->ctx = in;
	if (*next == INJECT_GO)
		return confine_on(in, p, &in->list, next, err);
	*next = INJECT_AGAIN;
	return 0;
}

int tracer_confine(struct interceptor *t, struct task *task, struct error *err)
{
	const struct confiner *confiner = t->options.confiner;
	struct inject_list list = {.count = 0};
	enum inject_next next = INJECT_GO;
	int r;

	if (task->injection) {
		task->injection->confiner = confiner;
		return 0;
	}
	r = confiner->next(confiner, task->process->pid, 0, &list, &next, err);
	if (r < 0 || next == INJECT_GO)
		return r;
	r = tracer_inject(t, task, &list, confine_on, NULL, err);
	if (r < 0 || !task->injection)
		return r;
	task->injection->confiner = confiner;
	task->injection->ctx = task->injection;
	task->injection->step = 1;
	return 0;
}

static int read_results(struct injection *in, pid_t tid)
{
	struct runner_call calls[INJECT_MAX];
	int r = memory_read(tid, in->list_address, calls, in->list.count * sizeof(calls[0]));

	if (r == 0 && in->list.data_len > 0)
		r = memory_read(tid, in->data_address, in->list.data, in->list.data_len);
	for (unsigned i = 0; r == 0 && i < in->list.count; i++)
		in->list.call[i].result = calls[i].result;
	in->list_address += (in->list.count + 1) * sizeof(calls[0]);
	return r;
}

int tracer_on_injected(struct interceptor *t, struct task *task, struct error *err)
{
	struct injection *in = task->injection;
	enum inject_next next = INJECT_GO;
	int r = read_results(in, task->tid);

	(void)t;
	if (r < 0)
		return tracer_ptrace_error(r, "inject into", err);
	r = in->done(in->ctx, task->process, &in->list, &next, err);
	if (r < 0)
		return r;
	if (in->confiner && in->done != confine_on && next != INJECT_AGAIN)
		r = hand_to_confiner(in, task->process, &next, err);
	if (r < 0)
		return r;
	if (next == INJECT_GO)
		in->list.count = 0;
	r = write_list(in, task->tid, next == INJECT_AGAIN ? HYPER_CALL : RUNNER_GO);
	if (next != INJECT_AGAIN) {
		free(in);
		task->injection = NULL;
	}
	if (r < 0)
		return tracer_ptrace_error(r, "inject into", err);
	return tracer_resume(task, PTRACE_CONT, 0, err);
}
