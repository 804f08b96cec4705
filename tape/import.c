/* tape_import(): records of another tool. */
#include "base/cleanup.h"
#include "base/fs.h"
#include "tape/build.h"
#include "tape/import_harn.h"
#include "tape/session.h"
#include "tape/spool.h"
#include "tape/tape.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX   ((size_t)1 << 30)
#define NAMES_TOLD 8 /* of variables that do not count */

struct importer {
	const struct tape_import_options *options;
	const char *file;
	struct session session;
	struct build build;
	struct strings uncounted;
	uint64_t now_ns;
	struct tape_import_result result;
};

static int encode(const struct importer *im, const char *text, size_t len, struct buf *out)
{
	return roots_encode(im->session.roots, text, len, out);
}

static int add_arg(const struct importer *im, struct unit *u, const struct bytes *arg)
{
	cleanup_buf struct buf encoded = BUF_INIT;
	int rc = encode(im, arg->data, arg->len, &encoded);

	return rc < 0 ? rc : unit_add_arg(u, encoded.data, encoded.len);
}

/* The kernel names a directory without links and dots, and so a replay does. */
static int add_cwd(const struct importer *im, struct unit *u, const char *cwd)
{
	cleanup_free char *real = cwd ? realpath(cwd, NULL) : NULL;
	const char *path = real ? real : cwd;

	u->cwd_any = cwd == NULL;
	return path ? encode(im, path, strlen(path), &u->cwd) : 0;
}

static bool is_among(const struct strings *list, const char *text)
{
	size_t i = 0;

	while (i < list->count && strcmp(list->item[i], text) != 0)
		i++;
	return i < list->count;
}

static int add_env(struct importer *im, struct unit *u, const struct import_pair *pair)
{
	cleanup_buf struct buf encoded = BUF_INIT;
	int rc;

	if (!is_among(&im->session.env, pair->name))
		return im->uncounted.count == NAMES_TOLD || is_among(&im->uncounted, pair->name)
			       ? 0
			       : strings_add(&im->uncounted, pair->name);
	rc = encode(im, pair->value.data, pair->value.len, &encoded);
	return rc < 0 ? rc
		      : unit_add_env(u, bytes_of_str(pair->name),
				     (struct bytes){encoded.data, encoded.len});
}

static int add_stream(const struct importer *im, struct unit *u, int fd, struct bytes bytes,
		      struct error *err)
{
	struct stream *s = unit_add_stream(u, fd);
	struct spool *spool = s ? spool_new(im->build.dir) : NULL;
	int rc;

	if (!spool)
		return error_no_memory(err);
	s->kind = STREAM_PIPE;
	rc = spool_add(spool, bytes.data, bytes.len, err);
	if (rc == 0)
		rc = spool_finish(spool, im->session.roots, &s->data, err);
	spool_free(spool);
	return rc;
}

static int fill_command(struct importer *im, const struct import_record *r, struct unit *u)
{
	int rc = buf_add_str(&u->parent, "0");

	for (size_t i = 0; rc == 0 && i < r->argc; i++)
		rc = add_arg(im, u, &r->argv[i]);
	if (rc == 0)
		rc = add_cwd(im, u, r->cwd);
	for (size_t i = 0; rc == 0 && i < r->env_count; i++)
		rc = add_env(im, u, &r->env[i]);
	if (rc == 0 && r->argc)
		rc = encode(im, r->argv[0].data, r->argv[0].len, &u->time.program);
	return rc;
}

/* One after the other, as they were recorded. */
static void set_time(struct importer *im, const struct import_record *r, struct unit *u)
{
	u->time.known = true;
	u->time.start_ns = im->now_ns;
	u->time.duration_ns = r->duration_ns;
	if (r->duration_ns < INT64_MAX - im->now_ns)
		im->now_ns += r->duration_ns + 1;
}

static int take_record(void *ctx, const struct import_record *r, struct error *err)
{
	struct importer *im = ctx;
	struct unit u = {.end = {.how = END_EXITED, .code = r->code}};
	int rc = fill_command(im, r, &u) < 0 ? error_no_memory(err) : 0;

	if (rc == 0)
		rc = add_stream(im, &u, 1, r->out, err);
	if (rc == 0)
		rc = add_stream(im, &u, 2, r->err, err);
	set_time(im, r, &u);
	if (rc == 0)
		rc = build_unit(&im->build, &u, err);
	im->result.units += rc == 0;
	unit_clear(&u);
	return rc;
}

static int write_head(struct importer *im, struct error *err)
{
	struct tape_head head = {.version = TAPE_FORMAT_VERSION,
				 .backend = (char *)im->options->format,
				 .env = im->session.env};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < roots_count(im->session.roots); i++)
		rc = strings_add(&head.roots, roots_name(im->session.roots, i));
	rc = rc < 0 ? error_no_memory(err) : build_head(&im->build, &head, err);
	strings_clear(&head.roots);
	return rc;
}

static void say_uncounted(const struct importer *im)
{
	cleanup_buf struct buf names = BUF_INIT;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < im->uncounted.count; i++)
		rc = buf_addf(&names, "%s%s", i ? ", " : "", im->uncounted.item[i]);
	if (rc == 0 && names.len)
		session_say(&im->session, TAPE_WARNING,
			    "warning: variables of %s do not tell commands apart (%s%s): name with "
			    "--env those that shall",
			    im->file, names.data, im->uncounted.count == NAMES_TOLD ? ", ..." : "");
}

static int import_into(struct importer *im, const char *tape, const struct buf *content,
		       struct error *err)
{
	const struct import_sink sink = {take_record, im, &im->result.skipped};
	int rc = build_open(tape, im->options->replace, &im->build, err);

	if (rc < 0)
		return rc;
	rc = write_head(im, err);
	if (rc == 0)
		rc = import_harn(im->file, (struct bytes){content->data, content->len}, &sink, err);
	if (rc == 0)
		rc = build_finish(&im->build, err);
	build_close(&im->build);
	if (rc == 0)
		say_uncounted(im);
	return rc;
}

int tape_import(const char *file, const char *tape, const struct tape_import_options *options,
		struct tape_import_result *ret, struct error *err)
{
	const struct tape_options session = {.roots = options->roots,
					     .env = options->env,
					     .say = options->say,
					     .say_ctx = options->say_ctx};
	struct importer im = {.options = options, .file = file};
	cleanup_buf struct buf content = BUF_INIT;
	int rc;

	if (!options->format || strcmp(options->format, "harn") != 0)
		return error_set(err, ERR_INVALID, "there is no format '%s' to import: only harn",
				 options->format ? options->format : "");
	rc = session_open(&session, NULL, &im.session, err);
	if (rc < 0)
		return rc;
	rc = fs_read_file(file, FILE_MAX, &content, err);
	if (rc == 0)
		rc = import_into(&im, tape, &content, err);
	strings_clear(&im.uncounted);
	session_close(&im.session);
	if (rc == 0)
		*ret = im.result;
	return rc;
}
