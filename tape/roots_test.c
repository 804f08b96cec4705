#include "base/cleanup.h"
#include "tape/roots.h"
#include "tape/scratch_test.h"
#include "tools/tests.h"
#include <string.h>

#define ROUNDS 100000

static struct roots *roots_of(const char *const *pairs)
{
	struct roots *r = roots_new();
	struct error err = {0};

	ck_assert_ptr_nonnull(r);
	for (; *pairs; pairs += 2)
		ck_assert_msg(roots_add(r, pairs[0], pairs[1], &err) == 0, "%s", err.text);
	return r;
}

/* Roots inside each other, names and directories that are prefixes of each other. */
static struct roots *tricky_roots(void)
{
	return roots_of((const char *const[]){"WORK", "/w", "WORKX", "/work", "W", "/w/w", "X_0",
					      "/work/w=", "D", "/w$", "E", "/work", NULL});
}

static struct roots *usual_roots(void)
{
	return roots_of((const char *const[]){"WORK", "/work", "HOME", "/home/me", "TMP", "/tmp",
					      "SUB", "/work/sub/", NULL});
}

static const struct example {
	const char *plain;
	const char *encoded;
} examples[] = {
	{"", ""},
	{"/work", "$WORK"},
	{"/work/", "$WORK/"},
	{"/work/a", "$WORK/a"},
	{"/workshop", "/workshop"},
	{"/work.bak", "/work.bak"},
	{"/work-2", "/work-2"},
	{"/work_2", "/work_2"},
	{"x/work", "x/work"},
	{"/x/work", "/x/work"},
	{"./work", "./work"},
	{"//work", "//work"},
	{"/work/sub/x", "$SUB/x"},
	{"/work/subs/x", "$WORK/subs/x"},
	{"/work/sub:/work", "$SUB:$WORK"},
	{"--prefix=/work", "--prefix=$WORK"},
	{"-I/work/include", "-I$WORK/include"},
	{"cc -L/work -o/tmp/x", "cc -L$WORK -o$TMP/x"},
	{"--I/work", "--I/work"},
	{"file:///work/a.js:1:2", "file://$WORK/a.js:1:2"},
	{"http://work/a", "http://work/a"},
	{"in \"/work\", (/tmp) and </home/me>.", "in \"$WORK\", ($TMP) and <$HOME>."},
	{"nothing to do in /work.", "nothing to do in $WORK."},
	{"nothing to do in /work.\n", "nothing to do in $WORK.\n"},
	{"{\\\"cwd\\\":\\\"/work\\\"}", "{\\\"cwd\\\":\\\"$WORK\\\"}"},
	{"\x80/work", "\x80/work"},
	{"/work\x80", "/work\x80"},
	{"#!/work/bin/sh", "#!$WORK/bin/sh"},
	{"$", "$"},
	{"$x $5 ${WORK} a$", "$x $5 ${WORK} a$"},
	{"$WORK", "$$WORK"},
	{"$WORKS", "$WORKS"},
	{"$$", "$$$"},
	{"$$WORK", "$$$$WORK"},
	{"$/work", "$/work"},
	{"a$ /work", "a$ $WORK"},
};

#define EXAMPLES (sizeof(examples) / sizeof(examples[0]))

START_TEST(the_examples_of_the_standard)
{
	const struct example *e = &examples[_i];
	struct roots *r = usual_roots();
	cleanup_buf struct buf encoded = BUF_INIT;
	cleanup_buf struct buf decoded = BUF_INIT;

	ck_assert_int_eq(roots_encode(r, e->plain, strlen(e->plain), &encoded), 0);
	ck_assert_str_eq(encoded.data, e->encoded);
	ck_assert_int_eq(roots_decode(r, encoded.data, encoded.len, &decoded), 0);
	ck_assert_str_eq(decoded.data, e->plain);
	roots_free(r);
}
END_TEST

static const char *const pieces[] = {
	"$",   "$",    "/",	"/",	"w",	   "work",    "WORK", "WORKX",	  "W",
	"X_0", "/w",   "/work", "/w/w", "/w$",	   "/work/w", "$W",   "$WORK",	  "$WORKX",
	":",   "=",    " ",	".",	"-",	   "_",	      "A",    "0",	  "\n",
	"\\",  "\xff", "-I",	"-",	"file://", "$$",      "I",    "\xc3\xa4", "D",
};

#define PIECES (sizeof(pieces) / sizeof(pieces[0]))

static void random_text(struct random *random, struct buf *out)
{
	size_t n = random_below(random, 9);

	buf_clear(out);
	while (n--) {
		if (random_below(random, 40))
			buf_add_str(out, pieces[random_below(random, PIECES)]);
		else
			buf_add_char(out, (char)random_next(random));
	}
}

START_TEST(decoding_undoes_encoding_whatever_the_bytes)
{
	struct random random = {.state = 20240229};
	struct roots *r = tricky_roots();
	cleanup_buf struct buf plain = BUF_INIT;
	cleanup_buf struct buf encoded = BUF_INIT;
	cleanup_buf struct buf decoded = BUF_INIT;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		random_text(&random, &plain);
		buf_clear(&encoded);
		buf_clear(&decoded);
		ck_assert_int_eq(roots_encode(r, plain.data, plain.len, &encoded), 0);
		ck_assert_int_eq(roots_decode(r, encoded.data, encoded.len, &decoded), 0);
		ck_assert_msg(bytes_equal((struct bytes){plain.data, plain.len},
					  (struct bytes){decoded.data, decoded.len}),
			      "\"%s\" became \"%s\" and then \"%s\"", plain.data, encoded.data,
			      decoded.data);
	}
	roots_free(r);
}
END_TEST

/* What one host wrote and another read comes back unharmed when it is encoded there again. */
START_TEST(a_text_moves_to_another_host_and_back)
{
	struct roots *here = usual_roots();
	struct roots *there = roots_of((const char *const[]){
		"WORK", "/srv/build/7", "HOME", "/root", "TMP", "/var/tmp", "SUB", "/s", NULL});
	static const char text[] = "cc -I/work/include /home/me/a.c -o /tmp/a '$WORK' /work/sub";
	cleanup_buf struct buf encoded = BUF_INIT;
	cleanup_buf struct buf moved = BUF_INIT;
	cleanup_buf struct buf again = BUF_INIT;

	roots_encode(here, text, sizeof(text) - 1, &encoded);
	roots_decode(there, encoded.data, encoded.len, &moved);
	ck_assert_str_eq(moved.data,
			 "cc -I/srv/build/7/include /root/a.c -o /var/tmp/a '$WORK' /s");
	roots_encode(there, moved.data, moved.len, &again);
	ck_assert_str_eq(again.data, encoded.data);
	roots_free(here);
	roots_free(there);
}
END_TEST

START_TEST(equal_directories_get_the_name_that_was_added_first)
{
	struct roots *r = roots_of((const char *const[]){"B", "/d", "A", "/d", NULL});
	cleanup_buf struct buf encoded = BUF_INIT;

	roots_encode(r, "/d/x", 4, &encoded);
	ck_assert_str_eq(encoded.data, "$B/x");
	roots_free(r);
}
END_TEST

START_TEST(adding_a_name_again_replaces_its_directory)
{
	struct roots *r = usual_roots();

	ck_assert_int_eq(roots_add(r, "WORK", "/elsewhere//", NULL), 0);
	ck_assert_uint_eq(roots_count(r), 4);
	ck_assert_str_eq(roots_name(r, 0), "WORK");
	ck_assert_str_eq(roots_dir(r, "WORK"), "/elsewhere");
	ck_assert_ptr_null(roots_dir(r, "WOR"));
	roots_free(r);
}
END_TEST

START_TEST(bad_names_and_directories_are_refused)
{
	static const char *const rows[][2] = {
		{"", "/a"},    {"a", "/a"}, {"_A", "/a"}, {"1", "/a"}, {"A-B", "/a"},
		{"AB ", "/a"}, {"A", ""},   {"A", "rel"}, {"A", "/"},  {"A", "///"}};
	struct roots *r = roots_new();
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct error err = {0};

		ck_assert_int_eq(roots_add(r, rows[i][0], rows[i][1], &err), ERR_INVALID);
		ck_assert_str_ne(err.text, "");
	}
	ck_assert_uint_eq(roots_count(r), 0);
	roots_free(r);
}
END_TEST

Suite *tape_roots_suite(void)
{
	Suite *suite = suite_create("tape/roots");
	TCase *all = tcase_create("all");

	tcase_set_timeout(all, 60);
	tcase_add_loop_test(all, the_examples_of_the_standard, 0, EXAMPLES);
	tcase_add_test(all, decoding_undoes_encoding_whatever_the_bytes);
	tcase_add_test(all, a_text_moves_to_another_host_and_back);
	tcase_add_test(all, equal_directories_get_the_name_that_was_added_first);
	tcase_add_test(all, adding_a_name_again_replaces_its_directory);
	tcase_add_test(all, bad_names_and_directories_are_refused);
	suite_add_tcase(suite, all);
	return suite;
}
