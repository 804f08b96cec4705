/* Acts by which a program gets privileges that whoever executes it has not; and files that are left
 * behind for that. */
#include "conformance/probe/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* The exit status of a child that could not execute it: this and the errno. */
#define EXEC_FAILED 64

int probe_gains(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};

	CALL2(SYS_capget, &header, data);
	return (getuid() != geteuid() ? GAINS_USER : 0) |
	       (getgid() != getegid() ? GAINS_GROUP : 0) |
	       (data[0].permitted || data[1].permitted ? GAINS_CAPABILITIES : 0);
}

/* In a child; the bits of what it has gained, or -EPERM when that is none of `wanted`. */
static long gain(struct probe *p, const char *program, int wanted)
{
	char *const argv[] = {(char *)program, (char *)"gains", NULL}, *const none[] = {NULL};
	long child = probe_need(p, "fork", probe_fork()), end;

	if (child == 0) {
		long rc = CALL3(SYS_execve, program, argv, none);

		_exit((int)(EXEC_FAILED - rc));
	}
	end = probe_wait((pid_t)child);
	if (end < 0)
		return end;
	if (end > EXEC_FAILED)
		return EXEC_FAILED - end;
	return (end & wanted) ? 0 : -EPERM;
}

/* A helper of another user, whose rights it has then. */
long act_exec_setuid(struct probe *p)
{
	return gain(p, probe_path(p->in, "helper", 0), GAINS_USER);
}

long act_exec_setgid(struct probe *p)
{
	return gain(p, probe_path(p->in, "helper", 0), GAINS_GROUP);
}

/* Root that has dropped all capabilities has them again in the next program. */
long act_exec_as_root(struct probe *p)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {{0}};

	probe_need(p, "capset", CALL2(SYS_capset, &header, none));
	return gain(p, probe_path(p->in, "probe", 0), GAINS_CAPABILITIES);
}

/* --- left behind for others --------------------------------------------------------------------
 */

long act_chmod_setuid(struct probe *p)
{
	return CALL3(SYS_fchmodat, AT_FDCWD, probe_path(p->out, "file", 0), S_ISUID | 0755);
}

long act_fchmod_setuid(struct probe *p)
{
	long fd = probe_need(p, "open",
			     CALL4(SYS_openat, AT_FDCWD, probe_path(p->in, "file", 0),
				   O_RDONLY | O_CLOEXEC, 0)),
	     rc;

	rc = CALL2(SYS_fchmod, fd, S_ISUID | 0755);
	close((int)fd);
	return rc;
}

long act_open_setuid(struct probe *p)
{
	long fd = CALL4(SYS_openat, AT_FDCWD, probe_path(p->in, "setuid", 0),
			O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_ISUID | 0755);

	if (fd >= 0)
		close((int)fd);
	return fd;
}

long act_mknod_setuid(struct probe *p)
{
	return CALL4(SYS_mknodat, AT_FDCWD, probe_path(p->in, "setuid", 0),
		     S_IFREG | S_ISUID | 0755, 0);
}

/* --- of too many ---
 */

/* A user that nobody else is. */
#define MANY_ID 65533
#define MANY	2

static void become_many(struct probe *p)
{
	probe_need(p, "setresuid", CALL3(SYS_setresuid, MANY_ID, MANY_ID, MANY_ID));
}

/* A process of that user, which is one when this returns. */
static long start_one(struct probe *p, const int said[2])
{
	long child = probe_need(p, "fork", probe_fork());
	char byte = '+';

	if (child == 0) {
		become_many(p);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		CALL3(SYS_write, said[1], &byte, 1);
		for (;;)
			pause();
	}
	probe_need(p, "read", CALL3(SYS_read, said[0], &byte, 1));
	return child;
}

/* Becomes a user that has too many processes already, which setresuid(2) does not refuse. */
long act_exec_as_many(struct probe *p)
{
	char *const argv[] = {(char *)"probe", (char *)"hello", NULL}, *const none[] = {NULL};
	long others[MANY], child, end;
	int said[2];

	probe_need(p, "pipe2", CALL2(SYS_pipe2, said, O_CLOEXEC));
	for (int i = 0; i < MANY; i++)
		others[i] = start_one(p, said);
	child = probe_need(p, "fork", probe_fork());
	if (child == 0) {
		become_many(p);
		_exit((int)(EXEC_FAILED -
			    CALL3(SYS_execve, probe_path(p->in, "probe", 0), argv, none)));
	}
	end = probe_wait((pid_t)child);
	for (int i = 0; i < MANY; i++) {
		CALL2(SYS_kill, others[i], SIGKILL);
		probe_wait((pid_t)others[i]);
	}
	return end > EXEC_FAILED ? EXEC_FAILED - end : end;
}
