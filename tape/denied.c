#include "tape/denied.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/error.h"
#include <stdlib.h>
#include <string.h>

static void clear(struct unit_denial *d)
{
	for (int i = 0; i < DENIED_TEXTS; i++)
		buf_free(&d->text[i]);
}

static void clear_list(struct unit_denial **list, size_t *count)
{
	for (size_t i = 0; i < *count; i++)
		clear(&(*list)[i]);
	free(*list);
	*list = NULL;
	*count = 0;
}

void denied_clear(struct unit *u)
{
	clear_list(&u->denied, &u->denied_count);
	clear_list(&u->late, &u->late_count);
	u->late_more = false;
}

void denied_clear_times(struct unit_time *t)
{
	free(t->denied);
	t->denied = NULL;
	t->denied_count = 0;
	t->denied_more = 0;
}

void denied_move(struct unit *from, struct unit *to)
{
	to->denied = from->denied;
	to->denied_count = from->denied_count;
	to->time.denied = from->time.denied;
	to->time.denied_count = from->time.denied_count;
	to->time.denied_more = from->time.denied_more;
	from->denied = NULL;
	from->denied_count = 0;
	from->time.denied = NULL;
	denied_clear_times(&from->time);
}

static struct unit_denial *append(struct unit_denial **list, size_t *count)
{
	struct unit_denial *grown = array_grow(*list, *count, sizeof(*grown));

	if (!grown)
		return NULL;
	*list = grown;
	memset(&grown[*count], 0, sizeof(*grown));
	return &grown[(*count)++];
}

struct unit_denial *denied_append(struct unit *u)
{
	return append(&u->denied, &u->denied_count);
}

struct unit_denial *denied_append_late(struct unit *u)
{
	return append(&u->late, &u->late_count);
}

int denied_append_time(struct unit_time *t, const struct unit_denial_time *time)
{
	struct unit_denial_time *grown = array_grow(t->denied, t->denied_count, sizeof(*grown));

	if (!grown)
		return ERR_NOMEM;
	t->denied = grown;
	grown[t->denied_count++] = *time;
	return 0;
}

/* --- their order -------------------------------------------------------------------------------
 */

static int compare_texts(const struct buf *a, const struct buf *b)
{
	size_t len = a->len < b->len ? a->len : b->len;
	int order = len ? memcmp(a->data, b->data, len) : 0;

	return order ? order : (a->len > b->len) - (a->len < b->len);
}

/* Not by why, nor by what would allow it, which follow from the rest. */
static int compare(const struct unit_denial *a, const struct unit_denial *b)
{
	static const enum denied_text by[] = {DENIED_MECHANISM, DENIED_CALL, DENIED_WHAT,
					      DENIED_ARGUMENTS};
	int order = 0;

	for (size_t i = 0; order == 0 && i < sizeof(by) / sizeof(by[0]); i++)
		order = compare_texts(&a->text[by[i]], &b->text[by[i]]);
	if (order == 0)
		order = (a->error > b->error) - (a->error < b->error);
	return order ? order : (a->signal > b->signal) - (a->signal < b->signal);
}

static bool are_same(const struct unit_denial *a, size_t a_count, const struct unit_denial *b,
		     size_t b_count)
{
	size_t i = 0;

	while (i < a_count && i < b_count && compare(&a[i], &b[i]) == 0)
		i++;
	return i == a_count && i == b_count;
}

bool denied_are_same(const struct unit *a, const struct unit *b)
{
	return are_same(a->denied, a->denied_count, b->denied, b->denied_count);
}

bool denied_are_same_late(const struct unit *a, const struct unit *b)
{
	return a->late_more == b->late_more &&
	       are_same(a->late, a->late_count, b->late, b->late_count);
}

/* --- adding ------------------------------------------------------------------------------------
 */

static int encode(const struct denied *from, const struct roots *roots, struct unit_denial *to)
{
	int rc = 0;

	for (int i = 0; rc == 0 && i < DENIED_TEXTS; i++)
		rc = roots_encode(roots, from->text[i], strlen(from->text[i]), &to->text[i]);
	to->error = from->error;
	to->signal = from->signal;
	return rc;
}

/* Where it is in a list that has their order, or would be. */
static size_t find(const struct unit_denial *list, size_t count, const struct unit_denial *denial,
		   bool *ret_there)
{
	size_t at = 0;
	int order = -1;

	while (at < count && (order = compare(&list[at], denial)) < 0)
		at++;
	*ret_there = at < count && order == 0;
	return at;
}

static int insert(struct unit *u, size_t at, const struct unit_denial *denial, pid_t pid)
{
	const struct unit_denial_time time = {.pid = pid, .count = 1};
	struct unit_time *t = &u->time;
	const size_t behind = t->denied_count - at;

	if (!denied_append(u))
		return ERR_NOMEM;
	if (denied_append_time(t, &time) < 0) {
		u->denied_count--;
		return ERR_NOMEM;
	}
	memmove(&u->denied[at + 1], &u->denied[at], behind * sizeof(*u->denied));
	memmove(&t->denied[at + 1], &t->denied[at], behind * sizeof(*t->denied));
	u->denied[at] = *denial;
	t->denied[at] = time;
	return 0;
}

int denied_add(struct unit *u, const struct denied *denied, const struct roots *roots)
{
	struct unit_denial new = {.error = 0};
	bool there = false;
	size_t at = 0;
	int rc = encode(denied, roots, &new);

	if (rc == 0)
		at = find(u->denied, u->denied_count, &new, &there);
	if (rc == 0 && there)
		u->time.denied[at].count++;
	else if (rc == 0 && u->denied_count >= DENIED_KEPT)
		u->time.denied_more++;
	else if (rc == 0) {
		rc = insert(u, at, &new, denied->pid);
		if (rc == 0)
			return 0;
	}
	clear(&new);
	return rc;
}

static int insert_late(struct unit *u, size_t at, const struct unit_denial *denial)
{
	const size_t behind = u->late_count - at;

	if (!denied_append_late(u))
		return ERR_NOMEM;
	memmove(&u->late[at + 1], &u->late[at], behind * sizeof(*u->late));
	u->late[at] = *denial;
	return 0;
}

int denied_add_late(struct unit *u, const struct denied *denied, const struct roots *roots)
{
	struct unit_denial new = {.error = 0};
	bool there = false;
	size_t at = 0;
	int rc = encode(denied, roots, &new);

	if (rc == 0)
		at = find(u->late, u->late_count, &new, &there);
	if (rc == 0 && !there && u->late_count >= DENIED_KEPT)
		u->late_more = true;
	else if (rc == 0 && !there) {
		rc = insert_late(u, at, &new);
		if (rc == 0)
			return 0;
	}
	clear(&new);
	return rc;
}
