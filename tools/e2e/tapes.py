"""The commands on tapes: check, and its relatives."""

import json
import os

from badtapes import (BLOB_ROWS, SUBJECT, TAPE_ROWS, WAYS_OUT, blob_file, check_sentence,
                      make_tape)
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


# --- diff ---------------------------------------------------------------------------------------

SCRIPT = "uname -s; echo \"$1\" >f; cat <f; sh -c \"$2\"; seq 2000\n"


def record_script(place, name, *args):
    place.write("s.sh", SCRIPT)
    tape = place.path(name)
    expect_status(place.sandtape("record", "-q", "-t", tape, "--", "/bin/sh", "s.sh", *args), 0,
                  "record")
    return tape


def diff(place, *args):
    return place.sandtape("tape", "diff", *args)


# (name, the second run's arguments, whether byte, semantic, outcome tell it)
DIFF_ROWS = [
    ("the same run again", ("x", "exit 0"), (False, False, False)),
    ("another output", ("y", "exit 0"), (True, True, False)),
    ("another command", ("x", ": other; exit 0"), (True, True, True)),
]


def check_diff(place, args, told):
    a = record_script(place, "a.tape", "x", "exit 0")
    b = record_script(place, "b.tape", *args)
    for fidelity, differs in zip(("byte", "semantic", "outcome"), told):
        for words in ([a, b], [b, a]):
            result = diff(place, "--fidelity", fidelity, *words)
            expect_status(result, 1 if differs else 0, fidelity)
            expect_equal("stderr", b"", result.err)
            quiet = diff(place, "-q", "--fidelity=" + fidelity, *words)
            expect_equal("-q", (result.status, b""), (quiet.status, quiet.out + quiet.err))
    by_default = diff(place, a, b)
    expect_equal("the default", diff(place, "--fidelity", "semantic", a, b).out, by_default.out)


def add_diff_rows():
    for name, *row in DIFF_ROWS:
        case("tape diff: " + name)(lambda place, row=tuple(row): check_diff(place, *row))


add_diff_rows()


@case("tape diff: what is printed")
def diff_text(place):
    a = record_script(place, "a.tape", "x", "exit 0")
    b = record_script(place, "b.tape", "y", ": other; exit 0")
    result = diff(place, a, b)
    expect_equal("stdout", f"""\
~ cat   (in $WORK)
    stdin        A 2 B $'x\\n'
                 B 2 B $'y\\n'
    stdout       A 2 B $'x\\n'
                 B 2 B $'y\\n'
- sh -c 'exit 0'   (in $WORK)
+ sh -c ': other; exit 0'   (in $WORK)
{a} and {b}: different (semantic): 2 commands alike, 1 changed, 1 only in A, 1 only in B
""", result.out.decode())


@case("tape diff --json")
def diff_json(place):
    a = record_script(place, "a.tape", "x", "exit 0")
    b = record_script(place, "b.tape", "y", "exit 0")
    result = diff(place, "--json", a, b)
    expect_status(result, 1)
    changed, total = json_lines(result)
    expect_equal("difference", ("changed", ["cat"], "$WORK"),
                 (changed["difference"], changed["argv"], changed["cwd"]))
    expect_equal("fields", [{"field": "stdin", "a": "2 B $'x\\n'", "b": "2 B $'y\\n'"},
                            {"field": "stdout", "a": "2 B $'x\\n'", "b": "2 B $'y\\n'"}],
                 changed["fields"])
    expect_equal("total", {"a": a, "b": b, "fidelity": "semantic", "same": False, "a_commands": 4,
                           "b_commands": 4, "alike": 3, "changed": 1, "moved": 0, "only_a": 0,
                           "only_b": 0}, total)


@case("tape diff: parallel commands in another order are alike")
def diff_parallel(place):
    tapes = []
    for name, delays in (("a.tape", "0.1 0.3"), ("b.tape", "0.3 0.1")):
        one, two = delays.split()
        place.write("s.sh", f"(sleep {one}; uname -s) & (sleep {two}; uname -m) & sleep 1; wait\n")
        tapes.append(place.path(name))
        expect_status(place.sandtape("record", "-q", "-t", tapes[-1], "--", "/bin/sh", "s.sh"), 0)
    result = diff(place, "--fidelity", "byte", *tapes)
    expect_status(result, 1, "byte")
    expect(b"> " in result.out, short(result.out))
    # sleep 0.1 and sleep 0.3 change places, too: all of it ran beside the long one.
    expect_status(diff(place, *tapes), 0, "semantic")
    expect_status(diff(place, "--fidelity", "outcome", *tapes), 0, "outcome")


def check_diff_of_bad(place, damage, words):
    good = record_script(place, "good.tape", "x", "exit 0")
    make_tape(place)
    damage(place.tape)
    for pair in ([good, place.tape], [place.tape, good], [place.tape, place.tape]):
        check_sentence("tape diff", diff(place, *pair), words)


def add_bad_rows():
    for name, damage, words, _ in TAPE_ROWS:
        case("tape diff: " + name)(
            lambda place, row=(damage, words): check_diff_of_bad(place, *row))


add_bad_rows()


@case("tape diff: a blob that is needed and damaged")
def diff_blob(place):
    tapes = []
    for name, content in (("a.tape", "a" * 5000), ("b.tape", "b" * 5000)):
        place.write("f", content)
        tapes.append(place.path(name))
        expect_status(place.sandtape("record", "-q", "-t", tapes[-1], "--", "/bin/sh", "-c",
                                     "cat f; exit"), 0, "record")
    expect_status(diff(place, *tapes), 1, "whole")
    os.remove(blob_file(tapes[1]))
    check_sentence("tape diff", diff(place, *tapes), ["b.tape/blobs/", "missing"])
    # Equal blobs are not looked at; `tape check` does that.
    expect_status(diff(place, tapes[1], tapes[1]), 0, "with itself")


@case("tape diff: standard output on a full disk")
def diff_full(place):
    make_tape(place)
    expect_status(place.sandtape("tape", "diff", place.tape, place.tape, mode="full"), 125)
