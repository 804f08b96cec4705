"""The commands on tapes: check, migrate, and what they all do without permission.

What changes tapes is in changes.py, what compares them in compare.py."""

import errno
import json
import os
import shutil

from badtapes import (BLOB_ROWS, SUBJECT, TAPE_ROWS, WAYS_OUT, blob_file, check_sentence,
                      make_tape, seal)
from harness import (FIXTURES, ROOT, SANDTAPE, Skipped, case, expect, expect_equal, expect_status,
                     expect_text, short)

FAIL_AT = os.path.join(FIXTURES, "fail_at_x86_64")
SAMPLES = os.path.join(ROOT, "fixtures", "tapes")


def json_lines(result):
    return [json.loads(line) for line in result.out.decode().splitlines()]


def tape_bytes(tape):
    content = {}
    for directory, _, names in os.walk(tape):
        for name in names:
            with open(os.path.join(directory, name), "rb") as f:
                content[os.path.relpath(f.name, tape)] = f.read()
    return content


def diff(place, *args):
    return place.sandtape("tape", "diff", *args)


def each_step(place, fault, words, prepare, examine, least):
    """Runs `sandtape words` again and again, with a fault at its first call about files, its second
    and so on, until there is no such call. examine(what, failed) looks at what it left."""
    if not os.access(FAIL_AT, os.X_OK):
        raise Skipped("there is no " + FAIL_AT)
    how = fault if fault == "kill" else str(getattr(errno, fault))
    steps, failed = 0, True
    while failed:
        steps += 1
        prepare()
        result = place.run([FAIL_AT, str(steps), how, ".tape", SANDTAPE, *words])
        told = [l for l in result.err.splitlines() if l and not l.startswith(b"fail_at: ")]
        failed = b"fail_at: " in result.err
        what = f"{fault} at step {steps}"
        if failed and fault == "kill":
            expect_status(result, 99, what)
        elif result.status != 0:
            expect_status(result, 125, what)
            expect(len(told) == 1 and told[0].startswith(b"sandtape: "), f"{what}: {told}")
        examine(what, result.status != 0)
    expect(steps > least, f"only {steps} steps")
    expect_status(result, 0, "without a fault")


def check_whole_tape(place, what, tape):
    checked = place.sandtape("tape", "check", "-q", tape)
    expect_equal("check after " + what, (0, b"", b""), (checked.status, checked.out, checked.err))


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


@case("tape check: a command that wrote more than the tape has")
def check_sizes(place):
    """Sealed as it should be: what each line says is right, but not both together."""
    make_tape(place)
    timing = os.path.join(place.tape, "timing.jsonl")
    wrote = len(os.uname().sysname) + 1
    with open(timing, "rb") as f:
        lines = f.read().splitlines(True)
    old, new = b"[[1,%d," % wrote, b"[[1,%d," % (wrote + 1)
    with open(timing, "wb") as f:
        f.writelines(seal(line.replace(old, new)) for line in lines)
    result = place.sandtape("tape", "check", place.tape)
    expect_status(result, 1)
    expect_equal("findings", [
        f'{timing}: line 2: "chunks" has {wrote + 1} bytes that were written to stream 1, of which '
        f"there are {wrote}; restore it or record the tape again"], findings(result)[:-1])
    expect_status(place.replay(SUBJECT, "-q"), 0, "a replay takes what there is")


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


@case("tape check: what is quick shows no progress on a terminal")
def check_progress(place):
    make_tape(place)
    result = place.sandtape("tape", "check", place.tape, mode="pty")
    expect_status(result, 0)
    expect(b"whole" in result.out and b"\033" not in result.out, short(result.out))


@case("tape check: standard output on a full disk")
def check_full(place):
    make_tape(place)
    expect_status(place.sandtape("tape", "check", place.tape, mode="full"), 125)


# --- migrate ------------------------------------------------------------------------------------


@case("tape migrate: the newest version is let alone")
def migrate(place):
    make_tape(place)
    before = tape_bytes(place.tape)
    result = place.sandtape("tape", "migrate", place.tape)
    expect_status(result, 0)
    expect_equal("stdout", f"{place.tape}: version 1, the newest: nothing to be done\n",
                 result.out.decode())
    expect_equal("--json", [{"tape": place.tape, "from": 1, "to": 1}],
                 json_lines(place.sandtape("tape", "migrate", "--json", place.tape)))
    expect_equal("-q", b"", place.sandtape("tape", "migrate", "-q", place.tape).out)
    expect_equal("the tape", before, tape_bytes(place.tape))
    for name, words in (("future", ["version 2", "newer sandtape"]), ("empty", ["line 1"]),
                        ("no-head", ["line 1", "head"])):
        result = place.sandtape("tape", "migrate", os.path.join(SAMPLES, "bad", name + ".tape"))
        check_sentence(name, result, words)


# --- without permission --------------------------------------------------------------------------


@case("tape commands: what may not be read or written")
def no_permission(place):
    if os.geteuid() == 0:
        raise Skipped("root may do all")
    make_tape(place)
    good = place.path("good.tape")
    shutil.copytree(place.tape, good)
    closed = place.path("closed")
    os.mkdir(closed, 0o555)
    lines, blob = os.path.join(place.tape, "tape.jsonl"), blob_file(place.tape)
    for path in (lines, blob):
        os.chmod(path, 0)
        words = [os.path.basename(path), "Permission denied"]
        check_sentence("check", place.sandtape("tape", "check", "-q", place.tape), words, False)
        merged = place.sandtape("tape", "merge", place.path("new.tape"), place.tape, good)
        check_sentence("merge", merged, words, False)
        if path == lines:
            check_sentence("diff", diff(place, place.tape, good), words, False)
            check_sentence("gc", place.sandtape("tape", "gc", place.tape), words, False)
            check_sentence("migrate", place.sandtape("tape", "migrate", place.tape), words, False)
            check_sentence("verify", place.sandtape("verify", "-t", place.tape, "--", *SUBJECT),
                           words, False)
        os.chmod(path, 0o644)
    place.write("h.json", "[]")
    for words in (["merge", os.path.join(closed, "x.tape"), good, good],
                  ["import", "harn", "h.json", os.path.join(closed, "x.tape")]):
        check_sentence(words[0], place.sandtape("tape", *words), ["closed/x.tape", "Permission"],
                       False)
    expect_equal("in the closed directory", [], os.listdir(closed))
