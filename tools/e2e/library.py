"""A program that runs its commands through a tape (fixtures/programs/report_tape.c)."""

import os
import re

from harness import FIXTURES, case, expect, expect_equal, expect_status, expect_text, short
from limits import in_namespace

REPORT = os.path.join(FIXTURES, "report_tape")
TEXT = {"text": "pear\nfig\n"}


def report(place, mode, **how):
    return place.run([REPORT, mode, place.tape, "text"], **how)


def told(result):
    """What it said but for the time, which is real in a recording."""
    return re.sub(rb"done after \d+ ms", b"done", result.out)


@case("library: a program records and replays its commands")
def record_and_replay(place):
    place.fresh(TEXT)
    recorded = report(place, "record")
    expect_status(recorded, 0)
    expect(b"sorted: status 0, 9 bytes:\nfig\npear\n" in recorded.out, f"{recorded.out!r}")
    replayed = [report(place, mode, hidden=True) for mode in ("replay", "replay", "once")]
    for result in replayed:
        expect_status(result, 0)
        expect_equal("what it said", told(recorded), told(result))
    expect_equal("two replays", replayed[0].out, replayed[1].out)
    expect_equal("backend", True, b'"backend":"api"' in open(
        os.path.join(place.tape, "tape.jsonl"), "rb").readline())
    expect_equal("units", [["wc", "-l"], ["wc", "-w"], ["sh", "-c", "sort; sleep 0.1"]],
                 [unit["argv"] for unit in place.units()])


@case("library: a program diverges")
def diverges(place):
    place.fresh(TEXT)
    expect_status(report(place, "once"), 0)
    place.write("text", "pear\nplum\n")
    result = report(place, "replay", hidden=True)
    expect_status(result, 123)
    expect_text(result, "stdin, byte 5")
    expect_text(result, "not asked for: ")
    expect_status(report(place, "new-episodes"), 0)
    for text in ("pear\nplum\n", "pear\nfig\n"):
        place.write("text", text)
        expect_status(report(place, "once", hidden=True), 0)
    expect_equal("units", 6, len(place.units()))


@case("library: a program without a tape")
def no_tape(place):
    place.fresh(TEXT)
    result = report(place, "replay")
    expect_status(result, 1)
    expect_text(result, "there is no tape")


@case("library: a tape of the command line answers a program, and the other way round")
def both_ways(place):
    place.fresh(TEXT)
    argv = [REPORT, "record", place.path("inner.tape"), "text"]
    recorded = place.record(argv, "-q")
    expect_status(recorded, 0, "record")
    replayed = report(place, "replay", hidden=True)
    expect_status(replayed, 0, "replay by the library")
    expect_equal("what it said", told(recorded), told(replayed))
    place.tape = place.path("inner.tape")
    again = place.replay([REPORT, "record", place.path("third.tape"), "text"], "-q")
    expect_status(again, 0, "replay by the command line")
    expect_equal("what it said then", told(recorded), told(again))


# --- Faults of the host ---------------------------------------------------------------------------

FULL = """
mount -t tmpfs -o size=1m,mode=755 none "$AT"
head -c $(((1024 - SIZE) * 1024)) /dev/zero >"$AT/ballast"
set +e
"$REPORT" record "$AT/x.tape" text >out 2>"$TOLD"
echo "record $?"
if [ -e "$AT/x.tape" ]; then "$SANDTAPE" tape check -q "$AT/x.tape"; fi
echo "check $?"
rm "$AT/ballast"
"$REPORT" record "$AT/x.tape" text >out
echo "again $?"
"$SANDTAPE" tape check -q "$AT/x.tape"
echo "check $?"
"""

# In KiB; the whole takes about 120: a blob for each of three inputs and the sorted text.
FULL_SIZES = [4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 48, 56, 64, 80, 96, 112, 128, 160]


def check_full(place, size):
    place.fresh({"text": "pear\nfig\n" * 2000})
    result = in_namespace(place, FULL, SIZE=str(size), REPORT=REPORT)
    recorded, *others = result.out.decode().splitlines()
    with open(place.path("told"), "rb") as f:
        told = f.read()
    expect(recorded in ("record 0", "record 1"), f"{size} KiB: {recorded}: {short(told)}")
    expect((recorded == "record 0") == (told == b""), f"{size} KiB: {recorded}: {short(told)}")
    if told:
        expect(told.startswith(b"report: ") and told.count(b"\n") == 1 and
               b"No space left on device" in told, f"{size} KiB: {short(told, 400)}")
    expect_equal(f"{size} KiB", ["check 0", "again 0", "check 0"], others)
    return recorded


@case("library: the disk is full while a program records")
def full_disk(place):
    seen = {check_full(place, size) for size in FULL_SIZES}
    expect_equal("full, and not full", {"record 0", "record 1"}, seen)
