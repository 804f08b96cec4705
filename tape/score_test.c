#include "tape/score.h"
#include "tape/scratch_test.h"
#include "tools/tests.h"

#define TAPE "t.tape"

static struct tape_reader *reader;
static struct score *score;

/* Times are the positions of the events: see play(). Units are numbered by their starts. */
static void enter_with(const char *events)
{
	struct error err = {0};

	record(TAPE, events);
	reader = reader_at(TAPE);
	ck_assert_msg(score_new(reader, &score, &err) == 0, "%s", err.text);
}

static void leave(void)
{
	score_free(score);
	tape_reader_free(reader);
	score = NULL;
	reader = NULL;
	scratch_leave();
}

static uint64_t end_of(size_t index)
{
	uint64_t start_ns;
	uint64_t duration_ns;

	ck_assert(tape_reader_span(reader, index, &start_ns, &duration_ns));
	return start_ns + duration_ns;
}

static uint64_t start_of(size_t index)
{
	uint64_t start_ns;
	uint64_t duration_ns;

	ck_assert(tape_reader_span(reader, index, &start_ns, &duration_ns));
	return start_ns;
}

/* Played, with its end as the next event. */
static void begin(size_t index)
{
	ck_assert_int_eq(score_begin(score, index, NULL), 0);
	score_next(score, index, end_of(index));
}

static bool may_end(size_t index)
{
	return end_of(index) <= score_limit(score, index);
}

START_TEST(units_one_after_the_other_are_alone)
{
	enter_with("A( A)1 B( B)2 C( C)3");
	for (size_t i = 0; i < 3; i++) {
		ck_assert(score_is_alone(score, i));
		begin(i);
		ck_assert(may_end(i));
		score_end(score, i);
	}
}
END_TEST

START_TEST(only_those_that_overlap_are_not_alone)
{
	enter_with("A( A)1 B( C( B)2 C)3 D( D)4");
	ck_assert(score_is_alone(score, 0));
	ck_assert(!score_is_alone(score, 1));
	ck_assert(!score_is_alone(score, 2));
	ck_assert(score_is_alone(score, 3));
}
END_TEST

START_TEST(the_one_that_ended_first_ends_first)
{
	enter_with("A( B( B)1 A)2");
	begin(0);
	begin(1);
	ck_assert(!may_end(0));
	ck_assert(may_end(1));
	score_end(score, 1);
	ck_assert(may_end(0));
}
END_TEST

START_TEST(a_unit_waits_for_one_that_comes_during_its_life)
{
	enter_with("A( B( B)1 A)2");
	begin(0);
	ck_assert(!may_end(0));
	ck_assert_uint_eq(score_limit(score, 0), start_of(1));
}
END_TEST

START_TEST(a_unit_waits_for_one_that_came_before_it)
{
	enter_with("A( B( A)1 B)2");
	begin(1);
	ck_assert(!may_end(1));
	begin(0);
	ck_assert(!may_end(1));
	ck_assert(may_end(0));
	score_end(score, 0);
	ck_assert(may_end(1));
}
END_TEST

START_TEST(after_a_surprise_nobody_waits_for_another_cluster)
{
	enter_with("A( B( B)1 A)2 C( D( D)3 C)4");
	begin(2);
	begin(3);
	ck_assert(!may_end(3));
	score_give_up(score, start_of(0));
	ck_assert(may_end(3));
	score_end(score, 3);
	ck_assert(may_end(2));
}
END_TEST

START_TEST(a_unit_that_does_not_come_is_given_up)
{
	enter_with("A( B( C( C)1 B)2 A)3");
	begin(0);
	begin(2);
	ck_assert(!may_end(2));
	score_give_up(score, end_of(2));
	ck_assert(may_end(2));
	score_end(score, 2);
	ck_assert(may_end(0));
}
END_TEST

START_TEST(a_unit_that_was_never_played_can_be_over)
{
	enter_with("A( B( B)1 A)2");
	begin(0);
	score_end(score, 1);
	ck_assert(may_end(0));
}
END_TEST

START_TEST(an_earlier_event_of_another_limits)
{
	enter_with("A( B( B)1 A)2");
	begin(0);
	begin(1);
	score_next(score, 1, start_of(1));
	ck_assert_uint_eq(score_limit(score, 0), start_of(1));
	ck_assert_uint_eq(score_limit(score, 1), end_of(0));
}
END_TEST

START_TEST(a_unit_that_is_alone_waits_for_what_was_over_before)
{
	enter_with("A( A)1 B( B)2 C( C)3");
	ck_assert(!score_is_behind(score, 0));
	begin(0);
	ck_assert(score_is_behind(score, 1));
	score_end(score, 0);
	ck_assert(!score_is_behind(score, 1));
	ck_assert(score_is_behind(score, 2));
	begin(2);
	ck_assert(!may_end(2));
	begin(1);
	ck_assert(!may_end(2));
	score_end(score, 1);
	ck_assert(may_end(2));
}
END_TEST

START_TEST(a_unit_is_ready_when_all_that_was_over_before_it_has_come)
{
	enter_with("A( B( A)1 C( B)2 C)3");
	ck_assert(score_is_ready(score, 0));
	ck_assert(score_is_ready(score, 1));
	ck_assert(!score_is_ready(score, 2)); /* A was over */
	begin(1);
	ck_assert(!score_is_ready(score, 2));
	begin(0);
	ck_assert(score_is_ready(score, 2));
}
END_TEST

/* In which order the units of "A( A)1 B( B)2 C( C)3" come, and which each was to be; '-': none. */
static const struct {
	const char *came;
	const char *expected;
} sequence_rows[] = {
	{"ABC", "ABC"}, {"BAC", "ACC"}, {"BC", "AC"}, {"AC", "AB"}, {"CB", "A-"}, {"CAB", "A-B"},
};

START_TEST(a_strict_order_is_that_of_the_starts)
{
	enter_with("A( A)1 B( B)2 C( C)3");
	for (size_t i = 0; sequence_rows[_i].came[i]; i++) {
		size_t index = (size_t)(sequence_rows[_i].came[i] - 'A');
		char wanted = sequence_rows[_i].expected[i];
		size_t expected;
		bool in_sequence = score_in_sequence(score, index, &expected);

		if (wanted == '-')
			ck_assert_uint_eq(expected, SIZE_MAX);
		else
			ck_assert_uint_eq(expected, (size_t)(wanted - 'A'));
		ck_assert_int_eq(in_sequence, expected == index);
		begin(index);
		score_end(score, index);
	}
}
END_TEST

START_TEST(a_unit_is_early_while_one_plays_that_was_over_before_it)
{
	enter_with("A( B( A)1 C( B)2 C)3");
	begin(0);
	begin(1);
	ck_assert(!score_is_early(score, 1)); /* they overlapped */
	ck_assert(score_is_early(score, 2));
	score_end(score, 0);
	ck_assert(!score_is_early(score, 2));
}
END_TEST

START_TEST(a_unit_does_without_an_end_that_does_not_come)
{
	enter_with("A( A)1 B( B)2 C( C)3");
	begin(0);
	begin(1);
	score_do_without(score, 1);
	ck_assert(!score_is_early(score, 1));
	ck_assert(score_is_early(score, 2)); /* B is still to end */
	score_do_without(score, 2);
	ck_assert(!score_is_early(score, 2));
}
END_TEST

Suite *tape_score_suite(void)
{
	Suite *s = suite_create("tape/score");
	TCase *t = tcase_create("order");

	tcase_add_checked_fixture(t, scratch_enter, leave);
	tcase_add_test(t, a_unit_that_is_alone_waits_for_what_was_over_before);
	tcase_add_test(t, a_unit_is_ready_when_all_that_was_over_before_it_has_come);
	tcase_add_test(t, units_one_after_the_other_are_alone);
	tcase_add_test(t, only_those_that_overlap_are_not_alone);
	tcase_add_test(t, the_one_that_ended_first_ends_first);
	tcase_add_test(t, a_unit_waits_for_one_that_comes_during_its_life);
	tcase_add_test(t, a_unit_waits_for_one_that_came_before_it);
	tcase_add_test(t, after_a_surprise_nobody_waits_for_another_cluster);
	tcase_add_test(t, a_unit_that_does_not_come_is_given_up);
	tcase_add_test(t, a_unit_that_was_never_played_can_be_over);
	tcase_add_test(t, an_earlier_event_of_another_limits);
	tcase_add_loop_test(t, a_strict_order_is_that_of_the_starts, 0,
			    sizeof(sequence_rows) / sizeof(sequence_rows[0]));
	tcase_add_test(t, a_unit_is_early_while_one_plays_that_was_over_before_it);
	tcase_add_test(t, a_unit_does_without_an_end_that_does_not_come);
	suite_add_tcase(s, t);
	return s;
}
