/* Acts that only a capability allows. */
#include "conformance/probe/probe.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* One that is not the one it has, and that is not the first one of a namespace either. */
#define OTHER 65533

/* --- files -------------------------------------------------------------------------------------
 */

/* To another user, who then is over its quota. */
long act_chown(struct probe *p)
{
	return CALL5(SYS_fchownat, AT_FDCWD, probe_path(p->in, "file", 0), OTHER, -1, 0);
}

/* A file that nobody may read, not even its owner. */
long act_read_locked(struct probe *p)
{
	long fd, n;

	probe_need(p, "chmod", CALL3(SYS_fchmodat, AT_FDCWD, probe_path(p->in, "file", 0), 0));
	fd = CALL4(SYS_openat, AT_FDCWD, probe_path(p->in, "file", 0), O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	n = CALL3(SYS_read, fd, p->report->text, PROBE_TEXT_SIZE - 1);
	close((int)fd);
	return n;
}

/* The same by its number instead of its path. */
long act_open_by_handle(struct probe *p)
{
	struct {
		unsigned size;
		int kind;
		unsigned char bytes[128];
	} handle = {.size = sizeof(handle.bytes)};
	long at = probe_need(
		     p, "open",
		     CALL4(SYS_openat, AT_FDCWD, p->in, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)),
	     fd;
	int mount;

	probe_need(p, "name_to_handle_at",
		   CALL5(SYS_name_to_handle_at, AT_FDCWD, probe_path(p->out, "file", 0), &handle,
			 &mount, 0));
	fd = CALL3(SYS_open_by_handle_at, at, &handle, O_RDONLY | O_CLOEXEC);
	close((int)at);
	if (fd < 0)
		return fd;
	at = CALL3(SYS_read, fd, p->report->text, PROBE_TEXT_SIZE - 1);
	close((int)fd);
	return at;
}

/* A node of what /dev/null is. */
long act_mknod_device(struct probe *p)
{
	return CALL4(SYS_mknodat, AT_FDCWD, probe_path(p->out, "made", 0), S_IFCHR | 0600, 0x103);
}

/* Capabilities of a file: whoever executes it has them. CAP_NET_RAW, permitted. */
long act_file_capabilities(struct probe *p)
{
	const struct vfs_cap_data data = {
		.magic_etc = VFS_CAP_REVISION_2,
		.data = {{.permitted = 1U << CAP_NET_RAW}},
	};

	return CALL5(SYS_setxattr, probe_path(p->in, "file", 0), "security.capability", &data,
		     sizeof(data), 0);
}

/* Attributes that only the kernel and its administrator see. */
long act_trusted_attribute(struct probe *p)
{
	return CALL5(SYS_setxattr, probe_path(p->in, "file", 0), "trusted.sandtape", "x", 1, 0);
}

/* --- who it is ---------------------------------------------------------------------------------
 */

long act_setuid(struct probe *p)
{
	(void)p;
	return CALL3(SYS_setresuid, OTHER, OTHER, OTHER);
}

long act_setgid(struct probe *p)
{
	(void)p;
	return CALL3(SYS_setresgid, OTHER, OTHER, OTHER);
}

/* To no groups: what they are denied is granted then. */
long act_setgroups(struct probe *p)
{
	(void)p;
	return CALL2(SYS_setgroups, 0, NULL);
}

long act_drop_bounding(struct probe *p)
{
	(void)p;
	return CALL5(SYS_prctl, PR_CAPBSET_DROP, CAP_WAKE_ALARM, 0, 0, 0);
}

/* What set-user-ID root means to it. */
long act_securebits(struct probe *p)
{
	(void)p;
	return CALL5(SYS_prctl, PR_SET_SECUREBITS, 1 /* SECBIT_NOROOT */, 0, 0, 0);
}

/* Takes back what was dropped. */
long act_regain(struct probe *p)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};

	(void)p;
	data[0].effective = data[0].permitted = 1U << CAP_SYS_ADMIN;
	return CALL2(SYS_capset, &header, data);
}

/* --- other processes ---------------------------------------------------------------------------
 */

/* A process of another user, and a file of it, which are made while that is allowed still. */
static pid_t other;

static _Noreturn void be_other(int ready)
{
	long rc = CALL3(SYS_setresuid, OTHER, OTHER, OTHER);

	CALL5(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	CALL3(SYS_write, ready, &rc, sizeof(rc));
	for (;;)
		pause();
}

long prepare_other(struct probe *p)
{
	const char *file = probe_path(p->in, "file", 0);
	int ready[2];
	long rc = 0;

	probe_need(p, "pipe", CALL2(SYS_pipe2, ready, O_CLOEXEC));
	other = (pid_t)probe_need(p, "fork", probe_fork());
	if (other == 0)
		be_other(ready[1]);
	probe_need(p, "read", CALL3(SYS_read, ready[0], &rc, sizeof(rc)));
	probe_need(p, "setresuid", rc);
	return probe_need(p, "chown", CALL5(SYS_fchownat, AT_FDCWD, file, OTHER, OTHER, 0));
}

static long end_other(long rc)
{
	CALL2(SYS_kill, other, SIGKILL);
	return rc;
}

/* Asks, and sends nothing. */
long act_kill_other(struct probe *p)
{
	(void)p;
	return end_other(CALL2(SYS_kill, other, 0));
}

long act_ptrace_other(struct probe *p)
{
	(void)p;
	return end_other(CALL4(SYS_ptrace, PTRACE_SEIZE, other, NULL, NULL));
}

/* The mode of a file of others. */
long act_chmod_others(struct probe *p)
{
	return end_other(CALL3(SYS_fchmodat, AT_FDCWD, probe_path(p->in, "file", 0), 0600));
}

/* Its bytes. */
long act_write_others(struct probe *p)
{
	long fd =
		CALL4(SYS_openat, AT_FDCWD, probe_path(p->in, "file", 0), O_WRONLY | O_CLOEXEC, 0);

	if (fd >= 0)
		close((int)fd);
	return end_other(fd);
}

/* Holds up whoever wants to open it. */
long act_lease_others(struct probe *p)
{
	long fd = probe_need(p, "open",
			     CALL4(SYS_openat, AT_FDCWD, probe_path(p->in, "file", 0),
				   O_RDONLY | O_CLOEXEC, 0)),
	     rc;

	rc = CALL3(SYS_fcntl, fd, F_SETLEASE, F_RDLCK);
	close((int)fd);
	return end_other(rc);
}

/* --- its share of the machine ------------------------------------------------------------------
 */

/* A suite that has more already, itself, gives that up first. */
long probe_raise_priority(struct probe *p, int steps)
{
	long now = 20 - probe_need(p, "getpriority", CALL2(SYS_getpriority, PRIO_PROCESS, 0));

	if (now < 0) {
		probe_need(p, "setpriority", CALL3(SYS_setpriority, PRIO_PROCESS, 0, 0));
		now = 0;
	}
	return CALL3(SYS_setpriority, PRIO_PROCESS, 0, now - steps);
}

long act_priority(struct probe *p)
{
	return probe_raise_priority(p, 1);
}

/* Before all others, always. */
long act_realtime(struct probe *p)
{
	const struct sched_param param = {.sched_priority = 1};

	(void)p;
	return CALL3(SYS_sched_setscheduler, 0, SCHED_FIFO, &param);
}

/* Memory that is never swapped out, more than its limit. */
long act_lock_memory(struct probe *p)
{
	const struct rlimit none = {0, 0};
	static char page[8192];

	probe_need(p, "setrlimit", CALL4(SYS_prlimit64, 0, RLIMIT_MEMLOCK, &none, NULL));
	return CALL2(SYS_mlock, page, sizeof(page));
}

/* A pipe larger than users may have. */
long act_large_pipe(struct probe *p)
{
	int fds[2];

	probe_need(p, "pipe", CALL2(SYS_pipe2, fds, O_CLOEXEC));
	return CALL3(SYS_fcntl, fds[0], F_SETPIPE_SZ, 4 << 20);
}
