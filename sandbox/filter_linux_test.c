/* Whether filters are what the table of calls and the policy say, and what is said about them. */
#include "sandbox/filter.h"

#include "base/chaos_test.h"
#include "base/random_test.h"
#include "sandbox/calls.h"
#include "sandbox/filter_run_test.h"
#include "sandbox/kernel_calls_linux.h"
#include "tools/tests.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define NUMBERS_END 501

/* Values that tests are about, and what is beside them. */
static const uint64_t values[] = {0,
				  1,
				  2,
				  3,
				  6,
				  10,
				  16,
				  17,
				  31,
				  262,
				  UINT32_MAX,
				  UINT64_MAX,
				  SOCK_STREAM | SOCK_CLOEXEC,
				  SOCK_DGRAM | SOCK_NONBLOCK,
				  TIOCSTI,
				  TIOCLINUX,
				  UINT64_C(0xffffffff00005412),
				  CLONE_THREAD,
				  CLONE_NEWUSER,
				  CLONE_NEWTIME,
				  CLONE_THREAD | CLONE_NEWNET,
				  UINT64_C(0x1000000000000002),
				  UINT64_C(0x7fff00000000),
				  04755,
				  02000,
				  O_CREAT | O_WRONLY,
				  O_TMPFILE,
				  MSG_FASTOPEN};

static void assert_answers(const struct filter_fixture *f, struct random *random, unsigned times)
{
	for (uint32_t number = 0; number < NUMBERS_END; number++) {
		for (unsigned i = 0; i < times; i++) {
			uint64_t args[6];
			uint32_t got, want;

			for (int a = 0; a < 6; a++)
				args[a] = values[random_below(random, COUNT(values))];
			got = filter_answer(&f->filter, call_audit_arch, number, args);
			want = filter_wanted(f->policy, number, args);
			if (got != want)
				ck_abort_msg("call %u (%#llx, %#llx, %#llx, %#llx): %#x, not %#x",
					     number, (unsigned long long)args[0],
					     (unsigned long long)args[1],
					     (unsigned long long)args[2],
					     (unsigned long long)args[3], got, want);
		}
	}
}

static const struct sandbox_action actions[] = {{SANDBOX_ACTION_ERRNO, EXFULL},
						{SANDBOX_ACTION_KILL, 0},
						{SANDBOX_ACTION_TRAP, 0},
						{SANDBOX_ACTION_LOG, 0}};

START_TEST(every_group_has_its_action_and_no_other_call_has_it)
{
	struct random random = {1};
	struct filter_fixture f;

	filter_setup(&f, SANDBOX_LEVEL_NETWORK);
	filter_set_all_groups(&f, SANDBOX_ACTION_ALLOW, 0);
	for (size_t i = 0; i < COUNT(actions); i++) {
		filter_set_group(&f, _i, actions[i].kind, actions[i].number);
		ck_assert_int_eq(filter_try_prepare(&f), 0);
		filter_assert_is_sound(&f.filter);
		assert_answers(&f, &random, 20);
	}
	filter_teardown(&f);
}
END_TEST

START_TEST(every_mode_has_its_answers)
{
	struct random random = {2};
	struct filter_fixture f;

	for (int level = 0; level < SANDBOX_LEVELS; level++) {
		filter_setup(&f, level);
		filter_set_net(&f, _i % SANDBOX_NETS);
		filter_set_unix(&f, _i / SANDBOX_NETS);
		ck_assert_int_eq(filter_try_prepare(&f), 0);
		filter_assert_is_sound(&f.filter);
		assert_answers(&f, &random, 40);
		filter_teardown(&f);
	}
}
END_TEST

static void set_randomly(struct filter_fixture *f, struct random *random)
{
	for (int group = 0; group < SANDBOX_SYSCALLS_COUNT; group++) {
		enum sandbox_action_kind kind = random_below(random, SANDBOX_ACTIONS);

		filter_set_group(f, group, kind,
				 kind == SANDBOX_ACTION_ERRNO ? 1 + (int)random_below(random, 30)
							      : 0);
	}
	/* What is allowed here makes other promises void. */
	filter_set_group(f, SANDBOX_SYSCALLS_FOREIGN_ABI, SANDBOX_ACTION_KILL, 0);
	filter_set_group(f, SANDBOX_SYSCALLS_IO_URING, SANDBOX_ACTION_TRAP, 0);
	filter_set_net(f, random_below(random, SANDBOX_NETS));
	filter_set_unix(f, random_below(random, SANDBOX_UNIXES));
	if (random_below(random, 2))
		ck_assert_int_eq(sandbox_policy_add_port(f->policy, SANDBOX_PORT_BIND, 80, NULL),
				 0);
}

START_TEST(random_policies_are_what_they_say)
{
	struct random random = {3};
	struct filter_fixture f;

	filter_setup(&f, SANDBOX_LEVEL_NETWORK);
	for (int i = 0; i < 50; i++) {
		set_randomly(&f, &random);
		ck_assert_int_eq(filter_try_prepare(&f), 0);
		filter_assert_is_sound(&f.filter);
		assert_answers(&f, &random, 4);
	}
	filter_teardown(&f);
}
END_TEST

START_TEST(other_machines_calls_have_their_action)
{
	static const uint64_t none[6];
	static const uint32_t archs[] = {AUDIT_ARCH_I386, AUDIT_ARCH_ARM, AUDIT_ARCH_RISCV64, 0};
	struct filter_fixture f;

	filter_setup(&f, SANDBOX_LEVEL_NETWORK);
	for (size_t i = 0; i < COUNT(actions); i++) {
		filter_set_group(&f, SANDBOX_SYSCALLS_FOREIGN_ABI, actions[i].kind,
				 actions[i].number);
		ck_assert_int_eq(filter_try_prepare(&f), 0);
		for (uint32_t number = 0; number < NUMBERS_END; number++) {
			uint32_t want = filter_action_of(f.policy, SANDBOX_SYSCALLS_FOREIGN_ABI, 0);

			for (size_t a = 0; a < COUNT(archs); a++)
				ck_assert_uint_eq(filter_answer(&f.filter, archs[a], number, none),
						  want);
			if (call_foreign_from)
				ck_assert_uint_eq(filter_answer(&f.filter, call_audit_arch,
								call_foreign_from + number, none),
						  want);
		}
		ck_assert_uint_eq(filter_answer(&f.filter, call_audit_arch, UINT32_MAX, none),
				  ALLOWED);
	}
	filter_teardown(&f);
}
END_TEST

static bool has_rule(uint32_t number)
{
	for (size_t i = 0; i < call_rule_count; i++)
		if ((uint32_t)call_rules[i].number == number)
			return true;
	return false;
}

/* The kernel tries each number when it installs the filter: this is what a start pays for. */
START_TEST(calls_without_a_rule_pass_few_instructions)
{
	struct filter_fixture f;

	filter_setup(&f, _i);
	ck_assert_int_eq(filter_try_prepare(&f), 0);
	for (uint32_t number = 0; number < KERNEL_CALLS_END; number++) {
		struct seccomp_data call = {.arch = call_audit_arch, .nr = (int)number};
		unsigned steps;

		if (has_rule(number))
			continue;
		ck_assert_uint_eq(filter_run(&f.filter, &call, &steps), ALLOWED);
		ck_assert_msg(steps <= 16, "call %u: %u", number, steps);
	}
	filter_teardown(&f);
}
END_TEST

/* --- what it promises ------------------------------------------------------------------------- */

START_TEST(a_policy_that_asks_nothing_has_no_filter)
{
	struct filter_fixture f;

	filter_setup(&f, SANDBOX_LEVEL_NETWORK);
	filter_set_all_groups(&f, SANDBOX_ACTION_ALLOW, 0);
	ck_assert_int_eq(filter_try_prepare(&f), 0);
	ck_assert_uint_eq(f.filter.len, 0);
	ck_assert_int_eq(filter_layer(&f)->state, SANDBOX_STATE_UNUSED);
	ck_assert_int_eq(filter_apply(&f.filter), 0);

	filter_set_unix(&f, SANDBOX_UNIX_NONE);
	filter_set_group(&f, SANDBOX_SYSCALLS_FOREIGN_ABI, SANDBOX_ACTION_KILL, 0);
	filter_set_group(&f, SANDBOX_SYSCALLS_IO_URING, SANDBOX_ACTION_KILL, 0);
	ck_assert_int_eq(filter_try_prepare(&f), 0);
	ck_assert_uint_gt(f.filter.len, 0);
	filter_teardown(&f);
}
END_TEST

START_TEST(a_filter_that_is_switched_off_is_none)
{
	struct filter_fixture f;

	filter_setup(&f, SANDBOX_LEVEL_NETWORK);
	ck_assert_int_eq(sandbox_policy_set_strictness(f.policy, SANDBOX_MECH_SECCOMP,
						       SANDBOX_STRICT_OFF, NULL),
			 0);
	ck_assert_int_eq(filter_try_prepare(&f), 0);
	ck_assert_uint_eq(f.filter.len, 0);
	ck_assert_int_eq(filter_layer(&f)->state, SANDBOX_STATE_OFF);
	filter_teardown(&f);
}
END_TEST

static const struct {
	int group;
	enum sandbox_action_kind kind;
	enum sandbox_net net;
	enum sandbox_unix unixes;
	enum sandbox_use nets;
	int rc;
	enum sandbox_state state; /* when it is no error */
} way_rows[] = {
	{SANDBOX_SYSCALLS_IO_URING, SANDBOX_ACTION_ALLOW, SANDBOX_NET_NONE, SANDBOX_UNIX_INSIDE,
	 SANDBOX_USE_AUTO, ERR_UNSUPPORTED, 0},
	{SANDBOX_SYSCALLS_IO_URING, SANDBOX_ACTION_LOG, SANDBOX_NET_NONE, SANDBOX_UNIX_INSIDE,
	 SANDBOX_USE_AUTO, ERR_UNSUPPORTED, 0},
	{SANDBOX_SYSCALLS_IO_URING, SANDBOX_ACTION_ALLOW, SANDBOX_NET_NONE, SANDBOX_UNIX_INSIDE,
	 SANDBOX_USE_ON, 0, SANDBOX_STATE_ENFORCED},
	{SANDBOX_SYSCALLS_IO_URING, SANDBOX_ACTION_ALLOW, SANDBOX_NET_TCP, SANDBOX_UNIX_INSIDE,
	 SANDBOX_USE_ON, ERR_UNSUPPORTED, 0},
	{SANDBOX_SYSCALLS_IO_URING, SANDBOX_ACTION_ALLOW, SANDBOX_NET_FULL, SANDBOX_UNIX_NONE,
	 SANDBOX_USE_AUTO, ERR_UNSUPPORTED, 0},
	{SANDBOX_SYSCALLS_IO_URING, SANDBOX_ACTION_ALLOW, SANDBOX_NET_FULL, SANDBOX_UNIX_ALL,
	 SANDBOX_USE_AUTO, 0, SANDBOX_STATE_ENFORCED},
	{SANDBOX_SYSCALLS_FOREIGN_ABI, SANDBOX_ACTION_ALLOW, SANDBOX_NET_NONE, SANDBOX_UNIX_INSIDE,
	 SANDBOX_USE_AUTO, ERR_UNSUPPORTED, 0},
	{SANDBOX_SYSCALLS_FOREIGN_ABI, SANDBOX_ACTION_ALLOW, SANDBOX_NET_FULL, SANDBOX_UNIX_ALL,
	 SANDBOX_USE_AUTO, 0, SANDBOX_STATE_PARTIAL},
	{SANDBOX_SYSCALLS_SOCKETS, SANDBOX_ACTION_ALLOW, SANDBOX_NET_TCP, SANDBOX_UNIX_INSIDE,
	 SANDBOX_USE_AUTO, 0, SANDBOX_STATE_PARTIAL},
	{SANDBOX_SYSCALLS_SOCKETS, SANDBOX_ACTION_ALLOW, SANDBOX_NET_FULL, SANDBOX_UNIX_INSIDE,
	 SANDBOX_USE_AUTO, 0, SANDBOX_STATE_ENFORCED},
};

/* What the policy itself opens a way around is no promise that is kept. */
START_TEST(ways_around_the_filter_are_told)
{
	struct filter_fixture f;

	filter_setup(&f, SANDBOX_LEVEL_NETWORK);
	filter_set_group(&f, way_rows[_i].group, way_rows[_i].kind, 0);
	filter_set_net(&f, way_rows[_i].net);
	filter_set_unix(&f, way_rows[_i].unixes);
	ck_assert_int_eq(
		sandbox_policy_set_namespace(f.policy, SANDBOX_NS_NET, way_rows[_i].nets, NULL), 0);
	ck_assert_int_eq(filter_try_prepare(&f), way_rows[_i].rc);
	ck_assert_int_eq(f.filter.len > 0, way_rows[_i].rc == 0);
	if (way_rows[_i].rc == 0)
		ck_assert_int_eq(filter_layer(&f)->state, way_rows[_i].state);
	else
		ck_assert_ptr_nonnull(strstr(f.err.text, "past the filter"));

	/* Under warn all else holds. */
	ck_assert_int_eq(sandbox_policy_set_strictness(f.policy, SANDBOX_MECH_SECCOMP,
						       SANDBOX_STRICT_WARN, NULL),
			 0);
	ck_assert_int_eq(filter_try_prepare(&f), 0);
	ck_assert_uint_gt(f.filter.len, 0);
	ck_assert_int_eq(f.told[0] != 0, way_rows[_i].rc != 0);
	if (way_rows[_i].rc != 0)
		ck_assert_int_eq(filter_layer(&f)->state, SANDBOX_STATE_PARTIAL);
	filter_teardown(&f);
}
END_TEST

START_TEST(without_memory_there_is_no_filter)
{
	struct filter_fixture f;
	struct filter untouched = {NULL, 7};
	int failed = 0, rc = ERR_NOMEM;

	filter_setup(&f, SANDBOX_LEVEL_NETWORK);
	chaos_prepare();
	for (long call = 0; rc != 0; call++) {
		struct judge judge = {f.policy, &f.layers, NULL, NULL, &f.err};

		ck_assert_int_lt(call, CHAOS_CALLS_MAX);
		memset(&f.layers, 0, sizeof(f.layers));
		f.filter = untouched;
		chaos_arm(CHAOS_FOR_GOOD, call);
		rc = filter_prepare(&judge, &f.needs, &f.filter);
		chaos_disarm();
		failed += rc == ERR_NOMEM;
		if (rc < 0) {
			ck_assert_int_eq(rc, ERR_NOMEM);
			ck_assert_uint_eq(f.filter.len, 7);
		}
	}
	ck_assert_int_gt(failed, 0);
	filter_assert_is_sound(&f.filter);
	filter_teardown(&f);
}
END_TEST

Suite *sandbox_filter_suite(void)
{
	Suite *suite = suite_create("sandbox_filter");
	TCase *tc = tcase_create("code");

	tcase_add_loop_test(tc, every_group_has_its_action_and_no_other_call_has_it, 0,
			    SANDBOX_SYSCALLS_COUNT);
	tcase_add_loop_test(tc, every_mode_has_its_answers, 0, SANDBOX_NETS * SANDBOX_UNIXES);
	tcase_add_test(tc, random_policies_are_what_they_say);
	tcase_add_test(tc, other_machines_calls_have_their_action);
	tcase_add_loop_test(tc, calls_without_a_rule_pass_few_instructions, 0, SANDBOX_LEVELS);
	suite_add_tcase(suite, tc);

	tc = tcase_create("promises");
	tcase_add_test(tc, a_policy_that_asks_nothing_has_no_filter);
	tcase_add_test(tc, a_filter_that_is_switched_off_is_none);
	tcase_add_loop_test(tc, ways_around_the_filter_are_told, 0, COUNT(way_rows));
	tcase_add_test(tc, without_memory_there_is_no_filter);
	suite_add_tcase(suite, tc);
	return suite;
}
