/* The calls that an observer looks at on x86-64, and the registers that they are made with. */
#include "sandbox/observed.h"

#include "sandbox/kernel_calls_linux.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#define NO OBSERVED_NONE

#define NO_PATH			      .paths = {{NO, NO}, {NO, NO}}
#define PATHS(dir, path, dir2, path2) .paths = {{dir, path}, {dir2, path2}}
#define PATH(dir, path)		      PATHS(dir, path, NO, NO)
#define LOOK(name, need_, ...)                                                                     \
	{                                                                                          \
		.number = SYS_##name, .need = OBSERVED_##need_, __VA_ARGS__                        \
	}
#define REFUSE(name, refusal_, ...)                                                                \
	{                                                                                          \
		.number = SYS_##name, .refusal = refusal_, NO_PATH, .tests = { __VA_ARGS__ }       \
	}

const struct observed_call observed_calls[] = {
#include "sandbox/observed.def"

	LOOK(open, OPEN, PATH(NO, 0), .flags = 1),
	LOOK(creat, OPEN, PATH(NO, 0), .constant = O_CREAT | O_WRONLY | O_TRUNC),
	LOOK(mkdir, MAKE, PATH(NO, 0)),
	LOOK(mknod, MAKE, PATH(NO, 0)),
	LOOK(symlink, MAKE, PATH(NO, 1)),
	LOOK(rmdir, REMOVE, PATH(NO, 0)),
	LOOK(unlink, REMOVE, PATH(NO, 0)),
	LOOK(rename, RENAME, PATHS(NO, 0, NO, 1)),
	LOOK(link, LINK, PATHS(NO, 0, NO, 1)),
	LOOK(chown, CHANGE, PATH(NO, 0)),
	LOOK(lchown, CHANGE, PATH(NO, 0), .constant = AT_SYMLINK_NOFOLLOW),
	LOOK(pipe, NOTHING, NO_PATH),
	LOOK(dup2, NOTHING, NO_PATH),
	LOOK(fork, NOTHING, NO_PATH),
	LOOK(vfork, NOTHING, NO_PATH),
};

const size_t observed_call_count = sizeof(observed_calls) / sizeof(observed_calls[0]);

const struct observed_call *observed_find(uint32_t arch, int number)
{
	if (arch != AUDIT_ARCH_X86_64)
		return NULL;
	for (size_t i = 0; i < observed_call_count; i++)
		if (observed_calls[i].number == number && !observed_calls[i].refusal)
			return &observed_calls[i];
	return NULL;
}

/* --- registers -------------------------------------------------------------------------------- */

/* PTRACE_GETREGS has this layout for programs of 32 bits, too. */
static int get(pid_t tid, struct user_regs_struct *ret)
{
	return ptrace(PTRACE_GETREGS, tid, 0, ret) < 0 ? -errno : 0;
}

static int set(pid_t tid, const struct user_regs_struct *regs)
{
	return ptrace(PTRACE_SETREGS, tid, 0, regs) < 0 ? -errno : 0;
}

int observed_skip(pid_t tid, long result)
{
	struct user_regs_struct regs;
	int rc = get(tid, &regs);

	if (rc < 0)
		return rc;
	regs.orig_rax = -1ULL;
	regs.rax = (unsigned long)result;
	return set(tid, &regs);
}

int observed_args(pid_t tid, int *ret_number, uint64_t ret[6])
{
	struct user_regs_struct regs;
	int rc = get(tid, &regs);

	if (rc < 0)
		return rc;
	*ret_number = (int)regs.orig_rax;
	ret[0] = regs.rdi;
	ret[1] = regs.rsi;
	ret[2] = regs.rdx;
	ret[3] = regs.r10;
	ret[4] = regs.r8;
	ret[5] = regs.r9;
	return 0;
}

int observed_keep_traced(pid_t tid)
{
	struct user_regs_struct regs;
	int rc = get(tid, &regs);

	if (rc < 0 || !(regs.rdi & CLONE_UNTRACED))
		return rc;
	regs.rdi &= ~(unsigned long long)CLONE_UNTRACED;
	return set(tid, &regs);
}
