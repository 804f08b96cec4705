/* Programs that are observed: what is told of them, and that they do not notice it. */
#include "sandbox/denial.h"
#include "sandbox/started_test.h"

#include "tools/tests.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- what is seen ------------------------------------------------------------------------------
 */

struct seen {
	enum sandbox_seen what;
	pid_t pid;
	int number, error, signal, code;
	bool filtered;
	enum sandbox_outside outside;
	uint64_t limit;
	uint64_t args[6];
	char path[256], path2[256];
	struct sockaddr_storage address;
};

#define SEEN_MAX 4096

struct all_seen {
	size_t count;
	struct seen item[SEEN_MAX];
};

static struct all_seen all;

static void see(void *ctx, const struct sandbox_observation *o)
{
	struct all_seen *list = ctx;
	struct seen *s;

	ck_assert_uint_lt(list->count, SEEN_MAX);
	s = &list->item[list->count++];
	*s = (struct seen){
		.what = o->what,
		.pid = o->pid,
		.number = o->number,
		.error = o->error,
		.signal = o->signal,
		.code = o->code,
		.filtered = o->filtered,
		.outside = o->outside,
		.limit = o->limit,
	};
	memcpy(s->args, o->args, sizeof(s->args));
	snprintf(s->path, sizeof(s->path), "%s", o->path ? o->path : "");
	snprintf(s->path2, sizeof(s->path2), "%s", o->path2 ? o->path2 : "");
	if (o->address)
		memcpy(&s->address, o->address, o->address_len);
}

static const struct seen *find(long number, int error, const char *path)
{
	for (size_t i = 0; i < all.count; i++) {
		const struct seen *s = &all.item[i];

		if (s->what == SANDBOX_SEEN_CALL && s->number == number && s->error == error &&
		    (!path || strcmp(s->path, path) == 0))
			return s;
	}
	return NULL;
}

static const struct seen *find_signal(int signal)
{
	for (size_t i = 0; i < all.count; i++)
		if (all.item[i].what == SANDBOX_SEEN_SIGNAL && all.item[i].signal == signal)
			return &all.item[i];
	return NULL;
}

/* Of what failed, for whoever reads the failure. */
static const char *list_seen(void)
{
	static char text[4096];
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < all.count && len < sizeof(text) - 400; i++) {
		const struct seen *s = &all.item[i];

		len += (size_t)snprintf(text + len, sizeof(text) - len,
					"[call %d: %d %s %s; signal %d] ", s->number, s->error,
					s->path, s->filtered ? "filtered" : "", s->signal);
	}
	return text;
}

/* --- runs --------------------------------------------------------------------------------------
 */

struct observed_run {
	int rc;
	int status; /* of the runner: the program's exit status, or 100 and its signal */
	char out[4096];
	struct error err;
};

struct runner {
	const char *script;
	enum sandbox_plan_use use;
	int socket, out;
};

static int run_script(const struct runner *r)
{
	const char *const argv[] = {"sh", "-c", r->script, NULL};
	const struct sandbox_start start = {
		.argv = argv,
		.cwd = started_scratch,
		.stdin_fd = -1,
		.out = {.kind = SANDBOX_OUTPUT_FD, .fd = r->out},
		.err = {.kind = SANDBOX_OUTPUT_FD, .fd = r->out},
		.dedicated = true,
		.observer = r->socket,
	};
	struct sandbox_plan *plan = NULL;
	struct sandbox_child *child = NULL;
	struct sandbox_result result;
	struct error err = {0};

	if (sandbox_plan_new(started_policy, r->use, NULL, NULL, &plan, &err) < 0 ||
	    sandbox_start(plan, &start, &child, &err) < 0 ||
	    sandbox_wait(child, &result, &err) < 0) {
		dprintf(r->out, "%s\n", err.text);
		return 99;
	}
	sandbox_child_free(child);
	sandbox_plan_free(plan);
	return result.end == SANDBOX_END_EXIT ? result.status : 100 + result.status;
}

static pid_t fork_runner(const char *script, enum sandbox_plan_use use, int ends[2], int out)
{
	struct runner runner = {.script = script, .use = use, .out = out};
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid > 0)
		return pid;
	if (ends) {
		close(ends[0]);
		runner.socket = ends[1];
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	_exit(run_script(&runner));
}

static int make_output(void)
{
	int fd = memfd_create("output", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static void take_output(int fd, char text[4096])
{
	ssize_t n = pread(fd, text, 4095, 0);

	text[n > 0 ? n : 0] = '\0';
	close(fd);
}

static void run_plainly(const char *script, struct observed_run *run)
{
	int out = make_output(), status;
	pid_t pid = fork_runner(script, SANDBOX_PLAN_START, NULL, out);

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	run->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	take_output(out, run->out);
}

static void run_observed(const char *script, struct observed_run *run)
{
	int ends[2], out = make_output(), status = -1;
	pid_t pid;

	all.count = 0;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	pid = fork_runner(script, SANDBOX_PLAN_OBSERVED, ends, out);
	close(ends[1]);
	run->err = (struct error){0};
	run->rc = sandbox_observe(ends[0], pid, see, &all, &status, &run->err);
	close(ends[0]);
	run->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	take_output(out, run->out);
	ck_assert_int_eq(waitpid(-1, NULL, __WALL | WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
}

static void observe(const char *script, struct observed_run *run)
{
	run_observed(script, run);
	ck_assert_msg(run->rc == 0, "%s", run->err.text);
}

/* --- users -------------------------------------------------------------------------------------
 */

enum { USERS = 2 }; /* root, and an ordinary one; or twice whoever runs the tests */

static void become(int which)
{
	const uid_t user = 65534;

	if (which == 0 || geteuid() != 0)
		return;
	ck_assert_int_eq(chown(started_scratch, user, user), 0);
	ck_assert_int_eq(setgroups(0, NULL), 0);
	ck_assert_int_eq(setresgid(user, user, user), 0);
	ck_assert_int_eq(setresuid(user, user, user), 0);
	ck_assert_int_eq(prctl(PR_SET_DUMPABLE, 1), 0);
}

/* --- what is told ------------------------------------------------------------------------------
 */

static void assert_told(long number, int error, const char *path, enum sandbox_outside outside)
{
	const struct seen *s = find(number, error, path);

	ck_assert_msg(s, "%ld %s in: %s", number, path, list_seen());
	ck_assert_int_eq(s->outside, outside);
	ck_assert_int_gt(s->pid, 0);
	ck_assert(!s->filtered);
}

START_TEST(a_denied_file_is_told_by_its_path)
{
	struct observed_run run;

	become(_i);
	observe("ln -s /usr/share link; echo x >/usr/new; cd /usr/share; echo x >../other;"
		"cd "
		"$OLDPWD; echo x >link/linked; exit 3",
		&run);
	ck_assert_int_eq(run.status, 3);
	assert_told(SYS_openat, EACCES, "/usr/new",
		    geteuid() == 0 ? SANDBOX_OUTSIDE_YES : SANDBOX_OUTSIDE_NO);
	ck_assert_msg(find(SYS_openat, EACCES, "/usr/other"), "%s", list_seen());
	ck_assert_msg(find(SYS_openat, EACCES, "/usr/share/linked"), "%s", list_seen());
}
END_TEST

/* EXDEV is what Landlock has for it, so that programs go on to copy. */
START_TEST(both_paths_of_a_call_are_told)
{
	const struct seen *s;
	struct observed_run run;
	char from[128];

	become(_i);
	observe("echo x >file; mkdir dir; ln -s /usr/lib link; cd dir;"
		"mv -T ../file /usr/moved; ln ../file ../link/hard",
		&run);
	snprintf(from, sizeof(from), "%s/file", started_scratch);
	s = find(SYS_renameat2, EXDEV, from);
	ck_assert_msg(s && strcmp(s->path2, "/usr/moved") == 0, "%s", list_seen());
	s = find(SYS_linkat, EXDEV, from);
	ck_assert_msg(s && strcmp(s->path2, "/usr/lib/hard") == 0, "%s", list_seen());
}
END_TEST

START_TEST(what_is_not_there_outside_either_is_not_told)
{
	struct observed_run run;

	become(_i);
	observe("cat /no/such/file; cat nothing; nothing-of-this-name; exec 2>/dev/null; exit 4",
		&run);
	ck_assert_int_eq(run.status, 4);
	for (size_t i = 0; i < all.count; i++)
		ck_assert_msg(all.item[i].error != ENOENT, "%s", list_seen());
}
END_TEST

START_TEST(what_the_filter_refuses_is_told)
{
	const struct seen *s;
	struct observed_run run;

	become(_i);
	observe("unshare -m true", &run);
	ck_assert_int_eq(run.status, 1);
	s = find(SYS_unshare, EPERM, NULL);
	ck_assert_msg(s, "%s", list_seen());
	ck_assert(s->filtered);
	ck_assert_uint_ne(s->args[0], 0);
}
END_TEST

/* The limit is that of the process. */
START_TEST(limits_are_told)
{
	const struct seen *s;
	struct observed_run run;

	become(_i);
	sandbox_policy_set_limit(started_policy, SANDBOX_LIMIT_FILES, 20, NULL);
	sandbox_policy_set_limit(started_policy, SANDBOX_LIMIT_FILE_MB, 1, NULL);
	observe("(ulimit -n 3; cat /dev/null); ulimit -f 1; (head -c 100000 /dev/zero >big)", &run);
	s = find(SYS_openat, EMFILE, NULL);
	ck_assert_msg(s, "%s", list_seen());
	ck_assert_uint_eq(s->limit, 3);
	s = find_signal(SIGXFSZ);
	ck_assert_msg(s, "%s", list_seen());
	ck_assert_uint_eq(s->limit, 512);
}
END_TEST

/* --- SIGSYS ------------------------------------------------------------------------------------
 */

static void assert_sigsys(enum sandbox_action_kind kind)
{
	const struct sandbox_action action = {.kind = kind};
	const struct seen *s;
	struct observed_run run;
	size_t count = 0;

	ck_assert_int_eq(sandbox_policy_set_syscalls(started_policy, SANDBOX_SYSCALLS_NAMESPACES,
						     action, NULL),
			 0);
	observe("unshare -m true", &run);
	ck_assert_int_eq(run.status, 128 + SIGSYS);
	s = find_signal(SIGSYS);
	ck_assert_msg(s, "%s", list_seen());
	ck_assert_int_eq(s->number, SYS_unshare);
	ck_assert_int_eq(s->code, 1);
	for (size_t i = 0; i < all.count; i++)
		count += all.item[i].what == SANDBOX_SEEN_SIGNAL;
	ck_assert_uint_eq(count, 1);
}

START_TEST(a_call_that_kills_is_told)
{
	become(_i);
	assert_sigsys(SANDBOX_ACTION_KILL);
}
END_TEST

START_TEST(a_call_that_is_trapped_is_told)
{
	become(_i);
	assert_sigsys(SANDBOX_ACTION_TRAP);
}
END_TEST

/* --- what programs see -------------------------------------------------------------------------
 */

/* The program of fixtures/, as the workspace has it. */
static void copy_acts(void)
{
	char self[4096], command[8400];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	ck_assert_int_gt(n, 0);
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	snprintf(command, sizeof(command), "cp '%s/fixtures/acts_x86_64' '%s/acts'", self,
		 started_scratch);
	ck_assert_int_eq(system(command), 0);
}

static const char *const acts[] = {
	"open_passwords open_nothing open_null make_in_usr signal_init raise_limit execute_nothing",
	"mount_it trace_me unshare_it clone_new use_keys make_packets make_unknown_call",
	"getpid_of_x32 getpid_of_32_bits",
	"fork_it vfork_it make_untraced leave_daemon many_at_once",
	"many_forks",
	"many_threads execute_in_thread",
	"stop_and_go_on be_interrupted be_trapped write_too_much",
	"ask_for_tracer ask_as_observer go_around_by_tracer",
};

enum { ACTS = sizeof(acts) / sizeof(acts[0]) };

START_TEST(programs_see_no_observer)
{
	struct observed_run plain, observed;
	char script[512];

	copy_acts();
	become(_i % USERS);
	sandbox_policy_set_limit(started_policy, SANDBOX_LIMIT_PROCESSES, SANDBOX_NO_LIMIT, NULL);
	snprintf(script, sizeof(script), "./acts %s", acts[_i / USERS]);
	run_plainly(script, &plain);
	observe(script, &observed);
	ck_assert_int_eq(plain.status, 0);
	ck_assert_int_eq(observed.status, 0);
	ck_assert_str_eq(plain.out, observed.out);
	ck_assert_ptr_nonnull(strchr(plain.out, '\n'));
}
END_TEST

/* A listener of the program's own could let go what the policy refuses. */
START_TEST(programs_get_no_listener)
{
	struct observed_run plain, observed;

	copy_acts();
	become(_i);
	run_plainly("./acts listen_to_calls", &plain);
	observe("./acts listen_to_calls", &observed);
	ck_assert_ptr_null(strstr(plain.out, "-16"));
	ck_assert_str_eq(observed.out, "listen_to_calls: -16\n");
}
END_TEST

/* --- ends --------------------------------------------------------------------------------------
 */

static unsigned count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

/* run_observed() looks for children that are left. */
START_TEST(nothing_is_left)
{
	unsigned before = count_fds();
	struct observed_run run;

	become(_i % USERS);
	if (_i / USERS)
		sandbox_policy_set_namespace(started_policy, SANDBOX_NS_PID, SANDBOX_USE_OFF, NULL);
	for (int i = 0; i < 3; i++) {
		observe("setsid sleep 1000 & (setsid setsid sleep 1000 &) ; exit 0", &run);
		ck_assert_int_eq(run.status, 0);
	}
	ck_assert_uint_eq(count_fds(), before);
}
END_TEST

START_TEST(a_runner_that_starts_nothing_is_waited_for)
{
	int ends[2], status = 0;
	pid_t pid;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	pid = fork();
	if (pid == 0)
		_exit(42);
	ck_assert_int_eq(sandbox_observe(ends[0], pid, see, &all, &status, NULL), 0);
	ck_assert_int_eq(WEXITSTATUS(status), 42);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

/* Where neither a namespace nor its parent would end it. */
START_TEST(the_program_dies_with_its_observer)
{
	int ends[2], alive[2];
	struct pollfd end = {.events = POLLHUP};
	pid_t observer;

	become(_i);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	sandbox_policy_set_namespace(started_policy, SANDBOX_NS_PID, SANDBOX_USE_OFF, NULL);
	ck_assert_int_eq(pipe2(alive, 0), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	observer = fork();
	if (observer == 0) {
		pid_t runner = fork();
		int status;

		if (runner == 0) {
			const char *const argv[] = {"sh", "-c", "echo x; sleep 1000", NULL};
			const struct sandbox_start start = {
				.argv = argv,
				.cwd = started_scratch,
				.stdin_fd = -1,
				.out = {.kind = SANDBOX_OUTPUT_FD, .fd = alive[1]},
				.observer = ends[1],
			};
			struct sandbox_plan *plan = started_plan(SANDBOX_PLAN_OBSERVED);
			struct sandbox_child *child = NULL;
			struct sandbox_result result;

			ck_assert_int_eq(sandbox_start(plan, &start, &child, NULL), 0);
			close(alive[1]);
			_exit(sandbox_wait(child, &result, NULL) < 0 ? 99 : result.status);
		}
		close(alive[1]);
		close(ends[1]);
		_exit(sandbox_observe(ends[0], runner, see, &all, &status, NULL));
	}
	close(alive[1]);
	ck_assert_int_eq(read(alive[0], &(char){0}, 1), 1);
	kill(observer, SIGKILL);
	end.fd = alive[0];
	while (read(alive[0], &(char){0}, 1) > 0)
		;
	ck_assert_int_eq(poll(&end, 1, 10000), 1);
	while (wait(NULL) > 0)
		;
}
END_TEST

static void refuse_ptrace(int error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ptrace, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {4, code};

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

/* In a child that ends at once, since LeakSanitizer needs ptrace, too. */
START_TEST(a_refused_tracer_is_told_with_the_reason)
{
	pid_t pid;
	int status;

	become(_i);
	pid = fork();
	if (pid == 0) {
		struct observed_run run;

		refuse_ptrace(_i ? EPERM : ENOSYS);
		run_observed("echo run", &run);
		_exit(run.rc == ERR_UNSUPPORTED && strstr(run.err.text, "filter") &&
				      !strstr(run.out, "run")
			      ? 0
			      : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

/* A plan for it by itself does not let go what it would refuse. */
START_TEST(without_an_observer_what_is_refused_fails)
{
	struct sandbox_plan *plan = started_plan(SANDBOX_PLAN_OBSERVED);
	struct sandbox_child *child = NULL;
	struct error err = {0};

	ck_assert_int_lt(started_shell(plan, "echo run", &child, &err), 0);
	ck_assert_int_eq(err.sys, ENOSYS);
	sandbox_plan_free(plan);
}
END_TEST

static TCase *add_case(Suite *suite, const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, started_setup, started_teardown);
	tcase_set_timeout(tc, 120);
	suite_add_tcase(suite, tc);
	return tc;
}

Suite *sandbox_observe_suite(void)
{
	Suite *suite = suite_create("sandbox_observe");
	TCase *told = add_case(suite, "told"), *seen = add_case(suite, "seen"),
	      *ends = add_case(suite, "ends");

	tcase_add_loop_test(told, a_denied_file_is_told_by_its_path, 0, USERS);
	tcase_add_loop_test(told, both_paths_of_a_call_are_told, 0, USERS);
	tcase_add_loop_test(told, what_is_not_there_outside_either_is_not_told, 0, USERS);
	tcase_add_loop_test(told, what_the_filter_refuses_is_told, 0, USERS);
	tcase_add_loop_test(told, limits_are_told, 0, USERS);
	tcase_add_loop_test(told, a_call_that_kills_is_told, 0, USERS);
	tcase_add_loop_test(told, a_call_that_is_trapped_is_told, 0, USERS);
	tcase_add_loop_test(seen, programs_see_no_observer, 0, ACTS * USERS);
	tcase_add_loop_test(seen, programs_get_no_listener, 0, USERS);
	tcase_add_loop_test(ends, nothing_is_left, 0, USERS * 2);
	tcase_add_test(ends, a_runner_that_starts_nothing_is_waited_for);
	tcase_add_loop_test(ends, the_program_dies_with_its_observer, 0, USERS);
	tcase_add_loop_test(ends, a_refused_tracer_is_told_with_the_reason, 0, USERS);
	tcase_add_test(ends, without_an_observer_what_is_refused_fails);
	return suite;
}
