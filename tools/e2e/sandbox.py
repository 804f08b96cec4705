"""What the tests of `sandtape run` and `sandtape doctor` share: a program by itself and inside, and a
row that says what must be seen of it."""

import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field

from harness import MARK, Failed, Skipped, add_case, expect, expect_equal, expect_status, short
from outcome import comparable

IS_ROOT = os.geteuid() == 0

# One that the default policy lets run; what runs the tests may be in the home of somebody else.
PYTHON = next((path for path in (os.path.realpath(sys.executable), "/usr/bin/python3")
               if path.startswith(("/usr/", "/opt/")) and os.access(path, os.X_OK)), None)

# The processes of a test are found by it, and so it has to stay.
KEEP_MARK = ("--env", MARK)

# Python rows begin with this. tell() prints what became of an attempt.
PRELUDE = """\
import ctypes, errno, os, signal, socket, struct, subprocess, sys, time
def tell(what, act):
    try:
        print(what, "=", act(), flush=True)
    except OSError as e:
        print(what, "=", errno.errorcode.get(e.errno, e), flush=True)
def read(path):
    with open(path, "rb") as f:
        return f.read(100).decode()
def write(path, text="w"):
    with open(path, "w") as f:
        f.write(text)
    return "done"
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *args):
    if libc.syscall(number, *args) < 0:
        raise OSError(ctypes.get_errno(), "")
    return "done"
"""


def inside(place, argv, *options, **how):
    return place.sandtape("run", *KEEP_MARK, *options, "--", *argv, **how)


def script_argv(place, sh, py):
    """Writes the script into work/."""
    if sh is not None:
        place.write("s.sh", sh)
        return ["/bin/sh", "s.sh"]
    place.write("s.py", PRELUDE + py)
    if not PYTHON:
        raise Skipped("there is no python3 in /usr or /opt")
    return [PYTHON, "s.py"]


@contextmanager
def outside_tmp(place):
    """A scratch directory that no private /tmp hides, at place.far, with place.work inside it."""
    far = tempfile.mkdtemp(prefix="sandtape-e2e-", dir="/var/tmp")
    before = place.work, place.home
    place.far, place.work, place.home = far, os.path.join(far, "work"), os.path.join(far, "home")
    os.mkdir(place.home)
    try:
        place.fresh()
        yield far
    finally:
        place.work, place.home = before
        shutil.rmtree(far, ignore_errors=True)


@dataclass
class Work:
    """A script that must do inside what it does by itself: its output, its status, its files."""

    name: str
    sh: str = None
    py: str = None
    files: dict = field(default_factory=dict)
    needs: tuple = ()
    options: tuple = ()
    status: int = 0
    env: dict = field(default_factory=dict)
    differs: tuple = ()  # globs of files that are never twice the same
    any_order: bool = False
    mode: str = "pipe"
    stdin: object = None
    says: str = None  # what its stdout must have, so that it did what it is here for


def check_work(place, row):
    how = {"mode": row.mode, "stdin": row.stdin, "env": row.env}

    def once(run, *args):
        place.fresh(row.files)
        result = run(place, script_argv(place, row.sh, row.py), *args, **how)
        return comparable(row, result, place.snapshot())

    native = once(lambda place, argv, **how: place.run(argv, **how))
    expect_status(native, row.status, "native")
    if row.says:
        expect(row.says.encode() in native.out, f"native: no {row.says!r}: {short(native.out)}")
    # Helpers of a program (of multiprocessing, say) may be there for a moment longer than it is.
    within = once(inside, "-q", *row.options)
    compare(native, within)


def compare(native, within):
    if native.status != within.status:
        raise Failed(f"inside: wanted status {native.status}, got {within.status}; "
                     f"stdout: {short(within.out or b'', 200)}; "
                     f"stderr: {short(within.err or b'', 300)}")
    expect_equal("inside: stdout", native.out, within.out)
    expect_equal("inside: stderr", native.err, within.err)
    expect_equal("inside: files", sorted(native.files), sorted(within.files))
    for name, content in native.files.items():
        expect_equal("inside: " + name, content, within.files[name])


def add_works(prefix, rows):
    for row in rows:
        add_case(f"{prefix}: {row.name}", lambda place, row=row: check_work(place, row), row.needs)
