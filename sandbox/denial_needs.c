/* What calls do with paths. */
#include "sandbox/denial_needs.h"

#include "sandbox/kernel_linux.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

struct place place_of(const char *path)
{
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	return (struct place){path, len};
}

struct place place_parent(struct place place)
{
	while (place.len > 1 && place.path[place.len - 1] != '/')
		place.len--;
	while (place.len > 1 && place.path[place.len - 1] == '/')
		place.len--;
	return place;
}

bool place_is_in(struct place place, const char *dir)
{
	size_t len = strlen(dir);

	if (len == 1)
		return true;
	return place.len >= len && memcmp(place.path, dir, len) == 0 &&
	       (place.len == len || place.path[len] == '/');
}

/* --- needs -------------------------------------------------------------------------------------
 */

static void add(struct needs *needs, unsigned operation, uint64_t right, struct place at,
		struct place root)
{
	needs->item[needs->count++] = (struct need){operation, right, at, root};
}

/* Of all that is made and removed, one right stands for the others, which are granted with it. */
static void add_make(struct needs *needs, struct place path)
{
	struct place parent = place_parent(path);

	add(needs, SANDBOX_OP_WRITE_TEXT, LL_FS_MAKE_REG, parent, parent);
}

static void add_remove(struct needs *needs, struct place path)
{
	struct place parent = place_parent(path);

	add(needs, SANDBOX_OP_DELETE, LL_FS_REMOVE_FILE, parent, parent);
}

static void add_read(struct needs *needs, struct place path, bool is_dir)
{
	if (is_dir)
		add(needs, SANDBOX_OP_LIST, LL_FS_READ_DIR, path, path);
	else
		add(needs, SANDBOX_OP_READ_TEXT, LL_FS_READ_FILE, path, path);
}

/* What may be made must have its directory granted, since a root has to be there; what is there
 * itself. */
static void add_open(const struct sandbox_observation *seen, struct needs *needs, struct place path,
		     uint64_t flags)
{
	bool makes = (flags & O_CREAT) && seen->there != SANDBOX_OUTSIDE_YES;
	bool unnamed = (flags & O_TMPFILE) == O_TMPFILE;
	struct place root = makes ? place_parent(path) : path;

	if (flags & O_PATH) {
		add(needs, SANDBOX_OP_EXISTS, 0, path, path);
		return;
	}
	if ((flags & O_ACCMODE) != O_WRONLY && !unnamed)
		add_read(needs, path, flags & O_DIRECTORY);
	if ((flags & O_ACCMODE) != O_RDONLY)
		add(needs, SANDBOX_OP_WRITE_TEXT, LL_FS_WRITE_FILE, path, root);
	if (flags & O_TRUNC)
		add(needs, SANDBOX_OP_WRITE_TEXT, LL_FS_TRUNCATE, path, root);
	if (makes)
		add_make(needs, path);
}

static size_t argument_of(const struct call_known *call, char letter)
{
	const char *at = strchr(call->show, letter);

	return at ? (size_t)(at - call->show) : 0;
}

unsigned needs_rename_flags(const struct explained *e)
{
	size_t at = argument_of(e->call, 'R');

	return at ? (unsigned)e->seen->args[at] : 0;
}

static void add_rename(struct needs *needs, struct place from, struct place to, unsigned flags)
{
	add_remove(needs, from);
	add_make(needs, to);
	if (flags & RENAME_EXCHANGE) {
		add_remove(needs, to);
		add_make(needs, from);
	}
}

void needs_find(const struct explained *e, struct needs *ret)
{
	const struct sandbox_observation *seen = e->seen;
	struct place path = place_of(seen->path);
	bool is_unix = seen->address_len > 0;

	ret->count = 0;
	switch ((enum act)e->call->act) {
	case ACT_OPEN:
		add_open(seen, ret, path, seen->args[argument_of(e->call, 'o')]);
		break;
	case ACT_OPEN_HOW:
		add_open(seen, ret, path, seen->flags);
		break;
	case ACT_CREATE:
		add_open(seen, ret, path, O_CREAT | O_WRONLY | O_TRUNC);
		break;
	case ACT_TRUNCATE:
		add(ret, SANDBOX_OP_WRITE_TEXT, LL_FS_TRUNCATE, path, path);
		break;
	case ACT_EXECUTE:
		add(ret, SANDBOX_OP_EXEC, LL_FS_EXECUTE, path, path);
		break;
	case ACT_CHANGE:
		add(ret, SANDBOX_OP_WRITE_TEXT, 0, path, path);
		break;
	case ACT_MAKE:
		add_make(ret, path);
		break;
	case ACT_REMOVE:
		add_remove(ret, path);
		break;
	case ACT_RENAME:
		if (seen->path2)
			add_rename(ret, path, place_of(seen->path2), needs_rename_flags(e));
		break;
	case ACT_LINK:
		add(ret, SANDBOX_OP_EXISTS, 0, path, path);
		if (seen->path2)
			add_make(ret, place_of(seen->path2));
		break;
	case ACT_BIND:
		if (is_unix)
			add_make(ret, path);
		break;
	case ACT_CONNECT:
		if (is_unix)
			add(ret, 0, LL_FS_RESOLVE_UNIX, path, path);
		break;
	case ACT_SEE:
	case ACT_ENTER:
		add(ret, SANDBOX_OP_EXISTS, 0, path, path);
		break;
	default:
		break;
	}
}
