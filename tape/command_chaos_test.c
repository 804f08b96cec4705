/*
 * Memory that runs out at every place there is: whatever is called then says so or succeeds, leaks
 * nothing (the sanitizer and valgrind look), and leaves a tape that can be read.
 */
#include "base/chaos_test.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "tape/command.h"
#include "tape/scratch_test.h"
#include "tools/tests.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAPE "t.tape"

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

static void try_command(struct tape *t, const struct tape_command *command)
{
	struct tape_child *child = NULL;
	struct tape_result got = {0};
	struct error err = {0};

	int rc = tape_spawn(t, command, &child, &err);

	/* It may have to wait for one that could not be answered. */
	if (rc == ERR_DIVERGED && chaos_met())
		return;
	if (chaos_went_well(rc, &err, "spawn") &&
	    chaos_went_well(tape_collect(child, &got, &err), &err, "collect"))
		tape_result_clear(&got);
	tape_child_free(child);
}

static void try_questions(struct tape *t)
{
	char *text = NULL;
	struct error err = {0};

	if (tape_unused(t) > 0 &&
	    chaos_went_well(tape_unused_text(t, 0, &text, &err), &err, "unused"))
		free(text);
}

/* A command that is not there diverges, if there is memory to say so. */
static void try_missing(struct tape *t)
{
	struct tape_child *child = NULL;
	struct error err = {0};
	int rc = tape_spawn(t, &missing, &child, &err);

	chaos_went_well(rc == ERR_DIVERGED ? 0 : rc, &err, "a miss");
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

	if (!chaos_went_well(tape_open(&config, &t, &err), &err, "open"))
		return;
	for (size_t i = 0; i < COMMANDS; i++)
		try_command(t, &commands[i]);
	try_missing(t);
	try_questions(t);
	chaos_went_well(tape_close(t, &err), &err, "close");
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
	enum chaos_kind kind;
} chaos_rows[] = {
	{TAPE_RECORD, false, CHAOS_ONCE},      {TAPE_RECORD, true, CHAOS_FOR_GOOD},
	{TAPE_REPLAY, true, CHAOS_FOR_GOOD},   {TAPE_ONCE, true, CHAOS_ONCE},
	{TAPE_NEW_EPISODES, true, CHAOS_ONCE},
};

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

START_TEST(memory_may_run_out_anywhere)
{
	const struct chaos_row *row = &chaos_rows[_i];
	long call = 0;

	chaos_prepare();
	make_tape();
	do {
		/* What only looks at a tape leaves it; so does what was given up at its beginning.
		 */
		if (row->mode != TAPE_REPLAY || call == 0)
			prepare(row->with_tape);
		chaos_arm(row->kind, call);
		try_tape(row->mode);
		chaos_disarm();
		check_tape(call);
		call++;
	} while (chaos_met() && call < CHAOS_CALLS_MAX);
	ck_assert_int_gt(call, 50);
	ck_assert_int_lt(call, CHAOS_CALLS_MAX);
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
