"""The commands on tapes: check, and its relatives."""

import json
import os

from badtapes import BLOB_ROWS, SUBJECT, TAPE_ROWS, WAYS_OUT, blob_file, make_tape
from harness import (ROOT, case, expect, expect_equal, expect_status, expect_text, short)

SAMPLES = os.path.join(ROOT, "fixtures", "tapes")


def json_lines(result):
    return [json.loads(line) for line in result.out.decode().splitlines()]


# --- check --------------------------------------------------------------------------------------


def findings(result):
    """The sentences about damage: those of stdout, or the error."""
    lines = (result.out + result.err).decode("utf-8", "replace").splitlines()
    return [line for line in lines if not line.startswith("note: ")]


def check_damaged(place, damage, words, status=(1, 125)):
    make_tape(place)
    damage(place.tape)
    result = place.sandtape("tape", "check", place.tape)
    expect(result.status in status, f"status {result.status}: {short(result.out + result.err)}")
    told = findings(result)
    expect(any(all(word in line for word in words) for line in told),
           f"none has all of {words}: {told}")
    expect(any(way in line for way in WAYS_OUT for line in told), f"no way out: {told}")


def add_check_rows():
    for name, damage, words, _ in TAPE_ROWS:
        case("tape check: " + name)(
            lambda place, row=(damage, words): check_damaged(place, *row))
    for name, damage, words in BLOB_ROWS:
        case("tape check: " + name)(
            lambda place, row=(damage, ["tape.jsonl: line 3", *words], (1,)):
            check_damaged(place, *row))


add_check_rows()


@case("tape check: whole tapes, and several")
def check_whole(place):
    make_tape(place)
    result = place.sandtape("tape", "check", place.tape, place.tape + "/")
    expect_status(result, 0)
    expect_equal("stderr", b"", result.err)
    lines = result.out.decode().splitlines()
    expect_equal("lines", 2, len(lines))
    expect(all("2 commands and 1 blob, " in line and line.endswith(": whole") for line in lines),
           f"printed {lines}")
    quiet = place.sandtape("tape", "check", "-q", place.tape)
    expect_equal("-q", b"", quiet.out + quiet.err)
    os.remove(blob_file(place.tape))
    good = os.path.join(SAMPLES, "good", "hello.tape")
    result = place.sandtape("tape", "check", good, place.tape, place.path("none.tape"), good)
    expect_status(result, 125)
    expect_equal("whole", 2, result.out.count(b": whole\n"))
    expect_text(result, "there is no tape", "none.tape")


@case("tape check --json")
def check_json(place):
    make_tape(place)
    os.remove(blob_file(place.tape))
    result = place.sandtape("tape", "check", "--json", place.tape)
    expect_status(result, 1)
    damage, total = json_lines(result)
    expect_equal("finding", ("damage", place.tape), (damage["finding"], damage["tape"]))
    expect("is missing" in damage["text"], damage["text"])
    size = sum(os.path.getsize(os.path.join(place.tape, name))
               for name in ("tape.jsonl", "timing.jsonl"))
    expect_equal("total", {"tape": place.tape, "commands": 2, "blobs": 1, "bytes": size,
                           "damages": 1, "notes": 0}, total)


@case("tape check: notes do not fail")
def check_notes(place):
    make_tape(place)
    with open(os.path.join(place.tape, "blobs", "f" * 64), "w", encoding="ascii") as f:
        f.write("left")
    result = place.sandtape("tape", "check", place.tape)
    expect_status(result, 0)
    expect(b"note: " in result.out and b"tape gc" in result.out, short(result.out))
    expect_equal("-q", b"", place.sandtape("tape", "check", "-q", place.tape).out)
    expect_status(place.replay(SUBJECT, "-q"), 0, "replay")


@case("tape check: a terminal is told how far it is, and nothing else is")
def check_progress(place):
    make_tape(place)
    result = place.sandtape("tape", "check", place.tape, mode="pty")
    expect_status(result, 0)
    expect(b"whole" in result.out and b"\033" not in result.out, short(result.out))


@case("tape check: standard output on a full disk")
def check_full(place):
    make_tape(place)
    expect_status(place.sandtape("tape", "check", place.tape, mode="full"), 125)
