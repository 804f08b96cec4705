#include "base/cleanup.h"
#include "base/fs.h"
#include "tape/scratch_test.h"
#include "tape/spool.h"
#include "tools/tests.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB ((size_t)1024 * 1024)

static struct roots *roots;

static void enter(void)
{
	scratch_enter();
	ck_assert_int_eq(fs_mkdir_all("t.tape/blobs", NULL), 0);
	roots = roots_new();
	ck_assert_int_eq(roots_add(roots, "WORK", "/work", NULL), 0);
}

static void leave(void)
{
	roots_free(roots);
	scratch_leave();
}

/* In pieces, as output comes. */
static void spool_all(const void *bytes, size_t len, struct payload *ret)
{
	struct spool *s = spool_new("t.tape");
	struct error err = {0};
	size_t at, step = len / 7 + 1;

	ck_assert_ptr_nonnull(s);
	for (at = 0; at < len; at += step)
		ck_assert_int_eq(spool_add(s, (const char *)bytes + at,
					   len - at < step ? len - at : step, &err),
				 0);
	ck_assert_uint_eq(spool_size(s), len);
	ck_assert_msg(spool_finish(s, roots, ret, &err) == 0, "%s", err.text);
	spool_free(s);
}

static char *filled(size_t len, char c)
{
	char *bytes = malloc(len);

	ck_assert_ptr_nonnull(bytes);
	memset(bytes, c, len);
	return bytes;
}

static void get_blob(const struct payload *p, struct buf *ret)
{
	char path[128];

	snprintf(path, sizeof(path), "t.tape/blobs/%s", p->sha256);
	get_file(path, ret);
	ck_assert_uint_eq(ret->len, p->size);
}

static size_t blob_count(void)
{
	cleanup_closedir DIR *d = opendir("t.tape/blobs");
	struct dirent *entry;
	size_t n = 0;

	while ((entry = readdir(d)))
		n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	return n;
}

START_TEST(nothing_is_an_empty_payload)
{
	struct payload p;

	spool_all("", 0, &p);
	ck_assert_int_eq(p.form, PAYLOAD_EMPTY);
	ck_assert_uint_eq(blob_count(), 0);
}
END_TEST

START_TEST(short_text_and_short_bytes_are_inline)
{
	cleanup_free char *bytes = filled(4096, '\xff');
	struct payload p;

	spool_all("hi\n", 3, &p);
	ck_assert_int_eq(p.form, PAYLOAD_INLINE);
	ck_assert(!p.rooted);
	assert_same_bytes(p.bytes.data, p.bytes.len, "hi\n", 3);
	payload_clear(&p);
	spool_all(bytes, 4096, &p);
	ck_assert_int_eq(p.form, PAYLOAD_INLINE);
	assert_same_bytes(p.bytes.data, p.bytes.len, bytes, 4096);
	payload_clear(&p);
	ck_assert_uint_eq(blob_count(), 0);
}
END_TEST

START_TEST(longer_ones_are_blobs)
{
	static const size_t sizes[] = {4097, MIB - 1, MIB, MIB + 1, 3 * MIB + 5};
	cleanup_free char *bytes = filled(sizes[_i], _i % 2 ? 'x' : '\xff');
	cleanup_buf struct buf blob = BUF_INIT;
	struct payload p;

	spool_all(bytes, sizes[_i], &p);
	ck_assert_int_eq(p.form, PAYLOAD_BLOB);
	ck_assert_uint_eq(p.size, sizes[_i]);
	get_blob(&p, &blob);
	assert_same_bytes(blob.data, blob.len, bytes, sizes[_i]);
	ck_assert_uint_eq(blob_count(), 1);
}
END_TEST

START_TEST(equal_bytes_are_one_blob)
{
	cleanup_free char *bytes = filled(5000, 'x');
	cleanup_buf struct buf blob = BUF_INIT;
	struct payload p, again;
	char path[128];

	spool_all(bytes, 5000, &p);
	snprintf(path, sizeof(path), "t.tape/blobs/%s", p.sha256);
	put_file(path, "damaged", 7);
	spool_all(bytes, 5000, &again);
	ck_assert_str_eq(p.sha256, again.sha256);
	ck_assert_uint_eq(blob_count(), 1);
	get_blob(&p, &blob);
}
END_TEST

START_TEST(roots_are_replaced_in_text)
{
	struct payload p;

	spool_all("in /work/a", 10, &p);
	ck_assert(p.rooted);
	assert_same_bytes(p.bytes.data, p.bytes.len, "in $WORK/a", 10);
	payload_clear(&p);
	spool_all("$WORK", 5, &p);
	ck_assert(p.rooted);
	assert_same_bytes(p.bytes.data, p.bytes.len, "$$WORK", 6);
	payload_clear(&p);
}
END_TEST

START_TEST(roots_are_not_replaced_in_bytes)
{
	struct payload p;

	spool_all("/work/a\xff", 8, &p);
	ck_assert(!p.rooted);
	assert_same_bytes(p.bytes.data, p.bytes.len, "/work/a\xff", 8);
	payload_clear(&p);
}
END_TEST

/* The limit of 4096 is one of what is stored. */
START_TEST(roots_may_move_a_payload_across_the_limit)
{
	cleanup_free char *text = filled(4097, 'x');
	cleanup_buf struct buf blob = BUF_INIT;
	struct payload p;

	memcpy(text, "$WORK ", 6);
	spool_all(text, 4096, &p);
	ck_assert_int_eq(p.form, PAYLOAD_BLOB);
	ck_assert(p.rooted);
	get_blob(&p, &blob);
	ck_assert_uint_eq(blob.len, 4097);
	roots_add(roots, "WORK", "/wo/rk", NULL);
	memcpy(text, "/wo/rk ", 7);
	spool_all(text, 4097, &p);
	ck_assert_int_eq(p.form, PAYLOAD_INLINE);
	ck_assert_uint_eq(p.size, 4096);
	payload_clear(&p);
}
END_TEST

START_TEST(roots_are_replaced_up_to_a_mebibyte)
{
	cleanup_free char *text = filled(MIB + 1, 'x');
	struct payload p;

	memcpy(text, "/work ", 6);
	spool_all(text, MIB, &p);
	ck_assert(p.rooted);
	spool_all(text, MIB + 1, &p);
	ck_assert(!p.rooted);
}
END_TEST

START_TEST(a_spool_that_was_given_up_leaves_nothing)
{
	cleanup_free char *bytes = filled(2 * MIB, 'x');
	struct spool *s = spool_new("t.tape");

	ck_assert_int_eq(spool_add(s, bytes, 2 * MIB, NULL), 0);
	ck_assert_uint_eq(blob_count(), 1);
	spool_free(s);
	ck_assert_uint_eq(blob_count(), 0);
	spool_free(NULL);
}
END_TEST

START_TEST(a_missing_directory_is_an_error_that_names_it)
{
	cleanup_free char *bytes = filled(2 * MIB, 'x');
	struct spool *s = spool_new("nowhere");
	struct error err = {0};

	ck_assert_int_eq(spool_add(s, bytes, 2 * MIB, &err), ERR_SYSTEM);
	ck_assert_ptr_nonnull(strstr(err.text, "nowhere/blobs"));
	spool_free(s);
}
END_TEST

START_TEST(a_blob_has_the_usual_mode)
{
	cleanup_free char *bytes = filled(5000, 'x');
	mode_t before = umask(027);
	struct payload p;
	struct stat st;
	char path[128];

	spool_all(bytes, 5000, &p);
	umask(before);
	snprintf(path, sizeof(path), "t.tape/blobs/%s", p.sha256);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0640);
}
END_TEST

Suite *tape_spool_suite(void)
{
	Suite *suite = suite_create("tape/spool");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, enter, leave);
	tcase_add_test(all, nothing_is_an_empty_payload);
	tcase_add_test(all, short_text_and_short_bytes_are_inline);
	tcase_add_loop_test(all, longer_ones_are_blobs, 0, 5);
	tcase_add_test(all, equal_bytes_are_one_blob);
	tcase_add_test(all, roots_are_replaced_in_text);
	tcase_add_test(all, roots_are_not_replaced_in_bytes);
	tcase_add_test(all, roots_may_move_a_payload_across_the_limit);
	tcase_add_test(all, roots_are_replaced_up_to_a_mebibyte);
	tcase_add_test(all, a_spool_that_was_given_up_leaves_nothing);
	tcase_add_test(all, a_missing_directory_is_an_error_that_names_it);
	tcase_add_test(all, a_blob_has_the_usual_mode);
	suite_add_tcase(suite, all);
	return suite;
}
