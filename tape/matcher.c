#include "tape/matcher.h"

#include "base/cleanup.h"
#include "base/text.h"
#include <stdio.h>
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

/* How far two commands are apart: a different program is farther than any arguments. */
#define ANOTHER_PROGRAM 1000000u
#define ANOTHER_CWD	1u
#define ANOTHER_ENV	1u
#define ARGS_COMPARED	64u /* of longer commands, the first */

static struct bytes bytes_of(const struct buf *b)
{
	return (struct bytes){b->data, b->len};
}

static struct bytes program_name(const struct unit *u)
{
	struct bytes name = u->argc ? bytes_of(&u->argv[0]) : (struct bytes){"", 0};
	const char *slash = name.len ? memrchr(name.data, '/', name.len) : NULL;

	if (slash) {
		name.len -= (size_t)(slash + 1 - name.data);
		name.data = slash + 1;
	}
	return name;
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned least = a < b ? a : b;

	return least < c ? least : c;
}

/* Insertions, deletions and changes between the arguments behind argv[0] (Levenshtein). */
static unsigned args_distance(const struct unit *a, const struct unit *b)
{
	unsigned row[ARGS_COMPARED + 1];
	size_t an = a->argc < ARGS_COMPARED ? a->argc : ARGS_COMPARED;
	size_t bn = b->argc < ARGS_COMPARED ? b->argc : ARGS_COMPARED;

	for (size_t j = 0; j <= ARGS_COMPARED; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i < an; i++) {
		unsigned corner = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j < bn; j++) {
			bool same = bytes_equal(bytes_of(&a->argv[i]), bytes_of(&b->argv[j]));
			unsigned best = min3(row[j] + 1, row[j - 1] + 1, corner + !same);

			corner = row[j];
			row[j] = best;
		}
	}
	return row[bn > 0 ? bn - 1 : 0];
}

static bool same_env(const struct unit *a, const struct unit *b)
{
	if (a->env_count != b->env_count)
		return false;
	for (size_t i = 0; i < a->env_count; i++) {
		if (!bytes_equal(bytes_of(&a->env[i].name), bytes_of(&b->env[i].name)) ||
		    !bytes_equal(bytes_of(&a->env[i].value), bytes_of(&b->env[i].value)))
			return false;
	}
	return true;
}

static bool same_cwd(const struct unit *record, const struct unit *command)
{
	return record->cwd_any || bytes_equal(bytes_of(&record->cwd), bytes_of(&command->cwd));
}

static unsigned distance(const struct unit *record, const struct unit *command)
{
	unsigned d = args_distance(record, command);

	if (!bytes_equal(program_name(record), program_name(command)))
		d += ANOTHER_PROGRAM;
	if (!same_cwd(record, command))
		d += ANOTHER_CWD;
	if (!same_env(record, command))
		d += ANOTHER_ENV;
	return d;
}

/* A tape of a million records is not searched to the end for a message. */
#define RECORDS_COMPARED 20000

/* *ret_index -1 when there is no unused record. */
static int find_nearest(const struct matcher *m, const struct unit *command, long *ret_index,
			unsigned *ret_distance, struct error *err)
{
	size_t count = tape_reader_count(m->reader);
	size_t compared = 0;

	*ret_index = -1;
	*ret_distance = 0;
	for (size_t i = 0; i < count && compared < RECORDS_COMPARED; i++) {
		struct unit record = {0};
		unsigned d;
		int r;

		if (m->used[i])
			continue;
		r = tape_reader_unit(m->reader, i, &record, err);
		if (r < 0)
			return r;
		d = distance(&record, command);
		unit_clear(&record);
		compared++;
		if (*ret_index < 0 || d < *ret_distance) {
			*ret_index = (long)i;
			*ret_distance = d;
		}
	}
	return 0;
}

static int add_line(struct buf *out, const char *field, const char *recorded, const char *now)
{
	return buf_addf(out, "\n    %-8s recorded %s\n    %-8s now      %s", field, recorded, "",
			now);
}

static int add_field(struct buf *out, const char *field, struct bytes recorded, struct bytes now)
{
	cleanup_buf struct buf a = BUF_INIT;
	cleanup_buf struct buf b = BUF_INIT;

	if (text_quote(&a, recorded.data, recorded.len) < 0 ||
	    text_quote(&b, now.data, now.len) < 0)
		return ERR_NOMEM;
	return add_line(out, field, a.data, b.data);
}

static int add_args_diff(struct buf *out, const struct unit *record, const struct unit *command)
{
	size_t most = record->argc > command->argc ? record->argc : command->argc;
	int r = 0;

	for (size_t i = 0; r == 0 && i < most; i++) {
		char field[32];
		struct bytes a = {"", 0};
		struct bytes b = {"", 0};

		if (i < record->argc)
			a = bytes_of(&record->argv[i]);
		if (i < command->argc)
			b = bytes_of(&command->argv[i]);
		if (bytes_equal(a, b) && i < record->argc && i < command->argc)
			continue;
		snprintf(field, sizeof(field), "argv[%zu]", i);
		if (i >= record->argc || i >= command->argc) {
			cleanup_buf struct buf quoted = BUF_INIT;
			struct bytes there = i < record->argc ? a : b;

			r = text_quote(&quoted, there.data, there.len);
			if (r == 0 && i < record->argc)
				r = add_line(out, field, quoted.data, "(nothing)");
			else if (r == 0)
				r = add_line(out, field, "(nothing)", quoted.data);
			continue;
		}
		r = add_field(out, field, a, b);
	}
	return r;
}

int matcher_add_command(struct buf *out, const struct unit *u)
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

static int add_nearest(const struct matcher *m, size_t index, const struct unit *command,
		       struct buf *out, struct error *err)
{
	struct unit record = {0};
	char id[UNIT_ID_SIZE];
	int r = tape_reader_unit(m->reader, index, &record, err);

	if (r < 0)
		return r;
	unit_id_format(record.id, id);
	r = buf_addf(out, "\n  nearest unused record, %s:\n    ", id);
	if (r == 0)
		r = matcher_add_command(out, &record);
	if (r == 0)
		r = add_args_diff(out, &record, command);
	if (r == 0 && !same_cwd(&record, command))
		r = add_field(out, "cwd", bytes_of(&record.cwd), bytes_of(&command->cwd));
	if (r == 0 && !same_env(&record, command))
		r = buf_add_str(out, "\n    the chosen environment differs");
	unit_clear(&record);
	return r < 0 ? error_no_memory(err) : 0;
}

int matcher_explain(const struct matcher *m, const struct unit *command, struct buf *out,
		    struct error *err)
{
	long nearest;
	unsigned far;
	int r;

	if (buf_add_str(out, "no record for this command:\n    ") < 0 ||
	    matcher_add_command(out, command) < 0)
		return error_no_memory(err);
	r = find_nearest(m, command, &nearest, &far, err);
	if (r < 0)
		return r;
	if (nearest < 0)
		return buf_add_str(out, "\n  every record of the tape has been used") < 0
			       ? error_no_memory(err)
			       : 0;
	if (far >= ANOTHER_PROGRAM)
		return buf_add_str(out, "\n  no unused record is of this program") < 0
			       ? error_no_memory(err)
			       : 0;
	return add_nearest(m, (size_t)nearest, command, out, err);
}

int matcher_nearest(const struct matcher *m, const struct unit *command, size_t *ret_index,
		    struct error *err)
{
	unsigned far;
	long nearest;
	int r = find_nearest(m, command, &nearest, &far, err);

	if (r == 0 && nearest >= 0 && far < ANOTHER_PROGRAM)
		*ret_index = (size_t)nearest;
	return r;
}
