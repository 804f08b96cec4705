/*
 * The shim ends when sandtape does, whatever it does then: it may be stopped, or wait for a signal,
 * a reader or stdin, and would wait for ever. The server has a FIFO open; when that loses its last
 * writer, the kernel sends what F_SETSIG has asked for to who has it open for reading.
 */
#include "tape/intercept/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

int shim_live_with(const char *dir)
{
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", dir, WIRE_LIFE) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	fd = wire_high_fd(fd);
	if (fcntl(fd, F_SETSIG, SIGKILL) < 0 || fcntl(fd, F_SETOWN, getpid()) < 0 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK | O_ASYNC) < 0)
		return -errno;
	return fd;
}
