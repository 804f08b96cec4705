"""`sandtape conformance` on itself: what is left out escapes, and nothing else does; what is no
sandbox denies nothing; what does not run the probe is never taken for one that denies."""

import contextlib
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from harness import SANDTAPE, Skipped, case, expect, expect_equal, expect_status, short, wait_until
from sandbox import IS_ROOT

MECHANISMS = ("seccomp landlock-fs landlock-net landlock-scope namespaces capabilities no-new-privs "
              "rlimits cgroup fds env tty proc").split()


def conformance(place, *options, **how):
    """The result, and what became of each case."""
    report = os.path.join(place.root, "report.json")
    result = place.sandtape("conformance", "--format", "json", "-o", report, *options, **how)
    if not os.path.exists(report):
        return result, None
    with open(report, encoding="utf-8") as f:
        cases = json.load(f)["cases"]
    os.unlink(report)
    return result, {(c["id"], c["layer"], c["user"]): c for c in cases}


def verdicts(cases):
    return {key: c["verdict"] for key, c in cases.items()}


BASE = {}
BASE_LOCK = threading.Lock()
# Each run is done long before the time of a test is over.
SHARDS = 10
AT_A_TIME = 40


def base_cases(place):
    """What becomes of all cases here: once for all tests."""
    with BASE_LOCK:
        if not BASE:
            found = {}
            for shard in range(1, SHARDS + 1):
                result, cases = conformance(place, "--shard", f"{shard}/{SHARDS}")
                expect(result.status in (0, 1), short(result.err))
                found.update(cases)
            BASE.update(found)
        return BASE


def concerns(mechanism, case_):
    return case_["mechanism"] == mechanism or mechanism in case_["held_by"]


def after_sabotage(mechanism, case_):
    """What may become of it when the mechanism is left out: what nothing else denies escapes. What
    the mechanism is known not to deny, it does not; and where a kernel has a hole, the others that
    are to deny it may have it, too."""
    if case_["verdict"] != "conforms" or "done" in (case_["expected"] or "").split("|"):
        return {case_["verdict"]}
    if case_["held_by"] == [mechanism]:
        # A user without privileges has neither Landlock nor a filter without no_new_privs.
        if mechanism == "no-new-privs" and case_["layer"] == "policy":
            return {"escaped", "not_enforced"}
        return {"escaped"}
    if case_["layer"] == "raw":
        return {"conforms"}
    return {"conforms", "escaped"} if case_["fix"] else {"conforms"}


def sabotaged(place, mechanism, before):
    """What becomes of these cases, some at a time: each run ends long before the test must."""
    names = sorted({f"{id_}/{layer}" for id_, layer, _ in before})
    found = {}
    for at in range(0, len(names), AT_A_TIME):
        result, cases = conformance(place, "--sabotage", mechanism, "--filter",
                                    "|".join(names[at:at + AT_A_TIME]).replace(".", "[.]"))
        kinds = set(verdicts(cases).values())
        # A run in which nothing can be measured (what only root can do) is a failure, too.
        fails = "escaped" in kinds or "conforms" not in kinds
        expect_status(result, 1 if fails else 0, "the status")
        found.update(cases)
    return found


def add_sabotage(mechanism):
    @case(f"conformance: without {mechanism} exactly its cases escape")
    def check_sabotage(place):
        before = {key: c for key, c in base_cases(place).items() if concerns(mechanism, c)}
        expect(before, "there are no such cases")
        left_out = sabotaged(place, mechanism, before)
        expect_equal("cases", sorted(before), sorted(left_out))
        wrong = [f"{'/'.join(key)}: {left_out[key]['verdict']} instead of " +
                 " or ".join(after_sabotage(mechanism, c)) + f" ({left_out[key]['reason']})"
                 for key, c in before.items()
                 if left_out[key]["verdict"] not in after_sabotage(mechanism, c)]
        expect(not wrong, f"{len(wrong)} of {len(before)}: " + "; ".join(wrong[:10]))


for name in MECHANISMS:
    add_sabotage(name)


@case("conformance: what is no sandbox lets everything escape")
def check_no_sandbox(place):
    result, cases = conformance(place, "--launcher", "env")
    expect_status(result, 1, "with env as launcher")
    odd = {key: c for key, c in cases.items()
           if c["verdict"] not in ("escaped", "not_measured", "not_applicable")}
    expect(not odd, f"{len(odd)} did not escape: {sorted(odd)[:5]}")
    expect(sum(c["verdict"] == "escaped" for c in cases.values()) > 20, "too few were tried")


# The directory of a test is closed to others.
ONE_USER = ("--user", "root" if IS_ROOT else "ordinary")


# --- Launchers that do not run the probe ----------------------------------------------------------

LAUNCHERS = {
    "cannot be executed": None,
    "does nothing": "exit 0",
    "fails": "exit 159",
    "kills itself": "kill -SYS $$",
    "hangs": "sleep 1000",
    "forks, and leaves": "for i in 1 2 3 4 5 6 7 8; do setsid sleep 1000 & done",
    "floods": "exec yes",
    "says what the probe would say, without its nonce":
        "echo sandtape-probe 0123456789abcdef0123456789abcdef began\n"
        "echo sandtape-probe 0123456789abcdef0123456789abcdef ended 4 0 -13 0 0 0 0 0 0 - -",
    "changes what the probe says":
        "\"$@\" | sed -E 's/( ended) 4 0 [0-9]+ /\\1 4 0 -13 /'",
    "tells its arguments": "echo sandtape-probe began \"$@\"; echo \"$@\" ended 4 0 -13",
}


def add_launcher(what, script):
    @case(f"conformance: a launcher that {what} is broken, and no sandbox")
    def check_launcher(place):
        path = os.path.join(place.root, "launcher")
        if script is not None:
            with open(path, "w", encoding="utf-8") as f:
                f.write("#!/bin/sh\n" + script + "\n")
            os.chmod(path, 0o755)
        result, cases = conformance(place, "--launcher", path, "--filter", "landlock-fs.*")
        expect_status(result, 2, "with such a launcher")
        expect_equal("verdicts", {"probe_broken"}, set(verdicts(cases).values()))


@case("conformance: why a launcher does not run the probe is what it says")
def check_said(place):
    path = os.path.join(place.root, "launcher")
    with open(path, "w", encoding="utf-8") as f:
        f.write("#!/bin/sh\necho >&2\n"
                "printf 'jail: no such profile\\033[31m\\nmore\\n' >&2\nexit 1\n")
    os.chmod(path, 0o755)
    result, cases = conformance(place, "--launcher", path, "--filter", "landlock-fs.read-file",
                                *ONE_USER)
    expect_status(result, 2)
    expect_equal("reasons", {"the launcher does not run the probe: it says: jail: no such "
                             "profile?[31m"}, {c["reason"] for c in cases.values()})


for title, text in LAUNCHERS.items():
    add_launcher(title, text)


def start_hanging(place, scratch):
    """A suite that tries a case. Others take a few milliseconds: this one hangs."""
    hangs, began = (os.path.join(place.root, name) for name in ("hangs", "began"))
    with open(hangs, "w", encoding="utf-8") as f:
        f.write(f"#!/bin/sh\n: >'{began}'\nexec sleep 1000\n")
    os.chmod(hangs, 0o755)
    process = place.start([SANDTAPE, "conformance", "--scratch", scratch, "--launcher", hangs,
                           "--filter", "landlock-fs.*", *ONE_USER])
    wait_until(lambda: os.path.exists(began), "a case is tried")
    expect(glob.glob(scratch + "/*/*/in/report"), "the case has no place of its own")
    return process


@contextlib.contextmanager
def scratch_place(place):
    """One with a short name, whatever TMPDIR is: there are sockets below it."""
    scratch = tempfile.mkdtemp(prefix="sandtape-e2e-", dir="/var/tmp")
    try:
        os.chmod(scratch, 0o755)
        yield scratch
    finally:
        place.kill_marked()
        shutil.rmtree(scratch, ignore_errors=True)


@case("conformance: a suite that is stopped clears up, and ends by the signal")
def check_stopped(place):
    with scratch_place(place) as scratch:
        process = start_hanging(place, scratch)
        process.terminate()
        place.finish(process)
        expect_equal("it ended by", -signal.SIGTERM, process.returncode)
        expect_equal("what it has left", [], os.listdir(scratch))


@case("conformance: what a killed suite has left, the next one clears up")
def check_killed(place):
    with scratch_place(place) as scratch:
        process = start_hanging(place, scratch)
        process.kill()
        place.finish(process)
        wait_until(lambda: not place.marked(), "all that it has started is dead")
        expect(os.listdir(scratch), "the killed one has left nothing")
        result, _ = conformance(place, "--scratch", scratch, "--filter", "env.*", *ONE_USER)
        expect_status(result, 0, "the next one")
        expect_equal("what is left", [], os.listdir(scratch))


def kill_at_work(place, scratch, user, pause):
    """While its workers have begun, at some moment of a case."""
    before = set(os.listdir(scratch))
    process = place.start([SANDTAPE, "conformance", "--scratch", scratch, "--user", user],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: any(glob.glob(f"{scratch}/{name}/[0-9]*-[0-9]")
                           for name in set(os.listdir(scratch)) - before), "a case is tried")
    time.sleep(pause)
    process.kill()
    process.wait()
    wait_until(lambda: not place.marked(), f"all is dead that was started as {user}", 3)


@case("conformance: of a killed suite nothing runs on, as root or as an ordinary user")
def check_killed_workers(place):
    with scratch_place(place) as scratch:
        for user in ("root", "ordinary") if IS_ROOT else ("ordinary",):
            for turn in range(6):
                kill_at_work(place, scratch, user, 0.05 + 0.023 * turn)


# Threads of the ordinary user: more and more, a hundred within the time that a case takes.
CROWD = """
import _thread
import os
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
_thread.stack_size(65536)
while True:
    end = _thread.allocate_lock()
    end.acquire()
    for _ in range(3000):
        _thread.start_new_thread(lambda: end.acquire() and end.release(), ())
    end.release()
"""


@case("conformance: what else the same user runs does not change what is measured")
def check_crowd(place):
    if not IS_ROOT:
        raise Skipped("it would have other tests of this user meet their limits")
    crowd = place.start([sys.executable, "-c", CROWD])
    try:
        for _ in range(3):
            result, cases = conformance(place, "--filter", "proc.*", "--user", "ordinary")
            expect_status(result, 0)
            expect_equal("what became of the cases", {"conforms"}, set(verdicts(cases).values()))
    finally:
        crowd.kill()
        crowd.wait()


BWRAP = "bwrap --ro-bind / / --dev /dev --proc /proc --die-with-parent"


def in_bubblewrap(place, *options):
    result, cases = conformance(place, "--filter", "landlock-(fs|net).*", "--launcher",
                                " ".join((BWRAP, *options, "--")))
    expect(result.status in (0, 1), short(result.err))
    return {key[0]: c["verdict"] for key, c in cases.items()}


@case("conformance: bubblewrap is judged by what it lets pass", needs=("bwrap",))
def check_bubblewrap(place):
    got = in_bubblewrap(place, "--unshare-all")
    expect_equal("reading, of what is bound", "escaped", got["landlock-fs.read-file"])
    expect_equal("writing, to what is read-only", "conforms", got["landlock-fs.write-file"])
    expect_equal("the network", "conforms", got["landlock-net.tcp-connect"])


PORTS = [f"landlock-net.{name}" for name in ("tcp-bind", "tcp-bind-6", "listen", "udp-bind")]


@case("conformance: a port of a sandbox's own network is no escape, one of ours is",
      needs=("bwrap",))
def check_ports(place):
    own, ours = in_bubblewrap(place, "--unshare-all"), in_bubblewrap(place)
    expect_equal("in its own", ["conforms"] * len(PORTS), [own[name] for name in PORTS])
    expect_equal("in ours", ["escaped"] * len(PORTS), [ours[name] for name in PORTS])
