#include "base/cleanup.h"
#include "base/fs.h"
#include "base/scratch_test.h"
#include "tools/tests.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static void put(const char *path, const char *text)
{
	cleanup_fclose FILE *file = fopen(path, "we");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
}

static void assert_content(const char *path, const char *text)
{
	cleanup_buf struct buf got = BUF_INIT;
	struct error err = {0};

	ck_assert_msg(fs_read_file(path, 1 << 20, &got, &err) == 0, "%s", err.text);
	ck_assert_uint_eq(got.len, strlen(text));
	ck_assert_str_eq(got.data, text);
}

static void assert_missing(const char *path)
{
	struct stat st;

	ck_assert_msg(lstat(path, &st) < 0 && errno == ENOENT, "%s is there", path);
}

static volatile sig_atomic_t signals;

static void count_signal(int signal_number)
{
	(void)signal_number;
	signals++;
}

/* Interrupts its parent, which fills the pipe meanwhile, and only then reads. The status says
 * whether exactly the bytes 0, 1, 2... up to `total` arrived. */
static void be_a_rude_reader(int fd, size_t total)
{
	unsigned char bytes[4096];
	size_t seen = 0;

	for (int i = 0; i < 3; i++) {
		usleep(30000);
		kill(getppid(), SIGUSR1);
	}
	usleep(30000);
	for (ssize_t n; (n = read(fd, bytes, sizeof(bytes))) > 0;)
		for (ssize_t i = 0; i < n; i++, seen++)
			if (bytes[i] != (unsigned char)seen)
				_exit(2);
	_exit(seen == total ? 0 : 1);
}

/* The first signal cuts a write short, the next ones find it blocked with nothing written. */
START_TEST(write_survives_signals_and_short_counts)
{
	static unsigned char bytes[1 << 20];
	/* Without SA_RESTART a blocked write fails with EINTR. */
	struct sigaction action = {.sa_handler = count_signal}, old_action;
	struct error err = {0};
	int ends[2], status, rc;
	pid_t child;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)i;
	signals = 0;
	sigaction(SIGUSR1, &action, &old_action);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		close(ends[1]);
		be_a_rude_reader(ends[0], sizeof(bytes));
	}
	close(ends[0]);
	rc = fs_write_all(ends[1], bytes, sizeof(bytes), "the pipe", &err);
	close(ends[1]);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	sigaction(SIGUSR1, &old_action, NULL);

	ck_assert_msg(rc == 0, "%s", err.text);
	ck_assert_int_gt(signals, 1);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(write_reports_a_full_disk)
{
	cleanup_close int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct error err = {0};

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fs_write_all(fd, "x", 0, "the device", &err), 0);
	ck_assert_int_eq(fs_write_all(fd, "x", 1, "the device", &err), ERR_SYSTEM);
	ck_assert_int_eq(err.sys, ENOSPC);
	ck_assert_ptr_nonnull(strstr(err.text, "the device"));
}
END_TEST

START_TEST(read_gives_the_bytes_after_what_is_there)
{
	cleanup_buf struct buf got = BUF_INIT;
	struct error err = {0};

	ck_assert_int_eq(fs_write_atomic("f", "a\0b", 3, false, &err), 0);
	ck_assert_int_eq(buf_add_str(&got, "old"), 0);
	ck_assert_int_eq(fs_read_file("f", 3, &got, &err), 0);
	ck_assert_uint_eq(got.len, 6);
	ck_assert_mem_eq(got.data, "olda\0b", 7);
}
END_TEST

START_TEST(read_of_an_empty_file_is_an_empty_string)
{
	cleanup_buf struct buf got = BUF_INIT;

	put("empty", "");
	ck_assert_int_eq(fs_read_file("empty", 0, &got, NULL), 0);
	ck_assert_uint_eq(got.len, 0);
	ck_assert_str_eq(got.data, "");
}
END_TEST

START_TEST(read_refuses_more_than_max)
{
	cleanup_buf struct buf got = BUF_INIT;
	struct error err = {0};

	put("f", "12345");
	ck_assert_int_eq(buf_add_str(&got, "kept"), 0);
	ck_assert_int_eq(fs_read_file("f", 4, &got, &err), ERR_LIMIT);
	ck_assert_int_eq(err.code, ERR_LIMIT);
	ck_assert_str_eq(got.data, "kept");
	ck_assert_int_eq(fs_read_file("f", 5, &got, &err), 0);
	ck_assert_str_eq(got.data, "kept12345");
}
END_TEST

/* Files in /proc say that they are empty: the size must come from reading. */
START_TEST(read_does_not_believe_the_size)
{
	cleanup_buf struct buf got = BUF_INIT;
	struct error err = {0};

	ck_assert_int_eq(fs_read_file("/proc/self/status", 1 << 20, &got, &err), 0);
	ck_assert_uint_gt(got.len, 10);
	ck_assert_uint_eq(strlen(got.data), got.len);
	buf_clear(&got);
	ck_assert_int_eq(fs_read_file("/proc/self/status", 10, &got, &err), ERR_LIMIT);
	ck_assert_uint_eq(got.len, 0);
}
END_TEST

START_TEST(read_of_a_large_file)
{
	cleanup_buf struct buf wrote = BUF_INIT, got = BUF_INIT;

	for (int i = 0; i < 60000; i++)
		ck_assert_int_eq(buf_addf(&wrote, "%d\n", i), 0);
	ck_assert_int_eq(fs_write_atomic("f", wrote.data, wrote.len, false, NULL), 0);
	ck_assert_int_eq(fs_read_file("f", SIZE_MAX, &got, NULL), 0);
	ck_assert_uint_eq(got.len, wrote.len);
	ck_assert_mem_eq(got.data, wrote.data, got.len);
}
END_TEST

START_TEST(read_takes_regular_files_only)
{
	cleanup_buf struct buf got = BUF_INIT;
	struct error err = {0};

	ck_assert_int_eq(mkfifo("fifo", 0600), 0);
	ck_assert_int_eq(fs_read_file("fifo", 10, &got, &err), ERR_INVALID);
	ck_assert_int_eq(fs_read_file(".", 10, &got, &err), ERR_INVALID);
	ck_assert_int_eq(fs_read_file("/dev/zero", 10, &got, &err), ERR_INVALID);
	ck_assert_int_eq(fs_read_file("missing", 10, &got, &err), ERR_SYSTEM);
	ck_assert_int_eq(err.sys, ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "missing"));
	ck_assert_ptr_null(got.data);
}
END_TEST

START_TEST(atomic_write_makes_and_replaces)
{
	mode_t umask_before = umask(027);
	struct stat st;

	ck_assert_int_eq(fs_write_atomic("f", "one", 3, _i != 0, NULL), 0);
	umask(umask_before);
	assert_content("f", "one");
	ck_assert_int_eq(stat("f", &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0640);
	ck_assert_int_eq(fs_write_atomic("f", "two and more", 12, _i != 0, NULL), 0);
	assert_content("f", "two and more");
	ck_assert_int_eq(fs_write_atomic("f", NULL, 0, _i != 0, NULL), 0);
	assert_content("f", "");
	ck_assert_uint_eq(entry_count("."), 1);
}
END_TEST

/* The name may be as long as the file system allows, and the path absolute. */
START_TEST(atomic_write_works_for_every_name)
{
	char longest[256], absolute[128];

	memset(longest, 'n', 255);
	longest[255] = '\0';
	ck_assert_int_eq(fs_write_atomic(longest, "long", 4, false, NULL), 0);
	assert_content(longest, "long");
	snprintf(absolute, sizeof(absolute), "%s/f", scratch_path);
	ck_assert_int_eq(fs_write_atomic(absolute, "abs", 3, true, NULL), 0);
	assert_content("f", "abs");
	ck_assert_uint_eq(entry_count("."), 2);
}
END_TEST

START_TEST(atomic_write_replaces_a_link_and_not_its_target)
{
	struct stat st;

	put("target", "old");
	ck_assert_int_eq(symlink("target", "link"), 0);
	ck_assert_int_eq(fs_write_atomic("link", "new", 3, false, NULL), 0);
	ck_assert_int_eq(lstat("link", &st), 0);
	ck_assert(S_ISREG(st.st_mode));
	assert_content("target", "old");
	assert_content("link", "new");
}
END_TEST

START_TEST(atomic_write_that_fails_leaves_the_old_file)
{
	struct rlimit before, small;
	struct error err = {0};
	char bytes[10000] = {0};
	void (*handler)(int);
	int rc;

	put("f", "old");
	/* A file size limit stops the write half-way, for root as well. */
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = (struct rlimit){4096, before.rlim_max};
	handler = signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	rc = fs_write_atomic("f", bytes, sizeof(bytes), false, &err);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, handler);

	ck_assert_int_eq(rc, ERR_SYSTEM);
	ck_assert_int_eq(err.sys, EFBIG);
	assert_content("f", "old");
	ck_assert_uint_eq(entry_count("."), 1);
}
END_TEST

START_TEST(atomic_write_onto_a_directory_fails_and_leaves_nothing)
{
	struct error err = {0};

	ck_assert_int_eq(mkdir("d", 0777), 0);
	ck_assert_int_eq(fs_write_atomic("d", "x", 1, false, &err), ERR_SYSTEM);
	ck_assert_int_eq(err.sys, EISDIR);
	ck_assert_int_eq(fs_write_atomic("d/", "x", 1, false, &err), ERR_SYSTEM);
	ck_assert_uint_eq(entry_count("d"), 0);
	ck_assert_int_eq(fs_write_atomic("", "x", 1, false, &err), ERR_SYSTEM);
	ck_assert_int_eq(err.sys, ENOENT);
	ck_assert_int_eq(fs_write_atomic("none/f", "x", 1, false, &err), ERR_SYSTEM);
	ck_assert_int_eq(err.sys, ENOENT);
	ck_assert_uint_eq(entry_count("."), 1);
}
END_TEST

START_TEST(sync_dir_takes_directories_only)
{
	struct error err = {0};

	ck_assert_int_eq(fs_sync_dir(".", &err), 0);
	put("f", "");
	ck_assert_int_eq(fs_sync_dir("f", &err), ERR_SYSTEM);
	ck_assert_int_eq(err.sys, ENOTDIR);
	ck_assert_int_eq(fs_sync_dir("missing", &err), ERR_SYSTEM);
	ck_assert_int_eq(err.sys, ENOENT);
}
END_TEST

START_TEST(mkdir_all_makes_every_level)
{
	static const char *const paths[] = {
		"a/b/c", "a/b/c", "a/b/c/", "a//b///d", "./e", "a/../f/g", ".", "/", "/tmp",
	};
	char absolute[128];
	struct stat st;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct error err = {0};

		ck_assert_msg(fs_mkdir_all(paths[i], &err) == 0, "%s: %s", paths[i], err.text);
		ck_assert_int_eq(stat(paths[i], &st), 0);
		ck_assert(S_ISDIR(st.st_mode));
	}
	snprintf(absolute, sizeof(absolute), "%s/x/y", scratch_path);
	ck_assert_int_eq(fs_mkdir_all(absolute, NULL), 0);
	ck_assert_int_eq(stat("x/y", &st), 0);
}
END_TEST

START_TEST(mkdir_all_refuses_a_file_in_the_way)
{
	struct error err = {0};

	put("f", "kept");
	ck_assert_int_eq(fs_mkdir_all("f", &err), ERR_SYSTEM);
	ck_assert_int_eq(err.sys, EEXIST);
	ck_assert_int_eq(fs_mkdir_all("f/g", &err), ERR_SYSTEM);
	ck_assert_int_eq(fs_mkdir_all("", &err), ERR_SYSTEM);
	ck_assert_int_eq(err.sys, ENOENT);
	assert_content("f", "kept");
}
END_TEST

/*
 * outside/kept
 * tree/file  tree/.hidden  tree/fifo  tree/deep/er/file
 * tree/to_dir -> ../outside   tree/to_file -> ../outside/kept   tree/dangling -> nowhere
 */
static void make_tree(void)
{
	ck_assert_int_eq(fs_mkdir_all("outside", NULL), 0);
	ck_assert_int_eq(fs_mkdir_all("tree/deep/er", NULL), 0);
	put("outside/kept", "kept");
	put("tree/file", "x");
	put("tree/.hidden", "x");
	put("tree/deep/er/file", "x");
	ck_assert_int_eq(mkfifo("tree/fifo", 0600), 0);
	ck_assert_int_eq(symlink("../outside", "tree/to_dir"), 0);
	ck_assert_int_eq(symlink("../outside/kept", "tree/to_file"), 0);
	ck_assert_int_eq(symlink("nowhere", "tree/dangling"), 0);
}

START_TEST(remove_all_does_not_follow_links)
{
	struct error err = {0};

	make_tree();
	ck_assert_msg(fs_remove_all("tree", &err) == 0, "%s", err.text);
	assert_missing("tree");
	assert_content("outside/kept", "kept");
	ck_assert_uint_eq(entry_count("."), 1);
}
END_TEST

START_TEST(remove_all_of_a_link_removes_the_link)
{
	make_tree();
	ck_assert_int_eq(symlink("outside", "link"), 0);
	ck_assert_int_eq(fs_remove_all("link", NULL), 0);
	assert_missing("link");
	ck_assert_int_eq(symlink("outside", "link"), 0);
	ck_assert_int_eq(fs_remove_all("link//", NULL), 0);
	assert_missing("link");
	assert_content("outside/kept", "kept");
}
END_TEST

START_TEST(remove_all_of_many_entries_and_levels)
{
	cleanup_buf struct buf path = BUF_INIT;
	char name[32];

	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(buf_add_str(&path, "d/"), 0);
	ck_assert_int_eq(fs_mkdir_all(path.data, NULL), 0);
	for (int i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "d/d/%d", i);
		put(name, "");
	}
	ck_assert_int_eq(fs_remove_all("d", NULL), 0);
	ck_assert_uint_eq(entry_count("."), 0);
}
END_TEST

static void make_closed_tree(void)
{
	static const struct {
		const char *dir;
		mode_t mode;
	} dirs[] = {{"c/none/x", 0},	{"c/none", 0},	    {"c/fixed", 0555},
		    {"c/listed", 0444}, {"c/passed", 0111}, {"c", 0500}};

	for (size_t i = 0; i < COUNT(dirs); i++)
		if (fs_mkdir_all(dirs[i].dir, NULL) < 0)
			_exit(3);
	if (close(open("c/fixed/f", O_WRONLY | O_CREAT | O_CLOEXEC, 0400)) < 0 ||
	    close(open("c/listed/f", O_WRONLY | O_CREAT | O_CLOEXEC, 0400)) < 0)
		_exit(4);
	for (size_t i = 0; i < COUNT(dirs); i++)
		if (chmod(dirs[i].dir, dirs[i].mode) < 0)
			_exit(5);
}

static void remove_closed_tree(void)
{
	struct error err = {0};

	make_closed_tree();
	if (unlink("c/fixed/f") == 0 || errno != EACCES)
		_exit(6);
	if (fs_remove_all("c", &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		_exit(7);
	}
	_exit(access("c", F_OK) == 0 ? 8 : 0);
}

START_TEST(remove_all_of_directories_that_are_closed)
{
	ck_assert(geteuid() != 0 || chown(".", 65534, 65534) == 0);
	act_as_ordinary(remove_closed_tree);
	ck_assert_uint_eq(entry_count("."), 0);
}
END_TEST

START_TEST(remove_all_of_other_things)
{
	struct error err = {0};

	put("f", "x");
	ck_assert_int_eq(fs_remove_all("f", &err), 0);
	assert_missing("f");
	ck_assert_int_eq(fs_remove_all("f", &err), 0);
	ck_assert_int_eq(fs_remove_all("no/such/place", &err), 0);
	ck_assert_int_eq(err.code, 0);
	ck_assert_int_eq(fs_remove_all("", &err), ERR_INVALID);
	put("f", "x");
	ck_assert_int_eq(fs_remove_all("f/below", &err), ERR_SYSTEM);
	ck_assert_int_eq(err.sys, ENOTDIR);
	assert_content("f", "x");
}
END_TEST

START_TEST(join_puts_one_slash)
{
	static const char *const rows[][3] = {
		{"a", "b", "a/b"}, {"a/", "b", "a/b"},	{"/", "b", "/b"},
		{"", "b", "b"},	   {"a/b", "", "a/b/"}, {".", "x/y", "./x/y"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cleanup_free char *joined = fs_join(rows[i][0], rows[i][1]);

		ck_assert_str_eq(joined, rows[i][2]);
	}
}
END_TEST

static TCase *scratch_tcase(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, scratch_enter, scratch_leave);
	tcase_set_timeout(tcase, 30);
	suite_add_tcase(suite, tcase);
	return tcase;
}

Suite *base_fs_suite(void)
{
	Suite *suite = suite_create("base_fs");
	TCase *tcase = scratch_tcase(suite, "content");

	tcase_add_test(tcase, write_survives_signals_and_short_counts);
	tcase_add_test(tcase, write_reports_a_full_disk);
	tcase_add_test(tcase, read_gives_the_bytes_after_what_is_there);
	tcase_add_test(tcase, read_of_an_empty_file_is_an_empty_string);
	tcase_add_test(tcase, read_refuses_more_than_max);
	tcase_add_test(tcase, read_does_not_believe_the_size);
	tcase_add_test(tcase, read_of_a_large_file);
	tcase_add_test(tcase, read_takes_regular_files_only);
	tcase_add_loop_test(tcase, atomic_write_makes_and_replaces, 0, 2);
	tcase_add_test(tcase, atomic_write_works_for_every_name);
	tcase_add_test(tcase, atomic_write_replaces_a_link_and_not_its_target);
	tcase_add_test(tcase, atomic_write_that_fails_leaves_the_old_file);
	tcase_add_test(tcase, atomic_write_onto_a_directory_fails_and_leaves_nothing);

	tcase = scratch_tcase(suite, "directories");
	tcase_add_test(tcase, sync_dir_takes_directories_only);
	tcase_add_test(tcase, mkdir_all_makes_every_level);
	tcase_add_test(tcase, mkdir_all_refuses_a_file_in_the_way);
	tcase_add_test(tcase, remove_all_does_not_follow_links);
	tcase_add_test(tcase, remove_all_of_a_link_removes_the_link);
	tcase_add_test(tcase, remove_all_of_many_entries_and_levels);
	tcase_add_test(tcase, remove_all_of_directories_that_are_closed);
	tcase_add_test(tcase, remove_all_of_other_things);
	tcase_add_test(tcase, join_puts_one_slash);
	return suite;
}
