#include "tape/subject.h"
#include "tools/tests.h"
#include <stdlib.h>
#include <string.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static struct exec_request request_of(const char *path, const char *argv0, struct bytes *argv)
{
	if (argv0)
		*argv = bytes_of_str(argv0);
	return (struct exec_request){
		.path = bytes_of_str(path), .argv = argv, .argc = argv0 ? 1 : 0};
}

static char *through[] = {"mytool", "*/jobs/*", NULL};
static char *real[] = {"docker", "/opt/*/psql", "both", NULL};

static const struct subject_rules rules = {through, real};
static const struct subject_rules no_rules = {NULL, NULL};

/* Who executes. */
enum actor {
	ROOT,	   /* or a launcher, in place */
	CHILD,	   /* forked by the root */
	NPM,	   /* a launcher that spreads, in place */
	NPM_CHILD, /* forked by one */
};

static const struct process actors[] = {
	[ROOT] = {.in_place = true},
	[CHILD] = {.in_place = false},
	[NPM] = {.in_place = true, .spreads = true},
	[NPM_CHILD] = {.in_place = false, .spreads = true},
};

static const struct {
	enum actor actor;
	const char *path;
	const char *argv0; /* NULL: an empty argv */
	enum subject_verdict verdict;
	bool spreads;
} judge_rows[] = {
	/* A forked child's program is a command, the root's own is not. */
	{CHILD, "/usr/bin/git", "git", SUBJECT_UNIT, false},
	{CHILD, "/bin/sh", "sh", SUBJECT_UNIT, false},
	{CHILD, "git", "git", SUBJECT_UNIT, false},
	{CHILD, "", "", SUBJECT_UNIT, false},
	{CHILD, "/usr/bin/git", NULL, SUBJECT_UNIT, false},
	{CHILD, "/", "/", SUBJECT_UNIT, false},
	{ROOT, "/usr/bin/git", "git", SUBJECT_STAYS, false},
	{ROOT, "/bin/sh", "sh", SUBJECT_STAYS, false},
	{ROOT, "/usr/bin/git", NULL, SUBJECT_STAYS, false},
	/* Launchers, by path or by argv[0]. */
	{CHILD, "/usr/bin/npm", "npm", SUBJECT_STAYS, true},
	{CHILD, "/usr/bin/npm", NULL, SUBJECT_STAYS, true},
	{CHILD, "/usr/lib/node/npm-cli.js", "npm", SUBJECT_STAYS, true},
	{CHILD, "/usr/lib/node/npm-cli.js", "/usr/bin/npm", SUBJECT_STAYS, true},
	{CHILD, "/usr/bin/npmx", "npmx", SUBJECT_UNIT, false},
	{CHILD, "/npm/git", "git", SUBJECT_UNIT, false},
	{ROOT, "/usr/bin/npm", "npm", SUBJECT_STAYS, true},
	{CHILD, "/usr/bin/uv", "uv", SUBJECT_STAYS, true},
	{CHILD, "/usr/bin/tox", "tox", SUBJECT_STAYS, true},
	{CHILD, "/usr/bin/pytest", "pytest", SUBJECT_STAYS, false},
	{CHILD, "/usr/bin/py.test", "py.test", SUBJECT_STAYS, false},
	{CHILD, "/usr/bin/pyxtest", "pyxtest", SUBJECT_UNIT, false},
	{CHILD, "/w/node_modules/.bin/jest", "jest", SUBJECT_STAYS, false},
	{ROOT, "/usr/bin/pytest", "pytest", SUBJECT_STAYS, false},
	/* npm is a script: the interpreter that it becomes in place still spreads. */
	{NPM, "/usr/bin/node", "node", SUBJECT_STAYS, true},
	{NPM, "/usr/bin/pytest", "pytest", SUBJECT_STAYS, true},
	/* What it starts is subject; that goes on behind a shell only. */
	{NPM_CHILD, "/bin/sh", "sh", SUBJECT_STAYS, true},
	{NPM_CHILD, "/usr/bin/env", "env", SUBJECT_STAYS, true},
	{NPM_CHILD, "/bin/busybox", "sh", SUBJECT_STAYS, true},
	{NPM_CHILD, "/usr/bin/node", "node", SUBJECT_STAYS, false},
	{NPM_CHILD, "/usr/bin/node", NULL, SUBJECT_STAYS, false},
	/* A launcher below a launcher does as it always does. */
	{NPM_CHILD, "/usr/bin/npx", "npx", SUBJECT_STAYS, true},
	{NPM_CHILD, "/usr/bin/pytest", "pytest", SUBJECT_STAYS, false},
	/* A helper stays, until it executes the command in its place. */
	{CHILD, "/usr/lib/jvm/java/lib/jspawnhelper", "jspawnhelper", SUBJECT_STAYS, false},
	/* --through */
	{CHILD, "/usr/bin/mytool", "mytool", SUBJECT_STAYS, false},
	{CHILD, "/usr/bin/python3", "mytool", SUBJECT_STAYS, false},
	{CHILD, "/srv/jobs/nightly", "nightly", SUBJECT_STAYS, false},
	{CHILD, "/srv/jobs/a/b", "b", SUBJECT_STAYS, false},
	{CHILD, "nightly", "/srv/jobs/nightly", SUBJECT_UNIT, false},
	{CHILD, "/usr/bin/mytool2", "mytool2", SUBJECT_UNIT, false},
	/* --real */
	{CHILD, "/usr/bin/docker", "docker", SUBJECT_REAL, false},
	{CHILD, "/opt/pg/psql", "psql", SUBJECT_REAL, false},
	{CHILD, "/usr/bin/psql", "psql", SUBJECT_UNIT, false},
	{NPM_CHILD, "/usr/bin/docker", "docker", SUBJECT_REAL, false},
	{ROOT, "/usr/bin/docker", "docker", SUBJECT_STAYS, false},
};

START_TEST(the_rule_says_who_is_subject)
{
	struct bytes argv;
	struct exec_request request = request_of(judge_rows[_i].path, judge_rows[_i].argv0, &argv);
	bool spreads = !judge_rows[_i].spreads;

	ck_assert_int_eq(subject_judge(&rules, &actors[judge_rows[_i].actor], &request, &spreads),
			 judge_rows[_i].verdict);
	if (judge_rows[_i].verdict == SUBJECT_STAYS)
		ck_assert_int_eq(spreads, judge_rows[_i].spreads);
}
END_TEST

/* npm run test → sh -c → node → git: each process with what the one before it passes on. */
START_TEST(the_program_behind_a_launcher_spawns_the_units)
{
	static const char *const chain[] = {"/usr/bin/npm", "/bin/sh", "/usr/bin/node"};
	struct process p = {.in_place = false};
	struct exec_request request;
	bool spreads;
	size_t i;

	for (i = 0; i < COUNT(chain); i++) {
		request = request_of(chain[i], NULL, NULL);
		ck_assert_int_eq(subject_judge(&no_rules, &p, &request, &spreads), SUBJECT_STAYS);
		p.spreads = spreads;
	}
	request = request_of("/usr/bin/git", NULL, NULL);
	ck_assert_int_eq(subject_judge(&no_rules, &p, &request, &spreads), SUBJECT_UNIT);
}
END_TEST

START_TEST(a_helper_hands_over_when_it_was_spawned)
{
	struct bytes argv;
	struct exec_request helper = request_of("/lib/jspawnhelper", "jspawnhelper", &argv);
	struct exec_request other;

	ck_assert(subject_hands_over(&actors[CHILD], &helper));
	ck_assert(!subject_hands_over(&actors[ROOT], &helper));
	other = request_of("/usr/bin/npm", "npm", &argv);
	ck_assert(!subject_hands_over(&actors[CHILD], &other));
}
END_TEST

START_TEST(real_wins_over_through)
{
	static char *both[] = {"git", NULL};
	const struct subject_rules contradicting = {both, both};
	struct bytes argv;
	struct exec_request request = request_of("/usr/bin/git", "git", &argv);
	bool spreads;

	ck_assert_int_eq(subject_judge(&contradicting, &actors[CHILD], &request, &spreads),
			 SUBJECT_REAL);
}
END_TEST

START_TEST(real_wins_over_a_launcher)
{
	static char *npm[] = {"npm", NULL};
	const struct subject_rules npm_is_real = {NULL, npm};
	struct bytes argv;
	struct exec_request request = request_of("/usr/bin/npm", "npm", &argv);
	bool spreads;

	ck_assert_int_eq(subject_judge(&npm_is_real, &actors[CHILD], &request, &spreads),
			 SUBJECT_REAL);
}
END_TEST

static const struct {
	const char *glob;
	const char *path;
	const char *argv0;
	bool matches;
} glob_rows[] = {
	{"git", "/usr/bin/git", "git", true},
	{"git", "git", NULL, true},
	{"git", "/usr/bin/git", "something", true},
	{"git", "/usr/lib/multicall", "git", true},
	{"git", "/usr/lib/multicall", "/usr/bin/git", true},
	{"git", "/usr/bin/git-log", "git-log", false},
	{"git", "/usr/git/ls", "ls", false},
	{"git", "", "", false},
	{"git", "/usr/bin/git/", NULL, false},
	{"git*", "/usr/bin/git-log", NULL, true},
	{"python3.[0-9]*", "/usr/bin/python3.11", NULL, true},
	{"python3.[0-9]*", "/usr/bin/python3", NULL, false},
	{"*", "/usr/bin/anything", NULL, true},
	/* With a slash: the whole path, and never argv[0]. */
	{"/usr/bin/git", "/usr/bin/git", NULL, true},
	{"/usr/bin/git", "/bin/git", "/usr/bin/git", false},
	{"*/bin/git", "/opt/git/bin/git", NULL, true},
	{"*/bin/git", "bin/git", NULL, false},
	{"./run", "./run", NULL, true},
	{"./run", "run", "run", false},
};

START_TEST(a_glob_matches_names_or_whole_paths)
{
	struct bytes argv;
	struct exec_request request = request_of(glob_rows[_i].path, glob_rows[_i].argv0, &argv);

	ck_assert_int_eq(subject_glob_matches(glob_rows[_i].glob, &request), glob_rows[_i].matches);
}
END_TEST

START_TEST(a_name_that_is_too_long_matches_nothing)
{
	char *name = malloc(100001);
	struct exec_request request;

	memset(name, 'x', 100000);
	name[100000] = '\0';
	request = request_of(name, NULL, NULL);
	ck_assert(!subject_glob_matches("x*", &request));
	free(name);
}
END_TEST

/* Bytes are borrowed from a larger buffer: what follows them is no part of the name. */
START_TEST(a_name_ends_with_its_length)
{
	struct bytes argv = {"git-log", 3};
	struct exec_request by_path = {.path = {"/usr/bin/git-log", 12}};
	struct exec_request by_name = {.path = {"/x", 2}, .argv = &argv, .argc = 1};

	ck_assert(subject_glob_matches("git", &by_path));
	ck_assert(subject_glob_matches("git", &by_name));
}
END_TEST

Suite *tape_subject_suite(void)
{
	Suite *suite = suite_create("tape/subject");
	TCase *all = tcase_create("all");

	tcase_add_loop_test(all, the_rule_says_who_is_subject, 0, COUNT(judge_rows));
	tcase_add_test(all, the_program_behind_a_launcher_spawns_the_units);
	tcase_add_test(all, a_helper_hands_over_when_it_was_spawned);
	tcase_add_test(all, real_wins_over_through);
	tcase_add_test(all, real_wins_over_a_launcher);
	tcase_add_loop_test(all, a_glob_matches_names_or_whole_paths, 0, COUNT(glob_rows));
	tcase_add_test(all, a_name_that_is_too_long_matches_nothing);
	tcase_add_test(all, a_name_ends_with_its_length);
	suite_add_tcase(suite, all);
	return suite;
}
