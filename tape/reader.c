#include "tape/reader.h"
#include "base/cleanup.h"
#include "base/cursor.h"
#include "base/hash.h"
#include "base/text.h"
#include "tape/blobs.h"
#include "tape/codec.h"
#include "tape/files.h"
#include "tape/index.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct tape_reader {
	char *dir;
	struct tape_index *index;
	struct strings warnings;
};

static int warn(struct tape_reader *r, struct error *err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int warn(struct tape_reader *r, struct error *err, const char *format, ...)
{
	cleanup_free char *text = NULL;
	va_list args;

	va_start(args, format);
	text = text_formatted(format, args);
	va_end(args);
	return !text || strings_add(&r->warnings, text) < 0 ? error_no_memory(err) : 0;
}

static int open_index(struct tape_reader *r, const char *name, enum index_kind kind,
		      struct error *err)
{
	cleanup_free char *path = NULL;
	int rc = tape_file_path(r->dir, name, &path, err);

	return rc < 0 ? rc : tape_index_open(path, kind, &r->index, err);
}

static int add_timing(struct tape_reader *r, struct error *err)
{
	struct timing_damage damage = {0, 0};
	cleanup_free char *path = NULL;
	struct error why = {0};
	int rc = tape_file_path(r->dir, TIMING_FILE, &path, err);

	if (rc < 0)
		return rc;
	rc = tape_index_add_timing(r->index, path, &damage, &why);
	if (rc == ERR_NOTFOUND)
		return r->index->count ? warn(r, err, "%s is missing: no unit has times", path) : 0;
	if (rc < 0)
		return warn(r, err, "%s: no unit has times", why.text);
	if (damage.bad_lines)
		return warn(r, err,
			    "%s: line %zu is damaged (%zu such lines in all): those units "
			    "have no times",
			    path, damage.first_bad_line, damage.bad_lines);
	return 0;
}

static int open_tape(struct tape_reader *r, struct error *err)
{
	int rc = open_index(r, TAPE_FILE, INDEX_TAPE, err);

	if (rc == 0)
		rc = add_timing(r, err);
	if (rc == 0 && tape_has_recording(r->dir))
		rc = warn(r, err,
			  "a re-recording is in %s/" JOURNAL_FILE ", interrupted or still going "
			  "on; it is ignored, and the next recording replaces it",
			  r->dir);
	return rc;
}

static int open_either(struct tape_reader *r, struct error *err)
{
	int rc = open_tape(r, err);

	if (rc == ERR_NOTFOUND)
		rc = open_index(r, JOURNAL_FILE, INDEX_JOURNAL, err);
	if (rc == ERR_NOTFOUND)
		return error_set(err, ERR_FORMAT,
				 "%s is not a tape: it has neither " TAPE_FILE " nor " JOURNAL_FILE
				 "; name a tape",
				 r->dir);
	if (rc == 0 && r->index->torn_len)
		rc = warn(r, err, "%s: the last line is torn; its %zu bytes are ignored",
			  r->index->path, r->index->torn_len);
	return rc;
}

int tape_reader_open(const char *path, struct tape_reader **ret, struct error *err)
{
	struct tape_reader *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return error_no_memory(err);
	r->dir = tape_dir_name(path);
	rc = r->dir ? tape_dir_check(r->dir, err) : error_no_memory(err);
	if (rc == 0)
		rc = open_either(r, err);
	if (rc < 0) {
		tape_reader_free(r);
		return rc;
	}
	*ret = r;
	return 0;
}

void tape_reader_free(struct tape_reader *r)
{
	if (!r)
		return;
	tape_index_free(r->index);
	strings_clear(&r->warnings);
	free(r->dir);
	free(r);
}

const struct tape_head *tape_reader_head(const struct tape_reader *r)
{
	return &r->index->head;
}

const char *tape_reader_path(const struct tape_reader *r)
{
	return r->dir;
}

size_t tape_reader_warning_count(const struct tape_reader *r)
{
	return r->warnings.count;
}

const char *tape_reader_warning(const struct tape_reader *r, size_t index)
{
	return r->warnings.item[index];
}

size_t tape_reader_count(const struct tape_reader *r)
{
	return r->index->count;
}

struct unit_id tape_reader_id(const struct tape_reader *r, size_t index)
{
	return r->index->units[index].id;
}

long tape_reader_find(const struct tape_reader *r, uint64_t key, uint32_t ordinal)
{
	return tape_index_find(r->index, (struct unit_id){key, ordinal});
}

typedef int read_fn(const struct line *line, struct unit *u, struct error *err);

/* A record that is not there says nothing. */
static int read_record(const struct tape_reader *r, uint64_t offset, read_fn *read, struct unit *u,
		       struct error *err)
{
	struct line line;
	int rc;

	if (offset == INDEX_NONE)
		return 0;
	rc = tape_index_line(r->index, offset, &line, err);
	if (rc == 0)
		rc = read(&line, u, err);
	if (rc < 0)
		error_wrap(err, rc, "%s: line %zu", r->index->path,
			   tape_index_line_number(r->index, offset));
	return rc == ERR_FORMAT ? error_advise(err, rc, TAPE_REPAIR) : rc;
}

int tape_reader_unit(const struct tape_reader *r, size_t index, struct unit *ret, struct error *err)
{
	const struct index_unit *at = &r->index->units[index];
	struct unit u = {0};
	int rc = read_record(r, at->spawn, codec_read_keyed_spawn, &u, err);

	if (rc == 0)
		rc = read_record(r, at->exit, codec_read_exit, &u, err);
	if (rc == 0)
		rc = read_record(r, at->tail, codec_read_tail, &u, err);
	/* When its checksum is right, but the times make no sense, they are not worth an error. */
	if (rc == 0 && read_record(r, at->time, codec_read_time, &u, NULL) == ERR_NOMEM)
		rc = error_no_memory(err);
	if (rc < 0) {
		unit_clear(&u);
		return rc;
	}
	if (!u.time.known)
		unit_time_clear(&u.time);
	*ret = u;
	return 0;
}

bool tape_reader_knows_end(const struct tape_reader *r, size_t index)
{
	return r->index->units[index].exit != INDEX_NONE;
}

int tape_reader_command(const struct tape_reader *r, size_t index, struct unit *ret,
			struct error *err)
{
	struct unit u = {0};
	int rc = read_record(r, r->index->units[index].spawn, codec_read_keyed_spawn, &u, err);

	if (rc < 0) {
		unit_clear(&u);
		return rc;
	}
	*ret = u;
	return 0;
}

int tape_reader_fields(const struct tape_reader *r, size_t index, struct bytes ret[READER_RECORDS],
		       struct error *err)
{
	const struct index_unit *u = &r->index->units[index];
	const uint64_t offsets[READER_RECORDS] = {u->spawn, u->exit, u->tail};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < READER_RECORDS; i++) {
		ret[i] = (struct bytes){NULL, 0};
		if (offsets[i] != INDEX_NONE && !tape_index_fields(r->index, offsets[i], &ret[i]))
			rc = tape_index_changed(r->index, err);
	}
	return rc;
}

struct bytes tape_reader_head_fields(const struct tape_reader *r)
{
	struct line line = {.fields = {NULL, 0}};

	/* It was read when the tape was opened. */
	return tape_index_head_line(r->index, &line, NULL) < 0 ? (struct bytes){NULL, 0}
							       : line.fields;
}

static bool find_number(struct bytes fields, const char *key, uint64_t *ret)
{
	const char *at = memmem(fields.data, fields.len, key, strlen(key));
	const char *end = fields.data + fields.len;
	uint64_t value = 0;

	if (!at)
		return false;
	for (at += strlen(key); at < end && *at >= '0' && *at <= '9'; at++)
		value = value * 10 + (uint64_t)(*at - '0');
	*ret = value;
	return true;
}

struct span {
	uint64_t start_ns;
	uint64_t duration_ns;
	uint64_t episode; /* 0 when it is left out */
};

/* As a writer writes it, which is found out without looking through the line. */
static bool quick_span(struct bytes fields, struct span *ret)
{
	struct cursor c = {fields.data, fields.data + fields.len};
	const char *quote;
	uint64_t pid;

	if (!cursor_take(&c, ",\"pid\":") || !cursor_take_number(&c, &pid) ||
	    !cursor_take(&c, ",\"start_ns\":") || !cursor_take_number(&c, &ret->start_ns) ||
	    !cursor_take(&c, ",\"duration_ns\":") || !cursor_take_number(&c, &ret->duration_ns) ||
	    !cursor_take(&c, ",\"program\":\""))
		return false;
	quote = memchr(c.at, '"', (size_t)(c.end - c.at));
	if (!quote || quote[-1] == '\\')
		return false;
	c.at = quote + 1;
	/* Chunks have no members. */
	if (cursor_take(&c, ",\"chunks\":") && !memchr(c.at, ':', (size_t)(c.end - c.at)))
		c.at = c.end;
	return c.at == c.end || (cursor_take(&c, ",\"episode\":") &&
				 cursor_take_number(&c, &ret->episode) && c.at == c.end);
}

static bool find_span(struct bytes fields, struct span *ret)
{
	find_number(fields, "\"episode\":", &ret->episode);
	return find_number(fields, "\"start_ns\":", &ret->start_ns) &&
	       find_number(fields, "\"duration_ns\":", &ret->duration_ns);
}

bool tape_reader_episode(const struct tape_reader *r, size_t index, uint64_t *ret_start_ns,
			 uint64_t *ret_duration_ns, uint32_t *ret_episode)
{
	uint64_t offset = r->index->units[index].time;
	struct span quick = {0}, found = {0};
	struct bytes fields;

	if (offset == INDEX_NONE || !tape_index_fields(r->index, offset, &fields))
		return false;
	if (quick_span(fields, &quick))
		found = quick;
	else if (!find_span(fields, &found))
		return false;
	*ret_start_ns = found.start_ns;
	*ret_duration_ns = found.duration_ns;
	*ret_episode = (uint32_t)found.episode;
	return true;
}

bool tape_reader_span(const struct tape_reader *r, size_t index, uint64_t *ret_start_ns,
		      uint64_t *ret_duration_ns)
{
	uint32_t episode;

	return tape_reader_episode(r, index, ret_start_ns, ret_duration_ns, &episode);
}

static int map_blob(const char *path, uint64_t size, struct payload_view *v, struct error *err)
{
	cleanup_close int fd = -1;
	int rc = blob_open(path, size, &fd, err);

	if (rc < 0)
		return rc;
	v->data = "";
	v->len = (size_t)size;
	if (!size)
		return 0;
	v->map = mmap(NULL, v->len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (v->map == MAP_FAILED) {
		v->map = NULL;
		return error_sys(err, errno, "cannot map the blob %s", path);
	}
	v->map_len = v->len;
	v->data = v->map;
	return 0;
}

static int check_hash(const char *path, const struct payload *p, const struct payload_view *v,
		      struct error *err)
{
	struct hash_sha256 *hash = hash_sha256_new();
	char hex[HASH_SHA256_HEX + 1];

	if (!hash)
		return error_no_memory(err);
	hash_sha256_add(hash, v->data, v->len);
	hash_sha256_hex(hash, hex);
	hash_sha256_free(hash);
	if (strcmp(hex, p->sha256) != 0)
		return error_set(err, ERR_FORMAT,
				 "the blob %s is damaged: its SHA-256 is not its name", path);
	return 0;
}

static int load_blob(const struct tape_reader *r, const struct payload *p, struct payload_view *v,
		     struct error *err)
{
	cleanup_free char *blobs = NULL, *path = NULL;
	int rc = tape_file_path(r->dir, BLOBS_DIR, &blobs, err);

	if (rc == 0)
		rc = tape_file_path(blobs, p->sha256, &path, err);
	if (rc == 0)
		rc = map_blob(path, p->size, v, err);
	if (rc == 0)
		rc = check_hash(path, p, v, err);
	return rc == ERR_FORMAT || rc == ERR_NOTFOUND ? error_advise(err, rc, TAPE_REPAIR) : rc;
}

static int decode_view(const struct roots *roots, struct payload_view *v, struct error *err)
{
	if (roots_decode(roots, v->data, v->len, &v->owned) < 0)
		return error_no_memory(err);
	if (v->map)
		munmap(v->map, v->map_len);
	v->map = NULL;
	v->map_len = 0;
	v->data = v->owned.len ? v->owned.data : "";
	v->len = v->owned.len;
	return 0;
}

int tape_reader_payload(const struct tape_reader *r, const struct payload *p,
			const struct roots *roots, struct payload_view *ret, struct error *err)
{
	struct payload_view v = {.data = ""};
	int rc = 0;

	if (p->form == PAYLOAD_BLOB)
		rc = load_blob(r, p, &v, err);
	else if (p->form == PAYLOAD_INLINE && p->bytes.len)
		v = (struct payload_view){.data = p->bytes.data, .len = p->bytes.len};
	if (rc == 0 && p->rooted && roots)
		rc = decode_view(roots, &v, err);
	if (rc < 0) {
		payload_view_clear(&v);
		return rc;
	}
	*ret = v;
	return 0;
}

void payload_view_clear(struct payload_view *v)
{
	if (v->map)
		munmap(v->map, v->map_len);
	buf_free(&v->owned);
	memset(v, 0, sizeof(*v));
}
