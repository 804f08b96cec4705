/* The exec family of the C library (exec(3), fexecve(3), execveat(2)), in the subject. */
#include "tape/intercept/preload/preload.h"

#include <alloca.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

PRELOAD_API int execve(const char *path, char *const argv[], char *const env[])
{
	return preload_execute_path(path, argv, env);
}

PRELOAD_API int execv(const char *path, char *const argv[])
{
	return preload_execute_path(path, argv, environ);
}

PRELOAD_API int execvpe(const char *file, char *const argv[], char *const env[])
{
	return preload_execute_search(file, argv, env);
}

PRELOAD_API int execvp(const char *file, char *const argv[])
{
	return preload_execute_search(file, argv, environ);
}

/* The headers say that these pointers are not NULL, and the kernel says EFAULT. */
static bool is_null(const char *pointer)
{
	return !pointer;
}

static size_t count_arguments(va_list args)
{
	size_t count = 0;

	while (va_arg(args, char *))
		count++;
	return count;
}

static void list_arguments(char **into, const char *first, va_list args)
{
	*into = (char *)first;
	while (*into++)
		*into = va_arg(args, char *);
}

/* In the frame of the caller: room for a list does not outlive the function that takes it. */
#define LIST_ARGUMENTS(list, first)                                                                \
	do {                                                                                       \
		size_t count;                                                                      \
		va_start(args, first);                                                             \
		count = is_null(first) ? 0 : count_arguments(args);                                \
		va_end(args);                                                                      \
		(list) = alloca((count + 2) * sizeof(*(list)));                                    \
		va_start(args, first);                                                             \
		list_arguments(list, first, args);                                                 \
	} while (0)

PRELOAD_API int execl(const char *path, const char *first, ...)
{
	va_list args;
	char **argv;

	LIST_ARGUMENTS(argv, first);
	va_end(args);
	return preload_execute_path(path, argv, environ);
}

PRELOAD_API int execlp(const char *file, const char *first, ...)
{
	va_list args;
	char **argv;

	LIST_ARGUMENTS(argv, first);
	va_end(args);
	return preload_execute_search(file, argv, environ);
}

PRELOAD_API int execle(const char *path, const char *first, ...)
{
	char *const *env;
	va_list args;
	char **argv;

	LIST_ARGUMENTS(argv, first);
	env = va_arg(args, char *const *);
	va_end(args);
	return preload_execute_path(path, argv, env);
}

/* The name of what a descriptor leads to, and behind it the path. */
static int name_of(int dirfd, const char *path, char ret_name[PATH_MAX])
{
	char link[64];
	ssize_t n;

	if (dirfd == AT_FDCWD || path[0] == '/') {
		snprintf(ret_name, PATH_MAX, "%s", path);
		return 0;
	}
	snprintf(link, sizeof(link), "/proc/self/fd/%d", dirfd);
	n = readlink(link, ret_name, PATH_MAX - 1);
	if (n < 0)
		return -1;
	ret_name[n] = '\0';
	if (path[0] && (size_t)n + 1 + strlen(path) < PATH_MAX)
		stpcpy(stpcpy(ret_name + n, "/"), path);
	return 0;
}

PRELOAD_API int execveat(int dirfd, const char *path, char *const argv[], char *const env[],
			 int flags)
{
	char name[PATH_MAX];
	const struct wire_program program = {dirfd, flags, path, name, argv, env};

	if (is_null(path) || name_of(dirfd, path, name) < 0) {
		errno = is_null(path) ? EFAULT : EBADF;
		return -1;
	}
	return preload_execute(&program);
}

PRELOAD_API int fexecve(int fd, char *const argv[], char *const env[])
{
	return execveat(fd, "", argv, env, AT_EMPTY_PATH);
}
