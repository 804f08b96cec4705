/* The shim above a program that is recorded. */
#include "tape/intercept/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static bool is_pipe_or_socket(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

static void close_range_of(unsigned from, unsigned to)
{
	struct rlimit limit;

	if (from > to || syscall(SYS_close_range, from, to, 0) == 0)
		return;
	/* Before Linux 5.9 */
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > 65536)
		limit.rlim_cur = 65536;
	for (unsigned fd = from; fd <= to && fd < limit.rlim_cur; fd++)
		close((int)fd);
}

/* What it holds open would keep readers and writers waiting that the program itself has let go.
 * stdin alone stays, to tell in the end whether it was read to its end. */
static void close_all_but(int sock, int life)
{
	unsigned first = (unsigned)(sock < life ? sock : life);
	unsigned second = (unsigned)(sock < life ? life : sock);

	close_range_of(is_pipe_or_socket(0) ? 1 : 0, first - 1);
	close_range_of(first + 1, second - 1);
	close_range_of(second + 1, ~0u);
}

static bool stdin_has_ended(void)
{
	struct pollfd ready = {.fd = 0, .events = POLLIN};
	int left = 0;
	char byte;

	if (!is_pipe_or_socket(0) || poll(&ready, 1, 0) < 1)
		return false;
	if (recv(0, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
		return true;
	return errno == ENOTSOCK && (ready.revents & POLLHUP) && ioctl(0, FIONREAD, &left) == 0 &&
	       left == 0;
}

/* A program, and who stands above it. */
struct watch {
	int sock;
	int signals;	  /* signalfd(2) */
	pid_t pid;	  /* of the program */
	pid_t waker;	  /* see stop_with(); -1: none yet */
	bool was_stopped; /* and has not been told to go on since */
	bool told_stop;	  /* the last stop was its own */
	uint64_t outer; /* bit n: the signal n, which stops, did not come from the program itself */
};

static void tell_signal(const struct watch *w, int signal, pid_t sender)
{
	const struct wire_ask ask = {.kind = WIRE_SIGNAL, .number = signal, .pid = sender};

	wire_send(w->sock, &ask, NULL, 0);
}

/* Tells, and waits until the output so far is delivered. Without a server there is nobody to wait
 * for. */
static void tell_and_wait(const struct watch *w, const struct wire_ask *ask)
{
	struct wire_reply reply;
	int fds[WIRE_FDS];
	size_t count;

	if (wire_send(w->sock, ask, NULL, 0) == 0)
		wire_receive(w->sock, &reply, fds, &count);
}

static void tell_stop(const struct watch *w, int signal)
{
	const struct wire_ask ask = {.kind = WIRE_STOPPED, .number = signal};

	tell_and_wait(w, &ask);
}

static bool is_stop(int signal)
{
	return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

/* What by default does nothing (signal(7)) does nothing: a replay must not wait for it. */
static bool is_lost(const struct watch *w, int signal)
{
	switch (signal) {
	case SIGCONT:
		return !w->was_stopped && !shim_is_noticed(w->pid, signal);
	case SIGCHLD:
	case SIGURG:
	case SIGWINCH:
		return !shim_is_noticed(w->pid, signal);
	default:
		return false;
	}
}

/* What the kernel sends for a terminal goes to the whole group, so the program has it already. What
 * the program sent to its group is nothing that the subject did. To one that is exiting a signal
 * does nothing: its parent has seen the end of its output, and not its end. */
static void hand_on(struct watch *w, const struct signalfd_siginfo *info)
{
	int signal = (int)info->ssi_signo;
	pid_t sender = (pid_t)info->ssi_pid;

	if (signal == SIGCHLD && info->ssi_code > 0)
		return;
	if (sender == w->waker) {
		if (w->told_stop)
			tell_stop(w, signal);
		w->was_stopped = w->told_stop = false;
		return;
	}
	if (sender != w->pid && is_stop(signal))
		w->outer |= 1ull << signal;
	if (info->ssi_code > 0 || sender == w->pid)
		return;
	/* SIGCONT to the whole group has made it go on already, and perhaps it is over. */
	if (shim_is_exiting(w->pid) && !(signal == SIGCONT && w->was_stopped))
		return;
	if (!is_lost(w, signal))
		tell_signal(w, signal, sender);
	w->was_stopped = w->was_stopped && signal != SIGCONT;
	kill(w->pid, signal);
}

static void serve_signals(struct watch *w)
{
	struct signalfd_siginfo info;

	while (read(w->signals, &info, sizeof(info)) == sizeof(info))
		hand_on(w, &info);
}

_Noreturn static void end_like(int wait_status)
{
	if (WIFSIGNALED(wait_status))
		stub_die(WTERMSIG(wait_status), 0);
	_exit(WEXITSTATUS(wait_status));
}

/* The program stays a zombie until the server has heard all: it looks at who sent signals. */
_Noreturn static void tell_end(const struct watch *w, int wait_status)
{
	struct wire_ask ask = {.kind = WIRE_ENDED, .number = wait_status};

	if (stdin_has_ended())
		ask.flags = WIRE_STDIN_ENDED;
	close(0); /* its writer may wait for that, and the recorder for the writer */
	tell_and_wait(w, &ask);
	waitpid(w->pid, NULL, __WALL);
	end_like(wait_status);
}

/* As wait(2) would have it: <bits/waitstatus.h>. */
static int wait_status_of(const siginfo_t *info)
{
	if (info->si_code == CLD_EXITED)
		return info->si_status << 8;
	return info->si_status | (info->si_code == CLD_DUMPED ? 0x80 : 0);
}

static void look_at_end(const struct watch *w)
{
	siginfo_t info = {.si_pid = 0};

	if (waitid(P_PID, (id_t)w->pid, &info, WEXITED | WNOWAIT | WNOHANG | __WALL) == 0 &&
	    info.si_pid == w->pid)
		tell_end(w, wait_status_of(&info));
}

#define WAKE_MS 20

/* Nobody but a parent hears of a process that goes on, and the shim is stopped by then. */
_Noreturn static void wake_when_it_goes_on(pid_t shim, pid_t pid)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close_range_of(0, ~0u);
	while (getppid() == shim && shim_is_stopped(pid))
		poll(NULL, 0, WAKE_MS);
	if (getppid() == shim)
		kill(shim, SIGCONT);
	_exit(0);
}

/* Stops as the program has, until SIGCONT comes: from the subject; or, when something else has made
 * the program go on, from a child of ours that looks at it. */
static void stop_with(struct watch *w, int signal)
{
	pid_t self = getpid();
	sigset_t all;

	w->was_stopped = true;
	w->waker = fork();
	if (w->waker == 0)
		wake_when_it_goes_on(self, w->pid);
	stub_stop(signal);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	if (w->waker > 0) { /* without one it waits for the subject alone */
		kill(w->waker, SIGKILL);
		waitpid(w->waker, NULL, 0);
	}
}

/* Its parent is to see that as well. What goes on again by now, nobody has seen. */
static void look_at_stop(struct watch *w)
{
	siginfo_t info = {.si_pid = 0};
	bool is_own;

	if (waitid(P_PID, (id_t)w->pid, &info, WSTOPPED | WNOHANG | __WALL) < 0 ||
	    info.si_pid != w->pid)
		return;
	serve_signals(w); /* what has stopped it may have come to us, too */
	is_own = !(w->outer >> info.si_status & 1);
	w->outer = 0;
	if (!shim_is_stopped(w->pid))
		return;
	w->told_stop = is_own;
	if (is_own)
		tell_stop(w, info.si_status);
	stop_with(w, info.si_status);
}

_Noreturn void shim_supervise(int sock, int life, pid_t pid)
{
	const struct sigaction plain = {.sa_handler = SIG_DFL};
	struct watch w = {.sock = sock, .pid = pid, .waker = -1};
	struct pollfd wait[2] = {{.events = POLLIN}, {.fd = sock, .events = POLLIN}};
	sigset_t all;

	fcntl(sock, F_SETFD, FD_CLOEXEC);
	close_all_but(sock, life);
	sigaction(SIGCHLD, &plain, NULL);
	sigfillset(&all);
	w.signals = wait[0].fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	prctl(PR_SET_DUMPABLE, 0); /* a core is the program's */
	for (;;) {
		look_at_end(&w);
		look_at_stop(&w);
		poll(wait, 2, -1);
		serve_signals(&w);
		/* The server says nothing yet: it has gone. */
		if (wait[1].revents)
			kill(pid, SIGKILL);
		if (wait[1].revents)
			_exit(125);
	}
}
