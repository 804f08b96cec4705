/*
 * Runs the unit tests: sandtape-tests [--list] [--no-native] [SUITE...]
 * Ends with the line "unit: N passed, N failed" and fails unless every suite that was asked for
 * ran at least one test. --list: only prints the names of the suites that would run.
 */
#include "tools/tests.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct suite_row {
	const char *name;
	Suite *(*make)(void);
	bool native;
} suites[] = {
#define TEST_SUITE(name)	{#name, name##_suite, false},
#define TEST_SUITE_NATIVE(name) {#name, name##_suite, true},
#include "tools/tests.def"
#undef TEST_SUITE
#undef TEST_SUITE_NATIVE
};

#define SUITES (sizeof(suites) / sizeof(suites[0]))

struct totals {
	int passed;
	int failed;
};

static void run_suite(const struct suite_row *row, struct totals *totals)
{
	SRunner *runner = srunner_create(row->make());
	int run, failed;

	srunner_run_all(runner, CK_ENV);
	run = srunner_ntests_run(runner);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	if (run == 0) {
		printf("%s: ran no tests\n", row->name);
		failed = 1;
	}
	totals->passed += run > failed ? run - failed : 0;
	totals->failed += failed;
	/* A suite may fork: what is still in the buffer then would be printed twice. */
	fflush(stdout);
}

static bool is_known(const char *name)
{
	for (size_t i = 0; i < SUITES; i++)
		if (strcmp(suites[i].name, name) == 0)
			return true;
	return false;
}

static bool is_wanted(const char *name, int names, char **wanted)
{
	for (int i = 0; i < names; i++)
		if (strcmp(wanted[i], name) == 0)
			return true;
	return names == 0;
}

static bool take_flag(int *argc, char ***argv, const char *flag)
{
	if (*argc < 2 || strcmp((*argv)[1], flag) != 0)
		return false;
	--*argc;
	++*argv;
	return true;
}

int main(int argc, char **argv)
{
	bool list = take_flag(&argc, &argv, "--list");
	bool no_native = take_flag(&argc, &argv, "--no-native");
	int names = argc - 1;
	char **wanted = argv + 1;
	struct totals totals = {0, 0};

	for (int i = 0; i < names; i++) {
		if (!is_known(wanted[i])) {
			fprintf(stderr, "no such suite: %s\n", wanted[i]);
			return 2;
		}
	}
	for (size_t i = 0; i < SUITES; i++) {
		if (!is_wanted(suites[i].name, names, wanted))
			continue;
		if (suites[i].native && no_native)
			fprintf(stderr, "%s: skipped, needs to run natively\n", suites[i].name);
		else if (list)
			puts(suites[i].name);
		else
			run_suite(&suites[i], &totals);
	}
	if (list)
		return EXIT_SUCCESS;
	printf("unit: %d passed, %d failed\n", totals.passed, totals.failed);
	return totals.failed == 0 && totals.passed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
