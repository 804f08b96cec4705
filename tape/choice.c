#include "tape/choice.h"

#include "tape/intercept/stub/answer.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct choice {
	struct choice_from from;
	size_t *candidate;
	size_t count;
	struct buf seen;
};

int choice_new(const struct choice_from *from, const size_t *candidates, size_t count,
	       struct choice **ret, struct error *err)
{
	struct choice *c = calloc(1, sizeof(*c));

	if (c)
		c->candidate = calloc(count, sizeof(*candidates));
	if (!c || !c->candidate) {
		choice_free(c);
		return error_no_memory(err);
	}
	memcpy(c->candidate, candidates, count * sizeof(*candidates));
	c->count = count;
	c->from = *from;
	*ret = c;
	return 0;
}

void choice_free(struct choice *c)
{
	if (!c)
		return;
	free(c->candidate);
	buf_free(&c->seen);
	free(c);
}

int choice_add(struct choice *c, const char *data, size_t len)
{
	return buf_add(&c->seen, data, len);
}

struct bytes choice_seen(const struct choice *c)
{
	return (struct bytes){c->seen.data, c->seen.len};
}

/* The stdin of a record, which it may be a part of. */
struct input {
	struct unit record;
	struct payload_view view;
	bool eof;
	bool unseen;
};

static void input_clear(struct input *input)
{
	payload_view_clear(&input->view);
	unit_clear(&input->record);
}

/* How a record's stdin and what has been read go together. */
struct fit {
	bool fits;
	uint64_t more; /* that the record still wants */
	bool speaks;   /* it wrote something before it read that */
};

static bool speaks_after(const struct unit *u, uint64_t seen)
{
	const struct chunk *chunks = u->time.chunk_count ? u->time.chunks : u->order;
	size_t count = u->time.chunk_count ? u->time.chunk_count : u->order_count;
	uint64_t read = 0;

	for (size_t i = 0; i < count && read <= seen; i++) {
		if (chunks[i].fd == 0)
			read += chunks[i].len ? chunks[i].len : seen + 1;
		else if (chunks[i].fd > 0 && !stream_is_input(chunks[i].fd) && read == seen)
			return true;
	}
	return false;
}

static struct fit compare(const struct choice *c, const struct input *input, bool ended)
{
	const struct payload_view *view = &input->view;
	struct fit fit = {.more = view->len - c->seen.len,
			  .speaks = speaks_after(&input->record, c->seen.len)};

	if (input->unseen) /* any may be it */
		return (struct fit){.fits = true};
	fit.fits = view->len >= c->seen.len &&
		   (c->seen.len == 0 || memcmp(view->data, c->seen.data, c->seen.len) == 0) &&
		   (!ended || view->len == c->seen.len);
	if (fit.more == 0 && input->eof && !ended)
		fit.more = STUB_STDIN_ALL;
	return fit;
}

static bool same_input(const struct input *a, const struct input *b)
{
	return a->eof == b->eof && a->view.len == b->view.len &&
	       (a->view.len == 0 || memcmp(a->view.data, b->view.data, a->view.len) == 0);
}

static int read_input(const struct choice *c, size_t index, struct input *ret, struct error *err)
{
	int r = tape_reader_unit(c->from.reader, index, &ret->record, err);
	const struct stream *s = r == 0 ? unit_stream_const(&ret->record, 0) : NULL;

	if (!s)
		return r;
	ret->eof = s->eof;
	ret->unseen = s->unseen;
	return tape_reader_payload(c->from.reader, &s->data, c->from.roots, &ret->view, err);
}

/* Whether the file has the bytes there. */
static bool file_has(int file, off_t at, const char *data, size_t len)
{
	char bytes[4096];
	ssize_t n = 1;

	while (len > 0 && n > 0) {
		n = pread(file, bytes, len < sizeof(bytes) ? len : sizeof(bytes), at);
		if (n > 0 && memcmp(bytes, data, (size_t)n) != 0)
			return false;
		if (n > 0) {
			data += n;
			at += n;
			len -= (size_t)n;
		}
	}
	return len == 0;
}

/* Whether a command that reads what the file holds there may have read this. */
static bool fits_file(const struct input *input, int file, const struct stat *st, off_t start)
{
	off_t end = start + (off_t)input->view.len;

	if (input->unseen || (input->eof && end != st->st_size))
		return false;
	return file_has(file, start, input->view.data, input->view.len);
}

int choice_by_file(struct choice *c, int file, off_t start, size_t *ret_index, struct error *err)
{
	size_t no_reader = CHOICE_NONE; /* the first that read nothing */
	struct stat st;
	int r = 0;

	*ret_index = CHOICE_NONE;
	if (fstat(file, &st) < 0)
		return error_sys(err, errno, "cannot see the file that a command has as its stdin");
	for (size_t i = 0; r == 0 && i < c->count && *ret_index == CHOICE_NONE; i++) {
		struct input input = {.eof = false};

		if (matcher_is_used(c->from.matcher, c->candidate[i]))
			continue;
		r = read_input(c, c->candidate[i], &input, err);
		if (r == 0 && fits_file(&input, file, &st, start)) {
			if (input.view.len > 0)
				*ret_index = c->candidate[i];
			else if (no_reader == CHOICE_NONE)
				no_reader = c->candidate[i];
		}
		input_clear(&input);
	}
	if (*ret_index == CHOICE_NONE)
		*ret_index = no_reader;
	return r;
}

/* What the candidates have in common so far. */
struct survey {
	size_t kept;
	size_t satisfied;   /* the first that wants no more */
	uint64_t least;	    /* that one of the others still wants */
	struct input first; /* of the first that fits */
	bool alike;	    /* all that fit read the same */
};

static void note_fit(struct survey *s, size_t index, const struct fit *fit, struct input *input)
{
	if (fit->more == 0 && s->satisfied == CHOICE_NONE)
		s->satisfied = index;
	if (fit->more > 0 && (s->least == 0 || fit->more < s->least))
		s->least = fit->more;
	if (s->kept++ == 0) {
		s->first = *input;
		*input = (struct input){.eof = false}; /* taken */
	} else if (s->alike) {
		s->alike = same_input(&s->first, input);
	}
}

static int survey_candidates(struct choice *c, bool ended, struct survey *s, struct error *err)
{
	for (size_t i = 0; i < c->count; i++) {
		struct input input = {.eof = false};
		struct fit fit = {.fits = false};
		int r;

		/* Another unit may have got it meanwhile. */
		if (matcher_is_used(c->from.matcher, c->candidate[i]))
			continue;
		r = read_input(c, c->candidate[i], &input, err);
		if (r == 0)
			fit = compare(c, &input, ended);
		if (fit.fits) {
			c->candidate[s->kept] = c->candidate[i];
			note_fit(s, c->candidate[i], &fit, &input);
		}
		input_clear(&input);
		if (r < 0)
			return r;
	}
	c->count = s->kept;
	return 0;
}

int choice_narrow(struct choice *c, bool ended, size_t *ret_index, uint64_t *ret_until,
		  struct error *err)
{
	/* One that reads nothing fits every beginning: look first. */
	bool at_start = c->seen.len == 0 && !ended;
	struct survey s = {.satisfied = CHOICE_NONE, .alike = true};
	int r = survey_candidates(c, ended, &s, err);

	*ret_index = CHOICE_NONE;
	*ret_until = 0;
	input_clear(&s.first);
	if (r < 0 || s.kept == 0)
		return r;
	if (s.satisfied != CHOICE_NONE && (!at_start || s.least == 0))
		*ret_index = s.satisfied;
	else if (s.alike) /* reading on would tell nothing, and may wait for the first answer */
		*ret_index = c->candidate[0];
	else
		*ret_until = s.least == STUB_STDIN_ALL ? s.least : c->seen.len + s.least;
	return 0;
}

int choice_without_more(struct choice *c, size_t *ret_index, struct error *err)
{
	int r = 0;

	*ret_index = CHOICE_NONE;
	for (size_t i = 0; r == 0 && i < c->count && *ret_index == CHOICE_NONE; i++) {
		struct input input = {.eof = false};
		struct fit fit = {.fits = false};

		if (matcher_is_used(c->from.matcher, c->candidate[i]))
			continue;
		r = read_input(c, c->candidate[i], &input, err);
		if (r == 0)
			fit = compare(c, &input, false);
		input_clear(&input);
		if (fit.fits && (fit.more == 0 || fit.speaks))
			*ret_index = c->candidate[i];
	}
	return r;
}
