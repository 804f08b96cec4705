/* A unit as one JSON object: the view for people and scripts, not the format of the tape. */
#include "tape/show.h"
#include "base/cleanup.h"
#include "base/jsontext.h"
#include "base/text.h"
#include "tape/codec_parts.h"
#include "tape/json_values.h"
#include "tape/names.h"
#include "tape/reader.h"

#include <jansson.h>
#include <stdlib.h>

static int show_string(const struct roots *shown, struct buf *string)
{
	struct buf decoded = BUF_INIT;

	if (roots_decode(shown, string->data, string->len, &decoded) < 0) {
		buf_free(&decoded);
		return ERR_NOMEM;
	}
	buf_free(string);
	*string = decoded;
	return 0;
}

typedef int read_fn(const struct tape_reader *r, size_t index, struct unit *ret, struct error *err);

static int read_shown(read_fn *read, const struct tape_reader *r, size_t index,
		      const struct roots *shown, struct unit *ret, struct error *err)
{
	struct unit u = {0};
	int rc = read(r, index, &u, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < u.argc; i++)
		rc = show_string(shown, &u.argv[i]);
	for (size_t i = 0; rc == 0 && i < u.env_count; i++)
		rc = show_string(shown, &u.env[i].value);
	for (size_t i = 0; rc == 0 && i < u.denied_count * DENIED_TEXTS; i++)
		rc = show_string(shown, &u.denied[i / DENIED_TEXTS].text[i % DENIED_TEXTS]);
	for (size_t i = 0; rc == 0 && i < u.late_count * DENIED_TEXTS; i++)
		rc = show_string(shown, &u.late[i / DENIED_TEXTS].text[i % DENIED_TEXTS]);
	if (rc == 0)
		rc = show_string(shown, &u.cwd);
	if (rc == 0)
		rc = show_string(shown, &u.time.program);
	if (rc < 0) {
		unit_clear(&u);
		return error_no_memory(err);
	}
	*ret = u;
	return 0;
}

int show_unit(const struct tape_reader *r, size_t index, const struct roots *shown,
	      struct unit *ret, struct error *err)
{
	return read_shown(tape_reader_unit, r, index, shown, ret, err);
}

int show_spawn(const struct tape_reader *r, size_t index, const struct roots *shown,
	       struct unit *ret, struct error *err)
{
	return read_shown(tape_reader_command, r, index, shown, ret, err);
}

struct shower {
	const struct tape_reader *reader;
	struct roots *shown;
};

/* {"NAME": "text"} or {"NAME": "base64…", "NAME_encoding": "base64"}; absent when there is no such
 * stream. */
static int set_payload(json_t *object, const struct shower *sh, const char *name,
		       const struct payload *p, struct error *err)
{
	char encoding[32];
	cleanup_buf struct buf encoded = BUF_INIT;
	struct payload_view view = {0};
	bool utf8;
	int failed;
	int rc = tape_reader_payload(sh->reader, p, sh->shown, &view, err);

	if (rc < 0)
		return rc;
	snprintf(encoding, sizeof(encoding), "%s_encoding", name);
	utf8 = text_is_utf8(view.data, view.len);
	if (utf8) {
		failed = json_object_set_new(
			object, name, json_stringn_nocheck(view.len ? view.data : "", view.len));
	} else {
		failed = text_base64_encode(&encoded, view.data, view.len);
		if (failed == 0)
			failed = json_object_set_new(object, name,
						     json_stringn(encoded.data, encoded.len));
	}
	if (failed == 0)
		failed = json_object_set_new(object, encoding,
					     json_string(utf8 ? "text" : "base64"));
	payload_view_clear(&view);
	return failed ? error_no_memory(err) : 0;
}

static int set_stream(json_t *object, const struct shower *sh, const struct unit *u, int fd,
		      const char *name, struct error *err)
{
	const struct stream *s = unit_stream_const(u, fd);
	char kind[32];
	int rc = 0;

	if (!s)
		return 0;
	snprintf(kind, sizeof(kind), "%s_kind", name);
	rc = set_payload(object, sh, name, &s->data, err);
	if (rc == 0 &&
	    json_object_set_new(object, kind, json_string(stream_kind_name(s->kind))) < 0)
		rc = error_no_memory(err);
	if (rc == 0 && s->tail.form != PAYLOAD_EMPTY) {
		snprintf(kind, sizeof(kind), "%s_tail", name);
		rc = set_payload(object, sh, kind, &s->tail, err);
	}
	return rc;
}

static json_t *json_of_signal(int signal)
{
	char name[SIGNAL_NAME_SIZE];

	return signal_name(signal, name) ? json_string(name) : json_integer(signal);
}

/* code, signal, core, error: as in Node's child_process, what does not apply is null. */
static int set_end(json_t *object, const struct unit_end *end)
{
	json_t *code = end->how == END_EXITED ? json_integer(end->code) : json_null();
	json_t *signal = end->how == END_SIGNALED ? json_of_signal(end->signal) : json_null();
	const char *name = end->how == END_EXEC_FAILED ? error_errno_name(end->exec_errno) : NULL;
	int failed = json_object_set_new(object, "code", code) |
		     json_object_set_new(object, "signal", signal);

	if (end->how == END_SIGNALED && end->core)
		failed |= json_object_set_new(object, "core", json_true());
	if (end->how == END_EXEC_FAILED)
		failed |= json_object_set_new(object, "error", json_string(name ? name : "?"));
	if (end->timeout)
		failed |= json_object_set_new(object, "timeout", json_true());
	if (end->how == END_UNFINISHED)
		failed |= json_object_set_new(object, "unfinished", json_true());
	return failed;
}

static int set_time(json_t *object, const struct unit_time *time)
{
	if (!time->known)
		return json_object_set_new(object, "duration_ns", json_null());
	return json_object_set_new(object, "duration_ns",
				   json_integer((json_int_t)time->duration_ns)) |
	       json_object_set_new(object, "start_ns", json_integer((json_int_t)time->start_ns)) |
	       json_object_set_new(object, "program", json_of_buf(&time->program));
}

static int set_signals(json_t *object, const char *name, const int *signals, size_t count)
{
	json_t *array;

	if (count == 0)
		return 0;
	array = json_array();
	for (size_t i = 0; array && i < count; i++) {
		if (json_array_append_new(array, json_of_signal(signals[i])) < 0) {
			json_decref(array);
			return -1;
		}
	}
	return json_object_set_new(object, name, array);
}

/* A piece of a policy is one in the text of this object, too. */
static json_t *json_of_policy(const struct buf *text)
{
	json_t *policy =
		json_loadb(text->len ? text->data : "", text->len, JSON_REJECT_DUPLICATES, NULL);

	return policy ? policy : json_of_buf(text);
}

static int set_denial(json_t *object, const struct unit_denial *d)
{
	const char *name = error_errno_name(d->error);
	int failed = 0;

	for (int i = 0; i < DENIED_TEXTS; i++)
		if (d->text[i].len)
			failed |=
				json_object_set_new(object, codec_denied_keys[i],
						    i == DENIED_POLICY ? json_of_policy(&d->text[i])
								       : json_of_buf(&d->text[i]));
	if (d->error)
		failed |= json_object_set_new(object, "error",
					      name ? json_string(name) : json_integer(d->error));
	if (d->signal)
		failed |= json_object_set_new(object, "signal", json_of_signal(d->signal));
	return failed;
}

/* Nothing when there is none, so that it stands for one that is not known, too. `times` may be
 * NULL.
 */
static int set_denials(json_t *object, const char *name, const struct unit_denial *denials,
		       size_t count, const struct unit_denial_time *times)
{
	json_t *list = count ? json_array() : NULL;
	int failed = 0;

	if (!count)
		return 0;
	for (size_t i = 0; i < count; i++) {
		json_t *denial = json_object();

		failed |= set_denial(denial, &denials[i]);
		if (times)
			failed |= json_object_set_new(denial, "pid", json_integer(times[i].pid)) |
				  json_object_set_new(denial, "count",
						      json_integer((json_int_t)times[i].count));
		failed |= json_array_append_new(list, denial);
	}
	return json_object_set_new(object, name, list) | failed;
}

static int set_denied(json_t *object, const struct unit *u)
{
	const bool timed = u->time.denied_count == u->denied_count;

	return set_denials(object, "denied", u->denied, u->denied_count,
			   timed ? u->time.denied : NULL) |
	       set_denials(object, "denied_tail", u->late, u->late_count, NULL);
}

static int fill(json_t *object, const struct shower *sh, const struct unit *u, struct error *err)
{
	static const char *const names[] = {"stdin", "stdout", "stderr"};
	char id[UNIT_ID_SIZE];
	int rc = 0;

	unit_id_format(u->id, id);
	if (json_object_set_new(object, "id", json_string(id)) |
	    json_object_set_new(object, "parent", json_of_buf(&u->parent)) |
	    json_object_set_new(object, "argv", json_of_argv(u)) |
	    json_object_set_new(object, "cwd", json_of_cwd(u)) |
	    json_object_set_new(object, "env", json_of_env(u)) | set_end(object, &u->end) |
	    set_time(object, &u->time) |
	    set_signals(object, "signals", u->signals, u->signal_count) |
	    set_signals(object, "stops", u->stops, u->stop_count) |
	    set_signals(object, "sent", u->sent, u->sent_count) | set_denied(object, u) |
	    (u->explained && json_object_set_new(object, "explained", json_true()) < 0))
		return error_no_memory(err);
	for (int fd = 0; rc == 0 && fd < 3; fd++)
		rc = set_stream(object, sh, u, fd, names[fd], err);
	return rc;
}

static int make_json(const struct shower *sh, size_t index, char **ret_json, struct error *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct unit u = {0};
	json_t *object;
	int rc = show_unit(sh->reader, index, sh->shown, &u, err);

	if (rc < 0)
		return rc;
	object = json_object();
	rc = object ? fill(object, sh, &u, err) : error_no_memory(err);
	unit_clear(&u);
	if (rc == 0 && jsontext_dump(object, JSON_COMPACT, &text) < 0)
		rc = error_no_memory(err);
	json_decref(object);
	if (rc == 0)
		*ret_json = buf_steal(&text);
	return rc;
}

int tape_reader_json(const struct tape_reader *r, size_t index, char **ret_json, struct error *err)
{
	struct shower sh = {r, roots_new()};
	int rc = sh.shown ? make_json(&sh, index, ret_json, err) : error_no_memory(err);

	roots_free(sh.shown);
	return rc;
}
