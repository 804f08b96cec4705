/* Filters in the kernel: the network, the kinds of actions, and how filters are installed. */
#include "sandbox/filter_run_test.h"
#include "tools/tests.h"
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define GARBAGE 0xffffffff00000000UL

/* --- the network ------------------------------------------------------------------------------ */

static const struct {
	enum sandbox_net net;
	enum sandbox_unix unixes;
	struct filter_call call;
	long wanted; /* 0: it works */
} sockets[] = {
	{SANDBOX_NET_NONE, SANDBOX_UNIX_ALL, {SYS_socket, {AF_INET, SOCK_STREAM, 0}}, -EACCES},
	{SANDBOX_NET_NONE, SANDBOX_UNIX_ALL, {SYS_socket, {AF_INET6, SOCK_DGRAM, 0}}, -EACCES},
	{SANDBOX_NET_NONE,
	 SANDBOX_UNIX_ALL,
	 {SYS_socket, {GARBAGE | AF_INET, SOCK_STREAM, 0}},
	 -EACCES},
	{SANDBOX_NET_NONE, SANDBOX_UNIX_ALL, {SYS_socket, {AF_NETLINK, SOCK_RAW, 0}}, -EACCES},
	{SANDBOX_NET_NONE, SANDBOX_UNIX_ALL, {SYS_socket, {AF_UNIX, SOCK_STREAM, 0}}, 0},
	{SANDBOX_NET_TCP, SANDBOX_UNIX_ALL, {SYS_socket, {AF_INET, SOCK_STREAM, 0}}, 0},
	{SANDBOX_NET_TCP, SANDBOX_UNIX_ALL, {SYS_socket, {AF_INET, SOCK_DGRAM, 0}}, -EACCES},
	{SANDBOX_NET_FULL, SANDBOX_UNIX_ALL, {SYS_socket, {AF_INET, SOCK_DGRAM, 0}}, 0},
	{SANDBOX_NET_LOOPBACK, SANDBOX_UNIX_ALL, {SYS_socket, {AF_INET, SOCK_DGRAM, 0}}, 0},
	{SANDBOX_NET_FULL, SANDBOX_UNIX_NONE, {SYS_socket, {AF_UNIX, SOCK_DGRAM, 0}}, -EACCES},
};

START_TEST(sockets_follow_the_modes)
{
	struct filter_fixture f;

	filter_setup(&f, SANDBOX_LEVEL_NETWORK);
	for (size_t i = 0; i < COUNT(sockets); i++) {
		long got;

		filter_set_net(&f, sockets[i].net);
		filter_set_unix(&f, sockets[i].unixes);
		filter_prepare_well(&f);
		got = filter_result(&f.filter, filter_users[_i], filter_make_call,
				    &sockets[i].call);
		ck_assert_msg(sockets[i].wanted ? got == sockets[i].wanted : got >= 0,
			      "row %zu: %ld", i, got);
		/* No family that a kernel may do without, but for IPv6. */
		got = filter_result(NULL, filter_users[_i], filter_make_call, &sockets[i].call);
		ck_assert_msg(got >= 0 || (got == -EAFNOSUPPORT &&
					   (int)sockets[i].call.args[0] == AF_INET6),
			      "row %zu, control: %ld", i, got);
	}
	filter_teardown(&f);
}
END_TEST

static long make_pair(const void *arg)
{
	int pair[2];

	(void)arg;
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ? -errno : 0;
}

static long list_addresses(const void *arg)
{
	struct ifaddrs *list = NULL;

	(void)arg;
	if (getifaddrs(&list) < 0)
		return -errno;
	freeifaddrs(list);
	return 0;
}

START_TEST(pairs_and_addresses_work)
{
	struct filter_fixture f;

	filter_setup(&f, SANDBOX_LEVEL_NETWORK);
	filter_set_unix(&f, SANDBOX_UNIX_NONE);
	filter_prepare_well(&f);
	ck_assert_int_eq(filter_result(&f.filter, filter_users[_i], make_pair, NULL), 0);
	ck_assert_int_eq(filter_result(&f.filter, filter_users[_i], list_addresses, NULL), 0);
	filter_set_net(&f, SANDBOX_NET_NONE);
	filter_prepare_well(&f);
	ck_assert_int_eq(filter_result(&f.filter, filter_users[_i], list_addresses, NULL), -EACCES);
	filter_teardown(&f);
}
END_TEST

enum send_way { BY_SENDTO, BY_SENDMSG, BY_SENDMMSG, BY_CONNECT, SEND_WAYS };

struct sending {
	struct sockaddr_in to;
	enum send_way way;
};

static long send_with(const struct sending *s, int fd)
{
	struct iovec byte = {(void *)"x", 1};
	struct mmsghdr many = {.msg_hdr = {.msg_name = (void *)&s->to,
					   .msg_namelen = sizeof(s->to),
					   .msg_iov = &byte,
					   .msg_iovlen = 1}};

	switch (s->way) {
	case BY_SENDTO:
		return sendto(fd, "x", 1, MSG_FASTOPEN, (const struct sockaddr *)&s->to,
			      sizeof(s->to));
	case BY_SENDMSG:
		return sendmsg(fd, &many.msg_hdr, MSG_FASTOPEN);
	case BY_SENDMMSG:
		return sendmmsg(fd, &many, 1, MSG_FASTOPEN);
	default:
		if (connect(fd, (const struct sockaddr *)&s->to, sizeof(s->to)) < 0)
			return -1;
		return sendto(fd, "x", 1, 0, NULL, 0);
	}
}

static long send_byte(const void *arg)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	long got = fd < 0 ? -1 : send_with(arg, fd);

	return got < 0 ? -errno : got;
}

static int listen_on_loopback(struct sockaddr_in *ret)
{
	socklen_t len = sizeof(*ret);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*ret = (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)ret, len), 0);
	ck_assert_int_eq(listen(fd, 64), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)ret, &len), 0);
	return fd;
}

START_TEST(fast_open_is_refused_where_ports_count)
{
	struct sending s;
	struct filter_fixture f;
	int fd = listen_on_loopback(&s.to);

	filter_setup(&f, SANDBOX_LEVEL_NETWORK);
	filter_set_net(&f, SANDBOX_NET_TCP);
	filter_prepare_well(&f);
	for (int way = 0; way < SEND_WAYS; way++) {
		long want = way == BY_CONNECT ? 1 : -EOPNOTSUPP, got;

		s.way = way;
		ck_assert_int_eq(filter_result(&f.filter, filter_users[_i], send_byte, &s), want);
		/* Fast open may be switched off. */
		got = filter_result(NULL, filter_users[_i], send_byte, &s);
		ck_assert_msg(got == 1 || (got == want && way != BY_CONNECT), "way %d: %ld", way,
			      got);
	}
	close(fd);
	filter_teardown(&f);
}
END_TEST

/* --- actions ---------------------------------------------------------------------------------- */

static volatile struct {
	int signal_errno, number, code;
} caught;

static void on_signal(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	caught.signal_errno = info->si_errno;
	caught.number = info->si_syscall;
	caught.code = info->si_code;
}

static long call_with_handler(const void *arg)
{
	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};

	sigaction(SIGSYS, &action, NULL);
	filter_make_call(arg);
	return caught.code == 1 ? caught.number * 1000L + caught.signal_errno : -1;
}

static const struct filter_call trace_me = {SYS_ptrace, {-1UL, 0, 0, 0}};

static void *call_in_thread(void *arg)
{
	filter_make_call(arg);
	return NULL;
}

static long call_from_thread(const void *arg)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, call_in_thread, (void *)arg) == 0)
		pthread_join(thread, NULL);
	return 0;
}

START_TEST(kill_ends_the_process)
{
	const filter_act ways[] = {filter_make_call, call_with_handler, call_from_thread};
	struct filter_fixture f;

	filter_setup(&f, SANDBOX_LEVEL_NETWORK);
	filter_set_group(&f, SANDBOX_SYSCALLS_DEBUG, SANDBOX_ACTION_KILL, 0);
	filter_prepare_well(&f);
	for (size_t i = 0; i < COUNT(ways); i++) {
		struct filter_outcome got =
			filter_in_child(&f.filter, filter_users[_i], ways[i], &trace_me);

		ck_assert(!got.done);
		ck_assert_msg(WIFSIGNALED(got.status) && WTERMSIG(got.status) == SIGSYS, "%#x",
			      got.status);
	}
	filter_teardown(&f);
}
END_TEST

START_TEST(a_trap_tells_call_and_group)
{
	struct filter_fixture f;
	struct filter_outcome got;

	filter_setup(&f, SANDBOX_LEVEL_NETWORK);
	filter_set_group(&f, SANDBOX_SYSCALLS_DEBUG, SANDBOX_ACTION_TRAP, 0);
	filter_prepare_well(&f);
	ck_assert_int_eq(filter_result(&f.filter, filter_users[_i], call_with_handler, &trace_me),
			 SYS_ptrace * 1000L + SANDBOX_SYSCALLS_DEBUG + 1);
	got = filter_in_child(&f.filter, filter_users[_i], filter_make_call, &trace_me);
	ck_assert_msg(WIFSIGNALED(got.status) && WTERMSIG(got.status) == SIGSYS, "%#x", got.status);
	filter_teardown(&f);
}
END_TEST

START_TEST(what_is_logged_is_allowed)
{
	struct filter_fixture f;

	filter_setup(&f, SANDBOX_LEVEL_NETWORK);
	filter_set_group(&f, SANDBOX_SYSCALLS_DEBUG, SANDBOX_ACTION_LOG, 0);
	filter_prepare_well(&f);
	ck_assert_int_eq(filter_result(&f.filter, filter_users[_i], filter_make_call, &trace_me),
			 filter_result(NULL, filter_users[_i], filter_make_call, &trace_me));
	filter_teardown(&f);
}
END_TEST

/* --- the filter itself ------------------------------------------------------------------------ */

static long apply_again(const void *arg)
{
	errno = 0;
	return errno ? -1 : filter_apply(arg);
}

START_TEST(a_sandbox_may_be_in_a_sandbox)
{
	struct filter_fixture f;

	filter_setup_rare(&f);
	ck_assert_int_eq(filter_result(&f.filter, filter_users[_i], apply_again, &f.filter), 0);
	filter_teardown(&f);
}
END_TEST

START_TEST(an_ordinary_user_needs_no_new_privs)
{
	struct filter_fixture f;
	int status = -1;
	pid_t pid;

	filter_setup_rare(&f);
	pid = fork();
	if (pid == 0) {
		filter_become(filter_users[1]);
		errno = E2BIG;
		_exit(filter_apply(&f.filter) == -EACCES && errno == E2BIG ? 7 : 8);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(WEXITSTATUS(status), 7);
	filter_teardown(&f);
}
END_TEST

/* A filter of another sandbox around us that does not let us have one. */
static const struct sock_filter no_filters[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_seccomp, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

static long prepare_there(const void *arg)
{
	struct filter_fixture *f = (struct filter_fixture *)arg;
	int rc = filter_try_prepare(f);

	return rc * 1000L + (long)filter_layer(f)->state * 10 + (f->filter.len != 0) +
	       (strstr(rc ? f->err.text : f->told, "EPERM") ? 2 : 0);
}

START_TEST(a_host_without_filters_is_told)
{
	const struct filter outer = {(struct sock_filter *)no_filters, COUNT(no_filters)};
	struct filter_fixture f;

	filter_setup(&f, SANDBOX_LEVEL_NETWORK);
	ck_assert_int_eq(filter_result(&outer, filter_users[_i], prepare_there, &f),
			 ERR_UNSUPPORTED * 1000L + SANDBOX_STATE_UNAVAILABLE * 10 + 2);
	ck_assert_int_eq(sandbox_policy_set_strictness(f.policy, SANDBOX_MECH_SECCOMP,
						       SANDBOX_STRICT_WARN, NULL),
			 0);
	ck_assert_int_eq(filter_result(&outer, filter_users[_i], prepare_there, &f),
			 SANDBOX_STATE_UNAVAILABLE * 10 + 2);
	filter_teardown(&f);
}
END_TEST

Suite *sandbox_filter_apply_suite(void)
{
	Suite *suite = suite_create("sandbox_filter_apply");
	TCase *tc = tcase_create("apply");

	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, sockets_follow_the_modes, 0, FILTER_USERS);
	tcase_add_loop_test(tc, pairs_and_addresses_work, 0, FILTER_USERS);
	tcase_add_loop_test(tc, fast_open_is_refused_where_ports_count, 0, FILTER_USERS);
	tcase_add_loop_test(tc, kill_ends_the_process, 0, FILTER_USERS);
	tcase_add_loop_test(tc, a_trap_tells_call_and_group, 0, FILTER_USERS);
	tcase_add_loop_test(tc, what_is_logged_is_allowed, 0, FILTER_USERS);
	tcase_add_loop_test(tc, a_sandbox_may_be_in_a_sandbox, 0, FILTER_USERS);
	tcase_add_test(tc, an_ordinary_user_needs_no_new_privs);
	tcase_add_loop_test(tc, a_host_without_filters_is_told, 0, FILTER_USERS);
	suite_add_tcase(suite, tc);
	return suite;
}
