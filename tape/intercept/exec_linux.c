/* An exec of the subject: read it, let the client decide, carry the decision out. */
#include "tape/intercept/tracer.h"

#include "tape/intercept/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <unistd.h>

/* An exec call, read from the tracee. */
struct exec_call {
	struct exec_request request;
	struct buf path;
	struct memory_strings argv;
	struct memory_strings env;
	char cwd[PATH_MAX];
};

static void exec_call_clear(struct exec_call *call)
{
	buf_free(&call->path);
	memory_strings_clear(&call->argv);
	memory_strings_clear(&call->env);
}

/* What is behind a link of /proc; its length, 0 when it is gone. A name that really ends so is told
 * from a mark of the kernel's by looking. */
static size_t read_proc_link(pid_t pid, const char *name, char *into, size_t size)
{
	static const char deleted[] = " (deleted)";
	char path[64];
	struct stat there;
	struct stat named;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	n = readlink(path, into, size - 1);
	if (n < 0)
		return 0;
	into[n] = '\0';
	if ((size_t)n < sizeof(deleted) || strcmp(into + n - strlen(deleted), deleted) != 0)
		return (size_t)n;
	if (stat(path, &there) == 0 && stat(into, &named) == 0 && there.st_dev == named.st_dev &&
	    there.st_ino == named.st_ino)
		return (size_t)n;
	return 0;
}

/* execveat: an empty path is the fd itself (fexecve), a relative one starts at the fd. */
static int resolve_dirfd(pid_t pid, int dirfd, struct buf *path)
{
	char link[32];
	char base[PATH_MAX];
	struct buf whole = BUF_INIT;
	size_t len;

	if (dirfd == AT_FDCWD || (path->len > 0 && path->data[0] == '/'))
		return 0;
	snprintf(link, sizeof(link), "fd/%d", dirfd);
	len = read_proc_link(pid, link, base, sizeof(base));
	if (buf_add(&whole, base, len) < 0 || (path->len > 0 && buf_add_char(&whole, '/') < 0) ||
	    buf_add(&whole, path->data, path->len) < 0) {
		buf_free(&whole);
		return -ENOMEM;
	}
	buf_free(path);
	*path = whole;
	return 0;
}

/* Where the arguments stand in each call. */
struct exec_args {
	int path, argv, env;
};

static const struct exec_args exec_args[] = {
	[CALL_EXECVE] = {0, 1, 2},
	[CALL_EXECVEAT] = {1, 2, 3},
};

/* -errno; -EFAULT and -E2BIG are what the kernel itself will answer. */
static int read_exec(const struct interceptor *t, const struct task *task,
		     const struct arch_call *call, struct exec_call *ret)
{
	const struct exec_args *at = &exec_args[call->kind];
	const uint64_t *args = task->call_args;
	int r = memory_read_string(task->tid, args[at->path], PATH_MAX, &ret->path);

	if (r == 0 && call->kind == CALL_EXECVEAT)
		r = resolve_dirfd(task->process->pid, (int)args[0], &ret->path);
	if (r == 0)
		r = memory_read_strings(task->tid, args[at->argv], call->word, &ret->argv);
	if (r == 0 && t->options.want_env)
		r = memory_read_strings(task->tid, args[at->env], call->word, &ret->env);
	ret->request = (struct exec_request){
		.path = {ret->path.data, ret->path.len},
		.argv = ret->argv.item,
		.argc = ret->argv.count,
		.env = ret->env.item,
		.env_count = ret->env.count,
	};
	ret->request.may_wait = !task->process->put_off;
	ret->request.cwd.data = ret->cwd;
	ret->request.cwd.len =
		read_proc_link(task->process->pid, "cwd", ret->cwd, sizeof(ret->cwd));
	return r;
}

static int change_call(const struct task *task, enum call_kind kind, unsigned long stub_path,
		       int fail_with, struct error *err)
{
	struct arch_regs regs;
	int r = arch_get_regs(task->tid, &regs);

	if (r == -EOPNOTSUPP)
		return error_set(err, ERR_UNSUPPORTED,
				 "process %d of the subject is a 32-bit program, whose commands "
				 "cannot be answered from a tape",
				 (int)task->process->pid);
	if (r == 0 && fail_with)
		arch_skip_call(&regs, -fail_with);
	else if (r == 0)
		arch_set_path(&regs, kind, stub_path);
	if (r == 0)
		r = arch_set_regs(task->tid, &regs);
	return r < 0 ? tracer_ptrace_error(r, "answer", err) : 0;
}

/*
 * A search through PATH fails most of its attempts. Where the file is not there the kernel's answer
 * is known, and the stop at the exit of the call is saved. (Seen from another root the file may be
 * there: the exec then succeeds, and is treated so.)
 */
static bool is_missing(const struct exec_request *request)
{
	return request->path.len > 0 && request->path.data[0] == '/' &&
	       access(request->path.data, F_OK) < 0 && errno == ENOENT;
}

static int let_miss(struct interceptor *t, const struct task *task, struct error *err)
{
	int r = t->ops.exec_failed(t->ctx, task->process, ENOENT, err);

	return r < 0 ? r : tracer_resume(task, PTRACE_CONT, 0, err);
}

static int refuse(struct interceptor *t, struct task *task, enum call_kind kind, struct error *err)
{
	int r = t->ops.exec_failed(t->ctx, task->process, EACCES, err);

	if (r == 0)
		r = change_call(task, kind, 0, EACCES, err);
	return r < 0 ? r : tracer_resume(task, PTRACE_CONT, 0, err);
}

static int carry_out(struct interceptor *t, struct task *task, enum call_kind kind,
		     struct error *err)
{
	struct process *p = task->process;
	int r = 0;

	switch (p->decision.action) {
	case EXEC_SUBJECT:
	case EXEC_REAL:
		return tracer_resume(task, PTRACE_CONT, 0, err);
	case EXEC_FAIL:
		r = change_call(task, kind, 0, p->decision.error, err);
		return r < 0 ? r : tracer_resume(task, PTRACE_CONT, 0, err);
	case EXEC_STUB:
		if (!p->planted)
			return error_set(err, ERR_UNSUPPORTED,
					 "process %d of the subject has no vDSO that could hold "
					 "the path of the stub: its commands cannot be answered",
					 (int)p->pid);
		r = change_call(task, kind, p->planted, 0, err);
		break;
	case EXEC_LATER:
		p->put_off = task->tid;
		t->put_off++;
		return 0;
	case EXEC_UNIT:
		break;
	}
	task->watch = WATCH_EXEC;
	return r < 0 ? r : tracer_resume(task, PTRACE_SYSCALL, 0, err);
}

int tracer_on_exec_call(struct interceptor *t, struct task *task, const struct arch_call *call,
			struct error *err)
{
	struct process *p = task->process;
	struct exec_call exec = {0};
	bool missing = false, refused = false;
	int r;

	if (p->role != ROLE_SUBJECT)
		return tracer_resume(task, PTRACE_CONT, 0, err);
	if (t->keeping) {
		p->decision = (struct exec_decision){.action = EXEC_REAL};
		return tracer_resume(task, PTRACE_CONT, 0, err);
	}
	p->decision = (struct exec_decision){.action = EXEC_SUBJECT};
	r = read_exec(t, task, call, &exec);
	if (r == -EFAULT || r == -E2BIG || r == -ESRCH) {
		/* The kernel will refuse the same; or it has been killed. */
		exec_call_clear(&exec);
		return tracer_resume(task, PTRACE_CONT, 0, err);
	}
	if (r < 0)
		r = tracer_ptrace_error(r, "read the exec of", err);
	else
		r = t->ops.exec(t->ctx, p, &exec.request, &p->decision, err);
	if (r == 0 && p->decision.action == EXEC_UNIT)
		missing = is_missing(&exec.request);
	if (r == 0 && p->decision.action == EXEC_UNIT && !missing)
		r = tracer_refuses_exec(t, p, &exec.request, &refused, err);
	exec_call_clear(&exec);
	if (r == 0 && missing)
		return let_miss(t, task, err);
	if (r == 0 && refused)
		return refuse(t, task, call->kind, err);
	return r < 0 ? r : carry_out(t, task, call->kind, err);
}

int intercept_ask_again(struct interceptor *t, struct process *p, struct error *err)
{
	struct task *task = p->put_off ? tasks_find(&t->tasks, p->put_off) : NULL;

	if (p->put_off)
		t->put_off--;
	p->put_off = 0;
	return task ? tracer_on_seccomp(t, task, err) : 0;
}

int tracer_on_exec_failed(struct interceptor *t, struct task *task, int sys_errno,
			  struct error *err)
{
	struct process *p = task->process;

	p->decision.unit = NULL;
	if (p->decision.action == EXEC_STUB)
		return error_sys(err, sys_errno, "the subject cannot execute sandtape's stub %s",
				 t->options.stub_path);
	return t->ops.exec_failed(t->ctx, p, sys_errno, err);
}

struct survivor {
	struct interceptor *t;
	const struct task *task;
};

static void remove_other_thread(void *ctx, struct task *task)
{
	struct survivor *s = ctx;

	if (task->process == s->task->process && task != s->task)
		tasks_remove(&s->t->tasks, task);
}

/* All other threads are gone, and the one that called exec has the leader's number now. */
static void become_single(struct interceptor *t, struct task *task)
{
	struct survivor survivor = {t, task};

	if (task->process->put_off)
		t->put_off--;
	task->process->put_off = 0;
	if (task->process->threads > 1)
		tasks_each(&t->tasks, remove_other_thread, &survivor);
	task->process->threads = 1;
	task->watch = WATCH_NONE;
}

#define UNIT_OPTIONS                                                                               \
	(PTRACE_O_EXITKILL | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |    \
	 PTRACE_O_TRACECLONE | PTRACE_O_TRACESYSGOOD)

static int become_unit(struct interceptor *t, struct task *task, bool *ret_detach,
		       struct error *err)
{
	struct process *p = task->process;
	const struct confiner *confiner = t->options.confiner;
	long options = UNIT_OPTIONS;
	int r = 0;

	if (confiner && confiner->exits)
		options |= PTRACE_O_TRACEEXIT;
	p->role = p->decision.action == EXEC_STUB ? ROLE_STUB : ROLE_UNIT;
	/* What its descendants execute is not told apart, so it need not stop. */
	if (p->role == ROLE_UNIT && ptrace(PTRACE_SETOPTIONS, task->tid, 0, options) < 0 &&
	    errno != ESRCH)
		return tracer_ptrace_error(-errno, "set up", err);
	if (p->decision.action == EXEC_REAL)
		return 0;
	p->main = true;
	p->unit = p->decision.unit;
	p->unit->parent = p->parent;
	p->unit->processes++;
	if (t->ops.streams && p->role == ROLE_UNIT)
		r = t->ops.streams(t->ctx, p, task, err);
	if (r == 0 && confiner && p->role == ROLE_UNIT)
		r = tracer_confine(t, task, err);
	return r < 0 ? r : t->ops.started(t->ctx, p, ret_detach, err);
}

static int become_subject(struct interceptor *t, struct process *p, struct error *err)
{
	p->in_place = !p->decision.hands_over;
	p->spreads = p->decision.spreads;
	p->subject_id = p->decision.subject_id;
	return tracer_plant(t, p, err);
}

int tracer_on_exec_done(struct interceptor *t, struct task *task, struct error *err)
{
	struct process *p = task->process;
	bool detach = false;
	int r = 0;

	become_single(t, task);
	if (p->role != ROLE_STUB && p->decision.action != EXEC_STUB)
		r = tracer_check_program(t, p, err);
	if (r < 0)
		return r;
	if (p->role == ROLE_SUBJECT && p->decision.action == EXEC_SUBJECT)
		r = become_subject(t, p, err);
	else if (p->role == ROLE_SUBJECT)
		r = become_unit(t, task, &detach, err);
	if (r < 0 || task->injection)
		return r; /* the injection has resumed it */
	if (detach)
		return tracer_let_go(t, task, err);
	return tracer_resume(task, PTRACE_CONT, 0, err);
}
