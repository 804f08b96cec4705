#include "tape/intercept/shim/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int put_in_place(const struct wire_reply *reply, const int *fds)
{
	size_t next = 0;

	for (uint32_t i = 0; i < reply->place_count; i++) {
		const struct wire_place *place = &reply->place[i];
		int from = place->same_as >= 0 ? place->same_as : fds[next++];

		if (dup2(from, place->fd) < 0)
			return -errno;
	}
	return 0;
}

_Noreturn static void become_unit(const struct wire_program *program,
				  const struct wire_reply *reply, const int *fds,
				  const sigset_t *mask, const struct sigaction *chld, pid_t parent,
				  int report)
{
	int r;

	/* When its shim is killed, it is killed. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	r = put_in_place(reply, fds);
	sigaction(SIGCHLD, chld, NULL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	if (r == 0)
		r = wire_execute(program);
	(void)!write(report, &r, sizeof(r));
	_exit(127);
}

/* 0 when the pipe has ended without a word: close-on-exec has closed it. */
static int await_report(int report)
{
	ssize_t n;
	int r;

	do {
		n = read(report, &r, sizeof(r));
	} while (n < 0 && errno == EINTR);
	return n == sizeof(r) ? r : 0;
}

/* A plain fork, by the system call: fork(3) may take locks. Until its exec, its end sends no
 * SIGCHLD: where the exec fails there has been no child for the program to see. */
static pid_t fork_quietly(void)
{
	return (pid_t)syscall(SYS_clone, 0, NULL, NULL, NULL, 0);
}

int launch_unit(const struct wire_program *program, const struct wire_reply *reply, const int *fds,
		size_t fd_count, const sigset_t *mask, pid_t *ret_pid)
{
	struct sigaction plain = {.sa_handler = SIG_DFL};
	struct sigaction chld;
	pid_t self = getpid();
	int report[2];
	pid_t pid;
	int r;

	if (pipe2(report, O_CLOEXEC) < 0)
		return -errno;
	report[0] = wire_high_fd(report[0]);
	report[1] = wire_high_fd(report[1]);
	/* Ignored, the kernel would keep its status from us. */
	sigaction(SIGCHLD, &plain, &chld);
	pid = fork_quietly();
	if (pid == 0)
		become_unit(program, reply, fds, mask, &chld, self, report[1]);
	r = pid < 0 ? -errno : 0;
	close(report[1]);
	for (size_t i = 0; i < fd_count; i++)
		close(fds[i]);
	if (r == 0)
		r = await_report(report[0]);
	close(report[0]);
	if (r < 0) {
		if (pid > 0)
			waitpid(pid, NULL, __WALL);
		sigaction(SIGCHLD, &chld, NULL);
	}
	*ret_pid = pid;
	return r;
}

/* What this finds saves a fork; all else is found by trying. */
int launch_probe(const struct wire_program *program)
{
	struct stat st;

	if (program->dirfd != AT_FDCWD || program->flags != 0)
		return 0;
	if (stat(program->path, &st) < 0)
		return errno;
	if (!S_ISREG(st.st_mode))
		return EACCES;
	return faccessat(AT_FDCWD, program->path, X_OK, AT_EACCESS) < 0 ? errno : 0;
}
