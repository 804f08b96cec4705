/* Units that are restricted: their stops are shown to what restricts them, and what it says that
 * they are denied is handed on to the client. */
#include "tape/intercept/tracer.h"

#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

struct listener {
	struct interceptor *t;
	struct process *process;
	struct denied_ear ear;
};

static int hear(void *ctx, const struct denied *denied, struct error *err)
{
	struct listener *l = ctx;

	return l->t->ops.denied ? l->t->ops.denied(l->t->ctx, l->process, denied, err) : 0;
}

static const struct denied_ear *listen(struct interceptor *t, struct process *p, struct listener *l)
{
	*l = (struct listener){t, p, {hear, l}};
	return &l->ear;
}

/* Not before its restrictions are there. */
static const struct confiner *confiner_of(const struct interceptor *t, const struct task *task)
{
	const struct process *p = task->process;

	return p->role == ROLE_UNIT && p->unit && !task->injection ? t->options.confiner : NULL;
}

int tracer_on_confined_call(struct interceptor *t, struct task *task,
			    const struct __ptrace_syscall_info *info, bool *ret_refused,
			    struct error *err)
{
	const struct confiner *confiner = confiner_of(t, task);
	struct confined_call call = {.arch = info->arch, .number = (int)info->seccomp.nr};
	enum confined_next next = CONFINED_GO;
	struct listener l;
	int r;

	task->confined = false;
	if (!confiner || !confiner->call_begins)
		return 0;
	for (int i = 0; i < 6; i++)
		call.args[i] = info->seccomp.args[i];
	r = confiner->call_begins(confiner, task->tid, &call, listen(t, task->process, &l), &next,
				  err);
	task->confined = next == CONFINED_WATCH;
	*ret_refused = next == CONFINED_REFUSED;
	return r;
}

int tracer_on_confined_call_end(struct interceptor *t, struct task *task,
				const struct __ptrace_syscall_info *info, struct error *err)
{
	const struct confiner *confiner = confiner_of(t, task);
	struct listener l;

	if (!task->confined || !confiner)
		return 0;
	task->confined = false;
	if (info->op != PTRACE_SYSCALL_INFO_EXIT || !info->exit.is_error)
		return 0;
	return confiner->call_ends(confiner, task->tid, info->arch, (int)-info->exit.rval,
				   listen(t, task->process, &l), err);
}

int tracer_on_confined_signal(struct interceptor *t, struct task *task, int signal,
			      struct error *err)
{
	const struct confiner *confiner = confiner_of(t, task);
	struct listener l;

	return confiner ? confiner->signalled(confiner, task->tid, signal,
					      listen(t, task->process, &l), err)
			: 0;
}

int tracer_on_exit(struct interceptor *t, struct task *task, struct error *err)
{
	const struct confiner *confiner = confiner_of(t, task);
	unsigned long status;
	struct listener l;
	int r = 0;

	task->confined = false;
	if (confiner && confiner->exits && ptrace(PTRACE_GETEVENTMSG, task->tid, 0, &status) == 0)
		r = confiner->exits(confiner, task->tid, (int)status, listen(t, task->process, &l),
				    err);
	return r < 0 ? r : tracer_resume(task, PTRACE_CONT, 0, err);
}

int tracer_on_confined_end(struct interceptor *t, struct task *task, int wait_status,
			   struct error *err)
{
	const struct confiner *confiner = confiner_of(t, task);
	struct listener l;

	return confiner ? confiner->ended(confiner, task->process->pid, wait_status,
					  listen(t, task->process, &l), err)
			: 0;
}

/* What the confiner would refuse, if it were there already: as the kernel would for it. */
int tracer_refuses_exec(struct interceptor *t, struct process *p,
			const struct exec_request *request, bool *ret, struct error *err)
{
	const struct confiner *confiner = t->options.confiner;
	/* Without a directory the kernel finds nothing that is not absolute. */
	const char *cwd = request->cwd.len > 0 ? request->cwd.data : "/";
	struct listener l;

	if (!confiner || request->path.len == 0 ||
	    (request->cwd.len == 0 && request->path.data[0] != '/'))
		return 0;
	return confiner->refuses(confiner, p->pid, cwd, request->path.data, listen(t, p, &l), ret,
				 err);
}
