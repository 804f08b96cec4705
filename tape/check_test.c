#include "base/cleanup.h"
#include "tape/codec.h"
#include "tape/lines.h"
#include "tape/scratch_test.h"
#include "tape/tape.h"
#include "tools/tests.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAPE	"t.tape"
#define LINES	TAPE "/tape.jsonl"
#define TIMING	TAPE "/timing.jsonl"
#define JOURNAL TAPE "/journal.jsonl"
#define BLOBS	TAPE "/blobs"
#define A_HASH	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* What was found: a line each, "! " before damage. */
struct found {
	struct buf text;
	struct tape_check_result result;
	uint64_t done;
};

static void find(void *ctx, enum tape_finding kind, const char *text)
{
	struct found *f = ctx;

	ck_assert_int_eq(buf_addf(&f->text, "%s%s\n", kind == TAPE_DAMAGE ? "! " : "note: ", text),
			 0);
}

static void tell(void *ctx, uint64_t done, uint64_t total)
{
	struct found *f = ctx;

	ck_assert_uint_ge(done, f->done);
	ck_assert_uint_ge(total, done);
	f->done = done;
}

static int check(const char *path, struct found *ret, struct error *err)
{
	const struct tape_check_options options = {find, ret, {tell, ret}};

	memset(ret, 0, sizeof(*ret));
	buf_addf(&ret->text, "%s", "");
	return tape_check(path, &options, &ret->result, err);
}

static void check_tape(struct found *ret)
{
	struct error err = {0};

	ck_assert_msg(check(TAPE, ret, &err) == 0, "%s", err.text);
}

static void assert_found(size_t damages, size_t notes, const char *sentence)
{
	struct found f;

	check_tape(&f);
	ck_assert_msg(f.result.damages == damages && f.result.notes == notes, "%zu %zu\n%s",
		      f.result.damages, f.result.notes, f.text.data);
	ck_assert_msg(strstr(f.text.data, sentence) != NULL, "%s", f.text.data);
	buf_free(&f.text);
}

/* One unit with a blob of 5000 bytes, as stdout and as a tail. */
static void record_blob(void)
{
	struct tape_writer *w = writer_at(TAPE);
	char bytes[5000];
	struct error err = {0};
	struct unit u;

	memset(bytes, 'b', sizeof(bytes));
	make_unit(&u, "A", "");
	ck_assert_int_eq(tape_writer_spawn(w, &u, &err), 0);
	set_spooled(&unit_stream(&u, 1)->data, TAPE, bytes, sizeof(bytes), NULL);
	ck_assert_int_eq(tape_writer_exit(w, &u, &err), 0);
	unit_stream(&u, 1)->tail = unit_stream(&u, 1)->data;
	ck_assert_int_eq(tape_writer_tail(w, &u, &err), 0);
	ck_assert_int_eq(tape_writer_finish(w, &err), 0);
	tape_writer_free(w);
	memset(&unit_stream(&u, 1)->tail, 0, sizeof(struct payload));
	unit_clear(&u);
}

static void blob_path(char ret[128])
{
	cleanup_buf struct buf lines = BUF_INIT;
	const char *at;

	get_file(LINES, &lines);
	at = strstr(lines.data, "\"blob\":\"");
	ck_assert_ptr_nonnull(at);
	snprintf(ret, 128, BLOBS "/%.64s", at + 8);
}

START_TEST(a_whole_tape_has_no_findings)
{
	struct found f;

	record(TAPE, "A( A)1 B( B|2 C( C)3 C}4 A( A)5");
	assert_found(0, 0, "");
	check_tape(&f);
	ck_assert_uint_eq(f.result.units, 4);
	ck_assert_uint_eq(f.result.blobs, 0);
	buf_free(&f.text);
	record_blob();
	check_tape(&f);
	ck_assert_uint_eq(f.result.damages + f.result.notes, 0);
	ck_assert_uint_eq(f.result.units, 1);
	ck_assert_uint_eq(f.result.blobs, 1);
	ck_assert_uint_gt(f.result.bytes, 5000);
	buf_free(&f.text);
}
END_TEST

/* A change of any byte of any file is seen. */
static void flip_each(const char *path)
{
	cleanup_buf struct buf whole = BUF_INIT;

	get_file(path, &whole);
	for (size_t i = 0; i < whole.len; i++) {
		struct found f;
		int rc;

		whole.data[i] ^= 1;
		put_file(path, whole.data, whole.len);
		whole.data[i] ^= 1;
		rc = check(TAPE, &f, NULL);
		ck_assert_msg(rc < 0 || f.result.damages > 0, "byte %zu of %s", i, path);
		buf_free(&f.text);
	}
	put_file(path, whole.data, whole.len);
}

START_TEST(a_change_of_any_byte_is_found)
{
	char blob[128];

	record_blob();
	blob_path(blob);
	flip_each(LINES);
	flip_each(TIMING);
	put_file(blob, "b", 1);
	assert_found(1, 0, "it has 1 bytes and not 5000");
}
END_TEST

START_TEST(each_damage_is_told_with_its_line)
{
	cleanup_buf struct buf lines = BUF_INIT;
	struct found f;
	char *second, *last;

	record(TAPE, "A( A)1 B( B)2 A( A)3");
	get_file(LINES, &lines);
	second = strchr(strchr(lines.data, '\n') + 1, '\n') + 1;
	last = memrchr(lines.data, '\n', lines.len - 1);
	second[30] ^= 1; /* line 3, the end of the first A */
	last[30] ^= 1;	 /* line 7, the end of the second A */
	put_file(LINES, lines.data, lines.len);
	check_tape(&f);
	ck_assert_uint_eq(f.result.damages, 2);
	ck_assert_ptr_nonnull(strstr(f.text.data, "! " LINES ": line 3: "));
	ck_assert_ptr_nonnull(strstr(f.text.data, "! " LINES ": line 7: "));
	buf_free(&f.text);
}
END_TEST

START_TEST(what_hangs_on_a_lost_line_is_told_once)
{
	cleanup_buf struct buf lines = BUF_INIT;

	record(TAPE, "A( A)1 A( A)2 A( A)3 A( A)4");
	get_file(LINES, &lines);
	strchr(lines.data, '\n')[30] ^= 1;
	put_file(LINES, lines.data, lines.len);
	/* Three spawns, four ends and four times have lost their place. */
	assert_found(2, 0, "11 more lines cannot be placed");
}
END_TEST

START_TEST(blobs_that_nothing_names_are_a_note)
{
	record_blob();
	put_file(BLOBS "/" A_HASH, "abc", 3);
	put_file(BLOBS "/README", "abc", 3); /* anybody's */
	assert_found(0, 1, "1 blob of 3 bytes that no record names; 'sandtape tape gc t.tape'");
}
END_TEST

START_TEST(a_missing_blob_is_told_with_its_line_and_the_number_of_others)
{
	char blob[128];

	record_blob();
	blob_path(blob);
	ck_assert_int_eq(unlink(blob), 0);
	assert_found(1, 0, "! " LINES ": line 3 (and 1 more): the blob " BLOBS "/");
	assert_found(1, 0, " is missing; restore it or record the tape again");
}
END_TEST

START_TEST(what_killed_recorders_left_is_a_note)
{
	record(TAPE, "A( A)1");
	put_file(TAPE "/tape.jsonl.new", "x", 1);
	put_file(BLOBS "/.spool.0123456789abcdef", "x", 1);
	ck_assert_int_eq(mkdir(TAPE ".tmp.0123456789abcdef", 0777), 0);
	ck_assert_int_eq(mkdir(TAPE ".tmp.mine", 0777), 0);
	assert_found(0, 3, TAPE ".tmp.0123456789abcdef is left");
	put_file(JOURNAL, "x", 1);
	assert_found(0, 4, "re-recording");
	ck_assert(is_file(TAPE "/tape.jsonl.new"));
}
END_TEST

START_TEST(an_interrupted_recording_is_whole)
{
	struct tape_writer *w = writer_at(TAPE);
	cleanup_buf struct buf lines = BUF_INIT;

	play(w, "A( A)1 B(");
	tape_writer_free(w);
	get_file(JOURNAL, &lines);
	put_file(JOURNAL, lines.data, lines.len - 5);
	assert_found(0, 2, "the last line is torn");
}
END_TEST

START_TEST(a_torn_tape_is_damaged)
{
	cleanup_buf struct buf lines = BUF_INIT;

	record(TAPE, "A( A)1 B( B)2");
	get_file(LINES, &lines);
	put_file(LINES, lines.data, lines.len - 5);
	assert_found(1, 0, "the last line is torn (");
}
END_TEST

START_TEST(a_tape_without_times_is_whole)
{
	record(TAPE, "A( A)1");
	ck_assert_int_eq(unlink(TIMING), 0);
	assert_found(0, 1, "no command has times");
	put_file(TIMING, "", 0);
	assert_found(0, 1, "1 command that ended has no times");
}
END_TEST

/* Sealed as they should be, but with content that no recorder writes. */
static const struct {
	enum line_type type;
	const char *fields;
	const char *sentence;
} strange[] = {
	{LINE_HEAD, ",\"version\":1,\"roots\":[\"work\"]", "'work' is not the name of a root"},
	{LINE_HEAD, ",\"version\":1,\"roots\":[\"A\",\"B\",\"A\"]", "the root A is there twice"},
	{LINE_HEAD, ",\"version\":1,\"env\":[\"PATH\"]", "PATH cannot count"},
	{LINE_EXIT, ",\"code\":0,\"out\":{\"2\":{\"kind\":\"same\",\"same\":1}}",
	 "stream 2 is said to be the same as 1"},
	{LINE_EXIT, ",\"code\":\"0\"", "\"code\" is not a number"},
	{LINE_TAIL, ",\"out\":3", "\"out\" is not an object"},
	{LINE_TIME, ",\"start_ns\":-1", "\"start_ns\" is not a number"},
	{LINE_EXIT, ",\"code\":0,\"out\":{\"1\":{\"kind\":\"tty\"}},\"order\":[[1,1]]",
	 "line 3: \"order\" has 1 bytes that were written to stream 1, of which there are 0; "
	 "restore"},
	{LINE_TIME, ",\"chunks\":[[2,1,0]]",
	 "line 4: \"chunks\" names the stream 2, which is not there; restore"},
	{LINE_TIME, ",\"chunks\":[[\"mode\",0,0]]", "\"chunks\" names a mode that is not there"},
	{LINE_TIME, ",\"chunks\":[[\"sent\",0,0]]", "\"chunks\" names a signal that was not sent"},
	{LINE_TIME, ",\"chunks\":[[\"stop\",0,0]]", "\"chunks\" names a stop that is not there"},
};

START_TEST(sealed_nonsense_is_found)
{
	cleanup_buf struct buf lines = BUF_INIT;
	struct error err;
	struct unit u;

	make_unit(&u, "A", "");
	ck_assert_int_eq(unit_key(&u, &u.id.key), 0);
	line_add(
		&lines, LINE_HEAD, (struct unit_id){0, 0},
		bytes_of_str(strange[_i].type == LINE_HEAD ? strange[_i].fields : ",\"version\":1"),
		&err);
	ck_assert_int_eq(codec_write_spawn(&lines, &u, &err), 0);
	if (strange[_i].type != LINE_EXIT)
		ck_assert_int_eq(codec_write_exit(&lines, &u, &err), 0);
	if (strange[_i].type != LINE_HEAD)
		line_add(&lines, strange[_i].type, u.id, bytes_of_str(strange[_i].fields), &err);
	unit_clear(&u);
	ck_assert_int_eq(mkdir(TAPE, 0777), 0);
	put_file(LINES, lines.data, lines.len);
	assert_found(1, 1, strange[_i].sentence);
}
END_TEST

/* What is said of a unit's streams, and what was done with them, in which order. */
#define IN_TEXT	   ",\"code\":0,\"stdin\":{\"text\":\"abc\"}"
#define INPUT_TEXT ",\"code\":0,\"in\":{\"3\":{\"kind\":\"socket\",\"text\":\"abc\"}}"
#define OUT_TEXT   ",\"code\":0,\"out\":{\"1\":{\"text\":\"abc\"},\"2\":{\"text\":\"no\"}}"
#define OUT_BASE64 ",\"code\":0,\"out\":{\"1\":{\"base64\":\"/////w==\"}}"
#define OUT_ROOTED ",\"code\":0,\"out\":{\"1\":{\"text\":\"$WORK\",\"roots\":true}}"
#define OUT_BLOB   ",\"code\":0,\"out\":{\"1\":{\"blob\":\"" A_HASH "\",\"size\":4}}"

static const struct {
	const char *end;
	const char *chunks;
	const char *sentence; /* NULL: nothing is wrong with it */
} sizes[] = {
	{OUT_TEXT, "[1,3,0],[2,2,5]", NULL},
	{OUT_TEXT, "[1,1,0],[2,1,1],[1,2,2],[2,1,2]", NULL},
	{OUT_TEXT, "[1,2,0]", NULL}, /* the rest comes at the end */
	{OUT_TEXT, "[1,2,0],[2,2,1],[1,2,2]",
	 "\"chunks\" has 4 bytes that were written to stream 1, of which there are 3; restore it"},
	{OUT_TEXT, "[2,3,0]", "has 3 bytes that were written to stream 2, of which there are 2"},
	{OUT_TEXT, "[1,9223372036854775807,0],[1,9223372036854775807,0],[1,9,0]",
	 "has 18446744073709551615 bytes"},
	{OUT_TEXT, "[0,1,0]", "names the stream 0, which is not there"},
	{OUT_TEXT, "[\"in3\",1,0]", "names the stream 3, which is not there"},
	{OUT_TEXT, "[0,0,0],[3,0,1]", NULL}, /* an end, of what nothing is known of */
	{OUT_BASE64, "[1,4,0]", NULL},
	{OUT_BASE64, "[1,5,0]", "written to stream 1, of which there are 4"},
	{OUT_ROOTED, "[1,500,0]", NULL}, /* the directory may have had a long name */
	{OUT_BLOB, "[1,5,0]", "written to stream 1, of which there are 4"},
	{IN_TEXT, "[0,3,0],[0,0,1]", NULL},
	{IN_TEXT, "[0,3,0],[0,1,1]", "read from the descriptor 0, of which there are 3"},
	{INPUT_TEXT, "[\"in3\",3,0],[\"in3\",0,1]", NULL},
	{INPUT_TEXT, "[\"in3\",4,0]", "read from the descriptor 3, of which there are 3"},
	{INPUT_TEXT, "[3,1,0]", "names the stream 3, which is not there"},
};

/* The lines of a tape by hand: of one unit, in both files. */
static void put_sizes(const char *end, const char *chunks)
{
	cleanup_buf struct buf lines = BUF_INIT, times = BUF_INIT, fields = BUF_INIT;
	struct unit u = command_of("A", "$WORK");
	struct error err;

	line_add(&lines, LINE_HEAD, (struct unit_id){0, 0}, bytes_of_str(",\"version\":1"), &err);
	ck_assert_int_eq(codec_write_spawn(&lines, &u, &err), 0);
	line_add(&lines, LINE_EXIT, u.id, bytes_of_str(end), &err);
	buf_addf(&fields, ",\"chunks\":[%s]", chunks);
	line_add(&times, LINE_TIME, u.id, bytes_of_str(fields.data), &err);
	unit_clear(&u);
	ck_assert_int_eq(mkdir(TAPE, 0777), 0);
	put_file(LINES, lines.data, lines.len);
	put_file(TIMING, times.data, times.len);
}

START_TEST(chunks_have_no_more_than_the_streams)
{
	/* A blob is not there, too. */
	size_t damages = (sizes[_i].sentence ? 1 : 0) + (strstr(sizes[_i].end, "blob") ? 1 : 0);
	struct found f;

	put_sizes(sizes[_i].end, sizes[_i].chunks);
	check_tape(&f);
	ck_assert_msg(f.result.damages == damages, "%s", f.text.data);
	if (sizes[_i].sentence) {
		ck_assert_msg(strstr(f.text.data, "! " TIMING ": line 1: ") != NULL, "%s",
			      f.text.data);
		ck_assert_msg(strstr(f.text.data, sizes[_i].sentence) != NULL, "%s", f.text.data);
	}
	buf_free(&f.text);
}
END_TEST

/* What the record of its end says is lost: nothing of the chunks can be wrong then. */
START_TEST(chunks_of_a_damaged_end_are_let_be)
{
	put_sizes(",\"code\":\"0\"", "[1,500,0]");
	assert_found(1, 0, "line 3: \"code\" is not a number");
}
END_TEST

START_TEST(chunks_of_a_lost_end_are_let_be)
{
	cleanup_buf struct buf lines = BUF_INIT;

	put_sizes(OUT_TEXT, "[1,3,0]");
	get_file(LINES, &lines);
	lines.data[lines.len - 5] ^= 1;
	put_file(LINES, lines.data, lines.len);
	assert_found(1, 0, "line 3: its checksum");
}
END_TEST

START_TEST(what_cannot_be_looked_at_is_an_error)
{
	struct error err = {0};
	struct found f;

	ck_assert_int_eq(check("nowhere", &f, &err), ERR_NOTFOUND);
	buf_free(&f.text);
	ck_assert_int_eq(mkdir("empty", 0777), 0);
	ck_assert_int_eq(check("empty", &f, &err), ERR_FORMAT);
	ck_assert_ptr_nonnull(strstr(err.text, "is not a tape"));
	buf_free(&f.text);
	ck_assert_int_eq(check("nowhere", &f, NULL), ERR_NOTFOUND);
	buf_free(&f.text);
}
END_TEST

#define MANY 20000

/* More than one job has, so that the order of the findings is put together. */
START_TEST(findings_are_in_the_order_of_a_long_tape)
{
	struct tape_writer *w = writer_at(TAPE);
	cleanup_buf struct buf lines = BUF_INIT;
	struct error err = {0};
	struct found f;
	size_t before = 0, count = 0;

	for (size_t i = 0; i < MANY; i++) {
		struct unit u;

		make_unit(&u, "A", "x");
		u.end.code = i % 5000 == 1234 ? 77 : 0;
		ck_assert_int_eq(tape_writer_spawn(w, &u, &err), 0);
		ck_assert_int_eq(tape_writer_exit(w, &u, &err), 0);
		unit_clear(&u);
	}
	ck_assert_int_eq(tape_writer_finish(w, &err), 0);
	tape_writer_free(w);
	get_file(LINES, &lines);
	for (char *at = lines.data; (at = strstr(at, "\"code\":77"));) {
		char *line = memrchr(lines.data, '\n', (size_t)(at - lines.data)) + 1;
		char *end = strchr(at, '\n');
		cleanup_buf struct buf sealed = BUF_INIT;
		struct line parsed;

		/* "coda" is nothing that an end could have. */
		ck_assert_int_eq(line_parse(line, (size_t)(end - line), &parsed), LINE_OK);
		at[4] = 'a';
		line_add(&sealed, LINE_EXIT, parsed.id, parsed.fields, &err);
		ck_assert_uint_eq(sealed.len, (size_t)(end - line) + 1);
		memcpy(line, sealed.data, sealed.len);
	}
	put_file(LINES, lines.data, lines.len);
	check_tape(&f);
	ck_assert_uint_eq(f.result.damages, 4);
	ck_assert_uint_eq(f.result.units, MANY);
	ck_assert_uint_gt(f.done, 0); /* progress was told */
	for (char *at = f.text.data; (at = strstr(at, ": line ")); at++) {
		size_t number = strtoul(at + 7, NULL, 10);

		ck_assert_uint_eq(number, 2 * (count++ * 5000 + 1234) + 3);
		ck_assert_uint_gt(number, before);
		before = number;
	}
	ck_assert_uint_eq(count, 4);
	buf_free(&f.text);
}
END_TEST

Suite *tape_check_suite(void)
{
	Suite *suite = suite_create("tape/check");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, scratch_enter, scratch_leave);
	tcase_set_timeout(all, 60);
	tcase_add_test(all, a_whole_tape_has_no_findings);
	tcase_add_test(all, a_change_of_any_byte_is_found);
	tcase_add_test(all, each_damage_is_told_with_its_line);
	tcase_add_test(all, what_hangs_on_a_lost_line_is_told_once);
	tcase_add_test(all, blobs_that_nothing_names_are_a_note);
	tcase_add_test(all, a_missing_blob_is_told_with_its_line_and_the_number_of_others);
	tcase_add_test(all, what_killed_recorders_left_is_a_note);
	tcase_add_test(all, an_interrupted_recording_is_whole);
	tcase_add_test(all, a_torn_tape_is_damaged);
	tcase_add_test(all, a_tape_without_times_is_whole);
	tcase_add_loop_test(all, sealed_nonsense_is_found, 0,
			    (int)(sizeof(strange) / sizeof(strange[0])));
	tcase_add_loop_test(all, chunks_have_no_more_than_the_streams, 0,
			    (int)(sizeof(sizes) / sizeof(sizes[0])));
	tcase_add_test(all, chunks_of_a_damaged_end_are_let_be);
	tcase_add_test(all, chunks_of_a_lost_end_are_let_be);
	tcase_add_test(all, what_cannot_be_looked_at_is_an_error);
	tcase_add_test(all, findings_are_in_the_order_of_a_long_tape);
	suite_add_tcase(suite, all);
	return suite;
}
