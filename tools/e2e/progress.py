"""Progress on stderr: shown on a terminal after the first second of long work, gone at its end, and
never anywhere else.

The work is as long as a test wants, whatever the machine: a difference that nobody reads yet, and a
blob of a tebibyte that has no block on the disk and is cut off while it is read."""

import json
import os
import pty
import re
import time

from badtapes import blob_file, make_tape, seal
from harness import SANDTAPE, Skipped, case, expect, expect_equal, expect_status, short, wait_until
from outcome import Result
from wiring import Reader

ERASE = b"\r\x1b[K"
SECOND = 1.1  # after which the line is due
TEBIBYTE = 1 << 40


def shown(what):
    return re.compile(rb"(\r\x1b\[Ksandtape: " + re.escape(what.encode()) + rb": \d+ %|\r\x1b\[K)+")


class Running:
    """sandtape, with its stderr on a terminal or a pipe, and its stdout on a pipe."""

    def __init__(self, place, terminal, *args):
        ours, theirs = pty.openpty() if terminal else os.pipe()
        self.place = place
        self.err = Reader(ours)
        self.process = place.start([SANDTAPE, *args], stderr=theirs)
        os.close(theirs)

    def finish(self):
        out, _ = self.place.finish(self.process)
        return Result(self.process.returncode, out, self.err.finish(), None)


def check_shown(result, what, terminal):
    if not terminal:
        expect_equal("stderr", b"", result.err)
        return
    expect(shown(what).fullmatch(result.err), f"not only {what}: {short(result.err, 400)}")
    expect(b" %" in result.err, f"no progress: {result.err!r}")
    expect(result.err.endswith(ERASE), f"it is left on the screen: {result.err!r}")


# --- diff -----------------------------------------------------------------------------------------

MANY = 20000


def import_many(place, name, program):
    place.write("h.json", json.dumps([{"program": f"{program}{i}", "args": []}
                                      for i in range(MANY)]))
    tape = place.path(name)
    expect_status(place.sandtape("tape", "import", "-q", "harn", "h.json", tape), 0, "import")
    return tape


def check_diff(place, terminal):
    """What it prints is more than a pipe holds, so that it waits for us in the middle."""
    tapes = [import_many(place, name, name[0]) for name in ("a.tape", "b.tape")]
    running = Running(place, terminal, "tape", "diff", *tapes)
    first = os.read(running.process.stdout.fileno(), 1)
    time.sleep(SECOND)
    result = running.finish()
    expect_status(result, 1)
    expect_equal("lines", 2 * MANY + 1, (first + result.out).count(b"\n"))
    check_shown(result, "comparing", terminal)


case("progress: tape diff on a terminal")(lambda place: check_diff(place, True))
case("progress: none on a pipe, tape diff")(lambda place: check_diff(place, False))


# --- check ----------------------------------------------------------------------------------------


def make_huge(place):
    """A tape whose blob takes hours to read; its path."""
    make_tape(place)
    blob = blob_file(place.tape)
    size = b'"size":%d' % os.path.getsize(blob)
    lines = os.path.join(place.tape, "tape.jsonl")
    with open(lines, "rb") as f:
        content = f.read().splitlines(True)
    with open(lines, "wb") as f:
        for line in content:
            f.write(seal(line.replace(size, b'"size":%d' % TEBIBYTE)) if size in line else line)
    try:
        os.truncate(blob, TEBIBYTE)
    except OSError as e:
        raise Skipped(f"no such file can be here: {e}") from None
    return blob


def worked(process):
    """Seconds of a processor that it has used."""
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def check_check(place, terminal):
    blob = make_huge(place)
    running = Running(place, terminal, "tape", "check", place.tape)
    try:
        if terminal:
            running.err.wait_for(b" %", 0, 30)
        else:
            wait_until(lambda: worked(running.process) > SECOND, "it had worked for a second", 30)
    finally:
        os.truncate(blob, 0)
    result = running.finish()
    expect_status(result, 1)
    expect(b"SHA-256" in result.out, short(result.out))
    check_shown(result, "checking " + place.tape, terminal)


case("progress: tape check on a terminal")(lambda place: check_check(place, True))
case("progress: none on a pipe, tape check")(lambda place: check_check(place, False))
