#!/bin/sh
# Runs the suites of the unit tests on all processors, several processes at once, and counts
# together: the last line is "unit: N passed, N failed", as of one process.
# Usage: [WRAPPER=COMMAND] tools/unit.sh TESTS [--no-native] [SUITE...]
set -eu

tests=$1
shift
suites=$("$tests" --list "$@")
logs=$(mktemp -d)
# Only a test that hangs is to be ended: the machine may be busy.
export CK_TIMEOUT_MULTIPLIER="${CK_TIMEOUT_MULTIPLIER:-10}"
export LOGS="$logs" TESTS="$tests" WRAPPER="${WRAPPER:-}"
trap 'rm -rf "$logs"' EXIT
status=0

# A few in each process: starting one takes its time below valgrind. $WRAPPER is several words.
# shellcheck disable=SC2016
printf '%s\n' "$suites" | xargs -r -n 4 -P "$(nproc)" sh -c '
	log=$(mktemp "$LOGS/XXXXXX")
	status=0
	$WRAPPER "$TESTS" "$@" >"$log" 2>&1 || status=$?
	# A process that dies has no last line.
	if [ "$status" != 0 ] && ! grep -q "^unit: .* [1-9][0-9]* failed$" "$log"; then
		echo "$TESTS $*: ended with $status" >>"$log"
		echo "unit: 0 passed, 1 failed" >>"$log"
	fi
	exit "$status"
' sh || status=$?

cat "$logs"/* | grep -v '^unit: ' || true
cat "$logs"/* | awk '/^unit: [0-9]+ passed, [0-9]+ failed$/ { passed += $2; failed += $4 }
	END { printf "unit: %d passed, %d failed\n", passed, failed; exit !(passed > 0 && failed == 0) }'
exit "$status"
