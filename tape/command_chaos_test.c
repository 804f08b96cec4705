/*
 * Memory that runs out at every place there is: whatever is called then says so or succeeds, leaks
 * nothing (the sanitizer and valgrind look), and leaves a tape that can be read.
 *
 * The test program is linked with --wrap for all that asks for memory (the Makefile's CHAOS_CALLS),
 * and jansson is given our malloc.
 */
#include "base/cleanup.h"
#include "base/fs.h"
#include "tape/command.h"
#include "tape/scratch_test.h"
#include "tools/tests.h"
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAPE	  "t.tape"
#define CALLS_MAX 20000 /* a scenario makes fewer */

/* --- Failing -------------------------------------------------------------------------------- */

/* Which call fails: counted down to 0; below that, none does, or all do. */
static atomic_long left = -1;
static atomic_bool for_good;
static atomic_bool armed;
static atomic_bool met;

static bool fails(void)
{
	if (!armed)
		return false;
	if (atomic_fetch_sub(&left, 1) > 0)
		return false;
	if (met && !for_good)
		return false;
	met = true;
	errno = ENOMEM;
	return true;
}

static void arm(long call, bool and_all_after)
{
	left = call;
	for_good = and_all_after;
	met = false;
	armed = true;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);
char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
char *__real_strndup(const char *text, size_t size);
char *__wrap_strndup(const char *text, size_t size);
int __real_vasprintf(char **ret, const char *format, va_list args);
int __wrap_vasprintf(char **ret, const char *format, va_list args);
char *__real_realpath(const char *path, char *resolved);
char *__wrap_realpath(const char *path, char *resolved);
DIR *__real_opendir(const char *name);
DIR *__wrap_opendir(const char *name);
int __real_posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions, int fd, int to);
int __wrap_posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions, int fd, int to);
int __real_posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *actions,
						const char *path);
int __wrap_posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *actions,
						const char *path);

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return fails() ? NULL : __real_realloc(old, size);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
	return fails() ? NULL : __real_reallocarray(old, count, size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t size)
{
	return fails() ? NULL : __real_strndup(text, size);
}

int __wrap_vasprintf(char **ret, const char *format, va_list args)
{
	return fails() ? -1 : __real_vasprintf(ret, format, args);
}

char *__wrap_realpath(const char *path, char *resolved)
{
	return fails() ? NULL : __real_realpath(path, resolved);
}

DIR *__wrap_opendir(const char *name)
{
	return fails() ? NULL : __real_opendir(name);
}

int __wrap_posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions, int fd, int to)
{
	return fails() ? ENOMEM : __real_posix_spawn_file_actions_adddup2(actions, fd, to);
}

int __wrap_posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *actions,
						const char *path)
{
	return fails() ? ENOMEM : __real_posix_spawn_file_actions_addchdir_np(actions, path);
}

/* --- What is tried -------------------------------------------------------------------------- */

static const char large[10000] = "large"; /* goes into a blob */

static const char *const counted[] = {"FRUIT", NULL};
static const char *const roots[] = {"DATA=/usr", NULL};

static const struct tape_command commands[] = {
	{.argv = (const char *const[]){"cat", NULL}, .input = large, .input_len = sizeof(large)},
	{.argv = (const char *const[]){"printf", "\\377 /usr/x", NULL},
	 .env = (const char *const[]){"FRUIT=fig", "PATH=/usr/bin:/bin", NULL},
	 .cwd = "/usr"},
	{.argv = (const char *const[]){"no-such-program", "\xff\xfe", NULL}, .merge = true},
};

static const struct tape_command missing = {
	.argv = (const char *const[]){"cat", NULL}, .input = "other", .input_len = 5};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* Anything else than a success or the want of memory ends the test. */
static bool went_well(int rc, const struct error *err, const char *what)
{
	armed = false;
	ck_assert_msg(rc == 0 || rc == ERR_NOMEM, "%s: %d %s", what, rc, err->text);
	ck_assert_msg(rc == 0 || met, "%s: %s, but there was memory", what, err->text);
	armed = true;
	return rc == 0;
}

static void try_command(struct tape *t, const struct tape_command *command)
{
	struct tape_child *child = NULL;
	struct tape_result got = {0};
	struct error err = {0};

	int rc = tape_spawn(t, command, &child, &err);

	/* It may have to wait for one that could not be answered. */
	if (rc == ERR_DIVERGED && met)
		return;
	if (went_well(rc, &err, "spawn") &&
	    went_well(tape_collect(child, &got, &err), &err, "collect"))
		tape_result_clear(&got);
	tape_child_free(child);
}

static void try_questions(struct tape *t)
{
	char *text = NULL;
	struct error err = {0};

	if (tape_unused(t) > 0 && went_well(tape_unused_text(t, 0, &text, &err), &err, "unused"))
		free(text);
}

/* A command that is not there diverges, if there is memory to say so. */
static void try_missing(struct tape *t)
{
	struct tape_child *child = NULL;
	struct error err = {0};
	int rc = tape_spawn(t, &missing, &child, &err);

	went_well(rc == ERR_DIVERGED ? 0 : rc, &err, "a miss");
	tape_child_free(child);
}

static void try_tape(enum tape_mode mode)
{
	const struct tape_config config = {.tape = TAPE,
					   .mode = mode,
					   .env = counted,
					   .roots = roots,
					   .order = TAPE_ORDER_CAUSAL};
	struct tape *t = NULL;
	struct error err = {0};

	if (!went_well(tape_open(&config, &t, &err), &err, "open"))
		return;
	for (size_t i = 0; i < COMMANDS; i++)
		try_command(t, &commands[i]);
	try_missing(t);
	try_questions(t);
	went_well(tape_close(t, &err), &err, "close");
	tape_free(t);
}

/* Whether all of what is on the tape can be read; no tape is fine, too. */
static void check_tape(long call)
{
	struct tape_reader *reader = NULL;
	struct error err = {0};
	int rc = tape_reader_open(TAPE, &reader, &err);

	ck_assert_msg(rc == 0 || rc == ERR_NOTFOUND, "call %ld: %s", call, err.text);
	for (size_t i = 0; rc == 0 && i < tape_reader_count(reader); i++) {
		char *json = NULL;

		ck_assert_msg(tape_reader_json(reader, i, &json, &err) == 0, "call %ld: %s", call,
			      err.text);
		free(json);
	}
	tape_reader_free(reader);
}

#define MADE "made.tape"

static void make_tape(void)
{
	const struct tape_config config = {
		.tape = MADE, .mode = TAPE_RECORD, .env = counted, .roots = roots};
	struct tape *t = NULL;
	struct error err = {0};

	ck_assert_msg(tape_open(&config, &t, &err) == 0, "%s", err.text);
	for (size_t i = 0; i < COMMANDS; i++) {
		struct tape_result got;

		ck_assert_int_eq(tape_run(t, &commands[i], &got, NULL), 0);
		tape_result_clear(&got);
	}
	ck_assert_int_eq(tape_close(t, NULL), 0);
	tape_free(t);
}

static void copy(const char *name)
{
	cleanup_free char *from = fs_join(MADE, name);
	cleanup_free char *to = fs_join(TAPE, name);
	cleanup_buf struct buf bytes = BUF_INIT;

	get_file(from, &bytes);
	put_file(to, bytes.data, bytes.len);
}

static void copy_tape(void)
{
	cleanup_closedir DIR *blobs = opendir(MADE "/blobs");
	struct dirent *entry;

	ck_assert_int_eq(fs_mkdir_all(TAPE "/blobs", NULL), 0);
	copy("tape.jsonl");
	copy("timing.jsonl");
	while ((entry = readdir(blobs))) {
		char name[300];

		snprintf(name, sizeof(name), "blobs/%s", entry->d_name);
		if (entry->d_name[0] != '.')
			copy(name);
	}
}

static void prepare(bool with_tape)
{
	ck_assert_int_eq(fs_remove_all(TAPE, NULL), 0);
	if (with_tape)
		copy_tape();
}

static const struct chaos_row {
	enum tape_mode mode;
	bool with_tape; /* there is one before */
	bool for_good;	/* there is no memory ever after */
} chaos_rows[] = {
	{TAPE_RECORD, false, false}, {TAPE_RECORD, true, true},	       {TAPE_REPLAY, true, true},
	{TAPE_ONCE, true, false},    {TAPE_NEW_EPISODES, true, false},
};

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

START_TEST(memory_may_run_out_anywhere)
{
	const struct chaos_row *row = &chaos_rows[_i];
	long call = 0;

	json_set_alloc_funcs(__wrap_malloc, free);
	make_tape();
	do {
		/* What only looks at a tape leaves it; so does what was given up at its beginning.
		 */
		if (row->mode != TAPE_REPLAY || call == 0)
			prepare(row->with_tape);
		arm(call, row->for_good);
		try_tape(row->mode);
		armed = false;
		check_tape(call);
		call++;
	} while (met && call < CALLS_MAX);
	ck_assert_int_gt(call, 50);
	ck_assert_int_lt(call, CALLS_MAX);
}
END_TEST

Suite *tape_command_chaos_suite(void)
{
	Suite *s = suite_create("tape/command_chaos");
	TCase *all = tcase_create("all");

	tcase_set_timeout(all, 60);
	tcase_add_checked_fixture(all, scratch_enter, scratch_leave);
	tcase_add_loop_test(all, memory_may_run_out_anywhere, 0, COUNT(chaos_rows));
	suite_add_tcase(s, all);
	return s;
}
