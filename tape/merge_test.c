#include "base/cleanup.h"
#include "tape/codec.h"
#include "tape/scratch_test.h"
#include "tape/tape.h"
#include "tools/tests.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OUT   "out.tape"
#define LINES OUT "/tape.jsonl"

static int merge(const char *const *tapes, bool replace, struct tape_merge_result *ret,
		 struct error *err)
{
	const struct tape_merge_options options = {.replace = replace};

	return tape_merge(OUT, tapes, &options, ret, err);
}

/* Tapes named 0.tape, 1.tape ... of these recordings, up to the first NULL. */
static void record_all(const char *const events[4], char names[4][8], const char *ret_tapes[5])
{
	size_t i;

	for (i = 0; i < 4 && events[i]; i++) {
		snprintf(names[i], 8, "%zu.tape", i);
		record(names[i], events[i]);
		ret_tapes[i] = names[i];
	}
	ret_tapes[i] = NULL;
}

static const struct {
	const char *events[4];
	const char *order;
	size_t duplicates;
	size_t conflicts;
} rows[] = {
	{{"A( A)1", "B( B)2"}, "A1 B2", 0, 0},
	{{"A( A)1 B( B)2", "A( A)1 B( B)2"}, "A1 B2", 2, 0},
	{{"A( A)1 B( B)2", "B( B)2 C( C)3"}, "A1 B2 C3", 1, 0},
	{{"", "A( A)1"}, "A1", 0, 0},
	{{"A( A)1", ""}, "A1", 0, 0},
	/* Another record of the same command: that of the earlier tape first. */
	{{"A( A)1", "A( A)2"}, "A1 A2", 0, 1},
	/* Of equal records as many as the tape has that has most. */
	{{"A( A)1", "A( A)1 A( A)1 A( A)1"}, "A1 A1 A1", 1, 2},
	{{"A( A)1 A( A)1", "A( A)1", "A( A)1 A( A)1 A( A)1"}, "A1 A1 A1", 3, 1},
	/* Tails and unfinished commands are part of it. */
	{{"A( A)1 A}x", "A( A)1"}, "A1+x A1", 0, 1},
	{{"A( A)1 A}x", "A( A)1 A}x"}, "A1+x", 1, 0},
	{{"A(", "A("}, "A?", 1, 0},
	{{"A( B( B)1 A)2", "B( A( B)1 A)2 C( C)"}, "A2 B1 C", 2, 0},
};

START_TEST(units_come_tape_by_tape_without_duplicates)
{
	struct tape_merge_result result;
	struct error err = {0};
	char names[4][8];
	const char *tapes[5];

	record_all(rows[_i].events, names, tapes);
	ck_assert_msg(merge(tapes, false, &result, &err) == 0, "%s", err.text);
	assert_order(OUT, rows[_i].order);
	ck_assert_uint_eq(result.duplicates, rows[_i].duplicates);
	ck_assert_uint_eq(result.conflicts, rows[_i].conflicts);
	ck_assert(!is_file(OUT "/journal.jsonl"));
}
END_TEST

static void read_both(struct buf *lines, struct buf *timing)
{
	get_file(LINES, lines);
	get_file(OUT "/timing.jsonl", timing);
}

START_TEST(the_same_tapes_give_the_same_bytes)
{
	static const char *const events[4] = {"A( B( A)1 B)2 C(", "B( B)9 A( A)1 D( D)4 D}5"};
	struct tape_merge_result result;
	char names[4][8];
	const char *tapes[5];
	cleanup_buf struct buf lines = BUF_INIT, timing = BUF_INIT;

	record_all(events, names, tapes);
	ck_assert_int_eq(merge(tapes, false, &result, NULL), 0);
	read_both(&lines, &timing);
	for (int replace = 0; replace < 2; replace++) {
		cleanup_buf struct buf again = BUF_INIT, times = BUF_INIT;

		if (!replace)
			ck_assert_int_eq(system("rm -r " OUT), 0);
		ck_assert_int_eq(merge(tapes, replace, &result, NULL), 0);
		read_both(&again, &times);
		assert_same_bytes(again.data, again.len, lines.data, lines.len);
		assert_same_bytes(times.data, times.len, timing.data, timing.len);
	}
	/* With itself it is itself, and it may be in the place of what it is made of. */
	tapes[0] = tapes[1] = OUT;
	ck_assert_int_eq(merge(tapes, true, &result, NULL), 0);
	cleanup_buf struct buf again = BUF_INIT;
	get_file(LINES, &again);
	assert_same_bytes(again.data, again.len, lines.data, lines.len);
}
END_TEST

START_TEST(the_runs_follow_one_another)
{
	static const char *const events[4] = {"A( B( A)1 B)2", "C( D( C)1 D)2"};
	struct tape_merge_result result;
	uint64_t start, duration, end = 0;
	char names[4][8];
	const char *tapes[5];
	struct tape_reader *r;

	record_all(events, names, tapes);
	ck_assert_int_eq(merge(tapes, false, &result, NULL), 0);
	r = reader_at(OUT);
	ck_assert_uint_eq(tape_reader_warning_count(r), 0);
	for (size_t i = 0; i < 4; i++) {
		ck_assert(tape_reader_span(r, i, &start, &duration));
		ck_assert(i != 1 || start < end);
		ck_assert(i != 2 || start > end);
		ck_assert(i != 3 || start < end);
		end = start + duration > end ? start + duration : end;
	}
	tape_reader_free(r);
}
END_TEST

static void record_blob(const char *path, char fill)
{
	struct tape_writer *w = writer_at(path);
	char bytes[5000];
	struct unit u;

	memset(bytes, fill, sizeof(bytes));
	make_unit(&u, (char[]){fill, '\0'}, "");
	ck_assert_int_eq(tape_writer_spawn(w, &u, NULL), 0);
	set_spooled(&unit_stream(&u, 1)->data, path, bytes, sizeof(bytes), NULL);
	ck_assert_int_eq(tape_writer_exit(w, &u, NULL), 0);
	ck_assert_int_eq(tape_writer_finish(w, NULL), 0);
	tape_writer_free(w);
	unit_clear(&u);
}

static void ignore(void *ctx, enum tape_finding kind, const char *text)
{
	(void)ctx;
	(void)kind;
	(void)text;
}

START_TEST(blobs_come_along)
{
	const char *const tapes[] = {"a.tape", "b.tape", "a.tape", NULL};
	const struct tape_check_options options = {.find = ignore};
	struct tape_merge_result result;
	struct tape_check_result checked;
	struct error err = {0};

	record_blob("a.tape", 'a');
	record_blob("b.tape", 'b');
	ck_assert_msg(merge(tapes, false, &result, &err) == 0, "%s", err.text);
	ck_assert_int_eq(tape_check(OUT, &options, &checked, NULL), 0);
	ck_assert_uint_eq(checked.blobs, 2);
	ck_assert_uint_eq(checked.damages + checked.notes, 0);
}
END_TEST

static size_t count_entries(void)
{
	DIR *d = opendir(".");
	size_t count = 0;

	while (readdir(d))
		count++;
	closedir(d);
	return count;
}

START_TEST(a_damaged_blob_is_an_error_and_nothing_appears)
{
	const char *const tapes[] = {"a.tape", "b.tape", NULL};
	struct tape_merge_result result;
	struct error err = {0};
	size_t before;

	record_blob("a.tape", 'a');
	record_blob("b.tape", 'b');
	before = count_entries();
	ck_assert_int_eq(system("for f in b.tape/blobs/*; do printf x >>$f; done"), 0);
	ck_assert_int_eq(merge(tapes, false, &result, &err), ERR_FORMAT);
	ck_assert_msg(strstr(err.text, "it has 5001 bytes and not 5000; restore it") != NULL, "%s",
		      err.text);
	ck_assert_int_eq(system("for f in b.tape/blobs/*; do rm $f; done"), 0);
	ck_assert_int_eq(merge(tapes, false, &result, &err), ERR_NOTFOUND);
	ck_assert_uint_eq(count_entries(), before);
}
END_TEST

START_TEST(what_is_there_is_not_replaced_unasked)
{
	const char *const tapes[] = {"a.tape", "a.tape", NULL};
	struct tape_merge_result result;
	struct error err = {0};
	struct tape_writer *w;

	record("a.tape", "A( A)1");
	record(OUT, "B( B)2");
	ck_assert_int_eq(merge(tapes, false, &result, &err), ERR_EXISTS);
	ck_assert_ptr_nonnull(strstr(err.text, "--replace"));
	assert_order(OUT, "B2");
	w = writer_at(OUT);
	ck_assert_int_eq(merge(tapes, true, &result, &err), ERR_BUSY);
	ck_assert_ptr_nonnull(strstr(err.text, "is recording to"));
	tape_writer_free(w);
	ck_assert_int_eq(merge(tapes, true, &result, &err), 0);
	assert_order(OUT, "A1");
	ck_assert_int_eq(system("rm -r " OUT " && mkdir " OUT), 0);
	ck_assert_int_eq(merge(tapes, true, &result, &err), ERR_FORMAT);
	ck_assert_ptr_nonnull(strstr(err.text, "is no tape"));
	ck_assert_int_eq(rmdir(OUT), 0);
	put_file(OUT, "x", 1);
	ck_assert_int_eq(merge(tapes, true, &result, &err), ERR_FORMAT);
}
END_TEST

static void put_head(const char *path, const char *fields)
{
	cleanup_buf struct buf lines = BUF_INIT, name = BUF_INIT;
	struct error err;

	line_add(&lines, LINE_HEAD, (struct unit_id){0, 0}, bytes_of_str(fields), &err);
	buf_addf(&name, "%s/tape.jsonl", path);
	ck_assert_int_eq(mkdir(path, 0777), 0);
	put_file(name.data, lines.data, lines.len);
}

START_TEST(tapes_that_do_not_fit_are_refused)
{
	const char *const env[] = {"env.tape", "plain.tape", NULL};
	const char *const roots[] = {"plain.tape", "roots.tape", NULL};
	const char *const none[] = {"plain.tape", "nowhere.tape", NULL};
	const char *const later[] = {"plain.tape", "later.tape", NULL};
	struct tape_merge_result result;
	struct error err = {0};

	put_head("plain.tape", ",\"version\":1");
	put_head("env.tape", ",\"version\":1,\"env\":[\"E\"]");
	put_head("roots.tape", ",\"version\":1,\"roots\":[\"R\"]");
	put_head("later.tape", ",\"version\":2");
	ck_assert_int_eq(merge(env, false, &result, &err), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(err.text, "env.tape and plain.tape do not fit together"));
	ck_assert_ptr_nonnull(strstr(err.text, "--env"));
	ck_assert_int_eq(merge(roots, false, &result, &err), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(err.text, "--root"));
	ck_assert_int_eq(merge(none, false, &result, &err), ERR_NOTFOUND);
	ck_assert_int_eq(merge(later, false, &result, &err), ERR_VERSION);
	ck_assert_int_eq(merge(none + 2, false, &result, &err), ERR_INVALID);
	ck_assert(!is_file(OUT));
}
END_TEST

START_TEST(through_and_real_of_all_count)
{
	const char *const tapes[] = {"a.tape", "b.tape", NULL};
	struct tape_merge_result result;
	struct tape_reader *r;

	put_head("a.tape", ",\"version\":1,\"through\":[\"x\"],\"real\":[\"r\"]");
	put_head("b.tape", ",\"version\":1,\"through\":[\"y\",\"x\"],\"real\":[\"r\"]");
	ck_assert_int_eq(merge(tapes, false, &result, NULL), 0);
	r = reader_at(OUT);
	ck_assert_uint_eq(tape_reader_head(r)->through.count, 2);
	ck_assert_str_eq(tape_reader_head(r)->through.item[1], "y");
	ck_assert_uint_eq(tape_reader_head(r)->real.count, 1);
	tape_reader_free(r);
}
END_TEST

START_TEST(what_a_killed_merge_left_goes_with_the_next)
{
	const char *const tapes[] = {"a.tape", NULL};
	struct tape_merge_result result;
	const char *left = OUT ".tmp.0123456789abcdef";

	record_blob("a.tape", 'a');
	ck_assert_int_eq(system("cp -r a.tape " OUT ".tmp.0123456789abcdef && "
				": >" OUT ".tmp.0123456789abcdef/journal.jsonl && "
				": >" OUT ".tmp.0123456789abcdef/blobs/.spool.0123456789abcdef && "
				": >" OUT ".tmp.0123456789abcdef/tape.jsonl.new"),
			 0);
	ck_assert_int_eq(merge(tapes, false, &result, NULL), 0);
	ck_assert(!is_file(left));
}
END_TEST

Suite *tape_merge_suite(void)
{
	Suite *suite = suite_create("tape/merge");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, scratch_enter, scratch_leave);
	tcase_add_loop_test(all, units_come_tape_by_tape_without_duplicates, 0,
			    (int)(sizeof(rows) / sizeof(rows[0])));
	tcase_add_test(all, the_same_tapes_give_the_same_bytes);
	tcase_add_test(all, the_runs_follow_one_another);
	tcase_add_test(all, blobs_come_along);
	tcase_add_test(all, a_damaged_blob_is_an_error_and_nothing_appears);
	tcase_add_test(all, what_is_there_is_not_replaced_unasked);
	tcase_add_test(all, tapes_that_do_not_fit_are_refused);
	tcase_add_test(all, through_and_real_of_all_count);
	tcase_add_test(all, what_a_killed_merge_left_goes_with_the_next);
	suite_add_tcase(suite, all);
	return suite;
}
