/* Chunks: the order in which a unit read, wrote, was sent signals, stopped itself and set its
 * terminal's modes. */
#include "base/cleanup.h"
#include "base/text.h"
#include "tape/codec.h"
#include "tape/codec_parts.h"
#include "tape/json_out.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Those that are counted. */
static const struct {
	int fd;
	const char *name;
} names[] = {{CHUNK_MODE, "mode"}, {CHUNK_STOP, "stop"}, {CHUNK_SENT, "sent"}};

#define NAMES (sizeof(names) / sizeof(names[0]))

/* NULL: it is none of those. */
static const char *name_of(int fd)
{
	for (size_t i = 0; i < NAMES; i++) {
		if (names[i].fd == fd)
			return names[i].name;
	}
	return NULL;
}

static void put_what(struct json_out *j, const struct chunk *c)
{
	char input[16];

	if (c->fd == CHUNK_SIGNAL) {
		codec_put_signal(j, (int)c->len);
	} else if (name_of(c->fd)) {
		json_out_string(j, bytes_of_str(name_of(c->fd)));
	} else if (c->fd & STREAM_INPUT) {
		snprintf(input, sizeof(input), "in%d", c->fd & ~STREAM_INPUT);
		json_out_string(j, bytes_of_str(input));
	} else {
		json_out_integer(j, c->fd);
	}
}

/* [what, size] or [what, size, ns]. A signal has no size: its name says all. */
static void put_chunk(struct json_out *j, const struct chunk *c, bool with_time)
{
	json_out_open(j, '[');
	put_what(j, c);
	json_out_integer(j, c->fd == CHUNK_SIGNAL ? 0 : (int64_t)c->len);
	if (with_time)
		json_out_integer(j, (int64_t)c->time_ns);
	json_out_close(j, ']');
}

static void put_list(struct json_out *j, const char *key, const struct chunk *chunks, size_t count,
		     bool with_time)
{
	if (!count)
		return;
	json_out_key(j, key);
	json_out_open(j, '[');
	for (size_t i = 0; i < count && i < TAPE_CHUNKS_MAX; i++)
		put_chunk(j, &chunks[i], with_time);
	json_out_close(j, ']');
}

void codec_put_chunks(struct json_out *j, const struct unit_time *t)
{
	put_list(j, "chunks", t->chunks, t->chunk_count, true);
}

void codec_put_order(struct json_out *j, const struct unit *u)
{
	put_list(j, "order", u->order, u->order_count, false);
}

static const char *const when_names[] = {"now", "drain", "flush"};

void codec_put_modes(struct json_out *j, const struct unit *u)
{
	if (!u->mode_count)
		return;
	json_out_key(j, "modes");
	json_out_open(j, '[');
	for (size_t i = 0; i < u->mode_count; i++) {
		const struct mode *mode = &u->modes[i];

		json_out_open(j, '{');
		json_out_key(j, "when");
		json_out_string(j, bytes_of_str(when_names[mode->when]));
		json_out_key(j, "termios");
		json_out_base64(j, (struct bytes){mode->termios.data, mode->termios.len});
		json_out_close(j, '}');
	}
	json_out_close(j, ']');
}

/* "in3": a read of the descriptor 3. */
static bool read_input(const char *text, int *ret)
{
	char spelled[16];
	long fd = strncmp(text, "in", 2) == 0 ? strtol(text + 2, NULL, 10) : 0;

	if (fd <= 2 || fd >= STREAM_INPUT)
		return false;
	snprintf(spelled, sizeof(spelled), "in%ld", fd);
	*ret = (int)fd | STREAM_INPUT;
	return strcmp(spelled, text) == 0;
}

static int read_what(const json_t *value, const char *key, struct chunk *c, struct error *err)
{
	int64_t fd = 0;
	int signal = 0;
	int rc;

	if (!json_is_string(value)) {
		rc = codec_read_integer(value, key, 0, STREAM_INPUT - 1, &fd, err);
		c->fd = (int)fd;
		return rc;
	}
	for (size_t i = 0; i < NAMES; i++) {
		if (strcmp(json_string_value(value), names[i].name) != 0)
			continue;
		c->fd = names[i].fd;
		return 0;
	}
	if (read_input(json_string_value(value), &c->fd))
		return 0;
	rc = codec_read_signal(value, key, &signal, err);
	c->fd = CHUNK_SIGNAL;
	c->len = (uint64_t)signal;
	return rc;
}

static int read_chunk(const json_t *value, const char *key, size_t members, struct chunk *ret,
		      struct error *err)
{
	struct chunk c = {0};
	int64_t len = 0;
	int64_t time_ns = 0;
	int rc;

	if (json_array_size(value) != members)
		return codec_wrong(err, key, "made of arrays of a stream and numbers");
	rc = read_what(json_array_get(value, 0), key, &c, err);
	if (rc == 0)
		rc = codec_read_integer(json_array_get(value, 1), key, 0, INT64_MAX, &len, err);
	if (rc == 0 && members == 3)
		rc = codec_read_integer(json_array_get(value, 2), key, 0, INT64_MAX, &time_ns, err);
	if (rc < 0)
		return rc;
	if (c.fd != CHUNK_SIGNAL)
		c.len = (uint64_t)len;
	c.time_ns = (uint64_t)time_ns;
	*ret = c;
	return 0;
}

int codec_read_chunks(const json_t *list, struct unit *u, struct error *err)
{
	const json_t *value;
	size_t i;

	if (list && !json_is_array(list))
		return codec_wrong(err, "chunks", "an array");
	json_array_foreach(list, i, value)
	{
		struct chunk c = {0};
		int rc = read_chunk(value, "chunks", 3, &c, err);

		if (rc < 0)
			return rc;
		if (unit_add_chunk_apart(u, c.fd, c.len, c.time_ns) < 0)
			return error_no_memory(err);
	}
	return 0;
}

int codec_read_order(const json_t *list, struct unit *u, struct error *err)
{
	const json_t *value;
	size_t i;

	if (list && !json_is_array(list))
		return codec_wrong(err, "order", "an array");
	json_array_foreach(list, i, value)
	{
		struct chunk c = {0};
		int rc = read_chunk(value, "order", 2, &c, err);

		if (rc < 0)
			return rc;
		if (c.fd == CHUNK_MODE && c.len >= u->mode_count)
			return codec_wrong(err, "order", "about modes that are there");
		if (c.fd == CHUNK_STOP && c.len >= u->stop_count)
			return codec_wrong(err, "order", "about stops that are there");
		if (c.fd == CHUNK_SENT && c.len >= u->sent_count)
			return codec_wrong(err, "order", "about what was sent");
		if (unit_add_order(u, &c) < 0)
			return error_no_memory(err);
	}
	return 0;
}

static int read_when(const json_t *value, enum mode_when *ret, struct error *err)
{
	for (size_t i = 0; i < sizeof(when_names) / sizeof(when_names[0]); i++) {
		if (json_is_string(value) && strcmp(json_string_value(value), when_names[i]) == 0) {
			*ret = (enum mode_when)i;
			return 0;
		}
	}
	return codec_wrong(err, "when", "\"now\", \"drain\" or \"flush\"");
}

int codec_read_modes(const json_t *list, struct unit *u, struct error *err)
{
	const json_t *value;
	size_t i;

	if (list && !json_is_array(list))
		return codec_wrong(err, "modes", "an array");
	json_array_foreach(list, i, value)
	{
		cleanup_buf struct buf text = BUF_INIT;
		cleanup_buf struct buf termios = BUF_INIT;
		enum mode_when when = MODE_NOW;
		int rc = read_when(json_object_get(value, "when"), &when, err);

		if (rc == 0)
			rc = codec_read_bytes(json_object_get(value, "termios"), "termios", &text,
					      err);
		if (rc == 0)
			rc = text_base64_decode(&termios, text.data ? text.data : "", text.len,
						err);
		if (rc < 0)
			return rc;
		if (unit_add_mode(u, when, (struct bytes){termios.data, termios.len}) < 0)
			return error_no_memory(err);
	}
	return 0;
}
