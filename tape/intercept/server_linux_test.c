/*
 * The server of the backends without ptrace, with a client of the interceptor that keeps a log. The
 * test is a process of the subject itself, as far as the server can tell; where one must die, it is
 * a fork.
 */
#include "tape/intercept/server.h"

#include "base/cleanup.h"
#include "tape/scratch_test.h"
#include "tools/tests.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static struct interceptor *t;
static struct server *s;

/* The client of the interceptor, and what it was told. */
static struct {
	struct buf log;
	enum exec_action action;
	struct stream_swaps swaps;
	int unit_fd_errno[3];
	bool hold;
	struct traced_unit units[1024]; /* each test has a process of its own */
	unsigned unit_count;
} client;

static void log_add(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void log_add(const char *format, ...)
{
	char text[4096];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	buf_addf(&client.log, "%s%s", client.log.len ? " " : "", text);
}

static void assert_log(const char *wanted)
{
	ck_assert_str_eq(client.log.data ? client.log.data : "", wanted);
	buf_clear(&client.log);
}

static int on_exec(void *ctx, struct process *p, const struct exec_request *request,
		   struct exec_decision *ret, struct error *err)
{
	(void)ctx, (void)p, (void)err;
	log_add("exec %s", request->path.data);
	for (size_t i = 0; i < request->argc; i++)
		log_add("'%s'", request->argv[i].data);
	for (size_t i = 0; i < request->env_count; i++)
		log_add("[%s]", request->env[i].data);
	*ret = (struct exec_decision){.action = client.action, .error = EBUSY};
	ck_assert_uint_lt(client.unit_count, sizeof(client.units) / sizeof(client.units[0]));
	if (client.action == EXEC_UNIT || client.action == EXEC_STUB)
		ret->unit = &client.units[client.unit_count++];
	return 0;
}

static int swapped(void *ctx, struct error *err)
{
	(void)ctx, (void)err;
	for (unsigned i = 0; i < client.swaps.count; i++) {
		if (client.swaps.swap[i].same_as < 0)
			close(client.swaps.swap[i].ours);
	}
	return 0;
}

static int on_streams(void *ctx, struct process *p, struct task *task, struct error *err)
{
	(void)ctx;
	for (int fd = 0; fd <= 2; fd++) {
		int copy = intercept_unit_fd(t, p, fd);

		client.unit_fd_errno[fd] = copy < 0 ? -copy : 0;
		if (copy >= 0)
			close(copy);
	}
	client.swaps.done = swapped;
	return client.swaps.count ? intercept_swap_streams(t, p, task, &client.swaps, err) : 0;
}

static int on_started(void *ctx, struct process *p, bool *ret_detach, struct error *err)
{
	(void)ctx, (void)ret_detach, (void)err;
	log_add("%s", p->role == ROLE_STUB ? "stands in" : "started");
	return 0;
}

static int on_exec_failed(void *ctx, struct process *p, int sys_errno, struct error *err)
{
	(void)ctx, (void)p, (void)err;
	log_add("failed %d", sys_errno);
	return 0;
}

static int on_ended(void *ctx, struct process *p, int wait_status, bool *ret_hold,
		    struct error *err)
{
	(void)ctx, (void)err;
	log_add("%s %d", p->main ? "unit ended" : "ended", wait_status);
	*ret_hold = client.hold;
	return 0;
}

static int on_unit_gone(void *ctx, struct traced_unit *unit, struct error *err)
{
	(void)ctx, (void)unit, (void)err;
	log_add("gone");
	return 0;
}

static int on_signalled(void *ctx, struct process *p, int signal, struct error *err)
{
	(void)ctx, (void)p, (void)err;
	log_add("signal %d", signal);
	return 0;
}

static int on_stopped(void *ctx, struct process *p, int signal, struct error *err)
{
	(void)ctx, (void)p, (void)err;
	log_add("stopped %d", signal);
	return 0;
}

static int on_hypercall(void *ctx, struct process *p, const uint64_t args[6], long *ret_result,
			bool *ret_later, struct error *err)
{
	(void)ctx, (void)p, (void)ret_later, (void)err;
	log_add("asks %d", (int)args[0]);
	*ret_result = 42;
	return 0;
}

static int no_patience(void *ctx)
{
	(void)ctx;
	return 0;
}

static const struct intercept_ops ops = {
	.exec = on_exec,
	.streams = on_streams,
	.started = on_started,
	.exec_failed = on_exec_failed,
	.ended = on_ended,
	.unit_gone = on_unit_gone,
	.signalled = on_signalled,
	.stopped = on_stopped,
	.hypercall = on_hypercall,
	.patience_us = no_patience,
};

static struct error err;

static void enter(void)
{
	static char *const argv[] = {(char *)"/bin/true", NULL};
	const struct intercept_options options = {.backend = INTERCEPT_PRELOAD,
						  .argv = argv,
						  .shim_path = "/none",
						  .library_path = "/none"};

	scratch_enter();
	memset(&client, 0, sizeof(client));
	memset(&err, 0, sizeof(err));
	setenv("TMPDIR", "/tmp", 1);
	ck_assert_msg(intercept_new(&options, &ops, NULL, &t, &err) == 0, "%s", err.text);
	s = server_of(t);
	ck_assert_msg(t->backend->prepare(t, &err) == 0, "%s", err.text);
}

static void leave(void)
{
	intercept_free(t);
	buf_free(&client.log);
	scratch_leave();
}

/* Until nothing is left to serve. */
static int serve_all(void)
{
	int r = 0;

	for (int i = 0; r == 0 && i < 20; i++)
		r = t->backend->serve(t, &err);
	return r;
}

static void serve(void)
{
	ck_assert_msg(serve_all() == 0, "%s", err.text);
}

static int connect_one(void)
{
	int sock = wire_connect(s->dir);

	ck_assert_int_ge(sock, 0);
	return sock;
}

static void say(int sock, struct wire_ask ask)
{
	ck_assert_int_eq(wire_send(sock, &ask, NULL, 0), 0);
}

/* The kind of the next reply; 0: none. */
static int reply_of(int sock, struct wire_reply *ret)
{
	struct pollfd ready = {.fd = sock, .events = POLLIN};
	int fds[WIRE_FDS];
	size_t count = 0;

	*ret = (struct wire_reply){0};
	if (poll(&ready, 1, 0) < 1 || wire_receive(sock, ret, fds, &count) < 0)
		return 0;
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
	return (int)ret->kind;
}

/* Serves, and the reply must be of the kind; its number. */
static int64_t expect_reply(int sock, enum wire_reply_kind kind)
{
	struct wire_reply reply;

	serve();
	ck_assert_int_eq(reply_of(sock, &reply), kind);
	return reply.number;
}

static void say_text(int sock, struct wire_ask ask, const void *text, size_t len)
{
	struct iovec io[2] = {{&ask, sizeof(ask)}, {(void *)text, len}};
	struct msghdr message = {.msg_iov = io, .msg_iovlen = 2};

	ck_assert_int_eq(sendmsg(sock, &message, MSG_NOSIGNAL), (ssize_t)(sizeof(ask) + len));
}

#define TEXT	 "/bin/x\0/\0x\0y\0"
#define TEXT_LEN (sizeof(TEXT) - 1)

/* A whole exec of "x y". */
static void say_exec(int sock, uint64_t token, int known_errno)
{
	const struct wire_ask ask = {
		.kind = WIRE_EXEC, .token = token, .argc = 2, .number = known_errno};

	say_text(sock, ask, TEXT, TEXT_LEN);
}

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
	int sock = connect_one();
	const int *said = misplaced[_i].said;
	int count = 0;

	while (count < 4 && said[count])
		count++;
	client.action = misplaced[_i].action;
	for (int i = 0; i < count; i++) {
		if (i > 0)
			serve();
		if (said[i] == X)
			say_exec(sock, 0, 0);
		else
			say(sock, (struct wire_ask){.kind = (uint32_t)said[i]});
	}
	ck_assert_int_eq(serve_all(), ERR_SYSTEM);
	ck_assert_ptr_nonnull(strstr(err.text, "out of place"));
	close(sock);
}
END_TEST

static const size_t garbage_lengths[] = {1, sizeof(struct wire_ask) - 1,
					 sizeof(struct wire_ask) + WIRE_PIECE + 1, 60000};

START_TEST(what_is_no_message_ends_its_connection_only)
{
	cleanup_free char *bytes = calloc(1, garbage_lengths[_i]);
	struct wire_reply reply;
	int bad = connect_one();
	int good = connect_one();

	bytes[0] = WIRE_STARTED;
	ck_assert_int_eq(send(bad, bytes, garbage_lengths[_i], 0), (ssize_t)garbage_lengths[_i]);
	say(good, (struct wire_ask){.kind = WIRE_WAIT});
	expect_reply(good, WIRE_TOKEN);
	ck_assert_int_eq(reply_of(bad, &reply), 0);
	ck_assert_int_eq(send(bad, bytes, 1, MSG_NOSIGNAL), -1);
	close(bad);
	close(good);
}
END_TEST

START_TEST(a_client_that_says_much_lets_others_have_their_turn)
{
	char byte;
	int loud = connect_one();

	serve();
	for (int i = 0; i < 100; i++)
		say(loud, (struct wire_ask){.kind = WIRE_HELLO});
	ck_assert_int_eq(t->backend->serve(t, &err), 0);
	ck_assert_int_gt(recv(s->conns->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT), 0);
	serve();
	ck_assert_int_eq(recv(s->conns->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT), -1);
	close(loud);
}
END_TEST

START_TEST(what_could_not_be_tried_ends_the_session)
{
	int sock = connect_one();

	say(sock, (struct wire_ask){.kind = WIRE_BROKEN, .number = EMFILE});
	ck_assert_int_lt(serve_all(), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "Too many open files"));
	close(sock);
}
END_TEST

/* --- An exec -----------------------------------------------------------------------------------
 */

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
	int sock = connect_one();
	const struct wire_ask ask = {
		.kind = WIRE_EXEC, .argc = torn[_i].argc, .envc = torn[_i].envc};

	say_text(sock, ask, torn[_i].text, torn[_i].len);
	ck_assert_int_eq(serve_all(), ERR_SYSTEM);
	ck_assert_ptr_nonnull(strstr(err.text, "no whole exec"));
	close(sock);
}
END_TEST

static const size_t piece_lengths[] = {1, 2, 5, 100};

START_TEST(an_exec_is_put_together_from_its_pieces)
{
	static const char text[] = "/bin/x\0/cwd\0x\0\0A=1\0B=";
	size_t piece = piece_lengths[_i];
	int sock = connect_one();
	size_t at = 0;

	client.action = EXEC_REAL;
	/* Twice, for nothing of the first may stay. */
	for (int round = 0; round < 2; round++) {
		for (at = 0; at + piece < sizeof(text); at += piece)
			say_text(sock, (struct wire_ask){.kind = WIRE_TEXT}, text + at, piece);
		say_text(sock, (struct wire_ask){.kind = WIRE_EXEC, .argc = 2, .envc = 2},
			 text + at, sizeof(text) - at);
		expect_reply(sock, WIRE_DO_REAL);
		assert_log("exec /bin/x 'x' '' [A=1] [B=]");
		say(sock, (struct wire_ask){.kind = WIRE_FAILED, .number = ENOENT});
		serve();
	}
	close(sock);
}
END_TEST

START_TEST(what_no_exec_can_have_fails_as_the_kernel_would_say)
{
	static char piece[WIRE_PIECE];
	int sock = connect_one();

	memset(piece, 'x', sizeof(piece));
	client.action = EXEC_REAL;
	for (size_t sent = 0; sent <= (16u << 20); sent += sizeof(piece)) {
		say_text(sock, (struct wire_ask){.kind = WIRE_TEXT}, piece, sizeof(piece));
		ck_assert_int_eq(t->backend->serve(t, &err), 0);
	}
	say_text(sock, (struct wire_ask){.kind = WIRE_EXEC, .argc = 1}, piece, sizeof(piece));
	ck_assert_int_eq(expect_reply(sock, WIRE_DO_FAIL), E2BIG);
	assert_log("");
	say_exec(sock, 0, 0);
	expect_reply(sock, WIRE_DO_REAL);
	assert_log("exec /bin/x 'x' 'y'");
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
	int sock = connect_one();

	client.action = decided[_i].action;
	say_exec(sock, 0, decided[_i].known_errno);
	ck_assert_int_eq(expect_reply(sock, decided[_i].kind), decided[_i].number);
	ck_assert_int_gt(asprintf(&wanted, "exec /bin/x 'x' 'y'%s", decided[_i].log), 0);
	assert_log(wanted);
	close(sock);
}
END_TEST

/* --- Streams ------------------------------------------------------------------------------------
 */

static void say_exec_with_fds(int sock, unsigned open)
{
	struct wire_ask ask = {.kind = WIRE_EXEC, .argc = 2, .open = open};
	struct iovec io[2] = {{&ask, sizeof(ask)}, {(void *)TEXT, TEXT_LEN}};
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(3 * sizeof(int))];
	} control = {.room = {0}};
	struct msghdr message = {.msg_iov = io, .msg_iovlen = 2};
	size_t count = (size_t)__builtin_popcount(open);

	if (count > 0) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
		for (size_t i = 0; i < count; i++)
			memcpy(CMSG_DATA(&control.header) + i * sizeof(int), &sock, sizeof(int));
	}
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
	int sock = connect_one();
	int fds[WIRE_FDS];
	struct wire_reply reply;
	size_t count;
	int before;

	client.action = EXEC_UNIT;
	client.swaps = (struct stream_swaps){.swap = {{.fd = 1, .same_as = -1},
						      {.fd = 2, .same_as = 1},
						      {.fd = 0, .same_as = -1, .is_socket = true}},
					     .count = 3};
	serve();
	before = open_fds();
	say_exec_with_fds(sock, 6);
	serve();
	ck_assert_int_eq(wire_receive(sock, &reply, fds, &count), 0);
	ck_assert_uint_eq(reply.kind, WIRE_DO_UNIT);
	ck_assert_uint_eq(reply.place_count, 3);
	ck_assert_uint_eq(count, 2);
	ck_assert_int_eq(reply.place[1].fd, 2);
	ck_assert_int_eq(reply.place[1].same_as, 1);
	ck_assert_int_eq(client.unit_fd_errno[0], EBADF);
	ck_assert_int_eq(client.unit_fd_errno[1], 0);
	ck_assert_int_eq(client.unit_fd_errno[2], 0);
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
	ck_assert_int_eq(open_fds(), before + 1); /* the pidfd of this process */
	close(sock);
}
END_TEST

START_TEST(no_descriptors_stay_of_an_exec_that_fails)
{
	int sock = connect_one();
	int before;

	client.action = EXEC_UNIT;
	say_exec_with_fds(sock, 0);
	expect_reply(sock, WIRE_DO_UNIT);
	say(sock, (struct wire_ask){.kind = WIRE_FAILED, .number = ENOEXEC});
	serve();
	before = open_fds();
	for (int i = 0; i < 3; i++) {
		say_exec_with_fds(sock, 7);
		expect_reply(sock, WIRE_DO_UNIT);
		say(sock, (struct wire_ask){.kind = WIRE_FAILED, .number = ENOEXEC});
		serve();
	}
	ck_assert_int_eq(open_fds(), before);
	close(sock);
}
END_TEST

START_TEST(streams_that_the_server_cannot_have_end_the_session)
{
	int sock = connect_one();
	struct rlimit was;
	int r;

	client.action = EXEC_UNIT;
	say(sock, (struct wire_ask){.kind = WIRE_HELLO});
	serve();
	say_exec_with_fds(sock, 7);
	getrlimit(RLIMIT_NOFILE, &was);
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){4, was.rlim_max});
	r = serve_all();
	setrlimit(RLIMIT_NOFILE, &was);
	ck_assert_int_lt(r, 0);
	ck_assert_ptr_nonnull(strstr(err.text, "Too many open files"));
	close(sock);
}
END_TEST

/* --- Processes that die ----------------------------------------------------------------------- */

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

/* Says it all without waiting for replies, and dies. */
static pid_t fork_client(const int *said)
{
	pid_t pid = fork();

	if (pid == 0) {
		int sock = wire_connect(s->dir);

		for (int i = 0; i < 3 && said[i]; i++) {
			if (said[i] == X)
				say_exec(sock, 0, 0);
			else
				say(sock, (struct wire_ask){.kind = (uint32_t)said[i]});
		}
		pause();
	}
	ck_assert_int_gt(pid, 0);
	return pid;
}

static void wait_for_log(const char *last)
{
	while (client.log.len < strlen(last))
		serve();
}

/* It is served before it dies, as far as `early` says, or only then. */
static void die(int row, bool early)
{
	pid_t pid;
	siginfo_t info;

	client.action = deaths[row].action;
	pid = fork_client(deaths[row].said);
	if (early)
		for (int i = 0; i < 20; i++) {
			serve();
			poll(NULL, 0, 1);
		}
	kill(pid, SIGKILL);
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	if (early)
		wait_for_log(deaths[row].log);
	serve();
}

START_TEST(a_process_that_dies_has_its_end)
{
	die(_i, true);
	assert_log(deaths[_i].log);
}
END_TEST

/* Chance decides what it had said by then: but what had begun is over, and nothing comes twice. */
START_TEST(a_process_that_dies_unserved_is_over)
{
	die(_i, false);
	for (const struct peer *peer = s->peers; peer; peer = peer->next)
		ck_assert(!peer->gone);
	ck_assert_ptr_null(s->peers);
	ck_assert_ptr_null(s->conns);
}
END_TEST

START_TEST(an_end_that_is_held_is_released_once)
{
	pid_t pid;

	client.action = EXEC_UNIT;
	client.hold = true;
	pid = fork_client((const int[3]){X, WIRE_STARTED, WIRE_ENDED});
	wait_for_log("exec /bin/x 'x' 'y' started unit ended 0");
	kill(pid, SIGKILL);
	for (int i = 0; i < 50 && s->conns; i++)
		serve();
	assert_log("exec /bin/x 'x' 'y' started unit ended 0");
	ck_assert_ptr_nonnull(s->peers);
	while (!s->peers->gone)
		serve();
	ck_assert_int_eq(intercept_release(t, s->peers->process, &err), 0);
	assert_log("gone");
	ck_assert_ptr_null(s->peers);
}
END_TEST

START_TEST(a_stop_is_told_before_its_parent_can_see_it)
{
	int sock = connect_one();

	client.action = EXEC_UNIT;
	say_exec(sock, 0, 0);
	expect_reply(sock, WIRE_DO_UNIT);
	say(sock, (struct wire_ask){.kind = WIRE_STARTED});
	say(sock, (struct wire_ask){.kind = WIRE_STOPPED, .number = SIGTSTP});
	expect_reply(sock, WIRE_END);
	say(sock, (struct wire_ask){.kind = WIRE_STOPPED, .number = SIGCONT});
	expect_reply(sock, WIRE_END);
	assert_log("exec /bin/x 'x' 'y' started stopped 20 stopped 18");
	close(sock);
}
END_TEST

START_TEST(a_new_conversation_comes_after_the_old_one)
{
	int old = connect_one();
	int new;
	struct process *p;

	client.action = EXEC_UNIT;
	say_exec(old, 0, 0);
	expect_reply(old, WIRE_DO_UNIT);
	p = s->peers->process;
	new = connect_one();
	serve();
	/* Nobody has read what the old one said when the new one is served. */
	say(old, (struct wire_ask){.kind = WIRE_FAILED, .number = ENOENT});
	say_exec(new, 0, 0);
	for (struct conn *c = s->conns; c; c = c->next) {
		if (!c->peer)
			ck_assert_int_eq(conn_serve(c, CONN_ALL, &err), 0);
	}
	assert_log("exec /bin/x 'x' 'y' failed 2 exec /bin/x 'x' 'y'");
	ck_assert_ptr_eq(s->peers->process, p);
	close(old);
	close(new);
}
END_TEST

/* --- Standing in ---------------------------------------------------------------------------------
 */

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
	int sock = connect_one();
	struct process *p;

	client.action = EXEC_STUB;
	say_exec(sock, 0, 0);
	expect_reply(sock, WIRE_DO_STUB);
	p = s->peers->process;
	/* Before it stands in, there is none. */
	ck_assert_int_eq(intercept_read(t, p, address, bytes, 1, &err), ERR_SYSTEM);
	say(sock, (struct wire_ask){.kind = WIRE_READY});
	expect_reply(sock, WIRE_ROOM);
	ck_assert_int_eq(intercept_write(t, p, address, bytes, room_rows[_i].len, &err), wanted);
	ck_assert_int_eq(intercept_read(t, p, address, bytes, room_rows[_i].len, &err), wanted);
	close(sock);
}
END_TEST

START_TEST(what_the_stub_asks_is_answered)
{
	int sock = connect_one();

	client.action = EXEC_STUB;
	say_exec(sock, 0, 0);
	expect_reply(sock, WIRE_DO_STUB);
	say(sock, (struct wire_ask){.kind = WIRE_READY});
	expect_reply(sock, WIRE_ROOM);
	say(sock, (struct wire_ask){.kind = WIRE_STUB, .args = {STUB_ASK_MORE}});
	ck_assert_int_eq(expect_reply(sock, WIRE_RESULT), 42);
	assert_log("exec /bin/x 'x' 'y' stands in asks 1");
	close(sock);
}
END_TEST

/* --- Who waits for an exec -----------------------------------------------------------------------
 */

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
	int waits = connect_one();
	int other = connect_one();
	int sock = connect_one();
	struct wire_reply reply;
	uint64_t token;

	say(other, (struct wire_ask){.kind = WIRE_WAIT});
	say(waits, (struct wire_ask){.kind = WIRE_WAIT});
	token = (uint64_t)expect_reply(waits, WIRE_TOKEN);
	ck_assert_uint_ne((uint64_t)expect_reply(other, WIRE_TOKEN), token);
	client.action = told_rows[_i].action;
	say_exec(sock, token, told_rows[_i].known_errno);
	serve();
	if (told_rows[_i].says) {
		ck_assert_int_eq(reply_of(waits, &reply), 0);
		say(sock,
		    (struct wire_ask){.kind = (uint32_t)told_rows[_i].says, .number = ENOEXEC});
		serve();
	}
	close(sock);
	ck_assert_int_eq(expect_reply(waits, WIRE_TOLD), told_rows[_i].told);
	ck_assert_int_eq(reply_of(waits, &reply), 0);
	ck_assert_int_eq(reply_of(other, &reply), 0);
	close(waits);
	close(other);
}
END_TEST

START_TEST(nobody_need_wait)
{
	int waits = connect_one();
	int sock = connect_one();
	uint64_t token;

	say(waits, (struct wire_ask){.kind = WIRE_WAIT});
	token = (uint64_t)expect_reply(waits, WIRE_TOKEN);
	close(waits);
	client.action = EXEC_FAIL;
	say_exec(sock, token, 0);
	ck_assert_int_eq(expect_reply(sock, WIRE_DO_FAIL), EBUSY);
	say_exec(sock, 12345, 0);
	ck_assert_int_eq(expect_reply(sock, WIRE_DO_FAIL), EBUSY);
	close(sock);
}
END_TEST

/* --- Processes by /proc
 * ---------------------------------------------------------------------------- */

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
	ck_assert_uint_eq(server_left(t), 1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ck_assert_int_eq(family_parent(pid), 0);
	ck_assert_uint_eq(server_left(t), 0);
}
END_TEST

START_TEST(what_lives_on_may_yet_ask)
{
	pid_t pid;

	ck_assert(!t->backend->is_kept(t));
	pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	ck_assert(t->backend->is_kept(t));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ck_assert(!t->backend->is_kept(t));
}
END_TEST

static TCase *message_tests(void)
{
	TCase *c = tcase_create("messages");

	tcase_add_checked_fixture(c, enter, leave);
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
	return c;
}

Suite *intercept_server_suite(void)
{
	Suite *suite = suite_create("intercept_server");
	TCase *c = tcase_create("all");

	suite_add_tcase(suite, message_tests());
	tcase_add_checked_fixture(c, enter, leave);
	tcase_add_test(c, streams_get_their_places);
	tcase_add_test(c, no_descriptors_stay_of_an_exec_that_fails);
	tcase_add_test(c, streams_that_the_server_cannot_have_end_the_session);
	tcase_add_loop_test(c, a_process_that_dies_has_its_end, 0, COUNT(deaths));
	tcase_add_loop_test(c, a_process_that_dies_unserved_is_over, 0, COUNT(deaths));
	tcase_add_test(c, an_end_that_is_held_is_released_once);
	tcase_add_test(c, a_stop_is_told_before_its_parent_can_see_it);
	tcase_add_test(c, a_new_conversation_comes_after_the_old_one);
	tcase_add_loop_test(c, only_the_room_is_read_and_written, 0, COUNT(room_rows));
	tcase_add_test(c, what_the_stub_asks_is_answered);
	tcase_add_test(c, who_is_below_whom);
	tcase_add_test(c, what_lives_on_may_yet_ask);
	suite_add_tcase(suite, c);
	return suite;
}
