/* tape_merge(): one tape of several (FORMAT.md, "Merging"). */
#include "base/cleanup.h"
#include "base/hash.h"
#include "tape/blobs.h"
#include "tape/build.h"
#include "tape/differ.h"
#include "tape/reader.h"
#include "tape/tape.h"
#include <stdlib.h>
#include <string.h>

#define TELL_EVERY 1024 /* units */

struct content {
	uint64_t hash;
	uint32_t tape;
	uint32_t index;
};

/* One of the tapes. */
struct source {
	struct tape_reader *reader;
	bool *dropped; /* by index: an earlier tape has the same */
	struct blobs named;
	uint64_t start_ns; /* where its run begins on the new tape */
};

struct merge {
	const struct tape_merge_options *options;
	struct source *source;
	size_t count;
	size_t units; /* of all */
	size_t told;
	size_t done;
	struct build build;
	struct tape_merge_result result;
};

/* --- Do they fit? ------------------------------------------------------------------------------
 */

static int check_lists(const struct merge *m, size_t i, const struct strings *first,
		       const struct strings *other, const char *what, const char *option,
		       struct error *err)
{
	if (differ_same_strings(first, other))
		return 0;
	return error_set(err, ERR_INVALID,
			 "%s and %s do not fit together: they were recorded with other %s; record "
			 "both with the same %s",
			 tape_reader_path(m->source[0].reader),
			 tape_reader_path(m->source[i].reader), what, option);
}

/* Keys rest on the variables that count, and stored text on the names of the roots. */
static int check_heads(const struct merge *m, struct error *err)
{
	const struct tape_head *first = tape_reader_head(m->source[0].reader);
	int rc = 0;

	for (size_t i = 1; rc == 0 && i < m->count; i++) {
		const struct tape_head *other = tape_reader_head(m->source[i].reader);

		rc = check_lists(m, i, &first->env, &other->env, "variables", "--env", err);
		if (rc == 0)
			rc = check_lists(m, i, &first->roots, &other->roots, "roots", "--root",
					 err);
	}
	return rc;
}

static void say_warnings(const struct merge *m, const struct tape_reader *r)
{
	for (size_t k = 0; m->options->say && k < tape_reader_warning_count(r); k++)
		m->options->say(m->options->say_ctx, TAPE_WARNING, tape_reader_warning(r, k));
}

static int open_sources(struct merge *m, const char *const *tapes, struct error *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < m->count; i++) {
		struct source *s = &m->source[i];

		rc = tape_reader_open(tapes[i], &s->reader, err);
		if (rc < 0)
			break;
		say_warnings(m, s->reader);
		m->units += tape_reader_count(s->reader);
		s->dropped = calloc(tape_reader_count(s->reader) + 1, sizeof(*s->dropped));
		if (!s->dropped)
			rc = error_no_memory(err);
	}
	return rc < 0 ? rc : check_heads(m, err);
}

/* --- What is there twice -----------------------------------------------------------------------
 */

static int get_records(const struct merge *m, const struct content *c,
		       struct bytes ret[READER_RECORDS], struct error *err)
{
	return tape_reader_fields(m->source[c->tape].reader, c->index, ret, err);
}

static int hash_unit(const struct merge *m, struct content *c, struct error *err)
{
	struct bytes record[READER_RECORDS];
	uint64_t hash[READER_RECORDS];
	int rc = get_records(m, c, record, err);

	for (size_t i = 0; rc == 0 && i < READER_RECORDS; i++)
		hash[i] = hash64(record[i].data, record[i].len);
	if (rc == 0)
		c->hash = hash64(hash, sizeof(hash));
	return rc;
}

static int by_hash(const void *left, const void *right)
{
	const struct content *a = left, *b = right;

	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	if (a->tape != b->tape)
		return a->tape < b->tape ? -1 : 1;
	return (a->index > b->index) - (a->index < b->index);
}

/* Two records may have one hash. */
static int is_equal(const struct merge *m, const struct content *a, const struct content *b,
		    bool *ret, struct error *err)
{
	struct bytes left[READER_RECORDS], right[READER_RECORDS];
	size_t i = 0;
	int rc = get_records(m, a, left, err);

	if (rc == 0)
		rc = get_records(m, b, right, err);
	while (rc == 0 && i < READER_RECORDS && bytes_equal(left[i], right[i]))
		i++;
	*ret = rc == 0 && i == READER_RECORDS;
	return rc;
}

/* Of units with the same content, as many stay as the tape has that has most: the first that have
 * them give them. */
static int drop_equal(struct merge *m, const struct content *c, size_t count, struct error *err)
{
	size_t most = 0, here = 0;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < count; i++) {
		bool equal = false;

		if (i && c[i].tape != c[i - 1].tape) {
			most = here > most ? here : most;
			here = 0;
		}
		if (here++ < most)
			rc = is_equal(m, &c[0], &c[i], &equal, err);
		if (equal) {
			m->source[c[i].tape].dropped[c[i].index] = true;
			m->result.duplicates++;
		}
	}
	return rc;
}

static int find_duplicates(struct merge *m, struct error *err)
{
	cleanup_free struct content *all = calloc(m->units + 1, sizeof(*all));
	size_t count = 0, first = 0;
	int rc = all ? 0 : error_no_memory(err);

	for (uint32_t t = 0; rc == 0 && t < m->count; t++) {
		for (uint32_t i = 0; rc == 0 && i < tape_reader_count(m->source[t].reader); i++) {
			all[count] = (struct content){0, t, i};
			rc = hash_unit(m, &all[count++], err);
		}
	}
	if (rc < 0)
		return rc;
	qsort(all, count, sizeof(*all), by_hash);
	for (size_t i = 1; rc == 0 && i <= count; i++) {
		if (i < count && all[i].hash == all[first].hash)
			continue;
		rc = drop_equal(m, &all[first], i - first, err);
		first = i;
	}
	return rc;
}

/* --- The new tape ------------------------------------------------------------------------------
 */

static int add_missing(struct strings *to, const struct strings *from)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < from->count; i++) {
		size_t k = 0;

		while (k < to->count && strcmp(to->item[k], from->item[i]) != 0)
			k++;
		if (k == to->count)
			rc = strings_add(to, from->item[i]);
	}
	return rc;
}

/* That of the first; what ran for real, was looked through or restricted on any of them counts. */
static int write_head(struct merge *m, struct error *err)
{
	struct tape_head head = *tape_reader_head(m->source[0].reader); /* borrows */
	struct strings through = {NULL, 0}, real = {NULL, 0}, restricted = {NULL, 0};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < m->count; i++) {
		const struct tape_head *h = tape_reader_head(m->source[i].reader);

		rc = add_missing(&through, &h->through);
		if (rc == 0)
			rc = add_missing(&real, &h->real);
		if (rc == 0)
			rc = add_missing(&restricted, &h->restricted);
	}
	head.through = through;
	head.real = real;
	head.restricted = restricted;
	rc = rc < 0 ? error_no_memory(err) : build_head(&m->build, &head, err);
	strings_clear(&through);
	strings_clear(&real);
	strings_clear(&restricted);
	return rc;
}

static bool is_on_earlier(const struct merge *m, size_t tape, uint64_t key)
{
	size_t i = 0;

	while (i < tape && tape_reader_find(m->source[i].reader, key, 0) < 0)
		i++;
	return i < tape;
}

static int write_lines(struct merge *m, struct source *s, size_t index, struct unit *u,
		       struct error *err)
{
	static const enum line_type types[READER_RECORDS] = {LINE_SPAWN, LINE_EXIT, LINE_TAIL};
	struct bytes record[READER_RECORDS];
	int rc = tape_reader_fields(s->reader, index, record, err);

	if (rc == 0)
		rc = build_spawn(&m->build, u->id.key, record[0], &u->id, err);
	for (size_t i = 1; rc == 0 && i < READER_RECORDS; i++) {
		if (record[i].data)
			rc = build_line(&m->build, types[i], u->id, record[i], err);
	}
	u->time.start_ns += s->start_ns;
	return rc < 0 ? rc : build_time(&m->build, u, err);
}

/* It is read, too: what makes no sense shall not go on to another tape. */
static int write_unit(struct merge *m, size_t tape, size_t index, uint64_t *last_ns,
		      struct error *err)
{
	struct source *s = &m->source[tape];
	struct unit u = {0};
	int rc = tape_reader_unit(s->reader, index, &u, err);

	if (rc == 0 && u.time.known && u.time.start_ns + u.time.duration_ns > *last_ns)
		*last_ns = u.time.start_ns + u.time.duration_ns;
	if (rc == 0 && !s->dropped[index]) {
		m->result.units++;
		m->result.conflicts += is_on_earlier(m, tape, u.id.key);
		rc = blobs_add_unit(&s->named, &u, 0, 0) < 0 ? error_no_memory(err) : 0;
		if (rc == 0)
			rc = write_lines(m, s, index, &u, err);
	}
	unit_clear(&u);
	return rc;
}

static void advance(struct merge *m)
{
	const struct tape_progress *p = &m->options->progress;

	if (!p->tell || ++m->done - m->told < TELL_EVERY)
		return;
	m->told = m->done;
	p->tell(p->ctx, m->done, m->units);
}

/* The runs follow one another on the new tape, so that none of one overlaps with one of another. */
static int write_units(struct merge *m, struct error *err)
{
	uint64_t start_ns = 0;
	int rc = 0;

	for (size_t t = 0; rc == 0 && t < m->count; t++) {
		uint64_t last_ns = 0;

		m->source[t].start_ns = start_ns;
		for (size_t i = 0; rc == 0 && i < tape_reader_count(m->source[t].reader); i++) {
			rc = write_unit(m, t, i, &last_ns, err);
			advance(m);
		}
		start_ns += last_ns + 1;
	}
	return rc;
}

static int copy_blobs(struct merge *m, struct error *err)
{
	int rc = 0;

	for (size_t t = 0; rc == 0 && t < m->count; t++) {
		struct blobs *named = &m->source[t].named;

		blobs_sort(named);
		for (size_t i = 0; rc == 0 && i < named->count; i++) {
			const struct blob *b = &named->item[i];

			if (!i || strcmp(b[-1].name, b->name) != 0)
				rc = build_blob(&m->build, tape_reader_path(m->source[t].reader),
						b->name, b->size, err);
		}
	}
	return rc;
}

static int merge_into(struct merge *m, const char *out, struct error *err)
{
	int rc = find_duplicates(m, err);

	if (rc == 0)
		rc = build_open(out, m->options->replace, &m->build, err);
	if (rc < 0)
		return rc;
	rc = write_head(m, err);
	if (rc == 0)
		rc = write_units(m, err);
	if (rc == 0)
		rc = copy_blobs(m, err);
	if (rc == 0)
		rc = build_finish(&m->build, err);
	build_close(&m->build);
	return rc;
}

int tape_merge(const char *out, const char *const *tapes, const struct tape_merge_options *options,
	       struct tape_merge_result *ret, struct error *err)
{
	struct merge m = {.options = options};
	int rc;

	while (tapes[m.count])
		m.count++;
	if (!m.count)
		return error_set(err, ERR_INVALID, "there is no tape to merge");
	m.source = calloc(m.count, sizeof(*m.source));
	rc = m.source ? open_sources(&m, tapes, err) : error_no_memory(err);
	if (rc == 0)
		rc = merge_into(&m, out, err);
	for (size_t i = 0; m.source && i < m.count; i++) {
		tape_reader_free(m.source[i].reader);
		free(m.source[i].dropped);
		blobs_clear(&m.source[i].named);
	}
	free(m.source);
	if (rc == 0)
		*ret = m.result;
	return rc;
}
