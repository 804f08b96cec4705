#include "tape/intercept/preload/preload.h"

#include "tools/tests.h"
#include <stdlib.h>
#include <string.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define ITEMS	    6
#define LIBRARY	    "/tmp/s/lib.so"

struct list {
	const char *item[ITEMS];
};

/* Strings that may be written to, as those of a process are. */
static char **copy_of(const struct list *list)
{
	char **copy = calloc(ITEMS + 1, sizeof(*copy));

	for (size_t i = 0; list->item[i]; i++)
		copy[i] = strdup(list->item[i]);
	return copy;
}

static void assert_same(char *const *got, const struct list *wanted)
{
	size_t i;

	for (i = 0; wanted->item[i]; i++)
		ck_assert_pstr_eq(got[i], wanted->item[i]);
	ck_assert_ptr_null(got[i]);
}

static void free_list(char **list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(list[i]);
	free(list);
}

static const struct {
	struct list env;
	struct list wanted;
} add_rows[] = {
	{{{NULL}}, {{"LD_PRELOAD=" LIBRARY, NULL}}},
	{{{"A=1", "B=", NULL}}, {{"LD_PRELOAD=" LIBRARY, "A=1", "B=", NULL}}},
	{{{"A=1", "LD_PRELOAD=x.so y.so", "B=2", NULL}},
	 {{"LD_PRELOAD=" LIBRARY ":x.so y.so", "A=1", "B=2", NULL}}},
	{{{"LD_PRELOAD=", NULL}}, {{"LD_PRELOAD=" LIBRARY ":", NULL}}},
	/* The first one counts, for getenv(3) as for the loader. */
	{{{"LD_PRELOAD=x", "LD_PRELOAD=y", NULL}}, {{"LD_PRELOAD=" LIBRARY ":x", NULL}}},
	{{{"LD_PRELOADED=x", "XLD_PRELOAD=y", NULL}},
	 {{"LD_PRELOAD=" LIBRARY, "LD_PRELOADED=x", "XLD_PRELOAD=y", NULL}}},
};

START_TEST(the_library_comes_before_what_was_there)
{
	char **env = copy_of(&add_rows[_i].env);
	size_t count = preload_count(env);
	size_t room = preload_room(LIBRARY, env);
	/* Of the very size that was promised: a sanitizer sees what is beyond. */
	char *text = malloc(room);
	char **into = calloc(count + 2, sizeof(*into));

	preload_add_self(LIBRARY, env, into, text);
	assert_same(into, &add_rows[_i].wanted);
	ck_assert_uint_lt(strlen(text), room);
	free(into);
	free(text);
	free_list(env, count);
}
END_TEST

START_TEST(no_environment_is_an_empty_one)
{
	char text[sizeof("LD_PRELOAD=" LIBRARY)];
	char *into[2];

	ck_assert_uint_eq(preload_count(NULL), 0);
	ck_assert_uint_le(preload_room(LIBRARY, NULL), sizeof(text) + 1);
	preload_add_self(LIBRARY, NULL, into, text);
	ck_assert_str_eq(into[0], "LD_PRELOAD=" LIBRARY);
	ck_assert_ptr_null(into[1]);
	preload_hide(LIBRARY, NULL);
}
END_TEST

static const struct {
	struct list env;
	struct list wanted;
} hide_rows[] = {
	{{{"A=1", NULL}}, {{"A=1", NULL}}},
	{{{"LD_PRELOAD=" LIBRARY, NULL}}, {{NULL}}},
	{{{"A=1", "LD_PRELOAD=" LIBRARY, "B=2", NULL}}, {{"A=1", "B=2", NULL}}},
	{{{"A=1", "LD_PRELOAD=" LIBRARY ":x.so y.so", NULL}},
	 {{"A=1", "LD_PRELOAD=x.so y.so", NULL}}},
	{{{"LD_PRELOAD=" LIBRARY ":", NULL}}, {{"LD_PRELOAD=", NULL}}},
	/* Not ours, or not where we put it. */
	{{{"LD_PRELOAD=x.so", NULL}}, {{"LD_PRELOAD=x.so", NULL}}},
	{{{"LD_PRELOAD=" LIBRARY ".1", NULL}}, {{"LD_PRELOAD=" LIBRARY ".1", NULL}}},
	{{{"X=" LIBRARY, NULL}}, {{"X=" LIBRARY, NULL}}},
};

START_TEST(no_trace_of_the_library_stays)
{
	char **env = copy_of(&hide_rows[_i].env);
	char *was[ITEMS + 1];

	memcpy(was, env, sizeof(was));
	preload_hide(LIBRARY, env);
	assert_same(env, &hide_rows[_i].wanted);
	for (size_t i = 0; was[i]; i++)
		free(was[i]);
	free(env);
}
END_TEST

Suite *intercept_environment_suite(void)
{
	Suite *s = suite_create("intercept_environment");
	TCase *c = tcase_create("all");

	tcase_add_loop_test(c, the_library_comes_before_what_was_there, 0, COUNT(add_rows));
	tcase_add_test(c, no_environment_is_an_empty_one);
	tcase_add_loop_test(c, no_trace_of_the_library_stays, 0, COUNT(hide_rows));
	suite_add_tcase(s, c);
	return s;
}
