"""Faults at every single step: sandtape is killed at, or fails in, its n-th call about files, for
each n (fixtures/programs/fail_at_x86_64.c). At any of them there is no tape or a valid one."""

import errno
import os
import shutil

from harness import (FIXTURES, SANDTAPE, Skipped, case, expect, expect_equal, expect_status,
                     short)
from kills import check_next_recording

FAIL_AT = os.path.join(FIXTURES, "fail_at_x86_64")
KILLED = 99

# A search, a blob, and something small.
SCRIPT = "seq 1500 | cksum; uname -s; exit"

# (what is done to it, whether there is a tape before, at one in how many steps)
ROWS = [
    ("kill", False, 1),
    ("kill", True, 1),
    ("ENOSPC", False, 1),
    ("ENOSPC", True, 2),
    ("EIO", False, 3),
    ("EMFILE", False, 2),
    ("EACCES", True, 3),
    ("ENOMEM", True, 3),
]


def run_step(place, fault, number):
    """The result, and whether there were so many steps."""
    how = fault if fault == "kill" else str(getattr(errno, fault))
    argv = [FAIL_AT, str(number), how, "x.tape", SANDTAPE, "record", "-q", "-t", place.tape, "--",
            "/bin/sh", "-c", SCRIPT]
    result = place.run(argv)
    place.check_nothing_runs()
    lines = result.err.split(b"\n")
    ours = [line for line in lines if line and not line.startswith(b"fail_at: ")]
    return result, ours, b"fail_at: " in result.err


def check_outcome(place, fault, result, lines):
    if fault == "kill":
        expect_status(result, KILLED, "killed")
        return
    expect(result.status in (0, 125), f"status {result.status}: {short(result.err)}")
    if result.status == 0:
        expect_equal("stderr", [], lines)
        return
    expect(len(lines) == 1 and lines[0].startswith(b"sandtape: "),
           f"not one sentence: {short(result.err, 400)}")


def check_tape(place, existing):
    """None or a valid one; an old one stays until the new one is there."""
    if not os.path.exists(place.tape):
        expect(not existing, "the old tape is gone")
        return
    expect_status(place.sandtape("tape", "show", "--json", place.tape), 0, "tape show")
    for unit in place.units():
        if unit["argv"] == ["uname", "-s"] and unit["code"] == 0:
            expect_equal("stdout", os.uname().sysname + "\n", unit["stdout"])
    if existing:
        expect(any(unit["code"] == 0 for unit in place.units()), "the old tape is empty")


def check_steps(place, fault, existing, stride):
    if not os.access(FAIL_AT, os.X_OK):
        raise Skipped("there is no " + FAIL_AT)
    number, any_more = 1, True
    while any_more:
        if existing:
            expect_status(place.record(["/bin/sh", "-c", "uname -s; exit"], "-q"), 0, "record")
        result, lines, any_more = run_step(place, fault, number)
        what = f"{fault} at step {number}: "
        try:
            if any_more:
                check_outcome(place, fault, result, lines)
            check_tape(place, existing)
            check_next_recording(place, place.tape)
        except Exception as e:
            raise type(e)(what + str(e)) from e
        shutil.rmtree(place.tape)
        number += stride
    expect(number > 20, f"there were only {number} steps")


def add_rows():
    for fault, existing, stride in ROWS:
        name = f"{fault} at {'each' if stride == 1 else f'one in {stride}'} of the steps of a " + \
               ("re-recording" if existing else "recording")
        case(name)(lambda place, row=(fault, existing, stride): check_steps(place, *row))


add_rows()
