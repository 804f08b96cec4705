/* The recorder, what goes to and fro: signals that a unit is sent, that it sends, and by which it
 * stops. */
#include "tape/recorder.h"

#include "tape/capture.h"
#include <signal.h>

static int add_signal(struct recorder *r, struct recorded_unit *u, int signal, struct error *err)
{
	uint64_t time_ns = session_now(&r->session) - u->unit.time.start_ns;

	r->capture_host.last_event = NULL;
	if (unit_add_signal(&u->unit, signal) < 0 ||
	    unit_add_chunk_apart(&u->unit, CHUNK_SIGNAL, (uint64_t)signal, time_ns) < 0)
		return error_no_memory(err);
	return 0;
}

int recorder_on_signalled(void *ctx, struct process *target, int signal, struct error *err)
{
	struct recorded_unit *u = (struct recorded_unit *)intercept_unit_of(target);

	return add_signal(ctx, u, signal, err);
}

/* The terminal is one of the subject's making: it will send the signal again. */
int recorder_on_terminal_signalled(void *ctx, struct process *target, int signal, struct error *err)
{
	struct recorded_unit *u = (struct recorded_unit *)target->unit;

	if (!u || !u->capture || u->ended || !capture_has_terminal(u->capture))
		return 0;
	return add_signal(ctx, u, signal, err);
}

int recorder_on_flush(void *ctx, struct process *p, struct error *err)
{
	struct recorded_unit *u = (struct recorded_unit *)p->unit;
	bool delivered;

	(void)ctx;
	return u && u->capture ? capture_drain(u->capture, &delivered, err) : 0;
}

int recorder_on_sent(void *ctx, struct process *p, int signal, struct error *err)
{
	struct recorder *r = ctx;
	struct recorded_unit *u = (struct recorded_unit *)p->unit;
	uint64_t time_ns = session_now(&r->session) - u->unit.time.start_ns;

	if (!u->capture || u->ended)
		return 0;
	r->capture_host.last_event = NULL;
	if (unit_add_sent(&u->unit, signal) < 0 ||
	    unit_add_chunk_apart(&u->unit, CHUNK_SENT, u->unit.sent_count - 1, time_ns) < 0)
		return error_no_memory(err);
	return 0;
}

int recorder_on_not_sent(void *ctx, struct process *p, int signal, struct error *err)
{
	struct recorded_unit *u = (struct recorded_unit *)p->unit;

	(void)ctx;
	(void)err;
	if (u->capture && !u->ended)
		unit_drop_sent(&u->unit, signal);
	return 0;
}

/* What it wrote before it stopped is there. One that its own unit makes go on would wait in a
 * replay for what nobody sends: it counts as not stopped. */
int recorder_on_stopped(void *ctx, struct process *p, int signal, struct error *err)
{
	struct recorder *r = ctx;
	struct recorded_unit *u = (struct recorded_unit *)p->unit;
	uint64_t time_ns = session_now(&r->session) - u->unit.time.start_ns;
	bool delivered;
	int result;

	if (!u->capture || u->ended)
		return 0;
	if (signal == SIGCONT) {
		unit_drop_stop(&u->unit);
		return 0;
	}
	result = capture_drain(u->capture, &delivered, err);
	if (result < 0)
		return result;
	r->capture_host.last_event = NULL;
	if (unit_add_stop(&u->unit, signal) < 0 ||
	    unit_add_chunk_apart(&u->unit, CHUNK_STOP, u->unit.stop_count - 1, time_ns) < 0)
		return error_no_memory(err);
	return 0;
}
