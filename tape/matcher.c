#include "tape/matcher.h"

#include <stdlib.h>
#include <string.h>

struct matcher {
	const struct tape_reader *reader;
	unsigned char *used; /* by index */
	size_t used_count;
	uint32_t *next;	   /* by the index of a key's first: the first ordinal that may be unused */
	size_t next_index; /* behind the last record that was taken */
	bool has_ahead;
	size_t ahead_index;
	struct unit ahead; /* the record of ahead_index */
};

struct matcher *matcher_new(const struct tape_reader *reader)
{
	struct matcher *m = calloc(1, sizeof(*m));
	size_t count = tape_reader_count(reader);

	if (!m)
		return NULL;
	m->reader = reader;
	m->used = calloc(count ? count : 1, 1);
	m->next = calloc(count ? count : 1, sizeof(*m->next));
	if (!m->used || !m->next) {
		matcher_free(m);
		return NULL;
	}
	return m;
}

void matcher_free(struct matcher *m)
{
	if (!m)
		return;
	if (m->has_ahead)
		unit_clear(&m->ahead);
	free(m->next);
	free(m->used);
	free(m);
}

const struct tape_reader *matcher_reader(const struct matcher *m)
{
	return m->reader;
}

void matcher_read_ahead(struct matcher *m)
{
	size_t count = tape_reader_count(m->reader);

	while (m->next_index < count && m->used[m->next_index])
		m->next_index++;
	if (m->next_index == count || (m->has_ahead && m->ahead_index == m->next_index))
		return;
	if (m->has_ahead)
		unit_clear(&m->ahead);
	m->ahead_index = m->next_index;
	m->has_ahead = tape_reader_unit(m->reader, m->ahead_index, &m->ahead, NULL) == 0;
}

static int read_record(struct matcher *m, size_t index, struct unit *ret, struct error *err)
{
	if (!m->has_ahead || m->ahead_index != index)
		return tape_reader_unit(m->reader, index, ret, err);
	*ret = m->ahead;
	m->ahead = (struct unit){0};
	m->has_ahead = false;
	return 0;
}

/* Two commands may have one hash. */
static int is_same_command(struct matcher *m, size_t index, const struct unit *command,
			   bool *ret_same, struct error *err)
{
	struct unit record = {0};
	int r = 0;

	if (m->has_ahead && m->ahead_index == index) {
		*ret_same = unit_same_command(&m->ahead, command);
		return 0;
	}
	r = tape_reader_command(m->reader, index, &record, err);
	*ret_same = r == 0 && unit_same_command(&record, command);
	unit_clear(&record);
	return r;
}

struct found {
	size_t *index;
	size_t room;
	size_t count;
};

static int find_by_key(struct matcher *m, uint64_t key, const struct unit *command,
		       struct found *found, struct error *err)
{
	long index = tape_reader_find(m->reader, key, 0);
	uint32_t *next;

	if (index < 0)
		return 0;
	next = &m->next[index];
	/* What is used at the front stays so. */
	while ((index = tape_reader_find(m->reader, key, *next)) >= 0 && m->used[index])
		++*next;
	for (uint32_t ordinal = *next; found->count < found->room; ordinal++) {
		bool same = false;
		int r;

		index = tape_reader_find(m->reader, key, ordinal);
		if (index < 0)
			return 0;
		r = m->used[index] ? 0 : is_same_command(m, (size_t)index, command, &same, err);
		if (r < 0)
			return r;
		if (same)
			found->index[found->count++] = (size_t)index;
	}
	return 0;
}

/* The same command without its cwd: for records that a person wrote. */
static struct unit without_cwd(const struct unit *command)
{
	struct unit any = *command; /* borrows all of it */

	any.cwd_any = true;
	return any;
}

int matcher_find(struct matcher *m, const struct unit *command, size_t *ret, size_t room,
		 size_t *ret_count, struct error *err)
{
	struct found found = {ret, room, 0};
	struct unit any = without_cwd(command);
	uint64_t any_key;
	int r = find_by_key(m, command->id.key, command, &found, err);

	if (r == 0 && unit_key(&any, &any_key) < 0)
		r = error_no_memory(err);
	if (r == 0)
		r = find_by_key(m, any_key, &any, &found, err);
	*ret_count = found.count;
	return r;
}

static bool tells_stdin(const struct unit *record)
{
	const struct stream *s = unit_stream_const(record, 0);

	return s && !s->unseen && (s->eof || s->data.form != PAYLOAD_EMPTY);
}

int matcher_reads_stdin(struct matcher *m, size_t index, bool *ret, struct error *err)
{
	struct unit record = {0};
	int r;

	if (m->has_ahead && m->ahead_index == index) {
		*ret = tells_stdin(&m->ahead);
		return 0;
	}
	r = tape_reader_unit(m->reader, index, &record, err);
	*ret = r == 0 && tells_stdin(&record);
	unit_clear(&record);
	return r;
}

int matcher_peek(struct matcher *m, size_t index, const struct unit **ret, struct error *err)
{
	int r = 0;

	if (!m->has_ahead || m->ahead_index != index) {
		struct unit record = {0};

		r = tape_reader_unit(m->reader, index, &record, err);
		if (r < 0)
			return r;
		if (m->has_ahead)
			unit_clear(&m->ahead);
		m->ahead = record;
		m->ahead_index = index;
		m->has_ahead = true;
	}
	*ret = &m->ahead;
	return r;
}

int matcher_take(struct matcher *m, size_t index, struct unit *ret_record, struct error *err)
{
	int r = read_record(m, index, ret_record, err);

	if (r < 0)
		return r;
	m->used[index] = 1;
	m->used_count++;
	m->next_index = index + 1;
	return 0;
}

size_t matcher_unused(const struct matcher *m)
{
	return tape_reader_count(m->reader) - m->used_count;
}

bool matcher_is_used(const struct matcher *m, size_t index)
{
	return m->used[index] != 0;
}
