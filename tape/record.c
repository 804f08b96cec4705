/* A recording from its beginning to its end: session, writer, subject, and what stays when it
 * breaks off. What happens in between is recorder.c's. */
#include "tape/recorder.h"

#include "base/cleanup.h"
#include "tape/capture.h"
#include "tape/files.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int add_missing(struct strings *to, const struct strings *from)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < from->count; i++) {
		bool is_there = false;

		for (size_t j = 0; j < to->count; j++)
			is_there |= strcmp(to->item[j], from->item[i]) == 0;
		if (!is_there)
			r = strings_add(to, from->item[i]);
	}
	return r;
}

/* `old`: of the tape that is added to, or NULL. */
static int fill_head(const struct tape_options *options, const struct session *s,
		     const struct tape_head *old, struct tape_head *h)
{
	int r = 0;

	h->version = TAPE_FORMAT_VERSION;
	h->backend = strdup(options->backend ? options->backend : "ptrace");
	if (!h->backend)
		return ERR_NOMEM;
	for (char *const *arg = options->argv; r == 0 && *arg; arg++) {
		cleanup_buf struct buf encoded = BUF_INIT;

		r = roots_encode(s->roots, *arg, strlen(*arg), &encoded);
		if (r == 0)
			r = strings_add(&h->command, encoded.len ? encoded.data : "");
	}
	for (size_t i = 0; r == 0 && i < roots_count(s->roots); i++)
		r = strings_add(&h->roots, roots_name(s->roots, i));
	if (r == 0)
		r = add_missing(&h->env, &s->env);
	if (r == 0 && old)
		r = add_missing(&h->through, &old->through);
	if (r == 0)
		r = add_missing(&h->through, &s->through);
	if (r == 0 && old)
		r = add_missing(&h->real, &old->real);
	if (r == 0)
		r = add_missing(&h->real, &s->real);
	if (r == 0 && old)
		r = add_missing(&h->restricted, &old->restricted);
	for (const char *const *name = options->restricted; r == 0 && name && *name; name++) {
		const struct strings one = {(char **)name, 1};

		r = add_missing(&h->restricted, &one);
	}
	return r;
}

int recorder_open_writer(struct recorder *r, const struct tape_options *options, bool sync,
			 struct error *err)
{
	struct tape_head head = {0};
	int result = fill_head(options, &r->session, r->head, &head);

	r->sync = sync;
	r->restricts = options->confiner != NULL;
	r->explains = options->confiner && options->confiner->call_begins;
	if (result < 0)
		error_no_memory(err);
	else
		result = tape_writer_open(options->tape, &head, sync, &r->writer, err);
	tape_head_clear(&head);
	return result;
}

/* A recording that breaks off: says what has become of what it had. */
int recorder_broken_off(const struct recorder *r, int rc, struct error *err)
{
	if (r->result.units == 0)
		return rc;
	return error_advise(err, rc,
			    tape_file_exists(tape_writer_dir(r->writer), TAPE_FILE)
				    ? "the tape stays as it was before"
				    : "what was recorded before that is on the tape");
}

/* A recording that failed before the first command, or whose subject could not be executed: what
 * was there before stays, and a tape that would only have a head goes. What is not empty, somebody
 * else has put there. */
static int leave_nothing(const struct recorder *r, struct error *err)
{
	const char *dir = tape_writer_dir(r->writer);
	cleanup_free char *blobs = NULL;
	int result = tape_file_path(dir, BLOBS_DIR, &blobs, err);

	if (result == 0 && tape_file_exists(dir, JOURNAL_FILE))
		result = tape_writer_abandon(r->writer, err);
	if (result < 0 || tape_file_exists(dir, TAPE_FILE))
		return result;
	if ((rmdir(blobs) < 0 && errno != ENOENT) || rmdir(dir) < 0)
		return errno == ENOTEMPTY ? 0 : error_sys(err, errno, "cannot remove %s", dir);
	return 0;
}

static int run(struct recorder *r, const struct tape_options *options, struct error *err)
{
	struct intercept_options intercept = {
		.eager = true,
		.apart = options->keep != NULL,
	};
	struct error start_error = {0};
	int result = session_intercept(&r->session, options, &intercept, err);

	if (result == 0)
		result = intercept_new(&intercept, &recorder_ops, r, &r->interceptor, err);
	if (result < 0)
		return result;
	recorder_set_host(r, r->interceptor);
	result = intercept_run(r->interceptor, &r->result.wait_status, &start_error);
	r->result.wall_ns = session_now(&r->session);
	if (result < 0) {
		if (err)
			*err = start_error;
		return recorder_broken_off(r, result, err);
	}
	if (start_error.text[0]) {
		session_say(&r->session, TAPE_PROBLEM, "%s", start_error.text);
		r->result.not_executed = true;
		return leave_nothing(r, err);
	}
	r->result.left = intercept_left(r->interceptor);
	result = recorder_close_units(r, err);
	if (result < 0)
		return recorder_broken_off(r, result, err);
	result = tape_writer_finish(r->writer, err);
	if (result < 0 || !options->keep || r->result.left == 0)
		return result;
	tape_writer_free(r->writer);
	r->writer = NULL;
	options->keep(options->keep_ctx, &r->result);
	return recorder_keep(r, err);
}

static void clean_up(const struct recorder *r)
{
	struct error reason = {0};

	if (r->result.units > 0 || r->units || leave_nothing(r, &reason) == 0)
		return;
	session_say(&r->session, TAPE_PROBLEM, "%s", reason.text);
}

int tape_record(const struct tape_options *options, bool sync, struct tape_record_result *ret,
		struct error *err)
{
	struct recorder r = {0};
	int result = session_open(options, NULL, &r.session, err);

	if (result < 0)
		return result;
	result = recorder_open_writer(&r, options, sync, err);
	if (result == 0)
		result = run(&r, options, err);
	if (result == 0)
		*ret = r.result;
	else if (r.writer)
		clean_up(&r);
	/* Their streams are watched by the interceptor. */
	while (r.units)
		recorded_unit_free(r.units);
	intercept_free(r.interceptor);
	free(r.waiting);
	tape_writer_free(r.writer);
	session_close(&r.session);
	return result;
}
