/* Rulesets of Landlock, tried in children: lower ABIs, ports, sockets, signals. */
#include "sandbox/landlock.h"

#include "base/cleanup.h"
#include "sandbox/kernel_linux.h"
#include "sandbox/landlock_test.h"
#include "sandbox/tree_test.h"
#include "tools/tests.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void use_default(void)
{
	tree_add(SANDBOX_ROOT_WORKSPACE, "@/root");
	ck_assert_int_eq(sandbox_policy_set_unix(tree_policy, SANDBOX_UNIX_INSIDE, NULL), 0);
}

static void strictness(enum sandbox_mechanism which, enum sandbox_strictness strict)
{
	ck_assert_int_eq(sandbox_policy_set_strictness(tree_policy, which, strict, NULL), 0);
}

static void all_strictness(enum sandbox_strictness strict)
{
	strictness(SANDBOX_MECH_LANDLOCK_FS, strict);
	strictness(SANDBOX_MECH_LANDLOCK_NET, strict);
	strictness(SANDBOX_MECH_LANDLOCK_SCOPE, strict);
}

/* --- a lower ABI, on this kernel ----------------------------------------------------------------
 */

static int read_outside(void *ctx)
{
	cleanup_close int fd = -1;
	int rc = landlock_enter(ctx, NULL, 0);

	if (rc)
		return rc;
	fd = open(tree_at("@/root/file"), O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return 100;
	fd = open(tree_at("@/outside/file"), O_RDONLY | O_CLOEXEC);
	return fd < 0 ? errno : 0;
}

static int truncate_outside(void *ctx)
{
	int rc = landlock_enter(ctx, NULL, 0);

	if (rc)
		return rc;
	return truncate(tree_at("@/outside/file"), 0) < 0 ? errno : 0;
}

static int move_inside(void *ctx)
{
	int rc = landlock_enter(ctx, NULL, 0);

	if (rc)
		return rc;
	return rename(tree_at("@/root/file"), tree_at("@/root/dir/moved")) < 0 ? errno : 0;
}

static int signal_parent(void *ctx)
{
	int rc = landlock_enter(ctx, NULL, 0);

	if (rc)
		return rc;
	return kill(getppid(), 0) < 0 ? errno : 0;
}

START_TEST(a_lower_abi_enforces_what_it_has)
{
	struct landlock l = LANDLOCK_INIT;

	if (_i > landlock_abi())
		return;
	use_default();
	all_strictness(SANDBOX_STRICT_WARN);
	landlock_compile(&l, false, _i);
	ck_assert_int_eq(landlock_child(read_outside, &l, false), _i ? EACCES : 0);
	ck_assert_int_eq(landlock_child(truncate_outside, &l, false), _i >= 3 ? EACCES : 0);
	ck_assert_int_eq(landlock_child(signal_parent, &l, false), _i >= 6 ? EPERM : 0);
	ck_assert_int_eq(landlock_child(move_inside, &l, false), _i == 1 ? EXDEV : 0);
	landlock_free(&l);
}
END_TEST

/* --- ports --------------------------------------------------------------------------------------
 */

struct tcp {
	const struct landlock *l;
	int port;
	bool binds;
};

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons((uint16_t)port),
				    .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

static int use_port(void *ctx)
{
	const struct tcp *tcp = ctx;
	const struct sockaddr_in address = loopback(tcp->port);
	cleanup_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc = tcp->l ? landlock_enter(tcp->l, NULL, 0) : 0;

	if (rc)
		return rc;
	rc = tcp->binds ? bind(fd, (const struct sockaddr *)&address, sizeof(address))
			: connect(fd, (const struct sockaddr *)&address, sizeof(address));
	return rc < 0 ? errno : 0;
}

/* A port that somebody listens on; or that nobody had a moment ago. */
static int find_port(int *ret_listener)
{
	struct sockaddr_in address = loopback(0);
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, len), 0);
	ck_assert_int_eq(listen(fd, 8), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	*ret_listener = fd;
	return ntohs(address.sin_port);
}

static int try_port(const struct landlock *l, int port, bool binds)
{
	struct tcp tcp = {l, port, binds};

	return landlock_child(use_port, &tcp, false);
}

START_TEST(ports_are_those_of_the_policy)
{
	struct landlock tcp = LANDLOCK_INIT, none = LANDLOCK_INIT, full = LANDLOCK_INIT;
	cleanup_close int one = -1, two = -1, three = -1;
	int granted = find_port(&one), other = find_port(&two), free_port = find_port(&three);

	close(steal_fd(&three));
	use_default();
	landlock_compile(&none, false, landlock_abi());
	sandbox_policy_set_net(tree_policy, SANDBOX_NET_TCP, NULL);
	sandbox_policy_add_port(tree_policy, SANDBOX_PORT_CONNECT, (unsigned)granted, NULL);
	sandbox_policy_add_port(tree_policy, SANDBOX_PORT_BIND, 0, NULL);
	landlock_compile(&tcp, false, landlock_abi());
	sandbox_policy_set_net(tree_policy, SANDBOX_NET_FULL, NULL);
	landlock_compile(&full, false, landlock_abi());
	ck_assert_int_eq(try_port(&tcp, granted, false), 0);
	ck_assert_int_eq(try_port(&tcp, other, false), EACCES);
	ck_assert_int_eq(try_port(NULL, other, false), 0);
	ck_assert_int_eq(try_port(&tcp, 0, true), 0);
	ck_assert_int_eq(try_port(&tcp, free_port, true), EACCES);
	ck_assert_int_eq(try_port(&none, granted, false), EACCES);
	ck_assert_int_eq(try_port(&none, 0, true), EACCES);
	ck_assert_int_eq(try_port(&full, other, false), 0);
	ck_assert_int_eq(try_port(&full, 0, true), 0);
	landlock_free(&tcp);
	landlock_free(&none);
	landlock_free(&full);
}
END_TEST

static int send_datagram(void *ctx)
{
	const struct tcp *udp = ctx;
	const struct sockaddr_in address = loopback(udp->port);
	cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int rc = udp->l ? landlock_enter(udp->l, NULL, 0) : 0;

	if (rc)
		return rc;
	if (udp->binds)
		return bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? errno : 0;
	return sendto(fd, "x", 1, 0, (const struct sockaddr *)&address, sizeof(address)) < 0 ? errno
											     : 0;
}

/* Before ABI 10 they are for the filter of system calls to refuse. */
START_TEST(datagrams_are_refused_where_the_abi_can)
{
	struct landlock none = LANDLOCK_INIT, full = LANDLOCK_INIT;
	int refusal = landlock_abi() >= 10 ? EACCES : 0;
	struct tcp sends = {NULL, 9, false}, binds = {NULL, 0, true};

	use_default();
	landlock_compile(&none, false, landlock_abi());
	sandbox_policy_set_net(tree_policy, SANDBOX_NET_FULL, NULL);
	landlock_compile(&full, false, landlock_abi());
	sends.l = binds.l = &none;
	ck_assert_int_eq(landlock_child(send_datagram, &sends, false), refusal);
	ck_assert_int_eq(landlock_child(send_datagram, &binds, false), refusal);
	sends.l = binds.l = &full;
	ck_assert_int_eq(landlock_child(send_datagram, &sends, false), 0);
	ck_assert_int_eq(landlock_child(send_datagram, &binds, false), 0);
	landlock_free(&none);
	landlock_free(&full);
}
END_TEST

/* --- scopes -------------------------------------------------------------------------------------
 */

static socklen_t abstract(struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(ret->sun_path + 1, sizeof(ret->sun_path) - 1, "sandtape-test-%d", (int)getpid());
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(ret->sun_path + 1));
}

struct knock {
	const struct landlock *l;
	struct sockaddr_un address;
	socklen_t len;
};

static int knock(void *ctx)
{
	const struct knock *k = ctx;
	cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc = k->l ? landlock_enter(k->l, NULL, 0) : 0;

	if (rc)
		return rc;
	return connect(fd, (const struct sockaddr *)&k->address, k->len) < 0 ? errno : 0;
}

START_TEST(abstract_sockets_outside_are_refused)
{
	struct landlock inside = LANDLOCK_INIT, all = LANDLOCK_INIT;
	cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct knock k = {NULL, {0}, 0};

	k.len = abstract(&k.address);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&k.address, k.len), 0);
	ck_assert_int_eq(listen(fd, 8), 0);
	use_default();
	landlock_compile(&inside, false, landlock_abi());
	sandbox_policy_set_unix(tree_policy, SANDBOX_UNIX_ALL, NULL);
	landlock_compile(&all, false, landlock_abi());
	ck_assert_int_eq(landlock_child(knock, &k, false), 0);
	k.l = &inside;
	ck_assert_int_eq(landlock_child(knock, &k, false), EPERM);
	k.l = &all;
	ck_assert_int_eq(landlock_child(knock, &k, false), 0);
	landlock_free(&inside);
	landlock_free(&all);
}
END_TEST

static socklen_t at_path(struct sockaddr_un *ret, const char *name)
{
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(ret->sun_path, sizeof(ret->sun_path), "%s", tree_at(name));
	return sizeof(*ret);
}

/* To a socket that is made inside: one that was made before and bound there is not. */
static int knock_inside(void *ctx)
{
	cleanup_close int server = -1, client = -1;
	struct sockaddr_un address;
	socklen_t len = at_path(&address, "@/root/own");
	int rc = landlock_enter(ctx, NULL, 0);

	if (rc)
		return rc;
	server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(server, (struct sockaddr *)&address, len) < 0 || listen(server, 1) < 0)
		return errno;
	return connect(client, (struct sockaddr *)&address, len) < 0 ? errno : 0;
}

/* Before ABI 9 mounts may hide them. */
START_TEST(sockets_by_path_are_refused_where_the_abi_can)
{
	struct landlock inside = LANDLOCK_INIT, named = LANDLOCK_INIT, all = LANDLOCK_INIT;
	cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct knock k = {NULL, {0}, 0};

	k.len = at_path(&k.address, "@/root/socket");
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&k.address, k.len), 0);
	ck_assert_int_eq(listen(fd, 8), 0);
	use_default();
	landlock_compile(&inside, false, landlock_abi());
	ck_assert_int_eq(
		sandbox_policy_add_unix_path(tree_policy, tree_at("@/root/socket"), false, NULL),
		0);
	landlock_compile(&named, true, landlock_abi());
	ck_assert_int_eq(sandbox_policy_set_unix(tree_policy, SANDBOX_UNIX_ALL, NULL), 0);
	landlock_compile(&all, false, landlock_abi());
	k.l = &inside;
	ck_assert_int_eq(landlock_child(knock, &k, false), landlock_abi() >= 9 ? EACCES : 0);
	k.l = &named;
	ck_assert_int_eq(landlock_child(knock, &k, false), 0);
	k.l = &all;
	ck_assert_int_eq(landlock_child(knock, &k, false), 0);
	ck_assert_int_eq(landlock_child(knock_inside, &inside, false), 0);
	landlock_free(&inside);
	landlock_free(&named);
	landlock_free(&all);
}
END_TEST

START_TEST(a_socket_that_is_not_there_is_an_error_where_it_matters)
{
	struct landlock l = LANDLOCK_INIT;
	bool matters = landlock_abi() >= 9;

	use_default();
	ck_assert_int_eq(
		sandbox_policy_add_unix_path(tree_policy, tree_at("@/root/none"), true, NULL), 0);
	landlock_compile(&l, false, landlock_abi());
	landlock_free(&l);
	ck_assert_int_eq(
		sandbox_policy_add_unix_path(tree_policy, tree_at("@/root/gone"), false, NULL), 0);
	ck_assert_int_eq(landlock_try(&l, false, landlock_abi()), matters ? ERR_SYSTEM : 0);
	landlock_free(&l);
	strictness(SANDBOX_MECH_LANDLOCK_FS, SANDBOX_STRICT_WARN);
	landlock_compile(&l, false, landlock_abi());
	ck_assert_int_eq(strstr(landlock_told, "root/gone") != NULL, matters);
	landlock_free(&l);
}
END_TEST

static int signal_child(void *ctx)
{
	int rc = landlock_enter(ctx, NULL, 0);
	pid_t pid = rc ? -1 : fork();

	if (pid < 0)
		return rc ? rc : errno;
	if (pid == 0) {
		pause();
		_exit(0);
	}
	rc = kill(pid, SIGKILL) < 0 ? errno : 0;
	waitpid(pid, NULL, 0);
	return rc;
}

START_TEST(signals_stay_inside)
{
	struct landlock l = LANDLOCK_INIT;

	use_default();
	landlock_compile(&l, false, landlock_abi());
	ck_assert_int_eq(landlock_child(signal_parent, &l, false), EPERM);
	ck_assert_int_eq(landlock_child(signal_child, &l, false), 0);
	landlock_free(&l);
}
END_TEST

/* --- in a ruleset -------------------------------------------------------------------------------
 */

static int opens(const char *path)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? errno : 0;
}

/* In a ruleset that was carved itself: 0, or what is wrong. */
static int carve_inside(void *ctx)
{
	struct landlock inner = LANDLOCK_INIT;
	int rc = landlock_enter(ctx, NULL, 0);

	if (rc == 0 && landlock_try(&inner, false, landlock_abi()) < 0)
		rc = 210;
	if (rc == 0 &&
	    !strstr(landlock_layer(SANDBOX_MECH_LANDLOCK_FS)->why, "only usual names in 1 "))
		rc = 211;
	if (rc == 0)
		rc = landlock_enter(&inner, NULL, 0);
	if (rc == 0)
		rc = opens(tree_at("@/root/dir/file"));
	return rc == 0 && opens(tree_at("@/root/file")) != EACCES ? 212 : rc;
}

START_TEST(what_a_ruleset_around_hides_is_not_granted)
{
	struct landlock outer = LANDLOCK_INIT;

	tree_add(SANDBOX_ROOT_WRITE, "@/root");
	tree_add(SANDBOX_ROOT_WRITE, "@/root/dir");
	tree_add(SANDBOX_ROOT_DENY, "@/root/secret");
	landlock_compile(&outer, false, landlock_abi());
	ck_assert_int_eq(landlock_child(carve_inside, &outer, true), 0);
	landlock_free(&outer);
}
END_TEST

/* --- only some mechanisms -----------------------------------------------------------------------
 */

START_TEST(without_files_only_the_rest_is_restricted)
{
	struct landlock l = LANDLOCK_INIT;

	use_default();
	strictness(SANDBOX_MECH_LANDLOCK_FS, SANDBOX_STRICT_OFF);
	landlock_compile(&l, false, landlock_abi());
	ck_assert_int_eq(landlock_child(read_outside, &l, false), 0);
	ck_assert_int_eq(landlock_child(signal_parent, &l, false), EPERM);
	ck_assert_int_eq(landlock_child(move_inside, &l, false), 0);
	landlock_free(&l);
}
END_TEST

START_TEST(switched_off_it_restricts_nothing)
{
	struct landlock l = LANDLOCK_INIT;

	use_default();
	all_strictness(SANDBOX_STRICT_OFF);
	landlock_compile(&l, false, landlock_abi());
	ck_assert_int_eq(l.ruleset, -1);
	ck_assert_int_eq(landlock_child(read_outside, &l, false), 0);
	ck_assert_int_eq(landlock_child(signal_parent, &l, false), 0);
	landlock_free(&l);
}
END_TEST

Suite *sandbox_landlock_rules_linux_suite(void)
{
	Suite *suite = suite_create("sandbox_landlock_rules_linux");
	TCase *tc = tcase_create("rules");

	tcase_add_checked_fixture(tc, tree_enter, tree_leave);
	tcase_add_loop_test(tc, a_lower_abi_enforces_what_it_has, 0, LL_ABI_LAST + 1);
	tcase_add_test(tc, ports_are_those_of_the_policy);
	tcase_add_test(tc, datagrams_are_refused_where_the_abi_can);
	tcase_add_test(tc, sockets_by_path_are_refused_where_the_abi_can);
	tcase_add_test(tc, a_socket_that_is_not_there_is_an_error_where_it_matters);
	tcase_add_test(tc, abstract_sockets_outside_are_refused);
	tcase_add_test(tc, signals_stay_inside);
	tcase_add_test(tc, without_files_only_the_rest_is_restricted);
	tcase_add_test(tc, what_a_ruleset_around_hides_is_not_granted);
	tcase_add_test(tc, switched_off_it_restricts_nothing);
	suite_add_tcase(suite, tc);
	return suite;
}
