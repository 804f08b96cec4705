/* Programs that are observed: what is told of what they use. */
#include "sandbox/observe_run_test.h"
#include "sandbox/started_test.h"

#include "tools/tests.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/* Nothing restricts the program but the filter; groups are let go, but for io_uring. */
static void lift(void)
{
	static const enum sandbox_mechanism lifted[] = {
		SANDBOX_MECH_LANDLOCK_FS, SANDBOX_MECH_LANDLOCK_NET, SANDBOX_MECH_LANDLOCK_SCOPE,
		SANDBOX_MECH_NAMESPACES,  SANDBOX_MECH_RLIMITS,	     SANDBOX_MECH_CGROUP,
		SANDBOX_MECH_PROC,
	};

	sandbox_policy_set_net(started_policy, SANDBOX_NET_FULL, NULL);
	sandbox_policy_set_unix(started_policy, SANDBOX_UNIX_ALL, NULL);
	for (size_t i = 0; i < sizeof(lifted) / sizeof(lifted[0]); i++)
		sandbox_policy_set_strictness(started_policy, lifted[i], SANDBOX_STRICT_OFF, NULL);
	for (int i = 0; i < SANDBOX_SYSCALLS_COUNT; i++) {
		const struct sandbox_action let_go = {SANDBOX_ACTION_ERRNO, OBSERVE_LET_GO + i};

		if (i != SANDBOX_SYSCALLS_IO_URING)
			ck_assert_int_eq(sandbox_policy_set_syscalls(started_policy,
								     (enum sandbox_syscalls)i,
								     let_go, NULL),
					 0);
	}
}

static void run_it(const char *script, struct observed_run *run)
{
	observe_copy_fixture("uses", "uses");
	lift();
	observe_run_uses(script, run);
}

/* All of the script goes well. */
static void run_well(const char *script)
{
	struct observed_run run;

	run_it(script, &run);
	ck_assert_msg(run.status == 0, "%d: %s", run.status, run.out);
}

/* --- files -------------------------------------------------------------------------------------
 */

/* In the workspace, when it is no absolute path. */
static const char *at(const char *name)
{
	static char paths[2][128];
	static unsigned turn;
	char *path = paths[turn++ % 2];

	snprintf(path, sizeof(paths[0]), "%s%s%s", *name == '/' ? "" : started_scratch,
		 *name == '/' ? "" : "/", name);
	return path;
}

static const struct used *assert_used(enum observed_need need, const char *name)
{
	const struct used *u = observe_find_used(need, at(name));

	ck_assert_msg(u, "need %d of %s in: %s", (int)need, name, observe_list_used());
	return u;
}

static void assert_unused(enum observed_need need, const char *name)
{
	ck_assert_msg(!observe_find_used(need, at(name)), "need %d of %s in: %s", (int)need, name,
		      observe_list_used());
}

START_TEST(what_is_opened_is_told_by_its_own_path)
{
	const struct used *u;

	observe_become(_i);
	run_well("mkdir dir dir/sub; echo x >dir/f; echo y >'a (deleted)'; ln -s dir link;"
		 "cat link/f; cat 'a (deleted)'; cd dir/sub; echo z >>../g; cd ../..;"
		 "exec 9<dir/g; rm dir/g; cat /proc/self/fd/9; ./uses open_in_dir:f");
	u = assert_used(OBSERVED_OPEN, "dir/f");
	ck_assert_uint_eq(u->flags & (O_ACCMODE | O_CREAT | O_TRUNC), O_WRONLY | O_CREAT | O_TRUNC);
	ck_assert_int_ge(u->fd, 3);
	u = assert_used(OBSERVED_OPEN, "dir/g");
	ck_assert_uint_eq(u->flags & (O_ACCMODE | O_CREAT | O_APPEND),
			  O_WRONLY | O_CREAT | O_APPEND);
	assert_used(OBSERVED_OPEN, "a (deleted)");
	assert_used(OBSERVED_OPEN, "dir"); /* with O_PATH */
	assert_unused(OBSERVED_OPEN, "link/f");
	assert_unused(OBSERVED_OPEN, "dir/g (deleted)");
}
END_TEST

START_TEST(what_fails_is_not_used)
{
	struct observed_run run;

	observe_become(_i);
	run_it("cat nothing; mkdir dir; mkdir dir; rmdir nothing; mv nothing dir; ln nothing dir;"
	       "./dir; ./nothing; echo x >file; ./file; cd nothing; ./uses refused:nothing; exit 5",
	       &run);
	ck_assert_int_eq(run.status, 5);
	assert_unused(OBSERVED_OPEN, "nothing");
	assert_used(OBSERVED_MAKE, "dir");
	assert_unused(OBSERVED_REMOVE, "nothing");
	assert_unused(OBSERVED_ENTER, "nothing");
	assert_unused(OBSERVED_EXECUTE, "nothing");
	assert_unused(OBSERVED_EXECUTE, "dir");
	assert_unused(OBSERVED_EXECUTE, "file");
	ck_assert_ptr_null(observe_find_used(OBSERVED_RENAME, NULL));
	ck_assert_ptr_null(observe_find_used(OBSERVED_LINK, NULL));
	ck_assert_ptr_null(observe_find_used(OBSERVED_CONNECT, NULL));
}
END_TEST

START_TEST(flags_behind_a_pointer_are_told)
{
	observe_become(_i);
	run_well("./uses open_how:made");
	ck_assert_uint_eq(assert_used(OBSERVED_OPEN_HOW, "made")->flags,
			  O_WRONLY | O_CREAT | O_APPEND);
}
END_TEST

/* By the directory, which its name would be in. */
START_TEST(files_without_a_name_are_told)
{
	observe_become(_i);
	run_well("mkdir dir; ln -s dir link; ./uses open_nameless:link");
	ck_assert_uint_eq(assert_used(OBSERVED_OPEN, "dir")->flags & O_TMPFILE, O_TMPFILE);
}
END_TEST

START_TEST(names_are_told_and_not_what_they_lead_to)
{
	const struct used *u;

	observe_become(_i);
	run_well("mkdir dir d2; echo x >f; echo y >g; ln -s f s; mv s dir/t; ln f d2/hard;"
		 "rm dir/t; rmdir d2/none 2>/dev/null; ./uses cut:g rename_in_dir:g; cd d2; pwd");
	u = assert_used(OBSERVED_MAKE, "s");
	ck_assert_str_eq(u->path2, "");
	u = assert_used(OBSERVED_RENAME, "s");
	ck_assert_str_eq(u->path2, at("dir/t"));
	u = assert_used(OBSERVED_RENAME, "g");
	ck_assert_str_eq(u->path2, at("dir/renamed"));
	u = assert_used(OBSERVED_LINK, "f");
	ck_assert_str_eq(u->path2, at("d2/hard"));
	assert_used(OBSERVED_MAKE, "dir");
	assert_used(OBSERVED_REMOVE, "dir/t");
	assert_used(OBSERVED_WRITE, "g");
	assert_used(OBSERVED_ENTER, "d2");
	assert_unused(OBSERVED_REMOVE, "f");
}
END_TEST

START_TEST(files_that_are_exchanged_are_told)
{
	const struct used *u;

	observe_become(_i);
	run_well("mkdir dir; echo x >f; echo y >dir/other; ./uses exchange:f");
	u = assert_used(OBSERVED_RENAME, "f");
	ck_assert_str_eq(u->path2, at("dir/other"));
	ck_assert_uint_eq(u->flags, RENAME_EXCHANGE);
}
END_TEST

/* The script, what it names behind "#!", also when that is a script, and what that is a link to. */
START_TEST(what_is_executed_is_told)
{
	observe_become(_i);
	run_well("cp /bin/sh own; ln -s own link; cp uses other;"
		 "echo \"#!$PWD/link\" >script; echo 'echo run' >>script; chmod +x script;"
		 "echo \"#!$PWD/script\" >second; echo \"#!$PWD/second\" >third; chmod +x second "
		 "third;"
		 "./third; ./other");
	assert_used(OBSERVED_EXECUTE, "third");
	assert_used(OBSERVED_EXECUTE, "second");
	assert_used(OBSERVED_EXECUTE, "script");
	assert_used(OBSERVED_EXECUTE, "own");
	assert_used(OBSERVED_EXECUTE, "other");
	assert_unused(OBSERVED_EXECUTE, "link");
}
END_TEST

/* --- sockets -----------------------------------------------------------------------------------
 */

static const struct used *assert_address(enum observed_need need, int family, int type)
{
	for (size_t i = 0; i < observe_used.count; i++) {
		const struct used *u = &observe_used.item[i];

		if (u->group < 0 && u->need == need && u->address_len > 0 &&
		    u->address.ss_family == family && u->socket_type == type)
			return u;
	}
	ck_abort_msg("need %d in: %s", (int)need, observe_list_used());
}

static unsigned port_of(const struct used *u)
{
	return ntohs(((const struct sockaddr_in *)&u->address)->sin_port);
}

START_TEST(addresses_are_told_with_their_kind)
{
	const struct used *bound, *u;
	size_t made = 0;

	observe_become(_i);
	run_well("./uses bind_tcp connect_tcp send_datagram");
	bound = assert_address(OBSERVED_BIND, AF_INET, SOCK_STREAM);
	ck_assert_uint_eq(port_of(bound), 0);
	ck_assert_uint_gt(bound->port, 0);
	u = assert_address(OBSERVED_CONNECT, AF_INET, SOCK_STREAM);
	ck_assert_uint_eq(port_of(u), bound->port);
	u = assert_address(OBSERVED_CONNECT, AF_INET, SOCK_DGRAM);
	ck_assert_uint_eq(port_of(u), bound->port);
	for (size_t i = 0; i < observe_used.count; i++) {
		u = &observe_used.item[i];
		made += u->group < 0 && u->need == OBSERVED_NOTHING && u->flags == AF_INET &&
			u->fd >= 3;
	}
	ck_assert_uint_eq(made, 3);
}
END_TEST

/* It has not succeeded yet, but it will have been tried. */
START_TEST(what_is_under_way_is_told)
{
	const struct used *bound, *u;

	observe_become(_i);
	run_well("./uses bind_tcp connect_later");
	bound = assert_address(OBSERVED_BIND, AF_INET, SOCK_STREAM);
	u = assert_address(OBSERVED_CONNECT, AF_INET, SOCK_STREAM);
	ck_assert_uint_eq(port_of(u), bound->port);
}
END_TEST

START_TEST(unix_sockets_are_told_by_their_files)
{
	observe_become(_i);
	run_well("mkdir dir; ln -s dir link; ./uses bind_unix:link/own connect_unix:dir/own");
	assert_used(OBSERVED_BIND, "dir/own");
	assert_used(OBSERVED_CONNECT, "dir/own");
	assert_address(OBSERVED_CONNECT, AF_UNIX, SOCK_STREAM);
}
END_TEST

START_TEST(unix_sockets_without_a_file_have_an_address_only)
{
	const struct used *u;

	observe_become(_i);
	run_well("./uses bind_unix:@sandtape-uses connect_unix:@sandtape-uses");
	u = assert_address(OBSERVED_CONNECT, AF_UNIX, SOCK_STREAM);
	ck_assert_str_eq(u->path, "");
	ck_assert_uint_eq(u->address_len, sizeof(sa_family_t) + strlen("@sandtape-uses"));
}
END_TEST

/* --- groups, processes -------------------------------------------------------------------------
 */

/* And what is refused is refused, and no use. */
START_TEST(calls_of_groups_are_told_and_go_on)
{
	observe_become(_i);
	run_well("./uses share_memory use_ring");
	ck_assert_uint_eq(observe_count_group(SANDBOX_SYSCALLS_IPC), 2);
	ck_assert_uint_eq(observe_count_group(SANDBOX_SYSCALLS_IO_URING), 0);
	ck_assert_uint_eq(observe_count_group(SANDBOX_SYSCALLS_MOUNT), 0);
	for (size_t i = 0; i < observe_used.count; i++)
		ck_assert(observe_used.item[i].group != SANDBOX_SYSCALLS_IPC ||
			  observe_used.item[i].number == SYS_shmget ||
			  observe_used.item[i].number == SYS_shmctl);
}
END_TEST

START_TEST(all_processes_and_threads_are_looked_at)
{
	observe_become(_i);
	run_well("for i in fork thread more; do echo $i >$i; done; exec ./uses fork_untraced:fork "
		 "in_thread:thread");
	ck_assert_uint_eq(assert_used(OBSERVED_OPEN, "fork")->group, -1);
	for (size_t i = 0, found = 0; found < 2; i++) {
		const struct used *u = &observe_used.item[i];

		ck_assert_uint_lt(i, observe_used.count);
		found += u->need == OBSERVED_OPEN && (u->flags & O_ACCMODE) == O_RDONLY &&
			 (strcmp(u->path, at("fork")) == 0 || strcmp(u->path, at("thread")) == 0);
	}
	ck_assert_uint_eq(observe_count_group(SANDBOX_SYSCALLS_PROCESSES), 1);
	ck_assert_uint_eq(observe_used.most_tasks, 2);
}
END_TEST

START_TEST(the_most_tasks_at_a_time_are_counted)
{
	observe_become(_i);
	run_well("mkfifo f; exec 3<>f; for i in 1 2 3 4; do read x <&3 & done;"
		 "printf '\\n\\n\\n\\n' >&3; wait; true & wait");
	ck_assert_uint_eq(observe_used.most_tasks, 5);
	observe_run_uses("exit 0", &(struct observed_run){.rc = 0});
	ck_assert_uint_eq(observe_used.most_tasks, 1);
}
END_TEST

START_TEST(what_nobody_has_waited_for_is_counted)
{
	observe_become(_i);
	run_well("exec ./uses leave_zombies leave_zombies");
	ck_assert_uint_eq(observe_used.most_tasks, 5);
}
END_TEST

static const struct used *find_limit(int resource)
{
	for (size_t i = 0; i < observe_used.count; i++)
		if (observe_used.item[i].limit && observe_used.item[i].resource == resource)
			return &observe_used.item[i];
	return NULL;
}

/* As much as there is is what programs ask for whatever it is. */
START_TEST(limits_that_are_set_are_told)
{
	const struct rlimit files = {40, 400};

	observe_become(_i);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
	run_well("ulimit -S -n 300; exec true");
	ck_assert_ptr_nonnull(find_limit(RLIMIT_NOFILE));
	ck_assert_uint_eq(find_limit(RLIMIT_NOFILE)->limit, 300);
	run_well("ulimit -n 350; exec true");
	ck_assert_uint_eq(find_limit(RLIMIT_NOFILE)->limit, 350);
	run_well("ulimit -S -n 400; exec true");
	ck_assert_ptr_null(find_limit(RLIMIT_NOFILE));
}
END_TEST

static void add(Suite *suite, const char *name, const TTest *const tests[])
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, started_setup, started_teardown);
	tcase_set_timeout(tc, 60);
	for (size_t i = 0; tests[i]; i++)
		tcase_add_loop_test(tc, tests[i], 0, OBSERVE_USERS);
	suite_add_tcase(suite, tc);
}

Suite *sandbox_observe_use_suite(void)
{
	Suite *suite = suite_create("sandbox_observe_use");

	add(suite, "files",
	    (const TTest *const[]){what_is_opened_is_told_by_its_own_path, what_fails_is_not_used,
				   flags_behind_a_pointer_are_told, files_without_a_name_are_told,
				   names_are_told_and_not_what_they_lead_to,
				   files_that_are_exchanged_are_told, what_is_executed_is_told,
				   NULL});
	add(suite, "sockets",
	    (const TTest *const[]){addresses_are_told_with_their_kind, what_is_under_way_is_told,
				   unix_sockets_are_told_by_their_files,
				   unix_sockets_without_a_file_have_an_address_only, NULL});
	add(suite, "tasks",
	    (const TTest *const[]){
		    calls_of_groups_are_told_and_go_on, all_processes_and_threads_are_looked_at,
		    the_most_tasks_at_a_time_are_counted, what_nobody_has_waited_for_is_counted,
		    limits_that_are_set_are_told, NULL});
	return suite;
}
