/* What a *_test.c file includes: libcheck and the prototypes of the suites in tests.def. */
#ifndef SANDTAPE_TOOLS_TESTS_H
#define SANDTAPE_TOOLS_TESTS_H

#include <check.h>

#define TEST_SUITE(name)	Suite *name##_suite(void);
#define TEST_SUITE_NATIVE(name) Suite *name##_suite(void);
#include "tools/tests.def"
#undef TEST_SUITE
#undef TEST_SUITE_NATIVE

#endif
