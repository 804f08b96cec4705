#include "base/cleanup.h"
#include "tape/codec.h"
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
#define JOURNAL TAPE "/journal.jsonl"
#define BLOBS	TAPE "/blobs"
#define UNNAMED BLOBS "/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

struct told {
	size_t files;
	uint64_t bytes;
};

static void tell(void *ctx, const char *path, uint64_t bytes)
{
	struct told *t = ctx;

	ck_assert_ptr_nonnull(strstr(path, TAPE));
	t->files++;
	t->bytes += bytes;
}

static int gc(bool dry_run, struct tape_gc_result *ret, struct error *err)
{
	struct told told = {0, 0};
	const struct tape_gc_options options = {dry_run, tell, &told};
	int rc;

	memset(ret, 0, sizeof(*ret));
	rc = tape_gc(TAPE, &options, ret, err);
	if (rc == 0) {
		ck_assert_uint_eq(told.files, ret->blobs + ret->leftovers);
		ck_assert_uint_eq(told.bytes, ret->bytes);
	}
	return rc;
}

static void assert_gc(size_t blobs, uint64_t bytes, size_t leftovers)
{
	struct tape_gc_result result;
	struct error err = {0};

	for (int dry_run = 1; dry_run >= 0; dry_run--) {
		ck_assert_msg(gc(dry_run, &result, &err) == 0, "%s", err.text);
		ck_assert_uint_eq(result.blobs, blobs);
		ck_assert_uint_eq(result.bytes, bytes);
		ck_assert_uint_eq(result.leftovers, leftovers);
	}
	ck_assert_int_eq(gc(false, &result, &err), 0);
	ck_assert_uint_eq(result.blobs + result.leftovers, 0);
}

static void assert_refused(int code, const char *sentence)
{
	struct tape_gc_result result;
	struct error err = {0};

	for (int dry_run = 1; dry_run >= 0; dry_run--) {
		ck_assert_int_eq(gc(dry_run, &result, &err), code);
		ck_assert_msg(strstr(err.text, sentence) != NULL, "%s", err.text);
	}
	ck_assert_int_eq(gc(false, &result, NULL), code);
}

static void assert_whole(void)
{
	static const struct tape_gc_options none;
	struct tape_gc_result result;
	struct tape_reader *r;
	struct error err = {0};

	ck_assert_msg(tape_gc(TAPE, &none, &result, &err) == 0, "%s", err.text);
	r = reader_at(TAPE);
	for (size_t i = 0; i < tape_reader_count(r); i++) {
		char *json;

		ck_assert_msg(tape_reader_json(r, i, &json, &err) == 0, "%s", err.text);
		free(json);
	}
	tape_reader_free(r);
}

static void make_blob(struct payload *ret, char fill)
{
	char bytes[5000];

	memset(bytes, fill, sizeof(bytes));
	set_spooled(ret, TAPE, bytes, sizeof(bytes), NULL);
}

/* A unit with a blob as its output and another one as its tail; `finish` or leave the journal. */
static void record_blobs(char output, char tail, bool finish)
{
	struct tape_writer *w = writer_at(TAPE);
	struct error err = {0};
	struct unit u;

	make_unit(&u, "A", "");
	ck_assert_int_eq(tape_writer_spawn(w, &u, &err), 0);
	make_blob(&unit_stream(&u, 1)->data, output);
	ck_assert_int_eq(tape_writer_exit(w, &u, &err), 0);
	make_blob(&unit_stream(&u, 1)->tail, tail);
	ck_assert_int_eq(tape_writer_tail(w, &u, &err), 0);
	if (finish)
		ck_assert_int_eq(tape_writer_finish(w, &err), 0);
	tape_writer_free(w);
	unit_clear(&u);
}

START_TEST(what_nothing_names_goes)
{
	record_blobs('a', 'b', true);
	assert_gc(0, 0, 0);
	record_blobs('a', 'c', true); /* over it: b is not named any more */
	put_file(UNNAMED, "abc", 3);
	put_file(BLOBS "/README", "mine", 4);
	ck_assert_int_eq(mkdir(BLOBS "/not-a-blob", 0777), 0);
	assert_gc(2, 5003, 0);
	ck_assert(!is_file(UNNAMED) && is_file(BLOBS "/README") && is_file(BLOBS "/not-a-blob"));
	ck_assert(!is_file(JOURNAL));
	assert_whole();
}
END_TEST

START_TEST(a_dry_run_changes_nothing)
{
	struct tape_gc_result result;

	record_blobs('a', 'b', true);
	put_file(UNNAMED, "abc", 3);
	put_file(TAPE "/tape.jsonl.new", "x", 1);
	ck_assert_int_eq(gc(true, &result, NULL), 0);
	ck_assert_uint_eq(result.blobs, 1);
	ck_assert(is_file(UNNAMED) && is_file(TAPE "/tape.jsonl.new") && !is_file(JOURNAL));
}
END_TEST

START_TEST(leftovers_inside_go)
{
	record_blobs('a', 'b', true);
	put_file(TAPE "/tape.jsonl.new", "x", 1);
	put_file(TAPE "/timing.jsonl.new", "x", 1);
	put_file(BLOBS "/.spool.0123456789abcdef", "x", 1);
	ck_assert_int_eq(mkdir(TAPE ".tmp.0123456789abcdef", 0777), 0);
	assert_gc(0, 0, 3);
	ck_assert(is_file(TAPE ".tmp.0123456789abcdef")); /* perhaps somebody's, just now */
}
END_TEST

START_TEST(a_tape_that_is_recorded_is_let_alone)
{
	struct tape_writer *w;
	char pid[32];

	record_blobs('a', 'b', true);
	put_file(UNNAMED, "abc", 3);
	w = writer_at(TAPE);
	snprintf(pid, sizeof(pid), "process %d", (int)getpid());
	assert_refused(ERR_BUSY, pid);
	ck_assert(is_file(UNNAMED));
	tape_writer_free(w);
	assert_gc(1, 3, 0);
}
END_TEST

START_TEST(an_interrupted_recording_keeps_its_blobs)
{
	record_blobs('a', 'b', false);
	put_file(UNNAMED, "abc", 3);
	assert_gc(1, 3, 0);
	ck_assert(is_file(JOURNAL) && !is_file(LINES));
	assert_whole();
}
END_TEST

START_TEST(an_interrupted_re_recording_keeps_its_blobs_too)
{
	record_blobs('a', 'b', true);
	record_blobs('c', 'd', false);
	put_file(UNNAMED, "abc", 3);
	assert_gc(1, 3, 0);
	ck_assert(is_file(JOURNAL));
	record_blobs('c', 'd', true);
	assert_gc(2, 10000, 0);
}
END_TEST

START_TEST(a_gc_that_was_killed_leaves_no_warning)
{
	struct tape_reader *r;

	record_blobs('a', 'b', true);
	put_file(JOURNAL, "", 0); /* its lock is gone */
	r = reader_at(TAPE);
	ck_assert_uint_eq(tape_reader_warning_count(r), 0);
	tape_reader_free(r);
	assert_gc(0, 0, 0);
	ck_assert(!is_file(JOURNAL));
}
END_TEST

/* A record that cannot be read might name any blob. */
START_TEST(of_a_damaged_tape_nothing_goes)
{
	cleanup_buf struct buf lines = BUF_INIT;

	record_blobs('a', 'b', true);
	put_file(UNNAMED, "abc", 3);
	get_file(LINES, &lines);
	lines.data[lines.len - 40] ^= 1;
	put_file(LINES, lines.data, lines.len);
	assert_refused(ERR_FORMAT, LINES ": line 4: ");
	lines.data[lines.len - 40] ^= 1;
	put_file(LINES, lines.data, lines.len - 3);
	assert_refused(ERR_FORMAT, "the last line is torn");
	put_file(LINES, "", 0);
	assert_refused(ERR_FORMAT, "is empty");
	put_file(LINES, lines.data, lines.len);
	put_file(JOURNAL, "nonsense\n", 9);
	assert_refused(ERR_FORMAT, JOURNAL ": line 1: ");
	ck_assert(is_file(UNNAMED));
	ck_assert_int_eq(unlink(JOURNAL), 0);
	assert_gc(1, 3, 0);
}
END_TEST

START_TEST(a_record_that_makes_no_sense_stops_it)
{
	cleanup_buf struct buf lines = BUF_INIT;
	struct error err;
	struct unit u;

	make_unit(&u, "A", "");
	ck_assert_int_eq(unit_key(&u, &u.id.key), 0);
	line_add(&lines, LINE_HEAD, (struct unit_id){0, 0}, bytes_of_str(",\"version\":1"), &err);
	ck_assert_int_eq(codec_write_spawn(&lines, &u, &err), 0);
	line_add(&lines, LINE_EXIT, u.id, bytes_of_str(",\"code\":[]"), &err);
	unit_clear(&u);
	ck_assert_int_eq(mkdir(TAPE, 0777), 0);
	put_file(LINES, lines.data, lines.len);
	assert_refused(ERR_FORMAT, LINES ": line 3: \"code\"");
}
END_TEST

START_TEST(what_is_no_tape_is_refused)
{
	cleanup_buf struct buf head = BUF_INIT;
	struct error err;

	assert_refused(ERR_NOTFOUND, "there is no tape");
	ck_assert_int_eq(mkdir(TAPE, 0777), 0);
	assert_refused(ERR_FORMAT, "is not a tape");
	ck_assert(!is_file(JOURNAL));
	line_add(&head, LINE_HEAD, (struct unit_id){0, 0}, bytes_of_str(",\"version\":2"), &err);
	put_file(LINES, head.data, head.len);
	assert_refused(ERR_VERSION, "version 2");
	ck_assert(!is_file(JOURNAL));
}
END_TEST

START_TEST(a_link_is_not_followed)
{
	record_blobs('a', 'b', true);
	ck_assert_int_eq(rename(BLOBS, "elsewhere"), 0);
	ck_assert_int_eq(symlink("../elsewhere", BLOBS), 0);
	put_file("elsewhere/"
		 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		 "abc", 3);
	assert_refused(ERR_FORMAT, "is not a directory");
	ck_assert(is_file(UNNAMED));
	ck_assert_int_eq(unlink(BLOBS), 0);
	assert_gc(0, 0, 0); /* no blobs at all */
}
END_TEST

Suite *tape_gc_suite(void)
{
	Suite *suite = suite_create("tape/gc");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, scratch_enter, scratch_leave);
	tcase_add_test(all, what_nothing_names_goes);
	tcase_add_test(all, a_dry_run_changes_nothing);
	tcase_add_test(all, leftovers_inside_go);
	tcase_add_test(all, a_tape_that_is_recorded_is_let_alone);
	tcase_add_test(all, an_interrupted_recording_keeps_its_blobs);
	tcase_add_test(all, an_interrupted_re_recording_keeps_its_blobs_too);
	tcase_add_test(all, a_gc_that_was_killed_leaves_no_warning);
	tcase_add_test(all, of_a_damaged_tape_nothing_goes);
	tcase_add_test(all, a_record_that_makes_no_sense_stops_it);
	tcase_add_test(all, what_is_no_tape_is_refused);
	tcase_add_test(all, a_link_is_not_followed);
	suite_add_tcase(suite, all);
	return suite;
}
