/*
 * What every backend's event loop has: watched descriptors, the end of children as a descriptor,
 * signals to sandtape passed on to the subject. Private to the interceptor.
 */
#ifndef SANDTAPE_TAPE_INTERCEPT_LOOP_H
#define SANDTAPE_TAPE_INTERCEPT_LOOP_H

#include "base/error.h"
#include "tape/intercept/intercept.h"
#include <signal.h>
#include <sys/resource.h>

struct epoll_event;
struct watch;

#define LOOP_FORWARDED 6

struct loop {
	int epoll_fd;
	int signal_fd; /* readable when a child has stopped or ended */
	/* What sandtape was given, before the loop changed it for itself. */
	sigset_t old_mask;
	struct sigaction old_sigpipe;
	struct sigaction old_sigchld;
	struct rlimit old_nofile;
	struct sigaction old_action[LOOP_FORWARDED];
	bool forwards; /* old_action holds what was before */
	unsigned watch_count;
	struct watch *dead_watches;
};

#define LOOP_EVENTS 32 /* served at once */

/* Blocks SIGCHLD, ignores SIGPIPE, raises the limit of descriptors: undone by loop_close(). */
int loop_open(struct loop *l, struct error *err);
void loop_close(struct loop *l); /* after a failed loop_open(), too */

/* Passes SIGINT and its like on to `to`, until loop_stop_forwarding(). One loop at a time. */
void loop_forward_signals(struct loop *l, pid_t to);
/* To nobody: what comes now does not break off what is left to do. */
void loop_hold_signals(void);
/* They do what they did before. loop_close() does this, too. */
void loop_stop_forwarding(struct loop *l);
/* They stay held until the process ends: loop_close() leaves them alone. */
void loop_keep_holding(struct loop *l);

/* As epoll_wait(2), for microseconds (whole milliseconds before Linux 5.11), -1: for ever; a signal
 * is no event and no error. `events` has room for LOOP_EVENTS. */
int loop_wait(struct loop *l, int timeout_us, struct epoll_event *events, int *ret_count,
	      struct error *err);
/* Calls those who watch. */
int loop_serve(struct loop *l, const struct epoll_event *events, int count, struct error *err);

/* intercept_watch() and the like */
int loop_watch(struct loop *l, int fd, uint32_t events, intercept_ready ready, void *ctx,
	       void **ret_watch, struct error *err);
int loop_watch_change(struct loop *l, void *watch, uint32_t events, struct error *err);
void loop_unwatch(struct loop *l, void *watch);

#endif
