#!/bin/sh
# End-to-end tests: real programs, recorded and replayed with what is in $BUILD (part of
# `make check`). Ends with the line "e2e: N passed, N failed, N skipped, N known to differ"; fails
# unless some passed and none failed.
# Usage: tools/e2e.sh [-v] [-j N] [--list] [-x WORD]... [WORD...]: the tests whose name has one of the
# words, and none of those behind -x.
set -eu

cd "$(dirname "$0")/.."
exec python3 -B tools/e2e/main.py "$@"
