#include "tape/intercept/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct watch {
	int fd;
	intercept_ready ready;
	void *ctx;
	struct watch *next_dead;
	bool dead;
};

/* Signals to sandtape itself: a handler, because it must act while a loop sleeps in waitid. */
static volatile sig_atomic_t forward_to;

static void forward(int sig, siginfo_t *info, void *context)
{
	int saved = errno;

	(void)context;
	/* The terminal signals the whole foreground group: the subject has it already. */
	if (info->si_code != SI_KERNEL && forward_to > 0)
		kill((pid_t)forward_to, sig);
	errno = saved;
}

static const int forwarded[LOOP_FORWARDED] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

/* Each unit that runs takes some of our descriptors, and hundreds may run at once. */
static void raise_nofile(struct loop *l)
{
	struct rlimit raised;

	getrlimit(RLIMIT_NOFILE, &l->old_nofile);
	raised = l->old_nofile;
	raised.rlim_cur = raised.rlim_max;
	setrlimit(RLIMIT_NOFILE, &raised); /* without it, the limit is met later, and told */
}

int loop_open(struct loop *l, struct error *err)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	struct sigaction plain = {.sa_handler = SIG_DFL};
	sigset_t chld;

	*l = (struct loop){.epoll_fd = -1, .signal_fd = -1};
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, &l->old_mask);
	/* Ignored, as we may have inherited it, nothing would wake us, and ends would be lost. */
	sigaction(SIGCHLD, &plain, &l->old_sigchld);
	/* A reader that has gone is told by EPIPE. */
	sigaction(SIGPIPE, &ignore, &l->old_sigpipe);
	raise_nofile(l);
	l->signal_fd = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->signal_fd < 0 || l->epoll_fd < 0 ||
	    epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->signal_fd, &event) < 0)
		return error_sys(err, errno, "cannot set up the event loop");
	return 0;
}

void loop_forward_signals(struct loop *l, pid_t to)
{
	struct sigaction action = {.sa_sigaction = forward, .sa_flags = SA_SIGINFO};

	forward_to = to;
	for (size_t i = 0; i < LOOP_FORWARDED; i++)
		sigaction(forwarded[i], &action, &l->old_action[i]);
	l->forwards = true;
}

void loop_hold_signals(void)
{
	forward_to = 0;
}

void loop_stop_forwarding(struct loop *l)
{
	for (size_t i = 0; l->forwards && i < LOOP_FORWARDED; i++)
		sigaction(forwarded[i], &l->old_action[i], NULL);
	l->forwards = false;
	forward_to = 0;
}

void loop_keep_holding(struct loop *l)
{
	loop_hold_signals();
	l->forwards = false;
}

static void bury_watches(struct loop *l)
{
	while (l->dead_watches) {
		struct watch *w = l->dead_watches;

		l->dead_watches = w->next_dead;
		free(w);
	}
}

void loop_close(struct loop *l)
{
	bury_watches(l);
	loop_stop_forwarding(l);
	if (l->signal_fd >= 0) {
		close(l->signal_fd);
		sigaction(SIGPIPE, &l->old_sigpipe, NULL);
		sigaction(SIGCHLD, &l->old_sigchld, NULL);
		setrlimit(RLIMIT_NOFILE, &l->old_nofile);
		sigprocmask(SIG_SETMASK, &l->old_mask, NULL);
	}
	if (l->epoll_fd >= 0)
		close(l->epoll_fd);
}

/* Linux 5.11; the number is the same on all processors. */
#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

#define US_PER_MS 1000

static int wait_us(int epoll_fd, int timeout_us, struct epoll_event *events)
{
	/* As the kernel has it, whatever time_t the C library was built with. */
	const struct {
		int64_t seconds;
		int64_t ns;
	} timeout = {timeout_us / 1000000, (int64_t)(timeout_us % 1000000) * 1000};
	int count;

	if (timeout_us <= 0)
		return epoll_wait(epoll_fd, events, LOOP_EVENTS, timeout_us);
	count = (int)syscall(SYS_epoll_pwait2, epoll_fd, events, LOOP_EVENTS, &timeout, NULL, 0);
	if (count >= 0 || errno != ENOSYS)
		return count;
	return epoll_wait(epoll_fd, events, LOOP_EVENTS, (timeout_us + US_PER_MS - 1) / US_PER_MS);
}

int loop_wait(struct loop *l, int timeout_us, struct epoll_event *events, int *ret_count,
	      struct error *err)
{
	*ret_count = wait_us(l->epoll_fd, timeout_us, events);
	if (*ret_count < 0 && errno != EINTR)
		return error_sys(err, errno, "cannot wait for events");
	return 0;
}

int loop_serve(struct loop *l, const struct epoll_event *events, int count, struct error *err)
{
	int r = 0;

	for (int i = 0; r == 0 && i < count; i++) {
		struct watch *w = events[i].data.ptr;
		struct signalfd_siginfo info[8];

		if (w && !w->dead)
			r = w->ready(w->ctx, events[i].events, err);
		else if (!w) /* SIGCHLD: only its arrival matters */
			while (read(l->signal_fd, info, sizeof(info)) > 0)
				;
	}
	bury_watches(l);
	return r;
}

int loop_watch(struct loop *l, int fd, uint32_t events, intercept_ready ready, void *ctx,
	       void **ret_watch, struct error *err)
{
	struct watch *w = calloc(1, sizeof(*w));
	struct epoll_event event = {.events = events, .data.ptr = w};

	if (!w)
		return error_no_memory(err);
	*w = (struct watch){.fd = fd, .ready = ready, .ctx = ctx};
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		int saved = errno;

		free(w);
		return error_sys(err, saved, "cannot watch a stream");
	}
	l->watch_count++;
	*ret_watch = w;
	return 0;
}

int loop_watch_change(struct loop *l, void *watch, uint32_t events, struct error *err)
{
	struct watch *w = watch;
	struct epoll_event event = {.events = events, .data.ptr = w};

	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, w->fd, &event) < 0)
		return error_sys(err, errno, "cannot watch a stream");
	return 0;
}

/* The batch of events in hand may still name the watch: it is freed after the batch. */
void loop_unwatch(struct loop *l, void *watch)
{
	struct watch *w = watch;

	epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
	w->dead = true;
	w->next_dead = l->dead_watches;
	l->dead_watches = w;
	l->watch_count--;
}
