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
	struct look look; /* at what is done */
	const struct resolve_options *options;
	struct error *err;
};

bool look_at(const char *path, struct look *ret)
{
	struct stat st;

	*ret = (struct look){.known = true};
	if (lstat(path, &st) < 0) {
		ret->error = errno;
		return false;
	}
	ret->mode = st.st_mode;
	ret->uid = st.st_uid;
	ret->dev = st.st_dev;
	ret->ino = st.st_ino;
	return true;
}

/* --- walking ----------------------------------------------------------------------------------
 */

static void cleanup_walk_fn(struct walk *w)
{
	buf_free(&w->left);
}

static void go_up(struct walk *w)
{
	struct buf *done = w->done;
	const char *slash = done->len ? memrchr(done->data, '/', done->len) : NULL;

	w->look.known = false;
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
		go_up(w);
	w->look.known = false;
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
	if (!look_at(w->done->data, &w->look)) {
		if (errno == ENOENT || errno == ENOTDIR)
			return 0;
		return error_sys(w->err, errno, "cannot resolve %s", w->done->data);
	}
	return S_ISLNK(w->look.mode) && !(last && w->options->keep_last) ? follow(w) : 0;
}

static int step(struct walk *w, const char *name, size_t len)
{
	bool last = w->at >= w->left.len; /* and no slash behind it */

	if (len == 0 || (len == 1 && name[0] == '.'))
		return 0;
	if (len == 2 && memcmp(name, "..", 2) == 0) {
		go_up(w);
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
	if (options->ret_look)
		*options->ret_look = w.look;
	return rc;
}

/* --- by looks only ----------------------------------------------------------------------------
 */

/* How much of the path are directories above its end that are known. */
static size_t known_dirs(const struct resolve_trail *trail, const char *path, size_t len)
{
	size_t same = 0;

	while (same < trail->dirs && same + 1 < len && trail->path[same] == path[same])
		same++;
	if (same == trail->dirs && path[same] == '/')
		return same;
	while (same > 0 && path[--same] != '/')
		;
	return same;
}

static bool is_gone(const struct resolve_trail *trail, const char *path, size_t len)
{
	return trail->gone && len >= trail->gone && memcmp(path, trail->path, trail->gone) == 0 &&
	       (path[trail->gone] == '/' || len == trail->gone);
}

/* The next component, which ends at `end`. RESOLVE_THERE: it is a directory, or the last one. */
static enum resolve_plain look_on(struct resolve_trail *trail, size_t end, bool last,
				  struct look *ret)
{
	trail->path[end] = '\0';
	if (!look_at(trail->path, ret)) {
		trail->gone = ret->error == ENOENT ? end : 0;
		return trail->gone ? RESOLVE_ABSENT : RESOLVE_WALK;
	}
	if (S_ISDIR(ret->mode))
		trail->dirs = end;
	else if (!last || S_ISLNK(ret->mode))
		return RESOLVE_WALK;
	return RESOLVE_THERE;
}

enum resolve_plain resolve_plainly(struct resolve_trail *trail, const char *path, size_t len,
				   struct look *ret)
{
	enum resolve_plain plain = RESOLVE_THERE;
	size_t end;

	if (len >= sizeof(trail->path))
		return RESOLVE_WALK;
	if (is_gone(trail, path, len)) {
		*ret = (struct look){.known = true, .error = ENOENT};
		return RESOLVE_ABSENT;
	}
	trail->gone = 0;
	trail->dirs = end = known_dirs(trail, path, len);
	while (plain == RESOLVE_THERE && end < len) {
		size_t start = end;

		end += 1 + strcspn(path + end + 1, "/");
		memcpy(trail->path + start, path + start, end - start);
		plain = look_on(trail, end, end == len, ret);
	}
	return plain;
}
