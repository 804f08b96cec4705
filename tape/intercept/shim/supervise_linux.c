/* The shim above a program that is recorded. */
#include "tape/intercept/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
static void close_all_but(int sock)
{
	unsigned kept = (unsigned)sock;

	close_range_of(is_pipe_or_socket(0) ? 1 : 0, kept - 1);
	close_range_of(kept + 1, ~0u);
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

static void tell_signal(int sock, const struct signalfd_siginfo *info)
{
	const struct wire_ask ask = {
		.kind = WIRE_SIGNAL, .number = info->ssi_signo, .pid = (int64_t)info->ssi_pid};

	wire_send(sock, &ask, NULL, 0);
}

/* PF_EXITING of the kernel's include/linux/sched.h, in proc(5)'s field "flags". */
#define FLAG_EXITING 0x4u

static bool is_exiting(pid_t pid)
{
	char path[64];
	char stat[512];
	unsigned flags = 0;
	const char *paren;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, stat, sizeof(stat) - 1);
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return false;
	stat[n] = '\0';
	paren = strrchr(stat, ')'); /* the name before it may hold anything */
	return paren && sscanf(paren + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) == 1 &&
	       (flags & FLAG_EXITING);
}

/* What the kernel sends for a terminal goes to the whole group, so the program has it already. What
 * the program sent to its group is nothing that the subject did. To one that is exiting a signal
 * does nothing: its parent has seen the end of its output, and not its end. */
static void hand_on(int sock, pid_t pid, const struct signalfd_siginfo *info)
{
	if (info->ssi_code > 0 || info->ssi_pid == (uint32_t)pid || is_exiting(pid))
		return;
	tell_signal(sock, info);
	kill(pid, (int)info->ssi_signo);
}

_Noreturn static void end_like(int wait_status)
{
	if (WIFSIGNALED(wait_status))
		stub_die(WTERMSIG(wait_status), 0);
	_exit(WEXITSTATUS(wait_status));
}

/* The program stays a zombie until the server has heard all: it looks at who sent signals. */
_Noreturn static void tell_end(int sock, pid_t pid, int wait_status)
{
	struct wire_ask ask = {.kind = WIRE_ENDED, .number = wait_status};
	struct wire_reply reply;
	int fds[WIRE_FDS];
	size_t count;

	if (stdin_has_ended())
		ask.flags = WIRE_STDIN_ENDED;
	close(0); /* its writer may wait for that, and the recorder for the writer */
	/* Without a server there is nobody to wait for. */
	if (wire_send(sock, &ask, NULL, 0) == 0)
		wire_receive(sock, &reply, fds, &count);
	waitpid(pid, NULL, __WALL);
	end_like(wait_status);
}

/* As wait(2) would have it: <bits/waitstatus.h>. */
static int wait_status_of(const siginfo_t *info)
{
	if (info->si_code == CLD_EXITED)
		return info->si_status << 8;
	return info->si_status | (info->si_code == CLD_DUMPED ? 0x80 : 0);
}

/* Its end, or a stop, which the parent is to see as well. */
static void look_at_program(int sock, pid_t pid)
{
	siginfo_t info = {.si_pid = 0};

	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | WNOHANG | __WALL) == 0 &&
	    info.si_pid == pid)
		tell_end(sock, pid, wait_status_of(&info));
	info.si_pid = 0;
	if (waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOHANG | __WALL) == 0 &&
	    info.si_pid == pid)
		kill(getpid(), SIGSTOP);
}

_Noreturn void shim_supervise(int sock, pid_t pid)
{
	const struct sigaction plain = {.sa_handler = SIG_DFL};
	struct signalfd_siginfo info;
	struct pollfd wait[2] = {{.events = POLLIN}, {.fd = sock, .events = POLLIN}};
	sigset_t all;

	fcntl(sock, F_SETFD, FD_CLOEXEC);
	close_all_but(sock);
	sigaction(SIGCHLD, &plain, NULL);
	sigfillset(&all);
	wait[0].fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	prctl(PR_SET_DUMPABLE, 0); /* a core is the program's */
	for (;;) {
		look_at_program(sock, pid);
		poll(wait, 2, -1);
		while (read(wait[0].fd, &info, sizeof(info)) == sizeof(info)) {
			if (info.ssi_signo != SIGCHLD)
				hand_on(sock, pid, &info);
		}
		/* The server says nothing yet: it has gone. */
		if (wait[1].revents)
			kill(pid, SIGKILL);
		if (wait[1].revents)
			_exit(125);
	}
}
