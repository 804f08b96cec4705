"""Test suites that others wrote, run natively, recorded and replayed: see tools/suites.sh.

Each suite is a row of SUITES. What became of each of its tests under sandtape must be what became
of it natively, but for what tools/suites/NAME.exceptions lists: lines `MODE TEST REASON`, the mode
being record or replay. An exception that is none any more fails the run too, unless its mode ends
in `?`: such a test is a race, and either outcome is right.
"""

import collections
import fcntl
import fnmatch
import os
import pty
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time

import sources
from suites import HERE, MODES, SUITES, Outcome

ROOT = os.path.dirname(os.path.dirname(HERE))
SANDTAPE = os.path.join(ROOT, os.environ.get("BUILD") or "build", "sandtape")
MISSING = Outcome("missing", "it was not run")
# Lines of a suite, at most.
TOLD = 50


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


def take_terminal(fd):
    """For /dev/tty of the caller, which begins a session."""
    if fd is not None:
        fcntl.ioctl(fd, termios.TIOCSCTTY, 0)


def run_argv(argv, place, job, terminal):
    """(status, output), or None when the time is over."""
    with subprocess.Popen(argv, cwd=job.cwd, env=place.env(job.env), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          start_new_session=True,
                          preexec_fn=lambda: take_terminal(terminal)) as process:
        try:
            out, _ = process.communicate(timeout=job.seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            end_group(process.pid)
        return process.returncode, out


def run_job(place, mode, job, tape):
    """{test: Outcome}"""
    place.fresh()
    if os.path.exists(place.out):
        os.unlink(place.out)
    ends = pty.openpty() if job.terminal else (None,)
    try:
        got = run_argv(command(mode, job, tape), place, job, ends[-1])
    finally:
        for fd in ends:
            if fd is not None:
                os.close(fd)
    if got is None:
        return {job.name: Outcome("hang", f"more than {job.seconds} s")}
    return job.results(*got)


def run_suite(suite, place, words):
    """{mode: {test: Outcome}} and {mode: seconds}, of the jobs that one of the words names."""
    outcomes = {mode: {} for mode in suite.modes}
    seconds = {mode: 0.0 for mode in suite.modes}
    for number, job in enumerate(suite.jobs(place)):
        if words and not any(word in job.name or fnmatch.fnmatch(job.name, word)
                             for word in words):
            continue
        took = {}
        for mode in suite.modes:
            began = time.monotonic()
            got = run_job(place, mode, job, os.path.join(place.tapes, f"{number}.tape"))
            took[mode] = time.monotonic() - began
            seconds[mode] += took[mode]
            outcomes[mode].update(got)
        print(f"{suite.name}: {job.name}:", ", ".join(
            f"{mode} {s:.1f} s" for mode, s in took.items()), file=sys.stderr)
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


def judge(suite, outcomes, exceptions, whole):
    """Lines of what is wrong, and {mode: (same, excepted)}; whole: all tests have run."""
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
    if whole:
        wrong += [f"{mode} {test}: is listed as an exception, and there is no such test"
                  for mode, test in exceptions if test not in native]
    return wrong, counts


def missing_of(suite):
    """What there is to say when the suite cannot run here."""
    missing = [how for path, how in suite.needs if not os.path.exists(path)]
    if not missing and suite.source:
        try:
            sources.get(suite.source)
        except sources.Unavailable as e:
            missing.append(f"its source: {e}")
    return "; ".join(missing)


def do_suite(suite, words):
    """(tests that were as they should be, those that were not)"""
    root = tempfile.mkdtemp(prefix="sandtape-suites-")
    try:
        outcomes, seconds = run_suite(suite, Place(root), words)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    wrong, counts = judge(suite, outcomes, read_exceptions(suite.name), not words)
    tally = collections.Counter(o.outcome for o in outcomes["native"].values())
    print("%s: native %d tests (%s) in %.0f s" % (
        suite.name, len(outcomes["native"]),
        ", ".join(f"{n} {word}" for word, n in sorted(tally.items())), seconds["native"]))
    for mode in suite.modes[1:]:
        same, excepted = counts[mode]
        print("  %s: %d the same, %d exceptions, in %.0f s" % (mode, same, excepted,
                                                              seconds[mode]))
    for line in wrong[:TOLD]:
        print("  WRONG " + line)
    if len(wrong) > TOLD:
        print(f"  WRONG and {len(wrong) - TOLD} more")
    if not outcomes["native"]:
        wrong.append("no test ran")
    sys.stdout.flush()
    return sum(same + excepted for same, excepted in counts.values()), len(wrong)


def choose(words):
    """The suites, and the words that choose jobs of a single one."""
    names = [word for word in words if not word.startswith("-")]
    if not names:
        return [s for s in SUITES if s.quick == ("--quick" in words)], []
    chosen = [s for s in SUITES if s.name == names[0]]
    if not chosen:
        sys.exit("suites: there is none of that name; there are: " +
                 " ".join(s.name for s in SUITES))
    return chosen, names[1:]


def main():
    # What runs is ended, and what was made is removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("suites: ended by SIGTERM"))
    chosen, words = choose(sys.argv[1:])
    passed = failed = skipped = 0
    for suite in chosen:
        missing = missing_of(suite)
        if missing and suite.quick:
            sys.exit(f"suites: {suite.name} needs: {missing}")
        if missing:
            print(f"{suite.name}: LEFT OUT, it needs: {missing}")
            skipped += 1
            continue
        good, bad = do_suite(suite, words)
        passed += good
        failed += bad
    print(f"suites: {passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(0 if failed == 0 and passed > 0 else 1)


if __name__ == "__main__":
    main()
