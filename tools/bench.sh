#!/bin/sh
# `make bench`: every table, in Markdown. BUILD is the build directory.
set -eu
cd "$(dirname "$0")/.."
python3 tools/bench/spawn.py "${BUILD:-build}"
echo
python3 tools/bench/api.py "${BUILD:-build}"
echo
python3 tools/bench/filter.py "${BUILD:-build}"
echo
python3 tools/bench/sandbox.py "${BUILD:-build}"
echo
python3 tools/bench/tape.py "${BUILD:-build}" docs/scale.svg
echo
python3 tools/bench/tapes.py "${BUILD:-build}"
echo
python3 tools/bench/build.py "${BUILD:-build}"
echo
python3 tools/bench/conformance.py "${BUILD:-build}"
echo
exec python3 tools/bench/many.py "${BUILD:-build}"
