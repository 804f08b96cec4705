/* Acts on the terminal of whoever started it. */
#include "conformance/probe/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#ifndef TIOCLINUX
#define TIOCLINUX 0x541C
#endif

static long on_terminal(unsigned long request, const void *argument)
{
	long fd = CALL4(SYS_openat, AT_FDCWD, "/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC, 0), rc;

	if (fd < 0)
		return fd;
	rc = CALL3(SYS_ioctl, fd, request, argument);
	close((int)fd);
	return rc;
}

/* Types a letter, which the shell of the user then reads. */
long act_tty_type(struct probe *p)
{
	(void)p;
	return on_terminal(TIOCSTI, "+");
}

/* Asks the console for its shift state; who can, can have it paste, too. What is no console says
 * ENOTTY. */
long act_tty_paste(struct probe *p)
{
	const char shift_state = 6;
	long rc = on_terminal(TIOCLINUX, &shift_state);

	(void)p;
	return rc == -ENOTTY ? 0 : rc;
}

/* Writes to it, although no stream of it is one. */
long act_tty_write(struct probe *p)
{
	long fd = CALL4(SYS_openat, AT_FDCWD, "/dev/tty", O_WRONLY | O_NOCTTY | O_CLOEXEC, 0), n;

	(void)p;
	if (fd < 0)
		return fd;
	n = CALL3(SYS_write, fd, "+", 1);
	close((int)fd);
	return n;
}

/* Its size: all programs on it are told. */
long act_tty_resize(struct probe *p)
{
	const struct winsize size = {.ws_row = 7, .ws_col = 7};

	(void)p;
	return on_terminal(TIOCSWINSZ, &size);
}

/* How it behaves; here as it does. */
long act_tty_settings(struct probe *p)
{
	struct termios settings = {0};
	long rc = on_terminal(TCGETS, &settings);

	(void)p;
	return rc < 0 ? rc : on_terminal(TCSETS, &settings);
}

/* Who is in the foreground; here whoever is. */
long act_tty_foreground(struct probe *p)
{
	int group = 0;
	long rc = on_terminal(TIOCGPGRP, &group);

	(void)p;
	return rc < 0 ? rc : on_terminal(TIOCSPGRP, &group);
}
