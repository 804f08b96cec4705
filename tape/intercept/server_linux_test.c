/* The streams of commands, and what stands in for them. */
#include "tape/intercept/served_test.h"

#include "tape/intercept/shim/fds.h"
#include "tools/tests.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- Streams ------------------------------------------------------------------------------- */

/* As many as there are bits; which they are does not matter. */
static void say_exec_with_fds(int sock, unsigned open)
{
	struct wire_ask ask = {.kind = WIRE_EXEC, .argc = 2, .open = open};
	struct iovec io[2] = {{&ask, sizeof(ask)}, {(void *)SERVED_TEXT, SERVED_TEXT_LEN}};
	const int fds[WIRE_FDS] = {sock, sock, sock};
	union fds_room room = {.bytes = {0}};
	struct msghdr message = {.msg_iov = io, .msg_iovlen = 2};

	fds_put(&message, &room, fds, (size_t)__builtin_popcount(open));
	ck_assert_int_gt(sendmsg(sock, &message, 0), 0);
}

static int open_fds(void)
{
	int count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

START_TEST(streams_get_their_places)
{
	int sock = served_connect();
	int fds[WIRE_FDS];
	struct wire_reply reply;
	size_t count;
	int before;

	served.action = EXEC_UNIT;
	served.swaps = (struct stream_swaps){.swap = {{.fd = 1, .same_as = -1},
						      {.fd = 2, .same_as = 1},
						      {.fd = 0, .same_as = -1, .is_socket = true}},
					     .count = 3};
	served_serve();
	before = open_fds();
	say_exec_with_fds(sock, 6);
	served_serve();
	ck_assert_int_eq(wire_receive(sock, &reply, fds, &count), 0);
	ck_assert_uint_eq(reply.kind, WIRE_DO_UNIT);
	ck_assert_uint_eq(reply.place_count, 3);
	ck_assert_uint_eq(count, 2);
	ck_assert_int_eq(reply.place[1].fd, 2);
	ck_assert_int_eq(reply.place[1].same_as, 1);
	ck_assert_int_eq(served.unit_fd_errno[0], EBADF);
	ck_assert_int_eq(served.unit_fd_errno[1], 0);
	ck_assert_int_eq(served.unit_fd_errno[2], 0);
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
	ck_assert_int_eq(open_fds(), before + 1); /* the pidfd of this process */
	close(sock);
}
END_TEST

START_TEST(no_descriptors_stay_of_an_exec_that_fails)
{
	int sock = served_connect();
	int before;

	served.action = EXEC_UNIT;
	say_exec_with_fds(sock, 0);
	served_expect(sock, WIRE_DO_UNIT);
	served_say(sock, (struct wire_ask){.kind = WIRE_FAILED, .number = ENOEXEC});
	served_serve();
	before = open_fds();
	for (int i = 0; i < 3; i++) {
		say_exec_with_fds(sock, 7);
		served_expect(sock, WIRE_DO_UNIT);
		served_say(sock, (struct wire_ask){.kind = WIRE_FAILED, .number = ENOEXEC});
		served_serve();
	}
	ck_assert_int_eq(open_fds(), before);
	close(sock);
}
END_TEST

START_TEST(streams_that_the_server_cannot_have_end_the_session)
{
	int sock = served_connect();
	struct rlimit was;
	int r;

	served.action = EXEC_UNIT;
	served_say(sock, (struct wire_ask){.kind = WIRE_HELLO});
	served_serve();
	say_exec_with_fds(sock, 7);
	getrlimit(RLIMIT_NOFILE, &was);
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){4, was.rlim_max});
	r = served_try();
	setrlimit(RLIMIT_NOFILE, &was);
	ck_assert_int_lt(r, 0);
	ck_assert_ptr_nonnull(strstr(served.err.text, "Too many open files"));
	close(sock);
}
END_TEST

/* --- Standing in --------------------------------------------------------------------------- */

#define ROOM sizeof(struct stub_room)

static const struct {
	uint64_t offset; /* from where the stub has its room */
	size_t len;
	bool good;
} room_rows[] = {
	{0, 1, true},
	{0, ROOM, true},
	{ROOM - 1, 1, true},
	{ROOM, 0, true},
	{ROOM, 1, false},
	{ROOM + 1, 0, false},
	{1, ROOM, false},
	{0, ROOM + 1, false},
	{0, SIZE_MAX, false},
	{ROOM - 1, SIZE_MAX, false},
	{UINT64_MAX, 2, false},				  /* one before the room */
	{UINT64_MAX - STUB_ANSWER_ADDRESS + 1, 1, false}, /* NULL */
};

START_TEST(only_the_room_is_read_and_written)
{
	static char bytes[ROOM];
	unsigned long address = STUB_ANSWER_ADDRESS + room_rows[_i].offset;
	int wanted = room_rows[_i].good ? 0 : ERR_SYSTEM;
	int sock = served_connect();
	struct process *p;

	served.action = EXEC_STUB;
	served_say_exec(sock, 0, 0);
	served_expect(sock, WIRE_DO_STUB);
	p = served.s->peers->process;
	/* Before it stands in, there is none. */
	ck_assert_int_eq(intercept_read(served.t, p, address, bytes, 1, &served.err), ERR_SYSTEM);
	served_say(sock, (struct wire_ask){.kind = WIRE_READY});
	served_expect(sock, WIRE_ROOM);
	ck_assert_int_eq(
		intercept_write(served.t, p, address, bytes, room_rows[_i].len, &served.err),
		wanted);
	ck_assert_int_eq(
		intercept_read(served.t, p, address, bytes, room_rows[_i].len, &served.err),
		wanted);
	close(sock);
}
END_TEST

START_TEST(what_the_stub_asks_is_answered)
{
	int sock = served_connect();

	served.action = EXEC_STUB;
	served_say_exec(sock, 0, 0);
	served_expect(sock, WIRE_DO_STUB);
	served_say(sock, (struct wire_ask){.kind = WIRE_READY});
	served_expect(sock, WIRE_ROOM);
	served_say(sock, (struct wire_ask){.kind = WIRE_STUB, .args = {STUB_ASK_MORE}});
	ck_assert_int_eq(served_expect(sock, WIRE_RESULT), 42);
	served_expect_log("exec /bin/x 'x' 'y' stands in asks 1");
	close(sock);
}
END_TEST

Suite *intercept_server_suite(void)
{
	Suite *suite = suite_create("intercept_server");
	TCase *c = tcase_create("all");

	tcase_add_checked_fixture(c, served_enter, served_leave);
	tcase_add_test(c, streams_get_their_places);
	tcase_add_test(c, no_descriptors_stay_of_an_exec_that_fails);
	tcase_add_test(c, streams_that_the_server_cannot_have_end_the_session);
	tcase_add_loop_test(c, only_the_room_is_read_and_written, 0, COUNT(room_rows));
	tcase_add_test(c, what_the_stub_asks_is_answered);
	suite_add_tcase(suite, c);
	return suite;
}
