/* Acts on namespaces, and on what is mounted where. Those that change something are for one of its
 * own. */
#include "conformance/probe/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

#define OPEN_TREE_COPY 1 /* OPEN_TREE_CLONE */

/* --- namespaces --------------------------------------------------------------------------------
 */

/* In which an ordinary user has all capabilities. */
long act_unshare_user(struct probe *p)
{
	(void)p;
	return CALL1(SYS_unshare, CLONE_NEWUSER);
}

/* By an ordinary user only with one of the former kind. */
long act_unshare_net(struct probe *p)
{
	(void)p;
	return CALL1(SYS_unshare, CLONE_NEWNET);
}

/* Children have it, and this process goes on without. */
long act_unshare_time(struct probe *p)
{
	(void)p;
	return CALL1(SYS_unshare, CLONE_NEWTIME);
}

static long wait_for(long child)
{
	if (child == 0)
		_exit(0);
	return child < 0 ? child : probe_wait((pid_t)child);
}

long act_clone_user(struct probe *p)
{
	(void)p;
	return wait_for(CALL5(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
}

/* Its flags are behind a pointer, where no filter looks. */
long act_clone3_user(struct probe *p)
{
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
	} arguments = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};

	(void)p;
	return wait_for(CALL2(SYS_clone3, &arguments, sizeof(arguments)));
}

/* Into its own one, which only a filter and a capability refuse. */
long act_setns(struct probe *p)
{
	long fd = CALL4(SYS_openat, AT_FDCWD, "/proc/self/ns/uts", O_RDONLY | O_CLOEXEC, 0), rc;

	(void)p;
	if (fd < 0)
		return fd;
	rc = CALL2(SYS_setns, fd, CLONE_NEWUTS);
	close((int)fd);
	return rc;
}

/* --- mounts ------------------------------------------------------------------------------------
 */

/* Of a process that has a view of its own: what it mounts is gone with it. */
static long get_own_view(void)
{
	if (CALL1(SYS_unshare, CLONE_NEWNS) < 0)
		return 0; /* whoever refuses that has to refuse what comes, too */
	return CALL5(SYS_mount, 0, "/", 0, MS_REC | MS_PRIVATE, 0);
}

static long mount_here(struct probe *p, const char *what, const char *kind, unsigned long flags)
{
	const char *at = probe_path(p->in, "dir", 0);
	long rc = get_own_view();

	if (rc < 0)
		return rc;
	rc = CALL5(SYS_mount, what, at, kind, flags, 0);
	if (rc == 0)
		CALL2(SYS_umount2, at, MNT_DETACH);
	return rc;
}

long act_mount_tmpfs(struct probe *p)
{
	return mount_here(p, "none", "tmpfs", MS_NOSUID);
}

/* A directory of others, where the working directory is. */
long act_mount_bind(struct probe *p)
{
	return mount_here(p, p->out, NULL, MS_BIND);
}

/* The rest is asked for what is no mount: who may do it is told EINVAL then. */
static long unless_invalid(long rc)
{
	return rc == -EINVAL ? 0 : rc;
}

/* What is hidden by a mount is seen when it is gone. */
long act_unmount(struct probe *p)
{
	return unless_invalid(CALL2(SYS_umount2, probe_path(p->in, "dir", 0), MNT_DETACH));
}

/* Shows mounts to others, or hides them. */
long act_mount_shared(struct probe *p)
{
	return unless_invalid(CALL5(SYS_mount, 0, probe_path(p->in, "dir", 0), 0, MS_PRIVATE, 0));
}

/* Writable again what was mounted read-only. */
long act_remount(struct probe *p)
{
	return unless_invalid(
		CALL5(SYS_mount, 0, probe_path(p->in, "dir", 0), 0, MS_REMOUNT | MS_BIND, 0));
}

/* That is no mount, and busy. */
long act_pivot_root(struct probe *p)
{
	long rc = CALL2(SYS_pivot_root, p->in, p->in);

	return rc == -EBUSY ? 0 : unless_invalid(rc);
}

/* Its own directory as the root: what is above of it can then be reached by what is open. */
long act_chroot(struct probe *p)
{
	return CALL1(SYS_chroot, p->in);
}

/* --- the new interface of mounts ---------------------------------------------------------------
 */

long act_fsopen(struct probe *p)
{
	(void)p;
	return probe_close(CALL2(SYS_fsopen, "tmpfs", 1));
}

long act_open_tree(struct probe *p)
{
	return probe_close(CALL3(SYS_open_tree, AT_FDCWD, p->in, OPEN_TREE_COPY | O_CLOEXEC));
}

long act_fspick(struct probe *p)
{
	(void)p;
	return probe_close(CALL3(SYS_fspick, AT_FDCWD, "/", 1));
}

long act_mount_setattr(struct probe *p)
{
	const struct {
		uint64_t set, clear, propagation, userns;
	} attr = {.propagation = MS_PRIVATE};

	return unless_invalid(CALL5(SYS_mount_setattr, AT_FDCWD, p->in, 0, &attr, sizeof(attr)));
}

/* Of nothing to nowhere. */
long act_move_mount(struct probe *p)
{
	return unless_invalid(CALL5(SYS_move_mount, AT_FDCWD, p->in, AT_FDCWD, p->in, 0));
}
