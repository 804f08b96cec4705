#include "tape/command_parts.h"

#include "base/cleanup.h"
#include "tape/spool.h"
#include <signal.h>
#include <string.h>

static int add_all(struct strings *to, const struct strings *from)
{
	int r = 0;

	for (size_t i = 0; r == 0 && from && i < from->count; i++)
		r = strings_add(to, from->item[i]);
	return r;
}

/* What only the old head says; the names of roots and variables are the session's, which are those
 * of the old tape too. */
static int fill_head(const struct tape *t, const struct tape_head *old, struct tape_head *h)
{
	int r = 0;

	h->version = TAPE_FORMAT_VERSION;
	h->backend = strdup(old && old->backend ? old->backend : "api");
	if (!h->backend)
		return ERR_NOMEM;
	for (size_t i = 0; r == 0 && i < roots_count(t->session.roots); i++)
		r = strings_add(&h->roots, roots_name(t->session.roots, i));
	if (r == 0)
		r = add_all(&h->env, &t->session.env);
	if (r == 0 && old)
		r = add_all(&h->command, &old->command);
	if (r == 0 && old)
		r = add_all(&h->through, &old->through);
	return r == 0 && old ? add_all(&h->real, &old->real) : r;
}

static int open_writer(const struct tape *t, const struct tape_head *old, struct tape_writer **ret,
		       struct error *err)
{
	struct tape_head head = {0};
	int r = fill_head(t, old, &head) < 0 ? error_no_memory(err) : 0;

	if (r == 0)
		r = tape_writer_open(t->path, &head, t->sync, ret, err);
	tape_head_clear(&head);
	return r;
}

/* The old records go first, and what is new begins after their end: times of two recordings must
 * not look as if the two had run at once. Commands may have begun before we come here. */
static int continue_old(struct tape *t, struct tape_writer *w, struct error *err)
{
	struct tape_past past;
	int r = tape_writer_continue(w, NULL, &past, err);

	if (r < 0)
		return r;
	t->shift_ns = past.end_ns;
	t->episode = past.episode + 1;
	return 0;
}

int command_open_writer(struct tape *t, struct error *err)
{
	const struct tape_head *old = t->reader ? tape_reader_head(t->reader) : NULL;
	struct tape_writer *w = NULL;
	int r = 0;

	if (t->writer)
		return 0;
	r = old ? session_check_roots(&t->session, old, t->path, err) : 0;
	if (r == 0)
		r = open_writer(t, old, &w, err);
	if (r == 0 && old)
		r = continue_old(t, w, err);
	if (r < 0) {
		tape_writer_free(w);
		return r;
	}
	t->writer = w;
	return 0;
}

static int write_spawn(struct tape_child *c, struct error *err)
{
	struct tape *t = c->tape;
	int r;

	pthread_mutex_lock(&t->lock);
	c->unit.time.start_ns = c->started_ns - t->opened_ns + t->shift_ns;
	c->unit.time.episode = t->episode;
	r = tape_writer_spawn(t->writer, &c->unit, err);
	pthread_mutex_unlock(&t->lock);
	return r;
}

int command_start(struct tape_child *c, const struct tape_command *command, const char *cwd,
		  struct error *err)
{
	struct tape *t = c->tape;
	int exec_errno;
	int r = running_start(&c->running, command, cwd, t->launch, t->launch_ctx, &exec_errno,
			      err);

	if (r < 0)
		return r;
	c->unit.time.known = true;
	c->unit.time.pid = c->running.pid;
	if (exec_errno)
		c->unit.end = (struct unit_end){.how = END_EXEC_FAILED, .exec_errno = exec_errno};
	r = write_spawn(c, err);
	if (r < 0)
		running_clear(&c->running);
	return r;
}

static int put_payload(const struct tape *t, const struct buf *bytes, struct payload *ret,
		       struct error *err)
{
	struct spool *spool = spool_new(tape_writer_dir(t->writer));
	int r;

	if (!spool)
		return error_no_memory(err);
	r = spool_add(spool, bytes->len ? bytes->data : "", bytes->len, err);
	if (r == 0)
		r = spool_finish(spool, t->session.roots, ret, err);
	spool_free(spool);
	return r;
}

/* NULL when out of memory. */
static struct stream *add_stream(struct unit *u, int fd, enum stream_kind kind)
{
	struct stream *s = unit_add_stream(u, fd);

	if (s)
		s->kind = kind;
	return s;
}

static int put_stream(struct tape_child *c, int fd, const struct buf *bytes, struct error *err)
{
	struct stream *s = add_stream(&c->unit, fd, STREAM_PIPE);

	if (!s)
		return error_no_memory(err);
	s->eof = fd == 0;
	return put_payload(c->tape, bytes, &s->data, err);
}

static int put_streams(struct tape_child *c, struct error *err)
{
	const struct running *run = &c->running;
	struct stream *s;
	int r = 0;

	if (c->has_input)
		r = put_stream(c, 0, &run->input, err);
	else if (!add_stream(&c->unit, 0, STREAM_NULL))
		r = error_no_memory(err);
	if (r == 0)
		r = put_stream(c, 1, &run->output[0], err);
	if (r < 0 || !c->merge)
		return r < 0 ? r : put_stream(c, 2, &run->output[1], err);
	s = add_stream(&c->unit, 2, STREAM_SAME);
	if (!s)
		return error_no_memory(err);
	s->same_as = 1;
	return 0;
}

/* The process that was killed for its time got that signal from us. */
static int finish_process(struct tape_child *c, struct error *err)
{
	int r = running_finish(&c->running, &c->unit.end, err);

	if (r == 0)
		r = put_streams(c, err);
	if (r == 0 && c->unit.end.timeout && unit_add_signal(&c->unit, SIGKILL) < 0)
		r = error_no_memory(err);
	return r;
}

static int write_exit(struct tape_child *c, struct error *err)
{
	struct tape *t = c->tape;
	int r;

	pthread_mutex_lock(&t->lock);
	c->unit.time.duration_ns = tape_clock_now(t->clock) - c->started_ns;
	/* A tape that was freed meanwhile has no writer any more. */
	r = t->closed ? error_set(err, ERR_INVALID, "the tape %s is closed", t->path)
		      : tape_writer_exit(t->writer, &c->unit, err);
	if (r == 0)
		r = tape_writer_sync(t->writer, err);
	pthread_mutex_unlock(&t->lock);
	return r;
}

static void give(struct buf *bytes, char **ret, size_t *ret_len)
{
	*ret_len = bytes->len;
	*ret = buf_steal(bytes);
}

int command_finish(struct tape_child *c, struct tape_result *ret, struct error *err)
{
	struct buf *output = c->running.output;
	int r = c->unit.end.how == END_EXEC_FAILED ? 0 : finish_process(c, err);

	/* They are given to the caller, who gets strings. */
	if (r == 0 && (buf_add(&output[0], "", 0) < 0 || buf_add(&output[1], "", 0) < 0))
		r = error_no_memory(err);
	if (r == 0)
		r = write_exit(c, err);
	if (r < 0) {
		running_clear(&c->running);
		return r;
	}
	command_set_end(&c->unit, ret);
	ret->duration_ns = c->unit.time.duration_ns;
	give(&output[0], &ret->out, &ret->out_len);
	give(&output[1], &ret->err, &ret->err_len);
	return 0;
}
