"""Runs the end-to-end tests: see tools/e2e.sh."""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

import harness

# Each adds its cases.
import kinds  # noqa: F401
import lives  # noqa: F401
import many  # noqa: F401
import programs  # noqa: F401
import pythons  # noqa: F401
import shells  # noqa: F401
import stdin  # noqa: F401
import cli  # noqa: F401
import canonical  # noqa: F401
import misses  # noqa: F401
import faults  # noqa: F401
import daemons  # noqa: F401
import kills  # noqa: F401
import lingers  # noqa: F401
import steps  # noqa: F401
import badtapes  # noqa: F401
import tapes  # noqa: F401
import changes  # noqa: F401
import compare  # noqa: F401
import progress  # noqa: F401
import manual  # noqa: F401
import limits  # noqa: F401
import modes  # noqa: F401
import backends  # noqa: F401
import library  # noqa: F401
import policies  # noqa: F401
import oci  # noqa: F401
import sandbox_work  # noqa: F401
import sandbox_denials  # noqa: F401
import sandbox_holes  # noqa: F401
import sandbox_limits  # noqa: F401
import sandbox_ends  # noqa: F401
import sandbox_places  # noqa: F401
import sandbox_options  # noqa: F401
import sandbox_explain  # noqa: F401
import sandbox_explain_run  # noqa: F401
import sandbox_learn  # noqa: F401
import record_denials  # noqa: F401
import record_policies  # noqa: F401
import conformance_self  # noqa: F401
import conformance_cases  # noqa: F401
import conformance_reports  # noqa: F401


def arguments():
    parser = argparse.ArgumentParser(prog="e2e.sh")
    parser.add_argument("-v", "--verbose", action="store_true", help="a line per test")
    parser.add_argument("-j", "--jobs", type=int, default=2 * (os.cpu_count() or 1))
    parser.add_argument("--list", action="store_true", help="only print the names")
    parser.add_argument("-x", "--without", action="append", default=[], metavar="WORD",
                        help="leave out the tests whose name has this")
    parser.add_argument("words", nargs="*", help="run the tests whose name has one of these")
    return parser.parse_args()


def judge(case, directory):
    """(verdict, message)"""
    place = harness.Place(directory)
    try:
        for program in case.needs:
            harness.find_program(program)
        case.function(place)
        place.check_clean()
        if case.known:
            return "FAIL", f"it passes now: take away its mark ({case.known})"
        return "pass", ""
    except harness.Skipped as e:
        return "skip", str(e)
    except harness.Differs as e:
        return ("known" if case.known else "FAIL"), f"{case.known}: {e}" if case.known else str(e)
    except harness.Failed as e:
        return "FAIL", str(e)
    except Exception:  # a mistake of the test itself: it fails, the others go on
        return "FAIL", " / ".join(traceback.format_exc().strip().splitlines()[-3:])
    finally:
        place.kill_marked()


def run_all(cases, options, base):
    counts = {"pass": 0, "FAIL": 0, "skip": 0, "known": 0}

    def run(numbered):
        number, case = numbered
        begin = time.monotonic()
        directory = os.path.join(base, str(number))
        verdict, message = judge(case, directory)
        shutil.rmtree(directory, ignore_errors=True)
        return case, verdict, message, time.monotonic() - begin

    with ThreadPoolExecutor(max_workers=max(1, options.jobs)) as pool:
        for case, verdict, message, seconds in pool.map(run, enumerate(cases)):
            counts[verdict] += 1
            if verdict == "FAIL" or options.verbose:
                print(f"{verdict} {case.name} ({seconds:.1f} s){': ' if message else ''}{message}")
            elif verdict != "pass":
                print(f"{verdict} {case.name}: {message}")
            sys.stdout.flush()
    return counts


def main():
    # A shell's background job ignores these (nohup: the last), and so would all that is run here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)
    options = arguments()
    cases = [c for c in harness.CASES
             if (not options.words or any(word in c.name for word in options.words))
             and not any(word in c.name for word in options.without)]
    if options.list:
        print("\n".join(case.name for case in cases))
        return 0
    names = [case.name for case in harness.CASES]
    for name in {name for name in names if names.count(name) > 1}:
        print(f"two tests have the name {name}")
        return 1
    if not os.access(harness.SANDTAPE, os.X_OK):
        print(f"there is no {harness.SANDTAPE}: build first")
        print("e2e: 0 passed, 1 failed, 0 skipped, 0 known to differ")
        return 1
    base = os.path.realpath(tempfile.mkdtemp(prefix="sandtape-e2e-"))
    try:
        counts = run_all(cases, options, base)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    print(f"e2e: {counts['pass']} passed, {counts['FAIL']} failed, {counts['skip']} skipped, "
          f"{counts['known']} known to differ")
    return 0 if counts["pass"] > 0 and counts["FAIL"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
