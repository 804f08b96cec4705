/* Golden texts: what is told of commands that do not agree with a tape. */
#include "base/cleanup.h"
#include "tape/divergence.h"
#include "tape/scratch_test.h"
#include "tools/tests.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

#define TAPE  "t.tape"
#define LINES 8

struct setup {
	struct tape_reader *reader;
	struct matcher *matcher;
};

static struct setup open_tape(void)
{
	struct setup s = {.reader = reader_at(TAPE)};

	s.matcher = matcher_new(s.reader);
	ck_assert_ptr_nonnull(s.matcher);
	return s;
}

static struct setup open_lines(const struct command_line *lines, size_t count)
{
	write_commands(TAPE, lines, count);
	return open_tape();
}

static void close_tape(struct setup *s)
{
	matcher_free(s->matcher);
	tape_reader_free(s->reader);
}

/* Ids are hashes, which say nothing to a reader of the test: "ID.0". */
static void hide_ids(struct buf *text)
{
	char *to = text->data;
	const char *from = text->data;

	while (*from) {
		size_t digits = strspn(from, "0123456789abcdef");

		if (digits == 16 && from[16] == '.') {
			memcpy(to, "ID", 2);
			to += 2;
		} else {
			digits = digits ? digits : 1;
			memmove(to, from, digits);
			to += digits;
		}
		from += digits;
	}
	*to = '\0';
	text->len = (size_t)(to - text->data);
}

static void take_first(struct setup *s, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct unit record = {0};

		ck_assert_int_eq(matcher_take(s->matcher, i, &record, NULL), 0);
		unit_clear(&record);
	}
}

static struct divergence_from from_after(const struct setup *s, size_t used)
{
	return (struct divergence_from){.matcher = s->matcher, .last = used ? used - 1 : NO_UNIT};
}

/* Text and JSON of a command after the first `used` records have been answered. */
static void explain(struct setup *s, size_t used, const char *line, const char *cwd,
		    struct buf *ret_text, struct buf *ret_json)
{
	struct divergence_from from = from_after(s, used);
	struct unit command = command_of(line, cwd);
	struct divergence d;
	struct error err = {0};
	char *json;

	take_first(s, used);
	ck_assert_msg(divergence_of_command(&from, &command, &d, &err) == 0, "%s", err.text);
	buf_add(ret_text, d.text.data, d.text.len);
	json = json_dumps(d.json, JSON_COMPACT);
	ck_assert_ptr_nonnull(json);
	buf_add_str(ret_json, json);
	free(json);
	hide_ids(ret_text);
	hide_ids(ret_json);
	divergence_clear(&d);
	unit_clear(&command);
}

#define NEAREST "\n  nearest unused record, ID.0:\n    "
#define ANOTHER "\n  another that is near, ID.0:\n    "
#define LAST	"\n  the last command that was answered, ID.0:\n    "

static const struct golden {
	struct command_line records[LINES];
	size_t used;
	struct command_line command;
	const char *text;
} golden[] = {
	{{{"git status", "$WORK"}},
	 0,
	 {"hg status", "$WORK"},
	 "no record for this command:\n"
	 "    hg status   (in $WORK)\n"
	 "  no unused record is of this program"},
	/* Changed, added, removed. */
	{{{"git log -1 main", "$WORK"}},
	 0,
	 {"git log -2 main", "$WORK"},
	 "no record for this command:\n"
	 "    git log -2 main   (in $WORK)" NEAREST "git log -1 main   (in $WORK)\n"
	 "    argv[2]  recorded -1\n"
	 "             now      -2"},
	{{{"git log", "$WORK"}},
	 0,
	 {"git log _", "$WORK"},
	 "no record for this command:\n"
	 "    git log ''   (in $WORK)" NEAREST "git log   (in $WORK)\n"
	 "    argv[2]  recorded (nothing)\n"
	 "             now      ''"},
	{{{"git log it's", "$WORK"}},
	 0,
	 {"git log", "$WORK"},
	 "no record for this command:\n"
	 "    git log   (in $WORK)" NEAREST "git log 'it'\\''s'   (in $WORK)\n"
	 "    argv[2]  recorded 'it'\\''s'\n"
	 "             now      (nothing)"},
	/* One in front does not make all that follow differ. */
	{{{"git commit -m one two", "$WORK"}},
	 0,
	 {"git -q commit -m one two", "$WORK"},
	 "no record for this command:\n"
	 "    git -q commit -m one two   (in $WORK)" NEAREST "git commit -m one two   (in $WORK)\n"
	 "    argv[1]  recorded (nothing)\n"
	 "             now      -q"},
	{{{"git log", "$WORK"}},
	 0,
	 {"git log", "$WORK/sub"},
	 "no record for this command:\n"
	 "    git log   (in $WORK/sub)" NEAREST "git log   (in $WORK)\n"
	 "    cwd      recorded '$WORK'\n"
	 "             now      '$WORK/sub'"},
	{{{"LANG=C TZ=x git log", "$WORK"}},
	 0,
	 {"LANG=de git log", "$WORK"},
	 "no record for this command:\n"
	 "    git log   (in $WORK)" NEAREST "git log   (in $WORK)\n"
	 "    env LANG recorded C\n"
	 "             now      de\n"
	 "    env TZ   recorded x\n"
	 "             now      (nothing)"},
	/* The directory of the program is no difference of the program. */
	{{{"/usr/bin/git log", "$WORK"}},
	 0,
	 {"LANG=C git show", "$HOME"},
	 "no record for this command:\n"
	 "    git show   (in $HOME)" NEAREST "/usr/bin/git log   (in $WORK)\n"
	 "    argv[1]  recorded log\n"
	 "             now      show\n"
	 "    cwd      recorded '$WORK'\n"
	 "             now      '$HOME'\n"
	 "    env LANG recorded (nothing)\n"
	 "             now      C"},
	/* A record for any directory names none. */
	{{{"git log", ANY}},
	 0,
	 {"git show", "$WORK"},
	 "no record for this command:\n"
	 "    git show   (in $WORK)" NEAREST "git log\n"
	 "    argv[1]  recorded log\n"
	 "             now      show"},
	/* Several that are near, the nearest first; of equals, what comes next on the tape. */
	{{{"git show a", "$WORK"},
	  {"git add x", "$WORK"},
	  {"git show b", "$WORK"},
	  {"git show --stat", "$WORK"},
	  {"git show b", "$HOME"}},
	 2,
	 {"git show c", "$WORK"},
	 "no record for this command:\n"
	 "    git show c   (in $WORK)" NEAREST "git show b   (in $WORK)\n"
	 "    argv[2]  recorded b\n"
	 "             now      c" ANOTHER "git show --stat   (in $WORK)" ANOTHER
	 "git show b   (in $HOME)" LAST "git add x   (in $WORK)"},
	/* Asked for more often than it was recorded. */
	{{{"git status", "$WORK"}},
	 1,
	 {"git status", "$WORK"},
	 "no record is left for this command:\n"
	 "    git status   (in $WORK)\n"
	 "  it was recorded once, and has been answered as often\n"
	 "  every record of the tape has been used" LAST "git status   (in $WORK)"},
	{{{"git status", "$WORK"}, {"git status", "$WORK"}, {"git status -s", "$WORK"}},
	 2,
	 {"git status", "$WORK"},
	 "no record is left for this command:\n"
	 "    git status   (in $WORK)\n"
	 "  it was recorded 2 times, and has been answered as often" NEAREST
	 "git status -s   (in $WORK)\n"
	 "    argv[2]  recorded -s\n"
	 "             now      (nothing)\n"
	 "  the last command that was answered, ID.1:\n"
	 "    git status   (in $WORK)"},
};

static size_t count_lines(const struct command_line *lines)
{
	size_t count = 0;

	while (count < LINES && lines[count].line)
		count++;
	return count;
}

START_TEST(a_command_without_a_record_is_explained)
{
	const struct golden *g = &golden[_i];
	struct setup s = open_lines(g->records, count_lines(g->records));
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_buf struct buf json = BUF_INIT;

	explain(&s, g->used, g->command.line, g->command.cwd, &text, &json);
	ck_assert_str_eq(text.data, g->text);
	close_tape(&s);
}
END_TEST

START_TEST(the_same_is_told_as_json)
{
	static const struct command_line lines[] = {{"git log -1", "$WORK"},
						    {"LANG=C git log -2", ANY}};
	struct setup s = open_lines(lines, COUNT(lines));
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_buf struct buf json = BUF_INIT;

	explain(&s, 1, "git log \xff", "$HOME", &text, &json);
	ck_assert_str_eq(json.data,
			 "{\"kind\":\"no_record\",\"argv\":[\"git\",\"log\",{\"base64\":\"/w==\"}],"
			 "\"cwd\":\"$HOME\",\"nearest\":[{\"id\":\"ID.0\",\"argv\":[\"git\","
			 "\"log\",\"-2\"],\"cwd\":null,\"env\":{\"LANG\":\"C\"},\"distance\":150,"
			 "\"differences\":[{\"field\":\"argv[2]\",\"recorded\":\"-2\",\"now\":"
			 "{\"base64\":\"/w==\"}},{\"field\":\"env LANG\",\"recorded\":\"C\","
			 "\"now\":null}]}],\"last\":{\"id\":\"ID.0\",\"argv\":[\"git\",\"log\","
			 "\"-1\"],\"cwd\":\"$WORK\"}}");
	close_tape(&s);
}
END_TEST

/* Only the first arguments are aligned, and all are told. */
START_TEST(long_commands_are_explained)
{
	cleanup_buf struct buf line = BUF_INIT;
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_buf struct buf json = BUF_INIT;
	struct command_line recorded;
	struct setup s;

	buf_add_str(&line, "cc");
	for (int i = 1; i < 300; i++)
		buf_addf(&line, " %d.o", i);
	recorded = (struct command_line){line.data, "$WORK"};
	s = open_lines(&recorded, 1);
	buf_add_str(&line, " last.o");
	explain(&s, 0, line.data, "$WORK", &text, &json);
	ck_assert_ptr_nonnull(strstr(text.data, "\n    argv[300] recorded (nothing)\n"
						"              now      last.o"));
	close_tape(&s);
}
END_TEST

/* stdin */

static void write_readers(const char *const *inputs, size_t count)
{
	struct tape_writer *w = writer_at(TAPE);

	for (size_t i = 0; i < count; i++) {
		struct unit u = command_of("wc -c", "$WORK");
		struct stream *s = unit_add_stream(&u, 0);

		ck_assert_ptr_nonnull(s);
		s->kind = STREAM_PIPE;
		s->eof = true;
		set_payload(&s->data, inputs[i], strlen(inputs[i]));
		u.end = (struct unit_end){.how = END_EXITED};
		ck_assert_int_eq(tape_writer_spawn(w, &u, NULL), 0);
		ck_assert_int_eq(tape_writer_exit(w, &u, NULL), 0);
		unit_clear(&u);
	}
	ck_assert_int_eq(tape_writer_finish(w, NULL), 0);
	tape_writer_free(w);
}

#define OF_STDIN                                                                                   \
	"the input of this command is not what the recorded one read:\n"                           \
	"    wc -c   (in $WORK)\n"                                                                 \
	"  the record that agrees longest, ID."

static const char *const inputs[] = {"one two", "one three"};

static const struct {
	size_t record;
	uint64_t skipped;
	const char *now;
	const char *text;
} stdin_rows[] = {
	{NO_UNIT, 0, "one tha",
	 OF_STDIN "1:\n    wc -c   (in $WORK)\n"
		  "    stdin, byte 6\n"
		  "             recorded ree\n"
		  "             now      a"},
	{NO_UNIT, 0, "one",
	 OF_STDIN "0:\n    wc -c   (in $WORK)\n"
		  "    stdin, byte 3\n"
		  "             recorded ' two'\n"
		  "             now      (its end)"},
	{0, 4, "two more",
	 OF_STDIN "0:\n    wc -c   (in $WORK)\n"
		  "    stdin, byte 7\n"
		  "             recorded (its end)\n"
		  "             now      ' more'"},
};

START_TEST(another_stdin_is_explained)
{
	struct unit command = command_of("wc -c", "$WORK");
	struct divergence d;
	struct error err = {0};
	struct divergence_from from;
	struct input_read read = {0, stdin_rows[_i].skipped, bytes_of_str(stdin_rows[_i].now)};
	struct setup s;

	write_readers(inputs, COUNT(inputs));
	s = open_tape();
	from = from_after(&s, 0);
	ck_assert_msg(
		divergence_of_input(&from, &command, stdin_rows[_i].record, &read, &d, &err) == 0,
		"%s", err.text);
	hide_ids(&d.text);
	ck_assert_str_eq(d.text.data, stdin_rows[_i].text);
	ck_assert_str_eq(json_string_value(json_object_get(d.json, "kind")), "input");
	ck_assert(json_is_integer(json_object_get(d.json, "offset")));
	divergence_clear(&d);
	unit_clear(&command);
	close_tape(&s);
}
END_TEST

/* Order */

static const struct {
	size_t expected;
	const char *text;
} order_rows[] = {
	{0, "this command comes out of the recorded order:\n"
	    "    b   (in $WORK)\n"
	    "  the one that was to come, ID.0:\n"
	    "    a   (in $WORK)"},
	{NO_UNIT, "this command comes out of the recorded order:\n"
		  "    b   (in $WORK)\n"
		  "  all that were recorded after it have been answered"},
};

START_TEST(another_order_is_explained)
{
	static const struct command_line lines[] = {{"a", "$WORK"}, {"b", "$WORK"}};
	struct setup s = open_lines(lines, COUNT(lines));
	struct divergence_from from = from_after(&s, 0);
	struct unit command = command_of("b", "$WORK");
	struct divergence d;

	ck_assert_int_eq(divergence_of_order(&from, &command, order_rows[_i].expected, &d, NULL),
			 0);
	hide_ids(&d.text);
	ck_assert_str_eq(d.text.data, order_rows[_i].text);
	divergence_clear(&d);
	unit_clear(&command);
	close_tape(&s);
}
END_TEST

Suite *tape_divergence_suite(void)
{
	Suite *suite = suite_create("tape/divergence");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, scratch_enter, scratch_leave);
	tcase_add_loop_test(all, a_command_without_a_record_is_explained, 0, COUNT(golden));
	tcase_add_test(all, the_same_is_told_as_json);
	tcase_add_test(all, long_commands_are_explained);
	tcase_add_loop_test(all, another_stdin_is_explained, 0, COUNT(stdin_rows));
	tcase_add_loop_test(all, another_order_is_explained, 0, COUNT(order_rows));
	suite_add_tcase(suite, all);
	return suite;
}
