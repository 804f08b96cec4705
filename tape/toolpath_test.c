#include "base/cleanup.h"
#include "tape/scratch_test.h"
#include "tape/toolpath.h"
#include "tools/tests.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

#define TAPE "t.tape"
#define STUB "/libexec/sandtape-stub"

static char *own_path;

/*
 * scratch/
 *	bin/present	a program, and `bin` is all of PATH
 *	bin/no-program	a file that cannot be executed
 *	tmp/		TMPDIR
 */
static void enter(void)
{
	const char *path = getenv("PATH");

	scratch_enter();
	ck_assert_int_eq(mkdir("bin", 0777) | mkdir("tmp", 0777), 0);
	put_file("bin/present", "", 0);
	ck_assert_int_eq(chmod("bin/present", 0755), 0);
	put_file("bin/no-program", "", 0);
	own_path = strdup(path ? path : "");
	setenv("PATH", "bin", 1);
	setenv("TMPDIR", "tmp", 1);
}

static void leave(void)
{
	setenv("PATH", own_path, 1);
	unsetenv("TMPDIR");
	free(own_path);
	scratch_leave();
}

static void write_tape(const char *const *names, enum end_how how)
{
	struct tape_writer *w = writer_at(TAPE);
	struct error err = {0};

	for (; *names; names++) {
		struct unit u;

		make_unit(&u, *names, "");
		u.end = (struct unit_end){.how = how, .exec_errno = ENOENT};
		ck_assert_msg(tape_writer_spawn(w, &u, &err) == 0, "%s", err.text);
		ck_assert_msg(tape_writer_exit(w, &u, &err) == 0, "%s", err.text);
		unit_clear(&u);
	}
	ck_assert_msg(tape_writer_finish(w, &err) == 0, "%s", err.text);
	tape_writer_free(w);
}

/* For units with these names of programs; NULL when nothing is missing. */
static struct toolpath *toolpath_for(const char *const *names, enum end_how how)
{
	struct tape_reader *r;
	struct toolpath *t = NULL;
	struct error err = {0};

	write_tape(names, how);
	r = reader_at(TAPE);
	ck_assert_msg(toolpath_new(r, STUB, &t, &err) == 0, "%s", err.text);
	tape_reader_free(r);
	return t;
}

static void assert_link(const struct toolpath *t, const char *name)
{
	char path[PATH_MAX], target[PATH_MAX] = "";

	snprintf(path, sizeof(path), "%s/%s", toolpath_dir(t), name);
	ck_assert_int_gt(readlink(path, target, sizeof(target) - 1), 0);
	ck_assert_str_eq(target, STUB);
}

static const char *const nothing_missing[][4] = {
	{NULL},
	{"present", NULL},
	{"present", "present", NULL},
	/* These are not searched for in PATH. */
	{"/usr/bin/missing", NULL},
	{"./missing", NULL},
	{"sub/missing", NULL},
	{"", NULL},
	{".", "..", NULL},
};

START_TEST(a_host_with_all_programs_has_no_directory)
{
	struct toolpath *t = toolpath_for(nothing_missing[_i], END_EXITED);

	ck_assert_ptr_null(t);
	ck_assert_ptr_null(toolpath_dir(t));
	ck_assert_uint_eq(entry_count("tmp"), 0);
	toolpath_free(t);
}
END_TEST

START_TEST(a_program_that_was_missing_then_may_be_missing_now)
{
	ck_assert_ptr_null(toolpath_for((const char *const[]){"missing", NULL}, END_EXEC_FAILED));
}
END_TEST

START_TEST(each_missing_program_has_one_link)
{
	static const char *const names[] = {"present", "gone", "lost",	     "gone",
					    "lost",    "lost", "no-program", NULL};
	struct toolpath *t = toolpath_for(names, END_EXITED);
	char dir[PATH_MAX];

	ck_assert_ptr_nonnull(t);
	ck_assert_int_eq(strncmp(toolpath_dir(t), "tmp/", 4), 0);
	ck_assert_uint_eq(entry_count(toolpath_dir(t)), 3);
	assert_link(t, "gone");
	assert_link(t, "lost");
	assert_link(t, "no-program");
	snprintf(dir, sizeof(dir), "%s", toolpath_dir(t));
	toolpath_free(t);
	ck_assert(!is_file(dir));
	ck_assert_uint_eq(entry_count("tmp"), 0);
}
END_TEST

START_TEST(an_unfinished_unit_needs_its_program_too)
{
	struct toolpath *t;
	struct tape_reader *r;

	record(TAPE, "A(");
	r = reader_at(TAPE);
	ck_assert_int_eq(toolpath_new(r, STUB, &t, NULL), 0);
	assert_link(t, "A");
	toolpath_free(t);
	tape_reader_free(r);
}
END_TEST

static const struct {
	const char *path; /* NULL: unset */
	bool found;
} path_rows[] = {
	{"bin", true},	{"/nowhere:bin", true}, {"bin:", true}, {"/nowhere", false},
	{"", false},	{"/nowhere:", false},	{NULL, false},	{"bin/present", false},
	{"bin/", true},
};

START_TEST(path_is_searched)
{
	struct toolpath *t;

	if (path_rows[_i].path)
		setenv("PATH", path_rows[_i].path, 1);
	else
		unsetenv("PATH");
	t = toolpath_for((const char *const[]){"present", NULL}, END_EXITED);
	ck_assert_int_eq(t == NULL, path_rows[_i].found);
	toolpath_free(t);
}
END_TEST

/* An empty component of PATH is the current directory. */
START_TEST(the_current_directory_is_searched_where_path_says_so)
{
	static const char *const paths[] = {"", ":/nowhere", "/nowhere:", "/nowhere::bin", "."};

	setenv("PATH", paths[_i], 1);
	put_file("here", "", 0);
	ck_assert_int_eq(chmod("here", 0755), 0);
	ck_assert_ptr_null(toolpath_for((const char *const[]){"here", NULL}, END_EXITED));
}
END_TEST

START_TEST(without_a_place_for_the_links_it_says_so)
{
	struct toolpath *t = NULL;
	struct error err = {0};
	struct tape_reader *r;

	setenv("TMPDIR", "nowhere", 1);
	write_tape((const char *const[]){"gone", NULL}, END_EXITED);
	r = reader_at(TAPE);
	ck_assert_int_eq(toolpath_new(r, STUB, &t, &err), ERR_SYSTEM);
	ck_assert_int_eq(err.sys, ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "nowhere"));
	ck_assert_ptr_null(t);
	tape_reader_free(r);
}
END_TEST

START_TEST(what_killed_replays_left_is_removed)
{
	struct toolpath *t;
	int in_use;

	ck_assert_int_eq(mkdir("tmp/sandtape-bin-killed", 0777), 0);
	ck_assert_int_eq(mkdir("tmp/sandtape-bin-in-use", 0777), 0);
	ck_assert_int_eq(mkdir("tmp/sandtape-other", 0777), 0);
	in_use = open("tmp/sandtape-bin-in-use", O_RDONLY | O_DIRECTORY);
	ck_assert_int_eq(flock(in_use, LOCK_EX), 0);
	t = toolpath_for((const char *const[]){"gone", NULL}, END_EXITED);
	ck_assert_uint_eq(entry_count("tmp"), 3);
	ck_assert_int_lt(access("tmp/sandtape-bin-killed", F_OK), 0);
	toolpath_free(t);
	ck_assert_uint_eq(entry_count("tmp"), 2);
	close(in_use);
}
END_TEST

Suite *tape_toolpath_suite(void)
{
	Suite *suite = suite_create("tape/toolpath");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, enter, leave);
	tcase_add_loop_test(all, a_host_with_all_programs_has_no_directory, 0,
			    COUNT(nothing_missing));
	tcase_add_test(all, a_program_that_was_missing_then_may_be_missing_now);
	tcase_add_test(all, each_missing_program_has_one_link);
	tcase_add_test(all, an_unfinished_unit_needs_its_program_too);
	tcase_add_loop_test(all, path_is_searched, 0, COUNT(path_rows));
	tcase_add_loop_test(all, the_current_directory_is_searched_where_path_says_so, 0, 5);
	tcase_add_test(all, what_killed_replays_left_is_removed);
	tcase_add_test(all, without_a_place_for_the_links_it_says_so);
	suite_add_tcase(suite, all);
	return suite;
}
