#include "tape/again.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "tape/reader.h"
#include <string.h>

static int add_word(struct buf *line, const char *word)
{
	int r = line->len ? buf_add_char(line, ' ') : 0;

	return r < 0 ? r : text_quote(line, word, strlen(word));
}

static bool is_among(const char *value, const char *const *given)
{
	for (; given && *given; given++) {
		if (strcmp(value, *given) == 0)
			return true;
	}
	return false;
}

static int add_option(struct buf *line, const char *name, const char *value)
{
	int r = add_word(line, name);

	return r < 0 ? r : add_word(line, value);
}

/* Those of the recording, then those of this replay, each once. */
static int add_options(struct buf *line, const char *name, const struct strings *recorded,
		       const char *const *given)
{
	int r = 0;

	for (size_t i = 0; r == 0 && recorded && i < recorded->count; i++) {
		if (!is_among(recorded->item[i], given))
			r = add_option(line, name, recorded->item[i]);
	}
	for (; r == 0 && given && *given; given++)
		r = add_option(line, name, *given);
	return r;
}

int again_add_command(struct buf *out, const struct tape_options *options,
		      const struct tape_head *head)
{
	int r = buf_add_str(out, "sandtape record");

	if (r == 0)
		r = add_option(out, "-t", options->tape);
	if (r == 0)
		r = add_options(out, "--env", head ? &head->env : NULL, options->env);
	if (r == 0)
		r = add_options(out, "--through", head ? &head->through : NULL, options->through);
	if (r == 0)
		r = add_options(out, "--real", head ? &head->real : NULL, options->real);
	/* The tape does not have the policy; without one this would be another recording. */
	if (r == 0 && head && head->restricted.count > 0)
		r = add_option(out, "--policy", "POLICY");
	if (r == 0)
		r = add_options(out, "--root", NULL, options->roots);
	if (r == 0 && options->backend)
		r = add_option(out, "--backend", options->backend);
	if (r == 0)
		r = add_word(out, "--");
	for (char *const *arg = options->argv; r == 0 && *arg; arg++)
		r = add_word(out, *arg);
	return r;
}

int tape_record_again(const struct tape_options *options, char **ret_command, struct error *err)
{
	struct tape_reader *reader = NULL;
	cleanup_buf struct buf line = BUF_INIT;
	const struct tape_head *head = NULL;
	int r;

	/* What cannot be read any more makes the line the shorter. */
	if (tape_reader_open(options->tape, &reader, NULL) == 0)
		head = tape_reader_head(reader);
	r = again_add_command(&line, options, head);
	tape_reader_free(reader);
	*ret_command = r == 0 ? buf_steal(&line) : NULL;
	return r < 0 ? error_no_memory(err) : 0;
}

int again_open(const struct tape_options *options, struct tape_reader **ret, struct error *err)
{
	cleanup_buf struct buf advice = BUF_INIT;
	int r = tape_reader_open(options->tape, ret, err);

	if (r == ERR_NOTFOUND && buf_add_str(&advice, "record it first: ") == 0 &&
	    again_add_command(&advice, options, NULL) == 0)
		return error_advise(err, r, advice.data);
	return r;
}
