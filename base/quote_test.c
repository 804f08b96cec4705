#include "base/cleanup.h"
#include "base/fs.h"
#include "base/text.h"
#include "tools/tests.h"
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* The bytes of a string literal, NULs within included. */
#define BYTES(literal) literal, sizeof(literal) - 1

static const struct {
	const char *bytes;
	size_t len;
	const char *quoted;
} quote_rows[] = {
	{BYTES("git"), "git"},
	{BYTES("/usr/bin/git-log"), "/usr/bin/git-log"},
	{BYTES("a_b@c%d+e=f:g,h.i"), "a_b@c%d+e=f:g,h.i"},
	{BYTES(""), "''"},
	{BYTES(" "), "' '"},
	{BYTES("two words"), "'two words'"},
	{BYTES("it's"), "'it'\\''s'"},
	{BYTES("'"), "''\\'''"},
	{BYTES("\"$HOME\" `id` \\ !"), "'\"$HOME\" `id` \\ !'"},
	{BYTES("~"), "'~'"},
	{BYTES("#"), "'#'"},
	{BYTES("*.[ch]"), "'*.[ch]'"},
	{BYTES("a;b|c&d<e>f(g){h}"), "'a;b|c&d<e>f(g){h}'"},
	/* Letters of any script, as they are. */
	{BYTES("gr\xc3\xbc\xc3\x9f"), "'gr\xc3\xbc\xc3\x9f'"},
	{BYTES("\xf0\x9f\x93\xbc"), "'\xf0\x9f\x93\xbc'"},
	/* Control characters. */
	{BYTES("\n"), "$'\\n'"},
	{BYTES("a\nb"), "$'a\\nb'"},
	{BYTES("\t"), "$'\\t'"},
	{BYTES("\r"), "$'\\x0d'"},
	{BYTES("\x1b[0m"), "$'\\x1b[0m'"},
	{BYTES("\x7f"), "$'\\x7f'"},
	{BYTES("\x01\x66"), "$'\\x01f'"},
	{BYTES("a\0b"), "$'a\\x00b'"},
	{BYTES("it's\n\\n"), "$'it\\'s\\n\\\\n'"},
	/* Not UTF-8: then no byte beyond ASCII is left as it is. */
	{BYTES("\xff"), "$'\\xff'"},
	{BYTES("\xc3\xbc\xc3"), "$'\\xc3\\xbc\\xc3'"},
	{BYTES("\xed\xa0\x80"), "$'\\xed\\xa0\\x80'"},
};

START_TEST(a_word_is_quoted_as_it_needs_to_be)
{
	cleanup_buf struct buf out = BUF_INIT;

	ck_assert_int_eq(text_quote(&out, quote_rows[_i].bytes, quote_rows[_i].len), 0);
	ck_assert_str_eq(out.data, quote_rows[_i].quoted);
	ck_assert_uint_eq(out.len, strlen(quote_rows[_i].quoted));
}
END_TEST

START_TEST(a_word_is_appended)
{
	cleanup_buf struct buf out = BUF_INIT;

	buf_add_str(&out, "echo ");
	ck_assert_int_eq(text_quote(&out, "a b", 3), 0);
	ck_assert_str_eq(out.data, "echo 'a b'");
}
END_TEST

START_TEST(nothing_at_all_is_a_word)
{
	cleanup_buf struct buf out = BUF_INIT;

	ck_assert_int_eq(text_quote(&out, NULL, 0), 0);
	ck_assert_str_eq(out.data, "''");
}
END_TEST

/* What bash prints for a script. */
static void run_bash(const struct buf *script, struct buf *ret)
{
	char path[] = "/tmp/sandtape-quote-test.XXXXXX";
	cleanup_close int file = mkstemp(path);
	int out[2];
	char bytes[65536];
	ssize_t n;
	int status;
	pid_t pid;

	ck_assert_int_ge(file, 0);
	ck_assert_int_eq(fs_write_all(file, script->data, script->len, path, NULL), 0);
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		dup2(out[1], 1);
		execlp("bash", "bash", path, (char *)NULL);
		_exit(127);
	}
	close(out[1]);
	while ((n = read(out[0], bytes, sizeof(bytes))) > 0)
		buf_add(ret, bytes, (size_t)n);
	close(out[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	unlink(path);
	ck_assert_int_eq(status, 0);
}

#define WORDS	 4000
#define WORD_MAX 24

/* From few bytes, so that quotes, backslashes and pieces of UTF-8 meet often; or from all. */
static size_t make_word(uint64_t *state, char word[WORD_MAX])
{
	static const char few[] = "'\\$\"n0x1aF \n\t\x01\x7f\xc3\xbc\xff~=!";
	size_t len, i;
	bool any;

	*state = *state * 6364136223846793005u + 1442695040888963407u;
	len = (size_t)(*state >> 33) % WORD_MAX;
	any = (*state >> 60) & 1;
	for (i = 0; i < len; i++) {
		*state = *state * 6364136223846793005u + 1442695040888963407u;
		word[i] = (char)(any ? 1 + (*state >> 33) % 255
				     : (unsigned char)few[(*state >> 33) % (sizeof(few) - 1)]);
	}
	return len;
}

/* Every word is followed by a NUL, which no word holds. */
START_TEST(a_shell_reads_back_the_same_bytes)
{
	cleanup_buf struct buf script = BUF_INIT, wanted = BUF_INIT, got = BUF_INIT;
	uint64_t state = 2024;
	int i;

	for (i = 0; i < WORDS; i++) {
		char word[WORD_MAX];
		size_t len = make_word(&state, word);

		buf_add(&wanted, word, len);
		buf_add_char(&wanted, '\0');
		buf_add_str(&script, "printf '%s\\0' ");
		ck_assert_int_eq(text_quote(&script, word, len), 0);
		buf_add_char(&script, '\n');
	}
	run_bash(&script, &got);
	ck_assert_uint_eq(got.len, wanted.len);
	ck_assert(memcmp(got.data, wanted.data, wanted.len) == 0);
}
END_TEST

Suite *base_quote_suite(void)
{
	Suite *suite = suite_create("base/quote");
	TCase *all = tcase_create("all");

	tcase_add_loop_test(all, a_word_is_quoted_as_it_needs_to_be, 0, COUNT(quote_rows));
	tcase_add_test(all, a_word_is_appended);
	tcase_add_test(all, nothing_at_all_is_a_word);
	tcase_add_test(all, a_shell_reads_back_the_same_bytes);
	suite_add_tcase(suite, all);
	return suite;
}
