#include "tape/intercept/shim/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define HIGH_FD 200

int wire_high_fd(int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);

	if (high < 0) /* the limit of descriptors is low */
		high = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (high < 0)
		return fd;
	close(fd);
	return high;
}

/* strcpy and its like, with the end of `into` in mind; 0 when it does not fit. */
static size_t join(char *into, size_t size, const char *dir, const char *name)
{
	size_t dir_len = strlen(dir);
	size_t name_len = strlen(name);

	if (dir_len + 1 + name_len + 1 > size)
		return 0;
	memcpy(into, dir, dir_len);
	into[dir_len] = '/';
	memcpy(into + dir_len + 1, name, name_len + 1);
	return dir_len + 1 + name_len;
}

int wire_connect(const char *dir)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int sock;
	int r;

	if (join(address.sun_path, sizeof(address.sun_path), dir, WIRE_SOCKET) == 0)
		return -ENAMETOOLONG;
	sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return -errno;
	sock = wire_high_fd(sock);
	do {
		r = connect(sock, (const struct sockaddr *)&address, sizeof(address));
	} while (r < 0 && errno == EINTR);
	if (r < 0) {
		r = -errno;
		close(sock);
		return r;
	}
	return sock;
}

union fd_message {
	struct cmsghdr header;
	char room[CMSG_SPACE(WIRE_FDS * sizeof(int))];
};

int wire_send(int sock, const struct wire_ask *ask, const int *fds, size_t count)
{
	struct iovec io = {(void *)ask, sizeof(*ask)};
	union fd_message control = {.room = {0}};
	struct msghdr message = {.msg_iov = &io, .msg_iovlen = 1};
	ssize_t n;

	if (count > 0) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
	}
	do {
		n = sendmsg(sock, &message, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int wire_receive(int sock, struct wire_reply *ret, int ret_fds[WIRE_FDS], size_t *ret_count)
{
	struct iovec io = {ret, sizeof(*ret)};
	union fd_message control = {.room = {0}};
	struct msghdr message = {.msg_iov = &io,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	const struct cmsghdr *rights;
	ssize_t n;

	do {
		n = recvmsg(sock, &message, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n != sizeof(*ret))
		return n < 0 ? -errno : -ECONNRESET;
	rights = CMSG_FIRSTHDR(&message);
	*ret_count = 0;
	if (rights && rights->cmsg_type == SCM_RIGHTS) {
		*ret_count = (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(ret_fds, CMSG_DATA(rights), *ret_count * sizeof(int));
		for (size_t i = 0; i < *ret_count; i++)
			ret_fds[i] = wire_high_fd(ret_fds[i]);
	}
	return 0;
}

/* Text on its way to a file, in pieces. */
struct text {
	int fd;
	int error;
	size_t used;
	char room[4096];
};

static void flush(struct text *t)
{
	size_t done = 0;

	while (done < t->used && t->error == 0) {
		ssize_t n = write(t->fd, t->room + done, t->used - done);

		if (n > 0)
			done += (size_t)n;
		else if (errno != EINTR)
			t->error = -errno;
	}
	t->used = 0;
}

static void add(struct text *t, const char *string)
{
	size_t left = strlen(string) + 1;

	while (left > 0) {
		size_t part = sizeof(t->room) - t->used;

		if (part > left)
			part = left;
		memcpy(t->room + t->used, string, part);
		t->used += part;
		string += part;
		left -= part;
		if (t->used == sizeof(t->room))
			flush(t);
	}
}

static uint32_t add_all(struct text *t, char *const *list)
{
	uint32_t count = 0;

	for (; list && *list; list++, count++)
		add(t, *list);
	return count;
}

static int write_text(const struct wire_program *program, struct wire_ask *ask)
{
	struct text text = {.fd = memfd_create("sandtape-exec", MFD_CLOEXEC)};
	char cwd[PATH_MAX];
	long n;

	if (text.fd < 0)
		return -errno;
	text.fd = wire_high_fd(text.fd);
	/* The system call, since what getcwd(3) does when it fails takes memory. */
	n = syscall(SYS_getcwd, cwd, sizeof(cwd));
	add(&text, program->named);
	add(&text, n > 0 && cwd[0] == '/' ? cwd : "");
	ask->argc = add_all(&text, program->argv);
	ask->envc = add_all(&text, program->env);
	flush(&text);
	if (text.error == 0)
		return text.fd;
	close(text.fd);
	return text.error;
}

int wire_ask_exec(int sock, const struct wire_program *program, int known_errno, uint64_t token,
		  struct wire_reply *ret, int ret_fds[WIRE_FDS], size_t *ret_count)
{
	struct wire_ask ask = {.kind = WIRE_EXEC, .number = known_errno, .token = token};
	int fds[WIRE_FDS];
	size_t count = 1;
	int r;

	fds[0] = write_text(program, &ask);
	if (fds[0] < 0)
		return fds[0];
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) < 0)
			continue;
		ask.open |= 1u << fd;
		fds[count++] = fd;
	}
	r = wire_send(sock, &ask, fds, count);
	close(fds[0]);
	return r < 0 ? r : wire_receive(sock, ret, ret_fds, ret_count);
}

int wire_execute(const struct wire_program *program)
{
	if (program->dirfd == AT_FDCWD && program->flags == 0)
		syscall(SYS_execve, program->path, program->argv, program->env);
	else
		syscall(SYS_execveat, program->dirfd, program->path, program->argv, program->env,
			program->flags);
	return -errno;
}

const char *wire_env(char *const *env, const char *name)
{
	size_t len = strlen(name);

	for (; env && *env; env++) {
		if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
			return *env + len + 1;
	}
	return NULL;
}
