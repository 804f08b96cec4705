/*
 * An exec of the subject. Between here and the end of it no memory is taken and nothing of the
 * program is changed: this may be the child of a vfork(2), which shares all of it with its parent.
 */
#include "tape/intercept/preload/preload.h"

#include "tape/intercept/shim/launch.h"
#include <alloca.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct exec {
	const struct wire_program *program;
	int sock;
	struct wire_aside aside; /* of the caller */
};

static void tell(const struct exec *e, enum wire_ask_kind kind, int number)
{
	const struct wire_ask ask = {.kind = kind, .number = number};

	wire_send(e->sock, &ask, NULL, 0);
}

/* Decimal or hexadecimal: printf may take memory. */
static char *number_text(uint64_t value, unsigned base, char room[24])
{
	char *at = room + 23;

	*at = '\0';
	do {
		*--at = "0123456789abcdef"[value % base];
		value /= base;
	} while (value > 0);
	return at;
}

static uint64_t mask_bits(const sigset_t *mask)
{
	uint64_t bits = 0;

	for (int signal = 1; signal <= 64; signal++)
		bits |= (uint64_t)(sigismember(mask, signal) == 1) << (signal - 1);
	return bits;
}

/* This process becomes the shim, which gets the connection. Returns only when it cannot. */
static void become_shim(const struct exec *e, const char *how, const char *more)
{
	char sock[24];
	char *argv[] = {(char *)"sandtape-shim", (char *)how,
			number_text((uint64_t)e->sock, 10, sock), (char *)more, NULL};
	char *env[] = {NULL};
	struct wire_program shim = {.dirfd = AT_FDCWD, .path = preload.shim};

	shim.argv = argv;
	shim.env = env;
	fcntl(e->sock, F_SETFD, 0);
	wire_execute(&shim);
}

static int run_unit(const struct exec *e, const struct wire_reply *reply, const int *fds)
{
	char text[24];
	pid_t pid;
	int r = launch_unit(e->program, reply, fds, &e->aside, &pid);

	if (r != 0) {
		tell(e, r > 0 ? WIRE_BROKEN : WIRE_FAILED, abs(r));
		return r > 0 ? -r : r;
	}
	tell(e, WIRE_STARTED, 0);
	become_shim(e, "--adopt", number_text((uint64_t)pid, 10, text));
	tell(e, WIRE_BROKEN, errno);
	kill(pid, SIGKILL);
	_exit(125);
}

static int stand_in(const struct exec *e)
{
	char text[24];

	become_shim(e, "--stub", number_text(mask_bits(&e->aside.mask), 16, text));
	tell(e, WIRE_BROKEN, errno);
	return -EIO;
}

static int stay_subject(const struct exec *e)
{
	struct wire_program program = *e->program;
	char **env = alloca((preload_count(program.env) + 2) * sizeof(*env));
	int r;

	preload_add_self(preload.library, program.env, env,
			 alloca(preload_room(preload.library, program.env)));
	program.env = env;
	wire_put_back(&e->aside);
	r = wire_execute(&program);
	tell(e, WIRE_FAILED, -r);
	return r;
}

static int run_real(const struct exec *e)
{
	int r;

	wire_put_back(&e->aside);
	r = wire_execute(e->program);
	tell(e, WIRE_FAILED, -r);
	return r;
}

static int carry_out(const struct exec *e, const struct wire_reply *reply, const int *fds)
{
	switch (reply->kind) {
	case WIRE_DO_SUBJECT:
		return stay_subject(e);
	case WIRE_DO_REAL:
		return run_real(e);
	case WIRE_DO_UNIT:
		return run_unit(e, reply, fds);
	case WIRE_DO_STUB:
		return stand_in(e);
	case WIRE_DO_FAIL:
		return (int)-reply->number;
	default:
		return -EIO;
	}
}

/* Nothing is executed that the server does not know. Without a server it is all there is to say;
 * the subject sees an error that the command alone would not have met. */
int preload_unheard(void)
{
	static const char text[] =
		"sandtape: cannot be reached from this process: it has ended, or something here "
		"forbids a socket or a descriptor; a command is not executed (EIO)\n";

	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	return EIO;
}

static int ask_and_do(struct exec *e)
{
	struct wire_reply reply;
	int fds[WIRE_FDS];
	size_t count = 0;
	int r = wire_ask_exec(e->sock, e->program, launch_probe(e->program), 0, &reply, fds,
			      &count);

	if (r == 0)
		return carry_out(e, &reply, fds);
	tell(e, WIRE_BROKEN, -r);
	return -preload_unheard();
}

int preload_execute(const struct wire_program *program)
{
	struct exec e = {.program = program};
	int r;

	preload_set_up();
	wire_set_aside(&e.aside);
	e.sock = wire_connect(preload.dir);
	r = e.sock < 0 ? -preload_unheard() : ask_and_do(&e);
	if (e.sock >= 0)
		close(e.sock);
	wire_put_back(&e.aside);
	errno = -r;
	return -1;
}

int preload_execute_path(const char *path, char *const *argv, char *const *env)
{
	const struct wire_program program = {AT_FDCWD, 0, path, path, argv, env};

	if (!path) {
		errno = EFAULT;
		return -1;
	}
	return preload_execute(&program);
}

int preload_search(const char *file, char ret_path[PATH_MAX])
{
	const struct wire_program program = {.dirfd = AT_FDCWD, .path = ret_path};
	const char *at = getenv("PATH");
	size_t file_len = strlen(file);
	int error = ENOENT;

	if (!at)
		at = "/bin:/usr/bin"; /* execvp(3) */
	ret_path[0] = '\0';
	if (file_len >= NAME_MAX + 1)
		return ENAMETOOLONG;
	for (;;) {
		size_t len = strcspn(at, ":");
		char *end = ret_path;

		if (len + 1 + file_len + 1 <= PATH_MAX) {
			end = mempcpy(end, at, len);
			if (len > 0)
				*end++ = '/';
			memcpy(end, file, file_len + 1);
			switch (launch_probe(&program)) {
			case 0:
				return 0;
			case EACCES:
				error = EACCES;
			}
		}
		if (at[len] == '\0')
			return error;
		at += len + 1;
	}
}

/* What the kernel does not execute, execvp(3) gives to a shell. */
static int execute_script(const char *path, char *const *argv, char *const *env)
{
	size_t count = preload_count(argv);
	char **shell = alloca((count + 3) * sizeof(*shell));

	shell[0] = (char *)"/bin/sh";
	shell[1] = (char *)path;
	if (count > 1)
		memcpy(shell + 2, argv + 1, (count - 1) * sizeof(*shell));
	shell[count > 1 ? count + 1 : 2] = NULL;
	return preload_execute_path(shell[0], shell, env);
}

int preload_execute_search(const char *file, char *const *argv, char *const *env)
{
	char path[PATH_MAX];

	if (file[0] == '\0') {
		errno = ENOENT;
		return -1;
	}
	if (strchr(file, '/'))
		memccpy(path, file, '\0', sizeof(path));
	else if (preload_search(file, path) == ENAMETOOLONG) {
		errno = ENAMETOOLONG;
		return -1;
	}
	path[PATH_MAX - 1] = '\0';
	preload_execute_path(path, argv, env);
	if (errno == ENOEXEC)
		return execute_script(path, argv, env);
	return -1;
}
