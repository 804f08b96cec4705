#include "base/cleanup.h"
#include "tape/order.h"
#include "tape/scratch_test.h"
#include "tools/tests.h"
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAPE   "t.tape"
#define LINES  TAPE "/tape.jsonl"
#define TIMING TAPE "/timing.jsonl"

static void assert_file_is(const char *path, const struct buf *wanted)
{
	cleanup_buf struct buf got = BUF_INIT;

	get_file(path, &got);
	assert_same_bytes(got.data, got.len, wanted->data, wanted->len);
}

/* Whether recording `events` over the tape that is there leaves both files as they are. */
static bool is_quiet(const char *events)
{
	cleanup_buf struct buf lines = BUF_INIT, timing = BUF_INIT;
	cleanup_buf struct buf new_lines = BUF_INIT, new_timing = BUF_INIT;
	bool same_lines, same_timing;

	get_file(LINES, &lines);
	get_file(TIMING, &timing);
	record(TAPE, events);
	get_file(LINES, &new_lines);
	get_file(TIMING, &new_timing);
	same_lines = bytes_equal((struct bytes){lines.data, lines.len},
				 (struct bytes){new_lines.data, new_lines.len});
	same_timing = bytes_equal((struct bytes){timing.data, timing.len},
				  (struct bytes){new_timing.data, new_timing.len});
	ck_assert(!same_lines || same_timing);
	return same_lines;
}

START_TEST(the_same_run_again_changes_nothing)
{
	record(TAPE, "A( A)1 B( B)2 A( A)1 C(");
	ck_assert(is_quiet("A( A)1 B( B)2 A( A)1 C("));
}
END_TEST

/* Four at once, as make -j4 would start and end them in any order. */
START_TEST(chance_among_parallel_units_changes_nothing)
{
	static const char *const runs[] = {
		"A( B( C( D( A)1 B)2 C)3 D)4",
		"B( A( D( C( A)1 B)2 C)3 D)4",
		"D( C( D)4 B( C)3 A( B)2 A)1",
		/* Two workers, of which now one and now the other is slow. */
		"A( B( A)1 C( C)3 B)2 D( D)4",
		"B( A( B)2 D( D)4 A)1 C( C)3",
		/* They came one after the other this time, by chance. */
		"B( B)2 A( A)1 C( C)3 D( D)4",
	};
	size_t i;

	record(TAPE, runs[0]);
	for (i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
		ck_assert_msg(is_quiet(runs[i]), "%s", runs[i]);
}
END_TEST

START_TEST(chance_in_the_new_run_changes_nothing_either)
{
	record(TAPE, "A( A)1 B( B)2 C( C)3");
	ck_assert(is_quiet("C( B( A( A)1 B)2 C)3"));
}
END_TEST

START_TEST(equal_parallel_units_change_nothing)
{
	record(TAPE, "A( B( A)1 A( A)2 B)3");
	ck_assert(is_quiet("A( B( A)1 B)3 A( A)2"));
}
END_TEST

static size_t changed_lines(const struct buf *a, const struct buf *b)
{
	const char *p = a->data, *q = b->data;
	size_t changed = 0;

	while (*p && *q) {
		size_t m = strcspn(p, "\n"), n = strcspn(q, "\n");

		changed += m != n || memcmp(p, q, m) != 0;
		p += m + 1;
		q += n + 1;
	}
	return changed + (*p || *q);
}

START_TEST(the_kind_of_a_stdin_that_was_not_read_changes_nothing)
{
	cleanup_buf struct buf before = BUF_INIT, after = BUF_INIT;

	record(TAPE, "A( B( A)1 B|2");
	ck_assert(is_quiet("A( B( A|1 B)2"));
	get_file(LINES, &before);
	record(TAPE, "A( B( A|1 B)3");
	get_file(LINES, &after);
	ck_assert_uint_eq(changed_lines(&before, &after), 1);
}
END_TEST

START_TEST(another_order_of_units_that_ran_alone_is_a_change)
{
	record(TAPE, "A( A)1 B( B)2");
	ck_assert(!is_quiet("B( B)2 A( A)1"));
	assert_order(TAPE, "B2 A1");
}
END_TEST

/* The answers to one question come first in, first out, whatever else runs. */
START_TEST(equal_keys_keep_the_order_of_the_run_beside_a_server)
{
	record(TAPE, "S( A( A)1 B( B)2 A( A)3 S)");
	ck_assert(!is_quiet("S( A( A)3 B( B)2 A( A)1 S)"));
	assert_order(TAPE, "S A3 B2 A1");
}
END_TEST

START_TEST(a_changed_unit_is_a_small_change)
{
	cleanup_buf struct buf before = BUF_INIT, after = BUF_INIT;

	record(TAPE, "A( B( C( D( A)1 B)2 C)3 D)4 E( E)5");
	get_file(LINES, &before);
	record(TAPE, "D( C( B( A( A)1 B)2 C)9 D)4 E( E)5");
	get_file(LINES, &after);
	assert_order(TAPE, "A1 B2 C9 D4 E5");
	ck_assert_uint_eq(changed_lines(&before, &after), 1);
}
END_TEST

START_TEST(an_added_unit_stands_behind_the_one_before_it)
{
	record(TAPE, "A( B( C( A)1 B)2 C)3");
	record(TAPE, "C( B( D( A( A)1 B)2 C)3 D)4");
	assert_order(TAPE, "A1 B2 D4 C3");
	record(TAPE, "C( B( A( A)1 B)2 C)3");
	assert_order(TAPE, "A1 B2 C3");
}
END_TEST

START_TEST(a_changed_unit_brings_the_times_of_its_own_run)
{
	struct tape_reader *r;
	struct unit u;

	record(TAPE, "A( A)1 B( B)2");
	record(TAPE, "X( X)0 A( A)1 B( B)2");
	r = reader_at(TAPE);
	ck_assert_int_eq(tape_reader_unit(r, 2, &u, NULL), 0);
	ck_assert(u.time.known);
	ck_assert_uint_eq(u.time.start_ns, 4);
	unit_clear(&u);
	tape_reader_free(r);
}
END_TEST

START_TEST(another_head_is_a_change)
{
	struct tape_writer *w;
	struct tape_head head;
	struct tape_reader *r;

	record(TAPE, "A( A)1");
	make_head(&head);
	strings_add(&head.env, "LANG");
	ck_assert_int_eq(tape_writer_open(TAPE, &head, false, &w, NULL), 0);
	play(w, "A( A)1");
	ck_assert_int_eq(tape_writer_finish(w, NULL), 0);
	tape_writer_free(w);
	tape_head_clear(&head);
	r = reader_at(TAPE);
	ck_assert_uint_eq(tape_reader_head(r)->env.count, 1);
	tape_reader_free(r);
}
END_TEST

START_TEST(missing_times_come_back_without_touching_the_tape)
{
	cleanup_buf struct buf before = BUF_INIT;
	struct stat old, new;
	struct tape_reader *r;

	record(TAPE, "A( B( A)1 B)2");
	get_file(LINES, &before);
	stat(LINES, &old);
	unlink(TIMING);
	record(TAPE, "B( A( A)1 B)2");
	stat(LINES, &new);
	ck_assert_uint_eq(old.st_ino, new.st_ino);
	assert_file_is(LINES, &before);
	r = reader_at(TAPE);
	ck_assert_uint_eq(tape_reader_warning_count(r), 0);
	tape_reader_free(r);
}
END_TEST

/* The order is one of the new run's units, each exactly once, whatever the two runs were. */
START_TEST(every_order_is_a_permutation)
{
	struct random random = {.state = 7};
	struct order_unit units[12];
	struct order_old old[12];
	uint32_t order[12];
	int round;

	for (round = 0; round < 20000; round++) {
		size_t count = random_below(&random, 13), i;
		unsigned int seen = 0;

		for (i = 0; i < 12; i++) {
			uint64_t at = random_below(&random, 20);

			units[i] = (struct order_unit){random_below(&random, 4), i * 2 + 1,
						       i * 2 + 1 + random_below(&random, 6),
						       ORDER_NEW};
			old[i] = (struct order_old){at, at + random_below(&random, 6)};
		}
		for (i = 0; i < count; i++)
			units[i].old = (uint32_t)((i * 5 + (size_t)round) % 12);
		ck_assert_int_eq(order_units(units, count, old, 12, order), 0);
		for (i = 0; i < count; i++)
			seen |= 1U << order[i];
		ck_assert_uint_eq(seen, (1U << count) - 1);
	}
}
END_TEST

Suite *tape_canon_suite(void)
{
	Suite *suite = suite_create("tape/canon");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, scratch_enter, scratch_leave);
	tcase_add_test(all, the_same_run_again_changes_nothing);
	tcase_add_test(all, chance_among_parallel_units_changes_nothing);
	tcase_add_test(all, chance_in_the_new_run_changes_nothing_either);
	tcase_add_test(all, equal_parallel_units_change_nothing);
	tcase_add_test(all, the_kind_of_a_stdin_that_was_not_read_changes_nothing);
	tcase_add_test(all, another_order_of_units_that_ran_alone_is_a_change);
	tcase_add_test(all, equal_keys_keep_the_order_of_the_run_beside_a_server);
	tcase_add_test(all, a_changed_unit_is_a_small_change);
	tcase_add_test(all, an_added_unit_stands_behind_the_one_before_it);
	tcase_add_test(all, a_changed_unit_brings_the_times_of_its_own_run);
	tcase_add_test(all, another_head_is_a_change);
	tcase_add_test(all, missing_times_come_back_without_touching_the_tape);
	tcase_add_test(all, every_order_is_a_permutation);
	suite_add_tcase(suite, all);
	return suite;
}
