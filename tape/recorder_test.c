/* Small shell scripts, recorded and replayed inside this process. */
#include "base/cleanup.h"
#include "tape/scratch_test.h"
#include "tape/tape.h"
#include "tools/tests.h"
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

#define TAPE "t.tape"

static char stub[PATH_MAX + 32];
static struct buf said;
static int own_stderr = -1;

/* The stub is built into the directory of this program. */
static void find_stub(void)
{
	char self[PATH_MAX] = "";

	ck_assert_int_gt(readlink("/proc/self/exe", self, sizeof(self) - 1), 0);
	*strrchr(self, '/') = '\0';
	snprintf(stub, sizeof(stub), "%s/sandtape-stub", self);
	ck_assert_msg(access(stub, X_OK) == 0, "there is no %s", stub);
}

/* What a unit does to files is not replayed, so the pipes that the scripts use are here before. */
static void enter(void)
{
	find_stub();
	scratch_enter();
	/* Shells tell of signals there. */
	own_stderr = dup(2);
	put_file("stderr", "", 0);
	ck_assert_int_eq(dup2(open("stderr", O_WRONLY | O_APPEND | O_CLOEXEC), 2), 2);
	ck_assert_int_eq(mkfifo("p", 0600) | mkfifo("go", 0600), 0);
	memset(&said, 0, sizeof(said));
}

static void leave(void)
{
	buf_free(&said);
	dup2(own_stderr, 2);
	close(own_stderr);
	scratch_leave();
}

static void keep(void *ctx, enum tape_level level, const char *text)
{
	(void)ctx;
	buf_addf(&said, "%s%s\n", level == TAPE_WARNING ? "warning: " : "", text);
}

static struct tape_options options_for(char *const *argv)
{
	return (struct tape_options){.tape = TAPE, .argv = argv, .say = keep};
}

static struct tape_record_result record_with(const struct tape_options *options)
{
	struct tape_record_result result;
	struct error err = {0};

	ck_assert_msg(tape_record(options, false, &result, &err) == 0, "%s", err.text);
	return result;
}

static void do_not_leave(void *ctx, const struct tape_record_result *result)
{
	(void)ctx;
	ck_abort_msg("%zu processes are left", result->left);
}

/* A signal to the group reaches the subject at once and the recorder late: by then it may be over,
 * and its status not yet told. */
START_TEST(a_late_signal_does_not_end_the_recorder)
{
	char *const argv[] = {"/bin/sh", "-c", "uname >out; exit 3", NULL};
	struct tape_options options = options_for(argv);
	int wait_status;
	pid_t worker;

	options.keep = do_not_leave;
	worker = fork();
	if (worker == 0) {
		struct tape_record_result result = record_with(&options);

		raise(SIGINT);
		raise(SIGTERM);
		_exit(WEXITSTATUS(result.wait_status));
	}
	ck_assert_int_eq(waitpid(worker, &wait_status, 0), worker);
	ck_assert_int_eq(wait_status, 3 << 8);
}
END_TEST

static struct tape_replay_result replay_with(const struct tape_options *options)
{
	struct tape_replay_result result;
	struct error err = {0};

	ck_assert_msg(tape_replay(options, stub, &result, &err) == 0, "%s", err.text);
	return result;
}

static struct tape_record_result record_sh(const char *script)
{
	char *const argv[] = {"/bin/sh", "-c", (char *)script, NULL};
	struct tape_options options = options_for(argv);

	return record_with(&options);
}

static struct tape_replay_result replay_sh(const char *script)
{
	char *const argv[] = {"/bin/sh", "-c", (char *)script, NULL};
	struct tape_options options = options_for(argv);

	return replay_with(&options);
}

/* Each script checks what it got, and ends with 0, in both runs. `exit` at the end keeps the shell
 * from becoming its last command. */
static const struct {
	size_t units;
	const char *script;
} scripts[] = {
	{0, "exit 0"},
	{1, "/bin/true; exit $?"},
	{3, "/bin/true; /bin/false; [ $? = 1 ] && /bin/sh -c 'exit 200'; [ $? = 200 ]; exit $?"},
	/* Output, through pipes and into files. */
	{1, "x=$(/bin/echo hi); [ \"$x\" = hi ]; exit $?"},
	{1,
	 "x=$(/bin/sh -c 'echo a; echo b >&2; echo c' 2>&1); [ \"$x\" = \"$(printf 'a\\nb\\nc')\" "
	 "]; exit $?"},
	{1, "/bin/sh -c 'echo a; echo b >&2' >out 2>err; read x <out; read y <err; [ $x$y = ab ]; "
	    "exit $?"},
	{2, "/bin/echo a >out; /bin/echo b >>out; [ \"$(printf 'a\\nb')\" = \"$(while read l; do "
	    "echo $l; done <out)\" ]; exit $?"},
	{2, "x=$(/bin/echo a b | /bin/cat); [ \"$x\" = 'a b' ]; exit $?"},
	{2, "x=$(/usr/bin/head -c 200000 /dev/zero | /usr/bin/wc -c); [ $x -eq 200000 ]; exit $?"},
	{1, "x=$(/usr/bin/head -c 1000000 /dev/zero | { read l; echo ${#l}; }); exit 0"},
	{1, "/bin/echo lost >/dev/null; exit $?"},
	{1, "/bin/echo lost >&- 2>/dev/null; [ $? != 0 ]; exit $?"},
	/* Input: a unit takes what it takes and no more. */
	{1, "x=$(printf 'one\\ntwo\\n' | { read l; /bin/cat; }); [ \"$x\" = two ]; exit $?"},
	{1, "printf '1\\n2\\n3\\n' >in; { /bin/sh -c 'read x'; read y; } <in; [ $y = 2 ]; exit $?"},
	{1,
	 "x=$(printf '1\\n2\\n' | { /bin/sh -c 'read x'; read y; echo $y; }); [ $x = 2 ]; exit $?"},
	/* Ends. */
	{1, "/bin/sh -c 'kill -9 $$'; [ $? = 137 ]; exit $?"},
	{1, "/bin/sh -c 'kill -TERM $$'; [ $? = 143 ]; exit $?"},
	{1, "./missing 2>/dev/null; [ $? = 127 ]; exit $?"},
	{1, "./p 2>/dev/null; [ $? = 126 ]; exit $?"},
	{1, "/bin/sh -c 'echo up; exec sleep 1000' >p & read x <p; kill $!; wait $!; [ $? = 143 ]; "
	    "exit $?"},
	{1,
	 "/bin/sh -c 'echo up; exec sleep 1000' >p & read x <p; kill -9 $!; wait $!; [ $? = 137 ]; "
	 "exit $?"},
	{1,
	 "/bin/sh -c 'trap \"kill \\$!; exit 5\" TERM; sleep 1000 & echo up; wait' >p & read x <p; "
	 "kill $!; wait $!; [ $? = 5 ]; exit $?"},
	/* A unit below a fork of the subject; units at the same time; one that spawns. */
	{2, "(/bin/true; /bin/false); [ $? = 1 ]; exit $?"},
	{3, "/bin/true & a=$!; /bin/false & b=$!; /bin/true & wait $a && ! wait $b && wait $!; "
	    "exit $?"},
	{1,
	 "/bin/sh -c '/bin/true; /bin/echo x | /bin/cat; exit 3' >/dev/null; [ $? = 3 ]; exit $?"},
	/* The unit is done before its reader begins: its end waits for the reader. */
	{4,
	 "/usr/bin/head -c 150000 /dev/zero >p & u=$!; (exec <p; read x <go; exec /usr/bin/wc -c "
	 ">count) & r=$!; /bin/true; /bin/true; echo >go; wait $u && wait $r; read n <count; "
	 "[ $n -eq 150000 ]; exit $?"},
	/* A descendant writes when the unit has ended. */
	{1, "exec 4<>go; /bin/sh -c '(read y <go; echo late) & echo early' >p & u=$!; exec 3<p; "
	    "wait $u; "
	    "echo >&4; read a <&3; read b <&3; [ $a$b = earlylate ]; exit $?"},
};

START_TEST(a_recorded_script_replays)
{
	struct tape_record_result recorded;
	struct tape_replay_result replayed;

	signal(SIGPIPE, SIG_DFL);
	recorded = record_sh(scripts[_i].script);
	ck_assert_int_eq(recorded.wait_status, 0);
	ck_assert_uint_eq(recorded.units, scripts[_i].units);
	ck_assert_uint_eq(recorded.unfinished, 0);
	replayed = replay_sh(scripts[_i].script);
	ck_assert_msg(replayed.wait_status == 0, "status %#x: %s", (unsigned)replayed.wait_status,
		      said.data ? said.data : "");
	ck_assert_uint_eq(replayed.units, scripts[_i].units);
	ck_assert_uint_eq(replayed.misses, 0);
	ck_assert_uint_eq(replayed.unused, 0);
	ck_assert_uint_eq(said.len, 0);
}
END_TEST

START_TEST(the_status_of_the_subject_is_the_result)
{
	static const struct {
		const char *script;
		int status;
	} rows[] = {{"exit 42", 42 << 8}, {"kill -9 $$", SIGKILL}};

	ck_assert_int_eq(record_sh(rows[_i].script).wait_status, rows[_i].status);
	ck_assert_int_eq(replay_sh(rows[_i].script).wait_status, rows[_i].status);
}
END_TEST

/* The first unit of the tape. */
static struct unit first_unit(void)
{
	struct tape_reader *r = reader_at(TAPE);
	struct error err = {0};
	struct unit u;

	ck_assert_msg(tape_reader_unit(r, 0, &u, &err) == 0, "%s", err.text);
	tape_reader_free(r);
	return u;
}

static void assert_payload(const struct payload *p, const char *wanted)
{
	assert_same_bytes(p->bytes.data, p->bytes.len, wanted, strlen(wanted));
}

START_TEST(streams_are_on_the_tape)
{
	struct unit u;

	record_sh("printf 'in\\n' | /bin/sh -c 'cat; echo out; echo err >&2' 2>err | while read x; "
		  "do :; done; exit 0");
	u = first_unit();
	ck_assert_uint_eq(u.argc, 3);
	ck_assert_str_eq(u.argv[0].data, "/bin/sh");
	ck_assert_int_eq(u.end.how, END_EXITED);
	ck_assert_int_eq(unit_stream(&u, 0)->kind, STREAM_PIPE);
	assert_payload(&unit_stream(&u, 0)->data, "in\n");
	ck_assert_int_eq(unit_stream(&u, 1)->kind, STREAM_PIPE);
	assert_payload(&unit_stream(&u, 1)->data, "in\nout\n");
	ck_assert_int_eq(unit_stream(&u, 2)->kind, STREAM_FILE);
	assert_payload(&unit_stream(&u, 2)->data, "err\n");
	unit_clear(&u);
}
END_TEST

START_TEST(what_comes_after_the_end_is_a_tail)
{
	struct unit u;

	record_sh("exec 4<>go; /bin/sh -c '(read y <go; echo late) & echo early' >p & u=$!; exec "
		  "3<p; "
		  "wait $u; echo >&4; read a <&3; read b <&3; exit 0");
	u = first_unit();
	assert_payload(&unit_stream(&u, 1)->data, "early\n");
	assert_payload(&unit_stream(&u, 1)->tail, "late\n");
	unit_clear(&u);
}
END_TEST

START_TEST(signals_are_on_the_tape)
{
	struct unit u;

	record_sh(
		"/bin/sh -c 'trap \"\" USR1; echo up; exec sleep 1000' >p & read x <p; kill -0 $!; "
		"kill -USR1 $!; kill -TERM $!; wait $!; exit 0");
	u = first_unit();
	ck_assert_uint_eq(u.signal_count, 2);
	ck_assert_int_eq(u.signals[0], SIGUSR1);
	ck_assert_int_eq(u.signals[1], SIGTERM);
	ck_assert_int_eq(u.end.how, END_SIGNALED);
	ck_assert_int_eq(u.end.signal, SIGTERM);
	unit_clear(&u);
}
END_TEST

START_TEST(a_search_through_path_is_one_unit)
{
	char *const argv[] = {"/bin/sh", "-c", "/usr/bin/env missing 2>/dev/null; exit $?", NULL};
	const char *through[] = {"env", NULL};
	struct tape_options options = options_for(argv);
	struct unit u;

	setenv("PATH", "/nowhere/a:/nowhere/b:/bin:/usr/bin", 1);
	options.through = through;
	/* env executes in place, so the missing program is subject: nothing is told of it. */
	ck_assert_uint_eq(record_with(&options).units, 0);
	/* The shell asks the kernel for a name with a slash. */
	ck_assert_uint_eq(record_sh("./missing 2>/dev/null; exit 0").units, 1);
	u = first_unit();
	ck_assert_int_eq(u.end.how, END_EXEC_FAILED);
	ck_assert_str_eq(error_errno_name(u.end.exec_errno), "ENOENT");
	unit_clear(&u);
}
END_TEST

START_TEST(a_unit_that_still_runs_is_unfinished)
{
	static const char script[] = "/bin/sh -c 'echo up; exec sleep 1000' >p & read x <p; exit 4";
	struct tape_record_result recorded = record_sh(script);
	struct unit u = first_unit();

	ck_assert_int_eq(recorded.wait_status, 4 << 8);
	ck_assert_uint_eq(recorded.unfinished, 1);
	ck_assert_uint_eq(recorded.left, 1);
	ck_assert_int_eq(u.end.how, END_UNFINISHED);
	unit_clear(&u);
}
END_TEST

/* An unchanged run leaves the tape as it is. */
START_TEST(the_same_run_again_changes_nothing)
{
	static const char script[] =
		"/bin/echo a >out; /bin/sh -c 'exit 3'; /bin/echo b | /bin/cat "
		">out; exit 0";
	cleanup_buf struct buf before = BUF_INIT, after = BUF_INIT;

	record_sh(script);
	get_file(TAPE "/tape.jsonl", &before);
	record_sh(script);
	get_file(TAPE "/tape.jsonl", &after);
	assert_same_bytes(after.data, after.len, before.data, before.len);
}
END_TEST

START_TEST(a_command_without_a_record_is_a_miss)
{
	struct tape_replay_result r;

	record_sh("/bin/echo old >out; exit 0");
	r = replay_sh("/bin/echo new >out; exit $?");
	ck_assert_int_eq(r.wait_status, 123 << 8);
	ck_assert_uint_eq(r.units, 0);
	ck_assert_uint_eq(r.misses, 1);
	ck_assert_uint_eq(r.unused, 1);
	ck_assert_msg(strstr(said.data, TAPE ": no record for this command:\n"
					     "    /bin/echo new   (in $WORK)\n") != NULL,
		      "%s", said.data);
	ck_assert_msg(strstr(said.data, "    argv[1]  recorded old\n"
					"             now      new\n") != NULL,
		      "%s", said.data);
}
END_TEST

START_TEST(records_that_no_command_asks_for_are_counted)
{
	struct tape_replay_result r;

	record_sh("/bin/true 1; /bin/true 2; /bin/true 3; exit 0");
	r = replay_sh("/bin/true 2; exit 0");
	ck_assert_uint_eq(r.units, 1);
	ck_assert_uint_eq(r.misses, 0);
	ck_assert_uint_eq(r.unused, 2);
}
END_TEST

/* With the program taken away, only the tape can answer. */
START_TEST(nothing_runs_in_replay)
{
	static const char script[] = "x=$(./program); [ \"$x\" = ran ]; exit $?";

	put_file("program", "#!/bin/sh\necho ran\necho ran >>effects\n", 38);
	ck_assert_int_eq(chmod("program", 0755), 0);
	ck_assert_int_eq(record_sh(script).wait_status, 0);
	ck_assert(is_file("effects"));
	unlink("effects");
	ck_assert_int_eq(replay_sh(script).wait_status, 0);
	ck_assert(!is_file("effects"));
	unlink("program");
	ck_assert_int_eq(replay_sh(script).wait_status, 0);
}
END_TEST

START_TEST(a_real_command_runs_in_replay)
{
	char *const argv[] = {"/bin/sh", "-c", "/usr/bin/touch effect; exit 0", NULL};
	const char *real[] = {"touch", NULL};
	struct tape_options options = options_for(argv);

	options.real = real;
	ck_assert_uint_eq(record_with(&options).units, 0);
	unlink("effect");
	ck_assert_uint_eq(replay_with(&options).misses, 0);
	ck_assert(is_file("effect"));
	unlink("effect");
	options.real = NULL; /* a tape must not make anything run */
	ck_assert_uint_eq(replay_with(&options).misses, 1);
	ck_assert(!is_file("effect"));
}
END_TEST

START_TEST(a_chosen_variable_counts)
{
	char *const argv[] = {"/bin/sh", "-c", "/bin/true; exit 0", NULL};
	const char *env[] = {"COLOUR", NULL};
	struct tape_options options = options_for(argv);

	setenv("COLOUR", "blue", 1);
	options.env = env;
	record_with(&options);
	options.env = NULL; /* the tape knows */
	setenv("OTHER", "x", 1);
	ck_assert_uint_eq(replay_with(&options).misses, 0);
	setenv("COLOUR", "red", 1);
	ck_assert_uint_eq(replay_with(&options).misses, 1);
}
END_TEST

START_TEST(a_subject_that_cannot_run_is_said)
{
	char *const argv[] = {"./no-such-subject", NULL};
	struct tape_options options = options_for(argv);

	record_sh("/bin/true; exit 0");
	buf_clear(&said);
	ck_assert_int_eq(replay_with(&options).wait_status, 127 << 8);
	ck_assert_ptr_nonnull(strstr(said.data, "./no-such-subject"));
}
END_TEST

static const struct {
	const char *subject;
	int status;
} not_executed[] = {{"./no-such-subject", 127}, {"./no-program", 126}, {"no-such-subject", 127}};

START_TEST(a_subject_that_cannot_run_leaves_the_tape_as_it_was)
{
	char *const argv[] = {(char *)not_executed[_i].subject, NULL};
	struct tape_options options = options_for(argv);
	cleanup_buf struct buf before = BUF_INIT, after = BUF_INIT;
	struct tape_record_result result;

	put_file("no-program", "x", 1);
	result = record_with(&options);
	ck_assert_int_eq(result.wait_status, not_executed[_i].status << 8);
	ck_assert(result.not_executed);
	ck_assert_ptr_nonnull(strstr(said.data, not_executed[_i].subject));
	ck_assert(!is_file(TAPE));
	ck_assert_int_ne(access(TAPE, F_OK), 0);
	ck_assert(!record_sh("/bin/true; exit 0").not_executed);
	get_file(TAPE "/tape.jsonl", &before);
	ck_assert(record_with(&options).not_executed);
	get_file(TAPE "/tape.jsonl", &after);
	ck_assert_uint_eq(after.len, before.len);
	ck_assert_mem_eq(after.data, before.data, before.len);
	ck_assert(!is_file(TAPE "/journal.jsonl"));
}
END_TEST

START_TEST(what_cannot_begin_is_an_error)
{
	char *const argv[] = {"/bin/true", NULL};
	const char *env[] = {"PATH", NULL};
	struct tape_options options = options_for(argv);
	struct tape_record_result recorded;
	struct tape_replay_result replayed;
	struct error err = {0};

	ck_assert_int_eq(tape_replay(&options, stub, &replayed, &err), ERR_NOTFOUND);
	options.env = env;
	ck_assert_int_eq(tape_record(&options, false, &recorded, &err), ERR_INVALID);
	ck_assert(!is_file(TAPE));
	options.env = NULL;
	put_file(TAPE, "x", 1);
	ck_assert_int_eq(tape_record(&options, false, &recorded, &err), ERR_FORMAT);
	ck_assert_int_lt(tape_replay(&options, stub, &replayed, &err), 0);
}
END_TEST

START_TEST(a_missing_stub_is_an_error)
{
	char *const argv[] = {"/bin/sh", "-c", "/bin/true; exit 0", NULL};
	struct tape_options options = options_for(argv);
	struct tape_replay_result replayed;
	struct error err = {0};

	record_with(&options);
	ck_assert_int_lt(tape_replay(&options, "/nowhere/stub", &replayed, &err), 0);
	ck_assert_msg(strstr(err.text, "/nowhere/stub") != NULL, "%s", err.text);
}
END_TEST

Suite *tape_recorder_suite(void)
{
	Suite *suite = suite_create("tape/recorder");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, enter, leave);
	tcase_set_timeout(all, 30);
	tcase_add_loop_test(all, a_recorded_script_replays, 0, COUNT(scripts));
	tcase_add_loop_test(all, the_status_of_the_subject_is_the_result, 0, 2);
	tcase_add_test(all, a_late_signal_does_not_end_the_recorder);
	tcase_add_test(all, streams_are_on_the_tape);
	tcase_add_test(all, what_comes_after_the_end_is_a_tail);
	tcase_add_test(all, signals_are_on_the_tape);
	tcase_add_test(all, a_search_through_path_is_one_unit);
	tcase_add_test(all, a_unit_that_still_runs_is_unfinished);
	tcase_add_test(all, the_same_run_again_changes_nothing);
	tcase_add_test(all, a_command_without_a_record_is_a_miss);
	tcase_add_test(all, records_that_no_command_asks_for_are_counted);
	tcase_add_test(all, nothing_runs_in_replay);
	tcase_add_test(all, a_real_command_runs_in_replay);
	tcase_add_test(all, a_chosen_variable_counts);
	tcase_add_test(all, a_subject_that_cannot_run_is_said);
	tcase_add_loop_test(all, a_subject_that_cannot_run_leaves_the_tape_as_it_was, 0,
			    COUNT(not_executed));
	tcase_add_test(all, what_cannot_begin_is_an_error);
	tcase_add_test(all, a_missing_stub_is_an_error);
	suite_add_tcase(suite, all);
	return suite;
}
