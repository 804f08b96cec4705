/* How a program and its observer meet: each sends a byte. */
#include "sandbox/observed.h"

#include "base/cleanup.h"
#include "sandbox/kernel.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

union credentials {
	char bytes[CMSG_SPACE(sizeof(struct ucred))];
	struct cmsghdr align;
};

/* --- the program's process ---------------------------------------------------------------------
 */

/* The kernel translates the number of the process into that which the receiver knows, also out of a
 * pid namespace. It is sent, since the receiver may not have asked for it yet. */
static int introduce(int socket, const struct filter *policys)
{
	const struct ucred self = {getpid(), getuid(), getgid()};
	union credentials control = {.bytes = {0}};
	char byte = 0;
	struct iovec parts[2] = {{&byte, 1},
				 {policys->code, policys->len * sizeof(*policys->code)}};
	struct msghdr message = {
		.msg_iov = parts,
		.msg_iovlen = 2,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&message);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_CREDENTIALS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(self));
	memcpy(CMSG_DATA(cmsg), &self, sizeof(self));
	return (int)kernel_call(SYS_sendmsg, socket, (long)&message, MSG_NOSIGNAL);
}

static int await_answer(int socket)
{
	char byte;
	long n = kernel_call(SYS_read, socket, (long)&byte, 1);

	if (n == 0)
		return -EPIPE;
	return n < 0 ? (int)n : 0;
}

/* What may not be looked into may not be traced. Nobody is there yet who should not look. */
int observed_meet(int socket, const struct filter *policys, bool hidden)
{
	int rc = hidden ? (int)kernel_call(SYS_prctl, PR_SET_DUMPABLE, 1, 0) : 0;

	if (rc >= 0)
		rc = introduce(socket, policys);
	if (rc >= 0)
		rc = await_answer(socket);
	if (hidden)
		kernel_call(SYS_prctl, PR_SET_DUMPABLE, 0, 0);
	return rc < 0 ? rc : 0;
}

/* --- the observer ------------------------------------------------------------------------------
 */

static pid_t sender_of(struct msghdr *message)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(message);
	struct ucred sender;

	if (!cmsg || cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_CREDENTIALS)
		return 0;
	memcpy(&sender, CMSG_DATA(cmsg), sizeof(sender));
	return sender.pid;
}

static int receive(int socket, pid_t *ret_pid, struct filter *ret, struct error *err)
{
	cleanup_free struct sock_filter *code = malloc(BPF_MAXINSNS * sizeof(*code));
	union credentials control;
	char byte;
	struct iovec parts[2] = {{&byte, 1}, {code, BPF_MAXINSNS * sizeof(*code)}};
	struct msghdr message = {
		.msg_iov = parts,
		.msg_iovlen = 2,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t n = code ? recvmsg(socket, &message, MSG_CMSG_CLOEXEC) : 0;

	if (!code)
		return error_no_memory(err);
	if (n < 0)
		return error_sys(err, errno, "cannot hear of the program that is to be observed");
	if (n == 0)
		return error_set(err, ERR_NOTFOUND, "no program was started");
	ret->len = (unsigned short)((size_t)(n - 1) / sizeof(*code));
	ret->code = steal_ptr(&code);
	*ret_pid = sender_of(&message);
	return *ret_pid > 0 ? 0
			    : error_set(err, ERR_INVALID,
					"a program is to be observed that this process does not "
					"see: it is in another pid namespace");
}

/* A runner that has ended may have left a word. */
int observed_await(int socket, int runner, pid_t *ret_pid, struct filter *ret, struct error *err)
{
	struct pollfd fd[2] = {{.fd = socket, .events = POLLIN}, {.fd = runner, .events = POLLIN}};
	const int on = 1;

	if (setsockopt(socket, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
		return error_sys(err, errno, "cannot ask who is to be observed");
	while (poll(fd, 2, -1) < 0)
		if (errno != EINTR)
			return error_sys(err, errno, "cannot wait for the program");
	return fd[0].revents ? receive(socket, ret_pid, ret, err)
			     : error_set(err, ERR_NOTFOUND, "no program was started");
}

int observed_answer(int socket, struct error *err)
{
	char byte = 0;

	return send(socket, &byte, 1, MSG_NOSIGNAL) == 1
		       ? 0
		       : error_sys(err, errno, "cannot let the program go on");
}
