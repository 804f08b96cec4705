/* What a unit was denied: kept once, in an order that chance does not decide. */
#include "tape/denied.h"

#include "base/error.h"
#include "tools/tests.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static struct denied denial_of(const char *what, int error, pid_t pid)
{
	return (struct denied){
		.text = {"landlock-fs", "observed", "openat", "AT_FDCWD", what, "why", "", "{}"},
		.error = error,
		.pid = pid,
	};
}

static void deny(struct unit *u, const struct denied *denied)
{
	struct roots *roots = roots_new();

	ck_assert_int_eq(roots_add(roots, "WORK", "/work", NULL), 0);
	ck_assert_int_eq(denied_add(u, denied, roots), 0);
	roots_free(roots);
}

static void deny_file(struct unit *u, const char *what, pid_t pid)
{
	const struct denied denied = denial_of(what, EACCES, pid);

	deny(u, &denied);
}

static void assert_what(const struct unit *u, size_t index, const char *what)
{
	ck_assert_uint_lt(index, u->denied_count);
	ck_assert_str_eq(u->denied[index].text[DENIED_WHAT].data, what);
}

START_TEST(the_order_is_that_of_what_they_are)
{
	struct unit a = {0}, b = {0};

	deny_file(&a, "/b", 1);
	deny_file(&a, "/a", 2);
	deny_file(&a, "/ab", 3);
	deny_file(&b, "/ab", 4);
	deny_file(&b, "/b", 5);
	ck_assert(!denied_are_same(&a, &b));
	deny_file(&b, "/a", 6);
	assert_what(&a, 0, "/a");
	assert_what(&a, 1, "/ab");
	assert_what(&a, 2, "/b");
	ck_assert(denied_are_same(&a, &b));
	ck_assert_int_eq(a.time.denied[0].pid, 2);
	ck_assert_int_eq(a.time.denied[1].pid, 3);
	ck_assert_int_eq(a.time.denied[2].pid, 1);
	unit_clear(&a);
	unit_clear(&b);
}
END_TEST

START_TEST(one_that_comes_again_is_counted)
{
	struct unit u = {0};
	struct denied other;

	deny_file(&u, "/a", 7);
	deny_file(&u, "/b", 8);
	deny_file(&u, "/a", 9);
	ck_assert_uint_eq(u.denied_count, 2);
	ck_assert_uint_eq(u.time.denied[0].count, 2);
	ck_assert_int_eq(u.time.denied[0].pid, 7);
	ck_assert_uint_eq(u.time.denied[1].count, 1);
	other = denial_of("/a", EPERM, 7);
	deny(&u, &other);
	other = denial_of("/a", 0, 7);
	other.signal = SIGSYS;
	deny(&u, &other);
	other = denial_of("/a", EACCES, 7);
	other.text[DENIED_ARGUMENTS] = "3";
	deny(&u, &other);
	other = denial_of("/a", EACCES, 7);
	other.text[DENIED_CALL] = "unlinkat";
	deny(&u, &other);
	other = denial_of("/a", EACCES, 7);
	other.text[DENIED_MECHANISM] = "rlimits";
	deny(&u, &other);
	ck_assert_uint_eq(u.denied_count, 7);
	unit_clear(&u);
}
END_TEST

START_TEST(paths_are_stored_by_their_roots)
{
	struct denied denied = denial_of("/work/f", EACCES, 1);
	struct unit u = {0};

	denied.text[DENIED_ARGUMENTS] = "AT_FDCWD, \"/work/f\", O_RDONLY";
	denied.text[DENIED_POLICY] = "{\"fs\": {\"read\": [\"/work/f\"]}}";
	deny(&u, &denied);
	assert_what(&u, 0, "$WORK/f");
	ck_assert_str_eq(u.denied[0].text[DENIED_ARGUMENTS].data,
			 "AT_FDCWD, \"$WORK/f\", O_RDONLY");
	ck_assert_str_eq(u.denied[0].text[DENIED_POLICY].data,
			 "{\"fs\": {\"read\": [\"$WORK/f\"]}}");
	unit_clear(&u);
}
END_TEST

START_TEST(those_beyond_the_limit_are_a_number)
{
	struct unit u = {0};
	char what[32];

	for (int i = 0; i < DENIED_KEPT + 3; i++) {
		snprintf(what, sizeof(what), "/%d", i);
		deny_file(&u, what, 1);
	}
	deny_file(&u, "/0", 1);
	ck_assert_uint_eq(u.denied_count, DENIED_KEPT);
	ck_assert_uint_eq(u.time.denied_count, DENIED_KEPT);
	ck_assert_uint_eq(u.time.denied_more, 3);
	ck_assert_uint_eq(u.time.denied[0].count, 2);
	unit_clear(&u);
}
END_TEST

START_TEST(late_ones_are_apart)
{
	struct roots *roots = roots_new();
	const char *const what[] = {"/b", "/a", "/b"};
	struct unit u = {0}, other = {0};

	ck_assert_ptr_nonnull(roots);
	deny_file(&u, "/b", 1);
	for (size_t i = 0; i < 3; i++) {
		const struct denied denied = denial_of(what[i], EACCES, 7);

		ck_assert_int_eq(denied_add_late(&u, &denied, roots), 0);
	}
	ck_assert_uint_eq(u.denied_count, 1);
	ck_assert_uint_eq(u.time.denied[0].count, 1);
	ck_assert_uint_eq(u.late_count, 2);
	ck_assert_str_eq(u.late[0].text[DENIED_WHAT].data, "/a");
	ck_assert_str_eq(u.late[1].text[DENIED_WHAT].data, "/b");
	deny_file(&other, "/b", 2);
	ck_assert(denied_are_same(&u, &other));
	ck_assert(!denied_are_same_late(&u, &other));
	unit_clear(&other);
	ck_assert(denied_are_same_late(&other, &other));
	unit_clear(&u);
	ck_assert_uint_eq(u.late_count, 0);
	roots_free(roots);
}
END_TEST

START_TEST(late_ones_beyond_the_limit_are_said)
{
	struct roots *roots = roots_new();
	struct unit u = {0};
	char what[32];

	ck_assert_ptr_nonnull(roots);
	for (int i = 0; i <= DENIED_KEPT; i++) {
		struct denied denied;

		ck_assert(!u.late_more);
		snprintf(what, sizeof(what), "/%d", i);
		denied = denial_of(what, EACCES, 1);
		ck_assert_int_eq(denied_add_late(&u, &denied, roots), 0);
	}
	ck_assert(u.late_more);
	ck_assert_uint_eq(u.late_count, DENIED_KEPT);
	unit_clear(&u);
	ck_assert(!u.late_more);
	roots_free(roots);
}
END_TEST

START_TEST(all_of_them_move)
{
	struct unit a = {0}, b = {0};

	deny_file(&a, "/a", 1);
	a.time.denied_more = 2;
	denied_move(&a, &b);
	ck_assert_uint_eq(a.denied_count, 0);
	ck_assert_uint_eq(a.time.denied_count, 0);
	ck_assert_uint_eq(a.time.denied_more, 0);
	assert_what(&b, 0, "/a");
	ck_assert_int_eq(b.time.denied[0].pid, 1);
	ck_assert_uint_eq(b.time.denied_more, 2);
	unit_clear(&a);
	unit_clear(&b);
}
END_TEST

Suite *tape_denied_suite(void)
{
	Suite *suite = suite_create("tape/denied");
	TCase *all = tcase_create("all");

	tcase_add_test(all, the_order_is_that_of_what_they_are);
	tcase_add_test(all, one_that_comes_again_is_counted);
	tcase_add_test(all, paths_are_stored_by_their_roots);
	tcase_add_test(all, those_beyond_the_limit_are_a_number);
	tcase_add_test(all, late_ones_are_apart);
	tcase_add_test(all, late_ones_beyond_the_limit_are_said);
	tcase_add_test(all, all_of_them_move);
	suite_add_tcase(suite, all);
	return suite;
}
