/* Texts that live equally long. */
#include "base/arena.h"

#include "tools/tests.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct arena arena;

static void teardown(void)
{
	arena_free(&arena);
}

START_TEST(texts_stay_where_they_are)
{
	enum { COUNT = 3000 };
	static char *got[COUNT];
	char want[32];

	for (int i = 0; i < COUNT; i++) {
		snprintf(want, sizeof(want), "text %d", i);
		got[i] = arena_add_str(&arena, want);
		ck_assert_ptr_nonnull(got[i]);
	}
	for (int i = 0; i < COUNT; i++) {
		snprintf(want, sizeof(want), "text %d", i);
		ck_assert_str_eq(got[i], want);
	}
}
END_TEST

/* Around the size of a block, and far above it. */
START_TEST(texts_have_any_length)
{
	static char text[10000];
	static const size_t lens[] = {0, 1, 3998, 3999, 4000, 4001, 9999, 1};
	char *got[8];

	memset(text, 'x', sizeof(text));
	for (int i = 0; i < 8; i++)
		got[i] = arena_add(&arena, text, lens[i]);
	for (int i = 0; i < 8; i++) {
		ck_assert_uint_eq(strlen(got[i]), lens[i]);
		ck_assert_mem_eq(got[i], text, lens[i]);
	}
}
END_TEST

START_TEST(a_part_of_a_text_can_be_added)
{
	const char *whole = arena_add_str(&arena, "/usr/lib");

	ck_assert_str_eq(arena_add(&arena, whole, 4), "/usr");
	ck_assert_str_eq(whole, "/usr/lib");
}
END_TEST

START_TEST(an_arena_that_was_freed_is_empty)
{
	ck_assert_ptr_nonnull(arena_add_str(&arena, "before"));
	arena_free(&arena);
	ck_assert_ptr_null(arena.last);
	arena_free(&arena);
	ck_assert_str_eq(arena_add_str(&arena, "after"), "after");
}
END_TEST

Suite *base_arena_suite(void)
{
	Suite *s = suite_create("base_arena");
	TCase *tc = tcase_create("arena");

	tcase_add_checked_fixture(tc, NULL, teardown);
	tcase_add_test(tc, texts_stay_where_they_are);
	tcase_add_test(tc, texts_have_any_length);
	tcase_add_test(tc, a_part_of_a_text_can_be_added);
	tcase_add_test(tc, an_arena_that_was_freed_is_empty);
	suite_add_tcase(s, tc);
	return s;
}
