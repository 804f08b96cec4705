#include "tape/reader.h"

#include "base/cleanup.h"
#include "tape/codec.h"
#include "tape/lines.h"
#include "tape/scratch_test.h"
#include "tools/tests.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAPE	"t.tape"
#define LINES	TAPE "/tape.jsonl"
#define TIMING	TAPE "/timing.jsonl"
#define JOURNAL TAPE "/journal.jsonl"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define MANY	    100000

static int open_error(const char *path, struct error *err)
{
	struct tape_reader *r = NULL;
	int rc = tape_reader_open(path, &r, err);

	ck_assert_ptr_null(r);
	return rc;
}

static void assert_refused(const char *path, int code, const char *sentence)
{
	struct error err = {0};

	ck_assert_int_eq(open_error(path, &err), code);
	ck_assert_msg(strstr(err.text, sentence) != NULL, "%s", err.text);
}

static void assert_warned(const struct tape_reader *r, const char *sentence)
{
	ck_assert_uint_eq(tape_reader_warning_count(r), 1);
	ck_assert_msg(strstr(tape_reader_warning(r, 0), sentence) != NULL, "%s",
		      tape_reader_warning(r, 0));
}

/* A journal of whole lines, without a tape.jsonl. */
static void make_journal(const char *events, struct buf *ret)
{
	struct tape_writer *w = writer_at(TAPE);

	play(w, events);
	tape_writer_free(w);
	get_file(JOURNAL, ret);
}

START_TEST(what_is_no_tape_is_refused)
{
	assert_refused("nowhere", ERR_NOTFOUND, "there is no tape nowhere");
	put_file("file", "x", 1);
	assert_refused("file", ERR_FORMAT, "not a directory");
	assert_refused("file/x", ERR_NOTFOUND, "there is no tape");
	ck_assert_int_eq(mkdir("dir", 0777), 0);
	assert_refused("dir", ERR_FORMAT, "neither tape.jsonl nor journal.jsonl");
	ck_assert_int_eq(mkdir("dir/tape.jsonl", 0777), 0);
	assert_refused("dir", ERR_FORMAT, "not a regular file");
}
END_TEST

START_TEST(a_reader_gives_what_was_written)
{
	struct tape_reader *r;
	struct unit u;
	struct unit_id id;

	record(TAPE, "A( A)1 B( B)2 A( A)3 C(");
	r = reader_at(TAPE "/");
	ck_assert_str_eq(tape_reader_path(r), TAPE);
	ck_assert_str_eq(tape_reader_head(r)->command.item[0], "make");
	ck_assert_uint_eq(tape_reader_warning_count(r), 0);
	ck_assert_uint_eq(tape_reader_count(r), 4);
	id = tape_reader_id(r, 2);
	ck_assert_uint_eq(id.ordinal, 1);
	ck_assert_int_eq(tape_reader_find(r, id.key, 0), 0);
	ck_assert_int_eq(tape_reader_find(r, id.key, 1), 2);
	ck_assert_int_eq(tape_reader_find(r, id.key, 2), -1);
	ck_assert_int_eq(tape_reader_unit(r, 2, &u, NULL), 0);
	ck_assert(u.time.known);
	ck_assert_uint_eq(u.time.start_ns, 4);
	ck_assert_uint_eq(u.time.duration_ns, 1);
	unit_clear(&u);
	ck_assert_int_eq(tape_reader_unit(r, 3, &u, NULL), 0);
	ck_assert_int_eq(u.end.how, END_UNFINISHED);
	ck_assert(!u.time.known);
	unit_clear(&u);
	ck_assert(tape_reader_knows_end(r, 2));
	ck_assert(!tape_reader_knows_end(r, 3));
	tape_reader_free(r);
	tape_reader_free(NULL);
}
END_TEST

START_TEST(an_empty_recording_is_a_tape)
{
	struct tape_reader *r;

	record(TAPE, "");
	r = reader_at(TAPE);
	ck_assert_uint_eq(tape_reader_count(r), 0);
	ck_assert_int_eq(tape_reader_find(r, 0, 0), -1);
	tape_reader_free(r);
}
END_TEST

/* Cut after `len` bytes, the journal holds the units of its whole lines. */
static void assert_cut(const struct buf *journal, size_t len)
{
	size_t whole = 0, i;
	struct tape_reader *r;

	for (i = 0; i < len; i++)
		whole += journal->data[i] == '\n';
	/* A line that lacks nothing but its newline is whole. */
	whole += len < journal->len && journal->data[len] == '\n';
	put_file(JOURNAL, journal->data, len);
	if (!whole) {
		ck_assert_int_eq(open_error(TAPE, NULL), ERR_FORMAT);
		return;
	}
	r = reader_at(TAPE);
	for (i = 0; i < tape_reader_count(r); i++) {
		struct unit u;

		ck_assert_int_eq(tape_reader_unit(r, i, &u, NULL), 0);
		whole -= 1 + (u.end.how != END_UNFINISHED) + u.time.known;
		whole -= u.stream_count && unit_stream(&u, 1)->tail.form != PAYLOAD_EMPTY;
		unit_clear(&u);
	}
	ck_assert_uint_eq(whole, 1);
	if (len && journal->data[len - 1] != '\n' && journal->data[len] != '\n')
		assert_warned(r, "torn");
	else
		ck_assert_uint_eq(tape_reader_warning_count(r), 0);
	tape_reader_free(r);
}

START_TEST(a_journal_cut_anywhere_gives_its_whole_lines)
{
	cleanup_buf struct buf journal = BUF_INIT;
	size_t len;

	make_journal("A( B( A)1 A}3 B)2", &journal);
	for (len = 0; len <= journal.len; len++)
		assert_cut(&journal, len);
}
END_TEST

START_TEST(a_torn_last_line_with_a_newline_is_dropped_from_a_journal_only)
{
	cleanup_buf struct buf lines = BUF_INIT;
	struct tape_reader *r;

	make_journal("A( A)1 B(", &lines);
	lines.data[lines.len - 30] ^= 1;
	put_file(JOURNAL, lines.data, lines.len);
	r = reader_at(TAPE);
	assert_warned(r, "journal.jsonl: the last line is torn");
	ck_assert_uint_eq(tape_reader_count(r), 1);
	tape_reader_free(r);
	put_file(LINES, lines.data, lines.len);
	assert_refused(TAPE, ERR_FORMAT, "tape.jsonl: line 5: its checksum does not match");
}
END_TEST

START_TEST(a_journal_that_is_cut_off_meanwhile_can_still_be_read)
{
	struct tape_writer *w = writer_at("t.tape");
	struct tape_reader *r;
	struct unit u;

	play(w, "A( A)1 B( B)2");
	tape_writer_free(w);
	r = reader_at("t.tape");
	ck_assert_int_eq(truncate("t.tape/journal.jsonl", 0), 0);
	ck_assert_int_eq(tape_reader_unit(r, 1, &u, NULL), 0);
	ck_assert_int_eq(u.end.how, END_EXITED);
	unit_clear(&u);
	tape_reader_free(r);
}
END_TEST

START_TEST(zeros_behind_a_journal_are_a_torn_line)
{
	cleanup_buf struct buf lines = BUF_INIT;
	struct tape_reader *r;

	make_journal("A( A)1", &lines);
	buf_add(&lines, "\0\0\0\0\0\0\0\0", 8);
	put_file(JOURNAL, lines.data, lines.len);
	r = reader_at(TAPE);
	assert_warned(r, "8 bytes");
	ck_assert_uint_eq(tape_reader_count(r), 1);
	tape_reader_free(r);
}
END_TEST

/* Bit by bit: nothing in the middle of a tape can change without being noticed. */
START_TEST(damage_in_the_middle_is_an_error_with_its_line)
{
	cleanup_buf struct buf lines = BUF_INIT;
	size_t i, number = 1, last;
	char sentence[64];

	record(TAPE, "A( A)1 B( B)2");
	get_file(LINES, &lines);
	last = (size_t)((char *)memrchr(lines.data, '\n', lines.len - 1) - lines.data);
	for (i = 0; i < last; i++) {
		bool newline = lines.data[i] == '\n';

		lines.data[i] ^= 4;
		put_file(LINES, lines.data, lines.len);
		lines.data[i] ^= 4;
		snprintf(sentence, sizeof(sentence), "tape.jsonl: line %zu: ", number);
		assert_refused(TAPE, ERR_FORMAT, sentence);
		number += newline;
	}
}
END_TEST

START_TEST(merge_marks_are_named)
{
	static const char *const marks[] = {"<<<<<<< HEAD\n", "=======\n", ">>>>>>> theirs\n",
					    "||||||| base\n", ">>>>>>> theirs"};
	cleanup_buf struct buf lines = BUF_INIT;

	make_journal("A( A)1", &lines);
	buf_add_str(&lines, marks[_i]);
	put_file(JOURNAL, lines.data, lines.len);
	assert_refused(TAPE, ERR_FORMAT, "journal.jsonl: line 5: this is the mark of a git merge");
}
END_TEST

START_TEST(converted_line_ends_are_named)
{
	cleanup_buf struct buf lines = BUF_INIT;

	make_journal("", &lines);
	lines.data[lines.len - 1] = '\r';
	buf_add_char(&lines, '\n');
	put_file(JOURNAL, lines.data, lines.len);
	assert_refused(TAPE, ERR_FORMAT, "line 1: the line ends with CR LF");
}
END_TEST

static void put_lines(const char *path, const char *const *fields, const enum line_type *types,
		      size_t count)
{
	cleanup_buf struct buf text = BUF_INIT;
	size_t i;

	for (i = 0; i < count; i++)
		ck_assert_int_eq(line_add(&text, types[i], (struct unit_id){0, 0},
					  bytes_of_str(fields[i]), NULL),
				 0);
	put_file(path, text.data, text.len);
}

START_TEST(damaged_times_are_a_warning)
{
	cleanup_buf struct buf times = BUF_INIT;
	struct tape_reader *r;
	struct unit u;

	record(TAPE, "A( A)1 B( B)2 C( C)3");
	get_file(TIMING, &times);
	times.data[10] ^= 1;
	put_file(TIMING, times.data, times.len - 5);
	r = reader_at(TAPE);
	assert_warned(r, "timing.jsonl: line 1 is damaged (2 such lines in all)");
	ck_assert_int_eq(tape_reader_unit(r, 0, &u, NULL), 0);
	ck_assert(!u.time.known);
	unit_clear(&u);
	ck_assert_int_eq(tape_reader_unit(r, 1, &u, NULL), 0);
	ck_assert(u.time.known);
	unit_clear(&u);
	tape_reader_free(r);
}
END_TEST

START_TEST(missing_times_are_a_warning)
{
	struct tape_reader *r;

	record(TAPE, "A( A)1");
	ck_assert_int_eq(unlink(TIMING), 0);
	r = reader_at(TAPE);
	assert_warned(r, "timing.jsonl is missing");
	tape_reader_free(r);
}
END_TEST

START_TEST(times_of_units_that_are_not_there_are_a_warning)
{
	static const char *const fields[] = {",\"pid\":1"};
	static const enum line_type types[] = {LINE_TIME};
	struct tape_reader *r;

	record(TAPE, "");
	put_lines(TIMING, fields, types, 1);
	r = reader_at(TAPE);
	assert_warned(r, "line 1 is damaged");
	tape_reader_free(r);
}
END_TEST

/* However the members stand in the line, and whatever they hold. */
static const struct {
	const char *fields;
	bool known;
	uint64_t start_ns, duration_ns;
	uint32_t episode;
} spans[] = {
	{",\"pid\":1,\"start_ns\":20,\"duration_ns\":3,\"program\":\"a\"", true, 20, 3, 0},
	{",\"pid\":1,\"start_ns\":20,\"duration_ns\":3,\"program\":\"\",\"chunks\":[[1,4,5]]", true,
	 20, 3, 0},
	{",\"pid\":1,\"start_ns\":20,\"duration_ns\":3,\"program\":\"a\",\"episode\":7", true, 20,
	 3, 7},
	{",\"pid\":1,\"start_ns\":0,\"duration_ns\":0,\"program\":\"a\",\"chunks\":[[\"in5\",4,5],"
	 "[\"SIGTERM\",0,5]],\"episode\":7",
	 true, 0, 0, 7},
	{",\"pid\":1,\"start_ns\":20,\"duration_ns\":3,\"program\":\"\\\",\\\"episode\\\":9\"",
	 true, 20, 3, 0},
	{",\"pid\":1,\"start_ns\":20,\"duration_ns\":3,\"program\":{\"base64\":\"/w==\"},"
	 "\"episode\":8",
	 true, 20, 3, 8},
	{",\"episode\":6,\"duration_ns\":3,\"program\":\"a\",\"start_ns\":20", true, 20, 3, 6},
	{",\"pid\":-1,\"start_ns\":20,\"duration_ns\":3,\"later\":{\"x\":1}", true, 20, 3, 0},
	{",\"pid\":1,\"start_ns\":20,\"program\":\"a\"", false, 0, 0, 0},
	{"", false, 0, 0, 0},
};

START_TEST(times_are_read_from_any_line)
{
	cleanup_buf struct buf lines = BUF_INIT;
	struct tape_reader *r;
	struct tape_head head;

	make_head(&head);
	ck_assert_int_eq(codec_write_head(&lines, &head, NULL), 0);
	for (uint32_t i = 0; i < COUNT(spans); i++) {
		struct unit_id id = {7, i};

		line_add(&lines, LINE_SPAWN, id, bytes_of_str(",\"parent\":\"0\",\"argv\":[]"),
			 NULL);
		line_add(&lines, LINE_TIME, id, bytes_of_str(spans[i].fields), NULL);
	}
	ck_assert_int_eq(mkdir(TAPE, 0777), 0);
	put_file(JOURNAL, lines.data, lines.len);
	r = reader_at(TAPE);
	for (size_t i = 0; i < COUNT(spans); i++) {
		uint64_t start_ns = 0, duration_ns = 0;
		uint32_t episode = 0;

		ck_assert_int_eq(tape_reader_episode(r, i, &start_ns, &duration_ns, &episode),
				 spans[i].known);
		ck_assert_uint_eq(start_ns, spans[i].start_ns);
		ck_assert_uint_eq(duration_ns, spans[i].duration_ns);
		ck_assert_uint_eq(episode, spans[i].episode);
	}
	tape_reader_free(r);
	tape_head_clear(&head);
}
END_TEST

static void make_many(struct buf *lines)
{
	struct tape_head head;
	struct unit u;
	uint64_t key;
	uint32_t i;

	make_head(&head);
	make_unit(&u, "A", "");
	ck_assert_int_eq(codec_write_head(lines, &head, NULL), 0);
	ck_assert_int_eq(unit_key(&u, &key), 0);
	for (i = 0; i < MANY; i++) {
		struct unit_id id = {i % 2 ? key : i * UINT64_C(0x123456789abcdf),
				     i % 2 ? i / 2 : 0};

		line_add(lines, LINE_SPAWN, id,
			 bytes_of_str(",\"parent\":\"0\",\"argv\":[\"A\"],\"cwd\":\"$WORK\""),
			 NULL);
		line_add(lines, LINE_EXIT, id, bytes_of_str(",\"code\":3"), NULL);
	}
	tape_head_clear(&head);
	unit_clear(&u);
}

START_TEST(a_long_tape_is_searched_quickly)
{
	cleanup_buf struct buf lines = BUF_INIT;
	struct tape_reader *r;
	struct unit u;
	size_t i;

	make_many(&lines);
	ck_assert_int_eq(mkdir(TAPE, 0777), 0);
	put_file(LINES, lines.data, lines.len);
	r = reader_at(TAPE);
	ck_assert_uint_eq(tape_reader_count(r), MANY);
	for (i = 0; i < MANY; i++) {
		struct unit_id id = tape_reader_id(r, i);

		ck_assert_int_eq(tape_reader_find(r, id.key, id.ordinal), (long)i);
	}
	ck_assert_int_eq(tape_reader_unit(r, MANY - 1, &u, NULL), 0);
	ck_assert_int_eq(u.end.code, 3);
	unit_clear(&u);
	ck_assert_int_eq(tape_reader_unit(r, 0, &u, NULL), ERR_FORMAT);
	tape_reader_free(r);
}
END_TEST

/* The sample tapes; what each is for is in fixtures/tapes/README.md. */
static const struct sample {
	const char *name;
	int code; /* of opening it, or of reading its units and payloads */
	const char *sentence;
} samples[] = {
#define GOOD(name)                                                                                 \
	{                                                                                          \
		"fixtures/tapes/good/" name ".tape", 0, NULL                                       \
	}
#define BAD(name, code, sentence)                                                                  \
	{                                                                                          \
		"fixtures/tapes/bad/" name ".tape", code, sentence                                 \
	}
	GOOD("hello"),
	GOOD("by-hand"),
	GOOD("killed"),
	GOOD("later"),
	GOOD("bytes"),
	BAD("empty", ERR_FORMAT, "tape.jsonl is empty"),
	BAD("no-head", ERR_FORMAT, "line 1: the head must be the first line"),
	BAD("two-heads", ERR_FORMAT, "line 4: the head must be the first line"),
	BAD("future", ERR_VERSION, "line 1: the tape is of version 2"),
	BAD("merge", ERR_FORMAT, "line 2: this is the mark of a git merge"),
	BAD("edited", ERR_FORMAT, "line 3: its checksum does not match"),
	BAD("unknown-type", ERR_FORMAT, "line 2: the record is of an unknown type"),
	BAD("exit-first", ERR_FORMAT, "line 2: there is no spawn record before it"),
	BAD("two-exits", ERR_FORMAT, "line 4: the unit has such a record already"),
	BAD("two-spawns", ERR_FORMAT, "line 3: the same unit is spawned a second time"),
	BAD("tail-first", ERR_FORMAT, "line 3: there is no exit record before the tail"),
	BAD("ordinals", ERR_FORMAT, "line 2: the units with this key are not numbered"),
	BAD("wrong-key", ERR_FORMAT, "line 2: the key is not that of its argv"),
	BAD("two-ends", ERR_FORMAT, "line 3: an exit record has exactly one of"),
	BAD("bad-json", ERR_FORMAT, "line 2: its JSON cannot be parsed"),
	BAD("path-for-blob", ERR_FORMAT, "line 3: \"blob\" is not a SHA-256"),
	BAD("missing-blob", ERR_NOTFOUND, "is missing"),
	BAD("wrong-blob", ERR_FORMAT, "its SHA-256 is not its name"),
#undef GOOD
#undef BAD
};

#define SAMPLES (sizeof(samples) / sizeof(samples[0]))

static int read_payloads(const struct tape_reader *r, const struct unit *u, struct error *err)
{
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < u->stream_count; i++) {
		struct payload_view v;

		rc = tape_reader_payload(r, &u->streams[i].data, NULL, &v, err);
		if (rc == 0)
			payload_view_clear(&v);
	}
	return rc;
}

static int read_whole_tape(const char *path, struct error *err)
{
	struct tape_reader *r = NULL;
	size_t i;
	int rc = tape_reader_open(path, &r, err);

	for (i = 0; rc == 0 && i < tape_reader_count(r); i++) {
		struct unit u = {0};

		rc = tape_reader_unit(r, i, &u, err);
		if (rc == 0)
			rc = read_payloads(r, &u, err);
		unit_clear(&u);
	}
	tape_reader_free(r);
	return rc;
}

START_TEST(the_sample_tapes)
{
	const struct sample *sample = &samples[_i];
	struct error err = {0};
	int rc = read_whole_tape(sample->name, &err);

	ck_assert_msg(rc == sample->code, "%s: %d %s", sample->name, rc, err.text);
	ck_assert_msg(!sample->sentence || strstr(err.text, sample->sentence), "%s: %s",
		      sample->name, err.text);
}
END_TEST

START_TEST(a_sample_written_by_hand_has_the_defaults)
{
	struct tape_reader *r = reader_at("fixtures/tapes/good/by-hand.tape");
	struct unit u;

	ck_assert_int_eq(tape_reader_unit(r, 0, &u, NULL), 0);
	ck_assert(u.cwd_any);
	ck_assert_uint_eq(u.env_count, 0);
	ck_assert_ptr_null(unit_stream(&u, 0));
	ck_assert_int_eq(unit_stream(&u, 1)->kind, STREAM_PIPE);
	ck_assert(!u.time.known);
	unit_clear(&u);
	tape_reader_free(r);
}
END_TEST

Suite *tape_reader_suite(void)
{
	Suite *suite = suite_create("tape/reader");
	TCase *all = tcase_create("all");
	TCase *fixed = tcase_create("samples");

	tcase_add_checked_fixture(all, scratch_enter, scratch_leave);
	tcase_set_timeout(all, 60);
	tcase_add_test(all, what_is_no_tape_is_refused);
	tcase_add_test(all, a_reader_gives_what_was_written);
	tcase_add_test(all, an_empty_recording_is_a_tape);
	tcase_add_test(all, a_journal_cut_anywhere_gives_its_whole_lines);
	tcase_add_test(all, a_torn_last_line_with_a_newline_is_dropped_from_a_journal_only);
	tcase_add_test(all, a_journal_that_is_cut_off_meanwhile_can_still_be_read);
	tcase_add_test(all, zeros_behind_a_journal_are_a_torn_line);
	tcase_add_test(all, damage_in_the_middle_is_an_error_with_its_line);
	tcase_add_loop_test(all, merge_marks_are_named, 0, 5);
	tcase_add_test(all, converted_line_ends_are_named);
	tcase_add_test(all, damaged_times_are_a_warning);
	tcase_add_test(all, missing_times_are_a_warning);
	tcase_add_test(all, times_of_units_that_are_not_there_are_a_warning);
	tcase_add_test(all, times_are_read_from_any_line);
	tcase_add_test(all, a_long_tape_is_searched_quickly);
	suite_add_tcase(suite, all);
	tcase_add_loop_test(fixed, the_sample_tapes, 0, SAMPLES);
	tcase_add_test(fixed, a_sample_written_by_hand_has_the_defaults);
	suite_add_tcase(suite, fixed);
	return suite;
}
