#include "tools/options.h"

#include "base/buf.h"
#include "tools/tests.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

struct target {
	const char *tape;
	const char *format;
	struct option_list roots;
	struct option_list envs;
	bool quiet;
	bool sync;
};

#define AT(field) offsetof(struct target, field)

static const struct option options[] = {
	{"--tape", 't', OPTION_STRING, "TAPE", AT(tape), "the tape"},
	{"--format", 0, OPTION_STRING, "NAME", AT(format), "how to print"},
	{"--root", 0, OPTION_LIST, "NAME=DIR", AT(roots), "a root"},
	{"--env", 'e', OPTION_LIST, "NAME", AT(envs), "a variable"},
	{"--quiet", 'q', OPTION_FLAG, NULL, AT(quiet), "say less"},
	{"--sync", 0, OPTION_FLAG, NULL, AT(sync), "to the disk"},
};
static const struct option_table table = {options, COUNT(options)};

#define ARGS_MAX 12

static void clear(struct target *t)
{
	option_list_free(&t->roots);
	option_list_free(&t->envs);
}

static int parse(const char *const *args, struct target *ret, int *ret_first, struct error *err)
{
	char *argv[ARGS_MAX + 1] = {"sandtape"};
	int argc = 1;

	while (args[argc - 1]) {
		argv[argc] = (char *)args[argc - 1];
		argc++;
	}
	return options_parse(&table, argc, argv, ret, ret_first, err);
}

/* "tape=x roots=a,b quiet", then the arguments that are left. */
static void print(const struct target *t, const char *const *rest, struct buf *out)
{
	if (t->tape)
		buf_addf(out, "tape=%s ", t->tape);
	if (t->format)
		buf_addf(out, "format=%s ", t->format);
	for (size_t i = 0; i < t->roots.count; i++)
		buf_addf(out, "root=%s ", t->roots.item[i]);
	for (size_t i = 0; i < t->envs.count; i++)
		buf_addf(out, "env=%s ", t->envs.item[i]);
	buf_addf(out, "%s%s|", t->quiet ? "quiet " : "", t->sync ? "sync " : "");
	for (; *rest; rest++)
		buf_addf(out, " %s", *rest);
}

static const struct {
	const char *args[ARGS_MAX];
	const char *result;
} good_rows[] = {
	{{NULL}, "|"},
	{{"make", NULL}, "| make"},
	{{"--tape", "x", NULL}, "tape=x |"},
	{{"--tape=x", "make", NULL}, "tape=x | make"},
	{{"-t", "x", "make", NULL}, "tape=x | make"},
	{{"-tx", "make", NULL}, "tape=x | make"},
	{{"-t=x", NULL}, "tape==x |"},
	{{"--tape=", NULL}, "tape= |"},
	{{"--tape", "", NULL}, "tape= |"},
	{{"--tape=a=b", NULL}, "tape=a=b |"},
	/* The last one counts, or all of them do. */
	{{"-t", "x", "--tape=y", NULL}, "tape=y |"},
	{{"--root", "A=1", "--root=B=2", "--root", "A=1", NULL}, "root=A=1 root=B=2 root=A=1 |"},
	{{"-eA", "--root", "R=/", "-e", "B", "--env=C", NULL}, "root=R=/ env=A env=B env=C |"},
	{{"-q", "--sync", "--quiet", NULL}, "quiet sync |"},
	/* A value may look like an option. */
	{{"--tape", "--sync", NULL}, "tape=--sync |"},
	{{"-t", "--", "make", NULL}, "tape=-- | make"},
	{{"-t-q", NULL}, "tape=-q |"},
	/* Up to the first operand, or what says that the options end. */
	{{"make", "-q", "--tape", "x", NULL}, "| make -q --tape x"},
	{{"-q", "make", "--sync", NULL}, "quiet | make --sync"},
	{{"--", "-q", NULL}, "| -q"},
	{{"-q", "--", "--", "x", NULL}, "quiet | -- x"},
	{{"--", NULL}, "|"},
	{{"-", "-q", NULL}, "| - -q"},
	{{"", "-q", NULL}, "|  -q"},
};

START_TEST(a_command_line_is_read)
{
	const char *const *args = good_rows[_i].args;
	struct target t = {.tape = NULL};
	struct buf got = BUF_INIT;
	struct error err = {0};
	int first = -1;

	ck_assert_msg(parse(args, &t, &first, &err) == 0, "%s", err.text);
	print(&t, args + first - 1, &got);
	ck_assert_str_eq(got.data, good_rows[_i].result);
	buf_free(&got);
	clear(&t);
}
END_TEST

static const struct {
	const char *args[ARGS_MAX];
	const char *sentence;
} bad_rows[] = {
	{{"--nothing", NULL}, "there is no option '--nothing'"},
	{{"--nothing=x", NULL}, "there is no option '--nothing'"},
	{{"-x", NULL}, "there is no option '-x'"},
	{{"-xyz", NULL}, "there is no option '-x'"},
	{{"-q", "--tap", "x", NULL}, "there is no option '--tap'"},
	{{"--tapes", "x", NULL}, "there is no option '--tapes'"},
	{{"--=x", NULL}, "there is no option '--'"},
	{{"---", NULL}, "there is no option '---'"},
	{{"--q", NULL}, "there is no option '--q'"},
	{{"-T", "x", NULL}, "there is no option '-T'"},
	{{"--tape", NULL}, "option '--tape' needs a value: TAPE"},
	{{"-q", "-t", NULL}, "option '-t' needs a value: TAPE"},
	{{"--root", NULL}, "option '--root' needs a value: NAME=DIR"},
	{{"--sync=yes", NULL}, "option '--sync' takes no value"},
	{{"--sync=", NULL}, "option '--sync' takes no value"},
	{{"-qq", NULL}, "option '-q' takes no value"},
};

START_TEST(a_wrong_command_line_is_refused)
{
	struct target t = {.tape = NULL};
	struct error err = {0};
	int first = -1;

	ck_assert_int_eq(parse(bad_rows[_i].args, &t, &first, &err), ERR_INVALID);
	ck_assert_str_eq(err.text, bad_rows[_i].sentence);
	ck_assert_int_eq(first, -1);
	clear(&t);
}
END_TEST

START_TEST(a_list_ends_with_null)
{
	struct target t = {.tape = NULL};
	int first;

	ck_assert_int_eq(parse((const char *const[]){"-eA", "-eB", NULL}, &t, &first, NULL), 0);
	ck_assert_uint_eq(t.envs.count, 2);
	ck_assert_ptr_null(t.envs.item[2]);
	option_list_free(&t.envs);
	ck_assert_uint_eq(t.envs.count, 0);
	ck_assert_ptr_null(t.envs.item);
	clear(&t);
}
END_TEST

/* What it prints to stdout. */
static void capture_help(struct buf *ret)
{
	FILE *to = tmpfile();
	int saved = dup(1);
	char line[256];

	ck_assert_ptr_nonnull(to);
	fflush(stdout);
	dup2(fileno(to), 1);
	options_print_help(&table);
	fflush(stdout);
	dup2(saved, 1);
	close(saved);
	rewind(to);
	while (fgets(line, sizeof(line), to))
		buf_add_str(ret, line);
	fclose(to);
}

START_TEST(each_option_has_a_line_of_help)
{
	struct buf got = BUF_INIT;

	capture_help(&got);
	ck_assert_str_eq(got.data, "  -t, --tape TAPE          the tape\n"
				   "      --format NAME        how to print\n"
				   "      --root NAME=DIR      a root\n"
				   "  -e, --env NAME           a variable\n"
				   "  -q, --quiet              say less\n"
				   "      --sync               to the disk\n");
	buf_free(&got);
}
END_TEST

Suite *tools_options_suite(void)
{
	Suite *suite = suite_create("tools/options");
	TCase *all = tcase_create("all");

	tcase_add_loop_test(all, a_command_line_is_read, 0, COUNT(good_rows));
	tcase_add_loop_test(all, a_wrong_command_line_is_refused, 0, COUNT(bad_rows));
	tcase_add_test(all, a_list_ends_with_null);
	tcase_add_test(all, each_option_has_a_line_of_help);
	suite_add_tcase(suite, all);
	return suite;
}
