#include "base/cleanup.h"
#include "tape/denied.h"
#include "tape/scratch_test.h"
#include "tools/tests.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

#define TAPE "t.tape"

/* The only unit of a tape, as JSON. */
static char *json_of(struct unit *u)
{
	struct tape_writer *w = writer_at(TAPE);
	struct error err = {0};
	struct tape_reader *r;
	char *json = NULL;

	ck_assert_msg(tape_writer_spawn(w, u, &err) == 0, "%s", err.text);
	if (u->end.how != END_UNFINISHED)
		ck_assert_msg(tape_writer_exit(w, u, &err) == 0, "%s", err.text);
	for (size_t i = 0; i < u->stream_count; i++) {
		if (u->streams[i].tail.form != PAYLOAD_EMPTY)
			ck_assert_int_eq(tape_writer_tail(w, u, &err), 0);
	}
	if (u->late_count)
		ck_assert_int_eq(tape_writer_tail(w, u, &err), 0);
	ck_assert_msg(tape_writer_finish(w, &err) == 0, "%s", err.text);
	tape_writer_free(w);
	r = reader_at(TAPE);
	ck_assert_msg(tape_reader_json(r, 0, &json, &err) == 0, "%s", err.text);
	tape_reader_free(r);
	return json;
}

static void assert_has(struct unit *u, const char *part)
{
	cleanup_free char *json = json_of(u);

	ck_assert_msg(strstr(json, part) != NULL, "%s", json);
}

START_TEST(a_unit_is_one_line)
{
	cleanup_free char *json = NULL;
	struct unit u;

	make_unit(&u, "git", "a \"b\"\n");
	unit_add_arg(&u, "log", 3);
	unit_add_env(&u, bytes_of_str("TZ"), bytes_of_str("UTC"));
	unit_add_env(&u, bytes_of_str("LANG"), bytes_of_str(""));
	json = json_of(&u);
	ck_assert_ptr_null(strchr(json, '\n'));
	memset(strstr(json, "\"id\":\"") + 6, '_', 16);
	ck_assert_str_eq(
		json, "{\"id\":\"________________.0\",\"parent\":\"0\",\"argv\":[\"git\",\"log\"],"
		      "\"cwd\":\"$WORK\",\"env\":{\"LANG\":\"\",\"TZ\":\"UTC\"},\"code\":0,"
		      "\"signal\":null,\"duration_ns\":0,\"start_ns\":0,\"program\":\"\","
		      "\"stdout\":\"a \\\"b\\\"\\n\",\"stdout_encoding\":\"text\","
		      "\"stdout_kind\":\"pipe\"}");
	unit_clear(&u);
}
END_TEST

static const struct {
	struct unit_end end;
	const char *part;
} end_rows[] = {
	{{END_EXITED, .code = 255}, "\"code\":255,\"signal\":null,\"duration_ns\""},
	{{END_SIGNALED, .signal = SIGTERM}, "\"code\":null,\"signal\":\"SIGTERM\",\"duration_ns\""},
	{{END_SIGNALED, .signal = SIGKILL, .timeout = true},
	 "\"code\":null,\"signal\":\"SIGKILL\",\"timeout\":true,\"duration_ns\""},
	{{END_SIGNALED, .signal = SIGSEGV, .core = true},
	 "\"code\":null,\"signal\":\"SIGSEGV\",\"core\":true,\"duration_ns\""},
	{{END_EXEC_FAILED, .exec_errno = EACCES},
	 "\"code\":null,\"signal\":null,\"error\":\"EACCES\",\"duration_ns\""},
	{{.how = END_UNFINISHED},
	 "\"code\":null,\"signal\":null,\"unfinished\":true,\"duration_ns\":null"},
};

START_TEST(the_end_is_shown)
{
	struct unit u;

	make_unit(&u, "x", "");
	u.end = end_rows[_i].end;
	assert_has(&u, end_rows[_i].part);
	unit_clear(&u);
}
END_TEST

START_TEST(bytes_that_are_no_text_are_base64)
{
	struct unit u;

	make_unit(&u, "x", "");
	set_payload(&unit_stream(&u, 1)->data, "\xff\0", 2);
	unit_add_arg(&u, "\xfe", 1);
	unit_add_env(&u, bytes_of_str("A"), bytes_of_str("\xfd"));
	assert_has(&u, "\"argv\":[\"x\",{\"base64\":\"/g==\"}]");
	assert_has(&u, "\"env\":{\"A\":{\"base64\":\"/Q==\"}}");
	assert_has(&u, "\"stdout\":\"/wA=\",\"stdout_encoding\":\"base64\"");
	unit_clear(&u);
}
END_TEST

START_TEST(nul_is_text)
{
	struct unit u;

	make_unit(&u, "x", "");
	set_payload(&unit_stream(&u, 1)->data, "a\0b", 3);
	assert_has(&u, "\"stdout\":\"a\\u0000b\",\"stdout_encoding\":\"text\"");
	unit_clear(&u);
}
END_TEST

START_TEST(streams_tails_and_signals_are_shown)
{
	cleanup_free char *json = NULL;
	struct unit u;

	make_unit(&u, "x", "out");
	set_payload(&unit_stream(&u, 1)->tail, "late", 4);
	unit_add_stream(&u, 0)->kind = STREAM_NULL;
	unit_add_stream(&u, 2)->kind = STREAM_SAME;
	unit_stream(&u, 2)->same_as = 1;
	unit_add_signal(&u, SIGTERM);
	unit_add_signal(&u, SIGRTMIN + 3);
	unit_add_stop(&u, SIGTSTP);
	unit_add_sent(&u, SIGUSR2);
	json = json_of(&u);
	ck_assert_msg(strstr(json, "\"stops\":[\"SIGTSTP\"]") != NULL, "%s", json);
	ck_assert_msg(strstr(json, "\"sent\":[\"SIGUSR2\"]") != NULL, "%s", json);
	ck_assert_msg(strstr(json, "\"signals\":[\"SIGTERM\",\"SIGRTMIN+3\"]") != NULL, "%s", json);
	ck_assert_msg(strstr(json, "\"stdin\":\"\",\"stdin_encoding\":\"text\",\"stdin_kind\":"
				   "\"null\"") != NULL,
		      "%s", json);
	ck_assert_msg(strstr(json, "\"stdout_tail\":\"late\",\"stdout_tail_encoding\":\"text\"") !=
			      NULL,
		      "%s", json);
	ck_assert_msg(strstr(json, "\"stderr_kind\":\"same\"") != NULL, "%s", json);
	unit_clear(&u);
}
END_TEST

START_TEST(what_it_was_denied_is_shown)
{
	cleanup_free char *json = NULL;
	struct unit_denial *d;
	struct unit u;

	make_unit(&u, "x", "");
	d = denied_append(&u);
	buf_add_str(&d->text[DENIED_MECHANISM], "landlock-fs");
	buf_add_str(&d->text[DENIED_WHAT], "$WORK/$$a");
	buf_add_str(&d->text[DENIED_POLICY], "{\"fs\": {\"read\": [\"$WORK/$$a\"]}}");
	d->error = EACCES;
	d = denied_append_late(&u);
	buf_add_str(&d->text[DENIED_MECHANISM], "seccomp");
	buf_add_str(&d->text[DENIED_WHAT], "$WORK/late");
	json = json_of(&u);
	ck_assert_msg(strstr(json, "\"denied\":[{\"mechanism\":\"landlock-fs\",\"what\":"
				   "\"$WORK/$a\",\"policy\":{\"fs\":{\"read\":[\"$WORK/$a\"]}},"
				   "\"error\":\"EACCES\"}],\"denied_tail\":[{"
				   "\"mechanism\":\"seccomp\",\"what\":\"$WORK/late\"}]") != NULL,
		      "%s", json);
	unit_clear(&u);
}
END_TEST

START_TEST(a_stream_that_is_not_there_is_not_shown)
{
	cleanup_free char *json = NULL;
	struct unit u;

	make_unit(&u, "x", "out");
	json = json_of(&u);
	ck_assert_ptr_null(strstr(json, "stdin"));
	ck_assert_ptr_null(strstr(json, "stderr"));
	ck_assert_ptr_null(strstr(json, "signals"));
	ck_assert_ptr_null(strstr(json, "tail"));
	unit_clear(&u);
}
END_TEST

START_TEST(a_unit_for_any_directory_has_no_cwd)
{
	struct unit u;

	make_unit(&u, "x", "");
	buf_clear(&u.cwd);
	u.cwd_any = true;
	assert_has(&u, "\"cwd\":null");
	unit_clear(&u);
}
END_TEST

/* The tape is shown as it is, whatever the roots of this host are. */
START_TEST(placeholders_are_shown_as_such)
{
	struct unit u;

	make_unit(&u, "x", "$WORK/a $$HOME");
	unit_stream(&u, 1)->data.rooted = true;
	assert_has(&u, "\"stdout\":\"$WORK/a $HOME\"");
	unit_clear(&u);
}
END_TEST

START_TEST(a_blob_is_shown_whole)
{
	cleanup_free char *json = NULL;
	char text[10001];
	struct unit u;

	record(TAPE, "");
	memset(text, 'y', 10000);
	text[10000] = '\0';
	make_unit(&u, "x", "");
	set_spooled(&unit_stream(&u, 1)->data, TAPE, text, 10000, NULL);
	json = json_of(&u);
	ck_assert_ptr_nonnull(strstr(json, text));
	unit_clear(&u);
}
END_TEST

START_TEST(a_missing_blob_is_an_error)
{
	struct tape_writer *w = writer_at(TAPE);
	struct tape_reader *r;
	struct error err = {0};
	struct payload *p;
	char *json = NULL;
	struct unit u;

	make_unit(&u, "x", "");
	p = &unit_stream(&u, 1)->data;
	p->form = PAYLOAD_BLOB;
	p->size = 5000;
	memset(p->sha256, 'a', 64);
	ck_assert_int_eq(tape_writer_spawn(w, &u, NULL), 0);
	ck_assert_int_eq(tape_writer_exit(w, &u, NULL), 0);
	ck_assert_int_eq(tape_writer_finish(w, NULL), 0);
	tape_writer_free(w);
	r = reader_at(TAPE);
	ck_assert_int_eq(tape_reader_json(r, 0, &json, &err), ERR_NOTFOUND);
	ck_assert_ptr_null(json);
	ck_assert_ptr_nonnull(strstr(err.text, "aaaa"));
	tape_reader_free(r);
	unit_clear(&u);
}
END_TEST

Suite *tape_show_suite(void)
{
	Suite *suite = suite_create("tape/show");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, scratch_enter, scratch_leave);
	tcase_add_test(all, a_unit_is_one_line);
	tcase_add_loop_test(all, the_end_is_shown, 0, COUNT(end_rows));
	tcase_add_test(all, bytes_that_are_no_text_are_base64);
	tcase_add_test(all, nul_is_text);
	tcase_add_test(all, streams_tails_and_signals_are_shown);
	tcase_add_test(all, what_it_was_denied_is_shown);
	tcase_add_test(all, a_stream_that_is_not_there_is_not_shown);
	tcase_add_test(all, a_unit_for_any_directory_has_no_cwd);
	tcase_add_test(all, placeholders_are_shown_as_such);
	tcase_add_test(all, a_blob_is_shown_whole);
	tcase_add_test(all, a_missing_blob_is_an_error);
	suite_add_tcase(suite, all);
	return suite;
}
