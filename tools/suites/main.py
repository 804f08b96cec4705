"""Test suites that others wrote, run natively, recorded and replayed: see tools/suites.sh.

Each suite is a row of SUITES. What became of each of its tests under sandtape must be what became
of it natively, but for what tools/suites/NAME.exceptions lists: lines `MODE TEST REASON`, the mode
being record or replay. An exception that is none any more fails the run too, unless its mode ends
in `?`: such a test is a race, and either outcome is right.
"""

import collections
import difflib
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SANDTAPE = os.path.join(ROOT, os.environ.get("BUILD") or "build", "sandtape")
SOURCES = os.environ.get("SUITE_SOURCES") or os.path.join(ROOT, "build", "suite-sources")
PYTHON = "/usr/bin/python3"
MODES = ("native", "record", "replay")
# Of one test, of one run of a job, and of a job that is one file.
TEST_SECONDS = 60
JOB_SECONDS = 300
FILE_SECONDS = 40

# name; needs: [(what must be there, how to get it)]; jobs(place): the jobs; modes; quick: in `.ci/run`.
Suite = collections.namedtuple("Suite", "name needs jobs modes quick")
# argv is the subject, options are those of sandtape, results(status, out) gives {test: (outcome,
# detail)} of one run.
Job = collections.namedtuple("Job", "argv options cwd env results seconds", defaults=(JOB_SECONDS,))

Outcome = collections.namedtuple("Outcome", "outcome detail")
MISSING = Outcome("missing", "")


class Place:
    """Paths that are the same in each of the three runs; what is in work is made anew for each."""

    def __init__(self, root):
        self.root = root
        self.work = os.path.join(root, "work")
        self.tapes = os.path.join(root, "tapes")
        self.out = os.path.join(root, "out")
        os.makedirs(self.tapes)

    def fresh(self):
        shutil.rmtree(self.work, ignore_errors=True)
        os.makedirs(os.path.join(self.work, "home"))
        os.makedirs(os.path.join(self.work, "tmp"))

    def env(self, more):
        env = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": os.path.join(self.work, "home"),
            "TMPDIR": os.path.join(self.work, "tmp"),
            "LC_ALL": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        env.update(more)
        return env


# --- Suites -------------------------------------------------------------------------------------


def python_job(*names):
    def jobs(place):
        def results(_status, _out):
            with open(place.out, encoding="utf-8") as f:
                told = [json.loads(line) for line in f]
            return {r["test"]: Outcome(r["outcome"], r["detail"]) for r in told}

        argv = [PYTHON, os.path.join(HERE, "python_driver.py"), place.out, str(TEST_SECONDS)]
        return [Job(argv + list(names), [], place.work, {}, results)]

    return jobs


def python_tests():
    """A file of them, where the Python is that runs them."""
    found = glob.glob("/usr/lib/python3*/test/test_subprocess.py")
    return found[0] if found else None


def python_suite(name, *names, modes=MODES, quick=False):
    needs = [(python_tests() or "Python's own tests", "apt-get install libpython3.11-testsuite (or of another version, that of python3)")]
    return Suite(name, needs, python_job(*names), modes, quick)


def by_status(test):
    def results(status, out):
        last = out.decode("utf-8", "replace").strip().split("\n")[-1]
        return {test: Outcome("pass" if status == 0 else "fail", f"status {status}: {last[:200]}")}

    return results


def by_output(test, right):
    def results(_status, out):
        if out == right:
            return {test: Outcome("pass", "")}
        lines = difflib.unified_diff(right.decode("utf-8", "replace").split("\n"),
                                     out.decode("utf-8", "replace").split("\n"), lineterm="", n=0)
        changes = [line for line in list(lines)[2:] if not line.startswith("@@")]
        return {test: Outcome("fail", " | ".join(changes[:4])[:300])}

    return results


def source(*parts):
    return os.path.join(SOURCES, *parts)


NODE_TESTS = source("nodejs", "test", "parallel")


def node_jobs(place):
    for name in sorted(os.listdir(NODE_TESTS)):
        if name.startswith("test-child-process-") and name.endswith(".js"):
            # Its scratch directory has this number in its name.
            env = {"TEST_SERIAL_ID": "0", "NODE_TEST_DIR": place.work}
            yield Job(["node", os.path.join(NODE_TESTS, name)], [], place.work, env,
                      by_status(name), FILE_SECONDS)


# Its tests look at the files that these make.
BASH_OPTIONS = ["--through", "bash"] + [
    word for program in ("rm", "mkdir", "rmdir", "touch", "chmod", "mktemp", "mkfifo", "ln", "cp")
    for word in ("--real", program)]


def bash_jobs(place):
    tests = source("bash", "tests")
    env = {"THIS_SH": "/bin/bash", "PATH": "/usr/bin:/bin:" + tests}
    for name in sorted(os.listdir(tests)):
        stem, suffix = os.path.splitext(name)
        right = os.path.join(tests, stem + ".right")
        if suffix == ".tests" and os.path.exists(right):
            with open(right, "rb") as f:
                yield Job(["/bin/bash", "./" + name], BASH_OPTIONS, tests, env,
                          by_output(stem, f.read()), FILE_SECONDS)


def from_source(package, path):
    return (source(package, path),
            f"apt-get source {package} (with deb-src in the sources), unpacked as "
            f"{source(package)}")


SUITES = [
    python_suite("python_subprocess", "test.test_subprocess"),
    python_suite("python_subprocess_quick", "test.test_subprocess.POSIXProcessTestCase",
                 "test.test_subprocess.RunFuncTestCase",
                 "test.test_subprocess.ContextManagerTests", quick=True),
    python_suite("python_spawn", "test.test_popen", "test.test_os.SpawnTests",
                 "test.test_os.ExecTests", "test.test_os.PidTests", "test.test_posix",
                 quick=True),
    python_suite("python_asyncio", "test.test_asyncio.test_subprocess"),
    python_suite("python_signal", "test.test_signal", "-test.test_signal.SiginterruptTest",
                 "-test.test_signal.StressTest", "test.test_pty"),
    python_suite("python_multiprocessing",
                 "test.test_multiprocessing_spawn.WithProcessesTestProcess",
                 "test.test_multiprocessing_forkserver.WithProcessesTestProcess",
                 "test.test_multiprocessing_spawn.WithProcessesTestPool",
                 modes=("native", "record")),
    Suite("node", [from_source("nodejs", "test/parallel"), ("/usr/bin/node",
                                                            "apt-get install nodejs")],
          node_jobs, MODES, False),
    Suite("bash", [from_source("bash", "tests/run-all"),
                   (source("bash", "tests", "recho"),
                    "make -C %s/tests -f /dev/null CC=cc recho zecho xcase "
                    "VPATH=../support" % source("bash"))],
          bash_jobs, MODES, False),
]


# --- Running ------------------------------------------------------------------------------------


def command(mode, job, tape):
    if mode == "native":
        return job.argv
    return [SANDTAPE, mode, "-q", "-t", tape, *job.options, "--", *job.argv]


def run_job(place, mode, job, tape):
    """{test: Outcome}, or None when the time is over."""
    place.fresh()
    if os.path.exists(place.out):
        os.unlink(place.out)
    process = subprocess.Popen(command(mode, job, tape), cwd=job.cwd, env=place.env(job.env),
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, start_new_session=True)
    try:
        out, _ = process.communicate(timeout=job.seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return None
    return job.results(process.returncode, out)


def run_suite(suite, place, only):
    """{mode: {test: Outcome}} and {mode: seconds}."""
    outcomes = {mode: {} for mode in suite.modes}
    seconds = {mode: 0.0 for mode in suite.modes}
    for number, job in enumerate(suite.jobs(place)):
        if only and only not in " ".join(job.argv):
            continue
        for mode in suite.modes:
            began = time.monotonic()
            got = run_job(place, mode, job, os.path.join(place.tapes, f"{number}.tape"))
            seconds[mode] += time.monotonic() - began
            if got is None:
                got = {os.path.basename(job.argv[-1]):
                       Outcome("hang", f"more than {job.seconds} s")}
            outcomes[mode].update(got)
    return outcomes, seconds


def read_exceptions(name):
    """{(mode, test): "race" or "always"}"""
    found = {}
    path = os.path.join(HERE, name + ".exceptions")
    if not os.path.exists(path):
        return found
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            words = line.split(None, 2)
            if not words or words[0].startswith("#"):
                continue
            mode = words[0].rstrip("?")
            if len(words) < 3 or mode not in MODES[1:]:
                sys.exit(f"suites: {path}, line {number}: not MODE TEST REASON")
            found[mode, words[1]] = "race" if words[0] != mode else "always"
    return found


def judge(suite, outcomes, exceptions):
    """Lines of what is wrong, and {mode: (same, excepted)}."""
    wrong = []
    counts = {}
    native = outcomes["native"]
    for mode in suite.modes[1:]:
        same = excepted = 0
        for test in sorted(set(native) | set(outcomes[mode])):
            want = native.get(test, MISSING)
            got = outcomes[mode].get(test, MISSING)
            alike = want.outcome == got.outcome and want.outcome != "hang"
            listed = exceptions.get((mode, test))
            same += alike
            excepted += bool(listed) and not alike
            if alike and listed == "always":
                wrong.append(f"{mode} {test}: is listed as an exception, and is none")
            elif not alike and not listed:
                wrong.append(f"{mode} {test}: natively {want.outcome}, now {got.outcome}: "
                             f"{got.detail}")
        counts[mode] = (same, excepted)
    for mode, test in exceptions:
        if test not in native:
            wrong.append(f"{mode} {test}: is listed as an exception, and there is no such test")
    return wrong, counts


def missing_of(suite):
    return [how for path, how in suite.needs if not os.path.exists(path)]


def do_suite(suite, only):
    """(tests that were as they should be, those that were not)"""
    root = tempfile.mkdtemp(prefix="sandtape-suites-")
    try:
        outcomes, seconds = run_suite(suite, Place(root), only)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    exceptions = {} if only else read_exceptions(suite.name)
    wrong, counts = judge(suite, outcomes, exceptions)
    tally = collections.Counter(o.outcome for o in outcomes["native"].values())
    print("%s: native %d tests (%s) in %.0f s" % (
        suite.name, len(outcomes["native"]),
        ", ".join(f"{n} {word}" for word, n in sorted(tally.items())), seconds["native"]))
    for mode in suite.modes[1:]:
        same, excepted = counts[mode]
        print("  %s: %d the same, %d exceptions, in %.0f s" % (mode, same, excepted,
                                                              seconds[mode]))
    for line in wrong:
        print("  WRONG " + line)
    if not outcomes["native"]:
        wrong.append("no test ran")
    sys.stdout.flush()
    return sum(same + excepted for same, excepted in counts.values()), len(wrong)


def main():
    words = sys.argv[1:]
    quick = "--quick" in words
    names = [word for word in words if not word.startswith("-")]
    only = names.pop() if len(names) == 2 else None
    chosen = [s for s in SUITES if (s.name in names if names else s.quick == quick)]
    if not chosen:
        sys.exit("suites: there is none of that name; there are: " +
                 " ".join(s.name for s in SUITES))
    passed = failed = skipped = 0
    for suite in chosen:
        missing = missing_of(suite)
        if missing and (names or quick):
            sys.exit(f"suites: {suite.name} needs: " + "; ".join(missing))
        if missing:
            print(f"{suite.name}: left out, it needs: " + "; ".join(missing))
            skipped += 1
            continue
        good, bad = do_suite(suite, only)
        passed += good
        failed += bad
    if skipped:
        print(f"{skipped} suites left out")
    print(f"suites: {passed} passed, {failed} failed")
    sys.exit(0 if failed == 0 and passed > 0 else 1)


if __name__ == "__main__":
    main()
