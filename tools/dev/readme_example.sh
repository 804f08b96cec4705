#!/bin/sh
# Builds the example of README.md, as it stands there, against the installed library that
# pkg-config finds, and runs it twice in DIR: the second time without any command in PATH.
# Usage: tools/dev/readme_example.sh DIR
set -eu

readme=$(cd "$(dirname "$0")/../.." && pwd)/README.md
cd "$1"

# The one block of C that includes the library, and what every program of libcheck ends with.
awk '
/^```c$/ { inside = 1; block = ""; next }
/^```$/ { if (inside && block ~ /sandtape\//) { printf "%s", block; found++ } inside = 0 }
inside { block = block $0 "\n" }
END { if (found != 1) { print "README.md has " found + 0 " examples in C" >"/dev/stderr"; exit 1 } }
' "$readme" >example.c
name=$(sed -n 's/^START_TEST(\(.*\))$/\1/p' example.c)
cat >>example.c <<END

int main(void)
{
	TCase *all = tcase_create("all");
	Suite *suite = suite_create("README");
	SRunner *runner = srunner_create(suite);

	tcase_add_test(all, $name);
	suite_add_tcase(suite, all);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
END
# shellcheck disable=SC2046 # several words on purpose
"${CC:-cc}" -Wall -Wextra -Werror -o example example.c $(pkg-config --cflags --libs sandtape check)
rm -rf ./*.tape
./example
PATH=/none ./example
