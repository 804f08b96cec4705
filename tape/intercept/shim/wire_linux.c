#include "tape/intercept/shim/wire.h"

#include "tape/intercept/shim/fds.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
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

static int send_text(int sock, const struct wire_ask *ask, const int *fds, size_t count,
		     const char *text, size_t len)
{
	struct iovec io[2] = {{(void *)ask, sizeof(*ask)}, {(void *)text, len}};
	union fds_room room = {.bytes = {0}};
	struct msghdr message = {.msg_iov = io, .msg_iovlen = 2};
	ssize_t n;

	fds_put(&message, &room, fds, count);
	do {
		n = sendmsg(sock, &message, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int wire_send(int sock, const struct wire_ask *ask, const int *fds, size_t count)
{
	return send_text(sock, ask, fds, count, "", 0);
}

/* How many descriptors the reply comes with. */
static size_t wanted_fds(const struct wire_reply *reply)
{
	size_t count = reply->kind == WIRE_ROOM;

	for (uint32_t i = 0; i < reply->place_count && i < WIRE_PLACES; i++)
		count += reply->place[i].same_as < 0;
	return count;
}

/* Where this process may have no more of them, the kernel has thrown some away. */
static int take_fds(struct msghdr *message, const struct wire_reply *reply, int ret_fds[WIRE_FDS],
		    size_t *ret_count)
{
	size_t count = fds_take(message, ret_fds);

	if (reply->place_count > WIRE_PLACES || count != wanted_fds(reply)) {
		for (size_t i = 0; i < count; i++)
			close(ret_fds[i]);
		return -EMFILE;
	}
	for (size_t i = 0; i < count; i++)
		ret_fds[i] = wire_high_fd(ret_fds[i]);
	*ret_count = count;
	return 0;
}

int wire_receive(int sock, struct wire_reply *ret, int ret_fds[WIRE_FDS], size_t *ret_count)
{
	struct wire_reply reply;
	struct iovec io = {&reply, sizeof(reply)};
	union fds_room room = {.bytes = {0}};
	struct msghdr message = {.msg_iov = &io, .msg_iovlen = 1};
	ssize_t n;
	int r;

	fds_expect(&message, &room);
	do {
		n = recvmsg(sock, &message, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n != sizeof(reply))
		return n < 0 ? -errno : -ECONNRESET;
	r = take_fds(&message, &reply, ret_fds, ret_count);
	if (r == 0)
		*ret = reply;
	return r;
}

/* Text on its way to the server, in pieces. No file: the program may have a limit for those. */
struct text {
	int sock;
	int error;
	size_t used;
	char room[WIRE_PIECE];
};

static void flush(struct text *t)
{
	const struct wire_ask piece = {.kind = WIRE_TEXT};

	if (t->error == 0)
		t->error = send_text(t->sock, &piece, NULL, 0, t->room, t->used);
	t->used = 0;
}

static void add(struct text *t, const char *string)
{
	size_t left = strlen(string) + 1;

	while (left > 0) {
		size_t part = sizeof(t->room) - t->used;

		if (part == 0) {
			flush(t);
			continue;
		}
		if (part > left)
			part = left;
		memcpy(t->room + t->used, string, part);
		t->used += part;
		string += part;
		left -= part;
	}
}

static uint32_t add_all(struct text *t, char *const *list)
{
	uint32_t count = 0;

	for (; list && *list; list++, count++)
		add(t, *list);
	return count;
}

static int send_exec(int sock, const struct wire_program *program, struct wire_ask *ask,
		     const int *fds, size_t count)
{
	struct text text = {.sock = sock};
	char cwd[PATH_MAX];
	/* The system call, since what getcwd(3) does when it fails takes memory. */
	long n = syscall(SYS_getcwd, cwd, sizeof(cwd));

	add(&text, program->named);
	add(&text, n > 0 && cwd[0] == '/' ? cwd : "");
	ask->argc = add_all(&text, program->argv);
	ask->envc = add_all(&text, program->env);
	if (text.error < 0)
		return text.error;
	return send_text(sock, ask, fds, count, text.room, text.used);
}

int wire_ask_exec(int sock, const struct wire_program *program, int known_errno, uint64_t token,
		  struct wire_reply *ret, int ret_fds[WIRE_FDS], size_t *ret_count)
{
	struct wire_ask ask = {.kind = WIRE_EXEC, .number = known_errno, .token = token};
	int fds[WIRE_FDS];
	size_t count = 0;
	int r;

	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) < 0)
			continue;
		ask.open |= 1u << fd;
		fds[count++] = fd;
	}
	r = send_exec(sock, program, &ask, fds, count);
	return r < 0 ? r : wire_receive(sock, ret, ret_fds, ret_count);
}

void wire_set_aside(struct wire_aside *ret)
{
	struct rlimit raised;
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &ret->mask);
	getrlimit(RLIMIT_NOFILE, &ret->nofile);
	raised = ret->nofile;
	raised.rlim_cur = raised.rlim_max;
	setrlimit(RLIMIT_NOFILE, &raised); /* without it, what is short is met later, and told */
}

void wire_put_back(const struct wire_aside *aside)
{
	setrlimit(RLIMIT_NOFILE, &aside->nofile); /* lowering it back cannot fail */
	sigprocmask(SIG_SETMASK, &aside->mask, NULL);
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
