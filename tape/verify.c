/* tape_verify(): does a run still do what the tape says? */
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/tmpdir.h"
#include "tape/again.h"
#include "tape/files.h"
#include "tape/reader.h"
#include "tape/session.h"
#include "tape/tape.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DIR_PREFIX "sandtape-verify-"
#define LINES_MAX  ((size_t)1 << 40)

/* A list for tape_options: what the tape says and what the caller adds, each once. */
struct list {
	const char **item;
	size_t count;
};

struct verify {
	const struct tape_options *options;
	struct tape_reader *reader;
	struct list env;
	struct list through;
	struct list real;
	char *dir;  /* temporary */
	int lock;   /* of it, see tmpdir_make() */
	char *tape; /* in it */
};

static int add(struct list *list, const char *item)
{
	const char **grown;

	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->item[i], item) == 0)
			return 0;
	}
	grown = reallocarray(list->item, list->count + 2, sizeof(*grown));
	if (!grown)
		return ERR_NOMEM;
	list->item = grown;
	grown[list->count++] = item;
	grown[list->count] = NULL;
	return 0;
}

static int add_all(struct list *list, const struct strings *recorded, const char *const *given,
		   struct error *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < recorded->count; i++)
		rc = add(list, recorded->item[i]);
	for (; rc == 0 && given && *given; given++)
		rc = add(list, *given);
	return rc < 0 ? error_no_memory(err) : 0;
}

/* The directory of a root is the host's affair, and no tape tells it. */
static int check_roots(const struct verify *v, struct error *err)
{
	struct session s;
	int rc = session_open(v->options, NULL, &s, err);

	if (rc < 0)
		return rc;
	rc = session_check_roots(&s, tape_reader_head(v->reader), tape_reader_path(v->reader), err);
	session_close(&s);
	return rc;
}

static int copy_file(const struct verify *v, const char *name, struct error *err)
{
	cleanup_free char *from = NULL, *to = NULL;
	cleanup_buf struct buf bytes = BUF_INIT;
	int rc;

	if (!tape_file_exists(tape_reader_path(v->reader), name))
		return 0;
	rc = tape_file_path(tape_reader_path(v->reader), name, &from, err);
	if (rc == 0)
		rc = tape_file_path(v->tape, name, &to, err);
	if (rc == 0)
		rc = fs_read_file(from, LINES_MAX, &bytes, err);
	return rc < 0 ? rc : fs_write_atomic(to, bytes.data, bytes.len, false, err);
}

/*
 * The new recording goes over a copy of the tape: so units that ran at the same time keep their
 * order as far as chance decides about it. Blobs are not needed for that.
 */
static int make_copy(struct verify *v, struct error *err)
{
	const char *tmp = getenv("TMPDIR");
	int rc;

	if (!tmp || !tmp[0])
		tmp = "/tmp";
	tmpdir_sweep(tmp, DIR_PREFIX);
	rc = tmpdir_make(tmp, DIR_PREFIX, &v->dir, &v->lock, err);
	if (rc == 0)
		rc = tape_file_path(v->dir, "new.tape", &v->tape, err);
	if (rc < 0 || !tape_file_exists(tape_reader_path(v->reader), TAPE_FILE))
		return rc;
	rc = fs_mkdir_all(v->tape, err);
	if (rc == 0)
		rc = copy_file(v, TAPE_FILE, err);
	return rc < 0 ? rc : copy_file(v, TIMING_FILE, err);
}

static int record(const struct verify *v, struct tape_record_result *ret, struct error *err)
{
	struct tape_options o = *v->options;

	o.tape = v->tape;
	o.env = v->env.item;
	o.through = v->through.item;
	o.real = v->real.item;
	o.keep = NULL;
	return tape_record(&o, false, ret, err);
}

static int prepare(struct verify *v, struct error *err)
{
	const struct tape_head *head;
	int rc = again_open(v->options, &v->reader, err);

	if (rc < 0)
		return rc;
	head = tape_reader_head(v->reader);
	session_warn_unrestricted(v->options, head);
	rc = check_roots(v, err);
	if (rc == 0)
		rc = add_all(&v->env, &head->env, v->options->env, err);
	if (rc == 0)
		rc = add_all(&v->through, &head->through, v->options->through, err);
	if (rc == 0)
		rc = add_all(&v->real, &head->real, v->options->real, err);
	return rc < 0 ? rc : make_copy(v, err);
}

static void clear(struct verify *v)
{
	if (v->dir)
		fs_remove_all(v->dir, NULL);
	cleanup_close_fn(&v->lock);
	tape_reader_free(v->reader);
	free(v->env.item);
	free(v->through.item);
	free(v->real.item);
	free(v->tape);
	free(v->dir);
}

int tape_verify(const struct tape_options *options, const struct tape_diff_options *diff,
		struct tape_verify_result *ret, struct error *err)
{
	struct verify v = {.options = options, .lock = -1};
	struct tape_verify_result result = {0};
	struct tape_record_result recorded = {0};
	int rc = prepare(&v, err);

	if (rc == 0)
		rc = record(&v, &recorded, err);
	if (rc == 0 && !recorded.not_executed)
		rc = tape_diff(options->tape, v.tape, diff, &result.diff, err);
	clear(&v);
	if (rc < 0)
		return rc;
	result.wait_status = recorded.wait_status;
	result.units = recorded.units;
	result.not_executed = recorded.not_executed;
	*ret = result;
	return 0;
}
