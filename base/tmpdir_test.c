/* Directories are made, and removed when their maker is dead. */
#include "base/tmpdir.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include "tools/tests.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "sandtape-tmp-"

static char base[64];

static void setup(void)
{
	strcpy(base, "/tmp/sandtape-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base));
}

static void teardown(void)
{
	ck_assert_int_eq(fs_remove_all(base, NULL), 0);
}

static const char *at(const char *name)
{
	static char path[4][256];
	static unsigned next;
	char *here = path[next++ % 4];

	snprintf(here, sizeof(path[0]), "%s/%s", base, name);
	return here;
}

static void make_dir(const char *name)
{
	ck_assert_int_eq(mkdir(at(name), 0700), 0);
}

static void make_file(const char *name)
{
	cleanup_close int fd = open(at(name), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
}

static bool is(const char *name)
{
	struct stat st;

	return lstat(at(name), &st) == 0;
}

START_TEST(one_in_use_stays_and_a_dead_one_goes)
{
	cleanup_free char *path = NULL;
	int fd = -1;

	ck_assert_int_eq(tmpdir_make(base, PREFIX, &path, &fd, NULL), 0);
	tmpdir_sweep(base, PREFIX);
	ck_assert_int_eq(access(path, F_OK), 0);
	close(fd);
	tmpdir_sweep(base, PREFIX);
	ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(all_that_is_in_a_dead_one_goes_and_nothing_that_links_lead_to)
{
	make_dir("outside");
	make_file("outside/file");
	make_dir("sandtape-tmp-AAAAAA");
	make_dir("sandtape-tmp-AAAAAA/closed");
	make_file("sandtape-tmp-AAAAAA/closed/file");
	ck_assert_int_eq(symlink(at("outside"), at("sandtape-tmp-AAAAAA/link")), 0);
	ck_assert_int_eq(chmod(at("sandtape-tmp-AAAAAA/closed"), 0), 0);
	ck_assert_int_eq(symlink(at("outside"), at("sandtape-tmp-BBBBBB")), 0);
	tmpdir_sweep(base, PREFIX);
	ck_assert(!is("sandtape-tmp-AAAAAA"));
	ck_assert(is("sandtape-tmp-BBBBBB"));
	ck_assert(is("outside/file"));
}
END_TEST

START_TEST(what_has_another_name_or_owner_stays)
{
	static const char *const names[] = {"sandtape-tmp-", "sandtape-tmp-AAAAA",
					    "sandtape-tmp-AAAAAAA", "sandtape-AAAAAA",
					    "Xsandtape-tmp-AAAAAA"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		make_dir(names[i]);
	make_file("sandtape-tmp-FFFFFF");
	make_dir("sandtape-tmp-OTHERS");
	if (geteuid() == 0)
		ck_assert_int_eq(chown(at("sandtape-tmp-OTHERS"), 61000, 61000), 0);
	tmpdir_sweep(base, PREFIX);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ck_assert_msg(is(names[i]), "%s", names[i]);
	ck_assert(is("sandtape-tmp-FFFFFF"));
	ck_assert_int_eq(is("sandtape-tmp-OTHERS"), geteuid() == 0);
}
END_TEST

static int count(void)
{
	int left = 0;

	for (int i = 0; i < 20; i++) {
		char name[32];

		snprintf(name, sizeof(name), "sandtape-tmp-%06d", i);
		left += is(name);
	}
	return left;
}

START_TEST(a_sweep_ends_and_the_next_goes_on)
{
	for (int i = 0; i < 20; i++) {
		char name[32];

		snprintf(name, sizeof(name), "sandtape-tmp-%06d", i);
		make_dir(name);
	}
	tmpdir_sweep(base, PREFIX);
	ck_assert_int_eq(count(), 12);
	tmpdir_sweep(base, PREFIX);
	tmpdir_sweep(base, PREFIX);
	ck_assert_int_eq(count(), 0);
	tmpdir_sweep(at("none"), PREFIX);
}
END_TEST

START_TEST(where_none_can_be_made_is_told)
{
	struct error err = {0};
	char *path = NULL;
	int fd = -1;

	ck_assert_int_eq(tmpdir_make(at("none"), PREFIX, &path, &fd, &err), ERR_SYSTEM);
	ck_assert_ptr_nonnull(strstr(err.text, "cannot make a directory in"));
	ck_assert_ptr_null(path);
	ck_assert_int_eq(fd, -1);
}
END_TEST

Suite *base_tmpdir_suite(void)
{
	Suite *suite = suite_create("base/tmpdir");
	TCase *tc = tcase_create("tmpdir");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, one_in_use_stays_and_a_dead_one_goes);
	tcase_add_test(tc, all_that_is_in_a_dead_one_goes_and_nothing_that_links_lead_to);
	tcase_add_test(tc, what_has_another_name_or_owner_stays);
	tcase_add_test(tc, a_sweep_ends_and_the_next_goes_on);
	tcase_add_test(tc, where_none_can_be_made_is_told);
	suite_add_tcase(suite, tc);
	return suite;
}
