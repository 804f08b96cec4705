/* Reading of lines that nobody wrote with the codec: bad ones, odd ones, and in both ways. */
#include "base/cleanup.h"
#include "tape/codec.h"
#include "tape/same_unit_test.h"
#include "tape/scratch_test.h"
#include "tools/tests.h"
#include <string.h>

typedef int read_fn(const struct line *line, struct unit *u, struct error *err);

/* Any way that JSON has to write a character; whether all of them came is counted. */
START_TEST(any_escapes_are_read)
{
	static const char fields[] =
		",\"argv\":[\"\\u0000\\u0041\\u00e9\\u20aC\\uD83d\\uDE00\\/\\\\"
		"\\\"\\b\\f\\n\\r\\t\\\\u0041\"],\"\\u0065nv\":{\"A\":\"b\"},\"x\":[\"\"]";
	static const char wanted[] = "\0Aé€😀/\\\"\b\f\n\r\t\\u0041";
	cleanup_buf struct buf text = BUF_INIT;
	struct error err = {0};
	struct unit u = {0};
	struct line line;

	line_add(&text, LINE_SPAWN, u.id, bytes_of_str(fields), NULL);
	ck_assert_int_eq(line_parse(text.data, text.len - 1, &line), LINE_OK);
	ck_assert_msg(codec_read_spawn(&line, &u, &err) == 0, "%s", err.text);
	assert_same_bytes(u.argv[0].data, u.argv[0].len, wanted, sizeof(wanted) - 1);
	ck_assert_uint_eq(u.env_count, 1);
	unit_clear(&u);
}
END_TEST

START_TEST(a_million_nested_arrays_are_refused)
{
	cleanup_buf struct buf fields = BUF_INIT, out = BUF_INIT;
	struct unit u = {0};
	struct error err = {0};
	struct line line;
	int i;

	buf_add_str(&fields, ",\"argv\":");
	for (i = 0; i < 1000000; i++)
		buf_add_char(&fields, '[');
	for (i = 0; i < 1000000; i++)
		buf_add_char(&fields, ']');
	ck_assert_int_eq(
		line_add(&out, LINE_SPAWN, u.id, (struct bytes){fields.data, fields.len}, &err), 0);
	ck_assert_int_eq(line_parse(out.data, out.len - 1, &line), LINE_OK);
	ck_assert_int_eq(codec_read_spawn(&line, &u, &err), ERR_FORMAT);
	ck_assert(err.text[0]);
	unit_clear(&u);
}
END_TEST

/* Records whose checksum is right and whose content is not. */
static const struct bad_record {
	enum line_type type;
	int code;
	const char *fields;
} bad_records[] = {
	{LINE_HEAD, ERR_FORMAT, ""},
	{LINE_HEAD, ERR_FORMAT, ",\"version\":0"},
	{LINE_HEAD, ERR_FORMAT, ",\"version\":\"1\""},
	{LINE_HEAD, ERR_VERSION, ",\"version\":2"},
	{LINE_HEAD, ERR_FORMAT, ",\"version\":1,\"version\":1"},
	{LINE_HEAD, ERR_FORMAT, ",\"version\":1,\"roots\":\"WORK\""},
	{LINE_HEAD, ERR_FORMAT, ",\"version\":1,\"roots\":[\"a\\u0000b\"]"},
	{LINE_HEAD, ERR_FORMAT, ",\"version\":1,\"backend\":7"},
	{LINE_SPAWN, ERR_FORMAT, ""},
	{LINE_SPAWN, ERR_FORMAT, ",\"argv\":[1]"},
	{LINE_SPAWN, ERR_FORMAT, ",\"argv\":[{\"base64\":\"A\"}]"},
	{LINE_SPAWN, ERR_FORMAT, ",\"argv\":[{\"base65\":\"\"}]"},
	{LINE_SPAWN, ERR_FORMAT, ",\"argv\":[],\"cwd\":null"},
	{LINE_SPAWN, ERR_FORMAT, ",\"argv\":[],\"env\":[]"},
	{LINE_SPAWN, ERR_FORMAT, ",\"argv\":[],\"env\":{\"\":\"x\"}"},
	{LINE_SPAWN, ERR_FORMAT, ",\"argv\":[],\"env\":{\"A\":\"x\",\"A\":\"y\"}"},
	{LINE_SPAWN, ERR_FORMAT, ",\"argv\":[\"\xff\"]"},
	{LINE_SPAWN, ERR_FORMAT, ",\"argv\":[\"\\ud800\"]"},
	{LINE_SPAWN, ERR_FORMAT, ",\"argv\":[]}"},
	{LINE_EXIT, ERR_FORMAT, ""},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"timeout\":1"},
	{LINE_TIME, ERR_FORMAT, ",\"episode\":-1"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"signal\":\"SIGTERM\""},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":1.5"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":99999999999"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":999999999999999999999999999999"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":1e999"},
	{LINE_EXIT, ERR_FORMAT, ",\"signal\":\"SIGNOT\""},
	{LINE_EXIT, ERR_FORMAT, ",\"signal\":\"SIGRTMIN+03\""},
	{LINE_EXIT, ERR_FORMAT, ",\"signal\":\"SIGRTMIN+99\""},
	{LINE_EXIT, ERR_FORMAT, ",\"signal\":0"},
	{LINE_EXIT, ERR_FORMAT, ",\"error\":\"ENOSUCHNAME\""},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"stdin\":[]"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"stdin\":{\"eof\":1}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"stdin\":{\"kind\":\"pump\"}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"stdin\":{\"kind\":\"same\"}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"stdin\":{\"kind\":\"same\",\"same\":0}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"stdin\":{\"text\":\"\",\"base64\":\"\"}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"stdin\":{\"text\":1}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"stdin\":{\"base64\":\"====\"}"},
	{LINE_EXIT, ERR_FORMAT,
	 ",\"code\":0,\"stdin\":{\"blob\":\"../../../etc/passwd\",\"size\":1}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"out\":{\"0\":{}}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"out\":{\"01\":{}}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"out\":{\"x\":{}}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"out\":{\"1\":{},\"1\":{}}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"out\":{\"99999999999\":{}}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"out\":{\"1073741824\":{}}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"in\":{\"0\":{}}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"in\":{\"2\":{}}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"in\":{\"03\":{}}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"in\":{\"1073741827\":{}}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"in\":{\"3\":{\"packets\":1}}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"in\":[]"},
	{LINE_EXIT, 0, ",\"code\":0,\"in\":{\"3\":{}},\"order\":[[\"in3\",0]]"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"order\":[[\"in2\",0]]"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"order\":[[\"in03\",0]]"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"order\":[[\"in3x\",0]]"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"order\":[[\"in\",0]]"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"signals\":{}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"signals\":[null]"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"order\":[[1,2,3]]"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"order\":[[-1,2]]"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"order\":[[\"SIGNOT\",0]]"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"order\":[[\"mode\",0]]"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"order\":[[\"stop\",0]]"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"stops\":[\"stop\"]"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"order\":[[\"sent\",0]]"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"sent\":[\"stop\"]"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"order\":7"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"modes\":{}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"modes\":[{\"when\":\"later\",\"termios\":\"\"}]"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"modes\":[{\"when\":\"now\",\"termios\":\"x\"}]"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"stdin\":{\"rows\":65536}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"explained\":1"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"denied\":{}"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"denied\":[1]"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"denied\":[{\"call\":\"openat\"}]"},
	{LINE_EXIT, ERR_FORMAT, ",\"code\":0,\"denied\":[{\"mechanism\":7}]"},
	{LINE_EXIT, ERR_FORMAT,
	 ",\"code\":0,\"denied\":[{\"mechanism\":\"a\",\"error\":\"ENOT\"}]"},
	{LINE_EXIT, ERR_FORMAT,
	 ",\"code\":0,\"denied\":[{\"mechanism\":\"a\",\"signal\":\"EIO\"}]"},
	{LINE_EXIT, 0, ",\"code\":0,\"denied\":[{\"mechanism\":\"a\",\"later\":1}]"},
	{LINE_TAIL, 0, ""},
	{LINE_TAIL, ERR_FORMAT, ",\"out\":1"},
	{LINE_TAIL, ERR_FORMAT, ",\"out\":{\"1\":1}}"},
	{LINE_TAIL, ERR_FORMAT, ",\"out\":{\"0\":{}}"},
	{LINE_TIME, ERR_FORMAT, ",\"start_ns\":-1"},
	{LINE_TIME, ERR_FORMAT, ",\"denied\":7"},
	{LINE_TIME, ERR_FORMAT, ",\"denied\":[[1,0]]"},
	{LINE_TIME, ERR_FORMAT, ",\"denied\":[[1,1,1]]"},
	{LINE_TIME, ERR_FORMAT, ",\"denied\":[[-1,1]]"},
	{LINE_TIME, ERR_FORMAT, ",\"denied_more\":-1"},
	{LINE_TIME, ERR_FORMAT, ",\"chunks\":[[1,2]]"},
	{LINE_TIME, ERR_FORMAT, ",\"chunks\":[[1,-2,3]]"},
	{LINE_TIME, ERR_FORMAT, ",\"chunks\":[[\"SIGNOT\",0,3]]"},
	{LINE_TIME, 0, ",\"chunks\":[[\"SIGTERM\",0,3],[\"mode\",7,3]]"},
	{LINE_TIME, 0, ""},
	/* Keys that this version does not know are those of a later minor one. */
	{LINE_SPAWN, 0, ",\"argv\":[],\"reads\":[\"a\"]"},
	{LINE_EXIT, 0, ",\"code\":0,\"stdin\":{\"later\":{}},\"later\":1"},
};

#define BAD_RECORDS (sizeof(bad_records) / sizeof(bad_records[0]))

static int read_any(const struct line *line, struct error *err)
{
	struct tape_head head = {0};
	struct unit u = {0};
	int rc;

	switch (line->type) {
	case LINE_HEAD:
		rc = codec_read_head(line, &head, err);
		break;
	case LINE_SPAWN:
		rc = codec_read_spawn(line, &u, err);
		break;
	case LINE_EXIT:
		rc = codec_read_exit(line, &u, err);
		break;
	case LINE_TAIL:
		rc = codec_read_tail(line, &u, err);
		break;
	default:
		rc = codec_read_time(line, &u, err);
	}
	tape_head_clear(&head);
	unit_clear(&u);
	return rc;
}

START_TEST(bad_content_is_refused_with_a_sentence)
{
	const struct bad_record *bad = &bad_records[_i];
	cleanup_buf struct buf text = BUF_INIT;
	struct error err = {0};
	struct line line;
	int rc;

	line_add(&text, bad->type, (struct unit_id){0, 0}, bytes_of_str(bad->fields), NULL);
	ck_assert_int_eq(line_parse(text.data, text.len - 1, &line), LINE_OK);
	rc = read_any(&line, &err);
	ck_assert_msg(rc == bad->code, "%s: %d %s", bad->fields, rc, err.text);
	ck_assert_int_eq(rc < 0, err.text[0] != '\0');
}
END_TEST

/* What is read in the quick way, and the same with white space, which is not. */
static const struct {
	read_fn *read;
	enum line_type type;
	const char *quick;
	const char *slow;
} two_ways[] = {
	{codec_read_spawn, LINE_SPAWN,
	 ",\"parent\":\"0\",\"argv\":[\"a\",\"\",\"\\\"\\\\\\/\\b\\f\\n\\r\\t "
	 "ü\"],\"cwd\":\"$WORK\"",
	 ",\"parent\":\"0\", \"argv\":[\"a\",\"\",\"\\\"\\\\\\/\\b\\f\\n\\r\\t "
	 "ü\"],\"cwd\":\"$WORK\""},
	{codec_read_spawn, LINE_SPAWN, ",\"parent\":\"0\",\"argv\":[\"a\"]",
	 ",\"parent\":\"0\",\"argv\":[\"a\"] "},
	{codec_read_exit, LINE_EXIT,
	 ",\"code\":3,\"stdin\":{\"kind\":\"file\",\"text\":\"x\",\"eof\":true},\"out\":{\"1\":{"
	 "\"kind\":"
	 "\"pipe\",\"text\":\"$$\\n\",\"roots\":true},\"2\":{\"kind\":\"same\",\"same\":1}}",
	 ", "
	 "\"code\":3,\"stdin\":{\"kind\":\"file\",\"text\":\"x\",\"eof\":true},\"out\":{\"1\":{"
	 "\"kind\":"
	 "\"pipe\",\"text\":\"$$\\n\",\"roots\":true},\"2\":{\"kind\":\"same\",\"same\":1}}"},
	{codec_read_exit, LINE_EXIT,
	 ",\"code\":0,\"out\":{\"1\":{\"kind\":\"pipe\",\"text\":\"\"}}}",
	 ",\"code\":0,\"out\":{\"1\":{\"kind\":\"pipe\",\"text\":\"\"}} }"},
	{codec_read_time, LINE_TIME,
	 ",\"pid\":7,\"start_ns\":1,\"duration_ns\":2,\"program\":\"/bin/"
	 "a\",\"chunks\":[[1,2,3],[2,4,5]]",
	 ",\"pid\":7,\"start_ns\":1,\"duration_ns\":2,\"program\":\"/bin/a\",\"chunks\":[[1,2,3], "
	 "[2,4,5]]"},
};

static int read_text(size_t row, const char *text, struct unit *ret)
{
	cleanup_buf struct buf b = BUF_INIT;
	struct line line;
	struct error err;

	ck_assert_int_eq(
		line_add(&b, two_ways[row].type, (struct unit_id){1, 0}, bytes_of_str(text), &err),
		0);
	ck_assert_int_eq(line_parse(b.data, b.len - 1, &line), LINE_OK);
	memset(ret, 0, sizeof(*ret));
	return two_ways[row].read(&line, ret, &err);
}

START_TEST(quick_and_slow_reading_agree)
{
	struct unit quick, slow;
	int rc = read_text((size_t)_i, two_ways[_i].quick, &quick);

	ck_assert_int_eq(rc, read_text((size_t)_i, two_ways[_i].slow, &slow));
	if (rc == 0)
		assert_same_unit(&quick, &slow);
	unit_clear(&quick);
	unit_clear(&slow);
}
END_TEST

/* Whatever is in a string, and wherever: both ways read the same, or both refuse it. */
START_TEST(strings_are_read_alike_in_both_ways)
{
	static const char *const pieces[] = {"a",    "bcdefgh", "\\\"",	    "\\\\",
					     "\\n",  "\\u0041", "\xc3\xbc", "\xff",
					     "\x7f", "\x01",	"\"",	    "$WORK/"};
	struct random r = {4711};

	for (int round = 0; round < 4000; round++) {
		cleanup_buf struct buf text = BUF_INIT, quick = BUF_INIT, slow = BUF_INIT;
		struct unit by_quick = {0}, by_slow = {0};
		struct line line;
		int rc;

		for (size_t n = random_below(&r, 12); n > 0; n--)
			buf_add_str(&text, pieces[random_below(&r, 12)]);
		buf_addf(&quick, ",\"parent\":\"0\",\"argv\":[\"%s\"],\"cwd\":\"\"",
			 text.data ? text.data : "");
		buf_addf(&slow, ",\"parent\":\"0\", \"argv\":[\"%s\"],\"cwd\":\"\"",
			 text.data ? text.data : "");
		text.len = 0;
		line_add(&text, LINE_SPAWN, (struct unit_id){1, 0},
			 (struct bytes){quick.data, quick.len}, NULL);
		ck_assert_int_eq(line_parse(text.data, text.len - 1, &line), LINE_OK);
		rc = codec_read_spawn(&line, &by_quick, NULL);
		text.len = 0;
		line_add(&text, LINE_SPAWN, (struct unit_id){1, 0},
			 (struct bytes){slow.data, slow.len}, NULL);
		ck_assert_int_eq(line_parse(text.data, text.len - 1, &line), LINE_OK);
		ck_assert_int_eq(codec_read_spawn(&line, &by_slow, NULL), rc);
		if (rc == 0)
			assert_same_unit(&by_quick, &by_slow);
		unit_clear(&by_quick);
		unit_clear(&by_slow);
	}
}
END_TEST

Suite *tape_codec_read_suite(void)
{
	Suite *suite = suite_create("tape/codec_read");
	TCase *all = tcase_create("all");

	tcase_set_timeout(all, 60);
	tcase_add_test(all, any_escapes_are_read);
	tcase_add_test(all, a_million_nested_arrays_are_refused);
	tcase_add_loop_test(all, bad_content_is_refused_with_a_sentence, 0, BAD_RECORDS);
	tcase_add_loop_test(all, quick_and_slow_reading_agree, 0,
			    sizeof(two_ways) / sizeof(two_ways[0]));
	tcase_add_test(all, strings_are_read_alike_in_both_ways);
	suite_add_tcase(suite, all);
	return suite;
}
