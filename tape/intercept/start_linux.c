#include "tape/intercept/start.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include "tape/intercept/filter.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum stage { STAGE_GO, STAGE_FILTER, STAGE_EXEC };

static const char *const stage_text[] = {
	[STAGE_GO] = "wait for the tracer",
	[STAGE_FILTER] = "install the seccomp filter",
	[STAGE_EXEC] = "execute",
};

struct report {
	int stage;
	int sys_errno;
};

_Noreturn static void child_fail(int fd, enum stage stage)
{
	struct report report = {stage, errno};

	/* Nobody is left to tell if this fails: the parent then sees an early end. */
	(void)!write(fd, &report, sizeof(report));
	_exit(127);
}

/*
 * With CAP_SYS_ADMIN the filter needs no no_new_privs, and set-user-id programs below the subject
 * keep working for root; without it the kernel asks for no_new_privs.
 */
static int install_filter(const struct sock_fprog *program)
{
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, program) == 0)
		return 0;
	if (errno != EACCES || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, program);
}

_Noreturn static void child(const struct start_options *o, char *const *env, int go, int report,
			    const struct sock_fprog *program)
{
	char byte;

	/* As sandtape itself was given them. */
	sigaction(SIGPIPE, o->sigpipe, NULL);
	sigaction(SIGCHLD, o->sigchld, NULL);
	sigprocmask(SIG_SETMASK, o->mask, NULL);
	setrlimit(RLIMIT_NOFILE, o->nofile); /* lowering it back cannot fail */

	if (read(go, &byte, 1) != 1)
		child_fail(report, STAGE_GO);
	if (o->is_traced && install_filter(program) < 0)
		child_fail(report, STAGE_FILTER);
	if (!o->is_traced && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		child_fail(report, STAGE_GO);
	execvpe(o->argv[0], o->argv, env);
	child_fail(report, STAGE_EXEC);
}

static int seize(pid_t pid, long options, struct error *err)
{
	if (ptrace(PTRACE_SEIZE, pid, 0, options) == 0)
		return 0;
	if (errno == EPERM || errno == ENOSYS)
		return error_set(err, ERR_UNSUPPORTED,
				 "this host does not allow tracing (ptrace: %s): sandtape may be "
				 "running under another tracer (strace, gdb, sandtape), or a "
				 "container profile, a sandbox around it (syscalls.debug in its "
				 "policy) or kernel.yama.ptrace_scope=3 forbids it; "
				 "--backend preload and --backend path do without, and see less "
				 "(BACKENDS in sandtape(1))",
				 strerror(errno));
	return error_sys(err, errno, "cannot trace the subject");
}

const char *start_path(void)
{
	const char *path = getenv("PATH");

	return path ? path : "/bin:/usr/bin";
}

char *start_find(const char *name)
{
	const char *path = start_path();
	char *file;

	if (strchr(name, '/'))
		return strdup(name);
	for (size_t len; *path; path += len + (path[len] == ':')) {
		len = strcspn(path, ":");
		if (asprintf(&file, "%.*s/%s", len ? (int)len : 1, len ? path : ".", name) < 0)
			return NULL;
		if (access(file, F_OK) == 0)
			return file;
		free(file);
	}
	return NULL;
}

/* The environment of the subject: ours, but for PATH and LD_PRELOAD. Built before the fork. */
struct subject_env {
	char **item; /* NULL-terminated; the strings are borrowed, but for the two */
	char *path;
	char *preload;
};

static void free_env(struct subject_env *env)
{
	free(env->item);
	free(env->path);
	free(env->preload);
}

static void put_env(struct subject_env *env, char *pair)
{
	size_t name_len = strcspn(pair, "=") + 1;
	size_t i = 0;

	while (env->item[i] && strncmp(env->item[i], pair, name_len) != 0)
		i++;
	env->item[i] = pair;
}

/* Without a PATH the subject keeps that of execvp(3), unless it needs one to be seen. */
static int make_path(const struct start_options *o, struct subject_env *env)
{
	const char *append = o->path_append;

	if (!o->path_prepend && (!append || !getenv("PATH")))
		return 0;
	if (asprintf(&env->path, "PATH=%s%s%s%s%s", o->path_prepend ? o->path_prepend : "",
		     o->path_prepend ? ":" : "", start_path(), append ? ":" : "",
		     append ? append : "") < 0)
		return ERR_NOMEM;
	put_env(env, env->path);
	return 0;
}

static int make_preload(const struct start_options *o, struct subject_env *env)
{
	const char *own = getenv("LD_PRELOAD");

	if (!o->preload)
		return 0;
	if (asprintf(&env->preload, "LD_PRELOAD=%s%s%s", o->preload, own ? ":" : "",
		     own ? own : "") < 0)
		return ERR_NOMEM;
	put_env(env, env->preload);
	return 0;
}

static int build_env(const struct start_options *o, struct subject_env *ret, struct error *err)
{
	size_t count = 0;

	while (environ[count])
		count++;
	*ret = (struct subject_env){.item = calloc(count + 3, sizeof(*ret->item))};
	if (!ret->item)
		return error_no_memory(err);
	memcpy(ret->item, environ, count * sizeof(*ret->item));
	if (make_path(o, ret) == 0 && make_preload(o, ret) == 0)
		return 0;
	free_env(ret);
	return error_no_memory(err);
}

static int spawn_subject(const struct start_options *o, char *const *env, struct started *ret,
			 struct error *err)
{
	struct sock_filter code[FILTER_MAX];
	struct sock_fprog program = {(unsigned short)filter_build(code), code};
	int go[2];
	int report[2];
	pid_t pid;
	int r;

	if (pipe2(go, O_CLOEXEC) < 0)
		return error_sys(err, errno, "cannot make a pipe");
	if (pipe2(report, O_CLOEXEC) < 0) {
		close(go[0]);
		close(go[1]);
		return error_sys(err, errno, "cannot make a pipe");
	}
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		close(go[1]);
		close(report[0]);
		child(o, env, go[0], report[1], &program);
	}
	close(go[0]);
	close(report[1]);
	r = pid < 0 ? error_sys(err, errno, "cannot fork") : 0;
	if (r == 0 && o->is_traced)
		r = seize(pid, o->ptrace_options, err);
	if (r == 0)
		r = fs_write_all(go[1], "", 1, "the pipe to the subject", err);
	close(go[1]);
	if (r < 0) {
		close(report[0]);
		if (pid > 0) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, __WALL);
		}
		return r;
	}
	*ret = (struct started){pid, report[0]};
	return 0;
}

int start_subject(const struct start_options *o, struct started *ret, struct error *err)
{
	struct subject_env env;
	int r = build_env(o, &env, err);

	if (r < 0)
		return r;
	r = spawn_subject(o, env.item, ret, err);
	free_env(&env);
	return r;
}

int start_report(const struct started *s, int *ret_exec_errno, struct error *err)
{
	struct report report;
	ssize_t n = read(s->report, &report, sizeof(report));

	*ret_exec_errno = 0;
	if (n < 0)
		return error_sys(err, errno, "cannot read the report of the subject's start");
	if (n != sizeof(report))
		return 0;
	if (report.stage != STAGE_EXEC)
		return error_sys(err, report.sys_errno, "the subject could not %s",
				 stage_text[report.stage]);
	*ret_exec_errno = report.sys_errno;
	return 0;
}
