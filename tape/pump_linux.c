/* Passing on what a unit writes into a pipe or socket of ours, no faster than its reader reads. */
#include "tape/capture_parts.h"

#include "base/cleanup.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

void capture_close_source(struct stream_capture *s)
{
	struct interceptor *t = s->owner->host->interceptor;

	if (s->source_watch)
		intercept_unwatch(t, s->source_watch);
	if (s->original_watch)
		intercept_unwatch(t, s->original_watch);
	s->source_watch = NULL;
	s->original_watch = NULL;
	if (s->source >= 0)
		close(steal_fd(&s->source));
	/* With it goes our hold on the subject's pipe: its reader sees the end. */
	if (s->original >= 0)
		close(steal_fd(&s->original));
}

/* The reader is gone: the unit gets EPIPE from ours, as it would have from its own. */
static void lose_reader(struct stream_capture *s)
{
	s->reader_gone = true;
	buf_clear(&s->pending);
	s->pending_at = 0;
	capture_close_source(s);
}

static bool is_pending(const struct stream_capture *s)
{
	return s->pending_at < s->pending.len;
}

/* While the reader is slow the unit is not read, so that it waits as it would have. */
static int update_watches(struct stream_capture *s, struct error *err)
{
	struct interceptor *t = s->owner->host->interceptor;
	bool wait_for_reader = is_pending(s);
	int r = 0;

	if (s->source_watch)
		r = intercept_watch_change(t, s->source_watch, wait_for_reader ? 0 : EPOLLIN, err);
	if (r == 0 && s->original_watch)
		r = intercept_watch_change(t, s->original_watch, wait_for_reader ? EPOLLOUT : 0,
					   err);
	return r;
}

static int pass_pending(struct stream_capture *s, struct error *err)
{
	int r = 0;

	while (r == 0 && is_pending(s)) {
		const char *bytes = s->pending.data + s->pending_at;
		ssize_t n = stream_write_some(s->original, s->kind, bytes,
					      s->pending.len - s->pending_at);

		if (n >= 0) {
			r = capture_note(s, bytes, (size_t)n, session_now(s->owner->host->session),
					 err);
			s->pending_at += (size_t)n;
		} else if (errno == EAGAIN) {
			return 0;
		} else if (errno == EPIPE || errno == ECONNRESET) {
			lose_reader(s);
			return 0;
		} else if (errno != EINTR) {
			return error_sys(err, errno, "cannot pass on the output of a unit");
		}
	}
	if (!is_pending(s)) {
		buf_clear(&s->pending);
		s->pending_at = 0;
	}
	return r;
}

static int take(struct stream_capture *s, const char *bytes, size_t len, struct error *err)
{
	if (buf_add(&s->pending, bytes, len) < 0)
		return error_no_memory(err);
	return pass_pending(s, err);
}

#define READ_SIZE 65536

/* Reads until there is nothing more, or the reader is behind. */
static int pump(struct stream_capture *s, struct error *err)
{
	static char bytes[READ_SIZE];
	int r = pass_pending(s, err);

	while (r == 0 && s->source >= 0 && !is_pending(s)) {
		ssize_t n = read(s->source, bytes, sizeof(bytes));

		if (n > 0) {
			r = take(s, bytes, (size_t)n, err);
		} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
			s->closed_ns = session_now(s->owner->host->session);
			capture_close_source(s);
		} else if (errno == EAGAIN) {
			break;
		}
	}
	return r;
}

int capture_drain(struct capture *c, bool *ret_delivered, struct error *err)
{
	int r = 0;

	*ret_delivered = true;
	for (unsigned i = 1; r == 0 && i < c->count; i++) {
		struct stream_capture *s = &c->stream[i];

		if (s->method != METHOD_PUMP || s->source < 0)
			continue;
		r = pump(s, err);
		if (r == 0)
			r = update_watches(s, err);
		if (is_pending(s))
			*ret_delivered = false;
	}
	return r;
}

static int serve(struct stream_capture *s, struct error *err)
{
	struct capture *c = s->owner;
	int r = pump(s, err);

	if (r == 0)
		r = update_watches(s, err);
	return r < 0 ? r : c->host->progress(c->unit_ctx, err);
}

static int source_ready(void *ctx, uint32_t events, struct error *err)
{
	struct stream_capture *s = ctx;

	/* A hang-up while the reader is behind comes again and again: its bytes must wait. */
	if (is_pending(s) && (events & EPOLLHUP) && s->source_watch) {
		intercept_unwatch(s->owner->host->interceptor, s->source_watch);
		s->source_watch = NULL;
		return 0;
	}
	return serve(s, err);
}

static int original_ready(void *ctx, uint32_t events, struct error *err)
{
	struct stream_capture *s = ctx;

	if (events & (EPOLLERR | EPOLLHUP)) { /* all readers are gone */
		lose_reader(s);
		return s->owner->host->progress(s->owner->unit_ctx, err);
	}
	return serve(s, err);
}

int capture_watch_source(struct stream_capture *s, struct error *err)
{
	struct interceptor *t = s->owner->host->interceptor;
	int r;

	if (fcntl(s->source, F_SETFL, O_NONBLOCK) < 0)
		return error_sys(err, errno, "cannot set up a unit's stream");
	r = intercept_watch(t, s->source, EPOLLIN, source_ready, s, &s->source_watch, err);
	if (r == 0 && (s->kind == STREAM_PIPE || s->kind == STREAM_SOCKET || s->kind == STREAM_TTY))
		r = intercept_watch(t, s->original, 0, original_ready, s, &s->original_watch, err);
	return r;
}
