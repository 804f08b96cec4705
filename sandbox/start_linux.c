/* Starting a program under a plan: what is done in the parent. */
#include "sandbox/child.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/monotonic.h"
#include "base/text.h"
#include "base/tmpdir.h"
#include "sandbox/observe.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TMP_PREFIX "sandtape-tmp-"

/* What is made for one start, and is the child's or is freed. */
struct starter {
	struct sandbox_plan *plan;
	const struct sandbox_start *start;
	struct sandbox_child *child;
	struct birth birth;
	struct birth_end end; /* without a pid namespace */
	struct program program;
	char cwd[PATH_MAX];
	char tmp_variable[PATH_MAX + 32], npm_variable[PATH_MAX + 32];
	int theirs[CHILD_STREAMS]; /* descriptors for the child, to be closed afterwards */
	struct error *err;
};

/* --- streams ---------------------------------------------------------------------------------- */

/* Above the three that they take the place of. */
static int raise_fd(int *fd)
{
	int raised;

	if (*fd > 2)
		return 0;
	raised = fcntl(*fd, F_DUPFD_CLOEXEC, 3);
	if (raised < 0)
		return -1;
	close(*fd);
	*fd = raised;
	return 0;
}

static int own_pipe(struct starter *s, int which)
{
	int ends[2], ours = which == CHILD_IN;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_sys(s->err, errno, "cannot make a pipe");
	s->child->stream[which].fd = ends[ours];
	s->theirs[which] = ends[!ours];
	if (raise_fd(&s->theirs[which]) < 0 || raise_fd(&s->child->stream[which].fd) < 0 ||
	    fcntl(s->child->stream[which].fd, F_SETFL, O_NONBLOCK) < 0)
		return error_sys(s->err, errno, "cannot make a pipe");
	return 0;
}

static int open_null(struct starter *s, int which)
{
	s->theirs[which] = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (s->theirs[which] < 0 || raise_fd(&s->theirs[which]) < 0)
		return error_sys(s->err, errno, "cannot open /dev/null");
	return 0;
}

/* Through a directory that was opened outside, what is hidden inside would be to be seen. */
static int copy_fd(struct starter *s, int which, int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		return error_set(s->err, ERR_INVALID,
				 "descriptor %d is a directory: a program cannot have it as a "
				 "standard stream",
				 fd);
	s->theirs[which] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (s->theirs[which] < 0)
		return error_sys(s->err, errno, "cannot hand over descriptor %d", fd);
	return 0;
}

static int make_input(struct starter *s)
{
	const struct sandbox_start *start = s->start;

	if (start->stdin_len > 0) {
		if (buf_add(&s->child->input, start->stdin_bytes, start->stdin_len) < 0)
			return error_no_memory(s->err);
		return own_pipe(s, CHILD_IN);
	}
	if (start->stdin_fd < 0 || (start->stdin_fd == 0 && fcntl(0, F_GETFD) < 0))
		return open_null(s, CHILD_IN);
	return copy_fd(s, CHILD_IN, start->stdin_fd);
}

/* Where the caller has closed a stream, /dev/null stands in, as for stdin. */
static int make_output(struct starter *s, int which, const struct sandbox_sink *sink)
{
	bool ours = sink->kind == SANDBOX_OUTPUT_BUFFER || sink->kind == SANDBOX_OUTPUT_CALL;

	s->child->stream[which].sink = *sink;
	if (ours)
		return own_pipe(s, which);
	if (s->child->output_bytes != SANDBOX_NO_LIMIT && sink->kind != SANDBOX_OUTPUT_NULL)
		return error_set(s->err, ERR_INVALID,
				 "limits.output_bytes needs output that goes through a buffer or "
				 "a call");
	if (sink->kind == SANDBOX_OUTPUT_NULL ||
	    (sink->kind == SANDBOX_OUTPUT_INHERIT && fcntl(which, F_GETFD) < 0))
		return open_null(s, which);
	return copy_fd(s, which, sink->kind == SANDBOX_OUTPUT_FD ? sink->fd : which);
}

static int make_streams(struct starter *s)
{
	int rc = make_input(s);

	if (rc == 0)
		rc = make_output(s, CHILD_OUT, &s->start->out);
	if (rc == 0)
		rc = make_output(s, CHILD_ERR, &s->start->err);
	for (int i = 0; i < CHILD_STREAMS; i++)
		s->birth.fd[i] = s->theirs[i];
	return rc;
}

/* --- directories and variables ---------------------------------------------------------------- */

/* Always by its path: the directory may have been mounted over. Where there is no workspace, it is
 * of no use to the program, unless somebody names one. */
static int find_cwd(struct starter *s)
{
	s->birth.cwd = s->start->cwd;
	s->birth.cwd_matters = s->start->cwd || s->plan->policy->level != SANDBOX_LEVEL_NONE;
	if (s->birth.cwd)
		return 0;
	if (!getcwd(s->cwd, sizeof(s->cwd)))
		return error_sys(s->err, errno, "cannot tell the working directory");
	s->birth.cwd = s->cwd;
	return 0;
}

/* A directory in place of a /tmp of the program's own. */
static int make_tmp(struct starter *s)
{
	const char *tmp = s->plan->policy->places[POLICY_TMP];
	int rc;

	if (!tmp)
		tmp = "/tmp";
	if (!atomic_exchange(&s->plan->swept, true))
		tmpdir_sweep(tmp, TMP_PREFIX);
	rc = tmpdir_make(tmp, TMP_PREFIX, &s->child->tmp, &s->child->tmp_fd, s->err);
	if (rc == 0 && raise_fd(&s->child->tmp_fd) < 0)
		rc = error_sys(s->err, errno, "cannot open %s", s->child->tmp);
	s->birth.tmp = s->child->tmp_fd;
	return rc;
}

/* In its private /tmp a program has a place for npm's cache, too. */
static int make_environment(struct starter *s)
{
	const char *tmp = s->child->tmp ? s->child->tmp : "/tmp";
	const char *extra[2] = {NULL, NULL};

	if (s->plan->policy->tmp == SANDBOX_TMP_PRIVATE) {
		snprintf(s->tmp_variable, sizeof(s->tmp_variable), "TMPDIR=%s", tmp);
		snprintf(s->npm_variable, sizeof(s->npm_variable), ENVIRONMENT_NPM_CACHE "=%s/.npm",
			 tmp);
		extra[0] = s->tmp_variable;
	}
	return environment_build(s->plan->environment, s->start->envp, extra,
				 extra[0] ? s->npm_variable : NULL, &s->birth.env, s->err);
}

/* --- the clone -------------------------------------------------------------------------------- */

static int become_subreaper(struct starter *s)
{
	if (!s->start->dedicated)
		return 0;
	s->birth.dies_with = getpid();
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return error_sys(s->err, errno, "cannot become the parent of what is left behind");
	return 0;
}

static long clone_child(struct starter *s, unsigned long flags, void (*fn)(void *), char *stack)
{
	struct clone_args args = {
		.flags = flags | CLONE_PIDFD | CLONE_CLEAR_SIGHAND |
			 s->birth.variant->namespaces.flags,
		.pidfd = (uintptr_t)&s->child->pidfd,
		.exit_signal = SIGCHLD,
		.stack = (uintptr_t)stack,
		.stack_size = CHILD_STACK_SIZE,
	};
	sigset_t all;
	long pid;

	if (cgroup_clone_fd(&s->child->cgroup) >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup_clone_fd(&s->child->cgroup);
	}
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &s->birth.mask);
	pid = child_clone(&args, fn, &s->birth);
	pthread_sigmask(SIG_SETMASK, &s->birth.mask, NULL);
	return pid;
}

/* The pipe is at its end when the program runs, or nothing of it is left. */
static int clone_first(struct starter *s, char *stack, long *ret_pid)
{
	int ends[2];
	char none;

	s->child->end = mmap(NULL, sizeof(struct birth_end), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s->child->end == MAP_FAILED) {
		s->child->end = NULL;
		return error_no_memory(s->err);
	}
	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_sys(s->err, errno, "cannot make a pipe");
	if (raise_fd(&ends[1]) < 0) {
		int rc = error_sys(s->err, errno, "cannot make a pipe");

		close(ends[0]);
		close(ends[1]);
		return rc;
	}
	s->birth.end = s->child->end;
	s->birth.alive = ends[1];
	s->birth.stack = stack + CHILD_STACK_SIZE;
	*ret_pid = clone_child(s, 0, child_be_first, stack);
	close(ends[1]);
	while (*ret_pid > 0 && read(ends[0], &none, 1) < 0 && errno == EINTR)
		;
	close(ends[0]);
	return 0;
}

static int clone_any(struct starter *s, long *ret_pid)
{
	size_t size = 2 * CHILD_STACK_SIZE;
	char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	int rc = 0;

	if (stack == MAP_FAILED)
		return error_no_memory(s->err);
	s->child->started_ns = monotonic_ns();
	if (namespaces_have_pids(&s->birth.variant->namespaces))
		rc = clone_first(s, stack, ret_pid);
	else
		*ret_pid = clone_child(s, CLONE_VM | CLONE_VFORK, child_be_born, stack);
	munmap(stack, size);
	return rc;
}

/* By its modes, outside. */
static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static bool is_known(struct starter *s, const char *path, struct sandbox_path *found)
{
	return sandbox_paths_check(s->plan->paths, SANDBOX_ACCESS_EXEC, s->birth.cwd, path, found,
				   NULL) == 0;
}

/* `found` is a program, and then what interprets it. */
static enum interpreter find_interpreter(struct starter *s, struct sandbox_path *found)
{
	cleanup_close int fd = open(found->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	enum interpreter kind = INTERPRETER_NONE;
	char name[PATH_MAX];

	if (fd >= 0)
		kind = observe_names_interpreter(fd, found->path, name);
	return kind != INTERPRETER_NONE && is_known(s, name, found) ? kind : INTERPRETER_NONE;
}

/* Of what interprets a program that the policy lets be executed, or what interprets that: `found`
 * is the program, and then what is refused. */
static bool is_interpreter_refused(struct starter *s, struct sandbox_path *found)
{
	enum interpreter kind = INTERPRETER_SCRIPT;

	for (int i = 0; kind == INTERPRETER_SCRIPT && i < OBSERVE_INTERPRETERS; i++) {
		kind = find_interpreter(s, found);
		if (kind == INTERPRETER_NONE || !is_program(found->path))
			return false;
		if (!found->allowed)
			return true;
	}
	return false;
}

/* The first file that is there is a program whose interpreter, or what interprets that, is not:
 * `found` is that. */
static bool is_interpreter_missing(struct starter *s, struct sandbox_path *found)
{
	enum interpreter kind = INTERPRETER_SCRIPT;
	char **path = s->program.path;

	while (*path && (!is_known(s, *path, found) || access(found->path, F_OK) < 0))
		path++;
	for (int i = 0; *path && kind == INTERPRETER_SCRIPT && i < OBSERVE_INTERPRETERS; i++) {
		kind = find_interpreter(s, found);
		if (kind != INTERPRETER_NONE && access(found->path, F_OK) < 0)
			return true;
	}
	return false;
}

/* The policy may be the reason: says so of the first file that is hidden, or that could be executed
 * outside and not here, or whose interpreter could. */
static bool is_policy(struct starter *s, int sys, struct sandbox_path *found)
{
	for (char **path = s->program.path; *path; path++)
		if (is_known(s, *path, found) &&
		    (sys == ENOENT ? access(found->path, F_OK) == 0 : is_program(found->path)) &&
		    (!found->allowed || is_interpreter_refused(s, found)))
			return true;
	return false;
}

/* The kernel's word would be taken for one about the program, which is there. */
static int describe_missing(struct starter *s, const char *name, const char *interpreter)
{
	cleanup_buf struct buf quoted = BUF_INIT;

	if (text_quote(&quoted, interpreter, strlen(interpreter)) < 0)
		return error_no_memory(s->err);
	error_set(s->err, ERR_NOTFOUND, "cannot execute %s: its interpreter %s is not there", name,
		  quoted.data);
	if (s->err)
		s->err->sys = ENOENT;
	return ERR_NOTFOUND;
}

static int describe_exec(struct starter *s)
{
	struct sandbox_path found;
	cleanup_buf struct buf name = BUF_INIT;
	const char *argv0 = s->start->argv[0];
	int sys = s->birth.end->error, rc;

	if (text_quote(&name, argv0, strlen(argv0)) < 0)
		return error_no_memory(s->err);
	if ((sys == EACCES || sys == ENOENT) && is_policy(s, sys, &found)) {
		rc = error_set(s->err, ERR_SYSTEM,
			       "cannot execute %s: the policy does not let it (%s: %s)", name.data,
			       found.path, found.why);
		if (s->err)
			s->err->sys = sys;
		return rc;
	}
	if (sys == ENOENT && is_interpreter_missing(s, &found))
		return describe_missing(s, name.data, found.path);
	rc = error_sys(s->err, sys, "cannot execute %s", name.data);
	if (s->err && sys == ENOENT)
		s->err->code = rc = ERR_NOTFOUND;
	return sys == ENOENT ? ERR_NOTFOUND : rc;
}

static int describe_failure(struct starter *s)
{
	if (!s->birth.end->stage)
		return describe_exec(s);
	if (strcmp(s->birth.end->stage, "working directory") == 0)
		return error_sys(s->err, s->birth.end->error,
				 "cannot go to the working directory %s in the sandbox",
				 s->birth.cwd);
	return error_sys(s->err, s->birth.end->error, "cannot start a program in the sandbox: %s",
			 s->birth.end->stage);
}

/* Of the clone: there may be no such namespace, or none for this user, or no more of them. */
static bool is_refusal(int error)
{
	return error == EPERM || error == ENOSPC || error == EUSERS || error == EINVAL ||
	       error == ENOSYS;
}

static void tell_elsewhere(struct starter *s)
{
	char text[PATH_MAX + 100];

	snprintf(text, sizeof(text),
		 "the working directory %s is not to be seen in the sandbox: the program begins in "
		 "/",
		 s->birth.cwd);
	plan_say(s->plan, text);
}

/* The program, or what has become of the child. *ret_refused: a host without namespaces. */
static int give_birth(struct starter *s, bool *ret_refused)
{
	long pid = -1;
	int rc = clone_any(s, &pid);

	if (rc < 0)
		return rc;
	if (pid < 0) {
		*ret_refused = s->birth.variant->namespaces.flags && is_refusal((int)-pid);
		rc = error_sys(s->err, (int)-pid, "cannot make a process");
		return pid == -EPERM ? error_advise(s->err, rc,
						    "a sandbox around this program has to allow it "
						    "(syscalls.processes, or another level)")
				     : rc;
	}
	s->child->pid = (pid_t)pid;
	if (s->birth.end->error == 0) {
		if (s->birth.end->elsewhere)
			tell_elsewhere(s);
		return 0;
	}
	*ret_refused = s->birth.end->refused;
	while (waitpid(s->child->pid, NULL, 0) < 0 && errno == EINTR)
		;
	s->child->reaped = true;
	return describe_failure(s);
}

/* --- one try ---------------------------------------------------------------------------------- */

static void init_child(struct starter *s)
{
	const uint64_t *limits = s->plan->policy->limits;

	s->child->pidfd = s->child->tmp_fd = -1;
	s->child->dedicated = s->start->dedicated;
	s->child->wall_ms = limits[SANDBOX_LIMIT_WALL_MS];
	s->child->output_bytes = limits[SANDBOX_LIMIT_OUTPUT_BYTES];
	for (int i = 0; i < CHILD_STREAMS; i++) {
		s->child->stream[i].fd = -1;
		s->theirs[i] = -1;
	}
	s->birth.tmp = s->birth.alive = s->birth.ruleset = s->birth.observer = -1;
	s->birth.end = &s->end;
}

/* Out of the way of the streams, and closed when a program is executed. */
static int copy_observer(struct starter *s)
{
	if (s->start->observer <= 0)
		return 0;
	s->birth.observer = fcntl(s->start->observer, F_DUPFD_CLOEXEC, 3);
	return s->birth.observer < 0
		       ? error_sys(s->err, errno, "cannot hand over the socket of the observer")
		       : 0;
}

/* What a child makes or is given for itself has rules of its own. */
static void find_ruleset(struct starter *s)
{
	const struct variant *v = s->birth.variant;
	struct streams streams;

	if (v->landlock.ruleset < 0 || v->private_tmp)
		return;
	streams_find(s->theirs, v->landlock.abi, &streams);
	streams_use_kept(&s->plan->streams, &v->landlock, &streams);
	s->birth.ruleset = streams.ruleset;
}

static int prepare(struct starter *s)
{
	int rc = fds_check(&s->plan->fds, s->err);

	if (rc == 0)
		rc = find_cwd(s);
	if (rc == 0)
		rc = make_streams(s);
	if (rc == 0)
		rc = copy_observer(s);
	if (rc == 0)
		find_ruleset(s);
	if (rc == 0 && s->birth.variant->private_tmp)
		rc = make_tmp(s);
	if (rc == 0)
		rc = make_environment(s);
	if (rc == 0)
		rc = program_find(s->start->argv, (const char *const *)s->birth.env, &s->program,
				  s->err);
	if (rc == 0)
		rc = mounts_run_new(&s->birth.variant->namespaces.holes, &s->birth.run, s->err);
	if (rc == 0 && s->plan->cgroup)
		rc = cgroup_open(s->plan->cgroup, &s->child->cgroup, s->err);
	return rc < 0 ? rc : become_subreaper(s);
}

static void clean_up(struct starter *s)
{
	for (int i = 0; i < CHILD_STREAMS; i++)
		if (s->theirs[i] >= 0)
			close(s->theirs[i]);
	if (s->birth.observer >= 0)
		close(s->birth.observer);
	mounts_run_free(&s->birth.run);
	program_free(&s->program);
	free(s->birth.env);
}

static int try_start(struct starter *s, bool *ret_refused)
{
	int rc;

	*ret_refused = false;
	s->child = calloc(1, sizeof(*s->child));
	if (!s->child)
		return error_no_memory(s->err);
	init_child(s);
	s->birth.plan = s->plan;
	s->birth.program = &s->program;
	s->birth.cgroup = &s->child->cgroup;
	rc = prepare(s);
	if (rc == 0)
		rc = give_birth(s, ret_refused);
	s->child->layers = s->birth.variant->layers;
	clean_up(s);
	if (rc < 0)
		sandbox_child_free(s->child);
	return rc;
}

/* Namespaces that the policy has a use for but does not ask for by name are tried, and done without
 * where the host refuses them: first the one of pids, then all. */
int sandbox_start(struct sandbox_plan *plan, const struct sandbox_start *start,
		  struct sandbox_child **ret, struct error *err)
{
	struct error first = {0};
	int rc = 0;

	for (int level = atomic_load(plan->level); level >= NAMESPACES_NONE; level--) {
		struct starter s = {
			.plan = plan,
			.start = start,
			.err = level == NAMESPACES_NONE ? err : &first,
		};
		bool refused = false;

		rc = plan_variant(plan, level, &s.birth.variant, s.err);
		if (rc == 0)
			rc = try_start(&s, &refused);
		if (rc == 0) {
			atomic_store(plan->level, level);
			*ret = s.child;
			return 0;
		}
		if (!refused) {
			if (err && s.err != err)
				*err = *s.err;
			break;
		}
		/* Before the program runs, of which another process may explain something. */
		if (plan->observed && level > NAMESPACES_NONE)
			atomic_store(plan->level, level - 1);
	}
	return rc;
}
