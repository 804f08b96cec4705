#!/bin/sh
# Test suites that others wrote, run natively, recorded and replayed with what is in $BUILD, and
# compared test by test (`make suites`). Installs nothing: what is missing is told with the way to
# get it. Sources of Debian packages are fetched once, and kept in $SUITE_SOURCES
# (~/.cache/sandtape-suites).
# Usage: tools/suites.sh [--quick | NAME [WORD...]]: the quick ones are those of .ci/run. WORDs
# (parts of names, or globs) choose jobs of a suite, in most of them files.
set -eu

cd "$(dirname "$0")/.."
exec python3 -B tools/suites/main.py "$@"
