/* Where a program is: the rules of execvp(3), without its search in the child. */
#include "sandbox/child.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What execvp(3) has without a PATH. */
#define DEFAULT_PATH "/bin:/usr/bin"

static const char *find_variable(const char *const *env, const char *name)
{
	size_t len = strlen(name);

	for (; *env; env++)
		if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
			return *env + len + 1;
	return NULL;
}

static char *join(const char *dir, size_t len, const char *name)
{
	size_t name_len = strlen(name);
	char *path = malloc(len + name_len + 2);

	if (!path)
		return NULL;
	memcpy(path, dir, len);
	if (len > 0)
		path[len++] = '/';
	memcpy(path + len, name, name_len + 1);
	return path;
}

static size_t count_dirs(const char *search)
{
	size_t count = 1;

	while ((search = strchr(search, ':'))) {
		search++;
		count++;
	}
	return count;
}

/* An empty one is the working directory. */
static int add_paths(const char *search, const char *name, char **paths)
{
	for (;;) {
		size_t len = strcspn(search, ":");

		*paths = join(search, len, name);
		if (!*paths++)
			return -1;
		if (!search[len])
			return 0;
		search += len + 1;
	}
}

static int find_paths(const char *name, const char *const *env, struct program *p)
{
	const char *search = strchr(name, '/') ? "" : find_variable(env, "PATH");

	if (!search)
		search = DEFAULT_PATH;
	p->path = calloc(count_dirs(search) + 1, sizeof(*p->path));
	if (!p->path)
		return -1;
	return strchr(name, '/') ? (p->path[0] = strdup(name)) ? 0 : -1
				 : add_paths(search, name, p->path);
}

static int copy_arguments(const char *const *argv, struct program *p)
{
	size_t count = 0;

	while (argv[count])
		count++;
	p->argv = calloc(count + 1, sizeof(*p->argv));
	p->shell_argv = calloc(count + 2, sizeof(*p->shell_argv));
	if (!p->argv || !p->shell_argv)
		return -1;
	memcpy(p->argv, argv, count * sizeof(*argv));
	memcpy(p->shell_argv + 1, argv, count * sizeof(*argv));
	p->shell_argv[0] = "/bin/sh";
	return 0;
}

int program_find(const char *const *argv, const char *const *env, struct program *ret,
		 struct error *err)
{
	*ret = (struct program){0};
	if (!argv || !argv[0] || !argv[0][0])
		return error_set(err, ERR_INVALID, "there is no program to be started");
	if (find_paths(argv[0], env, ret) < 0 || copy_arguments(argv, ret) < 0) {
		program_free(ret);
		return error_no_memory(err);
	}
	return 0;
}

void program_free(struct program *program)
{
	for (size_t i = 0; program->path && program->path[i]; i++)
		free(program->path[i]);
	free(program->path);
	free(program->argv);
	free(program->shell_argv);
	*program = (struct program){0};
}

static void execute(const struct program *program, const char *path, const char *const *env)
{
	execve(path, (char *const *)program->argv, (char *const *)env);
	if (errno != ENOEXEC)
		return;
	/* The arguments are the child's own by now: nobody looks at them afterwards. */
	program->shell_argv[1] = path;
	execve("/bin/sh", (char *const *)program->shell_argv, (char *const *)env);
	errno = ENOEXEC;
}

/* Like execvp(3): goes on after what is not there or may not be executed, and says so at last. */
int program_execute(const struct program *program, const char *const *env)
{
	int error = ENOENT;

	for (char **path = program->path; *path; path++) {
		execute(program, *path, env);
		if (errno == EACCES)
			error = EACCES;
		else if (errno != ENOENT && errno != ENOTDIR && errno != ESTALE &&
			 errno != ENODEV && errno != ETIMEDOUT)
			return -errno;
	}
	return -error;
}
