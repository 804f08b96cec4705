/*
 * Runs the unit tests: sandtape-tests [--no-native] [SUITE...]
 * Ends with the line "unit: N passed, N failed" and fails unless every suite that was asked for
 * ran at least one test.
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

int main(int argc, char **argv)
{
	bool no_native = argc > 1 && strcmp(argv[1], "--no-native") == 0;
	int names = argc - 1 - no_native;
	char **wanted = argv + 1 + no_native;
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
			printf("%s: skipped, needs to run natively\n", suites[i].name);
		else
			run_suite(&suites[i], &totals);
	}
	printf("unit: %d passed, %d failed\n", totals.passed, totals.failed);
	return totals.failed == 0 && totals.passed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
