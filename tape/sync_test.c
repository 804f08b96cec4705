/*
 * What is on the disk when the subject learns of an end: the test program has its own fdatasync(),
 * which notes what the journal held when it was asked for last.
 */
#include "base/cleanup.h"
#include "base/fs.h"
#include "tape/scratch_test.h"
#include "tape/tape.h"
#include "tools/tests.h"
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TAPE   "t.tape"
#define SYNCED "synced" /* what the disk is known to hold of the journal */
#define TOLD   "told"	/* how many exits the subject found there, at each of its looks */

static bool watching;
static int syncs;

static void note(int fd)
{
	cleanup_close int copy = open(SYNCED, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	char bytes[4096];
	off_t at = 0;
	ssize_t n;

	ck_assert_int_ge(copy, 0);
	while ((n = pread(fd, bytes, sizeof(bytes), at)) > 0) {
		ck_assert_int_eq(fs_write_all(copy, bytes, (size_t)n, SYNCED, NULL), 0);
		at += n;
	}
	ck_assert_int_eq(n, 0);
	syncs++;
}

int fdatasync(int fd)
{
	if (watching)
		note(fd);
	return (int)syscall(SYS_fdatasync, fd);
}

/* Each of its looks is made by the shell itself, right after it has learned of an end. */
static const char script[] =
	"look() { n=0; while read -r line; do case $line in *'\"t\":\"exit\"'*) n=$((n + 1));; "
	"esac; "
	"done <" SYNCED "; echo $n >>" TOLD "; }\n"
	"sh -c 'exit 1'; look\n"
	"sh -c 'kill -TERM $$'; look\n"
	"./nothing; look\n"
	"sh -c 'exit 2' & sh -c 'exit 3' & sh -c 'exit 4' & sh -c 'exit 5' & wait; look\n"
	"echo $(sh -c 'echo said') >>" TOLD "; look\n"
	"true\n";

static void record_script(bool sync)
{
	char *const argv[] = {"/bin/sh", "-c", (char *)script, NULL};
	struct tape_options options = {.tape = TAPE, .argv = argv};
	struct tape_record_result result;
	struct error err = {0};

	put_file(SYNCED, "", 0);
	syncs = 0;
	watching = true;
	ck_assert_msg(tape_record(&options, sync, &result, &err) == 0, "%s", err.text);
	watching = false;
	ck_assert_uint_eq(result.units, 8);
}

START_TEST(an_end_is_on_the_disk_before_it_is_told)
{
	cleanup_buf struct buf told = BUF_INIT;

	record_script(true);
	get_file(TOLD, &told);
	ck_assert_str_eq(told.data, "1\n2\n3\n7\nsaid\n8\n");
	/* One for the head, one for each of those that are alone, and those that are not may share;
	 * starts have none of their own. */
	ck_assert_int_ge(syncs, 1 + 4 + 1);
	ck_assert_int_le(syncs, 1 + 8);
}
END_TEST

START_TEST(nothing_is_synced_unasked)
{
	record_script(false);
	ck_assert_int_eq(syncs, 0);
}
END_TEST

Suite *tape_sync_suite(void)
{
	Suite *suite = suite_create("tape/sync");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, scratch_enter, scratch_leave);
	tcase_set_timeout(all, 30);
	tcase_add_test(all, an_end_is_on_the_disk_before_it_is_told);
	tcase_add_test(all, nothing_is_synced_unasked);
	suite_add_tcase(suite, all);
	return suite;
}
