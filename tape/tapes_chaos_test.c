/*
 * Memory that runs out while whole tapes are read, compared, changed and made: that is said, and
 * never taken for a damaged tape or another one; nothing leaks, and the tape stays whole.
 */
#include "base/chaos_test.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "tape/codec.h"
#include "tape/lines.h"
#include "tape/scratch_test.h"
#include "tape/spool.h"
#include "tape/tape.h"
#include "tools/tests.h"
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAPE	"t.tape"
#define OTHER	"u.tape"
#define DAMAGED "d.tape"
#define OUT	"out.tape"
#define HARN	"h.json"
#define UNNAMED TAPE "/blobs/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* Long enough for jansson's lexer to want more room in the middle of it. */
#define LONG_TEXT                                                                                  \
	"\\\"one that is longer than sixty-four bytes, so that room is wanted \xc3\xa9\\\""

/* What jansson has to read: bytes that are no text, a terminal, modes, a blob. */
static void write_rich(struct tape_writer *w, const char *tape)
{
	struct spool *s = spool_new(tape);
	struct chunk chunk = {.fd = 1, .len = 5};
	char large[5000];
	struct error err = {0};
	struct stream *out;
	struct unit u;

	make_unit(&u, "/bin/\xff\xfe", "");
	unit_add_arg(&u, LONG_TEXT, sizeof(LONG_TEXT) - 1);
	unit_add_env(&u, bytes_of_str("LANG_AND_A_LONGER_NAME"), bytes_of_str(LONG_TEXT));
	out = unit_stream(&u, 1);
	out->kind = STREAM_TTY;
	out->rows = 24;
	memset(large, 'x', sizeof(large));
	ck_assert_int_eq(spool_add(s, large, sizeof(large), &err), 0);
	payload_clear(&out->data);
	ck_assert_int_eq(spool_finish(s, NULL, &out->data, &err), 0);
	spool_free(s);
	set_payload(&unit_add_stream(&u, 0)->data, "\0\xff", 2);
	unit_add_signal(&u, SIGUSR1);
	unit_add_mode(&u, MODE_NOW, (struct bytes){large, 36});
	unit_add_order(&u, &chunk);
	ck_assert_int_eq(tape_writer_spawn(w, &u, &err), 0);
	u.time.known = true;
	buf_add_str(&u.time.program, "/bin/\xff\xfe");
	unit_add_chunk_apart(&u, CHUNK_SIGNAL, SIGUSR1, 1);
	unit_add_chunk(&u, 1, 5, 2);
	ck_assert_int_eq(tape_writer_exit(w, &u, &err), 0);
	unit_clear(&u);
}

static void make_tape(const char *path, const char *events)
{
	struct tape_writer *w = writer_at(path);
	struct error err = {0};

	play(w, events);
	write_rich(w, path);
	ck_assert_msg(tape_writer_finish(w, &err) == 0, "%s", err.text);
	tape_writer_free(w);
}

/* Sealed as it should be, but of an end that cannot be. */
static void make_damaged(void)
{
	static const char *const names[] = {"A", "B", "C", "D"};
	cleanup_buf struct buf lines = BUF_INIT;
	struct error err;

	line_add(&lines, LINE_HEAD, (struct unit_id){0, 0}, bytes_of_str(",\"version\":1"), &err);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct unit u = command_of(names[i], "$WORK");

		ck_assert_int_eq(codec_write_spawn(&lines, &u, &err), 0);
		line_add(&lines, LINE_EXIT, u.id, bytes_of_str(",\"code\":\"0\""), &err);
		unit_clear(&u);
	}
	ck_assert_int_eq(fs_mkdir_all(DAMAGED, &err), 0);
	put_file(DAMAGED "/tape.jsonl", lines.data, lines.len);
}

static void prepare(void)
{
	static const char harn[] =
		"[{\"program\":\"git\",\"args\":[\"" LONG_TEXT "\"],\"cwd\":null,\"stdout\":\"x\","
		"\"exit_code\":12,\"duration_ms\":1234567,\"at\":123456789012345678}]";

	make_tape(TAPE, "A( A)1 B( B|2 C( C)3 C}4 A( A)5");
	make_tape(OTHER, "A( A)1 D( D)2 A( A)7");
	make_damaged();
	put_file(UNNAMED, "left", 4);
	put_file(HARN, harn, strlen(harn));
}

/* --- What is tried: each tells whether it succeeded, and what came of it ------------------------
 */

/* What came of it is not what is tried. */
static void note(struct buf *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void note(struct buf *out, const char *format, ...)
{
	bool was_armed = chaos_disarm();
	char text[1000];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	ck_assert_int_eq(buf_add_str(out, text), 0);
	if (was_armed)
		chaos_rearm();
}

static void say(void *ctx, enum tape_level level, const char *text)
{
	(void)level;
	chaos_disarm();
	ck_abort_msg("%s: %s", (const char *)ctx, text);
}

static void add_finding(void *ctx, enum tape_finding kind, const char *text)
{
	struct buf *found = ctx;

	note(found, "%d %s\n", kind, text);
}

static bool check_it(const char *path, struct buf *ret)
{
	const struct tape_check_options options = {.find = add_finding, .find_ctx = ret};
	struct tape_check_result result;
	struct error err = {0};

	if (!chaos_went_well(tape_check(path, &options, &result, &err), &err, "check"))
		return false;
	note(ret, "%zu %zu %zu %zu", result.units, result.blobs, result.damages, result.notes);
	return true;
}

static bool try_check(struct buf *ret)
{
	return check_it(TAPE, ret);
}

/* All that is wrong is told, or that there was no memory. */
static bool try_check_damaged(struct buf *ret)
{
	return check_it(DAMAGED, ret);
}

static bool try_show(struct buf *ret)
{
	struct tape_reader *reader = NULL;
	struct error err = {0};
	bool good = chaos_went_well(tape_reader_open(TAPE, &reader, &err), &err, "open");

	for (size_t i = 0; good && i < tape_reader_count(reader); i++) {
		char *json = NULL;

		good = chaos_went_well(tape_reader_json(reader, i, &json, &err), &err, "json");
		note(ret, "%s\n", good ? json : "");
		free(json);
	}
	for (size_t i = 0; good && i < tape_reader_warning_count(reader); i++)
		note(ret, "%s\n", tape_reader_warning(reader, i));
	tape_reader_free(reader);
	return good;
}

static void add_difference(void *ctx, const struct tape_difference *d)
{
	struct buf *told = ctx;

	note(told, "%s\n", d->text);
}

static bool try_diff(struct buf *ret)
{
	const struct tape_diff_options options = {.fidelity = TAPE_BYTE,
						  .tell = add_difference,
						  .tell_ctx = ret,
						  .say = say,
						  .say_ctx = "diff"};
	struct tape_diff_result result;
	struct error err = {0};

	if (!chaos_went_well(tape_diff(TAPE, OTHER, &options, &result, &err), &err, "diff"))
		return false;
	note(ret, "%zu %zu %zu", result.differences, result.alike, result.only_b);
	return true;
}

static bool try_gc(struct buf *ret)
{
	const struct tape_gc_options options = {0};
	struct tape_gc_result result;
	struct error err = {0};

	if (!chaos_went_well(tape_gc(TAPE, &options, &result, &err), &err, "gc"))
		return false;
	note(ret, "%zu %zu", result.blobs, result.leftovers);
	return true;
}

static bool try_merge(struct buf *ret)
{
	static const char *const tapes[] = {TAPE, OTHER, NULL};
	const struct tape_merge_options options = {.replace = true};
	struct tape_merge_result result;
	struct error err = {0};

	if (!chaos_went_well(tape_merge(OUT, tapes, &options, &result, &err), &err, "merge"))
		return false;
	note(ret, "%zu %zu %zu", result.units, result.duplicates, result.conflicts);
	return true;
}

static bool try_import(struct buf *ret)
{
	const struct tape_import_options options = {
		.format = "harn", .replace = true, .say = say, .say_ctx = "import"};
	struct tape_import_result result;
	struct error err = {0};

	if (!chaos_went_well(tape_import(HARN, OUT, &options, &result, &err), &err, "import"))
		return false;
	note(ret, "%zu", result.units);
	return true;
}

static bool try_migrate(struct buf *ret)
{
	struct tape_migrate_result result;
	struct error err = {0};

	if (!chaos_went_well(tape_migrate(TAPE, &result, &err), &err, "migrate"))
		return false;
	note(ret, "%d %d", result.version, result.steps);
	return true;
}

static bool try_again(struct buf *ret)
{
	const struct tape_options options = {.tape = TAPE,
					     .argv = (char *const[]){(char *)"a b", NULL}};
	char *command = NULL;
	struct error err = {0};

	if (!chaos_went_well(tape_record_again(&options, &command, &err), &err, "again"))
		return false;
	note(ret, "%s", command);
	free(command);
	return true;
}

static const struct chaos_row {
	bool (*attempt)(struct buf *ret);
	long least; /* calls at which memory may run out */
	bool changes;
} rows[] = {
	{try_check, 100, false}, {try_show, 100, false}, {try_diff, 100, false},
	{try_gc, 40, true},	 {try_merge, 100, true}, {try_import, 30, true},
	{try_migrate, 5, false}, {try_again, 5, false},	 {try_check_damaged, 30, false},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void begin(const struct chaos_row *row)
{
	ck_assert_int_eq(fs_remove_all(OUT, NULL), 0);
	if (row->changes)
		put_file(UNNAMED, "left", 4);
}

/* Whatever failed, what is there is whole. */
static void assert_whole(const char *path)
{
	cleanup_buf struct buf found = BUF_INIT;
	const struct tape_check_options options = {.find = add_finding, .find_ctx = &found};
	struct tape_check_result result;
	struct error err = {0};
	int rc = tape_check(path, &options, &result, &err);

	ck_assert_msg(rc == 0 || (rc == ERR_NOTFOUND && strcmp(path, OUT) == 0), "%s", err.text);
	ck_assert_msg(rc < 0 || result.damages == 0, "%s: %s", path, found.data);
}

static void attempt(const struct chaos_row *row, enum chaos_kind kind, long call,
		    const struct buf *wanted)
{
	cleanup_buf struct buf got = BUF_INIT;
	bool good;

	begin(row);
	chaos_arm(kind, call);
	good = row->attempt(&got);
	chaos_disarm();
	if (good)
		ck_assert_msg(strcmp(got.data, wanted->data) == 0,
			      "call %ld, %d:\n%s\nand not:\n%s", call, kind, got.data,
			      wanted->data);
	assert_whole(TAPE);
	assert_whole(OUT);
}

START_TEST(the_want_of_memory_is_no_damage)
{
	const struct chaos_row *row = &rows[_i / 3];
	enum chaos_kind kind = (enum chaos_kind)(_i % 3);
	cleanup_buf struct buf wanted = BUF_INIT;
	long call = 0;

	chaos_prepare();
	prepare();
	begin(row);
	ck_assert(row->attempt(&wanted));
	do
		attempt(row, kind, call++, &wanted);
	while (chaos_met() && call < CHAOS_CALLS_MAX);
	ck_assert_int_gt(call, row->least);
	ck_assert_int_lt(call, CHAOS_CALLS_MAX);
}
END_TEST

Suite *tape_tapes_chaos_suite(void)
{
	Suite *suite = suite_create("tape/tapes_chaos");
	TCase *all = tcase_create("all");

	tcase_set_timeout(all, 60);
	tcase_add_checked_fixture(all, scratch_enter, scratch_leave);
	tcase_add_loop_test(all, the_want_of_memory_is_no_damage, 0, (int)(3 * ROWS));
	suite_add_tcase(suite, all);
	return suite;
}
