"""The commands on tapes: check, and its relatives."""

import json
import os
import subprocess

from badtapes import (BLOB_ROWS, SUBJECT, TAPE_ROWS, WAYS_OUT, blob_file, check_sentence,
                      make_tape)
from harness import (FIXTURES, ROOT, SANDTAPE, Skipped, case, expect, expect_equal, expect_status, expect_text, short)

FAIL_AT = os.path.join(FIXTURES, "fail_at_x86_64")
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


# --- gc -----------------------------------------------------------------------------------------

UNNAMED = "e" * 64


def add_unnamed(tape):
    path = os.path.join(tape, "blobs", UNNAMED)
    with open(path, "w", encoding="ascii") as f:
        f.write("left")
    return path


@case("tape gc")
def gc(place):
    make_tape(place)
    unnamed = add_unnamed(place.tape)
    expect_status(place.sandtape("tape", "gc", "-q", "--dry-run", place.tape), 0)
    result = place.sandtape("tape", "gc", "-n", place.tape)
    expect_status(result, 0, "-n")
    expect_equal("-n", f"{unnamed}\n{place.tape}: would remove 1 blob of 4 bytes that no record "
                 "names\n", result.out.decode())
    expect(os.path.exists(unnamed), "-n removed it")
    result = place.sandtape("tape", "gc", "--json", place.tape)
    expect_equal("--json", [{"tape": place.tape, "dry_run": False, "blobs": 1, "bytes": 4,
                             "leftovers": 0}], json_lines(result))
    expect(not os.path.exists(unnamed), "it is still there")
    expect_equal("again", f"{place.tape}: removed 0 blobs of 0 bytes that no record names\n",
                 place.sandtape("tape", "gc", place.tape).out.decode())
    expect_equal("files", ["blobs", "tape.jsonl", "timing.jsonl"], sorted(os.listdir(place.tape)))
    expect_status(place.sandtape("tape", "check", place.tape), 0, "check")
    expect_status(place.replay(SUBJECT, "-q"), 0, "replay")


@case("tape gc: a tape that is being recorded is refused, with the recorder's number")
def gc_busy(place):
    make_tape(place)
    add_unnamed(place.tape)
    argv = ["/bin/sh", "-c", "uname; echo up; read line"]
    recorder = place.start([SANDTAPE, "record", "-q", "-t", place.tape, "--daemons", "kill", "--",
                            *argv], stdin=subprocess.PIPE)
    while recorder.stdout.readline() not in (b"up\n", b""):
        pass
    for words in (["gc"], ["gc", "-n"]):
        result = place.sandtape("tape", *words, place.tape)
        check_sentence("tape gc", result, [f"process {recorder.pid} is recording"], False)
    expect(os.path.exists(os.path.join(place.tape, "blobs", UNNAMED)), "the blob is gone")
    place.finish(recorder, b"\n")
    expect_equal("status of the recorder", 0, recorder.returncode)
    result = place.sandtape("tape", "gc", "--json", place.tape)
    expect_equal("blobs", 2, json_lines(result)[0]["blobs"])


def check_gc_of_bad(place, damage, words):
    make_tape(place)
    damage(place.tape)
    before = sorted(os.walk(place.tape))
    for option in ("-n", "-q"):
        check_sentence("tape gc", place.sandtape("tape", "gc", option, place.tape), words)
    expect_equal("files", before, sorted(os.walk(place.tape)))


def add_gc_rows():
    for name, damage, words, _ in TAPE_ROWS:
        if name != "an empty journal":  # it is no recording, but it is a journal
            case("tape gc: " + name)(
                lambda place, row=(damage, words): check_gc_of_bad(place, *row))


add_gc_rows()


@case("tape gc: killed at any moment")
def gc_killed(place):
    if not os.access(FAIL_AT, os.X_OK):
        raise Skipped("there is no " + FAIL_AT)
    make_tape(place)
    steps, killed = 0, True
    while killed:
        steps += 1
        add_unnamed(place.tape)
        with open(os.path.join(place.tape, "tape.jsonl.new"), "w", encoding="ascii"):
            pass
        result = place.run([FAIL_AT, str(steps), "kill", "x.tape", SANDTAPE, "tape", "gc", "-q",
                            place.tape])
        killed = b"fail_at: " in result.err
        expect(not killed or result.status == 99, f"step {steps}: status {result.status}")
        checked = place.sandtape("tape", "check", "-q", place.tape)
        expect_equal(f"check after step {steps}", (0, b""), (checked.status, checked.out))
        shown = place.sandtape("tape", "show", "--json", place.tape)
        expect_equal(f"warnings after step {steps}", b"", shown.err)
    expect(steps > 5, f"only {steps} steps")
    expect_status(result, 0, "the last")


@case("tape gc: no permission")
def gc_no_permission(place):
    if os.geteuid() == 0:
        raise Skipped("root may do all")
    make_tape(place)
    add_unnamed(place.tape)
    os.chmod(place.tape, 0o555)
    result = place.sandtape("tape", "gc", place.tape)
    os.chmod(place.tape, 0o755)
    check_sentence("tape gc", result, ["journal.jsonl", "Permission denied"], False)
