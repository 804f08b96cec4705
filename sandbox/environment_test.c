#include "sandbox/environment.h"
#include "sandbox/inside_test.h"

#include "base/buf.h"
#include "tools/tests.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct inside inside;
static struct environment *environment;
static struct sandbox_paths *paths;

#define CACHE "npm_config_cache=/own"

static void setup(void)
{
	inside_setup(&inside);
	environment = NULL;
	paths = NULL;
}

static void teardown(void)
{
	environment_free(environment);
	sandbox_paths_free(paths);
	inside_teardown(&inside);
}

static void prepare(void)
{
	ck_assert_int_eq(environment_prepare(&inside.judge, paths, &environment), 0);
}

static void keep(const char *name)
{
	ck_assert_int_eq(sandbox_policy_keep_env(inside.policy, name, NULL), 0);
}

static void set(const char *name, const char *value)
{
	ck_assert_int_eq(sandbox_policy_set_env(inside.policy, name, value, NULL), 0);
}

/* The variables that are left, each with a "|" behind it. */
static void expect(const char *const *envp, const char *const *extra, const char *expected)
{
	struct buf text = BUF_INIT;
	const char **left = NULL;

	ck_assert_int_eq(environment_build(environment, envp, extra, CACHE, &left, &inside.err), 0);
	for (const char **entry = left; *entry; entry++)
		ck_assert_int_eq(buf_addf(&text, "%s|", *entry), 0);
	ck_assert_str_eq(text.data ? text.data : "", expected);
	buf_free(&text);
	free(left);
}

#define ENV(...) ((const char *const[]){__VA_ARGS__, NULL})

START_TEST(only_what_is_kept_stays)
{
	prepare();
	expect(ENV("PATH=/bin", "FOO=1", "LC_ALL=C", "LC_=x", "HOME="), NULL,
	       "PATH=/bin|LC_ALL=C|LC_=x|HOME=|");
	ck_assert_int_eq(inside_state(&inside, SANDBOX_MECH_ENV), SANDBOX_STATE_ENFORCED);
}
END_TEST

START_TEST(secrets_go_even_when_a_pattern_keeps_them)
{
	keep("*");
	keep("MY_TOKEN");
	prepare();
	expect(ENV("GITHUB_TOKEN=x", "AWS_SECRET_ACCESS_KEY=x", "MY_TOKEN=kept", "FOO=1",
		   "npm_config_//r/:_authToken=x"),
	       NULL, "MY_TOKEN=kept|FOO=1|");
}
END_TEST

START_TEST(the_loaders_always_go)
{
	keep("*");
	prepare();
	expect(ENV("LD_PRELOAD=x", "LD_=x", "LD_LIBRARY_PATH=x", "LDFLAGS=-s", "OLD_X=1"), NULL,
	       "LDFLAGS=-s|OLD_X=1|");
}
END_TEST

START_TEST(hooks_stay_only_when_they_are_named)
{
	const char *const *envp =
		ENV("BASH_ENV=/x", "ENV=/x", "BASH_FUNC_ls%%=() { :; }", "GLIBC_TUNABLES=x",
		    "GCONV_PATH=/x", "SHELLOPTS=xtrace", "BASH_ENVX=1");

	keep("*");
	prepare();
	expect(envp, NULL, "BASH_ENVX=1|");
	environment_free(environment);
	keep("BASH_ENV");
	keep("BASH_FUNC_ls%%");
	prepare();
	expect(envp, NULL, "BASH_ENV=/x|BASH_FUNC_ls%%=() { :; }|BASH_ENVX=1|");
}
END_TEST

START_TEST(what_toolchains_need_stays_by_default)
{
	prepare();
	expect(ENV("PYTHONPATH=/p", "NODE_OPTIONS=--max-old-space-size=4096", "NODE_AUTH_TOKEN=x",
		   "CARGO_HOME=/c", "MAKEFLAGS=-j2", "PERL5OPT=-Mx"),
	       NULL,
	       "PYTHONPATH=/p|NODE_OPTIONS=--max-old-space-size=4096|CARGO_HOME=/c|MAKEFLAGS=-j2|");
}
END_TEST

START_TEST(what_is_set_takes_the_place_and_extra_that_of_both)
{
	set("PATH", "/opt/bin");
	set("EMPTY", "");
	set("TMPDIR", "/policy");
	prepare();
	expect(ENV("PATH=/bin", "HOME=/h", "TMPDIR=/caller"), ENV("TMPDIR=/own", "NEW=a=b"),
	       "PATH=/opt/bin|HOME=/h|TMPDIR=/own|EMPTY=|NEW=a=b|");
}
END_TEST

/* With what is granted. */
static void prepare_paths(void)
{
	environment_free(environment);
	sandbox_paths_free(paths);
	ck_assert_int_eq(sandbox_paths_new(inside.policy, NULL, NULL, &paths, NULL), 0);
	prepare();
}

START_TEST(a_cache_of_npm_that_is_closed_is_another)
{
	inside.policy->places[POLICY_HOME] = "/no/home";
	prepare_paths();
	expect(ENV("A=1", "HOME=/h"), NULL, "HOME=/h|" CACHE "|");
	expect(ENV("npm_config_cache=/no/home/.npm"), NULL, CACHE "|");
	expect(ENV("npm_config_cache=/given"), NULL, "npm_config_cache=/given|");
	keep("NPM_CONFIG_CACHE");
	prepare_paths();
	expect(ENV("NPM_CONFIG_CACHE=/given"), NULL, "NPM_CONFIG_CACHE=/given|");
	inside.policy->places[POLICY_HOME] = NULL;
	prepare_paths();
	expect(ENV("HOME="), NULL, "HOME=|" CACHE "|");
	set("npm_config_cache", "/no/home/.npm");
	prepare_paths();
	expect(ENV("HOME=/h"), NULL, "HOME=/h|npm_config_cache=/no/home/.npm|");
}
END_TEST

START_TEST(a_cache_of_npm_that_is_granted_or_not_kept_stays)
{
	char home[] = "/tmp/sandtape-test-XXXXXX", cache[64];

	ck_assert_ptr_nonnull(mkdtemp(home));
	snprintf(cache, sizeof(cache), "%s/.npm", home);
	ck_assert_int_eq(mkdir(cache, 0755), 0);
	inside.policy->places[POLICY_HOME] = home;
	prepare_paths();
	expect(ENV("HOME=/h"), NULL, "HOME=/h|" CACHE "|");
	ck_assert_int_eq(
		sandbox_policy_add_root(inside.policy, SANDBOX_ROOT_READ, cache, false, NULL), 0);
	prepare_paths();
	expect(ENV("HOME=/h"), NULL, "HOME=/h|");
	rmdir(cache);
	rmdir(home);
	inside.policy->places[POLICY_HOME] = "/no/home";
	policy_variables_clear(&inside.policy->keep);
	policy_roots_clear(&inside.policy->roots);
	prepare_paths();
	expect(ENV("HOME=/h"), NULL, "");
}
END_TEST

START_TEST(malformed_entries_go_and_the_first_of_a_name_stays)
{
	keep("*");
	prepare();
	expect(ENV("", "=", "=x", "HOME", "A=1", "AB=2", "A=3", "A", "AB=", "B=="), NULL,
	       "A=1|AB=2|B==|");
}
END_TEST

START_TEST(the_first_of_a_name_counts_even_when_it_is_not_the_one_that_would_stay)
{
	prepare();
	expect(ENV("TZ=first", "FOO=1", "TZ=second"), NULL, "TZ=first|");
}
END_TEST

START_TEST(without_an_environment_it_is_the_callers)
{
	const char **left = NULL;
	bool found = false;

	keep("SANDTAPE_TEST_*");
	prepare();
	ck_assert_int_eq(setenv("SANDTAPE_TEST_X", "y", 1), 0);
	ck_assert_int_eq(environment_build(environment, NULL, NULL, NULL, &left, NULL), 0);
	for (const char **entry = left; *entry; entry++)
		found = found || strcmp(*entry, "SANDTAPE_TEST_X=y") == 0;
	ck_assert(found);
	ck_assert_int_eq(unsetenv("SANDTAPE_TEST_X"), 0);
	free(left);
}
END_TEST

START_TEST(switched_off_it_takes_nothing_away)
{
	ck_assert_int_eq(sandbox_policy_set_strictness(inside.policy, SANDBOX_MECH_ENV,
						       SANDBOX_STRICT_OFF, NULL),
			 0);
	set("A", "2");
	prepare();
	expect(ENV("LD_PRELOAD=x", "A=1", "B_TOKEN=x"), NULL, "LD_PRELOAD=x|A=2|B_TOKEN=x|");
	ck_assert_int_eq(inside_state(&inside, SANDBOX_MECH_ENV), SANDBOX_STATE_OFF);
}
END_TEST

START_TEST(it_does_not_refer_to_the_policy)
{
	set("A", "1");
	prepare();
	sandbox_policy_free(inside.policy);
	inside.policy = NULL;
	expect(ENV("PATH=/bin", "X_TOKEN=x"), NULL, "PATH=/bin|A=1|");
}
END_TEST

Suite *sandbox_environment_suite(void)
{
	Suite *suite = suite_create("sandbox_environment");
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, only_what_is_kept_stays);
	tcase_add_test(tcase, secrets_go_even_when_a_pattern_keeps_them);
	tcase_add_test(tcase, the_loaders_always_go);
	tcase_add_test(tcase, hooks_stay_only_when_they_are_named);
	tcase_add_test(tcase, what_toolchains_need_stays_by_default);
	tcase_add_test(tcase, what_is_set_takes_the_place_and_extra_that_of_both);
	tcase_add_test(tcase, a_cache_of_npm_that_is_closed_is_another);
	tcase_add_test(tcase, a_cache_of_npm_that_is_granted_or_not_kept_stays);
	tcase_add_test(tcase, malformed_entries_go_and_the_first_of_a_name_stays);
	tcase_add_test(tcase,
		       the_first_of_a_name_counts_even_when_it_is_not_the_one_that_would_stay);
	tcase_add_test(tcase, without_an_environment_it_is_the_callers);
	tcase_add_test(tcase, switched_off_it_takes_nothing_away);
	tcase_add_test(tcase, it_does_not_refer_to_the_policy);
	suite_add_tcase(suite, tcase);
	return suite;
}
