/* What another process means by a path. */
#include "sandbox/observe.h"

#include "base/cleanup.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define LINKS_MAX 40	 /* as Linux has it */
#define PAGE	  4096UL /* the smallest of any machine: what is behind it may not be there */

/* --- memory ------------------------------------------------------------------------------------
 */

int observe_read(pid_t tid, uint64_t address, void *into, size_t len)
{
	struct iovec local = {into, len};
	struct iovec remote = {(void *)(uintptr_t)address, len};
	ssize_t n = process_vm_readv(tid, &local, 1, &remote, 1, 0);

	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EFAULT;
}

/* A path, which is shorter than PATH_MAX or none. */
static bool read_path(pid_t tid, uint64_t address, char into[PATH_MAX])
{
	size_t had = 0;

	while (had < PATH_MAX) {
		size_t want = PAGE - (address + had) % PAGE;

		if (want > PATH_MAX - had)
			want = PATH_MAX - had;
		if (observe_read(tid, address + had, into + had, want) < 0)
			return false;
		if (memchr(into + had, '\0', want))
			return true;
		had += want;
	}
	return false;
}

/* --- links -------------------------------------------------------------------------------------
 */

struct walk {
	pid_t tid;
	struct buf *done;	 /* empty for "/", else without a slash at the end */
	char left[2 * PATH_MAX]; /* what has not been walked, at its end */
	size_t at;
	unsigned links;
	bool keep_last;
	bool plain; /* nothing is taken for a link */
};

static bool put_left(struct walk *w, const char *text)
{
	size_t len = strlen(text);

	if (len > w->at)
		return false;
	w->at -= len;
	memcpy(w->left + w->at, text, len);
	return true;
}

/* /proc/self is another one for each who looks. NULL: it is not below that. */
static const char *behind_self(const char *path)
{
	static const char *const selves[] = {"/proc/self", "/proc/thread-self"};

	for (size_t i = 0; i < 2; i++) {
		size_t len = strlen(selves[i]);

		if (strncmp(path, selves[i], len) == 0 && (!path[len] || path[len] == '/'))
			return path + len;
	}
	return NULL;
}

/* The text of a link that the task sees; "": it is none, or nobody knows. */
static void read_link(pid_t tid, const char *path, char target[PATH_MAX])
{
	const char *behind = behind_self(path);
	char seen[PATH_MAX + 64];
	ssize_t n;

	snprintf(seen, sizeof(seen), behind ? "/proc/%d%s" : "/proc/%d/root%s", (int)tid,
		 behind ? behind : path);
	n = readlink(seen, target, PATH_MAX - 1);
	target[n > 0 ? n : 0] = '\0';
}

static void go_up(struct buf *done)
{
	const char *slash = done->len ? memrchr(done->data, '/', done->len) : NULL;

	done->len = slash ? (size_t)(slash - done->data) : 0;
	if (done->data)
		done->data[done->len] = '\0';
}

/* "pipe:[1]", of links that lead to what has no path. */
static bool is_no_path(const char *link, const char *target)
{
	return strncmp(link, "/proc/", 6) == 0 && target[0] != '/' && strchr(target, ':');
}

static bool follow(struct walk *w)
{
	char target[PATH_MAX];

	read_link(w->tid, w->done->data, target);
	if (!*target || is_no_path(w->done->data, target))
		return true;
	if (++w->links > LINKS_MAX || !put_left(w, target))
		return false;
	if (*target == '/')
		buf_clear(w->done);
	else
		go_up(w->done);
	return true;
}

static bool step(struct walk *w, const char *name, size_t len)
{
	bool last = w->left[w->at] == '\0';

	if (len == 0 || (len == 1 && name[0] == '.'))
		return true;
	if (len == 2 && memcmp(name, "..", 2) == 0) {
		go_up(w->done);
		return true;
	}
	if (w->done->len + len + 1 >= PATH_MAX || buf_add_char(w->done, '/') < 0 ||
	    buf_add(w->done, name, len) < 0)
		return false;
	return w->plain || (last && w->keep_last) || follow(w);
}

static bool walk_all(struct walk *w)
{
	while (w->left[w->at]) {
		char name[NAME_MAX + 1];
		size_t len = strcspn(w->left + w->at, "/");

		if (len > NAME_MAX)
			return false;
		memcpy(name, w->left + w->at, len);
		w->at += len ? len : 1;
		if (!step(w, name, len))
			return false;
	}
	return true;
}

/* --- paths -------------------------------------------------------------------------------------
 */

/* What one of the task's own links leads to: its directory, a descriptor. */
static bool read_own(pid_t tid, int dir, char into[PATH_MAX])
{
	char link[64];
	ssize_t n;

	if (dir == AT_FDCWD)
		snprintf(link, sizeof(link), "/proc/%d/cwd", (int)tid);
	else
		snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)tid, dir);
	n = readlink(link, into, PATH_MAX - 1);
	into[n > 0 ? n : 0] = '\0';
	return into[0] == '/';
}

static bool begin(pid_t tid, int dir, const char *path, struct buf *out)
{
	char base[PATH_MAX];

	if (path[0] == '/')
		return true;
	return read_own(tid, dir, base) && (strcmp(base, "/") == 0 || buf_add_str(out, base) == 0);
}

/* One look, by openat2(2), at what is most: no component is a link, as far as there are any. */
static bool is_plain(pid_t tid, const char *path, bool keep_last)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC | (keep_last ? O_NOFOLLOW : 0),
			       .resolve = RESOLVE_NO_SYMLINKS};
	cleanup_close int root = -1;
	char link[64];
	long fd;

	if (!path[0])
		return true;
	snprintf(link, sizeof(link), "/proc/%d/root", (int)tid);
	root = open(link, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return false;
	fd = syscall(SYS_openat2, root, path + 1, &how, sizeof(how));
	if (fd < 0)
		return errno == ENOENT;
	close((int)fd);
	return true;
}

static bool walk(pid_t tid, int dir, const char *path, struct walk *w)
{
	w->tid = tid;
	w->at = sizeof(w->left) - 1;
	w->left[w->at] = '\0';
	buf_clear(w->done);
	return buf_reserve(w->done, 1) == 0 && put_left(w, path) &&
	       begin(tid, dir, path, w->done) && walk_all(w);
}

/* A slash behind a link makes it a directory; ".." behind one leads elsewhere than it reads. */
bool observe_resolve(pid_t tid, int dir, const char *path, bool keep_last, struct buf *out)
{
	const bool keep = keep_last && path[strlen(path) - 1] != '/';
	struct walk w = {.done = out, .keep_last = keep_last, .plain = !strstr(path, "..")};

	if (!walk(tid, dir, path, &w))
		return false;
	if (w.plain && !is_plain(tid, out->data, keep)) {
		w.plain = false;
		if (!walk(tid, dir, path, &w))
			return false;
	}
	return out->len > 0 || buf_add_char(out, '/') == 0;
}

bool observe_path(pid_t tid, const struct observe_named *named, struct buf *out)
{
	char path[PATH_MAX];

	if (!read_path(tid, named->address, path))
		return false;
	if (*path)
		return observe_resolve(tid, named->dir, path, named->keep_last, out);
	buf_clear(out);
	return named->or_dir && read_own(tid, named->dir, path) && buf_add_str(out, path) == 0;
}
