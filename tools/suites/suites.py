"""The suites: what each is made of, what it needs, and how its results are read."""

import collections
import difflib
import glob
import gzip
import json
import os
import re

import sources

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"
MODES = ("native", "record", "replay")
# Of one test, of one run of a job, and of a job that is one file.
TEST_SECONDS = 60
JOB_SECONDS = 240
FILE_SECONDS = 40

# name; needs: [(what must be there, how to get it)]; source: a name of sources.SOURCES, or None;
# jobs(place): the jobs; modes; quick: whether it is part of `.ci/run`.
Suite = collections.namedtuple("Suite", "name needs source jobs modes quick",
                               defaults=(MODES, False))
# argv is the subject, options are those of sandtape, results(status, out) gives {test: (outcome,
# detail)} of one run; name is what WORD and a hang speak of; terminal: it has one for /dev/tty.
Job = collections.namedtuple("Job", "name argv options cwd env results seconds terminal",
                             defaults=(JOB_SECONDS, False))

Outcome = collections.namedtuple("Outcome", "outcome detail")


def options(through, real):
    """Of words that are globs."""
    return [word for option, globs in (("--through", through), ("--real", real))
            for pattern in globs.split() for word in (option, pattern)]


# What tests look at afterwards is made for real.
MAKES_FILES = "rm mkdir rmdir touch chmod mktemp mkfifo ln cp mv"


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


# --- Python -------------------------------------------------------------------------------------


def python_job(*names):
    def jobs(place):
        def results(_status, _out):
            with open(place.out, encoding="utf-8") as f:
                told = [json.loads(line) for line in f]
            return {r["test"]: Outcome(r["outcome"], r["detail"]) for r in told}

        argv = [PYTHON, os.path.join(HERE, "python_driver.py"), place.out, str(TEST_SECONDS)]
        return [Job(names[0], argv + list(names), [], place.work, {}, results)]

    return jobs


def python_tests():
    """A file of them, where the Python is that runs them."""
    found = glob.glob("/usr/lib/python3*/test/test_subprocess.py")
    return found[0] if found else None


def python_suite(name, *names, modes=MODES, quick=False):
    needs = [(python_tests() or "Python's own tests",
              "apt-get install libpython3.11-testsuite (or that of python3's version)")]
    return Suite(name, needs, None, python_job(*names), modes, quick)


# --- Node ---------------------------------------------------------------------------------------

NODE = "nodejs-18.20.4"


def node_jobs(place):
    tests = sources.path(NODE, "test", "parallel")
    for name in sorted(os.listdir(tests)):
        if name.startswith("test-child-process-") and name.endswith((".js", ".mjs")):
            # Its scratch directory has this number in its name.
            env = {"TEST_SERIAL_ID": "0", "NODE_TEST_DIR": place.work}
            yield Job(name, ["node", os.path.join(tests, name)], [], place.work, env,
                      by_status(name), FILE_SECONDS)


# --- bash ---------------------------------------------------------------------------------------

BASH = "bash-5.2.15"
# It sleeps for more than a minute.
BASH_LEFT_OUT = ("jobs",)


def bash_jobs(_place):
    tests = sources.path(BASH, "tests")
    env = {"THIS_SH": "/bin/bash", "PATH": "/usr/bin:/bin:" + tests}
    for name in sorted(os.listdir(tests)):
        stem, suffix = os.path.splitext(name)
        right = os.path.join(tests, stem + ".right")
        if suffix == ".tests" and os.path.exists(right) and stem not in BASH_LEFT_OUT:
            with open(right, "rb") as f:
                yield Job(name, ["/bin/bash", "./" + name], options("bash", MAKES_FILES), tests,
                          env, by_output(stem, f.read()), FILE_SECONDS)


# --- git ----------------------------------------------------------------------------------------

GIT = "git-2.39.5"
GIT_THROUGH = "sh *.sh xargs"
# The repository is real, so that its files are there; all else that the scripts run is not.
GIT_REAL = "git env " + MAKES_FILES
# Basics, what spawns much, and a sample of each group.
GIT_SCRIPTS = ("t0000 t0001 t0003 t0005 t0008 t0021 t0061 t1004 t1300 t2014 t3200 t4010 t4112 "
               "t5407 t5510 t6040 t6412 t7107 t7400 t7507")

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


def git_jobs(scripts, real):
    def jobs(place):
        tests = sources.path(GIT, "t")
        env = {"GIT_TEST_INSTALLED": "/usr/bin", "TEST_OUTPUT_DIRECTORY": place.work}
        for stem in scripts.split():
            for path in sorted(glob.glob(os.path.join(tests, stem + "-*.sh"))):
                name = os.path.basename(path)
                yield Job(name, ["/bin/sh", "./" + name], options(GIT_THROUGH, real), tests, env,
                          by_tap(stem))

    return jobs


# --- mksh ---------------------------------------------------------------------------------------

# Its package has its tests.
MKSH_TESTS = "/usr/share/doc/mksh"
# The name of its scratch directory has the process number and the time.
MKSH_DRIVER = ("BEGIN { *CORE::GLOBAL::time = sub { 1 } } $$ = 1; $0 = shift; do $0; die $@ if $@")
MKSH_LINE = re.compile(r"(pass|FAIL) \S*check\.t:(\S+)")


def by_mksh(_status, out):
    """What stands before the line of a test is about it."""
    found = {}
    about = []
    for line in out.decode("utf-8", "replace").split("\n"):
        match = MKSH_LINE.match(line)
        if match:
            found[match[2]] = Outcome(match[1].lower(), " | ".join(about)[:300])
            about = []
        else:
            about.append(line.strip())
    return found


# Its command makes a directory writable, and the driver ends when it cannot remove what is in it:
# in a replay it cannot, but as root.
MKSH_LEFT_OUT = ("history-unlink",)
# What the shell was built with, as its build says (testdata.full).
MKSH_KIND = "shell:legacy-no,int:32,shell:textmode-no,shell:binmode-yes,stdout-ed,no-stderr-ed"


def mksh_unpack(name, to):
    with gzip.open(os.path.join(MKSH_TESTS, name + ".gz")) as f:
        text = f.read()
    with open(to, "wb") as out:
        out.write(text)
    return text.decode("latin-1")


def mksh_jobs(quick=False, through=""):
    """All tests but one, or those that do not sleep."""

    def jobs(place):
        driver = os.path.join(place.root, "check.pl")
        tests = os.path.join(place.root, "check.t")
        mksh_unpack("check.pl", driver)
        # Each ends in such a line.
        texts = mksh_unpack("check.t", tests).split("\n---\n")
        found = [re.search("^name: (.*)", text, re.M) for text in texts
                 if not quick or "sleep" not in text]
        argv = ["perl", "-e", MKSH_DRIVER, driver, "-s", tests, "-p", "/bin/mksh",
                "-C", MKSH_KIND, "-T", os.path.join(place.work, "tmp")]
        argv += [match[1] for match in found if match and match[1] not in MKSH_LEFT_OUT]
        real = MAKES_FILES if through else ""
        return [Job("check.t", argv, options(through, real), place.work, {}, by_mksh,
                    terminal=True)]

    return jobs


MKSH_NEEDS = [("/bin/mksh", "apt-get install mksh"),
              (os.path.join(MKSH_TESTS, "check.t.gz"),
               "the documents of mksh, which dpkg leaves out here (path-exclude in its settings)"),
              ("/usr/bin/perl", "apt-get install perl")]

# --- zsh ----------------------------------------------------------------------------------------

ZSH = "zsh-5.9"
# Arguments of diff have the name of a scratch directory, which has the process number.
ZSH_OPTIONS = options("zsh", "diff " + MAKES_FILES)
# The language and modules. The other tests, and V08, need zsh's own build.
ZSH_SCRIPTS = "[A-EV]*.ztst"
ZSH_LEFT_OUT = ("V08",)
# The tests look for the shell where its build is.
ZSH_PLACE = ('mkdir Src Test && ln -s /bin/zsh Src/zsh && cd Test && '
             'exec /bin/zsh +Z -f "$0" "$1"')
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


def zsh_jobs(place):
    tests = sources.path(ZSH, "Test")
    for path in sorted(glob.glob(os.path.join(tests, ZSH_SCRIPTS))):
        stem = os.path.basename(path)[:3]
        env = {"ZTST_verbose": "1", "ZTST_continue": "1", "ZTST_exe": "/bin/zsh"}
        argv = ["/bin/sh", "-c", ZSH_PLACE, os.path.join(tests, "ztst.zsh"), path]
        if stem not in ZSH_LEFT_OUT:
            yield Job(os.path.basename(path), argv, ZSH_OPTIONS, place.work, env, by_zsh(stem),
                      FILE_SECONDS)


# --- All of them --------------------------------------------------------------------------------

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
    Suite("node", [("/usr/bin/node", "apt-get install nodejs")], NODE, node_jobs),
    Suite("bash", [], BASH, bash_jobs),
    Suite("git", [], GIT, git_jobs(GIT_SCRIPTS, GIT_REAL)),
    # Git, too, is recorded, and nothing of that can be replayed: its files would not be there.
    Suite("git_recorded", [], GIT, git_jobs("t0000 t0005 t0021 t1300 t3200", ""),
          modes=("native", "record")),
    Suite("mksh", MKSH_NEEDS, None, mksh_jobs()),
    Suite("mksh_quick", MKSH_NEEDS, None, mksh_jobs(quick=True), quick=True),
    Suite("mksh_through", MKSH_NEEDS, None, mksh_jobs(through="mksh")),
    Suite("zsh", [("/bin/zsh", "apt-get install zsh")], ZSH, zsh_jobs),
]
