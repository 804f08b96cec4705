#include "tape/toolpath.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/tmpdir.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIR_PREFIX "sandtape-bin-"

struct toolpath {
	char *dir;
	int lock; /* of the directory, see tmpdir_make() */
};

/* The names of programs that a search through PATH found: those without a slash in argv[0]. */
static bool is_searched(const struct unit *u)
{
	const struct buf *name = u->argc ? &u->argv[0] : NULL;

	return name && name->len > 0 && name->len < 256 && !memchr(name->data, '/', name->len) &&
	       !memchr(name->data, '\0', name->len) && strcmp(name->data, ".") != 0 &&
	       strcmp(name->data, "..") != 0 && u->end.how != END_EXEC_FAILED;
}

static bool is_in_dir(const char *dir, size_t dir_len, const char *name)
{
	char path[4096];
	struct stat st;
	int n = snprintf(path, sizeof(path), "%.*s/%s", dir_len ? (int)dir_len : 1,
			 dir_len ? dir : ".", name);

	return n > 0 && (size_t)n < sizeof(path) && access(path, X_OK) == 0 &&
	       stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static bool is_in_path(const char *name)
{
	const char *at = getenv("PATH");

	while (at) {
		size_t len = strcspn(at, ":");

		if (is_in_dir(at, len, name))
			return true;
		at = at[len] ? at + len + 1 : NULL;
	}
	return false;
}

static int make_dir(struct toolpath *t, struct error *err)
{
	const char *tmp = getenv("TMPDIR");

	if (!tmp || !tmp[0])
		tmp = "/tmp";
	tmpdir_sweep(tmp, DIR_PREFIX);
	return tmpdir_make(tmp, DIR_PREFIX, &t->dir, &t->lock, err);
}

static int add_name(struct toolpath *t, const char *name, const char *stub, struct error *err)
{
	cleanup_free char *link = NULL;
	int r = t->dir ? 0 : make_dir(t, err);

	if (r < 0)
		return r;
	link = fs_join(t->dir, name);
	if (!link)
		return error_no_memory(err);
	if (symlink(stub, link) < 0 && errno != EEXIST)
		return error_sys(err, errno, "cannot make the link %s", link);
	return 0;
}

static int add_unit(struct toolpath *t, const struct unit *u, const char *stub, struct buf *last,
		    struct error *err)
{
	const char *name;

	if (!is_searched(u))
		return 0;
	name = u->argv[0].data;
	/* A tape mostly asks for the same programs again and again. */
	if (last->len > 0 && strcmp(last->data, name) == 0)
		return 0;
	buf_clear(last);
	if (buf_add_str(last, name) < 0)
		return error_no_memory(err);
	return is_in_path(name) ? 0 : add_name(t, name, stub, err);
}

int toolpath_new(const struct tape_reader *reader, const char *stub, struct toolpath **ret,
		 struct error *err)
{
	struct toolpath *t = calloc(1, sizeof(*t));
	cleanup_buf struct buf last = BUF_INIT;
	size_t count = tape_reader_count(reader);
	int r = t ? 0 : error_no_memory(err);

	if (t)
		t->lock = -1;
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct unit u = {0};

		r = tape_reader_unit(reader, i, &u, err);
		if (r == 0)
			r = add_unit(t, &u, stub, &last, err);
		unit_clear(&u);
	}
	if (r < 0 || !t->dir) {
		toolpath_free(t);
		t = NULL;
	}
	*ret = t;
	return r;
}

const char *toolpath_dir(const struct toolpath *t)
{
	return t ? t->dir : NULL;
}

void toolpath_free(struct toolpath *t)
{
	if (!t)
		return;
	/* Links in a directory of our own: a failure leaves nothing but clutter. */
	if (t->dir)
		fs_remove_all(t->dir, NULL);
	if (t->lock >= 0)
		close(t->lock);
	free(t->dir);
	free(t);
}
