"""Runs tests of Python's own test suite and writes what became of each.

    python3 python_driver.py OUT SECONDS NAME...

NAME is a module of tests, a class or one test, as unittest names them; -NAME leaves out what begins
with that name. OUT gets one JSON object a line: the test, its outcome (pass, fail, skip, hang) and
the last line of what went wrong. A test that takes longer than SECONDS ends the run with status 9.

The names of temporary files are the same in every run: by themselves they hold a process number or
chance, which no tape can know.
"""

import json
import os
import random
import sys
import tempfile
import threading
import time
import unittest

HANG = 9


def make_names_repeatable():
    names = tempfile._RandomNameSequence()
    names._rng = random.Random(0)
    names._rng_pid = os.getpid()
    tempfile._name_sequence = names
    real_getpid = os.getpid
    os.getpid = lambda: 1  # the name of a test's file has it
    try:
        from test.support import os_helper  # noqa: F401
    finally:
        os.getpid = real_getpid


def tests_in(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from tests_in(item)
        else:
            yield item


class Result(unittest.TestResult):
    def __init__(self, out, seconds):
        super().__init__()
        self.out = out
        self.seconds = seconds
        self.running = None
        self.began = 0.0
        self.said = None
        threading.Thread(target=self.watch, daemon=True).start()

    def write(self, test, outcome, detail=""):
        self.out.write(json.dumps({"test": test, "outcome": outcome, "detail": detail}) + "\n")
        self.out.flush()

    def watch(self):
        while True:
            time.sleep(0.2)
            test = self.running
            if test and time.monotonic() - self.began > self.seconds and test == self.running:
                self.write(test, "hang")
                os._exit(HANG)

    def startTest(self, test):
        super().startTest(test)
        self.said = ("pass", "")
        self.began = time.monotonic()
        self.running = test.id()

    def stopTest(self, test):
        super().stopTest(test)
        self.running = None
        self.write(test.id(), *self.said)

    def say_failure(self, test, err):
        detail = "%s: %s" % (err[0].__name__, str(err[1]).strip().split("\n")[-1][:300])
        if self.running:
            self.said = ("fail", detail)
        else:  # a fixture of a class or a module
            self.write(str(test), "fail", detail)

    def addError(self, test, err):
        super().addError(test, err)
        self.say_failure(test, err)

    addFailure = addError

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err:
            self.say_failure(test, err)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        if self.running:
            if self.said[0] == "pass":
                self.said = ("skip", reason)
        else:
            self.write(test.id(), "skip", reason)


def main():
    out, seconds, names = sys.argv[1], float(sys.argv[2]), sys.argv[3:]
    make_names_repeatable()
    from test import support

    support.use_resources = []
    left_out = tuple(name[1:] for name in names if name.startswith("-"))
    found = unittest.defaultTestLoader.loadTestsFromNames(
        [name for name in names if not name.startswith("-")])
    suite = unittest.TestSuite(
        test for test in tests_in(found) if not test.id().startswith(left_out or ("-",)))
    with open(out, "w", encoding="utf-8") as f:
        result = Result(f, seconds)
        suite.run(result)
    sys.exit(0 if result.wasSuccessful() else 1)


if __name__ == "__main__":
    main()
