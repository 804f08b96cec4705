/* The inside of the interceptor, shared by its files. */
#ifndef SANDTAPE_TAPE_INTERCEPT_TRACER_H
#define SANDTAPE_TAPE_INTERCEPT_TRACER_H

#include "tape/intercept/interceptor.h"
#include <sys/ptrace.h>

struct tracer {
	struct interceptor common;
	unsigned held_count;
	pid_t writer;	    /* the thread that is in a call which is to be alone, or 0 */
	bool kill_waits;    /* perhaps; see tracer_retry_kills() */
	bool has_spare_cpu; /* to look for events instead of sleeping */
	int spin_trust;
	unsigned spin_skipped;
	/* The zero bytes behind the end of every 64-bit process's vDSO: an offset into it. */
	unsigned long room_offset;
	size_t room_size;
};

static inline struct tracer *tracer_of(const struct interceptor *t)
{
	return (struct tracer *)t;
}

/* stops_linux.c: what a stop or an end means */
int tracer_add_root(struct interceptor *t, pid_t pid, struct error *err);
int tracer_on_stop(struct interceptor *t, pid_t tid, int status, struct error *err);
int tracer_on_end(struct interceptor *t, pid_t tid, int wait_status, struct error *err);

/* Serves a stop at a call of the filter; again, when what the call had to wait for has come. */
int tracer_on_seccomp(struct interceptor *t, struct task *task, struct error *err);

/* io_linux.c: a unit is about to move bytes, or has done so: `result` is that of its call */
int tracer_on_io_call(struct interceptor *t, struct task *task,
		      const struct __ptrace_syscall_info *info, struct error *err);
int tracer_on_io_done(struct interceptor *t, struct task *task, uint64_t result, struct error *err);

/* The call is over, or its thread: the next one that is to be alone may begin. */
int tracer_end_writer(struct interceptor *t, pid_t tid, struct error *err);

/* signals_linux.c */
/* A call that sends a signal. */
int tracer_on_kill(struct interceptor *t, struct task *task, const struct arch_call *call,
		   const uint64_t *args, struct error *err);
/* A signal is about to be delivered; a process stops, or is born. */
int tracer_on_signal(struct interceptor *t, struct task *task, int signal, struct error *err);
int tracer_on_event_stop(struct interceptor *t, const struct task *task, int signal,
			 struct error *err);
/* Whether nothing comes of the signal, in a thread that does not block it. */
bool tracer_drops(pid_t tid, int signal);

/* repeat_linux.c */
/* The signal is about to be delivered: what it has interrupted is made again, should nothing come
 * of it. */
int tracer_repeat_call(struct task *task, int signal, struct error *err);
/* The repeated call is over. */
int tracer_on_repeated(struct task *task, int64_t result, struct error *err);

/* kill_linux.c: a signal to what is about to execute something */
/* Whether the sender has to wait in its stop; `target` is a pid as for kill(2). */
bool tracer_hold_kill(struct interceptor *t, struct task *sender, pid_t target);
int tracer_retry_kills(struct interceptor *t, struct error *err);
/* The process group that kill(2) means by a `target` of 0 or less; 0: every process. */
pid_t tracer_target_group(const struct task *sender, pid_t target);

/* idle_linux.c: 'S' sleeps in a system call, 'R' runs, 't' is in one of our stops, 'Z' waits to be
 * reaped, 'X' is gone. */
char tracer_state_of(const struct task *task);
/* It has left its program, and maybe closed its files, but is not over yet. */
bool tracer_is_exiting(const struct process *p);
/* No process of this number runs, whoever it was. */
bool tracer_is_over(pid_t pid);
enum subject_rest tracer_rest(struct interceptor *t, pid_t of); /* 0: of all the subject */

/* Lets the only task of a process go for good, and forgets both. */
int tracer_let_go(struct interceptor *t, struct task *task, struct error *err);
/* Lets a task go on. A task that was killed meanwhile (ESRCH) is no error. */
int tracer_resume(const struct task *task, int request, int signal, struct error *err);
/* error_sys() but for -ESRCH, which is 0: the process was killed, and its end will be told. */
int tracer_ptrace_error(int negative_errno, const char *what, struct error *err);

/* limits_linux.c: what does not work here */
int tracer_tell_limit(struct interceptor *t, pid_t pid, enum intercept_limit limit,
		      struct error *err);
int tracer_on_ptrace_call(struct interceptor *t, const struct task *task, uint64_t request,
			  struct error *err);
int tracer_check_program(struct interceptor *t, const struct process *p, struct error *err);

/* exec_linux.c: an exec of the subject */
int tracer_on_exec_call(struct interceptor *t, struct task *task, const struct arch_call *call,
			struct error *err);
int tracer_on_exec_done(struct interceptor *t, struct task *task, struct error *err);
int tracer_on_exec_failed(struct interceptor *t, struct task *task, int sys_errno,
			  struct error *err);

/* confined_linux.c: a unit that is restricted, and what it is denied; nothing for any other task */
/* A filter has stopped its call. *ret_refused: it has been skipped. */
int tracer_on_confined_call(struct interceptor *t, struct task *task,
			    const struct __ptrace_syscall_info *info, bool *ret_refused,
			    struct error *err);
int tracer_on_confined_call_end(struct interceptor *t, struct task *task,
				const struct __ptrace_syscall_info *info, struct error *err);
int tracer_on_confined_signal(struct interceptor *t, struct task *task, int signal,
			      struct error *err);
int tracer_on_confined_end(struct interceptor *t, struct task *task, int wait_status,
			   struct error *err);
/* The stop of a task that exits. */
int tracer_on_exit(struct interceptor *t, struct task *task, struct error *err);
/* Whether what restricts units keeps this program from being executed. */
int tracer_refuses_exec(struct interceptor *t, struct process *p,
			const struct exec_request *request, bool *ret, struct error *err);

/* vdso_linux.c: room in the memory of every process */
int tracer_find_room(struct interceptor *t, struct error *err);
/* The address of the room in a process that has just executed a program and not begun to run it
 * (regs); 0 when there is none. */
unsigned long tracer_room(const struct interceptor *t, pid_t tid, const struct arch_regs *regs);
int tracer_plant(struct interceptor *t, struct process *p, struct error *err);

/* stops_linux.c: intercept_release() and intercept_reply() */
int tracer_release(struct interceptor *t, struct process *p, struct error *err);
int tracer_reply(struct interceptor *t, struct process *p, long result, struct error *err);

int tracer_block_signals(struct interceptor *t, struct process *p, uint64_t mask,
			 struct error *err);

/* swap_linux.c: intercept_unit_fd() and intercept_swap_streams() */
int tracer_unit_fd(struct interceptor *t, struct process *p, int fd);
int tracer_swap(struct interceptor *t, struct process *p, struct task *task,
		struct stream_swaps *swaps, struct error *err);

/*
 * Makes the process run system calls of its own before its program starts; only from `started`.
 * `done` sees the results of a list at a stop, and says how to go on.
 */
typedef int (*inject_done)(void *ctx, struct process *p, struct inject_list *list,
			   enum inject_next *ret_next, struct error *err);
int tracer_inject(struct interceptor *t, struct task *task, const struct inject_list *list,
		  inject_done done, void *ctx, struct error *err);

/* inject_linux.c */
/* Likewise, the calls of options.confiner, after those that it is about to make already. */
int tracer_confine(struct interceptor *t, struct task *task, struct error *err);
int tracer_on_injected(struct interceptor *t, struct task *task, struct error *err);

#endif
