/* What every backend does alike, and the way to the one that is used. */
#include "tape/intercept/interceptor.h"

#include "base/cleanup.h"
#include "base/monotonic.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct intercept_backend *const backends[] = {
	[INTERCEPT_PTRACE] = &intercept_ptrace,
	[INTERCEPT_PRELOAD] = &intercept_server,
	[INTERCEPT_PATH] = &intercept_server,
};

static const char *const backend_names[] = {
	[INTERCEPT_PTRACE] = "ptrace",
	[INTERCEPT_PRELOAD] = "preload",
	[INTERCEPT_PATH] = "path",
};

const char *intercept_backend_name(enum intercept_backend_kind kind)
{
	return backend_names[kind];
}

int intercept_backend_find(const char *name, enum intercept_backend_kind *ret, struct error *err)
{
	for (size_t i = 0; i < sizeof(backend_names) / sizeof(backend_names[0]); i++) {
		if (strcmp(backend_names[i], name) == 0) {
			*ret = (enum intercept_backend_kind)i;
			return 0;
		}
	}
	return error_set(err, ERR_INVALID, "'%s' is no backend: ptrace, preload and path are",
			 name);
}

int intercept_new(const struct intercept_options *options, const struct intercept_ops *ops,
		  void *ctx, struct interceptor **ret, struct error *err)
{
	struct interceptor *t = calloc(1, backends[options->backend]->size);
	int r;

	if (!t)
		return error_no_memory(err);
	t->backend = backends[options->backend];
	t->options = *options;
	t->ops = *ops;
	t->ctx = ctx;
	t->started.report = -1;
	r = loop_open(&t->loop, err);
	if (r < 0) {
		intercept_free(t);
		return r;
	}
	*ret = t;
	return 0;
}

void intercept_free(struct interceptor *t)
{
	if (!t)
		return;
	t->backend->end_all(t);
	if (t->backend->close)
		t->backend->close(t);
	tasks_clear(&t->tasks);
	/* What was passed on to us may come when the subject has ended: it was for the subject. */
	if (t->options.apart && t->loop.forwards)
		loop_keep_holding(&t->loop);
	loop_close(&t->loop);
	if (t->started.report >= 0)
		close(t->started.report);
	free(t);
}

/*
 * A command that the subject started as its last act may not have been executed yet: whether it
 * belongs to the run must not be chance. So forks of the subject get a moment to execute something
 * or to end. What the client says gets a longer one: a replay may have to give up an order first.
 */
bool interceptor_is_over(struct interceptor *t)
{
	uint64_t now_ns;

	if (!t->root_ended || t->keeping)
		return false;
	now_ns = monotonic_ns();
	if (t->root_gone_ns == 0)
		t->root_gone_ns = now_ns;
	if (now_ns - t->root_gone_ns < LINGER_US * UINT64_C(1000) && t->backend->any_fork(t))
		return false;
	return now_ns - t->root_gone_ns >= LINGER_ENDING_US * UINT64_C(1000) || !t->ops.lingers ||
	       !t->ops.lingers(t->ctx);
}

int interceptor_patience_us(struct interceptor *t)
{
	int patience = t->ops.patience_us ? t->ops.patience_us(t->ctx) : -1;

	if (t->root_ended && !t->keeping && (patience < 0 || patience > (int)LINGER_US))
		return (int)LINGER_US;
	return patience;
}

/* As a shell finds it: 127 is for what is not there. */
static bool is_in_path(const char *name)
{
	cleanup_free char *file = getenv("PATH") ? start_find(name) : NULL;

	return strchr(name, '/') || !getenv("PATH") || file;
}

/* After the first exec, or its failure. */
static int check_start(struct interceptor *t, int *ret_status, struct error *err)
{
	int exec_errno;
	int r = start_report(&t->started, &exec_errno, err);

	close(steal_fd(&t->started.report));
	/* execvp(3) answers EACCES for a directory of PATH that it may not look into. */
	if (exec_errno == EACCES && !is_in_path(t->options.argv[0]))
		exec_errno = ENOENT;
	if (r == 0 && exec_errno != 0) {
		*ret_status = (exec_errno == ENOENT ? 127 : 126) << 8;
		error_sys(err, exec_errno, "cannot execute %s", t->options.argv[0]);
	}
	return r;
}

int intercept_run(struct interceptor *t, int *ret_status, struct error *err)
{
	int r = t->backend->prepare(t, err);

	if (r == 0)
		r = t->backend->start(t, err);
	if (r == 0 && t->options.apart && setsid() < 0)
		r = error_sys(err, errno, "cannot leave the session of the subject");
	if (r < 0)
		return r;
	loop_forward_signals(&t->loop, t->started.pid);
	while (r == 0 && !interceptor_is_over(t))
		r = t->backend->serve(t, err);
	loop_hold_signals(); /* the tape is still to be finished */
	*ret_status = t->root_status;
	if (r == 0)
		r = check_start(t, ret_status, err);
	if (r == 0 && t->backend->check_end && !(err && err->text[0]))
		r = t->backend->check_end(t, err);
	return r;
}

int intercept_keep(struct interceptor *t, const struct intercept_ops *ops, struct error *err)
{
	int r;

	t->ops = *ops;
	t->keeping = true;
	loop_stop_forwarding(&t->loop);
	r = t->backend->keep(t, err);
	while (r == 0 && t->backend->is_kept(t))
		r = t->backend->serve(t, err);
	return r;
}

struct traced_unit *intercept_unit_of(const struct process *p)
{
	if (p->ended)
		return NULL;
	if (p->role == ROLE_SUBJECT)
		return p->decision.unit;
	return p->main ? p->unit : NULL;
}

size_t intercept_left(const struct interceptor *t)
{
	return t->backend->left(t);
}

enum subject_rest intercept_subject_rest(struct interceptor *t)
{
	return t->backend->rest(t, 0);
}

enum subject_rest intercept_rest_of(struct interceptor *t, pid_t pid)
{
	return t->backend->rest(t, pid);
}

int intercept_release(struct interceptor *t, struct process *p, struct error *err)
{
	return t->backend->release(t, p, err);
}

int intercept_watch(struct interceptor *t, int fd, uint32_t events, intercept_ready ready,
		    void *ctx, void **ret_watch, struct error *err)
{
	return loop_watch(&t->loop, fd, events, ready, ctx, ret_watch, err);
}

int intercept_watch_change(struct interceptor *t, void *watch, uint32_t events, struct error *err)
{
	return loop_watch_change(&t->loop, watch, events, err);
}

void intercept_unwatch(struct interceptor *t, void *watch)
{
	loop_unwatch(&t->loop, watch);
}

int intercept_reply(struct interceptor *t, struct process *p, long result, struct error *err)
{
	return t->backend->reply(t, p, result, err);
}

int intercept_read(struct interceptor *t, struct process *p, unsigned long address, void *into,
		   size_t len, struct error *err)
{
	return t->backend->read(t, p, address, into, len, err);
}

int intercept_write(struct interceptor *t, struct process *p, unsigned long address,
		    const void *from, size_t len, struct error *err)
{
	return t->backend->write(t, p, address, from, len, err);
}

int intercept_block_signals(struct interceptor *t, struct process *p, uint64_t mask,
			    struct error *err)
{
	return t->backend->block_signals(t, p, mask, err);
}

int intercept_unit_fd(struct interceptor *t, struct process *p, int fd)
{
	return t->backend->unit_fd(t, p, fd);
}

bool intercept_observes(const struct interceptor *t)
{
	return t->options.backend == INTERCEPT_PTRACE;
}

int intercept_swap_streams(struct interceptor *t, struct process *p, struct task *task,
			   struct stream_swaps *swaps, struct error *err)
{
	return t->backend->swap(t, p, task, swaps, err);
}
