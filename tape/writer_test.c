#include "base/cleanup.h"
#include "base/fs.h"
#include "tape/files.h"
#include "tape/journal.h"
#include "tape/leftovers.h"
#include "tape/lines.h"
#include "tape/scratch_test.h"
#include "tape/spool.h"
#include "tape/writer.h"
#include "tools/tests.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TAPE	"t.tape"
#define LINES	TAPE "/tape.jsonl"
#define TIMING	TAPE "/timing.jsonl"
#define JOURNAL TAPE "/journal.jsonl"

/* Of a child that ends without freeing it; kept (volatile: really) so that it is not a leak. */
static struct tape_writer *volatile abandoned;

static void assert_file_is(const char *path, const struct buf *wanted)
{
	cleanup_buf struct buf got = BUF_INIT;

	get_file(path, &got);
	assert_same_bytes(got.data, got.len, wanted->data, wanted->len);
}

START_TEST(a_recording_becomes_a_tape)
{
	record(TAPE, "A( A)1 B( C( C)3 B)2 B}9 A( A)4");
	assert_order(TAPE, "A1 B2+9 C3 A4");
	ck_assert(is_file(LINES));
	ck_assert(is_file(TIMING));
	ck_assert(!is_file(JOURNAL));
	ck_assert_uint_eq(entry_count(TAPE), 3);
	ck_assert_uint_eq(entry_count("."), 1);
}
END_TEST

START_TEST(a_trailing_slash_is_no_part_of_the_name)
{
	struct tape_writer *w = writer_at(TAPE "//");

	ck_assert_str_eq(tape_writer_dir(w), TAPE);
	tape_writer_free(w);
	assert_order(TAPE "/", "");
}
END_TEST

START_TEST(equal_commands_get_ordinals)
{
	struct tape_writer *w = writer_at(TAPE);
	struct unit a, b;

	make_unit(&a, "a", "");
	make_unit(&b, "b", "");
	ck_assert_int_eq(tape_writer_spawn(w, &a, NULL), 0);
	ck_assert_uint_eq(a.id.ordinal, 0);
	ck_assert_int_eq(tape_writer_spawn(w, &b, NULL), 0);
	ck_assert_uint_eq(b.id.ordinal, 0);
	ck_assert_int_eq(tape_writer_spawn(w, &a, NULL), 0);
	ck_assert_uint_eq(a.id.ordinal, 1);
	unit_clear(&a);
	unit_clear(&b);
	tape_writer_free(w);
}
END_TEST

START_TEST(what_a_failed_spawn_would_have_been_is_not_counted)
{
	struct tape_writer *w = writer_at(TAPE);
	struct unit bad, good;

	make_unit(&bad, "a", "");
	unit_add_env(&bad, bytes_of_str(""), bytes_of_str("x"));
	ck_assert_int_eq(tape_writer_spawn(w, &bad, NULL), ERR_INVALID);
	make_unit(&good, "a", "");
	ck_assert_int_eq(tape_writer_spawn(w, &good, NULL), 0);
	ck_assert_uint_eq(good.id.ordinal, 0);
	ck_assert_int_eq(tape_writer_finish(w, NULL), 0);
	tape_writer_free(w);
	assert_order(TAPE, "a?");
	unit_clear(&bad);
	unit_clear(&good);
}
END_TEST

START_TEST(without_a_finish_the_journal_is_the_tape)
{
	struct tape_writer *w = writer_at(TAPE);

	play(w, "A( B( B)2 C(");
	assert_order(TAPE, "A? B2 C?");
	tape_writer_free(w);
	assert_order(TAPE, "A? B2 C?");
	ck_assert(!is_file(LINES));
}
END_TEST

/* Runs a recorder that ends in the middle, by a signal or by itself. */
static void record_in_child(const char *events, int signal)
{
	pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (!pid) {
		abandoned = writer_at(TAPE);
		play(abandoned, events);
		if (signal)
			kill(getpid(), signal);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(signal ? WTERMSIG(status) : WEXITSTATUS(status), signal);
}

START_TEST(a_kill_in_the_middle_loses_nothing_that_was_written)
{
	record_in_child("A( A)1 B(", _i ? SIGKILL : 0);
	assert_order(TAPE, "A1 B?");
	record(TAPE, "A( A)1 B( B)2");
	assert_order(TAPE, "A1 B2");
	ck_assert(!is_file(JOURNAL));
}
END_TEST

START_TEST(a_killed_first_recording_is_kept_while_the_next_one_runs)
{
	struct tape_writer *w;

	record_in_child("A( A)1 B(", SIGKILL);
	w = writer_at(TAPE);
	play(w, "C(");
	assert_order(TAPE, "A1 B?");
	tape_writer_free(w);
	assert_order(TAPE, "A1 B?");
}
END_TEST

START_TEST(a_killed_re_recording_leaves_the_tape)
{
	struct tape_reader *r;

	record(TAPE, "A( A)1");
	record_in_child("A( A)2 B(", SIGKILL);
	assert_order(TAPE, "A1");
	r = reader_at(TAPE);
	ck_assert_uint_eq(tape_reader_warning_count(r), 1);
	ck_assert_ptr_nonnull(strstr(tape_reader_warning(r, 0), "journal.jsonl"));
	tape_reader_free(r);
	record(TAPE, "A( A)3");
	assert_order(TAPE, "A3");
	ck_assert(!is_file(JOURNAL));
}
END_TEST

START_TEST(spools_of_a_killed_recorder_are_removed)
{
	record(TAPE, "A( A)1");
	put_file(TAPE "/blobs/.spool.0123456789abcdef", "x", 1);
	put_file(TAPE "/blobs/keep", "x", 1);
	record(TAPE, "A( A)1");
	ck_assert_uint_eq(entry_count(TAPE "/blobs"), 1);
}
END_TEST

START_TEST(a_second_recorder_is_refused_and_told_who_has_the_tape)
{
	int ready[2], done[2];
	struct tape_writer *w = NULL;
	struct tape_head head;
	struct error err = {0};
	char wanted[64], byte;
	pid_t pid;

	if (_i)
		record(TAPE, "A( A)1");
	ck_assert_int_eq(pipe(ready) | pipe(done), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		abandoned = writer_at(TAPE);
		ck_assert_int_eq(write(ready[1], "", 1), 1);
		close(done[1]);
		_exit(read(done[0], &byte, 1) != 0);
	}
	close(done[0]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	make_head(&head);
	ck_assert_int_eq(tape_writer_open(TAPE, &head, false, &w, &err), ERR_BUSY);
	snprintf(wanted, sizeof(wanted), "process %d ", (int)pid);
	ck_assert_msg(strstr(err.text, wanted) != NULL, "%s", err.text);
	close(done[1]);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_int_eq(tape_writer_open(TAPE, &head, false, &w, &err), 0);
	tape_writer_free(w);
	tape_head_clear(&head);
	close(ready[0]);
	close(ready[1]);
}
END_TEST

static int open_error(const char *path, struct error *err)
{
	struct tape_writer *w = NULL;
	struct tape_head head;
	int rc;

	make_head(&head);
	rc = tape_writer_open(path, &head, false, &w, err);
	tape_head_clear(&head);
	ck_assert_ptr_null(w);
	return rc;
}

START_TEST(what_is_no_tape_is_not_touched)
{
	struct error err = {0};

	put_file("file", "x", 1);
	ck_assert_int_eq(mkdir("dir", 0777), 0);
	put_file("dir/precious", "x", 1);
	ck_assert_int_eq(open_error("file", &err), ERR_FORMAT);
	ck_assert_int_eq(open_error("dir", &err), ERR_FORMAT);
	ck_assert_ptr_nonnull(strstr(err.text, "dir is there but is no tape"));
	ck_assert_int_eq(open_error("missing/t.tape", &err), ERR_NOTFOUND);
	ck_assert_ptr_nonnull(strstr(err.text, "missing of the tape"));
	ck_assert_uint_eq(entry_count("dir"), 1);
	ck_assert_uint_eq(entry_count("."), 2);
}
END_TEST

static void put_future(const char *path)
{
	cleanup_buf struct buf line = BUF_INIT;

	line_add(&line, LINE_HEAD, (struct unit_id){0, 0}, bytes_of_str(",\"version\":2"), NULL);
	buf_add_str(&line, "what follows is of the future\n");
	put_file(path, line.data, line.len);
}

START_TEST(a_tape_of_a_newer_version_is_not_overwritten)
{
	cleanup_buf struct buf before = BUF_INIT;

	ck_assert_int_eq(mkdir(TAPE, 0777), 0);
	put_future(_i ? JOURNAL : LINES);
	get_file(_i ? JOURNAL : LINES, &before);
	ck_assert_int_eq(open_error(TAPE, NULL), ERR_VERSION);
	assert_file_is(_i ? JOURNAL : LINES, &before);
}
END_TEST

START_TEST(recording_mends_a_damaged_tape)
{
	record(TAPE, "A( A)1");
	put_file(LINES, "<<<<<<< HEAD\n", 13);
	record(TAPE, "A( A)1");
	assert_order(TAPE, "A1");
}
END_TEST

/* A disk that is full: what was written of a record is taken back, and the next one may fit. */
START_TEST(a_record_that_does_not_fit_leaves_no_torn_line)
{
	struct rlimit before, small;
	cleanup_free char *big = calloc(1, 100001);
	struct tape_writer *w = writer_at(TAPE);
	struct error err = {0};
	struct unit u;
	int rc;

	memset(big, 'x', 100000);
	make_unit(&u, big, "");
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	small = before;
	small.rlim_cur = 50000;
	setrlimit(RLIMIT_FSIZE, &small);
	rc = tape_writer_spawn(w, &u, &err);
	setrlimit(RLIMIT_FSIZE, &before);
	ck_assert_int_eq(rc, ERR_SYSTEM);
	ck_assert_int_eq(err.sys, EFBIG);
	ck_assert_ptr_nonnull(strstr(err.text, JOURNAL));
	play(w, "A( A)1");
	ck_assert_int_eq(tape_writer_finish(w, &err), 0);
	tape_writer_free(w);
	assert_order(TAPE, "A1");
	unit_clear(&u);
	signal(SIGXFSZ, SIG_DFL);
}
END_TEST

/* A new tape as its maker leaves it when it is killed, after so many steps. */
static void put_unfinished(const char *dir, int steps)
{
	char path[64];

	ck_assert_int_eq(mkdir(dir, 0777), 0);
	snprintf(path, sizeof(path), "%s/journal.jsonl", dir);
	if (steps > 0)
		put_file(path, "", 0);
	snprintf(path, sizeof(path), "%s/blobs", dir);
	if (steps > 1)
		ck_assert_int_eq(mkdir(path, 0777), 0);
}

START_TEST(what_killed_recorders_left_is_removed)
{
	for (int existing = 0; existing < 2; existing++) {
		put_unfinished(TAPE ".tmp.0123456789abcdef", 0);
		put_unfinished(TAPE ".tmp.1123456789abcdef", 1);
		put_unfinished(TAPE ".tmp.2123456789abcdef", 2);
		if (existing) {
			put_file(LINES ".new", "x", 1);
			put_file(TIMING ".new", "x", 1);
			put_file(TAPE "/blobs/.spool.0123456789abcdef", "x", 1);
		}
		record(TAPE, "A( A)1");
		ck_assert_uint_eq(entry_count("."), 1);
		ck_assert_uint_eq(entry_count(TAPE), 3);
		ck_assert_uint_eq(entry_count(TAPE "/blobs"), 0);
	}
}
END_TEST

START_TEST(what_only_looks_like_a_leftover_stays)
{
	put_unfinished(TAPE ".tmp.012345678", 2);
	put_unfinished(TAPE ".tmp.X123456789abcdef", 2);
	put_unfinished("other.tape.tmp.0123456789abcdef", 2);
	put_unfinished(TAPE ".tmp.0123456789abcdef", 2);
	put_file(TAPE ".tmp.0123456789abcdef/blobs/mine", "x", 1);
	record(TAPE, "A( A)1");
	ck_assert_uint_eq(entry_count("."), 5);
	ck_assert(is_file(TAPE ".tmp.0123456789abcdef/blobs/mine"));
}
END_TEST

START_TEST(a_new_tape_that_is_being_made_stays)
{
	static const char maker[] = TAPE ".tmp.0123456789abcdef";
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int ready[2];
	pid_t pid;
	char byte;

	put_unfinished(maker, 2);
	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		int fd = open(TAPE ".tmp.0123456789abcdef/journal.jsonl", O_RDWR);

		if (fd < 0 || fcntl(fd, F_SETLK, &lock) < 0 || write(ready[1], "", 1) != 1)
			_exit(1);
		pause();
	}
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	record(TAPE, "A( A)1");
	ck_assert(is_file(TAPE ".tmp.0123456789abcdef/journal.jsonl"));
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	close(ready[0]);
	close(ready[1]);
	record(TAPE, "A( A)1");
	ck_assert_uint_eq(entry_count("."), 1);
}
END_TEST

START_TEST(a_synced_recording_is_a_recording)
{
	struct tape_head head;
	struct tape_writer *w;
	struct unit u;
	struct spool *s;
	char bytes[5000] = "";

	make_head(&head);
	ck_assert_int_eq(tape_writer_open(TAPE, &head, true, &w, NULL), 0);
	make_unit(&u, "A", "");
	ck_assert_int_eq(tape_writer_spawn(w, &u, NULL), 0);
	s = spool_new(tape_writer_dir(w));
	ck_assert_int_eq(spool_add(s, bytes, sizeof(bytes), NULL), 0);
	payload_clear(&u.streams[0].data);
	ck_assert_int_eq(spool_finish(s, NULL, &u.streams[0].data, NULL), 0);
	spool_free(s);
	ck_assert_int_eq(tape_writer_exit(w, &u, NULL), 0);
	u.streams[0].tail = u.streams[0].data;
	ck_assert_int_eq(tape_writer_tail(w, &u, NULL), 0);
	ck_assert_int_eq(tape_writer_finish(w, NULL), 0);
	tape_writer_free(w);
	memset(&u.streams[0].tail, 0, sizeof(u.streams[0].tail));
	unit_clear(&u);
	tape_head_clear(&head);
	assert_order(TAPE, "A");
	ck_assert_uint_eq(entry_count(TAPE "/blobs"), 1);
}
END_TEST

START_TEST(one_process_does_not_record_twice_to_a_tape)
{
	struct tape_writer *first = writer_at("x.tape"), *second = NULL;
	struct tape_head head;
	struct error err = {0};
	char wanted[64];

	make_head(&head);
	snprintf(wanted, sizeof(wanted), "process %ld,", (long)getpid());
	ck_assert_int_eq(tape_writer_open("./x.tape/", &head, false, &second, &err), ERR_BUSY);
	ck_assert_msg(strstr(err.text, wanted) != NULL, "%s", err.text);
	ck_assert_ptr_null(second);
	play(first, "A( A)1");
	ck_assert_int_eq(tape_writer_finish(first, NULL), 0);
	tape_writer_free(first);
	ck_assert_int_eq(tape_writer_open("x.tape", &head, false, &second, NULL), 0);
	tape_writer_free(second);
	tape_head_clear(&head);
	assert_order("x.tape", "A1");
}
END_TEST

/* The lock falls when a process closes any descriptor of the file. */
START_TEST(a_reader_in_the_recorders_process_leaves_it_its_lock)
{
	struct tape_writer *w = writer_at(TAPE);
	struct tape_head head;
	int status;
	pid_t pid;

	play(w, "A( A)1 B(");
	assert_order(TAPE, "A1 B?");
	make_head(&head);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		struct tape_writer *second = NULL;

		_exit(tape_writer_open(TAPE, &head, false, &second, NULL) == ERR_BUSY ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	tape_head_clear(&head);
	ck_assert_int_eq(tape_writer_finish(w, NULL), 0);
	tape_writer_free(w);
	assert_order(TAPE, "A1 B?");
}
END_TEST

START_TEST(a_new_tape_that_another_thread_is_making_stays)
{
	static const char temp[] = TAPE ".tmp.0123456789abcdef";
	struct journal journal;

	ck_assert_int_eq(mkdir(temp, 0777), 0);
	ck_assert_int_eq(journal_open(temp, false, &journal, NULL), 0);
	leftovers_remove_beside(TAPE);
	ck_assert(is_file(TAPE ".tmp.0123456789abcdef/journal.jsonl"));
	journal_close(&journal);
	leftovers_remove_beside(TAPE);
	ck_assert(!is_file(temp));
}
END_TEST

#define MAKERS 8

static void *make_tape(void *head)
{
	struct tape_writer *w = NULL;
	int rc = tape_writer_open(TAPE, head, false, &w, NULL);

	ck_assert_msg(rc == 0 || rc == ERR_BUSY, "%d", rc);
	return w;
}

START_TEST(of_threads_that_make_one_tape_one_gets_it)
{
	pthread_t thread[MAKERS];
	struct tape_writer *writer = NULL;
	struct tape_head head;

	make_head(&head);
	for (int i = 0; i < MAKERS; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, make_tape, &head), 0);
	for (int i = 0; i < MAKERS; i++) {
		void *got;

		ck_assert_int_eq(pthread_join(thread[i], &got), 0);
		ck_assert(!got || !writer);
		writer = got ? got : writer;
	}
	ck_assert_ptr_nonnull(writer);
	play(writer, "A( A)1");
	ck_assert_int_eq(tape_writer_finish(writer, NULL), 0);
	tape_writer_free(writer);
	tape_head_clear(&head);
	assert_order(TAPE, "A1");
	ck_assert_uint_eq(entry_count("."), 1);
}
END_TEST

Suite *tape_writer_suite(void)
{
	Suite *suite = suite_create("tape/writer");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, scratch_enter, scratch_leave);
	tcase_add_test(all, one_process_does_not_record_twice_to_a_tape);
	tcase_add_test(all, a_recording_becomes_a_tape);
	tcase_add_test(all, a_trailing_slash_is_no_part_of_the_name);
	tcase_add_test(all, equal_commands_get_ordinals);
	tcase_add_test(all, what_a_failed_spawn_would_have_been_is_not_counted);
	tcase_add_test(all, without_a_finish_the_journal_is_the_tape);
	tcase_add_loop_test(all, a_kill_in_the_middle_loses_nothing_that_was_written, 0, 2);
	tcase_add_test(all, a_killed_first_recording_is_kept_while_the_next_one_runs);
	tcase_add_test(all, a_killed_re_recording_leaves_the_tape);
	tcase_add_test(all, spools_of_a_killed_recorder_are_removed);
	tcase_add_loop_test(all, a_second_recorder_is_refused_and_told_who_has_the_tape, 0, 2);
	tcase_add_test(all, what_is_no_tape_is_not_touched);
	tcase_add_loop_test(all, a_tape_of_a_newer_version_is_not_overwritten, 0, 2);
	tcase_add_test(all, recording_mends_a_damaged_tape);
	tcase_add_test(all, what_killed_recorders_left_is_removed);
	tcase_add_test(all, what_only_looks_like_a_leftover_stays);
	tcase_add_test(all, a_new_tape_that_is_being_made_stays);
	tcase_add_test(all, a_reader_in_the_recorders_process_leaves_it_its_lock);
	tcase_add_test(all, a_new_tape_that_another_thread_is_making_stays);
	tcase_add_loop_test(all, of_threads_that_make_one_tape_one_gets_it, 0, 20);
	tcase_add_test(all, a_record_that_does_not_fit_leaves_no_torn_line);
	tcase_add_test(all, a_synced_recording_is_a_recording);
	suite_add_tcase(suite, all);
	return suite;
}
