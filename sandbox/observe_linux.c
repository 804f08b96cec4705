/*
 * The observer of a program: its tracer (ptrace(2)). Of tasks it keeps nothing: what it has to know
 * of a stop is in the task itself.
 */
#include "sandbox/observe.h"

#include "base/cleanup.h"
#include <dirent.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPTIONS                                                                                    \
	(PTRACE_O_EXITKILL | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |    \
	 PTRACE_O_TRACECLONE | PTRACE_O_TRACESYSGOOD)

/* What cannot be resumed would stand still for ever, and what cannot be refused would be done. */
static void check(pid_t tid, long rc)
{
	if (rc < 0 && rc != -ESRCH)
		kill(tid, SIGKILL);
}

static void resume(pid_t tid, int request, int signal)
{
	check(tid, ptrace(request, tid, 0, signal) < 0 ? -errno : 0);
}

static void go_on(pid_t tid)
{
	resume(tid, PTRACE_CONT, 0);
}

/* --- calls -------------------------------------------------------------------------------------
 */

/* Those that tell of a sandbox. What is not there is told when it is there outside. */
bool observe_may_be_denied(int error)
{
	switch (error) {
	case EACCES:
	case EADDRNOTAVAIL:
	case EAGAIN:
	case EFBIG:
	case ELOOP:
	case EMFILE:
	case ENETUNREACH:
	case ENFILE:
	case ENOENT:
	case ENOMEM:
	case ENOSYS:
	case EPERM:
	case EROFS:
	case ESRCH:
	case EXDEV:
		return true;
	default:
		return false;
	}
}

static void refuse(pid_t tid, int error)
{
	check(tid, observed_skip(tid, -error));
	go_on(tid);
}

static void tell_refused(struct observer *o, pid_t tid, const struct observe_call *call)
{
	if (!o->uses)
		observe_tell_call(o, tid, call);
	refuse(tid, call->error);
}

static void let_go(struct observer *o, pid_t tid, const struct observe_call *call)
{
	if (call->number == SYS_clone && observed_find(call->arch, call->number))
		check(tid, observed_keep_traced(tid));
	resume(tid, !o->uses || observe_use_begins(o, tid, call) ? PTRACE_SYSCALL : PTRACE_CONT, 0);
}

/*
 * What the policy refuses is known from its filter, not from what the stop says: a filter that the
 * program has installed itself could say the same. Who asks for a tracer gets none.
 *
 * A thread that is killed in the stop, as by an exec of another one, is gone, or in its last stop,
 * of which is told later. It does not make the call; and a signal to it would be one to its
 * process, which is the program that was executed.
 */
static void on_seccomp(struct observer *o, pid_t tid)
{
	struct __ptrace_syscall_info info = {.op = PTRACE_SYSCALL_INFO_NONE};
	struct observe_call call = {.filtered = true};
	uint32_t answer;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info) < 0) {
		check(tid, -errno);
		return;
	}
	if (info.op != PTRACE_SYSCALL_INFO_SECCOMP)
		return;
	call.arch = info.arch;
	call.number = (int)info.seccomp.nr;
	for (size_t i = 0; i < 6; i++)
		call.args[i] = info.seccomp.args[i];
	answer = observe_policy(o, call.arch, call.number, call.args);
	if ((answer & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_TRACE) {
		call.error = (int)(answer & OBSERVED_ERRNO);
		if (!o->uses || observe_group_of(call.error) < 0) {
			tell_refused(o, tid, &call);
			return;
		}
	} else if (info.seccomp.ret_data != OBSERVED_COOKIE ||
		   !observed_find(call.arch, call.number)) {
		refuse(tid, ENOSYS);
		return;
	}
	let_go(o, tid, &call);
}

/* What does not wait is under way. */
static bool is_to_be_told(const struct observer *o, int error)
{
	if (o->uses)
		return error == 0 || error == EINPROGRESS;
	return error && observe_may_be_denied(error);
}

static void on_call_end(struct observer *o, pid_t tid)
{
	struct __ptrace_syscall_info info;
	struct observe_call call = {.filtered = false};

	if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info) < 0)
		info.op = PTRACE_SYSCALL_INFO_NONE;
	if (info.op == PTRACE_SYSCALL_INFO_EXIT &&
	    (info.exit.rval == -EAGAIN || info.exit.rval == -ENOMEM))
		o->tasks++; /* one that was not made has had a number, too */
	if (info.op == PTRACE_SYSCALL_INFO_EXIT &&
	    is_to_be_told(o, info.exit.is_error ? (int)-info.exit.rval : 0) &&
	    observed_args(tid, &call.number, call.args) == 0) {
		call.arch = info.arch;
		call.error = info.exit.is_error ? (int)-info.exit.rval : 0;
		call.result = info.exit.rval;
		if (o->uses)
			observe_use_ends(o, tid, &call);
		else
			observe_tell_call(o, tid, &call);
	}
	go_on(tid);
}

/* --- stops -------------------------------------------------------------------------------------
 */

static bool is_stop(int signal)
{
	return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

static void on_exit_stop(struct observer *o, pid_t tid)
{
	unsigned long status;

	if (ptrace(PTRACE_GETEVENTMSG, tid, 0, &status) == 0)
		observe_tell_exit(o, tid, (int)status);
	go_on(tid);
}

/* A task has its number until it has been waited for. */
static void forget_reaped(struct observe_uses *uses)
{
	unsigned left = 0;

	for (unsigned i = 0; i < uses->ended_count; i++)
		if (kill(uses->ended[i], 0) == 0 || errno != ESRCH)
			uses->ended[left++] = uses->ended[i];
	uses->ended_count = left;
}

static void count_task(struct observer *o)
{
	struct observe_uses *uses = o->uses;

	o->tasks++;
	if (!uses)
		return;
	uses->tasks++;
	if (uses->tasks + uses->ended_count > uses->most_tasks)
		forget_reaped(uses);
	if (uses->tasks + uses->ended_count > uses->most_tasks)
		uses->most_tasks = uses->tasks + uses->ended_count;
}

static void count_end(struct observe_uses *uses, pid_t tid)
{
	if (uses->tasks > 0)
		uses->tasks--;
	if (uses->ended_count == OBSERVE_ENDED_MAX)
		forget_reaped(uses);
	if (uses->ended_count < OBSERVE_ENDED_MAX)
		uses->ended[uses->ended_count++] = tid;
}

static void on_stop(struct observer *o, pid_t tid, int status)
{
	int signal = WSTOPSIG(status);

	switch (status >> 16) {
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
	case PTRACE_EVENT_CLONE:
		count_task(o);
		go_on(tid);
		break;
	case PTRACE_EVENT_SECCOMP:
		on_seccomp(o, tid);
		break;
	case PTRACE_EVENT_EXIT:
		on_exit_stop(o, tid);
		break;
	case PTRACE_EVENT_STOP: /* of its group, which stays one; or it is new */
		resume(tid, is_stop(signal) ? PTRACE_LISTEN : PTRACE_CONT, 0);
		break;
	case 0:
		if (signal == (SIGTRAP | 0x80)) {
			on_call_end(o, tid);
			break;
		}
		if (!o->uses)
			observe_tell_signal(o, tid, signal);
		resume(tid, PTRACE_CONT, signal);
		break;
	default:
		go_on(tid);
	}
}

/* Until the runner has ended. */
static int serve(struct observer *o, int *ret_status, struct error *err)
{
	for (;;) {
		int status;
		pid_t tid = waitpid(-1, &status, __WALL);

		if (tid < 0 && errno == EINTR)
			continue;
		if (tid < 0)
			return error_sys(err, errno, "cannot wait for the program");
		if (WIFSTOPPED(status)) {
			on_stop(o, tid, status);
		} else if (tid == o->runner) {
			*ret_status = status;
			return 0;
		} else if (o->uses) {
			count_end(o->uses, tid);
		}
	}
}

/* --- the end -----------------------------------------------------------------------------------
 */

static bool is_traced_by(const char *pid, pid_t tracer)
{
	char path[64], line[256];
	cleanup_fclose FILE *f = NULL;
	int found = 0;

	snprintf(path, sizeof(path), "/proc/%.20s/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "TracerPid: %d", &found) == 1)
			break;
	return found == tracer;
}

/* false: there is no list of processes. */
static bool kill_traced(void)
{
	const pid_t self = (pid_t)syscall(SYS_gettid);
	cleanup_closedir DIR *proc = opendir("/proc");
	struct dirent *entry;

	while (proc && (entry = readdir(proc)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
		    is_traced_by(entry->d_name, self))
			kill((pid_t)strtol(entry->d_name, NULL, 10), SIGKILL);
	return proc;
}

/* What the runner has left. What is new since the list was read stops. */
static void end_traced(void)
{
	int status;
	pid_t tid = waitpid(-1, &status, __WALL | WNOHANG);

	if ((tid < 0 && errno == ECHILD) || !kill_traced())
		return;
	for (;;) {
		if (tid > 0 && WIFSTOPPED(status)) {
			kill(tid, SIGKILL);
			ptrace(PTRACE_CONT, tid, 0, 0);
		}
		tid = waitpid(-1, &status, __WALL);
		if (tid < 0 && errno != EINTR)
			return;
	}
}

static void end_runner(pid_t runner, int *ret_status)
{
	kill(runner, SIGKILL);
	while (waitpid(runner, ret_status, __WALL) < 0 && errno == EINTR)
		;
}

/* --- the beginning -----------------------------------------------------------------------------
 */

static int read_number(const char *path)
{
	cleanup_fclose FILE *f = fopen(path, "re");
	int number = -1;

	return f && fscanf(f, "%d", &number) == 1 ? number : -1;
}

/* What is no process of this one's own is ESRCH, unless a filter refuses the call as such. */
static bool is_filtered(void)
{
	return ptrace(PTRACE_CONT, getpid(), 0, 0) < 0 && errno != ESRCH;
}

static int explain_refusal(int error, struct error *err)
{
	int scope = read_number("/proc/sys/kernel/yama/ptrace_scope");

	if (is_filtered())
		return error_set(err, ERR_UNSUPPORTED,
				 "a filter of system calls around this process, as containers have "
				 "one, refuses ptrace: allow it there, or run without observing");
	if (scope >= 2)
		return error_set(err, ERR_UNSUPPORTED,
				 "this host does not let processes be traced "
				 "(kernel.yama.ptrace_scope is %d): lower it, or run without "
				 "observing",
				 scope);
	return error_set(err, ERR_UNSUPPORTED,
			 "the program cannot be traced (%s), perhaps since another tracer (strace, "
			 "gdb, sandtape) has it already, or a container forbids it: run without "
			 "that, or without observing",
			 strerror(error));
}

bool observe_has_kills(const struct filter *f)
{
	for (unsigned i = 0; i < f->len; i++) {
		uint32_t action = f->code[i].k & SECCOMP_RET_ACTION_FULL;

		if (f->code[i].code == (BPF_RET | BPF_K) &&
		    (action == SECCOMP_RET_KILL_PROCESS || action == SECCOMP_RET_KILL_THREAD))
			return true;
	}
	return false;
}

/* Whether nothing was started (ERR_NOTFOUND) the runner tells itself. */
static int take_over(struct observer *o, int socket, struct error *err)
{
	cleanup_close int runner = (int)syscall(SYS_pidfd_open, o->runner, 0);
	unsigned long options = OPTIONS;
	pid_t program = 0;
	int rc;

	if (runner < 0)
		return error_sys(err, errno, "cannot watch process %d", (int)o->runner);
	rc = observed_await(socket, runner, &program, &o->policys, err);
	if (rc < 0)
		return rc;
	if (observe_has_kills(&o->policys))
		options |= PTRACE_O_TRACEEXIT;
	if (ptrace(PTRACE_SEIZE, program, 0, options) < 0)
		return errno == ESRCH ? error_set(err, ERR_NOTFOUND, "the program was killed")
				      : explain_refusal(errno, err);
	return observed_answer(socket, err);
}

static int observe(struct observer *o, int socket, int *ret_status, struct error *err)
{
	struct error why = {0};
	int rc = take_over(o, socket, &why);

	if (rc < 0 && rc != ERR_NOTFOUND && err)
		*err = why;
	if (rc < 0 && rc != ERR_NOTFOUND && rc != ERR_UNSUPPORTED)
		end_runner(o->runner, ret_status);
	/* A program that still waits for an answer has no one to give it: it ends, and the runner
	 * clears up behind it. */
	shutdown(socket, SHUT_RDWR);
	if (rc == 0 || rc == ERR_NOTFOUND)
		rc = serve(o, ret_status, err);
	else if (rc == ERR_UNSUPPORTED)
		serve(o, ret_status, NULL);
	end_traced();
	filter_free(&o->policys);
	observe_free_paths(o);
	return rc;
}

int sandbox_observe(int socket, pid_t runner, sandbox_see see, void *ctx, int *ret_status,
		    struct error *err)
{
	struct observer o = {.runner = runner, .see = see, .ctx = ctx};

	return observe(&o, socket, ret_status, err);
}

int observe_uses(int socket, pid_t runner, struct observe_uses *uses, int *ret_status,
		 struct error *err)
{
	struct observer o = {.runner = runner, .uses = uses};

	uses->tasks = uses->most_tasks = 1; /* the program itself */
	uses->ended_count = 0;
	return observe(&o, socket, ret_status, err);
}
