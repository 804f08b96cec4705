#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "tools/tests.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void assert_holds(const struct buf *b, const char *bytes, size_t len)
{
	ck_assert_uint_eq(b->len, len);
	ck_assert_ptr_nonnull(b->data);
	ck_assert_mem_eq(b->data, bytes, len);
	ck_assert_int_eq(b->data[len], '\0');
	ck_assert_uint_gt(b->cap, len);
}

START_TEST(adds_go_one_after_another)
{
	cleanup_buf struct buf b = BUF_INIT;

	ck_assert_int_eq(buf_add(&b, "a\0b", 3), 0);
	ck_assert_int_eq(buf_add_str(&b, "cd"), 0);
	ck_assert_int_eq(buf_add_char(&b, '\0'), 0);
	ck_assert_int_eq(buf_addf(&b, "%d-%s", 42, "x"), 0);
	assert_holds(&b, "a\0bcd\00042-x", 10);
}
END_TEST

START_TEST(adding_nothing_still_gives_a_string)
{
	cleanup_buf struct buf b = BUF_INIT;

	ck_assert_int_eq(buf_add(&b, NULL, 0), 0);
	assert_holds(&b, "", 0);
	ck_assert_int_eq(buf_addf(&b, "%s", ""), 0);
	assert_holds(&b, "", 0);
}
END_TEST

START_TEST(grows_past_every_size)
{
	cleanup_buf struct buf b = BUF_INIT;
	const size_t total = 100000;

	for (size_t i = 0; i < total; i++)
		ck_assert_int_eq(buf_add_char(&b, (char)(i * 7)), 0);
	ck_assert_uint_eq(b.len, total);
	for (size_t i = 0; i < total; i++)
		ck_assert(b.data[i] == (char)(i * 7));
	ck_assert_int_eq(b.data[total], '\0');
}
END_TEST

/* Each length around the first capacity, where the NUL is the byte that does not fit. */
START_TEST(formatted_text_of_every_length_fits)
{
	for (int len = 0; len < 300; len++) {
		cleanup_buf struct buf b = BUF_INIT;

		ck_assert_int_eq(buf_addf(&b, "%*s", len, ""), 0);
		ck_assert_uint_eq(b.len, (size_t)len);
		ck_assert_uint_eq(strlen(b.data), (size_t)len);
		ck_assert_uint_gt(b.cap, (size_t)len);
	}
}
END_TEST

START_TEST(reserve_makes_room_and_adds_nothing)
{
	cleanup_buf struct buf b = BUF_INIT;
	const char *data;

	ck_assert_int_eq(buf_reserve(&b, 1000), 0);
	ck_assert_uint_eq(b.len, 0);
	ck_assert_uint_ge(b.cap, 1001);
	ck_assert_int_eq(b.data[0], '\0');
	data = b.data;
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(buf_add_char(&b, 'x'), 0);
	ck_assert_ptr_eq(b.data, data);
}
END_TEST

START_TEST(impossible_sizes_change_nothing)
{
	cleanup_buf struct buf b = BUF_INIT;
	static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 4, SIZE_MAX / 4};

	ck_assert_int_eq(buf_add_str(&b, "kept"), 0);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t cap = b.cap;

		ck_assert_int_eq(buf_reserve(&b, sizes[i]), ERR_NOMEM);
		ck_assert_uint_eq(b.cap, cap);
		assert_holds(&b, "kept", 4);
	}
}
END_TEST

START_TEST(clear_keeps_the_memory)
{
	cleanup_buf struct buf b = BUF_INIT;
	char *data;

	buf_clear(&b);
	ck_assert_ptr_null(b.data);
	ck_assert_int_eq(buf_add_str(&b, "text"), 0);
	data = b.data;
	buf_clear(&b);
	ck_assert_ptr_eq(b.data, data);
	assert_holds(&b, "", 0);
}
END_TEST

START_TEST(steal_hands_over_and_zeroes)
{
	struct buf b = BUF_INIT;
	char *text;

	ck_assert_ptr_null(buf_steal(&b));
	ck_assert_int_eq(buf_add_str(&b, "mine"), 0);
	text = buf_steal(&b);
	ck_assert_str_eq(text, "mine");
	free(text);
	ck_assert_ptr_null(b.data);
	ck_assert_uint_eq(b.len, 0);
	ck_assert_uint_eq(b.cap, 0);
	buf_free(&b);
}
END_TEST

START_TEST(free_zeroes_and_may_be_repeated)
{
	struct buf b = BUF_INIT;

	ck_assert_int_eq(buf_add_str(&b, "gone"), 0);
	buf_free(&b);
	ck_assert_ptr_null(b.data);
	ck_assert_uint_eq(b.len, 0);
	ck_assert_uint_eq(b.cap, 0);
	buf_free(&b);
}
END_TEST

START_TEST(bytes_compare_by_content)
{
	ck_assert(bytes_equal((struct bytes){"a\0b", 3}, (struct bytes){"a\0b", 3}));
	ck_assert(!bytes_equal((struct bytes){"a\0b", 3}, (struct bytes){"a\0c", 3}));
	ck_assert(!bytes_equal((struct bytes){"ab", 2}, (struct bytes){"ab", 1}));
	ck_assert(bytes_equal((struct bytes){NULL, 0}, (struct bytes){"x", 0}));
	ck_assert(bytes_equal(bytes_of_str("ab"), (struct bytes){"abc", 2}));
	ck_assert_uint_eq(bytes_of_str("").len, 0);
}
END_TEST

/* Returns the fd's number, closed by the attribute; errno must survive the clean-up. */
static int open_in_a_scope(void)
{
	cleanup_close int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	cleanup_close int none = -1;
	cleanup_free char *memory = malloc(1);
	cleanup_fclose FILE *file = NULL;
	cleanup_closedir DIR *dir = NULL;

	ck_assert_int_ge(fd, 0);
	errno = ENOTTY;
	return fd + 0 * none + 0 * (memory != NULL) + 0 * (file != NULL) + 0 * (dir != NULL);
}

START_TEST(cleanup_closes_and_keeps_errno)
{
	int fd = open_in_a_scope();

	ck_assert_int_eq(errno, ENOTTY);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	ck_assert_int_eq(errno, EBADF);
}
END_TEST

START_TEST(close_of_a_bad_fd_keeps_errno)
{
	int closed = dup(0);

	ck_assert_int_ge(closed, 0);
	close(closed);
	errno = EDOM;
	cleanup_close_fn(&closed);
	ck_assert_int_eq(errno, EDOM);
}
END_TEST

START_TEST(stolen_things_are_not_cleaned_up)
{
	char *text = NULL;
	int fd = -1;

	{
		cleanup_free char *scoped = strdup("alive");
		cleanup_close int scoped_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

		text = steal_ptr(&scoped);
		fd = steal_fd(&scoped_fd);
		ck_assert_ptr_null(scoped);
		ck_assert_int_eq(scoped_fd, -1);
	}
	ck_assert_str_eq(text, "alive");
	ck_assert_int_ge(fcntl(fd, F_GETFD), 0);
	free(text);
	close(fd);
}
END_TEST

Suite *base_buf_suite(void)
{
	Suite *suite = suite_create("base_buf");
	TCase *tcase = tcase_create("buf");

	tcase_add_test(tcase, adds_go_one_after_another);
	tcase_add_test(tcase, adding_nothing_still_gives_a_string);
	tcase_add_test(tcase, grows_past_every_size);
	tcase_add_test(tcase, formatted_text_of_every_length_fits);
	tcase_add_test(tcase, reserve_makes_room_and_adds_nothing);
	tcase_add_test(tcase, impossible_sizes_change_nothing);
	tcase_add_test(tcase, clear_keeps_the_memory);
	tcase_add_test(tcase, steal_hands_over_and_zeroes);
	tcase_add_test(tcase, free_zeroes_and_may_be_repeated);
	tcase_add_test(tcase, bytes_compare_by_content);
	suite_add_tcase(suite, tcase);

	tcase = tcase_create("cleanup");
	tcase_add_test(tcase, cleanup_closes_and_keeps_errno);
	tcase_add_test(tcase, close_of_a_bad_fd_keeps_errno);
	tcase_add_test(tcase, stolen_things_are_not_cleaned_up);
	suite_add_tcase(suite, tcase);
	return suite;
}
