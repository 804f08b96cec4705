#include "base/jsontext.h"
#include "tools/tests.h"
#include <string.h>

#define STEPS_MAX 4

#define KEY(name)                                                                                  \
	{                                                                                          \
		name, 0                                                                            \
	}
#define AT(index)                                                                                  \
	{                                                                                          \
		NULL, index                                                                        \
	}

static const char text[] = "\n"
			   "{\"a\": 1,\n"
			   " \"b\": {\"a\": [\"}\", {\"x\\\"]\": [[]]},\n"
			   "   -1.5e3,\n"
			   "   true]},\n"
			   " \"c\\u0064\":\n"
			   "   null,\n"
			   " \"\": \"\\\\\",\n"
			   " \"d\": [], \"e\": {}\n"
			   "}\n";

static const struct {
	struct jsontext_step steps[STEPS_MAX];
	size_t count;
	int line;
} rows[] = {
	{{{NULL, 0}}, 0, 2},
	{{KEY("a")}, 1, 2},
	{{KEY("b")}, 1, 3},
	{{KEY("b"), KEY("a")}, 2, 3},
	{{KEY("b"), KEY("a"), AT(0)}, 3, 3},
	{{KEY("b"), KEY("a"), AT(1), KEY("x\"]")}, 4, 3},
	{{KEY("b"), KEY("a"), AT(2)}, 3, 4},
	{{KEY("b"), KEY("a"), AT(3)}, 3, 5},
	{{KEY("cd")}, 1, 6},
	{{KEY("")}, 1, 8},
	{{KEY("d")}, 1, 9},
	{{KEY("e")}, 1, 9},
	/* What is not there. */
	{{KEY("f")}, 1, 0},
	{{KEY("x\"]")}, 1, 0},
	{{AT(0)}, 1, 0},
	{{KEY("a"), KEY("a")}, 2, 0},
	{{KEY("b"), KEY("a"), AT(4)}, 3, 0},
	{{KEY("d"), AT(0)}, 2, 0},
	{{KEY("e"), KEY("a")}, 2, 0},
	{{KEY("e"), AT(0)}, 2, 0},
};

START_TEST(a_value_is_found_in_its_line)
{
	json_t *value = NULL;
	int line = -1;

	ck_assert_int_eq(jsontext_load(bytes_of_str(text), &value, &line, NULL), 0);
	ck_assert_int_eq(line, -1);
	json_decref(value);
	ck_assert_int_eq(jsontext_line(bytes_of_str(text), rows[_i].steps, rows[_i].count),
			 rows[_i].line);
}
END_TEST

static const struct {
	const char *text;
	int line;
} broken[] = {
	{"", 1},
	{"\n\n", 3},
	{"{\n\"a\": 1,\n}", 3},
	{"{\n\"a\": 1\n", 3},
	{"{\"a\": 1,\n\"a\": 2}", 2},
	{"[1]\n\n]", 3},
	{"[\n\"\xff\"]", 2},
	{"[\n\"\n\"]", 2},
	{"1", 1},
	{"[1e999]", 1},
};

START_TEST(broken_text_is_an_error_with_its_line)
{
	json_t *value = NULL;
	struct error err = {0};
	int line = 0;

	ck_assert_int_eq(jsontext_load(bytes_of_str(broken[_i].text), &value, &line, &err),
			 ERR_FORMAT);
	ck_assert_ptr_null(value);
	ck_assert_str_ne(err.text, "");
	ck_assert_int_eq(line, broken[_i].line);
}
END_TEST

START_TEST(what_is_written_reads_back)
{
	static const char all[] = "{\"a\":[1,-2.5,null,true,\"\\u0000\xc3\xa4\\n\"],\"b\":{}}";
	json_t *value = NULL, *again = NULL;
	cleanup_buf struct buf out = BUF_INIT;

	ck_assert_int_eq(jsontext_load(bytes_of_str(all), &value, NULL, NULL), 0);
	ck_assert_int_eq(buf_add_str(&out, "  "), 0);
	ck_assert_int_eq(jsontext_dump(value, JSON_INDENT(2), &out), 0);
	ck_assert_mem_eq(out.data, "  {\n", 4);
	ck_assert_int_eq(jsontext_load((struct bytes){out.data, out.len}, &again, NULL, NULL), 0);
	ck_assert(json_equal(value, again));
	json_decref(value);
	json_decref(again);
}
END_TEST

Suite *base_jsontext_suite(void)
{
	Suite *s = suite_create("base_jsontext");
	TCase *tc = tcase_create("jsontext");

	tcase_add_loop_test(tc, a_value_is_found_in_its_line, 0, sizeof(rows) / sizeof(rows[0]));
	tcase_add_loop_test(tc, broken_text_is_an_error_with_its_line, 0,
			    sizeof(broken) / sizeof(broken[0]));
	tcase_add_test(tc, what_is_written_reads_back);
	suite_add_tcase(s, tc);
	return s;
}
