/* A call leaves its arguments in their registers, and compilers know that. */
#include "tape/intercept/subjects_test.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static char text[1000000];

static pid_t reader_and_another(const int to[2])
{
	pid_t pid = fork();

	if (pid == 0) {
		close(to[1]);
		poll(NULL, 0, 150);
		while (read(to[0], text, sizeof(text)) > 0)
			;
		_exit(0);
	}
	if (fork() == 0) {
		poll(NULL, 0, 30);
		_exit(0);
	}
	return pid;
}

int registers_stay(void)
{
	register long flags __asm__("r10") = 4;
	register long address __asm__("r8") = 5;
	register long length __asm__("r9") = 6;
	const char *from = text;
	long size = sizeof(text);
	int to[2];
	long n = SYS_write;
	long fd;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, to) < 0)
		return BROKEN;
	pid = reader_and_another(to);
	close(to[0]);
	fd = to[1];
	flags = 4;
	address = 5;
	length = 6;
	__asm__ volatile("syscall"
			 : "+a"(n), "+D"(fd), "+S"(from), "+d"(size), "+r"(flags), "+r"(address),
			   "+r"(length)
			 :
			 : "rcx", "r11", "memory");
	if (n != (long)sizeof(text) || fd != to[1] || from != text || size != n || flags != 4 ||
	    address != 5 || length != 6)
		return 1;
	close(to[1]);
	return exit_code_of(pid);
}
