"""The commands on tapes: check, and its relatives."""

import errno
import json
import os
import shutil
import subprocess

from badtapes import (BLOB_ROWS, SUBJECT, TAPE_ROWS, WAYS_OUT, blob_file, check_sentence,
                      make_tape)
from harness import (FIXTURES, PYTHON, ROOT, SANDTAPE, Skipped, case, expect, expect_equal, expect_status, expect_text, short)

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


def check_gc_steps(place, fault):
    make_tape(place)

    def prepare():
        add_unnamed(place.tape)
        with open(os.path.join(place.tape, "tape.jsonl.new"), "w", encoding="ascii"):
            pass

    def examine(what, _failed):
        check_whole_tape(place, what, place.tape)
        shown = place.sandtape("tape", "show", "--json", place.tape)
        expect_equal("warnings after " + what, b"", shown.err)

    each_step(place, fault, ["tape", "gc", "-q", place.tape], prepare, examine, 5)


case("tape gc: killed at any step")(lambda place: check_gc_steps(place, "kill"))
case("tape gc: EIO at any step")(lambda place: check_gc_steps(place, "EIO"))


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


# --- merge --------------------------------------------------------------------------------------

PARTS = ["uname -s; seq 1500", "uname -s; uname -m; seq 1600"]


def record_parts(place):
    tapes = []
    for i, script in enumerate(PARTS):
        tapes.append(place.path(f"{i}.tape"))
        expect_status(place.sandtape("record", "-q", "-t", tapes[-1], "--", "/bin/sh", "-c",
                                     script + "; exit"), 0, "record")
    return tapes


def tape_bytes(tape):
    content = {}
    for directory, _, names in os.walk(tape):
        for name in names:
            with open(os.path.join(directory, name), "rb") as f:
                content[os.path.relpath(f.name, tape)] = f.read()
    return content


@case("tape merge: one tape answers what several did")
def merge(place):
    tapes = record_parts(place)
    result = place.sandtape("tape", "merge", place.tape, *tapes)
    expect_status(result, 0)
    expect_equal("stdout", f"{place.tape}: 4 commands, 1 left out that an earlier tape has, too\n",
                 result.out.decode())
    expect_equal("stderr", b"", result.err)
    check_whole_tape(place, "merge", place.tape)
    expect_equal("files", ["blobs", "tape.jsonl", "timing.jsonl"], sorted(os.listdir(place.tape)))
    for script in PARTS:
        argv = ["/bin/sh", "-c", script + "; exit"]
        expect_equal(script, place.run(argv).out, place.replay(argv, "-q").out)
    again = place.path("again.tape")
    expect_equal("--json", [{"tape": again, "commands": 4, "duplicates": 1, "conflicts": 0}],
                 json_lines(place.sandtape("tape", "merge", "--json", again, *tapes)))
    expect_equal("the same bytes", tape_bytes(place.tape), tape_bytes(again))


@case("tape merge: other records of the same command are a warning")
def merge_conflict(place):
    tapes = []
    for content in ("one", "two"):
        place.write("f", content)
        tapes.append(place.path(content + ".tape"))
        expect_status(place.sandtape("record", "-q", "-t", tapes[-1], "--", "/bin/sh", "-c",
                                     "cat f; exit"), 0, "record")
    result = place.sandtape("tape", "merge", place.tape, *tapes)
    expect_status(result, 0)
    expect_text(result, "warning", "1 command", "earlier tape first")
    argv = ["/bin/sh", "-c", "cat f; cat f; exit"]
    expect_equal("replay", b"onetwo", place.replay(argv, "-q").out)


@case("tape merge: what is there is replaced only with --replace")
def merge_replace(place):
    tapes = record_parts(place)
    make_tape(place)
    before = tape_bytes(place.tape)
    result = place.sandtape("tape", "merge", place.tape, *tapes)
    check_sentence("tape merge", result, [place.tape, "already", "--replace"], False)
    expect_equal("the old tape", before, tape_bytes(place.tape))
    expect_status(place.sandtape("tape", "merge", "-q", "--replace", place.tape, *tapes), 0)
    expect_equal("units", 4, len(place.units()))
    check_sentence("tape merge", place.sandtape("tape", "merge", place.path("no", "x.tape"), *tapes),
                   ["make it first"])
    check_sentence("tape merge", place.sandtape("tape", "merge", "/proc/x.tape", *tapes),
                   ["/proc/x.tape"], False)


def check_merge_of_bad(place, damage, words):
    good = record_parts(place)[1]
    make_tape(place)
    damage(place.tape)
    out = place.path("out.tape")
    for pair in ([good, place.tape], [place.tape, good]):
        check_sentence("tape merge", place.sandtape("tape", "merge", out, *pair), words)
        expect(not [name for name in os.listdir(place.root) if name.startswith("out.tape")],
               "something is left")


def add_merge_rows():
    for name, damage, words, _ in TAPE_ROWS:
        case("tape merge: " + name)(
            lambda place, row=(damage, words): check_merge_of_bad(place, *row))
    for name, damage, words in BLOB_ROWS:
        case("tape merge: " + name)(
            lambda place, row=(damage, words): check_merge_of_bad(place, *row))


add_merge_rows()


def check_merge_steps(place, fault, replace):
    tapes = record_parts(place)
    out = place.path("out.tape")
    wanted = place.path("wanted.tape")
    old = place.path("old.tape")
    shutil.copytree(tapes[0], old)
    expect_status(place.sandtape("tape", "merge", "-q", wanted, *tapes), 0)

    def prepare():
        shutil.rmtree(out, ignore_errors=True)
        if replace:
            shutil.copytree(old, out)

    def examine(what, failed):
        there = os.path.exists(os.path.join(out, "tape.jsonl"))
        expect(there or (failed and not replace), f"{what}: there is no tape")
        if there:
            lines = tape_bytes(out)["tape.jsonl"]
            expect(lines in (tape_bytes(wanted)["tape.jsonl"], tape_bytes(old)["tape.jsonl"]),
                   f"{what}: neither the old tape nor the new one")
            expect(failed or lines == tape_bytes(wanted)["tape.jsonl"], f"{what}: the old tape")
            checked = place.sandtape("tape", "check", "-q", out)
            expect_equal("check after " + what, (0, b""), (checked.status, checked.out))

    option = ["--replace"] if replace else []
    each_step(place, fault, ["tape", "merge", "-q", *option, out, *tapes], prepare, examine, 20)
    left = [name for name in os.listdir(place.root) if ".tmp." in name]
    expect_equal("left beside", [], left)


def add_merge_steps():
    for fault in ("kill", "ENOSPC"):
        for replace in (False, True):
            name = f"tape merge: {fault} at any step{' of a replacement' if replace else ''}"
            case(name)(lambda place, row=(fault, replace): check_merge_steps(place, *row))


add_merge_steps()


# --- import -------------------------------------------------------------------------------------

HARN = """\
[
  {"program": "git", "args": ["status", "--short"], "cwd": null, "stdout": " M @/f\\n",
   "duration_ms": 250},
  {"program": "/opt/tool", "args": ["@"], "cwd": "@/sub", "env": {"MODE": "x"},
   "stderr": "no\\n", "exit_code": 3},
  {"program": "git", "args": ["status", "--short"], "stdout": "again\\n"}
]
"""
HARN_SCRIPT = ("cd sub; git status --short; MODE=x /opt/tool \"$W\"; echo $?; cd ..\n"
               "git status --short\n")
HARN_EVENTS = """\
{"type":"header","version":1,"harn_version":"0.9.0","started_at_unix_ms":0,"argv":[]}
{"type":"record","seq":0,"phase":"user_script","virtual_time_ms":1,"monotonic_ms":1,"kind":{"kind":"clock_sleep","duration_ms":5}}
{"type":"record","seq":1,"phase":"user_script","virtual_time_ms":9,"monotonic_ms":9,"kind":{"kind":"process_spawn","program":"git","args":["log"],"cwd":null,"exit_code":0,"duration_ms":4,"stdout_payload":{"content_hash":"beef","len_bytes":5000},"stderr_payload":{"content_hash":"00","text":""}}}
"""


def import_(place, content, *options):
    place.fresh({"h.json": content, "s.sh": HARN_SCRIPT, "sub": None})
    return place.sandtape("tape", "import", *options, "harn", "h.json", place.tape)


@case("tape import: a process tape of harn answers a program")
def import_harn(place):
    content = HARN.replace("@", place.work)
    for options in ([], ["--env", "MODE"]):
        shutil.rmtree(place.tape, ignore_errors=True)
        result = import_(place, content, *options)
        expect_status(result, 0)
        expect_equal("stdout", f"{place.tape}: 3 commands imported\n", result.out.decode())
        expect_equal("a warning", not options, b"--env" in result.err)
        check_whole_tape(place, "import", place.tape)
        replayed = place.replay(["/bin/sh", "s.sh"], "-q", "--all-used", env={"W": place.work})
        expect_status(replayed, 0, "replay")
        expect_equal("stdout", f" M {place.work}/f\n3\nagain\n", replayed.out.decode())
        expect_equal("stderr", b"no\n", replayed.err)
    # It is as portable as any tape.
    for directory, _, names in os.walk(place.tape):
        for name in names:
            with open(os.path.join(directory, name), "rb") as f:
                expect(place.work.encode() not in f.read(), f"{name} has a path of this machine")


@case("tape import: an event tape of harn")
def import_events(place):
    place.fresh({"h.tape": HARN_EVENTS, "h.tape.cas/beef": "x" * 5000})
    result = place.sandtape("tape", "import", "--json", "harn", "h.tape", place.tape)
    expect_equal("--json", [{"tape": place.tape, "commands": 1, "skipped": 1}],
                 json_lines(result))
    replayed = place.replay(["/bin/sh", "-c", "git log; exit"], "-q")
    expect_equal("replay", (0, b"x" * 5000), (replayed.status, replayed.out))
    os.remove(os.path.join(place.work, "h.tape.cas", "beef"))
    result = place.sandtape("tape", "import", "--replace", "harn", "h.tape", place.tape)
    check_sentence("import", result, ["line 3", "h.tape.cas/beef"], False)
    expect_equal("units", 1, len(place.units()))


@case("tape import: refusals")
def import_refusals(place):
    check_sentence("bad", import_(place, "[{}]"), ["h.json", "entry 1", "program", "correct"], False)
    expect(not os.path.exists(place.tape), "a tape of nothing")
    expect_status(import_(place, "[]"), 0)
    check_sentence("again", import_(place, "[]"), ["already", "--replace"], False)
    expect_status(import_(place, "[]", "--replace"), 0, "--replace")
    result = place.sandtape("tape", "import", "harn", "none.json", place.path("y.tape"))
    check_sentence("none", result, ["none.json"], False)
    result = place.sandtape("tape", "import", "vcr", "h.json", place.path("y.tape"))
    check_sentence("format", result, ["'vcr'", "harn"], False)


def check_import_steps(place, fault):
    content = HARN.replace("git", "x" * 5000)

    def prepare():
        shutil.rmtree(place.tape, ignore_errors=True)
        place.write("h.json", content)

    def examine(what, failed):
        expect(failed or os.path.exists(place.tape), f"{what}: no tape")
        if os.path.exists(place.tape):
            check_whole_tape(place, what, place.tape)
            expect_equal("units", 3, len(place.units()))

    each_step(place, fault, ["tape", "import", "-q", "harn", "h.json", place.tape], prepare,
              examine, 10)


case("tape import: killed at any step")(lambda place: check_import_steps(place, "kill"))
case("tape import: ENOSPC at any step")(lambda place: check_import_steps(place, "ENOSPC"))


# --- verify -------------------------------------------------------------------------------------

VERIFIED = "uname -s; cat f; sh -c \"exit $1\"; (cd sub; seq 1500) | cksum; exit 5\n"


def prepare_verify(place, content="same\n"):
    place.fresh({"s.sh": VERIFIED, "f": content, "sub": None})


def verify(place, argv, *options, **how):
    return place.sandtape("verify", "-t", place.tape, *options, "--", *argv, **how)


def record_verified(place, *options, **how):
    prepare_verify(place)
    argv = ["/bin/sh", "s.sh", "3"]
    expect_status(place.record(argv, "-q", *options, **how), 5, "record")
    return argv


@case("verify: a run that does what the tape says")
def verify_same(place):
    argv = record_verified(place)
    before = tape_bytes(place.tape)
    native = place.run(argv)
    for options in ([], ["--fidelity", "byte"], ["--fidelity=outcome"]):
        result = verify(place, argv, *options)
        expect_status(result, 0, str(options))
        expect_equal("stdout", native.out, result.out)
        expect_text(result, "does what the tape says (5 alike, 0 changed")
        quiet = verify(place, argv, "-q", *options)
        expect_equal("-q", (0, b""), (quiet.status, quiet.err))
    expect_equal("the tape", before, tape_bytes(place.tape))
    # Where its output goes is the caller's affair.
    expect_status(verify(place, argv, "-q", mode="file"), 0, "to a file")


@case("verify: drift is told for each command, with status 124")
def verify_drift(place):
    argv = record_verified(place)
    before = tape_bytes(place.tape)
    prepare_verify(place, "changed\n")
    result = verify(place, ["/bin/sh", "s.sh", "4"])
    expect_status(result, 124)
    expect_equal("stderr", f"""\
sandtape: ~ cat f   (in $WORK)
    stdout       A 5 B $'same\\n'
                 B 8 B $'changed\\n'
sandtape: - sh -c 'exit 3'   (in $WORK)
sandtape: + sh -c 'exit 4'   (in $WORK)
sandtape: {place.tape}: the run drifted (3 alike, 1 changed, 0 in another place, 1 only on the \
tape, 1 new)
""", result.err.decode())
    expect_status(verify(place, argv, "-q", "--fidelity", "outcome"), 0, "outcome")
    expect_status(verify(place, argv, "-q"), 124, "-q")
    report = place.path("report.json")
    expect_status(verify(place, argv, "--report", report), 124, "--report")
    with open(report, encoding="ascii") as f:
        told = [json.loads(line) for line in f]
    expect_equal("report", [("changed", ["cat", "f"])],
                 [(d["difference"], d["argv"]) for d in told])
    expect_equal("the tape", before, tape_bytes(place.tape))


@case("verify: the tape's own settings hold")
def verify_settings(place):
    os.makedirs(place.path("data"))
    argv = ["/bin/sh", "s.sh"]
    files = {"s.sh": './launch "$DATA"; date >/dev/null; sh -c "echo $MODE"\n',
             "launch": ("#!/bin/sh\nls $1/..; uname\n", 0o755)}
    place.fresh(files)
    env = {"MODE": "x", "DATA": place.path("data")}
    root = ["--root", "DATA=" + place.path("data")]
    expect_status(place.record(argv, "-q", "--env", "MODE", "--through", "launch", "--real", "date",
                               *root, env=env), 0, "record")
    os.makedirs(place.path("tmp2"))
    expect_status(verify(place, argv, *root, "--fidelity", "byte", env=env), 124, "tmp2 is new")
    os.rmdir(place.path("tmp2"))
    expect_status(verify(place, argv, *root, "--fidelity", "byte", env=env), 0, "verify")
    env["MODE"] = "y"
    expect_status(verify(place, argv, *root, "-q", env=env), 124, "another value")
    check_sentence("verify", verify(place, argv, env=env), ["the root DATA", "--root DATA=DIR"],
                   False)


@case("verify: parallel commands are no drift")
def verify_parallel(place):
    script = """
import subprocess, random, time
from concurrent.futures import ThreadPoolExecutor
def one(i):
    time.sleep(random.random() / 20)
    return subprocess.run(["sh", "-c", f"sleep 0.0{i % 7}; echo {i % 5}"], stdout=subprocess.PIPE)
with ThreadPoolExecutor(8) as pool:
    list(pool.map(one, range(32)))
"""
    argv = [PYTHON, "s.py"]
    place.fresh({"s.py": script})
    expect_status(place.record(argv, "-q"), 0, "record")
    for _ in range(3):
        result = verify(place, argv, "--fidelity", "byte")
        expect_equal("verify", 0, result.status)


@case("verify: the backend of the tape")
def verify_backend(place):
    for backend in ("preload", "path"):
        argv = record_verified(place, "--backend", backend)
        result = verify(place, argv)
        expect_status(result, 0, backend)
        expect_text(result, "by the backend " + backend)
        shutil.rmtree(place.tape)


@case("verify: refusals")
def verify_refusals(place):
    argv = record_verified(place)
    place.tape = place.path("none.tape")
    result = verify(place, argv)
    check_sentence("no tape", result, ["none.tape"], False)
    expect_equal("the subject ran", b"", result.out)
    place.tape = place.path("x.tape")
    result = verify(place, ["./none"])
    expect_status(result, 127, "no program")
    result = verify(place, argv, "--report", place.path("no", "file"))
    check_sentence("report", result, ["no/file"], False)
    expect_equal("the subject ran", b"", result.out)
    result = verify(place, argv, "--report", "/dev/full", "-q")
    expect_status(result, 0, "nothing to write")
    prepare_verify(place, "changed\n")
    check_sentence("a full disk", verify(place, argv, "--report", "/dev/full", "-q"),
                   ["cannot write /dev/full"], False)


def check_verify_of_bad(place, damage, words):
    make_tape(place)
    damage(place.tape)
    result = place.sandtape("verify", "-q", "-t", place.tape, "--", *SUBJECT)
    check_sentence("verify", result, words)
    expect_equal("the subject ran: stdout", b"", result.out)


def add_verify_rows():
    for name, damage, words, _ in TAPE_ROWS:
        case("verify: " + name)(lambda place, row=(damage, words): check_verify_of_bad(place, *row))


add_verify_rows()


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
