/* The clone of a start. Where clone3 is not there (inside another sandbox, in containers with
 * older filters) clone makes the same child, and what it has no flags for is done otherwise. */
#include "sandbox/child.h"

#include "sandbox/clone.h"
#include "sandbox/kernel.h"
#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>

/* The kernel's own struct, for the call of the kernel's: libc's hides the signals that it uses. */
struct handler {
	void *function;
	unsigned long flags;
	void *restorer;
	unsigned long mask;
};

#define FLAGS_OF_CLONE3 (CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP)

/* As CLONE_CLEAR_SIGHAND does: what is ignored stays so. The handlers are a copy of the parent's,
 * but would run in its memory. */
static void clear_handlers(void)
{
	const struct handler none = {.function = (void *)SIG_DFL};
	const long size = sizeof(none.mask);

	for (long sig = 1; sig < _NSIG; sig++) {
		struct handler now;

		if (kernel_call4(SYS_rt_sigaction, sig, 0, (long)&now, size) == 0 &&
		    now.function != (void *)SIG_IGN && now.function != (void *)SIG_DFL)
			kernel_call4(SYS_rt_sigaction, sig, (long)&none, 0, size);
	}
}

struct newborn {
	void (*fn)(void *);
	struct birth *birth;
};

/* The struct is on the stack of the parent, which waits, or of which this is a copy. */
static void begin(void *newborn)
{
	const struct newborn *n = newborn;

	clear_handlers();
	n->fn(n->birth);
}

static long clone_plainly(const struct clone_args *args, void (*fn)(void *), struct birth *b)
{
	struct newborn n = {fn, b};

	return sandbox_clone((args->flags & ~(uint64_t)FLAGS_OF_CLONE3) | args->exit_signal,
			     (char *)(uintptr_t)args->stack + args->stack_size,
			     (int *)(uintptr_t)args->pidfd, begin, &n);
}

long child_clone(struct clone_args *args, void (*fn)(void *), struct birth *b)
{
	long pid;

	b->in_cgroup = args->flags & CLONE_INTO_CGROUP;
	pid = sandbox_clone3(args, sizeof(*args), fn, b);
	if (pid != -ENOSYS)
		return pid;
	b->in_cgroup = false;
	return clone_plainly(args, fn, b);
}
