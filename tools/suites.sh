#!/bin/sh
# Test suites that others wrote, run natively, recorded and replayed with what is in $BUILD, and
# compared test by test (`make suites`). Installs nothing: what is missing is told with the way to
# get it. Sources of packages are looked for in $SUITE_SOURCES (build/suite-sources):
# CONTRIBUTING.md tells how they get there.
# Usage: tools/suites.sh [--quick | NAME [WORD]]: the quick ones are those of .ci/run; WORD chooses
# jobs of a suite, with no exceptions.
set -eu

cd "$(dirname "$0")/.."
exec python3 -B tools/suites/main.py "$@"
