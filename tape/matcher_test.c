#include "base/cleanup.h"
#include "tape/matcher.h"
#include "tape/scratch_test.h"
#include "tools/tests.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

#define TAPE "t.tape"
#define ANY  NULL /* the cwd of a record that matches in every directory */

/* "LANG=C git status": the variables that count, then argv; "_" is an empty argument. */
static struct unit command_of(const char *line, const char *cwd)
{
	cleanup_free char *copy = strdup(line);
	struct unit u = {0};
	char *place = NULL;

	for (char *word = strtok_r(copy, " ", &place); word; word = strtok_r(NULL, " ", &place)) {
		char *equals = u.argc ? NULL : strchr(word, '=');

		if (!equals) {
			word += strcmp(word, "_") == 0;
			ck_assert_int_eq(unit_add_arg(&u, word, strlen(word)), 0);
			continue;
		}
		*equals = '\0';
		ck_assert_int_eq(unit_add_env(&u, bytes_of_str(word), bytes_of_str(equals + 1)), 0);
	}
	buf_add_str(&u.parent, "0");
	if (cwd)
		buf_add_str(&u.cwd, cwd);
	else
		u.cwd_any = true;
	ck_assert_int_eq(unit_key(&u, &u.id.key), 0);
	return u;
}

/* A record with the number `code` as its exit code. */
struct record {
	const char *line;
	const char *cwd;
};

static void write_tape(const struct record *records, size_t count)
{
	struct tape_writer *w = writer_at(TAPE);
	struct error err = {0};

	for (size_t i = 0; i < count; i++) {
		struct unit u = command_of(records[i].line, records[i].cwd);

		u.end = (struct unit_end){.how = END_EXITED, .code = (int)i};
		ck_assert_msg(tape_writer_spawn(w, &u, &err) == 0, "%s", err.text);
		ck_assert_msg(tape_writer_exit(w, &u, &err) == 0, "%s", err.text);
		unit_clear(&u);
	}
	ck_assert_msg(tape_writer_finish(w, &err) == 0, "%s", err.text);
	tape_writer_free(w);
}

struct setup {
	struct tape_reader *reader;
	struct matcher *matcher;
};

static struct setup open_matcher(const struct record *records, size_t count)
{
	struct setup s;

	write_tape(records, count);
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

static const struct record history[] = {
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

static const struct record by_hand[] = {
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

/* The text with the id of the record, which is a hash, left out. */
static void explain(struct matcher *m, const char *line, const char *cwd, struct buf *ret)
{
	struct unit command = command_of(line, cwd);
	struct error err = {0};
	char *id;

	ck_assert_msg(matcher_explain(m, &command, ret, &err) == 0, "%s", err.text);
	unit_clear(&command);
	id = strstr(ret->data, "nearest unused record, ");
	if (!id)
		return;
	id += strlen("nearest unused record, ");
	for (int i = 0; i < 16; i++)
		ck_assert(isxdigit((unsigned char)id[i]));
	ck_assert_int_eq(strncmp(id + 16, ".0", 2), 0);
	memset(id, '_', 16);
}

#define NEAREST "\n  nearest unused record, ________________.0:\n    "

static const struct {
	struct record record;
	struct record command;
	const char *text;
} explain_rows[] = {
	{{"git status", "$WORK"},
	 {"hg status", "$WORK"},
	 "no record for this command:\n"
	 "    hg status   (in $WORK)\n"
	 "  no unused record is of this program"},
	/* Changed, added, removed. */
	{{"git log -1 main", "$WORK"},
	 {"git log -2 main", "$WORK"},
	 "no record for this command:\n"
	 "    git log -2 main   (in $WORK)" NEAREST "git log -1 main   (in $WORK)\n"
	 "    argv[2]  recorded -1\n"
	 "             now      -2"},
	{{"git log", "$WORK"},
	 {"git log _", "$WORK"},
	 "no record for this command:\n"
	 "    git log ''   (in $WORK)" NEAREST "git log   (in $WORK)\n"
	 "    argv[2]  recorded (nothing)\n"
	 "             now      ''"},
	{{"git log it's", "$WORK"},
	 {"git log", "$WORK"},
	 "no record for this command:\n"
	 "    git log   (in $WORK)" NEAREST "git log 'it'\\''s'   (in $WORK)\n"
	 "    argv[2]  recorded 'it'\\''s'\n"
	 "             now      (nothing)"},
	{{"git log", "$WORK"},
	 {"git log", "$WORK/sub"},
	 "no record for this command:\n"
	 "    git log   (in $WORK/sub)" NEAREST "git log   (in $WORK)\n"
	 "    cwd      recorded '$WORK'\n"
	 "             now      '$WORK/sub'"},
	{{"LANG=C git log", "$WORK"},
	 {"LANG=de git log", "$WORK"},
	 "no record for this command:\n"
	 "    git log   (in $WORK)" NEAREST "git log   (in $WORK)\n"
	 "    the chosen environment differs"},
	{{"LANG=C git log", "$WORK"},
	 {"git log", "$WORK"},
	 "no record for this command:\n"
	 "    git log   (in $WORK)" NEAREST "git log   (in $WORK)\n"
	 "    the chosen environment differs"},
	/* All of it, and the directory of the program is no difference of the program. */
	{{"/usr/bin/git log", "$WORK"},
	 {"LANG=C git show", "$HOME"},
	 "no record for this command:\n"
	 "    git show   (in $HOME)" NEAREST "/usr/bin/git log   (in $WORK)\n"
	 "    argv[0]  recorded /usr/bin/git\n"
	 "             now      git\n"
	 "    argv[1]  recorded log\n"
	 "             now      show\n"
	 "    cwd      recorded '$WORK'\n"
	 "             now      '$HOME'\n"
	 "    the chosen environment differs"},
	/* A record for any directory names none. */
	{{"git log", ANY},
	 {"git show", "$WORK"},
	 "no record for this command:\n"
	 "    git show   (in $WORK)" NEAREST "git log\n"
	 "    argv[1]  recorded log\n"
	 "             now      show"},
};

START_TEST(a_miss_is_explained)
{
	struct setup s = open_matcher(&explain_rows[_i].record, 1);
	cleanup_buf struct buf text = BUF_INIT;

	explain(s.matcher, explain_rows[_i].command.line, explain_rows[_i].command.cwd, &text);
	ck_assert_str_eq(text.data, explain_rows[_i].text);
	close_matcher(&s);
}
END_TEST

START_TEST(a_miss_when_nothing_is_left_is_explained)
{
	struct setup s = open_matcher(history, 1);
	cleanup_buf struct buf text = BUF_INIT;

	take(s.matcher, "git status", "$WORK");
	explain(s.matcher, "git status", "$WORK", &text);
	ck_assert_str_eq(text.data, "no record for this command:\n"
				    "    git status   (in $WORK)\n"
				    "  every record of the tape has been used");
	close_matcher(&s);
}
END_TEST

START_TEST(an_explanation_is_appended)
{
	struct setup s = open_matcher(NULL, 0);
	cleanup_buf struct buf text = BUF_INIT;
	struct unit command = command_of("git", "$WORK");

	buf_add_str(&text, "t.tape: ");
	ck_assert_int_eq(matcher_explain(s.matcher, &command, &text, NULL), 0);
	ck_assert_str_eq(text.data, "t.tape: no record for this command:\n"
				    "    git   (in $WORK)\n"
				    "  every record of the tape has been used");
	unit_clear(&command);
	close_matcher(&s);
}
END_TEST

static const struct record cousins[] = {
	{"make all", "$WORK"},		 {"git commit -m one two", "$WORK"},
	{"git log --oneline", "$WORK"},	 {"git log --oneline -1", "$HOME"},
	{"LANG=C git show -1", "$HOME"},
};

static const struct {
	const char *line;
	const char *cwd;
	const char *nearest; /* how its line begins */
} nearest_rows[] = {
	{"git log --oneline -5", "$WORK", "git log --oneline   ("},
	{"git log --oneline -5", "$HOME", "git log --oneline -1   ("},
	/* An argument in front does not make all that follow differ. */
	{"git -q commit -m one two", "$WORK", "git commit -m one two   ("},
	{"make", "$HOME", "make all   ("},
	{"LANG=C git show -2", "$HOME", "git show -1   ("},
};

START_TEST(the_nearest_record_is_named)
{
	struct setup s = open_matcher(cousins, COUNT(cousins));
	cleanup_buf struct buf text = BUF_INIT;
	char wanted[128];

	explain(s.matcher, nearest_rows[_i].line, nearest_rows[_i].cwd, &text);
	snprintf(wanted, sizeof(wanted), NEAREST "%s", nearest_rows[_i].nearest);
	ck_assert_msg(strstr(text.data, wanted) != NULL, "%s", text.data);
	close_matcher(&s);
}
END_TEST

START_TEST(a_used_record_is_not_the_nearest)
{
	struct setup s = open_matcher(cousins, COUNT(cousins));
	cleanup_buf struct buf text = BUF_INIT;

	take(s.matcher, "git log --oneline", "$WORK");
	explain(s.matcher, "git log --oneline", "$WORK", &text);
	ck_assert_msg(strstr(text.data, NEAREST "git log --oneline -1   (in $HOME)") != NULL, "%s",
		      text.data);
	close_matcher(&s);
}
END_TEST

/* Only the first arguments are compared, and all are told. */
START_TEST(long_commands_are_explained)
{
	cleanup_buf struct buf line = BUF_INIT;
	cleanup_buf struct buf text = BUF_INIT;
	struct record record;
	struct setup s;

	buf_add_str(&line, "cc");
	for (int i = 1; i < 300; i++)
		buf_addf(&line, " %d.o", i);
	record = (struct record){line.data, "$WORK"};
	s = open_matcher(&record, 1);
	buf_add_str(&line, " last.o");
	explain(s.matcher, line.data, "$WORK", &text);
	ck_assert_ptr_nonnull(strstr(text.data, "\n    argv[300] recorded (nothing)\n"
						"             now      last.o"));
	ck_assert_int_eq(take(s.matcher, record.line, "$WORK"), NO_RECORD);
	close_matcher(&s);
}
END_TEST

START_TEST(many_keys_are_kept_apart)
{
	struct record records[400];
	char lines[200][16];
	struct setup s;

	for (int i = 0; i < 200; i++) {
		snprintf(lines[i], sizeof(lines[i]), "x %d", i);
		records[i] = records[399 - i] = (struct record){lines[i], "$WORK"};
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
	tcase_add_loop_test(all, a_miss_is_explained, 0, COUNT(explain_rows));
	tcase_add_test(all, a_miss_when_nothing_is_left_is_explained);
	tcase_add_test(all, an_explanation_is_appended);
	tcase_add_loop_test(all, the_nearest_record_is_named, 0, COUNT(nearest_rows));
	tcase_add_test(all, a_used_record_is_not_the_nearest);
	tcase_add_test(all, long_commands_are_explained);
	tcase_add_test(all, many_keys_are_kept_apart);
	suite_add_tcase(suite, all);
	return suite;
}
