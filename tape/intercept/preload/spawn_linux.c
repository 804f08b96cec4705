/*
 * posix_spawn(3) and what the C library builds on it, in the subject. Its child cannot ask the
 * server and come back with an errno, so it is the shim that is spawned, and its parent learns from
 * the server how the exec went.
 */
#include "tape/intercept/preload/preload.h"

#include <alloca.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the C library itself would do. Looked up at the first call, since others may call us before
 * our constructor has run. */
static void *real(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

/* A connection that waits for a child that will say the token. */
static int begin_waiting(uint64_t *ret_token)
{
	const struct wire_ask ask = {.kind = WIRE_WAIT};
	struct wire_reply reply;
	int fds[WIRE_FDS];
	size_t count;
	int sock = wire_connect(preload.dir);

	if (sock < 0)
		return sock;
	if (wire_send(sock, &ask, NULL, 0) < 0 || wire_receive(sock, &reply, fds, &count) < 0) {
		close(sock);
		return -EIO;
	}
	*ret_token = (uint64_t)reply.number;
	return sock;
}

/* What is short of descriptors gets one or two above its limit, for as long as this takes. */
static int with_more(int (*get)(void *ctx), void *ctx)
{
	struct wire_aside aside;
	int fd = get(ctx);

	if (fd != -EMFILE)
		return fd;
	wire_set_aside(&aside);
	fd = get(ctx);
	wire_put_back(&aside);
	return fd;
}

static int get_sock(void *ret_token)
{
	return begin_waiting(ret_token);
}

static int get_pidfd(void *pid)
{
	int fd = (int)syscall(SYS_pidfd_open, *(pid_t *)pid, 0);

	return fd < 0 ? -errno : fd;
}

static bool has_ended(pid_t pid)
{
	siginfo_t info = {.si_pid = 0};

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
	       info.si_pid == pid;
}

/* Without a pidfd (before Linux 5.3, or where none is to be had) the child is looked at. */
#define LOOK_MS 20

/* 0, or the errno of the exec; 0 as well when the child has ended without a word. */
static int await_exec(int sock, pid_t pid)
{
	int pidfd = with_more(get_pidfd, &pid);
	struct pollfd wait[2] = {{.fd = sock, .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};
	struct wire_reply reply = {.number = 0};
	int fds[WIRE_FDS];
	size_t count;

	do {
		poll(wait, 2, pidfd < 0 ? LOOK_MS : -1);
	} while (!wait[0].revents && !wait[1].revents && !(pidfd < 0 && has_ended(pid)));
	if (wait[0].revents || poll(wait, 1, 0) > 0)
		wire_receive(sock, &reply, fds, &count);
	if (pidfd >= 0)
		close(pidfd);
	return (int)reply.number;
}

static int spawn_shim(preload_spawner spawn, pid_t *pid, const char *path,
		      const posix_spawn_file_actions_t *actions,
		      const posix_spawnattr_t *attributes, char *const *argv, char *const *env,
		      uint64_t token)
{
	char **shim_env = alloca((preload_count(env) + 2) * sizeof(*shim_env));
	char **shim_argv = alloca((preload_count(argv) + 5) * sizeof(*shim_argv));
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)token);
	preload_add_self(preload.library, env, shim_env,
			 alloca(preload_room(preload.library, env)));
	shim_argv[0] = (char *)"sandtape-shim";
	shim_argv[1] = (char *)"--spawn";
	shim_argv[2] = text;
	shim_argv[3] = (char *)path;
	for (size_t i = 0; i <= preload_count(argv); i++)
		shim_argv[4 + i] = argv ? argv[i] : NULL;
	return spawn(pid, preload.shim, actions, attributes, shim_argv, shim_env);
}

static int spawn_and_wait(preload_spawner spawn, pid_t *pid, const char *path,
			  const posix_spawn_file_actions_t *actions,
			  const posix_spawnattr_t *attributes, char *const *argv, char *const *env)
{
	uint64_t token = 0;
	pid_t child = 0;
	int sock;
	int r;

	preload_set_up();
	sock = with_more(get_sock, &token);
	if (sock < 0)
		return preload_unheard();
	r = spawn_shim(spawn, &child, path, actions, attributes, argv, env, token);
	if (r == 0) {
		r = await_exec(sock, child);
		while (r != 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
	}
	if (r == 0 && pid)
		*pid = child;
	close(sock);
	return r;
}

/* posix_spawn is no place for a thread to be cancelled, and what we call is. */
int preload_spawn(preload_spawner spawn, pid_t *pid, const char *path,
		  const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
		  char *const *argv, char *const *env)
{
	int state;
	int r;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	r = spawn_and_wait(spawn, pid, path, actions, attributes, argv, env);
	pthread_setcancelstate(state, NULL);
	return r;
}

PRELOAD_API int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
			    const posix_spawnattr_t *attributes, char *const argv[],
			    char *const env[])
{
	return preload_spawn((preload_spawner)real("posix_spawn"), pid, path, actions, attributes,
			     argv, env);
}

PRELOAD_API int posix_spawnp(pid_t *pid, const char *file,
			     const posix_spawn_file_actions_t *actions,
			     const posix_spawnattr_t *attributes, char *const argv[],
			     char *const env[])
{
	char path[PATH_MAX];

	if (file[0] == '\0' || strchr(file, '/'))
		return posix_spawn(pid, file, actions, attributes, argv, env);
	if (preload_search(file, path) == ENAMETOOLONG)
		return ENAMETOOLONG;
	return posix_spawn(pid, path, actions, attributes, argv, env);
}

/* glibc 2.39. The pidfd comes from what is there of glibc itself. */
PRELOAD_API int pidfd_spawn(int *pidfd, const char *path, const posix_spawn_file_actions_t *actions,
			    const posix_spawnattr_t *attributes, char *const argv[],
			    char *const env[]);
PRELOAD_API int pidfd_spawnp(int *pidfd, const char *file,
			     const posix_spawn_file_actions_t *actions,
			     const posix_spawnattr_t *attributes, char *const argv[],
			     char *const env[]);

static int open_pidfd(int r, pid_t pid, int *pidfd)
{
	if (r != 0)
		return r;
	*pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	return *pidfd < 0 ? errno : 0;
}

int pidfd_spawn(int *pidfd, const char *path, const posix_spawn_file_actions_t *actions,
		const posix_spawnattr_t *attributes, char *const argv[], char *const env[])
{
	pid_t pid = 0;

	return open_pidfd(posix_spawn(&pid, path, actions, attributes, argv, env), pid, pidfd);
}

int pidfd_spawnp(int *pidfd, const char *file, const posix_spawn_file_actions_t *actions,
		 const posix_spawnattr_t *attributes, char *const argv[], char *const env[])
{
	pid_t pid = 0;

	return open_pidfd(posix_spawnp(&pid, file, actions, attributes, argv, env), pid, pidfd);
}
