#include "sandbox/inside_test.h"
#include "sandbox/privileges.h"

#include "tools/tests.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct inside inside;
static struct privileges privileges;

static void setup(void)
{
	inside_setup(&inside);
}

static void teardown(void)
{
	inside_teardown(&inside);
}

static void prepare(void)
{
	ck_assert_int_eq(privileges_prepare(&inside.judge, &privileges), 0);
}

static void keep(unsigned capability)
{
	ck_assert_int_eq(sandbox_policy_add_capability(inside.policy, capability, NULL), 0);
}

static void be_strict(enum sandbox_mechanism which, enum sandbox_strictness strictness)
{
	ck_assert_int_eq(sandbox_policy_set_strictness(inside.policy, which, strictness, NULL), 0);
}

/* What a program has after it was executed: a line of its status, which must match. */
struct look {
	const char *line;
	bool apply;
	bool namespace;
};

static int look(void *arg)
{
	const struct look *l = arg;
	char command[200];

	if (l->namespace && !inside_enter_user_namespace())
		return 98;
	errno = 77;
	if (l->apply && (privileges_apply(&privileges) < 0 || errno != 77))
		return 99;
	snprintf(command, sizeof(command), "grep -Eq '^%s$' /proc/$$/status", l->line);
	return inside_shell(command);
}

static bool has(const char *line, bool apply)
{
	int rc = inside_run(look, &(struct look){line, apply, false});

	ck_assert_int_le(rc, 1);
	return rc == 0;
}

static bool is_root(void)
{
	return getuid() == 0;
}

#define NONE "0000000000000000"

START_TEST(user_0_has_no_capabilities_in_a_program)
{
	prepare();
	ck_assert(has("CapEff:\t" NONE, false) == !is_root());
	ck_assert(has("CapEff:\t" NONE, true));
	ck_assert(has("CapPrm:\t" NONE, true));
	ck_assert(has("CapInh:\t" NONE, true));
	ck_assert(has("CapAmb:\t" NONE, true));
	ck_assert_int_eq(inside_state(&inside, SANDBOX_MECH_CAPABILITIES), SANDBOX_STATE_ENFORCED);
}
END_TEST

START_TEST(user_0_keeps_what_the_policy_names)
{
	if (!is_root())
		return;
	keep(CAP_NET_BIND_SERVICE);
	prepare();
	ck_assert(!has("CapEff:\t0000000000000400", false));
	ck_assert(has("CapEff:\t0000000000000400", true));
	ck_assert(has("CapPrm:\t0000000000000400", true));
}
END_TEST

/* Its own user namespace gives it all, and an ordinary user loses them at exec. */
START_TEST(an_ordinary_user_keeps_what_the_policy_names)
{
	struct look control = {"CapEff:\t0000000000000400", false, true};
	struct look denied = {"CapEff:\t" NONE, true, true};
	struct look allowed = {"CapEff:\t0000000000000400", true, true};
	int rc = inside_run_as_user(look, &control);

	if (rc == 98)
		return; /* no user namespaces here */
	ck_assert_int_eq(rc, 1);
	prepare();
	ck_assert_int_eq(inside_run_as_user(look, &denied), 0);
	keep(CAP_NET_BIND_SERVICE);
	prepare();
	ck_assert_int_eq(inside_run_as_user(look, &allowed), 0);
}
END_TEST

static int use_chown(void *arg)
{
	const char *file = arg;

	if (privileges_apply(&privileges) < 0)
		return 99;
	return chown(file, 1, 1) < 0 ? errno : 0;
}

START_TEST(what_a_capability_allowed_is_refused)
{
	char file[] = "/tmp/sandtape-test-XXXXXX";
	int fd = mkstemp(file);

	ck_assert_int_ge(fd, 0);
	close(fd);
	prepare();
	ck_assert_int_eq(inside_run(use_chown, file), EPERM);
	if (is_root()) {
		ck_assert_int_eq(chown(file, 1, 1), 0);
		ck_assert_int_eq(chown(file, 0, 0), 0);
		keep(CAP_CHOWN);
		prepare();
		ck_assert_int_eq(inside_run(use_chown, file), 0);
	}
	ck_assert_int_eq(unlink(file), 0);
}
END_TEST

/* --- no_new_privs --------------------------------------------------------------------------------
 */

START_TEST(programs_gain_no_privileges)
{
	prepare();
	if (has("NoNewPrivs:\t1", false))
		return; /* the tests themselves run so */
	ck_assert(has("NoNewPrivs:\t1", true));
	be_strict(SANDBOX_MECH_NO_NEW_PRIVS, SANDBOX_STRICT_OFF);
	be_strict(SANDBOX_MECH_CAPABILITIES, SANDBOX_STRICT_OFF);
	prepare();
	ck_assert(!has("NoNewPrivs:\t1", true));
	ck_assert_int_eq(inside_state(&inside, SANDBOX_MECH_NO_NEW_PRIVS), SANDBOX_STATE_OFF);
}
END_TEST

static int run_id(void *arg)
{
	const char *const *file_and_apply = arg;
	char command[300];

	if (file_and_apply[1] && privileges_apply(&privileges) < 0)
		return 99;
	snprintf(command, sizeof(command), "[ $('%s' -u) = 0 ] || exit 1", file_and_apply[0]);
	return inside_shell(command);
}

/* A set-user-ID copy of id(1) is root for an ordinary user, and not so inside. */
START_TEST(a_set_user_id_program_stays_the_user)
{
	char dir[] = "/tmp/sandtape-test-XXXXXX", command[300], file[100];
	int control, inner;

	if (!is_root())
		return;
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chmod(dir, 0755), 0);
	snprintf(file, sizeof(file), "%s/id", dir);
	snprintf(command, sizeof(command), "cp \"$(command -v id)\" %s && chmod 4755 %s", file,
		 file);
	ck_assert_int_eq(system(command), 0);
	prepare();
	control = inside_run_as_user(run_id, (const char *[]){file, NULL});
	inner = inside_run_as_user(run_id, (const char *[]){file, "apply"});
	ck_assert_int_eq(unlink(file), 0);
	ck_assert_int_eq(rmdir(dir), 0);
	if (control == 0) /* else /tmp is mounted nosuid */
		ck_assert_int_eq(inner, 1);
}
END_TEST

START_TEST(without_no_new_privs_the_bounding_set_is_emptied)
{
	be_strict(SANDBOX_MECH_NO_NEW_PRIVS, SANDBOX_STRICT_OFF);
	if (!is_root()) {
		ck_assert_int_eq(privileges_prepare(&inside.judge, &privileges), ERR_UNSUPPORTED);
		be_strict(SANDBOX_MECH_CAPABILITIES, SANDBOX_STRICT_WARN);
		prepare();
		ck_assert_ptr_nonnull(strstr(inside.told, "CAP_SETPCAP"));
		ck_assert(has("CapEff:\t" NONE, true));
		return;
	}
	prepare();
	ck_assert(!has("CapBnd:\t" NONE, false));
	ck_assert(has("CapBnd:\t" NONE, true));
	ck_assert(has("CapEff:\t" NONE, true));
	keep(CAP_NET_BIND_SERVICE);
	prepare();
	ck_assert(has("CapBnd:\t0000000000000400", true));
	ck_assert(has("CapEff:\t0000000000000400", true));
}
END_TEST

START_TEST(capabilities_can_be_left_as_they_are)
{
	if (!is_root())
		return;
	be_strict(SANDBOX_MECH_CAPABILITIES, SANDBOX_STRICT_OFF);
	prepare();
	ck_assert(!has("CapEff:\t" NONE, true));
	ck_assert_int_eq(inside_state(&inside, SANDBOX_MECH_CAPABILITIES), SANDBOX_STATE_OFF);
}
END_TEST

/* --- the terminal --------------------------------------------------------------------------------
 */

/* Makes this process the leader of a session with a terminal. */
static bool take_terminal(void)
{
	int terminal = posix_openpt(O_RDWR | O_NOCTTY);
	int end;

	if (terminal < 0 || grantpt(terminal) < 0 || unlockpt(terminal) < 0 || setsid() < 0)
		return false;
	end = open(ptsname(terminal), O_RDWR | O_NOCTTY);
	return end >= 0 && ioctl(end, TIOCSCTTY, 0) == 0;
}

static int try_terminal(void)
{
	int fd = open("/dev/tty", O_RDWR | O_NOCTTY);

	return fd >= 0 ? 0 : errno;
}

/* A child of the leader leaves the terminal, where `arg` says so. */
static int child_leaves(void *arg)
{
	int status;
	pid_t pid;

	if (!take_terminal() || try_terminal() != 0)
		return 254;
	pid = fork();
	if (pid == 0) {
		if (arg && privileges_apply(&privileges) < 0)
			_exit(253);
		_exit(try_terminal());
	}
	signal(SIGHUP, SIG_IGN);
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 252;
}

static int leader_leaves(void *arg)
{
	(void)arg;
	return take_terminal() ? -privileges_apply(&privileges) : 254;
}

static int leader_without_terminal_leaves(void *arg)
{
	(void)arg;
	return setsid() < 0 ? 254 : -privileges_apply(&privileges);
}

START_TEST(a_program_cannot_open_the_terminal)
{
	ck_assert_int_eq(sandbox_policy_set_tty(inside.policy, SANDBOX_TTY_NONE, NULL), 0);
	prepare();
	ck_assert_int_eq(inside_run(child_leaves, NULL), 0);
	ck_assert_int_eq(inside_run(child_leaves, "apply"), ENXIO);
	ck_assert_int_eq(inside_run(leader_leaves, NULL), EPERM);
	ck_assert_int_eq(inside_run(leader_without_terminal_leaves, NULL), 0);
	ck_assert_int_eq(inside_state(&inside, SANDBOX_MECH_TTY), SANDBOX_STATE_ENFORCED);
}
END_TEST

START_TEST(a_program_keeps_the_terminal_by_default)
{
	prepare();
	ck_assert_int_eq(inside_run(child_leaves, "apply"), 0);
	ck_assert_int_eq(inside_state(&inside, SANDBOX_MECH_TTY), SANDBOX_STATE_UNUSED);
}
END_TEST

Suite *sandbox_privileges_suite(void)
{
	Suite *suite = suite_create("sandbox_privileges");
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, user_0_has_no_capabilities_in_a_program);
	tcase_add_test(tcase, user_0_keeps_what_the_policy_names);
	tcase_add_test(tcase, an_ordinary_user_keeps_what_the_policy_names);
	tcase_add_test(tcase, what_a_capability_allowed_is_refused);
	tcase_add_test(tcase, programs_gain_no_privileges);
	tcase_add_test(tcase, a_set_user_id_program_stays_the_user);
	tcase_add_test(tcase, without_no_new_privs_the_bounding_set_is_emptied);
	tcase_add_test(tcase, capabilities_can_be_left_as_they_are);
	tcase_add_test(tcase, a_program_cannot_open_the_terminal);
	tcase_add_test(tcase, a_program_keeps_the_terminal_by_default);
	suite_add_tcase(suite, tcase);
	return suite;
}
