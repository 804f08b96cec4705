#include "base/cleanup.h"
#include "tape/matcher.h"
#include "tape/scratch_test.h"
#include "tools/tests.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

#define TAPE "t.tape"

struct setup {
	struct tape_reader *reader;
	struct matcher *matcher;
};

static struct setup open_matcher(const struct command_line *records, size_t count)
{
	struct setup s;

	write_commands(TAPE, records, count);
	s.reader = reader_at(TAPE);
	s.matcher = matcher_new(s.reader);
	ck_assert_ptr_nonnull(s.matcher);
	return s;
}

static void close_matcher(struct setup *s)
{
	matcher_free(s->matcher);
	tape_reader_free(s->reader);
}

#define NO_RECORD (-1)

/* The exit code of the record that answers, which is its number, or NO_RECORD. */
static int take(struct matcher *m, const char *line, const char *cwd)
{
	struct unit command = command_of(line, cwd);
	struct unit record = {0};
	struct error err = {0};
	size_t index = 0;
	size_t count = 0;
	int code = NO_RECORD;

	ck_assert_int_eq(matcher_find(m, &command, &index, 1, &count, &err), 0);
	if (count > 0) {
		ck_assert(!matcher_is_used(m, index));
		ck_assert_int_eq(matcher_take(m, index, &record, &err), 0);
		code = record.end.code;
		ck_assert(matcher_is_used(m, index));
	}
	unit_clear(&record);
	unit_clear(&command);
	return code;
}

static const struct command_line history[] = {
	{"git status", "$WORK"},     {"git log", "$WORK"},	     {"git status", "$WORK"},
	{"git status", "$WORK/sub"}, {"LANG=C git status", "$WORK"}, {"git status", "$WORK"},
};

START_TEST(equal_commands_are_answered_first_in_first_out)
{
	struct setup s = open_matcher(history, COUNT(history));

	ck_assert_int_eq(take(s.matcher, "git status", "$WORK"), 0);
	ck_assert_int_eq(take(s.matcher, "git status", "$WORK"), 2);
	ck_assert_int_eq(take(s.matcher, "git log", "$WORK"), 1);
	ck_assert_int_eq(take(s.matcher, "git status", "$WORK"), 5);
	ck_assert_int_eq(take(s.matcher, "git status", "$WORK"), NO_RECORD);
	ck_assert_int_eq(take(s.matcher, "git status", "$WORK"), NO_RECORD);
	close_matcher(&s);
}
END_TEST

START_TEST(another_order_than_the_recorded_one_is_answered)
{
	struct setup s = open_matcher(history, COUNT(history));

	ck_assert_int_eq(take(s.matcher, "LANG=C git status", "$WORK"), 4);
	ck_assert_int_eq(take(s.matcher, "git status", "$WORK/sub"), 3);
	ck_assert_int_eq(take(s.matcher, "git log", "$WORK"), 1);
	ck_assert_int_eq(take(s.matcher, "git status", "$WORK"), 0);
	close_matcher(&s);
}
END_TEST

static const struct {
	const char *line;
	const char *cwd;
	int code;
} take_rows[] = {
	{"git status", "$WORK", 0},
	{"/usr/bin/git status", "$WORK", 0},
	{"git status", "$WORK/sub", 3},
	{"LANG=C git status", "$WORK", 4},
	{"git", "$WORK", NO_RECORD},
	{"git status _", "$WORK", NO_RECORD},
	{"git Status", "$WORK", NO_RECORD},
	{"gitk status", "$WORK", NO_RECORD},
	{"git status", "$HOME", NO_RECORD},
	{"git log", "$WORK/sub", NO_RECORD},
	{"LANG=de git status", "$WORK", NO_RECORD},
	{"LANG= git status", "$WORK", NO_RECORD},
	{"LANG=C git log", "$WORK", NO_RECORD},
};

START_TEST(the_whole_command_decides)
{
	struct setup s = open_matcher(history, COUNT(history));

	ck_assert_int_eq(take(s.matcher, take_rows[_i].line, take_rows[_i].cwd),
			 take_rows[_i].code);
	close_matcher(&s);
}
END_TEST

START_TEST(unused_records_are_counted)
{
	struct setup s = open_matcher(history, COUNT(history));
	size_t used = 0;

	ck_assert_uint_eq(matcher_unused(s.matcher), 6);
	take(s.matcher, "git status", "$WORK");
	ck_assert_uint_eq(matcher_unused(s.matcher), 5);
	take(s.matcher, "git stash", "$WORK");
	ck_assert_uint_eq(matcher_unused(s.matcher), 5);
	take(s.matcher, "git log", "$WORK");
	ck_assert_uint_eq(matcher_unused(s.matcher), 4);
	for (size_t i = 0; i < COUNT(history); i++)
		used += matcher_is_used(s.matcher, i);
	ck_assert_uint_eq(used, 2);
	close_matcher(&s);
}
END_TEST

START_TEST(an_empty_tape_answers_nothing)
{
	struct setup s = open_matcher(NULL, 0);

	ck_assert_uint_eq(matcher_unused(s.matcher), 0);
	ck_assert_int_eq(take(s.matcher, "git status", "$WORK"), NO_RECORD);
	close_matcher(&s);
}
END_TEST

static const struct command_line by_hand[] = {
	{"git status", ANY},
	{"git status", "$WORK"},
	{"git status", ANY},
	{"LANG=C git status", ANY},
};

START_TEST(a_record_without_cwd_matches_in_every_directory)
{
	struct setup s = open_matcher(by_hand, COUNT(by_hand));

	ck_assert_int_eq(take(s.matcher, "git status", "$HOME"), 0);
	ck_assert_int_eq(take(s.matcher, "git status", "$TMP"), 2);
	ck_assert_int_eq(take(s.matcher, "git status", "$TMP"), NO_RECORD);
	ck_assert_int_eq(take(s.matcher, "LANG=C git status", "$TMP"), 3);
	ck_assert_int_eq(take(s.matcher, "git status", "$WORK"), 1);
	close_matcher(&s);
}
END_TEST

START_TEST(a_record_with_the_cwd_comes_before_one_without)
{
	struct setup s = open_matcher(by_hand, COUNT(by_hand));

	ck_assert_int_eq(take(s.matcher, "git status", "$WORK"), 1);
	ck_assert_int_eq(take(s.matcher, "git status", "$WORK"), 0);
	ck_assert_int_eq(take(s.matcher, "git status", "$WORK"), 2);
	ck_assert_int_eq(take(s.matcher, "git status", "$WORK"), NO_RECORD);
	close_matcher(&s);
}
END_TEST

START_TEST(many_keys_are_kept_apart)
{
	struct command_line records[400];
	char lines[200][16];
	struct setup s;

	for (int i = 0; i < 200; i++) {
		snprintf(lines[i], sizeof(lines[i]), "x %d", i);
		records[i] = records[399 - i] = (struct command_line){lines[i], "$WORK"};
	}
	s = open_matcher(records, 400);
	for (int i = 0; i < 200; i++)
		ck_assert_int_eq(take(s.matcher, lines[i], "$WORK"), i);
	for (int i = 0; i < 200; i++)
		ck_assert_int_eq(take(s.matcher, lines[i], "$WORK"), 399 - i);
	ck_assert_uint_eq(matcher_unused(s.matcher), 0);
	close_matcher(&s);
}
END_TEST

Suite *tape_matcher_suite(void)
{
	Suite *suite = suite_create("tape/matcher");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, scratch_enter, scratch_leave);
	tcase_add_test(all, equal_commands_are_answered_first_in_first_out);
	tcase_add_test(all, another_order_than_the_recorded_one_is_answered);
	tcase_add_loop_test(all, the_whole_command_decides, 0, COUNT(take_rows));
	tcase_add_test(all, unused_records_are_counted);
	tcase_add_test(all, an_empty_tape_answers_nothing);
	tcase_add_test(all, a_record_without_cwd_matches_in_every_directory);
	tcase_add_test(all, a_record_with_the_cwd_comes_before_one_without);
	tcase_add_test(all, many_keys_are_kept_apart);
	suite_add_tcase(suite, all);
	return suite;
}
