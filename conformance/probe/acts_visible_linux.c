/* Acts on files that Landlock is documented not to deny, whatever is granted. */
#include "conformance/probe/probe.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

long act_stat_file(struct probe *p)
{
	struct stat st;

	return CALL4(SYS_newfstatat, AT_FDCWD, probe_path(p->out, "file", 0), &st, 0);
}

long act_access_file(struct probe *p)
{
	return CALL3(SYS_faccessat, AT_FDCWD, probe_path(p->out, "file", 0), R_OK | W_OK);
}

long act_read_link(struct probe *p)
{
	char text[64];

	return CALL4(SYS_readlinkat, AT_FDCWD, probe_path(p->out, "link", 0), text, sizeof(text));
}

long act_open_path(struct probe *p)
{
	long fd = CALL4(SYS_openat, AT_FDCWD, probe_path(p->out, "file", 0), O_PATH | O_CLOEXEC, 0);

	if (fd >= 0)
		close((int)fd);
	return fd;
}

/* Hears of what becomes of names in the outer directory. */
long act_watch_dir(struct probe *p)
{
	long fd = probe_need(p, "inotify_init1", CALL1(SYS_inotify_init1, IN_CLOEXEC));
	long rc = CALL3(SYS_inotify_add_watch, fd, p->out, IN_CREATE);

	close((int)fd);
	return rc;
}

long act_change_dir(struct probe *p)
{
	return CALL1(SYS_chdir, p->out);
}

long act_change_root(struct probe *p)
{
	return CALL1(SYS_chroot, p->out);
}

long act_change_mode(struct probe *p)
{
	return CALL3(SYS_fchmodat, AT_FDCWD, probe_path(p->out, "file", 0), 0600);
}

/* To those who own it already. */
long act_change_owner(struct probe *p)
{
	return CALL5(SYS_fchownat, AT_FDCWD, probe_path(p->out, "file", 0), getuid(), getgid(), 0);
}

/* To nobody that is known in a user namespace with one user. */
long act_give_away(struct probe *p)
{
	return CALL5(SYS_fchownat, AT_FDCWD, probe_path(p->out, "file", 0), 65533, -1, 0);
}

long act_change_times(struct probe *p)
{
	return CALL4(SYS_utimensat, AT_FDCWD, probe_path(p->out, "file", 0), NULL, 0);
}

long act_change_attribute(struct probe *p)
{
	return CALL5(SYS_setxattr, probe_path(p->out, "file", 0), "user.sandtape", "+", 1, 0);
}

/* Reads the planted descriptor, which is of "file". */
long act_read_inherited(struct probe *p)
{
	return CALL4(SYS_pread64, PROBE_FD, p->report->text, sizeof(p->report->text) - 1, 0);
}

long act_write_inherited(struct probe *p)
{
	(void)p;
	return CALL4(SYS_pwrite64, PROBE_FD, "!", 1, 0);
}

long act_truncate_inherited(struct probe *p)
{
	(void)p;
	return CALL2(SYS_ftruncate, PROBE_FD, 0);
}

/* Memory that is a file, but not of a file system that anybody has a path in. */
long act_truncate_memfd(struct probe *p)
{
	long fd = probe_need(p, "memfd_create", CALL2(SYS_memfd_create, "sandtape", 1));
	long rc = CALL2(SYS_ftruncate, fd, 4096);

	close((int)fd);
	return rc;
}
