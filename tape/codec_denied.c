/* Denials in records. */
#include "tape/codec_parts.h"
#include "tape/denied.h"
#include <limits.h>

/* In the order of the standard; errno and signal stand behind `what`. */
const char *const codec_denied_keys[DENIED_TEXTS] = {
	[DENIED_MECHANISM] = "mechanism", [DENIED_EVIDENCE] = "evidence", [DENIED_CALL] = "call",
	[DENIED_ARGUMENTS] = "arguments", [DENIED_WHAT] = "what",	  [DENIED_WHY] = "why",
	[DENIED_OPTION] = "option",	  [DENIED_POLICY] = "policy",
};

static void put_denial(struct json_out *j, const struct unit_denial *d)
{
	json_out_open(j, '{');
	for (int i = 0; i < DENIED_TEXTS; i++) {
		if (i == DENIED_WHY && d->error)
			codec_put_errno(j, d->error);
		if (i == DENIED_WHY && d->signal) {
			json_out_key(j, "signal");
			codec_put_signal(j, d->signal);
		}
		if (!d->text[i].len)
			continue;
		json_out_key(j, codec_denied_keys[i]);
		json_out_bytes(j, (struct bytes){d->text[i].data, d->text[i].len});
	}
	json_out_close(j, '}');
}

void codec_put_denied(struct json_out *j, const struct unit_denial *list, size_t count)
{
	if (!count)
		return;
	json_out_key(j, "denied");
	json_out_open(j, '[');
	for (size_t i = 0; i < count; i++)
		put_denial(j, &list[i]);
	json_out_close(j, ']');
}

void codec_put_denied_times(struct json_out *j, const struct unit_time *t)
{
	if (!t->denied_count)
		return;
	json_out_key(j, "denied");
	json_out_open(j, '[');
	for (size_t i = 0; i < t->denied_count; i++) {
		json_out_open(j, '[');
		json_out_integer(j, t->denied[i].pid);
		json_out_integer(j, (int64_t)t->denied[i].count);
		json_out_close(j, ']');
	}
	json_out_close(j, ']');
}

static int read_denial(const json_t *object, struct unit_denial *d, struct error *err)
{
	const json_t *error = json_object_get(object, "error");
	const json_t *signal = json_object_get(object, "signal");
	int rc = 0;

	for (int i = 0; rc == 0 && i < DENIED_TEXTS; i++)
		rc = codec_read_bytes(json_object_get(object, codec_denied_keys[i]),
				      codec_denied_keys[i], &d->text[i], err);
	if (rc == 0 && !d->text[DENIED_MECHANISM].len)
		rc = codec_wrong(err, "denied", "made of objects with a mechanism");
	if (rc == 0 && error)
		rc = codec_read_errno(error, &d->error, err);
	if (rc == 0 && signal)
		rc = codec_read_signal(signal, "signal", &d->signal, err);
	return rc;
}

int codec_read_denied(const json_t *list, struct unit *u, denied_append_fn *append,
		      struct error *err)
{
	const json_t *value;
	size_t i;

	if (list && !json_is_array(list))
		return codec_wrong(err, "denied", "an array");
	json_array_foreach(list, i, value)
	{
		struct unit_denial *d = append(u);
		int rc = d ? read_denial(value, d, err) : error_no_memory(err);

		if (rc < 0)
			return rc;
	}
	return 0;
}

int codec_read_denied_times(const json_t *list, struct unit_time *t, struct error *err)
{
	const json_t *value;
	size_t i;

	if (list && !json_is_array(list))
		return codec_wrong(err, "denied", "an array");
	json_array_foreach(list, i, value)
	{
		struct unit_denial_time time;
		int64_t count = 0;
		int rc;

		if (json_array_size(value) != 2)
			return codec_wrong(err, "denied", "made of pairs of numbers");
		rc = codec_read_integer(json_array_get(value, 0), "denied", 0, INT_MAX, &time.pid,
					err);
		if (rc == 0)
			rc = codec_read_integer(json_array_get(value, 1), "denied", 1, INT64_MAX,
						&count, err);
		if (rc < 0)
			return rc;
		time.count = (uint64_t)count;
		if (denied_append_time(t, &time) < 0)
			return error_no_memory(err);
	}
	return 0;
}
