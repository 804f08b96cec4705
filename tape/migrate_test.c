#include "base/cleanup.h"
#include "tape/lines.h"
#include "tape/migrate.h"
#include "tape/scratch_test.h"
#include "tools/tests.h"
#include <string.h>
#include <unistd.h>

#define TAPE	"t.tape"
#define LINES	TAPE "/tape.jsonl"
#define JOURNAL TAPE "/journal.jsonl"

/* A tape as later versions may have it: another head, and something that tells what was done. */
static void put_version(const char *fields)
{
	cleanup_buf struct buf lines = BUF_INIT;
	struct error err;

	line_add(&lines, LINE_HEAD, (struct unit_id){0, 0}, bytes_of_str(fields), &err);
	put_file(LINES, lines.data, lines.len);
}

static int to_2(const char *dir, struct error *err)
{
	(void)err;
	ck_assert_str_eq(dir, TAPE);
	ck_assert(is_file(JOURNAL)); /* the lock */
	put_version(",\"version\":2,\"by\":\"to_2\"");
	return 0;
}

static int to_3(const char *dir, struct error *err)
{
	(void)dir;
	(void)err;
	put_version(",\"version\":3,\"by\":\"to_3\"");
	return 0;
}

static int break_off(const char *dir, struct error *err)
{
	return error_set(err, ERR_SYSTEM, "%s could not be written", dir);
}

static int do_nothing(const char *dir, struct error *err)
{
	(void)dir;
	(void)err;
	return 0;
}

static void assert_lines(const char *wanted)
{
	cleanup_buf struct buf lines = BUF_INIT;

	get_file(LINES, &lines);
	ck_assert_msg(strstr(lines.data, wanted) != NULL, "%s", lines.data);
	ck_assert(!is_file(JOURNAL));
}

START_TEST(the_newest_is_not_touched)
{
	struct tape_migrate_result result;
	cleanup_buf struct buf before = BUF_INIT, after = BUF_INIT;
	struct error err = {0};
	struct tape_writer *w;

	record(TAPE, "A( A)1");
	get_file(LINES, &before);
	ck_assert_msg(tape_migrate(TAPE "/", &result, &err) == 0, "%s", err.text);
	ck_assert_int_eq(result.version, TAPE_FORMAT_VERSION);
	ck_assert_int_eq(result.newest, TAPE_FORMAT_VERSION);
	ck_assert_int_eq(result.steps, 0);
	get_file(LINES, &after);
	assert_same_bytes(after.data, after.len, before.data, before.len);
	/* Nor is anybody kept from it, or waited for. */
	w = writer_at(TAPE);
	ck_assert_int_eq(tape_migrate(TAPE, &result, NULL), 0);
	tape_writer_free(w);
}
END_TEST

START_TEST(an_interrupted_recording_has_a_version_too)
{
	struct tape_migrate_result result;
	struct tape_writer *w = writer_at(TAPE);

	tape_writer_free(w);
	ck_assert_int_eq(tape_migrate(TAPE, &result, NULL), 0);
	ck_assert_int_eq(result.version, 1);
	ck_assert(is_file(JOURNAL));
}
END_TEST

START_TEST(steps_are_taken_one_after_the_other)
{
	/* In whatever order they are listed. */
	static const struct migrate_step steps[] = {{2, to_3}, {1, to_2}};
	struct tape_migrate_result result;
	struct error err = {0};

	record(TAPE, "A( A)1");
	ck_assert_msg(migrate_by(TAPE, steps, 2, 3, &result, &err) == 0, "%s", err.text);
	ck_assert_int_eq(result.version, 1);
	ck_assert_int_eq(result.newest, 3);
	ck_assert_int_eq(result.steps, 2);
	assert_lines("to_3");
	ck_assert_int_eq(migrate_by(TAPE, steps, 2, 3, &result, &err), 0);
	ck_assert_int_eq(result.steps, 0);
}
END_TEST

START_TEST(a_way_that_is_not_there_is_told)
{
	static const struct migrate_step steps[] = {{1, to_2}};
	struct tape_migrate_result result;
	struct error err = {0};

	record(TAPE, "A( A)1");
	ck_assert_int_eq(migrate_by(TAPE, steps, 1, 3, &result, &err), ERR_UNSUPPORTED);
	ck_assert_ptr_nonnull(strstr(err.text, "t.tape is of version 2"));
	assert_lines("to_2");
	ck_assert_int_eq(migrate_by(TAPE, NULL, 0, 3, &result, NULL), ERR_UNSUPPORTED);
}
END_TEST

START_TEST(a_step_that_fails_is_named)
{
	static const struct migrate_step failing[] = {{1, to_2}, {2, break_off}};
	static const struct migrate_step lazy[] = {{1, do_nothing}};
	struct tape_migrate_result result;
	struct error err = {0};

	record(TAPE, "A( A)1");
	ck_assert_int_eq(migrate_by(TAPE, lazy, 1, 2, &result, &err), ERR_FORMAT);
	ck_assert_ptr_nonnull(
		strstr(err.text, "the step from version 1: the tape is of version 1"));
	ck_assert_int_eq(migrate_by(TAPE, failing, 2, 3, &result, &err), ERR_SYSTEM);
	ck_assert_ptr_nonnull(strstr(err.text, "the step from version 2: t.tape could not"));
	assert_lines("to_2");
}
END_TEST

START_TEST(a_tape_that_is_recorded_is_let_alone)
{
	static const struct migrate_step steps[] = {{1, to_2}};
	struct tape_migrate_result result;
	struct error err = {0};
	struct tape_writer *w;

	record(TAPE, "A( A)1");
	w = writer_at(TAPE);
	ck_assert_int_eq(migrate_by(TAPE, steps, 1, 2, &result, &err), ERR_BUSY);
	ck_assert_ptr_nonnull(strstr(err.text, "is recording to"));
	tape_writer_free(w);
}
END_TEST

START_TEST(what_has_no_version_is_refused)
{
	struct tape_migrate_result result;
	struct error err = {0};

	ck_assert_int_eq(tape_migrate("none.tape", &result, &err), ERR_NOTFOUND);
	record(TAPE, "");
	put_version(",\"version\":2");
	ck_assert_int_eq(tape_migrate(TAPE, &result, &err), ERR_VERSION);
	ck_assert_ptr_nonnull(strstr(err.text, "a newer sandtape"));
	put_version(",\"version\":0");
	ck_assert_int_eq(tape_migrate(TAPE, &result, &err), ERR_FORMAT);
	put_file(LINES, "", 0);
	ck_assert_int_eq(tape_migrate(TAPE, &result, &err), ERR_FORMAT);
	ck_assert_ptr_nonnull(strstr(err.text, LINES ": line 1"));
	ck_assert_int_eq(unlink(LINES), 0);
	ck_assert_int_eq(tape_migrate(TAPE, &result, &err), ERR_FORMAT);
	ck_assert_ptr_nonnull(strstr(err.text, "is not a tape"));
}
END_TEST

Suite *tape_migrate_suite(void)
{
	Suite *suite = suite_create("tape/migrate");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, scratch_enter, scratch_leave);
	tcase_add_test(all, the_newest_is_not_touched);
	tcase_add_test(all, an_interrupted_recording_has_a_version_too);
	tcase_add_test(all, steps_are_taken_one_after_the_other);
	tcase_add_test(all, a_way_that_is_not_there_is_told);
	tcase_add_test(all, a_step_that_fails_is_named);
	tcase_add_test(all, a_tape_that_is_recorded_is_let_alone);
	tcase_add_test(all, what_has_no_version_is_refused);
	suite_add_tcase(suite, all);
	return suite;
}
