/* Capabilities and no_new_privs alone; and how an ordinary user comes by capabilities at all. */
#include "conformance/probe/probe.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

/* --- namespaces of its own ---------------------------------------------------------------------
 */

static void write_file(struct probe *p, const char *path, const char *text)
{
	long fd = probe_need(p, "open", CALL4(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0));

	probe_need(p, "map of users", CALL3(SYS_write, fd, text, strlen(text)));
	close((int)fd);
}

/* As root of it; root itself needs none. */
static void become_root(struct probe *p)
{
	const unsigned uid = geteuid(), gid = getegid();
	char map[64];

	if (uid == 0)
		return;
	probe_need(p, "user namespace", CALL1(SYS_unshare, CLONE_NEWUSER));
	write_file(p, "/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", uid);
	write_file(p, "/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "0 %u 1", gid);
	write_file(p, "/proc/self/gid_map", map);
}

static long prepare(struct probe *p, unsigned flags)
{
	become_root(p);
	if (flags)
		probe_need(p, "namespaces", CALL1(SYS_unshare, flags));
	if (flags & CLONE_NEWNS)
		probe_need(p, "private mounts",
			   CALL5(SYS_mount, 0, "/", 0, MS_REC | MS_PRIVATE, 0));
	return 0;
}

long prepare_root(struct probe *p)
{
	return prepare(p, 0);
}

long prepare_mounts(struct probe *p)
{
	return prepare(p, CLONE_NEWNS | CLONE_NEWUTS);
}

long prepare_net(struct probe *p)
{
	return prepare(p, CLONE_NEWNET);
}

long prepare_ipc(struct probe *p)
{
	return prepare(p, CLONE_NEWIPC);
}

/* A process of its own as the first of a namespace of them; this one waits, and ends as it does. It
 * is the process outside that is looked into: the victim is in another user namespace, whose
 * processes nobody of this one may look into. */
long prepare_pids(struct probe *p)
{
	const char *secret = getenv(PROBE_VARIABLE);

	prepare(p, CLONE_NEWNS | CLONE_NEWPID);
	p->victim = getpid();
	snprintf(probe_victims_secret, PROBE_TEXT_SIZE, "%s", secret ? secret : "");
	probe_need(p, "chdir", CALL1(SYS_chdir, p->out));
	probe_go_on_in_child(p, NULL);
	return 0;
}

/* --- capabilities ------------------------------------------------------------------------------
 */

static long set_capabilities(uint64_t all)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {
		{.effective = (uint32_t)all, .permitted = (uint32_t)all},
		{.effective = (uint32_t)(all >> 32), .permitted = (uint32_t)(all >> 32)},
	};

	return CALL2(SYS_capset, &header, data);
}

static uint64_t permitted(struct probe *p)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};

	probe_need(p, "capget", CALL2(SYS_capget, &header, data));
	return (uint64_t)data[1].permitted << 32 | data[0].permitted;
}

/* Without the capabilities of setup_arg and with all others; granted, with these and no others. */
long setup_capabilities(struct probe *p, bool granted)
{
	const uint64_t has = permitted(p);

	for (int i = 0; i < 64; i++)
		if ((p->setup_arg >> i & 1) != granted && has >> i & 1)
			probe_need(p, "bounding set",
				   CALL5(SYS_prctl, PR_CAPBSET_DROP, i, 0, 0, 0));
	return probe_need(p, "capset",
			  set_capabilities(granted ? has & p->setup_arg : has & ~p->setup_arg));
}

/* --- no_new_privs ------------------------------------------------------------------------------
 */

/* There is no grant in it, but that it is not set. */
long setup_no_new_privs(struct probe *p, bool granted)
{
	return granted ? 0
		       : probe_need(p, "no_new_privs",
				    CALL5(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}
