#include "base/cleanup.h"
#include "tape/scratch_test.h"
#include "tape/session.h"
#include "tools/tests.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static const struct tape_options plain = {.tape = "t.tape"};

static char *own_home;

static void enter(void)
{
	const char *home = getenv("HOME");

	scratch_enter();
	own_home = home ? strdup(home) : NULL;
}

static void leave(void)
{
	if (own_home)
		setenv("HOME", own_home, 1);
	free(own_home);
	unsetenv("TMPDIR");
	scratch_leave();
}

static struct session open_session(const struct tape_options *options, const struct tape_head *head)
{
	struct session s;
	struct error err = {0};

	ck_assert_msg(session_open(options, head, &s, &err) == 0, "%s", err.text);
	return s;
}

static int open_error(const struct tape_options *options, struct error *err)
{
	struct session s;

	memset(&s, 0x55, sizeof(s));
	return session_open(options, NULL, &s, err);
}

static const char *here(char into[PATH_MAX])
{
	ck_assert_ptr_nonnull(getcwd(into, PATH_MAX));
	return into;
}

START_TEST(work_home_and_tmp_are_roots)
{
	char cwd[PATH_MAX];
	struct session s;

	setenv("HOME", "/somewhere/home", 1);
	setenv("TMPDIR", "/somewhere/tmp/", 1);
	s = open_session(&plain, NULL);
	ck_assert_uint_eq(roots_count(s.roots), 3);
	ck_assert_str_eq(roots_dir(s.roots, "WORK"), here(cwd));
	ck_assert_str_eq(roots_dir(s.roots, "HOME"), "/somewhere/home");
	ck_assert_str_eq(roots_dir(s.roots, "TMP"), "/somewhere/tmp");
	session_close(&s);
}
END_TEST

static const struct {
	const char *home;
	const char *tmp;
	const char *wanted_home;
	const char *wanted_tmp;
} default_rows[] = {
	{NULL, NULL, NULL, "/tmp"},    {"", "", NULL, "/tmp"},
	{"/", "/", NULL, NULL},	       {"//", "///", NULL, NULL},
	{"relative", "t", NULL, NULL}, {"/root", "/var/tmp", "/root", "/var/tmp"},
};

static void set_or_unset(const char *name, const char *value)
{
	if (value)
		setenv(name, value, 1);
	else
		unsetenv(name);
}

static void assert_dir(const struct roots *roots, const char *name, const char *wanted)
{
	if (wanted)
		ck_assert_str_eq(roots_dir(roots, name), wanted);
	else
		ck_assert_ptr_null(roots_dir(roots, name));
}

START_TEST(a_default_that_is_no_directory_below_slash_is_left_out)
{
	struct session s;

	set_or_unset("HOME", default_rows[_i].home);
	set_or_unset("TMPDIR", default_rows[_i].tmp);
	s = open_session(&plain, NULL);
	assert_dir(s.roots, "HOME", default_rows[_i].wanted_home);
	assert_dir(s.roots, "TMP", default_rows[_i].wanted_tmp);
	session_close(&s);
}
END_TEST

START_TEST(a_root_option_adds_or_replaces)
{
	const char *roots[] = {"WORK=sub", "DATA=./sub/../data", NULL};
	struct tape_options options = {.tape = "t.tape", .roots = roots};
	char cwd[PATH_MAX], wanted[PATH_MAX + 8];
	struct session s;

	mkdir("sub", 0777);
	mkdir("data", 0777);
	s = open_session(&options, NULL);
	snprintf(wanted, sizeof(wanted), "%s/sub", here(cwd));
	ck_assert_str_eq(roots_dir(s.roots, "WORK"), wanted);
	snprintf(wanted, sizeof(wanted), "%s/data", cwd);
	ck_assert_str_eq(roots_dir(s.roots, "DATA"), wanted);
	session_close(&s);
}
END_TEST

static const struct {
	const char *root;
	int code;
	const char *sentence;
} bad_roots[] = {
	{"WORK", ERR_INVALID, "'WORK' is not NAME=DIR"},
	{"", ERR_INVALID, "'' is not NAME=DIR"},
	{"lower=/tmp", ERR_INVALID, "lower"},
	{"=/tmp", ERR_INVALID, ""},
	{"A B=/tmp", ERR_INVALID, "A B"},
	{"SLASH=/", ERR_INVALID, "SLASH"},
	{"GONE=/nowhere/at/all", ERR_SYSTEM, "/nowhere/at/all"},
};

START_TEST(a_bad_root_is_refused)
{
	const char *roots[] = {bad_roots[_i].root, NULL};
	struct tape_options options = {.tape = "t.tape", .roots = roots};
	struct error err = {0};

	ck_assert_int_eq(open_error(&options, &err), bad_roots[_i].code);
	ck_assert_msg(strstr(err.text, bad_roots[_i].sentence) != NULL, "%s", err.text);
}
END_TEST

static const struct {
	const char *name;
	const char *sentence;
} bad_env[] = {
	{"PATH", "PATH cannot count"},
	{"A=B", "'A=B' is not the name"},
	{"=", "'=' is not the name"},
	{"", "'' is not the name"},
};

START_TEST(a_bad_env_name_is_refused)
{
	const char *env[] = {"GOOD", bad_env[_i].name, NULL};
	struct tape_options options = {.tape = "t.tape", .env = env};
	struct error err = {0};

	ck_assert_int_eq(open_error(&options, &err), ERR_INVALID);
	ck_assert_msg(strstr(err.text, bad_env[_i].sentence) != NULL, "%s", err.text);
}
END_TEST

static void assert_strings(const struct strings *s, const char *const *wanted)
{
	size_t i;

	for (i = 0; wanted[i]; i++) {
		ck_assert_uint_lt(i, s->count);
		ck_assert_str_eq(s->item[i], wanted[i]);
	}
	ck_assert_uint_eq(s->count, i);
}

START_TEST(only_the_variables_of_the_tape_are_added)
{
	const char *env[] = {"LANG", "TZ", "LANG", NULL};
	const char *through[] = {"mytool", NULL};
	struct tape_options options = {.tape = "t.tape", .env = env, .through = through};
	struct tape_head head;
	struct session s;

	make_head(&head);
	strings_add(&head.env, "TZ");
	strings_add(&head.env, "CI");
	strings_add(&head.through, "other");
	strings_add(&head.real, "docker");
	s = open_session(&options, &head);
	assert_strings(&s.env, (const char *const[]){"LANG", "TZ", "CI", NULL});
	/* A tape must not make anything run. */
	assert_strings(&s.through, (const char *const[]){"mytool", NULL});
	assert_strings(&s.real, (const char *const[]){NULL});
	ck_assert_ptr_null(s.rules.through[1]);
	ck_assert_ptr_null(s.rules.real[0]);
	session_close(&s);
	tape_head_clear(&head);
}
END_TEST

START_TEST(a_closed_session_is_empty)
{
	struct session s = open_session(&plain, NULL);

	session_close(&s);
	ck_assert_ptr_null(s.roots);
	ck_assert_uint_eq(s.env.count, 0);
	session_close(&s);
}
END_TEST

/* A session whose roots are WORK=/work/app and HOME=/home/me, and LANG and TZ count. */
static struct session unit_session(void)
{
	static const char *env[] = {"TZ", "LANG", "APPDIR", NULL};
	struct tape_options options = {.tape = "t.tape", .env = env};
	struct session s = open_session(&options, NULL);

	roots_free(s.roots);
	s.roots = roots_new();
	ck_assert_int_eq(roots_add(s.roots, "WORK", "/work/app", NULL), 0);
	ck_assert_int_eq(roots_add(s.roots, "HOME", "/home/me", NULL), 0);
	return s;
}

#define ARGS_MAX 8

struct strings_of {
	struct bytes item[ARGS_MAX];
	size_t count;
};

static struct strings_of strings_of(const char *const *texts)
{
	struct strings_of s = {.count = 0};

	for (; *texts; texts++)
		s.item[s.count++] = bytes_of_str(*texts);
	return s;
}

static struct unit unit_of(const struct session *s, const char *path, const char *const *argv,
			   const char *cwd, const char *const *env)
{
	struct strings_of args = strings_of(argv), pairs = strings_of(env);
	struct process p = {.subject_id = 3};
	struct exec_request request = {.path = bytes_of_str(path),
				       .argv = args.item,
				       .argc = args.count,
				       .env = pairs.item,
				       .env_count = pairs.count,
				       .cwd = bytes_of_str(cwd)};
	struct unit u = {0};

	ck_assert_int_eq(session_unit(s, &p, &request, &u), 0);
	return u;
}

static const char *const no_env[] = {NULL};

START_TEST(a_request_becomes_a_unit)
{
	struct session s = unit_session();
	struct unit u = unit_of(&s, "/work/app/bin/run",
				(const char *const[]){"bin/run", "-I/work/app/inc", "$WORK", NULL},
				"/work/app/sub",
				(const char *const[]){"HOME=/home/me", "LANG=C", "APPDIR=/work/app",
						      "TZ=", "LANG=de", NULL});

	ck_assert_str_eq(u.parent.data, "3");
	ck_assert_uint_eq(u.argc, 3);
	ck_assert_str_eq(u.argv[0].data, "bin/run");
	ck_assert_str_eq(u.argv[1].data, "-I$WORK/inc");
	ck_assert_str_eq(u.argv[2].data, "$$WORK");
	ck_assert_str_eq(u.cwd.data, "$WORK/sub");
	ck_assert_uint_eq(u.env_count, 3);
	ck_assert_str_eq(u.env[0].name.data, "APPDIR");
	ck_assert_str_eq(u.env[0].value.data, "$WORK");
	ck_assert_str_eq(u.env[1].name.data, "LANG");
	ck_assert_str_eq(u.env[1].value.data, "C");
	ck_assert_str_eq(u.env[2].name.data, "TZ");
	ck_assert_uint_eq(u.env[2].value.len, 0);
	ck_assert_str_eq(u.time.program.data, "$WORK/bin/run");
	unit_clear(&u);
	session_close(&s);
}
END_TEST

START_TEST(a_request_without_argv_or_cwd_is_a_unit_too)
{
	struct session s = unit_session();
	struct unit u = unit_of(&s, "/bin/true", no_env, "", no_env);

	ck_assert_uint_eq(u.argc, 0);
	ck_assert_uint_eq(u.cwd.len, 0);
	ck_assert_uint_eq(u.env_count, 0);
	unit_clear(&u);
	session_close(&s);
}
END_TEST

static const struct {
	const char *path;
	const char *argv0;
	const char *argv1;
	const char *cwd;
	const char *env;
	bool same;
} key_rows[] = {
	/* Where the program was found does not count, nor do variables that were not chosen. */
	{"/opt/git/bin/git", "git", "status", "/work/app", "LANG=C", true},
	{"/usr/bin/git", "/usr/bin/git", "status", "/work/app", "LANG=C", true},
	{"/usr/bin/git", "git", "status", "/work/app", "LANGUAGE=de", false},
	{"/usr/bin/git", "git", "status", "/work/app", "PATH=/opt/bin", false},
	{"/usr/bin/git", "git", "log", "/work/app", "LANG=C", false},
	{"/usr/bin/git", "git", "status", "/work/app/sub", "LANG=C", false},
	{"/usr/bin/git", "git", "status", "/work/app", "LANG=", false},
	{"/usr/bin/git", "gix", "status", "/work/app", "LANG=C", false},
};

START_TEST(the_key_is_of_what_counts)
{
	struct session s = unit_session();
	struct unit first =
		unit_of(&s, "/usr/bin/git", (const char *const[]){"git", "status", NULL},
			"/work/app", (const char *const[]){"LANG=C", "OTHER=1", NULL});
	struct unit u =
		unit_of(&s, key_rows[_i].path,
			(const char *const[]){key_rows[_i].argv0, key_rows[_i].argv1, NULL},
			key_rows[_i].cwd, (const char *const[]){key_rows[_i].env, "OTHER=2", NULL});

	ck_assert_int_eq(u.id.key == first.id.key, key_rows[_i].same);
	ck_assert_int_eq(unit_same_command(&u, &first), key_rows[_i].same);
	unit_clear(&first);
	unit_clear(&u);
	session_close(&s);
}
END_TEST

/* The same project in two places: the roots take the difference out of the key. */
START_TEST(the_key_does_not_depend_on_where_the_work_is)
{
	struct session a = unit_session(), b = unit_session();
	struct unit ua, ub;

	ck_assert_int_eq(roots_add(b.roots, "WORK", "/elsewhere", NULL), 0);
	ua = unit_of(&a, "/bin/cat", (const char *const[]){"cat", "/work/app/x", NULL}, "/work/app",
		     (const char *const[]){"APPDIR=/work/app", NULL});
	ub = unit_of(&b, "/usr/bin/cat", (const char *const[]){"cat", "/elsewhere/x", NULL},
		     "/elsewhere", (const char *const[]){"APPDIR=/elsewhere", NULL});
	ck_assert_uint_eq(ua.id.key, ub.id.key);
	ck_assert(unit_same_command(&ua, &ub));
	unit_clear(&ua);
	unit_clear(&ub);
	session_close(&a);
	session_close(&b);
}
END_TEST

static bool decide(struct session *s, const struct process *p, const char *path,
		   struct exec_decision *ret)
{
	struct bytes argv = bytes_of_str(path);
	struct exec_request request = {.path = argv, .argv = &argv, .argc = 1};

	memset(ret, 0, sizeof(*ret));
	return session_decide(s, p, &request, ret);
}

START_TEST(a_decision_follows_the_rule_and_numbers_the_subjects)
{
	static const char *real[] = {"docker", NULL};
	struct tape_options options = {.tape = "t.tape", .real = real};
	struct session s = open_session(&options, NULL);
	struct process root = {.in_place = true, .subject_id = 0};
	struct process child = {.subject_id = 0};
	struct exec_decision d;

	ck_assert(!decide(&s, &root, "/usr/bin/node", &d));
	ck_assert_int_eq(d.action, EXEC_SUBJECT);
	ck_assert_uint_eq(d.subject_id, 0);
	ck_assert(!decide(&s, &child, "/usr/bin/npm", &d));
	ck_assert_int_eq(d.action, EXEC_SUBJECT);
	ck_assert_uint_eq(d.subject_id, 1);
	ck_assert(d.spreads);
	ck_assert(!decide(&s, &child, "/usr/bin/pytest", &d));
	ck_assert_uint_eq(d.subject_id, 2);
	ck_assert(!d.spreads);
	ck_assert(!decide(&s, &child, "/usr/bin/docker", &d));
	ck_assert_int_eq(d.action, EXEC_REAL);
	ck_assert(decide(&s, &child, "/usr/bin/git", &d));
	session_close(&s);
}
END_TEST

static void keep_line(void *ctx, enum tape_level level, const char *line)
{
	buf_addf(ctx, "%d %s", level, line);
}

START_TEST(what_is_said_reaches_the_caller)
{
	cleanup_buf struct buf said = BUF_INIT;
	struct tape_options options = {.tape = "t.tape", .say = keep_line, .say_ctx = &said};
	struct session s = open_session(&options, NULL);

	session_say(&s, TAPE_PROBLEM, "%d of %s", 3, "them");
	ck_assert_str_eq(said.data, "1 3 of them");
	session_close(&s);
	s = open_session(&plain, NULL);
	session_say(&s, TAPE_WARNING, "%s", "to nobody");
	session_close(&s);
}
END_TEST

Suite *tape_session_suite(void)
{
	Suite *suite = suite_create("tape/session");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, enter, leave);
	tcase_add_test(all, work_home_and_tmp_are_roots);
	tcase_add_loop_test(all, a_default_that_is_no_directory_below_slash_is_left_out, 0,
			    COUNT(default_rows));
	tcase_add_test(all, a_root_option_adds_or_replaces);
	tcase_add_loop_test(all, a_bad_root_is_refused, 0, COUNT(bad_roots));
	tcase_add_loop_test(all, a_bad_env_name_is_refused, 0, COUNT(bad_env));
	tcase_add_test(all, only_the_variables_of_the_tape_are_added);
	tcase_add_test(all, a_closed_session_is_empty);
	tcase_add_test(all, a_request_becomes_a_unit);
	tcase_add_test(all, a_request_without_argv_or_cwd_is_a_unit_too);
	tcase_add_loop_test(all, the_key_is_of_what_counts, 0, COUNT(key_rows));
	tcase_add_test(all, the_key_does_not_depend_on_where_the_work_is);
	tcase_add_test(all, a_decision_follows_the_rule_and_numbers_the_subjects);
	tcase_add_test(all, what_is_said_reaches_the_caller);
	suite_add_tcase(suite, all);
	return suite;
}
