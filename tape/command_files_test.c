/* What is wrong with the files of a tape, and who else uses them, as a program's commands see it.
 */
#include "base/cleanup.h"
#include "base/fs.h"
#include "tape/command.h"
#include "tape/lines.h"
#include "tape/scratch_test.h"
#include "tape/taped_test.h"
#include "tools/tests.h"
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINES	TAPE "/tape.jsonl"
#define JOURNAL TAPE "/journal.jsonl"

/* The first only reads. */
static const enum tape_mode modes[] = {TAPE_REPLAY, TAPE_RECORD, TAPE_ONCE, TAPE_NEW_EPISODES};

/* Opens, and lets `cat` read so much that it is a blob on the tape. Whatever fails first. */
static int use(const char *tape, enum tape_mode mode, struct error *err)
{
	static const char large[10000] = "large";
	const struct tape_command command = {
		.argv = ARGV("cat"), .input = large, .input_len = sizeof(large)};
	struct tape *t = NULL;
	struct tape_result got;
	int rc = tape_open(&(struct tape_config){.tape = tape, .mode = mode}, &t, err);

	if (rc == 0)
		rc = tape_run(t, &command, &got, err);
	if (rc == 0) {
		tape_result_clear(&got);
		rc = tape_close(t, err);
	}
	tape_free(t);
	return rc;
}

static void record_it(void)
{
	struct error err = {0};

	ck_assert_msg(use(TAPE, TAPE_RECORD, &err) == 0, "%s", err.text);
}

static void expect_error(const char *tape, enum tape_mode mode, int code, const char *words)
{
	struct error err = {0};
	int rc = use(tape, mode, &err);

	ck_assert_msg(rc == code && err.code == code, "mode %d: %d %s", mode, rc, err.text);
	ck_assert_msg(strstr(err.text, words) != NULL, "mode %d: %s", mode, err.text);
}

/* --- Damaged files -------------------------------------------------------------------------- */

START_TEST(what_is_no_tape_is_an_error)
{
	ck_assert_int_eq(mkdir("dir.tape", 0777), 0);
	put_file("dir.tape/precious", "x", 1);
	put_file("file.tape", "x", 1);
	for (size_t i = 0; i < COUNT(modes); i++) {
		expect_error("dir.tape", modes[i], ERR_FORMAT, "dir.tape");
		expect_error("file.tape", modes[i], ERR_FORMAT, "not a directory");
		if (modes[i] != TAPE_REPLAY)
			expect_error("no/x.tape", modes[i], ERR_NOTFOUND, "make it first");
	}
	expect_error("none.tape", TAPE_REPLAY, ERR_NOTFOUND, "there is no tape none.tape");
	ck_assert(is_file("dir.tape/precious"));
	ck_assert(is_file("file.tape"));
}
END_TEST

START_TEST(another_version_is_refused)
{
	cleanup_buf struct buf lines = BUF_INIT;

	record_it();
	ck_assert_int_eq(line_add(&lines, LINE_HEAD, (struct unit_id){0, 0},
				  bytes_of_str(",\"version\":2"), NULL),
			 0);
	put_file(LINES, lines.data, lines.len);
	for (size_t i = 0; i < COUNT(modes); i++)
		expect_error(TAPE, modes[i], ERR_VERSION, "version 2");
}
END_TEST

START_TEST(a_damaged_line_is_named)
{
	cleanup_buf struct buf lines = BUF_INIT;

	record_it();
	get_file(LINES, &lines);
	strchr(lines.data, '\n')[40] ^= 1;
	put_file(LINES, lines.data, lines.len);
	for (size_t i = 0; i < COUNT(modes); i++) {
		if (modes[i] != TAPE_RECORD)
			expect_error(TAPE, modes[i], ERR_FORMAT, LINES ": line 2: its checksum");
	}
	record_it(); /* a new recording does not need the old one */
}
END_TEST

static void keep_text(void *ctx, enum tape_level level, const char *text)
{
	ck_assert_int_eq(level, TAPE_WARNING);
	ck_assert_int_eq(buf_addf(ctx, "%s\n", text), 0);
}

START_TEST(a_torn_last_line_is_a_warning)
{
	cleanup_buf struct buf lines = BUF_INIT, said = BUF_INIT;
	struct tape *t = open_as(TAPE_RECORD);

	expect_out(t, "echo a", "a\n");
	expect_out(t, "echo b", "b\n");
	close_it(t);
	get_file(LINES, &lines);
	put_file(LINES, lines.data, lines.len - 5);
	t = open_with(&(struct tape_config){.tape = TAPE, .say = keep_text, .say_ctx = &said});
	ck_assert_ptr_nonnull(strstr(said.data, LINES));
	ck_assert_ptr_nonnull(strstr(said.data, "torn"));
	expect_out(t, "echo a", "a\n");
	/* Its end was on that line. */
	expect_divergence(t, &(struct tape_command){.argv = SH("echo b")}, TAPE_UNFINISHED);
	close_it(t);
}
END_TEST

static char *the_blob(void)
{
	cleanup_closedir DIR *d = opendir(TAPE "/blobs");
	struct dirent *entry;

	ck_assert_ptr_nonnull(d);
	do
		entry = readdir(d);
	while (entry && entry->d_name[0] == '.');
	ck_assert_ptr_nonnull(entry);
	return fs_join(TAPE "/blobs", entry->d_name);
}

START_TEST(a_blob_that_is_wrong_is_named)
{
	cleanup_free char *blob = NULL;
	cleanup_buf struct buf bytes = BUF_INIT;

	record_it();
	blob = the_blob();
	get_file(blob, &bytes);
	bytes.data[9] ^= 1;
	put_file(blob, bytes.data, bytes.len);
	expect_error(TAPE, TAPE_REPLAY, ERR_FORMAT, blob);
	expect_error(TAPE, TAPE_ONCE, ERR_FORMAT, "SHA-256");
	ck_assert_int_eq(unlink(blob), 0);
	expect_error(TAPE, TAPE_REPLAY, ERR_NOTFOUND, blob);
	expect_error(TAPE, TAPE_NEW_EPISODES, ERR_NOTFOUND, "is missing");
	record_it();
	ck_assert(is_file(blob));
}
END_TEST

/* --- Places where nothing can be written ---------------------------------------------------- */

static void use_closed(void)
{
	struct error err = {0};

	for (size_t i = 1; i < COUNT(modes); i++) {
		int rc = use("closed/x.tape", modes[i], &err);

		if (rc != ERR_SYSTEM || !strstr(err.text, "closed/x.tape") ||
		    !strstr(err.text, "Permission denied")) {
			fprintf(stderr, "mode %d: %d %s\n", modes[i], rc, err.text);
			_exit(1);
		}
	}
}

START_TEST(a_directory_that_may_not_be_written_is_named)
{
	ck_assert_int_eq(chmod(".", 0777), 0);
	ck_assert_int_eq(mkdir("closed", 0555), 0);
	act_as_ordinary(use_closed);
	ck_assert(!is_file("closed/x.tape"));
}
END_TEST

/* Too small for a blob, a line, or the tape; the error is another than that of a full disk (which
 * tools/e2e/library.py has), its way is the same. */
static void use_little(void)
{
	struct error err = {0};
	bool fitted = false, failed = false;

	signal(SIGXFSZ, SIG_IGN);
	for (rlim_t limit = 16; !fitted && limit < 20000; limit += limit < 2000 ? 16 : 500) {
		int rc;

		setrlimit(RLIMIT_FSIZE, &(struct rlimit){limit, RLIM_INFINITY});
		rc = use(TAPE, TAPE_RECORD, &err);
		failed = failed || rc == ERR_SYSTEM;
		fitted = rc == 0;
		if (rc != 0 && (rc != ERR_SYSTEM || !strstr(err.text, TAPE) ||
				!strstr(err.text, "File too large"))) {
			fprintf(stderr, "%ld: %d %s\n", (long)limit, rc, err.text);
			_exit(1);
		}
	}
	_exit(fitted && failed ? 0 : 3);
}

START_TEST(what_finds_no_room_is_named)
{
	ck_assert_int_eq(chmod(".", 0777), 0);
	act_as_ordinary(use_little);
	ck_assert_int_eq(use(TAPE, TAPE_REPLAY, NULL), 0);
}
END_TEST

/* --- Others --------------------------------------------------------------------------------- */

/* A process that records: it has collected "a", and goes on when it is told to. */
struct recorder {
	pid_t pid;
	int told[2]; /* by it, that it is so far */
	int ours[2]; /* by us, that it may go on */
};

static void be_recorder(struct recorder *r)
{
	struct tape *t = open_as(TAPE_RECORD);
	char byte;

	close(r->ours[1]);
	expect_out(t, "echo a", "a\n");
	if (write(r->told[1], "x", 1) != 1 || read(r->ours[0], &byte, 1) != 0)
		_exit(1);
	expect_out(t, "echo b", "b\n");
	close_it(t);
	_exit(0);
}

static void start_recorder(struct recorder *r)
{
	char byte;

	ck_assert_int_eq(pipe(r->told), 0);
	ck_assert_int_eq(pipe(r->ours), 0);
	r->pid = fork();
	ck_assert_int_ge(r->pid, 0);
	if (r->pid == 0)
		be_recorder(r);
	close(r->told[1]);
	close(r->ours[0]);
	ck_assert_int_eq(read(r->told[0], &byte, 1), 1);
	close(r->told[0]);
}

static void finish_recorder(struct recorder *r)
{
	int status;

	close(r->ours[1]);
	ck_assert_int_eq(waitpid(r->pid, &status, 0), r->pid);
	ck_assert_int_eq(status, 0);
}

START_TEST(a_second_recorder_is_told_the_first)
{
	struct recorder r;
	char process[40];

	for (int existing = 0; existing < 2; existing++) {
		start_recorder(&r);
		snprintf(process, sizeof(process), "process %ld", (long)r.pid);
		expect_error(TAPE, TAPE_RECORD, ERR_BUSY, process);
		if (existing)
			expect_error(TAPE, TAPE_NEW_EPISODES, ERR_BUSY, process);
		else
			expect_error(TAPE, TAPE_ONCE, ERR_BUSY, process);
		finish_recorder(&r);
	}
}
END_TEST

START_TEST(a_reader_sees_what_a_recorder_has_so_far)
{
	struct recorder r;
	struct tape *t;

	start_recorder(&r);
	t = open_as(TAPE_REPLAY);
	expect_out(t, "echo a", "a\n");
	expect_divergence(t, &(struct tape_command){.argv = SH("echo b")}, TAPE_NO_RECORD);
	finish_recorder(&r);
	/* It has what there was when it was opened; a new one has all. */
	expect_divergence(t, &(struct tape_command){.argv = SH("echo b")}, TAPE_NO_RECORD);
	close_it(t);
	t = open_as(TAPE_REPLAY);
	expect_out(t, "echo a", "a\n");
	expect_out(t, "echo b", "b\n");
	close_it(t);
}
END_TEST

Suite *tape_command_files_suite(void)
{
	Suite *s = suite_create("tape/command_files");
	TCase *all = tcase_create("all");

	tcase_set_timeout(all, 60);
	tcase_add_checked_fixture(all, scratch_enter, scratch_leave);
	tcase_add_test(all, what_is_no_tape_is_an_error);
	tcase_add_test(all, another_version_is_refused);
	tcase_add_test(all, a_damaged_line_is_named);
	tcase_add_test(all, a_torn_last_line_is_a_warning);
	tcase_add_test(all, a_blob_that_is_wrong_is_named);
	tcase_add_test(all, a_directory_that_may_not_be_written_is_named);
	tcase_add_test(all, what_finds_no_room_is_named);
	tcase_add_test(all, a_second_recorder_is_told_the_first);
	tcase_add_test(all, a_reader_sees_what_a_recorder_has_so_far);
	suite_add_tcase(s, all);
	return s;
}
