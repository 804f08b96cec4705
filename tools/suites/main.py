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
import re
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

# name; needs: [(what must be there, how to get it)]; jobs(place): the jobs; modes; quick: whether it
# is part of `.ci/run`.
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
    needs = [(python_tests() or "Python's own tests",
              "apt-get install libpython3.11-testsuite (or that of python3's version)")]
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


def options(through, real):
    return [word for option, globs in (("--through", through), ("--real", real))
            for glob_ in globs.split() for word in (option, glob_)]


# Its tests look at the files that these make.
MAKES_FILES = "rm mkdir rmdir touch chmod mktemp mkfifo ln cp mv"
BASH_OPTIONS = options("bash", MAKES_FILES)


def bash_jobs(place):
    tests = source("bash", "tests")
    env = {"THIS_SH": "/bin/bash", "PATH": "/usr/bin:/bin:" + tests}
    for name in sorted(os.listdir(tests)):
        stem, suffix = os.path.splitext(name)
        right = os.path.join(tests, stem + ".right")
        # It wants a terminal, and waits for one.
        if stem != "jobs" and suffix == ".tests" and os.path.exists(right):
            with open(right, "rb") as f:
                yield Job(["/bin/bash", "./" + name], BASH_OPTIONS, tests, env,
                          by_output(stem, f.read()), FILE_SECONDS)


TAP_LINE = re.compile(r"(ok|not ok) (\d+)( - .*?)?( # (SKIP|skip|TODO).*)?$")
TAP_OUTCOMES = {"ok": "pass", "not ok": "fail", "skip": "skip", "todo": "todo"}


def by_tap(script):
    """Each line of a test is a test, and how the script ended is one as well."""

    def results(status, out):
        found = {script: Outcome("pass" if status == 0 else "fail", f"status {status}")}
        for line in out.decode("utf-8", "replace").split("\n"):
            match = TAP_LINE.match(line)
            if match:
                word = (match[5] or match[1]).lower()
                found[f"{script}.{match[2]}"] = Outcome(TAP_OUTCOMES[word], line[:200])
        return found

    return results


GIT_TESTS = source("git", "t")
# The repository is real, so that its files are there; all else that the scripts run is not.
GIT_OPTIONS = options("sh *.sh xargs", "git env " + MAKES_FILES)


# Basics, and a sample of each of its groups, without the one that takes minutes.
GIT_SCRIPTS = "t00?? t1004 t1090 t1402 t1600 t2014 t2204 t3104 t3306 t3904 t4010 t4046 t4112 " \
              "t5321 t5407 t6040 t6134 t6412 t7107 t7507"
GIT_LEFT_OUT = ("t0027",)


def git_jobs(place):
    env = {"GIT_TEST_INSTALLED": "/usr/bin", "TEST_OUTPUT_DIRECTORY": place.work}
    for pattern in GIT_SCRIPTS.split():
        for path in sorted(glob.glob(os.path.join(GIT_TESTS, pattern + "-*.sh"))):
            name = os.path.basename(path)
            stem = name.split("-")[0]
            if stem not in GIT_LEFT_OUT:
                yield Job(["/bin/sh", "./" + name], GIT_OPTIONS, GIT_TESTS, env, by_tap(stem))


MKSH_SOURCE = source("mksh")
# The name of its scratch directory has the process number and the time.
MKSH_DRIVER = ("BEGIN { *CORE::GLOBAL::time = sub { 1 } } $$ = 1; $0 = shift; do $0; die $@ if $@")
MKSH_LINE = re.compile(r"(pass|FAIL) \S*check\.t:(\S+)")


def by_mksh(_status, out):
    lines = out.decode("utf-8", "replace").split("\n")
    return {m[2]: Outcome(m[1].lower(), "") for m in map(MKSH_LINE.match, lines) if m}


def mksh_jobs(through=""):
    def jobs(place):
        argv = ["perl", "-e", MKSH_DRIVER, os.path.join(MKSH_SOURCE, "check.pl"), "-s",
                os.path.join(MKSH_SOURCE, "check.t"), "-p", "/bin/mksh", "-T",
                os.path.join(place.work, "tmp")]
        real = MAKES_FILES if through else ""
        return [Job(argv, options(through, real), place.work, {}, by_mksh)]

    return jobs


ZSH_TESTS = source("zsh", "Test")
# Arguments of diff have the name of a scratch directory, which has the process number.
ZSH_OPTIONS = options("zsh", "diff " + MAKES_FILES)
ZSH_OUTCOMES = [("Test successful", "pass"), ("Test failed, as expected", "todo"),
                ("Test case skipped", "skip"), ("Test ", "fail")]


def by_zsh(stem):
    """Several tests may have one name: they are numbered."""

    def results(status, out):
        found = {stem: Outcome("pass" if status == 0 else "fail", f"status {status}")}
        number = 0
        for line in out.decode("utf-8", "replace").split("\n"):
            if line.startswith("Running test: "):
                number += 1
            elif line.startswith("Test ") and number > 0:
                outcome = next(o for start, o in ZSH_OUTCOMES if line.startswith(start))
                found[f"{stem}.{number}"] = Outcome(outcome, line[:200])
        return found

    return results


# The language and modules. The other tests, and V08, need zsh's own build.
ZSH_LEFT_OUT = ("V08",)


def zsh_jobs(place):
    for path in sorted(glob.glob(os.path.join(ZSH_TESTS, "[A-EV]*.ztst"))):
        stem = os.path.basename(path)[:3]
        env = {"ZTST_verbose": "1", "ZTST_continue": "1", "ZTST_exe": "/bin/zsh"}
        argv = ["/bin/zsh", "+Z", "-f", os.path.join(ZSH_TESTS, "ztst.zsh"), path]
        if stem not in ZSH_LEFT_OUT:
            yield Job(argv, ZSH_OPTIONS, place.work, env, by_zsh(stem), FILE_SECONDS)


def from_source(package, path):
    return source(package, path), f"the source of {package} (CONTRIBUTING.md tells how to get it)"


MKSH_NEEDS = [from_source("mksh", "check.t"), ("/bin/mksh", "apt-get install mksh")]
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
    Suite("node", [from_source("nodejs", "test/parallel"),
                   ("/usr/bin/node", "apt-get install nodejs")], node_jobs, MODES, False),
    Suite("bash", [from_source("bash", "tests/recho")], bash_jobs, MODES, False),
    Suite("mksh", MKSH_NEEDS, mksh_jobs(), MODES, False),
    Suite("mksh_through", MKSH_NEEDS, mksh_jobs("mksh"), MODES, False),
    Suite("zsh", [from_source("zsh", "Test/ztst.zsh"), ("/bin/zsh", "apt-get install zsh")],
          zsh_jobs, MODES, False),
    Suite("git", [from_source("git", "t/helper/test-tool")], git_jobs, MODES, False),
]


# --- Running ------------------------------------------------------------------------------------


def command(mode, job, tape):
    if mode == "native":
        return job.argv
    return [SANDTAPE, mode, "-q", "-t", tape, *job.options, "--", *job.argv]


def end_group(pid):
    """What a test has left behind would be there in the next one, and after the last."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


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
        end_group(process.pid)
        process.communicate()
        return None
    end_group(process.pid)
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
