#include "tools/front.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct report {
	int status;
	bool stays; /* the worker */
};

static volatile sig_atomic_t worker;
static volatile sig_atomic_t last_signal;

static void forward(int sig, siginfo_t *info, void *context)
{
	int saved = errno;

	(void)context;
	last_signal = sig;
	/* The terminal signals the whole foreground group: the subject has it already. */
	if (info->si_code != SI_KERNEL)
		kill((pid_t)worker, sig);
	errno = saved;
}

static const int forwarded[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
#define FORWARDED (sizeof(forwarded) / sizeof(forwarded[0]))

static void forward_signals(pid_t to)
{
	struct sigaction action = {.sa_sigaction = forward, .sa_flags = SA_SIGINFO | SA_RESTART};

	worker = to;
	for (size_t i = 0; i < FORWARDED; i++)
		sigaction(forwarded[i], &action, NULL);
}

static int wait_for_worker(pid_t pid, int report_fd, int *ret_status, struct error *err)
{
	struct report report;
	int wait_status = 0;
	ssize_t n;

	do
		n = read(report_fd, &report, sizeof(report));
	while (n < 0 && errno == EINTR);
	if (n == sizeof(report) && report.stays) {
		*ret_status = report.status;
		return 0;
	}
	/* ECHILD when SIGCHLD is ignored: it is gone all the same. */
	while (waitpid(pid, &wait_status, 0) < 0 && errno == EINTR)
		;
	/* Before the program runs and after it has ended, a signal means sandtape itself. */
	if (n != sizeof(report) && WIFSIGNALED(wait_status) &&
	    WTERMSIG(wait_status) == last_signal) {
		*ret_status = 128 + last_signal;
		return 0;
	}
	if (n != sizeof(report) && WIFSIGNALED(wait_status))
		return error_set(err, ERR_SYSTEM,
				 "the recording process %d was killed (%s), and with it the "
				 "program; what it had recorded is on the tape",
				 (int)pid, strsignal(WTERMSIG(wait_status)));
	/* Without a report it has said itself why it exits. */
	*ret_status = n == sizeof(report) ? report.status : WEXITSTATUS(wait_status);
	return 0;
}

static void become_worker(pid_t front)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != front) /* it was killed before that */
		_exit(EXIT_FAILURE);
}

static int be_front(pid_t pid, int report_fd, const sigset_t *mask, int *ret_status,
		    struct error *err)
{
	int r;

	forward_signals(pid);
	sigprocmask(SIG_SETMASK, mask, NULL);
	r = wait_for_worker(pid, report_fd, ret_status, err);
	close(report_fd);
	return r;
}

int front_split(struct front *ret, bool *ret_is_worker, int *ret_status, struct error *err)
{
	pid_t front = getpid();
	sigset_t all;
	sigset_t mask;
	int report[2];
	pid_t pid;

	if (pipe2(report, O_CLOEXEC) < 0)
		return error_sys(err, errno, "cannot make a pipe");
	fflush(NULL);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &mask); /* none gets lost before it can be passed on */
	pid = fork();
	if (pid > 0) {
		close(report[1]);
		*ret_is_worker = false;
		return be_front(pid, report[0], &mask, ret_status, err);
	}
	close(report[0]);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	if (pid < 0) {
		int saved = errno;

		close(report[1]);
		return error_sys(err, saved, "cannot fork");
	}
	become_worker(front);
	ret->report = report[1];
	*ret_is_worker = true;
	return 0;
}

static void tell(struct front *f, int status, bool stays)
{
	struct report report = {status, stays};

	if (f->report < 0)
		return;
	/* A front that was killed meanwhile needs no status. */
	(void)!write(f->report, &report, sizeof(report));
	close(f->report);
	f->report = -1;
}

void front_end(struct front *f, int status)
{
	tell(f, status, false);
}

/* What we opened ourselves is close-on-exec; what we were given cannot be. Whoever reads from the
 * other end of it waits for those who really have it. */
static void close_inherited(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		int fd = atoi(entry->d_name);
		int flags = fcntl(fd, F_GETFD);

		if (fd > 2 && flags >= 0 && !(flags & FD_CLOEXEC))
			close(fd);
	}
	if (dir)
		closedir(dir);
}

void front_leave(struct front *f, int status)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	fflush(NULL);
	for (int fd = 0; fd <= 2; fd++) {
		if (null >= 0)
			dup2(null, fd);
		else
			close(fd);
	}
	if (null > 2)
		close(null);
	close_inherited();
	(void)!chdir("/");
	prctl(PR_SET_PDEATHSIG, 0);
	tell(f, status, true);
}
