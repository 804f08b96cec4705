/* The client's half of the messages; the other end of a socket pair plays the server. */
#include "tape/intercept/shim/wire.h"

#include "base/cleanup.h"
#include "tape/scratch_test.h"
#include "tools/tests.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static int client;
static int server;

static void enter(void)
{
	int pair[2];

	scratch_enter();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	client = pair[0];
	server = pair[1];
}

static void leave(void)
{
	close(client);
	close(server);
	scratch_leave();
}

/* As the server would, with so many descriptors. */
static void send_reply(const void *bytes, size_t len, int fds)
{
	struct iovec io = {(void *)bytes, len};
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(8 * sizeof(int))];
	} control = {.room = {0}};
	struct msghdr message = {.msg_iov = &io, .msg_iovlen = 1};

	if (fds > 0) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE((size_t)fds * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN((size_t)fds * sizeof(int));
		for (int i = 0; i < fds; i++)
			memcpy(CMSG_DATA(&control.header) + (size_t)i * sizeof(int), &server,
			       sizeof(int));
	}
	ck_assert_int_eq(sendmsg(server, &message, 0), (ssize_t)len);
}

static int open_fds(void)
{
	int count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static const struct {
	struct wire_reply reply;
	int fds;
	int wanted;
} reply_rows[] = {
	{{.kind = WIRE_DO_SUBJECT}, 0, 0},
	{{.kind = WIRE_ROOM}, 1, 0},
	{{.kind = WIRE_DO_UNIT, .place_count = 3, .place = {{0, -1}, {1, -1}, {2, -1}}}, 3, 0},
	{{.kind = WIRE_DO_UNIT, .place_count = 2, .place = {{1, -1}, {2, 1}}}, 1, 0},
	{{.kind = WIRE_DO_UNIT}, 0, 0},
	/* Fewer or more than it says: the kernel has thrown some away. */
	{{.kind = WIRE_ROOM}, 0, -EMFILE},
	{{.kind = WIRE_DO_UNIT, .place_count = 2, .place = {{0, -1}, {1, -1}}}, 1, -EMFILE},
	{{.kind = WIRE_DO_UNIT, .place_count = 1, .place = {{0, -1}}}, 0, -EMFILE},
	{{.kind = WIRE_DO_SUBJECT}, 1, -EMFILE},
	{{.kind = WIRE_DO_UNIT, .place_count = 9, .place = {{0, -1}, {1, -1}, {2, -1}}},
	 3,
	 -EMFILE},
};

START_TEST(a_reply_has_as_many_descriptors_as_it_says)
{
	struct wire_reply got = {.kind = 77};
	int fds[WIRE_FDS];
	size_t count = 9;
	int before = open_fds();

	send_reply(&reply_rows[_i].reply, sizeof(got), reply_rows[_i].fds);
	ck_assert_int_eq(wire_receive(client, &got, fds, &count), reply_rows[_i].wanted);
	if (reply_rows[_i].wanted == 0) {
		ck_assert_uint_eq(got.kind, reply_rows[_i].reply.kind);
		ck_assert_uint_eq(count, (size_t)reply_rows[_i].fds);
		for (size_t i = 0; i < count; i++) {
			ck_assert_int_eq(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
			ck_assert_int_ge(fds[i], 3);
			close(fds[i]);
		}
	} else {
		ck_assert_uint_eq(got.kind, 77);
	}
	ck_assert_int_eq(open_fds(), before);
}
END_TEST

START_TEST(a_piece_of_a_reply_is_no_reply)
{
	const struct wire_reply reply = {.kind = WIRE_END};
	struct wire_reply got;
	int fds[WIRE_FDS];
	size_t count;

	send_reply(&reply, sizeof(reply) - 1, 0);
	ck_assert_int_eq(wire_receive(client, &got, fds, &count), -ECONNRESET);
	send_reply(&reply, 1, 0);
	ck_assert_int_eq(wire_receive(client, &got, fds, &count), -ECONNRESET);
	close(server);
	ck_assert_int_eq(wire_receive(client, &got, fds, &count), -ECONNRESET);
	ck_assert_int_eq(wire_send(client, &(struct wire_ask){.kind = WIRE_HELLO}, NULL, 0),
			 -EPIPE);
	server = client;
	client = -1;
}
END_TEST

struct sent {
	struct buf text;
	struct wire_ask last;
	unsigned pieces;
	size_t fds;
};

/* All that the client has sent, up to its question. */
static void take_sent(struct sent *sent)
{
	*sent = (struct sent){.pieces = 0};
	do {
		char bytes[sizeof(struct wire_ask) + WIRE_PIECE];
		struct iovec io = {bytes, sizeof(bytes)};
		char control[CMSG_SPACE(8 * sizeof(int))] __attribute__((aligned(8)));
		struct msghdr message = {.msg_iov = &io,
					 .msg_iovlen = 1,
					 .msg_control = control,
					 .msg_controllen = sizeof(control)};
		ssize_t n = recvmsg(server, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
		struct cmsghdr *rights = CMSG_FIRSTHDR(&message);

		ck_assert_int_ge(n, (ssize_t)sizeof(sent->last));
		memcpy(&sent->last, bytes, sizeof(sent->last));
		buf_add(&sent->text, bytes + sizeof(sent->last), (size_t)n - sizeof(sent->last));
		sent->pieces++;
		sent->fds = rights ? (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;
		for (size_t i = 0; i < sent->fds; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(rights) + i * sizeof(int), sizeof(fd));
			close(fd);
		}
	} while (sent->last.kind == WIRE_TEXT);
}

/* The reply is there before the question, so that one thread does for both. */
static int ask(const struct wire_program *program, int known_errno, uint64_t token)
{
	struct wire_reply reply = {.kind = WIRE_DO_REAL};
	int fds[WIRE_FDS];
	size_t count;

	send_reply(&reply, sizeof(reply), 0);
	return wire_ask_exec(client, program, known_errno, token, &reply, fds, &count);
}

static const size_t lengths[] = {0, 1, 100, WIRE_PIECE - 300, WIRE_PIECE - 1, 8192, 8193, 20000};

START_TEST(an_exec_is_told_in_whole)
{
	cleanup_free char *word = calloc(1, lengths[_i] + 1);
	char *argv[] = {(char *)"a", word, NULL};
	char *env[] = {(char *)"X=1", NULL};
	const struct wire_program program = {AT_FDCWD, 0, "/bin/x", "x", argv, env};
	cleanup_free char *cwd = getcwd(NULL, 0);
	cleanup_buf struct buf wanted = {0};
	struct sent sent;

	memset(word, 'w', lengths[_i]);
	ck_assert_int_eq(ask(&program, ENOENT, 7), 0);
	take_sent(&sent);
	buf_add(&wanted, "x", 2);
	buf_add(&wanted, cwd, strlen(cwd) + 1);
	buf_add(&wanted, "a", 2);
	buf_add(&wanted, word, strlen(word) + 1);
	buf_add(&wanted, "X=1", 4);
	ck_assert_uint_eq(sent.text.len, wanted.len);
	ck_assert_mem_eq(sent.text.data, wanted.data, wanted.len);
	ck_assert_uint_eq(sent.pieces, (wanted.len + WIRE_PIECE - 1) / WIRE_PIECE);
	ck_assert_uint_eq(sent.last.kind, WIRE_EXEC);
	ck_assert_uint_eq(sent.last.argc, 2);
	ck_assert_uint_eq(sent.last.envc, 1);
	ck_assert_int_eq(sent.last.number, ENOENT);
	ck_assert_uint_eq(sent.last.token, 7);
	ck_assert_uint_eq(sent.last.open, 7);
	ck_assert_uint_eq(sent.fds, 3);
	buf_free(&sent.text);
}
END_TEST

START_TEST(no_arguments_no_environment_and_no_directory)
{
	const struct wire_program program = {AT_FDCWD, 0, "x", "x", NULL, NULL};
	struct sent sent;

	ck_assert_int_eq(mkdir("gone", 0700), 0);
	ck_assert_int_eq(chdir("gone"), 0);
	ck_assert_int_eq(rmdir("../gone"), 0);
	ck_assert_int_eq(ask(&program, 0, 0), 0);
	take_sent(&sent);
	ck_assert_uint_eq(sent.text.len, 3);
	ck_assert_mem_eq(sent.text.data, "x\0", 3);
	ck_assert_uint_eq(sent.last.argc + sent.last.envc, 0);
	buf_free(&sent.text);
	ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

/* A program may have a limit for the size of files, which holds for memory files, too. */
START_TEST(no_file_is_written)
{
	const struct rlimit none = {0, RLIM_INFINITY};
	const struct wire_program program = {AT_FDCWD, 0, "x", "x", NULL, NULL};
	struct wire_reply reply = {.kind = WIRE_DO_REAL};
	struct rlimit was;
	struct sent sent;
	int fds[WIRE_FDS];
	size_t count;
	int limited;
	int r;

	send_reply(&reply, sizeof(reply), 0);
	getrlimit(RLIMIT_FSIZE, &was);
	limited = setrlimit(RLIMIT_FSIZE, &none); /* no assertions now: they write to a file */
	r = wire_ask_exec(client, &program, 0, 0, &reply, fds, &count);
	setrlimit(RLIMIT_FSIZE, &was);
	ck_assert_int_eq(limited, 0);
	ck_assert_int_eq(r, 0);
	take_sent(&sent);
	buf_free(&sent.text);
}
END_TEST

START_TEST(streams_that_are_closed_are_not_sent)
{
	const struct wire_program program = {AT_FDCWD, 0, "x", "x", NULL, NULL};
	int saved = fcntl(0, F_DUPFD_CLOEXEC, 10);
	struct sent sent;
	int r;

	close(0);
	r = ask(&program, 0, 0);
	dup2(saved, 0);
	close(saved);
	ck_assert_int_eq(r, 0);
	take_sent(&sent);
	ck_assert_uint_eq(sent.last.open, 6);
	ck_assert_uint_eq(sent.fds, 2);
	buf_free(&sent.text);
}
END_TEST

START_TEST(descriptors_of_ours_are_high)
{
	int fd = wire_high_fd(open("/dev/null", O_RDONLY));

	ck_assert_int_ge(fd, 200);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
}
END_TEST

START_TEST(where_high_ones_are_forbidden_a_low_one_does)
{
	const struct rlimit low = {100, 4096};
	struct wire_aside aside;
	struct rlimit was, now;
	sigset_t mask;
	int fd;

	getrlimit(RLIMIT_NOFILE, &was);
	ck_assert_uint_ge(was.rlim_max, 4096);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){100, was.rlim_max}), 0);
	fd = wire_high_fd(open("/dev/null", O_RDONLY));
	ck_assert_int_gt(fd, 2);
	ck_assert_int_lt(fd, (int)low.rlim_cur);
	close(fd);
	/* What is set aside lets us have them. */
	wire_set_aside(&aside);
	fd = wire_high_fd(open("/dev/null", O_RDONLY));
	ck_assert_int_ge(fd, 200);
	close(fd);
	sigprocmask(SIG_BLOCK, NULL, &mask);
	ck_assert_int_eq(sigismember(&mask, SIGTERM), 1);
	wire_put_back(&aside);
	sigprocmask(SIG_BLOCK, NULL, &mask);
	ck_assert_int_eq(sigismember(&mask, SIGTERM), 0);
	getrlimit(RLIMIT_NOFILE, &now);
	ck_assert_uint_eq(now.rlim_cur, 100);
	setrlimit(RLIMIT_NOFILE, &was);
}
END_TEST

START_TEST(a_server_that_is_not_there_is_an_errno)
{
	char long_dir[200];

	memset(long_dir, 'd', sizeof(long_dir) - 1);
	long_dir[sizeof(long_dir) - 1] = '\0';
	ck_assert_int_eq(wire_connect(long_dir), -ENAMETOOLONG);
	ck_assert_int_eq(wire_connect("/none"), -ENOENT);
	close(open(WIRE_SOCKET, O_CREAT | O_WRONLY, 0600));
	ck_assert_int_eq(wire_connect("."), -ECONNREFUSED);
}
END_TEST

START_TEST(a_variable_is_found_by_its_whole_name)
{
	char *env[] = {(char *)"AB=1", (char *)"A", (char *)"A=", (char *)"A=2", NULL};

	ck_assert_str_eq(wire_env(env, "A"), "");
	ck_assert_str_eq(wire_env(env, "AB"), "1");
	ck_assert_ptr_null(wire_env(env, "B"));
	ck_assert_ptr_null(wire_env(env, ""));
	ck_assert_ptr_null(wire_env(NULL, "A"));
}
END_TEST

Suite *intercept_wire_suite(void)
{
	Suite *s = suite_create("intercept_wire");
	TCase *c = tcase_create("all");

	tcase_add_checked_fixture(c, enter, leave);
	tcase_add_loop_test(c, a_reply_has_as_many_descriptors_as_it_says, 0, COUNT(reply_rows));
	tcase_add_test(c, a_piece_of_a_reply_is_no_reply);
	tcase_add_loop_test(c, an_exec_is_told_in_whole, 0, COUNT(lengths));
	tcase_add_test(c, no_arguments_no_environment_and_no_directory);
	tcase_add_test(c, no_file_is_written);
	tcase_add_test(c, streams_that_are_closed_are_not_sent);
	tcase_add_test(c, descriptors_of_ours_are_high);
	tcase_add_test(c, where_high_ones_are_forbidden_a_low_one_does);
	tcase_add_test(c, a_server_that_is_not_there_is_an_errno);
	tcase_add_test(c, a_variable_is_found_by_its_whole_name);
	suite_add_tcase(s, c);
	return s;
}
