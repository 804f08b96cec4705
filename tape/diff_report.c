#include "tape/diff_report.h"
#include "tape/json_values.h"
#include "tape/matcher.h"
#include "tape/show.h"
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

static const char signs[] = {
	[TAPE_HEADS] = '~',   [TAPE_ONLY_A] = '-', [TAPE_ONLY_B] = '+',
	[TAPE_CHANGED] = '~', [TAPE_MOVED] = '>',
};

static const char *const names[] = {
	[TAPE_HEADS] = "head",	    [TAPE_ONLY_A] = "only_a", [TAPE_ONLY_B] = "only_b",
	[TAPE_CHANGED] = "changed", [TAPE_MOVED] = "moved",
};

static int read_command(const struct diff_report *r, struct unit *ret, struct error *err)
{
	const struct differ *d = r->differ;

	return r->a >= 0 ? show_spawn(d->a, (size_t)r->a, d->shown, ret, err)
			 : show_spawn(d->b, (size_t)r->b, d->shown, ret, err);
}

static int add_command(const struct diff_report *r, struct buf *out, struct error *err)
{
	struct unit u = {0};
	int rc;

	if (r->kind == TAPE_HEADS)
		return buf_add_str(out, "the heads") < 0 ? error_no_memory(err) : 0;
	rc = read_command(r, &u, err);
	if (rc < 0)
		return rc;
	rc = unit_add_text(out, &u);
	unit_clear(&u);
	return rc < 0 ? error_no_memory(err) : 0;
}

static int add_change(struct buf *out, const struct change *c)
{
	return buf_addf(out, "\n    %-12s A %s\n    %-12s B %s", c->name, c->a ? c->a : "(nothing)",
			"", c->b ? c->b : "(nothing)");
}

int diff_report_text(const struct diff_report *r, struct buf *out, struct error *err)
{
	int rc = buf_addf(out, "%c ", signs[r->kind]) < 0 ? error_no_memory(err) : 0;

	if (rc == 0)
		rc = add_command(r, out, err);
	if (rc < 0)
		return rc;
	if (r->kind == TAPE_MOVED)
		rc = buf_addf(out, "\n    %-12s A %ld\n    %-12s B %ld", "place", r->a + 1, "",
			      r->b + 1);
	for (size_t i = 0; rc == 0 && r->changes && i < r->changes->count; i++)
		rc = add_change(out, &r->changes->item[i]);
	return rc < 0 ? error_no_memory(err) : 0;
}

/* The texts are quoted, so they are UTF-8; NULL is null. */
static json_t *json_of_value(const char *text)
{
	return text ? json_string(text) : json_null();
}

static json_t *json_of_changes(const struct changes *changes)
{
	json_t *list = json_array();

	for (size_t i = 0; list && changes && i < changes->count; i++) {
		const struct change *c = &changes->item[i];
		json_t *one = json_pack("{s:s,s:o,s:o}", "field", c->name, "a", json_of_value(c->a),
					"b", json_of_value(c->b));

		if (json_array_append_new(list, one) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *json_of_id(const struct tape_reader *reader, long index)
{
	char id[UNIT_ID_SIZE];

	if (index < 0)
		return json_null();
	unit_id_format(tape_reader_id(reader, (size_t)index), id);
	return json_string(id);
}

int diff_report_json(const struct diff_report *r, char **ret, struct error *err)
{
	struct unit u = {0};
	json_t *object, *argv;
	int rc = r->kind == TAPE_HEADS ? 0 : read_command(r, &u, err);

	if (rc < 0)
		return rc;
	argv = r->kind == TAPE_HEADS ? json_null() : json_of_argv(&u);
	object = json_pack("{s:s,s:o,s:o,s:o,s:o,s:o}", "difference", names[r->kind], "argv", argv,
			   "cwd", r->kind == TAPE_HEADS ? json_null() : json_of_cwd(&u), "a",
			   json_of_id(r->differ->a, r->a), "b", json_of_id(r->differ->b, r->b),
			   "fields", json_of_changes(r->changes));
	unit_clear(&u);
	if (object && r->kind == TAPE_MOVED &&
	    json_object_set_new(object, "places",
				json_pack("[I,I]", (json_int_t)r->a, (json_int_t)r->b)) < 0) {
		json_decref(object);
		object = NULL;
	}
	*ret = object ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	return *ret ? 0 : error_no_memory(err);
}
