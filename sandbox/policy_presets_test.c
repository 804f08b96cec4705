/* The roots of presets, beside those that somebody has named. */
#include "sandbox/policy.h"

#include "tools/tests.h"
#include <string.h>

static const struct sandbox_places places = {"/work", "/home/me", "/tmp/mine"};

static struct sandbox_policy *policy;
static struct error err;

static void make_policy(void)
{
	err = (struct error){0};
	ck_assert_int_eq(sandbox_policy_new(SANDBOX_LEVEL_PROCESS_EXEC, &places, &policy, &err), 0);
}

static void drop_policy(void)
{
	sandbox_policy_free(policy);
	policy = NULL;
}

static enum sandbox_root kind_at(const char *path)
{
	for (size_t i = 0; i < policy->roots.count; i++)
		if (strcmp(policy->roots.item[i].path, path) == 0)
			return policy->roots.item[i].kind;
	return SANDBOX_ROOTS;
}

static void add_presets(void)
{
	for (int i = 0; i < SANDBOX_PRESETS; i++)
		ck_assert_int_eq(sandbox_policy_add_preset(policy, (enum sandbox_preset)i, &err),
				 0);
}

START_TEST(presets_grant_no_secrets)
{
	add_presets();
	ck_assert_int_eq(kind_at("/usr"), SANDBOX_ROOT_EXEC);
	ck_assert_int_eq(kind_at("/etc"), SANDBOX_ROOT_READ);
	ck_assert_int_eq(kind_at("/etc/shadow"), SANDBOX_ROOT_DENY);
	ck_assert_int_eq(kind_at("/etc/letsencrypt"), SANDBOX_ROOT_DENY);
	ck_assert_int_eq(kind_at("/etc/apt/auth.conf.d"), SANDBOX_ROOT_DENY);
	ck_assert_int_eq(kind_at("/home/me/.ssh"), SANDBOX_ROOT_DENY);
	ck_assert_int_eq(kind_at("/home/me/.config/containers/auth.json"), SANDBOX_ROOT_DENY);
	ck_assert_int_eq(kind_at("/home/me/.gitconfig"), SANDBOX_ROOT_READ);
	ck_assert_int_eq(kind_at("/dev/null"), SANDBOX_ROOT_WRITE);
	ck_assert_int_eq(kind_at("/dev"), SANDBOX_ROOTS);
	ck_assert_int_eq(kind_at("/home/me"), SANDBOX_ROOTS);
	for (size_t i = 0; i < policy->roots.count; i++)
		ck_assert(policy->roots.item[i].optional);
	ck_assert_int_eq(sandbox_policy_check(policy, &err), 0);
}
END_TEST

/* So that without the preset that denies them nothing of HOME with a secret is granted, either. */
START_TEST(no_toolchain_holds_a_secret)
{
	struct policy_roots *roots = &policy->roots;

	add_presets();
	ck_assert_int_eq(kind_at("/home/me/.local/share/uv/credentials"), SANDBOX_ROOT_DENY);
	for (size_t i = 0; i < roots->count; i++)
		for (size_t j = 0; j < roots->count; j++)
			ck_assert_msg(
				roots->item[i].kind != SANDBOX_ROOT_DENY ||
					roots->item[j].kind == SANDBOX_ROOT_DENY ||
					strncmp(roots->item[j].path, "/home/me/", 9) != 0 ||
					!policy_path_is_in(roots->item[i].path, roots->item[j].path,
							   roots->item[j].len),
				"%s is granted with %s", roots->item[j].path, roots->item[i].path);
}
END_TEST

START_TEST(who_names_a_root_means_more_than_a_preset)
{
	ck_assert_int_eq(
		sandbox_policy_add_root(policy, SANDBOX_ROOT_READ, "$HOME/.npmrc", false, &err), 0);
	ck_assert_int_eq(sandbox_policy_add_root(policy, SANDBOX_ROOT_DENY, "/usr", false, &err),
			 0);
	add_presets();
	ck_assert_int_eq(kind_at("/home/me/.npmrc"), SANDBOX_ROOT_READ);
	ck_assert_int_eq(kind_at("/usr"), SANDBOX_ROOT_DENY);
	ck_assert_int_eq(sandbox_policy_check(policy, &err), 0);
}
END_TEST

static void name_roots(void)
{
	static const struct {
		enum sandbox_root kind;
		const char *path;
	} named[] = {{SANDBOX_ROOT_DENY, "$HOME"},	  {SANDBOX_ROOT_READ, "$HOME/.npmrc"},
		     {SANDBOX_ROOT_EXEC, "$HOME/go/bin"}, {SANDBOX_ROOT_READ_ONLY, "/dev"},
		     {SANDBOX_ROOT_DENY, "/var/lib/dpk"}, {SANDBOX_ROOT_READ, "/usr"},
		     {SANDBOX_ROOT_WRITE, "/opt"},	  {SANDBOX_ROOT_DENY, "/proc/kcore/x"}};

	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
		ck_assert_int_eq(
			sandbox_policy_add_root(policy, named[i].kind, named[i].path, false, &err),
			0);
}

/* Whichever comes first. */
START_TEST(presets_grant_nothing_inside_what_is_denied_or_read_only)
{
	if (_i == 0)
		add_presets();
	name_roots();
	add_presets();
	ck_assert_int_eq(kind_at("/home/me/.gitconfig"), SANDBOX_ROOTS);
	ck_assert_int_eq(kind_at("/home/me/go"), SANDBOX_ROOTS);
	ck_assert_int_eq(kind_at("/home/me/go/bin"), SANDBOX_ROOT_EXEC);
	ck_assert_int_eq(kind_at("/home/me/.npmrc"), SANDBOX_ROOT_READ);
	ck_assert_int_eq(kind_at("/dev/null"), SANDBOX_ROOTS);
	ck_assert_int_eq(kind_at("/dev"), SANDBOX_ROOT_READ_ONLY);
	/* Of one place, what is named; elsewhere the presets stay, and what they deny. */
	ck_assert_int_eq(kind_at("/usr"), SANDBOX_ROOT_READ);
	ck_assert_int_eq(kind_at("/opt"), SANDBOX_ROOT_WRITE);
	ck_assert_int_eq(kind_at("/var/lib/dpkg"), SANDBOX_ROOT_READ);
	ck_assert_int_eq(kind_at("/bin"), SANDBOX_ROOT_EXEC);
	ck_assert_int_eq(kind_at("/home/me/.ssh"), SANDBOX_ROOT_DENY);
	ck_assert_int_eq(kind_at("/proc/kcore"), SANDBOX_ROOT_DENY);
	ck_assert_int_eq(sandbox_policy_check(policy, &err), 0);
}
END_TEST

/* What somebody has named, too, does not give way. */
START_TEST(a_root_of_a_preset_that_is_named_is_like_others)
{
	add_presets();
	ck_assert_int_eq(
		sandbox_policy_add_root(policy, SANDBOX_ROOT_WRITE, "/dev/null", false, &err), 0);
	ck_assert_int_eq(sandbox_policy_add_root(policy, SANDBOX_ROOT_DENY, "/", false, &err), 0);
	ck_assert_int_eq(kind_at("/dev/null"), SANDBOX_ROOT_WRITE);
	ck_assert_int_eq(kind_at("/dev/zero"), SANDBOX_ROOTS);
	ck_assert_int_eq(kind_at("/usr"), SANDBOX_ROOTS);
}
END_TEST

Suite *sandbox_policy_presets_suite(void)
{
	Suite *s = suite_create("sandbox_policy_presets");
	TCase *tc = tcase_create("presets");

	tcase_add_checked_fixture(tc, make_policy, drop_policy);
	tcase_add_test(tc, presets_grant_no_secrets);
	tcase_add_test(tc, no_toolchain_holds_a_secret);
	tcase_add_test(tc, who_names_a_root_means_more_than_a_preset);
	tcase_add_loop_test(tc, presets_grant_nothing_inside_what_is_denied_or_read_only, 0, 2);
	tcase_add_test(tc, a_root_of_a_preset_that_is_named_is_like_others);
	suite_add_tcase(s, tc);
	return s;
}
