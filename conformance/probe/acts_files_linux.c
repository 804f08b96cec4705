/* Acts on files of the outer directory: to open, make and remove them. */
#include "conformance/probe/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

/* In openat(2)'s way, without waiting for the other end of a FIFO. */
static long open_outer(struct probe *p, const char *name, int flags)
{
	return CALL4(SYS_openat, AT_FDCWD, probe_path(p->out, name, 0), flags | O_CLOEXEC, 0644);
}

static long open_at(const char *path)
{
	return CALL4(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
}

long act_nothing(struct probe *p)
{
	(void)p;
	return 0;
}

/* --- to read and write -------------------------------------------------------------------------
 */

/* Reads "file", whose text is the secret. */
long act_read_file(struct probe *p)
{
	return probe_read_text(p, open_outer(p, "file", O_RDONLY));
}

/* Writes over the first byte of "file". */
long act_write_file(struct probe *p)
{
	long fd = open_outer(p, "file", O_WRONLY), n;

	if (fd < 0)
		return fd;
	n = CALL3(SYS_write, fd, "!", 1);
	close((int)fd);
	return n;
}

/* The names in "dir". */
long act_list_dir(struct probe *p)
{
	long fd = open_outer(p, "dir", O_RDONLY | O_DIRECTORY), n;
	char entries[1024];

	if (fd < 0)
		return fd;
	n = CALL3(SYS_getdents64, fd, entries, sizeof(entries));
	close((int)fd);
	return n;
}

/* Reads "file" by a symbolic link of the working directory, where all is granted. */
long act_read_by_link(struct probe *p)
{
	const char *link = probe_path(p->in, "alias", 1);

	probe_need(p, "symlink",
		   CALL3(SYS_symlinkat, probe_path(p->out, "file", 0), AT_FDCWD, link));
	return probe_read_text(p, CALL4(SYS_openat, AT_FDCWD, link, O_RDONLY | O_CLOEXEC, 0));
}

/* Reads "file" by a name relative to the working directory, through "..". */
long act_read_by_parent(struct probe *p)
{
	static const char name[] = "../out/file";

	return probe_read_text(p, CALL4(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC, 0));
}

/* From a directory that no way leads up from to the mount that it was opened by. */
long act_read_disconnected(struct probe *p)
{
	return probe_read_text(
		p, CALL4(SYS_openat, p->disconnected, "inner", O_RDONLY | O_CLOEXEC, 0));
}

/* A child reads "file": restrictions are inherited. */
long act_read_in_child(struct probe *p)
{
	long child = probe_fork(), end;

	if (child == 0) {
		p->report->result = act_read_file(p);
		_exit(0);
	}
	end = child < 0 ? child : probe_wait((pid_t)child);
	if (end > 128)
		p->report->signal = (int32_t)(end - 128);
	return end < 0 ? end : (long)p->report->result;
}

/* --- while others change what it is ---
 */

/* So often it may be denied, and tried. */
#define RACE_DENIED 100
#define RACE_TRIES  1000000

/* Two names, of which one leads to the own file and one to that of others, are exchanged all the
 * time: what is asked for and what is opened must be the same. */
static void exchange_for_ever(const char *one, const char *other)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		CALL5(SYS_renameat2, AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE);
}

/* 0 as soon as what was read is not the own file's. */
long act_read_by_race(struct probe *p)
{
	const char *one = probe_path(p->in, "one", 0), *other = probe_path(p->in, "other", 1);
	long child, rc = -ETIMEDOUT, denied = 0;

	probe_need(p, "symlink", CALL3(SYS_symlinkat, "file", AT_FDCWD, one));
	probe_need(p, "symlink",
		   CALL3(SYS_symlinkat, probe_path(p->out, "file", 2), AT_FDCWD, other));
	child = probe_need(p, "fork", probe_fork());
	if (child == 0)
		exchange_for_ever(one, other);
	for (int i = 0; i < RACE_TRIES && rc == -ETIMEDOUT; i++) {
		long n = probe_read_text(p, open_at(one));

		denied += n < 0;
		if (n < 0 && denied >= RACE_DENIED)
			rc = n;
		if (n >= 0 && strcmp(p->report->text, "inside\n") != 0)
			rc = 0;
		if (i % 16 == 0)
			CALL1(SYS_sched_yield, 0);
	}
	CALL2(SYS_kill, child, SIGKILL);
	probe_wait((pid_t)child);
	return rc;
}

/* --- what others open --- */

static int sender = -1;

/* A byte, and room for a descriptor. */
static struct msghdr *make_message(void)
{
	static char byte = '+', room[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	static struct iovec bytes = {&byte, 1};
	static struct msghdr message = {.msg_iov = &bytes,
					.msg_iovlen = 1,
					.msg_control = room,
					.msg_controllen = sizeof(room)};

	return &message;
}

/* Sends a descriptor of "file" to who asks for it. */
static _Noreturn void be_sender(struct probe *p, int to)
{
	struct msghdr *message = make_message();
	struct cmsghdr *part = CMSG_FIRSTHDR(message);
	char byte;
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (CALL3(SYS_read, to, &byte, 1) != 1)
		_exit(1);
	fd = (int)open_outer(p, "file", O_RDONLY);
	*part = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(fd)),
				 .cmsg_level = SOL_SOCKET,
				 .cmsg_type = SCM_RIGHTS};
	memcpy(CMSG_DATA(part), &fd, sizeof(fd));
	CALL3(SYS_sendmsg, to, message, MSG_NOSIGNAL);
	_exit(0);
}

/* A process that is outside of what this one will be in. */
long prepare_sender(struct probe *p)
{
	int ends[2];

	probe_need(p, "socketpair",
		   CALL4(SYS_socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
	if (probe_need(p, "fork", probe_fork()) == 0) {
		close(ends[0]);
		be_sender(p, ends[1]);
	}
	close(ends[1]);
	sender = ends[0];
	return 0;
}

long act_read_received(struct probe *p)
{
	struct msghdr *message = make_message();
	int fd;

	probe_need(p, "ask", CALL3(SYS_write, sender, "+", 1));
	probe_need(p, "recvmsg", CALL3(SYS_recvmsg, sender, message, MSG_CMSG_CLOEXEC));
	if (!CMSG_FIRSTHDR(message))
		return -ENODATA;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(message)), sizeof(fd));
	return probe_read_text(p, fd);
}

/* --- to make and remove ------------------------------------------------------------------------
 */

long act_make_file(struct probe *p)
{
	return probe_close(open_outer(p, "made", O_WRONLY | O_CREAT | O_EXCL));
}

long act_make_dir(struct probe *p)
{
	return CALL3(SYS_mkdirat, AT_FDCWD, probe_path(p->out, "made", 0), 0755);
}

long act_make_symlink(struct probe *p)
{
	return CALL3(SYS_symlinkat, "file", AT_FDCWD, probe_path(p->out, "made", 0));
}

static long make_node(struct probe *p, mode_t kind, dev_t device)
{
	return CALL4(SYS_mknodat, AT_FDCWD, probe_path(p->out, "made", 0), kind | 0600, device);
}

long act_make_fifo(struct probe *p)
{
	return make_node(p, S_IFIFO, 0);
}

/* The device 0, which says in an overlay that there is nothing: the one that all users can make. */
long act_make_char(struct probe *p)
{
	return make_node(p, S_IFCHR, 0);
}

/* A node of a device that there is not; it is not opened. */
long act_make_block(struct probe *p)
{
	return make_node(p, S_IFBLK, 0);
}

/* A socket in a file comes to be when it is bound. */
long act_make_socket(struct probe *p)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	long fd = CALL3(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

	if (fd < 0)
		return fd;
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", probe_path(p->out, "made", 0));
	rc = CALL3(SYS_bind, fd, &at, sizeof(at));
	close((int)fd);
	return rc;
}

long act_remove_file(struct probe *p)
{
	return CALL3(SYS_unlinkat, AT_FDCWD, probe_path(p->out, "file", 0), 0);
}

long act_remove_dir(struct probe *p)
{
	return CALL3(SYS_unlinkat, AT_FDCWD, probe_path(p->out, "empty", 0), AT_REMOVEDIR);
}

/* --- to cut off --------------------------------------------------------------------------------
 */

long act_truncate(struct probe *p)
{
	return CALL2(SYS_truncate, probe_path(p->out, "file", 0), 1);
}

/* By a descriptor that may write. */
long act_truncate_opened(struct probe *p)
{
	long fd = probe_need(p, "open", open_outer(p, "file", O_WRONLY));
	long rc = CALL2(SYS_ftruncate, fd, 1);

	close((int)fd);
	return rc;
}

/* By opening it to read. */
long act_open_truncated(struct probe *p)
{
	return probe_close(open_outer(p, "file", O_RDONLY | O_TRUNC));
}

long act_creat_over(struct probe *p)
{
	return probe_close(CALL2(SYS_creat, probe_path(p->out, "file", 0), 0644));
}

/* --- to control devices ------------------------------------------------------------------------
 */

static long open_terminal(struct probe *p)
{
	return probe_need(p, "open",
			  CALL4(SYS_openat, AT_FDCWD, "/dev/tty", O_RDWR | O_CLOEXEC, 0));
}

/* Asks the controlling terminal, which it opens itself, for its modes. */
long act_ioctl_device(struct probe *p)
{
	struct termios modes;
	long fd = open_terminal(p), rc = CALL3(SYS_ioctl, fd, TCGETS, &modes);

	close((int)fd);
	return rc;
}

/* Asks the same of what was open before. */
long act_ioctl_inherited(struct probe *p)
{
	struct termios modes;

	(void)p;
	return CALL3(SYS_ioctl, 0, TCGETS, &modes);
}

/* What concerns the descriptor alone. */
long act_ioctl_descriptor(struct probe *p)
{
	long fd = open_terminal(p), rc = CALL3(SYS_ioctl, fd, FIOCLEX, 0);

	close((int)fd);
	return rc;
}
