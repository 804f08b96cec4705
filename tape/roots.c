#include "tape/roots.h"
#include "base/cleanup.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct root {
	char *name;
	char *dir;
	size_t name_len;
	size_t dir_len;
};

struct roots {
	struct root *root; /* in order of addition */
	size_t count;
};

struct roots *roots_new(void)
{
	return calloc(1, sizeof(struct roots));
}

void roots_free(struct roots *r)
{
	size_t i;

	if (!r)
		return;
	for (i = 0; i < r->count; i++) {
		free(r->root[i].name);
		free(r->root[i].dir);
	}
	free(r->root);
	free(r);
}

static bool is_name_char(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool is_letter(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* The length of the longest NAME that `bytes` begins with, known or not. */
static size_t name_len(const char *bytes, size_t len)
{
	size_t n = 0;

	if (!len || bytes[0] < 'A' || bytes[0] > 'Z')
		return 0;
	while (n < len && is_name_char((unsigned char)bytes[n]))
		n++;
	return n;
}

static const struct root *find_name(const struct roots *r, const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < r->count; i++) {
		if (r->root[i].name_len == len && !memcmp(r->root[i].name, name, len))
			return &r->root[i];
	}
	return NULL;
}

static int replace_dir(struct root *root, const char *dir, size_t dir_len, struct error *err)
{
	char *copy = strndup(dir, dir_len);

	if (!copy)
		return error_no_memory(err);
	free(root->dir);
	root->dir = copy;
	root->dir_len = dir_len;
	return 0;
}

static int append_root(struct roots *r, const char *name, const char *dir, size_t dir_len,
		       struct error *err)
{
	cleanup_free char *name_copy = strdup(name);
	cleanup_free char *dir_copy = strndup(dir, dir_len);
	struct root *root = reallocarray(r->root, r->count + 1, sizeof(*root));

	if (root)
		r->root = root;
	if (!root || !name_copy || !dir_copy)
		return error_no_memory(err);
	root[r->count++] = (struct root){
		.name_len = strlen(name),
		.dir_len = dir_len,
		.name = steal_ptr(&name_copy),
		.dir = steal_ptr(&dir_copy),
	};
	return 0;
}

int roots_add(struct roots *r, const char *name, const char *dir, struct error *err)
{
	size_t len = strlen(name);
	size_t dir_len = strlen(dir);
	const struct root *known;

	if (!len || name_len(name, len) != len)
		return error_set(err, ERR_INVALID,
				 "the root name \"%s\" is not a capital letter followed by capital "
				 "letters, digits and _",
				 name);
	if (dir[0] != '/')
		return error_set(err, ERR_INVALID, "the root %s=%s is not an absolute path", name,
				 dir);
	while (dir_len > 0 && dir[dir_len - 1] == '/')
		dir_len--;
	if (!dir_len)
		return error_set(err, ERR_INVALID,
				 "the root %s may not be /: every path would be below it", name);
	known = find_name(r, name, len);
	if (known)
		return replace_dir(&r->root[known - r->root], dir, dir_len, err);
	return append_root(r, name, dir, dir_len, err);
}

size_t roots_count(const struct roots *r)
{
	return r->count;
}

const char *roots_name(const struct roots *r, size_t index)
{
	return r->root[index].name;
}

const char *roots_dir(const struct roots *r, const char *name)
{
	const struct root *root = find_name(r, name, strlen(name));

	return root ? root->dir : NULL;
}

static bool is_separator(unsigned char c)
{
	return c <= ' ' || c == 0x7f || strchr("=:,;\"'`()[]{}<>|&@!#", c);
}

/* `at` is where a path might begin. */
static bool begins_path(const char *bytes, size_t at)
{
	static const char scheme[] = "file://";
	const size_t scheme_len = sizeof(scheme) - 1;

	if (!at || is_separator((unsigned char)bytes[at - 1]))
		return true;
	/* A one-letter option with its value attached, as in -I/usr/include. */
	if (is_letter((unsigned char)bytes[at - 1]) && at >= 2 && bytes[at - 2] == '-')
		return at == 2 || is_separator((unsigned char)bytes[at - 3]);
	return at >= scheme_len && !memcmp(bytes + at - scheme_len, scheme, scheme_len);
}

/* `at` is just behind what might be a root directory. No name character may be a boundary here:
 * it would be read as part of the name. */
static bool ends_root(const char *bytes, size_t len, size_t at)
{
	if (at == len || bytes[at] == '/' || bytes[at] == '\\')
		return true;
	/* The full stop of a sentence. */
	if (bytes[at] == '.')
		return at + 1 == len || is_separator((unsigned char)bytes[at + 1]);
	return is_separator((unsigned char)bytes[at]);
}

static const struct root *match_root(const struct roots *r, const char *bytes, size_t len,
				     size_t at)
{
	const struct root *best = NULL;
	size_t i;

	if (!begins_path(bytes, at))
		return NULL;
	for (i = 0; i < r->count; i++) {
		const struct root *root = &r->root[i];

		if (root->dir_len > len - at || (best && root->dir_len <= best->dir_len) ||
		    memcmp(bytes + at, root->dir, root->dir_len) != 0)
			continue;
		if (ends_root(bytes, len, at + root->dir_len))
			best = root;
	}
	return best;
}

/*
 * Whether the `$` at `at` could be misread when it stays single. It is enough to look at the input:
 * a root is never replaced right behind a `$`, so what follows it in the output is either the same
 * `$` or the same name.
 */
static bool needs_escape(const struct roots *r, const char *bytes, size_t len, size_t at)
{
	size_t n;

	if (at + 1 < len && bytes[at + 1] == '$')
		return true;
	n = name_len(bytes + at + 1, len - at - 1);
	return n && find_name(r, bytes + at + 1, n);
}

static int add_placeholder(struct buf *out, const struct root *root)
{
	int rc = buf_add_char(out, '$');

	return rc < 0 ? rc : buf_add(out, root->name, root->name_len);
}

/* Bytes from `at` on that mean nothing to roots. */
static size_t plain_run(const char *bytes, size_t len, size_t at)
{
	size_t end = at;

	while (end < len && bytes[end] != '/' && bytes[end] != '$')
		end++;
	return end - at;
}

int roots_encode(const struct roots *r, const char *bytes, size_t len, struct buf *out)
{
	size_t start = out->len;
	size_t at = 0;
	int rc = buf_reserve(out, len);

	while (rc == 0 && at < len) {
		size_t run = plain_run(bytes, len, at);
		const struct root *root = NULL;

		if (run) {
			rc = buf_add(out, bytes + at, run);
			at += run;
			continue;
		}
		if (bytes[at] == '/')
			root = match_root(r, bytes, len, at);
		if (root)
			rc = add_placeholder(out, root);
		else if (bytes[at] == '$' && needs_escape(r, bytes, len, at))
			rc = buf_add(out, "$$", 2);
		else
			rc = buf_add_char(out, bytes[at]);
		at += root ? root->dir_len : 1;
	}
	if (rc < 0)
		out->len = start;
	return rc;
}

int roots_decode(const struct roots *r, const char *bytes, size_t len, struct buf *out)
{
	size_t start = out->len;
	size_t at = 0;
	int rc = buf_reserve(out, len);

	while (rc == 0 && at < len) {
		const char *dollar = memchr(bytes + at, '$', len - at);
		size_t run = dollar ? (size_t)(dollar - bytes) - at : len - at;
		size_t n;
		const struct root *root;

		rc = buf_add(out, bytes + at, run);
		at += run;
		if (rc < 0 || at == len)
			break;
		n = name_len(bytes + at + 1, len - at - 1);
		root = n ? find_name(r, bytes + at + 1, n) : NULL;
		rc = root ? buf_add(out, root->dir, root->dir_len) : buf_add_char(out, '$');
		if (root)
			at += 1 + n;
		else
			at += at + 1 < len && bytes[at + 1] == '$' ? 2 : 1;
	}
	if (rc < 0)
		out->len = start;
	return rc;
}
