#include "base/cleanup.h"
#include "base/hash.h"
#include "tape/lines.h"
#include "tape/scratch_test.h"
#include "tools/tests.h"
#include <string.h>

START_TEST(a_line_is_taken_apart_without_json)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct line line;

	line_add(&text, LINE_EXIT, (struct unit_id){0xf00, UINT32_MAX}, bytes_of_str(",\"x\":1"),
		 NULL);
	ck_assert_int_eq(line_parse(text.data, text.len - 1, &line), LINE_OK);
	ck_assert_uint_eq(line.id.key, 0xf00);
	ck_assert_uint_eq(line.id.ordinal, UINT32_MAX);
	ck_assert_int_eq(line.type, LINE_EXIT);
	assert_same_bytes(line.fields.data, line.fields.len, ",\"x\":1", 6);
}
END_TEST

START_TEST(no_changed_byte_of_a_line_goes_unnoticed)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct line line;
	size_t i;

	line_add(&text, LINE_EXIT, (struct unit_id){1, 2}, bytes_of_str(",\"code\":0"), NULL);
	for (i = 0; i < text.len - 1; i++) {
		text.data[i] ^= 1;
		ck_assert_int_ne(line_parse(text.data, text.len - 1, &line), LINE_OK);
		text.data[i] ^= 1;
		ck_assert_int_ne(line_parse(text.data, i, &line), LINE_OK);
	}
	ck_assert_int_eq(line_parse(text.data, text.len - 1, &line), LINE_OK);
}
END_TEST

static enum line_state parse_with_sum(const char *front)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct line line;

	buf_addf(&text, "%s,\"c\":\"%016llx\"}", front,
		 (unsigned long long)hash64(front, strlen(front)));
	return line_parse(text.data, text.len, &line);
}

START_TEST(other_frames_are_refused_even_with_a_right_checksum)
{
	static const char *const fronts[] = {
		"",
		"{}",
		"{\"k\":\"00000000000000AB\",\"n\":0,\"t\":\"exit\"",
		"{\"k\":\"0000000000000ab\",\"n\":0,\"t\":\"exit\"",
		"{ \"k\":\"00000000000000ab\",\"n\":0,\"t\":\"exit\"",
		"{\"n\":0,\"k\":\"00000000000000ab\",\"t\":\"exit\"",
		"{\"k\":\"00000000000000ab\",\"n\":00,\"t\":\"exit\"",
		"{\"k\":\"00000000000000ab\",\"n\":-1,\"t\":\"exit\"",
		"{\"k\":\"00000000000000ab\",\"n\":,\"t\":\"exit\"",
		"{\"k\":\"00000000000000ab\",\"n\":4294967296,\"t\":\"exit\"",
		"{\"k\":\"00000000000000ab\",\"n\":99999999999999999999,\"t\":\"exit\"",
		"{\"k\":\"00000000000000ab\",\"n\":0,\"t\":\"exit",
		"{\"k\":\"00000000000000ab\",\"n\":0,\"t\":\"exit\"x",
	};
	size_t i;

	for (i = 0; i < sizeof(fronts) / sizeof(fronts[0]); i++)
		ck_assert_int_eq(parse_with_sum(fronts[i]), LINE_FRAME);
	ck_assert_int_eq(parse_with_sum("{\"k\":\"00000000000000ab\",\"n\":0,\"t\":\"later\""),
			 LINE_UNKNOWN);
	ck_assert_int_eq(parse_with_sum("{\"k\":\"00000000000000ab\",\"n\":0,\"t\":\"exit\""),
			 LINE_OK);
}
END_TEST

START_TEST(merge_marks_are_known)
{
	static const char *const marks[] = {"<<<<<<< HEAD", "=======", ">>>>>>> a b", "||||||| x",
					    "=======\r"};
	static const char *const others[] = {
		"", "<<<<<< HEAD", "<<<<<<<<", "======", "-------", "<<<<<<=", "{}"};
	size_t i;

	for (i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		ck_assert(line_is_merge_mark(marks[i], strlen(marks[i])));
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		ck_assert(!line_is_merge_mark(others[i], strlen(others[i])));
}
END_TEST

Suite *tape_lines_suite(void)
{
	Suite *suite = suite_create("tape/lines");
	TCase *all = tcase_create("all");

	tcase_add_test(all, a_line_is_taken_apart_without_json);
	tcase_add_test(all, no_changed_byte_of_a_line_goes_unnoticed);
	tcase_add_test(all, other_frames_are_refused_even_with_a_right_checksum);
	tcase_add_test(all, merge_marks_are_known);
	suite_add_tcase(suite, all);
	return suite;
}
