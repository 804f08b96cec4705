#include "tape/choice.h"
#include "tape/intercept/stub/answer.h"
#include "tape/scratch_test.h"
#include "tools/tests.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TAPE "t.tape"

/* What one record of the same command read. */
struct recorded {
	const char *input; /* NULL: no record */
	bool eof;
	size_t speaks_at; /* it wrote something when it had read so much; 0: it did not */
};

static struct tape_reader *reader;
static struct matcher *matcher;
static struct roots *roots;
static struct choice *choice;

static void add_record(struct tape_writer *w, const struct recorded *recorded)
{
	struct unit u;
	struct stream *s;

	make_unit(&u, "filter", "");
	s = unit_add_stream(&u, 0);
	s->kind = STREAM_PIPE;
	s->eof = recorded->eof;
	set_payload(&s->data, recorded->input, strlen(recorded->input));
	if (recorded->speaks_at > 0) {
		unit_add_chunk(&u, 0, recorded->speaks_at, 1);
		unit_add_chunk(&u, 1, 5, 2);
		unit_add_chunk(&u, 0, strlen(recorded->input) - recorded->speaks_at, 3);
	}
	ck_assert_int_eq(tape_writer_spawn(w, &u, NULL), 0);
	ck_assert_int_eq(tape_writer_exit(w, &u, NULL), 0);
	unit_clear(&u);
}

static void enter_with(const struct recorded *records)
{
	struct tape_writer *w = writer_at(TAPE);
	size_t candidates[8];
	size_t count = 0;

	for (; records[count].input; count++) {
		add_record(w, &records[count]);
		candidates[count] = count;
	}
	ck_assert_int_eq(tape_writer_finish(w, NULL), 0);
	tape_writer_free(w);
	reader = reader_at(TAPE);
	matcher = matcher_new(reader);
	roots = roots_new();
	ck_assert_int_eq(choice_new(&(struct choice_from){matcher, reader, roots}, candidates,
				    count, &choice, NULL),
			 0);
}

static void leave(void)
{
	choice_free(choice);
	roots_free(roots);
	matcher_free(matcher);
	tape_reader_free(reader);
	scratch_leave();
}

/* "read N", "read all", "record N", "none". */
static void assert_next(const char *more, bool ended, const char *wanted)
{
	char got[64];
	uint64_t until;
	size_t index;

	ck_assert_int_eq(choice_add(choice, more, strlen(more)), 0);
	ck_assert_int_eq(choice_narrow(choice, ended, &index, &until, NULL), 0);
	if (index != CHOICE_NONE)
		snprintf(got, sizeof(got), "record %zu", index);
	else if (until == 0)
		snprintf(got, sizeof(got), "none");
	else if (until == STUB_STDIN_ALL)
		snprintf(got, sizeof(got), "read all");
	else
		snprintf(got, sizeof(got), "read %llu", (unsigned long long)until);
	ck_assert_str_eq(got, wanted);
}

START_TEST(stdin_tells_records_apart)
{
	enter_with((struct recorded[]){{"abc", true, 0}, {"abd", true, 0}, {NULL, false, 0}});
	assert_next("", false, "read 3");
	assert_next("ab", false, "read 3");
	assert_next("d", false, "record 1");
}
END_TEST

/* Their parent may wait for an answer to the first line before it writes the second. */
START_TEST(records_that_read_the_same_need_no_look)
{
	enter_with((struct recorded[]){{"a\nb\n", true, 0}, {"a\nb\n", true, 0}, {NULL, false, 0}});
	assert_next("", false, "record 0");
}
END_TEST

START_TEST(the_last_that_fits_needs_no_further_look)
{
	enter_with((struct recorded[]){{"a\n", true, 0}, {"b\nc\n", true, 0}, {NULL, false, 0}});
	assert_next("", false, "read 2");
	assert_next("b\n", false, "record 1");
}
END_TEST

START_TEST(the_same_bytes_with_another_end_are_told_apart)
{
	enter_with((struct recorded[]){{"a", true, 0}, {"a", false, 0}, {NULL, false, 0}});
	assert_next("", false, "read 1");
	assert_next("a", false, "record 1");
}
END_TEST

START_TEST(the_shortest_record_is_looked_at_first)
{
	enter_with((struct recorded[]){
		{"ab", false, 0}, {"abcd", false, 0}, {"x", false, 0}, {NULL, false, 0}});
	assert_next("", false, "read 1");
	assert_next("a", false, "read 2");
	assert_next("b", false, "record 0");
}
END_TEST

START_TEST(equal_records_come_first_in_first_out)
{
	enter_with((struct recorded[]){{"a", true, 0}, {"a", true, 0}, {NULL, false, 0}});
	assert_next("a", true, "record 0");
}
END_TEST

START_TEST(a_used_record_is_no_candidate)
{
	struct unit record = {0};

	enter_with((struct recorded[]){{"a", true, 0}, {"a", true, 0}, {NULL, false, 0}});
	ck_assert_int_eq(matcher_take(matcher, 0, &record, NULL), 0);
	unit_clear(&record);
	assert_next("a", true, "record 1");
}
END_TEST

/* /dev/null, beside records of the same command that read something. */
START_TEST(one_that_read_nothing_is_the_last_resort)
{
	enter_with((struct recorded[]){{"", false, 0}, {"core\n", true, 0}, {NULL, false, 0}});
	assert_next("", false, "read 5");
	assert_next("core\n", true, "record 1");
}
END_TEST

START_TEST(no_stdin_at_all_is_one_that_read_nothing)
{
	enter_with((struct recorded[]){{"core\n", true, 0}, {"", false, 0}, {NULL, false, 0}});
	assert_next("", false, "read 5");
	assert_next("", true, "record 1");
}
END_TEST

static void assert_without_more(size_t wanted)
{
	size_t index;

	ck_assert_int_eq(choice_without_more(choice, &index, NULL), 0);
	ck_assert_uint_eq(index, wanted);
}

START_TEST(when_nothing_comes_one_that_wants_no_more_is_meant)
{
	enter_with((struct recorded[]){{"core\n", true, 0}, {"", false, 0}, {NULL, false, 0}});
	assert_next("", false, "read 5");
	assert_without_more(1);
}
END_TEST

START_TEST(when_nothing_comes_one_that_asks_is_meant)
{
	enter_with((struct recorded[]){{"abc", true, 0}, {"abd", true, 2}, {NULL, false, 0}});
	assert_next("", false, "read 3");
	assert_without_more(CHOICE_NONE);
	assert_next("ab", false, "read 3");
	assert_without_more(1);
}
END_TEST

START_TEST(another_stdin_fits_none)
{
	enter_with((struct recorded[]){{"abc", true, 0}, {"abd", true, 0}, {NULL, false, 0}});
	assert_next("xyz", false, "none");
}
END_TEST

START_TEST(an_end_that_comes_early_fits_none)
{
	enter_with((struct recorded[]){{"abc", true, 0}, {"abd", true, 0}, {NULL, false, 0}});
	assert_next("ab", true, "none");
}
END_TEST

START_TEST(more_than_was_read_fits_none)
{
	enter_with((struct recorded[]){{"abc", true, 0}, {"abd", true, 0}, {NULL, false, 0}});
	assert_next("abcx", false, "none");
}
END_TEST

static void assert_by_file(const char *content, off_t start, size_t wanted)
{
	int file = open("stdin", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	size_t index;

	ck_assert_int_ge(file, 0);
	ck_assert_int_eq(write(file, content, strlen(content)), strlen(content));
	ck_assert_int_eq(choice_by_file(choice, file, start, &index, NULL), 0);
	ck_assert_uint_eq(index, wanted);
	close(file);
}

START_TEST(a_file_tells_all_at_once)
{
	enter_with((struct recorded[]){
		{"ab", true, 0}, {"abc", true, 0}, {"abcd", false, 0}, {NULL, false, 0}});
	assert_by_file("abc", 0, 1);
	assert_by_file("xab", 1, 0);
	assert_by_file("abcde", 0, 2);
	assert_by_file("a", 0, CHOICE_NONE);
}
END_TEST

START_TEST(of_a_file_the_first_may_have_read_a_part)
{
	enter_with((struct recorded[]){
		{"abc", false, 0}, {"", false, 0}, {"a", false, 0}, {NULL, false, 0}});
	assert_by_file("abcd", 0, 0);
	assert_by_file("ab", 0, 2);
	assert_by_file("", 0, 1);
}
END_TEST

Suite *tape_choice_suite(void)
{
	Suite *s = suite_create("tape/choice");
	TCase *t = tcase_create("stdin");

	tcase_add_checked_fixture(t, scratch_enter, leave);
	tcase_add_test(t, when_nothing_comes_one_that_wants_no_more_is_meant);
	tcase_add_test(t, when_nothing_comes_one_that_asks_is_meant);
	tcase_add_test(t, a_file_tells_all_at_once);
	tcase_add_test(t, of_a_file_the_first_may_have_read_a_part);
	tcase_add_test(t, stdin_tells_records_apart);
	tcase_add_test(t, records_that_read_the_same_need_no_look);
	tcase_add_test(t, the_last_that_fits_needs_no_further_look);
	tcase_add_test(t, the_same_bytes_with_another_end_are_told_apart);
	tcase_add_test(t, the_shortest_record_is_looked_at_first);
	tcase_add_test(t, equal_records_come_first_in_first_out);
	tcase_add_test(t, a_used_record_is_no_candidate);
	tcase_add_test(t, one_that_read_nothing_is_the_last_resort);
	tcase_add_test(t, no_stdin_at_all_is_one_that_read_nothing);
	tcase_add_test(t, another_stdin_fits_none);
	tcase_add_test(t, an_end_that_comes_early_fits_none);
	tcase_add_test(t, more_than_was_read_fits_none);
	suite_add_tcase(s, t);
	return s;
}
