/* What is decided of Landlock for each ABI; nothing enters a ruleset here. */
#include "sandbox/landlock.h"

#include "sandbox/kernel_linux.h"
#include "sandbox/landlock_test.h"
#include "sandbox/tree_test.h"
#include "tools/tests.h"
#include <errno.h>
#include <linux/landlock.h>
#include <string.h>

static void strictness(enum sandbox_mechanism which, enum sandbox_strictness strict)
{
	ck_assert_int_eq(sandbox_policy_set_strictness(tree_policy, which, strict, NULL), 0);
}

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

static bool own_namespaces;

static void use(enum setting setting)
{
	own_namespaces = false;
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
		own_namespaces = true;
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
	const struct landlock_around around = {
		.abi = abi, .own_pids = own_namespaces, .own_net = own_namespaces};

	memset(&landlock_layers, 0, sizeof(landlock_layers));
	return landlock_decide(&judge, &around, l);
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

Suite *sandbox_landlock_abi_linux_suite(void)
{
	Suite *suite = suite_create("sandbox_landlock_abi_linux");
	TCase *tc = tcase_create("abi");

	tcase_add_checked_fixture(tc, tree_enter, tree_leave);
	tcase_add_test(tc, the_definitions_are_those_of_the_kernel);
	tcase_add_test(tc, rights_are_those_that_an_abi_has);
	tcase_add_loop_test(tc, each_abi_has_its_gaps, 0, sizeof(decisions) / sizeof(decisions[0]));
	tcase_add_test(tc, sockets_with_paths_are_handled_unless_all_are_allowed);
	suite_add_tcase(suite, tc);
	return suite;
}
