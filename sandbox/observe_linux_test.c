/* Programs that are observed: what is told of them, and that they do not notice it. */
#include "sandbox/observe_run_test.h"
#include "sandbox/started_test.h"

#include "tools/tests.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- what is told ------------------------------------------------------------------------------
 */

static void assert_told(long number, int error, const char *path, enum sandbox_outside outside)
{
	const struct seen *s = observe_find(number, error, path);

	ck_assert_msg(s, "%ld %s in: %s", number, path, observe_list());
	ck_assert_int_eq(s->outside, outside);
	ck_assert_int_gt(s->pid, 0);
	ck_assert(!s->filtered);
}

START_TEST(a_denied_file_is_told_by_its_path)
{
	struct observed_run run;

	observe_become(_i);
	observe_run("ln -s /usr/share link; echo x >/usr/new; cd /usr/share; echo x >../other;"
		    "cd "
		    "$OLDPWD; echo x >link/linked; exit 3",
		    &run);
	ck_assert_int_eq(run.status, 3);
	assert_told(SYS_openat, EACCES, "/usr/new",
		    geteuid() == 0 ? SANDBOX_OUTSIDE_YES : SANDBOX_OUTSIDE_NO);
	ck_assert_msg(observe_find(SYS_openat, EACCES, "/usr/other"), "%s", observe_list());
	ck_assert_msg(observe_find(SYS_openat, EACCES, "/usr/share/linked"), "%s", observe_list());
}
END_TEST

/* EXDEV is what Landlock has for it, so that programs go on to copy. */
START_TEST(both_paths_of_a_call_are_told)
{
	const struct seen *s;
	struct observed_run run;
	char from[128];

	observe_become(_i);
	observe_run("echo x >file; mkdir dir; ln -s /usr/lib link; cd dir;"
		    "mv -T ../file /usr/moved; ln ../file ../link/hard",
		    &run);
	snprintf(from, sizeof(from), "%s/file", started_scratch);
	s = observe_find(SYS_renameat2, EXDEV, from);
	ck_assert_msg(s && strcmp(s->path2, "/usr/moved") == 0, "%s", observe_list());
	s = observe_find(SYS_linkat, EXDEV, from);
	ck_assert_msg(s && strcmp(s->path2, "/usr/lib/hard") == 0, "%s", observe_list());
}
END_TEST

/* Whether a rename would succeed outside depends on what is at its second name. */
START_TEST(flags_of_renames_count_outside)
{
	static const struct {
		unsigned flags;
		bool there;
		enum sandbox_outside outside;
	} rows[] = {
		{0, false, SANDBOX_OUTSIDE_YES},
		{0, true, SANDBOX_OUTSIDE_YES},
		{RENAME_NOREPLACE, false, SANDBOX_OUTSIDE_YES},
		{RENAME_NOREPLACE, true, SANDBOX_OUTSIDE_NO},
		{RENAME_EXCHANGE, false, SANDBOX_OUTSIDE_NO},
		{RENAME_EXCHANGE, true, SANDBOX_OUTSIDE_YES},
	};
	char from[128], to[2][128];

	for (size_t i = 0; i < 3; i++) {
		char *path = i < 2 ? to[i] : from;

		snprintf(path, sizeof(from), "%s/%zu", started_scratch, i);
		ck_assert(i == 0 || close(open(path, O_CREAT | O_WRONLY, 0600)) == 0);
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_int_eq(
			observe_outside(OBSERVED_RENAME, rows[i].flags, from, to[rows[i].there]),
			rows[i].outside);
}
END_TEST

START_TEST(what_is_not_there_outside_either_is_not_told)
{
	struct observed_run run;

	observe_become(_i);
	observe_run(
		"cat /no/such/file; cat nothing; nothing-of-this-name; exec 2>/dev/null; exit 4",
		&run);
	ck_assert_int_eq(run.status, 4);
	for (size_t i = 0; i < observe_all.count; i++)
		ck_assert_msg(observe_all.item[i].error != ENOENT, "%s", observe_list());
}
END_TEST

/* In the real /tmp, which the program does not see. */
static void put_loader(const char *name, const char *from)
{
	char command[256];

	snprintf(command, sizeof(command), "cp '%s' '%s' && chmod 755 '%s'", from, name, name);
	ck_assert_int_eq(system(command), 0);
}

/* `name` is not longer than the one that it takes the place of. */
static void change_loader(const char *program, const char *name)
{
	static const char loader[] = "/lib64/ld-linux-x86-64.so.2";
	static char bytes[1 << 20];
	char path[128];
	FILE *f;
	size_t n;
	char *at;

	snprintf(path, sizeof(path), "%s/%s", started_scratch, program);
	f = fopen(path, "r+");
	ck_assert_ptr_nonnull(f);
	n = fread(bytes, 1, sizeof(bytes), f);
	at = memmem(bytes, n, loader, sizeof(loader));
	ck_assert_ptr_nonnull(at);
	memset(at, 0, sizeof(loader));
	memcpy(at, name, strlen(name));
	rewind(f);
	ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
	ck_assert_int_eq(fclose(f), 0);
}

START_TEST(what_interprets_a_program_is_told)
{
	const struct seen *s;
	struct observed_run run;
	char name[24], path[128], script[128];

	snprintf(name, sizeof(name), "/tmp/ld-%d", (int)getpid());
	snprintf(script, sizeof(script), "echo '#! %s -x' >s; chmod +x s; ./s; ./acts", name);
	observe_copy_fixture("acts_x86_64", "acts");
	change_loader("acts", name);
	observe_become(_i);
	put_loader(name, "/bin/sh");
	observe_run(script, &run);
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", started_scratch, i ? "acts" : "s");
		s = observe_find(SYS_execve, ENOENT, path);
		ck_assert_msg(s, "%s in: %s", path, observe_list());
		ck_assert_str_eq(s->path2, name);
		ck_assert_int_eq(s->outside, SANDBOX_OUTSIDE_YES);
	}
	ck_assert_int_eq(unlink(name), 0);
}
END_TEST

static void assert_levels(const char *program, size_t levels, const char *last)
{
	const struct seen *s;
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", started_scratch, program);
	s = observe_find(SYS_execve, ENOENT, path);
	ck_assert_msg(s, "%s in: %s", path, observe_list());
	ck_assert_uint_eq(s->levels, levels);
	ck_assert_str_eq(s->last, last);
	ck_assert_int_eq(s->outside, SANDBOX_OUTSIDE_YES);
}

/* As deep as Linux goes: "6" has five scripts and what the last one names. */
START_TEST(what_interprets_an_interpreter_is_told)
{
	struct observed_run run;
	char name[24], script[512];

	snprintf(name, sizeof(name), "/tmp/ld-%d", (int)getpid());
	observe_copy_fixture("acts_x86_64", "acts");
	change_loader("acts", name);
	observe_become(_i);
	put_loader(name, "/bin/sh");
	snprintf(script, sizeof(script),
		 "echo '#!%s' >1; for i in 1 2 3 4 5; do echo \"#!$PWD/$i\" >$((i + 1)); done;"
		 "echo \"#!$PWD/acts\" >l; echo \"#!$PWD/round\" >round; chmod +x ? round;"
		 "./2; ./6; ./l; ./round",
		 name);
	observe_run(script, &run);
	assert_levels("2", 1, name);
	assert_levels("6", 5, name);
	assert_levels("l", 1, name);
	for (size_t i = 0; i < observe_all.count; i++)
		ck_assert(!strstr(observe_all.item[i].path, "round") ||
			  observe_all.item[i].error == ELOOP);
	ck_assert_int_eq(unlink(name), 0);
}
END_TEST

/* A number that may be one of its own is none of somebody outside. */
START_TEST(signals_to_who_is_outside_are_told)
{
	const struct seen *s;
	struct observed_run run;
	char script[128];

	observe_become(_i);
	snprintf(script, sizeof(script),
		 "kill -CONT %d; kill -CONT 4194000; true & wait; kill -0 $!", (int)getpid());
	observe_run(script, &run);
	s = observe_find(SYS_kill, ESRCH, NULL);
	ck_assert_msg(s, "%s", observe_list());
	ck_assert_int_eq((pid_t)s->args[0], getpid());
	ck_assert_int_eq(s->outside, SANDBOX_OUTSIDE_YES);
	for (size_t i = 0; i < observe_all.count; i++)
		ck_assert(&observe_all.item[i] == s || observe_all.item[i].number != SYS_kill);
}
END_TEST

START_TEST(what_the_filter_refuses_is_told)
{
	const struct seen *s;
	struct observed_run run;

	observe_become(_i);
	observe_run("unshare -m true", &run);
	ck_assert_int_eq(run.status, 1);
	s = observe_find(SYS_unshare, EPERM, NULL);
	ck_assert_msg(s, "%s", observe_list());
	ck_assert(s->filtered);
	ck_assert_uint_ne(s->args[0], 0);
}
END_TEST

/* The limit is that of the process. */
START_TEST(limits_are_told)
{
	const struct seen *s;
	struct observed_run run;

	observe_become(_i);
	sandbox_policy_set_limit(started_policy, SANDBOX_LIMIT_FILES, 20, NULL);
	sandbox_policy_set_limit(started_policy, SANDBOX_LIMIT_FILE_MB, 1, NULL);
	observe_run("(ulimit -n 3; cat /dev/null); ulimit -f 1; (head -c 100000 /dev/zero >big)",
		    &run);
	s = observe_find(SYS_openat, EMFILE, NULL);
	ck_assert_msg(s, "%s", observe_list());
	ck_assert_uint_eq(s->limit, 3);
	s = observe_find_signal(SIGXFSZ);
	ck_assert_msg(s, "%s", observe_list());
	ck_assert_uint_eq(s->limit, 512);
}
END_TEST

/* Who has sent it is told apart by the call that it came in. */
START_TEST(signals_of_programs_are_not_those_of_limits)
{
	struct observed_run run;

	observe_become(_i);
	observe_run("sh -c 'kill -XFSZ $$'; sleep 9 & kill -XFSZ $!; wait $!", &run);
	ck_assert_int_eq(run.status, 128 + SIGXFSZ);
	ck_assert_msg(!observe_find_signal(SIGXFSZ), "%s", observe_list());
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
	observe_run("unshare -m true", &run);
	ck_assert_int_eq(run.status, 128 + SIGSYS);
	s = observe_find_signal(SIGSYS);
	ck_assert_msg(s, "%s", observe_list());
	ck_assert_int_eq(s->number, SYS_unshare);
	ck_assert_int_eq(s->code, 1);
	for (size_t i = 0; i < observe_all.count; i++)
		count += observe_all.item[i].what == SANDBOX_SEEN_SIGNAL;
	ck_assert_uint_eq(count, 1);
}

START_TEST(a_call_that_kills_is_told)
{
	observe_become(_i);
	assert_sigsys(SANDBOX_ACTION_KILL);
}
END_TEST

START_TEST(a_call_that_is_trapped_is_told)
{
	observe_become(_i);
	assert_sigsys(SANDBOX_ACTION_TRAP);
}
END_TEST

/* --- what programs see -------------------------------------------------------------------------
 */

static const char *const acts[] = {
	"open_passwords open_nothing open_null make_in_usr signal_init raise_limit execute_nothing",
	"mount_it trace_me unshare_it clone_new use_keys make_packets make_unknown_call",
	"getpid_of_x32 getpid_of_32_bits",
	"fork_it vfork_it make_untraced leave_daemon many_at_once",
	"many_forks",
	"many_threads execute_in_thread execute_beside_threads",
	"stop_and_go_on be_interrupted be_trapped write_too_much",
	"ask_for_tracer ask_as_observer go_around_by_tracer",
};

enum { ACTS = sizeof(acts) / sizeof(acts[0]) };

START_TEST(programs_see_no_observer)
{
	struct observed_run plain, observed;
	char script[512];

	observe_copy_fixture("acts_x86_64", "acts");
	observe_become(_i % OBSERVE_USERS);
	sandbox_policy_set_limit(started_policy, SANDBOX_LIMIT_PROCESSES, SANDBOX_NO_LIMIT, NULL);
	snprintf(script, sizeof(script), "./acts %s", acts[_i / OBSERVE_USERS]);
	observe_plainly(script, &plain);
	observe_run(script, &observed);
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

	observe_copy_fixture("acts_x86_64", "acts");
	observe_become(_i);
	observe_plainly("./acts listen_to_calls", &plain);
	observe_run("./acts listen_to_calls", &observed);
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

/* observe_try() looks for children that are left. */
START_TEST(nothing_is_left)
{
	unsigned before = count_fds();
	struct observed_run run;

	observe_become(_i % OBSERVE_USERS);
	if (_i / OBSERVE_USERS)
		sandbox_policy_set_namespace(started_policy, SANDBOX_NS_PID, SANDBOX_USE_OFF, NULL);
	for (int i = 0; i < 3; i++) {
		observe_run("setsid sleep 1000 & (setsid setsid sleep 1000 &) ; exit 0", &run);
		ck_assert_int_eq(run.status, 0);
	}
	ck_assert_uint_eq(count_fds(), before);
}
END_TEST

/* Not by the runner, and in no namespace that would end with it. */
START_TEST(what_the_runner_leaves_is_killed)
{
	struct observed_run run;

	observe_become(_i);
	sandbox_policy_set_namespace(started_policy, SANDBOX_NS_PID, SANDBOX_USE_OFF, NULL);
	observe_dedicated = false;
	observe_run("setsid sleep 1000 & (setsid setsid sleep 1000 &) ; exit 0", &run);
	ck_assert_int_eq(run.status, 0);
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
	ck_assert_int_eq(sandbox_observe(ends[0], pid, observe_see, &observe_all, &status, NULL),
			 0);
	ck_assert_int_eq(WEXITSTATUS(status), 42);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

/* Where neither a namespace nor its parent would end it, nor a call that stops: it reads. */
START_TEST(the_program_dies_with_its_observer)
{
	int ends[2], alive[2];
	struct pollfd end = {.events = POLLIN};
	pid_t observer;

	observe_become(_i);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	sandbox_policy_set_namespace(started_policy, SANDBOX_NS_PID, SANDBOX_USE_OFF, NULL);
	ck_assert_int_eq(pipe2(alive, 0), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	observer = fork();
	if (observer == 0) {
		pid_t runner = fork();
		int status;

		if (runner == 0) {
			const char *const argv[] = {"sh", "-c",
						    "mkfifo f; exec 0<>f; echo x; read y", NULL};
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
		_exit(sandbox_observe(ends[0], runner, observe_see, &observe_all, &status, NULL));
	}
	close(alive[1]);
	ck_assert_int_eq(read(alive[0], &(char){0}, 1), 1);
	kill(observer, SIGKILL);
	end.fd = alive[0];
	do
		ck_assert_int_eq(poll(&end, 1, 20000), 1);
	while (read(alive[0], &(char){0}, 1) > 0);
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

	observe_become(_i);
	pid = fork();
	if (pid == 0) {
		struct observed_run run;

		refuse_ptrace(_i ? EPERM : ENOSYS);
		observe_try("echo run", &run);
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

	tcase_add_loop_test(told, a_denied_file_is_told_by_its_path, 0, OBSERVE_USERS);
	tcase_add_loop_test(told, both_paths_of_a_call_are_told, 0, OBSERVE_USERS);
	tcase_add_test(told, flags_of_renames_count_outside);
	tcase_add_loop_test(told, what_is_not_there_outside_either_is_not_told, 0, OBSERVE_USERS);
	tcase_add_loop_test(told, what_interprets_a_program_is_told, 0, OBSERVE_USERS);
	tcase_add_loop_test(told, what_interprets_an_interpreter_is_told, 0, OBSERVE_USERS);
	tcase_add_loop_test(told, signals_to_who_is_outside_are_told, 0, OBSERVE_USERS);
	tcase_add_loop_test(told, what_the_filter_refuses_is_told, 0, OBSERVE_USERS);
	tcase_add_loop_test(told, limits_are_told, 0, OBSERVE_USERS);
	tcase_add_loop_test(told, signals_of_programs_are_not_those_of_limits, 0, OBSERVE_USERS);
	tcase_add_loop_test(told, a_call_that_kills_is_told, 0, OBSERVE_USERS);
	tcase_add_loop_test(told, a_call_that_is_trapped_is_told, 0, OBSERVE_USERS);
	tcase_add_loop_test(seen, programs_see_no_observer, 0, ACTS * OBSERVE_USERS);
	tcase_add_loop_test(seen, programs_get_no_listener, 0, OBSERVE_USERS);
	tcase_add_loop_test(ends, nothing_is_left, 0, OBSERVE_USERS * 2);
	tcase_add_loop_test(ends, what_the_runner_leaves_is_killed, 0, OBSERVE_USERS);
	tcase_add_test(ends, a_runner_that_starts_nothing_is_waited_for);
	tcase_add_loop_test(ends, the_program_dies_with_its_observer, 0, OBSERVE_USERS);
	tcase_add_loop_test(ends, a_refused_tracer_is_told_with_the_reason, 0, OBSERVE_USERS);
	tcase_add_test(ends, without_an_observer_what_is_refused_fails);
	return suite;
}
