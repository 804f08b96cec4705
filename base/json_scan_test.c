#include "base/cleanup.h"
#include "base/json_scan.h"
#include "base/jsontext.h"
#include "base/random_test.h"
#include "tools/tests.h"
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *text;
	size_t bytes; /* of its strings */
	uint64_t integers;
} good[] = {
	{"{}", 0, 0},
	{" [ ] \r\n\t", 0, 0},
	{"{\"key\":\"value\"}", 8, 0},
	{"[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]", 8, 0},
	{"[\"\\u0041\\u00e9\\u20AC\\ud83D\\uDe00\\u0000\"]", 1 + 2 + 3 + 4 + 1, 0},
	{"[\"\xc3\xa9\"]", 2, 0},
	{"[0,-0,17,-4,true,false,null]", 0, 13},
	{"[1.5,2e9,-3.25E-7,0.0e+1]", 0, 0},
	{"{\"a\":[{\"b\":[[1],[2]]},3]}", 2, 6},
	{"[18446744073709551615,2]", 0, 1}, /* not looked at */
};

START_TEST(json_is_measured)
{
	struct json_sums sums;

	ck_assert_msg(json_scan(bytes_of_str(good[_i].text), &sums), "%s", good[_i].text);
	ck_assert_uint_eq(sums.bytes, good[_i].bytes);
	ck_assert_uint_eq(sums.integers, good[_i].integers);
}
END_TEST

static const char *const bad[] = {
	"",
	"x",
	"1",
	"\"text\"",
	"null",
	"{",
	"[1",
	"[1,]",
	"[,1]",
	"{\"a\"}",
	"{\"a\":}",
	"{\"a\":1,}",
	"{a:1}",
	"{1:1}",
	"[1}",
	"{\"a\":1]",
	"[01]",
	"[-]",
	"[+1]",
	"[1.]",
	"[.5]",
	"[1e]",
	"[1e+]",
	"[tru]",
	"[truefalse]",
	"[\"a]",
	"[\"\\x\"]",
	"[\"\\u12g4\"]",
	"[\"\\ud800\"]",
	"[\"\\ud800\\n\"]",
	"[\"\\ud800\\u0041\"]",
	"[\"\\udc00\"]",
	"[\"\n\"]",
	"[] []",
	"[]x",
};

START_TEST(what_is_no_json_is_told)
{
	struct json_sums sums;

	ck_assert_msg(!json_scan(bytes_of_str(bad[_i]), &sums), "%s", bad[_i]);
}
END_TEST

START_TEST(nesting_ends_where_janssons_does)
{
	char text[2 * 2049];
	struct json_sums sums;

	memset(text, '[', 2048);
	memset(text + 2048, ']', 2048);
	ck_assert(json_scan((struct bytes){text, 4096}, &sums));
	memset(text, '[', 2049);
	memset(text + 2049, ']', 2049);
	ck_assert(!json_scan((struct bytes){text, 4098}, &sums));
}
END_TEST

/* What jansson refuses for other reasons than its syntax, the scan does not look at. */
static bool is_syntax(enum json_error_code code)
{
	return code == json_error_invalid_syntax || code == json_error_premature_end_of_input ||
	       code == json_error_end_of_input_expected || code == json_error_stack_overflow;
}

static void compare(const char *text, size_t len)
{
	struct bytes bytes = {text, len};
	json_error_t why = {0};
	struct json_sums sums;
	json_t *value = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
	bool scanned = json_scan(bytes, &sums);

	/* But for a NUL byte, over which it passes behind a number. */
	if (value && !memchr(text, '\0', len))
		ck_assert_msg(scanned, "%.*s", (int)len, text);
	else if (is_syntax(json_error_code(&why)))
		ck_assert_msg(!scanned, "%s: %.*s", why.text, (int)len, text);
	json_decref(value);
	value = NULL;
	/* And with memory enough, nothing that jansson takes is called incomplete. */
	ck_assert_int_ne(jsontext_parse(bytes, &value, &why), ERR_NOMEM);
	json_decref(value);
}

#define CHANGES 3000

START_TEST(jansson_is_of_the_same_opinion)
{
	static const char marks[] = "{}[]\",:\\u019.-+eEtfn dDcC8\n\x01\xff";
	struct random r = {(uint64_t)_i + 1};
	const char *sample = good[(size_t)_i % (sizeof(good) / sizeof(good[0]))].text;
	size_t len = strlen(sample);

	compare(sample, len);
	for (size_t i = 0; i < CHANGES; i++) {
		char text[128];
		size_t cut = random_below(&r, 8) ? len : random_below(&r, len + 1);

		memcpy(text, sample, len);
		for (size_t k = random_below(&r, 3); cut && k < 3; k++)
			text[random_below(&r, cut)] = marks[random_below(&r, sizeof(marks))];
		compare(text, cut);
	}
}
END_TEST

START_TEST(a_nul_byte_is_no_json)
{
	json_t *value = NULL;
	json_error_t why = {0};

	ck_assert_int_eq(jsontext_parse((struct bytes){"[789,\n93\0]", 10}, &value, &why),
			 ERR_FORMAT);
	ck_assert_int_eq(why.line, 2);
	ck_assert_str_eq(why.text, "there is a byte of 0");
	ck_assert_ptr_null(value);
}
END_TEST

Suite *base_json_scan_suite(void)
{
	Suite *suite = suite_create("base/json_scan");
	TCase *all = tcase_create("all");

	tcase_set_timeout(all, 60);
	tcase_add_loop_test(all, json_is_measured, 0, (int)(sizeof(good) / sizeof(good[0])));
	tcase_add_loop_test(all, what_is_no_json_is_told, 0, (int)(sizeof(bad) / sizeof(bad[0])));
	tcase_add_test(all, a_nul_byte_is_no_json);
	tcase_add_test(all, nesting_ends_where_janssons_does);
	tcase_add_loop_test(all, jansson_is_of_the_same_opinion, 0,
			    (int)(sizeof(good) / sizeof(good[0])));
	suite_add_tcase(suite, all);
	return suite;
}
