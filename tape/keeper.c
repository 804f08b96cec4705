/*
 * The subject has ended and the tape is finished, and what is left lives on as it would without us:
 * its stops are served and its output is passed on, and nothing is recorded.
 */
#include "tape/recorder.h"

static int keep_passing(struct recorded_unit *u, struct error *err)
{
	bool delivered;

	return u->capture ? capture_drain(u->capture, &delivered, err) : 0;
}

static int keep_progress(void *unit, struct error *err)
{
	struct recorded_unit *u = unit;

	(void)err;
	if (u->gone && (!u->capture || capture_ended(u->capture)))
		recorded_unit_free(u);
	return 0;
}

static int keep_started(void *ctx, struct process *p, bool *ret_detach, struct error *err)
{
	(void)ctx;
	(void)p;
	(void)ret_detach;
	(void)err;
	return 0;
}

static int keep_exec_failed(void *ctx, struct process *p, int sys_errno, struct error *err)
{
	(void)ctx;
	(void)p;
	(void)sys_errno;
	(void)err;
	return 0;
}

/* What it wrote stands where its parent looks for it. */
static int keep_ended(void *ctx, struct process *p, int wait_status, bool *ret_hold,
		      struct error *err)
{
	(void)ctx;
	(void)wait_status;
	(void)ret_hold;
	return p->unit ? keep_passing((struct recorded_unit *)p->unit, err) : 0;
}

static int keep_unit_gone(void *ctx, struct traced_unit *unit, struct error *err)
{
	struct recorded_unit *u = (struct recorded_unit *)unit;
	int r = keep_passing(u, err);

	(void)ctx;
	u->gone = true;
	if (u->capture)
		capture_unit_gone(u->capture);
	return r < 0 ? r : keep_progress(u, err);
}

static int keep_io_begins(void *ctx, struct process *p, struct io *io, bool *ret_wanted,
			  struct error *err)
{
	(void)ctx;
	(void)p;
	(void)io;
	(void)ret_wanted;
	(void)err;
	return 0;
}

static int keep_io_done(void *ctx, struct process *p, const struct io *io, struct error *err)
{
	(void)ctx;
	(void)p;
	(void)io;
	(void)err;
	return 0;
}

static int keep_signalled(void *ctx, struct process *target, int signal, struct error *err)
{
	(void)ctx;
	(void)target;
	(void)signal;
	(void)err;
	return 0;
}

static const struct intercept_ops keep_ops = {
	.started = keep_started,
	.exec_failed = keep_exec_failed,
	.ended = keep_ended,
	.unit_gone = keep_unit_gone,
	.io_begins = keep_io_begins,
	.io_done = keep_io_done,
	.signalled = keep_signalled,
};

int recorder_keep(struct recorder *r, struct error *err)
{
	r->capture_host.progress = keep_progress;
	for (struct recorded_unit *u = r->units; u; u = u->next) {
		if (u->capture)
			capture_stop(u->capture);
	}
	return intercept_keep(r->interceptor, &keep_ops, err);
}
