/* Acts on what processes share by numbers and names that are no files. What is made is private, or
 * removed again. */
#include "conformance/probe/probe.h"

#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <unistd.h>

long act_sysv_memory(struct probe *p)
{
	long id = CALL3(SYS_shmget, IPC_PRIVATE, 4096, IPC_CREAT | 0600);

	(void)p;
	if (id >= 0)
		CALL3(SYS_shmctl, id, IPC_RMID, NULL);
	return id;
}

long act_sysv_semaphore(struct probe *p)
{
	long id = CALL3(SYS_semget, IPC_PRIVATE, 1, IPC_CREAT | 0600);

	(void)p;
	if (id >= 0)
		CALL4(SYS_semctl, id, 0, IPC_RMID, 0);
	return id;
}

long act_sysv_queue(struct probe *p)
{
	long id = CALL2(SYS_msgget, IPC_PRIVATE, IPC_CREAT | 0600);

	(void)p;
	if (id >= 0)
		CALL3(SYS_msgctl, id, IPC_RMID, NULL);
	return id;
}

long act_posix_queue(struct probe *p)
{
	struct mq_attr attr = {.mq_maxmsg = 1, .mq_msgsize = 1};
	char name[PROBE_NONCE_SIZE + 16];
	long fd;

	snprintf(name, sizeof(name), "sandtape-%s", p->nonce);
	fd = CALL4(SYS_mq_open, name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
	if (fd >= 0) {
		close((int)fd);
		CALL1(SYS_mq_unlink, name);
	}
	return fd;
}

/* Memory of nobody: its owner's capability alone opens it. */
long act_sysv_others(struct probe *p)
{
	long id = probe_need(p, "shmget", CALL3(SYS_shmget, IPC_PRIVATE, 4096, IPC_CREAT | 0)), at;

	at = CALL3(SYS_shmat, id, NULL, 0);
	CALL3(SYS_shmctl, id, IPC_RMID, NULL);
	return at < 0 && at > -4096 ? at : 0;
}
