/* Acts that give files other names: in one directory, and from one to another. */
#include "conformance/probe/probe.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <unistd.h>

static long move(const char *from, const char *to, unsigned flags)
{
	return CALL5(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

static long join(const char *from, const char *to)
{
	return CALL5(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
}

/* --- in the outer directory --------------------------------------------------------------------
 */

long act_rename_here(struct probe *p)
{
	return move(probe_path(p->out, "file", 0), probe_path(p->out, "made", 1), 0);
}

long act_link_here(struct probe *p)
{
	return join(probe_path(p->out, "file", 0), probe_path(p->out, "made", 1));
}

/* From there to a directory in it. */
long act_move_below(struct probe *p)
{
	return move(probe_path(p->out, "file", 0), probe_path(p->out, "other/file", 1), 0);
}

/* --- between it and the working directory ------------------------------------------------------
 */

long act_move_into(struct probe *p)
{
	return move(probe_path(p->in, "file", 0), probe_path(p->out, "made", 1), 0);
}

long act_link_into(struct probe *p)
{
	return join(probe_path(p->in, "file", 0), probe_path(p->out, "made", 1));
}

long act_move_over(struct probe *p)
{
	return move(probe_path(p->in, "file", 0), probe_path(p->out, "file", 1), 0);
}

long act_exchange(struct probe *p)
{
	return move(probe_path(p->in, "file", 0), probe_path(p->out, "file", 1), RENAME_EXCHANGE);
}

long act_move_out(struct probe *p)
{
	return move(probe_path(p->out, "file", 0), probe_path(p->in, "taken", 1), 0);
}

/* The same, and leaves the character device 0 where it was. */
long act_rename_whiteout(struct probe *p)
{
	return move(probe_path(p->out, "file", 0), probe_path(p->in, "taken", 1), RENAME_WHITEOUT);
}

/* Gives "file" a name in the working directory, where all is granted, and reads it by that. */
long act_read_by_hard_link(struct probe *p)
{
	const char *to = probe_path(p->in, "taken", 1);
	long rc = join(probe_path(p->out, "file", 0), to), fd;

	if (rc < 0)
		return rc;
	fd = CALL4(SYS_openat, AT_FDCWD, to, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	rc = CALL3(SYS_read, fd, p->report->text, sizeof(p->report->text) - 1);
	close((int)fd);
	return rc;
}
