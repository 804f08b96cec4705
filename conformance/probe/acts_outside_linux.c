/* Acts on what is of the whole host, or of another user. */
#include "conformance/probe/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/utsname.h>
#include <unistd.h>

/* --- what is shared by numbers and names -------------------------------------------------------
 */

/* A segment of the System V IPC, by its number. */
long act_attach_memory(struct probe *p)
{
	long at;

	if (p->shared_memory < 0)
		probe_unprepared(p, "segment", -ENOENT);
	at = CALL3(SYS_shmat, p->shared_memory, NULL, SHM_RDONLY);
	if (at < 0 && at > -4096)
		return at;
	snprintf(p->report->text, sizeof(p->report->text), "%s", (const char *)at);
	return 0;
}

/* By its key. */
long act_find_memory(struct probe *p)
{
	(void)p;
	return CALL3(SYS_shmget, PROBE_IPC_KEY, 0, 0);
}

long act_read_semaphore(struct probe *p)
{
	return CALL4(SYS_semctl, p->semaphores, 0, GETVAL, 0);
}

long act_take_message(struct probe *p)
{
	struct {
		long type;
		char text[PROBE_TEXT_SIZE];
	} message;
	long n = CALL5(SYS_msgrcv, p->queue, &message, sizeof(message.text), 0, IPC_NOWAIT);

	if (n > 0)
		snprintf(p->report->text, sizeof(p->report->text), "%.*s", (int)n, message.text);
	return n;
}

/* Of a queue of POSIX, which has a name, and waits in no file system that is mounted. */
long act_read_queue(struct probe *p)
{
	const int flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC;
	long fd = CALL4(SYS_mq_open, p->nonce, flags, 0, NULL), n;

	if (fd < 0)
		return fd;
	n = probe_need(p, "receive",
		       CALL5(SYS_mq_timedreceive, fd, p->report->text, sizeof(p->report->text) - 1,
			     NULL, NULL));
	close((int)fd);
	return n;
}

/* --- names, users and groups -------------------------------------------------------------------
 */

/* A line of the file is "4:memory:/path". There is no errno for what it does not say: that one of
 * the paths is not "/". */
long act_see_group_path(struct probe *p)
{
	char lines[4096];
	long fd = probe_need(p, "open",
			     CALL4(SYS_openat, AT_FDCWD, "/proc/self/cgroup", O_RDONLY, 0));
	long n = probe_need(p, "read", CALL3(SYS_read, fd, lines, sizeof(lines) - 1));

	close((int)fd);
	lines[n] = '\0';
	for (const char *at = lines; (at = strstr(at, ":/")); at++)
		if (at[2] && at[2] != '\n')
			return 0;
	return -ENODATA;
}

/* Somebody outside changes the name of the host, to the secret. */
long act_see_host_name(struct probe *p)
{
	const char *secret = getenv(PROBE_VARIABLE);
	long child = probe_need(p, "fork", probe_fork()), rc;
	struct utsname names;

	if (child == 0) {
		rc = CALL2(SYS_setns, p->names, CLONE_NEWUTS);
		if (rc == 0)
			rc = CALL2(SYS_sethostname, secret ? secret : "-",
				   secret ? strlen(secret) : 1);
		_exit((int)-rc);
	}
	probe_need(p, "sethostname", -probe_wait((pid_t)child));
	rc = CALL1(SYS_uname, &names);
	if (rc == 0)
		snprintf(p->report->text, sizeof(p->report->text), "%s", names.nodename);
	return rc;
}

long act_join_group(struct probe *p)
{
	const gid_t group = getgid();

	(void)p;
	return CALL2(SYS_setgroups, 1, &group);
}
