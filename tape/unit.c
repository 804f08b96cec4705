#include "tape/unit.h"
#include "base/array.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"
#include "tape/denied.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The NUL at its end is part of it: no other serialisation may begin with the same bytes. */
static const char key_domain[] = "sandtape unit key 1";

void payload_clear(struct payload *p)
{
	buf_free(&p->bytes);
	memset(p, 0, sizeof(*p));
}

void unit_time_clear(struct unit_time *t)
{
	buf_free(&t->program);
	free(t->chunks);
	denied_clear_times(t);
	memset(t, 0, sizeof(*t));
}

void unit_clear(struct unit *u)
{
	size_t i;

	buf_free(&u->parent);
	for (i = 0; i < u->argc; i++)
		buf_free(&u->argv[i]);
	free(u->argv);
	buf_free(&u->cwd);
	for (i = 0; i < u->env_count; i++) {
		buf_free(&u->env[i].name);
		buf_free(&u->env[i].value);
	}
	free(u->env);
	for (i = 0; i < u->stream_count; i++) {
		payload_clear(&u->streams[i].data);
		payload_clear(&u->streams[i].tail);
	}
	free(u->streams);
	free(u->signals);
	for (i = 0; i < u->mode_count; i++)
		buf_free(&u->modes[i].termios);
	free(u->modes);
	free(u->stops);
	free(u->sent);
	free(u->order);
	denied_clear(u);
	unit_time_clear(&u->time);
	memset(u, 0, sizeof(*u));
}

const struct stream *unit_stream_const(const struct unit *u, int fd)
{
	size_t low = 0, high = u->stream_count;

	/* In the order of their numbers. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (u->streams[middle].fd < fd)
			low = middle + 1;
		else
			high = middle;
	}
	return low < u->stream_count && u->streams[low].fd == fd ? &u->streams[low] : NULL;
}

struct stream *unit_stream(struct unit *u, int fd)
{
	return (struct stream *)unit_stream_const(u, fd);
}

struct stream *unit_add_stream(struct unit *u, int fd)
{
	struct stream *streams = array_grow(u->streams, u->stream_count, sizeof(*streams));
	size_t at = u->stream_count;

	if (!streams)
		return NULL;
	u->streams = streams;
	while (at > 0 && streams[at - 1].fd > fd)
		at--;
	memmove(streams + at + 1, streams + at, (u->stream_count - at) * sizeof(*streams));
	memset(streams + at, 0, sizeof(*streams));
	streams[at].fd = fd;
	u->stream_count++;
	return &streams[at];
}

int unit_add_arg(struct unit *u, const void *bytes, size_t len)
{
	struct buf *argv = array_grow(u->argv, u->argc, sizeof(*argv));

	if (!argv)
		return ERR_NOMEM;
	u->argv = argv;
	memset(&argv[u->argc], 0, sizeof(*argv));
	if (buf_add(&argv[u->argc], bytes, len) < 0)
		return ERR_NOMEM;
	u->argc++;
	return 0;
}

static struct bytes bytes_of_buf(const struct buf *b)
{
	return (struct bytes){b->data, b->len};
}

static int bytes_compare(struct bytes a, struct bytes b)
{
	size_t common = a.len < b.len ? a.len : b.len;
	int c = common ? memcmp(a.data, b.data, common) : 0;

	return c ? c : (a.len > b.len) - (a.len < b.len);
}

int unit_add_env(struct unit *u, struct bytes name, struct bytes value)
{
	struct env_pair pair = {BUF_INIT, BUF_INIT};
	struct env_pair *env;
	size_t at = u->env_count;
	int order = 1;

	while (at > 0 && (order = bytes_compare(bytes_of_buf(&u->env[at - 1].name), name)) > 0)
		at--;
	if (at > 0 && order == 0)
		return 0;
	env = array_grow(u->env, u->env_count, sizeof(*env));
	if (!env)
		return ERR_NOMEM;
	u->env = env;
	if (buf_add(&pair.name, name.data, name.len) < 0 ||
	    buf_add(&pair.value, value.data, value.len) < 0) {
		buf_free(&pair.name);
		buf_free(&pair.value);
		return ERR_NOMEM;
	}
	memmove(env + at + 1, env + at, (u->env_count - at) * sizeof(*env));
	env[at] = pair;
	u->env_count++;
	return 0;
}

static int add_number(int **list, size_t *count, int signal)
{
	int *longer = array_grow(*list, *count, sizeof(*longer));

	if (!longer)
		return ERR_NOMEM;
	*list = longer;
	longer[(*count)++] = signal;
	return 0;
}

int unit_add_signal(struct unit *u, int signal)
{
	return add_number(&u->signals, &u->signal_count, signal);
}

int unit_add_mode(struct unit *u, enum mode_when when, struct bytes termios)
{
	struct mode *modes = array_grow(u->modes, u->mode_count, sizeof(*modes));
	struct mode mode = {.when = when};

	if (!modes)
		return ERR_NOMEM;
	u->modes = modes;
	if (buf_add(&mode.termios, termios.data, termios.len) < 0)
		return ERR_NOMEM;
	modes[u->mode_count++] = mode;
	return 0;
}

bool unit_same_modes(const struct unit *a, const struct unit *b)
{
	size_t i = 0;

	while (i < a->mode_count && i < b->mode_count && a->modes[i].when == b->modes[i].when &&
	       bytes_equal(bytes_of_buf(&a->modes[i].termios), bytes_of_buf(&b->modes[i].termios)))
		i++;
	return i == a->mode_count && i == b->mode_count;
}

bool unit_same_order(const struct unit *a, const struct unit *b)
{
	size_t i = 0;

	while (i < a->order_count && i < b->order_count && a->order[i].fd == b->order[i].fd &&
	       a->order[i].len == b->order[i].len)
		i++;
	return i == a->order_count && i == b->order_count;
}

int unit_add_stop(struct unit *u, int signal)
{
	return add_number(&u->stops, &u->stop_count, signal);
}

int unit_add_sent(struct unit *u, int signal)
{
	return add_number(&u->sent, &u->sent_count, signal);
}

/* The chunk of what stood at `index` of the list goes, and those of what stood behind it count one
 * less. */
static void drop_chunk(struct unit_time *t, int fd, size_t index)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->chunk_count; i++) {
		struct chunk c = t->chunks[i];

		if (c.fd == fd && c.len == index)
			continue;
		c.len -= c.fd == fd && c.len > index;
		t->chunks[kept++] = c;
	}
	t->chunk_count = kept;
}

void unit_drop_stop(struct unit *u)
{
	if (u->stop_count > 0)
		drop_chunk(&u->time, CHUNK_STOP, --u->stop_count);
}

void unit_drop_sent(struct unit *u, int signal)
{
	size_t i = u->sent_count;

	while (i > 0 && u->sent[i - 1] != signal)
		i--;
	if (i == 0)
		return;
	memmove(&u->sent[i - 1], &u->sent[i], (u->sent_count - i) * sizeof(*u->sent));
	u->sent_count--;
	drop_chunk(&u->time, CHUNK_SENT, i - 1);
}

int unit_add_order(struct unit *u, const struct chunk *chunk)
{
	struct chunk *last = u->order_count ? &u->order[u->order_count - 1] : NULL;
	const struct stream *stream = unit_stream_const(u, chunk->fd);
	bool apart = chunk->fd < 0 || (stream && stream->packets);
	struct chunk *order;

	if (last && !apart && last->fd == chunk->fd && last->len > 0 && chunk->len > 0) {
		last->len += chunk->len;
		return 0;
	}
	order = array_grow(u->order, u->order_count, sizeof(*order));
	if (!order)
		return ERR_NOMEM;
	u->order = order;
	order[u->order_count] = *chunk;
	order[u->order_count++].time_ns = 0;
	return 0;
}

int unit_add_chunk(struct unit *u, int fd, uint64_t len, uint64_t time_ns)
{
	struct unit_time *t = &u->time;
	struct chunk *last = t->chunk_count ? &t->chunks[t->chunk_count - 1] : NULL;

	if (last && last->fd == fd && last->len > 0) {
		last->len += len;
		return 0;
	}
	return unit_add_chunk_apart(u, fd, len, time_ns);
}

int unit_add_chunk_apart(struct unit *u, int fd, uint64_t len, uint64_t time_ns)
{
	struct unit_time *t = &u->time;
	struct chunk *chunks;

	chunks = array_grow(t->chunks, t->chunk_count, sizeof(*chunks));
	if (!chunks)
		return ERR_NOMEM;
	t->chunks = chunks;
	chunks[t->chunk_count++] = (struct chunk){.fd = fd, .len = len, .time_ns = time_ns};
	return 0;
}

void unit_forget_chunks(struct unit *u, int fd)
{
	struct unit_time *t = &u->time;
	size_t kept = 0;

	for (size_t i = 0; i < t->chunk_count; i++) {
		if (t->chunks[i].fd != fd)
			t->chunks[kept++] = t->chunks[i];
	}
	t->chunk_count = kept;
}

static struct bytes last_component(const struct buf *path)
{
	const char *slash = path->len ? memrchr(path->data, '/', path->len) : NULL;
	size_t skip = slash ? (size_t)(slash - path->data) + 1 : 0;

	return (struct bytes){path->len ? path->data + skip : NULL, path->len - skip};
}

static struct bytes key_arg(const struct unit *u, size_t index)
{
	return index ? bytes_of_buf(&u->argv[index]) : last_component(&u->argv[0]);
}

static int add_u64(struct buf *b, uint64_t value)
{
	unsigned char le[8];
	int i;

	for (i = 0; i < 8; i++)
		le[i] = (unsigned char)(value >> (8 * i));
	return buf_add(b, le, sizeof(le));
}

static int add_sized(struct buf *b, struct bytes bytes)
{
	int r = add_u64(b, bytes.len);

	return r < 0 ? r : buf_add(b, bytes.data, bytes.len);
}

static int add_key_env(struct buf *b, const struct unit *u)
{
	size_t i;
	int r = add_u64(b, u->env_count);

	for (i = 0; r == 0 && i < u->env_count; i++) {
		r = add_sized(b, bytes_of_buf(&u->env[i].name));
		if (r == 0)
			r = add_sized(b, bytes_of_buf(&u->env[i].value));
	}
	return r;
}

/* Of what is hashed, or a little more: asking for memory once is quicker. */
static size_t key_size(const struct unit *u)
{
	size_t size = sizeof(key_domain) + 32 + u->cwd.len + (u->argc + 2 * u->env_count) * 8;

	for (size_t i = 0; i < u->argc; i++)
		size += u->argv[i].len;
	for (size_t i = 0; i < u->env_count; i++)
		size += u->env[i].name.len + u->env[i].value.len;
	return size;
}

int unit_key(const struct unit *u, uint64_t *ret_key)
{
	cleanup_buf struct buf b = BUF_INIT;
	size_t i;
	int r = buf_reserve(&b, key_size(u));

	if (r == 0)
		r = buf_add(&b, key_domain, sizeof(key_domain));
	if (r == 0)
		r = add_u64(&b, u->argc);
	for (i = 0; r == 0 && i < u->argc; i++)
		r = add_sized(&b, key_arg(u, i));
	if (r == 0)
		r = buf_add_char(&b, u->cwd_any ? 0 : 1);
	if (r == 0 && !u->cwd_any)
		r = add_sized(&b, bytes_of_buf(&u->cwd));
	if (r == 0)
		r = add_key_env(&b, u);
	if (r < 0)
		return r;
	*ret_key = hash64(b.data, b.len);
	return 0;
}

bool unit_same_command(const struct unit *a, const struct unit *b)
{
	size_t i;

	if (a->argc != b->argc || a->cwd_any != b->cwd_any || a->env_count != b->env_count)
		return false;
	if (!a->cwd_any && !bytes_equal(bytes_of_buf(&a->cwd), bytes_of_buf(&b->cwd)))
		return false;
	for (i = 0; i < a->argc; i++) {
		if (!bytes_equal(key_arg(a, i), key_arg(b, i)))
			return false;
	}
	for (i = 0; i < a->env_count; i++) {
		if (!bytes_equal(bytes_of_buf(&a->env[i].name), bytes_of_buf(&b->env[i].name)) ||
		    !bytes_equal(bytes_of_buf(&a->env[i].value), bytes_of_buf(&b->env[i].value)))
			return false;
	}
	return true;
}

void unit_id_format(struct unit_id id, char ret_text[UNIT_ID_SIZE])
{
	text_hex64(id.key, ret_text);
	snprintf(ret_text + TEXT_HEX64_LEN, UNIT_ID_SIZE - TEXT_HEX64_LEN, ".%" PRIu32, id.ordinal);
}

bool unit_id_parse(const char *text, struct unit_id *ret)
{
	char again[UNIT_ID_SIZE];
	unsigned long ordinal;
	char *end;

	if (strlen(text) < TEXT_HEX64_LEN + 2 || strlen(text) >= UNIT_ID_SIZE ||
	    !text_parse_hex64(text, &ret->key))
		return false;
	ordinal = strtoul(text + TEXT_HEX64_LEN + 1, &end, 10);
	if (ordinal > UINT32_MAX)
		return false;
	ret->ordinal = (uint32_t)ordinal;
	unit_id_format(*ret, again);
	return strcmp(text, again) == 0;
}

int unit_add_text(struct buf *out, const struct unit *u)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < u->argc; i++) {
		r = buf_add_str(out, i ? " " : "");
		if (r == 0)
			r = text_quote(out, u->argv[i].data, u->argv[i].len);
	}
	if (r < 0 || u->cwd_any)
		return r;
	if (u->cwd.len == 0)
		return buf_add_str(out, "   (in a directory that is gone)");
	r = buf_add_str(out, "   (in ");
	if (r == 0)
		r = buf_add(out, u->cwd.data, u->cwd.len);
	return r < 0 ? r : buf_add_str(out, ")");
}
