#include "tape/clock.h"

#include "tape/scratch_test.h"
#include "tools/tests.h"
#include <pthread.h>

#define YEAR_2026 UINT64_C(1767225600000000000)

static struct tape_clock *mock_at(uint64_t wall_ns)
{
	struct tape_clock *c;

	ck_assert_int_eq(tape_clock_mock_new(wall_ns, &c, NULL), 0);
	return c;
}

START_TEST(a_mock_stands_still_until_it_is_moved)
{
	struct tape_clock *c = mock_at(YEAR_2026);

	ck_assert(tape_clock_is_mock(c));
	ck_assert_uint_eq(tape_clock_now(c), 0);
	ck_assert_uint_eq(tape_clock_wall(c), YEAR_2026);
	ck_assert_int_eq(tape_clock_advance(c, 5, NULL), 0);
	ck_assert_int_eq(tape_clock_sleep(c, UINT64_C(3600000000000), NULL), 0);
	ck_assert_uint_eq(tape_clock_now(c), UINT64_C(3600000000005));
	ck_assert_uint_eq(tape_clock_wall(c), YEAR_2026 + UINT64_C(3600000000005));
	tape_clock_free(c);
}
END_TEST

START_TEST(the_wall_is_set_apart_from_monotonic_time)
{
	struct tape_clock *c = mock_at(YEAR_2026);

	ck_assert_int_eq(tape_clock_advance(c, 7, NULL), 0);
	ck_assert_int_eq(tape_clock_set_wall(c, 1, NULL), 0);
	ck_assert_uint_eq(tape_clock_now(c), 7);
	ck_assert_uint_eq(tape_clock_wall(c), 1);
	ck_assert_int_eq(tape_clock_advance(c, 1, NULL), 0);
	ck_assert_uint_eq(tape_clock_wall(c), 2);
	tape_clock_free(c);
}
END_TEST

START_TEST(no_time_overflows)
{
	struct tape_clock *c = mock_at(UINT64_MAX - 10);
	struct error err = {0};

	ck_assert_int_eq(tape_clock_advance(c, 11, &err), ERR_LIMIT);
	ck_assert_str_eq(err.text, "the mock clock would pass the year 2554");
	ck_assert_uint_eq(tape_clock_now(c), 0);
	ck_assert_int_eq(tape_clock_advance(c, 10, NULL), 0);
	ck_assert_int_eq(tape_clock_advance_to(c, UINT64_MAX, NULL), ERR_LIMIT);
	ck_assert_uint_eq(tape_clock_now(c), 10);
	tape_clock_free(c);
}
END_TEST

START_TEST(the_real_clock_is_not_moved)
{
	struct tape_clock *c;
	struct error err = {0};
	uint64_t before, wall;

	ck_assert_int_eq(tape_clock_real_new(&c, NULL), 0);
	ck_assert(!tape_clock_is_mock(c));
	before = tape_clock_now(c);
	wall = tape_clock_wall(c);
	ck_assert_int_eq(tape_clock_advance(c, 1, &err), ERR_UNSUPPORTED);
	ck_assert_str_eq(err.text, "the real clock cannot be moved: take a mock clock");
	ck_assert_int_eq(tape_clock_advance_to(c, 1, NULL), ERR_UNSUPPORTED);
	ck_assert_int_eq(tape_clock_set_wall(c, 1, NULL), ERR_UNSUPPORTED);
	ck_assert_int_eq(tape_clock_sleep(c, 1000000, NULL), 0);
	ck_assert_uint_ge(tape_clock_now(c), before + 1000000);
	ck_assert_uint_gt(wall, YEAR_2026);
	tape_clock_free(c);
}
END_TEST

/* Whatever is done, time does not go backwards, and an advance to what is over does nothing. */
START_TEST(a_mock_never_goes_backwards)
{
	struct random random = {(uint64_t)_i + 1};
	struct tape_clock *c = mock_at(YEAR_2026);
	uint64_t last = 0;

	for (int step = 0; step < 2000; step++) {
		uint64_t amount = random_below(&random, 1000000);

		switch (random_below(&random, 4)) {
		case 0:
			ck_assert_int_eq(tape_clock_advance(c, amount, NULL), 0);
			ck_assert_uint_eq(tape_clock_now(c), last + amount);
			break;
		case 1:
			ck_assert_int_eq(tape_clock_advance_to(c, last + amount, NULL), 0);
			ck_assert_uint_eq(tape_clock_now(c), last + amount);
			break;
		case 2:
			ck_assert_int_eq(
				tape_clock_advance_to(c, last > amount ? last - amount : 0, NULL),
				0);
			ck_assert_uint_eq(tape_clock_now(c), last);
			break;
		default:
			ck_assert_int_eq(tape_clock_set_wall(c, amount, NULL), 0);
			ck_assert_uint_eq(tape_clock_now(c), last);
		}
		last = tape_clock_now(c);
	}
	tape_clock_free(c);
}
END_TEST

static void *move_on(void *clock)
{
	uint64_t last = 0;

	for (int i = 0; i < 10000; i++) {
		uint64_t now;

		tape_clock_advance(clock, 3, NULL);
		now = tape_clock_now(clock);
		if (now < last + 3)
			return clock;
		last = now;
	}
	return NULL;
}

START_TEST(threads_share_a_mock)
{
	struct tape_clock *c = mock_at(0);
	pthread_t thread[4];
	void *failed;

	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, move_on, c), 0);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(pthread_join(thread[i], &failed), 0);
		ck_assert_ptr_null(failed);
	}
	ck_assert_uint_eq(tape_clock_now(c), UINT64_C(120000));
	tape_clock_free(c);
}
END_TEST

Suite *tape_clock_suite(void)
{
	Suite *s = suite_create("tape/clock");
	TCase *all = tcase_create("all");

	tcase_add_test(all, a_mock_stands_still_until_it_is_moved);
	tcase_add_test(all, the_wall_is_set_apart_from_monotonic_time);
	tcase_add_test(all, no_time_overflows);
	tcase_add_test(all, the_real_clock_is_not_moved);
	tcase_add_loop_test(all, a_mock_never_goes_backwards, 0, 8);
	tcase_add_test(all, threads_share_a_mock);
	suite_add_tcase(s, all);
	return s;
}
