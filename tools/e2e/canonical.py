"""Recording an unchanged run again changes nothing: no byte, and so no line of `git diff`.

SANDTAPE_E2E_TIMES=20 has what chance could disturb recorded again so often, not 3 times."""

import os

from harness import (EXAMPLES, PYTHON, case, expect, expect_equal, expect_status, find_program,
                     short)
from programs import copy_of

TIMES = int(os.environ.get("SANDTAPE_E2E_TIMES") or 3)

# Chains of commands, side by side and in no order, beside one that runs all the time: without it all
# of them could by chance be between two commands, and what comes then in another order is a change,
# by the standard. (Equal commands that do different things keep
# their order, by the standard, when they did not run at the same time: there are none here.)
THREADS = """
import random, subprocess, time
from concurrent.futures import ThreadPoolExecutor
def one(i):
    time.sleep(random.random() / 20)
    script = f"echo {i % 5}; sleep 0.0{i % 3}; seq {i * 200}; exit {i % 2}"
    out = subprocess.run(["sh", "-c", script], stdout=subprocess.PIPE).stdout
    subprocess.run(["sh", "-c", f"cksum; : {i}"], input=out, stdout=subprocess.PIPE)
    return subprocess.run(["uname", "-s"], stdout=subprocess.PIPE).stdout
beside = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
with ThreadPoolExecutor(8) as pool:
    for _ in range(3):
        list(pool.map(one, range(8)))
beside.stdin.close()
beside.wait()
"""


@case("re-recording an unchanged script gives the same bytes")
def rerecord(place):
    script = ("for i in 3 1 2; do sh -c \"echo $i; exit $i\"; done; seq 3000; sleep 0.05\n"
              "seq 5 | sort -r | head -2; (cd sub; uname); env printf '\\377'; none\n"
              "uname >f; sort <f\n")
    files = {"s.sh": script, "sub": None}
    tapes = []
    for _ in range(3):
        place.fresh(files)
        place.record(["/bin/sh", "s.sh"], "-q")
        with open(os.path.join(place.tape, "tape.jsonl"), "rb") as f:
            tapes.append(f.read())
        expect_equal("blobs", 1, len(os.listdir(os.path.join(place.tape, "blobs"))))
    expect_equal("tape.jsonl", tapes[0], tapes[1])
    expect_equal("tape.jsonl", tapes[0], tapes[2])
    timing = os.path.join(place.tape, "timing.jsonl")
    with open(timing, "rb") as f:
        before = f.read()
    place.fresh(files)
    place.record(["/bin/sh", "s.sh"], "-q")
    with open(timing, "rb") as f:
        expect_equal("timing.jsonl (unchanged records keep their times)", before, f.read())


def git(place, *args):
    return place.run([find_program("git"), "-C", place.path("repo"), "-c", "user.name=e2e",
                      "-c", "user.email=e2e@localhost", *args])


def check_no_diff(place, argv, files):
    os.makedirs(place.path("repo"))
    place.tape = place.path("repo", "x.tape")
    expect_status(git(place, "init", "-q"), 0, "git init")
    for time in range(TIMES + 1):
        place.fresh(files)
        expect_status(place.record(argv, "-q"), 0, f"record {time}")
        if time == 0:
            expect_status(git(place, "add", "-A"), 0, "git add")
            expect_status(git(place, "commit", "-q", "-m", "first"), 0, "git commit")
        result = git(place, "diff", "--exit-code")
        expect(result.status == 0, f"git diff after {time}: {short(result.out, 600)}")
        expect_equal(f"git status after {time}", b"", git(place, "status", "--porcelain").out)


@case("re-recording make -j4 leaves git diff empty", needs=("git", "make", "cc"))
def make_again(place):
    check_no_diff(place, [find_program("make"), "-j4", "O=out", "check"],
                  copy_of(os.path.join(EXAMPLES, "project")))


@case("re-recording 8 threads leaves git diff empty", needs=("git",))
def threads_again(place):
    check_no_diff(place, [PYTHON, "s.py"], {"s.py": THREADS})
