"""What changes and makes tapes: gc, merge, import."""

import os
import shutil
import subprocess

from badtapes import BLOB_ROWS, SUBJECT, TAPE_ROWS, check_sentence, make_tape
from harness import SANDTAPE, Skipped, case, expect, expect_equal, expect_status, expect_text
from tapes import check_whole_tape, each_step, json_lines, tape_bytes

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
