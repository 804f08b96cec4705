/* system(3) and popen(3), which spawn inside the C library where nobody can step in. */
#include "tape/intercept/preload/preload.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* While any thread is in system(3), SIGINT and SIGQUIT are ignored: the first saves, the last
 * restores. */
static pthread_mutex_t system_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned system_count;
static struct sigaction old_int;
static struct sigaction old_quit;

static void begin_system(sigset_t *ret_mask)
{
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t chld;

	pthread_mutex_lock(&system_lock);
	if (system_count++ == 0) {
		sigaction(SIGINT, &ignore, &old_int);
		sigaction(SIGQUIT, &ignore, &old_quit);
	}
	pthread_mutex_unlock(&system_lock);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	pthread_sigmask(SIG_BLOCK, &chld, ret_mask);
}

static void end_system(const sigset_t *mask)
{
	pthread_mutex_lock(&system_lock);
	if (--system_count == 0) {
		sigaction(SIGINT, &old_int, NULL);
		sigaction(SIGQUIT, &old_quit, NULL);
	}
	pthread_mutex_unlock(&system_lock);
	pthread_sigmask(SIG_SETMASK, mask, NULL);
}

static int spawn_shell(pid_t *pid, const char *command, const posix_spawn_file_actions_t *actions,
		       const posix_spawnattr_t *attributes)
{
	char *const argv[] = {(char *)"sh", (char *)"-c", (char *)command, NULL};

	return posix_spawn(pid, "/bin/sh", actions, attributes, argv, environ);
}

static int run_shell(const char *command, const sigset_t *mask)
{
	posix_spawnattr_t attributes;
	sigset_t plain;
	int status = 127 << 8;
	pid_t pid;
	int r;

	/* What the caller ignores, the shell ignores as well. */
	sigemptyset(&plain);
	if (old_int.sa_handler != SIG_IGN)
		sigaddset(&plain, SIGINT);
	if (old_quit.sa_handler != SIG_IGN)
		sigaddset(&plain, SIGQUIT);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, mask);
	posix_spawnattr_setsigdefault(&attributes, &plain);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	r = spawn_shell(&pid, command, NULL, &attributes);
	posix_spawnattr_destroy(&attributes);
	if (r != 0)
		return status;
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -1;
	}
	return status;
}

PRELOAD_API int system(const char *command)
{
	sigset_t mask;
	int status;

	if (!command) /* is there a shell? */
		return system("exit 0") == 0;
	begin_system(&mask);
	status = run_shell(command, &mask);
	end_system(&mask);
	return status;
}

/* Streams of ours, and who writes or reads there. */
struct piped {
	FILE *file;
	pid_t pid;
	struct piped *next;
};

static pthread_mutex_t piped_lock = PTHREAD_MUTEX_INITIALIZER;
static struct piped *all_piped;

static FILE *remember(struct piped *p, int fd, pid_t pid, const char *mode)
{
	p->file = fdopen(fd, mode);
	if (!p->file)
		return NULL;
	p->pid = pid;
	pthread_mutex_lock(&piped_lock);
	p->next = all_piped;
	all_piped = p;
	pthread_mutex_unlock(&piped_lock);
	return p->file;
}

/* The streams of earlier calls are closed in the child (popen(3)). */
static void close_others(posix_spawn_file_actions_t *actions)
{
	pthread_mutex_lock(&piped_lock);
	for (const struct piped *p = all_piped; p; p = p->next)
		posix_spawn_file_actions_addclose(actions, fileno(p->file));
	pthread_mutex_unlock(&piped_lock);
}

static FILE *open_pipe(struct piped *p, const char *command, bool reads, bool cloexec)
{
	posix_spawn_file_actions_t actions;
	int theirs = reads ? STDOUT_FILENO : STDIN_FILENO;
	FILE *file = NULL;
	int fds[2];
	int ours;
	pid_t pid;
	int r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return NULL;
	ours = fds[reads ? 0 : 1];
	posix_spawn_file_actions_init(&actions);
	close_others(&actions);
	posix_spawn_file_actions_adddup2(&actions, fds[reads ? 1 : 0], theirs);
	r = spawn_shell(&pid, command, &actions, NULL);
	posix_spawn_file_actions_destroy(&actions);
	close(fds[reads ? 1 : 0]);
	if (r == 0 && !cloexec)
		fcntl(ours, F_SETFD, 0);
	if (r == 0)
		file = remember(p, ours, pid, reads ? "r" : "w");
	if (!file) {
		close(ours);
		errno = r ? r : errno;
	}
	return file;
}

PRELOAD_API FILE *popen(const char *command, const char *mode)
{
	bool reads = strchr(mode, 'r') != NULL;
	struct piped *p;
	FILE *file;

	if (reads == (strchr(mode, 'w') != NULL)) {
		errno = EINVAL;
		return NULL;
	}
	p = malloc(sizeof(*p));
	if (!p)
		return NULL;
	file = open_pipe(p, command, reads, strchr(mode, 'e') != NULL);
	if (!file)
		free(p);
	return file;
}

static struct piped *forget(const FILE *file)
{
	struct piped **at = &all_piped;
	struct piped *found;

	pthread_mutex_lock(&piped_lock);
	while (*at && (*at)->file != file)
		at = &(*at)->next;
	found = *at;
	if (found)
		*at = found->next;
	pthread_mutex_unlock(&piped_lock);
	return found;
}

PRELOAD_API int pclose(FILE *file)
{
	struct piped *p = forget(file);
	int status = -1;
	pid_t pid;

	if (!p) {
		int (*real)(FILE *) = (int (*)(FILE *))dlsym(RTLD_NEXT, "pclose");

		return real(file);
	}
	pid = p->pid;
	free(p);
	fclose(file);
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -1;
	}
	return status;
}
