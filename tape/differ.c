#include "tape/differ.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "tape/codec.h"
#include "tape/denied.h"
#include "tape/names.h"
#include "tape/show.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXCERPT 40 /* bytes */

/* The two units under comparison, as they are shown: escapes of roots are taken out. */
struct pair {
	const struct differ *d;
	struct unit a;
	struct unit b;
	struct changes *changes;
};

void changes_clear(struct changes *c)
{
	for (size_t i = 0; i < c->count; i++) {
		free(c->item[i].a);
		free(c->item[i].b);
	}
	free(c->item);
	*c = (struct changes){NULL, 0};
}

/* Takes the texts, which may be NULL; a NULL for want of memory is seen by `rc`. */
static int add_take(struct changes *c, const char *name, struct buf *a, struct buf *b, int rc,
		    struct error *err)
{
	struct change *item = rc < 0 ? NULL : reallocarray(c->item, c->count + 1, sizeof(*item));

	if (!item) {
		buf_free(a);
		buf_free(b);
		return error_no_memory(err);
	}
	c->item = item;
	item += c->count++;
	snprintf(item->name, sizeof(item->name), "%s", name);
	/* Not in the middle of a character. */
	while (!text_is_utf8(item->name, strlen(item->name)))
		item->name[strlen(item->name) - 1] = '\0';
	item->a = buf_steal(a);
	item->b = buf_steal(b);
	return 0;
}

static struct bytes bytes_of(const struct buf *b)
{
	return (struct bytes){b->data, b->len};
}

static int add_texts(struct changes *c, const char *name, const char *a, const char *b,
		     struct error *err)
{
	struct buf left = BUF_INIT, right = BUF_INIT;
	int rc = a ? buf_add_str(&left, a) : 0;

	if (rc == 0 && b)
		rc = buf_add_str(&right, b);
	return add_take(c, name, &left, &right, rc, err);
}

static int add_quoted(struct changes *c, const char *name, const struct buf *a, const struct buf *b,
		      struct error *err)
{
	struct buf left = BUF_INIT, right = BUF_INIT;
	int rc = a ? text_quote(&left, a->len ? a->data : "", a->len) : 0;

	if (rc == 0 && b)
		rc = text_quote(&right, b->len ? b->data : "", b->len);
	return add_take(c, name, &left, &right, rc, err);
}

/* --- The command: on the same key, only what the key leaves out ----------------------------------
 */

static int compare_args(struct pair *p, struct error *err)
{
	size_t most = p->a.argc > p->b.argc ? p->a.argc : p->b.argc;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < most; i++) {
		const struct buf *a = i < p->a.argc ? &p->a.argv[i] : NULL;
		const struct buf *b = i < p->b.argc ? &p->b.argv[i] : NULL;
		char name[32];

		if (a && b && bytes_equal(bytes_of(a), bytes_of(b)))
			continue;
		snprintf(name, sizeof(name), "argv[%zu]", i);
		rc = add_quoted(p->changes, name, a, b, err);
	}
	return rc;
}

static const struct buf *env_value(const struct unit *u, const struct buf *name)
{
	for (size_t i = 0; i < u->env_count; i++) {
		if (bytes_equal(bytes_of(&u->env[i].name), bytes_of(name)))
			return &u->env[i].value;
	}
	return NULL;
}

static int compare_env(struct pair *p, struct error *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < p->a.env_count; i++) {
		const struct env_pair *e = &p->a.env[i];
		const struct buf *b = env_value(&p->b, &e->name);
		char name[32];

		snprintf(name, sizeof(name), "env.%s", e->name.data);
		if (!b || !bytes_equal(bytes_of(&e->value), bytes_of(b)))
			rc = add_quoted(p->changes, name, &e->value, b, err);
	}
	for (size_t i = 0; rc == 0 && i < p->b.env_count; i++) {
		const struct env_pair *e = &p->b.env[i];
		char name[32];

		snprintf(name, sizeof(name), "env.%s", e->name.data);
		if (!env_value(&p->a, &e->name))
			rc = add_quoted(p->changes, name, NULL, &e->value, err);
	}
	return rc;
}

static int compare_command(struct pair *p, struct error *err)
{
	int rc = 0;

	if (p->d->fidelity == TAPE_BYTE) {
		rc = compare_args(p, err);
		if (rc == 0 && !bytes_equal(bytes_of(&p->a.parent), bytes_of(&p->b.parent)))
			rc = add_quoted(p->changes, "parent", &p->a.parent, &p->b.parent, err);
	}
	if (rc == 0 && p->d->apart && p->d->fidelity != TAPE_OUTCOME)
		rc = compare_env(p, err);
	return rc;
}

/* --- The end -----------------------------------------------------------------------------------
 */

static void format_signal(int signal, char ret[SIGNAL_NAME_SIZE])
{
	if (!signal_name(signal, ret))
		snprintf(ret, SIGNAL_NAME_SIZE, "signal %d", signal);
}

static void format_end(const struct unit_end *end, char ret[64])
{
	char name[SIGNAL_NAME_SIZE];
	const char *error;

	switch (end->how) {
	case END_EXITED:
		snprintf(ret, 64, "exit %d", end->code);
		break;
	case END_SIGNALED:
		format_signal(end->signal, name);
		snprintf(ret, 64, "%s%s", name, end->core ? " and a core" : "");
		break;
	case END_EXEC_FAILED:
		error = error_errno_name(end->exec_errno);
		snprintf(ret, 64, "not executed: %s", error ? error : "an error without a name");
		break;
	default:
		snprintf(ret, 64, "unfinished");
		break;
	}
}

static bool same_end(const struct unit_end *a, const struct unit_end *b)
{
	return a->how == b->how && a->code == b->code && a->signal == b->signal &&
	       a->core == b->core && a->exec_errno == b->exec_errno;
}

static int add_signals(struct buf *out, const int *signals, size_t count)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < count; i++) {
		char name[SIGNAL_NAME_SIZE];

		format_signal(signals[i], name);
		rc = buf_addf(out, "%s%s", i ? " " : "", name);
	}
	return rc;
}

static int compare_signals(struct pair *p, const char *name, const int *a, size_t a_count,
			   const int *b, size_t b_count, struct error *err)
{
	struct buf left = BUF_INIT, right = BUF_INIT;
	int rc;

	if (a_count == b_count && (!a_count || !memcmp(a, b, a_count * sizeof(*a))))
		return 0;
	rc = add_signals(&left, a, a_count);
	if (rc == 0)
		rc = add_signals(&right, b, b_count);
	return add_take(p->changes, name, &left, &right, rc, err);
}

static int compare_end(struct pair *p, struct error *err)
{
	char a[64], b[64];
	int rc = 0;

	if (!same_end(&p->a.end, &p->b.end)) {
		format_end(&p->a.end, a);
		format_end(&p->b.end, b);
		rc = add_texts(p->changes, "end", a, b, err);
	}
	return rc < 0 ? rc
		      : compare_signals(p, "signals", p->a.signals, p->a.signal_count, p->b.signals,
					p->b.signal_count, err);
}

/* --- Streams -----------------------------------------------------------------------------------
 */

/* The bytes of a stream: what it had by the end of the first process, and what came later. */
struct content {
	struct payload_view view[2];
	size_t parts;
};

static size_t content_size(const struct content *c)
{
	return c->view[0].len + (c->parts > 1 ? c->view[1].len : 0);
}

static char content_at(const struct content *c, size_t at)
{
	return at < c->view[0].len ? c->view[0].data[at] : c->view[1].data[at - c->view[0].len];
}

static void content_clear(struct content *c)
{
	payload_view_clear(&c->view[0]);
	payload_view_clear(&c->view[1]);
}

/* How many bytes are the same. */
static size_t common_bytes(const struct content *a, const struct content *b)
{
	size_t a_size = content_size(a), b_size = content_size(b);
	size_t least = a_size < b_size ? a_size : b_size;
	size_t first = a->view[0].len < b->view[0].len ? a->view[0].len : b->view[0].len;
	size_t at = first && !memcmp(a->view[0].data, b->view[0].data, first) ? first : 0;

	while (at < least && content_at(a, at) == content_at(b, at))
		at++;
	return at;
}

static int add_excerpt(struct buf *out, const struct content *c, size_t at)
{
	size_t size = content_size(c);
	char bytes[EXCERPT];
	size_t n = 0;
	int rc = buf_addf(out, "%zu B%s", size, size ? " " : "");

	for (; at + n < size && n < EXCERPT; n++)
		bytes[n] = content_at(c, at + n);
	if (rc == 0 && at && size)
		rc = buf_addf(out, "... ");
	if (rc == 0 && n)
		rc = text_quote(out, bytes, n);
	return rc == 0 && at + n < size ? buf_addf(out, " ...") : rc;
}

static int load(const struct differ *d, const struct tape_reader *r, const struct payload *p,
		struct payload_view *ret, struct error *err)
{
	const struct payload none = {0};

	return tape_reader_payload(r, p ? p : &none, d->shown, ret, err);
}

/* Equal as they are stored: the usual case, which needs no blob. */
static bool same_payload(const struct payload *a, const struct payload *b)
{
	return a->form == b->form && a->rooted == b->rooted && a->size == b->size &&
	       strcmp(a->sha256, b->sha256) == 0 &&
	       bytes_equal(bytes_of(&a->bytes), bytes_of(&b->bytes));
}

static int compare_content(struct pair *p, const char *name, const struct content *a,
			   const struct content *b, struct error *err)
{
	size_t at = common_bytes(a, b);
	struct buf left = BUF_INIT, right = BUF_INIT;
	size_t shown = at > 8 ? at - 8 : 0; /* and a little of what is the same */
	int rc;

	if (at == content_size(a) && at == content_size(b))
		return p->d->fidelity == TAPE_BYTE
			       ? add_texts(p->changes, name, "the same bytes, stored otherwise",
					   "the same bytes, stored otherwise", err)
			       : 0;
	rc = add_excerpt(&left, a, shown);
	if (rc == 0)
		rc = add_excerpt(&right, b, shown);
	return add_take(p->changes, name, &left, &right, rc, err);
}

static int compare_payloads(struct pair *p, const char *name, const struct payload *const *a,
			    const struct payload *const *b, size_t parts, struct error *err)
{
	struct content left = {.parts = parts}, right = {.parts = parts};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < parts; i++) {
		rc = load(p->d, p->d->a, a[i], &left.view[i], err);
		if (rc == 0)
			rc = load(p->d, p->d->b, b[i], &right.view[i], err);
	}
	if (rc == 0)
		rc = compare_content(p, name, &left, &right, err);
	content_clear(&left);
	content_clear(&right);
	return rc;
}

/* When the first process ended between two bytes is chance, but for who asks for every byte. */
static int compare_bytes(struct pair *p, const char *name, const struct stream *a,
			 const struct stream *b, struct error *err)
{
	const struct payload none = {0};
	const struct payload *left[2] = {a ? &a->data : &none, a ? &a->tail : &none};
	const struct payload *right[2] = {b ? &b->data : &none, b ? &b->tail : &none};
	bool same_data = same_payload(left[0], right[0]);
	bool same_tail = same_payload(left[1], right[1]);
	char tail[32];
	int rc = 0;

	if (same_data && same_tail)
		return 0;
	if (p->d->fidelity != TAPE_BYTE)
		return compare_payloads(p, name, left, right, 2, err);
	snprintf(tail, sizeof(tail), "%.20s later", name);
	if (!same_data)
		rc = compare_payloads(p, name, left, right, 1, err);
	return rc == 0 && !same_tail ? compare_payloads(p, tail, left + 1, right + 1, 1, err) : rc;
}

/* Of a stdin that nothing was read of, chance decides what it was (FORMAT.md, "Canonical order").
 */
static bool matters(const struct stream *s)
{
	return s && (s->fd != 0 || s->eof || s->data.form != PAYLOAD_EMPTY);
}

static void format_kind(const struct stream *s, char ret[64])
{
	char size[32] = "";

	if (s->kind == STREAM_SAME)
		snprintf(size, sizeof(size), " as %d", s->same_as);
	else if (s->rows || s->columns)
		snprintf(size, sizeof(size), " of %dx%d", s->columns, s->rows);
	snprintf(ret, 64, "%s%s%s%s", stream_kind_name(s->kind), size, s->eof ? ", to its end" : "",
		 s->unseen ? ", unseen" : "");
}

/* A command can tell a terminal from a pipe; who called it from where cannot tell a pipe from a
 * file, once the bytes are the same. */
static enum stream_kind kind_of(const struct differ *d, const struct stream *s)
{
	bool apart = s->kind == STREAM_TTY || s->kind == STREAM_SAME || s->kind == STREAM_CLOSED;

	return apart || d->fidelity == TAPE_BYTE ? s->kind : STREAM_PIPE;
}

static bool same_kind(const struct differ *d, const struct stream *a, const struct stream *b)
{
	return kind_of(d, a) == kind_of(d, b) && a->same_as == b->same_as && a->rows == b->rows &&
	       a->columns == b->columns && a->eof == b->eof && a->unseen == b->unseen;
}

static int compare_kinds(struct pair *p, const char *name, const struct stream *a,
			 const struct stream *b, struct error *err)
{
	char left[64], right[64], what[32];

	if (a && b && same_kind(p->d, a, b))
		return 0;
	if (a)
		format_kind(a, left);
	if (b)
		format_kind(b, right);
	snprintf(what, sizeof(what), "%.20s kind", name);
	return add_texts(p->changes, what, a ? left : NULL, b ? right : NULL, err);
}

static int compare_stream(struct pair *p, int fd, struct error *err)
{
	static const char *const names[] = {"stdin", "stdout", "stderr"};
	const struct stream *a = unit_stream_const(&p->a, fd);
	const struct stream *b = unit_stream_const(&p->b, fd);
	char name[32];
	int rc;

	if (fd < 3)
		snprintf(name, sizeof(name), "%s", names[fd]);
	else
		snprintf(name, sizeof(name), "fd %d", fd);
	if (p->d->fidelity != TAPE_BYTE &&
	    ((a && a->unseen) || (b && b->unseen) || (!matters(a) && !matters(b))))
		return 0;
	rc = compare_kinds(p, name, a, b, err);
	return rc < 0 ? rc : compare_bytes(p, name, a, b, err);
}

static int compare_streams(struct pair *p, struct error *err)
{
	size_t i = 0, k = 0;
	int rc = 0;

	while (rc == 0 && (i < p->a.stream_count || k < p->b.stream_count)) {
		int a = i < p->a.stream_count ? p->a.streams[i].fd : INT32_MAX;
		int b = k < p->b.stream_count ? p->b.streams[k].fd : INT32_MAX;

		rc = compare_stream(p, a < b ? a : b, err);
		i += a <= b;
		k += b <= a;
	}
	return rc;
}

/* --- Terminals and stops -------------------------------------------------------------------------
 */

static int add_counts(struct pair *p, const char *name, size_t a, size_t b, struct error *err)
{
	char left[32], right[32];

	snprintf(left, sizeof(left), "%zu of them", a);
	snprintf(right, sizeof(right), "%zu of them%s", b, a == b ? ", others" : "");
	return add_texts(p->changes, name, left, right, err);
}

static int compare_conversation(struct pair *p, struct error *err)
{
	int rc = compare_signals(p, "stops", p->a.stops, p->a.stop_count, p->b.stops,
				 p->b.stop_count, err);

	if (rc == 0)
		rc = compare_signals(p, "sent", p->a.sent, p->a.sent_count, p->b.sent,
				     p->b.sent_count, err);
	if (rc == 0 && !unit_same_modes(&p->a, &p->b))
		rc = add_counts(p, "modes", p->a.mode_count, p->b.mode_count, err);
	if (rc == 0 && !unit_same_order(&p->a, &p->b))
		rc = add_counts(p, "order", p->a.order_count, p->b.order_count, err);
	return rc;
}

static int compare_pair(struct pair *p, struct error *err)
{
	int rc = compare_command(p, err);

	if (rc == 0)
		rc = compare_end(p, err);
	if (rc == 0 && p->d->fidelity != TAPE_OUTCOME)
		rc = compare_streams(p, err);
	if (rc == 0 && p->d->fidelity != TAPE_OUTCOME)
		rc = compare_conversation(p, err);
	/* The subject cannot tell why something failed. */
	if (rc == 0 && p->d->fidelity == TAPE_BYTE && p->a.explained != p->b.explained)
		rc = add_texts(p->changes, "explained", p->a.explained ? "all" : NULL,
			       p->b.explained ? "all" : NULL, err);
	if (rc == 0 && p->d->fidelity == TAPE_BYTE && !denied_are_same(&p->a, &p->b))
		rc = add_counts(p, "denied", p->a.denied_count, p->b.denied_count, err);
	if (rc == 0 && p->d->fidelity == TAPE_BYTE && !denied_are_same_late(&p->a, &p->b))
		rc = add_counts(p, "denied later", p->a.late_count, p->b.late_count, err);
	/* The lines differ: in what only a later version knows, or in how they are written. */
	if (rc == 0 && p->d->fidelity == TAPE_BYTE && !p->changes->count)
		rc = add_texts(p->changes, "record", "written otherwise", "written otherwise", err);
	return rc;
}

int differ_units(const struct differ *d, size_t a, size_t b, struct changes *ret, struct error *err)
{
	struct pair p = {.d = d, .changes = ret};
	int rc = show_unit(d->a, a, d->shown, &p.a, err);

	if (rc == 0)
		rc = show_unit(d->b, b, d->shown, &p.b, err);
	if (rc == 0)
		rc = compare_pair(&p, err);
	unit_clear(&p.a);
	unit_clear(&p.b);
	if (rc < 0)
		changes_clear(ret);
	return rc;
}

/* --- Heads ------------------------------------------------------------------------------------ */

static bool has(const struct strings *list, const char *text)
{
	size_t i = 0;

	while (i < list->count && strcmp(list->item[i], text) != 0)
		i++;
	return i < list->count;
}

bool differ_same_strings(const struct strings *a, const struct strings *b)
{
	bool same = true;

	for (size_t i = 0; same && i < a->count; i++)
		same = has(b, a->item[i]);
	for (size_t i = 0; same && i < b->count; i++)
		same = has(a, b->item[i]);
	return same;
}

static bool equal_strings(const struct strings *a, const struct strings *b)
{
	size_t i = 0;

	while (i < a->count && i < b->count && strcmp(a->item[i], b->item[i]) == 0)
		i++;
	return i == a->count && i == b->count;
}

static int add_words(struct buf *out, const struct strings *s)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < s->count; i++) {
		rc = buf_add_str(out, i ? " " : "");
		if (rc == 0)
			rc = text_quote(out, s->item[i], strlen(s->item[i]));
	}
	return rc;
}

static int compare_lists(struct changes *c, const char *name, const struct strings *a,
			 const struct strings *b, bool in_order, struct error *err)
{
	struct buf left = BUF_INIT, right = BUF_INIT;
	int rc;

	if (in_order ? equal_strings(a, b) : differ_same_strings(a, b))
		return 0;
	rc = add_words(&left, a);
	if (rc == 0)
		rc = add_words(&right, b);
	return add_take(c, name, &left, &right, rc, err);
}

int differ_heads(const struct differ *d, struct changes *ret, struct error *err)
{
	const struct tape_head *a = tape_reader_head(d->a), *b = tape_reader_head(d->b);
	bool exact = d->fidelity == TAPE_BYTE;
	int rc = 0;

	if (d->fidelity == TAPE_OUTCOME)
		return 0;
	if (exact && strcmp(a->backend, b->backend) != 0)
		rc = add_texts(ret, "backend", a->backend, b->backend, err);
	if (rc == 0 && exact)
		rc = compare_lists(ret, "command", &a->command, &b->command, true, err);
	if (rc == 0 && exact)
		rc = compare_lists(ret, "roots", &a->roots, &b->roots, true, err);
	if (rc == 0)
		rc = compare_lists(ret, "env", &a->env, &b->env, exact, err);
	if (rc == 0)
		rc = compare_lists(ret, "through", &a->through, &b->through, exact, err);
	if (rc == 0)
		rc = compare_lists(ret, "real", &a->real, &b->real, exact, err);
	if (rc == 0 && exact)
		rc = compare_lists(ret, "restricted", &a->restricted, &b->restricted, true, err);
	if (rc == 0 && exact && !ret->count &&
	    !bytes_equal(tape_reader_head_fields(d->a), tape_reader_head_fields(d->b)))
		rc = add_texts(ret, "record", "written otherwise", "written otherwise", err);
	return rc;
}
