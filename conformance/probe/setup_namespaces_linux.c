/*
 * Namespaces alone. Who may not make them by themselves makes them in a user namespace, in which it
 * keeps its number.
 */
#include "conformance/probe/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if.h>
#include <mqueue.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- to make them ------------------------------------------------------------------------------
 */

static void write_file(struct probe *p, const char *path, const char *text)
{
	long fd = probe_need(p, "open", CALL4(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0));

	probe_need(p, path + sizeof("/proc/self"), CALL3(SYS_write, fd, text, strlen(text)));
	close((int)fd);
}

/* One user and one group: those that it is. */
static void map_ids(struct probe *p, uid_t user, gid_t group)
{
	char text[64];

	write_file(p, "/proc/self/setgroups", "deny");
	snprintf(text, sizeof(text), "%u %u 1", user, user);
	write_file(p, "/proc/self/uid_map", text);
	snprintf(text, sizeof(text), "%u %u 1", group, group);
	write_file(p, "/proc/self/gid_map", text);
}

static void enter(struct probe *p, unsigned long flags)
{
	const uid_t user = getuid();
	const gid_t group = getgid();

	if (!(flags & CLONE_NEWUSER)) {
		long rc = CALL1(SYS_unshare, flags);

		if (rc == 0)
			return;
		if (rc != -EPERM)
			probe_unprepared(p, "unshare", rc);
	}
	probe_need(p, "unshare", CALL1(SYS_unshare, flags | CLONE_NEWUSER));
	map_ids(p, user, group);
}

static long mount_at(const char *from, const char *to, const char *type, unsigned long flags)
{
	return CALL5(SYS_mount, from, to, type, flags, NULL);
}

/* Nothing that is mounted in it is seen outside. */
static void enter_mounts(struct probe *p, unsigned long flags)
{
	enter(p, flags | CLONE_NEWNS);
	probe_need(p, "private", mount_at(NULL, "/", NULL, MS_REC | MS_PRIVATE));
}

/* --- what acts find there ----------------------------------------------------------------------
 */

/* A mount on "other", with a directory "old". */
long prepare_tree(struct probe *p)
{
	const char *other = probe_path(p->out, "other", 0);

	enter_mounts(p, 0);
	probe_need(p, "tmpfs", mount_at("none", other, "tmpfs", 0));
	return CALL3(SYS_mkdirat, AT_FDCWD, probe_path(p->out, "other/old", 0), 0755);
}

/* A directory that is opened by way of a mount, and moved out of what is mounted then: no way leads
 * from it up to the mount. p->arg: the mount is in the working directory. */
long prepare_disconnected(struct probe *p)
{
	char from[PATH_MAX], at[PATH_MAX];

	enter_mounts(p, 0);
	snprintf(from, sizeof(from), "%s/dir/deep", p->out);
	snprintf(at, sizeof(at), "%s/%s", p->arg ? p->in : p->out, p->arg ? "dir" : "empty");
	probe_need(p, "mkdir", CALL3(SYS_mkdirat, AT_FDCWD, from, 0755));
	probe_need(p, "link",
		   CALL5(SYS_linkat, AT_FDCWD, probe_path(p->out, "dir/inner", 0), AT_FDCWD,
			 probe_path(from, "inner", 1), 0));
	probe_need(p, "bind", mount_at(probe_path(p->out, "dir", 0), at, NULL, MS_BIND));
	p->disconnected = (int)probe_need(p, "open",
					  CALL4(SYS_openat, AT_FDCWD, probe_path(at, "deep", 0),
						O_PATH | O_DIRECTORY | O_CLOEXEC, 0));
	return CALL5(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, probe_path(p->out, "other/deep", 0),
		     0);
}

static const char *own_secret(void)
{
	const char *secret = getenv(PROBE_VARIABLE);

	return secret ? secret : "-";
}

/* A segment that is gone with the last process that has it. */
long prepare_shared_memory(struct probe *p)
{
	long id = probe_need(p, "shmget", CALL3(SYS_shmget, IPC_PRIVATE, 4096, 0600)), at;

	at = CALL3(SYS_shmat, id, NULL, 0);
	CALL3(SYS_shmctl, id, IPC_RMID, NULL);
	p->shared_memory = (int)id;
	if (at < 0 && at > -4096)
		return at;
	snprintf((char *)at, 4096, "%s", own_secret());
	return 0;
}

/* In a namespace of its own, for the outside of another one: what is made there is gone with the
 * last process of it. */
long prepare_sysv(struct probe *p)
{
	struct {
		long type;
		char text[PROBE_TEXT_SIZE];
	} message = {.type = 1};
	const int flags = IPC_CREAT | IPC_EXCL | 0600;

	snprintf(message.text, sizeof(message.text), "%s", own_secret());
	enter(p, CLONE_NEWIPC);
	probe_need(p, "shmget", CALL3(SYS_shmget, PROBE_IPC_KEY, 4096, flags));
	p->semaphores = (int)probe_need(p, "semget", CALL3(SYS_semget, PROBE_IPC_KEY, 1, flags));
	p->queue = (int)probe_need(p, "msgget", CALL2(SYS_msgget, PROBE_IPC_KEY, flags));
	return CALL4(SYS_msgsnd, p->queue, &message, sizeof(message.text), IPC_NOWAIT);
}

/* Likewise, of POSIX: its name is the nonce. */
long prepare_queue(struct probe *p)
{
	struct mq_attr attr = {.mq_maxmsg = 1, .mq_msgsize = PROBE_TEXT_SIZE - 1};
	const char *secret = own_secret();
	long fd, rc;

	enter(p, CLONE_NEWIPC);
	fd = probe_need(p, "mq_open",
			CALL4(SYS_mq_open, p->nonce, O_RDWR | O_CREAT | O_EXCL, 0600, &attr));
	rc = CALL5(SYS_mq_timedsend, fd, secret, strlen(secret), 0, NULL);
	close((int)fd);
	return rc;
}

/* Names of its own, for the outside of another one: the host's are left as they are. */
long prepare_names(struct probe *p)
{
	enter(p, CLONE_NEWUTS);
	p->names = (int)CALL4(SYS_openat, AT_FDCWD, "/proc/self/ns/uts", O_RDONLY | O_CLOEXEC, 0);
	return p->names;
}

/* --- set-ups -----------------------------------------------------------------------------------
 */

/* setup_arg has the flags of clone(2). What is granted is another namespace. With one for mounts,
 * one for processes has a /proc of its own. */
long setup_namespace(struct probe *p, bool granted)
{
	const unsigned long asked = p->setup_arg;
	const unsigned long other = asked & CLONE_NEWUTS ? CLONE_NEWIPC : CLONE_NEWUTS;
	const unsigned long flags = granted ? other : asked;

	if (flags & CLONE_NEWNS)
		enter_mounts(p, flags);
	else
		enter(p, flags);
	if (flags & CLONE_NEWPID)
		probe_go_on_in_child(p, NULL);
	if ((flags & CLONE_NEWPID) && (flags & CLONE_NEWNS))
		probe_need(p, "proc", mount_at("none", "/proc", "proc", 0));
	return 0;
}

/* A network namespace whose loopback is up. */
long setup_loopback(struct probe *p, bool granted)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	long fd;

	p->setup_arg = CLONE_NEWNET;
	setup_namespace(p, granted);
	if (granted)
		return 0;
	fd = probe_need(p, "socket", CALL3(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	probe_need(p, "loopback", CALL3(SYS_ioctl, fd, SIOCSIFFLAGS, &request));
	close((int)fd);
	return 0;
}

/* The outer directory is a mount of its own, which can be written where that is granted. */
long setup_mount_read_only(struct probe *p, bool granted)
{
	struct mount_attr attr = {.attr_set = granted ? 0 : MOUNT_ATTR_RDONLY};

	enter_mounts(p, 0);
	probe_need(p, "bind", mount_at(p->out, p->out, NULL, MS_BIND | MS_REC));
	return probe_need(p, "mount_setattr",
			  CALL5(SYS_mount_setattr, AT_FDCWD, p->out, 0, &attr, sizeof(attr)));
}

/* An empty directory hides the outer one, or, where that is granted, one of the inner. */
long setup_mount_hidden(struct probe *p, bool granted)
{
	enter_mounts(p, 0);
	return probe_need(
		p, "tmpfs",
		mount_at("none", granted ? probe_path(p->in, "dir", 0) : p->out, "tmpfs", 0));
}
