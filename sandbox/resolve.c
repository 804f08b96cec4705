#include "sandbox/resolve.h"

#include "base/cleanup.h"
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40 /* as Linux has it */

struct walk {
	struct buf *done; /* empty for "/", else without a slash at the end */
	struct buf left;  /* what has not been walked */
	size_t at;	  /* in `left` */
	unsigned links;
	const struct resolve_options *options;
	struct error *err;
};

static void cleanup_walk_fn(struct walk *w)
{
	buf_free(&w->left);
}

static void go_up(struct buf *done)
{
	const char *slash = done->len ? memrchr(done->data, '/', done->len) : NULL;

	done->len = slash ? (size_t)(slash - done->data) : 0;
	if (done->data)
		done->data[done->len] = '\0';
}

static int too_long(const struct walk *w)
{
	return error_sys(w->err, ENAMETOOLONG, "cannot resolve a path");
}

/* Puts the text of a link, which has just been walked, in front of what is left. */
static int put_target(struct walk *w, const char *target)
{
	struct buf left = BUF_INIT;

	if (buf_add_str(&left, target) < 0 ||
	    buf_add(&left, w->left.data + w->at, w->left.len - w->at) < 0) {
		buf_free(&left);
		return error_no_memory(w->err);
	}
	buf_free(&w->left);
	w->left = left;
	w->at = 0;
	if (left.len > (size_t)4 * PATH_MAX)
		return too_long(w);
	if (target[0] == '/')
		buf_clear(w->done);
	else
		go_up(w->done);
	return 0;
}

static int follow(struct walk *w)
{
	char target[PATH_MAX];
	ssize_t n = readlink(w->done->data, target, sizeof(target) - 1);
	int rc = 0;

	if (n < 0)
		return error_sys(w->err, errno, "cannot read the link %s", w->done->data);
	target[n] = '\0';
	if (++w->links > LINKS_MAX)
		return error_sys(w->err, ELOOP, "cannot resolve %s", w->done->data);
	if (resolve_is_magic(w->done->data, target))
		return error_set(w->err, ERR_UNSUPPORTED,
				 "%s is no link like others: its name does not tell where it leads",
				 w->done->data);
	if (w->options->on_link)
		rc = w->options->on_link(w->options->ctx, w->done->data, w->err);
	return rc ? rc : put_target(w, target);
}

/* After a component has been added to what is done. */
static int look(struct walk *w, bool last)
{
	struct stat st;

	if (lstat(w->done->data, &st) < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return 0;
		return error_sys(w->err, errno, "cannot resolve %s", w->done->data);
	}
	return S_ISLNK(st.st_mode) && !(last && w->options->keep_last) ? follow(w) : 0;
}

static int step(struct walk *w, const char *name, size_t len)
{
	bool last = w->at >= w->left.len; /* and no slash behind it */

	if (len == 0 || (len == 1 && name[0] == '.'))
		return 0;
	if (len == 2 && memcmp(name, "..", 2) == 0) {
		go_up(w->done);
		return 0;
	}
	if (buf_add_char(w->done, '/') < 0 || buf_add(w->done, name, len) < 0)
		return error_no_memory(w->err);
	if (w->done->len >= PATH_MAX)
		return too_long(w);
	return look(w, last);
}

static int walk_all(struct walk *w)
{
	int rc = 0;

	while (rc == 0 && w->at < w->left.len) {
		size_t start = w->at;
		size_t len = strcspn(w->left.data + start, "/");

		w->at += len;
		if (len == 0)
			w->at++;
		rc = step(w, w->left.data + start, len);
	}
	return rc;
}

int resolve_path(const char *path, const struct resolve_options *options, struct buf *out,
		 struct error *err)
{
	__attribute__((cleanup(cleanup_walk_fn))) struct walk w = {
		.done = out, .options = options, .err = err};
	int rc;

	buf_clear(out);
	if (buf_reserve(out, 1) < 0 || buf_add_str(&w.left, path) < 0)
		return error_no_memory(err);
	if (w.left.len > (size_t)4 * PATH_MAX)
		return too_long(&w);
	rc = walk_all(&w);
	if (rc == 0 && out->len == 0 && buf_add_char(out, '/') < 0)
		rc = error_no_memory(err);
	return rc;
}
