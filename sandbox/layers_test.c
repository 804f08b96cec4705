#include "sandbox/layers.h"

#include "tools/tests.h"
#include <stdio.h>
#include <string.h>

struct fixture {
	struct sandbox_policy *policy;
	struct sandbox_layers layers;
	char told[256];
	struct error err;
};

static void say(void *ctx, const char *text)
{
	struct fixture *f = ctx;

	snprintf(f->told, sizeof(f->told), "%s", text);
}

static struct judge setup(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	ck_assert_int_eq(sandbox_policy_new(SANDBOX_LEVEL_PROCESS_EXEC, NULL, &f->policy, NULL), 0);
	return (struct judge){f->policy, &f->layers, say, f, &f->err};
}

START_TEST(every_mechanism_and_state_has_a_name)
{
	for (int i = 0; i < SANDBOX_MECHS; i++)
		ck_assert_ptr_nonnull(sandbox_mechanism_name(i));
	for (int i = 0; i < SANDBOX_STATES; i++)
		ck_assert_ptr_nonnull(sandbox_state_name(i));
	ck_assert_str_eq(sandbox_mechanism_name(SANDBOX_MECH_LANDLOCK_NET), "landlock-net");
	ck_assert_ptr_null(sandbox_mechanism_name(SANDBOX_MECHS));
	ck_assert_ptr_null(sandbox_state_name(SANDBOX_STATES));
}
END_TEST

START_TEST(a_missing_promise_is_an_error_that_names_the_way_out)
{
	struct fixture f;
	struct judge judge = setup(&f);

	ck_assert_int_eq(judge_missing(&judge, SANDBOX_MECH_CGROUP, SANDBOX_STATE_UNAVAILABLE,
				       "there is no %s", "cgroup"),
			 ERR_UNSUPPORTED);
	ck_assert_str_eq(f.err.text, "cgroup: there is no cgroup; strictness.cgroup = \"warn\" "
				     "goes on without it");
	ck_assert_str_eq(f.told, "");
	sandbox_policy_free(f.policy);
}
END_TEST

START_TEST(under_warn_it_is_told_and_the_layer_says_so)
{
	struct fixture f;
	struct judge judge = setup(&f);
	struct sandbox_layer *layer = &f.layers.layer[SANDBOX_MECH_CGROUP];

	ck_assert_int_eq(sandbox_policy_set_strictness(f.policy, SANDBOX_MECH_CGROUP,
						       SANDBOX_STRICT_WARN, NULL),
			 0);
	judge_enforced(&judge, SANDBOX_MECH_CGROUP, "memory");
	ck_assert_int_eq(layer->state, SANDBOX_STATE_ENFORCED);
	ck_assert_int_eq(
		judge_missing(&judge, SANDBOX_MECH_CGROUP, SANDBOX_STATE_PARTIAL, "no processes"),
		0);
	ck_assert_str_eq(f.told, "cgroup: no processes");
	ck_assert_int_eq(layer->state, SANDBOX_STATE_PARTIAL);
	judge_enforced(&judge, SANDBOX_MECH_CGROUP, "cpu");
	ck_assert_int_eq(layer->state, SANDBOX_STATE_PARTIAL);
	ck_assert_str_eq(layer->why, "memory; no processes; cpu");
	sandbox_policy_free(f.policy);
}
END_TEST

START_TEST(what_is_switched_off_is_said_to_be)
{
	struct fixture f;
	struct judge judge = setup(&f);

	ck_assert(!judge_is_off(&judge, SANDBOX_MECH_CGROUP));
	ck_assert_int_eq(f.layers.layer[SANDBOX_MECH_CGROUP].state, SANDBOX_STATE_UNUSED);
	ck_assert_int_eq(sandbox_policy_set_strictness(f.policy, SANDBOX_MECH_CGROUP,
						       SANDBOX_STRICT_OFF, NULL),
			 0);
	ck_assert(judge_is_off(&judge, SANDBOX_MECH_CGROUP));
	ck_assert_int_eq(f.layers.layer[SANDBOX_MECH_CGROUP].state, SANDBOX_STATE_OFF);
	sandbox_policy_free(f.policy);
}
END_TEST

START_TEST(phrases_that_do_not_fit_are_cut)
{
	struct fixture f;
	struct judge judge = setup(&f);

	for (int i = 0; i < 100; i++)
		judge_partial(&judge, SANDBOX_MECH_PROC, "phrase %d", i);
	ck_assert_int_eq(f.layers.layer[SANDBOX_MECH_PROC].state, SANDBOX_STATE_PARTIAL);
	ck_assert_uint_lt(strlen(f.layers.layer[SANDBOX_MECH_PROC].why),
			  sizeof(f.layers.layer[0].why));
	sandbox_policy_free(f.policy);
}
END_TEST

Suite *sandbox_layers_suite(void)
{
	Suite *suite = suite_create("sandbox_layers");
	TCase *tc = tcase_create("layers");

	tcase_add_test(tc, every_mechanism_and_state_has_a_name);
	tcase_add_test(tc, a_missing_promise_is_an_error_that_names_the_way_out);
	tcase_add_test(tc, under_warn_it_is_told_and_the_layer_says_so);
	tcase_add_test(tc, what_is_switched_off_is_said_to_be);
	tcase_add_test(tc, phrases_that_do_not_fit_are_cut);
	suite_add_tcase(suite, tc);
	return suite;
}
