#include "tape/streams.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

enum stream_kind stream_kind_of(const struct stat *st)
{
	switch (st->st_mode & S_IFMT) {
	case S_IFIFO:
		return STREAM_PIPE;
	case S_IFSOCK:
		return STREAM_SOCKET;
	case S_IFREG:
		return STREAM_FILE;
	case S_IFCHR:
		break;
	default:
		return STREAM_OTHER;
	}
	if (st->st_rdev == makedev(1, 3))
		return STREAM_NULL;
	/* ttys: major 4 and 5, and the slaves of pseudo-terminals (Documentation/admin-guide/
	 * devices.txt) */
	if (major(st->st_rdev) == 4 || major(st->st_rdev) == 5 ||
	    (major(st->st_rdev) >= 136 && major(st->st_rdev) <= 143))
		return STREAM_TTY;
	return STREAM_OTHER;
}

/* Whether it is one of sandtape's own descriptors from `first` to stderr. */
static bool is_own(const struct stat *st, int first)
{
	for (int fd = first; fd <= 2; fd++) {
		struct stat own;

		if (fstat(fd, &own) == 0 && own.st_dev == st->st_dev && own.st_ino == st->st_ino &&
		    own.st_rdev == st->st_rdev)
			return true;
	}
	return false;
}

bool stream_is_our_output(const struct stat *st)
{
	return is_own(st, 1);
}

bool stream_is_our_terminal(const struct stat *st)
{
	return is_own(st, 0);
}

static bool is_open_file(int a, int b)
{
	pid_t self = getpid();

	return syscall(SYS_kcmp, self, self, KCMP_FILE, a, b) == 0;
}

bool stream_appends(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && (flags & O_APPEND);
}

bool stream_has_packets(int fd)
{
	int type = 0;
	socklen_t len = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type != SOCK_STREAM;
}

bool stream_is_connected(int fd)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);

	return getpeername(fd, (struct sockaddr *)&peer, &len) == 0;
}

bool stream_same_file(int a, int b)
{
	struct stat sa;
	struct stat sb;

	if (is_open_file(a, b))
		return true;
	if (fstat(a, &sa) < 0 || fstat(b, &sb) < 0 || sa.st_dev != sb.st_dev ||
	    sa.st_ino != sb.st_ino)
		return false;
	return S_ISFIFO(sa.st_mode) ||
	       (S_ISREG(sa.st_mode) && stream_appends(a) && stream_appends(b));
}

off_t stream_position(int fd, bool is_input)
{
	struct stat st;

	if (!is_input && stream_appends(fd) && fstat(fd, &st) == 0)
		return st.st_size;
	return lseek(fd, 0, SEEK_CUR);
}

ssize_t stream_write_some(int fd, enum stream_kind kind, const char *bytes, size_t len)
{
	struct iovec io = {(void *)bytes, len};
	struct pollfd ready = {fd, POLLOUT, 0};
	ssize_t n;

	if (kind == STREAM_SOCKET)
		return send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (kind == STREAM_FILE || kind == STREAM_NULL)
		return write(fd, bytes, len);
	n = pwritev2(fd, &io, 1, -1, RWF_NOWAIT);
	if (n >= 0 || errno != EOPNOTSUPP)
		return n;
	/* Before Linux 6.4 pipes do not know RWF_NOWAIT, and O_NONBLOCK would be shared with the
	 * subject. A pipe that polls writable takes PIPE_BUF. */
	if (poll(&ready, 1, 0) <= 0) {
		errno = EAGAIN;
		return -1;
	}
	return write(fd, bytes, len < PIPE_BUF ? len : PIPE_BUF);
}

/* struct termios and termios2 of the kernel, which are not those of the C library (TCSETS(2const)).
 * The requests of each are consecutive: now, drain, flush. */
#define TERMIOS_SIZE  36
#define TERMIOS2_SIZE 44
#define TCSETS2_      0x402c542b

bool terminal_request(const struct mode *mode, int *ret_request)
{
	if (mode->termios.len == TERMIOS_SIZE)
		*ret_request = TCSETS + (int)mode->when;
	else if (mode->termios.len == TERMIOS2_SIZE)
		*ret_request = TCSETS2_ + (int)mode->when;
	else
		return false;
	return true;
}

bool terminal_mode_of(uint64_t request, enum mode_when *ret_when, size_t *ret_size)
{
	uint64_t first = request >= TCSETS2_ ? TCSETS2_ : TCSETS;

	if (request < first || request > first + MODE_FLUSH)
		return false;
	*ret_when = (enum mode_when)(request - first);
	*ret_size = first == TCSETS ? TERMIOS_SIZE : TERMIOS2_SIZE;
	return true;
}
