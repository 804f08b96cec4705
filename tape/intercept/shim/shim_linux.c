/*
 * The shim: runs in the place of a command where nobody traces. In a recording it starts the real
 * program below itself, hands signals on, and ends as the program did, once its output has been
 * delivered. In a replay it carries out the answer, as the stub does. What stays subject it
 * executes in place.
 *
 * It is started in three ways: by the library, which has asked the server already and may have
 * started the program (--adopt, --stub); by the library's posix_spawn (--spawn), which cannot ask
 * in the child; and by a link in PATH that has the name of a program.
 */
#include "tape/intercept/shim/shim.h"

#include "tape/intercept/shim/launch.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXIT_SANDTAPE 125

_Noreturn static void fail(const char *what, int negative_errno)
{
	dprintf(2, "sandtape-shim: cannot %s: %s\n", what, strerror(-negative_errno));
	_exit(EXIT_SANDTAPE);
}

/* The server hears of it, and ends it all: a command that could not even be tried is not one that
 * failed. */
_Noreturn static void fail_all(int sock, const char *what, int negative_errno)
{
	const struct wire_ask ask = {.kind = WIRE_BROKEN, .number = -negative_errno};

	wire_send(sock, &ask, NULL, 0);
	fail(what, negative_errno);
}

/* Carrying out an answer */

static int player = -1; /* the socket to the server, or none */
static const char *server_dir;
static int life; /* see shim_live_with() */

/* The room as this process sees it; for the player it stands where the stub has it. */
static struct stub_room *room;

long stub_ask(enum stub_ask ask, unsigned long address, unsigned long len)
{
	struct wire_ask message = {.kind = WIRE_STUB};
	struct wire_reply reply;
	int fds[WIRE_FDS];
	size_t count;

	message.args[0] = ask;
	if (address)
		message.args[1] = address - (unsigned long)room + STUB_ANSWER_ADDRESS;
	message.args[2] = len;
	if (player < 0 || wire_send(player, &message, NULL, 0) < 0 ||
	    wire_receive(player, &reply, fds, &count) < 0 || reply.kind != WIRE_RESULT)
		return STUB_GO_ON;
	return reply.number;
}

static sigset_t own_mask; /* what is blocked for the command itself */

/* What has no effect on a program that has just been executed, and is sent between the exec and the
 * first instruction of this process, leaves no trace; but what was blocked already waits. */
int stub_may_have_missed(int signal)
{
	struct sigaction action;

	if (sigismember(&own_mask, signal) == 1)
		return 0;
	if (sigaction(signal, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
		return 1;
	return signal == SIGCHLD || signal == SIGCONT || signal == SIGURG || signal == SIGWINCH;
}

/* What the parent has is not the child's, and the server may have gone meanwhile. */
void stub_forked(void)
{
	int r = shim_live_with(server_dir);
	int sock = r < 0 ? r : wire_connect(server_dir);

	if (sock < 0)
		_exit(EXIT_SANDTAPE);
	close(sock);
}

static void stand_in(int sock, sigset_t mask)
{
	const struct wire_ask ready = {.kind = WIRE_READY};
	struct wire_reply reply = {.kind = 0};
	int fds[WIRE_FDS];
	size_t count;
	int r = wire_send(sock, &ready, NULL, 0);

	own_mask = mask;
	if (r == 0)
		r = wire_receive(sock, &reply, fds, &count);
	if (r < 0)
		fail("ask the replay", r);
	if (reply.kind != WIRE_ROOM)
		fail("ask the replay", -EPROTO);
	room = mmap(NULL, sizeof(*room), PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
	if (room == MAP_FAILED)
		fail("see the answer", -errno);
	close(fds[0]);
	player = sock;
	if (reply.number) {
		close(sock);
		player = -1;
	}
	for (int signal = 1; signal <= 64; signal++) {
		if (reply.mask >> (signal - 1) & 1)
			sigaddset(&mask, signal);
	}
	sigprocmask(SIG_SETMASK, &mask, NULL);
	stub_play(room);
}

/* Running a program */

/* The environment without what sandtape has put there, in place. */
static void clean_env(char **env, const char *name, const char *ours)
{
	size_t name_len = strlen(name);
	size_t len = strlen(ours);

	for (; *env; env++) {
		char *value = *env + name_len + 1;

		if (strncmp(*env, name, name_len) != 0 || (*env)[name_len] != '=')
			continue;
		if (strncmp(value, ours, len) != 0)
			continue;
		if (value[len] == ':') { /* and something of the subject's own */
			memmove(value, value + len + 1, strlen(value + len + 1) + 1);
		} else if (value[len] == '\0') {
			char **at = env;

			do {
				at[0] = at[1];
			} while (*at++);
			return;
		}
	}
}

/* What the kernel does not execute, execvp(3) gives to a shell: and so would the subject have. */
static int execute_script(const struct wire_program *program)
{
	size_t count = 0;
	char **argv;

	while (program->argv[count])
		count++;
	argv = calloc(count + 3, sizeof(*argv));
	if (!argv)
		return -ENOMEM;
	argv[0] = (char *)"/bin/sh";
	argv[1] = (char *)program->path;
	for (size_t i = 1; i < count; i++)
		argv[i + 1] = program->argv[i];
	execve(argv[0], argv, program->env);
	return -errno;
}

static int execute(const struct wire_program *program, const struct shim_call *call)
{
	int r = wire_execute(program);

	return r == -ENOEXEC && call->in_path ? execute_script(program) : r;
}

_Noreturn static void end_failed(int sock, int negative_errno, bool is_told,
				 const struct shim_call *call)
{
	const struct wire_ask ask = {.kind = WIRE_FAILED, .number = -negative_errno};
	struct wire_reply reply;
	int fds[WIRE_FDS];
	size_t count;

	/* The library tells the caller, who must not see our end before; behind a link there is
	 * nobody who could. */
	if (!is_told && wire_send(sock, &ask, NULL, 0) == 0 && !call->in_path)
		wire_receive(sock, &reply, fds, &count);
	if (call->in_path)
		dprintf(2, "sandtape-shim: %s: %s\n", call->program.named,
			strerror(-negative_errno));
	_exit(negative_errno == -ENOENT ? 127 : 126);
}

_Noreturn static void run_unit(int sock, const struct shim_call *call,
			       const struct wire_reply *reply, const int *fds)
{
	const struct wire_ask started = {.kind = WIRE_STARTED};
	pid_t pid = 0;
	int r = launch_unit(&call->program, reply, fds, &call->aside, &pid);

	if (r > 0)
		fail_all(sock, "start a command", -r);
	if (r < 0)
		end_failed(sock, r, false, call);
	wire_send(sock, &started, NULL, 0); /* a server that has gone is seen there */
	shim_supervise(sock, life, pid);
}

/* Asks the server, and does what it says. */
_Noreturn static void intercept(const struct shim_call *call, uint64_t token)
{
	int sock = wire_connect(server_dir);
	struct wire_reply reply;
	int fds[WIRE_FDS];
	size_t count = 0;
	int r;

	if (sock < 0)
		fail("reach sandtape", sock);
	r = wire_ask_exec(sock, &call->program, call->known_errno, token, &reply, fds, &count);
	if (r < 0)
		fail_all(sock, "ask sandtape", r);
	switch (reply.kind) {
	case WIRE_DO_UNIT:
		run_unit(sock, call, &reply, fds);
	case WIRE_DO_STUB:
		stand_in(sock, call->aside.mask);
		break;
	case WIRE_DO_FAIL:
		end_failed(sock, (int)-reply.number, true, call);
	case WIRE_DO_REAL:
	case WIRE_DO_SUBJECT:
		break;
	default:
		fail("understand sandtape", -EPROTO);
	}
	wire_put_back(&call->aside);
	r = execute(reply.kind == WIRE_DO_REAL ? &call->program : &call->in_place, call);
	end_failed(sock, r, false, call);
}

/* A file of the name in PATH, behind our own directory. */
static int find_program(const char *name, const char *ours, char ret_path[PATH_MAX])
{
	const char *path = getenv("PATH");
	int error = ENOENT;

	for (const char *at = path; at; at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL) {
		struct wire_program program = {.dirfd = AT_FDCWD, .path = ret_path};
		int len = (int)strcspn(at, ":");
		int r;

		if ((size_t)len == strlen(ours) && strncmp(at, ours, (size_t)len) == 0)
			continue;
		if (snprintf(ret_path, PATH_MAX, "%.*s/%s", len ? len : 1, len ? at : ".", name) >=
		    PATH_MAX)
			continue;
		r = launch_probe(&program);
		if (r == 0)
			return 0;
		if (r == EACCES)
			error = r;
	}
	snprintf(ret_path, PATH_MAX, "%s", name);
	return error;
}

/* A copy of the list, whose strings may be shortened in place. */
static char **copy_env(char *const *env)
{
	size_t count = 0;
	char **copy;

	while (env[count])
		count++;
	copy = calloc(count + 1, sizeof(*copy));
	for (size_t i = 0; copy && i < count; i++) {
		copy[i] = strdup(env[i]);
		if (!copy[i])
			return NULL;
	}
	return copy;
}

/* The last component of the path is cut off. */
static char *dir_of(const char *path)
{
	char *dir = strdup(path);
	char *slash = dir ? strrchr(dir, '/') : NULL;

	if (!slash)
		fail("tell where it is", -ENOMEM);
	*slash = '\0';
	return dir;
}

_Noreturn static void be_link(const char *link, char **argv, const struct wire_aside *aside)
{
	char *bin = dir_of(link);
	static char path[PATH_MAX];
	struct shim_call call = {.in_path = true, .aside = *aside};
	char **env = copy_env(environ);

	if (!env)
		fail("copy the environment", -ENOMEM);
	call.known_errno = find_program(strrchr(link, '/') + 1, bin, path);
	call.program = (struct wire_program){AT_FDCWD, 0, path, path, argv, env};
	call.in_place = call.program;
	call.in_place.env = environ;
	clean_env(env, "PATH", bin);
	intercept(&call, 0);
}

/* --spawn TOKEN PATH NAMED ARGV...: the library's posix_spawn. */
_Noreturn static void be_spawned(char **argv, const struct wire_aside *aside)
{
	struct shim_call call = {.aside = *aside};
	char **env = copy_env(environ);
	char library[PATH_MAX];

	if (!env || !argv[0] || !argv[1])
		fail("understand the library", -EPROTO);
	snprintf(library, sizeof(library), "%s/%s", server_dir, WIRE_LIBRARY);
	clean_env(env, "LD_PRELOAD", library);
	call.program = (struct wire_program){AT_FDCWD, 0, argv[1], argv[1], argv + 2, env};
	call.in_place = call.program;
	call.in_place.env = environ;
	call.known_errno = launch_probe(&call.program);
	intercept(&call, strtoull(argv[0], NULL, 10));
}

static sigset_t mask_of_bits(uint64_t bits)
{
	sigset_t mask;

	sigemptyset(&mask);
	for (int signal = 1; signal <= 64; signal++) {
		if (bits >> (signal - 1) & 1)
			sigaddset(&mask, signal);
	}
	return mask;
}

int main(int argc, char **argv)
{
	const char *self = (const char *)getauxval(AT_EXECFN);
	const char *slash = self ? strrchr(self, '/') : NULL;
	struct wire_aside aside;
	bool is_link;

	wire_set_aside(&aside);
	aside.mask = mask_of_bits(shim_inherited_mask);
	if (!slash)
		fail("tell by which name it was started", -EINVAL);
	is_link = strcmp(slash + 1, WIRE_SHIM) != 0;
	server_dir = is_link ? dir_of(dir_of(self)) : dir_of(self);
	life = shim_live_with(server_dir);
	if (life < 0 && !is_link && argc == 4)
		fail_all(atoi(argv[2]), "reach sandtape", life);
	if (life < 0)
		fail("reach sandtape", life);
	if (is_link)
		be_link(self, argv, &aside);
	if (argc == 4 && strcmp(argv[1], "--adopt") == 0)
		shim_supervise(atoi(argv[2]), life, atoi(argv[3]));
	if (argc == 4 && strcmp(argv[1], "--stub") == 0)
		stand_in(atoi(argv[2]), mask_of_bits(strtoull(argv[3], NULL, 16)));
	if (argc >= 4 && strcmp(argv[1], "--spawn") == 0)
		be_spawned(argv + 2, &aside);
	fail("be started by hand", -EINVAL);
}
