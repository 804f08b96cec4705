/* What the server is asked, and what becomes of it. */
#include "tape/intercept/served_test.h"

#include "base/cleanup.h"
#include "tools/tests.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- What may be said when ----------------------------------------------------------------- */

enum { X = WIRE_EXEC };

/* What is said one after the other; the last one is out of place. */
static const struct {
	enum exec_action action;
	int said[4];
} misplaced[] = {
	{EXEC_UNIT, {WIRE_STARTED}},
	{EXEC_UNIT, {WIRE_FAILED}},
	{EXEC_UNIT, {WIRE_SIGNAL}},
	{EXEC_UNIT, {WIRE_STOPPED}},
	{EXEC_UNIT, {WIRE_ENDED}},
	{EXEC_UNIT, {WIRE_READY}},
	{EXEC_UNIT, {WIRE_STUB}},
	{EXEC_UNIT, {99}},
	{EXEC_UNIT, {WIRE_WAIT, WIRE_WAIT}},
	{EXEC_UNIT, {WIRE_WAIT, X}},
	{EXEC_UNIT, {WIRE_WAIT, WIRE_TEXT}},
	{EXEC_UNIT, {X, WIRE_WAIT}},
	{EXEC_UNIT, {X, WIRE_READY}},
	{EXEC_UNIT, {X, WIRE_ENDED}},
	{EXEC_UNIT, {X, WIRE_SIGNAL}},
	{EXEC_UNIT, {X, WIRE_STOPPED}},
	{EXEC_UNIT, {X, WIRE_STARTED, WIRE_STARTED}},
	{EXEC_UNIT, {X, WIRE_STARTED, WIRE_FAILED}},
	{EXEC_UNIT, {X, WIRE_STARTED, WIRE_STUB}},
	{EXEC_UNIT, {X, WIRE_STARTED, X}},
	{EXEC_UNIT, {X, WIRE_STARTED, WIRE_ENDED, WIRE_ENDED}},
	{EXEC_UNIT, {X, WIRE_STARTED, WIRE_ENDED, WIRE_STOPPED}},
	{EXEC_UNIT, {X, WIRE_FAILED, WIRE_STARTED}},
	{EXEC_STUB, {X, WIRE_STARTED}},
	{EXEC_STUB, {X, WIRE_STUB}},
	{EXEC_STUB, {X, WIRE_READY, WIRE_READY}},
	{EXEC_STUB, {X, WIRE_READY, WIRE_FAILED}},
	{EXEC_STUB, {X, WIRE_READY, WIRE_ENDED}},
	{EXEC_STUB, {X, WIRE_READY, X}},
	{EXEC_REAL, {X, WIRE_STARTED}},
	{EXEC_REAL, {X, WIRE_ENDED}},
	{EXEC_SUBJECT, {X, WIRE_STARTED}},
	{EXEC_FAIL, {X, WIRE_READY}},
};

START_TEST(a_message_out_of_place_ends_the_session)
{
	int sock = served_connect();
	const int *said = misplaced[_i].said;
	int count = 0;

	while (count < 4 && said[count])
		count++;
	served.action = misplaced[_i].action;
	for (int i = 0; i < count; i++) {
		if (i > 0)
			served_serve();
		if (said[i] == X)
			served_say_exec(sock, 0, 0);
		else
			served_say(sock, (struct wire_ask){.kind = (uint32_t)said[i]});
	}
	ck_assert_int_eq(served_try(), ERR_SYSTEM);
	ck_assert_ptr_nonnull(strstr(served.err.text, "out of place"));
	close(sock);
}
END_TEST

static const size_t garbage_lengths[] = {1, sizeof(struct wire_ask) - 1,
					 sizeof(struct wire_ask) + WIRE_PIECE + 1, 60000};

START_TEST(what_is_no_message_ends_its_connection_only)
{
	cleanup_free char *bytes = calloc(1, garbage_lengths[_i]);
	struct wire_reply reply;
	int bad = served_connect();
	int good = served_connect();

	bytes[0] = WIRE_STARTED;
	ck_assert_int_eq(send(bad, bytes, garbage_lengths[_i], 0), (ssize_t)garbage_lengths[_i]);
	served_say(good, (struct wire_ask){.kind = WIRE_WAIT});
	served_expect(good, WIRE_TOKEN);
	ck_assert_int_eq(served_reply(bad, &reply), 0);
	ck_assert_int_eq(send(bad, bytes, 1, MSG_NOSIGNAL), -1);
	close(bad);
	close(good);
}
END_TEST

START_TEST(a_client_that_says_much_lets_others_have_their_turn)
{
	char byte;
	int loud = served_connect();

	served_serve();
	for (int i = 0; i < 100; i++)
		served_say(loud, (struct wire_ask){.kind = WIRE_HELLO});
	ck_assert_int_eq(served.t->backend->serve(served.t, &served.err), 0);
	ck_assert_int_gt(recv(served.s->conns->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT), 0);
	served_serve();
	ck_assert_int_eq(recv(served.s->conns->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT), -1);
	close(loud);
}
END_TEST

START_TEST(what_could_not_be_tried_ends_the_session)
{
	int sock = served_connect();

	served_say(sock, (struct wire_ask){.kind = WIRE_BROKEN, .number = EMFILE});
	ck_assert_int_lt(served_try(), 0);
	ck_assert_ptr_nonnull(strstr(served.err.text, "Too many open files"));
	close(sock);
}
END_TEST

/* --- An exec ------------------------------------------------------------------------------- */

static const struct {
	const char *text;
	size_t len;
	uint32_t argc;
	uint32_t envc;
} torn[] = {
	{"", 0, 0, 0},
	{"/x", 2, 0, 0},
	{"/x\0", 3, 0, 0},
	{"/x\0/", 4, 0, 0}, /* no end */
	{"/x\0/\0", 5, 1, 0},
	{"/x\0/\0a\0", 7, 2, 0},
	{"/x\0/\0a", 6, 1, 0},
	{"/x\0/\0a\0", 7, 1, 1},
	{"/x\0/\0a\0", 7, UINT32_MAX, UINT32_MAX},
	{"/x\0/\0a\0", 7, 0, UINT32_MAX},
};

START_TEST(a_torn_exec_ends_the_session)
{
	int sock = served_connect();
	const struct wire_ask ask = {
		.kind = WIRE_EXEC, .argc = torn[_i].argc, .envc = torn[_i].envc};

	served_say_text(sock, ask, torn[_i].text, torn[_i].len);
	ck_assert_int_eq(served_try(), ERR_SYSTEM);
	ck_assert_ptr_nonnull(strstr(served.err.text, "no whole exec"));
	close(sock);
}
END_TEST

static const size_t piece_lengths[] = {1, 2, 5, 100};

START_TEST(an_exec_is_put_together_from_its_pieces)
{
	static const char text[] = "/bin/x\0/cwd\0x\0\0A=1\0B=";
	size_t piece = piece_lengths[_i];
	int sock = served_connect();
	size_t at = 0;

	served.action = EXEC_REAL;
	/* Twice, for nothing of the first may stay. */
	for (int round = 0; round < 2; round++) {
		for (at = 0; at + piece < sizeof(text); at += piece)
			served_say_text(sock, (struct wire_ask){.kind = WIRE_TEXT}, text + at,
					piece);
		served_say_text(sock, (struct wire_ask){.kind = WIRE_EXEC, .argc = 2, .envc = 2},
				text + at, sizeof(text) - at);
		served_expect(sock, WIRE_DO_REAL);
		served_expect_log("exec /bin/x 'x' '' [A=1] [B=]");
		served_say(sock, (struct wire_ask){.kind = WIRE_FAILED, .number = ENOENT});
		served_serve();
	}
	close(sock);
}
END_TEST

START_TEST(what_no_exec_can_have_fails_as_the_kernel_would_say)
{
	static char piece[WIRE_PIECE];
	int sock = served_connect();

	memset(piece, 'x', sizeof(piece));
	served.action = EXEC_REAL;
	for (size_t sent = 0; sent <= (16u << 20); sent += sizeof(piece)) {
		served_say_text(sock, (struct wire_ask){.kind = WIRE_TEXT}, piece, sizeof(piece));
		ck_assert_int_eq(served.t->backend->serve(served.t, &served.err), 0);
	}
	served_say_text(sock, (struct wire_ask){.kind = WIRE_EXEC, .argc = 1}, piece,
			sizeof(piece));
	ck_assert_int_eq(served_expect(sock, WIRE_DO_FAIL), E2BIG);
	served_expect_log("");
	served_say_exec(sock, 0, 0);
	served_expect(sock, WIRE_DO_REAL);
	served_expect_log("exec /bin/x 'x' 'y'");
	close(sock);
}
END_TEST

static const struct {
	enum exec_action action;
	int known_errno;
	enum wire_reply_kind kind;
	int number;
	const char *log;
} decided[] = {
	{EXEC_SUBJECT, 0, WIRE_DO_SUBJECT, 0, ""},
	{EXEC_SUBJECT, ENOENT, WIRE_DO_FAIL, ENOENT, ""},
	{EXEC_REAL, 0, WIRE_DO_REAL, 0, ""},
	{EXEC_REAL, EACCES, WIRE_DO_FAIL, EACCES, ""},
	{EXEC_FAIL, 0, WIRE_DO_FAIL, EBUSY, ""},
	{EXEC_FAIL, ENOENT, WIRE_DO_FAIL, EBUSY, ""},
	{EXEC_UNIT, 0, WIRE_DO_UNIT, 0, ""},
	{EXEC_UNIT, ENOENT, WIRE_DO_FAIL, ENOENT, " failed 2"},
	{EXEC_STUB, 0, WIRE_DO_STUB, 0, ""},
	/* The tape answers for what this host does not have. */
	{EXEC_STUB, ENOENT, WIRE_DO_STUB, 0, ""},
};

START_TEST(the_client_decides)
{
	cleanup_free char *wanted = NULL;
	int sock = served_connect();

	served.action = decided[_i].action;
	served_say_exec(sock, 0, decided[_i].known_errno);
	ck_assert_int_eq(served_expect(sock, decided[_i].kind), decided[_i].number);
	ck_assert_int_gt(asprintf(&wanted, "exec /bin/x 'x' 'y'%s", decided[_i].log), 0);
	served_expect_log(wanted);
	close(sock);
}
END_TEST

/* --- Who waits for an exec ----------------------------------------------------------------- */

static const struct {
	enum exec_action action;
	int known_errno;
	int says; /* after its exec; 0: it closes the connection */
	int told;
} told_rows[] = {
	{EXEC_UNIT, ENOENT, 0, ENOENT},
	{EXEC_UNIT, 0, WIRE_STARTED, 0},
	{EXEC_UNIT, 0, WIRE_FAILED, ENOEXEC},
	{EXEC_STUB, 0, WIRE_READY, 0},
	{EXEC_SUBJECT, 0, 0, 0},
	{EXEC_SUBJECT, 0, WIRE_FAILED, ENOEXEC},
	{EXEC_REAL, 0, 0, 0},
	{EXEC_REAL, EACCES, 0, EACCES},
	{EXEC_REAL, 0, WIRE_FAILED, ENOEXEC},
	{EXEC_FAIL, 0, 0, EBUSY},
};

START_TEST(who_waits_is_told_once)
{
	int waits = served_connect();
	int other = served_connect();
	int sock = served_connect();
	struct wire_reply reply;
	uint64_t token;

	served_say(other, (struct wire_ask){.kind = WIRE_WAIT});
	served_say(waits, (struct wire_ask){.kind = WIRE_WAIT});
	token = (uint64_t)served_expect(waits, WIRE_TOKEN);
	ck_assert_uint_ne((uint64_t)served_expect(other, WIRE_TOKEN), token);
	served.action = told_rows[_i].action;
	served_say_exec(sock, token, told_rows[_i].known_errno);
	served_serve();
	if (told_rows[_i].says) {
		ck_assert_int_eq(served_reply(waits, &reply), 0);
		served_say(sock, (struct wire_ask){.kind = (uint32_t)told_rows[_i].says,
						   .number = ENOEXEC});
		served_serve();
	}
	close(sock);
	ck_assert_int_eq(served_expect(waits, WIRE_TOLD), told_rows[_i].told);
	ck_assert_int_eq(served_reply(waits, &reply), 0);
	ck_assert_int_eq(served_reply(other, &reply), 0);
	close(waits);
	close(other);
}
END_TEST

START_TEST(nobody_need_wait)
{
	int waits = served_connect();
	int sock = served_connect();
	uint64_t token;

	served_say(waits, (struct wire_ask){.kind = WIRE_WAIT});
	token = (uint64_t)served_expect(waits, WIRE_TOKEN);
	close(waits);
	served.action = EXEC_FAIL;
	served_say_exec(sock, token, 0);
	ck_assert_int_eq(served_expect(sock, WIRE_DO_FAIL), EBUSY);
	served_say_exec(sock, 12345, 0);
	ck_assert_int_eq(served_expect(sock, WIRE_DO_FAIL), EBUSY);
	close(sock);
}
END_TEST

Suite *intercept_requests_suite(void)
{
	Suite *suite = suite_create("intercept_requests");
	TCase *c = tcase_create("all");

	tcase_add_checked_fixture(c, served_enter, served_leave);
	tcase_add_loop_test(c, a_message_out_of_place_ends_the_session, 0, COUNT(misplaced));
	tcase_add_loop_test(c, what_is_no_message_ends_its_connection_only, 0,
			    COUNT(garbage_lengths));
	tcase_add_test(c, a_client_that_says_much_lets_others_have_their_turn);
	tcase_add_test(c, what_could_not_be_tried_ends_the_session);
	tcase_add_loop_test(c, a_torn_exec_ends_the_session, 0, COUNT(torn));
	tcase_add_loop_test(c, an_exec_is_put_together_from_its_pieces, 0, COUNT(piece_lengths));
	tcase_add_test(c, what_no_exec_can_have_fails_as_the_kernel_would_say);
	tcase_add_loop_test(c, the_client_decides, 0, COUNT(decided));
	tcase_add_loop_test(c, who_waits_is_told_once, 0, COUNT(told_rows));
	tcase_add_test(c, nobody_need_wait);
	suite_add_tcase(suite, c);
	return suite;
}
