#include "base/error.h"
#include "tools/tests.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

START_TEST(set_fills_every_field)
{
	struct error err;

	memset(&err, 0x55, sizeof(err));
	ck_assert_int_eq(error_set(&err, ERR_FORMAT, "line %d: %s", 7, "bad"), ERR_FORMAT);
	ck_assert_int_eq(err.code, ERR_FORMAT);
	ck_assert_int_eq(err.sys, 0);
	ck_assert_str_eq(err.text, "line 7: bad");
}
END_TEST

START_TEST(sys_keeps_the_number_and_says_it_in_words)
{
	struct error err = {0};

	ck_assert_int_eq(error_sys(&err, ENOENT, "cannot open %s", "a"), ERR_SYSTEM);
	ck_assert_int_eq(err.code, ERR_SYSTEM);
	ck_assert_int_eq(err.sys, ENOENT);
	ck_assert_str_eq(err.text, "cannot open a: No such file or directory");

	error_sys(&err, 99999, "odd");
	ck_assert_int_eq(err.sys, 99999);
	ck_assert_ptr_nonnull(strstr(err.text, "odd: "));
	ck_assert_ptr_nonnull(strstr(err.text, "99999"));
}
END_TEST

START_TEST(wrap_puts_context_in_front)
{
	struct error err = {0};
	int rc = error_sys(&err, EACCES, "cannot open x");

	ck_assert_int_eq(error_wrap(&err, rc, "tape %s", "t"), ERR_SYSTEM);
	ck_assert_int_eq(err.code, ERR_SYSTEM);
	ck_assert_int_eq(err.sys, EACCES);
	ck_assert_str_eq(err.text, "tape t: cannot open x: Permission denied");
}
END_TEST

START_TEST(wrap_of_an_unused_error_is_a_set)
{
	struct error err = {0};

	ck_assert_int_eq(error_wrap(&err, ERR_LIMIT, "too big"), ERR_LIMIT);
	ck_assert_int_eq(err.code, ERR_LIMIT);
	ck_assert_int_eq(err.sys, 0);
	ck_assert_str_eq(err.text, "too big");
}
END_TEST

START_TEST(arguments_may_be_the_text_itself)
{
	struct error err = {0};

	error_set(&err, ERR_BUSY, "held");
	error_set(&err, ERR_BUSY, "[%s]", err.text);
	ck_assert_str_eq(err.text, "[held]");
	error_wrap(&err, ERR_BUSY, "<%s>", err.text);
	ck_assert_str_eq(err.text, "<[held]>: [held]");
}
END_TEST

START_TEST(null_is_allowed_and_returns_the_code)
{
	errno = EPIPE;
	ck_assert_int_eq(error_set(NULL, ERR_NOMEM, "x"), ERR_NOMEM);
	ck_assert_int_eq(error_sys(NULL, EIO, "x"), ERR_SYSTEM);
	ck_assert_int_eq(error_wrap(NULL, ERR_EXISTS, "x"), ERR_EXISTS);
	ck_assert_int_eq(errno, EPIPE);
}
END_TEST

START_TEST(errno_is_left_alone)
{
	struct error err = {0};

	errno = ENOTTY;
	error_set(&err, ERR_INVALID, "x");
	ck_assert_int_eq(errno, ENOTTY);
	error_sys(&err, 99999, "x");
	ck_assert_int_eq(errno, ENOTTY);
	error_wrap(&err, ERR_SYSTEM, "x");
	ck_assert_int_eq(errno, ENOTTY);
}
END_TEST

START_TEST(long_text_is_cut_and_the_numbers_stay)
{
	struct error err = {0};
	char path[ERROR_TEXT_SIZE * 2];

	memset(path, 'p', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	error_sys(&err, ENOSPC, "%s", path);
	ck_assert_uint_eq(strlen(err.text), ERROR_TEXT_SIZE - 1);
	ck_assert_int_eq(err.sys, ENOSPC);
	error_wrap(&err, ERR_SYSTEM, "context");
	ck_assert_uint_eq(strlen(err.text), ERROR_TEXT_SIZE - 1);
	ck_assert_int_eq(strncmp(err.text, "context: ppp", 12), 0);
	ck_assert_int_eq(err.sys, ENOSPC);
	ck_assert_int_eq(err.code, ERR_SYSTEM);
}
END_TEST

/* A character of `width` bytes is placed so that the cut falls after each of its bytes. */
START_TEST(the_cut_leaves_whole_characters)
{
	static const char *const characters[] = {"\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
	const char *character = characters[_i];
	size_t width = strlen(character);

	for (size_t kept = 0; kept <= width; kept++) {
		char text[ERROR_TEXT_SIZE + 16] = {0};
		size_t before = ERROR_TEXT_SIZE - 1 - kept;
		struct error err = {0};

		memset(text, 'a', before);
		memcpy(text + before, character, width);
		memcpy(text + before + width, "tail", 4);
		error_set(&err, ERR_INVALID, "%s", text);
		ck_assert_uint_eq(strlen(err.text), kept == width ? before + width : before);
		ck_assert_int_eq(strncmp(err.text, text, strlen(err.text)), 0);
	}
}
END_TEST

START_TEST(advice_stands_behind_the_text)
{
	struct error err = {0};
	int rc = error_sys(&err, ENOENT, "cannot open x");

	ck_assert_int_eq(error_advise(&err, rc, "make it"), ERR_SYSTEM);
	ck_assert_str_eq(err.text, "cannot open x: No such file or directory; make it");
	ck_assert_int_eq(err.sys, ENOENT);
	ck_assert_int_eq(error_advise(NULL, ERR_FORMAT, "make it"), ERR_FORMAT);
	err = (struct error){0};
	ck_assert_int_eq(error_advise(&err, ERR_FORMAT, "make it"), ERR_FORMAT);
	ck_assert_int_eq(err.code, ERR_FORMAT);
	ck_assert_str_eq(err.text, "make it");
}
END_TEST

START_TEST(errors_that_a_user_can_mend_have_a_way_out)
{
	ck_assert_str_eq(error_way_out(EMFILE), "raise the limit (ulimit -n)");
	ck_assert_ptr_null(error_way_out(EIO));
	ck_assert_ptr_null(error_way_out(0));
}
END_TEST

START_TEST(text_is_one_printable_line)
{
	struct error err = {0};

	error_set(&err, ERR_INVALID, "a\nb\tc\x1b[31m\x7f \xc3\xa4");
	ck_assert_str_eq(err.text, "a?b?c?[31m? \xc3\xa4");
}
END_TEST

START_TEST(errno_names_go_both_ways)
{
	static const struct {
		int number;
		const char *name;
	} rows[] = {
		{EPERM, "EPERM"},     {ENOENT, "ENOENT"},   {EACCES, "EACCES"},
		{EAGAIN, "EAGAIN"},   {EDEADLK, "EDEADLK"}, {EOPNOTSUPP, "EOPNOTSUPP"},
		{ENOEXEC, "ENOEXEC"}, {ETXTBSY, "ETXTBSY"}, {EHWPOISON, "EHWPOISON"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_str_eq(error_errno_name(rows[i].number), rows[i].name);
		ck_assert_int_eq(error_errno_number(rows[i].name), rows[i].number);
	}
	ck_assert_int_eq(error_errno_number("EWOULDBLOCK"), EWOULDBLOCK);
	ck_assert_int_eq(error_errno_number("ENOTSUP"), ENOTSUP);
}
END_TEST

START_TEST(unknown_errnos_have_no_name)
{
	ck_assert_ptr_null(error_errno_name(0));
	ck_assert_ptr_null(error_errno_name(-1));
	ck_assert_ptr_null(error_errno_name(99999));
	ck_assert_int_eq(error_errno_number(""), 0);
	ck_assert_int_eq(error_errno_number("ENO"), 0);
	ck_assert_int_eq(error_errno_number("enoent"), 0);
	ck_assert_int_eq(error_errno_number("ENOENTX"), 0);
}
END_TEST

/* The C library's own list is the independent judge of ours. */
START_TEST(no_errno_of_this_host_is_missing)
{
#ifdef __GLIBC__
	int named = 0;

	for (int number = 1; number < 4096; number++) {
		const char *theirs = strerrorname_np(number), *ours = error_errno_name(number);

		ck_assert_int_eq(theirs != NULL, ours != NULL);
		if (!theirs)
			continue;
		/* The C library calls it ENOTSUP, the kernel and its manual EOPNOTSUPP. */
		if (number != EOPNOTSUPP)
			ck_assert_str_eq(ours, theirs);
		ck_assert_int_eq(error_errno_number(theirs), number);
		named++;
	}
	ck_assert_int_gt(named, 100);
#else
	ck_assert_ptr_nonnull(error_errno_name(ENOENT));
#endif
}
END_TEST

Suite *base_error_suite(void)
{
	Suite *suite = suite_create("base_error");
	TCase *tcase = tcase_create("error");

	tcase_add_test(tcase, set_fills_every_field);
	tcase_add_test(tcase, sys_keeps_the_number_and_says_it_in_words);
	tcase_add_test(tcase, wrap_puts_context_in_front);
	tcase_add_test(tcase, wrap_of_an_unused_error_is_a_set);
	tcase_add_test(tcase, arguments_may_be_the_text_itself);
	tcase_add_test(tcase, null_is_allowed_and_returns_the_code);
	tcase_add_test(tcase, errno_is_left_alone);
	tcase_add_test(tcase, long_text_is_cut_and_the_numbers_stay);
	tcase_add_loop_test(tcase, the_cut_leaves_whole_characters, 0, 3);
	tcase_add_test(tcase, advice_stands_behind_the_text);
	tcase_add_test(tcase, text_is_one_printable_line);
	tcase_add_test(tcase, errors_that_a_user_can_mend_have_a_way_out);
	tcase_add_test(tcase, errno_names_go_both_ways);
	tcase_add_test(tcase, unknown_errnos_have_no_name);
	tcase_add_test(tcase, no_errno_of_this_host_is_missing);
	suite_add_tcase(suite, tcase);
	return suite;
}
