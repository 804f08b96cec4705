/* Rulesets of Landlock: what is decided for each ABI, ports, scopes, extra rules, bounds. */
#include "sandbox/landlock.h"

#include "base/cleanup.h"
#include "sandbox/kernel_linux.h"
#include "sandbox/landlock_test.h"
#include "sandbox/tree_test.h"
#include "tools/tests.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void strictness(enum sandbox_mechanism which, enum sandbox_strictness strict)
{
	ck_assert_int_eq(sandbox_policy_set_strictness(tree_policy, which, strict, NULL), 0);
}

/* --- decisions ----------------------------------------------------------------------------------
 */

START_TEST(the_definitions_are_those_of_the_kernel)
{
	ck_assert_uint_eq(LL_FS_EXECUTE, LANDLOCK_ACCESS_FS_EXECUTE);
	ck_assert_uint_eq(LL_FS_WRITE_FILE, LANDLOCK_ACCESS_FS_WRITE_FILE);
	ck_assert_uint_eq(LL_FS_READ_FILE, LANDLOCK_ACCESS_FS_READ_FILE);
	ck_assert_uint_eq(LL_FS_READ_DIR, LANDLOCK_ACCESS_FS_READ_DIR);
	ck_assert_uint_eq(LL_FS_REMOVE_DIR, LANDLOCK_ACCESS_FS_REMOVE_DIR);
	ck_assert_uint_eq(LL_FS_REMOVE_FILE, LANDLOCK_ACCESS_FS_REMOVE_FILE);
	ck_assert_uint_eq(LL_FS_MAKE_CHAR, LANDLOCK_ACCESS_FS_MAKE_CHAR);
	ck_assert_uint_eq(LL_FS_MAKE_DIR, LANDLOCK_ACCESS_FS_MAKE_DIR);
	ck_assert_uint_eq(LL_FS_MAKE_REG, LANDLOCK_ACCESS_FS_MAKE_REG);
	ck_assert_uint_eq(LL_FS_MAKE_SOCK, LANDLOCK_ACCESS_FS_MAKE_SOCK);
	ck_assert_uint_eq(LL_FS_MAKE_FIFO, LANDLOCK_ACCESS_FS_MAKE_FIFO);
	ck_assert_uint_eq(LL_FS_MAKE_BLOCK, LANDLOCK_ACCESS_FS_MAKE_BLOCK);
	ck_assert_uint_eq(LL_FS_MAKE_SYM, LANDLOCK_ACCESS_FS_MAKE_SYM);
#ifdef LANDLOCK_ACCESS_FS_REFER
	ck_assert_uint_eq(LL_FS_REFER, LANDLOCK_ACCESS_FS_REFER);
#endif
#ifdef LANDLOCK_ACCESS_FS_TRUNCATE
	ck_assert_uint_eq(LL_FS_TRUNCATE, LANDLOCK_ACCESS_FS_TRUNCATE);
#endif
#ifdef LANDLOCK_ACCESS_FS_IOCTL_DEV
	ck_assert_uint_eq(LL_FS_IOCTL_DEV, LANDLOCK_ACCESS_FS_IOCTL_DEV);
#endif
#ifdef LANDLOCK_ACCESS_NET_CONNECT_TCP
	ck_assert_uint_eq(LL_NET_CONNECT_TCP, LANDLOCK_ACCESS_NET_CONNECT_TCP);
#endif
#ifdef LANDLOCK_SCOPE_SIGNAL
	ck_assert_uint_eq(LL_SCOPE_SIGNAL, LANDLOCK_SCOPE_SIGNAL);
#endif
	ck_assert_uint_eq(sizeof(struct ll_path_beneath_attr),
			  sizeof(struct landlock_path_beneath_attr));
}
END_TEST

START_TEST(rights_are_those_that_an_abi_has)
{
	const uint64_t make = LL_FS_MAKE_REG | LL_FS_MAKE_DIR | LL_FS_MAKE_SYM | LL_FS_MAKE_FIFO |
			      LL_FS_MAKE_SOCK;
	const uint64_t all = LL_FS_READ_FILE | LL_FS_READ_DIR | LL_FS_WRITE_FILE | LL_FS_EXECUTE |
			     LL_FS_REMOVE_FILE | LL_FS_REMOVE_DIR | make;

	ck_assert_uint_eq(landlock_access(POLICY_OPS_ALL, true, 0), 0);
	ck_assert_uint_eq(landlock_access(POLICY_OPS_ALL, true, 1), all);
	ck_assert_uint_eq(landlock_access(POLICY_OPS_ALL, true, 2), all | LL_FS_REFER);
	ck_assert_uint_eq(landlock_access(POLICY_OPS_ALL, true, 4),
			  all | LL_FS_REFER | LL_FS_TRUNCATE);
	ck_assert_uint_eq(landlock_access(POLICY_OPS_ALL, true, LL_ABI_LAST),
			  all | LL_FS_REFER | LL_FS_TRUNCATE | LL_FS_IOCTL_DEV);
	ck_assert_uint_eq(landlock_access(POLICY_OPS_ALL, false, LL_ABI_LAST),
			  LL_FS_READ_FILE | LL_FS_WRITE_FILE | LL_FS_EXECUTE | LL_FS_TRUNCATE |
				  LL_FS_IOCTL_DEV);
	ck_assert_uint_eq(landlock_access(SANDBOX_OP_EXISTS, true, LL_ABI_LAST), 0);
	ck_assert_uint_eq(landlock_access(SANDBOX_OP_LIST, false, LL_ABI_LAST), 0);
}
END_TEST

/* The policies that the decisions are for. */
enum setting { DEFAULT, TCP, FULL, UNIX_ALL, UNIX_NONE, OWN_PIDS, ALL_OFF, SECCOMP_OFF, DENIES };

static void use(enum setting setting)
{
	tree_add(SANDBOX_ROOT_WORKSPACE, "@/root");
	sandbox_policy_set_unix(tree_policy, SANDBOX_UNIX_INSIDE, NULL);
	switch (setting) {
	case DEFAULT:
		break;
	case TCP:
		sandbox_policy_set_net(tree_policy, SANDBOX_NET_TCP, NULL);
		break;
	case FULL:
		sandbox_policy_set_net(tree_policy, SANDBOX_NET_FULL, NULL);
		break;
	case UNIX_ALL:
		sandbox_policy_set_unix(tree_policy, SANDBOX_UNIX_ALL, NULL);
		break;
	case UNIX_NONE:
		sandbox_policy_set_unix(tree_policy, SANDBOX_UNIX_NONE, NULL);
		break;
	case OWN_PIDS:
		sandbox_policy_set_namespace(tree_policy, SANDBOX_NS_PID, SANDBOX_USE_ON, NULL);
		sandbox_policy_set_namespace(tree_policy, SANDBOX_NS_NET, SANDBOX_USE_ON, NULL);
		break;
	case ALL_OFF:
		strictness(SANDBOX_MECH_LANDLOCK_FS, SANDBOX_STRICT_OFF);
		strictness(SANDBOX_MECH_LANDLOCK_NET, SANDBOX_STRICT_OFF);
		strictness(SANDBOX_MECH_LANDLOCK_SCOPE, SANDBOX_STRICT_OFF);
		break;
	case SECCOMP_OFF:
		strictness(SANDBOX_MECH_SECCOMP, SANDBOX_STRICT_OFF);
		break;
	case DENIES:
		tree_add(SANDBOX_ROOT_DENY, "@/root/secret");
		break;
	}
}

#define UNUSED	    SANDBOX_STATE_UNUSED
#define OFF	    SANDBOX_STATE_OFF
#define UNAVAILABLE SANDBOX_STATE_UNAVAILABLE
#define PARTIAL	    SANDBOX_STATE_PARTIAL
#define ENFORCED    SANDBOX_STATE_ENFORCED

/* Files are said to be enforced when their rules are there; here that is "unused". */
static const struct {
	enum setting setting;
	int abi;
	enum sandbox_state files, net, scope;
	const char *missing; /* a part of the error under enforce */
	uint64_t net_rights, scopes;
} decisions[] = {
	{DEFAULT, -ENOSYS, UNAVAILABLE, PARTIAL, UNAVAILABLE, "this kernel has no Landlock", 0, 0},
	{DEFAULT, -EOPNOTSUPP, UNAVAILABLE, PARTIAL, UNAVAILABLE, "Landlock is off", 0, 0},
	{DEFAULT, -EPERM, UNAVAILABLE, PARTIAL, UNAVAILABLE, "cannot be asked", 0, 0},
	{DEFAULT, 1, PARTIAL, PARTIAL, UNAVAILABLE, "truncate", 0, 0},
	{DEFAULT, 2, PARTIAL, PARTIAL, UNAVAILABLE, "truncate", 0, 0},
	{DEFAULT, 3, PARTIAL, PARTIAL, UNAVAILABLE, "signals", 0, 0},
	{DEFAULT, 4, PARTIAL, ENFORCED, UNAVAILABLE, "and abstract sockets", 3, 0},
	{DEFAULT, 5, PARTIAL, ENFORCED, UNAVAILABLE, "signals", 3, 0},
	{DEFAULT, 6, PARTIAL, ENFORCED, ENFORCED, NULL, 3, 3},
	{DEFAULT, 8, PARTIAL, ENFORCED, ENFORCED, NULL, 3, 3},
	{DEFAULT, 9, UNUSED, ENFORCED, ENFORCED, NULL, 3, 3},
	{DEFAULT, 10, UNUSED, ENFORCED, ENFORCED, NULL, 15, 3},
	{DEFAULT, 11, UNUSED, ENFORCED, ENFORCED, NULL, 15, 3},
	{TCP, 3, PARTIAL, UNAVAILABLE, UNAVAILABLE, "TCP ports cannot be told apart", 0, 0},
	{TCP, 7, PARTIAL, ENFORCED, ENFORCED, NULL, 3, 3},
	{FULL, 7, PARTIAL, UNUSED, ENFORCED, NULL, 0, 3},
	{FULL, 11, UNUSED, UNUSED, ENFORCED, NULL, 0, 3},
	{UNIX_ALL, 7, UNUSED, ENFORCED, ENFORCED, NULL, 3, LL_SCOPE_SIGNAL},
	{UNIX_ALL, 11, UNUSED, ENFORCED, ENFORCED, NULL, 15, LL_SCOPE_SIGNAL},
	{UNIX_NONE, 7, UNUSED, ENFORCED, ENFORCED, NULL, 3, 3},
	{UNIX_NONE, 5, UNUSED, ENFORCED, UNAVAILABLE, "refuse signals to processes outside (", 3,
	 0},
	{OWN_PIDS, 3, PARTIAL, PARTIAL, PARTIAL, NULL, 0, 0},
	{SECCOMP_OFF, 3, PARTIAL, UNAVAILABLE, UNAVAILABLE, "seccomp is off", 0, 0},
	{ALL_OFF, -ENOSYS, OFF, OFF, OFF, NULL, 0, 0},
	{ALL_OFF, 7, OFF, OFF, OFF, NULL, 0, 0},
	{DENIES, 11, PARTIAL, ENFORCED, ENFORCED, NULL, 15, 3},
};

static int decide(int abi, struct landlock *l)
{
	const struct judge judge = {tree_policy, &landlock_layers, NULL, NULL, &tree_err};

	memset(&landlock_layers, 0, sizeof(landlock_layers));
	return landlock_decide(&judge, false, abi, l);
}

START_TEST(each_abi_has_its_gaps)
{
	struct landlock l = LANDLOCK_INIT;
	int rc;

	use(decisions[_i].setting);
	rc = decide(decisions[_i].abi, &l);
	if (decisions[_i].missing) {
		ck_assert_int_eq(rc, ERR_UNSUPPORTED);
		/* Under warn, all layers are judged. */
		for (int which = SANDBOX_MECH_LANDLOCK_FS; which <= SANDBOX_MECH_LANDLOCK_SCOPE;
		     which++) {
			if (landlock_layer(which)->state != OFF)
				strictness(which, SANDBOX_STRICT_WARN);
		}
		l = (struct landlock)LANDLOCK_INIT;
	} else {
		ck_assert_msg(rc == 0, "%s", tree_err.text);
	}
	if (decisions[_i].missing) {
		bool named = strstr(tree_err.text, decisions[_i].missing);

		ck_assert_int_eq(decide(decisions[_i].abi, &l), 0);
		for (int which = SANDBOX_MECH_LANDLOCK_FS; which <= SANDBOX_MECH_LANDLOCK_SCOPE;
		     which++)
			named = named || strstr(landlock_layer(which)->why, decisions[_i].missing);
		ck_assert_msg(named, "%s", tree_err.text);
	}
	ck_assert_int_eq(landlock_layer(SANDBOX_MECH_LANDLOCK_FS)->state, decisions[_i].files);
	ck_assert_int_eq(landlock_layer(SANDBOX_MECH_LANDLOCK_NET)->state, decisions[_i].net);
	ck_assert_int_eq(landlock_layer(SANDBOX_MECH_LANDLOCK_SCOPE)->state, decisions[_i].scope);
	ck_assert_uint_eq(l.net, decisions[_i].net_rights);
	ck_assert_uint_eq(l.scope, decisions[_i].scopes);
}
END_TEST

START_TEST(sockets_with_paths_are_handled_unless_all_are_allowed)
{
	struct landlock l = LANDLOCK_INIT;

	use(DEFAULT);
	ck_assert_int_eq(decide(9, &l), 0);
	ck_assert_uint_eq(l.fs, 2 * LL_FS_RESOLVE_UNIX - 1);
	ck_assert_int_eq(sandbox_policy_set_unix(tree_policy, SANDBOX_UNIX_ALL, NULL), 0);
	ck_assert_int_eq(decide(9, &l), 0);
	ck_assert_uint_eq(l.fs, LL_FS_RESOLVE_UNIX - 1);
}
END_TEST

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
	use(DEFAULT);
	for (int which = SANDBOX_MECH_LANDLOCK_FS; which <= SANDBOX_MECH_LANDLOCK_SCOPE; which++)
		strictness(which, SANDBOX_STRICT_WARN);
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
	use(DEFAULT);
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
	use(DEFAULT);
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

	use(DEFAULT);
	landlock_compile(&l, false, landlock_abi());
	ck_assert_int_eq(landlock_child(signal_parent, &l, false), EPERM);
	ck_assert_int_eq(landlock_child(signal_child, &l, false), 0);
	landlock_free(&l);
}
END_TEST

/* --- only some mechanisms -----------------------------------------------------------------------
 */

START_TEST(without_files_only_the_rest_is_restricted)
{
	struct landlock l = LANDLOCK_INIT;

	use(DEFAULT);
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

	use(ALL_OFF);
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
	tcase_add_test(tc, the_definitions_are_those_of_the_kernel);
	tcase_add_test(tc, rights_are_those_that_an_abi_has);
	tcase_add_loop_test(tc, each_abi_has_its_gaps, 0, sizeof(decisions) / sizeof(decisions[0]));
	tcase_add_test(tc, sockets_with_paths_are_handled_unless_all_are_allowed);
	tcase_add_loop_test(tc, a_lower_abi_enforces_what_it_has, 0, LL_ABI_LAST + 1);
	tcase_add_test(tc, ports_are_those_of_the_policy);
	tcase_add_test(tc, abstract_sockets_outside_are_refused);
	tcase_add_test(tc, signals_stay_inside);
	tcase_add_test(tc, without_files_only_the_rest_is_restricted);
	tcase_add_test(tc, switched_off_it_restricts_nothing);
	suite_add_tcase(suite, tc);
	return suite;
}
