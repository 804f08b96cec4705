#include "tape/index.h"
#include "base/cleanup.h"
#include "tape/codec.h"
#include "tape/files.h"
#include "tape/journal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_SLOTS 64

/* One pass over the lines of a file. */
struct scan {
	const struct mapped *map;
	size_t at;     /* the beginning of the next line */
	size_t number; /* of the line that was given last, from 1 */
	struct bytes text;
	bool whole; /* it ended with a newline */
};

static bool next_line(struct scan *s)
{
	size_t left = s->map->len - s->at;
	const char *start, *newline;

	if (!left)
		return false;
	start = s->map->data + s->at;
	newline = memchr(start, '\n', left);
	s->text = (struct bytes){start, newline ? (size_t)(newline - start) : left};
	s->whole = newline != NULL;
	s->at += s->text.len + s->whole;
	s->number++;
	return true;
}

/* Puts what is in the file into the map, in place of the map of the file. What was cut off
 * meanwhile is not there. */
static int read_file(int fd, const char *path, struct mapped *map, struct error *err)
{
	char *data = mmap(NULL, map->map_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	ssize_t n = 1;

	if (data == MAP_FAILED)
		return error_no_memory(err);
	map->data = data;
	map->len = 0;
	while (n != 0 && map->len < map->map_len) {
		n = pread(fd, data + map->len, map->map_len - map->len, (off_t)map->len);
		if (n < 0 && errno != EINTR)
			return error_sys(err, errno, "cannot read %s", path);
		map->len += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* With `copy`, the file may be cut off afterwards, as a journal is by the next recorder: touching
 * the lost pages of a map would be SIGBUS. */
static int map_file(int fd, const char *path, bool copy, struct mapped *ret, struct error *err)
{
	struct stat st;
	void *data;

	if (fstat(fd, &st) < 0)
		return error_sys(err, errno, "cannot stat %s", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERR_FORMAT,
				 "%s is not a regular file; remove it and record the tape again",
				 path);
	*ret = (struct mapped){NULL, (size_t)st.st_size, (size_t)st.st_size};
	if (!st.st_size)
		return 0;
	if (copy)
		return read_file(fd, path, ret, err);
	data = mmap(NULL, ret->len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return error_sys(err, errno, "cannot map %s", path);
	ret->data = data;
	return 0;
}

static void unmap(struct mapped *map)
{
	if (map->data)
		munmap((void *)map->data, map->map_len);
	*map = (struct mapped){NULL, 0, 0};
}

void tape_index_free(struct tape_index *index)
{
	if (!index)
		return;
	unmap(&index->lines);
	unmap(&index->timing);
	tape_head_clear(&index->head);
	free(index->path);
	free(index->units);
	free(index->slots);
	free(index);
}

static uint32_t hash_of(struct unit_id id)
{
	/* Equal keys are common and differ by small ordinals only: spread those. */
	return (uint32_t)(((id.key + id.ordinal) * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
}

/* The slot that holds `id`, or the free one where it belongs. Another hash is another unit, which
 * saves a look at a place of memory that is nowhere near. */
static struct index_slot *probe(const struct tape_index *index, struct unit_id id)
{
	const uint32_t hash = hash_of(id);
	size_t i = hash & (index->slot_count - 1);

	for (; index->slots[i].unit; i = (i + 1) & (index->slot_count - 1)) {
		if (index->slots[i].hash == hash) {
			struct unit_id there = index->units[index->slots[i].unit - 1].id;

			if (there.key == id.key && there.ordinal == id.ordinal)
				break;
		}
	}
	return &index->slots[i];
}

long tape_index_find(const struct tape_index *index, struct unit_id id)
{
	return index->slot_count ? (long)probe(index, id)->unit - 1 : -1;
}

/* All of them, into a table twice as large. */
static void move_slots(const struct tape_index *index, struct index_slot *slots, size_t slot_count)
{
	for (size_t i = 0; i < index->slot_count; i++) {
		size_t at = index->slots[i].hash & (slot_count - 1);

		if (!index->slots[i].unit)
			continue;
		while (slots[at].unit)
			at = (at + 1) & (slot_count - 1);
		slots[at] = index->slots[i];
	}
}

/* Keeps the table at most half full, and the units in step with it. */
static int make_room(struct tape_index *index, struct error *err)
{
	size_t slot_count = index->slot_count ? index->slot_count * 2 : FIRST_SLOTS;
	struct index_unit *units;
	struct index_slot *slots;

	if (index->count < index->slot_count / 2)
		return 0;
	if (index->count >= UINT32_MAX / 4)
		return error_set(err, ERR_LIMIT, "too many units on one tape");
	units = reallocarray(index->units, slot_count / 2, sizeof(*units));
	if (units)
		index->units = units;
	slots = calloc(slot_count, sizeof(*slots));
	if (!units || !slots) {
		free(slots);
		return error_no_memory(err);
	}
	move_slots(index, slots, slot_count);
	free(index->slots);
	index->slots = slots;
	index->slot_count = slot_count;
	return 0;
}

static int add_spawn(struct tape_index *index, struct unit_id id, uint64_t offset,
		     struct error *err)
{
	struct unit_id before = {id.key, id.ordinal - 1};
	struct index_slot *slot;
	int rc = make_room(index, err);

	if (rc < 0)
		return rc;
	slot = probe(index, id);
	if (slot->unit)
		return error_set(err, ERR_FORMAT, "the same unit is spawned a second time");
	if (id.ordinal && tape_index_find(index, before) < 0)
		return error_set(err, ERR_FORMAT,
				 "the units with this key are not numbered 0, 1, … in order");
	index->units[index->count] =
		(struct index_unit){id, offset, INDEX_NONE, INDEX_NONE, INDEX_NONE};
	*slot = (struct index_slot){hash_of(id), (uint32_t)++index->count};
	return 0;
}

static bool is_unit(const struct tape_index *index, size_t i, struct unit_id id)
{
	return i < index->count && index->units[i].id.key == id.key &&
	       index->units[i].id.ordinal == id.ordinal;
}

/* `guess`: where the unit is on a tape in its usual order, which saves a look into the table. */
static int add_to_unit(struct tape_index *index, const struct line *line, size_t guess,
		       uint64_t offset, struct error *err)
{
	long i = is_unit(index, guess, line->id) ? (long)guess : tape_index_find(index, line->id);
	struct index_unit *u = i < 0 ? NULL : &index->units[i];
	uint64_t *where;

	if (!u)
		return error_set(err, ERR_FORMAT, "there is no spawn record before it");
	where = line->type == LINE_EXIT ? &u->exit : line->type == LINE_TAIL ? &u->tail : &u->time;
	if (*where != INDEX_NONE)
		return error_set(err, ERR_FORMAT, "the unit has such a record already");
	if (line->type == LINE_TAIL && u->exit == INDEX_NONE)
		return error_set(err, ERR_FORMAT, "there is no exit record before the tail");
	*where = offset;
	return 0;
}

static int add_line(struct tape_index *index, const struct line *line, uint64_t offset,
		    struct error *err)
{
	if ((line->type == LINE_HEAD) != (offset == 0))
		return error_set(err, ERR_FORMAT, "the head must be the first line, and only that");
	if (line->type == LINE_SPAWN)
		return add_spawn(index, line->id, offset, err);
	if (line->type != LINE_HEAD)
		return add_to_unit(index, line, index->count - 1, offset, err);
	if (line->id.key || line->id.ordinal)
		return error_set(err, ERR_FORMAT, "the head has a key");
	return codec_read_head(line, &index->head, err);
}

static bool is_bom(const struct bytes *text)
{
	return text->len >= 3 && memcmp(text->data, "\xef\xbb\xbf", 3) == 0;
}

static int bad_line(const struct scan *s, enum line_state state, struct error *err)
{
	if (line_is_merge_mark(s->text.data, s->text.len))
		return error_set(err, ERR_FORMAT,
				 "this is the mark of a git merge that was not resolved; take one "
				 "side whole (git checkout --ours or --theirs) or record again");
	if (s->text.len && s->text.data[s->text.len - 1] == '\r')
		return error_set(err, ERR_FORMAT,
				 "the line ends with CR LF: something converted the ends of lines "
				 "(git does so with core.autocrlf); " TAPE_REPAIR);
	if (is_bom(&s->text))
		return error_set(err, ERR_FORMAT,
				 "the line begins with a byte order mark, which an editor may have "
				 "put there; " TAPE_REPAIR);
	return error_set(err, ERR_FORMAT, "%s; " TAPE_REPAIR, line_state_text(state));
}

static bool is_torn(const struct scan *s, enum line_state state, enum index_kind kind)
{
	if (state == LINE_UNKNOWN || line_is_merge_mark(s->text.data, s->text.len))
		return false;
	/* A power cut may keep the length of a file but not its last bytes. */
	return !s->whole || (kind == INDEX_JOURNAL && state == LINE_SUM && s->at == s->map->len);
}

static int read_line(struct tape_index *index, const struct scan *s, const struct line *line,
		     enum line_state state, struct error *err)
{
	int rc = state == LINE_OK
			 ? add_line(index, line, (uint64_t)(s->text.data - s->map->data), err)
			 : bad_line(s, state, err);

	return rc == ERR_FORMAT && state == LINE_OK ? error_advise(err, rc, TAPE_REPAIR) : rc;
}

/* While a line is looked at, the place of the next one's unit in the table comes nearer. */
static void fetch_next(const struct tape_index *index, const struct scan *s)
{
	struct unit_id id;

	if (index->slot_count && line_peek_id(s->map->data + s->at, s->map->len - s->at, &id))
		__builtin_prefetch(&index->slots[hash_of(id) & (index->slot_count - 1)], 1);
}

static int scan_lines(struct tape_index *index, enum index_kind kind,
		      const struct index_watch *watch, struct error *err)
{
	struct scan s = {.map = &index->lines};
	int rc = 0;

	while (rc == 0 && next_line(&s)) {
		uint64_t offset = (uint64_t)(s.text.data - index->lines.data);
		struct line line;
		enum line_state state;

		fetch_next(index, &s);
		state = line_parse(s.text.data, s.text.len, &line);
		if (state != LINE_OK && offset && is_torn(&s, state, kind)) {
			index->torn_len = s.map->len - offset;
			break;
		}
		rc = read_line(index, &s, &line, state, err);
		if (rc == ERR_FORMAT && watch && offset) {
			watch->bad(watch->ctx, s.number, state, err);
			rc = 0;
		}
	}
	if (rc < 0)
		return error_wrap(err, rc, "%s: line %zu", index->path, s.number);
	if (!s.number)
		return error_set(err, ERR_FORMAT,
				 "%s is empty: there is not even a head; " TAPE_REPAIR,
				 index->path);
	return 0;
}

/* `copy`: as map_file() has it. */
static int index_new(int fd, const char *path, enum index_kind kind, bool copy,
		     const struct index_watch *watch, struct tape_index **ret, struct error *err)
{
	struct tape_index *index = calloc(1, sizeof(*index));
	int rc;

	if (!index)
		return error_no_memory(err);
	index->path = strdup(path);
	rc = index->path ? map_file(fd, path, copy, &index->lines, err) : error_no_memory(err);
	if (rc == 0)
		rc = scan_lines(index, kind, watch, err);
	if (rc < 0) {
		tape_index_free(index);
		return rc;
	}
	*ret = index;
	return 0;
}

int tape_index_map(int fd, const char *path, enum index_kind kind, struct tape_index **ret,
		   struct error *err)
{
	return index_new(fd, path, kind, false, NULL, ret, err);
}

static int open_file(const char *path, int *ret_fd, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0 && errno == ENOENT)
		return error_set(err, ERR_NOTFOUND, "there is no %s", path);
	if (fd < 0)
		return error_sys(err, errno, "cannot open %s", path);
	*ret_fd = fd;
	return 0;
}

struct index_request {
	const char *path;
	const struct index_watch *watch;
	struct tape_index **ret;
};

static int copy_journal(int fd, void *ctx, struct error *err)
{
	const struct index_request *request = ctx;

	return index_new(fd, request->path, INDEX_JOURNAL, true, request->watch, request->ret, err);
}

int tape_index_open(const char *path, enum index_kind kind, struct tape_index **ret,
		    struct error *err)
{
	return tape_index_examine(path, kind, NULL, ret, err);
}

int tape_index_examine(const char *path, enum index_kind kind, const struct index_watch *watch,
		       struct tape_index **ret, struct error *err)
{
	struct index_request request = {path, watch, ret};
	cleanup_close int fd = -1;
	int rc;

	if (kind == INDEX_JOURNAL)
		return journal_read(path, copy_journal, &request, err);
	rc = open_file(path, &fd, err);
	return rc < 0 ? rc : index_new(fd, path, kind, false, watch, ret, err);
}

int tape_index_add_timing(struct tape_index *index, const char *path, struct timing_damage *ret,
			  struct error *err)
{
	return tape_index_examine_timing(index, path, NULL, ret, err);
}

static int add_timing_line(struct tape_index *index, const struct scan *s, size_t guess,
			   enum line_state *ret_state, struct error *err)
{
	uint64_t offset = (uint64_t)(s->text.data - index->timing.data);
	struct line line;

	*ret_state = line_parse(s->text.data, s->text.len, &line);
	if (*ret_state != LINE_OK)
		return bad_line(s, *ret_state, err);
	if (line.type != LINE_TIME)
		return error_set(err, ERR_FORMAT, "only times belong here");
	return add_to_unit(index, &line, guess, offset | INDEX_APART, err);
}

int tape_index_examine_timing(struct tape_index *index, const char *path,
			      const struct index_watch *watch, struct timing_damage *ret,
			      struct error *err)
{
	struct scan s = {.map = &index->timing};
	struct timing_damage damage = {0, 0};
	cleanup_close int fd = -1;
	size_t next = 0;
	int rc = open_file(path, &fd, err);

	if (rc == 0)
		rc = map_file(fd, path, false, &index->timing, err);
	if (rc < 0)
		return rc;
	while (next_line(&s)) {
		struct error why;
		enum line_state state;

		if (add_timing_line(index, &s, next, &state, watch ? &why : NULL) == 0) {
			next++;
			continue;
		}
		if (!damage.bad_lines++)
			damage.first_bad_line = s.number;
		if (watch)
			watch->bad(watch->ctx, s.number, state, &why);
	}
	*ret = damage;
	return 0;
}

static struct scan scan_from(const struct tape_index *index, uint64_t offset)
{
	return (struct scan){
		.map = offset & INDEX_APART ? &index->timing : &index->lines,
		.at = (size_t)(offset & ~INDEX_APART),
	};
}

bool tape_index_fields(const struct tape_index *index, uint64_t offset, struct bytes *ret)
{
	struct scan s = scan_from(index, offset);

	return next_line(&s) && line_fields(s.text.data, s.text.len, ret);
}

int tape_index_changed(const struct tape_index *index, struct error *err)
{
	return error_set(err, ERR_FORMAT, "%s was changed while it was being read: try again",
			 index->path);
}

int tape_index_line(const struct tape_index *index, uint64_t offset, struct line *ret,
		    struct error *err)
{
	struct scan s = scan_from(index, offset);

	if (!next_line(&s) || line_parse(s.text.data, s.text.len, ret) != LINE_OK)
		return tape_index_changed(index, err);
	return 0;
}

int tape_index_head_line(const struct tape_index *index, struct line *ret, struct error *err)
{
	return tape_index_line(index, 0, ret, err);
}

size_t tape_index_line_number(const struct tape_index *index, uint64_t offset)
{
	const struct mapped *map = offset & INDEX_APART ? &index->timing : &index->lines;
	size_t end = (size_t)(offset & ~INDEX_APART);
	size_t number = 1;
	size_t i;

	for (i = 0; i < end && i < map->len; i++)
		number += map->data[i] == '\n';
	return number;
}
