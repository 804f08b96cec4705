/* Programs that do not work below a tracer: they are told, and let be. */
#include "tape/intercept/tracer.h"

#include <limits.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

int tracer_tell_limit(struct interceptor *t, pid_t pid, enum intercept_limit limit,
		      struct error *err)
{
	char link[64];
	char program[PATH_MAX];
	ssize_t len;

	if (!t->ops.limited)
		return 0;
	snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
	len = readlink(link, program, sizeof(program) - 1);
	if (len < 0) /* it is gone */
		return 0;
	program[len] = '\0';
	return t->ops.limited(t->ctx, limit, program, err);
}

int tracer_on_ptrace_call(struct interceptor *t, const struct task *task, uint64_t request,
			  struct error *err)
{
	bool begins =
		request == PTRACE_TRACEME || request == PTRACE_ATTACH || request == PTRACE_SEIZE;

	return begins ? tracer_tell_limit(t, task->tid, LIMIT_TRACES, err) : 0;
}

static const struct privilege {
	mode_t mode;
	enum intercept_limit limit;
} privileges[] = {
	{S_ISUID, LIMIT_SET_USER},
	/* Without S_IXGRP it stands for a mandatory lock. */
	{S_ISGID | S_IXGRP, LIMIT_SET_GROUP},
};

static bool is_own(const struct stat *st, enum intercept_limit limit)
{
	return limit == LIMIT_SET_USER ? st->st_uid == geteuid() : st->st_gid == getegid();
}

/* Root needs no no_new_privs for its filter, so that only others lose something. */
int tracer_check_program(struct interceptor *t, const struct process *p, struct error *err)
{
	char path[64];
	struct stat st;

	if (geteuid() == 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)p->pid);
	if (stat(path, &st) < 0) /* it is gone */
		return 0;
	for (size_t i = 0; i < sizeof(privileges) / sizeof(privileges[0]); i++) {
		const struct privilege *one = &privileges[i];

		if ((st.st_mode & one->mode) == one->mode && !is_own(&st, one->limit))
			return tracer_tell_limit(t, p->pid, one->limit, err);
	}
	/* capabilities(7) */
	if (getxattr(path, "security.capability", NULL, 0) > 0)
		return tracer_tell_limit(t, p->pid, LIMIT_CAPABILITIES, err);
	return 0;
}
