/* Payloads as a reader gives them: in the line or a blob, with the roots of the session. */
#include "base/cleanup.h"
#include "tape/reader.h"
#include "tape/scratch_test.h"
#include "tools/tests.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TAPE "t.tape"

static void record_output(const void *bytes, size_t len, const struct roots *roots)
{
	struct tape_writer *w = writer_at(TAPE);
	struct unit u;

	make_unit(&u, "A", "");
	set_spooled(&u.streams[0].data, TAPE, bytes, len, roots);
	ck_assert_int_eq(tape_writer_spawn(w, &u, NULL), 0);
	ck_assert_int_eq(tape_writer_exit(w, &u, NULL), 0);
	ck_assert_int_eq(tape_writer_finish(w, NULL), 0);
	tape_writer_free(w);
	unit_clear(&u);
}

static struct roots *work_at(const char *dir)
{
	struct roots *roots = roots_new();

	ck_assert_int_eq(roots_add(roots, "WORK", dir, NULL), 0);
	return roots;
}

/* Written below one WORK, read below another. */
static void assert_payload(const char *wanted, size_t len)
{
	struct tape_reader *r = reader_at(TAPE);
	struct roots *roots = work_at("/elsewhere");
	struct payload_view v;
	struct unit u;
	struct error err = {0};

	ck_assert_int_eq(tape_reader_unit(r, 0, &u, NULL), 0);
	ck_assert_msg(tape_reader_payload(r, &u.streams[0].data, roots, &v, &err) == 0, "%s",
		      err.text);
	assert_same_bytes(v.data, v.len, wanted, len);
	payload_view_clear(&v);
	unit_clear(&u);
	tape_reader_free(r);
	roots_free(roots);
}

START_TEST(payloads_of_every_form_come_back)
{
	static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 1 << 20, (1 << 20) + 1, 3 << 20};
	cleanup_free char *bytes = malloc(3 << 20);
	struct random random = {.state = 99};
	struct roots *roots = work_at("/work");
	size_t i;

	for (i = 0; i < 3 << 20; i++)
		bytes[i] = (char)random_next(&random);
	record_output(bytes, sizes[_i], roots);
	assert_payload(bytes, sizes[_i]);
	memset(bytes, '$', 3 << 20);
	record_output(bytes, sizes[_i], roots);
	assert_payload(bytes, sizes[_i]);
	roots_free(roots);
}
END_TEST

START_TEST(paths_in_payloads_move)
{
	cleanup_free char *plain = malloc(9000);
	cleanup_buf struct buf moved = BUF_INIT;
	struct roots *roots = work_at("/work");

	memset(plain, 'x', 9000);
	memcpy(plain, "/work/a $WORK ", 14);
	record_output(plain, 14, roots);
	assert_payload("/elsewhere/a $WORK ", 19);
	record_output(plain, 9000, roots);
	buf_add_str(&moved, "/elsewhere/a $WORK ");
	buf_add(&moved, plain + 14, 9000 - 14);
	assert_payload(moved.data, moved.len);
	roots_free(roots);
}
END_TEST

static void assert_bad_blob(int code, const char *sentence)
{
	struct tape_reader *r = reader_at(TAPE);
	struct payload_view v;
	struct unit u;
	struct error err = {0};

	ck_assert_int_eq(tape_reader_unit(r, 0, &u, NULL), 0);
	ck_assert_int_eq(tape_reader_payload(r, &u.streams[0].data, NULL, &v, &err), code);
	ck_assert_msg(strstr(err.text, sentence) != NULL, "%s", err.text);
	ck_assert_ptr_nonnull(strstr(err.text, u.streams[0].data.sha256));
	unit_clear(&u);
	tape_reader_free(r);
}

START_TEST(missing_and_wrong_blobs_are_errors_with_their_names)
{
	cleanup_free char *bytes = calloc(1, 5001);
	char path[128];
	struct tape_reader *r;
	struct unit u;

	record_output(bytes, 5000, NULL);
	r = reader_at(TAPE);
	ck_assert_int_eq(tape_reader_unit(r, 0, &u, NULL), 0);
	snprintf(path, sizeof(path), TAPE "/blobs/%s", u.streams[0].data.sha256);
	unit_clear(&u);
	tape_reader_free(r);
	put_file(path, bytes, 5001);
	assert_bad_blob(ERR_FORMAT, "it has 5001 bytes and not 5000");
	bytes[7] = 1;
	put_file(path, bytes, 5000);
	assert_bad_blob(ERR_FORMAT, "its SHA-256 is not its name");
	ck_assert_int_eq(unlink(path), 0);
	assert_bad_blob(ERR_NOTFOUND, "is missing");
}
END_TEST

Suite *tape_reader_payloads_suite(void)
{
	Suite *suite = suite_create("tape/reader_payloads");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, scratch_enter, scratch_leave);
	tcase_set_timeout(all, 60);
	tcase_add_loop_test(all, payloads_of_every_form_come_back, 0, 8);
	tcase_add_test(all, paths_in_payloads_move);
	tcase_add_test(all, missing_and_wrong_blobs_are_errors_with_their_names);
	suite_add_tcase(suite, all);
	return suite;
}
