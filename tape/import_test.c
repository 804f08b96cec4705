#include "base/cleanup.h"
#include "tape/scratch_test.h"
#include "tape/tape.h"
#include "tools/tests.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME "h.json"
#define TAPE	  "t.tape"

struct said {
	struct buf text;
};

static void say(void *ctx, enum tape_level level, const char *text)
{
	struct said *s = ctx;

	(void)level;
	buf_addf(&s->text, "%s\n", text);
}

static int import(const char *content, const char *const *env, struct said *said,
		  struct tape_import_result *ret, struct error *err)
{
	const struct tape_import_options options = {.format = "harn",
						    .replace = true,
						    .env = env,
						    .say = said ? say : NULL,
						    .say_ctx = said};

	put_file(FILE_NAME, content, strlen(content));
	return tape_import(FILE_NAME, TAPE, &options, ret, err);
}

static struct tape_reader *imported(const char *content)
{
	struct tape_import_result result;
	struct error err = {0};

	ck_assert_msg(import(content, NULL, NULL, &result, &err) == 0, "%s", err.text);
	return reader_at(TAPE);
}

static void assert_payload(const struct unit *u, int fd, const char *wanted)
{
	const struct stream *s = unit_stream_const(u, fd);

	ck_assert_ptr_nonnull(s);
	ck_assert_int_eq(s->kind, STREAM_PIPE);
	assert_same_bytes(s->data.bytes.data, s->data.bytes.len, wanted, strlen(wanted));
}

#define ENTRY                                                                                      \
	"{\"program\":\"/bin/git\",\"args\":[\"log\",\"\xc3\xbc\"],\"cwd\":null,\"env\":{},"       \
	"\"stdout\":\"out\\n\",\"stderr\":\"err\\n\",\"exit_code\":3,\"duration_ms\":250}"

static void assert_entry(const struct tape_reader *r, size_t index)
{
	struct unit u;

	ck_assert_int_eq(tape_reader_unit(r, index, &u, NULL), 0);
	ck_assert_uint_eq(u.argc, 3);
	ck_assert_str_eq(u.argv[0].data, "/bin/git");
	ck_assert_str_eq(u.argv[2].data, "\xc3\xbc");
	ck_assert(u.cwd_any);
	ck_assert_uint_eq(u.env_count, 0);
	ck_assert_int_eq(u.end.how, END_EXITED);
	ck_assert_int_eq(u.end.code, 3);
	assert_payload(&u, 1, "out\n");
	assert_payload(&u, 2, "err\n");
	ck_assert_ptr_null(unit_stream(&u, 0));
	ck_assert(u.time.known);
	ck_assert_uint_eq(u.time.duration_ns, 250000000);
	ck_assert_str_eq(u.time.program.data, "/bin/git");
	unit_clear(&u);
}

START_TEST(a_process_tape_is_read)
{
	struct tape_reader *r =
		imported("[" ENTRY ",\n {\"program\":\"x\",\"later\":[1]}," ENTRY "]");
	uint64_t start, duration;
	struct unit u;

	ck_assert_uint_eq(tape_reader_count(r), 3);
	ck_assert_uint_eq(tape_reader_warning_count(r), 0);
	ck_assert_str_eq(tape_reader_head(r)->backend, "harn");
	assert_entry(r, 0);
	assert_entry(r, 2);
	/* What is not said has harn's defaults. */
	ck_assert_int_eq(tape_reader_unit(r, 1, &u, NULL), 0);
	ck_assert_uint_eq(u.argc, 1);
	ck_assert(u.cwd_any);
	ck_assert_int_eq(u.end.code, 0);
	assert_payload(&u, 1, "");
	unit_clear(&u);
	/* One after the other. */
	ck_assert(tape_reader_span(r, 2, &start, &duration));
	ck_assert_uint_gt(start, 250000000);
	tape_reader_free(r);
}
END_TEST

#define HEADER "{\"type\":\"header\",\"version\":1,\"harn_version\":\"0.1\",\"argv\":[]}\n"
#define RECORD(KIND)                                                                               \
	"{\"type\":\"record\",\"seq\":0,\"phase\":\"user_script\",\"virtual_time_ms\":1,"          \
	"\"monotonic_ms\":0,\"kind\":" KIND "}\n"
#define SPAWN(OUT)                                                                                 \
	"{\"kind\":\"process_spawn\",\"program\":\"/bin/git\",\"args\":[\"log\",\"\xc3\xbc\"],"    \
	"\"cwd\":null,\"exit_code\":3,\"duration_ms\":250,\"stdout_payload\":" OUT ","             \
	"\"stderr_payload\":{\"content_hash\":\"00\",\"text\":\"err\\n\"}}"
#define INLINE "{\"content_hash\":\"ab\",\"text\":\"out\\n\"}"

START_TEST(an_event_tape_is_read)
{
	struct tape_import_result result;
	struct error err = {0};
	struct tape_reader *r;

	ck_assert_int_eq(mkdir(FILE_NAME ".cas", 0777), 0);
	put_file(FILE_NAME ".cas/0badcafe", "out\n", 4);
	ck_assert_msg(
		import(HEADER RECORD(
			       "{\"kind\":\"clock_sleep\",\"duration_ms\":1}") "\n  \n" RECORD(SPAWN(INLINE))
			       RECORD(SPAWN("{\"content_hash\":\"0badcafe\",\"len_bytes\":4}"))
				       RECORD("{\"kind\":\"of_the_future\"}") "{\"type\":"
									      "\"record\",\"kind\":"
									      "\"process_spawn\","
									      "\"program\":"
									      "\"flat\"}",
		       NULL, NULL, &result, &err) == 0,
		"%s", err.text);
	ck_assert_uint_eq(result.units, 3);
	ck_assert_uint_eq(result.skipped, 2);
	r = reader_at(TAPE);
	assert_entry(r, 0);
	assert_entry(r, 1);
	tape_reader_free(r);
}
END_TEST

START_TEST(roots_are_encoded)
{
	cleanup_free char *here = getcwd(NULL, 0);
	cleanup_buf struct buf content = BUF_INIT;
	struct tape_reader *r;
	struct unit u;

	ck_assert_int_eq(mkdir("sub", 0777), 0);
	ck_assert_int_eq(symlink("sub", "link"), 0);
	buf_addf(&content,
		 "[{\"program\":\"a\",\"args\":[\"%s/f\",\"$WORK\"],\"cwd\":\"%s/link\","
		 "\"stdout\":\"in %s/f\\n\"},{\"program\":\"b\",\"cwd\":\"sub\"}]",
		 here, here, here);
	r = imported(content.data);
	ck_assert_int_eq(tape_reader_unit(r, 0, &u, NULL), 0);
	ck_assert_str_eq(u.argv[1].data, "$WORK/f");
	ck_assert_str_eq(u.argv[2].data, "$$WORK");
	ck_assert_str_eq(u.cwd.data, "$WORK/sub");
	assert_payload(&u, 1, "in $WORK/f\n");
	ck_assert(unit_stream(&u, 1)->data.rooted);
	unit_clear(&u);
	ck_assert_int_eq(tape_reader_unit(r, 1, &u, NULL), 0);
	ck_assert_str_eq(u.cwd.data, "$WORK/sub");
	unit_clear(&u);
	tape_reader_free(r);
}
END_TEST

START_TEST(only_named_variables_count)
{
	static const char content[] = "[{\"program\":\"a\",\"env\":{\"B\":\"2\",\"A\":\"1\"}}]";
	const char *const env[] = {"A", NULL};
	struct tape_import_result result;
	struct said said = {BUF_INIT};
	struct tape_reader *r;
	struct unit u;

	ck_assert_int_eq(import(content, env, &said, &result, NULL), 0);
	ck_assert_ptr_nonnull(strstr(said.text.data, "(B)"));
	ck_assert_ptr_nonnull(strstr(said.text.data, "--env"));
	r = reader_at(TAPE);
	ck_assert_uint_eq(tape_reader_head(r)->env.count, 1);
	ck_assert_int_eq(tape_reader_unit(r, 0, &u, NULL), 0);
	ck_assert_uint_eq(u.env_count, 1);
	ck_assert_str_eq(u.env[0].value.data, "1");
	unit_clear(&u);
	tape_reader_free(r);
	buf_free(&said.text);
}
END_TEST

START_TEST(large_output_is_a_blob)
{
	cleanup_buf struct buf content = BUF_INIT;
	struct payload_view view;
	struct tape_reader *r;
	struct unit u;

	buf_add_str(&content, "[{\"program\":\"a\",\"stdout\":\"");
	for (int i = 0; i < 5000; i++)
		buf_add_char(&content, 'x');
	buf_add_str(&content, "\"}]");
	r = imported(content.data);
	ck_assert_int_eq(tape_reader_unit(r, 0, &u, NULL), 0);
	ck_assert_int_eq(unit_stream(&u, 1)->data.form, PAYLOAD_BLOB);
	ck_assert_int_eq(tape_reader_payload(r, &unit_stream(&u, 1)->data, NULL, &view, NULL), 0);
	ck_assert_uint_eq(view.len, 5000);
	payload_view_clear(&view);
	unit_clear(&u);
	tape_reader_free(r);
}
END_TEST

/* harn has -1 for what a signal ended, and takes the low eight bits for the status. */
START_TEST(codes_are_taken_as_harn_does)
{
	struct tape_reader *r = imported("[{\"program\":\"a\",\"exit_code\":-1},"
					 "{\"program\":\"b\",\"exit_code\":256}]");
	struct unit u;

	ck_assert_int_eq(tape_reader_unit(r, 0, &u, NULL), 0);
	ck_assert_int_eq(u.end.code, 255);
	unit_clear(&u);
	ck_assert_int_eq(tape_reader_unit(r, 1, &u, NULL), 0);
	ck_assert_int_eq(u.end.code, 0);
	unit_clear(&u);
	tape_reader_free(r);
}
END_TEST

START_TEST(no_entries_are_a_tape)
{
	static const char *const contents[] = {"", " \n", "[]", HEADER};

	for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
		struct tape_reader *r = imported(contents[i]);

		ck_assert_uint_eq(tape_reader_count(r), 0);
		tape_reader_free(r);
	}
}
END_TEST

static const struct {
	const char *content;
	int code;
	const char *sentence;
} bad[] = {
	{"hello", ERR_FORMAT, "h.json is no tape of harn"},
	{"[", ERR_FORMAT, "h.json: line 1: "},
	{"[{\"program\":\"a\"},\n\n3]", ERR_FORMAT, "h.json: entry 2: it is no object"},
	{"[{}]", ERR_FORMAT, "entry 1: \"program\" is not the name of a program"},
	{"[{\"program\":\"\"}]", ERR_FORMAT, "\"program\" is not"},
	{"[{\"program\":\"a\\u0000b\"}]", ERR_FORMAT, "\"program\" is not"},
	{"[{\"program\":\"a\",\"program\":\"b\"}]", ERR_FORMAT, "line 1"},
	{"[{\"program\":\"a\",\"args\":{}}]", ERR_FORMAT, "\"args\" is not an array"},
	{"[{\"program\":\"a\",\"args\":[1]}]", ERR_FORMAT, "\"args\" is not made of strings"},
	{"[{\"program\":\"a\",\"cwd\":1}]", ERR_FORMAT, "\"cwd\" is not a path or null"},
	{"[{\"program\":\"a\",\"env\":[]}]", ERR_FORMAT, "\"env\" is not an object"},
	{"[{\"program\":\"a\",\"env\":{\"A\":1}}]", ERR_FORMAT, "\"env\" is not made of"},
	{"[{\"program\":\"a\",\"stdout\":1}]", ERR_FORMAT, "\"stdout\" is not a string"},
	{"[{\"program\":\"a\",\"exit_code\":\"1\"}]", ERR_FORMAT, "\"exit_code\" is not a number"},
	{"[{\"program\":\"a\",\"exit_code\":4294967296}]", ERR_FORMAT, "\"exit_code\""},
	{"[{\"program\":\"a\",\"duration_ms\":-1}]", ERR_FORMAT, "\"duration_ms\" is not a number"},
	{"{\"type\":\"record\"}", ERR_FORMAT, "line 1: this is not the header"},
	{"{\"type\":\"header\",\"version\":2}", ERR_VERSION,
	 "line 1: the tape is of harn's version 2"},
	{"{\"type\":\"header\"}", ERR_FORMAT, "\"version\" is not"},
	{HEADER "{\"type\":\"header\",\"version\":1}", ERR_FORMAT, "line 2: this is not a record"},
	{HEADER "{", ERR_FORMAT, "h.json: line 2: "},
	{HEADER "\n" RECORD("{\"kind\":\"process_spawn\"}"), ERR_FORMAT, "line 3: \"program\""},
	{HEADER RECORD(SPAWN("3")), ERR_FORMAT, "\"stdout_payload\" is not a payload"},
	{HEADER RECORD(SPAWN("{\"content_hash\":\"../x\",\"len_bytes\":1}")), ERR_FORMAT,
	 "\"content_hash\" is not"},
	{HEADER RECORD(SPAWN("{\"content_hash\":\"ab\",\"len_bytes\":1}")), ERR_SYSTEM,
	 "h.json.cas/ab"},
};

START_TEST(what_is_no_tape_of_harn_is_refused)
{
	struct tape_import_result result;
	struct error err = {0};
	int rc = import(bad[_i].content, NULL, NULL, &result, &err);

	ck_assert_msg(rc == bad[_i].code, "%d %s", rc, err.text);
	ck_assert_msg(strstr(err.text, bad[_i].sentence) != NULL, "%s", err.text);
	ck_assert_int_eq(import(bad[_i].content, NULL, NULL, &result, NULL), bad[_i].code);
	ck_assert(!is_file(TAPE));
}
END_TEST

START_TEST(what_is_there_is_not_replaced_unasked)
{
	const struct tape_import_options options = {.format = "harn"};
	const struct tape_import_options another = {.format = "wav"};
	struct tape_import_result result;
	struct error err = {0};

	record(TAPE, "A( A)1");
	put_file(FILE_NAME, "[]", 2);
	ck_assert_int_eq(tape_import(FILE_NAME, TAPE, &options, &result, &err), ERR_EXISTS);
	assert_order(TAPE, "A1");
	ck_assert_int_eq(tape_import("none.json", "new.tape", &options, &result, &err), ERR_SYSTEM);
	ck_assert_ptr_nonnull(strstr(err.text, "none.json"));
	ck_assert_int_eq(tape_import(FILE_NAME, "new.tape", &another, &result, &err), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(err.text, "'wav'"));
	ck_assert(!is_file("new.tape"));
}
END_TEST

Suite *tape_import_suite(void)
{
	Suite *suite = suite_create("tape/import");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, scratch_enter, scratch_leave);
	tcase_add_test(all, a_process_tape_is_read);
	tcase_add_test(all, an_event_tape_is_read);
	tcase_add_test(all, roots_are_encoded);
	tcase_add_test(all, only_named_variables_count);
	tcase_add_test(all, large_output_is_a_blob);
	tcase_add_test(all, codes_are_taken_as_harn_does);
	tcase_add_test(all, no_entries_are_a_tape);
	tcase_add_loop_test(all, what_is_no_tape_of_harn_is_refused, 0,
			    (int)(sizeof(bad) / sizeof(bad[0])));
	tcase_add_test(all, what_is_there_is_not_replaced_unasked);
	suite_add_tcase(suite, all);
	return suite;
}
