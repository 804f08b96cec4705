#include "sandbox/fds.h"
#include "sandbox/inside_test.h"

#include "tools/tests.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct inside inside;
static struct fds fds;

static void setup(void)
{
	inside_setup(&inside);
}

static void teardown(void)
{
	fds_free(&fds);
	inside_teardown(&inside);
}

static void prepare(void)
{
	ck_assert_int_eq(fds_prepare(&inside.judge, &fds), 0);
}

static void keep(int fd)
{
	ck_assert_int_eq(sandbox_policy_add_fd(inside.policy, fd, NULL), 0);
}

/* --- what a program sees: by both ways of marking ------------------------------------------------
 */

typedef int applier(const struct fds *fds);

static applier *const appliers[] = {fds_apply, fds_apply_listed};

/* Whether a program that is executed then has descriptor 9: 0, or 1. */
static int look_for_9(void *arg)
{
	applier *const *apply = arg;

	if (dup2(0, 9) < 0 || (apply && (*apply)(&fds) < 0))
		return 99;
	return inside_shell("[ -e /proc/$$/fd/9 ] || exit 1");
}

START_TEST(a_leaked_descriptor_is_not_there)
{
	prepare();
	ck_assert_int_eq(inside_run(look_for_9, NULL), 0);
	ck_assert_int_eq(inside_run(look_for_9, (void *)&appliers[_i]), 1);
	ck_assert_int_eq(inside_state(&inside, SANDBOX_MECH_FDS), SANDBOX_STATE_ENFORCED);
}
END_TEST

START_TEST(a_kept_descriptor_is_there)
{
	keep(9);
	prepare();
	ck_assert_int_eq(inside_run(look_for_9, (void *)&appliers[_i]), 0);
}
END_TEST

static int keeps_the_close_on_exec_one(void *arg)
{
	applier *const *apply = arg;

	if (fcntl(0, F_DUPFD_CLOEXEC, 9) != 9 || (apply && (*apply)(&fds) < 0))
		return 99;
	return inside_shell("[ -e /proc/$$/fd/9 ] || exit 1");
}

START_TEST(a_kept_descriptor_that_was_close_on_exec_is_there)
{
	keep(9);
	prepare();
	ck_assert_int_eq(inside_run(keeps_the_close_on_exec_one, NULL), 1);
	ck_assert_int_eq(inside_run(keeps_the_close_on_exec_one, (void *)&appliers[_i]), 0);
}
END_TEST

START_TEST(the_mechanism_can_be_switched_off)
{
	ck_assert_int_eq(sandbox_policy_set_strictness(inside.policy, SANDBOX_MECH_FDS,
						       SANDBOX_STRICT_OFF, NULL),
			 0);
	prepare();
	ck_assert_int_eq(inside_run(look_for_9, (void *)&appliers[_i]), 0);
	ck_assert_int_eq(inside_state(&inside, SANDBOX_MECH_FDS), SANDBOX_STATE_OFF);
}
END_TEST

/* --- which ones are marked -----------------------------------------------------------------------
 */

static bool is_kept(int fd)
{
	return fd <= 2 || fd == 3 || fd == 40 || fd == 41 || fd == 299;
}

/* 0, or the first descriptor whose flag is wrong. */
static int look_at_flags(void *arg)
{
	applier *const *apply = arg;

	for (int fd = 3; fd < 300; fd++) {
		if (dup3(0, fd, fd % 2 ? O_CLOEXEC : 0) < 0)
			return 254;
	}
	fcntl(0, F_SETFD, 0);
	if ((*apply)(&fds) < 0)
		return 253;
	for (int fd = 0; fd < 300; fd++) {
		if (fcntl(fd, F_GETFD) != (is_kept(fd) ? 0 : FD_CLOEXEC))
			return fd ? fd % 250 + 1 : 1;
	}
	return 0;
}

START_TEST(all_between_the_kept_ones_are_marked)
{
	keep(41);
	keep(3);
	keep(299);
	keep(40);
	prepare();
	ck_assert_int_eq(inside_run(look_at_flags, (void *)&appliers[_i]), 0);
}
END_TEST

static int apply_without_9(void *arg)
{
	applier *const *apply = arg;

	close(9);
	errno = 77;
	return (*apply)(&fds) == -EBADF && errno == 77 ? 0 : 1;
}

START_TEST(a_kept_one_that_is_not_open_is_an_error)
{
	keep(9);
	prepare();
	ck_assert_int_eq(inside_run(apply_without_9, (void *)&appliers[_i]), 0);
}
END_TEST

START_TEST(the_parent_names_a_kept_one_that_is_not_open)
{
	int fd = dup(0);

	keep(fd);
	keep(987);
	prepare();
	close(987);
	ck_assert_int_eq(fds_check(&fds, &inside.err), ERR_INVALID);
	ck_assert_str_eq(inside.err.text, "the policy keeps descriptor 987, which is not open");
	ck_assert_int_eq(dup2(0, 987), 987);
	ck_assert_int_eq(fds_check(&fds, &inside.err), 0);
	close(987);
	close(fd);
}
END_TEST

Suite *sandbox_fds_suite(void)
{
	Suite *suite = suite_create("sandbox_fds");
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, a_leaked_descriptor_is_not_there, 0, 2);
	tcase_add_loop_test(tcase, a_kept_descriptor_is_there, 0, 2);
	tcase_add_loop_test(tcase, a_kept_descriptor_that_was_close_on_exec_is_there, 0, 2);
	tcase_add_loop_test(tcase, the_mechanism_can_be_switched_off, 0, 2);
	tcase_add_loop_test(tcase, all_between_the_kept_ones_are_marked, 0, 2);
	tcase_add_loop_test(tcase, a_kept_one_that_is_not_open_is_an_error, 0, 2);
	tcase_add_test(tcase, the_parent_names_a_kept_one_that_is_not_open);
	suite_add_tcase(suite, tcase);
	return suite;
}
