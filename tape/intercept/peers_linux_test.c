/* The processes that the server knows, and those that it finds. */
#include "tape/intercept/served_test.h"

#include "tools/tests.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { X = WIRE_EXEC };

/* --- Processes that die -------------------------------------------------------------------- */

static const struct {
	enum exec_action action;
	int said[3];
	const char *log;
} deaths[] = {
	{EXEC_UNIT, {0}, ""}, /* it has asked for nothing */
	{EXEC_UNIT, {X}, "exec /bin/x 'x' 'y' started signal 9 unit ended 9 gone"},
	{EXEC_UNIT, {X, WIRE_STARTED}, "exec /bin/x 'x' 'y' started signal 9 unit ended 9 gone"},
	{EXEC_UNIT, {X, WIRE_FAILED}, "exec /bin/x 'x' 'y' failed 0 ended 0"},
	{EXEC_UNIT, {X, WIRE_STARTED, WIRE_ENDED}, "exec /bin/x 'x' 'y' started unit ended 0 gone"},
	{EXEC_STUB, {X}, "exec /bin/x 'x' 'y' unit ended 0 gone"},
	{EXEC_STUB, {X, WIRE_READY}, "exec /bin/x 'x' 'y' stands in unit ended 0 gone"},
	{EXEC_SUBJECT, {X}, "exec /bin/x 'x' 'y' ended 0"},
	{EXEC_REAL, {X}, "exec /bin/x 'x' 'y' ended 0"},
};

/* Says it all without waiting for replies, and then to `told`, unless that is -1, that it has. */
static pid_t fork_client(const int *said, int told)
{
	pid_t pid = fork();

	if (pid == 0) {
		int sock = wire_connect(served.s->dir);

		for (int i = 0; i < 3 && said[i]; i++) {
			if (said[i] == X)
				served_say_exec(sock, 0, 0);
			else
				served_say(sock, (struct wire_ask){.kind = (uint32_t)said[i]});
		}
		if (told >= 0)
			ck_assert_int_eq(write(told, "x", 1), 1);
		pause();
	}
	ck_assert_int_gt(pid, 0);
	return pid;
}

/* Serves until it comes. */
static char next_told(int told)
{
	struct pollfd ready = {.fd = told, .events = POLLIN};
	char number;

	while (poll(&ready, 1, 1) == 0)
		served_serve();
	ck_assert_int_eq(read(told, &number, 1), 1);
	return number;
}

static void wait_for_log(const char *last)
{
	while (served.log.len < strlen(last))
		served_serve();
}

/* It is served before it dies, as far as `early` says, or only then. */
static void die(int row, bool early)
{
	pid_t pid;
	siginfo_t info;
	int told[2];

	served.action = deaths[row].action;
	ck_assert_int_eq(pipe(told), 0);
	pid = fork_client(deaths[row].said, told[1]);
	if (early) {
		next_told(told[0]);
		served_serve();
	}
	kill(pid, SIGKILL);
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	if (early)
		wait_for_log(deaths[row].log);
	served_serve();
	close(told[0]);
	close(told[1]);
}

/* A shim whose program has ended: says its number when it may end as well, and does not. */
static pid_t fork_ended_that(char number, int told, bool computes)
{
	static const int said[] = {X, WIRE_STARTED, WIRE_ENDED};
	struct wire_reply reply = {.kind = 0};
	int fds[WIRE_FDS];
	size_t count;
	pid_t pid = fork();
	int sock;

	ck_assert_int_ge(pid, 0);
	if (pid > 0)
		return pid;
	sock = wire_connect(served.s->dir);
	served_say_exec(sock, 0, 0);
	for (int i = 1; i < 3; i++)
		served_say(sock, (struct wire_ask){.kind = (uint32_t)said[i]});
	while (reply.kind != WIRE_END)
		ck_assert_int_eq(wire_receive(sock, &reply, fds, &count), 0);
	ck_assert_int_eq(write(told, &number, 1), 1);
	for (;;) {
		if (!computes)
			pause();
	}
}

static pid_t fork_ended(char number, int told)
{
	return fork_ended_that(number, told, false);
}

#define ONE_ENDED "exec /bin/x 'x' 'y' started unit ended 0"

START_TEST(ends_come_one_after_the_other)
{
	struct pollfd ready = {.events = POLLIN};
	pid_t pid[3];
	int told[2];

	served.action = EXEC_UNIT;
	ck_assert_int_eq(pipe(told), 0);
	ready.fd = told[0];
	pid[0] = fork_ended('a', told[1]);
	ck_assert_int_eq(next_told(told[0]), 'a');
	served.s->leaving_since_ns = UINT64_MAX; /* it is waited for, as long as it takes */
	for (int i = 1; i < 3; i++) {
		served_expect_log(i == 1 ? ONE_ENDED : "");
		pid[i] = fork_ended((char)('a' + i), told[1]);
		wait_for_log(ONE_ENDED);
		served_serve();
		served_expect_log(ONE_ENDED);
	}
	ck_assert_int_eq(poll(&ready, 1, 20), 0);
	kill(pid[0], SIGKILL);
	ck_assert_int_eq(next_told(told[0]), 'b');
	/* It is not over, and nobody waits for ever. */
	ck_assert_int_eq(next_told(told[0]), 'c');
	for (int i = 1; i < 3; i++)
		kill(pid[i], SIGKILL);
	close(told[0]);
	close(told[1]);
}
END_TEST

static void expect_rest_in_time(enum subject_rest wanted)
{
	while (intercept_subject_rest(served.t) != wanted) /* the test's time limit ends it */
		served_serve();
}

START_TEST(a_subject_works_until_an_end_has_reached_it)
{
	pid_t pid;
	int told[2];

	served.action = EXEC_UNIT;
	ck_assert_int_eq(pipe(told), 0);
	pid = fork_ended_that('a', told[1], true);
	ck_assert_int_eq(next_told(told[0]), 'a');
	for (int i = 0; i < 50; i++) {
		served_serve();
		ck_assert_int_eq(intercept_subject_rest(served.t), SUBJECT_WORKS);
	}
	/* One that does not end keeps nobody waiting. */
	kill(pid, SIGSTOP);
	expect_rest_in_time(SUBJECT_SEEMS_TO_REST);
	kill(pid, SIGCONT);
	expect_rest_in_time(SUBJECT_WORKS);
	kill(pid, SIGKILL);
	expect_rest_in_time(SUBJECT_SEEMS_TO_REST);
	close(told[0]);
	close(told[1]);
}
END_TEST

START_TEST(a_process_that_dies_has_its_end)
{
	die(_i, true);
	served_expect_log(deaths[_i].log);
}
END_TEST

/* Chance decides what it had said by then: but what had begun is over, and nothing comes twice. */
START_TEST(a_process_that_dies_unserved_is_over)
{
	die(_i, false);
	for (const struct peer *peer = served.s->peers; peer; peer = peer->next)
		ck_assert(!peer->gone);
	ck_assert_ptr_null(served.s->peers);
	ck_assert_ptr_null(served.s->conns);
}
END_TEST

START_TEST(an_end_that_is_held_is_released_once)
{
	pid_t pid;

	served.action = EXEC_UNIT;
	served.hold = true;
	pid = fork_client((const int[3]){X, WIRE_STARTED, WIRE_ENDED}, -1);
	wait_for_log("exec /bin/x 'x' 'y' started unit ended 0");
	kill(pid, SIGKILL);
	for (int i = 0; i < 50 && served.s->conns; i++)
		served_serve();
	served_expect_log("exec /bin/x 'x' 'y' started unit ended 0");
	ck_assert_ptr_nonnull(served.s->peers);
	while (!served.s->peers->gone)
		served_serve();
	ck_assert_int_eq(intercept_release(served.t, served.s->peers->process, &served.err), 0);
	served_expect_log("gone");
	ck_assert_ptr_null(served.s->peers);
}
END_TEST

START_TEST(a_stop_is_told_before_its_parent_can_see_it)
{
	int sock = served_connect();

	served.action = EXEC_UNIT;
	served_say_exec(sock, 0, 0);
	served_expect(sock, WIRE_DO_UNIT);
	served_say(sock, (struct wire_ask){.kind = WIRE_STARTED});
	served_say(sock, (struct wire_ask){.kind = WIRE_STOPPED, .number = SIGTSTP});
	served_expect(sock, WIRE_END);
	served_say(sock, (struct wire_ask){.kind = WIRE_STOPPED, .number = SIGCONT});
	served_expect(sock, WIRE_END);
	served_expect_log("exec /bin/x 'x' 'y' started stopped 20 stopped 18");
	close(sock);
}
END_TEST

START_TEST(what_a_unit_sends_to_itself_the_subject_has_not_sent)
{
	static const int sent[] = {SIGTERM, SIGCONT};
	int sock = served_connect();

	served.action = EXEC_UNIT;
	served_say_exec(sock, 0, 0);
	served_expect(sock, WIRE_DO_UNIT);
	served_say(sock, (struct wire_ask){.kind = WIRE_STARTED});
	for (size_t i = 0; i < COUNT(sent); i++) {
		served_say(sock, (struct wire_ask){
					 .kind = WIRE_SIGNAL, .number = sent[i], .pid = getpid()});
		served_say(sock, (struct wire_ask){
					 .kind = WIRE_SIGNAL, .number = sent[i], .pid = getppid()});
	}
	served_serve();
	served_expect_log("exec /bin/x 'x' 'y' started signal 15 stopped 18 signal 18");
	close(sock);
}
END_TEST

START_TEST(a_new_conversation_comes_after_the_old_one)
{
	int old = served_connect();
	int new;
	struct process *p;

	served.action = EXEC_UNIT;
	served_say_exec(old, 0, 0);
	served_expect(old, WIRE_DO_UNIT);
	p = served.s->peers->process;
	new = served_connect();
	served_serve();
	/* Nobody has read what the old one said when the new one is served. */
	served_say(old, (struct wire_ask){.kind = WIRE_FAILED, .number = ENOENT});
	served_say_exec(new, 0, 0);
	for (struct conn *c = served.s->conns; c; c = c->next) {
		if (!c->peer)
			ck_assert_int_eq(conn_serve(c, CONN_ALL, &served.err), 0);
	}
	served_expect_log("exec /bin/x 'x' 'y' failed 2 exec /bin/x 'x' 'y'");
	ck_assert_ptr_eq(served.s->peers->process, p);
	close(old);
	close(new);
}
END_TEST

/* --- Processes by /proc -------------------------------------------------------------------- */

START_TEST(who_is_below_whom)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	ck_assert_int_eq(family_parent(pid), getpid());
	ck_assert(family_is_below(pid, getpid()));
	ck_assert(family_is_below(pid, pid));
	ck_assert(!family_is_below(getpid(), pid));
	ck_assert_uint_eq(server_left(served.t), 1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ck_assert_int_eq(family_parent(pid), 0);
	ck_assert_uint_eq(server_left(served.t), 0);
}
END_TEST

START_TEST(what_lives_on_may_yet_ask)
{
	pid_t pid;

	ck_assert(!served.t->backend->is_kept(served.t));
	pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	ck_assert(served.t->backend->is_kept(served.t));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ck_assert(!served.t->backend->is_kept(served.t));
}
END_TEST

Suite *intercept_peers_suite(void)
{
	Suite *suite = suite_create("intercept_peers");
	TCase *c = tcase_create("all");

	tcase_add_checked_fixture(c, served_enter, served_leave);
	tcase_add_test(c, ends_come_one_after_the_other);
	tcase_add_test(c, a_subject_works_until_an_end_has_reached_it);
	tcase_add_loop_test(c, a_process_that_dies_has_its_end, 0, COUNT(deaths));
	tcase_add_loop_test(c, a_process_that_dies_unserved_is_over, 0, COUNT(deaths));
	tcase_add_test(c, an_end_that_is_held_is_released_once);
	tcase_add_test(c, a_stop_is_told_before_its_parent_can_see_it);
	tcase_add_test(c, what_a_unit_sends_to_itself_the_subject_has_not_sent);
	tcase_add_test(c, a_new_conversation_comes_after_the_old_one);
	tcase_add_test(c, who_is_below_whom);
	tcase_add_test(c, what_lives_on_may_yet_ask);
	suite_add_tcase(suite, c);
	return suite;
}
